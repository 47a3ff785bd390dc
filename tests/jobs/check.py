#!/usr/bin/env python3
"""Every job script under stand-ins for Slurm and PBS Pro, and as it is.

    ISOCHRONE=target/release/isochrone python3 tests/jobs/check.py [CHECK...]

Asserts the numbers of ranks and threads, of nodes asked for and of ranks that share one, what a run
that is stopped before its time limit leaves once it was put back into the queue (the result of one
that was not), one result for each value of an array, one report for each point of a scaling study.
"""

import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JOBS = ("fk", "eikonal", "invert", "gpu", "array", "strong-scaling", "weak-scaling")
COMMANDS = ("sbatch", "srun", "scontrol", "qsub", "qstat", "mpirun", "timeout", "rank", "agent")

# About a second, so that the signal comes long before the end.
WAVES = """[fk]
grid = { shape = [256, 256], spacing = 0.3 }
diffusivity = 0.1
dt = 0.025
duration = 300
[[fk.stimulus]]
kind = "current"
amplitude = 1.0
region = { half = "west", coverage = 0.1 }
duration = 2
[fk.record]
activation_threshold = 0.5
frames_every = 50
"""
# Slow descent from far away, hence many iterations.
INVERSION = """[mesh]
generate = { kind = "biventricle", edge = 4.0 }
[conduction]
speed = { fibre = 0.6, sheet = 0.4, normal = 0.2 }
[domains]
method = "metis"
count = 6
[[source]]
point = [0.0, 0.0, -50.0]
[inversion]
twin = { gamma = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0] }
initial_gamma = [2.0, 3.0, 1.0, 4.0, 2.0, 3.0]
optimizer = "steepest-descent"
stop = { iterations = 60 }
"""
TIMES = """[mesh]
generate = { kind = "biventricle", edge = 5.0 }
[conduction]
speed = 0.5
[[source]]
point = [0.0, 0.0, -50.0]
"""
CHECKPOINT_EVERY = ["--set", "checkpoint.every_ms=5"]


class Site:
    """A folder to submit from, with the jobs and the stand-ins' state."""

    def __init__(self, folder, program):
        self.folder, self.state = folder, os.path.join(folder, "state")
        os.makedirs(os.path.join(self.state, "bin"))
        stand_in = os.path.join(ROOT, "tests", "jobs", "stand_in.py")
        for command in COMMANDS:
            os.symlink(stand_in, os.path.join(self.state, "bin", command))
        os.symlink(os.path.join(ROOT, "jobs"), os.path.join(folder, "jobs"))
        for name, text in (("waves", WAVES), ("inversion", INVERSION), ("times", TIMES)):
            with open(os.path.join(folder, name + ".toml"), "w", encoding="utf-8") as file:
                file.write(text)
        path = os.path.join(self.state, "bin") + os.pathsep + os.environ["PATH"]
        self.environment = {**os.environ, "PATH": path, "STAND_IN": self.state, "ISOCHRONE": program}
        for name in ("SLURM_JOB_ID", "PBS_JOBID", "RANKS", "THREADS", "ARGS", "OMP_NUM_THREADS"):
            self.environment.pop(name, None)

    def submit(self, *command, time_up=None, folder="", **variables):
        """Runs a command; its exit code, and what the stand-ins noted meanwhile."""
        log = os.path.join(self.state, "log")
        open(log, "w").close()
        pattern = os.path.join(self.state, "time_up")
        if time_up:
            with open(pattern, "w", encoding="utf-8") as file:
                file.write(os.path.join(self.folder, time_up))
        with tempfile.TemporaryFile("w+") as said:
            running = subprocess.Popen(
                command, cwd=os.path.join(self.folder, folder), env={**self.environment, **variables},
                stdout=said, stderr=said,
            )
            while running.poll() is None:
                # What the scheduler does else: as when the seconds of `timeout` are over.
                if time_up and command[0].startswith("jobs/") and glob.glob(os.path.join(self.folder, time_up)):
                    (process,) = os.listdir(os.path.join(self.state, "timeout"))
                    os.kill(int(process), signal.SIGALRM)
                    os.remove(pattern)
                    time_up = None
                time.sleep(0.01)
            said.seek(0)
            text = said.read()
        assert not os.path.exists(pattern), f"{command}: ended before its time was up\n{text}"
        with open(log, encoding="utf-8") as file:
            noted = Noted(json.loads(line) for line in file)
        noted.code, noted.said = running.returncode, text
        return noted

    def sbatch(self, job, *arguments, nodes=1, per_node=2, threads=1, options=(), **more):
        size = [f"--nodes={nodes}", f"--ntasks-per-node={per_node}", f"--cpus-per-task={threads}"]
        return self.submit("sbatch", *size, *options, f"jobs/{job}.sh", *arguments, **more)

    def qsub(self, job, *arguments, nodes=1, per_node=2, threads=1, options=(), passed=(), **more):
        size = f"select={nodes}:ncpus={per_node * threads}:mpiprocs={per_node}:ompthreads={threads}"
        variables = ",".join(["ARGS=" + " ".join(arguments), "ISOCHRONE", *passed])
        limit = [] if "-l" in options else ["-l", "walltime=01:00:00"]
        return self.submit("qsub", "-l", size, *limit, *options, "-v", variables, f"jobs/{job}.sh", **more)

    def plain(self, job, *arguments, ranks=2, threads=1, **more):
        return self.submit(f"jobs/{job}.sh", *arguments, RANKS=str(ranks), THREADS=str(threads), **more)

    def report(self, *path):
        with open(os.path.join(self.folder, *path, "report.json"), encoding="utf-8") as file:
            return json.load(file)


class Noted(list):
    """What the stand-ins noted, and how the command ended."""

    code, said = 0, ""

    def of(self, command):
        return [line for line in self if line["command"] == command]

    def codes(self):
        return [line["code"] for line in self.of("ended")]

    def succeeded(self, codes):
        assert self.code == 0 and self.codes() == codes, f"{self.code}, {self.codes()}\n{self.said}\n{self}"
        return self


def same(a, b):
    """Asserts that two result files hold the same datasets, to the last bit; times and parts are the run's own."""

    def datasets(path):
        found = {}
        with h5py.File(path) as file:
            file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return {name: value for name, value in found.items() if name not in ("inversion/seconds", "mesh/parts")}

    a, b = datasets(a), datasets(b)
    assert a.keys() == b.keys() and a, (a.keys(), b.keys())
    for name, value in a.items():
        assert numpy.array_equal(value, b[name], equal_nan=value.dtype.kind == "f"), name


def ranks_and_threads(site, noted, folder, nodes, per_node, threads):
    """The report's, and those that MPI told the ranks."""
    report, ranks = site.report(folder), nodes * per_node
    assert (report["ranks"], report["threads"]) == (ranks, threads), report
    last = noted.of("rank")[-ranks:]
    assert sorted(line["rank"] for line in last) == list(range(ranks)), last
    assert sorted(line["local_rank"] for line in last) == sorted(list(range(per_node)) * nodes), last
    assert {(line["size"], line["local_size"]) for line in last} == {(ranks, per_node)}, last


def slurm_runs(site):
    # Two nodes: ended by the signal, back in the queue, resumed.
    noted = site.sbatch(
        "fk", "waves.toml", *CHECKPOINT_EVERY, "--output", "slurm/fk", nodes=2, per_node=1,
        time_up="slurm/fk/fk_checkpoint-*.h5",
    ).succeeded([75, 0])
    first, second = noted.of("sbatch")
    assert first["options"]["signal"].startswith("USR1@") and first["options"]["open-mode"] == "append", first
    assert second["variables"]["SLURM_RESTART_COUNT"] == "1", second
    assert [line["arguments"][0] for line in noted.of("scontrol")] == ["requeue"]
    for line in noted.of("srun"):
        assert line["options"] == {
            "nodes": "2", "ntasks": "2", "ntasks-per-node": "1", "cpus-per-task": "1", "cpu-bind": "cores",
        }, line
    ranks_and_threads(site, noted, "slurm/fk", 2, 1, 1)
    same(f"{site.folder}/slurm/fk/fk.h5", f"{site.folder}/whole/fk/fk.h5")

    noted = site.sbatch(
        "invert", "inversion.toml", "--output", "slurm/invert", time_up="slurm/invert/inversion_checkpoint.json",
    ).succeeded([75, 0])
    ranks_and_threads(site, noted, "slurm/invert", 1, 2, 1)
    same(f"{site.folder}/slurm/invert/inversion.h5", f"{site.folder}/whole/invert/inversion.h5")

    noted = site.sbatch("eikonal", "times.toml", "--output", "slurm/eikonal-4", nodes=2).succeeded([0])
    ranks_and_threads(site, noted, "slurm/eikonal-4", 2, 2, 1)
    same(f"{site.folder}/slurm/eikonal-4/eikonal.h5", f"{site.folder}/whole/eikonal/eikonal.h5")
    noted = site.sbatch("eikonal", "times.toml", "--output", "slurm/eikonal", per_node=1, threads=2).succeeded([0])
    assert "signal" not in noted.of("sbatch")[0]["options"]
    ranks_and_threads(site, noted, "slurm/eikonal", 1, 1, 2)
    same(f"{site.folder}/slurm/eikonal/eikonal.h5", f"{site.folder}/whole/eikonal/eikonal.h5")

    # From a folder of one's own.
    os.makedirs(f"{site.folder}/own")
    size = ["--nodes=1", "--ntasks-per-node=1", "--cpus-per-task=1"]
    noted = site.submit(
        "sbatch", *size, f"{ROOT}/jobs/eikonal.sh", "../times.toml", "--output", "here", folder="own",
        ISOCHRONE_JOBS=f"{ROOT}/jobs",
    ).succeeded([0])
    ranks_and_threads(site, noted, "own/here", 1, 1, 1)


def pbs_runs(site):
    noted = site.qsub(
        "fk", "waves.toml", *CHECKPOINT_EVERY, "--output", "pbs/fk", nodes=2, per_node=1,
        options=["-l", "walltime=02:00:00", "-A", "heart"], time_up="pbs/fk/fk_checkpoint-*.h5",
    ).succeeded([75, 0])
    first, second = noted.of("qsub")
    # With the means of the first, not those of the script.
    assert second["resources"] == first["resources"], (first, second)
    assert second["passed"] == {**first["passed"], "ISOCHRONE_RESTARTS": "1"}, (first, second)
    for line in noted.of("timeout"):
        flags, (seconds, _) = line["arguments"][:3], line["arguments"][3:5]
        assert flags == ["--foreground", "--preserve-status", "--signal=USR1"], line
        assert 6890 <= int(seconds) <= 6900, line
    assert {(line["ranks"], line["nodes"]) for line in noted.of("mpirun")} == {(2, 2)}, noted
    ranks_and_threads(site, noted, "pbs/fk", 2, 1, 1)
    same(f"{site.folder}/pbs/fk/fk.h5", f"{site.folder}/whole/fk/fk.h5")

    noted = site.qsub(
        "invert", "inversion.toml", "--output", "pbs/invert", time_up="pbs/invert/inversion_checkpoint.json",
    ).succeeded([75, 0])
    ranks_and_threads(site, noted, "pbs/invert", 1, 2, 1)
    same(f"{site.folder}/pbs/invert/inversion.h5", f"{site.folder}/whole/invert/inversion.h5")

    noted = site.qsub("eikonal", "times.toml", "--output", "pbs/eikonal-4", nodes=2).succeeded([0])
    ranks_and_threads(site, noted, "pbs/eikonal-4", 2, 2, 1)
    same(f"{site.folder}/pbs/eikonal-4/eikonal.h5", f"{site.folder}/whole/eikonal/eikonal.h5")
    noted = site.qsub("eikonal", "times.toml", "--output", "pbs/eikonal", per_node=1, threads=2).succeeded([0])
    assert not noted.of("timeout")
    ranks_and_threads(site, noted, "pbs/eikonal", 1, 1, 2)
    same(f"{site.folder}/pbs/eikonal/eikonal.h5", f"{site.folder}/whole/eikonal/eikonal.h5")


def plain_runs(site):
    cores = len(os.sched_getaffinity(0))
    command = ["waves.toml", *CHECKPOINT_EVERY, "--output", "plain/fk"]
    noted = site.plain("fk", *command, MINUTES="60", time_up="plain/fk/fk_checkpoint-*.h5")
    assert noted.code == 75 and "the same command goes on" in noted.said, noted.said
    assert 3290 <= int(noted.of("timeout")[0]["arguments"][3]) <= 3300, noted
    noted = site.plain("fk", *command)
    assert noted.code == 0 and "resuming after" in noted.said and not noted.of("timeout"), noted.said
    ranks_and_threads(site, noted, "plain/fk", 1, 2, 1)
    # Bound where the ranks fill the machine.
    assert {line["processors"] for line in noted.of("rank")} == {1 if cores == 2 else cores}, noted
    same(f"{site.folder}/plain/fk/fk.h5", f"{site.folder}/whole/fk/fk.h5")
    noted = site.plain("eikonal", "times.toml", "--output", "plain/eikonal", ranks=1, threads=2)
    ranks_and_threads(site, noted, "plain/eikonal", 1, 1, 2)
    # More threads than cores: bound to none.
    noted = site.plain("invert", "inversion.toml", "--output", "plain/invert", ranks=2, threads=2 * cores)
    ranks_and_threads(site, noted, "plain/invert", 1, 2, 2 * cores)
    assert {line["processors"] for line in noted.of("rank")} == {cores}, noted
    same(f"{site.folder}/plain/invert/inversion.h5", f"{site.folder}/whole/invert/inversion.h5")


def gpus(site):
    short = ["fk", "waves.toml", "--set", "fk.duration=2"]
    noted = site.sbatch("gpu", *short, "--device", "auto", "--output", "slurm/gpu").succeeded([0])
    assert int(noted.of("sbatch")[0]["options"]["gpus-per-node"]) > 0
    ranks_and_threads(site, noted, "slurm/gpu", 1, 2, 1)
    noted = site.qsub("gpu", *short, "--device", "auto", "--output", "pbs/gpu").succeeded([0])
    ranks_and_threads(site, noted, "pbs/gpu", 1, 2, 1)
    # A GPU is asked for, and a run without one is refused.
    noted = site.plain("gpu", *short, "--output", "plain/gpu")
    assert noted.of("mpirun")[0]["arguments"][-5:-2] == ["--device", "cuda", "--resume"], noted
    assert (noted.code == 0) == (site.report("slurm/gpu")["device"] != "cpu"), noted.said


def arrays(site):
    command = ["fk", "waves.toml", "--set", "fk.duration=200"]
    values = ["0.05", "0.1", "0.2"]
    passed = {"KEY": "fk.diffusivity", "VALUES": " ".join(values), "OUTPUT": "slurm/array"}
    site.sbatch("array", *command, per_node=1, options=["--array=0-2"], **passed).succeeded([0, 0, 0])
    # One of them is stopped: it alone goes on.
    stopped = "pbs/array/fk.diffusivity=0.1/fk_checkpoint-*.h5"
    passed["OUTPUT"] = "pbs/array"
    noted = site.qsub(
        "array", *command, *CHECKPOINT_EVERY, per_node=1, options=["-J", "0-2"], passed=passed, time_up=stopped, **passed,
    ).succeeded([0, 75, 0, 0])
    assert noted.of("qsub")[1]["options"]["J"] == "1-2:2", noted
    noted = site.plain("array", *command, ranks=1, TASK="1", **{**passed, "OUTPUT": "plain/array"})
    assert noted.code == 0, noted.said
    for at, found in (("slurm", values), ("pbs", values), ("plain", values[1:2])):
        results = glob.glob(f"{site.folder}/{at}/array/*/fk.h5")
        assert len(results) == len(found), results
        for value in found:
            name = f"array/fk.diffusivity={value}/fk.h5"
            same(f"{site.folder}/{at}/{name}", f"{site.folder}/slurm/{name}")
    noted = site.plain("array", *command, ranks=1, TASK="3", **passed)
    assert noted.code != 0 and "only 3 values" in noted.said, noted.said
    speeds = []
    for value in values:
        with h5py.File(f"{site.folder}/slurm/array/fk.diffusivity={value}/fk.h5") as file:
            times = file["/fk/activation_time"][()]
            speeds.append(1 / (times[128, 100] - times[128, 50]))
    # The speed of a wave goes with the root of the diffusivity.
    assert 1.25 < speeds[1] / speeds[0] < 1.6 and 1.25 < speeds[2] / speeds[1] < 1.6, speeds


def scaling(site):
    times = ["eikonal", "times.toml"]
    waves = ["fk", "waves.toml", "--set", "fk.duration=2"]

    def points(folder):
        found = {}
        for path in sorted(glob.glob(f"{site.folder}/{folder}/*")):
            report = site.report(path)
            assert os.path.basename(path) == f"{report['ranks']}x{report['threads']}", path
            found[report["ranks"]] = report
        return found

    for at, submit in (("slurm", site.sbatch), ("pbs", site.qsub), ("plain", site.plain)):
        # Powers of two, and all of three.
        size = {"ranks": 2} if at == "plain" else {"nodes": 3, "per_node": 1}
        counts = [1, 2] if at == "plain" else [1, 2, 3]
        if at == "pbs":
            size["passed"] = ["OUTPUT", "SIZE"]
        size["SIZE"] = "64,128"
        noted = submit("strong-scaling", *times, OUTPUT=f"{at}/strong", **size)
        assert noted.code == 0, noted.said
        strong = points(f"{at}/strong")
        assert list(strong) == counts, strong
        assert len({report["mesh"]["tetrahedra"] for report in strong.values()}) == 1, strong
        if at != "plain":
            assert {line["local_size"] for line in noted.of("rank")} == {1}, noted
        if at == "slurm":
            assert [line["options"]["nodes"] for line in noted.of("srun")] == ["1", "2", "3"], noted
        # Again: nothing is left to do.
        noted = submit("strong-scaling", *times, OUTPUT=f"{at}/strong", **size)
        assert noted.code == 0 and not noted.of("rank"), noted

        noted = submit("weak-scaling", *waves, OUTPUT=f"{at}/weak", **size)
        assert noted.code == 0, noted.said
        weak = points(f"{at}/weak")
        shapes = {n: report["grid"]["shape"] for n, report in weak.items()}
        assert shapes == {n: [64 * n, 128] for n in counts}, shapes
    noted = site.plain("weak-scaling", *times, OUTPUT="plain/weak-times", SIZE="5", POINTS="1 2")
    weak = points("plain/weak-times")
    assert noted.code == 0 and list(weak) == [1, 2], noted.said
    assert 1.6 < weak[2]["mesh"]["tetrahedra"] / weak[1]["mesh"]["tetrahedra"] < 2.5, weak

    # Stopped in the second point: the first is kept, the others are measured from the beginning.
    noted = site.sbatch(
        "strong-scaling", "fk", "waves.toml", *CHECKPOINT_EVERY, OUTPUT="slurm/stopped",
        time_up="slurm/stopped/2x1.unfinished/fk_checkpoint-*.h5",
    ).succeeded([75, 0])
    assert [line["options"]["ntasks"] for line in noted.of("srun")] == ["1", "2", "2"], noted
    assert list(points("slurm/stopped")) == [1, 2]
    updates = {report["counters"]["cell_updates"] for report in points("slurm/stopped").values()}
    assert len(updates) == 1, updates


def site_lines(_):
    """Sizes, times and the like stand between the marks only."""
    for job in JOBS:
        with open(f"{ROOT}/jobs/{job}.sh", encoding="utf-8") as file:
            text = file.read()
        before, _, rest = text.partition("# site {\n")
        marked, mark, after = rest.partition("# site }\n")
        assert mark and all(line.startswith(("#SBATCH", "#PBS")) for line in marked.splitlines()), job
        for word in ("--nodes", "--time", "--partition", "--account", "select=", "walltime="):
            assert not [line for line in (before + after).splitlines() if line.startswith(("#SBATCH", "#PBS")) and word in line], (job, word)


def main():
    program = os.path.abspath(os.environ.get("ISOCHRONE", os.path.join(ROOT, "target/release/isochrone")))
    with tempfile.TemporaryDirectory() as folder:
        site = Site(folder, program)
        # What no scheduler has stopped, on one rank.
        for command, case, output in (("fk", "waves", "fk"), ("invert", "inversion", "invert"), ("eikonal", "times", "eikonal")):
            arguments = [program, command, f"{case}.toml", "--output", f"whole/{output}", "-q"]
            subprocess.run(arguments, cwd=folder, check=True)
        checks = (site_lines, slurm_runs, pbs_runs, plain_runs, gpus, arrays, scaling)
        for check in [check for check in checks if check.__name__ in sys.argv[1:]] or checks:
            begun = time.monotonic()
            check(site)
            print(f"jobs: {check.__name__}: ok ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Stand-ins for commands of Slurm and PBS Pro on a machine without them.

Links to this file named sbatch, srun, scontrol, qsub, qstat, mpirun, timeout, rank and agent lie first
on PATH, in $STAND_IN/bin. They read the directives of a job script, run a copy of it in a spool folder
with the variables that the scheduler sets, and start its ranks with the real mpirun: several nodes are
daemons of Open MPI on this machine, which have their own local ranks and talk to each other by TCP.
They know only the options that the job scripts may use, and refuse others. Nothing is queued: a job
runs at once.

$STAND_IN/log: a line of JSON for each command and rank. $STAND_IN/time_up: a pattern of paths; once
a file matches it, the time of the job is up, for the first job only.
"""

import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

STATE = os.environ["STAND_IN"]
BIN = os.path.join(STATE, "bin")

# Options that take a value, and those that take none.
SBATCH = {
    "array", "nodes", "ntasks-per-node", "cpus-per-task", "gpus-per-node", "time", "job-name", "output",
    "signal", "open-mode", "threads-per-core",
}, {"exclusive", "requeue", "ignore-pbs"}
SRUN = {"nodes", "ntasks", "ntasks-per-node", "cpus-per-task", "cpu-bind"}, set()
QSUB = set("vlJNjSqA"), set()


def log(command, **what):
    with open(os.path.join(STATE, "log"), "a", encoding="utf-8") as file:
        file.write(json.dumps({"command": command, **what}) + "\n")


def real(command):
    """The command behind the stand-in."""
    return shutil.which(command, path=os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != BIN))


def long_options(words, known):
    """`--name=value` and `--name` up to the first other word; options and the rest."""
    options = {}
    while words and words[0].startswith("--"):
        name, given, value = words.pop(0)[2:].partition("=")
        if name not in known[bool(not given)]:
            sys.exit(f"stand-in: no option --{name}")
        options[name] = value
    return options, words


def short_options(words, known):
    """`-x value`, several `-l` being one; options and the rest."""
    options = {}
    while words and words[0].startswith("-"):
        name = words.pop(0)[1:]
        if name not in known[0]:
            sys.exit(f"stand-in: no option -{name}")
        value = words.pop(0)
        options[name] = f"{options[name]},{value}" if name == "l" and name in options else value
    return options, words


def directives(script, prefix):
    """Words of the lines that begin with `prefix`, up to the first command."""
    words = []
    with open(script, encoding="utf-8") as file:
        for line in file:
            if line.startswith(prefix + " "):
                words += shlex.split(line[len(prefix):])
            elif line.strip() and not line.startswith("#"):
                break
    return words


def next_number():
    path = os.path.join(STATE, "numbers")
    number = int(open(path).read()) + 1 if os.path.exists(path) else 1
    with open(path, "w") as file:
        file.write(str(number))
    return number


def indices(array):
    """Of `first-last` or `first-last:step`; [None] for a job that is no array."""
    if array is None:
        return [None]
    first, last, step = re.fullmatch(r"(\d+)-(\d+)(?::(\d+))?", array).groups()
    return list(range(int(first), int(last) + 1, int(step or 1)))


def run(command, output, environment, folder, time_is_up):
    """Runs a job; calls `time_is_up` when its time is up. Its exit code."""
    pattern_file = os.path.join(STATE, "time_up")
    with open(output, "a", encoding="utf-8") as file:
        job = subprocess.Popen(command, stdout=file, stderr=file, env=environment, cwd=folder)
    while job.poll() is None:
        if os.path.exists(pattern_file) and glob.glob(open(pattern_file).read()):
            os.remove(pattern_file)
            time_is_up()
        time.sleep(0.01)
    return job.returncode


def signal_all(kind, number):
    """Signals the processes that named themselves in $STAND_IN/kind."""
    for process in os.listdir(os.path.join(STATE, kind)):
        os.kill(int(process), number)


def forget(kind):
    """Before processes of this kind name themselves."""
    shutil.rmtree(os.path.join(STATE, kind), ignore_errors=True)
    os.makedirs(os.path.join(STATE, kind))


def enter(kind):
    open(os.path.join(STATE, kind, str(os.getpid())), "w").close()


def sbatch(words):
    given, words = long_options(words, SBATCH)
    script, arguments = words[0], words[1:]
    options = {**long_options(directives(script, "#SBATCH"), SBATCH)[0], **given}
    # Slurm reads them, too, and then asks for as many processors as they do, whatever else is given.
    if "ignore-pbs" not in options and directives(script, "#PBS"):
        sys.exit("stand-in: CPU count per node can not be satisfied")
    nodes, per_node = int(options["nodes"]), int(options["ntasks-per-node"])
    first = next_number()
    print(f"Submitted batch job {first}")
    codes = []
    for index in indices(options.get("array")):
        number = first if index in (None, 0) else next_number()
        variables = {
            "SLURM_JOB_ID": str(number),
            "SLURM_SUBMIT_DIR": os.getcwd(),
            "SLURM_JOB_NUM_NODES": str(nodes),
            "SLURM_NTASKS": str(nodes * per_node),
            "SLURM_NTASKS_PER_NODE": str(per_node),
            "SLURM_CPUS_PER_TASK": options["cpus-per-task"],
            # Those of the script, which is a task, too.
            "SLURM_PROCID": "0",
            "SLURM_LOCALID": "0",
        }
        name = {"%x": options["job-name"], "%j": str(number), "%A": str(first), "%a": str(index)}
        if index is not None:
            variables.update(SLURM_ARRAY_JOB_ID=str(first), SLURM_ARRAY_TASK_ID=str(index))
        output = re.sub("%[xjAa]", lambda m: name[m[0]], options["output"])
        copy = os.path.join(STATE, "spool", f"job{number:05}", "slurm_script")
        os.makedirs(os.path.dirname(copy))
        shutil.copy(script, copy)
        restarts = 0
        again = os.path.join(STATE, f"requeue-{number}")
        while True:
            if restarts:
                variables["SLURM_RESTART_COUNT"] = str(restarts)
            log("sbatch", options=options, variables=variables)

            def time_is_up():
                which, _ = options["signal"].split("@")  # to the ranks, not to the script
                signal_all("ranks", signal.Signals["SIG" + which])

            code = run([copy, *arguments], output, {**os.environ, **variables}, ".", time_is_up)
            log("ended", code=code)
            if not os.path.exists(again):
                break
            os.remove(again)
            if "requeue" not in options:
                sys.exit("stand-in: requested operation not permitted: the job is not to be requeued")
            restarts += 1
        codes.append(code)
    return max(codes)


def scontrol(words):
    action, number = words
    log("scontrol", arguments=words)
    if action != "requeue" or number != os.environ["SLURM_JOB_ID"]:
        sys.exit("stand-in: invalid job id or action")
    open(os.path.join(STATE, f"requeue-{number}"), "w").close()
    return 0


def srun(words):
    options, words = long_options(words, SRUN)
    log("srun", options=options, arguments=words)
    nodes, ranks, threads = (int(options[name]) for name in ("nodes", "ntasks", "cpus-per-task"))
    given = {name: int(os.environ[f"SLURM_{name}"]) for name in ("JOB_NUM_NODES", "NTASKS_PER_NODE", "CPUS_PER_TASK")}
    per_node = int(options["ntasks-per-node"])
    if nodes > given["JOB_NUM_NODES"] or ranks > nodes * per_node:
        sys.exit("stand-in: more nodes or tasks than the job has")
    if per_node * threads > given["NTASKS_PER_NODE"] * given["CPUS_PER_TASK"]:
        sys.exit("stand-in: more processors than a node of the job has")
    os.environ["SLURM_STEP_TASKS_PER_NODE"] = str(per_node)
    os.environ["OMPI_MCA_rmaps_base_mapping_policy"] = f"ppr:{per_node}:node"
    hosts = [f"node{node}" for node in range(nodes) for _ in range(per_node)]
    return start(ranks, hosts, words)


def start(count, hosts, words):
    """Starts `count` ranks with the real mpirun, on the nodes `hosts` (a name for each rank) if any."""
    command = [real("mpirun"), "-n", str(count)]
    if len(set(hosts)) > 1:
        path = os.path.join(STATE, "hosts")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(hosts) + "\n")
        command += ["-machinefile", path]
        agent = os.path.join(BIN, "agent")
        os.environ.update(OMPI_MCA_plm_rsh_agent=agent, PRTE_MCA_plm_ssh_agent=agent)
        os.environ.update(OMPI_MCA_pml="ob1", OMPI_MCA_btl="tcp,self", OMPI_MCA_btl_tcp_if_include="lo")
    forget("ranks")
    os.execv(command[0], [*command, os.path.join(BIN, "rank"), *words])


def agent(words):
    """What Open MPI takes for ssh: runs a command, on this machine."""
    while words[0].startswith("-"):
        words.pop(0)
    # Daemons would write over each other's files.
    os.environ["TMPDIR"] = os.path.join(STATE, words[0])
    os.makedirs(os.environ["TMPDIR"], exist_ok=True)
    os.execv("/bin/sh", ["/bin/sh", "-c", " ".join(words[1:])])


def mpirun(words):
    count = int(words[words.index("-n") + 1])
    words = words[words.index("-n") + 2:]
    hosts = []
    if words[0] == "-machinefile":
        hosts = open(words[1], encoding="utf-8").read().split()
        words = words[2:]
        if count > len(hosts):
            sys.exit("stand-in: more ranks than slots")
    log("mpirun", ranks=count, nodes=len(set(hosts[:count])), arguments=words)
    return start(count, hosts, words)


def rank(words):
    """Between mpirun and the program: notes what MPI says of this rank."""
    of = {name: int(os.environ[f"OMPI_COMM_WORLD_{name.upper()}"]) for name in ("rank", "size", "local_rank", "local_size")}
    if "SLURM_STEP_TASKS_PER_NODE" in os.environ:
        # As srun would set them.
        per_node = int(os.environ["SLURM_STEP_TASKS_PER_NODE"])
        os.environ.update(SLURM_PROCID=str(of["rank"]), SLURM_LOCALID=str(of["rank"] % per_node))
    enter("ranks")
    log("rank", **of, processors=len(os.sched_getaffinity(0)))
    os.execv(words[0], words)


def qsub(words):
    given, words = short_options(words, QSUB)
    (script,) = words
    # An option given here replaces that of the script: one -l here, all of -l there.
    options = {**short_options(directives(script, "#PBS"), QSUB)[0], **given}
    resources = dict(part.split("=", 1) for part in options.pop("l").split(","))
    # PBS hands on no other variables. A name without a value has that of qsub's environment.
    passed = {}
    for part in re.split(r",(?=[A-Za-z_]+(?:=|,|$))", options.get("v", "")):
        name, is_given, value = part.partition("=")
        if name:
            passed[name] = value if is_given else os.environ[name]
    first = next_number()
    print(f"{first}.pbs")
    log("qsub", options=options, resources=resources, passed=passed)
    job = {"script": script, "options": options, "resources": resources, "passed": passed, "number": first,
           "folder": os.getcwd()}
    if "PBS_JOBID" in os.environ:
        # From inside a job: after it.
        with open(os.path.join(STATE, "queue"), "a", encoding="utf-8") as file:
            file.write(json.dumps(job) + "\n")
        return 0
    jobs = [job]
    code = 0
    while jobs:
        code = max([pbs_job(job, index) for job in jobs for index in indices(job["options"].get("J"))])
        queue = os.path.join(STATE, "queue")
        jobs = [json.loads(line) for line in open(queue, encoding="utf-8")] if os.path.exists(queue) else []
        if jobs:
            os.remove(queue)
    return code


def pbs_job(job, index):
    options, number = job["options"], job["number"]
    chunks, *rest = job["resources"]["select"].split(":")
    chunk = dict(part.split("=") for part in rest)
    name = f"{number}.pbs" if index is None else f"{number}[{index}].pbs"
    folder = os.path.join(STATE, "spool", name)
    os.makedirs(folder)
    copy = os.path.join(folder, "script.SC")
    shutil.copy(job["script"], copy)
    nodes = os.path.join(folder, "nodes")
    with open(nodes, "w", encoding="utf-8") as file:
        for node in range(int(chunks)):
            file.write(f"node{node}\n" * int(chunk["mpiprocs"]))
    with open(os.path.join(folder, "attributes"), "w", encoding="utf-8") as file:
        file.write(f"Job Id: {name}\n    Job_Name = {options['N']}\n    job_state = R\n")
        for key, value in job["resources"].items():
            file.write(f"    Resource_List.{key} = {value}\n")
        file.write("    Variable_List = PBS_O_HOME=/home/someone,\n\tPBS_O_LANG=C,PBS_O_SHELL=/bin/bash\n")
    own = re.compile("OMPI_|PRTE_|STAND_IN|PATH$|HOME$|TMPDIR$|LD_LIBRARY_PATH$")
    environment = {key: value for key, value in os.environ.items() if own.match(key)}
    environment.update(
        PBS_JOBID=name, PBS_ENVIRONMENT="PBS_BATCH", PBS_JOBNAME=options["N"], PBS_NODEFILE=nodes,
        PBS_O_WORKDIR=job["folder"], PBS_O_QUEUE="workq", NCPUS=chunk["ncpus"],
        OMP_NUM_THREADS=chunk["ompthreads"], **job["passed"],
    )
    if index is not None:
        environment["PBS_ARRAY_INDEX"] = str(index)

    def time_is_up():
        signal_all("timeout", signal.SIGALRM)  # as when its seconds are over

    code = run([copy], os.path.join(folder, "output"), environment, os.environ["HOME"], time_is_up)
    log("ended", code=code)
    return code


def qstat(words):
    assert words == ["-f", os.environ["PBS_JOBID"]], words
    print(open(os.path.join(STATE, "spool", words[1], "attributes"), encoding="utf-8").read(), end="")
    return 0


def timeout(words):
    log("timeout", arguments=words)
    forget("timeout")
    enter("timeout")
    os.execv(real("timeout"), [real("timeout"), *words])


if __name__ == "__main__":
    sys.exit(globals()[os.path.basename(sys.argv[0])](sys.argv[1:]))

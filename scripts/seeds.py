"""Runs what scripts/reproduce-seeds.sh promises, and writes docs/seeds.md.

Needs no package beyond Python's own. Each case runs REPEATS times; the least time counts.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUICK = "--quick" in sys.argv[1:]
RESULTS = ROOT / "results" / "seeds"
REPEATS = 1 if QUICK else 3
THREADS = 2

# Seconds for 1,000 steps: README of the Fenton–Karma program (JAX on a T4, on a TPU).
SIZES = {64: (0.193, 0.059), 128: (0.189, 0.074), 256: (0.199, 0.119), 512: (0.237, 0.272), 1024: (0.613, 0.842)}
# Seconds for so many steps of 128 × 128 cells, from the same.
STEPS = {100: (0.026, 0.014), 1_000: (0.243, 0.074), 10_000: (2.37, 0.669), 100_000: (24.0, 6.63), 1_000_000: (226, 66)}

SHEET = """[fk]
parameters = "3"
grid = {{ shape = [{n}, {n}], spacing = 0.3 }}
diffusivity = {diffusivity}
dt = 0.01
steps = {steps}
stencil = "{stencil}"
[[fk.stimulus]]
kind = "voltage"
amplitude = 1.0
region = {{ half = "west", coverage = 0.1 }}
duration = 1
"""

VENTRICLE = """[mesh]
generate = {{ kind = "ellipsoid", edge = {edge} }}
[conduction]
speed = {{ fibre = 0.6, sheet = 0.4, normal = 0.2 }}
[domains]
method = "metis"
count = {count}
gamma = {gamma}
[[source]]
point = [0.0, 0.0, -50.0]
[inversion]
twin = {{ gamma = {twin} }}
initial_gamma = {first}
"""


def isochrone(*arguments, ranks=1):
    """Runs a command; its words are of interest if it fails."""
    command = [os.environ["ISOCHRONE"], *map(str, arguments)]
    if ranks > 1:
        command = ["mpirun", "-n", str(ranks), *command]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def run(command, name, text, *options, threads=THREADS, repeats=REPEATS):
    """The reports of a case, and the folder of the last."""
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    case = folder / "case.toml"
    case.write_text(text, encoding="utf-8")
    reports = []
    for _ in range(repeats):
        isochrone(command, case, "-q", "--overwrite", "--threads", threads, "--output", folder / "out", *options)
        reports.append(json.loads((folder / "out" / "report.json").read_text(encoding="utf-8")))
    return reports, folder / "out"


def least(reports, *timers):
    """The least seconds of timers together."""
    return min(sum(r["timings_s"].get(t, 0.0) for t in timers) for r in reports)


def seconds(t):
    return f"{t:.3g}" if t >= 1e-3 else f"{t:.1e}"


def table(*rows):
    """Lines of a table whose first row are the headings."""
    first, *rest = [[str(c) for c in row] for row in rows]
    rule = ["---"] + ["---:"] * (len(first) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [first, rule, *rest]) + "\n"


def picture(folder, name, *pictures):
    """The pictures of a result, as docs/pictures/seeds-NAME-PICTURE.png."""
    isochrone("plot", folder, "--overwrite", "--width", 900, "--pictures", ",".join(pictures), "--output", folder)
    kept = []
    for wanted in pictures:
        found = next(folder.glob(f"*-{wanted}.png"))
        target = (RESULTS if QUICK else ROOT / "docs" / "pictures") / f"seeds-{name}-{wanted}.png"
        shutil.copyfile(found, target)
        kept.append(f"pictures/{target.name}")
    return kept


def sheet(n, steps, stencil="flux", diffusivity="0.1", options=()):
    name = f"sheet-{n}-{steps}-{stencil}-{diffusivity[:9].strip('{ ')}-{len(options)}".replace(" ", "")
    text = SHEET.format(n=n, steps=steps, stencil=stencil, diffusivity=diffusivity)
    reports, _ = run("fk", name, text, *options)
    return least(reports, "step")


def fenton_karma():
    sizes = [n for n in SIZES if not QUICK or n <= 128]
    ours = {n: sheet(n, 1000) for n in sizes}
    rows = [[f"{n} × {n}", seconds(t), *SIZES[n], f"{SIZES[n][0] / t:.0f}"] for n, t in ours.items()]
    yield "## Fenton–Karma: size of the field\n\nSeconds for 1,000 steps, f32.\n"
    yield table(["cells", "isochrone, s", "seed on a T4, s", "seed on a TPU, s", "T4 / isochrone"], *rows)

    counts = [k for k in STEPS if not QUICK or k <= 1000]
    rows = []
    for k in counts:
        t = sheet(128, k)
        rows.append([f"{k:,}", seconds(t), *STEPS[k], f"{STEPS[k][0] / t:.0f}"])
    yield "## Fenton–Karma: number of steps\n\nSeconds, 128 × 128 cells, f32.\n"
    yield table(["steps", "isochrone, s", "seed on a T4, s", "seed on a TPU, s", "T4 / isochrone"], *rows)

    rows = []
    for n in sizes:
        alone = sheet(n, 1000, options=("--set", "fk.steps_per_exchange=1"))
        rows.append([f"{n} × {n}", seconds(alone), seconds(ours[n]), f"{alone / ours[n]:.2f}"])
    yield """## Fenton–Karma: one step at a time

The seed compares a loop in Python, which starts each step by itself, with one that is compiled as a
whole. Nothing is interpreted here; what remains of a start is that threads meet after every step, and that
the arrays pass through the caches once for each. Seconds for 1,000 steps.
"""
    yield table(["cells", "one step at a time", "several (default)", "ratio"], *rows)

    n, steps = (64, 100) if QUICK else (512, 1000)
    kinds = [
        ("Laplacian, one D", "flux", "0.1"),
        ("∇·(D∇u), oblique tensor", "flux", "{ fibre = 0.1, sheet = 0.03, direction = [1.0, 1.0] }"),
        ("the seed's scheme of gradients", "cardiax", "0.1"),
    ]
    rows = [[name, f"{sheet(n, steps, stencil, d) * 1e9 / (n * n * steps):.2f}"] for name, stencil, d in kinds]
    yield f"""## Fenton–Karma: what the gradients cost

The seed measures its gradients alone. Here they never are: a step passes over the cells once, with the
reaction. Nanoseconds per cell and step, {n} × {n} cells, f32, {THREADS} threads.
"""
    yield table(["stencil", "ns"], *rows)


def first_guess(count):
    return [[2.0, 3.0, 1.0, 4.0, 2.0, 3.0][k % 6] for k in range(count)]


def ventricle(edge, count, gamma, twin=None, first=None):
    return VENTRICLE.format(edge=edge, count=count, gamma=gamma, twin=twin or [1.0] * count,
                            first=first or first_guess(count))


def inversion():
    edge, count = (5.0, 6) if QUICK else (1.455, 6)
    text = ventricle(edge, count, 1.0)
    rows, best = [["optimiser", "gradient", "iterations", "forward solutions", "inversion, s", "largest error of γ"]], None
    for optimizer in ("steepest-descent", "bfgs"):
        for gradient in ("finite-differences", "tangent", "adjoint"):
            text_of = text + (f'optimizer = "{optimizer}"\ngradient = "{gradient}"\n'
                              'initial_hessian = "diagonal"\nstop = { misfit = 0.5, iterations = 200 }\n')
            reports, folder = run("invert", f"table1-{optimizer}-{gradient}", text_of, repeats=1)
            result, counters = reports[0]["result"], reports[0]["counters"]
            rows.append([optimizer, gradient, result["iterations"], counters.get("evaluations", "–"),
                         seconds(least(reports, "inversion")), f"{result['largest_gamma_error']:.1e}"])
            if (optimizer, gradient) == ("bfgs", "adjoint"):
                best, tetrahedra = folder, reports[0]["mesh"]["tetrahedra"]
    yield f"""## Paper, table 1: steepest descent and BFGS

γ = 1 in {count} domains of a left ventricle of {tetrahedra:,} tetrahedra, from {first_guess(count)}, until
f ≤ 0.5 ms² (at most 200 iterations). BFGS starts from a diagonal matrix, as textbooks have it; the default,
a Gauss–Newton matrix, needs fewer iterations still.
"""
    yield table(*rows)
    count = 21
    low = [0.2 if k % 4 == 2 else 1.0 for k in range(count)]
    text = ventricle(edge, count, 1.0, low, 1.0) + "stop = { misfit = 0.5, iterations = 100 }\n"
    reports, _ = run("invert", "bfgs-21", text, repeats=1)
    result = reports[0]["result"]
    yield f"""With {count} domains, {low.count(0.2)} of them with γ = 0.2, BFGS with the default matrix stops after
{result['iterations']} iterations ({seconds(least(reports, 'inversion'))} s) with a largest error of γ of \
{result['largest_gamma_error']:.1e}; the paper takes 19, on its mesh.
"""
    yield "## Paper, figure 3: γ at four iterations\n"
    yield f"![γ of the domains at four iterations]({picture(best, 'bfgs', 'gamma-iterations')[0]})\n"
    yield "## Paper, figure 4b: convergence\n"
    yield f"![Misfit and gradient over iterations]({picture(best, 'bfgs', 'convergence')[0]})\n"

    gamma = [1.13, 0.87, 1.07, 1.19, 0.93, 1.03]
    _, folder = run("gradient", "vcurve", ventricle(5.0 if QUICK else 3.44, 6, gamma, [1, 1, 0.5, 1, 1, 1]),
                    "--check", repeats=1)
    yield """## Paper, figure 4a: V curves

Relative error of one-sided and central differences over their step, against the exact gradient.
"""
    yield f"![Errors of finite differences over their step]({picture(folder, 'gradient', 'v-curve')[0]})\n"


def factors():
    edge = 5.0 if QUICK else 1.455
    rows = [["gradient", "domains", "F", "paper"]]
    for gradient, count, paper in [("all-active", 7, 23.8), ("adjoint", 7, 2.7), ("adjoint", 21, 2.7), ("tangent", 7, "–"),
                                   ("tangent", 11, "–"), ("tangent", 21, "–")]:
        # Away from round numbers, and so from ties between wave paths.
        gamma = [round(1 + 0.2 * ((k * 7919) % 97 / 97 - 0.5), 3) for k in range(count)]
        text = ventricle(edge, count, gamma) + f'gradient = "{gradient}"\n'
        timer = "adjoint" if gradient == "adjoint" else "tangent"
        reports, _ = run("gradient", f"factor-{gradient}-{count}", text, threads=1,
                         repeats=1 if gradient == "all-active" else REPEATS)
        factor = min(1 + least([r], timer) / least([r], "solve") for r in reports)
        rows.append([gradient, count, f"{factor:.2f}", paper])
    yield """## Paper, figure 5 and table 2: run-time factors

F = (forward solution + derivatives)/(forward solution), one thread. All-active: dual numbers through the
whole iteration; the others, on the fixed point alone ("most-passive"). Tangents: all directions in one pass.
The paper's figures are of its own mesh and machine.
"""
    yield table(*rows)

    rows = [["threads", "forward, s", "tangent, s", "adjoint, s", "speed-up: forward", "tangent", "adjoint"]]
    count, base = 21, None
    gamma = [round(1 + 0.2 * ((k * 7919) % 97 / 97 - 0.5), 3) for k in range(count)]
    for threads in (1, 2):
        times = []
        for gradient, timer in (("tangent", "solve"), ("tangent", "tangent"), ("adjoint", "adjoint")):
            text = ventricle(edge, count, gamma) + f'gradient = "{gradient}"\n'
            reports, _ = run("gradient", f"threads-{gradient}-{threads}", text, threads=threads)
            times.append(least(reports, timer))
        base = base or times
        rows.append([threads, *map(seconds, times), *(f"{b / t:.2f}" for b, t in zip(base, times))])
    yield """## Paper, figures 6 and 7: threads

21 domains, the left ventricle above. In the paper tangent and adjoint scale worse than the forward solver.
"""
    yield table(*rows)


def domains():
    edge = 5.0 if QUICK else 1.62
    text = VENTRICLE.replace("ellipsoid", "biventricle")
    rows = [["domains", "smallest to largest, tetrahedra", "parts of 4 ranks: largest over mean", "iterations", "largest error of γ"]]
    for name, method, shown in (("by tag: left with septum, right", '"tags"', None), ("METIS, 2", '"metis"', 2)):
        case = text.format(edge=edge, count=2, gamma=1.0, twin=[0.5, 1.5], first=1.0).replace('"metis"', method)
        case = case if shown else case.replace("count = 2\n", "")
        reports, folder = run("invert", f"domains-{method.strip(chr(34))}", case, repeats=1)
        printed = isochrone("eikonal", folder.parent / "case.toml", "--simulate-ranks", "4", "-q", "--overwrite",
                            "--output", folder.parent / "ranks")
        four = next(line.split() for line in printed.splitlines() if line.split()[:1] == ["4"])
        if shown:
            sizes = [reports[0]["mesh"]["tetrahedra"] // 2] * 2
        else:
            mesh = folder.parent / "mesh.h5"
            isochrone("mesh", "generate", "biventricle", mesh, "--edge", edge, "--overwrite")
            info = isochrone("mesh", "info", mesh)
            sizes = sorted(int(l.split()[1]) for l in info.splitlines() if "tetrahedra" in l and "mm³" in l)
        result = reports[0]["result"]
        rows.append([name, f"{sizes[0]:,} to {sizes[-1]:,}", four[1], result["iterations"], f"{result['largest_gamma_error']:.1e}"])
    yield """## Domains by physiology

The paper compares domains by physiology, of unequal size, with equal ones of METIS; as a remedy it names
large domains split to equal size, with γ shared. Here parts and domains are independent: METIS cuts the
mesh into equal parts whatever the domains are, and γ of a domain is shared by all parts that hold some of
it. A biventricle, γ = (0.5, 1.5) to be found:
"""
    yield table(*rows)
    yield """Its other outlook, domains from the sensitivity to the tensor df/dM, is `inversion.refinement`:
[config/invert-refine.toml](../config/invert-refine.toml), [invert](commands/invert.md).
"""


HEAD = """# The seeds' results, made again

isochrone began with two programs: a Fenton–Karma simulation on GPUs, and a paper on the inversion of the
eikonal equation by algorithmic differentiation. `scripts/reproduce-seeds.sh` makes their tables and figures
again and writes this page.

Times of isochrone: {threads} threads of this machine ({cpu}) unless a table says otherwise, the least of
{repeats} runs; those of the seeds are as published, on their hardware.

"""


def cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = HEAD.format(threads=THREADS, cpu=cpu(), repeats=REPEATS)
    for part in (fenton_karma, inversion, factors, domains):
        for piece in part():
            print(piece, flush=True)
            text += piece + "\n"
    page = RESULTS / "seeds.md" if QUICK else ROOT / "docs" / "seeds.md"
    page.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"{page} written")


main()

"""The tables and figures of the paper: optimisers, convergence, run-time factors, threads, domains."""
import os

from seeds_runs import QUICK, REPEATS, RESULTS, ROOT, diagram, history, isochrone, least, picture, run, seconds, table

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

EDGE = 5.0 if QUICK else 1.455
GRADIENTS = ("finite-differences", "tangent", "adjoint")


def first_guess(count):
    return [[2.0, 3.0, 1.0, 4.0, 2.0, 3.0][k % 6] for k in range(count)]


def ventricle(edge, count, gamma, twin=None, first=None):
    return VENTRICLE.format(edge=edge, count=count, gamma=gamma, twin=twin or [1.0] * count,
                            first=first or first_guess(count))


def uneven(count):
    """γ away from round numbers, and so from ties between wave paths."""
    return [round(1 + 0.2 * ((k * 7919) % 97 / 97 - 0.5), 3) for k in range(count)]


def words(name):
    return name.replace("-", " ")


def section():
    yield from optimisers()
    yield from convergence()
    yield from v_curves()
    yield from factors()
    yield from threads()
    yield from domains()
    yield from refinement()


def optimisers():
    count = 6
    text = ventricle(EDGE, count, 1.0)
    rows, best, taken = [], None, {}
    for optimizer in ("steepest-descent", "bfgs"):
        for gradient in GRADIENTS:
            text_of = text + (f'optimizer = "{optimizer}"\ngradient = "{gradient}"\n'
                              'initial_hessian = "diagonal"\nstop = { misfit = 0.5, iterations = 200 }\n')
            reports, folder = run("invert", f"table1-{optimizer}-{gradient}", text_of, repeats=1)
            result, counters = reports[0]["result"], reports[0]["counters"]
            taken[optimizer, gradient] = seconds(least(reports, "inversion"))
            rows.append([optimizer, gradient, result["iterations"], counters.get("evaluations", "–"),
                         taken[optimizer, gradient], f"{result['largest_gamma_error']:.1e}"])
            if (optimizer, gradient) == ("bfgs", "adjoint"):
                best, tetrahedra = folder, reports[0]["mesh"]["tetrahedra"]
    yield f"""## Paper, table 1: steepest descent and BFGS

γ = 1 in {count} domains of a left ventricle of {tetrahedra:,} tetrahedra, from {first_guess(count)}, until
f ≤ 0.5 ms² (at most 200 iterations). BFGS starts from a diagonal matrix, as textbooks have it; the default,
a Gauss–Newton matrix, needs fewer iterations still.
"""
    yield table(["optimiser", "gradient", "iterations", "forward solutions", "inversion, s", "largest error of γ"], *rows)
    yield diagram(
        "table-1", "Seconds of the inversion by optimiser and gradient", ["gradient", "steepest descent", "BFGS"],
        *([words(g), taken["steepest-descent", g], taken["bfgs", g]] for g in GRADIENTS),
        title=f"Inversion of {count} domains to f ≤ 0.5 ms²", y="seconds", logarithmic="y",
    )
    count = 21
    low = [0.2 if k % 4 == 2 else 1.0 for k in range(count)]
    text = ventricle(EDGE, count, 1.0, low, 1.0) + "stop = { misfit = 0.5, iterations = 100 }\n"
    reports, _ = run("invert", "bfgs-21", text, repeats=1)
    result = reports[0]["result"]
    yield f"""With {count} domains, {low.count(0.2)} of them with γ = 0.2, BFGS with the default matrix stops after
{result['iterations']} iterations ({seconds(least(reports, 'inversion'))} s) with a largest error of γ of \
{result['largest_gamma_error']:.1e}; the paper takes 19, on its mesh.
"""
    yield "## Paper, figure 3: γ at four iterations\n\nBFGS with the adjoint, as in table 1.\n"
    yield f"![γ of the domains at four iterations]({picture(best / 'inversion.h5', 'bfgs', 'gamma-iterations')})\n"


def convergence():
    """BFGS with each gradient as far as it goes: misfits over iterations and over forward solutions."""
    text = ventricle(EDGE, 6, 1.0) + 'optimizer = "bfgs"\ninitial_hessian = "diagonal"\nstop = { iterations = 40 }\n'
    records = {}
    for gradient in GRADIENTS:
        # Not timed, and the same bits for any number of threads.
        _, folder = run("invert", f"figure4b-{gradient}", text + f'gradient = "{gradient}"\n', threads=1, repeats=1)
        records[gradient] = history(folder)
    yield """## Paper, figure 4b: convergence

BFGS of table 1 with the three gradients, as far as each goes. Tangent and adjoint give the same gradient to
rounding. Finite differences follow them until their own error is what is left; what they cost shows over
the number of forward solutions.
"""
    longest = max(map(len, records.values()))
    misfit = lambda g, i: f"{records[g][i]['misfit']:.6g}" if i < len(records[g]) else ""
    yield diagram(
        "convergence", "Misfit over iterations, with three gradients", ["iteration", *map(words, GRADIENTS)],
        *([i, *(misfit(g, i) for g in GRADIENTS)] for i in range(longest)),
        title="BFGS with three gradients", y="misfit f (ms²)", logarithmic="y",
    )
    points = [(r["evaluations"], g, f"{r['misfit']:.6g}") for g in GRADIENTS for r in records[g]]
    yield diagram(
        "convergence-cost", "Misfit over forward solutions, with three gradients",
        ["forward solutions", *map(words, GRADIENTS)],
        *([n, *(f if g == of else "" for of in GRADIENTS)] for n, g, f in points),
        title="BFGS with three gradients: what they cost", y="misfit f (ms²)", logarithmic="x y",
    )


def v_curves():
    gamma = [1.13, 0.87, 1.07, 1.19, 0.93, 1.03]
    _, folder = run("gradient", "vcurve", ventricle(5.0 if QUICK else 3.44, 6, gamma, [1, 1, 0.5, 1, 1, 1]),
                    "--check", repeats=1)
    yield """## Paper, figure 4a: V curves

Relative error of one-sided and central differences over their step, against the exact gradient.
"""
    yield f"![Errors of finite differences over their step]({picture(folder / 'gradient.h5', 'gradient', 'v-curve')})\n"


def factors():
    rows, drawn = [["gradient", "domains", "F", "paper"]], [["gradient, domains", "isochrone", "paper"]]
    for gradient, count, paper in [("all-active", 7, "–"), ("adjoint", 7, 2.7), ("adjoint", 21, 2.7),
                                   ("tangent", 7, "–"), ("tangent", 11, "–"), ("tangent", 21, "–")]:
        text = ventricle(EDGE, count, uneven(count)) + f'gradient = "{gradient}"\n'
        timer = "adjoint" if gradient == "adjoint" else "tangent"
        reports, _ = run("gradient", f"factor-{gradient}-{count}", text, threads=1,
                         repeats=1 if gradient == "all-active" else REPEATS)
        factor = min(1 + least([r], timer) / least([r], "solve") for r in reports)
        name = f"{gradient} (dual numbers)" if gradient == "all-active" else gradient
        rows.append([name, count, f"{factor:.2f}", paper])
        drawn.append([f"{gradient}, {count}", f"{factor:.2f}", paper if paper != "–" else ""])
    rows.append(["all-active adjoint (a tape)", "7", "–", 23.8])
    drawn.insert(1, ["all-active adjoint", "", 23.8])
    yield """## Paper, figure 5 and table 2: run-time factors

F = (forward solution + derivatives)/(forward solution), one thread. All-active: dual numbers through the
whole iteration, one for each domain; the others, on the fixed point alone ("most-passive"). Tangents: all
directions in one pass. The paper's figures are of its own mesh and machine; its all-active adjoint records
the whole iteration, which isochrone cannot.
"""
    yield table(*rows)
    yield diagram("factors", "Run-time factors by gradient and number of domains", *drawn,
                  title="What a gradient costs, in forward solutions", y="run-time factor F", logarithmic="y")


def threads():
    count, base, rows = 21, None, []
    counts = [t for t in (1, 2, 4, 8, 16, 32, 64) if t <= max(2, len(os.sched_getaffinity(0)))]
    for n in counts:
        times = []
        for gradient, timer in (("tangent", "solve"), ("tangent", "tangent"), ("adjoint", "adjoint")):
            text = ventricle(EDGE, count, uneven(count)) + f'gradient = "{gradient}"\n'
            reports, _ = run("gradient", f"threads-{gradient}-{n}", text, threads=n)
            times.append(least(reports, timer))
        base = base or times
        rows.append([n, *map(seconds, times), *(f"{b / t:.2f}" for b, t in zip(base, times))])
    yield """## Paper, figures 6 and 7: threads

21 domains, the left ventricle above. In the paper tangent and adjoint scale worse than the forward solver.
"""
    yield table(["threads", "forward, s", "tangent, s", "adjoint, s", "speed-up: forward", "tangent", "adjoint"], *rows)
    yield diagram(
        "threads", "Speed-up over threads of forward solution, tangent and adjoint",
        ["threads", "forward", "tangent", "adjoint", "ideal"], *([row[0], *row[4:], row[0]] for row in rows),
        title="Threads: forward solution, tangent, adjoint", y="speed-up", logarithmic="x y",
    )


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


def refinement():
    """Domains from df/dM: those of config/invert-refine.toml."""
    case = (ROOT / "config" / "invert-refine.toml").read_text(encoding="utf-8")
    if QUICK:
        case = case.replace("edge = 2.5", "edge = 5.0").replace("domains = 40", "domains = 8")
    reports, folder = run("invert", "refinement", case, repeats=1)
    levels = reports[0]["result"]["refinement"]
    picture_of = picture(folder / "inversion.h5", "refinement", "gamma")
    yield f"""## Domains from the sensitivity df/dM

The paper's other outlook. The inversion begins with {levels[0]['domains']} domains and splits those whose
sensitivity to the tensor, df/dM, varies most ([config/invert-refine.toml](../config/invert-refine.toml),
[invert](commands/invert.md)). A ball of γ = 0.2 in a wall of γ = 1, which no domain knows; times with noise of 1 ms.
"""
    rows = [[level["domains"], f"{level['misfit']:,.0f}"] for level in levels]
    yield table(["domains", "misfit f, ms²"], *rows)
    yield diagram(
        "refinement", "Misfit over the number of domains", ["domains", "misfit f (ms²)"],
        *([level["domains"], f"{level['misfit']:.6g}"] for level in levels),
        title="Domains split where df/dM varies", y="", logarithmic="y",
    )
    yield f"![γ of the domains found]({picture_of})\n"

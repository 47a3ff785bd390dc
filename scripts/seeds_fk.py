"""The tables of the Fenton–Karma program: size of the field, number of steps, cost of a launch, gradients."""
from seeds_runs import QUICK, THREADS, diagram, least, run, seconds, table

# Its README (JAX, 2020): numpy and JAX on 2 cores, JAX on a Tesla T4 and on a TPU, of Google Colab.
HARDWARE = ["numpy", "JAX, 2 cores", "JAX, T4", "JAX, TPU"]
# Seconds for 1,000 steps.
SIZES = {
    64: (0.695, 0.336, 0.193, 0.059),
    128: (1.85, 0.904, 0.189, 0.074),
    256: (9.56, 2.94, 0.199, 0.119),
    512: (39.5, 11.1, 0.237, 0.272),
    1024: (148.0, 45.0, 0.613, 0.842),
}
# Seconds for so many steps of 128 × 128 cells.
STEPS = {
    100: (0.180, 0.093, 0.026, 0.014),
    1_000: (1.84, 0.916, 0.243, 0.074),
    10_000: (18.5, 8.9, 2.37, 0.669),
    100_000: (186.0, 88.0, 24.0, 6.63),
    1_000_000: (1872.0, 894.0, 226.0, 66.0),
}
# Seconds for 1,000 steps of 128 × 128 cells: a loop in Python, and one compiled as a whole.
LOOPS = {"JAX, 2 cores": (1.87, 0.895), "JAX, T4": (2.29, 0.186), "JAX, TPU": (6.46, 0.074)}

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

STENCILS = {
    "Laplacian, one D": ("flux", "0.1"),
    "∇·(D∇u), oblique tensor": ("flux", "{ fibre = 0.1, sheet = 0.03, direction = [1.0, 1.0] }"),
    "the seed's scheme of gradients": ("cardiax", "0.1"),
}


def sheet(n, steps, stencil="flux", diffusivity="0.1", options=()):
    """Seconds for so many steps of n × n cells."""
    name = f"sheet-{n}-{steps}-{stencil}-{diffusivity[:9].strip('{ ')}-{len(options)}".replace(" ", "")
    text = SHEET.format(n=n, steps=steps, stencil=stencil, diffusivity=diffusivity)
    reports, _ = run("fk", name, text, *options)
    return least(reports, "step")


def section():
    sizes = [n for n in SIZES if not QUICK or n <= 128]
    ours = {n: sheet(n, 1000) for n in sizes}
    yield from field_size(ours)
    yield from steps()
    yield from launches(ours)
    yield from gradients(ours)


def field_size(ours):
    yield """## Fenton–Karma: size of the field

Seconds for 1,000 steps, f32. The seed: numpy and JAX on the two cores of a virtual machine (Xeon, 2.2 GHz),
JAX on a Tesla T4 and on a TPU.
"""
    rows = [[f"{n} × {n}", seconds(t), *SIZES[n], f"{SIZES[n][2] / t:.0f}"] for n, t in ours.items()]
    yield table(["cells", "isochrone", *HARDWARE, "T4 / isochrone"], *rows)
    yield diagram(
        "field-size", "Seconds for 1,000 steps over the size of the field",
        ["cells along a side", f"isochrone, {THREADS} threads", *HARDWARE],
        *([n, seconds(t), *SIZES[n]] for n, t in ours.items()),
        title="Fenton–Karma: size of the field", y="seconds for 1,000 steps", logarithmic="x y",
    )


def steps():
    yield "## Fenton–Karma: number of steps\n\nSeconds, 128 × 128 cells, f32.\n"
    ours = {k: sheet(128, k) for k in STEPS if not QUICK or k <= 1000}
    rows = [[f"{k:,}", seconds(t), *STEPS[k], f"{STEPS[k][2] / t:.0f}"] for k, t in ours.items()]
    yield table(["steps", "isochrone", *HARDWARE, "T4 / isochrone"], *rows)
    yield diagram(
        "steps", "Seconds over the number of steps",
        ["steps", f"isochrone, {THREADS} threads", *HARDWARE], *([k, seconds(t), *STEPS[k]] for k, t in ours.items()),
        title="Fenton–Karma: number of steps", y="seconds, 128 × 128 cells", logarithmic="x y",
    )


def start(alone, together):
    """Microseconds of a start, from seconds for 1,000 steps."""
    t = max(alone - together, 0.0) * 1e3
    return f"{t:,.0f}" if t >= 10 else f"{t:.1f}"


def launches(ours):
    alone = {n: sheet(n, 1000, options=("--set", "fk.steps_per_exchange=1")) for n in ours}
    loops = {"isochrone": (alone[128], ours[128]), **LOOPS}
    yield """## Fenton–Karma: what starting a step costs

The seed compares a loop in Python, which starts each step by itself, with one that is compiled as a whole.
Nothing is interpreted here; what remains of a start is that threads meet after every step, and that the
arrays pass through the caches once for each. Seconds for 1,000 steps of 128 × 128 cells; the difference is
what 1,000 starts cost.
"""
    rows = [[name, seconds(a), seconds(b), f"{a / b:.2f}", start(a, b)] for name, (a, b) in loops.items()]
    yield table(["", "each step by itself", "as a whole", "ratio", "a start, µs"], *rows)
    yield diagram(
        "launch", "Seconds for 1,000 steps, each started by itself and as a whole",
        ["", "each step by itself", "as a whole"], *([name, seconds(a), seconds(b)] for name, (a, b) in loops.items()),
        title="Fenton–Karma: what starting a step costs", y="seconds for 1,000 steps", logarithmic="y",
    )
    yield "isochrone, other sizes:\n"
    rows = [[f"{n} × {n}", seconds(alone[n]), seconds(t), f"{alone[n] / t:.2f}"] for n, t in ours.items()]
    yield table(["cells", "each step by itself", "several at once (default)", "ratio"], *rows)


def gradients(ours):
    yield f"""## Fenton–Karma: what the gradients cost

The seed measures `np.gradient` alone, in a picture without numbers. Here gradients never are alone: a step
passes over the cells once, with the reaction. Nanoseconds per cell and step, f32, {THREADS} threads.
"""
    count = 100 if QUICK else 1000
    measured = {}
    for n in ours:
        for name, (stencil, diffusivity) in STENCILS.items():
            known = ours[n] if (stencil, diffusivity) == ("flux", "0.1") and count == 1000 else None
            t = known or sheet(n, count, stencil, diffusivity)
            measured[n, name] = f"{t * 1e9 / (n * n * count):.2f}"
    rows = [[f"{n} × {n}", *(measured[n, name] for name in STENCILS)] for n in ours]
    yield table(["cells", *STENCILS], *rows)
    yield diagram(
        "gradients", "Nanoseconds per cell and step of three stencils over the size of the field",
        ["cells along a side", *STENCILS], *([n, *(measured[n, name] for name in STENCILS)] for n in ours),
        title="Fenton–Karma: what the gradients cost", y="ns per cell and step", logarithmic="x y",
    )

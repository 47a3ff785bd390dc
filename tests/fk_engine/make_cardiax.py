#!/usr/bin/env python3
"""Writes cardiax_small.h5: the seed program's Fenton-Karma scheme in plain numpy, 24 x 20 cells with a D that varies.

python3 make_cardiax.py      Needs the packages numpy and h5py.
Parameter set 3; two stimuli that replace the ionic current, with the seed program's timing in steps; explicit Euler
and Heun (the mean of the state and two Euler steps, the stimuli of the step in both). tests/fk_engine reproduces it.
"""
import os
import h5py, numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
ny, nx, dt, dx = 24, 20, 0.02, 0.1
y, x = np.mgrid[:ny, :nx]
D = 0.1 * (1 + 0.3 * np.sin(2 * np.pi * x / nx + 0.5) * np.cos(2 * np.pi * y / ny))
tvp, tv1, tv2, twp, twm, td, t0, tr, tsi, k, ucsi, uc, uv = 3.33, 19.6, 1250, 870, 41, 0.25, 12.5, 33.33, 29, 10, 0.85, 0.13, 0.04
bump = np.exp(-((x - 7.0) ** 2 + (y - 14.0) ** 2) / 8.0)
fields = np.array([np.where(y < 5, 6.0, 0.0), np.where(bump > 0.1, 4.0, 0.0)])
timing = [(3, 4, 60), (2, 3, 45)]  # start, duration, period in steps
steps = [5, 40]


def grad(a, axis):
    """4th-order central difference, 3rd-order one-sided on the two outermost layers; not divided by dx."""
    a = np.moveaxis(a, axis, 0)
    g = np.empty_like(a)
    g[:2] = -11 / 6 * a[:2] + 3 * a[1:3] - 1.5 * a[2:4] + a[3:5] / 3
    g[2:-2] = (a[:-4] - 8 * a[1:-3] + 8 * a[3:-1] - a[4:]) / 12
    g[-2:] = -a[-5:-3] / 3 + 1.5 * a[-4:-2] - 3 * a[-3:-1] + 11 / 6 * a[-2:]
    return np.moveaxis(g, 0, axis)


def euler(state, step):
    u, v, w, d = (np.pad(a, 1, mode="edge") for a in (*state, D))
    p, q = (u >= uc).astype(float), (u >= uv).astype(float)
    rate = v * p * (u - uc) * (1 - u) / td - u * (1 - p) / t0 - p / tr + w * (1 + np.tanh(k * (u - ucsi))) / (2 * tsi)
    for field, (start, duration, period) in zip(fields, timing):
        if step >= start and (start - step + 1) % period < duration:
            field = np.pad(field, 1, mode="edge")
            rate = np.where(field != 0, field, rate)
    uy, ux = grad(u, 0) / dx, grad(u, 1) / dx
    rate += d * (grad(uy, 0) + grad(ux, 1)) / dx + grad(d, 0) / dx * uy + grad(d, 1) / dx * ux
    dv = (1 - p) * (1 - v) / ((1 - q) * tv1 + q * tv2) - p * v / tvp
    dw = (1 - p) * (1 - w) / twm - p * w / twp
    return [old + dt * r[1:-1, 1:-1] for old, r in zip(state, (rate, dv, dw))]


wave = 0.5 + 0.5 * np.cos(2 * np.pi * (x / nx + 2 * y / ny))
initial = np.array([0.02 * wave, 1 - 0.1 * wave, 1 - 0.05 * wave])
with h5py.File("cardiax_small.h5", "w") as f:
    f.attrs["dt"], f.attrs["dx"] = dt, dx
    f["D"], f["initial"], f["stimulus"] = D, initial, fields
    f["timing"], f["steps"] = np.array(timing, float), np.array(steps)
    for name in ("euler", "heun"):
        state, kept = list(initial), []
        for step in range(steps[-1]):
            new = euler(state, step)
            if name == "heun":
                new = [(a + b) / 2 for a, b in zip(state, euler(new, step))]
            state = new
            if step + 1 in steps:
                kept.append(state)
        f[name] = np.array(kept)
        print(name, [(s[0].min(), s[0].max()) for s in kept])

#!/usr/bin/env python3
"""Compares the two models of the bridge: what `fk` simulated and what `invert` made of it.

    python3 scripts/bridge.py FK_DIR INVERT_DIR EIKONAL_DIR

FK_DIR holds activation.h5, INVERT_DIR inversion.h5, and EIKONAL_DIR the eikonal solution at the true
gamma. Prints a table of gamma per domain and the differences of the times. Needs numpy and h5py.
"""
import pathlib
import sys
import tomllib

import h5py
import numpy as np


def times(path):
    with h5py.File(path) as file:
        return file["/fields/activation_time"][()]


def line(name, difference):
    rms = np.sqrt(np.mean(difference**2))
    print(f"  {name:34} {difference.mean():8.2f} {rms:8.2f} {np.abs(difference).max():8.2f}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    fk, invert, eikonal = map(pathlib.Path, sys.argv[1:])
    measured = times(fk / "activation.h5")
    with h5py.File(fk / "activation.h5") as file:
        domains = file["/mesh/domains"][()]
        tetrahedra = file["/mesh/tetrahedra"][()].astype(np.int64)
        truth = tomllib.loads(file.attrs["configuration"])["domains"]["gamma"]
    with h5py.File(invert / "inversion.h5") as file:
        if not np.array_equal(file["/mesh/domains"][()], domains):
            sys.exit("the two runs have different meshes or domains")
        found = file["/inversion/gamma"][-1]

    truth = np.broadcast_to(truth, found.shape)
    print(f"{'domain':>6} {'tetrahedra':>11} {'gamma true':>11} {'found':>7} {'error':>8}")
    for k, (true, gamma) in enumerate(zip(truth, found)):
        mark = "  lowest" if k == found.argmin() else ""
        size = np.count_nonzero(domains == k)
        print(f"{k:6} {size:11} {true:11.3f} {gamma:7.3f} {gamma / true - 1:+8.1%}{mark}")
    healthy = truth > truth.min()
    if healthy.any():
        contrast = np.exp(np.mean(np.log(found[healthy])))
        print(f"lowest over the others (geometric mean): true {truth.min() / truth[healthy].mean():.3f},"
              f" found {found.min() / contrast:.3f}")

    reached = np.isfinite(measured)
    print(f"times at {reached.sum()} of {reached.size} vertices, ms"
          f"\n  {'':34} {'mean':>8} {'RMS':>8} {'largest':>8}")
    found_times, true_times = times(invert / "inversion.h5"), times(eikonal / "eikonal.h5")
    line("fk - eikonal at the gamma found", (measured - found_times)[reached])
    model = measured - true_times
    line("fk - eikonal at the true gamma", model[reached])
    # Vertices whose tetrahedra are all of one domain, far from a jump of gamma.
    for k in range(len(truth)):
        inside = np.zeros(reached.size, bool)
        inside[tetrahedra[domains == k]] = True
        inside[tetrahedra[domains != k]] = False
        if (inside & reached).any():
            line(f"  inside domain {k}", model[inside & reached])
    if found.argmin() != truth.argmin():
        sys.exit("the lowest gamma is in another domain than the scar")


main()

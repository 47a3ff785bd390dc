#!/usr/bin/env python3
"""Draws the surface of a result: activation time and, for an inversion, the γ found.

    python3 scripts/picture.py DIR OUT.png [--azimuth DEG] [--elevation DEG]

Needs numpy, h5py and matplotlib, and no display. The triangles that face the viewer are painted
from back to front.
"""
import argparse
import pathlib

import h5py
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import BoundaryNorm, LogNorm

# Faces of a tetrahedron.
FACES = np.array([[1, 2, 3], [0, 3, 2], [0, 1, 3], [0, 2, 1]])


def surface(points, tetrahedra):
    """Triangles on the boundary, seen from outside anticlockwise, and the tetrahedron of each."""
    faces = tetrahedra[:, FACES].reshape(-1, 3)
    opposite = tetrahedra.reshape(-1)
    _, first, times = np.unique(np.sort(faces, axis=1), axis=0, return_index=True, return_counts=True)
    outer = first[times == 1]
    triangles = faces[outer]
    a, b, c = points[triangles[:, 0]], points[triangles[:, 1]], points[triangles[:, 2]]
    inward = np.einsum("ij,ij->i", np.cross(b - a, c - a), points[opposite[outer]] - a) > 0
    triangles[inward] = triangles[inward][:, ::-1]
    return triangles, outer // 4


def view(azimuth, elevation):
    """Rows: right, up, towards the viewer. Azimuth from the x axis about z, elevation above xy."""
    az, el = np.radians([azimuth, elevation])
    toward = np.array([np.cos(el) * np.cos(az), np.cos(el) * np.sin(az), np.sin(el)])
    right = np.array([-np.sin(az), np.cos(az), 0.0])
    return np.array([right, np.cross(toward, right), toward])


def shade(points, triangles, axes):
    """Brightness of each triangle, from normals averaged over its vertices."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    at_points = np.zeros_like(points)
    for i in range(3):
        np.add.at(at_points, triangles[:, i], normals)
    smooth = at_points[triangles].mean(axis=1) @ axes.T
    smooth /= np.maximum(np.linalg.norm(smooth, axis=1, keepdims=True), 1e-300)
    light = np.array([-0.4, 0.5, 0.77])
    return 0.65 + 0.35 * np.clip(smooth @ (light / np.linalg.norm(light)), 0, 1)


def paint(ax, points, triangles, values, axes, cmap, norm, label):
    seen = points @ axes.T
    corners = seen[triangles]
    flat = corners[:, :, :2]
    u, v = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    front = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0
    order = np.flatnonzero(front)
    order = order[np.argsort(corners[order, :, 2].mean(axis=1))]
    mapping = matplotlib.cm.ScalarMappable(norm, cmap)
    colours = mapping.to_rgba(values[order])
    colours[:, :3] *= shade(points, triangles, axes)[order, None]
    ax.add_collection(PolyCollection(flat[order], facecolors=colours, edgecolors=colours, linewidths=0.3))
    ax.set_aspect("equal")
    ax.autoscale_view()
    ax.axis("off")
    bar = ax.figure.colorbar(mapping, ax=ax, label=label, shrink=0.7, pad=0.02)
    bar.ax.minorticks_off()
    if isinstance(norm, LogNorm):
        bar.set_ticks([n * 10.0**e for e in range(-9, 10) for n in (1, 2, 5)
                       if 0.999 * norm.vmin <= n * 10.0**e <= 1.001 * norm.vmax])
        bar.ax.yaxis.set_major_formatter("{x:g}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("picture", type=pathlib.Path)
    parser.add_argument("--azimuth", type=float, default=-120.0)
    parser.add_argument("--elevation", type=float, default=25.0)
    args = parser.parse_args()
    names = ("inversion.h5", "eikonal.h5", "gradient.h5")
    found = [args.folder / name for name in names if (args.folder / name).exists()]
    if not found:
        parser.error(f"{args.folder} holds none of {', '.join(names)}")
    gamma = None
    with h5py.File(found[0]) as file:
        points, tetrahedra = file["/mesh/points"][()], file["/mesh/tetrahedra"][()].astype(np.int64)
        phi = file["/fields/activation_time"][()]
        if "/inversion/gamma" in file:
            gamma = file["/inversion/gamma"][-1][file["/mesh/domains"][()]]

    triangles, owner = surface(points, tetrahedra)
    axes = view(args.azimuth, args.elevation)
    figure, panels = plt.subplots(1, 1 if gamma is None else 2, squeeze=False,
                                  figsize=(5.2 if gamma is None else 10.4, 4.6), layout="constrained")
    times = phi[triangles].mean(axis=1)
    reached = np.isfinite(times)
    # Bands between isochrones.
    levels = matplotlib.ticker.MaxNLocator(15).tick_values(times[reached].min(), times[reached].max())
    cmap = plt.get_cmap("turbo_r").with_extremes(bad="lightgrey")
    paint(panels[0, 0], points, triangles, np.ma.masked_array(times, ~reached), axes, cmap,
          BoundaryNorm(levels, cmap.N), "activation time (ms)")
    if gamma is not None:
        low, high = gamma.min(), gamma.max()
        if high < 1.01 * low:
            low, high = low / 1.1, high * 1.1
        paint(panels[0, 1], points, triangles, gamma[owner], axes, plt.get_cmap("viridis"),
              LogNorm(low, high), "conductivity scaling γ found")
    figure.savefig(args.picture, dpi=110, facecolor="white")


main()

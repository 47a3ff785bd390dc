#!/usr/bin/env python3
"""Prints what an inversion found: scaling of every domain, misfit, time, files.

    python3 scripts/summary.py DIR

Needs nothing but Python: reads DIR/report.json and, for a twin experiment, the sought values from
DIR/config.toml.
"""
import json
import pathlib
import sys

try:
    import tomllib
except ImportError:  # Python 3.10 and older: the sought values are not shown
    tomllib = None


def sought(folder):
    """The γ of the twin experiment, or None."""
    if tomllib is None:
        return None
    config = tomllib.loads((folder / "config.toml").read_text())
    return config.get("inversion", {}).get("twin", {}).get("gamma")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    report = json.loads((folder / "report.json").read_text())
    result, mesh = report["result"], report["mesh"]
    gamma, wanted = result["gamma"], sought(folder)

    print(f"{mesh['tetrahedra']} tetrahedra, {mesh['points']} points, {len(gamma)} domains, "
          f"ranks × threads: {report['ranks']} × {report['threads']}")
    print("domain    gamma found" + ("    sought" if wanted else ""))
    for k, g in enumerate(gamma):
        print(f"{k:6}    {g:11.6f}" + (f"    {wanted[k]:6g}" if wanted else ""))
    if wanted:
        error = max(abs(g - w) for g, w in zip(gamma, wanted))
        print(f"largest difference {error:.1e}")
    print(f"misfit {result['misfit']:.3g} ms² after {result['iterations']} iterations "
          f"(stopped by: {result['stop_reason']}), {report['timings_s']['total']:.2f} s in all")
    print("files:")
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        print(f"  {path}  {path.stat().st_size / 1e3:.0f} kB")


main()

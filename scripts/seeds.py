"""Runs what scripts/reproduce-seeds.sh promises, and writes docs/seeds.md.

Needs no package beyond Python's own. Each timed case runs REPEATS times; the least time counts.
"""
import pathlib
import sys
import time

import seeds_fk
import seeds_paper
from seeds_runs import DATA, PICTURES, QUICK, REPEATS, RESULTS, ROOT, THREADS, redraw

HEAD = """# The seeds' results, made again

isochrone began with two programs: a Fenton–Karma simulation on GPUs, and a paper on the inversion of the
eikonal equation by algorithmic differentiation. `scripts/reproduce-seeds.sh` makes their tables and figures
again and writes this page.

Times of isochrone: {threads} threads of this machine ({cpu}) unless a table says otherwise, the least of
{repeats} runs; those of the seeds are as published, on their hardware. `isochrone plot` drew the pictures.

"""


def cpu():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown processor"


def main():
    RESULTS.mkdir(parents=True, exist_ok=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    if "--pictures" in sys.argv[1:]:
        for path in sorted(DATA.glob("seeds-*.csv")):
            redraw(path)
        return
    begun = time.monotonic()
    text = HEAD.format(threads=THREADS, cpu=cpu(), repeats=REPEATS)
    for part in (seeds_fk.section, seeds_paper.section):
        for piece in part():
            print(piece, flush=True)
            text += piece + "\n"
    page = RESULTS / "seeds.md" if QUICK else ROOT / "docs" / "seeds.md"
    page.write_text(text.rstrip() + "\n", encoding="utf-8")
    print(f"{page} written in {(time.monotonic() - begun) / 60:.1f} min")


main()

"""Runs, tables and pictures of scripts/seeds.py."""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUICK = "--quick" in sys.argv[1:]
RESULTS = ROOT / "results" / "seeds"
# What the page shows, beside it; of a check, nothing there.
DATA = RESULTS if QUICK else ROOT / "docs" / "data"
PICTURES = RESULTS if QUICK else ROOT / "docs" / "pictures"
REPEATS = 1 if QUICK else 3
THREADS = 2


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


def history(folder):
    """A record for each iteration of an inversion."""
    lines = (folder / "inversion_history.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


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


def diagram(name, what, *rows, title, y, logarithmic=""):
    """Keeps a table as CSV and draws it; the first row are the headings. Lines for the page."""
    DATA.mkdir(parents=True, exist_ok=True)
    path = DATA / f"seeds-{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"# title: {title}\n# y: {y}\n# logarithmic: {logarithmic}\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    redraw(path)
    return f"![{what}](pictures/{path.stem}.png)\n\nNumbers: [{path.name}](data/{path.name}).\n"


def redraw(path):
    """Draws a table kept as CSV."""
    isochrone("plot", path, "--overwrite", "--output", RESULTS)
    shutil.copyfile(RESULTS / f"{path.stem}-table.png", PICTURES / f"{path.stem}.png")


def picture(file, name, wanted):
    """A picture of a result file, as docs/pictures/seeds-NAME-WANTED.png; its place for the page."""
    isochrone("plot", file, "--overwrite", "--pictures", wanted)
    target = PICTURES / f"seeds-{name}-{wanted}.png"
    shutil.copyfile(file.with_name(f"{file.stem}-{wanted}.png"), target)
    return f"pictures/{target.name}"

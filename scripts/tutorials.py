#!/usr/bin/env python3
"""Runs the commands of the tutorials and compares what they print with what the tutorials tell.

    python3 scripts/tutorials.py [docs/tutorials/NAME.md...]

In each tutorial every block ```sh and ```python runs in order, in a temporary folder with copies of
config/ and scripts/. A block ```text behind one holds what it prints to standard output: words are
compared exactly, numbers to 2 %, or as ```text (to 10 %) says; ```text (varies) is for the reader
alone. `isochrone` is found in PATH. Exit code 1 if a command fails or prints something else.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = re.compile(r"text(?: \(to (\d+) %\))?")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def blocks(text):
    """Line number, language and content of every fenced block."""
    opened = None
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None and line.startswith("```"):
            opened, language, content = number, line[3:].strip(), []
        elif opened is not None and line == "```":
            yield opened, language, "\n".join(content) + "\n"
            opened = None
        elif opened is not None:
            content.append(line)


def differences(expected, printed, tolerance):
    """What differs, line by line, apart from blanks and small differences of numbers."""
    expected, printed = expected.strip().splitlines(), printed.strip().splitlines()
    if len(expected) != len(printed):
        yield f"{len(printed)} lines where the tutorial has {len(expected)}"
    for wanted, got in zip(expected, printed):
        words, others = (NUMBER.sub("#", line).split() for line in (wanted, got))
        pairs = list(zip(NUMBER.findall(wanted), NUMBER.findall(got)))
        close = all(abs(float(a) - float(b)) <= tolerance * abs(float(a)) for a, b in pairs)
        if words != others or not close:
            yield f"printed {got!r} where the tutorial has {wanted!r}"


def run(language, content, folder):
    """Standard output of a block, and its exit code."""
    environment = dict(os.environ)
    # Of `python3` in a tutorial: the Python that runs this.
    environment["PATH"] = os.pathsep.join([str(pathlib.Path(sys.executable).parent), environment["PATH"]])
    # Not by standard input: mpirun would read the commands behind it.
    command = ["bash", "-euo", "pipefail"] if language == "sh" else [sys.executable]
    done = subprocess.run([*command, "-c", content], text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          cwd=folder, env=environment)
    return done.stdout, done.returncode


def check(tutorial):
    """What is wrong with a tutorial, and how many of its blocks were compared."""
    wrong, compared, printed, ran = [], 0, "", False
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config", "scripts"):
            shutil.copytree(ROOT / name, pathlib.Path(folder) / name)
        for line, language, content in blocks(tutorial.read_text(encoding="utf-8")):
            place = f"{tutorial.name}:{line}"
            if language in ("sh", "python"):
                printed, code = run(language, content, folder)
                ran = True
                if code:
                    return [*wrong, f"{place}: exit code {code}; the rest was not run\n{printed}"], compared
            elif match := TEXT.fullmatch(language):
                if not ran:
                    wrong.append(f"{place}: nothing was run since the last block of text")
                found = [f"{place}: {what}" for what in differences(content, printed, int(match[1] or 2) / 100)]
                wrong += found + ([f"all that was printed:\n{printed}"] if found else [])
                compared += 1
                ran = False
    if not compared:
        wrong.append(f"{tutorial.name}: has no block of text to compare with")
    return wrong, compared


def main():
    if shutil.which("isochrone") is None:
        sys.exit("isochrone is not in PATH")
    named = [pathlib.Path(name) for name in sys.argv[1:]]
    tutorials = named or sorted((ROOT / "docs/tutorials").glob("*.md"))
    failed = not tutorials
    for tutorial in tutorials:
        begun = time.monotonic()
        wrong, compared = check(tutorial)
        failed |= bool(wrong)
        print("FAIL" if wrong else "ok  ", f"{tutorial.name}: {compared} blocks compared, {time.monotonic() - begun:.0f} s",
              *(f"\n     {w}" for w in wrong), flush=True)
    sys.exit(failed)


main()

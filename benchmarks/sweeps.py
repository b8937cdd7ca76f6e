"""What a sweep gains from a second worker, and what its engine costs, in one run.

Each round runs one grid from an empty folder with one worker and with two, in turn and from
another start each round; the time is that of the whole command, its start included. The engine's
own part is what passes between one result and the next beyond the point itself, with one worker.
The fixed cost of a point is that of a kernel that imports what a chapter does and ends.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CHAPTER = "09-evidence"
GRID = ("num_laws=4",)
COLUMNS = ("what", "median", "least", "most", "unit")
IMPORTS = "import torch\nfrom distill_helpers import experiments, figures, results"


def run(workers: int, points: int, folder: Path) -> tuple[float, list[float]]:
    """Sweep from an empty folder; return the command's seconds and the engine's by point."""
    command = [sys.executable, "-m", "distill_helpers", "sweep", CHAPTER, "--out", str(folder)]
    command += ["--workers", str(workers), "--grid", f"random_state=0:{points}"]
    for axis in GRID:
        command += ["--grid", axis]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    with (folder / "points.csv").open(encoding="utf-8") as file:
        took = {row["point"]: float(row["seconds"]) for row in csv.DictReader(file)}
    ended = sorted((path.stat().st_mtime, took[path.stem]) for path in folder.glob("*/*.ipynb"))
    pairs = itertools.pairwise(ended[1:])  # the command imports as it takes the first result
    return seconds, [after - before - point for (before, _), (after, point) in pairs]


def start_of_a_kernel() -> float:
    """Return the processor's seconds of a notebook that only imports, in a worker that has run one.

    A worker's own imports are of its first point alone, and are counted with the whole command.
    """
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    for _ in range(2):
        before = os.times()
        notebook = new_notebook(cells=[new_code_cell(IMPORTS)])
        quiet = ["--IPKernelApp.log_level=50"]
        NotebookClient(notebook, kernel_name="python3", extra_arguments=quiet).execute()
        after = os.times()
    return sum(after[:4]) - sum(before[:4])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the rounds, print the table, and write it where a folder is named."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python benchmarks/sweeps.py --rounds 1 --points 3\n"
        "  python benchmarks/sweeps.py --output benchmarks",
    )
    parser.add_argument("--rounds", type=int, default=1, help="of one worker and two")
    parser.add_argument("--points", type=int, default=12, help="in each sweep")
    parser.add_argument("--output", type=Path, help="a folder for sweeps.csv")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.points < 3:
        parser.error("rounds must be 1 or more, and points 3 or more")
    os.environ["OMP_NUM_THREADS"] = "1"
    found: dict[tuple[str, str], list[float]] = {}
    for number in range(options.rounds):
        seconds = {}
        for workers in (1, 2) if number % 2 == 0 else (2, 1):
            with tempfile.TemporaryDirectory() as folder:
                seconds[workers], engine = run(workers, options.points, Path(folder) / "sweep")
            if workers == 1:
                found.setdefault(("engine, a point", "s"), []).extend(engine)
        found.setdefault(("one worker, a point", "s"), []).append(seconds[1] / options.points)
        found.setdefault(("two workers, a point", "s"), []).append(seconds[2] / options.points)
        found.setdefault(("two workers against one", "times"), []).append(seconds[1] / seconds[2])
        found.setdefault(("a kernel and its imports", "processor s"), []).append(
            start_of_a_kernel()
        )
    rows = [
        (what, *(f"{f(v):.3g}" for f in (statistics.median, min, max)), unit)
        for (what, unit), v in found.items()
    ]
    print(*COLUMNS, sep=" | ")
    for row in rows:
        print(*row, sep=" | ")
    if options.output:
        with (options.output / "sweeps.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


if __name__ == "__main__":
    main()

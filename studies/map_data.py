"""Measure the signs of the map's rule on public data sets that `distill report` has been asked.

One row a data set of studies/report.csv, written beside this file: what one student and three
teachers say on held-out rows of the first round's tuning rows (`distill_helpers.paying.look`), with
students of 64 and 32 hidden units as in the report. What distilling gained there is in report.csv.

Needs what studies/report.py needs. Examples:

  python studies/map_data.py
  python studies/map_data.py --only iris --output try.csv
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from distill_helpers import files, own_data, paying
from distill_helpers.report._rounds import rounds
from distill_helpers.studies import Row


def measured(path: Path) -> Sequence[Sequence[Row]]:
    """Return the signs of a data set."""
    name, own = path.stem, files.rows_from_file(path, own_data.TARGET)
    first = rounds(own, own_data.repeats_of(name), own_data.SEED)[0]
    _, features = own.learn(first.tune)
    test = first.tests[0][1]
    task = files.task_of(name, features, own.labels, own.classes, first.tune, test)
    return [[{"data": name} | asdict(paying.look(task, seed=own_data.SEED))]]


def main() -> None:
    """Read the command line, run, save after each data set."""
    own_data.run_study(__file__, __doc__, measured)


if __name__ == "__main__":
    main()

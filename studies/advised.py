"""Is the advised loss enough where all else is tuned? T = 3 and alpha 0.7, neither searched.

One table a task, written beside this file: five of the deciding study's, for on the digits whose
teachers saw no more rows intervals are several times wider than what is asked. In each twelve tuned
teachers and students of width 64 of two losses: the right one, and the same without T^2. Rate and
decay are tuned by the protocol of `distill_helpers.protocol`; the trials that others spend on a
temperature go to rates and decays between those of the grid, so all arms have as many. Held against
the arms of the deciding study on the same training sets, with the same seeds: hard labels, smoothed
labels, and soft targets with T searched at alpha 0.7 and at alpha 1.

Predictions, written before the run. NLL; exploratory, so no verdict is passed on them.

  1  T = 3 costs less than 10 thousandths of a nat against a searched T at alpha 0.7, surely (by the
     whole interval) on each of the four tasks that are not digits, and by the mean on the digits
  2  with it the student beats hard labels on the same tasks as with alpha 1 and T searched
  3  without T^2 it costs less than 10 thousandths, by the mean, where teachers saw the same rows,
     and more on digits-287-of-1437, where labels alone are far behind

A run that was stopped goes on where it was; tasks may run side by side, one thread each. Examples:

  python studies/advised.py article-512
  python studies/advised.py overlap3-500 --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from distill_helpers import deciding, mistakes, studies

TASKS = ("article-4000", "article-512", "overlap3-1000", "overlap3-500", "digits-287-of-1437")
TEMPERATURE = 3.0
LOOPS = (mistakes.RIGHT, "T^2 missing")


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--replicates", type=int, default=12, help="training sets")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if args.replicates < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"advised-{args.task}.csv")
    command = f"python studies/advised.py {args.task} --replicates {args.replicates}"
    writer = studies.Writer(
        output, command, "replicate", script=[__file__, Path(mistakes.__file__)]
    )
    torch.set_num_threads(1)
    for index in writer.missing(args.replicates):
        start = time.perf_counter()
        plan = deciding.PLANS[args.task]
        writer.add(mistakes.replicate(plan, index, LOOPS, temperature=TEMPERATURE))
        print(f"{args.task} {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

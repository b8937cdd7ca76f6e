"""Settle what soft targets buy: every arm tuned by one protocol, tuned teachers, named tasks.

One table a task, written beside this file. A replicate is a training set: a fresh draw of a law,
or a fold of repeated five-fold cross-validation of the digits.

  article-4000        the article's law, two classes
  article-512         the same with 512 rows
  overlap3-1000       three classes whose best classifier misses a fifth
  overlap3-500        the same with 500 rows
  digits-1437         the digits, random folds: how well on more writing by the same hands?
  digits-1437-blocks  the digits, a run of stored rows left out: how well on other hands?
  digits-287          a fifth of the training rows, for teachers and student
  digits-287-of-1437  teachers saw all of them, the student a fifth

In each: teacher (the article's; tuned; tuned, with a temperature fitted on held-out rows) x members
(1, 4, 12) x lesson (soft targets at alpha 0.7 and 1; of twelve, levelled wrong classes), beside
hard and smoothed labels, x width (8, 64). With two classes nothing is left to level. Every arm is
tuned by `distill_helpers.protocol`: 44 trials (48 where the grid is wide) on two of four folds; a
fold's teachers never saw it. A tuned teacher has the article's shape or the student's, whichever is
better on held-out rows.
Beside them: hard labels without averaged weights, the best of twelve, an ensemble of four students,
the teachers themselves, and the exact posterior as a teacher where it is known (an oracle).

The first whole run had 16 % of its choices on an edge of the grid, more than the one in ten that
the protocol asks for: four tasks (article-512, overlap3-1000, overlap3-500, digits-287-of-1437)
were above it, in the learning rate and the highest temperature. They were run again with a rate
more and with a last temperature at which soft targets are logits, for all arms of a task alike.
The others keep their tables.

Four first runs, of at most five replicates of overlap3-1000 and three of digits-287-of-1437, were
broken off and thrown away: a third of the choices lay on an edge of the grid, single networks at
high rates made the choice a lottery, the tuned teachers were worse than tuned students, and a
temperature fitted to held-out rows that were all right was next to 0. Since then the grid is wider,
weights are averaged over the last quarter of the epochs in every arm, a teacher may be small, a
rate is chosen together with its neighbours, and a fitted temperature has a weak prior. The
predictions are as they were before those runs.

Predictions, written before the run. "Distilled" is the student of width 64 of twelve tuned teachers
at alpha 1; a gain is what it saves in NLL on the test sample, in nats.

  1  article-4000: distilled gains on tuned hard labels (margin 0.003)
  2  overlap3-1000: distilled and tuned hard labels do not differ (margin 0.005)
  3  digits-287-of-1437: distilled gains on tuned hard labels (margin 0.02)
  4  article-4000: distilled gains on the student of one tuned teacher (margin 0.003)
  5  overlap3-500: distilled gains on tuned label smoothing (margin 0.005)
  6  overlap3-1000: a fitted temperature makes the article's twelve better teachers, at alpha 1
     (margin 0.005)

A run that was stopped goes on where it was; tasks may run side by side, one thread each. Examples:

  python studies/deciding.py article-4000
  python studies/deciding.py digits-287 --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from distill_helpers import deciding, studies


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=list(deciding.PLANS))
    parser.add_argument("--replicates", type=int, default=12, help="training sets")
    parser.add_argument("--threads", type=int, default=1, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if min(args.replicates, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"deciding-{args.task}.csv")
    command = f"python studies/deciding.py {args.task} --replicates {args.replicates}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(args.replicates):
        start = time.perf_counter()
        writer.add(deciding.replicate(deciding.PLANS[args.task], index))
        print(f"{args.task} {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

"""Map when distilling pays: 400 made-up tasks of known law, all measured by one protocol.

A point is a Gaussian mixture (`distill_helpers.paying`): overlap, label noise, labelled rows,
classes, dimension, clusters in a class, the student's width, how many times the student's rows its
teachers saw, and how many inputs without a label there are. Points fill that space by a scrambled
Sobol sequence, so that the first hundred are a map as well. Twelve teachers of 64 and 32 hidden
units, tuned; hard labels, smoothed labels and soft targets (alpha 1), each tuned by
`distill_helpers.protocol` on two of four folds of the point's first training set; then two students
an arm on each of twelve training sets, judged by the exact posterior on 4,000 fresh rows. On every
second point of three classes or more without unlabelled inputs, soft targets are levelled among the
wrong classes, permuted within a class and replaced by the exact posterior too, each tuned anew.

Predictions, written before the run. A gain is what soft targets save in NLL against tuned hard
labels at a point, in nats; the claims are about its mean over points.

  1  teachers who saw no more rows, no unlabelled inputs: soft targets gain (margin 0.005)
  2  on the same points: soft targets gain on tuned label smoothing (margin 0.005)
  3  the gain is larger with three times as many unlabelled inputs than with none (margin 0.005)
  4  the gain is larger below 30 labels a class than above (margin 0.005)
  5  teachers who saw four times the rows: the gain is larger than with no more rows (margin 0.005)
  6  levelled soft targets gain as much as soft ones (margin 0.005)

And of the rule, which is fitted on half of the points: on the other half, following it costs less
NLL than always distilling and than never distilling. (The half was to be random; it became the
first 200 points, so that the rule could be committed when four of the others had run, none of them
looked at.) Seen before they were written:
points 0, 1 and 2, with 40,000 instead of 30,000 rows visited in a training (0.032, 0.036 and 0.000
nats gained), for the clock; and the seven tasks of *What do soft targets buy?*

One row a point. A run that was stopped goes on where it was. Examples:

  python studies/map.py
  python studies/map.py --points 2 --output try.csv
"""

from __future__ import annotations

from distill_helpers import paying


def main() -> None:
    """Read the command line, run, save after each point."""
    paying.run_study(__file__, __doc__, paying.replicate, paying.NUM_POINTS)


if __name__ == "__main__":
    main()

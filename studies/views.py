"""Measure a corner that the map lacks: classes that can be told by either of two views.

Allen-Zhu and Li (ICLR 2023) prove, for two-layer convolutional networks on patches, that where data
are *multi-view* networks which differ in their seed alone learn different views, so that their
ensemble must beat each of them, and that one network trained to match it keeps that lead. Here is
such data with an exact posterior (`tasks.multi_view_task`), and small networks on all columns at
once, of which the theorem says nothing. The protocol is the map's (`paying.measure`).

Sixteen points, a scrambled Sobol sequence over seven axes: classes (2 to 6), columns (16 to 64),
overlap (the best classifier's error, 2 to 30 % of a guess's), labelled rows (60 to 1,000), the
student's width (8 to 64), share of rows that show one view alone (5 to 50 %), strength of another
class's view (10 to 50 % of a seen one's). Teachers see what the student sees. Each point is
measured twice: with two views of each class, and with one, all else (the best classifier's error
too) as it was. Two rows a point.

Predictions, written before the run; a family of their own, all means over points. The lead is one
teacher's NLL minus the ensemble's of twelve; a gain is what soft targets save in NLL against tuned
hard labels, in nats.

  1  the lead is larger with two views than with one (margin 0.005)
  2  the student keeps half of it: with two views the gain is larger than half of the lead
     (margin 0.005)
  3  with two views soft targets gain on tuned hard labels (margin 0.005)
  4  and on tuned label smoothing (margin 0.005)
  5  the committed rule of `forecast` is off by no more than 0.005 nats more with two views than on
     those points of the map's second half whose teachers saw what the student sees (margin 0.005)
  6  a teacher recognises only one of a class's views, shown alone without noise, at more classes
     than the ensemble does (margin 5 points)

The lead with two views against the map's own mean is shown with a plain interval. Seen before they
were written: the processor time of one other point, and nothing else of it. Examples:

  python studies/views.py
  python studies/views.py --points 2 --output try.csv
"""

from __future__ import annotations

from distill_helpers import paying


def main() -> None:
    """Read the command line, run, save after each point."""
    paying.run_study(__file__, __doc__, paying.replicate_views, paying.VIEW_POINTS)


if __name__ == "__main__":
    main()

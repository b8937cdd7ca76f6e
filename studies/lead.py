"""Test the sign that chapter 08 found afterwards: where teachers clearly lead, distilling pays.

On the map's 104 points whose teachers saw what the student sees, distilling paid more often where
three teachers led the student of hard labels on held-out rows by more than two standard errors (24
of them). That was looked at when the map had been measured, and the book's advice rests on it. Here
are 256 points that nobody has seen, spread over the same axes by another sequence, with laws and
seeds of their own; all their teachers saw what the student sees. The protocol is the map's
(`paying.measure`).

Predictions, written before the run; a family of their own, all means over points. A gain is what
soft targets save in NLL, in nats. A lead is *clear* above two standard errors: columns `edge` and
`edge_error`, of three teachers over the student (`lead` is theirs over one of themselves).

  1  where the lead is clear, soft targets gain on tuned hard labels (margin 0.005)
  2  there, they gain on tuned label smoothing (margin 0.005)
  3  the gain on hard labels is larger where the lead is clear than where it is not (margin 0.005)
  4  where it is not clear, soft targets and tuned label smoothing do not differ (margin 0.005)

One row a point. A run that was stopped goes on where it was. Examples:

  python studies/lead.py
  python studies/lead.py --points 2 --output try.csv
"""

from __future__ import annotations

from distill_helpers import paying


def main() -> None:
    """Read the command line, run, save after each point."""
    paying.run_study(__file__, __doc__, paying.replicate_lead, paying.LEAD_POINTS)


if __name__ == "__main__":
    main()

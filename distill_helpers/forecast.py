"""A forecast of what distilling will gain, from what a reader can measure before it.

One tuned student and three tuned teachers (`look`) are enough for it. `RULE` is fitted on the first
half of the map of `distill_helpers.paying`, and was committed before the second half had run;
chapter 08 judges it there and on public data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import HuberRegressor

from distill_helpers.statistics import Estimate, mean_estimate
from distill_helpers.studies import Row

Array = npt.NDArray[np.float64]

FITTED = 200
"""Points of the map on which the rule is fitted, the first; the others judge it."""

MARGIN = 0.005
"""Nats. A smaller gain is not worth twelve teachers."""

EDGE_LIMIT = 0.5
"""Nats. A larger edge counts as this much: it comes from a student that failed on a fold."""

FEW_COLUMNS = 21
"""From so many columns on distilling no longer paid in a preprint of 2026; a rule to beat."""


@dataclass(frozen=True)
class Rule:
    r"""What distilling gains, from the edge :math:`e`: :math:`a + b \, e`, in nats (8.2).

    The edge is what three teachers together gain on one student of hard labels, in NLL on held-out
    rows. See chapter 08.

    Attributes
    ----------
    intercept, slope : float
        a, in nats, and b.

    Examples
    --------
    >>> Rule(intercept=0.01, slope=0.5).forecast(0.1)
    0.06
    """

    intercept: float
    slope: float

    def forecast(self, edge: float) -> float:
        """Return the gain to expect, in nats."""
        return self.intercept + self.slope * max(-EDGE_LIMIT, min(EDGE_LIMIT, edge))

    def says_distil(self, edge: float) -> bool:
        """Say whether the gain to expect is worth it: above `MARGIN`."""
        return self.forecast(edge) > MARGIN


def fit_rule(rows: Sequence[Row]) -> Rule:
    """Fit the rule to points of the map.

    Huber's loss, for a few points gain ten times what the others do.

    Parameters
    ----------
    rows : sequence of dict
        With ``edge`` and ``gain_soft``, in nats.
    """
    edges = np.clip([row["edge"] for row in rows], -EDGE_LIMIT, EDGE_LIMIT)
    gains = np.array([row["gain_soft"] for row in rows])
    fitted = HuberRegressor(alpha=0.0, max_iter=1000).fit(edges[:, None], gains)
    return Rule(float(fitted.intercept_), float(fitted.coef_[0]))

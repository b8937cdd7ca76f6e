"""A forecast of what distilling will gain, from what a reader can measure before it.

One tuned student and three tuned teachers (`look`) are enough for it. `RULE` is fitted on the first
half of the map of `distill_helpers.paying`, and was committed before anyone had looked at the
second half; chapter 08 judges it there and on public data.

A forecast says whether it is worth measuring what distilling gains. Where that is measured, as
`distill_helpers.report` does, what was measured decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import HuberRegressor

from distill_helpers._estimates import t_quantile
from distill_helpers.paying import FEW, FOLDS_USED, MEMBERS, REPLICATES
from distill_helpers.protocol import DECAYS, NUM_TRIALS, RATES
from distill_helpers.statistics import Estimate, mean_estimate
from distill_helpers.studies import Row

Array = npt.NDArray[np.float64]

FITTED = 200
"""Points of the map on which the rule is fitted, the first; the others judge it."""

MARGIN = 0.005
"""Nats. A smaller gain is not worth twelve teachers. (A report has a margin of its own, for its
reader to set.)"""

EDGE_LIMIT = 0.5
"""Nats. A larger edge counts as this much: it comes from a student that failed on a fold."""

FEW_COLUMNS, FEW_LABELS = 21, 30
"""Columns and labels a class, below which other rules say that distilling pays."""


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
    >>> Rule(intercept=0.25, slope=0.5).forecast(0.5)
    0.5
    """

    intercept: float
    slope: float

    def forecast(self, edge: float) -> float:
        """Return the gain to expect, in nats."""
        return self.intercept + self.slope * max(-EDGE_LIMIT, min(EDGE_LIMIT, edge))

    def says_distil(self, edge: float) -> bool:
        """Say whether the gain to expect is above `MARGIN`: worth measuring at all."""
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


RULE = Rule(intercept=0.0122694, slope=0.6567077)
"""Fitted to the first `FITTED` points of ``studies/map.csv``; a test fits it again."""


POLICIES: dict[str, Callable[[Rule, Mapping[str, float]], bool]] = {
    "the rule": lambda rule, point: rule.says_distil(point["edge"]),
    "any edge": lambda rule, point: point["edge"] > 0,
    "always": lambda rule, point: True,
    "never": lambda rule, point: False,
    "below 21 columns": lambda rule, point: point["dimension"] < FEW_COLUMNS,
    "a sure lead": lambda rule, point: point["lead"] > 1.96 * point["lead_error"],
    "the first page": lambda rule, point: bool(
        point["teacher_rows"] > 1
        or point["unlabelled"]
        or (point["classes"] > 2 and point["labels_per_class"] < FEW_LABELS)
    ),
}
"""When to distil. *Any edge*: where three teachers beat the student at all. *A sure lead*: where
they are better than one of them beyond the interval. *The first page*: teachers who saw more rows,
unlabelled inputs, or few labels and three classes.

:meta hide-value:
"""

LOOKING = ("the rule", "any edge", "a sure lead")  # policies that need three tuned teachers


@dataclass(frozen=True)
class Outcome:
    """What following a policy costs and brings, over points.

    Attributes
    ----------
    saved : Estimate
        NLL against training on hard labels everywhere, a point, in nats.
    lost : Estimate
        NLL against the better of both at each point: what perfect foresight would save more.
    against_rule : Estimate
        What the rule saves more than this policy.
    accuracy : Estimate
        Gained on hard labels, a fraction.
    distilled : float
        Share of points at which one distils.
    hurt : float
        Share of points at which that costs more than `MARGIN`.
    hurt_more : Estimate
        At what more points than the rule, a fraction.
    trainings : float
        Networks trained a point, teachers, trials and forecast included (`trainings`).
    """

    saved: Estimate
    lost: Estimate
    against_rule: Estimate
    accuracy: Estimate
    distilled: float
    hurt: float
    hurt_more: Estimate
    trainings: float


def outcomes(rule: Rule, rows: Sequence[Row]) -> dict[str, Outcome]:
    """Follow each of `POLICIES` at every point.

    Parameters
    ----------
    rule : Rule
    rows : sequence of dict
        Points of the map on which the rule was not fitted.
    """
    gains, right = (
        np.array([row[name] for row in rows]) for name in ("gain_soft", "accuracy_gain_soft")
    )
    taken = {name: np.array([does(rule, row) for row in rows]) for name, does in POLICIES.items()}
    hurts = {name: (does & (gains < -MARGIN)).astype(float) for name, does in taken.items()}
    kept = taken["the rule"] * gains
    return {
        name: Outcome(
            saved=_mean(does * gains),
            lost=_mean(np.maximum(gains, 0) - does * gains),
            against_rule=_mean(kept - does * gains),
            accuracy=_mean(does * right),
            distilled=float(does.mean()),
            hurt=float(hurts[name].mean()),
            hurt_more=_mean(hurts[name] - hurts["the rule"]),
            trainings=trainings(name, float(does.mean())),
        )
        for name, does in taken.items()
    }


def errors(rule: Rule, rows: Sequence[Row]) -> Array:
    """Return how far each forecast is from what was measured, in nats, one a point."""
    return np.array([abs(rule.forecast(row["edge"]) - row["gain_soft"]) for row in rows])


SAW = ("same rows, same inputs", "unlabelled inputs", "teachers saw more rows")
"""What teachers can have seen: no more than the student, inputs without a label too, or more rows,
with unlabelled inputs or without."""

STATES = ("pays", "no better", "hurts", "open")
"""What the interval of one point can say (`state`)."""

NEAR = 20
"""Points of the map that `nearest` returns."""


def saw(row: Row) -> str:
    """Say what the teachers of a point saw more than its student: one of `SAW`."""
    if row["teacher_rows"] > 1:
        return SAW[2]
    return SAW[1] if row["unlabelled"] else SAW[0]


def state(row: Row, gain: str = "gain_soft") -> str:
    """Say what a point's t interval over its training sets shows: one of `STATES`.

    It pays where all of the interval lies above `MARGIN`, hurts where all of it lies below minus
    that, is no better where it lies between, and is open otherwise. See chapter 08's evidence.

    Parameters
    ----------
    row : dict
        A point of the map.
    gain : str
        A column with a standard error beside it: ``gain_soft``, over hard labels, or
        ``gain_soft_on_smoothed``.
    """
    reach = t_quantile(0.95, REPLICATES - 1) * row[f"{gain}_error"]
    low, high = row[gain] - reach, row[gain] + reach
    if low > MARGIN:
        return STATES[0]
    if high < -MARGIN:
        return STATES[2]
    return STATES[1] if low > -MARGIN and high < MARGIN else STATES[3]


def nearest(rows: Sequence[Row], edge: float, labels_per_class: float, seen: str) -> list[Row]:
    r"""Return the `NEAR` points of the map that are most like a reader's data, the nearest first.

    Their teachers saw the same (`seen`). Of those, near means a small

    .. math:: \Big(\operatorname{asinh} \frac{e}{2m} - \operatorname{asinh} \frac{e'}{2m}\Big)^2
        + \Big(\ln \frac{n}{n'}\Big)^2

    with edges e, the margin m and labels per class n: differences count near an edge of 0, ratios
    beyond. Chapter 08's live figure shows what distilling gained there.

    Parameters
    ----------
    rows : sequence of dict
        Points of the map.
    edge : float
        What three teachers gain on one student of hard labels, held out, in nats.
    labels_per_class : float
        Labelled rows of the student, by class.
    seen : str
        One of `SAW`.

    Raises
    ------
    ValueError
        If `seen` is none of `SAW`.
    """
    if seen not in SAW:
        raise ValueError(f"seen is {seen!r}; it must be one of {', '.join(map(repr, SAW))}.")

    def place(e: float, n: float) -> tuple[float, float]:
        return math.asinh(e / (2 * MARGIN)), math.log(n)

    def far(row: Row) -> float:
        return math.dist(place(edge, labels_per_class), place(row["edge"], row["labels_per_class"]))

    return sorted((row for row in rows if saw(row) == seen), key=far)[:NEAR]


def trainings(policy: str, distilled: float) -> float:
    """Count the networks that a policy trains a point, by the book's protocol.

    Trials on two folds for the student of labels, for the teachers and for the student of soft
    targets, then the networks themselves; a forecast takes tuned teachers, three on each fold.

    Parameters
    ----------
    policy : str
        One of `POLICIES`.
    distilled : float
        Share of points at which it distils.
    """
    trials, grid = FOLDS_USED * NUM_TRIALS, FOLDS_USED * len(RATES) * len(DECAYS[:-1])
    hard = trials + 1
    teachers = grid + MEMBERS * (FOLDS_USED + 1)
    look = grid + FEW * FOLDS_USED if policy in LOOKING else 0
    return hard + look + distilled * (trials + 1 + teachers - look)


def _mean(values: Array) -> Estimate:
    return mean_estimate(values, interval="auto")

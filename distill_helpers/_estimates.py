"""What every interval shares: `Estimate`, its test, and what all of them refuse."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval and the test behind it.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval; infinite where the data set no bound.
    level : float
        Confidence level of the interval, 0.95 for 95 %.
    n : int
        Number of independent clusters it rests on (sets, or test samples of one run).
    standard_error : float
        Standard error of `value`, in the same unit.
    degrees_of_freedom : float
        Of the t distribution behind the interval; infinite for the normal one, NaN where no
        p-value exists (bootstrap).
    unit : str
        Printed after the numbers; empty for a plain number.
    caution : str
        Why the interval covers less than its level, printed after it; empty where nothing shows.

    Examples
    --------
    >>> from distill_helpers.statistics import paired_gain
    >>> gain = paired_gain([0.972, 0.975, 0.971], [0.965, 0.966, 0.966])
    >>> print(gain)
    0.0070 [0.0020, 0.0120]
    >>> gain.contains(0), round(gain.p_greater(0), 3)
    (False, 0.013)
    """

    value: float
    low: float
    high: float
    level: float
    n: int
    standard_error: float
    degrees_of_freedom: float
    unit: str = ""
    caution: str = field(default="", kw_only=True)

    @property
    def bounded(self) -> bool:
        """Whether both ends of the interval are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def contains(self, value: float) -> bool:
        """Whether the data are compatible with `value` at this level."""
        return self.low <= value <= self.high

    def statistic(self, reference: float = 0.0) -> float:
        """Return (value - reference) / standard error, the statistic that the interval inverts."""
        return ratio_or_inf(self.value - reference, self.standard_error)

    def p_greater(self, reference: float = 0.0) -> float:
        """One-sided p-value for "the truth is greater than `reference`"."""
        return upper_tail(self.statistic(reference), self.degrees_of_freedom)

    def p_less(self, reference: float = 0.0) -> float:
        """One-sided p-value for "the truth is less than `reference`"."""
        return upper_tail(-self.statistic(reference), self.degrees_of_freedom)

    def __str__(self) -> str:
        """Return "value [low, high] unit" with no more digits than the interval supports."""
        decimals = decimals_of(self.low, self.high)
        low, high = fixed(self.low, decimals), fixed(self.high, decimals)
        caution = f" ({self.caution})" if self.caution else ""
        return f"{fixed(self.value, decimals)} [{low}, {high}] {self.unit}".rstrip() + caution


@dataclass(frozen=True, kw_only=True)
class SkewedEstimate(Estimate):
    r"""A mean with a t interval that is longer on the side of its clusters' tail.

    Made by ``mean_estimate(..., interval="hall")``, which says how.

    Attributes
    ----------
    bend : float
        :math:`b` of Hall's transform; 0 where the clusters are symmetric.
    """

    bend: float

    def p_greater(self, reference: float = 0.0) -> float:
        """One-sided p-value, the larger of the t test's and of that of Hall's statistic."""
        shown = hall(self.statistic(reference), self.bend)
        return max(super().p_greater(reference), upper_tail(shown, self.degrees_of_freedom))

    def p_less(self, reference: float = 0.0) -> float:
        """One-sided p-value, the larger of the t test's and of that of Hall's statistic."""
        shown = hall(self.statistic(reference), self.bend)
        return max(super().p_less(reference), upper_tail(-shown, self.degrees_of_freedom))


def hall(t: float, bend: float) -> float:
    """Hall's transform of a t statistic: rises with it, and is it where `bend` is 0."""
    if abs(bend) < 1e-9 or math.isinf(t):
        return t
    return ((1 + bend * t) ** 3 - 1) / (3 * bend) + bend / 2


def hall_inverse(h: float, bend: float) -> float:
    """Return the t statistic that `hall` turns into `h`."""
    if abs(bend) < 1e-9:
        return h
    return float(np.cbrt(1 + 3 * bend * (h - bend / 2)) - 1) / bend


def t_quantile(level: float, freedom: float) -> float:
    """Two-sided quantile of the t distribution; `freedom` may be infinite."""
    p = (1 + level) / 2
    return float(ndtri(p) if math.isinf(freedom) else stdtrit(freedom, p))


def upper_tail(statistic: float, freedom: float) -> float:
    if math.isnan(freedom):
        raise ValueError('a bootstrap has no p-value; use method="fieller" to judge a claim.')
    return float(ndtr(-statistic) if math.isinf(freedom) else stdtr(freedom, -statistic))


def ratio_or_inf(top: float, bottom: float) -> float:
    if bottom > 0:
        return top / bottom
    return math.copysign(math.inf, top) if top else 0.0


def decimals_of(low: float, high: float) -> int:
    """Fewest decimals that move no end by more than a tenth of the half-width; at most six."""
    half = (high - low) / 2
    if not (half > 0 and math.isfinite(half)):
        return 6
    return min(6, -math.floor(math.log10(half / 5)))


def fixed(value: float, decimals: int) -> str:
    rounded = round(value, decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{rounded:,.{max(decimals, 0)}f}"


def as_array(value: ArrayLike, name: str, dimensions: tuple[int, ...]) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} is not an array of numbers; give a rectangular one.") from None
    if array.ndim not in dimensions:
        wanted = " or ".join({1: "one axis", 2: "two axes"}[d] for d in dimensions)
        raise ValueError(f"{name} has shape {array.shape}; it must have {wanted}.")
    bad = int((~np.isfinite(array)).sum())
    if bad:
        raise ValueError(f"{name} holds {bad} values that are not finite; find the run that broke.")
    return array


def set_means(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name, (1, 2))
    if array.size == 0 or len(array) < 2:
        raise ValueError(
            f"{name} has shape {array.shape}; the first axis must hold two sets or more, for one "
            "set says nothing about another."
        )
    return array if array.ndim == 1 else array.mean(axis=1)


def as_pair(treated: ArrayLike, control: ArrayLike) -> tuple[Array, Array]:
    first, second = as_array(treated, "treated", (1, 2)), as_array(control, "control", (1, 2))
    if first.shape != second.shape:
        raise ValueError(
            f"treated has shape {first.shape} and control {second.shape}; paired arms need the "
            "same sets and students in the same places."
        )
    set_means(first, "treated")
    check_same_scale({"treated": first, "control": second})
    return first, second


def check_same_scale(arms: dict[str, Array]) -> None:
    fractions = [n for n, a in arms.items() if ((a >= 0) & (a <= 1)).all()]
    percents = [n for n, a in arms.items() if ((a >= 20) & (a <= 100)).all()]
    if fractions and percents:
        raise ValueError(
            f"{percents[0]} looks like per cent and {fractions[0]} like a fraction; give all arms "
            "in one unit. Where they are, and are no shares, multiply all by 1000."
        )


def check_correct(column: Array, name: str) -> None:
    if ((column < 0) | (column > 1)).any():
        raise ValueError(
            f"{name} holds values outside 0 to 1; give for each sample whether the model is right."
        )


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1. Use 0.95 for 95 %.")


def check_variance(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"test_variance is {value}; it must be a finite number of 0 or more.")
    return float(value)

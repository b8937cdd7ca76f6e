"""Intervals, and the test behind each.

Replicates are nested: `S` sets (teacher sets, or training sets) with `K` students each, shape
``(S, K)``, or ``(S,)`` for one value a set. Students of one set share its teachers, so the sets
are what is independent: every interval here is computed on the `S` set means, and speaks about
new sets. Pairing is by position: entry ``[s, k]`` of two arms has the same initialisation and the
same batches.

An interval is a test turned inside out: it holds the references that the test does not reject. So
each `Estimate` carries its test, and `distill_helpers.verdicts` uses the same test as the interval
that the reader sees.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.stats import binom

from distill_helpers._estimates import (
    Array,
    Estimate,
    SkewedEstimate,
    as_array,
    as_pair,
    check_correct,
    check_level,
    check_same_scale,
    check_variance,
    decimals_of,
    fixed,
    hall_inverse,
    ratio_or_inf,
    set_means,
    t_quantile,
    upper_tail,
)

__all__ = [
    "Estimate",
    "McNemar",
    "MedianEstimate",
    "PairedProportions",
    "RatioEstimate",
    "SkewedEstimate",
    "covariance_of_test_sample",
    "difference_of_means",
    "gap_recovered",
    "gap_recovered_one_run",
    "jackknife",
    "mcnemar",
    "mean_estimate",
    "median_estimate",
    "nadeau_bengio",
    "paired_gain",
    "pairing_correlation",
]

# Estimates of ratios and proportions ---------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RatioEstimate(Estimate):
    """A ratio of two means with its Fieller region.

    `region` says what the data allow:

    - ``"bounded"``: the values between `low` and `high`;
    - ``"exclusive"``: every value *outside* `excluded`, for the denominator may be zero;
      `low` and `high` are infinite;
    - ``"whole line"``: every value; `low` and `high` are infinite.

    `standard_error` is the delta method's, for information: neither interval nor p-value uses it.

    Attributes
    ----------
    numerator, denominator : float
        The two means.
    covariance : tuple of float
        Variance of the numerator, variance of the denominator, and their covariance.
    region : str
        See above.
    excluded : tuple of float or None
        The open interval that an ``"exclusive"`` region leaves out.
    """

    numerator: float
    denominator: float
    covariance: tuple[float, float, float]
    region: Literal["bounded", "exclusive", "whole line"]
    excluded: tuple[float, float] | None = None

    def contains(self, value: float) -> bool:
        """Whether the data are compatible with a ratio of `value` at this level."""
        if self.excluded is not None:
            return not self.excluded[0] < value < self.excluded[1]
        return super().contains(value)

    def statistic(self, reference: float = 0.0) -> float:
        """Return Fieller's statistic, (numerator - reference x denominator) / standard error."""
        var_n, var_d, cov = self.covariance
        variance = var_n - 2 * reference * cov + reference * reference * var_d
        return ratio_or_inf(
            self.numerator - reference * self.denominator, math.sqrt(max(variance, 0.0))
        )

    def p_greater(self, reference: float = 0.0) -> float:
        """One-sided p-value for "the ratio is greater than `reference`, over a positive gap".

        Two things must be shown, numerator > reference x denominator and denominator > 0, so it is
        the larger of the two p-values (an intersection-union test).
        """
        return max(super().p_greater(reference), self._p_denominator())

    def p_less(self, reference: float = 0.0) -> float:
        """One-sided p-value for "the ratio is less than `reference`, over a positive gap"."""
        return max(super().p_less(reference), self._p_denominator())

    def _p_denominator(self) -> float:
        statistic = ratio_or_inf(self.denominator, math.sqrt(self.covariance[1]))
        return upper_tail(statistic, self.degrees_of_freedom)

    def __str__(self) -> str:
        """Return the interval, or say in words that it is unbounded."""
        if self.region == "bounded":
            return super().__str__()
        if self.excluded is None:
            return f"{self.value:.2g} [unbounded: any value] {self.unit}".rstrip()
        decimals = decimals_of(*self.excluded)
        value, low, high = (fixed(number, decimals) for number in (self.value, *self.excluded))
        return f"{value} [unbounded: any value but {low} to {high}] {self.unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class PairedProportions(Estimate):
    """A difference of two paired proportions with Tango's score interval (see `mcnemar`)."""

    only_a: int
    only_b: int

    def statistic(self, reference: float = 0.0) -> float:
        """Return Tango's score statistic for a true difference of `reference`."""
        return _tango(reference, self.only_a, self.only_b, self.n)


@dataclass(frozen=True, kw_only=True)
class MedianEstimate(Estimate):
    """A median with the interval of the sign test (see `median_estimate`).

    Its `standard_error` and `degrees_of_freedom` are NaN: the test asks for neither.

    Attributes
    ----------
    values : tuple of float
        The values, in order.
    """

    values: tuple[float, ...]

    def statistic(self, reference: float = 0.0) -> float:
        """Return the sign test's: values above `reference` minus those below, over sqrt(n)."""
        signs = np.sign(np.array(self.values) - reference)
        return float(signs.sum()) / math.sqrt(self.n)

    def p_greater(self, reference: float = 0.0) -> float:
        """One-sided p-value of the sign test for "the median is greater than `reference`"."""
        return float(binom.sf(sum(v > reference for v in self.values) - 1, self.n, 0.5))

    def p_less(self, reference: float = 0.0) -> float:
        """One-sided p-value of the sign test for "the median is less than `reference`"."""
        return float(binom.sf(sum(v < reference for v in self.values) - 1, self.n, 0.5))


# Means and gains ------------------------------------------------------------------------------


def mean_estimate(
    values: ArrayLike,
    *,
    level: float = 0.95,
    test_variance: float = 0.0,
    unit: str = "",
    interval: Literal["t", "hall", "auto"] = "t",
) -> Estimate:
    r"""Estimate the mean over sets, with a cluster t interval.

    With the set means :math:`\bar y_s` and their variance :math:`s^2` (divisor `S` - 1),

    .. math:: \bar y \pm t_{S-1} \sqrt{s^2 / S + v}

    The spread of students inside a set needs no term of its own: it is part of :math:`s^2`.
    All sets judged on the same `N` test samples share the luck of that sample, which :math:`s^2`
    cannot see; `test_variance` (:math:`v`, from `covariance_of_test_sample`) adds it. The degrees
    of freedom stay `S` - 1, which errs on the wide side.

    **Skew.** Where a few sets lie far out on one side, the t interval covers less than it says, and
    all of what it misses lies on that side. ``interval="hall"`` lengthens it there. With the
    standard error :math:`e`, the skewness :math:`g` of the set means and
    :math:`b = g s^3 / (2 S^2 e^3)`, Hall's statistic

    .. math:: h(t) = \frac{(1 + b t)^3 - 1}{3 b} + \frac b2

    is more nearly t distributed than :math:`t` itself. A reference lies outside the interval where
    both are beyond the quantile; so it is never shorter than the t interval, and the p-values are
    the larger ones. (Hall's own :math:`b` is 2/3 of ours. A small sample shows less skewness than
    its law has; the factor was chosen by simulation.)

    A `caution` says when to use it: where the skewness is more than 1.5 of the standard deviations
    that it has in normal samples, :math:`\sqrt{6 (S - 2) / (S + 1) (S + 3)}`. ``"auto"`` follows
    it, and covers this (per cent, 20,000 samples each, in brackets the t interval alone and Hall's
    alone; made by studies/skew.py):

    ==================== ================= ================= ================= =================
    sets                 5                 10                12                20
    ==================== ================= ================= ================= =================
    normal               95.2 (94.9, 96.5) 95.4 (95.1, 96.4) 95.2 (94.9, 96.2) 95.0 (94.7, 95.6)
    exponential          90.2 (88.3, 93.6) 93.8 (90.1, 95.7) 95.0 (90.8, 96.4) 96.5 (92.2, 97.0)
    lognormal, sigma 0.5 92.6 (91.8, 94.9) 93.5 (91.9, 95.3) 94.0 (92.3, 95.4) 95.4 (93.3, 96.2)
    lognormal, sigma 1   85.1 (81.8, 90.0) 90.6 (83.9, 93.2) 92.3 (84.4, 94.0) 95.2 (86.9, 95.5)
    ==================== ================= ================= ================= =================

    It warns 13 % of normal samples, which costs them little. With five sets nothing covers. Neither
    does anything where most sets share one value and the mean hangs on rare others: of the two
    values 0 and 1 with chances of 90 and 10 %, 10 sets give intervals that cover 65 %. The
    caution says so where two thirds of the sets or more are equal.

    Derived in chapter 00; skew on the page *Rules of evidence*.

    Parameters
    ----------
    values : array_like, shape (S,) or (S, K)
        One value a set, or one a student. At least two sets.
    level : float
        Confidence level.
    test_variance : float
        Variance that all sets share through the test sample, in squared units of `values`; 0 where
        the interval is to speak about this test sample, or each set has its own.
    unit : str
        Unit of `values`.
    interval : {"t", "hall", "auto"}
        ``"hall"`` for skewed set means; ``"auto"`` takes it where the caution says so.

    Returns
    -------
    Estimate
        A `SkewedEstimate` where the interval is Hall's.

    Raises
    ------
    ValueError
        Fewer than two sets, values that are not finite, a level outside (0, 1), another interval.

    References
    ----------
    Hall, P. (1992), On the removal of skewness by transformation, JRSS B 54, 221-228.

    Examples
    --------
    >>> print(mean_estimate([[97.1, 97.3], [97.4, 97.4], [97.0, 97.2]], unit="%"))
    97.23 [96.85, 97.61] %
    >>> costs = [1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 6.0]
    >>> print(mean_estimate(costs, unit="s"))
    1.7 [0.2, 3.1] s (skewed clusters; use interval="hall")
    >>> print(mean_estimate(costs, unit="s", interval="hall"))
    1.7 [0.2, 5.2] s
    """
    check_level(level)
    if interval not in ("t", "hall", "auto"):
        raise ValueError(f'interval is {interval!r}; it must be "t", "hall" or "auto".')
    means = set_means(values, "values")
    between = float(means.var(ddof=1)) / means.size
    variance = between + check_variance(test_variance)
    value, error = float(means.mean()), math.sqrt(variance)
    skewness = (between / variance if variance else 0.0) ** 1.5 * _skewness(means)
    skewed = _is_skewed(means, skewness)
    if interval == "auto":
        interval = "hall" if skewed else "t"
    caution = _caution(means, skewed, 'interval="hall"' if interval == "t" else "")
    reach = t_quantile(level, means.size - 1)
    low, high = value - reach * error, value + reach * error
    arguments = (level, means.size, error, means.size - 1, unit)
    if interval == "t":
        return Estimate(value, low, high, *arguments, caution=caution)
    bend = skewness / (2 * math.sqrt(means.size))
    low = min(low, value - hall_inverse(reach, bend) * error)
    high = max(high, value - hall_inverse(-reach, bend) * error)
    return SkewedEstimate(value, low, high, *arguments, caution=caution, bend=bend)


def median_estimate(values: ArrayLike, *, level: float = 0.95, unit: str = "") -> MedianEstimate:
    r"""Estimate the median of a few values of which some may lie far out: the sign test's interval.

    Of the values in order, :math:`x_{(1)} \le ... \le x_{(n)}`, it is

    .. math:: [x_{(k)}, \; x_{(n + 1 - k)}], \qquad
        P = 1 - 2 \sum_{i < k} \binom n i 2^{-n} \ge \text{level}

    with the largest such k. It covers with probability P whatever law the values are drawn from,
    if that has no ties, and its ends are values: of absolute values neither is below 0. The mean
    has no such interval. Chapter 08 needs it for the errors of a forecast on nine data sets, whose
    sizes differ by powers of ten: of nine such errors Hall's interval of the mean covers 87 %, the
    t interval 73 %, and half of them reach below 0 (a test has the figures).

    Parameters
    ----------
    values : array_like, shape (n,) or (n, K)
        One value a set, or one a student; at least six sets for 95 %.
    level : float
        What the interval is to cover at least.
    unit : str
        Unit of `values`.

    Returns
    -------
    MedianEstimate
        Its `level` is P: 0.961 for nine values.

    Raises
    ------
    ValueError
        Values that `mean_estimate` refuses, or too few for any such interval.

    Examples
    --------
    >>> found = median_estimate([1.2, 190.6, 18.7, 15.2, 8.9, 21.9, 1.8, 10.6, 21.3])
    >>> found.value, found.low, found.high, round(found.level, 3)
    (15.2, 1.8, 21.9, 0.961)
    """
    check_level(level)
    means = np.sort(set_means(values, "values"))
    n = means.size
    missed = 2 * binom.cdf(np.arange(n // 2), n, 0.5)  # by the interval from the k-th, k = 1, 2 ...
    outside = int((missed <= 1 - level).sum()) - 1
    if outside < 0:
        raise ValueError(
            f"{n} values bound no median at level {level}; give more, or a lower level."
        )
    return MedianEstimate(
        float(np.median(means)),
        float(means[outside]),
        float(means[n - 1 - outside]),
        float(1 - missed[outside]),
        n,
        math.nan,
        math.nan,
        unit,
        values=tuple(means.tolist()),
    )


def paired_gain(
    treated: ArrayLike,
    control: ArrayLike,
    *,
    level: float = 0.95,
    test_variance: float = 0.0,
    unit: str = "",
    interval: Literal["t", "hall", "auto"] = "t",
) -> Estimate:
    """Estimate the mean of treated - control, with a paired cluster t interval over sets.

    Differences are taken student by student, averaged in each set, and the `S` set means go to
    `mean_estimate`. With ``(S,)`` this is the paired t test. See `pairing_correlation` for what
    pairing bought.

    Derived in chapter 00.

    Parameters
    ----------
    treated, control : array_like, both (S,) or both (S, K)
        The two arms, paired by position. Where the same control students serve several sets, the
        interval is conditional on them: give each set its own.
    level, test_variance, unit, interval
        As in `mean_estimate`; here the variance is that of the difference.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        Shapes that differ, per cent mixed with fractions, or what `mean_estimate` refuses.

    Examples
    --------
    >>> control = [[2.0, 4.0], [2.0, 4.0], [3.0, 4.0]]
    >>> print(paired_gain([[3.0, 5.0], [4.0, 6.0], [5.0, 5.0]], control))
    1.5 [0.3, 2.7]
    """
    first, second = as_pair(treated, control)
    return mean_estimate(
        first - second, level=level, test_variance=test_variance, unit=unit, interval=interval
    )


def difference_of_means(
    one: ArrayLike, other: ArrayLike, *, level: float = 0.95, unit: str = ""
) -> Estimate:
    r"""Estimate how far the means of two independent groups are apart: Welch's interval.

    With variances :math:`s_1^2, s_2^2` of groups of :math:`n_1` and :math:`n_2`, and
    :math:`v_i = s_i^2 / n_i`, it is

    .. math:: \bar x - \bar y \pm t_\nu \sqrt{v_1 + v_2}, \quad
        \nu = \frac{(v_1 + v_2)^2}{v_1^2 / (n_1 - 1) + v_2^2 / (n_2 - 1)}

    For points of a map that lie in different corners (chapter 08); arms on the same points are
    paired (`paired_gain`).

    Parameters
    ----------
    one, other : array_like, shape (n,)
        Independent values; two or more in each group, not all of them equal.
    level : float
        Confidence level.
    unit : str
        Unit of the values.

    Returns
    -------
    Estimate
        Its `n` is the size of the smaller group.

    Raises
    ------
    ValueError
        If a group has fewer than two values, or neither has any spread.

    References
    ----------
    B. L. Welch (1947), The generalization of Student's problem when several different population
    variances are involved, Biometrika 34, 28-35.

    Examples
    --------
    >>> print(difference_of_means([3.0, 5.0, 4.0], [1.0, 2.0, 1.0, 2.0]))
    2.5 [0.4, 4.6]
    """
    check_level(level)
    groups = [set_means(values, name) for values, name in ((one, "one"), (other, "other"))]
    parts = [values.var(ddof=1) / len(values) for values in groups]
    total = sum(parts)
    if total == 0:
        raise ValueError("all values of each group are equal; a difference needs some spread.")
    freedom = total**2 / sum(v**2 / (len(x) - 1) for v, x in zip(parts, groups, strict=True))
    value, error = float(groups[0].mean() - groups[1].mean()), float(total**0.5)
    half = t_quantile(level, float(freedom)) * error
    return Estimate(
        value,
        value - half,
        value + half,
        level,
        min(map(len, groups)),
        error,
        float(freedom),
        unit,
    )


def _skewness(means: Array) -> float:
    """Skewness of a sample; 0 where it does not vary."""
    deviation = means - means.mean()
    spread = math.sqrt(float((deviation**2).mean()))
    if spread <= 1e-12 * float(np.abs(means).max()):  # what rounding leaves of no spread
        return 0.0
    return float(((deviation / spread) ** 3).mean())


def _is_skewed(means: Array, skewness: float) -> bool:
    size = means.size
    usual = math.sqrt(6 * (size - 2) / ((size + 1) * (size + 3)))  # of normal samples
    return size > 2 and abs(skewness) > 1.5 * usual


def _caution(means: Array, skewed: bool, way_out: str) -> str:
    size = means.size
    if size >= 5 and np.unique(means, return_counts=True)[1].max() >= 2 / 3 * size:
        return "most clusters are equal; no interval covers"
    return _caution_of_skew(size, way_out) if skewed else ""


def _caution_of_skew(size: int, way_out: str) -> str:
    if size < 8:
        return f"skewed, and {size} clusters are too few for any interval"
    return f"skewed clusters; use {way_out}" if way_out else ""


def jackknife(
    value: float, left_out: ArrayLike, *, level: float = 0.95, unit: str = ""
) -> Estimate:
    r"""Give a statistic of `S` sets an interval, from its values with one set left out.

    With :math:`\theta_{(s)}` the statistic without set s and :math:`\theta_{(\cdot)}` their mean,

    .. math::

        \theta \pm t_{S-1} \sqrt{\frac{S - 1}{S}
        \sum_s \bigl(\theta_{(s)} - \theta_{(\cdot)}\bigr)^2}

    For a mean it is the interval of `mean_estimate`. Used in chapter 01 for variances.

    Parameters
    ----------
    value : float
        The statistic of all sets.
    left_out : array_like, shape (S,)
        The statistic of all sets but one, for each. At least two.
    level, unit
        As in `mean_estimate`.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        Fewer than two sets, values that are not finite, a level outside (0, 1).

    Notes
    -----
    Efron and Stein (1981) show that its variance is, if anything, too large on average. Where the
    statistic is skewed, as a variance is, the interval covers less than its level all the same.
    The statistic must be smooth in the sets: means, variances and their ratios are, a median is
    not.

    Examples
    --------
    >>> y = np.array([1.0, 2.0, 6.0])
    >>> print(jackknife(y.mean(), [4.0, 3.5, 1.5]))
    3 [-4, 10]
    >>> print(mean_estimate(y))
    3 [-4, 10]
    """
    check_level(level)
    value, parts = float(value), set_means(as_array(left_out, "left_out", (1,)), "left_out")
    freedom = parts.size - 1
    error = math.sqrt(freedom * float(parts.var()))
    half = t_quantile(level, freedom) * error
    return Estimate(
        float(value), value - half, value + half, level, parts.size, error, freedom, unit
    )


def pairing_correlation(
    treated: ArrayLike, control: ArrayLike, *, among: Literal["sets", "students"] = "sets"
) -> float:
    r"""Correlation of two paired arms: what pairing bought.

    Among the set means (``"sets"``, the default) it is what narrows the interval of `paired_gain`:
    :math:`Var(t - c) = Var(t) + Var(c) - 2 \rho \, sd(t) \, sd(c)`, so with equal spreads pairing
    saves the share :math:`\rho` of the variance, and a negative one costs. Among ``"students"`` it
    is pooled within sets, after each set's means are taken away: what a common initialisation and
    common batches give.

    Parameters
    ----------
    treated, control : array_like, both (S,) or both (S, K)
        The two arms.
    among : {"sets", "students"}
        The level at which to correlate.

    Returns
    -------
    float
        Between -1 and 1; NaN where an arm does not vary (as with one student a set).

    Examples
    --------
    >>> round(pairing_correlation([1.0, 2.0, 4.0], [1.0, 3.0, 4.0]), 3)
    0.929
    """
    first, second = as_pair(treated, control)
    if among not in ("sets", "students"):
        raise ValueError(f'among is {among!r}; it must be "sets" or "students".')
    x, y = (a.reshape(len(a), -1) for a in (first, second))
    if among == "sets":
        x, y = x.mean(axis=1), y.mean(axis=1)
        x, y = x - x.mean(), y - y.mean()
    else:
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    for arm, residual in ((first, x), (second, y)):
        if np.abs(residual).max() <= 1e-12 * np.abs(arm).max():  # what rounding leaves of no spread
            return math.nan
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def covariance_of_test_sample(*per_sample: ArrayLike) -> Array:
    r"""Covariance of means over a finite test sample.

    Sets that are judged on the same `N` test samples share the luck of that sample; no spread
    between sets shows it. Where the law is known, fresh test samples for each set are better: then
    the spread between sets holds it, and nothing needs to be added. Otherwise, for each arm give
    its value on every sample (correct or not, or a probability of being correct), averaged over the
    arm's networks. The result is

    .. math:: V_{ij} = \frac{1}{N (N - 1)} \sum_n (a_{in} - \bar a_i)(a_{jn} - \bar a_j)

    For a gain, give one argument, the difference of the two arms, and pass ``V[0, 0]`` as
    `test_variance`; for the gap recovered give student, baseline, ensemble, and pass it whole.
    The networks' own noise on each sample is in it too, divided by `N` and by the networks'
    number, so that part is counted twice where it is added to a spread between sets: an error on
    the wide side, and small.

    Parameters
    ----------
    *per_sample : array_like, each (N,)
        One arm each, on the same samples in the same order.

    Returns
    -------
    ndarray, shape (arms, arms)

    Examples
    --------
    >>> covariance_of_test_sample([1, 0, 1, 1]).round(4)
    array([[0.0625]])
    """
    if not per_sample:
        raise ValueError("covariance_of_test_sample got no arms; give one (N,) array an arm.")
    arms = [as_array(a, f"arm {i}", (1,)) for i, a in enumerate(per_sample)]
    sizes = {a.size for a in arms}
    if len(sizes) > 1 or min(sizes) < 2:
        raise ValueError(
            f"the arms have {sorted(sizes)} samples; give each the same two or more samples."
        )
    return np.atleast_2d(np.cov(np.stack(arms), ddof=1)) / arms[0].size


# Gap recovered --------------------------------------------------------------------------------


def gap_recovered(
    student: ArrayLike,
    baseline: ArrayLike,
    ensemble: ArrayLike,
    *,
    method: Literal["fieller", "bootstrap"] = "fieller",
    level: float = 0.95,
    test_covariance: ArrayLike | None = None,
    num_resamples: int = 9999,
    seed: int = 0,
) -> RatioEstimate:
    r"""Share of the gap between baseline and ensemble that the student closes, over sets.

    .. math:: \rho = \frac{E[student] - E[baseline]}{E[ensemble] - E[baseline]}

    a ratio of means, never a mean of ratios. With the set means of the numerator
    :math:`\bar a`, of the denominator :math:`\bar b` and the covariance matrix :math:`V` of both,
    Fieller's region holds every :math:`\rho` that the t test on
    :math:`a_s - \rho b_s` does not reject:

    .. math:: (\bar a - \rho \bar b)^2 \le q^2 (V_{aa} - 2 \rho V_{ab} + \rho^2 V_{bb})

    It is exact for normal set means. Where :math:`\bar b^2 \le q^2 V_{bb}`, the denominator is not
    separated from zero, and the region is unbounded: all but an interval, or the whole line. That
    is the honest answer; no method whose intervals are always bounded can keep its level there.

    :math:`q` is the t quantile with `S` - 1 degrees of freedom (``"fieller"``), or the quantile of
    :math:`|T|` over resampled sets (``"bootstrap"``), a bootstrap t put into the same inequality
    (von Luxburg & Franz 2009), for set means far from normal. It resamples sets whole: their means
    already hold the spread of the students inside them, and drawing students again would count it
    twice. A `caution` says where the set means of :math:`a_s - \rho b_s` are skewed, as in
    `mean_estimate`; the bootstrap then covers more, and less than it says: of lognormal ones (sigma
    1, 10 sets) Fieller's region covers 83 %, the bootstrap's 87 %.

    Derived in chapter 00.

    Parameters
    ----------
    student, baseline : array_like, shape (S, K) or (S,)
        Any score, larger or smaller better; the two may differ in K. Every set needs baselines of
        its own: where all share the same ones, the interval is conditional on those.
    ensemble : array_like, shape (S,)
        The score of each set's ensemble.
    method : {"fieller", "bootstrap"}
        Where the quantile comes from. The bootstrap needs five sets, and gives no p-value.
    level : float
        Confidence level.
    test_covariance : array_like, shape (3, 3), optional
        Covariance of student, baseline and ensemble that the test sample brings to all sets alike
        (see `covariance_of_test_sample`).
    num_resamples, seed : int
        For the bootstrap.

    Returns
    -------
    RatioEstimate

    Raises
    ------
    ValueError
        Numbers of sets that differ, too few of them, values that are not finite, per cent mixed
        with fractions.

    References
    ----------
    E. C. Fieller (1954), Some problems in interval estimation, JRSS B 16, 175-185.
    V. H. Franz (2007), Ratios: a short guide to confidence limits and proper use, arXiv 0710.2024.
    U. von Luxburg, V. H. Franz (2009), A geometric approach to confidence sets for ratios,
    Statistica Sinica 19, 1095-1117, arXiv 0711.0198.

    Examples
    --------
    >>> student, baseline = [97.2, 97.0, 97.4, 97.1], [96.5, 96.6, 96.6, 96.4]
    >>> print(gap_recovered(student, baseline, [97.8, 97.7, 97.9, 97.8]))
    0.51 [0.34, 0.65]
    >>> print(gap_recovered(student, baseline, [96.6, 96.5, 96.9, 96.4]))
    8.7 [unbounded: any value but -2.1 to 2.5]
    """
    check_level(level)
    arms = {"student": student, "baseline": baseline, "ensemble": ensemble}
    means = {name: set_means(value, name) for name, value in arms.items()}
    if np.ndim(ensemble) != 1:
        raise ValueError(f"ensemble has shape {np.shape(ensemble)}; give one value a set, (S,).")
    check_same_scale(means)
    sizes = {name: m.size for name, m in means.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the numbers of sets differ, {sizes}; the first axis must be the sets.")
    size = sizes["student"]
    a, b = means["student"] - means["baseline"], means["ensemble"] - means["baseline"]
    covariance = np.cov(a, b, ddof=1) / size
    if test_covariance is not None:
        shared = as_array(test_covariance, "test_covariance", (2,))
        if shared.shape != (3, 3):
            raise ValueError(
                f"test_covariance has shape {shared.shape}; it must be (3, 3), in the order "
                "student, baseline, ensemble."
            )
        contrast = np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0]])
        covariance = covariance + contrast @ shared @ contrast.T
    freedom: float
    if method == "fieller":
        quantile, freedom = t_quantile(level, size - 1), size - 1
    elif method == "bootstrap":
        quantile, freedom = _bootstrap_quantile(a, b, level, num_resamples, seed), math.nan
    else:
        raise ValueError(f'method is {method!r}; it must be "fieller" or "bootstrap".')
    found = _fieller(float(a.mean()), float(b.mean()), covariance, quantile, level, size, freedom)
    return replace(found, caution=_caution_of_ratio(a, b, covariance, method))


def _caution_of_ratio(a: Array, b: Array, covariance: Array, method: str) -> str:
    """Judge what Fieller's test is of, at the ratio that was found: the set means of a - r b."""
    if not b.mean():
        return ""
    direction = np.array([1.0, -a.mean() / b.mean()])
    means = direction @ np.stack([a, b])
    variance = float(direction @ covariance @ direction)
    between = float(means.var(ddof=1)) / means.size
    skewness = (between / variance if variance > 0 else 0.0) ** 1.5 * _skewness(means)
    way_out = 'method="bootstrap"' if method == "fieller" else ""
    return _caution_of_skew(means.size, way_out) if _is_skewed(means, skewness) else ""


def gap_recovered_one_run(
    student_correct: ArrayLike,
    baseline_correct: ArrayLike,
    ensemble_correct: ArrayLike,
    *,
    level: float = 0.95,
) -> RatioEstimate:
    """Estimate the gap recovered from one student, one baseline and one ensemble.

    Fieller's region with the `N` test samples as the clusters: the covariance of the paired
    per-sample differences takes the place of the one between sets. It speaks about *these* three
    trained models on new samples; what another seed or another teacher set would give, it cannot
    see. On few samples it is often unbounded.

    Derived in chapter 00.

    Parameters
    ----------
    student_correct, baseline_correct, ensemble_correct : array_like of bool or 0/1, shape (N,)
        Whether each model is right on each sample, same order. Probabilities of being right (under
        an exact posterior) do as well.
    level : float
        Confidence level.

    Returns
    -------
    RatioEstimate

    Raises
    ------
    ValueError
        Shapes that differ, or values outside 0 to 1.

    Examples
    --------
    The article's three accuracies on 1,000 samples, with the least disagreement they allow:

    >>> right = [np.arange(1000) < k for k in (972, 965, 978)]
    >>> print(gap_recovered_one_run(*right))
    0.54 [0.22, 0.86]
    """
    check_level(level)
    arms = {
        "student_correct": student_correct,
        "baseline_correct": baseline_correct,
        "ensemble_correct": ensemble_correct,
    }
    columns = [as_array(value, name, (1,)) for name, value in arms.items()]
    for name, column in zip(arms, columns, strict=True):
        check_correct(column, name)
    sizes = [c.size for c in columns]
    if len(set(sizes)) > 1 or sizes[0] < 2:
        raise ValueError(f"the arms have {sizes} samples; give all three the same two or more.")
    student, baseline, ensemble = columns
    a, b = student - baseline, ensemble - baseline
    n = sizes[0]
    return _fieller(
        float(a.mean()),
        float(b.mean()),
        np.cov(a, b) / n,
        t_quantile(level, n - 1),
        level,
        n,
        n - 1,
    )


def _fieller(
    a: float, b: float, covariance: Array, q: float, level: float, n: int, freedom: float
) -> RatioEstimate:
    """Solve Fieller's inequality: ``lead r^2 - 2 mid r + tail <= 0``."""
    vaa, vbb, vab = float(covariance[0, 0]), float(covariance[1, 1]), float(covariance[0, 1])
    value = a / b if b else math.nan
    delta = a * a * vbb + b * b * vaa - 2 * a * b * vab  # the delta method's variance times b^4
    error = ratio_or_inf(math.sqrt(max(delta, 0.0)), b * b)
    low, high = -math.inf, math.inf
    region: Literal["bounded", "exclusive", "whole line"] = "whole line"
    excluded = None
    if math.isfinite(q):
        lead, mid = b * b - q * q * vbb, a * b - q * q * vab
        # mid^2 - lead * tail, multiplied out so that nothing large cancels
        root = q * math.sqrt(max(delta - q * q * (vaa * vbb - vab * vab), 0.0))
        if lead > 0:
            region, low, high = "bounded", (mid - root) / lead, (mid + root) / lead
        elif lead < 0 and root > 0:
            region, excluded = "exclusive", ((mid + root) / lead, (mid - root) / lead)
    return RatioEstimate(
        value,
        low,
        high,
        level,
        n,
        error,
        freedom,
        numerator=a,
        denominator=b,
        covariance=(vaa, vbb, vab),
        region=region,
        excluded=excluded,
    )


def _bootstrap_quantile(a: Array, b: Array, level: float, num_resamples: int, seed: int) -> float:
    """Return the quantile of |T| for the mean of a - ratio * b over resampled sets."""
    if a.size < 5:
        raise ValueError(f'there are {a.size} sets; the bootstrap needs 5, use method="fieller".')
    if num_resamples < 100:
        raise ValueError(f"num_resamples is {num_resamples}; it must be 100 or more.")
    residual = b.mean() * a - a.mean() * b  # the ratio cleared of its denominator; mean zero
    if not residual.any():
        return t_quantile(level, a.size - 1)  # nothing varies; any quantile gives the same point
    rows = np.random.default_rng(seed).integers(0, a.size, size=(num_resamples, a.size))
    drawn = residual[rows]
    # a resample of one set alone has no spread: it counts as infinitely far out
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(drawn.mean(axis=1)) / (drawn.std(axis=1, ddof=1) / math.sqrt(a.size))
    statistic = np.sort(np.where(np.isnan(statistic), np.inf, statistic))
    return float(statistic[min(math.ceil(level * (num_resamples + 1)), num_resamples) - 1])


# One run --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class McNemar:
    """McNemar's test on two models' paired predictions; see `mcnemar`.

    Attributes
    ----------
    only_a, only_b : int
        Samples that A alone, and B alone, got right.
    n : int
        Samples in all.
    p : float
        Two-sided mid-p value.
    difference : PairedProportions
        Accuracy of A minus accuracy of B, a fraction, with Tango's interval.
    """

    only_a: int
    only_b: int
    n: int
    p: float
    difference: PairedProportions


def mcnemar(correct_a: ArrayLike, correct_b: ArrayLike, *, level: float = 0.95) -> McNemar:
    r"""Compare two models on the same test samples.

    Only the samples on which exactly one model is right tell them apart: `b` where A alone is, `c`
    where B alone is. If the models are equally good, `b` is binomial(`b` + `c`, 1/2), and the
    two-sided mid-p value is

    .. math:: p = 2 \left[ P(X \le \min(b, c)) - \tfrac12 P(X = \min(b, c)) \right]

    (:math:`1 - \tfrac12 P(X = b)` where `b` = `c`; 1 where no sample tells them apart).

    The difference (`b` - `c`) / `N` has Tango's score interval: the differences :math:`\delta` with
    :math:`|b - c - N \delta| \le z \sqrt{N (2 \tilde q + \delta (1 - \delta))}`, where
    :math:`\tilde q` is the likeliest rate of `c` given :math:`\delta`. It speaks about these two
    trained models, not about the methods that made them. The p-value and the interval come from
    different tests (binomial and score) and can disagree at the edge.

    Derived in chapter 00.

    Parameters
    ----------
    correct_a, correct_b : array_like of bool or 0/1, shape (N,)
        Whether each model is right on each sample, same order.
    level : float
        Confidence level of the interval.

    Returns
    -------
    McNemar

    Raises
    ------
    ValueError
        Shapes that differ, or values other than 0 and 1.

    References
    ----------
    M. W. Fagerland, S. Lydersen, P. Laake (2013), The McNemar test for binary matched-pairs data:
    mid-p and asymptotic are better than exact conditional, BMC Med. Res. Methodol. 13:91.
    T. Tango (1998), Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design, Statistics in Medicine 17, 891-908.

    Examples
    --------
    Airway hyper-responsiveness of 21 children, as in Fagerland et al.:

    >>> before, after = [1] * 2 + [0] * 19, [1, 0] + [1] * 7 + [0] * 12
    >>> result = mcnemar(before, after)
    >>> result.only_a, result.only_b, round(result.p, 4)
    (1, 7, 0.0391)
    """
    check_level(level)
    a, b = as_array(correct_a, "correct_a", (1,)), as_array(correct_b, "correct_b", (1,))
    for column, name in ((a, "correct_a"), (b, "correct_b")):
        check_correct(column, name)
        if not np.isin(column, (0.0, 1.0)).all():
            raise ValueError(f"{name} holds values other than 0 and 1; McNemar counts samples.")
    if a.size != b.size or a.size == 0:
        raise ValueError(f"the models have {a.size} and {b.size} samples; give both the same ones.")
    n, only_a, only_b = a.size, int((a > b).sum()), int((b > a).sum())
    discordant, least = only_a + only_b, min(only_a, only_b)
    p = 2 * binom.cdf(least, discordant, 0.5) - binom.pmf(least, discordant, 0.5)
    if only_a == only_b:  # both tails hold the observed table
        p = 1 - 0.5 * binom.pmf(least, discordant, 0.5) if discordant else 1.0
    value = (only_a - only_b) / n
    z = t_quantile(level, math.inf)

    def excess(delta: float, target: float) -> float:
        return _tango(delta, only_a, only_b, n) - target

    # the statistic falls from +inf at -1 to -inf at 1
    edge = 1 - 1e-12
    low = -1.0 if value == -1 else brentq(excess, -edge, value, args=(z,), xtol=1e-12)
    high = 1.0 if value == 1 else brentq(excess, value, edge, args=(-z,), xtol=1e-12)
    error = math.sqrt(max(discordant - (only_a - only_b) ** 2 / n, 0.0)) / n
    difference = PairedProportions(
        value, low, high, level, n, error, math.inf, only_a=only_a, only_b=only_b
    )
    return McNemar(only_a, only_b, n, float(p), difference)


def _tango(delta: float, only_a: int, only_b: int, n: int) -> float:
    """Tango's score statistic; `q` is the likeliest rate of "B alone" under `delta`."""
    mid = -only_a - only_b + (2 * n - only_a + only_b) * delta
    tail = -only_b * delta * (1 - delta)
    root = math.sqrt(max(mid * mid - 8 * n * tail, 0.0))
    # the larger root, in the form that does not cancel
    q = (root - mid) / (4 * n) if mid <= 0 else -2 * tail / (root + mid)
    variance = n * max(2 * q + delta * (1 - delta), 0.0)
    return ratio_or_inf(only_a - only_b - n * delta, math.sqrt(variance))


def nadeau_bengio(
    differences: ArrayLike,
    train_size: int,
    test_size: int,
    *,
    level: float = 0.95,
    unit: str = "",
) -> Estimate:
    r"""Estimate a mean difference from repeated cross-validation.

    The corrected resampled t interval. The `J` differences share training samples, so their plain
    variance over `J` is far too small. Nadeau and Bengio take their correlation to be
    :math:`n_2 / (n_1 + n_2)`, which gives

    .. math:: \bar d \pm t_{J-1} \sqrt{\left(\frac1J + \frac{n_2}{n_1}\right) s^2}

    That correlation is an assumption: the interval is exact for normal differences that have it,
    and close where it is close. More repeats do not shrink it below :math:`n_2 / n_1`.

    Parameters
    ----------
    differences : array_like, shape (J,)
        One difference a fold, all repeats together.
    train_size, test_size : int
        Samples in the training part and in the held-out part of one fold.
    level : float
        Confidence level.
    unit : str
        Unit of `differences`.

    Returns
    -------
    Estimate
        Its `n` is `J`.

    References
    ----------
    C. Nadeau, Y. Bengio (2003), Inference for the generalization error, Machine Learning 52,
    239-281.

    Examples
    --------
    >>> print(nadeau_bengio([0.8, 0.2, 0.5, 0.6, 0.4], 1437, 360, unit="points"))
    0.50 [0.08, 0.92] points
    """
    check_level(level)
    values = as_array(differences, "differences", (1,))
    if values.size < 2:
        raise ValueError(f"differences holds {values.size}; give two folds or more.")
    for name, size in (("train_size", train_size), ("test_size", test_size)):
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be 1 or more, the samples of one fold.")
    count, value = values.size, float(values.mean())
    error = math.sqrt((1 / count + test_size / train_size) * float(values.var(ddof=1)))
    half = t_quantile(level, count - 1) * error
    return Estimate(value, value - half, value + half, level, count, error, count - 1, unit)

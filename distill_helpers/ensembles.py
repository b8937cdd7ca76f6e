"""What an ensemble gains, and what its members' variance is made of.

Two losses have a sum rule each, and the pool that belongs to it: log-loss the geometric pool,
squared loss (the Brier score) the arithmetic one. The loss of the pool is the mean loss of the
members less their mean divergence from the pool, the ambiguity. The same rule once more, over
training sets, parts the expected loss into noise, bias and variance.

Shapes: `S` training sets, `M` members, `N` samples, `C` classes, in this order. Everything is
computed in float64. Derived in chapter 01.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill_helpers import _checks
from distill_helpers.statistics import Estimate, jackknife

LOSSES = ("log", "squared")


@dataclass(frozen=True)
class Ambiguity:
    """The loss of an ensemble, taken apart: ``ensemble = members - ambiguity``.

    Attributes
    ----------
    ensemble : Tensor
        Loss of the pool, float64 ``(N,)``.
    members : Tensor
        Mean loss of the members, float64 ``(N,)``.
    ambiguity : Tensor
        Mean divergence of the members from the pool, 0 or more, float64 ``(N,)``. It needs no
        labels.
    """

    ensemble: Tensor
    members: Tensor
    ambiguity: Tensor


def ambiguity_decomposition(logits: Tensor, targets: Tensor, loss: str = "log") -> Ambiguity:
    r"""Take the loss of an ensemble apart, sample by sample.

    With members :math:`p_m = \mathrm{softmax}(v_m)`, log-loss and the geometric pool
    :math:`\bar p`, or squared loss and the arithmetic pool:

    .. math::

        -\log \bar p_y &= \frac{1}{M} \sum_m -\log p_{m,y}
            - \frac{1}{M} \sum_m \mathrm{KL}(\bar p \,\|\, p_m) \\
        \|\bar p - e_y\|^2 &= \frac{1}{M} \sum_m \|p_m - e_y\|^2
            - \frac{1}{M} \sum_m \|p_m - \bar p\|^2

    Parameters
    ----------
    logits
        ``(M, N, C)``. Log-probabilities are logits too.
    targets
        Labels ``(N,)``, or the exact posterior ``(N, C)``: losses are then expectations over labels
        drawn from it.
    loss
        ``"log"`` (nats) or ``"squared"`` (summed over classes, as `metrics.brier_score`).

    Returns
    -------
    Ambiguity
        Three parts, each computed by its own formula.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, a value is out of bounds, or the loss is unknown.

    Notes
    -----
    Krogh and Vedelsby (1995) for squared loss; Heskes (1998) and Wood et al. (2023) for log-loss.
    Derived in chapter 01.

    Examples
    --------
    >>> v = torch.tensor([[[2.0, 0.0]], [[0.0, 0.0]]])
    >>> parts = ambiguity_decomposition(v, torch.tensor([0]))
    >>> parts.ensemble, parts.members - parts.ambiguity
    (tensor([0.3133], dtype=torch.float64), tensor([0.3133], dtype=torch.float64))
    """
    logits = _members(logits)
    _check_loss(loss)
    y = _checks.targets(targets, logits, "targets")
    if y.ndim == 1:
        y = torch.nn.functional.one_hot(y, logits.shape[-1])
    y = y.double() / y.double().sum(-1, keepdim=True)
    points = torch.log_softmax(logits.double(), -1)
    if loss == "squared":
        points = points.exp()
    pool = _centre(points, loss)
    return Ambiguity(
        ensemble=_expected_loss(pool, y, loss),
        members=_expected_loss(points, y, loss).mean(0),
        ambiguity=_divergence(pool, points, loss).mean(0),
    )


@dataclass(frozen=True)
class BiasVariance:
    """The expected loss of a member, taken apart: ``noise + bias + variance``.

    Attributes
    ----------
    noise : Tensor
        What the posterior itself would score, float64 ``(N,)``.
    bias : Tensor
        Divergence of the centre of all members from the posterior, float64 ``(N,)``.
    variance : Tensor
        Mean divergence of the members from the centre, float64 ``(N,)``; ``between + within``.
    between : Tensor
        Mean divergence of the training sets' own centres from the centre, float64 ``(N,)``.
    within : Tensor
        Mean divergence of the members from their training set's centre, float64 ``(N,)``: the
        expected ambiguity, which pooling takes away.
    """

    noise: Tensor
    bias: Tensor
    variance: Tensor
    between: Tensor
    within: Tensor


def bias_variance(probabilities: Tensor, posterior: Tensor, loss: str = "log") -> BiasVariance:
    r"""Take the expected loss of a member apart, sample by sample.

    With the posterior :math:`p^\ast`, members :math:`p_{sm}`, the centre :math:`c_s` of a training
    set's members and the centre :math:`c` of all,

    .. math::

        \mathrm{E}\,\mathrm{CE}(p^\ast, p_{sm}) = \mathrm{H}(p^\ast) + \mathrm{KL}(p^\ast \| c)
            + \underbrace{\mathrm{E}\,\mathrm{KL}(c \| c_s)}_{\text{between}}
            + \underbrace{\mathrm{E}\,\mathrm{KL}(c_s \| p_{sm})}_{\text{within}}

    for log-loss, where centres are normalised geometric means; for squared loss the same with
    squared distances, arithmetic means, and :math:`\sum_c p^\ast_c (1 - p^\ast_c)` for the noise.

    Parameters
    ----------
    probabilities
        ``(S, M, N, C)``: training sets, members, samples, classes. For log-loss above 0.
    posterior
        Exact, ``(N, C)``.
    loss
        ``"log"`` (nats) or ``"squared"`` (summed over classes, as `metrics.brier_score`).

    Returns
    -------
    BiasVariance
        Five parts, each computed by its own formula. An ensemble of a training set's members has
        the expected loss ``noise + bias + between``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, a value is out of bounds, or the loss is unknown.

    Notes
    -----
    The sums hold exactly for the given sample, but its parts are biased estimates of what they
    would be over all training sets and seeds: the centre was fitted to the sample. For squared
    loss, with true variances :math:`\sigma_b^2` between and :math:`\sigma_w^2` within,

    .. math::

        \mathrm{E}[\text{within}] = \bigl(1 - \tfrac{1}{M}\bigr) \sigma_w^2, \qquad
        \mathrm{E}[\text{between}] = \bigl(1 - \tfrac{1}{S}\bigr)
            \bigl(\sigma_b^2 + \tfrac{\sigma_w^2}{M}\bigr),

    and the bias is too large by :math:`(\sigma_b^2 + \sigma_w^2 / M) / S`. `variance_components`
    gives unbiased ones. For log-loss the same holds to first order.

    The two-level split needs no weights beyond equal numbers of members: the logarithm of
    :math:`c_s` is the mean of its members' logarithms less a constant, and constants cancel when
    the centres are normalised. Wood et al. (2023). Derived in chapter 01.

    Examples
    --------
    >>> p = torch.tensor([0.9, 0.6, 0.8, 0.3], dtype=torch.float64).view(2, 2, 1)
    >>> parts = bias_variance(torch.stack([p, 1 - p], -1), torch.tensor([[0.7, 0.3]]), "squared")
    >>> round(float(parts.noise + parts.bias + parts.variance), 4)
    0.53
    >>> round(float(parts.variance), 4), round(float(parts.between + parts.within), 4)
    (0.105, 0.105)
    """
    _check_loss(loss)
    probabilities = _sets(probabilities, loss)
    p = _checks.probabilities(posterior, "posterior").detach().double()
    if p.shape != probabilities.shape[2:]:
        raise ValueError(
            f"posterior has shape {tuple(p.shape)} and probabilities "
            f"{tuple(probabilities.shape)}; posterior must be {tuple(probabilities.shape[2:])}. "
            f"Take both from the same rows."
        )
    p = p / p.sum(-1, keepdim=True)
    # One training set at a time spares memory.
    centres = torch.stack([_centre(_points(q, loss), loss) for q in probabilities])
    centre = _centre(centres, loss)
    sets = len(probabilities)
    variance, within = torch.zeros_like(p[:, 0]), torch.zeros_like(p[:, 0])
    for q, own_centre in zip(probabilities, centres, strict=True):
        points = _points(q, loss)
        variance += _divergence(centre, points, loss).mean(0) / sets
        within += _divergence(own_centre, points, loss).mean(0) / sets
    if loss == "log":
        noise, bias = torch.special.entr(p).sum(-1), (torch.xlogy(p, p) - p * centre).sum(-1)
    else:
        noise, bias = (p * (1 - p)).sum(-1), (p - centre).square().sum(-1)
    between = _divergence(centre, centres, loss).mean(0)
    return BiasVariance(noise, bias, variance, between, within)


@dataclass(frozen=True)
class VarianceComponents:
    r"""Where the variance of an output at a fixed input comes from.

    Attributes
    ----------
    between : Estimate
        :math:`\mathrm{Var}_S(\mathrm{E}[f \mid S])`, the training set's: all its members share it.
    within : Estimate
        :math:`\mathrm{E}_S(\mathrm{Var}[f \mid S])`, the members' own.
    total : Estimate
        Their sum, the variance :math:`s^2` of one member.
    rho : Estimate
        ``between / total``, the correlation of two members of one training set.
    """

    between: Estimate
    within: Estimate
    total: Estimate
    rho: Estimate

    def of_mean(self, m: int) -> float:
        r"""Return the variance of the mean of m members, :math:`\rho s^2 + (1 - \rho) s^2 / m`."""
        rho, total = self.rho.value, self.total.value
        return rho * total + (1 - rho) * total / m


def variance_components(values: Tensor) -> VarianceComponents:
    r"""Estimate the variance of an output between training sets and within them, without bias.

    The analysis of variance of :math:`f_{sm}`, at each fixed input (and class):

    .. math::

        \hat\sigma_w^2 = \frac{1}{S (M-1)} \sum_{s,m} (f_{sm} - \bar f_s)^2, \qquad
        \hat\sigma_b^2 = \frac{1}{S-1} \sum_s (\bar f_s - \bar f)^2 - \frac{\hat\sigma_w^2}{M}

    Each is averaged over inputs and summed over classes.

    Parameters
    ----------
    values
        Outputs at fixed inputs, ``(S, M, N)`` or ``(S, M, N, C)``: probabilities, logits, or any
        other numbers. Three training sets or more, two members or more. Members of one training
        set must differ in their seed alone, and share no seed with those of another set.

    Returns
    -------
    VarianceComponents
        Intervals by the jackknife over training sets (`statistics.jackknife`), for these inputs.

    Raises
    ------
    TypeError
        If `values` is no floating-point tensor.
    ValueError
        If its shape is too small, a value is not finite, or nothing varies.

    Notes
    -----
    The estimate of `between` may be negative where the truth is near 0. It is left so, for cutting
    it off would bias it (and `total`, and `rho`) upwards. Fewer training sets, or outputs that
    move together at all inputs, make the intervals too short: with 20 sets and a single input,
    nominal 95 % covers about 88 %. Used in chapter 01.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> shared = torch.randn(20, 1, 500, generator=generator)
    >>> own = 2 * torch.randn(20, 8, 500, generator=generator)
    >>> parts = variance_components(shared + own)  # true values 1, 4 and 1 / 5
    >>> parts.between.contains(1), parts.within.contains(4), parts.rho.contains(0.2)
    (True, True, True)
    """
    values = _outputs(values)
    sets, members = values.shape[:2]
    if members < 2:
        raise ValueError(
            f"values has shape {tuple(values.shape)}; the second axis must hold two members or "
            f"more, for one says nothing about the spread of members. Train more."
        )
    squares = [_summed(f.double().var(0)) for f in values]
    means = torch.stack([f.double().mean(0) for f in values])
    within = _with_each_left_out(np.array(squares), sets, 0)
    between = _with_each_left_out(_squares_between(means), sets, 1) - within / members
    total = between + within
    if not (total > 1e-12 * total[0]).all():  # rounding leaves no exact 0
        raise ValueError(
            "values vary in fewer than two training sets; there is no variance to take apart. "
            "Look whether all members are the same network."
        )
    parts = (between, within, total, between / total)
    return VarianceComponents(*(jackknife(part[0], part[1:]) for part in parts))


def variance_of_mean(values: Tensor, sizes: Sequence[int]) -> dict[int, Estimate]:
    r"""Measure the variance over training sets of the mean of m members, for each m of `sizes`.

    The members of each training set are dealt into groups of m, in order, none in two groups. The
    variance over sets of one group's mean (divisor S - 1) is averaged over groups and inputs, and
    summed over classes. Nothing is assumed about how it falls with m: beside it,
    `VarianceComponents.of_mean` is the law.

    Parameters
    ----------
    values
        As in `variance_components`.
    sizes
        Members to average, each from 1 to M.

    Returns
    -------
    dict of int to Estimate
        By size; unbiased, with intervals by the jackknife over training sets.

    Raises
    ------
    TypeError
        If `values` is no floating-point tensor, or a size is no integer.
    ValueError
        If a shape, a value or a size is out of bounds.

    Notes
    -----
    Groups of one training set share it, so they are no replicates: training sets are. Used in
    chapter 01.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> own = torch.randn(20, 8, 500, generator=generator)
    >>> curve = variance_of_mean(own, [1, 4])  # true values 1 and 1 / 4
    >>> curve[1].contains(1), curve[4].contains(0.25)
    (True, True)
    """
    values = _outputs(values)
    sets, members = values.shape[:2]
    measured = {}
    for m in sizes:
        if isinstance(m, bool) or not isinstance(m, int):
            raise TypeError(f"sizes holds {m!r}; each must be an integer from 1 to {members}.")
        if not 1 <= m <= members:
            raise ValueError(
                f"sizes holds {m}; each must be from 1 to {members}, the members of a training "
                f"set. Train more members, or leave it out."
            )
        groups = members // m
        squares = np.zeros(sets)
        for g in range(groups):
            means = torch.stack([f[g * m : (g + 1) * m].double().mean(0) for f in values])
            squares += _squares_between(means) / groups
        variance = _with_each_left_out(squares, sets, 1)
        measured[m] = jackknife(variance[0], variance[1:])
    return measured


def disagreement(logits: Tensor) -> Tensor:
    """Compute the share of samples on which two members predict different classes.

    It is the mean over all pairs of members: 0 where all predict alike.

    Parameters
    ----------
    logits
        ``(M, N, C)``, two members or more.

    Returns
    -------
    Tensor
        A share from 0 to 1, float64, ``()``.

    Raises
    ------
    TypeError
        If `logits` is no floating-point tensor.
    ValueError
        If there are fewer than two members, or a value is out of bounds.

    Notes
    -----
    Fort et al. (2019) measure the diversity of solutions by it. Used in chapter 01.

    Examples
    --------
    >>> one = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> disagreement(torch.stack([one, one, -one]))  # two of three pairs, on every sample
    tensor(0.6667, dtype=torch.float64)
    """
    logits = _members(logits)
    members, _, classes = logits.shape
    if members < 2:
        raise ValueError("logits holds one member; disagreement needs two or more.")
    votes = torch.nn.functional.one_hot(logits.argmax(-1), classes).sum(0)
    alike = (votes * (votes - 1)).sum(-1).double().mean() / (members * (members - 1))
    return 1 - alike


# A loss's points are what its pool is the mean of: log-probabilities or probabilities.


def _points(probabilities: Tensor, loss: str) -> Tensor:
    p = probabilities.double()
    return torch.log_softmax(p.log(), -1) if loss == "log" else p


def _centre(points: Tensor, loss: str) -> Tensor:
    """Return the centre over the first axis: of all points the one nearest to them on average."""
    mean = points.mean(0)
    return torch.log_softmax(mean, -1) if loss == "log" else mean


def _divergence(centre: Tensor, points: Tensor, loss: str) -> Tensor:
    """Return KL(centre || point), or the squared distance."""
    if loss == "log":
        return (centre.exp() * (centre - points)).sum(-1)
    return (points - centre).square().sum(-1)


def _expected_loss(points: Tensor, y: Tensor, loss: str) -> Tensor:
    """Return the loss at labels drawn from y."""
    if loss == "log":
        return -(y * points).sum(-1)
    return (points - y).square().sum(-1) + (y * (1 - y)).sum(-1)


def _summed(values: Tensor) -> float:
    """Average over inputs ``(N,)`` or ``(N, C)``, and sum over classes."""
    return float(values.sum()) / len(values)


def _squares_between(means: Tensor) -> np.ndarray:
    """Return each set's squared distance ``(S,)`` from the mean of sets."""
    return np.array([_summed((mean - means.mean(0)).square()) for mean in means])


def _with_each_left_out(squares: np.ndarray, sets: int, fitted: int) -> np.ndarray:
    """Return sum / (S - fitted) of all sets, then with each set left out.

    Without set s the mean moves, and the sum of squares around it falls by S / (S - 1) times the
    square of s.
    """
    fall = sets / (sets - 1) if fitted else 1.0
    every = squares.sum() / (sets - fitted)
    return np.array([every, *((squares.sum() - fall * squares) / (sets - 1 - fitted))])


def _check_loss(loss: str) -> None:
    if loss not in LOSSES:
        raise ValueError(f"loss is {loss!r}; it must be 'log' or 'squared'. Use 'log' if unsure.")


def _members(logits: Tensor) -> Tensor:
    return _checks.logits(logits, "logits", members=True).detach()


def _sets(probabilities: Tensor, loss: str) -> Tensor:
    if isinstance(probabilities, Tensor) and probabilities.ndim != 4:
        raise ValueError(
            f"probabilities has shape {tuple(probabilities.shape)}; it must be (S, M, N, C), "
            f"training sets and members first. Add or drop an axis."
        )
    for of_set in probabilities:
        _checks.probabilities(of_set, "probabilities")
    if loss == "log" and not (probabilities > 0).all():
        raise ValueError(
            "probabilities holds 0; with loss='log' each must be above 0, for its log is infinite. "
            "Use torch.softmax(logits.double(), -1)."
        )
    return probabilities.detach()


def _outputs(values: Tensor) -> Tensor:
    if not isinstance(values, Tensor) or not values.is_floating_point():
        kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(f"values is {kind}; it must be a floating-point tensor. Use .float().")
    if values.ndim not in (3, 4) or values.shape[0] < 3 or values.numel() == 0:
        raise ValueError(
            f"values has shape {tuple(values.shape)}; it must be (S, M, N) or (S, M, N, C) with "
            f"three training sets or more. Add an axis, or train on more sets."
        )
    if not torch.isfinite(values).all():
        raise ValueError("values holds numbers that are not finite; find the run that broke.")
    return values.detach()

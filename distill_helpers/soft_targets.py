"""Soft targets: a teacher's probabilities, tempered, and pooled where there are several members.

`soft_targets` is what the book trains with; `pool` adds the pools that chapter 01 compares.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.optimize import brentq
from torch import Tensor

from distill_helpers import _checks

POOLINGS = ("logits", "probabilities")
POOLS = ("geometric", "arithmetic", "power", "median")

Softmax = Callable[[Tensor, int], Tensor]

_BLOCK = 2**20
"""Values that are held in float64 at once."""


def soft_targets(logits: Tensor, temperature: float = 1.0, pooling: str | None = None) -> Tensor:
    r"""Turn a teacher's logits into soft targets.

    For one teacher :math:`p = \mathrm{softmax}(v / T)`. For an ensemble of M members the pooling
    says what is averaged:

    .. math::

        \text{logits:}\quad \mathrm{softmax}\Bigl(\frac{1}{M} \sum_m v_m / T\Bigr)
        \qquad
        \text{probabilities:}\quad \frac{1}{M} \sum_m \mathrm{softmax}(v_m / T)

    Parameters
    ----------
    logits
        Raw outputs, ``(N, C)``; with a pooling ``(M, N, C)``. Log-probabilities are logits too.
        The tokens of texts are rows like any others: ``logits.flatten(0, -2)``.
    temperature
        A finite number above 0; 1 leaves the probabilities as they are, more softens them.
    pooling
        For an ensemble alone. ``"logits"`` averages logits, then tempers (the geometric pool).
        ``"probabilities"`` tempers first, then averages (the arithmetic pool).

    Returns
    -------
    Tensor
        Probabilities ``(N, C)``, in the dtype of the logits, detached.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If a value or a shape is out of bounds, or the pooling is unknown.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), section 2. Derived in chapter 02; the poolings in chapter 01.

    Examples
    --------
    >>> import torch
    >>> v = torch.tensor([[[3.0, 0.0]], [[0.0, 0.0]]])
    >>> soft_targets(v[0], temperature=3.0)
    tensor([[0.7311, 0.2689]])
    >>> soft_targets(v, temperature=3.0, pooling="logits")
    tensor([[0.6225, 0.3775]])
    >>> soft_targets(v, temperature=3.0, pooling="probabilities")
    tensor([[0.6155, 0.3845]])
    """
    if pooling is not None:
        _check_choice("pooling", pooling, POOLINGS)
    logits = _checks.logits(logits, "logits", pooling is not None, "pooling='logits'")
    T = float(_checks.temperature(temperature))
    members = logits.detach() if pooling else logits.detach().unsqueeze(0)
    if pooling != "probabilities":
        pooled = _temper(members.mean(0, dtype=torch.float64), T)
    else:  # one member at a time: a float64 copy of a large ensemble would be heavy
        pooled = members.new_zeros(members.shape[1:], dtype=torch.float64)
        for v in members:
            pooled += _temper(v.double(), T) / len(members)
    return pooled.to(logits.dtype)


def fitted_temperature(logits: Tensor, labels: Tensor) -> float:
    r"""Fit the one temperature that calibrates a network's logits on held-out samples.

    .. math:: \min_T \; -\frac1N \sum_i \log \mathrm{softmax}(z_i / T)_{y_i}
        + \frac{(\log T)^2}{2 N}

    The last term is a prior: log T is standard normal. It weighs as much as a sample or two, and
    keeps T finite where every held-out sample happens to be right, which is no evidence that the
    next one will be.

    Parameters
    ----------
    logits
        Raw outputs ``(N, C)``, on samples that the network was not trained on.
    labels
        Class numbers ``(N,)``.

    Returns
    -------
    float
        Above 0.

    Raises
    ------
    TypeError, ValueError
        If logits and labels do not fit each other, or a value is not allowed.

    Notes
    -----
    Guo et al. (2017), section 4.2, without the prior. Used in the deciding study.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[4.0, 0.0]]).repeat(4000, 1)
    >>> y = (torch.arange(4000) % 4 == 3).long()  # class 0 is right in three of four
    >>> torch.softmax(z[0] / fitted_temperature(z, y), 0).round(decimals=3)
    tensor([0.7500, 0.2500])
    """
    logits = _checks.logits(logits, "logits", False, "logits.mean(0)").detach().double()
    labels = _checks.loss_labels(labels, logits.shape, members=False)
    right = logits.gather(1, labels.unsqueeze(1)).mean()

    def slope(log_t: float) -> float:
        """Return the derivative of what is least, by log T."""
        inverse = math.exp(-log_t)
        expected = (torch.softmax(inverse * logits, 1) * logits).sum(1).mean()
        return inverse * float(right - expected) + log_t / len(labels)

    farthest = 1.0
    while slope(-farthest) > 0 or slope(farthest) < 0:
        farthest *= 2
    return math.exp(float(brentq(slope, -farthest, farthest, xtol=1e-10)))


def pool(
    logits: Tensor,
    kind: str = "geometric",
    *,
    order: float | None = None,
    temperature: float = 1.0,
    temper: str = "before",
) -> Tensor:
    r"""Pool the members of an ensemble into one prediction.

    With :math:`p_m = \mathrm{softmax}(v_m / T)`, class by class and then normalised to sum to 1:

    .. math::

        \text{arithmetic:}\; &\frac{1}{M} \sum_m p_m &
        \text{geometric:}\; &\Bigl(\prod_m p_m\Bigr)^{1/M} \\
        \text{power:}\; &\Bigl(\frac{1}{M} \sum_m p_m^r\Bigr)^{1/r} &
        \text{median:}\; &\mathrm{median}_m \, p_m

    The geometric pool is the softmax of the mean logits. The power pool is arithmetic for
    :math:`r = 1` and geometric for :math:`r = 0`; it nears the largest probability of each class as
    r grows, and the smallest as r falls.

    Parameters
    ----------
    logits
        Raw outputs ``(M, N, C)``. Log-probabilities are logits too.
    kind
        ``"arithmetic"``, ``"geometric"``, ``"power"`` or ``"median"``; the median of an even number
        of members is the mean of the middle two.
    order
        The power pool's r, any finite number; for the other kinds leave it out.
    temperature
        A finite number above 0; 1 leaves the probabilities as they are, more softens them.
    temper
        ``"before"`` softens each member, then pools. ``"after"`` pools at temperature 1, then
        softens the pool: :math:`p^{1/T}`, normalised. For the geometric pool both are the same.

    Returns
    -------
    Tensor
        Probabilities ``(N, C)``, in the dtype of the logits, detached.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If a value or a shape is out of bounds, or a name is unknown.

    Notes
    -----
    Computed with logarithms in float64. So a class whose probability rounds to 0 in every member
    still has its share, and medians that are all tiny (each member sure of another class) still
    have a sum to be divided by. Derived in chapter 01.

    Examples
    --------
    >>> import torch
    >>> v = torch.tensor([[0.9, 0.1], [0.5, 0.5]]).log().unsqueeze(1)
    >>> pool(v)
    tensor([[0.7500, 0.2500]])
    >>> pool(v, "arithmetic")
    tensor([[0.7000, 0.3000]])
    >>> pool(v, "power", order=-1)
    tensor([[0.7941, 0.2059]])
    """
    logits = _checks.logits(logits, "logits", members=True).detach()
    T = float(_checks.temperature(temperature))
    _check_choice("kind", kind, POOLS)
    _check_choice("temper", temper, ("before", "after"))
    order = _check_order(order, kind)
    before, after = (T, 1.0) if temper == "before" else (1.0, T)
    rows = max(1, _BLOCK // (logits.shape[0] * logits.shape[2]))
    pooled = []
    for block in logits.split(rows, dim=1):
        log_p = _temper(block.double(), before, torch.log_softmax).clamp_min(-1e300)
        log_pool = _log_median(log_p) if order is None else _log_power_mean(log_p, order)
        pooled.append(_temper(log_pool, after).to(logits.dtype))
    return torch.cat(pooled)


def _log_power_mean(log_p: Tensor, order: float) -> Tensor:
    """Return the log of the power mean over the first axis."""
    mean = log_p.mean(0)
    if order == 0:
        return mean
    # Far from 0 take the largest term out, so that nothing overflows; near 0 the mean, so that
    # nothing cancels.
    largest = log_p.amax(0) if order > 0 else log_p.amin(0)
    terms = order * (log_p - largest)
    far = largest + (torch.logsumexp(terms, 0) - math.log(len(log_p))) / order
    small = order * (log_p - mean)
    near = mean + torch.expm1(small).mean(0).log1p() / order
    return torch.where(small.abs().amax(0) < 1, near, far)


def _log_median(log_p: Tensor) -> Tensor:
    """Return the log of twice the median over the first axis: the two goes with the sum."""
    members = len(log_p)
    ordered = log_p.sort(0).values
    return torch.logaddexp(ordered[(members - 1) // 2], ordered[members // 2])


def _check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(
            f"{name} is {value!r}; it must be one of {', '.join(map(repr, known))}. "
            f"Use {known[0]!r} if unsure."
        )


def _check_order(order: float | None, kind: str) -> float | None:
    """Return the order of the power mean that a kind of pool is; None for the median."""
    if kind != "power":
        if order is not None:
            raise ValueError(f"order is {order!r} for kind {kind!r}; only kind='power' has one.")
        return {"arithmetic": 1.0, "geometric": 0.0}.get(kind)
    if isinstance(order, bool) or not isinstance(order, int | float):
        raise TypeError(
            f"order is {order!r}; kind='power' needs a finite number. Use 1 for the mean of "
            f"probabilities, 0 for the geometric mean."
        )
    if not math.isfinite(order):
        raise ValueError(
            f"order is {order}; it must be finite. Use 1e6 or -1e6 for the largest or smallest."
        )
    return float(order)


def _temper(v: Tensor, temperature: float, softmax: Softmax = torch.softmax) -> Tensor:
    """Return softmax(v / T); the largest logit is taken off first, so nothing overflows."""
    return softmax((v - v.amax(-1, keepdim=True)) / temperature, -1)

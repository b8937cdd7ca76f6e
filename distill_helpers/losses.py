"""The distillation objective and its two parts.

A batch of logits is ``(B, C)``, and each function returns its mean: a scalar. For a stack of M
students that are trained at once pass ``members=True`` and ``(M, B, C)``, for one value a member
``(M,)``. Without it a third axis is refused: it may as well be the tokens of a text. Those are rows
like any others: ``logits.flatten(0, -2)`` and ``labels.flatten()``.

`distillation_loss` checks its arguments. Its parts `tempered_kl` and `cross_entropy` run once a
training step: they look at shapes alone, and know their gradient in closed form. `kl_and_gradient`
and `cross_entropy_and_gradient` hand it to `training.fit` without autograd. `matching_loss` and
`matching_and_gradient` are the same for what may stand in the KL divergence's place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from distill_helpers import _checks


def distillation_loss(
    student_logits: Tensor,
    soft_targets: Tensor,
    labels: Tensor,
    *,
    temperature: _checks.Numbers,
    alpha: _checks.Numbers,
    members: bool = False,
) -> Tensor:
    r"""Weigh soft targets against hard labels.

    .. math::

        L = \alpha\, T^2\, \mathrm{KL}\bigl(p \,\|\, \mathrm{softmax}(z / T)\bigr)
            + (1 - \alpha)\, \mathrm{CE}(z, y)

    with the student's logits :math:`z`, the soft targets :math:`p` (made at the same temperature
    :math:`T`) and the labels :math:`y`. Gradients reach the student alone.

    Parameters
    ----------
    student_logits
        Raw outputs, ``(B, C)``; with `members` ``(M, B, C)``. Log-probabilities are logits too.
    soft_targets
        Probabilities, ``(B, C)``; with `members` also one set a member, ``(M, B, C)``.
    labels
        Class numbers, ``(B,)``; with `members` also one set a member, ``(M, B)``.
    temperature
        A finite number above 0; with `members` also one a member.
    alpha
        The weight of the distillation term, from 0 to 1; with `members` also one a member.
    members
        Whether the first axis of the logits is that of M students.

    Returns
    -------
    Tensor
        The loss in nats, in the logits' dtype: ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If a value or a shape is out of bounds, or probabilities and logits are mixed up.

    See Also
    --------
    distill_helpers.soft_targets.soft_targets : Makes soft targets from a teacher's logits.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), section 2, with alpha on the distillation term and the factor
    :math:`T^2` always present. Derived in chapter 03; the factor in chapter 04.

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
    >>> p = torch.tensor([[0.9, 0.1], [0.4, 0.6]])
    >>> y = torch.tensor([0, 1])
    >>> distillation_loss(z, p, y, temperature=3.0, alpha=0.7)
    tensor(0.5580)

    Two members at once, each with its own temperature:

    >>> two = torch.stack([z, -z])
    >>> distillation_loss(two, p, y, temperature=[1.0, 3.0], alpha=0.7, members=True)
    tensor([0.1970, 3.3480])
    """
    student_logits = _checks.logits(student_logits, "student_logits", members)
    soft_targets = _checks.probabilities(soft_targets, members=None if members else False)
    labels = _checks.loss_labels(labels, student_logits.shape, members=members)
    num_members = len(student_logits) if members else None
    temperature = _checks.temperature(temperature, num_members)
    alpha = _checks.alpha(alpha, num_members)

    # Half precision would overflow to inf, and 0 * inf is NaN.
    z = student_logits.to(torch.promote_types(student_logits.dtype, torch.float32))
    soft = tempered_kl(z, soft_targets, temperature, members=members)
    hard = cross_entropy(z, labels, members=members)
    return (alpha * soft + (1 - alpha) * hard).to(student_logits.dtype)


def tempered_kl(
    student_logits: Tensor,
    soft_targets: Tensor,
    temperature: float | Tensor,
    *,
    members: bool = False,
) -> Tensor:
    r"""Compute the distillation term, with its factor :math:`T^2`.

    .. math::

        \frac{T^2}{B} \sum_{b,c} p_{bc} \log \frac{p_{bc}}{q_{bc}}, \qquad
        q = \mathrm{softmax}(z / T), \qquad
        \frac{\partial}{\partial z_{bc}} = \frac{T}{B} (q_{bc} - p_{bc})

    Cheap: shapes are checked, values are not.

    Parameters
    ----------
    student_logits
        Raw outputs, ``(B, C)``; with `members` ``(M, B, C)``.
    soft_targets
        Probabilities, ``(B, C)``; with `members` also one set a member, ``(M, B, C)``. Each row is
        divided by its sum, for :math:`T^2` would magnify what rounding left over.
    temperature
        A number above 0; with `members` also a tensor ``(M,)``.
    members
        Whether the first axis of the logits is that of M students.

    Returns
    -------
    Tensor
        In nats times :math:`T^2`, in the logits' dtype: ``()`` or ``(M,)``. Computed in float64,
        so exact to about :math:`10^{-16} T^2`, and never negative. It can be differentiated once:
        for a Hessian write the formula out.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), section 2. Derived in chapter 03. For a large :math:`T` and
    logits of zero mean it nears :math:`\frac{1}{2C} \sum_c (z_c - v_c)^2` with the teacher's
    logits :math:`v` (chapter 04).

    Examples
    --------
    >>> import torch
    >>> z = torch.tensor([[1.0, -1.0]])
    >>> v = torch.tensor([[2.0, -2.0]], dtype=torch.float64)
    >>> tempered_kl(z, torch.softmax(v / 1e4, -1), 1e4)
    tensor(0.5000)
    """
    _check_classes(student_logits, soft_targets, "soft_targets", members)
    _check_temperature(student_logits, temperature)
    with torch.no_grad():
        value, gradient = kl_and_gradient(student_logits.mT, soft_targets.mT, temperature)
    return _with_gradient(student_logits, value, gradient)


def matching_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float | Tensor,
    kind: str = "forward KL",
    *,
    members: bool = False,
) -> Tensor:
    r"""Compute how far a student is from its teacher, in one of five ways.

    With :math:`q = \mathrm{softmax}(z / T)`, :math:`p = \mathrm{softmax}(v / T)` and
    :math:`m = (p + q) / 2`, for one sample and :math:`T^2` times:

    .. math::

        \begin{aligned}
        \text{forward KL:} &\quad \mathrm{KL}(p \,\|\, q) \\
        \text{reverse KL:} &\quad \mathrm{KL}(q \,\|\, p) \\
        \text{Jensen-Shannon:} &\quad
            \tfrac12 \mathrm{KL}(p \,\|\, m) + \tfrac12 \mathrm{KL}(q \,\|\, m) \\
        \text{probabilities:} &\quad \textstyle \sum_c (q_c - p_c)^2 \\
        \text{logits:} &\quad \textstyle \frac{1}{2C} \sum_c (z_c / T - v_c / T)^2
        \end{aligned}

    In the last one :math:`T` cancels. Cheap: shapes are checked, values are not.

    Parameters
    ----------
    student_logits
        Raw outputs, ``(B, C)``; with `members` ``(M, B, C)``.
    teacher_logits
        The same of the teacher, ``(B, C)``; with `members` also one set a member, ``(M, B, C)``.
        For an ensemble the mean logits; for probabilities their log, times the temperature if they
        are tempered.
    temperature
        A number above 0; with `members` also a tensor ``(M,)``.
    kind
        One of `MATCHINGS`.
    members
        Whether the first axis of the logits is that of M students.

    Returns
    -------
    Tensor
        The mean over the batch, in the logits' dtype: ``()`` or ``(M,)``. Computed in float64 and
        never negative. It can be differentiated once, for the student's logits alone.

    Raises
    ------
    ValueError
        If shapes do not fit, or the kind is unknown.

    See Also
    --------
    tempered_kl : The forward KL divergence to soft targets that are made already.

    Notes
    -----
    For logits of zero mean "logits" is the limit of the forward and of the reverse KL for a large
    :math:`T`, and four times that of Jensen-Shannon. Ba and Caruana (2014) and Kim et al. (2021)
    match logits. Derived in chapter 03.

    Examples
    --------
    >>> import torch
    >>> z, v = torch.tensor([[1.0, -1.0]]), torch.tensor([[2.0, -2.0]])
    >>> for kind in MATCHINGS:
    ...     print(f"{kind}: {matching_loss(z, v, 1.0, kind):.4f}")
    forward KL: 0.0728
    reverse KL: 0.1296
    Jensen-Shannon: 0.0223
    probabilities: 0.0205
    logits: 0.5000
    """
    if kind not in _MATCHING:
        raise ValueError(
            f"kind is {kind!r}; it must be one of {', '.join(map(repr, MATCHINGS))}. "
            f"Use {MATCHINGS[0]!r} if unsure."
        )
    _check_classes(student_logits, teacher_logits, "teacher_logits", members)
    _check_temperature(student_logits, temperature)
    with torch.no_grad():
        value, gradient = matching_and_gradient(
            student_logits.mT, teacher_logits.mT, temperature, kind
        )
    return _with_gradient(student_logits, value, gradient)


def cross_entropy(logits: Tensor, labels: Tensor, *, members: bool = False) -> Tensor:
    r"""Compute the hard-label term.

    .. math::

        -\frac{1}{B} \sum_b \log \mathrm{softmax}(z_b)_{y_b}

    Cheap: shapes are checked, values are not.

    Parameters
    ----------
    logits
        Raw outputs, ``(B, C)``; with `members` ``(M, B, C)``.
    labels
        Class numbers as int64, ``(B,)``; with `members` also one set a member, ``(M, B)``.
    members
        Whether the first axis of the logits is that of M students.

    Returns
    -------
    Tensor
        In nats, in the logits' dtype: ``()`` or ``(M,)``. It can be differentiated once.

    Raises
    ------
    ValueError
        If shapes do not fit.

    Notes
    -----
    Equals `torch.nn.functional.cross_entropy`, member by member. Derived in chapter 03.

    Examples
    --------
    >>> import torch
    >>> cross_entropy(torch.zeros(3, 4, 10), torch.tensor([0, 1, 2, 3]), members=True)
    tensor([2.3026, 2.3026, 2.3026])
    """
    _check_shapes(logits, labels.shape, "labels", members)
    with torch.no_grad():
        value, gradient = cross_entropy_and_gradient(logits.mT, labels)
    return _with_gradient(logits, value, gradient)


def kl_and_gradient(
    z: Tensor, p: Tensor, temperature: float | Tensor, log_p: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Compute `tempered_kl` and its gradient for logits that lie samples last.

    What a training step needs, and no more: nothing is checked.

    Parameters
    ----------
    z, p
        Logits and soft targets, ``(C, B)`` or ``(M, C, B)``.
    temperature
        A number above 0, or a tensor ``(M,)``.
    log_p
        The second part of `with_log`, where `p` is the first: for targets that are met many times.

    Returns
    -------
    value, gradient : Tensor
        ``()`` or ``(M,)``, and the shape of `z`; both in float64.
    """
    batch = z.shape[-1]
    if isinstance(temperature, Tensor):
        temperature = temperature.to(torch.float64)
        scale: float | Tensor = temperature[..., None, None]
    else:
        scale = temperature
    if log_p is None:
        p, log_p = with_log(p)
    log_q = torch.log_softmax(_samples_last(z, torch.float64) / scale, -2)
    terms = (log_p - log_q).mul_(p)
    value = terms.sum((-2, -1)).mul_(temperature * temperature / batch).clamp_min_(0)
    return value, log_q.exp_().sub_(p).mul_(scale / batch)


def with_log(p: Tensor) -> tuple[Tensor, Tensor]:
    """Return probabilities ``(..., C, B)`` in float64, divided by their sum, and their log."""
    p = _samples_last(p, torch.float64)
    p = p / p.sum(-2, keepdim=True)
    # A class of probability 0 adds 0: the clamp keeps its log finite.
    return p, p.clamp_min(torch.finfo(torch.float64).tiny).log_()


def cross_entropy_and_gradient(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Compute `cross_entropy` and its gradient for logits that lie samples last.

    What a training step needs, and no more: nothing is checked.

    Parameters
    ----------
    z
        Logits, ``(C, B)`` or ``(M, C, B)``.
    labels
        Class numbers as int64, ``(B,)`` or ``(M, B)``.

    Returns
    -------
    value, gradient : Tensor
        ``()`` or ``(M,)``, and the shape of `z`; in float32 or the logits' wider dtype.
    """
    log_q = torch.log_softmax(_samples_last(z, torch.promote_types(z.dtype, torch.float32)), -2)
    index = labels.expand(*z.shape[:-2], z.shape[-1]).unsqueeze(-2)
    batch = z.shape[-1]
    value = log_q.gather(-2, index).sum((-2, -1)).mul_(-1 / batch)
    gradient = log_q.exp_()
    gradient.scatter_add_(-2, index, gradient.new_full((), -1.0).expand(index.shape))
    return value, gradient.mul_(1 / batch)


def matching_and_gradient(
    z: Tensor, v: Tensor, temperature: float | Tensor, kind: str
) -> tuple[Tensor, Tensor]:
    r"""Compute `matching_loss` and its gradient for logits that lie samples last.

    What a training step needs, and no more: nothing is checked. With :math:`l = \log (q / p)` and
    :math:`l' = \log (q / m)` the gradients for :math:`z` are, times :math:`1 / B`,

    .. math::

        T (q - p), \quad
        T q\, (l - \mathrm{E}_q l), \quad
        \tfrac{T}{2} q\, (l' - \mathrm{E}_q l'), \quad
        2 T q\, \bigl((q - p) - \mathrm{E}_q[q - p]\bigr), \quad
        \tfrac{1}{C} (z - v)

    Parameters
    ----------
    z, v
        Logits of student and teacher, ``(C, B)`` or ``(M, C, B)``.
    temperature
        A number above 0, or a tensor ``(M,)``.
    kind
        One of `MATCHINGS`.

    Returns
    -------
    value, gradient : Tensor
        ``()`` or ``(M,)``, and the shape of `z`; both in float64.
    """
    if isinstance(temperature, Tensor):
        temperature = temperature.to(torch.float64)
        scale: float | Tensor = temperature[..., None, None]
    else:
        scale = temperature
    z, v = (_samples_last(x, torch.float64) / scale for x in (z, v))
    terms, slope = _MATCHING[kind](z, v)
    value = terms.sum((-2, -1)).mul_(temperature * temperature / z.shape[-1]).clamp_min_(0)
    return value, slope.mul_(scale / z.shape[-1])


def _forward_kl(z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Return the terms of a distance of tempered logits, and the gradient of their sum."""
    log_q, log_p = torch.log_softmax(z, -2), torch.log_softmax(v, -2)
    p = log_p.exp()
    return p * (log_p - log_q), log_q.exp_() - p


def _reverse_kl(z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    log_q = torch.log_softmax(z, -2)
    return _through_softmax(log_q, log_q - torch.log_softmax(v, -2))


def _jensen_shannon(z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    log_q, log_p = torch.log_softmax(z, -2), torch.log_softmax(v, -2)
    log_m = torch.logaddexp(log_q, log_p) - math.log(2)
    terms, slope = _through_softmax(log_q, log_q - log_m)
    return (terms + log_p.exp() * (log_p - log_m)) / 2, slope / 2


def _probabilities(z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    log_q = torch.log_softmax(z, -2)
    apart = log_q.exp() - torch.softmax(v, -2)
    return apart.square(), 2 * _through_softmax(log_q, apart)[1]


def _logits(z: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    apart = (z - v) / z.shape[-2]
    return apart * (z - v) / 2, apart


def _through_softmax(log_q: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    """Return q times a slope for q, and what softmax makes of it for the logits."""
    q = log_q.exp()
    terms = q * slope
    return terms, terms - q * terms.sum(-2, keepdim=True)


_MATCHING: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "forward KL": _forward_kl,
    "reverse KL": _reverse_kl,
    "Jensen-Shannon": _jensen_shannon,
    "probabilities": _probabilities,
    "logits": _logits,
}
MATCHINGS = tuple(_MATCHING)
"""The kinds of `matching_loss`."""


def _check_classes(logits: Tensor, targets: Tensor, name: str, members: bool) -> None:
    """Let through targets that have a row of as many classes for every row of logits."""
    _check_shapes(logits, targets.shape[:-1], name, members)
    if targets.shape[-1] != logits.shape[-1]:
        raise ValueError(
            f"{name} has {targets.shape[-1]} classes and student_logits has {logits.shape[-1]}; "
            f"they must have the same. Take them from one task."
        )


def _check_temperature(logits: Tensor, temperature: float | Tensor) -> None:
    shape = temperature.shape if isinstance(temperature, Tensor) else torch.Size()
    if shape not in (torch.Size(), logits.shape[:-2]):
        raise ValueError(
            f"temperature has shape {tuple(shape)} and student_logits {tuple(logits.shape)}; it "
            f"must be one number or one a member, (M,). Repeat or cut it to fit."
        )


def _check_shapes(logits: Tensor, shape: torch.Size, name: str, members: bool) -> None:
    """Let through targets of shape ``(B,)`` or ``(M, B)``, classes left aside."""
    _checks.axes(logits.shape, "logits", members)
    if logits.shape[-1] < 2:
        raise ValueError(_checks.one_output(logits.shape, "logits"))
    if shape != logits.shape[:-1] and shape != logits.shape[-2:-1]:
        raise ValueError(
            f"{name} is for {tuple(shape)} samples and the logits are for "
            f"{tuple(logits.shape[:-1])}; they must be the same, or without the members. "
            f"Index both with the same rows."
        )


def _samples_last(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Lay ``(..., C, B)`` out in that order; torch's softmax is then several times faster."""
    # `to` alone would keep the old layout where the dtype fits.
    return x.to(dtype, memory_format=torch.contiguous_format).contiguous()


def _with_gradient(logits: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """Return the value, tied to the logits by its gradient ``(..., C, B)``."""
    if not logits.requires_grad:
        return value.to(logits.dtype)
    return _WithGradient.apply(logits, value.to(logits.dtype), gradient.to(logits.dtype).mT)


class _WithGradient(torch.autograd.Function):
    """A value whose gradient is known already: fewer kernels than autograd's, and exact."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None, None], None, None

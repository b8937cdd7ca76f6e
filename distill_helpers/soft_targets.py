"""Soft targets: a teacher's probabilities, tempered, and pooled where there are several members."""

from __future__ import annotations

import torch
from torch import Tensor

from distill_helpers import _checks

POOLINGS = ("logits", "probabilities")


def soft_targets(logits: Tensor, temperature: float = 1.0, pooling: str = "logits") -> Tensor:
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
        Raw outputs, ``(N, C)``, or ``(M, N, C)`` for an ensemble. Log-probabilities are logits too.
    temperature
        A finite number above 0; 1 leaves the probabilities as they are, more softens them.
    pooling
        ``"logits"`` averages logits, then tempers (the geometric pool). ``"probabilities"``
        tempers first, then averages (the arithmetic pool).

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
    >>> soft_targets(v, temperature=3.0)
    tensor([[0.6225, 0.3775]])
    >>> soft_targets(v, temperature=3.0, pooling="probabilities")
    tensor([[0.6155, 0.3845]])
    """
    logits = _checks.logits(logits, "logits")
    T = float(_checks.temperature(temperature))
    if pooling not in POOLINGS:
        known = ", ".join(map(repr, POOLINGS))
        raise ValueError(
            f"pooling is {pooling!r}; it must be one of {known}. Use 'logits' if unsure."
        )
    members = logits.detach() if logits.ndim == 3 else logits.detach().unsqueeze(0)
    if pooling == "logits":
        pooled = _temper(members.mean(0, dtype=torch.float64), T)
    else:  # one member at a time: a float64 copy of a large ensemble would be heavy
        pooled = members.new_zeros(members.shape[1:], dtype=torch.float64)
        for v in members:
            pooled += _temper(v.double(), T) / len(members)
    return pooled.to(logits.dtype)


def _temper(v: Tensor, temperature: float) -> Tensor:
    """Return softmax(v / T); the largest logit is taken off first, so nothing overflows."""
    return torch.softmax((v - v.amax(-1, keepdim=True)) / temperature, -1)

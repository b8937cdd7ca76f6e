"""Look behind a wrapper that flattens tokens or pixels into rows.

A loss that flattens its logits for one part alone is right on rows and wrong on what the networks
return: a mean over the first axis of ``(B, L, C)`` sums over the tokens. A wrapper hides that. Only
a loss that flattens by itself takes logits with the classes last; one for ``(B, C, L)`` is one for
rows as well, and what it is given in the loop cannot be known.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from distill_helpers.audit._layout import cut
from distill_helpers.audit._setup import Setup
from distill_helpers.audit._structure import tensors_in


def before_flattening(setup: Setup) -> Setup | None:
    """Return the setup without the wrapper, where the loss takes that and says something else.

    Parameters
    ----------
    setup
        As it was handed over, with what its networks answer.

    Returns
    -------
    Setup or None
        None where nothing was flattened, where the loss takes rows alone, or where its value is
        the same in both shapes.
    """
    positions = _flattened_positions(setup)
    if positions is None:
        return None
    shaped = _shaped(setup, positions)
    if shaped is None:
        return None
    try:
        values = [_value(s) for s in (setup, shaped)]
        if setup.C in positions:  # cross_entropy may have taken positions for classes
            _value(shaped, min(s for s in range(1, max(positions)) if s != setup.C))
    except Exception:  # the loss takes rows alone
        return None
    gap = abs(values[0] - values[1])
    return shaped if gap > 1e-3 * max(abs(values[0]), abs(values[1])) else None


def _flattened_positions(setup: Setup) -> tuple[int, ...] | None:
    """Return the axes of the inputs that the rows stand for, ``(B, L)`` or ``(B, H, W)``."""
    if setup.step is not None or setup.kind not in ("logits", "soft targets", "log soft targets"):
        return None
    if setup.layout.axis is None or len(setup.layout.positions) != 1:
        return None
    found = tensors_in(setup.inputs)
    shape = tuple(found[0][1].shape) if found else ()
    if len(shape) < 2 or shape[0] == setup.P:
        return None
    inner = [shape[1 : 1 + count] for count in (1, 2)] + [shape[2:]]
    made = [(shape[0], *axes) for axes in inner if axes]
    return next((p for p in made if math.prod(p) == setup.P), None)


def _shaped(setup: Setup, positions: tuple[int, ...]) -> Setup | None:
    """Return the setup with logits ``(*positions, C)``."""

    def shape(x: Tensor) -> Tensor:
        return x.reshape(*positions, x.shape[-1])

    def wrapped(network: Callable[..., Any]) -> Callable[..., Any]:
        def ask(*args: Any, **kwargs: Any) -> Tensor:
            return shape(network(*args, **kwargs))

        return ask

    labels = None if setup.labels is None else setup.labels.reshape(positions)
    batch: Any = (setup.inputs, labels)
    if setup.cached is not None:
        batch = (*batch, shape(setup.cached))
    if isinstance(setup.batch, Mapping):
        batch = copy.copy(setup.batch)
        batch.update({} if labels is None else {setup.label_key: labels})
    members = [wrapped(member) for member in setup.members]
    try:
        made = Setup(
            wrapped(setup.student),
            members if setup.is_list else (members[0] if members else None),
            batch,
            setup.loss_fn,
            setup.T,
            setup.alpha,
            setup.kind,
            None,
            setup.optimiser,
            setup.predict,
            setup.divergence,
        )
        made.look()
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None
    return made if made.P == setup.P and len(made.layout.positions) > 1 else None


def _value(setup: Setup, inner: int | None = None) -> float:
    """Return the loss at logits that are always the same, row by row."""
    part = cut(setup.layout, torch.arange(setup.B), inner, setup.C)
    rows = math.prod(part.positions)
    generator = torch.Generator().manual_seed(setup.P)
    z, v = (
        torch.randn(rows, classes, generator=generator).to(setup.z.device)
        for classes in (setup.C, setup.teacher_classes)
    )
    y = part.take(setup.y.reshape(setup.layout.positions), setup.layout).flatten()
    with torch.no_grad():
        return float(setup.loss(z, v, y, part))

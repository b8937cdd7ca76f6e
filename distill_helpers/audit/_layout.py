"""One model for every kind of output: rows of logits, each with a weight in both parts of the loss.

Samples, tokens, pixels, and the labels of a sample that may have several: each is a row. A sigmoid
output ``z`` is a row of two classes with logits ``(0, z)``, for there binary cross-entropy is
cross-entropy. A mask, padding, class weights and sample weights are weights of rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from distill_helpers import _checks


@dataclass(frozen=True)
class Layout:
    """How rows of logits stand in a network's output.

    Attributes
    ----------
    positions
        Every axis but that of the classes.
    classes
        Of a row.
    axis
        Of the classes; None where there is one sigmoid per position.
    labels
        ``"numbers"``, ``"distributions"`` (a row of floats per row), ``"binary"``, or ``"none"``.
    """

    positions: tuple[int, ...]
    classes: int
    axis: int | None
    labels: str

    @property
    def rows(self) -> int:
        return math.prod(self.positions)

    def to_rows(self, x: Tensor) -> Tensor:
        """Turn an output into rows ``(P, C)``; leading axes beyond the layout's stay."""
        extra = x.ndim - len(self.positions) - (self.axis is not None)
        lead = x.shape[:extra]
        if self.axis is None:
            x = x.reshape(*lead, -1)
            return torch.stack([torch.zeros_like(x), x], -1)
        return x.movedim(self.axis + extra, -1).reshape(*lead, -1, x.shape[self.axis + extra])

    def from_rows(self, rows: Tensor, positions: tuple[int, ...]) -> Tensor:
        """Turn rows ``(..., P, C)`` into an output; leading axes stay."""
        lead = rows.shape[:-2]
        if self.axis is None:
            return (rows[..., 1] - rows[..., 0]).reshape(*lead, *positions)
        x = rows.reshape(*lead, *positions, rows.shape[-1])
        return x.movedim(-1, self.axis + len(lead))


def layout_of(shape: tuple[int, ...], labels: Tensor | None) -> Layout | None:
    """Find the layout of logits of a shape that goes with these labels; None where none does."""
    ndim = len(shape)
    if ndim == 0:
        return None
    sigmoid = Layout(shape, 2, None, "binary")
    one = ndim == 1 or (shape[1] == 1 if ndim > 2 else shape[-1] == 1)
    axes = {1: [], 2: [1], 3: [2, 1]}.get(ndim, [1, ndim - 1])
    if labels is None:
        if one:
            return Layout(shape, 2, None, "none")
        return Layout(_without(shape, axes[0]), shape[axes[0]], axes[0], "none")
    same = tuple(labels.shape) == shape
    if one and labels.numel() == math.prod(shape):
        return sigmoid
    if same and ndim > 1:
        if labels.is_floating_point() and _are_distributions(labels, axes[0]):
            return Layout(_without(shape, axes[0]), shape[axes[0]], axes[0], "distributions")
        below = labels[labels < 0].unique()  # one number below 0 marks what has no label
        binary = len(below) <= 1 and bool((labels <= 1).all())
        if binary and (ndim > 2 or not bool((labels.sum(-1) == 1).all())):
            return sigmoid
        if binary and ndim == 2:
            return None
    for axis in axes:
        left = _without(shape, axis)
        if shape[axis] > 1 and (
            tuple(labels.shape) == left
            or (
                (labels.ndim <= 2 and 1 in (labels.ndim, *labels.shape[1:]))
                and labels.numel() == math.prod(left)
            )
        ):
            return Layout(left, shape[axis], axis, "numbers")
    return None


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], *shape[axis + 1 :])


def _are_distributions(labels: Tensor, axis: int) -> bool:
    total = labels.double().sum(axis)
    return bool((labels >= 0).all() and ((total - 1).abs() < 1e-3).all())


def row_labels(layout: Layout, labels: Tensor | None) -> Tensor:
    """Return the class number of each row, below 0 where it has none."""
    if labels is None:
        return torch.full((layout.rows,), -1)
    if layout.labels == "distributions":
        assert layout.axis is not None
        return labels.argmax(layout.axis).flatten()
    flat = labels.flatten()
    if layout.labels == "binary":
        marked = (flat != 0) & (flat != 1)
        if bool((marked & (flat > 0) & (flat < 1)).any()):
            raise ValueError(
                "labels of a sigmoid output hold fractions; they must be 0 or 1. Round them for "
                "the audit: the loss is asked with labels of its own."
            )
    elif flat.is_floating_point() or flat.is_complex() or flat.dtype == torch.bool:
        return _checks.labels(flat, layout.classes)
    else:
        marked = (flat < 0) | (flat >= layout.classes)
    beyond = flat[marked & (flat >= 0)].unique()
    # Numbers below 0, and one beyond the classes, mark rows to be left out (-1 an anchor that is
    # ignored, -2 padding, 255 a border): the loop's own loss fails where it does not know them.
    # Several beyond the classes are labels gone wrong.
    if len(beyond) > 1 or bool(marked.all()):
        return _checks.labels(flat.long(), layout.classes)
    return flat.long().where(~marked, -1)


@dataclass(frozen=True)
class Cut:
    """Which part of the batch the loss is asked about.

    Rows may come twice. Positions inside a sample are chosen evenly.
    """

    rows: Tensor
    inner: tuple[Tensor, ...]
    classes: int

    @property
    def positions(self) -> tuple[int, ...]:
        return (len(self.rows), *map(len, self.inner))

    def take(self, x: Any, layout: Layout) -> Any:
        """Cut inputs, labels or features, a tensor or a structure of tensors."""
        if isinstance(x, Mapping):
            return {key: self.take(value, layout) for key, value in x.items()}
        if isinstance(x, tuple) and not hasattr(x, "_fields"):
            return tuple(self.take(value, layout) for value in x)
        whole = layout.positions
        if isinstance(x, list):
            return [x[int(i)] for i in self.rows] if len(x) == whole[0] else x
        if not isinstance(x, Tensor) or x.ndim == 0 or len(x) != whole[0]:
            return x
        x = x[self.rows.to(x.device)]
        for start in (1, 2):
            if self.inner and tuple(x.shape[start : start + len(self.inner)]) == whole[1:]:
                for axis, index in enumerate(self.inner):
                    x = x.index_select(start + axis, index.to(x.device))
                break
        return x


def cut(layout: Layout, rows: Tensor, inner: int | None, classes: int) -> Cut:
    """Cut to some rows, and to no more than `inner` positions along each other axis."""
    kept = []
    for size in layout.positions[1:]:
        count = size if inner is None else min(size, inner)
        kept.append(torch.linspace(0, size - 1, count).round().long())
    return Cut(rows, tuple(kept), classes)

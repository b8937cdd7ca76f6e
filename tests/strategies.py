"""Hypothesis strategies that several test files share."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor

temperatures = st.floats(-3, 4).map(lambda exponent: 10.0**exponent)
alphas = st.sampled_from([0.0, 0.25, 0.7, 1.0])
scales = st.sampled_from([1e-6, 1.0, 30.0, 1e4])


@st.composite
def shapes(draw: st.DrawFn, max_classes: int = 12) -> tuple[int, ...]:
    """Return the shape of a batch of logits: ``(B, C)`` or ``(M, B, C)``."""
    members = draw(st.sampled_from([(), (1,), (3,)]))
    batch = draw(st.integers(1, 6))
    return (*members, batch, draw(st.integers(2, max_classes)))


@st.composite
def logits(draw: st.DrawFn, shape: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Tensor:
    """Return normal logits at a scale from 1e-6 to 1e4."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    return draw(scales) * torch.randn(shape, generator=generator, dtype=dtype)


@st.composite
def probabilities(
    draw: st.DrawFn, shape: tuple[int, ...], dtype: torch.dtype = torch.float64
) -> Tensor:
    """Return probabilities, from uniform ones to rows that hold exact zeros and a one."""
    return torch.softmax(draw(logits(shape, dtype)), -1)


@st.composite
def labels(draw: st.DrawFn, shape: tuple[int, ...], num_classes: int) -> Tensor:
    """Return class numbers."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    return torch.randint(num_classes, shape, generator=generator)

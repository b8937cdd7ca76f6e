"""With two classes a soft target is one number, and three terms of losses collapse (chapter 02)."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import scales, temperatures
from torch import Tensor

from distill_helpers.soft_targets import soft_targets

few = settings(max_examples=30, deadline=None)
TWO = st.integers(0, 2**31 - 1)


def pairs(seed: int, scale: float, rows: int = 50, classes: int = 2) -> tuple[Tensor, Tensor]:
    """Logits of a student and of a teacher, ``(N, C)``, without ties."""
    generator = torch.Generator().manual_seed(seed)
    z, v = scale * torch.randn(2, rows, classes, generator=generator, dtype=torch.float64)
    return z, v


def non_target_kl(z: Tensor, v: Tensor, label: int, T: float) -> Tensor:
    """KL between the wrong classes, renormalised among themselves (Zhao et al. 2022)."""
    wrong = [c for c in range(z.shape[1]) if c != label]
    log_p, log_q = (torch.log_softmax(logits[:, wrong] / T, 1) for logits in (v, z))
    return (log_p.exp() * (log_p - log_q)).sum(1)


def standardised(z: Tensor, correction: int) -> Tensor:
    """Logits less their mean, over their standard deviation (Sun et al. 2024)."""
    return (z - z.mean(1, keepdim=True)) / z.std(1, correction=correction, keepdim=True)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, along the last axis (Huang et al. 2022)."""
    a, b = (x - x.mean(-1, keepdim=True) for x in (a, b))
    return (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))


@few
@given(TWO, scales, temperatures)
def test_a_soft_target_is_one_number_of_one_margin(seed: int, scale: float, T: float) -> None:
    _, v = pairs(seed, scale)
    p = soft_targets(v, T)
    torch.testing.assert_close(p[:, 0], torch.sigmoid((v[:, 0] - v[:, 1]) / T))
    torch.testing.assert_close(p[:, 1], torch.sigmoid((v[:, 1] - v[:, 0]) / T))


@few
@given(TWO, scales, st.sampled_from([0, 1]))
def test_the_non_target_kl_is_zero_with_no_gradient(seed: int, scale: float, label: int) -> None:
    z, v = pairs(seed, scale)
    z.requires_grad_()
    kl = non_target_kl(z, v, label, 3.0)
    (gradient,) = torch.autograd.grad(kl.sum(), z)
    assert not kl.any() and not gradient.any()


def test_with_three_classes_the_non_target_kl_is_alive() -> None:
    z, v = pairs(0, 1.0, classes=3)
    assert non_target_kl(z, v, 0, 3.0).mean() > 0.01


@pytest.mark.parametrize(("correction", "size"), [(0, 1.0), (1, 2**-0.5)])
@few
@given(TWO, scales)
def test_standardised_logits_are_two_constants(
    correction: int, size: float, seed: int, scale: float
) -> None:
    z, _ = pairs(seed, scale)
    expected = size * torch.sign(z[:, :1] - z[:, 1:]) * torch.tensor([1.0, -1.0])
    torch.testing.assert_close(standardised(z, correction), expected.double())


@few
@given(TWO)
def test_no_gradient_passes_standardised_logits(seed: int) -> None:
    z, v = pairs(seed, 1.0)
    z.requires_grad_()
    log_q = torch.log_softmax(standardised(z, 1), 1)
    (gradient,) = torch.autograd.grad((soft_targets(v) * log_q).sum(), z)
    margin = (z[:, 0] - z[:, 1]).abs().detach().unsqueeze(1)
    assert (gradient.abs() * margin).max() < 1e-12  # rounding alone, which grows near a tie
    z3, v3 = pairs(seed, 1.0, classes=3)
    z3.requires_grad_()
    log_q = torch.log_softmax(standardised(z3, 1), 1)
    (alive,) = torch.autograd.grad((soft_targets(v3) * log_q).sum(), z3)
    assert alive.abs().max() > 1e-3


def test_a_tie_is_zero_over_zero() -> None:
    assert standardised(torch.zeros(1, 2), 1).isnan().all()


@few
@given(TWO)
def test_correlation_across_two_classes_is_a_sign(seed: int) -> None:
    z, v = pairs(seed, 1.0)
    same = torch.sign(z[:, 0] - z[:, 1]) * torch.sign(v[:, 0] - v[:, 1])
    torch.testing.assert_close(correlation(z, v), same)
    p, q = torch.softmax(v, 1), torch.softmax(z, 1)
    torch.testing.assert_close(correlation(q, p), same)


def test_correlation_across_the_batch_is_alive() -> None:
    z, v = pairs(0, 1.0)
    z.requires_grad_()
    across = correlation(torch.softmax(z, 1)[:, 0], torch.softmax(v, 1)[:, 0])
    (gradient,) = torch.autograd.grad(across, z)
    assert abs(across.item()) < 0.9 and gradient.abs().max() > 1e-3

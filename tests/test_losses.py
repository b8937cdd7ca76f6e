"""The distillation loss against its closed forms, its limits and an independent implementation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import strategies as own
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from distill_helpers.losses import (
    MATCHINGS,
    cross_entropy,
    cross_entropy_and_gradient,
    distillation_loss,
    kl_and_gradient,
    matching_and_gradient,
    matching_loss,
    tempered_kl,
)
from distill_helpers.soft_targets import soft_targets

few = settings(max_examples=40, deadline=None)


def close(actual: Tensor, expected: Tensor, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


def example(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return student logits that want a gradient, soft targets and labels, all float64."""
    g = torch.Generator().manual_seed(seed)
    z = (2 * torch.randn(shape, generator=g, dtype=torch.float64)).requires_grad_()
    p = torch.softmax(torch.randn(shape, generator=g, dtype=torch.float64), -1)
    return z, p, torch.randint(shape[-1], shape[:-1], generator=g)


def exact_kl(z: Tensor, p: Tensor, temperature: float) -> float:
    """Compute T^2 KL of one batch with 40 digits, the soft targets divided by their sum."""
    with mpmath.workdps(40):
        total = mpmath.mpf(0)
        for z_row, p_row in zip(z.tolist(), p.tolist(), strict=True):
            tempered = [mpmath.mpf(v) / mpmath.mpf(temperature) for v in z_row]
            top = max(tempered)
            log_sum = top + mpmath.log(sum(mpmath.exp(v - top) for v in tempered))
            norm = mpmath.fsum(p_row)
            for v, w in zip(tempered, p_row, strict=True):
                if w > 0:
                    share = mpmath.mpf(w) / norm
                    total += share * (mpmath.log(share) - v + log_sum)
        return float(total * mpmath.mpf(temperature) ** 2 / len(z))


# Identities


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0, 20.0])
def test_alpha_1_is_torch_kl_div_with_batchmean(temperature: float) -> None:
    z, p, y = example(7, 5)
    expected = temperature**2 * F.kl_div(
        F.log_softmax(z / temperature, -1), p, reduction="batchmean"
    )
    close(distillation_loss(z, p, y, temperature=temperature, alpha=1), expected)
    close(tempered_kl(z, p, temperature), expected)


def test_alpha_0_is_torch_cross_entropy() -> None:
    z, p, y = example(7, 5)
    close(distillation_loss(z, p, y, temperature=3, alpha=0), F.cross_entropy(z, y))
    close(cross_entropy(z, y), F.cross_entropy(z, y))


def test_alpha_weighs_the_soft_targets() -> None:
    z, p, y = example(7, 5)
    expected = 0.7 * tempered_kl(z, p, 3.0) + 0.3 * cross_entropy(z, y)
    close(distillation_loss(z, p, y, temperature=3, alpha=0.7), expected)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_at_temperature_1_it_is_cross_entropy_to_the_mixed_label(alpha: float) -> None:
    z, p, y = example(7, 5)
    mixed = alpha * p + (1 - alpha) * F.one_hot(y, 5).double()
    entropy = torch.special.entr(p).sum(-1).mean()
    expected = F.cross_entropy(z, mixed) - alpha * entropy
    close(distillation_loss(z, p, y, temperature=1, alpha=alpha), expected)


def test_one_hot_soft_targets_at_temperature_1_are_hard_labels() -> None:
    z, _, y = example(7, 5)
    close(tempered_kl(z, F.one_hot(y, 5).double(), 1.0), cross_entropy(z, y))


def test_a_student_that_equals_its_teacher_has_no_loss_and_no_gradient() -> None:
    z, _, _ = example(50, 7)
    for temperature in (0.5, 3.0, 1e4):
        loss = tempered_kl(z, torch.softmax(z.detach() / temperature, -1), temperature)
        assert 0 <= loss <= 1e-15 * temperature**2 + 1e-15
        (gradient,) = torch.autograd.grad(loss, z)
        assert gradient.abs().max() <= 1e-16 * temperature


@given(st.integers(0, 10**6))
@few
def test_the_tempered_kl_is_never_negative(seed: int) -> None:
    v = torch.randn(3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert tempered_kl(v, torch.softmax(v / 1e4, -1), 1e4) >= 0


# Limits and extremes


@pytest.mark.parametrize("num_classes", [2, 10])
def test_for_a_large_temperature_it_is_half_the_mean_squared_distance_of_logits(
    num_classes: int,
) -> None:
    z, v, _ = example(16, num_classes)
    v = 5 * v
    z, v = z - z.mean(-1, keepdim=True), v - v.mean(-1, keepdim=True)
    loss = tempered_kl(z, torch.softmax(v / 1e4, -1), 1e4)
    close(loss, (z - v).square().sum(-1).mean() / (2 * num_classes), rtol=2e-3, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-3, 0.1, 1.0, 3.0, 100.0, 1e4])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_the_value_is_exact(
    dtype: torch.dtype, temperature: float, scale: float, num_classes: int
) -> None:
    z, _, _ = example(3, num_classes)
    z = (scale * z).detach().to(dtype)
    p = torch.softmax((z.flip(0) / temperature), -1)  # float32 rows do not quite sum to one
    actual = float(tempered_kl(z, p, temperature))
    rounding = torch.finfo(dtype).eps
    expected = exact_kl(z, p, temperature)
    assert actual == pytest.approx(expected, rel=4 * rounding, abs=2e-15 * max(1, temperature**2))


def test_float32_soft_targets_are_normalised_first() -> None:
    # Left as they are, T^2 = 1e8 would magnify a sum of 1 + 1e-7 into a loss and a drift.
    z = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    p = torch.full((1, 3), 1 / 3, dtype=torch.float64) * (1 + 1e-7)
    loss = tempered_kl(z, p, 1e4)
    assert loss <= 1e-7
    assert torch.autograd.grad(loss, z)[0].abs().max() <= 1e-11


@given(
    st.sampled_from([torch.float32, torch.float64]),
    own.temperatures,
    own.alphas,
    st.sampled_from([2, 3, 1000]),
    st.data(),
)
@few
def test_it_is_finite_at_extremes(
    dtype: torch.dtype, temperature: float, alpha: float, num_classes: int, data: st.DataObject
) -> None:
    shape = (1 if num_classes > 100 else 2, num_classes)
    z = data.draw(own.logits(shape, dtype)).requires_grad_()
    p = data.draw(own.probabilities(shape, dtype))
    y = data.draw(own.labels(shape[:1], num_classes))
    loss = distillation_loss(z, p, y, temperature=temperature, alpha=alpha)
    loss.backward()
    assert z.grad is not None and z.grad.isfinite().all()
    assert loss.isfinite() and loss >= 0
    assert loss.dtype == z.grad.dtype == dtype
    z, loss = z.detach(), loss.detach()
    expected = alpha * exact_kl(z, p, temperature) + (1 - alpha) * float(
        F.cross_entropy(z.double(), y)
    )
    assert float(loss) == pytest.approx(
        expected, rel=1e-5 if dtype == torch.float32 else 1e-11, abs=1e-6 + 1e-14 * temperature**2
    )


def test_exact_zeros_in_the_soft_targets_add_nothing() -> None:
    z, _, _ = example(4, 2)
    zeros = torch.zeros(4, 1, dtype=torch.float64)
    p = torch.softmax(z.detach().flip(0), -1)
    wide_z = torch.cat([z, zeros - 1e6], -1)
    close(tempered_kl(wide_z, torch.cat([p, zeros], -1), 3.0), tempered_kl(z, p, 3.0))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_agrees_with_float32_to_its_own_rounding(dtype: torch.dtype) -> None:
    z64, p64, y = example(3, 16, 5)
    z = z64.detach().to(dtype).requires_grad_()
    p = p64.to(dtype)
    wide = z.detach().float().requires_grad_()
    wide_p = p.float() / p.float().sum(-1, keepdim=True)
    rounding = torch.finfo(dtype).eps
    for alpha, temperature in ((0.7, 3.0), (1.0, 300.0), (0.0, 1.0)):
        loss = distillation_loss(z, p, y, temperature=temperature, alpha=alpha, members=True)
        expected = distillation_loss(
            wide, wide_p, y, temperature=temperature, alpha=alpha, members=True
        )
        assert loss.dtype == dtype
        close(loss.float(), expected, rtol=2 * rounding, atol=0)
        (gradient,) = torch.autograd.grad(loss.sum(), z)
        (wide_gradient,) = torch.autograd.grad(expected.sum(), wide)
        assert gradient.dtype == dtype
        close(gradient.float(), wide_gradient, rtol=4 * rounding, atol=rounding * temperature / 8)
    assert (
        cross_entropy(z, y, members=True).dtype
        == tempered_kl(z, p, 3.0, members=True).dtype
        == dtype
    )
    close(
        cross_entropy(z, y, members=True).float(),
        cross_entropy(wide, y, members=True),
        rtol=2 * rounding,
        atol=0,
    )


def test_half_precision_does_not_turn_0_times_infinity_into_nan() -> None:
    z = torch.tensor([[6e4, -6e4]], dtype=torch.float16, requires_grad=True)
    p = torch.tensor([[0.0, 1.0]], dtype=torch.float16)
    hard = distillation_loss(z, p, torch.tensor([0]), temperature=1e3, alpha=0)
    assert hard == 0 and torch.autograd.grad(hard, z)[0].isfinite().all()
    soft = distillation_loss(z, p.flip(-1), torch.tensor([1]), temperature=1e4, alpha=1)
    assert soft.isfinite()


def test_half_precision_does_not_overflow_in_the_sum_over_the_batch() -> None:
    z = torch.tensor([[2000.0, 0.0]], dtype=torch.float16).repeat(64, 1)
    assert cross_entropy(z, torch.ones(64, dtype=torch.int64)) == 2000


# Gradients


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0, 1e4])
def test_the_gradient_of_the_tempered_kl_is_t_times_q_minus_p(temperature: float) -> None:
    z, p, _ = example(6, 4)
    (gradient,) = torch.autograd.grad(tempered_kl(z, p, temperature), z)
    q = torch.softmax(z / temperature, -1)
    close(gradient, temperature * (q - p) / 6, rtol=1e-10, atol=1e-16 * temperature)


def test_the_gradient_of_the_cross_entropy_is_q_minus_the_label() -> None:
    z, _, y = example(6, 4)
    (gradient,) = torch.autograd.grad(cross_entropy(z, y), z)
    close(gradient, (torch.softmax(z, -1) - F.one_hot(y, 4)) / 6)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3)])
def test_gradients_agree_with_finite_differences(shape: tuple[int, ...]) -> None:
    z, p, y = example(*shape)
    per_member = len(shape) == 3
    temperature = [1.5, 4.0] if per_member else 4.0
    alpha = [0.2, 0.9] if per_member else 0.9
    assert gradcheck(
        lambda z: distillation_loss(
            z, p, y, temperature=temperature, alpha=alpha, members=per_member
        ),
        (z,),
    )
    assert gradcheck(lambda z: tempered_kl(z, p, 2.0, members=per_member).square(), (z,))
    assert gradcheck(lambda z: cross_entropy(z, y, members=per_member).square(), (z,))


def test_gradients_reach_the_student_alone() -> None:
    z, p, y = example(4, 3)
    v = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    p = torch.softmax(v, -1)
    distillation_loss(z, p, y, temperature=3, alpha=0.7).backward()
    assert v.grad is None and z.grad is not None
    assert not tempered_kl(z.detach(), p, 3.0).requires_grad
    assert not cross_entropy(z.detach(), y).requires_grad


def test_alpha_0_and_1_leave_the_other_term_no_gradient() -> None:
    z, p, y = example(4, 3)
    for alpha, alone in ((0, cross_entropy(z, y)), (1, tempered_kl(z, p, 3.0))):
        loss = distillation_loss(z, p, y, temperature=3, alpha=alpha)
        expected = torch.autograd.grad(alone, z)[0]
        assert torch.equal(torch.autograd.grad(loss, z)[0], expected)


def test_a_second_derivative_is_refused_not_wrong() -> None:
    z, p, y = example(4, 3)
    for loss in (tempered_kl(z, p, 3.0), cross_entropy(z, y)):
        (gradient,) = torch.autograd.grad(loss, z, create_graph=True, retain_graph=True)
        with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
            gradient.sum().backward()
        upstream = torch.ones((), dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(loss, z, upstream, create_graph=True)
        with pytest.raises(RuntimeError, match="once_differentiable"):
            gradient.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_backward_pass_is_left_one_multiplication(dtype: torch.dtype) -> None:
    z, p, y = example(3, 4, 3)
    z = z.detach().to(dtype).requires_grad_()
    for loss in (tempered_kl(z, p, 3.0, members=True), cross_entropy(z, y, members=True)):
        (gradient,) = loss.grad_fn.saved_tensors  # type: ignore[union-attr]
        assert gradient.dtype == dtype and gradient.mT.is_contiguous()
    z = z.detach()
    assert (
        tempered_kl(z, p, 3.0, members=True).dtype
        == cross_entropy(z, y, members=True).dtype
        == dtype
    )


def test_samples_lie_together_where_softmax_is_fast() -> None:
    z, p, y = example(3, 4, 2)
    z = z.detach()
    assert z.is_contiguous()
    for value, gradient in (
        kl_and_gradient(z.mT, p.mT, 3.0),
        cross_entropy_and_gradient(z.mT, y),
    ):
        assert value.shape == (3,)
        assert gradient.shape == (3, 2, 4) and gradient.is_contiguous()


@given(own.shapes())
def test_the_step_without_autograd_gives_what_autograd_gives(shape: tuple[int, ...]) -> None:
    z, p, y = example(*shape)
    for (value, gradient), loss in (
        (kl_and_gradient(z.detach().mT, p.mT, 2.5), tempered_kl(z, p, 2.5, members=z.ndim == 3)),
        (cross_entropy_and_gradient(z.detach().mT, y), cross_entropy(z, y, members=z.ndim == 3)),
    ):
        (expected,) = torch.autograd.grad(loss.sum(), z)
        torch.testing.assert_close(value, loss.detach())
        torch.testing.assert_close(gradient.mT, expected)


def test_no_input_is_changed() -> None:
    z, p, y = example(3, 4, 3)
    T = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    before = [x.detach().clone() for x in (z, p, y, T)]
    tempered_kl(z, p, T, members=True).sum().backward()
    cross_entropy(z, y, members=True).sum().backward()
    assert all(torch.equal(x.detach(), old) for x, old in zip((z, p, y, T), before, strict=True))


# Symmetries


@given(own.shapes(), st.floats(-1e3, 1e3), st.data())
@few
def test_a_shift_of_all_logits_changes_nothing(
    shape: tuple[int, ...], shift: float, data: st.DataObject
) -> None:
    z, p, y = example(*shape, seed=data.draw(st.integers(0, 1000)))
    loss = distillation_loss(z + shift, p, y, temperature=3, alpha=0.7, members=z.ndim == 3)
    close(
        loss,
        distillation_loss(z, p, y, temperature=3, alpha=0.7, members=z.ndim == 3),
        rtol=1e-10,
        atol=1e-10,
    )


@given(own.shapes(), st.randoms(use_true_random=False))
@few
def test_the_order_of_classes_and_of_samples_does_not_matter(
    shape: tuple[int, ...], random: object
) -> None:
    z, p, y = example(*shape)
    loss = distillation_loss(z, p, y, temperature=3, alpha=0.7, members=z.ndim == 3)
    order = torch.randperm(shape[-1])
    place = torch.argsort(order)
    permuted = distillation_loss(
        z[..., order], p[..., order], place[y], temperature=3, alpha=0.7, members=z.ndim == 3
    )
    close(permuted, loss)
    rows = torch.randperm(shape[-2])
    permuted = distillation_loss(
        z[..., rows, :],
        p[..., rows, :],
        y[..., rows],
        temperature=3,
        alpha=0.7,
        members=z.ndim == 3,
    )
    close(permuted, loss)


# Members


def test_a_stack_gives_each_member_what_it_gets_alone() -> None:
    z, p, y = example(3, 5, 4)
    T, a = [0.5, 3.0, 20.0], [0.0, 0.7, 1.0]
    together = distillation_loss(z, p, y, temperature=T, alpha=a, members=True)
    assert together.shape == (3,)
    (gradient,) = torch.autograd.grad(together.sum(), z)
    for m in range(3):
        member = z[m].detach().requires_grad_()
        alone = distillation_loss(member, p[m], y[m], temperature=T[m], alpha=a[m])
        assert alone.shape == ()
        close(together[m], alone)
        close(gradient[m], torch.autograd.grad(alone, member)[0])
    for cast in (lambda x: torch.tensor(x, dtype=torch.float64), np.array, tuple):
        close(
            distillation_loss(z, p, y, temperature=cast(T), alpha=cast(a), members=True), together
        )
    parts = tempered_kl(z, p, torch.tensor(T), members=True), cross_entropy(z, y, members=True)
    weight = torch.tensor(a, dtype=torch.float64)
    close(weight * parts[0] + (1 - weight) * parts[1], together)


@pytest.mark.parametrize("shape", [(3, 5, 4), (5, 5, 5), (1, 2, 2)])
def test_members_may_share_soft_targets_labels_temperature_and_alpha(
    shape: tuple[int, ...],
) -> None:
    z, p, y = example(*shape)
    shared = distillation_loss(z, p[0], y[0], temperature=3, alpha=0.7, members=True)
    repeated = distillation_loss(
        z, p[:1].expand(shape), y[:1].expand(shape[:-1]), temperature=3, alpha=0.7, members=True
    )
    close(shared, repeated)
    for m in range(shape[0]):
        close(shared[m], distillation_loss(z[m], p[0], y[0], temperature=3, alpha=0.7))
    scalar = torch.tensor(3.0)
    close(tempered_kl(z, p[0], scalar, members=True), tempered_kl(z, p[0], 3.0, members=True))
    close(tempered_kl(z[0], p[0], scalar), tempered_kl(z, p[0], 3.0, members=True)[0])


def test_one_member_with_huge_logits_leaves_the_others_alone() -> None:
    z, p, y = example(3, 5, 4)
    loud = z.detach().clone()
    loud[1] *= 1e4
    before = distillation_loss(z, p, y, temperature=3, alpha=0.7, members=True)
    after = distillation_loss(loud, p, y, temperature=3, alpha=0.7, members=True)
    assert torch.equal(before[[0, 2]], after[[0, 2]])


def test_non_contiguous_inputs_are_read_rightly() -> None:
    z, p, y = example(3, 5, 4)
    turned = [x.movedim(0, 1).contiguous().movedim(0, 1) for x in (z.detach(), p, y)]
    close(
        distillation_loss(*turned, temperature=3, alpha=0.7, members=True),
        distillation_loss(z, p, y, temperature=3, alpha=0.7, members=True),
    )


# What is refused


Z = torch.tensor([[2.0, -1.0], [0.5, 0.0]])
P = torch.tensor([[0.9, 0.1], [0.4, 0.6]])
Y = torch.tensor([0, 1])

BAD = [
    ({"temperature": 0}, ValueError, r"^temperature is 0; .* above 0\. Use 1 for"),
    ({"temperature": -2.0}, ValueError, r"^temperature is -2; .* above 0"),
    ({"temperature": float("nan")}, ValueError, r"^temperature is nan; .* finite number"),
    ({"temperature": float("inf")}, ValueError, r"^temperature is inf; .* finite number"),
    ({"temperature": "3"}, TypeError, r"^temperature is '3'; .* finite number"),
    ({"temperature": True}, TypeError, r"^temperature is True; .* finite number"),
    ({"temperature": None}, TypeError, r"^temperature is None; .* finite number"),
    ({"temperature": [1.0, "a"]}, TypeError, r"^temperature is \[1.0, 'a'\]; .* finite number"),
    ({"temperature": [1.0, 2.0]}, ValueError, r"^temperature has shape \(2,\); for one network"),
    ({"alpha": 1.5}, ValueError, r"^alpha is 1.5; it must be a number from 0 to 1\. Use 0 for"),
    ({"alpha": -0.1}, ValueError, r"^alpha is -0.1; "),
    ({"alpha": float("nan")}, ValueError, r"^alpha is nan; "),
    ({"alpha": False}, TypeError, r"^alpha is False; "),
    ({"alpha": 1j}, TypeError, r"^alpha is 1j; "),
    ({"student_logits": P}, ValueError, r"^student_logits looks like probabilities .* torch\.log"),
    ({"student_logits": P[:1]}, ValueError, r"^student_logits looks like probabilities"),
    ({"student_logits": torch.eye(2)}, ValueError, r"^student_logits looks like probabilities"),
    ({"student_logits": Z / 0}, ValueError, r"^student_logits holds inf; every value must be fin"),
    ({"student_logits": Z * float("nan")}, ValueError, r"^student_logits holds nan; .* finite"),
    ({"student_logits": Z.long()}, TypeError, r"^student_logits has dtype int64; .*\.float\(\)"),
    ({"student_logits": [[1, 2]]}, TypeError, r"^student_logits is a list; .* torch tensor"),
    ({"student_logits": Z[:, :1]}, ValueError, r"^student_logits has shape \(2, 1\); .* two class"),
    ({"student_logits": Z[0]}, ValueError, r"^student_logits has shape \(2,\); it must be \(N, C"),
    ({"student_logits": Z[:0]}, ValueError, r"^student_logits has shape \(0, 2\); .* one sample"),
    ({"soft_targets": Z}, ValueError, r"^soft_targets holds -1; .* Pass softmax\(logits / temp"),
    ({"soft_targets": 2 * P}, ValueError, r"^soft_targets has a row that sums to 2; .* sum to 1"),
    ({"soft_targets": P[:1]}, ValueError, r"^soft_targets is for \(1,\) samples and the logits"),
    ({"soft_targets": P[None]}, ValueError, r"^soft_targets has shape \(1, 2, 2\); it must be \(N"),
    ({"soft_targets": torch.ones(2, 3) / 3}, ValueError, r"^soft_targets has 3 classes and stud"),
    ({"labels": torch.tensor([0, 2])}, ValueError, r"^labels holds 2; with 2 classes .* 0 to 1"),
    ({"labels": torch.tensor([-1, 0])}, ValueError, r"^labels holds -1; with 2 classes"),
    ({"labels": Y.float()}, TypeError, r"^labels has dtype float32; .* integer class numbers"),
    ({"labels": Y.bool()}, TypeError, r"^labels has dtype bool; .* Use labels\.long\(\)"),
    ({"labels": [0, 1]}, TypeError, r"^labels is a list; .* torch tensor"),
    ({"labels": Y[:1]}, ValueError, r"^labels has shape \(1,\) and the logits \(2, 2\); .* \(2,\)"),
    ({"labels": Y[None]}, ValueError, r"^labels has shape \(1, 2\) .* Use labels\.flatten\(\)"),
    ({"labels": torch.eye(2).long()}, ValueError, r"^labels has shape \(2, 2\) .* labels\.argmax"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_input_is_refused_in_one_line(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    good: dict[str, Any] = {
        "student_logits": Z,
        "soft_targets": P,
        "labels": Y,
        "temperature": 3.0,
        "alpha": 0.7,
    }
    with pytest.raises(error, match=message) as caught:
        distillation_loss(**(good | change))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["temperature", "alpha"])
@pytest.mark.parametrize("value", [[1.0, 0.5], [[1.0, 0.5, 0.2]], torch.ones(1)])
def test_a_value_a_member_needs_one_for_each_member(name: str, value: object) -> None:
    z, p, y = example(3, 5, 4)
    arguments: dict[str, Any] = {"temperature": 3.0, "alpha": 0.7, name: value}
    with pytest.raises(ValueError, match=rf"^{name} has shape .* one a member, \(3,\)"):
        distillation_loss(z, p, y, **arguments, members=True)
    with pytest.raises(ValueError, match=rf"^{name} is 9|^{name} is -9"):
        distillation_loss(
            z, p, y, **(arguments | {name: [0.5, 1.0, -9 if name[0] == "t" else 9]}), members=True
        )


def test_the_parts_check_shapes() -> None:
    z, p, y = example(3, 5, 4)
    with pytest.raises(ValueError, match=r"^temperature has shape \(2,\) and student_logits \(3, "):
        tempered_kl(z, p, torch.ones(2), members=True)
    with pytest.raises(ValueError, match=r"^temperature has shape \(3,\) and student_logits \(5, "):
        tempered_kl(z[0], p[0], torch.ones(3))
    with pytest.raises(ValueError, match=r"^soft_targets has 3 classes and student_logits has 4"):
        tempered_kl(z, p[..., 1:], 3.0, members=True)
    with pytest.raises(ValueError, match=r"^soft_targets is for \(3, 5\) samples .* for \(5,\);"):
        tempered_kl(z[0], p, 3.0)
    with pytest.raises(ValueError, match=r"^labels is for \(3, 4\) samples .* for \(3, 5\);"):
        cross_entropy(z, y[:, 1:], members=True)
    for wrong in (z[0, 0], z[0], z[None]):
        with pytest.raises(ValueError, match=r"^logits has shape .* must be \(M, N, C\)"):
            cross_entropy(wrong, y, members=True)


def test_what_may_be_logits_by_chance_is_let_through() -> None:
    one_row = torch.tensor([[0.0, 1.0]])
    close(
        distillation_loss(one_row, P[:1], Y[:1], temperature=1, alpha=0),
        F.cross_entropy(one_row, Y[:1]),
    )
    some_rows = torch.cat([P, torch.tensor([[3.0, -1.0]])])
    distillation_loss(some_rows, P[[0, 1, 0]], Y[[0, 1, 0]], temperature=1, alpha=0.5)
    many = torch.cat([P.repeat(20, 1), Z])
    distillation_loss(many, P.repeat(21, 1), Y.repeat(21), temperature=1, alpha=0.5)


def test_logits_whose_sum_overflows_are_still_finite() -> None:
    z = torch.full((2, 2), 3e38)
    assert distillation_loss(z, P, Y, temperature=1, alpha=0).isfinite()


# Other ways to match a teacher


def matched(kind: str, z: Tensor, v: Tensor, temperature: float) -> Tensor:
    """Write the formula of the docstring out, in plain torch."""
    q, p = torch.softmax(z / temperature, -1), torch.softmax(v / temperature, -1)
    m = (p + q) / 2

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (a * (a / b).log()).sum(-1)

    apart = {
        "forward KL": lambda: kl(p, q),
        "reverse KL": lambda: kl(q, p),
        "Jensen-Shannon": lambda: kl(p, m) / 2 + kl(q, m) / 2,
        "probabilities": lambda: (p - q).square().sum(-1),
        "logits": lambda: ((z - v) / temperature).square().sum(-1) / (2 * z.shape[-1]),
    }[kind]()
    return temperature**2 * apart.mean(-1)


kinds = pytest.mark.parametrize("kind", MATCHINGS)


@kinds
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(7, 2), (2, 7, 5)])
def test_a_matching_is_its_formula(kind: str, temperature: float, shape: tuple[int, ...]) -> None:
    z, _, _ = example(*shape)
    v = example(*shape, seed=1)[0].detach()
    expected = matched(kind, z, v, temperature)
    actual = matching_loss(z, v, temperature, kind, members=z.ndim == 3)
    close(actual, expected, rtol=1e-10)
    close(
        torch.autograd.grad(actual.sum(), z)[0],
        torch.autograd.grad(expected.sum(), z)[0],
        rtol=1e-9,
        atol=1e-13,
    )


@kinds
def test_gradients_of_matchings_agree_with_finite_differences(kind: str) -> None:
    z, _, _ = example(2, 4, 3)
    v = example(2, 4, 3, seed=1)[0].detach()
    T = torch.tensor([1.5, 4.0], dtype=torch.float64)
    assert gradcheck(lambda z: matching_loss(z, v, T, kind, members=True), (z,))


@kinds
def test_a_matching_is_zero_at_the_teacher_alone(kind: str) -> None:
    z, _, _ = example(50, 4)
    for temperature in (0.5, 3.0, 1e3):
        loss = matching_loss(z, z.detach(), temperature, kind)
        assert 0 <= loss <= 1e-15 * temperature**2
        assert torch.autograd.grad(loss, z)[0].abs().max() <= 1e-15 * temperature
    v = example(50, 4, seed=1)[0].detach()
    assert matching_loss(z, v, 3.0, kind) > 1e-3


def test_forward_matching_is_the_tempered_kl() -> None:
    z, _, _ = example(3, 6, 4)
    v = example(3, 6, 4, seed=1)[0].detach()
    T = torch.tensor([1.0, 3.0, 10.0], dtype=torch.float64)
    p = torch.softmax(v / T[:, None, None], -1)
    close(matching_loss(z, v, T, members=True), tempered_kl(z, p, T, members=True), rtol=1e-10)


def test_reverse_is_forward_with_the_two_exchanged_and_jensen_shannon_is_symmetric() -> None:
    z = example(6, 4)[0].detach()
    v = example(6, 4, seed=1)[0].detach()
    close(matching_loss(z, v, 2.0, "reverse KL"), matching_loss(v, z, 2.0), rtol=1e-12)
    for kind in ("Jensen-Shannon", "probabilities", "logits"):
        close(matching_loss(z, v, 2.0, kind), matching_loss(v, z, 2.0, kind), rtol=1e-12)


def test_jensen_shannon_is_at_most_log_2() -> None:
    z = torch.tensor([[1e4, 0.0]], dtype=torch.float64)
    close(matching_loss(z, -z, 1.0, "Jensen-Shannon"), torch.tensor(np.log(2), dtype=torch.float64))


@pytest.mark.parametrize("num_classes", [2, 10])
def test_for_a_large_temperature_the_divergences_match_logits(num_classes: int) -> None:
    z = example(16, num_classes)[0].detach()
    v = example(16, num_classes, seed=1)[0].detach()
    z, v = z - z.mean(-1, keepdim=True), v - v.mean(-1, keepdim=True)
    limit = matching_loss(z, v, 1.0, "logits")
    for kind, factor in (("forward KL", 1), ("reverse KL", 1), ("Jensen-Shannon", 4)):
        close(factor * matching_loss(z, v, 1e4, kind), limit, rtol=2e-3, atol=0)


def test_matching_logits_knows_no_temperature_but_feels_a_shift() -> None:
    z = example(5, 3)[0].detach()
    v = example(5, 3, seed=1)[0].detach()
    close(matching_loss(z, v, 1.0, "logits"), matching_loss(z, v, 7.0, "logits"), rtol=1e-12)
    assert matching_loss(v + 1, v, 1.0, "logits") == pytest.approx(0.5)
    for kind in set(MATCHINGS) - {"logits"}:
        assert matching_loss(v + 1, v, 1.0, kind) < 1e-15


@kinds
@given(
    st.sampled_from([torch.float32, torch.float64]),
    own.temperatures,
    st.sampled_from([2, 3, 1000]),
    st.data(),
)
@few
def test_matchings_are_finite_at_extremes(
    kind: str, dtype: torch.dtype, temperature: float, num_classes: int, data: st.DataObject
) -> None:
    shape = (2, num_classes)
    z = data.draw(own.logits(shape, dtype)).requires_grad_()
    v = data.draw(own.logits(shape, dtype))
    loss = matching_loss(z, v, temperature, kind)
    loss.backward()
    assert loss.isfinite() and loss >= 0 and loss.dtype == dtype
    assert z.grad is not None and z.grad.isfinite().all()
    if kind != "logits":
        assert abs(float(z.grad.sum())) <= 1e-4 * (float(z.grad.abs().sum()) + temperature)


def test_the_mean_of_forward_kls_has_the_gradient_of_the_arithmetic_pool() -> None:
    z, _, _ = example(6, 4)
    members = torch.stack([example(6, 4, seed=s)[0].detach() for s in range(1, 5)])
    T = 2.5
    for kind, pooling, other in (
        ("forward KL", "probabilities", "logits"),
        ("reverse KL", "logits", "probabilities"),
    ):
        each = torch.stack([matching_loss(z, v, T, kind) for v in members]).mean()
        (expected,) = torch.autograd.grad(each, z)
        for name, same in ((pooling, True), (other, False)):
            pooled = T * soft_targets(members, T, name).log()
            (gradient,) = torch.autograd.grad(matching_loss(z, pooled, T, kind), z)
            assert torch.allclose(gradient, expected, rtol=1e-9, atol=1e-12) == same


@given(own.shapes())
@few
def test_a_matchings_step_without_autograd_is_autograds(shape: tuple[int, ...]) -> None:
    z, _, _ = example(*shape)
    v = example(*shape, seed=1)[0].detach()
    for kind in MATCHINGS:
        value, gradient = matching_and_gradient(z.detach().mT, v.mT, 2.5, kind)
        loss = matching_loss(z, v, 2.5, kind, members=z.ndim == 3)
        torch.testing.assert_close(value, loss.detach())
        torch.testing.assert_close(gradient.mT, torch.autograd.grad(loss.sum(), z)[0])


def test_matchings_change_no_input_and_refuse_what_does_not_fit() -> None:
    z, _, _ = example(3, 5, 4)
    v = example(3, 5, 4, seed=1)[0].detach()
    before = z.detach().clone(), v.clone()
    for kind in MATCHINGS:
        matching_loss(z, v, 3.0, kind, members=True).sum().backward()
    assert torch.equal(z.detach(), before[0]) and torch.equal(v, before[1])
    with pytest.raises(ValueError, match=r"^kind is 'KL'; it must be one of 'forward KL', .* if u"):
        matching_loss(z, v, 3.0, "KL", members=True)
    with pytest.raises(ValueError, match=r"^teacher_logits has 3 classes and student_logits has 4"):
        matching_loss(z, v[..., 1:], 3.0, members=True)
    with pytest.raises(ValueError, match=r"^teacher_logits is for \(3, 4\) samples"):
        matching_loss(z, v[:, 1:], 3.0, members=True)
    with pytest.raises(ValueError, match=r"^temperature has shape \(2,\)"):
        matching_loss(z, v, torch.ones(2), members=True)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda z, p, y, m: distillation_loss(z, p, y, temperature=2, alpha=0.5, members=m), "stu"),
        (lambda z, p, y, m: tempered_kl(z, p, 2.0, members=m), "logits"),
        (lambda z, p, y, m: matching_loss(z, z, 2.0, members=m), "logits"),
        (lambda z, p, y, m: cross_entropy(z, y, members=m), "logits"),
    ],
)
def test_members_are_refused_where_none_are_said_and_missed_where_they_are(
    call: Callable[[Tensor, Tensor, Tensor, bool], Tensor], named: str
) -> None:
    """An axis too many or too few could pass by broadcasting, with a wrong mean."""
    z, p, y = torch.zeros(4, 4, 4), torch.full((4, 4), 0.25), torch.arange(4)
    with pytest.raises(ValueError, match=rf"^{named}.*\(4, 4, 4\).* pass members=True"):
        call(z, p, y, False)
    with pytest.raises(ValueError, match=rf"^{named}.*\(4, 4\).* use \w*logits\[None\]"):
        call(z[0], p, y, True)
    assert call(z, p, y, True).shape == (4,) and call(z[0], p, y, False).shape == ()


def test_a_kind_that_there_is_not_is_answered_with_the_one_to_take() -> None:
    z = torch.zeros(2, 3)
    with pytest.raises(ValueError, match=r"Use 'forward KL' if unsure\.$"):
        matching_loss(z, z, 2.0, "cosine")


@kinds
def test_a_step_computes_in_double_precision_whatever_it_is_given(kind: str) -> None:
    """Differences of close logarithms lose half of single precision's digits."""
    generator = torch.Generator().manual_seed(0)
    z, v = (torch.randn(2, 4, 5, generator=generator) for _ in range(2))
    for T in (torch.tensor([0.3, 7.1]), 2.5):
        found = matching_and_gradient(z, v, T, kind)
        exact = matching_and_gradient(z.double(), v.double(), torch.as_tensor(T).double(), kind)
        for one, other in zip(found, exact, strict=True):
            assert one.dtype == torch.float64
            torch.testing.assert_close(one, other, rtol=1e-15, atol=0)

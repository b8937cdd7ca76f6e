"""Closed forms against autograd, finite differences, limits and brute force, in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from distill_helpers.conventions import to_canonical
from distill_helpers.gradients import (
    cross_entropy_gradient,
    high_temperature_limit,
    kl_gradient,
    log_log_slope,
    magnitude,
    minibatch_spread,
    without_t_squared,
)
from distill_helpers.losses import distillation_loss
from distill_helpers.networks import Stack

TEMPERATURES = (0.3, 1.0, 3.0, 20.0)
CLASSES = (2, 3, 10)


def logits(shape: tuple[int, ...], seed: int = 0, width: float = 3.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return width * torch.randn(shape, generator=generator, dtype=torch.float64)


def pair(classes: int, width: float = 3.0, rows: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    labels = torch.arange(rows) % classes
    return logits((rows, classes), 1, width), logits((rows, classes), 2, width), labels


def tempered_kl(z: Tensor, v: Tensor, T: float) -> Tensor:
    """KL of tempered softmaxes, summed over samples, in torch's own words."""
    return F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="sum")


# The gradients themselves


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("T", TEMPERATURES)
def test_kl_gradient_is_autograds(classes: int, T: float) -> None:
    z, v, _ = pair(classes)
    expected = torch.func.grad(tempered_kl)(z, v, T)
    torch.testing.assert_close(kl_gradient(z, v, T), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("T", TEMPERATURES)
def test_kl_gradient_is_the_finite_difference(T: float) -> None:
    z, v, _ = pair(3, rows=2)
    found = kl_gradient(z, v, T)
    step = 1e-5
    for n, c in itertools.product(range(2), range(3)):
        moved = torch.zeros_like(z)
        moved[n, c] = step
        difference = tempered_kl(z + moved, v, T) - tempered_kl(z - moved, v, T)
        assert found[n, c].item() == pytest.approx(difference.item() / (2 * step), abs=1e-9)


@pytest.mark.parametrize("classes", CLASSES)
def test_cross_entropy_gradient_is_autograds(classes: int) -> None:
    z, _, y = pair(classes)
    expected = torch.func.grad(lambda z: F.cross_entropy(z, y, reduction="sum"))(z)
    torch.testing.assert_close(cross_entropy_gradient(z, y), expected)
    step, moved = 1e-6, torch.zeros_like(z)
    moved[1, 0] = step
    ends = [F.cross_entropy(z + s * moved, y, reduction="sum") for s in (1, -1)]
    difference = (ends[0] - ends[1]).item() / (2 * step)
    assert cross_entropy_gradient(z, y)[1, 0].item() == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize("T", TEMPERATURES)
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_the_two_parts_make_the_objectives_gradient(T: float, alpha: float) -> None:
    z, v, y = pair(4)
    z.requires_grad_()
    loss = distillation_loss(z, F.softmax(v / T, -1), y, temperature=T, alpha=alpha)
    (expected,) = torch.autograd.grad(loss, z)
    total = alpha * T**2 * kl_gradient(z, v, T) + (1 - alpha) * cross_entropy_gradient(z, y)
    torch.testing.assert_close(total / len(z), expected)


def test_members_are_their_rows() -> None:
    z, v, y = logits((4, 5, 3), 3), logits((5, 3), 4), torch.tensor([0, 1, 2, 0, 1])
    for T in TEMPERATURES:
        for m in range(4):
            assert torch.equal(kl_gradient(z, v, T)[m], kl_gradient(z[m], v, T))
            assert torch.equal(kl_gradient(v, z, T)[m], kl_gradient(v, z[m], T))
            slope = log_log_slope(z, v, T)[m]
            torch.testing.assert_close(slope, log_log_slope(z[m], v, T))
    assert torch.equal(cross_entropy_gradient(z, y)[2], cross_entropy_gradient(z[2], y))
    own = torch.stack([y.roll(m) for m in range(4)])
    found = cross_entropy_gradient(z, own)
    assert torch.equal(found[3], cross_entropy_gradient(z[3], own[3]))
    assert torch.equal(high_temperature_limit(z, v)[1], high_temperature_limit(z[1], v))
    torch.testing.assert_close(magnitude(z)[3], magnitude(z[3]))


@given(
    st.integers(2, 1000),
    st.floats(1e-3, 1e4),
    st.floats(0, 1e4),
    st.integers(0, 2**31),
)
def test_extremes(classes: int, T: float, width: float, seed: int) -> None:
    z, v = logits((2, classes), seed, width), logits((2, classes), seed + 1, width)
    found = kl_gradient(z, v, T)
    assert found.isfinite().all()
    assert found.abs().max() <= 1 / T
    assert found.sum(-1).abs().max() <= 1e-12 / T
    assert kl_gradient(z, z, T).abs().max() == 0
    assert torch.equal(kl_gradient(v, z, T), -found)
    hard = cross_entropy_gradient(z, torch.tensor([0, classes - 1]))
    assert hard.isfinite().all() and hard.sum(-1).abs().max() < 1e-12
    slope = log_log_slope(z, v, T)
    assert slope.isnan() or slope.isfinite()


# Against temperature


@pytest.mark.parametrize("classes", CLASSES)
def test_the_limit(classes: int) -> None:
    """Hinton's equation 4, for logits of any mean."""
    z, v, _ = pair(classes)
    z, v = z + 5, v - 2
    limit = high_temperature_limit(z, v)
    torch.testing.assert_close(1e6**2 * kl_gradient(z, v, 1e6), limit, rtol=1e-4, atol=1e-4)
    zero_mean = (z - z.mean(-1, keepdim=True), v - v.mean(-1, keepdim=True))
    torch.testing.assert_close(limit, (zero_mean[0] - zero_mean[1]) / classes)


@pytest.mark.parametrize(("classes", "order"), [(2, 2), (3, 1), (10, 1)])
def test_the_order_of_the_approach(classes: int, order: int) -> None:
    z, v, _ = pair(classes)
    limit = high_temperature_limit(z, v)
    gaps = [magnitude(T**2 * kl_gradient(z, v, T) - limit).item() for T in (100.0, 1000.0)]
    assert math.log10(gaps[0] / gaps[1]) == pytest.approx(order, abs=0.05)


def test_the_first_term_of_the_approach() -> None:
    """Equations (4.4) and (4.5)."""
    T = 1e3
    z, v, _ = pair(5)

    def second(x: Tensor) -> Tensor:
        x = x - x.mean(-1, keepdim=True)
        return x.square() - x.square().mean(-1, keepdim=True)

    gap = T**2 * kl_gradient(z, v, T) - high_temperature_limit(z, v)
    torch.testing.assert_close(gap, (second(z) - second(v)) / (2 * 5 * T), rtol=0.02, atol=2e-5)
    z, v, _ = pair(2)
    m, n = (x[:, 0] - x[:, 1] for x in (z, v))
    gap = (T**2 * kl_gradient(z, v, T) - high_temperature_limit(z, v))[:, 0]
    torch.testing.assert_close(gap, -(m**3 - n**3) / (48 * T**2), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("T", TEMPERATURES)
def test_slope_is_the_finite_difference(classes: int, T: float) -> None:
    z, v, _ = pair(classes)
    h = 1e-5
    ends = [magnitude(kl_gradient(z, v, T * math.exp(s * h))).log() for s in (1, -1)]
    expected = (ends[0] - ends[1]).item() / (2 * h)
    assert log_log_slope(z, v, T).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("classes", CLASSES)
def test_slope_goes_to_minus_two(classes: int) -> None:
    z, v, _ = pair(classes)
    assert log_log_slope(z, v, 1e4).item() == pytest.approx(-2, abs=1e-2)
    assert log_log_slope(z + 7, v - 1, 1e4).item() == pytest.approx(-2, abs=1e-2)


def test_slope_of_a_wide_margin_rises_and_of_an_untaught_student_is_minus_one() -> None:
    """Below the margins the gradient first rises with T; at z = 0 it falls as 1 / T."""
    z, v = torch.tensor([[20.0, 0.0]]), torch.tensor([[60.0, 0.0]])
    assert log_log_slope(z, v, 4.0).item() > 3
    assert log_log_slope(torch.zeros(1, 2), v, 4.0).item() == pytest.approx(-1, abs=1e-4)


def test_slope_of_a_gradient_whose_square_underflows() -> None:
    """Two classes, a tail of exp(-m / T): slope -1 + m / T, as long as the tail is a number."""
    z, v = torch.tensor([[0.0, 600.0]]), torch.tensor([[0.0, 1200.0]])
    assert log_log_slope(z, v, 1.0).item() == pytest.approx(599, rel=1e-6)
    assert log_log_slope(z, z, 1.0).isnan()


def test_magnitude_is_the_root_mean_square_length() -> None:
    g = logits((3, 6, 4))
    expected = [math.sqrt(sum(float(row @ row) for row in one) / 6) for one in g]
    torch.testing.assert_close(magnitude(g), torch.tensor(expected, dtype=torch.float64))


# Effective alpha


@pytest.mark.filterwarnings("ignore:reduction. 'mean'")
@pytest.mark.parametrize("num_classes", [None, 2, 10])
@given(alpha=st.floats(0, 1), T=st.floats(0.1, 100))
def test_the_loss_without_t_squared(num_classes: int | None, alpha: float, T: float) -> None:
    z, v, y = pair(num_classes or 3)
    effective = without_t_squared(alpha, T, num_classes=num_classes)
    p = F.softmax(v / T, -1)
    reduction = "batchmean" if num_classes is None else "mean"

    def theirs(z: Tensor) -> Tensor:
        kl = F.kl_div(F.log_softmax(z / T, -1), p, reduction=reduction)
        return alpha * kl + (1 - alpha) * F.cross_entropy(z, y)

    def ours(z: Tensor) -> Tensor:
        return effective.scale * distillation_loss(
            z, p, y, temperature=T, alpha=min(effective.alpha, 1.0)
        )

    torch.testing.assert_close(theirs(z), ours(z), rtol=1e-9, atol=1e-12)
    a, b = torch.func.grad(theirs)(z), torch.autograd.functional.jacobian(ours, z)
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_effective_alpha_of_the_article_and_its_ends() -> None:
    assert without_t_squared(0.7, 3.0).alpha == pytest.approx(0.206, abs=5e-4)
    assert without_t_squared(0.7, 1.0) == pytest.approx((0.7, 1.0))
    assert without_t_squared(1.0, 7.0) == pytest.approx((1.0, 1 / 49))
    assert without_t_squared(0.0, 7.0) == (0.0, 1.0)
    there = without_t_squared(0.4, 5.0).alpha
    assert without_t_squared(there, 1 / 5.0).alpha == pytest.approx(0.4)


@given(st.floats(0.01, 0.99), st.floats(1, 20))
def test_it_is_what_the_conventions_say(alpha: float, T: float) -> None:
    keras = to_canonical("keras-example-2020", alpha=1 - alpha, temperature=T)
    found = without_t_squared(alpha, T)
    assert found == pytest.approx((keras.alpha, keras.scale))


# Minibatches


SIZES = (3, 5, 4, 2)


def by_brute_force(
    stack: Stack, x: Tensor, loss: Callable[[Tensor], Tensor], batch: int
) -> list[tuple[float, float]]:
    """Autograd's gradient of every possible minibatch; `loss` gives one value a sample."""
    found = []
    for m in range(stack.num_members):
        network = stack.member(m).double()
        rows = []
        for n in range(len(x)):
            network.zero_grad()
            loss(network(x.double()))[n].backward()  # type: ignore[no-untyped-call]
            rows.append(torch.cat([p.grad.flatten() for p in network.parameters()]))  # type: ignore[union-attr]
        each = torch.stack(rows)
        mean = each.mean(0)
        means = [each[list(some)].mean(0) for some in itertools.combinations(range(len(x)), batch)]
        distance = torch.stack(means).sub(mean).square().sum(1).mean().sqrt()
        found.append((mean.norm().item(), (distance / mean.norm()).item()))
    return found


@pytest.mark.parametrize("batch", [1, 2, 4, 7])
def test_spread_is_that_of_all_minibatches(batch: int) -> None:
    stack = Stack.build(SIZES, seeds=[0, 1], dropout=0.5)
    x = logits((7, 3), 5).float()
    v, y, T = logits((7, 2), 6), torch.arange(7) % 2, 3.0

    def loss(z: Tensor) -> Tensor:
        kl = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(-1)
        return 0.7 * T**2 * kl + 0.3 * F.cross_entropy(z, y, reduction="none")

    z = stack.predict(x)
    gradients = 0.7 * T**2 * kl_gradient(z, v, T) + 0.3 * cross_entropy_gradient(z, y)
    spread = minibatch_spread(stack, x, gradients, batch)
    # The dropout of `member` is off in eval mode, and `stack` always answers so.
    plain = Stack(list(stack.weights), list(stack.biases))
    for m, (length, variation) in enumerate(by_brute_force(plain, x, loss, batch)):
        assert spread.length[m].item() == pytest.approx(length, rel=1e-5)
        assert spread.variation[m].item() == pytest.approx(variation, rel=1e-5, abs=1e-6)


def test_inputs_of_its_own_for_each_member() -> None:
    stack, x = Stack.build(SIZES, seeds=[0, 1]), logits((2, 9, 3), 5).float()
    gradients = kl_gradient(stack.predict(x), logits((2, 9, 2), 6), 3.0)
    both = minibatch_spread(stack, x, gradients, 4)
    for m in (0, 1):
        one = minibatch_spread(stack[[m]], x[m], gradients[m : m + 1], 4)
        torch.testing.assert_close(both.variation[m : m + 1], one.variation)
        torch.testing.assert_close(both.length[m : m + 1], one.length)


def test_no_factor_changes_the_variation() -> None:
    """So leaving out T^2 at alpha = 1 changes no relative fluctuation."""
    stack, x = Stack.build(SIZES, seeds=[0, 1]), logits((40, 3), 5).float()
    gradients = kl_gradient(stack.predict(x), logits((40, 2), 6), 3.0)
    one, nine = (minibatch_spread(stack, x, c * gradients, 8) for c in (1.0, 9.0))
    torch.testing.assert_close(one.variation, nine.variation)
    torch.testing.assert_close(9 * one.length, nine.length)
    single = minibatch_spread(stack, x[:1], gradients[:, :1], 1)
    assert torch.equal(single.variation, torch.zeros(2, dtype=torch.float64))


# When things go wrong


Z = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
STACK = Stack.build(SIZES, seeds=[0, 1])
X = torch.zeros(5, 3)
G = torch.zeros(2, 5, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kl_gradient(Z, Z, 0.0), "temperature is 0; it must be a finite number above 0"),
        (lambda: kl_gradient(Z, Z[:1], 1.0), r"student_logits has shape \(2, 2\) and teacher_log"),
        (lambda: kl_gradient(Z.expand(3, 2, 2), Z.expand(2, 2, 2), 1.0), "they must be the same"),
        (lambda: kl_gradient(Z, torch.softmax(Z, -1), 1.0), "teacher_logits looks like probab"),
        (lambda: high_temperature_limit(Z, Z[:, :1]), "must hold two classes or more"),
        (lambda: log_log_slope(Z, Z, -1.0), "temperature is -1;"),
        (lambda: cross_entropy_gradient(Z, torch.tensor([0])), r"labels has shape \(1,\)"),
        (lambda: cross_entropy_gradient(Z, torch.tensor([0, 2])), "labels holds 2; with 2 clas"),
        (lambda: without_t_squared(1.5, 3.0), "alpha is 1.5; it must be a number from 0 to 1"),
        (lambda: without_t_squared(0.7, 0.0), "temperature is 0;"),
        (lambda: without_t_squared(0.7, 3.0, num_classes=1), "num_classes is 1; it must be a wh"),
        (lambda: without_t_squared(0.7, 3.0, num_classes=True), "num_classes is True;"),
        (
            lambda: minibatch_spread(STACK, X[:, :2], G, 2),
            r"x has shape \(5, 2\); this stack takes",
        ),
        (lambda: minibatch_spread(STACK, X, G[:1], 2), r"must be \(2, 5, 2\)"),
        (lambda: minibatch_spread(STACK, X, G, 0), "batch_size is 0; it must be from 1 to 5"),
        (lambda: minibatch_spread(STACK, X, G, 6), "batch_size is 6;"),
        (lambda: minibatch_spread(STACK, X, G, True), "batch_size is True;"),
    ],
)
def test_bad_input_gets_one_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)

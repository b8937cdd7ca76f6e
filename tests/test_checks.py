"""What losses, soft targets and metrics refuse alike, and the advice of each refusal followed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from distill_helpers import _checks, losses, metrics
from distill_helpers.ensembles import ambiguity_decomposition
from distill_helpers.soft_targets import pool, soft_targets

T, ALPHA = 4.0, 0.7
G = torch.Generator().manual_seed(0)


def normal(*shape: int) -> Tensor:
    return 2 * torch.randn(shape, generator=G, dtype=torch.float64)


def the_loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    """The book's loss in plain torch, for rows ``(N, C)``."""
    soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="batchmean")
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def as_advised(error: Exception, **names: Any) -> Any:
    """Evaluate the code that follows "use" in a message, with its last full stop taken off."""
    assert "\n" not in str(error)
    code = re.split(r"[Uu]se ", str(error))[-1].removesuffix(".")
    return eval(code, {"torch": torch, "range": range}, names)


def refused(call: Callable[[], object], message: str, error: type[Exception]) -> Exception:
    with pytest.raises(error, match=message) as caught:
        call()
    return caught.value


# A third axis


TOKENS, TEACHERS = normal(4, 3, 5), normal(4, 3, 5)  # texts, tokens, vocabulary
WORDS = torch.randint(5, (4, 3), generator=G)
READ = [
    soft_targets,
    lambda z: losses.tempered_kl(z, torch.softmax(z, -1), T),
    lambda z: losses.matching_loss(z, z, T),
    lambda z: losses.cross_entropy(z, WORDS),
    lambda z: losses.distillation_loss(z, torch.softmax(z, -1), WORDS, temperature=T, alpha=ALPHA),
    lambda z: metrics.accuracy(z, WORDS),
    lambda z: metrics.negative_log_likelihood(z, WORDS),
    lambda z: metrics.brier_score(z, WORDS),
    lambda z: metrics.expected_calibration_error(z, WORDS),
    lambda z: metrics.agreement(z, z),
    lambda z: metrics.agreement(z, z[0]),
    lambda z: metrics.agreement(z[0], z),
    lambda z: metrics.fidelity(z, z),
]


@pytest.mark.parametrize("read", READ)
def test_a_third_axis_is_never_members_by_silence(read: Callable[[Tensor], object]) -> None:
    error = refused(
        lambda: read(TOKENS), r"^\w+ has shape \(4, 3, 5\); it must be \(N, C\)", ValueError
    )
    way_out = r"For M networks pass (members=True|pooling='logits'); for tokens"
    assert re.search(way_out, str(error))
    for name in ("logits", "logits_a", "logits_b", "student_logits"):
        if str(error).startswith(f"{name} "):
            assert torch.equal(as_advised(error, **{name: TOKENS}), TOKENS.reshape(12, 5))


def test_the_loss_of_tokens_is_reached_by_following_one_message_after_another() -> None:
    z, v, y, p = TOKENS, TEACHERS, WORDS, torch.softmax(TEACHERS / T, -1)
    whole = lambda: losses.distillation_loss(z, p, y, temperature=T, alpha=ALPHA)  # noqa: E731
    z = as_advised(refused(whole, "^student_logits has shape", ValueError), student_logits=z)
    p = as_advised(refused(whole, "^soft_targets has shape", ValueError), soft_targets=p)
    y = as_advised(refused(whole, "^labels has shape", ValueError), labels=y)
    expected = the_loss(z, v.flatten(0, 1), y)
    torch.testing.assert_close(whole(), expected)
    with pytest.raises(ValueError, match=r"^logits has shape"):
        soft_targets(v, T)
    torch.testing.assert_close(soft_targets(v.flatten(0, -2), T), p)


def test_images_come_to_rows_with_their_classes_last() -> None:
    z, y = normal(2, 5, 3, 4), torch.randint(5, (2, 3, 4), generator=G)
    error = refused(lambda: metrics.negative_log_likelihood(z, y), "For images", ValueError)
    flat = as_advised(error, logits=z)
    labels = as_advised(
        refused(lambda: metrics.negative_log_likelihood(flat, y), "^labels has", ValueError),
        labels=y,
    )
    torch.testing.assert_close(
        metrics.negative_log_likelihood(flat, labels), F.cross_entropy(z, y), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("function", [soft_targets, pool, metrics.accuracy, losses.cross_entropy])
def test_members_that_are_named_must_be_there(function: Callable[..., Tensor]) -> None:
    z, y = normal(6, 3), torch.arange(6) % 3
    named: dict[Any, tuple[tuple, dict]] = {
        soft_targets: ((), {"pooling": "logits"}),
        pool: ((), {}),
        metrics.accuracy: ((y,), {"members": True}),
        losses.cross_entropy: ((y,), {"members": True}),
    }
    arguments, keywords = named[function]
    error = refused(
        lambda: function(z, *arguments, **keywords), r"^logits has .* \(M, N, C\)", ValueError
    )
    alone = {soft_targets: lambda: soft_targets(z), pool: lambda: soft_targets(z)}.get(
        function, lambda: function(z, y)
    )()
    one = function(as_advised(error, logits=z.clone()), *arguments, **keywords)
    torch.testing.assert_close(one.reshape(alone.shape), alone)


def test_two_single_networks_are_no_stack() -> None:
    z = normal(6, 3)
    for compare in (metrics.agreement, metrics.fidelity):
        with pytest.raises(ValueError, match=r"_\w+ has shape \(6, 3\); .* \(M, N, C\)"):
            compare(z, z, members=True)  # type: ignore[operator]


def test_an_ensembles_parts_want_members() -> None:
    with pytest.raises(ValueError, match=r"^logits has shape .* For one network use logits\["):
        ambiguity_decomposition(normal(6, 3), torch.arange(6) % 3)


# One sigmoid output a row


@pytest.mark.parametrize("shape", [(8, 1), (8,)])
def test_one_sigmoid_output_becomes_two_columns(shape: tuple[int, ...]) -> None:
    """The loss is then the binary one, with the teacher's sigmoid at T."""
    z, v = normal(*shape), normal(*shape)
    y = torch.arange(8) % 2
    q = torch.sigmoid(v / T).flatten()
    logits = as_advised(refused(lambda: soft_targets(z, T), "one sigmoid", ValueError), logits=z)
    teacher = as_advised(refused(lambda: soft_targets(v, T), "one sigmoid", ValueError), logits=v)
    assert logits.shape == (8, 2)
    p = soft_targets(teacher, T)
    torch.testing.assert_close(p[:, 1], q)
    actual = losses.distillation_loss(logits, p, y, temperature=T, alpha=ALPHA)
    bce = F.binary_cross_entropy_with_logits
    entropy = F.binary_cross_entropy(q, q)
    soft = T**2 * (bce(z.flatten() / T, q) - entropy)
    hard = bce(z.flatten(), y.double())
    torch.testing.assert_close(actual, ALPHA * soft + (1 - ALPHA) * hard)


def test_the_sigmoid_of_one_output_becomes_two_columns() -> None:
    z, q = normal(8, 2), torch.sigmoid(normal(8, 1))
    whole = lambda p: losses.distillation_loss(  # noqa: E731
        z, p, torch.arange(8) % 2, temperature=T, alpha=1.0
    )
    error = refused(lambda: whole(q), "^soft_targets has .* For the sigmoid", ValueError)
    assert whole(as_advised(error, soft_targets=q)).isfinite()


def test_the_parts_of_a_loss_refuse_one_column() -> None:
    """A softmax of one column is 1, so every loss would be 0."""
    z = normal(8, 1)
    for call in (
        lambda: losses.cross_entropy(z, torch.zeros(8, dtype=torch.int64)),
        lambda: losses.tempered_kl(z, torch.ones(8, 1), T),
        lambda: losses.matching_loss(z, z, T),
    ):
        assert as_advised(refused(call, "one sigmoid", ValueError), logits=z).shape == (8, 2)


# Labels


Z = normal(6, 3)
P = torch.softmax(Z, -1)
SEVERAL = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]])
ONE_HOT = torch.eye(3)[torch.arange(6) % 3]


def loss_of(labels: Tensor | None, alpha: float = ALPHA) -> Tensor:
    return losses.distillation_loss(Z, P, labels, temperature=T, alpha=alpha)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.uint8])
def test_one_hot_rows_are_told_from_rows_of_several_labels(dtype: torch.dtype) -> None:
    error = refused(
        lambda: loss_of(ONE_HOT.to(dtype)), r"Each row has one 1", (TypeError, ValueError)
    )
    labels = as_advised(error, labels=ONE_HOT.long())
    assert torch.equal(labels, torch.arange(6) % 3) and loss_of(labels).isfinite()
    for call in (loss_of, lambda y: metrics.accuracy(Z, y)):
        error = refused(
            lambda call=call: call(SEVERAL.to(dtype)),
            r"A row has 2 ones: several labels a row are not covered",
            (TypeError, ValueError),
        )
        assert "argmax" not in str(error)
    column = eval(str(error).rsplit(": ", 1)[1][:-1], {"labels": SEVERAL})
    assert torch.equal(column, SEVERAL[:, 0]) and loss_of(column).isfinite()


def test_a_one_hot_posterior_stays_a_posterior_for_a_metric() -> None:
    assert torch.equal(metrics.accuracy(Z, ONE_HOT), metrics.accuracy(Z, ONE_HOT.argmax(1)))


def test_a_loss_without_labels_takes_any_at_alpha_1() -> None:
    error = refused(lambda: loss_of(None, 1.0), "^labels is None; .* alpha=1", TypeError)
    code = str(error).rsplit("class numbers, ", 1)[1].removesuffix(".")
    labels = eval(code, {"torch": torch})
    assert torch.equal(loss_of(labels, 1.0), losses.tempered_kl(Z, P, T))


def test_labels_of_a_stack_are_for_its_members() -> None:
    z = normal(2, 6, 3)
    y = torch.arange(12).view(2, 6) % 3
    one_each = losses.distillation_loss(z, P, y, temperature=T, alpha=ALPHA, members=True)
    assert one_each.shape == (2,)
    with pytest.raises(ValueError, match=r"^labels has shape \(3, 6\) and the logits \(2, 6, 3\)"):
        losses.distillation_loss(
            z, P, torch.zeros(3, 6).long(), temperature=T, alpha=ALPHA, members=True
        )


# Numbers


@pytest.mark.parametrize(
    "seeds", [range(3), [0, 1, 2], (np.int64(0), 1, 2), np.arange(3), torch.arange(3), {0, 1, 2}]
)
def test_seeds_are_whole_numbers_of_any_kind(seeds: Any) -> None:
    assert _checks.seeds(seeds, 3) == [0, 1, 2]


@pytest.mark.parametrize(
    "seeds", [3, None, [0.5, 1, 2], [True, 0, 1], "012", [-1, 0, 1], [0, 1, 2**64], [0, 1], []]
)
def test_other_seeds_are_refused_and_the_way_out_works(seeds: Any) -> None:
    error = refused(lambda: _checks.seeds(seeds, 3), "^seeds ", (TypeError, ValueError))
    assert _checks.seeds(as_advised(error), 3) == [0, 1, 2]


@pytest.mark.parametrize(
    "value", [0.1, [0.1, 0.1], np.array([0.1, 0.1]), torch.tensor(0.1, dtype=torch.float64)]
)
def test_a_rate_is_one_number_or_one_a_member_to_the_bit(value: Any) -> None:
    assert _checks.rate(value, 2, "rate", above_zero=True) == [0.1, 0.1]


@pytest.mark.parametrize("value", ["1e-3", True, None, [0.1], [[0.1, 0.1]], 0.0, float("nan"), 1j])
def test_other_rates_are_refused(value: Any) -> None:
    refused(
        lambda: _checks.rate(value, 2, "rate", above_zero=True),
        r"^rate (is|has) .*must be (a finite|one) number",
        (TypeError, ValueError),
    )

"""Metrics against slow, independent implementations, and against their expectations."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import strategies as own
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distill_helpers import metrics

few = settings(max_examples=30, deadline=None)
WITH_LABELS = [
    metrics.accuracy,
    metrics.negative_log_likelihood,
    metrics.brier_score,
    metrics.expected_calibration_error,
]
PER_SAMPLE = WITH_LABELS[:3]


def softmax(row: list[float]) -> list[float]:
    top = max(row)
    total = math.fsum(math.exp(v - top) for v in row)
    return [math.exp(v - top) / total for v in row]


def slow_accuracy(rows: list[list[float]], labels: list[int]) -> float:
    return sum(row.index(max(row)) == y for row, y in zip(rows, labels, strict=True)) / len(rows)


def slow_nll(rows: list[list[float]], labels: list[int]) -> float:
    losses = [
        max(row) - row[y] + math.log(math.fsum(math.exp(v - max(row)) for v in row))
        for row, y in zip(rows, labels, strict=True)
    ]
    return math.fsum(losses) / len(rows)


def slow_brier(rows: list[list[float]], labels: list[int]) -> float:
    return math.fsum(
        (q - (c == y)) ** 2
        for row, y in zip(rows, labels, strict=True)
        for c, q in enumerate(softmax(row))
    ) / len(rows)


def slow_ece(rows: list[list[float]], labels: list[int], num_bins: int = 15) -> float:
    total = 0.0
    for k in range(num_bins):
        inside = []
        for row, y in zip(rows, labels, strict=True):
            q = softmax(row)
            if k / num_bins < max(q) <= (k + 1) / num_bins:
                inside.append((max(q), q.index(max(q)) == y))
        if inside:
            confidence = math.fsum(c for c, _ in inside) / len(inside)
            hits = sum(h for _, h in inside) / len(inside)
            total += len(inside) / len(rows) * abs(hits - confidence)
    return total


ORACLES = [slow_accuracy, slow_nll, slow_brier, slow_ece]


@pytest.mark.parametrize(("metric", "oracle"), list(zip(WITH_LABELS, ORACLES, strict=True)))
@given(shape=own.shapes(), data=st.data())
@few
def test_it_equals_a_slow_loop(
    metric: Callable[..., Tensor],
    oracle: Callable[..., float],
    shape: tuple[int, ...],
    data: st.DataObject,
) -> None:
    z = data.draw(own.logits(shape))
    y = data.draw(own.labels(shape[-2:-1], shape[-1]))
    actual = metric(z, y, members=len(shape) == 3)
    assert actual.dtype == torch.float64 and actual.shape == shape[:-2]
    expected = [oracle(member.tolist(), y.tolist()) for member in z.reshape(-1, *shape[-2:])]
    torch.testing.assert_close(
        actual.reshape(-1), torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-14
    )


@pytest.mark.parametrize("metric", PER_SAMPLE)
def test_with_a_posterior_it_is_the_expectation_over_labels(
    metric: Callable[..., Tensor],
) -> None:
    g = torch.Generator().manual_seed(0)
    z = torch.randn(2, 5, 3, generator=g)
    p = torch.softmax(torch.randn(5, 3, generator=g, dtype=torch.float64), -1)
    expected = torch.zeros(2, dtype=torch.float64)
    for n in range(5):
        for y in range(3):
            expected += p[n, y] * metric(z[:, n : n + 1], torch.tensor([y]), members=True) / 5
    torch.testing.assert_close(metric(z, p, members=True), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", WITH_LABELS)
def test_a_one_hot_posterior_is_a_label(metric: Callable[..., Tensor]) -> None:
    z = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    y = torch.arange(50) % 3
    for dtype in (torch.float32, torch.float64):
        posterior = torch.nn.functional.one_hot(y, 3).to(dtype)
        torch.testing.assert_close(
            metric(z, posterior, members=True), metric(z, y, members=True), rtol=1e-14, atol=1e-15
        )


def test_calibration_error_with_a_posterior_uses_each_bins_expected_accuracy() -> None:
    confidences = torch.tensor([0.95, 0.98, 0.7, 0.6], dtype=torch.float64)
    z = torch.stack([confidences, 1 - confidences], -1).log()
    p0 = torch.tensor([0.9, 1.0, 0.5, 0.6], dtype=torch.float64)
    posterior = torch.stack([p0, 1 - p0], -1)
    ece = metrics.expected_calibration_error(z, posterior, num_bins=5)
    # Bin (0.8, 1] has a gap of |1.93 - 1.9|, bin (0.6, 0.8] of 0.2, bin (0.4, 0.6] of 0; but 0.6
    # may fall either way by a rounding, and adds 0.
    assert float(ece) == pytest.approx((0.03 + 0.2) / 4)
    exact = metrics.expected_calibration_error(posterior.clamp_min(1e-300).log(), posterior)
    assert float(exact) == pytest.approx(0, abs=1e-15)


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin() -> None:
    # Two bins, (0, 1/2] and (1/2, 1]: exact ties have confidence 1/2, the sure sample 1.
    z = torch.tensor([[0.0, 0.0], [1e4, 0.0]], dtype=torch.float64)
    y = torch.tensor([0, 1])
    # In one bin the gaps +1/2 and -1 partly cancel; in two they do not.
    assert metrics.expected_calibration_error(z, y, num_bins=1) == 0.25
    assert metrics.expected_calibration_error(z, y, num_bins=2) == 0.75
    # The tie's bin is the lower one, shared with a confidence of 0.4.
    z = torch.tensor([[0.5, 0.25, 0.25], [0.4, 0.3, 0.3]], dtype=torch.float64).log()
    z[0] -= z[0].max().clone()
    assert float(torch.softmax(z[0], 0).max()) == 0.5
    ece = metrics.expected_calibration_error(z, torch.tensor([0, 1]), num_bins=2)
    assert float(ece) == pytest.approx(abs(0.5 - 0.4) / 2)


def test_the_bias_of_the_calibration_error_is_as_documented() -> None:
    # A perfectly calibrated model: 200 replicates of 400 samples in one bin, at confidence 0.8.
    g = torch.Generator().manual_seed(0)
    y = (torch.rand(200, 400, generator=g) >= 0.8).long()
    z = torch.tensor([0.8, 0.2]).log().expand(400, 2)
    mean = torch.stack([metrics.expected_calibration_error(z, row) for row in y]).mean()
    assert float(mean) == pytest.approx(math.sqrt(2 * 0.8 * 0.2 / math.pi / 400), rel=0.2)


@pytest.mark.parametrize("metric", [metrics.negative_log_likelihood, metrics.brier_score])
def test_the_exact_posterior_has_the_best_proper_score(metric: Callable[..., Tensor]) -> None:
    g = torch.Generator().manual_seed(1)
    p = torch.softmax(2 * torch.randn(100, 4, generator=g, dtype=torch.float64), -1)
    noise = torch.randn(20, 100, 4, generator=g, dtype=torch.float64) * 0.1
    assert (metric(p.log() + noise, p, members=True) > metric(p.log(), p)).all()


def test_log_probabilities_and_shifted_logits_are_logits() -> None:
    z = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(50) % 3
    for metric in WITH_LABELS:
        torch.testing.assert_close(
            metric(torch.log_softmax(z, -1), y, members=True), metric(z, y, members=True)
        )
        torch.testing.assert_close(metric(z + 7, y, members=True), metric(z, y, members=True))


def test_values_known_by_heart() -> None:
    z, y = torch.zeros(4, 10), torch.tensor([0, 0, 5, 9])
    assert metrics.accuracy(z, y) == 0.5  # ties: the first class is the prediction
    assert float(metrics.negative_log_likelihood(z, y)) == pytest.approx(math.log(10))
    assert float(metrics.brier_score(z, y)) == pytest.approx(0.9)
    assert float(metrics.expected_calibration_error(z, y)) == pytest.approx(0.4)
    sure = 1e4 * torch.nn.functional.one_hot(y, 10).float()
    assert metrics.accuracy(sure, y) == 1
    assert metrics.negative_log_likelihood(sure, y) == 0
    assert metrics.brier_score(sure, y) == 0
    assert metrics.expected_calibration_error(sure, y) == 0
    assert metrics.negative_log_likelihood(sure, (y + 1) % 10) == 1e4
    assert metrics.brier_score(sure, (y + 1) % 10) == 2


@pytest.mark.parametrize("labels_are", ["labels", "posterior"])
def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch, labels_are: str) -> None:
    z = torch.randn(3, 101, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(101) % 4
    if labels_are == "posterior":
        labels = torch.softmax(z[0].double().flip(0), -1)
    whole = [metric(z, labels, members=True) for metric in WITH_LABELS]
    for block in (1, 28, 404):
        monkeypatch.setattr(metrics, "_BLOCK", block)
        for metric, expected in zip(WITH_LABELS, whole, strict=True):
            torch.testing.assert_close(
                metric(z, labels, members=True), expected, rtol=1e-12, atol=0
            )


def test_memory_stays_within_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BLOCK", 40)
    sizes = []
    softmax = torch.softmax

    def spy(z: Tensor, dim: int) -> Tensor:
        sizes.append(z.numel())
        return softmax(z, dim)

    monkeypatch.setattr(torch, "softmax", spy)
    metrics.brier_score(torch.randn(3, 100, 4), torch.zeros(100, dtype=torch.int64), members=True)
    assert max(sizes) == 40 and len(sizes) == 30


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_lower_precision_is_read_exactly(dtype: torch.dtype) -> None:
    z = (10 * torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(0))).to(dtype)
    y = torch.arange(40) % 3
    for metric in WITH_LABELS:
        assert torch.equal(metric(z, y, members=True), metric(z.double(), y, members=True))


def test_results_carry_no_gradient() -> None:
    z = torch.randn(5, 3, requires_grad=True)
    for metric in WITH_LABELS:
        assert not metric(z, torch.zeros(5, dtype=torch.int64)).requires_grad
        posterior = torch.softmax(z, -1)
        assert posterior.requires_grad and not metric(z, posterior).requires_grad


# Agreement


def test_agreement_counts_equal_predictions() -> None:
    a = torch.tensor([[[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 3.0], [1.0, 0.0]]])
    b = torch.tensor([[5.0, 1.0], [9.0, 3.0], [1.0, 0.5]])
    expected = torch.tensor([2 / 3, 1 / 3], dtype=torch.float64)
    torch.testing.assert_close(metrics.agreement(a, b, members=True), expected)
    torch.testing.assert_close(metrics.agreement(b, a, members=True), expected)
    torch.testing.assert_close(
        metrics.agreement(a, a.flip(0), members=True), expected[:1].expand(2)
    )
    torch.testing.assert_close(metrics.agreement(a[0], b), expected[0])
    assert metrics.agreement(a[0], b).shape == ()


def test_agreement_of_a_stack_with_itself_is_1_and_ties_take_the_first_class() -> None:
    z = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(metrics.agreement(z, z, members=True), torch.ones(3, dtype=torch.float64))
    assert metrics.agreement(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, -1.0]])) == 1


def test_agreement_with_one_hot_logits_is_accuracy() -> None:
    z = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(20) % 4
    hard = 5.0 * torch.nn.functional.one_hot(y, 4)
    assert torch.equal(
        metrics.agreement(z, hard, members=True), metrics.accuracy(z, y, members=True)
    )


# Fidelity


@given(own.shapes(), st.booleans(), st.data())
@few
def test_fidelity_is_agreement_and_the_divergence_of_the_student(
    shape: tuple[int, ...], one_each: bool, data: st.DataObject
) -> None:
    student = data.draw(own.logits(shape))
    teacher = data.draw(own.logits(shape if one_each else shape[-2:]))
    result = metrics.fidelity(student, teacher, members=student.ndim == 3)
    assert result.kl.shape == result.agreement.shape == shape[:-2]
    assert result.kl.dtype == torch.float64
    assert torch.equal(
        result.agreement, metrics.agreement(student, teacher, members=student.ndim == 3)
    )
    # KL is cross-entropy less entropy.
    z, v = (x.reshape(-1, *shape[-2:]) for x in (student, teacher.expand(shape)))
    expected = [
        slow_cross_entropy(one.tolist(), other.tolist())
        - slow_cross_entropy(other.tolist(), other.tolist())
        for one, other in zip(z, v, strict=True)
    ]
    size = 1 + max(float(student.abs().max()), float(teacher.abs().max()))
    torch.testing.assert_close(
        result.kl.reshape(-1),
        torch.tensor(expected, dtype=torch.float64),
        rtol=1e-10,
        atol=1e-14 * size,
    )


def slow_cross_entropy(z: list[list[float]], v: list[list[float]]) -> float:
    total = 0.0
    for of_student, of_teacher in zip(z, v, strict=True):
        top = max(of_student)
        log_sum = top + math.log(math.fsum(math.exp(x - top) for x in of_student))
        p = softmax(of_teacher)
        total += math.fsum(a * (log_sum - x) for a, x in zip(p, of_student, strict=True))
    return total / len(z)


def test_fidelity_known_by_heart() -> None:
    teacher = torch.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
    student = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    result = metrics.fidelity(student, teacher)
    assert float(result.kl) == pytest.approx(0.5 * math.log(1 / (4 * 0.8 * 0.2)) / 2, rel=1e-6)
    assert result.agreement == 1  # ties: the first class
    # The other way round it is another number, and nothing is infinite.
    swapped = 0.8 * math.log(1.6) + 0.2 * math.log(0.4)
    assert float(metrics.fidelity(teacher, student).kl) == pytest.approx(swapped / 2, rel=1e-6)
    assert metrics.fidelity(torch.tensor([[1e4, 0.0]]), torch.tensor([[0.0, 1e4]])).kl == 1e4
    same = metrics.fidelity(student, student)
    assert (same.kl, same.agreement) == (0, 1)
    many = metrics.fidelity(teacher, torch.stack([student, teacher]), members=True)
    assert many.kl.shape == (2,) and many.kl[1] == 0
    z = student.clone().requires_grad_()
    assert not metrics.fidelity(z, z).kl.requires_grad


def test_fidelity_refuses_what_does_not_match() -> None:
    with pytest.raises(ValueError, match=r"^student_logits has shape .* and teacher_logits"):
        metrics.fidelity(Z, Z[:2])
    with pytest.raises(ValueError, match=r"^student_logits looks like probabilities"):
        metrics.fidelity(P, Z)
    with pytest.raises(ValueError, match=r"^teacher_logits looks like probabilities"):
        metrics.fidelity(Z, P)


# What is refused

Z = torch.tensor([[2.0, -1.0], [0.5, 0.0], [0.3, 0.2]])
Y = torch.tensor([0, 1, 1])
P = torch.softmax(Z, -1)


@pytest.mark.parametrize("metric", WITH_LABELS)
@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        (P, Y, ValueError, r"^logits looks like probabilities .*torch\.log of"),
        (Z / 0, Y, ValueError, r"^logits holds .*; every value must be finite"),
        (Z.numpy(), Y, TypeError, r"^logits is a ndarray; .*torch\.as_tensor"),
        (Z, Y + 1, ValueError, r"^labels holds 2; with 2 classes .* 0 to 1"),
        (
            Z,
            Y[:2],
            ValueError,
            r"^labels has shape \(2,\) .* must be \(3,\), .* or the post.* \(3, 2\)",
        ),
        (
            Z,
            P[:2],
            ValueError,
            r"^labels has shape \(2, 2\) .* must be \(3,\), .* or the posterior",
        ),
        (
            Z,
            torch.ones(3, 4) / 4,
            ValueError,
            r"^labels has shape \(3, 4\) and the logits \(3, 2\)",
        ),
        (
            Z,
            torch.eye(2)[Y].long(),
            ValueError,
            r"^labels has shape \(3, 2\) .* labels\.argmax\(-1\)",
        ),
        (Z, Z, ValueError, r"^labels holds -1; it must hold probabilities"),
        (Z, Y.float(), TypeError, r"^labels has dtype float32; .* integer class numbers"),
        (Z, Y.tolist(), TypeError, r"^labels is a list; .* torch tensor"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    metric: Callable[..., Tensor],
    logits: Tensor,
    labels: Tensor,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        metric(logits, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("num_bins", "error"), [(0, ValueError), (-3, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_num_bins_is_a_positive_integer(num_bins: object, error: type[Exception]) -> None:
    with pytest.raises(
        error, match=rf"^num_bins is {num_bins}; .* whole number, 1 or more. Use 15"
    ):
        metrics.expected_calibration_error(Z, Y, num_bins)  # type: ignore[arg-type]


def test_agreement_refuses_what_does_not_match() -> None:
    two, three = Z.expand(2, 3, 2), Z.expand(3, 3, 2)
    for a, b, members in ((Z, Z[:2], False), (two, three, True), (Z, torch.zeros(3, 4), False)):
        with pytest.raises(ValueError, match=r"^logits_a has shape .* and logits_b .* the same"):
            metrics.agreement(a, b, members=members)
    with pytest.raises(ValueError, match=r"^logits_a looks like probabilities"):
        metrics.agreement(P, Z)
    with pytest.raises(ValueError, match=r"^logits_b looks like probabilities"):
        metrics.agreement(Z, P)

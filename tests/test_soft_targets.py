"""Soft targets against their definitions, their limits and an independent implementation."""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]
import pytest
import strategies as own
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill_helpers.soft_targets import soft_targets

few = settings(max_examples=40, deadline=None)
V = torch.tensor([[[3.0, 0.0, -1.0], [0.5, 2.0, 0.0]], [[0.0, 0.0, 4.0], [1.0, -2.0, 0.3]]])


def close(actual: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=1e-300)


def test_one_teacher_is_softmax_of_logits_over_temperature() -> None:
    v = V[0].double()
    close(soft_targets(v), torch.softmax(v, -1))
    close(soft_targets(v, 3), torch.softmax(v / 3, -1))
    for pooling in ("logits", "probabilities"):
        close(soft_targets(v, 2.5, pooling), torch.softmax(v / 2.5, -1))
        close(soft_targets(v[None], 2.5, pooling), torch.softmax(v / 2.5, -1))


def test_pooling_logits_averages_then_tempers_and_is_the_default() -> None:
    v = V.double()
    close(soft_targets(v, 3), torch.softmax(v.mean(0) / 3, -1))
    # The geometric mean of the tempered members, normalised.
    product = torch.softmax(v / 3, -1).log().mean(0).exp()
    close(soft_targets(v, 3, "logits"), product / product.sum(-1, keepdim=True))


def test_pooling_probabilities_tempers_then_averages() -> None:
    v = V.double()
    close(soft_targets(v, 3, pooling="probabilities"), torch.softmax(v / 3, -1).mean(0))


def test_poolings_agree_when_members_do_and_differ_when_not() -> None:
    same = V[:1].expand(4, 2, 3)
    torch.testing.assert_close(soft_targets(same), soft_targets(same, pooling="probabilities"))
    assert not torch.allclose(soft_targets(V), soft_targets(V, pooling="probabilities"))


@pytest.mark.parametrize("pooling", ["logits", "probabilities"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_is_kept_and_the_rounding_is_one_step(pooling: str, dtype: torch.dtype) -> None:
    v = V.to(dtype)
    result = soft_targets(v, 3, pooling)
    assert result.dtype == dtype
    assert torch.equal(result, soft_targets(v.double(), 3, pooling).to(dtype))


def test_no_gradient_reaches_the_teacher() -> None:
    v = V.clone().requires_grad_()
    for pooling in ("logits", "probabilities"):
        assert not soft_targets(v, 3, pooling).requires_grad
        assert not soft_targets(v[0], 3, pooling).requires_grad


@given(own.shapes(), own.temperatures, st.sampled_from(["logits", "probabilities"]), st.data())
@few
def test_rows_are_probabilities_at_extremes(
    shape: tuple[int, ...], temperature: float, pooling: str, data: st.DataObject
) -> None:
    v = data.draw(own.logits(shape))
    p = soft_targets(v, temperature, pooling)
    assert p.shape == shape[-2:]
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(shape[-2], dtype=p.dtype))
    # A shift of all logits of a row cancels; the order of classes is carried along.
    torch.testing.assert_close(soft_targets(v.flip(-1), temperature, pooling), p.flip(-1))


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("pooling", ["logits", "probabilities"])
def test_it_is_exact(temperature: float, scale: float, pooling: str) -> None:
    # Powers of two, so that the mean of two members is exact and mpmath sees the same numbers.
    v = (V.double() * 2.0 ** round(mpmath.log(scale, 2))).contiguous()
    actual = soft_targets(v, temperature, pooling)
    with mpmath.workdps(50):
        tempered = [
            [[mpmath.exp(mpmath.mpf(x) / mpmath.mpf(temperature)) for x in row] for row in member]
            for member in (v.mean(0, keepdim=True) if pooling == "logits" else v).tolist()
        ]
        shares = [[[x / sum(row) for x in row] for row in member] for member in tempered]
        mean = [
            [sum(xs) / len(xs) for xs in zip(*rows, strict=True)]
            for rows in zip(*shares, strict=True)
        ]
        expected = torch.tensor([[float(x) for x in row] for row in mean], dtype=torch.float64)
    # z / T is rounded once, so a share is good to |z / T| units in the last place.
    rtol = 1e-15 * (4 + v.abs().max().item() / temperature)
    torch.testing.assert_close(actual, expected, rtol=min(rtol, 1e-8), atol=1e-300)


def test_tempering_limits() -> None:
    v = V[0].double()
    hard = torch.nn.functional.one_hot(v.argmax(-1), 3).double()
    assert torch.equal(soft_targets(v, 1e-300), hard)  # v / T alone would overflow to NaN
    torch.testing.assert_close(soft_targets(v, 1e300), torch.full((2, 3), 1 / 3).double())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((V, 0), ValueError, r"^temperature is 0; .* above 0\. Use 1 for"),
        ((V, [1.0, 2.0]), ValueError, r"^temperature has shape \(2,\); .* one number"),
        ((V, "3"), TypeError, r"^temperature is '3'; "),
        (
            (V, 3, "median"),
            ValueError,
            r"^pooling is 'median'; .* one of 'logits', 'probabilities'",
        ),
        ((torch.softmax(V, -1), 3), ValueError, r"^logits looks like probabilities .*torch\.log"),
        ((V / 0,), ValueError, r"^logits holds .*; every value must be finite"),
        ((V[0, 0],), ValueError, r"^logits has shape \(3,\)"),
        ((V.tolist(),), TypeError, r"^logits is a list; "),
    ],
)
def test_bad_input_is_refused_in_one_line(
    arguments: tuple, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        soft_targets(*arguments)
    assert "\n" not in str(caught.value)

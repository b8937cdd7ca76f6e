"""Soft targets against their definitions, their limits and an independent implementation."""

from __future__ import annotations

import math

import mpmath  # type: ignore[import-untyped]
import pytest
import strategies as own
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill_helpers import soft_targets as module
from distill_helpers.soft_targets import fitted_temperature, pool, soft_targets

few = settings(max_examples=40, deadline=None)
V = torch.tensor([[[3.0, 0.0, -1.0], [0.5, 2.0, 0.0]], [[0.0, 0.0, 4.0], [1.0, -2.0, 0.3]]])


def close(actual: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=1e-300)


def test_one_teacher_is_softmax_of_logits_over_temperature() -> None:
    v = V[0].double()
    close(soft_targets(v), torch.softmax(v, -1))
    close(soft_targets(v, 3), torch.softmax(v / 3, -1))
    for pooling in ("logits", "probabilities"):
        close(soft_targets(v[None], 2.5, pooling), torch.softmax(v / 2.5, -1))


def test_pooling_logits_averages_then_tempers() -> None:
    v = V.double()
    close(soft_targets(v, 3, "logits"), torch.softmax(v.mean(0) / 3, -1))
    # The geometric mean of the tempered members, normalised.
    product = torch.softmax(v / 3, -1).log().mean(0).exp()
    close(soft_targets(v, 3, "logits"), product / product.sum(-1, keepdim=True))


def test_pooling_probabilities_tempers_then_averages() -> None:
    v = V.double()
    close(soft_targets(v, 3, pooling="probabilities"), torch.softmax(v / 3, -1).mean(0))


def test_poolings_agree_when_members_do_and_differ_when_not() -> None:
    same = V[:1].expand(4, 2, 3)
    for v, agree in ((same, True), (V, False)):
        pools = (soft_targets(v, pooling=pooling) for pooling in ("logits", "probabilities"))
        assert torch.allclose(*pools) == agree


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
    assert not soft_targets(v[0], 3).requires_grad


@given(own.shapes(), own.temperatures, st.sampled_from(["logits", "probabilities"]), st.data())
@few
def test_rows_are_probabilities_at_extremes(
    shape: tuple[int, ...], temperature: float, pooling: str, data: st.DataObject
) -> None:
    v = data.draw(own.logits(shape))
    how = pooling if len(shape) == 3 else None
    p = soft_targets(v, temperature, how)
    assert p.shape == shape[-2:]
    assert (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(shape[-2], dtype=p.dtype))
    # A shift of all logits of a row cancels; the order of classes is carried along.
    torch.testing.assert_close(soft_targets(v.flip(-1), temperature, how), p.flip(-1))


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
        ((V, 0, "logits"), ValueError, r"^temperature is 0; .* above 0\. Use 1 for"),
        ((V, [1.0, 2.0], "logits"), ValueError, r"^temperature has shape \(2,\); .* one number"),
        ((V, "3", "logits"), TypeError, r"^temperature is '3'; "),
        (
            (V, 3, "median"),
            ValueError,
            r"^pooling is 'median'; .* one of 'logits', 'probabilities'",
        ),
        (
            (torch.softmax(V[0], -1), 3),
            ValueError,
            r"^logits looks like probabilities .*torch\.log",
        ),
        ((V[0] / 0,), ValueError, r"^logits holds .*; every value must be finite"),
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


# Pools of members


kinds = [("arithmetic", None), ("geometric", None), ("median", None)]
kinds += [("power", r) for r in (-3.0, 0.0, 0.5, 2.0)]


def exact_pool(
    v: torch.Tensor, kind: str, order: float | None, T: float, temper: str
) -> torch.Tensor:
    """Pool by the definition, in 60 digits."""
    with mpmath.workdps(60):
        before, after = (T, 1) if temper == "before" else (1, T)

        def normalised(row: list) -> list:
            return [x / mpmath.fsum(row) for x in row]

        def pooled(xs: list) -> mpmath.mpf:
            M = len(xs)
            if kind == "median":
                return (sorted(xs)[(M - 1) // 2] + sorted(xs)[M // 2]) / 2
            r = {"arithmetic": 1, "geometric": 0, "power": order}[kind]
            if r == 0:
                return mpmath.fprod(xs) ** (mpmath.mpf(1) / M)
            return (mpmath.fsum(x ** mpmath.mpf(r) for x in xs) / M) ** (1 / mpmath.mpf(r))

        shares = [
            [normalised([mpmath.exp(mpmath.mpf(x) / before) for x in row]) for row in member]
            for member in v.tolist()
        ]
        rows = []
        for of_row in zip(*shares, strict=True):
            raw = normalised([pooled(list(xs)) for xs in zip(*of_row, strict=True)])
            rows.append(normalised([x ** (mpmath.mpf(1) / after) for x in raw]))
        return torch.tensor([[float(x) for x in row] for row in rows], dtype=torch.float64)


@pytest.mark.parametrize("temper", ["before", "after"])
@pytest.mark.parametrize(("kind", "order"), kinds)
@pytest.mark.parametrize(
    ("scale", "temperature"), [(1e-3, 1.0), (1.0, 3.0), (1e4, 1.0), (1e4, 1e4), (1.0, 1e-3)]
)
def test_a_pool_is_exact(
    kind: str, order: float | None, scale: float, temperature: float, temper: str
) -> None:
    for members in (1, 3, 4):
        v = scale * torch.randn(members, 2, 3, generator=torch.Generator().manual_seed(members))
        v = v.double()
        actual = pool(v, kind, order=order, temperature=temperature, temper=temper)
        expected = exact_pool(v, kind, order, temperature, temper)
        rtol = 4e-16 * (10 + v.abs().max().item() / min(1.0, temperature)) * max(1, abs(order or 1))
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=1e-300)


@pytest.mark.parametrize("order", [1e-300, 1e-12, 1e-6, -1e-9, 1e-3, -1e-3, 30, -300.0, 1e5])
def test_the_power_pool_is_exact_at_every_order(order: float) -> None:
    v = 5 * torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    # Members that nearly agree have the smallest terms, and classes of both kinds.
    for spread in (1.0, 1e-6):
        z = v[:1] + spread * v
        actual = pool(z, "power", order=order)
        if abs(order) < 1e-30:  # 60 digits do not tell it from the limit
            close(actual, exact_pool(z, "geometric", None, 1.0, "before"), 1e-14)
        else:
            close(actual, exact_pool(z, "power", order, 1.0, "before"), 1e-13)


def test_limits_of_the_power_pool() -> None:
    v = 5 * torch.randn(5, 4, 3, generator=torch.Generator().manual_seed(0)).double()
    p = torch.softmax(v, -1)
    largest, smallest = p.amax(0), p.amin(0)
    close(pool(v, "power", order=1), pool(v, "arithmetic"))
    close(pool(v, "power", order=0), pool(v, "geometric"))
    for order in (1e15, 1e308, 10**30):
        close(pool(v, "power", order=order), largest / largest.sum(-1, keepdim=True))
        close(pool(v, "power", order=-order), smallest / smallest.sum(-1, keepdim=True))
    close(pool(1e4 * v, "power", order=1e300), pool(1e4 * v, "power", order=1e15))


@given(own.shapes(), own.temperatures, st.data())
@few
def test_pools_that_soft_targets_has_too(
    shape: tuple[int, ...], temperature: float, data: st.DataObject
) -> None:
    v = data.draw(own.logits((3, *shape[-2:])))
    rtol = 1e-13 + 4e-16 * v.abs().max().item() / temperature
    for kind, pooling in (("geometric", "logits"), ("arithmetic", "probabilities")):
        actual = pool(v, kind, temperature=temperature)
        expected = soft_targets(v, temperature, pooling)
        torch.testing.assert_close(actual, expected, rtol=min(rtol, 1e-6), atol=1e-300)
    after = pool(v, temperature=temperature, temper="after")
    torch.testing.assert_close(
        after, soft_targets(v, temperature, "logits"), rtol=min(10 * rtol, 1e-6), atol=1e-300
    )


def test_the_median_of_members_that_are_sure_of_different_classes() -> None:
    """Every median rounds to 0; their shares do not."""
    v = 1e4 * torch.eye(3, dtype=torch.float64).unsqueeze(1)
    assert (torch.softmax(v, -1).median(0).values == 0).all()
    close(pool(v, "median"), torch.full((1, 3), 1 / 3, dtype=torch.float64))
    # One member more for class 0, and a little less of class 2 in it.
    v = torch.cat([v, torch.tensor([[[1e4, 0.0, -1.0]]], dtype=torch.float64)])
    close(pool(v, "median")[0, 0], torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize(("kind", "order"), [*kinds, ("power", 1e300), ("power", -1e300)])
@pytest.mark.parametrize("temper", ["before", "after"])
@given(st.sampled_from([2, 5, 1000]), st.integers(1, 5), own.temperatures, st.data())
@settings(max_examples=10, deadline=None)
def test_pools_are_probabilities_at_extremes(
    kind: str,
    order: float | None,
    temper: str,
    classes: int,
    members: int,
    temperature: float,
    data: st.DataObject,
) -> None:
    v = data.draw(own.logits((members, 3, classes)))
    p = pool(v, kind, order=order, temperature=temperature, temper=temper)
    assert p.shape == (3, classes) and (p >= 0).all()
    torch.testing.assert_close(p.sum(-1), torch.ones(3, dtype=torch.float64))
    turned = pool(v.flip(0) + 7, kind, order=order, temperature=temperature, temper=temper)
    assert (turned.argmax(-1) == p.argmax(-1)).all() or p.topk(2).values.diff().abs().min() < 1e-6


def test_a_member_at_the_mean_among_members_far_from_it() -> None:
    v = torch.tensor([[[0.0, 0.0]], [[0.0, 1e3]], [[0.0, 2e3]]], dtype=torch.float64)
    close(pool(v, "arithmetic"), torch.tensor([[1 / 6, 5 / 6]], dtype=torch.float64))
    close(pool(-v, "power", order=-1), torch.tensor([[1.0, 0.0]], dtype=torch.float64))


def test_a_temperature_of_nothing_leaves_no_nan() -> None:
    for kind, order in kinds:
        for temper in ("before", "after"):
            p = pool(V.double(), kind, order=order, temperature=1e-308, temper=temper)
            torch.testing.assert_close(p.sum(-1), torch.ones(2, dtype=torch.float64))


def test_softening_before_and_after_differ_unless_geometric() -> None:
    v = V.double()
    for kind in ("arithmetic", "median"):
        assert not torch.allclose(
            pool(v, kind, temperature=3.0), pool(v, kind, temperature=3.0, temper="after")
        )
        once = pool(v, kind) ** (1 / 3)
        expected = once / once.sum(-1, keepdim=True)
        close(pool(v, kind, temperature=3.0, temper="after"), expected)
    close(pool(v, temperature=3.0), pool(v, temperature=3.0, temper="after"))
    close(pool(v), pool(v, "geometric", temperature=1.0, temper="before"))  # the defaults


def test_blocks_of_rows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    v = torch.randn(3, 50, 4, generator=torch.Generator().manual_seed(0))
    whole = pool(v, "power", order=0.5)
    sizes = []
    softmax = torch.log_softmax

    def spy(z: torch.Tensor, dim: int) -> torch.Tensor:
        sizes.append(z.numel())
        return softmax(z, dim)

    monkeypatch.setattr(torch, "log_softmax", spy)
    for block in (1, 70):
        monkeypatch.setattr(module, "_BLOCK", block)
        sizes.clear()
        assert torch.equal(pool(v, "power", order=0.5), whole)
        assert max(sizes) == max(12, block // 12 * 12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_pool_keeps_the_dtype_and_no_gradient(dtype: torch.dtype) -> None:
    v = V.to(dtype).requires_grad_()
    for kind, order in kinds:
        p = pool(v, kind, order=order)
        assert p.dtype == dtype and not p.requires_grad
        assert torch.equal(p, pool(v.double(), kind, order=order).to(dtype))


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (
            (V, "mean"),
            {},
            ValueError,
            r"^kind is 'mean'; .* 'power', 'median'\. Use 'geometric' if",
        ),
        ((V,), {"temper": "never"}, ValueError, r"^temper is 'never'; .* 'before', 'after'\. Use"),
        (
            (V,),
            {"order": 1.0},
            ValueError,
            r"^order is 1\.0 for kind 'geometric'; only kind='power'",
        ),
        ((V, "median"), {"order": 1.0}, ValueError, r"^order is 1\.0 for kind 'median'; only"),
        (
            (V, "power"),
            {},
            TypeError,
            r"^order is None; kind='power' needs a finite number\. Use 1",
        ),
        ((V, "power"), {"order": True}, TypeError, r"^order is True; "),
        ((V, "power"), {"order": "2"}, TypeError, r"^order is '2'; "),
        (
            (V, "power"),
            {"order": float("inf")},
            ValueError,
            r"^order is inf; it must be finite\. Use",
        ),
        ((V, "power"), {"order": float("nan")}, ValueError, r"^order is nan; it must be finite"),
        ((V[0],), {}, ValueError, r"^logits has shape \(2, 3\); .* \(M, N, C\).*logits\[None\]"),
        ((torch.softmax(V, -1),), {}, ValueError, r"^logits looks like probabilities"),
        ((V,), {"temperature": 0}, ValueError, r"^temperature is 0; "),
        ((V,), {"temperature": [1.0, 2.0]}, ValueError, r"^temperature has shape \(2,\)"),
    ],
)
def test_a_bad_pool_is_refused_in_one_line(
    arguments: tuple, settings: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        pool(*arguments, **settings)
    assert "\n" not in str(caught.value)


# One temperature that calibrates


def test_a_fitted_temperature_of_members_is_had_as_told() -> None:
    z, y = torch.randn(3, 32, 5, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 5
    with pytest.raises(ValueError, match=r"For M networks pass logits\.mean\(0\);"):
        fitted_temperature(z, y)
    assert fitted_temperature(z.mean(0), y) > 0


@given(st.integers(0, 99), st.sampled_from([1, 5, 200]), st.floats(0.01, 100.0))
def test_a_fitted_temperature_is_where_the_loss_is_least(seed: int, n: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = size * torch.randn(n, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(3, (n,), generator=generator)

    def objective(log_t: float) -> float:
        loss = torch.nn.functional.cross_entropy(z * math.exp(-log_t), y)
        return loss.item() + log_t**2 / (2 * n)

    found = math.log(fitted_temperature(z, y))
    everywhere = [objective(found + step / 20) for step in range(-80, 81)]
    assert objective(found) <= min(everywhere) + 1e-9


def test_a_fitted_temperature_finds_the_one_that_made_the_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    z = 3 * torch.randn(200_000, 4, generator=generator)
    y = torch.multinomial(torch.softmax(z / 2.5, 1), 1, generator=generator).squeeze(1)
    assert fitted_temperature(z, y) == pytest.approx(2.5, rel=0.01)


@pytest.mark.parametrize("right", [True, False])
def test_a_fitted_temperature_is_moderate_where_all_are_right_or_all_wrong(right: bool) -> None:
    z = torch.tensor([[9.0, 0.0], [0.0, 9.0]]).repeat(70, 1)
    y = torch.tensor([0, 1] if right else [1, 0]).repeat(70)
    T = fitted_temperature(z, y)
    assert (0.3 < T < 1) if right else (1 < T < 500)


def test_a_fitted_temperature_needs_labels_that_fit() -> None:
    with pytest.raises(ValueError, match="labels"):
        fitted_temperature(torch.zeros(2, 3), torch.tensor([0, 1, 2]))

"""Sum rules to rounding, components against their expectations, intervals and their coverage."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import strategies as own
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distill_helpers import ensembles as en
from distill_helpers import metrics
from distill_helpers.soft_targets import pool

few = settings(max_examples=40, deadline=None)
losses = pytest.mark.parametrize("loss", ["log", "squared"])
G = torch.Generator


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=G().manual_seed(seed), dtype=dtype)


def close(actual: Tensor, expected: Tensor, rtol: float = 1e-12, atol: float = 1e-12) -> None:
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


# Ambiguity


@losses
@given(
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([2, 3, 10, 1000]),
    st.booleans(),
    st.data(),
)
@few
def test_the_pools_loss_is_the_members_less_their_ambiguity(
    loss: str, members: int, samples: int, classes: int, labelled: bool, data: st.DataObject
) -> None:
    z = data.draw(own.logits((members, samples, classes)))
    if labelled:
        targets = data.draw(own.labels((samples,), classes))
    else:
        targets = data.draw(own.probabilities((samples, classes)))
    parts = en.ambiguity_decomposition(z, targets, loss)
    for part in (parts.ensemble, parts.members, parts.ambiguity):
        assert part.shape == (samples,) and part.dtype == torch.float64
        assert torch.isfinite(part).all() and (part >= -1e-11).all()
    atol = 1e-13 * (1 + z.abs().max().item())
    close(parts.ensemble, parts.members - parts.ambiguity, atol=atol)


@pytest.mark.parametrize("targets_are", ["labels", "posterior"])
@pytest.mark.parametrize(
    ("loss", "kind", "metric"),
    [
        ("log", "geometric", metrics.negative_log_likelihood),
        ("squared", "arithmetic", metrics.brier_score),
    ],
)
def test_losses_are_those_of_the_pool_and_of_the_members(
    loss: str, kind: str, metric: Callable[..., Tensor], targets_are: str
) -> None:
    z = 2 * normal(4, 7, 3)
    targets = torch.arange(7) % 3 if targets_are == "labels" else normal(7, 3, seed=1).softmax(1)
    parts = en.ambiguity_decomposition(z, targets, loss)
    for n in range(7):
        one = slice(n, n + 1)
        pooled = pool(z[:, one], kind).log()
        close(parts.ensemble[n], metric(pooled, targets[one]))
        close(parts.members[n], metric(z[:, one], targets[one], members=True).mean())


def test_log_loss_is_the_default_and_the_ambiguity_is_its_closed_form() -> None:
    """With the geometric pool it is -log of the sum of the geometric means."""
    z = 3 * normal(5, 8, 4)
    parts = en.ambiguity_decomposition(z, torch.zeros(8, dtype=torch.int64))
    close(parts.ambiguity, -z.log_softmax(-1).mean(0).logsumexp(-1))
    squared = en.ambiguity_decomposition(z, torch.zeros(8, dtype=torch.int64), "squared")
    close(squared.ambiguity, z.softmax(-1).var(0, correction=0).sum(-1))


@losses
def test_members_that_agree_have_no_ambiguity(loss: str) -> None:
    z = normal(1, 6, 3).expand(4, 6, 3)
    parts = en.ambiguity_decomposition(z, torch.arange(6) % 3, loss)
    close(parts.ambiguity, torch.zeros(6, dtype=torch.float64), atol=1e-15)


def test_a_float32_posterior_does_not_break_the_sum() -> None:
    z, p = 30 * normal(4, 50, 5), (3 * normal(50, 5, seed=1)).softmax(1).float()
    assert (p.double().sum(1) != 1).any()
    parts = en.ambiguity_decomposition(z, p)
    close(parts.ensemble, parts.members - parts.ambiguity)


@losses
def test_float32_logits_are_read_in_float64(loss: str) -> None:
    z, y = (30 * normal(4, 5, 3)).float(), torch.arange(5) % 3
    one, other = (en.ambiguity_decomposition(v, y, loss) for v in (z, z.double()))
    for name in ("ensemble", "members", "ambiguity"):
        assert torch.equal(getattr(one, name), getattr(other, name))


# Bias and variance


def expected_loss(p: Tensor, posterior: Tensor, loss: str) -> Tensor:
    """Sum over labels: posterior times the loss at the label."""
    total = torch.zeros(len(posterior), dtype=torch.float64)
    for y in range(posterior.shape[1]):
        hot = torch.eye(posterior.shape[1], dtype=torch.float64)[y]
        at = -p[..., y].log() if loss == "log" else (p - hot).square().sum(-1)
        total += posterior[:, y] * at.flatten(0, -2).mean(0)
    return total


@losses
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(2, 8),
    st.sampled_from([1e-6, 1.0, 30.0]),
    st.integers(0, 2**32 - 1),
)
@few
def test_expected_loss_is_noise_bias_and_variance(
    loss: str, sets: int, members: int, samples: int, classes: int, scale: float, seed: int
) -> None:
    p = (scale * normal(sets, members, samples, classes, seed=seed)).softmax(-1)
    posterior = (3 * normal(samples, classes, seed=seed + 1)).softmax(-1)
    parts = en.bias_variance(p, posterior, loss)
    close(parts.noise + parts.bias + parts.variance, expected_loss(p, posterior, loss), atol=1e-10)
    close(parts.between + parts.within, parts.variance, atol=1e-10)
    for part in (parts.noise, parts.bias, parts.variance, parts.between, parts.within):
        assert part.shape == (samples,) and part.dtype == torch.float64
        assert (part >= -1e-12).all()


@losses
def test_an_ensemble_has_noise_bias_and_between(loss: str) -> None:
    logits, posterior = normal(5, 4, 6, 3), normal(6, 3, seed=1).softmax(-1)
    parts = en.bias_variance(logits.softmax(-1), posterior, loss)
    kind = "geometric" if loss == "log" else "arithmetic"
    pools = torch.stack([pool(z, kind) for z in logits])
    close(expected_loss(pools, posterior, loss), parts.noise + parts.bias + parts.between)
    ambiguity = [en.ambiguity_decomposition(z, posterior, loss).ambiguity for z in logits]
    close(torch.stack(ambiguity).mean(0), parts.within)


def test_parts_against_loops() -> None:
    p, posterior = normal(3, 2, 1, 4).softmax(-1), normal(1, 4, seed=1).softmax(-1)

    def kl(a: Tensor, b: Tensor) -> float:
        return sum(float(x * (x / y).log()) for x, y in zip(a, b, strict=True))

    def geometric(rows: list[Tensor]) -> Tensor:
        product = torch.stack(rows).prod(0) ** (1 / len(rows))
        return product / product.sum()

    truth, own_centres = posterior[0], [geometric([p[s, 0, 0], p[s, 1, 0]]) for s in range(3)]
    centre = geometric([p[s, m, 0] for s in range(3) for m in range(2)])
    pairs = list(itertools.product(range(3), range(2)))
    parts = en.bias_variance(p, posterior)  # log-loss is the default
    assert float(parts.noise) == pytest.approx(-float((truth * truth.log()).sum()))
    assert float(parts.bias) == pytest.approx(kl(truth, centre))
    assert float(parts.variance) == pytest.approx(
        np.mean([kl(centre, p[s, m, 0]) for s, m in pairs])
    )
    assert float(parts.between) == pytest.approx(np.mean([kl(centre, c) for c in own_centres]))
    assert float(parts.within) == pytest.approx(
        np.mean([kl(own_centres[s], p[s, m, 0]) for s, m in pairs])
    )
    squared = en.bias_variance(p, posterior, "squared")
    mean = p.mean((0, 1))[0]
    assert float(squared.noise) == pytest.approx(float((truth * (1 - truth)).sum()))
    assert float(squared.bias) == pytest.approx(float((truth - mean).square().sum()))
    assert float(squared.variance) == pytest.approx(
        np.mean([float((p[s, m, 0] - mean).square().sum()) for s, m in pairs])
    )
    assert float(squared.between) == pytest.approx(
        np.mean([float((p[s].mean(0)[0] - mean).square().sum()) for s in range(3)])
    )


@losses
def test_a_posterior_may_hold_zeros_and_float32_keeps_the_sum(loss: str) -> None:
    p = normal(3, 2, 4, 3).softmax(-1).float()
    posterior = torch.eye(4, 3)
    posterior[3] = torch.tensor([0.2, 0.8, 0.0])
    parts = en.bias_variance(p, posterior, loss)
    rounded = posterior.double() / posterior.double().sum(-1, keepdim=True)
    normalised = p.double() / p.double().sum(-1, keepdim=True)
    total = parts.noise + parts.bias + parts.variance
    close(
        total, expected_loss(normalised, rounded, loss), atol=1e-6 if loss == "squared" else 1e-12
    )
    close(parts.noise[:3], torch.zeros(3, dtype=torch.float64))


def test_the_plug_in_values_are_biased_as_documented() -> None:
    """Squared loss, Gaussian outputs of known variance: 4000 draws of 4 sets of 3 members."""
    sets, members, draws = 4, 3, 4000
    shared = 0.03 * normal(sets, 1, draws)
    first = 0.5 + shared + 0.05 * normal(sets, members, draws, seed=1)
    p = torch.stack([first, 1 - first], -1)
    parts = en.bias_variance(p, torch.full((draws, 2), 0.5).double(), "squared")
    b, w = 2 * 0.03**2, 2 * 0.05**2  # two classes
    assert float(parts.within.mean()) == pytest.approx((1 - 1 / members) * w, rel=0.03)
    assert float(parts.between.mean()) == pytest.approx(
        (1 - 1 / sets) * (b + w / members), rel=0.05
    )
    assert float(parts.bias.mean()) == pytest.approx((b + w / members) / sets, rel=0.08)
    corrected = en.variance_components(p)
    assert corrected.within.value == pytest.approx(w, rel=0.03)
    assert corrected.between.value == pytest.approx(b, rel=0.05)


# Variance components


def hierarchy(
    sets: int, members: int, inputs: int, between: float, within: float, rng: np.random.Generator
) -> Tensor:
    """Draw outputs whose components are known; inputs are independent."""
    shared = math.sqrt(between) * rng.standard_normal((sets, 1, inputs))
    return torch.from_numpy(
        3 + shared + math.sqrt(within) * rng.standard_normal((sets, members, inputs))
    )


def slow_components(f: np.ndarray) -> tuple[float, float]:
    """Return between and within for one input, ``(S, M)``, by mean squares."""
    sets, members = f.shape
    within = sum(f[s].var(ddof=1) for s in range(sets)) / sets
    return f.mean(1).var(ddof=1) - within / members, within


def test_components_are_those_of_the_analysis_of_variance() -> None:
    f = normal(5, 3, 4, 2) + 2 * normal(5, 1, 4, 2, seed=1)
    parts = en.variance_components(f)
    cells = [
        slow_components(f[:, :, n, c].numpy()) for n, c in itertools.product(range(4), range(2))
    ]
    between, within = np.sum(cells, axis=0) / 4  # the mean over inputs, the sum over classes
    assert parts.between.value == pytest.approx(between)
    assert parts.within.value == pytest.approx(within)
    assert parts.total.value == pytest.approx(between + within)
    assert parts.rho.value == pytest.approx(between / (between + within))
    assert parts.of_mean(1) == pytest.approx(between + within)
    assert parts.of_mean(8) == pytest.approx(between + within / 8)
    flat = en.variance_components(f.flatten(2))
    assert flat.within.value == pytest.approx(within / 2)


def test_intervals_are_the_jackknife_over_training_sets() -> None:
    f = normal(6, 3, 4, 2) + normal(6, 1, 4, 2, seed=1)
    whole = en.variance_components(f)
    names = ("between", "within", "total", "rho")
    left = [en.variance_components(torch.cat([f[:s], f[s + 1 :]])) for s in range(6)]
    for name in names:
        values = np.array([getattr(part, name).value for part in left])
        error = math.sqrt(5 / 6 * ((values - values.mean()) ** 2).sum())
        estimate = getattr(whole, name)
        assert estimate.standard_error == pytest.approx(error)
        assert (estimate.n, estimate.degrees_of_freedom, estimate.level) == (6, 5, 0.95)
        assert estimate.high - estimate.value == pytest.approx(2.570582 * error)


@pytest.mark.parametrize("truth", [(1.0, 4.0), (0.2, 1.0)])
def test_components_are_unbiased_and_their_intervals_cover(truth: tuple[float, float]) -> None:
    """20 training sets, 8 members, 10 inputs; 400 draws, so 95 % is 93 to 97 for a true 95."""
    rng, draws = np.random.default_rng(0), 400
    between, within = truth
    wanted = {
        "between": between,
        "within": within,
        "total": between + within,
        "rho": between / (between + within),
    }
    found: dict[str, list[float]] = {name: [] for name in wanted}
    hits = dict.fromkeys(wanted, 0)
    for _ in range(draws):
        parts = en.variance_components(hierarchy(20, 8, 10, between, within, rng))
        for name, value in wanted.items():
            estimate = getattr(parts, name)
            found[name].append(estimate.value)
            hits[name] += estimate.contains(value)
    for name, value in wanted.items():
        error = np.std(found[name]) / math.sqrt(draws)
        slack = 0.02 * value if name == "rho" else 0  # a ratio is unbiased to first order
        assert abs(np.mean(found[name]) - value) < 4 * error + slack, name
        assert 0.90 <= hits[name] / draws <= 0.98, (name, hits[name] / draws)


def test_a_single_input_covers_less_as_documented() -> None:
    rng, draws = np.random.default_rng(0), 500
    drawn = [en.variance_components(hierarchy(20, 8, 1, 1.0, 1.0, rng)) for _ in range(draws)]
    share = np.mean([parts.between.contains(1.0) for parts in drawn])
    assert 0.83 <= share <= 0.93


def test_a_negative_estimate_is_left_negative() -> None:
    f = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [2.0, -2.0]], dtype=torch.float64).unsqueeze(2)
    parts = en.variance_components(f)  # every mean is 0, so between is -within / 2
    assert parts.between.value == pytest.approx(-parts.within.value / 2)
    assert parts.rho.value == pytest.approx(-1.0)
    assert parts.of_mean(2) == pytest.approx(0.0)


def test_a_common_shift_of_an_input_does_not_count() -> None:
    f, shift = normal(4, 3, 5), 1e3 * normal(5, seed=1)
    one, other = en.variance_components(f), en.variance_components(f + shift)
    assert other.between.value == pytest.approx(one.between.value)
    assert other.within.value == pytest.approx(one.within.value)
    low, high = (en.variance_components(v).total.value for v in (f, 3 * f))
    assert high == pytest.approx(9 * low)


def test_float32_is_read_in_float64() -> None:
    f = (1e3 + normal(4, 3, 5)).float()
    assert en.variance_components(f) == en.variance_components(f.double())
    assert en.variance_of_mean(f, [2]) == en.variance_of_mean(f.double(), [2])


# The measured curve


def test_the_curve_against_loops() -> None:
    f = normal(4, 7, 3, 2)
    curve = en.variance_of_mean(f, [1, 3, 7])
    assert list(curve) == [1, 3, 7]

    def direct(f: np.ndarray, m: int) -> float:
        groups = [f[:, g * m : (g + 1) * m].mean(1) for g in range(f.shape[1] // m)]
        return float(np.mean([g.var(0, ddof=1).sum(-1).mean() for g in groups]))

    for m, estimate in curve.items():
        assert estimate.value == pytest.approx(direct(f.numpy(), m))
        left = np.array([direct(np.delete(f.numpy(), s, 0), m) for s in range(4)])
        error = math.sqrt(3 / 4 * ((left - left.mean()) ** 2).sum())
        assert estimate.standard_error == pytest.approx(error)
        assert (estimate.n, estimate.degrees_of_freedom) == (4, 3)


def test_the_curve_and_the_law_agree_where_the_law_is_exact() -> None:
    """The mean of all members: both use every number once."""
    f = normal(5, 6, 4) + normal(5, 1, 4, seed=1)
    assert en.variance_of_mean(f, [6])[6].value == pytest.approx(
        en.variance_components(f).of_mean(6)
    )
    assert en.variance_of_mean(f, [1])[1].value == pytest.approx(
        en.variance_components(f).of_mean(1), rel=0.5
    )


def test_the_curve_is_unbiased_and_its_intervals_cover() -> None:
    rng, draws = np.random.default_rng(1), 400
    curves = [
        en.variance_of_mean(hierarchy(20, 8, 10, 1.0, 4.0, rng), [1, 3, 8]) for _ in range(draws)
    ]
    for m in (1, 3, 8):
        values = [curve[m].value for curve in curves]
        truth = 1 + 4 / m
        assert abs(np.mean(values) - truth) < 4 * np.std(values) / math.sqrt(draws)
        assert 0.90 <= np.mean([curve[m].contains(truth) for curve in curves]) <= 0.98


# Disagreement


@given(st.integers(2, 6), st.integers(1, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
@few
def test_disagreement_is_the_mean_over_pairs(
    members: int, samples: int, classes: int, seed: int
) -> None:
    z = normal(members, samples, classes, seed=seed)
    pairs = [1 - metrics.agreement(a, b) for a, b in itertools.combinations(z, 2)]
    actual = en.disagreement(z)
    assert actual.shape == () and actual.dtype == torch.float64
    close(actual, torch.stack(pairs).mean())


# What is refused

Z = normal(2, 3, 4)
Y = torch.tensor([0, 1, 3])
P = normal(3, 2, 3, 4).softmax(-1)
Q = P[0, 0]
F = normal(3, 2, 5)
ONE_VARIES = torch.zeros(3, 2, 5, dtype=torch.float64)
ONE_VARIES[1] = F[1]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (en.ambiguity_decomposition, (Z[0], Y), r"^logits has shape \(3, 4\); .* \(M, N, C\)"),
        (en.ambiguity_decomposition, (Z.softmax(-1), Y), r"^logits looks like probabilities"),
        (en.ambiguity_decomposition, (Z, Y[:2]), r"^targets has shape \(2,\) and the logits"),
        (en.ambiguity_decomposition, (Z, Y, "hinge"), r"^loss is 'hinge'; .*'log'"),
        (en.bias_variance, (P, Q, "brier"), r"^loss is 'brier'; it must be 'log'"),
        (en.bias_variance, (P[0], Q), r"^probabilities has shape \(2, 3, 4\); .*S, M"),
        (en.bias_variance, (P.log(), Q), r"^probabilities holds -.*must hold probabilities"),
        (en.bias_variance, (P, Q.log()), r"^posterior holds -.*must hold probabilities"),
        (en.bias_variance, (P, Q[:2]), r"^posterior has shape \(2, 4\) and .* be \(3, 4\)"),
        (
            en.bias_variance,
            (torch.eye(4).expand(3, 2, 4, 4), torch.eye(4)),
            r"^probabilities holds 0; with loss='log' .* torch\.softmax\(logits\.double",
        ),
        (en.variance_components, (F[:2],), r"^values has shape \(2, 2, 5\); .* three"),
        (en.variance_components, (F[:, :1],), r"^values .* two members or more"),
        (en.variance_components, (F[:, :, 0],), r"^values has shape \(3, 2\); it must"),
        (en.variance_components, (F[:, :, :0],), r"^values has shape \(3, 2, 0\); it"),
        (en.variance_components, (F / 0,), r"^values holds numbers that are not finite"),
        (en.variance_components, (torch.ones(3, 2, 5),), r"^values vary in fewer than two"),
        (en.variance_components, (ONE_VARIES,), r"^values vary in fewer than two"),
        (en.variance_of_mean, (F[:2], [1]), r"^values has shape \(2, 2, 5\); .* three"),
        (en.variance_of_mean, (F, [1, 3]), r"^sizes holds 3; .* from 1 to 2, the members"),
        (en.variance_of_mean, (F, [0]), r"^sizes holds 0; each must be from 1 to 2"),
        (en.disagreement, (Z[:1],), r"^logits holds one member; .* two or more"),
        (en.disagreement, (Z[0],), r"^logits has shape \(3, 4\); it must be \(M"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    function: Callable[..., object], arguments: tuple, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (en.bias_variance, (P.numpy(), Q), r"^probabilities is a ndarray"),
        (en.variance_components, (F.long(),), r"^values is torch\.int64; .*\.float\(\)"),
        (en.variance_components, (F.numpy(),), r"^values is ndarray; .*tensor"),
        (en.variance_of_mean, (F, [1.0]), r"^sizes holds 1\.0; .* integer"),
        (en.variance_of_mean, (F, [True]), r"^sizes holds True; .* integer"),
    ],
)
def test_a_wrong_type_is_refused_in_one_line(
    function: Callable[..., object], arguments: tuple, message: str
) -> None:
    with pytest.raises(TypeError, match=message) as caught:
        function(*arguments)
    assert "\n" not in str(caught.value)


def test_no_gradient_is_kept() -> None:
    z = Z.clone().requires_grad_()
    for targets in (Y, Q.clone().requires_grad_()):
        parts = en.ambiguity_decomposition(z, targets)
        assert not parts.ensemble.requires_grad and not parts.ambiguity.requires_grad
    p = P.clone().requires_grad_()
    assert not en.bias_variance(p, Q).variance.requires_grad
    assert not parts.members.requires_grad
    with warnings.catch_warnings():  # torch warns where a number is read off a graph
        warnings.simplefilter("error")
        en.variance_components(F.clone().requires_grad_())
        en.variance_of_mean(F.clone().requires_grad_(), [1])

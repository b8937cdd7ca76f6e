from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.sparse import csr_matrix
from scipy.special import xlogy
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from distill_helpers import tasks
from distill_helpers.tasks import (
    GaussianMixtureLaw,
    Task,
    article_task,
    digits_task,
    gaussian_mixture_task,
    multi_view_task,
    replay_make_classification,
    task_from_arrays,
)

ARTICLE: dict[str, Any] = {"n_features": 20, "n_informative": 10, "n_redundant": 5}
# Three classes that overlap, unequal, noisy, with everything that moves columns about.
HARD: dict[str, Any] = {
    "n_features": 9,
    "n_informative": 4,
    "n_redundant": 2,
    "n_classes": 3,
    "n_clusters_per_class": 2,
    "weights": [0.2, 0.5],
    "flip_y": 0.15,
    "class_sep": 0.7,
}


@cache
def article() -> Task:
    return article_task()


@cache
def mixture() -> Task:
    return gaussian_mixture_task(num_classes=3, dimension=4, overlap=0.2, label_noise=0.1)


def law_of(task: Task) -> GaussianMixtureLaw:
    assert task.law is not None
    return task.law


@cache
def sklearns_own(hard: bool) -> tuple[np.ndarray, np.ndarray, GaussianMixtureLaw]:
    """scikit-learn's own samples, 200,000 of them, and the law replayed at that size."""
    arguments = HARD if hard else ARTICLE
    X, y = make_classification(200_000, **arguments, random_state=42)
    replayed_X, replayed_y, law = replay_make_classification(200_000, **arguments, random_state=42)
    assert np.array_equal(X, replayed_X) and np.array_equal(y, replayed_y)
    return X, y, law


# --- The replay -------------------------------------------------------------------------------


def assert_same_bits(n: int, seed: int, arguments: dict[str, Any]) -> None:
    X, y = make_classification(n, **arguments, random_state=seed)
    replayed_X, replayed_y, _ = replay_make_classification(n, **arguments, random_state=seed)
    assert np.array_equal(X, replayed_X) and np.array_equal(y, replayed_y)
    assert replayed_X.dtype == np.float64 and replayed_y.dtype == np.int64


@pytest.mark.parametrize("seed", [*range(20), 42])
def test_replay_is_scikit_learns_bit_for_bit(seed: int) -> None:
    assert_same_bits(5000, seed, ARTICLE)


@pytest.mark.parametrize(
    ("n", "arguments"),
    [
        (10_001, ARTICLE),
        (4999, HARD),
        (1, {}),
        (3, {"n_classes": 2}),  # fewer samples than clusters
        (500, {"n_features": 2, "n_redundant": 0}),
        (500, {"n_features": 40, "n_informative": 33}),  # centroids drawn in two steps
        (500, {"flip_y": 0.0}),
        (500, {"flip_y": 1.0}),
        (500, {"weights": [0.1, 0.9]}),
        (500, {"weights": [0.1]}),
        (500, {"weights": [0.1, 0.3]}),  # the rest goes round the clusters
        (500, {"n_classes": 4, "n_clusters_per_class": 1, "class_sep": 3.0}),
        (500, {"n_classes": 1, "n_clusters_per_class": 1}),
    ],
)
def test_replay_at_other_settings(n: int, arguments: dict[str, Any]) -> None:
    assert_same_bits(n, 7, arguments)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 300),
    d=st.integers(3, 8),
    redundant=st.integers(0, 4),
    noise=st.integers(0, 4),
    classes=st.integers(1, 4),
    per_class=st.integers(1, 2),
    flip=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_replay_at_any_settings(
    n: int, d: int, redundant: int, noise: int, classes: int, per_class: int, flip: float, seed: int
) -> None:
    arguments = {
        "n_features": d + redundant + noise,
        "n_informative": d,
        "n_redundant": redundant,
        "n_classes": classes,
        "n_clusters_per_class": per_class,
        "flip_y": flip,
    }
    assert_same_bits(n, seed, arguments)


def test_law_is_read_off_the_draws() -> None:
    X, _, law = replay_make_classification(4999, **HARD, random_state=3)
    u = X[:, law.informative]
    redundant = X[:, np.argsort(law.order)[4:6]]
    np.testing.assert_allclose(u @ law.redundant, redundant, atol=1e-12)
    assert (law.num_features, law.num_noise, law.num_classes) == (9, 3, 3)
    assert law.label_noise == 0.15
    assert law.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert set(np.unique(law.centroids)) == {-0.7, 0.7}
    assert law.weights.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(law.weights, np.array([0.2, 0.5, 0.3] * 2) / 2, atol=2 / 4999)


def test_another_size_is_another_law() -> None:
    first, second = (
        replay_make_classification(n, **ARTICLE, random_state=42)[2] for n in (5000, 5001)
    )
    assert np.array_equal(first.centroids, second.centroids)
    assert not np.allclose(first.mixing, second.mixing)


# --- The posterior ----------------------------------------------------------------------------


def calibration_p_value(posterior: np.ndarray, y: np.ndarray) -> float:
    """Chi-square over 30 bins a class of equal counts: observed against expected labels."""
    p_values = []
    for j in range(posterior.shape[1]):
        p = posterior[:, j]
        order = np.argsort(p, kind="stable")
        bins = np.array_split(order, 30)
        excess = np.array([((y[b] == j) - p[b]).sum() for b in bins])
        variance = np.array([(p[b] * (1 - p[b])).sum() for b in bins])
        p_values.append(stats.chi2.sf((excess**2 / variance).sum(), len(bins)))
    return min(1.0, min(p_values) * posterior.shape[1])


@pytest.mark.parametrize("hard", [False, True])
def test_posterior_is_calibrated_on_scikit_learns_own_samples(hard: bool) -> None:
    X, y, law = sklearns_own(hard)
    posterior = law.posterior(X)
    assert calibration_p_value(posterior, y) > 1e-3
    # Mean surprise of the labels against the posterior's own entropy.
    surprise = -np.log(posterior[np.arange(len(y)), y])
    entropy = -xlogy(posterior, posterior).sum(axis=1)
    gap = surprise - entropy
    assert abs(gap.mean()) < 3.5 * gap.std() / math.sqrt(len(y))


@pytest.mark.parametrize("hard", [False, True])
def test_calibration_test_would_see_a_wrong_law(hard: bool) -> None:
    X, y, law = sklearns_own(hard)
    wrong_noise = replace(law, label_noise=law.label_noise * 1.2)
    assert calibration_p_value(wrong_noise.posterior(X), y) < 1e-3
    wrong_matrices = replace(law, mixing=law.mixing[::-1])
    assert calibration_p_value(wrong_matrices.posterior(X), y) < 1e-3


@pytest.mark.parametrize("hard", [False, True])
def test_posterior_against_scipys_normal_densities(hard: bool) -> None:
    X, _, law = sklearns_own(hard)
    X = X[:2000]
    density = np.zeros((len(X), law.num_classes))
    for weight, label, mean, A in zip(
        law.weights, law.labels, law.centroids, law.mixing, strict=True
    ):
        normal = stats.multivariate_normal(mean, A.T @ A)
        density[:, label] += weight * normal.pdf(X[:, law.informative])
    expected = density / density.sum(axis=1, keepdims=True)
    expected = (1 - law.label_noise) * expected + law.label_noise / law.num_classes
    np.testing.assert_allclose(law.posterior(X), expected, atol=1e-9)


def test_posterior_against_fifty_digits() -> None:
    law = law_of(article())
    X, _ = law.sample(2000, seed=5)
    X = X[np.argsort(law.posterior(X).max(axis=1))[:20]]  # where the classes meet
    expected = np.empty((len(X), 2))
    with mpmath.workdps(50):
        inverses = [mpmath.matrix(A.tolist()) ** -1 for A in law.mixing]
        determinants = [abs(mpmath.det(mpmath.matrix(A.tolist()))) for A in law.mixing]
        for i, u in enumerate(X[:, law.informative]):
            density = [mpmath.mpf(0)] * 2
            for k, label in enumerate(law.labels):
                offset = mpmath.matrix(
                    [
                        mpmath.mpf(a) - mpmath.mpf(b)
                        for a, b in zip(u.tolist(), law.centroids[k].tolist(), strict=True)
                    ]
                )
                z = offset.T * inverses[k]
                squares = sum(value**2 for value in z)
                density[label] += law.weights[k] * mpmath.exp(-squares / 2) / determinants[k]
            noise = mpmath.mpf(law.label_noise)
            for j in range(2):
                expected[i, j] = float((1 - noise) * density[j] / sum(density) + noise / 2)
    np.testing.assert_allclose(law.posterior(X), expected, rtol=1e-12)


def test_float32_costs_a_millionth() -> None:
    task = article()
    raw, _ = law_of(task).sample(100_000, seed=3)
    exact = law_of(task).posterior(raw)
    single = task.posterior(task.standardise(raw)).numpy()
    assert np.abs(single - exact).max() < 5e-6
    assert np.abs(single - exact).mean() < 2e-9
    double = task.posterior(torch.from_numpy((raw - task.mean) / task.scale)).numpy()
    assert np.abs(double - exact).max() < 1e-12


def test_posterior_ignores_noise_and_redundant_features() -> None:
    X, _, law = sklearns_own(True)
    moved = X[:10].copy()
    others = np.setdiff1d(np.arange(law.num_features), law.informative)
    moved[:, others] += 100
    assert np.array_equal(law.posterior(moved), law.posterior(X[:10]))


@given(exponent=st.floats(0, 35), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_posterior_is_safe_anywhere(exponent: float, seed: int) -> None:
    direction = torch.randn(5, 20, generator=torch.Generator().manual_seed(seed))
    posterior = article().posterior(direction * 10**exponent)
    assert torch.isfinite(posterior).all()
    torch.testing.assert_close(posterior.sum(1), torch.ones(5).double(), rtol=0, atol=1e-14)
    assert (posterior >= 0.005 - 1e-15).all() and (posterior <= 0.995 + 1e-15).all()


def test_log_posterior_far_from_all_clusters_is_the_linear_log_odds() -> None:
    law = GaussianMixtureLaw(
        num_classes=2,
        weights=np.array([0.3, 0.7]),
        labels=np.array([0, 1]),
        centroids=np.array([[-2.0], [2.0]]),
        mixing=np.ones((2, 1, 1)),
        redundant=np.zeros((1, 0)),
        num_noise=0,
        order=np.array([0]),
        label_noise=0.0,
    )
    x = np.array([0.0, 1.0, -30.0, 1e4, -1e6])
    log_odds = math.log(0.7 / 0.3) + 4 * x
    got = law.log_posterior(x[:, None])
    np.testing.assert_allclose(got[:, 1] - got[:, 0], log_odds, rtol=1e-9)
    np.testing.assert_allclose(got[:, 0], -np.logaddexp(0, log_odds), rtol=1e-9, atol=1e-12)
    posterior = law.posterior(x[:, None])
    assert posterior[3].tolist() == [0, 1]


@pytest.mark.parametrize("height", [0.0, 1e3, 1e9, 1e18])
def test_posterior_between_two_clusters_however_far(height: float) -> None:
    law = GaussianMixtureLaw(
        num_classes=2,
        weights=np.array([0.3, 0.7]),
        labels=np.array([0, 1]),
        centroids=np.array([[-2.0, 0.0], [2.0, 0.0]]),
        mixing=np.stack([np.eye(2)] * 2),
        redundant=np.zeros((2, 0)),
        num_noise=0,
        order=np.array([0, 1]),
        label_noise=0.0,
    )
    posterior = law.posterior([[0.0, height]])
    assert posterior.sum() == pytest.approx(1, abs=1e-15)
    if height <= 1e3:  # beyond, the weights vanish in the rounding of the distances
        np.testing.assert_allclose(posterior, [[0.3, 0.7]], rtol=1e-9)


def test_pure_label_noise_leaves_nothing_to_know() -> None:
    _, _, law = sklearns_own(True)
    X, _ = law.sample(100, seed=0)
    np.testing.assert_allclose(replace(law, label_noise=1.0).posterior(X), 1 / 3, atol=1e-15)


def test_an_empty_cluster_gives_no_nan() -> None:
    X, _, law = replay_make_classification(3, random_state=0)
    assert law.weights.min() == 0
    posterior = replace(law, label_noise=0.0).posterior(X)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)


def test_posterior_rows_do_not_depend_on_their_company() -> None:
    x, _ = article().sample(5000, seed=2)  # more than one chunk
    together = article().posterior(x)
    torch.testing.assert_close(together[4500:4501], article().posterior(x[4500:4501]))
    assert together.dtype == torch.float64 and together.shape == (5000, 2)
    assert article().posterior(x[:0]).shape == (0, 2)
    torch.testing.assert_close(article().log_posterior(x).exp(), together)


# --- The Bayes error --------------------------------------------------------------------------


@pytest.mark.parametrize("hard", [False, True])
def test_bayes_error_is_the_share_of_mistakes(hard: bool) -> None:
    X, y, law = sklearns_own(hard)
    error, standard_error = law.bayes_error(200_000, seed=1)
    x_fresh, y_fresh = law.sample(200_000, seed=1)
    for samples, labels in ((X, y), (x_fresh, y_fresh)):
        wrong = law.posterior(samples).argmax(axis=1) != labels
        spread = math.hypot(standard_error, wrong.std() / math.sqrt(len(wrong)))
        assert abs(wrong.mean() - error) < 3.5 * spread


def test_bayes_errors_standard_error_covers() -> None:
    law = law_of(mixture())
    values, errors = zip(*(law.bayes_error(2000, seed=s) for s in range(200)), strict=True)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.2)
    assert law.bayes_error(2000, seed=3) == (values[3], errors[3])


def test_no_other_rule_beats_the_bayes_classifier() -> None:
    x, y = mixture().sample(100_000, seed=8)
    posterior = mixture().posterior(x)
    best = (posterior.argmax(1) != y).double().mean()
    tilted = (posterior * torch.tensor([1.0, 1.3, 0.8])).argmax(1)
    assert (tilted != y).double().mean() > best


# --- Fresh samples ----------------------------------------------------------------------------


def moments(law: GaussianMixtureLaw) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of x in closed form."""
    d, num_redundant = law.redundant.shape
    mean_u = law.weights @ law.centroids
    second = sum(
        w * (A.T @ A + np.outer(c, c))
        for w, A, c in zip(law.weights, law.mixing, law.centroids, strict=True)
    )
    lift = np.hstack([np.eye(d), law.redundant])
    size = law.num_features
    mean, covariance = np.zeros(size), np.eye(size)
    mean[: d + num_redundant] = mean_u @ lift
    informative = lift.T @ (second - np.outer(mean_u, mean_u)) @ lift
    covariance[: d + num_redundant, : d + num_redundant] = informative
    return mean[law.order], covariance[np.ix_(law.order, law.order)]


@pytest.mark.parametrize("hard", [False, True])
def test_samples_have_the_laws_moments(hard: bool) -> None:
    law = sklearns_own(hard)[2]
    n = 200_000
    x, _ = law.sample(n, seed=4)
    mean, covariance = moments(law)
    z = (x.mean(axis=0) - mean) / np.sqrt(np.diag(covariance) / n)
    assert np.abs(z).max() < 4.5
    scale = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(
        np.cov(x.T) / np.outer(scale, scale), covariance / np.outer(scale, scale), atol=0.02
    )


@pytest.mark.parametrize("hard", [False, True])
def test_samples_look_like_scikit_learns_own(hard: bool) -> None:
    X, y, law = sklearns_own(hard)
    x, y_fresh = law.sample(50_000, seed=6)
    X, y = X[:50_000], y[:50_000]
    p_values = [stats.ks_2samp(a, b).pvalue for a, b in zip(X.T, x.T, strict=True)]
    directions = np.random.default_rng(0).standard_normal((10, law.num_features))
    for j in range(law.num_classes):  # and within each class, along random directions
        p_values += [
            stats.ks_2samp(a, b).pvalue
            for a, b in zip(directions @ X[y == j].T, directions @ x[y_fresh == j].T, strict=True)
        ]
    assert min(p_values) * len(p_values) > 1e-3
    table = [np.bincount(labels, minlength=law.num_classes) for labels in (y, y_fresh)]
    assert stats.chi2_contingency(table).pvalue > 1e-3


@pytest.mark.parametrize("hard", [False, True])
def test_fresh_labels_follow_the_posterior(hard: bool) -> None:
    law = sklearns_own(hard)[2]
    x, y = law.sample(200_000, seed=7)
    assert calibration_p_value(law.posterior(x), y) > 1e-3


def test_fresh_samples_are_independent_of_their_place() -> None:
    x, y = mixture().sample(50_000, seed=0)
    bound = 4.5 / math.sqrt(len(x))
    for lag in (1, 4096):
        product = (x[lag:] * x[:-lag]).mean(0)
        assert product.abs().max() < bound * 1.5
    assert abs(np.corrcoef(y[1:], y[:-1])[0, 1]) < bound
    assert len(torch.unique(x, dim=0)) == len(x)  # no chunk is drawn twice


@pytest.mark.parametrize("n", [1, 4096, 10_000])
def test_sample_is_reproducible(n: int) -> None:
    x, y = article().sample(n, seed=1)
    again, y_again = article().sample(n, seed=1)
    other, _ = article().sample(n, seed=2)
    assert torch.equal(x, again) and torch.equal(y, y_again) and not torch.equal(x, other)
    assert x.shape == (n, 20) and x.dtype == torch.float32
    assert y.shape == (n,) and y.dtype == torch.int64


def test_only_the_ratios_of_the_weights_matter() -> None:
    law = law_of(article())
    doubled = replace(law, weights=law.weights * 2)
    x, y = law.sample(1000, seed=0)
    x_doubled, y_doubled = doubled.sample(1000, seed=0)
    assert np.array_equal(x, x_doubled) and np.array_equal(y, y_doubled)
    np.testing.assert_allclose(law.posterior(x), doubled.posterior(x), rtol=1e-12)


def test_samples_are_scaled_by_the_training_part() -> None:
    task = article()
    raw, y = law_of(task).sample(5000, seed=9)
    x, y_task = task.sample(5000, seed=9)
    X, _ = make_classification(5000, **ARTICLE, random_state=42)
    scaler = StandardScaler().fit(train_test_split(X, test_size=0.2, random_state=42)[0])
    assert np.array_equal(x.numpy(), scaler.transform(raw).astype(np.float32))
    assert np.array_equal(y, y_task)


# --- The article's task -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [42, 0, 1])
def test_article_task_is_the_articles_pipeline(seed: int) -> None:
    X, y = make_classification(
        n_samples=5000, n_features=20, n_informative=10, n_redundant=5, random_state=seed
    )
    x_train, x_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    scaler = StandardScaler()
    task = article_task(seed)
    expected = torch.tensor(scaler.fit_transform(x_train), dtype=torch.float32)
    assert torch.equal(task.x_train, expected)
    assert torch.equal(task.x_test, torch.tensor(scaler.transform(x_test), dtype=torch.float32))
    assert torch.equal(task.y_train, torch.tensor(y_train, dtype=torch.long))
    assert torch.equal(task.y_test, torch.tensor(y_test, dtype=torch.long))
    assert (task.num_classes, task.classes, task.has_law) == (2, (0, 1), True)
    assert task.name == ("article" if seed == 42 else f"article, random_state {seed}")
    # The law is the law of these very rows: they are as surprising as it expects.
    posterior = task.posterior(torch.cat([task.x_train, task.x_test]))
    y_all = torch.cat([task.y_train, task.y_test])
    gap = -posterior[range(5000), y_all].log() + torch.xlogy(posterior, posterior).sum(1)
    assert abs(gap.mean()) < 4 * gap.std() / math.sqrt(5000)


@pytest.mark.parametrize("part", [0, 1])
def test_article_task_refuses_another_generator(monkeypatch: Any, part: int) -> None:
    def other(*args: Any, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        drawn = make_classification(*args, **kwargs)
        drawn[part][17] += 1
        return drawn

    monkeypatch.setattr(tasks, "make_classification", other)
    with pytest.raises(RuntimeError, match="Install scikit-learn") as caught:
        article_task()
    assert "\n" not in str(caught.value)


def test_parts_are_standardised_on_the_training_part() -> None:
    for task in (article(), mixture(), digits_task()):
        varies = task.x_train.double().std(0, correction=0) > 0
        x = task.x_train.double()[:, varies]
        torch.testing.assert_close(x.mean(0), torch.zeros(x.shape[1]).double(), rtol=0, atol=1e-6)
        torch.testing.assert_close(
            x.std(0, correction=0), torch.ones(x.shape[1]).double(), rtol=0, atol=1e-6
        )
        assert task.x_test.double().mean(0).abs().max() > 1e-3


# --- Fresh training sets ----------------------------------------------------------------------


def test_fresh_data_is_another_training_set_of_the_same_law() -> None:
    task = article()
    first, second = task.with_fresh_data(0), task.with_fresh_data(1)
    assert first.law is task.law
    assert first.name == "article, training set 0"
    assert first.x_train.shape == (4000, 20) and first.x_test.shape == (1000, 20)
    assert not np.array_equal(first.mean, second.mean)
    assert torch.equal(first.x_train, task.with_fresh_data(0).x_train)
    torch.testing.assert_close(first.x_train.mean(0), torch.zeros(20), rtol=0, atol=1e-6)
    assert not torch.isclose(first.x_train[:1000], first.x_test).any(dim=0).all()
    big = task.with_fresh_data(0, num_train=9000)
    assert len(big.x_train) == len(big.y_train) == 9000 and len(big.x_test) == 1000


def test_no_two_purposes_share_their_draws() -> None:
    task = article()
    fresh = task.with_fresh_data(0)
    raw, _ = law_of(task).sample(5000, seed=0)
    raw_train = fresh.x_train.numpy() * fresh.scale + fresh.mean
    assert np.abs(raw_train[:4000] - raw[:4000]).max(axis=1).min() > 0.1
    error, _ = law_of(task).bayes_error(5000, seed=0)
    assert error != pytest.approx((1 - law_of(task).posterior(raw).max(axis=1)).mean(), rel=1e-9)


def test_tasks_of_one_law_share_their_raw_samples() -> None:
    task, other = article(), article().with_fresh_data(5)
    (x, y), (x_other, y_other) = task.sample(1000, seed=3), other.sample(1000, seed=3)
    assert torch.equal(y, y_other)
    raw = x.numpy() * task.scale + task.mean
    raw_other = x_other.numpy() * other.scale + other.mean
    np.testing.assert_allclose(raw, raw_other, atol=1e-5)
    torch.testing.assert_close(task.posterior(x), other.posterior(x_other), rtol=0, atol=1e-5)


# --- Folds ------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 5, 10])
def test_folds_partition_the_training_part(k: int) -> None:
    task = digits_task()
    folds = task.folds(k, seed=1)
    assert len(folds) == k
    assert torch.equal(torch.cat([held for _, held in folds]).sort()[0], torch.arange(1437))
    whole = torch.bincount(task.y_train, minlength=10)
    for fit, held_out in folds:
        assert fit.dtype == held_out.dtype == torch.int64
        assert torch.equal(torch.cat([fit, held_out]).sort()[0], torch.arange(1437))
        counts = torch.bincount(task.y_train[held_out], minlength=10)
        assert (counts - whole / k).abs().max() <= 1


def test_folds_are_reproducible_and_shuffled() -> None:
    task = article()
    first, again, other = task.folds(5, seed=1), task.folds(5, seed=1), task.folds(5, seed=2)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][1], other[0][1])
    assert not torch.equal(first[0][1], torch.arange(800))


def test_folds_need_k_samples_of_each_class() -> None:
    task = task_from_arrays(np.arange(60.0).reshape(30, 2), ["a"] * 25 + ["rare"] * 5)
    assert len(task.folds(4)) == 4
    with pytest.raises(ValueError, match=r"k is 5.* 4 of 'rare'\. Use fewer folds"):
        task.folds(5)


# --- Digits -----------------------------------------------------------------------------------


def test_digits_task_holds_every_digit_once() -> None:
    task = digits_task()
    assert task.x_train.shape == (1437, 64) and task.x_test.shape == (360, 64)
    assert (task.num_classes, task.classes, task.name) == (10, tuple(range(10)), "digits")
    assert not task.has_law
    share = torch.bincount(task.y_test) - torch.bincount(torch.tensor(load_digits().target)) * 0.2
    assert share.abs().max() < 1
    x = torch.cat([task.x_train, task.x_test]).double().numpy() * task.scale + task.mean
    y = torch.cat([task.y_train, task.y_test]).numpy()
    rows = sorted(map(tuple, np.column_stack([np.round(x), y])))
    digits = load_digits()
    assert rows == sorted(map(tuple, np.column_stack([digits.data, digits.target])))
    assert not torch.equal(task.y_test, digits_task(1).y_test)


@pytest.mark.parametrize("name", ["posterior", "log_posterior", "sample", "with_fresh_data"])
def test_an_unknown_law_is_said_to_be_unknown(name: str) -> None:
    task = digits_task()
    argument = task.x_test if "posterior" in name else 10
    with pytest.raises(ValueError, match="the law behind 'digits' is unknown"):
        getattr(task, name)(argument)


# --- Gaussian mixtures ------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [0.001, 0.1, 0.3, 0.49])
@pytest.mark.parametrize("dimension", [1, 10])
def test_two_classes_reach_the_bayes_error_exactly(overlap: float, dimension: int) -> None:
    task = gaussian_mixture_task(2, dimension, overlap, num_train=50, num_test=50)
    law = law_of(task)
    distance = np.linalg.norm(law.centroids[0] - law.centroids[1])
    assert stats.norm.cdf(-distance / 2) == pytest.approx(overlap, rel=1e-12)
    error, standard_error = law.bayes_error(100_000)
    assert abs(error - overlap) < 4 * standard_error
    assert task.x_train.shape == (50, dimension)


@pytest.mark.parametrize(
    ("classes", "per_class", "dimension", "overlap"),
    [(3, 1, 5, 0.1), (10, 1, 10, 0.3), (2, 3, 2, 0.25), (3, 1, 1, 0.1), (4, 2, 6, 0.74)],
)
def test_more_clusters_reach_the_bayes_error(
    classes: int, per_class: int, dimension: int, overlap: float
) -> None:
    task = gaussian_mixture_task(
        classes, dimension, overlap, clusters_per_class=per_class, random_state=4
    )
    error, standard_error = law_of(task).bayes_error(100_000)
    # The search has its own samples, some more than these.
    assert abs(error - overlap) < 3.5 * math.sqrt(2) * standard_error
    assert standard_error < 0.001
    assert task.num_classes == classes
    assert torch.bincount(task.y_train).min() > 4000 / classes / 2
    assert len(law_of(task).labels) == classes * per_class


@pytest.mark.parametrize("classes", [2, 3])
def test_label_noise_raises_the_bayes_error_in_closed_form(classes: int) -> None:
    clean = gaussian_mixture_task(classes, overlap=0.1, random_state=2)
    noisy = gaussian_mixture_task(classes, overlap=0.1, label_noise=0.3, random_state=2)
    (error, _), (noisy_error, _) = (law_of(t).bayes_error(20_000) for t in (clean, noisy))
    # On the same draws of x, so to rounding.
    assert noisy_error == pytest.approx(0.7 * error + 0.3 * (1 - 1 / classes), rel=1e-12)
    raw, y = law_of(noisy).sample(100_000, seed=0)
    best = law_of(noisy).posterior(raw).argmax(1)
    assert np.array_equal(best, law_of(clean).posterior(raw).argmax(1))
    expected = 0.7 * 0.1 + 0.3 * (1 - 1 / classes)
    assert (best != y).mean() == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(100_000))


def test_gaussian_mixture_is_reproducible_and_named() -> None:
    first, again = (gaussian_mixture_task(random_state=1, label_noise=0.05) for _ in range(2))
    other = gaussian_mixture_task(random_state=2)
    assert torch.equal(first.x_train, again.x_train)
    assert not torch.equal(first.x_train, other.x_train)
    assert first.name == "Gaussian mixture, 2 classes, overlap 0.1, label noise 0.05"
    assert other.name == "Gaussian mixture, 2 classes, overlap 0.1"
    fresh = first.with_fresh_data(1)
    assert not torch.isclose(fresh.x_train[:100], first.x_train[:100]).all(1).any()
    assert not np.isclose(fresh.mean, first.mean, rtol=1e-9).any()


# --- Several views of a class -----------------------------------------------------------------

VIEWS: dict[str, Any] = {  # classes, columns, Bayes error, then the shares
    "two": {"num_classes": 3, "dimension": 7, "overlap": 0.1, "single": 0.3, "faint": 0.4},
    "three": {"num_classes": 2, "dimension": 9, "overlap": 0.2, "single": 0.6, "views": 3},
    "one": {"num_classes": 4, "dimension": 5, "overlap": 0.15, "views": 1, "faint": 0.5},
    "plain": {"num_classes": 3, "dimension": 6, "overlap": 0.05, "single": 0.0, "faint": 0.0},
    "alone": {"num_classes": 2, "dimension": 4, "overlap": 0.05, "single": 1.0},
}


@cache
def several(name: str) -> Task:
    return multi_view_task(**VIEWS[name], num_train=60, num_test=20, random_state=3)


def by_hand(name: str, task: Task) -> tuple[np.ndarray, np.ndarray, list[tuple[float, int, Any]]]:
    """The strength and the directions, read off the law, and every row without noise there is."""
    given_values = {"single": 0.2, "faint": 0.3, "views": 2} | VIEWS[name]
    classes, views = given_values["num_classes"], given_values["views"]
    draws = tasks._rng(3, tasks._VIEWS).standard_normal(
        (given_values["dimension"], classes * views)
    )
    directions, triangle = np.linalg.qr(draws)
    np.testing.assert_allclose(directions @ triangle, draws, atol=1e-12)
    u = law_of(task).centroids @ directions
    np.testing.assert_allclose(u @ directions.T, law_of(task).centroids, atol=1e-12)
    rows = []
    for c, d, weak in product(range(classes), range(classes), range(views)):
        if c == d:
            continue
        for shown in product([0, 1], repeat=views):
            if sum(shown) not in (1, views):
                continue
            share = given_values["single"] / views if sum(shown) < views else 0.0
            share += (1 - given_values["single"]) * (sum(shown) == views and views > 1)
            share += views == 1
            mean = np.zeros((classes, views))
            mean[c] = shown
            mean[d, weak] = given_values["faint"]
            rows.append((share / classes / (classes - 1) / views, c, mean.ravel()))
    return np.array(u.max()), directions, rows


@pytest.mark.parametrize("name", VIEWS)
def test_views_against_scipys_normal_densities_and_bayes_rule(name: str) -> None:
    task = several(name)
    law = law_of(task)
    strength, directions, rows = by_hand(name, task)
    assert sum(weight for weight, _, _ in rows) == pytest.approx(1)
    assert len(rows) == len(law.weights) and not law.label_noise
    raw, _ = law.sample(300, seed=5)
    density = np.zeros((len(raw), law.num_classes))
    for weight, label, mean in rows:
        normal = stats.multivariate_normal(strength * directions @ mean, np.eye(raw.shape[1]))
        density[:, label] += weight * normal.pdf(raw)
    expected = density / density.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(law.posterior(raw), expected, atol=1e-10)
    np.testing.assert_allclose(task.posterior(task.standardise(raw)), expected, atol=1e-5)


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_seen_as_often_as_they_should(name: str) -> None:
    """Fresh labels follow the posterior, and the Bayes error is the one asked for."""
    law = law_of(several(name))
    raw, y = law.sample(60_000, seed=6)
    p = law.posterior(raw)
    mistakes = p.argmax(axis=1) != y
    overlap = VIEWS[name]["overlap"]
    assert mistakes.mean() == pytest.approx(overlap, abs=4 * mistakes.std() / len(y) ** 0.5 + 0.002)
    surprise = -np.log(p[np.arange(len(y)), y]) + xlogy(p, p).sum(axis=1)
    assert abs(surprise.mean()) < 4 * surprise.std() / math.sqrt(len(y))
    for c in range(law.num_classes):
        gap = (y == c) - p[:, c]
        for part in (p[:, c] < 0.5, p[:, c] >= 0.5):
            assert abs(gap[part].mean()) < 4.5 * gap[part].std() / math.sqrt(part.sum())
    error, standard_error = law.bayes_error(60_000)
    assert abs(error - overlap) < 4 * math.sqrt(2) * standard_error


def test_shares_of_rows_that_show_one_view_are_counted_in_samples() -> None:
    """Far apart, a row says by its nearest pattern which views it shows."""
    task = multi_view_task(3, 8, 1e-9, single=0.25, faint=0.4, num_train=5, num_test=5)
    law = law_of(task)
    draws = tasks._rng(0, tasks._VIEWS).standard_normal((8, 6))
    raw, y = law.sample(40_000, seed=2)
    strength = np.linalg.norm(law.centroids, axis=1).min() / math.sqrt(1 + 0.4**2)
    u = (raw @ np.linalg.qr(draws)[0]).reshape(-1, 3, 2) / strength
    seen = u[np.arange(len(y)), y] > 0.5
    assert (seen.sum(axis=1) == 1).mean() == pytest.approx(0.25, abs=0.01)
    assert seen.any(axis=1).all()
    assert seen[seen.sum(axis=1) == 1].mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.025)
    others = np.stack([np.delete(row, label, axis=0) for row, label in zip(u, y, strict=True)])
    assert others.sum(axis=(1, 2)).mean() == pytest.approx(0.4, abs=0.01)
    assert others.reshape(len(y), -1).mean(axis=0) == pytest.approx([0.1] * 4, abs=0.01)


def test_views_are_reproducible_and_named() -> None:
    first, again = (multi_view_task(random_state=1) for _ in range(2))
    other = multi_view_task(random_state=2, views=1)
    assert torch.equal(first.x_train, again.x_train)
    assert first.name == "2 views, 4 classes, overlap 0.05"
    assert other.name == "one view, 4 classes, overlap 0.05"
    assert len(law_of(first).labels) == 4 * 3 * 3 * 2 and len(law_of(other).labels) == 4 * 3
    assert first.x_train.shape == (4000, 20) and first.x_test.shape == (1000, 20)
    assert torch.bincount(first.y_train).min() > 900


# --- A reader's own arrays --------------------------------------------------------------------


def xy(n: int = 40, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(3, 5, (n, 3))
    return x, np.arange(n) % classes


@pytest.mark.parametrize(
    ("given_labels", "classes"),
    [
        (np.array(["dog", "cat"] * 20), ("cat", "dog")),
        (np.array(["dog", "cat"] * 20, dtype=object), ("cat", "dog")),
        (["dog", "cat"] * 20, ("cat", "dog")),
        ([7, -3] * 20, (-3, 7)),
        (np.array([7, -3] * 20, dtype=object), (-3, 7)),
        (np.array([7, 3] * 20, dtype=np.uint8), (3, 7)),
        (np.array([7.0, -3.0] * 20), (-3, 7)),
        (torch.tensor([7, -3] * 20), (-3, 7)),
        ([True, False] * 20, (False, True)),
    ],
)
def test_labels_become_numbers_and_are_remembered(given_labels: Any, classes: tuple) -> None:
    x, _ = xy()
    task = task_from_arrays(x, given_labels, name="pets")
    assert task.classes == classes
    assert [type(c) for c in task.classes] == [type(c) for c in classes]
    assert (task.num_classes, task.name, task.has_law) == (2, "pets", False)
    assert task.x_train.shape == (32, 3) and task.x_test.shape == (8, 3)
    assert task.x_train.dtype == torch.float32 and task.y_train.dtype == torch.int64
    # Each row keeps its own label.
    raw = torch.cat([task.x_train, task.x_test]).double().numpy() * task.scale + task.mean
    row = np.abs(raw[:, None] - x[None]).sum(axis=2).argmin(axis=1)
    assert sorted(row) == list(range(40))
    codes = torch.cat([task.y_train, task.y_test]).tolist()
    assert [classes[code] for code in codes] == [given_labels[i] for i in row]


def test_features_may_be_lists_tensors_and_whole_numbers() -> None:
    x, y = xy()
    expected = task_from_arrays(x, y)
    for same in (x.tolist(), torch.from_numpy(x).requires_grad_()):
        assert torch.equal(task_from_arrays(same, y).x_train, expected.x_train)
    whole = task_from_arrays(np.round(x).astype(int), y)
    assert whole.x_train.dtype == torch.float32
    assert not torch.equal(task_from_arrays(x, y, random_state=1).x_train, expected.x_train)
    assert len(task_from_arrays(x, y, test_size=0.5).x_test) == 20
    constant = task_from_arrays(np.column_stack([x, np.full(40, 5.0)]), y)
    assert (constant.x_train[:, 3] == 0).all()


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 30), min_size=2, max_size=8),
    test_size=st.sampled_from([0.1, 0.2, 0.25, 1 / 3, 0.5, 0.7, 0.9]),
)
def test_every_class_is_in_both_parts(counts: list[int], test_size: float) -> None:
    least = math.ceil(round(max(2, 1 / test_size, 1 / (1 - test_size)), 6))
    y = np.repeat(np.arange(len(counts)), np.add(counts, least))
    x = np.random.default_rng(0).standard_normal((len(y), 2))
    task = task_from_arrays(x, y, test_size=test_size)
    for labels in (task.y_train, task.y_test):
        assert len(torch.unique(labels)) == len(counts)
    y[:] = np.where(np.arange(len(y)) < least - 1, 0, 1)  # now class 0 has one too few
    with pytest.raises(ValueError, match=rf"class 0 has only {least - 1} of the {least} "):
        task_from_arrays(x, y, test_size=test_size)


def test_the_ways_out_for_labels_work() -> None:
    x, y = xy()
    several = np.stack([y, 1 - y, np.ones_like(y)], 1)
    for told, way_out, classes in (
        (["1", 1, 2, "b"] * 10, lambda y: [str(v) for v in y], ("1", "2", "b")),
        ([b"a", b"b"] * 20, lambda y: [v.decode() for v in y], ("a", "b")),
        (several, lambda y: y[:, 0], (0, 1)),
        (torch.tensor(several).float(), lambda y: y[:, 0], (0, 1)),
        (several[:, :2], lambda y: y.argmax(-1), (0, 1)),
        (y[:, None], lambda y: y.ravel(), (0, 1)),
    ):
        with pytest.raises(ValueError, match=r"^y "):
            task_from_arrays(x, told)
        assert task_from_arrays(x, way_out(told)).classes == classes


def test_labels_of_every_kind_keep_their_values() -> None:
    x, y = xy()
    for told, classes in (
        (y.astype(bool), (False, True)),
        ((y + 1.0).tolist(), (1, 2)),
        (np.where(y, 2**63 + 1, np.uint64(2**63)), (2**63, 2**63 + 1)),
        ([2**70 if label else 1 for label in y], (1, 2**70)),
        ([torch.tensor(label) for label in y], (0, 1)),
        (torch.tensor(y).bfloat16(), (0, 1)),
        (np.array(["a", "b"])[y].astype(object), ("a", "b")),
    ):
        task = task_from_arrays(x, told)
        assert task.classes == classes
        assert [type(label) for label in task.classes] == [type(label) for label in classes]
        assert torch.equal(task.x_train, task_from_arrays(torch.tensor(x), y).x_train)


# --- Bad input: one line that names the value, the rule and the way out -----------------------

X, Y = xy()


def lone_giant() -> np.ndarray:
    """Put a constant in the training part and a value beyond float32 in the test part."""
    x, y = X.copy(), Y
    rows = np.arange(len(y))
    marked = task_from_arrays(np.column_stack([rows, rows]), y)
    test_row = round(float(marked.x_test[0, 0]) * marked.scale[0] + marked.mean[0])
    x[:, 1] = 1.0
    x[test_row, 1] = 1e60
    return x


def odd(value: Any) -> Any:
    """Hide a wrong type from mypy."""
    return value


def changed(row: int, column: int, value: float) -> np.ndarray:
    x = X.copy()
    x[row, column] = value
    return x


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: task_from_arrays(changed(3, 1, np.nan), Y), ValueError, "nan at row 3, column 1"),
        (lambda: task_from_arrays(changed(3, 1, -np.inf), Y), ValueError, "-inf at row 3"),
        (lambda: task_from_arrays(X.astype(str), Y), TypeError, "x has dtype <U"),
        (lambda: task_from_arrays(X.astype(object), Y), TypeError, "x has dtype object"),
        (lambda: task_from_arrays(X.astype(complex), Y), TypeError, "x has dtype complex"),
        (lambda: task_from_arrays(X[:, 0], Y), ValueError, r"x has shape \(40,\)"),
        (lambda: task_from_arrays(X.reshape(40, 3, 1), Y), ValueError, r"x has shape \(40, 3, 1\)"),
        (lambda: task_from_arrays(X[:, :0], Y), ValueError, r"x has shape \(40, 0\)"),
        (lambda: task_from_arrays(X[:0], Y[:0]), ValueError, r"x has shape \(0, 3\)"),
        (lambda: task_from_arrays(X * 1e300, Y), ValueError, "x reaches"),
        # One far value that only one part can hold: the standardised test part overflows.
        (lambda: task_from_arrays(lone_giant(), Y), ValueError, "x reaches 1e"),
        (lambda: task_from_arrays(X, Y[:-1]), ValueError, r"y has shape \(39,\)"),
        (
            lambda: task_from_arrays(X, np.eye(2)[Y]),
            ValueError,
            r"Each row has one 1: use y\.argmax\(-1\)",
        ),
        (lambda: task_from_arrays(X, Y * 0.5), ValueError, "y holds 0.5"),
        (lambda: task_from_arrays(X, np.where(Y, 1, np.nan)), ValueError, "y holds nan"),
        (lambda: task_from_arrays(X, odd(["a", None] * 20)), ValueError, "y holds None"),
        (lambda: task_from_arrays(X, odd([None, "a"] * 20)), ValueError, "y holds None"),
        (
            lambda: task_from_arrays(X, np.array(["a", 1] * 20, dtype=object)),
            ValueError,
            "y holds 1",
        ),
        (lambda: task_from_arrays(X, Y * 1j), ValueError, "y holds 0j"),
        (lambda: task_from_arrays(X, ["a", "b", "c", math.nan] * 10), ValueError, "nan at row 3"),
        (lambda: task_from_arrays(X, ["1", 1, 2, "b"] * 10), ValueError, "y holds 1 at row 1"),
        (lambda: task_from_arrays(X, [True, 1, 2, 0] * 10), ValueError, "y holds 1 at row 1"),
        (lambda: task_from_arrays(X, np.array(["a", np.nan] * 20)), ValueError, "'nan' at row 1"),
        (lambda: task_from_arrays(X, [b"a", b"b"] * 20), ValueError, "b'a' at row 0, bytes"),
        (lambda: task_from_arrays(X, Y.astype("M8[D]")), ValueError, r"datetime.date\(1970"),
        (lambda: task_from_arrays(X, [np.datetime64("NaT")] * 40), ValueError, "None at row 0"),
        (lambda: task_from_arrays(X, Y * 1e300), ValueError, "y holds 1e.300 at row .* contin"),
        (lambda: task_from_arrays(X, [[0], [0, 1]] * 20), ValueError, "Several labels a row are"),
        (lambda: task_from_arrays(X, np.ones((40, 3))), ValueError, "several labels a row are not"),
        (lambda: task_from_arrays(X, Y[:, None]), ValueError, r"Use y\.ravel\(\)"),
        (lambda: task_from_arrays(X, odd(None)), ValueError, r"shape \(\).* array or a list"),
        (lambda: task_from_arrays(X, np.ma.array(Y, mask=Y == 1)), ValueError, "y is masked"),
        (lambda: task_from_arrays(np.ma.array(X, mask=X > 0), Y), ValueError, "x is masked"),
        (lambda: task_from_arrays(odd(None), Y), TypeError, "x is a NoneType"),
        (lambda: task_from_arrays(odd(csr_matrix(X)), Y), TypeError, r"x is a csr_matrix.*toarray"),
        (lambda: task_from_arrays([[1.0, 2.0], [3.0]] * 20, Y), ValueError, "of unequal length"),
        (lambda: task_from_arrays(X, Y * 0), ValueError, "y holds one class alone, 0"),
        (lambda: task_from_arrays(X, ["a"] * 40), ValueError, "one class alone, 'a'"),
        (
            lambda: task_from_arrays(X, ["a"] * 39 + ["b"]),
            ValueError,
            "class 'b' has only 1 of the 5 ",
        ),
        (lambda: task_from_arrays(X, np.arange(40)), ValueError, "class 0 has only 1 of"),
        (lambda: task_from_arrays(X, Y, test_size=0.0), ValueError, "test_size is 0.0"),
        (lambda: task_from_arrays(X, Y, test_size=1.0), ValueError, "test_size is 1.0"),
        (lambda: task_from_arrays(X, Y, test_size=odd("0.2")), TypeError, "test_size is '0.2'"),
        (lambda: task_from_arrays(X, Y, random_state=-1), ValueError, "random_state is -1"),
        (lambda: article_task(-1), ValueError, "random_state is -1"),
        (lambda: article_task(2**32), ValueError, "random_state is 4294967296"),
        (lambda: article_task(True), TypeError, "random_state is True"),
        (lambda: article_task(odd(1.0)), TypeError, "random_state is 1.0"),
        (lambda: article_task(odd(None)), TypeError, "random_state is None"),
        (lambda: article().sample(0), ValueError, "n is 0"),
        (lambda: article().sample(odd(10.0)), TypeError, "n is 10.0"),
        (lambda: article().sample(10, seed=-1), ValueError, "seed is -1"),
        (lambda: article().with_fresh_data(-1), ValueError, "seed is -1"),
        (lambda: article().with_fresh_data(0, num_train=0), ValueError, "num_train is 0"),
        (lambda: article().folds(1), ValueError, "k is 1"),
        (lambda: article().folds(5, seed=odd(0.5)), TypeError, "seed is 0.5"),
        (lambda: article().posterior(torch.zeros(20)), ValueError, r"shape \(20,\)"),
        (lambda: article().posterior(torch.zeros(2, 19)), ValueError, r"\(N, 20\)"),
        (lambda: article().posterior(torch.full((2, 20), torch.nan)), ValueError, "x holds NaN"),
        (lambda: article().standardise(np.zeros((2, 19))), ValueError, r"\(N, 20\)"),
        (lambda: law_of(article()).posterior(np.zeros((2, 19))), ValueError, r"\(N, 20\)"),
        (lambda: law_of(article()).bayes_error(1), ValueError, "n is 1"),
        (lambda: gaussian_mixture_task(1), ValueError, "num_classes is 1"),
        (lambda: gaussian_mixture_task(dimension=0), ValueError, "dimension is 0"),
        (lambda: gaussian_mixture_task(overlap=0.0), ValueError, "overlap is 0.0"),
        (lambda: gaussian_mixture_task(overlap=0.5), ValueError, "overlap is 0.5.*below 0.5,"),
        (lambda: gaussian_mixture_task(4, overlap=0.75), ValueError, "below 0.75,.*4 classes"),
        (lambda: gaussian_mixture_task(overlap=math.nan), ValueError, "overlap is nan"),
        (lambda: gaussian_mixture_task(overlap=True), TypeError, "overlap is True"),
        (lambda: gaussian_mixture_task(label_noise=1.1), ValueError, "label_noise is 1.1"),
        (lambda: gaussian_mixture_task(clusters_per_class=0), ValueError, "clusters_per_class is"),
        (lambda: gaussian_mixture_task(num_train=0), ValueError, "num_train is 0"),
        (lambda: gaussian_mixture_task(num_test=0), ValueError, "num_test is 0"),
        (lambda: multi_view_task(1), ValueError, "num_classes is 1"),
        (lambda: multi_view_task(views=0), ValueError, "views is 0"),
        (lambda: multi_view_task(3, 5), ValueError, "dimension is 5; .*6"),
        (lambda: multi_view_task(overlap=0.75), ValueError, "overlap is 0.75.*below 0.75,"),
        (lambda: multi_view_task(single=1.1), ValueError, "single is 1.1"),
        (lambda: multi_view_task(faint=1.0), ValueError, "faint is 1.0; .*below 1"),
        (lambda: multi_view_task(faint=odd("0.1")), TypeError, "faint is '0.1'"),
        (lambda: multi_view_task(num_test=0), ValueError, "num_test is 0"),
        (lambda: replay_make_classification(0), ValueError, "n_samples is 0"),
        (lambda: replay_make_classification(9, 3), ValueError, "n_features is 3"),
        (lambda: replay_make_classification(n_informative=0), ValueError, "n_informative is 0"),
        (lambda: replay_make_classification(n_redundant=-1), ValueError, "n_redundant is -1"),
        (lambda: replay_make_classification(n_classes=3), ValueError, r"per_class is 6.* = 4,"),
        (lambda: replay_make_classification(flip_y=-0.1), ValueError, "flip_y is -0.1"),
        (lambda: replay_make_classification(class_sep=math.inf), ValueError, "class_sep is inf"),
        (lambda: replay_make_classification(weights=[0.9, 0.9]), ValueError, "weights is"),
        (lambda: replay_make_classification(weights=[1.2]), ValueError, "weights is"),
        (lambda: replay_make_classification(weights=[0.2] * 3), ValueError, "weights is"),
        (lambda: replay_make_classification(weights=[0, 0]), ValueError, "weights is"),
        (lambda: replay_make_classification(weights=[math.nan]), ValueError, "weights is"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".")
    assert type(caught.value) is error


def test_repr_is_short() -> None:
    assert repr(article()) == "Task(name='article', num_classes=2)"
    assert len(repr(article().law)) < 100

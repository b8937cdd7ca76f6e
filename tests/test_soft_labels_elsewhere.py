"""The page on soft labels elsewhere: its versions, its recipes, and what it says of the two
libraries that come with the book. `test_soft_labels_peers.py` has the others.
"""

from __future__ import annotations

import re
import tomllib
import warnings
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from soft_labels_support import (
    BALANCED,
    CASE,
    PAGE,
    ROOT,
    SECTIONS,
    THE,
    UNITS,
    WEIGHTED,
    WEIGHTS,
    P,
    X,
    best,
    case,
    code,
    copies,
    entropy,
    group,
    group_means,
    normalised,
    p,
    softmax,
)

# What `pip install` calls the library of a row of the table. Two come with the book itself.
PACKAGES = {
    "scikit-learn": "scikit-learn",
    "statsmodels": "statsmodels",
    "XGBoost": "xgboost-cpu",
    "LightGBM": "lightgbm",
    "CatBoost": "catboost",
    "InterpretML": "interpret-core",
    "River": "river",
    "PyTorch": "torch",
    "skorch": "skorch",
    "Keras": "keras",
    "Optax": "optax",
    "TorchMetrics": "torchmetrics",
}
GIVEN = {"scikit-learn", "torch"}
# XGBoost makes no split whose gain, gradient^2 / Hessian, is below 1e-6; with 50 rows in a leaf
# and twice the softmax's own Hessian that leaves up to sqrt(4e-6 * 0.25 / 100) = 1e-4 of a
# probability. River goes row by row at a constant rate, InterpretML in many small steps.
NEAR = {"XGBoost": 2e-4, "River": 2e-2, "InterpretML": 2e-4}


# --- The page -------------------------------------------------------------------------------------


def test_table_names_the_versions_that_are_pinned():
    rows = re.findall(r"^\| \[(.+?)\]\(#soft-(.+?)\) (\S+) \|", PAGE, re.M)
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = dict(
        line.partition(";")[0].strip().split("==")
        for line in extra["project"]["optional-dependencies"]["peers"]
    )
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        name, _, version = line.partition("#")[0].strip().partition("==")
        if name in GIVEN:
            pins[name] = version
    assert {PACKAGES[name]: version for name, _, version in rows} == {
        name: pins[name] for name in PACKAGES.values()
    }
    # Each row leads to a section, and each section has its row.
    assert [(name, f"(soft-{label})=\n## {name}\n" in PAGE) for name, label, _ in rows] == [
        (name, True) for name in PACKAGES
    ]
    assert set(SECTIONS) - set(PACKAGES) == {"In short", CASE, "How far this is tested"}


@pytest.mark.parametrize("section", PACKAGES)
def test_recipe_reaches_the_minimiser(section, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    source = code(section)
    for module in re.findall(r"^(?:import|from) (\w+)", source, re.M):
        pytest.importorskip(module)
    torch.manual_seed(0)
    names = case()
    exec(source, names)
    tempered = normalised(P**0.5)
    answers = {"Q": best, "q": best[:, 0], "Q_tempered": group_means(tempered)}
    reached = [name for name in answers if name in names]
    for name in reached:
        np.testing.assert_allclose(names[name], answers[name], atol=NEAR.get(section, 2e-5))
    if section == "TorchMetrics":  # it trains nothing
        q = names["z"].softmax(1).numpy()
        assert float(names["kl"]) == pytest.approx((P * np.log(P / q)).sum(1).mean(), rel=1e-6)
    else:
        assert reached, "the recipe leaves no answer"


# --- The case -------------------------------------------------------------------------------------


def test_group_mean_minimises_the_soft_cross_entropy():
    # The gradient in the logits of group g is the sum over its rows of (softmax - P).
    np.testing.assert_allclose(group_means(softmax(np.log(best))[group] - P), 0, atol=1e-15)
    rng = np.random.default_rng(1)
    for _ in range(20):  # and the loss is convex in the logits
        assert entropy(P, softmax(np.log(best) + rng.normal(size=best.shape))) > entropy(P, best)


def test_copies_have_the_soft_cross_entropy():
    X3, y3, w3 = copies(X, P)
    Q = softmax(np.random.default_rng(0).normal(size=(4, 3)))
    loss = -(w3 * np.log(Q[X3.argmax(1), y3])).sum() / w3.sum()
    assert loss == pytest.approx(entropy(P, Q), rel=1e-12)
    from sklearn.metrics import log_loss

    assert log_loss(y3, Q[X3.argmax(1)], sample_weight=w3) == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(
    ("module", "kind", "settings"),
    [
        ("tree", "DecisionTreeClassifier", {}),
        ("ensemble", "RandomForestClassifier", {"bootstrap": False, "n_estimators": 5}),
        ("ensemble", "GradientBoostingClassifier", {"n_estimators": 150}),
        ("ensemble", "HistGradientBoostingClassifier", {"max_iter": 300}),
        ("neural_network", "MLPClassifier", {"solver": "lbfgs", "alpha": 0, "max_iter": 5000}),
    ],
)
def test_sklearn_learns_copies(module, kind, settings):
    make = getattr(pytest.importorskip(f"sklearn.{module}"), kind)
    if kind == "MLPClassifier":
        settings = settings | {"hidden_layer_sizes": (), "tol": 1e-12}
    X3, y3, w3 = copies(X, P)
    student = make(random_state=0, **settings).fit(X3, y3, sample_weight=w3)
    np.testing.assert_allclose(student.predict_proba(UNITS), best, atol=1e-4)


def test_mini_batches_of_scikit_learn_flatten_copies():
    from itertools import product

    sklearn_network = pytest.importorskip("sklearn.neural_network").MLPClassifier
    teacher, rows = np.array([0.80, 0.15, 0.05]), 80
    X1, y1, w1 = copies(np.ones((rows, 1)), np.tile(teacher, (rows, 1)))

    def learnt(size, epochs):
        student = sklearn_network(
            (), alpha=0, batch_size=size, learning_rate_init=0.01, max_iter=epochs, tol=0,
            n_iter_no_change=epochs, random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is stopped on purpose
            return student.fit(X1, y1, sample_weight=w1).predict_proba([[1.0]])[0]

    np.testing.assert_allclose(learnt(1, 20), 1 / 3, atol=0.12)
    # Batches of k copies are drawn evenly: the mean of w_c / (sum of the batch's weights).
    share = np.zeros(3)
    for classes in product(range(3), repeat=4):
        drawn = teacher[list(classes)]
        for c, w in zip(classes, drawn, strict=True):
            share[c] += w / drawn.sum() / 3**4
    assert share[0] == pytest.approx(0.66, abs=0.02)
    np.testing.assert_allclose(learnt(4, 30), share, atol=0.05)
    assert learnt(16, 60)[0] == pytest.approx(0.77, abs=0.02)
    np.testing.assert_allclose(learnt(240, 400), teacher, atol=0.01)


def test_copies_stay_together_in_a_group_split():
    from sklearn.model_selection import GroupKFold, KFold

    X3, _, _ = copies(X, P)
    row = np.repeat(np.arange(len(X)), 3)
    for train, held in GroupKFold(5).split(X3, groups=row):
        assert not set(row[train]) & set(row[held])
    train, held = next(KFold(5, shuffle=True, random_state=0).split(X3))
    assert set(row[train]) & set(row[held])


def test_class_weights_go_into_targets_and_sample_weights():
    Q = softmax(np.random.default_rng(0).normal(size=(4, 3)))
    targets, rows = THE["weighted_P"], THE["sample_weights"]
    np.testing.assert_allclose(targets.sum(1), 1)
    ours = -(rows * (targets * np.log(Q[group])).sum(1)).sum()
    assert ours == pytest.approx(-(WEIGHTS * P * np.log(Q[group])).sum(), rel=1e-12)
    np.testing.assert_allclose(normalised(group_means(targets * rows[:, None])), WEIGHTED)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_hard_labels_beside_are_mixed_targets(alpha):
    Q, labels = softmax(np.random.default_rng(0).normal(size=(4, 3))), P.argmax(1)
    both = alpha * entropy(P, Q) + (1 - alpha) * entropy(np.eye(3)[labels], Q)
    assert entropy(alpha * P + (1 - alpha) * np.eye(3)[labels], Q) == pytest.approx(both)


@pytest.mark.parametrize("T", [0.5, 2.0, 7.0])
def test_tempered_targets_come_back(T):
    np.testing.assert_allclose(normalised(normalised(P ** (1 / T)) ** T), P, rtol=1e-12)


def test_regression_on_logits_learns_the_geometric_mean():
    from sklearn.linear_model import LinearRegression

    Q = softmax(LinearRegression().fit(X, np.log(P)).predict(UNITS))
    np.testing.assert_allclose(Q, normalised(np.exp(group_means(np.log(P)))), rtol=1e-9)
    assert np.abs(Q - best).max() > 0.02
    same = best[group]  # all rows of a group have one target
    Q = softmax(LinearRegression().fit(X, np.log(same)).predict(UNITS))
    np.testing.assert_allclose(Q, best, rtol=1e-9)


def test_regression_on_probabilities_has_the_right_minimiser_and_no_bounds():
    from sklearn.linear_model import LinearRegression

    np.testing.assert_allclose(LinearRegression().fit(X, P).predict(UNITS), best, rtol=1e-9)
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.neighbors import KNeighborsRegressor

    forest = RandomForestRegressor(5, bootstrap=False).fit(X, P)  # which has its bounds
    np.testing.assert_allclose(forest.predict(UNITS), best, rtol=1e-9)
    near = KNeighborsRegressor(50).fit(X, P)
    np.testing.assert_allclose(near.predict(UNITS), best, rtol=1e-9)
    bagged = RandomForestRegressor(20, random_state=0).fit(X, P).predict(UNITS)
    assert bagged.min() > 0
    np.testing.assert_allclose(bagged.sum(1), 1)
    line = LinearRegression().fit([[0.0], [1.0], [2.0]], [0.9, 0.99, 0.99])
    assert line.predict([[4.0]])[0] > 1


# --- scikit-learn ---------------------------------------------------------------------------------


def takes(estimator: Any, y: np.ndarray) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(X, y)
        except ValueError:
            return False
    return True


def sklearn_classifiers() -> dict[str, Any]:
    """Return each classifier that can be made without arguments."""
    from sklearn.utils import all_estimators

    made = {}
    for name, kind in all_estimators(type_filter="classifier"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one of them is deprecated
            try:
                made[name] = kind()
            except TypeError:  # a wrapper that asks for another estimator
                continue
    made.pop("SelfTrainingClassifier", None)  # a wrapper, whose default is none
    return made


def test_sklearn_classifiers_refuse_fractions():
    classifiers = sklearn_classifiers()
    assert len(classifiers) > 30
    for y in (P, p):
        assert [name for name, one in classifiers.items() if takes(one, y)] == ["DummyClassifier"]


def test_sklearn_takes_a_sure_teacher_for_several_labels():
    sure = np.eye(3)[best.argmax(1)][group]
    taken = {name for name, one in sklearn_classifiers().items() if takes(one, sure)}
    trees = {"DecisionTreeClassifier", "ExtraTreeClassifier"}
    forests = {"ExtraTreesClassifier", "RandomForestClassifier"}
    neighbours = {"KNeighborsClassifier", "RadiusNeighborsClassifier"}
    ridges = {"RidgeClassifier", "RidgeClassifierCV"}
    assert taken == trees | forests | neighbours | ridges | {"MLPClassifier", "DummyClassifier"}
    from sklearn.neural_network import MLPClassifier

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops early
        student = MLPClassifier((), max_iter=20, random_state=0).fit(X, sure)
    assert student.out_activation_ == "logistic"
    assert np.abs(student.predict_proba(UNITS).sum(1) - 1).max() > 0.05


def test_sklearn_balanced_counts_weights_in_some_and_rows_in_others():
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.tree import DecisionTreeClassifier

    X3, y3, w3 = copies(X, P)
    assert np.abs(BALANCED - best).max() > 0.05

    def answer(kind, **settings):
        student = kind(class_weight="balanced", **settings).fit(X3, y3, sample_weight=w3)
        return student.predict_proba(UNITS)

    for Q in (
        answer(LogisticRegression, C=np.inf, tol=1e-8, max_iter=1000),
        answer(RandomForestClassifier, n_estimators=5, bootstrap=False),
        answer(ExtraTreesClassifier, n_estimators=5),
    ):
        np.testing.assert_allclose(Q, BALANCED, atol=1e-5)
    for Q in (answer(DecisionTreeClassifier), answer(HistGradientBoostingClassifier, max_iter=300)):
        np.testing.assert_allclose(Q, best, atol=1e-5)
    # Its classes are learned one against the rest, so that its minimiser is another one.
    sgd = {"loss": "log_loss", "penalty": None, "random_state": 0}
    plain = SGDClassifier(**sgd).fit(X3, y3, sample_weight=w3)
    balanced = SGDClassifier(**sgd, class_weight="balanced").fit(X3, y3, sample_weight=w3)
    np.testing.assert_array_equal(plain.coef_, balanced.coef_)


@pytest.mark.parametrize(
    ("module", "kind", "limit"),
    [
        ("sklearn.ensemble", "HistGradientBoostingClassifier", "min_samples_leaf"),
        ("sklearn.ensemble", "RandomForestClassifier", "min_samples_leaf"),
        ("lightgbm", "LGBMClassifier", "min_child_samples"),
    ],
)
def test_copies_meet_a_limit_on_rows(module, kind, limit):
    # Two groups of 10 rows: a leaf of 20 holds both, until each row is there twice.
    make = getattr(pytest.importorskip(module), kind)
    settings = {"verbose": -1, "min_child_weight": 0} if module == "lightgbm" else {}
    if kind == "RandomForestClassifier":
        settings = {"bootstrap": False}
    x, one = np.repeat(np.eye(2), 10, axis=0), np.repeat([0.3, 0.8], 10)
    x2, y2, w2 = copies(x, np.stack([1 - one, one], axis=1))

    def spread(rows, labels, weights, leaf):
        student = make(**{limit: leaf}, **settings).fit(rows, labels, sample_weight=weights)
        return np.ptp(student.predict_proba(np.eye(2))[:, 1])

    hard = (np.tile(np.arange(10), 2) < 10 * one).astype(int)
    assert spread(x, hard, np.ones(20), 20) < 1e-6
    assert spread(x2, y2, w2, 20) > 0.1
    assert spread(x2, y2, w2, 40) < 1e-6  # the page's way out: the limit times the classes


def test_sklearn_log_loss_refuses_soft_targets():
    from sklearn.metrics import log_loss

    with pytest.raises(ValueError, match="Multioutput"):
        log_loss(P, P)


def test_forest_zeros_are_beyond_any_temperature_and_the_mixture_is_not():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import cross_val_predict

    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 2))
    y = (x[:, 0] + 0.5 * rng.normal(size=150) > 0).astype(int)
    forest = RandomForestClassifier(20, random_state=0)
    told = forest.fit(x, y).predict_proba(x)
    held_out = cross_val_predict(forest, x, y, cv=5, method="predict_proba")
    # On its own rows the forest repeats the labels.
    assert (told.argmax(1) == y).mean() > 0.99 > 0.95 > (held_out.argmax(1) == y).mean()
    with np.errstate(divide="ignore"):
        for T in (1.0, 20.0, 1e6):
            tempered = softmax(np.log(held_out) / T)
            np.testing.assert_array_equal(tempered == 0, held_out == 0)
    assert (held_out == 0).mean() > 0.1
    names = case()
    exec(code("scikit-learn"), names)
    mixed = names["smoothed"](held_out, trees=20)
    np.testing.assert_allclose(mixed.sum(1), 1)
    assert mixed.min() == pytest.approx(1 / 22)  # one vote of the trees and the classes


# --- PyTorch --------------------------------------------------------------------------------------


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits, soft targets and class weights."""
    draw = torch.Generator().manual_seed(0)
    z, v = (torch.randn(5, 3, dtype=torch.float64, generator=draw) for _ in range(2))
    return z, v.softmax(1), torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)


def test_torch_takes_tokens_with_classes_last_without_a_word(batch):
    z, t, _ = batch
    z, t = z.expand(2, 5, 3), t.expand(2, 5, 3)
    over_tokens = -(t * z.log_softmax(1)).sum(1).mean()
    over_classes = -(t * z.log_softmax(2)).sum(2).mean()
    torch.testing.assert_close(F.cross_entropy(z, t), over_tokens)
    torch.testing.assert_close(F.cross_entropy(z.flatten(0, 1), t.flatten(0, 1)), over_classes)
    with pytest.raises(RuntimeError, match="Expected target size"):
        F.cross_entropy(z, t.argmax(2))


def test_torch_takes_logits_as_targets(batch):
    z, _, _ = batch
    assert F.cross_entropy(10 * z, 10 * z) < 0


def test_torch_wants_targets_in_floating_point(batch):
    z, t, _ = batch
    with pytest.raises(RuntimeError, match="Expected floating point"):
        F.cross_entropy(z, F.one_hot(t.argmax(1), 3))


def test_torch_class_weights_divide_by_rows_for_soft_targets(batch):
    z, t, w = batch
    rows = -(w * t * z.log_softmax(1)).sum(1)
    torch.testing.assert_close(F.cross_entropy(z, t, weight=w), rows.mean())
    labels = t.argmax(1)
    sure = F.one_hot(labels, 3).double()
    torch.testing.assert_close(
        F.cross_entropy(z, sure, weight=w) / (sure @ w).mean(),
        F.cross_entropy(z, labels, weight=w),
    )


def test_torch_ignores_no_index_with_soft_targets(batch):
    z, t, _ = batch
    with pytest.raises(RuntimeError, match="ignore_index is not supported"):
        F.cross_entropy(z, t, ignore_index=1)
    torch.testing.assert_close(F.cross_entropy(z, t, ignore_index=-1), F.cross_entropy(z, t))


@pytest.mark.parametrize(
    ("dtype", "mask"), [(torch.float16, -1e4), (torch.float32, -1e9), (torch.float64, -1e9)]
)
def test_torch_masked_class_is_nan_and_a_large_number_is_not(batch, dtype, mask):
    z, t, _ = batch
    z, t = z[:, :2].to(dtype), t[:, :2].to(dtype)
    t = t / t.sum(1, keepdim=True)
    without = torch.cat([t, torch.zeros(5, 1, dtype=dtype)], 1)

    def masked(by: float) -> torch.Tensor:
        return torch.cat([z, torch.full((5, 1), by, dtype=dtype)], 1).requires_grad_()

    gone = masked(-torch.inf)
    assert F.cross_entropy(gone, without).isnan()
    assert F.kl_div(gone.log_softmax(1), without, reduction="batchmean").isnan()
    kept = masked(mask)
    loss = F.cross_entropy(kept, without)
    torch.testing.assert_close(loss, F.cross_entropy(z, t))
    (slope,) = torch.autograd.grad(loss, kept)
    right = (z.softmax(1) - t) / 5  # a difference of numbers up to 1, rounded
    torch.testing.assert_close(slope[:, :2], right, rtol=0, atol=torch.finfo(dtype).eps)
    assert (slope[:, 2] == 0).all()


def test_torch_log_targets_of_minus_infinity_are_nan(batch):
    z, t, _ = batch
    t = t.clone()
    t[:, 0] = 0
    t = t / t.sum(1, keepdim=True)
    q = z.log_softmax(1)
    right = F.kl_div(q, t, reduction="batchmean")
    assert right.isfinite()
    assert F.kl_div(q, t.log(), log_target=True, reduction="batchmean").isnan()
    clamped = F.kl_div(q, t.log().clamp(min=-1e9), log_target=True, reduction="batchmean")
    torch.testing.assert_close(clamped, right)

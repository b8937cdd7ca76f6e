"""What other libraries do with soft targets, as the page on soft labels elsewhere says it.

A library that is not installed is skipped; `pip install -e ".[peers]"` brings them all.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from soft_labels_support import (
    BINARY,
    BINARY_TARGETS,
    BINARY_WEIGHTS,
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
    group,
    group_means,
    normalised,
    p,
    softmax,
)

# --- XGBoost --------------------------------------------------------------------------------------


@pytest.fixture
def xgb():
    return pytest.importorskip("xgboost")


TREES = {"learning_rate": 0.5, "reg_lambda": 0, "min_child_weight": 0, "verbosity": 0}


def test_xgboost_refuses_fractions_where_it_wants_classes(xgb):
    for y in (p, P):
        with pytest.raises(ValueError, match="Invalid classes"):
            xgb.XGBClassifier(n_estimators=2).fit(X, y)
    softprob = {"objective": "multi:softprob"}
    with pytest.raises(xgb.core.XGBoostError, match="discrete"):
        xgb.train(softprob | {"num_class": 2}, xgb.DMatrix(X, label=p), 2)
    with pytest.raises(xgb.core.XGBoostError, match="multioutput"):
        xgb.train(softprob | {"num_class": 3}, xgb.DMatrix(X, label=P), 2)
    names = case()
    exec(code("XGBoost"), names)
    with pytest.raises(xgb.core.XGBoostError, match="multioutput"):
        xgb.train({"num_class": 3}, xgb.DMatrix(X, label=P), 2, obj=names["soft_cross_entropy"])


def test_xgboost_learns_copies_and_class_weights_in_targets(xgb):
    X3, y3, w3 = copies(X, P)
    student = xgb.XGBClassifier(n_estimators=300, **TREES).fit(X3, y3, sample_weight=w3)
    np.testing.assert_allclose(student.predict_proba(UNITS), best, atol=1e-4)
    student = xgb.XGBRegressor(objective="binary:logistic", n_estimators=100, **TREES)
    student.fit(X, BINARY_TARGETS, sample_weight=BINARY_WEIGHTS)
    np.testing.assert_allclose(student.predict(UNITS), BINARY, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        ([1.0, 0.0], 5 / 6),
        ([0.5, 0.5], 1 / 2),  # the same total: 3/6 too, were they weighed by p
        ([1.0, 0.5], 5.5 / 6),
        ([0.999, 0.001], 1 / 2),
    ],
)
def test_xgboost_weighs_only_sure_rows_by_scale_pos_weight(xgb, labels, answer):
    settings = TREES | {"objective": "binary:logistic", "scale_pos_weight": 5}
    data = xgb.DMatrix(np.zeros((2, 1)), label=labels)
    np.testing.assert_allclose(xgb.train(settings, data, 100).predict(data), answer, atol=1e-4)


def test_xgboost_own_objective_gets_no_sample_weights(xgb):
    names = case()
    exec(code("XGBoost"), names)
    objective, rows = names["soft_cross_entropy"], np.random.default_rng(0).uniform(0.1, 9, 200)

    def weighing(z, data):
        gradient, hessian = objective(z, data)
        w = data.get_weight()[:, None]
        return w * gradient, w * hessian

    answers = []
    for how in (objective, weighing):
        data = xgb.DMatrix(X, label=P, weight=rows)
        student = xgb.train(TREES, data, 300, obj=how)
        answers.append(softmax(student.predict(xgb.DMatrix(UNITS), output_margin=True)))
    np.testing.assert_allclose(answers[0], best, atol=1e-4)
    np.testing.assert_allclose(answers[1], normalised(group_means(rows[:, None] * P)), atol=1e-4)


def soft_auc(target: np.ndarray, score: np.ndarray) -> float:
    """Return the AUC when a row is positive with its target's weight and negative with the rest."""
    pairs = np.outer(target, 1 - target)
    higher = np.sign(score[:, None] - score[None, :]) / 2 + 0.5
    return float((pairs * higher).sum() / pairs.sum())


def binary_metrics() -> dict[str, float]:
    q = best[group, 0]
    return {
        "logloss": float(-(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()),
        "error": float(np.where(q > 0.5, 1 - p, p).mean()),
        "auc": soft_auc(p, q),
    }


def test_xgboost_metrics_are_right_for_soft_labels(xgb):
    data = xgb.DMatrix(X, label=p)
    settings = TREES | {"objective": "binary:logistic", "eval_metric": list(binary_metrics())}
    told: dict[str, Any] = {}
    watch = {"evals": [(data, "rows")], "evals_result": told, "verbose_eval": False}
    xgb.train(settings, data, 100, **watch)
    assert {k: v[-1] for k, v in told["rows"].items()} == pytest.approx(binary_metrics(), abs=1e-5)


# --- LightGBM -------------------------------------------------------------------------------------


@pytest.fixture
def lgb():
    return pytest.importorskip("lightgbm")


LEAVES = {"learning_rate": 0.3, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0, "verbose": -1}


def test_lightgbm_classifier_refuses_fractions(lgb):
    for y in (p, P):
        with pytest.raises(ValueError, match="Unknown label type"):
            lgb.LGBMClassifier(verbose=-1).fit(X, y)


@pytest.mark.parametrize("fraction", [0.001, 0.49, 0.999])
def test_lightgbm_binary_takes_all_above_zero_for_class_1(lgb, fraction):
    coin = np.arange(200) // 4 % 2 * 1.0
    soft, hard = (np.where(group < 2, y, coin) for y in (fraction, 1.0))
    told = [
        lgb.train(LEAVES | {"objective": "binary"}, lgb.Dataset(X, label=y), 50).predict(UNITS)
        for y in (soft, hard)
    ]
    np.testing.assert_array_equal(*told)
    assert told[0][0] > 0.99


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.999])
def test_lightgbm_multiclass_cuts_off_the_decimals(lgb, fraction):
    coin = np.arange(200) // 4 % 2 * 1.0
    soft, hard = (np.where(group < 2, y, coin) for y in (fraction, 0.0))
    settings = LEAVES | {"objective": "multiclass", "num_class": 2}
    told = [lgb.train(settings, lgb.Dataset(X, label=y), 50).predict(UNITS) for y in (soft, hard)]
    np.testing.assert_array_equal(*told)
    assert told[0][0, 0] > 0.99


def test_lightgbm_drops_class_weights_and_takes_sample_weights(lgb):
    settings = LEAVES | {"objective": "cross_entropy"}
    for extra in ({"scale_pos_weight": 5}, {"is_unbalance": True}):
        student = lgb.train(settings | extra, lgb.Dataset(X, label=p), 200)
        np.testing.assert_allclose(student.predict(UNITS), best[:, 0], atol=1e-5)
    data = lgb.Dataset(X, label=BINARY_TARGETS, weight=BINARY_WEIGHTS)
    np.testing.assert_allclose(lgb.train(settings, data, 200).predict(UNITS), BINARY, atol=1e-5)


def test_lightgbm_own_objective_gets_no_sample_weights(lgb):
    names = case()
    exec(code("LightGBM"), names)
    rows = np.random.default_rng(0).uniform(0.1, 9, 200)
    data = lgb.Dataset(X, label=np.zeros(200), weight=rows)
    Q = softmax(lgb.train(names["settings"], data, 200).predict(UNITS))
    np.testing.assert_allclose(Q, best, atol=1e-5)


def test_lightgbm_learns_copies(lgb):
    X3, y3, w3 = copies(X, P)
    student = lgb.train(
        LEAVES | {"objective": "multiclass", "num_class": 3},
        lgb.Dataset(X3, label=y3, weight=w3),
        200,
    )
    np.testing.assert_allclose(student.predict(UNITS), best, atol=1e-5)


def test_lightgbm_metrics_take_all_above_zero_for_class_1(lgb):
    told: dict[str, Any] = {}
    data = lgb.Dataset(X, label=p)
    metrics = ["cross_entropy", "auc", "binary_logloss"]
    lgb.train(
        LEAVES | {"objective": "cross_entropy", "metric": metrics},
        data,
        200,
        valid_sets=[data],
        callbacks=[lgb.record_evaluation(told)],
    )
    right = binary_metrics()
    (values,) = told.values()
    assert values["cross_entropy"][-1] == pytest.approx(right["logloss"], abs=1e-6)
    assert values["auc"][-1] == 1 != pytest.approx(right["auc"], abs=0.1)
    q = best[group, 0]
    assert values["binary_logloss"][-1] == pytest.approx(-np.log(q).mean(), abs=1e-6)


# --- CatBoost -------------------------------------------------------------------------------------


@pytest.fixture
def cat():
    catboost = pytest.importorskip("catboost")
    settings = {
        "iterations": 300,
        "learning_rate": 0.3,
        "l2_leaf_reg": 1e-9,
        "random_strength": 0,
        "bootstrap_type": "No",
        "leaf_estimation_backtracking": "No",
        "verbose": 0,
        "allow_writing_files": False,
        "thread_count": 1,
    }
    return lambda **more: catboost.CatBoostClassifier(**settings | more)


def test_catboost_makes_each_value_a_class(cat):
    student = cat(iterations=2).fit(X, p)
    assert len(student.classes_) == len(set(p)) == 200
    assert student.get_all_params()["loss_function"] == "MultiClass"


def test_catboost_refuses_soft_targets_for_several_classes(cat):
    with pytest.raises(Exception, match="multidimensional target"):
        cat(loss_function="MultiClass").fit(X, P)


def test_catboost_multi_cross_entropy_is_one_sigmoid_per_class(cat):
    early = cat(loss_function="MultiCrossEntropy", iterations=2).fit(X, P).predict_proba(UNITS)
    assert early.sum(1) == pytest.approx([1.25] * 4, abs=0.02)
    late = cat(loss_function="MultiCrossEntropy").fit(X, P).predict_proba(UNITS)
    np.testing.assert_allclose(late, best, atol=1e-4)


def test_catboost_refuses_class_weights_and_takes_sample_weights(cat):
    for extra in ({"scale_pos_weight": 5}, {"class_weights": [1, 5]}):
        with pytest.raises(Exception, match=r"supported only|takes effect only"):
            cat(loss_function="CrossEntropy", **extra).fit(X, p)
    student = cat(loss_function="CrossEntropy")
    student.fit(X, BINARY_TARGETS, sample_weight=BINARY_WEIGHTS)
    np.testing.assert_allclose(student.predict_proba(UNITS)[:, 1], BINARY, atol=1e-4)


def test_catboost_backtracking_stops_short_on_soft_labels_alone(cat):
    def short(y: np.ndarray, **more: Any) -> float:
        student = cat(loss_function="CrossEntropy", learning_rate=0.03, **more).fit(X, y)
        return float(np.abs(student.predict_proba(UNITS)[:, 1] - group_means(y)).max())

    soft, hard = np.where(np.arange(200) // 4 % 2, 0.99, 0.51), np.arange(200) // 4 % 2
    default = {"leaf_estimation_backtracking": "AnyImprovement"}
    assert (
        default["leaf_estimation_backtracking"]
        == (
            cat(leaf_estimation_backtracking=None, iterations=2)
            .fit(X, hard)
            .get_all_params()["leaf_estimation_backtracking"]
        )
    )
    for iterations in (1000, 2000):
        assert 0.002 < short(soft, iterations=iterations, **default) < 0.004
        assert short(soft, iterations=iterations) < 1e-5
        assert short(hard, iterations=iterations, **default) < 1e-5


def test_catboost_metrics(cat):
    q, right = best[group, 0], binary_metrics()
    rounded = -np.where(p > 0.5, np.log(q), np.log(1 - q)).mean()
    for metric, value in (
        ("CrossEntropy", right["logloss"]),
        ("AUC", right["auc"]),
        ("Logloss", rounded),
    ):
        student = cat(loss_function="CrossEntropy", eval_metric=metric)
        student.fit(X, p, eval_set=(X, p))
        told = student.get_evals_result()["validation"][metric][-1]
        assert told == pytest.approx(value, abs=1e-4), metric
    assert abs(rounded - right["logloss"]) > 0.05


# --- InterpretML, River, statsmodels, skorch ------------------------------------------------------


def test_interpret_makes_each_value_a_class():
    glassbox = pytest.importorskip("interpret.glassbox")
    few = np.round(p, 1)
    student = glassbox.ExplainableBoostingClassifier(
        interactions=0, outer_bags=1, max_rounds=5, n_jobs=1
    )
    assert len(student.fit(X, few).classes_) == len(set(few)) > 2
    with pytest.raises(ValueError, match="1 dimensional"):
        student.fit(X, P)


def test_river_learns_nothing_from_one_and_the_extremes_from_many():
    linear_model = pytest.importorskip("river.linear_model")
    optim, pandas = pytest.importorskip("river.optim"), pytest.importorskip("pandas")
    one, many = (linear_model.LogisticRegression(optim.SGD(1.0), intercept_lr=0) for _ in range(2))
    rows = pandas.DataFrame(UNITS, columns=list("abcd"))
    targets = pandas.Series([0.9, 0.6, 0.4, 0.1])
    for _ in range(1000):
        many.learn_many(rows, targets)
    for row, target in zip(rows.to_dict("records"), targets, strict=True):
        one.learn_one(row, target)
        assert one.predict_proba_one(row)[True] == 0.5
    np.testing.assert_allclose(many.predict_proba_many(rows)[True], targets.round(), atol=0.01)


def test_statsmodels_learns_fractions_with_a_binomial_family():
    sm = pytest.importorskip("statsmodels.api")
    student = sm.GLM(p, X, family=sm.families.Binomial()).fit()
    np.testing.assert_allclose(student.predict(UNITS), best[:, 0], atol=1e-6)


def test_skorch_classifier_fails_and_the_plain_one_sets_rows_aside():
    skorch = pytest.importorskip("skorch")
    settings = {
        "module__in_features": 4,
        "module__out_features": 3,
        "criterion": torch.nn.CrossEntropyLoss,
        "max_epochs": 1,
        "verbose": 0,
    }
    arrays = X.astype("float32"), P.astype("float32")
    with pytest.raises(ValueError, match="requires explicitly passing a suitable y"):
        skorch.NeuralNetClassifier(torch.nn.Linear, **settings).fit(*arrays)
    student = skorch.NeuralNet(torch.nn.Linear, **settings).fit(*arrays)
    seen = sum(
        batch["train_batch_size"]
        for batch in student.history[-1]["batches"]
        if "train_batch_size" in batch
    )
    assert seen == 160


# --- Keras ----------------------------------------------------------------------------------------


@pytest.fixture
def keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", minversion="3.12")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    return keras


def keras_net(keras: Any, weights: np.ndarray, **settings: Any) -> Any:
    """Return one layer whose outputs for the unit vectors are the weights."""
    layer = keras.layers.Dense(weights.shape[1], use_bias=False, **settings)
    network = keras.Sequential([keras.Input((4,)), layer])
    layer.set_weights([weights])
    return network


def keras_fit(keras: Any, network: Any, targets: np.ndarray, loss: Any, **how: Any) -> np.ndarray:
    metrics, epochs = how.pop("metrics", None), how.pop("epochs", 100)
    network.compile(keras.optimizers.SGD(8.0), loss, metrics=metrics)
    network.fit(X, targets, batch_size=200, epochs=epochs, verbose=0, **how)
    return np.asarray(network.predict(UNITS, verbose=0))


def test_keras_class_weight_goes_by_the_largest_target(keras):
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    start = np.zeros((4, 3))
    given = {c: w / 5 for c, w in enumerate(WEIGHTS)}
    Q = softmax(keras_fit(keras, keras_net(keras, start), P, loss, class_weight=given, epochs=250))
    by_largest = WEIGHTS[P.argmax(1)][:, None]
    np.testing.assert_allclose(Q, normalised(group_means(by_largest * P)), atol=1e-4)
    assert np.abs(Q - WEIGHTED).max() > 0.05
    weights = THE["sample_weights"] / 5  # the page's way: a fifth keeps the steps small
    Q = softmax(
        keras_fit(
            keras,
            keras_net(keras, start),
            THE["weighted_P"],
            loss,
            sample_weight=weights,
            epochs=250,
        )
    )
    np.testing.assert_allclose(Q, WEIGHTED, atol=1e-4)


def test_keras_accuracy_of_a_sigmoid_is_zero(keras):
    student = keras_net(keras, np.zeros((4, 1)), activation="sigmoid")
    q = keras_fit(keras, student, p[:, None], "binary_crossentropy", metrics=["accuracy"])
    np.testing.assert_allclose(q[:, 0], best[:, 0], atol=1e-3)  # it has learned
    told = student.evaluate(X, p[:, None], verbose=0, return_dict=True)
    assert told["accuracy"] == 0


def random_logits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(4, 3))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_keras_two_outputs_keep_sample_weights_and_regularisation(keras, alpha):
    T, z, v = 2.0, random_logits(0), random_logits(1)
    labels, rows = P.argmax(1), np.random.default_rng(2).uniform(0.5, 2, 200)
    targets = softmax(v / T)[group]
    inputs = keras.Input((4,))
    layer = keras.layers.Dense(3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.1))
    logits = layer(inputs)
    layer.set_weights([z])
    student = keras.Model(inputs, [logits, logits / T])
    student.compile(
        loss=[
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            keras.losses.CategoricalCrossentropy(from_logits=True),
        ],
        loss_weights=[1 - alpha, alpha * T**2],
    )
    told = student.evaluate(
        X, [labels, targets], sample_weight=[rows, rows], batch_size=200, verbose=0
    )
    log_q, log_tempered = np.log(softmax(z))[group], np.log(softmax(z / T))[group]
    hard = -(rows * log_q[np.arange(200), labels]).mean()
    soft = -(rows * (targets * log_tempered).sum(1)).mean()
    right = (1 - alpha) * hard + alpha * T**2 * soft + 0.1 * (z**2).sum()
    assert told[0] == pytest.approx(right, rel=1e-4)


def distiller(keras: Any, z: np.ndarray, v: np.ndarray, soft: Any, **settings: Any) -> Any:
    student = keras_net(keras, z, kernel_regularizer=keras.regularizers.L2(10.0))
    teacher = keras_net(keras, v)
    made = keras.distillation.Distiller(teacher, student, soft, **settings)
    made.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return made


def test_keras_distiller_drops_weights_and_regularisation(keras):
    T, z, v = 2.0, random_logits(0), random_logits(1)
    labels = P.argmax(1)
    kld = keras.distillation.LogitsDistillation(temperature=T, loss="KLDivergence")
    hard = -np.log(softmax(z))[group, labels].mean()
    p_T, q_T = softmax(v / T)[group], softmax(z / T)[group]
    soft = T**2 * (p_T * np.log(p_T / q_T)).sum(1).mean()

    def told(sample_weight=None, losses=kld, **settings):
        made = distiller(keras, z, v, losses, student_loss_weight=0.3, **settings)
        x = torch.tensor(X, dtype=torch.float32)
        y_pred = made(x)
        value = made.compute_loss(x, labels, y_pred, sample_weight)
        assert float(sum(made.losses).detach()) == pytest.approx(10 * (z**2).sum(), rel=1e-5)
        return float(value.detach())

    bare = 0.3 * hard + 0.7 * soft
    assert told() == pytest.approx(bare, rel=1e-4)
    assert told(np.where(group == 0, 100.0, 0.0)) == pytest.approx(bare, rel=1e-4)
    assert told(distillation_loss_weights=[7.0]) == pytest.approx(bare, rel=1e-4)
    listed = told(losses=[kld], distillation_loss_weights=[7.0])
    assert listed == pytest.approx(0.3 * hard + 0.7 * 7 * soft, rel=1e-4)


def test_keras_default_has_no_loss_for_a_teacher_of_log_probabilities(keras):
    z = torch.tensor(random_logits(0), dtype=torch.float32, requires_grad=True)
    v = torch.tensor(random_logits(1), dtype=torch.float32)
    soft = keras.distillation.LogitsDistillation(temperature=2.0)
    given = (z.log_softmax(1), v.log_softmax(1))
    assert abs(float(soft.compute_loss(given[1], given[0]).detach())) < 1e-5
    named = keras.distillation.LogitsDistillation(temperature=2.0, loss="KLDivergence")
    assert named.compute_loss(given[1], given[0]) > 0.1


def test_keras_documented_alternative_takes_logits_for_targets(keras):
    T, v = 2.0, torch.tensor(random_logits(1))
    v = v - v.mean(1, keepdim=True)  # the same teacher
    soft = keras.distillation.LogitsDistillation(
        temperature=T, loss=keras.losses.CategoricalCrossentropy(from_logits=True)
    )
    values = [float(soft.compute_loss(v, k * v)) for k in (1.0, 10.0, 100.0)]
    # Where the logits add up to zero the loss is linear: -(v / T) . (z / T).
    linear = [-k * float((v**2).sum(1).mean()) / T**2 for k in (1.0, 10.0, 100.0)]
    assert values == pytest.approx(linear, rel=1e-4)


@pytest.mark.parametrize(("margin", "moves"), [(16.0, True), (16.2, False)])
def test_keras_losses_on_probabilities_let_go_of_a_sure_student(keras, margin, moves):
    target = torch.tensor([[0.0, 1.0]], dtype=torch.float64)

    def slope(loss: Any, probabilities: bool) -> float:
        z = torch.tensor([[margin, 0.0]], dtype=torch.float64, requires_grad=True)
        loss(target, z.softmax(1) if probabilities else z).backward()
        return float(z.grad.abs().max())

    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        assert slope(keras.losses.CategoricalCrossentropy(from_logits=True), False) > 0.99
        clipped = slope(keras.losses.KLDivergence(), True)
    finally:
        keras.config.set_floatx(before)
    assert clipped > 0.99 if moves else clipped < 1e-12


# --- Optax ----------------------------------------------------------------------------------------


def test_optax_with_a_masked_class():
    optax, jax = pytest.importorskip("optax"), pytest.importorskip("jax")
    z, t = jax.numpy.array([[1.0, 2.0, -np.inf]]), jax.numpy.array([[0.4, 0.6, 0.0]])
    right = -(t[0, :2] * jax.nn.log_softmax(z[0, :2])).sum()
    assert np.isnan(optax.softmax_cross_entropy(z, t)[0])
    assert optax.safe_softmax_cross_entropy(z, t)[0] == pytest.approx(right)
    for loss in (optax.softmax_cross_entropy, optax.safe_softmax_cross_entropy):
        slope = jax.grad(lambda z, loss=loss: loss(z, t).sum())(z)
        np.testing.assert_allclose(slope, jax.nn.softmax(z) - t, atol=1e-6)


def test_optax_broadcasts_integer_labels():
    optax = pytest.importorskip("optax")
    z, labels = random_logits(0)[:3], np.array([0, 1, 2])
    told = optax.softmax_cross_entropy(z, labels)
    np.testing.assert_allclose(told, -(labels * np.log(softmax(z))).sum(1), rtol=1e-5)


# --- TorchMetrics ---------------------------------------------------------------------------------


@pytest.fixture
def classification():
    return pytest.importorskip("torchmetrics.classification")


def test_torchmetrics_decides_batch_by_batch(classification):
    z, labels = torch.tensor([0.2, 0.4, 0.3, 0.9, -3.0]), torch.tensor([0, 0, 1, 1, 0])

    def accuracy(*batches):
        metric = classification.BinaryAccuracy()
        for rows in batches:
            metric.update(z[rows], labels[rows])
        return float(metric.compute())

    assert accuracy(slice(0, 5)) == pytest.approx(3 / 5)  # above 0 is class 1
    assert accuracy(slice(0, 4), slice(4, 5)) == pytest.approx(4 / 5)  # 0.2, 0.4, 0.3: class 0


def test_torchmetrics_takes_soft_targets_for_rounded_labels(classification):
    q = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
    t = q.flip(0)  # they never agree
    assert classification.MulticlassAccuracy(3)(q, t) == 1
    assert classification.MulticlassAccuracy(3)(q, t.argmax(1)) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert classification.BinaryAUROC()(q[:, 0], q[:, 0]) == 0
        sure = torch.tensor([1.0, 0.99])  # 0.99 is negative
        assert classification.BinaryAUROC()(torch.tensor([0.9, 0.1]), sure) == 1
    with pytest.raises(RuntimeError, match="expected only"):
        classification.BinaryAccuracy()(q[:, 0], t[:, 0])


def test_torchmetrics_log_targets_of_minus_infinity_are_nan():
    metric = pytest.importorskip("torchmetrics").KLDivergence
    t, q = torch.tensor([[0.4, 0.6, 0.0]]), torch.tensor([[0.3, 0.3, 0.4]])
    right = 0.4 * np.log(0.4 / 0.3) + 0.6 * np.log(0.6 / 0.3)
    assert float(metric()(t, q)) == pytest.approx(right, rel=1e-5)
    assert metric(log_prob=True)(t.log(), q.log()).isnan()

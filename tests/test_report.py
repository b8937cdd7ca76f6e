import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from distill_helpers import __main__ as command_line
from distill_helpers import _machine, protocol, standalone
from distill_helpers import experiments as ex
from distill_helpers.deployment import load_onnx
from distill_helpers.files import Columns, reading_beside, rows_from_file
from distill_helpers.protocol import Setting, Shape
from distill_helpers.report import FILES, report
from distill_helpers.report import _page as page_module
from distill_helpers.report import _report as module
from distill_helpers.report import _run as run_module
from distill_helpers.report._answer import answers, decision, gain
from distill_helpers.report._kept import Kept, depends_on
from distill_helpers.report._leaks import leaks, seen_by_teacher
from distill_helpers.report._rounds import FOLDS, everything, held_out_parts, rounds
from distill_helpers.report._run import (
    DISTILLED,
    ENSEMBLE,
    FROM_ONE,
    GUESS,
    HARD,
    ONE,
    SMOOTHED,
    Bench,
    Scores,
    Tuning,
    parameters,
    smaller,
)
from distill_helpers.report._run import (
    run as whole_run,
)
from distill_helpers.report._teachers import (
    Classifier,
    Networks,
    Plan,
    Probabilities,
    classifier,
    probabilities_from_file,
)
from distill_helpers.statistics import nadeau_bengio

ARMS = (GUESS, ONE, ENSEMBLE, HARD, SMOOTHED, FROM_ONE, DISTILLED)


def write(path: Path, header, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def make(path: Path, n: int = 150, noise: float = 1.0, seed: int = 0, **more) -> Path:
    """Three classes along a line, a category that helps, and a blank now and then."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = y + noise * rng.normal(size=n)
    header = ["row", "size", "other", "colour", *more, "kind"]
    rows = []
    for i in range(n):
        blank = "" if i % 17 == 3 else f"{rng.normal():.4f}"
        colour = (
            ["red", "blue", ""][int(rng.integers(0, 3))] if i % 5 else ["red", "blue"][y[i] % 2]
        )
        rows.append(
            [f"r{i}", f"{x[i]:.4f}", blank, colour, *(v[i] for v in more.values()), f"k{y[i]}"]
        )
    return write(path, header, rows)


@pytest.fixture
def short(monkeypatch):
    """Networks that train for a moment only, and try a few settings."""
    monkeypatch.setattr(Plan, "for_rows", classmethod(lambda cls, count: cls(4, 3)))
    monkeypatch.setattr(protocol, "RATES", (1e-3, 3e-3, 1e-2, 3e-2))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-3, 1e-2))
    monkeypatch.setattr("distill_helpers.report._rounds.held_out_parts", lambda rows: 1)
    monkeypatch.setattr(module, "_c_microseconds", lambda *sizes: 0.5)


@pytest.fixture
def data(tmp_path):
    return make(tmp_path / "beans.csv")


def run(data, **options):
    return report(data, "kind", ids="row", repeats=1, student=(16, 8), **options)


# --- splits -------------------------------------------------------------------------------------


def test_no_row_tunes_what_tests_it(data):
    own = rows_from_file(data, "kind", ids="row")
    made = rounds(own, 2, 0)
    tested = []
    for split in made:
        for train, test in split.tests:
            assert not set(train) & set(test)
            assert not set(split.tune) & set(test)
            assert set(split.tune) < set(train)
            assert len(train) + len(test) == len(own.labels)
            tested += test.tolist()
        for fit, part in split.folds:
            assert not set(fit) & set(part)
            assert set(fit) | set(part) == set(split.tune)
        assert len(split.folds) == held_out_parts(len(split.tune))
    assert len(made) == FOLDS  # three a repeat
    assert sorted(tested) == sorted(2 * list(range(len(own.labels))))


def test_each_repeat_and_each_seed_has_splits_of_its_own(data):
    own = rows_from_file(data, "kind", ids="row")
    tested = [
        tuple(sorted(test.tolist()))
        for seed in (0, 7)
        for split in rounds(own, 2, seed)
        for _, test in split.tests
    ]
    assert len(tested) == 4 * FOLDS == len(set(tested))


def test_groups_stay_together(tmp_path):
    owner = [f"g{i // 5}" for i in range(150)]
    own = rows_from_file(make(tmp_path / "a.csv", owner=owner), "kind", ids="row", groups="owner")
    for split in rounds(own, 1, 0):
        parts = [(split.tune, test) for _, test in split.tests] + list(split.folds)
        for one, other in (*parts, *split.tests):
            assert not set(own.groups[one]) & set(own.groups[other])


def test_what_trains_is_older(tmp_path):
    when = [str((7 * i) % 150 // 2) for i in range(150)]
    own = rows_from_file(make(tmp_path / "a.csv", when=when), "kind", ids="row", time="when")
    times = own.times()
    made = rounds(own, 2, 0)
    assert len(made) == FOLDS
    for split in made:
        ((train, test),) = split.tests
        ((fit, part),) = split.folds
        assert times[train].max() < times[test].min()
        assert times[fit].max() < times[part].min()
        assert set(split.tune) == set(train)
    assert everything(own, 0).folds[0][1].size > 30


def test_a_class_that_one_group_alone_has_is_refused(tmp_path):
    rows = [
        [f"r{i}", i % 7, "abcdefgh"[i % 8], "rare" if i % 8 == 0 else "ab"[i % 2]]
        for i in range(80)
    ]
    path = write(tmp_path / "a.csv", ["row", "x", "owner", "kind"], rows)
    own = rows_from_file(path, "kind", ids="row", groups="owner")
    with pytest.raises(ValueError, match="'rare' of 'kind' stands in 1 of 8 groups, and the rows"):
        rounds(own, 1, 0)


def grouped(path, whose, labels):
    rows = [[i % 7, f"g{a}", b] for i, (a, b) in enumerate(zip(whose, labels, strict=True))]
    return rows_from_file(write(path, ["x", "owner", "kind"], rows), "kind", groups="owner")


@pytest.mark.parametrize(
    ("groups", "seed", "words"),
    [
        (10, 52, "class 0 of 'kind' has 1 row among the rows that tune one of the splits (of 85 "),
        (12, 31, "class 1 of 'kind' has 0 rows among the rows that tune one of the splits (of 38 "),
        (12, 43, "class 0 of 'kind' stands in 3 of 10 groups, and the rows"),
    ],
)
def test_what_is_said_of_groups_is_true_of_the_file(tmp_path, groups, seed, words):
    rng = np.random.default_rng(seed)
    whose = rng.choice(groups, 300, p=rng.dirichlet(np.ones(groups)))
    labels = rng.integers(0, 2, groups)[whose]
    own = grouped(tmp_path / "a.csv", whose, labels)
    with pytest.raises(ValueError) as caught:
        rounds(own, 2, 0)
    assert str(caught.value).startswith(words)
    code = int(words[6])
    there = f"{len(set(whose[labels == code]))} of {len(set(whose))} groups"
    assert there in str(caught.value)
    # the way out: more groups with that class
    more = 100 + np.repeat(np.arange(12), 10)
    whose, labels = np.concatenate([whose, more]), np.concatenate([labels, more % 2])
    assert rounds(grouped(tmp_path / "b.csv", whose, labels), 2, 0)


def test_a_fold_without_a_row_is_refused(tmp_path):
    rng = np.random.default_rng(313)
    count, rows = rng.integers(6, 14), rng.integers(60, 200)
    whose = rng.choice(count, rows, p=rng.dirichlet(np.ones(count) * rng.choice([0.3, 1, 5])))
    classes = rng.integers(2, 4)
    labels = rng.integers(0, classes, rows) if rng.random() < 0.5 else whose % classes
    with pytest.raises(ValueError, match=r"has no row; leave groups out, or gather more of them$"):
        rounds(grouped(tmp_path / "a.csv", whose, labels), 2, 0)
    whose, labels = (
        np.concatenate([whose, 100 + np.arange(60)]),
        np.concatenate([labels, np.arange(60) % classes]),
    )
    for split in rounds(grouped(tmp_path / "b.csv", whose, labels), 2, 0):
        assert all(len(test) for _, test in split.tests)


@pytest.mark.parametrize("sizes", [(3, 1, 6, 2), (4, 4, 4)])
def test_a_classifier_is_asked_nothing_of_a_fold_without_a_row(tmp_path, sizes):
    whose = np.repeat(np.arange(len(sizes)), sizes)
    own = grouped(tmp_path / "a.csv", whose, whose % 2)
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(12))
    teacher = Classifier(GaussianNB(), "it")
    logits = teacher.logits(task, torch.arange(12), None, Plan(1, 1), 0, own.groups)
    assert logits.isfinite().all()


def test_the_last_tuning_keeps_equal_times_together(tmp_path):
    when = [f"2024-01-{1 + i * 17 // 150:02d}" for i in range(150)]
    own = rows_from_file(make(tmp_path / "a.csv", when=when), "kind", ids="row", time="when")
    ((fit, part),) = everything(own, 0).folds
    assert own.times()[fit].max() < own.times()[part].min()
    assert sorted([*fit, *part]) == list(range(150))


# --- teachers -----------------------------------------------------------------------------------


def test_a_classifier_answers_its_training_rows_out_of_fold(data):
    """On rows it was trained on, one nearest neighbour is always right; out of fold it is not."""
    from sklearn.neighbors import KNeighborsClassifier

    own = rows_from_file(data, "kind", ids="row")
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(150))
    nearest = Classifier(KNeighborsClassifier(1), "nearest")
    logits = nearest.logits(task, torch.arange(100), None, Plan(1, 1), 0)
    assert logits.shape == (1, 150, 3)
    assert torch.allclose(logits.exp().sum(-1), torch.ones(1, 150, dtype=torch.float64))
    right = (logits[0].argmax(1) == task.y_train)[:100].double().mean()
    assert right < 0.9


def test_a_forest_has_no_zeros_and_one_vote_is_mixed_in(data):
    own = rows_from_file(data, "kind", ids="row")
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(150))
    forest = RandomForestClassifier(25)
    logits = Classifier(forest, "forest").logits(task, torch.arange(100), None, Plan(1, 1), 7)
    fitted = forest.set_params(random_state=7).fit(task.x_train[:100], task.y_train[:100])
    counts = np.bincount(task.y_train[:100], minlength=3) + 1
    expected = (25 * fitted.predict_proba(task.x_train[100:]) + counts / counts.sum()) / 26
    assert np.allclose(logits[0, 100:].exp(), expected)
    assert classifier("random-forest", 0).name == "random forest"


@pytest.mark.parametrize(
    "model, votes",
    [
        (make_pipeline(StandardScaler(), ExtraTreesClassifier(9)), 9),
        (BaggingClassifier(n_estimators=7), 7),
        # what is made of other models is no share of their number
        (OneVsRestClassifier(LogisticRegression()), 100),
        (VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], voting="soft"), 100),
        (GradientBoostingClassifier(n_estimators=3), 100),
    ],
)
def test_a_teacher_is_believed_as_far_as_it_counts(data, model, votes):
    own = rows_from_file(data, "kind", ids="row")
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(150))
    x, y = task.x_train.numpy(), task.y_train.numpy()
    teacher = Classifier(model, "it", random_state=5)
    logits = teacher.logits(task, torch.arange(100), None, Plan(1, 1), 7)
    seeds = [name for name in model.get_params() if name.endswith("random_state")]
    fitted = clone(model).set_params(**dict.fromkeys(seeds, 12)).fit(x[:100], y[:100])
    counts = np.bincount(y[:100], minlength=3) + 1
    expected = (votes * fitted.predict_proba(x[100:]) + counts / counts.sum()) / (votes + 1)
    assert np.allclose(logits[0, 100:].exp(), expected)


def test_a_seed_is_the_teachers_too(data, short):
    own = rows_from_file(data, "kind", ids="row")
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(150))
    rows, plan = torch.arange(100), Plan(1, 1)
    knobs = Setting(1e-2, 0.0, 0.0), Shape((8,), (0.0,))
    for kind in (
        lambda seed: Networks((8,), members=2, random_state=seed),
        lambda seed: Classifier(RandomForestClassifier(5), "forest", random_state=seed),
    ):
        first, again, other = (kind(s).logits(task, rows, knobs, plan, 0) for s in (0, 0, 1))
        assert first.equal(again) and not first.equal(other)


def answers_of(path, ids, p, names=("k0", "k1", "k2"), key="id"):
    return write(path, [key, *names], [[i, *map(repr, row)] for i, row in zip(ids, p, strict=True)])


def test_probabilities_are_matched_by_id(data, tmp_path):
    own = rows_from_file(data, "kind", ids="row")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 150)
    order = np.random.default_rng(1).permutation(150)
    ids = np.array([f"r{i}" for i in range(150)])
    path = answers_of(tmp_path / "p.csv", ids[order], p[order].tolist())
    teacher = probabilities_from_file(path, own, out_of_fold=True)
    assert np.allclose(teacher.log_p.exp(), p)


def test_ids_and_classes_that_are_numbers_are_matched_by_value(tmp_path):
    rows = [[i, i * i % 11, i % 2] for i in range(60)]
    own = rows_from_file(write(tmp_path / "a.csv", ["n", "x", "y"], rows), "y", ids="n")
    p = np.random.default_rng(0).dirichlet(np.ones(2), 60)
    table = np.c_[np.arange(60), p][::-1]
    np.savetxt(tmp_path / "p.csv", table, delimiter=",", header="n,0.0,1.0", comments="")
    teacher = probabilities_from_file(tmp_path / "p.csv", own, out_of_fold=True)
    assert np.allclose(teacher.log_p.exp(), p)
    # 1 and 01 are two ids
    rows = [[["1", "01"][i] if i < 2 else i, i, i % 2] for i in range(60)]
    own = rows_from_file(write(tmp_path / "a.csv", ["n", "x", "y"], rows), "y", ids="n")
    with pytest.raises(ValueError, match="no row for id '1', the first of 2 of 60"):
        probabilities_from_file(tmp_path / "p.csv", own, out_of_fold=True)
    # and so are two that float64 takes for one
    rows = [[i or 2**53 + 1, i, i % 2] for i in range(60)]
    own = rows_from_file(write(tmp_path / "a.csv", ["n", "x", "y"], rows), "y", ids="n")
    rows = [[i or 2**53, 0.5, 0.5] for i in range(60)]
    with pytest.raises(ValueError, match="no row for id '9007199254740993', the first of 1 of 60"):
        probabilities_from_file(
            write(tmp_path / "p.csv", ["n", "0", "1"], rows), own, out_of_fold=True
        )


def test_a_column_called_id_is_the_one(data, tmp_path):
    own = rows_from_file(data, "kind", ids="row")
    rows = [[i, f"r{i}", 0.2, 0.3, 0.5] for i in range(150)]
    path = write(tmp_path / "p.csv", ["", "id", "k0", "k1", "k2"], rows)
    assert probabilities_from_file(path, own, out_of_fold=True).log_p.shape == (150, 3)


def test_ids_called_as_the_table_s_go_before_a_column_called_id(data, tmp_path):
    """A running number called id would match other rows without a word."""
    own = rows_from_file(data, "kind", ids="row")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 150).round(3)
    p[:, 2] = 1 - p[:, 0] - p[:, 1]
    rows = [[f"r{149 - i}", f"r{i}", *p[i]] for i in range(150)]
    path = write(tmp_path / "p.csv", ["id", "row", "k0", "k1", "k2"], rows)
    told = probabilities_from_file(path, own, out_of_fold=True, called="row").log_p
    np.testing.assert_allclose(told.exp(), p, atol=2e-3)
    other = probabilities_from_file(path, own, out_of_fold=True).log_p
    np.testing.assert_allclose(other, told.flip(0))


def test_bad_probabilities_are_refused_in_a_line(data, tmp_path):
    own = rows_from_file(data, "kind", ids="row")
    ids = [f"r{i}" for i in range(150)]
    good = np.full((150, 3), 1 / 3)

    def refused(match, p=good, ids=ids, **more):
        path = answers_of(tmp_path / "p.csv", ids, np.asarray(p).tolist(), **more)
        with pytest.raises(ValueError, match=match) as caught:
            probabilities_from_file(path, own, out_of_fold=True)
        assert "\n" not in str(caught.value)

    refused("no row for id 'r149', the first of 1 of 150", good[:-1], ids[:-1])
    refused("has id 'r0' more than once", good, ["r0", *ids[:-1]])
    refused("no column for class 'k2'", names=("k0", "k1", "q2"))
    refused(
        "sums to 1.5 for id 'r3', the first of 1", np.where(np.arange(150)[:, None] == 3, 0.5, good)
    )
    refused("If these are logits, take their softmax first", good - 1)
    refused("If these are logits", 3 * good + [[1, 0, 0]])
    refused("missing or not finite", np.where(np.arange(150)[:, None] == 3, np.nan, good))
    turned = np.full((150, 3), 0.05)
    turned[np.arange(150), (own.labels + 1) % 3] = 0.9
    refused("in another order", turned)
    turned[np.arange(150), (own.labels + 1) % 3] = 0.05
    turned[np.arange(150), own.labels] = 0.9
    probabilities_from_file(
        answers_of(tmp_path / "p.csv", ids, turned.tolist()), own, out_of_fold=True
    )
    # a teacher that knows nothing is no teacher in another order
    noise = np.random.default_rng(0).dirichlet(np.ones(3), 150)
    probabilities_from_file(
        answers_of(tmp_path / "p.csv", ids, noise.tolist()), own, out_of_fold=True
    )


def test_probabilities_come_as_npz_and_with_other_delimiters(data, tmp_path):
    own = rows_from_file(data, "kind", ids="row")
    p = np.random.default_rng(0).dirichlet(np.ones(3), 150)
    ids = [f"r{i}" for i in range(150)]
    answers = {f"k{k}": p[:, k] for k in range(3)}
    np.savez(tmp_path / "p.npz", **answers, id=np.array(ids))
    path = answers_of(tmp_path / "p.csv", ids, p.tolist())
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(ValueError, match=r"pass delimiter=';'$"):
        probabilities_from_file(path, own, out_of_fold=True)
    for made in (
        probabilities_from_file(tmp_path / "p.npz", own, out_of_fold=True),
        probabilities_from_file(path, own, out_of_fold=True, delimiter=";"),
    ):
        assert np.allclose(made.log_p.exp(), p)


def test_exact_zeros_are_lifted_and_counted(data, tmp_path):
    own = rows_from_file(data, "kind", ids="row")
    p = np.tile([0.5, 0.5, 0.0], (150, 1))
    path = answers_of(tmp_path / "p.csv", [f"r{i}" for i in range(150)], p.tolist())
    teacher = probabilities_from_file(path, own, out_of_fold=False)
    assert teacher.zeros == 150
    assert np.allclose(teacher.log_p[:, 2].exp(), 1e-6, rtol=1e-4)
    path.write_text(path.read_text().replace("0.0", "1e-9", 1))
    teacher = probabilities_from_file(path, own, out_of_fold=False)
    assert np.allclose(teacher.log_p[:, 2].exp(), 1e-9, rtol=1e-4)


# --- scores and answers -------------------------------------------------------------------------


def made_up(**nll):
    """Scores of twelve splits; NLL by arm."""
    rng = np.random.default_rng(0)
    scores = Scores(train_size=500, test_size=100)
    for split in range(12):
        common = 0.05 * rng.normal()
        for arm in ARMS:
            value = 1 + nll.get(arm, 0.0) + common + 0.003 * rng.normal()
            scores.add(arm, {"nll": value, "accuracy": 0.5, "calibrated_nll": value})
        del split
    return scores


def test_a_gain_is_the_corrected_interval():
    scores = made_up(distilled=-0.1)
    one, other = (np.array(scores.values[arm]["nll"]) for arm in (DISTILLED, HARD))
    assert gain(scores, DISTILLED, HARD, "nll") == nadeau_bengio(other - one, 500, 100)
    assert gain(scores, DISTILLED, HARD, "accuracy").value == 0


@pytest.mark.parametrize(
    ("nll", "do", "arm"),
    [
        ({GUESS: 0.0}, "Train nothing yet", HARD),
        ({GUESS: 1, DISTILLED: -0.1}, "Distil\\.", DISTILLED),
        ({GUESS: 1, DISTILLED: -0.1, SMOOTHED: -0.1}, "Smooth the labels", SMOOTHED),
        ({GUESS: 1, DISTILLED: -0.03, SMOOTHED: -0.0285}, "Smooth the labels", SMOOTHED),
        ({GUESS: 1}, "Train one small network", HARD),
        ({GUESS: 1, DISTILLED: 0.1}, "Train one small network", HARD),
        ({GUESS: 1, DISTILLED: -0.1, SMOOTHED: -0.2}, "Smooth the labels", SMOOTHED),
        # hard labels do not beat guessing
        ({DISTILLED: -0.1}, "Distil\\.", DISTILLED),
        ({DISTILLED: -0.1, SMOOTHED: -0.1}, "Distil, if nothing cheaper", DISTILLED),
        ({DISTILLED: -0.1, HARD: -0.1, GUESS: -0.2}, "Train nothing yet", HARD),
        ({DISTILLED: -0.1, GUESS: -0.1}, "Train nothing yet", HARD),
        ({DISTILLED: -0.1, GUESS: -0.094}, "Train nothing yet", HARD),  # by less than matters
    ],
)
def test_the_cheapest_that_nothing_dearer_beats(nll, do, arm):
    decided = decision(answers(made_up(**nll), 600, 0.01))
    assert decided.arm == arm
    assert re.match(do, decided.do), decided


def test_what_cannot_be_told_says_what_could_be():
    scores = made_up(**{GUESS: 1})
    rng = np.random.default_rng(1)
    scores.values[DISTILLED]["nll"] = (1 + rng.normal(size=12)).tolist()
    asked = {a.question: a for a in answers(scores, 1234, 0.01)}
    answer = asked["Does distilling beat hard labels?"]
    error = (answer.gain.high - answer.gain.low) / 2 / stats.t.ppf(0.975, 11)
    enough = stats.t.ppf(1 - 0.025 / len(asked), 11) * error
    assert answer.words == (
        f"These data cannot tell: among {len(asked)} questions, 1,234 rows resolve differences "
        f"from {enough:.2g} nats on."
    )


@pytest.mark.parametrize("times", [0.9, 1.01])
def test_what_data_are_said_to_resolve_is_what_the_verdict_takes(times):
    """Where one difference is just above it, the verdict holds; just below, it may not."""
    scores = made_up(**{GUESS: 1e-9, ENSEMBLE: 1e-9})
    rng = np.random.default_rng(1)
    noise = rng.normal(size=12)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    error = np.sqrt(1 / 12 + 100 / 500)
    size = times * stats.t.ppf(1 - 0.025 / 7, 11) * error
    for arm in ARMS:
        scores.values[arm]["nll"] = [1.0] * 12 if arm != DISTILLED else (1 - size + noise).tolist()
        if arm not in (HARD, DISTILLED):
            scores.values[arm]["nll"] = (1 + 5 * rng.normal(size=12)).tolist()
    asked = {a.question: a for a in answers(scores, 1234, 0.01)}
    answer = asked["Does distilling beat hard labels?"]
    assert answer.verdict.verdict == ("holds" if times > 1 else "undecided")


def test_a_teacher_of_one_is_held_against_the_student():
    scores = made_up(**{GUESS: 1, ENSEMBLE: -0.1})
    del scores.values[ONE], scores.values[FROM_ONE]
    asked = answers(scores, 600, 0.01)
    assert (ENSEMBLE, HARD) in {(a.one, a.other) for a in asked}
    assert "keep it" in decision(asked).why


def test_parameters_and_the_sweep():
    assert parameters(20, (64, 32), 2) == 3490
    assert smaller((64, 32)) == [(4, 2), (8, 4), (16, 8), (32, 16)]
    assert smaller((4, 2)) == [(2, 2)]


# --- leaks --------------------------------------------------------------------------------------


def leaks_of(path, **options):
    return " ".join(leaks(rows_from_file(path, "kind", ids="row", **options)))


def test_clean_data_have_no_leak(data):
    assert leaks_of(data) == ""


def test_planted_leaks_are_found(tmp_path):
    rng = np.random.default_rng(5)
    y = np.random.default_rng(0).integers(0, 3, 150)  # the labels of `make`
    copied = make(tmp_path / "copy.csv", code=[f"c{k}" for k in y])
    assert "'code' tells the class of 150 of 150" in leaks_of(copied)

    rows = list(csv.reader((tmp_path / "copy.csv").open()))
    twins = [[f"t{i}", *row[1:]] for i, row in enumerate(rows[1:31])]
    doubled = write(tmp_path / "twins.csv", rows[0], [*rows[1:], *twins])
    assert "60 of 180 rows have a twin" in leaks_of(doubled, drop=["code"])

    owner = {}
    whose = []
    for label in y:
        if label not in owner or rng.random() < 0.3:
            owner[label] = int(rng.integers(1000, 9999))
        whose.append(owner[label])
    grouped = make(tmp_path / "groups.csv", owner=whose)
    assert "pass groups='owner'" in leaks_of(grouped)
    assert "owner" not in leaks_of(grouped, groups="owner")

    hand = np.repeat(rng.normal(size=(30, 4)), 10, 0)
    kinds = np.repeat(rng.integers(0, 2, 30), 10)
    x = hand + 0.2 * rng.normal(size=hand.shape)
    rows = [[f"r{i}", *x[i], kinds[i]] for i in range(300)]
    hands = write(tmp_path / "hands.csv", ["row", *"abcd", "kind"], rows)
    assert "side by side in the file are alike" in leaks_of(hands)
    shuffled = write(
        tmp_path / "shuffled.csv", ["row", *"abcd", "kind"], [rows[i] for i in rng.permutation(300)]
    )
    assert "side by side" not in leaks_of(shuffled)


def test_in_sample_answers_betray_themselves(tmp_path):
    data = make(tmp_path / "a.csv", 400, noise=1.5)
    own = rows_from_file(data, "kind", ids="row")
    task, _ = Bench(own, Networks(), (8,), 0).task(np.arange(400))
    x, y = task.x_train.numpy(), task.y_train.numpy()
    said = cross_val_predict(LogisticRegression(), x, y, cv=5)
    wrong = np.flatnonzero(said != y)
    forest = RandomForestClassifier(100, random_state=0)
    honest = cross_val_predict(forest, x, y, cv=5, method="predict_proba")
    fitted = forest.fit(x, y).predict_proba(x)
    ids = [f"r{i}" for i in range(400)]

    def of(p, out_of_fold):
        path = answers_of(tmp_path / "p.csv", ids, p.tolist())
        return seen_by_teacher(
            probabilities_from_file(path, own, out_of_fold=out_of_fold), own, wrong
        )

    assert of(honest, True) == []
    assert "look in-sample" in of(fitted, True)[0]
    assert "may honestly know as much" in of(fitted, True)[0]  # 5 times the rows of digits did
    assert of(fitted, False) == []  # it was said


# --- the whole ----------------------------------------------------------------------------------


def test_a_report_hands_over_what_it_says(short, data, tmp_path):
    made = run(data)
    out = tmp_path / "answer"
    assert [path.name for path in made.write(out)] == list(FILES)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    found = json.loads((out / "report.json").read_text())
    assert found == json.loads(json.dumps(made.found))
    assert found["data"]["rows"] == 150
    assert found["data"]["splits"] == FOLDS
    assert set(found["arms"]) == set(ARMS)
    text = (out / "report.html").read_text()
    assert found["decision"]["do"] in text
    assert "http" not in text  # no network
    # raw rows go in, and all of the files agree with the network
    columns = Columns.from_json((out / "columns.json").read_text())
    raw = columns.apply(data)
    x = torch.from_numpy((raw - made.mean) / made.scale).float()
    expected = made.student.predict(x)[0]
    assert expected.shape == (150, 3)
    assert torch.allclose(load_onnx(out / "student.onnx")(x), expected, atol=1e-4)
    student = {}
    exec((out / "student.py").read_text(), student)
    assert np.allclose(student["logits"](raw), expected, atol=1e-4)
    try:
        compiled = standalone.compile_c(out / "student.c")
    except RuntimeError:
        pytest.skip("no C compiler")
    assert np.allclose(compiled(raw), expected, atol=1e-4)


def test_a_report_is_a_direct_computation(short, data):
    """The verdicts are those of the package's own functions on the scores it keeps."""
    made = run(data)
    for row, answer in zip(made.found["answers"], answers(made.scores, 150, 0.01), strict=True):
        assert row["verdict"] == answer.verdict.verdict
        ours = gain(made.scores, answer.one, answer.other, "nll")
        assert row["gain"] == {"value": ours.value, "low": ours.low, "high": ours.high}
    again = run(data)
    assert again.scores.values == made.scores.values


def test_two_processes_find_what_one_finds(tmp_path):
    own = rows_from_file(make(tmp_path / "beans.csv", 60), "kind", ids="row")
    bench = Bench(own, Probabilities(torch.randn(60, 3), True), (4, 4), 0)
    splits, last = rounds(own, 1, 0)[:1], everything(own, 0)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(whole_run(bench, splits, last, progress=False))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    (one, tunings, tuning, _), (two, *others) = found
    assert one == two
    assert [tunings, tuning] == others[:2]


def test_teachers_from_elsewhere(short, data, tmp_path):
    made = run(data, teacher=LogisticRegression())
    assert made.found["teacher"]["name"] == "LogisticRegression"
    assert set(made.found["arms"]) == set(ARMS) - {ONE, FROM_ONE}
    own = rows_from_file(data, "kind", ids="row")
    p = np.full((150, 3), 0.1)
    p[np.arange(150), own.labels] = 0.8
    path = answers_of(tmp_path / "p.csv", [f"r{i}" for i in range(150)], p.tolist())
    made = run(data, teacher_probabilities=path, out_of_fold=True)
    assert any("look in-sample" in flag for flag in made.found["flags"])
    made = run(data, teacher_probabilities=path, out_of_fold=False)
    assert any("in-sample" in remark for remark in made.found["teacher"]["remarks"])
    assert ENSEMBLE not in {answer.one for answer in made.answers}


def test_unlabelled_rows_teach_the_distilled_alone(short, data, tmp_path, monkeypatch):
    more = make(tmp_path / "more.csv", 60, seed=9)
    seen = {}
    whole = module.Bench.train

    def spy(self, task, logits, tuning, train, seeds, hidden, only=()):
        for arm in tuning.settings:
            rows = self.rows_of(arm, train, len(task.y_train))
            seen.setdefault(arm, set()).add((rows >= 150).sum().item())
        return whole(self, task, logits, tuning, train, seeds, hidden, only)

    monkeypatch.setattr(module.Bench, "train", spy)
    made = run(data, unlabelled=more)
    assert made.found["data"]["unlabelled_rows"] == 60
    assert seen == {HARD: {0}, SMOOTHED: {0}, FROM_ONE: {60}, DISTILLED: {60}}


def test_students_train_longer_or_shorter_by_the_rows_that_they_see(short, tmp_path, monkeypatch):
    """Else a few labels would send any number of unlabelled rows round 150 times."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # other processes know no patch
    monkeypatch.setattr(
        Plan, "for_rows", classmethod(lambda cls, count: Plan(4 if count < 150 else 5, 3))
    )
    seen = {}
    whole = ex.train_students

    def spy(task, arms, *, epochs, **rest):
        for arm in arms.values():
            seen.setdefault(epochs, set()).add(len(arm.rows))
        return whole(task, arms, epochs=epochs, **rest)

    monkeypatch.setattr(ex, "train_students", spy)
    monkeypatch.setattr(protocol, "train_students", spy)
    data, more = make(tmp_path / "few.csv", 60), make(tmp_path / "more.csv", 120, seed=9)
    run(data, unlabelled=more, teacher=LogisticRegression())
    assert max(seen[4]) < 150 <= min(seen[5])


def test_a_contract_hands_over_the_smallest_that_meets_it(short, data):
    made = run(data, floor=0.01, budget_us=1)
    assert made.found["contract"]["met_by"]
    assert made.found["student"]["hidden"] == [2, 2]
    assert made.student.num_parameters == made.found["student"]["parameters"]
    made = run(data, floor=0.999)
    assert made.found["contract"]["met_by"] == []
    assert made.found["student"]["hidden"] == [16, 8]


def test_a_floor_is_met_by_what_is_sure():
    def row(width, low, microseconds=1.0):
        accuracy = {"value": low + 0.05, "low": low, "high": low + 0.1}
        return {"hidden": [width], "accuracy": accuracy, "microseconds": microseconds}

    sizes = [row(2, 0.88), row(4, 0.9), row(8, 0.95), row(16, 0.95, None)]
    met = module._contract(sizes, None, 0.9)
    assert [found["hidden"] for found in met] == [[4], [8], [16]]
    assert [found["hidden"] for found in module._contract(sizes, 1.0, 0.9)] == [[4], [8]]
    assert module._contract(sizes, 0.5, None) == []


def test_a_budget_without_a_compiler_is_not_known_to_be_met():
    found = {
        "decision": {"do": "Do.", "why": "So."},
        "forecast": None,
        "flags": [],
        "contract": {"budget_us": 10.0, "floor": 0.3, "met_by": []},
        "costs": {"c": None},
    }
    made = module.Report(found, *[[]] * 7)
    said = "Whether a student meets the contract is not known"
    assert said in str(made) and "no C compiler was found" in str(made)
    assert f"<strong>{said}</strong>" in page_module._contract(found)
    found["costs"]["c"] = 20.0
    assert "No student meets the contract: at most 10 µs" in str(made)
    found["contract"]["met_by"] = [{"parameters": 99, "arm": DISTILLED}]
    assert "The contract is met (at most 10 µs" in str(made)


def test_intervals_are_shown_as_far_as_is_possible():
    share, loss = ({"value": v, "low": v - 0.1, "high": v + 0.1} for v in (0.95, 0.05))
    scores = {"accuracy": share, "nll": loss, "calibrated_nll": loss}
    shown = page_module._arms({"arms": {HARD: scores}})
    assert "[85.0, 100.0]" in shown and shown.count("[0.000, 0.150]") == 2
    row = {"hidden": [2], "parameters": 9, "accuracy": share, "microseconds": None}
    shown = page_module._sizes({"sizes": [row | {"arm": arm} for arm in (HARD, DISTILLED)]})
    assert shown.count("[85.0, 100.0]") == 2
    assert "[-0.050, 0.150]" in page_module._number(loss)  # a difference may be below 0


@pytest.mark.parametrize("name", ["drop", "categorical"])
def test_an_option_of_columns_may_be_given_twice(name):
    given = ["report", "a.csv", "--target", "y", "--out", "o", f"--{name}", "a", f"--{name}", "b,c"]
    assert getattr(command_line._parser().parse_args(given), name) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("leave it out: drop=['a b']", "leave it out: --drop 'a b'"),
        ("drop=['a,b'] or drop=['-x']", "--drop '\"a,b\"' or --drop=-x"),
        ("pass groups=\"o'neil\", ids='n'", "pass --group 'o'\"'\"'neil', --id n"),
        (r"pass delimiter='\t'", r"pass --delimiter '\t'"),
        ("more than max_levels=50 are", "more than 50 are"),
        ("as file_format='csv'; index_base=0 or 1", "as --format csv; --index-base 0 or 1"),
        ("out_of_fold=True if so, else out_of_fold=False", "--out-of-fold if so, else --in-sample"),
        ("time and groups are both given", "--time and --group are both given"),
        ("name it: ids=...; leave groups out", "name it: --id COLUMN; leave --group out"),
        ("random_state is -1", "--seed is -1"),
        ("column 'groups' is 'time' in a time", "column 'groups' is 'time' in a time"),
        (
            "read_csv(path, thousands=',', decimal='.')",
            "read_csv(path, thousands=',', decimal='.')",
        ),
        ("teacher_probabilities.csv has no row for id '9'",) * 2,
        ("/data/out_of_fold.csv or time=08/t.csv is no file",) * 2,
    ],
)
def test_the_command_line_names_its_own_options(said, shown):
    assert command_line._in_options(said) == shown


def enough(*_, **__):
    raise ArithmeticError("enough")


def test_advice_on_the_command_line_is_one_of_its_options(tmp_path, capsys, monkeypatch):
    """As it stands in the line, and the Python name for callers of Python."""
    monkeypatch.setattr(module, "run", enough)
    monkeypatch.setattr(module, "forecast", lambda *_: None)
    customers = [f"c{i // 5}" for i in range(150)]
    notes = [f"some words {i}" for i in range(150)]
    data, tried = make(tmp_path / "a.csv", customer=customers, note=notes), []

    def said(*more):
        ask = ["--target", "kind", "--out", str(tmp_path / f"out{len(tried)}"), *more]
        tried.append(ask)
        assert command_line.main(["report", str(data), *ask]) == 1
        return capsys.readouterr().err

    advised = re.findall(r"pass (--\w+ \w+)", said("--id", "customer", "--drop", "row,note"))
    assert advised == ["--group customer"]
    assert "enough" in said(*advised[0].split(), "--drop", "row,note")
    (drop, categorical) = re.findall(r"--\w+ \w+", said("--id", "row"))
    assert (drop, categorical) == ("--drop note", "--categorical note")
    for advice in (drop, categorical):
        assert "enough" in said("--id", "row", *advice.split())
    with pytest.raises(ValueError, match=r"pass groups='customer'$"):
        rows_from_file(data, "kind", ids="customer", drop=["row", "note"])


class Whole:
    """A report that was made, with a flag and a letter that not every terminal has."""

    def __init__(self, *_, **__):
        self.found = {"flags": ["look at 'größe', drop=['größe']"]}

    def write(self, out):
        Path(f"{out}.part").touch()

    def __str__(self):
        return self.found["flags"][0]


def test_a_terminal_that_lacks_a_letter_gets_the_answer(data, tmp_path, monkeypatch):
    monkeypatch.setattr("distill_helpers.report.report", Whole)
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    assert command_line.main(arguments_of(data, tmp_path / "out")) == 0
    sys.stdout.flush()
    assert b"look at 'gr\\xf6\\xdfe', --drop 'gr" in written.getvalue()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_a_second_report_into_the_same_folder_is_refused_at_its_start(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("distill_helpers.report.report", Whole)
    out = tmp_path / "out"
    theirs = tmp_path / "out.lock"  # as poetry.lock is, beside a report called poetry
    theirs.write_text("theirs")
    lock = tmp_path / "out.part.lock"
    lock.write_text("1")  # what a killed process left
    with command_line._alone(str(out)):
        assert command_line.main(arguments_of(data, out)) == 1
    said = capsys.readouterr().err
    assert f"process {os.getpid()} is making a report; wait for it, or name another" in said
    lock.write_text("1")
    assert command_line.main(arguments_of(data, out)) == 0  # having waited
    with command_line._alone(str(out)):
        assert command_line.main(arguments_of(data, tmp_path / "other")) == 0
    assert list(tmp_path.glob("*.lock")) == [theirs] and theirs.read_text() == "theirs"


def test_a_lock_that_was_let_go_between_its_opening_and_its_taking_is_none(tmp_path, monkeypatch):
    import fcntl

    lock = tmp_path / "out.part.lock"
    monkeypatch.setattr(fcntl, "flock", lambda *_: lock.unlink())
    with (
        pytest.raises(FileExistsError, match="has just ended; say it again"),
        command_line._alone(str(tmp_path / "out")),
    ):
        pytest.fail("two may now run at once")


@pytest.mark.parametrize(
    "more", [["--teacher-probabilities", "p", "--out-of-fold"], ["--unlabelled", "u"]]
)
@pytest.mark.parametrize("option", [[], ["--delimiter", ","], ["--delimiter", ";"]])
def test_each_file_is_read_by_its_own_delimiter(tmp_path, monkeypatch, capsys, option, more):
    monkeypatch.setattr(module, "run", enough)
    monkeypatch.setattr(module, "forecast", lambda *_: None)
    data, u = make(tmp_path / "a.csv"), make(tmp_path / "u.csv")
    p = answers_of(tmp_path / "p.csv", [f"r{i}" for i in range(150)], [[0.2, 0.3, 0.5]] * 150)
    for path in [data] if ";" in option else [p, u]:
        path.write_text(path.read_text().replace(",", ";"))
    more = [str({"p": p, "u": u}.get(word, word)) for word in more]
    ask = ["--target", "kind", "--id", "row", "--out", str(tmp_path / "out")]
    assert command_line.main(["report", str(data), *ask, *more, *option]) == 1
    assert "enough" in capsys.readouterr().err


def test_a_file_beside_the_table_is_read_as_it_is_itself(tmp_path):
    said = {"file_format": "svmlight", "index_base": 1, "encoding": "latin-1", "delimiter": ";"}
    assert reading_beside(tmp_path / "a.svm", said) == {"file_format": "svmlight", "index_base": 1}
    assert reading_beside(tmp_path / "a", said) == {"file_format": "svmlight", "index_base": 1}
    assert reading_beside(tmp_path / "a.npz", said) == {"file_format": "npz"}
    path = tmp_path / "a.csv"
    for text, encoding, delimiter in (
        ('"ä;b",c', "utf-8", ","),
        ("ä|b", "latin-1", "|"),
        ("ä,b;c", "utf-8", ";"),
        ("a", "utf-8", ";"),
    ):
        path.write_text(text, encoding)
        expected = {"file_format": "csv", "encoding": encoding, "delimiter": delimiter}
        assert reading_beside(path, said) == expected
    path.write_bytes("a,b".encode("utf-16-le"))
    wide = said | {"encoding": "utf-16-le"}
    assert (
        reading_beside(path, wide)["encoding"] == "utf-16-le"
    )  # no UTF-8, though it reads as such


@pytest.mark.parametrize(
    ("text", "names"),
    [("a,b", ["a", "b"]), ("", [""]), ('"c, d",e', ["c, d", "e"]), ("a, b", ["a", "b"])],
)
def test_columns_are_named_on_the_command_line_as_in_a_csv(text, names):
    assert command_line._names(text) == names


def test_a_tab_can_be_named_on_the_command_line(short, tmp_path, capsys):
    data = make(tmp_path / "beans.csv")
    data.write_text(data.read_text().replace(",", "\t"))
    options = ["--target", "kind", "--drop", "row", "--out", str(tmp_path / "out")]
    assert command_line.main(["report", str(data), *options]) == 1
    assert r"pass --delimiter '\t'" in capsys.readouterr().err
    options += ["--delimiter", r"\t", "--repeats", "1", "--student", "4"]
    assert command_line.main(["report", str(data), *options]) == 0


def refusals(tmp_path):
    data = str(make(tmp_path / "beans.csv"))
    text = (tmp_path / "beans.csv").read_text()

    def other(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    few = "\n".join(text.splitlines()[:8])
    one = text.replace("k1", "k0").replace("k2", "k0")
    rare = text.replace("k2", "k1").replace("k1", "k9", 1).replace("k9", "rare")
    p = str(answers_of(tmp_path / "p.csv", ["r0"], [[0.2, 0.3, 0.5]]))
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    ask = ["--target", "kind", "--id", "row"]
    yield [data, "--target", "kinds", "--id", "row"], "did you mean 'kind'"
    yield [data, "--target", "kind"], "--drop row"
    for name, values in {
        "one": ["vip" if i == 3 else "" for i in range(150)],
        "far": [1e38 if i == 3 else 1e-3 * (i % 2) for i in range(150)],
        "farther": [1e39 if i == 3 else i % 50 for i in range(150)],
    }.items():
        words = "has values in 1 of 150 rows, and in none of" if name == "one" else "reaches 1e+3"
        path = str(make(tmp_path / f"{name}.csv", **{name: values}))
        yield [path, *ask], f"column {name!r} {words}"
    later = make(
        tmp_path / "later.csv", day=range(150), new=[i if i > 80 else "" for i in range(150)]
    )
    yield [str(later), *ask, "--time", "day"], "leave it out: --drop new"
    both = ["--teacher-probabilities", p, "--out-of-fold", "--teacher", "random-forest"]
    yield [data, *ask, *both], "teacher is 'random-forest', and --teacher-probabilities are given"
    yield [str(tmp_path / "none.csv"), *ask], "none.csv"
    yield [str(tmp_path), *ask], str(tmp_path)
    yield [other("empty.csv", ""), *ask], "empty"
    yield [other("few.csv", few), *ask], "folds need"
    yield [other("one.csv", one), *ask], "two classes or more"
    yield [other("rare.csv", rare), *ask], "'rare'"
    yield [other("ragged.csv", text + "r,1\n"), *ask], "line 152"
    yield [other("latin.csv", text.replace("red", "rød").encode("latin-1")), *ask], "encoding"
    infinite = re.sub(r"\nr3,[^,]*", r"\nr3,inf", text)
    yield [other("inf.csv", infinite), *ask], "values must be finite"
    yield [data, *ask, "--drop", "sice"], "did you mean 'size'"
    yield [data, *ask, "--group", "owner"], "'owner'"
    yield [data, *ask, "--time", "colour"], "time is 'colour'"
    yield [data, *ask, "--teacher", "forest"], "random-forest"
    yield [data, *ask, "--student", "64x32"], "64,32"
    yield [data, *ask, "--student", "0"], "student"
    yield [data, *ask, "--repeats", "0"], "repeats"
    yield [data, *ask, "--margin", "-1"], "margin"
    yield [data, *ask, "--floor", "95"], "floor"
    yield [data, *ask, "--budget-us", "0"], "--budget-us is 0"
    yield [data, *ask, "--teacher-probabilities", p], "--out-of-fold"
    yield (
        [data, "--target", "kind", "--drop", "row", "--teacher-probabilities", p, "--out-of-fold"],
        "--id",
    )
    yield [data, *ask, "--out-of-fold"], "none are given"
    yield [data, *ask, "--teacher-probabilities", p, "--out-of-fold"], "no row for id 'r1'"
    yield [data, *ask, "--unlabelled", other("u.csv", "size\n1\n")], "no column"
    every = answers_of(tmp_path / "all.csv", [f"r{i}" for i in range(150)], [[0.2, 0.3, 0.5]] * 150)
    both = ["--teacher-probabilities", str(every), "--in-sample", "--unlabelled", data]
    yield [data, *ask, *both], "leave --unlabelled out"
    yield [data, *ask, "--seed", "-1"], "--seed is -1"
    yield [data, *ask, "--format", "xlsx"], "--help"
    yield [data, *ask, "--out", str(full)], "not empty"
    yield [data, *ask, "--out", data], "is a file"


def test_what_is_wrong_is_said_in_a_line_before_anything_trains(tmp_path, capsys, monkeypatch):
    def trains(*_, **__):
        raise AssertionError("it trained")

    monkeypatch.setattr(module, "run", trains)
    count = 0
    for arguments, words in refusals(tmp_path):
        out = [] if "--out" in arguments else ["--out", str(tmp_path / "out")]
        before = sorted(tmp_path.rglob("*"))
        try:
            code = command_line.main(["report", *arguments, *out])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr().err
        assert code == 1, arguments
        assert words in said, (arguments, said)
        assert said.startswith("distill: ") and said.count("\n") == 1, said
        assert sorted(tmp_path.rglob("*")) == before, arguments
        count += 1
    assert count >= 30
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"


def stopped_at(monkeypatch, part):
    """Stop a report before its tuning or test number `part`; return what ran before."""
    ran = []

    def job(*given):
        if len(ran) == part:
            raise KeyboardInterrupt
        ran.append(given[1:])
        return JOB(*given)

    monkeypatch.setattr(run_module, "_job", job)
    return ran


def arguments_of(data, out, *more):
    arguments = ["report", str(data), "--target", "kind", "--id", "row", "--repeats", "1"]
    return [*arguments, "--student", "4", "--out", str(out), *more]


@pytest.fixture
def alone(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(module, "forecast", lambda *_: None)


JOB = run_module._job
PARTS = FOLDS // 2 + 1 + FOLDS  # tunings, that on all rows, tests


def test_a_stop_at_the_end_leaves_its_parts_alone(
    short, alone, data, tmp_path, monkeypatch, capsys
):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "page", stop)
    assert command_line.main(arguments_of(data, tmp_path / "out")) == 130
    assert "what is done is kept; run the same command" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beans.csv", "out.part"]


@pytest.mark.parametrize(("teacher", "part"), [("networks", 2), ("random-forest", 7)])
def test_a_report_goes_on_where_it_was_stopped(
    short, alone, data, tmp_path, monkeypatch, capsys, teacher, part
):
    def command(out):
        return arguments_of(data, tmp_path / out, "--teacher", teacher)

    ran = stopped_at(monkeypatch, PARTS)
    assert command_line.main(command("whole")) == 0
    assert len(ran) == PARTS
    assert "Going on" not in capsys.readouterr().out
    ran = stopped_at(monkeypatch, part)
    assert command_line.main(command("again")) == 130
    assert not (tmp_path / "again").exists()
    text = (tmp_path / "again.part").read_text()
    (tmp_path / "again.part").write_text(re.sub(r'"after": ', '"after": 1000', text))
    with (tmp_path / "again.part").open("a") as file:
        file.write('{"part": "test 5", "sco')  # cut short by a kill
    ran = stopped_at(monkeypatch, PARTS)
    assert command_line.main(command("again")) == 0, capsys.readouterr().err
    assert "Going on" in capsys.readouterr().out
    assert len(ran) == PARTS - part
    whole, again = (
        json.loads((tmp_path / out / "report.json").read_text()) for out in ("whole", "again")
    )
    assert again["seconds"] > 1000 > whole["seconds"]  # of both runs
    for name in ("answers", "arms", "decision", "sizes"):
        assert again[name] == whole[name], name
    for name in ("student.py", "columns.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "again.part").exists()


def test_what_is_kept_comes_back_as_it_was(tmp_path):
    setting = Setting(1e-3, 0.1, 1 / 3)
    tuning = Tuning((setting, Shape((8, 4), (0.1, 0.0))), {HARD: setting}, {ONE: 1.1}, (HARD,))
    table = {HARD: {"nll": [math.inf]}}
    scores = Scores(table, {(4, 2): table, (8, 4): table}, {7, 3}, 100, 20)
    results = {"tune 0": (tuning, 1.5), "tune 1": (replace(tuning, knobs=None), 2.5)}
    results |= {"test 0": scores}
    kept = Kept(tmp_path / "new" / "out.part", {"seed": "1"}, time.perf_counter() - 30)
    for part, result in results.items():
        kept.add(part, result)
    again = Kept(tmp_path / "new" / "out.part", {"seed": "1"}, time.perf_counter() - 10)
    assert kept.before == 0 and 30 <= again.before < 35
    again.add("test 0", scores)
    assert 40 <= Kept(kept.path, {"seed": "1"}, time.perf_counter()).before < 45
    assert len(again) == 3 and "test 1" not in again
    for part, result in results.items():
        assert again[part] == result


def test_what_parts_depend_on_is_in_every_row_and_every_answer(tmp_path):
    """A group, a time, a feature, a label or a teacher's answer that changed alone is seen."""
    clinic = [f"c{i % 10}" for i in range(150)]
    dates = [f"2024-01-{1 + i % 28:02}" for i in range(150)]

    def of(path, log_p=0.0, rows=None, **options):
        own = rows_from_file(path, "kind", ids="row", **options)
        teacher = Probabilities(torch.full((150, 3), log_p), True)
        return depends_on(own, teacher, (4,), 1, 0, rows)

    data = make(tmp_path / "a.csv", clinic=clinic, day=dates)
    text = data.read_text()
    options = {"groups": "clinic", "drop": ["day"]}, {"time": "day", "drop": ["clinic"]}
    plain = [of(data, **option) for option in options]
    assert plain == [of(data, **option) for option in options]
    assert of(data, 0.5, **options[0]) != plain[0] != of(data, rows=np.ones((2, 3)), **options[0])
    for old, new in (("c7", "c6"), ("2024-01-05", "2024-01-06"), (",k1\n", ",k2\n"), (".", ".5")):
        data.write_text(text.replace(old, new, 1))
        changed = [of(data, **option) != was for option, was in zip(options, plain, strict=True)]
        assert any(changed), old


def test_a_code_that_is_written_otherwise_is_another(tmp_path):
    found = []
    for one in ("01", "1"):
        path = make(tmp_path / "a.csv", code=[("1", one, "2")[i % 3] for i in range(150)])
        for categorical in (["code"], []):
            own = rows_from_file(path, "kind", ids="row", categorical=categorical)
            found.append(depends_on(own, Networks(), (4,), 1, 0, None)["rows or columns"])
    assert found[0] != found[2] and found[1] == found[3]


def test_parts_of_another_report_are_not_mixed_in(
    short, alone, data, tmp_path, monkeypatch, capsys
):
    def main(out, *options):
        stopped_at(monkeypatch, 0)  # before anything trains
        code = command_line.main(arguments_of(data, tmp_path / out, *options))
        return code, capsys.readouterr().err

    assert main("out")[0] == 130
    was, rows = (tmp_path / "out.part").read_bytes(), data.read_text()
    more = str(make(tmp_path / "more.csv"))
    for options, words in [
        (["--seed", "1"], "other seed;"),
        (["--repeats", "2"], "other repeats;"),
        (["--student", "5"], "other teacher, student;"),
        (["--teacher", "random-forest"], "other teacher;"),
        (["--drop", "size"], "other rows or columns;"),
        (["--unlabelled", more], "other unlabelled rows;"),
        (["a row"], "other rows or columns;"),
        (["digest"], "other package's code;"),
        (["fingerprint"], "other machine or versions;"),
    ]:
        with monkeypatch.context() as patch:
            if options == ["a row"]:
                data.write_text(rows.replace(".", ".5", 1))
            elif len(options) == 1:
                patch.setattr(_machine, options[0], lambda *_: {"another": "one"})
            code, said = main("out", *(options if len(options) == 2 else []))
            data.write_text(rows)
        assert code == 1, options
        assert words in said and said.count("\n") == 1, said
        assert (tmp_path / "out.part").read_bytes() == was
    # both ways out
    assert "remove it to start again, or name another folder as out" in said
    assert main("other", "--seed", "1")[0] == 130
    (tmp_path / "out.part").unlink()
    assert main("out", "--seed", "1")[0] == 130


@pytest.mark.parametrize(
    "text", ["", "mine", "mine\n", '{"a": 1}\n', "[]\n", '{"distill report": 3}\n']
)
def test_a_file_that_is_no_report_is_left_alone(short, data, tmp_path, capsys, text):
    (tmp_path / "out.part").write_text(text)
    assert command_line.main(arguments_of(data, tmp_path / "out")) == 1
    said = capsys.readouterr().err
    assert "move it, or name another folder as out" in said and said.count("\n") == 1
    assert (tmp_path / "out.part").read_text() == text


def test_first_example_of_the_help_works_as_written(short, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    (line,) = re.findall(r"^  distill (report .*)$", capsys.readouterr().out, re.MULTILINE)
    made = make(tmp_path / "data.csv").read_text(encoding="utf-8").replace("kind", "label", 1)
    whole = "".join(line.partition(",")[2] for line in made.splitlines(keepends=True))
    (tmp_path / "data.csv").write_text(whole, encoding="utf-8")  # without the rows' names
    monkeypatch.chdir(tmp_path)
    assert command_line.main(line.split()) == 0, capsys.readouterr().err
    assert (tmp_path / "answer" / "report.html").exists()


def test_help_has_examples_and_is_quick():
    done = subprocess.run(
        [sys.executable, "-m", "distill_helpers", "report", "--help"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "distill report data.csv --target label" in done.stdout


def test_a_forecast_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    from distill_helpers import forecast, paying
    from distill_helpers.report import _report

    def run(*args, **kwargs):
        assert len(told) == 1, "told before"
        raise ArithmeticError("enough")

    told, seen = [], []
    look = paying.look

    def spy(task, **how):
        seen.append((len(task.y_train), how, look(task, **how)))
        return seen[-1][2]

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 80)
    lines = ["a,b,y", *(f"{v + rng.normal():.4f},{rng.normal():.4f},{v}" for v in y)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    monkeypatch.setattr(_report, "run", run)
    monkeypatch.setattr(paying, "look", spy)
    for how, count in (({}, 1), ({"teacher": "random-forest"}, 0), ({"groups": "a"}, 0)):
        told.clear()
        monkeypatch.setattr(_report, "run", run if count else lambda *a, **k: 1 / 0)
        with pytest.raises(ArithmeticError):
            _report.report(tmp_path / "data.csv", "y", student=[8], tell=told.append, **how)
        assert len(told) == count
    ((rows, how, signs),) = seen
    assert (rows, how) == (80, {"width": 8, "seed": 0})
    expected = forecast.RULE.forecast(signs.edge)
    with pytest.raises(ArithmeticError):
        _report.report(tmp_path / "data.csv", "y", student=[8], tell=told.append)
    assert told[-1].startswith(f"Forecast: distilling saves {expected:+.3f} nats. ")


def test_many_rows_wait_for_no_forecast(tmp_path, monkeypatch):
    """It would take as long as what it is to spare; ten thousand rows still have one."""
    from distill_helpers import paying
    from distill_helpers.report import _report

    def stop(*_, **__):
        raise ArithmeticError("enough")

    def asked(*_, **__):
        raise LookupError("asked")

    monkeypatch.setattr(_report, "run", stop)
    monkeypatch.setattr(_report, "leaks", lambda own: [])
    monkeypatch.setattr(paying, "look", asked)
    told = []
    lines = [f"{k % 7},{k % 2}" for k in range(10_001)]
    for count, ends in ((10_001, ArithmeticError), (10_000, LookupError)):
        (tmp_path / "data.csv").write_text("\n".join(["a,y", *lines[:count]]))
        with pytest.raises(ends):
            _report.report(tmp_path / "data.csv", "y", student=[8], tell=told.append)
    assert told == ["No forecast beyond 10,000 rows: its rule is from tasks of 60 to 1,000."]


def test_a_forecast_says_whether_to_measure_by_the_line_as_committed():
    from distill_helpers.forecast import MARGIN, RULE
    from distill_helpers.report._forecast import Forecast

    least = (MARGIN - RULE.intercept) / RULE.slope
    assert least < 0, "an edge a little below zero is still worth measuring"
    for step, words in ((1e-6, "what is measured decides"), (-1e-6, "you may stop here")):
        edge = least + step
        said = str(Forecast(edge, 0.01, RULE.forecast(edge)))
        assert words in said and said.count("worth measuring") == 1, said


def test_a_forecast_never_decides():
    from distill_helpers.report._forecast import Forecast, in_words
    from distill_helpers.statistics import mean_estimate

    measured = mean_estimate([-0.04, -0.02])
    for expected in (0.2, -0.2):
        said = in_words(Forecast(0.1, 0.02, expected).beside(measured))
        assert said.endswith("it saved -0.030; the decision goes by what was measured.")


def test_how_far_off_a_forecast_was_is_said():
    from distill_helpers.report._forecast import Forecast, in_words
    from distill_helpers.statistics import mean_estimate

    found = Forecast(0.1, 0.02, 0.078).beside(mean_estimate([0.01, 0.03]))
    assert found["off_by"] == pytest.approx(-0.058)
    assert "expected distilling to save +0.078 nats. Measured, it saved +0.020;" in in_words(found)

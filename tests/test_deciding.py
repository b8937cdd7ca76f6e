"""The study of what soft targets buy, at a size of seconds: no row on both sides, equal arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
import torch

from distill_helpers import deciding as study
from distill_helpers import experiments, protocol
from distill_helpers.networks import Stack
from distill_helpers.studies import Study
from distill_helpers.tasks import gaussian_mixture_task

SIZES = {
    "article-4000": 4000,
    "article-512": 512,
    "overlap3-1000": 1000,
    "overlap3-500": 500,
    "digits-1437": 1437,
    "digits-1437-blocks": 1438,
    "digits-287": 287,
    "digits-287-of-1437": 287,
}


@pytest.mark.parametrize("name", list(SIZES))
@pytest.mark.parametrize("index", [0, 7])
def test_a_tasks_name_carries_its_size_and_no_fold_leaks(name: str, index: int) -> None:
    plan = study.PLANS[name]
    task = plan.make(index)
    split = study.Split.of(plan, task, index)
    assert abs(len(split.rows) - SIZES[name]) <= 1
    whole = name == "digits-287-of-1437"
    assert len(split.teacher_rows) == (len(task.y_train) if whole else len(split.rows))
    seen = []
    for (fit_rows, held_out), (taught, same) in zip(split.folds, split.teacher_folds, strict=True):
        assert torch.equal(held_out, same)
        assert not torch.isin(held_out, fit_rows).any()
        assert not torch.isin(held_out, taught).any()
        assert torch.equal(torch.cat([fit_rows, held_out]).sort().values, split.rows)
        assert len(taught) + len(held_out) == len(split.teacher_rows)
        seen.append(held_out)
    assert not torch.isin(seen[0], seen[1]).any()
    for fit_rows, held_out in split.tuning_folds:
        both = torch.cat([fit_rows, held_out]).sort().values
        assert torch.equal(both, split.teacher_rows.sort().values)


def test_a_block_is_a_run_of_the_file_and_twelve_go_round_it() -> None:
    tests = [study.digits(index, in_blocks=True) for index in range(12)]
    assert {len(task.y_test) for task in tests} == {359}
    everything = torch.cat(
        [torch.round(t.x_test * torch.tensor(t.scale) + torch.tensor(t.mean)) for t in tests]
    )
    assert len(everything.unique(dim=0)) > 1790


TINY = gaussian_mixture_task(3, 4, 0.2, num_train=80, num_test=10, random_state=1)
SMALL = protocol.Shape((4,), (0.0,))
PLAN = study.Plan(lambda index: TINY.with_fresh_data(index), 4, 1)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the study to seconds."""
    monkeypatch.setattr(study, "NUM_TEST", 200)
    monkeypatch.setattr(study, "STUDENTS", 2)
    monkeypatch.setattr(study, "BEST_OF", 2)
    monkeypatch.setattr(study, "MEMBERS", (1, 2))
    monkeypatch.setattr(protocol, "SHAPES", (SMALL, SMALL))
    monkeypatch.setattr(protocol, "RATES", (1e-3, 1e-2, 1e-1))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-3, 1e-2))


def test_a_replicate_has_every_arm_once(tiny: None) -> None:
    rows = study.replicate(PLAN, 1, widths=(4,))
    keys = [(r["width"], r["teacher"], r["members"], r["arm"]) for r in rows]
    assert len(keys) == len(set(keys))
    students = {key[1:] for key in keys if key[0] == 4}
    soft = {
        (teacher, count, f"soft, alpha {alpha}")
        for teacher in ("article", "tuned", "calibrated")
        for count in (1, 2)
        for alpha in ("0.7", "1")
    }
    level = {(t, 2, "levelled, alpha 1") for t in ("article", "tuned", "calibrated")}
    assert soft | level <= students
    assert {("none", 0, "hard labels"), ("none", 0, "smoothed labels")} <= students
    assert ("oracle", 0, "soft, alpha 1") in students
    assert len(students) == len(soft) + len(level) + 3 + 3
    assert all(0 <= r["accuracy"] <= 1 and r["excess_risk"] > -0.05 for r in rows)
    assert rows == study.replicate(PLAN, 1, widths=(4,)) or all(  # NaN is not equal to itself
        str(a) == str(b) for a, b in zip(rows, study.replicate(PLAN, 1, widths=(4,)), strict=True)
    )


def test_a_wide_plan_tries_its_rates_and_temperatures_in_every_arm(
    tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[object, set[tuple[float, ...]]]] = []

    def watched(function: Callable[..., object]) -> Callable[..., object]:
        def call(task: object, arms: object, *args: object, **how: object) -> object:
            softness = (
                {recipe.softness for recipe in arms.values()} if hasattr(arms, "values") else {}
            )
            seen.append((how["rates"], set(softness)))
            return function(task, arms, *args, **how)

        return call

    for name in ("tune_teacher", "run_tuned"):
        monkeypatch.setattr(protocol, name, watched(getattr(protocol, name)))
    monkeypatch.setattr(protocol, "WIDE_RATES", (1e-3, 1e-2, 1e-1, 1.0))
    study.replicate(replace(PLAN, wide=True), 0, widths=(4,))
    assert seen == [
        (protocol.WIDE_RATES, set()),
        (protocol.WIDE_RATES, {(), protocol.SMOOTHINGS, protocol.WIDE_TEMPERATURES}),
    ]
    seen.clear()
    study.replicate(PLAN, 0, widths=(4,), only=[study.HARD, study.soft("tuned", 1)])
    assert seen == [(protocol.RATES, set()), (protocol.RATES, {(), protocol.TEMPERATURES})]
    wide = {name for name, plan in study.PLANS.items() if plan.wide}
    assert wide == {"article-512", "overlap3-1000", "overlap3-500", "digits-287-of-1437"}


def test_a_calibrated_teacher_differs_by_its_temperature_alone(tiny: None) -> None:
    task = TINY
    split = study.Split.of(PLAN, task, 0)
    made = study.Teachers.of(
        task, split, 0, task.x_test, study.ARTICLE, SMALL, epochs=1, average_last=1
    )
    for fold in (0, 1, None):
        tau = made.temperatures[fold, 2]
        torch.testing.assert_close(
            made.targets(fold, 2, True, 2.0), made.targets(fold, 2, False, 2.0 * tau)
        )
    held_out = split.folds[1][1]
    logits = made.train[1][:2, held_out].mean(0)
    expected = protocol.fitted_temperature(logits, task.y_train[held_out])
    assert made.temperatures[0, 2] == expected  # from the other fold
    torch.testing.assert_close(
        made.on_test(2, True) * made.temperatures[None, 2], made.on_test(2, False)
    )


def test_the_best_of_several_is_the_one_of_the_least_held_out_loss(
    tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is trained alone, and its loss is PyTorch's own."""
    monkeypatch.setattr(study, "BEST_OF", 5)
    split = study.Split.of(PLAN, TINY, 0)
    fit_rows, held_out = split.folds[0]
    setting, shape = protocol.Setting(1e-2, 0.0, 0.0), protocol.Shape((4, 2), (0.0, 0.0))
    averaged = protocol.averaged(PLAN.student_epochs)

    def train(seed: int) -> Stack:
        return protocol.train_on_labels(
            TINY,
            [setting],
            fit_rows,
            shape,
            seeds=[seed],
            epochs=PLAN.student_epochs,
            average_last=averaged,
        )

    each = [train(s) for s in experiments.member_seeds(study.RANDOM_STATE, "best-of", 0, 5)]
    x, y = TINY.x_train[held_out], TINY.y_train[held_out]
    losses = [float(torch.nn.functional.cross_entropy(one.predict(x)[0], y)) for one in each]
    best = losses.index(min(losses))
    assert best > 0, "the first says nothing"
    judge = study.Judge.of(TINY, 0)
    hard = protocol.Tuned(setting, 0.0, 1.0, (), each[0])
    rivals = dict(study.rivals(TINY, split, judge, hard, shape.hidden, PLAN, 0))
    torch.testing.assert_close(rivals["hard labels, best of 5"], each[best].predict(judge.x))


def test_agreement_is_split_by_the_teachers_errors() -> None:
    posterior = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]])
    judge = study.Judge(torch.zeros(4, 1), posterior, 0.0)
    teacher = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])  # slips on 1 and 3
    student = torch.tensor([[[2.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]])
    found = judge.inherited(student, teacher)
    assert found["agreement"] == 0.5
    assert found["agreement_right"] == 0.5
    assert found["agreement_slip"] == 0.5
    assert found["teacher_slips"] == 0.5
    assert found["margin"] == 1.25


def test_scores_before_and_after_a_temperature() -> None:
    judge = study.Judge(torch.zeros(2, 1), torch.tensor([0, 1]), 0.0)
    logits = torch.tensor([[[4.0, 0.0], [4.0, 0.0]]])
    found = judge.scores(logits, 2.0)
    assert found["accuracy"] == 0.5
    assert found["negative_log_likelihood"] == pytest.approx(2.018150, abs=1e-6)
    assert found["calibrated_loss"] == pytest.approx(1.126928, abs=1e-6)


def test_what_the_teachers_themselves_gain_is_against_the_hard_labels_student() -> None:
    scores = {"negative_log_likelihood": (0.5, 0.2), "accuracy": (0.7, 0.9)}
    rows = [
        {"replicate": i, "arm": arm, "teacher": teacher, "members": members, "width": width}
        | {name: pair[which] + 0.01 * i * which for name, pair in scores.items()}
        for i in range(3)
        for which, (teacher, members, arm, width) in enumerate(
            [(*study.HARD, 64), ("tuned", 12, "", 0)]
        )
    ]
    table = Study(rows, {})
    saved = study.itself(table, "article-512", "tuned", 12)
    assert saved.value == pytest.approx(0.5 - 0.21)  # a loss: less is better
    gained = study.itself(table, "article-512", "tuned", 12, column="accuracy")
    assert gained.value == pytest.approx(0.91 - 0.7)


def test_a_student_stands_against_the_very_teachers_that_taught_it() -> None:
    rows = [
        {"replicate": i, "arm": arm, "teacher": "tuned", "members": members, "width": width}
        | {"negative_log_likelihood": loss + 0.01 * i, "accuracy": right}
        for i in range(3)
        for arm, members, width, loss, right in (
            (study.soft("tuned", 12)[2], 12, 64, 0.4, 0.8),
            ("", 12, 0, 0.3, 0.9),
            ("", 1, 0, 0.7, 0.1),
        )
    ]
    tables = {"article-512": Study(rows, {})}
    twelve = study.soft("tuned", 12)
    lost = study.against_teachers(tables, twelve)["article-512"]
    assert lost.value == pytest.approx(0.3 - 0.4)
    points = study.against_teachers(tables, twelve, column="accuracy")["article-512"]
    assert points.value == pytest.approx(0.8 - 0.9)


def test_gains_are_those_of_each_task_against_tuned_hard_labels() -> None:
    key = study.soft("tuned", 1, 0.7)
    assert key == ("tuned", 1, "soft, alpha 0.7") and study.soft("tuned", 4)[2].endswith("1")
    rows = [
        {"replicate": i, "arm": arm, "teacher": teacher, "members": members, "width": 8}
        | {"negative_log_likelihood": loss + 0.01 * i}
        for i in range(3)
        for (teacher, members, arm), loss in ((study.HARD, 0.4), (key, 0.3))
    ]
    tables = {"article-512": Study(rows, {}), "digits-287": Study(rows, {})}
    found = study.gains(tables, key, width=8)
    assert list(found) == list(tables)
    for task, table in tables.items():
        assert found[task] == study.gain(table, task, key, study.HARD, 8)
        assert found[task].value == pytest.approx(0.1)


def test_folds_of_the_digits_have_the_interval_of_folds_that_share_rows() -> None:
    task = study.digits(3)
    train, test = len(task.y_train), len(task.y_test)
    gained = np.array([0.02, -0.01, 0.04, 0.03, 0.01])
    one, other = {k: 1 + g for k, g in enumerate(gained)}, dict.fromkeys(range(5), 1.0)
    error = np.sqrt((1 / 5 + test / train) * gained.var(ddof=1))
    reach = scipy.stats.t.ppf(0.975, 4) * error
    for name in ("digits-1437", "digits-287-of-1437"):
        found = study.paired(name, one, other)
        assert found.value == pytest.approx(gained.mean())
        # The folds' sizes differ by a row.
        assert found.high - found.value == pytest.approx(reach, rel=2e-3)
    independent = study.paired("article-512", one, other)
    assert independent.high - independent.low < 2 * reach


@pytest.mark.parametrize("task", ["article-512", "digits-287"])
def test_a_training_set_without_a_score_on_both_sides_is_left_out(task: str) -> None:
    one = {0: 0.5, 1: 0.7, 2: float("nan"), 3: 0.6, 4: 0.4, 6: 9.0}
    other = {0: 0.4, 1: 0.4, 2: 0.3, 3: float("inf"), 4: 0.2, 5: -9.0}
    found = study.paired(task, one, other)
    assert found.n == 3 and found.value == pytest.approx((0.1 + 0.3 + 0.2) / 3)
    whole = (0, 1, 4)
    assert found == study.paired(task, {k: one[k] for k in whole}, {k: other[k] for k in whole})

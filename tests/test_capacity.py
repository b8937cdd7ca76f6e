"""The diagnosis of a gap: exact effects, answers with their error rates, and what is trained."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from distill_helpers import capacity as cp
from distill_helpers import experiments as ex
from distill_helpers.soft_targets import soft_targets
from distill_helpers.statistics import mean_estimate, nadeau_bengio
from distill_helpers.tasks import Task, gaussian_mixture_task, task_from_arrays
from distill_helpers.training import fit

TEACHER = cp.Teacher(2, (8,), (0.1,), 1, 40)
SETUP = cp.Setup((3,), 50, 4, TEACHER)
BETTER = cp.Setup((6,), 130, 6, cp.Teacher(3, (8,), (0.0,), 2, 60))
LAW = gaussian_mixture_task(3, 4, 0.1, num_train=10, num_test=10)
DATA = task_from_arrays(LAW.sample(500)[0], LAW.sample(500)[1], name="mine")


def subsets(factors: tuple[str, ...]) -> list[frozenset[str]]:
    return [
        frozenset(f for f, on in zip(factors, bits, strict=True) if on)
        for bits in itertools.product([0, 1], repeat=len(factors))
    ]


def table(
    factors: tuple[str, ...],
    loss: Callable[[frozenset[str]], float],
    noise: float = 0.0,
    replicates: int = 4,
    rng: np.random.Generator | None = None,
) -> dict[frozenset[str], np.ndarray]:
    rng = rng or np.random.default_rng(0)
    common = rng.normal(size=replicates)  # of a replicate: every contrast removes it
    return {s: loss(s) + common + noise * rng.normal(size=replicates) for s in subsets(factors)}


# Effects


effects = st.floats(-1, 1)
factor_sets = st.sampled_from(
    [c for k in range(1, 5) for c in itertools.combinations(cp.FACTORS, k)]
)


@settings(max_examples=40, deadline=None)
@given(factors=factor_sets, data=st.data())
def test_an_additive_table_has_one_effect_a_factor(
    factors: tuple[str, ...], data: st.DataObject
) -> None:
    worth = {f: data.draw(effects) for f in factors}
    found = cp.diagnose(table(factors, lambda s: 3 - sum(worth[f] for f in s)), margin=0.1)
    for f in factors:
        for effect in (found.left, found.alone, found.main):
            assert effect[f].value == pytest.approx(worth[f], abs=1e-12)
        assert found.masked[f].value == pytest.approx(0, abs=1e-12)
    assert found.whole.value == pytest.approx(sum(worth.values()), abs=1e-12)
    assert all(e.value == pytest.approx(0, abs=1e-12) for e in found.interactions.values())
    assert list(found.interactions) == list(itertools.combinations(factors, 2))
    assert found.additive
    assert found.factors == factors


@settings(max_examples=40, deadline=None)
@given(factors=factor_sets, data=st.data())
def test_any_table_against_its_polynomial(factors: tuple[str, ...], data: st.DataObject) -> None:
    """L(S) = sum of c(T) over T inside S, whose effects are known in closed form."""
    c = {s: data.draw(effects) for s in subsets(factors)}
    found = cp.diagnose(
        table(factors, lambda s: sum(value for inside, value in c.items() if inside <= s)),
        margin=0.1,
    )
    for f in factors:
        with_f = {s: value for s, value in c.items() if f in s}
        assert found.left[f].value == pytest.approx(-sum(with_f.values()), abs=1e-12)
        assert found.alone[f].value == pytest.approx(-c[frozenset({f})], abs=1e-12)
        halved = -sum(value / 2 ** (len(s) - 1) for s, value in with_f.items())
        assert found.main[f].value == pytest.approx(halved, abs=1e-12)
        masked = found.left[f].value - found.alone[f].value
        assert found.masked[f].value == pytest.approx(masked, abs=1e-12)
    for pair, e in found.interactions.items():
        both = {s: value for s, value in c.items() if s >= set(pair)}
        expected = -sum(value / 2 ** (len(s) - 2) for s, value in both.items())
        assert e.value == pytest.approx(expected, abs=1e-12)


def test_intervals_are_those_of_the_paired_differences() -> None:
    losses = table(("wider", "longer"), lambda s: len(s), noise=1.0, replicates=6)
    none, wide, long, both = (losses[s] for s in map(frozenset, ([], ["wider"], ["longer"], ["wider", "longer"])))  # noqa: E501  # fmt: skip
    found = cp.diagnose(losses, margin=0.1, level=0.9, unit="nats")
    expected = {
        found.whole: none - both,
        found.left["wider"]: long - both,
        found.alone["wider"]: none - wide,
        found.masked["wider"]: long - both - none + wide,
        found.main["longer"]: (none - long + wide - both) / 2,
        found.interactions["wider", "longer"]: long - both - none + wide,
    }
    for estimate, differences in expected.items():
        other = mean_estimate(differences, level=0.9, unit="nats")
        assert (estimate.n, estimate.unit, estimate.level) == (6, "nats", 0.9)
        for name in ("value", "low", "high", "standard_error"):
            assert getattr(estimate, name) == pytest.approx(getattr(other, name), abs=1e-12)
    split = cp.diagnose(losses, margin=0.1, level=0.9, split=(80, 20), unit="nats")
    assert split.left["wider"] == nadeau_bengio(long - both, 80, 20, level=0.9, unit="nats")
    assert split.interactions["wider", "longer"].low < found.interactions["wider", "longer"].low


def test_intervals_cover_what_they_name() -> None:
    rng, trials, inside = np.random.default_rng(1), 400, {}
    for _ in range(trials):
        found = cp.diagnose(
            table(cp.FACTORS[:3], lambda s: -0.3 * len(s) ** 2, 0.5, 5, rng), margin=0.1
        )
        named = {
            ("whole",): (found.whole, 2.7),
            ("left",): (found.left["longer"], 1.5),
            ("alone",): (found.alone["longer"], 0.3),
            ("masked",): (found.masked["longer"], 1.2),
            ("main",): (found.main["longer"], 0.9),
            ("interaction",): (found.interactions["wider", "longer"], 0.6),
        }
        for name, (e, true) in named.items():
            inside[name] = inside.get(name, 0) + e.contains(true)
    for name, count in inside.items():  # four standard errors
        assert abs(count / trials - 0.95) < 4 * math.sqrt(0.95 * 0.05 / trials), name


# Answers


def answers_of(costs: list[float], noise: float, trials: int, seed: int) -> list[cp.Diagnosis]:
    rng = np.random.default_rng(seed)
    worth = dict(zip(cp.FACTORS, costs, strict=True))
    return [
        cp.diagnose(
            table(cp.FACTORS, lambda s: -sum(worth[f] for f in s), noise, 8, rng), margin=0.01
        )
        for _ in range(trials)
    ]


@pytest.mark.parametrize(
    ("costs", "false"),
    [
        ([0.0] * 4, "cause"),
        ([0.01] * 4, "no cause"),
        ([0.0, 0.0, 0.01, 0.01], "either"),
        ([0.0, 0.01, 0.2, 0.2], "either"),
    ],
)
@pytest.mark.parametrize("noise", [0.004, 0.05])
def test_at_most_one_diagnosis_in_twenty_holds_a_false_answer(
    costs: list[float], false: str, noise: float
) -> None:
    trials = 250
    wrong = 0
    for d in answers_of(costs, noise, trials, seed=3):
        bad = [
            (d.answers[f] == "cause" and cost == 0) or (d.answers[f] == "no cause" and cost >= 0.01)
            for f, cost in zip(cp.FACTORS, costs, strict=True)
        ]
        wrong += any(bad)
    assert wrong / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials), wrong


def test_clear_effects_are_all_told() -> None:
    for d in answers_of([0.1, 0.0, 0.05, -0.1], 0.002, 20, seed=0):
        assert list(d.answers.values()) == ["cause", "no cause", "cause", "no cause"]
        assert d.causes == ("wider", "more samples")
        assert d.verdict == "wider and more samples"
        assert d.additive
    for d in answers_of([0.0] * 4, 0.002, 20, seed=0):
        assert d.verdict == "no gap"
    unsure = [d for d in answers_of([0.02] * 4, 0.3, 20, seed=0) if d.verdict == "cannot tell"]
    assert len(unsure) >= 18
    assert not any(d.additive for d in unsure)
    # A cause is named though another factor's mending takes as much away as it brings.
    (d,) = answers_of([0.1, -0.1, 0.0, 0.0], 0.002, 1, seed=0)
    assert d.whole.p_less(0.01) < 0.05
    assert d.verdict == "wider"


def test_holm_asks_more_of_the_first_and_less_of_the_last() -> None:
    # One factor alone, at p = 0.03, is a cause; beside an undecided one it is not.
    values = np.array([0.0, 1, 2, 3])
    deviation = values - values.mean()
    t = 3.9  # two-sided p of 0.03 at 3 degrees of freedom
    x = 0.1 + deviation * (0.1 / t) / (deviation.std(ddof=1) / 2)
    alone = cp.diagnose({frozenset(): x, frozenset({"wider"}): 0 * x}, margin=0.05)
    assert 0.025 < 2 * alone.whole.p_greater(0) < 0.05
    assert alone.answers == {"wider": "cause"}
    wild = np.array([1.0, -1, 1, -1])
    losses = {s: (0 if "wider" in s else x) + (0 if "longer" in s else wild) for s in
              subsets(("wider", "longer"))}  # fmt: skip
    losses = {s: v + np.zeros(4) for s, v in losses.items()}
    assert set(cp.diagnose(losses, margin=0.05).answers.values()) == {"cannot tell"}
    clear = {s: v + (0 if "longer" in s else 9 - wild) for s, v in losses.items()}
    assert set(cp.diagnose(clear, margin=0.05).answers.values()) == {"cause"}


def test_a_real_effect_below_the_margin_is_no_cause() -> None:
    (d,) = answers_of([0.004, 0.0, 0.0, 0.0], 1e-4, 1, seed=0)
    assert d.left["wider"].low > 0
    assert d.answers["wider"] == "no cause"
    assert d.verdict == "no gap"


def test_causes_that_hide_one_another_are_found_by_what_is_left() -> None:
    # The loss falls only where both are mended.
    pair = ("wider", "more samples")
    d = cp.diagnose(table(pair, lambda s: -0.1 * (len(s) == 2), 1e-3, 8), margin=0.01)
    assert d.verdict == "wider and more samples"
    assert all(d.alone[f].value < 0.01 < d.left[f].value for f in pair)
    assert not d.additive
    report = str(d)
    assert "Other faults hide wider: left minus mended alone is 0.1" in report
    assert "Interaction of wider and more samples: 0.1" in report
    assert "no additive split" in report and "the averages split" not in report


def test_factors_that_stand_in_for_one_another_have_no_single_cause() -> None:
    pair = ("wider", "longer")
    d = cp.diagnose(table(pair, lambda s: -0.1 * (len(s) > 0), 1e-3, 8), margin=0.01)
    assert d.verdict == "no single cause"
    assert d.answers == {"wider": "no cause", "longer": "no cause"}
    assert "Other faults add to wider" in str(d)
    rng = np.random.default_rng(1)
    noisy = cp.diagnose(table(pair, lambda s: -0.1 * (len(s) > 0), 0.5, 8, rng), margin=0.01)
    assert noisy.verdict == "cannot tell"


def test_three_factors_that_act_together_are_no_sum() -> None:
    # Signs multiply: every main effect and pair vanishes, and the whole is not nothing.
    d = cp.diagnose(table(cp.FACTORS[:3], lambda s: 0.1 * (-1) ** len(s), 1e-4, 8), margin=0.01)
    assert all(abs(e.value) < 1e-3 for e in (*d.main.values(), *d.interactions.values()))
    assert d.whole.value == pytest.approx(0.2, abs=1e-3)
    assert not d.additive
    assert "no additive split" in str(d)


def test_the_report_keeps_the_cautions_of_its_estimates_to_itself() -> None:
    lone = np.array([1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 6.0])
    d = cp.diagnose({frozenset(): lone, frozenset({"wider"}): 0 * lone}, margin=0.1)
    assert "skewed" in d.whole.caution and "skewed" in d.left["wider"].caution
    assert "skewed" not in str(d)


def test_the_report_of_one_factor_and_of_a_sum() -> None:
    (d,) = answers_of([0.1, 0.05, 0.0, 0.0], 1e-3, 1, seed=0)
    lines = str(d).splitlines()
    assert lines[0] == "wider and longer: capacity and optimisation"
    assert lines[1] == f"gap {d.whole}, 8 replicates, margin 0.01"
    assert lines[2:18:4] == [f"{f}: {d.answers[f]}" for f in cp.FACTORS]
    for k, f in enumerate(cp.FACTORS):
        shown = lines[3 + 4 * k : 6 + 4 * k]
        assert [(line[4:16].strip(), line[18:]) for line in shown] == [
            (name, str(replace(costs[f], caution="")))
            for name, costs in (
                ("left alone", d.left),
                ("mended alone", d.alone),
                ("average", d.main),
            )
        ]
    assert lines[18:] == ["All interactions lie within the margin: the averages split the gap."]
    one = cp.diagnose({frozenset(): [0.5, 0.6], frozenset({"wider"}): [0.5, 0.6]}, margin=0.1)
    assert str(one).splitlines()[0].startswith("no gap: ")
    assert len(str(one).splitlines()) == 6


# What is trained


def test_each_combination_takes_what_is_mended() -> None:
    arms = cp.mended(SETUP, BETTER)
    assert len(arms) == 16
    for s, arm in arms.items():
        assert arm.hidden == (BETTER if "wider" in s else SETUP).hidden
        assert arm.teacher == (BETTER if "better teacher" in s else SETUP).teacher
        epochs = 6 if "longer" in s else 4
        if "more samples" in s:  # three batches a pass in place of one
            assert (arm.num_train, arm.epochs) == (130, {4: 1, 6: 2}[epochs])
        else:
            assert (arm.num_train, arm.epochs) == (50, epochs)
    assert arms[frozenset()] == SETUP
    assert list(cp.mended(SETUP, replace(SETUP, epochs=9))) == [frozenset(), frozenset({"longer"})]


@settings(max_examples=200, deadline=None)
@given(num_train=st.integers(1, 3000), more=st.integers(0, 5000), epochs=st.integers(1, 300))
def test_more_samples_keep_the_steps(num_train: int, more: int, epochs: int) -> None:
    setup = cp.Setup(num_train=num_train, epochs=epochs)
    better = replace(setup, num_train=num_train + more + 1)
    arm = cp.mended(setup, better)[frozenset({"more samples"})]
    assert num_train <= arm.num_train <= better.num_train
    in_a_pass = math.ceil(better.num_train / cp.BATCH_SIZE)
    if setup.steps < in_a_pass:
        assert (arm.steps, arm.epochs) == (setup.steps, 1)
    else:
        assert arm.num_train == better.num_train
        assert abs(arm.steps - setup.steps) == min(
            abs(passes * in_a_pass - setup.steps)
            for passes in (setup.steps // in_a_pass, setup.steps // in_a_pass + 1)
        )


def test_the_batch_size_is_the_trainers() -> None:
    assert inspect.signature(fit).parameters["batch_size"].default == cp.BATCH_SIZE


def test_the_default_setup_is_the_articles() -> None:
    given = {
        name: inspect.signature(ex.train_teachers).parameters[name].default
        for name in ("ensemble_size", "hidden", "dropout", "epochs")
    }
    assert cp.Teacher() == cp.Teacher(**given)
    knobs, setup = ex.Knobs(), cp.Setup()
    for name in ("temperature", "alpha", "learning_rate"):
        assert getattr(setup, name) == getattr(knobs, name)
    assert setup.epochs == inspect.signature(ex.train_students).parameters["epochs"].default


@pytest.mark.parametrize("more", [60, 300])
def test_a_teacher_may_share_the_students_rows(more: int) -> None:
    shared = replace(SETUP, teacher=replace(cp.Teacher(), num_train=40, own_rows=False))
    better = replace(BETTER, teacher=cp.Teacher(num_train=more, own_rows=False))
    sample = cp._draw(LAW, shared, better, 0, 50, 1)
    # No more are drawn than are used: students have 130 rows at most.
    assert len(sample.task.y_train) == max(130, more) == len(sample.student_rows)
    seen = {}

    def spy(task: Task, *, rows: torch.Tensor, **more: object) -> NoReturn:
        seen["rows"] = rows
        raise RuntimeError

    with mock.patch.object(cp, "train_teachers", spy), pytest.raises(RuntimeError):
        cp._targets(sample, better.teacher, 1.0, 0, 1)
    assert torch.equal(seen["rows"], torch.arange(more))


def test_a_replicate_of_a_law_against_direct_calls() -> None:
    """Bit for bit, arm by arm: rows, teachers, widths, epochs, seeds, pairing."""
    found = cp.factorial(LAW, SETUP, BETTER, index=3, num_test=200, random_state=5)
    assert list(found) == list(cp.mended(SETUP, BETTER))
    data, test = ex.member_seeds(5, "diagnosis data", 3, 2)
    task = LAW.with_fresh_data(data, num_train=130 + 60)
    x, _ = task.sample(200, seed=test)
    for s in (frozenset(), frozenset(cp.FACTORS), frozenset({"more samples", "wider"})):
        arm = cp.mended(SETUP, BETTER)[s]
        t = arm.teacher
        assert isinstance(t, cp.Teacher)
        teachers = ex.train_teachers(
            task,
            ensemble_size=t.ensemble_size,
            epochs=t.epochs,
            random_state=5,
            set_index=3,
            rows=torch.arange(130, 130 + t.num_train),
            hidden=t.hidden,
            dropout=t.dropout,
        )
        targets = soft_targets(teachers.predict(task.x_train), 3.0, "logits")
        made = ex.Arm(targets, 3.0, 0.7, rows=torch.arange(arm.num_train))
        # Beside another arm, as there: company may change the last bit.
        stacks = ex.train_students(
            task,
            {0: made, 1: made},
            seeds=ex.member_seeds(5, "student", 3, 2),
            hidden=arm.hidden,
            epochs=arm.epochs,
        )
        expected = ex.score(stacks[0].predict(x), task.posterior(x))
        np.testing.assert_array_equal(
            found[s].negative_log_likelihood, expected.negative_log_likelihood
        )
        np.testing.assert_array_equal(found[s].accuracy, expected.accuracy)


def test_the_oracle_teaches_the_posterior_at_the_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = watch(monkeypatch)
    oracle = replace(SETUP, teacher="posterior", temperature=2.0, alpha=0.4, learning_rate=0.02)
    cp.factorial(LAW, oracle, replace(oracle, epochs=5), index=0, num_test=100)
    for task, arms, _ in seen:
        (arm,) = arms.values()
        p = task.posterior(task.x_train) ** 0.5
        torch.testing.assert_close(arm.soft_targets, (p / p.sum(1, keepdim=True)).float())
        assert (arm.temperature, arm.alpha, arm.learning_rate) == (2.0, 0.4, 0.02)


def watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Task, dict[Any, ex.Arm], dict[str, Any]]]:
    seen = []
    train = ex.train_students

    def noted(task: Task, arms: dict[Any, ex.Arm], **settings: Any) -> Any:
        seen.append((task, arms, settings))
        return train(task, arms, **settings)

    monkeypatch.setattr(cp, "train_students", noted)
    return seen


def test_a_replicate_of_data_splits_the_training_part(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watch(monkeypatch)
    rows_of_teachers, scored = [], []
    teach, score = ex.train_teachers, ex.score

    def teaching(task: Task, **given: Any) -> Any:
        rows_of_teachers.append(given["rows"])
        return teach(task, **given)

    def scoring(logits: torch.Tensor, truth: torch.Tensor) -> ex.Scores:
        scored.append((logits.shape, truth))
        return score(logits, truth)

    monkeypatch.setattr(cp, "train_teachers", teaching)
    monkeypatch.setattr(cp, "score", scoring)
    cp.factorial(DATA, SETUP, replace(BETTER, num_train=320), index=0, students=1)
    # 400 rows: 320 to learn from, 80 to test on. The largest arm has four steps: 256 rows.
    assert {tuple(shape) for shape, _ in scored} == {(1, 80, 3)}
    taught = [arm.rows for task, arms, _ in seen for arm in arms.values() if task is DATA]
    assert len(taught) == 16
    longest = max((r for r in taught if r is not None), key=len)
    for rows in (*taught, *rows_of_teachers):
        assert rows is not None
        assert torch.equal(rows, longest[: len(rows)])
        assert rows.unique().numel() == len(rows)
    assert sorted(map(len, rows_of_teachers)) == [40, 60]
    every = cp._draw(DATA, SETUP, BETTER, 0, 1, 42)
    assert torch.equal(every.student_rows[: len(longest)], longest)
    assert torch.equal(every.teacher_rows, every.student_rows)
    test = {tuple(x) for x in every.x.tolist()}
    assert not test & {tuple(x) for x in DATA.x_train[every.student_rows].tolist()}
    assert torch.equal(scored[0][1], every.truth)
    other = cp._draw(DATA, SETUP, BETTER, 1, 1, 42)
    assert not torch.equal(other.student_rows, every.student_rows)


def test_replicates_are_fresh_and_repeat() -> None:
    one, other = (cp._draw(LAW, SETUP, BETTER, i, 50, 42) for i in (0, 1))
    assert not torch.equal(one.task.x_train, other.task.x_train)
    assert not torch.equal(one.truth, other.truth)
    assert not set(one.student_rows.tolist()) & set(one.teacher_rows.tolist())
    again = cp._draw(LAW, SETUP, BETTER, 0, 50, 42)
    assert torch.equal(again.task.x_train, one.task.x_train) and torch.equal(again.x, one.x)
    assert not torch.equal(cp._draw(LAW, SETUP, BETTER, 0, 50, 43).x, one.x)


@pytest.mark.parametrize("metric", cp.METRICS)
@pytest.mark.parametrize("task", [LAW, DATA], ids=["law", "data"])
def test_diagnose_gap_composes_the_two(
    monkeypatch: pytest.MonkeyPatch, metric: str, task: Task
) -> None:
    rng = np.random.default_rng(0)
    made: dict[int, dict[frozenset[str], ex.Scores]] = {}

    def scores(*arguments: Any, index: int, **given: Any) -> dict[frozenset[str], ex.Scores]:
        assert arguments == (task, SETUP, BETTER)
        assert given == {"students": 3, "num_test": 77, "random_state": 9}
        made[index] = {
            s: ex.Scores(rng.uniform(size=3), rng.uniform(size=3)) for s in subsets(cp.FACTORS)
        }
        return made[index]

    monkeypatch.setattr(cp, "factorial", scores)
    found = cp.diagnose_gap(
        task, SETUP, BETTER, replicates=3, students=3, margin=0.2, metric=metric, level=0.9,
        num_test=77, random_state=9,
    )  # fmt: skip
    assert sorted(made) == [0, 1, 2]
    losses = {
        s: [
            1 - made[i][s].accuracy.mean()
            if metric == "accuracy"
            else made[i][s].negative_log_likelihood.mean()
            for i in range(3)
        ]
        for s in subsets(cp.FACTORS)
    }
    unit = "" if metric == "accuracy" else "nats"
    split = None if task is LAW else (320, 80)
    assert found == cp.diagnose(losses, margin=0.2, level=0.9, split=split, unit=unit)


@pytest.mark.parametrize(
    ("setting", "label", "hidden"),
    [("off", "diagnosis", True), ("on", "diagnosis", False), ("on", None, True)],
)
def test_the_bar_counts_replicates(
    monkeypatch: pytest.MonkeyPatch, setting: str, label: str | None, hidden: bool
) -> None:
    seen: dict[str, Any] = {}

    def bar(indices: range, **given: Any) -> range:
        seen.update(given, indices=indices)
        return indices

    one = ex.Scores(np.array([0.5]), np.array([0.5]))
    monkeypatch.setattr(cp, "tqdm", bar)
    monkeypatch.setattr(cp, "factorial", lambda *a, **g: dict.fromkeys(subsets(cp.FACTORS), one))
    monkeypatch.setenv("DISTILL_PROGRESS", setting)
    cp.diagnose_gap(LAW, SETUP, BETTER, progress=label)
    assert (seen["disable"], seen["desc"], seen["indices"]) == (hidden, label, range(8))


# Errors


NONE, WIDE = frozenset[str](), frozenset({"wider"})


@pytest.mark.parametrize(
    ("losses", "given", "message"),
    [
        ({NONE: [1, 2]}, {}, "losses names no factor"),
        ({}, {}, "losses names no factor"),
        ({NONE: [1, 2], frozenset({"deeper"}): [1, 2]}, {}, "'deeper' is no factor; the factors"),
        ({WIDE: [1, 2]}, {}, "losses lacks nothing mended; 1 factors need all 2 combinations"),
        ({NONE: [1, 2], frozenset({"wider", "longer"}): [1, 2]}, {}, "losses lacks wider; 2 fac"),
        ({NONE: [1, 2], WIDE: [1, 2, 3]}, {}, r"losses have \[2, 3\] replicates; arms are paired"),
        ({NONE: [1], WIDE: [1]}, {}, r"losses of nothing mended have shape \(1,\); they must be"),
        ({NONE: [[1, 2]] * 2, WIDE: [1, 2]}, {}, r"losses of nothing mended have shape \(2, 2\)"),
        ({NONE: [1, 2], WIDE: [1, math.nan]}, {}, "losses of wider hold nan; they must be finite"),
        ({NONE: [1, 2], WIDE: [1, 2]}, {"margin": 0.0}, r"margin is 0\.0; it must be above 0"),
        ({NONE: [1, 2], WIDE: [1, 2]}, {"margin": math.inf}, "margin is inf; it must be above 0"),
        ({NONE: [1, 2], WIDE: [1, 2]}, {"level": 95}, "level is 95; it must lie between 0 and 1"),
    ],
)
def test_bad_losses(losses: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        cp.diagnose(losses, **({"margin": 0.1} | given))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cp.Setup(hidden=8), r"hidden is 8; it must be a tuple of widths. Use \(8,\)"),  # type: ignore[arg-type]
        (lambda: cp.Setup(hidden=(0,)), "a width in hidden is 0; it must be a whole number of 1"),
        (lambda: cp.Setup(epochs=0), "epochs is 0; it must be a whole number of 1 or more"),
        (lambda: cp.Setup(epochs=True), "epochs is True; it must be a whole number"),
        (lambda: cp.Setup(num_train=2.5), r"num_train is 2\.5; it must be a whole number"),  # type: ignore[arg-type]
        (lambda: cp.Setup(teacher="Posterior"), "teacher is 'Posterior'; it must be a Teacher, or"),
        (lambda: cp.Setup(temperature=0.0), "temperature "),
        (lambda: cp.Setup(alpha=2.0), "alpha "),
        (lambda: cp.Setup(learning_rate=0.0), r"learning_rate is 0\.0; it must be a finite number"),
        (lambda: cp.Setup(learning_rate=math.nan), "learning_rate is nan; it must be a finite"),
        (lambda: cp.Teacher(ensemble_size=0), "ensemble_size is 0; it must be a whole number"),
        (lambda: cp.Teacher(epochs=-1), "epochs is -1; it must be a whole number of 1 or more"),
        (lambda: cp.Teacher(num_train=0), "num_train is 0; it must be a whole number of 1 or more"),
        (lambda: cp.Teacher(hidden=(8, 8)), r"dropout is \(0\.3, 0\.3, 0\.0\); it must be one rat"),
        (lambda: cp.Teacher(hidden=(8,), dropout=(1.0,)), r"dropout is \(1\.0,\); it must be one"),
    ],
)
def test_bad_setups(make: Callable[[], object], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^{message}") as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setup", "better", "given", "message"),
    [
        (SETUP, SETUP, {}, "setup and better are equal; at least one of hidden, epochs"),
        (SETUP, replace(BETTER, alpha=0.5), {}, r"alpha is 0\.7 in setup and 0\.5 in better"),
        (SETUP, replace(BETTER, temperature=1.0), {}, r"temperature is 3\.0 in setup and 1\.0"),
        (SETUP, replace(BETTER, learning_rate=1.0), {}, r"learning_rate is 0\.001 in setup and 1"),
        (SETUP, replace(BETTER, epochs=3), {}, "epochs is 4 in setup and 3 in better"),
        (SETUP, replace(BETTER, num_train=9), {}, "num_train is 50 in setup and 9 in better"),
        (SETUP, replace(BETTER, num_train=321), {}, "num_train is 321; 'mine' has 320 rows to"),
        (SETUP, replace(BETTER, teacher=replace(TEACHER, num_train=999)), {},
         "num_train of the teacher is 999; 'mine' has 320 rows"),
        (SETUP, replace(BETTER, teacher="posterior"), {}, 'teacher is "posterior", and the law'),
        (SETUP, BETTER, {"students": 0}, "students is 0; it must be a whole number of 1 or more"),
        (SETUP, BETTER, {"num_test": 0}, "num_test is 0; it must be a whole number of 1 or more"),
        (SETUP, BETTER, {"replicates": 1}, "replicates is 1; an interval needs 2 or more"),
        (SETUP, BETTER, {"replicates": 2.0}, r"replicates is 2\.0; it must be a whole number"),
        (SETUP, BETTER, {"metric": "loss"}, "metric is 'loss'; it must be one of 'negative_log"),
        (SETUP, BETTER, {"margin": -1.0}, r"margin is -1\.0; it must be above 0"),
        (SETUP, BETTER, {"level": 1.0}, r"level is 1\.0; it must lie between 0 and 1"),
    ],
)  # fmt: skip
def test_bad_pairs_stop_before_anything_trains(
    monkeypatch: pytest.MonkeyPatch,
    setup: cp.Setup,
    better: cp.Setup,
    given: dict[str, Any],
    message: str,
) -> None:
    def not_reached(*arguments: Any, **settings: Any) -> Any:
        raise AssertionError("training began")

    monkeypatch.setattr(cp, "train_teachers", not_reached)
    monkeypatch.setattr(cp, "train_students", not_reached)
    with pytest.raises((TypeError, ValueError), match=f"^{message}") as caught:
        cp.diagnose_gap(DATA, setup, better, **given)
    assert "\n" not in str(caught.value)


def test_lists_from_a_parameter_cell_will_do() -> None:
    assert cp.Setup(hidden=[64, 32]) == cp.Setup()  # type: ignore[arg-type]
    assert hash(cp.Setup(hidden=[64, 32])) == hash(cp.Setup())  # type: ignore[arg-type]

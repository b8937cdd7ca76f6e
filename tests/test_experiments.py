"""The recipes: seeds, targets of every rung against direct formulas, pairing, caching."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from distill_helpers import experiments as ex
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import gaussian_mixture_task, task_from_arrays
from distill_helpers.training import Distillation, HardLabels, fit

N, D, C, M = 120, 5, 3, 4
TASK = gaussian_mixture_task(C, D, 0.2, num_train=N, num_test=30)
LOGITS = 2 * torch.randn(M, N, C, generator=torch.Generator().manual_seed(0))
# As if the teachers had learned something: the label's logit is raised.
LOGITS += 3 * torch.nn.functional.one_hot(TASK.y_train, C)
LESSON = ex.Lesson(TASK, LOGITS, seed=5)


def close(actual: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
    torch.testing.assert_close(actual.double(), expected.double(), rtol=0, atol=tolerance)


def assert_close(actual: nn.Module, expected: nn.Module, tolerance: float = 1e-5) -> None:
    for one, other in zip(actual.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", "off")


# Seeds


def test_no_two_sets_share_a_seed() -> None:
    seeds = [
        seed
        for random_state, role, set_index in itertools.product(
            [0, 1, 42], ["teacher", "student", "trial"], range(12)
        )
        for seed in ex.member_seeds(random_state, role, set_index, 20)
    ]
    assert len(set(seeds)) == len(seeds)
    assert all(type(seed) is int and 0 <= seed < 2**32 for seed in seeds)


@given(st.integers(0, 2**32 - 1), st.integers(0, 100), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=30, deadline=None)
def test_fewer_seeds_are_the_first_of_more(
    random_state: int, set_index: int, one: int, other: int
) -> None:
    few, many = sorted([one, other])
    seeds = ex.member_seeds(random_state, "student", set_index, many)
    assert len(seeds) == many
    assert ex.member_seeds(random_state, "student", set_index, few) == seeds[:few]


# Targets


@given(st.integers(2, 6), st.floats(0, 1))
@settings(deadline=None)
def test_smoothed_labels(num_classes: int, smoothing: float) -> None:
    labels = torch.arange(num_classes).repeat(2)
    targets = ex.smoothed_labels(labels, num_classes, smoothing)
    assert targets.dtype == torch.float32
    expected = torch.full((2 * num_classes, num_classes), smoothing / num_classes)
    expected[torch.arange(len(labels)), labels] += 1 - smoothing
    close(targets, expected)
    close(targets.sum(1), torch.ones(len(labels)))


def test_labels_without_smoothing_are_one_hot() -> None:
    assert ex.smoothed_labels(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("smoothing", [-0.1, 1.1, float("nan")])
def test_smoothing_out_of_range(smoothing: float) -> None:
    with pytest.raises(ValueError, match=r"^smoothing is .*from 0 \(one-hot\) to 1 \(uniform\)$"):
        ex.smoothed_labels(torch.tensor([0]), 2, smoothing)


def test_permuting_keeps_the_targets_of_every_class() -> None:
    targets, labels = LESSON.pooled(3.0), TASK.y_train
    before = targets.clone()
    dealt = ex.permute_within_class(targets, labels, seed=1)
    assert torch.equal(targets, before)
    for label in range(C):
        one, other = (sorted(t[labels == label].tolist()) for t in (targets, dealt))
        assert one == other
    moved = (dealt != targets).any(1).float().mean()
    assert moved > 0.9
    assert torch.equal(dealt, ex.permute_within_class(targets, labels, seed=1))
    assert not torch.equal(dealt, ex.permute_within_class(targets, labels, seed=2))


def test_a_lesson_for_some_rows_takes_nothing_from_the_others() -> None:
    rows = torch.arange(0, N, 2)
    others = torch.arange(1, N, 2)
    one = ex.Lesson(TASK, LOGITS, seed=5, rows=rows)
    changed = LOGITS.clone()
    changed[:, others] = -changed[:, others]
    other = ex.Lesson(TASK, changed, seed=5, rows=rows)
    assert one.matched_smoothing(2.0) == other.matched_smoothing(2.0)
    assert one.matched_smoothing(2.0) != LESSON.matched_smoothing(2.0)
    dealt = one.permuted(2.0)
    assert torch.equal(dealt[rows], other.permuted(2.0)[rows])
    assert torch.equal(dealt[others], one.pooled(2.0)[others])
    labels = TASK.y_train[rows]
    assert torch.equal(dealt[rows], ex.permute_within_class(one.pooled(2.0)[rows], labels, seed=5))


def test_permuting_leaves_the_callers_random_state() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    ex.permute_within_class(LESSON.pooled(1.0), TASK.y_train, seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_every_permutation_is_as_likely() -> None:
    """Three samples of one label: six orders, a chi-squared statistic on five degrees."""
    targets, labels = torch.eye(3), torch.zeros(3, dtype=torch.int64)
    draws = 1200
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(draws):
        order = tuple(ex.permute_within_class(targets, labels, seed).argmax(1).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((n - draws / 6) ** 2 / (draws / 6) for n in counts.values()) < 25.7  # 1e-4


@given(st.floats(0.5, 20))
@settings(max_examples=20, deadline=None)
def test_matched_smoothing_gives_the_label_what_the_ensemble_gives(temperature: float) -> None:
    labels = TASK.y_train.unsqueeze(1)
    given_by_ensemble = torch.softmax(LOGITS.double().mean(0) / temperature, 1).gather(1, labels)
    smoothed = LESSON.one_hot(smoothing=LESSON.matched_smoothing(temperature))
    close(smoothed.gather(1, labels), given_by_ensemble.mean().expand(N, 1))
    close(smoothed.double().mean(0).sum(), torch.tensor(1.0))


# The ladder, each rung against a direct formula

KNOBS = ex.Knobs(temperature=2.5, alpha=0.6, smoothing=0.2, learning_rate=3e-3, weight_decay=2e-4)


def pooled(temperature: float) -> Tensor:
    return torch.softmax(LOGITS.double().mean(0) / temperature, 1)


def hot(labels: Tensor, smoothing: float = 0.0) -> Tensor:
    return (1 - smoothing) * torch.eye(C, dtype=torch.float64)[labels] + smoothing / C


def matched() -> float:
    share = pooled(2.5)[torch.arange(N), TASK.y_train].mean().item()
    return (1 - share) / (1 - 1 / C)


def posterior(temperature: float) -> Tensor:
    powers = TASK.posterior(TASK.x_train) ** (1 / temperature)
    return powers / powers.sum(1, keepdim=True)


BAYES = TASK.posterior(TASK.x_train).argmax(1)
RUNGS: dict[str, tuple[Callable[[], Tensor], float, float]] = {
    "hard labels": (lambda: hot(TASK.y_train), 1.0, 1.0),
    "one-hot labels, same loss": (lambda: hot(TASK.y_train), 2.5, 0.6),
    "label smoothing": (lambda: hot(TASK.y_train, 0.2), 1.0, 1.0),
    "constant smoothing, same loss": (lambda: hot(TASK.y_train, matched()), 2.5, 0.6),
    "ensemble's argmax, same loss": (lambda: hot(LOGITS.mean(0).argmax(1)), 2.5, 0.6),
    "ensemble, permuted": (
        lambda: ex.permute_within_class(pooled(2.5), TASK.y_train, 5),
        2.5,
        0.6,
    ),
    "one teacher": (lambda: torch.softmax(LOGITS[0].double() / 2.5, 1), 2.5, 0.6),
    "ensemble": (lambda: pooled(2.5), 2.5, 0.6),
    "ensemble, T = 1": (lambda: pooled(1.0), 1.0, 0.6),
    "ensemble, alpha = 1": (lambda: pooled(2.5), 2.5, 1.0),
    "ensemble, T = 1, alpha = 1": (lambda: pooled(1.0), 1.0, 1.0),
    "oracle: Bayes argmax": (lambda: hot(BAYES), 2.5, 0.6),
    "oracle: Bayes argmax, smoothed": (lambda: hot(BAYES, matched()), 2.5, 0.6),
    "oracle: posterior": (lambda: posterior(2.5), 2.5, 0.6),
    "oracle: posterior, T = 1, alpha = 1": (lambda: posterior(1.0), 1.0, 1.0),
}


def test_the_rungs_are_these() -> None:
    assert list(ex.LADDER) == list(RUNGS)
    assert list(ex.ladder_arms(LESSON)) == list(RUNGS)


@pytest.mark.parametrize("name", RUNGS)
def test_a_rung_against_its_formula(name: str) -> None:
    targets, temperature, alpha = RUNGS[name]
    arm = ex.ladder_arms(LESSON, KNOBS, [name])[name]
    close(arm.soft_targets, targets(), 1e-5)  # the posterior goes through float32
    assert arm.soft_targets.dtype == torch.float32
    assert (arm.temperature, arm.alpha) == (temperature, alpha)
    assert (arm.learning_rate, arm.weight_decay) == (3e-3, 2e-4)
    assert arm.rows is None


def test_the_rungs_tell_apart_what_they_are_for() -> None:
    """On this task labels, argmax of the ensemble and of the posterior all differ."""
    arms = ex.ladder_arms(LESSON, KNOBS)
    keys = [
        (a.soft_targets.double().round(decimals=6), a.temperature, a.alpha) for a in arms.values()
    ]
    for (one, *a), (other, *b) in itertools.combinations(keys, 2):
        assert a != b or not torch.equal(one, other)


def test_the_articles_settings_are_the_default() -> None:
    assert astuple(ex.Knobs()) == (3.0, 0.7, 0.1, 1e-3, 1e-4)
    arm = ex.ladder_arms(LESSON)["ensemble"]
    assert (arm.temperature, arm.alpha) == (3.0, 0.7)
    assert (arm.learning_rate, arm.weight_decay) == (1e-3, 1e-4)
    assert (ex.TEACHER_HIDDEN, ex.TEACHER_DROPOUT) == ((256, 128, 64), (0.3, 0.3, 0.0))
    assert ex.STUDENT_HIDDEN == (64, 32)


def lawless() -> ex.Lesson:
    task = task_from_arrays(TASK.x_train, TASK.y_train, test_size=0.25)
    rows = len(task.y_train)
    return ex.Lesson(task, LOGITS[:, :rows])


def test_no_oracles_without_a_law() -> None:
    names = list(ex.ladder_arms(lawless()))
    assert names == [name for name in ex.LADDER if not name.startswith("oracle")]
    with pytest.raises(ValueError, match="'oracle: posterior' is no rung of this ladder; it has h"):
        ex.ladder_arms(lawless(), names=["oracle: posterior"])


def test_rungs_by_name() -> None:
    names = ["ensemble", "hard labels"]
    assert list(ex.ladder_arms(LESSON, names=names)) == names
    with pytest.raises(
        ValueError, match=r"^'ensembel' is no rung of this ladder; it has hard"
    ) as e:
        ex.ladder_arms(LESSON, names=["hard labels", "ensembel"])
    assert "\n" not in str(e.value)


# Students


def test_students_of_equal_seed_start_alike_and_see_the_same_batches() -> None:
    arm = ex.Arm(LESSON.pooled(3.0), 3.0, 0.7)
    stacks = ex.train_students(TASK, {"a": arm, "b": arm}, seeds=[3, 8], hidden=(8,), epochs=2)
    assert same(stacks["a"], stacks["b"])
    assert not same(stacks["a"].member(0), stacks["a"].member(1))


def test_students_get_the_arms_scale_and_the_optimiser() -> None:
    arms = {s: ex.Arm(LESSON.pooled(3.0), 3.0, 0.7, 0.1, 0.01, scale=s) for s in (1.0, 0.2)}
    stacks = ex.train_students(
        TASK, arms, seeds=[3, 8], hidden=(8,), epochs=2, optimiser="momentum"
    )
    assert not same(*stacks.values())
    alone = Stack.build((D, 8, C), seeds=[3, 8])
    objective = Distillation(
        LESSON.pooled(3.0), TASK.y_train, temperature=3.0, alpha=0.7, scale=0.2
    )
    usual = {"epochs": 2, "seeds": [3, 8], "learning_rate": 0.1, "weight_decay": 0.01}
    fit(alone, TASK, objective, optimiser="momentum", **usual)
    # Company changes no member but for its rounding.
    for one, other in zip(alone.parameters(), stacks[0.2].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_an_arm_does_not_depend_on_the_others_nor_on_their_order() -> None:
    rates = [3e-3, 1e-3, 1e-2, 1e-3]
    decays = [0.0, 1e-2, 1e-4, 0.0]
    arms = {
        name: ex.Arm(LESSON.pooled(T), T, alpha, rate, decay)
        for name, T, alpha, rate, decay in zip(
            ["z", 1, ("t", 2), "a"],
            [1.0, 3.0, 2.0, 5.0],
            [1.0, 0.7, 0.0, 0.3],
            rates,
            decays,
            strict=True,
        )
    }
    stacks = ex.train_students(TASK, arms, seeds=[3, 8, 4], hidden=(8,), epochs=2)
    assert list(stacks) == list(arms)
    for name, arm in arms.items():
        alone = Stack.build((D, 8, C), seeds=[3, 8, 4])
        objective = Distillation(
            arm.soft_targets, TASK.y_train, temperature=arm.temperature, alpha=arm.alpha
        )
        fit(
            alone,
            TASK,
            objective,
            epochs=2,
            learning_rate=arm.learning_rate,
            weight_decay=arm.weight_decay,
            seeds=[3, 8, 4],
        )
        assert stacks[name].num_members == 3
        assert_close(stacks[name], alone)


def test_the_hard_arm_is_ordinary_training() -> None:
    stacks = ex.train_students(
        TASK, ex.ladder_arms(LESSON, names=["ensemble", "hard labels"]), seeds=[3, 8], epochs=2
    )
    alone = Stack.build((D, 64, 32, C), seeds=[3, 8])
    fit(alone, TASK, HardLabels(TASK.y_train), epochs=2, weight_decay=1e-4, seeds=[3, 8])
    assert_close(stacks["hard labels"], alone)


def test_each_arm_keeps_to_its_rows() -> None:
    rows = torch.arange(0, N, 2)
    poisoned = LESSON.pooled(3.0)
    poisoned[1::2] = 1 / C
    found = [
        ex.train_students(
            TASK,
            {
                "even": ex.Arm(targets, 3.0, 1.0, rows=rows),
                "odd": ex.Arm(targets, 3.0, 1.0, rows=rows + 1),
            },
            seeds=[1],
            hidden=(8,),
            epochs=2,
        )
        for targets in (LESSON.pooled(3.0), poisoned)
    ]
    assert same(found[0]["even"], found[1]["even"])
    assert not same(found[0]["odd"], found[1]["odd"])


# Teachers


SMALL: dict[str, Any] = {"ensemble_size": 2, "epochs": 1}


def test_teachers_are_reproducible_and_differ_by_set() -> None:
    one, again = (ex.train_teachers(TASK, **SMALL) for _ in range(2))
    assert same(one, again)
    assert one.sizes == (D, 256, 128, 64, C)
    assert one.dropout == (0.3, 0.3, 0.0)
    for other in ({"set_index": 1}, {"random_state": 1}, {"rows": torch.arange(60)}, {"epochs": 2}):
        assert not same(one, ex.train_teachers(TASK, **SMALL | other))


def test_teachers_are_trained_on_the_labels_by_their_seeds() -> None:
    teachers = ex.train_teachers(TASK, **SMALL, random_state=7, set_index=3)
    seeds = ex.member_seeds(7, "teacher", 3, 2)
    expected = Stack.build(teachers.sizes, seeds=seeds, dropout=teachers.dropout)
    fit(expected, TASK, HardLabels(TASK.y_train), epochs=1, seeds=seeds)
    assert same(teachers, expected)


def test_a_smaller_ensemble_is_the_first_members_of_a_larger() -> None:
    few, many = (ex.train_teachers(TASK, ensemble_size=size, epochs=1) for size in (2, 3))
    assert_close(few, many[:2])


def test_teachers_are_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path))
    calls = []

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return fit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ex, "fit", counted)
    one, again = (ex.train_teachers(TASK, **SMALL) for _ in range(2))
    assert len(calls) == 1
    assert same(one, again)
    relabelled = replace(TASK, y_train=(TASK.y_train + 1) % C)
    for other in ({"set_index": 1}, {"random_state": 1}, {"rows": torch.arange(60)}, {"epochs": 2}):
        ex.train_teachers(TASK, **SMALL | other)
    ex.train_teachers(relabelled, **SMALL)
    assert len(calls) == 6


def test_teachers_of_another_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path))
    for hidden, dropout in (((8, 4), (0.0, 0.0)), ((8, 4), (0.3, 0.0)), ((4, 8), (0.3, 0.0))):
        teachers = ex.train_teachers(TASK, **SMALL, hidden=hidden, dropout=dropout)
        assert teachers.sizes == (D, *hidden, C)
        assert teachers.dropout == dropout
        seeds = ex.member_seeds(42, "teacher", 0, 2)
        expected = Stack.build((D, *hidden, C), seeds=seeds, dropout=dropout)
        fit(expected, TASK, HardLabels(TASK.y_train), epochs=1, seeds=seeds)
        assert same(teachers, expected)


# Held-out targets


TINY: dict[str, Any] = {"hidden": (8,), "dropout": (0.1,), "epochs": 2, "random_state": 7}


@pytest.mark.parametrize("folds", [3, 7])  # 120 rows: in one stack, and in two
def test_cross_fitted_targets_are_those_of_the_folds_own_teachers(folds: int) -> None:
    found = ex.cross_fitted_soft_targets(
        TASK, folds=folds, ensemble_size=2, temperature=2.5, set_index=3, **TINY
    )
    seed = ex.member_seeds(7, "folds", 3, 1)[0]
    expected = torch.full((N, C), float("nan"))
    for fit_rows, held_out in TASK.folds(folds, seed=seed):
        teachers = ex.train_teachers(TASK, ensemble_size=2, set_index=3, rows=fit_rows, **TINY)
        expected[held_out] = soft_targets(teachers.predict(TASK.x_train[held_out]), 2.5, "logits")
    assert found.dtype == torch.float32
    close(found, expected, 1e-5)


@pytest.mark.parametrize("folds", [3, 7])
def test_no_cross_fitted_target_depends_on_its_own_label(folds: int) -> None:
    """Turn one label round: targets of its own fold stay, others move."""
    seed = ex.member_seeds(7, "folds", 0, 1)[0]
    splits = TASK.folds(folds, seed=seed)

    def targets(task: Any) -> Tensor:
        return ex.cross_fitted_soft_targets(task, folds=folds, ensemble_size=1, **TINY)

    before = targets(TASK)
    held_out = splits[1][1]
    labels = TASK.y_train.clone()
    # Two labels change places within the fold, so that the folds stay as they are.
    one = held_out[0]
    other = held_out[(labels[held_out] != labels[one]).nonzero()[0, 0]]
    labels[one], labels[other] = TASK.y_train[other], TASK.y_train[one]
    swapped = replace(TASK, y_train=labels)
    object.__setattr__(swapped, "folds", lambda k, seed: splits)
    after = targets(swapped)
    assert torch.equal(before[held_out], after[held_out])
    moved = (before != after).any(1)
    assert moved.sum() > 0.8 * (N - len(held_out))  # the others round to the same


def serving(num_bags: int, set_index: int = 0, in_bag: bool = False) -> list[list[int]]:
    """For each row, the members whose bag missed it (or did not)."""
    bags = ex.draw_bags(N, ex.member_seeds(7, "bag", set_index, num_bags)).tolist()
    return [[m for m, bag in enumerate(bags) if (row in bag) == in_bag] for row in range(N)]


@pytest.mark.parametrize("in_bag", [False, True])
@pytest.mark.parametrize(("pooling", "count"), [("logits", None), ("probabilities", 2)])
def test_out_of_bag_targets_are_pooled_from_members_that_missed_the_row(
    pooling: str, count: int | None, in_bag: bool
) -> None:
    members, options = 24, {k: v for k, v in TINY.items() if k != "random_state"}
    found = ex.out_of_bag_soft_targets(
        TASK,
        num_bags=members,
        members_per_target=count,
        in_bag=in_bag,
        temperature=2.0,
        pooling=pooling,
        set_index=1,
        **options,
        random_state=7,
    )
    bags = ex.draw_bags(N, ex.member_seeds(7, "bag", 1, members))
    teachers = ex.train_teachers(TASK, ensemble_size=members, set_index=1, rows=bags, **TINY)
    logits = teachers.predict(TASK.x_train)
    rows = serving(members, 1, in_bag)
    assert len({len(row) for row in rows}) > 3
    expected = [soft_targets(logits[rows[n][:count], n : n + 1], 2.0, pooling)[0] for n in range(N)]
    close(found, torch.stack(expected), 1e-5)


def test_as_many_members_as_the_scarcest_row_has_are_enough() -> None:
    fewest = min(len(row) for row in serving(24))
    ex.out_of_bag_soft_targets(TASK, num_bags=24, members_per_target=fewest, **TINY)
    with pytest.raises(ValueError, match=rf"one is outside {fewest}\."):
        ex.out_of_bag_soft_targets(TASK, num_bags=24, members_per_target=fewest + 1, **TINY)


def test_bags_are_as_large_as_the_data_and_fewer_are_the_first() -> None:
    seeds = ex.member_seeds(7, "bag", 0, 200)
    bags = ex.draw_bags(N, seeds)
    assert bags.shape == (200, N) and bags.dtype == torch.int64
    assert torch.equal(ex.draw_bags(N, seeds[:3]), bags[:3])
    counts = torch.bincount(bags.flatten(), minlength=N).double()
    # Each row is drawn 200 times on average, with binomial spread: a chi-squared statistic.
    assert abs(((counts - 200) ** 2 / 200).sum() - (N - 1)) < 4 * (2 * N) ** 0.5
    missed = 1 - np.mean([len(set(bag)) / N for bag in bags.tolist()])
    assert missed == pytest.approx((1 - 1 / N) ** N, abs=4 * 0.03 / 200**0.5)


@pytest.mark.parametrize(
    ("make", "base", "changes"),
    [
        (
            ex.cross_fitted_soft_targets,
            {"folds": 3, "ensemble_size": 1},
            [{"ensemble_size": 2}, {"folds": 5}],
        ),
        (ex.out_of_bag_soft_targets, {"num_bags": 24}, [{"num_bags": 25}]),
    ],
)
def test_held_out_targets_are_cached(
    make: Callable[..., Tensor],
    base: dict[str, Any],
    changes: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path))
    calls = []

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return fit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(ex, "fit", counted)
    base = base | TINY
    first = make(TASK, **base)
    assert len(calls) == 1
    # Neither temperature nor pooling trains anything, and they are not mixed up.
    assert torch.equal(first, make(TASK, **base))
    assert not torch.equal(first, make(TASK, **base, temperature=2.0))
    if make is ex.out_of_bag_soft_targets:
        make(TASK, **base, members_per_target=1)
        make(TASK, **base, in_bag=True, pooling="probabilities")
    assert len(calls) == 1
    relabelled = replace(TASK, y_train=(TASK.y_train + 1) % C)
    moved = replace(TASK, x_train=-TASK.x_train)
    changes = [
        *changes,
        {"set_index": 1},
        {"random_state": 1},
        {"epochs": 3},
        {"hidden": (4,)},
        {"dropout": (0.2,)},
    ]
    others = [make(TASK, **base | change) for change in changes]
    others += [make(task, **base) for task in (relabelled, moved)]
    assert len(calls) == 1 + len(others)
    for other in others:
        assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        ("cross_fitted", {"pooling": "median"}, r"^pooling is 'median'"),
        ("cross_fitted", {"temperature": 0.0}, r"^temperature is 0"),
        ("cross_fitted", {"folds": 1}, r"^k is 1; "),
        ("out_of_bag", {"pooling": "median"}, r"^pooling is 'median'"),
        ("out_of_bag", {"temperature": 0.0}, r"^temperature is 0"),
        ("out_of_bag", {"members_per_target": 0}, r"^members_per_target is 0; it must be 1 or m"),
        (
            "out_of_bag",
            {"num_bags": 3},
            r"^num_bags is 3; every row must be outside 1 bags or more, .* outside 0\. Draw 30 or",
        ),
        (
            "out_of_bag",
            {"num_bags": 30, "members_per_target": 25, "in_bag": True},
            r"^num_bags is 30; every row must be in 25 bags or more, and one is in \d+\. Draw 1",
        ),
    ],
)
def test_held_out_targets_refuse_before_training(
    make: str, arguments: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ex, "fit", lambda *_, **__: pytest.fail("it trained"))
    with pytest.raises(ValueError, match=message) as caught:
        getattr(ex, f"{make}_soft_targets")(TASK, **arguments)
    assert "\n" not in str(caught.value)


def test_defaults_are_the_articles(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Stack, dict[str, Any]]] = []

    def spy(stack: Stack, task: object, objective: HardLabels, **kwargs: Any) -> None:
        seen.append((stack, kwargs))

    monkeypatch.setattr(ex, "fit", spy)
    ex.cross_fitted_soft_targets(TASK, progress="folds")
    ex.out_of_bag_soft_targets(TASK, progress="bags")
    for (stack, kwargs), members, label in zip(seen, (120, 60), ("folds", "bags"), strict=True):
        assert stack.sizes == (D, *ex.TEACHER_HIDDEN, C)
        assert stack.dropout == ex.TEACHER_DROPOUT
        assert (stack.num_members, kwargs["epochs"], kwargs["progress"]) == (members, 30, label)
    assert seen[0][1]["seeds"] == ex.member_seeds(42, "teacher", 0, 12) * 10
    assert seen[1][1]["seeds"] == ex.member_seeds(42, "teacher", 0, 60)


# The whole ladder


def test_run_ladder() -> None:
    x, y = TASK.sample(200, seed=1)
    names = ["hard labels", "ensemble, permuted", "ensemble"]
    settings: dict[str, Any] = {
        "set_index": 2,
        "ensemble_size": 2,
        "teacher_epochs": 1,
        "student_epochs": 1,
    }
    scores = ex.run_ladder(TASK, x, y, num_students=3, names=names, hidden=(8,), **settings)
    assert list(scores) == [*names, "the ensemble itself", "its members"]
    sizes = {name: score.accuracy.shape for name, score in scores.items()}
    assert list(sizes.values()) == [(3,), (3,), (3,), (1,), (2,)]
    for score in scores.values():
        assert score.accuracy.shape == score.negative_log_likelihood.shape
        assert ((score.accuracy >= 0) & (score.accuracy <= 1)).all()
        assert (score.negative_log_likelihood > 0).all()
    # By hand: the same teachers, students and scores.
    teachers = ex.train_teachers(TASK, **SMALL, set_index=2)
    logits = teachers.predict(x)
    right = (logits.argmax(2) == y).double().mean(1).numpy()
    np.testing.assert_allclose(scores["its members"].accuracy, right)
    ensemble = torch.nn.functional.cross_entropy(logits.mean(0).double(), y).item()
    np.testing.assert_allclose(
        scores["the ensemble itself"].negative_log_likelihood, [ensemble], rtol=1e-5
    )
    lesson = ex.Lesson(TASK, teachers.predict(TASK.x_train), seed=2)
    students = ex.train_students(
        TASK,
        ex.ladder_arms(lesson, names=names),
        seeds=ex.member_seeds(42, "student", 2, 3),
        hidden=(8,),
        epochs=1,
    )
    for name, stack in students.items():
        by_hand = ex.score(stack.predict(x), y)
        assert np.array_equal(scores[name].accuracy, by_hand.accuracy)
        assert np.array_equal(scores[name].negative_log_likelihood, by_hand.negative_log_likelihood)


def test_scores_against_a_posterior_are_expectations() -> None:
    x = TASK.x_test
    logits = torch.randn(2, len(x), C)
    posterior = TASK.posterior(x)
    scores = ex.score(logits, posterior)
    for index, z in enumerate(logits.double()):
        chosen = posterior.gather(1, z.argmax(1, keepdim=True)).mean()
        np.testing.assert_allclose(scores.accuracy[index], chosen)
        expected = -(posterior * z.log_softmax(1)).sum(1).mean()
        np.testing.assert_allclose(scores.negative_log_likelihood[index], expected)


# Random search


def test_knobs_are_drawn_from_their_ranges() -> None:
    count = 4000
    knobs = ex.draw_knobs(count, seed=3)
    assert len(knobs) == count
    assert knobs[0] == ex.Knobs()
    laws: dict[str, tuple[float, float, Callable[[Any], Any]]] = {
        "temperature": (1, 10, np.log),
        "alpha": (0.3, 1, lambda v: v),
        "smoothing": (0.01, 0.5, np.log),
        "learning_rate": (3e-4, 1e-2, np.log),
        "weight_decay": (1e-5, 1e-2, np.log),
    }
    ranks = []
    for name, (low, high, scale) in laws.items():
        values = np.array([getattr(k, name) for k in knobs[1:]])
        assert ((values >= low) & (values <= high)).all()
        uniform = (scale(values) - scale(low)) / (scale(high) - scale(low))
        # Kolmogorov and Smirnov: 2.23 / sqrt(n) is exceeded once in ten thousand.
        gap = np.abs(np.sort(uniform) - (np.arange(count - 1) + 0.5) / (count - 1)).max()
        assert gap < 2.23 / np.sqrt(count), name
        ranks.append(uniform)
    between = np.corrcoef(ranks) - np.eye(len(ranks))
    assert np.abs(between).max() < 4.5 / np.sqrt(count)


def test_knobs_are_reproducible_and_fewer_are_the_first() -> None:
    assert ex.draw_knobs(5, seed=1) == ex.draw_knobs(9, seed=1)[:5]
    assert ex.draw_knobs(3, seed=1)[1:] != ex.draw_knobs(3, seed=2)[1:]
    assert ex.draw_knobs(1, seed=1) == [ex.Knobs()]


# Wider networks


@given(
    hidden=st.lists(st.integers(1, 300), min_size=1, max_size=3),
    features=st.integers(1, 64),
    classes=st.integers(2, 10),
    times=st.floats(1, 30),
)
def test_a_wider_network_has_about_so_many_times_the_parameters(
    hidden: list[int], features: int, classes: int, times: float
) -> None:
    def parameters(widths: list[int]) -> int:
        sizes = (features, *widths, classes)
        return sum(a * b + b for a, b in itertools.pairwise(sizes))

    wide = ex.widen(hidden, features, classes, times)
    assert len(wide) == len(hidden) and all(w >= h for w, h in zip(wide, hidden, strict=True))
    for narrow, broad in zip(hidden, wide, strict=True):  # one factor, but for rounding
        assert abs(broad - narrow * wide[0] / hidden[0]) <= 0.5
    missed = abs(parameters(wide) - times * parameters(hidden))
    for first in range(max(hidden[0], wide[0] - 20), wide[0] + 20):
        other = [round(width * first / hidden[0]) for width in hidden]
        assert abs(parameters(other) - times * parameters(hidden)) >= missed


def test_a_network_is_not_widened_by_less_than_one() -> None:
    assert ex.widen([64, 32], 20, 2, 1) == [64, 32]
    with pytest.raises(ValueError, match=r"^times is 0.5; a wider network has 1 or more times"):
        ex.widen([64, 32], 20, 2, 0.5)


def test_noisy_labels_are_drawn_over_all_classes_and_grow_with_the_share() -> None:
    labels = torch.arange(6000) % 3
    some, more = (ex.noisy_labels(labels, 3, share, seed=4) for share in (0.3, 0.6))
    for noisy, share in ((some, 0.3), (more, 0.6)):
        changed = (noisy != labels).double().mean().item()
        assert changed == pytest.approx(share * 2 / 3, abs=0.03)
        assert noisy.unique().tolist() == [0, 1, 2]
    assert ((some != labels) <= (more != labels)).all(), "what one share changes, a larger one does"
    assert torch.equal(ex.noisy_labels(labels, 3, 0.0, seed=4), labels)
    assert torch.equal(some, ex.noisy_labels(labels, 3, 0.3, seed=4))
    assert not torch.equal(some, ex.noisy_labels(labels, 3, 0.3, seed=5))
    with pytest.raises(ValueError, match=r"^share is 1.5; it is a probability"):
        ex.noisy_labels(labels, 3, 1.5, seed=4)


def test_an_arm_may_bring_inputs_and_labels_of_its_own() -> None:
    small = gaussian_mixture_task(num_train=60, num_test=20)
    other = small.with_fresh_data(7)
    usual = {"seeds": [1, 2], "hidden": (4,), "epochs": 2}
    arms = {
        "own": replace(ex.hard_arm(small), alpha=0.5),
        "other": replace(ex.hard_arm(other), alpha=0.5, task=other),
    }
    together = ex.train_students(small, arms, **usual)
    alone = ex.train_students(other, {"other": replace(ex.hard_arm(other), alpha=0.5)}, **usual)
    x = small.x_test
    torch.testing.assert_close(together["other"].predict(x), alone["other"].predict(x))
    assert not torch.allclose(together["own"].predict(x), together["other"].predict(x))


def test_arms_of_several_widths_train_as_each_would_alone() -> None:
    small = gaussian_mixture_task(num_train=60, num_test=20)
    usual = {"seeds": [1, 2], "epochs": 4, "average_last": 2}
    shapes = [(3, 6), (8, 2), (5, 5)]
    arm = replace(ex.hard_arm(small), learning_rate=1e-2, weight_decay=1e-2)
    arms = {shape: replace(arm, hidden=shape) for shape in shapes[:2]} | {shapes[2]: arm}
    together = ex.train_students(small, arms, hidden=shapes[2], **usual)
    for shape in shapes:
        alone = ex.train_students(small, {"alone": arm}, hidden=shape, **usual)["alone"]
        assert together[shape].sizes == alone.sizes
        assert_close(together[shape], alone)
    arms = {1: replace(arm, hidden=(3,)), 2: arm}
    with pytest.raises(ValueError, match=r"arms have hidden widths .*one depth"):
        ex.train_students(small, arms, **usual)


def test_students_that_match_by_forward_kl_are_those_of_soft_targets() -> None:
    small = gaussian_mixture_task(num_train=60, num_test=20)
    v = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    usual = {"seeds": [1, 2], "hidden": (4,), "epochs": 2}
    rows = torch.arange(10, 50)
    knobs = {"a": ex.Knobs(2.0, 0.6, learning_rate=3e-3), "b": ex.Knobs(1.0, 1.0)}
    matched = ex.train_matching_students(small, v, "forward KL", knobs, rows=rows, **usual)
    arms = {
        name: ex.Arm(
            soft_targets(v, k.temperature), k.temperature, k.alpha, k.learning_rate, rows=rows
        )
        for name, k in knobs.items()
    }
    expected = ex.train_students(small, arms, **usual)
    for name in knobs:
        torch.testing.assert_close(
            matched[name].predict(small.x_test), expected[name].predict(small.x_test)
        )
    other = ex.train_matching_students(small, v, "logits", knobs, rows=rows, **usual)
    assert not torch.allclose(other["a"].predict(small.x_test), matched["a"].predict(small.x_test))


# Choosing, and many sizes


def constant(logits: list[float]) -> Stack:
    """A stack of one linear model that answers these logits whatever the input."""
    return Stack([torch.zeros(1, len(logits), D)], [torch.tensor([logits])])


def test_the_trial_of_least_held_out_loss_is_chosen() -> None:
    x, y = torch.zeros(4, D), torch.tensor([0, 0, 0, 1])
    sure, right, wrong = ([50.0, 0, 0], [1.0, 0, -3], [0.0, 2, 0])  # NLL 12.5, 0.57, 2.0
    tried = {
        ("a", 0): constant(sure),
        ("a", 1): constant(right),
        ("a", 2): constant([math.nan] * 3),
        ("b", 2): constant(right),
        ("b", 1): constant(wrong),
        ("b", 0): constant(right),
    }
    assert ex.choose_trials(tried, x, y) == {"a": 1, "b": 2}


def test_arms_with_unequal_trials_are_refused() -> None:
    tried = {("a", 0): constant([0.0] * 3), ("a", 1): constant([1.0, 0, 0])}
    tried["b", 0] = constant([0.0] * 3)
    with pytest.raises(ValueError, match=r"\{'a': 2, 'b': 1\} trials; give every arm as many"):
        ex.choose_trials(tried, torch.zeros(2, D), torch.tensor([0, 1]))


def test_a_width_sweep_is_its_sizes_trained_one_by_one() -> None:
    x, y = TASK.sample(40, seed=1)
    trials = {
        (name, k): replace(arm, learning_rate=rate)
        for name, arm in ex.ladder_arms(LESSON, names=["hard labels", "ensemble"]).items()
        for k, rate in enumerate((1e-3, 1e-2))
    }
    swept = ex.width_sweep(
        TASK, trials, hidden=[(), [4, 2]], x_choose=x, y_choose=y, seeds=[3, 4], epochs=2
    )
    assert list(swept) == [(), (4, 2)]
    for size, arms in swept.items():
        tried = ex.train_students(TASK, trials, seeds=[3, 4], hidden=size, epochs=2)
        assert {name: c.trial for name, c in arms.items()} == ex.choose_trials(tried, x, y)
        assert all(same(c.stack, tried[name, c.trial]) for name, c in arms.items())


def test_blocks_are_smaller_test_samples_and_the_rest_is_dropped() -> None:
    logits = torch.randn(3, 107, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(4, (107,), generator=torch.Generator().manual_seed(2))
    shares = ex.blocks_right(logits, labels, 25)
    assert shares.shape == (3, 4)
    for member, start in itertools.product(range(3), range(4)):
        rows = slice(25 * start, 25 * start + 25)
        right = sum(
            int(z.argmax()) == int(y)
            for z, y in zip(logits[member, rows], labels[rows], strict=True)
        )
        assert shares[member, start] == pytest.approx(right / 25)
    with pytest.raises(ValueError, match="fill no block of 108"):
        ex.blocks_right(logits, labels, 108)


def test_a_single_run_has_test_samples_of_its_own_where_they_suffice() -> None:
    """Student k of set s reads 10 s + k in block k; the ensemble of the set 100 s + block."""
    students, blocks = 3, 7
    right = [
        {
            "student": np.arange(blocks) + 10 * np.arange(students)[:, None] + 1000.0 * s,
            "ensemble": np.arange(blocks)[None] + 100.0 * s,
        }
        for s in range(2)
    ]
    for count, starts in ((1, [0, 1, 2]), (2, [0, 2, 4]), (3, [0, 0, 0]), (7, [0, 0, 0])):
        scores = ex.single_runs(right, count)
        middle = [start + (count - 1) / 2 for start in starts]
        wanted = [m + 10 * k + 1000 * s for s in range(2) for k, m in enumerate(middle)]
        assert scores["student"].tolist() == wanted
        assert scores["ensemble"].tolist() == [m + 100 * s for s in range(2) for m in middle]

"""The museum's mistakes with all tuned: the losses are the exhibits', and the tuning the book's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill_helpers import deciding, mistakes, museum, protocol, studies
from distill_helpers.tasks import gaussian_mixture_task

STUDIES = Path(__file__).resolve().parents[1] / "studies"
M, B, C = 3, 7, 4


def draw(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    z, v = (3 * torch.randn(M, B, C, generator=g, dtype=torch.float64) for _ in range(2))
    return z, v, torch.randint(C, (M, B), generator=g), torch.tensor([0.5, 2.0, 9.0]).double()


@pytest.mark.filterwarnings("ignore:reduction")  # torch knows that one
@pytest.mark.parametrize("name", [n for n, e in museum.EXHIBITS.items() if e.part == "loss"])
def test_each_loss_and_its_gradient_are_the_exhibits(name: str) -> None:
    z, v, y, T = draw()
    z.requires_grad_()
    many = mistakes.LOSSES[name](z, v, y, T[:, None, None], 0.7)
    (gradient,) = torch.autograd.grad(many.sum(), z)
    for m in range(M):
        own = z[m].detach().requires_grad_()
        one = museum.EXHIBITS[name].wrong(own, v[m], y[m], float(T[m]), 0.7)
        torch.testing.assert_close(many[m], one, rtol=1e-12, atol=0)
        torch.testing.assert_close(gradient[m], torch.autograd.grad(one, own)[0])


def test_the_right_loss_is_the_exhibits_right_lines_and_labels_hear_no_teacher() -> None:
    z, v, y, T = draw()
    for name in (mistakes.RIGHT, mistakes.OUT_OF_STEP, mistakes.TRAIN_MODE, mistakes.AT_T):
        many = mistakes.LOSSES[name](z, v, y, T[:, None, None], 0.7)
        for m in range(M):
            one = museum.EXHIBITS["T^2 missing"].right(z[m], v[m], y[m], float(T[m]), 0.7)
            assert float(many[m]) == pytest.approx(float(one), rel=1e-12)
    hard = mistakes.LOSSES[mistakes.HARD]
    torch.testing.assert_close(hard(z, v, y, T, 0.7), hard(z, 2 * v, y, T + 1, 0.2))
    for m in range(M):
        one = torch.nn.functional.cross_entropy(z[m], y[m])
        assert float(hard(z, v, y, T, 0.7)[m]) == pytest.approx(float(one), rel=1e-12)


def test_every_exhibit_is_a_loop() -> None:
    assert set(mistakes.LOSSES) == {*museum.EXHIBITS, mistakes.RIGHT, mistakes.HARD}


def test_a_student_is_read_as_its_owner_reads_it() -> None:
    z = torch.randn(2, 5, 3)
    right = mistakes.answers("right", z, 4.0)
    torch.testing.assert_close(right, torch.log_softmax(z, -1))
    tempered = mistakes.answers(mistakes.AT_T, z, 4.0)
    torch.testing.assert_close(tempered, torch.log_softmax(z / 4, -1))


@pytest.fixture(scope="module")
def plan() -> deciding.Plan:
    """A task that takes a second."""
    law = gaussian_mixture_task(3, 4, 0.1, num_train=64, random_state=3)
    return replace(
        deciding.PLANS["overlap3-500"], make=law.with_fresh_data, student_epochs=4, teacher_epochs=3
    )


@pytest.fixture(scope="module")
def sent(plan: deciding.Plan) -> dict[int | None, dict[str, torch.Tensor]]:
    task = plan.make(0)
    split = deciding.Split.of(plan, task, 0)
    setting = protocol.Setting(3e-3, 0.0, 0.0)
    return mistakes._sent(
        plan, task, split, 0, setting, protocol.SHAPES[0], tuple(mistakes.LOSSES), None
    )


def test_outputs_out_of_step_are_the_same_rows_in_another_order(plan, sent) -> None:
    split = deciding.Split.of(plan, plan.make(0), 0)
    for fold, loops in sent.items():
        right, mixed = loops[mistakes.RIGHT], loops[mistakes.OUT_OF_STEP]
        seen = split.rows if fold is None else split.folds[fold][0]
        assert float((mixed[seen] == right[seen]).all(-1).double().mean()) < 0.2
        for column in range(right.shape[1]):
            torch.testing.assert_close(
                mixed[seen, column].sort().values, right[seen, column].sort().values
            )


def test_a_fold_is_taught_by_teachers_of_its_own_and_dropout_is_on_in_train_mode(sent) -> None:
    assert list(sent) == [None, *range(deciding.FOLDS_USED)]
    assert not torch.equal(sent[0][mistakes.RIGHT], sent[1][mistakes.RIGHT])
    for loops in sent.values():
        right, dropped = loops[mistakes.RIGHT], loops[mistakes.TRAIN_MODE]
        assert 0.01 < float((right - dropped).abs().mean()) < 5
        assert torch.equal(right, loops[mistakes.AT_T])


def test_teachers_of_a_fold_see_all_rows_but_those_that_judge_it(plan, monkeypatch) -> None:
    half = replace(plan, share=0.5)  # the teachers see the other half too
    task = half.make(0)
    split = deciding.Split.of(half, task, 0)
    train, seen = protocol.train_on_labels, []

    def watched(task, settings, rows, *args, **how):
        seen.append(set(rows.tolist()))
        return train(task, settings, rows, *args, **how)

    monkeypatch.setattr(protocol, "train_on_labels", watched)
    setting = protocol.Setting(3e-3, 0.0, 0.0)
    loops = (mistakes.RIGHT,)
    mistakes._sent(half, task, split, 0, setting, protocol.SHAPES[0], loops, None)
    every = set(range(64))
    assert seen == [every, *(every - set(held_out.tolist()) for _, held_out in split.folds)]
    assert len(split.rows) == 32


def test_training_sets_draw_dropout_masks_of_their_own(plan, monkeypatch) -> None:
    """The teachers are made the same, so that nothing else differs."""
    monkeypatch.setattr(mistakes.ex, "member_seeds", lambda *_: list(range(12)))
    task = plan.make(0)
    split = deciding.Split.of(plan, task, 0)
    before = torch.get_rng_state()
    first, second = (
        mistakes._sent(
            plan,
            task,
            split,
            index,
            protocol.Setting(3e-3, 0.0, 0.0),
            protocol.SHAPES[0],
            (mistakes.RIGHT, mistakes.TRAIN_MODE),
            None,
        )
        for index in (1, 2)
    )
    for fold, loops in first.items():
        assert torch.equal(loops[mistakes.RIGHT], second[fold][mistakes.RIGHT])
        assert not torch.equal(loops[mistakes.TRAIN_MODE], second[fold][mistakes.TRAIN_MODE])
    assert torch.equal(before, torch.get_rng_state())


def test_a_loop_is_tuned_by_what_its_owner_reads(plan, monkeypatch) -> None:
    """Evaluated at T, it is the loss at T that chooses: two loops train the same, and part here."""
    loops, setting = (mistakes.RIGHT, mistakes.AT_T), protocol.Setting(1e-2, 0.0, 4.0)
    train, stacks, losses = mistakes._train, [], {}

    def watched(*args, **how):
        stacks.append(train(*args, **how))
        return stacks[-1]

    def search(recipes, attempt, rates):
        found = attempt({name: [setting] for name in recipes})
        losses.update({name: found[name, setting][0] for name in recipes})
        return {name: (setting, *found[name, setting]) for name in recipes}

    monkeypatch.setattr(mistakes, "_train", watched)
    monkeypatch.setattr(protocol, "search", search)
    mistakes.replicate(plan, 0, loops, width=8)
    task = plan.make(0)
    expected = dict.fromkeys(loops, 0.0)
    for stack, (_, held_out) in zip(stacks, deciding.Split.of(plan, task, 0).folds, strict=False):
        right, at_t = stack.predict(task.x_train[held_out])
        torch.testing.assert_close(right, at_t)
        for name, z in ((mistakes.RIGHT, right), (mistakes.AT_T, at_t / 4)):
            loss = torch.nn.functional.cross_entropy(z, task.y_train[held_out])
            expected[name] += float(loss) / deciding.FOLDS_USED
    assert losses == pytest.approx(expected, rel=1e-5)
    assert abs(losses[mistakes.RIGHT] - losses[mistakes.AT_T]) > 1e-3


def test_a_temperature_that_is_given_is_not_searched_and_at_one_no_factor_is_missing(plan) -> None:
    loops = (mistakes.RIGHT, "T^2 missing")
    right, missing = mistakes.replicate(plan, 0, loops, width=8, temperature=1.0)
    assert right["softness"] == missing["softness"] == 1
    assert right | {"arm": ""} == missing | {"arm": ""}
    right, missing = mistakes.replicate(plan, 0, loops, width=8, temperature=3.0)
    assert right["softness"] == missing["softness"] == 3
    assert right["negative_log_likelihood"] != missing["negative_log_likelihood"]


@pytest.mark.parametrize("temperature", [0.0, -3.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused_before_anything_trains(plan, temperature) -> None:
    untouched = replace(plan, make=lambda index: pytest.fail("a task was made"))
    with pytest.raises(ValueError, match=r"^temperature"):
        mistakes.replicate(untouched, 0, (mistakes.RIGHT,), temperature=temperature)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("advised-*.csv")), ids=lambda p: p.stem)
def test_the_advised_loss_is_t_3_in_every_row(path: Path) -> None:
    rows = studies.read(path).rows
    assert {row["softness"] for row in rows} == {3.0}
    assert [row["arm"] for row in rows[:2]] == [mistakes.RIGHT, "T^2 missing"]
    assert len(rows) == 24 and {row["replicate"] for row in rows} == set(range(12))


def test_labels_and_the_right_loop_are_tuned_as_in_the_deciding_study(plan) -> None:
    """At low rates alone: at high ones a network magnifies the last bit, which a stack may turn."""
    calm = (3e-4, 1e-3, 3e-3, 1e-2)
    rates, protocol.WIDE_RATES = protocol.WIDE_RATES, calm
    try:
        ours = mistakes.replicate(plan, 0, (mistakes.RIGHT, mistakes.HARD), width=8)
        arms = (deciding.soft("tuned", 12, 0.7), deciding.HARD)
        theirs = deciding.replicate(plan, 0, widths=(8,), only=arms)
    finally:
        protocol.WIDE_RATES = rates
    for mine, (teacher, _, lesson) in zip(ours, arms, strict=True):
        (other,) = [r for r in theirs if (r["arm"], r["teacher"]) == (lesson, teacher)]
        for column in ("learning_rate", "weight_decay", "softness", "edges"):
            assert mine[column] == other[column]
        for column in ("accuracy", "negative_log_likelihood"):
            assert mine[column] == pytest.approx(other[column], abs=1e-4)


def test_students_of_all_loops_begin_with_the_same_weights(plan) -> None:
    calm = replace(plan, student_epochs=1)
    rows = mistakes.replicate(calm, 0, (mistakes.RIGHT, "NaN on underflow"), width=8)
    first, second = rows
    assert first["arm"] == "right" and second["arm"] == "NaN on underflow"
    for column in ("learning_rate", "weight_decay", "softness"):
        assert first[column] == second[column]
    assert first["negative_log_likelihood"] == pytest.approx(
        second["negative_log_likelihood"], abs=1e-3
    )


@pytest.mark.parametrize("task", mistakes.TASKS)
def test_the_stored_tables_are_whole_and_near_the_deciding_study(task: str) -> None:
    table = studies.read(STUDIES / f"mistakes-{task}.csv")
    other = deciding.tables(STUDIES)[task]
    assert {row["arm"] for row in table.rows} == set(mistakes.LOSSES)
    assert len(table.rows) == 12 * len(mistakes.LOSSES)
    for name, key in ((mistakes.HARD, deciding.HARD), ("right", deciding.soft("tuned", 12, 0.7))):
        ours = table.arm(name, "negative_log_likelihood")
        theirs = deciding.values(other, key, 64, "negative_log_likelihood")
        assert (
            deciding.paired(task, ours, theirs).low <= 0 <= deciding.paired(task, ours, theirs).high
        ), "two runs of one arm differ by more than chance"

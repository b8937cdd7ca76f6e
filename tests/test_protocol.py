"""The protocol *tuned*: equal trials, folds that stay apart, the least held-out loss."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import losses, metrics, protocol
from distill_helpers.protocol import DECAYS, RATES, Recipe, Setting
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import gaussian_mixture_task

TASK = gaussian_mixture_task(3, 4, 0.2, num_train=90, num_test=10, random_state=1)
ROWS = torch.arange(90)
FOLDS = [(fit, held) for fit, held in TASK.folds(3, 0)[:2]]
ONE_HOT = ex.smoothed_labels(TASK.y_train, 3)
HARD = Recipe(lambda fold, s: ONE_HOT)
SMOOTH = Recipe(lambda fold, s: ex.smoothed_labels(TASK.y_train, 3, s), protocol.SMOOTHINGS)
SOFT = Recipe(lambda fold, T: ONE_HOT, protocol.TEMPERATURES, 0.7, tempered=True)
GIVEN = Recipe(lambda fold, T: ONE_HOT, (3.0,), 0.7, tempered=True)
ALONE = Recipe(lambda fold, T: ONE_HOT, protocol.TEMPERATURES, tempered=True)

settings = st.builds(
    Setting,
    st.sampled_from(RATES),
    st.sampled_from(DECAYS[:-1]),
    st.just(0.0),
)


@given(settings)
def test_every_arm_has_as_many_trials_and_none_twice(best: Setting) -> None:
    for recipe in (HARD, SMOOTH, SOFT, GIVEN):
        first = protocol.first_trials(recipe)
        best = replace(best, softness=first[0].softness)
        every = [*first, *protocol.second_trials(recipe, best)]
        assert len(every) == len(set(every)) == protocol.NUM_TRIALS
        assert recipe is not GIVEN or {s.softness for s in every} == {3.0}
        assert best in first


@given(settings)
def test_every_softness_is_tried_at_the_best_rate_and_decay(best: Setting) -> None:
    for recipe in (SMOOTH, SOFT):
        first = protocol.first_trials(recipe)
        best = replace(best, softness=first[0].softness)
        every = [*first, *protocol.second_trials(recipe, best)]
        for decay in (
            best.weight_decay,
            DECAYS[min(DECAYS.index(best.weight_decay) + 1, len(DECAYS) - 1)],
        ):
            at_best = {
                s.softness
                for s in every
                if s.learning_rate == best.learning_rate and s.weight_decay == decay
            }
            middle = {best.softness} if decay == DECAYS[-1] else set()  # tried below it already
            assert at_best == set(recipe.softness) - middle


@pytest.mark.parametrize(
    ("recipe", "setting", "wanted"),
    [
        (HARD, Setting(RATES[1], 0.0, 0.0), ("learning rate",)),
        (HARD, Setting(RATES[-2], DECAYS[-1], 0.0), ("learning rate", "weight decay")),
        (HARD, Setting(RATES[2], 0.0, 0.0), ()),
        (SMOOTH, Setting(RATES[2], 0.0, 0.0), ()),  # no smoothing is no edge
        (SMOOTH, Setting(RATES[2], 0.0, protocol.SMOOTHINGS[-1]), ("softness",)),
        (SOFT, Setting(RATES[2], 0.0, protocol.TEMPERATURES[0]), ()),  # all but hard labels
        (ALONE, Setting(RATES[2], 0.0, protocol.TEMPERATURES[0]), ("softness",)),
        (SOFT, Setting(RATES[2], 0.0, protocol.TEMPERATURES[-1]), ("softness",)),
        (SOFT, Setting(RATES[2], 0.0, 2.0), ()),
        (GIVEN, Setting(RATES[2], 0.0, 3.0), ()),
        (GIVEN, Setting(RATES[1], 0.0, 3.0), ("learning rate",)),
        (HARD, Setting(RATES[2], DECAYS[-2] * 10**0.5, 0.0), ("weight decay",)),
        (HARD, Setting(RATES[2], DECAYS[-2], 0.0), ()),
        (SOFT, Setting(RATES[2], DECAYS[-2] * 10**0.5, 2.0), ()),
    ],
)
def test_edges(recipe: Recipe, setting: Setting, wanted: tuple[str, ...]) -> None:
    assert protocol.edges(recipe, setting) == wanted


def small(recipes: dict[str, Recipe]) -> dict[str, protocol.Tuned]:
    return protocol.run_tuned(
        TASK, recipes, FOLDS, ROWS, hidden=(4,), epochs=2, trial_seed=5, seeds=[1, 2]
    )


def test_the_setting_chosen_has_the_least_held_out_loss() -> None:
    found = small({"smooth": SMOOTH})["smooth"]
    first = protocol.first_trials(SMOOTH)

    def loss(setting: Setting) -> tuple[float, Tensor]:
        losses, logits = [], []
        for fit_rows, held_out in FOLDS:
            arm = SMOOTH.arm(None, setting, fit_rows)
            stacks = ex.train_students(TASK, {0: arm}, seeds=[5], hidden=(4,), epochs=2)
            z = stacks[0].predict(TASK.x_train[held_out])[0]
            losses.append(metrics.negative_log_likelihood(z, TASK.y_train[held_out]).item())
            logits.append(z)
        return sum(losses) / 2, torch.cat(logits)

    by_first = {s: loss(s)[0] for s in first}
    best = protocol.on_a_plateau(by_first)
    every = {s: v for s, v in by_first.items() if s.learning_rate == best.learning_rate}
    every |= {s: loss(s)[0] for s in protocol.second_trials(SMOOTH, best)}
    assert found.held_out_loss == pytest.approx(min(every.values()), abs=1e-6)
    assert every[found.setting] == pytest.approx(min(every.values()), abs=1e-6)
    labels = torch.cat([TASK.y_train[held_out] for _, held_out in FOLDS])
    T = protocol.fitted_temperature(loss(found.setting)[1], labels)
    assert found.temperature == pytest.approx(T, rel=1e-4)


@pytest.mark.parametrize(
    ("lucky", "chosen"),
    [
        (Setting(RATES[6], DECAYS[1], 2.0), False),  # another rate than the first round chose
        (Setting(RATES[3], DECAYS[2], 2.0), True),  # that rate, another decay
    ],
)
def test_the_second_round_competes_with_the_first_at_its_rate_alone(
    lucky: Setting, chosen: bool
) -> None:
    """The plateau is at the fourth rate; one setting elsewhere has the least loss by luck."""
    smooth = Recipe(lambda fold, T: ONE_HOT, (1.0, 2.0, 3.0), tempered=True)

    def attempt(wanted: protocol.Trials[str]) -> dict[tuple[str, Setting], tuple[float, str]]:
        return {
            (name, s): (
                0.5 if s == lucky else 1 + abs(RATES.index(s.learning_rate) - 3) + s.weight_decay,
                f"{name} {s}",
            )
            for name, settings in wanted.items()
            for s in settings
        }

    setting, loss, more = protocol.search({"arm": smooth}, attempt)["arm"]
    assert (setting == lucky) is chosen and more == f"arm {setting}"
    assert setting.learning_rate == RATES[3] and loss == (0.5 if chosen else 1)


def test_a_lucky_network_beside_a_cliff_is_not_chosen() -> None:
    losses = dict.fromkeys(protocol.first_trials(HARD), 0.5)
    lucky = Setting(RATES[-2], 0.0, 0.0)
    losses[lucky] = 0.40
    losses[replace(lucky, learning_rate=RATES[-1])] = float("inf")
    plateau = {Setting(rate, 1e-2, 0.0): 0.45 for rate in RATES[2:5]}
    losses |= plateau
    assert protocol.on_a_plateau(losses) == Setting(RATES[3], 1e-2, 0.0)
    # The ends of the grid are neighbours only.
    ends = {s: 0.1 if s.learning_rate in (RATES[0], RATES[-1]) else 0.5 for s in losses}
    assert protocol.on_a_plateau(ends).learning_rate in RATES[1:-1]


def test_students_are_trained_at_the_chosen_setting_on_all_rows() -> None:
    found = small({"hard": HARD})["hard"]
    arm = HARD.arm(None, found.setting, ROWS)
    expected = ex.train_students(TASK, {0: arm}, seeds=[1, 2], hidden=(4,), epochs=2)[0]
    for one, other in zip(found.stack.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_an_arm_does_not_depend_on_the_others() -> None:
    alone, together = small({"soft": SOFT})["soft"], small({"hard": HARD, "soft": SOFT})["soft"]
    assert alone.setting == together.setting
    assert alone.held_out_loss == pytest.approx(together.held_out_loss, abs=1e-6)


def test_each_fold_has_targets_of_its_own_and_its_held_out_rows_are_not_trained_on() -> None:
    asked: list[int | None] = []

    def targets(fold: int | None, T: float) -> Tensor:
        asked.append(fold)
        made = ONE_HOT.clone()
        if fold is not None:
            made[FOLDS[fold][1]] = float("nan")  # poison: training on one of them would show
        return made

    class Unchecked(Recipe):
        def arm(self, fold: int | None, setting: Setting, rows: Tensor) -> ex.Arm:
            arm = super().arm(fold, setting, rows)
            poisoned = ~torch.isfinite(arm.soft_targets).all(1)
            assert not poisoned[rows].any()
            return replace(
                arm, soft_targets=torch.where(poisoned.unsqueeze(1), 1 / 3, targets(None, 1.0))
            )

    small({"soft": Unchecked(targets, protocol.TEMPERATURES, tempered=True)})
    assert {0, 1, None} == set(asked)


def test_a_trial_that_diverges_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ex.train_students

    def broken(task: object, arms: dict, **more: object) -> dict:  # type: ignore[type-arg]
        stacks = real(task, arms, **more)  # type: ignore[arg-type]
        for key, stack in stacks.items():
            if isinstance(key, tuple) and key[1].learning_rate != RATES[2]:
                stack.weights[0].detach().fill_(float("inf"))
        return stacks

    monkeypatch.setattr(protocol, "train_students", broken)
    assert small({"soft": SOFT})["soft"].setting.learning_rate == RATES[2]


def test_the_teacher_of_least_held_out_loss_is_chosen() -> None:
    shapes = (protocol.Shape((4,), (0.3,)), protocol.Shape((6,), (0.0,)))
    chosen = protocol.tune_teacher(TASK, FOLDS, shapes, epochs=4, trial_seed=3)
    losses = {}
    for shape in shapes:
        for rate in RATES:
            for decay in DECAYS[:-1]:
                parts = []
                for fit_rows, held_out in FOLDS:
                    stack = protocol.train_on_labels(
                        TASK,
                        [Setting(rate, decay, 0.0)],
                        fit_rows,
                        shape,
                        seeds=[3],
                        epochs=4,
                        average_last=1,
                    )
                    z = stack.predict(TASK.x_train[held_out])[0]
                    parts.append(metrics.negative_log_likelihood(z, TASK.y_train[held_out]).item())
                losses[Setting(rate, decay, 0.0), shape] = sum(parts) / 2
    of = [{s: v for (s, shape), v in losses.items() if shape == one} for one in shapes]
    best = [protocol.on_a_plateau(found) for found in of]
    winner = 0 if of[0][best[0]] <= of[1][best[1]] else 1
    assert losses[chosen] == pytest.approx(of[winner][best[winner]], abs=1e-6)


def test_weights_are_averaged_over_the_last_quarter_in_every_arm() -> None:
    assert [protocol.averaged(epochs) for epochs in (1, 2, 4, 8, 50)] == [1, 1, 1, 2, 12]
    found = protocol.run_tuned(
        TASK, {"hard": HARD}, FOLDS, ROWS, hidden=(4,), epochs=8, trial_seed=5, seeds=[1]
    )["hard"]
    arm = HARD.arm(None, found.setting, ROWS)
    expected = ex.train_students(TASK, {0: arm}, seeds=[1], hidden=(4,), epochs=8, average_last=2)[
        0
    ]
    for one, other in zip(found.stack.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 99))
def test_levelled_targets_keep_the_label_and_forget_the_rest(C: int, N: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(N, C, generator=generator, dtype=torch.float64).softmax(1)
    y = torch.randint(C, (N,), generator=generator)
    found = protocol.levelled(p, y)
    torch.testing.assert_close(found.sum(1), torch.ones(N, dtype=torch.float64))
    at_label = y.unsqueeze(1)
    assert torch.equal(found.gather(1, at_label), p.gather(1, at_label))
    wrong = found.masked_select(
        torch.ones_like(found, dtype=torch.bool).scatter(1, at_label, False)
    )
    assert (wrong.view(N, C - 1).std(1, correction=0) < 1e-12).all()


@given(st.integers(2, 40), st.data())
def test_blocks_are_one_run_and_the_rest(num_rows: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, num_rows - 1))
    start = data.draw(st.integers(0, num_rows - 1))
    rest, run = protocol.blocks(num_rows, size, start)
    assert sorted([*rest.tolist(), *run.tolist()]) == list(range(num_rows))
    assert set(run.tolist()) == {(start + i) % num_rows for i in range(size)}


@given(settings)
def test_a_wide_grid_has_four_trials_more_for_every_arm(best: Setting) -> None:
    wide = replace(SOFT, softness=protocol.WIDE_TEMPERATURES)
    for recipe in (HARD, SMOOTH, wide):
        first = protocol.first_trials(recipe, protocol.WIDE_RATES)
        best = replace(best, softness=first[0].softness)
        every = [*first, *protocol.second_trials(recipe, best)]
        assert len(every) == len(set(every)) == protocol.NUM_TRIALS + 4
        assert {s.learning_rate for s in first} == {*RATES, 1.0}
        assert protocol.on_a_plateau(dict.fromkeys(first, 1.0)).learning_rate == RATES[1]


def test_beyond_the_limit_the_objective_changes_no_more() -> None:
    """A temperature of 1000 pulls like one of 10,000, in float32 too: no edge of the grid."""

    def pull(T: float, dtype: torch.dtype) -> Tensor:
        z, v = (8 * torch.randn(50, 10, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
        z = z.to(dtype).requires_grad_()
        labels = torch.zeros(50, dtype=torch.int64)
        loss = losses.distillation_loss(
            z, soft_targets(v.to(dtype), T), labels, temperature=T, alpha=1.0
        )
        loss.backward()
        return z.grad.double()

    limit = pull(protocol.LIMIT, torch.float64)
    for other in (pull(1e4, torch.float64), pull(protocol.LIMIT, torch.float32)):
        assert float((other - limit).norm() / limit.norm()) < 0.02
    assert float((pull(8.0, torch.float64) - limit).norm() / limit.norm()) > 0.2
    wide = replace(ALONE, softness=protocol.WIDE_TEMPERATURES)
    assert protocol.edges(wide, Setting(RATES[2], 0.0, protocol.LIMIT)) == ()
    assert protocol.edges(wide, Setting(RATES[2], 0.0, 0.5)) == ("softness",)


def test_edges_are_those_of_the_grid_that_was_tried() -> None:
    setting = Setting(RATES[-2], 0.0, 0.0)
    assert protocol.edges(HARD, setting) == ("learning rate",)
    assert protocol.edges(HARD, setting, protocol.WIDE_RATES) == ()
    assert protocol.edges(HARD, Setting(0.3, 0.0, 0.0), protocol.WIDE_RATES) == ("learning rate",)


def test_rates_are_those_that_were_asked_for() -> None:
    rates = (1e-3, 1e-2, 1e-1)
    found = protocol.tune(
        TASK, {"hard": HARD}, FOLDS, hidden=(4,), epochs=2, trial_seed=1, rates=rates
    )
    assert found["hard"].edges == ("learning rate",)
    shape = protocol.Shape((4,), (0.0,))
    setting, _ = protocol.tune_teacher(TASK, FOLDS, [shape], epochs=2, trial_seed=1, rates=rates)
    assert setting.learning_rate == 1e-2

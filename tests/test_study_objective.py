"""The parts of the study of chapter 03 that its chapter does not run again."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from distill_helpers import experiments as ex
from distill_helpers import studies
from distill_helpers.losses import MATCHINGS
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import gaussian_mixture_task

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("objective_study", FOLDER / "objective.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)


@pytest.mark.parametrize("kind", [*MATCHINGS, "hard labels"])
def test_every_loss_has_six_trials_of_its_own(kind: str) -> None:
    trials = study.loss_trials(kind)
    assert len(trials) == len({*trials.values()}) == 6
    temperatures = {knobs.temperature for knobs in trials.values()}
    decays = {knobs.weight_decay for knobs in trials.values()}
    has_temperature = kind not in ("logits", "hard labels")
    assert len(temperatures) == (2 if has_temperature else 1)
    assert len(decays) == (1 if has_temperature else 2)
    assert {knobs.alpha for knobs in trials.values()} == {0.0 if kind == "hard labels" else 1.0}


def test_the_map_has_hard_labels_once_and_every_other_cell() -> None:
    task = gaussian_mixture_task(num_train=40, num_test=10)
    logits = torch.randn(2, 40, 2)
    arms = study.map_arms(task, logits)
    assert set(arms) == {(0.0, 1.0)} | {(a, T) for a in study.ALPHAS for T in study.TEMPERATURES}
    for (alpha, T), arm in arms.items():
        if alpha:
            assert (arm.alpha, arm.temperature) == (alpha, T)
            assert torch.equal(arm.soft_targets, soft_targets(logits, T, "logits"))
    assert len({arm.learning_rate for arm in arms.values()}) == 1


def test_hard_labels_and_the_fixed_pair_have_one_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "TEACHERS", {"ensemble_size": 2, "hidden": (4,), "dropout": (0.0,)})
    monkeypatch.setitem(study.TEACHERS, "epochs", 1)
    task = gaussian_mixture_task(num_train=40, num_test=10)
    part = torch.arange(5, 35)
    arms = study.tuned_arms(task, 0, part)
    grid = {(rate, decay) for _, rate, decay in arms}
    assert set(arms) == {(name, *at) for name in ("hard labels", "ensemble") for at in grid}
    assert len(grid) == len(study.GRID) == 24 and {0.0, 0.1} <= {decay for _, decay in grid}
    usual = study.map_arms(task, study.teacher_logits(task, 0, part).predict(task.x_train))
    for (name, rate, decay), arm in arms.items():
        cell = usual[study.FIXED if name == "ensemble" else (0.0, 1.0)]
        assert (arm.learning_rate, arm.weight_decay) == (rate, decay)
        assert (arm.alpha, arm.temperature) == (cell.alpha, cell.temperature)
        assert torch.equal(arm.soft_targets, cell.soft_targets)
        assert torch.equal(arm.rows, part), "a fold's arms learn from the fold"


def test_arms_of_more_inputs_have_the_rows_first_and_the_targets_they_name() -> None:
    base = gaussian_mixture_task(num_train=60, num_test=10)
    task = base.with_fresh_data(3)
    rows = torch.arange(5, 45)
    teachers = ex.train_teachers(task, ensemble_size=2, epochs=1, hidden=(4,), dropout=(0.0,))
    arms = study.input_arms(task, rows, teachers, task, index=3)
    assert sorted(arms) == [1, 4, 16]
    x = task.x_train[rows]
    own = arms[1]["own inputs"].soft_targets
    for times, group in arms.items():
        for name, arm in group.items():
            assert arm.task.x_train.shape == (40 * times, task.x_train.shape[1]), name
            assert torch.equal(arm.task.x_train[:40], x), name
            if name == "hard labels":
                assert torch.equal(arm.task.y_train, task.y_train[rows])
                continue
            torch.testing.assert_close(arm.soft_targets[:40], own)
            asked = soft_targets(teachers.predict(arm.task.x_train), study.T_FIXED, "logits")
            assert torch.allclose(arm.soft_targets, asked, atol=1e-6) == ("targets" not in name)
            assert arm.alpha == 1.0 and arm.temperature == study.T_FIXED
    kept = arms[16]["perturbed, targets of the original"].soft_targets
    torch.testing.assert_close(kept, own.repeat(16, 1))
    assert torch.equal(
        arms[16]["mixed"].task.x_train, arms[16]["mixed, targets mixed"].task.x_train
    )


def test_noise_reaches_the_teachers_and_the_held_out_fold() -> None:
    clean = gaussian_mixture_task(num_train=50, num_test=10)
    labels = ex.noisy_labels(clean.y_train, 2, 0.4, 0)
    task = replace(clean, y_train=labels)
    logits = torch.randn(50, 2)
    stacks = study.loss_stacks(
        task, logits, logits + 1, [0], None, 1, arms=["logits", "half noisy labels, half clean"]
    )
    assert {arm for arm, _ in stacks} == {"logits", "half noisy labels, half clean"}
    for (arm, _), (_, knobs) in stacks.items():
        assert knobs.alpha == (1.0 if arm == "logits" else 0.5)


@pytest.mark.parametrize("name", list(study.RUN))
def test_the_stored_tables_are_whole(name: str) -> None:
    table = studies.read(FOLDER / f"objective-{name}.csv")
    replicates, students = study.REPLICATES[name]
    assert table.about["command"] == (
        f"python studies/objective.py {name} --replicates {replicates} --students {students}"
    )
    counts: dict[int, int] = {}
    for row in table.rows:
        counts[row["replicate"]] = counts.get(row["replicate"], 0) + 1
    assert sorted(counts) == list(range(replicates))
    assert len(set(counts.values())) == 1, "every replicate has every arm"

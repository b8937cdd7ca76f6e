"""What a student inherits: the parts of the study that arithmetic can check."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

from distill_helpers import deciding, protocol
from distill_helpers.tasks import gaussian_mixture_task

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("inherited_study", FOLDER / "inherited.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
sys.modules["inherited_study"] = study
SPEC.loader.exec_module(study)

TASK = gaussian_mixture_task(3, 4, 0.2, num_train=80, num_test=10, random_state=1)


def test_disagreement_is_zero_for_members_that_agree_and_log_2_for_two_sure_opposites() -> None:
    sure = torch.tensor([[[50.0, 0.0]], [[0.0, 50.0]]])
    single, several = study.doubts(sure)
    assert single.item() == pytest.approx(0.0, abs=1e-12)
    assert several.item() == pytest.approx(torch.log(torch.tensor(2.0)).item(), abs=1e-7)
    _, same = study.doubts(torch.randn(1, 5, 3).expand(4, -1, -1))
    assert same.abs().max() < 1e-12


def test_doubts_that_rise_with_distance_are_told_apart_and_equal_ones_are_not() -> None:
    base = torch.randn(2, 50, 3, generator=torch.Generator().manual_seed(0))
    found = study.far_away({1: base, 2: base, 4: 0 * base, 8: 100 * base})
    assert found["auroc_2"] == found["auroc_entropy_2"] == 0.5
    assert found["auroc_entropy_4"] == 1.0  # logits of zero: the largest entropy there is
    assert found["auroc_entropy_8"] < 0.1


def test_labels_are_drawn_anew_on_the_training_part_alone() -> None:
    noisy = study.with_noise(TASK, 3)
    changed = (noisy.y_train != TASK.y_train).double().mean().item()
    assert 0 < changed < 0.2
    assert torch.equal(noisy.x_train, TASK.x_train)
    assert torch.equal(noisy.y_test, TASK.y_test)


def test_a_replicate_has_every_arm_once(monkeypatch: pytest.MonkeyPatch) -> None:
    small = protocol.Shape((4,), (0.0,))
    monkeypatch.setattr(deciding, "NUM_TEST", 200)
    monkeypatch.setattr(deciding, "STUDENTS", 2)
    monkeypatch.setattr(deciding, "MEMBERS", (1, 2))
    monkeypatch.setattr(study, "NUM_FAR", 50)
    monkeypatch.setattr(protocol, "SHAPES", (small, small))
    monkeypatch.setattr(protocol, "RATES", (1e-3, 1e-2, 1e-1))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-3, 1e-2))
    plan = deciding.Plan(lambda index: TASK.with_fresh_data(index), 4, 1)
    rows = study.replicate(1, plan)
    keys = [(row["teacher"], row["members"], row["arm"]) for row in rows]
    soft = [("tuned", m, f"soft, alpha {a}") for m in (1, 2) for a in ("0.7", "1")]
    labels = [("none", 0, "hard labels"), ("none", 0, "smoothed labels")]
    assert sorted(keys) == sorted([*labels, *soft, ("tuned", 2, "the teachers")])
    assert all(0 <= row["repeats"] <= 1 for row in rows)
    assert len({row["wrong_labels"] for row in rows}) == 1

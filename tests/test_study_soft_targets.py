"""The parts of the study of chapter 02 that its chapter does not run again."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from distill_helpers import studies

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("soft_targets_study", FOLDER / "soft_targets.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)


def test_shuffling_moves_wrong_classes_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    targets = torch.rand(200, 10, generator=generator)
    labels = torch.randint(10, (200,), generator=generator)
    shuffled = study.shuffle_wrong_classes(targets, labels, seed=3)
    at = labels.unsqueeze(1)
    assert torch.equal(shuffled.gather(1, at), targets.gather(1, at))
    assert torch.equal(shuffled.sort(1).values, targets.sort(1).values)
    moved = (shuffled != targets).float().sum() / (200 * 9)
    assert moved.item() == pytest.approx(8 / 9, abs=0.03), "one in nine stays where it was"
    assert torch.equal(shuffled, study.shuffle_wrong_classes(targets, labels, seed=3))
    assert not torch.equal(shuffled, study.shuffle_wrong_classes(targets, labels, seed=4))


def test_parity_sums_probabilities() -> None:
    logits = torch.randn(3, 7, 10, generator=torch.Generator().manual_seed(0))
    p = torch.softmax(logits, -1)
    expected = torch.stack([p[..., ::2].sum(-1), p[..., 1::2].sum(-1)], -1)
    torch.testing.assert_close(torch.softmax(study.parity(logits), -1), expected)
    far = torch.zeros(1, 10)
    far[0, 0] = 1e4
    assert study.parity(far).isfinite().all(), "an odd class that underflows keeps its logit"


def test_the_best_trial_is_chosen_by_one_score_and_the_other_breaks_ties() -> None:
    scores = {
        ("a", 0): (0.9, 0.5),
        ("a", 1): (0.9, 0.4),
        ("a", 2): (0.8, 0.3),
        ("b", 0): (0.7, 0.2),
        ("b", 1): (0.6, 0.2),
    }

    def judge(key):  # type: ignore[no-untyped-def]
        accuracy, loss = scores[key]
        return SimpleNamespace(
            accuracy=np.array([accuracy]), negative_log_likelihood=np.array([loss])
        )

    stacks = {key: key for key in scores}
    assert study.best_trials(stacks, judge, "accuracy") == {"a": 1, "b": 0}
    assert study.best_trials(stacks, judge) == {"a": 2, "b": 0}


@pytest.mark.parametrize("name", list(study.RUN))
def test_the_stored_tables_are_whole(name: str) -> None:
    table = studies.read(FOLDER / f"soft-targets-{name}.csv")
    replicates, students = study.REPLICATES[name]
    assert table.about["command"] == (
        f"python studies/soft_targets.py {name} --replicates {replicates} --students {students}"
    )
    counts: dict[int, int] = {}
    for row in table.rows:
        counts[row["replicate"]] = counts.get(row["replicate"], 0) + 1
    assert sorted(counts) == list(range(replicates))
    assert len(set(counts.values())) == 1, "every replicate has every arm"

"""The parts of the study of chapter 04 that its chapter does not run again."""

from __future__ import annotations

import importlib.util
import itertools
from pathlib import Path

import pytest
import torch

from distill_helpers import studies
from distill_helpers.gradients import without_t_squared
from distill_helpers.networks import Stack
from distill_helpers.tasks import gaussian_mixture_task
from distill_helpers.training import Distillation

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location(
    "temperature_squared_study", FOLDER / "temperature_squared.py"
)
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)

TASK = gaussian_mixture_task(3, 4, num_train=120, num_test=10)
LOGITS = torch.randn(2, 120, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("optimiser", study.OPTIMISERS)
@pytest.mark.parametrize("cell", study.CELLS)
def test_both_losses_have_equal_trials_and_sgd_has_them_in_its_own_unit(
    optimiser: str, cell: tuple[float, float]
) -> None:
    T, alpha = cell
    with_it, without_it = (study.rates(optimiser, cell, squared) for squared in (True, False))
    assert len(with_it) == len(without_it) == study.TRIALS
    factor = 1.0 if optimiser.startswith("adam") else 1 / without_t_squared(alpha, T).scale
    assert without_it == pytest.approx([factor * rate for rate in with_it])
    steps = [b / a for a, b in itertools.pairwise(with_it)]
    assert steps == pytest.approx([10**0.5] * (study.TRIALS - 1))


@pytest.mark.parametrize("cell", study.CELLS)
def test_without_is_the_loss_without_t_squared(cell: tuple[float, float]) -> None:
    T, alpha = cell
    targets = study.tempered(LOGITS)
    made = study.arm(targets, "sgd", cell, squared=False)
    z, rows = torch.randn(1, 120, 3, dtype=torch.float64), torch.arange(120).unsqueeze(0)
    objective = Distillation(
        made.soft_targets,
        TASK.y_train,
        temperature=made.temperature,
        alpha=made.alpha,
        scale=made.scale,
    )
    p, q = targets[T].double(), torch.log_softmax(z[0] / T, -1)
    kl = torch.nn.functional.kl_div(q, p, reduction="batchmean")
    ce = torch.nn.functional.cross_entropy(z[0], TASK.y_train)
    torch.testing.assert_close(objective(z, rows)[0], alpha * kl + (1 - alpha) * ce)
    with_it = study.arm(targets, "sgd", cell, squared=True)
    assert (with_it.temperature, with_it.alpha, with_it.scale) == (T, alpha, 1.0)


def test_the_four_students_of_a_cell() -> None:
    cell = (10.0, 1.0)
    arms = study.four_students(study.tempered(LOGITS), "adam", cell, 0.01, 0.5)
    assert [arm.scale for arm in arms.values()] == pytest.approx([1.0, 0.01, 0.01, 0.01])
    assert {name: arm.learning_rate for name, arm in arms.items()} == pytest.approx(
        {"with": 0.01, "without, fixed": 0.01, "without, matched": 1.0, "without, tuned": 0.5}
    )
    assert [arm.weight_decay for arm in arms.values()] == pytest.approx([1e-4, 1e-4, 1e-6, 1e-4])


def test_matched_students_of_sgd_end_on_the_same_weights() -> None:
    arms = study.four_students(study.tempered(LOGITS), "sgd", (3.0, 1.0), 0.1, 0.2)
    stacks = study.train(TASK, arms, [0, 1], "sgd")
    pairs = zip(stacks["with"].parameters(), stacks["without, matched"].parameters(), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_a_network_that_diverged_counts_as_one_that_knows_nothing() -> None:
    stack = Stack.build((4, 3), seeds=[0])
    with torch.no_grad():
        stack.weights[0][0, 0, 0] = float("nan")
    assert study.loss(stack, TASK.x_train, TASK.y_train) == float("inf")
    x, _ = TASK.sample(50)
    posterior, targets = TASK.posterior(x), study.tempered(LOGITS)[3.0]
    found = study.scores(stack, TASK, x, posterior, 0.0, targets, (3.0, 0.7))
    assert found["excess_risk"] == pytest.approx(torch.tensor(3.0).log().item())
    assert found["objective"] > 0


@pytest.mark.parametrize("name", study.LAWS)
def test_the_stored_tables_are_whole(name: str) -> None:
    table = studies.read(FOLDER / f"temperature-squared-{name}.csv")
    assert table.about["command"] == (
        f"python studies/temperature_squared.py {name} --replicates {study.REPLICATES} "
        f"--students {study.STUDENTS}"
    )
    counts: dict[int, int] = {}
    for row in table.rows:
        counts[row["replicate"]] = counts.get(row["replicate"], 0) + 1
    cells = len(study.OPTIMISERS) * len(study.CELLS) * 4
    assert counts == dict.fromkeys(range(study.REPLICATES), cells)

"""The museum's exhibits, each named by the audit, and what it trains, with the law as the judge."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from distill_helpers.audit import BUGS
from distill_helpers.losses import distillation_loss
from distill_helpers.museum import EXHIBITS, ROOMS, ask, difference, untempered_teacher
from distill_helpers.soft_targets import soft_targets
from distill_helpers.statistics import paired_gain
from distill_helpers.tasks import Task, digits_task, gaussian_mixture_task

ARMS = ["hard labels", "untempered teacher", "tempered teacher", "the law"]


@pytest.fixture(scope="module")
def task() -> Task:
    return gaussian_mixture_task(3, 6, 0.1, num_train=128, num_test=10, random_state=3)


def test_at_temperature_1_there_is_no_bug(task: Task) -> None:
    found = untempered_teacher(task, temperature=1.0, alpha=0.7, num_sets=2)
    assert list(found) == ARMS
    for column in ("accuracy", "negative_log_likelihood"):
        bug, repair = (getattr(found[arm], column) for arm in ARMS[1:3])
        np.testing.assert_allclose(bug, repair, rtol=1e-5)  # members are rounded by their place
        assert not np.allclose(bug, getattr(found["hard labels"], column), rtol=1e-3)


def test_at_alpha_0_all_three_learn_from_labels(task: Task) -> None:
    found = untempered_teacher(task, temperature=3.0, alpha=0.0, num_sets=2)
    for arm in ARMS[1:3]:
        hard = found["hard labels"].accuracy
        np.testing.assert_allclose(found[arm].accuracy, hard, rtol=1e-5)


def test_the_bug_is_in_the_probabilities_and_nobody_beats_the_law(task: Task) -> None:
    found = untempered_teacher(task, temperature=3.0, alpha=0.7, num_sets=6)
    law = found["the law"]
    for arm in ARMS[:3]:
        assert (found[arm].accuracy <= law.accuracy).all()
        assert (found[arm].negative_log_likelihood >= law.negative_log_likelihood).all()
    bug, repair = (found[arm].negative_log_likelihood for arm in ARMS[1:3])
    assert paired_gain(bug, repair).low > 0.05
    # The law's own scores are its Bayes error and the entropy of its posterior.
    x, _ = (lab := task.with_fresh_data(0)).sample(10_000, seed=0)
    p = lab.posterior(x)
    assert law.accuracy[0] == pytest.approx(float(p.max(-1).values.mean()), abs=1e-6)
    entropy = float(torch.special.entr(p).sum(-1).mean())
    assert law.negative_log_likelihood[0] == pytest.approx(entropy, abs=1e-5)


def test_seeds_are_the_callers(task: Task) -> None:
    one, other = (
        untempered_teacher(task, temperature=3.0, alpha=0.7, num_sets=2, random_state=seed)
        for seed in (1, 2)
    )
    assert not np.array_equal(one["hard labels"].accuracy, other["hard labels"].accuracy)
    again = untempered_teacher(task, temperature=3.0, alpha=0.7, num_sets=2, random_state=1)
    np.testing.assert_array_equal(again["hard labels"].accuracy, one["hard labels"].accuracy)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "^temperature is 0"),
        ({"alpha": 1.5}, r"^alpha is 1\.5"),
        ({"num_sets": 0}, "^num_sets is 0; it must be a whole number, 1 or more"),
        ({"num_sets": 2.5}, r"^num_sets is 2\.5"),
    ],
)
def test_bad_arguments_stop_in_one_line(task: Task, given: dict, message: str) -> None:
    settings = {"temperature": 3.0, "alpha": 0.7} | given
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        untempered_teacher(task, **settings)
    assert "\n" not in str(caught.value)


def test_a_task_without_a_law_is_refused() -> None:
    with pytest.raises(ValueError, match="law") as caught:
        untempered_teacher(digits_task(0), temperature=3.0, alpha=0.7)
    assert "\n" not in str(caught.value)


# -- the exhibits ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loop() -> tuple[nn.Module, nn.Module, TensorDataset]:
    """A student, a teacher with dropout that is right about most rows, and those rows."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(96, 4, generator=generator)
    y = x[:, :3].argmax(1)
    first, last = nn.Linear(4, 3), nn.Linear(4, 3)
    with torch.no_grad():
        first.weight.copy_(4 * torch.eye(3, 4))
        first.bias.zero_()
        last.weight.normal_(generator=generator)
    return last, nn.Sequential(first, nn.Dropout(0.2)), TensorDataset(x, y)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("name", EXHIBITS)
def test_the_audit_names_every_exhibit_and_nothing_else(name: str, loop: tuple) -> None:
    report = ask(name, *loop, temperature=3.0, alpha=0.7)
    hazards = {"NaN on underflow"}  # of more exhibits than the one that is named so
    assert name in report.bugs + report.warnings
    assert set(report.bugs + report.warnings) <= {name} | hazards


def test_the_right_loop_passes_and_modes_are_left_as_they_were(loop: tuple) -> None:
    for mode in (True, False):
        for network in loop[:2]:
            network.train(mode)
        before = torch.get_rng_state()
        report = ask(None, *loop, temperature=3.0, alpha=0.7)
        assert report.ok and not report.warnings
        assert [network.training for network in loop[:2]] == [mode, mode]
        assert torch.equal(torch.get_rng_state(), before)


def test_the_right_loss_is_the_books() -> None:
    z, v = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.arange(6) % 4
    (right,) = {shown.right for shown in EXHIBITS.values() if shown.part == "loss"}
    expected = distillation_loss(z, soft_targets(v, 2.5), y, temperature=2.5, alpha=0.3)
    assert right(z, v, y, T=2.5, a=0.3).item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize(
    ("name", "factor"),
    [("T^2 missing", 3.0**-2), ("mean instead of batchmean", 1 / 3), (None, 1.0)],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_a_stray_factor_is_another_alpha(name: str | None, factor: float, loop: tuple) -> None:
    effective = ask(name, *loop, temperature=3.0, alpha=0.7).effective
    assert effective is not None
    assert effective.alpha == pytest.approx(factor * 0.7 / (factor * 0.7 + 0.3), rel=1e-6)


def test_p_log_p_by_hand_is_not_a_number_where_a_probability_underflows() -> None:
    shown = EXHIBITS["NaN on underflow"]
    z, v, y = torch.zeros(1, 2), torch.tensor([[0.0, 400.0]]), torch.ones(1, dtype=torch.int64)
    assert math.isnan(shown.wrong(z, v, y, T=1.0, a=0.5))
    assert math.isfinite(shown.right(z, v, y, T=1.0, a=0.5))


@pytest.mark.parametrize("name", EXHIBITS)
def test_a_difference_shows_only_lines_that_differ(name: str) -> None:
    first, *lines, last = difference(name).splitlines()
    assert (first, last) == ("```diff", "```") and 1 <= len(lines) <= 6
    assert all(line[:2] in ("- ", "+ ") for line in lines)
    assert not {line[2:] for line in lines if line[0] == "-"} & {
        line[2:] for line in lines if line[0] == "+"
    }


def test_the_rooms_hold_every_mistake_once() -> None:
    sorted_out = [name for names in ROOMS.values() for name in names]
    assert sorted(sorted_out) == sorted(BUGS) and set(EXHIBITS) <= set(BUGS)


def test_what_is_no_exhibit_is_refused(loop: tuple) -> None:
    for refused in (
        lambda: difference("T^3"),
        lambda: ask("T^3", *loop, temperature=3.0, alpha=0.7),
    ):
        with pytest.raises(ValueError, match=r"there is no exhibit 'T\^3'; it must be one of "):
            refused()

"""What the museum trains: identities that hold exactly, and the law as the judge."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from distill_helpers.museum import untempered_teacher
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

"""Exhibits of the museum of bugs that train students: what a mistake in a loop costs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distill_helpers.experiments import Scores, member_seeds, score
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task
from distill_helpers.training import Distillation, fit

HIDDEN = (16, 16)
EPOCHS = 60
LEARNING_RATE = 3e-3
TEST_ROWS = 10_000


def untempered_teacher(
    task: Task,
    *,
    temperature: float,
    alpha: float,
    num_sets: int = 20,
    random_state: int = 42,
    progress: str | None = None,
) -> dict[str, Scores]:
    r"""Teach students with the exact posterior, tempered on both sides or on the student's alone.

    The bug: the teacher's probabilities are taken as they come, at temperature 1, and the
    student's logits are divided by T. With the posterior :math:`\pi` as the teacher the
    distillation term is then least where :math:`z = T \log \pi`, so the student is asked to be T
    times too sure. The repair is one line: temper the teacher too, ``softmax(log_posterior / T)``.

    Every training set is a fresh draw of the task's law, of the size of its training part. Its
    three students start from the same weights and see the same batches: they are paired. Chapter
    03's museum has the table.

    Parameters
    ----------
    task : Task
        One with a known law.
    temperature, alpha : float
        Of the two students that distil.
    num_sets : int
        Training sets, one student of each arm on each.
    random_state : int
        Seeds the students.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of Scores
        ``"hard labels"``, ``"untempered teacher"`` and ``"tempered teacher"``, each ``(num_sets,)``
        in accuracy and NLL, scored with the exact posterior on 10,000 fresh inputs a set; and
        ``"the law"``, the posterior's own scores there: nobody does better.

    Raises
    ------
    ValueError
        If the task's law is unknown, or an argument is out of range; before anything trains.

    Examples
    --------
    >>> from distill_helpers.tasks import gaussian_mixture_task
    >>> task = gaussian_mixture_task(3, 5, num_train=64, num_test=10)
    >>> found = untempered_teacher(task, temperature=3.0, alpha=0.7, num_sets=2)
    >>> {name: scores.accuracy.shape for name, scores in found.items()}["hard labels"]
    (2,)
    """
    if isinstance(num_sets, bool) or not isinstance(num_sets, int) or num_sets < 1:
        raise ValueError(
            f"num_sets is {num_sets!r}; it must be a whole number, 1 or more. An interval needs 2."
        )
    labs = [task.with_fresh_data(index) for index in range(num_sets)]
    seeds = [member_seeds(random_state, "student", index, 1)[0] for index in range(num_sets)]

    def targets(T: float) -> Tensor:
        tempered = [soft_targets(lab.log_posterior(lab.x_train), T) for lab in labs]
        return torch.stack(tempered).float()

    plain = targets(1.0)
    arms = {
        "hard labels": (plain, 0.0),
        "untempered teacher": (plain, alpha),
        "tempered teacher": (targets(temperature), alpha),
    }
    students = Stack.build(
        (task.x_train.shape[1], *HIDDEN, task.num_classes), seeds=seeds * len(arms)
    )
    fit(
        students,
        labs * len(arms),
        Distillation(
            torch.cat([soft for soft, _ in arms.values()]),
            torch.stack([lab.y_train for lab in labs]).repeat(len(arms), 1),
            temperature=temperature,
            alpha=[weight for _, weight in arms.values() for _ in labs],
        ),
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        seeds=seeds * len(arms),
        progress=progress,
    )
    scores = []
    for index, lab in enumerate(labs):
        x, _ = lab.sample(TEST_ROWS, seed=index)
        law = lab.log_posterior(x)
        logits = students[list(range(index, students.num_members, num_sets))].predict(x)
        scores.append(score(torch.cat([logits, law.unsqueeze(0)]), law.exp()))
    return {
        name: Scores(
            np.array([found.accuracy[place] for found in scores]),
            np.array([found.negative_log_likelihood[place] for found in scores]),
        )
        for place, name in enumerate([*arms, "the law"])
    }

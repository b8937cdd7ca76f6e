"""Run all arms over all splits, and keep the scores."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from distill_helpers import experiments as ex
from distill_helpers import metrics, protocol
from distill_helpers.files import Columns, OwnRows, task_of
from distill_helpers.networks import Stack
from distill_helpers.protocol import Recipe, Setting
from distill_helpers.report._rounds import Round, Rows
from distill_helpers.report._teachers import Networks, Plan, Teacher
from distill_helpers.soft_targets import fitted_temperature, soft_targets
from distill_helpers.tasks import Task

Array = npt.NDArray[np.float64]

STUDENTS = 3
"""Students of each arm and split; their mean score counts."""

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
"""Of the student's hidden widths, in the sweep of sizes."""

GUESS, ONE, ENSEMBLE = "class shares", "one network", "ensemble"
HARD, SMOOTHED, FROM_ONE, DISTILLED = (
    "hard labels",
    "smoothed labels",
    "distilled from one",
    "distilled",
)


@dataclass(frozen=True)
class Tuning:
    """What was chosen on some rows: knobs of the teacher, and a setting for each arm.

    Attributes
    ----------
    knobs : object
        The teacher's.
    settings : dict of Setting
        By arm.
    temperatures : dict of float
        By arm, teachers too: what divides logits so that they are calibrated.
    edges : tuple of str
        Arms whose setting lies at an end of its grid.
    """

    knobs: Any
    settings: dict[str, Setting]
    temperatures: dict[str, float]
    edges: tuple[str, ...]


@dataclass
class Scores:
    """By arm and score, one number a split.

    Attributes
    ----------
    values : dict
        ``values[arm][score]``; scores are ``accuracy``, ``nll`` and ``calibrated_nll``.
    sizes : dict
        ``sizes[hidden][arm][score]``: the sweep.
    wrong : set of int
        Rows that most of the split's students on hard labels get wrong, not having seen them.
    train_size, test_size : int
        Mean numbers of rows of a split.
    """

    values: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    sizes: dict[tuple[int, ...], dict[str, dict[str, list[float]]]] = field(default_factory=dict)
    wrong: set[int] = field(default_factory=set)
    train_size: int = 0
    test_size: int = 0

    def add(self, arm: str, scores: dict[str, float], size: tuple[int, ...] | None = None) -> None:
        """Add a split's scores of an arm."""
        table = self.values if size is None else self.sizes.setdefault(size, {})
        for name, value in scores.items():
            table.setdefault(arm, {}).setdefault(name, []).append(value)


@dataclass(frozen=True)
class Delivered:
    """Networks trained on every row, by the same procedure.

    Attributes
    ----------
    columns : Columns
    task : Task
        Its ``mean`` and ``scale`` turn features into inputs.
    tuning : Tuning
    students : dict of Stack
        Of each arm, one member.
    ensemble : Stack or None
        Where the teachers are networks.
    seconds : dict of float
        For teachers and for students.
    """

    columns: Columns
    task: Task
    tuning: Tuning
    students: dict[str, Stack]
    ensemble: Stack | None
    seconds: dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What stays the same over all splits."""

    own: OwnRows
    teacher: Teacher
    hidden: tuple[int, ...]
    seed: int
    unlabelled: Callable[[Columns], Array] | None = None

    def task(self, train: Rows) -> tuple[Task, Columns]:
        """Return every row, and then the unlabelled ones, prepared by what `train` holds."""
        columns, features = self.own.learn(train)
        labels = self.own.labels
        if self.unlabelled is not None:
            more = self.unlabelled(columns)
            features = np.concatenate([features, more])
            labels = np.concatenate([labels, np.zeros(len(more), np.int64)])
        every = np.arange(len(features))
        made = task_of(self.own.name, features, labels, self.own.classes, train, every)
        return replace(made, x_train=made.x_test, y_train=made.y_test), columns

    def recipes(self, task: Task, logits: Sequence[Tensor]) -> dict[str, Recipe]:
        """Return the arms; `logits` are the teacher's on every row, ``(M, N, C)``, by fold."""
        one_hot = ex.smoothed_labels(task.y_train, task.num_classes)

        def soft(pooled: Sequence[Tensor]) -> Recipe:
            return Recipe(
                lambda fold, T: soft_targets(pooled[fold or 0], T).float(),
                protocol.TEMPERATURES,
                1.0,
                tempered=True,
            )

        found = {
            HARD: Recipe(lambda fold, s: one_hot),
            SMOOTHED: Recipe(
                lambda fold, s: ex.smoothed_labels(task.y_train, task.num_classes, s),
                protocol.SMOOTHINGS,
            ),
        }
        if len(logits[0]) > 1:
            found[FROM_ONE] = soft([z[0] for z in logits])
        return found | {DISTILLED: soft([z.mean(0) for z in logits])}

    def rows_of(self, arm: str, rows: Tensor, total: int) -> Tensor:
        """Return an arm's rows: those with a teacher also learn from the unlabelled ones."""
        if arm in (HARD, SMOOTHED) or self.unlabelled is None:
            return rows
        return torch.cat([rows, torch.arange(len(self.own.labels), total)])

    def tune(self, split: Round, index: int) -> Tuning:
        """Choose everything on the tuning rows of a split."""
        task, _ = self.task(split.tune)
        folds = [(torch.from_numpy(fit), torch.from_numpy(part)) for fit, part in split.folds]
        plan = Plan.for_rows(len(folds[0][0]))
        seed = ex.member_seeds(self.seed, "trial", index, 1)[0]
        knobs = self.teacher.tune(task, folds, plan, seed)
        whose = self.own.groups
        logits = [self.teacher.logits(task, fit, knobs, plan, index, whose) for fit, _ in folds]
        answers = torch.cat([z[:, part] for z, (_, part) in zip(logits, folds, strict=True)], 1)
        labels = task.y_train[torch.cat([part for _, part in folds])]
        temperatures = {
            ONE: fitted_temperature(answers[0], labels),
            ENSEMBLE: fitted_temperature(answers.mean(0), labels),
        }
        settings, edges = {}, []
        recipes = self.recipes(task, logits)
        for arms in (
            (HARD, SMOOTHED),
            (FROM_ONE, DISTILLED),
        ):
            chosen = {name: recipes[name] for name in arms if name in recipes}
            name, total = next(iter(chosen)), len(task.y_train)
            with_more = [(self.rows_of(name, fit, total), part) for fit, part in folds]
            found = protocol.run_tuned(
                task,
                chosen,
                with_more,
                with_more[0][0],
                hidden=self.hidden,
                epochs=plan.student_epochs,
                trial_seed=seed,
                seeds=[seed],
            )
            for name, tuned in found.items():
                settings[name] = tuned.setting
                temperatures[name] = tuned.temperature
                edges += [name] * bool(tuned.edges)
        return Tuning(knobs, settings, temperatures, tuple(edges))

    def train(
        self,
        task: Task,
        logits: Tensor,
        tuning: Tuning,
        train: Tensor,
        seeds: Sequence[int],
        hidden: tuple[int, ...],
        only: Sequence[str] = (),
    ) -> dict[str, Stack]:
        """Train the students of all arms at their settings."""
        plan = Plan.for_rows(len(train))
        recipes = self.recipes(task, [logits])
        made: dict[str, Stack] = {}
        for arms in ((HARD, SMOOTHED), (FROM_ONE, DISTILLED)):
            names = [name for name in arms if name in recipes and (not only or name in only)]
            chosen = {
                name: recipes[name].arm(
                    None,
                    tuning.settings[name],
                    self.rows_of(name, train, len(task.y_train)),
                )
                for name in names
            }
            if chosen:
                made |= ex.train_students(
                    task,
                    chosen,
                    seeds=seeds,
                    hidden=hidden,
                    epochs=plan.student_epochs,
                    average_last=protocol.averaged(plan.student_epochs),
                )
        return made

    def test(self, tuning: Tuning, train: Rows, test: Rows, index: int, scores: Scores) -> None:
        """Train on one part, judge on the other, and add the scores."""
        task, _ = self.task(train)
        rows, asked = torch.from_numpy(train), torch.from_numpy(test)
        labels = task.y_train[asked]
        logits = self.teacher.logits(
            task, rows, tuning.knobs, Plan.for_rows(len(rows)), index, self.own.groups
        )
        counts = torch.bincount(task.y_train[rows], minlength=task.num_classes) + 1.0
        guess = (counts / counts.sum()).log().expand(1, len(test), -1)
        scores.add(GUESS, score(guess, labels, 1.0))
        if len(logits) > 1:
            scores.add(ONE, score(logits[:, asked], labels, tuning.temperatures[ONE]))
        pooled = logits[:, asked].mean(0, keepdim=True)
        scores.add(ENSEMBLE, score(pooled, labels, tuning.temperatures[ENSEMBLE]))
        seeds = ex.member_seeds(self.seed, "student", index, STUDENTS)
        students = self.train(task, logits, tuning, rows, seeds, self.hidden)
        for name, stack in students.items():
            found = score(stack.predict(task.x_train[asked]), labels, tuning.temperatures[name])
            scores.add(name, found)
            if name in (HARD, DISTILLED):
                scores.add(name, found, self.hidden)
            if name == HARD:
                said = stack.predict(task.x_train[asked]).argmax(-1)
                missed = (said != labels).double().mean(0) > 0.5
                scores.wrong |= set(test[missed.numpy()].tolist())
        for hidden in smaller(self.hidden):
            students = self.train(
                task, logits, tuning, rows, seeds[:2], hidden, only=(HARD, DISTILLED)
            )
            for name, stack in students.items():
                found = score(stack.predict(task.x_train[asked]), labels, 1.0)
                scores.add(name, found, hidden)

    def deliver(self, split: Round, index: int, hidden: tuple[int, ...]) -> Delivered:
        """Tune once more, on all rows, and train what is handed over: students of that shape."""
        start = time.perf_counter()
        tuning = self.tune(split, index)
        every = np.arange(len(self.own.labels))
        task, columns = self.task(every)
        rows, plan = torch.from_numpy(every), Plan.for_rows(len(every))
        tuned = time.perf_counter()
        ensemble = None
        if isinstance(self.teacher, Networks):
            ensemble = self.teacher.stack(task, rows, tuning.knobs, plan, index)
            logits = ensemble.predict(task.x_train)
        else:
            logits = self.teacher.logits(task, rows, tuning.knobs, plan, index, self.own.groups)
        taught = time.perf_counter()
        seeds = ex.member_seeds(self.seed, "student", index, 1)
        students = self.train(task, logits, tuning, rows, seeds, hidden)
        seconds = {
            "tuning": tuned - start,
            "teachers": taught - tuned,
            "students": time.perf_counter() - taught,
        }
        return Delivered(columns, task, tuning, students, ensemble, seconds)


def score(logits: Tensor, labels: Tensor, temperature: float) -> dict[str, float]:
    """Return mean scores of the members of ``(M, N, C)``."""
    z = logits.double()
    return {
        "accuracy": float(metrics.accuracy(z, labels, members=True).mean()),
        "nll": float(metrics.negative_log_likelihood(z, labels, members=True).mean()),
        "calibrated_nll": float(
            metrics.negative_log_likelihood(z / temperature, labels, members=True).mean()
        ),
    }


def parameters(features: int, hidden: Sequence[int], classes: int) -> int:
    """Count a network's weights and biases.

    Examples
    --------
    >>> parameters(20, (64, 32), 2)
    3490
    """
    return sum((a + 1) * b for a, b in itertools.pairwise((features, *hidden, classes)))


def smaller(hidden: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes of the sweep, each once, the smallest first."""
    made = [tuple(max(2, round(width * share)) for width in hidden) for share in SHARES]
    return [shape for place, shape in enumerate(made) if shape not in [*made[:place], hidden]]


def run(bench: Bench, splits: Sequence[Round], progress: bool) -> tuple[Scores, list[Tuning]]:
    """Tune and test every split.

    Parameters
    ----------
    bench : Bench
    splits : sequence of Round
    progress : bool
        Whether to show a bar with the time left.
    """
    scores = Scores()
    tunings: list[Tuning] = []
    bar = tqdm(
        total=sum(3 + 2 * len(split.tests) for split in splits),  # a tuning takes longer
        desc="distill report",
        bar_format="{desc} {percentage:3.0f} % |{bar}| {elapsed} so far, {remaining} left",
        leave=False,
        disable=not progress or os.environ.get("DISTILL_PROGRESS") == "off",
    )
    sizes: list[tuple[int, int]] = []
    with bar:
        for split in splits:
            tuning = bench.tune(split, len(tunings))
            tunings.append(tuning)
            bar.update(3)
            for train, test in split.tests:
                bench.test(tuning, train, test, len(sizes), scores)
                sizes.append((len(train), len(test)))
                bar.update(2)
    scores.train_size, scores.test_size = (round(float(n)) for n in np.mean(sizes, 0))
    return scores, tunings

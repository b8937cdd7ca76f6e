"""Run all arms over all splits, and keep the scores."""

from __future__ import annotations

import itertools
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from joblib import Parallel, delayed
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

    @classmethod
    def of_all(cls, parts: Sequence[Scores]) -> Scores:
        """Put the scores of single splits together."""
        made = cls()
        for part in parts:
            for size, table in [(None, part.values), *part.sizes.items()]:
                for arm, scores in table.items():
                    made.add(arm, {name: values[0] for name, values in scores.items()}, size)
            made.wrong |= part.wrong
        made.train_size, made.test_size = (
            round(float(np.mean(sizes)))
            for sizes in zip(*((p.train_size, p.test_size) for p in parts), strict=True)
        )
        return made


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

    def of_equal_rows(self, arms: Sequence[str]) -> list[list[str]]:
        """Part the arms into those that may train as one stack."""
        own = [arm for arm in arms if self.unlabelled is None or arm in (HARD, SMOOTHED)]
        return [part for part in (own, [arm for arm in arms if arm not in own]) if part]

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
        recipes, total = self.recipes(task, logits), len(task.y_train)
        for names in self.of_equal_rows(list(recipes)):
            parts = [(self.rows_of(names[0], fit, total), part) for fit, part in folds]
            found = protocol.tune(
                task,
                {name: recipes[name] for name in names},
                parts,
                hidden=self.hidden,
                epochs=Plan.for_rows(len(parts[0][0])).student_epochs,
                trial_seed=seed,
            )
            for name, choice in found.items():
                settings[name] = choice.setting
                temperatures[name] = choice.temperature
                edges += [name] * bool(choice.edges)
        return Tuning(knobs, settings, temperatures, tuple(edges))

    def train(
        self,
        task: Task,
        logits: Tensor,
        tuning: Tuning,
        train: Tensor,
        seeds: Sequence[int],
        shapes: Sequence[tuple[int, ...]],
        only: Sequence[str] = (),
    ) -> dict[tuple[str, tuple[int, ...]], Stack]:
        """Train the students of all arms at their settings, in each shape."""
        recipes, total = self.recipes(task, [logits]), len(task.y_train)
        made: dict[tuple[str, tuple[int, ...]], Stack] = {}
        for names in self.of_equal_rows([name for name in recipes if name in (only or recipes)]):
            rows = self.rows_of(names[0], train, total)
            epochs = Plan.for_rows(len(rows)).student_epochs
            arms = {name: recipes[name].arm(None, tuning.settings[name], rows) for name in names}
            made |= ex.train_students(
                task,
                {
                    (name, shape): replace(arm, hidden=shape)
                    for name, arm in arms.items()
                    for shape in shapes
                },
                seeds=seeds,
                epochs=epochs,
                average_last=protocol.averaged(epochs),
            )
        return made

    def test(self, tuning: Tuning, train: Rows, test: Rows, index: int) -> Scores:
        """Train on one part and judge on the other."""
        scores = Scores(train_size=len(train), test_size=len(test))
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
        students = self.train(task, logits, tuning, rows, seeds, [self.hidden])
        for (name, _), stack in students.items():
            found = score(stack.predict(task.x_train[asked]), labels, tuning.temperatures[name])
            scores.add(name, found)
            if name in (HARD, DISTILLED):
                scores.add(name, found, self.hidden)
            if name == HARD:
                said = stack.predict(task.x_train[asked]).argmax(-1)
                missed = (said != labels).double().mean(0) > 0.5
                scores.wrong |= set(test[missed.numpy()].tolist())
        small = smaller(self.hidden)
        if small:
            students = self.train(task, logits, tuning, rows, seeds, small, (HARD, DISTILLED))
            for (name, hidden), stack in students.items():
                scores.add(name, score(stack.predict(task.x_train[asked]), labels, 1.0), hidden)
        return scores

    def deliver(
        self, tuning: Tuning, seconds: float, index: int, hidden: tuple[int, ...]
    ) -> Delivered:
        """Train on all rows what is handed over: students of that shape."""
        start = time.perf_counter()
        every = np.arange(len(self.own.labels))
        task, columns = self.task(every)
        rows, plan = torch.from_numpy(every), Plan.for_rows(len(every))
        ensemble = None
        if isinstance(self.teacher, Networks):
            ensemble = self.teacher.stack(task, rows, tuning.knobs, plan, index)
            logits = ensemble.predict(task.x_train)
        else:
            logits = self.teacher.logits(task, rows, tuning.knobs, plan, index, self.own.groups)
        taught = time.perf_counter()
        seeds = ex.member_seeds(self.seed, "student", index, 1)
        students = self.train(task, logits, tuning, rows, seeds, [hidden])
        took = {
            "tuning": seconds,
            "teachers": taught - start,
            "students": time.perf_counter() - taught,
        }
        by_arm = {name: stack for (name, _), stack in students.items()}
        return Delivered(columns, task, tuning, by_arm, ensemble, took)


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


class Memory(Protocol):
    """Where `run` looks for a part before it runs one, and leaves it: `_kept.Kept`."""

    def __contains__(self, part: str) -> bool: ...

    def __getitem__(self, part: str) -> Any: ...

    def add(self, part: str, result: Any) -> None: ...


def run(
    bench: Bench,
    splits: Sequence[Round],
    last: Round,
    progress: bool,
    kept: Memory | None = None,
) -> tuple[Scores, list[Tuning], Tuning, float]:
    """Tune and test every split, and tune on all rows.

    Splits share nothing, so they run in as many processes as torch has threads, each with one:
    a split's networks are too small to keep two busy.

    Parameters
    ----------
    bench : Bench
    splits : sequence of Round
    last : Round
        All rows.
    progress : bool
        Whether to show a bar with the time left.
    kept : Memory, optional
        Parts that are there are not run again.

    Returns
    -------
    (Scores, list of Tuning, Tuning, float)
        The last two of all rows: what was chosen, and the seconds that it took.
    """
    tests = [(place, *test) for place, split in enumerate(splits) for test in split.tests]
    bar = tqdm(
        total=len(splits) + 1 + len(tests),
        desc="distill report",
        bar_format="{desc} {percentage:3.0f} % |{bar}| {elapsed} so far, {remaining} left",
        leave=False,
        disable=not progress or os.environ.get("DISTILL_PROGRESS") == "off",
    )
    with bar, Parallel(torch.get_num_threads(), return_as="generator") as pool:

        def each(jobs: list[tuple[str, Any]]) -> list[Any]:
            parts = [f"{kind} {given[0]}" for kind, given in jobs]
            made = {part: kept[part] for part in parts if kept is not None and part in kept}
            bar.update(len(made))
            left = {part: job for part, job in zip(parts, jobs, strict=True) if part not in made}
            results = pool(delayed(_job)(bench, *job) for job in left.values())
            for part, result in zip(left, results, strict=True):
                made[part] = result
                if kept is not None:
                    kept.add(part, result)
                bar.update()
            return [made[part] for part in parts]

        tunings = [tuning for tuning, _ in each([("tune", s) for s in enumerate(splits)])]
        rest: list[tuple[str, Any]] = [("tune", (len(splits), last))]
        rest += [
            ("test", (index, tunings[place], train, test))
            for index, (place, train, test) in enumerate(tests)
        ]
        (tuning, seconds), *scores = each(rest)
    return Scores.of_all(scores), tunings, tuning, seconds


def _job(bench: Bench, kind: str, given: Any) -> Any:
    """Tune or test in a process of its own, or in this one where there is one alone."""
    start, threads = time.perf_counter(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            # A trial at a rate that is too high diverges; it is not chosen.
            warnings.filterwarnings("ignore", message=".*finite.*", category=RuntimeWarning)
            if kind == "tune":
                index, split = given
                return bench.tune(split, index), time.perf_counter() - start
            index, tuning, train, test = given
            return bench.test(tuning, train, test, index)
    finally:
        torch.set_num_threads(threads)

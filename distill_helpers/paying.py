"""The map of when distilling pays: many made-up tasks of known law, one measurement each.

`points` lays them out, `replicate` measures one; ``studies/map.py`` runs them all and says what was
predicted. `view_points` and `replicate_views` are the same for a corner of its own, in which a
class can be told by either of two views (``studies/views.py``); `lead_points` and `replicate_lead`
are fresh points on which a sign found on the map is tested (``studies/lead.py``). `run_study` is
what the scripts do. Chapter 08 reads the tables.
"""

from __future__ import annotations

import argparse
import functools
import math
import multiprocessing
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import qmc
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import metrics, protocol, studies
from distill_helpers.experiments import Arm
from distill_helpers.networks import Stack
from distill_helpers.protocol import Choice, Recipe, Setting, Shape
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, gaussian_mixture_task, multi_view_task
from distill_helpers.training import Distillation, HardLabels, fit

RANDOM_STATE = 42
FOLDS, FOLDS_USED = 4, 2
NUM_POINTS = 400
REPLICATES = 12
STUDENTS = 2
MEMBERS, FEW = 12, 3  # of the ensemble; of what a reader trains before deciding
NUM_TEST = 4_000
VISITS = 30_000  # of training rows in one training, so that few rows are seen as often as many
TEACHER = Shape((64, 32), (0.0, 0.0))

CLASSES = (2, 3, 4, 6, 10)
CLUSTERS = (1, 2, 3)
WIDTHS = (8, 16, 32, 64)
TEACHER_ROWS = (1, 1, 2, 4)
UNLABELLED = (0, 0, 1, 3)

LEAD_POINTS = 256
LEAD_STATE = 43  # not the map's: fresh points

VIEW_POINTS = 16
VIEWS = 2
VIEW_CLASSES = (2, 3, 4, 6)

HARD, SMOOTHED, SOFT = "hard", "smoothed", "soft"
LEVELLED, PERMUTED, EXACT = "levelled", "permuted", "exact"
ARMS = (HARD, SMOOTHED, SOFT, LEVELLED, PERMUTED, EXACT)


@dataclass(frozen=True)
class Point:
    """A made-up task, its student, and what its teachers saw more.

    Attributes
    ----------
    classes, dimension, clusters : int
        C, D, and Gaussian clusters of each class.
    overlap : float
        Bayes error before label noise, as a share of a guess's error.
    label_noise : float
        Share of labels that are drawn anew.
    rows : int
        Labelled rows of the student.
    width : int
        Of the student's first hidden layer; the second is half as wide.
    teacher_rows : int
        How many times the student's labelled rows the teachers saw, these among them.
    unlabelled : int
        How many times the labelled rows there are inputs without a label, for soft targets alone.
    diagnosed : bool
        Whether levelled, permuted and exact soft targets are measured too.
    """

    classes: int
    dimension: int
    clusters: int
    overlap: float
    label_noise: float
    rows: int
    width: int
    teacher_rows: int
    unlabelled: int
    diagnosed: bool

    def task(self, index: int) -> Task:
        """Draw its law, and a training part of the teachers' rows and then the unlabelled ones."""
        return gaussian_mixture_task(
            self.classes,
            self.dimension,
            self.overlap * (1 - 1 / self.classes),
            self.label_noise,
            clusters_per_class=self.clusters,
            num_train=self.rows * (self.teacher_rows + self.unlabelled),
            num_test=1,
            random_state=index,
        )


def points(count: int = NUM_POINTS, seed: int = RANDOM_STATE) -> list[Point]:
    """Spread the points over all axes at once: a scrambled Sobol sequence, rows on a log scale.

    Half of them have teachers who saw the student's rows alone, half no unlabelled inputs, a third
    no label noise.

    Parameters
    ----------
    count : int
        How many, from 1.
    seed : int
        Of the scrambling; another one gives other points.
    """
    power = math.ceil(math.log2(count))
    sequence = qmc.Sobol(9, scramble=True, rng=seed).random_base2(power).tolist()
    found: list[Point] = []
    for u in sequence[:count]:

        def among(choices: Sequence[int], share: float) -> int:
            return choices[int(share * len(choices))]

        classes, unlabelled = among(CLASSES, u[0]), among(UNLABELLED, u[8])
        found.append(
            Point(
                classes=classes,
                dimension=round(5 * 8 ** u[1]),
                clusters=among(CLUSTERS, u[2]),
                overlap=round(0.05 + 0.6 * u[3], 4),
                label_noise=round(max(0.0, 0.6 * u[4] - 0.2), 4),
                rows=max(round(60 * (1000 / 60) ** u[5]), 16 * classes),
                width=among(WIDTHS, u[6]),
                teacher_rows=among(TEACHER_ROWS, u[7]),
                unlabelled=unlabelled,
                diagnosed=classes > 2 and not unlabelled and len(found) % 2 == 0,
            )
        )
    return found


def lead_points() -> list[Point]:
    """Draw points that the map has not, whose teachers saw what the student sees."""
    return [
        replace(point, teacher_rows=1, unlabelled=0, diagnosed=False)
        for point in points(LEAD_POINTS, LEAD_STATE)
    ]


@dataclass(frozen=True)
class ViewPoint(Point):
    """A point whose classes have several views; see `tasks.multi_view_task`.

    Attributes
    ----------
    views : int
        Of each class.
    single : float
        Share of rows that show one of them alone.
    faint : float
        Strength of another class's view in a row, as a share of a seen one's.
    """

    views: int
    single: float
    faint: float

    def task(self, index: int) -> Task:
        """Draw its law, and a training part of the teachers' rows."""
        return multi_view_task(
            self.classes,
            self.dimension,
            self.overlap * (1 - 1 / self.classes),
            views=self.views,
            single=self.single,
            faint=self.faint,
            num_train=self.rows,
            num_test=1,
            random_state=index,
        )


def view_points() -> list[ViewPoint]:
    """Spread points of two views over seven axes, as `points` does; teachers see no more rows."""
    power = math.ceil(math.log2(VIEW_POINTS))
    sequence = qmc.Sobol(7, scramble=True, rng=RANDOM_STATE).random_base2(power).tolist()
    found = []
    for u in sequence[:VIEW_POINTS]:
        classes = VIEW_CLASSES[int(u[0] * len(VIEW_CLASSES))]
        found.append(
            ViewPoint(
                classes=classes,
                dimension=round(16 * 4 ** u[1]),
                clusters=1,
                overlap=round(0.02 + 0.28 * u[2], 4),
                label_noise=0.0,
                rows=max(round(60 * (1000 / 60) ** u[3]), 16 * classes),
                width=WIDTHS[int(u[4] * len(WIDTHS))],
                teacher_rows=1,
                unlabelled=0,
                diagnosed=False,
                views=VIEWS,
                single=round(0.05 + 0.45 * u[5], 4),
                faint=round(0.1 + 0.4 * u[6], 4),
            )
        )
    return found


def epochs(rows: int) -> int:
    """Return passes over `rows`: `VISITS` of rows in all, within 40 and 400 passes."""
    return min(400, max(40, round(VISITS / rows)))


Folds = list[tuple[Tensor, Tensor]]


def folds_of(labels: Tensor, rows: Tensor, seed: int) -> Folds:
    """Hold out parts of the rows, alike in classes; pairs of rows that fit and rows that judge."""
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of a class rarer than folds, which few rows can draw
        warnings.simplefilter("ignore", UserWarning)
        found = list(splitter.split(np.zeros(len(rows)), labels[rows].numpy()))[:FOLDS_USED]
    return [(rows[torch.from_numpy(a)], rows[torch.from_numpy(b)]) for a, b in found]


@dataclass(frozen=True)
class Signs:
    """What a reader can know before distilling: one tuned student, three tuned teachers.

    All are measured on held-out rows of the training part; losses in nats.

    Attributes
    ----------
    student_loss : float
        NLL of the tuned student on hard labels.
    teacher_loss : float
        NLL of one teacher, the mean of three.
    pool_loss : float
        NLL of the three together, logits averaged.
    edge, edge_error : float
        What the three gain on the student, and its standard error over rows.
    lead, lead_error : float
        What the three gain on one of them, and its standard error over rows.
    disagreement : float
        Mutual information of label and member: entropy of the mean forecast minus the mean
        entropy, in nats.
    student_accuracy : float
        Of the student.
    labels_per_class : float
        Labelled rows of the student, by class.
    """

    student_loss: float
    teacher_loss: float
    pool_loss: float
    edge: float
    edge_error: float
    lead: float
    lead_error: float
    disagreement: float
    student_accuracy: float
    labels_per_class: float


def signs(
    task: Task, students: Sequence[Tensor], teachers: Sequence[Tensor], folds: Folds, rows: int
) -> Signs:
    """Measure the signs.

    Parameters
    ----------
    task : Task
        Its labels are used.
    students, teachers : sequence of Tensor
        Logits ``(M, n, C)`` on the held-out rows of each fold, from networks that never saw them.
    folds : sequence of (fit_rows, held_out_rows)
    rows : int
        Labelled rows of the student.
    """
    labels = torch.cat([task.y_train[held_out] for _, held_out in folds])
    student, few = (torch.cat(list(parts), 1).double() for parts in (students, teachers))

    def loss(logits: Tensor) -> Tensor:
        """By row, the mean over members."""
        every = labels.expand(len(logits), -1).reshape(-1)
        each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), every, reduction="none")
        return each.view(len(logits), -1).mean(0)

    def gap(worse: Tensor, better: Tensor) -> tuple[float, float]:
        by_row = worse - better
        return float(by_row.mean()), float(by_row.std() / len(by_row) ** 0.5)

    def entropy(p: Tensor) -> Tensor:
        return -torch.special.xlogy(p, p).sum(-1)

    own, one, pool = loss(student), loss(few), loss(few.mean(0, keepdim=True))
    p = few.softmax(-1)
    (edge, edge_error), (lead, lead_error) = gap(own, pool), gap(one, pool)
    return Signs(
        student_loss=float(own.mean()),
        teacher_loss=float(one.mean()),
        pool_loss=float(pool.mean()),
        edge=edge,
        edge_error=edge_error,
        lead=lead,
        lead_error=lead_error,
        disagreement=float((entropy(p.mean(0)) - entropy(p).mean(0)).mean()),
        student_accuracy=float((student.argmax(-1) == labels).double().mean()),
        labels_per_class=rows / task.num_classes,
    )


@dataclass(frozen=True)
class Rows:
    """Which rows of a point's training part are whose."""

    student: Tensor
    teacher: Tensor
    unlabelled: Tensor

    @classmethod
    def of(cls, point: Point) -> Rows:
        """Put the student's first, then the teachers' own, then those without a label."""
        every = torch.arange(point.rows * (point.teacher_rows + point.unlabelled))
        cut = point.rows * point.teacher_rows
        return cls(every[: point.rows], every[:cut], every[cut:])


def recipes(task: Task, logits: Mapping[int | None, Tensor], point: Point) -> dict[str, Recipe]:
    """List the arms of a point.

    Parameters
    ----------
    task : Task
    logits : mapping of Tensor
        The teachers' ``(M, N, C)`` on every row, by the fold that they have not seen; None: all.
    point : Point
    """
    labels = task.y_train

    def soft(fold: int | None, T: float) -> Tensor:
        return soft_targets(logits[fold], T, "logits")

    def tempered(targets: Callable[[int | None, float], Tensor]) -> Recipe:
        return Recipe(targets, protocol.TEMPERATURES, 1.0, tempered=True)

    one_hot = ex.smoothed_labels(labels, task.num_classes)
    found = {
        HARD: Recipe(lambda fold, s: one_hot),
        SMOOTHED: Recipe(
            lambda fold, s: ex.smoothed_labels(labels, task.num_classes, s), protocol.SMOOTHINGS
        ),
        SOFT: tempered(soft),
    }
    if point.diagnosed:
        exact = task.log_posterior(task.x_train)
        found |= {
            LEVELLED: tempered(lambda fold, T: protocol.levelled(soft(fold, T), labels)),
            PERMUTED: tempered(
                lambda fold, T: ex.permute_within_class(soft(fold, T), labels, RANDOM_STATE)
            ),
            EXACT: tempered(lambda fold, T: soft_targets(exact, T).float()),
        }
    return found


def choose(
    task: Task, arms: Mapping[str, Recipe], folds: Folds, rows: Rows, point: Point, seed: int
) -> dict[str, Choice]:
    """Tune every arm by the book's protocol; soft targets on the unlabelled inputs too."""
    tune = functools.partial(protocol.tune, task, hidden=_hidden(point.width), trial_seed=seed)
    more = len(rows.unlabelled)
    if not more:
        return tune(arms, folds, epochs=epochs(point.rows))
    others = {name: recipe for name, recipe in arms.items() if name != SOFT}
    longer = [(torch.cat([fit_rows, rows.unlabelled]), held_out) for fit_rows, held_out in folds]
    return tune(others, folds, epochs=epochs(point.rows)) | tune(
        {SOFT: arms[SOFT]}, longer, epochs=epochs(point.rows + more)
    )


def train(
    tasks: Sequence[Task],
    arms: Sequence[Mapping[str, Arm]],
    seeds: Sequence[Sequence[int]],
    width: int,
    epochs_of: Callable[[int], int] = epochs,
) -> list[dict[str, Stack]]:
    """Train the students of all arms and training sets, side by side where rows are as many.

    Parameters
    ----------
    tasks : sequence of Task
        Training sets.
    arms : sequence of mapping of Arm
        By name, for each training set.
    seeds : sequence of sequence of int
        Of the students, for each training set: the same for all of its arms.
    width : int
        Of the students' first hidden layer.
    epochs_of : callable
        Passes, from the number of rows.

    Returns
    -------
    list of dict of Stack
        As `arms`.
    """
    found: list[dict[str, Stack]] = [{} for _ in tasks]
    counts = {name: len(_rows(arm)) for name, arm in arms[0].items()}
    for count in sorted(set(counts.values())):
        places = [(n, k) for n in arms[0] if counts[n] == count for k in range(len(tasks))]
        each = [(k, arms[k][name], seed) for name, k in places for seed in seeds[k]]
        chosen, passes = [arm for _, arm, _ in each], epochs_of(count)
        sizes = (tasks[0].x_train.shape[1], *_hidden(width), tasks[0].num_classes)
        stack = Stack.build(sizes, seeds=[seed for _, _, seed in each])
        fit(
            stack,
            [tasks[k] for k, _, _ in each],
            Distillation(
                torch.stack([arm.soft_targets for arm in chosen]),
                torch.stack([tasks[k].y_train for k, _, _ in each]),
                temperature=[arm.temperature for arm in chosen],
                alpha=[arm.alpha for arm in chosen],
            ),
            epochs=passes,
            learning_rate=[arm.learning_rate for arm in chosen],
            weight_decay=[arm.weight_decay for arm in chosen],
            seeds=[seed for _, _, seed in each],
            rows=torch.stack([_rows(arm) for arm in chosen]),
            average_last=protocol.averaged(passes),
        )
        start = 0
        for name, k in places:
            end = start + len(seeds[k])
            found[k][name] = stack[start:end]
            start = end
    return found


def teach(
    tasks: Sequence[Task], rows: Tensor, knobs: Setting, seeds: Sequence[Sequence[int]], passes: int
) -> list[Stack]:
    """Train teachers on the labels of each training set, all side by side."""
    members = [(task, seed) for task, own in zip(tasks, seeds, strict=True) for seed in own]
    sizes = (tasks[0].x_train.shape[1], *TEACHER.hidden, tasks[0].num_classes)
    stack = Stack.build(sizes, seeds=[seed for _, seed in members])
    fit(
        stack,
        [task for task, _ in members],
        HardLabels(torch.stack([task.y_train for task, _ in members])),
        epochs=passes,
        learning_rate=knobs.learning_rate,
        weight_decay=knobs.weight_decay,
        seeds=[seed for _, seed in members],
        rows=rows,
        average_last=protocol.averaged(passes),
    )
    ends = np.cumsum([len(own) for own in seeds])
    return [stack[end - len(own) : end] for end, own in zip(ends.tolist(), seeds, strict=True)]


def look(
    task: Task, rows: Rows | None = None, *, width: int = TEACHER.hidden[0], seed: int = 0
) -> Signs:
    """Measure the signs on a reader's own rows: one student and three teachers, tuned.

    Parameters
    ----------
    task : Task
        Its training part is used; 60 rows or more, so that a fold has some of each class.
    rows : Rows, optional
        Of the student and of its teachers; all for both where left out.
    width : int
        Of the student's first hidden layer; the second is half as wide.
    seed : int
        Of the folds and of every network.

    Returns
    -------
    Signs
    """
    if rows is None:
        every = torch.arange(len(task.y_train))
        rows = Rows(every, every, every[:0])
    folds, passes = folds_of(task.y_train, rows.student, seed), epochs(len(rows.teacher))
    trial = ex.member_seeds(RANDOM_STATE, "trial", seed, 1)[0]
    knobs = _tuned_teacher(task, rows, passes, trial, seed)
    seeds = ex.member_seeds(RANDOM_STATE, "teacher", seed * REPLICATES, FEW)
    logits = _fold_teachers(task, rows, folds, knobs, seeds, passes)
    one_hot = ex.smoothed_labels(task.y_train, task.num_classes)
    hard = Recipe(lambda fold, s: one_hot)
    count = len(rows.student)
    chosen = protocol.tune(
        task, {HARD: hard}, folds, hidden=_hidden(width), epochs=epochs(count), trial_seed=trial
    )
    seeds = ex.member_seeds(RANDOM_STATE, "student", seed * REPLICATES, STUDENTS)
    return _look(task, logits, hard, chosen[HARD].setting, folds, seeds, width, count)


def _tuned_teacher(task: Task, rows: Rows, passes: int, trial: int, seed: int) -> Setting:
    folds = folds_of(task.y_train, rows.teacher, seed)
    knobs, _ = protocol.tune_teacher(task, folds, [TEACHER], epochs=passes, trial_seed=trial)
    return knobs


def _fold_teachers(
    task: Task, rows: Rows, folds: Folds, knobs: Setting, seeds: Sequence[int], passes: int
) -> dict[int, Tensor]:
    """Return logits on every row of teachers that have not seen a fold's held-out rows."""
    found = {}
    for fold, (_, held_out) in enumerate(folds):
        seen = rows.teacher[~torch.isin(rows.teacher, held_out)]
        [stack] = teach([task], seen, knobs, [seeds], passes)
        found[fold] = stack.predict(task.x_train)
    return found


def _look(
    task: Task,
    logits: Mapping[int, Tensor],
    hard: Recipe,
    setting: Setting,
    folds: Folds,
    seeds: Sequence[int],
    width: int,
    rows: int,
) -> Signs:
    """Train the students of the folds, and compare them with three of the folds' teachers."""
    own, few = [], []
    for fold, (fit_rows, held_out) in enumerate(folds):
        arm = hard.arm(fold, setting, fit_rows)
        [made] = train([task], [{HARD: arm}], [seeds], width, lambda _: epochs(rows))
        own.append(made[HARD].predict(task.x_train[held_out]))
        few.append(logits[fold][:FEW, held_out])
    return signs(task, own, few, folds, rows)


def replicate(index: int) -> list[studies.Row]:
    """Measure a point of the map: one row, its number first."""
    return [{"point": index} | measure(points()[index], index)]


def replicate_lead(index: int) -> list[studies.Row]:
    """Measure a fresh point of `lead_points`, of a law and seeds that no point of the map has."""
    return [{"point": index} | measure(lead_points()[index], NUM_POINTS + index)]


def one_view_only(task: Task, teachers: Stack, views: int) -> dict[str, float]:
    """Count the classes of which a network recognises some views and not all.

    It is shown the mean row of each class that has one view alone: no noise, and every other view
    as faint as on average.

    Parameters
    ----------
    task : Task
        Made by `tasks.multi_view_task`.
    teachers : Stack
        M members.
    views : int
        Of each class.

    Returns
    -------
    dict of str to float
        ``one_view_teacher``, the share of classes, mean over members; ``one_view_ensemble``, the
        share for the mean of their logits.
    """
    assert task.law is not None
    classes, columns = task.num_classes, task.law.num_features
    centres = task.law.centroids.reshape(classes, -1, (classes - 1) * views, columns)
    alone = task.standardise(centres[:, -views:].mean(2).reshape(-1, columns))
    z = teachers.predict(alone)
    found = {}
    for name, logits in (("teacher", z), ("ensemble", z.mean(0, keepdim=True))):
        guesses = logits.argmax(-1).view(-1, classes, views)
        right = guesses == torch.arange(classes)[:, None]
        some = right.any(-1) & ~right.all(-1)
        found[f"one_view_{name}"] = float(some.double().mean())
    return found


def replicate_views(index: int) -> list[studies.Row]:
    """Measure a point of two views, and the same with one: two rows, the point's number first."""
    found: list[studies.Row] = []
    for views in (VIEWS, 1):
        point = replace(view_points()[index], views=views)
        also = functools.partial(one_view_only, views=views)
        found.append({"point": index} | measure(point, index, also=also))
    return found


def measure(
    point: Point,
    index: int,
    replicates: int = REPLICATES,
    also: Callable[[Task, Stack], Mapping[str, float]] | None = None,
) -> studies.Row:
    """Tune on a point's first training set, then train and judge on every one.

    The settings of the first training set serve all: a reader has one, and the choice's luck is
    part of what distilling gains. Points are many, so it averages out over the map; an interval of
    one point does not hold it.

    Parameters
    ----------
    point : Point
    index : int
        Seeds its law, its folds and its networks.
    replicates : int
        Training sets, fresh draws of one law.
    also : callable, optional
        What else to measure of each training set's teachers; its means join the row.

    Returns
    -------
    dict
        The point, its signs, and for each arm its NLL (``nll_ARM``), what it gains on hard labels
        in nats and in accuracy (``gain_ARM``, ``accuracy_gain_ARM``), the gain of soft targets on
        smoothed labels, and standard errors over training sets.
    """
    rows, law = Rows.of(point), point.task(index)
    first = law.with_fresh_data(0)
    seed = ex.member_seeds(RANDOM_STATE, "trial", index, 1)[0]
    folds = folds_of(first.y_train, rows.student, index)
    passes = epochs(len(rows.teacher))
    knobs = _tuned_teacher(first, rows, passes, seed, index)
    sets = range(index * REPLICATES, index * REPLICATES + replicates)
    teachers = [ex.member_seeds(RANDOM_STATE, "teacher", number, MEMBERS) for number in sets]
    students = [ex.member_seeds(RANDOM_STATE, "student", number, STUDENTS) for number in sets]

    logits = _fold_teachers(first, rows, folds, knobs, teachers[0], passes)
    arms = recipes(first, dict(logits.items()), point)
    chosen = choose(first, arms, folds, rows, point, seed)
    told = _look(
        first,
        logits,
        arms[HARD],
        chosen[HARD].setting,
        folds,
        students[0],
        point.width,
        point.rows,
    )

    tasks = [first, *(law.with_fresh_data(number) for number in range(1, replicates))]
    stacks = teach(tasks, rows.teacher, knobs, teachers, passes)
    longer = torch.cat([rows.student, rows.unlabelled])
    ready = []
    for task, stack in zip(tasks, stacks, strict=True):
        every = recipes(task, {None: stack.predict(task.x_train)}, point)
        ready.append(
            {
                name: recipe.arm(
                    None, chosen[name].setting, longer if name == SOFT else rows.student
                )
                for name, recipe in every.items()
            }
        )
    scores: dict[str, list[tuple[float, float]]] = {}
    results = train(tasks, ready, students, point.width)
    more = [also(task, stack) for task, stack in zip(tasks, stacks, strict=True)] if also else []
    for number, (task, stack, made) in enumerate(zip(tasks, stacks, results, strict=True)):
        x, _ = task.sample(NUM_TEST, seed=number)
        truth = task.posterior(x)
        found = {name: one.predict(x) for name, one in made.items()}
        found["teacher"] = stack.predict(x)
        found["ensemble"] = found["teacher"].mean(0, keepdim=True)
        for name, z in found.items():
            nll = metrics.negative_log_likelihood(z, truth, members=True).mean()
            right = metrics.accuracy(z, truth, members=True).mean()
            scores.setdefault(name, []).append((float(nll), float(right)))
    return (
        {name: int(v) if isinstance(v, bool) else v for name, v in asdict(point).items()}
        | asdict(told)
        | _summary(scores)
        | {name: float(np.mean([found[name] for found in more])) for name in (more or [{}])[0]}
        | {"edges": sum(bool(choice.edges) for choice in chosen.values()), "arms": len(chosen)}
    )


def run_study(
    script: str, about: str, replicate: Callable[[int], list[studies.Row]], most: int
) -> None:
    """Read a study's command line, and measure its points beside each other; save after each.

    Parameters
    ----------
    script : str
        The study's own file; the table stands beside it.
    about : str
        What ``--help`` says.
    replicate : callable
        Measures the point of a number: `replicate`, `replicate_views` or `replicate_lead`.
    most : int
        Points that there are.
    """
    path = Path(script)
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=most, help="how many, to try")
    parser.add_argument("--workers", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, default=path.with_suffix(".csv"), help="the table")
    args = parser.parse_args()
    if min(args.points, args.workers) < 1 or args.points > most:
        parser.error(f"workers must be 1 or more, points 1 to {most}")
    command = f"python studies/{path.name}"
    if args.points < most:
        if args.output == path.with_suffix(".csv") and args.output.exists():
            parser.error(f"--points {args.points} would leave that many in {args.output}: --output")
        command += f" --points {args.points}"
    writer = studies.Writer(args.output, command, "point", script=[path, Path(__file__)])
    left = list(writer.missing(args.points))
    start = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with context.Pool(args.workers, torch.set_num_threads, (1,)) as pool:
        for done, rows in enumerate(pool.imap_unordered(replicate, left), 1):
            writer.add(rows)
            each = (time.perf_counter() - start) / done
            minutes = each * (len(left) - done) / 60
            print(f"{done} of {len(left)}; {minutes:.0f} min left", flush=True)
    writer.finish()
    print(f"wrote {args.output}")


def _rows(arm: Arm) -> Tensor:
    assert arm.rows is not None  # of a recipe
    return arm.rows


def _hidden(width: int) -> tuple[int, int]:
    return width, width // 2


def _summary(scores: Mapping[str, list[tuple[float, float]]]) -> studies.Row:
    """Means over training sets, and paired gains with their standard errors."""
    values = {name: np.array(found) for name, found in scores.items()}
    found: studies.Row = {}

    def mean(name: str, by_set: np.ndarray) -> None:
        found[name] = float(by_set.mean())
        found[f"{name}_error"] = float(by_set.std(ddof=1) / len(by_set) ** 0.5)

    for name in (*ARMS, "teacher", "ensemble"):
        found[f"nll_{name}"] = float(values[name][:, 0].mean()) if name in values else math.nan
    for name in ARMS[1:]:
        missing = np.full((2, 2), math.nan)
        difference = values[name] - values[HARD] if name in values else missing
        mean(f"gain_{name}", -difference[:, 0])
        mean(f"accuracy_gain_{name}", difference[:, 1])
    difference = values[SOFT] - values[SMOOTHED]
    mean("gain_soft_on_smoothed", -difference[:, 0])
    mean("accuracy_gain_soft_on_smoothed", difference[:, 1])
    found["accuracy_hard"] = float(values[HARD][:, 1].mean())
    return found

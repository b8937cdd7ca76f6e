"""The deciding study: what soft targets buy when every arm is tuned and so are the teachers.

`replicate` runs all arms on one training set of a task in `PLANS`; ``studies/deciding.py`` runs
many and says what was predicted, the page *What do soft targets buy?* reads its tables.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import metrics, protocol, studies
from distill_helpers.protocol import Recipe, Setting, Shape, Tuned
from distill_helpers.soft_targets import fitted_temperature, soft_targets
from distill_helpers.statistics import Estimate, nadeau_bengio
from distill_helpers.tasks import Task, article_task, gaussian_mixture_task

RANDOM_STATE = 42
NUM_TEST = 20_000
FOLDS, FOLDS_USED = 4, 2
STUDENTS = 4
BEST_OF = 12
MEMBERS = (1, 4, 12)
WIDTHS = (8, 64)
ARTICLE = Setting(learning_rate=1e-3, weight_decay=0.0, softness=0.0)
SPLITS = 5  # of the digits, in one repeat
DIGITS = 1797  # rows
HIGHER_IS_BETTER = ("accuracy", "agreement", "agreement_right", "agreement_slip")


@dataclass(frozen=True)
class Plan:
    """A task's training sets, and how long its networks train."""

    make: Callable[[int], Task]
    student_epochs: int
    teacher_epochs: int = 30
    share: float = 1.0  # of the training rows, what the student sees
    teachers_see_all: bool = True
    in_blocks: bool = False
    wide: bool = False  # rates and temperatures: the same for all arms

    @property
    def rates(self) -> Sequence[float]:
        """Learning rates on trial."""
        return protocol.WIDE_RATES if self.wide else protocol.RATES

    @property
    def temperatures(self) -> Sequence[float]:
        """Temperatures on trial."""
        return protocol.WIDE_TEMPERATURES if self.wide else protocol.TEMPERATURES


@functools.cache
def law(name: str) -> Task:
    """Return a task of known law."""
    if name == "article":
        return article_task(RANDOM_STATE)
    return gaussian_mixture_task(
        3, 10, 0.2, clusters_per_class=2, num_train=1000, random_state=RANDOM_STATE
    )


def fresh(name: str, num_train: int, index: int) -> Task:
    """Return a training set of a law; the article's first is its own."""
    base = law(name)
    if index == 0 and num_train == len(base.y_train):
        return base
    return base.with_fresh_data(index, num_train=num_train)


def digits(index: int, in_blocks: bool = False) -> Task:
    """Return a fold of the digits, standardised on its training part."""
    data = load_digits()
    if in_blocks:
        size = len(data.target) // SPLITS
        train, test = protocol.blocks(len(data.target), size, index * len(data.target) // 12)
    else:
        repeat, fold = divmod(index, SPLITS)
        splitter = StratifiedKFold(SPLITS, shuffle=True, random_state=repeat)
        found = list(splitter.split(data.data, data.target))[fold]
        train, test = (torch.from_numpy(rows) for rows in found)
    scaler = StandardScaler().fit(data.data[train])
    x, y = torch.from_numpy(scaler.transform(data.data)).float(), torch.from_numpy(data.target)
    return Task(
        name=f"digits, {'block' if in_blocks else 'fold'} {index}",
        num_classes=10,
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        classes=tuple(range(10)),
        mean=scaler.mean_,
        scale=scaler.scale_,
    )


PLANS = {
    "article-4000": Plan(functools.partial(fresh, "article", 4000), 50),
    "article-512": Plan(functools.partial(fresh, "article", 512), 100, 60, wide=True),
    "overlap3-1000": Plan(functools.partial(fresh, "overlap3", 1000), 50, wide=True),
    "overlap3-500": Plan(functools.partial(fresh, "overlap3", 500), 100, 60, wide=True),
    "digits-1437": Plan(digits, 50),
    "digits-1437-blocks": Plan(functools.partial(digits, in_blocks=True), 50, in_blocks=True),
    "digits-287": Plan(digits, 150, 60, share=0.2, teachers_see_all=False),
    "digits-287-of-1437": Plan(digits, 150, share=0.2, wide=True),
}


@dataclass(frozen=True)
class Split:
    """The rows of a replicate: the student's and its teachers', whole and by fold.

    A teacher's own setting is chosen on folds of its own rows (`tuning_folds`).
    """

    rows: Tensor
    teacher_rows: Tensor
    folds: list[tuple[Tensor, Tensor]]
    teacher_folds: list[tuple[Tensor, Tensor]]
    tuning_folds: list[tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, plan: Plan, task: Task, index: int) -> Split:
        """Draw the student's rows, and folds inside them, alike in classes or in runs."""
        every = torch.arange(len(task.y_train))
        rows = every
        if plan.share < 1:
            kept, _ = train_test_split(
                every.numpy(),
                train_size=plan.share,
                stratify=task.y_train.numpy(),
                random_state=index,
            )
            rows = torch.from_numpy(np.sort(kept))
        teacher_rows = every if plan.teachers_see_all else rows

        def split(rows: Tensor) -> list[tuple[Tensor, Tensor]]:
            if plan.in_blocks:
                size = len(rows) // FOLDS
                parts = [protocol.blocks(len(rows), size, k * 2 * size) for k in range(FOLDS_USED)]
            else:
                splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=index)
                labels = task.y_train[rows].numpy()
                found = list(splitter.split(np.zeros(len(labels)), labels))[:FOLDS_USED]
                parts = [(torch.from_numpy(a), torch.from_numpy(b)) for a, b in found]
            return [(rows[a], rows[b]) for a, b in parts]

        folds = split(rows)
        teacher_folds = [
            (teacher_rows[~torch.isin(teacher_rows, held_out)], held_out) for _, held_out in folds
        ]
        return cls(rows, teacher_rows, folds, teacher_folds, split(teacher_rows))


@dataclass(frozen=True)
class Teachers:
    """Twelve teachers' logits on every training row, for each fold and for all rows (None)."""

    train: dict[int | None, Tensor]
    test: Tensor
    temperatures: dict[tuple[int | None, int], float]

    @classmethod
    def of(
        cls,
        task: Task,
        split: Split,
        index: int,
        x: Tensor,
        setting: Setting,
        shape: Shape,
        *,
        epochs: int,
        average_last: int,
    ) -> Teachers:
        """Train them, and fit the temperature of the pool of each size on held-out rows."""
        train_on = functools.partial(
            protocol.train_on_labels,
            task,
            [setting],
            shape=shape,
            seeds=ex.member_seeds(RANDOM_STATE, "teacher", index, max(MEMBERS)),
            epochs=epochs,
            average_last=average_last,
        )
        train: dict[int | None, Tensor] = {}
        for fold, (fit_rows, _) in enumerate(split.teacher_folds):
            train[fold] = train_on(rows=fit_rows).predict(task.x_train)
        stack = train_on(rows=split.teacher_rows)
        train[None] = stack.predict(task.x_train)
        temperatures: dict[tuple[int | None, int], float] = {}
        for count in MEMBERS:
            for chosen in train:
                # A fold's temperature comes from the other folds' held-out rows.
                others = [fold for fold in range(FOLDS_USED) if fold != chosen]
                held_out = [split.folds[fold][1] for fold in others]
                logits = [
                    train[fold][:count, rows].mean(0)
                    for fold, rows in zip(others, held_out, strict=True)
                ]
                labels = task.y_train[torch.cat(held_out)]
                temperatures[chosen, count] = fitted_temperature(torch.cat(logits), labels)
        return cls(train, stack.predict(x), temperatures)

    def divisor(self, fold: int | None, count: int, calibrated: bool) -> float:
        """Return what divides the pooled logits."""
        return self.temperatures[fold, count] if calibrated else 1.0

    def targets(self, fold: int | None, count: int, calibrated: bool, temperature: float) -> Tensor:
        """Return soft targets for every training row."""
        divisor = self.divisor(fold, count, calibrated) * temperature
        return soft_targets(self.train[fold][:count], divisor, "logits")

    def on_test(self, count: int, calibrated: bool) -> Tensor:
        """Return the pool's logits on the test sample."""
        return self.test[:count].mean(0) / self.divisor(None, count, calibrated)


@dataclass(frozen=True)
class Judge:
    """A test sample: labels, or the exact posterior."""

    x: Tensor
    truth: Tensor
    entropy: float

    @classmethod
    def of(cls, task: Task, index: int) -> Judge:
        """Draw it fresh where the law is known; else take the task's own."""
        if not task.has_law:
            return cls(task.x_test, task.y_test, 0.0)
        x, _ = task.sample(NUM_TEST, seed=index)
        p = task.posterior(x)
        return cls(x, p, float(-torch.special.xlogy(p, p).sum(1).mean()))

    def scores(self, logits: Tensor, temperature: float) -> studies.Row:
        """Score logits ``(M, N, C)``, means over members, before and after a temperature."""

        def mean(score: Callable[..., Tensor], z: Tensor) -> float:
            return float(score(z, self.truth, members=True).mean())

        loss = mean(metrics.negative_log_likelihood, logits)
        return {
            "accuracy": mean(metrics.accuracy, logits),
            "negative_log_likelihood": loss,
            "excess_risk": loss - self.entropy if self.truth.dim() == 2 else float("nan"),
            "calibration_error": mean(metrics.expected_calibration_error, logits),
            "calibrated_loss": mean(metrics.negative_log_likelihood, logits / temperature),
            "calibrated_error": mean(metrics.expected_calibration_error, logits / temperature),
            "fitted_temperature": temperature,
        }

    def inherited(self, logits: Tensor, teacher: Tensor) -> studies.Row:
        """Say how often students ``(M, N, C)`` agree with a teacher ``(N, C)``, by its errors."""
        said, taught = logits.argmax(-1), teacher.argmax(-1)
        best = self.truth.argmax(1) if self.truth.dim() == 2 else self.truth
        same = (said == taught).double().mean(0)
        slip = taught != best

        def share(where: Tensor) -> float:
            return float(same[where].mean()) if bool(where.any()) else float("nan")

        top = logits.topk(2, -1).values
        return {
            "agreement": share(torch.ones_like(slip)),
            "agreement_right": share(~slip),
            "agreement_slip": share(slip),
            "teacher_slips": float(slip.double().mean()),
            "margin": float((top[..., 0] - top[..., 1]).mean()),
        }


Key = tuple[str, int, str]  # teacher, members, lesson
HARD: Key = ("none", 0, "hard labels")
SMOOTH: Key = ("none", 0, "smoothed labels")
FOUR: Key = ("none", 0, "hard labels, ensemble of 4")
LAST: Key = ("none", 0, "hard labels, last weights")


def soft(teacher: str, members: int, alpha: float = 1) -> Key:
    """Return the arm that learns from the soft targets of a teacher's members."""
    return teacher, members, f"soft, alpha {alpha:g}"


NOBODY = "none"


Targets = Callable[[int | None, float], Tensor]


def recipes(
    task: Task,
    teachers: dict[str, tuple[Teachers, bool]],
    temperatures: Sequence[float] = protocol.TEMPERATURES,
) -> dict[Key, Recipe]:
    """List the arms of a task: teacher, members, lesson."""
    one_hot = ex.smoothed_labels(task.y_train, task.num_classes)
    found: dict[Key, Recipe] = {
        (NOBODY, 0, "hard labels"): Recipe(lambda fold, s: one_hot),
        (NOBODY, 0, "smoothed labels"): Recipe(
            lambda fold, s: ex.smoothed_labels(task.y_train, task.num_classes, s),
            protocol.SMOOTHINGS,
        ),
    }

    def add(key: Key, targets: Targets, alpha: float) -> None:
        found[key] = Recipe(targets, tuple(temperatures), alpha, tempered=True)

    for name, (made, calibrated) in teachers.items():
        for count in MEMBERS:

            def soft(
                fold: int | None,
                T: float,
                made: Teachers = made,
                count: int = count,
                calibrated: bool = calibrated,
            ) -> Tensor:
                return made.targets(fold, count, calibrated, T)

            add((name, count, "soft, alpha 0.7"), soft, 0.7)
            add((name, count, "soft, alpha 1"), soft, 1.0)
            if task.num_classes > 2 and count == max(MEMBERS):

                def level(fold: int | None, T: float, soft: Targets = soft) -> Tensor:
                    return protocol.levelled(soft(fold, T), task.y_train)

                add((name, count, "levelled, alpha 1"), level, 1.0)
    if task.has_law:
        p = task.log_posterior(task.x_train)
        add(("oracle", 0, "soft, alpha 1"), lambda fold, T: soft_targets(p, T).float(), 1.0)
    return found


def replicate(
    plan: Plan,
    index: int,
    widths: Sequence[int] = WIDTHS,
    only: Collection[Key] | None = None,
    progress: str | None = None,
) -> list[studies.Row]:
    """Run all arms on one training set, or some of them.

    Parameters
    ----------
    plan : Plan
        One of `PLANS`.
    index : int
        Of the training set, from 0.
    widths : sequence of int
        Of the students: hidden layers of a width and half of it.
    only : collection of Key, optional
        Arms to run, with the teachers that they need and without rivals; all where left out.
    progress : str, optional
        Label of the progress bars.

    Returns
    -------
    list of dict
        One row an arm and width; teachers have width 0.
    """
    task = plan.make(index)
    split = Split.of(plan, task, index)
    judge = Judge.of(task, index)
    epochs = plan.teacher_epochs
    trial = ex.member_seeds(RANDOM_STATE, "trial", index, 1)[0]
    tuned, shape = protocol.tune_teacher(
        task,
        split.tuning_folds,
        epochs=epochs,
        trial_seed=trial,
        rates=plan.rates,
        progress=progress,
    )
    teach = functools.partial(Teachers.of, task, split, index, judge.x, epochs=epochs)
    own = teach(tuned, shape, average_last=protocol.averaged(epochs))
    made = {"tuned": (own, False), "calibrated": (own, True)}
    if only is None or any(key[0] == "article" for key in only):
        made["article"] = (teach(ARTICLE, protocol.SHAPES[0], average_last=1), False)
    arms = recipes(task, made, plan.temperatures)
    if only is not None:
        arms = {key: arms[key] for key in only}
    rows: list[studies.Row] = []

    def row(width: int, key: Key, setting: Setting, edges: Sequence[str], **more: object) -> None:
        teacher, members, lesson = key
        rows.append(
            {
                "replicate": index,
                "width": width,
                "arm": lesson,
                "teacher": teacher,
                "members": members,
                "learning_rate": setting.learning_rate,
                "weight_decay": setting.weight_decay,
                "softness": setting.softness,
                "edges": " ".join(name.replace(" ", "-") for name in edges),
                **more,
            }
        )

    for name, (teachers, calibrated) in made.items():
        for count in MEMBERS:
            logits = teachers.on_test(count, calibrated).unsqueeze(0)
            divisor = teachers.temperatures[None, count] / teachers.divisor(None, count, calibrated)
            setting = ARTICLE if name == "article" else tuned
            wide = name == "article" or shape == protocol.SHAPES[0]
            scores = judge.scores(logits, divisor) | judge.inherited(logits, logits[0])
            lesson = "teacher" if wide else "teacher, student's shape"
            row(0, (name, count, lesson), setting, [], **scores)
    reference = own.on_test(max(MEMBERS), False)
    for width in widths:
        hidden = (width, width // 2)
        results = protocol.run_tuned(
            task,
            arms,
            split.folds,
            split.rows,
            hidden=hidden,
            epochs=plan.student_epochs,
            trial_seed=trial,
            seeds=ex.member_seeds(RANDOM_STATE, "student", index, STUDENTS),
            rates=plan.rates,
            progress=progress,
        )
        for key, result in results.items():
            logits = result.stack.predict(judge.x)
            name, count, _ = key
            taught = made[name][0].on_test(count, made[name][1]) if name in made else reference
            scores = judge.scores(logits, result.temperature) | judge.inherited(logits, taught)
            row(width, key, result.setting, result.edges, **scores)
        if only is None:
            hard = results[NOBODY, 0, "hard labels"]
            for lesson, logits in rivals(task, split, judge, hard, hidden, plan, index):
                scores = judge.scores(logits, hard.temperature) | judge.inherited(logits, reference)
                row(width, (NOBODY, 0, lesson), hard.setting, hard.edges, **scores)
    return rows


def rivals(
    task: Task,
    split: Split,
    judge: Judge,
    hard: Tuned,
    hidden: tuple[int, ...],
    plan: Plan,
    index: int,
) -> list[tuple[str, Tensor]]:
    """Spend compute on hard labels in other ways, at the setting tuned for them."""
    epochs = plan.student_epochs
    train = functools.partial(
        protocol.train_on_labels,
        task,
        [hard.setting],
        shape=protocol.Shape(hidden, (0.0,) * len(hidden)),
        epochs=epochs,
    )
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, STUDENTS)
    last = train(rows=split.rows, seeds=seeds)
    fit_rows, held_out = split.folds[0]
    several = train(
        rows=fit_rows,
        seeds=ex.member_seeds(RANDOM_STATE, "best-of", index, BEST_OF),
        average_last=protocol.averaged(epochs),
    )
    losses = metrics.negative_log_likelihood(
        several.predict(task.x_train[held_out]), task.y_train[held_out], members=True
    )
    best = int(losses.argmin())
    return [
        ("hard labels, last weights", last.predict(judge.x)),
        (f"hard labels, best of {BEST_OF}", several[best : best + 1].predict(judge.x)),
        (f"hard labels, ensemble of {STUDENTS}", hard.stack.predict(judge.x).mean(0, keepdim=True)),
    ]


def tables(folder: str | Path) -> dict[str, studies.Study]:
    """Read the study's tables in the order of `PLANS`; a task without a table is left out.

    Parameters
    ----------
    folder : path
        Where ``deciding-TASK.csv`` lie.
    """
    paths = {name: Path(folder) / f"deciding-{name}.csv" for name in PLANS}
    return {name: studies.read(path) for name, path in paths.items() if path.exists()}


def gain(
    study: studies.Study,
    task: str,
    one: Key,
    other: Key,
    width: int = 64,
    column: str = "negative_log_likelihood",
) -> Estimate:
    """Return what one arm gains on another, paired by training set: above 0 is better.

    Parameters
    ----------
    study : Study
        Of the task.
    task : str
        One of `PLANS`: folds of the digits share rows, so their interval is that of Nadeau and
        Bengio (2003); the other tasks' training sets are independent.
    one, other : tuple
        Teacher, members and lesson; see `Key`.
    width : int
        Of the students; 0 for teachers.
    column : str
        A score of the table: a loss, an error, ``"accuracy"`` or an agreement.

    Returns
    -------
    Estimate
        In the column's unit: a fraction, or nats.
    """
    first, second = (values(study, key, width, column) for key in (one, other))
    if column not in HIGHER_IS_BETTER:
        first, second = second, first
    return paired(task, first, second)


def gains(
    tables: Mapping[str, studies.Study],
    one: Key,
    other: Key = HARD,
    width: int = 64,
    column: str = "negative_log_likelihood",
) -> dict[str, Estimate]:
    """Return what one arm gains on another in each task; see `gain`."""
    return {task: gain(study, task, one, other, width, column) for task, study in tables.items()}


def itself(
    study: studies.Study,
    task: str,
    teacher: str,
    members: int,
    width: int = 64,
    column: str = "negative_log_likelihood",
) -> Estimate:
    """Return what the teachers themselves gain on their tuned hard-label student."""
    own = values(study, (teacher, members, ""), 0, column)
    student = values(study, HARD, width, column)
    if column in HIGHER_IS_BETTER:
        return paired(task, own, student)
    return paired(task, student, own)


def against_teachers(
    tables: Mapping[str, studies.Study],
    one: Key,
    width: int = 64,
    column: str = "negative_log_likelihood",
) -> dict[str, Estimate]:
    """Return what a student of soft targets gains on its own teachers in each task.

    Parameters
    ----------
    tables : mapping of str to Study
        As `tables` returns them.
    one : tuple
        A student's arm; see `soft`.
    width : int
        Of the student.
    column : str
        As in `gain`.

    Returns
    -------
    dict of str to Estimate
        Below 0 where the student is worse than the ensemble that taught it.
    """
    found = {}
    for task, study in tables.items():
        student = values(study, one, width, column)
        own = values(study, (*one[:2], ""), 0, column)
        if column not in HIGHER_IS_BETTER:
            student, own = own, student
        found[task] = paired(task, student, own)
    return found


def paired(task: str, one: Mapping[int, float], other: Mapping[int, float]) -> Estimate:
    """Return the mean difference of two arms' scores by training set, with a task's interval.

    A training set in which one of them is missing or NaN is left out. Where students see a part of
    a fold of the digits, the interval's sizes stay the fold's: training sets share no more rows for
    that.
    """
    shared = sorted(
        index for index in one.keys() & other.keys() if math.isfinite(one[index] - other[index])
    )
    if not task.startswith("digits"):
        return studies.gain({i: one[i] for i in shared}, {i: other[i] for i in shared})
    differences = [one[index] - other[index] for index in shared]
    return nadeau_bengio(differences, (SPLITS - 1) * DIGITS // SPLITS, DIGITS // SPLITS)


def values(study: studies.Study, key: Key, width: int, column: str) -> dict[int, float]:
    """Return an arm's scores by training set; a teacher's lesson is its key's first and second."""
    teacher, members, lesson = key
    where = {"teacher": teacher, "members": members, "width": width}
    if width:
        return study.arm(lesson, column, **where)
    return {
        row["replicate"]: row[column]
        for row in study.rows
        if all(row[name] == value for name, value in where.items())
    }

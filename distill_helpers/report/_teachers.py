"""Who teaches: twelve networks, a classifier of scikit-learn, or a file of probabilities."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import protocol
from distill_helpers.files import OwnRows, categories, level, nearest, number, read
from distill_helpers.protocol import Folds, Setting, Shape
from distill_helpers.tasks import Task

Array = npt.NDArray[np.float64]

MEMBERS = 12
OUT_OF_FOLD = 4
"""Folds by which a classifier's own training rows are answered by one that did not see them."""


MANY_ROWS = 10_000
"""Training rows from which on teachers may have the article's shape: it costs four times as much as
twice the student's widths, and on few rows is no better."""


@dataclass(frozen=True)
class Plan:
    """How networks train: passes over the rows, by how many rows there are."""

    student_epochs: int
    teacher_epochs: int

    @classmethod
    def for_rows(cls, count: int) -> Plan:
        """Train small samples longer, and large ones for about as many steps as 4,000 rows."""
        student = 50_000 / count if count < 1000 else 50 if count <= 4000 else 200_000 / count
        epochs = max(5, min(150, round(student)))
        return cls(epochs, max(3, round(0.6 * epochs)))


class Teacher(Protocol):
    """Answers every row of a task, having learnt from some."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def members(self) -> int:
        """How many networks or models it is, as far as is known."""

    def tune(self, task: Task, folds: Folds, plan: Plan, seed: int) -> Any:
        """Choose knobs on held-out rows; what is returned goes into `logits`."""

    def logits(
        self, task: Task, rows: Tensor, knobs: Any, plan: Plan, index: int, whose: Any = None
    ) -> Tensor:
        """Learn from `rows` and return logits ``(M, N, C)`` on every row of ``x_train``."""


@dataclass(frozen=True)
class Networks:
    """The default: twelve networks of the student's shape or a wider one.

    Learning rate, weight decay and shape are tuned (`distill_helpers.protocol.tune_teacher`).
    """

    hidden: tuple[int, ...] = ex.STUDENT_HIDDEN
    name: str = "twelve networks"
    members: int = MEMBERS
    random_state: int = field(default=0, repr=False)

    def tune(self, task: Task, folds: Folds, plan: Plan, seed: int) -> tuple[Setting, Shape]:
        """Return the setting and the shape."""
        return protocol.tune_teacher(
            task,
            folds,
            self.shapes(len(folds[0][0])),
            epochs=plan.teacher_epochs,
            trial_seed=seed,
        )

    def shapes(self, rows: int) -> tuple[Shape, Shape]:
        """Return what is on trial for so many training rows, the wider one first."""
        wide = protocol.SHAPES[0]
        if rows < MANY_ROWS:
            wide = Shape(tuple(2 * width for width in self.hidden), (0.3,) * len(self.hidden))
        return wide, Shape(self.hidden, (0.0,) * len(self.hidden))

    def logits(
        self, task: Task, rows: Tensor, knobs: Any, plan: Plan, index: int, whose: Any = None
    ) -> Tensor:
        """See `Teacher`; on its own training rows it says what it has learnt by heart."""
        return self.stack(task, rows, knobs, plan, index).predict(task.x_train)

    def stack(self, task: Task, rows: Tensor, knobs: Any, plan: Plan, index: int) -> Any:
        """Train the members."""
        setting, shape = knobs
        return protocol.train_on_labels(
            task,
            [setting],
            rows,
            shape,
            seeds=ex.member_seeds(self.random_state, "teacher", index, self.members),
            epochs=plan.teacher_epochs,
            average_last=protocol.averaged(plan.teacher_epochs),
        )


@dataclass(frozen=True)
class Classifier:
    """A classifier of scikit-learn.

    It answers its own training rows out of fold, for on rows that it saw it is far too sure. With
    weight 1 against the trees' votes (or, where there are none, against the training rows), the
    classes' shares are mixed in: a class that no tree voted for has probability 0, and no
    temperature could soften that.
    """

    estimator: Any
    name: str
    members: int = 1
    random_state: int = field(default=0, repr=False)

    def tune(self, task: Task, folds: Folds, plan: Plan, seed: int) -> None:
        """Leave it as it was given."""

    def logits(
        self, task: Task, rows: Tensor, knobs: Any, plan: Plan, index: int, whose: Any = None
    ) -> Tensor:
        """See `Teacher`."""
        x, y, at = task.x_train.numpy(), task.y_train.numpy(), rows.numpy()
        found = self._answers(x, y, at, np.arange(len(x)), index)
        kind = StratifiedKFold if whose is None else StratifiedGroupKFold
        count = OUT_OF_FOLD if whose is None else min(OUT_OF_FOLD, len(set(whose[at])))
        folds = kind(count, shuffle=True, random_state=self.random_state + index)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds
            for fit, held_out in folds.split(x[at], y[at], None if whose is None else whose[at]):
                if len(held_out):  # of a few groups one fold may have no row
                    found[at[held_out]] = self._answers(x, y, at[fit], at[held_out], index)
        return torch.from_numpy(np.log(found)).unsqueeze(0)

    def _answers(self, x: Array, y: Any, fit: Any, asked: Any, index: int) -> Array:
        model = clone(self.estimator)
        seeds = [name for name in model.get_params() if re.fullmatch("(.+__)?random_state", name)]
        model.set_params(**dict.fromkeys(seeds, self.random_state + index))
        model.fit(x[fit], y[fit])
        counts = np.bincount(y[fit], minlength=int(y.max()) + 1).astype(np.float64)
        found = np.zeros((len(asked), len(counts)))
        found[:, model.classes_] = model.predict_proba(x[asked])
        votes = _votes(model) or len(fit)
        prior = (counts + 1) / (counts + 1).sum()
        return (votes * found + prior) / (votes + 1)


def _votes(model: Any) -> int:
    """Return of how many votes the answers are shares; 0 where they are no shares of votes."""
    last = model[-1] if isinstance(model, Pipeline) else model
    voting = isinstance(last, RandomForestClassifier | ExtraTreesClassifier | BaggingClassifier)
    return len(last.estimators_) if voting else 0


CLASSIFIERS = {
    "hist-gradient-boosting": HistGradientBoostingClassifier(early_stopping=False),
    "random-forest": RandomForestClassifier(300, n_jobs=-1),
}
"""Names that `classifier` knows."""


def classifier(name: str, random_state: int) -> Classifier:
    """Return one of `CLASSIFIERS` as a teacher."""
    return Classifier(CLASSIFIERS[name], name.replace("-", " "), random_state=random_state)


@dataclass(frozen=True)
class Probabilities:
    """A teacher that was trained elsewhere and is known by its answers alone.

    Attributes
    ----------
    log_p : Tensor
        ``(N, C)``, one row for each of the file, in its order.
    out_of_fold : bool
        Whether each row was answered by a model that had not seen it.
    zeros : int
        Probabilities of 0 that were lifted to 1e-6, or to the smallest positive one of the file
        where that is smaller.
    """

    log_p: Tensor = field(repr=False)
    out_of_fold: bool
    zeros: int = 0
    name: str = "your teacher"
    members: int = 1

    def tune(self, task: Task, folds: Folds, plan: Plan, seed: int) -> None:
        """Do nothing: its answers stand."""

    def logits(
        self, task: Task, rows: Tensor, knobs: Any, plan: Plan, index: int, whose: Any = None
    ) -> Tensor:
        """See `Teacher`."""
        return self.log_p.unsqueeze(0)


def probabilities_from_file(
    path: str | Path, own: OwnRows, *, out_of_fold: bool, called: str = "id", **reading: Any
) -> Probabilities:
    """Read a teacher's probabilities: one column a class, named as the class, and the ids.

    Parameters
    ----------
    path : path
        CSV, Parquet or NPZ.
    own : OwnRows
        Read with ids: its rows are matched by them, numbers by value (7 and 7.0). The file's
        column of ids is called as the table's, or ``id``, or is the one that is no class.
    out_of_fold : bool
        What the reader says of it.
    called : str
        What the table calls its column of ids.
    **reading
        ``file_format``, ``encoding``, ``delimiter``.

    Raises
    ------
    ValueError
        If ids or classes do not match, or the numbers are no probabilities.
    """
    if own.ids is None:
        raise ValueError(
            "a file of probabilities is matched to rows by an id; name the column that holds it: "
            "ids=..., which both files must have"
        )
    columns = read(Path(path), **reading)
    names = [str(label) for label in own.classes]
    table = dict(zip(_by_value(names, [c.name for c in columns]), columns, strict=True))
    for label in names:
        if label not in table:
            raise ValueError(
                f"{Path(path).name} has no column for class {label!r}; it needs one for each of "
                f"{', '.join(names)}, and the ids. {nearest(label, table)}"
            )
    others = [name for name in table if name not in names]
    others = next(([name] for name in (called, "id") if name in others), others)
    if len(others) != 1:
        shown = ": " + ", ".join(map(repr, others)) if others else ""
        raise ValueError(
            f"{Path(path).name} has {len(others)} columns beside the classes{shown}; it must have "
            f"one, the ids, or one called {called!r}"
        )
    ids = _by_value(list(own.ids), list(categories(table[others[0]])))
    place = {value: row for row, value in enumerate(ids)}
    if len(place) < len(ids):
        twice = next(value for row, value in enumerate(ids) if place[value] != row)
        raise ValueError(f"{Path(path).name} has id {twice!r} more than once; a row has one answer")
    absent = [value for value in own.ids if value not in place]
    if absent:
        raise ValueError(
            f"{Path(path).name} has no row for id {absent[0]!r}, the first of {len(absent)} of "
            f"{len(own.ids)}; give an answer for every row, or drop those rows"
        )
    answers = []
    for label in names:
        values = table[label].values
        if values.dtype == object:
            raise ValueError(
                f"column {label!r} of {Path(path).name} holds text; it must hold probabilities"
            )
        answers.append(values)
    p = np.stack(answers, 1)[[place[value] for value in own.ids]]
    _check_probabilities(p, own, Path(path).name)
    zeros = int((p == 0).sum())
    floor = min(p[p > 0].min(), 1e-6)
    p = np.maximum(p, floor)
    return Probabilities(torch.from_numpy(np.log(p / p.sum(1, keepdims=True))), out_of_fold, zeros)


def _by_value(wanted: Sequence[Any], words: Sequence[Any]) -> list[Any]:
    """Return `words`, each that is a number spelt as the one of `wanted` that has its value."""

    def values(of: Sequence[Any]) -> list[Decimal | None]:  # float64 would join long ids
        return [None if word is None or number(word) is None else Decimal(word) for word in of]

    twice = {value for of in (wanted, words) for value, n in Counter(values(of)).items() if n > 1}
    spelt = dict(zip(values(wanted), wanted, strict=True))
    return [
        word if value is None or value in twice else spelt.get(value, word)
        for word, value in zip(words, values(words), strict=True)
    ]


def _check_probabilities(p: Array, own: OwnRows, name: str) -> None:
    ids = own.ids
    assert ids is not None
    wrong = ~np.isfinite(p).all(1)
    if wrong.any():
        raise ValueError(
            f"{name} has a value that is missing or not finite for id {ids[wrong.argmax()]!r}; "
            "every class of every row needs a probability"
        )
    outside = ((p < 0) | (p > 1)).any(1)
    if outside.any():
        row = int(outside.argmax())
        worst = p[row][(p[row] < 0) | (p[row] > 1)][0]
        raise ValueError(
            f"{name} has {level(float(worst))} for id {ids[row]!r}; a probability lies from 0 to "
            "1. If these are logits, take their softmax first; if percent, divide by 100"
        )
    sums = p.sum(1)
    off = np.abs(sums - 1) > 1e-3
    if off.any():
        row = int(off.argmax())
        raise ValueError(
            f"{name} sums to {sums[row]:.6g} for id {ids[row]!r}, the first of {int(off.sum())}; "
            "the classes of a row must sum to 1. Divide each row by its sum, if that is what it "
            "means"
        )
    # Another order of classes: some renaming fits much better than the names as they stand.
    loss = -np.log(np.maximum(p, 1e-9))
    fit = np.array([loss[own.labels == k].mean(0) for k in range(p.shape[1])])
    from scipy.optimize import linear_sum_assignment

    counts = np.bincount(own.labels, minlength=p.shape[1])
    _, best = linear_sum_assignment(fit * counts[:, None])
    as_named = float((np.diag(fit) * counts).sum() / counts.sum())
    renamed = float((fit[np.arange(len(best)), best] * counts).sum() / counts.sum())
    chance = float(-(counts / counts.sum() * np.log(counts / counts.sum())).sum())
    if (best != np.arange(len(best))).any() and as_named > chance and renamed < 0.9 * chance:
        k = int(np.flatnonzero(best != np.arange(len(best)))[0])
        raise ValueError(
            f"{name} says {str(own.classes[int(best[k])])!r} where the label is "
            f"{str(own.classes[k])!r}: its classes look to be in another order. Name each column "
            "after the class it is for"
        )

"""What makes held-out rows look easier than new ones."""

from __future__ import annotations

import re
import warnings
from collections import Counter

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from distill_helpers.files import Column, OwnRows, categories
from distill_helpers.report._teachers import Probabilities, Teacher

PURE = 0.9
"""Share of a column's values whose rows all have one class, from which on it looks like groups."""

ALIKE = 0.8
"""Distance of neighbours in the file to that of two rows of a class, below which they are kin."""

KNOWS = 0.9
"""Share of the rows that held-out students get wrong, above which a teacher has seen them."""

ALONE = 0.25
"""Share of guessing's errors that a column may make by itself and still look like the target."""

_PAIRS = 4000
_ROWS = 1000
_WHOSE = re.compile(
    r"(patient|subject|person|people|user|customer|client|member|speaker|writer|author|household|"
    r"family|machine|device|sensor|session|hospital|site|group)s?([_ -]?(id|no|nr|number|name))?|"
    r".*[_ -]id|id",
    re.IGNORECASE,
)


def leaks(own: OwnRows) -> list[str]:
    """Say what looks like a leak, one line each: copies, groups, neighbours; after `own.flags`."""
    found = list(own.flags)
    if own.time is not None:
        return found
    every = np.arange(len(own.labels))
    _, features = own.learn(every)
    found += _tells_alone(own)
    if own.groups is None:
        found += _duplicates(features)
        found += _hidden_groups(own)
        found += _neighbours(own, features)
    return found


def _duplicates(features: npt.NDArray[np.float64]) -> list[str]:
    counts = Counter(row.tobytes() for row in features + 0.0)  # -0.0 has other bytes than 0.0
    twice = sum(count for count in counts.values() if count > 1)
    if not twice:
        return []
    return [
        f"{twice} of {len(features)} rows have a twin, equal in every feature, so that folds test "
        "rows that were trained on. If they are copies, drop them, or name what twins share as "
        "groups; if they are different cases that happen to agree, new ones will too, and all is "
        "well"
    ]


def _codes(column: Column) -> npt.NDArray[np.int64] | None:
    """Return a number for each value, -1 where missing; None where a column holds measurements."""
    values = column.values
    if values.dtype != object:
        there = ~np.isnan(values.astype(np.float64))
        if not (values[there] == np.round(values[there].astype(np.float64))).all():
            return None
        codes = np.full(len(values), -1)
        codes[there] = np.unique(values[there], return_inverse=True)[1]
        return codes
    number: dict[object, int] = {}
    words = categories(column)
    return np.array([-1 if w is None else number.setdefault(w, len(number)) for w in words])


def _hidden_groups(own: OwnRows) -> list[str]:
    """Name columns that look like whose rows they are: by their values, or by their name.

    By values: few rows each, all of one class.
    """
    found = []
    count, classes = len(own.labels), len(own.classes)
    shares = np.bincount(own.labels) / count
    for column in own.columns:
        codes = _codes(column)
        if codes is None or codes.max() < 1:
            continue
        there = codes >= 0
        number = int(codes.max()) + 1
        table = np.bincount(
            codes[there] * classes + own.labels[there], minlength=number * classes
        ).reshape(number, classes)
        sizes = table.sum(1)
        if number == count and count >= 20:
            values = column.values
            a_row_each = _WHOSE.fullmatch(column.name) or (
                values.dtype != object and np.ptp(values) == count - 1
            )
            if a_row_each and not any(repr(column.name) in flag for flag in own.flags):
                found.append(
                    f"column {column.name!r} has another value in every row, as names of rows "
                    f"have; pass ids={column.name!r}, or it is a feature that new rows cannot have"
                )
            continue
        if number >= 6 and 2 * number <= count and _WHOSE.fullmatch(column.name):
            found.append(
                f"column {column.name!r} has {number} values, and by its name it says whose rows "
                f"they are; pass groups={column.name!r}, which keeps rows of one together and "
                "makes it no feature"
            )
            continue
        if not count / 20 < number < count / 2:
            continue
        table, sizes = table[sizes > 1], sizes[sizes > 1]
        pure = int((table.max(1) == sizes).sum())
        by_chance = (shares ** sizes[:, None]).sum(1).mean()
        if pure >= PURE * len(sizes) and by_chance < PURE - 0.1:
            found.append(
                f"column {column.name!r} has {number} values, and rows that share one share "
                f"their class ({pure} of {len(sizes)} values): if it says whose rows they are, "
                f"pass groups={column.name!r}"
            )
    return found


def _tells_alone(own: OwnRows) -> list[str]:
    """Name columns that tell the class better by themselves than all others together.

    A copy of the target with noise, blanks or another scale does; what is known before the label
    seldom does. Copies to the letter stand in ``own.flags``.
    """
    rng = np.random.default_rng(0)
    tree = DecisionTreeClassifier(max_leaf_nodes=4 * len(own.classes), min_samples_leaf=3)
    forest = RandomForestClassifier(40, min_samples_leaf=2, random_state=0)
    asked, errors = {}, {}
    for place, column in enumerate(own.columns):
        if any(flag.startswith(f"column {column.name!r} tells") for flag in own.flags):
            continue
        rows = rng.permutation(np.flatnonzero(~column.missing))[:_ROWS]
        counts = np.bincount(own.labels[rows], minlength=len(own.classes))
        guessing = 1 - counts.max() / max(1, len(rows))
        if len(rows) < 50 or len(rows) * guessing < 10:
            continue
        errors[place] = _errors(tree, _as_numbers(own, place, rows), own.labels[rows])
        if errors[place] <= ALONE * guessing:
            asked[place] = rows
    found = []
    for place, rows in asked.items():
        alone = errors[place]
        # Where one other column tells about as much, so do all others: that saves most forests.
        rivals = (error for other, error in errors.items() if other != place)
        if not all(_stands_out(alone, error, len(rows)) for error in rivals):
            continue
        others = [k for k in range(len(own.columns)) if k != place]
        rest = 1 - np.bincount(own.labels[rows]).max() / len(rows)
        if others:
            several = np.concatenate([_as_numbers(own, k, rows) for k in others], 1)
            rest = _errors(forest, several, own.labels[rows])
        if _stands_out(alone, rest, len(rows)):
            name = own.columns[place].name
            found.append(
                f"column {name!r} by itself tells the class of {1 - alone:.0%} of the rows "
                f"where it is known, all other columns together of {1 - rest:.0%}: if it is made "
                f"from {own.target!r}, or known only after it, drop=[{name!r}]"
            )
    return found


def _stands_out(alone: float, rest: float, count: int) -> bool:
    """Tell whether a share of errors is much below another, by ten of `count` rows at least."""
    return alone <= rest / 2 and (rest - alone) * count >= 10


def _as_numbers(own: OwnRows, place: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return a column for a tree: numbers as they are, a category as one 0 or 1 for each level."""
    column = own.columns[place]
    if own.kinds[place] != "category":
        values = column.values[rows].astype(np.float64)
        known = values[~np.isnan(values)]
        middle = float(np.median(known)) if len(known) else 0.0
        return np.nan_to_num(values, nan=middle)[:, None]
    words = categories(column)[rows]
    common = [w for w, _ in Counter(w for w in words if w is not None).most_common(50)]
    return np.array([[float(word == level) for level in common] for word in words]).reshape(
        len(rows), len(common)
    )


def _errors(model: object, x: npt.NDArray[np.float64], y: npt.NDArray[np.int64]) -> float:
    """Return the share of rows that a model gets wrong where it has not seen them."""
    if not x.shape[1]:
        return 1 - float(np.bincount(y).max()) / len(y)
    wrong = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer rows than folds
        for fit, test in StratifiedKFold(3, shuffle=True, random_state=0).split(x, y):
            wrong += int((clone(model).fit(x[fit], y[fit]).predict(x[test]) != y[test]).sum())
    return wrong / len(y)


def _neighbours(own: OwnRows, features: npt.NDArray[np.float64]) -> list[str]:
    """Compare rows side by side in the file with two rows of the same class."""
    spread = features.std(0)
    x = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    rng = np.random.default_rng(0)
    near = np.flatnonzero(own.labels[1:] == own.labels[:-1])
    if len(near) < 50:
        return []
    near = rng.permutation(near)[:_PAIRS]
    other = np.array([rng.choice(np.flatnonzero(own.labels == k)) for k in own.labels[near]])

    def distance(one: npt.NDArray[np.int64], two: npt.NDArray[np.int64]) -> float:
        return float(np.sqrt(((x[one] - x[two]) ** 2).sum(1)).mean())

    ratio = distance(near, near + 1) / max(distance(near, other), 1e-12)
    if ratio >= ALIKE:
        return []
    return [
        f"rows side by side in the file are alike: their distance is {ratio:.2f} of that of two "
        "rows of one class. If neighbours come from one source (a writer, a patient, a day), name "
        "it as groups, or random folds flatter every arm"
    ]


def seen_by_teacher(teacher: Teacher, own: OwnRows, wrong: npt.NDArray[np.int64]) -> list[str]:
    """Say whether answers that were called out of fold know what nobody else could.

    Parameters
    ----------
    teacher : Teacher
    own : OwnRows
    wrong : ndarray of int64
        Rows that students which had not seen them get wrong.
    """
    if not isinstance(teacher, Probabilities) or not teacher.out_of_fold or len(wrong) < 20:
        return []
    answers = teacher.log_p[torch.from_numpy(wrong)].argmax(1).numpy()
    right = float((answers == own.labels[wrong]).mean())
    if right < KNOWS:
        return []
    return [
        f"the teacher is right on {right:.0%} of the {len(wrong)} rows that students get wrong "
        "where they had not seen them: its answers look in-sample, though they were called out of "
        "fold. A teacher that learned from many other rows may honestly know as much; if yours "
        "learned from these, predict each row by a model that was not trained on it "
        "(sklearn.model_selection.cross_val_predict), or say in-sample"
    ]

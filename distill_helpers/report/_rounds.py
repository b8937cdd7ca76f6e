"""Which rows tune, which train and which test."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from distill_helpers.files import OwnRows

Rows = npt.NDArray[np.int64]
Array = npt.NDArray[np.float64]

FOLDS = 6
"""Folds of a repeat. Two that lie side by side are tested by what was tuned on the other four."""

TUNING_FOLDS = 4
"""Parts of the tuning rows; `held_out_parts` of them are held out in turn."""

FLOAT32_MAX = float(np.finfo(np.float32).max)


def held_out_parts(rows: int) -> int:
    """Return how many parts judge a setting: few rows in one part would make it a lottery."""
    return 2 if rows < 1000 else 1


@dataclass(frozen=True)
class Round:
    """One tuning, and the tests that it serves.

    Attributes
    ----------
    tune : ndarray of int64
        Rows on which knobs are chosen; none of `tests` among them.
    folds : tuple of (fit, held_out)
        Parts of `tune`: a setting is judged by its mean loss over them.
    tests : tuple of (train, test)
        Rows that train with those knobs, and rows that judge.
    """

    tune: Rows
    folds: tuple[tuple[Rows, Rows], ...]
    tests: tuple[tuple[Rows, Rows], ...]


def rounds(own: OwnRows, repeats: int, seed: int) -> list[Round]:
    """Split for repeated cross-validation, by class, by group, or in order of time.

    In order of time each of six blocks, the newest six sevenths of the rows, is tested by all that
    is older; more repeats would be the same.

    Parameters
    ----------
    own : OwnRows
        Its groups and its time decide the kind of split.
    repeats : int
        Of the six folds.
    seed : int
        Shuffles.

    Raises
    ------
    ValueError
        If a class would be missing where networks train.
    """
    if own.time is not None:
        return _in_time(own)
    found = []
    for repeat in range(repeats):
        folds = _folds(own, np.arange(len(own.labels)), FOLDS, seed + repeat)
        for one in range(0, FOLDS, 2):
            pair = (folds[one], folds[one + 1])
            tune = _all_but(len(own.labels), np.concatenate(pair))
            tests = tuple((_all_but(len(own.labels), test), test) for test in pair)
            found.append(Round(tune, _hold_out(own, tune, seed + repeat), tests))
    return found


def everything(own: OwnRows, seed: int) -> Round:
    """Return all rows to tune on, and nothing to test; the newest are held out in order of time."""
    every = np.arange(len(own.labels))
    if own.time is None:
        parts = _hold_out(own, every, seed)
    else:
        when = own.times()
        order = np.argsort(when, kind="stable")
        cut = _cut(when[order], round(len(order) * (1 - 1 / TUNING_FOLDS)))
        parts = ((order[:cut], order[cut:]),)
    return Round(every, parts, ())


def check_columns(own: OwnRows, splits: Sequence[Round]) -> None:
    """Refuse a column of which rows that train could teach nothing, before anything trains."""
    parts = [
        rows for split in splits for rows in (split.tune, *(train for train, _ in split.tests))
    ]
    for column, kind in zip(own.columns, own.kinds, strict=True):
        missing = column.missing
        for rows in parts:
            known = rows[~missing[rows]]
            if not len(known):
                raise ValueError(
                    f"column {column.name!r} has values in {int((~missing).sum())} of "
                    f"{len(missing)} rows, and in none of {len(rows)} that train one of the "
                    f"splits; leave it out: drop=[{column.name!r}]"
                )
            if kind == "category":
                continue
            # As `files.task_of` standardises, which in float32 would be infinite.
            values = np.where(missing, np.median(column.values[known]), column.values)
            spread = values[rows].std() or 1.0
            if np.abs(values - values[rows].mean()).max() / spread > FLOAT32_MAX:
                raise ValueError(
                    f"column {column.name!r} reaches {np.abs(values).max():.3g}, too far from its "
                    "other values for float32; rescale or clip it, or leave such values blank, "
                    "which counts as missing"
                )


def _all_but(count: int, rows: Rows) -> Rows:
    left = np.ones(count, bool)
    left[rows] = False
    return np.flatnonzero(left)


def _cut(when: Array, place: int) -> int:
    """Move back to where a time begins, so that equal times stay together; `when` is sorted."""
    return int(np.searchsorted(when, when[place])) if 0 < place < len(when) else place


def _folds(own: OwnRows, rows: Rows, count: int, seed: int) -> list[Rows]:
    """Deal rows into parts, with shares of classes as near as may be."""
    labels = own.labels[rows]
    counts = np.bincount(own.labels[rows], minlength=len(own.classes))
    rarest = int(counts.argmin())
    whose = None if own.groups is None else own.groups[rows]
    if whose is not None and len(set(whose)) < count:
        raise ValueError(
            f"there are {len(set(whose))} groups{_of_file(own, rows)}, and {count} folds need "
            f"{count} or more; leave groups out, or gather more of them"
        )
    if counts[rarest] < count:
        where = _of_file(own, rows, rarest)
        raise ValueError(
            f"class {own.classes[rarest]!r} of {own.target!r} has {counts[rarest]} "
            f"row{'s' if counts[rarest] != 1 else ''}{where} where {count} folds need {count} or "
            f"more; {'gather more groups with it, ' if where else ''}merge it with another class, "
            "or drop its rows"
        )
    kind = StratifiedKFold if whose is None else StratifiedGroupKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of classes rarer than folds, which are counted here
        warnings.simplefilter("ignore", UserWarning)
        parts = [rows[test] for _, test in splitter.split(np.zeros(len(rows)), labels, whose)]
    if not all(map(len, parts)):
        raise ValueError(
            f"the groups are of so unequal sizes that one of {count} folds{_of_file(own, rows)} "
            "has no row; leave groups out, or gather more of them"
        )
    for part in parts:
        others = own.labels[np.setdiff1d(rows, part)]
        absent = set(range(len(own.classes))) - set(others.tolist())
        if absent:
            raise ValueError(
                f"class {own.classes[min(absent)]!r} of {own.target!r} stands in "
                f"{_groups_of(own, min(absent))}, and the rows that would train one of the splits "
                "have none; gather more groups with it, merge the class with another, or drop its "
                "rows"
            )
    return parts


def _groups_of(own: OwnRows, code: int) -> str:
    assert own.groups is not None  # without groups each fold has its share of every class
    count = len(set(own.groups[own.labels == code]))
    return f"{count} of {len(set(own.groups))} groups"


def _of_file(own: OwnRows, rows: Rows, code: int | None = None) -> str:
    """Say, where groups left some rows of the file for tuning, what the file has itself."""
    if len(rows) == len(own.labels) or own.groups is None:
        return ""
    where = " among the rows that tune one of the splits"
    if code is None:
        return f"{where} ({len(set(own.groups))} groups in the file)"
    return f"{where} (of {int((own.labels == code).sum())} in {_groups_of(own, code)} of the file)"


def _hold_out(own: OwnRows, tune: Rows, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    parts = _folds(own, tune, TUNING_FOLDS, seed)[: held_out_parts(len(tune))]
    return tuple((np.setdiff1d(tune, part), part) for part in parts)


def _in_time(own: OwnRows) -> list[Round]:
    when = own.times()
    order = np.argsort(when, kind="stable")

    def cut(place: int) -> int:
        return _cut(when[order], place)

    places = [cut(round(len(order) * k / (FOLDS + 1))) for k in range(1, FOLDS + 1)] + [len(order)]
    found = []
    for start, end in itertools.pairwise(places):
        middle = cut(round(start * (1 - 1 / TUNING_FOLDS)))
        if not 0 < middle < start < end:
            raise ValueError(
                f"time is {own.time.name if own.time else None!r}, which has too few different "
                f"values for {FOLDS} blocks; leave it out, or name a finer one"
            )
        _check_classes(own, order[:middle], "the oldest rows")
        train = np.sort(order[:start])
        tests = ((train, np.sort(order[start:end])),)
        found.append(Round(train, ((order[:middle], order[middle:start]),), tests))
    return found


def _check_classes(own: OwnRows, rows: Sequence[int] | Rows, where: str) -> None:
    absent = set(range(len(own.classes))) - set(own.labels[rows].tolist())
    if absent:
        raise ValueError(
            f"class {own.classes[min(absent)]!r} of {own.target!r} has no row among {where} "
            f"({len(rows)} rows), so what comes later cannot be learnt from them; leave time out, "
            "merge the class with another, or drop its rows"
        )

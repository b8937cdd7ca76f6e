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

FOLDS = 6
"""Folds of a repeat. Two that lie side by side are tested by what was tuned on the other four."""

TUNING_FOLDS = 4
"""Parts of the tuning rows; `held_out_parts` of them are held out in turn."""


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
        order = np.argsort(own.times(), kind="stable")
        cut = round(len(order) * (1 - 1 / TUNING_FOLDS))
        parts = ((order[:cut], order[cut:]),)
    return Round(every, parts, ())


def _all_but(count: int, rows: Rows) -> Rows:
    left = np.ones(count, bool)
    left[rows] = False
    return np.flatnonzero(left)


def _folds(own: OwnRows, rows: Rows, count: int, seed: int) -> list[Rows]:
    """Deal rows into parts, with shares of classes as near as may be."""
    labels = own.labels[rows]
    counts = np.bincount(own.labels[rows], minlength=len(own.classes))
    rarest = int(counts.argmin())
    whose = None if own.groups is None else own.groups[rows]
    if whose is not None and len(set(whose)) < count:
        raise ValueError(
            f"there are {len(set(whose))} groups, and {count} folds need {count} or more; leave "
            "groups out, or gather more of them"
        )
    if counts[rarest] < count:
        raise ValueError(
            f"class {own.classes[rarest]!r} of {own.target!r} has {counts[rarest]} rows where "
            f"{count} folds need {count} or more; merge it with another class, or drop its rows"
        )
    kind = StratifiedKFold if whose is None else StratifiedGroupKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # of classes rarer than folds, which are counted here
        warnings.simplefilter("ignore", UserWarning)
        parts = [rows[test] for _, test in splitter.split(np.zeros(len(rows)), labels, whose)]
    for part in parts:
        others = own.labels[np.setdiff1d(rows, part)]
        absent = set(range(len(own.classes))) - set(others.tolist())
        if absent:
            raise ValueError(
                f"class {own.classes[min(absent)]!r} of {own.target!r} stands in one group or fold "
                "alone, so no network could learn it elsewhere; gather more groups, merge the "
                "class with another, or drop its rows"
            )
    return parts


def _hold_out(own: OwnRows, tune: Rows, seed: int) -> tuple[tuple[Rows, Rows], ...]:
    parts = _folds(own, tune, TUNING_FOLDS, seed)[: held_out_parts(len(tune))]
    return tuple((np.setdiff1d(tune, part), part) for part in parts)


def _in_time(own: OwnRows) -> list[Round]:
    when = own.times()
    order = np.argsort(when, kind="stable")

    def cut(place: int) -> int:
        """Move back to where a time begins, so that equal times stay together."""
        while 0 < place < len(order) and when[order[place]] == when[order[place - 1]]:
            place -= 1
        return place

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

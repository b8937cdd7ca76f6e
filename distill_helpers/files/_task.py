"""From columns to a task: the target, the kinds, the split, and what looks like a leak."""

from __future__ import annotations

import datetime
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from sklearn.preprocessing import StandardScaler

from distill_helpers import _checks
from distill_helpers.files._columns import Columns, learn
from distill_helpers.files._readers import from_frame, read
from distill_helpers.files._table import (
    Array,
    Column,
    categories,
    comma_readings,
    nearest,
    number_commas,
    stray_word,
)
from distill_helpers.tasks import Task

Rows = npt.NDArray[np.int64]

MOST_CLASSES = 100
"""Above it, whole numbers of which most rows have their own are no classes."""

COPY = 0.995
"""Share of rows on which a column decides the class as a copy of the target would."""


@dataclass(frozen=True, eq=False)
class OwnData:
    """A task from a file, and what was learnt on the way.

    Attributes
    ----------
    task : Task
        Its ``x_train`` are the features of `columns`, standardised.
    columns : Columns
        Turns new raw rows into features: ``task.standardise(columns.apply(rows))``.
    train_rows, test_rows : ndarray of int64
        Rows of the file, from 0, in the order of the task's.
    ids, groups : ndarray of objects or None
        Of all rows of the file.
    duplicates : int
        Test rows whose features stand in the training part too.
    flags : tuple of str
        What looks like a leak, or is otherwise worth a look; one line each.
    """

    task: Task
    columns: Columns
    train_rows: Rows = field(repr=False)
    test_rows: Rows = field(repr=False)
    ids: npt.NDArray[Any] | None = field(default=None, repr=False)
    groups: npt.NDArray[Any] | None = field(default=None, repr=False)
    duplicates: int = 0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class OwnRows:
    """What a file holds, checked, before any split.

    Attributes
    ----------
    name : str
        The file's, or as given.
    target : str
        The column of labels.
    columns : tuple of Column
        The features' columns.
    kinds : tuple of str
        Of each: number, bool or category.
    labels : ndarray of int64, shape (N,)
        From 0.
    classes : tuple
        The labels as they were written, in the order of 0, 1, ...
    ids, groups : ndarray of objects, shape (N,), or None
        Names of rows, and whose they are.
    time : Column or None
        When each row was.
    flags : tuple of str
        What looks like a leak, or is otherwise worth a look; one line each.
    """

    name: str
    target: str
    columns: tuple[Column, ...] = field(repr=False)
    kinds: tuple[str, ...] = field(repr=False)
    labels: Rows = field(repr=False)
    classes: tuple[Any, ...]
    ids: npt.NDArray[Any] | None = field(default=None, repr=False)
    groups: npt.NDArray[Any] | None = field(default=None, repr=False)
    time: Column | None = field(default=None, repr=False)
    flags: tuple[str, ...] = ()

    def learn(self, rows: Rows) -> tuple[Columns, Array]:
        """Learn levels and medians from some rows; return them and every row's features (N, D)."""
        learnt = learn(self.columns, self.kinds, rows)
        return learnt, learnt.encode(self.columns)

    def times(self) -> Array:
        """Return when each row was, as numbers, shape (N,)."""
        if self.time is None:
            raise ValueError("these rows have no time; name its column: time=...")
        return _times(self.time)


def task_from_file(
    source: str | Path | Any,
    target: str,
    *,
    groups: str | None = None,
    time: str | None = None,
    ids: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    test_size: float = 0.2,
    random_state: int = 0,
    max_levels: int = 50,
    file_format: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    index_base: int | None = None,
    name: str | None = None,
) -> OwnData:
    r"""Make a task of a file, or of a data frame.

    Columns of numbers, of True and False, and of categories become features (`Columns`). Dates and
    free text are refused, with the way out. A blank is missing anywhere; a word such as NA, None or
    ``?`` only in a column that otherwise holds numbers or True and False: among text it is a level
    like any other, and so a class called NA stays one beside classes that are words.

    The split is stratified, and drawn as in `tasks.task_from_arrays`. With `groups` no group is on
    both sides; with `time` the newest rows are the test part, and equal times are on one side.

    Parameters
    ----------
    source : path or data frame
        CSV, Parquet (needs pyarrow), NPZ, ARFF or SVMLight; or a pandas data frame.
    target : str
        The column of labels; in an NPZ its key. In SVMLight files labels have no name: give any.
    groups : str, optional
        The column that says whose rows they are: a patient, a writer, a machine. No feature.
    time : str, optional
        A column of ISO dates or of numbers. No feature.
    ids : str, optional
        The column that names a row, each differently. No feature.
    drop : sequence of str
        Columns to leave out.
    categorical : sequence of str
        Columns of numbers whose values are categories, or of text with many levels.
    test_size : float
        Share of the test part, above 0 and below 1.
    random_state : int
        Seeds the split.
    max_levels : int
        A column of text with more is refused as free text, unless it stands in `categorical`.
    file_format : str, optional
        csv, parquet, npz, arff or svmlight, where the file's name does not tell.
    encoding, delimiter : str, optional
        Of a CSV; ``","`` or, in ``.tsv``, a tab.
    index_base : int, optional
        0 or 1: what an SVMLight file counts its features from. It does not say, so it is asked.
    name : str, optional
        What to call the task; the file's name where None.

    Returns
    -------
    OwnData

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, IsADirectoryError, ImportError
        One line: what is wrong, where, and the way out.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "pets.csv"
    ...     _ = path.write_text("weight,fur,pet\n" + "4,short,cat\n9,,dog\n" * 10)
    ...     own = task_from_file(path, "pet")
    >>> own.task.classes, own.columns.features
    (('cat', 'dog'), ('weight', 'fur=short', 'fur is missing'))
    """
    share = _share(test_size)
    seed = _checks.whole("random_state", random_state, 0, "Use 0, 1, 2, ...", 2**32 - 1)
    own = rows_from_file(
        source,
        target,
        groups=groups,
        time=time,
        ids=ids,
        drop=drop,
        categorical=categorical,
        max_levels=max_levels,
        file_format=file_format,
        encoding=encoding,
        delimiter=delimiter,
        index_base=index_base,
        name=name,
    )
    if own.time is not None:
        train, test = _split_by_time(own.time, own.labels, own.classes, share)
    elif own.groups is not None:
        train, test = _split_by_group(str(groups), own.groups, own.labels, own.classes, share, seed)
    else:
        _check_counts(target, own.labels, own.classes, share)
        train, test = train_test_split(
            np.arange(len(own.labels)), test_size=share, random_state=seed, stratify=own.labels
        )
    learnt, features = own.learn(train)
    flags = list(own.flags)
    duplicates = _duplicates(features, train, test)
    if duplicates:
        flags.append(
            f"{duplicates} of {len(test)} test rows stand in the training part too, feature for "
            "feature; name what they share as groups, or drop the copies"
        )
    task = task_of(own.name, features, own.labels, own.classes, train, test)
    return OwnData(task, learnt, train, test, own.ids, own.groups, duplicates, tuple(flags))


def rows_from_file(
    source: str | Path | Any,
    target: str,
    *,
    groups: str | None = None,
    time: str | None = None,
    ids: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    max_levels: int = 50,
    file_format: str | None = None,
    encoding: str = "utf-8",
    delimiter: str | None = None,
    index_base: int | None = None,
    name: str | None = None,
) -> OwnRows:
    """Read a file, or a data frame, and check it, without splitting it.

    Parameters, and what is raised, are those of `task_from_file`.
    """
    most = _checks.whole("max_levels", max_levels, 2, "Use 50.")
    if not isinstance(target, str):
        raise TypeError(f"target is {target!r:.40}; it must be the name of a column, as text")
    if hasattr(source, "columns") and hasattr(source, "isna") and hasattr(source, "iloc"):
        columns, label = from_frame(source), "your data"
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        columns = read(
            path,
            file_format=file_format,
            encoding=encoding,
            delimiter=delimiter,
            index_base=index_base,
            target=target,
        )
        label = path.stem
    else:
        raise TypeError(
            f"source is a {type(source).__name__}; give a path or a pandas data frame. For arrays "
            "use tasks.task_from_arrays(x, y); for another frame, frame.to_pandas()"
        )
    table = {column.name: column for column in columns}
    _check_roles(table, target, groups, time, ids, drop, categorical)
    codes, classes = _classes(table[target])
    aside = {target, groups, time, ids, *drop}
    kept = [column for column in columns if column.name not in aside]
    if not kept:
        raise ValueError(
            f"no feature is left beside {', '.join(repr(n) for n in sorted(filter(None, aside)))}; "
            "keep one column or more"
        )
    kinds = [_kind(column, column.name in categorical, most) for column in kept]
    for column, kind in zip(kept, kinds, strict=True):
        _check_finite(column, kind)
    names = None if ids is None else categories(table[ids])
    whose = None if groups is None else categories(table[groups])
    if ids is not None:
        _check_ids(ids, table[ids], names)
    if groups is not None and table[groups].missing.any():
        row = int(np.flatnonzero(table[groups].missing)[0])
        raise ValueError(
            f"groups is {groups!r}, which is blank in row {row} (from 0); say whose every row is, "
            "or drop that row"
        )
    flags = [*_copies(target, kept, codes, classes), *_counters(kept, kinds)]
    if index_base == 0 and not kept[0].values.any():
        flags.append("feature '0' is 0 in every row; see that the file does not count from 1")
    return OwnRows(
        name or label,
        target,
        tuple(kept),
        tuple(kinds),
        codes,
        classes,
        names,
        whose,
        None if time is None else table[time],
        tuple(flags),
    )


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise TypeError(f"test_size is {value!r}; it must be above 0 and below 1. Use 0.2.")
    if not 0 < value < 1:
        raise ValueError(f"test_size is {value!r}; it must be above 0 and below 1. Use 0.2.")
    return float(value)


def _check_roles(
    table: dict[str, Column],
    target: str,
    groups: str | None,
    time: str | None,
    ids: str | None,
    drop: Sequence[str],
    categorical: Sequence[str],
) -> None:
    for role, names in (("drop", drop), ("categorical", categorical)):
        if isinstance(names, str):
            raise TypeError(f"{role} is {names!r}; it must be a list of columns: [{names!r}]")
    roles = [("target", target), ("groups", groups), ("time", time), ("ids", ids)]
    roles += [("drop", name) for name in drop] + [("categorical", name) for name in categorical]
    given: dict[str, str] = {}
    for role, name in roles:
        if name is None:
            continue
        if name not in table:
            raise ValueError(
                f"{role} is {name!r}, and there is no such column; {nearest(name, table)}"
            )
        if name in given and {role, given[name]} != {"groups", "ids"}:
            raise ValueError(
                f"{name!r} is {given[name]} and {role}; a column has one part to play. Leave one "
                "out"
            )
        given[name] = role
    if groups is not None and time is not None:
        raise ValueError("time and groups are both given; a split follows one. Leave one out")


def _classes(column: Column) -> tuple[Rows, tuple[Any, ...]]:
    """Return class numbers, and the classes in sorted order."""
    name, missing = column.name, column.missing
    if column.kind == "date":
        raise ValueError(
            f"target is {name!r}, which holds dates ({_first(column)}); it must hold classes. Sort "
            "them into a few, or name another column"
        )
    if missing.any() and column.written is not None and column.kind != "date":
        blank = [row for row, word in enumerate(column.written) if not word]
        row = blank[0] if blank else int(np.flatnonzero(missing)[0])
        if not blank:
            others = "numbers" if column.kind == "number" else "True and False"
            raise ValueError(
                f"target is {name!r}, {others} with {column.written[row]!r} in row {row} (from 0), "
                f"the first of {int(missing.sum())}, which among them says that a label is "
                "missing. Drop those rows, or, if it is a class, give it another name, such as "
                "'other'"
            )
    elif missing.any():
        row = int(np.flatnonzero(missing)[0])
    else:
        return _coded(_plain_labels(column), name)
    raise ValueError(
        f"target is {name!r}, which is blank in row {row} (from 0), the first of "
        f"{int(missing.sum())}; every row needs a label. Drop rows without one"
    )


def _plain_labels(column: Column) -> list[Any]:
    if column.kind == "bool":
        return [bool(value) for value in column.values]
    if column.kind != "number":
        return list(column.values)
    numbers = column.values
    wrong = ~(np.isfinite(numbers) & (numbers == np.round(numbers)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"target is {column.name!r}, which is {numbers[row]:g} in row {row} (from 0); it must "
            "hold classes, not measurements. Sort it into a few classes first"
        )
    words = column.written
    if words is not None and all(word.removeprefix("-").isdigit() for word in set(words)):
        if all(str(int(word)) == word for word in set(words)):
            return [int(word) for word in words]
        return list(words)  # such as 01: a code, not a number
    return [int(value) for value in numbers]


def _coded(labels: list[Any], name: str) -> tuple[Rows, tuple[Any, ...]]:
    classes = tuple(sorted(set(labels)))
    if len(classes) < 2:
        raise ValueError(
            f"target is {name!r}, which is {classes[0]!r} in every row; two classes or more are "
            "needed. Name another column, or add rows of another class"
        )
    if len(classes) > MOST_CLASSES and len(classes) > 0.2 * len(labels):
        raise ValueError(
            f"target is {name!r}, with {len(classes):,} classes in {len(labels):,} rows; that is a "
            "measurement, or a name a row. Sort it into a few classes, or name another column"
        )
    number = {label: code for code, label in enumerate(classes)}
    return np.array([number[label] for label in labels], np.int64), classes


def _kind(column: Column, wanted: bool, most: int) -> str:
    """Say what a feature is, or refuse it."""
    name = column.name
    if column.missing.all():
        raise ValueError(f"column {name!r} is empty; leave it out: drop=[{name!r}]")
    if wanted or column.kind == "category":
        return "category"
    if column.kind == "date":
        raise ValueError(
            f"column {name!r} holds dates ({_first(column)}); a network takes numbers. Leave it "
            f"out, drop=[{name!r}], split by it, time={name!r}, or turn it into days since a day. "
            f"If they are no dates, say so: categorical=[{name!r}]"
        )
    if column.kind != "text":
        return column.kind
    commas = number_commas(column)
    if commas:
        ways = [f"pandas.read_csv(path, {how})" for how in comma_readings(column, commas)]
        shown = (
            ways[0]
            if len(ways) == 1
            else (f"{ways[0]} if the comma divides thousands, {ways[1]} if it is the decimal point")
        )
        raise ValueError(
            f"column {name!r} holds numbers with commas ({commas[0]}); write them with a point and "
            f"nothing between thousands: {shown}. If they are no numbers, say so: "
            f"categorical=[{name!r}]"
        )
    stray = stray_word(column)
    if stray is not None:
        row = column.values.tolist().index(stray)
        raise ValueError(
            f"column {name!r} holds numbers, but {stray!r:.40} in row {row} (from 0); leave such "
            "values blank, which counts as missing. If they are no numbers, say so: "
            f"categorical=[{name!r}]"
        )
    seen = {value for value in column.values if value is not None}
    if len(seen) > most:
        example = _first(column)
        raise ValueError(
            f"column {name!r} is text with {len(seen):,} different values ({example}); more than "
            f"max_levels={most} are no categories. Leave it out, drop=[{name!r}], or say that they "
            f"are: categorical=[{name!r}]"
        )
    return "category"


def _first(column: Column) -> str:
    return next(repr(value)[:40] for value in column.values if value is not None)


def _check_finite(column: Column, kind: str) -> None:
    if kind == "category" or column.values.dtype == object:
        return
    infinite = np.flatnonzero(np.isinf(column.values))
    if len(infinite):
        raise ValueError(
            f"column {column.name!r} is {column.values[infinite[0]]} in row {infinite[0]} (from 0),"
            f" the first of {len(infinite)}; values must be finite. Leave them blank, which counts "
            "as missing, or drop those rows"
        )
    largest = float(np.nanmax(np.abs(column.values)))
    if largest > float(np.finfo(np.float32).max):
        raise ValueError(
            f"column {column.name!r} reaches {largest:.3g}, more than float32 holds (3.4e38); "
            "rescale it, or leave such values blank, which counts as missing"
        )


def _check_ids(ids: str, column: Column, names: Any) -> None:
    if column.missing.any():
        row = int(np.flatnonzero(column.missing)[0])
        raise ValueError(f"ids is {ids!r}, which is blank in row {row} (from 0); name every row")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"ids is {ids!r}, which holds {twice[0]!r} more than once; each row has its own. If it "
            f"says whose rows they are, pass groups={ids!r}"
        )


def _check_counts(target: str, codes: Rows, classes: tuple[Any, ...], share: float) -> None:
    counts = np.bincount(codes, minlength=len(classes))
    least = max(2, math.ceil(round(1 / share, 9)), math.ceil(round(1 / (1 - share), 9)))
    rarest = int(counts.argmin())
    if counts[rarest] < least:
        raise ValueError(
            f"class {classes[rarest]!r} of {target!r} has {counts[rarest]} of the {least} rows "
            f"that each class needs at test_size {share:g}. Merge it with another class, or drop it"
        )


def _split_by_group(
    groups: str, whose: Any, codes: Rows, classes: tuple[Any, ...], share: float, seed: int
) -> tuple[Rows, Rows]:
    """Split so that no group is on both sides, with shares of classes as near as may be."""
    parts = max(2, round(1 / min(share, 1 - share)))
    number = len(set(whose))
    if number < parts:
        raise ValueError(
            f"groups is {groups!r} with {number} groups; test_size {share:g} needs {parts} or more."
            " Pass a larger test_size up to 0.5, or leave groups out"
        )
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    import warnings

    with warnings.catch_warnings():  # of rare classes, which are counted below
        warnings.simplefilter("ignore", UserWarning)
        rest, part = next(iter(splitter.split(np.zeros(len(codes)), codes, whose)))
    train, test = (rest, part) if share <= 0.5 else (part, rest)
    for side, rows in (("training", train), ("test", test)):
        absent = set(range(len(classes))) - set(codes[rows].tolist())
        if absent:
            raise ValueError(
                f"class {classes[min(absent)]!r} has no row in the {side} part when groups of "
                f"{groups!r} stay together; it needs more groups. Merge or drop that class, or try "
                "another random_state"
            )
    return train, test


def _split_by_time(
    column: Column, codes: Rows, classes: tuple[Any, ...], share: float
) -> tuple[Rows, Rows]:
    """Let the newest rows be the test part; equal times stay together."""
    when = _times(column)
    order = np.argsort(when, kind="stable")
    cut = len(order) - max(1, round(share * len(order)))
    while 0 < cut < len(order) and when[order[cut]] == when[order[cut - 1]]:
        cut -= 1
    if cut <= 0:
        raise ValueError(
            f"time is {column.name!r}, whose oldest value is that of the newest {share:.0%} too; "
            "there is no order to split by. Name another column, or leave time out"
        )
    train, test = order[:cut], order[cut:]
    for side, rows in (("training", train), ("test", test)):
        absent = set(range(len(classes))) - set(codes[rows].tolist())
        if absent:
            raise ValueError(
                f"class {classes[min(absent)]!r} has no row in the {side} part, which time splits "
                f"at {_shown(column, int(order[cut]))}; merge or drop that class, or change "
                "test_size"
            )
    return train, test


def _shown(column: Column, row: int) -> str:
    value = column.values[row]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _times(column: Column) -> Array:
    name = column.name
    if column.missing.any():
        row = int(np.flatnonzero(column.missing)[0])
        raise ValueError(
            f"time is {name!r}, which is blank in row {row} (from 0); drop rows without a time"
        )
    if column.kind == "number":
        return column.values
    made, aware = [], set()
    for row, word in enumerate(column.values):
        try:
            moment = datetime.datetime.fromisoformat(str(word))
        except ValueError:
            raise ValueError(
                f"time is {name!r}, which is {str(word)!r:.40} in row {row} (from 0); it must be "
                "an ISO date such as 2024-01-31, or a number, for others can be read in two ways"
            ) from None
        aware.add(moment.tzinfo is not None)
        made.append(moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC))
    if len(aware) > 1:
        raise ValueError(
            f"time is {name!r}, where some rows have a time zone and some have none; give all one"
        )
    return np.array([moment.timestamp() for moment in made])


def _copies(
    target: str, kept: Sequence[Column], codes: Rows, classes: tuple[Any, ...]
) -> list[str]:
    """Name columns with one value a class: the target under another name."""
    found = []
    for column in kept:
        if column.values.dtype == object:
            words = list(column.values)
        else:
            # NaN is not itself, so a set would hold it many times.
            words = [None if value != value else value for value in column.values.tolist()]
        seen = set(words) - {None}
        if len(seen) == 2 < len(classes):
            found += _says_one_class(target, column.name, words, codes, classes)
        if len(seen) != len(classes):
            continue
        pairs = Counter(zip(words, codes.tolist(), strict=True))
        best: dict[Any, tuple[int, int]] = {}
        for (word, code), count in pairs.items():
            if word is not None and count > best.get(word, (0, 0))[0]:
                best[word] = (count, code)
        same = sum(count for count, _ in best.values())
        total = sum(word is not None for word in words)
        decided = len({code for _, code in best.values()}) == len(classes)
        if decided and same >= COPY * total and total > 0.5 * len(words):
            found.append(
                f"column {column.name!r} tells the class of {same} of {total} rows by itself: it "
                f"looks like {target!r} under another name; drop=[{column.name!r}] unless it is "
                "known before the label is"
            )
    return found


def _says_one_class(
    target: str, name: str, words: list[Any], codes: Rows, classes: tuple[Any, ...]
) -> list[str]:
    """Name a column of two values that says of each row whether it is of one class."""
    known = np.array([word is not None for word in words])
    first = np.array([word == next(w for w in words if w is not None) for word in words])[known]
    if known.sum() <= 0.5 * len(words):
        return []
    for code, label in enumerate(classes):
        inside = codes[known] == code
        same = max(int((first == inside).sum()), int((first != inside).sum()))
        if inside.sum() >= 5 and same >= max(COPY * len(first), len(first) - 0.1 * inside.sum()):
            return [
                f"column {name!r} says of {same} of {len(first)} rows whether they are of class "
                f"{label!r}: it looks like a part of {target!r}; drop=[{name!r}] unless it is "
                "known before the label is"
            ]
    return []


def _counters(kept: Sequence[Column], kinds: Sequence[str]) -> list[str]:
    found = []
    for column, kind in zip(kept, kinds, strict=True):
        if kind == "number" and _written_dates(column.values):
            found.append(
                f"column {column.name!r} looks like dates written as numbers "
                f"({np.nanmin(column.values):.0f}); turn it into days since a day, or pass "
                f"time={column.name!r}"
            )
        if kind == "number" and len(column.values) >= 20:
            steps = np.diff(column.values)
            if (steps == steps[0]).all() and abs(steps[0]) == 1:
                found.append(
                    f"column {column.name!r} counts the rows; pass ids={column.name!r}, or it is a "
                    "feature that new rows cannot have"
                )
    return found


def _written_dates(values: Array) -> bool:
    """Tell numbers such as 20240131."""
    there = values[~np.isnan(values)]
    if not ((there >= 19000101) & (there <= 21001231) & (there == np.round(there))).all():
        return False
    month, day = there // 100 % 100, there % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def _duplicates(features: Array, train: Rows, test: Rows) -> int:
    # + 0.0, for -0.0 has other bytes than 0.0.
    seen = {row.tobytes() for row in features[train] + 0.0}
    return sum(row.tobytes() in seen for row in features[test] + 0.0)


def task_of(
    name: str,
    features: Array,
    codes: Rows,
    classes: tuple[Any, ...],
    train: Rows,
    test: Rows,
) -> Task:
    """Make a task of features (N, D), standardised on the training rows."""
    scaler = StandardScaler().fit(features[train])
    with np.errstate(over="ignore"):
        x_train, x_test = (
            torch.from_numpy(scaler.transform(features[rows]).astype(np.float32))
            for rows in (train, test)
        )
    for part in (x_train, x_test):
        if not part.isfinite().all():
            raise ValueError(
                f"features reach {np.abs(features).max():.3g}; columns are too far apart for "
                "float32 after standardising. Rescale or clip the outliers"
            )
    return Task(
        name=name,
        num_classes=len(classes),
        x_train=x_train,
        y_train=torch.from_numpy(codes[train]),
        x_test=x_test,
        y_test=torch.from_numpy(codes[test]),
        classes=classes,
        mean=scaler.mean_,
        scale=scaler.scale_,
    )

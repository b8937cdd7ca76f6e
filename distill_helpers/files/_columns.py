"""What was learnt of the columns, and how it turns rows into numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill_helpers.files._readers import from_frame, read
from distill_helpers.files._table import (
    MISSING,
    TRUTH,
    Array,
    Column,
    categories,
    from_objects,
    nearest,
    number,
)


@dataclass(frozen=True)
class Columns:
    """How raw rows become features: learnt from the training part, and from nothing else.

    A column of numbers, or of True and False, gives one feature; a missing one becomes the median.
    A category gives one feature a level, 1 or 0; a level that the training part does not have gives
    zeros alone, and so does a missing one. Where a column had missing values in the training part,
    one more feature says so, 1 or 0.

    Attributes
    ----------
    names : tuple of str
        Columns that go in.
    kinds : tuple of str
        Of each: ``number``, ``bool`` or ``category``.
    levels : dict
        Of each category, in order.
    medians : dict
        Of each number or bool.
    indicators : tuple of str
        Columns with a feature for missing.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]] = field(repr=False)
    medians: Mapping[str, float] = field(repr=False)
    indicators: tuple[str, ...] = field(repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        """The features' names, in order: ``age``, ``colour=red``, ``age is missing``."""
        made: list[str] = []
        for name, kind in zip(self.names, self.kinds, strict=True):
            one_hot = [f"{name}={level}" for level in self.levels.get(name, ())]
            made += one_hot if kind == "category" else [name]
            if name in self.indicators:
                made.append(f"{name} is missing")
        return tuple(made)

    def apply(
        self,
        rows: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | str | Path | Any,
        **reading: Any,
    ) -> Array:
        """Turn new raw rows into features, as the training part was.

        Give the result to ``task.standardise`` and then to a network, or to a file of
        `standalone.export_c` with ``mean`` and ``scale`` inside.

        Parameters
        ----------
        rows : path, data frame, mapping of columns, or sequence of mappings
            With the columns `names`; others are ignored. None and NaN are missing, and so is a word
            such as NA where the training part had numbers or True and False.
        **reading
            For a path: ``file_format``, ``encoding``, ``delimiter``, ``index_base``, as in
            `task_from_file`.

        Returns
        -------
        ndarray of float64, shape (N, D)

        Raises
        ------
        TypeError, ValueError
            If a column is missing, of another kind, or holds an infinite value.

        Examples
        --------
        >>> columns = Columns(("age", "colour"), ("number", "category"),
        ...                   {"colour": ("blue", "red")}, {"age": 30.0}, ("age",))
        >>> columns.features
        ('age', 'age is missing', 'colour=blue', 'colour=red')
        >>> columns.apply({"age": [41, None], "colour": ["red", "green"]})
        array([[41.,  0.,  0.,  1.],
               [30.,  1.,  0.,  0.]])
        """
        if isinstance(rows, str | Path):
            found = {column.name: column for column in read(Path(rows), **reading)}
            if "index_base" in reading:  # a sparse file leaves out what is zero
                zeros = np.zeros(len(next(iter(found.values())).values))
                found = {name: Column(name, "number", zeros) for name in self.names} | found
            self._check_there(list(found), list(found))
            return self.encode([found[name] for name in self.names])
        if reading:
            raise TypeError(f"{next(iter(reading))} is for reading a file; rows are no path")
        table = self._table(rows)
        return self.encode([table[name] for name in self.names])

    def encode(self, columns: Sequence[Column]) -> Array:
        """Turn columns, one for each of `names`, into features ``(N, D)``."""
        parts: list[Array] = []
        for kind, column in zip(self.kinds, columns, strict=True):
            name = column.name
            if kind == "category":
                words = _as_levels(column, self.levels[name])
                missing = np.array([word is None for word in words])
                parts += [
                    np.fromiter((w == level for w in words), np.float64, len(words))
                    for level in self.levels[name]
                ]
            else:
                numbers = _numbers(column)
                missing = np.isnan(numbers)
                if np.isinf(numbers).any():
                    row = int(np.flatnonzero(np.isinf(numbers))[0])
                    raise ValueError(
                        f"column {name!r} is {numbers[row]} in row {row} (from 0); values must be "
                        "finite. Drop the row, or leave the value blank: then it is missing"
                    )
                parts.append(np.where(missing, self.medians[name], numbers))
            if name in self.indicators:
                parts.append(missing.astype(np.float64))
        return np.stack(parts, 1) if parts else np.empty((0, 0))

    def to_json(self) -> str:
        """Write it as JSON; `from_json` reads it."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Columns:
        """Read what `to_json` wrote."""
        stored = json.loads(text)
        return cls(
            tuple(stored["names"]),
            tuple(stored["kinds"]),
            {name: tuple(levels) for name, levels in stored["levels"].items()},
            stored["medians"],
            tuple(stored["indicators"]),
        )

    def _table(self, rows: Any) -> dict[str, Column]:
        if hasattr(rows, "columns") and hasattr(rows, "isna"):
            present = [name for name in rows.columns if name in self.names]
            self._check_there(present, list(map(str, rows.columns)))
            return {column.name: column for column in from_frame(rows[present])}
        if isinstance(rows, Mapping):
            table = rows
        elif isinstance(rows, Sequence) and rows and all(isinstance(r, Mapping) for r in rows):
            self._check_there(list(rows[0]), list(rows[0]))
            table = {name: [row.get(name) for row in rows] for name in self.names}
        else:
            raise TypeError(
                f"rows is a {type(rows).__name__}; give a data frame, a dictionary of columns, or "
                "a list of dictionaries"
            )
        self._check_there(list(table), list(table))
        made = {name: from_objects(name, list(table[name])) for name in self.names}
        lengths = {len(column.values) for column in made.values()}
        if len(lengths) > 1:
            raise ValueError(
                f"columns have {min(lengths)} to {max(lengths)} rows; each must have as many"
            )
        return made

    def _check_there(self, present: Sequence[str], shown: Sequence[str]) -> None:
        for name in self.names:
            if name not in present:
                raise ValueError(f"rows have no column {name!r}; {nearest(name, shown)}")


def learn(columns: Sequence[Column], kinds: Sequence[str], train: npt.NDArray[np.int64]) -> Columns:
    """Learn levels, medians and what may be missing from the training part.

    Parameters
    ----------
    columns : sequence of Column
    kinds : sequence of str
        number, bool or category.
    train : ndarray of int64
        Rows of the training part.
    """
    levels: dict[str, tuple[str, ...]] = {}
    medians: dict[str, float] = {}
    indicators = []
    for column, kind in zip(columns, kinds, strict=True):
        missing = column.missing[train]
        if missing.all():
            raise ValueError(
                f"column {column.name!r} has no value in the training part; leave it out: "
                f"drop=[{column.name!r}]"
            )
        if kind == "category":
            words = categories(column)[train]
            levels[column.name] = tuple(sorted({w for w in words if w is not None}))
        else:
            medians[column.name] = float(np.median(column.values[train][~missing]))
        if missing.any():
            indicators.append(column.name)
    names = tuple(column.name for column in columns)
    return Columns(names, tuple(kinds), levels, medians, tuple(indicators))


def _as_levels(column: Column, levels: Sequence[str]) -> npt.NDArray[Any]:
    """Return a column as text, spelt as the levels are where it means one of them.

    Numbers come back from a frame without their zeros (1, where the file said 1.0), and a file
    whose every row says TRUE, NA or 7 has no text in it. A word such as NA, which is no level, is
    missing where all levels are numbers, or True and False.
    """
    words = categories(column).copy()
    if column.kind not in ("number", "bool"):
        if all(number(w) is not None for w in levels) or all(w.lower() in TRUTH for w in levels):
            absent = [w is not None and w not in levels and w.lower() in MISSING for w in words]
            words[absent] = None
        return words
    same: dict[float, list[str]] = {}
    for level in levels:
        value = number(level) if column.kind == "number" else TRUTH.get(level.lower())
        if value is not None:
            same.setdefault(value, []).append(level)
    for row, value in enumerate(column.values.tolist()):
        if column.written is not None and column.written[row] in levels:
            words[row] = column.written[row]
        elif words[row] not in levels and len(same.get(value, ())) == 1:
            words[row] = same[value][0]
    return words


def _numbers(column: Column) -> Array:
    if column.values.dtype != object:
        return column.values
    words = [None if v is None or v.lower() in MISSING else v for v in column.values]
    known = [row for row, word in enumerate(words) if word is not None]
    if not known:
        return np.full(len(words), np.nan)
    # One word turns a file's whole column into text: name it, not a number beside it.
    row = next((row for row in known if number(column.values[row]) is None), known[0])
    raise TypeError(
        f"column {column.name!r} holds {column.values[row]!r:.40} in row {row} (from 0); it was a "
        "number where the student was trained. Give numbers, None where one is missing"
    )

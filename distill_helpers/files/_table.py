"""A column of a table, and what text in it means."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "#n/a"})
"""Words that are missing in a column of numbers or of True and False; in any other, levels."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INFINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+|[+-]?\d{1,3}([.,' ]\d{3})+([.,]\d+)?")
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})"
    rf"|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}})"
    r"([T ,]+\d{1,2}:\d{2}.*)?",
    re.IGNORECASE,
)
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass
class Column:
    """One column.

    Attributes
    ----------
    name : str
    kind : str
        number, bool (1 and 0), category (text; of the file's own making), text (to be looked at),
        or date.
    values : ndarray, shape (N,)
        float64 with NaN where missing, for numbers and bools; objects, text or None, else.
    written : list of str, optional
        The words of a file of text.
    """

    name: str
    kind: str
    values: npt.NDArray[Any]
    written: list[str] | None = field(default=None, repr=False)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Where nothing stands, shape (N,)."""
        if self.values.dtype == object:
            return np.array([value is None for value in self.values], bool)
        return np.isnan(self.values)


def from_words(name: str, words: list[str]) -> Column:
    """Return a column of a file that holds text alone, such as CSV."""
    seen = set(words)
    plain = {word for word in seen if word.lower() not in MISSING}
    if plain and all(_NUMBER.fullmatch(w) or _INFINITE.fullmatch(w) for w in plain):
        table = {w: float(w) if w in plain else np.nan for w in seen}
        return Column(name, "number", np.array([table[w] for w in words]), words)
    if plain and all(word.lower() in TRUTH for word in plain):
        table = {w: TRUTH.get(w.lower(), np.nan) for w in seen}
        return Column(name, "bool", np.array([table[w] for w in words]), words)
    return from_text(name, [word or None for word in words], words)


def from_text(name: str, values: Iterable[str | None], words: list[str] | None = None) -> Column:
    """Return a column of text: dates, or something to be looked at."""
    array = np.empty(len(made := list(values)), object)
    array[:] = made
    seen = {value for value in made if value is not None}
    dates = sum(_DATE.fullmatch(value) is not None for value in seen)
    kind = "date" if seen and dates >= 0.9 * len(seen) else "text"
    return Column(name, kind, array, words)


def from_objects(name: str, values: Sequence[Any]) -> Column:
    """Return a column of Python values: all numbers, all True and False, or all text.

    Raises
    ------
    ValueError
        If they are of several kinds, or of another.
    """
    import datetime
    import decimal

    kinds: dict[str, Any] = {}
    made: list[Any] = []
    for raw in values:
        value = raw.item() if isinstance(raw, np.generic) else raw
        if isinstance(value, str) and not value.strip():
            value = None  # as a blank in a CSV
        if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
            made.append(None)
            continue
        if isinstance(value, bool):
            kind = "bool"
        elif isinstance(value, int | float | decimal.Decimal):
            kind, value = "number", float(value)
        elif isinstance(value, str):
            kind = "text"
        elif isinstance(value, datetime.date | datetime.time | datetime.timedelta):
            kind, value = "date", str(value)
        else:
            raise ValueError(
                f"column {name!r} holds {value!r:.40}, a {type(value).__name__}; a feature is a "
                f"number, True or False, or a category. Leave it out, drop=[{name!r}], or turn it "
                "into columns of numbers"
            )
        kinds.setdefault(kind, value)
        made.append(value)
    if len(kinds) > 1:
        one, other = list(kinds)[:2]
        raise ValueError(
            f"column {name!r} holds {one} ({kinds[one]!r:.30}) and {other} ({kinds[other]!r:.30}); "
            f"a column is of one kind. Make it text throughout, or leave it out, drop=[{name!r}]"
        )
    kind = next(iter(kinds), "text")
    if kind in ("number", "bool"):
        numbers = np.array([np.nan if v is None else float(v) for v in made], np.float64)
        words = None
        if kind == "number":  # float64 does not hold every whole number, so keep them as written
            words = [
                "" if raw is None or n != n else level(n) if isinstance(raw, float) else str(raw)
                for raw, n in zip(values, numbers.tolist(), strict=True)
            ]
        return Column(name, kind, numbers, words)
    if kind == "date":
        array = np.empty(len(made), object)
        array[:] = made
        return Column(name, "date", array)
    return from_text(name, made)


def level(value: float) -> str:
    """Write a number as a level: 3, not 3.0."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def number(word: str) -> float | None:
    """Return the number that a word is, if it is one."""
    return float(word) if _NUMBER.fullmatch(word) else None


def categories(column: Column) -> npt.NDArray[Any]:
    """Return a column as text, None where missing, shape (N,) of objects."""
    if column.values.dtype == object:
        return column.values
    made = np.empty(len(column.values), object)
    if column.kind == "bool":
        made[:] = [None if np.isnan(v) else str(bool(v)) for v in column.values]
    elif column.written is not None:  # so that 01 and 1 stay apart
        made[:] = [
            None if np.isnan(v) else w for v, w in zip(column.values, column.written, strict=True)
        ]
    else:
        made[:] = [None if np.isnan(v) else level(v) for v in column.values]
    return made


def _words(column: Column) -> set[str]:
    return {value for value in column.values if value is not None and value.lower() not in MISSING}


def number_commas(column: Column) -> list[str]:
    """Return, sorted, what looks like a number written with commas, where most are numbers."""
    seen = _words(column)
    alike = {value for value in seen if _DECIMAL_COMMA.fullmatch(value)}
    commas = sorted(value for value in alike if not _NUMBER.fullmatch(value))
    numbers = sum(value in alike or _NUMBER.fullmatch(value) is not None for value in seen)
    return commas if numbers >= 0.9 * len(seen) else []


def comma_readings(column: Column, commas: Sequence[str]) -> list[str]:
    """Return what to say to ``pandas.read_csv``, once for each way to read all of `commas`."""
    # Who writes 997 beside 1,010 leaves out decimals that are 0, so this is no 1.01.
    trimmed = _words(column) > set(commas) and any(word.endswith("0") for word in commas)
    for mark in ",' ":
        if all(re.fullmatch(rf"[+-]?\d{{1,3}}({mark}\d{{3}})+(\.\d+)?", word) for word in commas):
            thousands = f"thousands={mark!r}"
            once = all(re.fullmatch(r"[+-]?\d+,\d{3}", word) for word in commas)
            zero = any(re.match(r"[+-]?0", word) for word in commas)  # 0,125 is below one
            if mark == "," and once and zero:
                return ["decimal=','"]
            if mark == "," and once and not trimmed:
                return [thousands, "decimal=','"]
            return [thousands]
    apart = next((mark for mark in "' " if any(mark in word for word in commas)), ".")
    return [f"decimal=',', thousands={apart!r}"]


CODES = 30
"""Fewer different numbers may be codes beside others that are words: cards, grades, chromosomes."""


def stray_word(column: Column) -> str | None:
    """Return a word that is no number in a column of text where nearly all values are."""
    seen = _words(column)
    strays = sorted(value for value in seen if number(value) is None)
    numbers = len(seen) - len(strays)
    return strays[0] if strays and numbers >= max(CODES, 0.9 * len(seen)) else None


def nearest(name: str, names: Iterable[str]) -> str:
    """Say which column may have been meant."""
    known = list(names)
    close = difflib.get_close_matches(name, known, 1, 0.5)
    lower = [other for other in known if other.lower() == name.lower()]
    if lower or close:
        return f"did you mean {(lower or close)[0]!r}?"
    shown = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
    return f"the file has {shown}"

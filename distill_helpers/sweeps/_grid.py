"""What a sweep runs: the grid as it is typed, and its points."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distill_helpers import parameters as declared
from distill_helpers import runs

MOST = 100_000  # points of one sweep: each leaves two files

_RANGE = re.compile(r"(-?\d+):(-?\d+)(?::(-?\d+))?")
_COMMA = re.compile(r",(?![^\[]*\])")  # not one inside a list's brackets


@dataclass(frozen=True)
class Grid:
    """The points of a sweep.

    Attributes
    ----------
    chapter : str
        A key of `parameters.CHAPTERS`.
    axes : dict of str to list
        The values of each parameter that was named, in the order of the command.
    points : list of dict
        All parameters of the chapter at each point; the first axis moves slowest.
    """

    chapter: str
    axes: dict[str, list[Any]]
    points: list[dict[str, Any]]


def read_grid(chapter: str, texts: Sequence[str]) -> Grid:
    """Read a grid from a command line's text and check every value.

    Parameters
    ----------
    chapter
        A key of `parameters.CHAPTERS`.
    texts
        One for each parameter: ``name=1,2,3``, ``name=0:20`` (20 is left out), ``name=0:20:5``,
        and for lists ``name=[64,32],[16]``.

    Raises
    ------
    ValueError
        In one line: an unknown parameter, a value that the chapter refuses, nothing to run, a value
        twice, too many points.

    Examples
    --------
    >>> grid = read_grid("09-evidence", ["random_state=0:3", "num_laws=4,8"])
    >>> grid.axes, len(grid.points), grid.points[1]
    ({'random_state': [0, 1, 2], 'num_laws': [4, 8]}, 6, {'random_state': 0, 'num_laws': 8})
    """
    if not texts:
        raise ValueError("the grid is empty; name what varies: --grid random_state=0:20")
    axes: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ValueError(
                f"--grid {text!r} names no values; write it as --grid random_state=0:20 or "
                "--grid temperature=1,2,3"
            )
        if name in axes:
            raise ValueError(f"{name} is in the grid twice; give all its values in one --grid")
        axes[name] = _values(chapter, name, values)
    count = math.prod(map(len, axes.values()))
    if count > MOST:
        raise ValueError(f"the grid has {count:,} points; at most {MOST:,}: sweep it in parts")
    points = [
        declared.complete(chapter, dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    ]
    return Grid(chapter, axes, points)


def key(chapter: str, parameters: Mapping[str, Any]) -> str:
    """Name a point by its content, so that a grown grid finds the points it already has."""
    text = json.dumps([chapter, parameters], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _values(chapter: str, name: str, text: str) -> list[Any]:
    found: list[Any] = []
    for part in _COMMA.split(text):
        part = part.strip()
        span = _RANGE.fullmatch(part)
        if not part:
            raise ValueError(
                f"--grid {name}={text} has an empty place; write the values as {name}=1,2,3 or 0:20"
            )
        found += (
            _span(chapter, name, part, *span.groups()) if span else [_value(chapter, name, part)]
        )
    seen = set()
    for value in found:
        if repr(value) in seen:
            raise ValueError(f"{name} has {value!r} twice in the grid; leave one of them out")
        seen.add(repr(value))
    return found


def _span(chapter: str, name: str, text: str, first: str, last: str, step: str | None) -> list[Any]:
    _value(chapter, name, first)  # an unknown name is worth saying before an empty range
    if step is not None and int(step) == 0:
        raise ValueError(f"--grid {name}={text} has a step of 0; write 0:20 or 0:20:5")
    numbers = range(int(first), int(last), 1 if step is None else int(step))
    if not len(numbers):
        raise ValueError(
            f"--grid {name}={text} is empty: its end is left out, so 0:3 is 0, 1, 2; "
            f"write {name}={first}:{int(first) + 1} for {first} alone"
        )
    if len(numbers) > MOST:
        raise ValueError(f"--grid {name}={text} has {len(numbers):,} values; at most {MOST:,}")
    return [_value(chapter, name, str(number)) for number in numbers]


def _value(chapter: str, name: str, text: str) -> Any:
    parameter = declared.CHAPTERS.get(chapter, {}).get(name)
    if parameter is not None and parameter.kind is list and not text.startswith("["):
        raise ValueError(
            f"{name} is {text!r}; each of its values is a list: --grid '{name}=[64,32],[16]'"
        )
    return runs.parse(chapter, {name: text})[name]

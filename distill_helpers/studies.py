"""Tables of studies that are too long for a chapter: written once, read by the chapter.

A table is a CSV file that begins with comment lines: the command that makes it, a digest of the
code, and the machine. The chapter runs a part of the study again and compares.
"""

from __future__ import annotations

import csv
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill_helpers import _machine
from distill_helpers.statistics import Estimate, paired_gain

Row = dict[str, Any]
_CODE = (
    "_checks",
    "tasks",
    "networks",
    "losses",
    "soft_targets",
    "transfer",
    "gradients",
    "metrics",
    "training",
    "experiments",
    "capacity",
    "protocol",
    "deciding",
)


@dataclass(frozen=True)
class Study:
    """A study's table.

    Attributes
    ----------
    rows : list of dict
        Numbers are numbers again.
    about : dict of str to str
        ``command``, ``code`` and ``machine``.
    """

    rows: list[Row]
    about: dict[str, str]

    def arm(self, name: str, column: str = "accuracy", **where: Any) -> dict[int, float]:
        """Gather one arm's values by replicate, so that arms can be paired.

        Parameters
        ----------
        name : str
            Of the arm.
        column : str
            Which score.
        **where
            Values that other columns must have.

        Raises
        ------
        KeyError
            If the study has no such arm.

        Examples
        --------
        >>> study = Study([{"arm": "a", "replicate": 0, "accuracy": 0.9}], {})
        >>> study.arm("a")
        {0: 0.9}
        """
        found = {
            row["replicate"]: row[column]
            for row in self.rows
            if row["arm"] == name and all(row[key] == value for key, value in where.items())
        }
        if not found:
            raise KeyError(f"{name!r} is no arm of this study; it has {', '.join(self.arms())}")
        return found

    def arms(self) -> list[str]:
        """List the arms, in the order of the table."""
        return list(dict.fromkeys(row["arm"] for row in self.rows))


def gain(one: Mapping[int, float], other: Mapping[int, float]) -> Estimate:
    """Return the gain of one arm over another, paired by the replicates that both have.

    Its interval is Hall's where the replicates are skewed (`statistics.mean_estimate`, ``"auto"``).

    Examples
    --------
    >>> print(gain({0: 3.0, 1: 5.0, 2: 4.0}, {2: 1.0, 0: 1.0, 1: 2.0}))
    2.7 [1.2, 4.1]
    """
    shared = sorted(one.keys() & other.keys())
    first, second = ([arm[r] for r in shared] for arm in (one, other))
    return paired_gain(first, second, interval="auto")


def read(path: str | Path) -> Study:
    """Read a study's table.

    Raises
    ------
    FileNotFoundError
        If it is not there; the message says where it is.
    """
    path = Path(path)
    if not path.exists():
        place = path.resolve().parent
        raise FileNotFoundError(
            f"{path} is missing; the project's repository has it: copy the folder {place.name} "
            f"from there to {place.parent} (to make it anew, `make studies`, takes hours)"
        )
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[2:].split(": ", 1) for line in lines if line.startswith("# ")]
    table = csv.DictReader(line for line in lines if not line.startswith("# "))
    rows = [{name: _number(cell) for name, cell in row.items()} for row in table]
    return Study(rows, dict(comments))


class Writer:
    """Write a study replicate by replicate; a run that was stopped goes on where it was.

    Parameters
    ----------
    path : path
        Of the finished table. Until then rows go to ``NAME.part`` beside it, and an older table
        stays as it is.
    command : str
        That makes it.
    replicate : str
        The column that numbers the replicates.
    script : path or sequence of path, optional
        Of the study itself, and of what else it is made from: counts as code.
    grow : bool
        Whether a finished table keeps its rows and its comments, and takes what it lacks: each
        replicate that is added then has a comment of its own, with its command, code and machine.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the table's folder is not there, or the table is a folder; before anything runs.

    Warns
    -----
    RuntimeWarning
        If ``NAME.part`` comes from another command, other code or another machine: it is not gone
        on with, and its rows are replaced by the first that is added.
    """

    def __init__(
        self,
        path: str | Path,
        command: str,
        replicate: str,
        script: str | Path | Sequence[str | Path] = (),
        *,
        grow: bool = False,
    ) -> None:
        self.path = Path(path)
        self.part = self.path.with_suffix(self.path.suffix + ".part")
        self.replicate = replicate
        self.about = {
            "command": command,
            "code": code_digest(*([script] if isinstance(script, str | Path) else script)),
            "machine": json.dumps(_machine.fingerprint(), sort_keys=True),
        }
        self.rows: list[Row] = []
        self.own = ""  # comment of a replicate that is added to a finished table
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"{self.path.parent} is no folder; make it, or name another")
        if self.path.is_dir():
            raise IsADirectoryError(f"{self.path} is a folder; name a file in it")
        if grow and self.path.exists():
            self.own = "; ".join(f"{key} {value}" for key, value in self.about.items())
            stored = read(self.path)
            self.rows, self.about = stored.rows, stored.about
        if self.part.exists():
            earlier = read(self.part)
            other = [key for key, value in self.about.items() if earlier.about.get(key) != value]
            if other:
                warnings.warn(
                    f"{self.part} was made with another {' and another '.join(other)}; the study "
                    "starts anew",
                    RuntimeWarning,
                    stacklevel=2,
                )
            else:
                self.rows, self.about = earlier.rows, earlier.about

    def missing(self, count: int) -> Iterator[int]:
        """Yield the replicates, of `count`, that are still to be run."""
        done = {row[self.replicate] for row in self.rows}
        yield from (index for index in range(count) if index not in done)

    def add(self, rows: Sequence[Row]) -> None:
        """Add the rows of one replicate, and save."""
        self.rows.extend(rows)
        if self.own:
            self.about |= {f"{self.replicate} {row[self.replicate]}": self.own for row in rows}
        _save(self.part, self.about, self.rows)

    def finish(self) -> None:
        """Put the table in its place.

        Raises
        ------
        ValueError
            If nothing was added.
        """
        if not self.rows:
            raise ValueError(f"nothing was added to {self.path}; call `add` for each replicate")
        self.rows.sort(key=lambda row: row[self.replicate])
        _save(self.part, self.about, self.rows)
        os.replace(self.part, self.path)


def code_digest(*scripts: str | Path) -> str:
    """Digest of the code that a trained number comes from; words about the code do not count."""
    return _machine.digest(
        [*(path for name in _CODE for path in _sources(name)), *map(Path, scripts)]
    )


def _sources(name: str) -> list[Path]:
    """Return a module's file, or the files of its folder."""
    here = Path(__file__).parent / name
    return sorted(here.rglob("*.py")) if here.is_dir() else [here.with_suffix(".py")]


def _save(path: Path, about: dict[str, str], rows: Sequence[Row]) -> None:
    draft = path.with_suffix(path.suffix + ".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        for key, value in about.items():
            file.write(f"# {key}: {value}\n")
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(
            {key: f"{v:.9g}" if isinstance(v, float) else v for key, v in row.items()}
            for row in rows
        )
    os.replace(draft, path)


def _number(cell: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            pass
    return cell

"""What a sweep leaves on disk, so that it can be killed at any moment.

A point is done when its file in ``points/`` is whole: written beside its place, flushed to the
disk, renamed, with the digest of its own content and of its notebook inside. Nothing else counts.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from distill_helpers.sweeps._grid import Grid, key

if TYPE_CHECKING:
    from distill_helpers.results import Recorded

SCHEMA = 1
_COLUMNS = ("result", "unit", "value", "low", "high", "level", "n")


class Store:
    """A sweep's folder.

    Parameters
    ----------
    out : path
        Made if it is missing. ``points/`` and ``notebooks/`` hold what is done, ``failed/`` what
        failed.
    chapter : str
        Whose points these are.
    about : mapping of str to str
        What the numbers depend on: digests of the package, the notebook and the tables, and
        versions.

    Raises
    ------
    ValueError
        In one line, where the folder is another sweep's or another program's, holds points of
        another package or notebook, or is in use.
    """

    def __init__(self, out: str | Path, chapter: str, about: Mapping[str, str]) -> None:
        self.out, self.chapter = Path(out), chapter
        self.about = {"chapter": chapter, **about}
        head = self.out / "sweep.json"
        if self.out.exists() and not self.out.is_dir():
            raise ValueError(f"{self.out} is a file; name a folder for the sweep")
        if self.out.is_dir() and not head.exists() and self._foreign():
            raise ValueError(
                f"{self.out} holds {self._foreign()}, no part of a sweep; name a new folder"
            )
        self.out.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.out / ".lock")
        try:
            if head.exists():
                self._compare(head)
            else:
                write(head, json.dumps({"schema": SCHEMA, **self.about}, indent=1).encode())
            for name in ("points", "notebooks", "failed"):
                (self.out / name).mkdir(exist_ok=True)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another sweep have the folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def done(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what a finished point left, or None where its file is missing or not whole."""
        name = key(self.chapter, point)
        try:
            found: dict[str, Any] = json.loads((self.out / "points" / f"{name}.json").read_bytes())
            notebook = (self.out / "notebooks" / f"{name}.ipynb").read_bytes()
            whole = found.pop("digest") == _digest(found)
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None
        good = (
            whole
            and found["parameters"] == point
            and found["about"] == self.about
            and found["notebook"] == hashlib.sha256(notebook).hexdigest()
        )
        return found if good else None

    def failed(self, point: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return how a point failed, or None."""
        try:
            found = json.loads(
                (self.out / "failed" / f"{key(self.chapter, point)}.json").read_bytes()
            )
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and "error" in found else None

    def save(
        self,
        point: Mapping[str, Any],
        notebook: bytes,
        found: Mapping[str, Recorded],
        **how: Any,
    ) -> None:
        """Keep a point that came to its end; `how` says where and how long it ran."""
        name = key(self.chapter, point)
        write(self.out / "notebooks" / f"{name}.ipynb", notebook)
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "about": self.about,
            "parameters": dict(point),
            "results": [_plain(result, entry) for result, entry in found.items()],
            "notebook": hashlib.sha256(notebook).hexdigest(),
            "how": how,
        }
        content["digest"] = _digest(content)
        write(self.out / "points" / f"{name}.json", json.dumps(content, indent=1).encode())
        (self.out / "failed" / f"{name}.json").unlink(missing_ok=True)

    def fail(self, point: Mapping[str, Any], error: str, **how: Any) -> None:
        """Keep what a point failed of."""
        content = {"parameters": dict(point), "error": error, "how": how}
        name = key(self.chapter, point)
        write(self.out / "failed" / f"{name}.json", json.dumps(content, indent=1).encode())

    def tables(self, grid: Grid) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Write the tables of what is there: results.csv, results.parquet and points.csv.

        Returns
        -------
        rows : list of dict
            One for each named result of each point that is done, in the order of the grid.
        points : list of dict
            One for each point: its file's name, parameters, state, seconds and error.
        """
        rows, points = [], []
        for point in grid.points:
            name, found = key(self.chapter, point), self.done(point)
            if found is not None:
                rows += [{"point": name, **point, **entry} for entry in found["results"]]
            failed = None if found else self.failed(point)
            points.append(
                {
                    "point": name,
                    **point,
                    "state": "done" if found else "failed" if failed else "missing",
                    "seconds": found["how"].get("seconds") if found else None,
                    "machine": found["how"].get("machine") if found else None,
                    "error": failed["error"] if failed else None,
                }
            )
        names = list(grid.points[0])
        columns = ["point", *names, *_COLUMNS]
        write(self.out / "results.csv", _csv(columns, rows))
        write(self.out / "results.parquet", _parquet(names, columns, rows, grid.points[0]))
        write(
            self.out / "points.csv",
            _csv(["point", *names, "state", "seconds", "machine", "error"], points),
        )
        return rows, points

    def _foreign(self) -> str:
        """Name something in the folder that no sweep has put there."""
        own = {".lock", "points", "notebooks", "failed"}
        return next(
            (
                p.name
                for p in sorted(self.out.iterdir())
                if p.name not in own and p.suffix != ".part"
            ),
            "",
        )

    def _compare(self, head: Path) -> None:
        """Refuse points of another sweep."""
        try:
            earlier = json.loads(head.read_bytes())
            earlier.pop("schema")
        except (ValueError, AttributeError, KeyError):
            raise ValueError(f"{head} cannot be read; name another --out") from None
        way_out = (
            "they are not mixed with new ones: name another --out, or remove that folder to run "
            "all of it again"
        )
        if earlier.get("chapter") != self.chapter:
            raise ValueError(
                f"{self.out} holds points of chapter {earlier.get('chapter')}, not "
                f"{self.chapter}; {way_out}"
            )
        others = [
            f"{name} was {earlier.get(name, 'missing')}, is {self.about.get(name, 'missing')}"
            for name in dict.fromkeys([*self.about, *earlier])
            if earlier.get(name) != self.about.get(name)
        ]
        if others:
            raise ValueError(
                f"{self.out} holds points made by something else ({'; '.join(others[:3])}), and "
                f"{way_out}"
            )


def write(path: Path, content: bytes) -> None:
    """Put a file in its place whole: beside it first, flushed to the disk, then renamed."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    if hasattr(os, "O_DIRECTORY"):  # the new name survives a power cut too
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _locked(path: Path) -> IO[bytes] | None:
    """Hold the folder for this process; the system lets go of it however the process ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ValueError(
            f"another sweep is writing to {path.parent}; wait for it, or name another --out"
        ) from None
    except OSError:  # a file system without locks
        file.close()
        return None
    return file


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _plain(name: str, entry: Recorded) -> dict[str, Any]:
    """Return a result as a row: no ends without an interval, an infinite one where it is open."""
    bare = entry.level is None and entry.low == entry.high == entry.value
    return {
        "result": name,
        "unit": entry.unit,
        "value": entry.value,
        "low": None if bare else entry.low,
        "high": None if bare else entry.high,
        "level": entry.level,
        "n": entry.n,
    }


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(row[column]) for column in columns] for row in rows)
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return json.dumps(value)
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _parquet(
    names: Sequence[str],
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    point: Mapping[str, Any],
) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string(), list: pa.list_(pa.int64())}
    types = {name: kinds[type(point[name])] for name in names}
    types |= dict.fromkeys(("point", "result", "unit"), pa.string())
    types |= dict.fromkeys(("value", "low", "high", "level"), pa.float64()) | {"n": pa.int64()}
    schema = pa.schema([(column, types[column]) for column in columns])
    sink = io.BytesIO()
    table = [{column: row[column] for column in columns} for row in rows]
    parquet.write_table(pa.Table.from_pylist(table, schema=schema), sink)
    return sink.getvalue()

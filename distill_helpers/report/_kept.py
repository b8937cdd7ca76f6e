"""What is done of a report, on the disk, so that one that was stopped can go on."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from distill_helpers import _machine
from distill_helpers.files import Column, OwnRows, categories
from distill_helpers.protocol import Setting, Shape
from distill_helpers.report._run import Scores, Tuning
from distill_helpers.report._teachers import Probabilities, Teacher


class Kept:
    """Tunings and tests that are done: one line of JSON each, after a first line on what of.

    A line that a kill cut short is dropped, and its part runs again.

    Parameters
    ----------
    path : Path
        Made where it is missing, with its folder.
    about : dict of str
        What the numbers depend on, by names that a reader knows.
    start : float
        When this run began, by ``time.perf_counter``.

    Attributes
    ----------
    before : float
        Seconds that earlier runs took, up to the last part that they kept.

    Raises
    ------
    ValueError
        If the file is of another report: in one line, what differs and the way out.
    OSError
        If it cannot be read or written.
    """

    def __init__(self, path: Path, about: dict[str, str], start: float) -> None:
        self.path, self.start, self.before = path, start, 0.0
        self._done: dict[str, Any] = {}
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(path.name + ".draft")  # so that no first line is cut short
            draft.write_text(json.dumps({"distill report": about}) + "\n", encoding="utf-8")
            os.replace(draft, path)
            return
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        try:
            first, *rest = (json.loads(line) for line in whole)
            was = dict(first["distill report"])
            self._done = {line["part"]: _read(line) for line in rest}
            self.before = max((line.get("after", 0.0) for line in rest), default=0.0)
        except (ValueError, TypeError, KeyError):
            raise ValueError(
                f"{path} is no file of a report that was stopped; move it, or name another folder "
                "as out"
            ) from None
        changed = [name for name, value in about.items() if was.get(name) != value]
        if changed:
            raise ValueError(
                f"{path} holds the parts of a report that was stopped, with other "
                f"{', '.join(changed)}; remove it to start again, or name another folder as out"
            )
        if len(whole) < len(lines):
            path.write_bytes(b"".join(whole))

    def __contains__(self, part: str) -> bool:
        return part in self._done

    def __len__(self) -> int:
        return len(self._done)

    def __getitem__(self, part: str) -> Any:
        return self._done[part]

    def add(self, part: str, result: Any) -> None:
        """Keep one part."""
        with self.path.open("a", encoding="utf-8") as file:
            after = self.before + time.perf_counter() - self.start
            file.write(json.dumps({"part": part, "after": after} | _written(result)) + "\n")
        self._done[part] = result


def _written(result: Any) -> dict[str, Any]:
    if isinstance(result, Scores):
        sizes = [[list(size), table] for size, table in result.sizes.items()]
        rows = sorted(result.wrong)
        return {
            "scores": {
                "values": result.values,
                "sizes": sizes,
                "wrong": rows,
                "train_size": result.train_size,
                "test_size": result.test_size,
            }
        }
    tuning, seconds = result
    knobs = tuning.knobs and [asdict(knob) for knob in tuning.knobs]
    return {"tuning": asdict(tuning) | {"knobs": knobs}, "seconds": seconds}


def _read(line: dict[str, Any]) -> Any:
    if "scores" in line:
        found = line["scores"]
        sizes = {tuple(size): table for size, table in found["sizes"]}
        return Scores(**found | {"sizes": sizes, "wrong": set(found["wrong"])})
    found = line["tuning"]
    knobs = found["knobs"]
    if knobs:
        setting, shape = knobs
        knobs = Setting(**setting), Shape(tuple(shape["hidden"]), tuple(shape["dropout"]))
    settings = {name: Setting(**setting) for name, setting in found["settings"].items()}
    tuning = Tuning(knobs, settings, found["temperatures"], tuple(found["edges"]))
    return tuning, line["seconds"]


def depends_on(
    own: OwnRows,
    teacher: Teacher,
    hidden: tuple[int, ...],
    repeats: int,
    seed: int,
    unlabelled: npt.NDArray[np.float64] | None,
) -> dict[str, str]:
    """Return what a report's parts depend on, each as a short text."""
    columns = [*zip(own.columns, own.kinds, strict=True), *([(own.time, "")] if own.time else [])]
    answers = teacher.log_p.numpy().tobytes() if isinstance(teacher, Probabilities) else b""
    package = Path(__file__).resolve().parent.parent
    return {
        "rows or columns": _digest(
            str((own.kinds, own.classes)).encode(),
            own.labels.tobytes(),
            *(_bytes(*column) for column in columns),
            str(None if own.groups is None else own.groups.tolist()).encode(),
        ),
        "teacher": f"{teacher!r} {_digest(answers)}",
        "student": str(hidden),
        "repeats": str(repeats),
        "seed": str(seed),
        "unlabelled rows": _digest(b"" if unlabelled is None else unlabelled.tobytes()),
        "package's code": _machine.digest(sorted(package.rglob("*.py"))),
        "machine or versions": json.dumps(_machine.fingerprint(), sort_keys=True),
    }


def _bytes(column: Column, kind: str) -> bytes:
    values = categories(column) if kind == "category" else column.values  # 01 is not 1 there
    return f"{column.name} {column.kind} {values.tolist()}".encode()


def _digest(*parts: bytes) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(f"{len(part)} ".encode() + part)
    return found.hexdigest()[:16]

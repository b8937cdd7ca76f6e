"""A sweep from the command to its tables: what is missing runs, what comes back is kept."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill_helpers import runs
from distill_helpers.sweeps import _about
from distill_helpers.sweeps._bar import Bar
from distill_helpers.sweeps._engine import Engine, Stopped, fingerprint
from distill_helpers.sweeps._grid import Grid, key, read_grid
from distill_helpers.sweeps._page import page
from distill_helpers.sweeps._store import Store, write

__all__ = ["Outcome", "Stopped", "sweep"]

_RECORDS = re.compile(r"\b(record|judge)\(|vnd\.distill\.results")


@dataclass(frozen=True)
class Outcome:
    """How a sweep stands.

    Attributes
    ----------
    out : Path
        Its folder.
    done, failed, missing : int
        Points of the grid.
    """

    out: Path
    done: int
    failed: int
    missing: int

    def __str__(self) -> str:
        """Return a line for the reader."""
        told = f"{self.done} of {self.done + self.failed + self.missing} points are in {self.out}"
        if self.failed:
            told += f"; {self.failed} failed (points.csv says of what; --retry-failed)"
        return told


def sweep(
    chapter: str,
    grid: Sequence[str],
    out: str | Path,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    retry_failed: bool = False,
    timeout: float | None = None,
    folder: Path | None = None,
    progress: bool = False,
) -> Outcome:
    """Run a chapter at every point of a grid, and gather its named results in one table.

    Parameters
    ----------
    chapter
        A key of `runs.chapters` whose notebook records results.
    grid
        As `read_grid` takes it.
    out
        A folder, new or of the same sweep: what is done there is not run again. It gets
        ``results.csv`` and ``results.parquet`` (one row for each result of each point),
        ``points.csv``, ``index.html``, and each executed notebook.
    workers
        Processes on this machine; as many as processors where it is None.
    scheduler
        Address of a Dask cluster, to run there instead.
    retry_failed
        Run points again that failed before.
    timeout
        Seconds that a point may take; longer ones count as failed.
    folder
        Where the notebooks are; see `runs.chapters`.
    progress
        Draw a bar on the error stream; else a line a minute.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        In one line, before anything runs: the grid, the chapter, the folder, no scheduler, a
        worker with another package or pin.
    Stopped
        In one line: the scheduler went away on the way, or a worker of another kind came; the
        tables hold what had come back.
    """
    asked = read_grid(chapter, grid)
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it must be 1 or more")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout is {timeout:g}; it must be above 0 seconds")
    notebook, files = _files(chapter, folder)
    about = _about.numbers(_about.here()) | {
        "notebook": _about.code_of(files[notebook]),
        "tables": _about.contents({n: c for n, c in files.items() if n != notebook}),
    }
    store = Store(out, chapter, about)
    try:
        left = {
            key(chapter, point): point
            for point in asked.points
            if not store.done(point) and (retry_failed or not store.failed(point))
        }
        try:
            if left:
                _run(store, asked, left, files, workers, scheduler, timeout, progress)
        finally:  # stopped or not, the tables say what is there
            outcome = _tell(store, asked, about)
    finally:
        store.close()
    return outcome


def point(folder: Path, chapter: str, parameters: dict[str, Any], timeout: float | None) -> Any:
    """Run one point where the sweep's files are; this is what a worker calls.

    Returns
    -------
    dict
        ``notebook`` (bytes), ``seconds``, ``machine``.
    """
    start = time.monotonic()
    notebook = runs.execute(chapter, parameters, timeout=timeout, folder=folder / "notebooks")
    return {
        "notebook": notebook,
        "seconds": round(time.monotonic() - start, 3),
        "machine": fingerprint(),
    }


def _run(
    store: Store,
    asked: Grid,
    left: dict[str, dict[str, Any]],
    files: dict[str, bytes],
    workers: int | None,
    scheduler: str | None,
    timeout: float | None,
    progress: bool,
) -> None:
    chapter = asked.chapter
    if workers is not None:
        workers = min(workers, len(left))
    with (
        Bar(len(asked.points), len(asked.points) - len(left), progress) as bar,
        Engine(files, workers=workers, scheduler=scheduler, say=bar.say) as engine,
    ):
        tasks = {name: (chapter, parameters, timeout) for name, parameters in left.items()}
        for answer in engine.run(point, tasks):
            parameters, error = left[answer.name], answer.error
            if not error:
                try:
                    found = _checked(answer.value["notebook"], parameters)
                except ValueError as fault:
                    error = " ".join(str(fault).split())
            if error:
                store.fail(parameters, error, worker=answer.worker)
            else:
                how = {name: answer.value[name] for name in ("seconds", "machine")}
                store.save(parameters, answer.value["notebook"], found, worker=answer.worker, **how)
            bar.step(failed=bool(error))


def _checked(notebook: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
    """Take the results out of a notebook that is finished and this point's own."""
    ran = json.loads(notebook)["metadata"].get("papermill", {}).get("parameters")
    if ran != parameters:
        raise ValueError(f"the notebook that came back ran with {ran}, not {parameters}")
    found = runs.named_results(notebook)
    if not found:
        raise ValueError("the run recorded no results; a sweep needs them")
    return found


def _files(chapter: str, folder: Path | None) -> tuple[str, dict[str, bytes]]:
    """Return the notebook's path and all files that a run needs, by path below their folder."""
    path = runs.find(chapter, folder)
    if folder is None:
        folder = next(parent for parent in path.parents if parent.name == "notebooks")
    known = runs.chapters(folder)
    content = json.loads(path.read_bytes())
    code = ["".join(c["source"]) for c in content["cells"] if c["cell_type"] == "code"]
    if not any(_RECORDS.search(source) for source in code):
        other = f"{chapter}-evidence"
        way_out = f"sweep {other}, which does" if other in known else "choose another"
        raise ValueError(f"chapter {chapter} records no results, so a sweep has none; {way_out}")
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None  # half of the bytes, and stale
    name = f"notebooks/{path.relative_to(folder).as_posix()}"
    files = {name: json.dumps(content).encode()}
    for read in ("claims", "studies"):
        for table in sorted((folder.resolve().parent / read).glob("*")):
            if table.suffix in (".csv", ".py", ".toml"):
                files[f"{read}/{table.name}"] = table.read_bytes()
    return name, files


def _tell(store: Store, asked: Grid, about: dict[str, str]) -> Outcome:
    """Write tables and page of what is there."""
    rows, points = store.tables(asked)
    write(store.out / "index.html", page(asked, rows, points, about).encode("utf-8"))
    count = dict.fromkeys(("done", "failed", "missing"), 0)
    for one in points:
        count[one["state"]] += 1
    return Outcome(store.out, **count)

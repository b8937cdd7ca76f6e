"""A study's replicates as points: the script says what they are, any worker runs one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill_helpers.sweeps._bar import Bar
from distill_helpers.sweeps._engine import Engine, Stopped
from distill_helpers.sweeps._script import Script

# Each script's studies, by its arguments. Two kinds do not fit: `deployment costs` and `members`
# measure times, alone on the machine; `report` writes two tables, and `map_data` takes seconds a
# row.
SCRIPTS = {
    "ladder": ("runs", "teacher-sets", "training-sets", "tuned"),
    "ensembles": ("article", "overlap", "digits"),
    "soft_targets": ("recipes", "held-out", "width"),
    "objective": ("map", "losses", "inputs", "patience", "tuned"),
    "temperature_squared": ("article", "classes"),
    "capacity": tuple(
        f"{study} {law}"
        for study in ("width", "teachers", "factorial")
        for law in ("article", "overlap")
    ),
    "deployment": ("quality",),
    "deciding": (
        *("article-4000", "article-512", "overlap3-1000", "overlap3-500"),
        *("digits-1437", "digits-1437-blocks", "digits-287", "digits-287-of-1437"),
    ),
    "advised": (
        *("article-4000", "article-512", "overlap3-1000", "overlap3-500"),
        "digits-287-of-1437",
    ),
    "mistakes": ("article-512", "overlap3-500", "digits-287-of-1437"),
    "inherited": ("",),
    "lead": ("",),
    "map": ("",),
    "plants": ("",),
    "verdict_rule": ("",),
    "skew": ("",),
    "views": ("",),
}
# A script that has processes of its own: what they call for one replicate.
FUNCTIONS = {
    "lead": "distill_helpers.paying.replicate_lead",
    "map": "distill_helpers.paying.replicate",
    "views": "distill_helpers.paying.replicate_views",
}


@dataclass(frozen=True)
class Progress:
    """How a study stands.

    Attributes
    ----------
    path : Path
        Its table.
    count : int
        Of its replicates.
    done : int
        Replicates whose rows are there.
    errors : dict of int to str
        Of those that failed, in one line each.
    """

    path: Path
    count: int
    done: int
    errors: dict[int, str]

    def __str__(self) -> str:
        """Return a line for the reader."""
        if not self.errors:
            return f"{self.done} of {self.count} replicates are in {self.path}"
        return (
            f"{self.done} of {self.count} replicates are in {self.path}.part; {len(self.errors)} "
            f"failed ({_failed(self.path)} says of what; the same command tries them again)"
        )


def find_studies(folder: Path | None = None) -> dict[str, tuple[Path, str]]:
    """Find the studies that can be run here.

    Parameters
    ----------
    folder
        Of the scripts. Where it is None: ``studies`` beside the package, else in the working
        folder or the nearest one above it.

    Returns
    -------
    dict of str to tuple
        By name, as its table is called: the script's path, and its arguments as one string.
    """
    here = Path.cwd()
    beside = Path(__file__).resolve().parents[2]
    near = [root / "studies" for root in (beside, here, *here.parents)]
    for place in near if folder is None else [folder]:
        found = {
            "-".join([script.replace("_", "-"), *arguments.split()]): (
                (place / f"{script}.py").resolve(),
                arguments,
            )
            for script, every in SCRIPTS.items()
            if (place / f"{script}.py").exists()
            for arguments in every
        }
        if found:
            return found
    return {}


def study(
    name: str,
    out: str | Path | None = None,
    *,
    options: Sequence[str] = (),
    workers: int | None = None,
    scheduler: str | None = None,
    folder: Path | None = None,
    progress: bool = False,
) -> Progress:
    """Run what is missing of a study's replicates, and write its table once all are there.

    Parameters
    ----------
    name
        A key of `find_studies`.
    out
        The table; where the script puts it where this is None. Until it is whole, rows are in
        ``OUT.part``, as the script itself leaves them: either goes on where the other stopped.
    options
        More of the script's own, such as ``["--replicates", "1"]``.
    workers
        Processes on this machine; as many as processors where it is None.
    scheduler
        Address of a Dask cluster, to run there instead.
    folder
        Of the scripts; see `find_studies`.
    progress
        Draw a bar on the error stream; else a line a minute.

    Returns
    -------
    Progress

    Raises
    ------
    ValueError
        In one line, before anything runs: the name, the options, the folder of `out`, no
        scheduler, a worker with another package or pin.
    Stopped
        In one line: the scheduler went away on the way, or a worker is of another kind; the part
        file holds what had come back.
    """
    from distill_helpers import studies  # and with it scipy, which a sweep has no use for

    found = find_studies(folder)
    if name not in found:
        raise ValueError(f"the study is {name!r}; it must be one of {', '.join(found) or 'none'}")
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; it must be 1 or more")
    script, first = found[name]
    arguments = [*first.split(), *(["--output", str(out)] if out else []), *options]
    try:
        asked = Script(script, arguments, FUNCTIONS.get(script.stem, ""))
    except RuntimeError as error:
        raise ValueError(f"{name}: {error}") from None
    asked.close()
    facts = asked.facts
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        writer = studies.Writer(
            facts["path"], facts["command"], facts["replicate"], facts["script"]
        )
    left = list(writer.missing(facts["count"]))
    errors: dict[int, str] = {}
    with Bar(facts["count"], facts["count"] - len(left), progress) as bar:
        for warning in caught:
            bar.say(str(warning.message))
        if left:
            tasks = {str(index): (script.name, arguments, index) for index in left}
            workers = min(workers, len(left)) if workers else workers
            with Engine(
                _files(script), workers=workers, scheduler=scheduler, say=bar.say
            ) as engine:
                for answer in engine.run(replicate, tasks):
                    index = int(answer.name)
                    if answer.error:
                        errors[index] = answer.error
                        _write_errors(writer.path, errors)
                        bar.say(f"replicate {index} failed: {answer.error}")
                    else:
                        _check_machine(answer.value["machine"], facts["machine"], answer.worker)
                        writer.add(answer.value["rows"])
                    bar.step(failed=bool(answer.error))
    if not errors:
        writer.finish()
        _failed(writer.path).unlink(missing_ok=True)
    return Progress(writer.path, facts["count"], facts["count"] - len(errors), errors)


def replicate(folder: Path, script: str, arguments: list[str], index: int) -> dict[str, Any]:
    """Run one replicate where the study's files are; this is what a worker calls.

    Returns
    -------
    dict
        ``rows`` and ``machine``.
    """
    from distill_helpers.sweeps import _worker

    idle = _idle.setdefault(str(folder), [])
    if idle:
        running = idle.pop()
    else:
        path = folder / "studies" / script
        running = Script(path, arguments, FUNCTIONS.get(path.stem, ""))
        _worker.at_end(folder, running.close)
    rows = running.replicate(index)
    idle.append(running)
    return {"rows": rows, "machine": running.facts["machine"]}


_idle: dict[str, list[Script]] = {}  # of a worker, by the folder of its files


def _files(script: Path) -> dict[str, bytes]:
    """Return the scripts and the tables that one may read, by path below their folder."""
    found = sorted(script.parent.iterdir())
    return {f"studies/{p.name}": p.read_bytes() for p in found if p.suffix in (".csv", ".py")}


def _check_machine(theirs: dict[str, str], ours: dict[str, str], worker: str) -> None:
    differs = [
        f"{key} {theirs[key]} (here {value})" for key, value in ours.items() if theirs[key] != value
    ]
    if differs:
        raise Stopped(
            f"the worker {worker} is refused: it has {', '.join(differs)}, and a study's table is "
            "of one kind of machine; stop that worker, or start it with these settings, and run "
            "the same command"
        )


def _failed(path: Path) -> Path:
    return path.with_name(f"{path.name}.failed")


def _write_errors(path: Path, errors: dict[int, str]) -> None:
    lines = [f"replicate {index}: {error}\n" for index, error in sorted(errors.items())]
    _failed(path).write_text("".join(lines), encoding="utf-8")

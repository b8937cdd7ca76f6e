"""One chapter executed with other parameters, from Python or the command line.

A chapter says its own name, in the cell that checks its parameters; so nothing here knows which
notebooks there are. Papermill puts the parameters in and nbclient runs the cells. papermill's own
loop is not used, for it changes the folder of the whole process, takes ``sys.exit(0)`` for the
end and calls a cell that ran out of time completed.
"""

from __future__ import annotations

import json
import os
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill_helpers import parameters as declared
from distill_helpers import results

_CHECKED = re.compile(r"^check\(\\?[\"']([\w-]+)\\?[\"'], globals\(\)\)", re.MULTILINE)
_BITS = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


class RunFailed(RuntimeError):
    """A chapter stopped before its end; the message says in one line where and why."""


def chapters(folder: Path | None = None) -> dict[str, Path]:
    """Find the notebooks that can be run, by the name in the cell that checks their parameters.

    Parameters
    ----------
    folder
        Where the notebooks are. Where it is None: `notebooks` beside the package, else in the
        working folder or one above it.

    Returns
    -------
    dict of str to Path
        The notebook of each chapter ("00", "00-evidence"), in the order of
        `parameters.CHAPTERS`; empty where there are none.

    Raises
    ------
    ValueError
        Where two notebooks are of one chapter.
    """
    for place in _places() if folder is None else [Path(folder)]:
        found: dict[str, Path] = {}
        for path in sorted(place.rglob("*.ipynb")):
            key = _chapter(path)
            if key in found:
                raise ValueError(
                    f"{path} and {found[key]} are both chapter {key}; name another folder."
                )
            if key is not None:
                found[key] = path
        if found:
            return {key: found[key] for key in declared.CHAPTERS if key in found}
    return {}


def parse(chapter: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read parameters from a command line's text, each by its declared type.

    Parameters
    ----------
    chapter
        A key of `parameters.CHAPTERS`.
    texts
        Text by the parameter's name.

    Returns
    -------
    dict of str to Any
        Values that the chapter accepts.

    Raises
    ------
    ValueError
        With one line for each fault.

    Examples
    --------
    >>> parse("00", {"temperature": "1e-3", "student_hidden": "64,32"})
    {'temperature': 0.001, 'student_hidden': [64, 32]}
    """
    return declared.parse(chapter, texts)


def execute(
    chapter: str,
    parameters: Mapping[str, Any],
    *,
    timeout: float | None = None,
    folder: Path | None = None,
    source: bytes | None = None,
) -> bytes:
    """Run a chapter to its end.

    Parameters
    ----------
    chapter
        A key of `chapters`.
    parameters
        Values by name; the others keep their defaults. All of them are written into the notebook.
    timeout
        Seconds that the whole run may take, the kernel's start aside.
    folder
        Where the notebooks are; see `chapters`.
    source
        The notebook itself, to be run in place of the chapter's file and in the same folder.

    Returns
    -------
    bytes
        The executed notebook, JSON in UTF-8.

    Raises
    ------
    ValueError
        Where a parameter is none of the chapter's or out of range: before a kernel starts.
    RunFailed
        Where a cell failed, the time ran out or the notebook did not run to its end.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    values = declared.complete(chapter, parameters)
    path = _path(chapter, folder)
    text = path.read_bytes() if source is None else source
    notebook = load_notebook_node(nbformat.reads(text.decode("utf-8"), as_version=4))
    notebook = parameterize_notebook(notebook, values, kernel_name="python3", language="python")
    deadline = None if timeout is None else time.monotonic() + timeout
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout_func=None if deadline is None else lambda _: max(1, deadline - time.monotonic()),
        resources={"metadata": {"path": str(path.parent)}},
        extra_arguments=["--IPKernelApp.log_level=50"],
    )
    where = f"chapter {chapter} did not run to its end"
    try:
        client.execute(env=_environment())
    except CellTimeoutError:
        raise RunFailed(f"{where}: it took more than {timeout:g} s; give it more time.") from None
    except CellExecutionError as error:
        lines = error.evalue.strip().splitlines() or [""]
        raise RunFailed(f"{where}: {error.ename}: {lines[-1][:300]}") from None
    except DeadKernelError:
        raise RunFailed(f"{where}: its kernel died (out of memory, or killed).") from None
    stop = results.unfinished(notebook)
    if stop:
        raise RunFailed(f"{where}: {stop}.")
    results.stamp(notebook)
    return (nbformat.writes(notebook) + "\n").encode("utf-8")


def named_results(notebook: bytes) -> dict[str, results.Recorded]:
    """Take the named results out of an executed notebook.

    Parameters
    ----------
    notebook
        What `execute` returns.

    Returns
    -------
    dict of str to results.Recorded
        Value, interval, level, replicates and unit by name; empty where a lesson records none.

    Raises
    ------
    ValueError
        Where the notebook did not run to its end.
    """
    import nbformat

    whole = nbformat.reads(notebook.decode("utf-8"), as_version=4)
    stop = results.unfinished(whole)
    if stop:
        raise ValueError(f"the notebook did not run to its end: {stop}; run all of it.")
    if not any(
        results.MIME in output.get("data", {})
        for cell in whole.cells
        for output in cell.get("outputs", [])
    ):
        return {}
    return results.recorded(results.read(whole))


def _places() -> list[Path]:
    """Return the folders that may hold the notebooks, the package's own first."""
    here = Path.cwd()
    roots = [Path(__file__).resolve().parent.parent, here, *here.parents]
    return [root / "notebooks" for root in roots]


def _chapter(path: Path) -> str | None:
    """Return which chapter a notebook says it is; None where it is none of the book's."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError):
        return None
    for cell in cells:
        if cell.get("cell_type") == "code":
            told = _CHECKED.search("".join(cell["source"]))
            if told:
                return told[1] if told[1] in declared.CHAPTERS else None
    return None


def _path(chapter: str, folder: Path | None) -> Path:
    found = chapters(folder)
    if chapter not in found:
        raise ValueError(
            f"there is no notebook of chapter {chapter!r}; "
            + (f"it must be one of {', '.join(found)}." if found else "name their folder.")
        )
    return found[chapter]


def _environment() -> dict[str, str]:
    """Return a kernel's environment: no bars, the same bits, the package that runs this."""
    own = {"DISTILL_PROGRESS": "off", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    if platform.machine().lower() in ("x86_64", "amd64"):
        own |= _BITS
    package = str(Path(__file__).resolve().parent.parent)
    rest = os.environ.get("PYTHONPATH")
    path = package + os.pathsep + rest if rest else package
    return own | os.environ | {"PYTHONPATH": path}

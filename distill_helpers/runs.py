"""One chapter executed with other parameters, from Python or the command line.

A chapter says its own name, in the cell that checks its parameters; so nothing here knows which
notebooks there are. Papermill writes the parameters into the notebook, nbclient runs its cells.
papermill's own loop is not used: it changes the folder of the whole process, takes ``sys.exit(0)``
for the end, and calls a cell that ran out of time completed.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill_helpers import parameters as declared

if TYPE_CHECKING:
    from nbclient import NotebookClient

    from distill_helpers.results import Recorded

_CHECKED = re.compile(r"^check\([\"']([\w-]+)[\"'], globals\(\)\)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)[^)]*\)")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
# holds wider processors to AVX2, so that training gives the bits that are stored
_BITS = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
_RUNNERS = ("papermill", "nbclient", "ipykernel")
_MATHJAX = "sphinx-mathjax-offline"  # a package with no module of its own; only its folder counts
_TEMPLATE = """{% extends 'index.html.j2' %}
{% block html_head_js %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block notebook_css %}{{ super() }}<style>
main { max-width: 60rem; margin: auto } figure { margin: 0 } figure img { max-width: 100% }
details > summary { margin-left: 5rem; cursor: pointer }
</style>{% endblock %}
{% block input_group %}{% if cell.metadata.get('jupyter', {}).get('source_hidden') %}
<details><summary>code</summary>{{ super() }}</details>
{% else %}{{ super() }}{% endif %}{% endblock %}
"""
_TYPESET = r"""<script>MathJax = {options: {enableMenu: false}, tex: {
inlineMath: [["$", "$"], ["\\(", "\\)"]], displayMath: [["$$", "$$"], ["\\[", "\\]"]]}};</script>
"""


class RunFailed(RuntimeError):
    """A chapter stopped before its end; the message says in one line where and why.

    Attributes
    ----------
    notebook : bytes
        What ran, as JSON in UTF-8. It has to be looked at, never read for results.
    """

    def __init__(self, message: str, notebook: bytes = b"") -> None:
        super().__init__(message)
        self.notebook = notebook


# -- which chapters there are ---------------------------------------------------------------------


def chapters(folder: Path | None = None) -> dict[str, Path]:
    """Find the notebooks that can be run, each by the name in the cell that checks its parameters.

    Parameters
    ----------
    folder
        Where the notebooks are. Where it is None: `notebooks` beside the package, else in the
        working folder or the nearest one above it.

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
            if key is None or ".ipynb_checkpoints" in path.parts:
                continue
            if key in found:
                raise ValueError(
                    f"{found[key]} and {path} are both chapter {key}; "
                    "name a folder that has each chapter once."
                )
            found[key] = path.resolve()
        if found:
            return {key: found[key] for key in declared.CHAPTERS if key in found}
    return {}


def find(chapter: str, folder: Path | None = None) -> Path:
    """Return the notebook of a chapter.

    Parameters
    ----------
    chapter
        A key of `chapters`.
    folder
        Where the notebooks are; see `chapters`.

    Raises
    ------
    ValueError
        With one line: there is no such chapter, or its notebook is nowhere.
    """
    declared.known(chapter)
    found = chapters(folder)
    if chapter in found:
        return found[chapter]
    where = " beside the package or here" if folder is None else f" in {folder}"
    raise ValueError(
        f"there is no notebook of chapter {chapter}{where}; "
        "name the folder of the book's notebooks (--notebooks DIR)."
    )


def title(path: Path) -> str:
    """Return a notebook's first heading."""
    return _heading(json.loads(path.read_text(encoding="utf-8"))) or path.stem


# -- a run ----------------------------------------------------------------------------------------


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
    progress: bool = False,
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
    progress
        Show how far it is, on the error stream.

    Returns
    -------
    bytes
        The executed notebook, JSON in UTF-8, with this machine's fingerprint.

    Raises
    ------
    ValueError
        Before a kernel starts: a parameter is none of the chapter's or out of range, the notebook
        is a finished run, the time is no time.
    RunFailed
        Where a cell failed, the time ran out or the notebook did not run to its end.
    """
    values = declared.complete(chapter, parameters)
    if timeout is not None and not (0 < timeout < math.inf):
        raise ValueError(
            f"timeout is {timeout:g}; it must be a number of seconds above 0. "
            "Leave it out for no limit."
        )
    path = find(chapter, folder)
    can_run()
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook
    from tqdm import tqdm

    from distill_helpers import results

    text = path.read_bytes() if source is None else source
    notebook = load_notebook_node(nbformat.reads(text.decode("utf-8"), as_version=4))
    _refuse_a_finished_run(notebook, chapter, str(path))
    notebook = parameterize_notebook(notebook, values, kernel_name="python3", language="python")
    for cell in notebook.cells:  # else what is stored would stand in for what did not run
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    end = math.inf if timeout is None else time.monotonic() + timeout
    with tqdm(total=len(notebook.cells), unit="cell", disable=not progress) as bar:
        client = NotebookClient(
            notebook,
            kernel_name="python3",
            timeout_func=lambda cell: (
                None if timeout is None else max(1e-3, end - time.monotonic())
            ),
            resources={"metadata": {"path": str(path.parent)}},
            coalesce_streams=True,  # what a slow cell prints is one box on the page
            extra_arguments=["--IPKernelApp.log_level=50"],  # it warns of its own transport
        )
        client.log.setLevel(60)  # what it says of a failure is said once, below
        fault, cell = "", None
        try:
            # cell by cell: nbclient's own loop takes Ctrl-C for itself and then fails of it
            with _started(client):
                for index, cell in enumerate(notebook.cells):
                    number = client.code_cells_executed + 1
                    client.execute_cell(cell, index, execution_count=number)
                    bar.update()
        except CellTimeoutError:
            fault = f"it took more than {timeout:g} s; allow it more, or give it less to do"
        except DeadKernelError:
            fault = "its kernel died, of too little memory or by another's hand"
        except CellExecutionError as error:
            lines = _ESCAPES.sub("", error.evalue).strip().splitlines() or [""]
            fault = f"{error.ename}: {lines[-1][:300]}"
        if fault and cell is not None and not any("ename" in o for o in cell.outputs):
            cell.execution_count = None  # it was begun, which is no run
    stop = results.unfinished(notebook)
    if fault or stop:
        told = "; ".join(part for part in (stop, fault) if part)
        raise RunFailed(f"chapter {chapter} did not run to its end: {told}", _bytes(notebook))
    results.stamp(notebook)
    return _bytes(notebook)


@contextmanager
def _started(client: NotebookClient) -> Iterator[None]:
    """Start a kernel, up to three times: of two that start at once one may lose its port.

    What such a kernel says on its way out is for nobody; a notebook holds what its cells say.
    """
    with ExitStack() as stack:
        for left in (2, 1, 0):
            try:
                stack.enter_context(
                    client.setup_kernel(env=_environment(), stderr=subprocess.DEVNULL)
                )
                break
            except RuntimeError as error:  # jupyter_client's: it died before it answered
                if not left:
                    raise RunFailed(f"no kernel starts: {str(error).splitlines()[0]}") from error
        yield


def named_results(notebook: bytes) -> dict[str, Recorded]:
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

    from distill_helpers import results

    whole = nbformat.reads(notebook.decode("utf-8"), as_version=4)
    stop = results.unfinished(whole)
    if stop:
        raise ValueError(f"the notebook did not run to its end: {stop}; run all of it.")
    records = any(
        results.MIME in output.get("data", {})
        for cell in whole.cells
        for output in cell.get("outputs", [])
    )
    return results.recorded(results.read(whole)) if records else {}


def page(notebook: bytes) -> str:
    """Render an executed notebook as one HTML page that needs no network.

    Links to other pages of the book become plain text; a live chart stands as its picture.

    Parameters
    ----------
    notebook
        What `execute` returns.

    Raises
    ------
    ImportError
        With one line, where nbconvert or MathJax is not installed.
    """
    can_run(html=True)
    import nbformat
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import TagRemovePreprocessor

    whole = nbformat.reads(notebook.decode("utf-8"), as_version=4)
    for cell in whole.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(r"\1", cell.source)
        for output in cell.get("outputs", []):
            _stand_alone(output, cell)
    whole.metadata["title"] = _heading(whole)
    exporter = HTMLExporter(template_name="lab", raw_template=_TEMPLATE)
    exporter.register_preprocessor(
        TagRemovePreprocessor(
            enabled=True, remove_cell_tags={"remove-cell"}, remove_input_tags={"remove-input"}
        ),
        enabled=True,
    )
    body, _ = exporter.from_notebook_node(whole)
    spec = importlib.util.find_spec(_MATHJAX)
    assert spec is not None and spec.submodule_search_locations
    script = Path(spec.submodule_search_locations[0]) / "static/mathjax/tex-svg.js"
    typeset = f"{_TYPESET}<script>{script.read_text(encoding='utf-8')}</script>"
    head, tag, rest = body.partition("</head>")
    return head + typeset + tag + rest


def can_run(*, html: bool = False) -> None:
    """Raise ImportError, with one line, where a package that runs need is missing."""
    needed = (*_RUNNERS, "nbconvert", _MATHJAX) if html else _RUNNERS
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{', '.join(missing)} cannot be imported by {sys.executable}; "
            f"install what running a chapter needs: pip install {' '.join(missing)}"
        )


# -- parts ----------------------------------------------------------------------------------------


def _places() -> list[Path]:
    """Return the folders that may hold the notebooks, the package's own first."""
    here = Path.cwd()
    roots = [Path(__file__).resolve().parent.parent, here, *here.parents]
    return [root / "notebooks" for root in roots]


def _chapter(path: Path) -> str | None:
    """Return which chapter a notebook says it is; None where it is none of the book's."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    told = next(filter(None, map(_CHECKED.search, sources)), None)
    return told[1] if told and told[1] in declared.CHAPTERS else None


def _heading(notebook: Any) -> str:
    for cell in notebook["cells"]:
        for line in "".join(cell["source"]).splitlines():
            if line.startswith("# ") and cell["cell_type"] == "markdown":
                return line[2:].strip()
    return ""


def _refuse_a_finished_run(notebook: Any, chapter: str, name: str) -> None:
    """Refuse what papermill would run with the earlier parameters silently dropped."""
    if any("injected-parameters" in c["metadata"].get("tags", []) for c in notebook["cells"]):
        raise ValueError(
            f"{name} is a finished run, whose parameters would be lost; "
            f"start from the book's notebook of chapter {chapter} and give all of them again."
        )


def stored_bits() -> dict[str, str]:
    """Return the settings that hold this machine to the bits that are stored, where it can be."""
    return _BITS if platform.machine().lower() in ("x86_64", "amd64") else {}


def _environment() -> dict[str, str]:
    """Return a kernel's environment: no bars, the stored bits, and the package that runs this."""
    own = {"DISTILL_PROGRESS": "off", "PYDEVD_DISABLE_FILE_VALIDATION": "1"} | stored_bits()
    paths = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
    return own | os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _bytes(notebook: Any) -> bytes:
    import nbformat

    return (nbformat.writes(notebook) + "\n").encode("utf-8")


def _stand_alone(output: Any, cell: Any) -> None:
    """Give a picture its description and caption, and a table no links that lead nowhere."""
    from html import escape

    data = output.get("data", {})
    if "text/markdown" in data:
        data["text/markdown"] = _LINK.sub(r"\1", data["text/markdown"])
    elif "image/png" in data:
        mystnb = cell.metadata.get("mystnb", {})
        alt = escape(mystnb.get("image", {}).get("alt", ""), quote=True)
        caption = escape(mystnb.get("figure", {}).get("caption", ""))
        picture = "".join(data["image/png"].split())
        data.clear()
        data["text/html"] = (
            f'<figure><img alt="{alt}" src="data:image/png;base64,{picture}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )

"""Run a notebook, or keep its outputs. The Makefile calls this; readers need not.

``execute SOURCE TARGET`` runs SOURCE with papermill and puts the result at TARGET once it is whole.
``store EXECUTED SOURCE`` writes the outputs back, without what papermill left of itself.
``picture SOURCE CELL TARGET`` copies the picture that a cell shows, for the README.
"""

from __future__ import annotations

import base64
import os
import re
import resource
import sys
import time
from pathlib import Path

import nbformat

TIMEOUT = 900  # seconds a cell may take before it counts as hung
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def execute(source: Path, target: Path) -> int:
    """Run ``source``; on success ``target`` appears, on failure a short account is printed."""
    import papermill

    from distill_helpers import results

    os.environ.setdefault("DISTILL_PROGRESS", "off")  # a bar would stay in the page
    part = target.with_name(target.stem + ".part.ipynb")
    log = target.with_name(target.stem + ".failed.txt")
    log.unlink(missing_ok=True)
    print(f"running {source}", flush=True)
    start = time.monotonic()
    try:
        papermill.execute_notebook(
            str(source),
            str(part),
            kernel_name="python3",
            cwd=str(source.parent),
            execution_timeout=TIMEOUT,
            progress_bar=sys.stderr.isatty(),
            coalesce_streams=True,  # what a slow cell prints is one box on the page
            extra_arguments=["--IPKernelApp.log_level=50"],  # it warns of its own transport
        )
    except Exception as error:
        log.write_text(ESCAPES.sub("", str(error)) + "\n", encoding="utf-8")
        print(account(source, part, error) + f"\n  All of it: {log}", file=sys.stderr)
        return 1
    notebook = nbformat.read(part, as_version=4)
    stop = results.unfinished(notebook)
    if stop:  # papermill takes sys.exit(0) for the end
        print(f"{source} did not run to its end: {stop}", file=sys.stderr)
        return 1
    notebook.metadata.papermill["peak_memory"] = peak_memory()  # which `make archive` reads
    results.stamp(notebook)  # which machine, in which settings, these outputs are comparable on
    nbformat.write(notebook, part)
    os.replace(part, target)
    print(f"  took {time.monotonic() - start:.0f} s", flush=True)
    return 0


def peak_memory() -> int:
    """Return the bytes of the largest process that this one started and that has ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit


def account(source: Path, part: Path, error: Exception) -> str:
    """Say in three lines which notebook, which cell and what went wrong."""
    name = getattr(error, "ename", type(error).__name__)
    lines = ESCAPES.sub("", str(getattr(error, "evalue", error))).strip().splitlines() or [""]
    where, first = "before its first cell", ""
    if part.exists():
        cells = nbformat.read(part, as_version=4).cells
        cells = [c for c in cells if "papermill-error-cell-tag" not in c.metadata.get("tags", [])]
        for number, cell in enumerate(cells, start=1):
            state = cell.metadata.get("papermill", {})
            if cell.cell_type == "code" and state.get("start_time"):
                where = f"in cell {number}"  # of those that were started, the last
                first = next((line for line in cell.source.splitlines() if line.strip()), "")
            if state.get("exception"):
                break
    begins = f", which begins: {first.strip()[:80]}" if first else ""
    return f"{source} failed {where}{begins}\n  {name}: {lines[0][:300]}"


def store(executed: Path, source: Path) -> int:
    """Write the outputs of ``executed`` into ``source``, which stays a plain notebook."""
    from distill_helpers import results

    notebook = nbformat.read(executed, as_version=4)
    stop = results.unfinished(notebook)
    if stop:
        print(f"{executed} did not run to its end: {stop}; {source} is as it was", file=sys.stderr)
        return 1
    notebook.metadata.pop("papermill", None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    kept = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags or "papermill-error-cell-tag" in tags:
            continue
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if not tags:
            cell.metadata.pop("tags", None)
        kept.append(cell)
    notebook.cells = kept
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if text != source.read_text(encoding="utf-8"):
        source.write_text(text, encoding="utf-8", newline="\n")
        print(f"  stored the outputs in {source}")
    return 0


def picture(source: Path, cell: str, target: Path) -> int:
    """Copy the PNG in the outputs of the cell with that id."""
    outputs = next(c.outputs for c in nbformat.read(source, as_version=4).cells if c.id == cell)
    png = next(o.data["image/png"] for o in outputs if "image/png" in o.get("data", {}))
    target.write_bytes(base64.b64decode(png))
    return 0


if __name__ == "__main__":
    command, first, *rest = sys.argv[1:]
    if command == "picture":
        sys.exit(picture(Path(first), rest[0], Path(rest[1])))
    sys.exit({"execute": execute, "store": store}[command](Path(first), Path(rest[0])))

"""The tool that runs notebooks and stores their outputs: no half-run notebook comes out of it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from distill_helpers import results

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("notebooks_tool", ROOT / "tools" / "notebooks.py")
assert SPEC is not None and SPEC.loader is not None
tool = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tool)


def notebook(*sources):
    """A notebook that was run before, with other outputs."""
    old = [new_output("stream", text="old")]
    cells = [
        new_code_cell(source, execution_count=number, outputs=old)
        for number, source in enumerate(sources, start=1)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


STOPS = {
    "exit": (["print(1)", "import sys; sys.exit(0)", "assert False"], "cell 2 ended in SystemExit"),
    "exit in the last": (["print(1)", "import sys; sys.exit(0)"], "cell 2 ended in SystemExit"),
    "error": (["print(1)", "1 / 0", "print(2)"], "ZeroDivisionError"),
    "timeout": (["print(1)", "import time; time.sleep(60)"], "KeyboardInterrupt"),
    "killed": (["print(1)", "import os; os._exit(0)"], "DeadKernelError"),
}


@pytest.mark.parametrize(
    "stop",
    ["exit", *(pytest.param(name, marks=pytest.mark.slow) for name in STOPS if name != "exit")],
)
def test_a_half_run_notebook_is_no_target_and_is_not_stored(tmp_path, monkeypatch, capsys, stop):
    monkeypatch.setattr(tool, "TIMEOUT", 20)
    cells, words = STOPS[stop]
    source, target = tmp_path / "a.ipynb", tmp_path / "executed" / "a.ipynb"
    target.parent.mkdir()
    nbformat.write(notebook(*cells), source)
    before = source.read_bytes()
    assert tool.execute(source, target) == 1
    assert not target.exists() and source.read_bytes() == before
    assert stop == "timeout" or words in capsys.readouterr().err
    part = nbformat.read(target.with_name("a.part.ipynb"), as_version=4)
    assert results.unfinished(part)
    assert tool.store(target.with_name("a.part.ipynb"), source) == 1
    assert source.read_bytes() == before


def test_a_whole_run_is_a_target_and_is_stored(tmp_path):
    source, target = tmp_path / "a.ipynb", tmp_path / "out.ipynb"
    slow = "import time\nfor n in (42, 43):\n    print(n, flush=True)\n    time.sleep(0.5)"
    nbformat.write(notebook(slow, " "), source)
    assert tool.execute(source, target) == 0
    assert tool.store(target, source) == 0
    stored = nbformat.read(source, as_version=4)
    assert [cell.execution_count for cell in stored.cells] == [1, None]
    assert [output.text for output in stored.cells[0].outputs] == ["42\n43\n"]
    assert not stored.cells[1].outputs
    assert "papermill" not in stored.metadata and results.METADATA_KEY in stored.metadata


def test_a_run_keeps_what_it_took_and_the_stored_outputs_do_not(tmp_path):
    source, target = tmp_path / "a.ipynb", tmp_path / "executed.ipynb"
    nbformat.write(notebook('block = b"x" * 400_000_000'), source)
    assert tool.execute(source, target) == 0
    took = nbformat.read(target, as_version=4).metadata.papermill
    assert 400e6 < took["peak_memory"] < 2e9 and took["duration"] > 0
    assert tool.store(target, source) == 0
    assert "papermill" not in nbformat.read(source, as_version=4).metadata

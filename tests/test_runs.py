"""Whole runs with papermill: a wrong parameter stops one at once, and says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from test_notebooks import NOTEBOOKS, PARAMETERS, check_cell, parameters_cell

from distill_helpers.parameters import CHAPTERS

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 10  # seconds, of the processor: the clock would measure what else the machine does


def opening():
    """The first two code cells of a notebook of chapter 00, and one that shows what they leave."""
    cells = [
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell('from distill_helpers.parameters import check\n\ncheck("00", globals())'),
        new_code_cell("print(type(temperature).__name__, num_seeds)"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def papermill(folder, nb, *arguments):
    """Run a notebook on the command line; return its exit code, stderr, output and seconds."""
    source, target = folder / "a source.ipynb", folder / "the output.ipynb"
    nbformat.write(nb, source)
    before = source.read_bytes()
    start = os.times()
    run = subprocess.run(
        [
            *[sys.executable, "-m", "papermill", str(source), str(target)],
            *["-k", "python3", "--cwd", str(ROOT / "notebooks"), *arguments],
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    end = os.times()
    assert source.read_bytes() == before, "the source must stay untouched"
    assert target.exists(), run.stderr
    seconds = end.children_user + end.children_system - start.children_user - start.children_system
    return run.returncode, run.stderr, nbformat.read(target, as_version=4), seconds


def chapter_00():
    """Chapter 00 itself where it opens as it should, else a notebook that does."""
    for path in NOTEBOOKS:
        if path.name.startswith("00"):
            nb = nbformat.read(path, as_version=4)
            if not parameters_cell(nb, path) and not check_cell(nb, path):
                return nb
    return opening()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(
            ["-p", "temperature", "0"],
            "temperature is 0; it must be a finite number above 0 and at most 10,000. "
            "Use 1 for plain probabilities, 2 to 5 to soften.",
            id="range",
        ),
        pytest.param(
            ["-p", "temprature", "4"],
            "temprature is no parameter of chapter 00; rename it to temperature.",
            id="misspelt",
        ),
        pytest.param(
            ["-p", "alpha", "1.5"],
            "alpha is 1.5; it must be a finite number from 0 to 1. "
            "Use 0 for hard labels alone, 1 for soft targets alone.",
            id="alpha",
            marks=pytest.mark.slow,
        ),
        *(
            pytest.param(
                ["-p", name, "3"],
                f"{name} is no parameter of chapter 00; {way_out}.",
                id=f"name-{name}",
                marks=pytest.mark.slow,
            )
            for name, way_out in (
                ("_temperature", "rename it to temperature"),
                ("check", "its parameters are " + ", ".join(CHAPTERS["00"])),
                ("In", "its parameters are " + ", ".join(CHAPTERS["00"])),
            )
        ),
        pytest.param(
            ["-r", "temperature", "3"],
            "temperature is '3', a string; it must be a finite number above 0 and at most 10,000. "
            "Write temperature = 3.0 (in a shell: -p temperature 3.0).",
            id="type",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["-y", "alpha: .nan"],
            "alpha is nan; it must be a finite number from 0 to 1. "
            "Use 0 for hard labels alone, 1 for soft targets alone.",
            id="nan",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_parameter_stops_the_run_with_one_line(tmp_path, arguments, line):
    nb = chapter_00()
    for cell in nb.cells:  # so that what is found below was written by this run
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    code, told, output, seconds = papermill(tmp_path, nb, *arguments)
    assert code == 1
    assert seconds < PATIENCE
    assert told.splitlines().count(f"ParameterError: {line}") == 1
    errors = [
        out
        for cell in output.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "error"
    ]
    assert [error.traceback for error in errors] == [[f"ParameterError: {line}"]]
    assert sum(bool(cell.get("outputs")) for cell in output.cells) == 1, "nothing else has run"


@pytest.mark.slow
def test_what_the_page_says_of_papermill_is_so(tmp_path):
    """YAML's own numbers, and a finished notebook that is run again (book/how-to-run.md)."""
    nb = opening()
    nb.cells[-1].source = "print(temperature, num_seeds, epochs)"
    yaml = ["-y", "num_seeds: 010", "-y", "temperature: 1:30"]
    for arguments, shown in (
        ([*yaml, "-p", "epochs", "3"], "90.0 8 3\n"),
        (["-p", "num_seeds", "010"], "3.0 10 30\n"),  # the last run's epochs are forgotten
    ):
        code, told, nb, _ = papermill(tmp_path, nb, *arguments)
        assert code == 0, told
        assert nb.cells[-1].outputs[0].text == shown
        assert sum("injected-parameters" in cell.metadata.get("tags", []) for cell in nb.cells) == 1
    code, told, *_ = papermill(tmp_path, opening(), "-y", "temperature: 1e3")
    assert code == 1 and "temperature is '1e3', a string" in told


@pytest.mark.slow
def test_a_name_that_python_cannot_assign_stops_the_run_too(tmp_path):
    code, told, output, seconds = papermill(tmp_path, opening(), "-p", "num-seeds", "3")
    assert code == 1 and seconds < PATIENCE
    assert "Passed unknown parameter: num-seeds" in told and "SyntaxError" in told
    assert not output.cells[-1].outputs


def test_good_parameters_pass_and_are_normalised(tmp_path):
    code, told, output, _ = papermill(
        tmp_path, opening(), "-p", "temperature", "4", "-y", "student_hidden: [8]"
    )
    assert code == 0, told
    (shown,) = output.cells[-1].outputs
    assert shown.text == "float 20\n"

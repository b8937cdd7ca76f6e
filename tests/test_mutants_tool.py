"""The table of the mutation test: every mutant is counted once, and noticed where a test fails."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "tools" / "mutants.py"
PRINTED = """
    package.losses.x_loss__mutmut_1: killed
    package.losses.x_loss__mutmut_2: survived
    package.losses.x_loss__mutmut_10: timeout
    package.losses.x__check_shapes__mutmut_1: no tests
    package.losses.xǁ_Stepǁforward__mutmut_1: killed
"""


def run(text: str, table: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), str(table)]
    return subprocess.run(command, input=text, text=True, capture_output=True)


def test_mutants_are_counted_by_function(tmp_path: Path) -> None:
    table = tmp_path / "mutants.csv"
    assert "3 of 5 mutants noticed" in run(PRINTED, table).stdout
    with table.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["module"] for row in rows} == {"package.losses"}
    assert [(row["function"], row["mutants"], row["noticed"]) for row in rows] == [
        ("loss", "3", "2"),
        ("_check_shapes", "1", "0"),
        ("_Step.forward", "1", "1"),
    ]


@pytest.mark.parametrize("end", ["not checked", "check was interrupted by user", "suspicious"])
def test_a_run_that_was_not_finished_leaves_the_table(tmp_path: Path, end: str) -> None:
    table = tmp_path / "mutants.csv"
    table.write_text("kept")
    failed = run(PRINTED + f"    package.losses.x_loss__mutmut_11: {end}\n", table)
    assert failed.returncode == 2 and f"a mutant that is '{end}'" in failed.stderr
    assert table.read_text() == "kept"


def test_without_a_mutant_the_table_stays(tmp_path: Path) -> None:
    table = tmp_path / "mutants.csv"
    table.write_text("kept")
    failed = run("nothing to see", table)
    assert failed.returncode == 2 and "mutmut results --all true" in failed.stderr
    assert table.read_text() == "kept"

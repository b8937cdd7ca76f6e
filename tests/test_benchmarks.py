"""The benchmark runs; what it measures is for a quiet machine."""

from __future__ import annotations

import csv
import importlib.util
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "training.py"


def run(*options: str, script: Path = SCRIPT) -> str:
    done = subprocess.run(
        [sys.executable, str(script), *options], capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_gives_examples() -> None:
    shown = run("--help")
    for words in ("--rounds", "--quick", "examples:", "python benchmarks/training.py --quick"):
        assert words in shown


@pytest.mark.slow
def test_a_tiny_run_times_every_way_and_all_train_alike(tmp_path: Path) -> None:
    printed = run("--quick", "--output", str(tmp_path))
    assert "WARNING: the loss" not in printed
    assert printed.count("cannot tell: too few rounds") >= 2
    with (tmp_path / "training.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for networks in ("teachers", "students"):
        ways = " ".join(row["way"] for row in rows if row["networks"] == networks)
        for way in ("DataLoader loop, 1 thread", "indexed", "vmap", "baddbmm", "fit"):
            assert way in ways
    assert all(
        float(row["median"]) >= float(row["best"]) > 0 or row["unit"] == "GFLOP/s" for row in rows
    )
    assert (tmp_path / "training.png").read_bytes().startswith(b"\x89PNG")


def test_a_peers_student_is_scored_by_the_names_of_its_classes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("peers", SCRIPT.with_name("peers.py"))
    assert spec is not None and spec.loader is not None
    peers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peers)
    test = tmp_path / "test.csv"
    test.write_text("x,label\n1,a\n2,b\n3,b\n", encoding="utf-8")
    p = [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    peers.PEERS["fake"] = lambda train, test: {"p": p, "classes": ["b", "a"], "parameters": 7}
    found = peers.one("fake", test, test)
    assert found["accuracy"] == round(1 / 3, 4)
    assert found["nll"] == round(-math.log(0.5 * 0.75 * 0.25) / 3, 4)
    p[:] = 3 * [[-0.02, 1.02]]  # as a distilled network of AutoGluon may answer
    assert peers.one("fake", test, test)["nll"] == round(2 * math.log(1e7) / 3, 4)
    assert peers.size_of(20, 2) == 3490


def test_a_peer_that_is_not_there_is_said_to_be_missing() -> None:
    script = SCRIPT.with_name("peers.py")
    printed = run("--data", "iris", "--peer", "TabTune", script=script)
    assert "did not run" in printed and "No module named" in printed


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
def test_a_quick_run_times_the_c_file_beside_onnx_runtime(tmp_path: Path) -> None:
    script = SCRIPT.with_name("standalone.py")
    printed = run("--quick", "--output", str(tmp_path), script=script)
    assert printed.count("target ") == 5
    with (tmp_path / "standalone.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and all(float(row["microseconds"]) > 0 for row in rows)
    # Loose, for the machine may be busy; make benchmarks says how much faster it is.
    fast = [float(r["faster_than_run"]) for r in rows if r["rows"] == "1" and "C" in r["way"][-1]]
    assert min(fast) > 5


@pytest.mark.slow
def test_a_small_sweep_tells_what_a_second_worker_and_the_engine_cost(tmp_path: Path) -> None:
    script = SCRIPT.with_name("sweeps.py")
    run("--rounds", "1", "--points", "3", "--output", str(tmp_path), script=script)
    with (tmp_path / "sweeps.csv").open(encoding="utf-8") as file:
        found = {row["what"]: row for row in csv.DictReader(file)}
    one, two = (float(found[f"{n} a point"]["median"]) for n in ("one worker,", "two workers,"))
    ratio = float(found["two workers against one"]["median"])
    assert ratio == pytest.approx(one / two, rel=0.02)
    assert 0 < float(found["engine, a point"]["median"]) < one
    assert 1 < float(found["a kernel and its imports"]["median"]) < 60

"""The study of chapter 06: its tables are whole, and its ways of serving give one answer."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from distill_helpers import deployment, studies
from distill_helpers import experiments as ex
from distill_helpers.costs import peak_memory

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("deployment_study", FOLDER / "deployment.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(study)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The networks of the study, hardly trained."""
    made = tmp_path_factory.mktemp("study")
    with pytest.MonkeyPatch.context() as patch:
        train_teachers, train_students = ex.train_teachers, ex.train_students
        patch.setattr(ex, "train_teachers", lambda *a, **k: train_teachers(*a, **k, epochs=1))
        patch.setattr(ex, "train_students", lambda *a, **k: train_students(*a, **k, epochs=1))
        study.store_networks(made)
    return made


@pytest.mark.parametrize("batch", [1, 4096])
def test_every_way_gives_the_answer_of_its_network(
    folder: Path, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.deployment, "compile_network", lambda model, x: model)
    found = study.ways(folder, batch)
    with torch.inference_mode():
        answers = {
            name: torch.as_tensor(np.asarray(way())).reshape(batch, 2)
            for name, way in found.items()
        }
    teacher = answers["one teacher | ONNX Runtime"] - answers["one teacher | PyTorch"]
    assert teacher.abs().max() < 1e-5
    for name in ("student", "one teacher", "twelve"):
        near = answers[f"{name}, int8 | ONNX Runtime"] - answers[f"{name} | ONNX Runtime"]
        assert 0 < near.abs().max() < 0.5
    for name in ("student | NumPy", "student | ONNX Runtime", "student | torch.compile"):
        assert (answers[name] - answers["student | PyTorch"]).abs().max() < 1e-5
    for name in ("twelve as a stack | PyTorch", "twelve | ONNX Runtime"):
        assert (answers[name] - answers["twelve in a loop | PyTorch"]).abs().max() < 1e-5


def test_ensembles_of_each_size_are_served_whole(tmp_path: Path) -> None:
    study.store_ensembles(tmp_path)
    found = study.ensembles(tmp_path)
    assert len(found) == len(study.ENSEMBLES) + 1
    with torch.inference_mode():
        answers = {name: torch.as_tensor(np.asarray(way())) for name, way in found.items()}
    apart = answers["twelve | ONNX Runtime"] - answers["twelve in a loop | PyTorch"]
    assert apart.abs().max() < 1e-5
    sizes = {
        name: deployment.load_onnx(tmp_path / f"{name}.onnx").about["parameters"]
        for name in study.ENSEMBLES
    }
    assert sizes["four"] == 4 * sizes["one teacher"] == sizes["twelve"] // 3
    assert sizes["four students"] == 4 * sizes["student"] == sizes["twelve students"] // 3


def test_every_program_runs_and_loads_its_file(folder: Path) -> None:
    used = {name: peak_memory(program) for name, program in study.programs(folder).items()}
    assert used["Python alone"] == min(used.values())
    assert used["student | PyTorch"] > used["student | ONNX Runtime"] > used["student | NumPy"]
    for name in ("twelve", "one teacher", "student"):
        one, many = (used[f"{name} | ONNX Runtime{end}"] for end in ("", ", 4096 at once"))
        assert many > one
    assert len(used) == len(study.PROGRAMS) + 3 * 2


def test_counted_calls_give_the_calls_back_to_two_digits() -> None:
    calls = np.random.default_rng(0).lognormal(-11, 1, (20, 50))
    pairs = [pair.split(":") for pair in study.counted(calls).split()]
    back = np.repeat([float(call) for call, _ in pairs], [int(count) for _, count in pairs])
    np.testing.assert_allclose(np.sort(calls.ravel()), np.sort(back), rtol=0.051)


@pytest.mark.parametrize("name", list(study.REPLICATES))
def test_the_stored_tables_are_whole(name: str) -> None:
    table = studies.read(FOLDER / f"deployment-{name}.csv")
    replicates, _ = study.REPLICATES[name]
    assert table.about["command"] == (
        f"python studies/deployment.py {name} --replicates {replicates}"
    )
    counts: dict[int, int] = {}
    for row in table.rows:
        counts[row["replicate"]] = counts.get(row["replicate"], 0) + 1
    assert sorted(counts) == list(range(replicates))
    assert len(set(counts.values())) == 1, "every replicate has every arm"


def test_stored_times_of_ensembles_are_against_the_student() -> None:
    for row in studies.read(FOLDER / "deployment-members.csv").rows:
        assert row["unrest"] >= 1 and row["median"] > 0
        assert (row["times"] == 1) is (row["arm"] == "student | ONNX Runtime")
        assert row["times"] >= 1


def test_stored_times_are_ordered() -> None:
    for row in studies.read(FOLDER / "deployment-costs.csv").rows:
        if row["batch"]:
            assert 0 < row["median"] <= row["p99"] and row["unrest"] >= 1
            assert not math.isnan(row["median"])
        else:
            assert row["memory"] > 1e6

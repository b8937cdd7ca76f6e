"""The study of planted faults: what a plant is, that it is run as told, and its stored table."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill_helpers import capacity as cp
from distill_helpers import experiments as ex
from distill_helpers import studies
from distill_helpers.statistics import paired_gain

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("plants_study", FOLDER / "plants.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
sys.modules["plants_study"] = study  # dataclasses look their module up
SPEC.loader.exec_module(study)

LEVELS = {
    "wider": lambda s: s.hidden,
    "longer": lambda s: s.epochs,
    "more samples": lambda s: s.num_train,
    "better teacher": lambda s: s.teacher,
}
PLANTS = {n: study.plant(n) for n in range(1000, 1005)}


def test_help_shows_examples(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plants.py", "--help"])
    with pytest.raises(SystemExit) as caught:
        study.main()
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for words in ("Examples", "python studies/plants.py --plants 2 --first 1000", "--threads"):
        assert words in shown


@pytest.mark.parametrize("number", PLANTS)
def test_a_plant_has_its_faults_and_no_others(number: int) -> None:
    p = PLANTS[number]
    assert (p.faults == frozenset()) == (number % 5 == 4)
    arms = cp.mended(p.setup, p.better)
    assert len(arms) == 16, "every factor has two levels, so that each can be named by mistake"
    healthy = study.student(study.HIDDEN, study.ROWS, study.STEPS, study.TEACHER)
    for f in cp.FACTORS:
        worse, well = p.alone[f]
        assert (well if f in p.faults else worse) == healthy
        differ = [g for g, level in LEVELS.items() if level(worse) != level(well)]
        # Other rows have other epochs, for the steps are kept.
        assert set(differ) - ({"longer"} if f == "more samples" else set()) == {f}
        if f != "longer":
            assert p.setup.steps == pytest.approx(
                study.STEPS if "longer" not in p.faults else p.alone["longer"][0].steps,
                abs=math.ceil(p.setup.num_train / cp.BATCH_SIZE),
            )
            assert LEVELS[f](p.setup) == LEVELS[f](worse if f in p.faults else healthy) or (
                f == "more samples"
            )
    assert ("more samples" in p.faults) == (p.setup.num_train < study.ROWS)


def test_plants_differ_and_repeat() -> None:
    again = study.plant(1001)
    assert (again.setup, again.better) == (PLANTS[1001].setup, PLANTS[1001].better)
    assert torch.equal(again.law.x_train, PLANTS[1001].law.x_train)
    assert len({p.setup for p in PLANTS.values()}) > 3
    assert [study.plant(n).replicates for n in (35, 36, 39)] == [8, 3, 3]


def test_one_stack_of_all_sets_trains_what_each_set_would_train_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(study, "TRUTH_SETS", 2)
    law = PLANTS[1003].law
    teacher = cp.Teacher(2, (8,), (0.0,), 2, 60)
    one = cp.Setup((5,), 80, 2, teacher, learning_rate=1e-2)
    losses = study.measure(law, [one, cp.Setup((5,), 100, 2, teacher)], 1003)[one]
    assert losses.shape == (2, study.TRUTH_STUDENTS)
    data = ex.member_seeds(study.TRUTH_STATE, "plants", 1003, 4)
    pupils = ex.member_seeds(study.TRUTH_STATE, "student", 1003, 4)
    teachers = ex.member_seeds(study.TRUTH_STATE, "teacher", 1003, 4)
    for s in range(2):
        task = law.with_fresh_data(data[s], num_train=100 + 60)
        stack = study.Stack.build((law.x_train.shape[1], 8, 3), seeds=teachers[2 * s : 2 * s + 2])
        rows = torch.arange(100, 160)
        study.fit(stack, task, study.HardLabels(task.y_train), epochs=2,
                  seeds=teachers[2 * s : 2 * s + 2], rows=rows)  # fmt: skip
        arm = ex.Arm(
            study.soft_targets(stack.predict(task.x_train), 3.0, "logits"), 3.0, 0.7, 1e-2,
            rows=torch.arange(80),
        )  # fmt: skip
        made = ex.train_students(
            task, {0: arm}, seeds=pupils[2 * s : 2 * s + 2], hidden=(5,), epochs=2
        )
        x, _ = task.sample(5000, seed=data[2 + s])
        expected = ex.score(made[0].predict(x), task.posterior(x)).negative_log_likelihood
        np.testing.assert_allclose(losses[s], expected, rtol=1e-4)


def test_a_small_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = {"TRUTH_SETS": 2, "STEPS": 32, "MORE_STEPS": 48, "ROWS": 512, "MORE_ROWS": 640}
    for name, value in short.items():
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(torch, "set_num_threads", lambda number: None)
    factorial, measure = cp.factorial, study.measure
    diagnosed, measured = [], []

    def few(*arguments: Any, **given: Any) -> Any:
        diagnosed.append(given)
        return factorial(*arguments, **(given | {"students": 1, "num_test": 200}))

    def noted(*arguments: Any) -> Any:
        measured.append(measure(*arguments))
        return measured[-1]

    monkeypatch.setattr(cp, "factorial", few)
    monkeypatch.setattr(study, "measure", noted)
    output = tmp_path / "x.csv"
    monkeypatch.setattr(
        sys, "argv", ["plants.py", "--plants", "1", "--first", "1037", "--output", str(output)]
    )
    study.main()
    assert f"wrote {output}" in capsys.readouterr().out
    table = studies.read(output)
    assert table.about["command"] == "python studies/plants.py --plants 1 --first 1037"
    assert [row["factor"] for row in table.rows] == list(cp.FACTORS)
    # The defaults of the diagnosis, and three replicates on purpose.
    defaults = {"students": 2, "num_test": 10_000, "random_state": 42}
    assert diagnosed == [{"index": i, **defaults} for i in range(3)]
    p = study.plant(1037)
    for row in table.rows:
        f = row["factor"]
        assert (row["replicate"], row["replicates"]) == (1037, 3)
        assert row["planted"] == (f in p.faults)
        assert row["answer"] in ("cause", "no cause", "cannot tell")
        assert row["left_low"] <= row["left"] <= row["left_high"]
        worse, well = p.alone[f]
        true = paired_gain(measured[0][worse], measured[0][well])
        assert row["truth"] == pytest.approx(true.value, rel=1e-6)
        assert row["truth_error"] == pytest.approx(true.standard_error, rel=1e-6)


@pytest.mark.parametrize("arguments", [["--plants", "0"], ["--first", "-1"], ["--threads", "0"]])
def test_a_bad_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["plants.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        study.main()
    assert caught.value.code == 2
    assert "counts must be 1 or more" in capsys.readouterr().err


def test_the_stored_table_is_whole() -> None:
    table = studies.read(FOLDER / "plants.csv")
    assert table.about["command"] == "python studies/plants.py"
    assert [(row["replicate"], row["factor"]) for row in table.rows] == [
        (n, f) for n in range(study.PLANTS) for f in cp.FACTORS
    ]
    assert len({row["replicate"] for row in table.rows if row["planted"]}) == 32

"""The parts of the study of chapter 05 that its chapter does not run again."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeClassifier

from distill_helpers import capacity as cp
from distill_helpers import experiments as ex
from distill_helpers.networks import Stack
from distill_helpers.tasks import gaussian_mixture_task

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("capacity_study", FOLDER / "capacity.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
sys.modules["capacity_study"] = study  # dataclasses look their module up
SPEC.loader.exec_module(study)

TASK = gaussian_mixture_task(3, 10, 0.2, num_train=90, random_state=1)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shrink the study to seconds."""
    monkeypatch.setenv("DISTILL_CACHE", "off")
    monkeypatch.setattr(study, "law", lambda name: TASK)
    monkeypatch.setattr(study, "NUM_CHOOSE", 40)
    monkeypatch.setattr(study, "NUM_TEST", 100)
    monkeypatch.setattr(study, "NUM_TRAIN", 90)
    monkeypatch.setattr(study, "EPOCHS", 2)
    monkeypatch.setattr(study, "TEACHER_WIDTHS", (4, 256))
    monkeypatch.setattr(study, "LENGTHS", (1, 2))
    monkeypatch.setattr(study, "HELPED_LENGTHS", (2,))
    monkeypatch.setattr(study, "STUDENT_WIDTHS", (8, 16, 32))
    monkeypatch.setattr(study, "HELPED", {8: (16, 32)})
    monkeypatch.setattr(study, "SPLIT", (8, {"1 x 2": (1, 2), "2 x 1": (2, 1)}))
    monkeypatch.setattr(study, "MADE_UP", 2)


@pytest.mark.parametrize("width", [0, 2, 64, 288])
def test_parameters_are_those_of_the_network(width: int) -> None:
    sizes = (10, *study.hidden(width), 3)
    assert study.num_parameters(TASK, width) == Stack.build(sizes, seeds=[0]).num_parameters


def test_every_arm_has_equal_trials() -> None:
    logits = torch.randn(4, 90, 3, generator=torch.Generator().manual_seed(0))
    for trials in (
        study.width_trials(TASK, logits),
        study.trials_of({"a": logits[0], "b": logits[1]}) | study.label_trials(TASK),
    ):
        arms = [arm for arm, _ in trials]
        assert len({arms.count(arm) for arm in arms}) == 1
        settings = [
            (arm, a.learning_rate, a.weight_decay, a.temperature, a.soft_targets.sum().item())
            for (arm, _), a in trials.items()
        ]
        assert len({*map(str, settings)}) >= len(settings) - 3, "smoothing keeps its sums"
    first = study.width_trials(TASK, logits)["article's loss", 0]
    assert (first.temperature, first.alpha, first.learning_rate) == (3.0, 0.7, 1e-3)


def test_a_tree_of_one_hot_targets_is_a_classifier_by_the_gini_index() -> None:
    one_hot = ex.smoothed_labels(TASK.y_train, 3)
    grown = study.grow(TASK.x_train, one_hot, 3)
    gini = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0)
    gini.fit(TASK.x_train.numpy(), TASK.y_train.numpy())
    assert (grown.tree_.feature == gini.tree_.feature).all()
    np.testing.assert_allclose(grown.tree_.threshold, gini.tree_.threshold)


def test_a_leaf_is_its_mean_target_and_one_sample_of_the_whole() -> None:
    one_hot = ex.smoothed_labels(TASK.y_train, 3)
    grown = study.grow(TASK.x_train, one_hot, 2)
    p = study.log_leaves(grown, one_hot.double().numpy(), TASK.x_train)[0].exp()
    leaf = torch.from_numpy(grown.apply(TASK.x_train.numpy()))
    for number in leaf.unique():
        own = one_hot[leaf == number]
        expected = (own.sum(0) + one_hot.mean(0)) / (len(own) + 1)
        torch.testing.assert_close(p[leaf == number][0].float(), expected)
    assert (p > 0).all()


def test_the_article_is_one_level_and_everything_mended_the_other() -> None:
    article, better = study.setups("article")
    assert article.hidden == (64, 32) and article.num_train == 4000 and article.epochs == 50
    assert isinstance(article.teacher, cp.Teacher) and not article.teacher.own_rows
    assert article.teacher.num_train == 4000 and better.teacher == "posterior"
    assert (better.hidden, better.epochs, better.num_train) == ((128, 64), 200, 16_000)


def test_a_replicate_of_widths(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    teach = ex.train_teachers
    monkeypatch.setattr(
        ex, "train_teachers", lambda task, **more: teach(task, epochs=1, ensemble_size=2, **more)
    )
    rows = study.width_replicate("any", 0, 2, widths=(0, 4))
    assert len({tuple(row) for row in rows}) == 1, "one set of columns"
    by = {(row["arm"], row["width"]): row for row in rows}
    assert by["the ensemble itself", 256]["parameters"] == 2 * by["its members", 256]["parameters"]
    assert by["the ensemble itself", 256]["agreement"] == 1.0
    assert by["hard labels", 4]["parameters"] == study.num_parameters(TASK, 4)
    assert by["article's loss, untouched", 0]["trial"] == 0
    assert by["readable tree, labels", -3]["parameters"] <= 8
    assert by["hard labels", 0]["agreement_seen"] != ""


def test_a_replicate_of_teachers(tiny: None) -> None:
    rows = study.teachers_replicate("any", 0, 1)
    by = {(r["arm"], r["teacher"], r["length"], r["student"]): r for r in rows}
    assert len(by) == len(rows)
    size = {w: study.num_parameters(TASK, w) for w in (8, 16, 256)}
    direct, helped, longer, either = (
        by[arm, 256, 2, 8] for arm in ("direct", "assistant 16", "longer 16", "as much compute 16")
    )
    assert direct["compute"] == 2 * size[256] + 2 * size[8]
    assert helped["compute"] == direct["compute"] + 2 * size[16]
    assert longer["compute"] == pytest.approx(helped["compute"], abs=size[8])
    assert either["excess_risk"] in (direct["excess_risk"], longer["excess_risk"])
    assert by["hard labels", 0, 0, 8]["compute"] == 2 * size[8]
    assert all(row["excess_risk"] > 0 and 0 <= row["accuracy"] <= 1 for row in rows)


def test_a_replicate_of_the_factorial(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = cp.Teacher(1, (4,), (0.0,), 1, 60, own_rows=False)
    base = cp.Setup(hidden=(4,), num_train=60, epochs=1, teacher=teacher)
    better = cp.Setup(hidden=(8,), num_train=120, epochs=4, teacher="posterior")
    monkeypatch.setattr(study, "setups", lambda name: (base, better))
    rows = study.factorial_replicate("any", 0, 1)
    assert len({row["arm"] for row in rows}) == 16
    direct = cp.factorial(TASK, base, better, index=0, students=1, num_test=100)
    by = {row["arm"]: row["accuracy"] for row in rows}
    assert by["as it is"] == direct[frozenset()].accuracy.mean()
    assert by["wider + longer"] == direct[frozenset({"longer", "wider"})].accuracy.mean()


@pytest.mark.parametrize("arguments", [["--replicates", "0"], ["--students", "-1"]])
def test_counts_below_one_are_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["capacity.py", "width", "overlap", *arguments])
    with pytest.raises(SystemExit):
        study.main()
    assert "counts must be 1 or more" in capsys.readouterr().err


def test_a_run_writes_its_table(
    tiny: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def replicate(name: str, index: int, students: int) -> list[dict[str, object]]:
        return [{"replicate": index, "arm": name, "accuracy": students}]

    monkeypatch.setitem(study.RUN, "width", replicate)
    output = tmp_path / "try.csv"
    monkeypatch.setattr(
        sys, "argv", ["capacity.py", "width", "article", "--output", str(output), "--threads", "1"]
    )
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    study.main()
    table = study.studies.read(output)
    assert len(table.rows) == study.REPLICATES["width"]["article"]
    assert table.about["command"] == (
        "python studies/capacity.py width article --replicates 8 --students 2"
    )

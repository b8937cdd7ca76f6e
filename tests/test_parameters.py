"""The check that opens every run: what it accepts, puts back, refuses, and how it says so."""

from __future__ import annotations

import math
import re
import shlex
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from papermill.cli import _resolve_type
from papermill.iorw import NoDatesSafeLoader
from papermill.translators import PythonTranslator
from traitlets.config import Config

from distill_helpers import parameters
from distill_helpers.parameters import (
    CHAPTERS,
    Parameter,
    ParameterError,
    at_defaults,
    check,
    complete,
)


def run(**changes):
    return {name: entry.default for name, entry in CHAPTERS["00"].items()} | changes


def refusal(**changes):
    """The one line that a single fault is answered with."""
    namespace = run(**changes)
    before = dict(namespace)
    with pytest.raises(ParameterError) as error:
        check("00", namespace)
    assert namespace == before or any(value != value for value in changes.values())
    (line,) = str(error.value).splitlines()
    return line


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_defaults_of_every_chapter_pass_and_stay(chapter):
    namespace = {name: entry.default for name, entry in CHAPTERS[chapter].items()}
    before = dict(namespace)
    assert check(chapter, namespace) is None
    assert namespace == before
    assert {n: type(v) for n, v in namespace.items()} == {
        name: entry.kind for name, entry in CHAPTERS[chapter].items()
    }


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_parameter_says_what_it_is(chapter):
    for name, entry in CHAPTERS[chapter].items():
        assert name.isidentifier() and not name.startswith("_")
        assert entry.help and "\n" not in entry.help
        assert "inf" not in entry.rule


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("random_state", [0, 2**32 - 1], [-1, 2**32]),
        ("task", ["overlap", "article", "digits"], ["", "mnist"]),
        ("num_training_sets", [4, 100], [3, 101]),  # the jackknife leaves one out, and needs three
        ("ensemble_size", [4, 128], [3, 129]),
        ("num_test", [100, 100_000], [99, 100_001]),
        ("epochs", [2, 500], [1, 501]),
    ],
)
def test_ranges_of_the_evidence_of_chapter_01(name, inside, outside):
    defaults = {key: entry.default for key, entry in CHAPTERS["01-evidence"].items()}
    for value in inside:
        namespace = defaults | {name: value}
        check("01-evidence", namespace)
        assert namespace[name] == value
    for value in outside:
        with pytest.raises(ParameterError, match=f"^{name} is "):
            check("01-evidence", defaults | {name: value})


def test_the_lesson_of_chapter_01_is_its_evidence_with_fewer_networks_on_one_task():
    lesson, evidence = CHAPTERS["01"], CHAPTERS["01-evidence"]
    assert set(evidence) - set(lesson) == {"task"}
    for name, entry in lesson.items():
        assert entry.default <= evidence[name].default
        assert (entry.low, entry.high) == (evidence[name].low, evidence[name].high)


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("random_state", [0, 2**32 - 1], [-1, 2**32]),
        ("temperature", [1e-12, 1e4], [0.0, -1.0, 10_000.5]),
        ("alpha", [0.0, 1.0], [-1e-12, 1.0000001]),
        ("ensemble_size", [2, 64], [1, 65]),
        ("student_hidden", [[1], [1024] * 4], [[], [0], [1025], [64] * 5]),
        ("num_teacher_sets", [2, 100], [1, 101]),
        ("num_seeds", [2, 200], [1, 201]),
        ("num_test", [1_000, 5_000_000], [999, 5_000_001]),
        ("epochs", [1, 500], [0, 501]),
    ],
)
def test_ranges_of_chapter_00(name, inside, outside):
    for value in inside:
        namespace = run(**{name: value})
        check("00", namespace)
        assert namespace[name] == value
    for value in outside:
        line = refusal(**{name: value})
        assert line.startswith(f"{name} is {value!r}; it must be {CHAPTERS['00'][name].rule}. ")


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("random_state", [0, 2**32 - 1], [-1, 2**32]),
        ("task", ["article", "overlap", "digits"], ["", "mnist"]),
        ("ensemble_size", [2, 64], [1, 65]),
        ("student_hidden", [[1], [1024] * 4], [[], [0], [1025], [64] * 5]),
        ("num_seeds", [2, 50], [1, 51]),
        ("torch_compile", ["stored", "here"], ["yes", ""]),
    ],
)
def test_ranges_of_chapter_06(name, inside, outside):
    chapter = "06" if name in CHAPTERS["06"] else "06-evidence"
    defaults = {key: entry.default for key, entry in CHAPTERS[chapter].items()}
    for value in inside:
        namespace = defaults | {name: value}
        check(chapter, namespace)
        assert namespace[name] == value
    for value in outside:
        with pytest.raises(ParameterError, match=f"^{name} is "):
            check(chapter, defaults | {name: value})


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_float_passes_exactly_where_it_is_in_range(value):
    namespace = run(alpha=value)
    if 0 <= value <= 1:
        check("00", namespace)
        assert namespace["alpha"] == value
    else:
        with pytest.raises(ParameterError):
            check("00", namespace)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["temperature", "alpha", "num_seeds"])
def test_nan_and_infinity_are_refused(name, value):
    assert refusal(**{name: value}).startswith(f"{name} is {value}")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("temperature", 3, 3.0),
        ("temperature", np.float64(3), 3.0),
        ("temperature", np.float32(3), 3.0),
        ("temperature", np.int64(3), 3.0),
        ("alpha", 1, 1.0),
        ("num_seeds", np.int64(3), 3),
        ("student_hidden", (8, np.int32(4)), [8, 4]),
    ],
)
def test_accepted_values_are_put_back_as_plain_ones(name, value, expected):
    namespace = run(**{name: value})
    check("00", namespace)
    assert namespace[name] == expected
    assert type(namespace[name]) is type(expected)
    if isinstance(expected, list):
        assert [type(entry) for entry in namespace[name]] == [int, int]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("temperature", True, "a truth value"),
        ("num_seeds", True, "a truth value"),
        ("num_seeds", 3.0, "a number with a decimal point"),
        ("temperature", None, "nothing"),
        ("temperature", [3.0], "a list"),
        ("temperature", "warm", "a string"),
        ("temperature", 3j, "of type complex"),
        ("student_hidden", 64, "a whole number"),
        ("student_hidden", {64: 32}, "of type dict"),
        ("num_seeds", np.bool_(True), "of type bool"),
    ],
)
def test_a_wrong_type_is_named(name, value, kind):
    assert f"is {value!r}, {kind}" in refusal(**{name: value})


@pytest.mark.parametrize("value", [[True], [64.0], ["64"], [64, None], "64"])
def test_entries_of_a_list_are_strict_too(value):
    assert refusal(student_hidden=value).startswith(f"student_hidden is {value!r}")


def test_the_way_out_fits_the_fault():
    assert refusal(temperature=0) == (
        "temperature is 0; it must be a finite number above 0 and at most 10,000. "
        "Use 1 for plain probabilities, 2 to 5 to soften."
    )
    assert refusal(temperature="3").endswith(
        "Write temperature = 3.0 (in a shell: -p temperature 3.0)."
    )
    assert refusal(temperature="warm").endswith("2 to 5 to soften.")
    assert refusal(student_hidden="[8, 4]").endswith(
        "Write student_hidden = [8, 4] (in a shell: -y 'student_hidden: [8, 4]')."
    )
    assert refusal(num_seeds=3.0).endswith("Write num_seeds = 3 (in a shell: -p num_seeds 3).")
    assert refusal(num_seeds=1.0).endswith("The default is 20.")
    for value in (True, "True", "1 + 1", "(" * 10_000, "2", 2, [0.5]):
        assert refusal(alpha=value).endswith("1 for soft targets alone."), "nothing else would do"
    assert refusal(num_seeds=3.5).endswith("The default is 20.")
    assert refusal(num_seeds=1).endswith("from 2 to 200 (students). The default is 20.")


def injected(*arguments):
    """The cell that papermill puts into a notebook for these arguments, by its own parts."""
    given = {}
    for flag, text in zip(arguments[::2], arguments[1::2], strict=True):
        if flag == "-y":
            given |= yaml.load(text, Loader=NoDatesSafeLoader)
        else:
            name, value = text.split(" ", 1)
            given[name] = _resolve_type(value) if flag == "-p" else value
    return PythonTranslator.codify(given)


def shell_run(source, chapter="00"):
    namespace = {name: entry.default for name, entry in CHAPTERS[chapter].items()}
    exec(source, {}, namespace)
    check(chapter, namespace)
    return namespace


@pytest.mark.parametrize(
    ("flag", "text", "expected"),
    [
        ("-r", "temperature 3", 3.0),
        ("-y", "temperature: 1e3", 1000.0),  # text, to YAML 1.1
        ("-y", "temperature: '3'", 3.0),
        ("-y", "num_seeds: 3.0", 3),
        ("-y", "num_seeds: 1e1", 10),
        ("-p", "num_seeds 1e1", 10),
        ("-r", "num_seeds 2_0", 20),
        ("-p", "student_hidden [8, 4]", [8, 4]),
        ("-p", "student_hidden (64, 32)", [64, 32]),
        ("-y", "student_hidden: (64, 32)", [64, 32]),  # text, to YAML
        ("-p", "student_hidden 64, 32", [64, 32]),
        ("-p", "student_hidden 64", [64]),
        ("-y", "student_hidden: [64.0, 32]", [64, 32]),
    ],
)
def test_advice_for_the_shell_is_followed_to_its_end(flag, text, expected):
    with pytest.raises(ParameterError) as told:
        shell_run(injected(flag, text))
    (line,) = str(told.value).splitlines()
    name = re.match(r"\w+", line)[0]
    code, shell = re.search(r"Write (.*) \(in a shell: (.*)\)\.$", line).groups()
    advised, *rest = shlex.split(shell)
    assert shell_run(injected(advised, " ".join(rest)))[name] == expected
    found = run()
    exec(code, {}, found)
    check("00", found)
    assert found[name] == expected


def test_a_choice_in_quotes_is_told_without_them():
    with pytest.raises(ParameterError, match=r"Write task = 'digits' \(in a shell: -p task digits"):
        shell_run(injected("-p", "task 'digits'"), "01-evidence")
    assert shell_run(injected("-p", "task digits"), "01-evidence")["task"] == "digits"


def test_a_long_value_is_cut():
    line = refusal(num_test=10**400)
    assert len(line) < 200 and "000..." in line
    assert refusal(temperature=10**400)


def test_a_missing_parameter_is_named_with_its_default():
    namespace = run()
    del namespace["alpha"]
    with pytest.raises(ParameterError, match=r"alpha is missing.*Add alpha = 0\.7"):
        check("00", namespace)


def test_a_misspelt_name_is_told_the_nearest_one():
    assert refusal(temprature=4.0) == (
        "temprature is no parameter of chapter 00; rename it to temperature."
    )
    assert refusal(num_seed=4).endswith("rename it to num_seeds.")
    assert refusal(zzz=None).endswith("its parameters are " + ", ".join(CHAPTERS["00"]) + ".")


def test_what_a_notebook_holds_besides_is_left_alone():
    check(
        "00",
        run(
            __name__="__main__",
            _private=1,
            _i1="x",
            In=["", "x"],
            Out={1: 2},
            math=math,
            check=check,
            Parameter=Parameter,
            task=object(),
        ),
    )


def test_all_faults_are_told_at_once_a_line_each_in_the_table_s_order():
    namespace = run(alpha=1.5, temperature=0, zzz=1)
    with pytest.raises(ParameterError) as error:
        check("00", namespace)
    lines = str(error.value).splitlines()
    assert [line.split()[0] for line in lines] == ["temperature", "alpha", "zzz"]
    assert error.value._render_traceback_() == [f"ParameterError: {line}" for line in lines]
    assert isinstance(error.value, ValueError)


def test_nothing_is_put_back_where_anything_is_wrong():
    namespace = run(temperature=3, alpha=2)
    with pytest.raises(ParameterError):
        check("00", namespace)
    assert type(namespace["temperature"]) is int


PARAMETERS = "\n".join(f"{name} = {entry.default!r}" for name, entry in CHAPTERS["00"].items())


@pytest.fixture
def shell():
    """IPython itself, as a notebook's kernel has it, without its history on disk."""
    config = Config()
    config.HistoryManager.enabled = False
    yield InteractiveShell.instance(config=config)
    InteractiveShell.clear_instance()


CHECK = 'from distill_helpers.parameters import check\n\ncheck("00", globals())'


def unknown(shell, *cells):
    """The names that the check refuses as the last of these cells runs."""
    for cell in cells[:-1]:
        shell.run_cell(cell, store_history=True)
    error = shell.run_cell(cells[-1], store_history=True).error_in_exec
    if error is None:
        return []
    assert type(error).__name__ == "ParameterError", error
    return [line.split()[0] for line in str(error).splitlines()]


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        ([PARAMETERS, "# Parameters\nzzz = 1", CHECK], ["zzz"]),
        ([PARAMETERS + "\nzzz: int = 1", CHECK], ["zzz"]),
        ([PARAMETERS, CHECK, "zzz = 1", CHECK], []),  # the check run again in a full kernel
        ([PARAMETERS, CHECK, "zzz = 1", PARAMETERS, CHECK], []),
        (["zzz = 1", PARAMETERS, "%pwd", CHECK], []),
        (["zzz = 1", PARAMETERS, CHECK], []),
        ([PARAMETERS, "import os; zzz = 1", CHECK], []),
    ],
)
def test_in_a_notebook_only_the_cells_of_parameters_count(shell, cells, names):
    assert unknown(shell, *cells) == names


def test_with_no_parameters_cell_in_sight_every_name_counts(shell):
    shell.user_ns.update(run())
    assert unknown(shell, "zzz = 1", CHECK) == ["zzz"]


@pytest.mark.parametrize(
    "name",
    [
        *("_temperature", "check", "In", "Out", "_", "_i", "exit", "print", "get_ipython"),
        *("__name__", "math", "zzz, yyy"),
    ],
)
def test_a_name_counts_whoever_else_uses_it(shell, name):
    value = "ab" if "," in name else 3
    cell = PythonTranslator.codify({name: value})
    assert unknown(shell, PARAMETERS, cell, CHECK) == sorted(name.split(", "))


EXPECT = 'from distill_helpers.parameters import expect\n\nexpect("00")'


@pytest.mark.parametrize("name", ["num-seeds", "globals", "__builtins__", "None", "3x", "a b", ""])
def test_a_name_that_no_check_can_see_is_refused_before_python_reads_the_cell(shell, name):
    for cell in (EXPECT, EXPECT, PARAMETERS):  # twice, as where a reader runs the cell again
        assert shell.run_cell(cell, store_history=True).success
    error = shell.run_cell(PythonTranslator.codify({"alpha": 1.0, name: 3})).error_before_exec
    assert type(error).__name__ == "ParameterError"
    assert str(error).startswith(f"{name} is no parameter of chapter 00; ")
    assert len(str(error).splitlines()) == 1
    assert shell.user_ns["alpha"] == 0.7, "nothing of the cell has run"
    ours = [f for f in shell.input_transformers_cleanup if type(f).__name__ == "_Injected"]
    assert len(ours) == 1


def test_such_a_cell_names_every_unknown_name_and_no_known_one(shell):
    shell.run_cell(EXPECT)
    cell = PythonTranslator.codify({"zzz": 1, "num-seeds": 3, "alpha": 1.0})
    error = shell.run_cell(cell).error_before_exec
    assert [line.split()[0] for line in str(error).splitlines()] == ["zzz", "num-seeds"]


@pytest.mark.parametrize(
    "cell", ["x = 1 + 1", "# Parameters\n\nalpha = 1.0", "%pwd", "", "# a\n3 "]
)
def test_other_cells_run_as_they_are(shell, cell):
    shell.run_cell(EXPECT)
    assert shell.run_cell(cell).success
    kept = shell.input_transformers_cleanup
    with_it, kept[:] = shell.transform_cell(cell), kept[1:]
    assert with_it == shell.transform_cell(cell)


def test_what_is_known_is_left_to_the_check(shell):
    for cell in (EXPECT, PARAMETERS, PythonTranslator.codify({"zzz": 1, "num_seeds": 0})):
        assert shell.run_cell(cell, store_history=True).success
    assert unknown(shell, CHECK) == ["num_seeds", "zzz"]


def test_an_unknown_chapter_is_refused_by_expect_too():
    with pytest.raises(ValueError, match="chapter is 'x'; it must be one of 00, "):
        parameters.expect("x")


def test_a_namespace_that_is_not_the_shell_s_has_no_cells(shell):
    shell.run_cell(PARAMETERS + "\nzzz = 1", store_history=True)
    check("00", run())


def test_an_unknown_chapter_is_told_where_to_enter_it():
    for function in (check, at_defaults):
        with pytest.raises(ValueError, match=r"chapter is '99'; it must be one of 00"):
            function("99", {})


def test_at_defaults():
    assert at_defaults("00", run(anything_else=3))
    assert not at_defaults("00", run(num_seeds=2))


def test_what_is_given_is_completed_with_the_defaults_as_plain_values():
    assert complete("00", {}) == run()
    made = complete("00", {"temperature": np.float32(2), "student_hidden": (np.int64(8), 4)})
    assert made == run(temperature=2.0, student_hidden=[8, 4])
    assert [type(value) for value in made["student_hidden"]] == [int, int]
    made["student_hidden"].append(3)
    complete("00", {})["student_hidden"].append(1)
    assert CHAPTERS["00"]["student_hidden"].default == [64, 32]


def test_every_given_name_counts():
    with pytest.raises(ParameterError) as told:
        complete("00", {"_x": 1, "alpha": math.nan, "In": 2, "math": math, "num_seed": 3})
    assert [line.split()[0] for line in str(told.value).splitlines()] == [
        *("alpha", "_x", "In", "math", "num_seed")
    ]


def test_a_path_becomes_absolute_and_must_be_there(monkeypatch, tmp_path):
    table = OrderedDict(task=Parameter(str, "iris", choices=("iris",), path=True))
    monkeypatch.setitem(parameters.CHAPTERS, "98", table)
    (tmp_path / "mine.csv").write_text("a,b")
    monkeypatch.chdir(tmp_path)
    assert parameters.parse("98", {"task": "mine.csv"}) == {"task": str(tmp_path / "mine.csv")}
    assert parameters.parse("98", {"task": "iris"}) == {"task": "iris"}
    for value in ("no.csv", str(tmp_path), "", "a\0b", 3):
        with pytest.raises(ParameterError, match="one of 'iris', or the path of a file"):
            check("98", {"task": value})


def test_free_text_is_one_line(monkeypatch):
    monkeypatch.setitem(
        parameters.CHAPTERS, "98", OrderedDict(target=Parameter(str, "label", free=True))
    )
    namespace = {"target": "my target"}
    check("98", namespace)
    assert namespace == {"target": "my target"}
    for value in ("", "  ", "two\nlines", 3, None):
        with pytest.raises(ParameterError, match="a text of one line, not empty"):
            check("98", {"target": value})


def test_choices(monkeypatch):
    table = OrderedDict(pooling=Parameter(str, "logits", choices=("logits", "probabilities")))
    monkeypatch.setitem(parameters.CHAPTERS, "98", table)
    namespace = {"pooling": "probabilities"}
    check("98", namespace)
    assert namespace == {"pooling": "probabilities"}
    for value in ("mean", 1, ["logits"]):
        with pytest.raises(ParameterError, match="must be one of 'logits', 'probabilities'"):
            check("98", {"pooling": value})


def test_importing_it_loads_the_standard_library_alone():
    code = (
        "import sys; import distill_helpers.parameters; "
        "print(sorted({'torch', 'numpy', 'IPython', 'sklearn'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("chapter", "name", "inside", "outside"),
    [
        ("02", "unseen", [0, 9], [-1, 10]),
        ("02", "temperature", [1e-12, 1e4], [0.0, 10_000.5]),
        ("02", "num_labels", [50, 5_000], [49, 5_001]),
        ("02-evidence", "task", ["overlap", "article", "digits"], ["mnist", ""]),
        ("02-evidence", "temperature", [1e-12, 1e4], [0.0, 10_000.5]),
        ("02-evidence", "num_seeds", [2, 100], [1, 101]),
        ("03", "task", ["article", "overlap"], ["digits", ""]),
        ("03", "temperature", [1e-12, 1e4], [0.0, 10_000.5]),
        ("03", "alpha", [0.0, 1.0], [-1e-9, 1.0001]),
        ("03", "rival", ["reverse KL", "logits"], ["forward KL", "KL"]),
        ("03", "num_training_sets", [2, 50], [1, 51]),
        ("03-evidence", "task", ["article", "overlap", "digits"], ["mnist", ""]),
        ("03-evidence", "num_seeds", [2, 100], [1, 101]),
        ("05", "task", ["overlap", "article"], ["digits", ""]),
        ("05", "num_train", [20, 1_000], [19, 1_001]),
        ("05", "num_seeds", [2, 50], [1, 51]),
        ("05-evidence", "task", ["overlap", "article", "digits"], ["mnist", ""]),
        ("05-evidence", "epochs", [1, 200], [0, 201]),
    ],
)
def test_ranges_of_lessons_and_their_evidence(chapter, name, inside, outside):
    defaults = {name: entry.default for name, entry in CHAPTERS[chapter].items()}
    for value in inside:
        check(chapter, defaults | {name: value})
    for value in outside:
        with pytest.raises(ParameterError, match=f"^{name} is {value!r}; it must be "):
            check(chapter, defaults | {name: value})


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("temperature", [1e-12, 1e4], [0.0, 10_000.5]),
        ("alpha", [0.0, 1.0], [-0.1, 1.1]),
        ("num_train", [64, 4_000], [63, 4_001]),
    ],
)
def test_ranges_of_the_museum(name, inside, outside):
    defaults = {name: entry.default for name, entry in CHAPTERS["museum"].items()}
    for value in inside:
        check("museum", defaults | {name: value})
    for value in outside:
        with pytest.raises(ParameterError, match=f"^{name} is {value!r}; it must be "):
            check("museum", defaults | {name: value})

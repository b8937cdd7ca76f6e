"""The comparison of stored outputs: strict on one kind of machine, within intervals on another."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from nbval_support import differences, results_faults, trained_faults

from distill_helpers import results

ROOT = Path(__file__).resolve().parent.parent


def payload(value=53.8, low=49.5, high=58.1, level=0.95, verdict="holds", result="53.8 %"):
    return {
        "schema": 1,
        "chapter": "00",
        "results": [
            {
                "name": "gap",
                "value": value,
                "low": low,
                "high": high,
                "level": level,
                "n": 10,
                "unit": "%",
            }
        ],
        "verdicts": [
            {"claim": "c", "source": "s", "prediction": "p", "result": result, "verdict": verdict}
        ],
    }


def shown(data):
    return new_output("display_data", data)


@pytest.mark.parametrize("value", [49.5, 53.8, 58.1])
def test_a_value_within_the_stored_interval_passes(value):
    assert results_faults(payload(), payload(value, low=0, high=99)) == []


@pytest.mark.parametrize("value", [49.4, 58.2])
def test_a_value_outside_the_stored_interval_fails(value):
    (fault,) = results_faults(payload(), payload(value, low=0, high=99))
    assert f"{value}; the stored interval is 49.5 to 58.1" in fault


@pytest.mark.parametrize(
    ("low", "high", "inside", "outside"),
    [(None, 58.1, -1e6, 58.2), (49.5, None, 1e6, 49.4), (None, None, 1e6, None)],
)
def test_an_unbounded_end_holds_everything(low, high, inside, outside):
    assert results_faults(payload(low=low, high=high), payload(inside)) == []
    if outside is not None:
        assert results_faults(payload(low=low, high=high), payload(outside))


def test_a_value_without_an_interval_must_be_equal():
    bare = payload(3490, None, None, None)
    assert results_faults(bare, copy.deepcopy(bare)) == []
    (fault,) = results_faults(bare, payload(3491, None, None, None))
    assert "no interval" in fault


def test_a_tolerance_counts_as_an_interval():
    assert results_faults(payload(level=None), payload(50, level=None)) == []


@pytest.mark.parametrize(("key", "other"), [("level", 0.9), ("n", 11), ("unit", "points")])
def test_what_an_interval_is_about_must_be_equal(key, other):
    new = payload()
    new["results"][0][key] = other
    (fault,) = results_faults(payload(), new)
    assert fault.startswith(f"{key} of 'gap'")


def test_names_and_chapter_must_be_equal():
    renamed, moved = payload(), payload()
    renamed["results"][0]["name"] = "gap recovered"
    moved["chapter"] = "01"
    assert results_faults(payload(), renamed)
    assert results_faults(payload(), moved)


def test_verdicts_are_compared_without_their_numbers():
    assert results_faults(payload(), payload(result="54.1 %")) == []
    assert results_faults(payload(), payload(verdict="undecided"))
    assert results_faults(payload(), payload(result="53.8 points"))


def test_words_are_compared_and_numbers_are_not():
    old = [new_output("stream", text="gap 53.8 [-1.5, 2,000] after 3 s\n-----\n")]
    new = [new_output("stream", text="gap 9 [+1e-5, 3] after 12 s\n--------\n")]
    assert trained_faults(old, new) == []
    new[0]["text"] = "gain 9 [+1e-5, 3] after 12 s\n-----\n"
    (fault,) = trained_faults(old, new)
    assert "the words of stdout changed" in fault


def test_weights_packed_into_a_page_count_as_numbers():
    def page(digest, weights, words="here"):
        return [shown({"text/html": f'<p id="student-{digest}">{weights}== {words}</p>'})]

    old = page("0a1b2c3d", "Ab+/" * 20)
    assert trained_faults(old, page("ffffffff", "9zQx" * 20)) == []
    assert trained_faults(old, page("0a1b2c3d", "Ab+/" * 20, "there"))


def test_drawings_are_left_out_and_their_absence_is_noticed():
    old = [shown({"image/svg+xml": "<svg/>", "image/png": "a", "text/plain": "figure"})]
    new = [shown({"image/svg+xml": "<svg />", "image/png": "b", "text/plain": "figure"})]
    assert trained_faults(old, new) == []
    del new[0]["data"]["image/svg+xml"]
    assert trained_faults(old, new)
    assert trained_faults(old, [])
    assert trained_faults(old, [new_output("stream", text="figure")])


def returned(data):
    return new_output("execute_result", data, execution_count=1)


def test_trained_cells_are_gathered_as_nbval_gathers_them():
    said, table = new_output("stream", text="a 1\n"), shown({"text/plain": "t 1"})
    assert trained_faults([said, table], [table, said]) == []
    assert trained_faults([table], [returned({"text/plain": "t 2"})]) == []
    assert trained_faults([table, shown({"text/plain": "u"})], [shown({"text/plain": "u"}), table])
    assert trained_faults([said], [new_output("stream", name="stderr", text="a 1\n")])
    assert trained_faults([table], [table, said])
    assert trained_faults([table], [new_output("error", ename="E", evalue="e")])


def test_the_table_beside_results_is_not_compared_twice():
    old = [shown({results.MIME: payload(), "text/plain": "53.8, bounded"})]
    new = [shown({results.MIME: payload(50), "text/plain": "50, unbounded"})]
    assert trained_faults(old, new) == []
    new[0]["data"][results.MIME]["results"][0]["value"] = 0
    assert trained_faults(old, new)


def test_differences_name_what_differs():
    notebook = new_notebook()
    assert differences(notebook) is None
    results.stamp(notebook)
    assert differences(notebook) == []
    notebook["metadata"]["distill"]["fingerprint"]["torch"] = "1.0"
    notebook["metadata"]["distill"]["fingerprint"]["moon"] = "full"
    moon, torch = differences(notebook)
    assert moon == "moon is unknown here, full there"
    assert torch.startswith("torch is ") and torch.endswith(", 1.0 there")


def test_the_plugin_is_loaded_from_the_root_of_the_repository(request):
    assert request.config.pluginmanager.hasplugin("nbval_support")


# -- whole runs of nbval on small notebooks ---------------------------------------------------

RECORD = """
from distill_helpers.results import record, result
record("00", [result("gap", 0.538, low=0.495, high=0.581, level=0.95, n=10, unit="%")])
"""


def recorded(value):
    """The output that RECORD would have stored on a machine where the gap came out as `value`."""
    with mock.patch.object(results, "_display") as display:
        results.record("00", [payload(value)["results"][0]])
    return [shown(display.call_args.args[0])]


def said(text):
    return [shown({"text/markdown": text, "text/plain": text})]


SAY = "from distill_helpers.results import prose\nprose('The gap is 53.8 %.')"
BOTH = """
from IPython.display import display
print("gap")
display({"text/plain": "t", "image/jpeg": "YQ=="}, raw=True, metadata={"a": 1})
"""


def both(*, kind="t", text="gap\n", name="stdout", bitmap="image/jpeg"):
    """What BOTH shows, the other way round, with other metadata and another bitmap."""
    data = {"text/plain": kind, bitmap: "Yg=="}
    return [
        new_output("execute_result", data, execution_count=1, metadata={"a": 2}),
        new_output("stream", name=name, text=text),
    ]


DRAW = "from IPython.display import SVG, display\ndisplay(SVG('<svg/>'))"


SVG = "<IPython.core.display.SVG object>"


def drawn(text):
    """A drawing that differs from what DRAW displays."""
    return [shown({"image/svg+xml": "<svg />", "text/plain": text})]


def notebook(stored_torch, *cells):
    made = new_notebook()
    if stored_torch is not None:
        results.stamp(made)
        if stored_torch != "same":
            made["metadata"]["distill"]["fingerprint"]["torch"] = stored_torch
    for count, (source, tags, outputs) in enumerate(cells, start=1):
        made.cells.append(
            new_code_cell(
                source, metadata={"tags": tags.split()}, outputs=outputs, execution_count=count
            )
        )
    return made


NOTEBOOKS = {
    "same.ipynb": (
        notebook(
            "same",
            (SAY, "trained", said("The gap is 53.8 %.")),
            (SAY, "trained", said("The gap is 53.9 %.")),
            (RECORD, "trained", recorded(53.9)),
            (DRAW, "", drawn(SVG)),
            # what CONTRIBUTING says of nbval, on nbval
            (BOTH, "", both()),
            (BOTH, "", both(bitmap="image/png")),
            (BOTH, "", both(bitmap="text/latex")),
            (BOTH, "", both(text="gain\n")),
            (BOTH, "", both(name="stderr")),
        ),
        "passed failed failed failed passed passed failed failed failed",
        "same.ipynb compared: all cells exactly; the fingerprint is the stored one",
    ),
    "other.ipynb": (
        notebook(
            "1.0",
            (RECORD, "trained", recorded(50.0)),  # 53.8 lies in 49.5 to 58.1
            (RECORD.replace("0.538", "0.582"), "trained", recorded(53.8)),
            (SAY, "trained", said("The gap is 54.1 %.")),
            (SAY, "trained", said("The gain is 53.8 %.")),
            (SAY, "", said("The gap is 53.8 %.")),
            (SAY, "", said("The gap is 53.9 %.")),
            (RECORD, "", recorded(50.0)),
            (DRAW, "", drawn(SVG)),
            (DRAW, "", drawn("changed")),
            ("print(1)", "nbval-ignore-output", [new_output("stream", text="2\n")]),
            (BOTH, "trained", both()),  # passes where nbval passes
            (BOTH, "trained", both(text="gain\n")),
        ),
        "passed failed passed failed passed failed failed passed failed passed passed failed",
        "other.ipynb compared: trained cells within their intervals, the rest exactly; torch is",
    ),
    "bare.ipynb": (
        notebook(
            None,
            (SAY, "trained", said("The gap is 53.8 %.")),
            (SAY, "trained", said("The gap is 53.9 %.")),
        ),
        "passed failed",
        "bare.ipynb compared: all cells exactly; no fingerprint is stored",
    ),
}


@pytest.mark.parametrize(
    "xdist", ["", pytest.param("-n 1 --dist loadfile", marks=pytest.mark.slow)]
)
def test_nbval_on_small_notebooks(tmp_path, xdist):
    for name, (made, _, _) in NOTEBOOKS.items():
        nbformat.write(made, tmp_path / name)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    run = subprocess.run(
        [
            sys.executable,
            *["-m", "pytest", "--nbval", "--nbval-current-env", "-rA", "-q"],
            *f"-p nbval_support -p no:cacheprovider {xdist} .".split(),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), str(ROOT)])},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    for name, (_, expected, line) in NOTEBOOKS.items():
        outcome = {
            int(cell): word.lower()
            for word, cell in re.findall(rf"^(PASSED|FAILED) {name}::Cell (\d+)", run.stdout, re.M)
        }
        told = run.stdout + run.stderr
        assert [outcome[cell] for cell in sorted(outcome)] == expected.split(), told
        assert line in run.stdout
    assert "the stored interval is 49.5 to 58.1" in run.stdout

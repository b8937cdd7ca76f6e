"""What the figures of chapter 01 draw is what they were given, and every one of them is shown."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import nbclient
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from distill_helpers import figures
from distill_helpers.statistics import Estimate

matplotlib.use("agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, level=0.95, n=10, standard_error=1.0, degrees_of_freedom=9)


FALLING = {1: estimate(4.0, 3.5, 4.5), 2: estimate(2.0, 1.5, 3.0)}
FLAT = {1: estimate(5.0, 4.0, 6.0), 2: estimate(4.5, 4.0, 5.0)}


def points(axes, marker):  # type: ignore[no-untyped-def]
    """What each errorbar container with that marker holds: x, y, and the ends of its bars."""
    found = []
    for container in axes.containers:
        dots, _, bars = container.lines
        if dots.get_marker() == marker:
            ends = [segment[:, 1].tolist() for segment in bars[0].get_segments()]
            found.append((dots.get_xdata().tolist(), dots.get_ydata().tolist(), ends))
    return found


def test_variances_are_drawn_with_their_intervals_beside_the_law() -> None:
    figure = figures.variance_curves(
        {"over": FLAT, "within": FALLING},
        {"over": {1: 5.0, 2: 4.4}, "within": {1: 4.1, 2: 2.05}},
        floor=3.8,
        floor_label="the floor",
        ylabel="variance",
    )
    (axes,) = figure.axes
    assert points(axes, "o") == [([1, 2], [5.0, 4.5], [[4.0, 6.0], [4.0, 5.0]])]
    assert points(axes, "s") == [([1, 2], [4.0, 2.0], [[3.5, 4.5], [1.5, 3.0]])]
    curves = [tuple(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "-"]
    assert (5.0, 4.4) in curves and (4.1, 2.05) in curves
    assert [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"] == [
        [3.8, 3.8]
    ]
    assert [text.get_text() for text in axes.texts] == ["the floor"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2"]
    assert axes.get_ylim()[0] == 0 and axes.get_ylabel() == "variance"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["over", "within"]


def test_parts_stand_on_one_another() -> None:
    parts = {"bias": [1.0, 1.0], "between": [2.0, 2.0], "within": [3.0, 0.5]}
    figure = figures.stacked_parts(parts, ["1", "2"], xlabel="M", ylabel="nats")
    (axes,) = figure.axes
    drawn = [[(bar.get_y(), bar.get_height()) for bar in group] for group in axes.containers]
    assert drawn == [[(0, 1), (0, 1)], [(1, 2), (1, 2)], [(3, 3), (3, 0.5)]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["within", "between", "bias"]
    hatches = {group.patches[0].get_hatch() for group in axes.containers}
    assert len(hatches) == 3, "told apart without colour too"


def test_rivals_stand_at_their_cost_with_their_interval_in_every_panel() -> None:
    tuned, wide = estimate(-2.0, -2.5, -1.8), estimate(-1.0, -1.5, -0.5)
    figure = figures.rivals(
        {
            "first": ({"pool": FALLING}, {"tuned": (1, tuned), "wide": (2, wide)}),
            "second": ({"pool": FLAT}, {"wide": (2, wide)}),
        },
        xlabel="cost",
        ylabel="NLL",
    )
    first, second = figure.axes
    assert (first.get_title(), second.get_title()) == ("first", "second")
    assert points(first, "o") == [([1, 2], [4.0, 2.0], [[3.5, 4.5], [1.5, 3.0]])]
    assert points(first, "s") == [
        ([pytest.approx(1, rel=0.1)], [-2.0], [[-2.5, pytest.approx(-1.8)]])
    ]
    assert points(first, "D") == [([pytest.approx(2, rel=0.1)], [-1.0], [[-1.5, -0.5]])]
    assert points(second, "D") == points(first, "D"), "one name, one look, whatever the panel"
    across = [line.get_ydata().tolist() for line in first.lines if line.get_linestyle() == ":"]
    assert across == [[-2.0, -2.0], [-1.0, -1.0]]
    assert (first.get_xlabel(), first.get_ylabel()) == ("cost", "NLL")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pool", "tuned", "wide"]


def test_rivals_of_one_cost_stand_side_by_side() -> None:
    rival = (1, estimate(-1.0, -2.0, 0.0))
    figure = figures.rivals(
        {"only": ({"pool": FLAT}, {"a": rival, "b": rival})}, xlabel="x", ylabel="y"
    )
    (axes,) = figure.axes
    ((a,), _, _), ((b,), _, _) = points(axes, "s")[0], points(axes, "D")[0]
    assert a < b < 1.2 * a


VALUES = {
    1: {"input 1": [[0.1, 0.3], [0.8, 0.9]], "input 2": [[0.5, 0.5], [0.4, 0.6]]},
    2: {"input 1": [[0.2], [0.85]], "input 2": [[0.5], [0.5]]},
}


def rows(chart, key):  # type: ignore[no-untyped-def]
    sets = [layer.get("data", {}).get("values", []) for layer in chart["layer"]]
    return [row for found in sets for row in found if key in row]


def test_a_slider_moves_through_the_sizes_of_an_ensemble() -> None:
    chart = figures.live_ensembles(
        VALUES, {"input 1": 0.25}, start=2, ylabel="probability"
    ).to_dict()
    (param,) = chart["params"]
    assert param["value"] == 1
    assert (param["bind"]["min"], param["bind"]["max"]) == (0, 1)
    unique = {tuple(row.items()) for row in rows(chart, "probability")}
    dots = [dict(row) for row in unique]
    assert len(dots) == (4 + 3) + (2 + 2), "two equal dots of one column count once here"
    at = {(d["input"], d["training set"]): d["at"] for d in dots}
    assert at == {
        ("input 1", 1): 0,
        ("input 1", 2): 1,
        ("input 2", 1): 3,
        ("input 2", 2): 4,
    }, "inputs apart, training sets side by side"
    for m, step in ((1, 0), (2, 1)):
        drawn = {d["probability"] for d in dots if d["step"] == step and d["input"] == "input 1"}
        assert drawn == {p for ensembles in VALUES[m]["input 1"] for p in ensembles}
    assert rows(chart, "posterior") == [{"from": -0.5, "to": 1.5, "posterior": 0.25}]


CELL = """from distill_helpers.figures import stacked_parts
figure = stacked_parts({"a": [1, 2]}, ["x", "y"], xlabel="x", ylabel="y")"""


def test_every_figure_of_a_notebook_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    nb = new_notebook(cells=[new_code_cell(CELL), new_code_cell(CELL)])
    nbclient.NotebookClient(nb, kernel_name="python3").execute()
    shown = [[set(output.get("data", {})) for output in cell.outputs] for cell in nb.cells]
    assert shown == [[{"text/plain", "image/png"}]] * 2

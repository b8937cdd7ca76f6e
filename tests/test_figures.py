"""What the figures draw is what they were given."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import matplotlib
import nbclient
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from distill_helpers import figures
from distill_helpers.soft_targets import soft_targets
from distill_helpers.statistics import Estimate, mean_estimate

matplotlib.use("agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, level=0.95, n=10, standard_error=1.0, degrees_of_freedom=9)


ONE = {"a": estimate(0.01, 0.005, 0.02), "b": estimate(-0.02, -0.03, -0.01)}
TWO = {"b": estimate(0.03, 0.0, 0.04), "c": estimate(0.0, -math.inf, math.inf)}


def lines(axes, marker):  # type: ignore[no-untyped-def]
    return [line for line in axes.lines if line.get_marker() == marker]


def test_a_forest_shades_its_margin_and_makes_room_for_it() -> None:
    figure = figures.forest({"first": ONE}, xlabel="x", reference=1.0, margin=40.0)
    (axes,) = figure.axes
    (band,) = axes.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == (-39.0, 41.0)  # type: ignore[attr-defined]
    left, right = axes.get_xlim()
    assert left < -39 and right > 41
    (axes,) = figures.forest({"first": ONE}, xlabel="x").axes
    assert not axes.patches or axes.patches[0].get_width() == 0  # type: ignore[attr-defined]


def test_a_forest_has_one_row_a_name_and_one_marker_a_series() -> None:
    figure = figures.forest(
        {"first": ONE, "second": TWO}, xlabel="gain (points)", scale=100, bold=["b"]
    )
    (axes,) = figure.axes
    labels = axes.get_yticklabels()
    assert [label.get_text() for label in labels] == ["a", "b", "c"]
    assert [label.get_fontweight() for label in labels] == ["normal", "bold", "normal"]
    assert axes.get_xlabel() == "gain (points)"
    rows = dict(zip("abc", axes.get_yticks(), strict=True))
    for series, marker in ((ONE, "o"), (TWO, "s")):
        drawn = {
            round(float(m.get_ydata()[0])): float(m.get_xdata()[0]) for m in lines(axes, marker)
        }
        assert drawn == {
            round(rows[name]): pytest.approx(100 * e.value) for name, e in series.items()
        }
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first row is on top"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["first", "second"]


def test_an_interval_is_drawn_from_end_to_end_and_an_open_one_with_arrowheads() -> None:
    axes = figures.forest({"first": ONE, "second": TWO}, xlabel="x").axes[0]
    bars = [tuple(line.get_xdata()) for line in axes.lines if line.get_linewidth() == 2]
    left, right = axes.get_xlim()
    assert bars == [(0.005, 0.02), (-0.03, -0.01), (0.0, 0.04), (left, right)]
    assert [line.get_xdata()[0] for line in lines(axes, "<")] == [left]
    assert [line.get_xdata()[0] for line in lines(axes, ">")] == [right]
    assert left < -0.03 and right > 0.04


def test_series_of_one_row_do_not_cover_each_other() -> None:
    axes = figures.forest({"first": ONE, "second": TWO}, xlabel="x").axes[0]
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_linewidth() == 2]
    assert len(set(heights)) == 4


def test_the_reference_is_marked_and_within_sight() -> None:
    axes = figures.forest({"first": ONE}, xlabel="x", reference=0.5).axes[0]
    assert list(axes.lines[0].get_xdata()) == [0.5, 0.5]
    assert axes.get_xlim()[1] > 0.5
    assert not figures.forest({"first": ONE}, xlabel="x").legends, "one series needs no legend"


def test_groups_have_a_name_and_room() -> None:
    plain = figures.forest({"first": ONE}, xlabel="x").axes[0]
    grouped = figures.forest({"first": ONE}, xlabel="x", groups={"b": "others", "z": "none"}).axes[
        0
    ]
    assert [text.get_text() for text in grouped.texts] == ["others"]
    assert np.diff(grouped.get_yticks()) > np.diff(plain.get_yticks())


def test_points_without_spread_can_be_drawn() -> None:
    figures.forest({"one": {"a": estimate(0.0, 0.0, 0.0)}}, xlabel="x").canvas.draw()


SAMPLES = {100.0: [-3.0, -0.5, 0.5, 0.5], 1000.0: [0.5, 0.6, 0.7, 9.0]}


def live(**changes):  # type: ignore[no-untyped-def]
    return figures.live_histogram(
        **{
            "values": SAMPLES,
            "slider": "test samples",
            "xlabel": "gap",
            "bins": (-1.0, 2.0, 6),
            "marks": {"published": 0.538},
            "start": 1000.0,
            **changes,
        }
    ).to_dict()


def values_with(chart, key):  # type: ignore[no-untyped-def]
    """All rows of the chart's data that have a key."""
    sets = [layer.get("data", {}).get("values", []) for layer in chart["layer"]]
    return [row for rows in sets for row in rows if key in row]


def test_a_live_histogram_holds_the_share_of_each_bin_at_each_position() -> None:
    rows = values_with(live(), "share")
    unique = {(row["step"], row["from"]): row for row in rows}
    first = {key[1]: row["share"] for key, row in unique.items() if key[0] == 0}
    last = {key[1]: row["share"] for key, row in unique.items() if key[0] == 1}
    assert first == {-1.0: 0.25, -0.5: 0.25, 0.5: 0.5}, "what lies outside is in the outermost bin"
    assert last == {0.5: 0.75, 1.5: 0.25}
    assert {row["size"] for row in rows} == {"100", "1,000"}


def test_the_slider_starts_where_it_is_told() -> None:
    for start, step in ((100.0, 0), (1000.0, 1)):
        (param,) = live(start=start)["params"]
        assert param["value"] == step
        assert param["bind"] == {
            "input": "range",
            "min": 0,
            "max": 1,
            "step": 1,
            "name": "test samples: ",
        }


def test_marks_are_drawn_and_named() -> None:
    assert {(row["name"], row["at"]) for row in values_with(live(), "at")} == {("published", 0.538)}


def test_a_live_chart_is_shown_with_a_picture_and_words() -> None:
    chart = figures.live_histogram(
        SAMPLES,
        slider="n",
        xlabel="gap",
        bins=(-1.0, 2.0, 6),
        marks={"published": 0.538},
        start=100.0,
    )
    with mock.patch("IPython.display.display") as display:
        figures.show_live(chart, "what it shows")
    (bundle,) = display.call_args.args
    assert display.call_args.kwargs == {"raw": True}
    assert bundle["text/plain"] == "what it shows"
    assert bundle["image/png"].startswith(b"\x89PNG")
    specification = bundle["application/vnd.vegalite.v6+json"]
    assert specification["config"]["axis"]["labelFontSize"] >= 12
    assert "url" not in str(specification.get("data")), "a page needs no network"


def test_every_run_is_a_dot_and_one_is_marked() -> None:
    figure = figures.scatter_runs(
        [1.0, 2.0], [3.0, 4.0], xlabel="x", ylabel="y", mark=(5.0, 6.0), mark_label="published"
    )
    (axes,) = figure.axes
    (dots,), (star,) = lines(axes, "o"), lines(axes, "*")
    assert dots.get_xydata().tolist() == [[1, 3], [2, 4]]
    assert star.get_xydata().tolist() == [[5, 6]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["published"]
    assert {line.get_slope() for line in axes.lines if hasattr(line, "get_slope")} == {0.5, 1.0}
    figure.canvas.draw()
    for data in (dots.get_xydata(), star.get_xydata()):
        at = axes.transAxes.inverted().transform(axes.transData.transform(data))
        assert (at > 0).all() and (at < 1).all(), "the lines must not take runs out of sight"


def test_rows_of_another_scale_have_a_panel_of_their_own() -> None:
    near, far = estimate(1.0, 0.5, 1.5), estimate(100.0, 50.0, 150.0)
    figure = figures.forest(
        {"s": {"a": near, "b": near, "c": far}, "t": {"c": far}}, xlabel="x", panels=["c"]
    )
    first, second = figure.axes
    assert [t.get_text() for t in first.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in second.get_yticklabels()] == ["c"]
    assert first.get_xlim()[1] < 2 < 100 < second.get_xlim()[1]
    assert (first.get_xlabel(), second.get_xlabel()) == ("", "x")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["s", "t"]


def test_rows_of_several_series_may_have_room() -> None:
    rows = {"a": estimate(1.0, 0.5, 1.5), "b": estimate(2.0, 1.5, 2.5)}
    usual, roomy = (
        figures.forest({"s": rows}, xlabel="x", **more).get_size_inches()
        for more in ({}, {"row_height": 0.8})
    )
    assert roomy[0] == usual[0] and roomy[1] - usual[1] == pytest.approx(2 * (0.8 - 0.36))


def test_series_stand_apart_by_their_spread_and_every_second_row_on_a_band() -> None:
    two = {"a": estimate(1.0, 0.5, 1.5), "b": estimate(2.0, 1.5, 2.5)}
    axes = figures.forest({"s": two, "t": two}, xlabel="x", spread=0.2, bands=True).axes[0]
    heights = [line.get_ydata()[0] for marker in "os" for line in lines(axes, marker)]
    assert heights == pytest.approx([-0.1, 0.9, 0.1, 1.1])
    assert [0.5, 1.5] in [sorted(patch.get_bbox().intervaly) for patch in axes.patches]


@pytest.mark.parametrize(
    "draw",
    [
        lambda **more: figures.forest({"s": FALLING, "t": FLAT}, xlabel="x", **more),
        lambda **more: figures.variance_curves(
            {"s": FALLING}, {"s": {1: 4.0}}, floor=1.0, floor_label="f", ylabel="y", **more
        ),
        lambda **more: figures.stacked_parts({"s": [1.0]}, ["1"], xlabel="x", ylabel="y", **more),
        lambda **more: figures.log_curves({"p": {"s": {1.0: 2.0}}}, ylabel="y", **more),
    ],
)
def test_a_narrow_figure_can_be_read_on_a_phone(draw: Any) -> None:
    # A phone shows about 340 pixels of a figure's width; 10 points of 5 inches are then 9.4.
    figure = draw(narrow=True)
    figure.canvas.draw()
    assert figure.get_size_inches()[0] <= 5.5
    (legend,) = figure.legends
    assert legend.get_window_extent().y1 <= figure.axes[0].get_window_extent().y0, "below"
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in texts) >= 10


# Chapter 01

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


def test_a_slider_moves_through_the_sizes_of_an_ensemble() -> None:
    chart = figures.live_ensembles(
        VALUES, {"input 1": 0.25}, start=2, ylabel="probability"
    ).to_dict()
    (param,) = chart["params"]
    assert param["value"] == 1
    assert (param["bind"]["min"], param["bind"]["max"]) == (0, 1)
    unique = {tuple(row.items()) for row in values_with(chart, "probability")}
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
    assert values_with(chart, "posterior") == [{"from": -0.5, "to": 1.5, "posterior": 0.25}]
    picked = figures.live_ensembles(VALUES, {}, start=2, ylabel="p", buttons=True, width=300)
    (param,) = picked.to_dict()["params"]
    assert (param["bind"]["options"], param["bind"]["labels"]) == ([0, 1], ["1", "2"])
    assert picked.to_dict()["width"] == 300


CELL = """from distill_helpers.figures import stacked_parts
figure = stacked_parts({"a": [1, 2]}, ["x", "y"], xlabel="x", ylabel="y")"""


def test_every_figure_of_a_notebook_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    nb = new_notebook(cells=[new_code_cell(CELL), new_code_cell(CELL)])
    nbclient.NotebookClient(nb, kernel_name="python3").execute()
    shown = [[set(output.get("data", {})) for output in cell.outputs] for cell in nb.cells]
    assert shown == [[{"text/plain", "image/png"}]] * 2


# Chapter 02

LOGITS = [1.0, 4.0, -2.0]
IMAGE = [[0.0, 16.0], [3.0, 5.0]]


def live_target(temperatures=(0.5, 2.0, 20.0), start=2.0):  # type: ignore[no-untyped-def]
    chart = figures.live_soft_target(IMAGE, LOGITS, label=0, temperatures=temperatures, start=start)
    return chart.to_dict()


def views(specification):  # type: ignore[no-untyped-def]
    """The picture's and the bars' part of the chart."""
    picture, bars = specification["hconcat"]
    return picture, bars


def rows_of(view):  # type: ignore[no-untyped-def]
    return view["data"]["values"]  # altair lifts what layers share


def test_the_live_target_holds_the_soft_targets_of_every_temperature() -> None:
    _, bars = views(live_target())
    table = rows_of(bars)
    assert len(table) == 9
    for step, T in enumerate((0.5, 2.0, 20.0)):
        expected = soft_targets(torch.tensor([LOGITS], dtype=torch.float64), T)[0]
        drawn = [row["p"] for row in table if row["step"] == step]
        assert drawn == pytest.approx(expected.tolist(), rel=1e-3)
        entropy = -(expected * expected.log2()).sum().item()
        titles = {row["title"] for row in table if row["step"] == step}
        assert titles == {f"T = {T:g}, entropy {entropy:.2f} bits"}
    assert {row["kind"] for row in table if row["class"] == "0"} == {"its label"}
    assert {row["kind"] for row in table if row["class"] != "0"} == {"wrong class"}
    assert min(row["p"] for row in table) < 0.0005
    assert [row["text"] for row in table if row["p"] < 0.0005] == ["< 0.001"]


def test_the_live_target_keeps_one_order_and_starts_where_it_is_told() -> None:
    specification = live_target()
    _, bars = views(specification)
    for layer in bars["layer"][:2]:
        assert layer["encoding"]["y"]["sort"] == ["1", "0", "2"]
        assert layer["encoding"]["x"]["scale"]["domain"] == [0, 1.1]
    (step,) = specification["params"]
    assert step["value"] == 1 and step["bind"]["max"] == 2


def test_the_live_target_shows_the_image_as_it_lies() -> None:
    picture, _ = views(live_target())
    ink = {(row["x"], row["y"]): row["ink"] for row in rows_of(picture)}
    assert ink == {(0, 0): 0.0, (1, 0): 16.0, (0, 1): 3.0, (1, 1): 5.0}
    assert "0" in picture["title"]


def test_logits_too_far_apart_for_a_float_are_drawn() -> None:
    chart = figures.live_soft_target(IMAGE, [0.0, 1e4], label=1, temperatures=[0.5], start=0.5)
    _, bars = views(chart.to_dict())
    assert [row["p"] for row in rows_of(bars)] == [0.0, 1.0]


def maps(**more: Any) -> Any:
    behind = [[0.0, 0.5, 8.0], [0.2, 0.0, 0.3]]
    marks = [["best", "", ""], ["tied", "best", ""]]
    return figures.heat_maps(
        width=5.0,
        panels={"accuracy": (behind, marks), "NLL": ([[0.0] * 3] * 2, marks)},
        rows=["4", "8"],
        columns=["1", "3", "8"],
        xlabel="temperature",
        ylabel="units",
        **more,
    )


def test_heat_maps_write_each_cell_and_point_out_best_and_tied() -> None:
    figure = maps()
    axes = figure.axes[0]
    texts = {(int(t.get_position()[0]), int(t.get_position()[1])): t for t in axes.texts}
    assert {place: text.get_text() for place, text in texts.items()} == {
        (0, 0): "best",
        (1, 0): "0.5",
        (2, 0): "8.0",
        (0, 1): "0.2 =",
        (1, 1): "best",
        (2, 1): "0.3",
    }
    assert texts[0, 0].get_fontweight() == "bold" and texts[1, 0].get_fontweight() == "normal"
    assert texts[2, 0].get_color() == "white" and texts[1, 0].get_color() == "black"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "3", "8"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["4", "8"]
    assert [a.get_title() for a in figure.axes] == ["accuracy", "NLL"]
    assert figure.get_figwidth() == 10
    assert axes.get_ylabel() == "units" and figure.axes[1].get_ylabel() == ""


def test_narrow_heat_maps_stand_below_each_other() -> None:
    first, second = maps(narrow=True).axes
    assert first.get_position().x0 == pytest.approx(second.get_position().x0)
    assert first.get_position().y0 > second.get_position().y1
    assert first.figure.get_figwidth() == 5
    assert first.get_ylabel() == second.get_ylabel() == "units"
    assert [label.get_text() for label in second.get_yticklabels()] == ["4", "8"]


def test_heat_maps_colour_by_the_root_of_the_distance_what_is_beyond_noise() -> None:
    first, second = maps().axes
    colours = first.images[0].get_array()
    assert colours[0].tolist() == pytest.approx([0.0, math.sqrt(0.5 / 8), 1.0])
    assert colours[1].tolist() == pytest.approx([0.0, 0.0, math.sqrt(0.3 / 8)]), "tied is white"
    assert not second.images[0].get_array().any(), "a table of zeros is drawn too"


def test_a_scatter_has_one_marker_a_series_on_logarithmic_axes() -> None:
    series = {"one": ([0.1, 0.2], [0.3, 0.4]), "two": ([0.5], [0.6])}
    figure = figures.scatter_by_series(series, xlabel="x", ylabel="y")
    (axes,) = figure.axes
    assert axes.get_xscale() == axes.get_yscale() == "log"
    drawn = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
    assert drawn == list(series.values())
    assert len({line.get_marker() for line in axes.lines}) == 2
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_a_student_stands_by_what_it_copies_and_what_it_knows() -> None:
    students = {"width 4": (0.09, 0.12), "width 8": (0.05, 0.08), "width 64": (0.02, 0.03)}
    panels = {"one": {"soft": students}, "two": {"soft": students, "other": students}}
    figure = figures.risk_by_infidelity(
        panels, {"one": 0.06, "two": 0.07}, xlabel="F", ylabel="R", scale=1000
    )
    first, second = figure.axes
    for axes, risk in ((first, 60), (second, 70)):
        lines = {line.get_label(): line for line in axes.lines}
        (no_d,) = (line for name, line in lines.items() if name.endswith("D = 0"))
        assert [y - x for x, y in no_d.get_xydata()] == pytest.approx([risk, risk])
        assert lines["the teacher"].get_xydata().tolist() == [[0, risk]]
        assert lines["soft"].get_xydata() == pytest.approx(
            np.array([[90, 120], [50, 80], [20, 30]])
        )
    assert [text.get_text() for text in first.texts] == ["width 4", "width 64"]
    assert (first.get_xlabel(), first.get_ylabel(), second.get_ylabel()) == ("F", "R", "")
    with pytest.raises(ValueError, match="teachers has no 'two'"):
        figures.risk_by_infidelity(panels, {"one": 0.06}, xlabel="F", ylabel="R")


def by_temperature(**more: Any) -> Any:
    panels = {
        "toy": {"a": {1.0: 2.0, 10.0: 0.5}, "b": {1.0: 1.0, 10.0: 0.1}},
        "real": {"b": {1.0: estimate(1.0, 0.5, 2.0), 10.0: estimate(0.3, 0.2, 0.4)}},
    }
    return figures.log_curves(panels, ylabel="g", guide=(-2.0, "law"), **more)


def test_gradients_stand_by_temperature_beside_a_power_of_it() -> None:
    figure = by_temperature()
    first, second = figure.axes
    drawn = {line.get_label(): line for line in first.lines}
    assert list(drawn["a"].get_ydata()) == [2.0, 0.5]
    assert list(drawn["law"].get_ydata()) == pytest.approx([2.0, 0.02])
    assert list(drawn["law"].get_xdata()) == [1.0, 10.0]
    assert first.get_xscale() == first.get_yscale() == "log"
    assert first.get_title() == "toy" and second.get_xlabel() == "temperature T"
    assert first.get_ylabel() == "g" and not second.get_ylabel()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "law"]


def test_a_series_has_one_look_in_all_panels_and_estimates_a_band() -> None:
    first, second = by_temperature(lowest=1e-3).axes
    one, other = (
        next(line for line in axes.lines if line.get_label() == "b") for axes in (first, second)
    )
    assert (one.get_color(), one.get_marker()) == (other.get_color(), other.get_marker())
    assert not first.collections
    (band,) = second.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.2, 2.0)
    assert first.get_ylim()[0] == second.get_ylim()[0] == 1e-3
    near = figures.log_curves(
        {"toy": {"a": {1.0: 1.0, 10.0: 2.5}}}, ylabel="g", guide=(0.0, "level")
    )
    near.canvas.draw()
    ticks = [text.get_text() for text in near.axes[0].get_yticklabels()]
    assert {"1", "1.5", "2"} <= set(ticks), "less than a power of ten still has numbers"


def test_levels_and_points_that_are_not_joined() -> None:
    figure = figures.log_curves(
        {
            "left": {
                "trees": {8.0: Estimate(0.3, 0.2, 0.4, 0.95, 5, 0.05, 4), 16.0: 0.2},
                "a": {8.0: 0.1},
            },
            "right": {"a": {8.0: 0.1, 90.0: 0.05}},
        },
        ylabel="y",
        xlabel="parameters",
        levels={"left": {"members": 0.07, "ensemble": 0.04}, "right": {"ensemble": 0.06}},
        alone=["trees"],
    )
    left, right = figure.axes
    drawn = {line.get_label(): line for line in left.lines}
    assert drawn["trees"].get_linestyle() == "None" and drawn["a"].get_linestyle() == "-"
    (bar,) = [line for line in left.lines if list(line.get_xdata()) == [8.0, 8.0]]
    assert list(bar.get_ydata()) == [0.2, 0.4] and not left.collections
    lines = {line.get_label(): line for line in right.lines}
    assert list(lines["ensemble"].get_ydata()) == [0.06, 0.06] and "members" not in lines
    assert lines["ensemble"].get_linestyle() == drawn["ensemble"].get_linestyle() == ":"
    assert drawn["members"].get_linestyle() == "--" and left.get_xlabel() == "parameters"
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["trees", "a", "members", "ensemble"]


def test_a_diagonal_runs_from_the_least_to_the_most_of_both() -> None:
    points = {"a": ([0.1, 2.0], [0.3, 0.2]), "b": ([0.5], [4.0])}
    (axes,) = figures.scatter_by_series(points, xlabel="x", ylabel="y", diagonal=True).axes
    assert list(axes.lines[0].get_xdata()) == list(axes.lines[0].get_ydata()) == [0.1, 4.0]
    assert len(figures.scatter_by_series(points, xlabel="x", ylabel="y").axes[0].lines) == 2


def test_a_heat_map_writes_no_negative_zero() -> None:
    figure = figures.heat_maps(
        {"a": ([[-0.04, -0.5]], [["tied", ""]])},
        rows=["r"],
        columns=["1", "2"],
        xlabel="x",
        ylabel="y",
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.0 =", "-0.5"]


def test_a_slider_moves_through_curves_against_temperature() -> None:
    chart = figures.live_shares(
        {0.7: {"with": [0.7, 0.7], "without": [0.7, 0.2]}, 0.1: {"with": [0.1] * 2}},
        [1.0, 3.0],
        start=0.7,
        slider="alpha",
        ylabel="y",
    ).to_dict()
    rows = chart["data"]["values"]
    found = {(row["step"], row["loss"], row["T"]): row["share"] for row in rows}
    assert found[1, "without", 3.0] == 0.2 and found[0, "with", 1.0] == 0.1
    assert {row["step"]: row["title"] for row in rows} == {0: "alpha = 0.1", 1: "alpha = 0.7"}
    (param,) = chart["params"]
    assert param["value"] == 1 and param["bind"]["max"] == 1 and param["bind"]["name"] == "alpha: "
    curves, title = chart["layer"]
    shown = curves["encoding"]["strokeDash"]
    assert shown["legend"] == curves["encoding"]["color"]["legend"], "one legend, with dashes"
    assert shown["legend"]["symbolType"] == "stroke" and shown["scale"]["domain"] == ["with"]
    assert title["encoding"]["x"] == {"value": 0}, "seen where a phone's chart ends early"


def test_a_backend_that_loads_with_the_first_figure_stays_interactive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As a notebook's does. Were it turned off, no figure after the first would be shown.
    make = plt.figure

    def loads(*args, **kwargs):  # type: ignore[no-untyped-def]
        plt.ion()
        return make(*args, **kwargs)

    monkeypatch.setattr(plt, "figure", loads)
    try:
        for draw in (
            maps,
            lambda: figures.scatter_by_series({"a": ([1], [1])}, xlabel="x", ylabel="y"),
        ):
            plt.ioff()
            draw()
            assert plt.isinteractive()
    finally:
        plt.ioff()


def test_live_curves_hold_every_point_and_start_where_they_are_told() -> None:
    curves = {
        2.0: {"a": [(0.0, 1.0), (1.0, -2.0)], "b": [(0.0, 0.5), (1.0, 0.0)]},
        1.0: {"a": [(0.0, 3.0), (1.0, 4.0)], "b": [(0.0, 5.0), (1.0, 6.0)]},
    }
    chart = figures.live_curves(
        curves,
        slider="temperature",
        title="T = ",
        xlabel="margin",
        ylabel="slope",
        mark=(0.5, "teacher"),
        start=2.0,
    )
    spec = chart.to_dict()
    rows = [
        row
        for layer in spec["layer"]
        for row in layer.get("data", {}).get("values", [])
        if "step" in row
    ]
    found = {(row["title"], name, row["x"]): row[name] for row in rows for name in "ab"}
    assert found == {
        (f"T = {position:g}", name, x): y
        for position, members in curves.items()
        for name, points in members.items()
        for x, y in points
    }
    (step,) = (p for p in spec["params"] if p["name"] == "step")
    assert step["value"] == 1 and step["bind"]["max"] == 1
    assert {row["step"] for row in rows if row["title"] == "T = 1"} == {0}
    (lines,) = (layer for layer in spec["layer"] if "strokeDash" in layer["encoding"])
    assert lines["encoding"]["y"]["scale"]["domain"] == [-2.0, 6.0]
    assert lines["encoding"]["x"] == {"field": "x", "title": "margin", "type": "quantitative"}
    dashes = lines["encoding"]["strokeDash"]["scale"]
    assert len(dashes["domain"]) == len({tuple(dash) for dash in dashes["range"]}) == 2
    for channel in ("color", "strokeDash"):
        legend = lines["encoding"][channel]["legend"]
        assert legend["orient"] == "bottom" and legend["labelLimit"] == 0, "no name is cut"
    figures_text = str(spec)
    assert "teacher" in figures_text and "margin" in figures_text and "slope" in figures_text


def test_live_curves_against_doublings_show_the_numbers_themselves() -> None:
    chart = figures.live_curves(
        {1.0: {"a": [(2.0, 1.0), (3.0, 2.0), (8.0, 3.0)]}},
        slider="s",
        title="s = ",
        xlabel="width",
        ylabel="y",
        mark=(3.0, "width 8"),
        start=1.0,
        powers=True,
    )
    layers = chart.to_dict()["layer"]
    (lines,) = (layer for layer in layers if "strokeDash" in layer["encoding"])
    x = lines["encoding"]["x"]
    assert x["axis"] == {"values": [2.0, 3.0, 8.0], "labelExpr": "pow(2, datum.value)"}
    assert x["title"] == "width"
    scales = [layer["encoding"]["x"].get("scale") for layer in layers]
    assert scales == [{"zero": False}] * 3 + [None], "the heading stands at a pixel"


def live_student(**changes):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    weights = [
        (rng.standard_normal((4, 3)), np.zeros(4)),
        (rng.standard_normal((2, 4)), np.ones(2)),
    ]
    arguments = {
        "layers": weights,
        "paths": rng.standard_normal((5, 2, 3)),
        "stored": np.full((5, 7, 2), [0.25, 0.75]),
        "classes": ["no", "yes"],
        "names": list("abcde"),
    } | changes
    return weights, arguments["paths"], figures.live_student(**arguments)


def test_a_student_in_a_page_shows_its_first_answer_without_scripts() -> None:
    (first, second), paths, html = live_student()
    x = np.float32(paths[0, 0])
    z = second[0] @ np.maximum(first[0] @ x + first[1], 0) + second[1]
    p = torch.tensor(z).softmax(0)
    still = html.split("<script>")[0]
    assert re.findall(r'class="p">([\d.]+)<', still) == [
        text
        for share, then in zip(p, (0.25, 0.75), strict=True)
        for text in (f"{share:.4f}", f"{then:.4f}")
    ]
    assert "28 weights" not in still and "26 weights, 104 bytes" in still
    assert "Scripts do not run here" in still and still.count("hidden>") == 2
    assert still.count("<option>") == 5 and 'max="6"' in still
    assert not re.search(r"https?:|src=|import", html), "it asks nothing of the outside"


def test_a_student_in_a_page_is_the_same_from_run_to_run_and_has_a_name_of_its_own() -> None:
    html = live_student()[2]
    assert html == live_student()[2]
    (name,) = re.findall(r'id="(student-\w+)"', html)
    assert name in html.split("<script>")[1]
    other = live_student(stored=np.full((5, 7, 2), 0.5))[2]
    assert name not in other


def test_names_in_a_page_are_text() -> None:
    html = live_student(classes=["<b>no</b>", "$data"], names=["<i>", "b", "c", "d", "e"])[2]
    assert "<b>" not in html and "<i>" not in html
    assert "&lt;b&gt;no&lt;/b&gt;" in html and "$data" in html


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"paths": np.zeros((5, 2, 4))}, r"paths have shape \(5, 2, 4\); they must be \(5, 2, 3\)"),
        ({"names": ["a"]}, r"paths have shape \(5, 2, 3\); they must be \(1, 2, 3\)"),
        ({"stored": np.zeros((4, 7, 2))}, r"stored has shape \(4, 7, 2\) and there are 2 classes"),
        ({"stored": np.zeros((5, 7, 3))}, r"stored has shape \(5, 7, 3\) and there are 2 classes"),
        (
            {"classes": ["one"]},
            r"stored has shape \(5, 7, 2\) and there are 1 classes",
        ),
    ],
)
def test_a_student_in_a_page_needs_shapes_that_fit(changes: dict, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line}"):
        live_student(**changes)


def test_a_page_is_shown_with_text_for_places_without(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append((data, raw)))
    figures.show_page("<p>here</p>", "there")
    assert shown == [({"text/html": "<p>here</p>", "text/plain": "there"}, True)]


def test_the_front_holds_what_nothing_beats() -> None:
    points = {"cheap": (1, 5), "beaten": (2, 4), "best": (3, 9), "equal": (3, 9), "same": (1, 4)}
    assert figures.pareto_front(points) == ["cheap", "best"]
    assert figures.pareto_front({}) == []


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12))
def test_the_front_by_definition(values: list[tuple[int, int]]) -> None:
    points = dict(enumerate(values))
    front = [points[name] for name in figures.pareto_front(points)]  # type: ignore[arg-type]
    beaten = {p for p in values if any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in values)}
    assert front == sorted(set(values) - beaten)


@pytest.mark.parametrize("less", [False, True])
def test_pareto_draws_points_intervals_and_the_front(less: bool) -> None:
    def estimate(value: float) -> Estimate:
        return Estimate(value, value - 1, value + 2, 0.95, 5, 1.0, 4)

    points = {
        "a": (1.0, estimate(90), "one"),
        "b": (10.0, estimate(95), "two"),
        "c": (20.0, estimate(93), "two"),
    }
    other = {"d": (2.0, estimate(7), "one"), "e ": (3.0, estimate(5), "two")}
    figure = figures.pareto(
        {"task": points, "other": other},
        xlabel="cost",
        ylabel="good",
        less=less,
        left=["d"],
        below=["b"],
    )
    one, two = figure.axes
    assert figure.get_supxlabel() == "cost" and one.get_ylabel() == "good"
    assert [axes.get_title(loc="left") for axes in (one, two)] == ["task", "other"]
    assert one.get_xscale() == two.get_xscale() == "log"
    assert bool(one.yaxis_inverted()) is less
    assert [text.get_text() for text in one.texts] == ["a", "b", "c"]
    assert [text.get_position()[1] < 0 for text in one.texts] == [False, True, False]
    assert [(text.get_text(), text.get_ha()) for text in two.texts] == [
        ("d", "right"),
        ("e", "left"),
    ]
    fronts = [
        list(zip(*line.get_data(), strict=True))
        for axes in (one, two)
        for line in axes.lines
        if line.get_drawstyle() == "steps-post"
    ]
    best = [[(1, 90)], [(2, 7), (3, 5)]] if less else [[(1, 90), (10, 95)], [(2, 7)]]
    assert fronts == best
    bars = [container.lines[2][0].get_segments()[0] for container in one.containers]
    assert [bar[:, 1].tolist() for bar in bars] == [[89, 92], [94, 97], [92, 95]]
    (legend,) = figure.legends
    front = "nothing is better and cheaper"
    assert [text.get_text() for text in legend.get_texts()] == ["one", "two", front]


def test_live_costs_holds_every_bar_and_size() -> None:
    costs = {"slow": {1: 1234.0, 16: 9.94}, "fast": {1: 0.5, 16: 0.25}}
    chart = figures.live_costs(costs, slider="batch", title="{} at once", xlabel="us").to_dict()
    rows = chart["data"]["values"]
    assert {(r["step"], r["name"], r["cost"], r["text"], r["title"]) for r in rows} == {
        (0, "slow", 1230.0, "1,234", "1 at once"),
        (1, "slow", 9.94, "9.9", "16 at once"),
        (0, "fast", 0.5, "0.5", "1 at once"),
        (1, "fast", 0.25, "0.25", "16 at once"),
    }
    (param,) = chart["params"]
    assert param["bind"] == {"input": "range", "max": 1, "min": 0, "name": "batch: ", "step": 1}
    assert param["value"] == 0
    chart = figures.live_costs(costs, slider="b", title="{}", xlabel="us", start=16).to_dict()
    assert chart["params"][0]["value"] == 1


def test_live_costs_colours_by_name() -> None:
    costs = {"slow": {1: 2.0}, "fast": {1: 1.0}}
    chart = figures.live_costs(
        costs, slider="batch", title="{}", xlabel="us", colours={"slow": figures.GREY}
    ).to_dict()
    colours = {row["name"]: row["colour"] for row in chart["data"]["values"]}
    assert colours == {"slow": figures.GREY, "fast": figures.BLUE}
    dots = chart["layer"][0]["encoding"]["color"]
    assert dots["field"] == "colour" and dots["scale"] is None


def test_a_narrow_front_has_its_panels_one_below_the_other() -> None:
    two = {"a": (1.0, 90.0, "one"), "b": (10.0, 95.0, "two")}
    points = {k: (x, estimate(y, y - 1, y + 1), kind) for k, (x, y, kind) in two.items()}
    figure = figures.pareto({"task": points, "other": points}, xlabel="x", ylabel="y", narrow=True)
    upper, lower = figure.axes
    assert figure.get_figwidth() < 5.5
    assert upper.get_subplotspec().rowspan.start < lower.get_subplotspec().rowspan.start
    assert upper.get_ylabel() == lower.get_ylabel() == "y"


# -- chapter 09 ---------------------------------------------------------------------------------


def test_a_guess_shows_its_answer_where_scripts_do_not_run():
    page = figures.guess(
        "How far <apart>?", 1.25, low=0, high=3, step=0.05, unit="nats", explanation="So & so."
    )
    assert "How far &lt;apart&gt;?" in page and "So &amp; so." in page
    assert "Answer: 1.25 nats." in page
    # what the script hides is not hidden in the page itself, and the controls are
    assert '<p class="truth">' in page and '<div class="controls" hidden>' in page
    assert 'type="range" min="0" max="3" step="0.05"' in page and "<label>" in page
    assert "http" not in page and "$" not in page
    with pytest.raises(ValueError, match="must reach the answer"):
        figures.guess("?", 5, low=0, high=3, step=1, unit="", explanation="")


def live_pair(positions, curves):
    return figures.live_students(
        curves,
        {at: ["a b", f"{at[0]} {at[1]}"] for at in positions},
        sliders=("own", "beta"),
        xlabel="x",
        ylabel="y",
        start=positions[0],
        reference="grey: the first",
    )


def test_live_students_hold_every_position_of_both_sliders():
    positions = [(a, b) for a in (0.0, 0.5, 1.0) for b in (0.0, 1.0)]
    curves = {at: {"one": [at[0], 1.0], "two": [at[1], 2.0]} for at in positions}
    specification = live_pair(positions, curves).to_dict()
    text = str(specification)
    params = {p["name"]: (p["value"], p["bind"]) for p in specification["params"]}
    assert params == {
        "value_a": (0.0, {"input": "range", "min": 0.0, "max": 1.0, "step": 0.5, "name": "own: "}),
        "value_b": (0.0, {"input": "range", "min": 0.0, "max": 1.0, "step": 1.0, "name": "beta: "}),
    }
    held = {(r["a"], r["b"], r["x"], r["one"], r["two"]) for r in rows_with(specification, "one")}
    assert held == {(a, b, x, (a, 1)[x - 1], (b, 2)[x - 1]) for a, b in positions for x in (1, 2)}
    assert "0.5 1.0" in text and "grey: the first" in text and "'url'" not in text


def rows_with(specification, key):
    """Return all rows of data with a key, wherever the chart keeps them."""
    if isinstance(specification, list):
        return [row for part in specification for row in rows_with(part, key)]
    if not isinstance(specification, dict):
        return []
    own = [specification] if key in specification and "x" in specification else []
    return own + [row for part in specification.values() for row in rows_with(part, key)]


def test_live_students_refuse_positions_that_a_slider_cannot_reach():
    positions = [(a, 0.0) for a in (0.0, 0.1, 1.0)] + [(0.0, 1.0)]
    with pytest.raises(ValueError, match="the slider 'own' has the positions"):
        live_pair(positions, {at: {"one": [1.0]} for at in positions})


def test_trade_off_names_every_point_and_begins_at_zero():
    points = {"a": {"first": (0.5, 2.0)}, "b": {"second": (3.0, 1.0)}}
    figure = figures.trade_off(points, xlabel="x", ylabel="y")
    (axes,) = figure.axes
    named = {text.get_text(): (text.xy, text.get_ha()) for text in axes.texts}
    # a name to the right of a point that is far right would leave the canvas
    assert named == {"first": ((0.5, 2.0), "left"), "second": ((3.0, 1.0), "right")}
    assert axes.get_xlim()[0] == axes.get_ylim()[0] == 0 and not figure.legends
    figure.canvas.draw()
    assert all(text.get_window_extent().y1 <= axes.bbox.y1 for text in axes.texts)


def test_trade_off_tells_series_by_a_legend_where_points_have_numbers():
    points = {"a": {"0": (0.5, 2.0), "1": (0.2, 1.0)}, "b": {"0": (1.0, 1.0)}}
    figure = figures.trade_off(points, xlabel="x", ylabel="y", numbers="the order")
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert legend.get_title().get_text() == "the order"
    assert [list(line.get_xdata()) for line in figure.axes[0].lines] == [[0.5, 0.2], [1.0]]


def test_token_bars_draw_teachers_in_grey():
    rows = {"P1": [0.7, 0.3], "P2": [0.1, 0.9], "student": [0.4, 0.6]}
    figure = figures.token_bars(rows, ["x", "y"], teachers=2, ylabel="chance")
    (axes,) = figure.axes
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == list(rows.values())
    red, green, blue = zip(*(bars[0].get_facecolor()[:3] for bars in axes.containers), strict=True)
    assert [r == g == b for r, g, b in zip(red, green, blue, strict=True)] == [True, True, False]
    # the bars of a token stand side by side, around its name
    lefts = [bars[1].get_x() + bars[1].get_width() / 2 for bars in axes.containers]
    assert lefts == sorted(lefts) and lefts[1] == pytest.approx(1)


def test_side_by_side_has_rows_in_common_and_cuts_what_is_far() -> None:
    near, far = mean_estimate([-0.2, -0.1, 0.0]), mean_estimate([-33.0, -32.0, -31.0])
    panels = {"one": {"a": near, "b": near, "c": near}, "two": {"b": far, "a": near}}
    figure = figures.side_by_side(
        panels,
        scales=(1000, 1),
        margins=(5, 0.5),
        furthest=(-math.inf, -1.5),
        others=["c"],
    )
    one, two = figure.axes
    assert [tick.get_text() for tick in one.get_yticklabels()] == ["a", "b", "c"]
    assert [tick.get_fontweight() for tick in one.get_yticklabels()] == ["normal"] * 2 + ["bold"]
    assert two.get_xlim()[0] == -1.5 and [text.get_text().strip() for text in two.texts] == ["-32"]
    points = {line.get_ydata()[0]: line for line in one.lines if len(line.get_xdata()) == 1}
    assert points[0].get_xdata()[0] == pytest.approx(-100)
    assert points[0].get_marker() == points[1].get_marker() != points[2].get_marker()
    ends = [line.get_xdata() for line in two.lines if len(line.get_xdata()) == 2][1:]
    assert len(ends) == 1 and list(ends[0]) == pytest.approx([near.low, near.high])


def test_long_names_of_rows_and_arrows_keep_apart() -> None:
    far = mean_estimate([-33.0, -32.0, -31.0])
    names = ["teacher's outputs out of step", "probabilities where log-probabilities belong", "a"]
    figure = figures.side_by_side({"one": dict.fromkeys(names, far)}, scales=(1,), furthest=(-1.5,))
    figure.canvas.draw()
    (axes,) = figure.axes
    boxes = [tick.get_window_extent() for tick in axes.get_yticklabels()]
    assert "\n" in axes.get_yticklabels()[1].get_text()
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    arrows = [line for line in axes.lines if line.get_marker() == "<"]
    assert len(arrows) == 3
    for arrow in arrows:  # inside the axes, not over the names
        assert arrow.get_window_extent().x0 + 1 >= max(box.x1 for box in boxes)


def test_side_by_side_wants_a_number_for_each_panel() -> None:
    panels = {"one": {"a": mean_estimate([1.0, 2.0])}}
    with pytest.raises(ValueError, match="margins has 2 numbers for 1 panels; give one for each"):
        figures.side_by_side(panels, scales=(1,), margins=(1, 2))


def test_courses_tell_series_apart_in_all_panels_alike() -> None:
    panels = {
        "loss": {"right": [3.0, 2.0, 1.0], "wrong": [3.0, 1.0, 0.0], "other": [1.0, 1.0, 1.0]},
        "score": {"right": [0.1, 0.2, 0.3], "wrong": [0.3, 0.2, 0.1], "other": [0.1, 0.1, 0.1]},
    }
    figure = figures.courses(panels, xlabel="epoch", others=["other"])
    looks = []
    for axes, series in zip(figure.axes, panels.values(), strict=True):
        assert [list(line.get_ydata()) for line in axes.lines] == list(series.values())
        assert all(list(line.get_xdata()) == [1, 2, 3] for line in axes.lines)
        looks.append([(line.get_color(), line.get_linestyle()) for line in axes.lines])
    assert looks[0] == looks[1] and len(set(looks[0])) == 3 and looks[0][2][0] == figures.GREY
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["right", "wrong", "other"]
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "score"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "epoch"]
    assert len({axes.get_position().x0.round(3) for axes in figure.axes}) == 1  # one column
    alone = figures.courses({"loss": {"right": [1.0]}, "score": {"wrong": [2.0]}}, xlabel="epoch")
    assert [text.get_text() for text in alone.legends[0].get_texts()] == ["right", "wrong"]


def test_gains_stand_against_what_was_known_before() -> None:
    named = {"iris": (2.0, mean_estimate([1.0, 2.0, 3.0]))}
    points = {"a": ([-20.0, 5.0, 300.0], [-30.0, 4.0, 250.0]), "b": ([1.0], [2.0])}
    (axes,) = figures.payoff(points, xlabel="x", ylabel="y", margin=5, least=7, named=named).axes
    (stop,) = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert list(stop.get_xdata()) == [7, 7]
    assert (axes.get_xscale(), axes.get_yscale()) == ("symlog", "symlog")
    drawn = [line for line in axes.lines if line.get_alpha() == 0.45]  # a third of a, then of b
    assert [line.get_label() for line in drawn[:2]] == ["a", "b"]
    assert [y for line in drawn[::2] for y in line.get_ydata()] == [-30.0, 4.0, 250.0]
    assert len({line.get_color() for line in drawn[::2]}) == 1 != len({*drawn[:2]})
    assert [list(line.get_ydata()) for line in axes.lines if line.get_linestyle() == "--"] == [
        [-20.0, 300.0]
    ]
    assert [text.get_text() for text in axes.texts] == ["iris"]
    (band,) = axes.patches
    assert (band.get_y(), band.get_height()) == (-5, 10)


def test_names_of_points_that_lie_together_do_not_cover_each_other() -> None:
    named = {
        f"set {k}": (12.0 + k / 3, mean_estimate([k / 3 - 1, k / 3, k / 3 + 1])) for k in range(9)
    }
    points = {"a": ([-20.0, 5.0, 300.0], [-30.0, 4.0, 250.0])}
    figure = figures.payoff(points, xlabel="x", ylabel="y", margin=5, named=named)
    figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]  # without the lines
    assert len(boxes) == len(named)
    assert all(text.get_path_effects() for text in figure.axes[0].texts), "dots cross the names"
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
        assert figure.axes[0].get_window_extent().overlaps(box)


def test_gains_against_a_positive_axis_have_medians_of_fifths() -> None:
    x = [float(k) for k in range(1, 21)]
    (axes,) = figures.payoff(
        {"a": (x[::-1], [10 * v for v in x[::-1]])}, xlabel="x", ylabel="y", margin=5
    ).axes
    assert axes.get_xscale() == "log"
    (medians,) = [line for line in axes.lines if len(line.get_xdata()) == 5]
    assert list(medians.get_xdata()) == [2.5, 6.5, 10.5, 14.5, 18.5]
    assert list(medians.get_ydata()) == [25, 65, 105, 145, 185]


STATES = ("pays", "no better", "hurts", "open")


def live_neighbours(start=(10, 4)):
    rng = np.random.default_rng(0)
    gains = {
        f"Over {arm} & <b>": [
            (float(g), STATES[k % 4]) for k, g in enumerate(rng.normal(0, 90, 30))
        ]
        for arm in ("hard", "smoothed")
    }

    def near(edge, labels, seen):
        return [(int(edge + labels) + (seen == "more") + k) % 30 for k in range(7)]

    page = figures.live_neighbours(
        gains,
        near,
        lambda *place: f"at {place} <i>",
        sliders={"edge": (0, 10), "labels": (2, 4, 8)},
        picker=("saw", ("same", "more")),
        start=start,
        margin=5.0,
        xlabel="saved & <b>",
    )
    return gains, near, page


def test_live_neighbours_hold_the_answer_to_every_position():
    gains, near, page = live_neighbours()
    data = json.loads(re.search(r"data = (\{.*?\});", page).group(1))
    places = [(e, n, w) for e in (0, 10) for n in (2, 4, 8) for w in ("same", "more")]
    assert data["near"] == [near(*place) for place in places]
    assert data["notes"] == [f"at {place} <i>" for place in places]
    assert data["sliders"] == [[0, 10], [2, 4, 8]] and data["words"] == list(STATES)
    for strip, (name, values) in zip(data["strips"], gains.items(), strict=True):
        assert strip["name"] == name
        assert strip["gains"] == [round(g) for g, _ in values]
        assert [STATES[k] for k in strip["states"]] == [s for _, s in values]
        for place, (middle, low, high) in zip(places, strip["middles"], strict=True):
            found = np.sort([values[k][0] for k in near(*place)])
            assert (middle, low, high) == (round(found[3]), round(found[0]), round(found[6]))
    assert page == live_neighbours()[2] and len({mark for mark, _ in data["marks"]}) == 3
    assert len({tuple(mark) for mark in data["marks"]}) == 4


def test_without_scripts_live_neighbours_show_the_start():
    gains, near, page = live_neighbours()
    soup = BeautifulSoup(page, "html.parser")
    for svg, values in zip(soup.select("svg[role]"), gains.values(), strict=True):
        chosen = sorted(near(10, 4, "same"), key=lambda k: round(values[k][0]))
        listed = svg["aria-label"].removeprefix("The gains in order: ").split(", ")
        assert [int(v) for v in listed] == [round(values[k][0]) for k in chosen]
        across = [float(p["transform"].split("(")[1].split()[0]) for p in svg.select("g path")]
        assert across == sorted(across) and 14 <= across[0] < across[-1] <= 326
        told = [values[k][1] for k in chosen]
        said = svg.find_previous("p").get_text()
        assert ", ".join(f"{word} at {told.count(word)}" for word in STATES) in said
    assert soup.select_one(".note").get_text() == "at (10, 4, 'same') <i>"
    assert not soup.select("b, i") and soup.select_one(".controls").has_attr("hidden")


def test_live_neighbours_refuse_a_start_that_a_slider_has_not():
    with pytest.raises(ValueError, match=r"^labels starts at 5; it must be one of \[2, 4, 8\]\.$"):
        live_neighbours(start=(10, 5))

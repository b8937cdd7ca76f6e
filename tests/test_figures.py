"""What the figures draw is what they were given."""

from __future__ import annotations

import math
from collections.abc import Iterator
from unittest import mock

import matplotlib
import numpy as np
import pytest

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


ONE = {"a": estimate(0.01, 0.005, 0.02), "b": estimate(-0.02, -0.03, -0.01)}
TWO = {"b": estimate(0.03, 0.0, 0.04), "c": estimate(0.0, -math.inf, math.inf)}


def lines(axes, marker):  # type: ignore[no-untyped-def]
    return [line for line in axes.lines if line.get_marker() == marker]


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
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["published"]

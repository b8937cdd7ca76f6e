"""What the figures of chapter 02 draw is what they were given."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib
import pytest
import torch

from distill_helpers import figures
from distill_helpers.soft_targets import soft_targets

matplotlib.use("agg")
import matplotlib.pyplot as plt


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


LOGITS = [1.0, 4.0, -2.0]
IMAGE = [[0.0, 16.0], [3.0, 5.0]]


def live(temperatures=(0.5, 2.0, 20.0), start=2.0):  # type: ignore[no-untyped-def]
    chart = figures.live_soft_target(IMAGE, LOGITS, label=0, temperatures=temperatures, start=start)
    return chart.to_dict()


def views(specification):  # type: ignore[no-untyped-def]
    """The picture's and the bars' part of the chart."""
    picture, bars = specification["hconcat"]
    return picture, bars


def rows(view):  # type: ignore[no-untyped-def]
    return view["data"]["values"]  # altair lifts what layers share


def test_the_live_target_holds_the_soft_targets_of_every_temperature() -> None:
    _, bars = views(live())
    table = rows(bars)
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
    specification = live()
    _, bars = views(specification)
    for layer in bars["layer"][:2]:
        assert layer["encoding"]["y"]["sort"] == ["1", "0", "2"]
        assert layer["encoding"]["x"]["scale"]["domain"] == [0, 1.1]
    (step,) = specification["params"]
    assert step["value"] == 1 and step["bind"]["max"] == 2


def test_the_live_target_shows_the_image_as_it_lies() -> None:
    picture, _ = views(live())
    ink = {(row["x"], row["y"]): row["ink"] for row in rows(picture)}
    assert ink == {(0, 0): 0.0, (1, 0): 16.0, (0, 1): 3.0, (1, 1): 5.0}
    assert "0" in picture["title"]


def test_logits_too_far_apart_for_a_float_are_drawn() -> None:
    chart = figures.live_soft_target(IMAGE, [0.0, 1e4], label=1, temperatures=[0.5], start=0.5)
    _, bars = views(chart.to_dict())
    assert [row["p"] for row in rows(bars)] == [0.0, 1.0]


def maps():  # type: ignore[no-untyped-def]
    behind = [[0.0, 0.5, 8.0], [0.2, 0.0, 0.3]]
    marks = [["best", "", ""], ["tied", "best", ""]]
    return figures.heat_maps(
        {"accuracy": (behind, marks), "NLL": ([[0.0] * 3] * 2, marks)},
        rows=["4", "8"],
        columns=["1", "3", "8"],
        xlabel="temperature",
        ylabel="units",
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
    assert axes.get_ylabel() == "units" and figure.axes[1].get_ylabel() == ""


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

"""Figures of the book: they take results and return figures; they never train.

Colours are Okabe and Ito's, told apart by readers who are colour-blind; every series has a marker
of its own too.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from distill_helpers.statistics import Estimate

BLUE, ORANGE, GREEN, VERMILION, PURPLE, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#6B6B6B",
)
_MARKERS = ("o", "s", "D", "^")
_COLOURS = (BLUE, VERMILION, GREEN, PURPLE)
_SIX = (BLUE, VERMILION, PURPLE, GREEN, ORANGE, GREY)
_NARROW = 5.0  # inches: what a phone shows whole, with text that can still be read


def forest(
    series: Mapping[str, Mapping[str, Estimate]],
    *,
    xlabel: str,
    scale: float = 1.0,
    reference: float = 0.0,
    margin: float = 0.0,
    bold: Sequence[str] = (),
    groups: Mapping[str, str] | None = None,
    row_height: float = 0.36,
    spread: float = 0.34,
    bands: bool = False,
    narrow: bool = False,
    panels: Sequence[str] = (),
) -> Figure:
    """Draw estimates with their intervals, one row a name, one marker a series.

    Parameters
    ----------
    series : mapping of str to mapping of str to Estimate
        By series, then by row. Rows stand in the order of the first series that has them; a row
        may be missing from a series. An unbounded interval runs off the axis, with arrowheads.
    xlabel : str
        With the unit.
    scale : float
        Multiplies all numbers: 100 turns fractions into points.
    reference : float
        Where a vertical line stands, in the unit after scaling.
    margin : float
        Half the width of a shaded band around it, in the same unit.
    bold : sequence of str
        Rows to print in bold.
    groups : mapping of str to str, optional
        Names of groups of rows, each by the first row of its group.
    row_height : float
        In inches; a few rows of three series or more need room.
    spread : float
        From one series of a row to the next, in rows.
    bands : bool
        Whether every second row lies on a light band.
    narrow : bool
        Whether it is for a phone too: narrower, the legend below.
    panels : sequence of str
        Rows that begin a panel with a scale of its own, below the others.

    Returns
    -------
    Figure
    """
    rows = list(dict.fromkeys(name for members in series.values() for name in members))
    starts = {name: group for name, group in (groups or {}).items() if name in rows}
    parts: list[list[str]] = [[]]
    for name in rows:
        if name in panels and parts[-1]:
            parts.append([])
        parts[-1].append(name)
    lines = [len(part) + 0.7 * len(starts.keys() & set(part)) for part in parts]
    height = 0.9 + row_height * sum(lines) + 0.45 * (len(parts) - 1)
    figure, every = _panels(_NARROW if narrow else 6.2, height, lines)
    for axes, part in zip(every, parts, strict=True):
        _forest_panel(
            axes,
            {
                label: {name: members[name] for name in part if name in members}
                for label, members in series.items()
            },
            part,
            {name: group for name, group in starts.items() if name in part},
            scale=scale,
            reference=reference,
            margin=margin,
            bold=bold,
            spread=spread,
            bands=bands,
        )
    every[-1].set_xlabel(xlabel)
    if len(series) > 1:
        handles = {
            label: handle
            for axes in every
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(
            list(handles.values()),
            list(handles),
            loc=_legend_place(narrow),
            ncols=len(series),
            frameon=False,
        )
    return figure


def _forest_panel(
    axes: Axes,
    series: Mapping[str, Mapping[str, Estimate]],
    rows: Sequence[str],
    starts: Mapping[str, str],
    *,
    scale: float,
    reference: float,
    margin: float,
    bold: Sequence[str],
    spread: float,
    bands: bool,
) -> None:
    """Draw the rows of one panel; see `forest`."""
    place, line = {}, 0.0
    for name in rows:
        line += 0.7 * (name in starts)  # room for the group's name
        place[name] = line
        line += 1
    for name in rows[1::2] if bands else ():
        at = place[name]
        axes.axhspan(at - 0.5, at + 0.5, color="#f2f2f2", linewidth=0, zorder=-1)
    axes.axvline(reference, color="#4d4d4d", linewidth=1.5, zorder=0.5)  # seen on a phone too
    band = (reference - margin, reference + margin)
    axes.axvspan(*band, color=GREY, alpha=0.2, linewidth=0, zorder=0)
    ends = [
        scale * end
        for members in series.values()
        for estimate in members.values()
        for end in (estimate.value, estimate.low, estimate.high)
        if math.isfinite(end)
    ]
    pad = 0.05 * (max([*ends, *band]) - min([*ends, *band]) or 1.0)
    left, right = min([*ends, *band]) - pad, max([*ends, *band]) + pad
    axes.set_xlim(left, right)
    offsets = [spread * (i - (len(series) - 1) / 2) for i in range(len(series))]
    for index, (label, members) in enumerate(series.items()):
        colour, marker = _COLOURS[index % 4], _MARKERS[index % 4]
        first = True
        for name, estimate in members.items():
            y = place[name] + offsets[index]
            low, high = scale * estimate.low, scale * estimate.high
            axes.plot([max(low, left), min(high, right)], [y, y], color=colour, linewidth=2)
            for end, tip, edge in ((low, "<", left), (high, ">", right)):
                if not math.isfinite(end):
                    axes.plot(edge, y, tip, color=colour, markersize=6, clip_on=False)
            axes.plot(
                scale * estimate.value,
                y,
                marker,
                color=colour,
                markersize=6,
                markeredgecolor="white",
                linestyle="none",
                label=label if first else None,
            )
            first = False
    axes.set_yticks(list(place.values()), rows)
    for tick, name in zip(axes.get_yticklabels(), rows, strict=True):
        if name in bold:
            tick.set_fontweight("bold")
    for name, group in starts.items():
        top = place[name] - 1.2
        axes.axhline(top, color="#bbbbbb", linewidth=0.8)
        axes.text(
            *(0.01, top + 0.08),
            group,
            transform=axes.get_yaxis_transform(),
            va="top",
            color=GREY,
            fontstyle="italic",
        )
    axes.set_ylim(line - 0.5, -0.5)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)


def live_histogram(
    values: Mapping[float, Sequence[float]],
    *,
    slider: str,
    xlabel: str,
    bins: tuple[float, float, int],
    marks: Mapping[str, float],
    start: float,
) -> Any:
    """Draw a histogram that a slider moves through, with no kernel behind it.

    Parameters
    ----------
    values : mapping of float to sequence of float
        The sample to show at each slider position; positions are shown in order.
    slider : str
        What the slider sets.
    xlabel : str
        With the unit.
    bins : (low, high, count)
        Values outside are counted in the outermost bins.
    marks : mapping of str to float
        Labelled vertical lines.
    start : float
        Position at first.

    Returns
    -------
    altair chart
    """
    import altair as alt
    import numpy as np

    low, high, count = bins
    edges = np.linspace(low, high, count + 1)
    positions = sorted(values)
    table: list[dict[str, Any]] = []
    for index, position in enumerate(positions):
        inside = np.clip(np.asarray(values[position], dtype=float), low, np.nextafter(high, low))
        shares = np.histogram(inside, edges)[0] / len(inside)
        table += [
            {
                "step": index,
                "size": f"{position:,.0f}",
                "from": round(float(edges[k]), 6),
                "to": round(float(edges[k + 1]), 6),
                "share": round(float(share), 6),
            }
            for k, share in enumerate(shares)
            if share
        ]
    step = alt.param(
        name="step",
        value=positions.index(start),
        bind=alt.binding_range(min=0, max=len(positions) - 1, step=1, name=f"{slider}: "),
    )
    shown = alt.Chart(alt.Data(values=table)).transform_filter("datum.step == step")
    top = max(row["share"] for row in table)
    bars = shown.mark_bar(color=BLUE, opacity=0.8).encode(
        x=alt.X("from:Q", bin="binned", title=xlabel, scale=alt.Scale(domain=[low, high])).axis(
            tickCount=7
        ),
        x2="to:Q",
        y=alt.Y("share:Q", title="share of runs", scale=alt.Scale(domain=[0, top])).axis(
            format="%"
        ),
        tooltip=["from:Q", "to:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    title = (
        shown.transform_aggregate(size="min(size)")
        .transform_calculate(text=f"datum.size + ' {slider}'")
        .mark_text(align="left", baseline="top", fontSize=15, fontWeight="bold", dx=6, dy=4)
        .encode(x=alt.value(0), y=alt.value(0), text="text:N")
    )
    lines: list[Any] = [{"at": at, "name": name} for name, at in marks.items()]
    rules = (
        alt.Chart(alt.Data(values=lines))
        .mark_rule(color=VERMILION, strokeWidth=2)
        .encode(x="at:Q", tooltip=["name:N", "at:Q"])
    )
    names = (
        alt.Chart(alt.Data(values=lines))
        .mark_text(align="left", baseline="top", dx=5, dy=26, color=VERMILION, fontSize=12)
        .encode(x="at:Q", y=alt.value(0), text="name:N")
    )
    return alt.layer(bars, rules, names, title).add_params(step).properties(width=460, height=240)


def show_live(chart: Any, text: str) -> None:
    """Display an Altair chart, with a picture of it for places where scripts do not run.

    Parameters
    ----------
    chart : altair chart
        Any without a configuration of its own.
    text : str
        What stands where not even pictures do.
    """
    import vl_convert
    from IPython.display import display

    readable = chart.configure_axis(labelFontSize=12, titleFontSize=13).configure_legend(
        labelFontSize=12, titleFontSize=13
    )
    specification = readable.to_dict()
    display(
        {
            "application/vnd.vegalite.v6+json": specification,
            "image/png": vl_convert.vegalite_to_png(specification, scale=2),
            "text/plain": text,
        },
        raw=True,
    )


def scatter_runs(
    x: Sequence[float],
    y: Sequence[float],
    *,
    xlabel: str,
    ylabel: str,
    mark: tuple[float, float],
    mark_label: str,
) -> Figure:
    """Draw one dot a run, one run marked, and where y is all of x and half of it.

    Parameters
    ----------
    x, y : sequence of float
        One value a run.
    xlabel, ylabel : str
        With units.
    mark : (float, float)
        The run to point out.
    mark_label : str
        Its name.

    Returns
    -------
    Figure
    """
    figure, axes = _axes(5.6, 3.8)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.plot(x, y, "o", color=BLUE, alpha=0.45, markersize=5, markeredgewidth=0)
    axes.plot(*mark, "*", color=VERMILION, markersize=15, markeredgecolor="white", label=mark_label)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    axes.set(xlim=(left, right), ylim=(bottom, top))
    for share, style in ((1.0, "-"), (0.5, "--")):
        axes.axline((0, 0), slope=share, color=GREY, linestyle=style, linewidth=1, zorder=0)
        at = min(right, top / share)
        axes.annotate(
            f"{100 * share:.0f} % of the lead",
            (at, share * at),
            (4, -4),
            textcoords="offset points",
            color=GREY,
            fontsize=9,
            annotation_clip=False,
            va="top",
        )
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    figure.legend(frameon=False, loc="outside lower center")  # inside, its star is one more run
    return figure


def _axes(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure of one pair of axes in the book's style."""
    figure, (axes,) = _panels(width, height, [1.0])
    return figure, axes


def _panels(width: float, height: float, shares: Sequence[float]) -> tuple[Figure, list[Axes]]:
    """Make a figure of axes below one another, whose heights are as `shares`."""
    import matplotlib.pyplot as plt

    # No rc_context: it would undo what the first figure tells IPython, and later ones stay unseen.
    figure, every = plt.subplots(
        len(shares),
        figsize=(width, height),
        height_ratios=shares,
        squeeze=False,
        layout="constrained",
        dpi=150,
    )
    for axes in every[:, 0]:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(every[:, 0])


def _legend_place(
    narrow: bool,
) -> Literal["outside lower center", "outside upper center"]:
    return "outside lower center" if narrow else "outside upper center"


# Chapter 01 -----------------------------------------------------------------------------------


def variance_curves(
    measured: Mapping[str, Mapping[int, Estimate]],
    law: Mapping[str, Mapping[int, float]],
    *,
    floor: float,
    floor_label: str,
    ylabel: str,
    narrow: bool = False,
) -> Figure:
    """Draw variances of means of M members: measured points with intervals, the law as lines.

    Parameters
    ----------
    measured : mapping of str to mapping of int to Estimate
        By series, then by M.
    law : mapping of str to mapping of int to float
        The lines, by the same series.
    floor : float
        What no number of members gets below.
    floor_label : str
        Says what it is.
    ylabel : str
        With the unit.
    narrow : bool
        As in `forest`.

    Returns
    -------
    Figure
    """
    figure, axes = _axes(_NARROW if narrow else 6.4, 3.9)
    axes.axhline(floor, color=GREY, linewidth=1.2, linestyle="--")
    sizes = sorted({m for points in measured.values() for m in points})
    for index, (label, points) in enumerate(measured.items()):
        colour, marker = _COLOURS[index], _MARKERS[index]
        line = law[label]
        axes.plot(list(line), list(line.values()), color=colour, linewidth=1.5, zorder=1)
        values = [estimate.value for estimate in points.values()]
        below = [estimate.value - estimate.low for estimate in points.values()]
        above = [estimate.high - estimate.value for estimate in points.values()]
        axes.errorbar(
            list(points),
            values,
            yerr=[below, above],
            fmt=marker,
            color=colour,
            markersize=6,
            markeredgecolor="white",
            capsize=3,
            label=label,
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(m) for m in sizes])
    axes.minorticks_off()
    axes.annotate(
        floor_label,
        (sizes[0], floor),
        xytext=(0, -5),  # clear of the line
        textcoords="offset points",
        color=GREY,
        va="top",
        fontsize=10 if narrow else 9,
    )
    axes.set_ylim(0, None)
    axes.set_xlabel("members in the ensemble, M (lines: the law)")
    axes.set_ylabel(ylabel)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    figure.legend(
        *axes.get_legend_handles_labels(), loc=_legend_place(narrow), ncols=2, frameon=False
    )
    return figure


def stacked_parts(
    parts: Mapping[str, Sequence[float]],
    bars: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    narrow: bool = False,
) -> Figure:
    """Draw sums as bars, one segment a part, each part named beside the last bar.

    Parameters
    ----------
    parts : mapping of str to sequence of float
        From the bottom up; one value a bar, 0 or more.
    bars : sequence of str
        What stands below the bars.
    xlabel, ylabel : str
        With the unit.
    narrow : bool
        As in `forest`.

    Returns
    -------
    Figure
    """
    figure, axes = _axes(_NARROW if narrow else 6.4, 3.7)
    bottom = [0.0] * len(bars)
    for (name, values), colour, hatch in zip(
        parts.items(), (GREY, BLUE, ORANGE), ("", "//", ".."), strict=False
    ):
        axes.bar(
            range(len(bars)),
            values,
            0.72,
            bottom=bottom,
            color=colour,
            hatch=hatch,
            edgecolor="white",
            linewidth=0.5,
            label=name,
        )
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    axes.set_xticks(range(len(bars)), bars)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    if narrow:
        figure.legend(handles, labels, loc=_legend_place(narrow), ncols=len(parts), frameon=False)
    else:
        figure.legend(
            handles[::-1], labels[::-1], loc="outside right center", frameon=False, fontsize=9
        )
    return figure


def rivals(
    panels: Mapping[
        str, tuple[Mapping[str, Mapping[int, Estimate]], Mapping[str, tuple[float, Estimate]]]
    ],
    *,
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Draw what ensembles gain with their cost, and what single rivals gain with theirs.

    Parameters
    ----------
    panels : mapping of str to (curves, singles)
        By panel: curves by name and cost, and for each single rival its cost and estimate. A
        dotted line leads from a rival to the right, where the ensembles are.
    xlabel, ylabel : str
        With units.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    size = (4.1 * len(panels), 4.4)
    figure, grid = plt.subplots(
        1, len(panels), figsize=size, layout="constrained", dpi=150, squeeze=False
    )
    names = (name for curves, singles in panels.values() for name in (*curves, *singles))
    looks = dict(zip(dict.fromkeys(names), zip(_SIX, "osD^*P", strict=True), strict=False))
    for axes, (title, (curves, singles)) in zip(grid[0], panels.items(), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.axhline(0, color=GREY, linewidth=1)
        costs = sorted({m for points in curves.values() for m in points})
        right = 1.35 * costs[-1]
        drawn: list[tuple[str, Mapping[Any, Estimate], str]] = [
            (name, points, "-") for name, points in curves.items()
        ]
        drawn += [(name, {cost: estimate}, "none") for name, (cost, estimate) in singles.items()]
        shifts: dict[float, int] = {}
        for name, points, line in drawn:
            colour, marker = looks[name]
            if line == "none":
                (cost,) = points
                shifts[cost] = shifts.get(cost, 0) + 1
                place = [cost * 1.09 ** shifts[cost]]
                value = points[cost].value
                axes.plot([place[0], right], [value, value], ":", color=colour, linewidth=1.2)
            else:
                place = list(points)
            estimates = list(points.values())
            axes.errorbar(
                place,
                [e.value for e in estimates],
                yerr=[[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]],
                fmt=marker,
                linestyle=line,
                color=colour,
                markersize=10 if marker == "*" else 7,
                markeredgecolor="white",
                linewidth=1.5,
                capsize=3,
                label=name,
            )
        axes.set_xscale("log", base=2)
        axes.set_xticks(costs, [str(m) for m in costs])
        axes.minorticks_off()
        axes.set_xlim(costs[0] / 1.15, right)
        axes.set_title(title, fontsize=11)
        axes.set_xlabel(xlabel)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    grid[0][0].set_ylabel(ylabel)
    figure.legend(
        *grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def live_ensembles(
    values: Mapping[int, Mapping[str, Sequence[Sequence[float]]]],
    truth: Mapping[str, float],
    *,
    start: int,
    ylabel: str,
    buttons: bool = False,
    width: int = 560,
) -> Any:
    """Draw what ensembles of M members say of a few inputs; a slider sets M.

    Parameters
    ----------
    values : mapping of int to mapping of str to sequence of sequence of float
        By M, by input: for each training set the probabilities that its ensembles give.
    truth : mapping of str to float
        The posterior, by input; a missing input has none.
    start : int
        M at first.
    ylabel : str
        What the probability is of.
    buttons : bool
        Whether labelled buttons set M, where a slider would have two or three steps.
    width : int
        In pixels.

    Returns
    -------
    altair chart
    """
    import altair as alt

    sizes = sorted(values)
    inputs = list(values[sizes[0]])
    span = 1 + max(len(sets) for sets in values[sizes[0]].values())
    dots = [
        {
            "step": step,
            "M": m,
            "at": span * inputs.index(name) + index,
            "input": name,
            "training set": index + 1,
            "probability": round(float(p), 4),
        }
        for step, m in enumerate(sizes)
        for name, sets in values[m].items()
        for index, probabilities in enumerate(sets)
        for p in probabilities
    ]
    rules = [
        {"from": span * k - 0.5, "to": span * (k + 1) - 1.5, "posterior": round(truth[name], 4)}
        for k, name in enumerate(inputs)
        if name in truth
    ]
    names = [{"at": span * (k + 0.5) - 1, "input": name} for k, name in enumerate(inputs)]
    bind: Any = alt.binding_range(min=0, max=len(sizes) - 1, step=1, name="members: ")
    if buttons:
        bind = alt.binding_radio(
            options=list(range(len(sizes))), labels=[str(m) for m in sizes], name="members: "
        )
    step = alt.param(name="step", value=sizes.index(start), bind=bind)
    x = alt.X(
        "at:Q",
        title=f"training sets, {span - 1} for each input",
        scale=alt.Scale(domain=[-1, span * len(inputs) - 1], nice=False),
        axis=alt.Axis(labels=False, ticks=False, grid=False),
    )
    y = alt.Y("probability:Q", title=ylabel, scale=alt.Scale(domain=[0, 1]))
    shown = alt.Chart(alt.Data(values=dots)).transform_filter("datum.step == step")
    points = shown.mark_circle(size=28, opacity=0.65, color=BLUE).encode(
        x=x, y=y, tooltip=["input:N", "training set:Q", "M:Q", "probability:Q"]
    )
    exact = (
        alt.Chart(alt.Data(values=rules))
        .mark_rule(color=VERMILION, strokeWidth=2.5)
        .encode(x="from:Q", x2="to:Q", y="posterior:Q", tooltip=["posterior:Q"])
    )
    labels = (
        alt.Chart(alt.Data(values=names))
        .mark_text(baseline="bottom", dy=-4, fontSize=13, fontWeight="bold")
        .encode(x="at:Q", y=alt.value(300), text="input:N")
    )
    title = (
        shown.transform_aggregate(M="min(M)")
        .transform_calculate(
            text="datum.M == 1 ? 'single members' : 'ensembles of ' + datum.M + ' members'"
        )
        .mark_text(align="left", baseline="top", fontSize=15, fontWeight="bold", dy=-22)
        .encode(x=alt.value(0), y=alt.value(0), text="text:N")
    )
    layers = alt.layer(points, exact, labels, title)
    return layers.add_params(step).properties(width=width, height=300)


# -- chapter 02 ---------------------------------------------------------------------------------


def live_soft_target(
    image: Sequence[Sequence[float]],
    logits: Sequence[float],
    *,
    label: int,
    temperatures: Sequence[float],
    start: float,
) -> Any:
    """Draw an image beside the soft target that a teacher gives it; a slider sets T.

    Classes stand in the order of their logits, the same at every T.

    Parameters
    ----------
    image : rows of float
        Grey values, 0 for paper; the scale does not matter.
    logits : sequence of float
        The teacher's, one a class.
    label : int
        The true class; its bar has a colour of its own.
    temperatures : sequence of float
        Positions of the slider, in order.
    start : float
        Position at first.

    Returns
    -------
    altair chart
    """
    import altair as alt
    import numpy as np

    v = np.asarray(logits, dtype=float)
    ranking = [str(c) for c in np.argsort(-v, kind="stable")]
    table: list[dict[str, Any]] = []
    for index, temperature in enumerate(temperatures):
        weights = np.exp((v - v.max()) / temperature)
        probabilities = weights / weights.sum()
        entropy = -sum(p * math.log2(p) for p in probabilities if p > 0)
        table += [
            {
                "step": index,
                "title": f"T = {temperature:g}, entropy {entropy:.2f} bits",
                "class": str(c),
                "kind": "its label" if c == label else "wrong class",
                "p": float(f"{p:.4g}"),
                "text": f"{p:.3f}" if p >= 0.0005 else "< 0.001",
            }
            for c, p in enumerate(probabilities)
        ]
    step = alt.param(
        name="step",
        value=list(temperatures).index(start),
        bind=alt.binding_range(min=0, max=len(temperatures) - 1, step=1, name="temperature: "),
    )
    shown = alt.Chart(alt.Data(values=table)).transform_filter("datum.step == step")
    by_class = alt.Y("class:N", sort=ranking, title="class, in the teacher's order")
    probability = alt.X("p:Q", title="probability", scale=alt.Scale(domain=[0, 1.1])).axis(
        values=[0, 0.2, 0.4, 0.6, 0.8, 1]
    )
    bars = shown.mark_bar().encode(
        x=probability,
        y=by_class,
        color=alt.Color(
            "kind:N",
            title=None,
            scale=alt.Scale(domain=["its label", "wrong class"], range=[VERMILION, BLUE]),
        ).legend(orient="bottom-right"),
        tooltip=["class:N", alt.Tooltip("p:Q", format=".4f")],
    )
    numbers = shown.mark_text(align="left", dx=4, fontSize=12).encode(
        x=probability, y=by_class, text="text:N"
    )
    title = (
        shown.transform_aggregate(title="min(title)")
        .mark_text(align="left", baseline="bottom", fontSize=15, fontWeight="bold")
        .encode(x=alt.value(0), y=alt.value(-6), text="title:N")
    )
    pixels: list[Any] = [
        {"x": x, "y": y, "ink": float(ink)}
        for y, row in enumerate(image)
        for x, ink in enumerate(row)
    ]
    picture = (
        alt.Chart(alt.Data(values=pixels), title=f"a held-out image of a {label}")
        .mark_rect()
        .encode(
            x=alt.X("x:O", axis=None, scale=alt.Scale(padding=0)),
            y=alt.Y("y:O", axis=None, scale=alt.Scale(padding=0)),
            color=alt.Color("ink:Q", scale=alt.Scale(range=["#f2f2f2", "black"]), legend=None),
        )
        .properties(width=150, height=150)
    )
    chart = alt.layer(bars, numbers, title).properties(width=330, height=270)
    return alt.hconcat(picture, chart).resolve_scale(color="independent").add_params(step)


def heat_maps(
    panels: Mapping[str, tuple[Sequence[Sequence[float]], Sequence[Sequence[str]]]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    xlabel: str,
    ylabel: str,
    decimals: int = 1,
    width: float = 4.3,
    narrow: bool = False,
) -> Figure:
    """Draw how far each cell of a table lies behind the best, one panel a score.

    Only cells that are beyond noise are coloured; the best and those tied with it are white.

    Parameters
    ----------
    panels : mapping of str to (behind, marks)
        By title. ``behind[i][j]`` is 0 in the best cell, of row i or of all, and more elsewhere;
        ``marks[i][j]`` is ``"best"``, ``"tied"`` (within noise of the best) or empty.
    rows, columns : sequence of str
        Their names.
    xlabel, ylabel : str
        What they are.
    decimals : int
        Digits in the cells.
    width : float
        Of a panel, in inches.
    narrow : bool
        Whether it is for a phone too: the panels stand below each other.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    beside, below = (1, len(panels)) if narrow else (len(panels), 1)
    height = (0.9 if narrow else 1.3) + (0.3 if narrow else 0.42) * len(rows)
    figure = plt.figure(figsize=(width * beside, height * below), layout="constrained", dpi=150)
    grid = figure.subplots(below, beside, squeeze=False, sharey=True)
    for axes, (title, (behind, marks)) in zip(grid.flat, panels.items(), strict=True):
        most = max(max(line) for line in behind) or 1.0
        # The root spreads the small differences, which are most of the cells.
        shades = [
            [0.0 if mark else math.sqrt(max(cell, 0.0) / most) for cell, mark in pairs]
            for pairs in (zip(*both, strict=True) for both in zip(behind, marks, strict=True))
        ]
        axes.imshow(
            shades,
            cmap="Blues",
            vmin=0,
            vmax=1.25,
            aspect="auto",
        )
        for i, line in enumerate(behind):
            for j, cell in enumerate(line):
                number = f"{round(cell, decimals) + 0.0:.{decimals}f}"  # no "-0.0"
                text = {"best": "best", "tied": f"{number} ="}.get(marks[i][j], number)
                axes.text(
                    j,
                    i,
                    text,
                    ha="center",
                    va="center",
                    fontsize=9,
                    color="white" if shades[i][j] > 0.75 else "black",
                    fontweight="bold" if marks[i][j] == "best" else "normal",
                )
        axes.set_title(title, fontsize=10)
        axes.set_xticks(range(len(columns)), columns)
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel(xlabel)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(ylabel)
    return figure


def scatter_by_series(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    diagonal: bool = False,
) -> Figure:
    """Draw points of one or more series on two logarithmic axes.

    Parameters
    ----------
    series : mapping of str to (x, y)
        By the name for the legend; all numbers above 0.
    xlabel, ylabel : str
        With units.
    diagonal : bool
        Whether to draw where both are equal.

    Returns
    -------
    Figure
    """
    from matplotlib.ticker import LogLocator

    figure, axes = _axes(5.8, 4.0)
    if diagonal:
        ends = [f(f(both) for pair in series.values() for both in pair) for f in (min, max)]
        axes.plot(ends, ends, "--", color=GREY, linewidth=1.2, zorder=0)
    for index, (name, (x, y)) in enumerate(series.items()):
        axes.plot(
            x,
            y,
            _MARKERS[index % 4],
            color=_COLOURS[index % 4],
            alpha=0.4,
            markersize=4.5,
            markeredgewidth=0,
            label=name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    legend = axes.legend(frameon=False, loc="upper left")
    for handle in legend.get_lines():
        handle.set_alpha(1)
    return figure


def risk_by_infidelity(
    panels: Mapping[str, Mapping[str, Mapping[str, tuple[float, float]]]],
    teachers: Mapping[str, float],
    *,
    xlabel: str,
    ylabel: str,
    scale: float = 1.0,
) -> Figure:
    r"""Draw students by their distance from their teacher and from the truth.

    The teacher stands at the left, at a distance of 0 from itself. Two lines run from it. On the
    dashed one a student's risk is its teacher's plus what it fails to copy; below the dotted level
    it is a better classifier than its teacher. A point's height over the dashed line is D in

    .. math:: R(q) = R(p) + F(q) + D(q)

    Parameters
    ----------
    panels : mapping of str to mapping of str to mapping of str to (F, R)
        By title, by series, by name of the student, which stands beside some of the points: the
        first and the last of each series. Points of a series are joined in order.
    teachers : mapping of str to float
        The teacher's risk, by title.
    xlabel, ylabel : str
        With units.
    scale : float
        Multiplies all numbers: 1000 turns nats into thousandths.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a panel has no teacher.

    Notes
    -----
    Equation (5.2), derived in the evidence of chapter 05.
    """
    import matplotlib.pyplot as plt

    missing = [title for title in panels if title not in teachers]
    if missing:
        raise ValueError(f"teachers has no {missing[0]!r}; give each panel's teacher its risk.")
    figure = plt.figure(figsize=(3.9 * len(panels), 4.0), layout="constrained", dpi=150)
    row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    for axes, (title, series) in zip(row, panels.items(), strict=True):
        start = scale * teachers[title]
        farthest = scale * max(f for students in series.values() for f, _ in students.values())
        axes.plot(
            [0, 1.1 * farthest],
            [start, start + 1.1 * farthest],
            "--",
            color=GREY,
            linewidth=1.2,
            label="what is not copied is lost: D = 0",
            zorder=0,
        )
        axes.axhline(start, linestyle=":", color=GREY, linewidth=1.2, zorder=0)
        axes.plot(0, start, "*", color="black", markersize=13, label="the teacher", clip_on=False)
        for name, students in series.items():
            index = names.index(name)
            x, y = ([scale * pair[k] for pair in students.values()] for k in (0, 1))
            axes.plot(
                x,
                y,
                marker=_MARKERS[index % 4],
                color=_COLOURS[index % 4],
                markersize=6,
                markeredgecolor="white",
                linewidth=1,
                label=name,
            )
            for at, below in {0: -3, len(x) - 1: -12}.items():
                axes.annotate(
                    list(students)[at],
                    (x[at], y[at]),
                    xytext=(6 if below == -3 else -6, below),
                    textcoords="offset points",
                    va="top",
                    fontsize=9,
                    color=_COLOURS[index % 4],
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
                )
        axes.set_xlim(0, 1.25 * farthest)
        axes.set_ylim(bottom=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(xlabel)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    row[0].set_ylabel(ylabel)
    found: dict[str, Any] = {}
    for axes in row:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    figure.legend(
        found.values(), found, loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    return figure


# -- the museum of bugs ----------------------------------------------------------------------------


def side_by_side(
    panels: Mapping[str, Mapping[str, Estimate]],
    *,
    scales: Sequence[float],
    margins: Sequence[float] | None = None,
    furthest: Sequence[float] | None = None,
    others: Sequence[str] = (),
) -> Figure:
    """Draw estimates of several quantities with their intervals, one panel each, rows in common.

    Parameters
    ----------
    panels : mapping of str to mapping of str to Estimate
        By label of the axis, with its unit, then by row. Rows stand in the order of the first
        panel; a row may be missing from a panel.
    scales : sequence of float
        One for each panel, multiplies its numbers.
    margins : sequence of float, optional
        Half the widths of shaded bands around 0, after scaling.
    furthest : sequence of float, optional
        Where each axis ends on the left, after scaling. What lies further left is an arrow with
        its number.
    others : sequence of str
        Rows to compare with: bold, in another colour and with another marker.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If scales, margins or ends are not one for each panel.
    """
    import matplotlib.pyplot as plt
    from matplotlib.transforms import ScaledTranslation

    each = {"scales": scales, "margins": margins, "furthest": furthest}
    for name, numbers in each.items():
        if numbers is not None and len(numbers) != len(panels):
            raise ValueError(
                f"{name} has {len(numbers)} numbers for {len(panels)} panels; give one for each."
            )
    rows = list(dict.fromkeys(name for members in panels.values() for name in members))
    labels = [textwrap.fill(name, 25, break_on_hyphens=False) for name in rows]
    room = 0.33 if any("\n" in label for label in labels) else 0.25  # rows are equally high
    height = 0.75 + room * len(rows)
    figure = plt.figure(figsize=(6.0, height), layout="constrained", dpi=150)
    row_of_axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for index, (axes, (label, members)) in enumerate(zip(row_of_axes, panels.items(), strict=True)):
        scale = scales[index]
        if margins is not None:
            axes.axvspan(-margins[index], margins[index], color=GREY, alpha=0.2, linewidth=0)
        axes.axvline(0, color=GREY, linewidth=1, zorder=0)
        left = -math.inf if furthest is None else furthest[index]
        for name, estimate in members.items():
            at = rows.index(name)
            colour, marker = (VERMILION, "s") if name in others else (BLUE, "o")
            if scale * estimate.value < left:
                inside = axes.transData + ScaledTranslation(5 / 72, 0, figure.dpi_scale_trans)
                axes.plot(left, at, "<", color=colour, markersize=8, transform=inside)
                text = f"    {scale * estimate.value:.0f}"
                axes.text(left, at, text, va="center", color=colour, fontsize=9)
                continue
            ends = [scale * estimate.low, scale * estimate.high]
            axes.plot(ends, [at, at], color=colour, linewidth=2)
            axes.plot(scale * estimate.value, at, marker, color=colour, markeredgecolor="white")
        if math.isfinite(left):
            axes.set_xlim(left=left)
        axes.set_xlabel(label, fontsize=9)
        axes.tick_params(axis="x", labelsize=9)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    row_of_axes[0].set_yticks(range(len(rows)), labels, fontsize=9)
    for tick, name in zip(row_of_axes[0].get_yticklabels(), rows, strict=True):
        if name in others:
            tick.set_fontweight("bold")
    row_of_axes[0].set_ylim(len(rows) - 0.5, -0.5)
    return figure


def courses(
    panels: Mapping[str, Mapping[str, Sequence[float]]], *, xlabel: str, others: Sequence[str] = ()
) -> Figure:
    """Draw how numbers change from step to step, panels below each other, series in common.

    Parameters
    ----------
    panels : mapping of str to mapping of str to sequence of float
        By title, then by series, one number a step from 1 on.
    xlabel : str
        What a step is.
    others : sequence of str
        Series to compare with: dotted and grey.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    figure = plt.figure(figsize=(_NARROW, 1.9 * len(panels) + 0.8), layout="constrained", dpi=150)
    every = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, series) in zip(every, panels.items(), strict=True):
        for name, numbers in series.items():
            dashes = ("-", (0, (6, 2)), (0, (2, 1.5)), "-.")[names.index(name) % 4]
            colour = _SIX[names.index(name) % 5]
            style = {"color": GREY, "linestyle": ":"} if name in others else {}
            axes.plot(
                range(1, len(numbers) + 1),
                numbers,
                **({"color": colour, "linestyle": dashes} | style),
                linewidth=1.8,
                label=name,
            )
        axes.set_title(title, fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    every[-1].set_xlabel(xlabel)
    lines = {line.get_label(): line for axes in every for line in axes.get_lines()}
    figure.legend(
        [lines[name] for name in names],
        names,
        loc="outside lower center",
        ncols=min(len(names), 2),
        frameon=False,
        fontsize=9,
    )
    return figure


# -- chapter 03 ---------------------------------------------------------------------------------


def live_curves(
    curves: Mapping[float, Mapping[str, Sequence[tuple[float, float]]]],
    *,
    slider: str,
    title: str,
    xlabel: str,
    ylabel: str,
    mark: tuple[float, str],
    start: float,
    powers: bool = False,
) -> Any:
    """Draw curves that a slider moves through, told apart by colour and dashes.

    Parameters
    ----------
    curves : mapping of float to mapping of str to sequence of (x, y)
        By slider position, shown in order, then by curve; all curves at the same x.
    slider : str
        What the slider sets.
    title : str
        Goes before the position: "T = ".
    xlabel, ylabel : str
        With units.
    mark : (float, str)
        Where a labelled vertical line stands.
    start : float
        Position at first.
    powers : bool
        Whether x counts doublings, and the axis shows 2 to the power of x.

    Returns
    -------
    altair chart
    """
    import altair as alt

    positions = sorted(curves)
    names: list[Any] = list(curves[positions[0]])
    table: list[dict[str, Any]] = [
        {
            "step": index,
            "title": f"{title}{position:g}",
            "x": round(at[0][0], 4),
            **{name: float(f"{y:.4g}") for name, (_, y) in zip(names, at, strict=True)},
        }
        for index, position in enumerate(positions)
        for at in zip(*(curves[position][name] for name in names), strict=True)
    ]
    step = alt.param(
        name="step",
        value=positions.index(start),
        bind=alt.binding_range(min=0, max=len(positions) - 1, step=1, name=f"{slider}: "),
    )
    low, high = (f(row[name] for row in table for name in names) for f in (min, max))
    shown = alt.Chart(alt.Data(values=table)).transform_filter("datum.step == step")
    across, at_mark = alt.X("x:Q", title=xlabel), alt.X("x:Q")
    if powers:
        xs = sorted({row["x"] for row in table})
        axis = alt.Axis(values=xs, labelExpr="pow(2, datum.value)")
        across, at_mark = across.axis(axis).scale(zero=False), at_mark.scale(zero=False)
    # One row holds all curves, for a row a point would be most of the notebook's file.
    # Below, and with strokes long enough to show their dashes: beside the curves a name is cut on a
    # phone, and so is the second of two long ones.
    columns = 2 if max(map(len, names)) <= 20 else 1
    legend = alt.Legend(
        orient="bottom", columns=columns, symbolType="stroke", symbolSize=400, labelLimit=0
    )
    lines = (
        shown.transform_fold(names, as_=["curve", "y"])
        .mark_line(strokeWidth=2.5)
        .encode(
            x=across,
            y=alt.Y("y:Q", title=ylabel, scale=alt.Scale(domain=[low, high])),
            color=alt.Color("curve:N", sort=names, title=None, legend=legend).scale(
                domain=names, range=list(_SIX[: len(names)])
            ),
            strokeDash=alt.StrokeDash("curve:N", sort=names, title=None, legend=legend).scale(
                domain=names,
                range=[[1, 0], [8, 3], [3, 3], [10, 3, 2, 3], [1, 3], [14, 4]][: len(names)],
            ),
            tooltip=["curve:N", "x:Q", "y:Q"],
        )
    )
    rule = alt.Chart(alt.Data(values=[{"x": mark[0], "name": mark[1]}]))
    rules = rule.mark_rule(color=GREY).encode(x=at_mark)
    name = rule.mark_text(align="left", baseline="top", dx=5, fontSize=12, color=GREY).encode(
        x=at_mark, y=alt.value(4), text="name:N"
    )
    heading = (
        shown.transform_aggregate(title="min(title)")
        .mark_text(align="left", baseline="bottom", fontSize=15, fontWeight="bold")
        .encode(x=alt.value(0), y=alt.value(-6), text="title:N")
    )
    return alt.layer(rules, lines, name, heading).add_params(step).properties(width=460, height=260)


# -- chapter 04 ---------------------------------------------------------------------------------


def log_curves(
    panels: Mapping[str, Mapping[str, Mapping[float, Estimate | float]]],
    *,
    ylabel: str,
    xlabel: str = "temperature T",
    guide: tuple[float, str] | None = None,
    levels: Mapping[str, Mapping[str, float]] | None = None,
    alone: Sequence[str] = (),
    lowest: float | None = None,
    narrow: bool = False,
) -> Figure:
    """Draw series against numbers on logarithmic axes, one panel a column.

    All panels share their axis of values.

    Parameters
    ----------
    panels : mapping of str to mapping of str to mapping of float to Estimate or float
        By title, by series, by x. An estimate gets a band from end to end.
    ylabel, xlabel : str
        With the unit.
    guide : (float, str), optional
        Power and name of a thin dashed line, which begins at the first series' first number.
    levels : mapping of str to mapping of str to float, optional
        By title and name: level lines, each of one dash pattern in all panels.
    alone : sequence of str
        Series whose points are not joined.
    lowest : float, optional
        Where the axis of values begins; by default all is shown.
    narrow : bool
        As in `forest`; for one panel.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    width = _NARROW if narrow else 3.9
    figure = plt.figure(figsize=(width * len(panels), 4.0), layout="constrained", dpi=150)
    row = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    level_names = list(dict.fromkeys(name for at in (levels or {}).values() for name in at))
    for axes, (title, series) in zip(row, panels.items(), strict=True):
        axes.set_xscale("log")
        axes.set_yscale("log")
        for name, values in series.items():
            index = names.index(name)
            colour = _SIX[index % 6]
            numbers = {x: getattr(v, "value", v) for x, v in values.items()}
            axes.plot(
                list(numbers),
                list(numbers.values()),
                color=colour,
                linestyle="none" if name in alone else "-",
                marker="osD^vP"[index % 6],
                markersize=5,
                markeredgecolor="white",
                label=name,
            )
            bands = {x: v for x, v in values.items() if not isinstance(v, float)}
            if bands and name in alone:
                for x, v in bands.items():
                    axes.plot([x, x], [v.low, v.high], color=colour, linewidth=1.2)
            elif bands:
                axes.fill_between(
                    list(bands),
                    [v.low for v in bands.values()],
                    [v.high for v in bands.values()],
                    color=colour,
                    alpha=0.2,
                    linewidth=0,
                )
        if guide is not None:
            power, guide_name = guide
            ((first, start), *_) = next(iter(series.values())).items()
            last = max(x for values in series.values() for x in values)
            height = getattr(start, "value", start)
            axes.plot(
                [first, last],
                [height, height * (last / first) ** power],
                "--",
                color=GREY,
                linewidth=1.2,
                label=guide_name,
                zorder=0,
            )
        for name, value in (levels or {}).get(title, {}).items():
            dashes = ("--", ":", "-.")[level_names.index(name) % 3]
            axes.axhline(value, linestyle=dashes, color=GREY, linewidth=1.2, label=name, zorder=0)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel(xlabel)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    row[0].set_ylabel(ylabel)
    row[0].set_ylim(bottom=lowest)
    low, high = row[0].get_ylim()
    if high < 30 * low:  # powers of ten would be too few
        row[0].yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
        row[0].yaxis.set_major_formatter("{x:g}")
        row[0].yaxis.set_minor_formatter(NullFormatter())
    found: dict[str, Any] = {}
    for axes in row:
        handles, labels = axes.get_legend_handles_labels()
        found |= dict(zip(labels, handles, strict=True))
    order = [*names, *([] if guide is None else [guide[1]]), *level_names]
    figure.legend(
        [found[name] for name in order],
        order,
        loc="outside lower center",
        ncols=2 if narrow else min(len(order), 4),
        frameon=False,
        fontsize=10 if narrow else 9,
    )
    return figure


def live_shares(
    shares: Mapping[float, Mapping[str, Sequence[float]]],
    temperatures: Sequence[float],
    *,
    start: float,
    slider: str,
    ylabel: str,
) -> Any:
    """Draw curves against temperature that a slider moves through, with no kernel behind it.

    Parameters
    ----------
    shares : mapping of float to mapping of str to sequence of float
        By slider position, by curve: one number from 0 to 1 a temperature.
    temperatures : sequence of float
        In order, all above 0.
    start : float
        Position at first.
    slider : str
        What the slider sets.
    ylabel : str
        What the numbers are.

    Returns
    -------
    altair chart
    """
    import altair as alt

    positions = sorted(shares)
    names = list(shares[positions[0]])
    table = [
        {
            "step": step,
            "title": f"{slider} = {position:g}",
            "T": float(T),
            "share": float(f"{share:.4g}"),
            "loss": name,
        }
        for step, position in enumerate(positions)
        for name, values in shares[position].items()
        for T, share in zip(temperatures, values, strict=True)
    ]
    step = alt.param(
        name="step",
        value=positions.index(start),
        bind=alt.binding_range(min=0, max=len(positions) - 1, step=1, name=f"{slider}: "),
    )
    shown = alt.Chart(alt.Data(values=table)).transform_filter("datum.step == step")
    legend: dict[str, Any] = {
        "orient": "bottom",
        "labelLimit": 400,
        "columns": 1,
        "symbolType": "stroke",  # a piece of the line, with its dashes
        "symbolSize": 900,
        "symbolStrokeWidth": 2.5,
    }
    lines = shown.mark_line(point=True, strokeWidth=2.5).encode(
        x=alt.X(
            "T:Q",
            title="temperature T",
            scale=alt.Scale(
                type="log", domain=[temperatures[0], temperatures[-1]], nice=False, clamp=True
            ),
        ).axis(values=[1, 2, 3, 5, 10, 20]),
        y=alt.Y("share:Q", title=ylabel, scale=alt.Scale(domain=[0, 1])),
        color=alt.Color(
            "loss:N", title=None, sort=names, scale=alt.Scale(domain=names, range=[*_COLOURS])
        ).legend(**legend),
        strokeDash=alt.StrokeDash("loss:N", title=None, sort=names)
        .scale(domain=names, range=[[1, 0], [8, 3], [3, 3], [10, 3, 2, 3]][: len(names)])
        .legend(**legend),
        tooltip=["loss:N", "T:Q", alt.Tooltip("share:Q", format=".3f")],
    )
    title = (
        shown.transform_aggregate(title="min(title)")
        .mark_text(align="left", baseline="bottom", fontSize=15, fontWeight="bold")
        .encode(x=alt.value(0), y=alt.value(-6), text="title:N")  # left: a phone's chart ends early
    )
    return alt.layer(lines, title).add_params(step).properties(width=460, height=260)


# Chapter 06 -----------------------------------------------------------------------------------


def pareto(
    panels: Mapping[str, Mapping[str, tuple[float, Estimate, str]]],
    *,
    xlabel: str,
    ylabel: str,
    less: bool = False,
    left: Sequence[str] = (),
    below: Sequence[str] = (),
    narrow: bool = False,
) -> Figure:
    """Draw cost against quality, one panel a task, and the front: what nothing beats in both.

    Parameters
    ----------
    panels : mapping of str to mapping of str to (cost, quality, kind)
        By the panel's title and the point's name; cost above 0, less is better. Points of one kind
        share colour and marker. A name is shown without the blanks around it.
    xlabel, ylabel : str
        With units.
    less : bool
        Whether less quality is better, as of a loss; the axis is then upside down.
    left : sequence of str
        Points whose name stands on their left, and not on their right.
    below : sequence of str
        Points whose name stands below them.
    narrow : bool
        As in `forest`; the panels then stand one below the other.

    Returns
    -------
    Figure
    """
    import matplotlib.pyplot as plt
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import LogLocator

    shape = (len(panels), 1) if narrow else (1, len(panels))
    figure, grid = plt.subplots(
        *shape,
        figsize=(_NARROW, 3.2 * len(panels)) if narrow else (3.2 * len(panels), 3.8),
        layout="constrained",
        dpi=150,
        sharex=True,
        squeeze=False,
    )
    every = grid.ravel()
    kinds = list(
        dict.fromkeys(kind for points in panels.values() for _, _, kind in points.values())
    )
    handles = {}
    for axes, (title, points) in zip(every, panels.items(), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        for name, (cost, quality, kind) in points.items():
            which = kinds.index(kind)
            handles[kind] = axes.errorbar(
                cost,
                quality.value,
                yerr=[[quality.value - quality.low], [quality.high - quality.value]],
                fmt=_MARKERS[which % 4],
                color=_COLOURS[which % 4],
                markersize=7,
                markeredgecolor="white",
                capsize=3,
            )
            before = name in left
            axes.annotate(
                name.strip(),
                (cost, quality.value),
                xytext=(-6 if before else 6, -10 if name in below else 3),
                textcoords="offset points",
                ha="right" if before else "left",
                fontsize=10 if narrow else 8,
                path_effects=[withStroke(linewidth=2.5, foreground="white")],
            )
        sign = -1 if less else 1
        front = pareto_front(
            {name: (cost, sign * q.value) for name, (cost, q, _) in points.items()}
        )
        corners = [(points[name][0], points[name][1].value) for name in front]
        (line,) = axes.step(
            *zip(*corners, strict=True), where="post", color=GREY, linewidth=2, zorder=1
        )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.margins(x=0.4 if narrow else 0.5, y=0.14)
        if less:
            axes.invert_yaxis()
        axes.set_title(title, fontsize=10, loc="left", fontweight="bold")
        axes.grid(color="#e6e6e6", linewidth=0.8)
        axes.set_axisbelow(True)
    for axes in every if narrow else every[:1]:
        axes.set_ylabel(ylabel)
    figure.supxlabel(xlabel, fontsize=10)
    figure.legend(
        [*handles.values(), line],
        [*handles, "nothing is better and cheaper"],
        loc="outside upper center",
        ncols=2 if narrow else len(kinds) + 1,
        frameon=False,
    )
    return figure


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names that nothing beats: no other costs at most as much and is at least as good.

    Parameters
    ----------
    points : mapping of str to (cost, quality)
        Less cost and more quality are better. Of equal points the first stays.

    Returns
    -------
    list of str
        From the cheapest to the best.

    Examples
    --------
    >>> pareto_front({"a": (1, 5), "b": (2, 4), "c": (3, 9), "d": (3, 9)})
    ['a', 'c']
    """
    front: list[str] = []
    for name in sorted(points, key=lambda name: (points[name][0], -points[name][1])):
        if not front or points[name][1] > points[front[-1]][1]:
            front.append(name)
    return front


def live_costs(
    costs: Mapping[str, Mapping[int, float]],
    *,
    slider: str,
    title: str,
    xlabel: str,
    colours: Mapping[str, str] | None = None,
    start: int | None = None,
) -> Any:
    """Draw one dot a way of serving on a logarithmic axis; a slider moves through the sizes.

    Parameters
    ----------
    costs : mapping of str to mapping of int to float
        By name and size; above 0.
    slider : str
        What the slider sets.
    title : str
        With ``{}`` where the size goes.
    xlabel : str
        With the unit.
    colours : mapping of str to str, optional
        By name; `BLUE` where it is left out.
    start : int, optional
        Size at first, one of them; the smallest where it is left out.

    Returns
    -------
    altair chart
    """
    import altair as alt

    sizes = sorted({size for line in costs.values() for size in line})
    table: list[dict[str, Any]] = [
        {
            "step": sizes.index(size),
            "name": name,
            "cost": float(f"{cost:.3g}"),
            "colour": (colours or {}).get(name, BLUE),
            "text": f"{cost:.2g}" if cost < 10 else f"{cost:,.0f}",
            "title": title.format(f"{size:,}"),
        }
        for name, line in costs.items()
        for size, cost in line.items()
    ]
    step = alt.param(
        name="step",
        value=0 if start is None else sizes.index(start),
        bind=alt.binding_range(min=0, max=len(sizes) - 1, step=1, name=f"{slider}: "),
    )
    shown = alt.Chart(alt.Data(values=table)).transform_filter("datum.step == step")
    least = min(row["cost"] for row in table) / 1.5
    most = max(row["cost"] for row in table) * 8  # room for the number, on a phone too
    y = alt.Y("name:N", sort=list(costs), title=None).axis(labelLimit=220, grid=True)
    powers = [10.0**k for k in range(math.ceil(math.log10(least)), math.ceil(math.log10(most)))]
    x = alt.X("cost:Q", title=xlabel, scale=alt.Scale(type="log", domain=[least, most])).axis(
        values=powers, format="~g"
    )
    dots = shown.mark_circle(size=140, opacity=1).encode(
        x=x, y=y, color=alt.Color("colour:N", scale=None), tooltip=["name:N", "cost:Q"]
    )
    numbers = shown.mark_text(align="left", dx=10, fontSize=12).encode(x=x, y=y, text="text:N")
    heading = (
        shown.transform_aggregate(title="min(title)")
        .mark_text(align="left", baseline="bottom", fontSize=15, fontWeight="bold")
        .encode(x=alt.value(0), y=alt.value(-6), text="title:N")
    )
    return (
        alt.layer(dots, numbers, heading)
        .add_params(step)
        .properties(width=360, height=26 * len(costs))
    )


def live_student(
    layers: Sequence[tuple[Any, Any]],
    paths: Sequence[tuple[Any, Any]],
    stored: Any,
    *,
    classes: Sequence[str],
    names: Sequence[str],
) -> str:
    """Write a small network as a piece of a web page that answers there, with no kernel behind it.

    The reader picks a pair of samples and moves along the line between them. The student answers
    each point in the page, in double precision from its float32 weights; the stored answers of
    a larger model stand beside it. Where scripts do not run, the first answers stand as a table.

    Parameters
    ----------
    layers : sequence of (weight, bias)
        ``(out, in)`` and ``(out,)``, float32, as in ``nn.Linear``; ReLU between them.
    paths : sequence of (start, end)
        ``(D,)`` each, float32.
    stored : array, shape (paths, steps, C)
        Probabilities of the larger model at equal steps from start to end, both included.
    classes : sequence of str
        Their names, C of them.
    names : sequence of str
        Of the paths, for the picker.

    Returns
    -------
    str
        HTML; see `show_page`.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """
    import base64
    import hashlib
    import html
    import json
    from string import Template

    import numpy as np

    def packed(array: Any) -> str:
        return base64.b64encode(np.asarray(array, dtype="<f4").tobytes()).decode()

    sizes = [np.shape(layers[0][0])[1], *(np.shape(weight)[0] for weight, _ in layers)]
    answers = np.asarray(stored, dtype=np.float32)
    ends = np.asarray(paths, dtype=np.float32)
    if ends.shape != (len(names), 2, sizes[0]):
        raise ValueError(
            f"paths have shape {ends.shape}; they must be ({len(names)}, 2, {sizes[0]}): one a "
            "name, two ends, one number a feature"
        )
    if (answers.shape[0], *answers.shape[2:]) != (len(names), sizes[-1]) or len(classes) != (
        sizes[-1]
    ):
        raise ValueError(
            f"stored has shape {answers.shape} and there are {len(classes)} classes; give "
            f"({len(names)}, steps, {sizes[-1]}) and {sizes[-1]} names"
        )
    data = {
        "sizes": sizes,
        "weights": packed(np.concatenate([np.ravel(part) for layer in layers for part in layer])),
        "paths": packed(ends),
        "stored": packed(answers),
        "steps": answers.shape[1],
    }
    z = ends[0, 0].astype(float)
    for depth, (weight, bias) in enumerate(layers):
        z = np.asarray(weight, dtype=float) @ z + np.asarray(bias, dtype=float)
        z = np.maximum(z, 0) if depth < len(layers) - 1 else z
    first = np.exp(z - z.max())
    first /= first.sum()
    identity = "student-" + hashlib.sha256(json.dumps(data).encode()).hexdigest()[:8]
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(
            f'<td><span class="bar {kind}" style="--share:{p:.3f}"></span> '
            f'<span class="p">{p:.4f}</span></td>'
            for kind, p in (("now", first[c]), ("then", answers[0, 0, c]))
        )
        + "</tr>"
        for c, name in enumerate(classes)
    )
    options = "".join(f"<option>{html.escape(name)}</option>" for name in names)
    count = sum(np.size(part) for layer in layers for part in layer)
    return Template(_STUDENT_PAGE).substitute(
        identity=identity,
        options=options,
        rows=rows,
        last=answers.shape[1] - 1,
        count=f"{count:,}",
        bytes=f"{4 * count:,}",
        data=json.dumps(data),
    )


def show_page(html: str, text: str) -> None:
    """Display a piece of a web page.

    Parameters
    ----------
    html : str
        Made by `live_student`, `guess` or `live_neighbours`.
    text : str
        What stands where there are no pages.
    """
    from IPython.display import display

    display({"text/html": html, "text/plain": text}, raw=True)


_STUDENT_PAGE = """<div class="live-student" id="$identity">
<style>
.live-student { background: #fff; color: #1a1a1a; color-scheme: light;
  border-radius: 6px; padding: 12px; max-width: 34rem; box-sizing: border-box; line-height: 1.5; }
.live-student label { display: flex; flex-wrap: wrap; gap: .25em .75em; align-items: center;
  margin: .4em 0; }
.live-student input, .live-student select { flex: 1 1 12rem; min-width: 0; max-width: 100%; }
.live-student table { width: 100%; table-layout: fixed; border-collapse: collapse; margin: .5em 0;
  color: inherit; background: none; }
.live-student th, .live-student td { text-align: left; padding: .2em .4em; font-weight: normal;
  border: 0; background: none; color: inherit; vertical-align: top; }
.live-student td { white-space: nowrap; }
.live-student th:first-child { width: 22%; overflow: hidden; text-overflow: ellipsis; }
.live-student .bar { display: inline-block; height: .8em;
  width: calc(var(--share) * min(9vw, 8em)); }
.live-student .now { background: #0072B2; } .live-student .then { background: #D55E00; }
.live-student button { color: #1a1a1a; background: #e8e8e8; border: 1px solid #6B6B6B;
  border-radius: 4px; padding: .2em .8em; }
.live-student [hidden] { display: none; }
</style>
<div class="controls" hidden>
<label><span>samples</span><select>$options</select></label>
<label><span>from the first to the second</span>
<input type="range" min="0" max="$last" step="1" value="0"></label>
</div>
<table>
<thead><tr><th scope="col">class</th><th scope="col">student, here</th>
<th scope="col">ensemble, stored</th></tr></thead>
<tbody>$rows</tbody>
</table>
<p class="still">Scripts do not run here, so these are the stored answers to the first sample. Run
the cell, or open the book in a browser, and the student answers in the page.</p>
<div class="controls" hidden>
<p><output aria-live="polite"></output></p>
<p><button type="button">Time it in this browser</button> <span class="time" role="status"></span>
</p>
<p>$count weights, $bytes bytes. No kernel, no internet.</p>
</div>
<script>
(function () {
  "use strict";
  var box = document.getElementById("$identity"), data = $data;
  function numbers(text) {
    var raw = atob(text), bytes = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Float32Array(bytes.buffer);
  }
  var weights = numbers(data.weights), paths = numbers(data.paths), stored = numbers(data.stored);
  var sizes = data.sizes, D = sizes[0], C = sizes[sizes.length - 1], last = data.steps - 1;
  function logits(x) {
    for (var layer = 1, at = 0; layer < sizes.length; layer++) {
      var fanIn = sizes[layer - 1], fanOut = sizes[layer], z = new Float64Array(fanOut);
      for (var o = 0; o < fanOut; o++) {
        var sum = weights[at + fanIn * fanOut + o];
        for (var i = 0; i < fanIn; i++) sum += weights[at + fanIn * o + i] * x[i];
        z[o] = layer < sizes.length - 1 && sum < 0 ? 0 : sum;
      }
      at += (fanIn + 1) * fanOut;
      x = z;
    }
    return x;
  }
  function softmax(z) {
    var top = Math.max.apply(null, z), total = 0;
    var p = Array.from(z, function (v) { var e = Math.exp(v - top); total += e; return e; });
    return p.map(function (v) { return v / total; });
  }
  function point(path, step) {
    return Float32Array.from({length: D}, function (_, i) {
      var a = paths[2 * D * path + i], b = paths[2 * D * path + D + i];
      return a + (step / last) * (b - a);
    });
  }
  var picker = box.querySelector("select"), slider = box.querySelector("input");
  var cells = box.querySelectorAll("tbody tr"), said = box.querySelector("output");
  function best(p) { return p.indexOf(Math.max.apply(null, p)); }
  function show() {
    var path = picker.selectedIndex, step = Number(slider.value), z = logits(point(path, step));
    var at = C * (data.steps * path + step), then = Array.from(stored.slice(at, at + C));
    [softmax(z), then].forEach(function (p, column) {
      p.forEach(function (share, c) {
        var cell = cells[c].children[1 + column];
        cell.querySelector(".bar").style.setProperty("--share", share);
        cell.querySelector(".p").textContent = share.toFixed(4);
      });
    });
    var name = function (c) { return cells[c].children[0].textContent; };
    var mine = best(softmax(z)), theirs = best(then);
    said.textContent = mine === theirs ? "Both say " + name(mine) + "."
      : "The student says " + name(mine) + ", the ensemble " + name(theirs) + ".";
    box.dataset.logits = JSON.stringify(Array.from(z));
  }
  picker.addEventListener("change", function () { slider.value = 0; show(); });
  slider.addEventListener("input", show);
  box.querySelector("button").addEventListener("click", function () {
    var x = point(0, 0), n = 0, start = performance.now(), kept = 0;
    while (performance.now() - start < 200) for (var i = 0; i < 100; i++, n++) kept += logits(x)[0];
    box.querySelector(".time").textContent = isNaN(kept) ? "" :
      (1000 * (performance.now() - start) / n).toFixed(1) + " microseconds an answer";
  });
  box.querySelector(".still").hidden = true;
  box.querySelectorAll(".controls").forEach(function (part) { part.hidden = false; });
  show();
  box.dataset.ready = "true";
})();
</script>
</div>"""


# Chapter 09 -----------------------------------------------------------------------------------


def trade_off(
    series: Mapping[str, Mapping[str, tuple[float, float]]],
    *,
    xlabel: str,
    ylabel: str,
    numbers: str = "",
) -> Figure:
    """Draw named points that trade one axis for the other, each with its name beside it.

    Parameters
    ----------
    series : mapping of str to mapping of str to (float, float)
        By series, which share colour and marker, then by the name that stands beside the point. An
        empty name leaves the point to the names of others in its place.
    xlabel, ylabel : str
        With units; less is better on both.
    numbers : str
        What the points' names are; a legend under the plot then tells the series. Without it a
        series of one point needs no legend, for the point is named.

    Returns
    -------
    Figure
    """
    figure, axes = _axes(5.2, 4.4 if numbers else 3.8)
    right, top = (
        max(at[axis] for points in series.values() for at in points.values()) for axis in (0, 1)
    )
    for index, (label, points) in enumerate(series.items()):
        axes.plot(
            *zip(*points.values(), strict=True),
            "osD^vP"[index % 6],
            clip_on=False,  # a point on an axis is seen whole
            color=_SIX[index % 6],
            markersize=9,
            markeredgecolor="white",
            label=label,
            zorder=3,
        )
        for name, at in points.items():
            far = at[0] > 0.6 * right  # its name would leave the canvas
            axes.annotate(
                name,
                at,
                (-7 if far else 7, 4),
                textcoords="offset points",
                ha="right" if far else "left",
                fontsize=11,
            )
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.15 * top)  # room for the name of the highest point
    axes.set_xlabel(xlabel, fontsize=11)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.tick_params(labelsize=11)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    if numbers:
        figure.legend(
            *axes.get_legend_handles_labels(),
            title=numbers,
            loc="outside lower center",
            frameon=False,
            fontsize=11,
            title_fontsize=11,
        )
    return figure


def token_bars(
    rows: Mapping[str, Sequence[float]], tokens: Sequence[str], *, teachers: int, ylabel: str
) -> Figure:
    """Draw distributions of the next token beside each other, teachers in grey.

    Parameters
    ----------
    rows : mapping of str to sequence of float
        A chance for each token; the teachers' first.
    tokens : sequence of str
        Their names.
    teachers : int
        How many of the rows are the teachers'.
    ylabel : str

    Returns
    -------
    Figure
    """
    figure, axes = _axes(5.2, 3.6)
    greys = ("#6B6B6B", "#B5B5B5")
    width = 0.8 / len(rows)
    for index, (name, chances) in enumerate(rows.items()):
        colour = greys[index % 2] if index < teachers else _SIX[(index - teachers) % 6]
        places = [k + (index - (len(rows) - 1) / 2) * width for k in range(len(tokens))]
        axes.bar(places, chances, 0.9 * width, color=colour, label=name)
    axes.set_xticks(range(len(tokens)), tokens)
    axes.tick_params(labelsize=11)
    axes.set_ylabel(ylabel, fontsize=11)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    figure.legend(
        *axes.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=11,
    )
    return figure


def live_students(
    curves: Mapping[tuple[float, float], Mapping[str, Sequence[float]]],
    texts: Mapping[tuple[float, float], Sequence[str]],
    *,
    sliders: tuple[str, str],
    xlabel: str,
    ylabel: str,
    start: tuple[float, float],
    reference: str,
) -> Any:
    """Draw curves that two sliders move through, with lines of text beside them.

    The curves at `start` stay, in grey. The sliders show their positions and the curves their last
    values.

    Parameters
    ----------
    curves : mapping of (float, float) to mapping of str to sequence of float
        By the two positions, by curve: one number for each x from 1 on.
    texts : mapping of (float, float) to sequence of str
        What stands beside, a line each.
    sliders : (str, str)
        What they set; each moves through the positions that `curves` names, equal steps apart.
    xlabel, ylabel : str
        With units.
    start : (float, float)
        Positions at first.
    reference : str
        Names the grey curves.

    Returns
    -------
    altair chart

    Raises
    ------
    ValueError
        If the steps between a slider's positions differ.
    """
    import altair as alt

    places = [sorted({at[side] for at in curves}) for side in (0, 1)]
    for label, positions in zip(sliders, places, strict=True):
        steps = [b - a for a, b in itertools.pairwise(positions)]
        if max(steps) - min(steps) > 1e-9:
            raise ValueError(
                f"the slider {label!r} has the positions {positions}; their steps must be equal."
            )
    names: list[Any] = list(curves[start])
    table: list[dict[str, Any]] = []
    lines: list[dict[str, Any]] = []
    for at, series in curves.items():
        place = {"a": at[0], "b": at[1]}
        for x, values in enumerate(zip(*series.values(), strict=True), start=1):
            row = {name: float(f"{y:.4g}") for name, y in zip(series, values, strict=True)}
            table.append({**place, "x": x, **row})
        lines += [
            {**place, "row": n, "text": textwrap.fill(line, 42)} for n, line in enumerate(texts[at])
        ]
    last = max(row["x"] for row in table)
    height = 6 + 17 * max(line["text"].count("\n") + 1 for line in lines)  # of the longest text
    # the page shows a slider's number where its name begins with "value": others count positions
    params = [
        alt.param(
            name=name,
            value=begin,
            bind=alt.binding_range(
                min=positions[0],
                max=positions[-1],
                step=round(positions[1] - positions[0], 9),
                name=f"{label}: ",
            ),
        )
        for name, label, positions, begin in zip(
            ("value_a", "value_b"), sliders, places, start, strict=True
        )
    ]
    here = "abs(datum.a - value_a) < 1e-6 && abs(datum.b - value_b) < 1e-6"
    shown = alt.Chart(alt.Data(values=table)).transform_filter(here)
    first = alt.Chart(alt.Data(values=[r for r in table if (r["a"], r["b"]) == start]))
    low, high = (f(row[name] for row in table for name in names) for f in (min, max))
    across = alt.X("x:Q", title=xlabel)
    up = alt.Y("y:Q", title=ylabel, scale=alt.Scale(domain=[min(low, 0.0), high]))
    fixed = (
        first.transform_fold(names, as_=["curve", "y"])
        .mark_line(strokeWidth=1.5, color="#9a9a9a")
        .encode(x=across, y=up, strokeDash=alt.StrokeDash("curve:N", sort=names, legend=None))
    )
    # black and orange: the others are students' colours in this chapter
    colour = alt.Color("curve:N", sort=names, title=None).scale(
        domain=names, range=["#1a1a1a", ORANGE, *_SIX][: len(names)]
    )
    moving = shown.transform_fold(names, as_=["curve", "y"])
    drawn = moving.mark_line(strokeWidth=2.5).encode(
        x=across,
        y=up,
        color=colour.legend(orient="bottom", labelLimit=400, columns=1),
        strokeDash=alt.StrokeDash("curve:N", sort=names, legend=None),
        tooltip=["curve:N", "x:Q", "y:Q"],
    )
    ends = (
        moving.transform_filter(f"datum.x == {last}")
        .mark_text(align="left", dx=5, fontSize=13, fontWeight="bold", color="#1a1a1a")
        .encode(x=across, y=up, text=alt.Text("y:Q", format=".1f"))
    )
    grey = (
        alt.Chart(alt.Data(values=[{"text": reference}]))
        .mark_text(align="left", baseline="top", fontSize=13, color=GREY, dx=6, dy=4)
        .encode(x=alt.value(0), y=alt.value(0), text="text:N")
    )
    written = (
        alt.Chart(alt.Data(values=lines))
        .transform_filter(here)
        .mark_text(
            align="left", baseline="middle", font="monospace", fontSize=13, dx=4, lineBreak="\n"
        )
        .encode(
            x=alt.value(0),
            y=alt.Y("row:O", axis=None, sort=None),
            text="text:N",
        )
        .properties(width=360, height=height * len(texts[start]), title="what this student writes")
    )
    left = alt.layer(fixed, drawn, ends, grey).properties(width=360, height=240)
    return alt.vconcat(left, written).add_params(*params)


def guess(
    question: str,
    answer: float,
    *,
    low: float,
    high: float,
    step: float,
    unit: str,
    explanation: str,
) -> str:
    """Write a question whose answer a reader guesses with a slider before it is shown.

    A piece of a web page, with neither kernel nor network behind it. Where scripts do not run the
    answer simply follows the question.

    Parameters
    ----------
    question, explanation : str
        Plain text; the explanation stands after the answer.
    answer : float
        The right one.
    low, high, step : float
        Of the slider.
    unit : str
        What is counted, after the number.

    Returns
    -------
    str
        HTML; see `show_page`.

    Raises
    ------
    ValueError
        If the slider cannot reach the answer.

    Examples
    --------
    >>> page = guess("How many?", 3.0, low=0, high=10, step=1, unit="tokens", explanation="Few.")
    >>> "3 tokens" in page
    True
    """
    import hashlib
    import html
    from string import Template

    if not low <= answer <= high or step <= 0:
        raise ValueError(
            f"the answer is {answer}, the slider goes from {low} to {high} by {step}; it must "
            "reach the answer in steps above 0."
        )
    decimals = max(0, -math.floor(math.log10(step)))
    identity = "guess-" + hashlib.sha256(question.encode()).hexdigest()[:8]
    return Template(_GUESS_PAGE).substitute(
        identity=identity,
        question=html.escape(question),
        explanation=html.escape(explanation),
        unit=html.escape(unit),
        answer=f"{answer:.{decimals}f}",
        low=f"{low:g}",
        high=f"{high:g}",
        step=f"{step:g}",
        start=f"{low + round((high - low) / 2 / step) * step:g}",
        decimals=decimals,
    )


_GUESS_PAGE = """<div class="guess" id="$identity" role="group" aria-labelledby="$identity-q">
<style>
.guess { background: #fff; color: #1a1a1a; color-scheme: light; border: 1px solid #6B6B6B;
  border-radius: 6px; padding: 12px; max-width: 34rem; box-sizing: border-box; line-height: 1.5; }
.guess p { margin: .4em 0; color: inherit; }
.guess label { display: flex; flex-wrap: wrap; gap: .25em .75em; align-items: center; }
.guess input { flex: 1 1 12rem; min-width: 0; max-width: 100%; }
.guess button { color: #1a1a1a; background: #e8e8e8; border: 1px solid #6B6B6B;
  border-radius: 4px; padding: .2em .8em; margin-top: .4em; }
.guess [hidden] { display: none; }
</style>
<p id="$identity-q"><strong>A guess first.</strong> $question</p>
<div class="controls" hidden>
<label><span>your guess</span>
<input type="range" min="$low" max="$high" step="$step" value="$start">
<output>$start $unit</output></label>
<button type="button">Show the answer</button>
</div>
<div class="answer" role="status"><p class="off" hidden></p>
<p class="truth">Answer: $answer $unit. $explanation</p></div>
<script>
(function () {
  "use strict";
  var box = document.getElementById("$identity"), truth = $answer, digits = $decimals;
  var slider = box.querySelector("input"), shown = box.querySelector("output");
  var off = box.querySelector(".off"), answer = box.querySelector(".truth");
  function say() { shown.textContent = Number(slider.value).toFixed(digits) + " $unit"; }
  slider.addEventListener("input", say);
  box.querySelector("button").addEventListener("click", function () {
    var apart = Math.abs(Number(slider.value) - truth).toFixed(digits);
    off.textContent = "You said " + shown.textContent + ": off by " + apart + ".";
    off.hidden = false;
    answer.hidden = false;
  });
  answer.hidden = true;
  box.querySelector(".controls").hidden = false;
  say();
  box.dataset.ready = "true";
})();
</script>
</div>"""


# Chapter 08 -----------------------------------------------------------------------------------


def payoff(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    xlabel: str,
    ylabel: str,
    margin: float,
    least: float | None = None,
    named: Mapping[str, tuple[float, Estimate]] | None = None,
) -> Figure:
    """Draw gains against something known before, with the margin as a band about 0.

    Gains spread over powers of ten on both sides of 0: their axis is logarithmic beyond twice the
    margin. The other axis is too where all of it is above 0, and a line then joins the medians of
    five equal parts of each series; otherwise it is the forecast of the gains, and a dashed line
    is where both are equal.

    Parameters
    ----------
    points : mapping of str to (x, y)
        By the name for the legend, at most three series.
    xlabel, ylabel : str
        With units.
    margin : float
        Smallest gain that matters, in the unit of y.
    least : float, optional
        From which x on a rule distils: a dotted line.
    named : mapping of str to (x, Estimate), optional
        Drawn as black diamonds with their intervals and their names.

    Returns
    -------
    Figure
    """
    import numpy as np
    from matplotlib.ticker import LogLocator

    figure, axes = _axes(_NARROW, 4.4)
    every = [value for x, _ in points.values() for value in x]
    is_forecast = min(every) <= 0
    axes.axhspan(-margin, margin, color="#ececec", zorder=0)
    axes.axhline(0, color=GREY, linewidth=1, zorder=0.5)
    for first in (0, 1, 2):  # by turns, so that no series hides the others
        for index, (name, (x, y)) in enumerate(points.items()):
            axes.plot(
                x[first::3],
                y[first::3],
                _MARKERS[index],
                color=_COLOURS[index],
                alpha=0.45,
                markersize=4.5,
                markeredgewidth=0,
                label=None if first else name,
            )
    for index, (x, y) in enumerate(points.values()):
        if is_forecast:
            continue
        parts = [part for part in np.array_split(np.argsort(x), 5) if len(part)]
        middle = [[np.median(np.asarray(v)[part]) for part in parts] for v in (x, y)]
        axes.plot(*middle, "-" + _MARKERS[index], color=_COLOURS[index], linewidth=2.4, zorder=3)
    scale = {"linthresh": 2 * margin, "linscale": 0.7}
    axes.set_yscale("symlog", **scale)
    if is_forecast:
        axes.set_xscale("symlog", **scale)
        ends = [min(every), max(every)]
        axes.plot(ends, ends, "--", color=GREY, linewidth=1.2, zorder=0.5)
    else:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    if least is not None:
        axes.axvline(least, linestyle=":", color="black", linewidth=1.6, zorder=3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    for told, gain in (named or {}).values():
        axes.plot([told, told], [gain.low, gain.high], color="black", linewidth=1.2, zorder=4)
        axes.plot(told, gain.value, "D", color="black", markersize=5, zorder=4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    legend = figure.legend(frameon=False, loc="outside lower center", ncols=1)
    for handle in legend.get_lines():
        handle.set_alpha(1)
    _name_points(axes, named or {})
    return figure


def _name_points(axes: Axes, named: Mapping[str, tuple[float, Estimate]]) -> None:
    """Write each name beside its point, on the left of the left half, and none on another.

    A short line leads from the point to its name.
    """
    from matplotlib.patheffects import withStroke

    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # from here on it is known where points are
    middle = sorted(told for told, _ in named.values())[len(named) // 2] if named else 0.0
    least = {-1: -math.inf, 1: -math.inf}  # where the next name of a side may stand, in points
    for name, (told, gain) in sorted(named.items(), key=lambda item: item[1][1].value):
        side = -1 if told < middle else 1
        y = float(axes.transData.transform((told, gain.value))[1]) * 72 / figure.dpi
        at = max(y, least[side])
        least[side] = at + 13
        axes.annotate(
            name,
            (told, gain.value),
            xytext=(14 * side, at - y),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="center",
            fontsize=9,
            zorder=5,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3},
        )


def live_neighbours(
    gains: Mapping[str, Sequence[tuple[float, str]]],
    near: Callable[[float, float, str], Sequence[int]],
    note: Callable[[float, float, str], str],
    *,
    sliders: Mapping[str, Sequence[float]],
    picker: tuple[str, Sequence[str]],
    start: tuple[float, float],
    margin: float,
    xlabel: str,
) -> str:
    """Write a piece of a web page that shows what was gained at the points nearest to a reader's.

    The reader moves two sliders and picks a word; each position's answer is found here, so the
    page only looks it up: neither kernel nor network stands behind it. A strip draws the gains of
    the nearest points in order, marked by what each shows, and their median with its interval.
    Where scripts do not run, the answer to `start` and the first word stands.

    Parameters
    ----------
    gains : mapping of str to sequence of (gain, state)
        By what is beaten, a strip each: for every point, its gain, and ``"pays"``,
        ``"no better"``, ``"hurts"`` or ``"open"``.
    near : callable
        From a position of each slider and a word to the nearest points: their places in `gains`,
        always as many.
    note : callable
        From the same to a sentence that stands below.
    sliders : mapping of str to sequence of float
        Two, by name: the positions of each, in order.
    picker : (str, sequence of str)
        Its name and its words.
    start : (float, float)
        Of the sliders, each one of its positions.
    margin : float
        Half of the band about 0, in the unit of the gains.
    xlabel : str
        Of the gains, with their unit.

    Returns
    -------
    str
        HTML; see `show_page`.

    Raises
    ------
    ValueError
        If a slider has no such position to start at.
    """
    import hashlib
    import html
    import json
    from string import Template

    from distill_helpers.statistics import median_estimate

    (_, first), (_, second) = sliders.items()
    for (name, positions), at in zip(sliders.items(), start, strict=True):
        if at not in positions:
            raise ValueError(f"{name} starts at {at}; it must be one of {list(positions)}.")
    places = list(itertools.product(first, second, picker[1]))
    nearest = [list(near(*place)) for place in places]

    def middle(values: Sequence[tuple[float, str]], points: Sequence[int]) -> list[int]:
        found = median_estimate([values[k][0] for k in points])
        return [round(v) for v in (found.value, found.low, found.high)]

    every = [gain for values in gains.values() for gain, _ in values]
    low, high = (math.asinh(end / (2 * margin)) for end in (min(every), max(every)))
    strips = [
        {
            "name": name,
            "gains": [round(gain) for gain, _ in values],
            "states": [list(_STATES).index(state) for _, state in values],
            "middles": [middle(values, points) for points in nearest],
        }
        for name, values in gains.items()
    ]
    notes = [note(*place) for place in places]
    data = {
        "sliders": [list(first), list(second)],
        "near": nearest,
        "notes": notes,
        "words": list(_STATES),
        "marks": list(_STATES.values()),
        "scale": [2 * margin, low, high],
        "strips": strips,
    }

    def across(value: float) -> float:
        return 14 + 312 * (math.asinh(value / (2 * margin)) - low) / (high - low)

    count = len(nearest[0])
    bottom = 5 * count + 18
    ticks = [10**k for k in range(1, 5)]
    axis = f'<rect x="{across(-margin):.1f}" width="{across(margin) - across(-margin):.1f}" '
    axis += f'height="{bottom}"/>'
    for tick in (0, *ticks, *(-tick for tick in ticks)):
        if min(every) <= tick <= max(every):
            x = f"{across(tick):.1f}"
            axis += f'<line x1="{x}" x2="{x}" y2="{bottom}"/>'
            axis += f'<text x="{x}" y="{bottom + 14}">{tick}</text>'
    axis += f'<text x="170" y="{bottom + 30}">{html.escape(xlabel)}</text>'

    def drawn(strip: dict[str, Any], at: int) -> str:
        """As the page's script does it, for where none runs."""
        order = sorted(nearest[at], key=lambda k: strip["gains"][k])
        told = [strip["states"][k] for k in order]
        shares = ", ".join(f"{word} at {told.count(k)}" for k, word in enumerate(_STATES))
        value, *ends = strip["middles"][at]
        sign = "+" if value > 0 else ""
        left, right = (f"{across(end):.1f}" for end in ends)
        dots = ""
        for row, (k, index) in enumerate(zip(order, told, strict=True)):
            shape, colour = list(_STATES.values())[index]
            place = f"translate({across(strip['gains'][k]):.1f} {5 * (count - row)})"
            dots += f'<path d="{shape}" fill="{colour}" transform="{place}"/>'
        return (
            f"<p><strong>{html.escape(strip['name'])}, of {count}: <span>{shares}</span>.</strong> "
            f"Middle <span>{sign}{value} [{ends[0]}, {ends[1]}]</span>.</p>"
            f'<svg viewBox="0 0 340 {bottom + 34}" role="img" aria-label="The gains in order: '
            f'{", ".join(str(strip["gains"][k]) for k in order)}">{axis}<g>{dots}</g>'
            f'<path class="reach" d="M{left} {bottom - 7}H{right}"/>'
            f'<path class="middle" d="M0-5L5 0L0 5L-5 0Z" '
            f'transform="translate({across(value):.1f} {bottom - 7})"/></svg>'
        )

    here = places.index((*start, picker[1][0]))
    return Template(_NEAR_PAGE).substitute(
        identity="near-" + hashlib.sha256(json.dumps(data).encode()).hexdigest()[:8],
        sliders="".join(
            f"<label><span>{html.escape(name)}</span><output></output>"
            f'<input type="range" min="0" step="1" max="{len(positions) - 1}" '
            f'value="{list(positions).index(at)}"></label>'
            for (name, positions), at in zip(sliders.items(), start, strict=True)
        ),
        picker=html.escape(picker[0]),
        options="".join(f"<option>{html.escape(word)}</option>" for word in picker[1]),
        strips="".join(drawn(strip, here) for strip in strips),
        note=html.escape(notes[here]),
        bottom=bottom - 7,
        legend=", ".join(
            f'<span><svg viewBox="-6 -6 12 12" aria-hidden="true"><path d="{shape}" '
            f'fill="{colour}"/></svg> {word}</span>'
            for word, (shape, colour) in _STATES.items()
        ),
        data=json.dumps(data, separators=(",", ":")),
    )


_STATES = {  # the mark of each: its path about (0, 0), and its fill
    "pays": ("M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z", BLUE),
    "no better": ("M-3.5-3.5H3.5V3.5H-3.5Z", GREY),
    "hurts": ("M-4.5-3.5H4.5L0 4.5Z", VERMILION),
    "open": ("M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z", "none"),  # what it lies on shows through
}

_NEAR_PAGE = """<div class="live-near" id="$identity" role="group" aria-label="your data">
<style>
.live-near { background: #fff; color: #1a1a1a; color-scheme: light; border: 1px solid #6B6B6B;
  border-radius: 6px; padding: 12px; max-width: 30rem; box-sizing: border-box; line-height: 1.5; }
.live-near p { margin: .6em 0 .2em; color: inherit; }
.live-near label { display: flex; flex-wrap: wrap; gap: .1em .75em; align-items: center;
  margin: .3em 0; }
.live-near input { flex: 1 1 13rem; min-width: 0; }
.live-near select { flex: 1 1 13rem; min-width: 0; max-width: 100%; }
.live-near label span { flex: 0 0 9rem; }
.live-near label output { flex: 0 0 2.5rem; text-align: right; font-weight: bold; }
.live-near svg { display: block; width: 100%; height: auto; }
.live-near p svg { display: inline-block; width: .8em; height: .8em; }
.live-near p span { white-space: nowrap; }
.live-near strong span { white-space: normal; }
.live-near rect { fill: #e2e2e2; } .live-near line { stroke: #d0d0d0; }
.live-near text { font-size: 12px; text-anchor: middle; fill: #1a1a1a; }
.live-near g path, .live-near p path { stroke: #1a1a1a; stroke-width: .8; }
.live-near .reach { stroke: #1a1a1a; stroke-width: 2; } .live-near .middle { fill: #1a1a1a; }
.live-near [hidden] { display: none; }
</style>
<div class="controls" hidden>$sliders
<label><span>$picker</span><select>$options</select></label></div>
<p>One mark a task: $legend. Black: the middle, its interval. Grey: the margin.</p>
<div aria-live="polite">$strips
<p class="note">$note</p></div>
<script>
(function () {
  "use strict";
  var box = document.getElementById("$identity"), data = $data;
  var inputs = box.querySelectorAll("input"), picker = box.querySelector("select");
  var scale = data.scale, strips = box.querySelectorAll("svg[role]");
  function across(value) {
    var x = 14 + 312 * (Math.asinh(value / scale[0]) - scale[1]) / (scale[2] - scale[1]);
    return x.toFixed(1);
  }
  function show() {
    var at = 0;
    inputs.forEach(function (input, k) {
      var value = data.sliders[k][input.value];
      at = at * data.sliders[k].length + Number(input.value);
      input.previousElementSibling.textContent = value;
      input.setAttribute("aria-valuetext", value);
    });
    at = at * picker.length + picker.selectedIndex;
    data.strips.forEach(function (strip, k) {
      var svg = strips[k], said = svg.previousElementSibling.querySelectorAll("span");
      var order = data.near[at].slice().sort(function (a, b) {
        return strip.gains[a] - strip.gains[b];
      });
      var counts = data.marks.map(function () { return 0; });
      svg.querySelectorAll("g path").forEach(function (dot, row) {
        var mark = data.marks[strip.states[order[row]]];
        counts[strip.states[order[row]]]++;
        dot.setAttribute("d", mark[0]);
        dot.setAttribute("fill", mark[1]);
        dot.setAttribute("transform", "translate(" + across(strip.gains[order[row]]) + " " +
          5 * (order.length - row) + ")");
      });
      var middle = strip.middles[at];
      said[0].textContent = data.words.map(function (word, n) {
        return word + " at " + counts[n];
      }).join(", ");
      said[1].textContent = (middle[0] > 0 ? "+" : "") + middle[0] + " [" + middle[1] + ", " +
        middle[2] + "]";
      svg.setAttribute("aria-label", "The gains in order: " + order.map(function (point) {
        return strip.gains[point];
      }).join(", "));
      svg.querySelector(".reach").setAttribute("d", "M" + across(middle[1]) + " $bottom" + "H" +
        across(middle[2]));
      svg.querySelector(".middle").setAttribute("transform",
        "translate(" + across(middle[0]) + " $bottom)");
    });
    box.querySelector(".note").textContent = data.notes[at];
  }
  inputs.forEach(function (input) { input.addEventListener("input", show); });
  picker.addEventListener("change", show);
  box.querySelector(".controls").hidden = false;
  show();
  box.dataset.ready = "true";
})();
</script>
</div>"""

"""A sweep's page: one file, no network; what each result does along the grid."""

from __future__ import annotations

import difflib
import html
import io
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill_helpers.sweeps._grid import Grid

Row = Mapping[str, Any]

SEEDS = ("random_state", "replicate")  # axes that repeat a run instead of changing it
MOST_CHARTS, MOST_SERIES = 6, 6
_WIDE, _HIGH = 160, 32  # of a small chart, in its own units

_STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --back: #ffffff; --bad: #b3261e;
  color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3d444d;
  --back: #0d1117; --bad: #ff8b82; } .small svg, .key b { filter: brightness(1.4); } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 0 auto; padding: 1.2rem; max-width: 75rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
p { max-width: 46rem; margin: .4rem 0; } .soft, caption { color: var(--soft); font-size: .9rem; }
.bad { color: var(--bad); } .wide { overflow-x: auto; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr));
  gap: 1rem; }
figure { margin: 0; background: #ffffff; border: 1px solid var(--line); border-radius: 4px; }
figure svg { width: 100%; height: auto; display: block; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
caption { text-align: left; } summary { cursor: pointer; margin: .6rem 0; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; white-space: nowrap; }
.charts + .soft { margin-top: 1.2rem; } .small { width: 100%; max-width: 60rem; }
.small td { padding: .1rem .6rem .1rem 0; } .small th { padding-right: .6rem; }
.small svg { display: block; width: 10rem; height: auto; fill: none; stroke-width: 1.4; }
.small .zero { stroke: var(--line); } .key { margin-right: .6rem; white-space: nowrap; }
@media (max-width: 40rem) { .small tr { display: grid;
  grid-template-columns: 10rem 1fr 1fr; border-bottom: 1px solid var(--line); }
  .small td, .small th { border: 0; align-self: center; }
  .small td:first-child { grid-column: 1 / -1; } .small th:first-child { display: none; } }
"""


def page(grid: Grid, rows: Sequence[Row], points: Sequence[Row], about: Mapping[str, str]) -> str:
    """Render a sweep's tables.

    Parameters
    ----------
    grid : Grid
        What was asked for.
    rows, points : list of dict
        As `Store.tables` returns them.
    about : mapping of str to str
        Digests and versions behind the numbers.

    Returns
    -------
    str
        One HTML file.
    """
    states = {s: [p for p in points if p["state"] == s] for s in ("done", "failed", "missing")}
    title = f"Sweep of chapter {grid.chapter}"
    named = by_result(grid, rows)
    moving = {name: found for name, found in named.items() if _moves(found)}
    still = {name: found for name, found in named.items() if name not in moving}
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>",
        f"<h1>{_text(title)}</h1>",
        f"<p>{_summary(grid, states)}</p>",
        _failures(grid, states["failed"]),
    ]
    large, small = list(moving.items())[:MOST_CHARTS], list(moving.items())[MOST_CHARTS:]
    if large:
        parts += [
            "<h2>What moves along the grid</h2>",
            f'<p class="soft">{_text(_legend(grid))}</p>',
            f'<div class="charts">{"".join(_chart(grid, *one) for one in large)}</div>',
        ]
    if small:
        parts.append(_small(grid, small))
    if still:
        parts += ["<h2>The same at every point</h2>", _still(still)]
    parts += ["<h2>What made it</h2>", _about(about, states["done"]), "</main></body></html>"]
    return "\n".join(part for part in parts if part)


def by_result(grid: Grid, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Gather rows by their result's name, the grid's values in a name put aside.

    "gain at T = 3" and "gain at T = 5" are one result where each stands at the temperature that it
    names: "gain at T = {temperature}".
    """
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["result"]].append(row)
    merged: dict[str, list[Row]] = {}
    for name, members in found.items():
        merged.setdefault(_generic(grid, name, members), []).extend(members)
    return merged


def draw(grid: Grid, name: str, rows: Sequence[Row], *, width: float = 4.4) -> Any:
    """Draw one result along the grid.

    A mark is one run. Where several runs share its place (other seeds, or other values of axes
    that are not shown) a line joins their means and a bar is the 95 % t interval of the mean over
    those runs; where there is one, the bar is the run's own interval.

    Parameters
    ----------
    grid : Grid
        Its first axis that is no seed, numbers first, is drawn along; the next is told apart.
    name : str
        Of the result.
    rows : list of dict
        The result's rows.
    width : float
        In inches.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    along, apart = _axes(grid)
    values = grid.axes[along]
    place, numeric, spread = _places(values)
    figure = Figure(figsize=(width, 0.66 * width), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    series = _series(grid, rows)
    for index, (own, groups) in enumerate(series):
        colour, marker = _colours()[index], "osD^vP"[index]
        shift = 1.0 + 0.025 * (index - (len(series) - 1) / 2) if spread else 1.0
        at = [(place[where] * shift, members) for where, members in groups.items()]
        for x, members in at:
            low, high = interval(members)
            axes.plot([x, x], [low, high], color=colour, linewidth=1.6, alpha=0.9)
            if len(members) > 1:
                own_values = [m["value"] for m in members]
                axes.plot(
                    [x] * len(members), own_values, ".", color=colour, alpha=0.35, markersize=4
                )
        axes.plot(
            [x for x, _ in at],
            [_mean([m["value"] for m in members]) for _, members in at],
            marker=marker,
            markersize=5,
            markeredgecolor="white",
            color=colour,
            linewidth=1 if numeric and along not in SEEDS else 0,
            label=None if apart is None else f"{apart} = {_shown(own)}",
        )
    if spread:
        axes.set_xscale("log")
    if len(values) <= 12:
        axes.set_xticks(list(place.values()), [_shown(v) for v in values])
        axes.minorticks_off()
    units = {row["unit"] for row in rows}
    axes.set_xlabel(along, fontsize=9)
    axes.set_ylabel(units.pop() if len(units) == 1 else "", fontsize=9)
    axes.set_title("\n".join(_wrapped(name, 52)), fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if apart is not None:
        axes.legend(fontsize=7, frameon=False)
    return figure


def chart(out: str | Path, result: str) -> str:
    """Draw one result of a sweep's folder, as its page does.

    Parameters
    ----------
    out : path
        Of the sweep.
    result : str
        As the page names it.

    Returns
    -------
    str
        SVG.

    Raises
    ------
    ValueError
        If there is no such result; the message names one that is near.
    """
    from pyarrow import parquet

    rows = parquet.read_table(Path(out) / "results.parquet").to_pylist()
    if not rows:
        raise ValueError(f"{out} has no results yet; run its sweep")
    names = list(rows[0])[1 : list(rows[0]).index("result")]
    values = {name: {repr(row[name]): row[name] for row in rows} for name in names}
    axes = {name: list(own.values()) for name, own in values.items() if len(own) > 1}
    grid = Grid("", axes or {names[0]: list(values[names[0]].values())}, [])
    known = by_result(grid, rows)
    if result not in known:
        near = difflib.get_close_matches(result, known, n=1) or [next(iter(known))]
        raise ValueError(f"{out} has no result {result!r}; write {near[0]!r}, or see its page")
    return svg(draw(grid, result, known[result], width=6.2))


def svg(figure: Any) -> str:
    """Return a figure as SVG whose text is text; equal figures give equal bytes."""
    import matplotlib

    sink = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "distill"}):
        figure.savefig(sink, format="svg", metadata={"Date": None, "Creator": None})
    text = sink.getvalue()
    return text[text.index("<svg") :]


def interval(rows: Sequence[Row]) -> tuple[float, float]:
    """Return one run's own interval, or the 95 % t interval of the mean over several."""
    values = [row["value"] for row in rows]
    if len(values) == 1:
        low, high = (rows[0][end] for end in ("low", "high"))
        good = [values[0] if e is None or math.isinf(e) else e for e in (low, high)]
        return good[0], good[1]
    from scipy.special import stdtrit  # a third of what scipy.stats takes to import

    mean = _mean(values)
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))
    half = float(stdtrit(len(values) - 1, 0.975)) * error
    return mean - half, mean + half


def describe(grid: Grid, name: str, rows: Sequence[Row]) -> str:
    """Say in words what a chart shows, for those who do not see it."""
    along, apart = _axes(grid)
    told = []
    for own, groups in _series(grid, rows):
        first = "" if apart is None else f"{apart} {_shown(own)}: "
        means = [
            f"{_mean([m['value'] for m in members]):.4g} at {_shown(members[0][along])}"
            for members in groups.values()
        ]
        if means:
            told.append(first + ", ".join(means[:12]))
    unit = rows[0]["unit"]
    return f"{name}{f' ({unit})' if unit else ''} along {along}. {'; '.join(told)}."


def _axes(grid: Grid) -> tuple[str, str | None]:
    """Choose what is drawn along and what is told apart."""
    several = [name for name, values in grid.axes.items() if len(values) > 1]
    changes = [name for name in several if name not in SEEDS]
    numbers = [n for n in changes if isinstance(grid.axes[n][0], int | float)]
    order = [*numbers, *(n for n in changes if n not in numbers)]
    if not order:
        return (several or list(grid.axes))[0], None
    return order[0], order[1] if len(order) > 1 else None


def _series(grid: Grid, rows: Sequence[Row]) -> list[tuple[Any, dict[str, list[Row]]]]:
    """Part rows by the value that tells apart, within by the value drawn along, in its order."""
    along, apart = _axes(grid)
    place, *_ = _places(grid.axes[along])
    found = []
    for own in grid.axes[apart][:MOST_SERIES] if apart else [None]:
        groups: dict[str, list[Row]] = {where: [] for where in sorted(place, key=place.__getitem__)}
        for row in rows:
            if apart is None or repr(row[apart]) == repr(own):
                groups[repr(row[along])].append(row)
        found.append((own, {where: members for where, members in groups.items() if members}))
    return found


def _places(values: Sequence[Any]) -> tuple[dict[str, float], bool, bool]:
    """Return where each value stands, whether they are numbers, and whether a log scale is due."""
    numeric = isinstance(values[0], int | float)
    place = {repr(v): float(v) if numeric else float(i) for i, v in enumerate(values)}
    return place, numeric, numeric and min(values) > 0 and max(values) >= 10 * min(values)


def _colours() -> tuple[str, ...]:
    from distill_helpers.figures import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

    return BLUE, VERMILION, GREEN, PURPLE, ORANGE, GREY


def _chart(grid: Grid, name: str, rows: Sequence[Row]) -> str:
    told = _text(describe(grid, name, rows))
    picture = svg(draw(grid, name, rows)).replace("<svg", f'<svg role="img" aria-label="{told}"', 1)
    return f"<figure>{picture}</figure>"


def _small(grid: Grid, named: Sequence[tuple[str, Sequence[Row]]]) -> str:
    """Draw results as rows of a table: matplotlib would take a second for every fifteen."""
    along, apart = _axes(grid)
    keys = " ".join(
        f'<span class="key"><b style="color:{colour}">&#9632;</b> {_text(apart)} = '
        f"{_text(_shown(own))}</span>"
        for own, colour in zip(grid.axes[apart] if apart else (), _colours(), strict=False)
    )
    body = []
    for name, rows in named:
        groups = defaultdict(list)
        for row in rows:
            groups[repr(row[along]), repr(apart and row[apart])].append(row["value"])
        means = [_mean(values) for values in groups.values()]
        unit = f' <span class="soft">({_text(rows[0]["unit"])})</span>' if rows[0]["unit"] else ""
        body.append(
            f"<tr><td>{_text(name)}{unit}</td><td>{_strip(grid, name, rows)}</td>"
            f"<td class=n>{min(means):.4g}</td><td class=n>{max(means):.4g}</td></tr>"
        )
    return (
        f'<p class="soft">{len(named)} more, in the order of the chapter, each on a scale of its '
        "own; least and most are of its marks, and a grey line is 0. Any of them is drawn large by "
        f"<code>distill_helpers.sweeps.chart(folder, result)</code>. {keys}</p>"
        f'<table class="small"><thead><tr><th>result</th><th>along {_text(along)}</th>'
        '<th class="n">least</th><th class="n">most</th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def _strip(grid: Grid, name: str, rows: Sequence[Row]) -> str:
    """Draw one result in the height of a line: means joined, intervals as bars."""
    along, _ = _axes(grid)
    place, numeric, spread = _places(grid.axes[along])
    if spread:
        place = {where: math.log(x) for where, x in place.items()}
    marks = [
        [
            (place[where], _mean([m["value"] for m in members]), *interval(members))
            for where, members in groups.items()
        ]
        for _, groups in _series(grid, rows)
    ]
    heights = [height for series in marks for mark in series for height in mark[1:]]
    left, right = min(place.values()), max(place.values())
    low, high = min(heights, default=0.0), max(heights, default=0.0)

    def at(x: float, y: float, shift: float = 0.0) -> tuple[str, str]:
        across, up = (x - left) / ((right - left) or 1), (y - low) / ((high - low) or 1)
        return f"{12 + shift + across * (_WIDE - 24):.1f}", f"{_HIGH - 3 - up * (_HIGH - 6):.1f}"

    drawn = []
    if low < 0 < high:
        drawn.append(f'<path class="zero" d="M0 {at(left, 0)[1]}H{_WIDE}"/>')
    for index, (colour, series) in enumerate(zip(_colours(), marks, strict=False)):
        shift = 3.5 * (index - (len(marks) - 1) / 2)
        bars, dots, line = "", "", ""
        for x, middle, bottom, top in series:
            across, up = at(x, middle, shift)
            bars += f"M{across} {at(x, bottom)[1]}V{at(x, top)[1]}"
            dots += f'<circle cx="{across}" cy="{up}" r="2.2"/>'
            line += f"{'L' if line else 'M'}{across} {up}"
        if not numeric or along in SEEDS:
            line = ""
        drawn.append(
            f'<g stroke="{colour}"><path d="{bars}" opacity=".5"/><path d="{line}"/></g>'
            f'<g fill="{colour}">{dots}</g>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img"><title>'
        f"{_text(describe(grid, name, rows))}</title>{''.join(drawn)}</svg>"
    )


def _legend(grid: Grid) -> str:
    along, apart = _axes(grid)
    shown = [along] if apart is None else [along, apart]
    hidden = [n for n, v in grid.axes.items() if len(v) > 1 and n not in shown]
    told = f"Each result along {along}" + ("" if apart is None else f", told apart by {apart}")
    if apart is not None and len(grid.axes[apart]) > MOST_SERIES:
        told += f" (its first {MOST_SERIES} values; the table has all)"
    if hidden:
        told += (
            f". Dots are single runs, marks their means over {' and '.join(hidden)}, and bars the "
            "95 % t intervals of those means"
        )
    else:
        told += ". Marks are single runs, bars their own intervals as the chapter records them"
    return told + ". These are many results looked at together: no verdicts."


def _summary(grid: Grid, states: Mapping[str, Sequence[Row]]) -> str:
    axes = "; ".join(f"{n} = {_several(v)}" for n, v in grid.axes.items())
    told = f"{len(states['done'])} of {len(grid.points)} points are done"
    told += "".join(f", {len(states[s])} {s}" for s in ("failed", "missing") if states[s])
    seconds = [p["seconds"] for p in states["done"] if p["seconds"] is not None]
    if seconds:
        middle = sorted(seconds)[len(seconds) // 2]
        told += (
            f"; a point takes {middle:.0f} s (median)"
            if middle >= 10
            else (f"; a point takes {middle:.1f} s (median)")
        )
    return (
        f"{_text(axes)}. {_text(told)}. The numbers are in <code>results.csv</code> and "
        "<code>results.parquet</code>, one row for each result of each point; each run is whole in "
        "<code>notebooks/</code>."
    )


def _failures(grid: Grid, failed: Sequence[Row]) -> str:
    if not failed:
        return ""
    rows = "".join(
        f"<tr><td>{_text(', '.join(f'{n} = {_shown(p[n])}' for n in grid.axes))}</td>"
        f'<td class="bad">{_text(p["error"])}</td></tr>'
        for p in failed[:50]
    )
    more = f"<p>{len(failed) - 50} more are in points.csv.</p>" if len(failed) > 50 else ""
    return (
        "<h2>What failed</h2><div class=wide><table><thead><tr><th>point</th><th>error</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div>{more}"
    )


def _still(named: Mapping[str, Sequence[Row]]) -> str:
    rows = "".join(
        f"<tr><td>{_text(name)}</td><td class=n>{found[0]['value']:.6g} "
        f"{_text(found[0]['unit'])}</td></tr>"
        for name, found in named.items()
    )
    return (
        f"<details><summary>{len(named)} results that the grid does not move</summary>"
        f"<div class=wide><table><tbody>{rows}</tbody></table></div></details>"
    )


def _about(about: Mapping[str, str], done: Sequence[Row]) -> str:
    machines = sorted({str(p["machine"]) for p in done if p["machine"]})
    told = [f"{name} {value}" for name, value in about.items()]
    if machines:
        told.append(f"run on {' and '.join(machines)}")
    words = "; ".join(told) + "."
    if len(machines) > 1:
        words += " Numbers from machines of two kinds may differ in their last digits."
    return f'<p class="soft">{_text(words)}</p>'


def _moves(rows: Sequence[Row]) -> bool:
    return len({row["value"] for row in rows}) > 1


def _generic(grid: Grid, name: str, rows: Sequence[Row]) -> str:
    """Put a parameter's name where a result's name holds its value."""
    for axis, values in grid.axes.items():
        own = {repr(row[axis]) for row in rows}
        # a name that stands at several values does not speak of this one ("T^2 missing" at T = 2)
        if len(values) > 1 and len(own) == 1 and axis not in SEEDS:
            value = rows[0][axis]
            text = re.escape(f"{value:g}" if isinstance(value, float) else str(value))
            name = re.sub(rf"(?<![\w.^]){text}(?:\.0)?(?![\w.])", f"{{{axis}}}", name)
    return name


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _several(values: Sequence[Any]) -> str:
    if len(values) > 8:
        return f"{_shown(values[0])}, {_shown(values[1])}, ..., {_shown(values[-1])}"
    return ", ".join(map(_shown, values))


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)[:3]


def _text(value: object) -> str:
    return html.escape(str(value))

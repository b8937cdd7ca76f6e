"""The page: one file, no network, light and dark, on a phone and on paper."""

from __future__ import annotations

import html
import math
from typing import Any

from distill_helpers.report._forecast import in_words

NAMES = {
    "class shares": "always the classes' shares",
    "one network": "one network of the teachers' kind",
    "ensemble": "the teacher",
    "hard labels": "student, hard labels",
    "smoothed labels": "student, smoothed labels",
    "distilled from one": "student, distilled from one",
    "distilled": "student, distilled",
}

_STYLE = """
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --back: #ffffff; --card: #f6f8fa;
  --good: #1a7f37; --bad: #b3261e; --open: #6e7781; --mark: #0b5cad; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3d444d;
  --back: #0d1117; --card: #161b22; --good: #56d364; --bad: #ff8b82; --open: #9aa4af;
  --mark: #79b8ff; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  margin: 0 auto; padding: 1.2rem; max-width: 60rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; line-height: 1.2; }
h2 { font-size: 1.15rem; margin: 2rem 0 .4rem; }
p { margin: .4rem 0; max-width: 44rem; }
.soft, caption, footer { color: var(--soft); font-size: .9rem; }
.flags { border-left: 4px solid var(--bad); background: var(--card); padding: .5rem .9rem;
  margin: .9rem 0; }
.flags ul { margin: .3rem 0; padding-left: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; }
caption { text-align: left; padding-bottom: .3rem; }
.verdict { font-weight: 600; }
.holds { color: var(--good); } .wrong { color: var(--bad); } .open { color: var(--open); }
svg { width: 100%; height: auto; display: block; font-size: 13px; }
svg text { fill: var(--ink); }
svg .soft { fill: var(--soft); font-size: inherit; }
.narrow { display: none; }
td:first-child { min-width: 8.5rem; } .verdict { display: inline-block; min-width: 9rem; }
@media (max-width: 40rem) { body { padding: .8rem; font-size: 15px; } h1 { font-size: 1.4rem; }
  .narrow { display: block; } .broad { display: none; } }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; }
  table, svg { break-inside: avoid; } }
"""

_CLASSES = {
    "holds": "holds",
    "wrong": "wrong",
    "reversed, smaller than the margin": "wrong",
}


def page(found: dict[str, Any]) -> str:
    """Render what ``report.json`` holds.

    Parameters
    ----------
    found : dict
        Of a `Report`.
    """
    data, decision = found["data"], found["decision"]
    title = f"Should you distil on {data['name']}?"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>",
        f'<p class="soft">{_text(title)}</p>',
        f"<h1>{_text(decision['do'])}</h1><p>{_text(decision['why'])}</p>",
        _contract(found),
        _flags(found["flags"]),
        _forest(found["answers"], found["margin"], "broad", 720),
        _forest(found["answers"], found["margin"], "narrow", 360),
        _answers(found["answers"], found["margin"]),
        f"<p>{_text(in_words(found['forecast']))}</p>" if found["forecast"] else "",
        "<h2>How well each does on rows it has not seen</h2>",
        _arms(found),
        "<h2>How small the student can be</h2>",
        _sizes(found),
        "<h2>What it costs</h2>",
        _costs(found),
        "<h2>How this was measured</h2>",
        _method(found),
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _text(value: object) -> str:
    return html.escape(str(value))


def _number(
    estimate: dict[str, float],
    factor: float = 1.0,
    digits: int = 3,
    least: float = -math.inf,
    most: float = math.inf,
) -> str:
    """Show an estimate, its interval cut off at what is possible; ``report.json`` has it whole."""
    value, low, high = (estimate[key] * factor for key in ("value", "low", "high"))
    low, high = max(low, least), min(high, most)
    return f"{value:.{digits}f} <span class=soft>[{low:.{digits}f}, {high:.{digits}f}]</span>"


def _share(accuracy: dict[str, float]) -> str:
    return _number(accuracy, 100, 1, 0, 100)


def _flags(flags: list[str]) -> str:
    if not flags:
        return ""
    items = "".join(f"<li>{_text(flag[0].upper() + flag[1:])}.</li>" for flag in flags)
    return f'<div class="flags"><strong>Look at these first.</strong><ul>{items}</ul></div>'


def _contract(found: dict[str, Any]) -> str:
    if found["contract"] is None:
        return ""
    head, rest = contract_in_words(found)
    return f"<p><strong>{head}</strong>{rest}</p>"


def contract_in_words(found: dict[str, Any]) -> tuple[str, str]:
    """Return what became of the contract, and the rest of the sentence."""
    contract = found["contract"]
    terms = []
    if contract["budget_us"] is not None:
        terms.append(f"at most {contract['budget_us']:g} µs per prediction")
    if contract["floor"] is not None:
        terms.append(f"accuracy surely at {contract['floor']:.1%} or above")
    if contract["budget_us"] is not None and found["costs"]["c"] is None:
        return (
            "Whether a student meets the contract is not known",
            f" ({' and '.join(terms)}): no C compiler was found, so that no time was measured. "
            "Install one, such as gcc, and run the report again; or leave the budget out.",
        )
    if not contract["met_by"]:
        return "No student meets the contract", f": {' and '.join(terms)}."
    best = contract["met_by"][0]
    return (
        "The contract is met",
        f" ({' and '.join(terms)}): the smallest such "
        f"student has {best['parameters']:,} parameters and learns from "
        f"{'the teacher' if best['arm'] == 'distilled' else 'hard labels'}. It is the one handed "
        "over.",
    )


def _forest(answers: list[dict[str, Any]], margin: float, kind: str, width: int) -> str:
    """Draw every difference with its interval; to the right is better."""
    shown = [a for a in answers if a["other"] != "class shares"]
    ends = [abs(a["gain"][key]) for a in shown for key in ("low", "high")]
    limit = max(1.15 * max(ends), 2 * margin)
    left, right, row = 16, 16, 46 if width > 500 else 62
    height = row * len(shown) + 46

    def x(value: float) -> float:
        return left + (value / limit + 1) / 2 * (width - left - right)

    label = "; ".join(
        f"{NAMES[a['one']]} against {NAMES[a['other']]}: {a['gain']['value']:+.3f} nats"
        for a in shown
    )
    parts = [
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{_text(label)}">',
        f'<rect x="{x(-margin):.1f}" y="0" width="{x(margin) - x(-margin):.1f}" '
        f'height="{height - 40}" fill="var(--card)"/>',
        f'<line x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - 40}" stroke="var(--soft)"/>',
    ]
    for place, a in enumerate(shown):
        y = row * (place + 1) - 14
        colour = {"holds": "good", "wrong": "bad"}.get(_CLASSES.get(a["verdict"], ""), "open")
        low, high, value = (x(a["gain"][key]) for key in ("low", "high", "value"))
        other = f"against {NAMES[a['other']]}"
        words = f'<text x="{left}" y="{y - 14}">{_text(NAMES[a["one"]])} '
        words += f'<tspan class="soft">{_text(other)}</tspan></text>'
        if width < 500:  # on two lines
            words = f'<text x="{left}" y="{y - 30}">{_text(NAMES[a["one"]])}</text>'
            words += f'<text x="{left}" y="{y - 14}" class="soft">{_text(other)}</text>'
        parts.append(
            f"{words}"
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="var(--{colour})" '
            f'stroke-width="3"/><circle cx="{value:.1f}" cy="{y}" r="5.5" fill="var(--{colour})"/>'
        )
    y = height - 24
    step = 10 ** math.floor(math.log10(limit))
    step = next(s for s in (step, step / 2, step / 5) if limit / s >= 2)
    most = math.floor(limit / step)
    every = 2 if width < 500 and most > 2 else 1
    for tick in (k * step for k in range(-most, most + 1) if k % every == 0):
        parts.append(
            f'<text class="soft" x="{x(tick):.1f}" y="{y}" text-anchor="middle">{tick:+.3g}</text>'
        )
    parts.append(
        f'<text class="soft" x="{width / 2}" y="{height - 6}" text-anchor="middle">gain in NLL, '
        "nats: right is better</text></svg>"
    )
    return "".join(parts)


def _answers(answers: list[dict[str, Any]], margin: float) -> str:
    rows = []
    for a in answers:
        kind = _CLASSES.get(a["verdict"], "open")
        remark = f'<br><span class="soft">{_text(a["remark"])}</span>' if a["remark"] else ""
        rows.append(
            f'<tr><td>{_text(a["question"])}</td><td><span class="verdict {kind}">'
            f"{_text(a['words'])}</span>{remark}</td><td class=n>{_number(a['gain'])}</td>"
            f"<td class=n>{_number(a['accuracy'], 100, 1)}</td></tr>"
        )
    return (
        "<div class=wide><table><caption>Gains with 95 % intervals, judged together. Shaded "
        f"above: within {margin:g} nats, too small to matter."
        "</caption><thead><tr><th>Question</th><th>Answer</th><th class=n>gain in NLL, nats</th>"
        f"<th class=n>in accuracy, points</th></tr></thead><tbody>{''.join(rows)}</tbody></table>"
        "</div>"
    )


def _arms(found: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{_text(NAMES[arm])}</td><td class=n>{_share(s['accuracy'])}</td>"
        f"<td class=n>{_number(s['nll'], least=0)}</td>"
        f"<td class=n>{_number(s['calibrated_nll'], least=0)}</td></tr>"
        for arm, s in found["arms"].items()
    )
    return (
        "<div class=wide><table><caption>Means over splits, with 95 % intervals. Where the last "
        "column is lower than the one before, one fitted temperature is worth having."
        "</caption><thead><tr><th>Who</th><th class=n>accuracy, %</th><th class=n>NLL, nats</th>"
        f"<th class=n>NLL, calibrated</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _sizes(found: dict[str, Any]) -> str:
    by_shape: dict[int, dict[str, Any]] = {}
    for row in found["sizes"]:
        by_shape.setdefault(row["parameters"], {})[row["arm"]] = row
    rows = []
    for count, arms in by_shape.items():
        one = next(iter(arms.values()))
        speed = "" if one["microseconds"] is None else f"{one['microseconds']:.2f}"
        rows.append(
            f"<tr><td>{', '.join(map(str, one['hidden']))}</td><td class=n>{count:,}</td>"
            f"<td class=n>{_share(arms['hard labels']['accuracy'])}</td>"
            f"<td class=n>{_share(arms['distilled']['accuracy'])}</td>"
            f"<td class=n>{speed}</td></tr>"
        )
    return (
        "<div class=wide><table><caption>Smaller students at the settings of the largest, which "
        "were not tuned again.</caption><thead><tr><th>hidden</th><th class=n>parameters</th>"
        "<th class=n>accuracy, hard labels</th><th class=n>accuracy, distilled</th>"
        "<th class=n>µs, as C</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _costs(found: dict[str, Any]) -> str:
    costs, seconds, student = found["costs"], found["training_seconds"], found["student"]
    taught = "the teacher" if student["arm"] == "distilled" else student["arm"]
    words = [
        f"The student handed over has {student['parameters']:,} parameters; it learnt "
        f"from {taught}."
    ]
    if costs["c"] is not None:
        words.append(f"As C it answers one row in {costs['c']:.2f} µs on this machine.")
    words.append(f"In ONNX Runtime it takes {costs['student']:.1f} µs.")
    if costs["teacher"] is not None:
        words.append(
            f"The ensemble ({costs['parameters_of_teacher']:,} parameters) takes "
            f"{costs['teacher']:.1f} µs there."
        )
    words.append(
        f"Tuning on all rows took {seconds['tuning']:.1f} s, training the teacher "
        f"{seconds['teachers']:.1f} s, the students {seconds['students']:.1f} s."
    )
    if costs["pays_after"] is not None:
        words.append(
            f"Served instead of the ensemble, the student has paid for the training of all arms' "
            f"students after {costs['pays_after']:,} predictions."
        )
    return f"<p>{_text(' '.join(words))}</p>"


def _method(found: dict[str, Any]) -> str:
    data, teacher = found["data"], found["teacher"]
    classes = ", ".join(f"{name} ({count:,})" for name, count in data["classes"].items())
    more = data["unlabelled_rows"]
    sentences = [
        f"{data['rows']:,} rows, {data['columns']} columns ({data['features']} features), "
        f"{len(data['classes'])} classes of {data['target']}: {classes}.",
        f"{more:,} more rows without labels taught the distilled students." if more else "",
        f"Split {data['split']}: {data['splits']} splits of {data['train_rows']:,} rows to train "
        f"and {data['test_rows']:,} to test.",
        f"Teacher: {teacher['name']}"
        + (
            f", hidden widths {', '.join(map(str, teacher['hidden']))}"
            if "hidden" in teacher
            else ""
        )
        + ".",
        *teacher["remarks"],
        "Every arm was tuned by the same protocol: 44 trials of learning rate, weight decay and "
        "one softness of its own, judged by NLL on rows held out of training and of every test.",
        f"{found['edges']['chosen']} of {found['edges']['of']} chosen settings lie at an end of "
        "their grid.",
        "Intervals are those of Nadeau and Bengio (2003) for repeated cross-validation; the "
        "verdicts are right together with a chance of 95 %, as far as those intervals hold.",
        f"All of it took {found['seconds']:.0f} s.",
    ]
    return f'<p class="soft">{_text(" ".join(s for s in sentences if s))}</p>'

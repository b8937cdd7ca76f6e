"""How results and verdicts leave a notebook, and how they are written in a sentence.

A cell that measures something ends in `record`: its output holds the results as JSON beside a
table of the same. `read` takes them out of an executed notebook again, with nbformat alone.

Shares and differences of shares are fractions in Python (0.978, 0.007) and turn into percent and
percentage points here, at the door. An estimate that names its own unit is in that unit already.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from distill_helpers._estimates import Estimate
from distill_helpers._machine import fingerprint
from distill_helpers.claims import Declared, Family
from distill_helpers.verdicts import verdicts

MIME = "application/vnd.distill.results+json"
VERDICTS = (
    "holds",
    "holds with a condition",
    "wrong",
    "no difference",
    "reversed, smaller than the margin",
    "undecided",
    "exploratory",  # no verdict: a plain interval
)
METADATA_KEY = "distill"

_RESULT_KEYS = ("name", "value", "low", "high", "level", "n", "unit")
_VERDICT_KEYS = ("claim", "source", "prediction", "result", "verdict")
_HUNDREDFOLD = ("%", "points")
_CHAPTER = re.compile(r"[0-9]{2}|[a-z]+(-[a-z]+)*")
_LONG_INTERVAL = re.compile(r"\(95 % interval: (.+?) to (.+?)\)")
_ALONE = re.compile(r"alone it would be \*(.+?)\*, among (\d+) claims it is not")
_ELSEWHERE = re.compile(r"see chapter \d\d")  # which judges it


# -- what leaves the notebook ---------------------------------------------------------------------


def result(
    name: str,
    value: Any,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    level: float | None = None,
    n: int | None = None,
) -> dict[str, Any]:
    """Make one result, to be handed to `record`.

    Parameters
    ----------
    name
        Unique in the chapter, readable on its own: "gap recovered, ensemble at T = 3".
    value
        A number, or an estimate with `value`, `low`, `high`, `level` and `n`
        (`statistics.Estimate`). With unit "%" or "points" a fraction, 0.978 for 97.8 %, unless
        it is an estimate that names its own unit.
    unit
        "%" for shares, "points" for differences of shares, else as it should be read: "s", "MB",
        "" for a bare number, or the unit that the estimate names.
    low, high
        The interval of a plain number. Without `level` it is a tolerance. A trained number
        without an interval has to come out equal on every machine.
    level
        The interval's coverage: 0.95.
    n
        How many replicates the interval is about (teacher sets, test samples).

    Returns
    -------
    dict
        Six significant digits. An end that is infinite is None; so are both where there is no
        interval, and then `level` is None too.

    Raises
    ------
    TypeError, ValueError
        With one line, where a number is missing, NaN, out of order or a percentage where a
        fraction belongs.

    Examples
    --------
    >>> result("accuracy of the student", 0.972, unit="%", n=1000)["value"]
    97.2
    """
    _line(name, "a result's name")
    where = f"result {name!r}"
    scale = 100 if unit in _HUNDREDFOLD else 1
    if hasattr(value, "low"):
        own = getattr(value, "unit", "")
        if own:
            scale = 1
        if own and unit and own != unit:
            raise ValueError(f"{where} has unit {unit!r}, its estimate {own!r}; give only one.")
        unit = unit or own
        low, high, level, n = value.low, value.high, value.level, value.n
        value = value.value
    elif scale == 100 and abs(_finite(value, f"the value of {where}")) > 10:
        raise ValueError(
            f"{where} is {value} with unit {unit!r}; give a fraction, such as 0.978 for 97.8 %."
        )
    number = _finite(value, f"the value of {where}")
    ends = [_end(low, f"the low end of {where}"), _end(high, f"the high end of {where}")]
    if ends[0] is not None and ends[1] is not None and ends[0] > ends[1]:
        raise ValueError(f"{where} has low {low} above high {high}; swap them.")
    if level is not None and not 0 < float(level) < 1:
        raise ValueError(f"{where} has level {level}; it must be between 0 and 1, such as 0.95.")
    return {
        "name": name,
        "value": _digits(scale * number),
        "low": None if ends[0] is None else _digits(scale * ends[0]),
        "high": None if ends[1] is None else _digits(scale * ends[1]),
        "level": None if level is None else float(level),
        "n": None if n is None else int(n),
        "unit": unit,
    }


def verdict(
    claim: str, verdict: str, *, source: str, prediction: str, result: str
) -> dict[str, str]:
    """Make one verdict, to be handed to `record`.

    Parameters
    ----------
    claim
        What is put to the test, in a sentence.
    verdict
        One of `VERDICTS`, such as "wrong" or "see chapter 05".
    source
        Who claims it: "the article, claim 1".
    prediction
        What was predicted before the run, with the smallest effect that would matter.
    result
        What was found, with its interval.

    Raises
    ------
    ValueError
        Where a part is empty or the verdict is no word of the book's.

    Examples
    --------
    >>> verdict("The ensemble sets the ceiling.", "wrong", source="the article, claim 2",
    ...         prediction="no student above the ensemble", result="3 of 200 are")["verdict"]
    'wrong'
    """
    made = {
        "claim": claim,
        "source": source,
        "prediction": prediction,
        "result": result,
        "verdict": verdict,
    }
    for key, text in made.items():
        _line(text, f"the {key} of the verdict on {claim!r}")
    if not _is_verdict(verdict):
        raise ValueError(
            f"the verdict on {claim!r} is {verdict!r}; it must be one of {', '.join(VERDICTS)}, "
            'or "see chapter NN".'
        )
    return made


def record(
    chapter: str,
    results: Iterable[Mapping[str, Any]] = (),
    verdicts: Iterable[Mapping[str, str]] = (),
) -> None:
    """Display results and verdicts as the output of this cell: JSON beside a table of the same.

    A chapter may call it in several cells; a name is recorded once in the whole chapter.

    Parameters
    ----------
    chapter
        Two digits: "00".
    results
        Made by `result`.
    verdicts
        Made by `verdict`.

    Raises
    ------
    ValueError
        Where there is nothing to record, or a name or claim comes twice.
    """
    payload: dict[str, Any] = {
        "schema": 1,
        "chapter": chapter,
        "results": [dict(entry) for entry in results],
        "verdicts": [dict(entry) for entry in verdicts],
    }
    validate(payload)
    blocks = []
    if payload["results"]:
        blocks.append(
            (
                [[r["name"], _value(r), _interval(r), _count(r["n"])] for r in payload["results"]],
                ["result", "value", "interval", "n"],
            )
        )
    if payload["verdicts"]:
        blocks.append(
            (
                [[v[key] for key in _VERDICT_KEYS] for v in payload["verdicts"]],
                list(_VERDICT_KEYS),
            )
        )
    _display(
        {
            MIME: payload,
            "text/markdown": "\n\n".join(_markdown_table(*block) for block in blocks),
            "text/plain": "\n\n".join(_plain_table(*block) for block in blocks),
        }
    )


def validate(payload: Any) -> None:
    """Raise ValueError, with one line, where a results output is not as it should be.

    Examples
    --------
    >>> validate({"schema": 1, "chapter": "00", "results": [], "verdicts": []})
    Traceback (most recent call last):
    ValueError: chapter 00 records nothing; give results or verdicts.
    """
    if not isinstance(payload, Mapping) or payload.get("schema") != 1:
        raise ValueError(
            "a results output must be a mapping with schema 1; call record to make it."
        )
    if set(payload) != {"schema", "chapter", "results", "verdicts"}:
        raise ValueError(
            f"a results output has the keys {', '.join(sorted(payload))}; "
            "it must have schema, chapter, results and verdicts."
        )
    chapter = payload["chapter"]
    if not (isinstance(chapter, str) and _CHAPTER.fullmatch(chapter)):
        raise ValueError(
            f'chapter is {chapter!r}; it must be two digits, such as "00", or the name of a page, '
            'such as "what-soft-targets-buy".'
        )
    if not payload["results"] and not payload["verdicts"]:
        raise ValueError(f"chapter {chapter} records nothing; give results or verdicts.")
    for entry in payload["results"]:
        if set(entry) != set(_RESULT_KEYS):
            raise ValueError(f"a result is {dict(entry)}; make it with result(name, value).")
        where = f"result {entry['name']!r}"
        _finite(entry["value"], f"the value of {where}")
        for key in ("low", "high", "level", "n"):
            if entry[key] is not None:
                _finite(entry[key], f"{key} of {where}")
    for entry in payload["verdicts"]:
        if set(entry) != set(_VERDICT_KEYS) or not _is_verdict(entry["verdict"]):
            raise ValueError(f"a verdict is {dict(entry)}; make it with verdict(claim, word, ...).")
    for kind, key in (("results", "name"), ("verdicts", "claim")):
        for text, times in Counter(entry[key] for entry in payload[kind]).items():
            if times > 1:
                raise ValueError(
                    f"chapter {chapter} records {text!r} {times} times; give each its own {key}."
                )


def read(notebook: Any) -> dict[str, Any]:
    """Take the results and verdicts out of an executed notebook.

    Parameters
    ----------
    notebook
        A path, or a notebook that nbformat has read.

    Returns
    -------
    dict
        `schema`, `chapter`, `results`, `verdicts`: all the notebook's results outputs as one.

    Raises
    ------
    ValueError
        Where there are none, they belong to two chapters, one is malformed, or the notebook did not
        run to its end: what a stopped run recorded may lack what would have come after.
    """
    if isinstance(notebook, (str, Path)):
        import nbformat

        name = str(notebook)
        notebook = nbformat.read(name, as_version=4)
    else:
        name = "the notebook"
    payloads = [
        output["data"][MIME]
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
    if not payloads:
        raise ValueError(f"{name} holds no results; execute it, or let a cell call record.")
    stop = unfinished(notebook)
    if stop:
        raise ValueError(f"{name} did not run to its end: {stop}; run all of it.")
    for payload in payloads:
        validate(payload)
    chapters = sorted({payload["chapter"] for payload in payloads})
    if len(chapters) > 1:
        raise ValueError(f"{name} records results of chapters {' and '.join(chapters)}; one each.")
    whole = {
        "schema": 1,
        "chapter": chapters[0],
        "results": [dict(entry) for payload in payloads for entry in payload["results"]],
        "verdicts": [dict(entry) for payload in payloads for entry in payload["verdicts"]],
    }
    validate(whole)
    return whole


@dataclass(frozen=True)
class Recorded:
    """A result that a notebook recorded, as a number that figures and sentences take.

    Attributes
    ----------
    value, low, high : float
        In `unit`: 0.7 for 0.7 points. An interval's missing end is infinite; where there is
        neither interval nor tolerance, both ends are the value.
    level : float or None
        Coverage of the interval; None for a tolerance or none.
    n : int or None
        Replicates.
    unit : str
        As recorded.
    """

    value: float
    low: float
    high: float
    level: float | None
    n: int | None
    unit: str

    def __str__(self) -> str:
        """Return "value [low, high] unit" with no more digits than the interval supports."""
        entry = result("a number", self)
        decimals = _decimals(entry)
        ends = ""
        if self.level is not None:
            ends = f" [{_rounded(self.low, decimals)}, {_rounded(self.high, decimals)}]"
        return f"{_rounded(self.value, decimals)}{ends} {self.unit}".rstrip()


def recorded(whole: Mapping[str, Any]) -> dict[str, Recorded]:
    """Give the results that `read` returns by their names.

    Parameters
    ----------
    whole
        What `read` returns.

    Examples
    --------
    >>> gain = result("gain", 0.007, low=0.006, high=0.008, level=0.95, unit="points")
    >>> print(recorded({"results": [gain]})["gain"])
    0.70 [0.60, 0.80] points
    """
    found = {}
    for entry in whole["results"]:
        bare = entry["level"] is None
        low, high = (
            (entry["value"] if bare else sign * math.inf) if end is None else end
            for sign, end in ((-1, entry["low"]), (1, entry["high"]))
        )
        found[entry["name"]] = Recorded(
            entry["value"], low, high, entry["level"], entry["n"], entry["unit"]
        )
    return found


def unfinished(notebook: Any) -> str:
    """Say where a notebook stopped before its end; empty where it ran through.

    papermill counts ``sys.exit(0)`` as success, and after a timeout calls every cell completed. So
    the cells are asked: each that holds code has to have a number, and none an error. A kernel that
    dies (of too little memory, say) may have numbered its last cell already; where the times of its
    messages are kept, as papermill keeps them, there is none of a reply.

    Parameters
    ----------
    notebook
        One that nbformat has read.

    Examples
    --------
    >>> unfinished({"cells": [{"cell_type": "code", "source": "1 / 0", "execution_count": None}]})
    'code cell 1 was not run (1 / 0)'
    """
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(cells, start=1):
        source = "".join(cell["source"])
        where = f"code cell {number}"
        begins = " ".join(source.split())[:40]
        errors = [o["ename"] for o in cell.get("outputs", []) if o["output_type"] == "error"]
        if errors:
            return f"{where} ended in {errors[0]} ({begins})"
        if cell.get("metadata", {}).get("papermill", {}).get("exception"):
            return f"{where} failed ({begins})"
        times = cell.get("metadata", {}).get("execution", {})
        if times and "shell.execute_reply" not in times:
            return f"{where} lost its kernel ({begins})"
        if source.strip() and cell.get("execution_count") is None:  # an empty cell never runs
            return f"{where} was not run ({begins})"
    return ""


# -- numbers in sentences and tables --------------------------------------------------------------


def percent(value: Any, *, interval: bool = True, decimals: int | None = None) -> str:
    """Write a share (a fraction) in percent.

    Parameters
    ----------
    value
        A fraction, an estimate of one, or an estimate whose own unit is "%".
    interval
        Add the estimate's interval.
    decimals
        Digits after the point; as many as the interval supports where it is None.

    Examples
    --------
    >>> percent(0.978, decimals=1)
    '97.8 %'
    """
    return _written(value, "%", interval, decimals)


def points(value: Any, *, interval: bool = True, decimals: int | None = None) -> str:
    """Write a difference of shares (a fraction) in percentage points; as `percent` does.

    Examples
    --------
    >>> points(0.007, decimals=2)
    '0.70 points'
    """
    return _written(value, "points", interval, decimals)


def number(
    value: Any, unit: str = "", *, interval: bool = True, decimals: int | None = None
) -> str:
    """Write a number that is no share, or an estimate in its own unit; as `percent` does.

    Examples
    --------
    >>> number(559896), number(13.368, decimals=1), number(0.0324, "nats", decimals=3)
    ('559,896', '13.4', '0.032 nats')
    """
    return _written(value, unit, interval, decimals)


def thousandths(value: Any, *, interval: bool = True, decimals: int = 1) -> str:
    """Write a difference of losses in thousandths of a nat, with its sign, for a table.

    Parameters
    ----------
    value
        Nats, or an estimate in nats.
    interval
        Add the estimate's interval, in brackets.
    decimals
        Digits after the point.

    Examples
    --------
    >>> thousandths(0.0096), thousandths(-0.012, decimals=0)
    ('+9.6', '-12')
    """
    entry = result("a difference", value, unit="nats")
    text = f"{1000 * entry['value']:+.{decimals}f}"
    if interval and entry["level"] is not None:
        ends = (
            "-" if end is None else f"{1000 * end:.{decimals}f}"
            for end in (entry["low"], entry["high"])
        )
        text += f" [{', '.join(ends)}]"
    return text


def yardstick(found: Mapping[str, Recorded], *, glossary: str = "../book/glossary.md") -> str:
    """Say what ten thousandths of a nat are worth: one sentence for every page that counts in them.

    A loss lower by d nats multiplies the probability of the true label by exp(d), on (geometric)
    average. The points of accuracy that came with it are the smallest and the largest ratio over
    all recorded comparisons whose saving is told apart from zero.

    Parameters
    ----------
    found
        Recorded results named "NLL saved over tuned hard labels, ..." (nats), each with its
        "accuracy gained over tuned hard labels, ..." (points): the evidence of chapter 02.
    glossary
        Where the sentence's link leads.

    Raises
    ------
    ValueError
        Where no saving is told apart from zero.

    Examples
    --------
    >>> both = {"NLL saved": (0.02, "nats"), "accuracy gained": (0.006, "points")}
    >>> entries = [
    ...     result(f"{what} over tuned hard labels, a task", value, low=value / 2, unit=unit)
    ...     for what, (value, unit) in both.items()
    ... ]
    >>> print(yardstick(recorded({"results": entries}), glossary="g.md"))
    (Ten of these *[thousandths of a nat](g.md)* give the true label 1 % more probability on \
average; where soft targets beat labels, both tuned, ten came with 0.3 to 0.3 points of accuracy.)
    """
    saved, gained = "NLL saved over tuned hard labels, ", "accuracy gained over tuned hard labels, "
    rates = [
        found[gained + name.removeprefix(saved)].value / e.value
        for name, e in found.items()
        if name.startswith(saved) and e.low > 0
    ]
    if not rates:
        raise ValueError(
            f"no result that begins {saved!r} is above zero, interval and all; "
            "give the evidence of chapter 02."
        )
    ten = 0.01
    return (
        f"(Ten of these *[thousandths of a nat]({glossary})* give the true label "
        f"{100 * math.expm1(ten):.0f} % more probability on average; where soft targets beat "
        f"labels, both tuned, ten came with {ten * min(rates):.1f} to {ten * max(rates):.1f} "
        "points of accuracy.)"
    )


def prose(markdown: str) -> None:
    """Display a sentence with results in it as Markdown.

    Its cell is tagged `hide-input`, and `trained` where the numbers come from training.

    Parameters
    ----------
    markdown
        Usually an f-string: ``f"The student gains {points(gain)}."``
    """
    _display({"text/markdown": markdown, "text/plain": markdown})


def table(rows: Iterable[Sequence[Any]], headers: Sequence[str]) -> None:
    """Display a Markdown table, and the same as plain text where Markdown is not rendered.

    Parameters
    ----------
    rows
        Cells are Markdown, but for `|`, `$` and `~`, which stand for themselves. None is empty.
    headers
        One for each column. Columns of numbers are aligned to the right.

    Raises
    ------
    ValueError
        Where a row has more or fewer cells than there are headers.
    """
    rows = [list(row) for row in rows]
    for row in rows:
        if len(row) != len(headers):
            raise ValueError(
                f"a table row has {len(row)} cells, {row!r}; it must have {len(headers)}, "
                "one for each header."
            )
    _display(
        {
            "text/markdown": _markdown_table(rows, headers),
            "text/plain": _plain_table(rows, headers),
        }
    )


def escape(text: str) -> str:
    r"""Keep `|`, `$` and `~` from ending a table cell, starting maths or striking text out.

    Examples
    --------
    >>> print(escape("$5 | ~3"))
    \$5 \| \~3
    """
    for mark in "|$~":
        text = text.replace(mark, "\\" + mark)
    return text


# -- a chapter's verdicts -------------------------------------------------------------------------


Found = Estimate | tuple[Estimate, str] | tuple[str, str] | None


def judge(family: Family, found: Mapping[str, Found], **parameters: Any) -> dict[str, str]:
    """Judge a family of claims together and `record` them as a chapter's table of verdicts.

    The tested ones that are not exploratory are judged by `distill_helpers.verdicts.verdicts`. A
    result ends with the verdict's remark, where it has one.

    Parameters
    ----------
    family
        What was claimed, from `claims.read`.
    found
        By the id of each claim, what was found: an estimate where a test judges it, or an estimate
        and a note to stand beside it; the word and the result where none does, or "undecided" and
        why no test could be made; None for a claim that is not asked at these parameters, which
        leaves it out.
    **parameters
        What stands for each ``{name}`` in the claims.

    Returns
    -------
    dict of str to str
        The verdict by the claim's id.

    Raises
    ------
    ValueError
        If a claim is not answered, an answer has no claim, or the answer is not of its kind.

    Examples
    --------
    >>> from datetime import date
    >>> from distill_helpers.claims import Declared
    >>> from distill_helpers.statistics import mean_estimate
    >>> family = Family("00", (
    ...     Declared("a", "It helps.", "s", "above 0", date(2026, 11, 24), "greater", 0.001,
    ...              what="gain"),
    ...     Declared("b", "It is {n} times smaller.", "s", "{n}", date(2026, 11, 24)),
    ... ))
    >>> judge(family, {"a": mean_estimate([0.006, 0.008, 0.007, 0.009]), "b": ("wrong", "13")},
    ...       n=30)  # doctest: +ELLIPSIS
    {...}
    {'a': 'holds', 'b': 'wrong'}
    """
    declared = {claim.id: claim for claim in family.claims}
    for names, fault in (
        (declared.keys() - found.keys(), "is not answered; give what was found, or None"),
        (found.keys() - declared.keys(), "was not claimed; write the claim down first"),
    ):
        if names:
            raise ValueError(f"{min(names)!r} of chapter {family.chapter} {fault}.")
    answers = {name: _answer(claim, found[name]) for name, claim in declared.items()}
    tests = [
        claim.test(answer[0])
        for name, claim in declared.items()
        if (answer := answers[name]) and isinstance(answer[0], Estimate) and not claim.exploratory
    ]
    judged = {v.name: v for v in verdicts(tests)}
    words, rows = {}, []
    for name, claim in declared.items():
        if (answer := answers[name]) is None:
            continue
        word, text = answer
        if isinstance(word, Estimate):
            note = f"; {text}" if text else ""
            text = f"{claim.what.format(**parameters)}: {_shown(word, claim.unit)}{note}"
            word = "exploratory"
            if name in judged:
                word, aside = judged[name].verdict, judged[name].remark
                text += f"; {aside}" if aside else ""
        words[name] = word
        rows.append(
            verdict(
                claim.claim.format(**parameters),
                word,
                source=claim.source,
                prediction=claim.prediction.format(**parameters),
                result=text,
            )
        )
    record(family.chapter, verdicts=rows)
    return words


def _answer(claim: Declared, found: Found) -> tuple[Estimate | str, str] | None:
    """Bring what was found into one form, and refuse what does not answer the claim."""
    if found is None:
        return None
    answer = (found, "") if isinstance(found, Estimate) else found
    kind = str if claim.direction is None else Estimate
    unknown = answer[0] == "undecided"  # a test that could not be made
    if not (isinstance(answer[0], kind) or unknown):
        rule = "a word and a result" if claim.direction is None else "an estimate"
        raise ValueError(f"claim {claim.id!r} is answered by {found!r}; it must be {rule}.")
    return answer


def _shown(estimate: Estimate, unit: str) -> str:
    if unit == "factor":
        value, low, high = map(math.exp, (estimate.value, estimate.low, estimate.high))
        times = replace(estimate, value=value, low=low, high=high)
        return number(times, "times", decimals=1 if value > 10 else 2)
    named = {"points": points, "percent": percent, "thousandths": thousandths, "number": number}
    return named[unit](estimate) if unit in named else number(estimate, unit)


def verdict_rows(
    verdicts: Sequence[Mapping[str, str]],
    margins: Mapping[str, str],
    words: Mapping[str, str] | None = None,
) -> list[list[str]]:
    """Choose verdicts for the table of a lesson; the others stay with its evidence.

    Parameters
    ----------
    verdicts
        As `read` returns them.
    margins
        By the first words of each chosen claim, in the order of the table: the smallest effect that
        would matter, with its unit, as the evidence states it.
    words
        What reads better in a lesson, by what the evidence says.

    Returns
    -------
    list of list of str
        Verdict, claim, prediction, margin and result: on a phone the first columns are seen.
        Intervals stand in brackets.

    Raises
    ------
    ValueError
        If a start fits no claim, or more than one; or if the claim is exploratory.

    Examples
    --------
    >>> small = verdict("It is small.", "holds", source="s", prediction="below 30",
    ...                 result="13.4 (95 % interval: 13 to 14)")
    >>> verdict_rows([small], {"It is": "5"}, {"below": "under"})
    [['holds', 'It is small.', 'under 30', '5', '13.4 [13, 14]']]
    """
    rows = []
    for start, margin in margins.items():
        fitting = [v for v in verdicts if v["claim"].startswith(start)]
        if len(fitting) != 1:
            raise ValueError(f"{start!r} begins {len(fitting)} claims; it must begin one.")
        (chosen,) = fitting
        if chosen["verdict"] == "exploratory":
            raise ValueError(
                f"{chosen['claim']!r} is exploratory; a lesson shows what was predicted."
            )
        cells = [*(chosen[key] for key in ("verdict", "claim", "prediction")), margin]
        cells.append(_LONG_INTERVAL.sub(r"[\1, \2]", chosen["result"]))
        cells[-1] = _ALONE.sub(
            r"*\1* does not survive the correction for testing \2 claims at once", cells[-1]
        )
        for old, better in (words or {}).items():
            cells = [cell.replace(old, better) for cell in cells]
        rows.append(cells)
    return rows


# -- the machine that made the outputs ------------------------------------------------------------


def stamp(notebook: Any) -> None:
    """Write this machine's fingerprint into a notebook it has just executed.

    Parameters
    ----------
    notebook
        As nbformat has read it; its metadata are changed.
    """
    notebook["metadata"][METADATA_KEY] = {"fingerprint": fingerprint()}


# -- parts ----------------------------------------------------------------------------------------


def _display(bundle: dict[str, Any]) -> None:
    from IPython.display import display

    display(bundle, raw=True)


def _line(text: Any, what: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{what} is {text!r}; it must be a sentence or a name.")


def _is_verdict(word: str) -> bool:
    return word in VERDICTS or bool(_ELSEWHERE.fullmatch(word))


def _finite(value: Any, what: str, *, infinite: bool = False) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {value!r}; it must be a number.") from None
    if infinite and math.isinf(number):
        return number
    if not math.isfinite(number):
        raise ValueError(f"{what} is {number}; it must be finite. Say in words what has no value.")
    return number


def _end(value: Any, what: str) -> float | None:
    """Return an interval's end; None where it is infinite or missing."""
    if value is None:
        return None
    number = _finite(value, what, infinite=True)
    return None if math.isinf(number) else number


def _digits(number: float) -> float:
    return float(f"{number:.6g}") + 0.0  # adding 0.0 makes -0.0 a plain 0.0


def _written(value: Any, unit: str, interval: bool, decimals: int | None) -> str:
    entry = result("a number", value, unit=unit)
    text = _value(entry, decimals)
    if interval and entry["level"] is not None:
        text += f" ({entry['level'] * 100:g} % interval: {_interval(entry, decimals, named=False)})"
    return text


def _decimals(entry: Mapping[str, Any]) -> int:
    """Count the decimals an interval supports.

    The Particle Data Group's rule: a half-width whose digits start with 10 to 35 keeps two of
    them, any other keeps one.
    """
    value, low, high = entry["value"], entry["low"], entry["high"]
    if low is not None and high is not None:
        half = (high - low) / 2
    else:
        half = max((abs(value - end) for end in (low, high) if end is not None), default=0.0)
    if half == 0:  # no interval: four significant digits, fewer where they say it all
        places = min(8, max(0, 3 - math.floor(math.log10(abs(value))))) if value else 0
        return len(f"{value:.{places}f}".rstrip("0").partition(".")[2])
    return max(0, -math.floor(math.log10(half / 3.55)))


def _value(entry: Mapping[str, Any], decimals: int | None = None) -> str:
    text = _rounded(entry["value"], _decimals(entry) if decimals is None else decimals)
    return f"{text} {entry['unit']}".rstrip()


def _interval(entry: Mapping[str, Any], decimals: int | None = None, *, named: bool = True) -> str:
    low, high, level = entry["low"], entry["high"], entry["level"]
    places = _decimals(entry) if decimals is None else decimals
    if low is None and high is None:
        text = "" if level is None else "unbounded"
    elif low is None:
        text = f"at most {_rounded(high, places)}"
    elif high is None:
        text = f"at least {_rounded(low, places)}"
    else:
        text = f"{_rounded(low, places)} to {_rounded(high, places)}"
    if named and text:
        text += " (tolerance)" if level is None else f" ({level * 100:g} %)"
    return text


def _rounded(number: float, decimals: int) -> str:
    text = f"{number:,.{decimals}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text  # no "-0.0"


def _count(n: int | None) -> str | None:
    return None if n is None else f"{n:,}"


def _cell(value: Any) -> str:
    return "" if value is None else " ".join(str(value).split())


def _numeric(rows: Sequence[Sequence[Any]], column: int) -> bool:
    """Tell whether a column holds numbers, which are aligned to the right."""
    cells = [_cell(row[column]) for row in rows]
    return any(cells) and all(not cell or cell.lstrip("+-")[:1].isdigit() for cell in cells)


def _markdown_table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    rule = ["---:" if _numeric(rows, column) else ":---" for column in range(len(headers))]
    lines = [headers, rule, *rows]
    return "\n".join(
        "| " + " | ".join(escape(_cell(cell)) for cell in line) + " |" for line in lines
    )


def _plain_table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    lines = [[_cell(cell) for cell in line] for line in [headers, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headers))]
    right = [_numeric(rows, column) for column in range(len(headers))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )

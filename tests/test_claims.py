"""One claim has one verdict in the whole book; every other place says where it stands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from distill_helpers import claims, results

FOLDER = Path(__file__).parent.parent / "notebooks"
NO_VERDICT = "exploratory"  # an interval, and no word
Recorded = list[tuple[str, str, str]]  # chapter, claim, verdict


def recorded(folder: Path) -> Recorded:
    """List what every page judged."""
    paths = [*sorted(folder.glob("*.ipynb")), *sorted(folder.glob("evidence/*.ipynb"))]
    found = []
    for path in paths:
        if results.MIME in path.read_text(encoding="utf-8"):
            page = results.read(path)
            found += [(page["chapter"], v["claim"], v["verdict"]) for v in page["verdicts"]]
    return found


def words(claim: str) -> str:
    return " ".join(re.findall(r"\w+", claim.casefold()))


def faults(judged: Recorded) -> list[str]:
    """List claims judged twice, and pointers to a chapter that judges nothing."""
    chapters = {chapter for chapter, _, verdict in judged if not verdict.startswith("see ")}
    first: dict[str, str] = {}
    found = []
    for chapter, claim, verdict in judged:
        if verdict == NO_VERDICT:
            continue
        if verdict.startswith("see chapter "):
            if verdict.removeprefix("see chapter ") not in chapters - {chapter}:
                found.append(f"{chapter}: {claim!r} says {verdict!r}, which judges nothing")
        elif words(claim) in first:
            found.append(f"{claim!r} has a verdict in {first[words(claim)]} and in {chapter}")
        else:
            first[words(claim)] = chapter
    return found


def test_one_claim_has_one_verdict_in_the_whole_book():
    judged = recorded(FOLDER)
    assert len(judged) > 200
    assert faults(judged) == []


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ([("01", "It gains.", "holds"), ("02", "It gains!", "undecided")], "has a verdict in 01"),
        ([("01", "It gains.", "holds"), ("01", "it  gains", "holds")], "has a verdict in 01"),
        ([("01", "It gains.", "see chapter 07")], "judges nothing"),
        ([("01", "It gains.", "see chapter 01")], "judges nothing"),
    ],
)
def test_a_second_verdict_and_a_dead_pointer_are_found(judged, said):
    assert len(faults(judged)) == 1 and said in faults(judged)[0]


def test_an_interval_without_a_word_and_a_pointer_are_no_second_verdict():
    judged = [("01", "a", "holds"), ("02", "a", "see chapter 01"), ("03", "a", NO_VERDICT)]
    assert faults(judged) == []


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def margins_shown(table: str) -> set[float]:
    """Read the margins in a lesson's table of verdicts, thousandths of a nat as nats."""
    head, _, *rows = map(cells, table.splitlines())
    (column,) = (k for k, name in enumerate(head) if name.startswith("margin"))
    found = set()
    for row in rows:
        nat = "thousandth" in row[column] or "0.001 nat" in head[column]
        found |= {float(n) / (1000 if nat else 1) for n in NUMBER.findall(row[column])}
    return found


def lessons_margins(page: Path) -> set[float]:
    """Gather the margins that a lesson shows."""
    shown = set()
    for cell in json.loads(page.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            text = "".join(output.get("data", {}).get("text/markdown", ""))
            if text.startswith("| ") and "margin" in text.partition("\n")[0]:
                shown |= margins_shown(text)
    return shown


def as_shown(claim: claims.Declared) -> float:
    """Write a margin as a lesson does: shares in points, octaves as factors."""
    if claim.unit in ("points", "percent"):
        return round(100 * claim.margin, 9)
    return round(2**claim.margin, 1) if claim.unit == "octaves" else claim.margin


def declared(chapter: str) -> set[float]:
    """Gather the margins that a chapter's files of claims declare."""
    return {
        as_shown(claim)
        for path in FOLDER.parent.glob(f"claims/{chapter}*.toml")
        for claim in claims.read(path).claims
        if claim.direction
    }


def test_a_lesson_shows_the_margins_that_were_declared():
    pages = [page for page in FOLDER.glob("[0-9][0-9]-*.ipynb") if lessons_margins(page)]
    assert len(pages) > 7  # chapter 00 says its one margin in a sentence
    for page in pages:
        missing = lessons_margins(page) - declared(page.name[:2])
        assert not missing, f"{page.name} shows {sorted(missing)}"


def test_a_margin_that_was_not_declared_is_found():
    assert margins_shown("| verdict | margin (0.001 nat) |\n|:--|--:|\n| holds | 7 |") == {0.007}
    assert margins_shown("| claim | margin |\n|:--|--:|\n| a | 0.4 points |") == {0.4}
    assert not {0.007, 0.4} & declared("08")
    assert {1.1, 1.4, 0.3} == declared("04")

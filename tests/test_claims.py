"""One claim has one verdict in the whole book; every other place says where it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from distill_helpers import results

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

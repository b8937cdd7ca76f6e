"""The table of claims: all that was judged, and a form that finds a claim by word and verdict."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_pages import PHONE, WIDE, open_page, soup

from distill_helpers import results

PAGE = "book/claims.html"
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def recorded():
    """Return every verdict with its page, as the notebooks recorded them."""
    paths = [*sorted(NOTEBOOKS.glob("*.ipynb")), *sorted(NOTEBOOKS.glob("evidence/*.ipynb"))]
    for path in paths:
        if results.MIME in path.read_text(encoding="utf-8"):
            page = path.relative_to(NOTEBOOKS).with_suffix(".html").as_posix()
            yield from ((page, verdict) for verdict in results.read(path)["verdicts"])


def plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())


def test_every_claim_stands_there_with_all_that_was_recorded_and_its_cell():
    rows = soup(PAGE).select("#what-was-found tbody tr")
    heads = [head.get_text(strip=True) for head in soup(PAGE).select("#what-was-found thead th")]
    assert heads == ["verdict", "claim", "source", "predicted", "found", "page"]
    shown = {
        (row.a["href"], *(plain(cell.get_text()) for cell in row.select("td")[:5])) for row in rows
    }
    parts = ("verdict", "claim", "source", "prediction", "result")
    wanted = {
        (f"../notebooks/{page}#verdicts", *(plain(verdict[part]) for part in parts))
        for page, verdict in recorded()
    }
    assert shown == wanted and len(rows) == sum(1 for _ in recorded()) > 200


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_a_claim_is_found_by_its_words_and_its_verdict(browser, size):
    tab, complaints = open_page(browser, PAGE)
    tab.set_viewport_size(size)
    left = """() => [...document.querySelectorAll('#what-was-found tbody tr')]
        .filter(row => row.checkVisibility()).map(row => row.textContent.toLowerCase())"""
    every = tab.evaluate(left)
    tab.get_by_label("Words").focus()
    tab.keyboard.type("Assistant  BETWEEN")
    found = tab.evaluate(left)
    assert 0 < len(found) == sum("assistant" in row and "between" in row for row in every) < 9
    assert tab.locator("#find-claims output").inner_text() == f"{len(found)} of {len(every)} claims"
    tab.keyboard.press("Enter")  # stays where it is
    assert tab.evaluate(left) == found
    tab.get_by_label("Words").fill("")
    tab.keyboard.press("Tab")
    tab.get_by_label("Verdict").select_option("wrong")
    found = tab.evaluate(left)
    verdicts = [verdict["verdict"] for _, verdict in recorded()]
    assert len(found) == verdicts.count("wrong") and all("wrong" in row for row in found)
    options = tab.get_by_label("Verdict").locator("option").all_inner_texts()
    assert sorted(options) == sorted({"any", *verdicts})
    tab.get_by_label("Verdict").select_option("any")
    assert tab.evaluate(left) == every and complaints == []
    tab.context.close()

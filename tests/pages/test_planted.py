"""Each check of the pages fails on a fault planted for it, in a copy of the book."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = "notebooks/04-temperature-squared.html"
FOUND = "test_a_claim_is_found"
ALONE, CHART = "test_page_stands_alone_light_and_dark", "test_a_slider_or_buttons_move"


def instead(old: str, new: str, file: str = PAGE) -> Callable[[Path], None]:
    """Return what puts one text in the place of another, wherever it stands."""

    def plant(html: Path) -> None:
        path = html / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old!r} to spoil"
        path.unlink()  # a link to the book's own page
        path.write_text(text.replace(old, new), encoding="utf-8")

    return plant


def said(text: str) -> Callable[[Path], None]:
    """Return what begins the article with a piece of HTML."""
    return instead('<article class="bd-article">', f'<article class="bd-article">{text}')


def stuck(html: Path) -> None:
    """Leave every live chart at its first step."""
    for path in (html / "_static" / "charts").iterdir():
        text = path.read_text(encoding="utf-8")
        path.unlink()
        path.write_text(text.replace("datum.step == step", "datum.step == 0"), encoding="utf-8")


FAULTS = {
    "a picture without words": (said('<img src="../_static/file.png">'), ALONE, "image-alt"),
    "text too pale": (
        said('<p style="color:#bbb;background:#fff">pale words</p>'),
        ALONE,
        "color-contrast",
    ),
    "a heading too deep": (said("<h6>x</h6>"), ALONE, "heading-order"),
    "something from the outside": (
        said('<img alt="x" src="https://example.org/x.png">'),
        ALONE,
        "asked the outside",
    ),
    "a message on the console": (
        said("<script>console.error('planted')</script>"),
        ALONE,
        "planted",
    ),
    "a page too wide": (said('<div style="width: 3000px">x</div>'), ALONE, "scrolls sideways"),
    "code that is cut": (
        said("<style>.bd-article pre { white-space: pre !important; }</style>"),
        ALONE,
        "cut:",
    ),
    "a table that is cut": (
        said("<style>.bd-article table.cards td { min-width: 40rem; }</style>"),
        ALONE,
        "cut:",
    ),
    "a folded table that is cut": (
        said(
            '<details><div class="pst-scrollable-table-container"><table><tr><td>'
            '<div style="width: 90rem">wide</div></td></tr></table></div></details>'
        ),
        ALONE,
        "cut: wide",
    ),
    "a formula that is cut": (
        said('<div class="math"><div style="min-width: 90rem">F = 0</div></div>'),
        ALONE,
        "wide: cut: F = 0",
    ),
    "words that come late": (
        said("<script>onload = () => document.querySelector('article').prepend('late')</script>"),
        "test_nothing_jumps",
        "jumps",
    ),
    "a dead anchor": (said('<a href="#nowhere">x</a>'), "test_every_internal_link", "nowhere"),
    "a chart that stands still": (stuck, CHART, "the control does nothing"),
    "claims that stay": (
        instead("row.hidden =", "row.title =", "_static/claims.js"),
        FOUND,
        "assert",
    ),
    "a slider without a value": (
        instead("shown.textContent = name;", "", "_static/charts.js"),
        CHART,
        "a slider shows no value",
    ),
    "a guess that does not answer": (
        instead("answer.hidden = false;", ""),
        "test_every_guess_answers",
        "the answer stays hidden",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_fails_its_check(browser, tmp_path, fault):
    plant, check, message = FAULTS[fault]
    html = tmp_path / "_build" / "html"
    shutil.copytree("_build/html", html, copy_function=os.link)
    plant(html)
    name = Path(PAGE).stem
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    files = [str(TESTS / f"test_{name}.py") for name in ("pages", "guess", "find_claims")]
    where = "" if check == FOUND else f" and {name} and not evidence"
    told = subprocess.run(
        [*run, *files, "-k", f"{check}{where}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert told.returncode == 1, told.stdout + told.stderr
    assert message in told.stdout

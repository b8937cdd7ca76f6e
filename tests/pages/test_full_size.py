"""A figure opens large enough to read on a phone, and gives the page back as it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_pages import CONTENT, HTML, LIVE, open_page, settle, soup

FIGURED = [page for page in CONTENT if soup(page).select("figure img")]
PHONE = {"width": 360, "height": 740}
LEAST = 10  # CSS pixels of the smallest text

FIGURES = Path("distill_helpers/figures.py").read_text(encoding="utf-8")
SIZES = re.findall(r"(?:fontsize|labelsize)=(\d+)(?: if \w+ else (\d+))?", FIGURES)
SMALLEST = min(int(size) for pair in SIZES for size in pair if size)  # points
DPI = 150  # of the figures that Matplotlib draws; what Vega draws has more pixels a letter

# How many CSS pixels a pixel of the picture gets, or how far a live chart's drawing is shrunk.
SCALE = """() => {
    const shown = document.querySelector('.picture-view-room > *');
    const across = shown.getBoundingClientRect().width;
    if (shown.tagName === 'IMG') return {scale: across / shown.naturalWidth, alt: shown.alt};
    const size = text => parseFloat(getComputedStyle(text).fontSize);
    const sizes = [...shown.querySelectorAll('text')].map(size);
    return {scale: across / Number(shown.getAttribute('width')), text: Math.min(...sizes)};
}"""
STATE = """() => ({
    open: Boolean(document.querySelector('.picture-view[open]')),
    focused: document.activeElement.getAttribute('href'),
    at: window.scrollY,
    over: document.documentElement.scrollWidth - window.innerWidth,
})"""


def text_height(seen: dict, source: str) -> float:
    if "text" in seen:
        return seen["scale"] * seen["text"]
    drawn = 96 if source.endswith(".svg") else DPI
    return seen["scale"] * SMALLEST * drawn / 72


def test_there_are_figures_to_look_at():
    assert len(FIGURED) > 15


@pytest.mark.parametrize("page", FIGURED)
def test_each_figure_has_one_link_to_its_picture(page):
    for figure in soup(page).select("article figure:has(img)"):
        links = figure.select("figcaption a.full-size")
        assert [link["href"] for link in links] == [figure.find("img")["src"]], figure.get("id")
    names = [link["aria-label"] for link in soup(page).select("a.full-size")]
    assert len(set(names)) == len(names), "two links of one name"


def width(page: str) -> int:
    return max(int(picture.get("width", 0)) for picture in soup(page).select("figure img"))


# A picture of pixels (of all the widest), one of curves, and live charts side by side.
KINDS = [
    max(FIGURED, key=width),
    next(page for page in FIGURED if soup(page).select('figure img[src$=".svg"]')),
    next(page for page in LIVE if page.startswith("notebooks/02")),
]


@pytest.mark.parametrize("page", KINDS)
def test_a_figure_on_a_phone_opens_to_be_read_and_closes(browser, page):
    tab, complaints = open_page(browser, page, has_touch=True)
    tab.set_viewport_size(PHONE)
    tab.reload()
    settle(tab)
    for link in tab.query_selector_all("a.full-size"):
        source = link.get_attribute("href")
        link.scroll_into_view_if_needed()
        picture = link.evaluate_handle("a => a.closest('figure').querySelector('img')").as_element()
        before = tab.evaluate(STATE)["at"]
        # by the picture, where it stands; a live chart's own taps are its own
        ways = ["Enter", "tap"] if picture.is_visible() else ["Enter"]
        for way in ways:
            if way == "tap":
                picture.scroll_into_view_if_needed()
                before = tab.evaluate(STATE)["at"]
                picture.tap()
            else:
                link.focus()
                tab.keyboard.press("Enter")
            tab.wait_for_selector(".picture-view[open]", timeout=5_000)
            seen = tab.evaluate(SCALE)
            height = text_height(seen, source)
            assert height >= LEAST, f"{page}: text of {height:.1f} px in {source}"
            assert seen.get("alt", "live"), "the picture lost its description"
            room = tab.query_selector(".picture-view-room")
            assert tab.query_selector("dialog.picture-view").get_attribute("aria-labelledby")
            if room.evaluate("e => e.scrollWidth > e.clientWidth + 20"):
                tab.keyboard.press("ArrowRight")  # what does not fit is reached by keyboard
                tab.wait_for_function(
                    "() => document.querySelector('.picture-view-room').scrollLeft > 0"
                )
            tab.keyboard.press("Escape")
            tab.wait_for_selector(".picture-view[open]", state="detached", timeout=5_000)
            # the picture goes and the focus returns in one event, which comes after
            tab.wait_for_selector(".picture-view-room:empty", state="attached", timeout=5_000)
            after = tab.evaluate(STATE)
            assert after["focused"] == source, f"{page}: focus went to {after['focused']}"
            assert after["at"] == before, f"{page}: the page moved from {before} to {after['at']}"
            assert after["over"] <= 0
    assert not complaints, "\n".join(complaints)
    tab.context.close()


def test_focus_shows_and_the_button_closes(browser):
    tab, _ = open_page(browser, FIGURED[1])
    settle(tab)
    tab.keyboard.press("Tab")  # what a keyboard focused shows it
    link = tab.query_selector("a.full-size")
    link.focus()
    outline = "e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).boxShadow]"
    assert link.evaluate(outline) != ["none", "none"]
    tab.keyboard.press("Enter")
    room = tab.wait_for_selector(".picture-view-room")
    assert room.evaluate("e => e === document.activeElement")
    assert room.evaluate(outline) != ["none", "none"]
    tab.click(".picture-view button")
    assert not tab.evaluate(STATE)["open"]
    tab.context.close()


def test_in_the_dark_a_picture_has_the_colours_of_its_white_sheet(browser):
    page = next(page for page in FIGURED if soup(page).select('figure img[src$=".png"]'))
    tab, _ = open_page(browser, page)
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    link = tab.query_selector("figure:has(img[src$='.png']) a.full-size")
    link.click()
    shown = tab.wait_for_selector(".picture-view-room img")
    assert shown.evaluate("e => getComputedStyle(e).filter") == "none"
    tab.context.close()


def test_without_scripts_the_link_opens_the_file(browser):
    tab, _ = open_page(browser, FIGURED[1], java_script_enabled=False)
    source = tab.query_selector("a.full-size").get_attribute("href")
    tab.click("a.full-size")
    tab.wait_for_url(f"**/{source.rsplit('/', 1)[-1]}")
    assert (HTML / FIGURED[1]).parent.joinpath(source).resolve().as_uri() == tab.url
    tab.context.close()


def test_paper_has_no_such_link(browser):
    tab, _ = open_page(browser, FIGURED[1])
    tab.emulate_media(media="print")
    assert not tab.query_selector("a.full-size").is_visible()
    tab.context.close()

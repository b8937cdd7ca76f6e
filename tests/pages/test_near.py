"""The nearest tasks of chapter 08, moved by keyboard in Chromium and read back against the map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_pages import CONTENT, WIDE, axe, open_page, soup

from distill_helpers import forecast, studies
from distill_helpers.statistics import median_estimate

PAGES = [page for page in CONTENT if soup(page).select(".live-near")]
SMALL = {"width": 360, "height": 740}
STUDY = studies.read(Path(__file__).parents[2] / "studies" / "map.csv").rows
COLUMNS = ("gain_soft", "gain_soft_on_smoothed")


def numbers(text: str) -> list[float]:
    """The numbers of a text."""
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?", text)]


def compare(box) -> tuple[float, ...]:
    """Hold all that the figure says, where it stands, to the map; return where that is."""
    edge, labels = (float(output.inner_text()) for output in box.locator("output").all())
    for slider, value in zip(box.locator("input").all(), (edge, labels), strict=True):
        assert float(slider.get_attribute("aria-valuetext")) == value
    seen = box.locator("select").evaluate("s => s.options[s.selectedIndex].text")
    near = forecast.nearest(STUDY, edge / 1000, labels, seen)
    for column, svg, said in zip(
        COLUMNS,
        box.locator("svg[role]").all(),
        box.locator("[aria-live] p:has(strong)").all(),
        strict=True,
    ):
        states = [forecast.state(row, column) for row in near]
        words = ", ".join(f"{word} at {states.count(word)}" for word in forecast.STATES)
        assert words in said.inner_text()
        exact = sorted(1000 * row[column] for row in near)
        middle = median_estimate(exact)
        told = numbers(said.inner_text().partition("Middle")[2])
        assert told == [round(v) for v in (middle.value, middle.low, middle.high)]
        listed = numbers(svg.get_attribute("aria-label"))
        assert listed == [round(gain) for gain in exact], "the text alternative has stayed behind"
        marks = svg.locator("g path")
        drawn = marks.evaluate_all(
            "all => all.map(p => [p.getAttribute('transform'), p.getAttribute('fill')])"
        )
        across = [numbers(place)[0] for place, _ in drawn]
        ticks = svg.locator("text").evaluate_all(
            "all => all.map(t => [t.textContent, t.getAttribute('x')])"
        )
        at = {float(text): float(x) for text, x in ticks if re.fullmatch(r"-?\d+", text)}
        for gain, x in zip(listed, across, strict=True):
            assert all((gain > tick) == (x > where) for tick, where in at.items() if gain != tick)
        colours = {"pays": "#0072B2", "no better": "#6B6B6B", "hurts": "#D55E00", "open": "none"}
        assert sorted(colour for _, colour in drawn) == sorted(colours[s] for s in states)
    note = box.locator(".note").inner_text()
    edges = [1000 * row["edge"] for row in near]
    assert f"edges of {min(edges):.0f} to {max(edges):.0f}, " in note
    return edge, labels, seen


def drive(tab) -> set[tuple[float, ...]]:
    """Go over the controls by keyboard, as a reader without a mouse does."""
    box = tab.locator(".live-near")
    states = {compare(box)}
    first, second = box.locator("input").all()
    first.focus()
    for key in ("Home", *["ArrowRight"] * 12, "ArrowLeft"):
        tab.keyboard.press(key)
        states.add(compare(box))
    tab.keyboard.press("Tab")
    assert second.evaluate("e => e === document.activeElement")
    for key in ("End", "ArrowLeft", "Home"):
        tab.keyboard.press(key)
        states.add(compare(box))
    tab.keyboard.press("Tab")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp"):
        tab.keyboard.press(key)
        states.add(compare(box))
    return states


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, SMALL], ids=["wide", "phone"])
def test_the_nearest_tasks_are_those_of_the_map(browser, page, size, theme):
    tab, complaints = open_page(browser, page)
    tab.emulate_media(color_scheme=theme)
    tab.set_viewport_size(size)
    assert len(drive(tab)) >= 15
    box = tab.locator(".live-near").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= size["width"]
    assert tab.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    ground = tab.locator(".live-near").evaluate("e => getComputedStyle(e).backgroundColor")
    assert ground == "rgb(255, 255, 255)", "marks are drawn for a white ground"
    assert not complaints, "\n".join(complaints)
    tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_the_script_draws_the_start_as_it_stood_without_one(browser, page):
    found = []
    for scripts in (True, False):
        tab, _ = open_page(browser, page, java_script_enabled=scripts)
        assert tab.locator(".live-near .controls").is_visible() is scripts
        found.append(
            [
                tab.locator(".live-near [aria-live]").inner_text(),
                *(
                    [one.get_attribute(name) for one in tab.locator(f".live-near {where}").all()]
                    for where, name in (
                        ("svg[role]", "aria-label"),
                        ("g path", "d"),
                        ("g path", "fill"),
                        ("g path", "transform"),
                        (".middle", "transform"),
                        (".reach", "d"),
                    )
                ),
            ]
        )
        tab.context.close()
    assert found[0] == found[1]


FAULTS = {
    "answers of the next position": ("at = at * picker.length", "at = 1 + at * picker.length"),
    "a slider that is left out": ("at * data.sliders[k].length + Number", "at + Number"),
    "a picker that is not heard": ('picker.addEventListener("change", show);', ""),
    "states of another task": ("strip.states[order[row]]", "strip.states[order[0]]"),
    "a text alternative that stays": ('svg.setAttribute("aria-label"', 'svg.setAttribute("lang"'),
    "an axis turned round": ("Math.asinh(value", "Math.asinh(-value"),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_figure_is_seen(browser, page, tmp_path, fault):
    """Put into the page's own figure, one at a time, and driven as above."""
    good = str(soup(page).select_one(".live-near"))
    old, new = FAULTS[fault]
    assert old in good
    planted = tmp_path / "page.html"
    planted.write_text(
        f"<!doctype html><html lang='en'><title>t</title><main><h1>t</h1>"
        f"{good.replace(old, new)}</main>",
        encoding="utf-8",
    )
    tab, _ = open_page(browser, planted)
    with pytest.raises(AssertionError):
        drive(tab)
    tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_the_figure_alone_passes(browser, page, tmp_path):
    """So that what fails above fails by its fault."""
    alone = tmp_path / "page.html"
    alone.write_text(
        f"<!doctype html><html lang='en'><title>t</title><main><h1>t</h1>"
        f"{soup(page).select_one('.live-near')}</main>",
        encoding="utf-8",
    )
    tab, complaints = open_page(browser, alone)
    assert len(drive(tab)) >= 15
    assert axe(tab, colours=True) == axe(tab, colours=False) == []
    assert not complaints
    tab.context.close()


def test_chapter_08_has_the_figure():
    assert PAGES == ["notebooks/08-when-distilling-pays.html"]

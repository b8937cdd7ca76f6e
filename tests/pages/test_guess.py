"""The guesses of the lessons, driven in Chromium: moved by keyboard, and read back."""

from __future__ import annotations

import re

import pytest
from test_pages import CONTENT, PHONE, WIDE, open_page, soup

PAGES = [page for page in CONTENT if soup(page).select(".guess")]


def number(text: str) -> float:
    """The first number of a text."""
    return float(re.search(r"-?\d+(\.\d+)?", text).group())


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_guess_answers_to_the_keyboard_and_says_how_far_off_it_was(browser, page, size):
    tab, complaints = open_page(browser, page)
    tab.set_viewport_size(size)
    boxes = tab.locator(".guess").all()
    assert 1 <= len(boxes) <= 2
    for box in boxes:
        truth = box.locator(".truth")
        assert not truth.is_visible(), "the answer stands there before the guess"
        slider = box.locator("input[type=range]")
        for key, end in (("Home", "min"), ("End", "max")):
            slider.focus()
            tab.keyboard.press(key)
            said = number(box.locator("output").inner_text())
            assert said == pytest.approx(float(slider.get_attribute(end)))
            tab.keyboard.press("Tab")
            tab.keyboard.press("Enter")
            assert truth.is_visible(), "the answer stays hidden"
            answer = number(truth.inner_text().removeprefix("Answer:"))
            told = box.locator(".off").inner_text()
            assert number(told) == said
            assert number(told.partition("off by")[2]) == pytest.approx(
                abs(said - answer), abs=0.01
            )
        width = tab.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 0
    assert not complaints
    tab.context.close()


@pytest.mark.parametrize("page", PAGES)
def test_without_scripts_every_answer_follows_its_question(browser, page):
    tab, _ = open_page(browser, page, java_script_enabled=False)
    for box in tab.locator(".guess").all():
        assert box.locator(".truth").is_visible()
        assert not box.locator(".controls").is_visible()
    tab.context.close()

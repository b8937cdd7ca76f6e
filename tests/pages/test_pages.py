"""The rendered book, opened from its folder with no network, as a reader would see it."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from bs4 import BeautifulSoup

HTML = Path("_build/html").resolve()
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts
)
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@cache
def soup(page: str) -> BeautifulSoup:
    return BeautifulSoup((HTML / page).read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(page: str) -> frozenset[str]:
    tags = soup(page).find_all(True)
    names = {tag.get("id") for tag in tags} | {tag.get("name") for tag in tags if tag.name == "a"}
    return frozenset(filter(None, names))


def is_redirect(page: str) -> bool:
    return soup(page).find("meta", attrs={"http-equiv": "Refresh"}) is not None


CONTENT = [page for page in PAGES if not is_redirect(page)]
LIVE = [page for page in CONTENT if soup(page).select("script.chart-spec")]


def open_page(browser, page: str, **settings):
    """Open ``page`` and return it with what it complained of and what it asked of the outside."""
    context = browser.new_context(color_scheme="light", viewport=WIDE, **settings)
    context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    tab = context.new_page()
    complaints: list[str] = []
    tab.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    # what a reload breaks off has not failed
    tab.on(
        "requestfailed",
        lambda r: (
            complaints.append(f"could not load {r.url}")
            if r.failure != "net::ERR_ABORTED"
            else None
        ),
    )
    tab.on(
        "request",
        lambda r: (
            complaints.append(f"asked the outside for {r.url}")
            if urlsplit(r.url).scheme not in ("file", "data", "blob")
            else None
        ),
    )
    tab.goto((HTML / page).as_uri(), wait_until="load")
    return tab, complaints


def settle(tab) -> None:
    """Go through the page once, as a reader does, until its pictures and live charts are there."""
    tab.evaluate(
        """async () => {
            for (const e of document.querySelectorAll('img, script.chart-spec')) {
                (e.closest('.cell_output') || e.parentElement).scrollIntoView();
                // what is in sight is looked at after a frame's own callbacks
                await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            }
            window.scrollTo(0, 0);
        }"""
    )
    tab.wait_for_function(
        """() => document.querySelectorAll('.live-chart[data-drawn]').length
                 === document.querySelectorAll('script.chart-spec').length
              && [...document.images].every(i => i.hidden || i.complete)""",
        timeout=60_000,
    )


def axe(tab, *, colours: bool) -> list[str]:
    """Return all of axe's complaints, one line each; the costly colours on request."""
    import axe_playwright_python

    if not tab.evaluate("() => Boolean(window.axe)"):
        tab.add_script_tag(path=Path(axe_playwright_python.__file__).with_name("axe.min.js"))
    options = {"resultTypes": ["violations"], "preload": False}
    if colours:
        options["runOnly"] = ["color-contrast"]
    else:
        options["rules"] = {"color-contrast": {"enabled": False}}  # asked apart
    found = tab.evaluate("options => axe.run(options)", options)
    return [
        f"{fault['id']} ({fault['impact']}): {node['html'][:160]}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


def test_there_is_a_book_to_look_at():
    assert CONTENT, "there is no book in _build/html; run: make book"


@pytest.mark.parametrize("page", PAGES)
def test_every_internal_link_leads_somewhere(page):
    dead = []
    for tag, name in (("a", "href"), ("link", "href"), ("img", "src"), ("script", "src")):
        for element in soup(page).find_all(tag):
            link = element.get(name)
            if not link or urlsplit(link).scheme or link.startswith("//"):
                continue
            path, anchor = urldefrag(link)
            path = unquote(path.split("?")[0])
            target = (HTML / page).parent.joinpath(path).resolve() if path else HTML / page
            if not target.is_file() or (
                anchor and unquote(anchor) not in anchors(target.relative_to(HTML).as_posix())
            ):
                dead.append(link)
    assert not dead, f"{page} links to what is not there: {sorted(set(dead))}"


# Code and what it prints wrap; on a phone a table that is too wide stands as cards, and formulas
# alone have to be scrolled.
CUT = """() => {
    const folded = [...document.querySelectorAll('article details:not([open])')];
    folded.forEach(e => { e.open = true; });
    const cut = [...document.querySelectorAll('article pre, article table, article div.math')]
        .filter(e => e.checkVisibility() && (innerWidth > 600 || !e.matches('div.math')))
        .map(e => [e, e.closest('.pst-scrollable-table-container') || e])
        .filter(([_, room]) => room.scrollWidth > room.clientWidth + 1)
        .map(([e, _]) => e.textContent.trim().slice(0, 80));
    folded.forEach(e => { e.open = false; });
    return cut;
}"""


@pytest.mark.parametrize("page", CONTENT)
def test_page_stands_alone_light_and_dark_wide_and_on_a_phone(browser, page):
    tab, complaints = open_page(browser, page)
    settle(tab)
    # A colour is judged where it ends, not on its way there.
    tab.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    faults = []
    for theme in ("light", "dark"):  # the theme changes the colours, the width all the rest
        tab.emulate_media(color_scheme=theme)
        tab.wait_for_function(f"() => document.documentElement.dataset.theme === '{theme}'")
        faults += [f"{theme}: {line}" for line in axe(tab, colours=True)]
    for name, size in (("wide", WIDE), ("phone", PHONE)):
        tab.set_viewport_size(size)
        tab.wait_for_timeout(350)  # the theme makes what scrolls focusable 300 ms after a resize
        faults += [f"{name}: {line}" for line in axe(tab, colours=False)]
        over = tab.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        if over > 0:
            faults.append(f"{name}: the page scrolls sideways by {over} pixels")
        faults += [f"{name}: cut: {text}" for text in tab.evaluate(CUT)]
    tab.context.close()
    assert not complaints, "\n".join(complaints)
    assert not faults, "\n".join(faults)


JUMPS = """() => new Promise(done => {
    const jumps = [];
    new PerformanceObserver(list => jumps.push(...list.getEntries().map(e =>
        [e.value, ...e.sources.map(s => s.node?.textContent.trim().slice(0, 40))])))
        .observe({type: 'layout-shift', buffered: true});
    setTimeout(() => done(jumps), 200);
})"""


@pytest.mark.parametrize("page", CONTENT)
def test_nothing_jumps_while_a_page_is_drawn(browser, page):
    """On a phone four times slower than this machine, as Lighthouse takes one to be.

    A hundredth of what Lighthouse calls good is allowed: a word that sinks by a pixel as the larger
    one behind it is read.
    """
    context = browser.new_context(viewport=PHONE, is_mobile=True, device_scale_factor=2)
    tab = context.new_page()
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    tab.goto((HTML / page).as_uri(), wait_until="load")
    jumps = tab.evaluate(JUMPS)
    context.close()
    assert sum(jump[0] for jump in jumps) < 0.001, f"{page} jumps: {jumps}"


@pytest.mark.parametrize("page", CONTENT)
def test_every_formula_is_set_in_the_page_itself(page):
    for formula in soup(page).select(".math"):
        assert formula.find("math") is not None, f"{page}: {formula.get_text()}"
    tex = ("\\(", "\\[", "\\frac")
    for part in soup(page).select_one("article, main").find_all(string=True):
        if part.parent.name not in ("code", "script", "span", "pre"):
            assert not any(mark in part for mark in tex), part


# Only formulas, on a sheet where nothing else is drawn or arrives late.
FORMULAS_ALONE = """
* { visibility: hidden !important; animation: none !important; transition: none !important; }
img, svg, .cell_output { display: none !important; }
article FORMULA, article FORMULA * { visibility: visible !important; }
"""


@pytest.mark.parametrize(
    ("page", "formula", "size"),
    [
        ("notebooks/02-tempered-soft-targets.html", "span.math", WIDE),
        ("notebooks/02-tempered-soft-targets.html", "span.math", PHONE),
        ("book/notation.html", "span.math", WIDE),
        ("book/notation.html", "span.math", PHONE),
        # On a phone a displayed formula may be cut, where it can be scrolled.
        ("notebooks/museum-of-bugs.html", "div.math", WIDE),
        ("notebooks/06-deployment.html", "div.math", WIDE),
    ],
)
def test_no_formula_is_cut(browser, page, formula, size):
    """Formulas look alike where nothing may be cut: T keeps its bar, a fraction its top."""
    tab, _ = open_page(browser, page)
    tab.set_viewport_size(size)
    tab.add_style_tag(content=FORMULAS_ALONE.replace("FORMULA", formula))
    assert tab.query_selector(f"article {formula}")
    seen = picture(tab)
    free = "overflow: visible !important; mask-image: none !important;"
    tab.add_style_tag(content=f"article {formula} {{ {free} }}")
    assert picture(tab) == seen
    cut = "inset(4px 0 0 0)" if formula == "span.math" else "inset(calc(0.4em + 4px) 0 0 0)"
    tab.add_style_tag(content=f"article {formula} {{ clip-path: {cut}; }}")
    assert picture(tab) != seen, "the picture cannot tell a formula that is cut"
    tab.context.close()


def picture(tab) -> bytes:
    """Return a picture of the whole page once it stays as it is."""
    seen = [b"", tab.screenshot(full_page=True, animations="disabled")]
    while seen[-1] != seen[-2]:
        assert len(seen) < 10, "the page does not come to rest"
        seen.append(tab.screenshot(full_page=True, animations="disabled"))
    return seen[-1]


@pytest.mark.parametrize("page", CONTENT)
def test_a_page_loads_what_it_uses(page):
    """One style sheet, scripts that wait, pictures of known size that load as they come near."""
    assert len(soup(page).select('link[rel="stylesheet"]')) == 1
    assert len(soup(page).select('meta[name="description"]')) == 1
    assert soup(page).select('link[rel="icon"]')
    sources = {s["src"].split("?")[0].rsplit("/", 1)[-1] for s in soup(page).select("script[src]")}
    assert not sources & {"vega.js", "fontawesome.js", "tex-svg.js"}
    assert ("searchindex.js" in sources) == (page == "search.html")
    assert all(s.has_attr("defer") for s in soup(page).select("script[src]"))
    pictures = soup(page).select("img")
    assert all(p.get("loading") == "lazy" for p in pictures[1:])
    for picture in pictures:
        assert picture["src"].endswith(".svg") or {"width", "height"} <= picture.attrs.keys()


@pytest.mark.parametrize("page", CONTENT)
def test_colours_are_chosen_before_anything_is_drawn(page):
    """The theme waits for the whole page: until then borders and colours are none."""
    text = (HTML / page).read_text(encoding="utf-8")
    chosen = text.index("matchMedia")
    assert chosen < text.index("<body") and text.count("dataset.theme =") == 1
    assert 'data-theme="auto"' not in text


def test_the_theme_measures_no_boxes_and_our_script_does():
    theme = (HTML / "_static/scripts/pydata-sphinx-theme.js").read_text(encoding="utf-8")
    assert "pst-scrollable-table-container" in theme, "the theme's script has changed: look anew"
    assert "tabIndex=e.scrollWidth" not in theme
    assert "scrollWidth" in (HTML / "_static/reach.js").read_text(encoding="utf-8")


def test_what_is_wide_is_reached_by_keyboard_once_it_is_unfolded(browser):
    """Nothing is wide on any page, so code is kept from wrapping here."""
    tab, _ = open_page(browser, "notebooks/evidence/03-distillation-objective.html")
    tab.set_viewport_size(PHONE)
    tab.add_style_tag(content=".bd-article details pre { white-space: pre !important; }")
    tab.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    tab.wait_for_timeout(400)
    found = tab.evaluate(
        """[...document.querySelectorAll("details pre")]
        .map(box => [box.scrollWidth > box.clientWidth, box.tabIndex === 0])"""
    )
    assert len({wide for wide, _ in found}) == 2 and all(wide == reached for wide, reached in found)
    tab.context.close()


LESSON_KB, PAGE_KB = 150, 1_000


@pytest.mark.parametrize("page", CONTENT)
def test_a_page_is_light(page):
    """All that it loads before anyone scrolls, pictures aside."""
    weight = (HTML / page).stat().st_size
    if page.startswith("notebooks/") and page.count("/") == 1:
        assert weight <= LESSON_KB * 1000
    for tag, name in (("script[src]", "src"), ('link[rel="stylesheet"]', "href")):
        for element in soup(page).select(tag):
            link = element[name].split("?")[0]
            weight += (HTML / page).parent.joinpath(link).stat().st_size
    assert weight <= PAGE_KB * 1000


@pytest.mark.parametrize("page", LIVE)
def test_a_slider_or_buttons_move_the_live_chart(browser, page):
    for size in (WIDE, PHONE):
        tab, complaints = open_page(browser, page)
        tab.set_viewport_size(size)
        tab.reload()
        settle(tab)
        for chart in tab.query_selector_all(".live-chart"):
            svg = chart.query_selector("svg")
            assert svg is not None
            box, room = svg.bounding_box(), chart.bounding_box()
            assert box["width"] > 100 and box["height"] > 80
            assert box["x"] + box["width"] <= room["x"] + room["width"] + 1
            control = chart.query_selector("input[type=range], input[type=radio]")
            assert control is not None, f"{page}: a live chart without a slider or buttons"
            for text in svg.query_selector_all(".role-axis-title text, .role-axis-title"):
                title = text.bounding_box()
                end = room["x"] + room["width"]
                assert title is None or (
                    title["x"] >= room["x"] and title["x"] + title["width"] <= end
                ), f"{page}: an axis title is cut at {size['width']} px"
            control.focus()
            ends = []
            sliding = control.get_attribute("type") == "range"
            if sliding and control.get_attribute("name") == "step":  # its number is no reader's
                counted = chart.query_selector("input[type=range] ~ span")
                assert not counted.is_visible(), f"{page}: a slider shows the number of its step"
                shown = chart.query_selector("input[type=range] + output")
                spoken = [control.get_attribute("aria-valuetext")]
                tab.keyboard.press("Home")
                spoken.append(control.get_attribute("aria-valuetext"))
                assert shown.inner_text() == spoken[-1], f"{page}: a slider shows no value"
                tab.keyboard.press("End")
                spoken.append(control.get_attribute("aria-valuetext"))
                assert shown.inner_text() == spoken[-1]
                assert all(spoken) and spoken[1] != spoken[2], f"{page}: a slider says {spoken}"
            for key in ("Home", "End") if sliding else ("ArrowDown", "ArrowDown"):
                tab.keyboard.press(key)
                tab.wait_for_timeout(150)
                ends.append(chart.query_selector("svg").inner_html())
            assert ends[0] != ends[1], f"{page}: the control does nothing"
        assert not complaints
        tab.context.close()


@pytest.mark.parametrize("page", LIVE)
def test_without_scripts_the_picture_stands(browser, page):
    tab, _ = open_page(browser, page, java_script_enabled=False)
    for figure in tab.query_selector_all(".cell_output img"):
        assert figure.is_visible()
    tab.context.close()


def test_search_works_from_a_folder(browser):
    tab, complaints = open_page(browser, "search.html")
    tab.goto((HTML / "search.html").as_uri() + "?q=softmax")
    tab.wait_for_selector("#search-results li a", timeout=10_000)
    assert not complaints
    tab.context.close()


if __name__ == "__main__":  # pictures of every page, to look at
    from playwright.sync_api import sync_playwright

    from conftest import FLAGS, chromium

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        driver = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for page in CONTENT:
            for theme in ("light", "dark"):
                for name, size in (("wide", WIDE), ("phone", PHONE)):
                    context = driver.new_context(color_scheme=theme, viewport=size)
                    tab = context.new_page()
                    tab.goto((HTML / page).as_uri())
                    settle(tab)
                    stem = page.removesuffix(".html").replace("/", "-")
                    tab.screenshot(path=folder / f"{stem}-{name}-{theme}.png", full_page=True)
                    context.close()
        driver.close()

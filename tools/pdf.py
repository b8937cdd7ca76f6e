"""Make one PDF of the rendered book: ``pdf.py SITE TARGET``, from the folder of ``_toc.yml``.

The articles of all pages are gathered into one page, in the order of the table of contents, and
Chromium prints it. How paper differs from a screen is in ``book.css``, so that one page printed by
a reader looks the same; here is only what a file of many pages needs.
"""

from __future__ import annotations

import html
import posixpath
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

import pikepdf
import yaml
from browser import FLAGS, MISSING, chromium
from bs4 import BeautifulSoup, Tag

# Attributes that name elements of the same page.
NAMING = ("id", "for", "aria-labelledby", "aria-describedby", "headers")
# What nobody can press on paper, and folded code, which book.css does not print either: without it
# the whole is laid out in half of the time.
LEFT_OUT = "script, a.headerlink, a.full-size, .tag_hide-input > details.above-input"
ROOM = 672  # CSS pixels (96 an inch) between the margins: 210 mm less twice the 16 mm of book.css
STYLE = """
@page { size: A4; @top-center { font: 8pt sans-serif; color: #555; } }
@page front { @bottom-center { content: none; } }
.front { page: front; break-after: page; }
.title { font-size: 28pt; font-weight: 500; line-height: 1.3; margin: 0 0 12mm; }
.front .title { margin-top: 60mm; }
.front p:not(.title) { font-size: 12pt; }
.overview { break-after: page; }
.overview ol { list-style: none; padding: 0; margin: 0; }
.overview li { display: flex; line-height: 1.2; }
.overview a { flex: 1; }
.part { font-size: 12pt; margin: 0 0 6mm; padding-top: 0.2em; }
article h2 { font-size: 2em; margin-top: 0; }
article h3 { font-size: 1.6em; }
article h4 { font-size: 1.3em; }
article :is(h5, h6) { font-size: 1.1em; }
"""
# What is cut off or juts out into the margin; for its sake Chromium would shrink every page.
TOO_WIDE = """() => {
    const found = [], room = document.documentElement.clientWidth;
    for (const e of document.querySelectorAll('body *')) {
        const box = e.getBoundingClientRect();
        const cut = e.scrollWidth > e.clientWidth + 1 && box.width > 1
            && getComputedStyle(e).overflowX !== 'visible';
        if (cut || box.right > room + 1 || box.left < -1)
            found.push(`${e.closest('[id^="page-"]')?.id}: ${e.outerHTML.slice(0, 160)}`);
    }
    return found;
}"""
NUMBER_PAGES = """numbers => {
    for (const line of document.querySelectorAll('.overview li')) {
        const link = line.querySelector('a');
        if (link) line.querySelector('span').textContent = numbers[link.hash.slice(1)];
    }
}"""


class Part(NamedTuple):
    """A part of the table of contents: its title, or None before the first, and its pages."""

    title: str | None
    pages: list[str]


def table_of_contents(path: Path) -> list[Part]:
    """Return the parts of a book, the page that opens it first."""
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))
    parts = [Part(None, [toc["root"]])]
    for part in toc["parts"]:
        pages = [
            page["file"]
            for chapter in part["chapters"]
            for page in (chapter, *chapter.get("sections", []))
        ]
        parts.append(Part(part["caption"], pages))
    return parts


def gather(site: Path, parts: Sequence[Part], about: Mapping[str, Any], made: str) -> str:
    """Return the book as one HTML page.

    Parameters
    ----------
    site
        The folder of the rendered book.
    parts
        The table of contents.
    about
        What ``CITATION.cff`` says of the book.
    made
        Of which day this version is.

    Raises
    ------
    ValueError
        Where a page links to what is not in the book.
    """
    pages = [page for part in parts for page in part.pages]
    articles = {page: article(site, page, pages) for page in pages}
    anchors = {tag["id"] for found in articles.values() for tag in found.find_all(id=True)}
    anchors.update(map(anchor, pages))
    for page, found in articles.items():
        for link in found.select('a[href^="#"]'):
            if link["href"][1:] not in anchors:
                raise ValueError(f"{page} links to {link['href'][1:]}, which is not in the book")
    titles = {page: found.find("h2").get_text() for page, found in articles.items()}
    lines, body, running = [], [], []
    for part in parts:
        if part.title:
            lines.append(f"<li><strong>{html.escape(part.title)}</strong></li>")
        for page in part.pages:
            name, title = anchor(page), html.escape(titles[page])
            lines.append(f'<li><a href="#{name}">{title}</a><span></span></li>')
            opens = part.title is not None and page == part.pages[0]
            heading = f'<h1 class="part">{html.escape(part.title or "")}</h1>' if opens else ""
            body.append(f'<div id="{name}">{heading}{articles[page]}</div>')
            words = titles[page].replace("\\", "\\\\").replace('"', '\\"')
            running.append(f'@page p{len(body)} {{ @top-center {{ content: "{words}"; }} }}')
            running.append(f"#{name} {{ page: p{len(body)}; }}")  # and so begins a new page
    front = [written_by(about), f"Version {about['version']}, {made}", about["abstract"]]
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light">
<head><meta charset="utf-8"><title>{html.escape(about["title"])}</title>
<link rel="stylesheet" href="{(site / "_static/pages.css").resolve().as_uri()}">
<style>{STYLE}{"".join(running)}</style></head>
<body><main class="bd-main"><div class="bd-content"><div class="bd-article-container">
<div class="front"><p class="title">{html.escape(about["title"])}</p>
{"".join(f"<p>{html.escape(line)}</p>" for line in front)}</div>
<nav class="overview" aria-label="Contents"><p class="title">Contents</p>
<ol>{"".join(lines)}</ol></nav>
{"".join(body)}
</div></div></main></body></html>
"""


def written_by(about: Mapping[str, Any]) -> str:
    """Return the authors' names."""
    return ", ".join(person["name"] for person in about["authors"])


def anchor(page: str, fragment: str = "") -> str:
    """Name a page, or an element of it, uniquely in the whole book."""
    name = page.replace("/", "-")
    return f"{name}--{fragment}" if fragment else f"page-{name}"


def article(site: Path, page: str, pages: Sequence[str]) -> Tag:
    """Return the article of a page: names unique in the book, headings one level lower."""
    path = site / f"{page}.html"
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<article") : text.index("</article>")]  # a third of the page, and time
    found: Any = BeautifulSoup(text, "html.parser").article
    for tag in found.select(LEFT_OUT):
        tag.decompose()
    for level in range(5, 0, -1):
        for tag in found.find_all(f"h{level}"):
            tag.name = f"h{level + 1}"
    for name in NAMING:
        for tag in found.find_all(attrs={name: True}):
            tag[name] = " ".join(anchor(page, one) for one in tag[name].split())
    for tag in found.select("img[src]"):
        source = unquote(tag["src"].split("?")[0])
        tag["src"] = (path.parent / source).resolve().as_uri()
        del tag["loading"]
    for tag in found.select("a[href]"):
        if not urlsplit(tag["href"]).scheme:
            tag["href"] = "#" + target(page, tag["href"], pages)
    return found


def target(page: str, link: str, pages: Sequence[str]) -> str:
    """Turn a link from one page of the site to another into a place in the one file."""
    to, fragment = urldefrag(link)
    if to:
        to = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(to)))
        to = to.removesuffix(".html")
        if to not in pages:
            raise ValueError(f"{page} links to {to}, which is not in the book")
        page = to
    return anchor(page, unquote(fragment))


def open_for_print(browser: Any, page: Path) -> tuple[Any, list[str]]:
    """Open a page as wide as the paper; return it and what it asks for, lacks or cuts off."""
    faults: list[str] = []
    tab = browser.new_page(viewport={"width": ROOM, "height": 1000}, color_scheme="light")
    tab.set_default_timeout(900_000)  # a busy machine is slow, not wrong
    tab.emulate_media(media="print")
    tab.on("request", lambda r: faults.append(f"asks for {r.url}") if outside(r.url) else None)
    tab.on("requestfailed", lambda r: faults.append(f"cannot load {r.url}"))
    tab.goto(page.resolve().as_uri(), wait_until="load")
    faults += [f"too wide: {found}" for found in tab.evaluate(TOO_WIDE)]
    return tab, faults


def outside(address: str) -> bool:
    """Tell whether an address needs a network."""
    return urlsplit(address).scheme not in ("file", "data", "blob")


def print_book(browser: Any, page: Path, to: Path, author: str) -> list[str]:
    """Print a gathered book; return its faults.

    Twice: only print tells on which pages the contents stand. The tags, by which a screen reader
    finds its way, come from Chromium unpacked, half of the file; pikepdf packs them.
    """
    tab, faults = open_for_print(browser, page)
    settings = {"path": to, "prefer_css_page_size": True, "print_background": True}
    tab.pdf(**settings)
    with pikepdf.open(to) as file:
        numbers = {sheet.objgen: number for number, sheet in enumerate(file.pages, start=1)}
        places = file.Root.get("/Dests", {}).items()
        tab.evaluate(NUMBER_PAGES, {name[1:]: numbers[place[0].objgen] for name, place in places})
    tab.pdf(**settings, outline=True, tagged=True)
    tab.close()
    with pikepdf.open(to, allow_overwriting_input=True) as file:
        file.docinfo["/Author"] = author
        file.save(to, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return faults


def make(browser: Any, site: Path, toc: Path, citation: Path, to: Path) -> list[str]:
    """Make the PDF of a rendered book, with what was printed beside it; return its faults."""
    about = yaml.safe_load(citation.read_text(encoding="utf-8"))
    page = to.with_suffix(".html")
    text = gather(site, table_of_contents(toc), about, day_of_commit())
    page.write_text(text, encoding="utf-8")
    return print_book(browser, page, to, written_by(about))


def day_of_commit() -> str:
    """Return the day and the name of the commit; where there is no repository, say so."""
    command = ["git", "log", "-1", "--format=%cd (commit %h)", "--date=format:%d %B %Y"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "from a copy without its history"
    return done.stdout.strip().lstrip("0")


def main(site: Path, to: Path) -> int:
    """Make the PDF, and say what it is or why there is none."""
    path = chromium()
    if path is None:
        print(MISSING, file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    start = time.monotonic()
    part = to.with_suffix(".part.pdf")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            faults = make(browser, site, Path("_toc.yml"), Path("CITATION.cff"), part)
        except ValueError as error:
            faults = [str(error)]
        browser.close()
    if faults:
        print("\n".join(faults), file=sys.stderr)
        return 1
    part.replace(to)
    with pikepdf.open(to) as file:
        length = len(file.pages)
    size, took = to.stat().st_size / 1e6, time.monotonic() - start
    print(f"{to}: {length} pages, {size:.0f} MB, made in {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

"""The book as one PDF, and one page as a reader prints it. Each check is shown a planted fault."""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path

import pdf
import pikepdf
import pypdfium2
import pytest
from bs4 import BeautifulSoup
from test_pages import HTML, open_page

ROOT = Path(__file__).parents[2]
SIZE_MB = 25
LESSON = "notebooks/02-tempered-soft-targets"


def squeezed(text: str) -> str:
    return "".join(text.split())


def text_of(data: Path | bytes) -> str:
    """All text of a PDF without white space, page by page."""
    with pypdfium2.PdfDocument(data) as file:
        return squeezed("".join(page.get_textpage().get_text_range() for page in file))


def outline_of(file: pikepdf.Pdf) -> list[tuple[int, str]]:
    """Level and title of each bookmark of the first three levels."""
    found = []

    def walk(items, level):
        for item in items:
            found.append((level, squeezed(item.title)))
            if level < 2:
                walk(item.children, level + 1)

    with file.open_outline() as outline:
        walk(outline.root, 0)
    return found


def article_of(site: Path, page: str) -> BeautifulSoup:
    text = (site / f"{page}.html").read_text(encoding="utf-8")
    text = text[text.index("<article") : text.index("</article>")]
    article = BeautifulSoup(text, "html.parser")
    for link in article.select(".headerlink"):
        link.decompose()
    return article


def expected_outline(site: Path, toc: Path) -> list[tuple[int, str]]:
    """Parts, pages and their second-level headings, from the site itself."""
    found = []
    for part in pdf.table_of_contents(toc):
        if part.title:
            found.append((0, squeezed(part.title)))
        level = 1 if part.title else 0
        for page in part.pages:
            for heading in article_of(site, page).find_all(["h1", "h2"]):
                found.append((level + (heading.name == "h2"), squeezed(heading.get_text())))
    return found


ANSWERS = ".truth, details:not(.hide) > p, #exercises .tag_hide-cell .cell_input pre"


def answers(site: Path, page: str) -> list[str]:
    """How every answer, hint and solution of a page begins; formulas are no plain text."""
    found = []
    for element in article_of(site, page).select(ANSWERS):
        for formula in element.find_all("math"):
            formula.replace_with("|")  # as far as we look
        found.append(squeezed(element.get_text())[:40].partition("|")[0])
    return found


def dead_links(file: pikepdf.Pdf) -> list[str]:
    """Links that lead nowhere inside the file, or to a file of this machine."""
    places = file.Root.get("/Dests", {})
    dead = []
    for page in file.pages:
        for link in page.get("/Annots", []):
            if "/Dest" in link:
                to = link.Dest
                dead += [str(to)] if isinstance(to, pikepdf.Name) and to not in places else []
            elif not str(link.A.get("/URI", "")).startswith(("http:", "https:", "mailto:")):
                dead.append(str(link.A))
    return dead


def inspect(browser, site: Path, toc: Path, citation: Path, to: Path, wanted: Path) -> list[str]:
    """Make the PDF and return everything that is wrong with it."""
    try:
        faults = pdf.make(browser, site, toc, citation, to)
    except ValueError as error:
        return [str(error)]
    text = text_of(to)
    with pikepdf.open(to) as file:
        here, there = outline_of(file), expected_outline(site, wanted)
        faults += [f"outline: {a}, not {b}" for a, b in zip(here, there, strict=False) if a != b]
        if len(here) != len(there):
            faults.append(f"outline: {len(here)} entries, not {len(there)}")
        faults += [f"dead link: {link}" for link in dead_links(file)]
        inside = sum("/Dest" in link for page in file.pages for link in page.get("/Annots", []))
        links = to.with_suffix(".html").read_text(encoding="utf-8").count('href="#')
        if inside < links:
            faults.append(f"dead link: {links} lead to a place in the book, {inside} jump")
        faults += [] if file.Root.get("/Lang") == "en" else ["no language"]
        faults += [] if file.docinfo.get("/Title") else ["no title"]
        faults += [] if file.Root.get("/MarkInfo", {}).get("/Marked") else ["no tags"]
    for part in pdf.table_of_contents(wanted):
        for page in part.pages:
            faults += [f"{page} lacks {a}" for a in answers(site, page) if a not in text]
    size = to.stat().st_size / 1e6
    return faults + ([f"{size:.0f} MB"] if size > SIZE_MB else [])


def test_the_whole_book(browser, tmp_path):
    toc = ROOT / "_toc.yml"
    assert sum(
        len(answers(HTML, page)) for part in pdf.table_of_contents(toc) for page in part.pages
    )
    faults = inspect(browser, HTML, toc, ROOT / "CITATION.cff", tmp_path / "book.pdf", toc)
    assert not faults, "\n".join(faults)


TOC = """
root: first
parts:
  - caption: Lessons
    chapters:
      - file: lessons/second
      - file: lessons/third
"""
CITATION = "{title: A small book, version: 1.0, abstract: Three pages., authors: [{name: Nobody}]}"
PAGES = {
    "first": """<h1>First#</h1><h2 id="x">A section#</h2>
        <p>See <a href="lessons/second.html">the second</a>, <a href="lessons/third.html#x">
        a section of the third</a> and <a href="https://example.org">elsewhere</a>.</p>""",
    "lessons/second": """<h1>Second#</h1><div class="guess"><p>How many?</p>
        <div class="controls" hidden><button>Show the answer</button></div>
        <p class="truth">Answer: exactly seventeen of them.</p></div>
        <div class="cell_output"><img src="../dot.png" alt="a dot"></div>
        <details><summary>Hint</summary><p>Count them in pairs, then add one.</p></details>
        <section id="exercises"><div class="cell tag_hide-cell"><details class="hide above-input">
        <summary>Show</summary><div class="cell_input"><pre>print(2 * 8 + 1)</pre></div></details>
        </div></section>
        <div class="cell tag_hide-input"><details class="hide above-input"><summary>Show</summary>
        <div class="cell_input"><pre>folded = True</pre></div></details></div>""",
    "lessons/third": """<h1>Third#</h1><h2 id="x">Its section#</h2>
        <table><tr><td>1</td></tr></table>
        <p><a href="../first.html#x">Back</a></p>""",
}


def dot() -> bytes:
    """A picture of one pixel."""
    out = b"\x89PNG\r\n\x1a\n"
    header = b"\0\0\0\1\0\0\0\1\x08\0\0\0\0"
    for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b"")):
        out += len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)
    return out


@pytest.fixture
def small_book(tmp_path):
    """A site of three pages, its table of contents and its citation, to be spoilt."""
    site = tmp_path / "site"
    (site / "_static").mkdir(parents=True)
    (site / "lessons").mkdir()
    css = (ROOT / "book/_static/book.css").read_text(encoding="utf-8")
    (site / "_static/pages.css").write_text(css, encoding="utf-8")
    (site / "dot.png").write_bytes(dot())
    for page, body in PAGES.items():
        body = re.sub("#(?=</h)", '<a class="headerlink" href="#">#</a>', body)
        text = f'<!DOCTYPE html><html><article class="bd-article">{body}</article></html>'
        (site / f"{page}.html").write_text(text, encoding="utf-8")
    for name, text in (("toc.yml", TOC), ("citation.cff", CITATION)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def inspect_small(browser, folder: Path) -> list[str]:
    (folder / "wanted.yml").write_text(TOC, encoding="utf-8")
    names = (
        folder / name for name in ("site", "toc.yml", "citation.cff", "book.pdf", "wanted.yml")
    )
    return inspect(browser, *names)


def test_a_small_book(browser, small_book):
    assert inspect_small(browser, small_book) == []
    text = text_of(small_book / "book.pdf")
    assert answers(small_book / "site", "lessons/second") == [
        "Answer:exactlyseventeenofthem.",
        "Counttheminpairs,thenaddone.",
        "print(2*8+1)",
    ]
    assert "folded" not in text and "Showtheanswer" not in text
    assert "Second4" in text  # its line in the contents: the fourth sheet
    with pikepdf.open(small_book / "book.pdf") as file:
        assert len(file.pages) == 5
        assert file.docinfo["/Author"] == "Nobody"


FAULTS = {
    "a page left out": ("toc.yml", "      - file: lessons/third", "", "not in the book"),
    "two pages exchanged": (
        "toc.yml",
        "      - file: lessons/second\n      - file: lessons/third",
        "      - file: lessons/third\n      - file: lessons/second",
        "outline",
    ),
    "an answer that stays folded": (
        "site/_static/pages.css",
        "content-visibility: visible; display: block;",
        "content-visibility: hidden;",
        "lessons/second lacks",
    ),
    "a guess without its answer": (
        "site/lessons/second.html",
        'class="truth"',
        'class="truth" style="display: none !important"',
        "lessons/second lacks Answer",
    ),
    "a link to no page": ("site/first.html", "second.html", "fourth.html", "not in the book"),
    "a link to no section": ("site/first.html", "third.html#x", "third.html#y", "not in the book"),
    "a link to what is not shown": (
        "site/lessons/third.html",
        '<h2 id="x">',
        '<p id="x" style="display: none">hidden</p><h2>',
        "dead link",
    ),
    "a picture that is not there": (
        "site/lessons/second.html",
        "dot.png",
        "dash.png",
        "cannot load",
    ),
    "a table wider than the page": (
        "site/lessons/third.html",
        "<td>",
        "<td><p style='width: 700px'>",
        "too wide",
    ),
    "code that is cut": (
        "site/lessons/second.html",
        "<pre>print",
        "<pre style='white-space: pre; overflow: hidden'>" + 200 * "x" + "print",
        "too wide",
    ),
    "a picture from the network": (
        "site/first.html",
        "<p>",
        "<p style='background: url(http://localhost:9/x.png)'>",
        "asks for http://localhost:9/x.png",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(browser, small_book, fault):
    name, before, after, complaint = FAULTS[fault]
    text = (small_book / name).read_text(encoding="utf-8")
    assert before in text
    (small_book / name).write_text(text.replace(before, after), encoding="utf-8")
    faults = inspect_small(browser, small_book)
    assert any(complaint in found for found in faults), faults


def test_without_chromium_one_line_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(pdf, "chromium", lambda: None)
    assert pdf.main(tmp_path, tmp_path / "book.pdf") == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "CHROMIUM=" in told


def test_a_page_printed_by_a_reader_is_light_and_answers(browser):
    tab, _ = open_page(browser, f"{LESSON}.html")
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")
    data = tab.pdf(print_background=True, prefer_css_page_size=True)
    assert tab.evaluate("() => document.documentElement.dataset.theme") == "dark"  # again
    text = text_of(data)
    assert [a for a in answers(HTML, LESSON) if a not in text] == []
    for away in ("Showcode", "Hidecode", "Showtheanswer", "Copyright", "Contents", "Search"):
        assert away not in text
    with pypdfium2.PdfDocument(io.BytesIO(data)) as file:
        picture = file[0].render(scale=0.5).to_pil().convert("L")
    assert picture.histogram()[255] > 0.7 * picture.width * picture.height
    tab.context.close()

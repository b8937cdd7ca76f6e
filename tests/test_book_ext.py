"""The book's Sphinx extensions: formulas set at build time, and pages made light."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from fontTools.ttLib import TTFont
from sphinx.ext.napoleon import Config, NumpyDocstring

from distill_helpers import results

ROOT = Path(__file__).resolve().parents[1]
EXT = ROOT / "book" / "_ext"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXT / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


maths, pages, book = load("book_maths"), load("light_pages"), load("distill_book")

# -- formulas -------------------------------------------------------------------------------------


def words(mathml: str) -> str:
    return "".join(ElementTree.fromstring(mathml).itertext()).replace("\u2061", "")


def test_formulas_come_back_in_their_order_each_as_one_element():
    formulas = [("a_1", False), (r"\frac{1}{2}", True), ("x < y", False), ("$", False)]
    found = maths.to_mathml([*formulas[:3]])
    assert [words(m) for m in found] == ["a1", "12", "x<y"]
    assert ['display="block"' in m for m in found] == [False, True, False]
    assert maths.to_mathml([]) == []


def test_a_formula_that_cannot_be_set_is_none_and_the_others_are_there():
    found = maths.to_mathml([("a", False), (r"\nosuchmacro{b", False), ("c", False)])
    assert found[1] is None and [words(found[0]), words(found[2])] == ["a", "c"]


def test_a_function_has_room_before_its_argument_but_not_before_a_bracket():
    apart, together = maths.to_mathml([(r"\log p", False), (r"\log(p)", False)])
    assert "mspace" in apart and "mspace" not in together


@pytest.mark.parametrize("script", ["^2", "_k", "_k^2"])
def test_a_bracket_with_an_exponent_is_in_a_row_of_its_own_for_there_it_grows(script):
    (found,) = maths.to_mathml([(rf"\bigl(\frac ab\bigr){script}", True)])
    assert re.search(r"<m(sup|sub|subsup)><mrow><mo [^>]*>\)</mo></mrow><m", found)


def test_the_bars_of_a_norm_are_as_high_as_text():
    (norm,) = maths.to_mathml([(r"\lVert g \rVert", False)])
    assert norm.count('stretchy="false"') == 2 and 'stretchy="true"' not in norm


def test_rows_of_an_aligned_equation_are_displays():
    (aligned,) = maths.to_mathml([(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", True)])
    assert '<mtable displaystyle="true"' in aligned


@pytest.mark.parametrize(
    ("tex", "number", "shown"),
    [
        (r"a = b \tag{3.1}", "3.1", "a=b"),
        (r"\[\begin{aligned} a &= b \\ c &= d \tag{1} \end{aligned}\]", "1", "a=bc=d"),
        (r"a &= b \\ c &= d", None, "a=bc=d"),  # a docstring's rows
    ],
)
def test_an_equation_keeps_its_number_apart(tex, number, shown):
    block = nodes.math_block(tex, tex)
    maths.set_formulas([block, nodes.paragraph()])
    assert words(block["mathml"]).replace(" ", "") == shown and block.get("tag") == number


# -- light pages ----------------------------------------------------------------------------------

CSS = """
/* a comment */
.used { color: red; /* why */ }
.unused, .used.other , a.used:not(.unused) > b { top: 0 }
.unused .used { left: 0 }
#here{right:0} #gone{right:1px}
p, a[href=".unused"] { margin: 0 }
@media (min-width: 1px) { .unused { color: blue } .used { color: green } }
@media print { .unused { color: blue } }
@keyframes turn { from { top: 0 } to { top: 1px } }
@font-face { font-family: x; src: url(../vendor/fontawesome/x.woff2) }
"""


def test_a_style_sheet_keeps_the_rules_that_can_match():
    kept = pages.needed(CSS, {"used", "here"})
    squeezed = re.sub(r"\s", "", kept)
    assert squeezed == (
        ".used{color:red;}a.used:not(.unused)>b{top:0}#here{right:0}"
        'p,a[href=".unused"]{margin:0}@media(min-width:1px){.used{color:green}}'
        "@keyframesturn{from{top:0}to{top:1px}}"
    )
    assert ".used{color: red;}" in kept


HEAD = """<head><meta charset="utf-8" />
    <title>T</title>
<link href="../_static/styles/theme.css?digest=1" rel="stylesheet" />
    <link rel="stylesheet" type="text/css" href="../_static/book.css?v=2" />
  <script defer src="../_static/scripts/fontawesome.js?digest=5"></script>
<link rel="preload" as="script" href="../_static/scripts/bootstrap.js?digest=5" />
    <script src="../_static/documentation_options.js?v=3"></script>
    <script src="../_static/doctools.js?v=9"></script>
    <script>let inline = 1;</script>
    <script src="../_static/searchtools.js"></script>
    <script defer="defer" src="../_static/other.js?v=1"></script>
  </head>"""


def test_one_style_sheet_stands_where_the_first_stood():
    text = pages.with_styles(HEAD, "../_static/pages.css?v=1")
    assert text.count("stylesheet") == 1
    link = '<link rel="stylesheet" href="../_static/pages.css?v=1" />'
    assert f"<title>T</title>\n{link}{pages.READY}" in text
    assert pages.with_styles(text, "../_static/pages.css?v=1") == text


def test_scripts_wait_and_the_unused_are_gone():
    text = pages.with_scripts(HEAD, "const OPTIONS = 1;", search=False)
    assert re.findall(r"<script[^>]*>", text) == [
        "<script>",
        '<script defer src="../_static/doctools.js?v=9">',
        "<script>",
        '<script defer src="../_static/other.js?v=1">',
    ]
    assert "<script>const OPTIONS = 1;</script>" in text and "preload" not in text
    assert pages.with_scripts(text, "const OPTIONS = 1;", search=False) == text
    assert "searchtools.js" in pages.with_scripts(HEAD, "", search=True)


def picture(folder: Path, name: str, width: int, height: int) -> None:
    from PIL import Image

    Image.new("RGB", (width, height)).save(folder / name)


def test_pictures_say_their_size_and_all_but_the_first_come_late(tmp_path):
    picture(tmp_path, "a.png", 7, 5)
    text = '<img alt="a" src="a.png" /><img src="a.png" width="3" height="2"/><img src="b.svg">'
    made = pages.with_images(text, tmp_path)
    assert made == (
        '<img width="7" height="5" alt="a" src="a.png" />'
        '<img loading="lazy" src="a.png" width="3" height="2"/>'
        '<img loading="lazy" src="b.svg">'
    )
    assert pages.with_images(made, tmp_path) == made


def test_a_first_picture_far_down_comes_late_too(tmp_path):
    for far in (0, pages.TOP + 1):
        made = pages.with_images("<article>" + " " * far + '<img src="b.svg">', tmp_path)
        assert ("loading" in made) == (far > 0)


def test_the_themes_measuring_loop_goes_and_the_rest_of_its_script_stays():
    loop = (
        "const e=()=>{document.querySelectorAll(L).forEach(e=>{e.tabIndex=e.scrollWidth>"
        "e.clientWidth||e.scrollHeight>e.clientHeight?0:-1})},t=_(e,300);e()"
    )
    assert (
        pages.MEASURED.sub("", loop) == "const e=()=>{document.querySelectorAll(L)},t=_(e,300);e()"
    )


@pytest.mark.parametrize(
    ("name", "head", "size"),
    [
        ("a.svg", '<?xml version="1.0"?>\n<svg width="36pt" height="18pt" viewBox="">', (48, 24)),
        ("b.svg", '<svg viewBox="0 0 36 18"><rect width="3pt" height="4pt">', None),
        ("c.jpg", "", None),
    ],
)
def test_a_drawing_s_size_is_read_from_its_head(name, head, size, tmp_path):
    (tmp_path / name).write_text(head, encoding="utf-8")
    assert pages.picture_size(tmp_path / name) == size
    assert pages.picture_size(tmp_path / "none.svg") is None


def test_a_table_too_wide_for_a_phone_becomes_cards_whose_cells_say_their_columns():
    table = (
        '<table class="table">\n<thead>\n<tr class="row-odd"><th class="head"><p>claim</p></th>\n'
        '<th><p>verdict, <em>ten</em> classes</p></th>\n<th>"found" &lt; 1</th>\n</tr>\n</thead>\n'
        '<tbody>\n<tr class="row-even"><td class="text-left"><p>A falls.</p></td>\n'
        "<td><p>holds</p></td>\n<td></td>\n</tr>\n</tbody>\n</table>"
    )
    made = pages.with_cards(f"<p>before</p>{table}<p>after</p>")
    soup = BeautifulSoup(made, "html.parser")
    assert soup.table["class"] == ["table", "cards"] and soup.table["role"] == "table"
    cells = [(td["data-label"], td.get_text(strip=True)) for td in soup.select("tbody td")]
    assert cells == [
        ("claim", "A falls."),
        ("verdict, ten classes", "holds"),
        ('"found" < 1', ""),
    ]
    roles = {tag["role"] for tag in soup.find_all(role=True)}
    assert roles == {"table", "rowgroup", "row", "columnheader", "cell"}
    assert pages.with_cards(made) == made  # a build may go over its pages again


def rows_of(*rows):
    body = ["".join(f"<td><p>{cell}</p></td>" for cell in row) for row in rows[1:]]
    head = "".join(f"<th><p>{cell}</p></th>" for cell in rows[0])
    lines = "".join(f"<tr>{row}</tr>" for row in (head, *body))
    return f'<table class="table">{lines}</table>'


@pytest.mark.parametrize(
    ("rows", "cards"),
    [
        ((("T", "loss"), ("1", "a line of text that can break " * 9)), False),  # wraps
        ((("T", "loss"), ("1", "x" * 36)), True),  # cannot
        ((("T", "loss", "gain"), ("12", "0.1", "0.2")), False),
        ((("what is done", "its loss over the usual"), ("nothing",)), False),  # a short row
        (tuple([("claim", "verdict", "interval", "page")] * 2), False),
        (((), ("x" * 50,)), False),  # no names for its cells
        ((("a" * 30,), ("b" * 30, "c")), False),
        ((("a" * 50,), ("b" * 30, "c")), True),
        (
            (
                ("claim", "verdict", "interval", "page"),
                ("T matters", "holds", "0.2 [0.1,&nbsp;0.4]"),
            ),
            True,
        ),
    ],
)
def test_a_table_that_a_phone_has_room_for_stays_one(rows, cards):
    assert ("cards" in pages.with_cards(rows_of(*rows))) == cards


KEPT = "<article class='bd-article'>{}</article>"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("95 % of it", "95&nbsp;% of it"),
        ("[1, 2] %", '<span class="whole">[1, 2]</span>&nbsp;%'),
        ("a % sign", "a % sign"),
        ("0.1 [-0.2, 0.4]", '0.1 <span class="whole">[-0.2, 0.4]</span>'),
        ("Mapping[str, int]", "Mapping[str, int]"),
        ("at T = 3", "at T&nbsp;=&nbsp;3"),
        ("<pre>95 % [1, 2]</pre>", "<pre>95 % [1, 2]</pre>"),
        ('<img alt="95 %">', '<img alt="95 %">'),
        (
            '<code class="a py-func b">run --out-of-fold -x 5 %</code>',
            '<code class="a py-func b">run <span class="whole">--out-of-fold</span> '
            '<span class="whole">-x</span> 5 %</code>',
        ),
        (f'<code class="a">--{"x" * 40}</code>', f'<code class="a">--{"x" * 40}</code>'),
        (
            '(<span class="math"><math><mi>T</mi></math></span>), so',
            '<span class="whole">(<span class="math"><math><mi>T</mi></math></span>),</span> so',
        ),
        (
            '<span class="math"><math><mi>T</mi></math></span> so',
            '<span class="math"><math><mi>T</mi></math></span> so',
        ),
    ],
)
def test_no_line_ends_inside_what_belongs_together(before, after):
    assert pages.kept_together(KEPT.format(before)) == KEPT.format(after)
    assert pages.kept_together(KEPT.format(after)) == KEPT.format(after)  # or twice
    assert pages.kept_together(before) == before  # outside the text


CAPTION = '<p>{}<span class="caption-text">Told.</span>{}</p>\n</figcaption>\n</figure>'
HEADERLINK = '<a class="headerlink" href="#fig" title="Link to this image">#</a>'


@pytest.mark.parametrize("after", ["", HEADERLINK])
@pytest.mark.parametrize(
    ("number", "name"),
    [("", "Full size"), ('<span class="caption-number">Fig. 4 </span>', "Full size: Fig. 4")],
)
def test_a_caption_ends_with_a_link_to_its_picture(number, name, after):
    figure = '<figure id="fig"><img alt="seen" src="../_images/a.png" />\n<figcaption>\n'
    text = f"<p>before</p>{figure}{CAPTION.format(number, after)}<p>after</p>"
    once = pages.with_full_size(text)
    link = f' <a class="full-size" href="../_images/a.png" aria-label="{name}">Full size</a>'
    assert once == text.replace("Told.</span>", f"Told.</span>{link}")
    assert pages.with_full_size(once) == once  # a build may go over its pages again


def test_a_figure_without_a_picture_has_no_such_link():
    text = f"<figure><pre>a diagram</pre><figcaption>{CAPTION.format('', '')}"
    assert pages.with_full_size(text) == text


@pytest.mark.parametrize(
    ("begin", "end"),
    [("<pre>", "</pre>"), ('<code class="a">', "</code>"), ('<dt class="sig a">', "</dt>")],
)
def test_spans_that_change_nothing_go_out_of_code_and_the_text_stays(begin, end):
    inner = (
        '<em><span class="n"><span class="pre">x</span><span class="w"> </span></span></em>'
        '<span class="p">(</span><span class="mi">1</span><span class="p">)</span>'
    )
    around = '<b class="live"><span class="p"></span>{}<span class="n">1</span></b>'  # a script's
    made = pages.with_few_spans(around.format(f"{begin}{inner}{end}"))
    assert made == around.format(f'{begin}<em>x </em>(<span class="mi">1</span>){end}')


def test_a_signature_s_lines_are_no_list_and_its_description_s_are():
    line = "<em>x</em>,"
    text = (
        f'<dl class="py"><dt class="sig s">f(\n<dl>\n<dd>{line}</dd>\n<dd>{line}</dd>\n</dl>'
        "\n)</dt>"
        "<dd><dl><dt>a</dt><dd>b</dd></dl></dd></dl>"
    )
    made = pages.with_true_lists(text)
    span = f'<span class="sig-line">{line}</span>'
    assert f'f(\n<span class="sig-lines">\n{span}\n{span}\n</span>\n)</dt>' in made
    assert made.endswith("<dd><dl><dt>a</dt><dd>b</dd></dl></dd></dl>")
    assert pages.with_true_lists(made) == made


def test_a_bibliography_claims_no_role_of_a_list():
    text = '<div role="list" class="citation-list"><div class="citation" role="doc-biblioentry">'
    assert "role" not in pages.with_true_lists(text)


def test_a_chart_s_specification_lies_in_a_file_of_its_own(tmp_path):
    text = '<p>a</p><script type="application/json" class="chart-spec">{"a": "\\u003cb>"}</script>'
    made = pages.with_charts_apart(text, tmp_path, "../")
    source = re.search(r'data-source="../_static/(charts/(\w+)\.js)"', made)
    assert source and "u003c" not in made
    script = (tmp_path / source[1]).read_text()
    assert script.endswith(f'[\'{source[2]}\'] = {{"a": "\\u003cb>"}};\n')
    assert pages.with_charts_apart(made, tmp_path, "../") == made


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("<p>A &amp; <em>b</em>\n c.</p><p>d</p>", "A &amp; b c."),
        ('<p>It is <math><mi>x</mi></math> "here".</p>', "It is x &quot;here&quot;."),
        ("<p>" + "word " * 100 + "</p>", " ".join(["word"] * 31) + " ..."),
    ],
)
def test_a_page_is_described_by_its_first_paragraph(body, shown):
    text = pages.with_description(f"<title>T</title><article>{body}</article>")
    assert f'<meta name="description" content="{shown}">' in text
    assert pages.with_description(text) == text


def test_a_page_without_a_paragraph_has_no_description():
    assert pages.with_description("<title>T</title>") == "<title>T</title>"


def test_a_font_is_cut_down_to_what_is_shown(tmp_path):
    cut = pages.glyphs_alone(pages.MATHS_FONT, "ab", ["ssty"])
    (tmp_path / "f.woff").write_bytes(cut)
    with TTFont(tmp_path / "f.woff") as font:
        assert set(font.getBestCmap()) == {ord("a"), ord("b")}
        assert "MATH" in font, "heights and gaps of formulas are in it"
    assert len(cut) < 10_000
    assert "url(data:font/woff;base64," in pages.face("F", 400, cut)


def formulas_of_the_book():
    """Every formula of notebooks and pages, in TeX."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "book").glob("*.md")]
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    for text in texts:
        text = re.sub(r"(?s)```.*?```|`[^`\n]*`", " ", text)
        for apart, inline in re.findall(r"(?s)\$\$(.+?)\$\$|\$([^$]+)\$", text):
            yield maths.TAG.sub("", apart or inline).strip(), bool(apart)


def test_the_font_has_every_character_that_a_formula_of_the_book_draws():
    found = maths.to_mathml(sorted(set(formulas_of_the_book())))
    shown = set().union(*map(pages.drawn, filter(None, found)))
    assert len(found) > 300 and None not in found and {"\u221a", "\u2211"} <= shown
    # what browsers never draw: white space, and "applied to"
    drawn = {c for c in shown if not c.isspace() and c != "\u2061"}
    with TTFont(pages.MATHS_FONT) as font:
        assert drawn <= set(map(chr, font.getBestCmap()))


@pytest.mark.parametrize("tex", [r"\sqrt{2}", r"\sqrt[3]{2}", r"\frac{1}{\sqrt{\frac{a}{b}}}"])
def test_a_root_keeps_its_sign_in_all_sizes(tex, tmp_path):
    """MathML has no character for it: the browser takes it from the font by itself."""
    (root,) = maths.to_mathml([(tex, True)])
    assert "\u221a" in pages.drawn(root) and "\u221a" not in pages.drawn("<math><mi>z</mi></math>")
    (tmp_path / "f.woff").write_bytes(
        pages.glyphs_alone(pages.MATHS_FONT, pages.drawn(root), ["ssty", "dtls"])
    )
    with TTFont(tmp_path / "f.woff") as font, TTFont(pages.MATHS_FONT) as whole:
        radical, of_whole = (
            f["MATH"].table.MathVariants.VertGlyphConstruction[
                f["MATH"].table.MathVariants.VertGlyphCoverage.glyphs.index(f.getBestCmap()[0x221A])
            ]
            for f in (font, whole)
        )
        assert radical.VariantCount == of_whole.VariantCount > 2
        assert radical.GlyphAssembly.PartCount == of_whole.GlyphAssembly.PartCount > 1
        parts = [v.VariantGlyph for v in radical.MathGlyphVariantRecord]
        parts += [p.glyph for p in radical.GlyphAssembly.PartRecords]
        assert all(font["glyf"][name].numberOfContours for name in parts)


def test_the_whole_of_a_build_and_once_more(tmp_path):
    """Pages in and below the root, a sheet that imports another, icons, formulas, pictures."""
    from types import SimpleNamespace

    static = tmp_path / "_static"
    fonts = static / "vendor/fontawesome/webfonts"
    fonts.mkdir(parents=True)
    (static / "styles").mkdir()
    (tmp_path / "sub").mkdir()
    with TTFont(pages.MATHS_FONT) as source:
        source.flavor = None
        source.save(fonts / "fa-solid-900.ttf")
    (static / "basic.css").write_text(".first{top:0}")
    (static / "styles/theme.css").write_text(
        '@import "../basic.css";\n.second{top:0}.gone{top:0}'
        '.fa-other:before,.fa-x:before{content:"\\61"}'
    )
    # On no page: a script from elsewhere makes it (Vega's sliders). What we wrote is meant.
    (static / "book.css").write_text(".made-later{top:0}")
    (static / "documentation_options.js").write_text("const O = 1;")
    (static / "scripts").mkdir()
    loop = "q(S).forEach(e=>{e.tabIndex=e.scrollWidth>e.clientWidth||e.b>e.a?0:-1})"
    (static / pages.THEME).write_text(f"before;{loop};after")
    body = (
        '<article><p class="first second">Text <math><mi>z</mi></math></p>'
        '<i class="fa-x"></i></article>'
        '<div class="sidebar-primary-item">\n<a class="navbar-brand logo" href="#">T</a></div>'
        '<div class="sidebar-primary-item"><nav></nav></div>'
    )
    (tmp_path / "a.html").write_text(HEAD.replace("../", "") + body)
    (tmp_path / "sub/b.html").write_text(HEAD + body)
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(name="html"))
    pages.lighten(app, None)
    css = (static / "pages.css").read_text()
    assert css.index(".first") < css.index(".second") < css.index(".fa-x:before")
    assert css.index(".fa-x:before") < css.index(".made-later")
    assert ".gone" not in css and ".fa-other" not in css and css.count("@font-face") == 2
    for name in ("a.html", "sub/b.html"):
        assert "pages.css?v=" in (tmp_path / name).read_text()
        assert (tmp_path / name).read_text().count('role="navigation" aria-label="Title"') == 1
    assert 'href="_static/pages.css' in (tmp_path / "a.html").read_text()
    assert (static / pages.THEME).read_text() == "before;q(S);after"
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    pages.lighten(app, None)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    (tmp_path / "a.html").write_text(HEAD.replace("../", "") + body)  # one page rendered again
    pages.lighten(app, None)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*")}


def test_a_failed_build_is_left_alone(tmp_path):
    from types import SimpleNamespace

    (tmp_path / "a.html").write_text(HEAD)
    app = SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(name="html"))
    pages.lighten(app, RuntimeError())
    pages.lighten(SimpleNamespace(outdir=tmp_path, builder=SimpleNamespace(name="linkcheck")), None)
    assert (tmp_path / "a.html").read_text() == HEAD


# -- results in the pages of the book -------------------------------------------------------------


def fill(text: str, docname: str = "book/questions") -> str:
    content = [text]
    book.fill_results(SimpleNamespace(srcdir=ROOT), docname, content)
    return content[0]


def test_a_recorded_result_stands_where_a_page_names_it(caplog):
    path = ROOT / "notebooks/evidence/00-the-claim.ipynb"
    gain = results.recorded(results.read(path))["gain over training sets: ensemble"]
    assert "[" in str(gain)
    mark = "<!-- result 00: gain over training sets: ensemble -->"
    assert fill(f"It is {mark}, {mark}.") == f"It is {gain}, {gain}."
    assert fill(mark, "notebooks/00-the-claim") == mark  # notebooks have cells for it
    assert fill("<!-- a remark -->") == "<!-- a remark -->"


@pytest.mark.parametrize("mark", ["00: no such thing", "77: gain over training sets: ensemble"])
def test_a_result_that_nobody_recorded_fails_the_build(mark, monkeypatch):
    said = []
    monkeypatch.setattr(book.logger, "warning", lambda text, *args, **_: said.append(text % args))
    assert fill(f"<!-- result {mark} -->") == ""
    chapter, name = mark.split(": ", 1)
    assert said == [
        f"no evidence of chapter {chapter} records a result {name!r}; look on its page for the name"
    ]


def test_each_question_has_an_answer_with_a_link_and_most_a_number():
    text = (EXT.parent / "questions.md").read_text(encoding="utf-8")
    questions = text.split("\n### ")[1:]
    assert len(questions) == 22
    assert all("?" in q.splitlines()[0] for q in questions)
    linked = [q for q in questions if "](" in q or "{py:func}" in q]
    assert len(linked) >= 20  # all but regression, which the book does not have
    assert sum(bool(book.RESULT_MARK.search(q)) for q in questions) >= 13


def test_the_page_on_trust_lists_every_stored_table():
    content = [(EXT.parent / "trust.md").read_text(encoding="utf-8")]
    book.list_studies(SimpleNamespace(srcdir=ROOT), "book/trust", content)
    for path in (ROOT / "studies").glob("*.csv"):
        head, *rest = path.read_text(encoding="utf-8").splitlines()
        rows = len([line for line in rest if not line.startswith("#")]) - 1
        (line,) = (x for x in content[0].splitlines() if x.startswith(f"| `{path.stem}` "))
        assert f" {rows:,} |" in line and head.removeprefix("# command: ") in line
    assert book.STUDIES_MARK not in content[0]
    with (ROOT / "benchmarks" / "mutants.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made, noticed = (sum(int(row[name]) for row in rows) for name in ("mutants", "noticed"))
    said = f"of {made} mutants of `distill_helpers.losses` the tests notice {noticed}; the others"
    assert said in content[0] and book.MUTANTS_MARK not in content[0]
    named = re.search(r"the others are in (.*)\. What", content[0])
    assert named and named[1].split(", ") == [
        f"`{row['function']}`" for row in rows if row["mutants"] != row["noticed"]
    ]
    code = (ROOT / "distill_helpers" / "losses.py").read_text(encoding="utf-8")
    for row in rows:  # a name that is gone: `make mutants` again
        assert f"def {row['function'].split('.')[-1]}(" in code


def test_page_says_what_a_million_member_epochs_cost():
    """By arithmetic from the benchmark: on two processors, so twice that in processor time."""
    content = [(EXT.parent / "sweeps.md").read_text(encoding="utf-8")]
    book.fill_costs(SimpleNamespace(srcdir=ROOT), "book/sweeps", content)
    with (ROOT / "benchmarks" / "training.csv").open(encoding="utf-8") as file:
        measured = {(r["networks"], r["way"]): float(r["median"]) for r in csv.DictReader(file)}
    table = content[0].split("| what, on what ")[1].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    scales = {"ms": 1e-3, "s": 1, "min": 60, "h": 3600, "": 3600}

    def seconds(text):
        number, _, unit = text.partition(" ")
        return float(number) * scales[unit]

    for column, who in ((1, "students"), (2, "teachers")):
        ours = 1e-3 * measured[who, "distill_helpers fit"]
        loop = 1e-3 * measured[who, "DataLoader loop, 1 thread"]
        expected = [ours, 1e6 * ours, 2e6 * ours / 16, 2e6 * ours / 128, 2e6 * ours, 1e6 * loop]
        told = [seconds(row[column]) for row in rows]
        assert told == pytest.approx(expected, rel=0.006)
    assert book.COSTS_MARK not in content[0]
    other = [book.COSTS_MARK]
    book.fill_costs(SimpleNamespace(srcdir=ROOT), "book/trust", other)
    assert other == [book.COSTS_MARK]


def test_what_a_point_of_a_sweep_costs_is_the_benchmarks_figure(tmp_path):
    table = tmp_path / "sweeps.csv"
    table.write_text(
        "what,median,least,most,unit\n"
        "a kernel and its imports,3.6,3,4,processor s\n"
        '"engine, a point",0.25,0,1,s\n'
        "two workers against one,1.88,1.8,1.9,times\n",
        encoding="utf-8",
    )
    told = book.point_costs(table, 0.001)
    for words in (
        "about 3.6 s of a processor",
        "are 1.0 processor-hours",
        "as much as 1.8 million epochs",
        "the engine takes 250 ms",
        "1.88 times as much as one",
    ):
        assert words in told


def test_duration_is_in_the_largest_unit_that_it_fills():
    assert [book.duration(s) for s in (0.00147, 1, 59.9, 60, 3599, 18_900)] == [
        *("1.47 ms", "1 s", "59.9 s", "1 min", "60 min", "5.25 h"),
    ]


# -- pages of the API ------------------------------------------------------------------------------


def test_every_public_module_has_its_place_on_one_page():
    package = ROOT / "distill_helpers"
    modules = [*package.glob("[!_]*.py"), *(p.parent for p in package.glob("[!_]*/__init__.py"))]
    listed = [
        name
        for path in (ROOT / "book" / "api").glob("*.md")
        for marks in book.API_MARK.findall(path.read_text(encoding="utf-8"))
        for name in marks.split()
    ]
    assert sorted(listed) == sorted(path.stem for path in modules)


def test_the_first_page_of_the_api_lists_every_page_and_module():
    app, content = SimpleNamespace(srcdir=ROOT), [(ROOT / "book" / "api.md").read_text()]
    book.list_modules(app, "book/api", content)
    for path in (ROOT / "book" / "api").glob("*.md"):
        assert f"(api/{path.name})" in content[0]
        for name in book.API_MARK.findall(path.read_text())[0].split():
            assert content[0].count(f"`~distill_helpers.{name}` | ") == 1
    assert " |  |" not in content[0], "a module without a first line"


def test_a_page_of_the_api_holds_its_modules_alone():
    content = ["# Title\n\n<!-- modules: losses cache -->\n"]
    book.list_modules(SimpleNamespace(srcdir=ROOT), "book/api/x", content)
    named = re.findall(r"automodule:: distill_helpers\.(\w+)\n   :members:", content[0])
    assert named == ["losses", "cache"] and "<!--" not in content[0]


def test_a_sentence_with_a_colon_is_no_type():
    """Napoleon takes what stands before one, in the first line of an attribute, for its type."""
    whole = "Old on purpose: runtimes lag."

    def read(lines):
        return NumpyDocstring(lines, Config(), what="data", name="OPSET").lines()

    assert ":type: Old on purpose" in read([whole])
    for text in (whole, "No colon here."):
        lines = [text, "", "More: of it."]
        book.keep_colons(None, "data", "OPSET", None, None, lines)
        assert read(lines) == [text, "", "More: of it."]

"""Makes finished pages light: what a page does not use, it does not load.

The theme brings every page 400 kB of styles, 1.5 MB of icons and a search index, most of it before
anything is drawn. After a build this keeps the rules whose classes occur, the glyphs that are shown
and the search index where it is read; scripts wait for the page, and pictures until they are near.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import logging
import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

import tinycss2
from fontTools import subset
from sphinx.application import Sphinx

STYLES = "pages.css"
OURS = "book.css"
FONTS = {"Book Maths": 400, "Font Awesome 6 Free": 900}
# A browser unpacks a font as it first sets words in it, and draws on without: a formula then grows
# under the reader's eyes. So the page shows itself when both are there, or after two seconds.
ASKED = ", ".join(f"document.fonts.load('{weight} 1em \"{f}\"')" for f, weight in FONTS.items())
READY = f"""<script>{{
    const page = document.documentElement.style, show = () => page.removeProperty("visibility");
    page.visibility = "hidden";
    Promise.allSettled([{ASKED}]).then(show);
    setTimeout(show, 2000);
}}</script>"""
MATHS_FONT = Path(__file__).with_name("stix-two-math.woff")
SHEET = re.compile(
    r'<link [^>]*href="([^"?]+)[^"]*"[^>]*rel="stylesheet"[^>]*>|'
    r'<link [^>]*rel="stylesheet"[^>]*href="([^"?]+)[^"]*"[^>]*>'
)
SCRIPT = re.compile(r'<script (?P<defer>defer(?:="defer")? )?src="(?P<src>[^"]+)"></script>')
PRELOAD = re.compile(r'<link rel="preload" as="script"[^>]*>')
CHART = re.compile(r'<script type="application/json" class="chart-spec">(.+?)</script>', re.DOTALL)
IMAGE = re.compile(r"<img [^>]*>")
COMMENT, SPACE = re.compile(r"/\*.*?\*/", re.DOTALL), re.compile(r"\s+")
WORD = re.compile(r"[\w-]+")
ICON_RULE = re.compile(r"((?:\.fa-[\w-]+:before,?)+)\{content:\"\\([0-9a-f]+)\"\}")
FA = re.compile(r"fa-[\w-]+")
IMPORT = re.compile(r'@import (?:url\()?"?([^")]+)"?\)?;')
SEARCH = ("searchtools.js", "language_data.js", "searchindex.js")
# Scripts whose words are no class of ours; what Bootstrap sets of its own accord is named below.
FOREIGN = ("vega.js", "fontawesome.js", "bootstrap.js")
BOOTSTRAP = {"active", "collapse", "collapsing", "fade", "show", "tooltip", "tooltip-arrow"}
BOOTSTRAP |= {"tooltip-inner", "bs-tooltip-auto"}
NAMED = re.compile(r'(?:class|id)="([^"]*)"')
MATH = re.compile(r"<math.*?</math>", re.DOTALL)
MARKUP = re.compile(r"<[^>]*>")
ROOT = re.compile(r"<m(?:sqrt|root)\b")
FIRST = re.compile(r"<p>(.*?)</p>", re.DOTALL)
# Names, brackets and blanks in code have the colour of all code, in both themes; the signatures and
# literals of docutils have a span for each word besides.
CODE = re.compile(r'<pre>.*?</pre>|<code class=.*?</code>|<dt class="sig .*?</dt>', re.DOTALL)
PLAIN = re.compile(r'<span class="(?:pre|n|p|w)">([^<]*)</span>')
ARTICLE = re.compile(r"<article\b.*?</article>", re.DOTALL)
WHOLE = '<span class="whole">'
FORMULA = re.compile(
    rf'(?<!{WHOLE})(?<!{WHOLE}[(\[])[(\[]?<span class="math(?:(?!</span>).)*</span>[.,;:?!)\]]+',
    re.DOTALL,
)
PIECE = re.compile(
    r"(?P<tag><code class=[^>]*>)(?P<code>.*?)</code>|"
    r"<(?P<name>pre|script|svg|math)\b.*?</(?P=name)>|"
    rf"{WHOLE}[^<]*</span>|<[^>]*>|(?P<words>[^<]+)",
    re.DOTALL,
)
OPTION = re.compile(r"(?<!\S)(?=[^\s<>]*-)[^\s<>]{2,22}(?!\S)")
PER_CENT = re.compile(r"(?<=[\d\])]) %")
INTERVAL = re.compile(r"\[[-+\d][^\[\]\s]*, [^\[\]\s]+\]")
EQUAL = re.compile(r"(?<=\b[A-Z]) = (?=\d)")
SIGNATURE = re.compile(r'<dt class="sig .*?</dt>', re.DOTALL)
LINES = re.compile(r"<dl>(\s*(?:<dd>.*?</dd>\s*)+)</dl>", re.DOTALL)
FIGURE = re.compile(r"<figure\b.*?</figure>", re.DOTALL)
SOURCE = re.compile(r'<img [^>]*src="([^"]+)"')
SIDE = re.compile(r'\b(width|height)="([\d.]+)pt"')  # as Matplotlib writes them
NUMBER = re.compile(r'<span class="caption-number">(.*?)</span>')
# The theme leaves the book's title outside every landmark.
TITLE = re.compile(r'<div class="(sidebar-primary-item)">(?=\s*<a class="navbar-brand)')
# The arrow beside a page of the sidebar that has pages below it has no name.
TOGGLE = '<summary><span class="toctree-toggle"'
TABLE = re.compile(r'<table class="table">.*?</table>', re.DOTALL)
HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
CELL = re.compile(r"<td\b[^>]*>(.*?)</td>", re.DOTALL)
PHONE = 40  # characters of a line
BODY_ROW = re.compile(r"<tr\b[^>]*>(?:\s*<td\b.*?)</tr>", re.DOTALL)
ROLES = {"thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "th": "columnheader", "td": "cell"}
# The theme measures each box that may scroll and sets its tabindex before it measures the next, and
# folded ones too, so each costs a layout; ``reach.js`` does that.
THEME = "scripts/pydata-sphinx-theme.js"
MEASURED = re.compile(r"\.forEach\(e=>\{e\.tabIndex=e\.scrollWidth>e\.clientWidth\|\|[^}]*\}\)")
# The theme's script sets the colours when the page is there: until then they are none, and all is
# drawn twice. Its choice is made here before anything is drawn.
UNDECIDED = 'document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";'
DECIDED = (
    'document.documentElement.dataset.theme = { light: "light", dark: "dark" }'
    "[document.documentElement.dataset.mode] || "
    '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");'
)
TOP = 20_000  # characters of a page that may be on its first screen
CAPTION_END = re.compile(r'(?=(?:<a class="headerlink"[^>]*>[^<]*</a>)?</p>\s*</figcaption>)')


def lighten(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the pages of a finished build. Doing so again changes nothing."""
    if exception is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    static = out / "_static"
    paths = [path for path in sorted(out.rglob("*.html")) if static not in path.parents]
    pages = {path: path.read_text(encoding="utf-8") for path in paths}
    # where no page is fresh, all has been done
    sheets = list(dict.fromkeys(s for path in pages for s in _sheets(path, pages[path])))
    if sheets:
        css = "\n".join(map(_whole, sheets))
        scripts = [
            p.read_text(encoding="utf-8") for p in static.rglob("*.js") if p.name not in FOREIGN
        ]
        named = [name for text in pages.values() for name in NAMED.findall(text)]
        # What our own sheet names is used, if by a foreign script (Vega's sliders).
        ours = (static / OURS).read_text(encoding="utf-8")
        words = BOOTSTRAP.union(*map(WORD.findall, [*named, *scripts, ours]))
        icons = [code for names, code in ICON_RULE.findall(css) if words & set(FA.findall(names))]
        glyphs = {chr(int(code, 16)) for code in icons}
        maths = {drawn(m) for text in pages.values() for m in MATH.findall(text)}
        solid = static / "vendor/fontawesome/webfonts/fa-solid-900.ttf"
        fonts = [
            glyphs_alone(MATHS_FONT, set().union(*maths), ["ssty", "dtls"]),
            glyphs_alone(solid, glyphs),
        ]
        faces = [face(*named, font) for named, font in zip(FONTS.items(), fonts, strict=True)]
        (static / STYLES).write_text("\n".join([*faces, needed(css, words)]), encoding="utf-8")
    theme = (static / THEME).read_text(encoding="utf-8")
    (static / THEME).write_text(MEASURED.sub("", theme), encoding="utf-8")
    version = hashlib.sha256((static / STYLES).read_bytes()).hexdigest()[:8]
    options = (static / "documentation_options.js").read_text(encoding="utf-8")
    for path, text in pages.items():
        root = "../" * (len(path.relative_to(out).parts) - 1)
        text = with_styles(text, f"{root}_static/{STYLES}?v={version}")
        text = with_charts_apart(text, static, root)
        text = with_scripts(text, options, search=path.name == "search.html")
        text = text.replace(UNDECIDED, DECIDED).replace('data-theme="auto"', 'data-theme="light"')
        text = text.replace('<summary aria-label="Toggle hidden content">', "<summary>")
        text = text.replace(TOGGLE, TOGGLE.replace("<summary", '<summary aria-label="Pages below"'))
        text = TITLE.sub(r'<div class="\1" role="navigation" aria-label="Title">', text)
        text = with_cards(with_true_lists(kept_together(with_few_spans(text))))
        text = with_description(with_images(with_full_size(text), path.parent))
        path.write_text(text, encoding="utf-8")


def needed(css: str, words: Iterable[str]) -> str:
    """Return the rules of a style sheet that can match where only these classes and ids occur.

    Parameters
    ----------
    css
        A style sheet.
    words
        Everything that may be a class or an identity: of the pages, and of scripts that set some.
    """
    rules = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return "\n".join(_kept(rules, frozenset(words)))


def _kept(rules: Iterable[tinycss2.ast.Node], words: frozenset[str]) -> Iterator[str]:
    for rule in rules:
        if rule.type == "qualified-rule":
            chosen = [s for s in _selectors(rule.prelude) if _occurs(s, words)]
            if chosen:
                selector = ",".join(tinycss2.serialize(s).strip() for s in chosen)
                block = SPACE.sub(" ", COMMENT.sub("", tinycss2.serialize(rule.content))).strip()
                yield f"{selector}{{{block}}}"
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            kept = "".join(_kept(inner, words))
            if kept:
                yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{kept}}}"
        elif rule.type == "at-rule" and "fontawesome" not in tinycss2.serialize(rule.content or []):
            yield tinycss2.serialize([rule])


def _selectors(prelude: Iterable[tinycss2.ast.Node]) -> list[list[tinycss2.ast.Node]]:
    """Split at the commas."""
    parts: list[list[tinycss2.ast.Node]] = [[]]
    for token in prelude:
        if token == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _occurs(selector: list[tinycss2.ast.Node], words: frozenset[str]) -> bool:
    """Tell whether all of its classes and ids occur; what stands in ``:not(...)`` is not asked."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" and token.value not in words:
            return False
        if token.type == "ident" and before == "." and token.value not in words:
            return False
    return True


def _sheets(path: Path, text: str) -> list[Path]:
    found = [(path.parent / (a or b)).resolve() for a, b in SHEET.findall(text)]
    return [sheet for sheet in found if sheet.name != STYLES]


def _whole(sheet: Path) -> str:
    """Read a style sheet with those that it imports in their places."""
    css = sheet.read_text(encoding="utf-8")
    return IMPORT.sub(lambda found: _whole((sheet.parent / found[1]).resolve()), css)


def drawn(mathml: str) -> str:
    """Return the characters that a formula draws: its text, and the sign of a root."""
    sign = "\u221a" if ROOT.search(mathml) else ""  # drawn, though no text says it
    return html.unescape(MARKUP.sub("", mathml)) + sign


def glyphs_alone(font: Path, characters: Iterable[str], features: Iterable[str] = ()) -> bytes:
    """Cut a font down to the glyphs of some characters, as WOFF."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of each table
    options = subset.Options(flavor="woff", layout_features=list(features), hinting=False)
    written = io.BytesIO()
    with subset.load_font(str(font), options) as loaded:
        subsetter = subset.Subsetter(options)
        subsetter.populate(text="".join(sorted(characters)))
        subsetter.subset(loaded)
        subset.save_font(loaded, written, options)
    return written.getvalue()


def face(family: str, weight: int, font: bytes) -> str:
    """Write a font into a style sheet itself: one that came later would make the text jump."""
    data = base64.b64encode(font).decode()
    return (
        f'@font-face{{font-family:"{family}";font-weight:{weight};font-display:block;'
        f'src:url(data:font/woff;base64,{data}) format("woff")}}'
    )


def with_styles(text: str, href: str) -> str:
    """Put one style sheet in the place of all, and have its fonts ready when words are set."""
    found = iter([f'<link rel="stylesheet" href="{href}" />{READY}'])
    return SHEET.sub(lambda _: next(found, ""), text.replace(READY, ""))


def with_scripts(text: str, options: str, *, search: bool) -> str:
    """Let scripts wait for the page, and leave out those that it does not use."""

    def script(match: re.Match[str]) -> str:
        name = match["src"].split("?")[0].rsplit("/", 1)[-1]
        if name == "fontawesome.js" or (name in SEARCH and not search):
            return ""
        if name == "documentation_options.js":  # scripts in the page's text need it at once
            return f"<script>{options.strip()}</script>"
        return f'<script defer src="{match["src"]}"></script>'

    return SCRIPT.sub(script, PRELOAD.sub("", text))


def with_few_spans(text: str) -> str:
    """Take spans that change nothing out of code: a third of the API page, a quarter of evidence.

    Elsewhere a class of the same name may be a script's.
    """

    def code(match: re.Match[str]) -> str:
        whole, count = match[0], 1
        while count:
            whole, count = PLAIN.subn(r"\1", whole)
        return whole

    return CODE.sub(code, text)


def kept_together(text: str) -> str:
    """Let no line end before a per cent sign, in an interval or option, or at a formula's comma.

    A browser breaks lines at each blank and hyphen, and on both sides of a formula whatever mark
    stands there.
    """

    def piece(match: re.Match[str]) -> str:
        if match["code"] and "<span" not in match["code"]:
            return match["tag"] + OPTION.sub(rf"{WHOLE}\g<0></span>", match["code"]) + "</code>"
        if match["words"]:
            words = EQUAL.sub("&nbsp;=&nbsp;", PER_CENT.sub("&nbsp;%", match["words"]))
            return INTERVAL.sub(rf"{WHOLE}\g<0></span>", words)
        return match[0]

    def article(match: re.Match[str]) -> str:
        return PIECE.sub(piece, FORMULA.sub(rf"{WHOLE}\g<0></span>", match[0]))

    return ARTICLE.sub(article, text)


def with_true_lists(text: str) -> str:
    """Leave the roles of lists to lists.

    Sphinx sets the lines of a long signature as definitions without terms, and docutils gives a
    bibliography a list's role but its entries another.
    """

    def signature(match: re.Match[str]) -> str:
        return LINES.sub(lines, match[0])

    def lines(match: re.Match[str]) -> str:
        inner = match[1].replace("<dd>", '<span class="sig-line">').replace("</dd>", "</span>")
        return f'<span class="sig-lines">{inner}</span>'

    text = SIGNATURE.sub(signature, text)
    text = text.replace('<div role="list" class="citation-list">', '<div class="citation-list">')
    return text.replace(' role="doc-biblioentry"', "")


def with_cards(text: str) -> str:
    """Let a phone show tables that are too wide for it as cards, a row each.

    A cell knows its column's name. Roles stay what they are where rows are no rows to the eye.
    """

    def table(match: re.Match[str]) -> str:
        names = [_words(head) for head in HEAD.findall(match[0])]
        rows = [[_words(cell) for cell in CELL.findall(row)] for row in BODY_ROW.findall(match[0])]
        columns = zip_longest(names, *rows, fillvalue="")
        if not names or sum(map(_room, columns)) <= PHONE:
            return match[0]

        def row(found: re.Match[str]) -> str:
            labels = iter(names)
            return re.sub(
                r"<td\b",
                lambda _: f'<td data-label="{html.escape(next(labels, ""))}"',
                found[0],
            )

        whole = BODY_ROW.sub(row, match[0])
        for tag, role in ROLES.items():
            whole = re.sub(rf"<{tag}\b", f'<{tag} role="{role}"', whole)
        return whole.replace('<table class="table">', '<table class="table cards" role="table">')

    return TABLE.sub(table, text)


def _words(markup: str) -> str:
    return html.unescape(" ".join(MARKUP.sub("", markup).split()))


def _room(column: Iterable[str]) -> int:
    """Characters that a column wants: its longest word, or two or three short ones in a line."""
    return 2 + max(max((len(text[:16]), *map(len, text.split(" ")))) for text in column)


def with_charts_apart(text: str, static: Path, root: str) -> str:
    """Put each chart's specification into a file that is loaded as the chart comes near."""
    (static / "charts").mkdir(exist_ok=True)

    def chart(match: re.Match[str]) -> str:
        name = hashlib.sha256(match[1].encode()).hexdigest()[:16]
        # a script and no JSON: a page in a folder may not fetch, but may load
        script = f"(window.charts = window.charts || {{}})['{name}'] = {match[1]};\n"
        (static / "charts" / f"{name}.js").write_text(script, encoding="utf-8")
        source = f"{root}_static/charts/{name}.js"
        return (
            f'<script type="application/json" class="chart-spec" data-source="{source}"></script>'
        )

    return CHART.sub(chart, text)


def with_images(text: str, folder: Path) -> str:
    """Say each picture's size, so that text does not jump; load all but one near the top late."""
    start, first = text.find("<article"), True

    def image(match: re.Match[str]) -> str:
        nonlocal first
        tag, soon, first = match[0], first and match.start() - start < TOP, False
        source = re.search(r'src="([^"?]+)', tag)
        size = picture_size(folder / source[1]) if source else None
        if size and " width=" not in tag and "style=" not in tag:
            tag = tag.replace("<img ", f'<img width="{size[0]}" height="{size[1]}" ', 1)
        if not soon and " loading=" not in tag:
            tag = tag.replace("<img ", '<img loading="lazy" ', 1)
        return tag

    return IMAGE.sub(image, text)


def with_full_size(text: str) -> str:
    """End each figure's caption with a link to its picture, whose text a phone makes too small.

    ``full-size.js`` opens it over the page.
    """

    def figure(match: re.Match[str]) -> str:
        whole = match[0]
        source, number = SOURCE.search(whole), NUMBER.search(whole)
        if source is None or 'class="full-size"' in whole:
            return whole
        name = f"Full size: {number[1].strip()}" if number else "Full size"
        link = f'<a class="full-size" href="{source[1]}" aria-label="{name}">Full size</a>'
        return CAPTION_END.sub(f" {link}", whole, count=1)

    return FIGURE.sub(figure, text)


def with_description(text: str) -> str:
    """Give a page its first paragraph as the description that a search engine shows."""
    body = text.partition("<article")[2]
    found = FIRST.search(MATH.sub(lambda m: MARKUP.sub("", m[0]), body))
    if 'name="description"' in text or not (found or 'id="search-results"' in text):
        return text
    said = found[1] if found else "Search the pages of this book."
    words = " ".join(html.unescape(MARKUP.sub("", said)).split())
    shown = words if len(words) <= 155 else words[:155].rsplit(" ", 1)[0] + " ..."
    return text.replace(
        "<title>", f'<meta name="description" content="{html.escape(shown)}">\n    <title>', 1
    )


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return the width and height in pixels of a PNG or an SVG, or None of anything else."""
    if not path.exists():
        return None
    if path.suffix == ".png":
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        return width, height
    if path.suffix == ".svg":
        head = path.read_text(encoding="utf-8").partition("<svg")[2].partition(">")[0]
        sides = dict(SIDE.findall(head))
        if sides.keys() == {"width", "height"}:
            width, height = (round(float(sides[s]) * 96 / 72) for s in ("width", "height"))
            return width, height
    return None


def setup(app: Sphinx) -> Mapping[str, bool]:
    """Run last."""
    app.connect("build-finished", lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

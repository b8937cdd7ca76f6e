"""Sets formulas when the book is built, as MathML, so that no page waits for a script.

pandoc turns each page's formulas from TeX to MathML in one call; every current browser draws it,
and a screen reader reads it. The glyphs come from a subset of STIX Two Math in ``_static``.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Sequence

import pypandoc
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

TAG = re.compile(r"\\tag\{([^}]*)\}")
DELIMITERS = re.compile(r"^\s*\\[\[(]|\\[\])]\s*$")
MATH = re.compile(r"<math.*?</math>", re.DOTALL)
ANNOTATION = re.compile(r"<annotation.*?</annotation>", re.DOTALL)
# A function's name and its argument: browsers leave no room where pandoc says "applied to".
APPLIED = re.compile(r"<mo>&#8289;</mo>(?!(?:</mrow>)?<mo[^>]*>[(\[])(?:</mrow>)?")
# A bracket with an exponent stays as small as its line, but for one in a row of its own.
RAISED = re.compile(r"<(msup|msub|msubsup)>(<mo\b[^>]*minsize=[^>]*>[^<]*</mo>)")
NORM = re.compile(r'<mo stretchy="true"([^>]*)>([‖∥])</mo>')


def to_mathml(formulas: Sequence[tuple[str, bool]]) -> list[str | None]:
    """Turn formulas, (TeX, set apart or not), into MathML; None where pandoc cannot."""
    if not formulas:
        return []
    blocks = [
        {
            "t": "Para",
            "c": [{"t": "Math", "c": [{"t": f"{'Display' if apart else 'Inline'}Math"}, tex]}],
        }
        for tex, apart in formulas
    ]
    document = {"pandoc-api-version": [1, 23, 1], "meta": {}, "blocks": blocks}
    text = pypandoc.convert_text(
        json.dumps(document), "html", format="json", extra_args=["--mathml", "--wrap=none"]
    )
    paragraphs = text.split("<p>")[1:]
    assert len(paragraphs) == len(formulas)
    return [_tidied(found[0]) if (found := MATH.search(p)) else None for p in paragraphs]


def _tidied(mathml: str) -> str:
    mathml = ANNOTATION.sub("", mathml).replace("<semantics>", "").replace("</semantics>", "")
    mathml = APPLIED.sub(r'\g<0><mspace width="0.167em"></mspace>', mathml)
    mathml = NORM.sub(r'<mo stretchy="false"\1>\2</mo>', mathml)
    mathml = RAISED.sub(r"<\1><mrow>\2</mrow>", mathml)
    # rows of an aligned display are displays themselves
    return mathml.replace("<mtable", '<mtable displaystyle="true"')


def set_formulas(nodes_of_page: Iterable[nodes.Element]) -> None:
    """Give each formula its MathML, and an equation its number."""
    found = [n for n in nodes_of_page if isinstance(n, nodes.math | nodes.math_block)]
    formulas = []
    for node in found:
        tex = DELIMITERS.sub("", DELIMITERS.sub("", node.astext()))
        numbers = TAG.findall(tex)
        if numbers:
            node["tag"] = numbers[0]
        tex = TAG.sub("", tex).strip()
        if "\\\\" in tex and "\\begin{" not in tex:  # rows, as Sphinx takes them
            tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
        formulas.append((tex, isinstance(node, nodes.math_block)))
    for node, (tex, _), mathml in zip(found, formulas, to_mathml(formulas), strict=True):
        if mathml is None:
            logger.warning("pandoc cannot set %r", tex, location=node, type="distill")
        node["mathml"] = mathml or f"<code>{html.escape(tex)}</code>"


def set_page(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Set all formulas of a page at once."""
    if app.builder.format == "html":
        set_formulas(doctree.findall())


def visit_math(self: HTML5Translator, node: nodes.Element) -> None:
    """Write a formula in a line of text."""
    if "mathml" not in node:  # in a heading that another page lists
        set_formulas([node])
    self.body.append(f'<span class="math">{node["mathml"]}</span>')
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.Element) -> None:
    """Write an equation, its number after it."""
    self.body.append(f'<div class="math">{node["mathml"]}')
    if "tag" in node:
        self.body.append(f'<span class="eqno">({html.escape(node["tag"])})</span>')
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the writer of formulas; ``html_math_renderer`` chooses it."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    app.connect("doctree-resolved", set_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The budgets of a lesson, over its notebook as the page shows it."""

from __future__ import annotations

import html
import re
import statistics

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_notebooks import FOLDER, LESSONS, is_figure, output_kinds, tags

from distill_helpers import results

WORDS, LINES, CELL, MEDIAN = 1_900, 150, 25, 8
TABLES, ROWS, COLUMNS = 3, 6, 5
VERDICTS, INTERVALS, WORDS_A_FIGURE = 6, 12, 450
ARTICLES_CLAIMS = {"00": 9}  # verdict rows of the lesson that has one for each of its nine claims
EVIDENCE = {"museum": "03-distillation-objective.ipynb"}  # where it is another chapter's
HIDDEN_CODE = {"remove-input", "hide-input", "remove-cell", "hide-cell"}
HIDDEN_OUTPUT = {"remove-output", "hide-output", "remove-cell", "hide-cell"}
INTERVAL = re.compile(r"[\[(]-?[\d.,]+(?:, | to )-?[\d.,]+[\])]|interval: -?[\d.]+ to ")
UNIT = re.compile(r"thousandths?\b|0\.001 nat")
BAR = re.compile(r"(?<!\\)\|")
MATHS = re.compile(r"\$\$.*?\$\$|\$[^$]*\$", re.S)


def shown(nb):
    """Return what the page shows: texts, tables, code, and the number of figures."""
    texts, tables, code, figures = [], [], [], 0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            if "remove-cell" not in tags(cell):
                texts.append(cell.source)
            continue
        if not HIDDEN_CODE & set(tags(cell)):
            code.append([line for line in cell.source.splitlines() if line.strip()])
        if HIDDEN_OUTPUT & set(tags(cell)):
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if is_figure(output_kinds(output)):
                figures += 1
                texts.append(cell.metadata["mystnb"]["figure"]["caption"])
            elif "text/html" in data:
                page = re.sub(r"<(style|script).*?</\1>", " ", data["text/html"], flags=re.S)
                texts.append(html.unescape(re.sub(r"<[^>]*>", " ", page)))
            elif data.get("text/markdown", "").startswith("| "):
                tables.append(data["text/markdown"].splitlines())
            else:
                texts.append(data.get("text/markdown", data.get("text/plain", output.get("text"))))
    return texts, tables, code, figures


def words(text):
    """Count words, without maths, addresses and marks."""
    text = re.sub(r"\]\([^)]*\)|<[^>]*>", " ", MATHS.sub(" ", text))
    return len(re.findall(r"[^\W\d_][\w'-]*", text))


def verdict_table(table):
    return "verdict" in table[0]


def budget_faults(nb, most_verdicts=VERDICTS):
    """Return one line for each budget that a lesson breaks."""
    texts, tables, code, figures = shown(nb)
    count = sum(map(words, texts)) + sum(words(" ".join(table)) for table in tables)
    sizes = [len(lines) for lines in code] or [0]
    intervals = sum(len(INTERVAL.findall(MATHS.sub(" ", text))) for text in texts)
    rows = [(len(t) - 2, len(BAR.findall(t[0])) - 1) for t in tables if not verdict_table(t)]
    judged = sum(len(t) - 2 for t in tables if verdict_table(t))
    limits = {
        "words": (count, WORDS),
        "lines of code": (sum(sizes), LINES),
        "lines in one cell": (max(sizes), CELL),
        "lines in the median cell": (statistics.median(sizes), MEDIAN),
        "tables": (len(tables), TABLES),
        "rows of a table": (max((r for r, _ in rows), default=0), ROWS),
        "columns of a table": (max((c for _, c in rows), default=0), COLUMNS),
        "verdict rows": (judged, most_verdicts),
        "intervals in running text": (intervals, INTERVALS),
        "words a figure": (count / max(figures, 1), WORDS_A_FIGURE),
    }
    return [f"{n:g} {what}; at most {most}" for what, (n, most) in limits.items() if n > most]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_keeps_its_budgets_and_has_evidence(lesson):
    (path,) = FOLDER.glob(f"{lesson}-*.ipynb")
    faults = budget_faults(nbformat.read(path, as_version=4), ARTICLES_CLAIMS.get(lesson, VERDICTS))
    assert not faults, "\n".join(faults)
    assert (FOLDER / "evidence" / EVIDENCE.get(lesson, path.name)).exists()


def yardstick_faults(nb):
    """Return one line where a page counts in thousandths of a nat and does not say, once and at
    first use, what they are worth."""
    found = results.recorded(results.read(FOLDER / "evidence/02-tempered-soft-targets.ipynb"))
    texts = shown(nb)[0]
    used = [i for i, text in enumerate(texts) if UNIT.search(text)]
    said = [i for i, text in enumerate(texts) if results.yardstick(found) in text]
    if not used or (len(said) == 1 and said[0] - used[0] <= 2):
        return []
    return [f"thousandths of a nat in text {used[0]} of the page, what they are worth in {said}"]


@pytest.mark.parametrize("page", [*LESSONS, "should"])
def test_a_page_says_what_a_thousandth_of_a_nat_is_worth(page):
    (path,) = FOLDER.glob(f"{page}-*.ipynb")
    faults = yardstick_faults(nbformat.read(path, as_version=4))
    assert not faults, f"{path.name}: {faults}"


def test_the_yardstick_is_missed_and_found():
    found = results.recorded(results.read(FOLDER / "evidence/02-tempered-soft-targets.ipynb"))
    worth, use = results.yardstick(found), "It saves 3 thousandths of a nat."
    pages = {
        (): 0,
        ("Nothing.",): 0,
        (use,): 1,
        (f"{use} {worth}",): 0,
        (use, "a", worth): 0,
        (use, "a", "b", worth): 1,
        (use, worth, worth): 1,
    }
    for texts, faults in pages.items():
        cells = [new_markdown_cell(text) for text in texts]
        assert len(yardstick_faults(new_notebook(cells=cells))) == faults, texts


def figure():
    cell = new_code_cell("draw()", metadata={"tags": ["remove-input"]})
    cell.metadata["mystnb"] = {"figure": {"caption": "It rises."}}
    cell.outputs = [new_output("display_data", {"image/png": "x"})]
    return cell


def table_cell(rows, columns=3, head="a", cell_tags=("remove-input",)):
    line = "| " + " | ".join([head] * columns) + " |"
    cell = new_code_cell("t()", metadata={"tags": list(cell_tags)})
    cell.outputs = [
        new_output("display_data", {"text/markdown": "\n".join([line, "|:--|", *[line] * rows])})
    ]
    return cell


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ([new_markdown_cell("word " * 1_901)] + [figure()] * 9, "1919 words; at most 1900"),
        ([new_code_cell("x = 1\n" * 26)], "26 lines in one cell"),
        ([new_code_cell("x = 1\n" * 9)], "9 lines in the median cell"),
        ([new_code_cell("x = 1\n" * 8)] * 19, "152 lines of code"),
        ([table_cell(1)] * 4, "4 tables"),
        ([table_cell(7)], "7 rows of a table"),
        ([table_cell(2, columns=6)], "6 columns"),
        ([table_cell(7, head="verdict")], "7 verdict rows"),
        ([new_markdown_cell("0.5 [0.4, 0.6] " * 13)], "13 intervals"),
        ([new_markdown_cell("word " * 451)], "451 words a figure"),
    ],
)
def test_a_budget_bites(cells, fault):
    assert any(fault in line for line in budget_faults(new_notebook(cells=cells)))


def test_chapter_00_has_a_row_for_each_of_the_nine_claims():
    for rows, fits in ((9, True), (10, False)):
        nb = new_notebook(cells=[table_cell(rows, head="verdict"), figure()])
        assert (budget_faults(nb, ARTICLES_CLAIMS["00"]) == []) is fits
    assert set(ARTICLES_CLAIMS) <= set(LESSONS)


def test_what_the_page_does_not_show_is_not_counted():
    hidden = new_code_cell("x = 1\n" * 200, metadata={"tags": ["hide-input"]})
    cells = [hidden, *[table_cell(9, cell_tags=["remove-cell"])] * 5, figure()]
    cells.append(new_markdown_cell("$" + "a [1, 2] " * 500 + "$"))
    assert budget_faults(new_notebook(cells=cells)) == []

"""The anatomy of every notebook; each rule is shown to bite on a small notebook that breaks it."""

from __future__ import annotations

import ast
import copy
import io
import json
import re
import sys
import tokenize
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval_support import DRAWINGS

from distill_helpers import results
from distill_helpers.parameters import CHAPTERS

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted([*FOLDER.glob("*.ipynb"), *FOLDER.glob("evidence/*.ipynb")])
# Chapters that are a lesson with budgets, and a page of evidence that has the verdicts.
LESSONS = ("00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "museum")
NAMES = {"museum-of-bugs": "museum"}  # chapters whose name is shorter than their file's
BITMAPS = ("image/png", "image/jpeg")
CHECK = "the code cell after the parameters must be, and hold no more than:\n"
LARGEST = 1_500_000  # bytes of outputs; what a reader downloads and a diff shows
FOLDED = ("remove-input", "hide-input", "hide-cell", "remove-cell")


# -- the rules: each takes a notebook and its path, and returns one line a fault -----------------


def kernel(nb, path):
    spec = nb.metadata.get("kernelspec", {})
    if (spec.get("name"), spec.get("language")) == ("python3", "python"):
        return []
    return [f"the kernelspec is {spec}; it must have name 'python3' and language 'python'"]


def title(nb, path):
    first, start = nb.cells[0], f"# {chapter(path)[:2]} " if path.name[:2].isdecimal() else "# "
    if first.cell_type == "markdown" and first.source.startswith(start):
        return []
    return [f"the first cell must be Markdown that starts with {start!r}"]


def expect_cell(nb, path):
    wanted = f'from distill_helpers.parameters import expect\n\nexpect("{chapter(path)}")'
    if [cell.source for cell in code_cells(nb)[:1]] == [wanted]:
        return []
    return [f"the first code cell must be, so that papermill's own cell is seen:\n{wanted}"]


def parameters_cell(nb, path):
    if chapter(path) not in CHAPTERS:
        return [f"chapter {chapter(path)} has no entry in distill_helpers.parameters.CHAPTERS"]
    tagged = [cell for cell in nb.cells if "parameters" in tags(cell)]
    if len(tagged) != 1 or code_cells(nb)[1:2] != tagged:
        return ["exactly one cell must be tagged 'parameters', and it must be the second code cell"]
    source = tagged[0].source
    commented = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    found, faults = {}, []
    for statement in ast.parse(source).body:
        # papermill's help loses a union, and what does not fit on one line
        wanted = {
            "set one name of one type: `alpha: float = 0.7`": isinstance(statement, ast.AnnAssign)
            and isinstance(statement.target, ast.Name)
            and not any(isinstance(n, ast.BinOp) for n in ast.walk(statement.annotation)),
            "fit on one line": statement.lineno == statement.end_lineno,
            "have a comment that says what it is": statement.lineno in commented,
            "be a literal": is_literal(getattr(statement, "value", None)),
        }
        line = ast.get_source_segment(source, statement)
        broken = [f"in the parameters cell {line!r} must {w}" for w, ok in wanted.items() if not ok]
        faults += broken
        if not broken:
            found[statement.target.id] = ast.literal_eval(statement.value)
    defaults = {name: entry.default for name, entry in CHAPTERS[chapter(path)].items()}
    if not faults and list(found.items()) != list(defaults.items()):
        faults.append(f"the parameters cell sets {found}; CHAPTERS has {defaults}")
    return faults


def check_cell(nb, path):
    cells = code_cells(nb)
    after = [i + 1 for i, cell in enumerate(cells) if "parameters" in tags(cell)]
    wanted = (
        "from distill_helpers.parameters import check\n\n" + f'check("{chapter(path)}", globals())'
    )
    if after and after[0] < len(cells):
        *imports, call = ast.parse(cells[after[0]].source).body
        ours = all(
            isinstance(statement, ast.ImportFrom)
            and statement.module == "distill_helpers.parameters"
            for statement in imports
        )
        if ours and ast.dump(call) == ast.dump(ast.parse(wanted).body[-1]):
            return []
    return [CHECK + wanted]


def executed(nb, path):
    counts = [cell.execution_count for cell in code_cells(nb)]
    if counts == list(range(1, len(counts) + 1)):
        return []
    return [f"execution counts are {counts}; run it from top to bottom (make outputs)"]


def clean_outputs(nb, path):
    faults = []
    for number, cell in enumerate(code_cells(nb), start=1):
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"code cell {number} ends in {output.ename}")
            if output.get("name") == "stderr":
                faults.append(f"code cell {number} writes to stderr: {output.text[:80]!r}")
    return faults


def no_traces_of_runs(nb, path):
    holders = [nb, *nb.cells]
    if any("papermill" in holder.metadata for holder in holders):
        return ["papermill's metadata are stored; make outputs strips them"]
    if any("injected-parameters" in tags(cell) for cell in nb.cells):
        return ["a cell that papermill injected is stored; make outputs strips it"]
    return []


def fingerprint(nb, path):
    stored = nb.metadata.get(results.METADATA_KEY, {}).get("fingerprint", {})
    if stored.keys() != results.fingerprint().keys():
        return ["the stored fingerprint is missing or old; make outputs stores it"]
    if "unset" in stored.values() and re.search("x86_64|AMD64", stored["platform"]):
        return ["it was executed on wider vectors than make allows; make outputs holds them"]
    return []


def figures(nb, path):
    faults = []
    for number, cell in enumerate(code_cells(nb), start=1):
        drawn = [kinds for kinds in map(output_kinds, cell.outputs) if is_figure(kinds)]
        if not drawn:
            continue
        mystnb = cell.metadata.get("mystnb", {})
        if len(drawn) > 1:
            faults.append(f"code cell {number} shows {len(drawn)} figures; give each its own cell")
        if not is_alt(mystnb.get("image", {}).get("alt", "")):
            faults.append(f"code cell {number}: mystnb.image.alt must say what is seen")
        if not mystnb.get("figure", {}).get("caption", "").strip():
            faults.append(f"code cell {number}: mystnb.figure.caption must say what it means")
        if any(kinds & set(DRAWINGS[1:]) and not kinds & set(BITMAPS) for kinds in drawn):
            faults.append(f"code cell {number}: a live figure needs a PNG for JupyterLab beside it")
    for cell in markdown_cells(nb):
        for alt in re.findall(r"!\[(.*?)\]\(", cell.source):
            if not is_alt(alt):
                faults.append(f"a Markdown image has the alt text {alt!r}; say what is seen")
    return faults


def size(nb, path):
    stored = sum(len(json.dumps(cell.outputs)) for cell in code_cells(nb))
    return [] if stored <= LARGEST else [f"outputs take {stored:,} bytes; at most {LARGEST:,}"]


def results_output(nb, path):
    if not (numbered(path) or evidence(path)) or chapter(path) in LESSONS:
        return []
    try:
        found = results.read(nb)
    except ValueError as fault:
        return [str(fault)]
    faults = []
    if found["chapter"] != chapter(path)[:2]:
        faults.append(f"results are recorded for chapter {found['chapter']}")
    if not found["verdicts"]:
        faults.append("no verdict is recorded")
    for number, cell in enumerate(code_cells(nb), start=1):
        for output in cell.outputs:
            kinds = output_kinds(output)
            if results.MIME in kinds and not {"text/markdown", "text/plain"} <= kinds:
                faults.append(f"code cell {number}: results need text/markdown and text/plain too")
            if results.MIME in kinds and "trained" in tags(cell):
                faults += [
                    f"code cell {number} is trained, and {entry['name']!r} has no interval or "
                    "tolerance to hold on another kind of machine"
                    for entry in output.data[results.MIME]["results"]
                    if entry["low"] is None and entry["high"] is None and entry["level"] is None
                ]
    return faults


def comparisons(nb, path):
    faults = []
    ignored = 0
    for number, cell in enumerate(code_cells(nb), start=1):
        for tag in {"nbval-skip", "raises-exception", "nbval-check-output"} & set(tags(cell)):
            faults.append(f"code cell {number} is tagged {tag!r}; it must run and be compared")
        if "NBVAL_" in cell.source or "PYTEST_VALIDATE" in cell.source:
            faults.append(f"code cell {number} turns nbval off in a comment; use a tag")
        if "nbval-ignore-output" in tags(cell):
            ignored += 1
            if "trained" in tags(cell) or any(
                results.MIME in output_kinds(output) for output in cell.outputs
            ):
                faults.append(f"code cell {number} is not compared, yet it trains or records")
    if ignored > max(1, len(code_cells(nb)) // 10):
        faults.append(f"{ignored} cells are not compared; at most one in ten, for timings alone")
    return faults


def typed_numbers(nb, path):
    """Find results typed into prose, which drift from the run.

    A Markdown cell whose figures are published or derived, not measured here, is tagged
    `published`.
    """
    faults = []
    for cell in markdown_cells(nb):
        if "published" in tags(cell):
            continue
        prose = re.sub(r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$]*\$", " ", cell.source, flags=re.S)
        prose = re.sub(r"\]\([^)]*\)|https?://\S+|\\tag\{.*?\}", " ", prose)
        prose = re.sub(
            r"(?i)\b(arxiv|section|sec\.|equation|eq\.|python|torch)[ :(]*[\d.]+", "", prose
        )
        prose = re.sub(r"\b\d\d? %(?=[- ](?:confidence )?intervals?\b)", "", prose)
        faults += [
            f"{text.strip()!r} is typed into Markdown; let a cell write it with prose(), "
            "or tag the cell 'published'"
            for text in re.findall(
                r".{0,20}(?<![\d.])(?:\d+\.\d+|\d+ ?(?:%|points?\b)).{0,10}", prose
            )
        ]
    return faults


def links(nb, path):
    return [
        f"the link to {target} leads nowhere"
        for cell in markdown_cells(nb)
        for target in re.findall(r"\]\(([^)\s#]+)", re.sub(r"`[^`]*`", "", cell.source))
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists()
    ]


def exercises(nb, path):
    if not numbered(path):
        return []
    heads = [
        i
        for i, cell in enumerate(nb.cells)
        if cell.cell_type == "markdown" and re.search(r"^## Exercises", cell.source, re.M)
    ]
    if not heads:
        return ["there is no '## Exercises'"]
    after = nb.cells[heads[-1] :]
    prose = "\n".join(cell.source for cell in after if cell.cell_type == "markdown")
    folds = re.findall(r"<details>\s*<summary>(.*?)</summary>", prose, re.S)
    hints = sum("Hint" in fold for fold in folds)
    solutions = sum("Solution" in fold for fold in folds)
    solutions += sum("hide-cell" in tags(cell) for cell in after)
    if hints < 3 or solutions < 3:
        return [f"{hints} hints and {solutions} solutions; three exercises or more need one each"]
    return []


def public_names_only(nb, path):
    faults = []
    for number, cell in enumerate(code_cells(nb), start=1):
        where = f"code cell {number}"
        if re.search(r"^\s*[!%]", cell.source, re.M) or "sys.path" in cell.source:
            faults.append(f"{where} uses a magic, a shell command or sys.path")
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(alias.name for alias in node.names)]
                if "*" in names:
                    faults.append(f"{where} imports *")
                ours = (node.module or "").split(".")[0] == "distill_helpers"
                if ours and any(part.startswith("_") for n in names for part in n.split(".")):
                    faults.append(f"{where} imports a private name of distill_helpers")
    return faults


def folded_sources(nb, path):
    return [
        f"code cell {number} is folded in the book; fold it in JupyterLab too "
        "(metadata jupyter.source_hidden)"
        for number, cell in enumerate(code_cells(nb), start=1)
        if set(FOLDED) & set(tags(cell))
        and not cell.metadata.get("jupyter", {}).get("source_hidden")
    ]


RULES = [
    kernel,
    title,
    expect_cell,
    parameters_cell,
    check_cell,
    executed,
    clean_outputs,
    no_traces_of_runs,
    fingerprint,
    figures,
    size,
    results_output,
    comparisons,
    typed_numbers,
    links,
    exercises,
    public_names_only,
    folded_sources,
]


def chapter(path):
    """Two digits, the same with "-evidence", or the whole name of a page without a number."""
    if evidence(path):
        return f"{path.name[:2]}-evidence"
    return path.name[:2] if path.name[:2].isdecimal() else NAMES.get(path.stem, path.stem)


def evidence(path):
    """Whether it is the page of evidence of a lesson."""
    return path.parent.name == "evidence"


def numbered(path):
    """Whether it is a chapter, which has verdicts and exercises."""
    return chapter(path).isdecimal()


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def markdown_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "markdown"]


def output_kinds(output):
    return set(output.get("data", {}))


def is_figure(kinds):
    return bool(kinds & {*BITMAPS, *DRAWINGS})


def is_literal(node):
    try:
        ast.literal_eval(node)
    except (TypeError, ValueError):
        return False
    return True


def is_alt(text):
    return len(text.strip()) >= 10 and not re.search(r"\.(png|svg|jpe?g)$", text.strip())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_anatomy(path, rule):
    nb = nbformat.read(path, as_version=4)
    nbformat.validate(nb)
    faults = rule(nb, path)
    assert not faults, f"{path.name}:\n" + "\n".join(faults)


# -- the rules themselves ---------------------------------------------------------------------

PARAMETERS = "\n".join(
    f"{name}: {entry.kind.__name__} = {entry.default!r}  # {entry.help}"
    for name, entry in CHAPTERS["00"].items()
)
FOLD = "<details><summary>{}</summary>\n\nText.\n\n</details>\n"
ALT = {"image": {"alt": "A curve that rises."}, "figure": {"caption": "It rises."}}


def good():
    record = {
        "schema": 1,
        "chapter": "00",
        "results": [results.result("gap", 0.5, low=0.4, high=0.6, level=0.95, unit="%")],
        "verdicts": [results.verdict("c", "holds", source="s", prediction="p", result="r")],
    }
    shown = {results.MIME: record, "text/markdown": "t", "text/plain": "t"}
    live = {DRAWINGS[2]: {}, "image/png": "x", "text/plain": "t"}
    cells = [
        new_markdown_cell(
            "# 00 The claim\n\nSee [this](00-the-claim.ipynb) and [that](https://x.y)."
        ),
        new_code_cell('from distill_helpers.parameters import expect\n\nexpect("00")'),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell('from distill_helpers.parameters import check\n\ncheck("00", globals())'),
        new_code_cell("draw()", metadata={"mystnb": ALT}),
        new_code_cell("record()", metadata={"tags": ["trained"]}),
        new_code_cell(
            "prose()", metadata={"tags": ["remove-input"], "jupyter": {"source_hidden": True}}
        ),
        new_markdown_cell("## Exercises\n\n" + (FOLD.format("Hint") + FOLD.format("Solution")) * 3),
    ]
    nb = new_notebook(cells=cells)
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "p", "language": "python"}
    results.stamp(nb)
    nb.cells[4].outputs = [new_output("display_data", live)]
    nb.cells[5].outputs = [new_output("display_data", shown)]
    for count, cell in enumerate(code_cells(nb), start=1):
        cell.execution_count = count
    return nb


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where the small notebook is; it is a chapter that records its own verdicts."""
    monkeypatch.setattr(sys.modules[__name__], "LESSONS", ())
    made = tmp_path / "00-the-claim.ipynb"
    made.touch()
    return made


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_has_no_faults(rule, path):
    nb = good()
    nbformat.validate(nb)
    assert rule(nb, path) == []


def test_a_page_without_a_number_has_a_title_and_needs_neither_verdicts_nor_exercises(path):
    page, nb = path.with_name("rules-of-evidence.ipynb"), good()
    nb.cells[0].source = "# Rules"
    nb.cells[5].outputs = []
    nb.cells.pop()
    for rule in (title, results_output, exercises):
        assert rule(nb, page) == []
        assert rule(nb, path)
    nb.cells[0].source = "Rules"
    assert title(nb, page)
    assert parameters_cell(nb, page) and check_cell(nb, page)  # those of another page


def test_a_lesson_records_nothing_and_its_evidence_has_the_verdicts(tmp_path):
    nb = good()
    nb.cells[5].outputs = []
    assert results_output(nb, tmp_path / f"{LESSONS[0]}-x.ipynb") == []
    assert results_output(nb, tmp_path / "evidence" / f"{LESSONS[0]}-x.ipynb")


def source(number, text):
    return lambda nb: nb.cells[number].update(source=text)


def edit(number, old, new):
    def breaks(nb):
        assert old in nb.cells[number].source
        nb.cells[number].source = nb.cells[number].source.replace(old, new)

    return breaks


def tag(number, *added):
    return lambda nb: nb.cells[number].metadata.update(tags=[*tags(nb.cells[number]), *added])


def say(text):
    return lambda nb: nb.cells.insert(2, new_markdown_cell(text))


def payload(change):
    return lambda nb: change(nb.cells[5].outputs[0].data[results.MIME])


BREAKS = {
    kernel: [
        lambda nb: nb.metadata.pop("kernelspec"),
        lambda nb: nb.metadata.kernelspec.update(name="venv"),
        lambda nb: nb.metadata.kernelspec.pop("language"),
    ],
    title: [source(0, "# The claim"), source(0, "00 The claim")],
    expect_cell: [
        edit(1, '"00"', '"01"'),
        lambda nb: nb.cells.pop(1),
        lambda nb: nb.cells.insert(0, new_code_cell("import torch")),
    ],
    parameters_cell: [
        tag(4, "parameters"),
        lambda nb: nb.cells[2].metadata.pop("tags"),
        lambda nb: nb.cells.insert(0, new_code_cell("import torch")),
        edit(2, ": int = 42", " = 42"),
        edit(2, ": int = 42", ": int | None = 42"),
        edit(2, "[64, 32]", "[64,\n32]"),
        edit(2, "  # " + CHAPTERS["00"]["alpha"].help, ""),
        edit(2, "42  # ", "int(42)  # "),
        edit(2, "42", "43"),
        edit(2, "epochs:", "epoch:"),
    ],
    check_cell: [
        edit(3, '"00"', '"01"'),
        edit(3, "globals()", "locals()"),
        edit(3, "\n\n", "\nimport torch\n"),
        edit(3, "\n\n", "\nfrom torch import nn\n"),
        lambda nb: nb.cells.pop(3),
        lambda nb: nb.cells.insert(3, new_code_cell("x = 1")),
        lambda nb: nb.cells[3].update(source=nb.cells[3].source + "\nfit()"),
        lambda nb: nb.__setitem__("cells", nb.cells[:3]),
    ],
    executed: [
        lambda nb: nb.cells[4].update(execution_count=None),
        lambda nb: nb.cells[4].update(execution_count=7),
        lambda nb: nb.cells.pop(2),
    ],
    clean_outputs: [
        lambda nb: nb.cells[6].outputs.append(new_output("error", ename="E", evalue="e")),
        lambda nb: nb.cells[6].outputs.append(new_output("stream", name="stderr", text="w")),
    ],
    no_traces_of_runs: [
        lambda nb: nb.metadata.update(papermill={}),
        lambda nb: nb.cells[4].metadata.update(papermill={}),
        tag(4, "injected-parameters"),
    ],
    fingerprint: [
        lambda nb: nb.metadata.pop("distill"),
        lambda nb: nb.metadata["distill"]["fingerprint"].pop("torch"),
        lambda nb: nb.metadata["distill"]["fingerprint"].update(
            MKL_CBWR="unset", platform="Linux x86_64"
        ),
    ],
    figures: [
        lambda nb: nb.cells[4].metadata.pop("mystnb"),
        lambda nb: nb.cells[4].metadata["mystnb"]["image"].update(alt="_build/figure_3.png"),
        lambda nb: nb.cells[4].metadata["mystnb"]["image"].update(alt="curve"),
        lambda nb: nb.cells[4].metadata["mystnb"]["figure"].update(caption=" "),
        lambda nb: nb.cells[4].outputs.append(nb.cells[4].outputs[0]),
        lambda nb: nb.cells[4].outputs[0].data.pop("image/png"),
        say("![](x.png)"),
    ],
    size: [lambda nb: nb.cells[6].outputs.append(new_output("stream", text="x" * LARGEST))],
    results_output: [
        lambda nb: nb.cells[5].update(outputs=[]),
        payload(lambda made: made.update(chapter="01")),
        payload(lambda made: made.update(schema=2)),
        payload(lambda made: made.update(verdicts=[])),
        payload(lambda made: made["results"][0].update(low=None, high=None, level=None)),
        lambda nb: nb.cells[5].outputs[0].data.pop("text/markdown"),
        lambda nb: nb.cells[6].outputs.append(nb.cells[5].outputs[0]),
    ],
    comparisons: [
        tag(6, "nbval-skip"),
        tag(6, "raises-exception"),
        edit(6, "prose()", "# NBVAL_IGNORE_OUTPUT\nprose()"),
        tag(5, "nbval-ignore-output"),
        lambda nb: nb.cells[5].metadata.update(tags=["nbval-ignore-output"]),
        lambda nb: [tag(number, "nbval-ignore-output")(nb) for number in (3, 5)],
    ],
    typed_numbers: [
        say("The gap is 53.8."),
        say("The gap is 54 % wide."),
        say("It gains 3 points."),
        say("`code` 0.5 and $x$"),
    ],
    links: [say("[x](01-no-such.ipynb)"), say("[x](../book/no-such.md#y)")],
    exercises: [
        source(7, "## Exercises\n\n" + FOLD.format("Hint") * 3),
        source(7, "## Exercises\n\n" + FOLD.format("Solution") * 3),
        lambda nb: nb.cells.pop(7),
    ],
    public_names_only: [
        source(6, "!pip install x"),
        source(6, "%matplotlib inline"),
        source(6, "import sys\nsys.path.append('..')"),
        source(6, "from math import *"),
        source(6, "from distill_helpers._checks import labels"),
        source(6, "from distill_helpers.tasks import _draw"),
    ],
    folded_sources: [
        lambda nb: nb.cells[6].metadata.pop("jupyter"),
        tag(4, "hide-cell"),
    ],
}


def test_every_rule_is_broken_here():
    assert list(BREAKS) == RULES


@pytest.mark.parametrize(
    ("rule", "number"),
    [(rule, number) for rule, breaks in BREAKS.items() for number in range(len(breaks))],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_broken_notebook_has_a_fault(rule, number, path):
    nb = copy.deepcopy(good())
    BREAKS[rule][number](nb)
    assert rule(nb, path)


@pytest.mark.parametrize(
    "text",
    [
        "arXiv 2104.09732, section 3.2, Python 3.11, equation (0.1)",
        "$x = 0.5$, `0.5`, [link](a-0.5.html)\n\n$$\n0.5 \\tag{0.1}\n$$\n\n```\n0.5\n```",
        "a 95 % interval over ten teacher sets",
        "twelve teachers, 3 students, 200,000 samples",
    ],
)
def test_numbers_that_are_no_results_may_be_typed(text, path):
    nb = good()
    say(text)(nb)
    assert typed_numbers(nb, path) == []


def test_published_figures_may_be_typed_in_a_tagged_cell(path):
    nb = good()
    say("The article reports 97.8 %.")(nb)
    assert typed_numbers(nb, path)
    tag(2, "published")(nb)
    assert typed_numbers(nb, path) == []


def test_run_solutions_count(path):
    nb = good()
    nb.cells[7].source = "## Exercises\n\n" + FOLD.format("Hint") * 3
    nb.cells += [new_code_cell("x", metadata={"tags": ["hide-cell"]}) for _ in range(3)]
    assert exercises(nb, path) == []

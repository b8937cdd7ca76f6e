"""What this book asks of Sphinx beyond its settings.

Scripts from the installed packages in place of a network, live Altair charts, a warning for a
figure without alt text, one API section a module, and tables that come from the package.
"""

from __future__ import annotations

import csv
import importlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

VEGALITE = re.compile(r"application/vnd\.vegalite\.v\d+\+json")
IMAGES = ("image/png", "image/jpeg", "image/svg+xml")
PARAMETERS_MARK = "<!-- parameters -->"
VERDICTS_MARK = "<!-- verdicts -->"
FINDER = """<form id="find-claims" hidden>
<label>Words <input type="search" name="words" autocomplete="off"></label>
<label>Verdict <select name="verdict"><option value="">any</option></select></label>
<output aria-live="polite"></output>
</form>"""
STUDIES_MARK = "<!-- studies -->"
MUTANTS_MARK = "<!-- mutants -->"
COSTS_MARK = "<!-- costs -->"
POINT_MARK = "<!-- cost of a point -->"
RESULT_MARK = re.compile(r"<!-- result (\S+): (.+?) -->")
API_INDEX_MARK = "<!-- modules of every page below -->"
API_PAGE = re.compile(r"file: book/api/(\S+)")
API_MARK = re.compile(r"<!-- modules: (.+?) -->")


def keep_colons(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Keep a sentence with a colon whole: napoleon takes what stands before one for a type."""
    if what in ("attribute", "data", "property") and lines and ":" in lines[0]:
        lines[0] = f": {lines[0]}"


def set_theme_options(app: Sphinx, config: Any) -> None:
    """Set single options; naming them in ``_config.yml`` would drop all the others."""
    config.html_math_renderer = "mathml"
    config.html_favicon = "book/_static/favicon.svg"
    # A bar across the page for a second search box; the sidebar has the first.
    config.html_theme_options["navbar_persistent"] = []


def copy_charts(app: Sphinx) -> None:
    """Put Vega beside the pages, so that charts work from a folder with no network."""
    if app.builder.format != "html":
        return
    import vl_convert

    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    # The bundle declares short global names, `_` among them; in a function they stay inside.
    bundle = vl_convert.javascript_bundle()
    (static / "vega.js").write_text(f"(function () {{\n{bundle}\n}})();\n", encoding="utf-8")


def prepare_notebook(app: Sphinx, docname: str, content: list[str]) -> None:
    """Warn where alt text is missing, and put each chart's specification behind its picture."""
    if Path(app.env.doc2path(docname)).suffix != ".ipynb":
        return
    notebook = json.loads(content[0])
    cells = []
    for number, cell in enumerate(notebook["cells"], start=1):
        cells.append(cell)

        def warn(text: str, number: int = number) -> None:
            logger.warning("cell %d %s", number, text, location=docname, type="distill")

        bundles = [output["data"] for output in cell.get("outputs", []) if "data" in output]
        image = cell["metadata"].get("mystnb", {}).get("image", {})
        if any(set(IMAGES) & set(data) for data in bundles) and not image.get("alt", "").strip():
            warn("shows a figure without alt text; set metadata.mystnb.image.alt")
        charts = [data for data in bundles if any(map(VEGALITE.fullmatch, data))]
        if len(charts) > 1:
            warn("shows more than one live chart; give each a cell of its own")
        for data in charts[:1]:
            if not set(IMAGES) & set(data):
                warn("shows a live chart without a picture to fall back on")
            cells.append(take_specification(data, f"chart-{number}"))
    notebook["cells"] = cells
    content[0] = json.dumps(notebook)


def take_specification(data: dict[str, Any], identity: str) -> dict[str, Any]:
    """Move a chart's specification out of its output into a Markdown cell of its own.

    The picture stays behind as an ordinary figure, with caption and number; ``charts.js`` draws
    over it. A second output in the same cell would become a second figure.
    """
    mime = next(filter(VEGALITE.fullmatch, data))
    text = json.dumps(data.pop(mime)).replace("<", "\\u003c")
    script = f'<script type="application/json" class="chart-spec">{text}</script>'
    return {"cell_type": "markdown", "id": identity, "metadata": {}, "source": script}


def list_modules(app: Sphinx, docname: str, content: list[str]) -> None:
    """Fill a page of the API with its modules, and the first one with a list of all."""
    if docname == "book/api":
        content[0] = content[0].replace(API_INDEX_MARK, api_index(Path(app.srcdir)))
    elif docname.startswith("book/api/"):
        content[0] = API_MARK.sub(
            lambda mark: "\n".join(
                f"## {name}\n\n```{{eval-rst}}\n.. automodule:: distill_helpers.{name}\n"
                "   :members:\n```\n"
                for name in mark[1].split()
            ),
            content[0],
        )


def api_index(root: Path) -> str:
    """List the pages of the API in their order, and the modules of each with their first lines."""
    lines = []
    for name in API_PAGE.findall((root / "_toc.yml").read_text(encoding="utf-8")):
        path = root / "book" / "api" / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        title = text.partition("\n")[0].lstrip("# ")
        lines += [f"## [{title}](api/{path.name})", "", "| module | what it is for |", "|:--|:--|"]
        for name in API_MARK.findall(text)[0].split():
            module = importlib.import_module(f"distill_helpers.{name}")
            first = (module.__doc__ or "").partition("\n")[0]
            lines.append(f"| {{py:mod}}`~distill_helpers.{name}` | {first} |")
        lines.append("")
    return "\n".join(lines)


def list_verdicts(app: Sphinx, docname: str, content: list[str]) -> None:
    """Fill the page of claims with every verdict, from the results that the chapters recorded."""
    if docname != "book/claims":
        return
    from distill_helpers import results

    head = "| verdict | claim | source | predicted | found | page |"
    lines = [head, "|:--|:--|:--|:--|:--|:--|"]
    counts: Counter[str] = Counter()
    folder = Path(app.srcdir) / "notebooks"
    for path in sorted(folder.glob("*.ipynb")):
        evidence = folder / "evidence" / path.name  # where a lesson has one, its verdicts are there
        path = evidence if evidence.exists() else path
        if results.MIME not in path.read_text(encoding="utf-8"):
            continue  # a page that records nothing
        recorded = results.read(path)
        short = recorded["chapter"]
        page = short if short.isdecimal() else short.replace("-", " ")
        where = path.relative_to(app.srcdir).with_suffix("").as_posix()
        lines += [
            "| "
            + " | ".join(
                results.escape(v[part])
                for part in ("verdict", "claim", "source", "prediction", "result")
            )
            + f' | <a href="../{where}.html#verdicts">{page}</a> |'
            for v in recorded["verdicts"]
        ]
        counts.update(v["verdict"].partition("chapter ")[0] for v in recorded["verdicts"])
    elsewhere = counts.pop("see ", 0)
    judged = ", ".join(f"{n} *{verdict}*" for verdict, n in counts.most_common())
    told = f"Of {counts.total()} claims: {judged}. {elsewhere} more say which chapter judges them."
    told += f"\n\n{FINDER}\n\n"
    content[0] = content[0].replace(VERDICTS_MARK, told + "\n".join(lines))


def fill_results(app: Sphinx, docname: str, content: list[str]) -> None:
    """Put a recorded result, with its interval, where a page of the book names it.

    ``<!-- result 04: name -->`` is the result of that name that chapter 04 recorded.
    """
    if not docname.startswith("book/") or not RESULT_MARK.search(content[0]):
        return
    from distill_helpers import results

    folder = Path(app.srcdir) / "notebooks"

    def found(mark: re.Match[str]) -> str:
        chapter, name = mark.groups()
        try:
            (path,) = folder.glob(f"evidence/{chapter}-*.ipynb")
            return str(results.recorded(results.read(path))[name])
        except (KeyError, ValueError):
            text = "no evidence of chapter %s records a result %r; look on its page for the name"
            logger.warning(text, chapter, name, location=docname, type="distill")
            return ""

    content[0] = RESULT_MARK.sub(found, content[0])


def list_studies(app: Sphinx, docname: str, content: list[str]) -> None:
    """Fill the page on trust with every stored table, what made it, and the mutants noticed."""
    if docname != "book/trust":
        return
    from distill_helpers import studies

    lines = ["| table | rows | replicates | made by |", "|:--|--:|--:|:--|"]
    folder = Path(studies.__file__).parents[1] / "studies"  # a build copies the pages alone
    for path in sorted(folder.glob("*.csv")):
        study = studies.read(path)
        replicates = {row["replicate"] for row in study.rows if "replicate" in row}
        lines.append(
            f"| `{path.stem}` | {len(study.rows):,} | {len(replicates) or ''} "
            f"| `{study.about['command']}` |"
        )
    content[0] = content[0].replace(STUDIES_MARK, "\n".join(lines))
    with (folder.parent / "benchmarks" / "mutants.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    made, noticed = (sum(int(row[name]) for row in rows) for name in ("mutants", "noticed"))
    (module,) = {row["module"] for row in rows}
    left = [f"`{row['function']}`" for row in rows if row["mutants"] != row["noticed"]]
    found = f"of {made} mutants of `{module}` the tests notice {noticed}"
    if left:
        found += f"; the others are in {', '.join(left)}"
    content[0] = content[0].replace(MUTANTS_MARK, found)


def list_parameters(app: Sphinx, docname: str, content: list[str]) -> None:
    """Fill the page of parameters from the check that every run passes."""
    if docname != "book/parameters":
        return
    from distill_helpers import runs
    from distill_helpers.parameters import CHAPTERS, typed

    folder = (Path(app.srcdir) / "notebooks").resolve()
    lines = []
    for chapter, path in runs.chapters(folder).items():
        link = f"../notebooks/{path.relative_to(folder).as_posix()}"
        lines += [f"## {runs.title(path)}", ""]
        lines += [f"`distill run {chapter}` runs [this page]({link}).", ""]
        lines += ["| name | default | it must be | what it is |", "|:--|:--|:--|:--|"]
        lines += [
            f"| `{name}` | `{typed(entry.default)}` | {entry.rule} | {entry.help} |"
            for name, entry in CHAPTERS[chapter].items()
        ]
        lines.append("")
    content[0] = content[0].replace(PARAMETERS_MARK, "\n".join(lines))


def list_conventions(app: Sphinx, docname: str, content: list[str]) -> None:
    """Fill the page of conventions from the package, so that the two cannot differ."""
    if docname != "book/conventions":
        return
    from distill_helpers.conventions import to_canonical
    from distill_helpers.libraries import CONVENTIONS, NO_EQUIVALENT

    table = ["| name | loss | example | alpha | T | scale |", "|:--|:--|:--|:--|:--|:--|"]
    sources, none = [], []
    for name, c in CONVENTIONS.items():
        taken = {key: s.default for key, s in c.settings.items() if s.default is not None}
        example = "<br>".join(f"`{key}={value!r}`" for key, value in (taken | c.example).items())
        here = " | ".join(f"{value:.4g}" for value in to_canonical(name, **c.example))
        table.append(f"| `{name}` | `{c.loss}` | {example} | {here} |")
        known = ", ".join(
            f"`{key}={taken[key]!r}`" if key in taken else f"`{key}`" for key in c.settings
        )
        sources.append(
            f"- **`{name}`**: [{c.title}]({c.link}), {c.version}, `{c.path}`. {c.note}\n"
            f"  Settings and defaults: {known}."
        )
        none += [
            f"- **`{name}`**, `{key}` other than `{allowed!r}`: {reason}."
            for key, (allowed, reason) in c.only.items()
        ]
        if len(c.temperature) > 1:
            none.append(f"- **`{name}`**, `{c.temperature[0]}` other than `{c.temperature[1]}`.")
    none += [
        f"- **`{name}`** ([{other.title}]({other.link}), {other.version}, `{other.path}`): "
        f"{other.reason}."
        for name, other in NO_EQUIVALENT.items()
    ]
    for mark, lines in (("table", table), ("sources", sources), ("none", none)):
        content[0] = content[0].replace(f"<!-- conventions: {mark} -->", "\n".join(lines))


def fill_costs(app: Sphinx, docname: str, content: list[str]) -> None:
    """Say on the page of sweeps what a million member-epochs cost, from the benchmark's table."""
    if docname != "book/sweeps":
        return
    import distill_helpers

    table = Path(distill_helpers.__file__).parents[1] / "benchmarks" / "training.csv"
    with table.open(encoding="utf-8") as file:
        seconds = {
            (r["networks"], r["way"]): float(r["median"]) / 1e3 for r in csv.DictReader(file)
        }
    ours, loop = (
        [seconds[networks, way] for networks in ("students", "teachers")]
        for way in ("distill_helpers fit", "DataLoader loop, 1 thread")
    )
    rows = [
        ("one member-epoch, two processors, measured", [duration(s) for s in ours]),
        ("a million, two processors", [duration(1e6 * s) for s in ours]),
        ("a million, 16 processors", [duration(1e6 * s * 2 / 16) for s in ours]),
        (
            "a million, 128 processors (the job script above)",
            [duration(1e6 * s * 2 / 128) for s in ours],
        ),
        ("processor-hours", [f"{1e6 * s * 2 / 3600:.3g}" for s in ours]),
        (
            "processor-hours in the loop, one network at a time",
            [f"{1e6 * s / 3600:.3g}" for s in loop],
        ),
    ]
    lines = ["| what, on what | students, 100 at once | teachers, 12 at once |", "|:--|--:|--:|"]
    lines += [f"| {what} | {' | '.join(cells)} |" for what, cells in rows]
    content[0] = content[0].replace(COSTS_MARK, "\n".join(lines))
    content[0] = content[0].replace(POINT_MARK, point_costs(table.with_name("sweeps.csv"), ours[0]))


def point_costs(table: Path, epoch: float) -> str:
    """Say what a point of a sweep costs beside its training.

    Parameters
    ----------
    table : Path
        What ``benchmarks/sweeps.py`` wrote.
    epoch : float
        Seconds of a student's epoch on two processors.
    """
    with table.open(encoding="utf-8") as file:
        rows = {row["what"]: row for row in csv.DictReader(file)}
    kernel, engine = (
        float(rows[what]["median"]) for what in ("a kernel and its imports", "engine, a point")
    )
    two = rows["two workers against one"]
    return (
        f"A point also costs about {duration(kernel)} of a processor before it trains anything: a "
        "kernel starts and imports PyTorch and the package. A thousand points are "
        f"{1000 * kernel / 3600:.1f} processor-hours of that, as much as "
        f"{1000 * kernel / (2 * epoch) / 1e6:.1f} million epochs of students. So a grid of few "
        "points with many students each (`num_seeds`) is cheaper than one of many points with "
        f"few.\nBetween one point and the next the engine takes {duration(engine)}, and two "
        f"workers did {two['median']} times as much as one on a grid of twelve points, the start "
        "and the drawing of its page counted, which they do not speed up (`benchmarks/sweeps.csv`)."
    )


def duration(seconds: float) -> str:
    """Write a time in three digits and the largest unit that it fills."""
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{1e3 * seconds:.3g} ms"


def add_chart_scripts(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Load the scripts of charts, figures and claims on the pages that hold any."""
    if 'class="chart-spec"' in context.get("body", ""):
        app.add_js_file("charts.js")  # which loads Vega
    if 'id="find-claims"' in context.get("body", ""):
        app.add_js_file("claims.js")
    if "<figure" in context.get("body", ""):
        app.add_js_file("full-size.js")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above to the events of a build."""
    app.add_js_file("reach.js")
    app.add_js_file("print.js")
    app.connect("config-inited", set_theme_options, priority=900)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # napoleon's is 500
    app.connect("builder-inited", copy_charts)
    app.connect("source-read", prepare_notebook)
    app.connect("source-read", list_modules)
    app.connect("source-read", list_verdicts)
    app.connect("source-read", fill_results)
    app.connect("source-read", list_studies)
    app.connect("source-read", list_parameters)
    app.connect("source-read", list_conventions)
    app.connect("source-read", fill_costs)
    app.setup_extension("book_maths")
    app.setup_extension("light_pages")
    app.connect("html-page-context", add_chart_scripts)
    app.add_css_file("book.css")
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it, wanted or not
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

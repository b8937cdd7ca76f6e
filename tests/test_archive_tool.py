"""The tool that packs an archive, with one line for each thing that a venue asks for and misses."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output

ROOT = Path(__file__).parent.parent
SPEC = importlib.util.spec_from_file_location("archive_tool", ROOT / "tools" / "archive.py")
assert SPEC is not None and SPEC.loader is not None
tool = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = tool
SPEC.loader.exec_module(tool)

AUTHOR = {"name": "A", "orcid": "0000", "email": "a@b", "affiliations": "1,*"}
METADATA = {
    "title": "[¬Re] A claim",
    "type": "Replication",
    "authors": [AUTHOR],
    "affiliations": [{"code": 1, "name": "A school"}],
    "keywords": "python",
    "abstract": "What was done.",
    "domain": "Machine Learning",
    "language": "Python",
    "bibliography": "book/references.bib",
    "code": [{"url": "https://a"}, {"doi": None}],
    "replication": [{"cite": "An article."}, {"url": "https://b"}],
}
FRONT = {
    "title": "A claim",
    "tags": ["python"],
    "authors": [{"name": "A", "affiliation": 1}],
    "affiliations": [{"name": "A school", "index": 1}],
    "date": 2026,
    "bibliography": "paper.bib",
}
ENOUGH = tool.Spent(1, 600.0, 10**9)


def notebook(source="a = 1", ran=True, tags=()):
    """One cell, run or not, as bytes."""
    cell = new_code_cell(source, execution_count=1 if ran else None, metadata={"tags": [*tags]})
    cell.outputs = [new_output("stream", text="1\n")] if ran else []
    return nbformat.writes(new_notebook(cells=[cell])).encode()


def whole(**other):
    """The files of a repository that lacks nothing, with others in their places, or taken out."""
    texts = {
        "README.md": b"# A",
        "LICENSE": b"MIT",
        "CITATION.cff": b"title: A book, with intervals\nversion: 0.1.0\n",
        "_toc.yml": b"root: book/intro\n",
        "_config.yml": f"title: A\nexecute:\n  {tool.RUN_OFF}\n".encode(),
        "book/intro.md": b"# A",
        "book/references.bib": b"",
        "notebooks/a.ipynb": notebook(),
        "tests/test_a.py": b"",
        tool.METADATA: yaml.safe_dump(METADATA, allow_unicode=True).encode(),
        tool.PAPER: f"---\n{yaml.safe_dump(FRONT)}---\n\n# Summary\n".encode(),
        tool.ARTICLE: b"%PDF",
    }
    texts |= {name: text for name, text in other.items() if text is not None}
    kept = {name: tool.File(text) for name, text in texts.items() if other.get(name, 1) is not None}
    return tool.laid_out(kept)


def faults(files, took=ENOUGH):
    return [*tool.neurolibre(files, took), *tool.rescience(files)]


def metadata(**other):
    return {tool.METADATA: yaml.safe_dump({**METADATA, **other}, allow_unicode=True).encode()}


def paper(**other):
    return {tool.PAPER: f"---\n{yaml.safe_dump({**FRONT, **other})}---\n".encode()}


def test_nothing_is_said_of_a_repository_that_has_all():
    assert faults(whole()) == []


LONG = "\n".join(["a = 1"] * 26)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"_toc.yml": None}, ["there is no content/_toc.yml"]),
        ({"_config.yml": None}, ["there is no content/_config.yml"]),
        ({"tests/test_a.py": None}, ["there are no automated tests"]),
        ({tool.PAPER: None}, ["there is no paper.md (submission/paper.md becomes it)"]),
        ({tool.PAPER: b"# Summary"}, [f"{tool.PAPER} says no {key}" for key in FRONT]),
        (paper(tags=[]), [f"{tool.PAPER} says no tags"]),
        (paper(authors=[{"name": "A"}]), [f"{tool.PAPER}: A has no affiliation"]),
        (
            {"notebooks/a.ipynb": notebook(LONG)},
            ["notebooks/a.ipynb shows a cell of 26 lines; a short one has 25 or fewer"],
        ),
        ({"notebooks/a.ipynb": notebook(LONG, tags=["hide-input"])}, []),
        (
            {"notebooks/a.ipynb": notebook(ran=False)},
            [
                "notebooks/a.ipynb has no stored outputs of a whole run: "
                "code cell 1 was not run (a = 1)"
            ],
        ),
        ({"LICENSE": None}, ["there is no licence of the code (LICENSE)"]),
        (
            {tool.ARTICLE: None},
            ["there is no article as a PDF in the journal's style (submission/article.pdf)"],
        ),
        ({tool.METADATA: None}, [f"there is no {tool.METADATA}"]),
        (
            metadata(title="A claim"),
            [f"{tool.METADATA}: the title of a replication begins with [Re] or [¬Re]"],
        ),
        (
            metadata(type="Letter"),
            [f"{tool.METADATA}: the type is 'Letter', not 'Replication'"],
        ),
        (metadata(domain=""), [f"{tool.METADATA} says no domain"]),
        (
            metadata(bibliography="b.bib"),
            [f"{tool.METADATA}: there is no bibliography 'b.bib' in the repository"],
        ),
        (metadata(authors=[]), [f"{tool.METADATA} names no authors"]),
        (
            metadata(authors=[{"name": "A", "affiliations": "2,*"}]),
            [f"{tool.METADATA}: A has no orcid, no email, no affiliation"],
        ),
        (
            metadata(authors=[AUTHOR | {"affiliations": "1"}]),
            [f"{tool.METADATA}: no author is marked as the contact (`affiliations: 1,*`)"],
        ),
        (
            metadata(code=[{"url": None}]),
            [f"{tool.METADATA}: a replication needs the address of its code (`code: url`)"],
        ),
        (
            metadata(replication=[{"cite": "An article."}]),
            [f"{tool.METADATA} does not say which article is replicated (`replication: url`)"],
        ),
    ],
)
def test_what_is_missing_has_one_line(other, said):
    assert faults(whole(**other)) == said


@pytest.mark.parametrize(
    ("took", "said"),
    [
        (tool.Spent(0, 0.0, None), ["run time is known of 0 of 1 notebooks", "memory was not"]),
        (tool.Spent(1, 9 * 3600.0, 10**9), ["the notebooks ran for 9.0 h, more than 8 h"]),
        (tool.Spent(1, 60.0, 7 * 10**9), ["a notebook took 7.0 GB of memory, more than 6 GB"]),
        (tool.Spent(1, 60.0, None), ["memory was not measured of every notebook"]),
    ],
)
def test_time_and_memory_are_held_to_neurolibres_limits(took, said):
    found = faults(whole(), took)
    assert len(found) == len(said) and all(map(str.startswith, found, said))


def test_what_the_last_build_took_is_read_from_its_notebooks(tmp_path):
    assert tool.spent(tmp_path) == tool.Spent(0, 0, None)
    for name, record in (
        ("a", {"duration": 60.5, "peak_memory": 5}),
        ("evidence/b", {"duration": 2.0, "peak_memory": 7}),
        ("c", {}),  # stored outputs, not run here
        ("d.part", {"duration": 1e9}),
    ):
        path = tmp_path / "executed" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"metadata": {"papermill": record}}))
    assert tool.spent(tmp_path) == tool.Spent(2, 62.5, 7)
    (tmp_path / "executed" / "c.ipynb").write_text('{"metadata": {"papermill": {"duration": 1}}}')
    assert tool.spent(tmp_path).memory is None  # known of two in three is not known


def commit(folder, files):
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    who = {
        f"GIT_{role}_{key}": "a@b" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *words], cwd=folder, check=True, env={**os.environ, **who})


@pytest.fixture
def repository(tmp_path):
    made = {name: file for name, file in whole().items() if name.partition("/")[0] in NEAR}
    commit(tmp_path, {**made, ".gitignore": tool.File(b"_build/\n")})
    html = tmp_path / "_build" / "html"
    (html / "book").mkdir(parents=True)
    (html / "index.html").write_text("a")
    (html / "book" / "intro.html").write_text("b")
    (tmp_path / "_build" / "book.pdf").write_bytes(b"%PDF")
    path = tmp_path / "_build" / "executed" / "a.ipynb"
    path.parent.mkdir()
    path.write_text('{"metadata": {"papermill": {"duration": 60, "peak_memory": 1000}}}')
    return tmp_path


NEAR = {"README.md", "LICENSE", "CITATION.cff", "_toc.yml", "_config.yml"}
NEAR |= {"book", "notebooks", "tests", "submission"}


def test_the_archive_holds_the_commit_and_the_book_with_checksums(repository, tmp_path, capsys):
    out = repository / "_build" / "archive"
    assert tool.main(out, repository) == 0
    path = out / "a-book-with-intervals-0.1.0.tar.gz"
    first = path.read_bytes()
    assert tool.main(out, repository) == 0
    assert path.read_bytes() == first  # the same bytes each time
    digest = hashlib.sha256(first).hexdigest()
    assert path.with_name(f"{path.name}.sha256").read_text() == f"{digest}  {path.name}\n"
    assert "commit" in capsys.readouterr().out
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        tar.extractall(tmp_path / "taken", filter="data")
    folder = tmp_path / "taken" / "a-book-with-intervals-0.1.0"
    assert (folder / "rendered" / "book" / "intro.html").read_text() == "b"
    assert (folder / "content" / "book" / "intro.md").read_text() == "# A"
    assert tool.RUN_ON in (folder / "content" / "_config.yml").read_text()
    assert tool.RUN_OFF in (folder / "_config.yml").read_text()
    listed = dict(
        reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "content" not in path.relative_to(folder).parts[:1]
    }
    assert there - {"SHA256SUMS"} == {name for name in listed if not name.startswith("content/")}
    for name, sum in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sum


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("dirty", "not met: 1 files differ from the commit, README.md among them"),
        ("no pdf", "not met: there is no PDF; `make pdf` prints it"),
        ("no book", "not met: the book is not rendered; `make book` does it"),
        ("old book", "not met: the rendered book is older than the commit; `make book` renders it"),
    ],
)
def test_what_is_not_as_committed_is_said_and_the_archive_written(repository, capsys, fault, said):
    if fault == "dirty":
        (repository / "README.md").write_text("# B")
    elif fault == "no pdf":
        (repository / "_build" / "book.pdf").unlink()
    elif fault == "no book":
        (repository / "_build" / "html" / "index.html").unlink()
    else:
        os.utime(repository / "_build" / "html" / "index.html", (0, 0))
    assert tool.main(repository / "_build" / "archive", repository) == 1
    assert capsys.readouterr().err.splitlines() == [said]
    assert [*(repository / "_build" / "archive").glob("*.tar.gz")]


def test_a_folder_without_a_commit_gets_one_line(tmp_path, capsys):
    assert tool.main(tmp_path / "out", tmp_path) == 1
    said = "an archive is made of a commit, and there is none here\n"
    assert capsys.readouterr().err == said and not (tmp_path / "out").exists()


def test_this_repository_lacks_only_what_its_submitter_fills_in():
    """Its metadata is complete but for names, addresses and an article in the journal's style."""
    paths = [tool.METADATA, tool.PAPER, tool.BIBLIOGRAPHY, "README.md", "LICENSE"]
    files = tool.laid_out({path: tool.File((ROOT / path).read_bytes()) for path in paths})
    assert list(tool.rescience(files)) == [
        f"there is no article as a PDF in the journal's style ({tool.ARTICLE})",
        f"{tool.METADATA}: The authors of this book has no orcid, no email, no affiliation",
        f"{tool.METADATA}: no author is marked as the contact (`affiliations: 1,*`)",
        f"{tool.METADATA}: a replication needs the address of its code (`code: url`)",
    ]
    config = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert tool.RUN_OFF in config  # which the archive's own copy turns on
    about = yaml.safe_load((ROOT / tool.METADATA).read_text(encoding="utf-8"))
    assert tool.joined(about["replication"])["url"] in (ROOT / tool.BIBLIOGRAPHY).read_text("utf-8")

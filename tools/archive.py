"""Pack a commit for an archive, and say what two venues ask for that it lacks.

``archive.py FOLDER`` writes ``FOLDER/NAME-VERSION.tar.gz``: the repository at HEAD with its stored
outputs, the rendered book and the PDF where they are built, and ``SHA256SUMS``. It is laid out as
NeuroLibre wants a repository: ``content/``, ``binder/``, ``paper.md``, ``paper.bib``. The same
commit and the same rendered files give the same bytes.

What is asked for, and where it is written:

- NeuroLibre, https://docs.neurolibre.org: "Structure your NRP repository" (the layout, 8 hours of
  run time and 6 GB of memory, as of July 2023; its FAQ says 7.5 GB) and "Reviewer guidelines"
  (short and readable code cells, automated tests).
- ReScience C, https://github.com/ReScience/submissions (article, metadata, code) and
  https://github.com/ReScience/template (``metadata.yaml``; "[¬Re]" for a failed replication).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HOURS, GIGABYTES = 8, 6  # NeuroLibre's, for a whole build
CELL = 25  # lines of code that a page shows in one cell: the book's own budget of a lesson
FOLDED = {"remove-input", "hide-input", "remove-cell", "hide-cell"}
RUN_OFF, RUN_ON = 'execute_notebooks: "off"', 'execute_notebooks: "force"\n  timeout: 900'
BINDER = "repo2data>=2.6.0\n-c ../constraints.txt\n-r ../requirements.txt\n-e .\n"
NOTEBOOK = re.compile(r"notebooks/.+\.ipynb")
FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
METADATA, PAPER, BIBLIOGRAPHY = (
    "submission/metadata.yaml",
    "submission/paper.md",
    "book/references.bib",
)
ARTICLE = "submission/article.pdf"


class File(NamedTuple):
    """A file of the archive: its bytes, or where it points to."""

    data: bytes = b""
    mode: int = 0o644
    link: str = ""


class Spent(NamedTuple):
    """What the last build took: notebooks that ran, their seconds, bytes of the largest process."""

    notebooks: int
    seconds: float
    memory: int | None


def committed(root: Path) -> tuple[dict[str, File], str, int]:
    """Return the files of HEAD, its name and its time; raise ValueError where there is none."""

    def git(*words: str) -> bytes:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True).stdout

    try:
        name, time = git("log", "-1", "--format=%h %ct").decode().split()
        packed = git("archive", "--format=tar", "HEAD")
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError("an archive is made of a commit, and there is none here") from error
    files = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        for member in tar:
            if member.issym():
                files[member.name] = File(link=member.linkname)
            elif member.isfile():
                data = tar.extractfile(member)
                assert data is not None
                files[member.name] = File(data.read(), 0o755 if member.mode & 0o100 else 0o644)
    return files, name, int(time)


def uncommitted(root: Path) -> list[str]:
    """Return what was changed since the commit, as git tells it."""
    command = ["git", "status", "--porcelain"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [line[3:] for line in done.stdout.splitlines()]


def laid_out(files: Mapping[str, File]) -> dict[str, File]:
    """Add what NeuroLibre looks for in its own places; what is there already is left alone."""
    added = {"binder/requirements.txt": File(BINDER.encode())}
    for name in ("_toc.yml", "book", "notebooks"):
        if name in files or any(path.startswith(f"{name}/") for path in files):
            added[f"content/{name}"] = File(link=f"../{name}")
    if "_config.yml" in files:  # NeuroLibre runs the notebooks; here the Makefile has
        text = files["_config.yml"].data.decode().replace(RUN_OFF, RUN_ON)
        added["content/_config.yml"] = File(text.encode())
    for name, source in (("paper.md", PAPER), ("paper.bib", BIBLIOGRAPHY)):
        if source in files:
            added[name] = files[source]
    return {**added, **files}


def rendered(build: Path) -> dict[str, File]:
    """Return the rendered book and its PDF, where they are built."""
    found = {"book.pdf": build / "book.pdf"}
    found |= {
        f"rendered/{path.relative_to(build / 'html').as_posix()}": path
        for path in sorted((build / "html").rglob("*"))
    }
    return {name: File(path.read_bytes()) for name, path in found.items() if path.is_file()}


def spent(build: Path) -> Spent:
    """Return what the notebooks of the last build took, as ``notebooks.py`` left it in them."""
    records = [
        json.loads(path.read_text(encoding="utf-8"))["metadata"].get("papermill", {})
        for path in sorted((build / "executed").rglob("*.ipynb"))
        if not path.name.endswith(".part.ipynb")
    ]
    records = [record for record in records if record.get("duration")]
    memory = [record["peak_memory"] for record in records if record.get("peak_memory")]
    whole = len(memory) == len(records) and memory
    seconds = sum(record["duration"] for record in records)
    return Spent(len(records), seconds, max(memory) if whole else None)


def neurolibre(files: Mapping[str, File], took: Spent) -> Iterator[str]:
    """Say what NeuroLibre asks for and these files lack, a line each."""
    for name in ("content/_toc.yml", "content/_config.yml", "binder/requirements.txt"):
        if name not in files:
            yield f"there is no {name}"
    notebooks = {name: json.loads(f.data) for name, f in files.items() if NOTEBOOK.fullmatch(name)}
    if took.notebooks < len(notebooks):
        yield (
            f"run time is known of {took.notebooks} of {len(notebooks)} notebooks; "
            "`make book` measures it"
        )
    if took.seconds > HOURS * 3600:
        yield f"the notebooks ran for {took.seconds / 3600:.1f} h, more than {HOURS} h"
    if took.memory is None:
        yield "memory was not measured of every notebook; `make book` does it"
    elif took.memory > GIGABYTES * 1e9:
        yield f"a notebook took {took.memory / 1e9:.1f} GB of memory, more than {GIGABYTES} GB"
    for name, notebook in notebooks.items():
        longest = max(map(lines_shown, notebook["cells"]), default=0)
        if longest > CELL:
            yield f"{name} shows a cell of {longest} lines; a short one has {CELL} or fewer"
        stop = unfinished(notebook)
        if stop:
            yield f"{name} has no stored outputs of a whole run: {stop}"
    if not any(re.fullmatch(r"tests/.*test_.+\.py", name) for name in files):
        yield "there are no automated tests"
    if "paper.bib" not in files:
        yield f"there is no paper.bib ({BIBLIOGRAPHY} becomes it)"
    if "paper.md" not in files:
        yield f"there is no paper.md ({PAPER} becomes it)"
        return
    found = FRONT.match(files["paper.md"].data.decode())
    front = yaml.safe_load(found[1]) if found else {}
    for key in ("title", "tags", "authors", "affiliations", "date", "bibliography"):
        if not front.get(key):
            yield f"{PAPER} says no {key}"
    for author in front.get("authors") or []:
        if not author.get("affiliation"):
            yield f"{PAPER}: {author.get('name')} has no affiliation"


def rescience(files: Mapping[str, File]) -> Iterator[str]:
    """Say what ReScience C asks for at submission and these files lack, a line each."""
    for name, what in (("README.md", "README"), ("LICENSE", "licence of the code")):
        if name not in files:
            yield f"there is no {what} ({name})"
    if ARTICLE not in files:
        yield f"there is no article as a PDF in the journal's style ({ARTICLE})"
    if METADATA not in files:
        yield f"there is no {METADATA}"
        return
    about = yaml.safe_load(files[METADATA].data.decode())
    if not re.match(r"\[(Re|¬Re)\] \S", str(about.get("title"))):
        yield f"{METADATA}: the title of a replication begins with [Re] or [¬Re]"
    if about.get("type") != "Replication":
        yield f"{METADATA}: the type is {about.get('type')!r}, not 'Replication'"
    for key in ("keywords", "abstract", "domain", "language"):
        if not about.get(key):
            yield f"{METADATA} says no {key}"
    bibliography = about.get("bibliography")
    if bibliography not in files:
        yield f"{METADATA}: there is no bibliography {bibliography!r} in the repository"
    authors = about.get("authors") or []
    if not authors:
        yield f"{METADATA} names no authors"
    places = {str(place.get("code")) for place in about.get("affiliations") or []}
    contact = False
    for author in authors:
        codes = [code.strip() for code in str(author.get("affiliations") or "").split(",")]
        contact |= "*" in codes
        lacking = [key for key in ("name", "orcid", "email") if not author.get(key)]
        if not places.intersection(codes):
            lacking.append("affiliation")
        if lacking:
            yield f"{METADATA}: {author.get('name') or 'an author'} has no {', no '.join(lacking)}"
    if authors and not contact:
        yield f"{METADATA}: no author is marked as the contact (`affiliations: 1,*`)"
    if not joined(about.get("code")).get("url"):
        yield f"{METADATA}: a replication needs the address of its code (`code: url`)"
    for key in ("cite", "url"):
        if not joined(about.get("replication")).get(key):
            yield f"{METADATA} does not say which article is replicated (`replication: {key}`)"


def joined(parts: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """Join the one-line entries in which the template writes an address, a DOI and the like."""
    return {key: value for part in parts or [] for key, value in part.items()}


def lines_shown(cell: Mapping[str, Any]) -> int:
    """Count the lines of code, blank ones aside, that the page shows of a cell."""
    if cell["cell_type"] != "code" or FOLDED.intersection(cell["metadata"].get("tags", [])):
        return 0
    return sum(bool(line.strip()) for line in "".join(cell["source"]).splitlines())


def unfinished(notebook: Mapping[str, Any]) -> str:
    """Say where a notebook stopped, as the package does."""
    from distill_helpers import results

    return results.unfinished(notebook)


def pack(files: Mapping[str, File], folder: str, time: int) -> bytes:
    """Return a tar.gz of files and their checksums in which nothing depends on who made it when."""
    sums = [
        f"{hashlib.sha256(file.data).hexdigest()}  {name}\n"
        for name, file in sorted(files.items())
        if not file.link
    ]
    files = {**files, "SHA256SUMS": File("".join(sums).encode())}
    written = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=written, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for name, file in sorted(files.items()):
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.mtime, member.mode, member.size = time, file.mode, len(file.data)
            if file.link:
                member.type, member.linkname = tarfile.SYMTYPE, file.link
            tar.addfile(member, io.BytesIO(file.data))
    return written.getvalue()


def main(to: Path, root: Path = Path()) -> int:
    """Write the archive; return 1 where something is asked for that it lacks."""
    try:
        files, commit, time = committed(root)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    build = root / "_build"
    files = laid_out(files)
    took = spent(build)
    book = rendered(build)
    faults = [f"NeuroLibre: {fault}" for fault in neurolibre(files, took)]
    faults += [f"ReScience C: {fault}" for fault in rescience(files)]
    changed = uncommitted(root)
    if changed:
        faults.append(f"{len(changed)} files differ from the commit, {changed[0]} among them")
    page = build / "html" / "index.html"
    if not page.exists():
        faults.append("the book is not rendered; `make book` does it")
    elif page.stat().st_mtime < time:
        faults.append("the rendered book is older than the commit; `make book` renders it")
    if "book.pdf" not in book:
        faults.append("there is no PDF; `make pdf` prints it")
    about = yaml.safe_load(files["CITATION.cff"].data.decode())
    slug = re.sub(r"[^a-z0-9]+", "-", about["title"].lower()).strip("-")
    name = f"{slug}-{about['version']}"
    data = pack({**files, **book}, name, time)
    to.mkdir(parents=True, exist_ok=True)
    path = to / f"{name}.tar.gz"
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (to / f"{name}.tar.gz.sha256").write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    print(f"{path}: {len(files) + len(book)} files, {len(data) / 1e6:.0f} MB, commit {commit}")
    if took.notebooks:
        memory = f", at most {took.memory / 1e9:.1f} GB" if took.memory else ""
        print(f"{took.notebooks} notebooks ran in {took.seconds / 60:.0f} minutes{memory}")
    for fault in faults:
        print(f"not met: {fault}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

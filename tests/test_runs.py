"""Whole runs, with papermill and with our own runner.

A wrong parameter stops one at once and says what to do; a run that did not reach its end counts for
nothing.
"""

from __future__ import annotations

import math
import os
import pickle
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from bad_parameters import SETS, faults, through_distill, through_papermill
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_notebooks import NOTEBOOKS, PARAMETERS, chapter, check_cell, parameters_cell

from distill_helpers import __main__ as command_line
from distill_helpers import results, runs
from distill_helpers.parameters import CHAPTERS, typed

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 10  # seconds, of the processor: the clock would measure what else the machine does


def opening():
    """The first code cells of a notebook of chapter 00, and one that shows what they leave."""
    cells = [
        new_code_cell('from distill_helpers.parameters import expect\n\nexpect("00")'),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell('from distill_helpers.parameters import check\n\ncheck("00", globals())'),
        new_code_cell("print(type(temperature).__name__, num_seeds)"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def papermill(folder, nb, *arguments):
    """Run a notebook on the command line; return its exit code, stderr, output and seconds."""
    source, target = folder / "a source.ipynb", folder / "the output.ipynb"
    nbformat.write(nb, source)
    before = source.read_bytes()
    start = os.times()
    run = subprocess.run(
        [
            *[sys.executable, "-m", "papermill", str(source), str(target)],
            *["-k", "python3", "--cwd", str(ROOT / "notebooks"), *arguments],
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )
    end = os.times()
    assert source.read_bytes() == before, "the source must stay untouched"
    assert target.exists(), run.stderr
    seconds = end.children_user + end.children_system - start.children_user - start.children_system
    return run.returncode, run.stderr, nbformat.read(target, as_version=4), seconds


def chapter_00():
    """Chapter 00 itself where it opens as it should, else a notebook that does."""
    for path in NOTEBOOKS:
        if path.name.startswith("00"):
            nb = nbformat.read(path, as_version=4)
            if not parameters_cell(nb, path) and not check_cell(nb, path):
                return nb
    return opening()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(
            ["-p", "temperature", "0"],
            "temperature is 0; it must be a finite number above 0 and at most 10,000. "
            "Use 1 for plain probabilities, 2 to 5 to soften.",
            id="range",
        ),
        pytest.param(
            ["-p", "temprature", "4"],
            "temprature is no parameter of chapter 00; rename it to temperature.",
            id="misspelt",
        ),
        pytest.param(
            ["-p", "alpha", "1.5"],
            "alpha is 1.5; it must be a finite number from 0 to 1. "
            "Use 0 for hard labels alone, 1 for soft targets alone.",
            id="alpha",
            marks=pytest.mark.slow,
        ),
        *(
            pytest.param(
                ["-p", name, "3"],
                f"{name} is no parameter of chapter 00; {way_out}.",
                id=f"name-{name}",
                marks=pytest.mark.slow,
            )
            for name, way_out in (
                ("_temperature", "rename it to temperature"),
                ("check", "its parameters are " + ", ".join(CHAPTERS["00"])),
                ("In", "its parameters are " + ", ".join(CHAPTERS["00"])),
            )
        ),
        pytest.param(
            ["-r", "temperature", "3"],
            "temperature is '3', a string; it must be a finite number above 0 and at most 10,000. "
            "Write temperature = 3.0 (in a shell: -p temperature 3.0).",
            id="type",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ["-y", "alpha: .nan"],
            "alpha is nan; it must be a finite number from 0 to 1. "
            "Use 0 for hard labels alone, 1 for soft targets alone.",
            id="nan",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_wrong_parameter_stops_the_run_with_one_line(tmp_path, arguments, line):
    nb = chapter_00()
    for cell in nb.cells:  # so that what is found below was written by this run
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    code, told, output, seconds = papermill(tmp_path, nb, *arguments)
    assert code == 1
    assert seconds < PATIENCE
    assert told.splitlines().count(f"ParameterError: {line}") == 1
    errors = [
        out
        for cell in output.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "error"
    ]
    assert [error.traceback for error in errors] == [[f"ParameterError: {line}"]]
    assert sum(bool(cell.get("outputs")) for cell in output.cells) == 1, "nothing else has run"


def test_the_page_warns_of_what_papermill_does_before_the_check():
    page = (ROOT / "book" / "how-to-run.md").read_text(encoding="utf-8")
    for words in ('"num_seeds: 010"` is 8', '"temperature: 1:30"` is 90', "go back to their defa"):
        assert words in page


@pytest.mark.slow
def test_what_the_page_says_of_papermill_is_so(tmp_path):
    """YAML's own numbers, and a finished notebook that is run again (book/how-to-run.md)."""
    nb = opening()
    nb.cells[-1].source = "print(temperature, num_seeds, epochs)"
    yaml = ["-y", "num_seeds: 010", "-y", "temperature: 1:30"]
    for arguments, shown in (
        ([*yaml, "-p", "epochs", "3"], "90.0 8 3\n"),
        (["-p", "num_seeds", "010"], "3.0 10 30\n"),  # the last run's epochs are forgotten
    ):
        code, told, nb, _ = papermill(tmp_path, nb, *arguments)
        assert code == 0, told
        assert nb.cells[-1].outputs[0].text == shown
        assert sum("injected-parameters" in cell.metadata.get("tags", []) for cell in nb.cells) == 1
    code, told, *_ = papermill(tmp_path, opening(), "-y", "temperature: 1e3")
    assert code == 1 and "temperature is '1e3', a string" in told


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("num-seeds", "rename it to num_seeds"),
        *(
            pytest.param(
                name,
                "its parameters are " + ", ".join(CHAPTERS["00"]),
                marks=pytest.mark.slow,
            )
            for name in ("globals", "class", "__builtins__", "3x", "a b")
        ),
    ],
)
def test_a_name_that_no_check_can_see_is_refused_with_one_line(tmp_path, name, way_out):
    code, told, output, seconds = papermill(
        tmp_path, opening(), "-p", name, "3", "-p", "alpha", "1"
    )
    assert code == 1 and seconds < PATIENCE
    line = f"ParameterError: {name} is no parameter of chapter 00; {way_out}."
    assert told.strip().splitlines()[-1] == line
    assert told.count("ParameterError: ") == 1
    assert not output.cells[-1].outputs


def test_good_parameters_pass_and_are_normalised(tmp_path):
    code, told, output, _ = papermill(
        tmp_path, opening(), "-p", "temperature", "4", "-y", "student_hidden: [8]"
    )
    assert code == 0, told
    (shown,) = output.cells[-1].outputs
    assert shown.text == "float 20\n"


# -- our own runner -------------------------------------------------------------------------------

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
OPENING = [
    "random_state: int = 9  # seed\nnum_laws: int = 200  # laws",
    'from distill_helpers.parameters import check\n\ncheck("09-evidence", globals())',
]
RECORDS = """from distill_helpers import results
results.record("09", [results.result("laws", num_laws, low=num_laws - 1, high=num_laws + 1)])"""


def toy(folder, *cells, name="toy.ipynb"):
    """A folder with a notebook that says it is the evidence of chapter 09, with old outputs."""
    folder.mkdir(exist_ok=True)
    nb = new_notebook(metadata={"kernelspec": KERNEL})
    nb.cells = [new_markdown_cell("# A toy, [linked](other.ipynb)\n\n$x$ and [far](https://a.b)")]
    for number, source in enumerate([*OPENING, *cells], start=1):
        old = [new_output("stream", text="old")]
        nb.cells.append(new_code_cell(source, execution_count=number, outputs=old))
    nb.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(nb, folder / name)
    return folder


def read(notebook):
    return nbformat.reads(notebook.decode("utf-8"), as_version=4)


def no_kernel(monkeypatch):
    def start(*_, **__):
        raise AssertionError("a kernel would have started")

    monkeypatch.setattr(runs, "execute", start)


def run(*arguments):
    """The command line in this process; its exit code."""
    try:
        return command_line.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def test_every_chapter_is_found_by_what_it_says_it_is():
    found = runs.chapters()
    assert list(found) == list(CHAPTERS)
    assert {path: key for key, path in found.items()} == {p: chapter(p) for p in NOTEBOOKS}


def test_a_folder_is_searched_as_it_is(tmp_path):
    assert runs.chapters(tmp_path) == {}
    folder = toy(tmp_path / "a")
    (folder / "broken.ipynb").write_text("{")
    nbformat.write(new_notebook(), folder / "empty.ipynb")
    (folder / ".ipynb_checkpoints").mkdir()
    toy(folder / ".ipynb_checkpoints")
    assert runs.chapters(folder) == {"09-evidence": folder / "toy.ipynb"}
    with pytest.raises(ValueError, match=r"no notebook of chapter 00 in .*--notebooks DIR"):
        runs.find("00", folder)
    toy(folder, name="twin.ipynb")
    with pytest.raises(ValueError, match=r"toy.ipynb and .*twin.ipynb are both chapter 09"):
        runs.chapters(folder)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "3", 3.0),
        ("temperature", "1e-3", 0.001),  # text to YAML
        ("temperature", "+.5", 0.5),
        ("temperature", "1e-30", 1e-30),
        ("num_seeds", "20", 20),
        ("num_seeds", " 20 ", 20),
        ("student_hidden", "64,32", [64, 32]),
        ("student_hidden", "(64, 32)", [64, 32]),  # text to papermill
        ("student_hidden", "[64]", [64]),
        ("student_hidden", "64", [64]),
        ("student_hidden", "(64,)", [64]),
    ],
)
def test_text_is_read_by_the_declared_type(name, text, value):
    (found,) = runs.parse("00", {name: text}).values()
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("num_seeds", "010", "which is 10 to some and 8 to others; .* Write -p num_seeds 10 or"),
        ("random_state", "09", "Write -p random_state 9|The default is 42"),
        ("temperature", "010", "Write -p temperature 10 or -p temperature 8"),
        ("num_seeds", "02", "which is 2 to some and 2 to others|Write -p num_seeds 2"),
        ("num_seeds", "1:30", "The default is 20"),
        ("num_seeds", "2_0", "Write -p num_seeds 20"),
        ("num_seeds", "3.0", "Write -p num_seeds 3"),
        ("num_seeds", "1e1", "Write -p num_seeds 10"),
        ("num_seeds", "٣", "The default is 20"),
        ("temperature", "no", "2 to 5 to soften"),
        ("temperature", "True", "2 to 5 to soften"),
        ("temperature", "[3]", "2 to 5 to soften"),
        ("temperature", "", "2 to 5 to soften"),
        ("student_hidden", "64.0, 32", "Write -p student_hidden 64,32"),
        ("student_hidden", "[[64], 32]", "The default is 64,32"),
        ("student_hidden", "64 32", "The default is 64,32"),
        ("student_hidden", "", "The default is 64,32"),
    ],
)
def test_text_that_could_be_two_values_or_none_is_refused(name, text, words):
    with pytest.raises(ValueError, match=f"^{name} is {text!r}".replace("[", r"\[")) as told:
        runs.parse("00", {name: text})
    (line,) = str(told.value).splitlines()
    assert re.search(words, line)
    advised = re.findall(r"-p (\S+) ([^ ]+?)\.?(?= or |$)", line)
    for advice in advised:
        assert runs.parse("00", dict([advice]))


def test_what_a_parameter_prints_as_is_read_back():

    for key, table in CHAPTERS.items():
        defaults = {name: entry.default for name, entry in table.items()}
        texts = {name: typed(value) for name, value in defaults.items()}
        assert runs.parse(key, texts) == defaults


def test_sixty_sets_over_all_chapters():
    assert len(set(SETS)) == len(SETS) >= 60 and {entry[0] for entry in SETS} == set(CHAPTERS)


@pytest.mark.parametrize("entry", SETS, ids=" ".join)
def test_bad_parameters_are_refused_before_a_kernel_starts(tmp_path, monkeypatch, capsys, entry):
    no_kernel(monkeypatch)
    assert run(*through_distill(*entry, tmp_path)[3:]) == 1
    told = capsys.readouterr().err
    assert not faults(1, told, entry[2]) and len(told.splitlines()) == 1
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize(
    ("way", "entry"),
    [
        (through_distill, SETS[3]),
        *((through_distill, entry) for entry in SETS[9::20]),
        (through_papermill, SETS[31]),
        *(pytest.param(through_papermill, e, marks=pytest.mark.slow) for e in SETS[3::8]),
    ],
    ids=lambda value: value.__name__ if callable(value) else " ".join(value),
)
def test_bad_parameters_end_in_one_line_and_exit_code_1(tmp_path, way, entry):
    start = os.times()
    done = subprocess.run(way(*entry, tmp_path), capture_output=True, encoding="utf-8", timeout=300)
    end = os.times()
    assert not faults(done.returncode, done.stderr, entry[2])
    used = end.children_user + end.children_system - start.children_user - start.children_system
    assert used < PATIENCE


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["7"], "chapter is '7'; it must be one of 00, "),
        (["out.ipynb"], "chapter is 'out.ipynb', a file; give the chapter's name"),
        (["00", "-p", "alpha"], "expected 2 arguments"),
        (["00", "-p", "alpha", "1", "-p", "alpha", "0"], "alpha is given twice, as 1 and 0"),
        (["00", "-y", "alpha: 1"], "-y is papermill's; write -p NAME VALUE"),
        (["00", "-r", "alpha", "1"], "-r is papermill's; write -p NAME VALUE"),
        (["00", "-p", "student_hidden", "[8,", "4]"], 'needs quotes: "64, 32"'),
        (["00", "-p", "num-seeds", "3"], "num-seeds is no parameter of chapter 00; rename it to"),
        (["00", "-p", "globals", "3"], "globals is no parameter of chapter 00; its parameters are"),
        (["00", "-p", "-p", "3"], "-p is no parameter of chapter 00"),
        (["00", "--notebooks", "nowhere"], "there is no notebook of chapter 00 in nowhere"),
    ],
)
def test_a_command_that_cannot_be_meant_is_told_in_one_line(
    tmp_path, monkeypatch, capsys, arguments, line
):
    no_kernel(monkeypatch)
    monkeypatch.chdir(tmp_path)
    assert run("run", *arguments) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("distill: ") and line in told
    assert not list(tmp_path.iterdir())


def test_all_faults_of_a_command_are_told(capsys):
    assert run("run", "00", "-p", "alpha", "2", "-p", "zzz", "1", "-p", "epochs", "no") == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["alpha", "zzz", "epochs"]


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
def test_a_time_that_is_no_time_is_refused(tmp_path, seconds):
    with pytest.raises(ValueError, match=f"timeout is {seconds:g}; it must be .* above 0"):
        runs.execute("09-evidence", {}, timeout=seconds, folder=toy(tmp_path / "a"))


@pytest.mark.parametrize(
    "given", [{"num_laws": 3}, {"num_laws": True}, {"In": 3}, {"_x": 1}, {"globals": 1}]
)
def test_parameters_from_python_are_checked_too(given):
    with pytest.raises(ValueError, match=f"^{next(iter(given))} is "):
        runs.execute("09-evidence", given)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(runs, "_RUNNERS", ("papermill", "no_such_package"))
    with pytest.raises(ImportError, match=r"^no_such_package cannot .*pip install no_such_pack"):
        runs.execute("00", {})


def test_a_run_gives_the_whole_notebook(tmp_path, monkeypatch):
    monkeypatch.delenv("DISTILL_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    shows = "import os\nprint(type(num_laws).__name__, os.environ['DISTILL_PROGRESS'], os.getcwd())"
    slow = "import time\nfor n in range(2):\n    print(n, flush=True)\n    time.sleep(0.5)"
    where = "import distill_helpers as d; print(d.__file__)"
    folder = toy(tmp_path / "a", RECORDS, slow, shows, where)
    before, environment = (folder / "toy.ipynb").read_bytes(), dict(os.environ)
    made = runs.execute("09-evidence", {"num_laws": np.int64(5)}, folder=folder)
    nb = read(made)
    assert nb.metadata.papermill.parameters == {"random_state": 9, "num_laws": 5}
    assert [output.text for output in nb.cells[-3].outputs] == ["0\n1\n"]
    assert nb.cells[-2].outputs[0].text == f"int off {folder}\n"
    assert nb.cells[-1].outputs[0].text.strip() == results.__file__.replace("results", "__init__")
    assert not results.unfinished(nb) and results.METADATA_KEY in nb.metadata
    (name, found), *rest = runs.named_results(made).items()
    assert (name, found.value, found.low, found.high, rest) == ("laws", 5, 4, 6, [])
    assert (folder / "toy.ipynb").read_bytes() == before
    assert Path.cwd() == tmp_path and dict(os.environ) == environment
    # what papermill would drop without a word: the parameters of a finished run
    (folder / "toy.ipynb").write_bytes(made)
    with pytest.raises(ValueError, match=r"toy.ipynb is a finished run, whose parameters would"):
        runs.execute("09-evidence", {"random_state": 1}, folder=folder)
    page = runs.page(made)
    assert "A toy, linked" in page and "other.ipynb" not in page and "https://a.b" in page
    assert not re.search(r"<(script|link|img)[^>]*(src|href)=.?(https?:|//)", page)


def test_a_page_stands_alone():
    picture = new_output("display_data", data={"image/png": "aGk=\n", "text/plain": "Figure"})
    table = new_output("display_data", data={"text/markdown": "|a|\n|-|\n|[b](c.ipynb)|"})
    shown = {"mystnb": {"image": {"alt": 'a "dot"'}, "figure": {"caption": "It is <small>."}}}
    cells = [
        new_markdown_cell("# Title $T$\n\n[far](https://a.b) [near](#x) [page](../book/page.md#y)"),
        new_code_cell("folded()", metadata={"jupyter": {"source_hidden": True}}),
        new_code_cell("dropped()", metadata={"tags": ["remove-cell"]}),
        new_code_cell("unseen()", metadata=shown | {"tags": ["remove-input"]}, outputs=[picture]),
        new_code_cell("seen()", outputs=[table]),
    ]
    page = runs.page(nbformat.writes(new_notebook(cells=cells)).encode())
    assert "<title>Title $T$</title>" in page
    assert 'href="https://a.b"' in page and 'href="#x"' in page
    assert "page.md" not in page and "c.ipynb" not in page
    assert "dropped" not in page and "unseen" not in page
    folded, seen = page.index("folded"), page.index("seen")
    assert page.count("<summary>code</summary>") == 1
    assert page.index("<summary>code</summary>") < folded < page.index("</details>") < seen
    assert "<figcaption>It is &lt;small&gt;.</figcaption>" in page
    assert re.search(
        r"""<img alt=('a "dot"'|"a &quot;dot&quot;") src="data:image/png;base64,aGk="/?>""", page
    )
    assert "MathJax" in page.partition("</head>")[0]


STOPS = {
    "exit": ("import sys; sys.exit(0)", "SystemExit"),
    "error": ("raise ValueError('two\\nlines')", "ValueError: lines"),
    "timeout": ("import time; time.sleep(60)", "it took more than 6 s"),
    "killed": ("import os; os._exit(0)", "its kernel died"),
}


@pytest.mark.parametrize(
    "stop",
    ["exit", *(pytest.param(name, marks=pytest.mark.slow) for name in STOPS if name != "exit")],
)
def test_a_run_that_stopped_counts_for_nothing(tmp_path, stop):
    cell, words = STOPS[stop]
    folder = toy(tmp_path / "a", RECORDS, cell, "print('last')")
    with pytest.raises(runs.RunFailed) as failed:
        runs.execute("09-evidence", {}, folder=folder, timeout=6 if stop == "timeout" else 60)
    (line,) = str(failed.value).splitlines()
    assert line.startswith("chapter 09-evidence did not run to its end: code cell 5 ")
    assert words in line
    nb = read(failed.value.notebook)
    assert results.unfinished(nb) and not nb.cells[-1].outputs
    with pytest.raises(ValueError, match="did not run to its end"):
        runs.named_results(failed.value.notebook)
    again = pickle.loads(pickle.dumps(failed.value))
    assert str(again) == line and again.notebook == failed.value.notebook


@pytest.mark.parametrize("deaths", [1, 3])
def test_a_kernel_that_dies_at_its_start_is_started_again(tmp_path, monkeypatch, deaths):
    # As one does whose port another took between its choice and its use.
    from nbclient import NotebookClient

    start, starts = NotebookClient.setup_kernel, []

    def dies(self, **more):
        starts.append(more)
        if len(starts) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return start(self, **more)

    monkeypatch.setattr(NotebookClient, "setup_kernel", dies)
    folder = toy(tmp_path / "a", RECORDS)
    if deaths == 1:
        assert runs.named_results(runs.execute("09-evidence", {}, folder=folder))
    else:
        with pytest.raises(runs.RunFailed, match="no kernel starts: Kernel died before"):
            runs.execute("09-evidence", {}, folder=folder)
    assert len(starts) == min(deaths + 1, 3)


def test_a_lesson_that_records_nothing_has_no_results():
    cells = [new_code_cell("1", execution_count=1)]
    assert runs.named_results(nbformat.writes(new_notebook(cells=cells)).encode()) == {}


def test_a_bad_run_never_takes_the_place_of_a_good_one(tmp_path, capsys):
    out = tmp_path / "out"
    command = ["run", "09-evidence", "--out", out, "--notebooks", tmp_path / "a"]
    toy(tmp_path / "a", "assert num_laws != 7, 'seven'", RECORDS)
    assert run(*command, "-p", "num_laws", "5", "--html") == 0
    assert f"{out / '09-evidence.ipynb'} and {out / '09-evidence.html'}" in capsys.readouterr().out
    good = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(good) == ["09-evidence.html", "09-evidence.ipynb"]
    assert run(*command, "-p", "num_laws", "7", "--html") == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert "AssertionError: seven; what ran is in" in told
    now = {path.name: path.read_bytes() for path in out.iterdir()}
    assert results.unfinished(read(now.pop("09-evidence.failed.ipynb")))
    assert now == good
    assert run(*command, "-p", "num_laws", "8") == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["09-evidence.ipynb"], "an old page would be of other parameters"


@pytest.mark.slow
def test_ctrl_c_stops_the_kernel_too(tmp_path):
    folder = toy(
        tmp_path / "a", "import os; open('pid', 'w').write(str(os.getpid()))", "while 1: 0"
    )
    command = [sys.executable, "-m", "distill_helpers", "run", "09-evidence"]
    command += ["--notebooks", str(folder), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as process:
        for _ in range(600):
            if (folder / "pid").exists() and (folder / "pid").read_text():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.splitlines()[-1] == "distill: stopped; nothing was written"
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)


def test_the_commands_that_show_what_there_is(capsys):
    assert run("list") == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told] == list(CHAPTERS)
    for key, table in CHAPTERS.items():
        assert run("params", key) == 0
        told = capsys.readouterr().out
        for name, entry in table.items():
            assert re.search(
                rf"^{name} +{re.escape(typed(entry.default))} +{re.escape(entry.rule)}\n"
                rf" +{re.escape(entry.help)}$",
                told,
                re.MULTILINE,
            )


def examples(*command):
    """The commands that the help shows, of one command or of all."""
    shown = subprocess.run(
        [sys.executable, "-m", "distill_helpers", *command, "--help"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    return [shlex.split(line) for line in shown.splitlines() if line.startswith("  distill ")]


@pytest.mark.parametrize("command", ["list", "params"])
def test_examples_of_the_help_work_as_written(command, capsys):
    found = examples(command)
    assert found
    for _, *arguments in found:
        assert run(*arguments) == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize("real", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_examples_of_run_work_as_written(tmp_path, monkeypatch, capsys, real):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISTILL_CACHE", raising=False)
    if not real:  # all but the cells
        whole = nbformat.writes(new_notebook(metadata={"kernelspec": KERNEL})).encode()
        monkeypatch.setattr(runs, "execute", lambda *_, **__: whole)
    found = examples("run")
    assert len(found) == 2
    for _, *arguments in found:
        assert run(*arguments) == 0, capsys.readouterr().err
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert written == {"runs/09-evidence.ipynb", "runs/09-evidence.html", "shift/09.ipynb"}


def test_first_examples_of_the_help_work_as_written(tmp_path, monkeypatch, capsys):
    """All but a notebook's cells; `distill report` is in tests/test_report.py."""
    monkeypatch.chdir(tmp_path)
    whole = nbformat.writes(new_notebook(metadata={"kernelspec": KERNEL})).encode()
    monkeypatch.setattr(runs, "execute", lambda *_, **__: whole)
    found = examples()
    assert [words[1] for words in found] == ["report", "list", "run"]
    for _, *arguments in found[1:]:
        assert run(*arguments) == 0, capsys.readouterr().err
    assert (tmp_path / "runs" / "09-evidence.html").exists()


def test_exit_codes_are_in_the_help():
    shown = subprocess.run(
        [sys.executable, "-m", "distill_helpers", "run", "--help"],
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout
    assert re.findall(r"^  (\d+) +\w", shown, re.MULTILINE) == ["0", "1", "2", "130"]


def test_a_refusal_loads_nothing_that_takes_time():
    code = (
        "import sys; from distill_helpers.__main__ import main; "
        "code = main(['run', '00', '-p', 'alpha', '7']); "
        "print(code, sorted({'torch', 'numpy', 'papermill', 'nbclient'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.stdout.strip() == "1 []"

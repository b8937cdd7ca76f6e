"""Sweeps: the grid, the folder, the engine, and whole sweeps of a notebook that takes no time."""

from __future__ import annotations

import csv
import math
import re
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
import sweeps_support as support

from distill_helpers import __main__ as cli
from distill_helpers.results import Recorded
from distill_helpers.sweeps import Store, _about, _engine, _page, chart, find_studies, read_grid

ABOUT = {"distill_helpers": "abc", "numpy": "2"}
POINT = {"random_state": 0, "num_laws": 4}


def found(value=1.5, low=1.0, high=2.0, level=0.95, n=4, unit="nats"):
    return Recorded(value, low, high, level, n, unit)


# -- the grid -------------------------------------------------------------------------------------


def test_grid_is_the_product_of_its_axes_and_the_first_moves_slowest():
    grid = read_grid(
        "05-evidence", ["student_hidden=[4,2],[8]", "random_state=0:2,7", "epochs=5:20:7"]
    )
    assert grid.axes == {
        "student_hidden": [[4, 2], [8]],
        "random_state": [0, 1, 7],
        "epochs": [5, 12, 19],
    }
    assert len(grid.points) == 18
    assert [p["epochs"] for p in grid.points[:4]] == [5, 12, 19, 5]
    assert [p["student_hidden"] for p in grid.points[8:10]] == [[4, 2], [8]]
    assert all(p["task"] == "overlap" for p in grid.points), "the rest keeps its default"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "the grid is empty"),
        (["temperature"], "names no values; write it as --grid random_state=0:20"),
        (["=1,2"], "names no values"),
        (["temprature=1,2"], "temprature is no parameter of chapter 04-evidence; rename it"),
        (["temprature=0:0"], "temprature is no parameter"),
        (["temperature=1,0"], "temperature is '0'; it must be a finite number above 0"),
        (["temperature=1,nan"], "temperature is "),
        (["temperature=1,two"], "temperature is 'two'"),
        (["temperature="], "has an empty place"),
        (["temperature=1,,2"], "has an empty place"),
        (["temperature=1,2,1.0"], "temperature has 1.0 twice in the grid"),
        (["random_state=0:3,2"], "random_state has 2 twice in the grid"),
        (["random_state=1", "random_state=2"], "random_state is in the grid twice"),
        (["random_state=0:0"], "is empty: its end is left out"),
        (["random_state=3:0"], "is empty: its end is left out"),
        (["random_state=0:3:0"], "has a step of 0"),
        (["random_state=-2:3"], "random_state is '-2'; it must be"),
        (["random_state=0:200000"], "has 200,000 values; at most 100,000"),
        (["random_state=0:1000", "num_seeds=2:100", "temperature=1,2"], "has 196,000 points"),
        (["random_state=1.5"], "random_state is "),
        (["task=classes,Digits"], "task is 'Digits'"),
    ],
)
def test_bad_grid_is_one_line_before_anything_starts(tmp_path, capsys, texts, told):
    arguments = [part for text in texts for part in ("--grid", text)]
    out = tmp_path / "out"
    assert cli.main(["sweep", "04-evidence", *arguments, "--out", str(out)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("distill: ") and told in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["7", "--grid", "random_state=1"], "chapter is '7'; it must be one of"),
        (["04", "--grid", "random_state=1"], "records no results, so a sweep has none; sweep 04-e"),
        (["05-evidence", "--grid", "student_hidden=64,32"], "each of its values is a list"),
        (["04-evidence", "--grid", "random_state=1", "--workers", "0"], "workers is 0"),
        (["04-evidence", "--grid", "random_state=1", "--timeout", "0"], "timeout is 0"),
        (["04-evidence", "--grid", "random_state=1", "--workers", "two"], "invalid int value"),
        (
            ["04-evidence", "--grid", "random_state=1", "--scheduler", "127.0.0.1"],
            "no scheduler answers at '127.0.0.1'",
        ),
    ],
)
def test_bad_command_is_one_line(tmp_path, capsys, arguments, told):
    try:
        code = cli.main(["sweep", *arguments, "--out", str(tmp_path / "out")])
    except SystemExit as stop:  # argparse's own
        code = stop.code
    assert code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line


# -- the folder -----------------------------------------------------------------------------------


def test_point_is_done_once_its_file_is_whole_and_not_before(tmp_path):
    store = Store(tmp_path / "out", "09-evidence", ABOUT)
    assert store.done(POINT) is None
    store.save(POINT, b"{}", {"gain": found()}, seconds=1.0)
    assert store.done(POINT)["results"][0]["value"] == 1.5
    assert store.done(POINT | {"random_state": 1}) is None
    (result,) = (tmp_path / "out" / "points").glob("*.json")
    (notebook,) = (tmp_path / "out" / "notebooks").glob("*.ipynb")
    whole = result.read_bytes()
    broken = {
        "cut off": whole[: len(whole) // 2],
        "empty": b"",
        "a digit changed": whole.replace(b"1.5", b"1.6"),
        "another point": whole.replace(b'"random_state": 0', b'"random_state": 1'),
        "no mapping": b"[1]",
    }
    for what, content in broken.items():
        result.write_bytes(content)
        assert store.done(POINT) is None, what
    result.write_bytes(whole)
    assert store.done(POINT)
    notebook.write_bytes(b'{"cells": []}')
    assert store.done(POINT) is None, "the notebook is another"
    notebook.unlink()
    assert store.done(POINT) is None, "the notebook is gone"


def test_failed_point_is_no_done_point_and_a_good_run_replaces_it(tmp_path):
    store = Store(tmp_path / "out", "09-evidence", ABOUT)
    store.fail(POINT, "it broke", worker="w")
    assert store.failed(POINT)["error"] == "it broke" and store.done(POINT) is None
    store.save(POINT, b"{}", {"gain": found()})
    assert store.failed(POINT) is None and store.done(POINT)


def test_tables_are_tidy_and_say_what_an_interval_is(tmp_path):
    from pyarrow import parquet

    grid = read_grid("09-evidence", ["random_state=0,1,2", "num_laws=4"])
    store = Store(tmp_path / "out", "09-evidence", ABOUT)
    results = {
        "whole": found(),
        "open": found(high=math.inf),
        "bare": found(low=1.5, high=1.5, level=None, n=None, unit=""),
        "tolerance": found(level=None),
    }
    store.save(grid.points[2], b"{}", results)
    store.save(grid.points[0], b"{}", results)
    store.fail(grid.points[1], "no luck")
    store.tables(grid)
    with (tmp_path / "out" / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["random_state"], r["result"]) for r in rows] == [
        (seed, name) for seed in "02" for name in results
    ]
    ends = [(r["low"], r["high"], r["level"]) for r in rows[:4]]
    assert ends == [
        *(("1.0", "2.0", "0.95"), ("1.0", "inf", "0.95"), ("", "", ""), ("1.0", "2.0", "")),
    ]
    table = parquet.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert [[str("" if v is None else v) for v in row.values()] for row in table] == [
        list(row.values()) for row in rows
    ]
    assert isinstance(table[0]["random_state"], int) and isinstance(table[0]["value"], float)
    states = (tmp_path / "out" / "points.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[3] for line in states[1:]] == ["done", "failed", "done"]
    assert "no luck" in states[2]


def test_points_of_another_package_or_chapter_are_not_mixed(tmp_path):
    out = tmp_path / "out"
    Store(out, "09-evidence", ABOUT).close()
    with pytest.raises(ValueError, match=r"distill_helpers was abc, is xyz.*name another --out"):
        Store(out, "09-evidence", ABOUT | {"distill_helpers": "xyz"})
    with pytest.raises(ValueError, match=r"numpy was 2, is missing"):
        Store(out, "09-evidence", {"distill_helpers": "abc"})
    with pytest.raises(ValueError, match="holds points of chapter 09-evidence, not 02"):
        Store(out, "02", ABOUT)
    Store(out, "09-evidence", ABOUT).close()


def test_folder_that_is_no_sweeps_is_left_alone(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(ValueError, match=r"holds dear\.txt, no part of a sweep"):
        Store(tmp_path / "letters", "02", ABOUT)
    with pytest.raises(ValueError, match="is a file; name a folder"):
        Store(tmp_path / "letters" / "dear.txt", "02", ABOUT)
    assert [p.name for p in (tmp_path / "letters").iterdir()] == ["dear.txt"]
    killed = tmp_path / "killed"  # between the folder and its first file
    killed.mkdir()
    (killed / ".lock").touch()
    (killed / "sweep.json.part").write_text("{")
    Store(killed, "02", ABOUT).close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such lock")
def test_one_sweep_at_a_time_writes_to_a_folder(tmp_path):
    first = Store(tmp_path / "out", "02", ABOUT)
    with pytest.raises(ValueError, match="another sweep is writing to"):
        Store(tmp_path / "out", "02", ABOUT)
    first.close()
    Store(tmp_path / "out", "02", ABOUT).close()


# -- what numbers depend on -----------------------------------------------------------------------


def test_pins_that_are_compared_are_the_pins():
    lines = (support.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pinned = {re.split(r"[=>]=", line)[0] for line in lines if "==" in line}
    elsewhere = {
        "nbval",
        "jupyter-book",
        "sphinx-mathjax-offline",
        "pypandoc_binary",
    }  # no run imports them
    assert pinned - elsewhere <= {*_about.NUMBERS, *_about.ENGINE}
    assert all(version != "missing" for version in _about.here().values())


def test_digest_of_the_package_sees_code_and_no_words(tmp_path):
    place = support.checkout(tmp_path)
    ask = [
        sys.executable,
        "-c",
        "from distill_helpers.sweeps import _about as a;print(a.package())",
    ]

    def digest():
        return subprocess.check_output(ask, cwd=place, env=support.environment(place))

    module = place / "distill_helpers" / "losses.py"
    before = digest()
    module.write_text(f"# a word\n{module.read_text(encoding='utf-8')}", encoding="utf-8")
    assert digest() == before
    module.write_text(module.read_text(encoding="utf-8") + "\n_X = 1\n", encoding="utf-8")
    assert digest() != before


def test_digest_of_a_notebook_sees_its_code_alone():
    first = support.notebook()
    second = support.notebook()
    second.cells.insert(0, nbformat.v4.new_markdown_cell("words"))
    second.cells[-1].outputs = [nbformat.v4.new_output("stream", text="1")]
    third = support.notebook(support.BODY + "\n1")
    digests = [_about.code_of(nbformat.writes(nb).encode()) for nb in (first, second, third)]
    assert digests[0] == digests[1] != digests[2]


# -- the page -------------------------------------------------------------------------------------


def rows_of(grid, name, value):
    return [
        {"point": str(i), **p, "result": name(p), "unit": "nats", "value": value(p)}
        | {"low": value(p) - 1, "high": value(p) + 2, "level": 0.95, "n": 3}
        for i, p in enumerate(grid.points)
    ]


def test_page_is_one_file_that_needs_no_network_and_says_what_failed():
    grid = read_grid("04-evidence", ["temperature=1,3", "random_state=0:3"])
    rows = rows_of(grid, lambda p: "<gain>", lambda p: p["temperature"] + p["random_state"])
    points = [
        {"point": "x", **p, "state": "done", "seconds": 2.0, "machine": "m", "error": None}
        for p in grid.points
    ]
    points[1] |= {"state": "failed", "error": "a <b> line", "seconds": None}
    text = _page.page(grid, rows, points, ABOUT)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text.replace("xlink:href", ""))
    assert "5 of 6 points are done, 1 failed" in text and "a &lt;b&gt; line" in text
    assert "&lt;gain&gt;" in text and "<gain>" not in text
    assert 'role="img" aria-label="&lt;gain&gt; (nats) along temperature. 2 at 1, 4 at 3."' in text
    assert text == _page.page(grid, rows, points, ABOUT), "equal sweeps have equal pages"


def page_of(grid, count, value):
    """Return the page of so many results, and its table of those that are drawn small."""
    rows = [
        row
        for number in range(count)
        for row in rows_of(grid, lambda p, n=number: f"result {n}", lambda p, n=number: value(p, n))
    ]
    points = [
        {"point": "x", **p, "state": "done", "seconds": 2.0, "machine": "m", "error": None}
        for p in grid.points
    ]
    text = _page.page(grid, rows, points, ABOUT)
    return text, re.findall(r"<tr><td>(result \d+).*?</tr>", text)


def test_first_results_are_drawn_large_and_the_others_as_rows_of_a_table():
    grid = read_grid("04-evidence", ["temperature=1,3,9", "num_seeds=3,5", "random_state=0:2"])
    text, small = page_of(
        grid, 9, lambda p, n: (n + 1) * p["temperature"] + p["num_seeds"] + p["random_state"]
    )
    assert text.count("<figure>") == 6 and small == ["result 6", "result 7", "result 8"]
    assert "3 more, in the order of the chapter" in text
    row = re.search(r"<tr><td>result 6.*?</tr>", text)[0]
    assert re.findall(r"<td class=n>(.*?)</td>", row) == ["10.5", "68.5"], "of means over seeds"
    assert "<title>result 6 (nats) along temperature. num_seeds 3: 10.5 at 1, 24.5 at 3," in row
    heights = [float(y) for y in re.findall(r'<circle cx="[\d.]+" cy="([\d.]+)"', row)]
    assert len(heights) == 6 and heights[:3] == sorted(heights[:3], reverse=True), "up is more"
    assert all(one > other for one, other in zip(heights[:3], heights[3:], strict=True))
    assert text.count("num_seeds = 5</span>") == 1, "the colours are told"


def test_small_chart_of_seeds_joins_nothing_and_marks_0():
    grid = read_grid("04-evidence", ["temperature=3", "random_state=0:3"])
    text, small = page_of(grid, 8, lambda p, n: p["random_state"] - 1.5 + n / 10)
    assert small == ["result 6", "result 7"]
    row = re.search(r"<tr><td>result 6.*?</tr>", text)[0]
    assert '<path d=""/>' in row and 'class="zero"' in row
    assert len(re.findall(r"<circle", row)) == 3 and len(re.findall(r"M[\d.]+ [\d.]+V", row)) == 3


def test_page_of_many_results_takes_no_time():
    """Three seconds of the processor for 135 results of twelve points, matplotlib's start too."""
    grid = read_grid("04-evidence", ["random_state=0:12"])
    start = time.process_time()
    _, small = page_of(grid, 135, lambda p, n: math.sin(p["random_state"] + n))
    assert time.process_time() - start < 3 and len(small) == 129


def test_bar_is_a_t_interval_over_runs_and_a_runs_own_where_there_is_one():
    from scipy import stats

    values = [1.0, 2.0, 4.0]
    rows = [{"value": v, "low": 0.0, "high": math.inf} for v in values]
    low, high = _page.interval(rows)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert _page.interval(rows[:1]) == (0.0, 1.0)  # an open end is drawn to the mark


def test_result_that_names_its_grid_value_is_one_result():
    grid = read_grid("04-evidence", ["temperature=1,3", "num_seeds=3,5"])
    rows = rows_of(grid, lambda p: f"gain at T = {p['temperature']:g}", lambda p: 1.0)
    rows += rows_of(grid, lambda p: "plain 3", lambda p: 1.0)
    rows += [  # as chapter 03 records it: nothing is missing at T = 1
        row
        for row in rows_of(grid, lambda p: "T^3 missing", lambda p: 1.0)
        if row["temperature"] > 1
    ]
    assert {n: len(m) for n, m in _page.by_result(grid, rows).items()} == {
        "gain at T = {temperature}": 4,
        "plain 3": 4,
        "T^3 missing": 2,
    }


def test_chart_draws_a_result_of_a_folder_as_its_page_does(tmp_path):
    grid = read_grid("09-evidence", ["num_laws=4,8", "random_state=0:3"])
    store = Store(tmp_path / "out", "09-evidence", ABOUT)
    for point in grid.points:
        store.save(point, b"{}", {f"gain of {point['num_laws']}": found()})
    store.tables(grid)
    text = chart(tmp_path / "out", "gain of {num_laws}")
    assert text.startswith("<svg") and ">num_laws<" in text
    with pytest.raises(ValueError, match=r"no result 'gains'; write 'gain of \{num_laws\}'"):
        chart(tmp_path / "out", "gains")


# -- the engine -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine():
    with _engine.Engine({"a/b.txt": b"here"}, workers=2) as made:
        yield made


def test_equal_tasks_are_two_tasks(engine):
    answers = list(engine.run(support.entropy, {str(i): (1,) for i in range(20)}))
    again = list(engine.run(support.entropy, {str(i): (1,) for i in range(20)}))
    assert {a.name for a in answers} == {str(i) for i in range(20)}
    assert len({a.value for a in answers + again}) == 40


def test_workers_have_the_files_and_one_thread(engine):
    answers = list(engine.run(support.luggage, {str(i): ("a/b.txt",) for i in range(8)}))
    assert {a.value for a in answers} == {b"here"}
    assert {a.value for a in engine.run(support.threads, {"x": ()})} == {"1"}


def test_tasks_are_spared_the_setting_of_memory_that_dask_makes_for_workers(engine):
    """Kernels that inherit it took two fifths more of the processor; on any cluster."""
    assert {a.value for a in engine.run(support.trim, {"x": ()})} == {None}
    list(engine.run(support.trim, {str(i): ("65536",) for i in range(8)}))  # as a cluster's nanny
    assert {a.value for a in engine.run(support.trim, {str(i): () for i in range(8)})} == {None}


def test_cluster_of_ones_own_does_not_profile_itself(engine):
    """Its samples and ticks took four hundredths of a processor for one worker."""
    (answer,) = engine.run(support.chores, {"x": ()})
    assert answer.value["tick"] >= 500 and "profile" not in answer.value


def test_more_tasks_than_the_window(engine, monkeypatch):
    monkeypatch.setattr(_engine, "WINDOW", 3)
    answers = list(engine.run(support.pause, {str(i): (0.0,) for i in range(25)}))
    assert len({a.name for a in answers}) == 25


def test_task_that_fails_stops_no_other(engine):
    answers = {a.name: a for a in engine.run(support.broken, {"a": (), "b": ()})}
    assert {a.error for a in answers.values()} == {"two lines"}


@pytest.mark.slow
def test_task_that_kills_its_workers_is_an_error_and_the_rest_comes_back(engine):
    (answer,) = engine.run(support.deadly, {"a": ()})
    assert answer.error.startswith("its worker died every time")
    assert len(list(engine.run(support.entropy, {str(i): (1,) for i in range(4)}))) == 4


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
def test_what_we_start_listens_on_loopback_alone(engine):
    """Sockets of this process and of its children: the scheduler, nannies and workers."""
    import psutil

    list(engine.run(support.entropy, {"x": (1,)}))
    own = {p.pid for p in (psutil.Process(), *psutil.Process().children(recursive=True))}
    told = subprocess.check_output(["ss", "-ltunpH"], encoding="utf-8").splitlines()
    ours = [line for line in told if {int(p) for p in re.findall(r"pid=(\d+)", line)} & own]
    places = {line.split()[4].rpartition(":")[0] for line in ours}
    assert len(ours) >= 5 and places == {"127.0.0.1"}, ours


# -- whole sweeps ---------------------------------------------------------------------------------

GRID = ("--grid", "random_state=11:14", "--grid", "num_laws=4,8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return support.checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def swept(place):
    """A sweep of six points, two of which fail."""
    run = support.distill(place, *GRID, "--out", "out")
    return run, place / "out"


def copied(swept, name):
    out = swept[1].with_name(name)
    shutil.copytree(swept[1], out)
    return out


def times(out):
    return {path.name: path.stat().st_mtime_ns for path in (out / "points").iterdir()}


def test_sweep_leaves_a_table_a_page_and_what_failed(swept):
    run, out = swept
    assert run.returncode == 2
    assert run.stderr == (
        "distill: 4 of 6 points are in out; 2 failed (points.csv says of what; --retry-failed)\n"
    )
    with (out / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(r["random_state"], r["num_laws"]) for r in rows[::3]] == [
        *(("11", "4"), ("11", "8"), ("12", "4"), ("12", "8")),
    ]
    draws = [r["value"] for r in rows if r["result"].startswith("draw")]
    assert len(set(draws)) == 4, "equal but for the seed is not equal"
    assert {r["value"] for r in rows if r["result"] == "threads"} == {"1"}
    assert (out / "points.csv").read_text(encoding="utf-8").count("ValueError: unlucky") == 2
    assert "draw at {num_laws} laws" in (out / "index.html").read_text(encoding="utf-8")
    assert len(list((out / "notebooks").iterdir())) == 4


def test_same_command_runs_only_what_is_missing(swept, place):
    out = copied(swept, "resumed")
    before = times(out)
    lost = sorted(before)[1]
    (out / "points" / lost).write_bytes(b"{")
    run = support.distill(place, *GRID, "--out", out.name)
    assert run.returncode == 2
    after = times(out)
    assert [name for name in before if before[name] != after[name]] == [lost]
    for name in ("results.csv", "results.parquet"):
        assert (out / name).read_bytes() == (swept[1] / name).read_bytes()


def test_failed_points_run_again_when_asked_and_a_grid_may_grow(swept, place):
    out = copied(swept, "retried")
    before = times(out)
    mended = out.parent / "mended"
    mended.touch()
    run = support.distill(
        place, *GRID, "--out", out.name, "--retry-failed", STUB_MENDED=str(mended)
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("6 of 6 points are in retried\nThe page: retried/index.html")
    assert not list((out / "failed").iterdir())
    assert {n: t for n, t in times(out).items() if n in before} == before
    larger = ("--grid", "random_state=11:14", "--grid", "num_laws=4,8,16")
    run = support.distill(place, *larger, "--out", out.name, STUB_MENDED=str(mended))
    assert run.returncode == 0 and run.stdout.startswith("9 of 9 points")
    assert {n: t for n, t in times(out).items() if n in before} == before


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("distill_helpers/sequences.py", "distill_helpers was "),
        ("notebooks/evidence/09-one-token-at-a-time.ipynb", "notebook was "),
        ("studies/a.csv", "tables was "),
        ("claims/a.toml", "tables was "),
    ],
)
def test_changed_package_notebook_or_table_is_noticed(swept, tmp_path, name, what):
    place = support.checkout(tmp_path)
    shutil.copytree(swept[1], place / "out")
    path = place / name
    if path.suffix == ".ipynb":
        nbformat.write(support.notebook(support.BODY + "\nmore = 1"), path)
    else:
        path.write_text(path.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")
    before = times(place / "out")
    run = support.distill(place, *GRID, "--out", "out")
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert what in line and "they are not mixed with new ones: name another --out" in line
    assert times(place / "out") == before


@pytest.mark.slow
def test_package_that_changes_during_a_sweep_stops_it(tmp_path):
    place = support.checkout(tmp_path)
    with subprocess.Popen(
        **support.command(place, "--grid", "random_state=0:8", "--out", "out", STUB_SECONDS="1"),
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as running:
        wait_for(place / "out", 1, running)
        module = place / "distill_helpers" / "sequences.py"
        module.write_text(module.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")
        told = running.communicate(timeout=600)[1]
    assert running.returncode == 2
    assert "is refused: it has another distill_helpers (code" in told
    assert 0 < len(times(place / "out")) < 8
    assert (place / "out" / "results.csv").exists()


def test_examples_of_the_help_work_as_written(place, capsys):
    """Those that need no cluster; with the notebook that takes no time."""
    with pytest.raises(SystemExit):
        cli.main(["sweep", "--help"])
    told = capsys.readouterr().out
    example = next(line for line in told.splitlines() if "distill sweep 09-evidence" in line)
    words = example.split()[3:]
    assert words[-2] == "--out"
    run = support.distill(place, *words)
    assert run.returncode == 0, run.stderr
    assert (place / words[-1] / "index.html").exists()
    for line in re.findall(r"^  distill sweep (04-evidence .*)$", told, re.MULTILINE):
        chapter, *rest = line.rstrip("\\").split()
        assert read_grid(chapter, [rest[i + 1] for i, w in enumerate(rest) if w == "--grid"])


# -- other people's clusters ----------------------------------------------------------------------


def wait_for(out, count, running, timeout=900):
    """Wait until so many points are there."""
    end = time.monotonic() + timeout
    while len(list((out / "points").glob("*.json"))) < count:
        assert running.poll() is None, "it ended too early"
        assert time.monotonic() < end
        time.sleep(0.05)


def started(place, *arguments, **more):
    """Start ``distill sweep`` of the notebook that takes no time."""
    return subprocess.Popen(
        **support.command(place, *arguments, **more), stderr=subprocess.PIPE, encoding="utf-8"
    )


def test_separate_scheduler_gives_the_same_table(swept, place, tmp_path):
    """Its workers have the package, and neither notebooks nor tables."""
    bare = support.checkout(tmp_path)
    shutil.rmtree(bare / "notebooks")
    shutil.rmtree(bare / "studies")
    shutil.rmtree(bare / "claims")
    with support.Cluster(bare) as cluster:
        run = support.distill(place, *GRID, "--out", "elsewhere", "--scheduler", cluster.address)
    assert run.returncode == 2, run.stderr
    for name in ("results.csv", "results.parquet"):
        assert (place / "elsewhere" / name).read_bytes() == (swept[1] / name).read_bytes()


@pytest.mark.slow
def test_worker_with_another_package_or_pin_is_refused(place, tmp_path):
    other = support.checkout(tmp_path / "other")
    module = other / "distill_helpers" / "losses.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")
    pin = support.checkout(tmp_path / "pin")
    (pin / "scipy-1.0.0.dist-info").mkdir()
    (pin / "scipy-1.0.0.dist-info" / "METADATA").write_text("Name: scipy\nVersion: 1.0.0\n")
    old = support.checkout(tmp_path / "old")
    shutil.rmtree(old / "distill_helpers" / "sweeps")
    for where, told in (
        (other, r"it has another distill_helpers \(code [0-9a-f]{16}, here [0-9a-f]{16}\)"),
        (pin, r"it has scipy 1\.0\.0 \(here "),
        (old, r"it has no distill_helpers of this kind \(.*sweeps"),
    ):
        with support.Cluster(place, 1) as cluster:
            cluster.worker(where)
            cluster.wait(2)
            run = support.distill(place, *GRID, "--out", where.name, "--scheduler", cluster.address)
        assert run.returncode == 1, (told, run.stderr)
        (line,) = run.stderr.splitlines()
        assert re.search(rf"^distill: the worker tcp://\S+ is refused: {told}", line)
        assert "install there what is here" in line
        assert not list((place / where.name / "points").iterdir())


@pytest.mark.slow
def test_scheduler_that_is_killed_costs_nothing_that_had_come_back(swept, place):
    whole = ("--grid", "random_state=0:8", "--out", "gone")
    with support.Cluster(place, STUB_SECONDS="0.5") as cluster:
        with subprocess.Popen(
            **support.command(place, *whole, "--scheduler", cluster.address),
            stderr=subprocess.PIPE,
            encoding="utf-8",
        ) as running:
            wait_for(place / "gone", 2, running)
            cluster.scheduler.kill()
            told = running.communicate(timeout=600)[1]
        assert running.returncode == 2
        (line,) = told.splitlines()  # and nothing of Dask's own
        assert f"the scheduler at {cluster.address} is gone; what had come back is kept" in line
    before = times(place / "gone")
    assert 2 <= len(before) < 8
    states = (place / "gone" / "points.csv").read_text(encoding="utf-8")
    assert states.count(",done,") == len(before)
    assert support.distill(place, *whole).returncode == 0
    assert {n: t for n, t in times(place / "gone").items() if n in before} == before
    assert len(times(place / "gone")) == 8


# -- long ones ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sweep_killed_at_random_moments_equals_one_that_was_not(tmp_path):
    """Sixty points; SIGKILL to the command, and once to its workers, at three random moments."""
    import random

    place = support.checkout(tmp_path)
    whole = ("--grid", "random_state=20:50", "--grid", "num_laws=4,8")
    assert support.distill(place, *whole, "--out", "whole").returncode == 0
    draw = random.Random(time.time_ns())
    stops = sorted(draw.sample(range(3, 57), 3))
    print("killed at", stops)
    for index, stop in enumerate(stops):
        with subprocess.Popen(
            **support.command(place, *whole, "--out", "killed"), stderr=subprocess.DEVNULL
        ) as running:
            wait_for(place / "killed", stop, running)
            time.sleep(draw.random())
            if index == 1:  # and all its workers and kernels in the same moment
                for process in support.kernels(place):
                    process.send_signal(signal.SIGKILL)
            running.kill()
        kept = times(place / "killed")
        end = time.monotonic() + 60
        while support.kernels(place):  # what outlives it ends by itself
            assert time.monotonic() < end
            time.sleep(0.5)
        assert times(place / "killed") == kept and stop <= len(kept) < 60
    assert support.distill(place, *whole, "--out", "killed").returncode == 0
    for name in ("results.csv", "results.parquet"):
        assert (place / "killed" / name).read_bytes() == (place / "whole" / name).read_bytes()


@pytest.mark.slow
def test_worker_that_is_killed_costs_time_and_no_results(tmp_path):
    place = support.checkout(tmp_path)
    whole = ("--grid", "random_state=20:32")
    assert support.distill(place, *whole, "--out", "whole").returncode == 0
    with support.Cluster(place, STUB_SECONDS="1") as cluster:
        running = started(place, *whole, "--out", "hurt", "--scheduler", cluster.address)
        for count in (2, 5):
            wait_for(place / "hurt", count, running)
            cluster.workers.pop(0).kill()
            cluster.worker()
        told = running.communicate(timeout=900)[1]
    assert running.returncode == 0, told
    assert (place / "hurt" / "results.csv").read_bytes() == (
        place / "whole" / "results.csv"
    ).read_bytes()


@pytest.mark.slow
def test_worker_of_another_kind_that_comes_later_stops_the_sweep(tmp_path):
    place, other = support.checkout(tmp_path / "a"), support.checkout(tmp_path / "b")
    module = other / "distill_helpers" / "losses.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nmore = 1\n", encoding="utf-8")
    with support.Cluster(place, 1, STUB_SECONDS="1") as cluster:
        grid = ("--grid", "random_state=20:60")
        running = started(place, *grid, "--out", "late", "--scheduler", cluster.address)
        wait_for(place / "late", 1, running)
        cluster.worker(other)
        told = running.communicate(timeout=900)[1]
    assert running.returncode == 2
    assert "is refused: it has another distill_helpers" in told


@pytest.mark.slow
def test_engine_costs_little_and_two_workers_are_nearly_twice_as_fast(tmp_path, capsys):
    """Waiting costs no processor, so that what else the machine does counts less."""
    seconds, count = 1.0, 24
    took = {}
    for workers in (1, 2):
        with _engine.Engine({}, workers=workers) as engine:
            list(engine.run(support.pause, {str(i): (0.0,) for i in range(4)}))
            start = time.monotonic()
            list(engine.run(support.pause, {str(i): (seconds,) for i in range(count)}))
            took[workers] = time.monotonic() - start
    cost = took[1] / count - seconds
    with capsys.disabled():
        print(f"\nengine: {1e3 * cost:.0f} ms a point; two workers {took[1] / took[2]:.2f}x one")
    assert cost <= 0.05 * 15
    assert took[1] / took[2] >= 1.7


def test_engine_is_imported_once_work_begins():
    """So that a wrong grid is told at once."""
    code = "import sys, distill_helpers.sweeps as s; print('distributed' in sys.modules)"
    told = subprocess.check_output(
        [sys.executable, "-c", code], env=support.environment(support.ROOT), encoding="utf-8"
    )
    assert told == "False\n"


# -- the book's page ------------------------------------------------------------------------------

PAGE = (support.ROOT / "book" / "sweeps.md").read_text(encoding="utf-8")


def test_commands_of_the_page_are_commands():
    parser = cli._parser()
    code = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    commands = [
        line.split()
        for block in code
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith(".venv/bin/distill")
    ]
    assert len(commands) >= 3
    for words in commands:
        args = parser.parse_args(words[1:])
        if args.command == "sweep":
            assert read_grid(args.chapter, args.grid).points
        else:
            assert args.command == "study" and args.name in {None, *find_studies()}


def test_figure_of_the_page_has_words():
    figured = re.search(r"\{figure\} (_static/[\w-]+\.svg)\n:alt: (.{80,})\n\n(.{40,})\n```", PAGE)
    path, words, _ = figured.groups()
    figure = (support.ROOT / "book" / path).read_text(encoding="utf-8")
    assert figure.startswith("<svg") or figure.startswith("<?xml")
    assert "temperature" in figure and words

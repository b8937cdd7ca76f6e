"""Studies as points: a script whose loop is fed from outside leaves what the script leaves."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import sweeps_support as support

from distill_helpers import __main__ as cli
from distill_helpers import studies
from distill_helpers.sweeps import Stopped, _study, _worker, find_studies
from distill_helpers.sweeps._script import Script

# Stands for `inherited`: no arguments, one table. Replicate 2 has luck only where it is mended,
# and takes its process along where it is deadly.
STUB = """
import argparse
import os
import random
import time
from pathlib import Path
from types import SimpleNamespace

import torch

from distill_helpers import studies


def main():
    parser = argparse.ArgumentParser(prog="inherited.py")
    parser.add_argument("--replicates", type=int, default=4)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".csv"))
    parser.add_argument("--tables", type=int, default=1)
    args = parser.parse_args()
    command = f"python studies/inherited.py --replicates {args.replicates}"
    for _ in range(args.tables):
        writer = studies.Writer(args.output, command, "set", script=__file__)
    torch.set_num_threads(2)
    print("words that are no answer")
    for index in writer.missing(args.replicates):
        time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
        if index == 2 and os.environ.get("STUB_FAULT") and not os.path.exists("mended"):
            if os.environ["STUB_FAULT"] == "deadly":
                os.kill(os.getpid(), 9)
            raise ValueError("2 is\\\\nunlucky")
        draw = random.Random(index)
        rows = [{"set": index, "arm": arm, "value": draw.gauss(0, 1)} for arm in ("a", "b, c")]
        if os.environ.get("STUB_THREADS"):
            rows[0]["value"] = torch.get_num_threads()
        if index != 99:
            writer.add(rows[:1])
            writer.add(rows[1:])
    writer.finish()
    print(f"wrote {args.output}")


main()
"""


# Stands for `map`, whose script has processes of its own.
PAYING = """
def replicate(index):
    return [{"point": index, "value": index / 7}, {"point": index, "value": float("nan")}]
"""
POOL = """
import argparse
import multiprocessing

from distill_helpers import paying, studies

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", default="map.csv")
    args = parser.parse_args()
    writer = studies.Writer(args.output, "python studies/map.py", "point", [__file__])
    left = list(writer.missing(5))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        for rows in pool.imap_unordered(paying.replicate, left):
            writer.add(rows)
    writer.finish()
"""


def checkout(folder):
    made = support.checkout(folder)
    (made / "distill_helpers" / "paying.py").write_text(PAYING, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout whose studies are the stubs."""
    made = checkout(tmp_path_factory.mktemp("studies") / "checkout")
    (made / "studies" / "map.py").write_text(POOL, encoding="utf-8")
    (made / "studies" / "inherited.py").write_text(STUB.replace("\\\\", "\\"), encoding="utf-8")
    return made


def settings(place, **more):
    return support.environment(place, **cli_bits(), **more)


def cli_bits():
    from distill_helpers import runs

    return runs.stored_bits()


def command(place, *arguments, **more):
    return {
        "args": [sys.executable, "-m", "distill_helpers", "study", *map(str, arguments)],
        "cwd": place,
        "env": settings(place, **more),
    }


def distill(place, *arguments, **more):
    return subprocess.run(
        **command(place, *arguments, **more), capture_output=True, encoding="utf-8", timeout=900
    )


def told(run):
    """Return the lines on the error stream, but for how long a busy machine will take."""
    return [line for line in run.stderr.splitlines() if not line.endswith("min left")]


def by_script(place, out, *arguments, script="inherited.py"):
    """Return the bytes of the table that the script itself writes."""
    subprocess.run(
        [sys.executable, f"studies/{script}", "--output", out, *arguments],
        cwd=place,
        env=settings(place),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return (place / out).read_bytes()


@pytest.fixture(scope="module")
def table(place):
    return by_script(place, "by-script.csv", "--replicates", "12")


# -- one process ----------------------------------------------------------------------------------


def test_script_is_fed_its_replicates_in_any_order(place, tmp_path, monkeypatch):
    monkeypatch.setenv("STUB_THREADS", "yes")
    out = tmp_path / "out.csv"
    script = Script(place / "studies" / "inherited.py", ["--output", str(out)])
    assert {name: script.facts[name] for name in ("path", "command", "replicate", "count")} == {
        "path": str(out),
        "command": "python studies/inherited.py --replicates 4",
        "replicate": "set",
        "count": 4,
    }
    assert script.facts["script"] == [str(place / "studies" / "inherited.py")]
    for index in (3, 0):
        rows = script.replicate(index)
        assert [(row["set"], row["arm"]) for row in rows] == [(index, "a"), (index, "b, c")]
        assert rows[0]["value"] == 1, "one thread, whatever the script asks for"
    script.close()
    assert script._process.returncode == 0
    assert not list(tmp_path.iterdir()), "only who asks writes"


def test_script_ends_at_once_where_nobody_waits_for_its_replicate(place, monkeypatch):
    monkeypatch.setenv("STUB_SECONDS", "600")
    script = Script(place / "studies" / "inherited.py", [])
    script._process.stdin.write(b"1\n")
    script._process.stdin.flush()
    time.sleep(0.5)
    start = time.monotonic()
    script.close()
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("fault", "index", "told"),
    [
        ("loud", 2, "^ValueError: 2 is unlucky$"),
        ("deadly", 2, r"process ended with -9 \(out of memory, or killed\)"),
        ("", 99, "^ValueError: replicate 99 has no rows$"),
    ],
)
def test_replicate_that_fails_says_so_in_one_line(place, monkeypatch, fault, index, told):
    monkeypatch.setenv("STUB_FAULT", fault)
    script = Script(place / "studies" / "inherited.py", [])
    with pytest.raises(RuntimeError, match=told):
        script.replicate(index)
    with pytest.raises((RuntimeError, ValueError)):
        script.replicate(0)
    script.close()


def test_what_a_task_left_open_is_closed_with_its_files_and_no_others(tmp_path):
    closed = []
    plugins = [_worker.Luggage(name, {}, own=False) for name in ("one", "two")]
    for plugin in plugins:
        plugin.setup(SimpleNamespace(local_directory=tmp_path))
        _worker.at_end(tmp_path / plugin.name, lambda name=plugin.name: closed.append(name))
    plugins[1].teardown(None)
    assert closed == ["two"]
    plugins[0].teardown(None)
    assert closed == ["two", "one"]


def test_worker_of_another_kind_of_machine_is_refused():
    ours = {"cpu": "GenuineIntel", "torch": "2"}
    _study._check_machine(dict(ours), ours, "tcp://w:1")
    with pytest.raises(Stopped, match=r"w:1 is refused: it has cpu Authentic \(here Genuine"):
        _study._check_machine(ours | {"cpu": "Authentic"}, ours, "tcp://w:1")


# -- which studies there are ----------------------------------------------------------------------


def test_studies_are_called_as_their_tables_are():
    tables = {path.stem for path in (support.ROOT / "studies").glob("*.csv")}
    left_out = {"deployment-costs", "deployment-members", "report", "report-data", "map-data"}
    left_out |= {"map-intel", "views-intel"}  # the same studies on another vendor's processors
    names = set(find_studies(support.ROOT / "studies"))
    assert tables - left_out <= names
    assert not names & left_out


@pytest.mark.parametrize("name", ["deciding-digits-287", "ladder-runs", "skew"])
def test_script_puts_its_table_under_that_name(name):
    script, arguments = find_studies(support.ROOT / "studies")[name]
    asked = Script(script, arguments.split())
    asked.close()
    assert asked.facts["path"] == str(support.ROOT / "studies" / f"{name}.csv")
    stored = studies.read(asked.facts["path"])
    assert asked.facts["command"] == stored.about["command"]
    assert {row[asked.facts["replicate"]] for row in stored.rows} == set(
        range(asked.facts["count"])
    )


def test_without_a_name_the_studies_are_shown(capsys):
    assert cli.main(["study"]) == 0
    told = capsys.readouterr().out
    for name in find_studies():
        assert re.search(rf"^{name} +python studies/\w+\.py", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["heritage"], "the study is 'heritage'; it must be one of inherited, map"),
        (["inherited", "--workers", "0"], "workers is 0; it must be 1 or more"),
        (["inherited", "--out", "nowhere/table.csv"], "nowhere is no folder; make it, or name"),
        (["inherited", "--", "--replicats", "2"], "unrecognized arguments: --replicats 2"),
        (["inherited", "--", "--tables", "2"], "it writes more than one table; run the script"),
        (["inherited", "--studies", "."], "it must be one of none"),
        (["--studies", "."], "no scripts of the book's studies in .; name their folder: distill"),
        (["inherited", "--scheduler", "127.0.0.1"], "no scheduler answers at '127.0.0.1'"),
    ],
)
def test_bad_command_is_one_line_before_anything_runs(place, arguments, told):
    run = distill(place, *arguments)
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    assert line.startswith("distill: ") and told in line
    assert not list(place.glob("studies/*.part"))


# -- whole studies --------------------------------------------------------------------------------


def test_examples_of_the_help_work_as_written(tmp_path, capsys):
    """The table is the script's own, byte for byte; those of hours are only looked up."""
    with pytest.raises(SystemExit):
        cli.main(["study", "--help"])
    told = capsys.readouterr().out
    found = [shlex.split(line)[2:] for line in re.findall(r"^  (distill .*)$", told, re.MULTILINE)]
    quick = [words for words in found if "--" in words]
    assert len(quick) == 1 and len(found) == 4
    (words,) = quick
    name, out, options = words[0], words[2], words[4:]
    assert words == [name, "--out", out, "--", *options]
    run = subprocess.run(
        [sys.executable, "-m", "distill_helpers", "study", *words],
        cwd=tmp_path,
        env=settings(support.ROOT),
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"4 of 4 replicates are in {tmp_path / out}\n"
    script, _ = find_studies()[name]
    itself = tmp_path / "itself.csv"
    by_script(support.ROOT, str(itself), *options, script=script.name)
    assert (tmp_path / out).read_bytes() == itself.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {out, itself.name}
    for words in found:
        if words and words not in quick:
            assert words[0] in find_studies()
            cli._parser().parse_args(["study", *words])


def test_script_with_processes_of_its_own(place, tmp_path):
    """And rows of another command are not gone on with, which is told."""
    out = tmp_path / "out.csv"
    (tmp_path / "out.csv.part").write_text("# command: another\npoint,value\n0,1\n")
    run = distill(place, "map", "--out", out, "--workers", "1")
    assert run.returncode == 0, run.stderr
    (line,) = told(run)
    assert line.startswith(f"distill: {out}.part was made with another command and another")
    assert out.read_bytes() == by_script(place, "map-itself.csv", script="map.py")


def test_failed_replicate_is_told_and_tried_again(place, tmp_path):
    out = tmp_path / "out.csv"
    arguments = ("inherited", "--out", out, "--", "--replicates", "12")
    run = distill(place, *arguments, STUB_FAULT="loud")
    assert run.returncode == 2
    assert told(run) == [
        "distill: replicate 2 failed: ValueError: 2 is unlucky",
        f"distill: 11 of 12 replicates are in {out}.part; 1 failed ({out}.failed says of what; "
        "the same command tries them again)",
    ]
    assert not out.exists()
    failed = out.with_name("out.csv.failed")
    assert failed.read_text(encoding="utf-8") == "replicate 2: ValueError: 2 is unlucky\n"
    kept = studies.read(f"{out}.part")
    assert {row["set"] for row in kept.rows} == set(range(12)) - {2}
    assert distill(place, *arguments).returncode == 0
    assert out.read_bytes() == by_script(place, "itself.csv", "--replicates", "12")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def wait_for(part, count, running):
    end = time.monotonic() + 600
    while not part.exists() or len({r["set"] for r in studies.read(part).rows}) < count:
        assert running.poll() is None, "it ended too early"
        assert time.monotonic() < end
        time.sleep(0.05)


def test_killed_study_goes_on_to_the_same_table(place, table, tmp_path):
    """SIGKILL to a script, then to the processes of replicates and workers, then to all."""
    out = tmp_path / "out.csv"
    part = out.with_name("out.csv.part")
    options = ("--replicates", "12")
    script = [sys.executable, "studies/inherited.py", "--output", str(out), *options]
    slow = settings(place, STUB_SECONDS="0.5")
    with subprocess.Popen(script, cwd=place, env=slow, stdout=subprocess.DEVNULL) as running:
        wait_for(part, 1, running)
        running.kill()
    whole = command(place, "inherited", "--out", out, "--", *options, STUB_SECONDS="0.5")
    with subprocess.Popen(**whole, stderr=subprocess.DEVNULL) as running:
        wait_for(part, 3, running)
        own = running.pid
        for process in support.kernels(place):
            if process.pid != own and "spawn_main" in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)
                break
        wait_for(part, 6, running)
        running.kill()
    kept = part.read_bytes()
    end = time.monotonic() + 60
    while support.kernels(place):  # what outlives it ends by itself
        assert time.monotonic() < end
        time.sleep(0.5)
    assert part.read_bytes() == kept
    with subprocess.Popen(**whole, stderr=subprocess.DEVNULL) as running:
        wait_for(part, 9, running)
        for process in support.kernels(place):
            process.send_signal(signal.SIGKILL)
    assert 9 <= len({row["set"] for row in studies.read(part).rows}) < 12
    assert distill(place, "inherited", "--out", out, "--", *options).returncode == 0
    assert out.read_bytes() == table
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_separate_scheduler_gives_the_same_table_and_keeps_no_process(place, table, tmp_path):
    out = tmp_path / "out.csv"
    """Its workers have the package, and no scripts."""
    bare = checkout(tmp_path / "bare")
    (bare / "studies" / "a.csv").unlink()
    with support.Cluster(bare) as cluster:
        before = len(support.kernels(bare))
        run = distill(
            place,
            *("inherited", "--out", out, "--scheduler", cluster.address),
            *("--", "--replicates", "12"),
        )
        assert run.returncode == 0, run.stderr
        end = time.monotonic() + 60
        while len(support.kernels(bare)) > before:
            assert time.monotonic() < end
            time.sleep(0.5)
    assert out.read_bytes() == table

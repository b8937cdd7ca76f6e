"""A small checkout for tests of sweeps: the package, and one notebook that takes no time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
CHAPTER = "09-evidence"  # whose two parameters the stub has

PARAMETERS = "random_state: int = 9\nnum_laws: int = 200"
CHECK = 'from distill_helpers.parameters import check\n\ncheck("09-evidence", globals())'
BODY = """
import os, random, time
from IPython.display import display

time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
if random_state == 13 and not os.path.exists(os.environ.get("STUB_MENDED", "")):
    raise ValueError("13 is\\nunlucky")
if random_state == 17:
    os.kill(os.getpid(), 9)
source = random.Random(1000 * random_state + num_laws)
value = round(source.gauss(num_laws, 1), 6)
results = [
    {"name": "threads", "value": int(os.environ["OMP_NUM_THREADS"]), "low": None, "high": None,
     "level": None, "n": None, "unit": ""},
    {"name": f"draw at {num_laws} laws", "value": value, "low": value - 1, "high": None,
     "level": 0.95, "n": num_laws, "unit": "nats"},
    {"name": "other seed, other number", "value": round(source.random(), 6), "low": None,
     "high": None, "level": None, "n": None, "unit": ""},
]
display({"application/vnd.distill.results+json": {"schema": 1, "chapter": "09",
    "results": results, "verdicts": []}, "text/plain": ""}, raw=True)
"""


def notebook(body: str = BODY):
    """Return the stub, with another last cell where one is given."""
    cells = [
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(CHECK),
        new_code_cell(body),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def checkout(folder: Path) -> Path:
    """Make a checkout with the package and the stub; return it."""
    shutil.copytree(ROOT / "distill_helpers", folder / "distill_helpers")
    place = folder / "notebooks" / "evidence"
    place.mkdir(parents=True)
    (folder / "studies").mkdir()
    (folder / "studies" / "a.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "claims").mkdir()
    (folder / "claims" / "a.toml").write_text("a = 1\n", encoding="utf-8")
    nbformat.write(notebook(), place / "09-one-token-at-a-time.ipynb")
    return folder


def environment(place: Path, **more: str) -> dict[str, str]:
    """Return what a process needs to take the package from that checkout."""
    return os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"} | more


def command(place: Path, *arguments: object, **more: str) -> dict[str, object]:
    """Return what subprocess needs to run ``distill sweep`` of the stub there."""
    return {
        "args": [
            *(sys.executable, "-m", "distill_helpers", "sweep", CHAPTER),
            *map(str, arguments),
        ],
        "cwd": place,
        "env": environment(place, **more),
    }


def distill(place: Path, *arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``distill sweep`` of the stub to its end."""
    return subprocess.run(
        **command(place, *arguments, **more),  # type: ignore[call-overload]
        capture_output=True,
        encoding="utf-8",
        timeout=3_000,
    )


def entropy(folder: Path, same: int) -> bytes:
    """Return what no two calls return (a task of the engine)."""
    return os.urandom(8)


def pause(folder: Path, seconds: float) -> float:
    """Wait (a task of the engine)."""
    time.sleep(seconds)
    return seconds


def luggage(folder: Path, name: str) -> bytes:
    """Return what the engine brought (a task of the engine)."""
    return (folder / name).read_bytes()


def threads(folder: Path) -> str:
    """Return what a worker's kernels inherit (a task of the engine)."""
    return os.environ["OMP_NUM_THREADS"]


def trim(folder: Path, value: str | None = None) -> str | None:
    """Return a worker's setting of memory; leave another one where it is given (a task)."""
    found = os.environ.get("MALLOC_TRIM_THRESHOLD_")
    if value is not None:
        os.environ["MALLOC_TRIM_THRESHOLD_"] = value
    return found


def chores(folder: Path) -> dict[str, float]:
    """Return what a worker does again and again, and every how many ms (a task of the engine)."""
    from distributed import get_worker

    return {name: c.callback_time for name, c in get_worker().periodic_callbacks.items()}


def broken(folder: Path) -> None:
    """Fail (a task of the engine)."""
    raise ValueError("two\nlines")


def deadly(folder: Path) -> None:
    """Take the worker along (a task of the engine)."""
    os.kill(os.getpid(), 9)


class Cluster:
    """A scheduler and workers that were started on their own, from that checkout."""

    def __init__(self, place: Path, workers: int = 2, **more: str) -> None:
        self.place, self.processes, self.more = place, [], more
        self.workers: list[subprocess.Popen[bytes]] = []
        file = place / f"scheduler-{time.monotonic_ns()}.json"
        self.scheduler = self.start(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(file), "--dashboard-address", "127.0.0.1:0",
        )  # fmt: skip
        end = time.monotonic() + 180
        while not file.exists() or not file.read_bytes().endswith(b"}"):
            assert time.monotonic() < end
            time.sleep(0.1)
        self.address = json.loads(file.read_bytes())["address"]
        for _ in range(workers):
            self.worker()
        self.wait(workers)

    def worker(self, place: Path | None = None) -> subprocess.Popen[bytes]:
        made = self.start(
            "dask_worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny",
            "--no-dashboard", "--dashboard-address", "127.0.0.1:0", place=place,
        )  # fmt: skip
        self.workers.append(made)
        return made

    def wait(self, workers: int) -> None:
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=180)

    def start(self, module: str, *arguments: str, place: Path | None = None):
        made = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *arguments],
            cwd=place or self.place,
            env=environment(place or self.place, **self.more),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(made)
        return made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


def kernels(place: Path) -> list[Any]:
    """List the processes that run from that checkout."""
    import psutil

    own: list[Any] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PYTHONPATH", "").split(os.pathsep)[0] == str(place):
                own.append(process)
        except psutil.Error:
            pass
    return own

"""The engine: tasks on this machine's processors or on any Dask cluster.

It knows nothing of chapters. A task is a function and its arguments under a name of its own, so
that two tasks with equal arguments are two tasks (Dask would merge them); what it returns comes
back with that name, in the order in which tasks end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from distill_helpers import _machine
from distill_helpers.sweeps import _about

WINDOW = 1_000  # tasks that the scheduler knows of at once
# What a task's environment takes from here. The last is Dask's, for its workers' own memory: a
# kernel that inherits it gives back what it allocates again at once.
SETTINGS = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "MALLOC_TRIM_THRESHOLD_")
# A cluster of one's own does not watch itself: 100 samples of its threads a second and 50 ticks,
# in every process. And it sets nothing in this one's environment.
_QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}


class Stopped(RuntimeError):
    """The engine stopped before its tasks were done; what came back before is not lost."""


@dataclass(frozen=True)
class Answer:
    """What became of one task: `value`, or one line of `error`."""

    name: str
    value: Any
    error: str
    worker: str


class Engine:
    """Workers that hold this machine's package, pins and files.

    Parameters
    ----------
    files : dict of str to bytes
        What every task finds below its folder.
    workers : int, optional
        Processes of a cluster on this machine, which listens on 127.0.0.1 alone; as many as there
        are processors where it is None.
    scheduler : str, optional
        Address of a cluster that is there already, such as ``tcp://10.0.0.1:8786``.
    say : callable, optional
        Takes a line for the reader while there is nothing to do but wait.

    Raises
    ------
    ValueError
        In one line, before any task is sent: nothing answers at the address, or a worker has
        another package or pin.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        *,
        workers: int | None = None,
        scheduler: str | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        from distributed import Client

        from distill_helpers.sweeps import _worker

        self._stack = contextlib.ExitStack()
        self._say, self.expected = say, _about.here()
        self.luggage = f"distill-{uuid.uuid4().hex[:12]}"
        self.address = scheduler or "this machine"
        # its messages are for those who run the cluster; what the reader needs, this module says
        for name in ("distributed", "distributed.client"):  # the second has a level of its own
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            if scheduler is None:
                cluster = self._stack.enter_context(_local(workers or processors()))
                self.client = self._stack.enter_context(Client(cluster, set_as_default=False))
            else:
                self.client = self._stack.enter_context(_client(scheduler))
            self._wait_for_workers()
            self._check_workers()
            luggage = _worker.Luggage(self.luggage, files, own=scheduler is None)
            self.client.register_plugin(luggage, name=self.luggage)
            self._stack.callback(self._unload)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Engine:
        """Be closed at the end of a with statement."""
        return self

    def __exit__(self, *raised: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of the cluster; end it where it is this machine's own."""
        with contextlib.suppress(Exception):  # of a scheduler that is gone
            self._stack.close()

    def run(
        self, function: Callable[..., Any], tasks: Mapping[str, tuple[Any, ...]]
    ) -> Iterator[Answer]:
        """Call ``function(folder, *arguments)`` for every task and yield what comes back.

        Parameters
        ----------
        function : callable
            Importable by its name on every worker. The folder holds the engine's files.
        tasks : mapping of str to tuple
            Arguments by the task's name.

        Yields
        ------
        Answer
            As tasks end, in any order. A worker that dies costs the time of its task alone: the
            scheduler gives it to another.

        Raises
        ------
        Stopped
            In one line: the scheduler is gone, or a worker has another package or pin.
        """
        from distributed import as_completed

        session = uuid.uuid4().hex[:8]  # no task of an earlier sweep is taken for one of this
        settings = {"OMP_NUM_THREADS": "1", "DISTILL_PROGRESS": "off"} | {
            name: os.environ.get(name) for name in SETTINGS
        }
        waiting = iter(tasks.items())
        names: dict[str, str] = {}
        ended = as_completed([], with_results=True, raise_errors=False, loop=self.client.loop)

        def send() -> None:
            from distill_helpers.sweeps import _worker

            for name, arguments in waiting:
                key = f"distill-{session}-{name}"
                names[key] = name
                ended.add(
                    self.client.submit(
                        _worker.task,
                        *(function, arguments, self.expected, settings, self.luggage),
                        key=key,
                        pure=False,
                    )
                )
                if len(names) >= WINDOW:
                    return

        send()
        alone = time.monotonic()
        while names:
            if not ended.has_ready():
                if self.client.status != "running":
                    raise self._gone()
                if time.monotonic() - alone > 10:
                    alone = time.monotonic()
                    if not self.client.scheduler_info(n_workers=0)["n_workers"]:
                        self._say(f"{self.address} has no workers; waiting for one")
                time.sleep(0.05)
                continue
            future, value = next(ended)
            name = names.pop(future.key)
            if future.status == "finished":
                if "refused" in value:
                    raise Stopped(_refused(value["worker"], value["refused"]))
                yield Answer(name, value.get("value"), value.get("error", ""), value["worker"])
            elif future.status == "error":
                yield Answer(name, None, _died(value[1]), "")
            else:  # cancelled or lost: the scheduler knows it no more
                raise self._gone()
            future.release()
            send()

    def _wait_for_workers(self) -> None:
        told = time.monotonic() - 8
        while not self.client.scheduler_info(n_workers=0)["n_workers"]:
            if self.client.status != "running":
                raise self._gone()
            if time.monotonic() - told > 10:
                told = time.monotonic()
                self._say(f"{self.address} has no workers; waiting for one")
            time.sleep(0.1)

    def _check_workers(self) -> None:
        """Refuse a worker with another package or pin; Dask alone lets it pass."""
        found = self.client.run(_about.here, on_error="return")
        for worker, theirs in found.items():
            if isinstance(theirs, BaseException):
                theirs_is = f"no distill_helpers of this kind ({_line(theirs)})"
                raise ValueError(_refused(worker, theirs_is))
            differs = _about.differences(theirs, self.expected)
            if differs:
                raise ValueError(_refused(worker, differs))

    def _gone(self) -> Stopped:
        return Stopped(
            f"the scheduler at {self.address} is gone; what had come back is kept: start it again "
            "and run the same command"
        )

    def _unload(self) -> None:
        with contextlib.suppress(Exception):
            if self.client.status == "running":
                self.client.unregister_worker_plugin(self.luggage)


def _refused(worker: str, differs: str) -> str:
    return (
        f"the worker {worker} is refused: it has {differs}; install there what is here (the same "
        "commit, with -c constraints.txt), or stop that worker, and run the same command"
    )


def processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _local(workers: int) -> Any:
    """Start a cluster that nobody else can reach."""
    import dask
    from distributed import LocalCluster

    with dask.config.set(_QUIET):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # without an address it would ask for port 8787, and warn where another has it
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
            memory_limit=0,  # a kernel's memory is none of the worker's
            silence_logs=logging.CRITICAL,
            env={"OMP_NUM_THREADS": "1"},
        )


def _client(address: str) -> Any:
    from distributed import Client
    from distributed.comm import get_address_host_port

    try:
        get_address_host_port(address)  # a client of no port would hang at the end, and complain
        return Client(address, timeout=10, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ValueError(
            f"no scheduler answers at {address!r} ({_line(error)}); start one with `dask "
            "scheduler`, and give the address that it prints, such as tcp://10.0.0.1:8786"
        ) from None


def _died(error: BaseException) -> str:
    """Say what the engine itself made of a task that never returned."""
    if type(error).__name__ == "KilledWorker":
        return "its worker died every time that it was tried (out of memory, or killed)"
    return f"{type(error).__name__}: {_line(error)}"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def fingerprint() -> str:
    """Say on what kind of machine this runs, in one line."""
    found = _machine.fingerprint()
    return f"{found['platform']}, {found['cpu']}"

"""A study's script in a process of its own, its loop fed from outside.

A script runs ``for index in writer.missing(count): writer.add(...)``. Here the replicates come
through a pipe and their rows go back through another, so the script, its digest and what it
records stay as they are. Of a script with processes of its own, the function that they call is
called instead. This file is both ends: the class, and what the process runs.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO


class Script:
    """A running script, which waits at its loop.

    Parameters
    ----------
    script : Path
        Of the study.
    arguments : sequence of str
        Its command line.
    function : str, optional
        What runs one replicate, such as ``"distill_helpers.paying.replicate"``; the script's own
        loop where it is empty.

    Attributes
    ----------
    facts : dict
        ``path``, ``command``, ``replicate`` and ``script``, as the script gives them to
        `studies.Writer`, the ``count`` of its replicates, and the ``machine`` that it is on.

    Raises
    ------
    RuntimeError
        In one line: the script refuses its arguments, or has no such loop.
    """

    def __init__(self, script: Path, arguments: Sequence[str], function: str = "") -> None:
        paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, __file__, function, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            start_new_session=True,  # Ctrl-C is for the command alone
        )
        self.facts: dict[str, Any] = self._hear()

    def replicate(self, index: int) -> list[dict[str, Any]]:
        """Run one replicate; return its rows.

        Raises
        ------
        RuntimeError
            In one line: what was raised, or that the process is dead. The script has ended.
        """
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it is heard of below
            self._process.stdin.write(f"{index}\n".encode())
            self._process.stdin.flush()
        rows: list[dict[str, Any]] = self._hear()
        return rows

    def close(self) -> None:
        """End the script: at once where it runs a replicate."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def _hear(self) -> Any:
        assert self._process.stdout
        try:
            error, value = pickle.load(self._process.stdout)
        except (EOFError, pickle.UnpicklingError):
            self.close()
            code = self._process.returncode
            why = "out of memory, or killed" if code < 0 else "its loop was never reached"
            raise RuntimeError(f"the script's process ended with {code} ({why})") from None
        if error:
            self.close()
            raise RuntimeError(error)
        return value


class _Fed:
    """What the script takes for its `studies.Writer`."""

    made = 0
    function: Callable[[int], Sequence[dict[str, Any]]] | None = None

    def __init__(
        self,
        path: str | Path,
        command: str,
        replicate: str,
        script: str | Path | Sequence[str | Path] = (),
    ) -> None:
        _Fed.made += 1
        if _Fed.made > 1:
            raise ValueError("it writes more than one table; run the script itself")
        code = [script] if isinstance(script, str | Path) else script
        self.about = {
            "path": os.path.abspath(path),
            "command": command,
            "replicate": replicate,
            "script": [str(one) for one in code],
        }

    def missing(self, count: int) -> Iterator[int]:
        """Yield replicates as they are asked for; each gives rows before the next comes."""
        import torch

        from distill_helpers import _machine

        torch.set_num_threads(1)
        _tell(value=self.about | {"count": count, "machine": _machine.fingerprint()})
        while (index := _asked.get()) is not None:
            self.rows: list[dict[str, Any]] = []
            if _Fed.function:
                self.add(_Fed.function(index))
            else:
                yield index
            _asked.task_done()
            if self.rows:
                _tell(value=self.rows)
            else:
                raise ValueError(f"replicate {index} has no rows")
        if _Fed.function:
            raise SystemExit  # before the script's own processes start

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Keep the rows of the replicate until it is over."""
        self.rows.extend(rows)

    def finish(self) -> None:
        """Do nothing: the table is written where the rows go."""


_asked: queue.Queue[int | None] = queue.Queue()
_pipe: BinaryIO


def _tell(error: str = "", value: Any = None) -> None:
    pickle.dump((error, value), _pipe)
    _pipe.flush()


def _listen(source: BinaryIO) -> None:
    """Pass on what is asked. Nobody is left to ask at the end: a replicate ends there too."""
    for line in source:
        _asked.put(int(line))
    if _asked.unfinished_tasks:
        os._exit(1)
    _asked.put(None)


def _main() -> None:
    import argparse

    from distill_helpers import studies

    def refuse(parser: argparse.ArgumentParser, message: str) -> None:
        raise ValueError(message)

    global _pipe
    _pipe = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)  # what a script prints is no answer
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    threading.Thread(target=_listen, args=(source,), daemon=True).start()
    studies.Writer = _Fed  # type: ignore[misc, assignment]
    argparse.ArgumentParser.error = refuse  # type: ignore[assignment, method-assign]
    function, *sys.argv = sys.argv[1:]
    if function:
        module, _, name = function.rpartition(".")
        _Fed.function = staticmethod(getattr(importlib.import_module(module), name))
    sys.path[0] = str(Path(sys.argv[0]).parent)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except Exception as error:  # whatever it is, it is for who asked
        _tell(error=f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    _main()

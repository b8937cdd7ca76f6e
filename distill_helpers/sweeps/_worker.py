"""What runs inside a worker. Imported there, and by the engine once it starts.

Nothing here writes but to the worker's own scratch folder: what a task made goes back as a value.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from distributed import WorkerPlugin, get_worker

from distill_helpers.sweeps import _about

Settings = Mapping[str, str | None]


class Luggage(WorkerPlugin):
    """Files that every worker needs, those that join later too; gone when the sweep is.

    Parameters
    ----------
    name : str
        Of this sweep's luggage.
    files : dict of str to bytes
        By path below the folder.
    own : bool
        Whether the worker is a process of the sweep's own, which ends it: Ctrl-C is not for it.
    """

    def __init__(self, name: str, files: dict[str, bytes], own: bool) -> None:
        self.name, self.files, self.own, self.folder = name, files, own, ""

    def setup(self, worker: Any) -> None:
        """Unpack."""
        if self.own and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        folder = Path(worker.local_directory) / self.name
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.folder, self.files = str(folder), {}

    def teardown(self, worker: Any) -> None:
        """Leave nothing behind."""
        for close in _closing.pop(self.folder, []):
            close()
        shutil.rmtree(self.folder, ignore_errors=True)


_closing: dict[str, list[Callable[[], object]]] = {}


def at_end(folder: Path, close: Callable[[], object]) -> None:
    """Have something that a task left open closed when the folder's luggage goes."""
    _closing.setdefault(str(folder), []).append(close)


def task(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    expected: dict[str, str],
    settings: Settings,
    luggage: str,
) -> dict[str, Any]:
    """Call ``function(folder, *arguments)`` and say how it went.

    Returns
    -------
    dict
        ``worker``, and one of ``value``, ``error`` (one line) and ``refused`` (what differs here
        from the machine that the sweep was started on, before or after the call).
    """
    worker = get_worker()
    told: dict[str, Any] = {"worker": worker.address}
    differs = _about.differences(_about.here(), expected)
    plugin: Any = worker.plugins.get(luggage)
    if differs or plugin is None:
        return told | {"refused": differs or "not the sweep's files"}
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    try:
        told["value"] = function(Path(plugin.folder), *arguments)
    except Exception as error:  # whatever it is, it is this point's alone
        told["error"] = " ".join(str(error).split()) or type(error).__name__
    differs = _about.differences(_about.here(), expected)
    return {"worker": worker.address, "refused": differs} if differs else told

"""Keep trained weights on disk, under a key made of everything that they depend on.

The folder can be deleted at any time: what is missing is computed again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import platformdirs
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from distill_helpers import _machine


def folder() -> Path | None:
    """Return where the cache lies: ``DISTILL_CACHE``, else the user's cache; None where off.

    ``DISTILL_CACHE=off`` turns it off.
    """
    chosen = os.environ.get("DISTILL_CACHE", "")
    if chosen == "off":
        return None
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("distill_helpers"))


def load_or_compute(
    name: str, arguments: Mapping[str, Any], compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the tensors that `compute` makes, from disk where they were made before.

    Parameters
    ----------
    name : str
        What they are, such as ``"teachers"``; begins the file's name.
    arguments : mapping
        What they depend on beside the package, the pins and the machine: JSON values, or tensors,
        which count by content.
    compute : callable
        Makes them, where they are not there.

    Returns
    -------
    dict of str to Tensor

    Warns
    -----
    RuntimeWarning
        If the disk cannot be read or written; the result is returned all the same.

    Examples
    --------
    >>> os.environ["DISTILL_CACHE"] = "off"
    >>> load_or_compute("demo", {"seed": 0}, lambda: {"weights": torch.zeros(2)})
    {'weights': tensor([0., 0.])}
    """
    place = folder()
    if place is None:
        return compute()
    path = place / f"{name}-{_key(name, arguments)}.safetensors"
    try:
        if path.exists():
            return load_file(path)
    except Exception as error:  # a truncated file: safetensors has no error class of its own
        warnings.warn(
            f"{path} cannot be read ({_one_line(error)}); it is made anew",
            RuntimeWarning,
            stacklevel=2,
        )
    made = {key: value.contiguous() for key, value in compute().items()}
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=place, suffix=".part")
        os.close(handle)
        try:
            save_file(made, draft)
            os.replace(draft, path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except Exception as error:  # OSError, or safetensors' own for a full disk
        warnings.warn(
            f"{path} cannot be written ({_one_line(error)}); the result is kept in memory alone. "
            "Free space there, or set DISTILL_CACHE to another folder or to off",
            RuntimeWarning,
            stacklevel=2,
        )
    return made


@functools.cache
def sources_digest() -> str:
    """Digest of the package's own sources: another version of them is another key.

    Read once, when first asked for. Else a long run whose sources are edited meanwhile would store
    what the old code made under the new code's key.
    """
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(
            path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0"
        )
    return digest.hexdigest()[:16]


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    described = {
        "name": name,
        "arguments": {key: _describe(value) for key, value in arguments.items()},
        "sources": sources_digest(),
        "machine": _machine.fingerprint(),
        "threads": torch.get_num_threads(),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:24]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _describe(value: Any) -> Any:
    if isinstance(value, Tensor):
        content = value.detach().contiguous().cpu().numpy().tobytes()
        return [str(value.dtype), list(value.shape), hashlib.sha256(content).hexdigest()]
    return value

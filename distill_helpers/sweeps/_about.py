"""What a number depends on: digests of the package and the notebook, and versions."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

from distill_helpers import _machine

# Two machines whose releases of these differ do not give the same numbers, or cannot talk.
NUMBERS = (
    *("torch", "numpy", "scipy", "scikit-learn", "joblib", "safetensors", "onnx", "onnxruntime"),
    *("matplotlib", "altair", "vl-convert-python", "papermill", "nbclient", "nbformat"),
    *("ipykernel", "ipython"),
)
ENGINE = ("dask", "distributed", "cloudpickle", "msgpack")
_PACKAGE = Path(__file__).resolve().parent.parent


def here() -> dict[str, str]:
    """Describe this process's package, Python and pins, as they are on the disk now."""
    versions = {name: _version(name) for name in (*NUMBERS, *ENGINE)}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"distill_helpers": package(), "python": python} | versions


def numbers(about: dict[str, str]) -> dict[str, str]:
    """Leave out of `here` what moves no number: the engine's own releases."""
    return {name: value for name, value in about.items() if name not in ENGINE}


def package() -> str:
    """Digest of the package's code; words about the code do not count."""
    files = sorted(_PACKAGE.rglob("*.py"))
    stamps = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return _package(stamps)


@functools.lru_cache(maxsize=2)
def _package(stamps: tuple[tuple[Path, int, int], ...]) -> str:
    # 0.7 s, so once for each state of the files
    return _machine.digest([path for path, *_ in stamps])


def code_of(notebook: bytes) -> str:
    """Digest of a notebook's code; its words and outputs do not count."""
    cells = json.loads(notebook)["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def contents(files: dict[str, bytes]) -> str:
    """Digest of files by name."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def differences(theirs: dict[str, str], ours: dict[str, str]) -> str:
    """Say what differs between two machines, shortly; empty where nothing does."""
    told = [
        f"another distill_helpers (code {theirs.get(name)}, here {value})"
        if name == "distill_helpers"
        else f"{name} {theirs.get(name, 'missing')} (here {value})"
        for name, value in ours.items()
        if theirs.get(name) != value
    ]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"

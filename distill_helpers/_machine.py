"""What a number depends on: the machine that it was trained on, and code."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

_PINS = ("torch", "numpy", "scipy", "scikit-learn", "matplotlib", "altair")
_SETTINGS = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA")


def fingerprint() -> dict[str, str]:
    """Describe what a trained number's last bits depend on: machine, settings, pinned packages.

    Returns
    -------
    dict
        Of strings. Two runs with equal fingerprints give equal outputs, bit for bit.
    """
    found = {
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_vendor(),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
    for pin in _PINS:
        try:
            found[pin] = importlib.metadata.version(pin)
        except importlib.metadata.PackageNotFoundError:
            found[pin] = "missing"
    return found | {name: os.environ.get(name, "unset") for name in _SETTINGS}


def digest(files: Iterable[Path]) -> str:
    """Digest of Python files in their order; docstrings and comments do not count."""
    found = hashlib.sha256()
    for path in files:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node, clean=False
            ):
                node.body = node.body[1:]
        found.update(ast.dump(tree).encode())
    return found.hexdigest()[:16]


def _cpu_vendor() -> str:
    try:
        for row in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if row.startswith(("vendor_id", "CPU implementer")):
                return row.split(":", 1)[1].strip()
    except OSError:
        pass
    # Windows: "Intel64 Family 6 Model 140 Stepping 1, GenuineIntel"
    return platform.processor().split(",")[-1].strip() or "unknown"

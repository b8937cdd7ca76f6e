"""What the tests of the page on soft labels elsewhere share: its code, its numbers, its answers.

Rows of one group look alike to the student, so the minimiser of the soft cross-entropy is the
group's mean target.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "book/soft-labels-elsewhere.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^## ", PAGE, flags=re.M)[1:]}
CASE = "A case with a known answer"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


def code(section: str) -> str:
    return "\n".join(BLOCK.findall(SECTIONS[section]))


def case() -> dict[str, Any]:
    """Return the page's own numbers and functions."""
    names: dict[str, Any] = {}
    exec(code(CASE), names)
    return names


THE = case()
X, P, p, best, group, copies = (THE[k] for k in ("X", "P", "p", "best", "group", "copies"))
WEIGHTS = THE["class_weights"]
UNITS = np.eye(4)


def normalised(a: np.ndarray) -> np.ndarray:
    return a / a.sum(axis=-1, keepdims=True)


def softmax(z: np.ndarray) -> np.ndarray:
    return normalised(np.exp(z - z.max(axis=-1, keepdims=True)))


def group_means(a: np.ndarray) -> np.ndarray:
    return np.stack([a[group == g].mean(axis=0) for g in range(4)])


def entropy(P: np.ndarray, Q: np.ndarray) -> float:
    """Return the soft cross-entropy of the rows, from the answers for the groups."""
    return float(-(P * np.log(Q[group])).sum(axis=1).mean())


BALANCED = normalised(best / P.mean(axis=0))
WEIGHTED = normalised(best * WEIGHTS)
BINARY_TARGETS = (5 * p) / (5 * p + 1 - p)  # class 1 weighs five times as much
BINARY_WEIGHTS = 5 * p + 1 - p
BINARY = 5 * best[:, 0] / (5 * best[:, 0] + 1 - best[:, 0])

"""What makes held-out rows look easier than new ones."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import torch

from distill_helpers.files import OwnRows, categories
from distill_helpers.report._teachers import Probabilities, Teacher

PURE = 0.9
"""Share of a column's values whose rows all have one class, from which on it looks like groups."""

ALIKE = 0.8
"""Distance of neighbours in the file to that of two rows of a class, below which they are kin."""

KNOWS = 0.9
"""Share of the rows that held-out students get wrong, above which a teacher has seen them."""

_PAIRS = 4000


def leaks(own: OwnRows) -> list[str]:
    """Say what looks like a leak, one line each: copies, groups, neighbours; after `own.flags`."""
    found = list(own.flags)
    if own.time is not None:
        return found
    every = np.arange(len(own.labels))
    _, features = own.learn(every)
    if own.groups is None:
        found += _duplicates(features)
        found += _hidden_groups(own)
        found += _neighbours(own, features)
    return found


def _duplicates(features: npt.NDArray[np.float64]) -> list[str]:
    counts = Counter(row.tobytes() for row in features + 0.0)  # -0.0 has other bytes than 0.0
    twice = sum(count for count in counts.values() if count > 1)
    if not twice:
        return []
    return [
        f"{twice} of {len(features)} rows have a twin, equal in every feature, so that folds test "
        "rows that were trained on; drop the copies, or name what twins share as groups"
    ]


def _hidden_groups(own: OwnRows) -> list[str]:
    """Name columns whose values look like whose rows they are: few rows each, all of one class."""
    found = []
    count = len(own.labels)
    for column, kind in zip(own.columns, own.kinds, strict=True):
        values = column.values
        if (
            kind == "number"
            and not (np.nan_to_num(values) == np.round(np.nan_to_num(values))).all()
        ):
            continue
        words = categories(column)
        sizes = Counter(word for word in words if word is not None)
        if not count / 20 < len(sizes) < count / 2:
            continue
        pairs = Counter(zip(words, own.labels.tolist(), strict=True))
        several = [word for word, size in sizes.items() if size > 1]
        pure = sum(
            any(pairs[word, k] == sizes[word] for k in range(len(own.classes))) for word in several
        )
        shares = np.bincount(own.labels) / count
        by_chance = np.mean([(shares ** sizes[word]).sum() for word in several])
        if pure >= PURE * len(several) and by_chance < PURE - 0.1:
            found.append(
                f"column {column.name!r} has {len(sizes)} values, and rows that share one share "
                f"their class ({pure} of {len(several)} values): if it says whose rows they are, "
                f"pass groups={column.name!r}"
            )
    return found


def _neighbours(own: OwnRows, features: npt.NDArray[np.float64]) -> list[str]:
    """Compare rows side by side in the file with two rows of the same class."""
    spread = features.std(0)
    x = (features - features.mean(0)) / np.where(spread > 0, spread, 1)
    rng = np.random.default_rng(0)
    near = np.flatnonzero(own.labels[1:] == own.labels[:-1])
    if len(near) < 50:
        return []
    near = rng.permutation(near)[:_PAIRS]
    other = np.array([rng.choice(np.flatnonzero(own.labels == k)) for k in own.labels[near]])

    def distance(one: npt.NDArray[np.int64], two: npt.NDArray[np.int64]) -> float:
        return float(np.sqrt(((x[one] - x[two]) ** 2).sum(1)).mean())

    ratio = distance(near, near + 1) / max(distance(near, other), 1e-12)
    if ratio >= ALIKE:
        return []
    return [
        f"rows side by side in the file are alike: their distance is {ratio:.2f} of that of two "
        "rows of one class. If neighbours come from one source (a writer, a patient, a day), name "
        "it as groups, or random folds flatter every arm"
    ]


def seen_by_teacher(teacher: Teacher, own: OwnRows, wrong: npt.NDArray[np.int64]) -> list[str]:
    """Say whether answers that were called out of fold know what nobody else could.

    Parameters
    ----------
    teacher : Teacher
    own : OwnRows
    wrong : ndarray of int64
        Rows that students which had not seen them get wrong.
    """
    if not isinstance(teacher, Probabilities) or not teacher.out_of_fold or len(wrong) < 20:
        return []
    answers = teacher.log_p[torch.from_numpy(wrong)].argmax(1).numpy()
    right = float((answers == own.labels[wrong]).mean())
    if right < KNOWS:
        return []
    return [
        f"the teacher is right on {right:.0%} of the {len(wrong)} rows that students get wrong "
        "where they had not seen them: its answers look in-sample, though they were called out of "
        "fold. Predict each row by a model that was not trained on it "
        "(sklearn.model_selection.cross_val_predict), or say in-sample"
    ]

"""Find classes at the end that a loss never looks at, as the padding of a vocabulary is.

Vocabularies are padded to a round number, and a loop that knows it cuts the logits to the classes
that are words. There a label beyond them is refused, and no softmax runs over the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill_helpers.audit._layout import Cut, cut
from distill_helpers.audit._probe import Probe
from distill_helpers.audit._setup import Setup

ENTRIES = 100_000
"""Entries of the logits by which it is tried, about."""


def _few_rows(setup: Setup) -> Cut:
    """Cut the batch to a few rows, those with most labels: where there are none nothing may count.

    So in masked language models, where few of the tokens have a label.
    """
    labelled = (setup.y >= 0).reshape(setup.layout.positions)

    def most(counts: Tensor, size: int) -> Tensor:
        return counts.argsort(descending=True, stable=True)[: max(1, size)].sort().values.cpu()

    count = max(2, min(64, ENTRIES // setup.C))
    rows = most(labelled.reshape(setup.B, -1).sum(1), 4 if labelled.ndim > 1 else count)
    if labelled.ndim == 2:
        return Cut(rows, (most(labelled[rows].sum(0), count // len(rows)),), setup.C)
    return cut(setup.layout, rows, 4, setup.C)


def leave_out_unused(setup: Setup) -> None:
    """Write down how many of the last classes are not looked at, on both sides.

    Where the loss cannot be asked nothing is changed, and the audit says so later.
    """
    if setup.layout.labels not in ("numbers", "none") or setup.layout.axis is None or setup.deaf:
        return
    try:
        probe = Probe(setup, _few_rows(setup), torch.float64)
        if probe.changes:
            return
        z, v, v2 = probe.points[0]
        base = probe.gradient(z, v, probe.y)
        if not bool(torch.isfinite(base).all()):
            return
        # Rows that are left out show nothing.
        moved = {"student": base, "teacher": base - probe.gradient(z, v2, probe.y)}

        def seen(z: Tensor, v: Tensor) -> Tensor:
            """Return gradient and value: where a loss clips, a gradient alone may be zero."""
            gradient = probe.gradient(z, v, probe.y)
            return torch.cat([gradient.flatten(), probe.values[-1].double().reshape(1)])

        def is_used(k: int, who: str) -> bool:
            """Tell whether some class from k on matters, be it the likeliest of a row."""
            ends = (z if who == "student" else v).shape[1] - k
            rows = moved[who].any(1).nonzero().flatten()
            for start in range(0, ends, len(rows)):
                turn = k + (torch.arange(start, start + len(rows), device=rows.device)) % ends
                raised: list[Tensor] = [z.clone(), v.clone()]
                for x in raised:
                    in_both = turn < x.shape[1]
                    x[rows[in_both], turn[in_both]] += 5 * probe.T
                still = (z, raised[1]) if who == "student" else (raised[0], v)
                if not torch.equal(seen(*raised), seen(*still)):
                    return True
            return False

        def unused(classes: int, least: int, who: str) -> int:
            """Halve the classes in question until the last used one is found."""
            if least >= classes or not bool(moved[who].any()) or is_used(classes - 1, who):
                return 0
            low, high = least, classes - 1  # all from `high` on are unused
            while low < high:
                middle = (low + high) // 2
                low, high = (middle + 1, high) if is_used(middle, who) else (low, middle)
            return classes - high

        least = max(2, int(setup.y.max()) + 1)
        students = unused(probe.C, least, "student")
        teachers = unused(probe.Ct, 2, "teacher")
    except Exception:  # what stands in the way is said where the loss is asked in earnest
        return
    setup.C -= students
    setup.unused, setup.teachers_unused = students, teachers

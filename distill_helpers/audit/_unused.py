"""Find classes at the end that a loss never looks at, as the padding of a vocabulary is.

Vocabularies are padded to a round number, and a loop that knows it cuts the logits to the classes
that are words. There a label beyond them is refused, and no softmax runs over the others.
"""

from __future__ import annotations

import torch
from torch import Tensor

from distill_helpers.audit._layout import cut
from distill_helpers.audit._probe import Probe
from distill_helpers.audit._setup import Setup

ROWS = 64
"""Rows by which it is tried, about."""


def leave_out_unused(setup: Setup) -> None:
    """Write down how many of the last classes are not looked at, on both sides.

    Where the loss cannot be asked nothing is changed, and the audit says so later.
    """
    if setup.layout.labels not in ("numbers", "none") or setup.layout.axis is None or setup.deaf:
        return
    inside = max(1, setup.P // setup.B)
    few = max(1, min(setup.B, ROWS // inside))
    try:
        part = cut(setup.layout, torch.arange(setup.B)[:few], 8, setup.C)
        probe = Probe(setup, part, torch.float64)
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

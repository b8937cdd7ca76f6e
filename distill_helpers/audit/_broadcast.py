"""See whether ``(B, 1)`` and ``(B,)`` meet in a loss and make a table of every row by every row."""

from __future__ import annotations

import torch

from distill_helpers.audit._probe import Probe
from distill_helpers.audit._tables import Tables


def rows_broadcast(*probes: Probe) -> int:
    """Return the side of a table of rows by rows that the loss makes; 0 where there is none.

    Looks at the operations themselves: where all rows weigh alike, the values do not show it.
    """
    for probe in probes:
        positions = probe.cut.positions
        sizes = {probe.rows, positions[0]} - {probe.C, probe.Ct, 1, *positions[1:]}
        z, v, _ = probe.points[0]
        watch = Tables(sizes)
        try:
            with watch, torch.enable_grad():
                probe.loss(z, v, probe.y)
        except Exception:  # an operation that takes no watching
            continue
        if watch.seen:
            return watch.seen
    return 0

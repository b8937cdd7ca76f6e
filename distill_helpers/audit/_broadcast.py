"""See whether ``(B, 1)`` and ``(B,)`` meet in a loss and make a table of every row by every row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from distill_helpers.audit._probe import Probe


class _Tables(TorchDispatchMode):
    """Watch for a table of n by n numbers that a row of n and a column of n are spread to."""

    def __init__(self, sizes: set[int]) -> None:
        super().__init__()
        self.sizes, self.seen = sizes, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation, and look at the shapes of what went in and came out."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.is_floating_point() and made.ndim == 2:
            n = made.shape[0]
            if n == made.shape[1] and n in self.sizes:
                shapes = [
                    tuple(x.shape) for x in args if isinstance(x, Tensor) and x.is_floating_point()
                ]
                spread = "expand" in str(func) and shapes == [(n,)]
                if spread or ((n,) in shapes and (n, 1) in shapes):
                    self.seen = n
        return made


def rows_broadcast(*probes: Probe) -> int:
    """Return the side of a table of rows by rows that the loss makes; 0 where there is none.

    Looks at the operations themselves: where all rows weigh alike, the values do not show it.
    """
    for probe in probes:
        positions = probe.cut.positions
        sizes = {probe.rows, positions[0]} - {probe.C, probe.Ct, 1, *positions[1:]}
        z, v, _ = probe.points[0]
        watch = _Tables(sizes)
        try:
            with watch, torch.enable_grad():
                probe.loss(z, v, probe.y)
        except Exception:  # an operation that takes no watching
            continue
        if watch.seen:
            return watch.seen
    return 0

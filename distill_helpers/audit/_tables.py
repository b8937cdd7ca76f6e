"""Watch for tables of every row by every row."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Tables(TorchDispatchMode):
    """Watch for a table of n by n numbers that a row of n and a column of n are spread to."""

    def __init__(self, sizes: set[int] | None = None) -> None:
        super().__init__()
        self.sizes, self.seen = sizes, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run the operation, and look at the shapes of what went in and came out."""
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.is_floating_point() and made.ndim == 2:
            n = made.shape[0]
            if 1 < n == made.shape[1] and (self.sizes is None or n in self.sizes):
                shapes = [
                    tuple(x.shape) for x in args if isinstance(x, Tensor) and x.is_floating_point()
                ]
                spread = "expand" in str(func) and shapes == [(n,)]
                if spread or ((n,) in shapes and (n, 1) in shapes):
                    self.seen = n
        return made

"""Where the logits are in what a network returns, and the same structure with others in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

Path = tuple[Any, ...]
DEPTH = 4


def _parts(made: Any) -> list[tuple[Any, Any]]:
    """Return what a structure holds, by key, index or name."""
    if isinstance(made, Mapping):
        return list(made.items())
    if isinstance(made, tuple) and hasattr(made, "_fields"):
        return list(zip(made._fields, made, strict=True))
    if isinstance(made, list | tuple):
        return list(enumerate(made))
    if isinstance(made, nn.Module | type | str) or callable(made) or not hasattr(made, "__dict__"):
        return []
    return list(vars(made).items())


def tensors_in(made: Any, path: Path = ()) -> list[tuple[Path, Tensor]]:
    """Return every tensor of an output, with the way to it."""
    if isinstance(made, Tensor):
        return [(path, made)]
    if len(path) >= DEPTH:
        return []
    return [found for key, part in _parts(made) for found in tensors_in(part, (*path, key))]


def rebuilt(made: Any, change: Callable[[Path, Tensor], Tensor], path: Path = ()) -> Any:
    """Return a copy of an output in which each tensor is changed."""
    if isinstance(made, Tensor):
        return change(path, made)
    parts = _parts(made) if len(path) < DEPTH else []
    if not parts:
        return made
    new = {key: rebuilt(part, change, (*path, key)) for key, part in parts}
    if isinstance(made, list | tuple):
        values = list(new.values())
        return type(made)(*values) if hasattr(made, "_fields") else type(made)(values)
    twin = copy.copy(made)
    for key, value in new.items():
        if isinstance(made, Mapping):
            twin[key] = value
        else:
            object.__setattr__(twin, key, value)
    return twin


def logits_in(
    made: Any,
    who: str,
    fits: Callable[[Tensor], bool],
    others: set[tuple[int, ...]] | None = None,
    place: Path | None = None,
    likely: Callable[[Tensor], bool] = lambda x: True,
) -> list[Path]:
    """Return the ways to the logits: by name, or by a shape that fits the labels.

    Of several shapes that fit, one that the other network has too is taken, then the one at
    `place`, where another network of this class has its logits, then a `likely` one, then the
    smallest: features are wider than classes are many. Two heads of one shape (logits for labels
    and logits for a teacher) are both logits.
    """
    found = [(path, x) for path, x in tensors_in(made) if x.is_floating_point()]
    for name in ("logits", "out"):
        named = [path for path, _ in found if path and path[-1] == name]
        if named:
            return named[:1]
    if not isinstance(made, Tensor):
        found = [(path, x) for path, x in found if fits(x)]
    elif not found:
        return [()]
    if not found:
        raise TypeError(
            f"the {who} returned a {type(made).__name__}; it must return a tensor of logits, or "
            f"an output that has them as `logits`. Wrap it in a function."
        )
    shared = [x for _, x in found if tuple(x.shape) in (others or ())]
    shared = shared or [x for path, x in found if path == place]
    tried = shared or [x for _, x in found]
    best = min(tried, key=lambda x: (not likely(x), x.numel())).shape
    return [path for path, x in found if x.shape == best]


def at(made: Any, path: Path) -> Tensor:
    """Follow a path."""
    return next(x for found, x in tensors_in(made) if found == path)

"""Stand-ins for the loop's networks: first they write down what is asked, then they answer.

A step is run once with the networks themselves, to see how it calls them and what they return. Then
it is asked with made-up logits: each network answers in its own structure, wherever it is called
(handed over, in a closure, as ``.module``), and its own forward pass does not run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from distill_helpers.audit._structure import Path

Answer = Callable[[int, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


@dataclass
class Call:
    """One call of a network, as a step makes it."""

    network: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    made: Any
    logits: list[Path] = field(default_factory=list)
    taught: bool = False  # whether the loss's gradient reaches what was returned
    seen: dict[Path, tuple[Tensor, Tensor]] = field(default_factory=dict)  # inputs, and copies
    moved_by: frozenset[int] = frozenset()  # ids of what the student trains and this answer needs
    with_grad: bool = True  # whether gradients were on when it was made
    training: bool = False  # whether the student was in train mode when it was made

    @property
    def moves(self) -> bool:
        """Whether training the student moves this answer, by whatever is switched off now."""
        return bool(self.moved_by)


@contextmanager
def scalers_at_rest() -> Iterator[None]:
    """Let gradient scalers pass a loss on as it is, and do nothing else.

    Where stand-ins answer, no weight has a gradient, and a scaler takes a step without one for an
    error.
    """
    scaler = torch.amp.GradScaler
    kept = {name: vars(scaler)[name] for name in ("scale", "unscale_", "step", "update")}
    try:
        for name in kept:
            setattr(scaler, name, lambda *_, **__: None)
        scaler.scale = lambda _, outputs: outputs  # type: ignore[method-assign]
        yield
    finally:
        for name, method in kept.items():
            setattr(scaler, name, method)


@contextmanager
def answering(networks: Sequence[Any], answer: Answer) -> Iterator[list[Any]]:
    """Let `answer` speak for each network; yield what to hand over in their places.

    A network that stands twice in the list keeps its first number.
    """
    numbers = {id(network): i for i, network in reversed(list(enumerate(networks)))}
    restore: list[tuple[nn.Module, Any]] = []
    given: list[Any] = []
    inside = [False]

    def speaker(number: int, original: Callable[..., Any]) -> Callable[..., Any]:
        def speak(*args: Any, **kwargs: Any) -> Any:
            if inside[0]:  # a network that calls another, or its own `.module`
                return original(*args, **kwargs)
            inside[0] = True
            try:
                return answer(number, original, args, kwargs)
            finally:
                inside[0] = False

        return speak

    try:
        for network in networks:
            number = numbers[id(network)]
            if not isinstance(network, nn.Module):
                given.append(speaker(number, network))
                continue
            given.append(network)
            part: Any = network
            while isinstance(part, nn.Module) and all(part is not m for m, _ in restore):
                restore.append((part, vars(part).get("forward")))
                part.forward = speaker(number, part.forward)
                part = getattr(part, "module", None)
        yield given
    finally:
        for module, forward in restore:
            if forward is None:
                del module.forward
            else:
                module.forward = forward


def numbered(
    inputs: Any,
    labels: Tensor | None,
    made_up: Tensor | None,
    kept: Collection[Any] = (),
    *,
    write: bool = True,
) -> Any:
    """Write a number of its own into each row of floats, and put in the made-up labels.

    Whole numbers are left: they may be token ids or masks, by which a loop tells padding. So are
    the entries of a mapping that are `kept`.
    """
    if isinstance(inputs, Mapping):
        return {
            key: numbered(value, labels, made_up, write=write and key not in kept)
            for key, value in inputs.items()
        }
    if not isinstance(inputs, Tensor) or inputs.ndim == 0:
        return inputs
    if _is_same(inputs, labels) and made_up is not None:
        return made_up.clone()
    if not write or not (inputs.is_floating_point() or inputs.dtype == torch.uint8):
        return inputs
    numbers = row_numbers(len(inputs)).to(inputs.device, inputs.dtype)
    return numbers.reshape(-1, *[1] * (inputs.ndim - 1)).expand(inputs.shape).clone()


def row_numbers(rows: int) -> Tensor:
    """Return a number for each row: 0, 1, 2 and so on, and a gap before the last.

    Turned around, even numbers are the same numbers scaled by -1: a batch that is mixed with its
    flip could not be told from one that is scaled. With the gap each order has a pattern of its
    own.
    """
    numbers = torch.arange(rows)
    numbers[-1:] += 1
    return numbers


def _is_same(x: Tensor, y: Tensor | None) -> bool:
    return y is not None and x.shape == y.shape and x.dtype == y.dtype and bool((x == y).all())


def rows_asked(asked: Any, own: Any) -> Tensor | None:
    """Tell which rows a stand-in is asked for; None where it is all of them, or not to be seen."""
    asked, own = _flat(asked), _flat(own)
    if asked is None or own is None or asked.shape[1:] != own.shape[1:]:
        return None
    if asked.shape == own.shape and bool((asked == own).all()):
        return None
    if len(own.unique(dim=0)) < len(own):
        # Rows that are alike: a part that runs on from the first of them can still be told.
        starts = [i for i in range(len(own) - len(asked) + 1) if _runs(asked, own, i)]
        return torch.arange(starts[0], starts[0] + len(asked)) if len(starts) == 1 else None
    distance, rows = (asked.unsqueeze(1) - own.unsqueeze(0)).abs().amax(-1).min(1)
    if bool((distance == 0).all()):
        return rows
    if len(asked) != len(own):
        return None
    # Scaled and shifted numbers keep their pattern of steps, mixed ones do not, or not everywhere.
    values, order = asked[:, 0].sort()
    if not bool((torch.argsort(asked, dim=0, stable=True) == order.unsqueeze(1)).all()):
        return None
    known, place = own[:, 0].sort()
    for pattern, rows in ((known, place), (-known.flip(0), place.flip(0))):  # or turned around
        steps, ideal = values.diff(), pattern.diff()
        if len(steps) < 2 or not bool((steps > 0).all()):
            return None
        slopes = steps / ideal
        if bool((ideal > 0).all()) and float(slopes.max() / slopes.min()) <= 1.001:
            return rows[order.argsort()]
    return None


def _runs(asked: Tensor, own: Tensor, start: int) -> bool:
    return bool((own[start : start + len(asked)] == asked).all())


def _flat(inputs: Any) -> Tensor | None:
    """Return the first tensor of inputs as rows of a few numbers."""
    if isinstance(inputs, Mapping):
        inputs = next((x for x in inputs.values() if isinstance(x, Tensor)), None)
    if not isinstance(inputs, Tensor) or inputs.ndim == 0 or inputs.numel() == 0:
        return None
    return inputs.detach().reshape(len(inputs), -1)[:, :64].double()


def own_loss(made: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return what a network may have made of its logits and the labels that it was given."""
    cross_entropy = nn.functional.cross_entropy
    known: dict[str, Callable[[], Tensor]] = {
        "mean": lambda: cross_entropy(made, labels),
        "tokens": lambda: cross_entropy(made.flatten(0, -2), labels.flatten()),
        "shifted": lambda: cross_entropy(made[:, :-1].flatten(0, -2), labels[:, 1:].flatten()),
        "binary": lambda: nn.functional.binary_cross_entropy_with_logits(
            made.reshape(labels.shape), labels.to(made.dtype)
        ),
    }
    values = {}
    for name, value in known.items():
        try:
            values[name] = value()
        except (RuntimeError, IndexError, ValueError):
            continue
    return values

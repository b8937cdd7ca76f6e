"""See whether a step moves the student's weights onto the teacher's: an average turned around.

What an optimiser does follows the teacher through its answers alone. So the step runs twice from
the same weights: with gradients that are zero, with optimisers at rest, and with the answers that
the teacher has. The second time the teacher's weights are moved far away, each by a random number.
What then differs in the student's weights was read from the teacher's: an average moves each weight
by one share of what its own weight there was moved by, however small that share is, and however
near the two networks are.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from distill_helpers.audit._modules import modules_in, reseed, untouched
from distill_helpers.audit._setup import HALF, Setup
from distill_helpers.audit._standins import answering

FAR = 100.0
"""How far the teacher's weights are moved, in units of the largest weight of both."""
FEWEST = 8
"""Weights below which one share of all moves may be chance."""


@dataclass(frozen=True)
class Pull:
    """How a step moves the student's weights by the teacher's."""

    turned: bool  # whether it is an average with its sides exchanged; else it is not told
    words: str


def look_for_pull(setup: Setup) -> Pull | None:
    """Return how the step moves the student's weights by the teacher's; None where it does not."""
    if setup.step is None:
        return None
    student = _weights(setup.student)
    teacher = _weights(setup.members, but=student)
    asked = [p.requires_grad for p in student]
    asked = asked if any(asked) else [True] * len(student)
    shared = {id(p) for p in _weights(setup.members)}
    sizes = [p.numel() * trained for p, trained in zip(student, asked, strict=True)]
    sizes = [0 if id(p) in shared else n for p, n in zip(student, sizes, strict=True)]
    shapes = {q.shape for q in teacher}
    alike = sum(n for n, p in zip(sizes, student, strict=True) if p.shape in shapes)
    if sum(sizes) < FEWEST or alike < sum(sizes) / 2:  # networks of two kinds have no average
        return None
    largest = max(float(p.detach().abs().max()) for p in (*student, *teacher) if p.numel())
    generator = torch.Generator().manual_seed(11)
    far = [
        torch.randn(q.shape, generator=generator).mul_(FAR * largest).to(q.device, q.dtype)
        for q in teacher
    ]
    near = [torch.zeros_like(x) for x in far]
    try:
        still, _ = _run(setup, teacher, near)
        moved, follows = _run(setup, teacher, far)
        if all(torch.equal(x, y) for x, y in zip(still, moved, strict=True)):
            return None
        again, _ = _run(setup, teacher, near)  # a loop may count its steps, or hold weights itself
    except Exception:  # the step does not go with such weights
        return None
    if any([x.shape for x in run] != [p.shape for p in student] for run in (still, moved, again)):
        return None
    shares: list[float | None] = []  # of each tensor that is moved; None where it has none
    reached = 0
    for p, size, x, y, z in zip(student, sizes, still, moved, again, strict=True):
        change = (y - x).double().cpu()
        least = max(10 * torch.finfo(p.dtype).eps * largest, 2 * float((z - x).abs().max()))
        if bool((change.abs() > least).any()):
            shares.append(_share(change, far, p.dtype in HALF))
            reached += size
    if not shares:
        return None
    return _judge(shares, f"{len(shares)} of", follows, in_part=reached < sum(sizes) / 2)


def _judge(shares: Sequence[float | None], count: str, follows: bool, *, in_part: bool) -> Pull:
    """Tell an average turned around from what may be meant."""
    told = sorted(share for share in shares if share is not None)
    if len(told) < len(shares) or told[0] <= 0 or told[-1] > 1 + 1e-3:
        words = "moves the student's weights by what it reads of the teacher's, and not straight to"
        return Pull(False, f"the step {words} them; fine where that is meant")
    if told[0] > 1 - 1e-3:
        words = f"the step copies {count} the student's tensors from the teacher; fine where they "
        return Pull(False, words + "are meant to be the teacher's own")
    words = f"moves the student's weights {told[len(told) // 2]:.3g} of the way to the teacher's"
    if follows:
        words = f"the step {words}, and the teacher's too; fine where both are to move"
        return Pull(False, words)
    if in_part:
        return Pull(False, f"the step {words}, in {count} its tensors; fine where that is meant")
    return Pull(True, f"the step itself {words}")


def _weights(thing: Any, but: Sequence[Tensor] = ()) -> list[Tensor]:
    known = {id(p) for p in but}
    found = {id(p): p for m in modules_in(thing) for p in m.parameters()}
    return [p for key, p in found.items() if p.is_floating_point() and key not in known]


def _run(
    setup: Setup, teacher: Sequence[Tensor], moves: Sequence[Tensor]
) -> tuple[list[Tensor], bool]:
    """Run the step; return the student's weights after it, and whether the teacher's moved too."""
    assert setup.step is not None
    modules, optimised = setup.find_modules(), setup.optimisers()
    own = [q.detach().clone() for q in teacher]

    def put(values: Sequence[Tensor]) -> None:
        for q, x in zip(teacher, values, strict=True):
            q.data.copy_(x)  # unseen by autograd: the teacher may be part of the graph

    def answer(number: int, original: Any, args: Any, kwargs: Any) -> Any:
        if number == 0:
            return original(*args, **kwargs)
        held = [q.detach().clone() for q in teacher]
        put(own)
        try:
            return original(*args, **kwargs)
        finally:
            put(held)

    every = {id(p): p for m in modules for p in m.parameters()} | {id(p): p for p in optimised}
    with untouched(modules, optimised), _at_rest(list(every.values())):
        for p in every.values():
            p.grad = None
        before = [x + move for x, move in zip(own, moves, strict=True)]
        put(before)
        reseed(0)
        with torch.enable_grad(), answering(setup.networks, answer) as given:
            setup.step(given[0], setup._as_teacher(given[1:]), copy.copy(setup.batch))
        student = _weights(setup.student)
        after = _weights(setup.members, but=student)
        follows = any(not torch.equal(q, x) for q, x in zip(after, before, strict=True))
        return [p.detach().clone() for p in student], follows


@contextmanager
def _at_rest(parameters: Sequence[Tensor]) -> Iterator[None]:
    """Let every gradient be zero, and every optimiser's step find none, so that it moves nothing.

    With a gradient of zero alone momentum and weight decay would go on.
    """
    kept: list[list[tuple[Tensor, Tensor | None]]] = []

    def rest(optimiser: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        held = [p for group in optimiser.param_groups for p in group["params"]]
        kept.append([(p, p.grad) for p in held])
        for p in held:
            p.grad = None

    def wake(optimiser: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        for p, grad in kept.pop():
            p.grad = grad

    handles: list[Any] = [p.register_hook(torch.zeros_like) for p in parameters if p.requires_grad]
    handles.append(register_optimizer_step_pre_hook(rest))
    handles.append(register_optimizer_step_post_hook(wake))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _share(change: Tensor, far: Sequence[Tensor], half: bool) -> float | None:
    """Return the share of one tensor's moves that a change is, entry by entry; None for no one."""
    slack = 0.2 if half else 2e-2
    if not bool(torch.isfinite(change).all()):
        return None
    for move in far:
        if move.shape == change.shape:
            x = move.double().cpu()
            share = float((change * x).sum() / (x * x).sum())
            if float((change - share * x).norm()) <= slack * float(change.norm()):
                return share
    return None

r"""Self-distillation inside one network: which of its heads teaches which, by the loss alone.

The gradient of :math:`T^2 \mathrm{KL}(p(v) \| p(z))` for z is :math:`T (p(z) - p(v))`: a part of
z plus a part of v. Its gradient for v, which a detached teacher does not have, is a product of
both. So a head that learns is one whose gradient changes with another head and stays a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from distill_helpers.audit._structure import Path

Gradients = Callable[[frozenset[int]], list[Tensor]]
"""From the heads that are moved to the loss's gradient for the logits of each head."""
TOLERANCE = 1e-3


@dataclass(frozen=True)
class Heads:
    """The head that teaches, those that it teaches, and whether heads that teach are detached."""

    teacher: Path
    students: list[Path]
    detached: bool


def roles_of(gradients: Gradients, count: int) -> tuple[int, list[int], bool] | str:
    """Return which head teaches which others, and whether it is detached; else why not, in words.

    A head teaches another where it changes the other's gradient. Of a chain of heads the last
    link is taken, whose student teaches none.
    """
    heads = range(count)
    base = gradients(frozenset())
    alone = [gradients(frozenset({i})) for i in heads]
    size = [max(float(g[j].norm()) for g in (base, *alone)) for j in heads]

    def is_seen(change: Tensor, j: int) -> bool:
        return float(change.norm()) > TOLERANCE * size[j] and size[j] > 0

    # changes[i][j]: whether the gradient for head j changes with head i.
    changes = [[i != j and is_seen(alone[i][j] - base[j], j) for j in heads] for i in heads]
    if not any(map(any, changes)):
        return "none changes what another learns"

    def is_sum(i: int, j: int) -> bool:
        both = gradients(frozenset({i, j}))
        return not is_seen(both[j] - alone[i][j] - alone[j][j] + base[j], j)

    def teaches(i: int, j: int) -> bool:
        if not changes[i][j]:
            return False
        return not changes[j][i] or (is_sum(i, j) and not is_sum(j, i))

    pairs = [(i, j) for i in heads for j in heads if teaches(i, j)]
    both_ways = [(i, j) for i in heads for j in heads if changes[i][j] and changes[j][i]]
    if any((i, j) not in pairs and (j, i) not in pairs for i, j in both_ways):
        return "some teach each other: no one head is the teacher"
    # One that teaches too would move the loss by a way that no gradient takes.
    last = {j for _, j in pairs} - {i for i, _ in pairs}
    teachers = {i for i, j in pairs if j in last}
    if len(teachers) != 1:
        return "several teach: no one head is the teacher"
    detached = not any(changes[j][i] for i, j in pairs)
    return teachers.pop(), sorted(last), detached

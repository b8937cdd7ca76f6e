"""Self-distillation inside one network: which of its heads teaches which, by the loss alone.

The gradient of :math:`T^2 \\mathrm{KL}(p(v) \\| p(z))` for z is :math:`T (p(z) - p(v))`: a part of
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
    """The head that teaches, those that it teaches, and whether it is left out of the gradient."""

    teacher: Path
    students: list[Path]
    detached: bool


def roles_of(gradients: Gradients, count: int) -> tuple[int, list[int], bool] | str:
    """Return which head teaches which others, and whether it is detached; else why not, in words.

    A head teaches another where it changes the other's gradient. Of a chain of heads the first
    teacher is taken, which no head teaches.
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

    taught = [[j for j in heads if teaches(i, j)] for i in heads]
    first = [i for i in heads if taught[i] and not any(i in others for others in taught)]
    if len(first) != 1:
        return "each teaches others, or several do: no one head is the teacher"
    teacher = first[0]
    students = [j for j in taught[teacher] if not any(j in taught[i] for i in heads if i != teacher)]
    if not students or any(changes[teacher][j] and j not in taught[teacher] for j in heads):
        return "some teach each other: no one head is the teacher"
    return teacher, students, not any(changes[j][teacher] for j in heads)

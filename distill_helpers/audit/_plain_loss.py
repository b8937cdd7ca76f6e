"""The loss of an ordinary loop as an objective for the trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from distill_helpers import _checks
from distill_helpers.training import every_member


class PlainLoss:
    """An objective for `training.fit` made from the loss of an ordinary loop.

    So the loss that is trained is, letter by letter, the one that `check_distillation_setup` sees.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(student_logits, teacher_output, labels)`` for one student: ``(B, C)``, ``(B, C)``
        and ``(B,)`` to one number. One function, or one a member: members with the same one
        should stand side by side.
    teacher_output : Tensor or callable
        ``(N, C)``, one row a training row, or ``(M, N, C)`` where each member has its own; or a
        function from rows ``(M, B)`` to ``(M, B, C)``, for a teacher that is asked anew each step.
    labels : Tensor
        ``(N,)``, or ``(M, N)``.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> loss = PlainLoss(lambda z, v, y: F.mse_loss(z, v), torch.zeros(5, 2), torch.zeros(5).long())
    >>> loss(torch.ones(3, 4, 2), torch.zeros(3, 4, dtype=torch.int64))
    tensor([1., 1., 1.])
    """

    def __init__(
        self,
        loss_fn: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
        teacher_output: Tensor | Callable[[Tensor], Tensor],
        labels: Tensor,
    ) -> None:
        self.loss_fn = loss_fn
        self.teacher_output = teacher_output
        self.labels = labels

    def check(self, members: int, num_rows: int, num_classes: int, rows: Tensor) -> None:
        """Raise where outputs or labels are for other rows or members; `fit` asks first.

        Neither their width nor the labels' range is asked for: the loss may take others.
        """
        del num_classes, rows
        if isinstance(self.teacher_output, Tensor):
            width = self.teacher_output.shape[-1]
            _checks.one_a_row("teacher_output", self.teacher_output, 2, members, num_rows, width)
        _checks.one_a_row("labels", self.labels, 1, members, num_rows)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        member = torch.arange(len(rows)).unsqueeze(1)
        if not isinstance(self.teacher_output, Tensor):
            outputs = self.teacher_output(rows)
        elif self.teacher_output.ndim == 3:
            outputs = self.teacher_output[member, rows]
        else:
            outputs = self.teacher_output[rows]
        labels = self.labels[member, rows] if self.labels.ndim == 2 else self.labels[rows]
        if callable(self.loss_fn):
            return every_member(self.loss_fn, logits, outputs, labels)
        if len(self.loss_fn) != len(logits):
            raise ValueError(
                f"{len(self.loss_fn)} losses for {len(logits)} members; give one, or one a member"
            )
        losses, start = [], 0
        while start < len(logits):
            stop = start + 1
            while stop < len(logits) and self.loss_fn[stop] is self.loss_fn[start]:
                stop += 1
            part = slice(start, stop)
            losses.append(
                every_member(self.loss_fn[start], logits[part], outputs[part], labels[part])
            )
            start = stop
        return torch.cat(losses)

"""Train a whole stack of networks as one tensor program.

The loop is the ordinary one: shuffled batches, a loss, an optimiser. Only the member axis is new.
Forward and backward pass are a few batched matrix products a step, written out, for at the book's
sizes an autograd graph and its allocations would cost as much as the arithmetic.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from distill_helpers import _checks
from distill_helpers.losses import (
    MATCHINGS,
    cross_entropy,
    cross_entropy_and_gradient,
    kl_and_gradient,
    matching_and_gradient,
    matching_loss,
    tempered_kl,
)
from distill_helpers.networks import Stack
from distill_helpers.tasks import Task

Objective = Callable[[Tensor, Tensor], Tensor]
"""Maps logits ``(M, B, C)`` and training rows ``(M, B)`` to one loss a member ``(M,)``."""

OPTIMISERS = ("adam", "adamw", "sgd", "momentum")
"""What `fit` trains with; ``"momentum"`` is SGD with a momentum of 0.9, else torch's defaults."""


class HardLabels:
    """The objective of an ordinary classifier: cross-entropy to the labels.

    Parameters
    ----------
    labels : Tensor
        Classes ``(N,)``, or ``(M, N)`` where each member has its own.

    Examples
    --------
    >>> objective = HardLabels(torch.tensor([0, 1]))
    >>> objective(torch.zeros(3, 1, 2), torch.tensor([[0], [1], [1]]))
    tensor([0.6931, 0.6931, 0.6931])
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = _checks.labels(labels, None).contiguous()

    def check(self, members: int, num_rows: int, num_classes: int, rows: Tensor) -> None:
        """Raise where the labels are for other rows, members or classes; `fit` asks first."""
        _check_targets("labels", self.labels, 1, members, num_rows)
        # Rows that are not trained on may have no label.
        shared = self.labels.dim() == 1
        used = self.labels[rows] if shared else _take(self.labels, rows.expand(members, -1), 1)
        _checks.labels(used, num_classes)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        return cross_entropy(logits, _take(self.labels, rows, 1), members=True)

    def with_gradient(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, and its gradient, for logits ``(M, C, B)``."""
        return cross_entropy_and_gradient(logits, _take(self.labels, rows, 1))


class Distillation:
    """The objective of a student: soft targets at a temperature, and hard labels.

    ``alpha * T^2 * KL(soft_targets || softmax(z / T)) + (1 - alpha) * CE(z, labels)``, with the
    soft targets computed once (see `distill_helpers.losses.distillation_loss`; chapter 03), times
    `scale`. With `distill_helpers.gradients.without_t_squared` or
    `distill_helpers.conventions.to_canonical` it is any of the other losses (chapter 04).

    Parameters
    ----------
    soft_targets : Tensor
        ``(N, C)``, or ``(M, N, C)`` where each member has its own; at the same temperature.
    labels : Tensor
        Classes ``(N,)``, or ``(M, N)``.
    temperature, alpha : float or sequence of float
        One number, or one a member.
    scale : float or sequence of float
        Above 0; one number, or one a member.

    Raises
    ------
    TypeError, ValueError
        If a value is not allowed, or labels and soft targets are for other rows.
    """

    def __init__(
        self,
        soft_targets: Tensor,
        labels: Tensor,
        *,
        temperature: _checks.Numbers,
        alpha: _checks.Numbers,
        scale: _checks.Numbers = 1.0,
    ) -> None:
        self.soft_targets = _checks.probabilities(soft_targets, "soft_targets").contiguous()
        self.labels = _checks.loss_labels(labels, soft_targets.shape, members=True).contiguous()
        self.temperature = _checks.temperature(temperature, _count(temperature))
        self.alpha = _checks.alpha(alpha, _count(alpha))
        self.scale = _checks.scale(scale, _count(scale))

    def check(self, members: int, num_rows: int, num_classes: int, rows: Tensor) -> None:
        """Raise where the targets are for other rows, members or classes; `fit` asks first."""
        _check_targets("soft_targets", self.soft_targets, 2, members, num_rows, num_classes)
        _check_targets("labels", self.labels, 1, members, num_rows)
        _check_settings(members, temperature=self.temperature, alpha=self.alpha, scale=self.scale)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        targets = _take(self.soft_targets, rows, 2)
        soft = tempered_kl(logits, targets, self.temperature, members=True)
        hard = cross_entropy(logits, _take(self.labels, rows, 1), members=True)
        return self.scale * (self.alpha * soft + (1 - self.alpha) * hard)

    def with_gradient(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, and its gradient, for logits ``(M, C, B)``."""
        targets = _take(self.soft_targets, rows, 2).mT
        soft = kl_and_gradient(logits, targets, self.temperature)
        hard = cross_entropy_and_gradient(logits, _take(self.labels, rows, 1))
        return _weigh(self.alpha, soft, hard, self.scale)


class Matching:
    """The objective of a student that meets its teacher in another way than by forward KL.

    ``alpha * matching_loss(z, teacher_logits, T, kind) + (1 - alpha) * CE(z, labels)`` (see
    `distill_helpers.losses.matching_loss`; chapter 03).

    Parameters
    ----------
    teacher_logits : Tensor
        ``(N, C)``, or ``(M, N, C)`` where each member has its own.
    labels : Tensor
        Classes ``(N,)``, or ``(M, N)``.
    kind : str
        One of `distill_helpers.losses.MATCHINGS`.
    temperature, alpha : float or sequence of float
        One number, or one a member.

    Raises
    ------
    TypeError, ValueError
        If a value is not allowed, or labels and logits are for other rows.
    """

    def __init__(
        self,
        teacher_logits: Tensor,
        labels: Tensor,
        *,
        kind: str,
        temperature: _checks.Numbers = 1.0,
        alpha: _checks.Numbers = 1.0,
    ) -> None:
        if kind not in MATCHINGS:
            raise ValueError(
                f"kind is {kind!r}; it must be one of {', '.join(map(repr, MATCHINGS))}. "
                f"Use {MATCHINGS[0]!r} if unsure."
            )
        self.kind = kind
        self.teacher_logits = _checks.logits(teacher_logits, "teacher_logits").contiguous()
        self.labels = _checks.loss_labels(labels, teacher_logits.shape, members=True).contiguous()
        self.temperature = _checks.temperature(temperature, _count(temperature))
        self.alpha = _checks.alpha(alpha, _count(alpha))

    def check(self, members: int, num_rows: int, num_classes: int, rows: Tensor) -> None:
        """Raise where the targets are for other rows, members or classes; `fit` asks first."""
        _check_targets("teacher_logits", self.teacher_logits, 2, members, num_rows, num_classes)
        _check_targets("labels", self.labels, 1, members, num_rows)
        _check_settings(members, temperature=self.temperature, alpha=self.alpha)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        v = _take(self.teacher_logits, rows, 2)
        soft = matching_loss(logits, v, self.temperature, self.kind, members=True)
        hard = cross_entropy(logits, _take(self.labels, rows, 1), members=True)
        return self.alpha * soft + (1 - self.alpha) * hard

    def with_gradient(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, and its gradient, for logits ``(M, C, B)``."""
        v = _take(self.teacher_logits, rows, 2).mT
        soft = matching_and_gradient(logits, v, self.temperature, self.kind)
        hard = cross_entropy_and_gradient(logits, _take(self.labels, rows, 1))
        return _weigh(self.alpha, soft, hard)


KnownObjective = HardLabels | Distillation | Matching
"""Objectives that know their gradient; `fit` takes any other through autograd."""


@dataclass(frozen=True)
class History:
    """What a training run leaves beside the trained stack.

    Attributes
    ----------
    loss : Tensor
        ``(epochs, M)``: the mean over an epoch's batches of each member's loss, in nats.
    """

    loss: Tensor


def fit(
    stack: Stack,
    task: Task | Sequence[Task],
    objective: Objective,
    *,
    epochs: int,
    batch_size: int = 64,
    optimiser: str = "adam",
    learning_rate: _checks.Numbers = 1e-3,
    weight_decay: _checks.Numbers = 0.0,
    seeds: Iterable[int],
    rows: Tensor | None = None,
    average_last: int = 1,
    progress: str | None = None,
) -> History:
    """Train every member of a stack, in place.

    Each member has its own order of batches and its own dropout masks, drawn from its seed alone:
    it ends with the same weights whether it is trained alone or in any stack (up to the rounding
    of float32), so a grid of settings or many teachers' students train as one.

    Parameters
    ----------
    stack : Stack
        M networks; changed in place. If an error stops the training they are as they were.
    task : Task or sequence of Task
        The data; or one task a member (the same one may stand many times), of equal size.
    objective : callable
        `HardLabels`, `Distillation`, `Matching`, or any function from logits ``(M, B, C)`` and
        training rows ``(M, B)`` to one loss a member ``(M,)``.
    epochs : int
        Passes over the training rows.
    batch_size : int
        Rows a step; an epoch's last batch may be smaller.
    optimiser : str
        One of `OPTIMISERS`, the same for all members.
    learning_rate, weight_decay : float or sequence of float
        Of the optimiser; one number, or one a member. Weight decay is decoupled from the gradient
        in ``"adamw"`` alone, as in torch. Members with equal settings train fastest side by side.
    seeds : sequence of int
        One a member: batch order and dropout. Equal seeds see equal batches (paired members).
    rows : Tensor, optional
        Training rows to use, ``(n,)`` or one set a member ``(M, n)``, repeats allowed: folds and
        bootstrap samples. All rows where it is left out.
    average_last : int
        Leave the mean of the weights after each of so many last epochs (Izmailov et al. 2018, at a
        constant rate); 1 leaves the last weights.
    progress : str, optional
        Label of a progress bar, shown from the second second on; none where it is left out or
        where ``DISTILL_PROGRESS`` is ``off``.

    Returns
    -------
    History
        Loss by epoch and member.

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit the stack, a weight is frozen, or a number is not finite;
        before anything trains.

    Warns
    -----
    RuntimeWarning
        If a member's loss stops being finite.

    Examples
    --------
    >>> from distill_helpers.tasks import gaussian_mixture_task
    >>> task = gaussian_mixture_task(num_train=200, num_test=50)
    >>> stack = Stack.build((task.x_train.shape[1], 8, 2), seeds=[0, 1])
    >>> history = fit(stack, task, HardLabels(task.y_train), epochs=3, seeds=[0, 1])
    >>> history.loss.shape
    torch.Size([3, 2])
    >>> bool((history.loss[-1] < history.loss[0]).all())
    True
    """
    members = stack.num_members
    tasks = [task] if isinstance(task, Task) else list(task)
    x, first_row, num_rows = _gather_inputs(tasks, stack)
    epochs = _checks.whole("epochs", epochs, 1, "Use 30.")
    batch_size = _checks.whole("batch_size", batch_size, 1, "Use 64.")
    average_last = _checks.whole("average_last", average_last, 1, "1 averages nothing.")
    if average_last > epochs:
        raise ValueError(
            f"average_last is {average_last}; it must be at most epochs, {epochs}. A quarter of "
            "them is usual."
        )
    if optimiser not in OPTIMISERS:
        known = ", ".join(map(repr, OPTIMISERS))
        raise ValueError(f"optimiser is {optimiser!r}; it must be one of {known}")
    _check_stack(stack)
    seeds = _checks.seeds(seeds, members)
    rows = _check_rows(rows, members, num_rows)
    rates = _checks.rate(learning_rate, members, "learning_rate", above_zero=True)
    decays = _checks.rate(weight_decay, members, "weight_decay", above_zero=False)
    if isinstance(objective, KnownObjective):
        objective.check(members, num_rows, stack.sizes[-1], rows)
    if not x.isfinite().all() and not x[(rows + first_row).unique()].isfinite().all():
        raise ValueError(
            "x_train holds numbers that are not finite in rows to train on; all must be. Leave "
            "those rows out, or fill them in."
        )
    weights = [weight.detach() for weight in stack.weights]
    biases = [bias.detach() for bias in stack.biases]
    for parameter in [*weights, *biases]:
        parameter.grad = torch.zeros_like(parameter)
    updates = _optimiser(optimiser, [*weights, *biases], rates, decays)
    orders = [_stream(seed, "order") for seed in seeds]
    dropout = _Dropout(stack, seeds)
    passes: dict[int, _Pass] = {}
    losses = torch.zeros(epochs, members)
    totals = [torch.zeros_like(p, dtype=torch.float64) for p in [*weights, *biases]]
    bar = tqdm(
        range(epochs),
        desc=progress,
        unit="epoch",
        delay=2,
        leave=False,
        disable=progress is None or os.environ.get("DISTILL_PROGRESS") == "off",
    )
    with torch.no_grad(), _as_it_was_after_an_error(stack), _flushed_denormals():
        for epoch in bar:
            shuffled = torch.stack([_shuffle(order, rows.shape[-1]) for order in orders])
            taken = rows.expand(members, -1).gather(1, shuffled)
            batches = taken.split(batch_size, dim=1)
            for batch in batches:
                size = batch.shape[1]
                if size not in passes:
                    passes[size] = _Pass(weights, biases, dropout.make_masks(size), size)
                step = passes[size]
                torch.index_select(x, 0, (batch + first_row).flatten(), out=step.inputs)
                dropout.draw(step.masks)
                logits = step.forward()
                loss, gradient = _objective_gradient(objective, logits, batch)
                step.backward(gradient, dropout.scales)
                updates.step()
                losses[epoch] += loss
            losses[epoch] /= len(batches)
            _warn_diverged(losses[epoch], epoch)
            if average_last > 1 and epoch >= epochs - average_last:
                for total, parameter in zip(totals, [*weights, *biases], strict=True):
                    total += parameter
        if average_last > 1:
            for total, parameter in zip(totals, [*weights, *biases], strict=True):
                parameter.copy_(total / average_last)
    return History(losses)


@contextmanager
def _as_it_was_after_an_error(stack: Stack) -> Iterator[None]:
    """Put the weights back where an objective breaks down; an interrupted run keeps what it has."""
    before = [parameter.detach().clone() for parameter in stack.parameters()]
    try:
        yield
    except Exception:
        for parameter, old in zip(stack.parameters(), before, strict=True):
            parameter.detach().copy_(old)
        raise


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Let numbers below 1e-38 be 0 in this thread, and put back what was.

    Adam's moments of units that have died sink there and stay, and some processors compute with
    such numbers many times slower. OpenMP's workers keep what they have: see benchmarks/README.md.
    """
    # torch has no getter.
    was_set = bool(torch.tensor(1e-39) * 1 == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_set)


def batch_orders(seed: int, num_rows: int, epochs: int) -> Iterator[Tensor]:
    """Yield the order in which a member with `seed` sees its rows, epoch by epoch.

    For a plain loop over the batches that `fit` uses: ``order.split(batch_size)``.

    Examples
    --------
    >>> [sorted(order.tolist()) for order in batch_orders(0, 3, 2)]
    [[0, 1, 2], [0, 1, 2]]
    """
    stream = _stream(seed, "order")
    for _ in range(epochs):
        yield _shuffle(stream, num_rows)


class _Pass:
    """Forward and backward pass of all members for one batch size, in buffers made once.

    Layers are held as ``(M, features, B)``, samples last: so the products stay wide where a layer
    is narrow (two classes). Buffers, because fresh memory for each step costs as much as a product.
    """

    def __init__(
        self, weights: list[Tensor], biases: list[Tensor], masks: list[Tensor | None], batch: int
    ) -> None:
        self.weights, self.biases, self.masks = weights, biases, masks
        members = len(weights[0])
        widths = [weights[0].shape[2], *(weight.shape[1] for weight in weights)]
        self.inputs = torch.empty(members * batch, widths[0])
        self.layers = [
            self.inputs.view(members, batch, -1).transpose(1, 2),
            *(torch.empty(members, width, batch) for width in widths[1:]),
        ]
        self.gradients = [torch.empty(members, width, batch) for width in widths[1:-1]]

    def forward(self) -> Tensor:
        """Compute the logits ``(M, C, B)`` of what lies in `inputs`, under `masks`."""
        for depth, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = self.layers[depth + 1]
            torch.baddbmm(bias.unsqueeze(2), weight, self.layers[depth], out=z)
            if depth < len(self.masks):
                z.relu_()
                mask = self.masks[depth]
                if mask is not None:
                    z.mul_(mask)
        return self.layers[-1]

    def backward(self, gradient: Tensor, scales: list[float]) -> None:
        """Write the gradients of weights and biases, from the one for the logits ``(M, C, B)``."""
        for depth in reversed(range(len(self.weights))):
            below = self.layers[depth]
            torch.bmm(gradient, below.transpose(1, 2), out=self.weights[depth].grad)
            torch.sum(gradient, 2, out=self.biases[depth].grad)
            if depth:
                passed = self.gradients[depth - 1]
                torch.bmm(self.weights[depth].transpose(1, 2), gradient, out=passed)
                # A unit that ReLU or dropout put to zero passes nothing back.
                torch.ops.aten.threshold_backward.grad_input(passed, below, 0, grad_input=passed)
                if scales[depth - 1] != 1.0:
                    passed.mul_(scales[depth - 1])
                gradient = passed


def _objective_gradient(
    objective: Objective, logits: Tensor, rows: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the loss of each member and its gradient for the logits ``(M, C, B)``."""
    if isinstance(objective, KnownObjective):
        # Autograd would cost a seventh of a student's step.
        loss, gradient = objective.with_gradient(logits, rows)
        return loss.to(logits.dtype), gradient.to(logits.dtype)
    with torch.enable_grad():
        z = logits.transpose(1, 2).detach().requires_grad_()
        loss = objective(z, rows)
        if loss.shape != z.shape[:1]:
            raise ValueError(
                f"the objective returned shape {tuple(loss.shape)}; it must return one loss a "
                f"member, ({len(z)},), the mean over the batch"
            )
        if not loss.requires_grad:
            raise ValueError(
                "the objective's loss does not depend on the logits; there is nothing to train. "
                "Look for .detach(), .item(), argmax or torch.no_grad() in it."
            )
        (gradient,) = torch.autograd.grad(loss.sum(), z)
    return loss.detach(), gradient.transpose(1, 2)


def every_member(loss_fn: Callable[..., Tensor], *stacked: Tensor) -> Tensor:
    """Apply the loss of an ordinary loop to every member: ``(M,)`` from arguments ``(M, ...)``.

    All members at once where the loss can be batched, else one after another: a mask, an ``if``,
    ``.item()`` or dropout inside it need numbers, not a batch of them.

    Parameters
    ----------
    loss_fn : callable
        From tensors without the member axis to one number.
    *stacked : Tensor
        Its arguments, members first.

    Raises
    ------
    TypeError
        If the loss is no tensor.

    Examples
    --------
    >>> def kept(z, y):
    ...     return torch.nn.functional.cross_entropy(z[y > 0], y[y > 0])
    >>> every_member(kept, torch.zeros(2, 3, 4), torch.tensor([[0, 1, 2], [3, 0, 0]]))
    tensor([1.3863, 1.3863])
    """
    with warnings.catch_warnings():
        # kl_div has no batched form and is looped over, which is all that the warning says.
        warnings.filterwarnings("ignore", "There is a performance drop")
        with suppress(Exception):  # what is wrong with the loss itself, it says again below
            return torch.func.vmap(loss_fn)(*stacked)
    losses = [loss_fn(*arguments) for arguments in zip(*stacked, strict=True)]
    for loss in losses:
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"the loss is a {type(loss).__name__}; it must be a tensor of one number that "
                "depends on the student's logits. Leave out .item()."
            )
    return torch.stack(losses)


class _Dropout:
    """Each member's own stream of dropout masks; 16 bits a unit."""

    def __init__(self, stack: Stack, seeds: Sequence[int]) -> None:
        self.widths = stack.sizes[1:-1]
        # torch's own dropout on a CPU costs more than the matrix products at these sizes.
        self.thresholds = [round((1 - rate) * 2**16) for rate in stack.dropout]
        self.scales = [2**16 / threshold for threshold in self.thresholds]
        self.streams = [_stream(seed, "dropout") for seed in seeds] if any(stack.dropout) else []

    def make_masks(self, batch: int) -> list[Tensor | None]:
        """Make room for one mask ``(M, width, B)`` a hidden layer, None where nothing drops."""
        return [
            torch.empty(len(self.streams), width, batch) if threshold < 2**16 else None
            for width, threshold in zip(self.widths, self.thresholds, strict=True)
        ]

    def draw(self, masks: list[Tensor | None]) -> None:
        """Fill masks with 0, or with 1 / (1 - rate)."""
        units = sum(mask[0].numel() for mask in masks if mask is not None)
        if not units:
            return
        words = np.empty((len(self.streams), -(-units // 4)), np.uint64)
        for row, stream in zip(words, self.streams, strict=True):
            row[:] = stream.random_raw(len(row))
        bits = words.view(np.uint16)
        start = 0
        for mask, threshold, scale in zip(masks, self.thresholds, self.scales, strict=True):
            if mask is not None:
                stop = start + mask[0].numel()
                keep = bits[:, start:stop] < threshold
                # By way of bytes: torch turns booleans into floats seven times slower.
                mask.copy_(torch.from_numpy(keep.view(np.uint8)).view(mask.shape)).mul_(scale)
                start = stop


def _stream(seed: int, purpose: str) -> np.random.SFC64:
    """Make the random stream that a member's seed gives for one purpose."""
    return np.random.SFC64([seed, {"order": 0, "dropout": 1}[purpose]])


def _shuffle(stream: np.random.SFC64, num_rows: int) -> Tensor:
    return torch.from_numpy(np.random.Generator(stream).permutation(num_rows))


def _take(values: Tensor, rows: Tensor, dims: int) -> Tensor:
    """Take rows ``(M, B)`` of values shared by all members (`dims` axes) or one set a member."""
    flat = rows
    if values.dim() > dims:
        flat = rows + torch.arange(len(rows)).unsqueeze(1) * values.shape[1]
        values = values.flatten(0, 1)
    # index_select is several times faster than values[rows].
    return values.index_select(0, flat.flatten()).view(*rows.shape, *values.shape[1:])


def _count(value: object) -> int | None:
    """How many members a setting speaks of, where it speaks of one after another."""
    if isinstance(value, np.ndarray | Tensor):
        return len(value) if value.ndim else None
    return len(value) if isinstance(value, Sequence) else None


def _check_targets(
    name: str, values: Tensor, dims: int, members: int, num_rows: int, num_classes: int = 0
) -> None:
    """Refuse targets that are not one a training row, shared or one set a member."""
    row = (num_rows, num_classes)[:dims]
    if values.shape not in (row, (members, *row)):
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}; this task has {num_rows} training rows, the "
            f"stack {members} members: it must be {row}, or one set a member, {(members, *row)}"
        )


def _check_settings(members: int, **settings: float | Tensor) -> None:
    for name, value in settings.items():
        if isinstance(value, Tensor) and len(value) != members:
            raise ValueError(
                f"{name} has {len(value)} values for {members} members; give one number, or "
                "one a member"
            )


def _weigh(
    alpha: float | Tensor,
    soft: tuple[Tensor, Tensor],
    hard: tuple[Tensor, Tensor],
    scale: float | Tensor = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return value and gradient of alpha times the soft term and the rest times the hard one."""
    weights = (scale * alpha, scale * (1 - alpha))
    value = weights[0] * soft[0] + weights[1] * hard[0]
    a, b = (w[:, None, None] if isinstance(w, Tensor) else w for w in weights)
    return value, soft[1].mul_(a).add_(b * hard[1])


def _optimiser(
    name: str, parameters: list[Tensor], learning_rate: list[float], weight_decay: list[float]
) -> torch.optim.Optimizer:
    """One parameter group for each run of members with equal settings."""
    settings = list(zip(learning_rate, weight_decay, strict=True))
    starts = [i for i in range(len(settings)) if i == 0 or settings[i] != settings[i - 1]]
    groups = []
    for start, stop in zip(starts, [*starts[1:], len(settings)], strict=True):
        members = [parameter[start:stop] for parameter in parameters]
        for part, parameter in zip(members, parameters, strict=True):
            assert parameter.grad is not None
            part.grad = parameter.grad[start:stop]
        rate, decay = settings[start]
        groups.append({"params": members, "lr": rate, "weight_decay": decay})
    if name == "adam":
        return torch.optim.Adam(groups, fused=True)
    if name == "adamw":
        return torch.optim.AdamW(groups, fused=True)
    return torch.optim.SGD(groups, momentum=0.9 if name == "momentum" else 0.0, fused=True)


def _gather_inputs(tasks: list[Task], stack: Stack) -> tuple[Tensor, Tensor, int]:
    """Return all inputs under one another, each member's first row ``(M, 1)``, rows a member."""
    members = stack.num_members
    if len(tasks) not in (1, members):
        raise ValueError(f"{len(tasks)} tasks for {members} members; give one, or one a member")
    distinct = list({id(task): task for task in tasks}.values())
    num_rows = len(distinct[0].x_train)
    for task in distinct:
        if task.x_train.shape != (num_rows, stack.sizes[0]):
            raise ValueError(
                f"task {task.name} has training inputs {tuple(task.x_train.shape)}; all must be "
                f"({num_rows}, {stack.sizes[0]}), the stack's features"
            )
        if task.x_train.dtype != torch.float32:
            raise TypeError(
                f"task {task.name} has training inputs of {task.x_train.dtype}; they must be "
                "torch.float32. Use replace(task, x_train=task.x_train.float())."
            )
        if task.num_classes != stack.sizes[-1]:
            raise ValueError(
                f"task {task.name} has {task.num_classes} classes, the stack {stack.sizes[-1]} "
                "outputs; build the stack with sizes that end in the number of classes"
            )
    position = {id(task): index for index, task in enumerate(distinct)}
    first_row = torch.tensor([position[id(task)] * num_rows for task in tasks])
    x = torch.cat([task.x_train for task in distinct])
    return x, first_row.expand(members).unsqueeze(1), num_rows


def _check_rows(rows: Tensor | None, members: int, num_rows: int) -> Tensor:
    if rows is None:
        return torch.arange(num_rows)
    rows = _checks.tensor(rows, "rows")
    if rows.dtype != torch.int64 or rows.dim() not in (1, 2) or rows.shape[-1] == 0:
        raise ValueError(
            f"rows is {rows.dtype} of shape {tuple(rows.shape)}; it must hold int64 row numbers, "
            f"(n,) or ({members}, n). For a mask use rows.nonzero().flatten()."
        )
    if rows.dim() == 2 and len(rows) != members:
        raise ValueError(f"rows for {len(rows)} members, the stack has {members}; one set a member")
    if rows.min() < 0 or rows.max() >= num_rows:
        raise ValueError(
            f"rows go from {rows.min()} to {rows.max()}; the training part has rows 0 to "
            f"{num_rows - 1}"
        )
    return rows


def _check_stack(stack: Stack) -> None:
    if stack.weights[0].dtype != torch.float32:
        raise TypeError(f"the stack is {stack.weights[0].dtype}; call stack.float() first")
    for name, parameter in stack.named_parameters():
        if not parameter.requires_grad:
            raise ValueError(
                f"the stack's {name} is frozen (requires_grad=False); fit trains every layer. "
                "Call stack.requires_grad_() first."
            )
        if not parameter.isfinite().all():
            raise ValueError(
                f"the stack's {name} is not finite; fit needs weights that are. Build the stack "
                "again, and look at what it was trained on."
            )


def _warn_diverged(loss: Tensor, epoch: int) -> None:
    lost = torch.nonzero(~torch.isfinite(loss)).flatten().tolist()
    if lost:
        warnings.warn(
            f"the loss of members {lost} is not finite in epoch {epoch + 1}; lower their "
            "learning rate, or look at their data",
            RuntimeWarning,
            stacklevel=3,
        )

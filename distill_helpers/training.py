"""Train a whole stack of networks as one tensor program.

The loop is the ordinary one: shuffled batches, a loss, an optimiser. Only the member axis is new.
Forward and backward pass are a few batched matrix products a step, written out, for at the book's
sizes an autograd graph and its allocations would cost as much as the arithmetic.
"""

from __future__ import annotations

import copy
import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
    with_log,
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
        _checks.one_a_row("labels", self.labels, 1, members, num_rows)
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
        # Of every member, so of any part of them too.
        self._soft_alone = bool((torch.as_tensor(self.alpha) == 1).all())
        self._unscaled = bool((torch.as_tensor(self.scale) == 1).all())
        self._with_log: Tensor | None = None
        self._which: Tensor | None = None

    def check(self, members: int, num_rows: int, num_classes: int, rows: Tensor) -> None:
        """Raise where the targets are for other rows, members or classes; `fit` asks first."""
        _checks.one_a_row("soft_targets", self.soft_targets, 2, members, num_rows, num_classes)
        _checks.one_a_row("labels", self.labels, 1, members, num_rows)
        _check_settings(members, temperature=self.temperature, alpha=self.alpha, scale=self.scale)

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        targets = _take(self.soft_targets, rows, 2)
        soft = tempered_kl(logits, targets, self.temperature, members=True)
        hard = cross_entropy(logits, _take(self.labels, rows, 1), members=True)
        return self.scale * (self.alpha * soft + (1 - self.alpha) * hard)

    def with_gradient(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same, and its gradient, for logits ``(M, C, B)``."""
        p, log_p = self._targets_of(rows).chunk(2, 1)
        soft = kl_and_gradient(logits, p, self.temperature, log_p)
        if self._soft_alone and self._unscaled:
            return soft
        hard = cross_entropy_and_gradient(logits, _take(self.labels, rows, 1))
        return _weigh(self.alpha, soft, hard, self.scale)

    def _targets_of(self, rows: Tensor) -> Tensor:
        """Take soft targets and their logs, ``(M, 2C, B)``, or ``(1, 2C, B)`` where one does."""
        if self._with_log is None:
            self.prepare()
        assert self._with_log is not None
        if not _same_for_all(rows):
            values = self._with_log[0] if self._which is None else self._with_log
            return _take(values, rows, 2, self._which).mT.contiguous()
        found = self._with_log.index_select(1, rows[0]).mT.contiguous()
        return found if self._which is None else found.index_select(0, self._which)

    def prepare(self) -> None:
        """Do what is done once: every row is met again in every epoch.

        Members often share their targets (a grid of rates), which are then kept once.
        """
        own = self.soft_targets if self.soft_targets.dim() == 3 else self.soft_targets[None]
        places, which = _distinct(own)
        self._which = which if self.soft_targets.dim() == 3 else None
        self._with_log = torch.cat(with_log(own[places].mT), -2).mT.contiguous()


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
        _checks.one_a_row("teacher_logits", self.teacher_logits, 2, members, num_rows, num_classes)
        _checks.one_a_row("labels", self.labels, 1, members, num_rows)
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
    with _one_thread(objective) as threads:
        members = stack.num_members
        tasks = [task] if isinstance(task, Task) else list(task)
        x, first_row, num_rows = _gather_inputs(tasks, stack)
        epochs = _checks.whole("epochs", epochs, 1, "Use 30.")
        batch_size = _checks.whole("batch_size", batch_size, 1, "Use 64.")
        average_last = _checks.whole("average_last", average_last, 1, "1 averages nothing.")
        if average_last > epochs:
            raise ValueError(
                f"average_last is {average_last}; it must be at most epochs, {epochs}. A quarter "
                "of them is usual."
            )
        if optimiser not in OPTIMISERS:
            known = ", ".join(map(repr, OPTIMISERS))
            raise ValueError(f"optimiser is {optimiser!r}; it must be one of {known}")
        _check_stack(stack)
        seeds = _checks.seeds(seeds, members)
        rows = _check_rows(rows, members, num_rows)
        rates = _checks.rate(learning_rate, members, "learning_rate", above_zero=True)
        decays = _checks.rate(weight_decay, members, "weight_decay", above_zero=False)
        if check := getattr(objective, "check", None):
            check(members, num_rows, stack.sizes[-1], rows)
        if not x.isfinite().all() and not x[(rows + first_row).unique()].isfinite().all():
            raise ValueError(
                "x_train holds numbers that are not finite in rows to train on; all must be. Leave "
                "those rows out, or fill them in."
            )
        if isinstance(objective, Distillation):
            objective.prepare()  # before it is shared out
        threads = _worth(threads, stack, min(batch_size, rows.shape[-1]))
        settings = list(zip(rates, decays, strict=True))
        parts = [
            _Part(
                _Layers(stack, members_of, _bounds(settings)),
                _Dropout(stack, seeds[members_of]),
                _of_members(objective, members_of),
                optimiser,
                settings,
                seeds[members_of],
                x,
                first_row[members_of],
                rows if rows.dim() == 1 else rows[members_of],
                batch_size,
            )
            for members_of in _share(members, objective, threads)
        ]
        losses = torch.zeros(epochs, members)
        weights = [parameter.detach() for parameter in stack.parameters()]
        totals = [torch.zeros_like(w, dtype=torch.float64) for w in weights if average_last > 1]
        bar = tqdm(
            range(epochs),
            desc=progress,
            unit="epoch",
            delay=2,
            leave=False,
            disable=progress is None or os.environ.get("DISTILL_PROGRESS") == "off",
        )
        with (
            _as_it_was_after_an_error(stack),
            _side_by_side(objective, len(parts), threads) as train,
        ):
            for epoch in bar:
                losses[epoch] = torch.cat(train(parts))
                _warn_diverged(losses[epoch], epoch)
                if epoch >= epochs - average_last:
                    for total, weight in zip(totals, weights, strict=False):
                        total += weight
            for total, weight in zip(totals, weights, strict=False):
                weight.copy_(total / average_last)
        return History(losses)


@contextmanager
def _one_thread(objective: Objective) -> Iterator[int]:
    """Hold this thread to one of torch's while members train; yield how many they have to share.

    OpenMP's workers go on spinning after a call, and would take the time of those that train. In
    an objective of the caller's own, which is not shared out, they meet in each of its small
    calls: beside a busy neighbour that took fifty times as long as one thread.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads if isinstance(objective, KnownObjective) else 1
    finally:
        # Not only where it was changed: new threads start with the number that any set last.
        torch.set_num_threads(threads)


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
    such numbers many times slower. OpenMP's workers keep what they were started with.
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


LEAST_WORK = 32e6
"""Floating-point operations a step that are worth a thread."""


def _worth(threads: int, stack: Stack, batch: int) -> int:
    """Return how many threads have enough to do: waiting for one another is dear."""
    work = 6 * stack.num_parameters * batch
    return int(min(threads, max(1, work // LEAST_WORK)))


def _share(members: int, objective: Objective, threads: int) -> list[slice]:
    """Share the members out, one part a thread; an objective of the caller's wants them all."""
    parts = min(threads, members) if isinstance(objective, KnownObjective) else 1
    bounds = [members * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


@contextmanager
def _side_by_side(
    objective: Objective, parts: int, threads: int
) -> Iterator[Callable[[list[_Part]], list[Tensor]]]:
    """Yield what trains all parts for an epoch, each in a thread with its share of torch's threads.

    Two threads that meet once an epoch, not in every call, lose little to a busy neighbour. And
    what OpenMP starts from a thread takes over that denormal numbers are 0. An objective of the
    caller's is called in the caller's thread, where its contexts are.
    """
    if threads == 1 or not isinstance(objective, KnownObjective):
        with torch.no_grad(), _flushed_denormals():
            yield lambda all_of_them: [part.epoch() for part in all_of_them]
        return

    def epoch(part: _Part) -> Tensor:
        # Each of these is a thread's own.
        torch.set_num_threads(threads // parts)
        torch.set_flush_denormal(True)
        with torch.no_grad():
            return part.epoch()

    with ThreadPoolExecutor(parts) as pool:
        yield lambda all_of_them: list(pool.map(epoch, all_of_them))


class _Part:
    """Some members and all that trains them."""

    def __init__(
        self,
        layers: _Layers,
        dropout: _Dropout,
        objective: Objective,
        optimiser: str,
        settings: list[tuple[float, float]],
        seeds: Sequence[int],
        x: Tensor,
        first_row: Tensor,
        rows: Tensor,
        batch_size: int,
    ) -> None:
        self.layers, self.dropout, self.objective = layers, dropout, objective
        self.updates = _Updates(optimiser, layers.runs, settings)
        self.x, self.batch_size = x, batch_size
        self.first_row = first_row if first_row.any() else None
        self.rows = rows.expand(len(seeds), -1)
        # Equal seeds draw equal orders; one of each is enough.
        distinct = list(dict.fromkeys(seeds))
        self.orders = [_stream(seed, "order") for seed in distinct]
        self.order_of = torch.tensor([distinct.index(seed) for seed in seeds])
        # An objective of the caller's gets a tensor of its own, not a view that it must not write.
        self.alike = (
            len(distinct) == 1
            and self.first_row is None
            and isinstance(objective, KnownObjective)
            and bool((self.rows == self.rows[0]).all())
        )
        self.passes: dict[int, _Pass] = {}

    def epoch(self) -> Tensor:
        """Train for one epoch; return the mean over its batches of each member's loss ``(M,)``."""
        num_rows = self.rows.shape[1]
        shuffled = torch.stack([_shuffle(order, num_rows) for order in self.orders])
        if self.alike:
            ordered = self.rows[0][shuffled].expand(len(self.rows), -1)
        else:
            ordered = self.rows.gather(1, shuffled[self.order_of])
        batches = torch.split(ordered, self.batch_size, 1)
        losses = torch.zeros(len(self.rows))
        for batch in batches:
            size = batch.shape[1]
            if size not in self.passes:
                self.passes[size] = _Pass(self.layers, self.dropout, size)
            step = self.passes[size]
            rows = batch if self.alike else batch.contiguous()
            if self.alike:
                # Copied out, for a view of one batch would make MKL round some products otherwise.
                inputs = self.x.index_select(0, rows[0])
                step.inputs.view(len(rows), *inputs.shape).copy_(inputs)
            else:
                places = rows if self.first_row is None else rows + self.first_row
                torch.index_select(self.x, 0, places.view(-1), out=step.inputs)
            self.dropout.draw(step.masks)
            loss, gradient = _objective_gradient(self.objective, step.forward(), rows)
            step.backward(gradient)
            self.updates.step()
            losses.add_(loss)
        self.layers.put_back()
        return losses.div_(len(batches))


LANES = 16
"""Numbers that a processor takes at once, at most (AVX-512)."""


class _Layers:
    """Weights, biases and gradients of some members, and the views of them that a step needs.

    torch's fused optimisers take `LANES` numbers at once and what is left over at a tensor's end
    one by one, which rounds differently. So where members train in several parts, a part's copy
    begins and ends with as many zeros as it takes for every number to stand where it stands in the
    whole: weights are the same bits for any number of threads.

    Attributes
    ----------
    runs : list of (int, list of Tensor, list of Tensor)
        For each run of members of equal settings the first of them, and flat parameters and
        gradients.
    """

    def __init__(self, stack: Stack, members: slice, bounds: list[int]) -> None:
        whole = [parameter.detach() for parameter in (*stack.weights, *stack.biases)]
        alone = members == slice(0, stack.num_members)
        in_place = alone and all(parameter.is_contiguous() for parameter in whole)
        self.originals = [parameter[members] for parameter in whole]
        inside = [b for b in bounds if members.start < b < members.stop]
        first = max(b for b in bounds if b <= members.start)
        last = min(b for b in bounds if b >= members.stop)
        edges = [members.start, *inside, members.stop]
        values, gradients = [], []
        self.runs: list[tuple[int, list[Tensor], list[Tensor]]] = [
            (start, [], []) for start in edges[:-1]
        ]
        for original in self.originals:
            size = original[0].numel()
            before = (members.start - first) * size % LANES
            start_of_last = inside[-1] if inside else first
            after = min(
                -(members.stop - start_of_last) * size % LANES, (last - members.stop) * size
            )
            count = original.numel()
            flat = original.view(-1) if in_place else torch.zeros(before + count + after)
            flat_gradient = torch.zeros_like(flat)
            values.append(flat[before : before + count].view(original.shape))
            gradients.append(flat_gradient[before : before + count].view(original.shape))
            if not in_place:
                values[-1].copy_(original)
            cuts = [0, *(before + (b - members.start) * size for b in inside), len(flat)]
            for run, (start, stop) in zip(self.runs, itertools.pairwise(cuts), strict=True):
                run[1].append(flat[start:stop])
                run[2].append(flat_gradient[start:stop])
        depth = len(stack.weights)
        self.values, self.in_place = values, in_place
        self.weights, self.weight_gradients = values[:depth], gradients[:depth]
        self.bias_gradients = gradients[depth:]
        self.columns = [bias.unsqueeze(2) for bias in values[depth:]]
        self.turned = [weight.transpose(1, 2) for weight in self.weights]

    def put_back(self) -> None:
        """Write what was trained into the stack."""
        if not self.in_place:
            for original, value in zip(self.originals, self.values, strict=True):
                original.copy_(value)


def _bounds(settings: list[tuple[float, float]]) -> list[int]:
    """Return where runs of members with equal settings begin, and where the last one ends."""
    starts = [i for i in range(len(settings)) if i == 0 or settings[i] != settings[i - 1]]
    return [*starts, len(settings)]


class _Pass:
    """Forward and backward pass of all members for one batch size, in buffers made once.

    Layers are held as ``(M, features, B)``, samples last: so the products stay wide where a layer
    is narrow (two classes). Buffers, because fresh memory for each step costs as much as a product;
    and views made once, for at these sizes each call costs some per cent of a product as well.
    """

    def __init__(self, layers: _Layers, dropout: _Dropout, batch: int) -> None:
        self.layers, self.scales = layers, dropout.scales
        members, _, features = layers.weights[0].shape
        widths = [weight.shape[1] for weight in layers.weights]
        self.inputs = torch.empty(members * batch, features)
        self.masks = dropout.make_masks(batch)
        self.outputs = [torch.empty(members, width, batch) for width in widths]
        self.gradients = [torch.empty(members, width, batch) for width in widths[:-1]]
        inputs = self.inputs.view(members, batch, features)
        self.below = [inputs.transpose(1, 2), *self.outputs[:-1]]
        self.below_turned = [inputs, *(z.transpose(1, 2) for z in self.outputs[:-1])]

    def forward(self) -> Tensor:
        """Compute the logits ``(M, C, B)`` of what lies in `inputs`, under `masks`."""
        layers = self.layers
        for depth, z in enumerate(self.outputs):
            # baddbmm copies the bias over the whole batch first, which is dearer.
            torch.bmm(layers.weights[depth], self.below[depth], out=z)
            z.add_(layers.columns[depth])
            if depth < len(self.masks):
                z.relu_()
                mask = self.masks[depth]
                if mask is not None:
                    z.mul_(mask)
        return self.outputs[-1]

    def backward(self, gradient: Tensor) -> None:
        """Write the gradients of weights and biases, from the one for the logits ``(M, C, B)``."""
        layers = self.layers
        for depth in reversed(range(len(self.outputs))):
            torch.bmm(gradient, self.below_turned[depth], out=layers.weight_gradients[depth])
            torch.sum(gradient, 2, out=layers.bias_gradients[depth])
            if depth:
                passed = self.gradients[depth - 1]
                torch.bmm(layers.turned[depth], gradient, out=passed)
                # A unit that ReLU or dropout put to zero passes nothing back.
                _zero_where_off(passed, self.below[depth], 0, grad_input=passed)
                if self.scales[depth - 1] != 1.0:
                    passed.mul_(self.scales[depth - 1])
                gradient = passed


_zero_where_off = torch.ops.aten.threshold_backward.grad_input


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
        if len(set(seeds)) == 1:  # equal seeds draw equal masks
            seeds = seeds[:1]
        self.streams = [_stream(seed, "dropout") for seed in seeds] if any(stack.dropout) else []

    def make_masks(self, batch: int) -> list[Tensor | None]:
        """Make room for one mask ``(M, width, B)`` a hidden layer, None where nothing drops.

        ``(1, width, B)`` where all members have one seed.
        """
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


def _same_for_all(rows: Tensor) -> bool:
    """Tell whether rows ``(M, B)`` are one member's, shown M times."""
    return len(rows) > 1 and rows.stride(0) == 0


def _distinct(values: Tensor) -> tuple[list[int], Tensor]:
    """Return the places of the different ones of ``(M, ...)``, and which of them each is."""
    seen: dict[float, list[int]] = {}
    places: list[int] = []
    which = []
    for place, value in enumerate(values):
        alike = seen.setdefault(float(value.sum()), [])
        found = next((k for k in alike if torch.equal(values[places[k]], value)), None)
        if found is None:
            found = len(places)
            alike.append(found)
            places.append(place)
        which.append(found)
    return places, torch.tensor(which)


def _take(values: Tensor, rows: Tensor, dims: int, which: Tensor | None = None) -> Tensor:
    """Take rows ``(M, B)`` of values shared by all members (`dims` axes) or one set a member.

    `which` says whose set each member has, where that is not its own.
    """
    if _same_for_all(rows):
        if values.dim() > dims:
            return values.index_select(1, rows[0])
        return values.index_select(0, rows[0]).expand(*rows.shape, *values.shape[1:])
    flat = rows
    if values.dim() > dims:
        sets = torch.arange(len(rows)) if which is None else which
        flat = rows + sets.unsqueeze(1) * values.shape[1]
        values = values.flatten(0, 1)
    # index_select is several times faster than values[rows].
    return values.index_select(0, flat.flatten()).view(*rows.shape, *values.shape[1:])


def _count(value: object) -> int | None:
    """How many members a setting speaks of, where it speaks of one after another."""
    if isinstance(value, np.ndarray | Tensor):
        return len(value) if value.ndim else None
    return len(value) if isinstance(value, Sequence) else None


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


class _Updates:
    """An optimiser of torch's: its fused kernel, a call for each run of members of equal settings.

    Called without `torch.optim`, whose step costs a student's stack a third more than the kernel.
    """

    def __init__(
        self,
        name: str,
        runs: list[tuple[int, list[Tensor], list[Tensor]]],
        settings: list[tuple[float, float]],
    ) -> None:
        moments = 2 if name.startswith("adam") else int(name == "momentum")
        self.name, self.steps = name, torch.zeros(())
        self.groups = []
        for member, values, gradients in runs:
            state = [[torch.zeros_like(value) for value in values] for _ in range(moments)]
            self.groups.append((values, gradients, state, *settings[member]))

    def step(self) -> None:
        """Change the parameters by their gradients."""
        first = not self.steps
        self.steps.add_(1)
        for values, gradients, state, rate, decay in self.groups:
            if self.name.startswith("adam"):
                kernel = torch._fused_adam_ if self.name == "adam" else torch._fused_adamw_
                kernel(
                    values,
                    gradients,
                    state[0],
                    state[1],
                    [],
                    [self.steps] * len(values),
                    lr=rate,
                    beta1=0.9,
                    beta2=0.999,
                    weight_decay=decay,
                    eps=1e-8,
                    amsgrad=False,
                    maximize=False,
                )
            else:
                torch._fused_sgd_(
                    values,
                    gradients,
                    state[0] if state else [],
                    lr=rate,
                    momentum=0.9 if state else 0.0,
                    weight_decay=decay,
                    dampening=0.0,
                    nesterov=False,
                    maximize=False,
                    is_first_step=first,
                )


_OF_MEMBERS = {"labels": 1, "soft_targets": 2, "teacher_logits": 2, "_which": 0}
"""What an objective may hold of its own for each member, and its axes where all share it."""


def _of_members(objective: Objective, members: slice) -> Objective:
    """Return a known objective for some members; any other as it is, for all."""
    if not isinstance(objective, KnownObjective):
        return objective
    part = copy.copy(objective)
    own = {name: vars(objective)[name] for name in _OF_MEMBERS if name in vars(objective)}
    for name, value in own.items():
        if value is not None and value.dim() > _OF_MEMBERS[name]:
            setattr(part, name, value[members])
    for name in ("temperature", "alpha", "scale"):
        value = getattr(objective, name, None)
        if isinstance(value, Tensor):
            setattr(part, name, value[members])
    return part


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

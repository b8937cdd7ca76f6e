"""Recipes that several chapters share: teacher ensembles, and students taught in many ways.

The defaults are the article's: its teacher, its student, its optimiser.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from distill_helpers import cache, metrics
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task
from distill_helpers.training import Distillation, HardLabels, Matching, Objective, fit

TEACHER_HIDDEN = (256, 128, 64)
TEACHER_DROPOUT = (0.3, 0.3, 0.0)
STUDENT_HIDDEN = (64, 32)

Name = TypeVar("Name")


def member_seeds(random_state: int, role: str, set_index: int, count: int) -> list[int]:
    """Make the seeds of one set of networks; no two roles or sets share any by design.

    Parameters
    ----------
    random_state : int
        The chapter's.
    role : str
        ``"teacher"`` or ``"student"``.
    set_index : int
        Which set, from 0.
    count : int
        How many; the first of a longer list are the same.

    Examples
    --------
    >>> member_seeds(42, "teacher", 0, 3) == member_seeds(42, "teacher", 0, 5)[:3]
    True
    """
    sequence = np.random.SeedSequence([random_state, *role.encode(), set_index])
    return [int(seed) for seed in sequence.generate_state(count)]


def train_teachers(
    task: Task,
    *,
    ensemble_size: int = 12,
    epochs: int = 30,
    random_state: int = 42,
    set_index: int = 0,
    rows: Tensor | None = None,
    hidden: Sequence[int] = TEACHER_HIDDEN,
    dropout: Sequence[float] = TEACHER_DROPOUT,
    progress: str | None = None,
) -> Stack:
    """Train one ensemble of the article's teachers; cached.

    Parameters
    ----------
    task : Task
        Its training part is used.
    ensemble_size, epochs : int
        Members, and passes over the data.
    random_state, set_index : int
        Give the members' seeds (see `member_seeds`).
    rows : Tensor, optional
        Training rows to use: ``(n,)``, or one set a member ``(M, n)`` (see
        `distill_helpers.training.fit`).
    hidden, dropout : sequence
        Hidden widths, and the dropout rate after each.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    Stack
        `ensemble_size` members.
    """
    seeds = member_seeds(random_state, "teacher", set_index, ensemble_size)
    sizes = (task.x_train.shape[1], *hidden, task.num_classes)
    stack = Stack.build(sizes, seeds=seeds, dropout=dropout)

    def compute() -> dict[str, Tensor]:
        hard = HardLabels(task.y_train)
        fit(stack, task, hard, epochs=epochs, seeds=seeds, rows=rows, progress=progress)
        return dict(stack.state_dict())

    arguments = {
        "x": task.x_train,
        "y": task.y_train,
        "seeds": seeds,
        "epochs": epochs,
        "rows": rows,
        "hidden": list(hidden),
        "dropout": list(dropout),
    }
    stack.load_state_dict(cache.load_or_compute("teachers", arguments, compute))
    return stack


def cross_fitted_soft_targets(
    task: Task,
    *,
    folds: int = 10,
    ensemble_size: int = 12,
    temperature: float = 1.0,
    pooling: str = "logits",
    epochs: int = 30,
    random_state: int = 42,
    set_index: int = 0,
    hidden: Sequence[int] = TEACHER_HIDDEN,
    dropout: Sequence[float] = TEACHER_DROPOUT,
    progress: str | None = None,
) -> Tensor:
    """Make soft targets for the training rows with teachers that never saw the row; cached.

    For each fold an ensemble is trained on the other folds, and makes the targets of the fold's
    rows. All folds have the seeds of `train_teachers`, so they are paired with its ensemble. They
    train as one stack, or as two where the rows do not divide evenly by the folds. The cache
    holds logits, so another temperature or pooling trains nothing.

    Parameters
    ----------
    task : Task
        Its training part is used.
    folds : int
        Each ensemble sees the share ``1 - 1 / folds`` of the rows, every class alike (see
        `distill_helpers.tasks.Task.folds`).
    ensemble_size : int
        Members a fold, and so members a target.
    temperature, pooling
        See `distill_helpers.soft_targets.soft_targets`.
    epochs, random_state, set_index, hidden, dropout
        As in `train_teachers`.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    Tensor
        ``(N, C)``, one a training row.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed; before anything trains.

    Notes
    -----
    Dao et al. (2021). Used in chapter 02.
    """
    _check_pooling(task, temperature, pooling)
    seeds = member_seeds(random_state, "teacher", set_index, ensemble_size)
    sizes = (task.x_train.shape[1], *hidden, task.num_classes)
    splits = task.folds(folds, seed=member_seeds(random_state, "folds", set_index, 1)[0])

    def compute() -> dict[str, Tensor]:
        logits = torch.empty(ensemble_size, len(task.y_train), task.num_classes)
        for size in sorted({len(fit_rows) for fit_rows, _ in splits}):  # one apart at most
            group = [split for split in splits if len(split[0]) == size]
            every = seeds * len(group)
            stack = Stack.build(sizes, seeds=every, dropout=dropout)
            rows = torch.stack([fit_rows for fit_rows, _ in group])
            fit(
                stack,
                task,
                HardLabels(task.y_train),
                epochs=epochs,
                seeds=every,
                rows=rows.repeat_interleave(ensemble_size, 0),
                progress=progress,
            )
            for index, (_, held_out) in enumerate(group):
                members = slice(index * ensemble_size, (index + 1) * ensemble_size)
                logits[:, held_out] = stack[members].predict(task.x_train[held_out])
        return {"logits": logits}

    arguments = {
        "x": task.x_train,
        "y": task.y_train,
        "folds": folds,
        "random_state": random_state,
        "set_index": set_index,
        "ensemble_size": ensemble_size,
        "epochs": epochs,
        "hidden": list(hidden),
        "dropout": list(dropout),
    }
    made = cache.load_or_compute("cross-fitted", arguments, compute)
    return soft_targets(made["logits"], temperature, pooling)


def out_of_bag_soft_targets(
    task: Task,
    *,
    num_bags: int = 60,
    members_per_target: int | None = None,
    in_bag: bool = False,
    temperature: float = 1.0,
    pooling: str = "logits",
    epochs: int = 30,
    random_state: int = 42,
    set_index: int = 0,
    hidden: Sequence[int] = TEACHER_HIDDEN,
    dropout: Sequence[float] = TEACHER_DROPOUT,
    progress: str | None = None,
) -> Tensor:
    """Make soft targets for the training rows with bagged teachers whose bag missed it; cached.

    Each teacher is trained on its bag, as many rows drawn with replacement; a bag misses about
    37 % of the rows. Seeds are those of `train_teachers`, so the members are paired with its own.
    The cache holds the teachers, so another pooling, or the in-bag twin, trains nothing.

    Parameters
    ----------
    task : Task
        Its training part is used.
    num_bags : int
        Teachers; for `members_per_target` k some 5 k + 25 are enough.
    members_per_target : int, optional
        Pool just so many: of the teachers that may serve a row, the first. All of them where left
        out, so more for some rows than for others.
    in_bag : bool
        Use the teachers that did see the row instead: the in-sample twin.
    temperature, pooling
        See `distill_helpers.soft_targets.soft_targets`.
    epochs, random_state, set_index, hidden, dropout
        As in `train_teachers`.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    Tensor
        ``(N, C)``, one a training row.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, or a row has too few teachers; before anything trains.

    Notes
    -----
    Breiman (1996) for bags and what they miss. Used in chapter 02.
    """
    _check_pooling(task, temperature, pooling)
    bags = draw_bags(len(task.y_train), member_seeds(random_state, "bag", set_index, num_bags))
    sees = torch.zeros(num_bags, len(task.y_train), dtype=torch.bool).scatter_(1, bags, True)
    serves = sees if in_bag else ~sees
    counts = serves.sum(0)
    needed = 1 if members_per_target is None else members_per_target
    if needed < 1:
        raise ValueError(f"members_per_target is {needed}; it must be 1 or more, or left out")
    if counts.min() < needed:
        where = "in" if in_bag else "outside"
        raise ValueError(
            f"num_bags is {num_bags}; every row must be {where} {needed} bags or more, and one is "
            f"{where} {counts.min()}. Draw {5 * needed + 25} or more, or ask for fewer members a "
            f"target"
        )
    if members_per_target is not None:
        counts = torch.full_like(counts, members_per_target)
    logits = train_teachers(
        task,
        ensemble_size=num_bags,
        epochs=epochs,
        random_state=random_state,
        set_index=set_index,
        rows=bags,
        hidden=hidden,
        dropout=dropout,
        progress=progress,
    ).predict(task.x_train)
    # Members that serve a row first, in order.
    ranked = torch.argsort(serves.to(torch.int8), dim=0, descending=True, stable=True)
    targets = torch.empty_like(logits[0])
    for count in counts.unique():
        rows = torch.nonzero(counts == count).flatten()
        targets[rows] = soft_targets(logits[ranked[:count, rows], rows], temperature, pooling)
    return targets


def draw_bags(num_rows: int, seeds: Sequence[int]) -> Tensor:
    """Draw a bag of rows with replacement for each seed, ``(len(seeds), num_rows)``.

    Examples
    --------
    >>> draw_bags(1000, [3]).unique().numel() / 1000  # about 1 - 1 / e
    0.643
    """
    bags = [np.random.default_rng(seed).integers(num_rows, size=num_rows) for seed in seeds]
    return torch.from_numpy(np.stack(bags))


def _check_pooling(task: Task, temperature: float, pooling: str) -> None:
    """Refuse before training what `soft_targets` would refuse after it."""
    soft_targets(torch.zeros(1, 1, task.num_classes), temperature, pooling)


@dataclass(frozen=True)
class Knobs:
    """What can be tuned in an arm; the defaults are the article's, and 0.1 for smoothing.

    Attributes
    ----------
    temperature, alpha : float
        Of the distillation objective.
    smoothing : float
        Share of the label given to all classes alike, for the label-smoothing arm.
    learning_rate, weight_decay : float
        Of Adam.
    """

    temperature: float = 3.0
    alpha: float = 0.7
    smoothing: float = 0.1
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4


def draw_knobs(count: int, seed: int) -> list[Knobs]:
    """Draw settings for a random search; the first are the defaults.

    Log-uniform: learning rate 3e-4 to 1e-2, weight decay 1e-5 to 1e-2, temperature 1 to 10,
    smoothing 0.01 to 0.5. Uniform: alpha 0.3 to 1.

    Examples
    --------
    >>> draw_knobs(2, seed=0)[0] == Knobs()
    True
    """
    rng = np.random.default_rng(seed)

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    drawn = [
        Knobs(
            temperature=log_uniform(1, 10),
            alpha=float(rng.uniform(0.3, 1)),
            smoothing=log_uniform(0.01, 0.5),
            learning_rate=log_uniform(3e-4, 1e-2),
            weight_decay=log_uniform(1e-5, 1e-2),
        )
        for _ in range(count - 1)
    ]
    return [Knobs(), *drawn]


@dataclass(frozen=True)
class Arm:
    """One way to teach a student: an arm of an experiment.

    Attributes
    ----------
    soft_targets : Tensor
        ``(N, C)``, one a training row.
    temperature, alpha : float
        Of the objective. Plain cross-entropy to any targets is temperature 1 and alpha 1.
    learning_rate, weight_decay : float
        Of the optimiser.
    rows : Tensor, optional
        Training rows to use, ``(n,)``; all where left out. Equal in number across arms.
    task : Task, optional
        With training inputs and labels of its own, as many as the others'.
    scale : float
        A factor on the objective.
    hidden : tuple of int, optional
        Hidden widths of this arm's students, as many as the others have; those that the training
        names where left out.
    """

    soft_targets: Tensor
    temperature: float = 1.0
    alpha: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    rows: Tensor | None = None
    task: Task | None = None
    scale: float = 1.0
    hidden: tuple[int, ...] | None = None


def hard_arm(task: Task) -> Arm:
    """Plain cross-entropy to the labels: the article's baseline."""
    return Arm(smoothed_labels(task.y_train, task.num_classes))


def smoothed_labels(labels: Tensor, num_classes: int, smoothing: float = 0.0) -> Tensor:
    """Give every class an equal share of `smoothing`, and the rest to the label.

    Examples
    --------
    >>> smoothed_labels(torch.tensor([0, 1]), 2, 0.2)
    tensor([[0.9000, 0.1000],
            [0.1000, 0.9000]])
    """
    if not 0.0 <= smoothing <= 1.0:
        raise ValueError(f"smoothing is {smoothing}; it is a share from 0 (one-hot) to 1 (uniform)")
    one_hot = torch.nn.functional.one_hot(labels, num_classes).to(torch.float32)
    return (1 - smoothing) * one_hot + smoothing / num_classes


def noisy_labels(labels: Tensor, num_classes: int, share: float, seed: int) -> Tensor:
    """Draw a share of the labels anew, uniformly over all classes.

    Parameters
    ----------
    labels : Tensor
        ``(N,)``.
    num_classes : int
        C; a label that is drawn anew stays as it was in one case in C.
    share : float
        The probability that a label is drawn anew, from 0 to 1.
    seed : int
        Of the draws. A label that changes at one share also changes at every larger one.

    Examples
    --------
    >>> noisy_labels(torch.zeros(8, dtype=torch.int64), 3, 0.5, seed=1)
    tensor([0, 0, 2, 0, 1, 0, 1, 0])
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share is {share}; it is a probability from 0 (clean) to 1 (all drawn)")
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(len(labels), generator=generator) < share
    anew = torch.randint(num_classes, labels.shape, generator=generator)
    return torch.where(drawn, anew, labels)


def permute_within_class(targets: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Deal the soft targets out anew among the samples of one label.

    What a target says of *its* sample is lost; how sure the teacher is of a class on average, and
    how that varies, stays.

    Parameters
    ----------
    targets : Tensor
        ``(N, C)``.
    labels : Tensor
        ``(N,)``; only rows of equal label are exchanged.
    seed : int
        Of the permutation.
    """
    generator = torch.Generator().manual_seed(seed)
    dealt = targets.clone()
    for label in labels.unique():
        rows = torch.nonzero(labels == label).flatten()
        dealt[rows] = targets[rows[torch.randperm(len(rows), generator=generator)]]
    return dealt


@dataclass(frozen=True)
class Lesson:
    """What the arms of a ladder are made from.

    Attributes
    ----------
    task : Task
        Its training labels; its posterior where the law is known.
    teacher_logits : Tensor
        Of the ensemble on the training inputs, ``(M, N, C)``.
    seed : int
        Of the permuted arm.
    rows : Tensor, optional
        Training rows that the students will see, ``(n,)``; all where left out. What an arm takes
        from a distribution over samples, it takes from these.
    """

    task: Task
    teacher_logits: Tensor
    seed: int = 0
    rows: Tensor | None = None

    def pooled(self, temperature: float) -> Tensor:
        """Return the ensemble's soft targets."""
        return soft_targets(self.teacher_logits, temperature, "logits")

    def one_hot(self, labels: Tensor | None = None, smoothing: float = 0.0) -> Tensor:
        """Return the labels, or other classes, as targets."""
        chosen = self.task.y_train if labels is None else labels
        return smoothed_labels(chosen, self.task.num_classes, smoothing)

    def matched_smoothing(self, temperature: float) -> float:
        """Return the smoothing that gives every label what the ensemble gives it on average."""
        seen = slice(None) if self.rows is None else self.rows
        labels = self.task.y_train.unsqueeze(1)
        given = self.pooled(temperature).gather(1, labels)[seen].mean().item()
        # A teacher below chance would ask for more than all.
        return min(1.0, (1 - given) * self.task.num_classes / (self.task.num_classes - 1))

    def permuted(self, temperature: float) -> Tensor:
        """Return the ensemble's soft targets, dealt out anew (see `permute_within_class`)."""
        targets = self.pooled(temperature)
        seen = slice(None) if self.rows is None else self.rows
        targets[seen] = permute_within_class(targets[seen], self.task.y_train[seen], self.seed)
        return targets

    def bayes_argmax(self) -> Tensor:
        """Return the most probable class of each training row, by the exact posterior."""
        return self.task.log_posterior(self.task.x_train).argmax(1)

    def posterior(self, temperature: float) -> Tensor:
        """Return the exact posterior as a teacher."""
        return soft_targets(self.task.log_posterior(self.task.x_train), temperature).float()


Rung = Callable[[Lesson, Knobs], Arm]


def _through_same_loss(targets: Callable[[Lesson, Knobs], Tensor]) -> Rung:
    """Make a rung that puts targets where the article puts the ensemble's."""

    def rung(lesson: Lesson, knobs: Knobs) -> Arm:
        return _arm(targets(lesson, knobs), knobs, knobs.temperature, knobs.alpha)

    return rung


def _arm(targets: Tensor, knobs: Knobs, temperature: float, alpha: float) -> Arm:
    return Arm(targets, temperature, alpha, knobs.learning_rate, knobs.weight_decay)


LADDER: dict[str, Rung] = {
    "hard labels": lambda s, k: _arm(s.one_hot(), k, 1.0, 1.0),
    "one-hot labels, same loss": _through_same_loss(lambda s, k: s.one_hot()),
    "label smoothing": lambda s, k: _arm(s.one_hot(smoothing=k.smoothing), k, 1.0, 1.0),
    "constant smoothing, same loss": _through_same_loss(
        lambda s, k: s.one_hot(smoothing=s.matched_smoothing(k.temperature))
    ),
    "ensemble's argmax, same loss": _through_same_loss(
        lambda s, k: s.one_hot(s.pooled(1.0).argmax(1))
    ),
    "ensemble, permuted": _through_same_loss(lambda s, k: s.permuted(k.temperature)),
    "one teacher": _through_same_loss(
        lambda s, k: soft_targets(s.teacher_logits[0], k.temperature)
    ),
    "ensemble": _through_same_loss(lambda s, k: s.pooled(k.temperature)),
    "ensemble, T = 1": lambda s, k: _arm(s.pooled(1.0), k, 1.0, k.alpha),
    "ensemble, alpha = 1": lambda s, k: _arm(s.pooled(k.temperature), k, k.temperature, 1.0),
    "ensemble, T = 1, alpha = 1": lambda s, k: _arm(s.pooled(1.0), k, 1.0, 1.0),
    "oracle: Bayes argmax": _through_same_loss(lambda s, k: s.one_hot(s.bayes_argmax())),
    "oracle: Bayes argmax, smoothed": _through_same_loss(
        lambda s, k: s.one_hot(s.bayes_argmax(), s.matched_smoothing(k.temperature))
    ),
    "oracle: posterior": _through_same_loss(lambda s, k: s.posterior(k.temperature)),
    "oracle: posterior, T = 1, alpha = 1": lambda s, k: _arm(s.posterior(1.0), k, 1.0, 1.0),
}
"""The attribution ladder (chapter 00): what takes a distilled student's gain apart, rung by rung.

"Same loss" is the article's objective, its T, T^2 and alpha, with other targets in the place of the
ensemble's. Rungs that begin with "oracle" use the exact posterior.

:meta hide-value:
"""


def ladder_arms(
    lesson: Lesson, knobs: Knobs | None = None, names: Sequence[str] | None = None
) -> dict[str, Arm]:
    """Build the arms of the ladder; without the oracles where the law is not known.

    Parameters
    ----------
    lesson : Lesson
        Labels, teachers and posterior.
    knobs : Knobs, optional
        The article's where left out.
    names : sequence of str, optional
        Rungs of `LADDER`; all where left out.
    """
    known = [n for n in LADDER if lesson.task.has_law or not n.startswith("oracle")]
    for name in names or ():
        if name not in known:
            raise ValueError(f"{name!r} is no rung of this ladder; it has {', '.join(known)}")
    return {name: LADDER[name](lesson, knobs or Knobs()) for name in names or known}


def train_students(
    task: Task,
    arms: Mapping[Name, Arm],
    *,
    seeds: Sequence[int],
    hidden: Sequence[int] = STUDENT_HIDDEN,
    epochs: int = 50,
    optimiser: str = "adam",
    average_last: int = 1,
    progress: str | None = None,
) -> dict[Name, Stack]:
    """Train one student for each arm and seed, all at once.

    Students of equal seed start from the same weights and see the same batches, whatever their
    arm: they are paired.

    Parameters
    ----------
    task : Task
        Its training part is used.
    arms : mapping of Arm
        By name; any hashable will do.
    seeds : sequence of int
        One student a seed and arm.
    hidden : sequence of int
        Hidden widths.
    epochs : int
        Passes over the data.
    optimiser, average_last
        See `distill_helpers.training.fit`.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of Stack
        By the same names, ``len(seeds)`` members for each arm.
    """
    return _train_arms(
        task,
        arms,
        lambda chosen: Distillation(
            torch.stack([arm.soft_targets for arm in chosen]),
            torch.stack([(arm.task or task).y_train for arm in chosen]),
            temperature=[arm.temperature for arm in chosen],
            alpha=[arm.alpha for arm in chosen],
            scale=[arm.scale for arm in chosen],
        ),
        seeds,
        hidden,
        epochs,
        optimiser,
        progress,
        average_last,
    )


def train_matching_students(
    task: Task,
    teacher_logits: Tensor,
    kind: str,
    trials: Mapping[Name, Knobs],
    *,
    seeds: Sequence[int],
    rows: Tensor | None = None,
    hidden: Sequence[int] = STUDENT_HIDDEN,
    epochs: int = 50,
    progress: str | None = None,
) -> dict[Name, Stack]:
    """Train students that match a teacher in one of several ways, paired as in `train_students`.

    Parameters
    ----------
    task : Task
        Its training part is used.
    teacher_logits : Tensor
        ``(N, C)``, on the training inputs.
    kind : str
        One of `distill_helpers.losses.MATCHINGS`.
    trials : mapping of Knobs
        By name; their smoothing is not used.
    seeds, hidden, epochs, progress
        As in `train_students`.
    rows : Tensor, optional
        Training rows to use, ``(n,)``; all where left out.

    Returns
    -------
    dict of Stack
        By the same names, ``len(seeds)`` members for each trial.
    """
    arms = {
        name: Arm(
            teacher_logits, k.temperature, k.alpha, k.learning_rate, k.weight_decay, rows=rows
        )
        for name, k in trials.items()
    }
    return _train_arms(
        task,
        arms,
        lambda chosen: Matching(
            teacher_logits,
            task.y_train,
            kind=kind,
            temperature=[arm.temperature for arm in chosen],
            alpha=[arm.alpha for arm in chosen],
        ),
        seeds,
        hidden,
        epochs,
        "adam",
        progress,
    )


def _train_arms(
    task: Task,
    arms: Mapping[Name, Arm],
    objective: Callable[[Sequence[Arm]], Objective],
    seeds: Sequence[int],
    hidden: Sequence[int],
    epochs: int,
    optimiser: str,
    progress: str | None,
    average_last: int = 1,
) -> dict[Name, Stack]:
    """Train all arms as one stack; the objective is made from one arm a member."""
    count = len(seeds)
    # Members of equal settings side by side train fastest.
    names = sorted(arms, key=lambda name: (arms[name].learning_rate, arms[name].weight_decay))
    stack = _side_by_side(task, [arms[name].hidden or tuple(hidden) for name in names], seeds)
    chosen = [arms[name] for name in names for _ in range(count)]
    tasks = [arm.task or task for arm in chosen]
    everything = torch.arange(len(tasks[0].y_train))
    rows = [everything if arm.rows is None else arm.rows for arm in chosen]
    fit(
        stack,
        tasks,
        objective(chosen),
        epochs=epochs,
        optimiser=optimiser,
        learning_rate=[arm.learning_rate for arm in chosen],
        weight_decay=[arm.weight_decay for arm in chosen],
        seeds=list(seeds) * len(arms),
        rows=torch.stack(rows),
        average_last=average_last,
        progress=progress,
    )
    trained = {
        name: stack[torch.arange(index * count, (index + 1) * count)]
        for index, name in enumerate(names)
    }
    return {name: trained[name].narrowed(arms[name].hidden or hidden) for name in arms}


def _side_by_side(task: Task, shapes: Sequence[tuple[int, ...]], seeds: Sequence[int]) -> Stack:
    """Build students of each shape for each seed, as one stack of the widest."""
    if len({len(shape) for shape in shapes}) > 1:
        depths = ", ".join(map(str, dict.fromkeys(shapes)))
        raise ValueError(
            f"arms have hidden widths {depths}; one stack holds networks of one depth. Train "
            "each depth by itself."
        )
    ends = task.x_train.shape[1], task.num_classes
    built = {
        shape: Stack.build((ends[0], *shape, ends[1]), seeds=list(seeds))
        for shape in dict.fromkeys(shapes)
    }
    widest = [max(widths) for widths in zip(*shapes, strict=True)]
    made = [built[shape].widened(widest) for shape in shapes]
    return Stack(
        [torch.cat(layers) for layers in zip(*(stack.weights for stack in made), strict=True)],
        [torch.cat(layers) for layers in zip(*(stack.biases for stack in made), strict=True)],
    )


@dataclass(frozen=True)
class Scores:
    """How well the members of a stack, or one ensemble, do on a test sample.

    Attributes
    ----------
    accuracy, negative_log_likelihood : ndarray
        ``(M,)``; a fraction, and nats.
    """

    accuracy: np.ndarray
    negative_log_likelihood: np.ndarray


def score(logits: Tensor, labels: Tensor) -> Scores:
    """Score logits ``(M, N, C)`` against labels ``(N,)`` or a posterior ``(N, C)``."""
    return Scores(
        metrics.accuracy(logits, labels, members=True).numpy(),
        metrics.negative_log_likelihood(logits, labels, members=True).numpy(),
    )


def blocks_right(logits: Tensor, labels: Tensor, size: int) -> np.ndarray:
    """Share of samples classified right in each block of test samples that stand in a row.

    The blocks of one large test sample are smaller test samples; see `single_runs`.

    Parameters
    ----------
    logits : Tensor
        ``(M, N, C)``.
    labels : Tensor
        ``(N,)``.
    size : int
        Samples of a block; what is left of the last one is dropped.

    Returns
    -------
    ndarray
        ``(M, N // size)``.

    Raises
    ------
    ValueError
        If not one block is full.

    Examples
    --------
    >>> logits = torch.tensor([[[2.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 2.0], [0.0, 2.0]]])
    >>> blocks_right(logits, torch.tensor([0, 1, 1, 1, 0]), 2)
    array([[0.5, 1. ]])
    """
    count = len(labels) // size
    if count == 0:
        raise ValueError(f"{len(labels)} samples fill no block of {size}; give a smaller size")
    right = logits[:, : count * size].argmax(2) == labels[: count * size]
    return right.view(len(logits), count, size).double().mean(2).numpy()


def single_runs(
    right: Sequence[Mapping[Name, np.ndarray]], num_blocks: int
) -> dict[Name, np.ndarray]:
    """Accuracies of single runs: one student, its paired students, its set's ensemble.

    The runs of one set share its teachers and its large test sample. Each is scored on a stretch of
    its own where the sample is long enough for all; where it is not, all are scored on the first.

    Parameters
    ----------
    right : sequence of mapping of ndarray
        By teacher set and name: `blocks_right`, ``(K, B)``, or ``(1, B)`` for what the set's K
        students share.
    num_blocks : int
        Blocks that a run is scored on.

    Returns
    -------
    dict of ndarray
        By name, ``(S * K,)``: set by set.

    Examples
    --------
    >>> right = {"student": np.array([[0.9, 0.8], [0.7, 0.6]]), "ensemble": np.array([[1.0, 0.9]])}
    >>> single_runs([right], 1)
    {'student': array([0.9, 0.6]), 'ensemble': array([1. , 0.9])}
    """
    scores: dict[Name, list[float]] = {name: [] for name in right[0]}
    for one_set in right:
        students = max(map(len, one_set.values()))
        for name, shares in one_set.items():
            apart = num_blocks if num_blocks * students <= shares.shape[1] else 0
            every = np.broadcast_to(shares, (students, shares.shape[1]))
            scores[name] += [
                float(every[k, k * apart : k * apart + num_blocks].mean()) for k in range(students)
            ]
    return {name: np.array(values) for name, values in scores.items()}


def choose_trials(tried: Mapping[tuple[str, int], Stack], x: Tensor, y: Tensor) -> dict[str, int]:
    """Choose each arm's trial: the least mean NLL over its students.

    Parameters
    ----------
    tried : mapping of Stack
        By arm and trial.
    x, y : Tensor
        Labelled samples that no student was trained on, ``(N, D)`` and ``(N,)``; never those that
        a verdict uses.

    Returns
    -------
    dict of int
        By arm, in the order of `tried`. Of equal trials the first; one that diverged is never
        chosen beside one that did not.

    Raises
    ------
    ValueError
        If an arm has more trials than another: the one with more would be favoured.
    """
    counts = Counter(arm for arm, _ in tried)
    if len(set(counts.values())) > 1:
        raise ValueError(f"arms have {dict(counts)} trials; give every arm as many as the others")
    loss: dict[str, dict[int, float]] = {arm: {} for arm in counts}
    for (arm, trial), stack in tried.items():
        logits = stack.predict(x)
        finite = bool(torch.isfinite(logits).all())
        found = score(logits, y).negative_log_likelihood.mean() if finite else math.inf
        loss[arm][trial] = float(found)
    return {arm: min(trials, key=lambda trial: trials[trial]) for arm, trials in loss.items()}


@dataclass(frozen=True)
class Chosen:
    """An arm's students at one width, and the trial that made them.

    Attributes
    ----------
    trial : int
        Chosen on held-out samples.
    stack : Stack
        One member a seed.
    """

    trial: int
    stack: Stack


def width_sweep(
    task: Task,
    trials: Mapping[tuple[str, int], Arm],
    *,
    hidden: Sequence[Sequence[int]],
    x_choose: Tensor,
    y_choose: Tensor,
    seeds: Sequence[int],
    epochs: int = 50,
    progress: str | None = None,
) -> dict[tuple[int, ...], dict[str, Chosen]]:
    """Train students of many sizes, each arm at the trial that does best at that size.

    Parameters
    ----------
    task : Task
        Its training part is used.
    trials : mapping of Arm
        By arm and trial number, equally many an arm.
    hidden : sequence of sequence of int
        Hidden widths of each size; ``()`` is a linear model.
    x_choose, y_choose : Tensor
        Labelled samples that choose the trial (see `choose_trials`).
    seeds, epochs, progress
        As in `train_students`.

    Returns
    -------
    dict
        By hidden widths, then by arm.

    Notes
    -----
    Used in chapter 05.

    Examples
    --------
    >>> from distill_helpers.tasks import gaussian_mixture_task
    >>> task = gaussian_mixture_task(num_train=200)
    >>> x, y = task.sample(100, seed=1)
    >>> trials = {("hard labels", 0): hard_arm(task)}
    >>> swept = width_sweep(
    ...     task, trials, hidden=[(), (4,)], x_choose=x, y_choose=y, seeds=[0, 1], epochs=1
    ... )
    >>> {size: arms["hard labels"].stack.num_parameters for size, arms in swept.items()}
    {(): 44, (4,): 108}
    """
    swept: dict[tuple[int, ...], dict[str, Chosen]] = {}
    for size in hidden:
        tried = train_students(
            task, trials, seeds=seeds, hidden=size, epochs=epochs, progress=progress
        )
        best = choose_trials(tried, x_choose, y_choose)
        swept[tuple(size)] = {arm: Chosen(k, tried[arm, k]) for arm, k in best.items()}
    return swept


def run_ladder(
    task: Task,
    x: Tensor,
    y: Tensor,
    *,
    set_index: int,
    num_students: int,
    knobs: Knobs | None = None,
    names: Sequence[str] | None = None,
    ensemble_size: int = 12,
    hidden: Sequence[int] = STUDENT_HIDDEN,
    teacher_epochs: int = 30,
    student_epochs: int = 50,
    random_state: int = 42,
    progress: str | None = None,
) -> dict[str, Scores]:
    """Train one teacher set and its students on every rung, and score all on a test sample.

    Parameters
    ----------
    task : Task
        The training part is used.
    x, y : Tensor
        Test sample, ``(N, D)`` and ``(N,)``.
    set_index : int
        Which teacher set; its students' seeds are its own too, so that sets are independent.
    num_students : int
        Students on each rung, paired across rungs.
    knobs, names : optional
        See `ladder_arms`.
    ensemble_size, hidden, teacher_epochs, student_epochs, random_state
        The article's sizes, and the seeds' root.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of str to Scores
        ``(num_students,)`` each, by rung; with ``"the ensemble itself"`` (one score) and
        ``"its members"`` (one a member).
    """
    teachers = train_teachers(
        task,
        ensemble_size=ensemble_size,
        epochs=teacher_epochs,
        random_state=random_state,
        set_index=set_index,
    )
    lesson = Lesson(task, teachers.predict(task.x_train), seed=set_index)
    stacks = train_students(
        task,
        ladder_arms(lesson, knobs, names),
        seeds=member_seeds(random_state, "student", set_index, num_students),
        hidden=hidden,
        epochs=student_epochs,
        progress=progress,
    )
    scores = {name: score(stack.predict(x), y) for name, stack in stacks.items()}
    logits = teachers.predict(x)
    scores["the ensemble itself"] = score(logits.mean(0, keepdim=True), y)
    scores["its members"] = score(logits, y)
    return scores


def widen(hidden: Sequence[int], features: int, num_classes: int, times: float) -> list[int]:
    """Return hidden widths of one network with about `times` the parameters; used in chapter 01.

    All layers grow by one factor, the one whose whole widths come nearest.

    Parameters
    ----------
    hidden : sequence of int
        Hidden widths of the small network.
    features, num_classes : int
        Inputs and outputs, the same for both.
    times : float
        1 or more.

    Examples
    --------
    >>> widen([256, 128, 64], 20, 2, times=12)  # one network for the article's twelve teachers
    [929, 464, 232]
    """
    if times < 1:
        raise ValueError(f"times is {times}; a wider network has 1 or more times the parameters")

    def parameters(widths: Sequence[int]) -> int:
        sizes = (features, *widths, num_classes)
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in itertools.pairwise(sizes))

    wanted = times * parameters(hidden)
    first = range(hidden[0], math.ceil(times * (hidden[0] + 1)) + 1)
    candidates = ([round(width * n / hidden[0]) for width in hidden] for n in first)
    return min(candidates, key=lambda widths: abs(parameters(widths) - wanted))

"""One protocol for every arm: what the book means by *tuned*.

Knobs are a learning rate, a weight decay and one softness of the arm's own (a temperature, or the
amount of label smoothing). They are chosen by negative log-likelihood on held-out folds of the
training rows, never on test rows, and every arm has the same number of trials. Weights are averaged
over the last quarter of the epochs, in every arm and trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from distill_helpers import metrics
from distill_helpers.experiments import (
    STUDENT_HIDDEN,
    TEACHER_DROPOUT,
    TEACHER_HIDDEN,
    Arm,
    train_students,
)
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import fitted_temperature
from distill_helpers.tasks import Task
from distill_helpers.training import HardLabels, fit

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
"""Learning rates on trial, of Adam; the first and the last only as neighbours of the others."""

DECAYS = (0.0, 1e-3, 1e-2, 1e-1, 1.0)
"""Weight decays on trial, added to the gradient as Adam does; the last in the second round only."""

TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Temperatures on trial where the softness is one; the middle one comes first."""

LIMIT = 1000.0
"""A temperature as good as infinite: soft targets are logits there (Hinton et al. 2015, 2.1)."""

WIDE_RATES = (*RATES, 1.0)
"""Learning rates of a task whose arms chose the ends of `RATES` more often than once in ten."""

WIDE_TEMPERATURES = (0.5, 1.0, 2.0, 4.0, 8.0, 32.0, LIMIT)
"""Temperatures of such a task: as many, up to the end that there is."""

SMOOTHINGS = (0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6)
"""Amounts of label smoothing on trial."""

NUM_TRIALS = 44
"""Settings that every arm tries: 32 rates and decays, then 12 around the best of them. With
`WIDE_RATES` there are four more."""

AVERAGED = 0.25
"""Share of the epochs, the last, whose weights are averaged: it does what a falling rate does, and
keeps a lucky or unlucky last step from choosing a setting."""

Name = TypeVar("Name", bound=Hashable)
Found = TypeVar("Found")
Folds = Sequence[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """An arm whose knobs are open.

    Attributes
    ----------
    targets : callable
        Maps a fold (None for all rows) and a softness to soft targets ``(N, C)``. A fold's
        targets must come from teachers that never saw the fold's held-out rows.
    softness : tuple of float
        Seven values on trial, the middle one first to be tried. An arm with none, or with one that
        is given and not searched, spends those trials on rates and decays between the grid's.
    alpha : float
        Weight of the distillation term.
    tempered : bool
        Whether the softness is the temperature of the objective too.
    """

    targets: Callable[[int | None, float], Tensor]
    softness: tuple[float, ...] = ()
    alpha: float = 1.0
    tempered: bool = False

    def arm(self, fold: int | None, setting: Setting, rows: Tensor) -> Arm:
        """Fill in the knobs."""
        temperature = setting.softness if self.tempered else 1.0
        return Arm(
            self.targets(fold, setting.softness),
            temperature,
            self.alpha,
            setting.learning_rate,
            setting.weight_decay,
            rows,
        )


@dataclass(frozen=True)
class Setting:
    """One trial: what an arm's knobs are set to."""

    learning_rate: float
    weight_decay: float
    softness: float


Trials = Mapping[Name, Sequence[Setting]]


@dataclass(frozen=True)
class Choice:
    """An arm's best setting.

    Attributes
    ----------
    setting : Setting
        Chosen on held-out folds.
    held_out_loss : float
        Its mean held-out NLL, in nats; a minimum over trials, so it flatters.
    temperature : float
        Fitted to the held-out logits at this setting (Guo et al. 2017): divides the students'
        logits where they are to be calibrated.
    edges : tuple of str
        Knobs that lie at an end of their grid that could be moved. Ends that could not: no decay;
        no smoothing; `LIMIT`, beyond which the objective changes no more; and the lowest
        temperature beside labels, where the distillation term, which has T^2, is all but gone.
    """

    setting: Setting
    held_out_loss: float
    temperature: float
    edges: tuple[str, ...]


@dataclass(frozen=True)
class Tuned(Choice):
    """An arm's students at its best setting.

    Attributes
    ----------
    stack : Stack
        The students, trained on all rows; one member a seed.
    """

    stack: Stack


def first_trials(recipe: Recipe, rates: Sequence[float] | None = None) -> list[Setting]:
    """List the settings of the first round: every rate and decay, at the middle softness."""
    middle = recipe.softness[len(recipe.softness) // 2] if recipe.softness else 0.0
    return [Setting(rate, decay, middle) for rate in rates or RATES for decay in DECAYS[:-1]]


def second_trials(recipe: Recipe, best: Setting) -> list[Setting]:
    """List the settings of the second round, twelve around the best of the first.

    The other six softnesses by two decays, the best and the next above it; for an arm without a
    softness to search, four rates by three decays, finer than the grid.
    """
    if len(recipe.softness) < 2:
        rates = [best.learning_rate * factor for factor in (0.5, 0.5**0.5, 2**0.5, 2.0)]
        finer = (1.0, 10**-0.5, 10**0.5)
        decays = [best.weight_decay * factor for factor in finer]
        if best.weight_decay == 0:
            decays = [0.0, 1e-4, 3e-4]
        return [Setting(rate, decay, best.softness) for rate in rates for decay in decays]
    place = DECAYS.index(best.weight_decay)
    return [
        Setting(best.learning_rate, decay, softness)
        for softness in recipe.softness
        if softness != best.softness
        for decay in DECAYS[place : place + 2]
    ]


def edges(
    recipe: Recipe, setting: Setting, rates: Sequence[float] | None = None
) -> tuple[str, ...]:
    """Name the knobs that lie at an end of their grid that could be moved."""
    rates, found = rates or RATES, []
    if setting.learning_rate <= rates[1] or setting.learning_rate >= rates[-2]:
        found.append("learning rate")
    # An arm without a softness to search tries decays between the grid's instead of the last.
    finest = DECAYS[-1] if len(recipe.softness) > 1 else DECAYS[-2] * 10**0.5
    if setting.weight_decay >= finest:
        found.append("weight decay")
    if len(recipe.softness) > 1:
        fades = not recipe.tempered or recipe.alpha < 1
        if (setting.softness == recipe.softness[-1] and setting.softness != LIMIT) or (
            setting.softness == recipe.softness[0] and not fades
        ):
            found.append("softness")
    return tuple(found)


def run_tuned(
    task: Task,
    recipes: Mapping[Name, Recipe],
    folds: Folds,
    rows: Tensor,
    *,
    hidden: Sequence[int],
    epochs: int,
    trial_seed: int,
    seeds: Sequence[int],
    rates: Sequence[float] | None = None,
    progress: str | None = None,
) -> dict[Name, Tuned]:
    """Tune every arm by the same protocol, then train its students on all rows.

    Parameters
    ----------
    task : Task
        Its training part is used.
    recipes : mapping of Recipe
        By name.
    folds : sequence of (fit_rows, held_out_rows)
        Inside `rows`.
    rows : Tensor
        Training rows of the students, ``(n,)``.
    hidden : sequence of int
        Hidden widths.
    epochs : int
        Passes over the rows, the same for all.
    trial_seed : int
        Of the one student that tries a setting on a fold; the same for all arms.
    seeds : sequence of int
        Of the students at the chosen setting: paired across arms.
    rates : sequence of float, optional
        Learning rates on trial, `RATES` where left out.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of Tuned
        By the same names.
    """
    found = tune(
        task,
        recipes,
        folds,
        hidden=hidden,
        epochs=epochs,
        trial_seed=trial_seed,
        rates=rates,
        progress=progress,
    )
    stacks = train_students(
        task,
        {name: recipes[name].arm(None, choice.setting, rows) for name, choice in found.items()},
        seeds=seeds,
        hidden=hidden,
        epochs=epochs,
        average_last=averaged(epochs),
        progress=progress,
    )
    return {name: Tuned(**vars(choice), stack=stacks[name]) for name, choice in found.items()}


def tune(
    task: Task,
    recipes: Mapping[Name, Recipe],
    folds: Folds,
    *,
    hidden: Sequence[int],
    epochs: int,
    trial_seed: int,
    rates: Sequence[float] | None = None,
    progress: str | None = None,
) -> dict[Name, Choice]:
    """Choose every arm's setting by the same protocol.

    Parameters
    ----------
    task, recipes, folds, hidden, epochs, trial_seed, rates, progress
        As in `run_tuned`.

    Returns
    -------
    dict of Choice
        By the same names.

    Notes
    -----
    An arm tries `NUM_TRIALS` settings, each with one student a fold; `search` says in which order.
    """
    average_last = averaged(epochs)

    def attempt(wanted: Trials[Name]) -> dict[tuple[Name, Setting], tuple[float, list[Tensor]]]:
        # By fold, for the rows of one stack must be equal in number.
        logits: dict[tuple[Name, Setting], list[Tensor]] = {}
        for fold, (fit_rows, held_out) in enumerate(folds):
            arms = {
                (name, setting): recipes[name].arm(fold, setting, fit_rows)
                for name, settings in wanted.items()
                for setting in settings
            }
            stacks = train_students(
                task,
                arms,
                seeds=[trial_seed],
                hidden=hidden,
                epochs=epochs,
                average_last=average_last,
                progress=progress,
            )
            for key, stack in stacks.items():
                logits.setdefault(key, []).append(stack.predict(task.x_train[held_out])[0])
        return {key: (_held_out_loss(parts, task, folds), parts) for key, parts in logits.items()}

    labels = torch.cat([task.y_train[held_out] for _, held_out in folds])
    return {
        name: Choice(
            setting,
            loss,
            fitted_temperature(torch.cat(parts), labels),
            edges(recipes[name], setting, rates),
        )
        for name, (setting, loss, parts) in search(recipes, attempt, rates).items()
    }


def search(
    recipes: Mapping[Name, Recipe],
    attempt: Callable[[Trials[Name]], Mapping[tuple[Name, Setting], tuple[float, Found]]],
    rates: Sequence[float] | None = None,
) -> dict[Name, tuple[Setting, float, Found]]:
    """Go through the two rounds of trials of every arm; `attempt` trains and scores them.

    Parameters
    ----------
    recipes : mapping of Recipe
        By name; here their targets are not asked for.
    attempt : callable
        Maps settings by name to, for each name and setting, a held-out loss (infinite where
        training diverged) and whatever else is wanted of the one that is chosen.
    rates : sequence of float, optional
        Learning rates on trial, `RATES` where left out.

    Returns
    -------
    dict
        By name the chosen setting, its loss, and what else `attempt` gave for it.

    Notes
    -----
    The first round chooses the rate (`on_a_plateau`); then the least loss decides among the second
    round's settings and the first's at that rate. Ties go to the first.

    Examples
    --------
    An arm whose loss is least at rate 0.01 and no decay:

    >>> def attempt(wanted):
    ...     return {
    ...         (name, s): (abs(math.log(s.learning_rate / 0.01)) + s.weight_decay, None)
    ...         for name, settings in wanted.items()
    ...         for s in settings
    ...     }
    >>> chosen, loss, _ = search({"labels": Recipe(lambda fold, softness: None)}, attempt)["labels"]
    >>> chosen.learning_rate, chosen.weight_decay, loss
    (0.01, 0.0, 0.0)
    """
    tried = attempt({name: first_trials(recipe, rates) for name, recipe in recipes.items()})
    last_round: dict[Name, list[Setting]] = {}
    candidates: dict[Name, dict[Setting, tuple[float, Found]]] = {}
    for name, recipe in recipes.items():
        first = {setting: found for (other, setting), found in tried.items() if other == name}
        losses = {setting: loss for setting, (loss, _) in first.items()}
        last_round[name] = second_trials(recipe, on_a_plateau(losses))
        # What the second round is held against: the first one's best, and its neighbours in decay.
        candidates[name] = {setting: first[setting] for setting in at_its_rate(losses)}
    del tried  # predictions of every trial: the most memory of all this
    for (name, setting), found in attempt(last_round).items():
        candidates[name][setting] = found
    chosen = {name: min(found, key=lambda s: found[s][0]) for name, found in candidates.items()}
    return {name: (setting, *candidates[name][setting]) for name, setting in chosen.items()}


def on_a_plateau(losses: Mapping[Setting, float]) -> Setting:
    """Choose among the settings of the first round: half a setting's loss, half its neighbours'.

    Neighbours have the next rate below and above, at the same decay. A single network at a rate
    near where training falls apart can be lucky; beside its neighbours it is not.

    Parameters
    ----------
    losses : mapping of float
        Held-out loss by setting; infinite where training diverged.
    """
    rates = sorted({setting.learning_rate for setting in losses})

    def score(setting: Setting) -> float:
        place = rates.index(setting.learning_rate)
        below, above = (
            losses[replace(setting, learning_rate=rates[place + step])] for step in (-1, 1)
        )
        return losses[setting] / 2 + below / 4 + above / 4

    inside = [setting for setting in losses if setting.learning_rate in rates[1:-1]]
    return min(inside, key=lambda setting: (score(setting), losses[setting]))


def at_its_rate(losses: Mapping[Setting, float]) -> list[Setting]:
    """List the settings of the first round at the rate that was chosen there."""
    rate = on_a_plateau(losses).learning_rate
    return [setting for setting in losses if setting.learning_rate == rate]


def averaged(epochs: int) -> int:
    """Return over how many last epochs the weights are averaged."""
    return max(1, round(AVERAGED * epochs))


def _held_out_loss(parts: Sequence[Tensor], task: Task, folds: Folds) -> float:
    """Return the mean NLL over folds; infinite where a student diverged."""
    losses = [
        float(metrics.negative_log_likelihood(z, task.y_train[held_out]))
        if bool(torch.isfinite(z).all())
        else math.inf
        for z, (_, held_out) in zip(parts, folds, strict=True)
    ]
    return sum(losses) / len(losses)


@dataclass(frozen=True)
class Shape:
    """Hidden widths of a network, and the dropout rate after each."""

    hidden: tuple[int, ...]
    dropout: tuple[float, ...]


SHAPES = (Shape(TEACHER_HIDDEN, TEACHER_DROPOUT), Shape(STUDENT_HIDDEN, (0.0, 0.0)))
"""What a tuned teacher may look like: the article's teacher, or its student."""


def train_on_labels(
    task: Task,
    settings: Sequence[Setting],
    rows: Tensor,
    shape: Shape = SHAPES[0],
    *,
    seeds: Sequence[int],
    epochs: int,
    average_last: int = 1,
    progress: str | None = None,
) -> Stack:
    """Train networks on hard labels: all seeds at the first setting, then at the next.

    Parameters
    ----------
    task : Task
        Its training part is used.
    settings : sequence of Setting
        Their softness is not used.
    rows : Tensor
        Training rows, ``(n,)``.
    shape : Shape
        The article's teacher where left out.
    seeds : sequence of int
        For every setting.
    epochs : int
        Passes over the rows.
    average_last : int
        See `distill_helpers.training.fit`.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    Stack
        ``len(settings) * len(seeds)`` members.
    """
    every = list(seeds) * len(settings)
    sizes = (task.x_train.shape[1], *shape.hidden, task.num_classes)
    stack = Stack.build(sizes, seeds=every, dropout=shape.dropout)
    fit(
        stack,
        task,
        HardLabels(task.y_train),
        epochs=epochs,
        learning_rate=[s.learning_rate for s in settings for _ in seeds],
        weight_decay=[s.weight_decay for s in settings for _ in seeds],
        seeds=every,
        rows=rows,
        average_last=average_last,
        progress=progress,
    )
    return stack


def tune_teacher(
    task: Task,
    folds: Folds,
    shapes: Sequence[Shape] = SHAPES,
    *,
    epochs: int,
    trial_seed: int,
    rates: Sequence[float] | None = None,
    progress: str | None = None,
) -> tuple[Setting, Shape]:
    """Choose a teacher's rate, decay and shape by the NLL of one member on held-out folds.

    Rate and decay for each shape as in the first round of `run_tuned` (`on_a_plateau`); then the
    shape of the lesser loss.

    Parameters
    ----------
    task : Task
        Its training part is used.
    folds : sequence of (fit_rows, held_out_rows)
        Rows that a teacher may see, and rows that score it.
    shapes : sequence of Shape
        On trial.
    epochs : int
        Passes over the rows.
    trial_seed : int
        Of the one member that tries a setting on a fold.
    rates : sequence of float, optional
        Learning rates on trial, `RATES` where left out.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    (Setting, Shape)
        One of the rates, a decay of the first round, and one of `shapes`.
    """
    settings = [Setting(rate, decay, 0.0) for rate in rates or RATES for decay in DECAYS[:-1]]
    losses: dict[tuple[Setting, Shape], float] = {}
    for shape in shapes:
        parts: list[list[Tensor]] = [[] for _ in settings]
        for fit_rows, held_out in folds:
            stack = train_on_labels(
                task,
                settings,
                fit_rows,
                shape,
                seeds=[trial_seed],
                epochs=epochs,
                average_last=averaged(epochs),
                progress=progress,
            )
            for found, logits in zip(parts, stack.predict(task.x_train[held_out]), strict=True):
                found.append(logits)
        for setting, found in zip(settings, parts, strict=True):
            losses[setting, shape] = _held_out_loss(found, task, folds)
    by_shape = {
        shape: {setting: loss for (setting, other), loss in losses.items() if other == shape}
        for shape in shapes
    }
    chosen = {shape: on_a_plateau(found) for shape, found in by_shape.items()}
    shape = min(shapes, key=lambda shape: by_shape[shape][chosen[shape]])
    return chosen[shape], shape


def levelled(targets: Tensor, labels: Tensor) -> Tensor:
    """Give the label what it had, and share the rest among the wrong classes equally.

    What a target says about *which* wrong class is near is lost; how sure it is of the label stays.

    Parameters
    ----------
    targets : Tensor
        ``(N, C)``; rows sum to 1.
    labels : Tensor
        ``(N,)``.

    Examples
    --------
    >>> levelled(torch.tensor([[0.6, 0.3, 0.1]]), torch.tensor([0]))
    tensor([[0.6000, 0.2000, 0.2000]])
    """
    index = labels.unsqueeze(1)
    kept = targets.gather(1, index)
    rest = (1 - kept) / (targets.shape[1] - 1)
    return rest.expand_as(targets).clone().scatter_(1, index, kept)


def blocks(num_rows: int, size: int, start: int) -> tuple[Tensor, Tensor]:
    """Split stored rows in one run of `size` rows from `start` on (going round), and the rest.

    Neighbours in a file often share a source: a writer, a patient, a day. A run held out asks how
    a network does on new sources, a random split how it does on more of the same.

    Returns
    -------
    (rest, run) : tuple of Tensor
        Row numbers.

    Examples
    --------
    >>> blocks(5, 2, 4)
    (tensor([1, 2, 3]), tensor([0, 4]))
    """
    run = torch.arange(start, start + size) % num_rows
    inside = torch.zeros(num_rows, dtype=torch.bool).index_fill_(0, run, True)
    return (~inside).nonzero().flatten(), inside.nonzero().flatten()

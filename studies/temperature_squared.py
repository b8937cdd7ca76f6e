"""Run what is too long for chapter 04: who is hurt when T^2 is left out of the loss.

A factorial on fresh training sets of two laws: optimiser by temperature by alpha, each with T^2
and without it. Without it there are three students:

  fixed    at the learning rate that was tuned with T^2
  matched  at that rate over c and that weight decay times c, which for plain SGD undoes the scale
           (c: see `distill_helpers.gradients.without_t_squared`)
  tuned    at a rate of its own

Rates are tuned by cross-validation inside the training set, equal trials with and without. A run
that was stopped goes on where it was. Examples:

  python studies/temperature_squared.py classes
  python studies/temperature_squared.py article --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import studies
from distill_helpers.gradients import without_t_squared
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, article_task, gaussian_mixture_task
from distill_helpers.training import OPTIMISERS, Distillation

RANDOM_STATE = 42
NUM_TRAIN = 1000
TEACHER = {"ensemble_size": 4, "hidden": (128, 64), "dropout": (0.3, 0.0), "epochs": 30}
EPOCHS = 40
TEMPERATURES = (3.0, 10.0)
ALPHAS = (0.7, 1.0)
FOLDS = 5
USED_FOLDS = 2
SLOWEST = {"adam": 3e-4, "adamw": 3e-4, "sgd": 1e-2, "momentum": 1e-3}
TRIALS = 6
DECAY = {"adam": 1e-4, "adamw": 1e-2, "sgd": 1e-4, "momentum": 1e-4}

Cell = tuple[float, float]
"""Temperature and alpha."""

CELLS: list[Cell] = list(itertools.product(TEMPERATURES, ALPHAS))


def law(name: str) -> Task:
    """Return the article's task, or ten classes of which the best classifier misses a fifth."""
    if name == "article":
        return article_task(RANDOM_STATE)
    return gaussian_mixture_task(
        10, 20, 0.2, clusters_per_class=2, num_train=NUM_TRAIN, random_state=RANDOM_STATE
    )


def rates(optimiser: str, cell: Cell, squared: bool) -> list[float]:
    """Return six learning rates, half a decade apart.

    SGD takes steps in the unit of the loss, so without T^2 its rates go up by 1 / c. Adam's steps
    have the size of its rate, so its rates stay.
    """
    T, alpha = cell
    own_unit = squared or optimiser.startswith("adam")
    slowest = SLOWEST[optimiser] / (1.0 if own_unit else without_t_squared(alpha, T).scale)
    return [slowest * 10 ** (k / 2) for k in range(TRIALS)]


def arm(targets: Mapping[float, Tensor], optimiser: str, cell: Cell, squared: bool) -> ex.Arm:
    """Return an arm of one cell, with or without T^2, at a rate that is still to be set."""
    T, alpha = cell
    decay = DECAY[optimiser]
    if squared:
        return ex.Arm(targets[T], T, alpha, weight_decay=decay)
    effective = without_t_squared(alpha, T)
    return ex.Arm(targets[T], T, effective.alpha, weight_decay=decay, scale=effective.scale)


def train(
    task: Task, arms: Mapping[ex.Name, ex.Arm], seeds: Sequence[int], optimiser: str
) -> dict[ex.Name, Stack]:
    """Train students; rates that diverge are part of the search."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the loss of members", RuntimeWarning)
        return ex.train_students(task, arms, seeds=seeds, epochs=EPOCHS, optimiser=optimiser)


def loss(stack: Stack, x: Tensor, y: Tensor) -> float:
    """Return the mean NLL, infinite where a network has diverged."""
    logits = stack.predict(x)
    if not torch.isfinite(logits).all():
        return float("inf")
    return float(ex.score(logits, y).negative_log_likelihood.mean())


def tuned(task: Task, index: int, optimiser: str) -> dict[tuple[Cell, bool], float]:
    """Choose the rate of each cell, with and without T^2, by cross-validated NLL."""
    losses: dict[tuple[Cell, bool, float], float] = {}
    for fold, (fit_rows, out) in enumerate(task.folds(FOLDS, index)[:USED_FOLDS]):
        targets = tempered(teacher_logits(task, index, fit_rows))
        arms = {
            (cell, squared, rate): replace(
                arm(targets, optimiser, cell, squared), learning_rate=rate, rows=fit_rows
            )
            for cell in CELLS
            for squared in (True, False)
            for rate in rates(optimiser, cell, squared)
        }
        seeds = ex.member_seeds(RANDOM_STATE, "trial", FOLDS * index + fold, 1)
        for key, stack in train(task, arms, seeds, optimiser).items():
            found = loss(stack, task.x_train[out], task.y_train[out])
            losses[key] = losses.get(key, 0.0) + found
    return {
        (cell, squared): min(
            rates(optimiser, cell, squared), key=lambda rate: losses[cell, squared, rate]
        )
        for cell in CELLS
        for squared in (True, False)
    }


def teacher_logits(task: Task, index: int, rows: Tensor | None = None) -> Tensor:
    """Return the ensemble's logits on the training inputs."""
    teachers = ex.train_teachers(
        task, random_state=RANDOM_STATE, set_index=index, rows=rows, **TEACHER
    )
    return teachers.predict(task.x_train)


def tempered(logits: Tensor) -> dict[float, Tensor]:
    """Return soft targets by temperature."""
    return {T: soft_targets(logits, T, "logits") for T in TEMPERATURES}


def four_students(
    targets: Mapping[float, Tensor],
    optimiser: str,
    cell: Cell,
    rate_with: float,
    rate_without: float,
) -> dict[str, ex.Arm]:
    """Return the arms of one cell."""
    squared, plain = (arm(targets, optimiser, cell, which) for which in (True, False))
    c = plain.scale
    return {
        "with": replace(squared, learning_rate=rate_with),
        "without, fixed": replace(plain, learning_rate=rate_with),
        "without, matched": replace(
            plain, learning_rate=rate_with / c, weight_decay=c * plain.weight_decay
        ),
        "without, tuned": replace(plain, learning_rate=rate_without),
    }


def replicate(name: str, index: int, students: int) -> list[studies.Row]:
    """One training set: its teachers, tuned rates, students and test draws."""
    task = law(name).with_fresh_data(index, num_train=NUM_TRAIN)
    x, _ = task.sample(10_000, seed=index)
    posterior = task.posterior(x)
    entropy = -torch.special.xlogy(posterior, posterior).sum(1).mean().item()
    targets = tempered(teacher_logits(task, index))
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
    rows = []
    for optimiser in OPTIMISERS:
        chosen = tuned(task, index, optimiser)
        arms = {
            (cell, which): made
            for cell in CELLS
            for which, made in four_students(
                targets, optimiser, cell, chosen[cell, True], chosen[cell, False]
            ).items()
        }
        for ((T, alpha), which), stack in train(task, arms, seeds, optimiser).items():
            rows.append(
                {
                    "replicate": index,
                    "optimiser": optimiser,
                    "temperature": T,
                    "alpha": alpha,
                    "arm": which,
                    "learning_rate": arms[(T, alpha), which].learning_rate,
                    **scores(stack, task, x, posterior, entropy, targets[T], (T, alpha)),
                }
            )
    return rows


def scores(
    stack: Stack,
    task: Task,
    x: Tensor,
    posterior: Tensor,
    entropy: float,
    targets: Tensor,
    cell: Cell,
) -> dict[str, float]:
    """Return an arm's means: accuracy, excess risk, and the objective *with* T^2 in training."""
    logits = stack.predict(x)
    if not torch.isfinite(logits).all():  # diverged: no better than always saying one class
        logits = torch.zeros_like(logits)
        stack = Stack(*([torch.zeros_like(w) for w in p] for p in (stack.weights, stack.biases)))
    found = ex.score(logits, posterior)
    T, alpha = cell
    objective = Distillation(targets, task.y_train, temperature=T, alpha=alpha)
    rows = torch.arange(len(task.y_train)).expand(stack.num_members, -1)
    return {
        "accuracy": float(found.accuracy.mean()),
        "excess_risk": float(found.negative_log_likelihood.mean()) - entropy,
        "objective": float(objective(stack.predict(task.x_train), rows).mean()),
    }


LAWS = ("article", "classes")
REPLICATES, STUDENTS = 12, 2


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("law", choices=LAWS)
    parser.add_argument("--replicates", type=int, default=REPLICATES, help="training sets")
    parser.add_argument("--students", type=int, default=STUDENTS, help="students of an arm")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if min(args.replicates, args.students, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"temperature-squared-{args.law}.csv")
    command = f"python studies/temperature_squared.py {args.law} --replicates {args.replicates}"
    command += f" --students {args.students}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(args.replicates):
        start = time.perf_counter()
        writer.add(replicate(args.law, index, args.students))
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

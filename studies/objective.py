"""Run what is too long for chapter 03: alpha by T, losses by label noise, more inputs, patience.

Five tables, written beside this file; a replicate is a training set (or a split of the digits)
with its own teachers, students and test draws:

  map       alpha from 0 to 1 by T; each cell's score by cross-validation inside the training part,
            and on fresh samples
  tuned     on the map's training sets: hard labels, and alpha = 0.7 at T = 3, at every learning
            rate and weight decay of one grid
  losses    five ways to match a teacher, and hard labels, on clean and on noisy labels
  inputs    more inputs for the student at an equal number of steps
  patience  the same for more and more steps

All trials are stored with their score on a held-out fold that their teachers did not see either,
so that whoever reads the table chooses. Examples:

  python studies/objective.py map
  python studies/objective.py losses --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import protocol, studies, transfer
from distill_helpers.losses import MATCHINGS
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, article_task, digits_task, gaussian_mixture_task

RANDOM_STATE = 42
SIZE = 512  # training samples of a law: eight full batches
TEACHERS = {"ensemble_size": 6, "hidden": (128, 64), "dropout": (0.3, 0.0), "epochs": 40}
STUDENT = (16, 16)
FOLDS = 5
TEMPERATURES = (1.0, 2.0, 3.0, 5.0, 8.0, 16.0)
ALPHAS = (0.3, 0.5, 0.7, 0.9, 1.0)
RATES = (1e-3, 3e-3, 1e-2)
TEST = 10_000


def laws() -> dict[str, Task]:
    """Return a task of three classes of which a fifth cannot be told apart, and the article's."""
    return {
        "overlap": gaussian_mixture_task(
            3, 10, 0.2, clusters_per_class=2, num_train=SIZE, random_state=RANDOM_STATE
        ),
        "article": article_task(RANDOM_STATE),
    }


def training_set(law: str, base: Task, index: int) -> Task:
    """Return a fresh training set of a law, or a split of the digits."""
    if law == "digits":
        return digits_task(ex.member_seeds(RANDOM_STATE, "split", index, 1)[0])
    return base.with_fresh_data(index, num_train=SIZE)


def test_sample(task: Task, seed: int) -> tuple[Tensor, Tensor]:
    """Return fresh inputs with their exact posterior; the test images of the digits."""
    if not task.has_law:
        return task.x_test, task.y_test
    x, _ = task.sample(TEST, seed=seed)
    return x, task.posterior(x)


def teacher_logits(task: Task, index: int, rows: Tensor | None = None) -> Stack:
    """Train the teachers of a replicate, on all rows or on a fold's."""
    return ex.train_teachers(
        task, random_state=RANDOM_STATE, set_index=index, rows=rows, **TEACHERS
    )


def scores(stack: Stack, x: Tensor, truth: Tensor, prefix: str = "") -> dict[str, float]:
    """Mean scores of a stack's members."""
    found = ex.score(stack.predict(x), truth)
    return {
        f"{prefix}accuracy": float(found.accuracy.mean()),
        f"{prefix}negative_log_likelihood": float(found.negative_log_likelihood.mean()),
    }


# -- alpha by temperature -----------------------------------------------------------------------


def map_arms(task: Task, logits: Tensor) -> dict[tuple[float, float], ex.Arm]:
    """Hard labels once, and every other alpha at every temperature."""
    arms = {(0.0, 1.0): replace(ex.hard_arm(task), learning_rate=3e-3)}
    for T in TEMPERATURES:
        targets = soft_targets(logits, T, "logits")
        for alpha in ALPHAS:
            arms[alpha, T] = ex.Arm(targets, T, alpha, learning_rate=3e-3)
    return arms


def map_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law; five folds, each with teachers of its own."""
    rows = []
    for law, base in laws().items():
        task = training_set(law, base, index)
        x, truth = test_sample(task, index)
        x_other, truth_other = test_sample(task, 50_000 + index)  # for an oracle's choice
        usual = {"hidden": STUDENT, "epochs": 60}
        folds: dict[tuple[float, float], list[dict[str, float]]] = {}
        for fit_rows, out in task.folds(FOLDS, index):
            logits = teacher_logits(task, index, fit_rows).predict(task.x_train)
            arms = {key: replace(arm, rows=fit_rows) for key, arm in map_arms(task, logits).items()}
            seeds = ex.member_seeds(RANDOM_STATE, "trial", index, 1)
            for key, stack in ex.train_students(task, arms, seeds=seeds, **usual).items():
                kept = scores(stack, task.x_train[out], task.y_train[out])
                folds.setdefault(key, []).append(kept)
        arms = map_arms(task, teacher_logits(task, index).predict(task.x_train))
        seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
        for key, stack in ex.train_students(task, arms, seeds=seeds, **usual).items():
            held = {
                f"held_{name}": sum(fold[name] for fold in folds[key]) / FOLDS
                for name in folds[key][0]
            }
            rows.append(
                {
                    "replicate": index,
                    "law": law,
                    "arm": "hard labels" if key[0] == 0 else "ensemble",
                    "alpha": key[0],
                    "temperature": key[1],
                    **held,
                    **scores(stack, x, truth),
                    **scores(stack, x_other, truth_other, "oracle_"),
                }
            )
    return rows


# -- hard labels that are tuned, on the map's training sets ---------------------------------------

GRID = [(rate, decay) for rate in protocol.RATES[1:-1] for decay in protocol.DECAYS[:-1]]
FIXED = (0.7, 3.0)  # the pair of alpha and T that the map is read against


def tuned_arms(task: Task, index: int, part: Tensor | None) -> dict[Any, ex.Arm]:
    """Return both arms at every setting of the grid, for a fold's rows or all."""
    cells = map_arms(task, teacher_logits(task, index, part).predict(task.x_train))
    return {
        (name, rate, decay): replace(cells[at], learning_rate=rate, weight_decay=decay, rows=part)
        for name, at in (("hard labels", (0.0, 1.0)), ("ensemble", FIXED))
        for rate, decay in GRID
    }


def tuned_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law, with the map's folds, teachers, seeds and test draws."""
    rows = []
    for law, base in laws().items():
        task = training_set(law, base, index)
        x, truth = test_sample(task, index)
        usual = {"hidden": STUDENT, "epochs": 60}

        folds: dict[Any, list[dict[str, float]]] = {}
        for fit_rows, out in task.folds(FOLDS, index):
            seeds = ex.member_seeds(RANDOM_STATE, "trial", index, 1)
            arms = tuned_arms(task, index, fit_rows)
            for key, stack in ex.train_students(task, arms, seeds=seeds, **usual).items():
                kept = scores(stack, task.x_train[out], task.y_train[out])
                folds.setdefault(key, []).append(kept)
        seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
        arms = tuned_arms(task, index, None)
        for key, stack in ex.train_students(task, arms, seeds=seeds, **usual).items():
            held = {
                f"held_{name}": sum(fold[name] for fold in folds[key]) / FOLDS
                for name in folds[key][0]
            }
            rows.append(
                {
                    "replicate": index,
                    "law": law,
                    "arm": key[0],
                    "learning_rate": key[1],
                    "weight_decay": key[2],
                    **held,
                    **scores(stack, x, truth),
                }
            )
    return rows


# -- losses by label noise ----------------------------------------------------------------------

NOISE = {"overlap": (0.0, 0.2, 0.4), "article": (0.0, 0.2, 0.4), "digits": (0.0, 0.4)}


def loss_trials(kind: str) -> dict[int, ex.Knobs]:
    """Six trials: three learning rates by two values of a second knob.

    The knob is the temperature; weight decay where there is none.
    """
    second = [{"weight_decay": decay} for decay in (1e-4, 1e-2)]
    if kind not in ("logits", "hard labels"):
        second = [{"temperature": T} for T in (1.0, 4.0)]
    drawn = [(rate, knob) for rate in RATES for knob in second]
    fixed = {"temperature": 1.0, "alpha": 0.0 if kind == "hard labels" else 1.0}
    return {
        trial: ex.Knobs(**(fixed | knob), learning_rate=rate)
        for trial, (rate, knob) in enumerate(drawn)
    }


def loss_stacks(
    task: Task,
    logits: Tensor,
    clean: Tensor,
    seeds: Sequence[int],
    rows: Tensor | None,
    epochs: int,
    arms: Sequence[str] | None = None,
) -> dict[tuple[str, int], tuple[Stack, ex.Knobs]]:
    """Students of every loss and trial; the last arm's teachers saw clean labels."""
    stacks = {}
    for arm in arms or ("hard labels", *MATCHINGS, "half noisy labels, half clean teachers"):
        kind = arm if arm in MATCHINGS else "forward KL"
        trials = loss_trials(arm if arm == "hard labels" else kind)
        v = logits
        if arm.startswith("half"):
            v = clean
            trials = {trial: replace(knobs, alpha=0.5) for trial, knobs in trials.items()}
        trained = ex.train_matching_students(
            task, v, kind, trials, seeds=seeds, rows=rows, hidden=STUDENT, epochs=epochs
        )
        for trial, stack in trained.items():
            stacks[arm, trial] = stack, trials[trial]
    return stacks


def losses_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law and one split of the digits, at several shares of noise."""
    rows = []
    known = laws()
    for law, shares in NOISE.items():
        clean_task = training_set(law, known.get(law, None), index)  # type: ignore[arg-type]
        x, truth = test_sample(clean_task, index)
        fit_rows, out = clean_task.folds(FOLDS, index)[0]
        epochs = 40 if law == "digits" else 60
        clean = [
            teacher_logits(clean_task, index, part).predict(clean_task.x_train).mean(0)
            for part in (fit_rows, None)
        ]
        for share in shares:
            labels = ex.noisy_labels(clean_task.y_train, clean_task.num_classes, share, index)
            task = replace(clean_task, y_train=labels)
            logits = clean
            if share:
                logits = [
                    teacher_logits(task, index, part).predict(task.x_train).mean(0)
                    for part in (fit_rows, None)
                ]
            tried = loss_stacks(
                task,
                logits[0],
                clean[0],
                ex.member_seeds(RANDOM_STATE, "trial", index, 1),
                fit_rows,
                epochs,
            )
            seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
            final = loss_stacks(task, logits[1], clean[1], seeds, None, epochs)
            for (arm, trial), (stack, knobs) in final.items():
                rows.append(
                    {
                        "replicate": index,
                        "law": law,
                        "noise": share,
                        "arm": arm,
                        "trial": trial,
                        "learning_rate": knobs.learning_rate,
                        "weight_decay": knobs.weight_decay,
                        "temperature": knobs.temperature,
                        **scores(tried[arm, trial][0], task.x_train[out], labels[out], "held_"),
                        **scores(stack, x, truth),
                    }
                )
    return rows


# -- more inputs, and patience ------------------------------------------------------------------

T_FIXED = 3.0
FACTOR = 16  # made-up inputs: so many times the training part, its own rows among them


def bigger(task: Task, x: Tensor, teachers: Stack, targets: Tensor | None = None) -> ex.Arm:
    """Return an arm that learns from the soft targets of teachers on more inputs."""
    if targets is None:
        targets = soft_targets(teachers.predict(x), T_FIXED, "logits")
    labels = torch.zeros(len(x), dtype=torch.int64)  # not used: alpha is 1
    return ex.Arm(targets, T_FIXED, 1.0, task=replace(task, x_train=x, y_train=labels))


def input_arms(
    task: Task, rows: Tensor, teachers: Stack, law: Task, index: int
) -> dict[int, dict[str, ex.Arm]]:
    """Return arms by how many times their inputs are the rows of the training part."""
    x, y = task.x_train[rows], task.y_train[rows]
    own = replace(task, x_train=x, y_train=y)
    n = (FACTOR - 1) * len(x)
    own_targets = soft_targets(teachers.predict(x), T_FIXED, "logits")
    made = {
        "shuffled columns": transfer.shuffle_columns(x, n, index),
        "MUNGE": transfer.munge(x, n, index),
    }
    few, many = (law.sample(k * len(x), seed=70_000 + index)[0] for k in (3, FACTOR - 1))
    perturbed, origin = transfer.perturb(x, n, index)
    mixed, pair, share = transfer.mixup(x, n, index)
    first, second = own_targets[pair].unbind(1)
    fixed_mix = torch.lerp(second, first, share.unsqueeze(1))
    made |= {"perturbed": perturbed, "mixed": mixed}
    arms = {
        1: {
            "hard labels": replace(ex.hard_arm(own), task=own),
            "own inputs": bigger(task, x, teachers, own_targets),
        },
        4: {"fresh inputs, 4 times": bigger(task, torch.cat([x, few]), teachers)},
        FACTOR: {
            "fresh inputs": bigger(task, torch.cat([x, many]), teachers),
            **{
                name: bigger(task, torch.cat([x, inputs]), teachers)
                for name, inputs in made.items()
            },
            "perturbed, targets of the original": bigger(
                task,
                torch.cat([x, perturbed]),
                teachers,
                torch.cat([own_targets, own_targets[origin]]),
            ),
            "mixed, targets mixed": bigger(
                task, torch.cat([x, mixed]), teachers, torch.cat([own_targets, fixed_mix])
            ),
        },
    }
    return arms


def rate_rows(
    law: str,
    base: Task,
    index: int,
    students: int,
    steps: Sequence[int],
    names: Sequence[str] | None = None,
) -> list[studies.Row]:
    """Train the arms of one law for each number of steps, at every learning rate."""
    task = training_set(law, base, index)
    x, truth = test_sample(task, index)
    fit_rows, out = task.folds(FOLDS, index)[0]
    every = torch.arange(len(task.y_train))
    found: dict[tuple[int, str, float], dict[str, float]] = {}
    rows = []
    for part, count in ((fit_rows, 1), (every, students)):
        held = part is fit_rows
        teachers = teacher_logits(task, index, part)
        seeds = ex.member_seeds(RANDOM_STATE, "trial" if held else "student", index, count)
        for times, arms in input_arms(task, part, teachers, base, index).items():
            chosen = {n: arm for n, arm in arms.items() if names is None or n in names}
            if not chosen:
                continue
            trials = {
                (name, rate): replace(arm, learning_rate=rate)
                for name, arm in chosen.items()
                for rate in RATES
            }
            for number in steps:
                epochs = max(1, number * 64 // (SIZE * times))
                stacks = ex.train_students(task, trials, seeds=seeds, hidden=STUDENT, epochs=epochs)
                for (name, rate), stack in stacks.items():
                    if held:
                        found[number, name, rate] = scores(
                            stack, task.x_train[out], task.y_train[out], "held_"
                        )
                        continue
                    rows.append(
                        {
                            "replicate": index,
                            "law": law,
                            "arm": name,
                            "inputs": times,
                            "steps": number,
                            "learning_rate": rate,
                            **found[number, name, rate],
                            **scores(stack, x, truth),
                        }
                    )
        if not held and names is None:
            own = scores_of_ensemble(teachers, x, truth)
            rows.append(rows[0] | {"arm": "the ensemble itself", "learning_rate": 0.0} | own)
    return rows


def scores_of_ensemble(teachers: Stack, x: Tensor, truth: Tensor) -> dict[str, float]:
    """Scores of the mean logits; nothing was held out from it."""
    found = ex.score(teachers.predict(x).mean(0, keepdim=True), truth)
    both = {
        "accuracy": float(found.accuracy[0]),
        "negative_log_likelihood": float(found.negative_log_likelihood[0]),
    }
    return both | {f"held_{name}": value for name, value in both.items()}


def inputs_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law, 1,024 steps."""
    return [
        row
        for law, base in laws().items()
        for row in rate_rows(law, base, index, students, steps=[1024])
    ]


PATIENT = ("hard labels", "own inputs", "mixed", "mixed, targets mixed")
STEPS = (256, 1024, 4096)


def patience_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law, from 256 to 4,096 steps."""
    return [
        row
        for law, base in laws().items()
        for row in rate_rows(law, base, index, students, STEPS, PATIENT)
    ]


REPLICATES: Mapping[str, tuple[int, int]] = {
    "map": (20, 3),
    "tuned": (20, 3),
    "losses": (14, 2),
    "inputs": (16, 2),
    "patience": (12, 2),
}
RUN = {
    "map": map_replicate,
    "tuned": tuned_replicate,
    "losses": losses_replicate,
    "inputs": inputs_replicate,
    "patience": patience_replicate,
}


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=list(RUN))
    parser.add_argument("--replicates", type=int, help="training sets")
    parser.add_argument("--students", type=int, help="students of an arm in a replicate")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    replicates, students = (
        usual if given is None else given
        for given, usual in zip(
            (args.replicates, args.students), REPLICATES[args.study], strict=True
        )
    )
    if min(replicates, students, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"objective-{args.study}.csv")
    command = f"python studies/objective.py {args.study} --replicates {replicates}"
    command += f" --students {students}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(replicates):
        start = time.perf_counter()
        writer.add(RUN[args.study](index, students))
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

"""Set ensembles beside their members, one wide network and tuned rivals, for chapter 01.

Three tables, written beside this file; a replicate is a training set:

  article   the article's task and teachers; fresh training sets of its law
  overlap   four classes that overlap, small networks; fresh training sets of the law
  digits    1,797 images, the same small networks; the folds of repeated cross-validation

A run that was stopped goes on where it was. Examples:

  python studies/ensembles.py article
  python studies/ensembles.py overlap --replicates 2 --output try.csv
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import metrics, studies
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import pool
from distill_helpers.tasks import Task, article_task, gaussian_mixture_task
from distill_helpers.training import HardLabels, fit

MEMBERS = 12
SIZES = (2, 4, 8, MEMBERS)
POOLS = ("geometric", "arithmetic")
TUNED_BY = ("accuracy", "negative_log_likelihood")
STAND_INS = 4  # members of an ensemble whose settings are on trial
DECAYS = (0.0, 1e-3, 3e-3, 1e-2)
SPLITS = 5  # of the digits, in one repeat
Scores = dict[str, float]


@dataclass(frozen=True)
class Recipe:
    """How the networks of one table are made, and which lengths of training are on trial."""

    replicates: int
    hidden: tuple[int, ...]
    dropout: tuple[float, ...]
    lengths: tuple[int, ...]
    folds: int  # of the four, how many a trial is scored on
    num_test: int  # fresh samples; of the digits, all that the fold leaves out
    epochs: int = 30


RECIPES = {
    "article": Recipe(12, ex.TEACHER_HIDDEN, ex.TEACHER_DROPOUT, (5, 10, 30), 1, 100_000),
    "overlap": Recipe(20, (64, 32), (0.0, 0.0), (5, 10, 30, 60), 2, 25_000),
    "digits": Recipe(10, (64, 32), (0.0, 0.0), (5, 10, 30, 60), 1, 0),
}


def digits_fold(index: int) -> Task:
    """Return one fold of repeated cross-validation, standardised on its training part."""
    repeat, fold = divmod(index, SPLITS)
    digits = load_digits()
    splitter = StratifiedKFold(SPLITS, shuffle=True, random_state=repeat)
    train, test = list(splitter.split(digits.data, digits.target))[fold]
    scaler = StandardScaler().fit(digits.data[train])
    x, y = torch.from_numpy(scaler.transform(digits.data)).float(), torch.from_numpy(digits.target)
    return Task(
        name=f"digits, fold {index}",
        num_classes=10,
        x_train=x[train],
        y_train=y[train],
        x_test=x[test],
        y_test=y[test],
        classes=tuple(range(10)),
        mean=scaler.mean_,
        scale=scaler.scale_,
    )


def training_set(study: str, index: int) -> Task:
    """Return the training set of a replicate."""
    if study == "digits":
        return digits_fold(index)
    if study == "article":
        return article_task() if index == 0 else article_task().with_fresh_data(index)
    task = gaussian_mixture_task(4, 10, 0.15, clusters_per_class=2, num_train=1000, random_state=42)
    return task.with_fresh_data(index)


def train(
    task: Task,
    hidden: Sequence[int],
    dropout: Sequence[float],
    seeds: Sequence[int],
    *,
    epochs: int,
    decays: Sequence[float] = (0.0,),
    rows: Tensor | None = None,
) -> Stack:
    """Train networks on hard labels: all seeds for the first weight decay, then for the next."""
    every = list(seeds) * len(decays)
    stack = Stack.build(
        (task.x_train.shape[1], *hidden, task.num_classes), seeds=every, dropout=dropout
    )
    fit(
        stack,
        task,
        HardLabels(task.y_train),
        epochs=epochs,
        weight_decay=[decay for decay in decays for _ in seeds],
        seeds=every,
        rows=None if rows is None else rows.repeat(len(decays), 1),
    )
    return stack


def scored(logits: Tensor, labels: Tensor) -> Scores:
    """Score one network, or give the mean score of several; `labels` may be the posterior."""
    every = {
        "accuracy": metrics.accuracy,
        "negative_log_likelihood": metrics.negative_log_likelihood,
        "brier": metrics.brier_score,
        "ece": metrics.expected_calibration_error,
    }
    members = logits.ndim == 3
    scores = {
        name: float(score(logits, labels, members=members).mean()) for name, score in every.items()
    }
    if labels.ndim == 2:
        noise = metrics.negative_log_likelihood(labels.log(), labels)
        scores["kl"] = scores["negative_log_likelihood"] - float(noise)
    return scores


def pooled(logits: Tensor, kind: str, size: int) -> Tensor:
    """Pool disjoint groups of members, in order; logits ``(groups, N, C)``."""
    groups = logits.double().split(size)
    return torch.stack([pool(group, kind).log() for group in groups if len(group) == size])


def doubled(study: str, task: Task, index: int) -> Task:
    """Return the task with as many training samples again, fresh from its law."""
    more = training_set(study, 1000 + index)
    x = task.standardise(more.x_train.double().numpy() * more.scale + more.mean)
    return replace(
        task,
        x_train=torch.cat([task.x_train, x]),
        y_train=torch.cat([task.y_train, more.y_train]),
    )


def replicate(study: str, index: int) -> list[studies.Row]:
    """Train and score every arm on one training set."""
    recipe = RECIPES[study]
    task = training_set(study, index)
    if study == "digits":
        x, labels = task.x_test, task.y_test
    else:
        x, _ = task.sample(recipe.num_test, seed=index)
        labels = task.posterior(x)
    seeds = ex.member_seeds(42, "teacher", index, MEMBERS)
    wide = ex.widen(recipe.hidden, x.shape[1], task.num_classes, MEMBERS)
    usual = {"epochs": recipe.epochs, "weight_decay": 0.0}
    rows: list[studies.Row] = []

    def add(arm: str, scores: Scores, setting: dict[str, float], chosen_by: str = "no one") -> None:
        rows.append({"replicate": index, "arm": arm, "chosen_by": chosen_by, **setting, **scores})

    def add_pools(name: str, logits: Tensor, sizes: Sequence[int]) -> None:
        for kind, size in itertools.product(POOLS, sizes):
            add(f"{name}{kind}, {size}", scored(pooled(logits, kind, size), labels), usual)

    def predict(hidden: Sequence[int], count: int, setting: dict[str, float]) -> Tensor:
        stack = train(
            task,
            hidden,
            recipe.dropout,
            seeds[:count],
            epochs=int(setting["epochs"]),
            decays=[setting["weight_decay"]],
        )
        return stack.predict(x)

    members = predict(recipe.hidden, MEMBERS, usual)
    for number, logits in enumerate(members, start=1):
        add(f"member {number}", scored(logits, labels), usual)
    add("one member", scored(members, labels), usual)
    add_pools("", members, SIZES)

    bags = ex.draw_bags(len(task.y_train), ex.member_seeds(42, "bag", index, MEMBERS))
    bagged = train(
        task, recipe.hidden, recipe.dropout, seeds, epochs=recipe.epochs, rows=bags
    ).predict(x)
    add_pools("bagged, ", bagged, [MEMBERS])

    one_wide = predict(wide, 1, usual)
    add("wide", scored(one_wide, labels), usual)

    if task.has_law:  # as many steps on twice the data
        half = {"epochs": recipe.epochs // 2, "weight_decay": 0.0}
        more = train(
            doubled(study, task, index),
            recipe.hidden,
            recipe.dropout,
            seeds[:STAND_INS],
            epochs=half["epochs"],
        )
        add("one member, twice the data", scored(more.predict(x), labels), half)

    done = {(recipe.hidden, *usual.values()): members, (tuple(wide), *usual.values()): one_wide}
    for (arm, metric), setting in tune(recipe, task, wide, seeds, index).items():
        hidden, count = (wide, 1) if arm == "wide" else (recipe.hidden, MEMBERS)
        key = (tuple(hidden), *setting.values())
        if key not in done:
            done[key] = predict(hidden, count, setting)
        logits = pooled(done[key], arm, MEMBERS) if arm in POOLS else done[key]
        name = f"{arm}, {MEMBERS}" if arm in POOLS else arm
        add(f"{name}, tuned", scored(logits, labels), setting, chosen_by=metric)
    return rows


def tune(
    recipe: Recipe, task: Task, wide: Sequence[int], seeds: Sequence[int], index: int
) -> dict[tuple[str, str], dict[str, float]]:
    """Choose length and weight decay of each arm, by each metric, inside the training data.

    Every arm has the same trials on the same folds.
    """
    outcomes: dict[str, dict[tuple[int, float], list[Scores]]] = {}
    for fit_rows, out in task.folds(4, index)[: recipe.folds]:
        x, y = task.x_train[out], task.y_train[out]
        for epochs, (hidden, count) in itertools.product(
            recipe.lengths, [(recipe.hidden, STAND_INS), (wide, 1)]
        ):
            stack = train(
                task,
                hidden,
                recipe.dropout,
                seeds[:count],
                epochs=epochs,
                decays=DECAYS,
                rows=fit_rows.expand(count, -1),
            )
            for decay, logits in zip(DECAYS, stack.predict(x).split(count), strict=True):
                arms = {"wide": logits}
                if count > 1:
                    arms = {"one member": logits}
                    arms |= {kind: pooled(logits, kind, count) for kind in POOLS}
                for arm, answer in arms.items():
                    trials = outcomes.setdefault(arm, {})
                    trials.setdefault((epochs, decay), []).append(scored(answer, y))
    chosen = {}
    for arm, trials in outcomes.items():
        for metric in TUNED_BY:
            sign = -1 if metric == "accuracy" else 1
            epochs, decay = min(trials, key=lambda key: sign * sum(s[metric] for s in trials[key]))
            chosen[arm, metric] = {"epochs": epochs, "weight_decay": decay}
    return chosen


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=list(RECIPES))
    parser.add_argument("--replicates", type=int, help="training sets, or folds")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    replicates = RECIPES[args.study].replicates if args.replicates is None else args.replicates
    if min(replicates, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_name(f"ensembles-{args.study}.csv")
    command = f"python studies/ensembles.py {args.study} --replicates {replicates}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(replicates):
        start = time.perf_counter()
        writer.add(replicate(args.study, index))
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

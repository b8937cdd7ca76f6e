"""Run the attribution ladder of chapter 00 at a size that is too long for the chapter.

Four tables, written beside this file:

  runs           the article's settings and training set; every student by itself, its errors
                 counted by blocks of test samples; a replicate is a teacher set
  teacher-sets   the article's settings and training set; a replicate is a teacher set
  training-sets  the article's settings; a replicate is a fresh training set of the same law
  tuned          as training-sets, with every arm tuned by cross-validation, equal trials each

A run that was stopped goes on where it was. Examples:

  python studies/ladder.py teacher-sets
  python studies/ladder.py tuned --replicates 10 --trials 12
  python studies/ladder.py training-sets --replicates 1 --students 2 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from distill_helpers import article, studies
from distill_helpers import experiments as ex
from distill_helpers.tasks import Task, article_task

NUM_TEST = 100_000
RUNS = ("hard labels", "label smoothing", "ensemble")
# The chapter trains these as well in its first set, to hold `teacher-sets` to. Where a member
# stands in its stack can change its last bits, so they are trained here too, and not kept.
BESIDE = (
    *("one-hot labels, same loss", "constant smoothing, same loss"),
    *("ensemble, permuted", "one teacher", "oracle: posterior"),
)
TUNED = (
    "hard labels",
    "one-hot labels, same loss",
    "label smoothing",
    "constant smoothing, same loss",
    "ensemble's argmax, same loss",
    "ensemble, permuted",
    "one teacher",
    "ensemble",
    "oracle: Bayes argmax, smoothed",
    "oracle: posterior",
)
FOLDS = 4
FOLDS_USED = 2
# Multiply-adds of twelve teachers and a student come to 97 students'. Spent on hard labels alone:
# 24 settings at the usual length and 6 at five times it, on two folds of three quarters each, then
# one refit at five times: 24 x 1.5 + 6 x 1.5 x 5 + 5 = 86 students.
SHORT, LONG, LONGER = 24, 6, 5
SPENT = "hard labels, whole compute"
HARD = "hard labels"
EPOCHS = 50
METRICS = ("accuracy", "negative_log_likelihood")
Outcome = tuple[float, float]


def scored(index: int, arm: str, scores: ex.Scores, **more: object) -> studies.Row:
    """One row: the mean over an arm's students."""
    return {
        "replicate": index,
        "arm": arm,
        "students": len(scores.accuracy),
        "accuracy": float(scores.accuracy.mean()),
        "accuracy_sd": float(scores.accuracy.std(ddof=1)) if len(scores.accuracy) > 1 else 0.0,
        "negative_log_likelihood": float(scores.negative_log_likelihood.mean()),
        **more,
    }


def plain_replicate(
    task: Task, x: Tensor, y: Tensor, index: int, set_index: int, students: int
) -> list[studies.Row]:
    """One replicate with the article's settings."""
    scores = ex.run_ladder(
        task, x, y, set_index=set_index, num_students=students, progress=f"replicate {index}"
    )
    return [scored(index, arm, score) for arm, score in scores.items()]


def runs_replicate(task: Task, index: int, students: int) -> list[studies.Row]:
    """One teacher set of the article's, student by student."""
    scored = article.teacher_set(
        task,
        index,
        RUNS if index else (*RUNS, *BESIDE),
        num_students=students,
        num_test=NUM_TEST,
        progress=f"replicate {index}",
    )
    return article.to_rows(index, {name: scored[name] for name in (*RUNS, article.ENSEMBLE)})


def tuned_replicate(
    task: Task, x: Tensor, y: Tensor, index: int, students: int, trials: int
) -> list[studies.Row]:
    """One replicate with every arm tuned inside the training data."""
    folds = task.folds(FOLDS, index)[:FOLDS_USED]
    knobs = ex.draw_knobs(max(trials, SHORT), seed=index)
    lessons = [
        ex.Lesson(
            task,
            ex.train_teachers(task, set_index=index, rows=fit_rows).predict(task.x_train),
            seed=index,
            rows=fit_rows,
        )
        for fit_rows, _ in folds
    ]

    def held_out(wanted: dict[str, range], epochs: int) -> dict[tuple[str, int, int], Outcome]:
        """Held-out accuracy and loss of rungs and trials, each a mean over the folds."""
        arms = {
            (name, trial, fold): replace(
                ex.LADDER[name](lessons[fold], knobs[trial]), rows=folds[fold][0]
            )
            for name, some in wanted.items()
            for trial in some
            for fold in range(FOLDS_USED)
        }
        stacks = ex.train_students(
            task,
            arms,
            seeds=ex.member_seeds(42, "trial", index, 1),
            epochs=epochs,
            progress=f"replicate {index}, trials",
        )
        outcomes: dict[tuple[str, int, int], Outcome] = {}
        for name, some in wanted.items():
            for trial in some:
                parts = [
                    ex.score(
                        stacks[name, trial, fold].predict(task.x_train[out]), task.y_train[out]
                    )
                    for fold, (_, out) in enumerate(folds)
                ]
                outcomes[name, trial, epochs] = (
                    sum(float(part.accuracy[0]) for part in parts) / len(parts),
                    sum(float(part.negative_log_likelihood[0]) for part in parts) / len(parts),
                )
        return outcomes

    tried = held_out({name: range(SHORT if name == HARD else trials) for name in TUNED}, EPOCHS)
    longer = held_out({HARD: range(LONG)}, EPOCHS * LONGER)
    seeds = ex.member_seeds(42, "student", index, students)
    lesson = ex.Lesson(
        task, ex.train_teachers(task, set_index=index).predict(task.x_train), seed=index
    )
    chosen: dict[tuple[str, str], tuple[str, int, int]] = {}
    for metric in METRICS:
        for name in TUNED:
            chosen[name, metric] = best(
                {key: out for key, out in tried.items() if key[0] == name and key[1] < trials},
                metric,
            )
        everything = {key: out for key, out in tried.items() if key[0] == HARD} | longer
        chosen[SPENT, metric] = best(everything, metric)
    rows = []
    for epochs in sorted({key[2] for key in chosen.values()}):
        arms = {
            arm: ex.LADDER[name](lesson, knobs[trial])
            for arm, (name, trial, needed) in chosen.items()
            if needed == epochs
        }
        stacks = ex.train_students(
            task, arms, seeds=seeds, epochs=epochs, progress=f"replicate {index}, chosen"
        )
        for (name, metric), stack in stacks.items():
            scores = ex.score(stack.predict(x), y)
            setting = asdict(knobs[chosen[name, metric][1]])
            rows.append(scored(index, name, scores, chosen_by=metric, epochs=epochs, **setting))
    return rows


def best(outcomes: dict[tuple[str, int, int], Outcome], metric: str) -> tuple[str, int, int]:
    """Choose a trial by one metric; the other breaks ties."""
    if metric == "accuracy":
        return max(outcomes, key=lambda key: (outcomes[key][0], -outcomes[key][1]))
    return min(outcomes, key=lambda key: (outcomes[key][1], -outcomes[key][0]))


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=["runs", "teacher-sets", "training-sets", "tuned"])
    parser.add_argument("--replicates", type=int, help="teacher sets or training sets")
    parser.add_argument("--students", type=int, help="students of an arm in a replicate")
    parser.add_argument("--trials", type=int, default=12, help="settings tried for each arm")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    default_replicates, default_students = {
        "runs": (10, 20),
        "teacher-sets": (10, 20),
        "training-sets": (12, 10),
        "tuned": (10, 10),
    }[args.study]
    replicates = default_replicates if args.replicates is None else args.replicates
    students = default_students if args.students is None else args.students
    if min(replicates, students, args.trials, args.threads) < 1 or args.trials > SHORT:
        parser.error(f"counts must be 1 or more, and at most {SHORT} trials")
    output = args.output or Path(__file__).with_name(f"ladder-{args.study}.csv")
    command = f"python studies/ladder.py {args.study} --replicates {replicates}"
    command += f" --students {students}"
    if args.study == "tuned":
        command += f" --trials {args.trials}"
    writer = studies.Writer(output, command, "replicate", script=[__file__, article.__file__])
    torch.set_num_threads(args.threads)
    original = article_task()
    for index in writer.missing(replicates):
        start = time.perf_counter()
        if args.study == "runs":
            writer.add(runs_replicate(original, index, students))
            print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
            continue
        if args.study == "teacher-sets":
            task, set_index = original, index
        else:
            task, set_index = (original if index == 0 else original.with_fresh_data(index)), index
        # Fresh draws for each replicate: so the spread between replicates holds their noise too.
        x, y = task.sample(NUM_TEST, seed=index)
        if args.study == "tuned":
            rows = tuned_replicate(task, x, y, index, students, args.trials)
        else:
            rows = plain_replicate(task, x, y, index, set_index, students)
        writer.add(rows)
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

"""Run what is too long for chapter 02: T against width, ways of teaching, held-out targets.

Three tables, written beside this file; a replicate is a split of the digits or a training set:

  width     digits: students of five widths taught at seven temperatures
  recipes   digits, few images for the student: what stands in the teacher's place, and how many
            classes it has
  held-out  bagged or full data, in-sample or held-out targets, short or long teachers, on the
            overlap task and on the article's

Every arm has equal trials. A run that was stopped goes on where it was. Examples:

  python studies/soft_targets.py width
  python studies/soft_targets.py recipes --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import studies
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, article_task, digits_task, gaussian_mixture_task
from distill_helpers.training import Distillation, fit

RANDOM_STATE = 42
ALPHA = 0.7
TEACHER = {"hidden": (128, 64), "dropout": (0.3, 0.0), "epochs": 20}  # for the digits
ENSEMBLE = 6
TEMPERATURES = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0)
WIDTHS = (4, 8, 16, 32, 64)
RATES = (1e-3, 3e-3, 1e-2)
FOLDS = 5
LOSS = "negative_log_likelihood"

Judge = Callable[[Stack], ex.Scores]


def digits_split(index: int) -> Task:
    """One random split of the 1,797 digits."""
    return digits_task(ex.member_seeds(RANDOM_STATE, "split", index, 1)[0])


def row(index: int, scores: ex.Scores, **more: object) -> studies.Row:
    """One row: the mean over an arm's students."""
    return {
        "replicate": index,
        **more,
        "students": len(scores.accuracy),
        "accuracy": float(scores.accuracy.mean()),
        "negative_log_likelihood": float(scores.negative_log_likelihood.mean()),
    }


def best_trials(
    stacks: Mapping[tuple[str, int], Stack], judge: Judge, metric: str = LOSS
) -> dict[str, int]:
    """Choose each arm's trial by its mean score on held-out rows; the other score breaks ties."""
    outcomes = {}
    for key, stack in stacks.items():
        scores = judge(stack)
        pair = (-scores.accuracy.mean(), scores.negative_log_likelihood.mean())
        outcomes[key] = pair[::-1] if metric == LOSS else pair
    best: dict[str, int] = {}
    for name, trial in stacks:
        if name not in best or outcomes[name, trial] < outcomes[name, best[name]]:
            best[name] = trial
    return best


# -- temperature against width ------------------------------------------------------------------


def width_arms(task: Task, teacher_logits: Tensor) -> dict[str, ex.Arm]:
    """Hard labels, label smoothing, and one arm a temperature."""
    arms = {
        "hard labels": ex.hard_arm(task),
        "label smoothing": ex.Arm(ex.smoothed_labels(task.y_train, task.num_classes, 0.1)),
    }
    for T in TEMPERATURES:
        arms[f"T = {T:g}"] = ex.Arm(soft_targets(teacher_logits, T, "logits"), T, ALPHA)
    return arms


def width_replicate(index: int, students: int, widths: Sequence[int] = WIDTHS) -> list[studies.Row]:
    """One split: each cell's learning rate is chosen on a fold that its teachers never saw."""
    task = digits_split(index)
    fit_rows, out = task.folds(FOLDS, index)[0]
    kept, every = (
        width_arms(
            task,
            ex.train_teachers(
                task, ensemble_size=ENSEMBLE, set_index=index, rows=rows, **TEACHER
            ).predict(task.x_train),
        )
        for rows in (fit_rows, None)
    )
    rows = []
    for width in widths:
        tried = ex.train_students(
            task,
            {
                (name, trial): replace(arm, learning_rate=rate, rows=fit_rows)
                for name, arm in kept.items()
                for trial, rate in enumerate(RATES)
            },
            seeds=ex.member_seeds(RANDOM_STATE, "trial", index, 1),
            hidden=(width, width),
            epochs=40,
        )
        chosen = best_trials(
            tried, lambda stack: ex.score(stack.predict(task.x_train[out]), task.y_train[out])
        )
        stacks = ex.train_students(
            task,
            {n: replace(arm, learning_rate=RATES[chosen[n]]) for n, arm in every.items()},
            seeds=ex.member_seeds(RANDOM_STATE, "student", index, students),
            hidden=(width, width),
            epochs=40,
        )
        rows += [
            row(
                index,
                ex.score(stack.predict(task.x_test), task.y_test),
                arm=name,
                width=width,
                learning_rate=RATES[chosen[name]],
            )
            for name, stack in stacks.items()
        ]
    return rows


# -- recipes ------------------------------------------------------------------------------------


def parity(logits: Tensor) -> Tensor:
    """Sum ten classes' probabilities to even and odd, ``(..., 10)`` to ``(..., 2)``, as logits."""
    log_p = torch.log_softmax(logits.double(), -1)
    return torch.stack([log_p[..., k::2].logsumexp(-1) for k in (0, 1)], -1).float()


def shuffle_wrong_classes(targets: Tensor, labels: Tensor, seed: int) -> Tensor:
    """Shuffle each sample's probabilities of the wrong classes; that of its label stays."""
    generator = torch.Generator().manual_seed(seed)
    wrong = torch.ones_like(targets, dtype=torch.bool).scatter_(1, labels.unsqueeze(1), False)
    order = torch.rand(len(targets), targets.shape[1] - 1, generator=generator).argsort(1)
    shuffled = targets.clone()
    shuffled[wrong] = targets[wrong].view(len(targets), -1).gather(1, order).flatten()
    return shuffled


def smoothed_teachers(task: Task, index: int) -> Stack:
    """Train the teachers of the split on smoothed labels, from the same seeds."""
    seeds = ex.member_seeds(RANDOM_STATE, "teacher", index, ENSEMBLE)
    stack = Stack.build(
        (task.x_train.shape[1], *TEACHER["hidden"], task.num_classes),
        seeds=seeds,
        dropout=TEACHER["dropout"],
    )
    labels = ex.smoothed_labels(task.y_train, task.num_classes, 0.1)
    objective = Distillation(labels, task.y_train, temperature=1.0, alpha=1.0)
    fit(stack, task, objective, epochs=TEACHER["epochs"], seeds=seeds)
    return stack


def recipe_trials(
    task: Task, recipes: Mapping[str, Callable[[float], Tensor]], rows: Tensor
) -> dict[tuple[str, int], ex.Arm]:
    """Six trials an arm: two learning rates, and three values of the arm's own knob.

    The knob is the temperature; the amount for label smoothing; weight decay for hard labels.
    """
    arms = {}
    for at, rate in enumerate((3e-3, 1e-2)):
        for k in range(3):
            trial, T = 3 * at + k, (1.0, 3.0, 8.0)[k]
            for name, targets in recipes.items():
                arms[name, trial] = ex.Arm(targets(T), T, ALPHA, rate, rows=rows)
            smooth = ex.smoothed_labels(task.y_train, task.num_classes, (0.03, 0.1, 0.3)[k])
            arms["label smoothing", trial] = ex.Arm(smooth, learning_rate=rate, rows=rows)
            arms["hard labels", trial] = replace(
                ex.hard_arm(task),
                learning_rate=rate,
                weight_decay=(1e-5, 1e-4, 1e-3)[k],
                rows=rows,
            )
    return arms


def recipes_replicate(index: int, students: int) -> list[studies.Row]:
    """One split: the teachers see all training images, the students a fifth of them.

    Another fifth chooses each arm's trial.
    """
    task = digits_split(index)
    folds = task.folds(FOLDS, index)
    seen, out = folds[0][1], folds[1][1]
    odd = replace(task, y_train=task.y_train % 2, y_test=task.y_test % 2, num_classes=2)
    ten = ex.train_teachers(task, ensemble_size=ENSEMBLE, set_index=index, **TEACHER)
    two = ex.train_teachers(odd, ensemble_size=ENSEMBLE, set_index=index, **TEACHER)
    smooth = smoothed_teachers(task, index)
    v, v_two, v_smooth = (stack.predict(task.x_train) for stack in (ten, two, smooth))
    lesson = ex.Lesson(task, v, seed=index, rows=seen)
    recipes = {
        "constant smoothing": lambda T: lesson.one_hot(smoothing=lesson.matched_smoothing(T)),
        "ensemble, permuted": lesson.permuted,
        "ensemble, wrong classes shuffled": lambda T: shuffle_wrong_classes(
            lesson.pooled(T), task.y_train, index
        ),
        "ensemble": lesson.pooled,
        "one teacher": lambda T: soft_targets(v[0], T),
        "one smoothed teacher": lambda T: soft_targets(v_smooth[0], T),
        "smoothed ensemble": lambda T: soft_targets(v_smooth, T, "logits"),
    }
    recipes_odd = {
        "two-class ensemble": lambda T: soft_targets(v_two, T, "logits"),
        "ten-class ensemble, summed": lambda T: soft_targets(parity(v.mean(0)), T),
    }
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
    usual = {"seeds": seeds, "hidden": (16, 16), "epochs": 100}
    tried = ex.train_students(task, recipe_trials(task, recipes, seen), **usual)
    tried_odd = ex.train_students(odd, recipe_trials(odd, recipes_odd, seen), **usual)
    rows = []
    same: Callable[[Tensor], Tensor] = lambda z: z  # noqa: E731
    for question, outputs, on, stacks, answer in (
        ("digit", 10, task, tried, same),
        ("parity", 10, odd, tried, parity),
        ("parity", 2, odd, tried_odd, same),
    ):

        def held_out(
            stack: Stack, on: Task = on, answer: Callable[[Tensor], Tensor] = answer
        ) -> ex.Scores:
            return ex.score(answer(stack.predict(on.x_train[out])), on.y_train[out])

        about: dict[str, object] = {"question": question, "outputs": outputs}
        for metric in ("accuracy", LOSS):
            for name, trial in best_trials(stacks, held_out, metric).items():
                scores = ex.score(answer(stacks[name, trial].predict(on.x_test)), on.y_test)
                rows.append(row(index, scores, arm=name, chosen_by=metric, trial=trial, **about))
        for name, stack, size in (
            ("the ensemble itself", ten, 10),
            ("the smoothed ensemble itself", smooth, 10),
            ("the two-class ensemble itself", two, 2),
        ):
            if size == outputs:
                logits = stack.predict(task.x_test)
                scores = ex.score(answer(logits.mean(0, keepdim=True)), on.y_test)
                rows.append(row(index, scores, arm=name, chosen_by="none", trial=0, **about))
    return rows


# -- held-out targets ---------------------------------------------------------------------------

LENGTHS = (20, 100)
SLOWER_TOO = (3e-4, *RATES)
SMALL = {"hidden": (64, 32), "dropout": (0.0, 0.0)}
MEMBERS = 4


def overlap_task() -> Task:
    """Three classes in ten dimensions; the best classifier errs on a fifth of the samples."""
    return gaussian_mixture_task(
        3, 10, 0.2, clusters_per_class=2, num_train=500, random_state=RANDOM_STATE
    )


def held_out_arms(task: Task, index: int, members: int = MEMBERS) -> dict[str, ex.Arm]:
    """Four kinds of targets for each length of the teachers' training, and the arms beside them."""
    arms = {
        "hard labels": ex.hard_arm(task),
        "label smoothing": ex.Arm(ex.smoothed_labels(task.y_train, task.num_classes, 0.1)),
    }
    if task.has_law:
        arms["oracle: posterior"] = ex.Arm(task.posterior(task.x_train).float())
    for length in LENGTHS:
        usual = {"epochs": length, "random_state": RANDOM_STATE, "set_index": index, **SMALL}
        teachers = ex.train_teachers(task, ensemble_size=members, **usual)
        bags = {"num_bags": 10 * members + 20, "members_per_target": members}
        for name, targets in {
            "full data, in-sample": soft_targets(teachers.predict(task.x_train), pooling="logits"),
            "full data, held-out": ex.cross_fitted_soft_targets(
                task, folds=10, ensemble_size=members, **usual
            ),
            "bagged, in-sample": ex.out_of_bag_soft_targets(task, in_bag=True, **bags, **usual),
            "bagged, held-out": ex.out_of_bag_soft_targets(task, **bags, **usual),
        }.items():
            arms[f"{name}, {length} epochs"] = ex.Arm(targets)
    return arms


def held_out_replicate(index: int, students: int) -> list[studies.Row]:
    """One training set of each law; 500 further samples choose each arm's learning rate.

    All rates are kept: how far a student follows its targets is part of the question.
    """
    rows = []
    for law, base in (("overlap", overlap_task()), ("article", article_task(RANDOM_STATE))):
        task = base.with_fresh_data(index, num_train=500)
        x_out, y_out = task.sample(500, seed=10_000 + index)
        x, _ = task.sample(10_000, seed=index)
        posterior = task.posterior(x)
        entropy = -torch.special.xlogy(posterior, posterior).sum(1).mean().item()
        arms = held_out_arms(task, index)
        stacks = ex.train_students(
            task,
            {
                (name, trial): replace(arm, learning_rate=rate)
                for name, arm in arms.items()
                for trial, rate in enumerate(SLOWER_TOO)
            },
            seeds=ex.member_seeds(RANDOM_STATE, "student", index, students),
            hidden=(16, 16),
            epochs=100,
        )
        chosen = best_trials(stacks, lambda z, a=x_out, b=y_out: ex.score(z.predict(a), b))
        p_train = task.posterior(task.x_train)
        for (name, trial), stack in stacks.items():
            distance = arms[name].soft_targets.double() - p_train
            made = row(
                index,
                ex.score(stack.predict(x), posterior),
                arm=name,
                law=law,
                learning_rate=SLOWER_TOO[trial],
                chosen=int(chosen[name] == trial),
                distance=distance.square().sum(1).mean().item(),
            )
            made["excess_risk"] = made["negative_log_likelihood"] - entropy
            rows.append(made)
    return rows


REPLICATES = {"width": (12, 2), "recipes": (20, 3), "held-out": (12, 4)}
RUN = {"width": width_replicate, "recipes": recipes_replicate, "held-out": held_out_replicate}


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=list(RUN))
    parser.add_argument("--replicates", type=int, help="splits or training sets")
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
    output = args.output or Path(__file__).with_name(f"soft-targets-{args.study}.csv")
    command = f"python studies/soft_targets.py {args.study} --replicates {replicates}"
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

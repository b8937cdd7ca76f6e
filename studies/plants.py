"""Plant faults in healthy students and see whether `capacity.diagnose_gap` finds them (chapter 05).

A plant is a random law, a healthy student, and a random set of up to four faults of random
strength: too narrow, stopped early, too few samples, a bad teacher. Every fifth plant has none. The
diagnosis runs at its defaults, the last four plants with three replicates alone.

The truth of a fault is what it costs when it alone is planted in the healthy student, measured on
other training sets with other seeds. Where a fault is not planted, it is what mending that factor
brings to the healthy student. A row is a factor of a plant. Examples:

  python studies/plants.py
  python studies/plants.py --plants 2 --first 1000 --output try.csv
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import studies
from distill_helpers.capacity import BATCH_SIZE, FACTORS, Setup, Teacher, diagnose_gap
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.statistics import Estimate, paired_gain
from distill_helpers.tasks import Task, gaussian_mixture_task
from distill_helpers.training import Distillation, HardLabels, fit

PLANTS = 40
MARGIN = 0.01
TRUTH_SETS, TRUTH_STUDENTS = 20, 2
TRUTH_STATE = 7  # the diagnosis has 42

HIDDEN, ROWS, STEPS = (24, 12), 1024, 192
MORE_HIDDEN, MORE_ROWS, MORE_STEPS = (28, 14), 1280, 256
TEACHER = Teacher(2, (32,), (0.0,), 12, 1536)
MORE_TEACHER = replace(TEACHER, ensemble_size=3)


def passes(steps: int, rows: int) -> int:
    """Return the whole number of passes over so many rows whose steps are the nearest."""
    return max(1, round(steps / math.ceil(rows / BATCH_SIZE)))


def student(hidden: tuple[int, ...], rows: int, steps: int, teacher: Teacher) -> Setup:
    """Return a setup by its steps, so that fewer rows do not also mean fewer steps."""
    return Setup(hidden, rows, passes(steps, rows), teacher, learning_rate=1e-2)


@dataclass(frozen=True)
class Plant:
    """A law, the faults in it, and the student as it is and mended."""

    law: Task
    faults: frozenset[str]
    setup: Setup
    better: Setup
    replicates: int
    alone: dict[str, tuple[Setup, Setup]]
    """By factor: the worse and the better student of which the truth is the difference."""


def plant(number: int) -> Plant:
    """Draw a plant by its number."""
    rng = np.random.default_rng([5, number])
    law = gaussian_mixture_task(
        int(rng.integers(2, 6)),
        int(rng.integers(8, 21)),
        float(rng.uniform(0.05, 0.25)),
        clusters_per_class=int(rng.integers(1, 4)),
        num_train=10,
        num_test=10,
        random_state=number,
    )
    chosen = [f for f in FACTORS if rng.random() < 0.4] or [str(rng.choice(FACTORS))]
    faults = frozenset(() if number % 5 == 4 else chosen)
    faulty = {
        "wider": (int(rng.integers(2, 6)),),
        "longer": int(np.exp(rng.uniform(np.log(16), np.log(128)))),
        "more samples": int(np.exp(rng.uniform(np.log(48), np.log(400)))),
        "better teacher": Teacher(
            1, (int(rng.integers(2, 17)),), (0.0,), 12, int(rng.integers(30, 300))
        ),
    }
    healthy = {"wider": HIDDEN, "longer": STEPS, "more samples": ROWS, "better teacher": TEACHER}
    roomy = {
        "wider": MORE_HIDDEN,
        "longer": MORE_STEPS,
        "more samples": MORE_ROWS,
        "better teacher": MORE_TEACHER,
    }

    def made(levels: dict[str, object]) -> Setup:
        return student(
            levels["wider"],  # type: ignore[arg-type]
            levels["more samples"],  # type: ignore[arg-type]
            levels["longer"],  # type: ignore[arg-type]
            levels["better teacher"],  # type: ignore[arg-type]
        )

    setup = made(healthy | {f: faulty[f] for f in faults})
    # The epochs of `better` count passes over the rows of `setup`.
    better = replace(made(roomy), epochs=passes(MORE_STEPS, setup.num_train))
    alone = {
        f: (
            (made(healthy | {f: faulty[f]}), made(healthy))
            if f in faults
            else (made(healthy), made(healthy | {f: roomy[f]}))
        )
        for f in FACTORS
    }
    return Plant(law, faults, setup, better, 3 if number % PLANTS >= PLANTS - 4 else 8, alone)


def measure(law: Task, setups: list[Setup], index: int) -> dict[Setup, np.ndarray]:
    """Return the NLL of each setup on fresh training sets, ``(TRUTH_SETS, TRUTH_STUDENTS)``.

    All sets train as one stack. This is other code than the diagnosis runs.
    """
    teachers = [s.teacher for s in setups if isinstance(s.teacher, Teacher)]
    own = max(s.num_train for s in setups)
    total = own + max(t.num_train for t in teachers)
    seeds = ex.member_seeds(TRUTH_STATE, "plants", index, 2 * TRUTH_SETS)
    sets = [law.with_fresh_data(seed, num_train=total) for seed in seeds[:TRUTH_SETS]]
    tests = [t.sample(5000, seed)[0] for t, seed in zip(sets, seeds[TRUTH_SETS:], strict=True)]
    truths = [t.posterior(x) for t, x in zip(sets, tests, strict=True)]
    logits = {t: teach(sets, t, own, index) for t in dict.fromkeys(teachers)}
    twice = [t for t in sets for _ in range(TRUTH_STUDENTS)]
    found = {}
    for s in setups:
        assert isinstance(s.teacher, Teacher)
        targets = soft_targets(logits[s.teacher].flatten(1, 2), s.temperature, "logits")
        targets = targets.unflatten(0, (TRUTH_SETS, total))
        sizes = (law.x_train.shape[1], *s.hidden, law.num_classes)
        stack = Stack.build(sizes, seeds=ex.member_seeds(TRUTH_STATE, "student", index, len(twice)))
        objective = Distillation(
            targets.repeat_interleave(TRUTH_STUDENTS, 0),
            torch.stack([t.y_train for t in twice]),
            temperature=s.temperature,
            alpha=s.alpha,
        )
        fit(
            stack,
            twice,
            objective,
            epochs=s.epochs,
            learning_rate=s.learning_rate,
            weight_decay=1e-4,
            seeds=ex.member_seeds(TRUTH_STATE, "student", index, len(twice)),
            rows=torch.arange(s.num_train),
        )
        members = torch.arange(len(twice)).view(TRUTH_SETS, TRUTH_STUDENTS)
        found[s] = np.stack(
            [
                ex.score(stack[m].predict(x), p).negative_log_likelihood
                for m, x, p in zip(members, tests, truths, strict=True)
            ]
        )
    return found


def teach(sets: list[Task], teacher: Teacher, first: int, index: int) -> Tensor:
    """Return each set's ensemble's logits on all of its rows, ``(members, sets, rows, C)``."""
    every = [t for t in sets for _ in range(teacher.ensemble_size)]
    seeds = ex.member_seeds(TRUTH_STATE, "teacher", index, len(every))
    sizes = (sets[0].x_train.shape[1], *teacher.hidden, sets[0].num_classes)
    stack = Stack.build(sizes, seeds=seeds, dropout=teacher.dropout)
    fit(
        stack,
        every,
        HardLabels(torch.stack([t.y_train for t in every])),
        epochs=teacher.epochs,
        seeds=seeds,
        rows=torch.arange(first, first + teacher.num_train),
    )
    members = torch.arange(len(every)).view(len(sets), teacher.ensemble_size)
    return torch.stack([stack[m].predict(t.x_train) for m, t in zip(members, sets, strict=True)], 1)


def truth(p: Plant, number: int) -> dict[str, Estimate]:
    """Return what each factor costs when it alone is at fault."""
    setups = list(dict.fromkeys(s for pair in p.alone.values() for s in pair))
    losses = measure(p.law, setups, number)
    return {f: paired_gain(losses[worse], losses[well]) for f, (worse, well) in p.alone.items()}


def replicate(number: int) -> list[studies.Row]:
    """Plant, diagnose, and measure the truth."""
    p = plant(number)
    found = diagnose_gap(p.law, p.setup, p.better, margin=MARGIN, replicates=p.replicates)
    true = truth(p, number)
    return [
        {
            "replicate": number,
            "factor": f,
            "planted": int(f in p.faults),
            "replicates": p.replicates,
            "truth": true[f].value,
            "truth_error": true[f].standard_error,
            "answer": found.answers[f],
            "left": found.left[f].value,
            "left_low": found.left[f].low,
            "left_high": found.left[f].high,
            "alone": found.alone[f].value,
            "whole": found.whole.value,
            "whole_low": found.whole.low,
            "whole_high": found.whole.high,
            "verdict": found.verdict,
        }
        for f in FACTORS
    ]


def main() -> None:
    """Read the command line, run, save after each plant."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plants", type=int, default=PLANTS, help="how many")
    parser.add_argument("--first", type=int, default=0, help="number of the first; try from 1000")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if min(args.plants, args.threads) < 1 or args.first < 0:
        parser.error("counts must be 1 or more, and --first 0 or more")
    output = args.output or Path(__file__).with_name("plants.csv")
    command = "python studies/plants.py"
    if (args.plants, args.first) != (PLANTS, 0):
        command += f" --plants {args.plants} --first {args.first}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for number in writer.missing(args.first + args.plants):
        if number >= args.first:
            start = time.perf_counter()
            writer.add(replicate(number))
            print(f"plant {number}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

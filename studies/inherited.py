"""Ask what a student inherits from its teachers, and what is lost on the way.

One table, written beside this file. A replicate is a training set of overlap3-1000 (three classes
whose best classifier misses a fifth) in which a tenth of the labels are drawn anew. Arms are tuned
by `distill_helpers.protocol`: hard and smoothed labels, soft targets of one and of twelve tuned
teachers at alpha 0.7 and 1; students of width 64, and the twelve teachers themselves.

  repeats          share of the wrong labels in the training part that the network says back: what
                   it has memorised (a label drawn anew is wrong where it changed)
  excess_risk      on fresh inputs, against the posterior of clean labels
  entropy_S        mean entropy of its answer on test inputs moved outwards by the factor S
  disagreement_S   mean mutual information between answer and member: of the twelve teachers, or of
                   four students of one lesson
  auroc_S          how often the disagreement is larger on a moved input than on one left where it
                   was (0.5 tells nothing); auroc_entropy_S the same by the entropy of one network

Predictions, written before the run:

  1  students of soft targets alone repeat fewer wrong labels than students of hard labels
  2  they repeat more of them than students of smoothed labels do (the teachers memorised some)
  3  at a factor of 4, the twelve teachers' disagreement tells far from near better than the
     entropy of the student does

A run that was stopped goes on where it was. Examples:

  python studies/inherited.py
  python studies/inherited.py --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from distill_helpers import deciding, protocol, studies
from distill_helpers import experiments as ex
from distill_helpers.metrics import negative_log_likelihood
from distill_helpers.tasks import Task

TASK = "overlap3-1000"
NOISE = 0.1
FACTORS = (2, 4, 8)
NUM_FAR = 2_000
WIDTH = 64


def with_noise(task: Task, index: int) -> Task:
    """Draw a tenth of the training labels anew."""
    noisy = ex.noisy_labels(task.y_train, task.num_classes, NOISE, seed=index)
    return replace(task, y_train=noisy)


def entropy(p: Tensor) -> Tensor:
    """Entropy in nats of probabilities ``(..., C)``."""
    return -torch.special.xlogy(p, p).sum(-1)


def doubts(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return entropy of the first member, and disagreement of all, for logits ``(M, N, C)``.

    Disagreement is the mutual information between answer and member: the entropy of the mean minus
    the mean entropy, in nats.
    """
    p = torch.softmax(logits.double(), -1)
    return entropy(p[0]), entropy(p.mean(0)) - entropy(p).mean(0)


def far_away(predict: dict[int, Tensor]) -> studies.Row:
    """Say how doubts grow as inputs move outwards; `predict` has logits by factor, 1 among them."""
    found: studies.Row = {}
    near = doubts(predict[1])
    for factor in (1, *FACTORS):
        single, several = doubts(predict[factor])
        found[f"entropy_{factor}"] = float(single.mean())
        found[f"disagreement_{factor}"] = float(several.mean())
        if factor == 1:
            continue
        moved = [0] * len(near[0]) + [1] * len(single)
        for name, kind in (("auroc_entropy", 0), ("auroc", 1)):
            doubt = torch.cat([near[kind], (single, several)[kind]])
            found[f"{name}_{factor}"] = float(roc_auc_score(moved, doubt.numpy()))
    return found


def replicate(index: int, plan: deciding.Plan = deciding.PLANS[TASK]) -> list[studies.Row]:
    """Run all arms on one training set."""
    clean = plan.make(index)
    task = with_noise(clean, index)
    wrong = task.y_train != clean.y_train
    split = deciding.Split.of(plan, task, index)
    judge = deciding.Judge.of(clean, index)  # test inputs, posterior of clean labels
    trial = ex.member_seeds(deciding.RANDOM_STATE, "trial", index, 1)[0]
    epochs = plan.teacher_epochs
    tuned, shape = protocol.tune_teacher(task, split.tuning_folds, epochs=epochs, trial_seed=trial)
    near = judge.x[:NUM_FAR]
    everywhere = torch.cat([judge.x, *(factor * near for factor in FACTORS)])
    teachers = deciding.Teachers.of(
        task,
        split,
        index,
        everywhere,
        tuned,
        shape,
        epochs=epochs,
        average_last=protocol.averaged(epochs),
    )
    arms = {
        key: recipe
        for key, recipe in deciding.recipes(task, {"tuned": (teachers, False)}).items()
        if key[1] in (0, 1, max(deciding.MEMBERS)) and not key[2].startswith("levelled")
    }
    arms = {key: recipe for key, recipe in arms.items() if key[0] != "oracle"}
    results = protocol.run_tuned(
        task,
        arms,
        split.folds,
        split.rows,
        hidden=(WIDTH, WIDTH // 2),
        epochs=plan.student_epochs,
        trial_seed=trial,
        seeds=ex.member_seeds(deciding.RANDOM_STATE, "student", index, deciding.STUDENTS),
    )

    def row(key: deciding.Key, on_train: Tensor, outside: Tensor) -> studies.Row:
        parts = outside.split([len(judge.x), *[NUM_FAR] * len(FACTORS)], dim=1)
        logits = {1: parts[0][:, :NUM_FAR]} | dict(zip(FACTORS, parts[1:], strict=True))
        said = on_train.argmax(-1)
        loss = negative_log_likelihood(parts[0], judge.truth, members=True).mean()
        return {
            "replicate": index,
            "arm": key[2],
            "teacher": key[0],
            "members": key[1],
            "wrong_labels": int(wrong.sum()),
            "repeats": float((said == task.y_train)[:, wrong].double().mean()),
            "excess_risk": float(loss) - judge.entropy,
            **far_away(logits),
        }

    rows = [
        row(key, result.stack.predict(task.x_train), result.stack.predict(everywhere))
        for key, result in results.items()
    ]
    count = max(deciding.MEMBERS)
    rows.append(row(("tuned", count, "the teachers"), teachers.train[None], teachers.test))
    return rows


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicates", type=int, default=12, help="training sets")
    parser.add_argument("--threads", type=int, default=1, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if min(args.replicates, args.threads) < 1:
        parser.error("counts must be 1 or more")
    output = args.output or Path(__file__).with_suffix(".csv")
    command = f"python studies/inherited.py --replicates {args.replicates}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(args.replicates):
        start = time.perf_counter()
        writer.add(replicate(index))
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

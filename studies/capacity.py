"""Run what is too long for chapter 05: how small a student, how large a teacher.

A replicate is a fresh training set of a law. 500 further labelled samples choose each arm's trial
by NLL, equal trials an arm; no network trains on them. Studies:

  width      students from a linear model to more than a teacher, and trees, taught by the
             article's twelve teachers or by labels
  teachers   single teachers of seven widths stopped at four lengths, students of six widths;
             assistants between them, and the same compute spent otherwise
  factorial  the article's student: wider, longer, more samples, better teacher, in all
             combinations

Predictions, written before the runs, when one replicate of `width` and of `teachers` (overlap law)
had been seen as a pilot; each for both laws; smallest effect that matters 0.3 points or 0.005 nats
of excess risk; students of the article's loss unless said, trials tuned:

  size       width 16 does as well as width 64 in accuracy; a linear model does worse than width 64
  gain       the article's loss gains more over hard labels at width 8 than at width 288
  fidelity   width 288 by soft targets alone agrees with its ensemble on less than 99 % of fresh
             inputs, and on more of the inputs that it was taught on
  trees      soft targets and made-up inputs grow a better tree than labels do
  larger     student of width 8, teachers of 50 epochs: width 256 is a worse teacher than width 32
  stopped    student of width 8: width 256 stopped after 15 epochs is better than after 150
  assistant  student of width 8, teacher of width 256 and 50 epochs: an assistant of width 16 helps,
             also against the same compute for the student; the teacher stopped after 15 epochs and
             no assistant is better still
  own loss   students of widths 8 and 64: the teacher of least loss is the best one to have
  split      student of width 64: ten teachers of 15 epochs beat one of 150
  law        teachers of 50 epochs: the law's error of log loss is smaller by 0.05 or more than that
             of the nearest measured cell, for cells between those fitted (every second one) and
             beyond them (students above width 16, teachers above width 64)
  factorial  more samples are what the article's student lacks; width and length are not; a better
             teacher (the exact posterior) is on the overlap law

A run that was stopped goes on where it was. Examples:

  python studies/capacity.py width article
  python studies/capacity.py teachers overlap --replicates 1 --output try.csv
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from distill_helpers import experiments as ex
from distill_helpers import metrics, studies, transfer
from distill_helpers.capacity import FACTORS, Setup, Teacher, factorial
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task, article_task, gaussian_mixture_task

RANDOM_STATE = 42
LAWS = ("article", "overlap")
NUM_CHOOSE, NUM_TEST = 500, 20_000
RATES = (1e-3, 3e-3, 1e-2)


def law(name: str) -> Task:
    """Return the article's task, or three classes whose best classifier misses a fifth."""
    if name == "article":
        return article_task(RANDOM_STATE)
    return gaussian_mixture_task(
        3, 10, 0.2, clusters_per_class=2, num_train=1000, random_state=RANDOM_STATE
    )


def hidden(width: int) -> tuple[int, ...]:
    """Return the article's shape at another width: `width` and half of it; 0 is a linear model."""
    return (width, width // 2) if width else ()


def num_parameters(task: Task, width: int) -> int:
    """Count weights and biases of a network of this width."""
    sizes = (task.x_train.shape[1], *hidden(width), task.num_classes)
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


@dataclass(frozen=True)
class Judge:
    """Samples that choose a trial, and a test sample with its exact posterior."""

    x_choose: Tensor
    y_choose: Tensor
    x: Tensor
    posterior: Tensor

    @classmethod
    def of(cls, task: Task, index: int) -> Judge:
        """Draw both; the seeds are the replicate's own."""
        x_choose, y_choose = task.sample(NUM_CHOOSE, seed=10_000 + index)
        x, _ = task.sample(NUM_TEST, seed=index)
        return cls(x_choose, y_choose, x, task.posterior(x))

    def choose(self, tried: Mapping[tuple[str, int], Stack]) -> dict[str, int]:
        """Return each arm's trial of least NLL."""
        return ex.choose_trials(tried, self.x_choose, self.y_choose)

    def scores(self, logits: Tensor) -> dict[str, float]:
        """Return accuracy and excess risk on the test sample, means over members."""
        entropy = -torch.special.xlogy(self.posterior, self.posterior).sum(1).mean().item()
        found = ex.score(logits, self.posterior)
        return {
            "accuracy": float(found.accuracy.mean()),
            "excess_risk": float(found.negative_log_likelihood.mean()) - entropy,
        }


# -- width --------------------------------------------------------------------------------------

WIDTHS = (0, 2, 4, 8, 16, 32, 64, 128, 288)
DECAYS = (1e-4, 1e-2)
DEPTHS = (2, 3, 4, 5, 6, 8)
READABLE = 3
MADE_UP = 10


def width_trials(task: Task, teacher_logits: Tensor) -> dict[tuple[str, int], ex.Arm]:
    """Six trials an arm: three rates by two values of weight decay, or of the smoothing.

    Trial 0 of the first three arms is the article's setting.
    """
    hard = ex.smoothed_labels(task.y_train, task.num_classes)
    targets = {T: soft_targets(teacher_logits, T, "logits") for T in (1.0, 3.0)}
    trials = {}
    for k, (own, rate) in enumerate(itertools.product((0, 1), RATES)):
        decay = DECAYS[own]
        smooth = ex.smoothed_labels(task.y_train, task.num_classes, (0.05, 0.2)[own])
        trials["hard labels", k] = ex.Arm(hard, 1.0, 1.0, rate, decay)
        trials["article's loss", k] = ex.Arm(targets[3.0], 3.0, 0.7, rate, decay)
        trials["soft targets alone", k] = ex.Arm(targets[1.0], 1.0, 1.0, rate, decay)
        trials["label smoothing", k] = ex.Arm(smooth, 1.0, 1.0, rate)
    return trials


def log_leaves(tree: DecisionTreeRegressor, targets: np.ndarray, x: Tensor) -> Tensor:
    """Return a tree's log-probabilities ``(1, N, C)``.

    A leaf's mean target is mixed with one sample of the mean over all, so that no class has
    probability 0.
    """
    counts = tree.tree_.weighted_n_node_samples[:, None]
    leaves = (counts * tree.tree_.value[:, :, 0] + targets.mean(0)) / (counts + 1)
    found = leaves[tree.apply(x.numpy())]
    return torch.from_numpy(np.log(found / found.sum(1, keepdims=True))).unsqueeze(0)


def grow(x: Tensor, targets: Tensor, depth: int) -> DecisionTreeRegressor:
    """Grow a tree on targets ``(N, C)``; the squared error of one-hot targets is the Gini index."""
    tree = DecisionTreeRegressor(max_depth=depth, min_samples_leaf=5, random_state=0)
    return tree.fit(x.numpy(), targets.double().numpy())


def tree_rows(task: Task, index: int, teachers: Stack, judge: Judge) -> list[studies.Row]:
    """Trees of labels, of soft targets, and of soft targets of made-up inputs too."""
    made_up = transfer.munge(task.x_train, MADE_UP * len(task.x_train), index)
    x_more = torch.cat([task.x_train, made_up])
    fresh, _ = task.sample(MADE_UP * len(task.x_train), seed=20_000 + index)
    x_fresh = torch.cat([task.x_train, fresh])
    taught = {
        name: (x, soft_targets(teachers.predict(x), pooling="logits"))
        for name, x in (
            ("soft targets", task.x_train),
            ("soft targets, made-up inputs too", x_more),
            ("soft targets, fresh inputs too", x_fresh),
        )
    }
    lessons = {
        "labels": (task.x_train, ex.smoothed_labels(task.y_train, task.num_classes)),
        **taught,
    }
    rows = []
    for lesson, (x, targets) in lessons.items():
        mean = targets.double().numpy()
        grown = {depth: grow(x, targets, depth) for depth in DEPTHS}
        answers = {d: log_leaves(tree, mean, judge.x_choose) for d, tree in grown.items()}
        loss = {
            d: ex.score(z, judge.y_choose).negative_log_likelihood[0] for d, z in answers.items()
        }
        best = min(loss, key=lambda d: loss[d])
        for kind, depth in (("readable tree", READABLE), ("tree", best)):
            z = log_leaves(grown[depth], mean, judge.x)
            rows.append(
                width_row(index, f"{kind}, {lesson}", -depth, grown[depth].get_n_leaves(), depth)
                | judge.scores(z)
                | faithful(z, teachers.predict(judge.x))
            )
    return rows


def width_row(index: int, arm: str, width: int, parameters: int, trial: int) -> studies.Row:
    """Return a row's first columns."""
    return {
        "replicate": index,
        "arm": arm,
        "width": width,
        "parameters": parameters,
        "trial": trial,
    }


def faithful(logits: Tensor, teacher_logits: Tensor, suffix: str = "") -> dict[str, float]:
    """Return agreement with the ensemble, and KL(ensemble || student), means over members."""
    found = metrics.fidelity(logits, teacher_logits.mean(0), members=True)
    return {
        f"agreement{suffix}": float(found.agreement.mean()),
        f"kl{suffix}": float(found.kl.mean()),
    }


def width_replicate(
    name: str, index: int, students: int, widths: tuple[int, ...] = WIDTHS
) -> list[studies.Row]:
    """One training set: twelve teachers, students of every width, trees."""
    base = law(name)
    task = base.with_fresh_data(index)
    judge = Judge.of(task, index)
    teachers = ex.train_teachers(task, random_state=RANDOM_STATE, set_index=index)
    v, v_train = teachers.predict(judge.x), teachers.predict(task.x_train)
    rows = []
    for arm, logits in (("the ensemble itself", v.mean(0, keepdim=True)), ("its members", v)):
        share = 1 if arm == "the ensemble itself" else len(v)
        row = width_row(index, arm, 256, teachers.num_parameters // share, 0)
        rows.append(row | judge.scores(logits) | faithful(logits, v))
    rows += tree_rows(task, index, teachers, judge)
    trials = width_trials(task, v_train)
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
    for width in widths:
        tried = ex.train_students(task, trials, seeds=seeds, hidden=hidden(width))
        shown = [(arm, arm, trial) for arm, trial in judge.choose(tried).items()]
        shown += [(f"{a}, untouched", a, 0) for a in ("hard labels", "article's loss")]
        for arm, which, trial in shown:
            stack = tried[which, trial]
            z = stack.predict(judge.x)
            rows.append(
                width_row(index, arm, width, num_parameters(task, width), trial)
                | judge.scores(z)
                | faithful(z, v)
                | faithful(stack.predict(task.x_train), v_train, "_seen")
            )
    # The table has one set of columns.
    return [{"agreement_seen": "", "kl_seen": ""} | row for row in rows]


# -- teachers -----------------------------------------------------------------------------------

NUM_TRAIN = 1000
TEACHER_WIDTHS = (4, 8, 16, 32, 64, 128, 256)
LENGTHS = (5, 15, 50, 150)
STUDENT_WIDTHS = (2, 4, 8, 16, 32, 64)
EPOCHS = 60
OBJECTIVES = ((1.0, 1.0), (3.0, 0.7))
FASTER = RATES[1:]
LARGEST = 256
HELPED = {8: (16, 32), 16: (32, 64)}
HELPED_LENGTHS = (50, 150)
SPLIT = (64, {"1 x 150": (1, 150), "3 x 50": (3, 50), "10 x 15": (10, 15)})


def trials_of(targets: Mapping[str, Tensor]) -> dict[tuple[str, int], ex.Arm]:
    """Four trials a teacher: two rates by two objectives; from its logits ``(N, C)``."""
    settings = list(itertools.product(OBJECTIVES, FASTER))
    return {
        (arm, k): ex.Arm(soft_targets(logits, T), T, alpha, rate)
        for arm, logits in targets.items()
        for k, ((T, alpha), rate) in enumerate(settings)
    }


def label_trials(task: Task) -> dict[tuple[str, int], ex.Arm]:
    """Four trials of hard labels: two rates by two values of weight decay."""
    hard = ex.smoothed_labels(task.y_train, task.num_classes)
    return {
        ("hard labels", k): ex.Arm(hard, 1.0, 1.0, rate, decay)
        for k, (decay, rate) in enumerate(itertools.product(DECAYS, FASTER))
    }


def single_teachers(task: Task, index: int, width: int, length: int, size: int = 1) -> Stack:
    """Train teachers of one width without dropout, stopped after so many epochs."""
    return ex.train_teachers(
        task,
        ensemble_size=size,
        epochs=length,
        random_state=RANDOM_STATE,
        set_index=index,
        hidden=hidden(width),
        dropout=(0.0, 0.0),
    )


def teachers_replicate(name: str, index: int, students: int) -> list[studies.Row]:
    """One training set: all teachers, their students, assistants, equal compute."""
    task = law(name).with_fresh_data(index, num_train=NUM_TRAIN)
    judge = Judge.of(task, index)
    seeds = ex.member_seeds(RANDOM_STATE, "student", index, students)
    size = {w: num_parameters(task, w) for w in {*TEACHER_WIDTHS, *STUDENT_WIDTHS}}
    rows: list[studies.Row] = []

    def add(arm: str, teacher: int, length: int, student: int, compute: float, **found: float):
        about = {"arm": arm, "teacher": teacher, "length": length, "student": student}
        rows.append({"replicate": index, **about, "compute": round(compute), **found})

    def teach(
        trials: Mapping[tuple[str, int], ex.Arm], width: int, epochs: int
    ) -> dict[str, Stack]:
        tried = ex.train_students(task, trials, seeds=seeds, hidden=hidden(width), epochs=epochs)
        return {arm: tried[arm, k] for arm, k in judge.choose(tried).items()}

    logits = {}
    for width, length in itertools.product(TEACHER_WIDTHS, LENGTHS):
        stack = single_teachers(task, index, width, length)
        logits[width, length] = stack.predict(task.x_train)[0]
        own = judge.scores(stack.predict(judge.x))
        add("the teacher itself", width, length, 0, size[width] * length, **own)
    split_width, splits = SPLIT
    pooled = {}
    for arm, (count, length) in splits.items():
        stack = single_teachers(task, index, split_width, length, count)
        pooled[arm] = stack.predict(task.x_train).mean(0)
        own = judge.scores(stack.predict(judge.x).mean(0, keepdim=True))
        add(f"the teachers themselves, {arm}", split_width, length, 0, 0, **own)

    direct = trials_of({f"{w} {length}": v for (w, length), v in logits.items()})
    alone = trials_of({f"{length}": logits[LARGEST, length] for length in HELPED_LENGTHS})
    assistants, of_largest = {}, {}
    for student in STUDENT_WIDTHS:
        taught = teach({**direct, **label_trials(task)}, student, EPOCHS)
        for arm, stack in taught.items():
            found = judge.scores(stack.predict(judge.x))
            if arm == "hard labels":
                add(arm, 0, 0, student, size[student] * EPOCHS, **found)
                continue
            width, length = map(int, arm.split())
            cost = size[width] * length + size[student] * EPOCHS
            add("direct", width, length, student, cost, **found)
            if width == LARGEST:
                of_largest[student, length] = stack
                assistants[student, length] = stack.predict(task.x_train)[0]
        for arm, stack in teach(trials_of(pooled), student, EPOCHS).items():
            count, length = splits[arm]
            cost = size[split_width] * count * length + size[student] * EPOCHS
            found = judge.scores(stack.predict(judge.x))
            add(f"split, {arm}", split_width, length, student, cost, **found)

    for student, widths in HELPED.items():
        for assistant in widths:
            between = {f"{n}": assistants[assistant, n] for n in HELPED_LENGTHS}
            epochs = EPOCHS + round(EPOCHS * size[assistant] / size[student])
            for kind, taught, spent in (
                ("assistant", teach(trials_of(between), student, EPOCHS), size[assistant]),
                ("longer", teach(alone, student, epochs), size[student] * (epochs / EPOCHS - 1)),
            ):
                for arm, stack in taught.items():
                    length = int(arm)
                    cost = size[LARGEST] * length + (size[student] + spent) * EPOCHS
                    found = judge.scores(stack.predict(judge.x))
                    add(f"{kind} {assistant}", LARGEST, length, student, cost, **found)
                    if kind == "longer":  # who has the compute also has the choice
                        both = {("", 0): of_largest[student, length], ("", 1): stack}
                        found = judge.scores(both["", judge.choose(both)[""]].predict(judge.x))
                        add(f"as much compute {assistant}", LARGEST, length, student, cost, **found)
    return rows


# -- factorial ----------------------------------------------------------------------------------

ROWS = {"article": 4000, "overlap": 1000}


def setups(name: str) -> tuple[Setup, Setup]:
    """Return the article's student and teachers, and every factor mended.

    Twice the width, so three times the parameters; four times the steps; four times the rows; the
    exact posterior instead of the ensemble.
    """
    rows = ROWS[name]
    article = Setup(num_train=rows, teacher=Teacher(num_train=rows, own_rows=False))
    better = replace(
        article,
        hidden=tuple(2 * width for width in article.hidden),
        epochs=4 * article.epochs,
        num_train=4 * rows,
        teacher="posterior",
    )
    return article, better


def factorial_replicate(name: str, index: int, students: int) -> list[studies.Row]:
    """One training set: the article's student, mended in all 16 ways."""
    found = factorial(law(name), *setups(name), index=index, students=students, num_test=NUM_TEST)
    return [
        {
            "replicate": index,
            "arm": " + ".join(f for f in FACTORS if f in mended) or "as it is",
            "accuracy": float(scores.accuracy.mean()),
            "negative_log_likelihood": float(scores.negative_log_likelihood.mean()),
        }
        for mended, scores in found.items()
    ]


REPLICATES = {  # fewer where a training set takes longer
    "width": {"article": 8, "overlap": 10},
    "teachers": {"article": 8, "overlap": 12},
    "factorial": {"article": 8, "overlap": 10},
}
STUDENTS = {"width": 2, "teachers": 2, "factorial": 1}
RUN = {
    "width": width_replicate,
    "teachers": teachers_replicate,
    "factorial": factorial_replicate,
}


def main() -> None:
    """Read the command line, run, save after each replicate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", choices=list(RUN))
    parser.add_argument("law", choices=LAWS)
    parser.add_argument("--replicates", type=int, help="training sets")
    parser.add_argument("--students", type=int, help="students of an arm in a replicate")
    parser.add_argument("--threads", type=int, default=2, help="no number depends on it")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    given = (args.replicates, args.students, args.threads)
    if min(count for count in given if count is not None) < 1:
        parser.error("counts must be 1 or more")
    replicates = args.replicates or REPLICATES[args.study][args.law]
    students = args.students or STUDENTS[args.study]
    output = args.output or Path(__file__).with_name(f"capacity-{args.study}-{args.law}.csv")
    command = f"python studies/capacity.py {args.study} {args.law} --replicates {replicates}"
    command += f" --students {students}"
    writer = studies.Writer(output, command, "replicate", script=__file__)
    torch.set_num_threads(args.threads)
    for index in writer.missing(replicates):
        start = time.perf_counter()
        writer.add(RUN[args.study](args.law, index, students))
        print(f"replicate {index}: {time.perf_counter() - start:.0f} s", flush=True)
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

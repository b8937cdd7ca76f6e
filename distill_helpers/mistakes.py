"""What the museum's mistakes cost where every setting is tuned, the teachers' too.

`replicate` tunes the right loop, each mistake and plain labels by one protocol, on one training set
of `distill_helpers.deciding`; ``studies/mistakes.py`` runs many and says what was predicted. The
museum of bugs and the evidence of chapter 03 read its tables.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from distill_helpers import _checks, deciding, metrics, protocol, studies
from distill_helpers import experiments as ex
from distill_helpers.networks import Stack
from distill_helpers.protocol import Recipe, Setting
from distill_helpers.tasks import Task
from distill_helpers.training import fit

TASKS = ("article-512", "overlap3-500", "digits-287-of-1437")
"""Tasks of the deciding study that have a table."""

ALPHA = 0.7
RIGHT, HARD = "right", "hard labels"
OUT_OF_STEP, TRAIN_MODE = "teacher's outputs out of step", "teacher in train mode"
AT_T = "student evaluated at T"

Loss = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def _kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """Mean of KL(p || q) over rows, by member; 0 log 0 is 0."""
    p = log_p.exp()
    return (torch.special.xlogy(p, p) - p * log_q).sum(-1).mean(-1)


def _ce(z: Tensor, y: Tensor) -> Tensor:
    return -F.log_softmax(z, -1).gather(-1, y.unsqueeze(-1)).squeeze(-1).mean(-1)


def _parts(z: Tensor, v: Tensor, y: Tensor, T: Tensor) -> tuple[Tensor, Tensor]:
    return _kl(F.log_softmax(z / T, -1), F.log_softmax(v / T, -1)), _ce(z, y)


def _squared(T: Tensor) -> Tensor:
    return T.flatten() ** 2


def _right(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl, ce = _parts(z, v, y, T)
    return a * _squared(T) * kl + (1 - a) * ce


def _no_t_squared(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl, ce = _parts(z, v, y, T)
    return a * kl + (1 - a) * ce


def _mean(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl, ce = _parts(z, v, y, T)
    return a * _squared(T) * kl / z.shape[-1] + (1 - a) * ce


def _alpha_on_labels(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    return _right(z, v, y, T, 1 - a)


def _probabilities(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl = _kl(F.softmax(z / T, -1), F.log_softmax(v / T, -1))
    return a * _squared(T) * kl + (1 - a) * _ce(z, y)


def _swapped(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl = _kl(F.log_softmax(v / T, -1), F.log_softmax(z / T, -1))
    return a * _squared(T) * kl + (1 - a) * _ce(z, y)


def _one_side(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    kl = _kl(F.log_softmax(z / T, -1), F.log_softmax(v, -1))
    return a * _squared(T) * kl + (1 - a) * _ce(z, y)


def _softmax_twice(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    return _right(F.softmax(z, -1), F.softmax(v, -1), y, T, a)


def _by_hand(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    q, p = F.softmax(z / T, -1), F.softmax(v / T, -1)
    kl = (p * (p.log() - q.log())).sum(-1).mean(-1)
    return a * _squared(T) * kl + (1 - a) * _ce(z, y)


def _hard(z: Tensor, v: Tensor, y: Tensor, T: Tensor, a: float) -> Tensor:
    return _ce(z, y)


LOSSES: dict[str, Loss] = {
    RIGHT: _right,
    HARD: _hard,
    OUT_OF_STEP: _right,
    "probabilities where log-probabilities belong": _probabilities,
    "T on one side only": _one_side,
    "softmax twice": _softmax_twice,
    "T^2 missing": _no_t_squared,
    "arguments swapped": _swapped,
    "alpha on the wrong term": _alpha_on_labels,
    AT_T: _right,
    "mean instead of batchmean": _mean,
    TRAIN_MODE: _right,
    "NaN on underflow": _by_hand,
}
"""The losses of `museum.EXHIBITS` for many students at once, beside the right one and labels alone:
logits ``(M, B, C)``, the teacher's, labels ``(M, B)``, temperatures ``(M, 1, 1)`` and alpha.

:meta hide-value:
"""


@dataclass(frozen=True)
class _Loop:
    """What a stack is trained by: one loss a run of members, one temperature a member."""

    runs: Sequence[tuple[str, int]]
    outputs: Mapping[str, Tensor]
    labels: Tensor
    temperatures: Tensor

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        losses, start = [], 0
        for name, count in self.runs:
            part = slice(start, start + count)
            mine = rows[part]
            losses.append(
                LOSSES[name](
                    logits[part],
                    self.outputs[name][mine],
                    self.labels[mine],
                    self.temperatures[part, None, None],
                    ALPHA,
                )
            )
            start += count
        return torch.cat(losses)


def _train(
    task: Task,
    trials: protocol.Trials[str],
    outputs: Mapping[str, Tensor],
    rows: Tensor,
    *,
    hidden: Sequence[int],
    epochs: int,
    seeds: Sequence[int],
    progress: str | None,
) -> Stack:
    """Train all seeds of each setting of each loop, in that order."""
    settings = [s for tried in trials.values() for s in tried for _ in seeds]
    every = list(seeds) * (len(settings) // len(seeds))
    sizes = (task.x_train.shape[1], *hidden, task.num_classes)
    stack = Stack.build(sizes, seeds=every)
    # Labels alone have no temperature: any number will do.
    temperatures = torch.tensor(
        [1.0 if name == HARD else s.softness for name, tried in trials.items() for s in tried]
    ).repeat_interleave(len(seeds))
    runs = [(name, len(tried) * len(seeds)) for name, tried in trials.items()]
    with warnings.catch_warnings():
        # A trial that diverges is one that loses.
        warnings.filterwarnings("ignore", "the loss of members")
        fit(
            stack,
            task,
            _Loop(runs, outputs, task.y_train, temperatures),
            epochs=epochs,
            learning_rate=[s.learning_rate for s in settings],
            weight_decay=[s.weight_decay for s in settings],
            seeds=every,
            rows=rows,
            average_last=protocol.averaged(epochs),
            progress=progress,
        )
    return stack


def answers(name: str, logits: Tensor, temperature: float) -> Tensor:
    """Return log-probabilities as the owner of a loop reads them off the student's logits."""
    # The network that ends in a softmax answers with it, and not with a second one.
    return torch.log_softmax(logits / temperature if name == AT_T else logits, -1)


def replicate(
    plan: deciding.Plan,
    index: int,
    loops: Sequence[str] = tuple(LOSSES),
    width: int = 64,
    temperature: float | None = None,
    progress: str | None = None,
) -> list[studies.Row]:
    """Tune loops and train their students, on one training set.

    Parameters
    ----------
    plan : Plan
        One of `deciding.PLANS`.
    index : int
        Of the training set, from 0.
    loops : sequence of str
        Keys of `LOSSES`.
    width : int
        Of the students: hidden layers of a width and half of it.
    temperature : float, optional
        Given and not searched, in every loop; the trials that it saves go to rates and decays.
    progress : str, optional
        Label of the progress bars.

    Returns
    -------
    list of dict
        One row a loop: its setting, and its students' accuracy and NLL on the test sample, with
        the exact posterior where it is known.
    """
    if temperature is not None:
        temperature = float(_checks.temperature(temperature, None))
    task = plan.make(index)
    split = deciding.Split.of(plan, task, index)
    judge = deciding.Judge.of(task, index)
    trial = ex.member_seeds(deciding.RANDOM_STATE, "trial", index, 1)
    tuned, shape = protocol.tune_teacher(
        task,
        split.tuning_folds,
        epochs=plan.teacher_epochs,
        trial_seed=trial[0],
        rates=plan.rates,
        progress=progress,
    )
    sent = _sent(plan, task, split, index, tuned, shape, loops, progress)
    on_trial = tuple(plan.temperatures) if temperature is None else (temperature,)
    recipes = {
        name: Recipe(_no_targets, () if name == HARD else on_trial, ALPHA, True) for name in loops
    }
    train = functools.partial(
        _train, task, hidden=(width, width // 2), epochs=plan.student_epochs, progress=progress
    )

    def attempt(trials: protocol.Trials[str]) -> dict[tuple[str, Setting], tuple[float, None]]:
        keys = [(name, setting) for name, tried in trials.items() for setting in tried]
        losses = dict.fromkeys(keys, 0.0)
        for fold, (fit_rows, held_out) in enumerate(split.folds):
            stack = train(trials, sent[fold], fit_rows, seeds=trial)
            for key, z in zip(keys, stack.predict(task.x_train[held_out]), strict=True):
                loss = math.inf
                if bool(torch.isfinite(z).all()):
                    log_p = answers(key[0], z, key[1].softness)
                    loss = float(metrics.negative_log_likelihood(log_p, task.y_train[held_out]))
                losses[key] += loss / len(split.folds)
        return {key: (loss, None) for key, loss in losses.items()}

    found = protocol.search(recipes, attempt, plan.rates)
    chosen = {name: setting for name, (setting, *_) in found.items()}
    seeds = ex.member_seeds(deciding.RANDOM_STATE, "student", index, deciding.STUDENTS)
    trials = {name: [setting] for name, setting in chosen.items()}
    stack = train(trials, sent[None], split.rows, seeds=seeds)
    logits = stack.predict(judge.x).unflatten(0, (len(loops), len(seeds)))
    rows: list[studies.Row] = []
    for name, z in zip(loops, logits, strict=True):
        setting = chosen[name]
        log_p = answers(name, z, setting.softness)
        rows.append(
            {
                "replicate": index,
                "arm": name,
                "learning_rate": setting.learning_rate,
                "weight_decay": setting.weight_decay,
                "softness": setting.softness,
                "edges": " ".join(
                    edge.replace(" ", "-")
                    for edge in protocol.edges(recipes[name], setting, plan.rates)
                ),
                "accuracy": float(metrics.accuracy(log_p, judge.truth, members=True).mean()),
                "negative_log_likelihood": float(
                    metrics.negative_log_likelihood(log_p, judge.truth, members=True).mean()
                ),
            }
        )
    return rows


def _no_targets(fold: int | None, softness: float) -> Tensor:
    raise AssertionError("a loop's targets are made inside its loss")


def _sent(
    plan: deciding.Plan,
    task: Task,
    split: deciding.Split,
    index: int,
    tuned: Setting,
    shape: protocol.Shape,
    loops: Sequence[str],
    progress: str | None,
) -> dict[int | None, dict[str, Tensor]]:
    """Return what the twelve teachers sent, by fold (None: all rows) and loop: mean logits."""
    seeds = ex.member_seeds(deciding.RANDOM_STATE, "teacher", index, max(deciding.MEMBERS))
    shuffled = torch.Generator().manual_seed(index)
    sent: dict[int | None, dict[str, Tensor]] = {}
    taught: dict[int | None, Tensor] = {None: split.teacher_rows}
    taught |= {fold: rows for fold, (rows, _) in enumerate(split.teacher_folds)}
    for fold, rows in taught.items():
        stack = protocol.train_on_labels(
            task,
            [tuned],
            rows,
            shape,
            seeds=seeds,
            epochs=plan.teacher_epochs,
            average_last=protocol.averaged(plan.teacher_epochs),
            progress=progress,
        )
        v = stack.predict(task.x_train).mean(0)
        seen = split.rows if fold is None else split.folds[fold][0]
        mixed = v.clone()
        mixed[seen] = v[seen[torch.randperm(len(seen), generator=shuffled)]]
        sent[fold] = dict.fromkeys(loops, v)
        if OUT_OF_STEP in loops:
            sent[fold][OUT_OF_STEP] = mixed
        if TRAIN_MODE in loops:
            with torch.random.fork_rng(), torch.no_grad():
                torch.manual_seed(index)
                dropped = [m.train()(task.x_train) for m in map(stack.member, range(len(seeds)))]
            sent[fold][TRAIN_MODE] = torch.stack(dropped).mean(0)
    return sent

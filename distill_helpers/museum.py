"""The museum of bugs: mistakes in a loop beside the right lines, and what they cost.

`EXHIBITS` are functions that run, so that a page shows the lines that the check was asked about and
the students were trained with. `ROOMS` sorts every mistake that `audit` has a name for.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from distill_helpers.audit import Report, check_distillation_setup
from distill_helpers.experiments import Scores, member_seeds, score
from distill_helpers.networks import Stack
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task
from distill_helpers.training import Distillation, fit

HIDDEN = (16, 16)
EPOCHS = 60
LEARNING_RATE = 3e-3
TEST_ROWS = 10_000


# -- the exhibits: what is wrong, and what is right -----------------------------------------------
# z are the student's logits, v the teacher's, y the labels, T the temperature and a is alpha.


def _loss(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _mean(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(log_q, p, reduction="mean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _no_t_squared(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * kl + (1 - a) * ce


def _probabilities(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    q = F.softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _swapped(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    q = F.softmax(z / T, -1)
    log_p = F.log_softmax(v / T, -1)
    kl = F.kl_div(log_p, q, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _one_side(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v, -1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _softmax_twice(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    z, v = F.softmax(z, -1), F.softmax(v, -1)  # the networks' last layer
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _alpha_on_labels(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    log_q = F.log_softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    ce = F.cross_entropy(z, y)
    return (1 - a) * T**2 * kl + a * ce


def _by_hand(z: Tensor, v: Tensor, y: Tensor, T: float, a: float) -> Tensor:
    q = F.softmax(z / T, -1)
    p = F.softmax(v / T, -1)
    kl = (p * (p.log() - q.log())).sum(-1).mean()
    ce = F.cross_entropy(z, y)
    return a * T**2 * kl + (1 - a) * ce


def _cache(teacher: nn.Module, data: TensorDataset) -> Tensor:
    teacher.eval()
    loader = DataLoader(data, batch_size=64)
    with torch.no_grad():
        return torch.cat([teacher(x) for x, _ in loader])


def _cache_shuffled(teacher: nn.Module, data: TensorDataset) -> Tensor:
    teacher.eval()
    loader = DataLoader(data, batch_size=64, shuffle=True)
    with torch.no_grad():
        return torch.cat([teacher(x) for x, _ in loader])


def _cache_in_train_mode(teacher: nn.Module, data: TensorDataset) -> Tensor:
    loader = DataLoader(data, batch_size=64)
    with torch.no_grad():
        return torch.cat([teacher(x) for x, _ in loader])


def _answer(z: Tensor, T: float) -> Tensor:
    return F.softmax(z, -1)


def _answer_at_t(z: Tensor, T: float) -> Tensor:
    return F.softmax(z / T, -1)


@dataclass(frozen=True)
class Exhibit:
    """One mistake: the wrong lines and the right ones, as functions.

    Attributes
    ----------
    part : str
        ``"loss"``: ``(z, v, y, T, a)`` to the loss. ``"cache"``: ``(teacher, data)`` to the
        teacher's logits. ``"answer"``: ``(z, T)`` to the probabilities that are scored.
    wrong, right : callable
    """

    part: Literal["loss", "cache", "answer"]
    wrong: Callable[..., Tensor]
    right: Callable[..., Tensor]


EXHIBITS = {
    "teacher's outputs out of step": Exhibit("cache", _cache_shuffled, _cache),
    "probabilities where log-probabilities belong": Exhibit("loss", _probabilities, _loss),
    "T on one side only": Exhibit("loss", _one_side, _loss),
    "softmax twice": Exhibit("loss", _softmax_twice, _loss),
    "T^2 missing": Exhibit("loss", _no_t_squared, _loss),
    "arguments swapped": Exhibit("loss", _swapped, _loss),
    "alpha on the wrong term": Exhibit("loss", _alpha_on_labels, _loss),
    "student evaluated at T": Exhibit("answer", _answer_at_t, _answer),
    "mean instead of batchmean": Exhibit("loss", _mean, _loss),
    "teacher in train mode": Exhibit("cache", _cache_in_train_mode, _cache),
    "NaN on underflow": Exhibit("loss", _by_hand, _loss),
}
"""The mistakes that the museum shows, by the name that the audit gives them.

:meta hide-value:
"""

ROOMS = {
    "weights of the two parts": (
        "T^2 missing",
        "T instead of T^2",
        "T^2 twice",
        "T^2 on the wrong term",
        "alpha on the wrong term",
        "another alpha",
        "a weight left out",
        "a part is missing",
        "a part is subtracted",
        "a factor on one part alone",
    ),
    "means and rows": (
        "mean instead of batchmean",
        "sum instead of a mean",
        "batch divided out twice",
        "batchmean over positions",
        "mean over left-out rows",
        "sum over a fixed number",
        "rows broadcast against each other",
        "padding counted",
        "class weights inside KL",
    ),
    "what goes into the divergence": (
        "probabilities where log-probabilities belong",
        "logits where log-probabilities belong",
        "logits where probabilities belong",
        "log-probabilities where probabilities belong",
        "probabilities where log_target=True",
        "arguments swapped",
        "student and teacher swapped",
        "softmax twice",
        "softmax over the batch",
        "softmax over positions",
        "softmax over independent labels",
        "softmax before the cut",
        "no logarithm before nll_loss",
        "binary cross-entropy",
        "another loss",
    ),
    "temperature": (
        "T on one side only",
        "another temperature",
        "members added",
        "labels on tempered logits",
        "student evaluated at T",
    ),
    "teacher": (
        "teacher in train mode",
        "teacher is random",
        "teacher not detached",
        "teacher's output is constant",
        "teacher's outputs out of step",
        "outputs of another teacher",
        "teacher's classes in another order",
        "a member is not heard",
        "the wrong end of the vocabulary",
        "the student teaches itself",
        "teacher asked about mixed inputs",
        "teacher asked about other inputs",
    ),
    "labels": (
        "labels out of step",
        "labels of another class",
        "labels not shifted",
        "ignored labels trained on",
        "labels smoothed twice",
        "labels rounded",
        "mixed labels exchanged",
        "labels mixed unlike the inputs",
    ),
    "gradients and the optimiser": (
        "graph cut",
        "not finite",
        "NaN on underflow",
        "student is frozen",
        "student in eval mode",
        "student not in the optimiser",
        "teacher in the optimiser",
        "optimiser older than the student",
        "moving average turned around",
    ),
}
"""Every mistake of `audit.BUGS`, sorted by where in a loop one looks for it.

:meta hide-value:
"""


def difference(name: str) -> str:
    """Write the wrong lines of an exhibit above the right ones, as a review shows them.

    Parameters
    ----------
    name : str
        A key of `EXHIBITS`.

    Returns
    -------
    str
        A Markdown fence: ``-`` before what is wrong, ``+`` before what is right. Lines that both
        share are left out.

    Raises
    ------
    ValueError
        If there is no such exhibit.

    Examples
    --------
    >>> print(difference("mean instead of batchmean"))
    ```diff
    - kl = F.kl_div(log_q, p, reduction="mean")
    + kl = F.kl_div(log_q, p, reduction="batchmean")
    ```
    """
    shown = _exhibit(name)
    pairs = difflib.ndiff(_body(shown.wrong), _body(shown.right))
    lines = [line for line in pairs if line[0] in "-+"]
    return "\n".join(["```diff", *lines, "```"])


def ask(
    name: str | None,
    student: nn.Module,
    teacher: nn.Module,
    data: TensorDataset,
    *,
    temperature: float,
    alpha: float,
    random_state: int = 42,
) -> Report:
    """Run the audit on a loop with the mistake of one exhibit, or with none.

    Parameters
    ----------
    name : str or None
        A key of `EXHIBITS`; None for the right loop.
    student, teacher : Module
        From inputs to logits; their modes are left as they were.
    data : TensorDataset
        Inputs ``(N, D)`` and labels ``(N,)``, all of which are audited.
    temperature, alpha : float
        Declared, and used by the loop.
    random_state : int
        Of the shuffle, and of the dropout of a teacher in train mode.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If there is no such exhibit, or an argument is out of range.

    Examples
    --------
    >>> student, teacher = nn.Linear(4, 3), nn.Linear(4, 3)
    >>> data = TensorDataset(torch.randn(32, 4), torch.arange(32) % 3)
    >>> ask("T^2 missing", student, teacher, data, temperature=2.0, alpha=0.5).bugs
    ['T^2 missing']
    """
    parts: dict[str, Callable[..., Tensor]] = {"loss": _loss, "cache": _cache, "answer": _answer}
    if name is not None:
        shown = _exhibit(name)
        parts[shown.part] = shown.wrong
    networks = (student, teacher)
    were = [network.training for network in networks]
    with torch.random.fork_rng():
        torch.manual_seed(random_state)
        teacher.train()  # as it comes from its own training
        cached = parts["cache"](teacher, data)
        report = check_distillation_setup(
            student.train(),
            teacher,  # in the mode in which its outputs were computed
            data.tensors if teacher.training else (*data.tensors, cached),
            functools.partial(parts["loss"], T=temperature, a=alpha),
            temperature=temperature,
            alpha=alpha,
            predict=functools.partial(parts["answer"], T=temperature),
        )
    for network, mode in zip(networks, were, strict=True):
        network.train(mode)
    return report


def _exhibit(name: str) -> Exhibit:
    if name not in EXHIBITS:
        raise ValueError(f"there is no exhibit {name!r}; it must be one of {', '.join(EXHIBITS)}.")
    return EXHIBITS[name]


def _body(function: Callable[..., Any]) -> list[str]:
    """Return the lines below a function's head."""
    lines = inspect.getsource(function).splitlines()
    return textwrap.dedent("\n".join(lines[1:])).splitlines()


# -- exhibits that train students -----------------------------------------------------------------


def untempered_teacher(
    task: Task,
    *,
    temperature: float,
    alpha: float,
    num_sets: int = 20,
    random_state: int = 42,
    progress: str | None = None,
) -> dict[str, Scores]:
    r"""Teach students with the exact posterior, tempered on both sides or on the student's alone.

    The bug: the teacher's probabilities are taken as they come, at temperature 1, and the
    student's logits are divided by T. With the posterior :math:`\pi` as the teacher the
    distillation term is then least where :math:`z = T \log \pi`, so the student is asked to be T
    times too sure. The repair is one line: temper the teacher too, ``softmax(log_posterior / T)``.

    Every training set is a fresh draw of the task's law, of the size of its training part. Its
    three students start from the same weights and see the same batches: they are paired. The
    evidence of chapter 03 has the table, and the museum of bugs what it means.

    Parameters
    ----------
    task : Task
        One with a known law.
    temperature, alpha : float
        Of the two students that distil.
    num_sets : int
        Training sets, one student of each arm on each.
    random_state : int
        Seeds the students.
    progress : str, optional
        Label of a progress bar.

    Returns
    -------
    dict of Scores
        ``"hard labels"``, ``"untempered teacher"`` and ``"tempered teacher"``, each ``(num_sets,)``
        in accuracy and NLL, scored with the exact posterior on 10,000 fresh inputs a set; and
        ``"the law"``, the posterior's own scores there: nobody does better.

    Raises
    ------
    ValueError
        If the task's law is unknown, or an argument is out of range; before anything trains.

    Examples
    --------
    >>> from distill_helpers.tasks import gaussian_mixture_task
    >>> task = gaussian_mixture_task(3, 5, num_train=64, num_test=10)
    >>> found = untempered_teacher(task, temperature=3.0, alpha=0.7, num_sets=2)
    >>> {name: scores.accuracy.shape for name, scores in found.items()}["hard labels"]
    (2,)
    """
    if isinstance(num_sets, bool) or not isinstance(num_sets, int) or num_sets < 1:
        raise ValueError(
            f"num_sets is {num_sets!r}; it must be a whole number, 1 or more. An interval needs 2."
        )
    labs = [task.with_fresh_data(index) for index in range(num_sets)]
    seeds = [member_seeds(random_state, "student", index, 1)[0] for index in range(num_sets)]

    def targets(T: float) -> Tensor:
        tempered = [soft_targets(lab.log_posterior(lab.x_train), T) for lab in labs]
        return torch.stack(tempered).float()

    plain = targets(1.0)
    arms = {
        "hard labels": (plain, 0.0),
        "untempered teacher": (plain, alpha),
        "tempered teacher": (targets(temperature), alpha),
    }
    students = Stack.build(
        (task.x_train.shape[1], *HIDDEN, task.num_classes), seeds=seeds * len(arms)
    )
    fit(
        students,
        labs * len(arms),
        Distillation(
            torch.cat([soft for soft, _ in arms.values()]),
            torch.stack([lab.y_train for lab in labs]).repeat(len(arms), 1),
            temperature=temperature,
            alpha=[weight for _, weight in arms.values() for _ in labs],
        ),
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        seeds=seeds * len(arms),
        progress=progress,
    )
    scores = []
    for index, lab in enumerate(labs):
        x, _ = lab.sample(TEST_ROWS, seed=index)
        law = lab.log_posterior(x)
        logits = students[list(range(index, students.num_members, num_sets))].predict(x)
        scores.append(score(torch.cat([logits, law.unsqueeze(0)]), law.exp()))
    return {
        name: Scores(
            np.array([found.accuracy[place] for found in scores]),
            np.array([found.negative_log_likelihood[place] for found in scores]),
        )
        for place, name in enumerate([*arms, "the law"])
    }

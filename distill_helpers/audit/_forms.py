"""The ways in which the two parts of a distillation loss get written, right and wrong.

Each is a function whose gradient `audit` compares with the one that it sees. In their words z are
the student's logits, v the teacher's, y the labels, T the temperature.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

Logits = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class Form:
    """One way to write one part of the loss; None in `bug` is the right one."""

    words: str
    check: str
    bug: str
    value: Callable[[Tensor, Tensor, float], Tensor]
    weighs: bool = True  # whether a factor before it can be compared with T^2 KL's
    coupled: bool = False  # whether a row's gradient depends on other rows
    shaped: bool = False  # whether it takes logits (*positions, C), and not rows
    whole: bool = False  # whether v has all of the teacher's classes, and not the shared ones


def softmax(z: Tensor, T: float) -> Tensor:
    return torch.softmax(z / T, -1)


def log_softmax(z: Tensor, T: float) -> Tensor:
    return torch.log_softmax(z / T, -1)


_STUDENT: list[tuple[str, str, Logits]] = [
    ("log_softmax(z / T)", "", log_softmax),
    ("log_softmax(z)", "T", lambda z, T: log_softmax(z, 1)),
    ("log_softmax(z / T / T)", "T T", lambda z, T: log_softmax(z, T * T)),
    ("log_softmax(z * T)", "1 / T", lambda z, T: log_softmax(z, 1 / T)),
    ("log_softmax(softmax(z) / T)", "softmax twice", lambda z, T: log_softmax(softmax(z, 1), T)),
    ("log_softmax(softmax(z / T))", "softmax twice", lambda z, T: log_softmax(softmax(z, T), 1)),
    (
        "log_softmax(softmax(z / T) / T)",
        "softmax twice",
        lambda z, T: log_softmax(softmax(z, T), T),
    ),
    ("log_softmax(softmax(z))", "softmax twice", lambda z, T: log_softmax(softmax(z, 1), 1)),
    ("softmax(z / T)", "probabilities where log-probabilities belong", softmax),
    (
        "softmax(z)",
        "probabilities where log-probabilities belong",
        lambda z, T: softmax(z, 1),
    ),
    ("z / T", "logits where log-probabilities belong", lambda z, T: z / T),
    (
        "log(z / T)",
        "logits where probabilities belong",
        lambda z, T: (z / T).clamp(1e-7, 1).log(),
    ),
    (
        "log_softmax(z / T, 0)",
        "softmax over the batch",
        lambda z, T: torch.log_softmax(z / T, 0),
    ),
    ("log_softmax(z, 0)", "softmax over the batch", lambda z, T: torch.log_softmax(z, 0)),
]

_TARGET: list[tuple[str, str, Logits]] = [
    ("softmax(v / T)", "", softmax),
    ("softmax(v)", "T", lambda v, T: softmax(v, 1)),
    ("softmax(v / T / T)", "T T", lambda v, T: softmax(v, T * T)),
    ("softmax(v * T)", "1 / T", lambda v, T: softmax(v, 1 / T)),
    ("softmax(softmax(v) / T)", "softmax twice", lambda v, T: softmax(softmax(v, 1), T)),
    ("softmax(softmax(v / T))", "softmax twice", lambda v, T: softmax(softmax(v, T), 1)),
    ("softmax(softmax(v / T) / T)", "softmax twice", lambda v, T: softmax(softmax(v, T), T)),
    ("softmax(softmax(v))", "softmax twice", lambda v, T: softmax(softmax(v, 1), 1)),
    ("v", "logits where probabilities belong", lambda v, T: v),
    ("v / T clipped", "logits where probabilities belong", lambda v, T: (v / T).clamp(1e-7, 1)),
    ("log_softmax(v / T)", "log-probabilities where probabilities belong", log_softmax),
    (
        "log_softmax(v)",
        "log-probabilities where probabilities belong",
        lambda v, T: log_softmax(v, 1),
    ),
    (
        "exp(softmax(v / T))",
        "probabilities where log_target=True",
        lambda v, T: softmax(v, T).exp(),
    ),
    ("exp(v / T)", "logits where log-probabilities belong", lambda v, T: (v / T).exp()),
    (
        "softmax(v / T, 0)",
        "softmax over the batch",
        lambda v, T: torch.softmax(v / T, 0),
    ),
    ("softmax(v, 0)", "softmax over the batch", lambda v, T: torch.softmax(v, 0)),
    (
        "one_hot(argmax(v))",
        "another loss",
        lambda v, T: nn.functional.one_hot(v.argmax(-1), v.shape[-1]).to(v.dtype),
    ),
]


def cross(student: Logits, target: Logits) -> Callable[[Tensor, Tensor, float], Tensor]:
    return lambda z, v, T: -(target(v, T) * student(z, T)).sum() / len(z)


def _reversed_kl(z: Tensor, v: Tensor, T: float, T_target: float) -> Tensor:
    log_q = log_softmax(z, T)
    return (log_q.exp() * (log_q - log_softmax(v, T_target))).sum() / len(z)


def _jensen_shannon(z: Tensor, v: Tensor, T: float) -> Tensor:
    p, q = softmax(v, T), softmax(z, T)
    m = ((p + q) / 2).log()
    return ((p * (p.log() - m)).sum() + (q * (q.log() - m)).sum()) / 2 / len(z)


def _soft_forms() -> list[Form]:
    """List the teacher's part as it should be, and every other way that has a name."""
    forms: list[tuple[int, Form]] = []
    for (left, bug_left, student), (right, bug_right, target) in itertools.product(
        _STUDENT, _TARGET
    ):
        bugs = [b for b in (bug_left, bug_right) if b and b not in ("T", "T T", "1 / T")]
        bug, check = "", "soft part"
        if bugs:
            bug = bugs[0]
        elif bug_left != bug_right:
            sides = {bug_left, bug_right}
            bug = "T on one side only" if sides == {"", "T"} else "another temperature"
            check = "temperature"
        elif bug_left:
            bug, check = "another temperature", "temperature"
        weighs = bug in ("", "T on one side only", "another temperature", "softmax twice")
        words = f"-sum({right} * {left})"
        coupled = "softmax over the batch" in (bug_left, bug_right)
        form = Form(words, check, bug, cross(student, target), weighs, coupled)
        forms.append((bool(bug_left) + bool(bug_right), form))
    swapped: list[tuple[str, Callable[[Tensor, Tensor, float], Tensor]]] = [
        ("KL(student || teacher)", lambda z, v, T: _reversed_kl(z, v, T, T)),
        ("KL(student || teacher) at 1", lambda z, v, T: _reversed_kl(z, v, 1, 1)),
        ("KL(student at 1 || teacher)", lambda z, v, T: _reversed_kl(z, v, 1, T)),
        ("KL(student || teacher at 1)", lambda z, v, T: _reversed_kl(z, v, T, 1)),
        (
            "-sum(softmax(z / T) * log_softmax(v / T))",
            lambda z, v, T: -(softmax(z, T) * log_softmax(v, T)).sum() / len(z),
        ),
        (
            "sum(q * (log q - p))",
            lambda z, v, T: (softmax(z, T) * (log_softmax(z, T) - softmax(v, T))).sum() / len(z),
        ),
        (
            "sum(q * (log q - v / T))",
            lambda z, v, T: (softmax(z, T) * (log_softmax(z, T) - v / T)).sum() / len(z),
        ),
    ]
    forms += [
        (1, Form(words, "soft part", "arguments swapped", value, index < 4))
        for index, (words, value) in enumerate(swapped)
    ]
    others: list[tuple[str, Callable[[Tensor, Tensor, float], Tensor]]] = [
        ("the squared error of logits", lambda z, v, T: ((z - v) ** 2).sum() / len(z)),
        (
            "the squared error of tempered probabilities",
            lambda z, v, T: ((softmax(z, T) - softmax(v, T)) ** 2).sum() / len(z),
        ),
        (
            "the squared error of probabilities",
            lambda z, v, T: ((softmax(z, 1) - softmax(v, 1)) ** 2).sum() / len(z),
        ),
        ("the absolute error of logits", lambda z, v, T: (z - v).abs().sum() / len(z)),
        ("the Jensen-Shannon divergence", _jensen_shannon),
        (
            "the KL divergence both ways",
            lambda z, v, T: _reversed_kl(z, v, T, T) + cross(log_softmax, softmax)(z, v, T),
        ),
    ]
    forms += [
        (1, Form(words, "soft part", "another loss", value, False)) for words, value in others
    ]
    # Fewer deviations first.
    return [form for _, form in sorted(forms, key=lambda pair: pair[0])]


def over_axis(axis: int, bug: str, kept: Tensor, classes: int) -> list[Form]:
    """List the teacher's part with softmax over an axis of the positions, on one side or both.

    Logits are ``(*positions, C)``, as a network gives them where the classes come last; `kept`,
    ``positions``, tells which rows are summed. The words name axes as the network has them, whose
    classes are axis `classes`.
    """

    def own(k: int) -> int:
        if k < 0:
            return -1 if classes == kept.ndim else classes
        return k + (k >= classes)

    sides: list[tuple[int, int]] = [(axis, axis), (axis, -1), (-1, axis)]

    def made(student: int, target: int, T_target: bool) -> Form:
        def value(z: Tensor, v: Tensor, T: float) -> Tensor:
            p = torch.softmax(v / T if T_target else v, target)
            log_q = torch.log_softmax(z / T if T_target else z, student)
            return -(kept * (p * log_q).sum(-1)).sum() / kept.numel()

        tempered = " / T" if T_target else ""
        words = f"-sum(softmax(v{tempered}, {own(target)}) * "
        words += f"log_softmax(z{tempered}, {own(student)}))"
        return Form(words, "soft part", bug, value, False, True, True)

    return [made(*side, tempered) for tempered in (True, False) for side in sides]


def over_more_classes() -> list[Form]:
    """List the teacher's part with softmax over classes that are cut off only afterwards.

    What went to the others is missing: targets sum to less than 1.
    """

    def made(T_target: bool) -> Form:
        def value(z: Tensor, v: Tensor, T: float) -> Tensor:
            p = softmax(v, T if T_target else 1.0)[:, : z.shape[1]]
            return -(p * log_softmax(z, T)).sum() / len(z)

        words = f"-sum(softmax(v{' / T' if T_target else ''})[:, :C] * log_softmax(z / T))"
        return Form(words, "soft part", "softmax before the cut", value, whole=True)

    return [made(True), made(False)]


def over_labels() -> list[Form]:
    """List the teacher's part with softmax over labels that do not exclude each other.

    A sigmoid output z is a row ``(0, z)``.
    """

    def made(tempered: bool) -> Form:
        def value(z: Tensor, v: Tensor, T: float) -> Tensor:
            t = T if tempered else 1.0
            one, other = (x[..., 1] - x[..., 0] for x in (z, v))
            return -(softmax(other, t) * log_softmax(one, t)).sum() / one.numel()

        words = "softmax over labels of which a row may have several"
        return Form(words, "soft part", "softmax over independent labels", value, False, True, True)

    return [made(True), made(False)]


def _nll(log_q: Tensor, y: Tensor) -> Tensor:
    return -log_q.gather(1, y.unsqueeze(1)).mean()


HARD: list[Form] = [
    Form("CE(z, y)", "labels", "", lambda z, y, T: _nll(log_softmax(z, 1), y)),
    Form(
        "CE(z / T, y)",
        "labels",
        "labels on tempered logits",
        lambda z, y, T: _nll(log_softmax(z, T), y),
    ),
    Form(
        "CE(softmax(z), y)",
        "labels",
        "softmax twice",
        lambda z, y, T: _nll(log_softmax(softmax(z, 1), 1), y),
    ),
    Form(
        "CE(softmax(z / T), y)",
        "labels",
        "softmax twice",
        lambda z, y, T: _nll(log_softmax(softmax(z, T), 1), y),
    ),
    Form(
        "nll_loss(softmax(z), y)",
        "labels",
        "no logarithm before nll_loss",
        lambda z, y, T: _nll(softmax(z, 1), y),
        False,
    ),
    Form(
        "nll_loss(z, y)",
        "labels",
        "no logarithm before nll_loss",
        lambda z, y, T: _nll(z, y),
        False,
    ),
    Form(
        "binary cross-entropy",
        "labels",
        "binary cross-entropy",
        lambda z, y, T: nn.functional.binary_cross_entropy_with_logits(
            z, nn.functional.one_hot(y, z.shape[1]).to(z.dtype)
        ),
        False,
    ),
    Form(
        "CE over the batch",
        "labels",
        "softmax over the batch",
        lambda z, y, T: _nll(torch.log_softmax(z, 0), y),
        False,
        True,
    ),
]


def _uniform(log_q: Logits) -> Form:
    return Form("CE to all classes alike", "labels", "", lambda z, y, T: -log_q(z, T).mean())


UNIFORM = _uniform(lambda z, T: log_softmax(z, 1))

SMOOTHED: list[tuple[Form, Form]] = [
    (HARD[0], UNIFORM),
    (HARD[1], _uniform(log_softmax)),
    (HARD[2], _uniform(lambda z, T: log_softmax(softmax(z, 1), 1))),
    (HARD[3], _uniform(lambda z, T: log_softmax(softmax(z, T), 1))),
]
"""The labels' part where labels are smoothed: what goes to the label, and to all classes alike."""


SOFT = _soft_forms()
"""The teacher's part: the right one first, then those with fewer deviations first."""


def _reversed_forms() -> list[Form]:
    """List the teacher's part where KL(student || teacher) is meant."""
    reverse = {form.words: form for form in SOFT if form.words.startswith("KL(student")}
    names = {
        "KL(student || teacher)": ("soft part", ""),
        "KL(student at 1 || teacher)": ("temperature", "T on one side only"),
        "KL(student || teacher at 1)": ("temperature", "T on one side only"),
        "KL(student || teacher) at 1": ("temperature", "another temperature"),
    }
    meant = [replace(reverse[words], check=check, bug=bug) for words, (check, bug) in names.items()]
    turned = replace(SOFT[0], words="KL(teacher || student)", bug="arguments swapped")
    rest = [f for f in SOFT[1:] if f.words not in names and f.bug != "arguments swapped"]
    return [*meant, turned, *rest]


REVERSED = _reversed_forms()
"""The same where the reverse KL is declared."""

"""Objectives that are not the book's, on purpose, beside the mistakes that look like them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import BUGS, Report, _loss_checks, check_distillation_setup
from distill_helpers.audit._forms import SOFT, Form
from distill_helpers.audit._probe import Probe
from distill_helpers.losses import MATCHINGS, matching_loss

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")

T, ALPHA, C, B = 3.0, 0.6, 6, 14
UNKNOWN = "could not tell"
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Soft = Callable[[Tensor, Tensor], Tensor]


def net(seed: int, classes: int = C) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, classes))


def data(rows: int = B, classes: int = C) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    x = torch.randn(rows, 5, generator=generator)
    return x, torch.randint(classes, (rows,), generator=generator)


def audit(loss_fn: Loss | None, batch: Any = None, **more: Any) -> Report:
    settings = {"temperature": T, "alpha": ALPHA, **more}
    teacher = settings.pop("teacher", None) or net(1).eval()
    student = settings.pop("student", None) or net(0)
    return check_distillation_setup(student, teacher, batch or data(), loss_fn, **settings)


def beside_labels(soft: Soft, alpha: float = ALPHA) -> Loss:
    return lambda z, v, y: alpha * soft(z, v) + (1 - alpha) * F.cross_entropy(z, y)


def log_p(x: Tensor, t: float = T, dim: int = -1) -> Tensor:
    return F.log_softmax(x / t, dim)


def kl(log_a: Tensor, log_b: Tensor) -> Tensor:
    """KL(a || b), a mean over the rows."""
    return (log_a.exp() * (log_a - log_b)).sum(-1).mean()


def reverse_kl(z: Tensor, v: Tensor, t: float = T, power: int = 2) -> Tensor:
    return T**power * kl(log_p(z, t), log_p(v, t))


def skewed(z: Tensor, v: Tensor, share: float = 0.2) -> Tensor:
    """Jensen-Shannon with unequal shares."""
    q, p = log_p(z), log_p(v)
    m = torch.logaddexp(q + math.log(1 - share), p + math.log(share))
    return share * kl(p, m) + (1 - share) * kl(q, m)


def decoupled(z: Tensor, v: Tensor, y: Tensor, target: float = 1.0, others: float = 4.0) -> Tensor:
    mine = F.one_hot(y, z.shape[1]).bool()
    q, p = log_p(z).exp(), log_p(v).exp()

    def two(x: Tensor) -> Tensor:
        return torch.stack([(x * mine).sum(1), (x * ~mine).sum(1)], 1)

    first = F.kl_div(two(q).log(), two(p), reduction="batchmean")
    apart = log_p(z - 3000.0 * mine), log_p(v - 3000.0 * mine).exp()
    return T**2 * (target * first + others * F.kl_div(*apart, reduction="batchmean"))


def cosine(z: Tensor, v: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(z - z.mean(1, True), v - v.mean(1, True))).mean()


def standardised(z: Tensor, v: Tensor) -> Tensor:
    z, v = ((x - x.mean(1, True)) / x.std(1, keepdim=True) for x in (z, v))
    return F.mse_loss(z, v)


def total_variation(z: Tensor, v: Tensor) -> Tensor:
    return (log_p(z).exp() - log_p(v).exp()).abs().sum(-1).mean()


# -- another objective is no mistake --------------------------------------------------------------

OTHERS: dict[str, tuple[str, Loss]] = {
    "mse of logits": ("squared error of logits", beside_labels(F.mse_loss)),
    "mse of probabilities": (
        "squared error of tempered probabilities",
        beside_labels(lambda z, v: F.mse_loss(log_p(z).exp(), log_p(v).exp())),
    ),
    "Jensen-Shannon": (
        "the Jensen-Shannon divergence",
        beside_labels(lambda z, v: skewed(z, v, 0.5)),
    ),
    "skewed Jensen-Shannon": ("CE; it is least", beside_labels(skewed)),
    "DKD": ("decoupled", lambda z, v, y: F.cross_entropy(z, y) + decoupled(z, v, y)),
    "both ways": (
        "both ways",
        beside_labels(lambda z, v: kl(log_p(z), log_p(v)) + kl(log_p(v), log_p(z))),
    ),
    "cosine": ("CE; it is least", beside_labels(cosine)),
    "huber": ("CE; it is least", beside_labels(F.smooth_l1_loss)),
    "standardised logits": ("CE; it is least", beside_labels(standardised)),
    "total variation": ("CE; it is least", beside_labels(total_variation)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_objective_is_said_and_not_accused(name: str) -> None:
    words, loss = OTHERS[name]
    report = audit(loss)
    assert report.ok, report
    assert report["soft part"].outcome == UNKNOWN and words in report["soft part"].reason, report
    assert report["labels"].outcome == "passed"
    assert report["alpha"].outcome == report["T squared"].outcome == UNKNOWN
    assert report.effective is None
    # The way out that it names is one.
    assert 'divergence="other"' in report["soft part"].reason
    declared = audit(loss, divergence="other")
    assert declared.ok and "not judged" in declared["soft part"].reason
    assert declared["labels"].outcome == "passed"


@pytest.mark.parametrize("kind", MATCHINGS)
def test_every_matching_of_the_book(kind: str) -> None:
    report = audit(
        lambda z, v, y: beside_labels(lambda a, b: matching_loss(a, b, T, kind))(z, v, y)
    )
    known = {"forward KL": [], "reverse KL": ["arguments swapped"]}
    # Its loss can be differentiated for the student alone, and is so in other places too.
    assert [b for b in report.bugs if b != "graph cut"] == known.get(kind, []), report


def test_another_objective_beside_what_it_is_not_asked_about() -> None:
    hints = torch.tensor(0.3)
    alone = audit(lambda z, v, y: 0.5 * (z - v).square().sum(1).mean() + hints, alpha=1.0)
    assert alone.ok and alone["labels"].outcome == UNKNOWN
    without = audit(lambda z, v, y: F.mse_loss(z, v), (data()[0],), alpha=1.0)
    assert without.ok and "squared error of logits" in without["soft part"].reason
    missing = audit(lambda z, v, y: F.mse_loss(z, v))
    assert missing.bugs == ["a part is missing"]
    smoothed = audit(lambda z, v, y: cosine(z, v) + F.cross_entropy(z, y, label_smoothing=0.1))
    assert smoothed.ok and smoothed["labels"].outcome == "passed", smoothed
    tempered = audit(lambda z, v, y: cosine(z, v) + F.cross_entropy(z / T, y))
    assert tempered.bugs == ["labels on tempered logits"]


# -- what resembles one, and is a mistake ---------------------------------------------------------

RESEMBLE: dict[str, tuple[str, Loss]] = {
    "T on one side of a squared error": (
        "another loss",
        beside_labels(lambda z, v: F.mse_loss(log_p(z).exp(), log_p(v, 1).exp())),
    ),
    "logits against probabilities": (
        "another loss",
        beside_labels(lambda z, v: F.mse_loss(z, v.softmax(-1))),
    ),
    "softmax over the batch, squared": (
        "another loss",
        beside_labels(lambda z, v: F.mse_loss(z.softmax(0), v.softmax(0))),
    ),
    "softmax over the batch, both ways": (
        "another loss",
        beside_labels(
            lambda z, v: kl(log_p(z, dim=0), log_p(v, dim=0)) + kl(log_p(v, dim=0), log_p(z, dim=0))
        ),
    ),
    "one mean for all rows": (
        "another loss",
        beside_labels(lambda z, v: F.mse_loss(z.mean(0), v.mean(0))),
    ),
    "subtracted": ("another loss", lambda z, v, y: F.cross_entropy(z, y) - cosine(z, v)),
    "decoupled, one side tempered": (
        "another loss",
        lambda z, v, y: F.cross_entropy(z, y) + decoupled(z, v * T, y),
    ),
    "arguments swapped": ("arguments swapped", beside_labels(reverse_kl)),
    "arguments swapped, another temperature": (
        "arguments swapped",
        beside_labels(lambda z, v: reverse_kl(z, v, 2.0)),
    ),
    "softmax twice on both sides": (
        "softmax twice",
        beside_labels(lambda z, v: T**2 * kl(log_p(v.softmax(-1)), log_p(z.softmax(-1)))),
    ),
    "sums of rows against a column": (
        "rows broadcast against each other",
        beside_labels(
            lambda z, v: (
                (z.logsumexp(1, keepdim=True) - v.logsumexp(1)).square().mean()
                + F.mse_loss(z.softmax(-1), v.softmax(-1))
            )
        ),
    ),
}


@pytest.mark.parametrize("name", RESEMBLE)
def test_a_mistake_that_resembles_another_objective_is_named(name: str) -> None:
    bug, loss = RESEMBLE[name]
    report = audit(loss)
    assert [found for found in report.bugs if found != "NaN on underflow"] == [bug], report


# -- the reverse KL is declared -------------------------------------------------------------------


def test_a_reverse_kl_is_declared_as_the_message_says() -> None:
    undeclared = audit(beside_labels(reverse_kl))
    assert undeclared.bugs == ["arguments swapped"]
    assert 'divergence="reverse"' in undeclared["soft part"].mend
    report = audit(beside_labels(reverse_kl), divergence="reverse")
    assert report.ok, report
    assert "KL(student || teacher)" in report["soft part"].reason
    for name in ("soft part", "temperature", "labels", "T squared", "reduction", "alpha"):
        assert report[name].outcome == "passed", report
    assert report.effective is None  # the book's loss has no terms for it


REVERSED: dict[str, tuple[list[str], Loss]] = {
    "no T^2": (["T^2 missing"], beside_labels(lambda z, v: reverse_kl(z, v, power=0))),
    "alpha": (["alpha on the wrong term"], beside_labels(reverse_kl, 1 - ALPHA)),
    "T left out": (["another temperature"], beside_labels(lambda z, v: reverse_kl(z, v, 1.0))),
    "T of another": (["another temperature"], beside_labels(lambda z, v: reverse_kl(z, v, 2.0))),
    "one side": (
        ["T on one side only"],
        beside_labels(lambda z, v: T**2 * kl(log_p(z, 1), log_p(v))),
    ),
    "forward": (["arguments swapped"], beside_labels(lambda z, v: T**2 * kl(log_p(v), log_p(z)))),
    "mean": (
        ["mean instead of batchmean"],
        beside_labels(
            lambda z, v: T**2 * F.kl_div(log_p(v), log_p(z), log_target=True, reduction="mean")
        ),
    ),
    "labels": (
        ["labels on tempered logits"],
        lambda z, v, y: ALPHA * reverse_kl(z, v) + (1 - ALPHA) * F.cross_entropy(z / T, y),
    ),
    "half of the gradient": (
        ["graph cut"],
        beside_labels(
            lambda z, v: T**2 * (log_p(z).exp().detach() * (log_p(z) - log_p(v))).sum(-1).mean()
        ),
    ),
}


@pytest.mark.parametrize("name", REVERSED)
def test_a_declared_reverse_kl_is_judged(name: str) -> None:
    bugs, loss = REVERSED[name]
    report = audit(loss, divergence="reverse")
    assert report.bugs == bugs, report


def test_a_forward_kl_in_words_of_the_reverse_is_told_what_to_declare() -> None:
    report = audit(beside_labels(lambda z, v: T**2 * kl(log_p(v), log_p(z))), divergence="reverse")
    assert "KL(teacher || student)" in report["soft part"].reason


# -- another loss is declared ---------------------------------------------------------------------


def test_a_loss_that_mixes_rows_on_purpose_is_declared() -> None:
    loss = beside_labels(lambda z, v: (z @ z.T - v @ v.T).square().mean())
    undeclared = audit(loss)
    assert undeclared.bugs == ["another loss"]
    assert 'divergence="other"' in undeclared["soft part"].mend
    assert audit(loss, divergence="other").ok


def test_all_but_the_value_of_a_declared_loss_is_judged() -> None:
    def ask(loss: Loss, batch: Any = None, **more: Any) -> list[str]:
        return audit(loss, batch, divergence="other", **more).bugs

    dropping = nn.Sequential(nn.Linear(5, 40), nn.Dropout(0.5), nn.Linear(40, C))
    right = beside_labels(F.mse_loss)
    assert ask(right) == []
    assert ask(right, teacher=dropping) == ["teacher in train mode"]
    assert ask(beside_labels(lambda z, v: F.mse_loss(z.detach(), v))) == ["graph cut"]
    assert ask(beside_labels(lambda z, v: F.mse_loss(z, v.roll(1, 0)))) == [
        "teacher's outputs out of step"
    ]
    assert ask(lambda z, v, y: F.mse_loss(z, v) + F.cross_entropy(z, y.roll(1))) == [
        "labels out of step"
    ]
    assert ask(lambda z, v, y: F.cross_entropy(z, y) + 0 * v.sum()) == ["a part is missing"]
    assert ask(lambda z, v, y: F.mse_loss(z, v) + F.cross_entropy(z / T, y)) == [
        "labels on tempered logits"
    ]
    optimiser = torch.optim.SGD(net(3).parameters(), 0.1)
    assert ask(right, optimiser=optimiser) == ["student not in the optimiser"]


def padded() -> tuple[dict[str, Tensor], Tensor]:
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(1, 20, (6, 7), generator=generator)
    mask = torch.ones(6, 7, dtype=torch.int64)
    mask[:3, 4:] = 0
    labels = torch.randint(11, (6, 7), generator=generator).masked_fill(mask == 0, -100)
    return {"input_ids": ids * mask, "attention_mask": mask}, labels


@pytest.mark.parametrize("divergence", ["forward", "other"])
@pytest.mark.parametrize("leave_out", [True, False])
@pytest.mark.parametrize("distance", ["logits", "DKD"])
def test_padding_in_another_objective(distance: str, leave_out: bool, divergence: str) -> None:
    embed, teach = nn.Embedding(20, 11), nn.Embedding(20, 11)

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        z, v, y = z.flatten(0, 1), v.flatten(0, 1), y.flatten()
        hard = F.cross_entropy(z, y)
        if leave_out:
            z, v, y = z[y >= 0], v[y >= 0], y[y >= 0]
        soft = F.mse_loss(z, v) if distance == "logits" else decoupled(z, v, y.clamp_min(0))
        return ALPHA * soft + (1 - ALPHA) * hard

    report = check_distillation_setup(
        lambda input_ids, attention_mask: embed(input_ids),
        lambda input_ids, attention_mask: teach(input_ids),
        padded(),
        loss,
        temperature=T,
        alpha=ALPHA,
        divergence=divergence,
    )
    assert report.bugs == ([] if leave_out else ["padding counted"]), report


def test_a_divergence_of_no_name_is_refused_in_one_line() -> None:
    with pytest.raises(ValueError, match="divergence is 'backward'; it must be one of") as caught:
        audit(beside_labels(reverse_kl), divergence="backward")
    assert "\n" not in str(caught.value)


# -- where a probability underflows ---------------------------------------------------------------


def by_hand(z: Tensor, v: Tensor) -> Tensor:
    q, p = log_p(z).exp(), log_p(v).exp()
    m = (p + q) / 2
    return (p * (p / m).log() + q * (q / m).log()).sum(-1).mean() / 2


@pytest.mark.parametrize(
    ("dtype", "scale", "outcome"),
    [
        (torch.float32, 1.0, UNKNOWN),
        (torch.float32, 300.0, "failed"),
        (torch.float16, 1.0, "failed"),
    ],
)
def test_underflow_in_another_objective_fails_where_logits_get(
    dtype: torch.dtype, scale: float, outcome: str
) -> None:
    student, teacher = net(0).to(dtype), net(1).to(dtype).eval()
    with torch.no_grad():
        teacher[-1].weight.mul_(scale)
    x, y = data()
    report = audit(
        beside_labels(by_hand),
        (x.to(dtype), y),
        student=student,
        teacher=teacher,
        divergence="other",
    )
    assert report["extremes"].outcome == outcome, report


def test_underflow_in_the_books_objective_is_named_wherever_it_comes() -> None:
    def kl_by_hand(z: Tensor, v: Tensor) -> Tensor:
        p = log_p(v).exp()
        return T**2 * (p * (p.log() - log_p(z))).sum(-1).mean()

    report = audit(beside_labels(kl_by_hand))
    assert report.ok and report.warnings == ["NaN on underflow"], report


# -- the teacher's part alone, and tables ---------------------------------------------------------


def test_a_mean_over_classes_is_told_from_a_factor_at_alpha_1() -> None:
    def ask(soft: Soft) -> Report:
        return audit(lambda z, v, y: soft(z, v), (data()[0],), alpha=1.0)

    def divided(z: Tensor, v: Tensor, reduction: str = "mean") -> Tensor:
        return T**2 * F.kl_div(log_p(z), log_p(v).exp(), reduction=reduction)

    named = ask(divided)
    assert named.bugs == ["mean instead of batchmean"]
    assert "half of that with twice the classes" in named["reduction"].reason
    factor = ask(lambda z, v: divided(z, v, "batchmean") / C)
    assert factor.ok and factor["reduction"].outcome == UNKNOWN
    # A loss that is made for its own classes can not be asked with others.
    own = torch.zeros(C)
    fixed = ask(lambda z, v: divided(z + own, v))
    assert fixed.ok and "takes no other number of classes" in fixed["reduction"].reason


TABLES: dict[str, tuple[list[str], bool, bool]] = {
    "a column of KL, a row of CE, weights": (["rows broadcast against each other"], True, True),
    "both rows": ([], False, True),
    "a table whose mean is that of the rows": ([], True, False),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_column_and_a_row_make_a_table(name: str) -> None:
    bugs, keep, weighed = TABLES[name]
    weights = torch.linspace(0.5, 1.5, B, dtype=torch.float64)

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = F.kl_div(log_p(z), log_p(v).exp(), reduction="none").sum(1, keepdim=keep)
        hard = F.cross_entropy(z, y, reduction="none")
        both = ALPHA * T**2 * soft + (1 - ALPHA) * hard
        w = weights[: len(z)]
        return (both * w).sum() / w.sum() if weighed else both.mean()

    assert audit(loss).bugs == bugs


def test_a_table_in_the_teachers_part_of_one_sigmoid_output() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        p = (v / T).sigmoid().squeeze(1)
        soft = -(p * F.logsigmoid(z / T) + (1 - p) * F.logsigmoid(-z / T)).mean()
        hard = F.binary_cross_entropy_with_logits(z.squeeze(1), y)
        return ALPHA * T**2 * soft + (1 - ALPHA) * hard

    x, y = data(classes=2)
    report = audit(loss, (x, y.float()), student=net(0, 1), teacher=net(1, 1).eval())
    assert report.bugs == ["rows broadcast against each other"], report


def test_every_way_out_is_in_the_messages() -> None:
    assert 'divergence="reverse"' in BUGS["arguments swapped"]
    assert 'divergence="other"' in BUGS["another loss"]


def strange(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    """Another loss, that has no name here: each side drops classes of its own."""
    soft = F.kl_div((z[:, :-2] / T).log_softmax(-1), (v[:, 2:] / T).softmax(-1), reduction="sum")
    return ALPHA * T**2 * soft / len(z) + (1 - ALPHA) * F.cross_entropy(z, y)


def test_a_declared_loss_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    before = audit(strange, divergence="other")
    monkeypatch.setattr(_loss_checks, "identify", lambda probe: pytest.fail("looked for a form"))
    report = audit(strange, divergence="other")
    assert str(report) == str(before)
    assert [c.outcome for c in report.values()] == [c.outcome for c in before.values()]
    assert report["graph"].outcome == "passed" and "not judged" in report["soft part"].reason


def test_a_labels_part_is_worked_out_once_and_not_beside_every_teachers_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    own = Probe.hard

    def counted(probe: Probe, form: Form, pick: Tensor | None = None) -> Tensor:
        asked.append(form)
        return own(probe, form, pick)

    monkeypatch.setattr(Probe, "hard", counted)
    assert not audit(strange).ok
    assert 0 < len(asked) < len(SOFT)

"""The audit on what goes into a step: inputs of both networks, marks in labels, the optimiser.

And on what is a warning and no fault. Each kind stands several times, and beside it what is right.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import BUGS, Report, check_distillation_setup

T, ALPHA, C = 2.0, 0.7, 5
UNKNOWN = "could not tell"
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")


def net(seed: int = 0, classes: int = C, gain: float = 1.0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, classes))
        made[2].weight.data.mul_(gain)
        return made


def draw(*shape: int, high: int | None = None, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if high is None:
        return torch.randn(shape, generator=generator)
    return torch.randint(high, shape, generator=generator)


def total(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="batchmean")
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def audit(step: Any, batch: Any, student: Any = None, teacher: Any = None, **more: Any) -> Report:
    student = net() if student is None else student
    teacher = net(1, gain=6.0).eval() if teacher is None else teacher
    return check_distillation_setup(
        student, teacher, batch, step=step, temperature=T, alpha=ALPHA, **more
    )


# -- the inputs of both networks ------------------------------------------------------------------

X, Y = draw(12, 16), draw(12, high=C)
ORDER = torch.randperm(12, generator=torch.Generator().manual_seed(3))
BLEND = 0.6 * X + 0.4 * X[ORDER]
PATCH = torch.where(torch.arange(16) < 6, X[ORDER], X)


def two_inputs(student: Any, teacher: Any, batch: Any) -> Tensor:
    with torch.no_grad():
        v = teacher(batch["for teacher"])
    return total(student(batch["for student"]), v, batch["labels"])


INPUTS: dict[str, tuple[Tensor, Tensor, str, str]] = {
    "the same": (X, X, "passed", ""),
    "mixup for the student": (BLEND, X, "failed", "teacher asked about mixed inputs"),
    "mixup for the teacher": (X, BLEND, "failed", "teacher asked about mixed inputs"),
    "cutmix for the student": (PATCH, X, "failed", "teacher asked about mixed inputs"),
    "another order": (X, X[ORDER], "failed", "teacher's outputs out of step"),
    "turned round": (X, X.flip(0), "failed", "teacher's outputs out of step"),
    "moved by one": (X, X.roll(1, 0), "failed", "teacher's outputs out of step"),
    "noise": (X + 0.1 * draw(12, 16, seed=4), X, "warning", ""),
    "not normalised": ((X - 0.4) / 2.2, X, "warning", ""),
    "mirrored": (X, X.flip(1), "warning", ""),
    "of another loader": (X, draw(12, 16, seed=9), "warning", ""),
}


@pytest.mark.parametrize("name", INPUTS)
def test_both_networks_are_asked_about_the_same(name: str) -> None:
    one, other, outcome, bug = INPUTS[name]
    report = audit(two_inputs, {"for student": one, "for teacher": other, "labels": Y})
    bug = "teacher asked about other inputs" if outcome == "warning" else bug
    assert (report["inputs"].outcome, report["inputs"].bug) == (outcome, bug), report
    assert report.bugs == ([bug] if outcome == "failed" else [])
    assert report.warnings == ([bug] if outcome == "warning" else [])
    if name == "not normalised":
        assert "scaled or shifted" in report["inputs"].reason


def test_mixed_answers_for_mixed_inputs_are_no_mistake() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = teacher(batch["for teacher"])
        v = 0.6 * v + 0.4 * v[batch["order"]]
        return total(student(batch["for student"]), v, batch["labels"])

    batch = {"for student": BLEND, "for teacher": X, "order": ORDER, "labels": Y}
    report = audit(step, batch)
    assert "teacher asked about mixed inputs" not in report.bugs, report


def test_rows_that_are_put_back_and_micro_batches_pass() -> None:
    def put_back(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        with torch.no_grad():
            v = teacher(x.flip(0)).flip(0)
        return total(student(x), v, y)

    def in_parts(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        with torch.no_grad():
            v = teacher(x)
        z = torch.cat([student(part) for part in x.chunk(3)])
        return total(z, v, y)

    for step in (put_back, in_parts):
        report = audit(step, (X, Y))
        assert report.ok and report["inputs"].outcome == "passed", report


def test_a_mask_that_one_of_them_is_given_otherwise_is_a_warning() -> None:
    class Masked(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.net = net(seed)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            return self.net(x * mask)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        (x, mask), y = batch
        with torch.no_grad():
            v = teacher(x, mask=torch.ones_like(mask))
        return total(student(x, mask=mask), v, y)

    mask = (draw(12, 16, seed=5) > 0).float()
    report = audit(step, ((X, mask), Y), Masked(0), Masked(1).eval())
    assert report.ok and report.warnings == ["teacher asked about other inputs"], report
    assert "mask" in report["inputs"].reason


def test_a_loss_alone_does_not_show_the_inputs() -> None:
    report = check_distillation_setup(
        net(), net(1).eval(), (X, Y), total, temperature=T, alpha=ALPHA
    )
    assert report["inputs"].outcome == UNKNOWN and "step=" in report["inputs"].reason


# -- rows without a label -------------------------------------------------------------------------

IDS, LABELS = draw(4, 8, high=20), draw(4, 8, high=C - 1).add(1)
LABELS[0, 4:], LABELS[2, 5:] = -100, -100


def tokens(seed: int, gain: float = 1.0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, C))
        made[1].weight.data.mul_(gain)
        return made


def over_tokens(labelled: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        z, v, y = z.flatten(0, 1), v.flatten(0, 1), y.flatten()
        k = y >= 0
        soft = F.kl_div(F.log_softmax(z[k] / T, -1), F.softmax(v[k] / T, -1), reduction="batchmean")
        return ALPHA * T**2 * soft + (1 - ALPHA) * labelled(z, v, y)

    return loss


def from_the_teacher(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z, torch.where(y < 0, v.argmax(-1), y))


IGNORED: dict[str, tuple[list[str], Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "ignore_index": ([], lambda z, v, y: F.cross_entropy(z, y)),
    "selected": ([], lambda z, v, y: F.cross_entropy(z[y >= 0], y[y >= 0])),
    "multiplied by a mask": (
        [],
        lambda z, v, y: (
            (F.cross_entropy(z, y.clamp(min=0), reduction="none") * (y >= 0)).sum() / (y >= 0).sum()
        ),
    ),
    "clamped": (["ignored labels trained on"], lambda z, v, y: F.cross_entropy(z, y.clamp(min=0))),
    "the last class": (
        ["ignored labels trained on"],
        lambda z, v, y: F.cross_entropy(z, torch.where(y < 0, C - 1, y)),
    ),
    "a remainder": (["ignored labels trained on"], lambda z, v, y: F.cross_entropy(z, y % C)),
    "gathered": (
        ["ignored labels trained on"],
        lambda z, v, y: -F.log_softmax(z, -1)[torch.arange(len(y)), y.clamp_min(0)].mean(),
    ),
}


@pytest.mark.parametrize("name", IGNORED)
def test_a_mark_is_no_class(name: str) -> None:
    bugs, labelled = IGNORED[name]
    report = check_distillation_setup(
        tokens(0),
        tokens(1, 5.0).eval(),
        (IDS, LABELS),
        over_tokens(labelled),
        temperature=T,
        alpha=ALPHA,
    )
    assert report.bugs == bugs, report
    if bugs:
        assert "of 7 rows without a label" in report["rows"].reason


def test_labels_that_the_teacher_makes_for_rows_without_one_are_not_accused() -> None:
    report = check_distillation_setup(
        tokens(0),
        tokens(1, 5.0).eval(),
        (IDS, LABELS),
        over_tokens(from_the_teacher),
        temperature=T,
        alpha=ALPHA,
    )
    assert "ignored labels trained on" not in report.bugs, report


def test_rolled_labels_teach_the_last_token_the_first() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return total(z.flatten(0, 1), v.flatten(0, 1), y.roll(-1, 1).flatten())

    report = check_distillation_setup(
        tokens(0),
        tokens(1, 5.0).eval(),
        (IDS, draw(4, 8, high=C, seed=2)),
        loss,
        temperature=T,
        alpha=ALPHA,
    )
    assert report.bugs == ["ignored labels trained on"], report


def test_an_uncertain_label_that_counts_as_absent_is_a_warning() -> None:
    y = draw(12, high=2).float()
    y[::3] = -1

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        z, v = z.squeeze(-1), v.squeeze(-1)
        soft = F.binary_cross_entropy_with_logits(z / T, (v / T).sigmoid())
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.binary_cross_entropy_with_logits(
            z, y.clamp(min=0)
        )

    student, teacher = net(classes=1), net(1, 1, gain=6.0).eval()
    report = check_distillation_setup(student, teacher, (X, y), loss, temperature=T, alpha=ALPHA)
    assert report.ok and report.warnings == ["ignored labels trained on"], report


# -- the optimiser --------------------------------------------------------------------------------


def plain(student: Any, teacher: Any, batch: Any) -> Tensor:
    with torch.no_grad():
        v = teacher(batch[0])
    return total(student(batch[0]), v, batch[1])


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def new_head(student: nn.Sequential) -> None:
    student[2] = nn.Linear(8, C)


def weight_norm(student: nn.Sequential) -> None:
    nn.utils.weight_norm(student[2])


def copied_layer(student: nn.Sequential) -> None:
    student[0].weight = nn.Parameter(student[0].weight.detach().clone())


def wider(student: nn.Sequential) -> None:
    student[0], student[2] = nn.Linear(16, 10), nn.Linear(10, C)
    student.insert(2, nn.LayerNorm(10))


OLDER = {f.__name__: f for f in (new_head, weight_norm, copied_layer)}


@pytest.mark.parametrize("name", OLDER)
def test_an_optimiser_that_is_older_than_a_part_of_the_student(name: str) -> None:
    student = net()
    optimiser = sgd(student.parameters())
    OLDER[name](student)
    report = audit(plain, (X, Y), student, optimiser=optimiser)
    assert report.bugs == ["optimiser older than the student"], report
    built_last = audit(plain, (X, Y), student, optimiser=sgd(student.parameters()))
    assert built_last.ok and built_last["optimiser"].outcome == "passed"


def test_an_optimiser_of_which_nothing_is_left() -> None:
    student = net()
    optimiser = sgd(student.parameters())
    wider(student)
    report = audit(plain, (X, Y), student, optimiser=optimiser)
    assert report.bugs == ["student not in the optimiser"], report


def test_adapters_that_came_after_the_optimiser_are_a_warning() -> None:
    student = net()
    optimiser = sgd(student.parameters())
    student[0].requires_grad_(False)
    student.insert(1, nn.Linear(8, 8))
    report = audit(plain, (X, Y), student, optimiser=optimiser)
    assert report.ok and report.warnings == ["optimiser older than the student"], report


def test_an_optimiser_may_hold_what_the_step_trains_beside_the_student() -> None:
    student, projector, factor = net(), nn.Linear(C, C), nn.Parameter(torch.ones(()))

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        extra = projector(batch[0][:, :C]).square().mean() * factor
        return plain(student, teacher, batch) + 0 * extra

    for more in (list(projector.parameters()), [factor]):
        optimiser = sgd([*student[2].parameters(), *more])
        report = audit(step, (X, Y), student, optimiser=optimiser)
        assert report["optimiser"].outcome == UNKNOWN, report


# -- warnings, and where to read on ---------------------------------------------------------------


def kl_by_hand(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    p = F.softmax(v / T, -1)
    soft = (p * (p.log() - F.log_softmax(z / T, -1))).sum(-1).mean()
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def log_of_softmax(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    soft = F.kl_div(F.softmax(z / T, -1).log(), F.softmax(v / T, -1), reduction="batchmean")
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def categorical(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    made = [torch.distributions.Categorical(logits=x / T) for x in (v, z)]
    soft = torch.distributions.kl_divergence(*made).mean()
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def exponentials(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    q = (z / T).exp() / (z / T).exp().sum(-1, keepdim=True)
    soft = F.kl_div(q.log(), F.softmax(v / T, -1), reduction="batchmean")
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


@pytest.mark.parametrize("loss", [kl_by_hand, log_of_softmax, exponentials])
def test_underflow_far_out_is_a_warning_and_a_fault_where_the_logits_are(loss: Any) -> None:
    def ask(gain: float) -> Report:
        teacher = net(1, gain=gain).eval()
        return check_distillation_setup(net(), teacher, (X, Y), loss, temperature=T, alpha=ALPHA)

    far = ask(6.0)
    assert far.ok and far.warnings == ["NaN on underflow"], far
    assert "1 warning," in str(far) and BUGS["NaN on underflow"] in str(far)
    assert "warning: NaN on underflow" in far._repr_markdown_()
    assert ask(200.0).bugs == ["NaN on underflow"]


def test_a_kl_of_the_librarys_own_is_not_accused() -> None:
    report = check_distillation_setup(
        net(), net(1).eval(), (X, Y), categorical, temperature=T, alpha=ALPHA
    )
    assert report.ok, report


def test_a_loss_over_tokens_is_pointed_to_its_chapter() -> None:
    report = check_distillation_setup(
        tokens(0),
        tokens(1).eval(),
        (IDS, LABELS),
        over_tokens(IGNORED["clamped"][1]),
        temperature=T,
        alpha=ALPHA,
    )
    for text in (str(report), report._repr_markdown_()):
        assert "notebooks/09-one-token-at-a-time.ipynb" in text
        assert "One token at a time" in text
    samples = check_distillation_setup(
        net(), net(1).eval(), (X, Y), total, temperature=T, alpha=ALPHA
    )
    assert samples.chapter == "" and "chapter 09" not in str(samples)


# -- what a careful author still gets wrong -------------------------------------------------------


def ask(loss: Any, student: Any = None, teacher: Any = None) -> Report:
    student = net() if student is None else student
    teacher = net(1, gain=6.0).eval() if teacher is None else teacher
    return check_distillation_setup(student, teacher, (X, Y), loss, temperature=T, alpha=ALPHA)


@pytest.mark.parametrize("how", ["step", "loss"])
def test_a_frozen_student(how: str) -> None:
    student = net().requires_grad_(False)
    report = audit(plain, (X, Y), student) if how == "step" else ask(total, student)
    assert report.bugs == ["student is frozen"], report


@pytest.mark.parametrize("how", ["step", "loss"])
def test_a_shallow_copy_of_the_student_as_teacher(how: str) -> None:
    student = net()
    twin = copy.copy(student)
    report = audit(plain, (X, Y), student, twin) if how == "step" else ask(total, student, twin)
    assert report.bugs == ["the student teaches itself"], report
    deep = copy.deepcopy(student).eval().requires_grad_(False)
    assert ask(total, student, deep).ok


@pytest.mark.parametrize(
    ("bugs", "turned"),
    [
        ([], lambda y: y),
        (["labels of another class"], lambda y: (y + 1) % C),
        (["labels of another class"], lambda y: (y - 1) % C),
        (["labels of another class"], lambda y: C - 1 - y),
    ],
)
def test_labels_that_stand_for_other_classes(bugs: list[str], turned: Any) -> None:
    report = ask(lambda z, v, y: total(z, v, turned(y)))
    assert report.bugs == bugs, report


@pytest.mark.parametrize("made", [lambda v, y: v.argmax(-1), lambda v, y: torch.zeros_like(y)])
def test_a_labels_part_that_follows_no_label(made: Any) -> None:
    report = ask(lambda z, v, y: total(z, v, made(v, y)))
    assert "a part is missing" in report.bugs, report


def test_a_mask_turned_round_is_seen_where_no_row_of_a_small_part_counts() -> None:
    class Masked(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.net = tokens(seed)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return self.net(input_ids)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        given = {k: batch[k] for k in ("input_ids", "attention_mask")}
        z = student(**given)
        with torch.no_grad():
            v = teacher(**given)
        m = (batch["attention_mask"] == 0).float()
        kd = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(-1)
        hard = F.cross_entropy(z.flatten(0, 1), batch["labels"].flatten())
        return ALPHA * T**2 * (kd * m).sum() / m.sum() + (1 - ALPHA) * hard

    mask = (LABELS >= 0).long()
    batch = {"input_ids": IDS * mask, "attention_mask": mask, "labels": LABELS}
    report = audit(step, batch, Masked(0), Masked(1).eval())
    assert report.bugs == ["padding counted"], report


@pytest.mark.parametrize("order", [torch.randperm, lambda n: torch.arange(n - 1, -1, -1)])
def test_rows_in_another_order_are_not_mixed(order):
    """Every row is some row of the batch, whole, and its label went with it."""
    torch.manual_seed(0)
    student, teacher = (nn.Linear(6, 5).eval() for _ in range(2))
    T, alpha = 3.0, 0.7

    def step(student, teacher, batch):
        x, y = batch
        rows = order(len(x))
        x, y = x[rows], y[rows]
        with torch.no_grad():
            p = F.softmax(teacher(x) / T, -1)
        z = student(x)
        kl = F.kl_div(F.log_softmax(z / T, -1), p, reduction="batchmean")
        return alpha * T * T * kl + (1 - alpha) * F.cross_entropy(z, y)

    batch = torch.randn(16, 6), torch.randint(5, (16,))
    report = check_distillation_setup(
        student, teacher, batch, step=step, temperature=T, alpha=alpha
    )
    assert "labels mixed unlike the inputs" not in report.bugs

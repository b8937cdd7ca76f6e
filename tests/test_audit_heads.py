"""Audit of loops whose labels are marked in part, and of one network whose heads teach heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import Report, check_distillation_setup
from distill_helpers.audit._report import FAILED, PASSED, UNKNOWN

T, ALPHA = 2.0, 0.6


def kl(z: Tensor, v: Tensor, power: int = 2) -> Tensor:
    soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="batchmean")
    return soft * T**power


# -- labels that mark rows to be left out -------------------------------------------------------


class Anchors(nn.Module):
    """Five classes and a box of four numbers for each of ten anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.cls, self.box = nn.Linear(6, 50), nn.Linear(6, 40)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls(x).unflatten(1, (10, 5)), self.box(x).unflatten(1, (10, 4))


def anchor_step(power: int = 2, marks: bool = True) -> Callable[..., Tensor]:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z, box = student(x)
        with torch.no_grad():
            v, _ = teacher(x)
        kept = y >= 0
        z, v, y = z[kept], v[kept], y[kept]
        assert marks or bool(kept.all())
        return ALPHA * kl(z, v, power) + (1 - ALPHA) * F.cross_entropy(z, y) + box.abs().mean()

    return step


def audit_anchors(y: Tensor, power: int = 2) -> Report:
    torch.manual_seed(0)
    student, teacher = Anchors(), Anchors().eval().requires_grad_(False)
    return check_distillation_setup(
        student,
        teacher,
        (torch.randn(len(y), 6), y),
        step=anchor_step(power),
        temperature=T,
        alpha=ALPHA,
    )


def anchors_marked(*marks: int) -> Tensor:
    y = torch.arange(60).remainder(5).reshape(6, 10)
    for i, mark in enumerate(marks):
        y[i::3, i::4] = mark
    return y


@pytest.mark.parametrize("marks", [(), (-1,), (-1, -2)])
def test_classes_are_told_from_boxes_whatever_marks_ignored_anchors(marks: tuple[int, ...]) -> None:
    # Without a mark too: four box numbers would make the fifth class the mark.
    report = audit_anchors(anchors_marked(*marks))
    assert report.ok
    assert report["T squared"].outcome == report["rows"].outcome == PASSED
    assert report.effective is not None
    assert report.effective.alpha == pytest.approx(ALPHA, abs=1e-3)
    assert audit_anchors(anchors_marked(*marks), power=0).bugs == ["T^2 missing"]


def tokens_step(ignore: int, power: int = 2) -> Callable[..., Tensor]:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z, y = student(x).flatten(0, 1), y.flatten()
        with torch.no_grad():
            v = teacher(x).flatten(0, 1)
        kept = y != ignore
        hard = F.cross_entropy(z, y, ignore_index=ignore)
        return ALPHA * kl(z[kept], v[kept], power) + (1 - ALPHA) * hard

    return step


def audit_tokens(mark: int, ignore: int, power: int = 2) -> Report:
    torch.manual_seed(1)
    student, teacher = nn.Linear(6, 7), nn.Linear(6, 7).eval().requires_grad_(False)
    y = torch.arange(40).remainder(7).reshape(5, 8)
    y[:, 6:] = mark
    batch = torch.randn(5, 8, 6), y
    step = tokens_step(ignore, power)
    return check_distillation_setup(student, teacher, batch, step=step, temperature=T, alpha=ALPHA)


@pytest.mark.parametrize("mark", [-1, 255])
def test_padded_sequences_are_audited_by_the_loops_own_mark(mark: int) -> None:
    report = audit_tokens(mark, mark)
    assert report.ok
    assert report["T squared"].outcome == report["rows"].outcome == PASSED
    assert audit_tokens(mark, mark, power=1).bugs == ["T instead of T^2"]


@pytest.mark.parametrize("mark", [-1, 7])
def test_a_label_that_the_loss_does_not_know_is_one_clear_line(mark: int) -> None:
    with pytest.raises(ValueError, match=f"Target {mark} is out of bounds") as caught:
        audit_tokens(mark, ignore=-100)
    assert "\n" not in str(caught.value)


def test_several_numbers_beyond_the_classes_are_labels_gone_wrong() -> None:
    y = anchors_marked()
    y[0, 0], y[1, 0] = 8, 9
    with pytest.raises((TypeError, ValueError)) as caught:
        audit_anchors(y)
    assert "\n" not in str(caught.value)


def test_unknown_labels_of_several_a_row_may_be_marked() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z = student(x)
        with torch.no_grad():
            p = torch.sigmoid(teacher(x) / T)
        kept = (y >= 0).float()

        def mean(each: Tensor) -> Tensor:
            return (each * kept).sum() / kept.sum()

        soft = F.binary_cross_entropy_with_logits(z / T, p, reduction="none")
        hard = F.binary_cross_entropy_with_logits(z, y.clamp_min(0).float(), reduction="none")
        return ALPHA * T**2 * mean(soft) + (1 - ALPHA) * mean(hard)

    torch.manual_seed(2)
    y = torch.randint(-1, 2, (12, 5))
    student, teacher = nn.Linear(6, 5), nn.Linear(6, 5).eval().requires_grad_(False)
    batch = torch.randn(12, 6), y
    report = check_distillation_setup(
        student, teacher, batch, step=step, temperature=T, alpha=ALPHA
    )
    assert report.ok
    assert report["T squared"].outcome == PASSED


# -- heads of one network -----------------------------------------------------------------------


class Exits(nn.Module):
    """Logits of three exits, the deepest last."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(6, 6) for _ in range(depth))
        self.exits = nn.ModuleList(nn.Linear(6, 4) for _ in range(depth))

    def forward(self, x: Tensor) -> list[Tensor]:
        made = []
        for block, head in zip(self.blocks, self.exits, strict=True):
            x = torch.tanh(block(x))
            made.append(head(x))
        return made


def own_deepest(model: Any, _: Any, batch: Any, *, power: int = 2, cut: bool = True) -> Tensor:
    x, y = batch
    *early, deep = model(x)
    loss = F.cross_entropy(deep, y)
    for z in early:
        v = deep.detach() if cut else deep
        loss = loss + ALPHA * kl(z, v, power) + (1 - ALPHA) * F.cross_entropy(z, y)
    return loss


def audit_exits(step: Callable[..., Tensor], teacher: Any = None, depth: int = 3) -> Report:
    torch.manual_seed(3)
    student = Exits(depth)
    batch = torch.randn(16, 6), torch.randint(4, (16,))
    return check_distillation_setup(student, teacher, batch, step=step, temperature=T, alpha=ALPHA)


@pytest.mark.parametrize("depth", [2, 3])
def test_a_head_that_teaches_its_own_network_is_audited_as_a_teacher(depth: int) -> None:
    report = audit_exits(own_deepest, depth=depth)
    assert report.ok
    for name in ("soft part", "T squared", "alpha", "teacher gradient", "inputs", "order"):
        assert report[name].outcome == PASSED, report[name]
    assert report.effective is not None
    assert report.effective.alpha == pytest.approx(ALPHA, abs=1e-3)


def test_faults_between_heads_have_their_names() -> None:
    def swapped(model: Any, _: Any, batch: Any) -> Tensor:
        x, y = batch
        *early, deep = model(x)
        each = [ALPHA * kl(deep.detach(), z) + (1 - ALPHA) * F.cross_entropy(z, y) for z in early]
        return sum(each, F.cross_entropy(deep, y))

    report = audit_exits(lambda *a: own_deepest(*a, cut=False))
    assert report.bugs == ["teacher not detached"]
    assert report["teacher gradient"].outcome == FAILED
    assert audit_exits(lambda *a: own_deepest(*a, power=0)).bugs == ["T^2 missing"]
    assert audit_exits(swapped).bugs == ["arguments swapped"]


def test_heads_of_which_none_is_the_teacher_could_not_be_told() -> None:
    def by_their_mean(model: Any, _: Any, batch: Any) -> Tensor:
        x, y = batch
        made = model(x)
        v = torch.stack(made).mean(0).detach()
        each = [ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, y) for z in made]
        return torch.stack(each).sum()

    def mutual(model: Any, _: Any, batch: Any) -> Tensor:
        x, y = batch
        a, b = model(x)
        soft = kl(a, b.detach()) + kl(b, a.detach())
        return ALPHA * soft + (1 - ALPHA) * (F.cross_entropy(a, y) + F.cross_entropy(b, y))

    def twice(model: Any, _: Any, batch: Any) -> Tensor:
        x, y = batch
        a, b = model(x)[-1], model(x)[-1]
        soft = kl(a, b) + kl(b, a)
        return ALPHA * soft + (1 - ALPHA) * (F.cross_entropy(a, y) + F.cross_entropy(b, y))

    for step, depth, why in (
        (by_their_mean, 3, "no one head is the teacher"),
        (mutual, 2, "no one head is the teacher"),
        (twice, 2, "which of them teaches could not be told"),
    ):
        report = audit_exits(step, depth=depth)
        assert report.ok
        assert report["soft part"].outcome == UNKNOWN
        assert why in report["soft part"].reason


def test_of_a_chain_of_exits_the_last_link_is_audited() -> None:
    def chain(model: Any, _: Any, batch: Any, power: int = 2) -> Tensor:
        x, y = batch
        a, b, c = model(x)
        soft = kl(a, b.detach(), power) + kl(b, c.detach(), power)
        hard = F.cross_entropy(a, y) + F.cross_entropy(b, y)
        return ALPHA * soft + (1 - ALPHA) * hard + F.cross_entropy(c, y)

    report = audit_exits(chain)
    assert report.ok
    assert report["T squared"].outcome == PASSED
    assert report["teacher gradient"].outcome == PASSED
    assert audit_exits(lambda *a: chain(*a, power=1)).bugs == ["T instead of T^2"]


def test_two_exits_under_an_outer_teacher_are_audited_as_before() -> None:
    def supervised(model: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        with torch.no_grad():
            v = teacher(x)
        each = [ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, y) for z in model(x)]
        return torch.stack(each).mean()

    report = audit_exits(supervised, nn.Linear(6, 4).eval().requires_grad_(False), depth=2)
    assert report.ok
    assert report["T squared"].outcome == PASSED


def test_a_network_with_one_head_and_no_teacher_is_still_asked_for_one() -> None:
    def alone(model: Any, _: Any, batch: Any) -> Tensor:
        x, y = batch
        return F.cross_entropy(model(x)[0], y)

    with pytest.raises(ValueError, match="teacher is None"):
        audit_exits(alone, depth=1)

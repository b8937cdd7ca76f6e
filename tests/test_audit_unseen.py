"""Loops that mix a batch with its flip, pad vocabularies or answer late; errors of the audit."""

from __future__ import annotations

import contextlib
from collections import namedtuple
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import Report, _loss_checks, _network_checks, check_distillation_setup
from distill_helpers.audit._standins import row_numbers, rows_asked

T, ALPHA, C = 3.0, 0.6, 5
UNKNOWN = "could not tell"


def net(classes: int = C, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, classes))


def rows(count: int = 8, high: int = C) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return (
        torch.randn(count, 6, generator=generator),
        torch.randint(high, (count,), generator=generator),
    )


def kd(z: Tensor, v: Tensor) -> Tensor:
    p, log_q = F.softmax(v / T, -1), F.log_softmax(z / T, -1)
    return T * T * F.kl_div(log_q, p, reduction="batchmean")


def both(soft: Tensor, hard: Tensor) -> Tensor:
    return ALPHA * soft + (1 - ALPHA) * hard


def audit(student: Any, teacher: Any, batch: Any, step: Callable[..., Tensor]) -> Report:
    if isinstance(teacher, nn.Module):
        teacher.eval().requires_grad_(False)
    return check_distillation_setup(student, teacher, batch, step=step, temperature=T, alpha=ALPHA)


# -- rows that are mixed with the batch turned around ----------------------------------------------


def flipped(share: float, label: float) -> Callable[..., Tensor]:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        mixed = share * x + (1 - share) * x.flip(0)
        z = student(mixed)
        with torch.no_grad():
            v = teacher(mixed)
        hard = label * F.cross_entropy(z, y) + (1 - label) * F.cross_entropy(z, y.flip(0))
        return both(kd(z, v), hard)

    return step


@pytest.mark.parametrize("share", [0.2, 0.47, 0.8])
@pytest.mark.parametrize("count", [8, 7])
def test_a_batch_mixed_with_its_flip(share: float, count: int) -> None:
    right = audit(net(), net(seed=1), rows(count), flipped(share, share))
    assert right.ok, right
    wrong = audit(net(), net(seed=1), rows(count), flipped(share, 1 - share))
    assert wrong.bugs == ["mixed labels exchanged"]


def test_a_teacher_of_inverted_inputs_is_not_out_of_step() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z = student(x)
        with torch.no_grad():
            v = teacher(1 - x)
        return both(kd(z, v), F.cross_entropy(z, y))

    assert audit(net(), net(seed=1), rows(), step).ok


def test_a_teacher_of_flipped_inputs_is_out_of_step() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z = student(x)
        with torch.no_grad():
            v = teacher(2 * x.flip(0) - 1)
        return both(kd(z, v), F.cross_entropy(z, y))

    assert audit(net(), net(seed=1), rows(), step).bugs == ["teacher's outputs out of step"]


@pytest.mark.parametrize("count", [3, 4, 8, 9, 32])
def test_numbers_of_rows_tell_a_turn_from_a_scale(count: int) -> None:
    own = row_numbers(count).double().reshape(-1, 1).expand(count, 6)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(count))
    for slope in (2.0, -0.5):
        assert torch.equal(rows_asked(slope * own + 1, own), torch.arange(count))
        assert torch.equal(rows_asked(slope * own[order] + 1, own), order)
        assert torch.equal(rows_asked(slope * own.flip(0) + 1, own), torch.arange(count).flip(0))
    for share in (0.1, 0.3, 0.55, 0.9):
        assert rows_asked(share * own + (1 - share) * own.flip(0), own) is None


# -- vocabularies of other sizes -------------------------------------------------------------------


class Output(NamedTuple):
    logits: Tensor
    hidden: Tensor


Late = namedtuple("Late", ["hidden", "prediction"])


class Language(nn.Module):
    """A model of single tokens, whose features are fewer than its classes."""

    def __init__(self, classes: int, width: int, form: Callable[..., Any] | None = Output) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, width), nn.Linear(width, classes)
        self.form = form

    def forward(self, ids: Tensor) -> Any:
        hidden = self.embed(ids).tanh()
        z = self.head(hidden)
        if self.form is None:
            return z, hidden
        return self.form(hidden, z) if self.form is Late else self.form(z, hidden)


def language(form: Any = Output, student: int = 16, teacher: int = 20) -> tuple[Any, Any]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Language(student, 4, form), Language(teacher, 9, form)


def text(masked: bool = True) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(13, (4, 6), generator=generator)
    hidden = torch.rand(4, 6, generator=generator) < 0.5
    hidden[:, 0] = True
    if not masked:
        return ids, ids.roll(-1, 1)
    return ids.masked_fill(hidden, 13), ids.masked_fill(~hidden, -100)


def padded(
    real: int = 14, hard_real: int | None = 14, form: Any = Output, T_teacher: float = T
) -> Callable[..., Tensor]:
    def logits(made: Any) -> Tensor:
        return made[1] if form is Late else made[0]

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        ids, y = batch
        kept = y >= 0
        z = logits(student(ids))[kept]
        with torch.no_grad():
            v = logits(teacher(ids))[kept]
        hard = F.cross_entropy(z[:, :hard_real], y[kept])
        return both(kd(z[:, :real], v[:, :real] * T / T_teacher), hard)

    return step


@pytest.mark.parametrize("form", [Output, Late, None])
@pytest.mark.parametrize("hard_real", [14, None])
def test_padded_vocabularies_that_the_loop_cuts(form: Any, hard_real: int | None) -> None:
    report = audit(*language(form), text(), padded(hard_real=hard_real, form=form))
    assert report.ok, report
    assert report["soft part"].outcome == "passed"
    assert "classes" in report["soft part"].reason
    assert report.effective is not None and report.effective.alpha == pytest.approx(ALPHA)


def test_padding_hides_no_mistake() -> None:
    report = audit(*language(), text(), padded(T_teacher=1.0))
    assert report.bugs == ["T on one side only"]


def test_padding_where_few_tokens_have_a_label() -> None:
    rare = torch.full((8, 40), -100)
    rare[:, 5], rare[:4, 11] = 3, 7
    ids = torch.full_like(rare, 13).where(rare >= 0, text()[0].repeat(2, 7)[:, :40])
    report = audit(*language(), (ids, rare), padded())
    assert report.ok and report["soft part"].outcome == "passed", report


@pytest.mark.parametrize("classes", [(16, 16), (16, 14), (14, 20)])
def test_padding_on_one_side_or_alike(classes: tuple[int, int]) -> None:
    report = audit(*language(Output, *classes), text(), padded())
    assert report.ok and report["soft part"].outcome == "passed", report


def test_classes_that_no_row_needs_are_not_taken_for_padding() -> None:
    """Top 2 of the teacher's classes: in a row the others have no gradient."""

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, _ = batch
        with torch.no_grad():
            v, best = teacher(x).topk(2)
        return (
            T
            * T
            * F.kl_div(
                F.log_softmax(student(x).gather(1, best) / T, 1),
                F.softmax(v / T, 1),
                reduction="batchmean",
            )
        )

    report = check_distillation_setup(
        net(9), net(9, 1), rows(4, 9), step=step, temperature=T, alpha=1.0
    )
    assert "last" not in report["soft part"].reason
    assert "first" not in report["soft part"].reason


def cut_late(renormalised: bool, tempered: float, on_text: bool) -> Callable[..., Tensor]:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        z = student(x)
        z = z[0] if on_text else z
        with torch.no_grad():
            v = teacher(x)
            p = F.softmax((v[0] if on_text else v) / tempered, -1)
        p = p[..., : z.shape[-1]]
        p = p / p.sum(-1, keepdim=True) if renormalised else p
        z, p = z.reshape(-1, z.shape[-1]), p.reshape(-1, z.shape[-1])
        soft = T * T * F.kl_div(F.log_softmax(z / T, -1), p, reduction="batchmean")
        return both(soft, F.cross_entropy(z, y.flatten()))

    return step


@pytest.mark.parametrize("on_text", [True, False])
def test_softmax_over_classes_that_are_cut_afterwards(on_text: bool) -> None:
    networks = language() if on_text else (net(), net(C + 3, 1))
    batch = text(masked=False) if on_text else rows()
    for tempered in (T, 1.0):
        report = audit(*networks, batch, cut_late(False, tempered, on_text))
        assert report.bugs == ["softmax before the cut"], report
    report = audit(*networks, batch, cut_late(True, T, on_text))
    assert report.ok and report["soft part"].outcome == "passed", report


# -- one network in both roles, whose answers come in parts ----------------------------------------


class Adapted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(15, 8).requires_grad_(False)
        self.base = nn.Linear(8, 15).requires_grad_(False)
        self.more = nn.Linear(8, 15)
        self.active = True

    def forward(self, ids: Tensor) -> Any:
        h = self.embed(ids).tanh()
        return SimpleNamespace(logits=self.base(h) + self.more(h) * self.active)

    @contextlib.contextmanager
    def disabled(self) -> Iterator[None]:
        self.active = False
        try:
            yield
        finally:
            self.active = True


def parts(model: Any, ids: Tensor, size: int) -> Iterator[Tensor]:
    for part in ids.split(size):
        with torch.no_grad():
            yield model(part).logits


def in_parts(lazy: bool, size: int, first: bool) -> Callable[..., Tensor]:
    def step(model: Any, _: Any, batch: Any) -> Tensor:
        ids, y = batch
        z = None if first else model(ids).logits
        with model.disabled():
            made: Any = parts(model, ids, size)
            made = made if lazy else list(made)
        v = torch.cat(list(made))
        z = model(ids).logits if z is None else z
        return both(kd(z.flatten(0, 1), v.flatten(0, 1)), F.cross_entropy(z.mT, y))

    return step


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [2, 3, 6])
def test_reference_answers_in_micro_batches(size: int, first: bool) -> None:
    torch.manual_seed(0)
    ids = torch.randint(15, (6, 5))
    batch = ids, ids.roll(-1, 1)
    right = audit(Adapted(), None, batch, in_parts(False, size, first))
    assert right.ok and right["soft part"].outcome == "passed", right
    lazy = audit(Adapted(), None, batch, in_parts(True, size, first))
    assert lazy.bugs == ["the student teaches itself"], lazy


def test_reference_answers_for_other_rows_can_not_be_judged() -> None:
    def step(model: Any, _: Any, batch: Any) -> Tensor:
        ids, y = batch
        with model.disabled(), torch.no_grad():
            few = model(ids[:2]).logits
        z = model(ids).logits
        soft = kd(z[:2].flatten(0, 1), few.flatten(0, 1))
        return both(soft, F.cross_entropy(z.mT, y))

    torch.manual_seed(0)
    ids = torch.randint(15, (6, 5))
    report = audit(Adapted(), None, (ids, ids.roll(-1, 1)), step)
    assert report["teacher quality"].outcome == UNKNOWN
    assert "not for the rows of this batch" in report["teacher quality"].reason


# -- the audit's own errors, and the loop's --------------------------------------------------------


def plain(student: Any, teacher: Any, batch: Any) -> Tensor:
    x, y = batch
    z = student(x)
    with torch.no_grad():
        v = teacher(x)
    return both(kd(z, v), F.cross_entropy(z, y))


@pytest.mark.parametrize("kind", [IndexError, ValueError, RuntimeError])
def test_an_error_of_the_audit_could_not_tell(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise kind("a mask of another shape")

    monkeypatch.setattr(_network_checks, "_agreement", fail)
    monkeypatch.setattr(_network_checks, "_is_probabilities", fail)
    report = audit(net(), net(seed=1), rows(), plain)
    for name in ("teacher quality", "teacher output", "student output"):
        assert report[name].outcome == UNKNOWN
        assert f"{kind.__name__}: a mask of another shape" in report[name].reason
    assert report["student mode"].outcome == "passed"
    assert report["soft part"].outcome == "passed"


@pytest.mark.parametrize("name", ["identify", "compare_slope"])
def test_an_error_amid_the_loss_leaves_the_rest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(_loss_checks, name, fail)
    report = audit(net(), net(seed=1), rows(), plain)
    assert report["alpha"].outcome == UNKNOWN and "no rows" in report["alpha"].reason
    assert report["finite"].outcome == "passed"
    assert report["teacher mode"].outcome == "passed"


def test_an_error_of_the_loop_is_not_hidden() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        if batch[1].bincount(minlength=C)[0] > 6:
            raise KeyError("too many of class 0")
        return plain(student, teacher, batch)

    batch = rows(8)
    with pytest.raises(ValueError, match=r"the (loss|step) fails"):
        audit(net(), net(seed=1), (batch[0], batch[1] * 0), step)

    calls = [0]

    def later(student: Any, teacher: Any, batch: Any) -> Tensor:
        calls[0] += 1
        if calls[0] > 40:
            raise KeyError("the loader is empty")
        return plain(student, teacher, batch)

    with pytest.raises(KeyError, match="the loader is empty"):
        audit(net(), net(seed=1), rows(), later)


@pytest.mark.parametrize("way", ["unscaled for clipping", "stepped alone", "two optimisers"])
@pytest.mark.parametrize("right", [True, False])
def test_a_step_with_a_gradient_scaler(way: str, right: bool) -> None:
    student, teacher = net(), net(seed=1)
    halves = list(student.parameters())
    parts = (halves[:2], halves[2:]) if way == "two optimisers" else (halves,)
    optimisers = [torch.optim.SGD(part, lr=1e-3) for part in parts]
    scaler = torch.amp.GradScaler("cpu")

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        with torch.no_grad():
            v = teacher(x)
        z = student(x)
        loss = both(kd(z, v) / (1 if right else T * T), F.cross_entropy(z, y))
        for optimiser in optimisers:
            optimiser.zero_grad()
        scaler.scale(loss).backward()
        for optimiser in optimisers:
            if way != "stepped alone":
                scaler.unscale_(optimiser)
                torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            scaler.step(optimiser)
        scaler.update()
        return loss

    report = audit(student, teacher, rows(), step)
    assert report.bugs == ([] if right else ["T^2 missing"])
    loss = step(student, teacher, rows())  # the scaler works again
    before = [p.clone() for p in halves]
    step(student, teacher, rows())
    assert loss.isfinite() and any((p != q).any() for p, q in zip(halves, before, strict=True))

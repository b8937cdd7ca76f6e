"""A student that the step itself moves onto its teacher, in many dresses, and loops that do not."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim.swa_utils import AveragedModel

from distill_helpers.audit import Report, check_distillation_setup

T, ALPHA, B, C = 2.0, 0.7, 24, 6
TURNED = "moving average turned around"
Update = Callable[[nn.Module, nn.Module, float], None]


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, C))


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    y = torch.randint(C, (B,), generator=generator)
    return torch.randn(B, 10, generator=generator) + y.unsqueeze(1), y


def two(apart: float = 0.0) -> tuple[nn.Sequential, nn.Sequential]:
    """Return a student, and a copy of it that is `apart` from it in each weight."""
    torch.manual_seed(28)
    student = net()
    teacher = copy.deepcopy(student).eval().requires_grad_(False)
    with torch.no_grad():
        for p in teacher.parameters():
            p.add_(apart * torch.randn_like(p))
    return student, teacher


def loss_of(student: Any, teacher: Any, x: Tensor, y: Tensor) -> Tensor:
    z = student(x)
    with torch.no_grad():
        p = F.softmax(teacher(x) / T, 1)
    soft = T * T * F.kl_div(F.log_softmax(z / T, 1), p, reduction="batchmean")
    return ALPHA * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def audit(student: Any, teacher: Any, step: Callable[..., Tensor], optimiser: Any = None) -> Report:
    modules = [m for m in (student, teacher) if isinstance(m, nn.Module)]
    values = [p.detach().clone() for m in modules for p in m.parameters()]
    known = [id(p) for m in modules for p in m.parameters()]
    report = check_distillation_setup(
        student,
        teacher,
        batch(),
        step=step,
        temperature=T,
        alpha=ALPHA,
        optimiser=optimiser,
    )
    assert known == [id(p) for m in modules for p in m.parameters()]
    after = [p for m in modules for p in m.parameters()]
    assert all(torch.equal(p, x) for p, x in zip(after, values, strict=True))
    return report


# -- averages: of `target`, which is moved, and `source` -------------------------------------------


@torch.no_grad()
def by_lerp(target: nn.Module, source: nn.Module, m: float) -> None:
    for t, s in zip(target.parameters(), source.parameters(), strict=True):
        t.lerp_(s, 1 - m)


def by_data(target: nn.Module, source: nn.Module, m: float) -> None:
    for t, s in zip(target.parameters(), source.parameters(), strict=True):
        t.data.mul_(m).add_(s.data, alpha=1 - m)


@torch.no_grad()
def by_copy(target: nn.Module, source: nn.Module, m: float) -> None:
    for t, s in zip(target.parameters(), source.parameters(), strict=True):
        t.copy_(m * t + (1 - m) * s)


def by_assignment(target: nn.Module, source: nn.Module, m: float) -> None:
    for t, s in zip(target.parameters(), source.parameters(), strict=True):
        t.data = m * t.data + (1 - m) * s.data


def by_new_parameters(target: nn.Module, source: nn.Module, m: float) -> None:
    for t, s in zip(target.modules(), source.modules(), strict=True):
        for name in list(t._parameters):
            mixed = m * getattr(t, name).detach() + (1 - m) * getattr(s, name).detach()
            setattr(t, name, nn.Parameter(mixed))


def by_states(target: nn.Module, source: nn.Module, m: float) -> None:
    s = source.state_dict()
    target.load_state_dict({k: m * v + (1 - m) * s[k] for k, v in target.state_dict().items()})


@torch.no_grad()
def by_foreach(target: nn.Module, source: nn.Module, m: float) -> None:
    torch._foreach_lerp_(list(target.parameters()), list(source.parameters()), 1 - m)


@torch.no_grad()
def by_vectors(target: nn.Module, source: nn.Module, m: float) -> None:
    t, s = (parameters_to_vector(x.parameters()) for x in (target, source))
    vector_to_parameters(m * t + (1 - m) * s, target.parameters())


DRESSES = [
    by_lerp,
    by_data,
    by_copy,
    by_assignment,
    by_new_parameters,
    by_states,
    by_foreach,
    by_vectors,
]


def averaging(
    update: Update, m: float, optimiser: Any, *, turned: bool, first: bool = False
) -> Callable[..., Tensor]:
    """Return a step that averages, before or after the optimiser's step where there is one."""

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        pair = (student, teacher) if turned else (teacher, student)
        if first:
            update(*pair, m)
        loss = loss_of(student, teacher, *batch)
        if optimiser is not None:
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            optimiser.step()
        if not first:
            update(*pair, m)
        return loss

    return step


SGD = functools.partial(torch.optim.SGD, lr=0.05, momentum=0.9, weight_decay=1e-3)
ADAMW = functools.partial(torch.optim.AdamW, lr=1e-2)


@pytest.mark.parametrize("update", DRESSES)
@pytest.mark.parametrize(("make", "given"), [(None, False), (SGD, True), (ADAMW, False)])
def test_an_average_turned_around_is_named_in_every_dress(update: Update, make, given) -> None:
    student, teacher = two()
    optimiser = (make or SGD)(student.parameters())
    step = averaging(update, 0.996, optimiser if make else None, turned=True)
    report = audit(student, teacher, step, optimiser if given else None)
    assert report.bugs == [TURNED], report
    assert "moves the student's weights 0.004 of the way" in report["optimiser"].reason


@pytest.mark.parametrize("m", [0.5, 0.99, 0.9999])
@pytest.mark.parametrize("apart", [0.0, 1.0])
@pytest.mark.parametrize("steps", [False, True])
def test_small_shares_are_named_right_after_the_copy_too(m: float, apart: float, steps) -> None:
    student, teacher = two(apart)
    optimiser = SGD(student.parameters())
    step = averaging(by_data, m, optimiser if steps else None, turned=True)
    report = audit(student, teacher, step, optimiser)
    assert report.bugs == [TURNED], report
    assert f"{1 - m:.3g} of the way" in report["optimiser"].reason


def test_an_average_before_the_forward_pass_is_named() -> None:
    student, teacher = two(0.1)
    optimiser = SGD(student.parameters())
    step = averaging(by_lerp, 0.99, optimiser, turned=True, first=True)
    assert audit(student, teacher, step, optimiser).bugs == [TURNED]


def test_an_average_beside_a_step_by_hand_is_named() -> None:
    student, teacher = two(0.1)

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        grads = torch.autograd.grad(loss, list(student.parameters()), allow_unused=True)
        with torch.no_grad():
            for p, g in zip(student.parameters(), grads, strict=True):
                p.sub_(0.1 * (torch.zeros_like(p) if g is None else g))
        by_data(student, teacher, 0.996)
        return loss

    assert audit(student, teacher, step).bugs == [TURNED]


def test_an_average_of_all_but_a_predictor_is_named() -> None:
    torch.manual_seed(3)
    student = nn.Sequential(net(), nn.Linear(C, C))
    teacher = copy.deepcopy(student[0]).eval().requires_grad_(False)
    optimiser = SGD(student.parameters())

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        by_lerp(student[0], teacher, 0.99)
        return loss

    assert audit(student, teacher, step, optimiser).bugs == [TURNED]


def test_an_average_of_heads_on_one_body_is_named() -> None:
    torch.manual_seed(3)
    body = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
    student, teacher = (nn.Sequential(body, nn.Linear(16, C)) for _ in range(2))
    teacher[1].requires_grad_(False)

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        by_data(student[1], teacher[1], 0.99)
        return loss

    assert TURNED in audit(student, teacher, step).bugs


def test_an_average_that_passes_over_a_large_loss_is_named() -> None:
    # The teacher answers with its own weights, wherever the audit puts them.
    student, teacher = two()
    usual = float(loss_of(student, teacher, *batch()).detach())

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        if float(loss.detach()) < 2 * usual:
            by_data(student, teacher, 0.996)
        return loss

    assert audit(student, teacher, step).bugs == [TURNED]


def test_looking_for_an_average_steps_no_optimiser() -> None:
    student, teacher = two()
    optimiser = ADAMW(student.parameters())
    runs = []

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert all(p.grad is None or p.grad.isfinite().all() for p in student.parameters())
        runs.append(1)
        return loss

    audit(student, teacher, step, optimiser)
    assert len(runs) > 10
    assert {int(s["step"]) for s in optimiser.state.values()} == {1}  # the first run's own


def test_an_average_in_half_precision_is_named() -> None:
    student, teacher = two()
    student, teacher = (x.to(torch.bfloat16) for x in (student, teacher))

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, batch[0].to(torch.bfloat16), batch[1])
        by_data(student, teacher, 0.99)
        return loss

    assert TURNED in audit(student, teacher, step).bugs


# -- loops that are right --------------------------------------------------------------------------


@pytest.mark.parametrize("update", DRESSES)
@pytest.mark.parametrize(("make", "first"), [(None, False), (SGD, False), (ADAMW, True)])
def test_a_teacher_that_follows_the_student_is_right(update: Update, make, first: bool) -> None:
    student, teacher = two(0.1)
    optimiser = make(student.parameters()) if make else None
    if optimiser is not None:  # momentum that has a past
        loss_of(student, teacher, *batch()).backward()
        optimiser.step()
        optimiser.zero_grad()
    step = averaging(update, 0.99, optimiser, turned=False, first=first)
    report = audit(student, teacher, step, optimiser)
    assert report.ok, report
    assert "the step" not in report["optimiser"].reason


def follow(student: nn.Module, teacher: nn.Module, optimiser: Any, after: Any = None) -> Any:
    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if after is not None:
            after()
        return loss

    return step


def test_stochastic_weight_averaging_is_right() -> None:
    student, _ = two()
    averaged = AveragedModel(student).eval().requires_grad_(False)
    optimiser = SGD(student.parameters())
    step = follow(student, averaged, optimiser, lambda: averaged.update_parameters(student))
    report = audit(student, averaged, step, optimiser)
    assert report.ok and report["optimiser"].outcome == "passed", report


class Average(torch.optim.SGD):
    """An optimiser that keeps the teacher's average itself."""

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        super().__init__(student.parameters(), lr=0.05, momentum=0.9)
        self.pairs = [(student, teacher)]

    def step(self, closure: Any = None) -> Any:
        found = super().step(closure)
        for student, teacher in self.pairs:
            by_lerp(teacher, student, 0.99)
        return found


def test_an_average_inside_an_optimiser_is_right() -> None:
    student, teacher = two(0.1)
    optimiser = Average(student, teacher)
    report = audit(student, teacher, follow(student, teacher, optimiser), optimiser)
    assert report.ok and report["optimiser"].outcome == "passed", report


class Lookahead:
    """Fast weights are put onto slow ones, which are half-way, every `k` steps."""

    def __init__(self, inner: torch.optim.Optimizer, k: int) -> None:
        self.inner, self.k, self.count = inner, k, 0
        self.param_groups = inner.param_groups
        self.slow = [p.detach().clone() for g in inner.param_groups for p in g["params"]]

    def zero_grad(self) -> None:
        self.inner.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        self.inner.step()
        self.count += 1
        if self.count % self.k == 0:
            fast = [p for g in self.param_groups for p in g["params"]]
            for slow, p in zip(self.slow, fast, strict=True):
                slow.lerp_(p, 0.5)
                p.copy_(slow)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_lookahead_is_right(k: int) -> None:
    student, teacher = two(0.1)
    optimiser = Lookahead(SGD(student.parameters()), k)
    step = follow(student, teacher, optimiser, lambda: by_data(teacher, student, 0.99))
    report = audit(student, teacher, step, optimiser)
    assert report.ok and report["optimiser"].outcome == "passed", report


def test_lookahead_whose_slow_weights_teach_is_not_told() -> None:
    student, teacher = two(0.1)
    optimiser = SGD(student.parameters())

    def sync() -> None:
        by_data(teacher, student, 0.5)
        by_data(student, teacher, 0.0)

    report = audit(student, teacher, follow(student, teacher, optimiser, sync), optimiser)
    assert report.ok, report
    assert report["optimiser"].outcome == "could not tell"
    assert report["optimiser"].reason.startswith("the step moves the student's weights 0.5 of ")


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_pull_to_the_teachers_weights_in_the_loss_is_right(by_hand: bool) -> None:
    student, teacher = two(0.1)
    optimiser = SGD(student.parameters())

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        pairs = zip(student.parameters(), teacher.parameters(), strict=True)
        pull = sum((p - q).square().sum() for p, q in pairs)
        optimiser.zero_grad()
        (loss + 0.01 * pull).backward()
        if not by_hand:
            optimiser.step()
            return loss
        with torch.no_grad():
            for p in student.parameters():
                p.sub_(0.05 * p.grad)
        return loss

    report = audit(student, teacher, step, optimiser)
    assert report.ok and report["optimiser"].outcome == "passed", report


def test_a_layer_that_is_the_teachers_is_not_told() -> None:
    student, teacher = two(0.1)
    optimiser = SGD(student[0].parameters())

    def tie() -> None:
        student[3].load_state_dict(teacher[3].state_dict())

    report = audit(student, teacher, follow(student, teacher, optimiser, tie), optimiser)
    assert report.ok, report
    assert report["optimiser"].outcome == "could not tell"
    assert report["optimiser"].reason.startswith("the step copies 2 of the student's tensors")


def test_a_layer_rounded_from_the_teachers_is_not_told() -> None:
    student, teacher = two(0.1)

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        with torch.no_grad():
            by_lerp(student[0], teacher[0], 0.9)
            for p, q in zip(student[3].parameters(), teacher[3].parameters(), strict=True):
                p.copy_(q.sign() * q.abs().mean())
        return loss_of(student, teacher, *batch)

    report = audit(student, teacher, step)
    assert TURNED not in report.bugs
    assert report["optimiser"].outcome == "could not tell"
    assert report["optimiser"].reason.startswith("the step moves the student's weights by what")


def test_both_networks_that_learn_from_each_other_are_right() -> None:
    torch.manual_seed(0)
    student, teacher = net(), net()
    optimisers = [SGD(student.parameters()), ADAMW(teacher.parameters())]

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        loss = loss_of(student, teacher, *batch)
        for optimiser in optimisers:
            optimiser.zero_grad()
        (loss + loss_of(teacher, student, *batch)).backward()
        for optimiser in optimisers:
            optimiser.step()
        return loss

    report = audit(student, teacher.eval(), step, optimisers[0])
    assert TURNED not in report.bugs
    assert "the step" not in report["optimiser"].reason


def test_a_step_that_fails_far_away_is_no_error() -> None:
    student, teacher = two()
    optimiser = SGD(student.parameters())

    def step(student: nn.Module, teacher: nn.Module, batch: Any) -> Tensor:
        if max(float(p.abs().max()) for p in teacher.parameters()) > 5:
            raise RuntimeError("diverged")
        return loss_of(student, teacher, *batch)

    report = audit(student, teacher, step, optimiser)
    assert report.ok and report["optimiser"].outcome == "passed", report

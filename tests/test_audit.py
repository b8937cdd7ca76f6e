"""The audit: every planted mistake is named, no correct loop is accused, and nothing is changed."""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from distill_helpers.audit import BUGS, CHECKS, PlainLoss, check_distillation_setup
from distill_helpers.networks import Stack
from distill_helpers.tasks import gaussian_mixture_task
from distill_helpers.training import Distillation, fit

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")

T, ALPHA, C, B, D = 3.0, 0.7, 5, 8, 4
few = settings(max_examples=15, deadline=None)
UNKNOWN = "could not tell"


def kl(log_q, p, reduction="batchmean", **how):
    return F.kl_div(log_q, p, reduction=reduction, **how)


def log_q(z, T):
    return F.log_softmax(z / T, -1)


def p(v, T):
    return F.softmax(v / T, -1)


def correct(T=T, alpha=ALPHA):
    return with_soft(lambda z, v: kl(log_q(z, T), p(v, T)), T, alpha)


def with_soft(soft, T, alpha):
    return lambda z, v, y: alpha * T**2 * soft(z, v) + (1 - alpha) * F.cross_entropy(z, y)


def with_hard(hard, T, alpha):
    return lambda z, v, y: alpha * T**2 * kl(log_q(z, T), p(v, T)) + (1 - alpha) * hard(z, y)


def weighed(a, b, T):
    return lambda z, v, y: a * kl(log_q(z, T), p(v, T)) + b * F.cross_entropy(z, y)


def net(classes=C, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(D, 6), nn.ReLU(), nn.Linear(6, classes))


def data(rows=B, classes=C, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, D, generator=generator)
    return x, torch.randint(classes, (rows,), generator=generator)


def audit(loss_fn=None, student=None, teacher=None, batch=None, T=T, alpha=ALPHA, **more):
    if loss_fn is None and "step" not in more:
        loss_fn = correct(T, alpha)
    student = net() if student is None else student
    teacher = net(seed=1).eval() if teacher is None else teacher
    batch = data() if batch is None else batch
    return check_distillation_setup(
        student, teacher, batch, loss_fn, temperature=T, alpha=alpha, **more
    )


def audit_loss(loss_fn, T, alpha, rows=B, classes=C):
    return audit(
        loss_fn, net(classes), net(classes, 1).eval(), data(rows, classes), T=T, alpha=alpha
    )


# -- mistakes in the loss -------------------------------------------------------------------------

LOSSES = {
    "mean": (
        "reduction",
        "mean instead of batchmean",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), p(v, T), "mean"), T, a),
    ),
    "probabilities": (
        "soft part",
        "probabilities where log-probabilities belong",
        lambda T, a: with_soft(lambda z, v: kl(p(z, T), p(v, T)), T, a),
    ),
    "raw logits": (
        "soft part",
        "logits where log-probabilities belong",
        lambda T, a: with_soft(lambda z, v: kl(z / T, p(v, T)), T, a),
    ),
    "raw target": (
        "soft part",
        "logits where probabilities belong",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), v / T), T, a),
    ),
    "log target": (
        "soft part",
        "log-probabilities where probabilities belong",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), log_q(v, T)), T, a),
    ),
    "log_target and probabilities": (
        "soft part",
        "probabilities where log_target=True",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), p(v, T), log_target=True), T, a),
    ),
    "Keras's default": (
        "soft part",
        "logits where probabilities belong",
        lambda T, a: with_soft(
            lambda z, v: kl((z / T).clamp(1e-7, 1).log(), (v / T).clamp(1e-7, 1)) / T**2, T, a
        ),
    ),
    "swapped": (
        "soft part",
        "arguments swapped",
        lambda T, a: with_soft(lambda z, v: kl(log_q(v, T), p(z, T)), T, a),
    ),
    "swapped and probabilities": (
        "soft part",
        "arguments swapped",
        lambda T, a: with_soft(lambda z, v: kl(p(v, T), p(z, T)), T, a),
    ),
    "student and teacher swapped": (
        "labels",
        "student and teacher swapped",
        lambda T, a: lambda z, v, y: correct(T, a)(v, z, y),
    ),
    "no T^2": ("T squared", "T^2 missing", lambda T, a: weighed(a, 1 - a, T)),
    "T once": ("T squared", "T instead of T^2", lambda T, a: weighed(a * T, 1 - a, T)),
    "T four times": ("T squared", "T^2 twice", lambda T, a: weighed(a * T**4, 1 - a, T)),
    "T^2 on the labels": (
        "T squared",
        "T^2 on the wrong term",
        lambda T, a: weighed(a, (1 - a) * T**2, T),
    ),
    "T for the student": (
        "temperature",
        "T on one side only",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), p(v, 1)), T, a),
    ),
    "T for the teacher": (
        "temperature",
        "T on one side only",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, 1), p(v, T)), T, a),
    ),
    "no T": (
        "temperature",
        "another temperature",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, 1), p(v, 1)), T, a),
    ),
    "T twice": (
        "temperature",
        "another temperature",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z / T, T), p(v / T, T)), T, a),
    ),
    "T multiplied": (
        "temperature",
        "another temperature",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, 1 / T), p(v, 1 / T)), T, a),
    ),
    "T hard-coded": (
        "temperature",
        "another temperature",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, 1.3 * T), p(v, 1.3 * T)), T, a),
    ),
    "softmax twice, student": (
        "soft part",
        "softmax twice",
        lambda T, a: with_soft(lambda z, v: kl(log_q(p(z, 1), T), p(v, T)), T, a),
    ),
    "softmax twice, teacher": (
        "soft part",
        "softmax twice",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z, T), p(p(v, 1), T)), T, a),
    ),
    "softmax twice, both": (
        "soft part",
        "softmax twice",
        lambda T, a: with_soft(lambda z, v: kl(log_q(p(z, T), 1), p(p(v, T), 1)), T, a),
    ),
    "softmax twice, labels": (
        "labels",
        "softmax twice",
        lambda T, a: with_hard(lambda z, y: F.cross_entropy(p(z, 1), y), T, a),
    ),
    "tempered labels": (
        "labels",
        "labels on tempered logits",
        lambda T, a: with_hard(lambda z, y: F.cross_entropy(z / T, y), T, a),
    ),
    "nll of probabilities": (
        "labels",
        "no logarithm before nll_loss",
        lambda T, a: with_hard(lambda z, y: F.nll_loss(p(z, 1), y), T, a),
    ),
    "nll of logits": (
        "labels",
        "no logarithm before nll_loss",
        lambda T, a: with_hard(lambda z, y: F.nll_loss(z, y), T, a),
    ),
    "alpha": ("alpha", "alpha on the wrong term", lambda T, a: weighed((1 - a) * T**2, a, T)),
    "labels weigh 1": ("alpha", "a weight left out", lambda T, a: weighed(a * T**2, 1, T)),
    "no labels": ("alpha", "a part is missing", lambda T, a: weighed(a * T**2, 0, T)),
    "no teacher": ("alpha", "a part is missing", lambda T, a: weighed(0, 1 - a, T)),
    "teacher beside itself": (
        "alpha",
        "a part is missing",
        lambda T, a: with_soft(lambda z, v: kl(log_q(v, T), p(v, T)), T, a),
    ),
    "minus": ("soft part", "a part is subtracted", lambda T, a: weighed(-a * T**2, 1 - a, T)),
    "detached": (
        "graph",
        "graph cut",
        lambda T, a: with_soft(lambda z, v: kl(log_q(z.detach(), T), p(v, T)), T, a),
    ),
    "labels detached": (
        "graph",
        "graph cut",
        lambda T, a: with_hard(lambda z, y: F.cross_entropy(z.detach(), y), T, a),
    ),
    "all detached": (
        "graph",
        "graph cut",
        lambda T, a: lambda z, v, y: correct(T, a)(z.data, v, y),
    ),
    "p log p": (
        "extremes",
        "NaN on underflow",
        lambda T, a: with_soft(
            lambda z, v: (p(v, T) * (p(v, T).log() - log_q(z, T))).sum(-1).mean(), T, a
        ),
    ),
    "log of softmax": (
        "extremes",
        "NaN on underflow",
        lambda T, a: with_soft(lambda z, v: kl(p(z, T).log(), p(v, T)), T, a),
    ),
    "squared error of logits and probabilities": (
        "soft part",
        "another loss",
        lambda T, a: with_soft(lambda z, v: F.mse_loss(z, p(v, T)), T, a),
    ),
    "no form at all": (
        "soft part",
        "another loss",
        lambda T, a: with_soft(lambda z, v: (z**4 * v).mean(), T, a),
    ),
}

# What must come with it, for it is there as well.
ALSO = {
    "student and teacher swapped": {"arguments swapped"},
    "log target": {"not finite"},
    "raw target": {"not finite"},
}


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=6, deadline=None)
@given(
    T=st.floats(1.5, 8),
    alpha=st.floats(0.1, 0.9).filter(lambda a: abs(a - 0.5) > 0.02),
    rows=st.integers(1, 12),
    classes=st.integers(2, 30),
)
def test_planted_mistake_is_named(name, T, alpha, rows, classes):
    check, bug, make = LOSSES[name]
    # There T^2 twice is alpha left out, and may be called so.
    assume(name != "T four times" or abs(alpha * T**2 - 1) > 0.02)
    report = audit_loss(make(T, alpha), T, alpha, rows, classes)
    outcome = "warning" if bug == "NaN on underflow" else "failed"
    assert (report[check].outcome, report[check].bug) == (outcome, bug), report
    others = set(report.bugs) - {bug} - ALSO.get(name, set()) - {"NaN on underflow"}
    assert not others, report
    assert report[check].mend


@pytest.mark.parametrize("name", LOSSES)
def test_planted_mistake_is_named_at_a_thousand_classes(name):
    if name == "no form at all":
        pytest.skip("has no name")
    check, bug, make = LOSSES[name]
    report = audit_loss(make(T, ALPHA), T, ALPHA, 4, 1000)
    outcome = "warning" if bug == "NaN on underflow" else "failed"
    assert (report[check].outcome, report[check].bug) == (outcome, bug), report


@few
@given(T=st.floats(1.5, 8), alpha=st.floats(0.1, 0.4), classes=st.integers(2, 30))
def test_two_mistakes_are_both_named(T, alpha, classes):
    def soft(z, v):
        return kl(log_q(z, T), p(v, T), "mean") / T**2

    report = audit_loss(with_soft(soft, T, alpha), T, alpha, classes=classes)
    assert {"mean instead of batchmean", "T^2 missing"} == set(report.bugs), report


def test_sum_beside_a_mean_and_a_batch_divided_out_twice():
    sums = with_soft(lambda z, v: kl(log_q(z, T), p(v, T), "sum"), T, ALPHA)
    twice = with_soft(lambda z, v: kl(log_q(z, T), p(v, T)) / len(z), T, ALPHA)
    hard = with_hard(lambda z, y: F.cross_entropy(z, y, reduction="sum"), T, ALPHA)
    assert audit(sums).bugs == audit(hard).bugs == ["sum instead of a mean"]
    assert audit(twice).bugs == ["batch divided out twice"]
    alone = audit_loss(sums, T, ALPHA, rows=1)
    assert alone.ok and alone["reduction"].outcome == UNKNOWN


def test_a_mean_over_classes_and_a_missing_T_squared_are_told_apart_where_they_look_alike():
    missing, mean = LOSSES["no T^2"][2](3.0, 0.7), LOSSES["mean"][2](3.0, 0.7)
    assert audit_loss(missing, 3.0, 0.7, classes=9).bugs == ["T^2 missing"]
    assert audit_loss(mean, 3.0, 0.7, classes=9).bugs == ["mean instead of batchmean"]


def test_softmax_over_the_batch():
    def loss(z, v, y):
        soft = kl(F.log_softmax(z / T, 0), F.softmax(v / T, 0))
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)

    for rows in (1, 8):
        report = audit_loss(loss, T, ALPHA, rows)
        assert report.bugs == ["softmax over the batch"], report


# -- correct loops --------------------------------------------------------------------------------

VARIANTS = {
    "kl_div": correct,
    "log target": lambda T, a: with_soft(
        lambda z, v: kl(log_q(z, T), log_q(v, T), log_target=True), T, a
    ),
    "soft cross-entropy": lambda T, a: with_soft(
        lambda z, v: F.cross_entropy(z / T, p(v, T)), T, a
    ),
    "written out": lambda T, a: with_soft(
        lambda z, v: (p(v, T) * (log_q(v, T) - log_q(z, T))).sum(1).mean(), T, a
    ),
    "all of it twice": lambda T, a: lambda z, v, y: 2 * correct(T, a)(z, v, y),
    "all of it summed": lambda T, a: lambda z, v, y: len(z) * correct(T, a)(z, v, y),
    "in float32": lambda T, a: lambda z, v, y: correct(T, a)(z.float(), v.float(), y),
    "log-probabilities for logits": lambda T, a: (
        lambda z, v, y: correct(T, a)(z.log_softmax(-1), v.log_softmax(-1), y)
    ),
    "shifted logits": lambda T, a: lambda z, v, y: correct(T, a)(z - z[:, :1], v, y),
}


@pytest.mark.parametrize("name", VARIANTS)
@few
@given(
    T=st.floats(-0.7, 2).map(lambda x: 10.0**x),
    alpha=st.floats(0.01, 0.99) | st.sampled_from([0.0, 0.5, 1.0]),
    rows=st.integers(1, 12),
    classes=st.integers(2, 40),
)
def test_correct_loss_is_not_accused(name, T, alpha, rows, classes):
    report = audit_loss(VARIANTS[name](T, alpha), T, alpha, rows, classes)
    assert report.ok, report
    assert report["extremes"].outcome == "passed"
    found = report.effective
    assert found.alpha == pytest.approx(alpha, abs=1e-3) and found.temperature == T
    expected = {"all of it twice": 2, "all of it summed": rows}.get(name, 1)
    assert found.scale == pytest.approx(expected, rel=1e-3)
    for check in ("finite", "graph"):
        assert report[check].outcome == "passed", report


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@few
@given(T=st.floats(1, 8), alpha=st.floats(0.1, 0.9), classes=st.integers(2, 40))
def test_half_precision_is_not_accused(dtype, T, alpha, classes):
    x, y = data(8, classes)
    student, teacher = net(classes).to(dtype), net(classes, 1).to(dtype).eval()
    for loss_fn in (
        correct(T, alpha),
        lambda z, v, y: correct(T, alpha)(z.float(), v.float(), y),
        lambda z, v, y: correct(T, alpha)(z.to(dtype), v.to(dtype), y),
    ):
        report = audit(loss_fn, student, teacher, (x.to(dtype), y), T=T, alpha=alpha)
        assert report.ok, report
        assert report.effective.alpha == pytest.approx(alpha, abs=0.05)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_shows_mistakes_too(dtype):
    x, y = data()
    student, teacher = net().to(dtype), net(seed=1).to(dtype).eval()
    for name in ("mean", "no T^2", "swapped", "probabilities", "alpha", "p log p"):
        check, bug, make = LOSSES[name]
        report = audit(make(T, ALPHA), student, teacher, (x.to(dtype), y))
        assert report[check].bug == bug, report

    def cast(z, v, y):
        return LOSSES["no T^2"][2](T, ALPHA)(z.to(dtype), v.to(dtype), y)

    assert audit(cast, student, teacher, (x.to(dtype), y)).bugs == ["T^2 missing"]


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("classes", [2, 100])
def test_batch_of_one_two_classes_hundred_classes(rows, classes):
    report = audit_loss(correct(), T, ALPHA, rows, classes)
    assert report.ok, report


def test_student_that_is_the_teacher_is_not_accused():
    one = net()
    assert audit(student=one, teacher=one).ok
    same = copy.deepcopy(one).eval()
    assert audit(student=one, teacher=same).ok
    dropping = nn.Sequential(nn.Linear(D, 9), nn.Dropout(), nn.Linear(9, C))
    assert audit(student=dropping, teacher=copy.deepcopy(dropping).eval()).ok
    assert audit(student=dropping, teacher=dropping).ok


@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("part", [nn.Dropout(0.5), nn.BatchNorm1d(6)], ids=["dropout", "norm"])
def test_dropout_and_batch_norm_student_is_not_accused(part, rows):
    student = nn.Sequential(nn.Linear(D, 6), part, nn.ReLU(), nn.Linear(6, C))
    assert audit(student=student, batch=data(rows)).ok
    student.eval()
    resting = audit(student=student, batch=data(rows))
    assert resting.ok and resting["student mode"].outcome == UNKNOWN


def test_frozen_layers_are_not_accused():
    student = net()
    student[0].requires_grad_(False)
    optimiser = torch.optim.Adam([x for x in student.parameters() if x.requires_grad])
    report = audit(student=student, optimiser=optimiser)
    assert report.ok and report["optimiser"].outcome == "passed"
    student = net()
    report = audit(student=student, optimiser=torch.optim.Adam(student[2].parameters()))
    assert report.ok and report["optimiser"].outcome == UNKNOWN


def test_ensembles_are_not_accused():
    teachers = [net(seed=s).eval() for s in range(1, 4)]
    stack = Stack.build((D, 6, C), seeds=[1, 2, 3], dropout=0.3).eval()

    def mean(x):
        return torch.stack([member(x) for member in teachers]).mean(0)

    for teacher in (teachers, tuple(teachers), nn.ModuleList(teachers), stack, mean):
        assert audit(teacher=teacher).ok

    def members(z, v, y):  # the mean of KLs to the members
        soft = sum(kl(log_q(z, T), p(one, T)) for one in v) / len(v)
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)

    report = audit(members, teacher=teachers, teacher_output="member logits")
    assert report.ok and report["soft part"].outcome == "passed", report


def test_smoothed_labels_are_said_and_not_accused():
    def hard(z, y):
        return F.cross_entropy(z, y, label_smoothing=0.1)

    report = audit(with_hard(hard, T, ALPHA))
    assert report.ok and "smoothed by 0.1" in report["labels"].reason


def test_class_weights_are_said_and_not_accused():
    weights = torch.rand(C) + 0.5

    def hard(z, y):
        return F.cross_entropy(z, y, weight=weights.to(z.dtype))

    report = audit(with_hard(hard, T, ALPHA))
    assert report.ok and "class weights" in report["labels"].reason
    assert report["alpha"].outcome == "passed"
    assert report.effective.alpha == pytest.approx(ALPHA, rel=1e-6)


def test_mixed_inputs_are_not_accused():
    def step(student, teacher, batch):
        x, y = batch
        other = torch.randperm(len(x))
        mixed = 0.7 * x + 0.3 * x[other]
        with torch.no_grad():
            v = teacher(mixed)
        z = student(mixed)
        hard = 0.7 * F.cross_entropy(z, y) + 0.3 * F.cross_entropy(z, y[other])
        return ALPHA * T**2 * kl(log_q(z, T), p(v, T)) + (1 - ALPHA) * hard

    report = audit(step=step)
    assert report.ok and "mixed" in report["labels"].reason
    assert report.effective.alpha == pytest.approx(ALPHA, rel=1e-6)


def test_inputs_changed_on_the_way_keep_their_order():
    def step(student, teacher, batch, turn=False, noise=0.0):
        x, y = batch
        x = (x - 0.3) / 2
        seen = x.flip(0) if turn else x + noise * torch.randn_like(x)
        with torch.no_grad():
            v = teacher(seen)
        return correct()(student(x), v, y)

    assert audit(step=step).ok
    assert audit(step=lambda *given: step(*given, noise=0.1)).ok
    turned = audit(step=lambda *given: step(*given, turn=True))
    assert turned.bugs == ["teacher's outputs out of step"]


def test_batch_may_be_taken_in_parts():
    def parts(student, teacher, batch, turn=1):
        x, y = batch
        with torch.no_grad():
            v = torch.cat([teacher(part) for part in x.split(3)[::turn]])
        return correct()(student(x), v, y)

    def accumulate(student, teacher, batch):
        total = 0.0
        for x, y in zip(*(part.split(3) for part in batch), strict=True):
            with torch.no_grad():
                v = teacher(x)
            total = total + correct()(student(x), v, y) * len(x)
        return total / B

    assert audit(step=parts).ok and audit(step=accumulate).ok
    turned = audit(step=lambda *given: parts(*given, turn=-1))
    assert turned.bugs == ["teacher's outputs out of step"]


def test_loss_may_write_into_what_it_is_given():
    def members(z, v, y):
        soft = kl(log_q(z, T), v.div_(T).mean(0).softmax(-1))
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)

    def step(student, teachers, batch):
        x, y = batch
        with torch.no_grad():
            v = torch.stack([teacher(x).div_(2 * T) for teacher in teachers]).sum(0)
        soft = kl(log_q(student(x), T), v.softmax(-1))
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(student(x), y)

    pair = [net(seed=1).eval(), net(seed=2).eval()]
    assert audit(teacher=pair, step=step).ok
    assert audit(teacher=pair, loss_fn=members, teacher_output="member logits").ok
    assert audit(lambda z, v, y: correct()(z, v.sub_(v.mean(-1, keepdim=True)), y)).ok


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_caller_may_have_gradients_off(mode):
    student, teacher, batch = net(), net(seed=1).eval(), data()
    with mode():
        report = audit(student=student, teacher=teacher, batch=batch, step=take_step())
    assert report.ok and report["graph"].outcome == "passed"


def test_wrong_temperature_is_the_only_complaint():
    for declared in (1.0, 2.0, math.sqrt(3.0)):
        report = audit_loss(correct(3.0, ALPHA), declared, ALPHA)
        assert report.bugs == ["another temperature"]
        assert report["T squared"].outcome == UNKNOWN


def test_teacher_without_influence():
    def loss_fn(z, v, y):
        target = F.one_hot(y, C).to(z.dtype)
        return ALPHA * T**2 * kl(log_q(z, T), target) + (1 - ALPHA) * F.cross_entropy(z, y)

    report = audit(loss_fn)
    assert report["soft part"].bug == "a part is missing"


def test_many_classes_take_seconds():
    import time

    start = time.perf_counter()
    report = audit_loss(LOSSES["T for the student"][2](T, ALPHA), T, ALPHA, 64, 20_000)
    assert report.bugs == ["T on one side only"]
    assert time.perf_counter() - start < 20


# -- what can not be seen -------------------------------------------------------------------------


def test_at_temperature_1_nothing_is_said_of_temperature():
    for name in ("no T^2", "T for the student", "kl"):
        loss = correct(1.0, ALPHA) if name == "kl" else LOSSES[name][2](1.0, ALPHA)
        report = audit_loss(loss, 1.0, ALPHA)
        assert report.ok
        for check in ("T squared", "temperature"):
            assert report[check].outcome == UNKNOWN
    tested = audit(T=1.0, predict=lambda z: torch.softmax(z, -1))
    assert tested["evaluation"].outcome == UNKNOWN


@pytest.mark.parametrize(
    "name", ["mean", "no T^2", "swapped", "probabilities", "T for the student"]
)
def test_at_alpha_0_nothing_is_said_of_the_teachers_part(name):
    report = audit_loss(LOSSES[name][2](T, 0.0), T, 0.0)
    assert not set(report.bugs) - {"NaN on underflow"}
    for check in ("soft part", "temperature", "T squared", "reduction"):
        assert report[check].outcome == UNKNOWN, report


def test_at_alpha_1_a_factor_is_said_and_not_judged():
    report = audit_loss(LOSSES["no T^2"][2](T, 1.0), T, 1.0)
    assert report.ok and report["T squared"].outcome == UNKNOWN
    assert "1 / T^2" in report["T squared"].reason
    assert report.effective.scale == pytest.approx(1 / T**2)
    assert audit_loss(correct(T, 1.0), T, 1.0)["T squared"].outcome == "passed"


def test_at_alpha_1_a_factor_that_follows_the_classes_is_a_mean_over_them():
    report = audit_loss(LOSSES["mean"][2](T, 1.0), T, 1.0)
    assert report.bugs == ["mean instead of batchmean"]
    assert report["T squared"].outcome == UNKNOWN
    assert report.effective.scale == pytest.approx(1 / C)


def test_at_alpha_one_half_the_side_is_not_seen():
    report = audit_loss(correct(T, 0.5), T, 0.5)
    assert report.ok and report["alpha"].outcome == UNKNOWN
    assert report["T squared"].outcome == report["reduction"].outcome == "passed"


# -- teacher, order, optimiser, test --------------------------------------------------------------


def dropping_teacher(kind="dropout"):
    torch.manual_seed(5)
    part = nn.Dropout(0.3) if kind == "dropout" else nn.BatchNorm1d(6)
    return nn.Sequential(nn.Linear(D, 6), part, nn.ReLU(), nn.Linear(6, C))


@pytest.mark.parametrize("kind", ["dropout", "norm"])
def test_teacher_in_train_mode(kind):
    teacher = dropping_teacher(kind)
    for handed in (teacher, [net(seed=1).eval(), teacher], lambda x: teacher(x)):
        assert audit(teacher=handed).bugs == ["teacher in train mode"]
    teacher.eval()
    assert audit(teacher=teacher)["teacher mode"].outcome == "passed"
    teacher[1].train()  # one part alone
    assert audit(teacher=teacher).bugs == ["teacher in train mode"]


def test_train_mode_without_effect_is_not_accused():
    assert audit(teacher=net(seed=1).train())["teacher mode"].outcome == "passed"


def test_dropout_that_two_calls_do_not_show_is_not_passed():
    rare = nn.Sequential(net(seed=1), nn.Dropout(1e-9))
    for more in ({}, {"step": take_step()}):
        report = audit(teacher=rare.train(), **more)
        assert report.ok and report["teacher mode"].outcome == UNKNOWN
        assert audit(teacher=rare.eval(), **more)["teacher mode"].outcome == "passed"
    assert audit(teacher=nn.Sequential(net(seed=1), nn.Dropout(0.0)))["teacher mode"].outcome == (
        "passed"
    )


def test_teacher_that_is_always_random():
    teacher = net(seed=1).eval()
    report = audit(teacher=lambda x: F.dropout(teacher(x), 0.5))
    assert report["teacher mode"].bug == "teacher is random"


def take_step(make_mode=None, detach=True, shuffle=False, T=T, alpha=ALPHA):
    def step(student, teacher, batch):
        x, y = batch
        if make_mode is not None:
            teacher.train(make_mode)
        seen = x[torch.randperm(len(x))] if shuffle else x
        with torch.set_grad_enabled(not detach):
            v = teacher(seen)
        return correct(T, alpha)(student(x), v, y)

    return step


def test_step_shows_how_the_teacher_is_called():
    assert audit(step=take_step()).ok
    assert audit(step=take_step())["teacher gradient"].outcome == "passed"
    assert audit(step=take_step(detach=False)).bugs == ["teacher not detached"]
    frozen = net(seed=1).eval().requires_grad_(False)
    assert audit(step=take_step(detach=False), teacher=frozen).ok
    assert audit(step=take_step(shuffle=True)).bugs == ["teacher's outputs out of step"]
    teacher = dropping_teacher()
    assert audit(step=take_step(make_mode=False), teacher=teacher).ok
    assert audit(step=take_step(), teacher=teacher).bugs == ["teacher in train mode"]
    teacher.eval()
    assert audit(step=take_step(make_mode=True), teacher=teacher).bugs == ["teacher in train mode"]


def test_step_shows_mistakes_of_the_loss():
    for name in ("mean", "swapped", "no T^2", "softmax twice, student", "p log p", "detached"):
        check, bug, make = LOSSES[name]
        loss_fn = make(T, ALPHA)

        def step(student, teacher, batch, loss_fn=loss_fn):
            with torch.no_grad():
                v = teacher(batch[0])
            return loss_fn(student(batch[0]), v, batch[1])

        report = audit(step=step)
        assert report[check].bug == bug, report

    def exchanged(student, teacher, batch):
        x, y = batch
        return correct()(teacher(x), student(x), y)

    assert "student and teacher swapped" in audit(step=exchanged).bugs


def test_step_with_an_ensemble_and_with_cached_outputs():
    teachers = [net(seed=s).eval() for s in (1, 2)]

    def step(student, teacher, batch):
        with torch.no_grad():
            v = torch.stack([member(batch[0]) for member in teacher]).mean(0)
        return correct()(student(batch[0]), v, batch[1])

    assert audit(step=step, teacher=teachers).ok
    x, y = data()

    def read(student, teacher, batch):
        x, y, cached = batch
        return correct()(student(x), cached, y)

    with torch.no_grad():
        cached = teachers[0](x)
    assert audit(step=read, teacher=teachers[0], batch=(x, y, cached)).ok
    assert check_distillation_setup(
        net(), None, (x, y, cached), step=read, temperature=T, alpha=ALPHA
    ).ok


@pytest.mark.parametrize("kind", ["logits", "soft targets", "log soft targets"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_cached_outputs(kind, dtype):
    x, y = data(20)
    teacher = net(seed=1).eval()
    with torch.no_grad():
        v = teacher(x)
    make = {"logits": lambda v: v, "soft targets": lambda v: p(v, T)}
    made = make.get(kind, lambda v: log_q(v, T))(v).to(dtype)

    def loss_fn(z, out, y):
        soft = {
            "logits": lambda: kl(log_q(z, T), p(out, T)),
            "soft targets": lambda: kl(log_q(z, T), out),
            "log soft targets": lambda: kl(log_q(z, T), out, log_target=True),
        }[kind]()
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)

    def report(out, teacher=teacher):
        return check_distillation_setup(
            net(), teacher, (x, y, out), loss_fn, temperature=T, alpha=ALPHA, teacher_output=kind
        )

    good = report(made)
    assert good.ok and good["order"].outcome == "passed", good
    assert report(made, None).ok
    for wrong in (made.roll(1, 0), made.flip(0), made[torch.randperm(20)]):
        assert report(wrong).bugs == ["teacher's outputs out of step"]
    part = made.clone()
    part[:6] = made[:6].roll(1, 0)
    assert report(part).bugs == ["teacher's outputs out of step"]
    with torch.no_grad():
        other = make.get(kind, lambda v: log_q(v, T))(net(seed=9)(x)).to(dtype)
    assert report(other).bugs == ["outputs of another teacher"]


def test_cache_that_a_shuffling_loader_wrote_is_out_of_step_where_all_rows_are_there():
    teacher, (x, y) = net(seed=1).eval(), data(64)
    with torch.no_grad():
        cache = teacher(x[torch.randperm(64, generator=torch.Generator().manual_seed(0))])
    assert audit(teacher=teacher, batch=(x, y, cache)).bugs == ["teacher's outputs out of step"]
    few = audit(teacher=teacher, batch=(x[:8], y[:8], cache[:8]))
    assert few.bugs == ["outputs of another teacher"]
    assert "not in this batch" in few["order"].reason and "all rows" in few["order"].mend


def test_soft_targets_cached_at_another_temperature():
    x, y = data()
    teacher = net(seed=1).eval()
    with torch.no_grad():
        v = teacher(x)

    def loss_fn(z, out, y):
        return ALPHA * T**2 * kl(log_q(z, T), out) + (1 - ALPHA) * F.cross_entropy(z, y)

    def report(out):
        batch = (x, y, out)
        return audit(loss_fn, teacher=teacher, batch=batch, teacher_output="soft targets")

    assert report(p(v, T)).ok
    assert report(p(v, 1)).bugs == ["T on one side only"]
    assert "logits where probabilities belong" in report(v).bugs


def test_soft_targets_of_either_pool_are_the_ensembles():
    x, y = data()
    teachers = [net(seed=s).eval() for s in (1, 2, 3)]
    with torch.no_grad():
        v = torch.stack([member(x) for member in teachers])

    def loss_fn(z, out, y):
        return ALPHA * T**2 * kl(log_q(z, T), out) + (1 - ALPHA) * F.cross_entropy(z, y)

    for out in (p(v.mean(0), T), p(v, T).mean(0)):
        report = audit(loss_fn, teacher=teachers, batch=(x, y, out), teacher_output="soft targets")
        assert report.ok and report["order"].outcome == "passed", report


def test_cached_outputs_without_a_teacher_are_compared_with_the_labels():
    x, y = data(200)
    sure = 4 * F.one_hot(y, C) + torch.randn(200, C)

    def order(out):
        return check_distillation_setup(
            net(), None, (x, y, out), correct(), temperature=T, alpha=ALPHA
        )["order"].outcome

    assert order(sure) == "passed"
    assert order(sure[torch.randperm(200)]) == UNKNOWN


def test_cached_outputs_without_labels_are_not_compared_with_any():
    x, _ = data()
    report = check_distillation_setup(
        net(),
        None,
        (x, None, net()(x).detach()),
        lambda z, v, y: T**2 * kl(log_q(z, T), p(v, T)),
        temperature=T,
        alpha=1.0,
    )
    assert report["order"].outcome == UNKNOWN
    assert "nor are there labels" in report["order"].reason


@pytest.mark.parametrize("turn", [lambda v: v.roll(1, 0), lambda v: v.flip(0), "random"])
def test_rows_out_of_step_inside_the_loss(turn):
    change = (lambda v: v[torch.randperm(len(v))]) if turn == "random" else turn
    report = audit(lambda z, v, y: correct()(z, change(v), y))
    assert report.bugs == ["teacher's outputs out of step"]
    report = audit(lambda z, v, y: correct()(z, v, change(y)))
    assert report.bugs == ["labels out of step"]


def test_teacher_whose_answers_do_not_move_with_the_inputs():
    with torch.no_grad():
        held = net(seed=1)(data()[0])
    assert audit(teacher=lambda x: held[: len(x)]).bugs == ["teacher's outputs out of step"]
    assert audit()["order"].outcome == "passed"


def test_student_that_cuts_its_own_graph():
    class Cut(nn.Sequential):
        def forward(self, x):
            return super().forward(x).detach()

    report = audit(student=Cut(net()))
    assert report.bugs == ["graph cut"] and "parameters" in report["graph"].reason
    # Nothing to train, nothing to cut.
    assert audit(student=Cut(net()).requires_grad_(False)).bugs == ["student is frozen"]


def test_networks_that_end_in_a_softmax():
    student = nn.Sequential(net(), nn.Softmax(-1))
    teacher = nn.Sequential(net(seed=1), nn.Softmax(-1)).eval()
    assert audit(student=student)["student output"].bug == "softmax twice"
    assert audit(teacher=teacher)["teacher output"].bug == "softmax twice"
    logs = nn.Sequential(net(), nn.LogSoftmax(-1))
    assert audit(student=logs).ok and "log" in audit(student=logs)["student output"].reason


def test_optimiser():
    student, teacher = net(), net(seed=1).eval()

    def look(parameters):
        optimiser = torch.optim.SGD(parameters, lr=0.1)
        return audit(student=student, teacher=teacher, optimiser=optimiser)

    assert look(student.parameters())["optimiser"].outcome == "passed"
    both = [*student.parameters(), *teacher.parameters()]
    assert look(both).bugs == ["teacher in the optimiser"]
    assert look(teacher.parameters()).bugs == ["teacher in the optimiser"]
    assert look(net(seed=4).parameters()).bugs == ["student not in the optimiser"]


def test_optimiser_that_moves_what_both_share():
    student, teacher = net(), net(seed=1).eval()
    student[-1] = teacher[-1]
    optimiser = torch.optim.SGD(student.parameters(), lr=0.1)
    report = audit(student=student, teacher=teacher, optimiser=optimiser)
    assert report["optimiser"].outcome == UNKNOWN and report["optimiser"].reason.startswith("2 of")
    teacher.requires_grad_(False)  # a frozen backbone moves neither
    assert audit(student=student, teacher=teacher, optimiser=optimiser)["optimiser"].outcome == (
        "passed"
    )


def test_evaluation():
    def bug(predict, T=T):
        return audit(predict=predict, T=T)["evaluation"]

    for good in (
        lambda z: torch.softmax(z, -1),
        lambda z: torch.log_softmax(z, -1),
        lambda z: z,
    ):
        assert bug(good).outcome == "passed"
    for wrong in (lambda z: torch.softmax(z / T, -1), lambda z: z / T):
        assert bug(wrong).bug == "student evaluated at T"
        assert f"{T:.4g}" in bug(wrong).reason
    assert bug(lambda z: torch.softmax(torch.softmax(z, -1), -1)).bug == "softmax twice"
    assert bug(lambda z: z.argmax(-1)).outcome == UNKNOWN
    assert audit()["evaluation"].outcome == UNKNOWN


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_evaluation_in_half_precision(dtype):
    for predict in (lambda z: torch.softmax(z.to(dtype), -1), lambda z: z.to(dtype)):
        assert audit(predict=predict)["evaluation"].outcome == "passed"
        tempered = audit(predict=lambda z, predict=predict: predict(z / T))
        assert tempered.bugs == ["student evaluated at T"]
    twice = audit(predict=lambda z: torch.softmax(torch.softmax(z, -1).to(dtype), -1))
    assert twice.bugs == ["softmax twice"]


def test_extremes_name_where_it_breaks():
    report = audit(LOSSES["p log p"][2](T, ALPHA))
    assert "360 apart" in report["extremes"].reason
    good = audit()["extremes"]
    assert good.outcome == "passed" and "3000 apart" in good.reason


def test_extremes_take_no_overflow_of_a_large_batch_for_underflow():
    teacher, (x, y) = net(100, 1).half().eval(), data(256, 100)
    for loss_fn, outcome in (
        (correct(20.0), "passed"),
        (LOSSES["p log p"][2](20.0, 0.7), "warning"),
    ):
        report = audit(loss_fn, net(100).half(), teacher, (x.half(), y), T=20.0)
        assert report["extremes"].outcome == outcome


def test_outputs_of_other_shapes_of_call():
    class Answer:
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self, body):
            super().__init__()
            self.body = body

        def forward(self, x):
            return Answer(self.body(x))

    x, y = data()
    assert audit(
        student=Wrapped(net()), teacher=Wrapped(net(seed=1)).eval(), batch=({"x": x}, y)
    ).ok


# -- nothing is changed ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["loss_fn", "step"])
def test_nothing_is_changed(mode):
    student = nn.Sequential(nn.Linear(D, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, C))
    teacher = dropping_teacher("norm")
    teacher[0].requires_grad_(False)
    student[3].eval()
    student(data()[0]).sum().backward()
    optimiser = torch.optim.Adam(student.parameters())
    optimiser.step()
    x, y = data()

    def tensors():
        return [t for m in (student, teacher) for t in (*m.parameters(), *m.buffers())]

    def seen():
        return (
            [t.detach().clone() for t in tensors()],
            [None if t.grad is None else t.grad.clone() for t in tensors()],
            [t.requires_grad for t in tensors()],
            [m.training for net in (student, teacher) for m in net.modules()],
            [len(m._forward_pre_hooks) for net in (student, teacher) for m in net.modules()],
            [torch.get_rng_state(), torch.tensor(np.random.get_state()[1].astype(np.int64))],
            [random.getstate()],
            copy.deepcopy(optimiser.state_dict()),
            [x.clone(), y.clone()],
        )

    def loss_fn(z, v, y):
        random.random(), np.random.rand(), torch.rand(1)
        student.train(), teacher.train()
        student(x), teacher(x)
        return correct()(z, v, y)

    def step(student, teacher, batch):
        student.train(), teacher.train()
        optimiser.zero_grad()
        return loss_fn(student(batch[0]), teacher(batch[0]), batch[1])

    before, grads = seen(), [t.grad for t in tensors()]
    how = {"step": step} if mode == "step" else {"loss_fn": loss_fn}
    audit(student=student, teacher=teacher, batch=(x, y), optimiser=optimiser, **how)
    after = seen()
    assert all(one is other for one, other in zip(grads, [t.grad for t in tensors()], strict=True))

    def same(a, b):
        if isinstance(a, torch.Tensor):
            return torch.equal(a, b)
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
        if isinstance(a, list | tuple):
            return len(a) == len(b) and all(map(same, a, b))
        return a == b

    for index, (one, other) in enumerate(zip(before, after, strict=True)):
        assert same(one, other), index


def test_step_that_needs_more_than_logits_is_told_so():
    def step(student, teacher, batch):
        return student(batch[0]).hidden_states.mean()

    with pytest.raises(ValueError, match=r"the step fails .*hidden_states.* as loss_fn\.$"):
        audit(step=step)


def test_step_that_trains_is_audited_and_the_student_put_back():
    student = net()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    optimiser = torch.optim.Adam(student.parameters())

    def step(student, teacher, batch):
        loss = correct()(student(batch[0]), teacher(batch[0]).detach(), batch[1])
        loss.backward()
        optimiser.step()
        return loss

    report = audit(step=step, student=student)
    assert report.bugs == [] and report.effective is not None
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


def test_what_a_loss_writes_is_undone_even_where_it_fails():
    student, teacher = net(), net(seed=1).eval()
    kept = [w.detach().clone() for w in student.parameters()]

    def spoil(z, v, y):
        for w in student.parameters():
            w.data.add_(1)
        student.eval()
        raise RuntimeError("no")

    with pytest.raises(ValueError, match="RuntimeError: no"):
        audit(spoil, student, teacher)
    assert student.training
    assert all(torch.equal(a, b) for a, b in zip(kept, student.parameters(), strict=True))


def test_same_setup_same_report():
    assert str(audit()) == str(audit())


# -- the report -----------------------------------------------------------------------------------


def test_report_reads_as_text_and_as_a_table():
    report = audit(LOSSES["no T^2"][2](T, ALPHA))
    assert list(report) == list(CHECKS) and len(report) == len(CHECKS)
    text, table = str(report), report._repr_markdown_()
    assert text.splitlines()[1].startswith("failed          T squared")
    assert "T^2 missing: " + BUGS["T^2 missing"] in text
    assert "alpha 0.2059, temperature 3, scale 0.3778" in text
    assert table.count("\n| ") == len(CHECKS) + 1
    assert all(row.count(" | ") == 3 for row in table.splitlines()[4:])
    assert "**failed**: T^2 missing" in table and "T \\*\\* 2" in table
    assert [check.name for check in report.failed] == ["T squared"]
    assert not report["alpha"].mend and repr(report) == text


def test_every_bug_that_can_be_reported_has_a_mend():
    assert all(mend.endswith(".") for mend in BUGS.values())
    named = {bug for _, bug, _ in LOSSES.values()}
    assert named <= set(BUGS)


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"student": 3}, "student is a int; it must be a module"),
        ({"teacher": torch.zeros(8, 5)}, "teacher is Tensor"),
        ({"teacher": []}, "teacher is list"),
        ({"teacher": None}, "teacher is None and the batch holds no cached"),
        ({"batch": data()[0]}, "batch is a Tensor"),
        ({"batch": (1, 2, 3, 4)}, "batch is a tuple"),
        ({"loss_fn": None}, "neither of loss_fn and step"),
        ({"step": print}, "both of loss_fn and step"),
        ({"loss_fn": 3}, "loss_fn is a int"),
        ({"temperature": 0}, "temperature is 0"),
        ({"alpha": 2}, "alpha is 2"),
        ({"teacher_output": "logit"}, "teacher_output is 'logit'"),
        ({"optimiser": 3}, "optimiser is a int"),
        ({"batch": (data()[0], F.one_hot(data()[1]))}, "labels have shape"),
        ({"batch": (data()[0], data()[1] + C)}, "labels holds"),
        ({"batch": (data()[0], data()[1].float())}, "labels has dtype float32"),
        ({"batch": (*data(), [1])}, "cached teacher outputs are a list"),
        ({"batch": (*data(), torch.zeros(3, C))}, "cached teacher outputs are float32 of shape"),
        ({"teacher": net(C + 1)}, "the teacher returned shape"),
        ({"student": nn.Linear(D, 1)}, "the student returned float32 of shape"),
        ({"student": lambda x: "no"}, "the student returned a str"),
        ({"loss_fn": lambda z, v, y: F.cross_entropy(z, y, reduction="none")}, "the loss is a"),
        ({"loss_fn": lambda z, v, y: 3.0}, "the loss is a float; it must be a tensor of one"),
        ({"loss_fn": lambda z, v, y: {"loss": z.sum()}}, "the loss is a dict; it must be"),
        ({"batch": (data()[0], data()[1].numpy())}, "labels are a ndarray"),
        ({"batch": (data()[0], data()[1][1:])}, "labels have shape"),
        ({"batch": data(0)}, "the batch is empty"),
        ({"student": nn.Linear(D + 1, C)}, "the student fails on this batch's inputs: RuntimeErr"),
        ({"student": net().half()}, "the student fails on this batch's inputs: RuntimeError"),
        ({"teacher": nn.Linear(D + 1, C)}, "the teacher fails on this batch's inputs: RuntimeErr"),
        ({"loss_fn": lambda z, v: z.sum()}, "the loss fails on made-up logits"),
    ],
)
def test_bad_input_gets_one_clear_line(change, message):
    arguments = {
        "student": net(),
        "teacher": net(seed=1).eval(),
        "batch": data(),
        "loss_fn": correct(),
        "temperature": T,
        "alpha": ALPHA,
    } | change
    with pytest.raises((TypeError, ValueError), match="^" + message) as caught:
        check_distillation_setup(**arguments)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


# -- losses for the trainer -----------------------------------------------------------------------


def test_plain_loss_trains_as_the_books_own_objective():
    task = gaussian_mixture_task(3, 4, num_train=90, num_test=10)
    v = torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    stacks = [Stack.build((4, 5, 3), seeds=[0, 1]) for _ in range(2)]
    books = Distillation(p(v, T), task.y_train, temperature=T, alpha=ALPHA)
    plain = PlainLoss([correct()] * 2, v.expand(2, -1, -1), task.y_train.expand(2, -1))
    for stack, objective in zip(stacks, (books, plain), strict=True):
        fit(stack, task, objective, epochs=3, seeds=[0, 1])
    for one, other in zip(stacks[0].weights, stacks[1].weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_plain_loss_gives_each_member_its_own():
    z, rows = torch.randn(3, 4, 2), torch.tensor([[0, 1, 2, 3]] * 3)
    v, y = torch.randn(6, 2), torch.zeros(6, dtype=torch.int64)
    first, second = (lambda z, v, y: z.sum()), (lambda z, v, y: (z * v).sum())
    made = PlainLoss([first, second, second], v, y)(z, rows)
    expected = [z[0].sum(), (z[1] * v[:4]).sum(), (z[2] * v[:4]).sum()]
    torch.testing.assert_close(made, torch.stack(expected))
    asked = PlainLoss(second, lambda rows: v[rows] + 1, y)(z, rows)
    torch.testing.assert_close(asked[0], (z[0] * (v[:4] + 1)).sum())
    with pytest.raises(ValueError, match="1 losses for 3 members"):
        PlainLoss([first], v, y)(z, rows)


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (
            (300, 3),
            (240,),
            r"^teacher_output has shape \(300, 3\); this task has 240 training rows",
        ),
        ((240, 3), (300,), r"^labels has shape \(300,\); this task has 240 training rows"),
        ((3, 240, 3), (240,), r"^teacher_output has shape \(3, 240, 3\).* the stack 2 members"),
    ],
)
def test_outputs_of_other_rows_are_refused_before_a_plain_loss_trains(outputs, labels, message):
    """Rows of another split lie in range, and would be taken for those of this one."""
    task = gaussian_mixture_task(3, 6, num_train=240, num_test=60)
    loss = PlainLoss(correct(), torch.zeros(outputs), torch.zeros(labels, dtype=torch.int64))
    stack = Stack.build((6, 4, 3), seeds=[0, 1])
    with pytest.raises(ValueError, match=message):
        fit(stack, task, loss, epochs=1, seeds=[0, 1])


def test_plain_loss_takes_masks_and_questions_member_by_member():
    z, v, y = torch.randn(3, 4, 2), torch.randn(6, 2), torch.tensor([0, 1, 0, 1, 0, 1])
    rows = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])

    def loss(z, v, y):
        kept = y == 1
        return (z[kept] * v[kept]).sum() if float(z.sum()) < 1e9 else z.sum()

    expected = torch.stack([loss(z[m], v[rows[m]], y[rows[m]]) for m in range(3)])
    torch.testing.assert_close(PlainLoss(loss, v, y)(z, rows), expected)


def test_declared_alpha_may_come_from_another_convention():
    from distill_helpers.conventions import to_canonical

    def textbrewer(z, v, y):  # no T^2 at all, on purpose
        return 0.9 * kl(log_q(z, 4), p(v, 4)) + 0.1 * F.cross_entropy(z, y)

    alpha, temperature, scale = to_canonical(
        "textbrewer", temperature=4, kd_loss_weight=0.9, hard_label_weight=0.1
    )
    report = audit_loss(textbrewer, temperature, alpha)
    assert report.ok and math.isclose(report.effective.scale, scale, rel_tol=1e-6)

"""Loops that mix rows two by two, and labels that go wrong on the way to the loss."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from distill_helpers.audit import BUGS, check_distillation_setup

T, ALPHA, B, C = 4.0, 0.4, 16, 6


def conv(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, C),
    )


def two(make=conv):
    torch.manual_seed(1)
    return make(4).train(), make(8).eval().requires_grad_(False)


def images(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(B, 3, 8, 8, generator=generator),
        torch.randint(C, (B,), generator=generator),
    )


def kl(z, v, t=T):
    p, log_q = F.softmax(v / t, 1), F.log_softmax(z / t, 1)
    return t * t * F.kl_div(log_q, p, reduction="batchmean")


def patched(x, order, lam):
    """Cut a square at a random place, clipped at the border; return the share that is kept."""
    side = x.shape[2]
    half = int(side * (1 - lam) ** 0.5) // 2
    cy, cx = np.random.randint(side), np.random.randint(side)
    y, x_ = (slice(max(c - half, 0), min(c + half, side)) for c in (cy, cx))
    x = x.clone()
    x[:, :, y, x_] = x[order][:, :, y, x_]
    return x, 1 - (y.stop - y.start) * (x_.stop - x_.start) / side**2


def mixing(how, labels, lam=None):
    """Make a step that mixes inputs by `how` and labels by `labels`."""

    def step(student, teacher, batch):
        x, y = batch
        order = torch.randperm(len(x))
        share = np.random.beta(1, 1) if lam is None else lam
        if how == "rows":
            share = torch.rand(len(x))
            wide = share.reshape(-1, 1, 1, 1)
            mixed, kept = wide * x + (1 - wide) * x[order], share
        elif how == "patch":
            mixed, kept = patched(x, order, share)
        else:
            mixed, kept = share * x + (1 - share) * x[order], share
        own = {"as inputs": kept, "exchanged": 1 - kept, "nominal": share, "own": 1.0}[labels]
        with torch.no_grad():
            v = teacher(mixed)
        z = student(mixed)
        one, other = (F.cross_entropy(z, label, reduction="none") for label in (y, y[order]))
        return ALPHA * kl(z, v) + (1 - ALPHA) * (own * one + (1 - own) * other).mean()

    return step


def audit(step, batch=None, networks=None, T=T, alpha=ALPHA, **more):
    student, teacher = two() if networks is None else networks
    batch = images() if batch is None else batch
    return check_distillation_setup(
        student, teacher, batch, step=step, temperature=T, alpha=alpha, **more
    )


@pytest.mark.parametrize("lam", [0.1, 0.3, 0.5, 0.9, None])
@pytest.mark.parametrize("how", ["blend", "patch", "rows"])
def test_mixup_and_cutmix_are_followed_whatever_the_share(how, lam):
    # Where the other row's label weighs more a row seems to be drawn to a stranger's label.
    report = audit(mixing(how, "as inputs", lam))
    assert report.ok and not report.bugs, report
    assert report.effective.alpha == pytest.approx(ALPHA, rel=1e-6)
    assert report["labels"].outcome == report["T squared"].outcome == "passed"


@pytest.mark.parametrize("lam", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("how", ["blend", "patch"])
def test_exchanged_shares_are_named(how, lam):
    assert audit(mixing(how, "exchanged", lam)).bugs == ["mixed labels exchanged"]


def test_a_share_that_the_border_changed_is_named():
    report = audit(mixing("patch", "nominal", 0.3))
    assert report.bugs == ["labels mixed unlike the inputs"]
    assert "0.3 of its own label" in report["labels"].reason


@pytest.mark.parametrize("how", ["blend", "patch"])
def test_mixed_inputs_with_whole_labels_are_named(how):
    report = audit(mixing(how, "own", 0.4))
    assert report.bugs == ["labels mixed unlike the inputs"]

    # Without a labels' part there is nothing to mix.
    def unlabelled(student, teacher, batch):
        mixed = 0.4 * batch[0] + 0.6 * batch[0].flip(0)
        with torch.no_grad():
            v = teacher(mixed)
        return kl(student(mixed), v)

    assert audit(unlabelled, alpha=1.0).ok


def test_mistakes_in_the_parts_are_seen_through_the_mix():
    def step(student, teacher, batch):
        return mixing("blend", "as inputs", 0.3)(student, teacher, batch)

    def without(student, teacher, batch):
        x, y = batch
        order = torch.randperm(len(x))
        mixed = 0.3 * x + 0.7 * x[order]
        with torch.no_grad():
            v = teacher(mixed)
        z = student(mixed)
        labels = 0.3 * F.one_hot(y, C).float() + 0.7 * F.one_hot(y[order], C).float()
        return ALPHA * kl(z, v) / T**2 + (1 - ALPHA) * F.cross_entropy(z, labels)

    assert audit(step).ok
    assert audit(without).bugs == ["T^2 missing"]


def test_a_label_of_another_row_alone_is_out_of_step():
    def step(student, teacher, batch):
        x, y = batch
        with torch.no_grad():
            v = teacher(x)
        z = student(x)
        return ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, y[torch.randperm(len(y))])

    assert audit(step).bugs == ["labels out of step"]


# -- labels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "added", "bugs"),
    [
        (0.1, 0.1, ["labels smoothed twice"]),
        (0.1, 0.0, []),
        (0.0, 0.1, []),
    ],
)
def test_labels_smoothed_twice(given, added, bugs):
    x, y = images()
    soft = (1 - given) * F.one_hot(y, C).float() + given / C

    def step(student, teacher, batch):
        with torch.no_grad():
            v = teacher(batch[0])
        z = student(batch[0])
        hard = F.cross_entropy(z, batch[1], label_smoothing=added)
        return ALPHA * kl(z, v) + (1 - ALPHA) * hard

    assert audit(step, (x, soft)).bugs == bugs


@pytest.mark.parametrize(
    ("dtype", "classes", "bugs"),
    [
        (torch.bfloat16, 600, ["labels rounded"]),
        (torch.bfloat16, 200, []),
        (torch.float16, 2200, ["labels rounded"]),
        (torch.float16, 600, []),
    ],
)
def test_class_numbers_in_half_precision(dtype, classes, bugs):
    torch.manual_seed(3)
    student, teacher = nn.Linear(5, classes), nn.Linear(5, classes).requires_grad_(False).eval()

    def step(student, teacher, batch):
        x, y = batch[0], batch[1].to(dtype)
        with torch.no_grad():
            v = teacher(x)
        z = student(x)
        hard = F.cross_entropy(z, y.long().clamp(max=classes - 1))
        return ALPHA * kl(z, v) + (1 - ALPHA) * hard

    batch = torch.randn(64, 5), torch.randint(classes, (64,))
    assert audit(step, batch, (student, teacher)).bugs == bugs


# -- one network in two roles ----------------------------------------------------------------------


class Adapted(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.base = nn.Linear(5, C)
        self.down, self.up = nn.Linear(5, 2, bias=False), nn.Linear(2, C, bias=False)
        self.on = True

    def forward(self, x):
        return self.base(x) + (self.up(self.down(x)) if self.on else 0.0)


def adapters(net, teacher, batch):
    net.on = False
    with torch.no_grad():
        v = net(batch[0])
    net.on = True
    z = net(batch[0])
    return ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, batch[1])


@pytest.mark.parametrize("fresh", [True, False])  # a fresh adapter changes no answer
@pytest.mark.parametrize("frozen", [True, False])
def test_an_optimiser_that_moves_the_base_moves_the_teacher(frozen, fresh):
    torch.manual_seed(0)
    net = Adapted()
    if fresh:
        nn.init.zeros_(net.up.weight)
    net.base.requires_grad_(not frozen)
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    batch = torch.randn(B, 5), torch.randint(C, (B,))
    report = audit(adapters, batch, (net, None), optimiser=optimiser)
    assert report.bugs == ([] if frozen else ["teacher in the optimiser"])
    # An optimiser that holds the adapters alone leaves the teacher, frozen or not.
    optimiser = torch.optim.SGD([*net.down.parameters(), *net.up.parameters()], lr=0.1)
    assert not audit(adapters, batch, (net, None), optimiser=optimiser).bugs


def test_two_views_of_one_network_are_meant_to_move_together():
    net = nn.Linear(5, C)

    def step(net, teacher, batch):
        with torch.no_grad():
            v = net(batch[0] + 0.1)
        z = net(batch[0])
        return ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    batch = torch.randn(B, 5), torch.randint(C, (B,))
    report = audit(step, batch, (net, None), optimiser=optimiser)
    assert "teacher in the optimiser" not in report.bugs


# -- members ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature", "bug"),
    [
        (2.0, "members added"),
        (3.0, "T on one side only"),
    ],
)
def test_logits_of_members_that_are_added(temperature, bug):
    # At T = 3 the sum of three, divided by T, is the plain mean: one loss with two names.
    torch.manual_seed(5)
    student = nn.Linear(5, C)
    members = [nn.Linear(5, C).requires_grad_(False).eval() for _ in range(3)]

    def step(student, teacher, batch):
        v = sum(m(batch[0]) for m in teacher)
        z = student(batch[0])
        return ALPHA * kl(z, v, temperature) + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    batch = torch.randn(B, 5), torch.randint(C, (B,))
    report = audit(step, batch, (student, members), T=temperature)
    assert report.bugs == [bug]
    if temperature == 3:
        reason = report["temperature"].reason
        assert "the sum of 3 members' logits" in reason
        for name in ("members added", "T on one side only"):
            assert f"{name} ({BUGS[name].rstrip('.')})" in reason


@pytest.mark.parametrize("case", ["three of four", "student's side", "one network"])
def test_one_side_only_is_no_sum_of_members_elsewhere(case):
    # The sum of T members explains a teacher that is not divided by T, and nothing else.
    torch.manual_seed(5)
    student = nn.Linear(5, C)
    members = [nn.Linear(5, C).requires_grad_(False).eval() for _ in range(3)]
    handed = {"three of four": [*members, nn.Linear(5, C)], "one network": members[0]}.get(
        case, members
    )

    def step(student, teacher, batch):
        made = [m(batch[0]) for m in (teacher if isinstance(teacher, list) else [teacher])[:3]]
        z, v = student(batch[0]), sum(made) / len(made)
        sides = (3.0, 1.0) if case != "student's side" else (1.0, 3.0)
        log_q, p = F.log_softmax(z / sides[0], -1), F.softmax(v / sides[1], -1)
        soft = 9 * F.kl_div(log_q, p, reduction="batchmean")
        return ALPHA * soft + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    batch = torch.randn(B, 5), torch.randint(C, (B,))
    report = audit(step, batch, (student, handed), T=3.0)
    assert "T on one side only" in report.bugs
    assert "members" not in report["temperature"].reason


# -- a teacher that is the student's moving average ------------------------------------------------


@pytest.mark.parametrize("turned", [True, False])
def test_a_moving_average_that_is_turned_around_is_named(turned):
    torch.manual_seed(2)
    student, teacher = nn.Linear(5, C), nn.Linear(5, C).requires_grad_(False).eval()

    def step(student, teacher, batch):
        with torch.no_grad():
            pairs = zip(student.parameters(), teacher.parameters(), strict=True)
            for p, q in pairs:
                (p if turned else q).lerp_(q if turned else p, 0.01)
            v = teacher(batch[0])
        z = student(batch[0])
        return ALPHA * kl(z, v) + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    batch = torch.randn(B, 5), torch.randint(C, (B,))
    weights = student.weight.detach().clone()
    report = audit(step, batch, (student, teacher))
    assert report.bugs == (["moving average turned around"] if turned else [])
    assert torch.equal(weights, student.weight)


def test_a_teacher_of_few_classes_mixes_no_labels():
    torch.manual_seed(4)
    student, teacher = nn.Linear(5, 20), nn.Linear(5, 20).requires_grad_(False).eval()

    def step(student, teacher, batch):
        with torch.no_grad():
            top = F.softmax(teacher(batch[0]) / T, -1).topk(5, -1)
        z = student(batch[0])
        log_q = F.log_softmax(z / T, -1).gather(-1, top.indices)
        soft = (top.values * (top.values.log() - log_q)).sum(-1).mean()
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    batch = torch.randn(B, 5), torch.randint(20, (B,))
    report = audit(step, batch, (student, teacher))
    assert "several rows" not in report["soft part"].reason
    assert report["order"].outcome != "failed"


# -- one sigmoid output ----------------------------------------------------------------------------


class Squashed(nn.Module):
    """A network whose sigmoid is a function, not a layer."""

    def __init__(self):
        super().__init__()
        self.out = nn.Linear(5, 1)

    def forward(self, x):
        return torch.sigmoid(self.out(x))


def near_a_half():
    made = nn.Linear(5, 1)
    with torch.no_grad():
        made.weight.mul_(0.05)
        made.bias.fill_(0.5)
    return made


@pytest.mark.parametrize(
    ("make", "bugs"),
    [
        (near_a_half, []),  # an untrained network's logits may all lie between 0 and 1
        (Squashed, ["softmax twice"]),
        (lambda: nn.Sequential(nn.Linear(5, 1), nn.Sigmoid()), ["softmax twice"]),
    ],
)
def test_logits_between_0_and_1_are_no_sigmoids(make, bugs):
    torch.manual_seed(6)
    student, teacher = make(), make().requires_grad_(False).eval()

    def step(student, teacher, batch):
        with torch.no_grad():
            v = teacher(batch[0])
        z = student(batch[0])
        soft = F.binary_cross_entropy_with_logits(z / T, torch.sigmoid(v / T))
        hard = F.binary_cross_entropy_with_logits(z, batch[1])
        return ALPHA * T**2 * soft + (1 - ALPHA) * hard

    batch = torch.randn(32, 5), (torch.rand(32, 1) < 0.5).float()
    weights = [p.detach().clone() for p in student.parameters()]
    report = audit(step, batch, (student, teacher))
    assert report.bugs == bugs, report
    assert all(torch.equal(p, w) for p, w in zip(student.parameters(), weights, strict=True))

"""Bugs planted in loops that the checks have not seen, and correct loops of many kinds.

The loops were written from the signature of `check_distillation_setup` and the list of bugs alone,
without a look at how the checks work or at tests/test_audit.py, in the styles in which people
write such loops; nothing here was changed to make a check pass.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import Report, check_distillation_setup

T, ALPHA = 4.0, 0.6


def data(classes: int, rows: int = 24, features: int = 7, seed: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, features, generator=generator)
    return x, torch.randint(classes, (rows,), generator=generator)


def network(classes: int, width: int = 12, seed: int = 0, *middle: nn.Module) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(7, width), *middle, nn.GELU(), nn.Linear(width, classes))


def good(z: Tensor, v: Tensor, y: Tensor, T: float = T, alpha: float = ALPHA) -> Tensor:
    soft = F.kl_div(
        F.log_softmax(z / T, dim=1), F.log_softmax(v / T, dim=1), reduction="none", log_target=True
    )
    return alpha * T**2 * soft.sum(1).mean() + (1 - alpha) * F.cross_entropy(z, y)


class Criterion(nn.Module):
    """A loss as a module, in the way of repositories for images."""

    def __init__(self, reduction: str = "batchmean", power: int = 2) -> None:
        super().__init__()
        self.kl, self.ce, self.power = (
            nn.KLDivLoss(reduction=reduction),
            nn.CrossEntropyLoss(),
            power,
        )

    def forward(self, outputs: Tensor, teacher_outputs: Tensor, targets: Tensor) -> Tensor:
        kd = self.kl(F.log_softmax(outputs / T, 1), F.softmax(teacher_outputs / T, 1))
        return kd * (ALPHA * T**self.power) + self.ce(outputs, targets) * (1.0 - ALPHA)


def kl_by_hand(p: Tensor, q: Tensor) -> Tensor:
    return (p * (torch.log(p) - torch.log(q))).sum(dim=-1).mean()


def weigh(soft: Tensor, z: Tensor, y: Tensor) -> Tensor:
    return ALPHA * T * T * soft + (1 - ALPHA) * F.cross_entropy(z, y)


def soft_cross_entropy(z: Tensor, v: Tensor, y: Tensor, temperature: float = T) -> Tensor:
    soft = F.cross_entropy(z / temperature, torch.softmax(v / T, -1))
    return weigh(soft, z, y)


PLANTED: dict[str, list[Callable[[Tensor, Tensor, Tensor], Tensor]]] = {
    "mean instead of batchmean": [
        Criterion("mean"),
        lambda z, v, y: weigh(
            (F.softmax(v / T, 1) * (F.log_softmax(v / T, 1) - F.log_softmax(z / T, 1))).mean(), z, y
        ),
        lambda z, v, y: weigh(
            -(F.softmax(v / T, 1) * F.log_softmax(z / T, 1)).mean(), z, y
        ),  # cross-entropy
    ],
    "T^2 missing": [
        Criterion(power=0),
        lambda z, v, y: torch.lerp(
            F.cross_entropy(z, y), F.cross_entropy(z / T, F.softmax(v / T, 1)), ALPHA
        ),
        lambda z, v, y: (
            ALPHA * kl_by_hand(F.softmax(v / T, 1), F.softmax(z / T, 1))
            + (1 - ALPHA) * F.nll_loss(F.log_softmax(z, 1), y)
        ),
    ],
    "probabilities where log-probabilities belong": [
        lambda z, v, y: weigh(
            F.kl_div(F.softmax(z / T, 1), F.softmax(v / T, 1), reduction="batchmean"), z, y
        ),
        lambda z, v, y: weigh(
            nn.KLDivLoss(reduction="sum")(torch.softmax(z / T, -1), torch.softmax(v / T, -1))
            / len(z),
            z,
            y,
        ),
    ],
    "arguments swapped": [
        lambda z, v, y: weigh(
            F.kl_div(F.log_softmax(v / T, 1), F.softmax(z / T, 1), reduction="batchmean"), z, y
        ),
        lambda z, v, y: weigh(kl_by_hand(F.softmax(z / T, 1), F.softmax(v / T, 1)), z, y),
        lambda z, v, y: weigh(
            F.kl_div(
                F.log_softmax(v / T, 1),
                F.log_softmax(z / T, 1),
                log_target=True,
                reduction="batchmean",
            ),
            z,
            y,
        ),
    ],
    "T on one side only": [
        lambda z, v, y: weigh(
            F.kl_div(F.log_softmax(z, 1), F.softmax(v / T, 1), reduction="batchmean"), z, y
        ),
        lambda z, v, y: weigh(kl_by_hand(F.softmax(v, 1), F.softmax(z / T, 1)), z, y),
        lambda z, v, y: soft_cross_entropy(z, v, y, temperature=1.0),
    ],
    "softmax twice": [
        lambda z, v, y: weigh(
            F.kl_div(
                F.log_softmax(z / T, 1),
                F.softmax(F.softmax(v, 1) / T, 1),
                reduction="batchmean",
            ),
            z,
            y,
        ),
        lambda z, v, y: weigh(
            F.kl_div(
                F.log_softmax(F.softmax(z / T, 1), 1), F.softmax(v / T, 1), reduction="batchmean"
            ),
            z,
            y,
        ),
    ],
    "NaN on underflow": [
        lambda z, v, y: weigh(kl_by_hand(F.softmax(v / T, 1), F.softmax(z / T, 1)), z, y),
        lambda z, v, y: weigh(
            (F.softmax(v / T, 1) * (F.softmax(v / T, 1).log() - F.log_softmax(z / T, 1)))
            .sum(1)
            .mean(),
            z,
            y,
        ),
    ],
    "alpha on the wrong term": [
        lambda z, v, y: good(z, v, y, alpha=1 - ALPHA),
        lambda z, v, y: (
            ALPHA * F.cross_entropy(z, y)
            + (1 - ALPHA) * T * T * kl_by_hand(F.softmax(v / T, 1), F.softmax(z / T, 1))
        ),
    ],
    "graph cut": [
        lambda z, v, y: weigh(
            F.kl_div(F.log_softmax(z.detach() / T, 1), F.softmax(v / T, 1), reduction="batchmean"),
            z,
            y,
        ),
        lambda z, v, y: good(z.clone().data.requires_grad_(), v, y),
    ],
}
LOOPS = [
    pytest.param(name, loss, id=f"{name} {index}")
    for name, losses in PLANTED.items()
    for index, loss in enumerate(losses)
]


def examine(loss: Any, classes: int, **more: Any) -> Report:
    more = {"temperature": T, "alpha": ALPHA} | more
    x, y = data(classes)
    return check_distillation_setup(
        network(classes), network(classes, 30, 1).eval(), (x, y), loss, **more
    )


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("classes", [2, 3, 10, 64])
@pytest.mark.parametrize(("name", "loss"), LOOPS)
def test_a_planted_loss_is_caught_and_named(name: str, loss: Any, classes: int) -> None:
    report = examine(loss, classes)
    # What is not finite far out alone is a warning.
    assert report.ok is (name == "NaN on underflow"), report
    assert name in (report.warnings if name == "NaN on underflow" else report.bugs), report


def loop_of(
    call: Callable[[nn.Module, Tensor], Tensor], loss: Callable[..., Tensor] = good
) -> Callable[..., Tensor]:
    """Make a training step out of a way to ask the teacher."""

    def training_step(model: Any, teacher: Any, batch: Any) -> Tensor:
        images, targets = batch
        return loss(model(images), call(teacher, images), targets)

    return training_step


def ask_in_train_mode(teacher: Any, x: Tensor) -> Tensor:
    if isinstance(teacher, nn.Module):
        teacher.train()
    with torch.no_grad():
        return teacher(x)


def ask_with_gradient(teacher: Any, x: Tensor) -> Tensor:
    return teacher(x)


def ask_properly(teacher: Any, x: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.no_grad():
        return teacher(x)


@pytest.mark.parametrize("middle", [nn.Dropout(0.4), nn.BatchNorm1d(30)])
@pytest.mark.parametrize("how", ["left", "put by the step"])
def test_a_teacher_in_train_mode(middle: nn.Module, how: str) -> None:
    x, y = data(5)
    teacher = network(5, 30, 1, copy.deepcopy(middle))
    teacher.train(how == "left")
    report = check_distillation_setup(
        network(5),
        teacher,
        (x, y),
        temperature=T,
        alpha=ALPHA,
        step=loop_of(ask_properly if how == "left" else ask_in_train_mode),
    )
    assert "teacher in train mode" in report.bugs, report
    assert teacher.training is (how == "left")


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("kind", ["logits", "soft targets", "log soft targets"])
@pytest.mark.parametrize("shift", ["permuted", "rolled", "two exchanged"])
def test_cached_outputs_out_of_step(kind: str, shift: str, classes: int) -> None:
    x, y = data(classes)
    teacher = network(classes, 30, 1).eval()
    with torch.no_grad():
        v = 5 * teacher(x)
    scaled = nn.Sequential(teacher, Times(5.0)).eval()
    cached = {
        "logits": v,
        "soft targets": torch.softmax(v / T, 1),
        "log soft targets": torch.log_softmax(v / T, 1),
    }[kind]
    order = {
        "permuted": torch.randperm(24, generator=torch.Generator().manual_seed(0)),
        "rolled": torch.arange(24).roll(1),
        "two exchanged": torch.arange(24).index_put((torch.tensor([3, 9]),), torch.tensor([9, 3])),
    }[shift]

    def loss(z: Tensor, taught: Tensor, y: Tensor) -> Tensor:
        p = {
            "logits": lambda: torch.softmax(taught / T, 1),
            "soft targets": lambda: taught,
            "log soft targets": lambda: taught.exp(),
        }[kind]()
        return weigh(F.kl_div(F.log_softmax(z / T, 1), p, reduction="batchmean"), z, y)

    for rows, wrong in ((order, True), (torch.arange(24), False)):
        report = check_distillation_setup(
            network(classes),
            scaled,
            (x, y, cached[rows]),
            loss,
            temperature=T,
            alpha=ALPHA,
            teacher_output=kind,
        )
        assert ("teacher's outputs out of step" in report.bugs) is wrong, report
        assert report.ok is not wrong


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_a_step_that_shuffles_the_teachers_inputs() -> None:
    def step(model: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        with torch.no_grad():
            v = teacher(x[torch.arange(len(x)).flip(0)])
        return good(model(x), v, y)

    x, y = data(6)
    report = check_distillation_setup(
        network(6), network(6, 30, 1).eval(), (x, y), temperature=T, alpha=ALPHA, step=step
    )
    assert "teacher's outputs out of step" in report.bugs, report


def test_a_student_that_is_tested_at_t() -> None:
    report = examine(good, 5, predict=lambda z: torch.softmax(z / T, 1))
    assert report.bugs == ["student evaluated at T"], report
    assert examine(good, 5, predict=lambda z: F.softmax(z, 1)).ok
    assert examine(good, 5, predict=lambda z: F.log_softmax(z, dim=-1)).ok


def test_a_teacher_that_learns() -> None:
    x, y = data(5)
    student, teacher = network(5), network(5, 30, 1).eval()
    both = torch.optim.AdamW([*student.parameters(), *teacher.parameters()], 1e-3)
    shared: dict[str, Any] = {"temperature": T, "alpha": ALPHA}
    report = check_distillation_setup(student, teacher, (x, y), good, optimiser=both, **shared)
    assert "teacher in the optimiser" in report.bugs, report
    report = check_distillation_setup(
        student, teacher, (x, y), step=loop_of(ask_with_gradient), **shared
    )
    assert "teacher not detached" in report.bugs, report


def test_what_a_setting_hides_is_not_called_right_or_wrong() -> None:
    plain = Criterion(power=0)

    def at_one(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return good(z, v, y, T=1.0)

    assert examine(at_one, 5, temperature=1.0)["T squared"].outcome == "could not tell"
    only_labels = examine(lambda z, v, y: F.cross_entropy(z, y), 5, alpha=0.0)
    assert only_labels["temperature"].outcome == "could not tell"
    assert only_labels.ok
    assert examine(plain, 5).effective is not None


# Correct loops


def mean_of_members(z: Tensor, members: Tensor, y: Tensor) -> Tensor:
    p = torch.softmax(members.mean(0) / T, -1)
    return weigh(F.kl_div(F.log_softmax(z / T, -1), p, reduction="batchmean"), z, y)


def in_float(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return good(z.float(), v.float(), y)


def frozen(model: nn.Sequential) -> nn.Sequential:
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    return model


def correct() -> dict[str, tuple[Any, Any, Any, Any, dict[str, Any]]]:
    """Name: student, teacher, batch, loss, other arguments."""
    same = network(6, 20, 4).eval()
    half = network(6).to(torch.bfloat16)
    x, y = data(6)
    teacher = network(6, 30, 1).eval()
    with torch.no_grad():
        cached = torch.softmax(teacher(x) / T, 1)
    several = [network(6, 30, seed).eval() for seed in (1, 2, 3)]
    strong = nn.Sequential(network(6, 30, 1), Times(40.0)).eval()
    return {
        "one row": (network(6), teacher, data(6, 1), good, {}),
        "two classes": (network(2), network(2, 30, 1).eval(), data(2), good, {}),
        "a hundred classes": (network(100), network(100, 30, 1).eval(), data(100), good, {}),
        "half precision": (
            half,
            network(6, 30, 1).to(torch.bfloat16).eval(),
            (x.bfloat16(), y),
            in_float,
            {},
        ),
        "student is teacher": (same, same, (x, y), good, {}),
        "a copy of the teacher": (copy.deepcopy(teacher).train(), teacher, (x, y), good, {}),
        "dropout": (network(6, 12, 0, nn.Dropout(0.5)).train(), teacher, (x, y), good, {}),
        "batch norm": (network(6, 12, 0, nn.BatchNorm1d(12)).train(), teacher, (x, y), good, {}),
        "frozen layers": (frozen(network(6)), teacher, (x, y), good, {}),
        "cached": (
            network(6),
            teacher,
            (x, y, cached),
            lambda z, p, y: weigh(F.cross_entropy(z / T, p), z, y),
            {"teacher_output": "soft targets"},
        ),
        "cached alone": (
            network(6),
            None,
            (x, y, cached),
            lambda z, p, y: weigh(F.cross_entropy(z / T, p), z, y),
            {"teacher_output": "soft targets"},
        ),
        "ensemble": (network(6), several, (x, y), good, {}),
        "ensemble, members": (
            network(6),
            several,
            (x, y),
            mean_of_members,
            {"teacher_output": "member logits"},
        ),
        "a very sure teacher": (network(6), strong, (x, y), good, {}),
        "a module": (network(6), teacher, (x, y), Criterion(), {}),
        "a scale": (network(6), teacher, (x, y), lambda z, v, y: 0.1 * good(z, v, y), {}),
        "teacher alone": (
            network(6),
            teacher,
            (x, y),
            lambda z, v, y: good(z, v, y, alpha=1.0),
            {"alpha": 1.0},
        ),
        "at one": (
            network(6),
            teacher,
            (x, y),
            lambda z, v, y: good(z, v, y, T=1.0),
            {"temperature": 1.0},
        ),
        "a step": (network(6), teacher, (x, y), None, {"step": loop_of(ask_properly)}),
        "a step that sets the mode": (
            network(6),
            network(6, 30, 1).eval(),
            (x, y),
            None,
            {
                "step": loop_of(
                    lambda t, x: (t.eval() if isinstance(t, nn.Module) else t)(x).detach()
                )
            },
        ),
    }


@pytest.mark.parametrize("name", correct())
def test_no_false_alarm_and_nothing_is_changed(name: str) -> None:
    student, teacher, batch, loss, more = correct()[name]
    more = {"temperature": T, "alpha": ALPHA} | more
    members = teacher if isinstance(teacher, list) else [m for m in [teacher] if m is not None]
    networks = [student, *members]
    student(batch[0]).float().sum().backward()
    before = [
        (copy.deepcopy(n.state_dict()), n.training, [p.grad for p in n.parameters()])
        for n in networks
    ]
    wanted = [p.requires_grad for n in networks for p in n.parameters()]
    torch.manual_seed(5)
    random = torch.get_rng_state()
    report = check_distillation_setup(student, teacher, batch, loss, **more)
    assert report.ok, report
    assert torch.equal(random, torch.get_rng_state())
    assert [p.requires_grad for n in networks for p in n.parameters()] == wanted
    for one, (state, training, gradients) in zip(networks, before, strict=True):
        assert one.training is training
        assert all(torch.equal(a, state[key]) for key, a in one.state_dict().items())
        for p, gradient in zip(one.parameters(), gradients, strict=True):
            assert (p.grad is None) == (gradient is None)
            assert gradient is None or torch.equal(p.grad, gradient)


@pytest.mark.parametrize("temperature", [1.5, 3.0, 20.0])
@pytest.mark.parametrize("alpha", [0.1, 0.9, 1.0])
@pytest.mark.parametrize("classes", [2, 7])
def test_no_false_alarm_over_settings(temperature: float, alpha: float, classes: int) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return good(z, v, y, temperature, alpha)

    report = examine(loss, classes, temperature=temperature, alpha=alpha)
    assert report.ok, report
    assert report.effective is not None
    assert report.effective.alpha == pytest.approx(alpha, abs=1e-3)
    assert report.effective.temperature == pytest.approx(temperature, rel=1e-2)

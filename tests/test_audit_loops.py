"""The audit on loops as people write them: tokens, pixels, adapters, masks, weights, structures.

Each loop stands twice where it can: right, and with a mistake that has to be named.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import time
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import Report, check_distillation_setup

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")

T, ALPHA, C = 4.0, 0.7, 5
UNKNOWN = "could not tell"
Loss = Callable[..., Tensor]


def kd(z: Tensor, v: Tensor, reduction: str = "batchmean", power: int = 2) -> Tensor:
    soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction=reduction)
    return T**power * soft


def both(soft: Tensor, hard: Tensor, alpha: float = ALPHA) -> Tensor:
    return alpha * soft + (1 - alpha) * hard


def right(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return both(kd(z, v), F.cross_entropy(z, y))


def net(classes: int = C, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, classes))


def tokens(classes: int = 11, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Embedding(20, 8), nn.Linear(8, classes))


def draw(*shape: int, high: int | None = None, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if high is None:
        return torch.randn(shape, generator=generator)
    return torch.randint(high, shape, generator=generator)


BATCH = draw(32, 6), draw(32, high=C)


def audit(
    loss_fn: Loss | None = None,
    student: Any = None,
    teacher: Any = "net",
    batch: Any = BATCH,
    alpha: float = ALPHA,
    **more: Any,
) -> Report:
    student = net() if student is None else student
    teacher = net(seed=1).eval() if teacher == "net" else teacher
    return check_distillation_setup(
        student, teacher, batch, loss_fn, temperature=T, alpha=alpha, **more
    )


def alpha_of(report: Report) -> float:
    assert report.effective is not None, report
    return report.effective.alpha


# -- weights of rows ------------------------------------------------------------------------------

WEIGHED: dict[str, tuple[list[str], Callable[[Tensor, Tensor], Tensor], float]] = {
    "right": ([], kd, ALPHA),
    "no T^2": (["T^2 missing"], lambda z, v: kd(z, v, power=0), ALPHA),
    "mean": (["mean instead of batchmean"], lambda z, v: kd(z, v, "mean"), ALPHA),
    "alpha": (["alpha on the wrong term"], kd, 1 - ALPHA),
    "swapped": (["arguments swapped"], lambda z, v: kd(v, z), ALPHA),
}
CLASS_WEIGHTS = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
SAMPLE_WEIGHTS = torch.linspace(0.5, 2.0, 32)


def by_class(z: Tensor, y: Tensor) -> Tensor:
    return F.cross_entropy(z, y, weight=CLASS_WEIGHTS.to(z.dtype))


def by_sample(z: Tensor, y: Tensor) -> Tensor:
    w = SAMPLE_WEIGHTS.to(z.dtype)[: len(z)]
    return (w * F.cross_entropy(z, y, reduction="none")).sum() / w.sum()


@pytest.mark.parametrize("hard", [by_class, by_sample])
@pytest.mark.parametrize("name", WEIGHED)
def test_weights_of_the_labels_hide_no_mistake(name: str, hard: Loss) -> None:
    bugs, soft, alpha = WEIGHED[name]
    report = audit(lambda z, v, y: both(soft(z, v), hard(z, y), alpha))
    # A swapped KL is not finite either where a probability underflows.
    assert [bug for bug in report.bugs if bug != "NaN on underflow"] == bugs, report
    if not bugs:
        assert alpha_of(report) == pytest.approx(ALPHA, rel=1e-6)
        assert report["alpha"].outcome == "passed"
        assert "rows weigh unequally in the labels' part" in report["rows"].reason


@pytest.mark.parametrize("name", WEIGHED)
def test_class_weights_beside_smoothing_hide_no_mistake(name: str) -> None:
    bugs, soft, alpha = WEIGHED[name]

    def hard(z: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(z, y, weight=CLASS_WEIGHTS.to(z.dtype), label_smoothing=0.1)

    report = audit(lambda z, v, y: both(soft(z, v), hard(z, y), alpha))
    if name == "swapped":  # another form than KL's is not looked for beside them
        assert report.ok and "class weights beside smoothing" in report["soft part"].reason
        return
    assert report.bugs == bugs, report
    if name in ("right", "no T^2", "alpha"):
        own = {"right": ALPHA, "no T^2": ALPHA / (ALPHA + (1 - ALPHA) * T**2), "alpha": alpha}
        assert alpha_of(report) == pytest.approx(own[name], rel=1e-4)


def test_weights_without_a_mean_of_one_leave_the_labels_factor_open() -> None:
    w = SAMPLE_WEIGHTS.double()

    def loss(z: Tensor, v: Tensor, y: Tensor, power: int = 2) -> Tensor:
        hard = (w[: len(z)] * F.cross_entropy(z, y, reduction="none")).mean()
        return both(kd(z, v, power=power), hard)

    report = audit(loss)
    assert report.ok and report["alpha"].outcome == UNKNOWN, report
    assert audit(lambda z, v, y: loss(z, v, y, 0)).bugs == ["T^2 missing"]


def test_weights_of_both_parts_alike() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = T**2 * F.kl_div(
            F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none"
        ).sum(-1)
        return (SAMPLE_WEIGHTS * both(soft, F.cross_entropy(z, y, reduction="none"))).mean()

    report = audit(loss)
    assert report.ok and alpha_of(report) == pytest.approx(ALPHA, rel=1e-4), report


def test_weights_that_follow_the_teachers_confidence_are_not_accused() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = T**2 * F.kl_div(
            F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none"
        ).sum(-1)
        return both((v.softmax(-1).amax(-1) * soft).mean(), F.cross_entropy(z, y))

    report = audit(loss)
    assert report.ok and "follow the logits" in report["soft part"].reason, report


def test_rows_that_one_part_leaves_out_are_said() -> None:
    def half(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return both(kd(z, v), F.cross_entropy(z, y, ignore_index=0))

    def masked(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        kept = y != 0
        return right(z[kept], v[kept], y[kept])

    one, other = audit(half), audit(masked)
    assert one["rows"].outcome == UNKNOWN and "do not count in the labels'" in one["rows"].reason
    assert one.ok and other.ok
    counted = int((BATCH[1] != 0).sum())
    assert f"the same {counted} of 32 rows" in other["rows"].reason
    assert alpha_of(other) == pytest.approx(ALPHA, rel=1e-6)


def test_rows_without_a_label() -> None:
    x, y = BATCH[0], BATCH[1].clone()
    y[20:] = -1

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return both(kd(z, v), F.cross_entropy(z[y >= 0], y[y >= 0]))

    report = audit(loss, batch=(x, y))
    assert report.ok and "12 of them do not count" in report["rows"].reason, report


def test_a_fixed_number_for_the_batch_is_named() -> None:
    # 32 / 128 is 1 / T: by its size alone it would be T instead of T^2.
    report = audit(lambda z, v, y: both(kd(z, v, "sum") / 128, F.cross_entropy(z, y)))
    assert report.bugs == ["sum over a fixed number"], report


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_factor_that_two_mistakes_would_give_is_named_where_the_batch_rules_them_out(
    factor: float,
) -> None:
    """2 is 32 rows by T^2, and 1 / 2 the other way round: a sum and T^2 missing, or both twice."""
    found = audit(lambda z, v, y: both(factor * kd(z, v), F.cross_entropy(z, y)))
    assert found.bugs == ["a factor on one part alone"], found


@pytest.mark.parametrize("rows", [16, 24])
def test_a_sum_that_stands_for_T_squared_in_this_batch_alone_is_named(rows: int) -> None:
    batch = draw(rows, 6), draw(rows, high=C)
    found = audit(lambda z, v, y: both(kd(z, v, "sum", 0), F.cross_entropy(z, y)), batch=batch)
    assert found.bugs == ["T^2 missing", "sum instead of a mean"], found
    assert audit(right, batch=batch).ok


@pytest.mark.parametrize("order", ["in turn", "together", "last"])
@pytest.mark.parametrize("rows", [24, 32])
def test_rows_without_a_label_hide_no_mean_over_all(rows: int, order: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return both(kd(z, v), F.cross_entropy(z, y, reduction="sum") / len(z))

    x, y = draw(rows, 6), draw(rows, high=C)
    bare = {"in turn": slice(0, None, 2), "together": slice(rows // 2, None)}
    y[bare.get(order, slice(rows // 2))] = -100
    found = audit(loss, batch=(x, y))
    assert found.bugs == ["mean over left-out rows"], found

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        return loss(student(batch[0]), teacher(batch[0]).detach(), batch[1])

    assert audit(None, batch=(x, y), step=step).bugs == ["mean over left-out rows"]


# -- tokens and pixels ----------------------------------------------------------------------------


def flat(loss: Loss) -> Loss:
    return lambda z, v, y: loss(z.flatten(0, 1), v.flatten(0, 1), y.flatten())


def masked_tokens(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    kept = y != -100
    return right(z[kept], v[kept], y[kept])


def mean_over_all(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(-1)
    return both(T**2 * (soft * (y != -100)).mean(), F.cross_entropy(z.flatten(0, 1), y.flatten()))


def closure_mask(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    kept = draw(8, 6, high=3) > 0
    return right(z[kept], v[kept], y[kept])


TOKENS: dict[str, tuple[list[str], Loss]] = {
    "flattened": ([], flat(right)),
    "masked": ([], masked_tokens),
    "mask of its own": ([], closure_mask),
    "batchmean": (
        ["batchmean over positions"],
        lambda z, v, y: both(kd(z, v), F.cross_entropy(z.flatten(0, 1), y.flatten())),
    ),
    "mean": (
        ["mean instead of batchmean"],
        lambda z, v, y: both(kd(z, v, "mean"), F.cross_entropy(z.transpose(1, 2), y)),
    ),
    "mean over all": (["mean over left-out rows"], mean_over_all),
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokens(name: str) -> None:
    bugs, loss = TOKENS[name]
    ids, y = draw(8, 6, high=20), draw(8, 6, high=11, seed=1)
    if name in ("masked", "mean over all"):
        y[:, 4:] = -100
    report = audit(loss, tokens(), tokens(seed=1).eval(), (ids, y))
    assert report.bugs == bugs, report
    if not bugs:
        assert alpha_of(report) == pytest.approx(ALPHA, rel=1e-6)


class Language(nn.Module):
    """In the way of a language model: keyword arguments, and an object with its own loss."""

    def __init__(self, seed: int = 0, mapping: bool = False, power: int = 1) -> None:
        super().__init__()
        self.body, self.mapping, self.power = tokens(seed=seed), mapping, power

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> Any:
        z, loss = self.body(input_ids), None
        if labels is not None:
            loss = F.cross_entropy(z[:, :-1].flatten(0, 1), labels[:, 1:].flatten()) ** self.power
        made = {"loss": loss, "logits": z, "past": None}
        return made if self.mapping else SimpleNamespace(**made)


def text(pad: str = "right") -> tuple[dict[str, Tensor], Tensor]:
    ids, mask = draw(6, 10, high=10) + 1, torch.ones(6, 10, dtype=torch.int64)
    for row in range(6):
        gone = slice(10 - row % 4, 10) if pad == "right" else slice(0, row % 4)
        ids[row, gone] = 0
        mask[row, gone] = 0
    y = ids.where(mask == 1, torch.tensor(-100))
    return {"input_ids": ids, "attention_mask": mask, "labels": y}, y


def compute_loss(student: Any, teacher: Any, batch: Any, pads: bool = False, power: int = 2) -> Any:
    inputs, _ = batch
    made = student(**inputs)
    with torch.no_grad():
        taught = teacher(**inputs)
    if not isinstance(made, dict):
        made, taught = vars(made), vars(taught)
    kept = inputs["attention_mask"][:, 1:].bool()
    if pads:
        kept = torch.ones_like(kept)
    z, v = (x["logits"][:, :-1][kept] for x in (made, taught))
    return both(kd(z, v, power=power), made["loss"])


@pytest.mark.parametrize("mapping", [False, True])
@pytest.mark.parametrize("pad", ["right", "left"])
def test_a_language_model_that_computes_its_own_loss(mapping: bool, pad: str) -> None:
    networks = Language(mapping=mapping), Language(1, mapping).eval()

    def look(**more: Any) -> Report:
        return audit(None, *networks, text(pad), step=lambda s, t, b: compute_loss(s, t, b, **more))

    report = look()
    assert report.ok and alpha_of(report) == pytest.approx(ALPHA, rel=1e-6), report
    assert look(power=0).bugs == ["T^2 missing"]
    assert look(pads=True).bugs == ["padding counted"]


def test_a_loss_of_the_networks_own_that_cannot_be_followed() -> None:
    networks = Language(power=2), Language(1, power=2).eval()
    report = audit(None, *networks, text(), step=compute_loss)
    assert report.ok and "a loss of its own" in report["soft part"].reason, report


def test_labels_that_are_the_inputs_have_to_be_shifted() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        inputs, y = batch
        kept = y != -100
        z = student(inputs["input_ids"]).logits[kept]
        return right(z, teacher(inputs["input_ids"]).logits.detach()[kept], y[kept])

    report = audit(None, Language(), Language(1).eval(), text(), step=step)
    assert report.bugs == ["labels not shifted"], report


def test_a_teacher_that_is_one_token_ahead() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        ids, y = batch
        z, v = student(ids)[:, :-1], teacher(ids).detach()[:, 1:]
        return right(z.flatten(0, 1), v.flatten(0, 1), y[:, 1:].flatten())

    ids = draw(6, 10, high=11)
    report = audit(None, tokens(), tokens(seed=1).eval(), (ids, ids), step=step)
    assert report.bugs == ["teacher's outputs out of step"], report


def per_pixel(power: int = 2, reduction: str = "none") -> Loss:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = F.kl_div(F.log_softmax(z / T, 1), F.softmax(v / T, 1), reduction=reduction)
        if reduction == "none":
            kept = y != 255
            soft = (soft.sum(1) * kept).sum() / kept.sum()
        return both(T**power * soft, F.cross_entropy(z, y, ignore_index=255))

    return loss


PIXELS = {
    "right": ([], per_pixel()),
    "no T^2": (["T^2 missing"], per_pixel(power=0)),
    "mean": (["mean instead of batchmean"], per_pixel(reduction="mean")),
    "batchmean": (["batchmean over positions"], per_pixel(reduction="batchmean")),
}


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("mapping", [False, True])
def test_pixels(name: str, mapping: bool) -> None:
    bugs, loss = PIXELS[name]
    x, y = draw(3, 3, 8, 8), draw(3, 8, 8, high=C)
    if name in ("right", "no T^2"):
        y[:, :2] = 255

    class Segmenter(nn.Sequential):
        def forward(self, x: Tensor) -> Any:
            z = super().forward(x)
            return OrderedDict(out=z, aux=z + 1) if mapping else z

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = teacher(batch[0])
        z = student(batch[0])
        return loss(z["out"], v["out"], batch[1]) if mapping else loss(z, v, batch[1])

    networks = Segmenter(nn.Conv2d(3, C, 3, padding=1)), Segmenter(nn.Conv2d(3, C, 1)).eval()
    assert audit(None, *networks, (x, y), step=step).bugs == bugs
    if not mapping:
        assert audit(loss, *networks, (x, y)).bugs == bugs


# -- sigmoid outputs ------------------------------------------------------------------------------


def sigmoids(power: int = 2, alpha: float = ALPHA, weight: Tensor | None = None) -> Loss:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        bce, y = F.binary_cross_entropy_with_logits, y.reshape(z.shape).to(z.dtype)
        soft = T**power * bce(z / T, torch.sigmoid(v / T))
        w = None if weight is None else weight.to(z.dtype)
        return both(soft, bce(z, y, pos_weight=w), alpha)

    return loss


@pytest.mark.parametrize("shape", [(32,), (32, 1), (32, 5)])
@pytest.mark.parametrize(
    ("power", "alpha", "bugs"),
    [(2, ALPHA, []), (0, ALPHA, ["T^2 missing"]), (2, 1 - ALPHA, ["alpha on the wrong term"])],
)
def test_one_sigmoid_output_and_several_labels_per_row(
    shape: tuple[int, ...], power: int, alpha: float, bugs: list[str]
) -> None:
    y = draw(*shape, high=2, seed=5).float()
    width = shape[1] if len(shape) > 1 else 1
    networks = [nn.Linear(6, width), nn.Linear(6, width).eval()]
    if len(shape) == 1:
        networks = [nn.Sequential(n, nn.Flatten(0)).train(n.training) for n in networks]
    report = audit(sigmoids(power, alpha), *networks, (BATCH[0], y))
    assert report.bugs == bugs, report
    if width == 1:
        assert audit(sigmoids(power, alpha), *networks, (BATCH[0], y.long())).bugs == bugs


def test_weights_of_positive_labels() -> None:
    y = draw(32, 5, high=2, seed=5).float()
    for power, bugs in ((2, []), (0, ["T^2 missing"])):
        report = audit(sigmoids(power, weight=CLASS_WEIGHTS), batch=(BATCH[0], y))
        assert report.bugs == bugs, report


def test_a_sigmoid_network_that_ends_in_its_sigmoid() -> None:
    student = nn.Sequential(nn.Linear(6, 1), nn.Sigmoid())
    batch = BATCH[0], draw(32, 1, high=2).float()
    report = audit(sigmoids(), student, nn.Linear(6, 1).eval(), batch)
    assert report.bugs == ["softmax twice"]
    tested = audit(
        sigmoids(),
        nn.Linear(6, 1),
        nn.Linear(6, 1).eval(),
        batch,
        predict=lambda z: (z / T).sigmoid(),
    )
    assert tested.bugs == ["student evaluated at T"]


def test_rows_of_probabilities_as_labels() -> None:
    report = audit(right, batch=(BATCH[0], F.one_hot(BATCH[1], C).float()))
    assert report.ok and alpha_of(report) == pytest.approx(ALPHA, rel=1e-6), report


@pytest.mark.parametrize("batch", [(BATCH[0],), (BATCH[0], None)])
def test_without_labels_at_alpha_1(batch: Any) -> None:
    report = audit(lambda z, v, y: kd(z, v), batch=batch, alpha=1.0)
    assert report.ok and report["soft part"].outcome == "passed", report
    swapped = audit(lambda z, v, y: kd(v, z), batch=batch, alpha=1.0)
    assert "arguments swapped" in swapped.bugs
    with pytest.raises(ValueError, match=r"no labels and alpha is 0\.7; .* declare alpha=1\."):
        audit(right, batch=batch)


# -- networks and how a step calls them -----------------------------------------------------------


class Parts(nn.Module):
    def __init__(self, width: int = 8, make: Callable[..., Any] = lambda f, z: z) -> None:
        super().__init__()
        self.body, self.head, self.make = nn.Linear(6, width), nn.Linear(width, C), make

    def forward(self, x: Tensor) -> Any:
        features = self.body(x).relu()
        return self.make(features, self.head(features))


Pair = namedtuple("Pair", ["features", "scores"])
STRUCTURES: dict[str, tuple[Callable[..., Any], Callable[[Any], Tensor]]] = {
    "features first": (lambda f, z: (f, z), lambda made: made[1]),
    "features last": (lambda f, z: [z, f], lambda made: made[0]),
    "named": (Pair, lambda made: made.scores),
    "mapping": (lambda f, z: {"features": f, "scores": z}, lambda made: made["scores"]),
    "object": (lambda f, z: SimpleNamespace(logits=z, hidden=(f,)), lambda made: made.logits),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_stand_in_answers_in_the_networks_own_structure(name: str) -> None:
    make, take = STRUCTURES[name]
    for power, bugs in ((2, []), (0, ["T^2 missing"])):

        def step(student: Any, teacher: Any, batch: Any, power: int = power) -> Tensor:
            v = take(teacher(batch[0])).detach()
            z = take(student(batch[0]))
            return both(kd(z, v, power=power), F.cross_entropy(z, batch[1]))

        report = audit(None, Parts(8, make), Parts(12, make).eval(), step=step)
        assert report.bugs == bugs, report


def test_two_heads_one_for_the_labels_and_one_for_the_teacher() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(6, C), nn.Linear(6, C)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.one(x), self.two(x)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z, distilled = student(batch[0])
        return both(kd(distilled, teacher(batch[0]).detach()), F.cross_entropy(z, batch[1]))

    report = audit(None, Heads(), step=step)
    assert report.ok and alpha_of(report) == pytest.approx(ALPHA, rel=1e-6), report


PARTS: dict[str, Loss] = {
    "student": lambda s, t, b: right(s.head(s.body(b[0]).relu()), t(b[0]).detach(), b[1]),
    "teacher": lambda s, t, b: right(s(b[0]), t.head(t.body(b[0]).relu()).detach(), b[1]),
}


@pytest.mark.parametrize("who", PARTS)
def test_a_network_that_is_called_by_its_parts_cannot_be_followed(who: str) -> None:
    report = audit(None, Parts(), Parts().eval(), step=PARTS[who])
    assert report.ok, report
    for name in ("soft part", "labels", "alpha", "graph"):
        assert report[name].outcome == UNKNOWN
        assert f"did not call the {who} that it was handed" in report[name].reason


@pytest.mark.parametrize(
    "hard", [F.cross_entropy, by_class, functools.partial(F.cross_entropy, label_smoothing=0.1)]
)
def test_a_teacher_that_is_never_called_is_missing(hard: Any) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        return hard(student(batch[0]), batch[1])

    assert audit(None, step=step).bugs == ["a part is missing"]


def by_weights(z: Tensor, teacher: Any, x: Tensor) -> Tensor:
    return kd(z, F.linear(x, teacher.weight, teacher.bias).detach())


def by_table(z: Tensor, teacher: Any, x: Tensor) -> Tensor:
    return kd(z, 2 * draw(32, C, seed=9).to(z.dtype)[: len(z)])


BARE = nn.Linear(6, C, device="meta")


def stacked(z: Tensor, teacher: Any, x: Tensor) -> Tensor:
    def answer(p: Any, b: Any) -> Any:
        return torch.func.functional_call(BARE, (p, b), (x,))

    held = torch.func.stack_module_state([teacher, teacher])
    return kd(z, torch.vmap(answer)(*held).mean(0).detach())


@pytest.mark.parametrize("soft", [by_weights, by_table, stacked])
def test_a_teacher_that_is_asked_past_its_call_could_not_be_told(soft: Any) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z = student(batch[0])
        return both(soft(z, teacher, batch[0]), F.cross_entropy(z, batch[1]))

    report = audit(None, teacher=nn.Linear(6, C).eval(), step=step)
    assert report.ok, report
    for name in ("soft part", "labels", "alpha"):
        assert "did not call the teacher that it was handed" in report[name].reason


def test_a_step_finds_its_networks_by_itself() -> None:
    student, teacher = net(), net(seed=1).eval()

    def training_step(batch: Any) -> dict[str, Tensor]:
        x, y = batch
        with torch.no_grad():
            v = teacher(x)
        return {"loss": both(kd(student(x), v, power=0), F.cross_entropy(student(x), y))}

    report = audit(None, student, teacher, step=lambda s, t, b: training_step(b))
    assert report.bugs == ["T^2 missing"]


def test_a_step_may_unwrap() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        return both(
            kd(student.module(batch[0]), teacher(batch[0]).detach(), power=0),
            F.cross_entropy(student.module(batch[0]), batch[1]),
        )

    assert audit(None, nn.DataParallel(net()), step=step).bugs == ["T^2 missing"]


def test_the_networks_are_themselves_again() -> None:
    student, teacher = net(), net(seed=1).eval()
    audit(None, student, teacher, step=lambda s, t, b: right(s(b[0]), t(b[0]).detach(), b[1]))
    assert "forward" not in vars(student) and "forward" not in vars(teacher)


class Adapted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base, self.adapter, self.on = net().requires_grad_(False), nn.Linear(6, C), True

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.adapter(x) if self.on else self.base(x)

    @contextlib.contextmanager
    def disable_adapter(self) -> Iterator[None]:
        self.on = False
        try:
            yield
        finally:
            self.on = True


@pytest.mark.parametrize("handed", ["the same", "a function", "none"])
@pytest.mark.parametrize(("power", "bugs"), [(2, []), (0, ["T^2 missing"])])
def test_adapters_on_and_off(handed: str, power: int, bugs: list[str]) -> None:
    model = Adapted()

    def plain(x: Tensor) -> Tensor:
        with model.disable_adapter():
            return model(x)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z = student(batch[0])
        with torch.no_grad(), student.disable_adapter():
            v = student(batch[0])
        return both(kd(z, v, power=power), F.cross_entropy(z, batch[1]))

    teacher = {"the same": model, "a function": plain, "none": None}[handed]
    report = audit(None, model, teacher, step=step)
    assert report.bugs == bugs, report
    assert model.on


@pytest.mark.parametrize("averaged", [False, True])
def test_a_moving_average_of_the_student_is_not_in_train_mode(averaged: bool) -> None:
    student = net()
    teacher = torch.optim.swa_utils.AveragedModel(student) if averaged else net(seed=1)
    teacher.eval()
    before = [p.detach().clone() for p in teacher.parameters()]

    def step(s: Any, t: Any, batch: Any) -> Tensor:
        z = s(batch[0])
        with torch.no_grad():
            v = t(batch[0])
            for mine, his in zip(t.parameters(), s.parameters(), strict=True):
                mine.mul_(0.9).add_(his, alpha=0.1)
        return right(z, v, batch[1])

    report = audit(None, student, teacher, step=step)
    assert report.ok and report["teacher mode"].outcome == "passed", report
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))


def changing(kind: str) -> Loss:
    count, own = itertools.count(1), torch.Generator()

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        if kind == "warm-up":
            return both(kd(z, v), F.cross_entropy(z, y), ALPHA * min(1, next(count) / 100))
        return right(z + 0.1 * torch.randn(z.shape, generator=own), v, y)

    return loss


@pytest.mark.parametrize("kind", ["warm-up", "noise"])
def test_a_loss_that_changes_from_call_to_call_is_said(kind: str) -> None:
    report = audit(changing(kind))
    assert report.ok, report
    for name in ("graph", "alpha", "soft part"):
        assert report[name].outcome == UNKNOWN and "from call to call" in report[name].reason


RANDOM: dict[str, Loss] = {
    "a weight": lambda z, v, y: both(kd(z, v) * 2 * torch.rand(()).to(z), F.cross_entropy(z, y)),
    "noise": lambda z, v, y: right(z + 0.1 * torch.randn_like(z), v, y),
    "dropout": lambda z, v, y: both(kd(F.dropout(z, 0.2), v), F.cross_entropy(z, y)),
    "numpy": lambda z, v, y: both(kd(z, v) * np.random.rand(), F.cross_entropy(z, y)),
}


@pytest.mark.parametrize("name", RANDOM)
def test_a_loss_with_random_numbers_of_the_global_generators_is_said(name: str) -> None:
    report = audit(RANDOM[name])
    assert report.ok, report
    for check in ("graph", "alpha", "soft part"):
        assert report[check].outcome == UNKNOWN and "from call to call" in report[check].reason


@pytest.mark.parametrize("calls", [20, 40, 60])
def test_a_warm_up_that_ends_amid_the_audit_is_said(calls: int) -> None:
    count = itertools.count(1)

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return right(z, v, y) if next(count) > calls else F.cross_entropy(z, y)

    report = audit(loss)
    assert next(count) > calls and report.ok, report
    for check in ("graph", "alpha", "soft part", "order"):
        assert report[check].outcome != "failed"
        assert check == "order" or "from call to call" in report[check].reason


@pytest.mark.parametrize(
    ("reduction", "bugs"), [("batchmean", []), ("mean", ["mean instead of batchmean"])]
)
@pytest.mark.parametrize("where", ["step", "loss"])
def test_a_vocabulary_that_is_cut_in_the_loop(reduction: str, bugs: list[str], where: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return both(kd(z, v[:, : z.shape[1]], reduction), F.cross_entropy(z, y))

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        return loss(student(batch[0]), teacher(batch[0]).detach(), batch[1])

    networks = nn.Linear(6, 8), nn.Linear(6, 10).eval()
    batch = BATCH[0], draw(32, high=8)
    report = (
        audit(None, *networks, batch, step=step)
        if where == "step"
        else audit(loss, *networks, batch)
    )
    assert report.bugs == bugs, report


PADDED: dict[str, Callable[[Tensor, float], Tensor]] = {
    "logits": lambda v, t: F.softmax(F.pad(v, (0, 3), value=-1e9) / t, -1),
    "probabilities": lambda v, t: F.pad(F.softmax(v / t, -1), (0, 3)),
    "in another order": lambda v, t: F.pad(F.softmax(v[:, [1, 2, 3, 4, 0]] / t, -1), (0, 3)),
}


@pytest.mark.parametrize("bug", ["", "T^2 missing", "mean instead of batchmean", "T on one side"])
@pytest.mark.parametrize("how", PADDED)
def test_a_teacher_of_fewer_classes_may_give_the_others_nothing(how: str, bug: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        p = PADDED[how](v, 1.0 if bug == "T on one side" else T)
        reduction = "mean" if bug.startswith("mean") else "batchmean"
        soft = F.kl_div(F.log_softmax(z / T, -1), p, reduction=reduction)
        return both(soft * (1 if bug == "T^2 missing" else T**2), F.cross_entropy(z, y))

    report = audit(loss, nn.Linear(6, 8), nn.Linear(6, C).eval())
    assert [found[: len(bug)] for found in report.bugs] == ([bug] if bug else []), report
    assert bug or "have a probability" in report["soft part"].reason


def test_the_way_out_of_other_classes_is_one() -> None:
    student, teacher, batch = nn.Linear(6, 8), nn.Linear(6, 10).eval(), (BATCH[0], draw(32, high=8))
    with pytest.raises(ValueError, match=r"teacher=lambda x: teacher\(x\)\[\.\.\., :8\]\.$"):
        audit(right, student, teacher, batch)
    assert audit(right, student, lambda x: teacher(x)[..., :8], batch).ok


# -- the teacher ----------------------------------------------------------------------------------


def good_teacher(order: list[int]) -> tuple[nn.Linear, tuple[Tensor, Tensor]]:
    centres, y = 4 * draw(C, 6, seed=3), draw(256, high=C, seed=4)
    x = centres[y] + 0.5 * draw(256, 6, seed=5)
    teacher = nn.Linear(6, C).eval()
    with torch.no_grad():
        teacher.weight.copy_(centres[order])
        teacher.bias.copy_(-centres[order].square().sum(1) / 2)
    return teacher, (x, y)


@pytest.mark.parametrize(
    ("order", "fails"), [([0, 1, 2, 3, 4], False), ([1, 2, 3, 4, 0], True), ([0, 1, 2, 4, 3], True)]
)
@pytest.mark.parametrize("cached", [False, True])
def test_a_teacher_with_its_classes_in_another_order(
    order: list[int], fails: bool, cached: bool
) -> None:
    teacher, (x, y) = good_teacher(order)
    batch = (x, y, teacher(x).detach()) if cached else (x, y)
    report = audit(right, teacher=None if cached else teacher, batch=batch)
    assert report.bugs == (["teacher's classes in another order"] if fails else []), report
    assert "of 256 labels" in report["teacher quality"].reason
    # The advice: bring them into the student's order.
    back = torch.tensor(order).argsort()
    assert audit(lambda z, v, y: right(z, v[:, back], y), teacher=teacher, batch=(x, y)).ok
    assert audit(right, teacher=lambda x: teacher(x)[:, back], batch=(x, y)).ok


@pytest.mark.parametrize("rows", [4, 20, 100])
@pytest.mark.parametrize("classes", [2, 10, 50])
def test_a_teacher_that_guesses_is_not_accused(rows: int, classes: int) -> None:
    for seed in range(3):
        batch = draw(rows, 6, seed=seed), draw(rows, high=classes, seed=seed + 10)
        report = audit(right, net(classes), net(classes, seed + 1).eval(), batch)
        assert report.ok, report


@pytest.mark.parametrize("width", [None, 32])
def test_an_untrained_teacher_is_not_told_another_order(width: int | None) -> None:
    """On classes well apart it gives several of them one answer: no exchange explains that."""
    _, batch = good_teacher([0, 1, 2, 3, 4])
    for seed in range(12):
        torch.manual_seed(seed)
        middle = [nn.Linear(6, width), nn.ReLU(), nn.Linear(width, C)] if width else None
        teacher = nn.Sequential(*(middle or [nn.Linear(6, C)])).eval()
        report = audit(right, teacher=teacher, batch=batch)
        assert report.ok, (seed, report)
        assert "by chance it would be" in report["teacher quality"].reason


@pytest.mark.parametrize("skill", [0.6, 0.8])
def test_a_teacher_of_middling_skill_is_told_its_order(skill: float) -> None:
    _, (x, y) = good_teacher([0, 1, 2, 3, 4])
    wrong = torch.rand(256, generator=torch.Generator().manual_seed(1)) > skill
    said = torch.where(wrong, draw(256, high=C, seed=8), y)
    cached = 4 * F.one_hot((said + 1) % C, C) + draw(256, C)
    report = audit(right, teacher=None, batch=(x, y, cached))
    assert report.bugs == ["teacher's classes in another order"], report


def test_one_member_with_its_classes_in_another_order_is_told_by_its_number() -> None:
    orders = [0, 1, 2, 3, 4], [1, 2, 3, 4, 0], [0, 1, 2, 3, 4]
    _, batch = good_teacher(orders[0])
    teachers = [good_teacher(order)[0] for order in orders]

    def step(student: Any, teachers: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = torch.stack([t(batch[0]) for t in teachers]).mean(0)
        return right(student(batch[0]), v, batch[1])

    report = audit(None, teacher=teachers, batch=batch, step=step)
    assert report.bugs == ["teacher's classes in another order"], report
    assert "1 of 3 members (number 1)" in report["teacher quality"].reason
    assert audit(None, teacher=[teachers[0], teachers[2]], batch=batch, step=step).ok


def test_a_teacher_that_says_one_thing() -> None:
    teacher = nn.Linear(6, C).eval()
    nn.init.zeros_(teacher.weight)
    assert audit(right, teacher=teacher).bugs == ["teacher's output is constant"]


MEMBERS: dict[str, tuple[list[str], Callable[[list[Any], Tensor], Tensor]]] = {
    "the last": (["a member is not heard"], lambda t, x: [m(x) for m in t][-1]),
    "the first two": (["a member is not heard"], lambda t, x: (t[0](x) + t[1](x)) / 2),
    "the mean": ([], lambda t, x: torch.stack([m(x) for m in t]).mean(0)),
    "weighed": ([], lambda t, x: 0.2 * t[0](x) + 0.3 * t[1](x) + 0.5 * t[2](x)),
    "one at random": ([], lambda t, x: random.choice(t)(x)),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_each_member_is_asked_for_its_influence(name: str) -> None:
    bugs, pool = MEMBERS[name]

    def step(student: Any, teachers: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = pool(list(teachers), batch[0])
        return right(student(batch[0]), v, batch[1])

    teachers = [net(seed=s).eval() for s in (1, 2, 3)]
    assert audit(None, teacher=teachers, step=step).bugs == bugs


# -- time -----------------------------------------------------------------------------------------

LARGE: dict[str, tuple[list[str], Loss]] = {
    "right": ([], right),
    "unnamed": (["another loss"], lambda z, v, y: both((z**4 * v).mean(), F.cross_entropy(z, y))),
    "its own classes": (
        ["another loss"],
        lambda z, v, y: both((z.view(-1, 32_000) ** 4 * v).mean(), F.cross_entropy(z, y)),
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_32000_classes_take_seconds(name: str) -> None:
    bugs, loss = LARGE[name]
    networks = nn.Linear(6, 32_000), nn.Linear(6, 32_000).eval()
    batch = draw(16, 6), draw(16, high=32_000)
    start = time.process_time()
    assert audit(loss, *networks, batch).bugs == bugs
    assert time.process_time() - start < 10


# -- batches that are mappings, steps that call backward, teachers that are the student -----------


def mapped(step_batch: Any, *, pop: bool) -> Any:
    return step_batch.pop("labels") if pop else step_batch["labels"]


@pytest.mark.parametrize("pop", [False, True])
@pytest.mark.parametrize(
    ("power", "bugs"), [(2, []), (1, ["T instead of T^2"]), (0, ["T^2 missing"])]
)
def test_a_batch_may_be_a_mapping(power: int, bugs: list[str], pop: bool) -> None:
    """With weights that no network is given; the loop may take the labels out of it."""

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        y, w = mapped(batch, pop=pop), batch["weight"]
        z = student(batch["x"])
        with torch.no_grad():
            v = teacher(batch["x"])
        kl = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(-1)
        rows = both(T**power * kl, F.cross_entropy(z, y, reduction="none"))
        return (w / w.sum() * rows).sum()

    batch = {"x": BATCH[0], "labels": BATCH[1], "weight": draw(32).abs() + 0.1}
    kept = dict(batch)
    assert audit(None, batch=batch, step=step).bugs == bugs
    assert batch == kept and all(batch[key] is kept[key] for key in kept)


class Beside(nn.Module):
    """A network that is given a mask, or a weight of its rows, beside its inputs."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        return self.body(x) * beside.unsqueeze(-1)


@pytest.mark.parametrize("power", [2, 0])
@pytest.mark.parametrize("what", ["mask", "weight", "of what the step makes"])
def test_floats_that_a_network_is_given_beside_its_inputs_keep_their_values(
    what: str, power: int
) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, w, y = batch["x"], batch["mask" if what == "mask" else "weight"], batch["labels"]
        x = x * 2 if what == "of what the step makes" else x
        z = student(x, w)
        with torch.no_grad():
            v = teacher(x, w)
        if what == "mask":
            kept = w.bool()
            return both(kd(z[kept], v[kept], power=power), F.cross_entropy(z[kept], y[kept]))
        hard = F.cross_entropy(z, y, reduction="none")
        return both(kd(z, v, power=power), (w * hard).mean())

    mask = torch.ones(6, 7)
    mask[:3, 4:] = 0
    if what == "mask":
        batch = {"x": draw(6, 7, high=20), "mask": mask, "labels": draw(6, 7, high=11)}
        body = tokens
    else:
        batch = {"x": BATCH[0], "weight": torch.ones(32), "labels": BATCH[1]}
        body = net
    report = audit(None, Beside(body()), Beside(body(seed=1)).eval(), batch, step=step)
    assert report.bugs == ([] if power else ["T^2 missing"]), report


def test_a_mapping_without_labels_is_for_alpha_1() -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = teacher(batch["x"])
        return kd(student(batch["x"]), v)

    assert audit(None, batch={"x": BATCH[0]}, step=step, alpha=1.0).ok
    with pytest.raises(ValueError, match=r"no labels and alpha is 0\.7"):
        audit(None, batch={"x": BATCH[0]}, step=step)
    with pytest.raises(TypeError, match="mapping with the labels under one of labels, label, "):
        audit(None, batch=7, step=step)


@pytest.mark.parametrize("chunks", [1, 4])
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize(("power", "bugs"), [(2, []), (0, ["T^2 missing"])])
def test_a_step_may_call_backward_itself(
    power: int, bugs: list[str], detached: bool, chunks: int
) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        student.zero_grad()
        total = torch.zeros(())
        for x, y in zip(*(part.chunk(chunks) for part in batch), strict=True):
            with torch.no_grad():
                v = teacher(x)
            z = student(x)
            loss = both(kd(z, v, power=power), F.cross_entropy(z, y)) / chunks
            loss.backward()
            total = total + (loss.detach() if detached else loss)
        return total

    student = net()
    assert audit(None, student, step=step).bugs == bugs
    assert all(p.grad is None for p in student.parameters())


class Switched(nn.Module):
    """A network with an adapter that may be switched off; at first it adds nothing."""

    def __init__(self, learnt: bool) -> None:
        super().__init__()
        self.base = net().requires_grad_(False)
        self.adapter = nn.Linear(6, C)
        self.on = True
        if not learnt:
            nn.init.zeros_(self.adapter.weight)
            nn.init.zeros_(self.adapter.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.adapter(x) * self.on


@pytest.mark.parametrize("learnt", [False, True])
@pytest.mark.parametrize(("off", "bugs"), [(True, []), (False, ["the student teaches itself"])])
def test_a_teacher_that_is_the_student(off: bool, bugs: list[str], learnt: bool) -> None:
    """Switched off it is a teacher, though it answers as the student does before the first step."""
    model = Switched(learnt)

    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            return self.model(x)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        model.on = not off
        with torch.no_grad():
            v = teacher(batch[0])
        model.on = True
        return right(student(batch[0]), v, batch[1])

    assert audit(None, Student(), model, step=step).bugs == bugs


@pytest.mark.parametrize("weight", [torch.ones(C), torch.tensor([0.2, 0.5, 1.0, 2.0, 4.0])])
def test_class_weights_inside_the_kl(weight: Tensor) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        kl = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none")
        soft = (kl * weight.to(z.dtype)).sum(-1).mean()
        return both(T * T * soft, F.cross_entropy(z, y, weight=weight.to(z.dtype)))

    expected = [] if (weight == 1).all() else ["class weights inside KL"]
    assert audit(loss).bugs == expected


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("part", "bugs"), [(slice(8), []), (slice(3, 11), ["the wrong end of the vocabulary"])]
)
def test_a_vocabulary_is_cut_at_its_end(part: slice, bugs: list[str], masked: bool) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        keep = batch[1] >= 0
        with torch.no_grad():
            v = teacher(batch[0])[..., part]
        return right(student(batch[0])[keep], v[keep], batch[1][keep])

    y = draw(6, 7, high=8)
    if masked:
        y[:, 5:] = -100
    batch = draw(6, 7, high=20), y
    assert audit(None, tokens(8), tokens(11, seed=1).eval(), batch, step=step).bugs == bugs


def test_float32_inside_a_loss_is_no_cut_graph() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = F.binary_cross_entropy_with_logits(z / T, torch.sigmoid(v.float() / T).to(z.dtype))
        return both(T * T * soft, F.binary_cross_entropy_with_logits(z, y.to(z.dtype)))

    batch = BATCH[0], (draw(32, C) > 0.3).float()
    assert audit(loss, batch=batch).bugs == []


def test_rows_that_a_wrapper_flattens_are_not_passed_in_silence() -> None:
    def flat(network: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda x: network(x).flatten(0, 1)

    ids, y = draw(8, 4, high=20), draw(8, 4, high=11)
    networks = flat(tokens()), flat(tokens(seed=1).eval())
    found = audit(right, *networks, batch=(ids, y.flatten()))
    assert found.ok and found["rows"].outcome == UNKNOWN
    assert "32 rows for 8 inputs" in found["rows"].reason


@pytest.mark.parametrize(("off", "bugs"), [(True, []), (False, ["the student teaches itself"])])
def test_one_network_in_both_roles(off: bool, bugs: list[str]) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        student.on = not off
        with torch.no_grad():
            v = teacher(batch[0])
        student.on = True
        return right(student(batch[0]), v, batch[1])

    model = Switched(learnt=True)
    assert audit(None, model, model, step=step).bugs == bugs


def test_logits_are_told_from_boxes_by_the_labels() -> None:
    """A detector's boxes have a shape that would do for fewer classes."""

    class Detector(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.score, self.box = net(9, seed), net(4, seed)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"score": self.score(x), "box": self.box(x)}

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z = student(batch[0])["score"]
        with torch.no_grad():
            v = teacher(batch[0])["score"]
        return both(kd(z, v, power=1), F.cross_entropy(z, batch[1]))

    batch = draw(20, 6), draw(20, high=9)
    found = audit(None, Detector(0), Detector(1).eval(), batch, step=step)
    assert found.bugs == ["T instead of T^2"]


def test_padding_that_nothing_counts_is_no_fault_without_labels() -> None:
    mask = (torch.arange(8) < torch.tensor([8, 6, 3, 7, 5, 4])[:, None]).long()
    batch = {"input_ids": draw(6, 8, high=19) * mask, "attention_mask": mask}

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        with torch.no_grad():
            v = teacher(batch["input_ids"])
        z, m = student(batch["input_ids"]), batch["attention_mask"]
        kl = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(-1)
        return T * T * (kl * m).sum() / m.sum()

    assert audit(None, tokens(), tokens(seed=1).eval(), batch, 1.0, step=step).bugs == []

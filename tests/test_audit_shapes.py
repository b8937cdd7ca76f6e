"""Softmax over the wrong axis, a factor on one part, flattened networks, a student left in eval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers.audit import Report, check_distillation_setup

T, ALPHA, C = 2.0, 0.7, 5
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def kl(z: Tensor, v: Tensor, dim: int = -1, target: int | None = None) -> Tensor:
    p = F.softmax(v / T, dim if target is None else target)
    return F.kl_div(F.log_softmax(z / T, dim), p, reduction="sum")


def tokens(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Embedding(11, 8), nn.Linear(8, C)).train(seed == 0)


def pixels(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Conv2d(3, C, 3, padding=1).train(seed == 0)


def rows(seed: int, *middle: nn.Module) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = nn.Sequential(nn.Linear(6, 9), *middle, nn.ReLU(), nn.Linear(9, C))
    return made.train(seed == 0)


def draw(*shape: int, high: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    if high:
        return torch.randint(high, shape, generator=generator)
    return torch.randn(shape, generator=generator)


IDS, WORDS = draw(6, 4, high=11), draw(6, 4, high=C)
IMAGES, MASKS = draw(4, 3, 5, 6), draw(4, 5, 6, high=C)
X, Y = draw(24, 6), draw(24, high=C)


def audit(student: Any, teacher: Any, batch: Any, loss: Loss | None, **more: Any) -> Report:
    return check_distillation_setup(
        student, teacher, batch, loss, temperature=T, alpha=ALPHA, **more
    )


# -- softmax over something else than the classes -------------------------------------------------


@pytest.mark.parametrize(
    ("dims", "bug"),
    [
        ((1, None), "softmax over positions"),
        ((1, -1), "softmax over positions"),
        ((-1, 1), "softmax over positions"),
        ((0, None), "softmax over the batch"),
        ((-1, None), ""),
    ],
)
def test_softmax_over_an_axis_of_tokens(dims: tuple[int, int | None], bug: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = T**2 * kl(z, v, *dims) / y.numel()
        return ALPHA * soft + (1 - ALPHA) * F.cross_entropy(z.flatten(0, 1), y.flatten())

    found = audit(tokens(0), tokens(1), (IDS, WORDS), loss)
    assert found.bugs == ([bug] if bug else []), found
    if bug:
        target = dims[0] if dims[1] is None else dims[1]
        words = f"softmax(v / T, {target}) * log_softmax(z / T, {dims[0]})"
        assert words in found["soft part"].reason, found


@pytest.mark.parametrize(
    ("dim", "bug"), [(1, ""), (2, "positions"), (3, "positions"), (0, "the batch")]
)
def test_softmax_over_an_axis_of_images(dim: int, bug: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return ALPHA * T**2 * kl(z, v, dim) / y.numel() + (1 - ALPHA) * F.cross_entropy(z, y)

    found = audit(pixels(0), pixels(1), (IMAGES, MASKS), loss)
    assert found.bugs == ([f"softmax over {bug}"] if bug else []), found
    if bug:  # the axis as the network has it, classes second
        assert f"softmax(v / T, {dim}) * log_softmax(z / T, {dim})" in found["soft part"].reason


def test_softmax_over_an_axis_of_images_on_one_side() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return ALPHA * T**2 * kl(z, v, 1, 3) / y.numel() + (1 - ALPHA) * F.cross_entropy(z, y)

    found = audit(pixels(0), pixels(1), (IMAGES, MASKS), loss)
    assert "softmax(v / T, 3) * log_softmax(z / T, 1)" in found["soft part"].reason, found


@pytest.mark.parametrize("tempered", [True, False])
def test_softmax_over_labels_that_do_not_exclude_each_other(tempered: bool) -> None:
    t = T if tempered else 1.0

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = F.kl_div(F.log_softmax(z / t, 1), F.softmax(v / t, 1), reduction="batchmean")
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.binary_cross_entropy_with_logits(z, y)

    y = (draw(24, C) > 0.4).float()
    found = audit(rows(0), rows(1), (X, y), loss)
    assert found.bugs == ["softmax over independent labels"], found


# -- other mistakes beside smoothed labels --------------------------------------------------------


@pytest.mark.parametrize(
    ("soft", "bug"),
    [
        (
            lambda z, v: F.kl_div(
                F.log_softmax(z / T, 1), F.softmax(v / T, 1), reduction="batchmean", log_target=True
            ),
            "probabilities where log_target=True",
        ),
        (lambda z, v: F.cross_entropy(z, F.softmax(v / T, 1)), "T on one side only"),
        (lambda z, v: F.cross_entropy(z / T, v), "logits where probabilities belong"),
        (lambda z, v: F.cross_entropy(z / T, F.softmax(v / T, 1)), ""),
    ],
)
def test_smoothed_labels_hide_no_mistake_of_the_teachers_part(soft: Any, bug: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        hard = F.cross_entropy(z, y, label_smoothing=0.1)
        return ALPHA * T**2 * soft(z, v) + (1 - ALPHA) * hard

    found = audit(rows(0), rows(1), (X, Y), loss)
    assert (bug in found.bugs) if bug else found.bugs == [], found
    assert "another loss" not in found.bugs


# -- a factor on one part alone -------------------------------------------------------------------


@pytest.mark.parametrize("part", ["soft", "hard"])
@pytest.mark.parametrize("factor", [0.25, 1 / 8, 1 / 3, 3.0])
def test_a_factor_on_one_part_is_named_and_not_explained_away(part: str, factor: float) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft, hard = T**2 * kl(z, v) / len(z), F.cross_entropy(z, y)
        soft, hard = (factor * soft, hard) if part == "soft" else (soft, factor * hard)
        return ALPHA * soft + (1 - ALPHA) * hard

    found = audit(rows(0), rows(1), (X, Y), loss)
    if (part, factor) == ("soft", 0.25):  # 1 / T^2
        assert found.bugs == ["T^2 missing"]
    else:
        assert found.bugs == ["a factor on one part alone"], found
        name = "teacher's" if part == "soft" else "labels'"
        assert f"the {name} part is {factor:.4g} times the declared one" in str(found)


@pytest.mark.parametrize(
    ("soft", "hard", "bug"),
    [
        (ALPHA * T**4, 1 - ALPHA, "T^2 twice"),
        (ALPHA, 1 - ALPHA, "T^2 missing"),
        (ALPHA * T**2, 1.0, "a weight left out"),
        (T**2, 1 - ALPHA, "a weight left out"),
        (ALPHA, (1 - ALPHA) * T**2, "T^2 on the wrong term"),
        (0.45 * T**2, 0.55, "another alpha"),
    ],
)
def test_mistakes_that_explain_both_weights_keep_their_names(
    soft: float, hard: float, bug: str
) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return soft * kl(z, v) / len(z) + hard * F.cross_entropy(z, y)

    found = audit(rows(0), rows(1), (X, Y), loss)
    assert found.bugs == [bug], found


# -- a wrapper that flattens ----------------------------------------------------------------------


def flat(network: nn.Module) -> Callable[[Tensor], Tensor]:
    def ask(x: Tensor) -> Tensor:
        made = network(x)
        return (made.movedim(1, -1) if made.ndim == 4 else made).flatten(0, -2)

    return ask


def of_any_shape(divide: bool) -> Loss:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        count = y.numel() if divide else len(z)
        hard = F.cross_entropy(z.flatten(0, -2), y.flatten())
        return ALPHA * T**2 * kl(z, v) / count + (1 - ALPHA) * hard

    return loss


def frames(seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Linear(2, C).train(seed == 0)


def of_images(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    soft = F.kl_div(F.log_softmax(z / T, 1), F.softmax(v / T, 1), reduction="batchmean")
    return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y)


@pytest.mark.parametrize(
    ("network", "batch", "loss", "count"),
    [
        (tokens, (IDS, WORDS), of_any_shape(False), 4),
        (tokens, (draw(6, C, high=11), draw(6, C, high=C)), of_any_shape(False), C),
        (frames, (draw(3, 4, 2), draw(3, 4, high=C)), of_any_shape(False), 4),
    ],
)
@pytest.mark.parametrize("cached", [False, True])
def test_a_wrapper_that_flattens_hides_no_sum_over_positions(
    network: Any, batch: Any, loss: Loss, count: int, cached: bool
) -> None:
    inputs, y = batch
    student, teacher = network(0), network(1)
    given: Any = (inputs, y.flatten())
    if cached:
        given = (*given, flat(teacher)(inputs).detach())
    found = audit(flat(student), flat(teacher), given, loss)
    assert found.bugs == ["batchmean over positions"], found
    assert "before a wrapper flattens" in found["reduction"].reason
    assert found.effective is not None
    assert found.effective.alpha == pytest.approx(ALPHA * count / (ALPHA * count + 1 - ALPHA))
    as_it_is = audit(student, teacher, batch, loss)
    assert as_it_is.effective is not None
    assert found.effective.alpha == pytest.approx(as_it_is.effective.alpha)


def test_a_wrapper_that_flattens_for_a_loss_that_is_right_either_way_or_takes_rows_alone() -> None:
    def of_rows(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * F.cross_entropy(z, y)

    square = draw(6, C, high=11), draw(6, C, high=C)  # as many positions as classes
    for network, (inputs, y), loss in (
        (tokens, (IDS, WORDS), of_any_shape(True)),
        (tokens, (IDS, WORDS), of_rows),
        (tokens, square, of_rows),
        (pixels, (IMAGES, MASKS), of_images),
    ):
        found = audit(flat(network(0)), flat(network(1)), (inputs, y.flatten()), loss)
        assert found.bugs == [], found
        assert found.effective is not None
        assert found.effective.alpha == pytest.approx(ALPHA)


# -- a student left in eval mode ------------------------------------------------------------------


def step(student: Any, teacher: Any, batch: Any) -> Tensor:
    z = student(batch[0])
    with torch.no_grad():
        v = teacher(batch[0])
    return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * F.cross_entropy(z, batch[1])


def step_that_trains(student: Any, teacher: Any, batch: Any) -> Tensor:
    student.train()
    return step(student, teacher, batch)


@pytest.mark.parametrize(
    ("middle", "trains", "warnings"),
    [
        (nn.Dropout(0.5), False, ["student in eval mode"]),
        (nn.BatchNorm1d(9), False, ["student in eval mode"]),
        (nn.BatchNorm1d(9), True, []),
        (nn.Identity(), False, []),
    ],
)
def test_a_student_that_the_step_leaves_in_eval_mode(
    middle: nn.Module, trains: bool, warnings: list[str]
) -> None:
    student = rows(0, middle).eval()
    asked = step_that_trains if trains else step
    found = audit(student, rows(1), (X, Y), None, step=asked)
    assert (found.warnings, found.ok) == (warnings, True), found
    assert not student.training


def step_that_looks(student: Any, teacher: Any, batch: Any) -> Tensor:
    """Ask for accuracy in eval mode on the way."""
    student.eval()
    with torch.no_grad():
        student(batch[0]).argmax(1)
    student.train()
    return step(student, teacher, batch)


def step_that_forgets(student: Any, teacher: Any, batch: Any) -> Tensor:
    student.eval()
    return step(student, teacher, batch)


def step_that_looks_and_forgets(student: Any, teacher: Any, batch: Any) -> Tensor:
    with torch.no_grad():
        student(batch[0]).argmax(1)
    return step_that_forgets(student, teacher, batch)


def step_with_backward(student: Any, teacher: Any, batch: Any) -> Tensor:
    loss = step_that_looks_and_forgets(student, teacher, batch)
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("asked", "middle", "warnings"),
    [
        (step, nn.Dropout(0.5), []),
        (step_that_looks, nn.Dropout(0.5), []),
        (step_that_forgets, nn.Dropout(0.5), ["student in eval mode"]),
        (step_that_forgets, nn.BatchNorm1d(9), ["student in eval mode"]),
        (step_that_forgets, nn.Identity(), []),
        (step_that_looks_and_forgets, nn.Dropout(0.5), ["student in eval mode"]),
        (step_with_backward, nn.Dropout(0.5), ["student in eval mode"]),
    ],
)
def test_a_student_that_the_step_puts_in_eval_mode(
    asked: Any, middle: nn.Module, warnings: list[str]
) -> None:
    student = rows(0, middle).train()
    found = audit(student, rows(1), (X, Y), None, step=asked)
    assert (found.warnings, found.ok) == (warnings, True), found
    assert all(part.training for part in student.modules())


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_a_network_in_two_roles_that_learns_in_eval_mode(left: bool, backward: bool) -> None:
    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.base, self.more = nn.Linear(6, 5).requires_grad_(False), nn.Linear(6, 5)
            self.drop, self.on = nn.Dropout(0.5), True

        def forward(self, x: Tensor) -> Tensor:
            return self.base(x) + (self.drop(self.more(x)) if self.on else 0)

    def step(network: Any, teacher: Any, batch: Any) -> Tensor:
        network.on = False
        network.train(left)  # the other way round from where it learns
        with torch.no_grad():
            v = network(batch[0])
        network.on = True
        network.train(not left)
        z = network(batch[0])
        loss = ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * F.cross_entropy(z, batch[1])
        if backward:
            loss.backward()
        return loss

    found = audit(Adapted().train(), None, (X, Y), None, step=step)
    assert found.warnings == (["student in eval mode"] if left else []), found
    assert found.ok, found


def test_a_loss_alone_does_not_show_who_calls_train() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * F.cross_entropy(z, y)

    found = audit(rows(0, nn.Dropout(0.5)).eval(), rows(1), (X, Y), loss)
    assert found.warnings == [] and found["student mode"].outcome == "could not tell"


# -- what a sixth set of loops, written by others, showed -----------------------------------------


@pytest.mark.parametrize(
    ("logits", "bug"),
    [
        (lambda z: F.softmax(z, 1), "softmax twice"),
        (lambda z: F.softmax(z / T, 1), "softmax twice"),
        (lambda z: z / T, "labels on tempered logits"),
        (lambda z: z, ""),
    ],
)
def test_smoothed_labels_hide_no_mistake_of_their_own_part(logits: Any, bug: str) -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        hard = F.cross_entropy(logits(z), y, label_smoothing=0.2)
        return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * hard

    assert audit(rows(0), rows(1), (X, Y), loss).bugs == ([bug] if bug else [])


@pytest.mark.parametrize("partner", [lambda x: x.flip(0), lambda x: x.roll(1, 0)])
def test_a_patch_of_another_image_does_not_move_the_rows(partner: Any) -> None:
    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        x, y = batch
        x = x.clone()
        x[:, :, :2, :3] = partner(x)[:, :, :2, :3]
        z = student(x)
        with torch.no_grad():
            v = teacher(x)
        hard = 0.8 * F.cross_entropy(z, y) + 0.2 * F.cross_entropy(z, partner(y))
        return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * hard

    def images(seed: int) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return nn.Sequential(nn.Flatten(), nn.Linear(90, C)).train(seed == 0)

    batch = draw(12, 3, 5, 6), draw(12, high=C)
    assert audit(images(0), images(1), batch, None, step=step).bugs == []


@pytest.mark.parametrize("squeeze", [False, True])
def test_a_column_of_one_network_against_a_row_of_the_other(squeeze: bool) -> None:
    def one(seed: int, flat: bool) -> nn.Module:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 1))
        return (nn.Sequential(made, nn.Flatten(0)) if flat else made).train(seed == 0)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z = student(batch[0])
        with torch.no_grad():
            p = torch.sigmoid(teacher(batch[0]) / T)
        hard = F.binary_cross_entropy_with_logits(z.squeeze(1), batch[1])
        z = z.squeeze(1) if squeeze else z
        soft = -(p * F.logsigmoid(z / T) + (1 - p) * F.logsigmoid(-z / T)).mean()
        return ALPHA * T**2 * soft + (1 - ALPHA) * hard

    batch = X, (draw(24) > 0).float()
    found = audit(one(0, flat=False), one(1, flat=True), batch, None, step=step)
    assert found.bugs == ([] if squeeze else ["rows broadcast against each other"]), found


def test_softmax_over_an_axis_where_rows_are_left_out() -> None:
    masks = MASKS.clone()
    masks[:, 0] = 255

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        soft = F.kl_div(F.log_softmax(z / T, -1), F.softmax(v / T, -1), reduction="none").sum(1)
        soft = soft[y != 255].mean()
        return ALPHA * T**2 * soft + (1 - ALPHA) * F.cross_entropy(z, y, ignore_index=255)

    found = audit(pixels(0), pixels(1), (IMAGES, masks), loss)
    assert found.bugs == ["softmax over positions"], found


def test_a_column_of_features_is_no_sigmoid_where_labels_are_classes() -> None:
    class Two(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            self.net = rows(seed)
            self.train(seed == 0)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = self.net(x)
            return z, z.detach().mean(1, keepdim=True)

    def step(student: Any, teacher: Any, batch: Any) -> Tensor:
        z, _ = student(batch[0])
        with torch.no_grad():
            v, _ = teacher(batch[0])
        return ALPHA * T**2 * kl(z, v) / len(z) + (1 - ALPHA) * F.cross_entropy(z, batch[1])

    found = audit(Two(0), Two(1), (X, Y), None, step=step)
    assert found.ok and found.effective is not None
    assert found.effective.alpha == pytest.approx(ALPHA)


def test_labels_that_mask_alone_need_no_shift() -> None:
    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        kept = y[:, 1:] != -100
        return T**2 * kl(z[:, :-1][kept], v[:, :-1][kept]) / kept.sum()

    ids = draw(6, 8, high=C)
    labels = ids.clone()
    labels[:, :3] = -100
    found = check_distillation_setup(
        tokens(0), tokens(1), (ids, labels), loss, temperature=T, alpha=1.0
    )
    assert found.bugs == [], found


def test_weights_of_classes_in_both_parts_are_named_and_no_rows_accused() -> None:
    weights = torch.tensor([0.5, 1.0, 2.0, 3.0, 0.3])

    def loss(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        w = weights.to(z.dtype)
        soft = F.kl_div(F.log_softmax(z / T, 1), F.softmax(v / T, 1), reduction="none")
        hard = F.cross_entropy(z, y, weight=w)
        return ALPHA * T**2 * (soft * w).sum(1).mean() + (1 - ALPHA) * hard

    found = audit(rows(0), rows(1), (X, Y), loss)
    assert found.bugs == ["class weights inside KL"], found
    wrong = audit(rows(0), rows(1), (X, Y), lambda z, v, y: loss(z, v, y.roll(1, 0)))
    assert wrong.bugs == ["labels out of step"], wrong

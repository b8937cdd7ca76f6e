"""`fit` against plain PyTorch, and each member against itself trained alone."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill_helpers import training
from distill_helpers.losses import MATCHINGS, distillation_loss, matching_loss
from distill_helpers.networks import Stack
from distill_helpers.tasks import Task, gaussian_mixture_task
from distill_helpers.training import (
    OPTIMISERS,
    Distillation,
    HardLabels,
    Matching,
    Objective,
    _Dropout,
    _stream,
    batch_orders,
    every_member,
    fit,
)

D, C, N = 6, 3, 150
SIZES = (D, 16, 8, C)
RATES = (0.3, 0.0)

TASKS = [
    gaussian_mixture_task(C, D, 0.1, num_train=N, num_test=10, random_state=seed)
    for seed in range(5)
]
TASK = TASKS[0]
SOFT = torch.softmax(torch.randn(5, N, C, generator=torch.Generator().manual_seed(1)), -1)


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def assert_close(actual: nn.Module, expected: nn.Module, tolerance: float = 1e-5) -> None:
    for one, other in zip(weights(actual), weights(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance)


def unchanged(stack: Stack, before: list[Tensor]) -> bool:
    return all(map(torch.equal, weights(stack), before))


# A member does not depend on its company


def all_different(index: int) -> dict[str, Any]:
    """Return everything that member `index` has of its own."""
    return {
        "seed": 100 + index,
        "task": TASKS[index],
        "soft_targets": SOFT[index],
        "labels": TASKS[index].y_train,
        "temperature": [1.0, 2.0, 3.0, 5.0, 10.0][index],
        "alpha": [0.0, 0.3, 0.7, 1.0, 0.5][index],
        "scale": [1.0, 5.0, 0.2, 0.3, 2.0][index],
        "learning_rate": [1e-3, 3e-3, 3e-3, 1e-2, 3e-4][index],
        "weight_decay": [0.0, 1e-2, 1e-2, 1e-4, 0.1][index],
        "rows": torch.arange(N).roll(13 * index)[: N - 20],
    }


def train(members: Sequence[dict[str, Any]], epochs: int = 1) -> Stack:
    """Train members of these settings as one stack; 130 rows in batches of 32."""
    settings = {key: [member[key] for member in members] for key in members[0]}
    stack = Stack.build(SIZES, seeds=settings["seed"], dropout=RATES)
    objective = Distillation(
        torch.stack(settings["soft_targets"]),
        torch.stack(settings["labels"]),
        temperature=settings["temperature"],
        alpha=settings["alpha"],
        scale=settings["scale"],
    )
    fit(
        stack,
        settings["task"],
        objective,
        epochs=epochs,
        batch_size=32,
        learning_rate=settings["learning_rate"],
        weight_decay=settings["weight_decay"],
        seeds=settings["seed"],
        rows=torch.stack(settings["rows"]),
    )
    return stack


@pytest.fixture(scope="module")
def alone() -> list[nn.Sequential]:
    return [train([all_different(index)], epochs=2).member(0) for index in range(5)]


@pytest.mark.parametrize(
    "company", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 1], [3, 3, 0], [1, 4, 1, 0, 2, 2, 3]]
)
def test_the_same_member_in_any_company(company: list[int], alone: list[nn.Sequential]) -> None:
    stack = train([all_different(index) for index in company], epochs=2)
    for position, index in enumerate(company):
        assert_close(stack.member(position), alone[index])


@pytest.mark.parametrize("key", [key for key in all_different(0) if key != "labels"])
def test_each_setting_of_a_member_matters(key: str, alone: list[nn.Sequential]) -> None:
    """Else the test above would pass with the setting left out."""
    other = all_different(1) | {key: all_different(2)[key]}
    if key in ("learning_rate", "weight_decay"):  # members 1 and 2 share a group of Adam's
        other[key] = all_different(3)[key]
    changed = train([other], epochs=2).member(0)
    moved = [(a - b).abs().max() for a, b in zip(weights(changed), weights(alone[1]), strict=True)]
    assert max(moved) > 1e-3


def test_one_number_is_that_number_for_every_member() -> None:
    one, many = (Stack.build(SIZES, seeds=[0, 1, 2], dropout=0.2) for _ in range(2))
    common: dict[str, Any] = {"epochs": 1, "seeds": [0, 1, 2]}
    objective = Distillation(SOFT[0], TASK.y_train, temperature=3.0, alpha=0.7)
    fit(one, TASK, objective, learning_rate=3e-3, weight_decay=1e-2, **common)
    listed = Distillation(
        SOFT[:1].expand(3, -1, -1),
        TASK.y_train.expand(3, -1),
        temperature=torch.tensor([3.0] * 3),
        alpha=[0.7] * 3,
        scale=[1.0] * 3,
    )
    rows = torch.arange(N).expand(3, -1)
    rates: dict[str, Any] = {"learning_rate": [3e-3] * 3, "weight_decay": [1e-2] * 3}
    fit(many, [TASK] * 3, listed, rows=rows, **rates, **common)
    assert_close(one, many)


# Against a plain loop


IN_TORCH: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "momentum": lambda *args, **more: torch.optim.SGD(*args, momentum=0.9, **more),
}


def plain_loop(
    member: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    *,
    x: Tensor = TASK.x_train,
    seed: int,
    epochs: int,
    batch_size: int,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.0,
    rows: Tensor | None = None,
    optimiser: str = "adam",
) -> list[float]:
    """Train one ordinary network, return its loss epoch by epoch; `loss` takes logits and rows."""
    rows = torch.arange(len(x)) if rows is None else rows
    updates = IN_TORCH[optimiser](member.parameters(), lr=learning_rate, weight_decay=weight_decay)
    history = []
    for order in batch_orders(seed, len(rows), epochs):
        found = []
        for batch in order.split(batch_size):
            updates.zero_grad()
            value = loss(member(x[rows[batch]]), rows[batch])
            value.backward()
            updates.step()
            found.append(value.item())
        history.append(sum(found) / len(found))
    return history


@pytest.mark.parametrize("batch_size", [1, 32, 50, N, 1000])
def test_hard_labels_equal_a_plain_loop(batch_size: int) -> None:
    stack = Stack.build(SIZES, seeds=[3, 4])
    singles = [stack.member(0), stack.member(1)]
    epochs = 1 if batch_size == 1 else 3
    history = fit(
        stack,
        TASK,
        HardLabels(TASK.y_train),
        epochs=epochs,
        batch_size=batch_size,
        seeds=[8, 9],
        weight_decay=1e-2,
    )
    assert history.loss.shape == (epochs, 2)
    for index, single in enumerate(singles):
        losses = plain_loop(
            single,
            lambda z, rows: F.cross_entropy(z, TASK.y_train[rows]),
            seed=8 + index,
            epochs=epochs,
            batch_size=batch_size,
            weight_decay=1e-2,
        )
        assert_close(stack.member(index), single)
        torch.testing.assert_close(history.loss[:, index], torch.tensor(losses))


def test_distillation_equals_a_plain_loop() -> None:
    temperatures, alphas = [1.0, 3.0, 8.0], [0.7, 0.0, 1.0]
    rates, decays = [1e-3, 1e-3, 5e-3], [0.0, 1e-2, 1e-2]
    rows = torch.stack([torch.randperm(N)[:70], torch.arange(70), torch.randint(N, (70,))])
    stack = Stack.build(SIZES, seeds=range(3))
    singles = [stack.member(index) for index in range(3)]
    history = fit(
        stack,
        TASKS[:3],
        Distillation(
            SOFT[:3],
            torch.stack([task.y_train for task in TASKS[:3]]),
            temperature=temperatures,
            alpha=alphas,
        ),
        epochs=3,
        batch_size=32,
        learning_rate=rates,
        weight_decay=decays,
        seeds=range(3),
        rows=rows,
    )
    for index, (single, task) in enumerate(zip(singles, TASKS, strict=False)):

        def loss(z: Tensor, batch: Tensor, index: int = index, task: Task = task) -> Tensor:
            return distillation_loss(
                z,
                SOFT[index][batch],
                task.y_train[batch],
                temperature=temperatures[index],
                alpha=alphas[index],
            )

        losses = plain_loop(
            single,
            loss,
            x=task.x_train,
            seed=index,
            epochs=3,
            batch_size=32,
            learning_rate=rates[index],
            weight_decay=decays[index],
            rows=rows[index],
        )
        assert_close(stack.member(index), single)
        torch.testing.assert_close(history.loss[:, index], torch.tensor(losses))


@pytest.mark.parametrize("kind", MATCHINGS)
def test_matching_equals_a_plain_loop(kind: str) -> None:
    v = torch.randn(2, N, C, generator=torch.Generator().manual_seed(5))
    temperatures, alphas = [1.0, 4.0], [1.0, 0.4]
    stack = Stack.build(SIZES, seeds=range(2))
    singles = [stack.member(index) for index in range(2)]
    objective = Matching(v, TASK.y_train, kind=kind, temperature=temperatures, alpha=alphas)
    history = fit(stack, TASK, objective, epochs=2, batch_size=32, seeds=range(2))
    rows = torch.stack([torch.arange(9), torch.arange(5, 14)])
    z = torch.randn(2, 9, C)
    called = objective(z, rows)
    for index, single in enumerate(singles):
        T, alpha = temperatures[index], alphas[index]

        def loss(
            z: Tensor, batch: Tensor, index: int = index, T: float = T, alpha: float = alpha
        ) -> Tensor:
            soft = matching_loss(z, v[index][batch], T, kind)
            return alpha * soft + (1 - alpha) * F.cross_entropy(z, TASK.y_train[batch])

        losses = plain_loop(single, loss, seed=index, epochs=2, batch_size=32)
        assert_close(stack.member(index), single)
        torch.testing.assert_close(history.loss[:, index], torch.tensor(losses))
        torch.testing.assert_close(called[index], loss(z[index], rows[index]), check_dtype=False)


def test_a_matching_objective_checks_its_values() -> None:
    v = torch.randn(N, C)
    for values, message in (
        ({"kind": "KL"}, r"^kind is 'KL'; it must be one of 'forward KL'"),
        ({"kind": "logits", "temperature": 0.0}, r"^temperature is 0;"),
        ({"kind": "logits", "alpha": 2.0}, r"^alpha is 2;"),
    ):
        with pytest.raises(ValueError, match=message):
            Matching(v, TASK.y_train, **values)
    with pytest.raises(ValueError, match=r"^teacher_logits looks like probabilities"):
        Matching(SOFT[0], TASK.y_train, kind="logits")
    with pytest.raises(ValueError, match=r"^labels has shape .* Take both from the same rows"):
        Matching(v, TASK.y_train[1:], kind="logits")
    stack = Stack.build(SIZES, seeds=[0, 1])
    before = weights(stack)
    for objective, message in (
        (
            Matching(v[1:], TASK.y_train[1:], kind="logits"),
            "teacher_logits has shape .* training rows",
        ),
        (Matching(v, TASK.y_train, kind="logits", alpha=[0.1] * 3), "alpha has 3 values for 2"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(stack, **good(objective=objective))
    assert unchanged(stack, before)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_optimiser_is_torchs(name: str) -> None:
    """Of three members the first two share a group; the loss has a scale of its own."""
    slow = 3e-3 if name.startswith("adam") else 3e-2
    rates, decays, scales = [slow, slow, 3 * slow], [0.05, 0.05, 0.0], [0.3, 2.0, 1.0]
    stack = Stack.build(SIZES, seeds=range(3))
    singles = [stack.member(index) for index in range(3)]
    history = fit(
        stack,
        TASK,
        Distillation(SOFT[0], TASK.y_train, temperature=3.0, alpha=0.6, scale=scales),
        epochs=4,
        batch_size=32,
        optimiser=name,
        learning_rate=rates,
        weight_decay=decays,
        seeds=range(3),
    )
    for index, single in enumerate(singles):

        def loss(z: Tensor, batch: Tensor, index: int = index) -> Tensor:
            part = distillation_loss(
                z, SOFT[0][batch], TASK.y_train[batch], temperature=3.0, alpha=0.6
            )
            return scales[index] * part

        losses = plain_loop(
            single,
            loss,
            seed=index,
            epochs=4,
            batch_size=32,
            learning_rate=rates[index],
            weight_decay=decays[index],
            optimiser=name,
        )
        assert_close(stack.member(index), single)
        torch.testing.assert_close(history.loss[:, index], torch.tensor(losses))


def test_optimisers_differ_and_the_usual_one_is_adam() -> None:
    found = []
    for more in ({}, *({"optimiser": name} for name in OPTIMISERS)):
        stack = Stack.build(SIZES, seeds=[0])
        usual: dict[str, Any] = {"epochs": 3, "seeds": [0], "weight_decay": 0.1}
        fit(stack, TASK, HardLabels(TASK.y_train), **usual, **more)
        found.append(torch.cat([w.flatten() for w in weights(stack)]))
    assert torch.equal(found[0], found[1])
    for one, other in itertools.pairwise(found[1:]):
        assert (one - other).abs().max() > 1e-4


@pytest.mark.parametrize("scale", [2.5, [0.1, 1.0, 40.0]])
def test_scale_multiplies_loss_and_gradient(scale: float | list[float]) -> None:
    settings: dict[str, Any] = {"temperature": [1.0, 3.0, 8.0], "alpha": 0.6}
    plain = Distillation(SOFT[:3], TASK.y_train, **settings)
    scaled = Distillation(SOFT[:3], TASK.y_train, **settings, scale=scale)
    rows, z = torch.randint(N, (3, 9)), torch.randn(3, 9, C, dtype=torch.float64)
    factor = torch.as_tensor(scale, dtype=torch.float64).expand(3)
    torch.testing.assert_close(scaled(z, rows), factor * plain(z, rows))
    value, gradient = scaled.with_gradient(z.mT, rows)
    before = plain.with_gradient(z.mT, rows)
    torch.testing.assert_close(value, factor * before[0])
    torch.testing.assert_close(gradient, factor[:, None, None] * before[1])


def test_what_members_share_is_computed_once_and_changes_no_bit() -> None:
    """Equal seeds, equal targets and alpha 1 have short ways; one odd member closes them all."""
    soft = torch.softmax(torch.randn(3, N, C), 2)
    usual: dict[str, Any] = {"epochs": 3, "batch_size": 7, "average_last": 2}
    rates, temperatures = [1e-3, 1e-2, 3e-3, 3e-2], [1.0, 2.0, 4.0, 8.0]
    found = []
    for odd in ([], [9]):
        which = [0, 0, 1, 1] + [2] * len(odd)
        stack = Stack.build(SIZES, seeds=[3] * 4 + odd, dropout=(0.3,) * (len(SIZES) - 2))
        history = fit(
            stack,
            TASK,
            Distillation(
                soft[which],
                TASK.y_train,
                temperature=temperatures + [1.0] * len(odd),
                alpha=[1.0] * 4 + [0.5] * len(odd),
            ),
            learning_rate=rates + [0.1] * len(odd),
            seeds=[5] * 4 + odd,
            rows=torch.arange(N - 2),
            **usual,
        )
        found.append([history.loss[:, :4], *(w.detach()[:4] for w in stack.parameters())])
    for short, long in zip(*found, strict=True):
        assert torch.equal(short, long)


def test_any_function_of_logits_and_rows_is_an_objective() -> None:
    wanted = torch.randn(N, C)
    stack = Stack.build(SIZES, seeds=[0, 1])
    singles = [stack.member(0), stack.member(1)]
    fit(
        stack,
        TASK,
        lambda z, rows: (z - wanted[rows]).square().mean((1, 2)),
        epochs=2,
        seeds=[5, 5],
    )
    for index, single in enumerate(singles):
        plain_loop(
            single, lambda z, rows: F.mse_loss(z, wanted[rows]), seed=5, epochs=2, batch_size=64
        )
        assert_close(stack.member(index), single)


def test_the_backward_pass_under_dropout_is_autograds() -> None:
    """The masks are drawn as `fit` draws them; the rest is PyTorch.

    With weight decay, for Adam alone would not see a layer's gradient times a constant.
    """
    rates = (0.3, 0.5)
    stack = Stack.build(SIZES, seeds=[0], dropout=rates)
    masks_of = _Dropout(stack, [7])
    layers = list(zip(stack.weights, stack.biases, strict=True))
    parameters = [p[0].detach().clone().requires_grad_() for layer in layers for p in layer]
    rate, decay = 3e-3, 0.1
    optimiser = torch.optim.Adam(parameters, rate, weight_decay=decay)
    fit(
        stack,
        TASK,
        HardLabels(TASK.y_train),
        epochs=2,
        batch_size=40,
        learning_rate=rate,
        weight_decay=decay,
        seeds=[7],
    )
    for order in batch_orders(7, N, 2):
        for batch in order.split(40):
            masks = masks_of.make_masks(len(batch))
            masks_of.draw(masks)
            hidden = TASK.x_train[batch]
            for depth in range(3):
                hidden = F.linear(hidden, *parameters[2 * depth : 2 * depth + 2])
                if depth < 2:
                    mask = masks[depth]
                    assert mask is not None
                    hidden = hidden.relu() * mask[0].T
            optimiser.zero_grad()
            F.cross_entropy(hidden, TASK.y_train[batch]).backward()
            optimiser.step()
    for depth in range(3):
        for actual, expected in (
            (stack.weights[depth][0], parameters[2 * depth]),
            (stack.biases[depth][0], parameters[2 * depth + 1]),
        ):
            torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_the_first_step_goes_against_the_sign_of_autograds_gradient() -> None:
    """Adam's first step is the learning rate times g / (|g| + 1e-8)."""
    stack = Stack.build(SIZES, seeds=[0, 1])
    before, reference = stack[[0, 1]], stack[[0, 1]]
    objective = Distillation(SOFT[0], TASK.y_train, temperature=2.0, alpha=0.6)
    rows = torch.arange(N).expand(2, -1)
    objective(reference(TASK.x_train), rows).sum().backward()
    fit(stack, TASK, objective, epochs=1, batch_size=N, learning_rate=1e-2, seeds=[0, 1])
    for new, old, p in zip(
        stack.parameters(), before.parameters(), reference.parameters(), strict=True
    ):
        assert p.grad is not None
        clear = (p.grad == 0) | (p.grad.abs() > 1e-5)
        assert clear.float().mean() > 0.95
        step = -1e-2 * p.grad / (p.grad.abs() + 1e-8)
        torch.testing.assert_close((new - old)[clear], step[clear], rtol=1e-3, atol=1e-6)


# Orders


def test_every_epoch_is_another_order_of_all_rows() -> None:
    orders = list(batch_orders(3, 500, 3))
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(500))
    assert (orders[0] == orders[1]).float().mean() < 0.05
    assert (orders[1] == orders[2]).float().mean() < 0.05
    again, other = list(batch_orders(3, 500, 3)), list(batch_orders(4, 500, 3))
    assert all(map(torch.equal, orders, again))
    assert (orders[0] == other[0]).float().mean() < 0.05


class Spy:
    """An objective that notes the rows and the logits of every step, and teaches nothing."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.logits: list[Tensor] = []

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        self.rows.append(rows.clone())
        self.logits.append(logits.detach().clone())
        return 0.0 * logits.sum((1, 2))


def test_equal_seeds_see_equal_batches() -> None:
    spy, stack = Spy(), Stack.build(SIZES, seeds=range(3))
    fit(stack, TASK, spy, epochs=2, batch_size=64, seeds=[5, 6, 5])
    assert [rows.shape for rows in spy.rows] == 2 * [(3, 64), (3, 64), (3, 22)]
    for rows in spy.rows:
        assert torch.equal(rows[0], rows[2])
        assert not torch.equal(rows[0], rows[1])
    seen = torch.cat(spy.rows[:3], 1)
    assert torch.equal(seen.sort(1).values, torch.arange(N).expand(3, -1))
    assert torch.equal(seen[1], next(batch_orders(6, N, 1)))


def test_the_loss_is_the_mean_over_batches() -> None:
    """The last batch, of 22 rows, counts as much as the others: what a plain loop prints."""
    loss_of_row = torch.arange(float(N))
    stack = Stack.build(SIZES, seeds=[0, 1])
    history = fit(
        stack,
        TASK,
        lambda z, rows: loss_of_row[rows].mean(1) + 0 * z.sum((1, 2)),
        epochs=3,
        batch_size=64,
        seeds=[5, 6],
    )
    for index, seed in enumerate([5, 6]):
        for epoch, order in enumerate(batch_orders(seed, N, 3)):
            means = torch.stack([loss_of_row[batch].mean() for batch in order.split(64)])
            torch.testing.assert_close(history.loss[epoch, index], means.mean())


# Rows


@pytest.mark.parametrize("own", [False, True])
def test_other_rows_are_never_touched(own: bool) -> None:
    used = torch.randperm(N)[:90]
    rows = torch.stack([used, used.flip(0)]) if own else used
    poisoned = torch.full_like(TASK.x_train, float("nan"))
    poisoned[used] = TASK.x_train[used]
    labels = torch.full_like(TASK.y_train, 10**6)
    labels[::2] = -1
    labels[used] = TASK.y_train[used]
    found = []
    for x, y in ((TASK.x_train, TASK.y_train), (poisoned, labels)):
        stack = Stack.build(SIZES, seeds=[0, 1], dropout=RATES)
        task = replace(TASK, x_train=x, y_train=y)
        history = fit(stack, task, HardLabels(y), epochs=2, batch_size=40, seeds=[0, 1], rows=rows)
        assert torch.isfinite(history.loss).all()
        found.append(weights(stack))
    assert all(map(torch.equal, *found))


def test_rows_may_repeat() -> None:
    spy, stack = Spy(), Stack.build(SIZES, seeds=[0])
    rows = torch.tensor([4, 4, 4, 9])
    fit(stack, TASK, spy, epochs=1, batch_size=3, seeds=[0], rows=rows)
    assert torch.cat(spy.rows, 1).sort().values.tolist() == [[4, 4, 4, 9]]


# Dropout


WIDTH = 64


def transparent(seeds: Sequence[int], rates: Sequence[float]) -> Stack:
    """Make a stack whose logits are its last hidden layer, under masks.

    The first hidden layer is all ones, the second adds one: without dropout 1 and 2.
    """
    eye, zero = torch.eye(WIDTH), torch.zeros(WIDTH)
    layers = [
        (torch.zeros(WIDTH, D), zero + 1),
        (eye, zero + 1),
        (eye, zero),
    ]
    if len(rates) == 1:
        layers = [layers[0], layers[2]]
    return Stack(
        [weight.expand(len(seeds), -1, -1) for weight, _ in layers],
        [bias.expand(len(seeds), -1) for _, bias in layers],
        rates,
    )


def masked(seeds: Sequence[int], rates: Sequence[float], epochs: int = 4) -> list[Tensor]:
    """Return the logits ``(M, B, WIDTH)`` of each step, with frozen weights."""
    spy, stack = Spy(), transparent(seeds, rates)
    task = replace(TASK, num_classes=WIDTH)
    fit(stack, task, spy, epochs=epochs, batch_size=N // 2, learning_rate=1e-30, seeds=seeds)
    return spy.logits


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_dropout_keeps_its_share_and_the_expectation(rate: float) -> None:
    kept = torch.stack(masked([1, 2], [rate]))
    values = kept.unique()
    assert values.numel() == 2
    assert values[0] == 0
    torch.testing.assert_close(values[1].item(), 1 / (1 - rate), rtol=1e-3, atol=0)
    share, count = (kept > 0).double().mean().item(), kept.numel()
    deviation = (rate * (1 - rate) / count) ** 0.5
    assert abs(share - (1 - rate)) < 5 * deviation + 2**-17
    # The threshold is rounded to 16 bits, and the scale fits it: no bias is left.
    assert abs(kept.double().mean().item() - 1) < 5 * deviation / (1 - rate)


def test_masks_are_independent_between_members_steps_samples_and_units() -> None:
    steps = [logits > 0 for logits in masked([1, 2], [0.5])]
    first = steps[0]
    pairs = {
        "members": (first[0], first[1]),
        "steps": (first[0], steps[1][0]),
        "epochs": (first[0], steps[2][0]),
        "samples": (first[0, 1:], first[0, :-1]),
        "units": (first[0, :, 1:], first[0, :, :-1]),
    }
    for name, (one, other) in pairs.items():
        agree = (one == other).double().mean().item()
        assert abs(agree - 0.5) < 5 * 0.5 / one.numel() ** 0.5, name


def test_masks_differ_between_layers() -> None:
    """With 1 then 1 + h under two masks of rate 1/2: 0, 2 or 6; 6 where both units were kept."""
    logits = torch.stack(masked([1, 2], [0.5, 0.5]))
    assert logits.unique().tolist() == [0.0, 2.0, 6.0]
    kept = logits[logits > 0]
    both = (kept == 6).double().mean().item()
    assert abs(both - 0.5) < 5 * 0.5 / kept.numel() ** 0.5


def test_masks_do_not_depend_on_company_nor_on_the_other_streams() -> None:
    alone, company = masked([2], [0.3]), masked([9, 2, 2], [0.3])
    for one, many in zip(alone, company, strict=True):
        assert torch.equal(one[0], many[1])
        assert torch.equal(one[0], many[2])
        assert not torch.equal(one[0], many[0])


def test_a_members_streams_share_nothing() -> None:
    streams = [_stream(seed, purpose) for seed in (0, 1) for purpose in ("order", "dropout")]
    words = {int(word) for stream in streams for word in stream.random_raw(100)}
    assert len(words) == 400


def test_no_dropout_where_the_rate_is_zero() -> None:
    for logits in masked([1], [0.0, 0.0], epochs=1):
        assert torch.equal(logits, torch.full_like(logits, 2.0))
    for logits in masked([1], [0.0, 0.5], epochs=1):
        assert logits.unique().tolist() == [0.0, 4.0]


# When things go wrong


def test_a_diverging_member_is_named_and_leaves_the_others_alone() -> None:
    rates = [1e-3, 1e-3, 1e-3]
    stacks = [Stack.build(SIZES, seeds=range(3), dropout=RATES) for _ in range(2)]
    with torch.no_grad():
        stacks[1].weights[0][1] = 3e38
    objective = Distillation(SOFT[0], TASK.y_train, temperature=[1.0, 2.0, 3.0], alpha=0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(stacks[0], TASK, objective, epochs=1, learning_rate=rates, seeds=range(3))
    with pytest.warns(RuntimeWarning, match=r"members \[1\] is not finite in epoch 1;") as caught:
        history = fit(stacks[1], TASK, objective, epochs=1, learning_rate=rates, seeds=range(3))
    assert "\n" not in str(caught[0].message)
    assert caught[0].filename == __file__
    assert torch.isfinite(history.loss).tolist() == [[True, False, True]]
    for index in (0, 2):
        assert_close(stacks[0].member(index), stacks[1].member(index), tolerance=0)


def good(**changes: Any) -> dict[str, Any]:
    return {
        "task": TASK,
        "objective": HardLabels(TASK.y_train),
        "epochs": 1,
        "seeds": [0, 1],
    } | changes


LARGER = gaussian_mixture_task(C, D, num_train=N + 1, num_test=10)
NARROW = gaussian_mixture_task(C, D - 1, num_train=N, num_test=10)
TWO = gaussian_mixture_task(2, D, num_train=N, num_test=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "epochs is 0; it must be a whole number, 1 or more"),
        ({"epochs": True}, "epochs is True;"),
        ({"epochs": 2.0}, "epochs is 2.0;"),
        ({"batch_size": 0}, "batch_size is 0;"),
        ({"optimiser": "adma"}, "optimiser is 'adma'; it must be one of 'adam', 'adamw', 'sgd'"),
        ({"batch_size": -3}, "batch_size is -3;"),
        ({"seeds": [0]}, r"seeds holds 1 for 2 members; .* Use range\(2\)"),
        ({"seeds": range(3)}, "seeds holds 3 for 2 members"),
        ({"learning_rate": 0.0}, "learning_rate is 0; it must be a finite number above 0"),
        ({"learning_rate": [1e-3, -1.0]}, "learning_rate is -1;"),
        ({"learning_rate": float("nan")}, "learning_rate is nan;"),
        ({"learning_rate": [1e-3]}, r"learning_rate has shape \(1,\); .* one a member, \(2,\)"),
        ({"weight_decay": -1e-9}, "weight_decay is -1e-09; it must be a finite number of 0"),
        ({"weight_decay": [0.0, float("inf")]}, "weight_decay is inf;"),
        ({"weight_decay": [0.0] * 3}, r"weight_decay has shape \(3,\);"),
        ({"seeds": [0, -1]}, "seeds holds -1; it must hold one whole number from 0 to"),
        ({"task": [TASK] * 3}, "3 tasks for 2 members; give one, or one a member"),
        ({"task": []}, "0 tasks for 2 members"),
        ({"task": NARROW}, rf"has training inputs \({N}, {D - 1}\); all must be \({N}, {D}\)"),
        ({"task": [TASK, LARGER]}, rf"has training inputs \({N + 1}, {D}\); all must be"),
        ({"task": TWO}, "has 2 classes, the stack 3 outputs; build the stack with sizes that end"),
        ({"rows": torch.tensor([0, N])}, f"rows go from 0 to {N}; the training part has rows 0"),
        ({"rows": torch.tensor([-1, 3])}, "rows go from -1 to 3;"),
        ({"rows": torch.tensor([0.0])}, "rows is torch.float32 of shape"),
        ({"rows": torch.ones(N, dtype=torch.bool)}, "rows is torch.bool of shape"),
        ({"rows": torch.tensor([], dtype=torch.int64)}, r"rows is torch.int64 of shape \(0,\)"),
        ({"rows": torch.zeros(1, 2, 3, dtype=torch.int64)}, "it must hold int64 row numbers"),
        ({"rows": torch.zeros(3, 4, dtype=torch.int64)}, "rows for 3 members, the stack has 2"),
        ({"objective": lambda z, rows: z.mean()}, r"the objective returned shape \(\);"),
        ({"objective": lambda z, rows: z.mean(2)}, r"must return one loss a member, \(2,\)"),
        (
            {"objective": Distillation(SOFT[0], TASK.y_train, temperature=[1.0] * 3, alpha=0.7)},
            "temperature has 3 values for 2 members",
        ),
        (
            {
                "objective": Distillation(
                    SOFT[0], TASK.y_train, temperature=1.0, alpha=0.7, scale=[1.0] * 3
                )
            },
            "scale has 3 values for 2 members",
        ),
    ],
)
def test_errors_come_before_anything_trains(changes: dict[str, Any], message: str) -> None:
    stack = Stack.build(SIZES, seeds=[0, 1])
    before = weights(stack)
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        fit(stack, **good(**changes))
    assert "\n" not in str(caught.value)
    assert unchanged(stack, before)


def test_a_stack_of_another_precision() -> None:
    stack = Stack.build(SIZES, seeds=[0, 1]).double()
    with pytest.raises(TypeError, match=r"the stack is torch.float64; call stack\.float\(\) first"):
        fit(stack, **good())


LATE = TASK.y_train.clone()
LATE[N - 1] = C
NEXT = torch.cat([SOFT[0], torch.zeros(N, 1)], 1)  # one class more


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective": HardLabels(LATE)},
            "labels holds 3; with 3 classes each must be",
        ),
        ({"objective": HardLabels(torch.stack([TASK.y_train, LATE]))}, "labels holds 3;"),
        ({"objective": HardLabels(-LATE)}, "labels holds -3;"),
        (
            {"objective": Distillation(NEXT, TASK.y_train, temperature=1.0, alpha=0.7)},
            rf"soft_targets has shape \({N}, 4\); .* it must be \({N}, 3\)",
        ),
        (
            {"objective": Matching(NEXT.log().clamp_min(-9), TASK.y_train, kind="logits")},
            rf"teacher_logits has shape \({N}, 4\);",
        ),
        (
            {"task": replace(TASK, x_train=TASK.x_train.index_fill(0, LATE[:1], torch.nan))},
            "x_train holds numbers that are not finite in rows to train on",
        ),
        ({"task": replace(TASK, x_train=TASK.x_train.double())}, "inputs of torch.float64; they"),
        ({"rows": np.arange(5)}, r"rows is a ndarray; .* Use torch.as_tensor\(rows\)"),
        ({"rows": [0, 1]}, "rows is a list;"),
        ({"seeds": 2}, "seeds is 2;"),
        ({"seeds": [0, 0.5]}, "seeds holds 0.5;"),
        ({"learning_rate": "1e-3"}, "learning_rate is '1e-3';"),
        ({"learning_rate": np.full((2, 1), 1e-3)}, r"learning_rate has shape \(2, 1\);"),
        ({"objective": lambda z, rows: z.detach().mean((1, 2))}, "loss does not depend on the log"),
    ],
)
def test_what_would_break_a_run_half_way_is_found_first(
    changes: dict[str, Any], message: str
) -> None:
    test_errors_come_before_anything_trains(changes, message)


def test_an_objective_that_breaks_down_leaves_the_stack_as_it_was() -> None:
    calls = []

    def breaks(z: Tensor, rows: Tensor) -> Tensor:
        calls.append(0)
        if len(calls) == 5:
            raise RuntimeError("no more")
        return z.square().mean((1, 2))

    stack = Stack.build(SIZES, seeds=[0, 1])
    before = weights(stack)
    with pytest.raises(RuntimeError, match="no more"):
        fit(stack, **good(objective=breaks, batch_size=16))
    assert len(calls) == 5 and unchanged(stack, before)


def test_an_interrupted_run_keeps_what_it_has() -> None:
    def stops(z: Tensor, rows: Tensor) -> Tensor:
        if stack.weights[0].ne(before[0]).any():
            raise KeyboardInterrupt
        return z.square().mean((1, 2))

    stack = Stack.build(SIZES, seeds=[0, 1])
    before = weights(stack)
    with pytest.raises(KeyboardInterrupt):
        fit(stack, **good(objective=stops))
    assert not unchanged(stack, before)


def test_a_frozen_stack_is_not_trained_until_it_is_thawed() -> None:
    for freeze in (lambda s: s.requires_grad_(False), lambda s: s.biases[1].requires_grad_(False)):
        stack = Stack.build(SIZES, seeds=[0, 1])
        freeze(stack)
        before = weights(stack)
        with pytest.raises(ValueError, match=r"is frozen .* Call stack\.requires_grad_\(\) first"):
            fit(stack, **good())
        assert unchanged(stack, before)
        fit(stack.requires_grad_(), **good())
        assert not unchanged(stack, before)


def test_a_stack_that_is_not_finite_is_refused() -> None:
    stack = Stack.build(SIZES, seeds=[0, 1])
    with torch.no_grad():
        stack.biases[1][0] = torch.nan
    with pytest.raises(ValueError, match=r"^the stack's biases\.1 is not finite;"):
        fit(stack, **good())


def test_settings_may_be_arrays_and_counts_numpys() -> None:
    found = []
    for rates, decays, whole in (
        ([1e-3, 3e-3], 1e-4, int),
        (np.array([1e-3, 3e-3]), np.float64(1e-4), np.int64),
        (torch.tensor([1e-3, 3e-3], dtype=torch.float64), torch.tensor(1e-4).double(), np.int32),
    ):
        stack = Stack.build(SIZES, seeds=[0, 1])
        settings = good(learning_rate=rates, weight_decay=decays, epochs=whole(1))
        fit(stack, **(settings | {"seeds": np.arange(2)}))
        found.append(weights(stack))
    assert all(map(torch.equal, found[0], found[1]))
    for one, other in zip(found[0], found[2], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_labels_of_few_bits_train_as_int64() -> None:
    stacks = [Stack.build(SIZES, seeds=[0, 1]) for _ in range(2)]
    for stack, dtype in zip(stacks, (torch.int64, torch.uint8), strict=True):
        fit(stack, **good(objective=HardLabels(TASK.y_train.to(dtype))))
    assert_close(*stacks, tolerance=0)


# The loss of an ordinary loop


def kept_where_right(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    right = v.argmax(1) == y
    return F.cross_entropy(z, y) + F.mse_loss(z[right], v[right])


def guarded(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    loss = F.mse_loss(z, v)
    return loss * 0 if torch.isnan(loss) else loss


def weighed_by_item(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    soft, hard = F.mse_loss(z, v), F.cross_entropy(z, y)
    return soft / soft.item() + hard / float(hard)


def plain(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(z, v) + F.cross_entropy(z, y)


@pytest.mark.parametrize("loss", [kept_where_right, guarded, weighed_by_item, plain])
def test_any_loss_of_an_ordinary_loop_trains_each_member(loss: Callable[..., Tensor]) -> None:
    """Against a plain loop over the same batches, one network at a time."""
    v = torch.randn(2, N, C, generator=torch.Generator().manual_seed(2))
    y = TASK.y_train

    def objective(z: Tensor, rows: Tensor) -> Tensor:
        return every_member(loss, z, v[torch.arange(2)[:, None], rows], y[rows])

    stack = Stack.build(SIZES, seeds=[0, 1])
    singles = [stack.member(index) for index in range(2)]
    fit(stack, **good(objective=objective, epochs=2, optimiser="sgd", learning_rate=1e-2))
    for index, single in enumerate(singles):
        updates = torch.optim.SGD(single.parameters(), lr=1e-2)
        for order in batch_orders(index, N, 2):
            for batch in order.split(64):
                updates.zero_grad()
                loss(single(TASK.x_train[batch]), v[index][batch], y[batch]).backward()
                updates.step()
        assert_close(stack.member(index), single)


def test_dropout_in_a_loss_trains_each_member() -> None:
    z, weights = torch.ones(3, 2000, 2), torch.rand(2000, 2)
    losses = every_member(lambda z: (F.dropout(z, 0.1) * weights).mean(), z)
    assert losses.unique().numel() == 3  # each its own mask
    torch.testing.assert_close(losses, weights.mean().expand(3), rtol=0, atol=0.05)


def test_what_is_wrong_with_a_loss_is_said_in_its_own_words() -> None:
    z = torch.ones(2, 4, 3)
    with pytest.raises(ZeroDivisionError, match="by zero") as caught:
        every_member(lambda z: z.mean() / (1 // 0), z)
    assert caught.value.__context__ is None
    with pytest.raises(TypeError, match=r"^the loss is a float; .* Leave out \.item\(\)\.$"):
        every_member(lambda z: z.mean().item(), z)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0; it must be a finite number above 0"),
        ({"temperature": [1.0, -1.0]}, "temperature is -1;"),
        ({"alpha": 1.5}, "alpha is 1.5; it must be a number from 0 to 1"),
        ({"scale": 0.0}, "scale is 0; it must be a finite number above 0"),
        ({"scale": [1.0, float("inf")]}, "scale is inf;"),
        ({"soft_targets": 2 * SOFT[0]}, "soft_targets has a row that sums to 2"),
        ({"labels": TASK.y_train + 1}, "labels holds 3; with 3 classes each must be"),
    ],
)
def test_a_distillation_objective_checks_its_values(changes: dict[str, Any], message: str) -> None:
    values: dict[str, Any] = {
        "soft_targets": SOFT[0],
        "labels": TASK.y_train,
        "temperature": 3.0,
        "alpha": 0.7,
    } | changes
    with pytest.raises(ValueError, match=message):
        Distillation(values.pop("soft_targets"), values.pop("labels"), **values)


@pytest.mark.parametrize(
    "objective",
    [
        HardLabels(TASK.y_train[:-1]),
        Distillation(SOFT[0, :-1], TASK.y_train[:-1], temperature=1.0, alpha=1.0),
        HardLabels(torch.cat([TASK.y_train, TASK.y_train])),
    ],
    ids=["labels too short", "targets too short", "labels too long"],
)
def test_targets_for_another_number_of_rows(objective: Objective) -> None:
    stack = Stack.build(SIZES, seeds=[0, 1])
    before = weights(stack)
    with pytest.raises(ValueError, match=r"(labels|soft_targets) has shape .* training rows"):
        fit(stack, **good(objective=objective, batch_size=8))
    assert unchanged(stack, before)


@pytest.mark.parametrize("count", [1, 3])
def test_alphas_for_another_number_of_members(count: int) -> None:
    stack = Stack.build(SIZES, seeds=[0, 1])
    with pytest.raises(ValueError, match="alpha"):
        objective = Distillation(SOFT[:2], TASK.y_train, temperature=1.0, alpha=[0.5] * count)
        fit(stack, **good(objective=objective))


# The machine


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Yield what sets torch's threads; put them back."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_bits_do_not_depend_on_the_number_of_threads(threads: Callable[[int], None]) -> None:
    found = []
    for number in (1, 2):
        threads(number)
        stack = Stack.build((D, 64, 32, C), seeds=range(24), dropout=(0.3, 0.0))
        objective = Distillation(SOFT[0], TASK.y_train, temperature=3.0, alpha=0.7)
        history = fit(stack, TASK, objective, epochs=3, seeds=range(24))
        found.append([*weights(stack), history.loss])
        assert torch.get_num_threads() == number
    assert all(map(torch.equal, *found))


def test_an_objective_of_the_callers_is_computed_on_one_thread(
    threads: Callable[[int], None],
) -> None:
    """Two threads that meet in each small call are many times slower beside a busy neighbour."""
    threads(2)
    seen = []

    def objective(logits: Tensor, rows: Tensor) -> Tensor:
        seen.append(torch.get_num_threads())
        return logits.square().mean((1, 2))

    fit(Stack.build(SIZES, seeds=[0, 1], dropout=RATES), TASK, objective, epochs=1, seeds=[0, 1])
    assert set(seen) == {1} and torch.get_num_threads() == 2


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize("own", [False, True])
def test_bits_do_not_depend_on_how_members_are_shared_out(
    name: str, own: bool, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Layers of odd sizes, so that no part begins where a processor's vector does."""
    monkeypatch.setattr(training, "LEAST_WORK", 1)
    settings: dict[str, Any] = {"temperature": 3.0, "alpha": 0.6}
    rates: dict[str, Any] = {"learning_rate": 3e-3, "weight_decay": 0.01}
    soft, labels, task, rows = SOFT[0], TASK.y_train, TASK, torch.arange(N - 7)
    if own:
        settings = {"temperature": [1.0, 2.0, 3.0, 5.0, 9.0], "alpha": [0.0, 0.2, 1.0, 0.6, 0.7]}
        settings["scale"] = [1.0, 2.0, 0.5, 3.0, 1.0]
        rates = {"learning_rate": [1e-3, 3e-3, 3e-3, 3e-3, 1e-2], "weight_decay": 0.01}
        soft, labels = SOFT, torch.stack([each.y_train for each in TASKS])
        task, rows = TASKS, torch.stack([rows.roll(index) for index in range(5)])
    found = []
    for number in (1, 2, 3, 7):
        threads(number)
        stack = Stack.build((D, 15, 7, C), seeds=range(5), dropout=(0.3, 0.0))
        history = fit(
            stack,
            task,
            Distillation(soft, labels, **settings),
            epochs=2,
            batch_size=33,
            optimiser=name,
            seeds=range(5),
            rows=rows,
            **rates,
        )
        found.append([*weights(stack), history.loss])
    for others in found[1:]:
        assert all(map(torch.equal, found[0], others))


@pytest.mark.parametrize(
    ("number", "members", "parts"), [(1, 100, 1), (2, 100, 2), (16, 100, 4), (2, 10, 1)]
)
def test_members_are_shared_out_where_there_is_work_for_more_than_one_thread(
    number: int, members: int, parts: int
) -> None:
    stack = Stack.build((20, 64, 32, 2), seeds=range(members))
    assert training._worth(number, stack, 64) == parts
    shared = training._share(members, HardLabels(TASK.y_train), parts)
    assert len(shared) == parts
    assert [i for part in shared for i in range(members)[part]] == list(range(members))
    assert training._share(members, Spy(), parts) == [slice(0, members)]


def test_fit_leaves_the_callers_random_state_and_gradients() -> None:
    stack = Stack.build(SIZES, seeds=[0], dropout=RATES)
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    fit(stack, TASK, HardLabels(TASK.y_train), epochs=1, seeds=[0])
    assert torch.equal(torch.rand(4), expected)
    assert all(p.grad is None and p.requires_grad for p in stack.parameters())


def test_progress_can_be_silenced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DISTILL_PROGRESS", "off")
    stack = Stack.build(SIZES, seeds=[0])
    fit(stack, TASK, HardLabels(TASK.y_train), epochs=1, seeds=[0], progress="a label")
    assert capsys.readouterr() == ("", "")


THOUSAND = """
import resource
import sys
import torch
from distill_helpers.networks import Stack
from distill_helpers.tasks import gaussian_mixture_task
from distill_helpers.training import Distillation, fit
task = gaussian_mixture_task(2, 20, num_train=4000, num_test=10)
stack = Stack.build((20, 64, 32, 2), seeds=range(1000))
soft = torch.full((1000, 4000, 2), 0.5)
objective = Distillation(soft, task.y_train, temperature=[3.0] * 1000, alpha=[0.7] * 1000)
fit(stack, task, objective, epochs=1, batch_size=64, seeds=range(1000), rows=torch.arange(192))
stack.predict(task.x_train[:1000])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(peak * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.slow
def test_a_thousand_students_fit_in_two_gigabytes() -> None:
    pytest.importorskip("resource")
    out = subprocess.run(
        [sys.executable, "-c", THOUSAND], capture_output=True, text=True, timeout=300, check=True
    )
    assert int(out.stdout) < 2e9


@pytest.mark.parametrize(("number", "members"), [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_numbers_below_1e_38_are_zero_in_every_thread_that_trains(
    number: int, members: int, threads: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a training far past the fit does not slow down; tensors long enough for all of OpenMP."""
    monkeypatch.setattr(training, "LEAST_WORK", 1)
    seen = []

    class Looks(HardLabels):
        def with_gradient(self, logits: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            seen.append((threading.get_ident(), int((torch.full((10**6,), 1e-39) * 1 != 0).sum())))
            return super().with_gradient(logits, rows)

    threads(number)
    torch.ones(10**6).mul_(2)  # OpenMP's workers are there, and do not flush
    stack = Stack.build(SIZES, seeds=range(members))
    fit(stack, TASK, Looks(TASK.y_train), epochs=2, seeds=range(members))
    assert {count for _, count in seen} == {0}
    assert len({thread for thread, _ in seen}) == min(number, members)
    assert float(torch.tensor(1e-39) * 1) != 0


@pytest.mark.parametrize("was_set", [False, True])
def test_numbers_below_1e_38_are_zero_while_it_trains_and_no_longer(was_set: bool) -> None:
    seen = []

    def objective(logits: Tensor, rows: Tensor) -> Tensor:
        seen.append(float(torch.tensor(1e-39) * 1))
        raise InterruptedError

    stack = Stack.build(SIZES, seeds=[0])
    torch.set_flush_denormal(was_set)
    try:
        with pytest.raises(InterruptedError):
            fit(stack, TASK, objective, epochs=1, seeds=[0])
        assert seen == [0.0]
        assert (float(torch.tensor(1e-39) * 1) == 0) is was_set
    finally:
        torch.set_flush_denormal(False)


# Averaged weights


def test_averaged_weights_are_the_mean_over_the_last_epochs() -> None:
    def trained(epochs: int, average_last: int = 1) -> Stack:
        stack = Stack.build(SIZES, seeds=[1, 2], dropout=RATES)
        fit(
            stack,
            TASK,
            HardLabels(TASK.y_train),
            epochs=epochs,
            average_last=average_last,
            seeds=[1, 2],
        )
        return stack

    found = weights(trained(5, average_last=3))
    expected = [
        torch.stack(ws).mean(0)
        for ws in zip(*(weights(trained(e)) for e in (3, 4, 5)), strict=True)
    ]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)


def test_more_epochs_than_there_are_cannot_be_averaged() -> None:
    stack = Stack.build(SIZES, seeds=[1])
    with pytest.raises(ValueError, match="average_last is 3; it must be at most epochs, 2"):
        fit(stack, TASK, HardLabels(TASK.y_train), epochs=2, average_last=3, seeds=[1])

"""Find the two forms that explain what was seen, and what each is multiplied by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from distill_helpers.audit._forms import (
    HARD,
    REVERSED,
    SMOOTHED,
    SOFT,
    UNIFORM,
    Form,
    cross,
    log_softmax,
    over_axis,
    over_labels,
    over_more_classes,
    softmax,
)
from distill_helpers.audit._probe import MANY, Probe, part_of
from distill_helpers.audit._setup import HALF, Setup

COUPLED_LIMIT = 60_000
"""Entries up to which forms that couple rows are tried."""


WIDEST_WEIGHED = 200
"""Classes up to which weights of classes are looked for beside smoothed labels."""

SWAPPED = "arguments swapped"


@dataclass
class Fit:
    """The loss as measured: the two forms, and what each weighs, over all rows together."""

    soft: Form
    hard: Form
    a: float
    b: float
    smoothing: float = 0.0
    by_class: Tensor | None = None  # weights of the classes, where smoothing is weighed by them too


def identify(probe: Probe) -> Fit | None:
    """Find the two forms that the loss is made of, the right ones first."""
    known = REVERSED if probe.setup.divergence == "reverse" else SOFT
    right, labels = known[0], HARD[0]
    soft, hard = probe.soft(right), probe.hard(labels)
    weights, left = probe.solve(torch.stack([soft, hard]))
    if left < probe.tolerance:
        return Fit(right, labels, float(weights[0]), float(weights[1]))
    usual = left
    weights, left = probe.solve(torch.stack([soft, hard, probe.hard(UNIFORM)]))
    total = float(weights[1] + weights[2])
    if left < probe.tolerance and total > 0 and weights[2] > 0:
        return Fit(right, labels, float(weights[0]), total, float(weights[2]) / total)
    best: tuple[int, float, Fit] | None = None
    coupled = probe.rows * probe.C <= COUPLED_LIMIT
    tried = [*known, *_shaped_forms(probe)]
    if probe.Ct > probe.shared:
        tried += over_more_classes()
    forms = [form for form in tried if coupled or not form.coupled]
    rivals = [form for form in HARD if coupled or not form.coupled]
    hards = torch.stack([probe.hard(form) for form in rivals])
    softs = []
    for form in forms:
        column = probe.soft(form)
        softs.append(column)
        if not torch.isfinite(column).all():
            continue
        each, lefts = probe.solve_each(torch.stack([column.expand_as(hards), hards], 1))
        for hard_form, weights, left in zip(rivals, each, lefts.tolist(), strict=True):
            if left < min(probe.tolerance, usual / 2):
                a, b = float(weights[0]), float(weights[1])
                # Fewer deviations first, and no sign turned.
                cost = bool(form.bug) + bool(hard_form.bug) + 2 * (min(a, b) < -1e-6)
                if best is None or (cost, left) < (best[0], best[1] * 1e-3):
                    best = (cost, left, Fit(form, hard_form, a, b))
                if cost <= 1 and left < 1e-9:
                    return best[2]
    if best is not None:
        return best[2]
    # Smoothed labels, and a mistake in one of both parts.
    tries = [(form, column, SMOOTHED[0]) for form, column in zip(forms, softs, strict=True)]
    tries += [(right, soft, pair) for pair in SMOOTHED[1:]]
    drawn = {pair: [probe.hard(form) for form in pair] for pair in SMOOTHED}
    for form, column, (hard_form, uniform) in tries:
        weights, left = probe.solve(torch.stack([column, *drawn[hard_form, uniform]]))
        total = float(weights[1] + weights[2])
        if left < min(probe.tolerance, usual / 2) and total > 0 and weights[2] > 0:
            return Fit(form, hard_form, float(weights[0]), total, float(weights[2]) / total)
    weighed = _identify_weighed(probe, right)
    return weighed or _identify_temperatures(probe) or _identify_reverse(probe)


def _identify_weighed(probe: Probe, right: Form) -> Fit | None:
    r"""Look for class weights beside smoothed labels, as `F.cross_entropy` has them.

    Of a row with label y the labels' part has the slope
    :math:`a_y (q - e_y) + \sum_c b_c (q - e_c)`, linear in both, with b a fixed share of a.
    """
    if probe.C > WIDEST_WEIGHED or probe.precision in HALF or probe.blend is not None:
        return None
    given, eye = probe.given(probe.y), torch.eye(probe.C, dtype=torch.float64, device=probe.device)
    pick = probe.pick[given[probe.pick] >= 0]
    columns, seen = [], []
    for i, (z, v, _) in enumerate(probe.points):
        drawn = softmax(z[pick].double(), 1).unsqueeze(2) - eye  # (P, C, one for each class)
        own = drawn * eye[given[pick]].unsqueeze(1)
        soft = probe._slope(right, z, probe.taught(v), pick).unsqueeze(2)
        columns.append(torch.cat([soft, own, drawn], 2).flatten(0, 1))
        seen.append(probe.blocks[3 * i][pick].flatten())
    made, target = torch.cat(columns).cpu(), torch.cat(seen).cpu()
    # Classes that no row has leave the columns short of rank.
    found = torch.linalg.lstsq(made, target.unsqueeze(1), driver="gelsd").solution.squeeze(1)
    given, pick = given.cpu(), pick.cpu()
    there = given[pick].unique()
    one, other = found[1 : probe.C + 1][there], found[probe.C + 1 :]
    if not len(there) or float((made @ found - target).norm()) > probe.tolerance * target.norm():
        return None
    share = float(other[there].sum() / one.sum())
    off = float((other[there] - share * one).abs().max())
    if share < 1e-4 or off > 2e-2 * share * float(one.abs().max()):
        return None
    smoothing = share * probe.C / (1 + share * probe.C)
    b = float((other / share)[given[given >= 0]].sum()) / (1 - smoothing)
    return Fit(right, HARD[0], float(found[0]), b, smoothing, other / other.mean())


def fits_padded(probe: Probe) -> bool:
    """Tell whether the right forms fit where a teacher of fewer classes rules out all others."""
    probe.pad(True)
    columns = [probe.soft(SOFT[0]), probe.hard(HARD[0]), probe.hard(UNIFORM)]
    return probe.solve(torch.stack(columns))[1] < probe.tolerance


def _shaped_forms(probe: Probe) -> list[Form]:
    """List the forms in which softmax runs over something else than the classes."""
    positions, layout = probe.cut.positions, probe.setup.layout
    if layout.axis is None:
        return over_labels() if len(positions) == 2 and positions[1] > 1 else []
    if len(positions) < 2 or probe.C > MANY:
        return []
    names = ["softmax over the batch", *["softmax over positions"] * (len(positions) - 1)]
    labelled = probe.given(probe.y).reshape(positions) >= 0
    masks = [torch.ones_like(labelled), *([] if bool(labelled.all()) else [labelled])]
    return [
        form
        for kept in masks
        for k, name in enumerate(names)
        for form in over_axis(k, name, kept, layout.axis)
    ]


def _identify_temperatures(probe: Probe) -> Fit | None:
    """Look for the right forms at any two temperatures."""
    from scipy.optimize import minimize

    u, w = (x.soft.to(probe.device)[probe.pick].unsqueeze(1) for x in probe.weights)

    def column(student: float, target: float) -> Tensor:
        # The slope of -sum(softmax(v / target) * log_softmax(z / student)), in closed form.
        blocks = []
        for point in probe.points:
            z = point[0][probe.pick][:, : probe.shared].double()
            v, v2 = (probe.taught(x)[probe.pick].double() for x in point[1:])
            q = softmax(z, student)
            slope, changed = ((q - softmax(x, target)) / student / probe.rows for x in (v, v2))
            pad = (0, probe.C - probe.shared)
            slope, changed = (torch.nn.functional.pad(x, pad) for x in (slope, changed))
            blocks += [u * slope, (u - w) * slope, u * (slope - changed)]
        return probe._flatten(blocks, whole=False)

    hard = probe.hard(HARD[0])

    def left(x: Sequence[float]) -> float:
        made = column(math.exp(float(x[0])), math.exp(float(x[1])))
        return probe.solve(torch.stack([made, hard]))[1]

    grid = [math.log(probe.T) + step for step in np.linspace(-3, 3, 13)]
    start = min(((s, t) for s in grid for t in grid), key=left)
    found = minimize(left, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    if found.fun > probe.tolerance or max(abs(x) for x in found.x) > 12:
        return None
    student, target = (math.exp(float(x)) for x in found.x)
    equal = abs(math.log(student / target)) < 1e-3
    own = min(abs(math.log(t / probe.T)) for t in (student, target)) < 1e-3
    bug = "T on one side only" if not equal and own else "another temperature"
    M = probe.setup.M
    if M > 1 and abs(math.log(target * M / probe.T)) < 1e-3 > abs(math.log(student / probe.T)):
        bug = "members added"
    made = Form(
        f"-sum(softmax(v / {target:.4g}) * log_softmax(z / {student:.4g}))",
        "temperature",
        bug,
        cross(lambda z, T: log_softmax(z, student), lambda v, T: softmax(v, target)),
    )
    weights, _ = probe.solve(torch.stack([column(student, target), hard]))
    return Fit(made, HARD[0], float(weights[0]), float(weights[1]))


def _identify_reverse(probe: Probe) -> Fit | None:
    """Look for KL(student || teacher) at any temperature that both share."""
    from scipy.optimize import minimize_scalar

    def form(log_t: float) -> Form:
        t = math.exp(float(log_t))

        def value(z: Tensor, v: Tensor, T: float) -> Tensor:
            log_q = log_softmax(z, t)
            return (log_q.exp() * (log_q - log_softmax(v, t))).sum() / len(z)

        meant = probe.setup.divergence == "reverse"
        check, bug = ("temperature", "another temperature") if meant else ("soft part", SWAPPED)
        return Form(f"KL(student || teacher) at temperature {t:.4g}", check, bug, value)

    hard = probe.hard(HARD[0])

    def solved(log_t: float) -> tuple[Tensor, float]:
        return probe.solve(torch.stack([probe.soft(form(log_t)), hard]))

    grid = [math.log(probe.T) + step for step in np.linspace(-3, 3, 13)]
    near = min(grid, key=lambda x: solved(x)[1])
    found = minimize_scalar(
        lambda x: solved(x)[1],
        bounds=(near - 0.5, near + 0.5),
        method="bounded",
        options={"xatol": 1e-9},
    )
    weights, left = solved(found.x)
    if not left < probe.tolerance:
        return None
    return Fit(form(found.x), HARD[0], float(weights[0]), float(weights[1]))


def are_labels_alone(probe: Probe) -> bool:
    """Tell whether the labels' part, however it is written, is all of the gradient."""
    probe.weigh()
    pairs = [*SMOOTHED, *((form, UNIFORM) for form in HARD[len(SMOOTHED) :])]
    columns = [torch.stack([probe.hard(form) for form in pair]) for pair in pairs]
    _, left = probe.solve_each(torch.stack(columns))
    return bool((left < probe.tolerance).any())


def follows_logits(probe: Probe) -> bool:
    """Tell whether each row has the right forms, with weights that follow the logits.

    A teacher's confidence may weigh the rows. With three classes or fewer any gradient would do.
    """
    if probe.C < 5 or probe.shared < probe.C:
        return False
    pick = probe.pick
    given = probe.given(probe.y)
    for z, v, v2 in probe.points:
        for taught in (v, v2):
            seen = probe.gradient(z, taught, probe.y)[pick]
            q = softmax(z[pick].double(), probe.T)
            p = softmax(probe.taught(taught)[pick].double(), probe.T)
            one_hot = torch.nn.functional.one_hot(given[pick].clamp_min(0), probe.C)
            forms = torch.stack([q - p, softmax(z[pick].double(), 1) - one_hot], 2)
            weights = torch.linalg.lstsq(forms, seen.unsqueeze(2)).solution
            left = (seen - (forms @ weights).squeeze(2)).norm(dim=1)
            if not bool((left < probe.tolerance * seen.norm(dim=1).max()).all()):
                return False
    return True


def weighs_classes(probe: Probe) -> bool:
    r"""Tell whether the teacher's part is KL with a weight for each class inside the sum.

    With :math:`\sum_c w_c p_c \log(p_c / q_c)` a change d of p changes the gradient by
    :math:`q \sum_c w_c d_c - w d`, up to a factor: linear in the weights.
    """
    if probe.C < 3 or probe.C > MANY or probe.shared < probe.C or probe.precision in HALF:
        return False
    left, seen = [], []
    for i, (z, v, v2) in enumerate(probe.points):
        q = softmax(z.double(), probe.T)
        d = softmax(probe.taught(v).double(), probe.T) - softmax(probe.taught(v2).double(), probe.T)
        left.append(q.unsqueeze(2) * d.unsqueeze(1) - torch.diag_embed(d))
        seen.append(probe.blocks[3 * i + 2])
    columns, values = torch.cat(left), torch.cat(seen).unsqueeze(2)
    alive = values.flatten(1).norm(dim=1) > 1e-3 * values.flatten(1).norm(dim=1).max()
    columns, values = columns[alive], values[alive]
    weights = torch.linalg.lstsq(columns.flatten(0, 1), values.flatten(0, 1)).solution
    off = values - columns @ weights
    spread = float(weights.max() - weights.min())
    return bool(off.norm() < probe.tolerance * values.norm()) and spread > 1e-2 * float(
        weights.abs().max()
    )


def _ratio(setup: Setup, probe: Probe, fit: Fit, rows: Tensor, classes: int) -> float | None:
    """Return the ratio of both weights for another batch, or None where the loss takes none."""
    try:
        other = part_of(setup, probe, rows, classes)
    except Exception:  # a loss may be made for its own classes
        return None
    weights, left = other.solve(torch.stack([other.soft(fit.soft), other.hard(fit.hard)]))
    if left > other.tolerance or min(weights) <= 0:
        return None
    return float(weights[0] / weights[1])


def grows_with_classes(setup: Setup, probe: Probe, fit: Fit) -> bool | None:
    """Tell whether the teacher's weight falls as the number of classes grows."""
    if setup.layout.axis is None:
        return False
    rows, C = torch.arange(len(probe.cut.rows)), probe.C
    one, two = (_ratio(setup, probe, fit, rows, classes) for classes in (C, 2 * C))
    return None if one is None or two is None else two < 0.75 * one


def falls_with_classes(setup: Setup, probe: Probe, fit: Fit) -> bool | None:
    """Tell whether the teacher's part, alone, weighs half with twice the classes.

    None where the loss takes no other number of classes.
    """
    if setup.layout.axis is None:
        return False
    found = []
    for classes in (probe.C, 2 * probe.C):
        try:
            other = part_of(setup, probe, torch.arange(len(probe.cut.rows)), classes)
        except Exception:  # a loss may be made for its own classes
            return None
        weights, left = other.solve(other.soft(fit.soft).unsqueeze(0))
        if left > other.tolerance or weights[0] <= 0:
            return None
        found.append(float(weights[0]))
    return abs(found[1] / found[0] - 0.5) < 0.02


def grows_with_batch(setup: Setup, probe: Probe, fit: Fit) -> bool | None:
    """Tell whether the proportion of both parts changes with the batch.

    Both batches have the same share of rows with a label: a mean over all rows follows that share.
    """
    labelled = (setup.y.reshape(setup.B, -1) >= 0).sum(1).cpu()
    order = labelled.argsort(descending=True, stable=True)
    if setup.step is None:
        half = order[torch.arange(3) % setup.B]
        whole = half.repeat(2)
    else:
        half, whole = order[: min(setup.B, 6) // 2], order[: min(setup.B, 6) // 2 * 2]
    shares = [float(labelled[rows].double().mean()) for rows in (half, whole)]
    if not len(half) or abs(shares[0] - shares[1]) > 0.1 * shares[0]:
        return None
    one, two = (_ratio(setup, probe, fit, rows, probe.C) for rows in (half, whole))
    return None if one is None or two is None else not 0.75 < two / one < 1.33

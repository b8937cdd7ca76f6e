"""Tell another objective than the book's, meant as it is, from a mistake.

A loss whose teacher's part is least where the student's logits are the teacher's, in each row by
itself, matches the student to the teacher, in another way than KL does. A loss that is not still
there, or in which rows meet, does something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from distill_helpers.audit._forms import HARD, UNIFORM, Form, log_softmax, softmax
from distill_helpers.audit._probe import Probe, Weights
from distill_helpers.audit._report import FAILED, PASSED, UNKNOWN
from distill_helpers.audit._setup import HALF
from distill_helpers.audit._solve import Fit

Say = Callable[..., None]
DECLARE = 'if it is meant, declare divergence="other"'


@dataclass(frozen=True)
class Objective:
    """Another objective: its name where it has one, and its labels' part."""

    name: str
    hard: Form | None
    b: float
    smoothing: float


def another_objective(probe: Probe, name: str = "") -> Objective | None:
    """Find out whether the loss draws each row to its own teacher, whatever its form.

    Parameters
    ----------
    probe
        The loss at made-up logits, its rows weighed.
    name
        Of the form, where it is known.

    Returns
    -------
    Objective or None
        None where it is not still at the teacher, is not least there, or where rows meet.
    """
    found = _labels_part(probe)
    if found is None or _rows_meet(probe) or not _is_least(probe, found):
        return None
    if not name and _is_decoupled(probe, found):
        name = "decoupled distillation (DKD)"
    return Objective(name, *found)


def _size(probe: Probe) -> float:
    """How large the teacher's part is: what changes in the gradient with the teacher."""
    return max(min(float(probe.blocks[i].norm()) for i in (2, 5)), 1e-300)


def _slack(probe: Probe) -> float:
    return max(probe.tolerance, probe.grain) if probe.precision in HALF else 2e-3


def _at_teacher(probe: Probe, point: int) -> tuple[Tensor, Tensor]:
    """Return student's logits that are the teacher's, and the teacher's."""
    z, v, _ = probe.points[point]
    z = z.clone()
    z[:, : probe.shared] = probe.taught(v)
    return z, v


def _labels_slope(probe: Probe, form: Form, z: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    every = torch.arange(probe.rows, device=probe.device)
    slope = probe._slope(form, z, probe.given(y).clamp_min(0), every)
    return weights.to(probe.device).unsqueeze(1) * slope


def _labels_part(probe: Probe) -> tuple[Form | None, float, float] | None:
    """Explain the gradient at the teacher by labels alone; None where something is left."""
    asked = [(*_at_teacher(probe, i), probe.y, probe.weights[0].hard) for i in (0, 1)]
    asked.append((*_at_teacher(probe, 0), probe.other, probe.weights[1].hard))
    seen = torch.cat([probe.gradient(z, v, y).flatten() for z, v, y, _ in asked])
    limit = _slack(probe) * _size(probe)
    if not bool(torch.isfinite(seen).all()):
        return None
    if float(seen.norm()) < limit:
        return None, 0.0, 0.0
    if probe.setup.labels is None:
        return None

    def column(form: Form) -> Tensor:
        return torch.cat([_labels_slope(probe, form, z, y, u).flatten() for z, _, y, u in asked])

    # Two numbers explain nothing by chance: the labels' pull has rows times classes of them.
    for forms in ((HARD[0],), (HARD[0], UNIFORM), *((form,) for form in HARD[1:])):
        if any(form.coupled for form in forms):
            continue
        columns = torch.stack([column(form) for form in forms], 1)
        weights = torch.linalg.lstsq(columns, seen.unsqueeze(1)).solution.squeeze(1)
        if float((seen - columns @ weights).norm()) < limit:
            total = float(weights.sum())
            smoothing = float(weights[1]) / total if len(forms) == 2 and total else 0.0
            return forms[0], total, smoothing
    return None


def _rows_meet(probe: Probe) -> bool:
    """Tell whether logits of some rows, the teacher's with them, move the gradient of others."""
    if probe.rows < 2:
        return False
    (z, v, v2), (z2, _, _) = probe.points
    base = probe.gradient(z, v, probe.y)
    half = torch.arange(probe.rows, device=probe.device) % 2 == 0
    for turned in (half, ~half):
        column = turned.unsqueeze(1)
        made = probe.gradient(torch.where(column, z2, z), torch.where(column, v2, v), probe.y)
        off = (made - base)[~turned].norm()
        if not float(off) < _slack(probe) * _size(probe):
            return True
    return False


def _is_least(probe: Probe, found: tuple[Form | None, float, float]) -> bool:
    """Tell whether each row's slope near the teacher points away from it."""
    form, b, smoothing = found
    z, v = _at_teacher(probe, 0)
    away = torch.zeros_like(z)
    away[:, : probe.shared] = 0.2 * min(probe.T, 20.0) * probe.draw(probe.shared)
    slope = probe.gradient(z + away, v, probe.y)
    if form is not None:
        u = probe.weights[0].hard
        slope = slope - b * (1 - smoothing) * _labels_slope(probe, form, z + away, probe.y, u)
        slope = slope - b * smoothing * _labels_slope(probe, UNIFORM, z + away, probe.y, u)
    uphill = (slope * away.double()).sum(1)
    return bool(uphill.sum() > 0 and (uphill > -1e-2 * uphill.abs().max()).all())


def _is_decoupled(probe: Probe, found: tuple[Form | None, float, float]) -> bool:
    r"""Tell whether the teacher's part is that of Zhao et al. (2022), whatever its two weights.

    With the label's class apart: :math:`\mathrm{KL}` of (the label, all others), and of the others
    among themselves.
    """
    if probe.setup.labels is None or probe.C < 3 or probe.shared < probe.C:
        return False
    form, b, smoothing = found
    left, seen = [], []
    given = probe.given(probe.y)
    rows = given >= 0
    mask = one_hot(given[rows], probe.C).bool()
    for z, v, _ in probe.points:
        slope = probe.gradient(z, v, probe.y)
        if form is not None:
            u = probe.weights[0].hard
            slope = slope - b * (1 - smoothing) * _labels_slope(probe, form, z, probe.y, u)
            slope = slope - b * smoothing * _labels_slope(probe, UNIFORM, z, probe.y, u)
        seen.append(slope[rows].flatten())
        parts = _decoupled(z[rows].double(), probe.taught(v)[rows].double(), mask, probe.T)
        left.append(torch.stack([part.flatten() for part in parts], 1))
    columns, values = torch.cat(left), torch.cat(seen).unsqueeze(1)
    weights = torch.linalg.lstsq(columns, values).solution
    return float((values - columns @ weights).norm()) < 5 * probe.tolerance * float(values.norm())


def _decoupled(z: Tensor, v: Tensor, mask: Tensor, T: float) -> list[Tensor]:
    """Return the slopes of both parts of decoupled distillation."""
    z = z.detach().requires_grad_()
    with torch.enable_grad():
        q, p = softmax(z, T), softmax(v, T)
        q1, p1 = (q * mask).sum(1), (p * mask).sum(1)
        q0, p0 = (q * ~mask).sum(1), (p * ~mask).sum(1)
        target = -(p1 * q1.log() + p0 * q0.log()).sum()
        hidden = torch.zeros_like(z).masked_fill(mask, -1e4)
        others = -(softmax(v / T + hidden, 1) * log_softmax(z / T + hidden, 1)).sum()
        return [torch.autograd.grad(part, z, retain_graph=True)[0] for part in (target, others)]


def say_objective(probe: Probe, objective: Objective, say: Say) -> None:
    """Report an objective that is not the book's, and is none of the mistakes."""
    alpha = probe.setup.alpha
    name = f": {objective.name}" if objective.name else ""
    words = f"another objective than alpha T^2 KL + (1 - alpha) CE{name}; it is least where the "
    say("soft part", UNKNOWN, f"{words}student meets the teacher, row by row; {DECLARE}")
    say_labels(probe, objective, say)
    moved_by_labels = any(float(probe.blocks[i].norm()) > 0 for i in (1, 4))
    if objective.hard is None and alpha < 1 and not moved_by_labels:
        words = f"only the teacher's part is there, declared {alpha:.4g}"
        say("alpha", FAILED, words, "a part is missing")
    for check in ("temperature", "T squared", "reduction", "alpha"):
        say(check, UNKNOWN, "the teacher's part is another objective, with units of its own")


def say_labels(probe: Probe, objective: Objective, say: Say) -> None:
    """Judge the labels' part beside another objective."""
    hard = objective.hard
    if hard is None:
        say("labels", UNKNOWN, "the labels' part weighs nothing")
    elif hard.bug:
        say("labels", FAILED, f"the labels' part is {hard.words}", hard.bug)
    elif objective.b < 0:
        say("labels", FAILED, f"it weighs {objective.b:.4g}", "a part is subtracted")
    else:
        say("labels", PASSED, "cross-entropy with the student's plain logits")


def say_declared_other(probe: Probe, cut: str, say: Say) -> Objective:
    """Report what is left to judge where the loss is declared to be another one."""
    moved_by_teacher = any(float(probe.blocks[i].norm()) > 0 for i in (2, 5))
    if probe.setup.alpha > 0 and not moved_by_teacher and not cut:
        what = "the teacher's outputs have no influence on the gradient"
        say("soft part", FAILED, what, "a part is missing")
    declared = 'declared divergence="other": the value of the loss is not judged'
    found = None if cut or not moved_by_teacher else _labels_part(probe)
    if found is not None and found[0] is not None:
        say_labels(probe, Objective("", *found), say)
    for check in ("soft part", "temperature", "labels", "T squared", "reduction", "alpha"):
        say(check, UNKNOWN, declared)
    return Objective("", *(found or (None, 0.0, 0.0)))


def count_rows(probe: Probe, objective: Objective) -> Fit:
    """Set which rows count in both parts, and return weights by which both parts are there."""
    moved = probe.blocks[2].norm(dim=1) + probe.blocks[5].norm(dim=1)
    soft = (moved > max(1e-6, 1e-2 * probe.grain) * moved.max()).double().cpu()
    hard = probe.weights[0].hard
    if probe.setup.labels is not None and bool((hard == 1).all()):
        size = probe.blocks[1].norm(dim=1) + probe.blocks[4].norm(dim=1)
        if float(size.max()) > 0:
            hard = (size > max(1e-6, 1e-2 * probe.grain) * size.max()).double().cpu()
    probe.weights = [Weights(soft, hard)] * 2
    heard = bool(probe.setup.labels is not None and any(probe.blocks[i].any() for i in (1, 4)))
    form = objective.hard or HARD[0]
    return Fit(Form("", "soft part", "", lambda z, v, T: z.sum()), form, 1.0, float(heard))

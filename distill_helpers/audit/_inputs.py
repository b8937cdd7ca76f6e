"""Compare what teacher and student were asked about in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from distill_helpers.audit._guard import guarded
from distill_helpers.audit._report import FAILED, PASSED, UNKNOWN, WARNED, Check
from distill_helpers.audit._setup import Setup
from distill_helpers.audit._standins import Call
from distill_helpers.audit._structure import Path, tensors_in

NAME = "inputs"
AT_MOST = 64
"""Rows by which pairs are tried."""
WIDE = 2048
"""Numbers of a row that are looked at."""


@guarded(NAME)
def check_inputs(setup: Setup) -> Check:
    """See whether both networks were asked about the same inputs.

    The same rows in another order, and rows mixed on one side only, are mistakes. Two views, and a
    preparation of the teacher's own, may be meant: a warning.
    """
    if setup.step is None:
        words = "how the networks are called was not handed over: hand over step= to have that seen"
        return Check(NAME, UNKNOWN, words)
    if setup.problem is not None:
        return Check(NAME, UNKNOWN, f"the step fails: {type(setup.problem).__name__}")
    if setup.heads is not None:
        return Check(NAME, PASSED, "both are heads of one network, asked in one call")
    own = [c for c in setup.calls if c.network == 0 and (c.taught or not setup.is_self_taught)]
    own = [c for c in own if c.taught] or own
    taught = [c for c in setup.calls if c.network != 0]
    if setup.is_self_taught:
        taught = [c for c in setup.calls if c.network == 0 and not c.taught]
    if not own or not taught:
        return Check(NAME, UNKNOWN, "the step does not call both networks")
    if alone := _labels_alone(setup, own):
        return alone
    worst = Check(NAME, PASSED, "both were asked about the same inputs")
    rank = {PASSED: 0, UNKNOWN: 1, WARNED: 2, FAILED: 3}
    for number in sorted({c.network for c in taught}):
        for made in _compare(setup, [c for c in taught if c.network == number], own):
            worst = made if rank[made.outcome] > rank[worst.outcome] else worst
    return worst


def _labels_alone(setup: Setup, own: list[Call]) -> Check | None:
    """Look for rows that are mixed where each counts its own label alone."""
    first = _first(own[0])
    given = [x for _, x in tensors_in(setup.inputs) if x.ndim]
    if setup.labels_mixed is not False or setup.alpha == 1 or first is None or not given:
        return None
    mixed, plain = first[2], given[0]
    if mixed.shape != plain.shape or _same(mixed, plain) or not (how := _mixed(mixed, plain)):
        return None
    if _rows_among(mixed, plain) is not None:  # in another order, and not mixed
        return None
    words = f"the student's rows are {how} of the batch's, and each counts its own label alone"
    return Check(NAME, FAILED, words, "labels mixed unlike the inputs")


def _first(call: Call) -> tuple[Path, Tensor, Tensor] | None:
    """Return the first input with an axis of rows: its place, itself, and as it was."""
    for key, (tensor, copy) in call.seen.items():
        if copy.ndim:
            return key, tensor, copy
    return None


def _compare(setup: Setup, taught: list[Call], own: list[Call]) -> list[Check]:
    firsts, others = [_first(c) for c in taught], [_first(c) for c in own]
    asked, seen = [x for x in firsts if x is not None], [x for x in others if x is not None]
    if not asked or not seen:
        return [Check(NAME, UNKNOWN, "the networks are asked about no tensor that can be compared")]
    known = [x for _, _, x in seen]
    given = [(tensor, x) for _, tensor, x in asked]
    if len(known) != len(given):  # in micro-batches on one side
        whole = _joined(known)
        if whole is not None and (len(given) == 1 or len(known) > 1):
            known.append(whole)
        joined = _joined([x for _, x in given])
        if joined is not None and any(x.shape == joined.shape for x in known):
            given = [(joined, joined)]
    checks = [_judge(setup, tensor, x, known) for tensor, x in given]
    if len(taught) == len(own) == 1 and checks[0].outcome == PASSED and _alike(given, known):
        # Masks and the like, where both are given them under one name.
        for key, (_, x) in taught[0].seen.items():
            other = own[0].seen.get(key) if key != asked[0][0] else None
            if other is not None and other[1].shape == x.shape and not _same(other[1], x):
                words = f"the input {'.'.join(map(str, key))} is another for the teacher"
                return [Check(NAME, WARNED, words, "teacher asked about other inputs")]
    return checks


def _alike(given: list[tuple[Tensor, Tensor]], known: list[Tensor]) -> bool:
    """Tell whether the first inputs of both are one and the same, row by row."""
    x, y = given[0][1], known[0]
    return x.shape == y.shape and _same(x, y)


def _joined(parts: list[Tensor]) -> Tensor | None:
    if len(parts) < 2 or any(x.shape[1:] != parts[0].shape[1:] for x in parts):
        return None
    return torch.cat(parts)


def _same(x: Tensor, y: Tensor) -> bool:
    """Tell whether two inputs of one shape are the same, up to the coarser precision of both."""
    eps = max(torch.finfo(t.dtype).eps if t.is_floating_point() else 0.0 for t in (x, y))
    x, y = (torch.nan_to_num(t.double()) for t in (x, y.to(x.device)))
    if torch.equal(x, y):
        return True
    return bool(((x - y).abs() <= 4 * eps * torch.maximum(x.abs(), y.abs())).all())


def _judge(setup: Setup, tensor: Tensor, asked: Tensor, known: list[Tensor]) -> Check:
    """Compare what the teacher was asked with every input of the student."""
    same = [x for x in known if x.shape == asked.shape]
    if not same:
        parts = [x for x in known if x.shape[1:] == asked.shape[1:]]
        rows = [_rows_among(asked, x) for x in parts]
        if any(found is not None for found in rows):
            return Check(NAME, PASSED, "the teacher was asked about rows that the student was")
        words = f"the teacher's inputs have shape {tuple(asked.shape)} and the student's "
        return Check(NAME, UNKNOWN, words + f"{tuple(known[0].shape)}: not to be compared")
    if any(_same(x, asked) for x in same):
        return Check(NAME, PASSED, "both were asked about the same inputs")
    for x in same:
        order = _rows_among(asked, x)
        if order is not None and len(order.unique()) == len(order):
            # A step's own order is followed by stand-ins, row by row.
            handed = any(tensor is t for _, t in tensors_in(setup.batch))
            moved = int((order != torch.arange(len(order), device=order.device)).sum())
            words = f"the teacher was asked about the student's rows in another order: {moved} of "
            words += f"{len(order)} stand elsewhere"
            if handed and setup.own_teacher:
                return Check(NAME, FAILED, words, "teacher's outputs out of step")
            if setup.own_teacher:
                return Check(NAME, PASSED, f"{words}, and the step puts its answers back")
            return Check(NAME, UNKNOWN, words)
    for x in same:
        for mixed, plain, who in ((x, asked, "student's"), (asked, x, "teacher's")):
            how = _mixed(mixed, plain)
            if not how:
                continue
            words = f"the {who} rows are {how} of the other's"
            if setup.own_teacher:
                return Check(NAME, FAILED, words, "teacher asked about mixed inputs")
            words += "; whether the teacher's answers are mixed alike could not be told"
            return Check(NAME, UNKNOWN, words)
    x = same[0]
    other = int((x != asked).reshape(len(x), -1).any(1).sum())
    how = "scaled or shifted" if _scaled(x, asked) else "another view of them, or others"
    words = f"{other} of {len(x)} rows that the teacher was asked about are not the student's: "
    return Check(NAME, WARNED, words + how, "teacher asked about other inputs")


def _flat(x: Tensor) -> Tensor:
    return x.detach().reshape(len(x), -1).double()


def _rows_among(asked: Tensor, known: Tensor) -> Tensor | None:
    """Return the place of each row among the others; None where one is not there."""
    if asked.shape[1:] != known.shape[1:] or len(asked) * len(known) > 1_000_000:
        return None
    a, k = _flat(asked), _flat(known.to(asked.device))
    scale = max(float(k.abs().max()), 1e-12) if k.numel() else 1.0
    # Cheap first: a few numbers of each row.
    width = min(a.shape[1], WIDE)
    distance = torch.cdist(a[:, :width], k[:, :width], p=torch.inf)
    nearest, place = distance.min(1)
    if bool((nearest > 1e-6 * scale).any()):
        return None
    # Rows that are alike are taken in turn.
    for row in range(len(place)):
        if row < len(k) and distance[row, row] <= 1e-6 * scale:
            place[row] = row
    return place if bool((a - k[place]).abs().max() <= 1e-6 * scale) else None


def _mixed(mixed: Tensor, plain: Tensor) -> str:
    """Tell whether rows are blends, or patchworks, of their own row and one other; in words."""
    if not plain.is_floating_point() or len(plain) < 2:
        return ""
    m, x = _flat(mixed), _flat(plain.to(mixed.device))
    if m.shape[1] < 4:
        return ""
    spaced = torch.linspace(0, m.shape[1] - 1, min(m.shape[1], WIDE)).round().long()
    m, x = m[:, spaced], x[:, spaced]
    changed = (m - x).abs().amax(1) > 1e-6 * x.abs().max()
    tried = changed.nonzero().flatten()[:AT_MOST].tolist()
    blends = patches = 0
    for i in tried:
        gap, way = m[i] - x[i], x - x[i]
        # m = x_i + b (x_j - x_i)
        b = (way @ gap) / (way * way).sum(1).clamp_min(1e-300)
        left = (gap - b.unsqueeze(1) * way).norm(dim=1)
        fits = (left < 1e-4 * gap.norm()) & (b > 1e-3) & (b < 1 + 1e-3)
        blends += bool(fits.any())
        own = (gap.abs() <= 1e-6 * x.abs().max()).unsqueeze(0)
        theirs = (m[i] - x).abs() <= 1e-6 * x.abs().max()
        patches += bool((own.any() & (own | theirs).all(1) & (theirs & ~own).any(1)).any())
    if len(tried) < 2:
        return ""
    if blends > 0.9 * len(tried):
        return "blends of two"
    return "patched together from two" if patches > 0.9 * len(tried) else ""


def _scaled(x: Tensor, y: Tensor) -> bool:
    """Tell whether one is the other, scaled and shifted, channel by channel."""
    if not x.is_floating_point() or x.ndim < 2:
        return False
    x, y = x.double(), y.to(x.device).double()
    for axes in ((0, *range(2, x.ndim)), tuple(range(x.ndim)), (0, *range(1, x.ndim - 1))):
        if x.numel() // max(1, x.shape[1]) < 4:
            continue
        a, b = x - x.mean(axes, keepdim=True), y - y.mean(axes, keepdim=True)
        slope = (a * b).sum(axes, keepdim=True) / (a * a).sum(axes, keepdim=True).clamp_min(1e-300)
        if float((b - slope * a).norm()) < 1e-4 * float(b.norm()):
            return True
    return False

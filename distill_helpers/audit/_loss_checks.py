"""Judge what a loss computes: its two parts, and what they are multiplied by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch

from distill_helpers.audit._probe import (
    HALF,
    LIMIT,
    TOLERANCE,
    Fit,
    Probe,
    Setup,
    compare_slope,
    dtype_name,
    grows_with_batch,
    grows_with_classes,
    identify,
    labels_weigh_teacher,
    make_probes,
    rows_out_of_step,
    rows_weigh_unequally,
)
from distill_helpers.audit._report import FAILED, PASSED, UNKNOWN, Check
from distill_helpers.conventions import Canonical


def _check_loss(setup: Setup, checks: dict[str, Check]) -> Canonical | None:
    """Check what the loss computes; return it in the book's terms."""
    probe, own = make_probes(setup)

    def say(name: str, outcome: str, reason: str, bug: str = "") -> None:
        _add(checks, Check(name, outcome, reason, bug))

    def leave(reason: str) -> None:
        for name in ("graph", "soft part", "temperature", "labels", "T squared", "reduction"):
            say(name, UNKNOWN, reason)
        say("alpha", UNKNOWN, reason)

    values = torch.stack([value.double() for value in own.values])
    if torch.isfinite(values).all() and own.finite:
        say("finite", PASSED, f"{len(values)} of {len(values)} values and gradients are finite")
    else:
        bad = values[~torch.isfinite(values)]
        what = f"the value is {float(bad[0])}" if len(bad) else "the gradient is not finite"
        say("finite", FAILED, f"{what} on ordinary logits", "not finite")
    if not own.connected:
        say("graph", FAILED, "the loss has no gradient for the student's logits", "graph cut")
        leave("the loss has no gradient")
        return None
    if not probe.finite:
        leave("the gradient is not finite")
        return None
    moved, mixed = rows_out_of_step(probe)
    for what, bug in moved.items():
        say("order", FAILED, f"row by row, the {what} of one row move another", bug)
    if moved:
        leave("rows are out of step; mend that first")
        return None
    slope = compare_slope(probe)
    fit = identify(probe)
    cut = ""
    if slope is None:
        say("graph", UNKNOWN, "the value is too coarse in half precision")
    elif slope < 2e-2:
        say("graph", PASSED, "autograd and finite differences agree")
    else:
        cut = "autograd and finite differences of the loss disagree"
        say("graph", FAILED, cut, "graph cut")
    if fit is None:
        moved_by_teacher = any(float(probe.block(i).norm()) > 0 for i in (2, 5))
        if probe.precision in HALF:
            say("soft part", UNKNOWN, "the gradient is too coarse in half precision")
        elif setup.alpha > 0 and not moved_by_teacher and not cut:
            what = "the teacher's outputs have no influence on the gradient"
            say("soft part", FAILED, what, "a part is missing")
        elif rows_weigh_unequally(probe):
            what = "the forms are right in each row, but rows weigh unequally: class weights?"
            say("soft part", PASSED, what)
            say("labels", PASSED, what)
        elif mixed:
            what = "the labels of several rows meet in one: mixed inputs can not be followed"
            say("soft part", UNKNOWN, what)
        elif not cut:
            what = "the gradient is not that of KL and cross-entropy, nor of any mistake known here"
            say("soft part", FAILED, what, "another loss")
        leave("the loss has none of the forms known here")
        return None
    tail = probe.tolerance
    if own is not probe:
        weights, left = own.solve(torch.stack([own.soft(fit.soft), own.hard(fit.hard)]))
        if fit.smoothing == 0 and left < own.tolerance:
            fit.a, fit.b = float(weights[0]), float(weights[1])
    return _judge_weights(setup, probe, fit, cut, say, tail)


def _judge_weights(
    setup: Setup,
    probe: Probe,
    fit: Fit,
    cut: str,
    say: Callable[..., None],
    tolerance: float,
) -> Canonical | None:
    """Judge both forms, and what they are multiplied by."""
    T, alpha = setup.T, setup.alpha
    A, b = fit.a / T**2, fit.b
    size = abs(A) + abs(b)
    least = (1e-7 if probe.values[0].dtype == torch.float64 else 1e-5) * size
    no_soft, no_hard = abs(A) < least, abs(b) < least
    A, b = 0.0 if no_soft else A, 0.0 if no_hard else b
    nothing = "the teacher's part weighs nothing"
    # The two forms.
    if no_soft and not fit.soft.bug:
        say("soft part", UNKNOWN, nothing)
        say("temperature", UNKNOWN, nothing)
    else:
        deviates = fit.soft.bug and fit.soft.check == "soft part"
        if deviates:
            say("soft part", FAILED, f"the teacher's part is {fit.soft.words}", fit.soft.bug)
            say("temperature", UNKNOWN, "the teacher's part is another one")
        elif A < 0:
            say("soft part", FAILED, f"it weighs {A:.4g} T^2", "a part is subtracted")
        else:
            say("soft part", PASSED, "the gradient is that of KL(teacher || student)")
        if fit.soft.check == "temperature" and fit.soft.bug:
            say("temperature", FAILED, f"the teacher's part is {fit.soft.words}", fit.soft.bug)
        elif not deviates:
            if abs(math.log(T)) < 1e-3:
                say("temperature", UNKNOWN, "at temperature 1 a temperature left out is not seen")
            else:
                say("temperature", PASSED, f"both sides are divided by {T:.4g}")
    swapped = False
    if no_hard and not fit.hard.bug:
        swapped = labels_weigh_teacher(probe)
        if swapped:
            say(
                "labels",
                FAILED,
                "the labels' part does not move the student: it sees the teacher's logits",
                "student and teacher swapped",
            )
        else:
            say("labels", UNKNOWN, "the labels' part weighs nothing")
    elif fit.hard.bug:
        say("labels", FAILED, f"the labels' part is {fit.hard.words}", fit.hard.bug)
    elif b < 0:
        say("labels", FAILED, f"it weighs {b:.4g}", "a part is subtracted")
    elif fit.smoothing:
        say("labels", PASSED, f"cross-entropy, the labels smoothed by {fit.smoothing:.4g}")
    else:
        say("labels", PASSED, "cross-entropy with the student's plain logits")
    # The weights.
    if swapped or A < 0 or b < 0 or not (fit.soft.weighs and fit.hard.weighs):
        for name in ("T squared", "reduction", "alpha"):
            say(name, UNKNOWN, "the parts are other ones; mend them first")
        return None
    if cut and (no_soft or no_hard):
        for name in ("T squared", "reduction", "alpha"):
            say(name, UNKNOWN, "part of the gradient is cut off; mend that first")
        return None
    scale = A + b
    found = A / scale
    plain = not fit.soft.bug and not fit.hard.bug
    effective = Canonical(found, T, scale) if plain else None
    seen = (
        f"the teacher's part weighs {A:.4g} in units of T^2 KL; effective alpha is {found:.4g}, "
        f"declared {alpha:.4g}"
    )
    slack = 5e-2 if tolerance > TOLERANCE else 2e-3
    if (no_soft or no_hard) and fit.soft.bug != "another temperature":
        _judge_one_part(setup, A, b, no_soft, say, slack)
        return effective

    def near(x: float, y: float) -> bool:
        return x > 0 and y > 0 and abs(math.log(x / y)) < slack

    def unseen(name: str, words: str) -> None:
        say(name, UNKNOWN, words)

    if fit.soft.bug == "another temperature":
        for name in ("T squared", "reduction", "alpha"):
            unseen(name, "the weights are to be read with the right temperature; mend that first")
        return None
    visible_T = abs(math.log(T)) > 2 * slack
    if alpha in (0.0, 1.0):
        named = _name_weights(setup, probe, fit, A, b, near) or ("alpha", "another alpha")
        say("alpha", FAILED, seen, named[1] if named[0] == "alpha" else "another alpha")
        unseen("T squared", "the parts weigh other than declared")
        unseen("reduction", "the parts weigh other than declared")
        return effective
    if near(A / b, alpha / (1 - alpha)):
        if near(scale, 1):
            size_words = ""
        else:
            size_words = (
                f"; the whole loss is {scale:.4g} times the declared one, which is harmless"
            )
            size_words += " but for the learning rate and weight decay"
        if abs(alpha - 0.5) < slack:
            unseen("alpha", "both parts weigh the same, so which of them alpha weighs is not seen")
        else:
            say("alpha", PASSED, f"effective alpha is {found:.4g}{size_words}")
        if visible_T:
            say("T squared", PASSED, f"the parts stand to each other as declared{size_words}")
        else:
            unseen("T squared", "at temperature 1 the factor is 1")
        if setup.B == 1 and grows_with_batch(setup, probe, fit):
            words = "one part grows with the batch, which a batch of one does not show"
            unseen("reduction", words)
        else:
            say("reduction", PASSED, f"the parts stand to each other as declared{size_words}")
        return effective
    names = _name_weights(setup, probe, fit, A, b, near)
    checks = {"T squared", "reduction", "alpha"}
    if names is None:
        say("alpha", FAILED, seen, "another alpha")
        checks -= {"alpha"}
        for name in sorted(checks):
            unseen(name, "the weights fit no mistake known here")
        return effective
    for name, bug in zip(names[::2], names[1::2], strict=True):
        say(name, FAILED, seen, bug)
        checks -= {name}
    for name in sorted(checks):
        if name == "T squared" and not visible_T:
            unseen(name, "at temperature 1 the factor is 1")
        elif name == "alpha" and abs(alpha - 0.5) < slack:
            unseen(name, "at alpha 0.5 both parts weigh the same")
        else:
            say(name, PASSED, "as declared, once the other weights are mended")
    return effective


def _judge_one_part(
    setup: Setup, A: float, b: float, no_soft: bool, say: Callable[..., None], slack: float
) -> None:
    """Judge the weights of a loss that has one part alone."""
    T, alpha, C = setup.T, setup.alpha, setup.C
    part = "labels'" if no_soft else "teacher's"
    there = "only the labels' part is there" if no_soft else "only the teacher's part is there"
    if alpha == (0.0 if no_soft else 1.0):
        say("alpha", PASSED, there)
    elif alpha == (1.0 if no_soft else 0.0):
        say("alpha", FAILED, f"{there}, declared {alpha:.4g}", "alpha on the wrong term")
    else:
        say("alpha", FAILED, f"{there}, declared {alpha:.4g}", "a part is missing")
    if no_soft:
        for name in ("T squared", "reduction"):
            say(name, UNKNOWN, "the teacher's part weighs nothing")
        return
    if abs(math.log(A)) < slack:
        for name in ("T squared", "reduction"):
            if name == "T squared" and abs(math.log(T)) <= 2 * slack:
                say(name, UNKNOWN, "at temperature 1 the factor is 1")
            else:
                say(name, PASSED, "the gradient is as large as declared")
        return
    guesses = {"1 / T^2": T**-2, "1 / T": 1 / T, "1 / C": 1 / C, "1 / (C T^2)": 1 / (C * T * T)}
    same = [words for words, value in guesses.items() if abs(math.log(A / value)) < slack]
    hint = f", as with a factor {' or '.join(same)}" if same else ""
    words = (
        f"the {part} part stands alone and is {A:.4g} times the declared one{hint}: a learning "
        f"rate for SGD, and next to nothing for Adam"
    )
    for name in ("T squared", "reduction"):
        say(name, UNKNOWN, words)


def _name_weights(
    setup: Setup,
    probe: Probe,
    fit: Fit,
    A: float,
    b: float,
    near: Callable[[float, float], bool],
) -> tuple[str, ...] | None:
    """Name the mistake that gives these weights: pairs of check and bug, or None."""
    T, alpha, B, C = setup.T, setup.alpha, float(min(setup.B, LIMIT // setup.C)), float(setup.C)
    by_class = grows_with_classes(setup, probe, fit)
    by_batch = grows_with_batch(setup, probe, fit)
    factors_T: list[tuple[float, tuple[str, ...]]] = [
        (1.0, ()),
        (T**-2, ("T squared", "T^2 missing")),
        (1 / T, ("T squared", "T instead of T^2")),
        (T**2, ("T squared", "T^2 twice")),
        (T**-4, ("T squared", "T^2 on the wrong term")),
    ]
    by_size: list[tuple[float, tuple[str, ...]]] = [
        (1.0, ()),
        (1 / C, ("reduction", "mean instead of batchmean")),
        (B, ("reduction", "sum instead of a mean")),
        (1 / B, ("reduction", "batch divided out twice")),
    ]
    sides: list[tuple[float, float, tuple[str, ...]]] = [
        (alpha, 1 - alpha, ()),
        (1 - alpha, alpha, ("alpha", "alpha on the wrong term")),
        (alpha, 1.0, ("alpha", "a weight left out")),
        (1.0, 1 - alpha, ("alpha", "a weight left out")),
        (1.0, 1.0, ("alpha", "a weight left out")),
    ]
    if abs(math.log(T)) <= 1e-2:
        factors_T = factors_T[:1]
    if B == 1:
        by_size = by_size[:2]
    candidates = []
    for (soft, hard, side), (factor, kind), (divided, reduction) in itertools.product(
        sides, factors_T, by_size
    ):
        names = (*kind, *reduction, *side)
        value = soft * factor * divided
        if not names or value <= 0 or hard <= 0 or not near(A / b, value / hard):
            continue
        wrong = 0
        if by_class is not None:
            wrong += by_class != (reduction[1:] == ("mean instead of batchmean",))
        if by_batch is not None:
            over = ("sum instead of a mean",), ("batch divided out twice",)
            wrong += by_batch != (reduction[1:] in over)
        if reduction[1:] == ("batch divided out twice",) and near(b, hard * B):
            names = (*kind, "reduction", "sum instead of a mean", *side)
            value, hard = value * B, hard * B
        exact = near(A, value) and near(b, hard)
        unlikely = kind[1:] not in ((), ("T^2 missing",))
        candidates.append((wrong, len(names), not exact, unlikely, names))
    return min(candidates)[-1] if candidates else None


def _check_extremes(setup: Setup) -> Check:
    """Look at logits that are so far apart that probabilities underflow."""
    name, dtype = "extremes", setup.z.dtype
    limit = float(torch.finfo(dtype).max)
    gaps = [
        g for g in (12.0, 20.0, 50.0, 120.0, 1000.0) if 8 * max(setup.T, setup.T**2) * g < limit
    ]
    smallest = float(torch.finfo(dtype).smallest_normal) * float(torch.finfo(dtype).eps)
    needed = -math.log(smallest)
    if not gaps or gaps[-1] < needed:
        return Check(
            name, UNKNOWN, f"{dtype_name(dtype)} overflows before a probability underflows"
        )
    # A sum over many rows would overflow in half precision where no probability underflows.
    C = setup.C
    few = 3 if setup.B < 3 and setup.step is None else min(setup.B, 8)
    sizes = [min(size, max(1, LIMIT // C)) for size in (few, setup.B)]
    rows = max(sizes)
    for gap in gaps:
        sure = torch.zeros(rows, C, dtype=dtype, device=setup.z.device)
        sure[:, 0] = gap * setup.T
        turned = sure.flip(-1)
        flat = torch.zeros_like(sure)
        y = torch.arange(rows, device=sure.device) % C
        for z, v in ((flat, sure), (sure, flat), (sure, sure), (sure, turned), (turned, sure)):
            made = None
            for size in sizes:
                leaf = z[:size].clone().requires_grad_()
                try:
                    with torch.enable_grad():
                        loss = setup.loss(leaf, v[:size], y[:size])
                        made = [loss.detach()]
                        if loss.requires_grad:
                            made += [
                                g
                                for g in torch.autograd.grad(loss, leaf, allow_unused=True)
                                if g is not None
                            ]
                    break
                except Exception:
                    continue
            if made is None:
                return Check(name, UNKNOWN, f"the loss does not take made-up {dtype_name(dtype)}")
            if not all(bool(torch.isfinite(part).all()) for part in made):
                what = "value" if not bool(torch.isfinite(made[0]).all()) else "gradient"
                return Check(
                    name,
                    FAILED,
                    f"the {what} is not finite where logits are {gap * setup.T:.4g} apart, in "
                    f"{dtype_name(dtype)}",
                    "NaN on underflow",
                )
    return Check(
        name, PASSED, f"finite up to logits {gaps[-1] * setup.T:.4g} apart, in {dtype_name(dtype)}"
    )


def _add(checks: dict[str, Check], check: Check) -> None:
    """Add a check; of two that have one name the worse stays."""
    rank = {FAILED: 0, PASSED: 1, UNKNOWN: 2}
    known = checks.get(check.name)
    if known is None or rank[check.outcome] < rank[known.outcome]:
        checks[check.name] = check

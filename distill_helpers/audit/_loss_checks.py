"""Judge what a loss computes: its two parts, and what they are multiplied by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from distill_helpers.audit._broadcast import rows_broadcast
from distill_helpers.audit._guard import guarded, raised_by
from distill_helpers.audit._layout import cut as layout_cut
from distill_helpers.audit._modules import dtype_name
from distill_helpers.audit._objective import (
    Objective,
    another_objective,
    count_rows,
    say_declared_other,
    say_objective,
)
from distill_helpers.audit._probe import (
    LIMIT,
    TOLERANCE,
    Probe,
    compare_slope,
    labels_weigh_teacher,
    make_probes,
    unheard_members,
)
from distill_helpers.audit._report import BUGS, FAILED, PASSED, UNKNOWN, WARNED, Check
from distill_helpers.audit._setup import HALF, NOT_CALLED, NotFollowed, Setup
from distill_helpers.audit._solve import (
    Fit,
    are_labels_alone,
    falls_with_classes,
    fits_padded,
    follows_logits,
    grows_with_batch,
    grows_with_classes,
    identify,
    weighs_classes,
)
from distill_helpers.audit._structure import tensors_in
from distill_helpers.audit._unused import leave_out_unused
from distill_helpers.conventions import Canonical

LOSS_CHECKS = (
    "finite",
    "graph",
    "soft part",
    "temperature",
    "labels",
    "T squared",
    "reduction",
    "alpha",
    "members",
    "rows",
)

CHANGES = (
    "the loss changes from call to call on the same logits: a weight that follows the step, or "
    "random numbers of its own? Hold it still for the audit"
)

ALONE = "a factor on one part alone"

TEACHER_PLAIN = ("-sum(softmax(v) * log_softmax(z / T))", "KL(student || teacher at 1)")
"""Forms whose teacher is not divided by T, in words."""
TEACHER_PLAIN_BUGS = ("members added", "T on one side only")
"""What both make a teacher so, where there are T members."""


def _check_loss(setup: Setup, checks: dict[str, Check]) -> Canonical | None:
    """Check what the loss computes; return it in the book's terms.

    The first question is asked once more at the end: of a loss that has changed nothing is said.
    """
    effective = _judge_loss(setup, checks)
    if setup.probe is None or not setup.probe.has_changed():
        return effective
    checks.clear()
    for name in LOSS_CHECKS:
        _add(checks, Check(name, UNKNOWN, CHANGES))
    return None


def _judge_loss(setup: Setup, checks: dict[str, Check]) -> Canonical | None:
    """Take the loss apart, check by check, as far as it can be followed."""

    def say(name: str, outcome: str, reason: str, bug: str = "") -> None:
        _add(checks, Check(name, outcome, reason, bug))

    def leave(reason: str) -> None:
        for name in LOSS_CHECKS:
            say(name, UNKNOWN, reason)

    try:
        if setup.deaf:
            if setup.table == setup.B and setup.layout.axis is None:
                words = (
                    f"{setup.deaf}, and there a row and a column of {setup.table} meet in a table"
                )
                say("soft part", FAILED, words, "rows broadcast against each other")
            leave(setup.deaf)
            return None
        leave_out_unused(setup)
        with raised_by(loop=True):  # where the loss cannot be asked, that is the answer
            probe, own = make_probes(setup)
    except NotFollowed as problem:
        leave(str(problem))
        return None
    if own.changes:
        leave(CHANGES)
        return None
    setup.probe = own
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
    if not probe.finite or not own.finite:
        leave("the gradient is not finite")
        return None
    for one in dict.fromkeys((own, probe)):
        one.find_blend()
    if setup.step is not None and setup.members and not setup.is_self_taught:
        asked = {call.network for call in setup.calls} - {0}
        if setup.alpha > 0 and setup.cached is None and setup.problem is None and not asked:
            if not are_labels_alone(own):  # its weights, or a table, may have answered for it
                leave(NOT_CALLED.format("teacher"))
                return None
            say("soft part", FAILED, "the step never calls the teacher", "a part is missing")
    _check_blend(own, say)
    wrong = {
        "labels": "" if own.blend is not None else own.label_rows(),
        "teacher's outputs": own.teacher_rows(),
    }
    wrong = {what: bug for what, bug in wrong.items() if bug}
    setup.own_teacher, setup.labels_mixed = own.own_teacher, own.labels_mixed
    setup.aligned, setup.shifted = True, bool((own.source < 0).any())
    if own.relabelled:
        bug = "labels rounded" if "rounded" in own.relabelled else "labels of another class"
        say("labels", FAILED, own.relabelled, bug)
        leave("the labels are numbered otherwise; fix that first")
        return None
    for what, bug in wrong.items():
        say("order", FAILED, f"row by row, the {what} of one row move another", bug)
    if wrong:
        leave("rows are out of step; fix that first")
        return None
    if trained := own.unlabelled():
        # One sigmoid output may count an uncertain label as absent, on purpose.
        outcome = WARNED if setup.layout.axis is None else FAILED
        say("rows", outcome, trained, "ignored labels trained on")
        leave("rows without a label are trained on; fix that first")
        return None
    if own.blend is None and own.is_random():  # a share by which rows are mixed is drawn too
        leave(CHANGES)
        return None
    if setup.alpha < 1 and _repeats_inputs(own):
        words = "each token is compared with itself: the labels are the inputs"
        say("order", FAILED, words, "labels not shifted")
        setup.repeated = True
    _check_members(own, say)
    if probe is not own and bool((own.source < 0).any()):
        shifted = probe._next_token()
        if shifted is not None:
            probe.source = shifted.to(probe.device)
    setup.order = own.order = own.class_order()
    extra = own.Ct - own.C
    last = torch.arange(own.C) + extra
    if own.order is not None and extra > 0 and bool((own.order == last).all()):
        words = f"each class answers to the teacher's class {extra} further on: the last are kept"
        say("order", FAILED, words, "the wrong end of the vocabulary")
    if probe is not own:
        probe.order = own.order if probe.C == own.C else None
    # Half precision is too coarse to weigh rows by, where equal weights explain what is seen.
    fit = identify(probe) if probe.precision in HALF else None
    if fit is None:
        own.weigh()
        if probe is not own:
            probe.weigh()
            _quiet_parts(probe, own)
        if setup.divergence != "other":  # whose value is not judged: seconds where it has no name
            fit = _identify(probe, own)
        if fit is not None and fit.by_class is not None:
            for one in (probe, own):
                one.weigh_labels(fit.by_class)
    slope = compare_slope(probe)
    cut = ""
    if slope is None:
        say("graph", UNKNOWN, "the value is too coarse in half precision")
    elif slope < 2e-2:
        say("graph", PASSED, "autograd and finite differences agree")
    else:
        cut = "autograd and finite differences of the loss disagree"
        say("graph", FAILED, cut, "graph cut")
    if setup.divergence == "other":
        objective: Objective | None = say_declared_other(probe, cut, say)
    elif fit is None or fit.soft.bug == "another loss":
        objective = _say_unnamed(probe, own, fit, cut, say)
    else:
        objective = None
    if objective is not None:
        _check_rows(setup, own, count_rows(own, objective), say)
        return None
    if fit is None:
        leave("the loss has none of the forms known here")
        return None
    tail = probe.tolerance
    own.of_all_rows()
    small = own.rows * own.C <= LIMIT and not fit.soft.shaped
    if own is not probe and (small or not fit.soft.coupled):
        weights, left = own.solve(torch.stack([own.soft(fit.soft), own.hard(fit.hard)]))
        if fit.smoothing == 0 and left < own.tolerance:
            fit.a, fit.b = float(weights[0]), float(weights[1])
    effective = _judge_weights(setup, probe, own, fit, cut, say, tail)
    _check_broadcast(probe, own, fit, say)
    _check_rows(setup, own, fit, say)
    return effective


def _are_smooth(setup: Setup) -> bool:
    """Tell whether labels are rows of probabilities that leave each class a floor above zero."""
    if setup.layout.labels != "distributions" or setup.labels is None:
        return False
    least = setup.labels.detach().double().amin(setup.layout.axis)
    return float(least.min()) > 1e-6 and float(least.max() - least.min()) < 1e-5


def _check_blend(probe: Probe, say: Callable[..., None]) -> None:
    """Compare how labels are mixed, two by two, with how the student's inputs are."""
    blend = probe.blend
    if blend is None or blend.inputs is None:
        return
    mixed = blend.partner != torch.arange(probe.rows, device=probe.device)
    labels, inputs = blend.share[mixed], blend.inputs[mixed]
    words = f"a row keeps {float(inputs[0]):.3g} of its own inputs and {float(labels[0]):.3g} of "
    words += "its own label"
    if bool(((labels - inputs).abs() < 2e-2).all()):
        say("labels", PASSED, f"labels are mixed as the inputs are: {words}")
    elif bool(((1 - labels - inputs).abs() < 2e-2).all()):
        say("labels", FAILED, words, "mixed labels exchanged")
    else:
        say("labels", FAILED, words, "labels mixed unlike the inputs")


def _repeats_inputs(probe: Probe) -> bool:
    """Tell whether the label of each token is that token."""
    setup, positions = probe.setup, probe.cut.positions
    if len(positions) != 2 or setup.layout.labels != "numbers" or bool((probe.source < 0).any()):
        return False
    inputs = setup.inputs
    if isinstance(inputs, Mapping):
        inputs = inputs.get("input_ids")
    if not isinstance(inputs, Tensor) or tuple(inputs.shape) != setup.layout.positions:
        return False
    known = setup.y >= 0
    same = inputs.flatten().to(setup.y.device) == setup.y
    return bool(same[known].all()) and int(known.sum()) > 8


def _identify(probe: Probe, own: Probe) -> Fit | None:
    """Find the two forms; where the student has more classes, over those or over all of them."""
    if probe.Ct >= probe.C:
        return identify(probe)
    for padded in (True, False) if fits_padded(probe) else (False, True):
        for one in (probe, own):
            one.pad(padded)
        if (fit := identify(probe)) is not None:
            return fit
    for one in (probe, own):
        one.pad(False)
    return None


def _quiet_parts(probe: Probe, own: Probe) -> None:
    """Fall back on all rows where the small part holds none that count."""
    for before, after in ((own, probe),):
        if bool(before.weights[0].hard.any()) and not bool(after.weights[0].hard.any()):
            after.__dict__.update(before.__dict__)


def is_another(checks: Mapping[str, Check]) -> bool:
    """Tell whether the report has it that the loss is another objective."""
    check = checks["soft part"]
    return check.outcome == UNKNOWN and "divergence=" in check.reason


def _say_unnamed(
    probe: Probe, own: Probe, fit: Fit | None, cut: str, say: Callable[..., None]
) -> Objective | None:
    """Say what can be said of a loss that is not the book's; return another objective."""
    setup = probe.setup
    if fit is not None:
        objective = None if cut else another_objective(probe, fit.soft.words)
        if objective is not None:
            say_objective(probe, objective, say)
        return objective
    moved_by_teacher = any(float(probe.blocks[i].norm()) > 0 for i in (2, 5))
    moved_by_labels = any(float(probe.blocks[i].norm()) > 0 for i in (1, 4))
    if probe.precision in HALF:
        say("soft part", UNKNOWN, "the gradient is too coarse in half precision")
    elif setup.alpha > 0 and not moved_by_teacher and not cut:
        what = "the teacher's outputs have no influence on the gradient"
        say("soft part", FAILED, what, "a part is missing")
    elif setup.alpha < 1 and not moved_by_labels and not cut and not another_objective(probe):
        what = "the labels have no influence on the gradient"
        say("labels", FAILED, what, "a part is missing")
        say("soft part", UNKNOWN, "beside the teacher's part is one that follows no label")
    elif weighs_classes(probe):
        what = "each class weighs otherwise inside the teacher's sum: class weights?"
        say("soft part", FAILED, what, "class weights inside KL")
    elif probe.mixes_labels():
        what = "the labels' part draws a row to several classes, as mixed inputs do, or class "
        what += "weights beside smoothing: it can not be followed"
        say("soft part", UNKNOWN, what)
    elif follows_logits(probe):
        what = "the forms are right in each row, but the rows' weights follow the logits"
        say("soft part", UNKNOWN, what)
    elif not cut:
        objective = another_objective(probe)
        if objective is not None:
            say_objective(probe, objective, say)
            return objective
        if side := rows_broadcast(own, probe):
            what = f"a row and a column of {side} meet in a table, and rows move one another"
            say("soft part", FAILED, what, "rows broadcast against each other")
            return None
        what = "the gradient is not that of KL and cross-entropy, nor of any mistake known here"
        say("soft part", FAILED, what, "another loss")
    return None


def _check_broadcast(probe: Probe, own: Probe, fit: Fit, say: Callable[..., None]) -> None:
    """Look for a table of rows by rows where both parts have their forms.

    Where all rows weigh alike the mean over the table is the mean over the rows, and harmless.
    """
    weights = own.weights[0]
    alike = _uneven(weights.soft) == _uneven(weights.hard)
    scale = fit.a / own.T**2 + fit.b
    if alike and abs(scale - 1) < 0.05:
        return
    if side := rows_broadcast(own, probe):
        words = f"a row and a column of {side} meet in a table of all rows by all rows: the whole "
        words += f"loss weighs {scale:.4g}, and weights of rows reach one part alone"
        say("reduction", FAILED, words, "rows broadcast against each other")


def _check_members(probe: Probe, say: Callable[..., None]) -> None:
    """Ask for the influence of each member of an ensemble."""
    setup = probe.setup
    if setup.M < 2:
        say("members", PASSED, "the teacher is one network" if setup.v is not None else "")
        return
    if setup.step is None and setup.kind != "member logits":
        say("members", UNKNOWN, "the loss takes what was made of the members; hand over step=")
        return
    unheard = unheard_members(probe)
    if len(unheard) == setup.M:
        say("members", UNKNOWN, "no member moves the gradient")
    elif unheard:
        words = f"{len(unheard)} of {setup.M} members have no influence on the gradient (number "
        words += ", ".join(str(m) for m in unheard[:5]) + ")"
        say("members", FAILED, words, "a member is not heard")
    else:
        say("members", PASSED, f"each of the {setup.M} members moves the gradient")


def _rows_of_inputs(setup: Setup) -> int | None:
    """Count the rows of the first tensor among the inputs."""
    found = tensors_in(setup.inputs)
    return len(found[0][1]) if found and found[0][1].ndim else None


def _check_rows(setup: Setup, probe: Probe, fit: Fit, say: Callable[..., None]) -> None:
    """See whether both parts count the same rows, and whether padding counts."""
    soft, hard = probe.weights[0].soft != 0, probe.weights[0].hard != 0
    if abs(fit.a) <= 1e-6 * abs(fit.b):
        soft = hard
    if abs(fit.b) <= 1e-6 * abs(fit.a):
        hard = soft
    rows = probe.rows
    pads = _padding(setup, probe, hard, fit)
    for counted, part in ((soft, "the teacher's part"), (hard, "the labels' part")):
        if pads is not None and bool((counted & pads).any()):
            words = f"{part} counts {int((counted & pads).sum())} positions that are padding"
            say("rows", FAILED, words, "padding counted")
            return
    shifted = probe.source < 0
    more, less = soft & ~hard & ~shifted.cpu(), hard & ~soft
    names = (
        ("the teacher's part", soft, more, "the labels'"),
        ("the labels' part", hard, less, "the teacher's"),
    )
    for who, counted, extra, other in names:
        if bool(extra.any()):
            words = (
                f"{who} counts {int(counted.sum())} of {rows} rows, and {int(extra.sum())} of "
                f"them do not count in {other}: fine for rows without a label, wrong for padding"
            )
            say("rows", UNKNOWN, words)
            return
    uneven = [
        who
        for who, w in (("teacher's", probe.weights[0].soft), ("labels'", probe.weights[0].hard))
        if float(w[w != 0].std(unbiased=False) if bool((w != 0).any()) else 0) > 1e-3
    ]
    if uneven:
        words = f"rows weigh unequally in the {' and the '.join(uneven)} part: class weights or "
        say("rows", PASSED, words + "sample weights?")
    elif (asked := _rows_of_inputs(setup)) not in (None, setup.B):
        words = f"the networks return {setup.B} rows for {asked} inputs; where a wrapper flattens "
        words += "tokens or pixels, hand over what the loop's own loss is given"
        say("rows", UNKNOWN, words)
    elif bool(soft.all()):
        say("rows", PASSED, f"each of {rows} rows counts alike in both parts")
    else:
        say("rows", PASSED, f"both parts count the same {int(soft.sum())} of {rows} rows")


def _padding(setup: Setup, probe: Probe, hard: Tensor, fit: Fit) -> Tensor | None:
    """Tell which positions are padding: by a mask in the inputs, or by the end of the sentences."""
    positions = probe.cut.positions
    if len(positions) != 2 or setup.layout.axis is None:
        return None
    inputs = probe.cut.take(setup.inputs, setup.layout)
    if isinstance(inputs, Mapping):
        for key, mask in inputs.items():
            known = isinstance(mask, Tensor) and tuple(mask.shape) == positions
            if known and "mask" in str(key) and bool(((mask == 0) | (mask == 1)).all()):
                # The last of the padding before a sentence may stand for its first token.
                after = torch.nn.functional.pad(mask[:, 1:], (0, 1))
                return ((mask == 0) & (after == 0)).flatten().cpu()
        inputs = next((x for x in inputs.values() if isinstance(x, Tensor)), None)
    if not isinstance(inputs, Tensor) or tuple(inputs.shape) != positions:
        return None
    if inputs.is_floating_point() or fit.b == 0:
        return None
    # Positions without a label at the end, whose inputs are all one token.
    bare = (~hard & (probe.source.cpu() >= 0)).reshape(positions)
    ends = bare.flip(1).cumprod(1).flip(1).bool()
    tokens = inputs.cpu()[ends]
    if int(ends.sum()) <= len(ends) or len(tokens.unique()) != 1:
        return None
    return ends.flatten()


def _judge_weights(
    setup: Setup,
    probe: Probe,
    own: Probe,
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
            way = {"reverse": "KL(student || teacher)"}.get(setup.divergence)
            words = f"the gradient is that of {way or 'KL(teacher || student)'}"
            if own.order is not None:
                words += ", with the teacher's classes brought into another order"
            if own.padded:
                words += f", over all {setup.C} classes, of which the teacher's "
                words += f"{setup.teacher_classes} alone have a probability"
            elif own.shared < setup.C:
                words += f", over the first {own.shared} of the student's {setup.C} classes"
            elif setup.unused:
                words += f"; the loss does not look at the student's last {setup.unused} classes"
            say("soft part", PASSED, words)
        if fit.soft.check == "temperature" and fit.soft.bug:
            words = f"the teacher's part is {fit.soft.words}"
            if fit.soft.words in TEACHER_PLAIN and _may_be_a_sum(setup):
                either = (f"{bug} ({BUGS[bug].rstrip('.')})" for bug in TEACHER_PLAIN_BUGS)
                words += f"; the sum of {setup.M} members' logits, divided by T, is the same: "
                words += f"either {' or '.join(either)}"
            say("temperature", FAILED, words, fit.soft.bug)
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
    elif fit.smoothing and _are_smooth(setup):
        words = f"the batch's labels are smoothed, and the loss smooths them by {fit.smoothing:.4g}"
        say("labels", FAILED, words, "labels smoothed twice")
    elif _uneven(own.weights[0].hard):
        say("labels", PASSED, "cross-entropy, whose rows weigh unequally: class weights?")
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
    plain &= setup.divergence == "forward"  # only this KL has terms in the book's loss
    effective = Canonical(found, T, scale) if plain else None
    seen = (
        f"the teacher's part weighs {A:.4g} in units of T^2 KL; effective alpha is {found:.4g}, "
        f"declared {alpha:.4g}"
    )
    slack = 5e-2 if tolerance > TOLERANCE else 2e-3
    if (no_soft or no_hard) and fit.soft.bug != "another temperature":
        by_class = None if no_soft else falls_with_classes(setup, probe, fit)
        _judge_one_part(setup, A, b, no_soft, say, slack, by_class)
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
        named = _name_weights(setup, probe, own, fit, A, b, near) or ("alpha", "another alpha")
        say("alpha", FAILED, seen, named[1] if named[0] == "alpha" else "another alpha")
        unseen("T squared", "the parts weigh other than declared")
        unseen("reduction", "the parts weigh other than declared")
        return effective
    as_declared = near(A / b, alpha / (1 - alpha))
    if as_declared and setup.B > 1:
        # A sum over as many rows as a power of T is hidden by that power, in this batch alone.
        n = float((own.weights[0].soft != 0).sum())
        hidden = any(near(n, T**power) for power in (1, 2, 4))
        as_declared = not (hidden and grows_with_batch(setup, probe, fit))
    if as_declared:
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
    names = _name_weights(setup, probe, own, fit, A, b, near)
    checks = {"T squared", "reduction", "alpha"}
    if names is None and _uneven(own.weights[0].hard):
        # Weights that are not brought to a mean of 1 hide the labels' own factor.
        words = f"the labels' rows weigh unequally, {b:.4g} together; {seen}"
        for name in sorted(checks):
            unseen(name, words)
        return effective
    if names is None:
        say("alpha", FAILED, seen, "another alpha")
        checks -= {"alpha"}
        for name in sorted(checks):
            unseen(name, "the weights fit no mistake known here")
        return effective
    if ALONE in names:
        for part, factor in (("teacher's", A / alpha), ("labels'", b / (1 - alpha))):
            if not near(factor, 1):
                seen += f"; the {part} part is {factor:.4g} times the declared one, the other as "
                seen += "declared"
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


def _may_be_a_sum(setup: Setup) -> bool:
    """Tell whether the loop itself brings together as many members as T, so that a sum is T off."""
    asked = {call.network for call in setup.calls} - {0}
    whole = setup.kind == "member logits" or len(asked) == len(setup.members) > 0
    return setup.M > 1 and whole and abs(setup.M / setup.T - 1) < 1e-3


def _judge_one_part(
    setup: Setup,
    A: float,
    b: float,
    no_soft: bool,
    say: Callable[..., None],
    slack: float,
    by_class: bool | None,
) -> None:
    """Judge the weights of a loss that has one part alone.

    A factor before it is a learning rate, but one that follows the number of classes is a mean.
    """
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
    if by_class:
        what = f"it weighs {A:.4g} times the declared one, and half of that with twice the classes"
        say("reduction", FAILED, what, "mean instead of batchmean")
    elif by_class is None and any("C" in guess for guess in same):
        words += (
            "; the loss takes no other number of classes, by which a mean over the classes would "
            "be told from a factor"
        )
    for name in ("T squared", "reduction"):
        say(name, UNKNOWN, words)


def _name_weights(
    setup: Setup,
    probe: Probe,
    own: Probe,
    fit: Fit,
    A: float,
    b: float,
    near: Callable[[float, float], bool],
) -> tuple[str, ...] | None:
    """Name the mistake that gives these weights: pairs of check and bug, or None.

    What another batch, or other classes, rule out is not named.
    """
    T, alpha, C = setup.T, setup.alpha, float(own.shared)
    P, B = float(own.rows), float(len(own.cut.rows))
    n, m = (float((w != 0).sum()) or P for w in (own.weights[0].soft, own.weights[0].hard))
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
        (n, ("reduction", "sum instead of a mean")),
        (1 / n, ("reduction", "batch divided out twice")),
    ]
    if setup.layout.axis is None:
        by_size.pop(1)
    if n == 1:
        by_size = by_size[:2]
    if P > B:
        by_size.append((n / B, ("reduction", "batchmean over positions")))
        by_size.append((B / m, ("reduction", "batchmean over positions")))
    for counted, factor in ((n, n / P), (m, P / m)):
        if counted < P:
            by_size.append((factor, ("reduction", "mean over left-out rows")))
            if counted == n:
                by_size.append(
                    (factor / C, ("reduction", "mean over left-out rows", *by_size[1][1]))
                )
    sides: list[tuple[float, float, tuple[str, ...]]] = [
        (alpha, 1 - alpha, ()),
        (1 - alpha, alpha, ("alpha", "alpha on the wrong term")),
        (alpha, 1.0, ("alpha", "a weight left out")),
        (1.0, 1 - alpha, ("alpha", "a weight left out")),
        (1.0, 1.0, ("alpha", "a weight left out")),
    ]
    if abs(math.log(T)) <= 1e-2:
        factors_T = factors_T[:1]
    over = {"sum instead of a mean", "batch divided out twice"}
    candidates = []
    for (soft, hard, side), (factor, kind), (divided, reduction) in itertools.product(
        sides, factors_T, by_size
    ):
        names = (*kind, *reduction, *side)
        value = soft * factor * divided
        if not names or value <= 0 or hard <= 0 or not near(A / b, value / hard):
            continue
        if by_class not in (None, "mean instead of batchmean" in reduction):
            continue
        if by_batch not in (None, bool(over.intersection(reduction))):
            continue
        if reduction[1:] == ("batch divided out twice",) and near(b, hard * n):
            names = (*kind, "reduction", "sum instead of a mean", *side)
            value, hard = value * n, hard * n
        exact = near(A, value) and near(b, hard)
        unlikely = kind[1:] not in ((), ("T^2 missing",))
        candidates.append((len(names), not exact, unlikely, names))
    best = min(candidates) if candidates else None
    alone = near(A, alpha) or near(b, 1 - alpha)
    uneven = _uneven(own.weights[0].hard) and not _uneven(own.weights[0].soft)
    if alone and not by_batch and not uneven:
        # One part as declared speaks for a factor on the other, against a mistake or two and a
        # factor on both that happens to undo them there.
        count, inexact, unlikely, _ = best or (0, True, True, ())
        if inexact and (count > 2 or unlikely):
            return ("reduction", ALONE)
    if best is not None:
        return best[-1]
    if by_batch:  # a sum, divided by a number that is not this batch's
        return ("reduction", "sum over a fixed number")
    if uneven:
        # The labels' weights may come to any sum; the teacher's part is judged by itself.
        by_itself = [
            (len(kind + reduction), (*kind, *reduction))
            for factor, kind in factors_T[:2]
            for divided, reduction in by_size[:2]
            if (kind or reduction) and near(A, alpha * factor * divided)
        ]
        return min(by_itself)[1] if by_itself and 0.1 < b / (1 - alpha) < 10 else None
    return None


def _uneven(weights: Tensor) -> bool:
    """Tell whether rows that count weigh unequally."""
    kept = weights[weights != 0]
    return len(kept) > 1 and float(kept.max() - kept.min()) > 2e-2 * float(kept.abs().max())


@guarded("extremes")
def _check_extremes(setup: Setup, *, caution: bool = False) -> Check:
    """Look at logits that are so far apart that probabilities underflow.

    It fails where logits get in practice. Beyond that it is a hazard, and a warning: KL has a form
    that is finite everywhere and costs nothing. Another objective may have none: with `caution` the
    outcome there is "could not tell".
    """
    name, dtype = "extremes", setup.z.dtype
    if setup.deaf:
        return Check(name, UNKNOWN, setup.deaf)
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
    layout, C = setup.layout, setup.C
    few = 3 if setup.B < 3 and setup.step is None else min(setup.B, 8)
    inner = None if layout.axis is None else max(2, 8 if len(layout.positions) == 2 else 3)
    parts = [layout_cut(layout, torch.arange(few) % setup.B, inner, C)]
    parts.append(layout_cut(layout, torch.arange(setup.B), None, C))
    # A batch that is too large is cut, and is tried whole where the loss takes no part of it.
    rows = [math.prod(part.positions) for part in parts]
    more = setup.teacher_classes - C
    for gap in gaps:
        for kind in range(5):
            made = None
            for part, size in zip(parts, rows, strict=True):
                if size * C > 40 * LIMIT:
                    continue
                sure = torch.zeros(size, C, dtype=dtype, device=setup.z.device)
                sure[:, 0] = gap * setup.T
                turned, flat = sure.flip(-1), torch.zeros_like(sure)
                # Not all alike: a loss may divide by the spread of a row's logits.
                flat[:, -1] = 0.1
                z, v = ((flat, sure), (sure, flat), (sure, sure), (sure, turned), (turned, sure))[
                    kind
                ]
                leaf = z.clone().requires_grad_()
                v = torch.nn.functional.pad(v, (0, more)) if more else v
                y = torch.arange(size, device=sure.device) % min(C, C + more)
                own = part.take(setup.y.reshape(layout.positions), layout).flatten()
                y = torch.where(own >= 0, y, own)
                try:
                    with torch.enable_grad():
                        loss = setup.loss(leaf, v, y, part)
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
                where = f"where logits are {gap * setup.T:.4g} apart, in {dtype_name(dtype)}"
                words = f"the {what} is not finite {where}"
                if caution and gap * setup.T > _reach(setup):
                    words += "; logits of networks are seldom so far apart: mind masks of -inf"
                    return Check(name, UNKNOWN, words)
                if gap * setup.T > _reach(setup):
                    words += "; at logits such as this batch's it is finite"
                    return Check(name, WARNED, words, "NaN on underflow")
                return Check(name, FAILED, words, "NaN on underflow")
    return Check(
        name, PASSED, f"finite up to logits {gaps[-1] * setup.T:.4g} apart, in {dtype_name(dtype)}"
    )


def _reach(setup: Setup) -> float:
    """Return how far apart logits get: 100, or twice as far as those of this batch."""
    own = [x.double() for x in (setup.z_rows, setup.v) if x is not None]
    spans = [float((x.amax(-1) - x.amin(-1)).max()) for x in own]
    return max(100.0, *(2 * span for span in spans if math.isfinite(span)))


def _add(checks: dict[str, Check], check: Check) -> None:
    """Add a check; of two that have one name the worse stays."""
    rank = {FAILED: 0, WARNED: 1, PASSED: 2, UNKNOWN: 3}
    known = checks.get(check.name)
    if known is None or rank[check.outcome] < rank[known.outcome]:
        checks[check.name] = check

r"""Check a reader's own distillation loop before it trains.

`check_distillation_setup` takes an ordinary PyTorch loop apart by what it does, not by how it is
written. It hands the loss made-up logits and compares the gradient that comes back with

.. math::

    \frac{\partial L}{\partial z} = s\,\Bigl( \alpha\, \frac{T}{B} (q - p)
    + (1 - \alpha)\, \frac{1}{B} (\mathrm{softmax}(z) - \mathrm{onehot}(y)) \Bigr)

for some scale :math:`s`, and where it differs with the gradient of every known mistake. So the
report says which loss it is, and not only that it is another one. The networks, the teacher's
outputs, the optimiser and the way of testing are looked at beside it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill_helpers import _checks
from distill_helpers._probes import (
    HALF,
    LIMIT,
    TOLERANCE,
    Fit,
    Probe,
    Setup,
    call,
    compare_slope,
    dtype_name,
    grows_with_batch,
    grows_with_classes,
    identify,
    labels_weigh_teacher,
    logits_of,
    make_probes,
    modules_in,
    rows_out_of_step,
    rows_weigh_unequally,
    take_rows,
    untouched,
)
from distill_helpers.conventions import Canonical
from distill_helpers.training import every_member

PASSED, FAILED, UNKNOWN = "passed", "failed", "could not tell"

CHECKS = {
    "finite": "The loss is a finite number on ordinary logits.",
    "graph": "The gradient that autograd finds is the slope of the loss.",
    "soft part": "The teacher's part has the gradient of KL(teacher || student).",
    "temperature": "Teacher and student are both divided by the declared temperature.",
    "labels": "The labels' part is the cross-entropy of the student's plain logits.",
    "T squared": "The teacher's part carries the factor T^2.",
    "reduction": "Both parts are means over the batch, and not over classes too.",
    "alpha": "Alpha weighs the teacher's part, and 1 - alpha the labels'.",
    "extremes": "The loss stays finite where a probability underflows.",
    "order": "Each row of the teacher's output belongs to the same row of the inputs.",
    "student output": "The student returns logits.",
    "student mode": "The student is in train mode.",
    "teacher output": "The teacher returns what the loss takes.",
    "teacher mode": "The teacher answers as in eval mode.",
    "teacher gradient": "No gradient goes into the teacher.",
    "optimiser": "The optimiser moves the student's parameters and none of the teacher's.",
    "evaluation": "The student is tested at temperature 1.",
}
"""What is checked, by name, in the report's order.

:meta hide-value:
"""

BUGS = {
    "mean instead of batchmean": 'Use reduction="batchmean": "mean" divides by the classes too.',
    "T^2 missing": "Multiply the teacher's part by T ** 2.",
    "T instead of T^2": "Multiply the teacher's part by T ** 2, not by T.",
    "T^2 twice": "Multiply the teacher's part by T ** 2 once.",
    "T^2 on the wrong term": "Multiply the teacher's part by T ** 2, not the labels' part.",
    "alpha on the wrong term": "Let alpha weigh the teacher's part and 1 - alpha the labels', or "
    "declare the other value.",
    "sum instead of a mean": "Take both parts as means over the batch.",
    "batch divided out twice": 'Divide by the batch once; "batchmean" has done it already.',
    "a weight left out": "Weigh the teacher's part with alpha and the labels' with 1 - alpha, or "
    "declare the alpha that the weights come to.",
    "another alpha": "Mend the weights, or declare the alpha that they come to.",
    "a part is missing": "Add the part, or declare alpha 0 or 1.",
    "a part is subtracted": "Add both parts; the KL divergence and the cross-entropy are both "
    "to become small.",
    "probabilities where log-probabilities belong": "Give kl_div log_softmax(student / T) as its "
    "first argument.",
    "logits where log-probabilities belong": "Give kl_div log_softmax(student / T) as its first "
    "argument.",
    "logits where probabilities belong": "Take softmax(teacher / T) first.",
    "log-probabilities where probabilities belong": "Take softmax for the teacher, or set "
    "log_target=True.",
    "probabilities where log_target=True": "Take log_softmax for the teacher, or leave log_target "
    "out.",
    "arguments swapped": "Write kl_div(log_softmax(student / T), softmax(teacher / T)): the first "
    "argument is the student's.",
    "student and teacher swapped": "Look at the order of the arguments: the student's logits come "
    "first, and the labels' part belongs to them.",
    "softmax twice": "Take softmax once, from logits.",
    "softmax over the batch": "Take softmax over the classes: dim=-1.",
    "T on one side only": "Divide both the student's and the teacher's logits by T.",
    "another temperature": "Divide both by the declared temperature, once, or declare the other.",
    "labels on tempered logits": "Take the cross-entropy with the labels from the student's plain "
    "logits.",
    "no logarithm before nll_loss": "Use cross_entropy on logits, or nll_loss on log_softmax.",
    "binary cross-entropy": "Use cross_entropy: classes exclude each other.",
    "another loss": "Declare the loss that is meant by its KL form, or leave this check aside.",
    "graph cut": "Do not copy, detach or convert the student's logits on the way to the loss.",
    "not finite": "Look for a logarithm of a negative number or of 0.",
    "NaN on underflow": "Use log_softmax and kl_div; neither takes the logarithm of a probability "
    "that may be 0.",
    "teacher in train mode": "Call teacher.eval(), after any call of train() too.",
    "teacher is random": "Take the randomness out of the teacher's forward pass.",
    "teacher's outputs out of step": "Index inputs, labels and cached outputs with the same rows; "
    "compute cached outputs without shuffling.",
    "labels out of step": "Index labels and inputs with the same rows.",
    "outputs of another teacher": "Compute the cached outputs again: with this teacher, in eval "
    "mode, on these very inputs, without shuffling. Hand over all rows to see whether they are "
    "out of step.",
    "teacher not detached": "Call the teacher under torch.no_grad().",
    "teacher in the optimiser": "Give the optimiser student.parameters() alone.",
    "student not in the optimiser": "Give the optimiser student.parameters().",
    "student evaluated at T": "Test the student at temperature 1; T belongs to the loss.",
}
"""Every mistake that has a name here, and its mend.

:meta hide-value:
"""


@dataclass(frozen=True)
class Check:
    """The outcome of one check.

    Attributes
    ----------
    name
        A key of `CHECKS`.
    outcome
        ``"passed"``, ``"failed"`` or ``"could not tell"``.
    reason
        What was seen, or why nothing could be.
    bug
        A key of `BUGS` where it failed; empty otherwise.
    """

    name: str
    outcome: str
    reason: str
    bug: str = ""

    @property
    def mend(self) -> str:
        """What to change; empty where nothing failed."""
        return BUGS.get(self.bug, "")


class Report(Mapping[str, Check]):
    """What `check_distillation_setup` found, check by check.

    Prints as text, and as a table in a notebook.

    Attributes
    ----------
    effective
        The loss as measured, in the terms of `losses.distillation_loss`: ``(alpha, temperature,
        scale)``. None where it is not of that form.
    """

    def __init__(self, checks: Sequence[Check], effective: Canonical | None) -> None:
        self._checks = {check.name: check for check in checks}
        self.effective = effective

    def __getitem__(self, name: str) -> Check:
        """Return a check by its name."""
        return self._checks[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._checks)

    def __len__(self) -> int:
        """Count the checks."""
        return len(self._checks)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not self.failed

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.values() if check.outcome == FAILED]

    @property
    def bugs(self) -> list[str]:
        """The names of the mistakes that were found."""
        return list(dict.fromkeys(check.bug for check in self.failed))

    def __str__(self) -> str:
        """Write the report as text, what failed first."""
        width = max(map(len, self))
        lines = [self._summary()]
        for check in self._sorted():
            lines.append(f"{check.outcome:<14}  {check.name:<{width}}  {check.reason}")
            if check.mend:
                lines.append(f"{'':<14}  {'':<{width}}  {check.bug}: {check.mend}")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        lines = [self._summary(), "", "| check | outcome | why | mend |", "|:--|:--|:--|:--|"]
        for check in self._sorted():
            outcome = f"**failed**: {check.bug}" if check.outcome == FAILED else check.outcome
            cells = (check.name, outcome, _escape(check.reason), _escape(check.mend))
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def _sorted(self) -> list[Check]:
        rank = {FAILED: 0, UNKNOWN: 1, PASSED: 2}
        return sorted(self.values(), key=lambda check: rank[check.outcome])

    def _summary(self) -> str:
        counts = [f"{sum(c.outcome == o for c in self.values())} {o}" for o in (PASSED, FAILED)]
        unknown = sum(check.outcome == UNKNOWN for check in self.values())
        text = f"{', '.join(counts)}, {unknown} could not be told."
        if self.effective is not None:
            alpha, temperature, scale = self.effective
            text += (
                f" In effect: alpha {alpha:.4g}, temperature {temperature:.4g}, scale {scale:.4g}."
            )
        return text


def check_distillation_setup(
    student: Callable[..., Any],
    teacher: Callable[..., Any] | Sequence[Callable[..., Any]] | None,
    batch: Sequence[Any],
    loss_fn: Callable[[Any, Any, Tensor], Tensor] | None = None,
    *,
    temperature: float,
    alpha: float,
    teacher_output: str = "logits",
    step: Callable[[Any, Any, Any], Tensor] | None = None,
    optimiser: torch.optim.Optimizer | None = None,
    predict: Callable[[Tensor], Tensor] | None = None,
) -> Report:
    r"""Look for known mistakes in a distillation loop, by what it does.

    Hand over what the loop has at the moment when it computes a loss, with the networks in the
    modes that they have there. The loss is `loss_fn`, or the loop's own `step`, which shows more:
    how the teacher is called.

    Parameters
    ----------
    student
        A module, or any function, from inputs to logits ``(B, C)``. An output with an attribute
        or a key ``logits`` will do; so will inputs that are a mapping of keyword arguments.
    teacher
        The same, returning logits; a list of them for an ensemble; None where all that is left of
        it is cached.
    batch
        ``(inputs, labels)``, or ``(inputs, labels, cached)`` with the teacher's outputs for these
        inputs as the loop reads them. Labels are class numbers ``(B,)``.
    loss_fn
        ``loss_fn(student_logits, teacher_output, labels)`` returns the loss, one number.
    temperature, alpha
        What the loss is meant to be: :math:`\alpha T^2 \mathrm{KL} + (1 - \alpha) \mathrm{CE}`, up
        to a positive factor. `conventions.to_canonical` turns the settings of another library
        into these two.
    teacher_output
        What `loss_fn` takes and `batch` holds: ``"logits"`` ``(B, C)`` (an ensemble's are
        averaged), ``"member logits"`` ``(M, B, C)``, ``"soft targets"`` (probabilities at the
        temperature) or ``"log soft targets"``.
    step
        In the place of `loss_fn`: ``step(student, teacher, batch)`` calls both and returns the
        loss, before any ``backward``. It is also called with stand-ins for both that return
        made-up logits.
    optimiser
        The loop's, to see whose parameters it moves.
    predict
        How the student is tested: from its logits ``(B, C)`` to probabilities, or to whatever
        logits or log-probabilities are scored.

    Returns
    -------
    Report
        One `Check` for each of `CHECKS`, ``report["alpha"].outcome``; ``report.ok``;
        ``report.bugs``; the loss as measured, ``report.effective``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; before anything is probed.

    Notes
    -----
    Parameters, buffers, gradients, modes and random streams of all that is handed over are as
    before when it returns; nothing that `step` or `loss_fn` does elsewhere is undone.

    A loss that equals the declared one up to a positive factor passes, whatever it is called: a
    soft cross-entropy has the same gradient. The factor is reported. Where the setting hides a
    mistake (:math:`T^2` at ``temperature=1``) the outcome is "could not tell".

    Used in chapter 03.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> def loss_fn(student_logits, teacher_logits, labels):
    ...     soft = F.kl_div(
    ...         F.log_softmax(student_logits / 3, -1),
    ...         F.softmax(teacher_logits / 3, -1),
    ...         reduction="batchmean",
    ...     )
    ...     return 0.7 * soft + 0.3 * F.cross_entropy(student_logits, labels)
    >>> student, teacher = nn.Linear(4, 5), nn.Linear(4, 5).eval()
    >>> batch = torch.randn(8, 4), torch.randint(5, (8,))
    >>> report = check_distillation_setup(
    ...     student, teacher, batch, loss_fn, temperature=3.0, alpha=0.7
    ... )
    >>> report.ok, report.bugs
    (False, ['T^2 missing'])
    >>> print(report["T squared"].reason)
    the teacher's part weighs 0.07778 in units of T^2 KL; effective alpha is 0.2059, declared 0.7
    """
    T = float(_checks.temperature(temperature))
    alpha = float(_checks.alpha(alpha))
    setup = Setup(
        student, teacher, batch, loss_fn, T, alpha, teacher_output, step, optimiser, predict
    )
    with torch.inference_mode(False), untouched(setup.find_modules(), setup.optimisers()):
        setup.look()
        checks: dict[str, Check] = {}
        effective = _check_loss(setup, checks)
        for check in (
            _check_extremes(setup),
            *_check_student(setup),
            *_check_teacher(setup),
            _check_optimiser(setup),
            _check_evaluation(setup),
        ):
            _add(checks, check)
    return Report([checks[name] for name in CHECKS], effective)


def _add(checks: dict[str, Check], check: Check) -> None:
    """Add a check; of two that have one name the worse stays."""
    rank = {FAILED: 0, PASSED: 1, UNKNOWN: 2}
    known = checks.get(check.name)
    if known is None or rank[check.outcome] < rank[known.outcome]:
        checks[check.name] = check


class PlainLoss:
    """An objective for `training.fit` made from the loss of an ordinary loop.

    So the loss that is trained is, letter by letter, the one that `check_distillation_setup` sees.

    Parameters
    ----------
    loss_fn : callable
        ``loss_fn(student_logits, teacher_output, labels)`` for one student: ``(B, C)``, ``(B, C)``
        and ``(B,)`` to one number. One function, or one a member: members with the same one
        should stand side by side.
    teacher_output : Tensor or callable
        ``(N, C)``, one row a training row, or ``(M, N, C)`` where each member has its own; or a
        function from rows ``(M, B)`` to ``(M, B, C)``, for a teacher that is asked anew each step.
    labels : Tensor
        ``(N,)``, or ``(M, N)``.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> loss = PlainLoss(lambda z, v, y: F.mse_loss(z, v), torch.zeros(5, 2), torch.zeros(5).long())
    >>> loss(torch.ones(3, 4, 2), torch.zeros(3, 4, dtype=torch.int64))
    tensor([1., 1., 1.])
    """

    def __init__(
        self,
        loss_fn: Callable[..., Tensor] | Sequence[Callable[..., Tensor]],
        teacher_output: Tensor | Callable[[Tensor], Tensor],
        labels: Tensor,
    ) -> None:
        self.loss_fn = loss_fn
        self.teacher_output = teacher_output
        self.labels = labels

    def __call__(self, logits: Tensor, rows: Tensor) -> Tensor:
        """Return one loss a member."""
        member = torch.arange(len(rows)).unsqueeze(1)
        if not isinstance(self.teacher_output, Tensor):
            outputs = self.teacher_output(rows)
        elif self.teacher_output.ndim == 3:
            outputs = self.teacher_output[member, rows]
        else:
            outputs = self.teacher_output[rows]
        labels = self.labels[member, rows] if self.labels.ndim == 2 else self.labels[rows]
        if callable(self.loss_fn):
            return every_member(self.loss_fn, logits, outputs, labels)
        if len(self.loss_fn) != len(logits):
            raise ValueError(
                f"{len(self.loss_fn)} losses for {len(logits)} members; give one, or one a member"
            )
        losses, start = [], 0
        while start < len(logits):
            stop = start + 1
            while stop < len(logits) and self.loss_fn[stop] is self.loss_fn[start]:
                stop += 1
            part = slice(start, stop)
            losses.append(
                every_member(self.loss_fn[start], logits[part], outputs[part], labels[part])
            )
            start = stop
        return torch.cat(losses)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


# -- the loss -------------------------------------------------------------------------------------


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


# -- networks, optimiser, test --------------------------------------------------------------------


def _is_probabilities(x: Tensor) -> bool:
    """Tell whether every row is >= 0 and sums to 1, to the precision of the dtype."""
    total = x.double().sum(-1)
    slack = max(1e-5, 4 * torch.finfo(x.dtype).eps)
    return bool((x >= 0).all() and ((total - 1).abs() < slack).all() and x.frac().any())


def _output_check(name: str, who: str, x: Tensor) -> Check:
    if not bool(torch.isfinite(x).all()):
        return Check(name, FAILED, f"the {who}'s outputs are not finite", "not finite")
    if _is_probabilities(x):
        return Check(
            name,
            FAILED,
            f"every row of the {who}'s outputs is >= 0 and sums to 1: the network ends in a "
            f"softmax, and the loss takes another",
            "softmax twice",
        )
    if bool((x.double().logsumexp(-1).abs() < max(1e-5, 4 * torch.finfo(x.dtype).eps)).all()):
        return Check(name, PASSED, "log-probabilities, which are logits too")
    return Check(name, PASSED, "no row looks like probabilities")


def _differ(x: Tensor, y: Tensor) -> bool:
    """Tell whether two answers differ by more than rounding."""
    x, y = x.double(), y.double()
    spread = max(float(y.std()) if y.numel() > 1 else 1.0, 1e-6)
    return float((x - y).abs().max()) > spread * 1e-3


def _near(x: Tensor, y: Tensor, slack: float) -> Tensor:
    """Tell for each row whether both are the same up to a share of the spread."""
    spread = max(float(y.double().std()) if y.numel() > 1 else 1.0, 1e-9)
    return (x.double() - y.double()).abs().amax(-1) <= slack * spread


def _check_student(setup: Setup) -> list[Check]:
    checks = [_output_check("student output", "student", setup.z), _check_student_mode(setup)]
    # A function may have been made for the audit alone.
    made_to_train = setup.student.parameters() if isinstance(setup.student, nn.Module) else []
    if setup.cut and any(p.requires_grad for p in made_to_train):
        words = "no gradient goes from the student's logits to its parameters"
        checks.append(Check("graph", FAILED, words, "graph cut"))
    return checks


def _check_student_mode(setup: Setup) -> Check:
    name = "student mode"
    if any(setup.student is member for member in setup.members):
        return Check(name, UNKNOWN, "student and teacher are one and the same")
    modules = modules_in(setup.student)
    if not modules:
        return Check(name, UNKNOWN, "the student is no module")
    if all(module.training for module in modules):
        return Check(name, PASSED, "it is in train mode")
    with torch.no_grad():
        for module in modules:
            module.train()
        torch.manual_seed(0)
        try:
            one = logits_of(call(setup.student, setup.inputs), "student")
        except Exception:  # batch norm of one sample
            one = torch.full_like(setup.z, math.inf)
    if _differ(one, setup.z):
        words = "it is in eval mode, where dropout and batch norm do not train; if the loop does "
        return Check(name, UNKNOWN, words + "not call student.train(), it should")
    return Check(name, PASSED, "it is in eval mode, which changes nothing here")


def _check_teacher(setup: Setup) -> list[Check]:
    checks = [_check_order(setup)]
    if setup.v is None:
        none = "there is no teacher, only cached outputs"
        checks.append(_check_cached_output(setup))
        checks.append(Check("teacher mode", UNKNOWN, none))
        checks.append(Check("teacher gradient", PASSED, none))
        return checks
    checks.append(_output_check("teacher output", "teacher", setup.v))
    if setup.cached is not None:
        kind = _check_cached_output(setup)
        if kind.outcome == FAILED:
            checks.append(kind)
    checks.append(_check_teacher_mode(setup))
    checks.append(_check_teacher_gradient(setup))
    return checks


def _check_cached_output(setup: Setup) -> Check:
    """Compare the kind of the cached outputs with the one declared."""
    name, kind, x = "teacher output", setup.kind, setup.cached
    assert x is not None
    if not bool(torch.isfinite(x).all()):
        return Check(name, FAILED, "the cached outputs are not finite", "not finite")
    if kind in ("logits", "member logits"):
        return _output_check(name, "teacher", x)
    slack = max(1e-4, 4 * torch.finfo(x.dtype).eps)
    if kind == "soft targets":
        total = x.double().sum(-1)
        if bool((x < 0).any()):
            log = bool((x.double().logsumexp(-1).abs() < slack).all())
            bug = "log-probabilities" if log else "logits"
            words = f"declared as soft targets, the cached outputs are {bug}"
            return Check(name, FAILED, words, f"{bug} where probabilities belong")
        if not bool(((total - 1).abs() < slack).all()):
            words = "declared as soft targets, the cached rows do not sum to 1"
            return Check(name, FAILED, words, "logits where probabilities belong")
        return Check(name, PASSED, "rows are >= 0 and sum to 1")
    if not bool((x.double().logsumexp(-1).abs() < slack).all()):
        words = "declared as log soft targets, the cached outputs are no log-probabilities"
        return Check(name, FAILED, words, "logits where log-probabilities belong")
    return Check(name, PASSED, "rows are log-probabilities")


def _run_step(setup: Setup) -> tuple[list[tuple[nn.Module, bool]], Tensor]:
    """Run the loop's own step once; return the mode of each part of the teacher, and the loss."""
    assert setup.step is not None
    modes: list[tuple[nn.Module, bool]] = []

    def note(part: nn.Module, args: Any) -> None:
        modes.append((part, part.training))

    parts = {id(p): p for module in modules_in(setup.members) for p in module.modules()}
    handles = [part.register_forward_pre_hook(note) for part in parts.values()]
    batch: tuple[Any, ...] = (setup.inputs, setup.labels)
    if setup.cached is not None:
        batch = (*batch, setup.cached)
    try:
        with torch.enable_grad():
            loss = setup.step(setup.student, setup.teacher, batch)
    finally:
        for handle in handles:
            handle.remove()
    return modes, loss


def _check_teacher_mode(setup: Setup) -> Check:
    """Compare the teacher's answers with those in eval mode, and with each other."""
    name = "teacher mode"
    assert setup.v is not None
    if any(setup.student is member for member in setup.members):
        modules: list[nn.Module] = []
        words = "student and teacher are one and the same"
        if setup.step is None:
            return Check(name, UNKNOWN, words)
    else:
        modules = modules_in(setup.members)
    if setup.cached is not None and setup.step is None:
        return Check(name, UNKNOWN, "the loss reads cached outputs; how they were made is past")
    torch.manual_seed(1)
    eval_one = setup.ask_teacher(as_in_eval=True)
    torch.manual_seed(2)
    eval_two = setup.ask_teacher(as_in_eval=True)
    assert eval_one is not None and eval_two is not None
    if setup.step is not None:
        # The step may set the mode itself, and then that is what counts.
        try:
            for part, mode in _run_step(setup)[0]:
                part.training = mode
        except Exception as problem:
            return Check(name, UNKNOWN, f"the step fails: {type(problem).__name__}")
    training = any(part.training for module in modules for part in module.modules())
    torch.manual_seed(3)
    try:
        one = setup.ask_teacher()
        torch.manual_seed(4)
        two = setup.ask_teacher()
    except Exception:
        words = "it is in train mode, and fails on this batch in it"
        return Check(name, FAILED, words, "teacher in train mode")
    assert one is not None and two is not None
    if _differ(eval_one, eval_two):
        if modules:
            words = "two calls on the same inputs differ, in eval mode too"
        else:
            words = "two calls on the same inputs differ"
        return Check(name, FAILED, words, "teacher is random")
    if _differ(one, two):
        words = "it is in train mode: two calls on the same inputs differ"
        return Check(name, FAILED, words, "teacher in train mode")
    if _differ(one, eval_one):
        words = "it is in train mode: its answers are not those of eval mode"
        return Check(name, FAILED, words, "teacher in train mode")
    if not modules:
        if setup.B > 1:
            few = setup.ask_teacher(take_rows(setup.inputs, (setup.B + 1) // 2))
            if few is not None and _differ(few, one[:, : few.shape[1]]):
                words = "an answer depends on the other rows of the batch, as batch norm does in "
                return Check(name, FAILED, words + "train mode", "teacher in train mode")
        return Check(name, PASSED, "two calls agree")
    random_parts = [part for module in modules for part in module.modules() if _may_drop(part)]
    if random_parts:
        words = f"two calls agree, but {type(random_parts[0]).__name__} is in train mode: call "
        return Check(name, UNKNOWN, words + "teacher.eval()")
    if training:
        return Check(name, PASSED, "it is in train mode, which changes nothing here")
    return Check(name, PASSED, "it is in eval mode, and two calls agree")


def _may_drop(part: nn.Module) -> bool:
    """Tell whether a part is dropout that is switched on, however seldom it drops."""
    p = getattr(part, "p", 0.0)
    return part.training and "Dropout" in type(part).__name__ and isinstance(p, float) and p > 0


def _check_teacher_gradient(setup: Setup) -> Check:
    name = "teacher gradient"
    parameters = {id(p): p for m in modules_in(setup.members) for p in m.parameters()}
    own = {id(p) for m in modules_in(setup.student) for p in m.parameters()}
    shared = bool(own & set(parameters))
    moving = [p for key, p in parameters.items() if p.requires_grad and key not in own]
    if setup.step is None and setup.cached is not None:
        return Check(name, PASSED, "the loss reads cached outputs")
    if not moving and not shared:
        if parameters:
            return Check(name, PASSED, "none of its parameters asks for a gradient")
        return Check(name, UNKNOWN, "the teacher is no module")
    if setup.step is not None:
        if shared:
            return Check(name, UNKNOWN, "student and teacher share parameters")
        try:
            _, loss = _run_step(setup)
            made = torch.autograd.grad(loss, moving, allow_unused=True)
        except RuntimeError as problem:
            if "does not require grad" in str(problem):
                return Check(name, PASSED, "no gradient reaches it")
            return Check(name, UNKNOWN, f"the step fails: {str(problem).splitlines()[0]}")
        if any(g is not None for g in made):
            words = "the loss's gradient reaches its parameters"
            return Check(name, FAILED, words, "teacher not detached")
        return Check(name, PASSED, "no gradient reaches it")
    z = setup.z.float().detach().requires_grad_()
    v = setup.v.mean(0).float().detach().requires_grad_()  # type: ignore[union-attr]
    try:
        with torch.enable_grad():
            loss = setup.loss(z, v, setup.y)
            reached = torch.autograd.grad(loss, v, allow_unused=True)[0] is not None
    except Exception:
        reached = True
    if not reached:
        return Check(name, PASSED, "the loss lets no gradient through to it")
    words = "the loss lets a gradient through to it: call it under torch.no_grad(); hand over "
    return Check(name, UNKNOWN, words + "step= to have that seen")


def _check_order(setup: Setup) -> Check:
    """Compare cached outputs with the teacher's own, or a live teacher with itself."""
    name = "order"
    if setup.cached is None:
        return _check_live_order(setup)
    cached = setup.cached
    if setup.v is None:
        return _check_order_by_labels(setup)
    half = setup.v.dtype in HALF or cached.dtype in HALF
    slack = 5e-2 if half else 2e-3
    v, T = setup.v.double(), setup.T

    def arithmetic(t: float) -> Tensor:
        return torch.softmax(v / t, -1).mean(0)

    def logits(x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)

    mean = v.mean(0)
    known: list[tuple[str, Tensor, Tensor]] = []  # kind in words, as cached, as recomputed
    c = cached.double()
    if setup.kind == "member logits":
        known = [("", logits(c).movedim(0, 1).flatten(1), logits(v).movedim(0, 1).flatten(1))]
    elif setup.kind == "logits":
        known = [("", logits(c), logits(mean)), ("", logits(c), logits(arithmetic(1).log()))]
        known.append(("divided by T already", logits(c), logits(mean / T)))
    else:
        p = c.exp() if setup.kind == "log soft targets" else c
        known = [("", p, torch.softmax(mean / T, -1)), ("", p, arithmetic(T))]
        known += [("at temperature 1", p, torch.softmax(mean, -1)), ("at 1", p, arithmetic(1))]
    for words, x, y in known:
        same = _near(x, y, slack)
        if bool(same.all()):
            if words and abs(math.log(T)) > 1e-3:
                return Check(
                    name,
                    FAILED,
                    f"the cached outputs are this teacher's in this order, but {words}",
                    "T on one side only" if setup.kind != "logits" else "another temperature",
                )
            return Check(name, PASSED, "the cached outputs are the teacher's on these inputs")
    for _, x, y in known:
        spread = max(float(y.std()) if y.numel() > 1 else 1.0, 1e-9)
        rows = min(len(x), 2000)
        distance = torch.cdist(x[:rows], y[:rows], p=math.inf)
        nearest, _ = distance.min(1)
        matched = float((nearest <= slack * spread).double().mean())
        own = float((distance.diagonal() <= slack * spread).double().mean())
        if rows > 1 and matched > 0.5 and own < matched:
            return Check(
                name,
                FAILED,
                f"{round(matched * rows)} of {rows} cached rows are the teacher's for "
                f"some row, and {round(own * rows)} for their own",
                "teacher's outputs out of step",
            )
    words = "the cached outputs are not what the teacher says of these inputs, in any order: they "
    words += "are another teacher's, or of rows that are not in this batch"
    return Check(name, FAILED, words, "outputs of another teacher")


def _check_order_by_labels(setup: Setup) -> Check:
    """Compare cached outputs with the labels, where there is no teacher to ask."""
    assert setup.cached is not None
    outputs = setup.cached.double()
    guess = (outputs.mean(0) if outputs.ndim == 3 else outputs).argmax(-1)
    hits, rows = int((guess == setup.y).sum()), setup.B
    counts = [torch.bincount(x.cpu(), minlength=setup.C).double() / rows for x in (guess, setup.y)]
    chance = float((counts[0] * counts[1]).sum())
    spread = math.sqrt(rows * chance * (1 - chance))
    words = f"the cached outputs agree with {hits} of {rows} labels"
    if spread > 0 and hits - rows * chance > 4 * spread:
        return Check("order", PASSED, f"{words}, far more than by chance ({rows * chance:.1f})")
    words += f", and by chance it would be {rows * chance:.1f}; hand over the teacher to be sure"
    return Check("order", UNKNOWN, words)


def _check_live_order(setup: Setup) -> Check:
    """See whether a teacher gives each row the same answer wherever the row stands."""
    name = "order"
    if setup.B < 2:
        return Check(name, UNKNOWN, "a batch of one has no order")
    turned = torch.arange(setup.B, device=setup.z.device).flip(0)
    try:
        answer = setup.ask_teacher(take_rows(setup.inputs, turned), as_in_eval=True)
    except Exception:
        return Check(name, UNKNOWN, "the inputs can not be put in another order here")
    again = setup.ask_teacher(as_in_eval=True)
    assert answer is not None and again is not None and setup.v is not None
    if _differ(again, setup.v):
        return Check(name, UNKNOWN, "the teacher is random")
    if _differ(answer.flip(1), setup.v):
        words = "the teacher's answers do not move with its inputs"
        return Check(name, FAILED, words, "teacher's outputs out of step")
    return Check(name, PASSED, "the teacher's answers move with its inputs")


def _check_optimiser(setup: Setup) -> Check:
    name = "optimiser"
    if setup.optimiser is None:
        return Check(name, UNKNOWN, "no optimiser was handed over")
    moved = {id(p) for p in setup.optimisers()}
    own = {id(p): p for m in modules_in(setup.student) for p in m.parameters()}
    teachers = {id(p) for m in modules_in(setup.members) for p in m.parameters()}
    if moved & (teachers - set(own)):
        count = len(moved & (teachers - set(own)))
        words = f"it holds {count} of the teacher's parameter tensors"
        return Check(name, FAILED, words, "teacher in the optimiser")
    free = [key for key, p in own.items() if p.requires_grad]
    held = [key for key in free if key in moved]
    both = len(teachers.intersection(held))
    if own and not held:
        words = "it holds none of the student's parameters"
        return Check(name, FAILED, words, "student not in the optimiser")
    if len(held) < len(free):
        words = f"it holds {len(held)} of the student's {len(free)} parameter tensors that ask for "
        return Check(name, UNKNOWN, words + "a gradient; fine where the others are meant to rest")
    if not own:
        return Check(name, UNKNOWN, "the student is no module")
    if both:
        words = f"{both} of the parameter tensors that it moves are the teacher's as well as the "
        return Check(name, UNKNOWN, words + "student's; fine where the teacher is to move too")
    return Check(name, PASSED, "it holds the student's parameters and none of the teacher's")


def _check_evaluation(setup: Setup) -> Check:
    name, T = "evaluation", setup.T
    if setup.predict is None:
        return Check(name, UNKNOWN, "how the student is tested was not handed over (predict=)")
    generator = torch.Generator().manual_seed(5)
    rows = max(setup.B, 8)
    z = torch.randn(rows, setup.C, generator=generator, dtype=torch.float64) * 1.5
    z = z.float().to(setup.z.device)
    try:
        with torch.no_grad():
            made = setup.predict(z)
    except Exception as problem:
        return Check(name, UNKNOWN, f"predict fails on made-up logits: {type(problem).__name__}")
    if not isinstance(made, Tensor) or made.shape != z.shape or not made.is_floating_point():
        return Check(name, UNKNOWN, "predict returns no probabilities, so no temperature is seen")

    def centred(x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)

    slack = max(1e-3, 8 * torch.finfo(made.dtype).eps)
    is_p, made = _is_probabilities(made), made.double()
    log_p = centred(made.clamp_min(1e-300).log() if is_p else made)
    x = centred(z.double())
    slope = float((log_p * x).sum() / (x * x).sum())
    left = float((log_p - slope * x).norm() / log_p.norm().clamp_min(1e-300))
    if left > slack or slope <= 0:
        words = "the probabilities are no softmax of the logits"
        return Check(name, FAILED, words, "softmax twice")
    seen = 1 / slope
    if abs(math.log(seen)) < slack:
        if abs(math.log(T)) < slack:
            return Check(name, UNKNOWN, "at temperature 1 a temperature in the test is not seen")
        return Check(name, PASSED, "the student is tested at temperature 1")
    words = f"the student is tested at temperature {seen:.4g}"
    return Check(name, FAILED, words, "student evaluated at T")

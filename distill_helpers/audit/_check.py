"""The audit of a loop, from its arguments to a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from distill_helpers import _checks
from distill_helpers.audit._flattened import before_flattening
from distill_helpers.audit._guard import unable
from distill_helpers.audit._inputs import check_inputs
from distill_helpers.audit._loss_checks import (
    LOSS_CHECKS,
    _add,
    _check_extremes,
    _check_loss,
    is_another,
)
from distill_helpers.audit._modules import untouched
from distill_helpers.audit._network_checks import (
    _check_evaluation,
    _check_optimiser,
    _check_student,
    _check_teacher,
)
from distill_helpers.audit._report import CHECKS, OVER_TOKENS, Check, Report
from distill_helpers.audit._setup import Setup


def check_distillation_setup(
    student: Callable[..., Any],
    teacher: Callable[..., Any] | Sequence[Callable[..., Any]] | None,
    batch: Sequence[Any] | Mapping[str, Any],
    loss_fn: Callable[[Any, Any, Tensor], Tensor] | None = None,
    *,
    temperature: float,
    alpha: float,
    teacher_output: str = "logits",
    step: Callable[[Any, Any, Any], Tensor] | None = None,
    optimiser: torch.optim.Optimizer | None = None,
    predict: Callable[[Tensor], Tensor] | None = None,
    divergence: str = "forward",
) -> Report:
    r"""Look for known mistakes in a distillation loop, by what it does.

    Hand over what the loop has at the moment when it computes a loss, with the networks in the
    modes that they have there. The loss is `loss_fn`, or the loop's own `step`, which shows more:
    how the teacher is called.

    Parameters
    ----------
    student
        A module, or any function, from inputs to logits: ``(B, C)``, tokens ``(B, L, C)``, pixels
        ``(B, C, H, W)``, or one sigmoid output per label, ``(B,)``, ``(B, 1)`` or ``(B, C)``. They
        may stand in a tuple, a mapping or an object; inputs may be a mapping of keyword arguments.
    teacher
        The same, returning logits; a list of them for an ensemble; None where all that is left of
        it is cached, where the step asks one network in both roles (adapters on and off), or where
        one head of the student teaches its others (early exits).
    batch
        ``(inputs, labels)``, or ``(inputs, labels, cached)`` with the teacher's outputs for these
        inputs as the loop reads them; or a mapping, with labels as ``labels``, ``label``,
        ``targets``, ``target`` or ``y``. Labels are class numbers, one per row of logits, rows of
        probabilities, or 0 or 1 for each sigmoid output; numbers below 0 (-1, -100), and one beyond
        the classes (255), mark rows without a label. At ``alpha=1`` they may be left out.
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
        loss. It is run once with the networks themselves, and then with networks that answer with
        made-up logits in the structure of their own outputs, wherever the step calls them. It may
        call ``backward`` itself; the state of an optimiser that it steps is not put back. Where
        teacher and student have the same shapes it runs two or three times more, with optimisers
        at rest, to see whether it moves the student's weights onto the teacher's.
    optimiser
        The loop's, to see whose parameters it moves.
    predict
        How the student is tested: from its logits ``(B, C)`` to probabilities, or to whatever
        logits or log-probabilities are scored.
    divergence
        What the teacher's part is meant to be: ``"forward"``, :math:`\mathrm{KL}` of the student
        from the teacher; ``"reverse"``, the same with both exchanged, on purpose; ``"other"``, a
        loss of your own, whose value is not judged, but everything else is.

    Returns
    -------
    Report
        One `Check` for each of `CHECKS`, ``report["alpha"].outcome``; ``report.ok``, whether none
        failed; ``report.bugs`` and ``report.warnings``, by name; the loss as measured,
        ``report.effective``.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; before anything is probed.

    Notes
    -----
    Every row of logits (a sample, a token, a pixel, a sigmoid output) may have a weight of its own
    in either part, so that masks, padding, class weights and sample weights are seen as what they
    are. What cannot be seen is "could not tell", with the reason: a loss that changes from call to
    call or with its random numbers, a network that the step calls by its parts or past its call.

    Parameters, buffers, gradients, modes and random streams of all that is handed over are as
    before when it returns; nothing that `step` or `loss_fn` does elsewhere is undone.

    A loss that equals the declared one up to a positive factor passes, whatever it is called: a
    soft cross-entropy has the same gradient. The factor is reported. Another objective that draws
    each row to its own teacher (squared errors, Jensen-Shannon, DKD) is "could not tell"; the
    reverse KL has the values of a KL with its arguments swapped, and is named so unless
    `divergence` says that it is meant. Where the setting hides a
    mistake (:math:`T^2` at ``temperature=1``) the outcome is "could not tell".

    A warning is named and is no fault: a loss that is not finite where logits are far apart,
    farther than 100 and than twice this batch's own; a teacher that the step asks about other
    inputs than the student, which may be views on purpose (rows in another order, or mixed on one
    side alone, are faults); an optimiser that holds frozen tensors and lacks trainable ones; a
    student that a step leaves in eval mode, where that changes what it answers; an uncertain label
    of a sigmoid output that counts as absent.

    Used in chapter 03. Where the loss is over tokens the report points to chapter 09.

    Examples
    --------
    >>> import torch.nn.functional as F
    >>> from torch import nn
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
        student,
        teacher,
        batch,
        loss_fn,
        T,
        alpha,
        teacher_output,
        step,
        optimiser,
        predict,
        divergence,
    )
    with torch.inference_mode(False), untouched(setup.find_modules(), setup.optimisers()):
        try:
            setup.look()
        except (TypeError, ValueError):  # the arguments do not go together
            raise
        except Exception as problem:
            return Report(unable(list(CHECKS), problem), None)
        shaped = before_flattening(setup)
        setup = shaped or setup
        checks: dict[str, Check] = {}
        with untouched(setup.find_modules(), setup.optimisers()):
            effective = None
            try:
                effective = _check_loss(setup, checks)
            except Exception as problem:
                for check in unable(LOSS_CHECKS, problem):
                    _add(checks, check)
            _add(checks, _check_extremes(setup, caution=is_another(checks)))
        for check in (
            *_check_student(setup),
            *_check_teacher(setup),
            check_inputs(setup),
            _check_optimiser(setup),
            _check_evaluation(setup),
        ):
            _add(checks, check)
    if shaped is not None:
        found = checks["reduction"]
        words = f"before a wrapper flattens them the logits are {tuple(setup.z.shape)}, and on "
        words += f"those the loss is another one than on rows: {found.reason}"
        checks["reduction"] = replace(found, reason=words)
    chapter = OVER_TOKENS if setup.is_over_tokens else ""
    return Report([checks[name] for name in CHECKS], effective, chapter)

"""Judge the networks, the optimiser and the way of testing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from distill_helpers.audit._average import look_for_pull
from distill_helpers.audit._guard import guarded
from distill_helpers.audit._layout import cut as layout_cut
from distill_helpers.audit._modules import (
    ask,
    eval_mode,
    modules_in,
    reseed,
    tensors_held,
    untouched,
)
from distill_helpers.audit._report import FAILED, PASSED, UNKNOWN, WARNED, Check
from distill_helpers.audit._setup import HALF, Setup
from distill_helpers.audit._structure import tensors_in


def _is_probabilities(x: Tensor) -> bool:
    """Tell whether every row is >= 0 and sums to 1, to the precision of the dtype."""
    total = x.double().sum(-1)
    slack = max(1e-5, 4 * torch.finfo(x.dtype).eps)
    return bool((x >= 0).all() and ((total - 1).abs() < slack).all() and x.frac().any())


def _squashes(network: Any, setup: Setup) -> bool | None:
    """Tell whether answers stay between 0 and 1 whatever the weights; None where nothing changes.

    An untrained network may have all its logits there by chance.
    """
    modules = modules_in(network)
    parameters = [p for m in modules for p in m.parameters() if p.is_floating_point()]
    if not parameters:
        return None
    changed = False
    with torch.no_grad(), eval_mode(modules):
        before = [x.clone() for _, x in tensors_in(ask(network, setup.inputs, "network"))]
        for factor in (10.0, -10.0):
            with untouched(modules, ()):
                for p in {id(p): p for p in parameters}.values():
                    p.mul_(factor)
                after = [x for _, x in tensors_in(ask(network, setup.inputs, "network"))]
            pairs = [(a, b) for a, b in zip(after, before, strict=True) if a.is_floating_point()]
            changed |= any(not torch.equal(a, b) for a, b in pairs)
            fit = [a for a, _ in pairs if a.numel() == setup.z.numel()]
            if any(bool(((a < 0) | (a > 1)).any()) for a in fit):
                return False
    return True if changed else None


def _output_check(name: str, who: str, setup: Setup, x: Tensor, network: Any = None) -> Check:
    """Tell whether outputs are logits."""
    look: Callable[..., Check] = guarded(name)(_judge_output)
    return look(name, who, setup, x, network)


def _judge_output(name: str, who: str, setup: Setup, x: Tensor, network: Any = None) -> Check:
    if not bool(torch.isfinite(x).all()):
        return Check(name, FAILED, f"the {who}'s outputs are not finite", "not finite")
    if setup.layout.axis is None:
        between = bool(((x[..., 1] > 0) & (x[..., 1] < 1)).all())
        if between and x[..., 1].numel() >= 16:
            words = f"every output of the {who} is between 0 and 1"
            try:
                squashes = network is None or _squashes(network, setup)
            except Exception:
                squashes = None
            if squashes is None:
                return Check(name, UNKNOWN, words + "; whether it ends in a sigmoid is not seen")
            if squashes:
                words += ": it ends in a sigmoid, and the loss takes another"
                return Check(name, FAILED, words, "softmax twice")
        return Check(name, PASSED, "one logit per label, on both sides of 0 or beyond 1")
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
    checks = [
        _output_check("student output", "student", setup, setup.z_rows, setup.student),
        _check_student_mode(setup),
    ]
    # A function may have been made for the audit alone.
    made_to_train = setup.student.parameters() if isinstance(setup.student, nn.Module) else []
    made_to_train = list(made_to_train)
    if setup.cut and made_to_train and not any(p.requires_grad for p in made_to_train):
        words = f"none of its {len(made_to_train)} parameter tensors asks for a gradient"
        checks.append(Check("graph", FAILED, words, "student is frozen"))
    if setup.cut and any(p.requires_grad for p in made_to_train):
        words = "no gradient goes from the student's logits to its parameters"
        checks.append(Check("graph", FAILED, words, "graph cut"))
    return checks


@guarded("student mode")
def _check_student_mode(setup: Setup) -> Check:
    name = "student mode"
    if any(setup.student is member for member in setup.members):
        return Check(name, UNKNOWN, "student and teacher are one and the same")
    modules = modules_in(setup.student)
    if not modules:
        return Check(name, UNKNOWN, "the student is no module")
    trains = setup.trains_student
    handed = all(module.training for module in modules)
    if trains or (trains is None and handed):
        words = "it is in train mode" if handed else "the step puts it in train mode"
        return Check(name, PASSED, words)
    with torch.no_grad(), untouched(modules, ()):
        answers = []
        for mode in (False, True):
            for module in modules:
                module.train(mode)
            reseed(0)
            try:
                answers.append(setup.student_again())
            except Exception:  # batch norm of one sample
                answers.append(torch.full_like(setup.z_rows, math.inf))
    if _differ(answers[1], answers[0]):
        words = "it is in eval mode, where dropout and batch norm do not train"
        if trains is False:
            words += ", and the step puts it there" if handed else ", and the step leaves it there"
            return Check(name, WARNED, words, "student in eval mode")
        words += "; if the loop does not call student.train(), it should"
        return Check(name, UNKNOWN, words)
    return Check(name, PASSED, "it is in eval mode, which changes nothing here")


def _check_teacher(setup: Setup) -> list[Check]:
    if setup.is_self_taught:
        words = "one network is asked in two roles, as student and as teacher"
        other = "its answers as teacher are not for the rows of this batch"
        checks = [Check(name, UNKNOWN, other) for name in ("teacher quality", "teacher output")]
        if setup.v is not None:
            checks = [
                _check_teacher_quality(setup),
                _output_check("teacher output", "teacher", setup, setup.v, setup.student),
            ]
        return [
            *checks,
            Check("teacher gradient", PASSED, "the gradient reaches one of its two answers alone"),
            *(Check(name, UNKNOWN, words) for name in ("order", "teacher mode")),
        ]
    if setup.heads is not None:
        return _check_teaching_head(setup)
    checks = [_check_order(setup), _check_teacher_quality(setup)]
    if setup.v is None and setup.cached is None:
        words = setup.deaf or "no teacher was handed over that could be asked"
        names = ("teacher output", "teacher mode", "teacher gradient")
        return [*checks, *(Check(name, UNKNOWN, words) for name in names)]
    if setup.v is None:
        none = "there is no teacher, only cached outputs"
        checks.append(_check_cached_output(setup))
        checks.append(Check("teacher mode", UNKNOWN, none))
        checks.append(Check("teacher gradient", PASSED, none))
        return checks
    checks.append(_output_check("teacher output", "teacher", setup, setup.v, setup.members[0]))
    if setup.cached is not None:
        kind = _check_cached_output(setup)
        if kind.outcome == FAILED:
            checks.append(kind)
    checks.append(_check_teacher_mode(setup))
    checks.append(_check_teacher_gradient(setup))
    return checks


def _check_teaching_head(setup: Setup) -> list[Check]:
    """Check a head that teaches other heads of its own network."""
    assert setup.heads is not None and setup.v is not None
    place = ".".join(map(str, setup.heads.teacher))
    words = f"the head {place!r} of the student's own network is the teacher"
    detached = Check("teacher gradient", PASSED, f"{words}, and what it teaches does not move it")
    if not setup.heads.detached:
        moved = f"{words}, and the part of the heads that it teaches moves it too: detach it there"
        detached = Check("teacher gradient", FAILED, moved, "teacher not detached")
    return [
        _check_teacher_quality(setup),
        _output_check("teacher output", "teacher", setup, setup.v, setup.student),
        detached,
        Check("order", PASSED, f"{words}, and answers in the same call"),
        Check("teacher mode", PASSED, f"{words}, which learns: it is to be in train mode"),
    ]


@guarded("teacher output")
def _check_cached_output(setup: Setup) -> Check:
    """Compare the kind of the cached outputs with the one declared."""
    name, kind, x = "teacher output", setup.kind, setup.cached_rows
    if not bool(torch.isfinite(x).all()):
        return Check(name, FAILED, "the cached outputs are not finite", "not finite")
    if kind in ("logits", "member logits"):
        return _output_check(name, "teacher", setup, x)
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


@guarded("teacher mode")
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
    reseed(1)
    eval_one = setup.ask_teacher(as_in_eval=True)
    reseed(2)
    eval_two = setup.ask_teacher(as_in_eval=True)
    assert eval_one is not None and eval_two is not None
    if setup.step is not None:
        # The step may set the mode itself, and then that is what counts.
        if setup.problem is not None:
            return Check(name, UNKNOWN, f"the step fails: {type(setup.problem).__name__}")
        for part, mode in setup.modes:
            part.training = mode
    training = any(part.training for module in modules for part in module.modules())
    reseed(3)
    try:
        one = setup.ask_teacher()
        reseed(4)
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
            few = setup.ask_teacher(torch.arange((setup.B + 1) // 2))
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


@guarded("teacher gradient")
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
        if setup.problem is not None or setup.reached is None:
            return Check(name, UNKNOWN, "the step fails with the networks themselves")
        if setup.reached:
            words = "the loss's gradient reaches its parameters"
            return Check(name, FAILED, words, "teacher not detached")
        return Check(name, PASSED, "no gradient reaches it")
    z = setup.z_rows[:, : setup.C].float().detach().requires_grad_()
    v = setup.v.mean(0).float().detach().requires_grad_()  # type: ignore[union-attr]
    try:
        with torch.enable_grad():
            whole = layout_cut(setup.layout, torch.arange(setup.B), None, setup.C)
            loss = setup.loss(z, v, setup.y, whole)
            reached = torch.autograd.grad(loss, v, allow_unused=True)[0] is not None
    except Exception:
        reached = True
    if not reached:
        return Check(name, PASSED, "the loss lets no gradient through to it")
    words = "the loss lets a gradient through to it: call it under torch.no_grad(); hand over "
    return Check(name, UNKNOWN, words + "step= to have that seen")


@guarded("order")
def _check_order(setup: Setup) -> Check:
    """Compare cached outputs with the teacher's own, or a live teacher with itself."""
    name = "order"
    if setup.v is None and setup.cached is None:
        return Check(name, UNKNOWN, setup.deaf or "no teacher was handed over")
    if setup.cached is None:
        return _check_live_order(setup)
    cached = setup.cached_rows
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
    if setup.labels is None:
        words = "there is neither a teacher nor are there labels to compare the cached outputs with"
        return Check("order", UNKNOWN, f"{words}; hand over the teacher to be sure")
    outputs = setup.cached_rows.double()
    guess = (outputs.mean(0) if outputs.ndim == 3 else outputs).argmax(-1)
    hits, rows = int((guess == setup.y).sum()), setup.P
    counts = [
        torch.bincount(x.cpu().clamp_min(0), minlength=setup.C).double() / rows
        for x in (guess, setup.y)
    ]
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
        answer = setup.ask_teacher(turned, as_in_eval=True)
    except Exception:
        return Check(name, UNKNOWN, "the inputs can not be put in another order here")
    again = setup.ask_teacher(as_in_eval=True)
    assert answer is not None and again is not None and setup.v is not None
    if _differ(again, setup.v):
        return Check(name, UNKNOWN, "the teacher is random")
    back = answer.unflatten(1, (setup.B, -1)).flip(1).flatten(1, 2)
    if _differ(back, setup.v):
        words = "the teacher's answers do not move with its inputs"
        return Check(name, FAILED, words, "teacher's outputs out of step")
    return Check(name, PASSED, "the teacher's answers move with its inputs")


@guarded("teacher quality")
def _check_teacher_quality(setup: Setup) -> Check:
    """Compare the teacher's answers with the labels, as they are and with the classes exchanged."""
    name = "teacher quality"
    outputs = setup.v if setup.v is not None else None
    if outputs is None and setup.cached is not None:
        outputs = setup.cached_rows
        outputs = outputs if outputs.ndim == 3 else outputs.unsqueeze(0)
    if outputs is None:
        return Check(name, UNKNOWN, setup.deaf or "no teacher was handed over")
    mean = outputs.double().mean(0)
    if _is_student(setup, mean):
        words = "it answers as the student does, from the parameters that the student trains"
        return Check(name, FAILED, words, "the student teaches itself")
    if setup.order is not None:
        mean = mean[:, setup.order.to(mean.device)]
    if setup.P > 1 and float((mean - mean[:1]).abs().max()) <= 1e-6 * float(mean.abs().max()):
        words = f"all of {setup.P} rows have one and the same answer"
        return Check(name, FAILED, words, "teacher's output is constant")
    if setup.labels is None:
        return Check(name, UNKNOWN, "there are no labels to compare the teacher with")
    labels, positions = setup.y, setup.layout.positions
    if setup.shifted:
        labels = labels.reshape(positions)[:, 1:].flatten()

    def compare(x: Tensor) -> _Agreement:
        if setup.shifted:  # each token's answer is for the next one
            x = x.reshape(*positions, -1)[:, :-1].flatten(0, 1)
        return _agreement(x, labels)

    best = compare(mean)
    if best.rows == 0:
        return Check(name, UNKNOWN, "no row has a label to compare the teacher with")
    words = f"the teacher agrees with {best.hits} of {best.rows} labels; by chance it would be "
    words += f"{best.chance:.1f}"
    # Where labels repeat the inputs any network of single tokens is an exchange of classes.
    known = len(positions) != 2 or (setup.aligned and not setup.repeated)
    members = outputs if setup.order is None else outputs[:, :, setup.order.to(outputs.device)]
    turned = [m for m, x in enumerate(members) if len(members) > 1 and compare(x).exchanged]
    if known and 0 < len(turned) < len(members):
        words = f"{len(turned)} of {len(members)} members (number "
        words += ", ".join(str(m) for m in turned[:5]) + ") have their classes in another order"
        return Check(name, FAILED, words, "teacher's classes in another order")
    if best.exchanged and known:
        words += f", and with its classes in another order {best.exchanged}"
        return Check(name, FAILED, words, "teacher's classes in another order")
    return Check(name, PASSED if best.sigmas > 4 else UNKNOWN, words)


def _is_student(setup: Setup, mean: Tensor) -> bool:
    """Tell whether the teacher is the student: what trains the one moves the other.

    An adapter that has not learnt, or an average that has not begun to move, answers alike too.
    """
    as_teacher = [
        c for c in setup.calls if c.network > 0 or (setup.is_self_taught and not c.taught)
    ]
    # What a fresh adapter adds is nothing yet, but what it would move tells that it is off.
    moves = any(call.moves for call in as_teacher) and not _moves_off(setup)
    if setup.step is None:  # a shallow copy, whose parameters are the student's own
        moves = any(
            isinstance(member, nn.Module)
            and member is not setup.student
            and setup.moved_by_student(member)
            for member in setup.members
        )
    return moves and mean.shape == setup.z_rows.shape and not _differ(mean, setup.z_rows)


LED = 0.9
"""Share of rows whose classes an exchange has to lead to each other."""


@dataclass(frozen=True)
class _Agreement:
    hits: int
    rows: int
    chance: float
    sigmas: float  # how far the hits are above chance
    exchanged: int = 0  # hits with the classes exchanged, where that explains the teacher


def _agreement(outputs: Tensor, labels: Tensor) -> _Agreement:
    """Count where the largest output is the label, and see whether exchanged classes explain more.

    The best exchange of classes always gains something. It counts where the gain is four times its
    spread, and is beyond what the best exchange gains on shuffled labels, and where `LED` of the
    rows are of classes that lead each other: the one is the other's commonest answer, the other the
    one's commonest label. A right teacher reaches that at an accuracy of two thirds. An untrained
    network gives several labels one answer: of 120 on 256 rows of 5 classes none reached it; of 120
    on 3 classes 13 did, with a true order of their own.
    """
    kept = labels >= 0
    guess, label = outputs.argmax(-1)[kept].cpu()[:5000], labels[kept].cpu()[:5000]
    rows = len(label)
    if rows == 0:
        return _Agreement(0, 0, 0.0, 0.0)
    classes = int(max(guess.max(), label.max())) + 1
    hits = int((guess == label).sum())
    shares = [torch.bincount(x, minlength=classes).double() / rows for x in (guess, label)]
    chance = rows * float((shares[0] * shares[1]).sum())
    spread = math.sqrt(max(chance * (1 - chance / rows), 1e-12))
    found = _Agreement(hits, rows, chance, (hits - chance) / max(spread, 0.5))
    kinds, place = torch.cat([guess, label]).unique(return_inverse=True)
    if hits == rows or len(kinds) > 300 or rows < 2 * len(kinds):
        return found
    guess, label = place[:rows], place[rows:]

    def best(label: Tensor) -> tuple[int, float]:
        """Return what the best exchange hits, and the share of rows whose classes lead there."""
        from scipy.optimize import linear_sum_assignment

        table = torch.zeros(len(kinds), len(kinds), dtype=torch.int64)
        table.index_put_((guess, label), torch.ones(rows, dtype=torch.int64), accumulate=True)
        mine = -1e-3 * torch.eye(len(kinds))  # keep what need not move
        one, other = linear_sum_assignment(mine.numpy() - table.numpy())
        met = table[one, other]
        leads = (met == table.amax(1)[one]) & (met == table.amax(0)[other])
        return int(met.sum()), float(table.sum(0)[other][leads].sum()) / rows

    exchanged, led = best(label)
    moved = exchanged - hits
    if moved <= 4 * math.sqrt(max(exchanged - min(hits, exchanged), 1)) or exchanged < 0.5 * rows:
        return found
    if led < LED:  # several labels have one answer
        return found
    generator = torch.Generator().manual_seed(0)
    by_luck = torch.tensor(
        [best(label[torch.randperm(rows, generator=generator)])[0] for _ in range(20)]
    ).double()
    if exchanged <= by_luck.max() + 4 * by_luck.std().clamp_min(1.0):
        return found
    return _Agreement(hits, rows, chance, found.sigmas, exchanged)


def _moves_off(setup: Setup) -> frozenset[int]:
    """Return what moves a network in its role as teacher, where as student it has that and more.

    Where both roles need the same tensors nothing is switched off: the teacher is meant to move.
    """
    if not setup.is_self_taught:
        return frozenset()
    as_student = frozenset().union(*(c.moved_by for c in setup.calls if c.taught))
    as_teacher = frozenset().union(*(c.moved_by for c in setup.calls if not c.taught))
    return as_teacher if as_teacher < as_student else frozenset()


@guarded("optimiser")
def _check_optimiser(setup: Setup) -> Check:
    """Judge what moves the student's weights: the optimiser, and the step itself."""
    pull = look_for_pull(setup)
    if pull is not None and pull.turned:
        return Check("optimiser", FAILED, pull.words, "moving average turned around")
    found = _judge_optimiser(setup)
    if pull is not None and found.outcome in (PASSED, UNKNOWN):
        return Check("optimiser", UNKNOWN, pull.words)
    return found


def _judge_optimiser(setup: Setup) -> Check:
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
    if drifts := moved & _moves_off(setup):
        words = (
            f"it holds {len(drifts)} tensors that the student needs with its adapters off, when "
        )
        words += "it is the teacher: the teacher drifts along"
        return Check(name, FAILED, words, "teacher in the optimiser")
    free = [key for key, p in own.items() if p.requires_grad]
    held = [key for key in free if key in moved]
    both = len(teachers.intersection(held))
    if own and not held:
        words = "it holds none of the student's parameters"
        return Check(name, FAILED, words, "student not in the optimiser")
    if len(held) < len(free):
        seen = {id(p) for m in setup.find_modules() for p in m.parameters()}
        seen |= {id(t) for t in tensors_held((setup.loss_fn, setup.step, setup.student))}
        orphans = len(moved - seen)
        resting = sum(not p.requires_grad for key, p in own.items() if key in moved)
        missing = f"and lacks {len(free) - len(held)} of the student's {len(free)} that ask for a "
        missing += "gradient"
        if orphans:
            words = f"it holds {orphans} parameter tensors of no network in reach, {missing}"
            return Check(name, FAILED, words, "optimiser older than the student")
        if resting:
            words = f"it holds {resting} of the student's tensors that are frozen, {missing}"
            return Check(name, WARNED, words, "optimiser older than the student")
        words = f"it holds {len(held)} of the student's {len(free)} parameter tensors that ask for "
        return Check(name, UNKNOWN, words + "a gradient; fine where the others are meant to rest")
    if not own:
        return Check(name, UNKNOWN, "the student is no module")
    if both:
        words = f"{both} of the parameter tensors that it moves are the teacher's as well as the "
        return Check(name, UNKNOWN, words + "student's; fine where the teacher is to move too")
    return Check(name, PASSED, "it holds the student's parameters and none of the teacher's")


@guarded("evaluation")
def _check_evaluation(setup: Setup) -> Check:
    name, T = "evaluation", setup.T
    if setup.predict is None:
        return Check(name, UNKNOWN, "how the student is tested was not handed over (predict=)")
    generator = torch.Generator().manual_seed(5)
    layout = setup.layout
    positions = (max(setup.B, 8), *layout.positions[1:])
    shape = (math.prod(positions), layout.classes)
    z = torch.randn(shape, generator=generator, dtype=torch.float64) * 1.5
    z = z.float().to(setup.z.device)
    given = layout.from_rows(z, positions)
    try:
        with torch.no_grad():
            made = setup.predict(given)
    except Exception as problem:
        return Check(name, UNKNOWN, f"predict fails on made-up logits: {type(problem).__name__}")
    if not isinstance(made, Tensor) or made.shape != given.shape or not made.is_floating_point():
        return Check(name, UNKNOWN, "predict returns no probabilities, so no temperature is seen")
    eps = torch.finfo(made.dtype).eps
    if layout.axis is None:
        p = made.flatten()
        z = layout.to_rows(given)
        if bool(((p >= 0) & (p <= 1)).all()):
            made = torch.stack([1 - p, p], -1).clamp_min(1e-300)
        else:
            made = layout.to_rows(made)
    else:
        made = layout.to_rows(made)

    def centred(x: Tensor) -> Tensor:
        return x - x.mean(-1, keepdim=True)

    slack = max(1e-3, 8 * eps)
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

"""What was handed over: the arguments, checked, what the networks answer, and the loss to ask."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from distill_helpers.audit._guard import raised_by
from distill_helpers.audit._heads import Gradients, Heads, roles_of
from distill_helpers.audit._layout import Cut, layout_of, row_labels
from distill_helpers.audit._modules import (
    ask,
    dtype_name,
    eval_mode,
    modules_in,
    reseed,
    take_rows,
    untouched,
)
from distill_helpers.audit._standins import (
    Call,
    answering,
    numbered,
    own_loss,
    rows_asked,
    scalers_at_rest,
)
from distill_helpers.audit._structure import Path, at, logits_in, rebuilt, tensors_in
from distill_helpers.audit._tables import Tables

TEACHER_OUTPUTS = ("logits", "member logits", "soft targets", "log soft targets")
DIVERGENCES = ("forward", "reverse", "other")
LABELS = ("labels", "label", "targets", "target", "y")
"""Names under which a batch that is a mapping may hold its labels."""
HALF = (torch.float16, torch.bfloat16)
NOT_CALLED = (
    "the step did not call the {} that it was handed: its parts, or a copy, may be called instead; "
    "hand over the loss as loss_fn"
)


class Setup:
    """The arguments, checked, and what the networks answer."""

    def __init__(
        self,
        student: Any,
        teacher: Any,
        batch: Any,
        loss_fn: Any,
        temperature: float,
        alpha: float,
        teacher_output: str,
        step: Any,
        optimiser: Any,
        predict: Any,
        divergence: str = "forward",
    ) -> None:
        if not callable(student):
            raise TypeError(
                f"student is a {type(student).__name__}; it must be a module, or a function from "
                f"inputs to logits. Hand over the network itself."
            )
        self.members: list[Any] = []
        self.is_list = isinstance(teacher, list | tuple | nn.ModuleList)
        if self.is_list:
            self.members = list(teacher)
        elif teacher is not None:
            self.members = [teacher]
        if teacher is not None and not (self.members and all(map(callable, self.members))):
            raise TypeError(
                f"teacher is {type(teacher).__name__} {str(teacher)[:40]!r}; it must be a module "
                f"or a function, a list of them, or None. Put cached outputs into the batch."
            )
        if not isinstance(batch, Mapping) and not (
            isinstance(batch, list | tuple) and len(batch) in (1, 2, 3)
        ):
            raise TypeError(
                f"batch is a {type(batch).__name__}; it must be (inputs, labels), or (inputs, "
                f"labels, cached teacher outputs), or a mapping with the labels under one of "
                f"{', '.join(LABELS)}. Pack the loop's own into a tuple."
            )
        if (loss_fn is None) == (step is None):
            raise TypeError(
                f"{'neither' if step is None else 'both'} of loss_fn and step given; one of them "
                f"is the loss. Use loss_fn(student_logits, teacher_output, labels) if unsure."
            )
        for name, value in (("loss_fn", loss_fn), ("step", step), ("predict", predict)):
            if value is not None and not callable(value):
                raise TypeError(
                    f"{name} is a {type(value).__name__}; it must be a function. Wrap it in one."
                )
        if optimiser is not None and not hasattr(optimiser, "param_groups"):
            raise TypeError(
                f"optimiser is a {type(optimiser).__name__}; it must be a torch optimiser. Hand "
                f"over the loop's, or leave it out."
            )
        if teacher_output not in TEACHER_OUTPUTS:
            raise ValueError(
                f"teacher_output is {teacher_output!r}; it must be one of "
                f"{', '.join(map(repr, TEACHER_OUTPUTS))}. Name what the loss takes."
            )
        if divergence not in DIVERGENCES:
            raise ValueError(
                f"divergence is {divergence!r}; it must be one of "
                f"{', '.join(map(repr, DIVERGENCES))}. Use 'other' for what is neither KL."
            )
        self.divergence = divergence
        self.batch, self.label_key = batch, None
        if isinstance(batch, Mapping):
            self.label_key = next((key for key in LABELS if key in batch), None)
            self.inputs: Any = {k: v for k, v in batch.items() if k != self.label_key}
            self.labels = None if self.label_key is None else batch[self.label_key]
            self.cached = None
        else:
            self.inputs = batch[0]
            self.labels = batch[1] if len(batch) > 1 else None
            self.cached = batch[2] if len(batch) == 3 else None
        if self.labels is None and alpha < 1:
            raise ValueError(
                f"the batch holds no labels and alpha is {alpha:g}; only at alpha 1 has the loss "
                f"no labels' part. Give batch=(inputs, labels), or declare alpha=1."
            )
        if self.labels is not None and not isinstance(self.labels, Tensor):
            raise TypeError(
                f"labels are a {type(self.labels).__name__}; they must be a tensor of class "
                f"numbers. Use torch.as_tensor."
            )
        if teacher is None and self.cached is None and step is None:
            raise ValueError(
                "teacher is None and the batch holds no cached outputs; the loss needs one of "
                "them. Give batch=(inputs, labels, cached)."
            )
        if self.cached is not None and not isinstance(self.cached, Tensor):
            raise TypeError(
                f"cached teacher outputs are a {type(self.cached).__name__}; they must be a "
                f"tensor. Use torch.as_tensor."
            )
        self.student, self.teacher = student, teacher
        self.loss_fn, self.step = loss_fn, step
        self.T, self.alpha, self.kind = temperature, alpha, teacher_output
        self.optimiser, self.predict = optimiser, predict
        self.calls: list[Call] = []
        self.modes: list[tuple[nn.Module, bool]] = []
        self.reached: bool | None = None  # whether the gradient reaches the teacher's parameters
        self.table = 0  # rows of a table of rows by rows that the step makes of the networks' own
        self.problem: Exception | None = None  # of the step, with the networks themselves
        self.deaf = ""  # why the loss cannot be asked by its networks
        self.v: Tensor | None = None
        self.unused = 0  # of the student's classes, the last ones that the loss never looks at
        self.teachers_unused = 0  # of the teacher's
        self.place: Path = ()  # of the logits in what the student returns
        self.asked: Any = None  # what the student's stand-in was last asked about
        self.shifted = False  # whether each token is compared with the next label
        self.aligned = False  # whether it is known which label each row is given
        self.own_teacher = False  # whether each row answers to its own row of the teacher alone
        self.labels_mixed: bool | None = None  # whether a row has labels of others; None: not seen
        self.repeated = False  # whether the labels are the inputs
        self.order: Tensor | None = None  # of the teacher's classes, as the loss takes them
        self.probe: Any = None  # the loss at made-up logits of the batch, once it was asked
        self.heads: Heads | None = None  # where one head of a network teaches others

    def find_modules(self) -> list[nn.Module]:
        """Return every module that is in reach, those of closures too."""
        found: dict[int, nn.Module] = {}
        things = (self.student, self.members, self.loss_fn, self.step, self.predict)
        for thing in things:
            for module in modules_in(thing):
                found[id(module)] = module
        return list(found.values())

    def optimisers(self) -> list[Tensor]:
        """Return the parameters of the optimiser."""
        if self.optimiser is None:
            return []
        return [p for group in self.optimiser.param_groups for p in group["params"]]

    @property
    def is_over_tokens(self) -> bool:
        """Whether rows of logits are positions of sequences, as tokens are."""
        return len(self.layout.positions) == 2 and self.layout.axis is not None

    @property
    def networks(self) -> list[Any]:
        return [self.student, *self.members]

    # -- what the networks answer ----------------------------------------------------------------

    def look(self) -> None:
        """See what both networks make of the batch, and how a step calls them."""
        if self.step is not None:
            with untouched(self.find_modules(), self.optimisers()):
                self._record()
        own = [call for call in self.calls if call.network == 0]
        made = self._student_answer(own)
        self.made_by_student = made
        others: set[tuple[int, ...]] = set()
        answers = self._member_answers()
        if answers:
            others = {tuple(x.shape) for _, x in tensors_in(answers[0])}
        path = logits_in(made, "student", self._fits, others, likely=self._fits_closely)[0]
        self._look_at_heads(own, path)
        if self.heads is not None:
            path = self.heads.students[0]
        self.place = path
        z = at(made, path)
        self.z, self.cut = z.detach(), not z.requires_grad
        self._find_layout()
        self.y = row_labels(self.layout, self.labels).to(self.z.device)
        if self.heads is not None:
            taught_by = at(made, self.heads.teacher).detach()
            self.v = self.layout.to_rows(taught_by).unsqueeze(0)
        elif self.is_self_taught:
            self.v = self._own_answers([call for call in own if not call.taught])
        else:
            self.v = self.ask_teacher(as_in_eval=True)
        self.M = 1 if self.v is None else len(self.v)
        self.teacher_classes = self.C if self.v is None else self.v.shape[2]
        self._check_cached()
        for call in self.calls:
            try:
                if self.heads is not None:
                    call.logits = self.heads.students
                    continue
                if call.network > 0:
                    call.logits = self._teacher_logits(call.made, self.networks[call.network])
                    continue
                known = {tuple(self.z.shape)}
                if not known & {tuple(x.shape) for _, x in tensors_in(call.made)}:
                    known = others
                call.logits = logits_in(call.made, "network", self._fits_in_part, known)
            except TypeError:
                call.logits = []
        self._hear()

    def _look_at_heads(self, own: list[Call], path: Path) -> None:
        """See whether one head of a network teaches others, where a step has no other teacher."""
        alone = not self.members and self.cached is None and not self.is_self_taught
        if self.step is None or not alone or self.problem is not None or not own:
            return
        if len(own) > 1:
            self.deaf = (
                f"teacher is None, and the step learns from each of its {len(own)} calls of the "
                f"student: which of them teaches could not be told"
            )
            return
        shape = at(own[0].made, path).shape
        heads = [p for p, x in tensors_in(own[0].made) if x.shape == shape and x.requires_grad]
        if len(heads) < 2:
            return
        with untouched(self.find_modules(), self.optimisers()):
            found = roles_of(self._gradients_of_heads(own[0], heads), len(heads))
        if isinstance(found, str):
            self.deaf = f"teacher is None, and of the {len(heads)} heads of the student {found}"
            return
        teacher, students, detached = found
        self.heads = Heads(heads[teacher], [heads[i] for i in students], detached)

    def _gradients_of_heads(self, call: Call, heads: list[Path]) -> Gradients:
        """Return a function from moves of the heads' logits to the loss's gradient for each."""
        assert self.step is not None
        step = self.step
        generator = torch.Generator().manual_seed(7)
        moves = []
        for path in heads:
            x = at(call.made, path)
            drawn = torch.randn(x.shape, generator=generator, dtype=torch.float64)
            moves.append(drawn.to(x.device, x.dtype) * max(1.0, self.T))

        def gradients(moved: frozenset[int]) -> list[Tensor]:
            leaves = [
                (at(call.made, path).detach() + moves[i] * (i in moved)).requires_grad_()
                for i, path in enumerate(heads)
            ]

            def answer(number: int, original: Any, args: Any, kwargs: Any) -> Any:
                def change(path: Path, x: Tensor) -> Tensor:
                    return leaves[heads.index(path)] * 1 if path in heads else x.detach()

                return rebuilt(call.made, change)

            reseed(0)
            with torch.enable_grad(), raised_by(loop=True):
                with answering(self.networks, answer) as given:
                    loss = one_number(step(given[0], None, copy.copy(self.batch)), of_step=True)
                if not loss.requires_grad:
                    return [torch.zeros_like(x) for x in leaves]
                found = torch.autograd.grad(loss, leaves, allow_unused=True)
            pairs = zip(leaves, found, strict=True)
            return [torch.zeros_like(x) if g is None else g.detach() for x, g in pairs]

        return gradients

    def _own_answers(self, calls: list[Call]) -> Tensor | None:
        """Return what a student says as its own teacher ``(1, P, C)``, whole or in micro-batches.

        None where the answers are not for the rows of the batch.
        """
        made = [at(call.made, self.place).detach() for call in calls]
        whole = [x for x in made if x.shape == self.z.shape]
        if not whole and all(x.shape[1:] == self.z.shape[1:] for x in made):
            whole = [x for x in [torch.cat(made)] if x.shape == self.z.shape]
        return self.layout.to_rows(whole[0]).unsqueeze(0) if whole else None

    def _teacher_logits(self, made: Any, network: Any) -> list[Path]:
        """Return the ways to a teacher's logits."""
        alike = isinstance(network, nn.Module) and type(network) is type(self.student)
        place = self.place if alike else None
        shape = {tuple(self.z.shape)}
        return logits_in(made, "teacher", self._fits_teacher, shape, place, self._fits)

    def _student_answer(self, own: list[Call]) -> Any:
        """Return what the student made of the whole batch, with the way to its parameters."""
        call = next((call for call in own if call.taught), own[0] if own else None)
        once = len(own) == 1 or self.is_self_taught
        if call is not None and once and any(self._fits(x) for _, x in tensors_in(call.made)):
            return call.made
        try:  # never called, in micro-batches, or in views
            with torch.enable_grad(), eval_mode(modules_in(self.student)):
                return ask(self.student, self.inputs, "student")
        except ValueError:
            if call is None:
                raise
            return call.made

    @property
    def is_self_taught(self) -> bool:
        """Whether the step calls one network in both roles: adapters on and off."""
        if self.cached is not None:
            return False
        own = {c.taught for c in self.calls if c.network == 0}
        return own == {True, False} and not any(c.network > 0 for c in self.calls)

    @property
    def trains_student(self) -> bool | None:
        """Whether a step's student is in train mode where it learns; None where it is not seen."""
        own = [call for call in self.calls if call.network == 0]
        # It may be called to be looked at, or to be its own teacher, as well.
        own = [c for c in own if c.taught] or [c for c in own if c.with_grad] or own
        return any(call.training for call in own) if own and modules_in(self.student) else None

    def _record(self) -> None:
        """Run the loop's own step once, and write down how it calls its networks."""
        assert self.step is not None

        def note(part: nn.Module, args: Any) -> None:
            self.modes.append((part, part.training))

        def answer(number: int, original: Any, args: Any, kwargs: Any) -> Any:
            training = all(module.training for module in modules_in(self.student))
            # The loop may write into its inputs later.
            named = [*enumerate(args), *kwargs.items()]
            seen = {
                (key, *path): (x, x.detach().clone())
                for key, part in named
                for path, x in tensors_in(part)
            }
            made = original(*args, **kwargs)
            with_grad = torch.is_grad_enabled()
            call = Call(
                number, args, kwargs, made, seen=seen, with_grad=with_grad, training=training
            )
            self.calls.append(call)
            alone = self.cached is None and all(m is self.student for m in self.members)
            if number > 0 or alone:
                with torch.inference_mode(False), torch.enable_grad():
                    moved_by = self._moved_by_student(number, original, args, kwargs)
                self.calls[-1].moved_by = moved_by
            return made

        parts = {id(p): p for module in modules_in(self.members) for p in module.modules()}
        handles = [part.register_forward_pre_hook(note) for part in parts.values()]
        own = {id(p) for m in modules_in(self.student) for p in m.parameters()}
        moving = [
            p
            for m in modules_in(self.members)
            for p in m.parameters()
            if p.requires_grad and id(p) not in own
        ]
        for module in self.find_modules():
            module.zero_grad(set_to_none=True)
        try:
            watch = Tables()
            with torch.enable_grad(), answering(self.networks, answer) as given:
                with watch:
                    made = self.step(given[0], self._as_teacher(given[1:]), copy.copy(self.batch))
                self.table = watch.seen
                loss = one_number(made, of_step=True)
                self._follow(loss, moving)
        except Exception as problem:
            self.problem = problem
        finally:
            for handle in handles:
                handle.remove()

    def _moved_by_student(
        self, number: int, network: Any, args: Any, kwargs: Any
    ) -> frozenset[int]:
        """Return which of the parameters that the student trains move a network's answer now."""
        trained = [p for m in modules_in(self.student) for p in m.parameters() if p.requires_grad]
        held = {id(p) for m in modules_in(self.networks[number]) for p in m.parameters()}
        shared = [p for p in trained if id(p) in held]
        if not shared:
            return frozenset()
        answers = [x for _, x in tensors_in(network(*args, **kwargs)) if x.requires_grad]
        if not answers:
            return frozenset()
        total = torch.stack([x.double().sum() for x in answers]).sum()
        found = torch.autograd.grad(total, shared, allow_unused=True)
        moving = zip(shared, found, strict=True)
        return frozenset(id(p) for p, g in moving if g is not None and bool(g.any()))

    def moved_by_student(self, member: Any) -> bool:
        """Tell the same of a teacher that no step calls."""
        args, kwargs = (
            ((), self.inputs) if isinstance(self.inputs, Mapping) else ((self.inputs,), {})
        )
        with torch.enable_grad(), eval_mode(modules_in(member)), raised_by(loop=True):
            return bool(self._moved_by_student(self.networks.index(member), member, args, kwargs))

    def _follow(self, loss: Tensor, moving: Sequence[Tensor]) -> None:
        """See which answers, and whether the teacher's parameters, the gradient reaches."""
        made = [(c, t) for c in self.calls for _, t in tensors_in(c.made) if t.requires_grad]
        self.reached = False
        parameters = [p for m in self.find_modules() for p in m.parameters()]
        if not loss.requires_grad or any(p.grad is not None for p in parameters):
            self.reached = any(p.grad is not None for p in moving)  # by the step's own backward
            return
        targets = [*(t for _, t in made), *moving]
        if not targets:
            return
        grads = torch.autograd.grad(loss, targets, allow_unused=True)
        for (call, _), grad in zip(made, grads, strict=False):
            call.taught |= grad is not None
        self.reached = any(g is not None for g in grads[len(made) :])

    def _hear(self) -> None:
        """Say why the loss cannot be asked, where the step does not call the networks."""
        if self.step is None or self.problem is not None or self.deaf:
            return
        asked = {c.network for c in self.calls}
        by_heads = self.heads is not None or bool(self.deaf)
        alone = not self.members and self.cached is None and not self.is_self_taught
        if alone and not by_heads:
            raise ValueError(
                "teacher is None, the batch holds no cached outputs and the step does not ask the "
                "student in two roles; the loss needs a teacher. Hand it over."
            )
        if 0 not in asked:
            self.deaf = NOT_CALLED.format("student")
            return
        silent = bool(self.members) and not asked - {0} and self.cached is None
        if silent and not self.is_self_taught and (self.modes or not modules_in(self.members)):
            self.deaf = NOT_CALLED.format("teacher")

    def _member_answers(self) -> list[Any]:
        """Return what the members made in the step, or make of the inputs."""
        if not self.members:
            return []
        try:
            with torch.no_grad(), eval_mode(modules_in(self.members)):
                return [self._ask_member(i) for i in range(len(self.members))]
        except ValueError:
            if self.step is None:
                raise
            return [c.made for c in self.calls if c.network > 0]

    def _ask_member(self, index: int, rows: Tensor | None = None) -> Any:
        """Ask a member in the way of the inputs, or else in the way of the step."""
        member = self.members[index]
        inputs = self.inputs if rows is None else take_rows(self.inputs, rows)
        try:
            return ask(member, inputs, "teacher")
        except ValueError:
            number = self.networks.index(member)
            call = next((c for c in self.calls if c.network == number), None)
            if call is None:
                raise
            args, kwargs = call.args, call.kwargs
            if rows is not None:
                args, kwargs = take_rows(args, rows), take_rows(kwargs, rows)
            with raised_by(loop=True):
                return member(*args, **kwargs)

    def ask_teacher(self, rows: Tensor | None = None, *, as_in_eval: bool = False) -> Tensor | None:
        """Return the members' logits ``(M, P, C)``, or None where there is no teacher to ask."""
        if not self.members:
            return None
        with torch.no_grad(), eval_mode(modules_in(self.members) if as_in_eval else []):
            made = [self._ask_member(i, rows) for i in range(len(self.members))]
        answers = []
        for one, member in zip(made, self.members, strict=True):
            x = at(one, self._teacher_logits(one, member)[0])
            expected = list(self.z.shape)
            if rows is not None:
                expected[0] = len(rows)
            axis = self.layout.axis
            shape = list(x.shape)
            if axis is not None and x.ndim >= len(expected):
                shape[axis + x.ndim - len(expected)] = expected[axis]
            if not x.is_floating_point() or shape[-len(expected) :] != expected:
                if self.step is not None and x.is_floating_point():
                    self.deaf = (
                        f"the teacher returned shape {tuple(x.shape)} and the student "
                        f"{tuple(self.z.shape)}: other rows, which the step brings together"
                    )
                    return None
                raise ValueError(
                    f"the teacher returned {dtype_name(x)} of shape {tuple(x.shape)} and the "
                    f"student {tuple(self.z.shape)}; they must be the same, or (M, ...) for an "
                    f"ensemble. Give both the same classes and axes."
                )
            answers.append(self.layout.to_rows(x))
        return torch.cat([a if a.ndim == 3 else a.unsqueeze(0) for a in answers])

    def _fits(self, x: Tensor) -> bool:
        layout = layout_of(tuple(x.shape), self.labels)
        if layout is not None and layout.labels == "binary" and self.labels is not None:
            # One number beside 0 and 1 may mark what has no label.
            return len(self.labels[(self.labels < 0) | (self.labels > 1)].unique()) <= 1
        if layout is None or self.labels is None or layout.labels != "numbers":
            return layout is not None
        known = self.labels[self.labels >= 0].unique()
        outside = int((known >= layout.classes).sum())  # one number may mark rows without a label
        return not len(known) or (outside <= 1 and outside < len(known))

    def _fits_closely(self, x: Tensor) -> bool:
        """Tell whether no label is beyond the classes, where the labels themselves say how many.

        Four numbers of a box are no logits of five classes whose last would be a mark.
        """
        layout = layout_of(tuple(x.shape), self.labels)
        if layout is None or self.labels is None or layout.labels != "numbers" or not len(x):
            return False
        highest = int(self.labels.max())
        if bool((self.labels < 0).any()):
            return highest < layout.classes  # the mark is known: it is the one below 0
        return highest == layout.classes - 1 and bool((self.labels == highest - 1).any())

    def _fits_in_part(self, x: Tensor) -> bool:
        return self._fits(x) or x.shape[1:] == self.z.shape[1:]

    def _fits_teacher(self, x: Tensor) -> bool:
        return x.ndim >= self.z.ndim or x.ndim == self.z.ndim + 1

    def _find_layout(self) -> None:
        z, shape = self.z, tuple(self.z.shape)
        what = f"the student returned {dtype_name(z)} of shape {shape}"
        if not z.is_floating_point() or z.ndim == 0:
            raise ValueError(
                f"{what}; it must be logits, floating-point (B, C) or with more axes. Hand over "
                f"the network up to its logits."
            )
        if len(z) == 0:
            raise ValueError("the batch is empty; it must hold a row or more. Take another one.")
        layout = layout_of(shape, self.labels)
        labels = self.labels
        if layout is None:
            assert labels is not None
            raise ValueError(
                f"labels have shape {tuple(labels.shape)} and the student's logits {shape}; they "
                f"must be class numbers, one per row of logits, or 0 or 1 for each logit. Use "
                f"argmax(-1) if they are one-hot."
            )
        if layout.axis is None and labels is not None and bool(((labels < 0) | (labels > 1)).any()):
            high = labels.max() if bool((labels > 1).any()) else labels.min()
            if not bool((labels[(labels < 0) | (labels > 1)] == high).all()) or float(high) == 2:
                raise ValueError(
                    f"{what}: one sigmoid output per row, whose labels are 0 or 1; they hold "
                    f"{float(high):g}. Give the student as many logits as there are classes."
                )
        self.layout, self.C = layout, layout.classes
        self.B, self.P = shape[0], layout.rows

    def _check_cached(self) -> None:
        if self.cached is None:
            return
        expected = list(self.z.shape)
        if self.layout.axis is not None:
            expected[self.layout.axis] = self.teacher_classes
        if self.kind == "member logits":
            known = self.cached.shape[0] if self.v is None and self.cached.ndim else self.M
            expected, self.M = [known, *expected], known
        if list(self.cached.shape) != expected or not self.cached.is_floating_point():
            raise ValueError(
                f"cached teacher outputs are {dtype_name(self.cached)} of shape "
                f"{tuple(self.cached.shape)}; for {self.kind} they must be floating-point "
                f"{tuple(expected)}. Take the rows of this batch."
            )

    @property
    def cached_rows(self) -> Tensor:
        """The cached outputs as rows ``(P, C)``, or ``(M, P, C)``."""
        assert self.cached is not None
        if self.layout.axis is None and "soft" in self.kind:
            p = self.cached.exp() if self.kind == "log soft targets" else self.cached
            rows = torch.stack([1 - p.flatten(), p.flatten()], -1)
            return rows.log() if self.kind == "log soft targets" else rows
        return self.layout.to_rows(self.cached)

    @property
    def z_rows(self) -> Tensor:
        """The student's logits as rows ``(P, C)``."""
        return self.layout.to_rows(self.z)

    def student_again(self) -> Tensor:
        """Ask the student once more, in the modes that it has now; rows ``(P, C)``."""
        made = ask(self.student, self.inputs, "student")
        path = logits_in(made, "student", self._fits, {tuple(self.z.shape)})[0]
        return self.layout.to_rows(at(made, path))

    # -- the loss at made-up logits --------------------------------------------------------------

    def as_teacher_output(self, members: Tensor) -> Tensor:
        """Turn made-up logits ``(M, P, C)``, rows, into rows of what the loss takes."""
        if self.kind == "member logits":
            return members
        v = members[0] if len(members) == 1 else members.mean(0)
        if self.kind == "logits":
            return v
        return v / self.T

    def loss(self, z: Tensor, v: Tensor, y: Tensor, cut: Cut) -> Tensor:
        """Return the loss where student and teacher answer rows `z` and `v`.

        Rows of `v` are ``(P, C)``, or ``(M, P, C)`` where each member answers for itself.
        """
        layout, at_cut = self.layout, cut.positions
        if self.unused:
            z = nn.functional.pad(z, (0, self.unused))
        # The loop may write into what it is given.
        student = layout.from_rows(z, at_cut).clone()
        members = v if v.ndim == 3 else v.expand(self.M, *v.shape)
        labels = self.labels_of(y, cut)
        if labels is not None and labels.is_floating_point():
            labels = labels.to(z.dtype)  # as the loop has both in one precision
        taught = layout.from_rows(
            self.as_teacher_output(v.unsqueeze(0) if v.ndim == 2 and self.M == 1 else members),
            at_cut,
        ).clone()
        if self.kind == "logits" and v.ndim == 2:
            taught = layout.from_rows(v, at_cut).clone()
        if self.kind in ("soft targets", "log soft targets"):
            log = self.kind == "log soft targets"
            if layout.axis is None:
                taught = nn.functional.logsigmoid(taught) if log else taught.sigmoid()
            else:
                taught = (torch.log_softmax if log else torch.softmax)(taught, layout.axis)
        if self.loss_fn is not None:
            with raised_by(loop=True):
                return one_number(self.loss_fn(student, taught, labels))
        assert self.step is not None
        own_labels = None if self.labels is None else cut.take(self.labels, layout)
        inputs = numbered(cut.take(self.inputs, layout), own_labels, labels, self._kept)
        answer = self._speaker(student, layout.from_rows(members, at_cut), inputs, labels, cut)
        batch: Any = (inputs, labels, taught)[: len(self.batch)]
        if isinstance(self.batch, Mapping):
            batch = copy.copy(self.batch)
            batch.update(inputs if labels is None else {**inputs, self.label_key: labels})
        self.poisoned, self.asked = False, None
        with scalers_at_rest(), answering(self.networks, answer) as given, raised_by(loop=True):
            found = self.step(given[0], self._as_teacher(given[1:]), batch)
            loss = one_number(found, of_step=True)
        if self.poisoned and bool(loss.isnan()):
            raise NotFollowed(
                "the student computes a loss of its own that cannot be followed; hand over the "
                "loss as loss_fn"
            )
        return loss

    @functools.cached_property
    def _kept(self) -> set[Any]:
        """The inputs by name by which no network tells rows: masks, weights of rows, and the like.

        A network tells them by the first tensor that it is given and that is no mask.
        """
        if not isinstance(self.inputs, Mapping):
            return set()

        def is_mask(x: Any) -> bool:
            return isinstance(x, Tensor) and bool(((x == 0) | (x == 1)).all())

        given = [[x for x, _ in call.seen.values()] for call in self.calls if call.seen]
        first = {id(next((x for x in each if not is_mask(x)), each[0])) for each in given}
        holds = {key: {id(x) for _, x in tensors_in(part)} for key, part in self.inputs.items()}
        kept = {key for key, ids in holds.items() if not ids & first}
        if not any(ids & {id(x) for each in given for x in each} for ids in holds.values()):
            masks = {key for key, x in self.inputs.items() if is_mask(x)}
            return masks if len(masks) < len(self.inputs) else set()
        return kept

    def labels_of(self, y: Tensor, cut: Cut) -> Tensor | None:
        """Turn class numbers of rows into labels as the loop has them."""
        if self.labels is None:
            return None
        kind, shape = self.layout.labels, self.labels.shape
        if kind == "distributions":
            made = nn.functional.one_hot(y.clamp_min(0), cut.classes).to(self.labels.dtype)
            return self.layout.from_rows(made, cut.positions)
        own = cut.take(self.labels, self.layout) if self.labels.ndim > 1 else self.labels
        made = y.to(self.labels.dtype)
        if bool((y < 0).any()):
            whole = row_labels(self.layout, self.labels) < 0
            if bool(whole.any()):
                marks = self.labels.flatten()[whole.to(self.labels.device)]
                theirs = cut.take(self.labels.reshape(self.layout.positions), self.layout).flatten()
                theirs = theirs.where((theirs.unsqueeze(-1) == marks.unique()).any(-1), marks[0])
                made = made.where(y >= 0, theirs)
        if tuple(shape) == self.layout.positions:
            return made.reshape(cut.positions)
        return made if self.labels.ndim == 1 else made.reshape(own.shape)

    def _as_teacher(self, members: list[Any]) -> Any:
        if not self.is_list:
            return members[0] if members else None
        changed = any(a is not b for a, b in zip(members, self.members, strict=True))
        if not changed or isinstance(self.teacher, nn.ModuleList):
            return self.teacher
        return type(self.teacher)(members)

    def _speaker(
        self, student: Tensor, members: Tensor, inputs: Any, labels: Tensor | None, cut: Cut
    ) -> Any:
        """Return what answers for the networks."""
        share = len(members) // max(1, len(self.members))
        counts: dict[tuple[int, bool], int] = {}
        own_teacher = self.is_self_taught

        @raised_by(loop=False)
        def speak(number: int, original: Any, args: Any, kwargs: Any) -> Any:
            earlier = [c for c in self.calls if c.network == number]
            # Of few rows a step may make fewer micro-batches: roles are told by no_grad first.
            with_grad = torch.is_grad_enabled()
            earlier = [c for c in earlier if c.with_grad == with_grad] or earlier
            place = counts.get((number, with_grad), 0)
            counts[number, with_grad] = place + 1
            call = earlier[place % len(earlier)] if earlier else None
            if number == 0 and not (own_teacher and call is not None and not call.taught):
                made, members_axis = student, False
                self.asked = args[0] if args else kwargs
            elif number == 0:
                made, members_axis = members[0], False
            else:
                first = (number - 1) * share
                made, members_axis = members[first : first + share], share > 1
                if not members_axis:
                    made = made[0]
            rows = rows_asked(args[0] if args else kwargs, inputs)
            if rows is not None:
                made = made[:, rows] if members_axis else made[rows]
            made = made.clone()
            if call is None:
                whole = self.made_by_student if number == 0 else None
                if whole is None or isinstance(whole, Tensor):
                    return made
                paths = logits_in(whole, "student", self._fits)
                return rebuilt(whole, lambda path, x: made if path in paths else x.detach())
            taught_by = None
            if self.heads is not None:
                taught_by = members[0] if rows is None else members[0][rows]
            return self._in_structure(call, made, rows, args, kwargs, cut, taught_by)

        return speak

    def _in_structure(
        self,
        call: Call,
        made: Tensor,
        rows: Tensor | None,
        args: Any,
        kwargs: Any,
        cut: Cut,
        taught_by: Tensor | None = None,
    ) -> Any:
        """Put made-up logits where the network has its own, and a loss that follows from them."""
        if isinstance(call.made, Tensor) and call.logits:
            return made

        def change(path: Any, x: Tensor) -> Tensor:
            if path in call.logits:
                return made
            if taught_by is not None and self.heads is not None and path == self.heads.teacher:
                return taught_by.clone()
            is_loss = path and (path[-1] == 0 or str(path[-1]).endswith("loss"))
            if is_loss and x.ndim == 0 and x.is_floating_point():
                return self._loss_in(call, x, made, args, kwargs)
            x = cut.take(x.detach(), self.layout)
            return x[rows] if rows is not None and x.ndim and len(x) >= len(rows) else x

        return rebuilt(call.made, change)

    def _loss_in(self, call: Call, value: Tensor, made: Tensor, args: Any, kwargs: Any) -> Tensor:
        """Return the loss that a network computes itself, of the made-up logits."""

        def labels_given(args: Any, kwargs: Any) -> Tensor | None:
            found = kwargs.get("labels")
            return found if isinstance(found, Tensor) else None

        before, now = labels_given(call.args, call.kwargs), labels_given(args, kwargs)
        if before is not None and now is not None and call.logits:
            values = own_loss(at(call.made, call.logits[0]).detach(), before)
            for name, known in values.items():
                if bool((known - value.detach()).abs() <= 1e-4 * value.detach().abs() + 1e-6):
                    return own_loss(made, now)[name]
        self.poisoned = True
        return made.sum() * torch.nan


class NotFollowed(Exception):
    """A step uses what a stand-in cannot give; says what."""


def one_number(loss: Any, *, of_step: bool = False) -> Tensor:
    """Return the loss, or say in one line what it is instead."""
    if of_step and isinstance(loss, Mapping) and "loss" in loss:
        loss = loss["loss"]
    if of_step and isinstance(loss, tuple) and loss:
        loss = loss[0]
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = type(loss).__name__
        if isinstance(loss, Tensor):
            what = f"tensor of shape {tuple(loss.shape)}"
        raise ValueError(
            f"the loss is a {what}; it must be a tensor of one number. Take the mean over the "
            f"batch, and return the loss alone."
        )
    return loss.reshape(())

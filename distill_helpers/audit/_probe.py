"""What `audit` asks of a loop: the loss at made-up logits, and the forms that it is made of.

A `Setup` holds what was handed over, and puts stand-ins in the place of the networks. A `Probe`
holds the loss's gradients at made-up logits, and `identify` finds the forms that explain them.
"""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill_helpers import _checks
from distill_helpers.audit._forms import HARD, SOFT, UNIFORM, Form, cross, log_softmax, softmax

TEACHER_OUTPUTS = ("logits", "member logits", "soft targets", "log soft targets")
HALF = (torch.float16, torch.bfloat16)
TOLERANCE = 3e-4
LIMIT = 500_000
"""Entries of a batch that the loss is probed with at most."""


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
        if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
            raise TypeError(
                f"batch is a {type(batch).__name__}; it must be (inputs, labels), or (inputs, "
                f"labels, cached teacher outputs). Pack the loop's own into a tuple."
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
        self.inputs, self.labels = batch[0], batch[1]
        self.cached = batch[2] if len(batch) == 3 else None
        if teacher is None and self.cached is None:
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

    def look(self) -> None:
        """Ask both networks, in eval mode, for what they make of the batch."""
        with torch.enable_grad(), eval_mode(modules_in(self.student)):
            made = ask(self.student, self.inputs, "student")
        z, self.bare_student = logits_of(made, "student"), isinstance(made, Tensor)
        self.z, self.cut = z.detach(), not z.requires_grad
        if self.z.ndim != 2 or self.z.shape[1] < 2 or not self.z.is_floating_point():
            raise ValueError(
                f"the student returned {dtype_name(self.z)} of shape {tuple(self.z.shape)}; it "
                f"must be logits (B, C) of two classes or more. Flatten other axes, and give one "
                f"sigmoid output z as torch.stack([zeros, z], -1)."
            )
        self.B, self.C = self.z.shape
        if self.B == 0:
            raise ValueError("the batch is empty; it must hold a row or more. Take another one.")
        if not isinstance(self.labels, Tensor):
            raise TypeError(
                f"labels are a {type(self.labels).__name__}; they must be a tensor of class "
                f"numbers. Use torch.as_tensor."
            )
        if self.labels.shape != (self.B,):
            raise ValueError(
                f"labels have shape {tuple(self.labels.shape)} and the student's logits "
                f"{tuple(self.z.shape)}; they must be class numbers ({self.B},). Use argmax(-1) if "
                f"they are one-hot."
            )
        self.y = _checks.labels(self.labels, self.C)
        # Members (M, B, C), as they are and in eval mode.
        self.v = self.ask_teacher(as_in_eval=True)
        self.M = 1 if self.v is None else len(self.v)
        if self.v is not None and self.v.shape[1:] != self.z.shape:
            raise ValueError(
                f"the teacher returned shape {tuple(self.v.shape[1:])} and the student "
                f"{tuple(self.z.shape)}; they must be the same. Give both the same classes."
            )
        if self.cached is not None:
            expected = (self.B, self.C)
            if self.kind == "member logits":
                known = self.cached.shape[0] if self.v is None and self.cached.ndim else self.M
                expected = (known, self.B, self.C)  # type: ignore[assignment]
                self.M = known
            if self.cached.shape != expected or not self.cached.is_floating_point():
                raise ValueError(
                    f"cached teacher outputs are {dtype_name(self.cached)} of shape "
                    f"{tuple(self.cached.shape)}; for {self.kind} they must be floating-point "
                    f"{expected}. Take the rows of this batch."
                )

    def ask_teacher(self, inputs: Any = None, *, as_in_eval: bool = False) -> Tensor | None:
        """Return the members' logits ``(M, B, C)``, or None where there is no teacher."""
        if not self.members:
            return None
        inputs = self.inputs if inputs is None else inputs
        with torch.no_grad(), eval_mode(modules_in(self.members) if as_in_eval else []):
            made = [ask(member, inputs, "teacher") for member in self.members]
        self.bare_teacher = isinstance(made[0], Tensor)
        answers = [logits_of(one, "teacher") for one in made]
        for answer in answers:
            if answer.ndim not in (2, 3) or not answer.is_floating_point():
                raise ValueError(
                    f"the teacher returned {dtype_name(answer)} of shape {tuple(answer.shape)}; it "
                    f"must be logits (B, C), or (M, B, C) for an ensemble. Flatten other axes."
                )
        return torch.cat([a if a.ndim == 3 else a.unsqueeze(0) for a in answers])

    def as_teacher_output(self, v: Tensor) -> Tensor:
        """Turn made-up logits ``(B, C)`` into what the loss takes."""
        if self.kind == "member logits":
            return v.repeat(self.M, 1, 1)
        if self.kind == "soft targets":
            return torch.softmax(v / self.T, -1)
        if self.kind == "log soft targets":
            return torch.log_softmax(v / self.T, -1)
        return v

    def loss(self, z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        """Return the loss where student and teacher answer `z` and `v`, ``(B, C)``."""
        z, v, y = z.clone(), v.clone(), y.clone()  # the loop may write into what it is given
        if self.loss_fn is not None:
            return _one_number(self.loss_fn(z, self.as_teacher_output(v), y))
        assert self.step is not None
        inputs = _number_rows(take_rows(self.inputs, len(z)))
        fake_student: Any = _StandIn(self.student, z, inputs, 1, self.bare_student)
        fakes = [
            _StandIn(member, v, inputs, self.M // len(self.members), self.bare_teacher)
            for member in self.members
        ]
        fake_teacher: Any = None
        if self.is_list:
            fake_teacher = (
                nn.ModuleList(fakes) if isinstance(self.teacher, nn.ModuleList) else fakes
            )
        elif fakes:
            fake_teacher = fakes[0]
        batch = (inputs, y) if self.cached is None else (inputs, y, self.as_teacher_output(v))
        return _one_number(self.step(fake_student, fake_teacher, batch))


def call(network: Any, inputs: Any) -> Any:
    return network(**inputs) if isinstance(inputs, Mapping) else network(inputs)


def ask(network: Any, inputs: Any, who: str) -> Any:
    """Call a network, and say in one line where it fails."""
    try:
        return call(network, inputs)
    except Exception as problem:
        raise ValueError(
            f"the {who} fails on this batch's inputs: {first_line(problem)}. Hand over inputs as "
            f"the loop feeds them to it; wrap it in a function if it takes them in another way."
        ) from problem


def first_line(problem: Exception) -> str:
    """Return the kind of an error and its first line."""
    lines = str(problem).strip().splitlines() or [""]
    return f"{type(problem).__name__}: {lines[0].rstrip('.')}"


def logits_of(made: Any, who: str) -> Tensor:
    if not isinstance(made, Tensor):
        made = made.get("logits") if isinstance(made, Mapping) else getattr(made, "logits", made)
    if not isinstance(made, Tensor):
        raise TypeError(
            f"the {who} returned a {type(made).__name__}; it must return a tensor of logits, or "
            f"an output that has them as `logits`. Wrap it in a function."
        )
    return made


def _one_number(loss: Any) -> Tensor:
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        what = type(loss).__name__
        if isinstance(loss, Tensor):
            what = f"tensor of shape {tuple(loss.shape)}"
        raise ValueError(
            f"the loss is a {what}; it must be a tensor of one number. Take the mean over the "
            f"batch, and return the loss alone."
        )
    return loss.reshape(())


def dtype_name(value: Tensor | torch.dtype) -> str:
    dtype = value.dtype if isinstance(value, Tensor) else value
    return str(dtype).removeprefix("torch.")


class _StandIn(nn.Module):
    """Answers with made-up logits, each row for the input that it belongs to."""

    def __init__(
        self, real: Any, answer: Tensor, inputs: Any, members: int = 1, bare: bool = True
    ) -> None:
        super().__init__()
        # Not by way of nn.Module, which would take a network in as its own.
        for name, value in (
            ("_real", real),
            ("_answer", answer),
            ("_inputs", _flat(inputs)),
            ("_members", members),
            ("_bare", bare),
        ):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(object.__getattribute__(self, "_real"), name)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        answer = self._answer
        rows = _rows_asked(_flat(args[0] if args else kwargs), self._inputs)
        if rows is not None:
            answer = answer[rows]
        if self._members > 1:
            answer = answer.expand(self._members, *answer.shape)
        answer = answer.clone()
        return answer if self._bare else _Output(logits=answer)


class _Output(dict[str, Tensor]):
    """An output that has its logits both as a key and as an attribute."""

    @property
    def logits(self) -> Tensor:
        return self["logits"]


def _rows_asked(asked: Tensor | None, own: Tensor | None) -> Tensor | None:
    """Tell which numbered rows a stand-in is asked for; None where that is not to be seen."""
    if asked is None or own is None or asked.shape[1:] != own.shape[1:]:
        return None
    distance, rows = (asked.unsqueeze(1) - own.unsqueeze(0)).abs().amax(-1).min(1)
    if bool((distance == 0).all()):
        return rows
    if len(asked) != len(own):
        return None
    # Scaled and shifted numbers keep their order, mixed ones do not.
    values, order = asked[:, 0].sort()
    steps = values.diff()
    if len(steps) < 2 or float(steps.min()) <= 0 or float(steps.max() / steps.min()) > 1.001:
        return None
    return order.argsort()


def _flat(inputs: Any) -> Tensor | None:
    """Return the first tensor of inputs as rows of a few numbers."""
    if isinstance(inputs, Mapping):
        inputs = next((x for x in inputs.values() if isinstance(x, Tensor)), None)
    if not isinstance(inputs, Tensor) or inputs.ndim == 0 or inputs.numel() == 0:
        return None
    return inputs.detach().reshape(len(inputs), -1)[:, :4].double()


def take_rows(inputs: Any, count: int | Tensor) -> Any:
    """Take rows from inputs, a tensor or a mapping of tensors; anything else is left whole."""
    if isinstance(inputs, Mapping):
        return {key: take_rows(value, count) for key, value in inputs.items()}
    if isinstance(inputs, Tensor) and inputs.ndim:
        return inputs[count] if isinstance(count, Tensor) else inputs[:count]
    if isinstance(inputs, list) and not isinstance(count, Tensor):
        return inputs[:count]
    return inputs


def _number_rows(inputs: Any) -> Any:
    """Write a number of its own into each row, so that a stand-in can tell rows apart."""
    if isinstance(inputs, Mapping):
        return {key: _number_rows(value) for key, value in inputs.items()}
    if not isinstance(inputs, Tensor) or inputs.ndim == 0 or inputs.dtype == torch.bool:
        return inputs
    numbers = torch.arange(len(inputs), device=inputs.device).to(inputs.dtype)
    return numbers.reshape(-1, *[1] * (inputs.ndim - 1)).expand(inputs.shape).clone()


def modules_in(thing: Any, depth: int = 3) -> list[nn.Module]:
    """Return the modules that a thing is, holds or closes over."""
    if isinstance(thing, nn.Module):
        return [thing]
    if (
        depth == 0
        or thing is None
        or isinstance(thing, Tensor | str | int | float | type | ModuleType)
    ):
        return []
    held: list[Any] = []
    if isinstance(thing, list | tuple):
        held = list(thing)
    elif isinstance(thing, Mapping):
        held = list(thing.values())
    elif isinstance(thing, functools.partial):
        held = [thing.func, *thing.args, *thing.keywords.values()]
    elif hasattr(thing, "__code__"):
        for cell in thing.__closure__ or ():
            try:
                held.append(cell.cell_contents)
            except ValueError:  # not filled yet
                continue
        held += thing.__defaults__ or ()
        held += [thing.__globals__.get(name) for name in thing.__code__.co_names]
    elif hasattr(thing, "__self__"):
        held = [thing.__self__]
    elif hasattr(thing, "__dict__") and callable(thing):
        held = list(vars(thing).values())
    found = {id(m): m for h in held for m in modules_in(h, depth - 1)}
    return list(found.values())


@contextmanager
def eval_mode(modules: Sequence[nn.Module]) -> Iterator[None]:
    parts = [part for module in modules for part in module.modules()]
    modes = [part.training for part in parts]
    try:
        for part in parts:
            part.training = False
        yield
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode


@contextmanager
def untouched(modules: Sequence[nn.Module], more: Sequence[Tensor]) -> Iterator[None]:
    """Put back parameters, buffers, gradients, modes and random streams."""
    parts = list({id(p): p for module in modules for p in module.modules()}.values())
    modes = [part.training for part in parts]
    values = [t for m in modules for t in (*m.parameters(), *m.buffers())] + list(more)
    tensors = list({id(t): t for t in values}.values())
    grads = [t.grad if t.is_leaf else None for t in tensors]
    flags = [t.requires_grad for t in tensors]
    watched = [*tensors, *[g for g in grads if g is not None]]
    copies = [t.detach().clone() for t in watched]
    versions = [t._version for t in watched]
    python, numbers = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count()))
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
        with torch.no_grad():
            for tensor, copy, version in zip(watched, copies, versions, strict=True):
                # Not every write counts: `.data` goes unseen.
                if tensor._version != version or not torch.equal(tensor, copy):
                    tensor.copy_(copy)
        for tensor, grad, flag in zip(tensors, grads, flags, strict=True):
            if tensor.is_leaf:
                tensor.grad = grad
                tensor.requires_grad_(flag)


class Probe:
    """The loss at made-up logits of one batch size and number of classes.

    Two sets of logits, one as wide as softmax at 1 can tell apart and one for softmax at T. For
    each the gradient, what changes in it with the labels, and what changes with the teacher.
    """

    def __init__(self, setup: Setup, B: int, C: int, dtype: torch.dtype) -> None:
        self.T, self.setup, self.dtype = setup.T, setup, dtype
        generator = torch.Generator().manual_seed(B * 1_000_003 + C)

        def draw(*shape: int) -> Tensor:
            made = torch.randn(shape, generator=generator, dtype=torch.float64)
            return made.to(dtype).to(setup.z.device)

        wide = 1.5 * min(self.T, 20.0)
        self.points = [(draw(B, C) * w, draw(B, C) * w, draw(B, C) * w) for w in (1.5, wide)]
        y = torch.randint(C, (B,), generator=generator)
        self.y, self.other = (x.to(setup.z.device) for x in (y, (y + 1) % C))
        self.connected = False
        self.values: list[Tensor] = []
        self.precision = dtype
        blocks = []
        for z, v, v2 in self.points:
            base = self.gradient(z, v, self.y)
            blocks += [
                base,
                base - self.gradient(z, v, self.other),
                base - self.gradient(z, v2, self.y),
            ]
        norms = [float(block.norm()) for block in blocks]
        largest = [max(norms[i - i % 3], 1e-300) for i in range(len(norms))]
        # What is left of a difference by rounding is not to be magnified.
        floor = 0.1 if self.precision in HALF else 1e-4
        self.weights = [1 / max(n, floor * m) for n, m in zip(norms, largest, strict=True)]
        self.target = self._flatten(blocks)
        self.finite = bool(torch.isfinite(self.target).all())

    @property
    def tolerance(self) -> float:
        """How near is near enough, relative."""
        if self.precision not in HALF:
            return TOLERANCE
        return max(1e-2, 8 * torch.finfo(self.precision).eps)

    def loss(self, z: Tensor, v: Tensor, y: Tensor, seed: int = 0) -> Tensor:
        """Return the loss, always with the same random numbers."""
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        with torch.enable_grad():
            return self.setup.loss(z, v, y)

    def gradient(self, z: Tensor, v: Tensor, y: Tensor, seed: int = 0) -> Tensor:
        """Return the loss's gradient for `z`, zero where there is no way to it."""
        z = z.detach().clone().requires_grad_()
        loss = self.loss(z, v, y, seed)
        self.values.append(loss.detach())
        if loss.dtype in HALF:
            self.precision = loss.dtype
        made = None
        if loss.requires_grad:
            (made,) = torch.autograd.grad(loss, z, allow_unused=True)
        self.connected |= made is not None
        return torch.zeros_like(z, dtype=torch.float64) if made is None else made.double()

    def soft(self, form: Form) -> Tensor:
        """Return the column of a teacher's part."""
        blocks = []
        for z, v, v2 in self.points:
            base = self._slope(form, z, v)
            blocks += [base, torch.zeros_like(base), base - self._slope(form, z, v2)]
        return self._flatten(blocks)

    def hard(self, form: Form) -> Tensor:
        """Return the column of a labels' part."""
        blocks = []
        for z, _, _ in self.points:
            base = self._slope(form, z, self.y)
            blocks += [base, base - self._slope(form, z, self.other), torch.zeros_like(base)]
        return self._flatten(blocks)

    def _slope(self, form: Form, z: Tensor, other: Tensor) -> Tensor:
        z = z.double().detach().requires_grad_()
        if other.is_floating_point():
            other = other.double()
        with torch.enable_grad():
            (made,) = torch.autograd.grad(form.value(z, other, self.T), z)
        return made

    def _flatten(self, blocks: list[Tensor]) -> Tensor:
        return torch.cat([b.flatten() * w for b, w in zip(blocks, self.weights, strict=True)])

    def block(self, index: int) -> Tensor:
        """Return one of the six parts of what was seen, weighed."""
        return self.target.view(6, -1)[index]

    def solve(self, columns: Tensor) -> tuple[Tensor, float]:
        """Fit columns ``(k, n)`` to what was seen; return the weights and what is left over."""
        norms = columns.norm(dim=1, keepdim=True).clamp_min(1e-300)
        unit = columns / norms
        system = unit @ unit.T + 1e-13 * torch.eye(len(unit), dtype=unit.dtype, device=unit.device)
        weights = torch.linalg.solve(system, unit @ self.target)
        left = self.target - weights @ unit
        scale = max(float(self.target.norm()), 1e-300)
        return weights / norms.squeeze(1), float(left.norm()) / scale


@dataclass
class Fit:
    """The loss as measured: the two forms, and what each is multiplied by."""

    soft: Form
    hard: Form
    a: float
    b: float
    smoothing: float = 0.0


def identify(probe: Probe) -> Fit | None:
    """Find the two forms that the loss is made of, the right ones first."""
    right, labels = SOFT[0], HARD[0]
    soft, hard = probe.soft(right), probe.hard(labels)
    weights, left = probe.solve(torch.stack([soft, hard]))
    if left < probe.tolerance:
        return Fit(right, labels, float(weights[0]), float(weights[1]))
    weights, left = probe.solve(torch.stack([soft, hard, probe.hard(UNIFORM)]))
    total = float(weights[1] + weights[2])
    if left < probe.tolerance and total > 0 and weights[2] > 0:
        return Fit(right, labels, float(weights[0]), total, float(weights[2]) / total)
    usual = probe.solve(torch.stack([soft, hard]))[1]
    best: tuple[int, float, Fit] | None = None
    hards = [probe.hard(form) for form in HARD]
    for form in SOFT:
        column = probe.soft(form)
        if not torch.isfinite(column).all():
            continue
        for hard_form, hard_column in zip(HARD, hards, strict=True):
            weights, left = probe.solve(torch.stack([column, hard_column]))
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
    return _identify_temperatures(probe)


def _identify_temperatures(probe: Probe) -> Fit | None:
    """Look for the right forms at any two temperatures."""
    from scipy.optimize import minimize

    def form(student: float, target: float) -> Form:
        equal = abs(math.log(student / target)) < 1e-3
        own = min(abs(math.log(t / probe.T)) for t in (student, target)) < 1e-3
        one_side = not equal and own
        words = f"-sum(softmax(v / {target:.4g}) * log_softmax(z / {student:.4g}))"
        return Form(
            words,
            "temperature",
            "T on one side only" if one_side else "another temperature",
            cross(lambda z, T: log_softmax(z, student), lambda v, T: softmax(v, target)),
        )

    hard = probe.hard(HARD[0])

    def left(x: Sequence[float]) -> float:
        made = form(math.exp(float(x[0])), math.exp(float(x[1])))
        column = probe.soft(made)
        return probe.solve(torch.stack([column, hard]))[1]

    grid = [math.log(probe.T) + step for step in np.linspace(-3, 3, 13)]
    start = min(((s, t) for s in grid for t in grid), key=left)
    found = minimize(left, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    if found.fun > probe.tolerance or max(abs(x) for x in found.x) > 12:
        return None
    made = form(*(math.exp(float(x)) for x in found.x))
    weights, _ = probe.solve(torch.stack([probe.soft(made), hard]))
    return Fit(made, HARD[0], float(weights[0]), float(weights[1]))


def make_probes(setup: Setup) -> tuple[Probe, Probe]:
    """Probe the loss with a small batch and with one of the batch's own size."""
    problems: list[Exception] = []
    rows = max(1, min(setup.B, LIMIT // setup.C))
    smaller = 5 if setup.C <= 2000 else 2
    smaller = min(smaller, rows) if setup.step is not None else smaller
    for dtype in (torch.float64, torch.float32, setup.z.dtype):
        own = None
        try:
            own = Probe(setup, rows, setup.C, dtype)
            return Probe(setup, smaller, setup.C, dtype), own
        except ValueError as problem:
            if "it must be a tensor of one number" in str(problem):
                raise
            problems.append(problem)
        except Exception as problem:
            problems.append(problem)
        if own is not None:  # the loss is made for this batch alone
            return own, own
    first = problems[0]
    if "backward through the graph" in str(first):
        raise ValueError(
            "step calls backward; it must return the loss and no more. Leave backward and the "
            "optimiser's step to the loop."
        ) from first
    mend = "Hand over the loss as the loop calls it, and name what it takes with teacher_output"
    if setup.step is not None:
        mend = (
            "In a step the networks are replaced, and answer with logits alone; hand over what is "
            "made of the logits as loss_fn"
        )
    raise ValueError(
        f"the loss fails on made-up logits of this batch's shape: {first_line(first)}. {mend}."
    ) from first


def _ratio(setup: Setup, probe: Probe, fit: Fit, B: int, C: int) -> float | None:
    """Return the ratio of both weights for another batch, or None where the loss takes none."""
    try:
        other = Probe(setup, B, C, probe.dtype)
    except Exception:  # a loss may be made for its own classes
        return None
    weights, left = other.solve(torch.stack([other.soft(fit.soft), other.hard(fit.hard)]))
    if left > other.tolerance or min(weights) <= 0:
        return None
    return float(weights[0] / weights[1])


def grows_with_classes(setup: Setup, probe: Probe, fit: Fit) -> bool | None:
    """Tell whether the teacher's weight falls as the number of classes grows."""
    B, C = len(probe.y), setup.C
    one, two = (_ratio(setup, probe, fit, B, classes) for classes in (C, 2 * C))
    return None if one is None or two is None else two < 0.75 * one


def grows_with_batch(setup: Setup, probe: Probe, fit: Fit) -> bool | None:
    """Tell whether the proportion of both parts changes with the batch."""
    rows = min(setup.B, 6) if setup.step is not None else 6
    if rows < 2:
        return None
    one, two = (_ratio(setup, probe, fit, count, setup.C) for count in (rows // 2, rows))
    return None if one is None or two is None else not 0.75 < two / one < 1.33


def rows_out_of_step(probe: Probe) -> tuple[dict[str, str], bool]:
    """Find out whether a row of the teacher or of the labels moves another row's gradient.

    The second answer is whether a row of the labels moves its own and another.
    """
    rows = len(probe.y)
    z, v, v2 = probe.points[0]
    found: dict[str, str] = {}
    mixed = False
    if rows < 2:
        return found, mixed
    for seed in (0, 1):
        base = probe.gradient(z, v, probe.y, seed)
        for row in range(min(rows, 8)):
            moved_v, moved_y = v.clone(), probe.y.clone()
            moved_v[row], moved_y[row] = v2[row], probe.other[row]
            for what, bug, args in (
                ("teacher's outputs", "teacher's outputs out of step", (moved_v, probe.y)),
                ("labels", "labels out of step", (v, moved_y)),
            ):
                change = (probe.gradient(z, *args, seed) - base).abs().sum(1)
                own = float(change[row])
                change[row] = 0
                if float(change.max()) > 1e-6 and own < 1e-3 * float(change.max()):
                    found[what] = bug
                mixed |= what == "labels" and float(change.max()) > 1e-2 * own > 0
    return found, mixed


def rows_weigh_unequally(probe: Probe) -> bool:
    """Tell whether each row has the right forms, with weights of its own."""
    rows, C = len(probe.y), probe.points[0][0].shape[1]
    shape = (6, rows, C)

    def by_row(column: Tensor) -> Tensor:
        # The labels stay as they are in these blocks, and so do weights by class.
        return column.view(shape)[[0, 2, 3, 5]].movedim(1, 0).flatten(1)

    seen = by_row(probe.target)
    forms = torch.stack([by_row(probe.soft(SOFT[0])), by_row(probe.hard(HARD[0]))], 2)
    weights = torch.linalg.lstsq(forms, seen.unsqueeze(2)).solution
    left = (seen - (forms @ weights).squeeze(2)).norm(dim=1)
    return rows > 1 and bool((left < probe.tolerance * seen.norm(dim=1).max()).all())


def compare_slope(probe: Probe) -> float | None:
    """Return how far autograd is from finite differences, relative; None in half precision."""
    if probe.precision in HALF:
        return None
    fine = probe.dtype == torch.float64 and probe.values[0].dtype == torch.float64
    worst = 0.0
    for z, v, _ in probe.points:
        gradient = probe.gradient(z, v, probe.y)
        one_hot = nn.functional.one_hot(probe.y, z.shape[1])
        ways = (softmax(z, probe.T) - softmax(v, probe.T), softmax(z, 1) - one_hot)
        for way in ways:
            way = way / way.norm()
            wide = float(z.norm()) / math.sqrt(z.numel())
            step = (1e-5 if fine else 3e-2) * min(wide, probe.T)
            ahead, behind = (probe.loss(z + s * way, v, probe.y) for s in (step, -step))
            rise = float(ahead.detach().double() - behind.detach().double()) / (2 * step)
            if not math.isfinite(rise):
                return None
            # In float32 T^2 magnifies what rounding leaves of p log p.
            size = abs(float(ahead.detach())) + probe.T**2 * math.log(z.shape[1])
            noise = 0.0 if fine else 3e-7 * size / step
            slope = float((gradient * way).sum())
            off = abs(rise - slope) - noise
            worst = max(
                worst, off / max(abs(slope), abs(rise), 1e-3 * float(gradient.norm()), 1e-12)
            )
    return worst


def labels_weigh_teacher(probe: Probe) -> bool:
    """Tell whether the labels move the loss, and do so by the teacher's logits alone."""
    (z, v, v2), (z2, _, _) = probe.points
    with torch.no_grad():

        def gap(z: Tensor, v: Tensor) -> float:
            one, two = (probe.loss(z, v, y).detach().double() for y in (probe.y, probe.other))
            return float(one - two)

        first = gap(z, v)
        return (
            abs(first) > 1e-5
            and abs(gap(z2, v) - first) < 1e-3 * abs(first)
            and abs(gap(z, v2) - first) > 1e-3 * abs(first)
        )

"""Networks in a loop: which there are, how they are asked, and how they are left as they were."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


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


def dtype_name(value: Tensor | torch.dtype) -> str:
    dtype = value.dtype if isinstance(value, Tensor) else value
    return str(dtype).removeprefix("torch.")


def take_rows(inputs: Any, count: int | Tensor) -> Any:
    """Take rows from inputs, a tensor or a mapping of tensors; anything else is left whole."""
    if isinstance(inputs, Mapping):
        return {key: take_rows(value, count) for key, value in inputs.items()}
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return tuple(take_rows(value, count) for value in inputs)
    if isinstance(inputs, Tensor) and inputs.ndim:
        return inputs[count] if isinstance(count, Tensor) else inputs[:count]
    if isinstance(inputs, list) and not isinstance(count, Tensor):
        return inputs[:count]
    return inputs


def modules_in(thing: Any, depth: int = 3) -> list[nn.Module]:
    """Return the modules that a thing is, holds or closes over."""
    found = {id(x): x for x in _held(thing, depth) if isinstance(x, nn.Module)}
    return list(found.values())


def tensors_held(thing: Any) -> list[Tensor]:
    """Return the tensors that a thing holds or closes over, those of modules left out."""
    return [x for x in _held(thing, 3) if isinstance(x, Tensor)]


def _held(thing: Any, depth: int) -> list[nn.Module | Tensor]:
    if isinstance(thing, nn.Module | Tensor):
        return [thing]
    if depth == 0 or thing is None or isinstance(thing, str | int | float | type | ModuleType):
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
    return [found for part in held for found in _held(part, depth - 1)]


def reseed(seed: int) -> None:
    """Start all random streams anew."""
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:  # the same for the CPU; for devices that are not there it writes a traceback every time
        torch.default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


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
    held = [dict(part._parameters) for part in parts]  # a loop may put new ones in their places
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
        for part, mode, known in zip(parts, modes, held, strict=True):
            part.training = mode
            part._parameters.update(known)
        with torch.no_grad():
            for tensor, copy, version in zip(watched, copies, versions, strict=True):
                # Not every write counts: `.data` goes unseen.
                if tensor._version != version or not torch.equal(tensor, copy):
                    tensor.copy_(copy)
        for tensor, grad, flag in zip(tensors, grads, flags, strict=True):
            if tensor.is_leaf:
                tensor.grad = grad
                tensor.requires_grad_(flag)

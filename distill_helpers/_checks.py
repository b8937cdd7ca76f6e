"""Checks of arguments that several modules share.

Each returns the value as it should be used, or raises with one line that names the value, the rule
and the way out.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Numbers = float | Sequence[float] | np.ndarray | Tensor
"""One number, or one a member."""


def temperature(value: Numbers, num_members: int | None = None) -> float | Tensor:
    """Return the temperature as a float, or as a float64 tensor ``(M,)`` with one a member.

    Parameters
    ----------
    value
        A finite number above 0, or one a member.
    num_members
        How many members there are; None where there is one network, so one number.
    """
    return _numbers(
        value,
        num_members,
        "temperature",
        lambda t: (t > 0) & torch.isfinite(t),
        "must be a finite number above 0. Use 1 for plain probabilities, 2 to 5 to soften.",
    )


def alpha(value: Numbers, num_members: int | None = None) -> float | Tensor:
    """Return alpha as a float, or as a float64 tensor ``(M,)`` with one a member.

    Parameters
    ----------
    value
        A number from 0 to 1, or one a member.
    num_members
        How many members there are; None where there is one network, so one number.
    """
    return _numbers(
        value,
        num_members,
        "alpha",
        lambda a: (a >= 0) & (a <= 1),
        "must be a number from 0 to 1. Use 0 for hard labels alone, 1 for soft targets alone.",
    )


def scale(value: Numbers, num_members: int | None = None) -> float | Tensor:
    """Return a factor on the loss as a float, or as a float64 tensor ``(M,)``, one a member.

    Parameters
    ----------
    value
        A finite number above 0, or one a member.
    num_members
        How many members there are; None where there is one network, so one number.
    """
    return _numbers(
        value,
        num_members,
        "scale",
        lambda s: (s > 0) & torch.isfinite(s),
        "must be a finite number above 0. Use 1 for the objective as it is.",
    )


def logits(value: Tensor, name: str = "logits") -> Tensor:
    """Return logits ``(N, C)`` or ``(M, N, C)``: floating, finite, two classes or more.

    Log-probabilities pass, for they are logits too. Rows that are all probabilities do not. One
    single row of zeros and a one is let through: it may be either.
    """
    value = _scores(value, name)
    if _all_probabilities(value):
        raise ValueError(
            f"{name} looks like probabilities (every row is >= 0 and sums to 1); it must hold "
            f"logits. Pass the network's raw outputs, or torch.log of the probabilities."
        )
    return value


def probabilities(value: Tensor, name: str = "soft_targets") -> Tensor:
    """Return probabilities ``(N, C)`` or ``(M, N, C)``: rows that are >= 0 and sum to 1."""
    value = _scores(value, name)
    good = _look_like_probabilities(value, 1e-4)
    if not good.all():
        row = value[~good][0]
        if row.min() < 0:
            what = f"holds {row.min():.6g}"
        else:
            what = f"has a row that sums to {row.sum(dtype=torch.float64):.6g}"
        raise ValueError(
            f"{name} {what}; it must hold probabilities, rows that are >= 0 and sum to 1. "
            f"Pass softmax(logits / temperature), as soft_targets() returns it."
        )
    return value


def labels(value: Tensor, num_classes: int, name: str = "labels") -> Tensor:
    """Return labels as int64, each from 0 to ``num_classes - 1``."""
    value = _tensor(value, name)
    if value.dtype == torch.bool or value.is_floating_point() or value.is_complex():
        raise TypeError(
            f"{name} has dtype {_dtype(value)}; it must hold integer class numbers. "
            f"Use {name}.long() if it holds 0, 1, 2, ..., or argmax(-1) if it is one-hot."
        )
    outside = (value < 0) | (value >= num_classes)
    if outside.any():
        raise ValueError(
            f"{name} holds {int(value[outside][0])}; with {num_classes} classes each must be from "
            f"0 to {num_classes - 1}. Number the classes from 0, and mask what has no label."
        )
    return value.long()


def targets(value: Tensor, logits: Tensor, name: str = "labels") -> Tensor:
    """Return labels ``(N,)`` as int64, or a posterior ``(N, C)``, that fit logits."""
    if isinstance(value, Tensor) and value.is_floating_point() and value.ndim > 1:
        value = probabilities(value, name).detach()
        expected = logits.shape[-2:]
    else:
        value = labels(value, logits.shape[-1], name)
        expected = logits.shape[-2:-1]
    if value.shape != expected:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)} and logits {tuple(logits.shape)}; {name} must "
            f"be {tuple(logits.shape[-2:-1])}, or the posterior {tuple(logits.shape[-2:])}. "
            f"Take both from the same rows; argmax(-1) turns one-hot rows into labels."
        )
    return value


def count(name: str, value: object, least: int) -> int:
    """Return a whole number, `least` or more; NumPy's count too, truth values do not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name} is {value!r:.80}; it must be a whole number, {least} or more")
    if int(value) < least:
        raise ValueError(f"{name} is {value}; it must be {least} or more")
    return int(value)


def threads(value: object) -> int:
    """Return a number of threads, no more than there are processors."""
    made, processors = count("threads", value, 1), os.cpu_count() or 1
    if made > processors:
        raise ValueError(
            f"threads is {made}; this machine has {processors} processors, and more threads only "
            f"wait for each other. Pass {processors} or fewer"
        )
    return made


def path(value: object, name: str = "path") -> Path:
    """Return a path."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{name} is {value!r:.80}; it must be a path: a string, or a pathlib.Path")
    return Path(os.fspath(value))


def _numbers(
    value: Numbers,
    num_members: int | None,
    name: str,
    allowed: Callable[[Tensor], Tensor],
    rule: str,
) -> float | Tensor:
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        # By way of numpy, for torch would round Python's floats to float32.
        numbers = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} is {value!r:.80}; it {rule}") from None
    if numbers.dtype == torch.bool or numbers.is_complex():
        raise TypeError(f"{name} is {value!r:.80}; it {rule}")
    numbers = numbers.detach().to(torch.float64)
    if numbers.ndim > 0 and numbers.shape != (num_members,):
        if num_members is None:
            raise ValueError(
                f"{name} has shape {tuple(numbers.shape)}; for one network it must be one number. "
                f"Give logits a leading member axis for one {name} a member."
            )
        raise ValueError(
            f"{name} has shape {tuple(numbers.shape)}; it must be one number or one a member, "
            f"({num_members},). Repeat or cut it to {num_members} values."
        )
    wrong = ~allowed(numbers)
    if wrong.any():
        raise ValueError(f"{name} is {float(numbers[wrong][0]):.6g}; it {rule}")
    return numbers if numbers.ndim else float(numbers)


def _tensor(value: Tensor, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} is a {type(value).__name__}; it must be a torch tensor. "
            f"Use torch.as_tensor({name})."
        )
    return value


def _scores(value: Tensor, name: str) -> Tensor:
    """Return a finite floating tensor ``(N, C)`` or ``(M, N, C)`` that holds something."""
    value = _tensor(value, name)
    if not value.is_floating_point():
        raise TypeError(
            f"{name} has dtype {_dtype(value)}; it must be a floating-point tensor. "
            f"Use {name}.float()."
        )
    if value.ndim not in (2, 3):
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; it must be (N, C), or (M, N, C) with members "
            f"first and classes last. Add or drop an axis."
        )
    if value.shape[-1] < 2:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; the last axis must hold two classes or more. "
            f"For one sigmoid output z use torch.stack([zeros, z], dim=-1)."
        )
    if value.numel() == 0:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; it must hold one sample or more. "
            f"Leave empty batches out."
        )
    # One reduction and no mask: a sum of finite values that overflows is the only false alarm, so
    # look again before complaining.
    if not torch.isfinite(value.detach().sum()) and not torch.isfinite(value).all():
        bad = value[~torch.isfinite(value)][0]
        raise ValueError(
            f"{name} holds {float(bad)}; every value must be finite. "
            f"Look for a diverged network or a log of zero (clamp probabilities before the log)."
        )
    return value


def _look_like_probabilities(value: Tensor, tolerance: float) -> Tensor:
    """Tell for each row whether it is >= 0 and sums to 1."""
    value = value.detach()
    tolerance = max(tolerance, 2 * torch.finfo(value.dtype).eps)
    total = value.sum(-1, dtype=torch.float64)
    return (value.amin(-1) >= 0) & ((total - 1).abs() <= tolerance)


def _all_probabilities(value: Tensor) -> bool:
    """Tell whether every row is probabilities, looking at a few before looking at all."""
    tolerance = 1e-6  # strict, for a single row may come near by chance
    few = value[..., :8, :]
    if not _look_like_probabilities(few, tolerance).all():
        return False
    one_row = value.shape[:-1].numel() == 1
    if one_row and not value.frac().any():
        return False
    return bool(_look_like_probabilities(value, tolerance).all())


def _dtype(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")

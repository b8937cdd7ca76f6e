"""Checks of arguments that several modules share.

Each returns the value as it should be used, or raises with one line that names the value, the rule
and the way out.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable, Iterable, Sequence
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


def rate(value: Numbers, num_members: int, name: str, *, above_zero: bool) -> list[float]:
    """Return a setting of the optimiser, one number a member."""
    numbers = _numbers(
        value,
        num_members,
        name,
        lambda r: torch.isfinite(r) & (r > 0 if above_zero else r >= 0),
        "must be a finite number "
        + ("above 0, such as 1e-3." if above_zero else "of 0 or more, such as 1e-4."),
    )
    return numbers.tolist() if isinstance(numbers, Tensor) else [numbers] * num_members


def whole(name: str, value: object, low: int, way_out: str, high: float = math.inf) -> int:
    """Return `value` as an int from `low` to `high`, or raise in one line."""
    number = index(value)
    span = f"{low} or more" if high == math.inf else f"from {low} to {high:.0f}"
    if number is None:
        raise TypeError(f"{name} is {value!r:.80}; it must be a whole number, {span}. {way_out}")
    if not low <= number <= high:
        raise ValueError(f"{name} is {value!r:.80}; it must be a whole number, {span}. {way_out}")
    return number


def seeds(value: Iterable[int], num_members: int | None = None) -> list[int]:
    """Return one seed a member: whole numbers from 0 on, as torch and numpy both take them."""
    rule = "one whole number from 0 to 2**64 - 1 for each member"
    example = f"range({num_members or 12})"
    items = list(value) if isinstance(value, Iterable) and getattr(value, "ndim", True) else None
    if items is None:
        raise TypeError(f"seeds is {value!r:.80}; it must hold {rule}. Use {example}.")
    if num_members is not None and len(items) != num_members:
        raise ValueError(
            f"seeds holds {len(items)} for {num_members} members; it must hold {rule}. "
            f"Use {example}."
        )
    if not items:
        raise ValueError(f"seeds is empty; it must hold {rule}. Use {example}.")
    numbers = [index(item) for item in items]
    for item, number in zip(items, numbers, strict=True):
        if number is None:
            raise TypeError(f"seeds holds {item!r:.80}; it must hold {rule}. Use {example}.")
        if not 0 <= number < 2**64:
            raise ValueError(f"seeds holds {item!r:.80}; it must hold {rule}. Use {example}.")
    return [number for number in numbers if number is not None]


def logits(
    value: Tensor,
    name: str = "logits",
    members: bool | None = None,
    says_so: str = "members=True",
) -> Tensor:
    """Return logits: floating, finite, two classes or more.

    Log-probabilities pass, for they are logits too. Rows that are all probabilities do not. One
    single row of zeros and a one is let through: it may be either.

    Parameters
    ----------
    value
        What was given.
    name
        What the caller calls it.
    members
        True for ``(M, N, C)``, False for ``(N, C)``, None for either.
    says_so
        The argument by which the caller is told of members.
    """
    value = _scores(value, name, members, says_so)
    if value.shape[-1] < 2:
        raise ValueError(one_output(value.shape, name))
    if _all_probabilities(value):
        raise ValueError(
            f"{name} looks like probabilities (every row is >= 0 and sums to 1); it must hold "
            f"logits. Pass the network's raw outputs, or torch.log of the probabilities."
        )
    return value


def probabilities(value: Tensor, name: str = "soft_targets", members: bool | None = None) -> Tensor:
    """Return probabilities: rows that are >= 0 and sum to 1; for `members` see `logits`."""
    value = _scores(value, name, members)
    if value.shape[-1] < 2:
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}; the last axis must hold two classes or more. "
            f"For the sigmoid of one output use torch.cat([1 - {name}, {name}], dim=-1)."
        )
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


def axes(shape: torch.Size, name: str, members: bool | None, says_so: str = "members=True") -> None:
    """Refuse logits, or targets like them, that are not ``(N, C)``, or ``(M, N, C)`` by name.

    Nothing tells ``(M, N, C)`` from the tokens ``(B, L, C)`` of a batch of texts, so a third axis
    is never taken for members by itself.
    """
    ndim, known = len(shape), f"{name} has shape {tuple(shape)}"
    if ndim in {True: (3,), False: (2,), None: (2, 3)}[members]:
        return
    flat = f"{name}.flatten(0, -2)"
    if ndim < 2:
        way_out = (
            f"For one row of logits use {name}[None]; for one sigmoid output a row "
            f"use torch.stack([torch.zeros_like({name}), {name}], dim=-1)."
        )
    elif ndim == 2:
        way_out = f"For one network use {name}[None]."
    elif ndim == 3:
        way_out = f"For M networks pass {says_so}; for tokens (B, L, C) use {flat}."
    else:
        flat = f"{name}.movedim(1, -1).flatten(0, -2)"
        way_out = f"For images (N, C, H, W) use {flat}."
    rule = "(M, N, C), members first and classes last" if members else "(N, C), classes last"
    raise ValueError(f"{known}; it must be {rule}. {way_out}")


def one_output(shape: torch.Size, name: str) -> str:
    """Say what to do with logits of one column, ``(N, 1)``."""
    return (
        f"{name} has shape {tuple(shape)}; the last axis must hold two classes or more. "
        f"For one sigmoid output use torch.cat([torch.zeros_like({name}), {name}], dim=-1)."
    )


def labels(value: Tensor, num_classes: int | None, name: str = "labels") -> Tensor:
    """Return labels as int64, each from 0 to ``num_classes - 1``; None asks for the type alone."""
    value = tensor(value, name)
    if value.dtype == torch.bool or value.is_floating_point() or value.is_complex():
        advice = one_or_several(value, num_classes, name) or (
            f"Use {name}.long() if it holds 0, 1, 2, ..., or argmax(-1) if each row has one 1; "
            f"several labels a row are not covered."
        )
        raise TypeError(
            f"{name} has dtype {_dtype(value)}; it must hold integer class numbers. {advice}"
        )
    if num_classes is not None and value.numel():
        low, high = value.aminmax()
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"{name} holds {int(low if low < 0 else high)}; with {num_classes} classes each "
                f"must be from 0 to {num_classes - 1}. Number the classes from 0, and leave out "
                f"rows without a label."
            )
    return value.long()


def loss_labels(
    value: Tensor | None, logits: torch.Size, name: str = "labels", *, members: bool
) -> Tensor:
    """Return the labels of a loss as int64 that fit logits of a shape ``(..., B, C)``.

    Parameters
    ----------
    value
        ``(B,)``, or with `members` also ``(M, B)``, where M is the logits' if they have members.
    logits
        The shape of the logits, or of what stands for them.
    """
    if value is None:
        raise TypeError(
            f"{name} is None; a loss weighs labels by 1 - alpha. Without labels use alpha=1 and "
            f"any class numbers, torch.zeros({logits[-2]}, dtype=torch.int64)."
        )
    value = labels(value, logits[-1], name)
    fits = value.shape[-1:] == logits[-2:-1] and value.ndim <= 1 + members
    if value.ndim == len(logits) - 1 == 2:
        fits = fits and value.shape == logits[:-1]
    if not fits:
        raise ValueError(_labels_shape(value, logits, name))
    return value


def targets(value: Tensor, logits: Tensor, name: str = "labels") -> Tensor:
    """Return labels ``(N,)`` as int64, or a posterior ``(N, C)``, that fit logits."""
    num_rows, num_classes = logits.shape[-2:]
    if isinstance(value, Tensor) and value.is_floating_point() and value.ndim > 1:
        advice = one_or_several(value, num_classes, name)
        if "several" in advice:
            raise ValueError(f"{name} holds zeros and ones. {advice}")
        value = probabilities(value, name, None).detach()
        fits = value.shape == (num_rows, num_classes)
    else:
        value = labels(value, num_classes, name)
        fits = value.shape == (num_rows,)
    if not fits:
        posterior = f", or the posterior ({num_rows}, {num_classes})"
        raise ValueError(_labels_shape(value, logits.shape, name, posterior))
    return value


def _labels_shape(value: Tensor, logits: torch.Size, name: str, posterior: str = "") -> str:
    num_rows, num_classes = logits[-2:]
    if value.numel() == num_rows:
        advice = f"Use {name}.flatten()."
    else:
        advice = one_or_several(value, num_classes, name)
    rule = f"({num_rows},), one class number a row{posterior}"
    return (
        f"{name} has shape {tuple(value.shape)} and the logits {tuple(logits)}; {name} must be "
        f"{rule}. {advice or 'Take both from the same rows.'}"
    )


def one_or_several(value: Tensor, num_classes: int | None, name: str, column: str = "") -> str:
    """Say what to do with a column a class of zeros and ones; nothing for other labels."""
    if value.ndim < 2 or value.shape[-1] != num_classes or value.numel() == 0:
        return ""
    if not ((value == 0) | (value == 1)).all():
        return ""
    ones = value.sum(-1)
    if (ones == 1).all():
        return f"Each row has one 1: use {name}.argmax(-1)."
    return (
        f"A row has {int(ones[ones != 1][0])} ones: several labels a row are not covered. "
        f"Take one label at a time, as two classes: {column or f'{name}[:, 0].long()'}."
    )


def index(value: object) -> int | None:
    """Return a whole number as an int; None for anything else."""
    if isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool:
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def threads(value: object) -> int:
    """Return a number of threads, no more than there are processors."""
    made, processors = whole("threads", value, 1, "Use 1."), os.cpu_count() or 1
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
                f"Pass members=True for one {name} a member."
            )
        raise ValueError(
            f"{name} has shape {tuple(numbers.shape)}; it must be one number or one a member, "
            f"({num_members},). Repeat or cut it to {num_members} values."
        )
    wrong = ~allowed(numbers)
    if wrong.any():
        raise ValueError(f"{name} is {float(numbers[wrong][0]):.6g}; it {rule}")
    return numbers if numbers.ndim else float(numbers)


def tensor(value: Tensor, name: str) -> Tensor:
    """Return a tensor, or raise in one line."""
    if value is None:
        raise TypeError(f"{name} is None; it must be a torch tensor. Pass one.")
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} is a {type(value).__name__}; it must be a torch tensor. "
            f"Use torch.as_tensor({name})."
        )
    return value


def _scores(
    value: Tensor, name: str, members: bool | None, says_so: str = "members=True"
) -> Tensor:
    """Return a finite floating tensor ``(N, C)`` or ``(M, N, C)`` that holds something."""
    value = tensor(value, name)
    if not value.is_floating_point():
        raise TypeError(
            f"{name} has dtype {_dtype(value)}; it must be a floating-point tensor. "
            f"Use {name}.float()."
        )
    axes(value.shape, name, members, says_so)
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


def one_a_row(
    name: str, values: Tensor, dims: int, members: int, num_rows: int, num_classes: int = 0
) -> None:
    """Refuse targets that are not one a training row, shared or one set a member."""
    row = (num_rows, num_classes)[:dims]
    if values.shape not in (row, (members, *row)):
        raise ValueError(
            f"{name} has shape {tuple(values.shape)}; this task has {num_rows} training rows, the "
            f"stack {members} members: it must be {row}, or one set a member, {(members, *row)}"
        )

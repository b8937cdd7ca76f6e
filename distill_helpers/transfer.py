"""More inputs for a student to be taught on, made from the inputs that there are.

A teacher can answer anything, so its student may be shown inputs that nobody has labelled. Each
function returns new inputs ``(n, D)`` from the training inputs ``(N, D)``; the teacher makes their
soft targets. Chapter 03 compares them with fresh samples of the law.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mixup(x: Tensor, n: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    r"""Draw points on lines between two inputs: :math:`\lambda x_i + (1 - \lambda) x_j`.

    Both rows and :math:`\lambda` are uniform.

    Parameters
    ----------
    x : Tensor
        Inputs ``(N, D)``.
    n : int
        How many to make.
    seed : int
        Of all draws.

    Returns
    -------
    inputs, rows, share : Tensor
        ``(n, D)``; the two rows of each ``(n, 2)``; and how much of the first is in it, ``(n,)``.

    Notes
    -----
    Zhang et al. (2018) mix the labels too. Beyer et al. (2022) let the teacher look at the mixed
    input instead.

    Examples
    --------
    >>> inputs, rows, share = mixup(torch.eye(3), 4, seed=0)
    >>> inputs.shape, rows.shape, share.shape
    (torch.Size([4, 3]), torch.Size([4, 2]), torch.Size([4]))
    """
    generator = _generator(x, n, seed)
    rows = torch.randint(len(x), (n, 2), generator=generator)
    share = torch.rand(n, generator=generator)
    first, second = x[rows].unbind(1)
    return torch.lerp(second, first, share.unsqueeze(1)), rows, share


def perturb(x: Tensor, n: int, seed: int, scale: float = 0.3) -> tuple[Tensor, Tensor]:
    """Add normal noise to inputs, each taken about equally often.

    Parameters
    ----------
    x : Tensor
        Inputs ``(N, D)``.
    n : int
        How many to make.
    seed : int
        Of the noise.
    scale : float
        Its standard deviation, in the unit of the inputs.

    Returns
    -------
    inputs, rows : Tensor
        ``(n, D)``, and the row that each came from ``(n,)``.

    Examples
    --------
    >>> inputs, rows = perturb(torch.eye(3), 4, seed=0)
    >>> rows.tolist()
    [0, 1, 2, 0]
    """
    generator = _generator(x, n, seed)
    rows = torch.arange(n) % len(x)
    return x[rows] + scale * torch.randn(n, x.shape[1], generator=generator), rows


def shuffle_columns(x: Tensor, n: int, seed: int) -> Tensor:
    """Draw each feature on its own from the values it has: what features say together is lost.

    Parameters
    ----------
    x : Tensor
        Inputs ``(N, D)``.
    n : int
        How many to make.
    seed : int
        Of the draws.

    Notes
    -----
    "RANDOM" of Bucila, Caruana and Niculescu-Mizil (2006).

    Examples
    --------
    >>> shuffle_columns(torch.tensor([[1.0, 5.0], [2.0, 6.0]]), 3, seed=0)
    tensor([[1., 6.],
            [2., 5.],
            [2., 6.]])
    """
    generator = _generator(x, n, seed)
    return x.gather(0, torch.randint(len(x), (n, x.shape[1]), generator=generator))


def munge(x: Tensor, n: int, seed: int, swap: float = 0.5, variance: float = 1.0) -> Tensor:
    r"""Let inputs take features from their nearest neighbour, with noise.

    Each feature changes with probability `swap`, and then comes from a normal law around the
    neighbour's value whose standard deviation is the two's distance over `variance`. (The paper
    swaps the features of both; here the input alone changes.)

    Parameters
    ----------
    x : Tensor
        Inputs ``(N, D)``, all continuous and of like scale; two or more.
    n : int
        How many to make; every input serves about equally often.
    seed : int
        Of all draws.
    swap : float
        A probability.
    variance : float
        The local variance parameter, above 0: larger is nearer the neighbour.

    Notes
    -----
    MUNGE of Bucila, Caruana and Niculescu-Mizil (2006).

    Examples
    --------
    >>> munge(torch.tensor([[1.0, 5.0], [1.0, 6.0], [9.0, 9.0]]), 2, seed=0)[:, 0]
    tensor([1., 1.])
    """
    if len(x) < 2:
        raise ValueError(f"x has {len(x)} rows; a neighbour needs two or more. Give more inputs.")
    generator = _generator(x, n, seed)
    apart = torch.cdist(x, x)
    apart.fill_diagonal_(torch.inf)
    rows = torch.arange(n) % len(x)
    own, near = x[rows], x[apart.argmin(1)[rows]]
    noise = torch.randn(own.shape, generator=generator) * (own - near).abs() / variance
    swapped = torch.rand(own.shape, generator=generator) < swap
    return torch.where(swapped, near + noise, own)


def _generator(x: Tensor, n: int, seed: int) -> torch.Generator:
    if x.dim() != 2 or len(x) == 0:
        raise ValueError(f"x has shape {tuple(x.shape)}; it must be (N, D), one row or more.")
    if n < 1:
        raise ValueError(f"n is {n}; it must be 1 or more, the inputs to make.")
    return torch.Generator().manual_seed(seed)

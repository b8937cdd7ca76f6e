"""How good predictions are, and how alike.

Every function takes logits ``(N, C)`` and returns a float64 scalar. With ``members=True`` it takes
``(M, N, C)`` and returns one value a member, ``(M,)``. Without it a third axis is refused: it may
as well be the tokens of a text. Those are rows like any others: ``logits.flatten(0, -2)`` and
``labels.flatten()``. Log-probabilities are logits too, so a pooled ensemble is judged by
``metrics.accuracy(probabilities.log(), labels)``.

``labels`` are class numbers ``(N,)``, or the exact posterior ``(N, C)`` where a task knows it: the
result is then the expectation over labels drawn from it, which has the same mean and less noise.
Where two classes tie for the largest logit, the first is the prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from distill_helpers import _checks

_BLOCK = 2**20
"""Values that are held in float64 at once; large stacks are read block by block."""


def accuracy(logits: Tensor, labels: Tensor, *, members: bool = False) -> Tensor:
    r"""Compute the share of samples whose largest logit is the label's.

    With a posterior :math:`p` it is the mean of :math:`p(\arg\max_c z_c)`.

    Parameters
    ----------
    logits
        ``(N, C)``; with `members` ``(M, N, C)``.
    labels
        Class numbers ``(N,)``, or the exact posterior ``(N, C)``.
    members
        Whether the first axis of the logits is that of M networks.

    Returns
    -------
    Tensor
        A share from 0 to 1, float64, ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    Used from chapter 00 on.

    Examples
    --------
    >>> import torch
    >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> accuracy(logits, torch.tensor([0, 0]))
    tensor(0.5000, dtype=torch.float64)
    >>> accuracy(logits, torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=torch.float64))
    tensor(0.8000, dtype=torch.float64)
    """
    return _mean(
        logits, labels, members, lambda z, p: p.gather(0, z.max(0, keepdim=True).indices).sum()
    )


def negative_log_likelihood(logits: Tensor, labels: Tensor, *, members: bool = False) -> Tensor:
    r"""Compute the mean of :math:`-\log \mathrm{softmax}(z)_y`, in nats.

    With a posterior :math:`p` it is the mean of :math:`-\sum_c p_c \log \mathrm{softmax}(z)_c`.

    Parameters
    ----------
    logits
        ``(N, C)``; with `members` ``(M, N, C)``.
    labels
        Class numbers ``(N,)``, or the exact posterior ``(N, C)``.
    members
        Whether the first axis of the logits is that of M networks.

    Returns
    -------
    Tensor
        Nats, 0 or more, float64, ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    A proper score: the exact posterior has the lowest expectation. Used from chapter 00 on.

    Examples
    --------
    >>> import torch
    >>> labels = torch.tensor([0, 1, 1, 0, 1])
    >>> negative_log_likelihood(torch.zeros(3, 5, 2), labels, members=True)
    tensor([0.6931, 0.6931, 0.6931], dtype=torch.float64)
    """
    return _mean(logits, labels, members, lambda z, p: -(p * torch.log_softmax(z, 0)).sum())


def brier_score(logits: Tensor, labels: Tensor, *, members: bool = False) -> Tensor:
    r"""Compute the mean squared distance of the probabilities from the labels, over all classes.

    .. math::

        \sum_c (q_c - [c = y])^2, \qquad
        \sum_c (q_c - p_c)^2 + \sum_c p_c (1 - p_c)

    with :math:`q = \mathrm{softmax}(z)`, for a label :math:`y` and for a posterior :math:`p`.
    With two classes it is twice what some libraries call by this name.

    Parameters
    ----------
    logits
        ``(N, C)``; with `members` ``(M, N, C)``.
    labels
        Class numbers ``(N,)``, or the exact posterior ``(N, C)``.
    members
        Whether the first axis of the logits is that of M networks.

    Returns
    -------
    Tensor
        A number from 0 to 2, float64, ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    Brier (1950). A proper score. Used from chapter 00 on.

    Examples
    --------
    >>> import torch
    >>> brier_score(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
    tensor(0.5000, dtype=torch.float64)
    """
    return _mean(
        logits,
        labels,
        members,
        lambda z, p: (torch.softmax(z, 0) - p).square().sum() + (p * (1 - p)).sum(),
    )


def expected_calibration_error(
    logits: Tensor, labels: Tensor, num_bins: int = 15, *, members: bool = False
) -> Tensor:
    r"""Compute the gap between confidence and accuracy, over bins of equal width.

    .. math::

        \sum_{k=1}^{K} \frac{n_k}{N} \bigl| \mathrm{accuracy}_k - \mathrm{confidence}_k \bigr|

    Confidence is the largest probability. Bin k holds the confidences in :math:`((k-1)/K, k/K]`:
    a confidence on an edge belongs to the lower bin.

    Parameters
    ----------
    logits
        ``(N, C)``; with `members` ``(M, N, C)``.
    labels
        Class numbers ``(N,)``, or the exact posterior ``(N, C)``: each bin's accuracy is then its
        expectation.
    num_bins
        How many bins, 1 or more.
    members
        Whether the first axis of the logits is that of M networks.

    Returns
    -------
    Tensor
        A number from 0 to 1, float64, ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    Guo et al. (2017), equation 3. The absolute value biases it upwards: with labels, a perfectly
    calibrated model scores about :math:`\sum_k \sqrt{2 n_k a_k (1 - a_k) / \pi} / N`, where
    :math:`a_k` is the accuracy in bin k, and not 0. It grows with the number of bins and shrinks
    with the square root of N. With a posterior that part is gone, so the two kinds do not compare.
    Within a bin, errors of opposite sign cancel, which biases it downwards. Used in chapter 02.

    Examples
    --------
    >>> import torch
    >>> sure = torch.tensor([0.8, 0.2]).log().repeat(5, 1)
    >>> expected_calibration_error(sure, torch.tensor([0, 0, 0, 1, 1])).round(decimals=4)
    tensor(0.2000, dtype=torch.float64)
    """
    num_bins = _checks.whole("num_bins", num_bins, 1, "Use 15.")
    logits, labels = _check(logits, labels, members)
    inner_edges = torch.arange(1, num_bins, dtype=torch.float64) / num_bins
    gaps = torch.zeros(*logits.shape[:-2], num_bins, dtype=torch.float64)
    for m, z, p in _blocks(logits, labels):
        confidence, predicted = torch.softmax(z, 0).max(0, keepdim=True)
        gap = confidence - p.gather(0, predicted)
        gaps[m].index_add_(0, torch.bucketize(confidence[0], inner_edges), gap[0])
    return gaps.abs().sum(-1) / logits.shape[-2]


def agreement(logits_a: Tensor, logits_b: Tensor, *, members: bool = False) -> Tensor:
    """Compute the share of samples on which both predict the same class.

    Parameters
    ----------
    logits_a, logits_b
        ``(N, C)``; with `members` one of them, or both, ``(M, N, C)``.
    members
        Whether there are stacks of M networks: one network is compared with every member of a
        stack, two stacks member by member.

    Returns
    -------
    Tensor
        A share from 0 to 1, float64, ``()`` or ``(M,)``.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    "Average top-1 agreement" of Stanton et al. (2021), a measure of fidelity. Used in chapter 05.

    Examples
    --------
    >>> import torch
    >>> teacher = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> agreement(torch.stack([teacher, -teacher]), teacher, members=True)
    tensor([1., 0.], dtype=torch.float64)
    """
    a, b = _pair(logits_a, logits_b, "logits_a", "logits_b", members)
    return _by_member(a, b, lambda a, b: (a.argmax(-1) == b.argmax(-1)).double().mean())


@dataclass(frozen=True)
class Fidelity:
    """How closely a student, or each of several, matches its teacher.

    Attributes
    ----------
    agreement : Tensor
        Share of samples with the same predicted class; float64, ``()`` or ``(M,)``.
    kl : Tensor
        Mean of KL(teacher || student) in nats, both at temperature 1; float64, ``()`` or ``(M,)``.
    """

    agreement: Tensor
    kl: Tensor


def fidelity(student_logits: Tensor, teacher_logits: Tensor, *, members: bool = False) -> Fidelity:
    r"""Compute how closely a student matches its teacher.

    .. math::

        \mathrm{KL} = \frac{1}{N} \sum_n \sum_c p_{nc} \log \frac{p_{nc}}{q_{nc}},
        \qquad p = \mathrm{softmax}(v), \quad q = \mathrm{softmax}(z)

    Parameters
    ----------
    student_logits
        ``(N, C)``; with `members` ``(M, N, C)``.
    teacher_logits
        ``(N, C)``; with `members` the same for all students, or ``(M, N, C)``, one a student. For
        an ensemble pass its pool, such as ``pool(logits).log()``.
    members
        Whether there are stacks of M networks, as in `agreement`.

    Returns
    -------
    Fidelity
        `agreement` and `kl`.

    Raises
    ------
    TypeError
        If an argument is of the wrong type or dtype.
    ValueError
        If shapes do not fit, or a value is out of bounds.

    Notes
    -----
    Top-1 agreement and predictive KL of Stanton et al. (2021). Fidelity is not accuracy: a student
    can match badly and be right more often. For chapter 05.

    Examples
    --------
    >>> import torch
    >>> teacher = torch.tensor([[0.5, 0.5]]).log()
    >>> student = torch.tensor([[0.8, 0.2]]).log()
    >>> fidelity(student, teacher).kl.round(decimals=4)  # log(0.5 / 0.4)
    tensor(0.2231, dtype=torch.float64)
    """
    student, teacher = _pair(
        student_logits, teacher_logits, "student_logits", "teacher_logits", members
    )
    return Fidelity(
        agreement(student, teacher, members=members), _by_member(student, teacher, _mean_kl)
    )


def _mean_kl(student: Tensor, teacher: Tensor) -> Tensor:
    log_p, log_q = torch.log_softmax(teacher.double(), -1), torch.log_softmax(student.double(), -1)
    return (log_p.exp() * (log_p - log_q)).sum(-1).mean()


def _pair(a: Tensor, b: Tensor, name_a: str, name_b: str, members: bool) -> tuple[Tensor, Tensor]:
    """Return logits of the same samples, classes and members."""
    # One of the two may be a single network; where both are, the first is told of members.
    either = None if members else False
    b = _checks.logits(b, name_b, either).detach()
    a = _checks.logits(a, name_a, members if b.ndim == 2 else either).detach()
    if a.shape[-2:] != b.shape[-2:] or (a.ndim == b.ndim == 3 and len(a) != len(b)):
        raise ValueError(
            f"{name_a} has shape {tuple(a.shape)} and {name_b} {tuple(b.shape)}; they must be for "
            f"the same samples, classes and members. Take both from the same rows; for all "
            f"pairs of members, loop."
        )
    return a, b


def _by_member(a: Tensor, b: Tensor, compare: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Compare two networks, or one with every member, or member by member."""
    if a.ndim == b.ndim == 2:
        return compare(a, b)
    members = max(len(z) for z in (a, b) if z.ndim == 3)
    # One member at a time spares memory.
    pairs = zip(a.expand(members, -1, -1), b.expand(members, -1, -1), strict=True)
    return torch.stack([compare(one, other) for one, other in pairs])


def _mean(
    logits: Tensor, labels: Tensor, members: bool, score: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """Return the mean over samples of a score that is summed over a block ``(C, n)``."""
    logits, labels = _check(logits, labels, members)
    total = torch.zeros(logits.shape[:-2], dtype=torch.float64)
    for m, z, p in _blocks(logits, labels):
        total[m] += score(z, p)
    return total / logits.shape[-2]


def _check(logits: Tensor, labels: Tensor, members: bool) -> tuple[Tensor, Tensor]:
    logits = _checks.logits(logits, "logits", members).detach()
    return logits, _checks.targets(labels, logits, "labels")


def _blocks(logits: Tensor, labels: Tensor) -> Iterator[tuple[tuple[int, ...], Tensor, Tensor]]:
    """Yield a member's index, and a block of its logits and of the posterior: float64 ``(C, n)``.

    Labels are a posterior of zeros and ones. Classes come first because torch is faster so.
    """
    num_classes = logits.shape[-1]
    members = [(m,) for m in range(len(logits))] if logits.ndim == 3 else [()]
    for rows in torch.arange(logits.shape[-2]).split(max(1, _BLOCK // num_classes)):
        block = slice(int(rows[0]), int(rows[-1]) + 1)
        p = labels[block]
        if labels.ndim == 1:
            p = torch.nn.functional.one_hot(p, num_classes)
        p = p.T.to(torch.float64, memory_format=torch.contiguous_format)
        if labels.ndim == 2:
            p = p / p.sum(0)
        for m in members:
            z = logits[m][block].T
            yield m, z.to(torch.float64, memory_format=torch.contiguous_format), p

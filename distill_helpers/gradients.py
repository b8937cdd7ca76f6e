r"""Gradients of the distillation objective, and what temperature does to them.

Per sample, so that a batch's gradient is the mean of the rows. Everything is computed in float64.
With the tempered probabilities :math:`q` of the student and :math:`p` of the teacher the gradient
of the objective is :math:`\alpha\, T^2` times `kl_gradient` plus :math:`1 - \alpha` times
`cross_entropy_gradient`. Derived in chapter 04.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from distill_helpers import _checks
from distill_helpers.networks import Stack


def kl_gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    r"""Return the gradient of the tempered KL for the student's logits, *without* :math:`T^2`.

    .. math::

        \frac{\partial}{\partial z_c}\, \mathrm{KL}\bigl(\mathrm{softmax}(v / T) \,\|\,
        \mathrm{softmax}(z / T)\bigr) = \frac{q_c - p_c}{T}

    Parameters
    ----------
    student_logits, teacher_logits
        :math:`z` and :math:`v`, ``(N, C)`` or ``(M, N, C)``; one of them may lack the members.
    temperature
        A finite number above 0.

    Returns
    -------
    Tensor
        One row a sample, of sum 0; float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, shape or value.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), equation 2. Derived in chapter 04.

    Examples
    --------
    >>> import torch
    >>> z, v = torch.tensor([[0.0, 0.0]]), torch.tensor([[8.0, 0.0]])
    >>> [round(kl_gradient(z, v, T)[0, 1].item(), 3) for T in (1, 2, 4, 8)]  # no 1 / T^2 here
    [0.5, 0.241, 0.095, 0.029]
    """
    z, v, T = _checked(student_logits, teacher_logits, temperature)
    return (torch.softmax(z / T, -1) - torch.softmax(v / T, -1)) / T


def cross_entropy_gradient(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Return the gradient of the cross-entropy for the logits, :math:`\mathrm{softmax}(z) - y`.

    Parameters
    ----------
    logits
        ``(N, C)`` or ``(M, N, C)``.
    labels
        Class numbers ``(N,)``, or one set a member ``(M, N)``.

    Returns
    -------
    Tensor
        One row a sample, of sum 0; float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, shape or value.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), equation 1 at T = 1. Derived in chapter 04.

    Examples
    --------
    >>> import torch
    >>> cross_entropy_gradient(torch.zeros(1, 4), torch.tensor([2])).tolist()
    [[0.25, 0.25, -0.75, 0.25]]
    """
    z = _checks.logits(logits).detach().double()
    labels = _checks.labels(labels, z.shape[-1])
    if labels.shape not in (z.shape[-2:-1], z.shape[:-1]):
        raise ValueError(
            f"labels has shape {tuple(labels.shape)} and logits {tuple(z.shape)}; labels must be "
            f"{tuple(z.shape[:-1])}, or without the members. Take both from the same rows."
        )
    return torch.softmax(z, -1) - torch.nn.functional.one_hot(labels, z.shape[-1])


def high_temperature_limit(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    r"""Return what :math:`T^2` times `kl_gradient` nears as T grows.

    .. math:: \frac{(z_c - \bar z) - (v_c - \bar v)}{C}

    with the means over the classes. It gets there as :math:`1 / T^2` where C = 2, as
    :math:`1 / T` otherwise.

    Parameters
    ----------
    student_logits, teacher_logits
        ``(N, C)`` or ``(M, N, C)``; one of them may lack the members.

    Returns
    -------
    Tensor
        One row a sample, of sum 0; float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, shape or value.

    Notes
    -----
    Hinton, Vinyals and Dean (2015), equation 4, which takes logits of zero mean. Derived in
    chapter 04.

    Examples
    --------
    >>> import torch
    >>> z, v = torch.tensor([[0.0, 0.0]]), torch.tensor([[8.0, 0.0]])
    >>> high_temperature_limit(z, v).tolist()
    [[-2.0, 2.0]]
    >>> (100**2 * kl_gradient(z, v, 100)).round(decimals=3).tolist()
    [[-1.999, 1.999]]
    """
    z, v, _ = _checked(student_logits, teacher_logits, 1.0)
    return _centred(z - v) / z.shape[-1]


def magnitude(gradient: Tensor) -> Tensor:
    """Return the root mean square over samples of the length of a sample's gradient.

    Parameters
    ----------
    gradient
        ``(N, C)`` or ``(M, N, C)``.

    Returns
    -------
    Tensor
        ``()`` or ``(M,)``.

    Examples
    --------
    >>> import torch
    >>> magnitude(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).item() == 12.5**0.5
    True
    """
    return gradient.double().square().sum(-1).mean(-1).sqrt()


def log_log_slope(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    r"""Return the power of T with which the gradient's `magnitude` goes, at this T.

    .. math::

        \frac{d \log \lVert g \rVert}{d \log T}
        = -1 + \frac{\langle q - p,\; \dot q - \dot p \rangle}{\lVert q - p \rVert^2},
        \qquad \dot q_c = -q_c\, \frac{z_c - \mathrm{E}_q[z]}{T}

    for g of `kl_gradient`, with inner products summed over samples and classes. It is -2 in the
    limit of a large T. With the factor :math:`T^2` it is 2 more.

    Parameters
    ----------
    student_logits, teacher_logits
        ``(N, C)`` or ``(M, N, C)``; one of them may lack the members.
    temperature
        A finite number above 0.

    Returns
    -------
    Tensor
        ``()`` or ``(M,)``, float64; NaN where the gradient is zero, or too small for float64.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type, shape or value.

    Notes
    -----
    Derived in chapter 04.

    Examples
    --------
    >>> import torch
    >>> z, v = torch.tensor([[3.0, 0.0]]), torch.tensor([[9.0, 0.0]])
    >>> [round(log_log_slope(z, v, T).item(), 2) for T in (0.5, 2, 6, 100)]
    [4.99, 0.02, -1.54, -2.0]
    """
    z, v, T = _checked(student_logits, teacher_logits, temperature)
    q, p = torch.softmax(z / T, -1), torch.softmax(v / T, -1)
    change = _by_log_t(q, z / T) - _by_log_t(p, v / T)
    # Divided by the largest entry: the squares of a tiny gradient would underflow.
    gap = q - p
    largest = gap.abs().amax((-2, -1), keepdim=True)
    gap = gap / largest
    return (gap * (change / largest)).sum((-2, -1)) / gap.square().sum((-2, -1)) - 1


class Effective(NamedTuple):
    """What a loss is in the book's terms: `scale` times the objective at `alpha`."""

    alpha: float
    """Weight of the distillation term in the book's objective."""
    scale: float
    """The loss in that objective's."""


def without_t_squared(
    alpha: float, temperature: float, *, num_classes: int | None = None
) -> Effective:
    r"""Return what the objective becomes where :math:`T^2` is left out.

    .. math::

        \alpha\, \mathrm{KL} + (1 - \alpha)\, \mathrm{CE}
        &= c\, \bigl(\alpha'\, T^2\, \mathrm{KL} + (1 - \alpha')\, \mathrm{CE}\bigr), \\
        c &= 1 - \alpha + \frac{\alpha}{T^2}, \qquad
        \alpha' = \frac{\alpha}{\alpha + (1 - \alpha)\, T^2}

    Parameters
    ----------
    alpha
        The weight that was set, from 0 to 1.
    temperature
        A finite number above 0.
    num_classes
        C, where ``reduction="mean"`` divides the KL by it too; then C times :math:`T^2` stands in
        both formulas.

    Returns
    -------
    Effective
        :math:`\alpha'` and :math:`c`.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong type or value.

    See Also
    --------
    distill_helpers.conventions.to_canonical : The same for the losses of other libraries.

    Notes
    -----
    Plain SGD takes the same steps with c times the learning rate, and weight decay divided by c.
    Derived in chapter 04.

    Examples
    --------
    >>> alpha, scale = without_t_squared(0.7, 3.0)
    >>> round(alpha, 3), round(scale, 3)
    (0.206, 0.378)
    >>> round(without_t_squared(0.7, 3.0, num_classes=1000).alpha, 5)
    0.00026
    """
    a = float(_checks.alpha(alpha))
    factor = float(_checks.temperature(temperature)) ** 2
    if num_classes is not None:
        if isinstance(num_classes, bool) or not isinstance(num_classes, int) or num_classes < 2:
            raise ValueError(
                f"num_classes is {num_classes!r}; it must be a whole number of 2 or more. Leave "
                f'it out for reduction="batchmean".'
            )
        factor *= num_classes
    return Effective(a / (a + (1 - a) * factor), 1 - a + a / factor)


@dataclass(frozen=True)
class Spread:
    """How a minibatch's gradient fluctuates around that of all samples, at fixed weights.

    Attributes
    ----------
    length : Tensor
        ``(M,)``: the length of the mean gradient, over all weights and biases.
    variation : Tensor
        ``(M,)``: the root mean square distance of a minibatch's gradient from it, over `length`.
        No factor on the loss changes it.
    """

    length: Tensor
    variation: Tensor


def minibatch_spread(stack: Stack, x: Tensor, gradients: Tensor, batch_size: int) -> Spread:
    r"""Measure the coefficient of variation of a minibatch's gradient, over all minibatches.

    With the gradient :math:`g_n` of sample n for all weights, their mean :math:`\bar g`, and
    batches of B drawn from N without replacement,

    .. math::

        \frac{\sqrt{\mathrm{E} \lVert g_\text{batch} - \bar g \rVert^2}}{\lVert \bar g \rVert},
        \qquad \mathrm{E} \lVert g_\text{batch} - \bar g \rVert^2
        = \frac{N - B}{B\,(N - 1)}
          \Bigl(\frac{1}{N} \sum_n \lVert g_n \rVert^2 - \lVert \bar g \rVert^2\Bigr)

    exactly: no batch is drawn. In a layer with input h and gradient :math:`\delta` for its output
    :math:`\lVert g_n \rVert^2 = \lVert \delta \rVert^2 (\lVert h \rVert^2 + 1)`, so none of the
    :math:`g_n` is ever held.

    Parameters
    ----------
    stack
        M networks; as in eval mode.
    x
        Inputs ``(N, D)``, shared, or ``(M, N, D)``.
    gradients
        The loss's gradient for the logits of each sample ``(M, N, C)``, such as
        ``alpha * T**2 * kl_gradient(z, v, T) + (1 - alpha) * cross_entropy_gradient(z, y)``.
    batch_size
        B, from 1 to N.

    Returns
    -------
    Spread

    Raises
    ------
    ValueError
        If shapes do not fit, or `batch_size` is out of bounds.

    Notes
    -----
    Derived in chapter 04.

    Examples
    --------
    >>> import torch
    >>> from distill_helpers.networks import Stack
    >>> stack, x = Stack.build((3, 8, 2), seeds=[0]), torch.randn(50, 3)
    >>> g = cross_entropy_gradient(stack.predict(x), torch.arange(50) % 2)
    >>> one, nine = (minibatch_spread(stack, x, c * g, 10) for c in (1, 9))
    >>> torch.allclose(9 * one.length, nine.length), torch.allclose(one.variation, nine.variation)
    (True, True)
    """
    stack._check_inputs(x)
    members, count, classes = stack.num_members, x.shape[-2], stack.sizes[-1]
    if gradients.shape != (members, count, classes):
        raise ValueError(
            f"gradients has shape {tuple(gradients.shape)}; with this stack and x it must be "
            f"({members}, {count}, {classes})"
        )
    if isinstance(batch_size, bool) or not 1 <= batch_size <= count:
        raise ValueError(f"batch_size is {batch_size}; it must be from 1 to {count}, the samples")
    with torch.no_grad():
        layers = [x.double().expand(members, -1, -1)]
        weights = [weight.double() for weight in stack.weights]
        for weight, bias in zip(weights[:-1], stack.biases, strict=False):
            z = torch.baddbmm(bias.double().unsqueeze(1), layers[-1], weight.mT)
            layers.append(z.relu_())
        delta = gradients.double()
        squares = delta.new_zeros(members)
        of_mean = delta.new_zeros(members)
        for weight, below in zip(reversed(weights), reversed(layers), strict=True):
            squares += (delta.square().sum(-1) * (below.square().sum(-1) + 1)).mean(-1)
            of_mean += (delta.mT @ below / count).square().sum((-2, -1))
            of_mean += delta.mean(1).square().sum(-1)
            delta = (delta @ weight) * (below > 0)
        share = (count - batch_size) / (batch_size * (count - 1)) if count > 1 else 0.0
        variance = (squares - of_mean).clamp_min(0) * share
        length = of_mean.sqrt()
        return Spread(length, variance.sqrt() / length)


def _by_log_t(q: Tensor, tempered: Tensor) -> Tensor:
    """Return the derivative of q = softmax(tempered) by log T."""
    # A class of probability 0 adds 0, however far its logit lies.
    mean = (q * tempered).sum(-1, keepdim=True)
    return q * (mean - tempered)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(-1, keepdim=True)


def _checked(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float
) -> tuple[Tensor, Tensor, float]:
    z = _checks.logits(student_logits, "student_logits").detach().double()
    v = _checks.logits(teacher_logits, "teacher_logits").detach().double()
    same = z.shape[-2:] == v.shape[-2:]
    if not same or (z.dim() == v.dim() and z.shape != v.shape):
        raise ValueError(
            f"student_logits has shape {tuple(z.shape)} and teacher_logits {tuple(v.shape)}; they "
            f"must be the same, or one without the members. Take both from the same rows."
        )
    return z, v, float(_checks.temperature(temperature))

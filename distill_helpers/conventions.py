r"""Other people's distillation losses in this book's terms, and back.

They all weigh the same two parts and differ in how: which part alpha weighs, whether :math:`T^2`
is there, whether the KL divergence is a mean over samples, over samples and classes, or a sum. A
cross-entropy with soft targets has the KL divergence's gradient. So each loss has the gradient

.. math::

    a\, \nabla \mathrm{KL} + b\, \nabla \mathrm{CE}
    = s\, \nabla \bigl(\alpha\, T^2\, \mathrm{KL} + (1 - \alpha)\, \mathrm{CE}\bigr),
    \qquad s = \frac{a}{T^2} + b, \quad \alpha = \frac{a}{T^2 s},

with KL and CE meant over the batch. `distill_helpers.libraries` holds what was read in each.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from distill_helpers import _checks
from distill_helpers.libraries import CONVENTIONS, NO_EQUIVALENT, Convention, Settings


class Canonical(NamedTuple):
    """A setting of `losses.distillation_loss`, and how much larger their gradient is than ours.

    Alpha, from 0 to 1, and a temperature above 0. The scale says that their gradient is so many
    times ours: for the same steps plain SGD takes a learning rate `scale` times theirs, and their
    weight decay divided by `scale`.
    """

    alpha: float
    """Weight of the distillation term, from 0 to 1."""
    temperature: float
    """Above 0."""
    scale: float
    """Their gradient in ours."""


def to_canonical(name: str, **their_settings: Any) -> Canonical:
    r"""Convert a library's settings into the ones of `losses.distillation_loss`.

    Parameters
    ----------
    name
        A key of `distill_helpers.libraries.CONVENTIONS`.
    **their_settings
        The library's settings under their own names. What is left out takes the library's
        default. Where a loss divides by the number of classes or grows with the batch it also
        asks for ``num_classes`` or ``batch_size``.

    Returns
    -------
    Canonical
        ``(alpha, temperature, scale)``: the gradient of their loss with respect to the student's
        logits is `scale` times that of ours at `alpha` and `temperature`.

    Raises
    ------
    ValueError
        If the name or a setting is unknown, a setting is missing or outside its range, or ours
        has no equivalent. The message says what is known, or why there is none.

    See Also
    --------
    from_canonical : The way back.

    Notes
    -----
    Derived on the page of conventions and in chapter 03.

    Examples
    --------
    The example on keras.io weighs the labels with its alpha, and so leaves 0.9 to the teacher:

    >>> to_canonical("keras-example", alpha=0.1, temperature=10)
    Canonical(alpha=0.9, temperature=10.0, scale=1.0)

    Where the KL divergence is a mean over classes too, little of it is left:

    >>> a, T, scale = to_canonical("peterliht", alpha=0.9, temperature=20, num_classes=10)
    >>> round(a, 3), round(scale, 2)
    (0.474, 0.19)
    """
    convention, settings = _checked(name, their_settings)
    temperature = _temperature(name, convention, settings)
    kl, ce = convention.factors(settings, temperature)
    soft = kl * _weight(convention.soft, settings) / temperature**2
    hard = ce * _weight(convention.hard, settings)
    if min(soft, hard) < 0 or not 0 < soft + hard < math.inf:
        raise ValueError(
            f"{name} weighs KL with {soft:.6g} T^2 and CE with {hard:.6g}; that has no equivalent, "
            f"for no weight may be negative, and their sum must be above 0 and finite. Change them."
        )
    return Canonical(soft / (soft + hard), temperature, soft + hard)


def from_canonical(name: str, alpha: float, temperature: float, **held: Any) -> Settings:
    """Find a library's settings that do what `losses.distillation_loss` does.

    Parameters
    ----------
    name
        A key of `distill_helpers.libraries.CONVENTIONS`.
    alpha
        The weight of the distillation term, from 0 to 1.
    temperature
        A finite number above 0.
    **held
        Settings to keep as they are, where weights and temperature are not all there is:
        ``reduction="mean", num_classes=10``.

    Returns
    -------
    dict
        The library's settings, each under its own name; `to_canonical` turns them back into
        `alpha` and `temperature`, and tells the scale that its gradient then has.

    Raises
    ------
    TypeError, ValueError
        If an argument is no number or outside its range, or the library has no such setting. The
        message says which, or why there is none.

    Examples
    --------
    >>> from_canonical("keras-example", alpha=0.75, temperature=10)
    {'alpha': 0.25, 'temperature': 10.0}
    >>> from_canonical("modelopt", 0.75, 10, reduction="batchmean")
    {'reduction': 'batchmean', 'kd_loss_weight': 0.75, 'temperature': 10.0}
    """
    alpha = float(_checks.alpha(alpha))
    temperature = float(_checks.temperature(temperature))
    convention = _find(name)
    chosen = {*convention.temperature, convention.soft, convention.hard}
    for key in sorted(chosen & set(held)):
        raise ValueError(
            f"{key} is {held[key]!r}, and {name} needs it for alpha and temperature; it cannot be "
            f"held. Leave it out."
        )
    if not convention.temperature and temperature != 1:
        raise ValueError(
            f"{name} has no equivalent of temperature {temperature:.6g}, for it takes the "
            f"teacher's probabilities at 1. Use 1."
        )
    fixed = {key: value for key, (value, _) in convention.only.items()} | held
    tempered = dict.fromkeys(convention.temperature, temperature)
    # Any weights will do for the check; the right ones are found after it.
    stand_in = dict.fromkeys(chosen & set(convention.settings), 0.5)
    _, settings = _checked(name, stand_in | fixed | tempered)
    kl, ce = convention.factors(settings, temperature)
    weights = _weights(name, convention, alpha * temperature**2 / kl, (1 - alpha) / ce)
    for key, value in weights.items():
        if not convention.settings[key].allows(value):
            raise ValueError(
                f"{name} has no equivalent of alpha {alpha:.6g} at temperature {temperature:.6g}: "
                f"its {key} would be {value:.6g}, and must be {convention.settings[key].rule}. "
                "Change them."
            )
    made = fixed | weights | tempered
    to_canonical(name, **made)  # refuses what has no equivalent
    return made


def _find(name: str) -> Convention:
    if name in NO_EQUIVALENT:
        other = NO_EQUIVALENT[name]
        raise ValueError(
            f"{name} has no equivalent, for {other.reason}. Choose alpha and temperature afresh, "
            f"or keep that loss. See {other.link}."
        )
    if name not in CONVENTIONS:
        raise ValueError(
            f"name is {name!r}; it must be one of {', '.join(CONVENTIONS)}. For a loss that is not "
            f"among them, find its weights of KL and CE."
        )
    return CONVENTIONS[name]


def _checked(name: str, given: Settings) -> tuple[Convention, Settings]:
    """Return a convention and its settings in full, or raise."""
    convention = _find(name)
    known = convention.settings
    for key, value in given.items():
        if key not in known:
            raise ValueError(
                f"{name} has no setting {key!r}; it has {', '.join(known)}. Leave it out if the "
                f"loss does not feel it; otherwise it is not covered."
            )
        # None is how a library spells "left out", where it is no value of its own.
        if value is not None and not known[key].allows(value):
            raise ValueError(
                f"{key} of {name} is {value!r:.80}; it must be {known[key].rule}. See "
                f"{convention.link}."
            )
    settings = {key: known[key].default for key in known}
    for key, value in given.items():
        if value is not None or known[key].nullable:
            words = not isinstance(known[key].kind, str) or value is None
            settings[key] = value if words else float(value)
    for key, setting in known.items():
        if settings[key] is None and setting.is_required(settings):
            raise ValueError(
                f"{name} lacks {key}; without it there is no telling what its loss is. Give "
                f"{setting.rule}."
            )
    for key, (allowed, reason) in convention.only.items():
        if settings[key] != allowed:
            raise ValueError(
                f"{name} with {key}={settings[key]!r} has no equivalent, for {reason}. Only "
                f"{key}={allowed!r} has one."
            )
    return convention, convention.fill(settings)


def _temperature(name: str, convention: Convention, settings: Settings) -> float:
    values = [float(settings[key]) for key in convention.temperature] or [1.0]
    if len(set(values)) > 1:
        both = ", ".join(f"{key}={settings[key]:.6g}" for key in convention.temperature)
        raise ValueError(
            f"{name} with {both} has no equivalent, for ours has one temperature for teacher and "
            f"student. Make them equal."
        )
    return values[0]


def _weight(expression: str, settings: Settings) -> float:
    if expression.startswith("1 - "):
        return 1 - settings[expression[4:]]
    return float(settings.get(expression, expression))


def _weights(name: str, convention: Convention, soft: float, hard: float) -> Settings:
    """Return the weights that stand to each other as `soft` to `hard`."""
    if convention.hard == f"1 - {convention.soft}":
        return {convention.soft: soft / (soft + hard)}
    if convention.soft == f"1 - {convention.hard}":
        return {convention.hard: hard / (soft + hard)}
    if convention.hard in convention.settings:
        return {convention.soft: soft, convention.hard: hard}
    if convention.hard == "0":
        if hard > 0:
            raise ValueError(
                f"{name} has no equivalent of an alpha below 1, for it has no part for the labels. "
                f"Use 1, or add the cross-entropy yourself."
            )
        return {}
    if hard == 0:
        raise ValueError(
            f"{name} has no equivalent of alpha 1, for its labels always weigh 1. Come near with "
            f"an alpha just below 1, or leave the labels' part out yourself."
        )
    return {convention.soft: soft / hard}

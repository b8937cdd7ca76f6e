r"""Other people's distillation losses in this book's terms, and back.

They all weigh the same two parts and differ in how: which part alpha weighs, whether :math:`T^2`
is there, whether the KL divergence is a mean over samples, over samples and classes, or a sum. A
cross-entropy with soft targets has the KL divergence's gradient. So each loss has the gradient

.. math::

    a\, \nabla \mathrm{KL} + b\, \nabla \mathrm{CE}
    = s\, \nabla \bigl(\alpha\, T^2\, \mathrm{KL} + (1 - \alpha)\, \mathrm{CE}\bigr),
    \qquad s = \frac{a}{T^2} + b, \quad \alpha = \frac{a}{T^2 s},

with KL and CE meant over the batch. `CONVENTIONS` holds what was read in each library.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from distill_helpers import _checks

Settings = dict[str, Any]

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    # Further out the square of a temperature is no longer a number.
    "positive": (lambda x: 1e-100 <= x <= 1e100, "a number above 0, from 1e-100 to 1e100"),
    "share": (lambda x: 0 <= x <= 1, "a number from 0 to 1"),
    "weight": (lambda x: x >= 0, "a finite number, 0 or more"),
    "num_classes": (lambda x: x >= 2 and x == int(x), "a whole number, 2 or more"),
    "batch_size": (lambda x: x >= 1 and x == int(x), "a whole number, 1 or more"),
}


class Canonical(NamedTuple):
    """A setting of `losses.distillation_loss`, and how much larger their gradient is than ours.

    Alpha, from 0 to 1, and a temperature above 0. The scale says that their gradient is so many
    times ours: for the same steps plain SGD takes a learning rate `scale` times theirs, and their
    weight decay divided by `scale`.
    """

    alpha: float
    temperature: float
    scale: float


@dataclass(frozen=True)
class Setting:
    """What one setting of a library may be.

    Attributes
    ----------
    kind
        "positive", "share", "weight", "num_classes", "batch_size"; or a tuple with every allowed
        word.
    default
        What the library takes where it is not given. None: there is nothing to take.
    required
        Whether it must be given.
    """

    kind: str | tuple[str, ...]
    default: Any = None
    required: bool = False

    @property
    def rule(self) -> str:
        """The rule in words, to follow "it must be"."""
        if isinstance(self.kind, str):
            return _KINDS[self.kind][1]
        return "one of " + ", ".join(map(repr, self.kind))

    def allows(self, value: Any) -> bool:
        """Tell whether a value keeps the rule."""
        if not isinstance(self.kind, str):
            return value in self.kind
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        return math.isfinite(value) and _KINDS[self.kind][0](float(value))


def _factors_plain(s: Settings, T: float) -> tuple[float, float]:
    return 1.0, 1.0


def _factors_squared(s: Settings, T: float) -> tuple[float, float]:
    return T * T, 1.0


def _factors_per_class(s: Settings, T: float) -> tuple[float, float]:
    return 1 / s["num_classes"], 1.0


def _factors_squared_per_class(s: Settings, T: float) -> tuple[float, float]:
    return T * T / s["num_classes"], 1.0


def _factors_squared_reduced(s: Settings, T: float) -> tuple[float, float]:
    return T * T * _reduction(s), 1.0


def _factors_torchdistill(s: Settings, T: float) -> tuple[float, float]:
    # The labels' part is summed where the KL divergence is, and a mean otherwise.
    return T * T * _reduction(s), s["batch_size"] if s["reduction"] == "sum" else 1.0


def _reduction(s: Settings) -> float:
    """Return how a reduction of `torch.nn.KLDivLoss` compares with the mean over the batch."""
    if s["reduction"] == "mean":
        return 1 / s["num_classes"]
    return s["batch_size"] if s["reduction"] == "sum" else 1.0


def _fill_nothing(s: Settings) -> Settings:
    return s


def _fill_torchdistill(s: Settings) -> Settings:
    if s["alpha"] == 0:  # the module then returns its KL divergence bare
        return s | {"beta": 1 / s["temperature"] ** 2}
    return s | {"beta": 1 - s["alpha"] if s["beta"] is None else s["beta"]}


def _fill_timm(s: Settings) -> Settings:
    task, distill = s["task_loss_weight"], s["distill_loss_weight"]
    if distill is None:
        distill = 1.0 if task is None else 1 - task
    return s | {"task_loss_weight": 1.0 if task is None else task, "distill_loss_weight": distill}


def _fill_sentence_transformers(s: Settings) -> Settings:
    sides = ("student_temperature", "teacher_temperature")
    return s | {side: s["temperature"] if s[side] is None else s[side] for side in sides}


@dataclass(frozen=True)
class Convention:
    """How one library, tutorial or script writes the distillation loss.

    Attributes
    ----------
    title
        The library and its class, function or script.
    version
        The release that was read, or the commit.
    link
        Where to find it.
    path
        The file that was read.
    loss
        The loss in the library's own settings, as Python: KL is the tempered KL divergence and CE
        the cross-entropy with the labels, both meant over the batch.
    settings
        What it can be given.
    example
        Settings from its own documentation, script or signature, and where they stand.
    soft, hard
        What weighs each part: a setting, "1 - " and a setting, or a number.
    temperature
        The settings that hold the temperature. They must agree; where there are none it is 1.
    factors
        What else multiplies KL and CE, from the settings and the temperature.
    fill
        What the library itself puts in where a setting is left out.
    only
        Settings of which one value alone has an equivalent, and why the others have none.
    note
        What else a reader should know.
    """

    title: str
    version: str
    link: str
    path: str
    loss: str
    settings: Mapping[str, Setting]
    example: Mapping[str, Any]
    soft: str
    hard: str
    temperature: tuple[str, ...] = ("temperature",)
    factors: Callable[[Settings, float], tuple[float, float]] = _factors_squared
    fill: Callable[[Settings], Settings] = _fill_nothing
    only: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    note: str = ""


def to_canonical(name: str, **their_settings: Any) -> Canonical:
    r"""Convert a library's settings into the ones of `losses.distillation_loss`.

    Parameters
    ----------
    name
        A key of `CONVENTIONS`.
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
        A key of `CONVENTIONS`.
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
            f"{name} has no equivalent of temperature {temperature:.6g}, for it has none: teacher "
            f"and student are taken at 1. Use 1."
        )
    fixed = {key: value for key, (value, _) in convention.only.items()} | held
    tempered = dict.fromkeys(convention.temperature, temperature)
    # Any weights will do for the check; the right ones are found after it.
    stand_in = dict.fromkeys(chosen & set(convention.settings), 0.5)
    _, settings = _checked(name, stand_in | fixed | tempered)
    kl, ce = convention.factors(settings, temperature)
    weights = _weights(name, convention, alpha * temperature**2 / kl, (1 - alpha) / ce)
    made = fixed | weights | tempered
    to_canonical(name, **made)  # refuses what has no equivalent
    return made


def _find(name: str) -> Convention:
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
        # None is how a library spells "left out".
        if value is not None and not known[key].allows(value):
            raise ValueError(
                f"{key} of {name} is {value!r:.80}; it must be {known[key].rule}. See "
                f"{convention.link}."
            )
    settings = {key: known[key].default for key in known}
    for key, value in given.items():
        if value is not None:
            settings[key] = value if isinstance(value, str) else float(value)
    needed = {"mean": "num_classes", "sum": "batch_size"}.get(settings.get("reduction", ""))
    for key, setting in known.items():
        if settings[key] is None and (setting.required or key == needed):
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


# -- what was read --------------------------------------------------------------------------------

_REDUCTION = Setting(("batchmean", "mean", "sum"), "batchmean")
_CLASSES = Setting("num_classes")
_CLASSES_NEEDED = Setting("num_classes", required=True)
_BATCH = Setting("batch_size")


def _positive(default: float | None = None, required: bool = True) -> Setting:
    return Setting("positive", default, required and default is None)


def _share(default: float | None = None) -> Setting:
    return Setting("share", default, default is None)


def _free(default: float | None = None, required: bool = True) -> Setting:
    return Setting("weight", default, required and default is None)


CONVENTIONS: dict[str, Convention] = {
    "article": Convention(
        title="the article and its notebook",
        version="April 2026",
        link="https://github.com/Marktechpost/AI-Tutorial-Codes-Included",
        path="Data Science/Knowledge_Distillation.ipynb",
        loss="alpha * temperature**2 * KL + (1 - alpha) * CE",
        settings={"alpha": _share(0.7), "temperature": _positive(3.0)},
        example={},
        soft="alpha",
        hard="1 - alpha",
        note="The form that this book uses throughout.",
    ),
    "avalanche": Convention(
        title="Avalanche, `LearningWithoutForgetting`",
        version="0.6.0",
        link="https://github.com/ContinualAI/avalanche",
        path="avalanche/training/regularization.py",
        loss="CE + alpha * KL",
        settings={"alpha": _free(1.0), "temperature": _positive(2.0)},
        example={},
        soft="alpha",
        hard="1",
        factors=_factors_plain,
        note="The teacher is the model before the new task. Its KL divergence runs over the old "
        "classes only, so ours equals it where both networks have the same classes.",
    ),
    "deit": Convention(
        title="DeiT, `DistillationLoss`",
        version="commit ae4dba9",
        link="https://github.com/facebookresearch/deit/blob/"
        "ae4dba9b453b9e18faa781edbc13039aaeca9b68/losses.py",
        path="losses.py",
        loss="(1 - alpha) * CE + alpha * tau**2 * KL / num_classes",
        settings={
            "distillation_type": Setting(("none", "soft", "hard"), required=True),
            "alpha": _share(),
            "tau": _positive(),
            "num_classes": _CLASSES_NEEDED,
        },
        example={"distillation_type": "soft", "alpha": 0.5, "tau": 1.0, "num_classes": 1000},
        soft="alpha",
        hard="1 - alpha",
        temperature=("tau",),
        factors=_factors_squared_per_class,
        only={"distillation_type": ("soft", "the others do not use the teacher's probabilities")},
        note="A sum over all entries divided by their number: a mean over classes too. The two "
        "parts see two heads of one student; ours equals it where they see the same logits.",
    ),
    "distilbert": Convention(
        title="Transformers, DistilBERT's training script",
        version="commit 7f51f55",
        link="https://github.com/huggingface/transformers/blob/"
        "7f51f558038d1023dfb5032bba264f19f18fe559/examples/research_projects/distillation/"
        "distiller.py",
        path="examples/research_projects/distillation/distiller.py",
        loss="alpha_ce * temperature**2 * KL + alpha_mlm * CE",
        settings={
            "temperature": _positive(2.0),
            "alpha_ce": _free(0.5),
            "alpha_mlm": _positive(),
            "alpha_mse": _free(0.0),
            "alpha_cos": _free(0.0),
        },
        example={"alpha_ce": 5.0, "alpha_mlm": 2.0},
        soft="alpha_ce",
        hard="alpha_mlm",
        only={
            "alpha_mse": (0.0, "a squared error of logits is no KL divergence"),
            "alpha_cos": (0.0, "a cosine of hidden states is no KL divergence"),
        },
        note="`alpha_ce` weighs the teacher, not the cross-entropy with the labels. Both parts see "
        "the same tokens with `--restrict_ce_to_mask`; without it the KL divergence covers more. "
        "The example is the README's without its `--alpha_cos 1.0`.",
    ),
    "distiller": Convention(
        title="Intel's Distiller, `KnowledgeDistillationPolicy`",
        version="commit f416cc8",
        link="https://github.com/IntelLabs/distiller/blob/"
        "f416cc8f8021ca34f76d6b74fc3c0490d468cd9d/distiller/knowledge_distillation.py",
        path="distiller/knowledge_distillation.py",
        loss="kd_student_wt * CE + kd_distill_wt * KL",
        settings={
            "kd_temp": _positive(1.0),
            "kd_distill_wt": _free(0.5),
            "kd_student_wt": _free(0.5),
        },
        example={},
        soft="kd_distill_wt",
        hard="kd_student_wt",
        temperature=("kd_temp",),
        factors=_factors_plain,
        note="As its formula says. In the version that was read the student's logits are copied "
        "with `new_tensor`, which cuts them off the graph, so KL would give it no gradient.",
    ),
    "kd-lib": Convention(
        title="KD-Lib, `VanillaKD`",
        version="0.0.32",
        link="https://github.com/SforAiDl/KD_Lib/blob/"
        "d00c232de5a16bcd2a81b896a35ec3f20c2f9fa8/KD_Lib/KD/vision/vanilla/vanilla_kd.py",
        path="KD_Lib/KD/vision/vanilla/vanilla_kd.py",
        loss="(1 - distil_weight) * CE + distil_weight * temp**2 * MSE",
        settings={"temp": _positive(20.0), "distil_weight": _share(0.5)},
        example={"distil_weight": 0.0},
        soft="distil_weight",
        hard="1 - distil_weight",
        temperature=("temp",),
        only={
            "distil_weight": (
                0.0,
                "its loss_fn compares probabilities with probabilities, by default with a "
                "squared error (MSE)",
            )
        },
    ),
    "kd-zoo": Convention(
        title="Knowledge-Distillation-Zoo, soft targets",
        version="commit f30aa70",
        link="https://github.com/AberHu/Knowledge-Distillation-Zoo/blob/"
        "f30aa7037f34d55bf39fd70f0f27fa0faec7e3ae/train_st.py",
        path="train_st.py",
        loss="CE + lambda_st * T**2 * KL",
        settings={"lambda_st": _free(0.1), "T": _positive(3.0)},
        example={},
        soft="lambda_st",
        hard="1",
        temperature=("T",),
    ),
    "keras": Convention(
        title="Keras 3, `Distiller` with `LogitsDistillation`",
        version="3.15.1",
        link="https://keras.io/api/models/distillation/distiller",
        path="keras/src/distillation/distillation_loss.py, distiller.py",
        loss="student_loss_weight * CE + (1 - student_loss_weight) * temperature**2 * KL",
        settings={
            "student_loss_weight": _share(0.5),
            "temperature": _positive(3.0),
            "loss": Setting(
                ("KLDivergence", "kl_divergence", "categorical_crossentropy"), "kl_divergence"
            ),
        },
        example={"loss": "KLDivergence"},
        soft="1 - student_loss_weight",
        hard="student_loss_weight",
        only={
            "loss": (
                "KLDivergence",
                "this release takes softmax and T^2 for an instance of the class alone; any other "
                "loss, its default too, gets tempered logits where probabilities belong",
            )
        },
        note="Its default, the string `'kl_divergence'`, names a function and not the class, so "
        "neither softmax nor $T^2$ is applied: give `'KLDivergence'`. The student must return "
        "logits, and its own loss must know (`from_logits=True`). Probabilities below 1e-7 are "
        "clipped.",
    ),
    "keras-example": Convention(
        title="keras.io, the example on distillation",
        version="commit 501fb4c",
        link="https://github.com/keras-team/keras-io/blob/"
        "501fb4cbe62e5b5c434393f512a452ef833640a1/examples/vision/knowledge_distillation.py",
        path="examples/vision/knowledge_distillation.py",
        loss="alpha * CE + (1 - alpha) * temperature**2 * KL",
        settings={"alpha": _share(0.1), "temperature": _positive(3.0)},
        example={"alpha": 0.1, "temperature": 10},
        soft="1 - alpha",
        hard="alpha",
    ),
    "keras-example-2020": Convention(
        title="keras.io, an early version of the example",
        version="commit 1da2fde",
        link="https://github.com/keras-team/keras-io/blob/"
        "1da2fdefe1b108145dcdb0794b60195cda85c38d/examples/vision/knowledge_distillation.py",
        path="examples/vision/knowledge_distillation.py",
        loss="alpha * CE + (1 - alpha) * KL",
        settings={"alpha": _share(0.1), "temperature": _positive(3.0)},
        example={"alpha": 0.1, "temperature": 10},
        soft="1 - alpha",
        hard="alpha",
        factors=_factors_plain,
        note="Same names and numbers as the later version, without $T^2$. Its constructor also "
        "stores the student as teacher and the teacher as student.",
    ),
    "mdistiller": Convention(
        title="mdistiller, `KD`",
        version="commit e8c5bb3",
        link="https://github.com/megvii-research/mdistiller/blob/"
        "e8c5bb331e78c9d79a8894ca233caae78531cf7f/mdistiller/distillers/KD.py",
        path="mdistiller/distillers/KD.py, mdistiller/engine/cfg.py",
        loss="CE_WEIGHT * CE + KD_WEIGHT * TEMPERATURE**2 * KL",
        settings={
            "TEMPERATURE": _positive(4.0),
            "CE_WEIGHT": _free(0.1),
            "KD_WEIGHT": _free(0.9),
        },
        example={},
        soft="KD_WEIGHT",
        hard="CE_WEIGHT",
        temperature=("TEMPERATURE",),
    ),
    "mmrazor": Convention(
        title="MMRazor, `KLDivergence`",
        version="1.0.0",
        link="https://github.com/open-mmlab/mmrazor",
        path="mmrazor/models/losses/kl_divergence.py",
        loss="CE + loss_weight * tau**2 * KL",
        settings={
            "tau": _positive(1.0),
            "reduction": _REDUCTION,
            "loss_weight": _free(1.0),
            "num_classes": _CLASSES,
            "batch_size": _BATCH,
        },
        example={},
        soft="loss_weight",
        hard="1",
        temperature=("tau",),
        factors=_factors_squared_reduced,
        note="The student's own head adds CE, here with weight 1. As written for "
        "`reduction='batchmean'`; `'mean'` divides KL by the classes, `'sum'` multiplies it by "
        "the batch.",
    ),
    "modelopt": Convention(
        title="NVIDIA Model Optimizer, `LogitsDistillationLoss`",
        version="0.47.0",
        link="https://nvidia.github.io/Model-Optimizer/reference/generated/"
        "modelopt.torch.distill.losses.html",
        path="modelopt/torch/distill/losses.py, loss_balancers.py",
        loss="(1 - kd_loss_weight) * CE + kd_loss_weight * temperature**2 * KL / num_classes",
        settings={
            "temperature": _positive(1.0),
            "reduction": Setting(("batchmean", "mean", "sum"), "mean"),
            "kd_loss_weight": _share(0.5),
            "num_classes": _CLASSES,
            "batch_size": _BATCH,
        },
        example={"num_classes": 1000},
        soft="kd_loss_weight",
        hard="1 - kd_loss_weight",
        factors=_factors_squared_reduced,
        note="As written for `reduction='mean'`, the default of this release. Its web pages give "
        "`'batchmean'`, which divides by no classes.",
    ),
    "paddleslim": Convention(
        title="PaddleSlim, `soft_label`",
        version="2.6.0",
        link="https://github.com/PaddlePaddle/PaddleSlim",
        path="paddleslim/dist/single_distiller.py",
        loss="KL",
        settings={
            "teacher_temperature": _positive(1.0),
            "student_temperature": _positive(1.0),
        },
        example={},
        soft="1",
        hard="0",
        temperature=("teacher_temperature", "student_temperature"),
        factors=_factors_plain,
        note="A soft cross-entropy, to which you add what you like.",
    ),
    "peterliht": Convention(
        title="knowledge-distillation-pytorch, `loss_fn_kd`",
        version="commit e4c4013",
        link="https://github.com/haitongli/knowledge-distillation-pytorch/blob/"
        "e4c40132fed5a45e39a6ef7a77b15e5d389186f8/model/net.py",
        path="model/net.py",
        loss="alpha * temperature**2 * KL / num_classes + (1 - alpha) * CE",
        settings={
            "alpha": _share(),
            "temperature": _positive(),
            "num_classes": _CLASSES_NEEDED,
        },
        example={"alpha": 0.9, "temperature": 20, "num_classes": 10},
        soft="alpha",
        hard="1 - alpha",
        factors=_factors_squared_per_class,
        note="`nn.KLDivLoss()` without a reduction is a mean over classes too. DeiT and DistilBERT "
        "name this file as their model.",
    ),
    "pytorch-tutorial": Convention(
        title="PyTorch, the tutorial on distillation",
        version="commit c53e7d4",
        link="https://github.com/pytorch/tutorials/blob/"
        "c53e7d4efc0e39e455c531d21ec7db28ba220214/beginner_source/"
        "knowledge_distillation_tutorial.py",
        path="beginner_source/knowledge_distillation_tutorial.py",
        loss="soft_target_loss_weight * T**2 * KL + ce_loss_weight * CE",
        settings={
            "T": _positive(),
            "soft_target_loss_weight": _free(),
            "ce_loss_weight": _free(),
        },
        example={"T": 2, "soft_target_loss_weight": 0.25, "ce_loss_weight": 0.75},
        soft="soft_target_loss_weight",
        hard="ce_loss_weight",
        temperature=("T",),
        note="An earlier version writes the soft cross-entropy instead: the same gradient, another "
        "value. This one takes the logarithm of probabilities, which is NaN where one is 0.",
    ),
    "repdistiller": Convention(
        title="RepDistiller, `DistillKL` in `train_distill`",
        version="commit 1143dfe",
        link="https://github.com/HobbitLong/RepDistiller/blob/"
        "1143dfea41686c15a7a21c6f8959d7e074f043c3/helper/loops.py",
        path="helper/loops.py, distiller_zoo/KD.py, train_student.py",
        loss="gamma * CE + alpha * kd_T**2 * KL",
        settings={
            "gamma": _free(1.0),
            "alpha": _free(),
            "beta": _free(0.0),
            "kd_T": _positive(4.0),
        },
        example={"gamma": 0.1, "alpha": 0.9, "beta": 0},
        soft="alpha",
        hard="gamma",
        temperature=("kd_T",),
        only={"beta": (0.0, "beta weighs a loss on features")},
    ),
    "sentence-transformers": Convention(
        title="Sentence Transformers, `DistillKLDivLoss`",
        version="6.2.0",
        link="https://github.com/huggingface/sentence-transformers",
        path="sentence_transformers/sentence_transformer/losses/distill_kl_div.py",
        loss="temperature**2 * KL",
        settings={
            "temperature": _positive(1.0),
            "student_temperature": _positive(required=False),
            "teacher_temperature": _positive(required=False),
        },
        example={},
        soft="1",
        hard="0",
        temperature=("student_temperature", "teacher_temperature"),
        fill=_fill_sentence_transformers,
        note="The candidates of a query take the place of the classes. Each side may have a "
        "temperature of its own.",
    ),
    "super-gradients": Convention(
        title="SuperGradients, `KDLogitsLoss`",
        version="3.7.1",
        link="https://github.com/Deci-AI/super-gradients",
        path="super_gradients/training/losses/kd_losses.py",
        loss="(1 - distillation_loss_coeff) * CE + distillation_loss_coeff * KL",
        settings={"distillation_loss_coeff": _share(0.5)},
        example={},
        soft="distillation_loss_coeff",
        hard="1 - distillation_loss_coeff",
        temperature=(),
        note="No temperature. An early version left the reduction out, and so divided by the "
        "classes too.",
    ),
    "textbrewer": Convention(
        title="TextBrewer, `kd_ce_loss`",
        version="0.2.1.post1",
        link="https://github.com/airaria/TextBrewer/blob/"
        "3496f3ec49e6eee6219f8a8d9db2b144fcedb361/src/textbrewer/losses.py",
        path="src/textbrewer/losses.py, configurations.py, distiller_basic.py",
        loss="kd_loss_weight * KL + hard_label_weight * CE",
        settings={
            "temperature": _positive(4.0),
            "kd_loss_weight": _free(1.0),
            "hard_label_weight": _free(0.0),
            "kd_loss_type": Setting(("ce", "mse"), "ce"),
        },
        example={},
        soft="kd_loss_weight",
        hard="hard_label_weight",
        factors=_factors_plain,
        only={"kd_loss_type": ("ce", "a squared error of logits is no KL divergence")},
        note="A soft cross-entropy, without $T^2$.",
    ),
    "tf-kd": Convention(
        title="Teacher-free KD, `loss_kd_self`",
        version="commit 880a74e",
        link="https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/blob/"
        "880a74ec5ac1d6641a14a3393df23a16f45b460a/my_loss_function.py",
        path="my_loss_function.py",
        loss="(1 - alpha) * CE + alpha * multiplier * temperature**2 * KL / num_classes",
        settings={
            "alpha": _share(),
            "temperature": _positive(),
            "multiplier": _positive(1.0),
            "num_classes": _CLASSES_NEEDED,
        },
        example={"alpha": 0.6, "temperature": 20, "num_classes": 100},
        soft="alpha",
        hard="1 - alpha",
        factors=lambda s, T: (s["multiplier"] * T * T / s["num_classes"], 1.0),
        note="`loss_kd` is the same with a multiplier of 1, and the example is of it.",
    ),
    "timm": Convention(
        title="timm, `LogitDistillationTask`",
        version="1.0.31",
        link="https://github.com/huggingface/pytorch-image-models",
        path="timm/task/distillation.py",
        loss="task_loss_weight * CE + distill_loss_weight * temperature**2 * KL",
        settings={
            "temperature": _positive(1.0),
            "task_loss_weight": _free(required=False),
            "distill_loss_weight": _free(required=False),
        },
        example={"task_loss_weight": 0.3, "temperature": 4.0},
        soft="distill_loss_weight",
        hard="task_loss_weight",
        fill=_fill_timm,
        note="A `task_loss_weight` on its own leaves the rest of 1 to the teacher; a "
        "`distill_loss_weight` on its own leaves 1 to the labels; neither gives 1 and 1.",
    ),
    "tinybert": Convention(
        title="TinyBERT, `soft_cross_entropy`",
        version="commit 1bb9b3e",
        link="https://github.com/huawei-noah/Pretrained-Language-Model/blob/"
        "1bb9b3e49b05279a4ba5cbe805ac81c803f94981/TinyBERT/task_distill.py",
        path="TinyBERT/task_distill.py",
        loss="KL / num_classes",
        settings={"temperature": _positive(1.0), "num_classes": _CLASSES_NEEDED},
        example={"num_classes": 2},
        soft="1",
        hard="0",
        factors=_factors_per_class,
        note="A soft cross-entropy whose mean runs over classes too, in the stage "
        "`--pred_distill`.",
    ),
    "torchdistill": Convention(
        title="torchdistill, `KDLoss`",
        version="1.1.5",
        link="https://github.com/yoshitomo-matsubara/torchdistill/blob/"
        "01038e7a81b9920a861dd163114f9c70f43c20f5/torchdistill/losses/mid_level.py",
        path="torchdistill/losses/mid_level.py",
        loss="alpha * CE + beta * temperature**2 * KL",
        settings={
            "temperature": _positive(),
            "alpha": _free(),
            "beta": _free(required=False),
            "reduction": _REDUCTION,
            "num_classes": _CLASSES,
            "batch_size": _BATCH,
        },
        example={"alpha": 0.5, "temperature": 1.0},
        soft="beta",
        hard="alpha",
        factors=_factors_torchdistill,
        fill=_fill_torchdistill,
        note="`alpha` weighs the labels; `beta` is `1 - alpha` where it is left out. At "
        "`alpha=0` it returns KL bare, with neither `beta` nor $T^2$: the scale jumps. As "
        "written for `reduction='batchmean'`.",
    ),
    "torchtune": Convention(
        title="torchtune, the recipe `knowledge_distillation_single_device`",
        version="0.6.1",
        link="https://github.com/pytorch/torchtune/blob/"
        "104b38f08922ae34bfb1b03d208ac2a21f9a5eaa/torchtune/modules/loss/kd_losses.py",
        path="recipes/knowledge_distillation_single_device.py, torchtune/modules/loss/kd_losses.py",
        loss="(1 - kd_ratio) * CE + kd_ratio * KL",
        settings={
            "kd_ratio": _share(0.5),
            "kd_loss": Setting(
                ("ForwardKLLoss", "ReverseKLLoss", "SymmetricKLLoss"), "ForwardKLLoss"
            ),
        },
        example={},
        soft="kd_ratio",
        hard="1 - kd_ratio",
        temperature=(),
        only={
            "kd_loss": ("ForwardKLLoss", "a KL divergence the other way round has another gradient")
        },
        note="A soft cross-entropy over the tokens that have a label; no temperature. The recipe "
        "then divides the gradient by the number of tokens once more.",
    ),
    "transformers-guide": Convention(
        title="Transformers, the guide for image classification",
        version="commit 77c2fe6",
        link="https://github.com/huggingface/transformers/blob/"
        "77c2fe6546ddb8e0c2d7a717ffe7238e547938c6/docs/source/en/tasks/"
        "knowledge_distillation_for_image_classification.md",
        path="docs/source/en/tasks/knowledge_distillation_for_image_classification.md",
        loss="(1 - lambda_param) * CE + lambda_param * temperature**2 * KL",
        settings={"temperature": _positive(), "lambda_param": _share()},
        example={"temperature": 5, "lambda_param": 0.5},
        soft="lambda_param",
        hard="1 - lambda_param",
    ),
    "transformers-guide-2023": Convention(
        title="Transformers, an early version of the guide",
        version="commit 01080da",
        link="https://github.com/huggingface/transformers/blob/"
        "01080da7a037f748eca7b752eac163381c3047a6/docs/source/en/tasks/"
        "knowledge_distillation_for_image_classification.md",
        path="docs/source/en/tasks/knowledge_distillation_for_image_classification.md",
        loss="lambda_param * CE + (1 - lambda_param) * temperature**2 * KL",
        settings={"temperature": _positive(), "lambda_param": _share()},
        example={"temperature": 5, "lambda_param": 0.5},
        soft="1 - lambda_param",
        hard="lambda_param",
        note="The same name on the other side.",
    ),
}
"""Every convention that was read, by a short name.

:meta hide-value:
"""

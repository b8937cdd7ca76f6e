"""What other people's distillation losses are, as data; `distill_helpers.conventions` converts.

>>> CONVENTIONS["mmdet"].loss
'loss_weight * T**2 * KL / num_classes'
>>> NO_EQUIVALENT["setfit"].reason[-29:]
'no probabilities are compared'
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = dict[str, Any]

_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    # Further out the square of a temperature is no longer a number.
    "positive": (lambda x: 1e-100 <= x <= 1e100, "a number above 0, from 1e-100 to 1e100"),
    "share": (lambda x: 0 <= x <= 1, "a number from 0 to 1"),
    "weight": (lambda x: x >= 0, "a finite number, 0 or more"),
    "number": (lambda x: True, "a finite number"),
    "at_least_1": (lambda x: 1 <= x <= 1e100, "a number from 1 to 1e100"),
    "num_classes": (lambda x: x >= 2 and x == int(x), "a whole number, 2 or more"),
    "batch_size": (lambda x: x >= 1 and x == int(x), "a whole number, 1 or more"),
}


@dataclass(frozen=True)
class Setting:
    """What one setting of a library may be.

    Attributes
    ----------
    kind
        "positive", "at_least_1", "share", "weight", "number", "num_classes", "batch_size"; or a
        tuple with every allowed value.
    default
        What the library takes where it is not given. None: there is nothing to take.
    required
        Whether it must be given: always, or where another setting has a value, as in
        ``("reduction", "sum")``.
    nullable
        Whether None is a value of its own, and not the same as leaving the setting out.
    """

    kind: str | tuple[Any, ...]
    default: Any = None
    required: bool | tuple[str, str] = False
    nullable: bool = False

    @property
    def rule(self) -> str:
        """The rule in words, to follow "it must be"."""
        if isinstance(self.kind, str):
            return _KINDS[self.kind][1] + (", or None" if self.nullable else "")
        return "one of " + ", ".join(map(repr, self.kind))

    def allows(self, value: Any) -> bool:
        """Tell whether a value keeps the rule."""
        if value is None:
            return self.nullable
        if not isinstance(self.kind, str):
            return value in self.kind
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        return math.isfinite(value) and _KINDS[self.kind][0](float(value))

    def is_required(self, settings: Settings) -> bool:
        """Tell whether it must be given beside these settings."""
        if isinstance(self.required, bool):
            return self.required
        other, value = self.required
        return bool(settings[other] == value)


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


def _factors_keras(s: Settings, T: float) -> tuple[float, float]:
    return T * T * s["distillation_loss_weights"], 1.0


def _factors_distillkit(s: Settings, T: float) -> tuple[float, float]:
    total = s["kl"] + s["cross_entropy"] or 1.0  # where both are 0, nothing is left to divide
    return T * T / total, 1 / total


def _factors_mmdet(s: Settings, T: float) -> tuple[float, float]:
    rows = s["batch_size"] if s["reduction"] == "sum" else 1
    return T * T * rows / s["num_classes"], 1.0


def _factors_neural_compressor(s: Settings, T: float) -> tuple[float, float]:
    return T * T / (s["num_classes"] if s["loss_types_1"] == "KL" else 1), 1.0


def _fill_nothing(s: Settings) -> Settings:
    return s


def _fill_torchdistill(s: Settings) -> Settings:
    if s["alpha"] is None and s["beta"] is None:
        raise ValueError(
            "torchdistill with neither alpha nor beta has no equivalent, for its constructor then "
            "stops. Give one."
        )
    if not s["alpha"]:  # the module then returns its KL divergence bare
        return s | {"alpha": 0.0, "beta": 1 / s["temperature"] ** 2}
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


@dataclass(frozen=True)
class NoEquivalent:
    """A loss that is none of ours at any setting.

    Attributes
    ----------
    title, version, link, path
        As in `Convention`.
    reason
        Why, to follow "for".
    """

    title: str
    version: str
    link: str
    path: str
    reason: str


_REDUCTION = Setting(("batchmean", "mean", "sum"), "batchmean")
_CLASSES = Setting("num_classes", required=("reduction", "mean"))
_CLASSES_NEEDED = Setting("num_classes", required=True)
_BATCH = Setting("batch_size", required=("reduction", "sum"))
_SWITCH = Setting((True, False), True)
_CLIPPED = (
    "Keras clips probabilities at 1e-7. Where the student's tempered logit is 16.1 below its "
    "largest, that class has no gradient and the loss is no multiple of ours: at $T = 1$ and "
    "logits with a standard deviation of 4 the gradient is 14 % off with 10 classes and 30 % with "
    "100; with a standard deviation of 2, or at $T = 3$, it is ours."
)
_BETA = (
    "at 1 the KL divergence is reversed, and in between it is a Jensen-Shannon divergence, "
    "weighted by beta"
)
_LOG_TARGET = (
    "It takes the teacher's log-probabilities (`log_target=True`): a teacher's logit of -inf makes "
    "the value NaN, though not the gradient."
)


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
    "autogluon": Convention(
        title="AutoGluon Tabular, the network among the students of `distill`",
        version="1.6.3",
        link="https://github.com/autogluon/autogluon",
        path="autogluon/tabular/models/tabular_nn/torch/tabular_nn_torch.py, "
        "autogluon/tabular/trainer/abstract_trainer.py",
        loss="KL / num_classes",
        settings={
            "problem_type": Setting(("multiclass", "binary"), required=True),
            "teacher_preds": Setting(("soft", "hard", "onehot"), "soft"),
            "augment_method": Setting((None, "spunge", "munge"), "spunge", nullable=True),
            "num_classes": _CLASSES_NEEDED,
        },
        example={"problem_type": "multiclass", "augment_method": None, "num_classes": 10},
        soft="1",
        hard="0",
        temperature=(),
        factors=_factors_per_class,
        only={
            "problem_type": (
                "multiclass",
                "with two classes the students regress on the probability: an absolute error for "
                "the network, a squared one for trees and forests",
            ),
            "teacher_preds": ("soft", "the others do not use the teacher's probabilities"),
            "augment_method": (
                None,
                "the training rows then keep their labels, and only made-up rows get the "
                "teacher's probabilities",
            ),
        },
        note="`nn.KLDivLoss()` without a reduction, and no temperature. Of the other students "
        "LightGBM and CatBoost have the same loss in boosting; forests have a squared error of "
        "probabilities.",
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
        "parts see two heads of one student; ours equals it where they see the same logits. "
        + _LOG_TARGET,
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
    "distillkit": Convention(
        title="DistillKit, `DistillationTrainer` with `cross_entropy` and `kl`",
        version="commit b8ed189",
        link="https://github.com/arcee-ai/DistillKit/blob/"
        "b8ed189b23bd23fa8f846dd72be6aa7ca075c7ff/distillkit/trainer.py",
        path="distillkit/trainer.py, distillkit/lossfuncs/kl.py, distillkit/configuration.py",
        loss="(cross_entropy * CE + kl * temperature**2 * KL) / (cross_entropy + kl)",
        settings={
            "cross_entropy": _free(0.5),
            "kl": _free(0.5),
            "temperature": _positive(1.0),
        },
        example={},
        soft="kl",
        hard="cross_entropy",
        factors=_factors_distillkit,
        note="`cross_entropy` and `kl` are the weights of these two in `loss_functions`; the loss "
        "is divided by their sum. As written for a teacher that sends all logits; of a top k KL "
        "sees those alone. KL counts the positions whose own label is kept, CE those whose *next* "
        "label is, so a masked prompt gives them different rows. Chapter 09 has what a top k and "
        "the kind of mean do to a student of text. " + _LOG_TARGET,
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
        title="Knowledge-Distillation-Zoo, `SoftTarget` in `train_kd.py`",
        version="commit e8e298d",
        link="https://github.com/AberHu/Knowledge-Distillation-Zoo/blob/"
        "e8e298d70d511c8d9a3f044dec08c56744acbdc7/train_kd.py",
        path="train_kd.py, kd_losses/st.py",
        loss="CE + lambda_kd * T**2 * KL",
        settings={
            "kd_mode": Setting(("st", "logits"), required=True),
            "lambda_kd": _free(1.0),
            "T": _positive(4.0),
        },
        example={"kd_mode": "st"},
        soft="lambda_kd",
        hard="1",
        temperature=("T",),
        only={"kd_mode": ("st", "a squared error of logits is no KL divergence")},
        note="Its other modes compare features and are not covered. Until 2020 the file was "
        "`train_st.py`, with `lambda_st=0.1` and `T=3`.",
    ),
    "keras": Convention(
        title="Keras 3, `Distiller` with `LogitsDistillation`",
        version="3.15.1",
        link="https://keras.io/api/models/distillation/distiller",
        path="keras/src/distillation/distillation_loss.py, distiller.py",
        loss="student_loss_weight * CE"
        " + (1 - student_loss_weight) * distillation_loss_weights * temperature**2 * KL",
        settings={
            "student_loss_weight": _share(0.5),
            "temperature": _positive(3.0),
            "distillation_loss_weights": _positive(1.0),
            "loss": Setting(
                ("KLDivergence", "kl_divergence", "categorical_crossentropy"), "kl_divergence"
            ),
        },
        example={"loss": "KLDivergence"},
        soft="1 - student_loss_weight",
        hard="student_loss_weight",
        factors=_factors_keras,
        only={
            "loss": (
                "KLDivergence",
                "this release takes softmax and T^2 for an instance of the class alone; any other "
                "loss, its default too, gets tempered logits where probabilities belong",
            )
        },
        note="Its default, the string `'kl_divergence'`, names a function and not the class, so "
        "neither softmax nor $T^2$ is applied: give `'KLDivergence'`. "
        "`distillation_loss_weights` is felt by a *list* of losses; a lone loss weighs 1, whatever "
        "is given. The student must return logits, and its own loss must know "
        "(`from_logits=True`). Regularisation losses and sample weights are dropped. "
        + _CLIPPED
        + " A student that is sure and wrong is not put right.",
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
        note=_CLIPPED,
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
        "stores the student as teacher and the teacher as student. " + _CLIPPED,
    ),
    "labml": Convention(
        title="labml.ai, the annotated distillation",
        version="0.5.1",
        link="https://nn.labml.ai/distillation/index.html",
        path="labml_nn/distillation/__init__.py",
        loss="soft_targets_weight * KL / num_classes + label_loss_weight * CE",
        settings={
            "temperature": _positive(5.0),
            "soft_targets_weight": _free(100.0),
            "label_loss_weight": _free(0.5),
            "num_classes": _CLASSES_NEEDED,
        },
        example={"num_classes": 10},
        soft="soft_targets_weight",
        hard="label_loss_weight",
        factors=_factors_per_class,
        note="Its comment says that the weight of 100 stands in for $T^2$, but `nn.KLDivLoss` "
        "without a reduction is a mean over classes too: with 10 of them 10 is left, and $T^2$ is "
        "25. " + _LOG_TARGET,
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
    "mmdet": Convention(
        title="MMDetection, `KnowledgeDistillationKLDivLoss`",
        version="3.3.0",
        link="https://github.com/open-mmlab/mmdetection",
        path="mmdet/models/losses/kd_loss.py",
        loss="loss_weight * T**2 * KL / num_classes",
        settings={
            "T": Setting("at_least_1", 10.0),
            "loss_weight": _positive(1.0),
            "reduction": Setting(("mean", "sum"), "mean"),
            "num_classes": _CLASSES_NEEDED,
            "batch_size": _BATCH,
        },
        example={"num_classes": 17},
        soft="loss_weight",
        hard="0",
        temperature=("T",),
        factors=_factors_mmdet,
        note="The classes are the 17 bins of an edge in localisation distillation, whose head "
        "adds the losses of detection and divides by its own number of rows. As written for "
        "`reduction='mean'`; `'sum'` multiplies by the batch.",
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
    "neural-compressor": Convention(
        title="Intel Neural Compressor, `KnowledgeDistillationLoss`",
        version="2.6",
        link="https://github.com/intel/neural-compressor",
        path="neural_compressor/compression/distillation/criterions.py",
        loss="(1 - loss_weights_1) * CE + loss_weights_1 * temperature**2 * KL",
        settings={
            "temperature": _positive(1.0),
            "loss_weights_1": _share(0.5),
            "loss_types_1": Setting(("CE", "KL"), "CE"),
            "num_classes": Setting("num_classes", required=("loss_types_1", "KL")),
        },
        example={},
        soft="loss_weights_1",
        hard="1 - loss_weights_1",
        factors=_factors_neural_compressor,
        note="`loss_weights_1` is the second entry of `loss_weights` and weighs the teacher; the "
        "first is what is left of 1. So with `loss_types`: `'CE'` is a soft cross-entropy, "
        "`'KL'` is divided by the classes too, and `'MSE'`, of logits, is not covered. Release 3 "
        "has no distillation.",
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
    "tabtune": Convention(
        title="TabTune, `TabDistiller`",
        version="0.2.1",
        link="https://github.com/Lexsi-Labs/TabTune",
        path="tabtune/distillation/students/mlp_student.py, tabtune/distillation/distiller.py",
        loss="alpha * temperature**2 * KL + (1 - alpha) * CE",
        settings={
            "student": Setting(("mlp", "lgbm"), "mlp"),
            "temperature": _positive(3.0),
            "alpha": _share(0.7),
            "adaptive_temperature": _SWITCH,
            "confidence_weighting": _SWITCH,
            "label_smoothing": _share(0.05),
        },
        example={
            "temperature": 1.0,
            "adaptive_temperature": False,
            "confidence_weighting": False,
            "label_smoothing": 0.0,
        },
        soft="alpha",
        hard="1 - alpha",
        temperature=(),
        only={
            "student": (
                "mlp",
                "that one regresses on each probability by itself and drops alpha and temperature",
            ),
            "temperature": (1.0, "the student is tempered and the teacher's probabilities are not"),
            "adaptive_temperature": (False, "every row then has a temperature of its own"),
            "confidence_weighting": (False, "every row then has a weight of its own"),
            "label_smoothing": (0.0, "the labels are then smoothed"),
        },
        note="The teacher is whatever `predict_proba` returns. One that is tempered already, "
        "`softmax(log p / T)`, makes it ours at that temperature; chapter 03's museum has what "
        "the difference costs. `label_smoothing` goes into `student_params`.",
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
        "`distill_loss_weight` on its own leaves 1 to the labels; neither gives 1 and 1. "
        + _LOG_TARGET,
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
            "alpha": _free(required=False),
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
        note="`alpha` weighs the labels; `beta` is `1 - alpha` where it is left out. With "
        "`alpha` 0 or None, and wherever a call has no `targets`, it returns KL bare, with neither "
        "`beta` nor $T^2$: the scale jumps. As written for `reduction='batchmean'`. Class weights "
        "(`weight=`) reach the labels' part alone.",
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
        note="A soft cross-entropy over the tokens that have a label; no temperature. A student's "
        "logit of -inf (a class that is masked out) counts as 0, where the KL divergence is "
        "infinite. The recipe then divides the gradient by the number of tokens once more. Chapter "
        "09 has the students of both directions, and of a mean over tokens or over texts.",
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
    "trl-distillation": Convention(
        title="TRL, `DistillationTrainer`",
        version="1.16.0",
        link="https://huggingface.co/docs/trl/distillation_trainer",
        path="trl/trainer/distillation_trainer.py, trl/kernels/chunked_divergence.py",
        loss="KL",
        settings={"beta": _share(1.0), "temperature": _positive(1.0)},
        example={"beta": 0.0},
        soft="1",
        hard="0",
        factors=_factors_plain,
        only={"beta": (0.0, _BETA)},
        note="No $T^2$, and no labels. Its default is the reversed KL divergence. Chapter 09 has "
        "the students of each `beta`, on the teacher's text and on their own.",
    ),
    "trl-gkd": Convention(
        title="TRL, `GKDTrainer`",
        version="1.16.0",
        link="https://huggingface.co/docs/trl/gkd_trainer",
        path="trl/experimental/gkd/gkd_trainer.py",
        loss="KL",
        settings={"beta": _share(0.5), "temperature": _positive(0.9)},
        example={"beta": 0.0},
        soft="1",
        hard="0",
        temperature=(),
        only={"beta": (0.0, _BETA)},
        note="`temperature` is that of sampling: the trainer does not hand it to its loss, which "
        "compares both at 1. The function itself, `generalized_jsd_loss`, takes one, and has no "
        "$T^2$; with `labels` it is a mean over the batch's tokens, without them a sum over a "
        "text's. Chapter 09 has the students of each `beta`, and the jumps at its ends. "
        + _LOG_TARGET,
    ),
    "verl": Convention(
        title="verl, on-policy distillation",
        version="0.9.1",
        link="https://github.com/verl-project/verl",
        path="verl/trainer/distillation/losses.py, verl/trainer/distillation/fsdp/losses.py",
        loss="KL",
        settings={
            "loss_mode": Setting(
                ("forward_kl_topk", "kl", "k1", "abs", "mse", "k2", "low_var_kl", "k3"), "k3"
            ),
            "use_policy_gradient": _SWITCH,
            "use_task_rewards": _SWITCH,
            "log_prob_min_clamp": Setting("number", -10.0, nullable=True),
            "loss_max_clamp": Setting("number", 10.0, nullable=True),
        },
        example={
            "loss_mode": "forward_kl_topk",
            "use_policy_gradient": False,
            "use_task_rewards": False,
            "log_prob_min_clamp": None,
            "loss_max_clamp": None,
        },
        soft="1",
        hard="0",
        temperature=(),
        only={
            "loss_mode": (
                "forward_kl_topk",
                "it estimates a divergence from the one token that was sampled",
            ),
            "use_policy_gradient": (False, "the divergence is then a reward, with no gradient"),
            "use_task_rewards": (False, "they add a policy loss that no label's part equals"),
            "log_prob_min_clamp": (None, "a clamped log-probability has no gradient"),
            "loss_max_clamp": (None, "a clamped divergence has no gradient"),
        },
        note="As written for `topk` of the whole vocabulary: a shorter list is neither "
        "renormalised nor completed, and its divergence is cut at 0 from below. Computed in "
        "float32; no temperature. Chapter 09 has students of short lists, and of the other "
        "direction on their own text.",
    ),
}
"""Every convention that was read, by a short name.

:meta hide-value:
"""

NO_EQUIVALENT: dict[str, NoEquivalent] = {
    "dist": NoEquivalent(
        title="DIST",
        version="commit 6d93ca0",
        link="https://github.com/hunto/DIST_KD/blob/"
        "6d93ca01e2cd78e011730dcaf63d9bfa3e187fa3/segmentation/losses/dist_kd.py",
        path="segmentation/losses/dist_kd.py",
        reason="it correlates probabilities over the classes of a row and over the rows of a "
        "class, so that a row's gradient hangs on the other rows of its batch",
    ),
    "dkd": NoEquivalent(
        title="Decoupled Knowledge Distillation",
        version="commit e8c5bb3",
        link="https://github.com/megvii-research/mdistiller/blob/"
        "e8c5bb331e78c9d79a8894ca233caae78531cf7f/mdistiller/distillers/DKD.py",
        path="mdistiller/distillers/DKD.py",
        reason="it weighs the classes that are not the label by a constant, where the KL "
        "divergence weighs them by what the teacher leaves to them in each row",
    ),
    "lightly": NoEquivalent(
        title="lightly, `DINOLoss`",
        version="1.6.0",
        link="https://docs.lightly.ai",
        path="lightly/loss/dino_loss.py",
        reason="its teacher is a moving average of the student that sees another view, is centred, "
        "and has a temperature of its own",
    ),
    "logit-standardization": NoEquivalent(
        title="Logit standardisation",
        version="commit 6083e2d",
        link="https://github.com/sunshangquan/logit-standardization-KD/blob/"
        "6083e2de122da0bffe6ff6e1fb25a6a80f6c3464/mdistiller/distillers/KD.py",
        path="mdistiller/distillers/KD.py",
        reason="it divides each row's logits by their own standard deviation, so that every row "
        "has another temperature, and no gradient along its own logits",
    ),
    "setfit": NoEquivalent(
        title="SetFit, `DistillationTrainer`",
        version="1.2.0",
        link="https://github.com/huggingface/setfit",
        path="setfit/trainer_distillation.py",
        reason="it learns the cosines between the teacher's sentence embeddings, and then a "
        "classifier from the teacher's decisions: no probabilities are compared",
    ),
    "ultralytics": NoEquivalent(
        title="Ultralytics, `DistillationModel`",
        version="8.4.190",
        link="https://docs.ultralytics.com",
        path="ultralytics/nn/distill_model.py",
        reason="it compares the features of the neck by a squared error, which the teacher's "
        "scores weigh: no probabilities are compared",
    ),
}
"""Losses that were read and are none of ours, by a short name.

:meta hide-value:
"""

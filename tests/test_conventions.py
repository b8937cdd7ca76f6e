"""Each convention against its own formula, written out here from what its library does."""

from __future__ import annotations

import doctest
import importlib.metadata
import importlib.util
import itertools
import math
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from distill_helpers.conventions import Canonical, from_canonical, to_canonical
from distill_helpers.libraries import CONVENTIONS, NO_EQUIVALENT, Convention, Setting
from distill_helpers.losses import distillation_loss

ROOT = Path(__file__).parent.parent
few = settings(max_examples=20, deadline=None)
temperatures = st.floats(-1, 2).map(lambda exponent: 10.0**exponent)


# The formulas: plain PyTorch, each from the library's own definition


def kl(z: Tensor, v: Tensor, T: float, reduction: str = "batchmean") -> Tensor:
    q, p = F.log_softmax(z / T, 1), F.softmax(v / T, 1)
    return F.kl_div(q, p, reduction=reduction)


def soft_cross_entropy(z: Tensor, v: Tensor, T: float) -> Tensor:
    return -(F.softmax(v / T, -1) * F.log_softmax(z / T, -1))  # one value an entry


def article(z, v, y, *, alpha, temperature):
    T = temperature
    return alpha * kl(z, v, T) * T**2 + (1 - alpha) * F.cross_entropy(z, y)


def autogluon(z, v, y, *, problem_type, teacher_preds, augment_method, num_classes):
    # KLDivLoss without a reduction, of log-probabilities against probabilities
    return torch.nn.KLDivLoss()(F.log_softmax(z, 1), F.softmax(v, 1))


def avalanche(z, v, y, *, alpha, temperature):
    return F.cross_entropy(z, y) + alpha * kl(z, v, temperature)


def deit(z, v, y, *, distillation_type, alpha, tau, num_classes):
    log_q, log_p = F.log_softmax(z / tau, 1), F.log_softmax(v / tau, 1)
    soft = F.kl_div(log_q, log_p, reduction="sum", log_target=True) * tau * tau / z.numel()
    return F.cross_entropy(z, y) * (1 - alpha) + soft * alpha


def distilbert(z, v, y, *, temperature, alpha_ce, alpha_mlm, alpha_mse, alpha_cos):
    return alpha_ce * kl(z, v, temperature) * temperature**2 + alpha_mlm * F.cross_entropy(z, y)


def distillkit(z, v, y, *, cross_entropy, kl, temperature):
    log_q, log_p = F.log_softmax(z / temperature, -1), F.log_softmax(v / temperature, -1)
    soft = F.kl_div(log_q, log_p, reduction="none", log_target=True).sum() / len(z)
    weighted = kl * temperature**2 * soft + cross_entropy * F.cross_entropy(z, y)
    return weighted / (kl + cross_entropy)


def distiller(z, v, y, *, kd_temp, kd_distill_wt, kd_student_wt):
    soft = kl(z, v, kd_temp, "sum") / len(z)
    return kd_student_wt * F.cross_entropy(z, y) + kd_distill_wt * soft


def kd_lib(z, v, y, *, temp, distil_weight):
    soft = F.mse_loss(F.softmax(v / temp, 1), F.softmax(z / temp, 1))
    return (1 - distil_weight) * F.cross_entropy(z, y) + distil_weight * temp * temp * soft


def kd_zoo(z, v, y, *, kd_mode, lambda_kd, T):
    return F.cross_entropy(z, y) + lambda_kd * (kl(z, v, T) * T * T)


def keras_3(z, v, y, *, student_loss_weight, temperature, distillation_loss_weights, loss):
    log_p, log_q = F.log_softmax(v / temperature, -1), F.log_softmax(z / temperature, -1)
    soft = (log_p.exp() * (log_p - log_q)).sum(-1).mean() * temperature**2
    hard = F.cross_entropy(z, y)
    total = distillation_loss_weights * soft
    return student_loss_weight * hard + (1 - student_loss_weight) * total


def keras_example(z, v, y, *, alpha, temperature):
    soft = kl(z, v, temperature) * temperature**2
    return alpha * F.cross_entropy(z, y) + (1 - alpha) * soft


def keras_example_2020(z, v, y, *, alpha, temperature):
    return alpha * F.cross_entropy(z, y) + (1 - alpha) * kl(z, v, temperature)


def labml(z, v, y, *, temperature, soft_targets_weight, label_loss_weight, num_classes):
    log_q, log_p = F.log_softmax(z / temperature, -1), F.log_softmax(v / temperature, -1)
    soft = torch.nn.KLDivLoss(log_target=True)(log_q, log_p)
    return soft_targets_weight * soft + label_loss_weight * F.cross_entropy(z, y)


def mdistiller(z, v, y, *, TEMPERATURE, CE_WEIGHT, KD_WEIGHT):
    soft = kl(z, v, TEMPERATURE, "none").sum(1).mean() * TEMPERATURE**2
    return CE_WEIGHT * F.cross_entropy(z, y) + KD_WEIGHT * soft


def mmdet(z, v, y, *, T, loss_weight, reduction, num_classes, batch_size):
    rows = kl(z, v, T, "none").mean(1) * (T * T)
    return loss_weight * (rows.mean() if reduction == "mean" else rows.sum())


def mmrazor(z, v, y, *, tau, reduction, loss_weight, num_classes, batch_size):
    return F.cross_entropy(z, y) + loss_weight * tau**2 * kl(z, v, tau, reduction)


def modelopt(z, v, y, *, temperature, reduction, kd_loss_weight, num_classes, batch_size):
    soft = kl(z, v, temperature, reduction) * temperature**2
    return soft * kd_loss_weight + (1 - kd_loss_weight) * F.cross_entropy(z, y)


def neural_compressor(z, v, y, *, temperature, loss_weights_1, loss_types_1, num_classes):
    soft = soft_cross_entropy(z, v, temperature).sum(-1).mean()
    if loss_types_1 == "KL":
        soft = kl(z, v, temperature, "mean")
    hard = F.cross_entropy(z, y)
    return hard * (1 - loss_weights_1) + soft * temperature**2 * loss_weights_1


def paddleslim(z, v, y, *, teacher_temperature, student_temperature):
    p, q = F.softmax(v / teacher_temperature, -1), F.log_softmax(z / student_temperature, -1)
    return -(p * q).sum(-1).mean()


def peterliht(z, v, y, *, alpha, temperature, num_classes):
    T = temperature
    return kl(z, v, T, "mean") * (alpha * T * T) + F.cross_entropy(z, y) * (1 - alpha)


def pytorch_tutorial(z, v, y, *, T, soft_target_loss_weight, ce_loss_weight):
    soft = torch.sum(soft_cross_entropy(z, v, T)) / z.size(0) * T**2
    return soft_target_loss_weight * soft + ce_loss_weight * F.cross_entropy(z, y)


def repdistiller(z, v, y, *, gamma, alpha, beta, kd_T):
    soft = kl(z, v, kd_T, "sum") * kd_T**2 / z.shape[0]
    return gamma * F.cross_entropy(z, y) + alpha * soft


def sentence_transformers(z, v, y, *, temperature, student_temperature, teacher_temperature):
    student = temperature if student_temperature is None else student_temperature
    teacher = temperature if teacher_temperature is None else teacher_temperature
    p, q = F.softmax(v / teacher, 1), F.log_softmax(z / student, 1)
    return F.kl_div(q, p, reduction="batchmean") * student**2


def super_gradients(z, v, y, *, distillation_loss_coeff):
    soft = F.kl_div(F.log_softmax(z, 1), F.softmax(v, 1), reduction="batchmean")
    return F.cross_entropy(z, y) * (1 - distillation_loss_coeff) + soft * distillation_loss_coeff


def tabtune(
    z,
    v,
    y,
    *,
    student,
    temperature,
    alpha,
    adaptive_temperature,
    confidence_weighting,
    label_smoothing,
):
    p = F.softmax(v, -1)  # as predict_proba gives it, whatever the temperature
    soft = F.kl_div(F.log_softmax(z / temperature, -1), p, reduction="none").sum(-1).mean()
    hard = F.cross_entropy(z, y, label_smoothing=label_smoothing)
    return alpha * temperature**2 * soft + (1 - alpha) * hard


def textbrewer(z, v, y, *, temperature, kd_loss_weight, hard_label_weight, kd_loss_type):
    soft = soft_cross_entropy(z, v, temperature).sum(-1).mean()
    return soft * kd_loss_weight + F.cross_entropy(z, y) * hard_label_weight


def tf_kd(z, v, y, *, alpha, temperature, multiplier, num_classes):
    T = temperature
    soft = kl(z, v, T, "mean") * (T * T) * multiplier
    return (1 - alpha) * F.cross_entropy(z, y) + alpha * soft


def timm(z, v, y, *, temperature, task_loss_weight, distill_loss_weight):
    log_q, log_p = F.log_softmax(z / temperature, -1), F.log_softmax(v / temperature, -1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True) * temperature**2
    if distill_loss_weight is not None:
        task = 1.0 if task_loss_weight is None else task_loss_weight
    elif task_loss_weight is not None:
        task, distill_loss_weight = task_loss_weight, 1 - task_loss_weight
    else:
        task = distill_loss_weight = 1.0
    return task * F.cross_entropy(z, y) + distill_loss_weight * soft


def tinybert(z, v, y, *, temperature, num_classes):
    return soft_cross_entropy(z, v, temperature).mean()


def torchdistill(z, v, y, *, temperature, alpha, beta, reduction, num_classes, batch_size):
    soft = kl(z, v, temperature, reduction)
    if not alpha:
        return soft
    hard = F.cross_entropy(z, y, reduction="mean" if reduction == "batchmean" else reduction)
    beta = 1 - alpha if beta is None else beta
    return alpha * hard + beta * temperature**2 * soft


def torchtune(z, v, y, *, kd_ratio, kd_loss):
    soft = -(F.softmax(v, -1) * F.log_softmax(z, -1)).sum(-1).mean()
    return (1 - kd_ratio) * F.cross_entropy(z, y) + kd_ratio * soft


def transformers_guide(z, v, y, *, temperature, lambda_param):
    soft = kl(z, v, temperature) * temperature**2
    return (1.0 - lambda_param) * F.cross_entropy(z, y) + lambda_param * soft


def transformers_guide_2023(z, v, y, *, temperature, lambda_param):
    soft = kl(z, v, temperature) * temperature**2
    return lambda_param * F.cross_entropy(z, y) + (1.0 - lambda_param) * soft


def trl_distillation(z, v, y, *, beta, temperature):
    return kl(z, v, temperature)


def trl_gkd(z, v, y, *, beta, temperature):
    return kl(z, v, 1.0)  # the temperature is that of sampling


def verl(
    z,
    v,
    y,
    *,
    loss_mode,
    use_policy_gradient,
    use_task_rewards,
    log_prob_min_clamp,
    loss_max_clamp,
):
    log_p = F.log_softmax(v, -1)
    return (log_p.exp() * (log_p - F.log_softmax(z, -1))).sum(-1).mean()


FORMULAS: dict[str, Callable[..., Tensor]] = {
    "article": article,
    "autogluon": autogluon,
    "avalanche": avalanche,
    "deit": deit,
    "distilbert": distilbert,
    "distiller": distiller,
    "distillkit": distillkit,
    "kd-lib": kd_lib,
    "kd-zoo": kd_zoo,
    "keras": keras_3,
    "keras-example": keras_example,
    "keras-example-2020": keras_example_2020,
    "labml": labml,
    "mdistiller": mdistiller,
    "mmdet": mmdet,
    "mmrazor": mmrazor,
    "modelopt": modelopt,
    "neural-compressor": neural_compressor,
    "paddleslim": paddleslim,
    "peterliht": peterliht,
    "pytorch-tutorial": pytorch_tutorial,
    "repdistiller": repdistiller,
    "sentence-transformers": sentence_transformers,
    "super-gradients": super_gradients,
    "tabtune": tabtune,
    "textbrewer": textbrewer,
    "tf-kd": tf_kd,
    "timm": timm,
    "tinybert": tinybert,
    "torchdistill": torchdistill,
    "torchtune": torchtune,
    "transformers-guide": transformers_guide,
    "transformers-guide-2023": transformers_guide_2023,
    "trl-distillation": trl_distillation,
    "trl-gkd": trl_gkd,
    "verl": verl,
}
names = pytest.mark.parametrize("name", CONVENTIONS)
# PyTorch warns that "mean" divides by the classes, and that a later release will not.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")


# What a test draws


def batch(seed: int, rows: int, classes: int, spread: float = 3.0) -> tuple[Tensor, ...]:
    """Return a student's logits, a teacher's logits and labels."""
    g = torch.Generator().manual_seed(seed)
    z, v = spread * torch.randn(2, rows, classes, generator=g, dtype=torch.float64)
    return z.requires_grad_(), v, torch.randint(classes, (rows,), generator=g)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, ...]:
    seed, spread = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    return batch(seed, draw(st.integers(1, 6)), draw(st.integers(2, 12)), spread)


def sizes(convention: Convention, z: Tensor) -> dict[str, int]:
    """Return the sizes of a batch that a convention asks for."""
    found = {"num_classes": z.shape[1], "batch_size": z.shape[0]}
    return {key: value for key, value in found.items() if key in convention.settings}


@st.composite
def their_settings(draw: st.DrawFn, convention: Convention) -> dict[str, Any]:
    """Return settings that a library could be given and that have an equivalent."""
    numbers = {
        "positive": st.floats(-1, 1).map(lambda x: 10.0**x),
        "share": st.floats(0.01, 0.99) | st.sampled_from([0.0, 0.3, 1.0]),
        "weight": st.floats(0.01, 10) | st.sampled_from([0.0, 1.0]),
        "at_least_1": st.floats(1, 10),
    }
    made = {}
    for key, setting in convention.settings.items():
        if key in convention.only:
            made[key] = convention.only[key][0]
        elif not isinstance(setting.kind, str):
            made[key] = draw(st.sampled_from(setting.kind))
        elif setting.kind in numbers:
            value = numbers[setting.kind]
            optional = setting.default is None and not setting.required
            made[key] = draw(st.none() | value if optional else value)
    lowest = 1.0 if any(s.kind == "at_least_1" for s in convention.settings.values()) else 0.0
    temperature = max(draw(temperatures), lowest)
    return made | dict.fromkeys(convention.temperature, temperature)


def gradient(loss: Tensor, z: Tensor) -> Tensor:
    return torch.autograd.grad(loss, z)[0]


def ours(z: Tensor, v: Tensor, y: Tensor, found: Canonical) -> Tensor:
    p = F.softmax(v / found.temperature, -1)
    loss = distillation_loss(z, p, y, temperature=found.temperature, alpha=found.alpha)
    return found.scale * gradient(loss, z)


def close(actual: Tensor, expected: Tensor, rtol: float = 1e-6) -> None:
    size = float(expected.abs().max())
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=1e-14 + rtol * 1e-3 * size)


def has_an_equivalent(name: str, given: dict[str, Any]) -> bool:
    try:
        to_canonical(name, **given)
    except ValueError as error:
        assert "no equivalent" in str(error)
        return False
    return True


# The same gradient, both ways


@names
@given(batches(), st.data())
@few
def test_their_gradient_is_ours_times_the_scale(
    name: str, data_batch: tuple[Tensor, ...], data: st.DataObject
) -> None:
    z, v, y = data_batch
    convention = CONVENTIONS[name]
    given = data.draw(their_settings(convention)) | sizes(convention, z)
    if has_an_equivalent(name, given):  # weights may both vanish
        full = {key: given.get(key) for key in convention.settings}
        found = to_canonical(name, **given)
        close(ours(z, v, y, found), gradient(FORMULAS[name](z, v, y, **full), z))


def reachable(name: str, alpha: float, temperature: float) -> tuple[float, float]:
    """Move a setting of ours to where a library can follow."""
    convention = CONVENTIONS[name]
    if convention.hard == "0":
        alpha = 1.0
    elif name == "kd-lib":
        alpha = 0.0
    elif convention.hard == "1" or name == "distilbert":
        alpha = min(alpha, 0.999)
    kinds = {convention.settings[key].kind for key in convention.temperature}
    if "at_least_1" in kinds:
        temperature = max(temperature, 1.0)
    return alpha, temperature if convention.temperature else 1.0


@names
@given(batches(), st.floats(0, 1), temperatures, st.sampled_from(["batchmean", "mean", "sum"]))
@few
def test_the_way_back_gives_our_gradient_and_our_setting(
    name: str,
    data_batch: tuple[Tensor, ...],
    alpha: float,
    temperature: float,
    reduction: str,
) -> None:
    z, v, y = data_batch
    convention = CONVENTIONS[name]
    alpha, temperature = reachable(name, alpha, temperature)
    held = sizes(convention, z)
    if "reduction" in convention.settings:
        known = convention.settings["reduction"].kind
        held["reduction"] = reduction if reduction in known else "mean"
    made = from_canonical(name, alpha, temperature, **held)
    found = to_canonical(name, **made)
    assert found.alpha == pytest.approx(alpha, rel=1e-9, abs=1e-12)
    assert found.temperature == temperature
    defaults = {key: setting.default for key, setting in convention.settings.items()}
    theirs = gradient(FORMULAS[name](z, v, y, **(defaults | made)), z)
    close(found.scale * ours(z, v, y, Canonical(alpha, temperature, 1.0)), theirs)


@names
@given(st.data())
@few
def test_there_and_back_again_is_the_same_setting(name: str, data: st.DataObject) -> None:
    convention = CONVENTIONS[name]
    held = {"num_classes": 7, "batch_size": 4}
    held = {key: value for key, value in held.items() if key in convention.settings}
    given = data.draw(their_settings(convention)) | held
    if has_an_equivalent(name, given):
        there = to_canonical(name, **given)
        felt = ("reduction", "multiplier", "loss_types_1", "distillation_loss_weights")
        held |= {key: given[key] for key in felt if key in given}
        if there.alpha == 1 and convention.hard == "1":
            return
        back = from_canonical(name, there.alpha, there.temperature, **held)
        again = to_canonical(name, **back)
        assert again[:2] == pytest.approx(there[:2], rel=1e-6, abs=1e-9)


@names
def test_extremes_come_back(name: str) -> None:
    known = CONVENTIONS[name].settings
    held = {"num_classes": 1000} if "num_classes" in known else {}
    for asked in itertools.product([0.0, 1e-6, 0.5, 1 - 1e-6, 1.0], [1e-3, 0.1, 1.0, 100.0, 1e4]):
        alpha, temperature = reachable(name, *asked)
        found = to_canonical(name, **from_canonical(name, alpha, temperature, **held))
        # A share that lies next to 1 keeps few digits of what is left of it.
        rounding = 1e-14 * max(1000, temperature**2, temperature**-2)
        assert found.alpha == pytest.approx(alpha, abs=rounding)
        assert found.temperature == temperature and 0 < found.scale < math.inf


# What is known in closed form


@given(st.floats(0, 1), temperatures)
@few
def test_without_t_squared(hard: float, T: float) -> None:
    found = to_canonical("keras-example-2020", alpha=hard, temperature=T)
    alpha = 1 - hard
    assert found.scale == pytest.approx(alpha / T**2 + hard, rel=1e-12)
    assert found.alpha == pytest.approx(alpha / (alpha + hard * T**2), rel=1e-12)


@given(st.floats(0, 1), temperatures, st.integers(2, 1000))
@few
def test_a_mean_over_classes_too(alpha: float, T: float, C: int) -> None:
    found = to_canonical("peterliht", alpha=alpha, temperature=T, num_classes=C)
    assert found.scale == pytest.approx(alpha / C + 1 - alpha, rel=1e-12)
    assert found.alpha == pytest.approx(alpha / (alpha + (1 - alpha) * C), rel=1e-12)


def test_the_article_is_the_canon() -> None:
    assert to_canonical("article") == Canonical(0.7, 3.0, 1.0)
    assert from_canonical("article", 0.2, 5) == {"alpha": 0.2, "temperature": 5.0}


def test_the_same_name_on_the_other_side() -> None:
    for name, alpha in (("transformers-guide", 0.2), ("transformers-guide-2023", 0.8)):
        found = to_canonical(name, temperature=5, lambda_param=0.2)
        assert found.alpha == pytest.approx(alpha)


def test_torchdistill_drops_beta_and_t_squared_at_alpha_0() -> None:
    near = to_canonical("torchdistill", alpha=1e-9, beta=0.5, temperature=4)
    assert near.scale == pytest.approx(0.5) and near.alpha == pytest.approx(1)
    for alpha, beta in ((0, None), (0, 0.5), (0, 7), (None, 0.5)):
        found = to_canonical("torchdistill", alpha=alpha, beta=beta, temperature=4)
        assert found == Canonical(1.0, 4.0, 1 / 16)


@pytest.mark.parametrize(
    ("given", "alpha", "scale"),
    [
        ({}, 0.5, 2.0),
        ({"task_loss_weight": 0.3}, 0.7, 1.0),
        ({"distill_loss_weight": 3}, 0.75, 4.0),
        ({"distill_loss_weight": 3, "task_loss_weight": 2}, 0.6, 5.0),
    ],
)
def test_timm_fills_in_the_other_weight(given: dict, alpha: float, scale: float) -> None:
    found = to_canonical("timm", **given)
    assert found == pytest.approx((alpha, 1.0, scale))


def test_neural_compressor_divides_kl_by_the_classes_and_cross_entropy_not() -> None:
    assert to_canonical("neural-compressor", temperature=4) == Canonical(0.5, 4.0, 1.0)
    found = to_canonical("neural-compressor", temperature=4, loss_types_1="KL", num_classes=9)
    assert found == pytest.approx((0.1, 4.0, 5 / 9))


def test_labml_at_its_settings() -> None:
    # 100 over 10 classes is 10, of the 25 that T^2 would be.
    found = to_canonical("labml", num_classes=10)
    assert found == pytest.approx((0.4 / 0.9, 5.0, 0.9))


def test_distillkit_divides_by_the_sum_of_its_weights() -> None:
    one = to_canonical("distillkit", kl=3, cross_entropy=1, temperature=2)
    assert one == to_canonical("distillkit", kl=0.75, cross_entropy=0.25, temperature=2)
    assert one == Canonical(0.75, 2.0, 1.0)


def test_none_may_be_a_value_of_its_own() -> None:
    example = CONVENTIONS["autogluon"].example
    assert to_canonical("autogluon", **example) == Canonical(1.0, 1.0, 0.1)
    without = {key: value for key, value in example.items() if key != "augment_method"}
    with pytest.raises(ValueError, match="augment_method='spunge'"):
        to_canonical("autogluon", **without)
    assert Setting("number", nullable=True).allows(None) and not Setting("number").allows(None)


def test_sentence_transformers_lets_each_side_override_the_temperature() -> None:
    name = "sentence-transformers"
    assert to_canonical(name, temperature=4) == Canonical(1.0, 4.0, 1.0)
    assert to_canonical(name, student_temperature=3, teacher_temperature=3).temperature == 3
    assert to_canonical(name, temperature=5, student_temperature=5).temperature == 5


def test_new_tensor_cuts_the_graph_as_the_note_on_distiller_says() -> None:
    z = torch.ones(2, 3, requires_grad=True)
    with pytest.warns(UserWarning, match="copy construct"):
        copy = (2 * z).new_tensor(2 * z, requires_grad=True)
    assert copy.is_leaf
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        torch.autograd.grad(copy.sum(), z)


def test_the_logarithm_of_a_zero_spoils_the_tutorials_value_not_its_gradient() -> None:
    z, v, _ = batch(0, 2, 3)
    p, log_q = F.softmax(1e4 * v, -1), F.log_softmax(z, -1)
    loss = torch.sum(p * (p.log() - log_q)) / 2
    assert loss.isnan()
    close(gradient(loss, z), gradient(kl(z, 1e4 * v, 1.0), z))


def test_a_log_target_of_minus_infinity_spoils_the_value_not_the_gradient() -> None:
    z, v, y = batch(0, 2, 3)
    v[0, 0] = -math.inf  # a class that the teacher rules out
    assert kl(z, v, 4.0).isfinite()
    for name in ("deit", "distillkit", "labml", "timm", "trl-gkd"):
        assert "`log_target=True`" in CONVENTIONS[name].note
    given = {"temperature": 4.0, "task_loss_weight": 0.0, "distill_loss_weight": 1.0}
    loss = timm(z, v, y, **given)
    assert loss.isnan()
    close(gradient(loss, z), gradient(16 * kl(z, v, 4.0), z))


def clipped_kl(z: Tensor, v: Tensor, T: float) -> Tensor:
    """Return Keras's divergence: both sides' probabilities are clipped to [1e-7, 1]."""
    p, q = (F.softmax(logits / T, -1).clamp(1e-7, 1.0) for logits in (v, z))
    return (p * (p / q).log()).sum(-1).mean()


@pytest.mark.parametrize(
    ("classes", "spread", "T", "off"),
    [(10, 4.0, 1.0, 0.14), (100, 4.0, 1.0, 0.30), (100, 2.0, 1.0, 0.0), (100, 4.0, 3.0, 0.0)],
)
def test_how_far_kerass_clipping_takes_the_gradient(
    classes: int, spread: float, T: float, off: float
) -> None:
    z, v, _ = batch(0, 4000, classes, spread)
    exact = gradient(kl(z, v, T), z)
    found = (gradient(clipped_kl(z, v, T), z) - exact).norm() / exact.norm()
    assert float(found) == pytest.approx(off, abs=0.02)


def test_keras_leaves_a_student_alone_that_is_sure_and_wrong() -> None:
    v = torch.tensor([[0.0, 40.0]], dtype=torch.float64)
    for gap, alive in ((16.0, True), (16.2, False)):  # log(1e7) is 16.1
        z = torch.tensor([[3 * gap, 0.0]], dtype=torch.float64, requires_grad=True)
        assert (gradient(clipped_kl(z, v, 3.0), z).abs().max() > 0.3) == alive
        assert gradient(kl(z, v, 3.0), z).abs().max() > 0.3


def test_class_weights_divide_labels_by_their_weights_and_soft_targets_by_rows() -> None:
    z, _, y = batch(0, 6, 3)
    w = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    each = F.cross_entropy(z, y, reduction="none")
    labels = F.cross_entropy(z, y, weight=w)
    soft = F.cross_entropy(z, F.one_hot(y, 3).double(), weight=w)
    torch.testing.assert_close(labels, (w[y] * each).sum() / w[y].sum())
    torch.testing.assert_close(soft, (w[y] * each).sum() / len(y))
    assert not torch.isclose(labels, soft)


# What has no equivalent


def has_no_scale(theirs: Tensor, tried: list[Tensor]) -> None:
    """Assert that no multiple of any gradient comes near theirs."""
    for one in tried:
        scale = (theirs * one).sum() / (one * one).sum()
        assert (theirs - scale * one).norm() > 0.05 * theirs.norm()


def rivals(z: Tensor, v: Tensor, y: Tensor) -> list[Tensor]:
    settings = itertools.product([0.0, 0.25, 0.5, 0.75, 1.0], [0.25, 0.5, 1.0, 2.0, 4.0, 8.0])
    return [ours(z, v, y, Canonical(alpha, T, 1.0)) for alpha, T in settings]


def test_decoupled_distillation_is_kl_with_a_weight_for_each_row() -> None:
    z, v, y = batch(0, 6, 5)
    T = 2.0
    log_p, log_q = F.log_softmax(v / T, -1), F.log_softmax(z / T, -1)
    true = F.one_hot(y, 5).bool()

    def parts(logs: Tensor) -> tuple[Tensor, Tensor]:
        rest = logs.masked_fill(true, -math.inf).logsumexp(-1)
        others = logs[~true].view(6, 4)
        return torch.stack([logs[true], rest], -1), others - rest.unsqueeze(-1)

    def divergence(p: Tensor, q: Tensor) -> Tensor:
        return (p.exp() * (p - q)).sum(-1)

    (target_p, others_p), (target_q, others_q) = parts(log_p), parts(log_q)
    target, others = divergence(target_p, target_q), divergence(others_p, others_q)
    close(target + (1 - log_p[true].exp()) * others, divergence(log_p, log_q))
    has_no_scale(gradient((target + 8 * others).mean(), z), rivals(z, v, y))


def test_a_correlation_over_the_batch_ties_the_rows_together() -> None:
    z, v, _ = batch(0, 6, 5)

    def dist(z: Tensor) -> Tensor:
        q, p = F.softmax(z, 1), F.softmax(v, 1)
        rows = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(q, p, strict=True)]
        classes = [torch.corrcoef(torch.stack(pair))[0, 1] for pair in zip(q.T, p.T, strict=True)]
        return 2 - torch.stack(rows).mean() - torch.stack(classes).mean()

    moved = z.detach().clone()
    moved[1:] += batch(1, 5, 5)[0].detach()
    moved.requires_grad_()
    one, other = gradient(dist(z), z)[0], gradient(dist(moved), moved)[0]
    assert (one - other).norm() > 0.1 * one.norm()


def test_a_standardised_row_has_no_gradient_along_itself() -> None:
    z, v, y = batch(0, 6, 5)

    def standardised(z: Tensor) -> Tensor:
        return (z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True)

    theirs = gradient(kl(standardised(z), standardised(v), 2.0), z)
    assert (theirs * z).sum(1).abs().max() < 1e-12
    assert (gradient(kl(z, v, 2.0), z) * z).sum(1).abs().max() > 1e-2
    has_no_scale(theirs, rivals(z, v, y))


@pytest.mark.parametrize("name", NO_EQUIVALENT)
def test_what_has_no_equivalent_says_why(name: str) -> None:
    other = NO_EQUIVALENT[name]
    assert other.title and other.version and other.path and other.link.startswith("https://")
    assert name not in CONVENTIONS
    if other.version.startswith("commit "):
        assert f"/blob/{other.version.removeprefix('commit ')}" in other.link
    for convert in (to_canonical, lambda name: from_canonical(name, 0.5, 2.0)):
        with pytest.raises(ValueError, match=f"^{name} has no equivalent, for ") as caught:
            convert(name)
        assert other.reason in str(caught.value) and "\n" not in str(caught.value)


# What is refused

REFUSED = [
    ("kears", {}, r"^name is 'kears'; it must be one of article, autogluon, .*torchdistill"),
    ("keras", {"alpha": 0.1}, r"^keras has no setting 'alpha'; it has student_loss_weight, temp"),
    ("keras", {"temperature": 0}, r"^temperature of keras is 0; .* above 0, from .*\. See https"),
    ("keras", {"temperature": "3"}, r"^temperature of keras is '3'; it must be a number above 0"),
    ("keras", {"temperature": True}, r"^temperature of keras is True"),
    ("keras", {"temperature": math.nan}, r"^temperature of keras is nan"),
    ("keras", {"temperature": math.inf}, r"^temperature of keras is inf"),
    ("keras", {"temperature": 1e-200}, r"^temperature of keras is 1e-200"),
    ("keras", {"temperature": 1e200}, r"^temperature of keras is 1e\+200"),
    ("keras", {"student_loss_weight": 1.5}, r"is 1\.5; it must be a number from 0 to 1"),
    ("keras", {"student_loss_weight": -0.1}, r"is -0\.1; it must be a number from 0 to 1"),
    ("keras", {"loss": "mse"}, r"'mse'; it must be one of 'KLDivergence', 'kl_divergence', 'cat"),
    ("keras", {"loss": 3}, r"^loss of keras is 3; it must be one of"),
    ("keras", {"loss": "categorical_crossentropy"}, r"^keras with loss='cat.*no equivalent, for"),
    ("keras", {}, r"^keras with loss='kl_divergence' has no equivalent, .* Only loss='KLDiverg"),
    ("kd-lib", {}, r"^kd-lib with distil_weight=0\.5 has no equivalent, for .* squared error"),
    ("textbrewer", {"kd_loss_type": "mse"}, r"^textbrewer with kd_loss_type='mse' has no equiv"),
    ("torchtune", {"kd_loss": "ReverseKLLoss"}, r"^torchtune with kd_loss='Rev.*no equivalent"),
    (
        "distilbert",
        {"alpha_mlm": 1, "alpha_cos": 1},
        r"^distilbert with alpha_cos=1\.0 has no equiv",
    ),
    (
        "distilbert",
        {"alpha_mlm": 1, "alpha_mse": 1},
        r"^distilbert with alpha_mse=1\.0 has no equiv",
    ),
    ("distilbert", {}, r"^distilbert lacks alpha_mlm; .* Give a number above 0, "),
    ("repdistiller", {"alpha": 1, "beta": 2}, r"^repdistiller with beta=2\.0 has no equivalent"),
    ("repdistiller", {"alpha": -1}, r"^alpha of repdistiller is -1; .* finite number, 0 or more"),
    ("repdistiller", {"alpha": 0, "gamma": 0}, r"with 0 T\^2 and CE with 0; that has no equiv"),
    ("repdistiller", {"alpha": 1e308, "gamma": 1e308}, r"their sum must be above 0 and finite"),
    ("repdistiller", {}, r"^repdistiller lacks alpha; without it there is no telling"),
    ("repdistiller", {"alpha": None}, r"^repdistiller lacks alpha"),
    ("torchdistill", {"alpha": 1.5, "temperature": 2}, r"KL with -0\.5 T\^2 .* no equivalent"),
    ("timm", {"task_loss_weight": 2}, r"^timm weighs KL with -1 T\^2 .* no equivalent"),
    ("deit", {"alpha": 0.5, "tau": 1, "distillation_type": "soft"}, r"^deit lacks num_classes"),
    ("peterliht", {"alpha": 0.5, "temperature": 1, "num_classes": 1}, r"whole number, 2 or more"),
    ("peterliht", {"alpha": 0.5, "temperature": 1, "num_classes": 2.5}, r"whole number, 2 or more"),
    ("modelopt", {}, r"^modelopt lacks num_classes; .* Give a whole number, 2 or more"),
    ("modelopt", {"reduction": "sum"}, r"^modelopt lacks batch_size; .* whole number, 1 or more"),
    ("modelopt", {"reduction": "sum", "batch_size": 0}, r"is 0; it must be a whole number, 1"),
    ("modelopt", {"reduction": "sum", "batch_size": 1.5}, r"is 1\.5; it must be a whole number"),
    ("mmrazor", {"reduction": "none"}, r"it must be one of 'batchmean', 'mean', 'sum'"),
    ("tabtune", {}, r"^tabtune with temperature=3\.0 has no equivalent, for the student is temp"),
    ("tabtune", {"student": "lgbm"}, r"^tabtune with student='lgbm' has no equivalent, for that"),
    (
        "tabtune",
        {"temperature": 1},
        r"^tabtune with adaptive_temperature=True has no .* Only adaptive_temperature=False has",
    ),
    (
        "tabtune",
        {"temperature": 1, "adaptive_temperature": False},
        r"^tabtune with confidence_weighting=True has no equivalent, for every row",
    ),
    (
        "tabtune",
        {"temperature": 1, "adaptive_temperature": False, "confidence_weighting": False},
        r"^tabtune with label_smoothing=0\.05 has no equivalent, for the labels",
    ),
    ("tabtune", {"adaptive_temperature": "yes"}, r"is 'yes'; it must be one of True, False"),
    ("trl-gkd", {}, r"^trl-gkd with beta=0\.5 has no equivalent, for at 1 the KL divergence is r"),
    ("trl-gkd", {"beta": 1}, r"^trl-gkd with beta=1\.0 has no equivalent, for at 1 the KL diverg"),
    ("trl-distillation", {}, r"^trl-distillation with beta=1\.0 has no equivalent"),
    ("verl", {}, r"^verl with loss_mode='k3' has no equivalent, for it estimates"),
    (
        "verl",
        CONVENTIONS["verl"].example | {"loss_max_clamp": 10},
        r"^verl with loss_max_clamp=10\.0 has no equivalent, .* Only loss_max_clamp=None has one",
    ),
    ("verl", {"loss_max_clamp": "10"}, r"is '10'; it must be a finite number, or None"),
    (
        "autogluon",
        {"problem_type": "binary", "num_classes": 2},
        r"^autogluon with problem_type='binary' has no equivalent, for with two classes",
    ),
    (
        "autogluon",
        {"problem_type": "multiclass", "num_classes": 9},
        r"^autogluon with augment_method='spunge' has no .* Only augment_method=None has one",
    ),
    ("neural-compressor", {"loss_types_1": "MSE"}, r"it must be one of 'CE', 'KL'"),
    ("neural-compressor", {"loss_types_1": "KL"}, r"^neural-compressor lacks num_classes"),
    ("mmdet", {"num_classes": 9, "reduction": "sum"}, r"^mmdet lacks batch_size"),
    ("mmdet", {"num_classes": 9, "T": 0.5}, r"^T of mmdet is 0\.5; it must be a number from 1 to"),
    ("distillkit", {"kl": 0, "cross_entropy": 0}, r"with 0 T\^2 and CE with 0; that has no equiv"),
    ("kd-zoo", {"kd_mode": "logits"}, r"^kd-zoo with kd_mode='logits' has no equivalent, for a sq"),
    ("torchdistill", {"temperature": 2}, r"^torchdistill with neither alpha nor beta has no equ"),
    ("setfit", {}, r"^setfit has no equivalent, for it learns the cosines .*\. See https://github"),
    (
        "paddleslim",
        {"teacher_temperature": 2},
        r"^paddleslim with teacher_temperature=2, student_temperature=1 has no equivalent",
    ),
    (
        "sentence-transformers",
        {"temperature": 2, "teacher_temperature": 3},
        r"^sentence-transformers with student_temperature=2, teacher_temperature=3 has no equiv",
    ),
]


@pytest.mark.parametrize(("name", "given", "message"), REFUSED)
def test_what_cannot_be_converted_is_refused_in_one_line(
    name: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        to_canonical(name, **given)
    assert "\n" not in str(caught.value)


REFUSED_BACK = [
    ("kears", 0.5, 2, {}, ValueError, r"^name is 'kears'; it must be one of article"),
    ("keras", 1.5, 2, {}, ValueError, r"^alpha is 1\.5; it must be a number from 0 to 1"),
    ("keras", 0.5, 0, {}, ValueError, r"^temperature is 0; it must be a finite number above 0"),
    ("keras", "a", 2, {}, TypeError, r"^alpha is 'a'"),
    ("keras", 0.5, 1e-200, {}, ValueError, r"^temperature of keras is 1e-200; it must be"),
    ("keras", 0.5, 1e200, {}, ValueError, r"^temperature of keras is 1e\+200; it must be"),
    ("torchdistill", 0.5, 1e-200, {}, ValueError, r"^temperature of torchdistill is 1e-200"),
    ("keras", 0.5, 2, {"speed": 1}, ValueError, r"^keras has no setting 'speed'"),
    ("keras", 0.5, 2, {"student_loss_weight": 0.5}, ValueError, r"0\.5, and keras needs it"),
    ("mdistiller", 0.5, 2, {"TEMPERATURE": 5}, ValueError, r"^TEMPERATURE is 5, and mdistiller"),
    ("torchtune", 0.5, 2, {}, ValueError, r"^torchtune has no equivalent of temperature 2, for"),
    ("mmrazor", 1, 2, {}, ValueError, r"^mmrazor has no equivalent of alpha 1, for its labels"),
    ("kd-zoo", 0.5, 2, {"kd_mode": "logits"}, ValueError, r"^kd-zoo with kd_mode='logits' has no"),
    ("tabtune", 0.5, 3, {}, ValueError, r"^tabtune has no equivalent of temperature 3, for it ta"),
    ("mmdet", 1, 0.5, {"num_classes": 9}, ValueError, r"^T of mmdet is 0\.5; .* number from 1 to"),
    ("dkd", 0.5, 2, {}, ValueError, r"^dkd has no equivalent, for it weighs the classes that are"),
    ("tinybert", 0.5, 2, {"num_classes": 3}, ValueError, r"no equivalent of an alpha below 1"),
    ("tinybert", 1, 2, {}, ValueError, r"^tinybert lacks num_classes"),
    ("distilbert", 1, 2, {}, ValueError, r"^alpha_mlm of distilbert is 0\.0; .* above 0"),
    ("kd-lib", 0.5, 2, {}, ValueError, r"^kd-lib with distil_weight=0\.5 has no equivalent"),
    ("repdistiller", 0.5, 2, {"beta": 1}, ValueError, r"^repdistiller with beta=1\.0 has no equiv"),
    ("modelopt", 0.5, 2, {}, ValueError, r"^modelopt lacks num_classes"),
]


@pytest.mark.parametrize(("name", "alpha", "T", "held", "error", "message"), REFUSED_BACK)
def test_what_cannot_be_converted_back_is_refused_in_one_line(
    name: str,
    alpha: Any,
    T: Any,
    held: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        from_canonical(name, alpha, T, **held)
    assert "\n" not in str(caught.value)


def test_numbers_of_any_kind_will_do() -> None:
    expected = to_canonical("keras-example", alpha=0.5, temperature=2)
    for cast in (np.float64, np.float32):
        assert to_canonical("keras-example", alpha=cast(0.5), temperature=cast(2)) == expected
    assert to_canonical("modelopt", num_classes=np.int64(4)) == to_canonical(
        "modelopt", num_classes=4.0
    )


# What is written down


@names
def test_an_entry_is_complete(name: str) -> None:
    c = CONVENTIONS[name]
    assert c.title and c.version and c.path and c.link.startswith("https://")
    if c.version.startswith("commit "):
        commit = c.version.removeprefix("commit ")
        assert f"/blob/{commit}" in c.link and c.path.split(",")[0] in c.link
    weights = {c.soft.removeprefix("1 - "), c.hard.removeprefix("1 - ")} - {"0", "1"}
    assert weights | set(c.temperature) | set(c.only) <= set(c.settings)
    for setting in c.settings.values():
        assert setting.default is None or setting.allows(setting.default)
        assert setting.default is None or not setting.required
    assert to_canonical(name, **c.example)
    assert FORMULAS.keys() == CONVENTIONS.keys()


@names
@given(batches(), st.data())
@few
def test_the_formula_that_is_shown_is_the_one_that_is_tested(
    name: str, data_batch: tuple[Tensor, ...], data: st.DataObject
) -> None:
    z, v, y = data_batch
    c = CONVENTIONS[name]
    made = data.draw(their_settings(c)) | sizes(c, z)
    if not has_an_equivalent(name, made):
        return
    for key in ("reduction", "student_temperature", "teacher_temperature"):
        if key in made and name != "paddleslim":  # shown for what these are by default
            made[key] = c.settings[key].default
    T = made[c.temperature[0]] if c.temperature else 1.0
    T = made["temperature"] if name == "sentence-transformers" else T
    if name == "neural-compressor":
        made["loss_types_1"] = "CE"  # shown for this one too
    parts = {
        "KL": kl(z, v, T),
        "CE": F.cross_entropy(z, y),
        "MSE": F.mse_loss(F.softmax(z / T, 1), F.softmax(v / T, 1)),
    }
    shown = eval(c.loss, {}, c.fill(made) | parts)
    close(gradient(shown, z), gradient(FORMULAS[name](z, v, y, **made), z))


def test_the_page_lists_every_convention_and_its_examples_hold() -> None:
    pytest.importorskip("sphinx")
    path = ROOT / "book" / "_ext" / "distill_book.py"
    spec = importlib.util.spec_from_file_location("distill_book", path)
    assert spec is not None and spec.loader is not None
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    page = ROOT / "book" / "conventions.md"
    content = [page.read_text(encoding="utf-8")]
    extension.list_conventions(None, "book/conventions", content)
    assert "<!-- conventions" not in content[0]
    for name, convention in CONVENTIONS.items():
        assert content[0].count(f"| `{name}` |") == 1
        assert f"`{convention.loss}`" in content[0] and convention.link in content[0]
    for name, other in NO_EQUIVALENT.items():
        assert f"**`{name}`**" in content[0] and other.reason in content[0]
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried > 3 and not failed


# The libraries themselves, where they are installed


def assert_alike(name: str, run: Callable[..., Tensor], rtol: float = 1e-6, **given: Any) -> None:
    """Hold a library's own value and gradient to the formula above, and the gradient to ours."""
    for seed in range(3):
        z, v, y = batch(seed, 4, 5)
        full = sizes(CONVENTIONS[name], z) | given
        loss = run(z, v, y)
        theirs = gradient(loss, z)
        close(ours(z, v, y, to_canonical(name, **full)), theirs, rtol)
        defaults = {key: s.default for key, s in CONVENTIONS[name].settings.items()}
        formula = FORMULAS[name](z, v, y, **(defaults | full))
        close(gradient(formula, z), theirs, rtol)
        close(formula.detach(), loss.detach().to(formula.dtype), rtol)


def installed(package: str, path: str, name: str = "alone") -> Any:
    """Run one file of an installed package, and nothing else of it."""
    try:
        file = Path(str(importlib.metadata.distribution(package).locate_file(path)))
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{package} is not installed")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.3, None), (0.3, 2.0), (0.0, 2.0), (1.0, None)])
def test_torchdistill_itself(alpha: float, beta: float | None, reduction: str) -> None:
    mid_level = pytest.importorskip("torchdistill.losses.mid_level")
    loss = mid_level.KDLoss(".", "output", ".", "output", 4.0, alpha, beta, reduction)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return loss({".": {"output": z}}, {".": {"output": v}}, y)

    given = {"alpha": alpha, "beta": beta, "reduction": reduction, "temperature": 4.0}
    assert_alike("torchdistill", run, **given)


@pytest.mark.parametrize("alpha", [0.3, None])
def test_torchdistill_is_bare_without_targets_or_alpha(alpha: float | None) -> None:
    mid_level = pytest.importorskip("torchdistill.losses.mid_level")
    loss = mid_level.KDLoss(".", "output", ".", "output", 4.0, alpha, 0.5)
    z, v, y = batch(0, 4, 5)
    found = loss({".": {"output": z}}, {".": {"output": v}}, y if alpha is None else None)
    close(found.detach(), kl(z, v, 4.0).detach())


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras", minversion="3.12")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield keras
    keras.config.set_floatx(before)


def keras_loss(
    keras: Any, z: Tensor, v: Tensor, y: Tensor, losses: Any, asked: Any = None, **settings: Any
) -> tuple[Tensor, Tensor]:
    """Return the loss of Keras's Distiller and its gradient for the student's logits."""
    networks = []
    # One layer whose weights are the logits: for the unit vectors it returns them.
    for logits in (z, v):
        layer = keras.layers.Dense(
            z.shape[1], use_bias=False, kernel_regularizer=settings.pop("regularizer", None)
        )
        networks.append(keras.Sequential([keras.Input((len(z),)), layer]))
        layer.set_weights([logits.detach().numpy()])
    student, teacher = networks
    distiller = keras.distillation.Distiller(teacher, student, losses, **settings)
    distiller.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    units = torch.eye(len(z), dtype=torch.float64)
    loss = distiller.compute_loss(units, y, student(units, training=True), asked)
    slope = gradient(loss, student.trainable_variables[0].value)
    return loss.detach(), slope.double()


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_keras_itself(weight: float, listed: bool, keras: Any) -> None:
    for seed in range(3):
        z, v, y = batch(seed, 4, 5, spread=2.0)
        soft = keras.distillation.LogitsDistillation(temperature=4.0, loss="KLDivergence")
        losses, weights = ([soft], [2.5]) if listed else (soft, [2.5])
        _, theirs = keras_loss(
            keras,
            z,
            v,
            y,
            losses,
            distillation_loss_weights=weights,
            student_loss_weight=weight,
        )
        given = {
            "student_loss_weight": weight,
            "temperature": 4.0,
            "distillation_loss_weights": 2.5 if listed else 1.0,
            "loss": "KLDivergence",
        }
        # A Keras model multiplies in float32, whatever its weights are.
        close(ours(z, v, y, to_canonical("keras", **given)), theirs, rtol=1e-4)
        close(gradient(keras_3(z, v, y, **given), z), theirs, rtol=1e-4)


def test_keras_drops_sample_weights_and_regularisation(keras: Any) -> None:
    z, v, y = batch(0, 4, 5, spread=2.0)
    soft = keras.distillation.LogitsDistillation(temperature=4.0, loss="KLDivergence")
    plain, _ = keras_loss(keras, z, v, y, soft)
    weighed, _ = keras_loss(keras, z, v, y, soft, torch.tensor([9.0, 1.0, 1.0, 1.0]))
    regular, _ = keras_loss(keras, z, v, y, soft, regularizer="l2")
    assert float(plain) == float(weighed) == float(regular)


def test_keras_clips(keras: Any) -> None:
    soft = keras.distillation.LogitsDistillation(temperature=1.0, loss="KLDivergence")
    for spread in (2.0, 8.0):
        z, v, _ = batch(0, 20, 9, spread)
        theirs = soft.compute_loss(v, z)
        close(clipped_kl(z, v, 1.0).detach(), theirs.detach().double(), rtol=1e-4)
        close(gradient(clipped_kl(z, v, 1.0), z), gradient(theirs, z), rtol=1e-4)


def test_keras_by_default_takes_no_softmax(keras: Any) -> None:
    # Should this fail, Keras has been mended, and its entry must follow.
    z, v, _ = batch(0, 4, 5)
    default = gradient(keras.distillation.LogitsDistillation(4.0).compute_loss(v, z), z)
    named = gradient(
        keras.distillation.LogitsDistillation(4.0, "KLDivergence").compute_loss(v, z), z
    )
    close(named, gradient(16 * kl(z, v, 4.0), z))
    # A softmax's gradient sums to 0 over the classes; this one does not.
    assert named.sum(1).abs().max() < 1e-12 < 1e-3 < default.sum(1).abs().max()


@pytest.mark.parametrize("reduction", ["batchmean", "mean", "sum"])
def test_modelopt_itself(reduction: str) -> None:
    losses = pytest.importorskip("modelopt.torch.distill.losses")
    balancers = pytest.importorskip("modelopt.torch.distill.loss_balancers")
    soft = losses.LogitsDistillationLoss(temperature=4.0, reduction=reduction)
    with pytest.warns(UserWarning, match="do not sum to 1"):
        balance = balancers.StaticLossBalancer(0.3)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        parts = {balancers.STUDENT_LOSS_KEY: F.cross_entropy(z, y), "soft_0": soft(z, v)}
        return balance(parts)

    assert_alike("modelopt", run, temperature=4.0, reduction=reduction, kd_loss_weight=0.3)


def test_torchtune_itself() -> None:
    kd_losses = installed("torchtune", "torchtune/modules/loss/kd_losses.py")
    soft = kd_losses.ForwardKLLoss()

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return (1 - 0.3) * F.cross_entropy(z, y) + 0.3 * soft(z, v, y)

    assert_alike("torchtune", run, rtol=1e-4, kd_ratio=0.3)  # it computes in float32


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_sentence_transformers_itself(temperature: float) -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    loss = losses.DistillKLDivLoss(torch.nn.Identity(), temperature=temperature)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        query = torch.ones(len(z), 1, dtype=torch.float64)
        return loss.compute_loss_from_embeddings([query, *z.unsqueeze(-1).unbind(1)], v)

    assert_alike("sentence-transformers", run, temperature=temperature)


def test_textbrewer_itself() -> None:
    losses = pytest.importorskip("textbrewer.losses")

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return 2.0 * losses.kd_ce_loss(z, v, temperature=8) + 0.5 * F.cross_entropy(z, y)

    assert_alike("textbrewer", run, temperature=8, kd_loss_weight=2.0, hard_label_weight=0.5)


@pytest.mark.parametrize(("alpha", "temperature"), [(0.7, 1.0), (0.3, 3.0)])
def test_tabtune_itself(alpha: float, temperature: float) -> None:
    module = installed("tabtune", "tabtune/distillation/students/mlp_student.py")
    student = module.MLPStudent(alpha=alpha, temperature=temperature, label_smoothing=0.0)
    given = CONVENTIONS["tabtune"].example | {"alpha": alpha, "temperature": temperature}

    def run(z: Tensor, p: Tensor, y: Tensor) -> Tensor:
        rows = torch.ones(len(z), dtype=torch.float64)
        return student._compute_loss(z, y, p, rows, temperature * rows)

    if temperature == 1:
        assert_alike("tabtune", lambda z, v, y: run(z, F.softmax(v, -1), y), **given)
    z, v, y = batch(0, 4, 5)
    loss, formula = run(z, F.softmax(v, -1), y), tabtune(z, v, y, **({"student": "mlp"} | given))
    close(formula.detach(), loss.detach())
    close(gradient(formula, z), gradient(loss, z))
    # A teacher that is tempered already makes it ours at that temperature.
    found = gradient(run(z, F.softmax(v / temperature, -1), y), z)
    close(ours(z, v, y, Canonical(alpha, temperature, 1.0)), found)


class Answer:
    """A causal model's answer: the logits of two positions, of which the first has a label."""

    def __init__(self, logits: Tensor) -> None:
        self.logits = torch.stack([logits, torch.zeros_like(logits)], 1)


def test_trls_gkd_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gkd = pytest.importorskip("trl.experimental.gkd.gkd_trainer", exc_type=ImportError)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        trainer = types.SimpleNamespace(
            teacher_model=Network(v),
            beta=0.0,
            temperature=0.9,
            generalized_jsd_loss=gkd.GKDTrainer.generalized_jsd_loss,
        )
        labels = torch.stack([torch.full_like(y, -100), y], 1)
        inputs = {"input_ids": labels, "attention_mask": labels, "labels": labels}
        return gkd.GKDTrainer.compute_loss(trainer, Network(z), inputs)

    assert_alike("trl-gkd", run, beta=0.0, temperature=0.9)
    z, v, _ = batch(0, 4, 5)
    jsd = gkd.GKDTrainer.generalized_jsd_loss
    close(jsd(z, v, beta=0, temperature=4.0).detach(), kl(z, v, 4.0).detach())
    close(jsd(z, v, beta=1, temperature=4.0).detach(), kl(v, z, 4.0).detach())


class Network(torch.nn.Module):
    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, **inputs: Tensor) -> Answer:
        return Answer(self.logits)


def test_trls_distillation_itself() -> None:
    trainer = pytest.importorskip("trl.trainer.distillation_trainer", exc_type=ImportError)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        head = torch.eye(z.shape[1])
        mask = torch.ones(len(z), 1)
        hidden = (z.float().unsqueeze(1), v.float().unsqueeze(1))
        divergence = trainer._chunked_divergence_loss
        return divergence(*hidden, head, head, mask, 0.0, temperature=4.0)[0]

    assert_alike("trl-distillation", run, rtol=1e-4, beta=0.0, temperature=4.0)  # float32


def test_verl_itself() -> None:
    losses = pytest.importorskip("verl.trainer.distillation.fsdp.losses", exc_type=ImportError)
    agg_loss = pytest.importorskip("verl.trainer.ppo.core_algos", exc_type=ImportError).agg_loss

    def run(z: Tensor, v: Tensor, y: Tensor, clamp: float | None = None) -> Tensor:
        log_p = F.log_softmax(v, -1)
        config = types.SimpleNamespace(
            distillation_loss=types.SimpleNamespace(log_prob_min_clamp=clamp)
        )
        nested = [
            torch.nested.nested_tensor([value], layout=torch.jagged)
            for value in (log_p, torch.arange(z.shape[1]).expand(z.shape))
        ]
        found = losses.compute_forward_kl_topk(z.unsqueeze(0), *nested, config, "thd")
        each = found["distillation_losses"]
        return agg_loss(each, torch.ones_like(each), "token-mean")

    assert_alike("verl", run, rtol=1e-4, **CONVENTIONS["verl"].example)  # it computes in float32
    # With the default clamp a student that is sure and wrong has no gradient.
    z = torch.tensor([[11.0, 0.0]], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([[0.0, 11.0]], dtype=torch.float64)
    y = torch.tensor([1])
    assert gradient(run(z, v, y), z).abs().max() > 0.9
    assert gradient(run(z, v, y, -10.0), z).abs().max() < 1e-3


@pytest.mark.parametrize("kind", ["CE", "KL"])
def test_neural_compressor_itself(kind: str) -> None:
    criterions = pytest.importorskip(
        "neural_compressor.compression.distillation.criterions", exc_type=ImportError
    )
    loss = criterions.PyTorchKnowledgeDistillationLoss(4.0, ["CE", kind], [0.75, 0.25])

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return loss.loss_cal_sloss(z, v, loss.loss_cal(z, y))

    assert_alike("neural-compressor", run, temperature=4.0, loss_weights_1=0.25, loss_types_1=kind)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_mmdet_itself(reduction: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its package needs compiled operators that its loss does not.
    registry = types.ModuleType("mmdet.registry")
    registry.MODELS = types.SimpleNamespace(register_module=lambda: lambda cls: cls)
    monkeypatch.setitem(sys.modules, "mmdet.registry", registry)
    for name in ("mmdet", "mmdet.models", "mmdet.models.losses"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    utils = installed("mmdet", "mmdet/models/losses/utils.py")
    monkeypatch.setitem(sys.modules, "mmdet.models.losses.utils", utils)
    module = installed("mmdet", "mmdet/models/losses/kd_loss.py", "mmdet.models.losses.kd_loss")
    loss = module.KnowledgeDistillationKLDivLoss(reduction, 2.0, T=4)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        return loss(z, v)

    assert_alike("mmdet", run, T=4.0, loss_weight=2.0, reduction=reduction)


def test_labml_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("labml_nn.distillation", exc_type=(ImportError, RuntimeError))
    keys = "kl_div_loss", "loss_func", "temperature", "soft_targets_weight", "label_loss_weight"
    own = {key: getattr(module.Configs, key).value for key in keys}
    seen: dict[str, Tensor] = {}
    tracker = types.SimpleNamespace(add=seen.update, save=lambda: None)
    monkeypatch.setattr(module, "tracker", tracker)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        """Return the loss that its step computes and hands to nobody but the tracker."""
        evaluating = types.SimpleNamespace(is_train=False)
        measure = MagicMock()
        networks = {"model": MagicMock(return_value=z), "large": MagicMock(return_value=v)}
        config = types.SimpleNamespace(
            **own, **networks, mode=evaluating, device="cpu", accuracy=measure
        )
        module.Configs.step(config, (torch.zeros(1), y), None)
        return seen["loss."]

    assert_alike("labml", run)


def test_autogluon_itself() -> None:
    modules = pytest.importorskip(
        "autogluon.tabular.models.tabular_nn.torch.torch_network_modules", exc_type=ImportError
    )
    models = pytest.importorskip("autogluon.tabular.models", exc_type=ImportError)

    def run(z: Tensor, v: Tensor, y: Tensor) -> Tensor:
        network = modules.EmbedNet.__new__(modules.EmbedNet)
        torch.nn.Module.__init__(network)
        kind = types.SimpleNamespace(problem_type="softclass")
        loss = models.TabularNeuralNetTorchModel._get_default_loss_function(kind)
        network.problem_type, network.device = "softclass", "cpu"
        network.forward = lambda batch: F.log_softmax(batch[0], 1)
        return network.compute_loss([z, F.softmax(v, 1)], loss)

    example = {"problem_type": "multiclass", "augment_method": None}
    assert_alike("autogluon", run, **example)


def test_torchtune_counts_infinite_logits_as_0() -> None:
    kd_losses = installed("torchtune", "torchtune/modules/loss/kd_losses.py")
    z, v, y = batch(0, 2, 4)
    ruled_out = z.detach().clone()
    ruled_out[:, 0] = -math.inf
    p, log_q = F.softmax(v, -1), F.log_softmax(ruled_out, -1)
    assert kl(ruled_out, v, 1.0).isinf()
    theirs = kd_losses.ForwardKLLoss()(ruled_out, v, y)
    close(theirs.double(), -(p * log_q)[:, 1:].sum(-1).mean(), rtol=1e-5)

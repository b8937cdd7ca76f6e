"""Settings to ours and back: every loss against its formula, closed forms, and what is refused."""

from __future__ import annotations

import doctest
import importlib.metadata
import importlib.util
import itertools
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from library_formulas import FORMULAS, batch, clipped_kl, close, gradient, kl, ours, sizes, timm
from torch import Tensor

from distill_helpers.conventions import Canonical, from_canonical, to_canonical
from distill_helpers.libraries import CONVENTIONS, NO_EQUIVALENT, Convention, Setting

ROOT = Path(__file__).parent.parent
few = settings(max_examples=20, deadline=None)
temperatures = st.floats(-1, 2).map(lambda exponent: 10.0**exponent)
names = pytest.mark.parametrize("name", CONVENTIONS)
# PyTorch warns that "mean" divides by the classes, and that a later release will not.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")


# What a test draws


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, ...]:
    seed, spread = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.1, 1.0, 5.0, 30.0]))
    return batch(seed, draw(st.integers(1, 6)), draw(st.integers(2, 12)), spread)


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


def test_losses_over_written_tokens_send_the_reader_to_chapter_09() -> None:
    sent = {name for name, c in CONVENTIONS.items() if re.search(r"\b[Cc]hapter 09\b", c.note)}
    assert sent == {"distillkit", "torchtune", "trl-distillation", "trl-gkd", "verl"}
    # Of the others, only a script that fills in masked words speaks of tokens.
    spoken = {name for name, c in CONVENTIONS.items() if re.search("token|top k|topk", c.note)}
    assert spoken - sent == {"distilbert"}


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
    whole = target + (1 - log_p[true].exp()) * others
    close(whole.detach(), divergence(log_p, log_q).detach())
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
    (
        "distilbert",
        1,
        2,
        {},
        ValueError,
        r"^distilbert has no equivalent of alpha 1 at temperature 2: its alpha_mlm would be 0, and",
    ),
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


@pytest.mark.parametrize("name", [name for name in CONVENTIONS if name.startswith("keras")])
def test_every_entry_of_keras_warns_of_its_clipping(name: str) -> None:
    assert "clips probabilities at 1e-7" in CONVENTIONS[name].note

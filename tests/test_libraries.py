"""The libraries' own code against the formulas and against ours, where they are installed."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import importlib.util
import inspect
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
from library_formulas import (
    FORMULAS,
    batch,
    clipped_kl,
    close,
    gradient,
    keras_3,
    kl,
    ours,
    sizes,
    tabtune,
)
from torch import Tensor

from distill_helpers.conventions import Canonical, to_canonical
from distill_helpers.libraries import CONVENTIONS
from distill_helpers.sequences import (
    Chain,
    divergence,
    generalized_jsd,
    random_chain,
    student_gradient,
)

# PyTorch warns that "mean" divides by the classes, and that a later release will not.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")


def assert_alike(
    name: str, run: Callable[..., Tensor], *, single: bool = False, **given: Any
) -> None:
    """Hold a library's own value and gradient to the formula above, and the gradient to ours."""
    for seed in range(3):
        z, v, y = batch(seed, 4, 5)
        full = sizes(CONVENTIONS[name], z) | given
        loss = run(z, v, y)
        theirs = gradient(loss, z)
        close(ours(z, v, y, to_canonical(name, **full)), theirs, single=single)
        defaults = {key: s.default for key, s in CONVENTIONS[name].settings.items()}
        formula = FORMULAS[name](z, v, y, **(defaults | full))
        close(gradient(formula, z), theirs, single=single)
        close(formula.detach(), loss.detach().to(formula.dtype), single=single)


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
        close(ours(z, v, y, to_canonical("keras", **given)), theirs, single=True)
        close(gradient(keras_3(z, v, y, **given), z), theirs, single=True)


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
        close(clipped_kl(z, v, 1.0).detach(), theirs.detach().double(), single=True)
        close(gradient(clipped_kl(z, v, 1.0), z), gradient(theirs, z), single=True)


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

    assert_alike("torchtune", run, single=True, kd_ratio=0.3)  # it computes in float32


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


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_trls_gkd_is_chapter_09s_divergence_meant_over_tokens(beta: float, masked: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gkd = pytest.importorskip("trl.experimental.gkd.gkd_trainer", exc_type=ImportError)
    # A token in each context once: the contexts that a label keeps are the states, all alike.
    kept = np.array([1, 0, 1, 1, 0, 1]) if masked else np.ones(6)
    table = random_chain(6, 1, 0.5, seed=4).table
    p, q = Chain(table, 1, kept / kept.sum()), random_chain(6, 1, 0.5, seed=5)
    z, v = (torch.tensor(np.log(chain.table)).unsqueeze(0) for chain in (q, p))
    labels = torch.tensor(np.where(kept == 1, np.arange(6), -100)).unsqueeze(0)
    z.requires_grad_()
    theirs = gkd.GKDTrainer.generalized_jsd_loss(z, v, labels=labels, beta=beta)
    if beta in (0, 1):
        direction = "forward" if beta == 0 else "reverse"
        expected = divergence(p, q, 1, direction=direction).sum()
    else:
        expected = (p.start * generalized_jsd(p.table, q.table, beta)).sum()
    assert float(theirs.detach()) == pytest.approx(float(expected), rel=1e-12)
    slope = gradient(theirs, z).squeeze(0).numpy()
    np.testing.assert_allclose(slope, student_gradient(p, q, 1, beta=beta), rtol=0, atol=1e-12)
    # Without labels it adds the tokens of a text up, and takes the mean over texts.
    texts = gkd.GKDTrainer.generalized_jsd_loss(z.expand(2, -1, -1), v.expand(2, -1, -1), beta=beta)
    if not masked:
        assert float(texts.detach()) == pytest.approx(6 * float(expected), rel=1e-12)


def test_trls_gkd_has_the_settings_and_defaults_that_chapter_09_names() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gkd = pytest.importorskip("trl.experimental.gkd", exc_type=ImportError)
    defaults = {field.name: field.default for field in dataclasses.fields(gkd.GKDConfig)}
    named = {
        "beta": 0.5,
        "lmbda": 0.5,
        "temperature": 0.9,
        "max_new_tokens": 128,
        "seq_kd": False,
    }
    assert {name: defaults[name] for name in named} == named
    # `lmbda` is the student's share: a step below it makes the student write, before the loss
    step = inspect.getsource(gkd.GKDTrainer.training_step)
    assert step.index("random.random() <= self.lmbda") < step.index("unwrapped_model, inputs")
    assert step.index("unwrapped_model, inputs") < step.index("elif self.seq_kd")


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

    assert_alike("trl-distillation", run, single=True, beta=0.0, temperature=4.0)  # float32


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

    assert_alike("verl", run, single=True, **CONVENTIONS["verl"].example)  # it computes in float32
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
    close(theirs.double(), -(p * log_q)[:, 1:].sum(-1).mean(), single=True)

"""Every library's loss once more, in plain PyTorch, and what the tests of them share."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from distill_helpers.conventions import Canonical
from distill_helpers.libraries import Convention
from distill_helpers.losses import distillation_loss

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


def clipped_kl(z: Tensor, v: Tensor, T: float) -> Tensor:
    """Return Keras's divergence: both sides' probabilities are clipped to [1e-7, 1]."""
    p, q = (F.softmax(logits / T, -1).clamp(1e-7, 1.0) for logits in (v, z))
    return (p * (p / q).log()).sum(-1).mean()


# What the tests share


def batch(seed: int, rows: int, classes: int, spread: float = 3.0) -> tuple[Tensor, ...]:
    """Return a student's logits, a teacher's logits and labels."""
    g = torch.Generator().manual_seed(seed)
    z, v = spread * torch.randn(2, rows, classes, generator=g, dtype=torch.float64)
    return z.requires_grad_(), v, torch.randint(classes, (rows,), generator=g)


def sizes(convention: Convention, z: Tensor) -> dict[str, int]:
    """Return the sizes of a batch that a convention asks for."""
    found = {"num_classes": z.shape[1], "batch_size": z.shape[0]}
    return {key: value for key, value in found.items() if key in convention.settings}


def gradient(loss: Tensor, z: Tensor) -> Tensor:
    return torch.autograd.grad(loss, z)[0]


def ours(z: Tensor, v: Tensor, y: Tensor, found: Canonical) -> Tensor:
    p = F.softmax(v / found.temperature, -1)
    loss = distillation_loss(z, p, y, temperature=found.temperature, alpha=found.alpha)
    return found.scale * gradient(loss, z)


def close(actual: Tensor, expected: Tensor, *, single: bool = False) -> None:
    """Hold two to each other at 1e-6: each entry, or in float32 each against the largest."""
    size = float(expected.abs().max())
    rtol, atol = (0.0, 1e-6 * size) if single else (1e-6, 1e-14 + 1e-9 * size)
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)

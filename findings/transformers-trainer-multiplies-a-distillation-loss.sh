#!/usr/bin/env bash
# transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
#
# One would guess: a Trainer whose compute_loss returns the mean of a
#   distillation loss gets the same gradient from one batch of 8 as from 4
#   accumulated batches of 2. The guide says to take `num_items_in_batch` as an
#   argument "so" that Trainer divides.
# What happens: Trainer looks at the *network's* forward. Where that takes
#   **kwargs, as BERT's and Llama's do, it leaves the division by the number of
#   accumulation steps to compute_loss. One that does not divide itself gets a
#   gradient and a logged loss 4 times too large. No warning.
# Why it matters: distillation with Trainer is usually written just so.
#   Clipping at 1 then cuts where it should not, SGD takes 4 times the step, and
#   runs with different accumulation are not comparable. Adam hides it.
# Instead: set `trainer.model_accepts_loss_kwargs = False` after construction
#   (asserted below), or return the sum divided by num_items_in_batch.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 accelerate==1.15.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import sys
import warnings

import torch
import transformers
from torch.nn import functional as F
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments

print("transformers", transformers.__version__)
transformers.logging.set_verbosity_error()


def network(seed):
    torch.manual_seed(seed)
    sizes = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    still = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    return BertForSequenceClassification(BertConfig(vocab_size=50, num_labels=4, initializer_range=0.3, **sizes, **still))


teacher = network(1).eval()
draw = torch.Generator().manual_seed(0)
rows = [
    {"input_ids": torch.randint(1, 50, (8,), generator=draw), "labels": torch.randint(0, 4, (), generator=draw)}
    for _ in range(8)
]


class Distil(Trainer):
    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        out = model(**inputs)
        with torch.no_grad():
            soft = F.softmax(teacher(**inputs).logits / 2, -1)
        loss = 4 * F.kl_div(F.log_softmax(out.logits / 2, -1), soft, reduction="batchmean")
        return (loss, out) if return_outputs else loss


class Watch(TrainerCallback):
    def on_pre_optimizer_step(self, args, state, control, model=None, **rest):
        self.gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).clone()

    def on_log(self, args, state, control, logs=None, **rest):
        self.loss = float(logs.get("loss", getattr(self, "loss", 0)))


def one_step(size, steps, repair=False):
    watch = Watch()
    arguments = TrainingArguments(
        sys.argv[1],
        per_device_train_batch_size=size,
        gradient_accumulation_steps=steps,
        max_steps=1,
        max_grad_norm=0,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Distil(network(0), arguments, train_dataset=rows, callbacks=[watch])
    trainer.remove_callback(transformers.PrinterCallback)
    if repair:
        trainer.model_accepts_loss_kwargs = False
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", UserWarning)
        trainer.train()
    return watch.gradient, watch.loss, [w for w in warned if "loss" in str(w.message).lower()]


whole, loss, _ = one_step(8, 1)
split, split_loss, warned = one_step(2, 4)
repaired, repaired_loss, _ = one_step(2, 4, repair=True)
print(f"8 x 1: loss {loss:.4f} gradient {whole.norm():.4f}")
print(f"2 x 4: loss {split_loss:.4f} gradient {split.norm():.4f}")
print(f"2 x 4, model_accepts_loss_kwargs off: loss {repaired_loss:.4f} gradient {repaired.norm():.4f}")
assert not warned
assert (split - 4 * whole).norm() < 1e-4 * split.norm()
assert abs(split_loss - 4 * loss) < 0.01 * split_loss
assert (repaired - whole).norm() < 1e-4 * whole.norm()
PY
HF_HUB_OFFLINE=1 "$dir/venv/bin/python" "$dir/run.py" "$dir/out"

#!/usr/bin/env bash
# peft 0.21.2, transformers 5.24.0, torch 2.13.0.
#
# One would guess: `with model.disable_adapter():` answers as the base model
#   did, whatever the adapter's initialisation; its docstring says so.
# What happens: init_lora_weights="pissa" and "olora" move part of each weight
#   out of the base layer into the adapter. Together they still give the base
#   model; with the adapter off a damaged model is left. It holds before the
#   first step and no warning is given. Default, gaussian, orthogonal and DoRA
#   do give the base model back.
# Why it matters: one network with its adapter switched off is the cheap teacher
#   (or KL reference) of self-distillation. With these two the student is pulled
#   towards a network nobody trained; the loss is not 0 at the start, where
#   teacher and student are the same.
# Instead: assert KL = 0 before the first step, or load the teacher on its own.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 transformers==5.24.0 peft==0.21.2 accelerate==1.15.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import warnings

import peft
import torch
import transformers
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM

print("peft", peft.__version__, "transformers", transformers.__version__)


def base():
    torch.manual_seed(0)
    sizes = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4)
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, initializer_range=0.3, **sizes)).eval()


tokens = torch.randint(0, 64, (4, 8), generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    exact = base()(tokens).logits
kl = lambda z, t: F.kl_div(z.log_softmax(-1), t.log_softmax(-1), reduction="sum", log_target=True).item() / tokens.numel()
seen = {}
for name, extra in (
    ("default", {}),
    ("gaussian", {"init_lora_weights": "gaussian"}),
    ("dora", {"use_dora": True}),
    ("pissa", {"init_lora_weights": "pissa"}),
    ("olora", {"init_lora_weights": "olora"}),
):
    with warnings.catch_warnings(record=True) as warned, torch.no_grad():
        warnings.simplefilter("always")
        config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "up_proj"], **extra)
        model = peft.get_peft_model(base(), config).eval()
        student = model(tokens).logits
        with model.disable_adapter():
            teacher = model(tokens).logits
    seen[name] = kl(student, exact), kl(teacher, exact)
    print(f"{name:9s} KL to the base model: adapter on {seen[name][0]:.2e}, off {seen[name][1]:.2e}")
    assert not [w for w in warned if "adapter" in str(w.message).lower() or "base" in str(w.message).lower()]
    assert seen[name][0] < 1e-6
for name in ("default", "gaussian", "dora"):
    assert seen[name][1] == 0
for name in ("pissa", "olora"):
    assert seen[name][1] > 0.01
PY
HF_HUB_OFFLINE=1 "$dir/venv/bin/python" "$dir/run.py"

#!/usr/bin/env bash
# torch 2.13.0 (CPU).
#
# One would guess: torch.func's recipe for an ensemble (stack_module_state, a
#   copy of one member moved to "meta" as the skeleton, functional_call under
#   vmap) works for networks with a tied weight, or raises: the skeleton holds no
#   numbers.
# What happens: moving a copy to "meta" unties it, so functional_call fills one
#   name and leaves the other on "meta"; and a batched product with a meta tensor
#   gives an ordinary CPU tensor that nobody filled. No error, no warning, the
#   device says cpu. A skeleton that stays on the CPU is right.
# Why it matters: twelve teachers with tied embeddings, run as one, give soft
#   targets that are nobody's answer and differ from call to call.
# Instead: keep the skeleton on the CPU, or tie it again after the move, and
#   compare one member with its stacked answer before training on it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import copy

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

print("torch", torch.__version__)
torch.manual_seed(0)
x = torch.randn(5, 4)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(4, 4, bias=False)
        self.decoder = nn.Linear(4, 4, bias=False)
        self.decoder.weight = self.encoder.weight

    def forward(self, x):
        return self.decoder(self.encoder(x))


teachers = [Tied() for _ in range(3)]
stacked = stack_module_state(teachers)
want = torch.stack([teacher(x) for teacher in teachers])
for where in ("cpu", "meta"):
    skeleton = copy.deepcopy(teachers[0]).to(where)
    tied = skeleton.encoder.weight is skeleton.decoder.weight
    got = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(*stacked)
    right = torch.allclose(got, want, atol=1e-5)
    print(f"skeleton on {where}: still tied {tied}, answer on {got.device}, right {right}")
    assert got.device.type == "cpu" and got.shape == want.shape
    assert right == tied == (where == "cpu")
PY
"$dir/venv/bin/python" "$dir/run.py"

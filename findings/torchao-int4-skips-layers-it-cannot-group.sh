#!/usr/bin/env bash
# torchao 0.18.0, torch 2.13.0.
#
# One would guess: quantize_ with a group size that does not divide a layer's
#   inputs raises, as IntxWeightOnlyConfig of the same package does.
# What happens: Int4WeightOnlyConfig leaves such a layer as it is and returns:
#   no error, no warning. A student 20-50-10 passes through with every weight
#   in float32 and outputs equal to the last bit.
# Why it matters: widths of small networks are seldom multiples of 32, so the
#   "int4 student" of a table can be the float one: no loss of accuracy, no gain.
# Instead: after quantize_, assert on the type of every layer's weight (a plain
#   Parameter was not quantised), or use IntxWeightOnlyConfig, which refuses.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 torchao==0.18.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import copy
import importlib.metadata as md
import logging
import warnings

import torch
from torch import nn
from torchao.quantization import Int4WeightOnlyConfig, IntxWeightOnlyConfig, PerGroup, quantize_

print("torchao", md.version("torchao"), "torch", torch.__version__)
torch.manual_seed(0)
student = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10))
rows = torch.randn(256, 20)
said = []
logging.getLogger().addHandler(type("Keep", (logging.Handler,), {"emit": lambda self, r: said.append(r)})())

small = copy.deepcopy(student)
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    quantize_(small, Int4WeightOnlyConfig(group_size=32))
kinds = [(type(layer.weight).__name__, layer.weight.dtype) for layer in small if isinstance(layer, nn.Linear)]
print("weights after int4:", kinds)
print("warnings:", [str(w.message) for w in warned], "log:", [r.getMessage() for r in said])
assert kinds == [("Parameter", torch.float32)] * 2
assert torch.equal(small(rows), student(rows))
assert not warned and not said

try:
    quantize_(copy.deepcopy(student), IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)))
except AssertionError as error:
    print("intx refuses:", error)
else:
    raise SystemExit("IntxWeightOnlyConfig took a group size that does not divide")
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py" 2> "$dir/log" || { cat "$dir/log"; exit 1; }

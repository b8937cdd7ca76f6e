#!/usr/bin/env bash
# safetensors 0.8.0 (0.7.0 beside it), numpy 2.4.6.
#
# One would guess: save_file either writes the values of a transposed array or
#   refuses it, as the same function for torch tensors does.
# What happens: 0.8.0 writes the bytes as they lie in memory under the shape of
#   the view. The file is valid, the shape is right, the values are in another
#   order. 0.7.0 wrote them right. (The docstring asks for contiguous arrays in
#   both versions. Reported upstream as issue 825.)
# Why it matters: scikit-learn keeps a layer as (inputs, outputs), torch as
#   (outputs, inputs), so `coefs_[0].T` is how a small network crosses over; a
#   square layer then loads with no complaint and predicts noise.
# Instead: np.ascontiguousarray on every array before it is saved, and compare
#   predictions after loading.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
cat > "$dir/run.py" <<'PY'
import sys

import numpy as np
import safetensors
from safetensors.numpy import load, save

print("safetensors", safetensors.__version__)
weight = np.arange(6, dtype=np.float32).reshape(2, 3)
back = load(save({"w": weight.T}))["w"]
fixed = load(save({"w": np.ascontiguousarray(weight.T)}))["w"]
print("saved", weight.T.tolist(), "loaded", back.tolist())
assert back.shape == (3, 2) and (fixed == weight.T).all()
if sys.argv[1] == "scrambled":
    assert back.tolist() == [[0, 1], [2, 3], [4, 5]], back
else:
    assert (back == weight.T).all()
PY
"$dir/venv/bin/pip" install -q numpy==2.4.6 safetensors==0.7.0
"$dir/venv/bin/python" "$dir/run.py" right
"$dir/venv/bin/pip" install -q safetensors==0.8.0
"$dir/venv/bin/python" "$dir/run.py" scrambled

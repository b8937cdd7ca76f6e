#!/usr/bin/env bash
# onnxruntime 1.32.0 (onnx 1.23.2).
#
# One would guess: per_channel=True gives each output its own scale and is never
#   worse than one scale for the layer; a bias, held as int32, is as good as
#   exact.
# What happens: the bias's step is (input scale) x (channel's weight scale), and
#   a channel whose weights are all zero gets weight scale 1. With inputs of 0
#   to 255 the step is then 1.0, and a bias of 0.3 rounds to 0. With one scale
#   for the layer the same bias survives. No warning.
# Why it matters: structured pruning and zero-initialised heads make such
#   channels: the unit (a class, at the last layer) that says nothing but its
#   prior says 0 instead.
# Instead: fold the constant output of a dead unit into the next layer and cut
#   the unit before quantising, or compare biases after it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import logging
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

logging.disable(logging.WARNING)
print("onnxruntime", ort.__version__)
folder = sys.argv[1]
rng = np.random.default_rng(0)
pixels = rng.uniform(0, 255, size=(512, 20)).astype(np.float32)
weight = rng.normal(scale=0.002, size=(20, 10)).astype(np.float32)
weight[:, 3] = 0  # pruned
bias = np.zeros(10, np.float32)
bias[3] = 0.3
row = lambda name, width: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])
made = helper.make_graph(
    [helper.make_node("Gemm", ["x", "w", "b"], ["y"])],
    "layer",
    [row("x", 20)],
    [row("y", 10)],
    [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")],
)
model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, f"{folder}/float.onnx")


class Rows(CalibrationDataReader):
    def __init__(self):
        self.left = iter([{"x": pixels}])

    def get_next(self):
        return next(self.left, None)


def outputs(path):
    return ort.InferenceSession(path).run(None, {"x": pixels})[0]


exact = outputs(f"{folder}/float.onnx")
pruned = {}
for per_channel in (False, True):
    path = f"{folder}/int8-{per_channel}.onnx"
    quantize_static(
        f"{folder}/float.onnx",
        path,
        Rows(),
        per_channel=per_channel,
        weight_type=QuantType.QInt8,
        activation_type=QuantType.QInt8,
    )
    got = outputs(path)
    others = np.delete(abs(got - exact), 3, axis=1).max()
    pruned[per_channel] = got[:, 3]
    print(f"per_channel={per_channel}: pruned unit gives {got[0, 3]:.3f} (exact 0.3), other units off by {others:.3f}")
    assert others < 0.05
assert abs(pruned[False] - 0.3).max() < 0.03
assert (pruned[True] == 0).all()
scale = [numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer if i.name == "b_quantized_scale"]
print("steps of the biases, per channel:", scale[0].round(6))
assert abs(scale[0][3] - 1) < 0.01 and np.delete(scale[0], 3).max() < 1e-4
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py" "$dir"

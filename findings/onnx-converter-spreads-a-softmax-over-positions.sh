#!/usr/bin/env bash
# onnx 1.23.2 (onnxruntime 1.32.0).
#
# One would guess: version_converter.convert_version keeps what a graph computes, or
#   refuses. From opset 12 to 13 it does: it writes the older, flattening Softmax
#   out as Flatten, Softmax and Reshape.
# What happens: from 13 to 12 it copies the axis. Softmax over classes of (batch,
#   classes, positions) then runs over classes and positions together, for that is
#   what axis=1 means in opset 12. Of three classes at four positions, all alike,
#   each gets 1/12 in place of 1/3. The checker passes, no warning. LogSoftmax too.
#   Where the axis is the last one nothing changes.
# Why it matters: runtimes for small devices read old opsets. Probabilities per
#   pixel or token no longer add up to 1 but to the position's share of the exp of
#   all logits; the classes keep their order, so the accuracy is the same.
# Instead: export with classes on the last axis, or transpose before the softmax,
#   and check sums after converting.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, version_converter

print("onnx", onnx.__version__, "onnxruntime", ort.__version__)


def graph(op, axis, opset):
    """One node on logits of shape (batch, 3 classes, 4 positions)."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 4]) for name in "xy"]
    made = helper.make_graph([helper.make_node(op, ["x"], ["y"], axis=axis)], "g", ends[:1], ends[1:])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model, x):
    onnx.checker.check_model(model, full_check=True)
    return ort.InferenceSession(model.SerializeToString()).run(None, {"x": x})[0]


def both(op, axis, opset, to, x):
    model = graph(op, axis, opset)
    return run(model, x), run(version_converter.convert_version(model, to), x)


alike = np.zeros((2, 3, 4), np.float32)
logits = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
for op, axis, opset, to in (
    ("Softmax", 1, 12, 13), ("Softmax", 1, 13, 21), ("Softmax", 2, 13, 12), ("LogSoftmax", -1, 13, 12)
):
    before, after = both(op, axis, opset, to, logits)
    print(f"{op}, axis {axis}, opset {opset} to {to}: largest difference {abs(before - after).max():.0e}")
    assert abs(before - after).max() < 1e-6
before, after = both("Softmax", 1, 13, 12, alike)
print(f"Softmax, axis 1, opset 13 to 12, logits all alike: {before[0, 0, 0]:.4f} before, {after[0, 0, 0]:.4f} after")
assert abs(before - 1 / 3).max() < 1e-6 and abs(after - 1 / 12).max() < 1e-6
before, after = both("Softmax", 1, 13, 12, logits)
sums = [y[0].sum(0).astype(float).round(3).tolist() for y in (before, after)]
print("sums over classes, before", sums[0], "after", sums[1])
assert abs(before.sum(1) - 1).max() < 1e-6 and abs(after.sum((1, 2)) - 1).max() < 1e-6
assert (before.argmax(1) == after.argmax(1)).all()
before, after = both("LogSoftmax", 1, 13, 12, alike)
print(f"LogSoftmax, the same: {before[0, 0, 0]:.4f} before, {after[0, 0, 0]:.4f} after")
assert abs(before + np.log(3)).max() < 1e-6 and abs(after + np.log(12)).max() < 1e-6
PY
"$dir/venv/bin/python" "$dir/run.py"

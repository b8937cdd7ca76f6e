#!/usr/bin/env bash
# onnxslim 0.1.98 (onnx 1.23.2, onnxruntime 1.32.0).
#
# One would guess: simplifying a graph keeps what it computes, so a random node
#   stays random; onnxsim and ONNX Runtime's own folding leave it alone.
# What happens: a random node without inputs counts as a constant. onnxslim
#   draws it once and writes that draw into the file: here a dropout mask for
#   Monte Carlo sampling becomes one fixed mask. No warning.
# Why it matters: sampling a dropped-out teacher or student on a device then
#   gives the same answer every time. The spread that was to be its uncertainty
#   is exactly 0, and the mean of 400 runs is one thinned network.
# Instead: give the noise as an input of the graph, or derive its shape from the
#   input (RandomUniformLike), and check after slimming that two runs differ.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 onnxslim==0.1.98 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import numpy as np
import onnx
import onnxruntime as ort
import onnxslim
from onnx import TensorProto, helper, numpy_helper

print("onnxslim", onnxslim.__version__)


def graph(like):
    if like:
        noise = helper.make_node("RandomUniformLike", ["x"], ["u"])
    else:
        noise = helper.make_node("RandomUniform", [], ["u"], shape=[1, 8])
    nodes = [
        noise,
        helper.make_node("Less", ["u", "keep"], ["kept"]),
        helper.make_node("Cast", ["kept"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "mask"], ["y"]),
    ]
    row = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 8])
    keep = numpy_helper.from_array(np.float32(0.5), "keep")
    made = helper.make_graph(nodes, "dropout", [row("x")], [row("y")], [keep])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def spread(model, runs=400):
    session = ort.InferenceSession(model.SerializeToString())
    out = np.array([session.run(None, {"x": np.ones((1, 8), np.float32)})[0][0] for _ in range(runs)])
    return [n.op_type for n in model.graph.node], out.std(0), out.mean(0)


nodes, std, mean = spread(graph(like=False))
print("as written:", nodes, "std", std.round(2), "mean", mean.round(2))
assert (std > 0.4).all()
nodes, std, mean = spread(onnxslim.slim(graph(like=False)))
print("slimmed:   ", nodes, "std", std, "mean", mean)
assert nodes == ["Mul"] and (std == 0).all() and set(mean.tolist()) <= {0.0, 1.0}
nodes, std, mean = spread(onnxslim.slim(graph(like=True)))
print("noise shaped like the input, slimmed:", nodes, "std", std.round(2))
assert (std > 0.4).all()
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

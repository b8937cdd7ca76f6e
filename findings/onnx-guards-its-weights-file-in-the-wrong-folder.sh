#!/usr/bin/env bash
# onnx 1.23.2.
#
# One would guess: saving a model with external data over an older one of the
#   same name replaces both files, or is refused (save_model does raise
#   FileExistsError).
# What happens: the check looks for `location` in the current directory, though
#   the weights go beside the model. From another directory the graph is
#   replaced and the weights are appended to the old file: after the third save
#   it holds three networks, two of which nothing points to, and everything
#   loads and runs. From a directory that happens to hold a file of that name,
#   a save to a new and empty folder is refused.
# Why it matters: a loop that exports the student after each epoch to runs/a/
#   ends with a file as many times too large, in a field that counts kilobytes;
#   weights from before pruning, or of withdrawn data, are still in it.
# Instead: export to a fresh folder and rename, or delete the old weights first;
#   use external data only for the models of 2 GB that need it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnx==1.23.2 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

print("onnx", onnx.__version__)
os.chdir(sys.argv[1])


def save(path, epoch):
    row = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 64])
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "layer",
        [row("x")],
        [row("y")],
        [numpy_helper.from_array(np.full((64, 64), epoch, np.float32), "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(model, path, save_as_external_data=True, location="student.bin")


os.mkdir("runs")
sizes = []
for epoch in (1, 2, 3):
    save("runs/student.onnx", epoch)
    sizes.append(os.path.getsize("runs/student.bin"))
    loaded = numpy_helper.to_array(onnx.load("runs/student.onnx").graph.initializer[0])
    print(f"save {epoch}: weights file {sizes[-1]} bytes, loads as epoch {loaded[0, 0]:.0f}")
    assert (loaded == epoch).all()
onnx.checker.check_model("runs/student.onnx")
first = np.fromfile("runs/student.bin", np.float32, 64 * 64)
print("the file still begins with the weights of epoch", first[0])
assert sizes == [16384, 32768, 49152] and (first == 1).all()

os.mkdir("empty")
os.chdir("runs")
try:
    save("../empty/student.onnx", 4)
except FileExistsError as error:
    print("to an empty folder, from runs/:", error)
else:
    raise SystemExit("the save to an empty folder was not refused")
assert not os.listdir("../empty")
PY
"$dir/venv/bin/python" "$dir/run.py" "$dir"

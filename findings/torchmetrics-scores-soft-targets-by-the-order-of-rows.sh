#!/usr/bin/env bash
# torchmetrics 1.9.0, torch 2.13.0.
#
# One would guess: MulticlassAccuracy(num_classes=3) refuses a teacher's
#   probabilities as targets: class numbers are required, and arguments are
#   validated by default.
# What happens: it takes them and returns a number. Where student and teacher
#   never choose the same class it is 1.0; on the teacher's classes it is 0.0.
#   BinaryAUROC of a score with itself is 0.0.
# Why it matters: "accuracy against the teacher" is how fidelity is logged, and
#   the wrong call gives a value that looks like success.
# Instead: give target.argmax(1), or compare probabilities with KLDivergence.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 torchmetrics==1.9.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import torch
import torchmetrics
from torchmetrics.classification import BinaryAUROC, MulticlassAccuracy

print("torchmetrics", torchmetrics.__version__)
student = torch.tensor([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1]])
teacher = student.flip(0)
soft = float(MulticlassAccuracy(3)(student, teacher))
hard = float(MulticlassAccuracy(3)(student, teacher.argmax(1)))
itself = float(BinaryAUROC()(student[:, 0], student[:, 0]))
print("student", student.argmax(1).tolist(), "teacher", teacher.argmax(1).tolist())
print("accuracy on soft targets", soft, "on their classes", hard, "AUROC with itself", itself)
assert soft == 1.0 and hard == 0.0 and itself == 0.0
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

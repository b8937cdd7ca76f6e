#!/usr/bin/env bash
# skl2onnx 1.20.0, scikit-learn 1.9.1, onnxruntime 1.32.0.
#
# One would guess: to_onnx of a DecisionTreeClassifier taught two labels at once gives the
#   probabilities of predict_proba, as it does for one label and for a forest of two.
# What happens: every class that occurs in the leaf gets probability 1: [0.25, 0.75] becomes
#   [1, 1], and only a pure leaf is right. Predicted labels are right. A
#   RandomForestClassifier, ExtraTreesClassifier of the same labels is exact. No warning.
# Why it matters: a tree grown to the end has pure leaves only and passes any test; the
#   small tree one distils into has none. A threshold on the second column says yes nearly
#   always.
# Instead: a forest with n_estimators=1 and bootstrap=False, or a tree per label.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
from importlib.metadata import version

import numpy as np
import onnxruntime as ort
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"))
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 4)).astype(np.float32)
y = (x[:, :2] + rng.normal(size=(1000, 2)) > 0).astype(int)


def run(model):
    made = to_onnx(model, x[:1], options={id(model): {"zipmap": False}})
    label, p = ort.InferenceSession(made.SerializeToString()).run(None, {"X": x})
    return label, np.asarray(p)


for name, model, same in (
    ("tree, two labels, depth 2", DecisionTreeClassifier(max_depth=2, random_state=0), False),
    ("tree, two labels, grown to the end", DecisionTreeClassifier(random_state=0), True),
    ("forest of that one tree", RandomForestClassifier(1, bootstrap=False, max_features=None, max_depth=2, random_state=0), True),
):
    model.fit(x, y)
    label, got = run(model)
    want = np.asarray(model.predict_proba(x))
    print(f"{name}: first row expected {want[:, 0].round(3).tolist()}, seen {got[:, 0].round(3).tolist()}")
    assert (label == model.predict(x)).all()
    if same:
        assert abs(got - want).max() < 1e-5
    else:
        assert (got == (want > 0)).all() and abs(got - want).max() > 0.5
one = DecisionTreeClassifier(max_depth=2, random_state=0).fit(x, y[:, 0])
assert abs(run(one)[1] - one.predict_proba(x)).max() < 1e-5
print("tree, one label: equal")
PY
cd "$dir"
"$dir/venv/bin/python" -W ignore "$dir/run.py"

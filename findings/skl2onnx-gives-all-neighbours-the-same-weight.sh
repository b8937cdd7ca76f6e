#!/usr/bin/env bash
# skl2onnx 1.20.0, scikit-learn 1.9.1, onnxruntime 1.32.0.
#
# One would guess: to_onnx of a KNeighborsRegressor or KNeighborsClassifier with
#   weights="distance" weighs by 1 / distance: the converter handles the setting, and
#   refuses others.
# What happens: all neighbours weigh the same, as with weights="uniform". The graph does
#   have max(distance, 1e-6) and its reciprocal, but the distances there are negated, so
#   every weight is 1e6. On a training row, where scikit-learn gives that row's own
#   target, ONNX gives the mean of its neighbours. No warning.
# Why it matters: an exact answer on the training rows (a teacher's table) is lost; on
#   other rows the error is of the size of noise.
# Instead: compare predictions after the export.
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
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

print("skl2onnx", version("skl2onnx"), "scikit-learn", version("scikit-learn"))


def run(model, x):
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    made = to_onnx(model, x[:1], options=options)
    return ort.InferenceSession(made.SerializeToString()).run(None, {"X": x})[-1]


x = np.array([[1.0], [-2.0], [4.0]], np.float32)
y = np.array([10.0, 20.0, 40.0])
ask = np.array([[0.0], [1.0], [3.9]], np.float32)
model = KNeighborsRegressor(3, weights="distance").fit(x, y)
print("targets 10, 20, 40; expected", model.predict(ask).round(3), "seen", run(model, ask).ravel().round(3))
assert np.allclose(model.predict(ask)[:2], [120 / 7, 10]) and np.allclose(run(model, ask), 70 / 3)
rng = np.random.default_rng(0)
x, ask = rng.normal(size=(2, 500, 3)).astype(np.float32)
y = (x[:, 0] + rng.normal(size=500) > 0).astype(int)
for metric in ("euclidean", "manhattan"):
    model = KNeighborsClassifier(7, weights="distance", metric=metric).fit(x, y)
    flat = KNeighborsClassifier(7, metric=metric).fit(x, y)
    got = run(model, ask)
    print(f"{metric}: off from weights='distance' by {abs(got - model.predict_proba(ask)).max():.3f}, "
          f"from weights='uniform' by {abs(got - flat.predict_proba(ask)).max():.0e}; "
          f"accuracy on training rows expected 1.0, seen {(run(model, x).argmax(1) == y).mean():.3f}")
    assert abs(got - flat.predict_proba(ask)).max() < 1e-5 < 0.1 < abs(got - model.predict_proba(ask)).max()
    assert (model.predict(x) == y).all() and (run(model, x).argmax(1) == y).mean() < 0.95
PY
cd "$dir"
"$dir/venv/bin/python" -W ignore "$dir/run.py"

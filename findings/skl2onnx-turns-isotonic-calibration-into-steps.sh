#!/usr/bin/env bash
# skl2onnx 1.20.0, scikit-learn 1.9.1 (onnxruntime 1.32.0).
#
# One would guess: a CalibratedClassifierCV with method="isotonic" exports to
#   the same map: straight lines between the fitted thresholds.
# What happens: the graph looks up the nearest threshold and returns its value:
#   steps, with jumps halfway between thresholds. With method="sigmoid" the same
#   export agrees to 1e-6. No warning.
# Why it matters: the calibrated teacher one evaluates is not the one that is
#   deployed. With few calibration rows the difference passes 0.05; many rows
#   get equal probabilities, so ranking and thresholds change as well.
# Instead: export the classifier alone and write the map with two Gathers and a
#   linear blend, or calibrate by sigmoid.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0 scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import numpy as np
import onnxruntime as ort
import skl2onnx
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression

print("skl2onnx", skl2onnx.__version__, "scikit-learn", sklearn.__version__)
rng = np.random.default_rng(0)
labels = rng.integers(0, 2, 300)
x = (rng.normal(size=(300, 3)) + 0.8 * labels[:, None]).astype(np.float32)
new = (rng.normal(size=(5000, 3)) + 0.4).astype(np.float32)


def both(method):
    model = CalibratedClassifierCV(LogisticRegression(), method=method, ensemble=False).fit(x, labels)
    graph = skl2onnx.to_onnx(model, x[:1], options={id(model): {"zipmap": False}})
    session = ort.InferenceSession(graph.SerializeToString())
    got = session.run(None, {session.get_inputs()[0].name: new})[1]
    return model.calibrated_classifiers_[0], model.predict_proba(new)[:, 1], got[:, 1]


_, want, got = both("sigmoid")
print("sigmoid: largest difference", abs(got - want).max())
assert abs(got - want).max() < 1e-5

part, want, got = both("isotonic")
line, score = part.calibrators[0], part.estimator.decision_function(new)
nearest = line.y_thresholds_[abs(score[:, None] - line.X_thresholds_).argmin(1)]
exact = np.interp(score, line.X_thresholds_, line.y_thresholds_)
print("isotonic: largest difference", abs(got - want).max(), "mean", abs(got - want).mean())
print("values on 5000 rows:", len(np.unique(want)), "->", len(np.unique(got)))
print("rows that are the value of the nearest threshold:", np.mean(abs(got - nearest) < 1e-5))
assert abs(want - exact).max() < 1e-6
assert abs(got - want).max() > 0.03
assert np.mean(abs(got - nearest) < 1e-5) > 0.99
assert len(np.unique(want)) > 5 * len(np.unique(got))
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

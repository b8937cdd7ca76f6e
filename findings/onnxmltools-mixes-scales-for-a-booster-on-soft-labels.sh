#!/usr/bin/env bash
# onnxmltools 1.16.0, xgboost 3.2.0 (onnxruntime 1.32.0).
#
# One would guess: an XGBRegressor with objective="reg:logistic", the way to fit
#   boosted trees to a teacher's probabilities, exports to a graph that gives
#   what predict gives: probabilities.
# What happens: the graph has no sigmoid, and it starts the sum of the trees from
#   the mean p of the labels where the booster starts from logit(p). So it gives
#   logit + p - logit(p): no probability, and not the logit either. binary:logistic
#   comes out right, so the exporter knows of links. No warning.
# Why it matters: the obvious repair, a Sigmoid behind the graph, is wrong too: at
#   p = 0.35 every logit is 0.99 too high. Ranking metrics see nothing.
# Instead: subtract p - logit(p), p the base_score in save_config(), before the
#   sigmoid, or use treelite; compare with predict at both ends of the range.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnxmltools==1.16.0 onnx==1.23.2 onnxruntime==1.32.0 xgboost==3.2.0 scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import json

import numpy as np
import onnxmltools
import onnxruntime as ort
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

print("onnxmltools", onnxmltools.__version__, "xgboost", xgboost.__version__)
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 5)).astype(np.float32)
soft = 1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1] + 1))  # a teacher's probability


def exported(model, output):
    graph = onnxmltools.convert_xgboost(model, initial_types=[("x", FloatTensorType([None, 5]))])
    return ort.InferenceSession(graph.SerializeToString()).run(None, {"x": x})[output]


student = xgboost.XGBRegressor(n_estimators=20, max_depth=3, objective="reg:logistic").fit(x, soft)
want, logit, got = student.predict(x), student.predict(x, output_margin=True), exported(student, 0)[:, 0]
print(f"predict {want.min():.3f} to {want.max():.3f}, exported {got.min():.3f} to {got.max():.3f}")
mean = float(json.loads(student.get_booster().save_config())["learner"]["learner_model_param"]["base_score"].strip("[]"))
law = mean - np.log(mean / (1 - mean))
print(f"exported minus logit: {(got - logit).min():.5f} to {(got - logit).max():.5f}; p - logit(p) at p = {mean:.3f}: {law:.5f}")
repaired, naive = 1 / (1 + np.exp(law - got)), 1 / (1 + np.exp(-got))
print("off predict: as exported", abs(got - want).max(), "sigmoid", abs(naive - want).max(), "repaired", abs(repaired - want).max())
assert 0 < want.min() and want.max() < 1
assert got.min() < -1 and got.max() > 1
assert law > 0.9 and abs(got - logit - law).max() < 1e-4
assert abs(naive - want).max() > 0.2 and abs(repaired - want).max() < 1e-5

hard = xgboost.XGBClassifier(n_estimators=20, max_depth=3).fit(x, soft > 0.5)
difference = abs(exported(hard, 1) - hard.predict_proba(x)).max()
print("binary:logistic, exported against predict_proba:", difference)
assert difference < 1e-5
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

#!/usr/bin/env bash
# onnxmltools 1.16.0, lightgbm 4.7.0 (onnxruntime 1.32.0).
#
# One would guess: a LightGBM model with boosting_type="rf" exports as well as a
#   boosted one, to rounding; or is wrong for every forest.
# What happens: LightGBM averages over its trees, the exporter divides the sum
#   by 100, whatever their number. A forest of 100, the default, comes out right;
#   one of 50 gives half of predict on every row, one of 200 twice. No warning.
# Why it matters: a test of the export at the default passes, and the small
#   forest one deploys is scaled. Ranking metrics, AUC and correlation do not see
#   a constant factor; every probability learnt from the teacher is wrong.
# Instead: compare values with predict for the very model that ships, and
#   multiply by 100 / trees, or use treelite or m2cgen, which give predict.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnxmltools==1.16.0 onnx==1.23.2 onnxruntime==1.32.0 lightgbm==4.7.0 scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import lightgbm
import numpy as np
import onnxmltools
import onnxruntime as ort
from onnxmltools.convert.common.data_types import FloatTensorType

print("onnxmltools", onnxmltools.__version__, "lightgbm", lightgbm.__version__)
rng = np.random.default_rng(0)
x = rng.normal(size=(1000, 5)).astype(np.float32)
soft = 1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1]))  # a teacher's probability


def ratio(kind, trees):
    bagging = dict(subsample=0.6, subsample_freq=1, random_state=0, n_jobs=1, verbose=-1)
    model = lightgbm.LGBMRegressor(boosting_type=kind, n_estimators=trees, **bagging).fit(x, soft)
    graph = onnxmltools.convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 5]))])
    got = ort.InferenceSession(graph.SerializeToString()).run(None, {"x": x})[0][:, 0]
    return got / model.predict(x)


for kind, trees, law in (("gbdt", 10, 1), ("rf", 100, 1), ("rf", 4, 0.04), ("rf", 50, 0.5), ("rf", 200, 2)):
    seen = ratio(kind, trees)
    print(f"{kind} of {trees}: exported / predict from {seen.min():.6f} to {seen.max():.6f}")
    assert abs(seen - law).max() < 1e-3 * law
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

#!/usr/bin/env bash
# onnxmltools 1.16.0, lightgbm 4.7.0.
#
# One would guess: convert_lightgbm gives the answers of a forest (boosting_type="rf")
#   to within float32, as it does those of a booster, whatever the number of trees.
# What happens: the answers of the trees are added up and divided by 100. A forest of
#   20 trees answers a fifth of what it should, one of 300 three times it; only at the
#   default of 100 trees is it right. With two classes the 100 divides the probability
#   instead, at every number of trees: the second class gets 0.01 at most and is never
#   predicted. No warning.
# Why it matters: a small forest taught a teacher's probabilities by regression is the
#   student one puts on a device, and has fewer trees than 100. Its answers then lie
#   between 0 and 1 as before and rank the rows as before, so the AUC is the same.
# Instead: train with 100 trees, or multiply by 100 / trees; for two classes convert a
#   regression on the probabilities.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q onnxmltools==1.16.0 lightgbm==4.7.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
from importlib.metadata import version

import numpy as np
import onnxruntime as ort
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.metrics import roc_auc_score

print("onnxmltools", version("onnxmltools"), "lightgbm", version("lightgbm"))
ort.set_default_logger_severity(3)
rng = np.random.default_rng(0)
x = rng.normal(size=(3000, 4)).astype(np.float32)
teacher = 1 / (1 + np.exp(-2 * x[:, 0] - x[:, 1]))
labels = (rng.random(3000) < teacher).astype(int)


def run(model):
    made = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 4]))], zipmap=False)
    return ort.InferenceSession(made.SerializeToString()).run(None, {"x": x})


for kind in ("gbdt", "rf"):
    more = {"bagging_freq": 1, "bagging_fraction": 0.7} if kind == "rf" else {}
    for trees in (20, 100, 300):
        settings = {"boosting_type": kind, "n_estimators": trees, "num_leaves": 8, "n_jobs": 1, "verbose": -1, **more}
        student = LGBMRegressor(**settings).fit(x, teacher)
        want, got = student.predict(x), run(student)[0].ravel()
        ratio = np.median(got / want)
        print(f"{kind}, {trees} trees, taught probabilities: ONNX / lightgbm {ratio:.4f}, "
              f"AUC {roc_auc_score(labels, want):.4f} and {roc_auc_score(labels, got):.4f}")
        assert np.allclose(got, (trees / 100 if kind == "rf" else 1) * want, atol=1e-5)
        forest = LGBMClassifier(**settings).fit(x, labels)
        label, p = run(forest)
        q = forest.predict_proba(x)
        print(f"  two classes: largest probability of the second {q[:, 1].max():.4f} in lightgbm, {p[:, 1].max():.4f} "
              f"in ONNX; predicted {forest.predict(x).mean():.1%} and {label.mean():.1%} of the time")
        if kind == "rf":
            assert p[:, 1].max() < 0.0101 and label.max() == 0 and forest.predict(x).mean() > 0.4
        else:
            assert abs(p - q).max() < 1e-5 and (label == forest.predict(x)).all()
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

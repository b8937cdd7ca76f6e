#!/usr/bin/env bash
# scikit-learn 1.9.1 (method="temperature" came with 1.8).
#
# One would guess: for a classifier that is calibrated already, the fitted
#   inverse temperature (`beta_` of the calibrator) is 1, with two classes as
#   with three: sigmoid(beta_ * logit) is the calibrated probability.
# What happens: with two classes and a decision_function the logit z is spread
#   to the pair (-z, z), whose softmax is sigmoid(2 z), so beta_ is 1/2: a
#   perfect classifier seems to need temperature 2. The same model behind
#   predict_proba alone gets 1, and with three classes it is 1 either way.
#   predict_proba of the calibrated model is right each time.
# Why it matters: the temperature is the one number one takes along into a loss
#   or an exported graph. Dividing the binary logit by it flattens a calibrated
#   teacher: sigmoid(2) = 0.88 becomes 0.73.
# Instead: with two classes and a decision_function use sigmoid(2 * beta_ * z),
#   or fit on predict_proba, and test that the number reproduces predict_proba.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

print("scikit-learn", sklearn.__version__)
rng = np.random.default_rng(0)
rows = 50000


class ProbabilitiesOnly(ClassifierMixin, BaseEstimator):
    def __init__(self, model):
        self.model, self.classes_ = model, model.classes_

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, x, labels):
        return self

    def predict(self, x):
        return self.model.predict(x)

    def predict_proba(self, x):
        return self.model.predict_proba(x)


beta = {}
for classes in (2, 3):
    x = rng.normal(size=(2 * rows, 4))
    logits = x @ rng.normal(size=(4, classes))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)  # the exact law
    # The right kind of model on many rows: calibrated, so the answer is 1.
    model = LogisticRegression(C=np.inf).fit(x[:rows], labels[:rows])
    for name, base in (("decision_function", model), ("predict_proba", ProbabilitiesOnly(model))):
        fitted = CalibratedClassifierCV(FrozenEstimator(base), method="temperature").fit(x[rows:], labels[rows:])
        beta[classes, name] = float(fitted.calibrated_classifiers_[0].calibrators[0].beta_)
        print(f"{classes} classes by {name}: beta_ {beta[classes, name]:.3f}")
        if (classes, name) == (2, "decision_function"):
            z, want = model.decision_function(x), fitted.predict_proba(x)[:, 1]
            once, twice = (1 / (1 + np.exp(-k * beta[classes, name] * z)) for k in (1, 2))
            print("  sigmoid(beta_ z) off by", abs(once - want).max(), "sigmoid(2 beta_ z) by", abs(twice - want).max())
            assert abs(once - want).max() > 0.1 and abs(twice - want).max() < 1e-6

assert abs(beta[2, "decision_function"] - 0.5) < 0.02
for key in ((2, "predict_proba"), (3, "decision_function"), (3, "predict_proba")):
    assert abs(beta[key] - 1) < 0.04, key
PY
"$dir/venv/bin/python" "$dir/run.py"

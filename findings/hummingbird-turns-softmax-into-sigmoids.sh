#!/usr/bin/env bash
# hummingbird-ml 0.4.12 with scikit-learn 1.9.1.
#
# One would guess: a three-class LogisticRegression compiled to PyTorch gives
#   the probabilities of predict_proba, to rounding.
# What happens: each logit goes through its own sigmoid and the three are
#   divided by their sum (one against the rest), though scikit-learn fits a
#   softmax and, since 1.8, knows nothing else. No warning. The classes are all
#   right and the rows sum to one, so accuracy and a sanity check both pass.
# Why it matters: the compiled model as a teacher gives soft labels that are far
#   too flat, and a temperature fitted on one does not fit the other.
# Instead: take coef_ and intercept_ and write the linear layer yourself, and
#   compare probabilities, never classes, after a conversion.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch==2.13.0 hummingbird-ml==0.4.12 scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import importlib.metadata as md

import numpy as np
from hummingbird.ml import convert
from sklearn.linear_model import LogisticRegression

print("hummingbird-ml", md.version("hummingbird-ml"), "scikit-learn", md.version("scikit-learn"))
rng = np.random.default_rng(0)
x = rng.normal(size=(2000, 4)).astype(np.float32)
weights = 2 * rng.normal(size=(4, 3))
labels = (x @ weights + rng.gumbel(size=(2000, 3))).argmax(1)
teacher = LogisticRegression().fit(x, labels)
compiled = convert(teacher, "torch", x[:1])

want, got = teacher.predict_proba(x), compiled.predict_proba(x)
sigmoids = 1 / (1 + np.exp(-teacher.decision_function(x)))
entropy = lambda p: -(p * np.log(p)).sum(1).mean()
print("first row:", want[0].round(3), "compiled:", got[0].round(3))
print("largest difference", abs(got - want).max(), "entropy", entropy(want), "->", entropy(got))
print("against sigmoids divided by their sum:", abs(got - sigmoids / sigmoids.sum(1, keepdims=True)).max())

assert abs(got.sum(1) - 1).max() < 1e-5
assert (compiled.predict(x) == teacher.predict(x)).all()
assert abs(got - want).max() > 0.2
assert entropy(got) > entropy(want) + 0.1
assert abs(got - sigmoids / sigmoids.sum(1, keepdims=True)).max() < 1e-5
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

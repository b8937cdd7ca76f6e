#!/usr/bin/env bash
# scikit-learn 1.9.1.
#
# One would guess: class_weight="balanced" means one thing in one library. Given
#   sample_weight as well, either all estimators balance the counts of rows, or
#   all balance the sums of weights.
# What happens: LogisticRegression, RandomForestClassifier and
#   ExtraTreesClassifier balance the sums of weights; DecisionTreeClassifier, of
#   which the forests are made, HistGradientBoostingClassifier and SGDClassifier
#   balance the counts. On two classes of two rows each, weighing 3 : 1, the
#   first group answers 0.5, the second 0.75.
# Why it matters: weighted copies (a row per class, weighing the teacher's
#   probability) are the way to give soft labels to an estimator that takes none.
#   There every class has as many rows as any other, so "balanced" does nothing
#   in the second group and everything in the first.
# Instead: leave class_weight out and multiply the weights yourself.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q scikit-learn==1.9.1 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import numpy as np
import sklearn
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.tree import DecisionTreeClassifier

print("scikit-learn", sklearn.__version__)
x, y = np.zeros((40, 1)), np.tile([0, 1], 20)
weight = np.where(y == 0, 3.0, 1.0)
sums, counts = "sums of weights", "counts of rows"
models = [
    (sums, LogisticRegression(C=np.inf, class_weight="balanced")),
    (sums, RandomForestClassifier(5, bootstrap=False, class_weight="balanced")),
    (sums, ExtraTreesClassifier(5, class_weight="balanced")),
    (counts, DecisionTreeClassifier(class_weight="balanced")),
    (counts, HistGradientBoostingClassifier(class_weight="balanced", min_samples_leaf=1)),
    (counts, SGDClassifier("log_loss", alpha=1e-9, class_weight="balanced", max_iter=5000,
                           tol=None, random_state=0, learning_rate="invscaling", eta0=0.5)),
]
for expected, model in models:
    seen = model.fit(x, y, sample_weight=weight).predict_proba([[0.0]])[0, 0]
    print(f"{type(model).__name__}: {seen:.3f}, balances {expected}")
    assert abs(seen - {sums: 0.5, counts: 0.75}[expected]) < 0.03
PY
"$dir/venv/bin/python" -W ignore "$dir/run.py"

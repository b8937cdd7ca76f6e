#!/usr/bin/env bash
# catboost 1.2.10.
#
# One would guess: with loss_function="CrossEntropy" more iterations bring each
#   leaf nearer to the mean of its targets, whether these are a teacher's
#   probabilities or the same means written as labels of 0 and 1.
# What happens: boosting stalls some thousandths away from one of two means and
#   reaches the other; four times as many iterations move nothing. With
#   leaf_estimation_backtracking="No" both are reached. The default tries a step,
#   and takes none that it does not see improve the loss.
# Why it matters: the distance is small and constant, so it looks like noise in
#   the teacher; it is as large as many differences between ways of distilling.
# Instead: leaf_estimation_backtracking="No" with CrossEntropy.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q catboost==1.2.10 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import catboost
import numpy as np
from catboost import CatBoostClassifier

print("catboost", catboost.__version__)
x = np.repeat([[0.0], [1.0]], 100, 0)
targets = {
    "soft": np.concatenate([np.tile([0.51, 0.99], 50), np.full(100, 0.5)]),
    "labels": np.concatenate([np.tile([1, 1, 1, 0], 25), np.tile([1, 0], 50)]),
}
want = np.array([0.75, 0.5])
left = {}
for kind, y in targets.items():
    assert np.allclose([y[:100].mean(), y[100:].mean()], want)
    for way in ("default", "No"):
        for iterations in (1000, 4000):
            more = {} if way == "default" else {"leaf_estimation_backtracking": way}
            model = CatBoostClassifier(
                loss_function="CrossEntropy", iterations=iterations, learning_rate=0.03,
                l2_leaf_reg=1e-9, random_strength=0, bootstrap_type="No", thread_count=1,
                verbose=0, allow_writing_files=False, **more,
            ).fit(x, y)
            got = model.predict_proba([[0.0], [1.0]])[:, 1]
            left[kind, way, iterations] = abs(got - want).max()
            print(f"{kind}, backtracking {way}, {iterations}: {got.round(5)}")
for key, off in left.items():
    assert (off > 1e-3) == (key[1] == "default"), (key, off)
for kind in targets:
    assert left[kind, "default", 4000] > 0.9 * left[kind, "default", 1000]
PY
"$dir/venv/bin/python" "$dir/run.py"

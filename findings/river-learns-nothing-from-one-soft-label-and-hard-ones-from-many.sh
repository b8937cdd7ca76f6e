#!/usr/bin/env bash
# river 0.26.1.
#
# One would guess: linear_model.LogisticRegression, fed a probability as y, either
#   refuses it, or learns something from it: 0.9 itself, or class 1, to which the
#   answer then drifts. learn_one and learn_many do the same.
# What happens: learn_one takes 0.9 a thousand times and stays at 0.5, with a
#   gradient of exactly zero: neither branch of the loss is entered. learn_many
#   takes 0.6 and drifts to 1 as on a label, for there y is cut to a class first.
# Why it matters: a stream of a teacher's probabilities is a natural way to teach a
#   student online. One row at a time it looks like a learning rate too small; in
#   batches it looks like success.
# Instead: learn each row twice, once per class, with w = the probability of it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q river==0.26.1 pandas numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import pandas as pd
import river
from river import linear_model, optim

print("river", river.__version__)
x = {"a": 1.0}
rows = pd.DataFrame({"a": [1.0]})


def model():
    return linear_model.LogisticRegression(optim.SGD(1.0))


one, label, many, twice = model(), model(), model(), model()
for step in range(1000):
    one.learn_one(x, 0.9)
    label.learn_one(x, True)
    many.learn_many(rows, pd.Series([0.6]))
    rate = 0.1 / (1 + step / 100) ** 0.5
    twice.learn_one(x, True, w=0.9 * rate)
    twice.learn_one(x, False, w=0.1 * rate)
seen = {
    "learn_one, 0.9": one.predict_proba_one(x)[True],
    "learn_one, True": label.predict_proba_one(x)[True],
    "learn_many, 0.6": float(many.predict_proba_many(rows)[True].iloc[0]),
    "twice, weighted 0.9 : 0.1": twice.predict_proba_one(x)[True],
}
for name, value in seen.items():
    print(f"{name}: {value:.4f}")
assert seen["learn_one, 0.9"] == 0.5
assert seen["learn_one, True"] > 0.99 and seen["learn_many, 0.6"] > 0.99
assert abs(seen["twice, weighted 0.9 : 0.1"] - 0.9) < 0.01
PY
"$dir/venv/bin/python" "$dir/run.py"

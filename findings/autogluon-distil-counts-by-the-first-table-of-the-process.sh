#!/usr/bin/env bash
# autogluon.tabular 1.6.3.
#
# One would guess: TabularPredictor.distill() at its defaults adds five
#   teacher-labelled rows for each training row (size_factor=5, as documented),
#   for whatever predictor it is called on.
# What happens: the number of rows to add is worked out in the first call of the
#   process and kept for all later ones, also of other predictors on other
#   tables. After a table of 80 training rows one of 800 gets 400 added rows
#   instead of 4,000; after one of 800 a table of 80 gets 4,000 instead of 400.
#   A dictionary of one's own that is passed twice is kept in the same way.
# Why it matters: a loop or a notebook over several data sets distils each with
#   another amount of data than the same call on its own, and its results change
#   with the order of the data sets.
# Instead: augment_args={"size_factor": 5, "max_size": 100_000}, written out in
#   every call, or one process for each data set.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q autogluon.tabular==1.6.3 scikit-learn==1.9.1 pandas==2.3.3 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor

print("autogluon.tabular", version("autogluon.tabular"))
forest = {"RF": {"n_estimators": 10}}


def added(rows, **more):
    """Fit and distil a predictor of a table of its own; count the rows beside the teacher's."""
    rng = np.random.default_rng(rows)
    table = pd.DataFrame(rng.normal(size=(rows, 12))).rename(columns="x{}".format)
    table["label"] = (rng.random(rows) < 1 / (1 + np.exp(-2 * table["x0"]))).astype(int)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("label", path=folder, verbosity=0)
        predictor.fit(table, hyperparameters=forest)
        student = predictor.distill(hyperparameters=forest, verbosity=0, **more)[0]
        models = predictor.info()["model_info"]
        return [models[name]["num_samples"] for name in ("RandomForest", student)]


for rows in map(int, sys.argv[1:]):
    teacher, student = added(rows)
    print(f"{teacher} training rows: {student - teacher} rows added")
    first = teacher if rows == int(sys.argv[1]) else first
    assert student - teacher == 5 * first, (teacher, student)
teacher, student = added(rows, augment_args={"size_factor": 5, "max_size": 100_000})
print(f"{teacher} training rows, the same settings written out: {student - teacher} rows added")
assert teacher != first and student - teacher == 5 * teacher
PY
for order in "100 1000" "1000 100"; do
    (cd "$dir" && venv/bin/python -W ignore run.py $order 2>&1) | grep -v "import torch"
done

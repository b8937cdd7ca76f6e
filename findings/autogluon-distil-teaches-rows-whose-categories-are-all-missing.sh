#!/usr/bin/env bash
# autogluon.tabular 1.6.3, pandas 2.3.3.
#
# One would guess: the rows that TabularPredictor.distill() adds by default, by its
#   augmentation "spunge", are training rows with a few cells resampled, in columns
#   of categories as in columns of numbers.
# What happens: in every added row every category is missing, also where none is
#   missing in the training rows. Of a table of text columns alone, all added rows
#   are one and the same. No warning; the log announces so many synthetic samples.
#   (Categories are whole numbers inside; the augmentation turns them into text and
#   back, and the text matches none of them.)
# Why it matters: only added rows carry the teacher's answers, for the training rows
#   keep their labels. Where the classes depend on categories the student is told
#   nothing of the teacher but what it says when it knows none of them, in five
#   rows of six. Below, the training rows as augmentation_data bring a student to a
#   quarter of the squared distance from its teacher, or less.
# Instead: unlabelled rows of one's own as augmentation_data (the training rows
#   without their labels will do), or augment_method=None.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q autogluon.tabular==1.6.3 scikit-learn==1.9.1 pandas==2.3.3 numpy==2.4.6
cat > "$dir/run.py" <<'PY'
import tempfile
from importlib.metadata import version

import numpy as np
import pandas as pd
from autogluon.core.augmentation import distill_utils
from autogluon.tabular import TabularPredictor

print("autogluon.tabular", version("autogluon.tabular"), "pandas", pd.__version__)
rng = np.random.default_rng(0)
forest = {"RF": {"n_estimators": 10}}
seen = {}
made = distill_utils.spunge_augment


def watched(rows, *args, **more):
    """Note the training rows and those to add, and change nothing."""
    seen["train"], seen["added"] = rows, made(rows, *args, **more)
    return seen["added"]


distill_utils.spunge_augment = watched
level = rng.integers(0, 6, (500, 3))
text = pd.DataFrame(np.array(list("abcdef"))[level]).rename(columns="text{}".format)
number = pd.DataFrame(rng.normal(size=(500, 2))).rename(columns="number{}".format)
label = pd.Series((level[:, 0] + rng.normal(size=500) > 2.5).astype(int), name="label")
for columns in ([text, number], [text.astype("category"), number], [text]):
    table = pd.concat([*columns, label], axis=1)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor("label", path=folder, verbosity=0).fit(table, hyperparameters=forest)
        settings = {"hyperparameters": forest, "verbosity": 0}
        default = predictor.distill(augment_args={"size_factor": 5, "max_size": 100_000}, **settings)[0]
        if len(columns) == 1:
            own = predictor.distill(augmentation_data=text, models_name_suffix="own", **settings)[0]
            p = {name: predictor.predict_proba(text, model=name)[1] for name in ("RandomForest", default, own)}
            apart = {name: float(((p[name] - p["RandomForest"]) ** 2).mean()) for name in (default, own)}
    train, added = seen["train"], seen["added"]
    missing = added.isna().mean()
    print(
        f"{dict(table.dtypes.astype(str))}: {len(train)} training rows, {train.isna().sum().sum()} cells "
        f"missing; {len(added)} added, {len(added.drop_duplicates())} of them distinct, share missing "
        f"{missing.to_dict()}"
    )
    assert len(added) == 5 * len(train) and train.notna().all(axis=None)
    assert (missing.filter(like="text") == 1).all() and (missing.filter(like="number") == 0).all()
assert len(added.drop_duplicates()) == 1 < len(train.drop_duplicates())
print(f"mean squared distance from the teacher: {apart[default]:.4f}; taught on the training rows {apart[own]:.4f}")
assert apart[default] > 4 * apart[own]
PY
(cd "$dir" && venv/bin/python -W ignore run.py 2>&1) | grep -v "import torch"

"""Hand over a student of a data set: `distill report` beside TabTune and AutoGluon, in one run.

Each gets the same training rows as a CSV and makes a small network of about as many parameters as
the article's student; it is judged on the same held-out rows. A peer may live in an environment of
its own, so each runs in a process of its own, one after the other.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

TARGET = "label"
HIDDEN = (64, 32)
SEED = 0
SURE = 1e-7
"""A distilled network of AutoGluon with two classes may answer below 0 and above 1."""
DATA = ("iris", "wine", "breast-cancer")
COLUMNS = ("data", "peer", "seconds", "cpu_seconds", "accuracy", "nll", "parameters", "student")


def size_of(features: int, classes: int) -> int:
    """Count the parameters of the article's student."""
    first, second = HIDDEN
    return (features + 1) * first + (first + 1) * second + (second + 1) * classes


def nearest_width(wanted: int, square: int, linear: int) -> int:
    """Return the width w for which square w^2 + linear w comes nearest to `wanted`.

    Examples
    --------
    >>> nearest_width(2499, 4, 15)
    23
    """
    return min(range(2, 500), key=lambda w: abs(square * w * w + linear * w - wanted))


# --- each of these runs in the peer's environment ------------------------------------------------


def ours(train: Path, test: Path) -> dict[str, Any]:
    """Run `distill report` at its defaults, but for one repeat of its six folds, not two."""
    import torch

    from distill_helpers.report import report

    made = report(train, TARGET, student=HIDDEN, repeats=1, random_state=SEED)
    x = (made.columns.apply(test) - made.mean) / made.scale
    logits = made.student.predict(torch.from_numpy(x).float())[0].double()
    return {
        "p": torch.softmax(logits, -1).numpy(),
        "classes": list(made.found["data"]["classes"]),
        "parameters": made.found["student"]["parameters"],
        "student": made.found["student"]["arm"],
    }


class OutOfFold:
    """A classifier's out-of-fold answers on its training rows, as TabTune takes a teacher."""

    tuning_strategy = "fitted"
    """Else TabTune fits a model of its own by the teacher's name."""
    model_name = "hist-gradient-boosting"

    def __init__(self, x: Any, y: Any) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import cross_val_predict

        model = HistGradientBoostingClassifier(early_stopping=False, random_state=SEED)
        self.answers = cross_val_predict(model, x, y, cv=5, method="predict_proba")

    def predict_proba(self, x: Any) -> Any:
        """Answer the training rows, the only ones that are asked."""
        return self.answers[x.index]


def tabtune(train: Path, test: Path) -> dict[str, Any]:
    """Run `TabDistiller` at its defaults, with a teacher of scikit-learn and a student of the size.

    Its own teachers download weights.
    """
    import pandas as pd
    from tabtune.distillation import TabDistiller

    rows, asked = pd.read_csv(train), pd.read_csv(test)
    x, y = rows.drop(columns=TARGET), rows[TARGET]
    features, classes = x.shape[1], y.nunique()
    width = nearest_width(size_of(features, classes), 4, features + classes + 8)
    made = TabDistiller(
        teachers=[OutOfFold(x, y)],
        student_params={"embed_dim": width, "n_blocks": 1},
        random_state=SEED,
    ).fit(x, y)
    network = made.student_.model_
    return {
        "p": made.predict_proba(asked.drop(columns=TARGET)),
        "classes": sorted(y.unique()),
        "parameters": sum(w.numel() for w in network.parameters()),
        "student": f"residual, width {width}",
    }


def autogluon(train: Path, test: Path) -> dict[str, Any]:
    """Run `TabularPredictor.fit` and `distill` at their defaults, with a network of the size."""
    from autogluon.tabular import TabularDataset, TabularPredictor

    rows = TabularDataset(str(train))
    features, classes = rows.shape[1] - 1, rows[TARGET].nunique()
    width = nearest_width(size_of(features, classes), 1, features + classes + 4)
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(TARGET, path=folder, eval_metric="log_loss", verbosity=0)
        predictor.fit(rows)
        network = {"num_layers": 2, "hidden_size": width}
        names = predictor.distill(hyperparameters={"NN_TORCH": network}, verbosity=0)
        name = next(name for name in names if name.startswith("NeuralNetTorch"))
        p = predictor.predict_proba(TabularDataset(str(test)).drop(columns=TARGET), model=name)
        student = predictor._trainer.load_model(name)
        return {
            "p": p.to_numpy(),
            "classes": [str(c) for c in p.columns],
            "parameters": sum(w.numel() for w in student.model.parameters()),
            "student": name,
        }


PEERS = {"distill report": ours, "TabTune": tabtune, "AutoGluon": autogluon}


def one(peer: str, train: Path, test: Path) -> dict[str, Any]:
    """Make a student, from the imports on, and score it."""
    start, used = time.perf_counter(), sum(os.times()[:4])
    made = PEERS[peer](train, test)
    seconds, used = time.perf_counter() - start, sum(os.times()[:4]) - used
    with test.open(encoding="utf-8") as file:
        labels = [row[TARGET] for row in csv.DictReader(file)]
    p = np.asarray(made.pop("p"), dtype=float)
    classes = [str(label) for label in made.pop("classes")]
    codes = [classes.index(label) for label in labels]
    given = p[np.arange(len(p)), codes].clip(SURE, 1 - SURE)
    return made | {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used, 1),
        "accuracy": round(float((p.argmax(1) == codes).mean()), 4),
        "nll": round(float(-np.log(given).mean()), 4),
    }


# --- and this runs in ours -----------------------------------------------------------------------


def write_split(name: str, folder: Path) -> tuple[Path, Path]:
    """Write four fifths of a data set's rows to train on, and the fifth to judge by."""
    from sklearn.model_selection import train_test_split

    from distill_helpers.own_data import example_file

    with example_file(name, folder).open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    labels = [row[-1] for row in rows]
    parts = train_test_split(rows, test_size=0.2, stratify=labels, random_state=SEED)
    paths = folder / f"{name}-train.csv", folder / f"{name}-test.csv"
    for path, part in zip(paths, parts, strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([header, *part])
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every peer on every data set, print a table, and write it where a folder is named."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  python benchmarks/peers.py --data iris --peer 'distill report'\n"
        "  python benchmarks/peers.py --python TabTune=tabtune/bin/python --output benchmarks",
    )
    parser.add_argument("--data", nargs="+", default=DATA, help="see own_data.example_file")
    parser.add_argument("--peer", nargs="+", default=list(PEERS), choices=list(PEERS))
    parser.add_argument(
        "--python", nargs="+", default=[], metavar="PEER=PATH", help="an environment of its own"
    )
    parser.add_argument("--output", type=Path, help="a folder for peers.csv")
    parser.add_argument("--one", nargs=3, metavar=("PEER", "TRAIN", "TEST"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        peer, train, test = options.one
        print("\n" + json.dumps(one(peer, Path(train), Path(test))))
        return
    pythons = dict(item.split("=", 1) for item in options.python)
    rows = []
    print(*COLUMNS, sep=" | ")
    with tempfile.TemporaryDirectory() as made:
        for name in options.data:
            paths = write_split(name, Path(made))
            for peer in options.peer:
                command = [pythons.get(peer, sys.executable), __file__, "--one", peer]
                done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True)
                if done.returncode:
                    last = done.stderr.strip().splitlines()[-1:]
                    print(name, peer, "did not run:", *last, sep=" | ", flush=True)
                    continue
                found = json.loads(done.stdout.strip().splitlines()[-1])
                rows.append({"data": name, "peer": peer, **found})
                print(*(rows[-1][column] for column in COLUMNS), sep=" | ", flush=True)
    if options.output and rows:
        with (options.output / "peers.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()

"""What a report promises: verdicts that anyone can compute again, no gain out of noise, leaks."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler
from test_report import make, write

from distill_helpers import experiments as ex
from distill_helpers import protocol
from distill_helpers.files import rows_from_file
from distill_helpers.protocol import Recipe, Shape
from distill_helpers.report import _report as module
from distill_helpers.report import report
from distill_helpers.report._leaks import leaks
from distill_helpers.report._page import _costs
from distill_helpers.report._run import GUESS, HARD
from distill_helpers.report._teachers import Plan
from distill_helpers.soft_targets import soft_targets
from distill_helpers.tasks import Task

STUDENT_EPOCHS, TEACHER_EPOCHS = 4, 3
MARGIN = 0.01


@pytest.fixture
def short(monkeypatch):
    """Networks that train for a moment only, and try a few settings."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # other processes know no patch
    plan = Plan(STUDENT_EPOCHS, TEACHER_EPOCHS)
    monkeypatch.setattr(Plan, "for_rows", classmethod(lambda cls, count: plan))
    monkeypatch.setattr(protocol, "RATES", (1e-3, 3e-3, 1e-2, 3e-2))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-3, 1e-2))
    monkeypatch.setattr("distill_helpers.report._rounds.held_out_parts", lambda rows: 1)
    monkeypatch.setattr(module, "_c_microseconds", lambda *sizes: 0.5)


# --- a second, plain computation -----------------------------------------------------------------


def prepared(own, learn_from):
    """Standardise every row by some rows."""
    _, features = own.learn(learn_from)
    scaler = StandardScaler().fit(features[learn_from])
    x = torch.from_numpy(scaler.transform(features).astype(np.float32))
    y = torch.from_numpy(own.labels)
    return Task("plain", len(own.classes), x, y, x, y, own.classes, scaler.mean_, scaler.scale_)


def recipes(task, teachers):
    hard = torch.nn.functional.one_hot(task.y_train, task.num_classes).float()

    def soft(logits):
        return Recipe(
            lambda fold, T: soft_targets(logits, T).float(),
            protocol.TEMPERATURES,
            1.0,
            tempered=True,
        )

    return {
        "hard labels": Recipe(lambda fold, s: hard),
        "smoothed labels": Recipe(
            lambda fold, s: (1 - s) * hard + s / task.num_classes, protocol.SMOOTHINGS
        ),
        "distilled from one": soft(teachers[0]),
        "distilled": soft(teachers.mean(0)),
    }


def nll(logits, labels):
    """Mean over members and rows, in nats."""
    log_q = torch.log_softmax(logits.double(), -1)
    picked = log_q.gather(-1, labels.expand(len(logits), -1).unsqueeze(-1))
    return float(-picked.mean())


def plain_loop(own, hidden):
    """Return NLL by arm, one number a split, and the sizes of the parts."""
    shapes = (
        Shape(tuple(2 * w for w in hidden), (0.3,) * len(hidden)),
        Shape(hidden, (0.0,) * len(hidden)),
    )
    every, scores, index = np.arange(len(own.labels)), {}, 0
    cut = StratifiedKFold(6, shuffle=True, random_state=0)
    folds = [test for _, test in cut.split(every, own.labels)]
    sizes = []

    def teach(task, rows, knobs, number):
        setting, shape = knobs
        return protocol.train_on_labels(
            task,
            [setting],
            rows,
            shape,
            seeds=ex.member_seeds(0, "teacher", number, 12),
            epochs=TEACHER_EPOCHS,
            average_last=protocol.averaged(TEACHER_EPOCHS),
        ).predict(task.x_train)

    for pair in range(3):
        tests = folds[2 * pair : 2 * pair + 2]
        tune = np.setdiff1d(every, np.concatenate(tests))
        inner = StratifiedKFold(4, shuffle=True, random_state=0)
        _, held_out = next(iter(inner.split(tune, own.labels[tune])))
        held_out = tune[held_out]
        fit = torch.from_numpy(np.setdiff1d(tune, held_out))
        task, parts = prepared(own, tune), [(fit, torch.from_numpy(held_out))]
        seed = ex.member_seeds(0, "trial", pair, 1)[0]
        knobs = protocol.tune_teacher(task, parts, shapes, epochs=TEACHER_EPOCHS, trial_seed=seed)
        found = protocol.tune(
            task,
            recipes(task, teach(task, fit, knobs, pair)),
            parts,
            hidden=hidden,
            epochs=STUDENT_EPOCHS,
            trial_seed=seed,
        )
        for test in tests:
            train = np.setdiff1d(every, test)
            sizes.append((len(train), len(test)))
            task, rows = prepared(own, train), torch.from_numpy(train)
            x, y = task.x_train[test], task.y_train[test]
            teachers = teach(task, rows, knobs, index)
            arms = recipes(task, teachers)
            students = ex.train_students(
                task,
                {n: arms[n].arm(None, found[n].setting, rows) for n in arms},
                seeds=ex.member_seeds(0, "student", index, 3),
                hidden=hidden,
                epochs=STUDENT_EPOCHS,
                average_last=protocol.averaged(STUDENT_EPOCHS),
            )
            counts = np.bincount(own.labels[train], minlength=len(own.classes)) + 1
            shares = torch.from_numpy(np.log(counts / counts.sum())).expand(1, len(test), -1)
            logits = {name: stack.predict(x) for name, stack in students.items()}
            logits |= {"class shares": shares, "one network": teachers[:, test]}
            logits["ensemble"] = teachers[:, test].mean(0, keepdim=True)
            for name, z in logits.items():
                scores.setdefault(name, []).append(nll(z, y))
            index += 1
    return scores, [round(float(np.mean(size))) for size in zip(*sizes, strict=True)]


def judged_by_hand(gains):
    """Nadeau and Bengio's interval; Holm at half of 5 %, the other half shared by surprises."""
    count = len(gains)
    p = [float(stats.t.sf(mean / error, df)) for mean, error, df in gains]
    holds = set()
    for place, k in enumerate(np.argsort(p)):
        if p[k] > 0.025 / (count - place):
            break
        holds.add(int(k))
    found = []
    for k, (mean, error, df) in enumerate(gains):
        reach = stats.t.ppf(1 - 0.025 / count, df) * error
        low, high = mean - reach, mean + reach
        if k in holds:
            found.append("holds")
        elif high < -MARGIN:
            found.append("wrong")
        elif low > -MARGIN and high < 0:
            found.append("reversed, smaller than the margin")
        elif low > -MARGIN and high < MARGIN:
            found.append("no difference")
        else:
            found.append("undecided")
    return found


def test_a_plain_loop_finds_the_same_gains_intervals_and_verdicts(short, tmp_path):
    data = make(tmp_path / "beans.csv", 240, noise=0.7)
    made = report(data, "kind", ids="row", repeats=1, student=(16, 8))
    own = rows_from_file(data, "kind", ids="row")
    scores, (train, test) = plain_loop(own, (16, 8))
    gains = []
    for row in made.found["answers"]:
        d = np.subtract(scores[row["other"]], scores[row["one"]])
        mean, count = d.mean(), len(d)
        error = np.sqrt((1 / count + test / train) * d.var(ddof=1))
        reach = stats.t.ppf(0.975, count - 1) * error
        gains.append((mean, error, count - 1))
        expected = {"value": mean, "low": mean - reach, "high": mean + reach}
        assert row["gain"] == pytest.approx(expected, rel=1e-7, abs=1e-9), row["question"]
    assert [row["verdict"] for row in made.found["answers"]] == judged_by_hand(gains)
    assert len(set(judged_by_hand(gains))) > 1  # or the comparison would say little


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("hard labels", "hard labels."),
        ("smoothed labels", "smoothed labels."),
        ("distilled", "the teacher."),
    ],
)
def test_the_page_says_what_the_student_learnt_from(arm, words):
    found = {
        "costs": dict.fromkeys(("c", "teacher", "pays_after")) | {"student": 12.0},
        "training_seconds": {"tuning": 1.0, "teachers": 1.0, "students": 1.0},
        "student": {"arm": arm, "parameters": 99},
    }
    assert f"it learnt from {words}" in _costs(found)


# --- noise, and data that favour distilling -----------------------------------------------------


def table(path: Path, x, y) -> Path:
    names = [f"f{k}" for k in range(x.shape[1])]
    rows = [[f"r{i}", *x[i], y[i]] for i in range(len(x))]
    return write(path, ["row", *names, "kind"], rows)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_of_pure_noise_are_promised_nothing(short, tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = table(tmp_path / "n.csv", rng.normal(size=(120, 4)).round(5), rng.integers(0, 2, 120))
    made = report(data, "kind", ids="row", repeats=1, student=(8, 4))
    assert made.found["decision"]["do"] == "Train nothing yet."
    assert not [row for row in made.found["answers"] if row["verdict"] == "holds"]


def test_a_teacher_who_saw_more_is_worth_distilling(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(Plan, "for_rows", classmethod(lambda cls, count: Plan(20, 10)))
    monkeypatch.setattr(module, "_c_microseconds", lambda *sizes: 0.5)
    rng = np.random.default_rng(0)
    few, classes = 600, [f"k{k}" for k in range(6)]
    x = rng.normal(size=(20 * few, 60)).round(5)
    z = 0.4 * x @ rng.normal(size=(60, 6)) + rng.gumbel(size=(len(x), 6))
    y = np.array(classes)[z.argmax(1)]
    data = table(tmp_path / "few.csv", x[:few], y[:few])
    taught = LogisticRegression().fit(x[few:], y[few:]).predict_proba(x[:few])
    rows = [[f"r{i}", *taught[i]] for i in range(few)]
    answers = write(tmp_path / "p.csv", ["id", *classes], rows)
    made = report(
        data,
        "kind",
        ids="row",
        repeats=1,
        student=(16, 8),
        teacher_probabilities=answers,
        out_of_fold=True,
    )
    assert made.found["decision"]["do"] == "Distil.", made
    assert not made.found["flags"]


def test_unlabelled_rows_are_worth_distilling_on(tmp_path, monkeypatch):
    """Classes differ in spread alone: naive Bayes sees it in few rows, a network does not."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(Plan, "for_rows", classmethod(lambda cls, count: Plan(15, 10)))
    monkeypatch.setattr(protocol, "RATES", (1e-3, 3e-3, 1e-2, 3e-2))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-3, 1e-2))
    monkeypatch.setattr(module, "_c_microseconds", lambda *sizes: 0.5)
    rng = np.random.default_rng(0)
    few, more = 240, 3000
    y = rng.integers(0, 3, few + more)
    spread = np.exp(0.4 * rng.normal(size=(3, 12)))
    x = (spread[y] * rng.normal(size=(len(y), 12))).round(4)
    labels = np.array(["a", "b", "c"])[y]
    made = report(
        table(tmp_path / "few.csv", x[:few], labels[:few]),
        "kind",
        ids="row",
        repeats=1,
        student=(32, 16),
        teacher=GaussianNB(),
        unlabelled=table(tmp_path / "more.csv", x[few:], labels[few:]),
    )
    assert made.found["decision"]["do"] == "Distil.", made
    learns = next(a for a in made.answers if (a.one, a.other) == (HARD, GUESS))
    assert learns.verdict.verdict != "holds"


# --- leaks --------------------------------------------------------------------------------------


def code_of(kind, y, rng):
    wrong = rng.random(len(y)) < 0.05
    return {
        "recoded": [[7.5, -2, 100][k] for k in y],
        "with noise": [f"c{k}" for k in np.where(wrong, rng.integers(0, 3, len(y)), y)],
        "jittered": (y + 0.05 * rng.normal(size=len(y))).round(4),
        "turned round": (-3 * y + 0.5 * rng.normal(size=len(y))).round(4),
        "finer": [f"{k}-{rng.integers(0, 4)}" for k in y],
        "of one class": (y == 1).astype(int),
        "half blank": [f"c{k}" if i % 2 else "" for i, k in enumerate(y)],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["recoded", "with noise", "jittered", "turned round", "finer", "of one class", "half blank"],
)
def test_the_target_is_found_in_another_column(tmp_path, kind):
    rng = np.random.default_rng(5)
    y = np.random.default_rng(0).integers(0, 3, 150)  # the labels of `make`
    own = rows_from_file(make(tmp_path / "a.csv", code=code_of(kind, y, rng)), "kind", ids="row")
    found = [flag for flag in leaks(own) if "drop=['code']" in flag]
    assert len(found) == 1
    assert "'kind'" in found[0]


@pytest.mark.parametrize("name", ["patient", "user_id", "Machine", "writers", "subject-no"])
def test_a_column_named_after_people_is_said_to_be_groups(tmp_path, name):
    whose = np.random.default_rng(1).integers(0, 30, 150)
    path = make(tmp_path / "a.csv", **{name: whose})
    assert f"pass groups={name!r}" in " ".join(leaks(rows_from_file(path, "kind", ids="row")))
    assert leaks(rows_from_file(path, "kind", ids="row", groups=name)) == []


def test_numbers_of_rows_are_said_to_be_names(tmp_path):
    path = make(tmp_path / "a.csv", number=np.random.default_rng(1).permutation(150))
    assert "pass ids='number'" in " ".join(leaks(rows_from_file(path, "kind", ids="row")))


def test_columns_that_all_tell_cost_no_forest(tmp_path, monkeypatch):
    """One for each column took minutes on hundreds of them."""
    monkeypatch.setattr("distill_helpers.report._leaks.RandomForestClassifier.fit", None)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = (5 * y[:, None] + rng.normal(size=(200, 4))).round(4)
    own = rows_from_file(table(tmp_path / "a.csv", x, np.array(["a", "b"])[y]), "kind", ids="row")
    assert leaks(own) == []


def test_a_good_feature_is_no_leak(tmp_path):
    """Two columns that each tell nearly all, and one that tells much, as honest ones do."""
    rng = np.random.default_rng(2)
    y = np.random.default_rng(0).integers(0, 3, 150)
    two = {k: (y + 0.15 * rng.normal(size=150)).round(4) for k in ("length", "width")}
    assert leaks(rows_from_file(make(tmp_path / "a.csv", **two), "kind", ids="row")) == []
    much = (y + 0.5 * rng.normal(size=150)).round(4)
    assert leaks(rows_from_file(make(tmp_path / "b.csv", weight=much), "kind", ids="row")) == []

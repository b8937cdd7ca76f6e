"""The map of when distilling pays: its points, what is measured at one, and the stored table."""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill_helpers import paying, protocol, studies
from distill_helpers.paying import Point, ViewPoint
from distill_helpers.statistics import mean_estimate
from distill_helpers.tasks import gaussian_mixture_task

STUDIES = Path(__file__).parents[1] / "studies"
SMALL = Point(
    classes=3,
    dimension=5,
    clusters=1,
    overlap=0.3,
    label_noise=0.0,
    rows=60,
    width=8,
    teacher_rows=2,
    unlabelled=1,
    diagnosed=False,
)
TWO_VIEWS = ViewPoint(
    **asdict(SMALL) | {"teacher_rows": 1, "unlabelled": 0, "dimension": 8},
    views=2,
    single=0.4,
    faint=0.3,
)


@pytest.fixture
def quick(monkeypatch):
    """Train for one sixth of the passes, with a sixth of the trials."""
    monkeypatch.setattr(paying, "VISITS", 300)
    monkeypatch.setattr(protocol, "RATES", (1e-3, 1e-2, 1e-1))
    monkeypatch.setattr(protocol, "DECAYS", (0.0, 1e-2, 1.0))
    monkeypatch.setattr(protocol, "TEMPERATURES", (1.0, 2.0, 4.0))
    monkeypatch.setattr(protocol, "SMOOTHINGS", (0.0, 0.1, 0.2))


def test_points_are_the_same_every_time_and_within_their_ranges():
    found = paying.points()
    assert len(found) == paying.NUM_POINTS and found == paying.points()
    for point in found:
        assert point.classes in paying.CLASSES and point.width in paying.WIDTHS
        assert 5 <= point.dimension <= 40 and 0.05 <= point.overlap <= 0.65
        assert 0 <= point.label_noise <= 0.4
        assert max(60, 16 * point.classes) <= point.rows <= 1000
        if point.diagnosed:
            assert point.classes > 2 and not point.unlabelled


@pytest.mark.parametrize("half", [slice(0, 200), slice(200, 400)])
def test_each_half_of_the_points_fills_the_space(half):
    found = paying.points()[half]
    for name, choices in (
        ("classes", paying.CLASSES),
        ("clusters", paying.CLUSTERS),
        ("width", paying.WIDTHS),
    ):
        counts = [sum(getattr(p, name) == one for p in found) for one in choices]
        assert max(counts) - min(counts) <= 0.15 * len(found)
    for name, ends in (("overlap", (0.05, 0.65)), ("dimension", (5, 40))):
        values = np.array([getattr(p, name) for p in found])
        spread = np.log(values) if name == "dimension" else values
        low, high = np.log(ends) if name == "dimension" else ends
        quarters = np.histogram(spread, np.linspace(low, high, 5))[0] / len(found)
        assert abs(quarters - 0.25).max() < 0.06
    assert 0.4 < np.mean([p.teacher_rows == 1 for p in found]) < 0.6
    assert 0.4 < np.mean([p.unlabelled == 0 for p in found]) < 0.6


def test_a_point_is_the_task_that_it_says():
    task = SMALL.task(4)
    assert task.num_classes == 3 and task.x_train.shape == (180, 5)
    error, spread = task.law.bayes_error(200_000, seed=1)
    assert abs(error - 0.3 * 2 / 3) < 4 * spread + 0.002


def test_few_rows_are_visited_as_often_as_many():
    assert paying.epochs(100) * 100 == pytest.approx(paying.epochs(500) * 500, rel=0.02)
    assert (paying.epochs(10), paying.epochs(100_000)) == (400, 40)


def test_a_student_is_tuned_for_as_many_visits_whatever_its_rows(monkeypatch):
    point = replace(SMALL, rows=200, unlabelled=2)
    rows = paying.Rows.of(point)
    passes, counts = {}, {}

    def tune(task, arms, folds, *, epochs, **_):
        passes.update(dict.fromkeys(arms, epochs))
        counts.update(dict.fromkeys(arms, len(folds[0][0]) + len(folds[0][1])))
        return dict.fromkeys(arms)

    monkeypatch.setattr(protocol, "tune", tune)
    folds = paying.folds_of(torch.arange(200) % 3, rows.student, 0)
    chosen = paying.choose(None, dict.fromkeys(("hard", "soft")), folds, rows, point, 0)
    assert set(chosen) == {"hard", "soft"} and counts == {"hard": 200, "soft": 600}
    for name, count in counts.items():
        assert passes[name] * count == pytest.approx(paying.VISITS, rel=0.05)


def test_folds_are_alike_in_classes_and_drawn_by_their_seed():
    labels, rows = torch.arange(120) % 3, torch.arange(20, 100)
    drawn = {}
    for seed in (1, 2, 2):
        folds = paying.folds_of(labels, rows, seed)
        held_out = [set(held.tolist()) for _, held in folds]
        assert seed not in drawn or drawn[seed] == held_out
        drawn[seed] = held_out
        for fit_rows, held in folds:
            assert torch.equal(torch.cat([fit_rows, held]).sort().values, rows)
            counts = torch.bincount(labels[held])
            assert len(held) == 20 and counts.max() - counts.min() <= 1
        assert not held_out[0] & held_out[1]
    assert drawn[1] != drawn[2]


def test_signs_are_what_numpy_finds():
    task = gaussian_mixture_task(3, 4, 0.2, num_train=60, num_test=1)
    folds = paying.folds_of(task.y_train, torch.arange(60), 0)
    draw = torch.Generator().manual_seed(0)
    students, teachers = (
        [torch.randn(m, len(held), 3, generator=draw) for _, held in folds] for m in (2, 3)
    )
    found = paying.signs(task, students, teachers, folds, 60)

    y = np.concatenate([task.y_train[held].numpy() for _, held in folds])
    s, t = (np.concatenate([p.numpy().astype(float) for p in z], 1) for z in (students, teachers))

    def softmax(z):
        e = np.exp(z)
        return e / e.sum(-1, keepdims=True)

    def nll(z):
        return -np.log(softmax(z)[..., np.arange(len(y)), y])

    edge, lead = nll(s).mean(0) - nll(t.mean(0)), nll(t).mean(0) - nll(t.mean(0))
    assert found.edge == pytest.approx(edge.mean())
    assert found.edge_error == pytest.approx(edge.std(ddof=1) / len(y) ** 0.5)
    assert found.lead == pytest.approx(lead.mean())
    assert found.lead_error == pytest.approx(lead.std(ddof=1) / len(y) ** 0.5)
    assert found.student_loss - found.pool_loss == pytest.approx(found.edge)
    assert found.teacher_loss - found.pool_loss == pytest.approx(found.lead)
    p = softmax(t)
    mutual = (p * np.log(p)).sum(-1).mean(0) - (p.mean(0) * np.log(p.mean(0))).sum(-1)
    assert found.disagreement == pytest.approx(mutual.mean())
    assert found.student_accuracy == pytest.approx((s.argmax(-1) == y).mean())
    assert found.labels_per_class == 20


def test_who_trains_on_what(quick, monkeypatch):
    """No teacher of a fold sees its held-out rows; only soft targets use rows without a label."""
    seen = []

    def spy(tasks, arms, *args, **kwargs):
        seen.append({name: set(arm.rows.tolist()) for name, arm in arms[0].items()})
        return train(tasks, arms, *args, **kwargs)

    taught = []

    def watch(tasks, rows, *args):
        taught.append(set(rows.tolist()))
        return teach(tasks, rows, *args)

    train, teach = paying.train, paying.teach
    monkeypatch.setattr(paying, "train", spy)
    monkeypatch.setattr(paying, "teach", watch)
    paying.measure(SMALL, 5, replicates=2)
    rows = paying.Rows.of(SMALL)
    student, teacher, more = (set(r.tolist()) for r in vars(rows).values())
    assert student < teacher and not teacher & more and len(more) == 60
    first = SMALL.task(5).with_fresh_data(0)
    folds = paying.folds_of(first.y_train, rows.student, 5)
    for (fit_rows, held_out), own, few in zip(folds, seen, taught, strict=False):
        assert few == teacher - set(held_out.tolist())
        assert own == {"hard": set(fit_rows.tolist())}
    assert taught[-1] == teacher
    assert seen[-1] == {"hard": student, "smoothed": student, "soft": student | more}


def test_a_point_measured(quick):
    point = replace(SMALL, unlabelled=0, diagnosed=True)
    row = paying.measure(point, 5, replicates=3)
    assert asdict(point) == {name: row[name] for name in asdict(point)}
    for arm in paying.ARMS[1:]:
        assert row[f"gain_{arm}"] == pytest.approx(row["nll_hard"] - row[f"nll_{arm}"])
    assert row["gain_soft_on_smoothed"] == pytest.approx(row["nll_smoothed"] - row["nll_soft"])
    assert row["nll_ensemble"] <= row["nll_teacher"], "the loss is convex in the logits"
    assert row["arms"] == 6 and 0 <= row["edges"] <= 6
    assert row["gain_soft_error"] > 0
    again = paying.measure(point, 5, replicates=3)
    assert again == row
    look = paying.look(
        point.task(5).with_fresh_data(0), paying.Rows.of(point), width=point.width, seed=5
    )
    for name, value in asdict(look).items():
        assert value == pytest.approx(row[name], abs=1e-4)


def test_lead_points_are_fresh_and_their_teachers_saw_what_the_student_sees(monkeypatch):
    found = paying.lead_points()
    assert len(found) == paying.LEAD_POINTS and found == paying.lead_points()
    assert {(p.teacher_rows, p.unlabelled, p.diagnosed) for p in found} == {(1, 0, False)}
    axes = ("dimension", "overlap", "label_noise", "rows")
    known = {tuple(getattr(p, name) for name in axes) for p in paying.points()}
    assert not known & {tuple(getattr(p, name) for name in axes) for p in found}
    asked = []
    monkeypatch.setattr(paying, "measure", lambda point, index: asked.append((point, index)) or {})
    assert paying.replicate_lead(3) == [{"point": 3}]
    [(point, index)] = asked
    assert point == found[3] and index not in range(len(paying.points()))  # no law of the map


def test_view_points_are_the_same_every_time_and_spread_over_each_axis():
    found = paying.view_points()
    assert len(found) == paying.VIEW_POINTS == 16 and found == paying.view_points()
    for name, choices in (("classes", paying.VIEW_CLASSES), ("width", paying.WIDTHS)):
        assert [sum(getattr(p, name) == one for p in found) for one in choices] == [4] * 4
    for name, low, high in (
        ("dimension", np.log(16), np.log(64)),
        ("overlap", 0.02, 0.3),
        ("single", 0.05, 0.5),
        ("faint", 0.1, 0.5),
    ):
        values = np.array([getattr(p, name) for p in found])
        spread = np.log(values) if name == "dimension" else values
        assert np.histogram(spread, np.linspace(low, high, 3))[0].tolist() == [8, 8], name
    for point in found:
        assert point.dimension >= point.classes * point.views and point.views == 2
        assert max(60, 16 * point.classes) <= point.rows <= 1000
        assert (point.teacher_rows, point.unlabelled, point.label_noise) == (1, 0, 0)


def test_a_point_of_several_views_is_the_task_that_it_says():
    task = TWO_VIEWS.task(4)
    assert task.name.startswith("2 views, 3 classes") and task.x_train.shape == (60, 8)
    error, spread = task.law.bayes_error(200_000, seed=1)
    assert abs(error - 0.3 * 2 / 3) < 4 * spread + 0.002
    weights = task.law.weights.reshape(3, 3, -1).sum(2)[0]
    assert weights / weights.sum() == pytest.approx([0.6, 0.2, 0.2])
    lengths = (task.law.centroids**2).sum(1).reshape(3, 3, -1)[0, :, 0]
    assert lengths / lengths[0] * 2.09 == pytest.approx([2.09, 1.09, 1.09])


def test_classes_of_which_one_view_alone_is_recognised_are_counted():
    task = TWO_VIEWS.task(4)
    centres = torch.from_numpy(task.law.centroids.reshape(3, 3, 4, 8)[:, 1:].mean(2))

    class Members:
        """The first knows both views, the second one view, the third knows neither."""

        def predict(self, x):
            raw = x.double() * task.scale + task.mean
            both, first = raw @ centres.sum(1).T, raw @ centres[:, 0].T
            return torch.stack([both, first, -both])

    found = paying.one_view_only(task, Members(), 2)
    assert found == {
        "one_view_teacher": pytest.approx(1 / 3),
        "one_view_ensemble": pytest.approx(1.0),
    }

    class Good(Members):
        def predict(self, x):
            return super().predict(x)[:1]

    assert set(paying.one_view_only(task, Good(), 2).values()) == {0.0}


def test_a_point_of_two_views_is_measured_beside_one_of_one(quick, monkeypatch):
    monkeypatch.setattr(paying, "view_points", lambda: [SMALL, TWO_VIEWS])
    monkeypatch.setattr(paying.measure, "__defaults__", (2, None))
    rows = paying.replicate_views(1)
    assert [row["views"] for row in rows] == [2, 1] and list(rows[0]) == list(rows[1])
    two, one = rows
    for name in {*asdict(TWO_VIEWS)} - {"views"}:
        assert two[name] == one[name]
    assert two["point"] == one["point"] == 1 and two["nll_ensemble"] != one["nll_ensemble"]
    assert 0 <= two["one_view_ensemble"] <= 1 and 0 <= two["one_view_teacher"] <= 1
    assert one["one_view_ensemble"] == one["one_view_teacher"] == 0
    for row in rows:
        assert row["gain_soft"] == pytest.approx(row["nll_hard"] - row["nll_soft"])
    alone = paying.measure(TWO_VIEWS, 1, replicates=2)
    assert {name: two[name] for name in alone} == pytest.approx(alone, nan_ok=True)


def test_errors_are_those_of_the_paired_differences():
    rng = np.random.default_rng(0)
    scores = {name: [tuple(v) for v in rng.random((5, 2))] for name in ("hard", "smoothed", "soft")}
    scores |= dict.fromkeys(("teacher", "ensemble"), scores["hard"])
    row = paying._summary(scores)
    hard, soft = (np.array(scores[name]) for name in ("hard", "soft"))
    assert row["gain_soft"] == pytest.approx((hard - soft)[:, 0].mean())
    assert row["gain_soft_error"] == pytest.approx((hard - soft)[:, 0].std(ddof=1) / 5**0.5)
    assert row["accuracy_gain_soft"] == pytest.approx((soft - hard)[:, 1].mean())
    assert math.isnan(row["gain_exact"]) and math.isnan(row["nll_exact"])


def test_a_readers_own_rows(quick):
    task = gaussian_mixture_task(3, 4, 0.2, num_train=90, num_test=1)
    found = paying.look(task, width=8, seed=1)
    assert found == paying.look(task, width=8, seed=1) != paying.look(task, width=8, seed=2)
    assert found.labels_per_class == 30
    assert 0.3 < found.student_accuracy <= 1


@pytest.mark.parametrize("name", ["map", "map-intel"])
def test_the_stored_map_is_whole_and_says_how_it_was_made(name):
    table = studies.read(STUDIES / f"{name}.csv")
    found = paying.points()
    assert table.about["command"] == "python studies/map.py"
    numbers = [row["point"] for row in table.rows]
    assert numbers == sorted(set(numbers)) and len(numbers) > 200
    for row in table.rows:
        for name, value in asdict(found[row["point"]]).items():
            assert row[name] == pytest.approx(float(value))
        assert row["gain_soft"] == pytest.approx(row["nll_hard"] - row["nll_soft"], abs=1e-7)


@pytest.mark.parametrize("name", ["views", "views-intel"])
def test_the_stored_views_are_whole_and_say_how_they_were_made(name):
    table = studies.read(STUDIES / f"{name}.csv")
    found = paying.view_points()
    assert table.about["command"] == "python studies/views.py"
    pairs = [(point, views) for point in range(16) for views in (2, 1)]
    assert [(row["point"], row["views"]) for row in table.rows] == pairs
    for row in table.rows:
        point = replace(found[row["point"]], views=row["views"])
        for name, value in asdict(point).items():
            assert row[name] == pytest.approx(float(value))
        assert row["gain_soft"] == pytest.approx(row["nll_hard"] - row["nll_soft"], abs=1e-7)


def test_two_vendors_measured_the_same_points_and_agree_on_the_mean():
    """Not point by point: where another setting is chosen, a gain moves beyond its own error."""
    for name in ("map", "views"):
        first, second = (studies.read(STUDIES / f"{name}{of}.csv") for of in ("", "-intel"))
        vendors = [json.loads(table.about["machine"])["cpu"] for table in (first, second)]
        assert vendors == ["AuthenticAMD", "GenuineIntel"]
        shift = [
            b["gain_soft"] - a["gain_soft"] for a, b in zip(first.rows, second.rows, strict=True)
        ]
        assert np.count_nonzero(shift) > len(shift) / 2  # no copy
        moved = mean_estimate(shift, interval="auto")
        assert moved.low < 0 < moved.high


def test_the_studies_say_what_they_are(capsys, monkeypatch, tmp_path):
    for name in ("map", "map_data", "views"):
        spec = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
        study = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(study)
        monkeypatch.setattr("sys.argv", [f"{name}.py", "--help"])
        with pytest.raises(SystemExit) as stop:
            study.main()
        assert stop.value.code == 0 and "Examples" in capsys.readouterr().out

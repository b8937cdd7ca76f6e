"""The forecast: how it is fitted, what following it brings, and that the stored one is its fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from distill_helpers import forecast, paying, protocol, studies
from distill_helpers.forecast import MARGIN, RULE, Rule

STUDIES = Path(__file__).parents[1] / "studies"


def point(edge, gain, **more):
    return {
        "edge": edge,
        "gain_soft": gain,
        "accuracy_gain_soft": gain / 2,
        "dimension": 10,
        "lead": 0.01,
        "lead_error": 0.01,
        "teacher_rows": 1,
        "unlabelled": 0,
        "classes": 2,
        "labels_per_class": 100.0,
    } | more


def test_the_rule_is_the_fit_to_the_first_half_of_the_stored_map():
    rows = [r for r in studies.read(STUDIES / "map.csv").rows if r["point"] < forecast.FITTED]
    assert len(rows) == forecast.FITTED
    fitted = forecast.fit_rule(rows)
    assert fitted.intercept == pytest.approx(RULE.intercept, abs=1e-6)
    assert fitted.slope == pytest.approx(RULE.slope, abs=1e-6)


def test_a_few_wild_points_do_not_move_the_line():
    rng = np.random.default_rng(0)
    edges = rng.uniform(-0.2, 0.4, 200)
    rows = [
        point(e, 0.01 + 0.6 * e + n) for e, n in zip(edges, rng.normal(0, 0.01, 200), strict=True)
    ]
    rows += [point(0.3, 3.0), point(-0.1, 2.0)]
    found = forecast.fit_rule(rows)
    assert found.slope == pytest.approx(0.6, abs=0.02)
    assert found.intercept == pytest.approx(0.01, abs=0.004)


def test_an_edge_beyond_the_limit_counts_as_the_limit():
    rule = Rule(0.0, 0.5)
    assert rule.forecast(7.0) == rule.forecast(forecast.EDGE_LIMIT) == 0.25
    assert rule.forecast(-7.0) == -0.25
    rows = [point(e, 0.5 * e) for e in (-0.1, 0.0, 0.1, 0.2, 0.3)] * 10
    assert forecast.fit_rule([*rows, point(50.0, 0.25)]).slope == pytest.approx(0.5, abs=1e-3)


def test_it_distils_where_the_gain_to_expect_matters():
    rule = Rule(0.0, 1.0)
    assert rule.says_distil(MARGIN * 1.01)
    assert not rule.says_distil(MARGIN * 0.99)


def test_each_policy_does_what_it_says():
    rule = Rule(0.0, 1.0)
    plain = point(0.0, 0.0)
    told = {name: does(rule, plain) for name, does in forecast.POLICIES.items()}
    assert told == {
        "the rule": False,
        "any edge": False,
        "always": True,
        "never": False,
        "below 21 columns": True,
        "a sure lead": False,
        "the first page": False,
    }
    for name, change in (
        ("the rule", {"edge": 0.01}),
        ("any edge", {"edge": 0.001}),
        ("a sure lead", {"lead": 0.02}),
        ("the first page", {"teacher_rows": 2}),
        ("the first page", {"unlabelled": 1}),
        ("the first page", {"classes": 3, "labels_per_class": 29}),
    ):
        assert forecast.POLICIES[name](rule, plain | change), name
    assert not forecast.POLICIES["below 21 columns"](rule, plain | {"dimension": 21})
    for few in ({"classes": 3}, {"labels_per_class": 29}):
        assert not forecast.POLICIES["the first page"](rule, plain | few)


def test_outcomes_are_counted_point_by_point():
    rng = np.random.default_rng(1)
    rows = [point(e, g) for e, g in rng.normal(0.01, 0.03, (40, 2))]
    rule = Rule(0.0, 1.0)
    found = forecast.outcomes(rule, rows)
    gains = [row["gain_soft"] for row in rows]
    kept = [g if row["edge"] > MARGIN else 0.0 for g, row in zip(gains, rows, strict=True)]
    assert found["the rule"].saved.value == pytest.approx(np.mean(kept))
    assert found["always"].saved.value == pytest.approx(np.mean(gains))
    assert found["never"].saved.value == 0 and found["never"].hurt == 0
    best = [max(g, 0) for g in gains]
    assert found["the rule"].lost.value == pytest.approx(np.mean(np.subtract(best, kept)))
    assert found["always"].against_rule.value == pytest.approx(np.mean(np.subtract(kept, gains)))
    assert found["always"].hurt == np.mean([g < -MARGIN for g in gains])
    assert found["the rule"].distilled == np.mean([row["edge"] > MARGIN for row in rows])
    harmed = [int(g < -MARGIN) - int(k < -MARGIN) for g, k in zip(gains, kept, strict=True)]
    assert found["always"].hurt_more.value == pytest.approx(np.mean(harmed))
    assert found["always"].accuracy.value == pytest.approx(np.mean(gains) / 2)


def test_errors_are_absolute():
    assert forecast.errors(Rule(0.0, 1.0), [point(0.1, 0.3), point(0.3, 0.1)]) == pytest.approx(
        [0.2, 0.2]
    )


def test_trainings_by_hand():
    trials, grid = 2 * protocol.NUM_TRIALS, 2 * 8 * 4
    hard, teachers = trials + 1, grid + 3 * paying.MEMBERS
    assert forecast.trainings("never", 0.0) == hard
    assert forecast.trainings("always", 1.0) == hard + teachers + trials + 1
    look = grid + 2 * paying.FEW
    assert forecast.trainings("the rule", 0.0) == hard + look
    assert forecast.trainings("any edge", 0.0) == hard + look
    assert forecast.trainings("the rule", 1.0) == forecast.trainings("always", 1.0)


def test_a_point_says_what_its_interval_shows():
    t = 2.2010  # two-sided, 11 degrees of freedom; with 10 or 12 it is 1 % away

    def said(gain, reach, name="gain_soft"):
        return forecast.state({name: gain, f"{name}_error": reach / t}, name)

    assert said(0.010, 0.00499) == "pays" and said(0.010, 0.00501) == "open"
    assert said(-0.010, 0.00499) == "hurts" and said(-0.010, 0.00501) == "open"
    assert said(0.001, 0.00399) == said(-0.001, 0.00399) == "no better"
    assert said(0.001, 0.00401) == said(-0.001, 0.00401) == said(0.0, 0.006) == "open"
    assert said(0.010, 0.00499, "gain_soft_on_smoothed") == "pays"
    assert set(forecast.STATES) == {"pays", "no better", "hurts", "open"}


def test_what_teachers_saw_more():
    for teacher_rows, unlabelled, seen in ((1, 0, 0), (1, 3, 1), (2, 0, 2), (4, 1, 2)):
        row = point(0, 0, teacher_rows=teacher_rows, unlabelled=unlabelled)
        assert forecast.saw(row) == forecast.SAW[seen]


def test_the_nearest_points_are_those_that_numpy_finds():
    rows = studies.read(STUDIES / "map.csv").rows
    seen = np.array([forecast.saw(row) for row in rows])
    edges, labels = (np.array([r[name] for r in rows]) for name in ("edge", "labels_per_class"))
    for edge, per_class, word in ((0.0, 40, 0), (0.2, 320, 1), (-0.1, 20, 2), (0.037, 100, 2)):
        far = np.hypot(
            np.arcsinh(edge / 0.01) - np.arcsinh(edges / 0.01), np.log(per_class / labels)
        )
        far[seen != forecast.SAW[word]] = np.inf
        found = forecast.nearest(rows, edge, per_class, forecast.SAW[word])
        assert found == [rows[k] for k in np.argsort(far, kind="stable")[: forecast.NEAR]]
    one = next(row for row in rows if row["edge"] > 0.1)
    assert forecast.nearest(rows, one["edge"], one["labels_per_class"], forecast.saw(one))[0] == one
    with pytest.raises(ValueError, match=r"^seen is 'more'; it must be one of 'same rows, same"):
        forecast.nearest(rows, 0.0, 40, "more")

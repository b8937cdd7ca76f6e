"""The verdict rule against its definition, and its promise by simulation.

The simulations judge thousands of families with the study's vectorised copy of the rule, which a
test here holds to the package's, claim by claim.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from distill_helpers import studies
from distill_helpers.statistics import Estimate, gap_recovered, mcnemar, mean_estimate
from distill_helpers.verdicts import Claim, Verdict, verdicts

FOLDER = Path(__file__).parent.parent / "studies"
SPEC = importlib.util.spec_from_file_location("verdict_rule", FOLDER / "verdict_rule.py")
assert SPEC is not None and SPEC.loader is not None
study = importlib.util.module_from_spec(SPEC)
sys.modules["verdict_rule"] = study  # dataclasses look their module up
SPEC.loader.exec_module(study)

modest = settings(max_examples=50, deadline=None)  # a busy machine is no failure
SMALLER = "reversed, smaller than the margin"
SMALL = "smaller than the smallest effect that matters"
OPEN = "on the other side, but whether by the margin is open"


def estimate_of(value: float, error: float = 0.1, freedom: float = 9) -> Estimate:
    half = float(scipy_stats.t.ppf(0.975, freedom)) * error
    return Estimate(value, value - half, value + half, 0.95, 10, error, freedom)


def judge(
    value: float, prediction: str, margin: float, error: float = 0.1, among: int = 1
) -> Verdict:
    """Judge one claim, among others that decide nothing."""
    claim = Claim("c", estimate_of(value, error), prediction, margin)  # type: ignore[arg-type]
    others = [Claim(str(i), estimate_of(0.0), "greater", 0.0) for i in range(among - 1)]
    return verdicts([claim, *others])[0]


# One claim ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "prediction", "margin", "verdict", "remark"),
    [
        (1.0, "greater", 0.5, "holds", ""),
        (0.24, "greater", 0.5, "holds", SMALL),
        (0.3, "greater", 0.0, "holds", ""),
        (0.1, "greater", 0.5, "no difference", ""),
        (0.0, "greater", 0.0, "undecided", ""),
        (-0.1, "greater", 0.5, "no difference", ""),
        (-0.3, "greater", 0.6, SMALLER, ""),
        (-0.6, "greater", 0.5, "undecided", OPEN),
        (-0.1, "greater", 0.2, "undecided", ""),
        (-0.6, "greater", 0.3, "wrong", ""),
        (-0.3, "greater", 0.0, "wrong", ""),
        (-1.0, "less", 0.5, "holds", ""),
        (-0.24, "less", 0.5, "holds", SMALL),
        (0.1, "less", 0.5, "no difference", ""),
        (0.3, "less", 0.6, SMALLER, ""),
        (0.6, "less", 0.5, "undecided", OPEN),
        (0.6, "less", 0.3, "wrong", ""),
        (0.0, "equal", 0.5, "holds", ""),
        (0.24, "equal", 0.5, "holds", ""),
        (0.4, "equal", 0.5, "undecided", ""),
        (0.9, "equal", 0.5, "wrong", ""),
        (-0.9, "equal", 0.5, "wrong", ""),
    ],
)
def test_verdict_of_one_claim(
    value: float, prediction: str, margin: float, verdict: str, remark: str
) -> None:
    judged = judge(value, prediction, margin)
    assert (judged.verdict, judged.remark, judged.small) == (verdict, remark, remark == SMALL)


@modest
@given(
    st.floats(-3, 3),
    st.floats(0.01, 1),
    st.sampled_from(["greater", "less", "equal"]),
    st.floats(0.01, 2),
    st.floats(-2, 2),
    st.integers(1, 30),
)
def test_a_verdict_reads_off_intervals(
    value: float, error: float, prediction: str, margin: float, reference: float, among: int
) -> None:
    """Written out anew: a claim among others that decide nothing is judged by one interval."""
    tail = 0.05 / 2 / among
    half, wide = scipy_stats.t.isf([tail, tail / 2], 9) * error
    side = -1 if prediction == "less" else 1
    along = side * (value - reference)
    low, high = along - half, along + half
    inside = -margin < low and high < margin
    if prediction == "equal":
        beyond = along - wide > margin or along + wide < -margin
        expected = "holds" if inside else "wrong" if beyond else "undecided"
    elif low > 0:
        expected = "holds"
    elif high < -margin:
        expected = "wrong"
    elif inside:
        expected = SMALLER if high < 0 else "no difference"
    else:
        expected = "undecided"
    claim = Claim("c", estimate_of(value, error), prediction, margin, reference)  # type: ignore[arg-type]
    others = [Claim(str(i), estimate_of(0.0), "greater", 0.0) for i in range(among - 1)]
    verdict = verdicts([claim, *others])[0]
    assert verdict.verdict == expected
    assert verdict.small == (prediction != "equal" and low > 0 and inside)
    assert (verdict.p_adjusted <= 0.05) == (expected != "undecided")
    assert (OPEN in verdict.remark) == (
        expected == "undecided" and prediction != "equal" and high < 0
    )
    plain = claim.estimate
    assert {
        "holds": prediction == "equal" or not plain.contains(reference),
        "wrong": plain.low > reference + margin or plain.high < reference - margin,
        SMALLER: not plain.contains(reference),
    }.get(verdict.verdict, True)


def test_words() -> None:
    def words(value: float, prediction: str, margin: float) -> str:
        claim = Claim("c", replace(estimate_of(value), unit="points"), prediction, margin)  # type: ignore[arg-type]
        return verdicts([claim])[0].words

    assert words(1.0, "greater", 0.5) == "holds: 1.00 [0.77, 1.23] points is greater than 0"
    assert words(-0.24, "less", 0.5) == (
        f"holds: -0.24 [-0.47, -0.01] points is less than 0; {SMALL}"
    )
    assert words(0.9, "less", 0.5) == "wrong: 0.90 [0.67, 1.13] points is greater than 0.5"
    assert words(-0.9, "greater", 0.5) == "wrong: -0.90 [-1.13, -0.67] points is less than -0.5"
    assert words(0.0, "greater", 0.5) == (
        "no difference: 0.00 [-0.23, 0.23] points is within 0.5 of 0"
    )
    assert words(-0.24, "greater", 0.5) == (
        f"{SMALLER}: -0.24 [-0.47, -0.01] points is less than 0, and within 0.5 of 0"
    )
    assert words(0.0, "equal", 0.5) == "holds: 0.00 [-0.23, 0.23] points is within 0.5 of 0"
    assert words(0.9, "equal", 0.5) == "wrong: 0.90 [0.67, 1.13] points is more than 0.5 from 0"
    assert words(0.4, "equal", 0.5) == "undecided: 0.40 [0.17, 0.63] points"
    assert words(0.6, "less", 0.5) == f"undecided: 0.60 [0.37, 0.83] points; {OPEN}"


# Among others ---------------------------------------------------------------------------------


@modest
@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=8))
def test_holm_steps_down(statistics: list[float]) -> None:
    """Against Holm's procedure as it is usually written, on plain two-sided p-values."""
    p = scipy_stats.t.sf(statistics, 9)
    order, adjusted, running = np.argsort(p, kind="stable"), np.empty(len(p)), 0.0
    for rank, i in enumerate(order):
        running = max(running, (len(p) - rank) * 2 * p[i])
        adjusted[i] = min(1.0, running)
    claims = [Claim(str(i), estimate_of(s, 1.0), "greater", 0.0) for i, s in enumerate(statistics)]
    judged = verdicts(claims)
    assert [v.name for v in judged] == [c.name for c in claims]
    np.testing.assert_allclose([v.p for v in judged], p)
    np.testing.assert_allclose([v.p_adjusted for v in judged], adjusted)
    assert [v.verdict == "holds" for v in judged] == list(adjusted <= 0.05)


def test_the_last_step_of_holm_helps_holds_alone() -> None:
    """Beside claims that hold, a faint one holds as if alone; a surprise stays corrected."""
    sure = [Claim(str(i), estimate_of(9.0), "greater", 0.0) for i in range(3)]
    faint = Claim("faint", estimate_of(0.24), "greater", 0.0)
    assert verdicts([faint, *sure])[0].verdict == "holds"
    assert verdicts([replace(faint, prediction="less")])[0].verdict == "wrong"
    assert verdicts([replace(faint, prediction="less"), *sure])[0].verdict == "undecided"


def test_a_claim_may_lose_holds_and_keep_no_difference() -> None:
    assert judge(0.24, "greater", 0.7).verdict == "holds"
    assert judge(0.24, "greater", 0.7, among=4).verdict == "no difference"


def test_the_correction_can_take_a_verdict_away_and_says_so() -> None:
    claims = [Claim(str(i), estimate_of(0.24), "greater", 0.0) for i in range(4)]
    assert verdicts(claims[:1])[0].verdict == "holds"
    for verdict in verdicts(claims):
        assert verdict.verdict == "undecided"
        assert verdict.p_adjusted == pytest.approx(8 * verdict.p)
        assert verdict.words == (
            "undecided: 0.24 [0.01, 0.47]; alone it would be *holds*, among 4 claims it is not"
        )


def test_what_is_shown_comes_before_what_would_be() -> None:
    """At 4 claims -0.75 is surely below zero; alone it would be beyond the margin too."""
    verdict = judge(-0.75, "greater", 0.5, among=4)
    assert verdict.remark == f"{OPEN}; alone it would be *wrong*, among 4 claims it is not"


def test_ratio_and_proportion_can_be_judged() -> None:
    rng = np.random.default_rng(40)
    baseline = 96.5 + 0.2 * rng.normal(size=10)
    gap = gap_recovered(baseline + 0.7 + 0.1 * rng.normal(size=10), baseline, baseline + 1.3)
    correct = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [960, 18, 11, 11], axis=0)
    run = mcnemar(correct[:, 0], correct[:, 1]).difference
    judged = verdicts([Claim("gap", gap, "greater", 0.1), Claim("run", run, "greater", 0.001)])
    assert [v.verdict for v in judged] == ["holds", "undecided"]


def test_a_ratio_holds_exactly_where_its_region_says_so() -> None:
    rng = np.random.default_rng(41)
    unbounded = 0
    for _ in range(300):
        baseline = rng.normal(size=4)
        gap = gap_recovered(
            baseline + 0.6 + 0.4 * rng.normal(size=4),
            baseline,
            baseline + 1.2 + rng.normal(size=4),
        )
        unbounded += not gap.bounded
        for reference in (0.0, 0.4):
            (verdict,) = verdicts([Claim("gap", gap, "greater", 0.0, reference)])
            above = gap.bounded and gap.low > reference and gap.denominator > 0
            assert (verdict.verdict == "holds") == above
    assert 50 < unbounded < 250


# The promise ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(0, len(study.settings()), 7))
def test_the_study_judges_as_the_package_does(number: int) -> None:
    setting = study.settings()[number]
    truth, margin, kind = setting.families()
    mean, error = setting.draw(8)
    words, small = study.judge(mean, error, setting.clusters - 1, margin, kind, "new")
    names = {1: "greater", -1: "less", 0: "equal"}
    called = dict(zip(study.WORDS, study.WORDS, strict=True))
    called |= {"reversed": SMALLER, "other side": "undecided"}
    for family in range(len(mean)):
        claims = [
            Claim(
                str(i),
                estimate_of(mean[family, i], error[family, i], setting.clusters - 1),
                names[kind[i]],  # type: ignore[arg-type]
                margin[i],
            )
            for i in range(truth.size)
        ]
        judged = verdicts(claims)
        assert [v.verdict for v in judged] == [called[study.WORDS[w]] for w in words[family]]
        assert [v.small for v in judged] == small[family].tolist()
        assert [OPEN in v.remark for v in judged] == (words[family] == study.SIDE).tolist()


@pytest.mark.parametrize(
    ("kind", "truth", "false"),
    [
        (1, 1.5, {"wrong", "no difference", "reversed", "other side", "small"}),
        (1, 0.5, {"wrong", "reversed", "other side"}),
        (1, 0.0, {"holds", "wrong", "reversed", "other side"}),
        (1, -0.5, {"holds", "wrong"}),
        (1, -1.0, {"holds", "no difference", "reversed", "small"}),
        (-1, 1.5, {"holds", "no difference", "reversed", "small"}),
        (0, 0.0, {"wrong", "reversed", "other side"}),
        (0, 1.0, {"holds", "no difference", "reversed", "other side", "small"}),
    ],
)
def test_which_words_are_false(kind: int, truth: float, false: set[str]) -> None:
    table = study.false_words(np.array([truth]), np.array([1.0]), np.array([kind]))[:, 0]
    assert {w for w, f in zip((*study.WORDS, "small"), table, strict=True) if f} == false


HARD = [
    replace(study.settings()[0], stage="fresh", number=900),
    replace(study.settings()[1], stage="fresh", number=901),
    study.Setting(902, "fresh", 10, 4, "all zero, no margin", "less", "shared control", 1.0),
    study.Setting(903, "fresh", 10, 4, "zero beside at the margin", "all three", "independent", 1),
    study.Setting(904, "fresh", 5, 6, "clear effects beside zero", "greater", "opposite pairs", 2),
    study.Setting(905, "fresh", 20, 1, "all zero", "greater", "independent", 2.0),
    study.Setting(906, "fresh", 40, 9, "all zero", "equal", "independent", 0.3),
]


@pytest.mark.parametrize("setting", HARD, ids=lambda s: f"{s.mix}, {s.claims} claims")
def test_false_verdicts_are_rare_in_a_family(setting: object) -> None:
    row = study.simulate(setting, 4000)
    assert row["error_new"] < 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / 4000)
    assert row["right_new"] >= row["right_bonferroni"] - 0.02


@pytest.mark.parametrize(("setting", "old"), [(HARD[0], 0.14), (HARD[1], 0.22)])
def test_the_old_rule_broke_the_promise_where_the_new_one_keeps_it(
    setting: object, old: float
) -> None:
    """So the simulation can see a broken rule, and the two halves use what they are given."""
    row = study.simulate(setting, 4000)
    assert row["error_old"] == pytest.approx(old, abs=0.02)
    assert row["error_new"] > 0.035


def test_the_two_halves_are_used_up() -> None:
    """One claim, nothing to find, a wide margin: half of alpha each for holds and for reversed."""
    row = study.simulate(HARD[5], 20_000)
    assert row["error_new"] == pytest.approx(0.05, abs=3.5 * math.sqrt(0.05 * 0.95 / 20_000))


def test_the_stored_table_is_whole_and_within_six_per_cent() -> None:
    rows = studies.read(FOLDER / "verdict-rule.csv").rows
    assert [row["number"] for row in rows] == list(range(len(study.settings())))
    assert {row["families"] for row in rows} == {4000}
    assert max(row["error_new"] for row in rows) <= 0.06
    stages = [row["stage"] for row in rows]
    assert stages.count("choosing") >= 30 and stages.count("fresh") >= 30
    for number in (0, 3):
        again = study.simulate(study.settings()[number], 4000)
        for key in ("error_new", "error_old", "right_new"):
            assert again[key] == pytest.approx(rows[number][key], abs=1e-3)


# Bad input ------------------------------------------------------------------------------------

BAD: dict[str, tuple[Callable[[], object], str]] = {
    "prediction": (lambda: Claim("c", estimate_of(1), "more", 0.1), "'more'"),  # type: ignore[arg-type]
    "margin": (lambda: Claim("c", estimate_of(1), "less", -0.1), "margin of 'c' is -0.1"),
    "no margin": (lambda: Claim("c", estimate_of(1), "equal", 0), "needs one above 0"),
    "reference": (lambda: Claim("c", estimate_of(1), "less", 0, math.inf), "must be finite"),
    "names": (lambda: verdicts([Claim("c", estimate_of(1), "less", 0)] * 2), "one name"),
    "levels": (
        lambda: verdicts(
            [
                Claim("a", mean_estimate([1.0, 2.0]), "less", 0),
                Claim("b", mean_estimate([1.0, 2.0], level=0.9), "less", 0),
            ]
        ),
        "one level",
    ),
    "bootstrap": (
        lambda: verdicts(
            [
                Claim(
                    "c",
                    gap_recovered([1.0] * 5, [0.0] * 5, [2.0] * 5, method="bootstrap"),
                    "less",
                    0,
                )
            ]
        ),
        'use method="fieller"',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(case: str) -> None:
    call, message = BAD[case]
    with pytest.raises(ValueError, match=message) as raised:
        call()
    assert "\n" not in str(raised.value)


def test_no_claims_no_verdicts() -> None:
    assert verdicts([]) == []

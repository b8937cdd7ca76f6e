"""How results leave a notebook, are read again, and are written in sentences and tables."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from unittest import mock

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from distill_helpers import _machine, results, statistics
from distill_helpers.claims import Declared, Family
from distill_helpers.results import (
    MIME,
    VERDICTS,
    escape,
    number,
    percent,
    points,
    prose,
    read,
    record,
    result,
    table,
    unfinished,
    validate,
    verdict,
)
from distill_helpers.verdicts import Claim, verdicts


@dataclass
class Estimate:
    """As much of `statistics.Estimate` as results look at."""

    value: float = 0.538
    low: float = 0.495
    high: float = 0.581
    level: float = 0.95
    n: int = 10
    unit: str = ""


def bundle(function, *args, **kwargs):
    with mock.patch("IPython.display.display") as display:
        assert function(*args, **kwargs) is None
    display.assert_called_once()
    assert display.call_args.kwargs == {"raw": True}
    return display.call_args.args[0]


def a_verdict(claim="claim", word="holds"):
    return verdict(claim, word, source="source", prediction="prediction", result="result")


def a_notebook(*payloads):
    cells = [new_markdown_cell("text")]
    for payload in payloads:
        data = {MIME: payload, "text/plain": "table"}
        outputs = [new_output("stream", text="x"), new_output("display_data", data)]
        cells.append(new_code_cell("record()", outputs=outputs, execution_count=len(cells)))
    return new_notebook(cells=cells)


def a_payload(*names, chapter="00", claims=()):
    return {
        "schema": 1,
        "chapter": chapter,
        "results": [result(name, 1) for name in names],
        "verdicts": [a_verdict(claim) for claim in claims],
    }


# -- result --------------------------------------------------------------------------------------


def test_a_result_has_the_schema_s_keys_and_plain_numbers():
    made = result("gap", Estimate(np.float64(0.538), n=np.int64(10)), unit="%")
    assert made == {
        "name": "gap",
        "value": 53.8,
        "low": 49.5,
        "high": 58.1,
        "level": 0.95,
        "n": 10,
        "unit": "%",
    }
    assert {type(made[key]) for key in ("value", "low", "high", "level")} == {float}
    assert type(made["n"]) is int


def test_a_plain_number_has_no_interval_unless_one_is_given():
    made = result("parameters", 3490)
    assert [made[key] for key in ("low", "high", "level", "n", "unit")] == [None] * 4 + [""]
    made = result("teacher", 0.978, unit="%", low=0.972, high=0.984, n=1000)
    assert (made["value"], made["low"], made["high"], made["level"]) == (97.8, 97.2, 98.4, None)


@pytest.mark.parametrize(
    ("estimate", "unit", "stored"),
    [
        (Estimate(), "", (0.538, "")),
        (Estimate(), "points", (53.8, "points")),
        (Estimate(53.8, 49.5, 58.1, unit="%"), "", (53.8, "%")),
        (Estimate(53.8, 49.5, 58.1, unit="%"), "%", (53.8, "%")),
        (Estimate(2, 1, 3), "s", (2, "s")),
    ],
)
def test_an_estimate_s_own_unit_is_kept_and_a_fraction_turned_into_percent(estimate, unit, stored):
    made = result("gap", estimate, unit=unit)
    assert (made["value"], made["unit"]) == stored
    assert made["low"] / made["value"] == pytest.approx(estimate.low / estimate.value, rel=1e-5)
    assert made["high"] / made["value"] == pytest.approx(estimate.high / estimate.value, rel=1e-5)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e300, max_value=1e300))
def test_six_significant_digits(value):
    stored = result("x", value)["value"]
    assert len(Decimal(repr(stored)).normalize().as_tuple().digits) <= 6
    assert stored == pytest.approx(value, rel=5.1e-6)
    assert math.copysign(1, stored) == 1 or stored < 0  # no -0.0


@pytest.mark.parametrize(
    ("low", "high", "stored"),
    [
        (-math.inf, math.inf, (None, None)),
        (-math.inf, 0.6, (None, 0.6)),
        (0.5, math.inf, (0.5, None)),
    ],
)
def test_an_infinite_end_is_stored_as_null_and_json_stays_finite(low, high, stored):
    made = result("gap", Estimate(low=low, high=high))
    assert (made["low"], made["high"]) == stored
    assert made["level"] == 0.95
    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize(
    ("error", "words", "arguments", "keywords"),
    [
        (ValueError, "value of result 'gap' is nan; it must be finite", ["gap", math.nan], {}),
        (ValueError, "is inf; it must be finite", ["gap", math.inf], {}),
        (TypeError, "is 'x'; it must be a number", ["gap", "x"], {}),
        (TypeError, "is None; it must be a number", ["gap", None], {}),
        (ValueError, "name is ''", ["", 1], {}),
        (ValueError, "name is 3", [3, 1], {}),
        (ValueError, "low end of result 'gap' is nan", ["gap", 1], {"low": math.nan}),
        (TypeError, "high end of result 'gap' is 'x'", ["gap", 1], {"high": "x"}),
        (ValueError, "low 3 above high 2; swap them", ["gap", 1], {"low": 3, "high": 2}),
        (ValueError, "level 95; it must be between", ["gap", 1], {"level": 95}),
        (ValueError, "give a fraction, such as 0.978", ["gap", 97.8], {"unit": "%"}),
        (ValueError, "give a fraction", ["gap", -70], {"unit": "points"}),
        (ValueError, "its estimate '%'; give only", ["gap", Estimate(unit="%")], {"unit": "s"}),
    ],
)
def test_a_bad_result_is_refused_in_one_line(error, words, arguments, keywords):
    with pytest.raises(error) as caught:
        result(*arguments, **keywords)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# -- verdict and record ----------------------------------------------------------------------------


@pytest.mark.parametrize("word", [*VERDICTS, "see chapter 05"])
def test_every_verdict_word_is_taken(word):
    assert a_verdict(word=word) == {
        "claim": "claim",
        "source": "source",
        "prediction": "prediction",
        "result": "result",
        "verdict": word,
    }


@pytest.mark.parametrize("part", ["source", "prediction", "result"])
@pytest.mark.parametrize("text", ["", " ", None])
def test_a_verdict_without_a_part_is_refused(part, text):
    parts = {"source": "s", "prediction": "p", "result": "r"} | {part: text}
    with pytest.raises(ValueError, match=f"the {part} of the verdict on 'claim' is {text!r}"):
        verdict("claim", "holds", **parts)


@pytest.mark.parametrize("word", ["true", "not shown", "see chapter 5", "see chapter NN", "see 05"])
def test_an_unknown_verdict_word_is_refused(word):
    with pytest.raises(ValueError, match=rf"is '{word}'; it must be one of holds, .* chapter NN"):
        a_verdict(word=word)


def test_record_displays_json_beside_tables_of_the_same():
    shown = bundle(
        record, "00", [result("gap | $", Estimate(), unit="%"), result("n", 3)], [a_verdict()]
    )
    assert set(shown) == {MIME, "text/markdown", "text/plain"}
    assert json.loads(json.dumps(shown[MIME], allow_nan=False)) == shown[MIME]
    assert shown[MIME] == {
        "schema": 1,
        "chapter": "00",
        "results": [result("gap | $", Estimate(), unit="%"), result("n", 3)],
        "verdicts": [a_verdict()],
    }
    assert shown["text/markdown"] == (
        "| result | value | interval | n |\n"
        "| :--- | ---: | ---: | ---: |\n"
        "| gap \\| \\$ | 54 % | 50 to 58 (95 %) | 10 |\n"
        "| n | 3 |  |  |\n"
        "\n"
        "| claim | source | prediction | result | verdict |\n"
        "| :--- | :--- | :--- | :--- | :--- |\n"
        "| claim | source | prediction | result | holds |"
    )
    assert shown["text/plain"].splitlines()[:4] == [
        "result   value         interval   n",
        "-------  -----  ---------------  --",
        "gap | $   54 %  50 to 58 (95 %)  10",
        "n            3",
    ]


def test_record_leaves_out_an_empty_table():
    assert "claim" not in bundle(record, "00", [result("n", 3)])["text/markdown"]
    assert "interval" not in bundle(record, "00", verdicts=[a_verdict()])["text/markdown"]


@pytest.mark.parametrize(
    ("low", "high", "level", "words"),
    [
        (-math.inf, math.inf, 0.95, "unbounded (95 %)"),
        (-math.inf, 0.6, 0.95, "at most 0.60 (95 %)"),
        (0.5, math.inf, 0.9, "at least 0.50 (90 %)"),
        (0.5, 0.6, None, "0.50 to 0.60 (tolerance)"),
    ],
)
def test_an_interval_is_said_in_words(low, high, level, words):
    entry = result("gap", 0.55, low=low, high=high, level=level)
    assert f"| {words} |" in bundle(record, "00", [entry])["text/markdown"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("00",), "records nothing"),
        (("0", [result("n", 3)]), "chapter is '0'; it must be two digits"),
        ((0, [result("n", 3)]), "chapter is 0;"),
        (("00", [result("n", 3), result("n", 4)]), "records 'n' 2 times; give each its own name"),
        (("00", [], [a_verdict(), a_verdict()]), "give each its own claim"),
        (("00", [{"name": "n"}]), "make it with result"),
        (("00", [result("n", 3) | {"value": math.nan}]), "must be finite"),
        (("00", [result("n", 3) | {"high": math.inf}]), "high of result 'n' is inf"),
        (("00", [], [a_verdict() | {"verdict": "true"}]), "make it with verdict"),
        (("00", [], [{"claim": "c"}]), "make it with verdict"),
    ],
)
def test_record_refuses_in_one_line(arguments, words):
    with pytest.raises(ValueError) as caught:
        record(*arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "payload", [None, [], {}, {"schema": 2}, a_payload("n") | {"more": 1}, {"schema": 1}]
)
def test_validate_refuses_what_is_no_results_output(payload):
    with pytest.raises(ValueError, match="a results output"):
        validate(payload)


# -- read ----------------------------------------------------------------------------------------


def test_read_joins_all_outputs_of_a_notebook_from_disk(tmp_path):
    made = a_notebook(a_payload("a", "b"), a_payload("c", claims=["d"]))
    path = tmp_path / "made.ipynb"
    nbformat.write(made, path)
    for source in (path, str(path), made):
        whole = read(source)
        assert [entry["name"] for entry in whole["results"]] == ["a", "b", "c"]
        assert [entry["claim"] for entry in whole["verdicts"]] == ["d"]
        assert (whole["schema"], whole["chapter"]) == (1, "00")
        assert type(whole["results"][0]) is dict


@pytest.mark.parametrize(
    ("entry", "ends", "written"),
    [
        ({"low": 0.0061, "high": 0.0079, "level": 0.95}, (0.61, 0.79), "0.70 [0.61, 0.79] points"),
        ({"low": 0.006, "high": None, "level": 0.95}, (0.6, math.inf), None),
        ({"low": -math.inf, "high": math.inf, "level": 0.95}, (-math.inf, math.inf), None),
        ({"low": 0.005, "high": 0.009}, (0.5, 0.9), "0.70 points"),  # a tolerance is not shown
        ({}, (0.7, 0.7), "0.7 points"),
    ],
)
def test_a_recorded_result_is_the_number_that_was_recorded(entry, ends, written):
    """Its own unit, ends where the interval has none, and the same entry when recorded again."""
    stored = result("gain", 0.007, unit="points", n=12, **entry)
    found = results.recorded({"results": [stored]})["gain"]
    assert (found.value, found.low, found.high) == pytest.approx((0.7, *ends))
    assert (found.level, found.n, found.unit) == (entry.get("level"), 12, "points")
    if written:
        assert str(found) == written
    again = result("gain", found, unit="points")
    assert {**again, "low": 0, "high": 0} == {**stored, "low": 0, "high": 0}


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (a_notebook(), "holds no results"),
        (a_notebook(a_payload("a"), a_payload("a")), "records 'a' 2 times"),
        (a_notebook(a_payload("a"), a_payload("b", chapter="01")), "chapters 00 and 01"),
        (a_notebook({"schema": 2}), "schema 1"),
    ],
)
def test_read_refuses(made, words):
    with pytest.raises(ValueError, match=words):
        read(made)


def stopped(how):
    """A notebook whose first cell recorded, and that was stopped as papermill leaves it."""
    made = a_notebook(a_payload("a"), a_payload("b"))
    last = made.cells[-1]
    last.source = "last()"
    if how == "not run":
        last.update(execution_count=None, outputs=[])
    elif how == "exception":
        last.metadata["papermill"] = {"exception": True, "status": "failed"}
    elif how == "killed":  # the kernel took the cell up, numbered it and died
        last.outputs = []
        last.metadata["execution"] = {"iopub.status.busy": "1", "iopub.execute_input": "1"}
        last.metadata["papermill"] = {"exception": False, "status": "completed"}
    else:  # sys.exit(0), or the interrupt of a timeout, after which papermill says completed
        last.outputs = [new_output("error", ename=how, evalue="0")]
        last.metadata["papermill"] = {"exception": how == "SystemExit", "status": "completed"}
    return made


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SystemExit", "code cell 2 ended in SystemExit"),
        ("KeyboardInterrupt", "code cell 2 ended in KeyboardInterrupt"),
        ("exception", "code cell 2 failed"),
        ("not run", "code cell 2 was not run"),
        ("killed", "code cell 2 lost its kernel"),
    ],
)
def test_read_refuses_what_was_stopped(how, words):
    line = rf"^the notebook did not run to its end: {words} \(last\(\)\); run all of it\.$"
    with pytest.raises(ValueError, match=line):
        read(stopped(how))


def test_an_empty_cell_and_text_are_no_stop():
    made = a_notebook(a_payload("a"))
    made.cells += [new_code_cell(" \n"), new_markdown_cell("text")]
    assert unfinished(made) == ""
    assert read(made)["results"]


# -- numbers in sentences --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("half", "decimals"),
    [
        (0.0999, 2),  # rounds up to 0.10
        (0.1, 2),
        (0.354, 2),
        (0.356, 1),
        (0.94, 1),
        (1.0, 1),
        (3.5, 1),
        (3.6, 0),
        (9.4, 0),
        (12, 0),
        (400, 0),
    ],
)
def test_an_interval_keeps_the_digits_its_half_width_supports(half, decimals):
    text = number(Estimate(50, 50 - half, 50 + half), interval=False)
    assert text == f"{50:.{decimals}f}"


def test_a_one_sided_interval_supports_digits_too():
    assert number(Estimate(50, 49, math.inf), interval=False) == "50.0"
    assert number(Estimate(50, -math.inf, 90), interval=False) == "50"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3490, "3,490"),
        (559_896, "559,896"),
        (0.25798, "0.258"),
        (0.03237, "0.03237"),
        (13.3685, "13.37"),
        (0, "0"),
        (-1.5, "-1.5"),
        (1e-5, "0.00001"),
        (1e-12, "0"),
        (-1e-12, "0"),
    ],
)
def test_a_bare_number_keeps_four_digits(value, text):
    assert number(value) == text


def test_sentences():
    assert percent(Estimate()) == "54 % (95 % interval: 50 to 58)"
    assert percent(Estimate(), decimals=1) == "53.8 % (95 % interval: 49.5 to 58.1)"
    assert percent(Estimate(), interval=False) == "54 %"
    assert percent(Estimate(53.8, 49.5, 58.1, unit="%"), interval=False) == "54 %"
    assert points(Estimate(0.007, 0.0042, 0.0098)) == "0.70 points (95 % interval: 0.42 to 0.98)"
    assert percent(Estimate(high=math.inf, level=0.9)) == "54 % (90 % interval: at least 50)"
    assert percent(Estimate(low=-math.inf, high=math.inf)) == "53.8 % (95 % interval: unbounded)"
    assert number(Estimate(2.5, 2.1, 2.9, unit="s"), interval=False) == "2.5 s"
    assert percent(0.978) == "97.8 %"
    with pytest.raises(ValueError, match="give only one"):
        percent(Estimate(unit="points"))


def test_prose_is_markdown_with_itself_as_plain_text():
    text = f"The student recovers {percent(Estimate())}."
    assert bundle(prose, text) == {"text/markdown": text, "text/plain": text}


# -- tables --------------------------------------------------------------------------------------


def test_a_table_in_markdown_and_in_plain_text():
    shown = bundle(table, [["a|b", "1.5", None], ["$c~\nd", "-10 %", ""]], ["x", "y", "z"])
    assert shown == {
        "text/markdown": (
            "| x | y | z |\n| :--- | ---: | :--- |\n| a\\|b | 1.5 |  |\n| \\$c\\~ d | -10 % |  |"
        ),
        "text/plain": "x          y  z\n-----  -----  -\na|b      1.5\n$c~ d  -10 %",
    }


def test_a_ragged_table_is_refused():
    with pytest.raises(ValueError, match=r"has 1 cells, \['a'\]; it must have 2"):
        table([["a", "b"], ["a"]], ["x", "y"])


def test_escape():
    assert escape("a|b $5 ~x~ *kept*") == "a\\|b \\$5 \\~x\\~ *kept*"


# -- the machine -----------------------------------------------------------------------------------


def test_the_fingerprint_names_machine_pins_and_settings(monkeypatch):
    monkeypatch.setenv("MKL_CBWR", "AVX2")
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    found = results.fingerprint()
    assert found == results.fingerprint()
    assert found["MKL_CBWR"] == "AVX2"
    assert found["ATEN_CPU_CAPABILITY"] == "unset"
    assert found["numpy"] == np.__version__
    assert {"platform", "cpu", "python", "torch", "scikit-learn"} <= found.keys()
    assert all(isinstance(value, str) and value for value in found.values())


def test_a_missing_package_and_an_unreadable_processor_do_not_stop_it(monkeypatch):
    monkeypatch.setattr(_machine, "_PINS", ("no-such-package-here",))
    monkeypatch.setattr(_machine.Path, "read_text", mock.Mock(side_effect=OSError))
    monkeypatch.setattr(_machine.platform, "processor", lambda: "Intel64 Family 6, GenuineIntel")
    found = results.fingerprint()
    assert (found["no-such-package-here"], found["cpu"]) == ("missing", "GenuineIntel")
    monkeypatch.setattr(_machine.platform, "processor", lambda: "")
    assert results.fingerprint()["cpu"] == "unknown"


def test_stamp_keeps_other_metadata():
    made = new_notebook(metadata={"other": 3})
    results.stamp(made)
    assert made.metadata["distill"]["fingerprint"] == results.fingerprint()
    assert made.metadata["other"] == 3


# -- a chapter's verdicts -------------------------------------------------------------------------


def measured(mean, half_width):
    """An estimate whose 95 % interval is as wide as asked, from four values."""
    spread = np.array([-1.0, -1.0, 1.0, 1.0])
    made = statistics.mean_estimate(mean + spread)
    made = statistics.mean_estimate(mean + spread * half_width / (made.high - made.value))
    assert made.high - made.value == pytest.approx(half_width)
    return made


def declared(name, direction=None, margin=0.001, **more):
    told = {"what": "gain"} if direction else {}
    return Declared(
        name,
        f"Claim {name}.",
        "s",
        "p",
        date(2026, 11, 24),
        direction,
        margin if direction else 0.0,
        **told | more,
    )


def judged(*pairs, **parameters):
    """Judge claims, each with what was found."""
    family = Family("03", tuple(claim for claim, _ in pairs))
    found = {claim.id: answer for claim, answer in pairs}
    words = {}
    shown = bundle(lambda: words.update(results.judge(family, found, **parameters)))
    return words, shown[MIME]


def test_judge_judges_and_records_one_row_a_claim():
    words, payload = judged(
        (declared("a", "greater"), measured(0.5, 0.01)),
        (declared("b"), ("wrong", "13")),
        (declared("c", "less"), measured(0.5, 0.01)),
        (declared("d", "less"), None),
    )
    assert words == {"a": "holds", "b": "wrong", "c": "wrong"}
    assert payload["chapter"] == "03" and payload["results"] == []
    assert [row["verdict"] for row in payload["verdicts"]] == ["holds", "wrong", "wrong"]
    assert payload["verdicts"][0] == {
        "claim": "Claim a.",
        "source": "s",
        "prediction": "p",
        "result": "gain: 50.0 points (95 % interval: 49.0 to 51.0)",
        "verdict": "holds",
    }
    assert payload["verdicts"][1]["result"] == "13"


@pytest.mark.parametrize(
    ("mean", "half_width", "direction", "margin", "word", "aside"),
    [
        (
            -0.01,
            0.005,
            "greater",
            0.012,
            "undecided",
            "; on the other side, but whether by the margin",
        ),
        (0.01, 0.005, "less", 0.012, "undecided", "; on the other side, but whether by the margin"),
        (0.0, 0.005, "greater", 0.001, "undecided", None),
        (0.01, 0.002, "greater", 0.1, "holds", "; smaller than the smallest effect that matters"),
        (0.01, 0.002, "greater", 0.001, "holds", None),
        (0.0, 0.002, "equal", 0.1, "holds", None),
        (0.01, 0.002, "equal", 0.011, "undecided", None),
    ],
)
def test_judge_says_which_kind_of_result_it_is(mean, half_width, direction, margin, word, aside):
    words, payload = judged((declared("a", direction, margin), measured(mean, half_width)))
    (row,) = payload["verdicts"]
    assert row["verdict"] == words["a"] == word
    if aside is None:
        assert ";" not in row["result"]
    else:
        assert aside in row["result"]


def test_judge_corrects_for_the_number_of_claims():
    """An interval just clear of zero decides alone, and no longer beside nineteen others."""
    one = declared("a", "greater", unit="number"), measured(1.0, 0.95)
    others = [(declared(f"b{i}", "greater"), measured(0.0, 1.0)) for i in range(19)]
    alone = judged(one)[1]["verdicts"][0]
    beside = judged(one, *others)[1]["verdicts"][0]
    assert (alone["verdict"], beside["verdict"]) == ("holds", "undecided")
    assert alone["result"] == "gain: 1.0 (95 % interval: 0.1 to 1.9)"
    aside = "; alone it would be *holds*, among 20 claims it is not"
    assert beside["result"] == alone["result"] + aside


def test_an_exploratory_claim_has_its_interval_and_takes_no_part():
    """Twenty of them cost the confirmatory one nothing."""
    one = declared("a", "greater", unit="number"), measured(1.0, 0.95)
    others = [
        (declared(f"b{i}", "greater", exploratory=True), measured(9.0, 1.0)) for i in range(20)
    ]
    words, payload = judged(one, *others)
    assert words == {"a": "holds"} | {f"b{i}": "exploratory" for i in range(20)}
    assert payload["verdicts"][1]["result"] == "gain: 900 points (95 % interval: 800 to 1,000)"


def test_a_claim_that_could_not_be_tested_takes_no_part_either():
    one = declared("a", "greater", unit="number"), measured(1.0, 0.95)
    others = [(declared(f"b{i}", "greater"), ("undecided", "no posterior")) for i in range(20)]
    words, payload = judged(one, *others)
    assert words == {"a": "holds"} | {f"b{i}": "undecided" for i in range(20)}
    assert payload["verdicts"][1]["result"] == "no posterior"


def test_a_note_stands_between_the_result_and_the_remark():
    claim = declared("a", "greater", 0.1, unit="nats")
    (row,) = judged((claim, (measured(0.01, 0.002), "rounds 3 % apart")))[1]["verdicts"]
    assert row["result"] == (
        "gain: 0.0100 nats (95 % interval: 0.0080 to 0.0120); rounds 3 % apart; smaller than the "
        "smallest effect that matters"
    )


def test_parameters_stand_in_the_words_of_a_claim():
    claim = replace(
        declared("a", "greater"), claim="At T = {T:g}.", prediction="{law} gains", what="{law}"
    )
    (row,) = judged((claim, measured(0.5, 0.01)), T=3.0, law="overlap")[1]["verdicts"]
    assert (row["claim"], row["prediction"]) == ("At T = 3.", "overlap gains")
    assert row["result"].startswith("overlap: 50.0 points")


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("percent", 0.5, "50.0 % (95 % interval: 49.0 to 51.0)"),
        ("octaves", 0.5, "0.500 octaves (95 % interval: 0.490 to 0.510)"),
        ("thousandths", 0.5, "+500.0 [490.0, 510.0]"),
        ("factor", math.log(4.0), "4.00 times (95 % interval: 3.96 to 4.04)"),
        ("factor", math.log(40.0), "40.0 times (95 % interval: 39.6 to 40.4)"),
    ],
)
def test_an_estimate_is_written_in_its_unit(unit, value, said):
    claim = declared("a", "greater", 1.5, unit=unit, reference=1.0)
    (row,) = judged((claim, measured(value, 0.01)))[1]["verdicts"]
    assert row["result"].split("; ")[0] == f"gain: {said}"


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "'a' of chapter 00 is not answered"),
        ({"a": None, "b": None}, "'b' of chapter 00 was not claimed"),
        ({"a": ("holds", "it does")}, "'a' is answered by .'holds', 'it does'.; it must be an est"),
    ],
)
def test_judge_refuses_what_does_not_answer_the_claims(found, message):
    with pytest.raises(ValueError, match=message):
        results.judge(Family("00", (declared("a", "less"),)), found)


def test_judge_refuses_an_estimate_where_no_test_was_declared():
    with pytest.raises(ValueError, match="it must be a word and a result"):
        results.judge(Family("00", (declared("a"),)), {"a": measured(0.1, 0.1)})


def a_claim(claim, word="holds", result="r"):
    return results.verdict(claim, word, source="s", prediction="p", result=result)


def test_a_lesson_chooses_verdicts_by_the_words_that_they_begin_with():
    found = [
        a_claim("A falls.", result="fall: -1.5 nats (95 % interval: -2.0 to -1.0); small"),
        a_claim("B rises here.", "undecided"),
        a_claim("B rises there."),
        a_claim("C was seen.", "exploratory"),
    ]
    assert results.verdict_rows(found, {"B rises there": "0.1 points", "A": "0.5"}) == [
        ["holds", "B rises there.", "p", "0.1 points", "r"],
        ["holds", "A falls.", "p", "0.5", "fall: -1.5 nats [-2.0, -1.0]; small"],
    ]
    ((_, claim, prediction, margin, _),) = results.verdict_rows(
        found, {"A": "p"}, {"falls": "sinks", "p": "less"}
    )
    assert (claim, prediction, margin) == ("A sinks.", "less", "less")
    for start, message in (("B rises", "begins 2"), ("D", "begins 0"), ("C", "exploratory")):
        with pytest.raises(ValueError, match=message):
            results.verdict_rows(found, {start: "0.1"})


def test_a_lesson_says_in_words_what_a_correction_took_away():
    strong, *noise = ([0.004, 0.009, 0.001, 0.012, 0.006], *[[-0.01, 0.01, 0.02, -0.02, 0.0]] * 24)
    estimates = [statistics.mean_estimate(values) for values in (strong, *noise)]
    judged = verdicts([Claim(str(i), e, "greater", 0.001) for i, e in enumerate(estimates)])
    assert judged[0].remark.startswith("alone it would be *holds*")
    row = a_claim("A.", judged[0].verdict, result=f"d: 0.006 points; {judged[0].remark}")
    assert results.verdict_rows([row], {"A": "m"})[0][-1] == (
        "d: 0.006 points; *holds* does not survive the correction for testing 25 claims at once"
    )


def comparison(where, nats, points, low):
    names = {"NLL saved": (nats, low, "nats"), "accuracy gained": (points / 100, None, "points")}
    return [
        result(f"{what} over tuned hard labels, {where}", value, low=low, high=None, unit=unit)
        for what, (value, low, unit) in names.items()
    ]


def test_the_yardstick_spans_what_is_told_apart_from_zero():
    """By hand: 0.020 nats with 0.5 points are 0.25 for ten thousandths, 0.010 with 0.9 are 0.9."""
    clear = comparison("a", 0.020, 0.5, 0.01) + comparison("b", 0.010, 0.9, 0.002)
    unclear = comparison("c", 0.001, 3.0, 0.0) + comparison("d", 0.001, 3.0, -0.1)
    found = results.recorded({"results": clear + unclear + [result("other", 1.0)]})
    text = results.yardstick(found)
    assert "with 0.2 to 0.9 points of accuracy" in text and "1 % more probability" in text
    assert abs(math.exp(0.01) - 1.01) < 1e-4  # the 1 % of the sentence
    assert "](../book/glossary.md)" in text and "](g.md)" in results.yardstick(
        found, glossary="g.md"
    )
    with pytest.raises(ValueError, match="chapter 02"):
        results.yardstick(results.recorded({"results": unclear}))

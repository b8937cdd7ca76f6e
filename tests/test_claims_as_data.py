"""Claims are files; a page judges just what its files claim."""

from __future__ import annotations

import datetime
import json
import math
import re
from pathlib import Path

import pytest

from distill_helpers import claims, results
from distill_helpers.statistics import mean_estimate

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "claims").glob("*.toml"))
TESTED = {
    "id": '"law"',
    "claim": '"It falls."',
    "source": '"derived here"',
    "prediction": '"below 0"',
    "written": "2026-11-24",
    "direction": '"less"',
    "margin": "0.1",
    "what": '"fall"',
}


def written(tmp_path: Path, *entries: dict[str, str], head: str = 'chapter = "01"') -> Path:
    """Write a file of claims."""
    lines = [head]
    for entry in entries:
        lines += ["[[claim]]", *(f"{key} = {value}" for key, value in entry.items())]
    path = tmp_path / "01.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_claim_is_read_as_it_stands(tmp_path):
    family = claims.read(written(tmp_path, TESTED))
    (one,) = family.claims
    assert family.chapter == "01" and one.written == datetime.date(2026, 11, 24)
    assert (one.direction, one.margin, one.reference, one.unit) == ("less", 0.1, 0.0, "points")
    assert not one.exploratory


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"margin": None}, "claim 'law' lacks margin"),
        ({"what": None}, "claim 'law' lacks what"),
        ({"source": None}, "claim 'law' lacks source"),
        ({"id": None}, "claim None lacks id"),
        ({"colour": '"red"'}, "claim 'law' says colour; a claim has id, claim"),
        ({"direction": None}, "says margin, what and no direction"),
        ({"margin": "true"}, "margin is True; it must be a number"),
        ({"margin": '"0.1"'}, "margin is '0.1'; it must be a number"),
        ({"margin": "-1"}, "margin of 'law' is -1; it must be 0 or more"),
        ({"margin": "nan"}, "margin of 'law' is nan"),
        ({"margin": "0", "direction": '"equal"'}, "an equal claim needs one above 0"),
        ({"reference": "inf"}, "reference of 'law' is inf; it must be finite"),
        ({"direction": '"up"'}, '\'up\'; it must be "greater", "less"'),
        ({"unit": '"miles"'}, "unit is 'miles'; it must be one of points, percent"),
        ({"unit": '"factor"'}, "margin is 0.1 and reference 0; as factors"),
        ({"written": '"2026-11-24"'}, "written is '2026-11-24'; it must be a date"),
        ({"written": "2026-11-24T10:00:00"}, "it must be a date"),
        ({"exploratory": '"yes"'}, "exploratory is 'yes'; it must be a bool"),
        ({"claim": '""'}, "claim is ''; it must be a str"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(tmp_path, changed, said):
    entry = {key: value for key, value in (TESTED | changed).items() if value is not None}
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        claims.read(written(tmp_path, entry))
    assert str(caught.value).startswith("01.toml") and "\n" not in str(caught.value)


def test_two_claims_of_one_id_or_one_sentence_are_refused(tmp_path):
    with pytest.raises(ValueError, match="two claims have the id 'law'"):
        claims.read(written(tmp_path, TESTED, TESTED | {"claim": '"It rises."'}))
    with pytest.raises(ValueError, match=r"two claims have the claim 'It falls\.'"):
        claims.read(written(tmp_path, TESTED, TESTED | {"id": '"other"'}))


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="copy the folder claims from there"):
        claims.read(tmp_path / "02.toml")
    for head, said in (
        ("chapter = ", "is no TOML"),
        ('title = "x"\nchapter = "01"', "holds title, chapter, claim"),
    ):
        with pytest.raises(ValueError, match=said):
            claims.read(written(tmp_path, TESTED, head=head))
    with pytest.raises(ValueError, match="it must hold a chapter and its"):
        claims.read(written(tmp_path))


def test_a_factor_is_tested_on_the_scale_of_its_logarithm(tmp_path):
    factor = TESTED | {"unit": '"factor"', "margin": "2", "reference": "160"}
    (one,) = claims.read(written(tmp_path, factor)).claims
    test = one.test(mean_estimate([4.0, 5.0]))
    assert (test.margin, test.reference) == (math.log(2), math.log(160))


def test_what_no_test_judges_has_none(tmp_path):
    bare = {key: TESTED[key] for key in ("id", "claim", "source", "prediction", "written")}
    (one,) = claims.read(written(tmp_path, bare)).claims
    with pytest.raises(ValueError, match="has no direction, so no test judges it"):
        one.test(mean_estimate([4.0, 5.0]))


# -- the book's own -------------------------------------------------------------------------------


def pages() -> dict[str, dict]:
    """Read the pages that judge claims, by the files that they read."""
    found = {}
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        for file in re.findall(r"claims/([\w-]+\.toml)", text):
            found[file] = results.read(json.loads(text))
    return found


def filled(text: str) -> str:
    """Turn a claim with its parameters into a pattern."""
    return re.sub(r"\\\{.*?\\\}", r"\\S+", re.escape(text))


def test_every_file_of_claims_is_judged_by_a_page_and_by_one():
    assert {path.name for path in FILES} == set(pages()) and len(FILES) > 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_page_records_the_claims_of_its_file_in_their_words_and_order(path):
    page, family = pages()[path.name], claims.read(path)
    assert page["chapter"] == family.chapter
    said = [(row["claim"], row["prediction"], row["source"]) for row in page["verdicts"]]
    at = 0
    for one in family.claims:
        pattern = [re.compile(filled(text)) for text in (one.claim, one.prediction, one.source)]
        fits = [
            k
            for k, row in enumerate(said)
            if all(p.fullmatch(t) for p, t in zip(pattern, row, strict=True))
        ]
        assert len(fits) == 1, f"{one.id}: {len(fits)} rows of the page"
        assert fits[0] >= at
        at = fits[0]
        word = page["verdicts"][at]["verdict"]
        assert not one.exploratory or word == "exploratory"


def test_a_page_has_no_claim_that_no_file_declares():
    declared = {}
    for path in FILES:
        family = claims.read(path)
        declared[family.chapter] = declared.get(family.chapter, 0) + len(family.claims)
    recorded = {page["chapter"]: len(page["verdicts"]) for page in pages().values()}
    assert recorded == declared


def test_no_claim_was_written_after_today():
    dates = [one.written for path in FILES for one in claims.read(path).claims]
    assert len(dates) > 200 and max(dates) <= datetime.datetime.now(datetime.UTC).date()

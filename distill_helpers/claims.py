"""What is claimed before a run, as data: each file of `claims/` is judged together, a family.

A file begins with ``chapter = "01"``, where the claims are judged. Each ``[[claim]]`` says ``id``,
``claim``, ``source`` and ``prediction``, and when it was ``written``, a date. One that a test
judges also says ``direction``, ``margin``, ``what`` its estimate is, and, where they are not the
usual ones, ``reference`` (0) and ``unit`` ("points"); the other kind is proved, counted, or judged
elsewhere. ``exploratory = true`` says that the data had been seen.
"""

from __future__ import annotations

import datetime
import math
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from distill_helpers._estimates import Estimate
from distill_helpers.verdicts import Claim

__all__ = ["Declared", "Family", "read"]

Unit = Literal["points", "percent", "nats", "thousandths", "octaves", "factor", "number"]
_UNITS = get_args(Unit)
_OF_A_TEST = ("direction", "margin", "what", "unit", "reference", "exploratory")


@dataclass(frozen=True)
class Declared:
    """A claim, written before the run, without what it found.

    Attributes
    ----------
    id : str
        By which the chapter answers it.
    claim, source, prediction : str
        As in `results.verdict`. ``{name}`` stands for a parameter of the chapter.
    written : date
        When the claim was written down.
    direction : {"greater", "less", "equal"} or None
        Where the truth should lie; None where no test judges it.
    margin, reference : float
        Of `verdicts.Claim`, in the unit of the estimate. With unit "factor" they are factors, and
        the estimate is a natural logarithm.
    what : str
        What the estimate is.
    unit : str
        How the estimate is written: "points", "percent", "nats", "thousandths" (of a nat),
        "octaves", "factor" or "number".
    exploratory : bool
        Whether the claim was written when the data had been seen. It then keeps its plain interval
        and gets no verdict: a test of what suggested it proves nothing, and it takes no part in the
        correction of the others.
    """

    id: str
    claim: str
    source: str
    prediction: str
    written: datetime.date
    direction: Literal["greater", "less", "equal"] | None = None
    margin: float = 0.0
    reference: float = 0.0
    what: str = ""
    unit: Unit = "points"
    exploratory: bool = False

    def test(self, estimate: Estimate) -> Claim:
        """Put the claim to the test.

        Raises
        ------
        ValueError
            Where no test judges the claim.
        """
        if self.direction is None:
            raise ValueError(
                f"claim {self.id!r} has no direction, so no test judges it; answer it with a word "
                "and what was found."
            )
        margin, reference = self.margin, self.reference
        if self.unit == "factor":
            margin, reference = math.log(margin), math.log(reference)
        return Claim(self.id, estimate, self.direction, margin, reference)


@dataclass(frozen=True)
class Family:
    """The claims of one file, which are judged together.

    Attributes
    ----------
    chapter : str
        Where they are judged.
    claims : tuple of Declared
        In the order of the chapter's table.
    """

    chapter: str
    claims: tuple[Declared, ...]


def read(path: str | Path) -> Family:
    """Read a file of claims.

    Raises
    ------
    FileNotFoundError
        Where there is none.
    ValueError
        Where a claim cannot be judged: one line with the file, the claim, the value and the rule.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> text = '''
    ... chapter = "01"
    ... [[claim]]
    ... id = "law"
    ... claim = "The variance falls."
    ... source = "derived here"
    ... prediction = "measured fall over the law's: 1"
    ... written = 2026-11-24
    ... direction = "equal"
    ... margin = 0.1
    ... reference = 1
    ... what = "ratio"
    ... unit = "number"
    ... '''
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "01.toml").write_text(text, encoding="utf-8")
    ...     read(Path(folder, "01.toml")).claims[0].margin
    0.1
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is missing; the project's repository has it: copy the folder claims from there"
        )
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path.name} is no TOML: {error}") from None
    if set(whole) != {"chapter", "claim"} or not isinstance(whole["claim"], list):
        raise ValueError(
            f"{path.name} holds {', '.join(whole) or 'nothing'}; it must hold a chapter and its "
            "[[claim]]s, and no more."
        )
    claims = tuple(_declared(entry, path.name) for entry in whole["claim"])
    for of in ("id", "claim"):
        seen: set[str] = set()
        for one in claims:
            if getattr(one, of) in seen:
                raise ValueError(
                    f"{path.name}: two claims have the {of} {getattr(one, of)!r}; each has its own."
                )
            seen.add(getattr(one, of))
    return Family(str(whole["chapter"]), claims)


# -- parts ----------------------------------------------------------------------------------------


def _declared(entry: dict[str, Any], file: str) -> Declared:
    where = f"{file}, claim {entry.get('id')!r}"
    known = {field.name: field for field in fields(Declared)}
    needed = {name for name, field in known.items() if field.default is MISSING}
    if "direction" in entry:
        needed |= {"margin", "what"}
    elif set(entry) & set(_OF_A_TEST):
        raise ValueError(
            f"{where} says {', '.join(sorted(set(entry) & set(_OF_A_TEST)))} and no direction; "
            "only a test has these."
        )
    for names, fault in ((set(entry) - set(known), "says"), (needed - set(entry), "lacks")):
        if names:
            raise ValueError(
                f"{where} {fault} {', '.join(sorted(names))}; a claim has {', '.join(known)}."
            )
    for name, value in entry.items():
        kind: Any = {"written": datetime.date, "exploratory": bool}.get(name, str)
        if name in ("margin", "reference"):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{where}: {name} is {value!r}; it must be a number.")
        elif type(value) is not kind or value == "":  # a time of day is a date too
            raise ValueError(f"{where}: {name} is {value!r}; it must be a {kind.__name__}.")
    one = Declared(**entry)
    if one.unit not in _UNITS:
        raise ValueError(f"{where}: unit is {one.unit!r}; it must be one of {', '.join(_UNITS)}.")
    if one.direction is not None:
        if one.unit == "factor" and min(one.margin, one.reference) < 1:
            raise ValueError(
                f"{where}: margin is {one.margin:g} and reference {one.reference:g}; as factors "
                "both must be 1 or more."
            )
        try:
            one.test(_ANY)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    return one


_ANY = Estimate(0.0, 0.0, 0.0, 0.95, 2, 0.0, 1.0)  # checks a claim that has found nothing yet

"""What a run says of the claims that were written before it.

One rule for a family of claims, `verdicts`: whatever the truths are, the chance that any of the
family's verdicts is false is at most 1 - level. It is derived in the docstring, drawn and simulated
on the page *Rules of evidence*.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from distill_helpers._estimates import Estimate

__all__ = ["Claim", "Verdict", "verdicts"]

Word = Literal["holds", "wrong", "no difference", "reversed, smaller than the margin", "undecided"]


@dataclass(frozen=True)
class Claim:
    """A prediction, written before the run, and the estimate that judges it.

    Attributes
    ----------
    name : str
        Short name of the claim.
    estimate : Estimate
        What was measured.
    prediction : {"greater", "less", "equal"}
        Where the truth should lie, seen from `reference`.
    margin : float
        Smallest effect of interest, 0 or more, in the unit of the estimate. An ``"equal"`` claim
        needs one above 0: exact equality cannot be shown.
    reference : float
        What the estimate is held against.
    """

    name: str
    estimate: Estimate
    prediction: Literal["greater", "less", "equal"]
    margin: float
    reference: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a claim that cannot be judged."""
        if self.prediction not in ("greater", "less", "equal"):
            raise ValueError(
                f'prediction of {self.name!r} is {self.prediction!r}; it must be "greater", "less" '
                'or "equal".'
            )
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ValueError(f"margin of {self.name!r} is {self.margin}; it must be 0 or more.")
        if self.prediction == "equal" and self.margin == 0:
            raise ValueError(
                f"margin of {self.name!r} is 0; an equal claim needs one above 0, for exact "
                "equality cannot be shown."
            )
        if not math.isfinite(self.reference):
            raise ValueError(f"reference of {self.name!r} is {self.reference}; it must be finite.")


@dataclass(frozen=True)
class Verdict:
    """What the run says of a claim; see `verdicts`.

    Attributes
    ----------
    name : str
        Name of the claim.
    verdict : {"holds", "wrong", "no difference", "reversed, smaller than the margin", "undecided"}
        The verdict, corrected for the number of claims.
    p, p_adjusted : float
        p-value of the verdict (of "holds", where nothing is shown), alone and corrected. The
        verdict stands where `p_adjusted` is at most 1 - level.
    small : bool
        Whether a claim that holds is also shown to be smaller than its margin.
    remark : str
        What the word leaves out, or nothing: that the effect is small, on which side an undecided
        claim lies, or what the verdict would be if the claim stood alone.
    words : str
        One sentence for the reader.
    """

    name: str
    verdict: Word
    p: float
    p_adjusted: float
    small: bool
    remark: str
    words: str


def verdicts(claims: Sequence[Claim]) -> list[Verdict]:
    r"""Judge a family of claims, so that all its verdicts are right with a chance of `level`.

    Let :math:`\theta` be the truth seen from the reference, `m` the margin,
    :math:`\alpha` = 1 - level and `n` the number of claims. For a claim that predicts
    ``"greater"``:

    ===================================  ======================================  ================
    verdict                              asserts                                 interval
    ===================================  ======================================  ================
    holds                                :math:`\theta > 0`                      above 0
    wrong                                :math:`\theta \le -m`                   below `-m`
    no difference                        :math:`-m < \theta < m`                 in (`-m`, `m`)
    reversed, smaller than the margin    :math:`-m < \theta < 0`                 in (`-m`, 0)
    undecided                            nothing                                 any
    ===================================  ======================================  ================

    The plain interval has to lie where the last column says; how far inside, the correction says.
    ``"less"`` is the mirror image. An ``"equal"`` claim *holds* within the margins (two one-sided
    tests, Schuirmann 1987) and is *wrong* beyond either. A claim that holds can also be `small`,
    within the margins; an undecided one can be known to lie below 0, and its remark says so.

    **Half of** :math:`\alpha` **is for what was predicted.** Each claim has one null hypothesis,
    that its prediction is false, and one p-value. Holm's procedure at :math:`\alpha / 2` rejects:
    sort the p-values; the i-th smallest must be at most :math:`\alpha / 2 (n - i + 1)`, and so must
    all before it. The chance that any false claim *holds* is at most :math:`\alpha / 2`, under any
    dependence (Holm 1979).

    **Half is for surprises**, in equal parts: each one-sided test in *wrong*, *no difference*,
    *reversed*, `small` and the side of an undecided claim is made at
    :math:`a = \alpha / 2n`. One claim costs `a`, for wherever the truth lies, all of these that
    would be false need the same false rejection:

    - :math:`\theta \le -m`: they all assert :math:`\theta > -m`;
    - :math:`-m < \theta < 0`: *wrong* alone is false;
    - :math:`0 \le \theta < m`: they all assert :math:`\theta < 0`;
    - :math:`\theta \ge m`: they all assert :math:`\theta < m`.

    An ``"equal"`` claim can be wrong on two sides, so each side is tested at `a` / 2. The sum over
    claims is :math:`\alpha / 2`, and the two halves make :math:`\alpha`, for every mix of truths
    and margins and any dependence between claims, as far as each one-sided test keeps its level.
    (With strongly skewed clusters it does not: *Rules of evidence* has the figures.)
    *Wrong* asserts that the truth lies beyond the margin or on it: at exactly `-m` it is right.

    Parameters
    ----------
    claims : sequence of Claim
        Every confirmatory claim of the chapter, each judged at the same level.

    Returns
    -------
    list of Verdict
        In the order of `claims`.

    Raises
    ------
    ValueError
        Levels that differ, names that repeat, or an estimate without a p-value (the gap recovered
        by bootstrap).

    References
    ----------
    S. Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6,
    65-70. D. J. Schuirmann (1987), A comparison of the two one-sided tests procedure and the power
    approach, J. Pharmacokinet. Biopharm. 15, 657-680.

    Examples
    --------
    >>> from distill_helpers.statistics import mean_estimate
    >>> clear = mean_estimate([0.6, 0.8, 0.7, 0.9], unit="points")
    >>> faint = mean_estimate([-0.1, 0.1, 0.3, 0.0], unit="points")
    >>> for v in verdicts([Claim("soft targets help", clear, "greater", 0.2),
    ...                    Claim("so does T = 3", faint, "greater", 0.2)]):
    ...     print(v.words)
    holds: 0.75 [0.54, 0.96] points is greater than 0
    undecided: 0.07 [-0.20, 0.35] points
    """
    if len({claim.name for claim in claims}) < len(claims):
        raise ValueError("two claims have one name; give each its own.")
    levels = {claim.estimate.level for claim in claims}
    if len(levels) > 1:
        raise ValueError(f"the claims have levels {sorted(levels)}; judge a chapter at one level.")
    n, predicted = len(claims), [_p_predicted(claim) for claim in claims]
    judged: dict[int, Verdict] = {}
    reached = 0.0  # Holm's adjusted p of the claims so far, doubled for its half of alpha
    for step, i in enumerate(sorted(range(n), key=predicted.__getitem__)):
        reached = max(reached, min(1.0, 2 * (n - step) * predicted[i]))
        judged[i] = _judge(claims[i], predicted[i], reached, n)
    return [judged[i] for i in range(n)]


def _judge(claim: Claim, p: float, p_holm: float, n: int) -> Verdict:
    """Judge one claim among `n`; `p_holm` is what Holm's half makes of its `p`."""
    e, r, m = claim.estimate, claim.reference, claim.margin
    alpha = (1 - e.level) * (1 + 1e-12)  # 1 - 0.95 is a little more than 0.05
    surprises = {word: (q, min(1.0, 2 * n * q)) for word, q in _p_surprises(claim).items()}
    shown = [word for word, (_, adjusted) in surprises.items() if adjusted <= alpha]
    side = "less" if claim.prediction == "greater" else "greater"
    word: Word = "undecided"
    small = False
    remarks = []
    if p_holm <= alpha:
        word = "holds"
        small = "no difference" in shown
        if small:
            remarks = ["smaller than the smallest effect that matters"]
    elif shown and shown[0] != "other side":
        word = shown[0]  # type: ignore[assignment]
        p, p_holm = surprises[word]
    else:
        if shown:
            remarks = ["on the other side, but whether by the margin is open"]
        alone = _judge(claim, p, 2 * p, 1).verdict if n > 1 else word
        if alone != word:
            remarks += [f"alone it would be *{alone}*, among {n} claims it is not"]
    remark = "; ".join(remarks)
    within, beyond = f"within {m:g} of {r:g}", r - m if side == "less" else r + m
    about = {
        "holds": f"is {claim.prediction} than {r:g}",
        "wrong": f"is {side} than {beyond:g}",
        "no difference": f"is {within}",
        "reversed, smaller than the margin": f"is {side} than {r:g}, and {within}",
        "undecided": "",
    }
    if claim.prediction == "equal":
        about |= {"holds": f"is {within}", "wrong": f"is more than {m:g} from {r:g}"}
    words = f"{word}: {e} {about[word]}".rstrip() + (f"; {remark}" if remark else "")
    return Verdict(claim.name, word, p, p_holm, small, remark, words)


def _p_predicted(claim: Claim) -> float:
    """One-sided p-value of what the claim predicts."""
    e, r, m = claim.estimate, claim.reference, claim.margin
    if claim.prediction == "equal":
        return max(e.p_greater(r - m), e.p_less(r + m))
    return e.p_greater(r) if claim.prediction == "greater" else e.p_less(r)


def _p_surprises(claim: Claim) -> dict[str, float]:
    """One-sided p-value of each surprise, the strongest first."""
    e, r, m = claim.estimate, claim.reference, claim.margin
    if claim.prediction == "equal":
        return {"wrong": min(1.0, 2 * min(e.p_greater(r + m), e.p_less(r - m)))}
    above, below = e.p_greater(r - m), e.p_less(r + m)
    if claim.prediction == "greater":
        wrong, inside, other = e.p_less(r - m), above, e.p_less(r)
    else:
        wrong, inside, other = e.p_greater(r + m), below, e.p_greater(r)
    return {
        "wrong": wrong,
        "reversed, smaller than the margin": max(inside, other),
        "no difference": max(above, below),
        "other side": other,
    }

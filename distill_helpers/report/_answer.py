"""From scores to plain answers, each with its interval and its verdict."""

from __future__ import annotations

from dataclasses import dataclass

from scipy import stats

from distill_helpers.report._run import (
    DISTILLED,
    ENSEMBLE,
    FROM_ONE,
    GUESS,
    HARD,
    ONE,
    SMOOTHED,
    Scores,
)
from distill_helpers.statistics import Estimate, nadeau_bengio
from distill_helpers.verdicts import Claim, Verdict, verdicts

LOWER_IS_BETTER = ("nll", "calibrated_nll")


@dataclass(frozen=True)
class Answer:
    """A question, what was measured, and the verdict.

    Attributes
    ----------
    question : str
    one, other : str
        Arms that are compared: what `one` gains on `other`.
    gain : Estimate
        In nats of NLL; above 0 is better.
    accuracy : Estimate
        The same in accuracy, a fraction; no verdict is read from it.
    verdict : Verdict
        Of "one is better", among all questions of the report.
    words : str
        A sentence.
    """

    question: str
    one: str
    other: str
    gain: Estimate
    accuracy: Estimate
    verdict: Verdict
    words: str


def gain(scores: Scores, one: str, other: str, score: str) -> Estimate:
    """Return what one arm gains on another, over all splits (Nadeau and Bengio 2003)."""
    pairs = zip(scores.values[one][score], scores.values[other][score], strict=True)
    sign = -1 if score in LOWER_IS_BETTER else 1
    differences = [sign * (a - b) for a, b in pairs]
    return nadeau_bengio(differences, scores.train_size, scores.test_size)


def answers(
    scores: Scores, rows: int, margin: float, *, teacher_saw_tests: bool = False
) -> list[Answer]:
    """Ask what a reader asks, and judge all of it together.

    Parameters
    ----------
    scores : Scores
    rows : int
        Of the file, for the words.
    margin : float
        Smallest difference in NLL that matters, in nats.
    teacher_saw_tests : bool
        Whether the teacher's own scores are in-sample; then nothing is asked of them.
    """
    teachers = [(ENSEMBLE, ONE)] if ONE in scores.values else [(ENSEMBLE, HARD)]
    if teacher_saw_tests:
        teachers = []
    asked = [
        ("Is there anything to learn?", HARD, GUESS),
        *(
            (
                "Is an ensemble better than one network of its kind?"
                if other == ONE
                else "Is the teacher better than a small network on hard labels?",
                one,
                other,
            )
            for one, other in teachers
        ),
        ("Does label smoothing beat hard labels?", SMOOTHED, HARD),
        ("Does distilling beat hard labels?", DISTILLED, HARD),
        ("Does distilling beat label smoothing?", DISTILLED, SMOOTHED),
        ("Does the distilled student beat guessing?", DISTILLED, GUESS),
    ]
    if FROM_ONE in scores.values:
        asked.append(("Does it take an ensemble, or will one teacher do?", DISTILLED, FROM_ONE))
    gains = [gain(scores, one, other, "nll") for _, one, other in asked]
    judged = verdicts(
        [
            Claim(question, found, "greater", margin)
            for (question, _, _), found in zip(asked, gains, strict=True)
        ]
    )
    return [
        Answer(
            question,
            one,
            other,
            found,
            gain(scores, one, other, "accuracy"),
            verdict,
            _words(verdict, found, rows, margin, len(asked)),
        )
        for (question, one, other), found, verdict in zip(asked, gains, judged, strict=True)
    ]


def _words(verdict: Verdict, found: Estimate, rows: int, margin: float, questions: int) -> str:
    if verdict.verdict == "holds":
        return "Yes, a little: less than matters." if verdict.small else "Yes."
    if verdict.verdict == "wrong":
        return "No: it is worse."
    if verdict.verdict == "reversed, smaller than the margin":
        return "No: it is worse, by less than matters."
    if verdict.verdict == "no difference":
        return f"No: the difference is below {margin:g}."
    # What surely holds among so many questions, not the half of one interval: a difference beyond
    # that half may still be undecided.
    quantiles = stats.t.ppf([0.975, 1 - 0.025 / questions], found.n - 1)
    enough = (found.high - found.low) / 2 * quantiles[1] / quantiles[0]
    return (
        f"These data cannot tell: among {questions} questions, {rows:,} rows resolve differences "
        f"from {enough:.2g} nats on."
    )


@dataclass(frozen=True)
class Decision:
    """What to do, why, and the arm whose student is handed over."""

    do: str
    why: str
    arm: str


def decision(found: list[Answer]) -> Decision:
    """Say what to do: the cheapest that nothing dearer is shown to beat."""
    by_arms = {(answer.one, answer.other): answer.verdict for answer in found}

    def shown(one: str, other: str) -> bool:
        """Whether one is shown to be better, by what may matter."""
        verdict = by_arms[one, other]
        return verdict.verdict == "holds" and not verdict.small

    above_labels = shown(DISTILLED, HARD) and shown(DISTILLED, SMOOTHED)
    if by_arms[HARD, GUESS].verdict != "holds":
        if shown(DISTILLED, GUESS):
            why = (
                "The distilled student beats guessing by the classes' shares, which the same "
                "network on hard labels is not shown to do."
            )
            if above_labels:
                why += " It beats that network on hard and on smoothed labels, too."
                return Decision("Distil.", why, DISTILLED)
            why += " That it beats hard and smoothed labels both is not shown."
            return Decision("Distil, if nothing cheaper will do.", why, DISTILLED)
        why = (
            "The student on hard labels is not shown to beat guessing by the classes' shares: look "
            "at the columns and the labels first."
        )
        if (ENSEMBLE, HARD) in by_arms and shown(ENSEMBLE, HARD):
            why += (
                " The teacher does better than that student: if it beats guessing too (its NLL is "
                "below), what is missing is rows, with labels or without."
            )
        return Decision("Train nothing yet.", why, HARD)
    if above_labels:
        words = "The distilled student beats the same network on hard and on smoothed labels, "
        return Decision("Distil.", words + "each tuned with equal trials.", DISTILLED)
    if shown(SMOOTHED, HARD):
        return Decision(
            "Smooth the labels of one small network.",
            "Label smoothing beats hard labels, and distilling, which takes a teacher, is not "
            "shown to beat smoothing.",
            SMOOTHED,
        )
    if shown(DISTILLED, HARD):
        return Decision(
            "Distil, if nothing cheaper will do.",
            "The distilled student beats hard labels, but is not shown to beat smoothed ones, "
            "which need no teacher.",
            DISTILLED,
        )
    why = {
        "holds": "Distilling helps by less than matters.",
        "wrong": "The distilled student is worse than the same network on hard labels.",
        "no difference": "The distilled student is no better than the same network on hard labels.",
        "reversed, smaller than the margin": "The distilled student is a little worse than the "
        "same network on hard labels.",
        "undecided": "Neither smoothing nor distilling is shown to beat hard labels; these data "
        "cannot tell.",
    }[by_arms[DISTILLED, HARD].verdict]
    if any(shown(*arms) for arms in by_arms if arms[0] == ENSEMBLE):
        why += " The teacher is better than one network: where its cost can be paid, keep it."
    return Decision("Train one small network on hard labels, tuned.", why, HARD)

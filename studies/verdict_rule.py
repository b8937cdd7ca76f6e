"""Count the false verdicts of the rule for many claims at once (page: rules of evidence).

A setting is a number of claims, where their truths and margins lie, how their noise depends on each
other, and the number of clusters. Families of claims are drawn and judged by three rules: the
book's (`distill_helpers.verdicts`), the one it replaced (Holm over each claim's smallest p-value),
and Bonferroni for everything. A row is a setting: the share of families with a false verdict, the
share of true predictions that *hold*, and the share of all claims with a right verdict.

Half of the settings were looked at while the rule was chosen (`choosing`), half ran once it stood
(`fresh`), with seeds of their own. Examples:

  python studies/verdict_rule.py
  python studies/verdict_rule.py --settings 4 --families 500 --output try.csv
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from distill_helpers import studies

FAMILIES = 4000
ALPHA = 0.05 * (1 + 1e-12)  # as 1 - 0.95
SEEDS = {"choosing": 11, "fresh": 12}
WORDS = ("undecided", "holds", "wrong", "no difference", "reversed", "other side")
UNDECIDED, HOLDS, WRONG, SAME, REVERSED, SIDE = range(6)
RULES = ("new", "old", "bonferroni")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MIXES = (
    "all zero",
    "all zero, no margin",
    "just inside the margin, wrong side",
    "just beyond the margin, wrong side",
    "just beyond the margin, right side",
    "zero beside at the margin",
    "tiny, reversed",
    "clear effects beside zero",
)
CLAIMS = (1, 2, 4, 6, 9, 15, 30, 50)
MARGINS = (0.3, 0.5, 0.7, 1.0, 1.5, 2.0)  # in standard deviations of a cluster
PREDICTIONS = ("greater", "less", "equal", "greater and equal", "all three")
DEPENDENCE = ("independent", "shared control", "opposite pairs")


@dataclass(frozen=True)
class Setting:
    """What is simulated. Clusters have a standard deviation of 1."""

    number: int
    stage: str
    clusters: int
    claims: int
    mix: str
    predictions: str
    dependence: str
    margin: float

    def families(self) -> tuple[Floats, Floats, Ints]:
        """Return truth and margin of each claim, and its kind: 1 greater, -1 less, 0 equal."""
        i = np.arange(self.claims)
        kinds = {
            "greater": [1],
            "less": [-1],
            "equal": [0],
            "greater and equal": [1, 0],
            "all three": [1, -1, 0],
        }[self.predictions]
        kind = np.resize(kinds, self.claims)
        m, edge = self.margin, np.where(i // 2 % 2, 1.0, -1.0) * self.margin
        along = {
            "all zero": 0.0 * i,
            "all zero, no margin": 0.0 * i,
            "just inside the margin, wrong side": -m * (1 - 1e-9) + 0 * i,
            "just beyond the margin, wrong side": -m * (1 + 1e-9) + 0 * i,
            "just beyond the margin, right side": m * (1 + 1e-9) + 0 * i,
            "zero beside at the margin": np.where(i % 2, edge, 0.0),
            "tiny, reversed": -0.1 * m + 0 * i,
            "clear effects beside zero": np.where(i % 2, 0.0, m + 3.0),
        }[self.mix]
        none = self.mix == "all zero, no margin"
        margin = np.where((kind != 0) & none, 0.0, m)
        return along * np.where(kind < 0, -1.0, 1.0), margin, kind

    def draw(self, families: int) -> tuple[Floats, Floats]:
        """Return means and standard errors, (families, claims)."""
        rng = np.random.default_rng([SEEDS[self.stage], self.number])
        noise = rng.normal(size=(families, self.clusters, self.claims))
        if self.dependence == "shared control":
            noise = (noise - rng.normal(size=(families, self.clusters, 1))) / np.sqrt(2)
        elif self.dependence == "opposite pairs":
            late = noise[:, :, 1::2]
            late[...] = -0.9 * noise[:, :, : 2 * late.shape[2] : 2] + np.sqrt(0.19) * late
        means = self.families()[0] + noise.mean(axis=1)
        return means, noise.std(axis=1, ddof=1) / np.sqrt(self.clusters)


def settings() -> list[Setting]:
    """List the settings: the two that broke the old rule, and mixes x clusters x dependence."""
    made = [
        Setting(0, "choosing", 20, 9, "all zero", "greater", "independent", 1.0),
        Setting(1, "choosing", 40, 15, "all zero", "greater", "independent", 0.7),
    ]
    grid = itertools.product(MIXES, (5, 10, 20, 40), DEPENDENCE)
    for i, (mix, clusters, dependence) in enumerate(grid):
        made.append(
            Setting(
                i + 2,
                ("choosing", "fresh")[i % 2],
                clusters,
                CLAIMS[(3 * i + i // 12) % len(CLAIMS)],
                mix,
                PREDICTIONS[(2 * i + i // 12) % len(PREDICTIONS)],
                dependence,
                MARGINS[(i + i // 12) % len(MARGINS)],
            )
        )
    return made


def judge(
    mean: Floats, error: Floats, freedom: int, margin: Floats, kind: Ints, rule: str
) -> tuple[Ints, Bools]:
    """Judge families of claims at once; return words (families, claims) and who is `small`."""
    n = mean.shape[1]
    sign = np.where(kind < 0, -1.0, 1.0)
    along = sign * mean

    def p_greater(reference: Floats | float) -> Floats:
        return np.asarray(stdtr(freedom, -(along - reference) / error))

    def p_less(reference: Floats | float) -> Floats:
        return np.asarray(stdtr(freedom, (along - reference) / error))

    equal = kind == 0
    above, below = p_greater(-margin), p_less(margin)
    within = np.maximum(above, below)
    positive, other, beyond = p_greater(0.0), p_less(0.0), p_less(-margin)
    predicted = np.where(equal, within, positive)
    either = 2 * np.minimum(p_greater(margin), beyond)
    wrong = np.where(equal, np.minimum(1.0, either), beyond)
    words = np.full(mean.shape, UNDECIDED)
    if rule == "old":
        table = [
            np.where(equal, within, 2 * positive),
            np.where(equal, wrong, 2 * beyond),
            np.where(equal, 1.0, within),
        ]
        best = np.minimum.reduce(table)
        earlier, steps = holm(best)
        for word, p in reversed(list(zip((HOLDS, WRONG, SAME), table, strict=True))):
            words[np.maximum(earlier, steps * p) <= ALPHA] = word
        small = np.maximum(earlier, steps * within) <= ALPHA
        return words, (words == HOLDS) & ~equal & small
    a = ALPHA / (2 * n)
    same = (within <= a) & ~equal
    words[(other <= a) & ~equal] = SIDE
    words[same] = SAME
    words[(np.maximum(above, other) <= a) & ~equal] = REVERSED
    words[wrong <= a] = WRONG
    if rule == "bonferroni":
        words[predicted <= a] = HOLDS
    else:
        earlier, steps = holm(predicted)
        words[2 * np.maximum(earlier, steps * predicted) <= ALPHA] = HOLDS
    return words, (words == HOLDS) & same


def holm(p: Floats) -> tuple[Floats, Ints]:
    """Return the largest adjusted p-value of the claims before each in Holm's order, and a factor.

    A claim's own adjusted p-value is the larger of the first and factor x p.
    """
    n = p.shape[1]
    order = np.argsort(p, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    in_order = np.take_along_axis(p, order, 1) * np.arange(n, 0, -1)
    running = np.maximum.accumulate(in_order, axis=1)
    earlier = np.hstack([np.zeros((len(p), 1)), running[:, :-1]])
    return np.take_along_axis(earlier, ranks, 1), n - ranks


def false_words(truth: Floats, margin: Floats, kind: Ints) -> Bools:
    """Tell which words are false of each claim, (words, claims); the last row is `small`."""
    along, equal = truth * np.where(kind < 0, -1.0, 1.0), kind == 0
    outside = np.abs(truth) >= margin
    false = np.zeros((len(WORDS) + 1, truth.size), dtype=bool)
    false[HOLDS] = np.where(equal, outside, along <= 0)
    false[WRONG] = np.where(equal, ~outside, along > -margin)
    false[SAME] = outside
    false[REVERSED] = outside | (along >= 0)
    false[SIDE] = along >= 0
    false[-1] = outside
    return false


def simulate(setting: Setting, families: int) -> studies.Row:
    """Return the row of a setting."""
    truth, margin, kind = setting.families()
    mean, error = setting.draw(families)
    false, columns = false_words(truth, margin, kind), np.arange(truth.size)
    row: studies.Row = {**vars(setting), "families": families}
    for rule in RULES:
        words, small = judge(mean, error, setting.clusters - 1, margin, kind, rule)
        bad = false[words, columns] | (small & false[-1])
        decided = (words != UNDECIDED) & (words != SIDE)
        effects = ~false[HOLDS]
        row |= {
            f"error_{rule}": bad.any(axis=1).mean(),
            f"found_{rule}": (words == HOLDS)[:, effects].mean() if effects.any() else np.nan,
            f"right_{rule}": (decided & ~bad).mean(),
        }
    return row


def main() -> None:
    """Read the command line, run, save after each setting."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--settings", type=int, default=len(settings()), help="how many")
    parser.add_argument("--families", type=int, default=FAMILIES, help="families a setting")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if min(args.settings, args.families) < 1 or args.settings > len(settings()):
        parser.error(f"--settings must be 1 to {len(settings())}, and --families 1 or more")
    output = args.output or Path(__file__).with_name("verdict-rule.csv")
    command = "python studies/verdict_rule.py"
    if (args.settings, args.families) != (len(settings()), FAMILIES):
        command += f" --settings {args.settings} --families {args.families}"
    writer = studies.Writer(output, command, "number", script=__file__)
    start = time.perf_counter()
    for number in writer.missing(args.settings):
        writer.add([simulate(settings()[number], args.families)])
    writer.finish()
    print(f"wrote {output} in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

"""Measure what intervals for a mean cover where clusters are skewed (page: rules of evidence).

A row is a law and a number of clusters. For the t interval, Hall's, and whoever takes the second
where `statistics.mean_estimate` says so: the share of samples whose interval holds the true mean,
and on which side the rest lies. Then the verdict rule on six claims with such clusters, effects
zero, margin one standard deviation: the share of families with a false verdict. Examples:

  python studies/skew.py
  python studies/skew.py --samples 2000 --state 7 --output try.csv
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from distill_helpers import studies

SAMPLES = 20_000
STATE = 2024  # the factor of the bend and the caution were chosen on others
CLUSTERS = (5, 8, 10, 12, 20, 40)
CLAIMS = 6

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

LAWS: dict[str, tuple[Draw, float, float]] = {  # with mean and standard deviation
    "normal": (lambda r, s: r.normal(size=s), 0.0, 1.0),
    "uniform": (lambda r, s: r.uniform(size=s), 0.5, math.sqrt(1 / 12)),
    "t, 3 degrees": (lambda r, s: r.standard_t(3, size=s), 0.0, math.sqrt(3)),
    "exponential": (lambda r, s: r.exponential(size=s), 1.0, 1.0),
    "lognormal, sigma 0.5": (
        lambda r, s: np.exp(0.5 * r.normal(size=s)),
        math.exp(0.125),
        math.sqrt((math.exp(0.25) - 1) * math.exp(0.25)),
    ),
    "lognormal, sigma 1": (
        lambda r, s: np.exp(r.normal(size=s)),
        math.exp(0.5),
        math.sqrt((math.e - 1) * math.e),
    ),
    "90 % 0, 10 % 1": (lambda r, s: (r.random(s) < 0.1) * 1.0, 0.1, 0.3),
}


def bends(x: Floats) -> tuple[Floats, Floats]:
    """Return Hall's bend of each sample (rows), and whether it is cautioned for skew."""
    n = x.shape[1]
    deviation = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((deviation**2).mean(axis=1, keepdims=True))
    skewness = (np.divide(deviation, spread, where=spread > 0, out=0 * x) ** 3).mean(axis=1)
    usual = math.sqrt(6 * (n - 2) / ((n + 1) * (n + 3)))
    return skewness / (2 * math.sqrt(n)), np.abs(skewness) > 1.5 * usual


def p_values(x: Floats, reference: float) -> dict[str, tuple[Floats, Floats]]:
    """Return p of "greater" and of "less", by way of making the interval."""
    n = x.shape[1]
    error = x.std(axis=1, ddof=1) / math.sqrt(n)
    off = x.mean(axis=1) - reference
    t = np.divide(off, error, where=error > 0, out=np.sign(off) * 1e9)
    bend, cautioned = bends(x)
    some = np.where(np.abs(bend) < 1e-9, 1e-9, bend)
    h = np.where(np.abs(bend) < 1e-9, t, ((1 + some * t) ** 3 - 1) / (3 * some) + some / 2)
    plain = stdtr(n - 1, -t), stdtr(n - 1, t)
    hall = np.maximum(plain[0], stdtr(n - 1, -h)), np.maximum(plain[1], stdtr(n - 1, h))
    advised = tuple(np.where(cautioned, b, a) for a, b in zip(plain, hall, strict=True))
    return {"t": plain, "hall": hall, "advised": advised}  # type: ignore[dict-item]


def reach(x: Floats) -> Floats:
    """Return the length of Hall's interval over that of the t interval."""
    quantile = stdtrit(x.shape[1] - 1, 0.975)
    bend = bends(x)[0]
    some = np.where(np.abs(bend) < 1e-9, 1e-9, bend)
    ends = [np.cbrt(1 + 3 * some * (h - some / 2)) - 1 for h in (quantile, -quantile)]
    below, above = np.maximum(ends[0] / some, quantile), np.maximum(-ends[1] / some, quantile)
    return np.asarray((below + above) / (2 * quantile))


def family_error(x: Floats, sd: float, mean: float, way: str) -> float:
    """Share of families of six claims (greater, nothing there) with a false verdict."""
    shape = (-1, CLAIMS)
    greater, less = (p.reshape(shape) for p in p_values(x, mean)[way])
    below = p_values(x, mean - sd)[way][1].reshape(shape)
    inside = p_values(x, mean - sd)[way][0].reshape(shape)
    a = 0.025 / CLAIMS
    holds = greater.min(axis=1) <= a  # Holm's first step: with nothing there any step is false
    surprise = (np.maximum(less, inside) <= a) | (below <= a) | (less <= a)
    return float((holds | surprise.any(axis=1)).mean())


def simulate(number: int, law: str, clusters: int, samples: int, state: int) -> studies.Row:
    """Return one row."""
    draw, mean, sd = LAWS[law]
    rng = np.random.default_rng([state, number])
    x = draw(rng, (samples, clusters))
    row: studies.Row = {"number": number, "law": law, "clusters": clusters, "samples": samples}
    row |= {"cautioned": bends(x)[1].mean(), "longer": float(np.median(reach(x)))}
    for way, (greater, less) in p_values(x, mean).items():
        row |= {
            f"cover_{way}": ((greater > 0.025) & (less > 0.025)).mean(),
            f"below_{way}": (less <= 0.025).mean(),
            f"above_{way}": (greater <= 0.025).mean(),
        }
    families = draw(rng, (samples // 4 * CLAIMS, clusters))
    return row | {f"family_{way}": family_error(families, sd, mean, way) for way in ("t", "hall")}


def main() -> None:
    """Read the command line, run, save after each row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=SAMPLES, help="samples a row")
    parser.add_argument("--state", type=int, default=STATE, help="seed")
    parser.add_argument("--output", type=Path, help="where the table goes")
    args = parser.parse_args()
    if args.samples < 4 or args.state < 0:
        parser.error("--samples must be 4 or more, and --state 0 or more")
    output = args.output or Path(__file__).with_name("skew.csv")
    command = "python studies/skew.py"
    if (args.samples, args.state) != (SAMPLES, STATE):
        command += f" --samples {args.samples} --state {args.state}"
    writer = studies.Writer(output, command, "number", script=__file__)
    rows = [(law, n) for law in LAWS for n in CLUSTERS]
    for number in writer.missing(len(rows)):
        writer.add([simulate(number, *rows[number], args.samples, args.state)])
    writer.finish()
    print(f"wrote {output}")


if __name__ == "__main__":
    main()

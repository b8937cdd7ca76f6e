"""What the rule of chapter 08 expects of a reader's own rows, before anything is measured.

It says whether measuring is worth it; the report's decision goes by what is measured.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from distill_helpers import paying
from distill_helpers.files import OwnRows, task_of
from distill_helpers.forecast import RULE
from distill_helpers.statistics import Estimate


@dataclass(frozen=True)
class Forecast:
    """The edge of three networks over one student, and the gain that it foretells, in nats."""

    edge: float
    edge_error: float
    gain: float

    def __str__(self) -> str:
        """Return it as one line."""
        return (
            f"Forecast: distilling saves {self.gain:+.3f} nats. On rows that none had seen three "
            f"networks beat one student by {self.edge:+.3f} (standard error "
            f"{self.edge_error:.3f}). The rule is {RULE.intercept:.3f} plus {RULE.slope:.2f} of "
            "that. It is from made-up tasks; on public tables it was no nearer than expecting no "
            "gain. By it this is "
            + (
                "worth measuring; what is measured decides."
                if RULE.says_distil(self.edge)
                else "too little to be worth measuring: you may stop here and train on labels."
            )
        )

    def beside(self, measured: Estimate) -> dict[str, float]:
        """Return it with what was measured, and how far off it was."""
        return asdict(self) | {"measured": measured.value, "off_by": measured.value - self.gain}


def forecast(own: OwnRows, width: int, seed: int) -> Forecast:
    """Train one student and three networks on folds of all rows, and compare them."""
    every = np.arange(len(own.labels))
    _, features = own.learn(every)
    task = task_of(own.name, features, own.labels, own.classes, every, every)
    with warnings.catch_warnings():
        # A trial at a rate that is too high diverges; it is not chosen.
        warnings.filterwarnings("ignore", message=".*finite.*", category=RuntimeWarning)
        seen = paying.look(task, width=width, seed=seed)
    return Forecast(seen.edge, seen.edge_error, RULE.forecast(seen.edge))


def in_words(found: dict[str, Any]) -> str:
    """Say what a forecast was and what was measured, which decides."""
    return (
        "Before measuring, a rule from made-up tasks expected distilling to save "
        f"{found['gain']:+.3f} nats. Measured, it saved {found['measured']:+.3f}; the decision "
        "goes by what was measured."
    )

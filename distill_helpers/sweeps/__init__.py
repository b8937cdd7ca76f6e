"""Many runs at once, on one machine or many, resumable.

A sweep is one chapter at every point of a grid; a study is a script and its replicates.
"""

from distill_helpers.sweeps._grid import Grid, read_grid
from distill_helpers.sweeps._page import chart
from distill_helpers.sweeps._store import Store
from distill_helpers.sweeps._study import Progress, find_studies, study
from distill_helpers.sweeps._sweep import Outcome, Stopped, sweep

__all__ = [
    "Grid",
    "Outcome",
    "Progress",
    "Stopped",
    "Store",
    "chart",
    "find_studies",
    "read_grid",
    "study",
    "sweep",
]

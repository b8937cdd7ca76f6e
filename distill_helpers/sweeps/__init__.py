"""Sweeps: one chapter at every point of a grid, on one machine or many, resumable."""

from distill_helpers.sweeps._grid import Grid, read_grid
from distill_helpers.sweeps._page import chart
from distill_helpers.sweeps._store import Store
from distill_helpers.sweeps._sweep import Outcome, Stopped, sweep

__all__ = ["Grid", "Outcome", "Stopped", "Store", "chart", "read_grid", "sweep"]

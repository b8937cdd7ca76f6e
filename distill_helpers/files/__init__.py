"""Make a task of a reader's own file: CSV, Parquet, NPZ, ARFF, SVMLight, or a data frame.

`task_from_file` reads, says what each column is, splits, and encodes; what it learns on the way
(levels, medians) it learns from the training part alone. `Columns` does the same to new rows, so
that a student can be handed over with its preprocessing.
"""

from distill_helpers.files._columns import Columns
from distill_helpers.files._readers import read, reading_beside
from distill_helpers.files._table import Column, categories, level, nearest, number
from distill_helpers.files._task import OwnData, OwnRows, rows_from_file, task_from_file, task_of

__all__ = [
    "Column",
    "Columns",
    "OwnData",
    "OwnRows",
    "categories",
    "level",
    "nearest",
    "number",
    "read",
    "reading_beside",
    "rows_from_file",
    "task_from_file",
    "task_of",
]

"""Your own data: from a file, and any teacher's answers, to a verdict and a student.

`report` does what ``distill report`` does on the command line.
"""

from distill_helpers.report._answer import Answer
from distill_helpers.report._report import FILES, Report, check_out, report

__all__ = ["FILES", "Answer", "Report", "check_out", "report"]

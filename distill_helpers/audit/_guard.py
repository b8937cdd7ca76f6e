"""Tell an error of the code that was handed over from one of the audit's own.

The first is the caller's to see. The second says nothing about the loop: what was being looked at
"could not be told", and the rest of the report stands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from distill_helpers.audit._modules import first_line
from distill_helpers.audit._report import UNKNOWN, Check

MARK = "_of_the_loop"


@contextmanager
def raised_by(loop: bool) -> Iterator[None]:
    """Mark what is raised in here as the loop's own, or as not; the innermost mark stays."""
    try:
        yield
    except Exception as problem:
        if not hasattr(problem, MARK):
            setattr(problem, MARK, loop)
        raise


def unable(names: Sequence[str], problem: Exception) -> list[Check]:
    """Return checks that could not tell because the audit failed; raise what is the loop's."""
    if getattr(problem, MARK, False):
        raise problem
    words = f"the audit itself fails here, which says nothing of the loop: {first_line(problem)}"
    return [Check(name, UNKNOWN, words) for name in names]


def guarded(name: str) -> Callable[[Callable[..., Check]], Callable[..., Check]]:
    """Let a function that makes one check say "could not tell" where the audit fails."""

    def guard(look: Callable[..., Check]) -> Callable[..., Check]:
        @functools.wraps(look)
        def judge(*args: Any, **kwargs: Any) -> Check:
            try:
                return look(*args, **kwargs)
            except Exception as problem:
                return unable([name], problem)[0]

        return judge

    return guard

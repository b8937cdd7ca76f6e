"""How far the work is, drawn or told."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any


class Bar:
    """How many points are there, and how long the rest will take."""

    def __init__(self, total: int, done: int, drawn: bool) -> None:
        self.total, self.done, self.failed = total, done, 0
        self.drawn, self._bar = drawn, None
        self.begin, self.ran, self.told = time.monotonic(), 0, time.monotonic()

    def __enter__(self) -> Bar:
        if self.drawn:
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, initial=self.done, unit="point", dynamic_ncols=True)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, *, failed: bool) -> None:
        self.ran, self.failed = self.ran + 1, self.failed + failed
        if self._bar is not None:
            self._bar.update()
            if self.failed:
                self._bar.set_postfix_str(f"{self.failed} failed")
        elif time.monotonic() - self.told > 60:
            self.told = time.monotonic()
            left = (self.total - self.done - self.ran) * (self.told - self.begin) / self.ran
            self.say(
                f"{self.done + self.ran} of {self.total} points, {self.failed} failed; "
                f"about {left / 60:.0f} min left"
            )

    def say(self, line: str) -> None:
        write_line: Callable[[str], Any] = print if self._bar is None else self._bar.write
        write_line(f"distill: {line}", file=sys.stderr)  # type: ignore[call-arg]

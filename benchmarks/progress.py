"""One line on a terminal that says how far long work is; nothing in a pipe or a file."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

REDRAW_S = 0.1


class Progress:
    """Counts steps of `total` on stderr, redrawn at most every `REDRAW_S` seconds."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._shown = sys.stderr.isatty()
        self._begun = self._drawn = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def step(self) -> None:
        """One more is done."""
        self.at(self._done + 1, self._total)

    def at(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._done, now = done, time.monotonic()
        if self._shown and (now - self._drawn >= REDRAW_S or done == total):
            self._drawn = now
            left_s = (now - self._begun) / max(1, done) * (total - done)
            line = f"{self._what}: {done:,} of {total:,}, {left_s:,.0f} s left"
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)

"""One line on a terminal that says how far long work is, at what rate and for how long yet; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

REDRAW_S: Final = 0.1
CELLS: Final = 20
T = TypeVar("T")


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
            line = said(self._what, done, total, now - self._begun)
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def over(what: str, items: Sequence[T]) -> Iterator[T]:
    """The items, one done whenever the next is asked for."""
    with Progress(what, len(items)) as progress:
        for item in items:
            yield item
            progress.step()


def said(what: str, done: int, total: int, seconds: float) -> str:
    """A bar, the count, the rate so far and the time left at that rate. A slow rate is told per minute."""
    filled = CELLS * done // max(1, total)
    rate = done / max(seconds, 1e-9)
    pace = f"{rate:,.1f}/s" if rate >= 1 else f"{60 * rate:,.1f}/min"
    left = f"{(total - done) / rate:,.0f} s left" if done else "time left not known"
    return f"{what} [{'#' * filled}{'.' * (CELLS - filled)}] {done:,} of {total:,}, {pace}, {left}"

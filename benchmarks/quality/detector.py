"""Has the quality dropped? ADWIN over graded answers (Bifet and Gavalda, SDM 2007), as river implements it.

It is fed the score of the first request of each paraphrase group in an epoch: recorded answers repeat exactly, and with
bursts of equal values every detector alarms falsely. Only drops count. It needs graded answers, which real traffic
rarely has: what it notices is the most that watching could notice.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

DELTA: Final = 0.002
MISSING: Final = "not measured; needs the extra drift: pip install -e '.[drift]'"


@dataclass(frozen=True, slots=True)
class Operating:
    """What a simulation of the detector found. Shares of `runs`; delays in values, median over the runs that noticed.

    A value is right with `base` probability, `per_epoch` values an epoch over `epochs` epochs; the drop comes halfway.
    """

    runs: int
    epochs: int
    per_epoch: int
    base: float
    false_alarms: float
    noticed: dict[str, tuple[float, int | None]]
    """By the size of the drop in points: the share of runs that noticed it, and after how many values."""


SIMULATED: Final = Operating(
    runs=1000,
    epochs=36,
    per_epoch=200,
    base=0.6,
    false_alarms=0.0,
    noticed={"2": (0.013, 2352), "5": (0.512, 2000), "10": (1.0, 624), "20": (1.0, 208)},
)
"""From `simulate` in tests/quality/test_drift_detector.py, which checks these figures on fewer runs."""


def adwin() -> Any:
    """A fresh detector, or None where river is not installed."""
    try:
        from river import drift
    except ImportError:
        return None
    made: Any = drift.ADWIN  # untyped
    return made(delta=DELTA)


@dataclass(slots=True)
class Watch:
    """Watches one pipeline. `drops` are the numbers of the requests at which a drop was noticed."""

    detector: Any
    drops: list[int] = field(default_factory=list)
    _fed: set[Hashable] = field(default_factory=set)

    def epoch(self) -> None:
        """A new epoch begins: every group may give a value again."""
        self._fed.clear()

    def feed(self, number: int, group: Hashable, score: float) -> None:
        """The score of the `number`-th request."""
        if self.detector is None or group in self._fed:
            return
        self._fed.add(group)
        before = self.detector.estimation
        self.detector.update(score)
        if self.detector.drift_detected and self.detector.estimation < before:
            self.drops.append(number)

"""Where the time of an answer goes, step by step, from the steps that its pipeline recorded.

A model's part is its own seconds; what reaching it adds to them (a client library, a connection) is the `adapter`'s.
Steps that overlap are counted once, and what no step accounts for is `rest`: the pipeline's own work, waiting for the
processor. So the parts of a request add up to its latency, and the parts of an average to that average. Work after the
answer is out (the store) delays nobody and is shown apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.rows import CALLS, Row
from benchmarks.targets.target import REPORTED
from shared.steps import Step

ADAPTER: Final = "adapter"
REST: Final = "rest"
MEDIAN_BAND: Final = (0.45, 0.55)
"""Ranks whose mean stands for a median request: medians of parts do not add up, their means over one group do."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Mean seconds of each part over `requests` requests; the parts of `parts_s` add up to `seconds`.

    `after_answer_s` is what was done once the answer was out, and is no part of them.
    """

    requests: int
    seconds: float
    parts_s: Mapping[str, float]
    after_answer_s: Mapping[str, float]

    @property
    def shares(self) -> Mapping[str, float]:
        """Each part's share of the whole, in [0, 1]."""
        return {kind: seconds / self.seconds if self.seconds else 0.0 for kind, seconds in self.parts_s.items()}


def mean(rows: Sequence[Row]) -> Breakdown | None:
    """Over the answered requests whose latency and steps are known; None where there is none."""
    return _averaged(_timed(rows))


def median(rows: Sequence[Row]) -> Breakdown | None:
    """Over the tenth of those requests whose latency is nearest the median."""
    timed = sorted(_timed(rows), key=lambda row: (row.latency_s or 0.0, row.asked.number))
    first, last = (round(share * len(timed)) for share in MEDIAN_BAND)
    return _averaged(timed[first : max(last, first + 1)])


def _timed(rows: Iterable[Row]) -> list[Row]:
    """A system that only says which stage answered tells no times of its steps."""
    return [
        row
        for row in rows
        if row.error is None
        and row.latency_s is not None
        and row.steps is not None
        and not any(step.detail == REPORTED for step in row.steps)
    ]


def _averaged(rows: Sequence[Row]) -> Breakdown | None:
    if not rows:
        return None
    within: dict[str, float] = defaultdict(float)
    after: dict[str, float] = defaultdict(float)
    for row in rows:
        for kind, seconds in parts_s(row.latency_s or 0.0, row.steps or ()).items():
            within[kind] += seconds / len(rows)
        for step in row.steps or ():
            if step.after_answer:
                after[step.kind] += step.seconds / len(rows)
    return Breakdown(len(rows), sum(row.latency_s or 0.0 for row in rows) / len(rows), within, after)


def parts_s(latency_s: float, steps: Sequence[Step]) -> dict[str, float]:
    """The parts of one request, in seconds, which add up to `latency_s`.

    A recorded answer's seconds did not pass while its step lasted: they come on top of it, as they do in the latency.
    """
    parts: dict[str, float] = defaultdict(float)
    left, busy_until = latency_s, 0.0

    def take(kind: str, seconds: float) -> None:
        nonlocal left
        taken = min(max(seconds, 0.0), left)
        parts[kind] += taken
        left -= taken

    for step in sorted((step for step in steps if not step.after_answer), key=lambda step: step.start_s):
        end_s = step.start_s + step.seconds
        passed = end_s - max(step.start_s, busy_until)
        busy_until = max(busy_until, end_s)
        model_s = step.completion.seconds if step.completion else None
        if step.kind not in CALLS or model_s is None:
            take(step.kind, passed)
        elif step.completion and step.completion.timing in ("measured", "emulated"):
            take(step.kind, min(model_s, passed))
            take(ADAPTER, passed - model_s)
        else:
            take(step.kind, model_s)
            take(ADAPTER, passed)
    parts[REST] += left
    return dict(parts)

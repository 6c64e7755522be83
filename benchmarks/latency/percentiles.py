"""How long answers take: as each target measured them, or recorded seconds plus the measured overhead.

Both arms are timed over the same requests, those that both answered: failing on the long ones is not being fast. A
recorded answer may have no seconds, where its model did not have the machine to itself. Such a question is left out as
a whole, with its repeats and on both sides: a sample that kept its cache hits would be the fast part. Where an arm's
recordings hold no seconds at all, only that arm is not measured. What a system does not report is another matter: where
one answer has no latency, that arm's latency is not measured.

Percentiles come from the raw samples (nearest rank) and are left out where the sample is too small to hold one: at
least 10 answers must lie beyond it, as MLPerf LoadGen's sample sizes ask in spirit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm

BEYOND = 10


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """Seconds, over `timed` of the answered requests. None where not measured, or where the sample is too small."""
    answered = {arm: {row.asked.number for row in arms[arm] if row.error is None} for arm in ARMS}
    both = answered["legacy"] & answered["direct"]
    rows = {arm: [row for row in arms[arm] if row.asked.number in both] for arm in ARMS}
    untimed = {arm: _untimed(rows[arm]) for arm in ARMS}
    # an arm whose every call lacks seconds would leave out all of the other's
    timed = {arm: not untimed[arm] or any(row.calls and row.latency_s is not None for row in rows[arm]) for arm in ARMS}
    left_out = {item for arm in ARMS if timed[arm] for item in untimed[arm]}
    return {
        arm: {
            "answered": len(answered[arm]),
            **_one(rows[arm], [row for row in rows[arm] if timed[arm] and row.asked.item.id not in left_out]),
        }
        for arm in ARMS
    }


def _untimed(rows: Sequence[Row]) -> set[str]:
    """Questions whose recordings lack seconds."""
    return {
        row.asked.item.id
        for row in rows
        if row.latency_s is None and any(call.timing == "unknown" for call in row.calls)
    }


def _one(rows: Sequence[Row], sample: Sequence[Row]) -> dict[str, Any]:
    known = sorted(row.latency_s for row in sample if row.latency_s is not None)
    if len(known) < len(sample):
        known = []
    overheads = sorted(row.overhead_s for row in rows if row.overhead_s is not None)
    return {
        "timed": len(known),
        "mean_s": sum(known) / len(known) if known else None,
        "p50_s": percentile(known, 0.5),
        "p95_s": percentile(known, 0.95),
        "p99_s": percentile(known, 0.99),
        "overhead_p50_s": percentile(overheads, 0.5),
    }


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of an ordered sample, or None where fewer than `BEYOND` values lie beyond it."""
    if len(ordered) * min(share, 1 - share) < BEYOND:
        return None
    return ordered[math.ceil(share * len(ordered)) - 1]

"""How long answers take: as each target measured them, or recorded seconds plus the measured overhead.

A recorded answer may have no seconds, where its model did not have the machine to itself. Such a question is left out
as a whole, with its repeats and on both sides: a sample that kept its cache hits would be the fast part. What a system
does not report is another matter: where one answer has no latency, that arm's latency is not measured.

Percentiles come from the raw samples (nearest rank) and are left out where the sample is too small to hold one: at
least 10 answers must lie beyond it, as MLPerf LoadGen's sample sizes ask in spirit.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm

BEYOND = 10


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """Seconds, over `timed` of the answered requests. None where not measured, or where the sample is too small."""
    untimed = [row for arm in ARMS for row in _answered(arms[arm]) if row.latency_s is None]
    left_out = {row.asked.item.id for row in untimed if any(call.timing == "unknown" for call in row.calls)}
    return {arm: _one(_answered(arms[arm]), left_out) for arm in ARMS}


def _answered(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.error is None]  # failing fast is not being fast


def _one(answered: Sequence[Row], left_out: Container[str]) -> dict[str, Any]:
    sample = [row.latency_s for row in answered if row.asked.item.id not in left_out]
    known = sorted(latency for latency in sample if latency is not None)
    if len(known) < len(sample):
        known = []
    overheads = sorted(row.overhead_s for row in answered if row.overhead_s is not None)
    return {
        "answered": len(answered),
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

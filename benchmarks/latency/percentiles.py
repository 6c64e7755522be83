"""How long answers take: the recorded seconds of the models plus the measured overhead of the pipelines.

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
    """Seconds, over answered requests. None where a part was not measured or the sample is too small."""
    return {arm: _one(arms[arm]) for arm in ARMS}


def _one(rows: Sequence[Row]) -> dict[str, Any]:
    answered = [row for row in rows if row.error is None]  # failing fast is not being fast
    known = sorted(row.latency_s for row in answered if row.latency_s is not None)
    complete = 0 < len(known) == len(answered)
    overheads = sorted(row.overhead_s for row in answered if row.overhead_s is not None)
    return {
        "answered": len(answered),
        "mean_s": sum(known) / len(known) if complete else None,
        "p50_s": percentile(known, 0.5) if complete else None,
        "p95_s": percentile(known, 0.95) if complete else None,
        "p99_s": percentile(known, 0.99) if complete else None,
        "overhead_p50_s": percentile(overheads, 0.5),
    }


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile of an ordered sample, or None where fewer than `BEYOND` values lie beyond it."""
    if len(ordered) * min(share, 1 - share) < BEYOND:
        return None
    return ordered[math.ceil(share * len(ordered)) - 1]

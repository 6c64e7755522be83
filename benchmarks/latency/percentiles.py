"""How long answers take: as each target measured them, at the pace of emulated hardware, or recorded seconds plus the
measured overhead.

Both arms are timed over the same requests, those that both answered: failing on the long ones is not being fast. A
recorded answer may have no seconds, where its model did not have the machine to itself. Such a question is left out as
a whole, with its repeats and on both sides: a sample that kept its cache hits would be the fast part. Where an arm's
recordings hold no seconds at all, only that arm is not measured. What a system does not report is another matter: where
one answer has no latency, that arm's latency is not measured.

Percentiles, their intervals and what sample they need: `quantiles.py`. Deltas of two arms: `paired_delta.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.latency import breakdown
from benchmarks.latency.floor import floor
from benchmarks.latency.paired_delta import delta
from benchmarks.latency.quantiles import Estimate, of_series, quantile
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


def measure(arms: Mapping[Arm, Sequence[Row]], null_s: Sequence[float] = ()) -> dict[str, Any]:
    """Seconds, over `timed` of the answered requests. None where not measured, or where the sample is too small.

    `null_s` are the seconds that a target which does nothing took in the same run: the floor. `difference` is direct -
    legacy over the requests that both have times for.
    """
    answered = {arm: {row.asked.number for row in arms[arm] if row.error is None} for arm in ARMS}
    both = answered["legacy"] & answered["direct"]
    rows = {arm: [row for row in arms[arm] if row.asked.number in both] for arm in ARMS}
    untimed = {arm: _untimed(rows[arm]) for arm in ARMS}
    # an arm whose every call lacks seconds would leave out all of the other's
    timed = {arm: not untimed[arm] or any(row.calls and row.latency_s is not None for row in rows[arm]) for arm in ARMS}
    left_out = {item for arm in ARMS if timed[arm] for item in untimed[arm]}
    samples = {arm: [row for row in rows[arm] if timed[arm] and row.asked.item.id not in left_out] for arm in ARMS}
    seconds = {arm: _seconds([row.latency_s for row in samples[arm]]) for arm in ARMS}
    return {
        **{
            arm: {
                "answered": len(answered[arm]),
                "timed": len(seconds[arm]),
                **_quantiles(seconds[arm]),
                "since_scheduled": _since_scheduled(samples[arm]),
            }
            for arm in ARMS
        },
        "difference": _difference(seconds),
        "overhead": {
            **{arm: _p50([row.overhead_s for row in rows[arm] if row.overhead_s is not None]) for arm in ARMS},
            "breakdown": {arm: _breakdown(samples[arm] if seconds[arm] else ()) for arm in ARMS},
        },
        "floor": floor(null_s, 0.5),
        "floor_p99": floor(null_s, 0.99),
    }


def _untimed(rows: Sequence[Row]) -> set[str]:
    """Questions whose recordings lack seconds."""
    return {
        row.asked.item.id
        for row in rows
        if row.latency_s is None and any(call.timing == "unknown" for call in row.calls)
    }


def _seconds(values: Sequence[float | None]) -> list[float]:
    """All of them in the order of the requests, or none where one is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _quantiles(seconds: Sequence[float]) -> dict[str, Any]:
    """Percentiles that as many independent answers would support; an interval only where these, which wait for one
    another, still do."""
    found = {name: of_series(seconds, q) for name, q in QUANTILES.items()}
    values = {name: quantile(seconds, q) for name, q in QUANTILES.items()}
    return {
        "mean": sum(seconds) / len(seconds) if seconds else None,
        **{name: each.value if each else None for name, each in values.items()},
        "intervals": {name: [each.low, each.high] if each else None for name, each in found.items()},
    }


def _since_scheduled(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The same counted from when each request was due; None where they went one after another."""
    seconds = _seconds([row.since_scheduled_s for row in rows])
    return _quantiles(seconds) if seconds else None


def _difference(seconds: Mapping[Arm, Sequence[float]]) -> dict[str, Any] | None:
    if not seconds["legacy"] or len(seconds["legacy"]) != len(seconds["direct"]):
        return None
    found = {name: delta(seconds["legacy"], seconds["direct"], q) for name, q in QUANTILES.items()}
    return {
        name: {"of_differences": _document(each.of_differences), "of_quantiles": _document(each.of_quantiles)}
        for name, each in found.items()
    }


def _document(estimate: Estimate | None) -> dict[str, float] | None:
    return {"estimate": estimate.value, "low": estimate.low, "high": estimate.high} if estimate else None


def _p50(values: Sequence[float]) -> float | None:
    found = of_series(values, 0.5)
    return found.value if found else None


def _breakdown(rows: Sequence[Row]) -> dict[str, Any] | None:
    found = breakdown.mean(rows)
    if found is None:
        return None
    return {"mean": found.seconds, "parts": dict(found.parts_s), "after_answer": dict(found.after_answer_s)}

"""What an answer costs in tokens at list prices, and the direct model's price at which both pipelines cost the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import CALLS, Row
from benchmarks.scenario import ARMS, Arm
from shared.pricing import break_even_usd


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """US dollars, None where a price is unknown; shares and counts per request."""
    total = {arm: _total(arms[arm]) for arm in ARMS}
    return {
        **{arm: _one(arms[arm], total[arm]) for arm in ARMS},
        "break_even_direct_usd_per_mtok": break_even_usd(
            total["legacy"], [call.usage for row in arms["direct"] for call in row.calls]
        ),
    }


def _total(rows: Sequence[Row]) -> float | None:
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    return sum(costs) if len(costs) == len(rows) else None


def _one(rows: Sequence[Row], total: float | None) -> dict[str, Any]:
    calls = [step for row in rows for step in row.steps if step.kind in CALLS]
    tokens = [
        (step.completion.usage.input_tokens, step.completion.usage.output_tokens) for step in calls if step.completion
    ]
    known = all(None not in pair for pair in tokens)
    return {
        "usd_per_answer": None if total is None else total / len(rows),
        "calls_per_answer": len(calls) / len(rows),
        "input_tokens": sum(pair[0] or 0 for pair in tokens) if known else None,
        "output_tokens": sum(pair[1] or 0 for pair in tokens) if known else None,
        "hit_rate": sum(row.hit for row in rows) / len(rows),
        "small_share": sum(_by_small(row) for row in rows) / len(rows),
    }


def _by_small(row: Row) -> bool:
    return any(step.kind == "small" and step.outcome == "ok" for step in row.steps)

"""What an answer costs in tokens at list prices, how many calls it takes, and how often none is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.rows import CALLS, Row
from benchmarks.scenario import ARMS, Arm
from benchmarks.targets.target import REPORTED
from shared.contract import Usage


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """US dollars and calls per answer: those of failed requests count, without adding an answer. Shares per request.

    None where a price is unknown, steps are not told, or, for the calls, only who answered is told. They rest on
    `costed` and `told` requests: a failed one that does not tell its cost, steps or tokens is left out, and where an
    answered one does not, there is no figure.
    """
    return {arm: _one(arms[arm]) for arm in ARMS}


def _telling(rows: Sequence[Row], tells: Callable[[Row], bool]) -> list[Row]:
    """The rows that tell, where only failed ones do not; else none, since those that do would not stand for all."""
    silent = [row for row in rows if not tells(row)]
    return [] if any(row.error is None for row in silent) else [row for row in rows if tells(row)]


def _costed(row: Row) -> bool:
    return row.cost_usd is not None


def _total(rows: Sequence[Row]) -> float | None:
    return sum(row.cost_usd or 0.0 for row in rows) if rows else None


def _one(rows: Sequence[Row]) -> dict[str, Any]:
    costed, told = _telling(rows, _costed), _telling(rows, lambda row: row.steps is not None)
    total = _total(costed)
    steps = [step for row in told for step in row.steps or ()]
    every_call = not any(step.detail == REPORTED for step in steps)
    counted = _telling(rows, lambda row: all(None not in _tokens(usage) for usage in row.usages))
    tokens = [_tokens(usage) for row in counted for usage in row.usages]
    return {
        "costed": len(costed),
        "told": len(told),
        "usd_per_answer": _per_answer(total, costed),
        "calls_per_answer": _per_answer(sum(step.kind in CALLS for step in steps) if every_call else None, told),
        "input_tokens": sum(pair[0] or 0 for pair in tokens) if counted else None,
        "output_tokens": sum(pair[1] or 0 for pair in tokens) if counted else None,
        "hit_rate": sum(row.hit for row in told) / len(told) if told else None,
        "small_share": sum(_by_small(row) for row in told) / len(told) if told else None,
    }


def _per_answer(total: float | None, rows: Sequence[Row]) -> float | None:
    answers = sum(row.error is None for row in rows)
    return total / answers if total is not None and answers else None


def _tokens(usage: Usage) -> tuple[int | None, int | None]:
    return usage.input_tokens, usage.output_tokens


def _by_small(row: Row) -> bool:
    return any(step.kind == "small" and step.outcome == "ok" for step in row.steps or ())

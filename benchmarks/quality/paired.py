"""How good each pipeline's answers are, and which questions only one of them gets right.

Two figures, never mixed: over *requests* (this traffic, popular questions count as often as they are asked) and over
*questions* (each once). Intervals and tests are not here yet, so nothing here is a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """Mean scores in [0, 1]; counts of questions, where right means a score of 1. A failed answer scores 0."""
    per_item = {arm: _per_item(arms[arm]) for arm in ARMS}
    tasks = sorted({row.asked.item.task for row in arms["legacy"]})
    return {
        "questions": len(per_item["legacy"]),
        "requests": len(arms["legacy"]),
        "per_question": {arm: _mean(list(per_item[arm].values())) for arm in ARMS},
        "per_request": {arm: _mean([row.score.value for row in arms[arm]]) for arm in ARMS},
        "right": _paired(per_item),
        "tasks": {
            task: {
                "questions": len(_of_task(arms["legacy"], task)),
                **{arm: _mean(list(_of_task(arms[arm], task).values())) for arm in ARMS},
            }
            for task in tasks
        },
        "failed": {arm: sum(row.error is not None for row in arms[arm]) for arm in ARMS},
    }


def _per_item(rows: Sequence[Row]) -> dict[str, float]:
    """The mean score of each question over the times it was asked."""
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row.asked.item.id, []).append(row.score.value)
    return {item: _mean(values) for item, values in scores.items()}


def _of_task(rows: Sequence[Row], task: str) -> dict[str, float]:
    return _per_item([row for row in rows if row.asked.item.task == task])


def _paired(per_item: Mapping[Arm, Mapping[str, float]]) -> dict[str, int]:
    pairs = [(score >= 1, per_item["direct"][item] >= 1) for item, score in per_item["legacy"].items()]
    names = {
        "both": (True, True),
        "legacy_only": (True, False),
        "direct_only": (False, True),
        "neither": (False, False),
    }
    return {name: pairs.count(pair) for name, pair in names.items()}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

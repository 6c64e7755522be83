"""How good each pipeline's answers are, and which questions only one of them gets right.

Two figures, never mixed: over *requests* (this traffic, popular questions count as often as they are asked) and over
*questions* (each once). Intervals and tests are not here yet, so nothing here is a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm


def measure(arms: Mapping[Arm, Sequence[Row]]) -> dict[str, Any]:
    """Mean scores in [0, 1]; counts of questions, where right means a score of 1. A failed answer scores 0.

    A question counts as scored where both answers to it have a score; a mean over none is None. So is the mean of an
    arm that lacks the text of any answer: what is left of it would be its failures and a part. `higher` counts the
    questions by whose score is higher where some score lies between 0 and 1; else it is None, for `right` says it all.
    """
    kept = {arm: [] if any(row.text_missing for row in arms[arm]) else arms[arm] for arm in ARMS}
    scored = {arm: _scored(kept[arm]) for arm in ARMS}
    both = scored["legacy"] & scored["direct"] if all(kept.values()) else scored["legacy"] | scored["direct"]
    rows = {arm: [row for row in kept[arm] if row.asked.number in both] for arm in ARMS}
    per_item = {arm: _per_item(rows[arm]) for arm in ARMS}
    paired = _paired(per_item) if all(per_item.values()) else None
    tasks = sorted({row.asked.item.task for row in arms["legacy"]})
    return {
        "questions": len({row.asked.item.id for row in arms["legacy"]}),
        "requests": len(arms["legacy"]),
        "scored": len(per_item["legacy"]) if paired else 0,
        "per_question": {arm: _mean(list(per_item[arm].values())) for arm in ARMS},
        "per_request": {arm: _mean([row.score.value for row in rows[arm] if row.score]) for arm in ARMS},
        "right": paired,
        "higher": _higher(per_item)
        if paired and any(0 < row.score.value < 1 for arm in ARMS for row in rows[arm] if row.score)
        else None,
        "tasks": {
            task: {
                "questions": len({row.asked.item.id for row in arms["legacy"] if row.asked.item.task == task}),
                **{arm: _mean(list(_of_task(rows[arm], task).values())) for arm in ARMS},
            }
            for task in tasks
        },
        "failed": {arm: sum(row.error is not None for row in arms[arm]) for arm in ARMS},
    }


def _scored(rows: Sequence[Row]) -> set[int]:
    return {row.asked.number for row in rows if row.score is not None}


def _per_item(rows: Sequence[Row]) -> dict[str, float]:
    """The mean score of each question over the times it was asked."""
    scores: dict[str, list[float]] = {}
    for row in rows:
        if row.score is not None:
            scores.setdefault(row.asked.item.id, []).append(row.score.value)
    return {item: sum(values) / len(values) for item, values in scores.items()}


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


def _higher(per_item: Mapping[Arm, Mapping[str, float]]) -> dict[str, int]:
    counts = {"legacy": 0, "direct": 0, "equal": 0}
    for item, legacy in per_item["legacy"].items():
        direct = per_item["direct"][item]
        alike = math.isclose(legacy, direct, abs_tol=1e-9)
        counts["equal" if alike else "legacy" if legacy > direct else "direct"] += 1
    return counts


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

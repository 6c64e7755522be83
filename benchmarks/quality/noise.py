"""How far apart two runs of one and the same system lie: a difference between two systems inside it means nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from benchmarks.rows import Row
from benchmarks.scenario import Arm


def measure(runs: Mapping[Arm, Sequence[Sequence[Row]]]) -> dict[str, Any] | None:
    """The noise floor: the larger one of the two arms'. None where neither was asked the same requests twice.

    An arm's is the largest difference between the mean scores of any two of its runs, each question counted once, over
    the requests answered and scored in all of them; `flipped` is the share of those requests whose score was not the
    same in all, `failed` counts the requests that failed in at least one run.
    """
    arms: dict[str, Any] = {arm: _of(each) for arm, each in runs.items()}
    floors = [found["difference"] for found in arms.values() if found]
    return arms | {"floor": max(floors)} if floors else None


def _of(runs: Sequence[Sequence[Row]]) -> dict[str, Any] | None:
    scores = [{row.asked.number: row.score.value for row in rows if row.score and not row.error} for rows in runs]
    if len(scores) < 2 or not (common := set.intersection(*(set(each) for each in scores))):
        return None
    items: dict[str, list[int]] = {}
    for row in runs[0]:
        if row.asked.number in common:
            items.setdefault(row.asked.item.id, []).append(row.asked.number)
    means = [sum(sum(each[n] for n in asked) / len(asked) for asked in items.values()) / len(items) for each in scores]
    return {
        "runs": len(runs),
        "requests": len(common),
        "failed": len({row.asked.number for rows in runs for row in rows if row.error}),
        "difference": max(abs(one - other) for one, other in combinations(means, 2)),
        "flipped": sum(len({each[number] for each in scores}) > 1 for number in common) / len(common),
    }

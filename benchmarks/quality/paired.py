"""How good each pipeline's answers are, whether the difference is real, and on which tasks.

Two questions, never mixed. *This traffic*: these questions, as often as they were asked; all requests of one question
are kept together, since an answer drawn once is served to its repeats. *Questions like these*: future questions of the
same kind, each counted once, with paraphrases of one question kept together; more requests do not narrow it, and the
verdict rests on it. Beside it stands the same with each question weighing as much as it was asked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.quality import interval
from benchmarks.quality.decision import Decision, decide
from benchmarks.quality.holm import holm
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm

ALPHA: Final = 0.025
"""One-sided, as each end of a 95 % interval is."""


def measure(
    arms: Mapping[Arm, Sequence[Row]], *, margin: float = 0.02, noise: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Mean scores in [0, 1]; counts of questions, where right means a score of 1. A failed answer scores 0.

    A question counts as scored where both answers to it have a score; a mean over none is None. So is the mean of an
    arm that lacks the text of any answer: what is left of it would be its failures and a part. `higher` counts the
    questions by whose score is higher where some score lies between 0 and 1; else it is None, for `right` says it all.
    `noise` is what `noise.measure` found, None where no system was asked twice.
    """
    kept = {arm: [] if any(row.text_missing for row in arms[arm]) else arms[arm] for arm in ARMS}
    scored = {arm: {row.asked.number for row in kept[arm] if row.score is not None} for arm in ARMS}
    both = scored["legacy"] & scored["direct"] if all(kept.values()) else scored["legacy"] | scored["direct"]
    rows = {arm: [row for row in kept[arm] if row.asked.number in both] for arm in ARMS}
    items = {arm: _per_item(rows[arm]) for arm in ARMS}
    paired = all(items.values())
    floor = noise["floor"] if noise else None
    tasks = {row.asked.item.id: row.asked.item.task for row in arms["legacy"]}
    return {
        "questions": len(tasks),
        "requests": len(arms["legacy"]),
        "scored": len(items["legacy"]) if paired else 0,
        "margin": margin,
        **{arm: {"score": _mean([row.score.value for row in rows[arm] if row.score])} for arm in ARMS},
        "difference": _this_traffic(rows),
        "questions_like_these": {
            **_of(items, margin, floor),
            "traffic_weighted": _traffic_weighted(rows["legacy"], items) if paired else _nothing(),
        },
        **_by_task(items, tasks, margin, floor),
        "noise_floor": noise,
        "right": _paired(items) if paired else None,
        "higher": _higher(items)
        if paired and any(0 < each < 1 for arm in ARMS for each, _ in items[arm].values())
        else None,
        "failed": {arm: sum(row.error is not None for row in arms[arm]) for arm in ARMS},
    }


Items = Mapping[str, tuple[float, str]]
"""Each question's mean score over the times it was asked, and its group."""


def _per_item(rows: Sequence[Row]) -> dict[str, tuple[float, str]]:
    scores: dict[str, list[float]] = {}
    groups: dict[str, str] = {}
    for row in rows:
        if row.score is not None:
            scores.setdefault(row.asked.item.id, []).append(row.score.value)
            groups[row.asked.item.id] = row.asked.item.group
    return {item: (sum(values) / len(values), groups[item]) for item, values in scores.items()}


def _decide(items: Mapping[Arm, Items], margin: float, floor: float | None) -> Decision:
    both = items["legacy"] if items["direct"] else {}
    return decide(
        [score for score, _ in both.values()],
        [items["direct"][item][0] for item in both],
        [group for _, group in both.values()],
        margin=margin,
        noise=floor,
    )


def _of(items: Mapping[Arm, Items], margin: float, floor: float | None) -> dict[str, Any]:
    means: dict[str, Any] = {arm: {"score": _mean([score for score, _ in items[arm].values()])} for arm in ARMS}
    return means | {"difference": _decide(items, margin, floor).document()}


def _this_traffic(rows: Mapping[Arm, Sequence[Row]]) -> dict[str, float | None]:
    """Questions are independent, their requests are not: one draw of a model may have answered them all."""
    direct = {row.asked.number: row.score.value for row in rows["direct"] if row.score}
    both = [
        (row.asked.item.id, row.score.value, direct[row.asked.number]) for row in rows["legacy"] if row.score and direct
    ]
    return _estimate([after - before for _, before, after in both], [item for item, _, _ in both])


def _traffic_weighted(legacy: Sequence[Row], items: Mapping[Arm, Items]) -> dict[str, float | None]:
    asked = [row.asked.item.id for row in legacy]
    both = list(items["legacy"])
    values = [items["direct"][item][0] - items["legacy"][item][0] for item in both]
    counts = dict.fromkeys(both, 0)
    for item in asked:
        counts[item] += 1
    return _estimate(values, [items["legacy"][item][1] for item in both], [float(counts[item]) for item in both])


def _estimate(
    values: Sequence[float], groups: Sequence[Any], weights: Sequence[float] | None = None
) -> dict[str, float | None]:
    if not values:
        return _nothing()
    estimate = interval.clustered(values, groups, weights)[0]
    if len(set(groups)) < 2:
        return {"estimate": estimate, "low": None, "high": None}
    low, high = interval.difference(values, groups, weights)
    return {"estimate": estimate, "low": low, "high": high}


def _nothing() -> dict[str, float | None]:
    return {"estimate": None, "low": None, "high": None}


def _by_task(
    items: Mapping[Arm, Items], tasks: Mapping[str, str], margin: float, floor: float | None
) -> dict[str, Any]:
    """Each task alone. Worse somewhere needs Holm's correction; not worse on every task must hold for each anyway."""
    found: dict[str, dict[str, Any]] = {}
    for task in sorted(set(tasks.values())):
        mine = {arm: {item: each for item, each in items[arm].items() if tasks[item] == task} for arm in ARMS}
        count = sum(each == task for each in tasks.values())
        found[task] = {"questions": count, **_of(mine, margin, floor)}
    tested = [each["difference"] for each in found.values() if each["difference"]["p_worse"] is not None]
    adjusted = holm([each["p_worse"] for each in tested])
    for each in found.values():
        each["difference"]["p_worse_holm"] = None
    for difference, p in zip(tested, adjusted, strict=True):
        difference["p_worse_holm"] = p
    words = [each["difference"] for each in found.values()]
    return {
        "by_task": found,
        "tasks_tested": len(tested),
        "worse_somewhere": None
        if not tested
        else [
            task
            for task, each in found.items()
            if each["difference"] in tested
            and each["difference"]["p_worse_holm"] <= ALPHA
            and each["difference"]["word"] != "inconclusive"  # within the noise floor
        ],
        "not_worse_on_every_task": all(each["not_worse"] for each in words) if tested else None,
    }


def _paired(items: Mapping[Arm, Items]) -> dict[str, int]:
    pairs = [(score >= 1, items["direct"][item][0] >= 1) for item, (score, _) in items["legacy"].items()]
    names = {
        "both": (True, True),
        "legacy_only": (True, False),
        "direct_only": (False, True),
        "neither": (False, False),
    }
    return {name: pairs.count(pair) for name, pair in names.items()}


def _higher(items: Mapping[Arm, Items]) -> dict[str, int]:
    counts = {"legacy": 0, "direct": 0, "equal": 0}
    for item, (legacy, _) in items["legacy"].items():
        direct = items["direct"][item][0]
        alike = math.isclose(legacy, direct, abs_tol=1e-9)
        counts["equal" if alike else "legacy" if legacy > direct else "direct"] += 1
    return counts


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

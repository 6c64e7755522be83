"""From answers to figures: quality, its causes, staleness and drift of the inputs, by epoch and by event.

Means are over requests: this traffic, as it was asked. `play` in `drift.py` makes the answers; `drift_table.py` shows
the figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from benchmarks.quality import detector, interval, population
from benchmarks.quality.timeline import Event, Plan
from benchmarks.workloads.workload import Item
from legacy_pipeline.train import calibration_error

PRESETS: Final = ("careful", "typical")
ARMS: Final = (*PRESETS, "direct")
DIGITS: Final = 9

Kind = Literal["same", "older_policy", "former_model", "other_question"]
KINDS: Final[tuple[Kind, ...]] = ("same", "older_policy", "former_model", "other_question")
"""What a hit gave: an answer that would be given now as well; one under a policy that has passed; one by a model that
no longer answers; one to a question that differs in more than the policy's version. The middle two are stale."""
STALE: Final = frozenset({"older_policy", "former_model"})


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer out of the cache; `age_s` counts from when a model gave it, whatever renewed it since."""

    kind: Kind
    age_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """One request answered by all arms. Scores in [0, 1]; the maps go by preset, `scores` by arm.

    `no_cache` is the score without the cache, `large` that of the large model alone. `stages` says what answered:
    cache, small, large or nothing. `gains` is the large model's advantage as predicted by the classifier in force,
    None without one, `yardstick` the same by that of the first epoch, `true_gain` as it is; `length` counts characters.
    """

    number: int
    epoch: int
    item: Item
    length: int
    scores: Mapping[str, float]
    no_cache: Mapping[str, float]
    large: float
    hits: Mapping[str, Hit | None]
    stages: Mapping[str, str]
    gains: Mapping[str, float | None]
    yardstick: float | None
    true_gain: float


def document(
    plan: Plan, served: Sequence[Served], drops: Mapping[str, Sequence[int] | None], notes: Sequence[str]
) -> dict[str, Any]:
    """Everything `drift.json` holds. `drops` are the requests at which each arm's detector fired, None without one."""
    timeline = plan.timeline
    by_epoch = {epoch: [each for each in served if each.epoch == epoch] for epoch in range(1, timeline.epochs + 1)}
    reference = [each for each in served if each.epoch <= timeline.reference_epochs]
    rounded: dict[str, Any] = _rounded(
        {
            "schema": "crossover-drift/1",
            "timeline": timeline.model_dump(mode="json"),
            "workload": {"name": plan.workload.name, "version": plan.workload.version},
            "requests": len(served),
            "overall": _means(served) | {"discipline": _paired(served, "careful", "typical")},
            "questions": len({each.item.id for each in served}),
            "epochs": [
                {"epoch": epoch, "events": [described(event) for event in timeline.at(epoch)]}
                | _means(rows)
                | {
                    "difference": {preset: _paired(rows, "direct", preset) for preset in PRESETS},
                    "calibration_error": {preset: _calibration(rows, preset) for preset in PRESETS},
                    "inputs": None if epoch <= timeline.reference_epochs else _inputs(reference, rows),
                }
                for epoch, rows in by_epoch.items()
            ],
            "events": _turns(plan, served, drops),
            "false_alarms": {arm: _false_alarms(plan, drops[arm]) for arm in ARMS},
            "detector": {"name": "ADWIN", "delta": detector.DELTA, "simulated": asdict(detector.SIMULATED)},
            "notes": list(notes),
            "standing": {
                "": "recorded",
                "/timeline": "assumed",
                "/detector/simulated": "emulated",
                "/false_alarms": "unknown" if None in drops.values() else "recorded",
            },
        }
    )
    return rounded


def described(event: Event) -> str:
    """An event in a few words."""
    match event.kind:
        case "mix":
            return "the traffic's mix changes"
        case "topic":
            return f"a new topic: {event.task}"
        case "upgrade":
            return f"the small model is upgraded to {event.small}"
        case "retire":
            return f"{event.answers} silently answers in the {event.role} model's name"
        case "firmware":
            return f"the direct model is replaced by {event.direct}"
        case "policy":
            return "newer policies take force"
        case "idle":
            return f"nobody asks for {event.hours:g} hours"


def _means(rows: Sequence[Served]) -> dict[str, Any]:
    """Quality, its causes, hits and model calls over some requests."""
    return {
        "quality": {arm: _mean([each.scores[arm] for each in rows]) for arm in ARMS},
        "attribution": {preset: attribution(rows, preset) for preset in PRESETS},
        "hits": {preset: _hits(rows, preset) for preset in PRESETS},
        "answered_by": {
            preset: {
                stage: _mean([each.stages[preset] == stage for each in rows]) for stage in ("cache", "small", "large")
            }
            for preset in PRESETS
        },
    }


def attribution(rows: Sequence[Served], preset: str) -> dict[str, float]:
    """direct - legacy = cache + routing + backend, request by request and so in the mean.

    cache: without the cache less with it; routing: always large less that; backend: direct less always large.
    """
    return {
        "cache": _mean([each.no_cache[preset] - each.scores[preset] for each in rows]),
        "routing": _mean([each.large - each.no_cache[preset] for each in rows]),
        "backend": _mean([each.scores["direct"] - each.large for each in rows]),
    }


def _hits(rows: Sequence[Served], preset: str) -> dict[str, Any]:
    """Shares of hits by kind, hours since a model gave the answers, and the score each kind cost, over all requests."""
    found = [(each, hit) for each in rows if (hit := each.hits[preset])]
    kinds, ages = Counter(hit.kind for _, hit in found), [hit.age_s / 3600 for _, hit in found]
    return {
        "count": len(found),
        "share": {kind: kinds[kind] / len(found) if found else None for kind in KINDS},
        "stale": sum(hit.kind in STALE for _, hit in found) / len(found) if found else None,
        "mean_age_hours": _mean(ages) if found else None,
        "greatest_age_hours": max(ages, default=None),
        "lost": {
            kind: sum(each.no_cache[preset] - each.scores[preset] for each, hit in found if hit.kind == kind)
            / len(rows)
            for kind in KINDS
        },
    }


def _paired(rows: Sequence[Served], arm: str, other: str) -> dict[str, float]:
    """The mean score of `arm` less that of `other` on the same requests, with its 95 % interval."""
    values = [each.scores[arm] - each.scores[other] for each in rows]
    low, high = interval.difference(values, [each.item.group for each in rows])
    return {"estimate": _mean(values), "low": low, "high": high}


def _calibration(rows: Sequence[Served], preset: str) -> float | None:
    """Of the gain predicted by the classifier in force, each question once; None without a classifier."""
    once = {each.item.id: each for each in rows}.values()
    gains = [each.gains[preset] for each in once]
    predicted = [gain for gain in gains if gain is not None]
    return calibration_error(predicted, [each.true_gain for each in once]) if len(predicted) == len(gains) else None


def _inputs(reference: Sequence[Served], rows: Sequence[Served]) -> dict[str, Any]:
    """How far the questions are from those of the reference epochs; the classifier of the first epoch measures both."""
    windows = [list({each.item.group: each for each in reversed(window)}.values()) for window in (reference, rows)]
    gains = [[each.yardstick for each in window if each.yardstick is not None] for window in windows]
    return {
        "predicted_gain": population.compare(*gains),
        "prompt_length": population.compare(*[[float(each.length) for each in window] for window in windows]),
    }


def _turns(plan: Plan, served: Sequence[Served], drops: Mapping[str, Sequence[int] | None]) -> list[dict[str, Any]]:
    """What each event changed, from the event before it to the next one; events of one epoch cannot be told apart."""
    timeline = plan.timeline
    starts = [1, *sorted({event.epoch for event in timeline.events}), timeline.epochs + 1]
    turns = []
    for previous, start, following in zip(starts, starts[1:], starts[2:], strict=False):
        before = [each for each in served if previous <= each.epoch < start]
        after = [each for each in served if start <= each.epoch < following]
        turns.append(
            {
                "epoch": start,
                "until": following - 1,
                "requests": len(after),
                "events": [described(event) for event in timeline.at(start)],
                "change": {arm: change(before, after, arm) for arm in ARMS},
                "seen_by_detector": {arm: _mean(_fed(after, arm)) - _mean(_fed(before, arm)) for arm in ARMS},
                "discipline": _paired(after, "careful", "typical"),
                "hits": {preset: _hits(after, preset) for preset in PRESETS},
                "calibration_error": {
                    preset: {"before": _calibration(before, preset), "after": _calibration(after, preset)}
                    for preset in PRESETS
                },
                "inputs": _inputs([each for each in served if each.epoch <= timeline.reference_epochs], after),
                "noticed_after_requests": {
                    arm: None if (numbers := drops[arm]) is None else next(
                        (number - after[0].number + 1 for number in numbers
                         if after[0].number <= number <= after[-1].number), None,
                    )
                    for arm in ARMS
                },
            }
        )  # fmt: skip
    return turns


def _fed(rows: Sequence[Served], arm: str) -> list[float]:
    """What a detector is fed: the first score of each paraphrase group in each epoch."""
    return list({(each.epoch, each.item.group): each.scores[arm] for each in reversed(rows)}.values())


def _false_alarms(plan: Plan, numbers: Sequence[int] | None) -> int | None:
    """Drops noticed before anything had happened; None where nobody watched."""
    first = min((event.epoch for event in plan.timeline.events), default=plan.timeline.epochs + 1)
    return None if numbers is None else sum(number < (first - 1) * plan.timeline.requests for number in numbers)


def change(before: Sequence[Served], after: Sequence[Served], arm: str) -> dict[str, float]:
    """The mean score after less before, with a 95 % interval clustered by paraphrase group.

    Linearised difference of two means whose groups overlap (Cochran, Sampling Techniques, 1977, section 6): a question
    asked on both sides cancels out but for what changed. Two pseudo-groups, one that gets better and one that gets
    worse, keep the interval wide where few answers changed, as in `interval.difference`.
    """
    sides = [[(each.item.group, each.scores[arm]) for each in rows] for rows in (before, after)]
    padded = [[*side, ("pseudo 1", float(last)), ("pseudo 2", float(1 - last))] for last, side in enumerate(sides)]
    sums, sizes = dict[str, float](), Counter[str]()
    for sign, side in zip((-1, 1), padded, strict=True):
        mean = _mean([score for _, score in side])
        for group, score in side:
            sums[group] = sums.get(group, 0.0) + sign * (score - mean) / len(side)
            sizes[group] += 1
    estimate = _mean([score for _, score in sides[1]]) - _mean([score for _, score in sides[0]])
    effective = sum(sizes.values()) ** 2 / sum(size * size for size in sizes.values())
    groups = len(sums)
    error = math.sqrt(groups / (groups - 1) * sum(each * each for each in sums.values()))
    from scipy.stats import t

    half = float(t.ppf((1 + interval.CONFIDENCE) / 2, max(effective - 1, 1))) * error
    return {"estimate": estimate, "low": max(-1.0, estimate - half), "high": min(1.0, estimate + half)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rounded(value: Any) -> Any:
    """The same with every figure to nine digits, so that no platform's last bit shows."""
    if isinstance(value, float):
        return round(value, DIGITS) + 0.0
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value

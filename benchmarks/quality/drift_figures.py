"""From answers to figures: quality, its causes, staleness and drift of the inputs, by epoch and by event.

Means are over requests: this traffic, as it was asked. Intervals are for questions like these, weighted as asked.
`play` in `drift.py` makes the answers; `drift_table.py` shows the figures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from benchmarks.quality import detector, interval, max_t
from benchmarks.quality.population import Monitor
from benchmarks.quality.timeline import Event, Mixture, Plan, Policy, Timeline
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
    None without one; `true_gain` is as it is.
    """

    number: int
    epoch: int
    item: Item
    scores: Mapping[str, float]
    no_cache: Mapping[str, float]
    large: float
    hits: Mapping[str, Hit | None]
    stages: Mapping[str, str]
    gains: Mapping[str, float | None]
    true_gain: float


def document(
    plan: Plan,
    served: Sequence[Served],
    monitored: Mapping[str, Sequence[float] | None],
    drops: Mapping[str, Sequence[int] | None],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Everything `drift.json` holds.

    `monitored` are the figures that an input monitor sees of each question, None for those it cannot see. `drops` are
    the requests, from 0, at which each arm's detector fired, None without one.
    """
    timeline = plan.timeline
    inputs = Inputs(plan, served, monitored)
    turns = _turns(plan, served, inputs)
    alarms = credit(turns, drops, timeline.requests)
    by_epoch = {epoch: [each for each in served if each.epoch == epoch] for epoch in range(1, timeline.epochs + 1)}
    rounded: dict[str, Any] = _rounded(
        {
            "schema": "crossover-drift/1",
            "timeline": timeline.model_dump(mode="json"),
            "workload": {"name": plan.workload.name, "version": plan.workload.version},
            "requests": len(served),
            "overall": _means(served)
            | {
                "discipline": _paired(served, "careful", "typical"),
                "difference": {preset: _paired(served, "direct", preset) for preset in PRESETS},
            },
            "questions": len({each.item.id for each in served}),
            "epochs": [
                {"epoch": epoch, "events": _described(timeline, epoch)}
                | _means(rows)
                | {
                    "difference": {preset: _paired(rows, "direct", preset) for preset in PRESETS},
                    "calibration_error": {preset: _calibration(rows, preset) for preset in PRESETS},
                    "inputs": None if epoch <= timeline.reference_epochs else inputs.of(rows),
                }
                for epoch, rows in by_epoch.items()
            ],
            "events": turns,
            "alarms": alarms,
            "detector": {"name": "ADWIN", "delta": detector.DELTA, "simulated": asdict(detector.SIMULATED)},
            "notes": list(notes),
            "standing": {
                "": "emulated",
                "/timeline": "assumed",
                "/alarms": "unknown" if alarms is None else "emulated",
            },
        }
    )
    return rounded


def _described(timeline: Timeline, epoch: int) -> list[str]:
    """The events of an epoch in a few words each."""
    happened = [event for event in timeline.ordered() if event.epoch < epoch]
    words = []
    for event in timeline.at(epoch):
        words.append(_words(event, timeline, happened))
        happened.append(event)
    return words


def _words(event: Event, timeline: Timeline, happened: Sequence[Event]) -> str:
    match event.kind:
        case "mix":
            return "the traffic's mix changes"
        case "topic":
            return f"a new topic: {event.task}"
        case "upgrade":
            return f"the small model is upgraded to {event.small}"
        case "retire":
            if event.answers == timeline.named(event.role, happened):
                return f"{event.answers} answers again under its own name"
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
    return {cause: _mean(values) for cause, values in _parts(rows, preset).items()}


def _parts(rows: Sequence[Served], preset: str) -> dict[str, list[float]]:
    return {
        "cache": [each.no_cache[preset] - each.scores[preset] for each in rows],
        "routing": [each.large - each.no_cache[preset] for each in rows],
        "backend": [each.scores["direct"] - each.large for each in rows],
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


class Inputs:
    """How far the questions are from those of the reference epochs; the classifier of the first epoch measures both."""

    def __init__(self, plan: Plan, served: Sequence[Served], monitored: Mapping[str, Sequence[float] | None]) -> None:
        timeline = plan.timeline
        self._place = {item.id: place for place, item in enumerate(plan.items)}
        reference, weights = self._window(served[: timeline.reference_epochs * timeline.requests]), plan.weights(1)
        self._monitors = {
            name: values and Monitor(values, weights, reference, seed=timeline.seed)
            for name, values in monitored.items()
        }

    def of(self, rows: Sequence[Served]) -> dict[str, dict[str, float] | None]:
        """By what is monitored; None where it is not."""
        window = self._window(rows)
        return {name: monitor.compare(window) if monitor else None for name, monitor in self._monitors.items()}

    def _window(self, rows: Sequence[Served]) -> list[int]:
        return [self._place[each.item.id] for each in rows]


def _turns(plan: Plan, served: Sequence[Served], inputs: Inputs) -> list[dict[str, Any]]:
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
                "events": _described(timeline, start),
                "change": {arm: change(before, after, arm) for arm in ARMS},
                "seen_by_detector": {arm: _mean(_fed(after, arm)) - _mean(_fed(before, arm)) for arm in ARMS},
                "discipline": _paired(after, "careful", "typical"),
                "causes": _causes(after),
                "newer": {scope: _newer(plan, scope, start, after)
                          for scope in {event.scope: 0 for event in timeline.at(start) if isinstance(event, Policy)}},
                "hits": {preset: _hits(after, preset) for preset in PRESETS},
                "calibration_error": {
                    preset: {"before": _calibration(before, preset), "after": _calibration(after, preset)}
                    for preset in PRESETS
                },
                "inputs": inputs.of(after),
            }
        )  # fmt: skip
    return turns


def _causes(rows: Sequence[Served]) -> dict[str, dict[str, float]]:
    """What `attribution` tells apart, with intervals that hold jointly; both presets have the same backend part."""
    parts = {f"{preset}_{cause}": _parts(rows, preset)[cause] for preset in PRESETS for cause in ("cache", "routing")}
    parts["backend"] = _parts(rows, PRESETS[0])["backend"]
    joint = max_t.intervals(parts, [each.item.group for each in rows])
    return {name: {"estimate": _mean(parts[name]), "low": low, "high": high} for name, (low, high) in joint.items()}


def _newer(plan: Plan, scope: str, epoch: int, rows: Sequence[Served]) -> dict[str, Any]:
    """Which questions a change of policy concerns: how many, their share of requests, their tasks' weights."""
    happened = plan.timeline.ordered()
    before = [event for event in happened if event.epoch < epoch]
    items = plan.newer(scope, before, [event for event in happened if event.epoch <= epoch])
    weights, concerned = Mixture.at(plan, epoch).tasks, {item.id for item in items}
    return {
        "questions": len(items),
        "share": _mean([each.item.id in concerned for each in rows]),
        "weights": {task: weights.get(task, 1.0) for task in sorted({item.task for item in items})},
    }


def credit(
    turns: Sequence[dict[str, Any]], drops: Mapping[str, Sequence[int] | None], requests: int
) -> list[dict[str, Any]] | None:
    """Every alarm with the event it is taken for: the last one before it at which that arm's drop can be told.

    Adds to each turn after how many requests each arm's drop was noticed, however late; None where it was not, or
    where no drop can be told. The list is None where nobody watched.
    """
    alarms: list[dict[str, Any]] = []
    for turn in turns:
        turn["noticed_after_requests"] = dict.fromkeys(ARMS)
    for arm in ARMS:
        numbers = drops[arm]
        if numbers is None:
            return None
        told = [each for each in turns if each["change"][arm]["high"] < 0]
        for number in numbers:
            earlier = [each for each in told if (each["epoch"] - 1) * requests <= number]
            credited = earlier[-1] if earlier else None
            alarms.append({"arm": arm, "request": number + 1, "event_epoch": credited and credited["epoch"]})
            if credited and credited["noticed_after_requests"][arm] is None:
                credited["noticed_after_requests"][arm] = number + 1 - (credited["epoch"] - 1) * requests
    return sorted(alarms, key=lambda alarm: alarm["request"])


def _fed(rows: Sequence[Served], arm: str) -> list[float]:
    """What a detector is fed: the first score of each paraphrase group in each epoch."""
    return list({(each.epoch, each.item.group): each.scores[arm] for each in reversed(rows)}.values())


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

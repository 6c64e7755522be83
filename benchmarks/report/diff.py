"""What changed from one run to another, and whether it is more than noise. Two kept runs in, figures and words out.

Each arm is compared with itself: its quality question by question, on the questions that both runs asked alike; its
latency quantile by quantile; its cost draw by draw, with one seed for both, so that what both rest on falls out. A run
that asked another mix of requests has other latencies and costs for that alone: these are then not compared.

Words. better, worse: the 95 % interval of after - before lies on one side of 0. noise: it holds 0, or the difference is
no larger than the noise floor of either run. same: nothing differs at all. more, fewer: counts, which are exact. no
interval: too few, or not independent enough. not known: one run does not have it. not compared: `why` says what stands
in the way. Next: `diff_gates.py` (the exit code), `diff_text.py` (the tables).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from benchmarks import upkeep
from benchmarks.quality.decision import Decision, decide
from benchmarks.report import kept_cost, terminal
from benchmarks.report.html.run import Run
from benchmarks.scenario import ARMS, Arm
from shared.errors import BadInput

SCHEMA: Final = "crossover-diff/1"
Word = Literal["better", "worse", "noise", "same", "more", "fewer", "no interval", "not known", "not compared"]
Unit = Literal["score", "s", "usd", "count"]
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
LEVEL: Final = 0.975
"""Of each quantile's own interval, so that the difference's holds at 95 % however the two depend on each other."""
MIX: Final = ("workload", "repeat_share", "zipf", "limit")
ARRIVALS: Final = ("arrivals", "rate", "ramp_to", "burstiness")
COUNTS: Final = ("lines", "functions", "settings")
SEED: Final = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of one arm in both runs, in SI units; after - before with its interval; None is not known."""

    name: str
    arm: Arm
    unit: Unit
    before: float | None
    after: float | None
    estimate: float | None
    low: float | None
    high: float | None
    word: Word
    why: str
    standing: str

    @classmethod
    def without(cls, name: str, arm: Arm, unit: Unit, word: Word, why: str, standing: str) -> Change:
        """One with no figures at all."""
        return cls(name, arm, unit, None, None, None, None, None, word, why, standing)

    def document(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Difference:
    """All that `compare` finds. `decision` is the one on direct's quality, for the gate; None where there is none."""

    changes: Sequence[Change]
    decision: Decision | None
    verdict: Mapping[str, Any]
    modes: Mapping[Arm, Mapping[str, Sequence[str]]]
    setting: Sequence[str]
    questions: int
    asked: tuple[int, int]


def compare(before: Run, after: Run) -> Difference:
    """After less before, all of it. Raises `BadInput` where the runs have no question in common."""
    both = _questions(before) & _questions(after)
    if not both:
        raise BadInput(
            f"{before.directory / 'requests.jsonl'} and {after.directory / 'requests.jsonl'} have no question in "
            "common; compare two runs of one workload"
        )
    items = {item for item, _ in both}
    found = {arm: _quality(arm, before, after, items) for arm in ARMS}
    changes = [change for change, _ in found.values()]
    mix = _apart(before, after, MIX)
    late = mix or _apart(before, after, ARRIVALS)
    for arm in ARMS:
        changes += _latencies(arm, before, after, late)
    changes += _costs(before, after, mix)
    for arm in ARMS:
        changes += _counts(arm, before, after, mix)
    return Difference(
        changes,
        found["direct"][1],
        _verdict(before.report["verdict"], after.report["verdict"]),
        {arm: _modes(arm, before.report, after.report) for arm in ARMS},
        _setting(before.report["provenance"], after.report["provenance"]),
        len(items),
        (len(_questions(before)), len(_questions(after))),
    )


def _questions(run: Run) -> set[tuple[str, str]]:
    """Each question's id, and all that was asked under it."""
    keys = ("task", "history", "question", "reference")
    return {(row["item"], repr([row[key] for key in keys])) for row in run.rows}


def _apart(before: Run, after: Run, names: Sequence[str]) -> str:
    """In which of these the traffic of the two is not the same, "" where it is."""
    one, other = (run.report["provenance"]["scenario"]["traffic"] for run in (before, after))
    for name in names:
        if one.get(name) != other.get(name):
            return f"other traffic: {name} is {one.get(name)}, then {other.get(name)}"
    versions = [run.report["provenance"]["workload"]["version"] for run in (before, after)]
    if versions[0] != versions[1]:
        return f"other questions: version {versions[0]} of the workload, then {versions[1]}"
    asked = [len({row["request"] for row in run.rows}) for run in (before, after)]
    return "" if asked[0] == asked[1] else f"other traffic: {asked[0]} requests, then {asked[1]}"


def _standing(pointer: str, before: Run, after: Run) -> str:
    words = [terminal.nearest(run.report["standing"], pointer) for run in (before, after)]
    return words[0] if words[0] == words[1] else ", then ".join(words)


def word_of(
    estimate: float | None, low: float | None, high: float | None, *, less_is_better: bool, floor: float | None = None
) -> Word:
    """The word of a difference that has an interval; an end that is None is no end."""
    if estimate is None:
        return "not known"
    if floor and abs(estimate) <= floor:
        return "noise"
    if low is None and high is None:
        return "no interval"
    above, below = (low is not None and low > 0), (high is not None and high < 0)
    if not (above or below):
        return "noise"
    return "better" if below == less_is_better else "worse"


def _quality(arm: Arm, before: Run, after: Run, items: set[str]) -> tuple[Change, Decision | None]:
    """Each question counts once, with its mean score over the times it was asked; paraphrases go together."""
    standing = _standing(f"/quality/questions_like_these/{arm}", before, after)
    scorers = [run.report["provenance"]["scenario"]["quality"]["scorer"] for run in (before, after)]
    if scorers[0] != scorers[1]:
        why = f"other scorer: {scorers[0]}, then {scorers[1]}"
        return Change.without("quality", arm, "score", "not compared", why, standing), None
    if any(run.report["quality"][arm]["score"] is None for run in (before, after)):
        return Change.without("quality", arm, "score", "not known", "not judged in one of the runs", standing), None
    one, other = (_scores(run, arm, items) for run in (before, after))
    common = [item for item in one if item in other]
    groups = {row["item"]: row["group"] for row in after.rows}
    scores = [one[item] for item in common], [other[item] for item in common]
    margin = after.report["quality"]["margin"]
    floor = _floor(arm, before, after)
    decision = decide(*scores, [groups[item] for item in common], margin=margin, noise=floor)
    word = word_of(decision.estimate, decision.low, decision.high, less_is_better=False, floor=floor)
    if common and scores[0] == scores[1]:
        word = "same"
    means = _mean(scores[0]), _mean(scores[1])
    noise = "no noise floor was measured" if floor is None else f"noise floor {100 * floor:.1f} points"
    why = f"{len(common)} questions; {noise}"
    interval = decision.estimate, decision.low, decision.high
    return Change("quality", arm, "score", *means, *interval, word, why, standing), decision


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _scores(run: Run, arm: Arm, items: set[str]) -> dict[str, float]:
    scores: dict[str, list[float]] = {}
    for row in run.rows:
        if row["arm"] == arm and row["item"] in items and row["score"] is not None:
            scores.setdefault(row["item"], []).append(row["score"])
    return {item: sum(each) / len(each) for item, each in scores.items()}


def _floor(arm: Arm, before: Run, after: Run) -> float | None:
    """The larger of the two runs' noise floors of this arm."""
    noises = [run.report["quality"]["noise_floor"] for run in (before, after)]
    floors = [noise[arm]["difference"] for noise in noises if noise and noise[arm]]
    return max(floors) if floors else None


def _latencies(arm: Arm, before: Run, after: Run, apart: str) -> list[Change]:
    from benchmarks.latency.quantiles import of_series, quantile

    standing = _standing(f"/latency/{arm}", before, after)
    seconds = [_seconds(run, arm) for run in (before, after)]
    why = apart or (f"seconds were {standing}" if ", then " in standing else "")
    changes = []
    for name, q in QUANTILES.items():
        one, other = (quantile(each, q) for each in seconds)
        values = one.value if one else None, other.value if other else None
        ends = [of_series(each, q, LEVEL) for each in seconds]
        estimate = low = high = None
        if not why and one and other:
            estimate = other.value - one.value
            if ends[0] and ends[1]:
                low, high = ends[1].low - ends[0].high, ends[1].high - ends[0].low
        floors = [run.report["latency"]["floor" if name == "p50" else "floor_p99"] for run in (before, after)]
        floor = max((each for each in floors if each is not None), default=None)
        word: Word = "not compared" if why else word_of(estimate, low, high, less_is_better=True, floor=floor)
        if estimate is not None and seconds[0] == seconds[1]:
            word = "same"
        reason = "too few answers of known time" if word in ("not known", "no interval") else why
        changes.append(Change(name, arm, "s", *values, estimate, low, high, word, reason, standing))
    return changes


def _seconds(run: Run, arm: Arm) -> list[float]:
    """Of requests that both arms answered, but for questions of which one time is not known, as the report has it."""
    if run.report["latency"][arm]["mean"] is None:
        return []
    failed = {row["request"] for row in run.rows if row["error"] is not None}
    timed = [each for each in ARMS if run.report["latency"][each]["mean"] is not None]
    answered = [row for row in run.rows if row["request"] not in failed and row["arm"] in timed]
    dark = {row["item"] for row in answered if row["latency_s"] is None}
    return [row["latency_s"] for row in answered if row["arm"] == arm and row["item"] not in dark]


def _costs(before: Run, after: Run, apart: str) -> list[Change]:
    """A decision of each run as it was priced; assumptions that both make are drawn alike."""
    from benchmarks.cost.per_decision import spending
    from benchmarks.cost.uncertain import Draws, ends

    spent, groups, draws = [], [], Draws(SEED)
    for run in (before, after):
        settings = upkeep.with_hours(kept_cost.settings_of(run.report), run.report["maintenance"].get("drills"))
        rates = kept_cost.rates_of(run.report, settings)
        ledger = kept_cost.ledger_of(run.rows, rates, settings)
        spent.append(spending(ledger, ledger.totals(draws), rates, settings, draws))
        groups.append(len({group for _, group in ledger.clusters}))
    changes = []
    for arm in ARMS:
        one, other = (each[arm].per_decision for each in spent)
        values = _known(one), _known(other)
        estimate = low = high = None
        if not apart and one is not None and other is not None and None not in values:
            drawn = _apart_by(one, other)
            estimate = float(drawn[0])
            low, high = ends(drawn) if min(groups) > 1 else (None, None)
        word: Word = "not compared" if apart else word_of(estimate, low, high, less_is_better=True)
        if estimate == low == high == 0:
            word = "same"
        why = apart or "; ".join(sorted({each[arm].unknown for each in spent if each[arm].unknown}))
        standing = _standing(f"/cost/{arm}/per_decision_usd", before, after)
        changes.append(Change("cost of a decision", arm, "usd", *values, estimate, low, high, word, why, standing))
    return changes


def _apart_by(one: Any, other: Any) -> Any:
    """The draws of other - one, but for those in which neither run gave an answer that is acceptable."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        drawn = other - one
    return drawn[~np.isnan(drawn)]


def _known(drawn: Any) -> float | None:
    return float(drawn[0]) if drawn is not None and math.isfinite(drawn[0]) else None


def _counts(arm: Arm, before: Run, after: Run, apart: str) -> list[Change]:
    """What there is to maintain, what can go wrong, and what was not answered."""
    found: list[list[tuple[str, float | None, str, str]]] = []
    for run in (before, after):
        part, where = run.report["maintenance"][arm], f"/maintenance/{arm}"
        modes = part.get("failure_modes")
        sizes = [(name, part[name] if name != "settings" else _length(part[name]), where, "") for name in COUNTS]
        third = part["third_party"]["ways"]["pipeline"]["count"] if part.get("third_party") else None
        found.append(
            [
                *sizes,
                ("distributions", third, where, ""),
                ("failure modes", sum(modes.values()) if modes else None, f"{where}/failure_modes", ""),
                ("not answered", run.report["quality"]["failed"][arm], f"/quality/failed/{arm}", apart),
            ]
        )
    return [
        _count(name, arm, one, other, why, _standing(pointer, before, after))
        for (name, one, pointer, why), (_, other, _, _) in zip(*found, strict=True)
    ]


def _length(names: Sequence[str] | None) -> int | None:
    return None if names is None else len(names)


def _count(name: str, arm: Arm, one: float | None, other: float | None, apart: str, standing: str) -> Change:
    if one is None or other is None or apart:
        word: Word = "not compared" if apart else "not known"
        return Change(name, arm, "count", one, other, None, None, None, word, apart, standing)
    by = other - one
    word = "same" if by == 0 else "more" if by > 0 else "fewer"
    return Change(name, arm, "count", one, other, by, by, by, word, "", standing)


def _verdict(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """`overall` and, of `by_task`, only what is not the same: the word before and the word after."""
    tasks = sorted({*before["by_task"], *after["by_task"]})
    pairs = {task: [before["by_task"].get(task), after["by_task"].get(task)] for task in tasks}
    return {
        "overall": [before["overall"], after["overall"]],
        "by_task": {task: pair for task, pair in pairs.items() if pair[0] != pair[1]},
        "reasons": list(after["reasons"]),
    }


def _modes(arm: Arm, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Failure modes that are new, and those that are gone, where both runs have a fault matrix."""
    if not before["faults"] or not after["faults"]:
        return {"new": [], "gone": []}
    one, other = (set(report["faults"]["modes"][arm]) for report in (before, after))
    return {"new": sorted(other - one), "gone": sorted(one - other)}


def _setting(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What was set otherwise, or answered by another version, one sentence each: `name: before, then after`."""
    lines = []
    for part in ("scenario", "models", "prices"):
        one, other = (dict(_leaves(each[part])) for each in (before, after))
        lines += [
            f"{part} {name}: {one.get(name, 'not set')}, then {other.get(name, 'not set')}"
            for name in sorted({*one, *other})
            if one.get(name) != other.get(name)
        ]
    return lines


def _leaves(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, Mapping) or (name and not value):
        return [(name, value)]
    return [leaf for key, each in value.items() for leaf in _leaves(each, f"{name}.{key}" if name else str(key))]

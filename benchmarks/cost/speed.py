"""How many times faster than now direct's model must be for direct's p99 to be no higher than legacy's.

Where requests arrived on their own and direct's hardware is known, its queue is run anew at each pace (`queue.py`).
Elsewhere a direct answer takes rest + model / s seconds at s times the pace of now, its model's seconds being all that
its calls took: a live model's waiting is in them, and shrinks faster than the pace grows, so that a value above 1 is
then too high and one below 1 too low.

The p99 of each arm has an interval by its order statistics, after Woodruff, JASA 47 (1952): the ranks that the interval
of the share below p99 points to, clustered by group of questions. At 97.5 % each, both hold together in at least 95 %;
the ends of the break-even put direct's upper end against legacy's lower one, and the other way round. Where figures of
direct's hardware are assumed within a range, its upper end has them all at their slow ends and its lower end at their
fast ones. An end that no pace reaches is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np

from benchmarks.cost.break_even import BreakEven, State, unknown
from benchmarks.cost.queue import Queue
from benchmarks.cost.uncertain import Array
from benchmarks.rows import CALLS, Row
from benchmarks.scenario import ARMS, Arm
from shared.hardware.catalogue import Hardware
from shared.hardware.pace import NEEDED, pace

Q: Final = 0.99
LEAST: Final = 662
"""Answers that a p99 needs, by the rule of MLPerf LoadGen's early stopping (loadgen/early_stopping.cc)."""
LEVEL: Final = 0.975
SLOWEST, FASTEST, NOW = 1e-4, 1e6, 1.0
UNIT: Final = "times direct's pace now"
ENDS: Final = ("low", "high")
MORE_IS_FASTER: Final = ("tok_s", "capacity")
MATCH: Final = 0.03
"""How far from the p99 that was there the queue's may lie at the pace of now."""


class _Paced(Protocol):
    """Seconds of each answer at `speed` times the pace of now; and its group of questions."""

    @property
    def groups(self) -> Array: ...

    def at(self, speed: float) -> Array: ...


@dataclass(frozen=True, slots=True)
class _Sample:
    """Seconds of each answer: what does not change with the pace, and what does; and its group of questions."""

    rest_s: Array
    model_s: Array
    groups: Array

    def at(self, speed: float) -> Array:
        return self.rest_s + self.model_s / speed

    def shifted(self, seconds: Array) -> _Sample:
        """The same with a model that takes so many seconds more."""
        return replace(self, model_s=np.maximum(self.model_s + seconds, 0.0))


def speed(arms: Mapping[Arm, Sequence[Row]], hardware: Hardware | None = None) -> BreakEven:
    """The break-even for p99, over the questions whose seconds are known of all their requests in both arms.

    `hardware` is direct's, where its seconds were emulated.
    """
    answered = [{row.asked.number for row in arms[arm] if row.error is None} for arm in ARMS]
    both = answered[0] & answered[1]
    rows = {arm: [row for row in arms[arm] if row.asked.number in both] for arm in ARMS}
    if any(row.steps is None for row in rows["direct"]):
        return unknown(UNIT, "direct does not tell which of its seconds are its model's")
    dark = {row.asked.item.id for arm in ARMS for row in rows[arm] if row.latency_s is None}
    dark |= {row.asked.item.id for row in rows["direct"] if _model_s(row) is None}
    rows = {arm: [row for row in rows[arm] if row.asked.item.id not in dark] for arm in ARMS}
    if len(rows["legacy"]) < LEAST:
        return unknown(
            UNIT, f"a p99 needs {LEAST} answers of known time from both arms; there are {len(rows['legacy'])}"
        )
    codes: dict[str, int] = {}
    groups = {arm: np.array([codes.setdefault(row.asked.item.group, len(codes)) for row in rows[arm]]) for arm in ARMS}
    latency_s = {arm: np.array([row.latency_s for row in rows[arm]], dtype=float) for arm in ARMS}
    legacy = _Sample(latency_s["legacy"], np.zeros_like(latency_s["legacy"]), groups["legacy"])
    if hardware and _timed(hardware) and all(row.scheduled_s is not None for row in arms["direct"]):
        return _queued(legacy, arms["direct"], rows["direct"], groups["direct"], hardware)
    model_s = np.array([_model_s(row) for row in rows["direct"]], dtype=float)
    direct = _Sample(np.maximum(latency_s["direct"] - model_s, 0.0), model_s, groups["direct"])
    fast, slow = (direct.shifted(_shift_s(rows["direct"], hardware, end)) for end in ENDS)
    return _solve(legacy, direct, fast, slow)


def _queued(legacy: _Sample, asked: Sequence[Row], rows: Sequence[Row], groups: Array, hardware: Hardware) -> BreakEven:
    """The same with the queue run anew: all that direct was `asked` is in it, and the p99 is that of `rows`."""
    if failed := sum(row.error is not None for row in asked):
        return unknown(
            UNIT,
            f"{failed} requests to direct failed, and at another pace others would; crossover sweep runs them anew",
        )
    wanted = [row.asked.number for row in rows]
    direct, fast, slow = (
        Queue(asked, wanted, pace(each), groups) for each in (hardware, *(_at_end(hardware, end) for end in ENDS))
    )
    was_s = _quantile(np.array([row.latency_s for row in rows], dtype=float), Q)
    found_s = _quantile(direct.at(1.0), Q)
    if abs(found_s - was_s) > MATCH * was_s:
        return unknown(
            UNIT,
            f"the queue at direct's hardware cannot be run anew: at the pace of now its p99 is {found_s:.4g} s, "
            f"and it was {was_s:.4g} s; crossover sweep runs the requests themselves",
        )
    return _solve(legacy, direct, fast, slow)


def _timed(hardware: Hardware) -> bool:
    return None not in [hardware.value(name) for name in NEEDED]


def _at_end(hardware: Hardware, end: str) -> Hardware:
    """The same with all its assumed figures of time and number at one end of their ranges: low is the fast one."""
    ends = {
        name: replace(figure, value=figure.high if (end == "high") != (name in MORE_IS_FASTER) else figure.low)
        for name, figure in hardware.figures.items()
        if name in (*NEEDED, "capacity") and figure.low is not None and figure.high is not None
    }
    return hardware.with_assumed(ends)


def _shift_s(rows: Sequence[Row], hardware: Hardware | None, end: str) -> Array:
    """Seconds that each request would take more on the hardware with its assumed figures at one end of their ranges."""
    shift = np.zeros(len(rows))
    if hardware is None or not _timed(hardware):
        return shift
    now, then = pace(hardware), pace(_at_end(hardware, end))
    for number, row in enumerate(rows):
        for call in row.calls:
            if call.usage.input_tokens is not None and call.usage.output_tokens is not None:
                counts = call.usage.input_tokens, call.usage.output_tokens
                shift[number] += then.seconds(*counts) - now.seconds(*counts)
    return shift


def _solve(legacy: _Paced, direct: _Paced, fast: _Paced, slow: _Paced) -> BreakEven:
    goal = legacy.at(1.0)
    goal_s = _quantile(goal, Q)
    value = _least_speed(direct, Q, goal_s)
    if not SLOWEST < value < math.inf:
        state: State = "never" if value == math.inf else "already past"
        why = "direct's p99 without its model is above legacy's" if value == math.inf else "at any pace"
        return BreakEven(state, UNIT, now=NOW, reason=why)
    goal_low, goal_high = (_quantile(goal, share) for share in _shares(goal, legacy.groups))
    share_low, share_high = _shares(direct.at(value), direct.groups)
    low = _least_speed(fast, share_low, goal_high)
    high = _least_speed(slow, share_high, goal_low)
    state = "already past" if value <= NOW else "at"
    elsewhere = {end: _quantile(each.at(NOW), Q) <= goal_s for end, each in (("fast", fast), ("slow", slow))}
    why = ""
    if state == "already past" and not elsewhere["slow"]:
        why = "not past with the assumed figures of direct's hardware at their slow ends"
    elif state == "at" and elsewhere["fast"]:
        why = "already past with the assumed figures of direct's hardware at their fast ends"
    bounded = high if math.isfinite(high) and share_high < 1 else None
    return BreakEven(state, UNIT, value, low if math.isfinite(low) else None, bounded, "above", NOW, reason=why)


def _least_speed(direct: _Paced, share: float, goal_s: float) -> float:
    """The least speed at which this quantile of direct is at most `goal_s`, by bisection; infinite where there is none.

    Exact to a billionth: a quantile falls as the speed grows.
    """
    slow, fast = math.log(SLOWEST), math.log(FASTEST)
    if _quantile(direct.at(FASTEST), share) > goal_s:
        return math.inf
    if _quantile(direct.at(SLOWEST), share) <= goal_s:
        return SLOWEST
    while fast - slow > 1e-9:
        middle = (slow + fast) / 2
        if _quantile(direct.at(math.exp(middle)), share) <= goal_s:
            fast = middle
        else:
            slow = middle
    return math.exp(fast)


def _quantile(seconds: Array, share: float) -> float:
    """Nearest rank; infinite for a share of 1, of which the sample says nothing."""
    rank = math.ceil(share * len(seconds) - 1e-9) - 1
    return math.inf if share >= 1 else float(np.partition(seconds, rank)[rank])


def _shares(seconds: Array, groups: Array) -> tuple[float, float]:
    """The shares between which the share of answers below the p99 lies, at `LEVEL`."""
    from scipy.stats import t

    below = (seconds <= _quantile(seconds, Q)) - Q
    sums = np.bincount(groups, weights=below)
    weights = np.bincount(groups).astype(float)
    freedom = max(float(weights.sum() ** 2 / (weights * weights).sum()) - 1, 1.0)
    error = math.sqrt(len(sums) / max(len(sums) - 1, 1) * float(sums @ sums)) / len(seconds)
    half = float(t.ppf((1 + LEVEL) / 2, freedom)) * error
    return max(Q - half, 1 / len(seconds)), min(Q + half, 1.0)


def _model_s(row: Row) -> float | None:
    """The seconds of its calls, or None where those of one are not known."""
    calls = [step.completion for step in row.steps or () if step.kind in CALLS]
    seconds = [call.seconds if call else None for call in calls]
    return None if None in seconds else sum(each or 0.0 for each in seconds)

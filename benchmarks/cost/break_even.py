"""Where the answer changes: the price, hit rate, volume and engineering rate at which direct becomes the cheaper.

Each is the root of what a decision costs by legacy less what it costs by direct, which is a straight line in the
quantity once multiplied by what stands under the fractions. For each arm: A acceptable answers of n requests, R dollars
a decision, C dollars that come with the requests, M dollars a month or h hours a month of work, V requests a month.

    price             R_legacy A_direct - (all but tokens)_direct - tokens_direct p = 0
    hit rate          (1 - s) miss + s hit + M / V = 0, each the mean of C - R_direct A over misses or hits
    volume            V (C/A_legacy - C/A_direct) + n M/A_legacy - n M/A_direct = 0
    engineering rate  C/A_legacy - C/A_direct + w (n h/A_legacy - n h/A_direct) / V = 0

Intervals are those of the roots over all draws (`uncertain.py`). The speed, for p99, is in `speed.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from benchmarks.cost.ledger import Ledger
from benchmarks.cost.per_decision import MONTHLY, Spending, engineering_hours, storage_a_month, wrong_usd
from benchmarks.cost.uncertain import TAIL, Array, Draws, Totals, ends, ratio, zeros
from benchmarks.cost_settings import CostSettings
from benchmarks.scenario import ARMS, Arm

State = Literal["at", "already past", "never", "unknown input"]
"""`at`: direct becomes better at the value. `already past`: it is better now. `never`: at no value it could have."""
UNKNOWN_COST: Final = "what {} costs a decision is not known ({})"
NOTHING: Final = "{} gave no acceptable answer"
Spent: TypeAlias = Mapping[Arm, Spending]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """One answer. `value` is None where direct is better, or worse, at every value, or where an input is not known.

    `wins` says on which side of the value direct is better; `now` is the present value, None where it is not known.
    `certainty` is the share of the draws in which the state is the same.
    """

    state: State
    unit: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    wins: Literal["below", "above"] | None = None
    now: float | None = None
    certainty: float | None = None
    reason: str = ""

    def document(self) -> dict[str, Any]:
        return asdict(self)


def crossing(
    at_zero: Array, slope: Array, unit: str, *, least: float = 0.0, most: float = math.inf, now: float | None = None
) -> BreakEven:
    """Where `at_zero + slope x` changes its sign for x within `least` and `most`; direct is better where it is above 0.

    Beyond the interval's ends nothing is told: a root outside of what is possible counts as that end, and an end at
    infinity is None. Where more than 5 % of the draws have direct better on the other side, there is no interval.
    """
    inside = 1.0 if math.isinf(most) else (least + most) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.where(slope == 0, math.inf, -at_zero / slope)
        there = (slope != 0) & (roots > least) & (roots < most)
        better = np.where(there & (now is not None), at_zero + slope * (now or 0.0), at_zero + slope * inside) > 0
    states = np.where(there, (now is not None) & better, np.where(better, 1, 2))  # 0 at, 1 already past, 2 never
    state: State = ("at", "already past", "never")[int(states[0])]
    certainty = float(np.mean(states[1:] == states[0]))
    if not there[0]:
        why = f"direct is {'better' if better[0] else 'worse'} at every value"
        return BreakEven(state, unit, now=now, certainty=certainty, reason=why)
    low, high = ends(np.clip(np.where(np.isnan(roots), math.inf, roots), least, most))
    reason = ""
    if float(np.mean(np.sign(slope[1:]) != np.sign(slope[0]))) > 2 * TAIL:
        low, high, reason = None, None, "on which side direct is better is not certain, so there is no interval"
    if low == high:
        low = high = None
    value, wins = float(roots[0]), "above" if slope[0] > 0 else "below"
    return BreakEven(state, unit, value, low, high, wins, now, certainty, reason)  # type: ignore[arg-type]


def unknown(unit: str, reason: str) -> BreakEven:
    """No answer, for an input is not known."""
    return BreakEven("unknown input", unit, reason=reason)


def price(spent: Spent, ledger: Ledger) -> BreakEven:
    """US dollars per million tokens of direct, in and out alike, below which it is the cheaper."""
    unit = "US dollars per million tokens"
    legacy, direct = spent["legacy"], spent["direct"]
    budget = legacy.per_decision
    if budget is None:
        return unknown(unit, UNKNOWN_COST.format("legacy", legacy.unknown))
    if legacy.acceptable[0] <= 0:
        return unknown(unit, NOTHING.format("legacy"))
    if direct.unshared:
        return unknown(unit, UNKNOWN_COST.format("direct", direct.unshared))
    if not ledger.tokens_told["direct"] or direct.tokens[0] <= 0:
        return unknown(unit, "how many tokens direct took is not known")
    other = direct.sum_of("wrong_answers", *MONTHLY)
    now = None
    if not direct.unpriced:
        now = float(direct.sum_of("tokens", "rejected", "power")[0] / direct.tokens[0] * 1e6)
    with np.errstate(
        invalid="ignore"
    ):  # a draw in which legacy gave nothing that is acceptable, and neither did direct
        worth = np.where(direct.acceptable > 0, budget * direct.acceptable, 0.0)
    return crossing(worth - other, -direct.tokens / 1e6, unit, now=now)


def hit_rate(spent: Spent, ledger: Ledger, totals: Totals, settings: CostSettings, draws: Draws) -> BreakEven:
    """The share of hits below which direct is the cheaper, where a hit and a miss go on costing what they do."""
    unit = "share of requests"
    if missing := _missing(spent, monthly=True):
        return unknown(unit, missing)
    if not ledger.steps_told["legacy"]:
        return unknown(unit, "legacy does not tell which of its answers are hits")
    legacy, goal = spent["legacy"], spent["direct"].per_decision
    names = ("hits", "acceptable hits", "reported hits")
    hits, good_hits, hits_usd = (totals.get(("legacy", name), zeros()) for name in names)
    misses = legacy.requests - hits
    if hits[0] <= 0 or misses[0] <= 0:
        return unknown(unit, f"there were no {'hits' if hits[0] <= 0 else 'misses'}, so what one costs is not known")
    hits_usd = hits_usd + wrong_usd(totals, "legacy", "wrong hits", settings, draws)
    with np.errstate(divide="ignore", invalid="ignore"):
        miss = (legacy.running - hits_usd - goal * (legacy.acceptable - good_hits)) / misses
        hit = (hits_usd - goal * good_hits) / hits
        at_zero, slope = miss + legacy.monthly / legacy.requests, hit - miss
    return crossing(at_zero, slope, unit, most=1.0, now=float(hits[0] / legacy.requests[0]))


def volume(spent: Spent, ledger: Ledger, settings: CostSettings, draws: Draws) -> BreakEven:
    """Requests a month on one side of which direct is the cheaper: work and storage come each month, not with each."""
    unit, hours = "requests a month", engineering_hours(settings, draws)
    if isinstance(hours, str):
        return unknown(unit, hours)
    if missing := _missing(spent):
        return unknown(unit, missing)
    if settings.engineering_usd_per_hour is None:
        return unknown(unit, "engineering_usd_per_hour is not known")
    rate = draws.of("engineering_usd_per_hour", settings.engineering_usd_per_hour)
    month = {arm: hours[arm] * rate for arm in ARMS}
    stored = storage_a_month("legacy", ledger, settings, draws)
    month["legacy"] = month["legacy"] + (zeros() if isinstance(stored, str) else stored)
    fixed = _difference(spent, {arm: month[arm] * spent[arm].requests for arm in ARMS})
    running = _difference(spent, {arm: spent[arm].running for arm in ARMS})
    given = settings.requests_per_month
    now = None if given is None else float(draws.of("requests_per_month", given)[0])
    return crossing(fixed, running, unit, now=now)


def engineering_rate(spent: Spent, settings: CostSettings, draws: Draws) -> BreakEven:
    """US dollars an hour of engineering on one side of which direct is the cheaper."""
    unit, hours = "US dollars an hour", engineering_hours(settings, draws)
    if isinstance(hours, str):
        return unknown(unit, hours)
    if missing := _missing(spent):
        return unknown(unit, missing)
    if settings.requests_per_month is None:
        return unknown(unit, "requests_per_month is not known")
    requests = draws.of("requests_per_month", settings.requests_per_month)
    rest = _difference(spent, {arm: spent[arm].running + spent[arm].sum_of("cache_storage") for arm in ARMS})
    slope = _difference(spent, {arm: hours[arm] * spent[arm].requests / requests for arm in ARMS})
    given = settings.engineering_usd_per_hour
    now = None if given is None else float(draws.of("engineering_usd_per_hour", given)[0])
    return crossing(rest, slope, unit, now=now)


def quality(difference: Mapping[str, Any] | None, margin: float) -> BreakEven:
    """The difference in mean score, direct - legacy, from which direct counts as not worse.

    `difference` has `estimate`, `low` and `high`. Not worse is said where `low` lies above minus the margin, so from

        gap = (estimate - low) - margin

    on, at this size of sample. With ever more questions estimate - low goes to 0 and the gap to minus the margin: these
    are the two ends of the interval.
    """
    unit = "mean score, direct - legacy"
    if difference is None or difference["estimate"] is None or difference["low"] is None:
        return unknown(unit, "the difference in quality has no interval")
    now, low = difference["estimate"], difference["low"]
    gap = now - low - margin
    state: State = "already past" if low > -margin else "at"
    return BreakEven(state, unit, gap, min(-margin, gap), max(-margin, gap), "above", now)


def _difference(spent: Spent, usd: Mapping[Arm, Array]) -> Array:
    """Legacy less direct, each over its acceptable answers."""
    with np.errstate(divide="ignore", invalid="ignore"):
        each = {arm: ratio(usd[arm], spent[arm].acceptable) for arm in ARMS}
        return each["legacy"] - each["direct"]


def _missing(spent: Spent, *, monthly: bool = False) -> str:
    """What is not known of what comes with each request and, with `monthly`, each month."""
    for arm in ARMS:
        if why := spent[arm].unknown if monthly else spent[arm].unpriced:
            return UNKNOWN_COST.format(arm, why)
        if spent[arm].acceptable[0] <= 0:
            return NOTHING.format(arm)
    return ""

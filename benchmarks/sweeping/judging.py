"""What a point of the map says: the same measures and the same written rule as a comparison (`benchmarks/verdict.py`).

Quality, p99 and what was used are counted once for each pair of playings; prices and the other assumptions, which
change nobody's answers, are put in afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import verdict
from benchmarks.cost import ledger, per_decision
from benchmarks.cost.rates import Rate, rate_of
from benchmarks.cost.uncertain import Array, Draws, Totals, figure
from benchmarks.latency import percentiles
from benchmarks.quality import paired
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.sweeping.playing import Settings, builtin, scaled
from benchmarks.targets.builtin import price_of
from benchmarks.verdict import Difference, Evidence
from shared.hardware.catalogue import Hardware

WINNERS: Final = {"lower": "direct", "higher": "legacy", "alike": "undecided", "unknown": "unknown"}
VERDICTS: Final = {"migrate": "direct", "keep": "legacy", "undecided": "undecided"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms at one point, without what things cost. `p99_s` is None where the sample is too small."""

    quality: Mapping[str, Any]
    p99: Difference
    p99_s: Mapping[Arm, float | None]
    counted: ledger.Ledger
    totals: Totals
    draws: Draws


def pair(scenario: Scenario, arms: Mapping[Arm, Sequence[Row]]) -> Pair:
    """Count both arms' rows."""
    latency = percentiles.measure(arms)
    apart = latency["difference"] and latency["difference"]["p99"]["of_quantiles"]
    counted, draws = ledger.count(arms, {}, scenario.cost.acceptable), Draws(scenario.seed)
    return Pair(
        paired.measure(arms, margin=scenario.quality.margin)["questions_like_these"]["difference"],
        Difference.of(apart),
        {arm: latency[arm]["p99"] for arm in ARMS},
        counted,
        counted.totals(draws),
        draws,
    )


def judge(
    scenario: Scenario, hardware: Mapping[str, Hardware], x: tuple[str, float], y: tuple[str, float], both: Pair
) -> dict[str, Any]:
    """The point: its verdict and, beside it, who wins on cost and on p99 alone. US dollars and seconds.

    `scenario` holds the point's prices and assumptions, `hardware` what the scenario's own calls run on.
    """
    rates = _rates(scenario, hardware, dict([x, y]))
    spent = per_decision.spending(both.counted, both.totals, rates, scenario.cost, both.draws)
    costs = {arm: spent[arm].per_decision for arm in ARMS}
    missing = both.counted.reason or spent["legacy"].unknown or spent["direct"].unknown
    legacy, direct = costs["legacy"], costs["direct"]
    apart = figure(None if legacy is None or direct is None else direct - legacy)
    cost = Difference(apart["value"], apart["low"], apart["high"])
    why = {"why_no_cost": missing} if missing else {}
    found = verdict.decide(Evidence(both.quality, both.quality["word"] == "worse", cost, both.p99, **why))
    return {
        "x": x[1],
        "y": y[1],
        "verdict": VERDICTS[found.word],
        "reason": "; ".join(found.reasons),
        "quality": {key: both.quality[key] for key in ("word", "not_worse", "estimate", "low", "high")},
        "cost": {
            "winner": WINNERS[cost.side],
            "reason": _cost_reason(costs, missing),
            **{f"{arm}_usd": figure(costs[arm])["value"] for arm in ARMS},
            "difference_usd": {"estimate": cost.estimate, "low": cost.low, "high": cost.high},
        },
        "p99": {
            "winner": WINNERS[both.p99.side],
            "reason": _p99_reason(both.p99_s, known=both.p99.estimate is not None),
            **{f"{arm}_s": both.p99_s[arm] for arm in ARMS},
            "difference_s": {"estimate": both.p99.estimate, "low": both.p99.low, "high": both.p99.high},
        },
    }


def _rates(scenario: Scenario, hardware: Mapping[str, Hardware], at: Settings) -> dict[tuple[str, str], Rate]:
    legacy, direct = builtin(scenario)
    prices = {
        ("legacy", "small"): price_of(legacy.small, legacy.small_price, legacy.small_hardware),
        ("legacy", "large"): price_of(legacy.large, legacy.large_price, legacy.large_hardware),
        ("direct", "call"): price_of(direct.model, direct.price, direct.hardware),
    }
    faster = {"call": scaled(hardware, at["speedup"])} if "speedup" in at else {}
    rented = {**hardware, **faster}
    return {call: rate_of(price, rented[call[1]], scenario.cost) for call, price in prices.items()}


def _cost_reason(costs: Mapping[Arm, Array | None], missing: str) -> str:
    if missing:
        return f"cost per acceptable decision is not known: {missing}"
    said = [f"{arm} ${figure(costs[arm])['value']:.3g}" for arm in ARMS if figure(costs[arm])["value"] is not None]
    return f"per acceptable decision {', '.join(said)}"


def _p99_reason(seconds: Mapping[Arm, float | None], *, known: bool) -> str:
    if None in seconds.values():
        return "no p99: too few requests, or they queue so long that they count for few; see --requests"
    if not known:
        return "p99 cannot be compared: requests queue so long that they count for few; see --requests"
    return "p99 " + ", ".join(f"{arm} {(seconds[arm] or 0.0) * 1e3:.3g} ms" for arm in ARMS)

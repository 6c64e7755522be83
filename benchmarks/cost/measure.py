"""The cost part of the report: per answer, per decision, by stage, and where the answer changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from benchmarks.cost import per_answer
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm
from shared.contract import Standing
from shared.pricing import Price

if TYPE_CHECKING:
    from benchmarks.cost.ledger import Ledger, Rates
    from benchmarks.cost.per_decision import Spending
    from benchmarks.cost.uncertain import Array, Draws
    from shared.hardware.catalogue import Hardware

LIST_PRICE_OF: Final = "deepinfra-8b"
TIMES_CHEAPER: Final = 20
CLAIMED_FOR: Final = ("hc1", "hc1-demo")
CLAIM: Final = (
    f"Taalas says (2026-02): about {TIMES_CHEAPER} times cheaper to build; no price is published, so a "
    f"{TIMES_CHEAPER}th of the list price of {LIST_PRICE_OF} stands for it"
)


def measure(
    arms: Mapping[Arm, Sequence[Row]],
    *,
    prices: Mapping[Arm, Mapping[str, Price]],
    hardware: Mapping[Arm, Mapping[str, Hardware | None]],
    settings: CostSettings,
    counterfactuals: Mapping[str, Sequence[Row]] | None = None,
    quality: Mapping[str, Any] | None = None,
    margin: float = 0.02,
    seed: int = 0,
) -> dict[str, Any]:
    """The report's `cost`: US dollars and seconds, None where not known, each with the reason beside it.

    `prices` and `hardware` go by arm and kind of call; figures of hardware that are assumed are filled in already.
    `quality` is the difference in mean score of which the quality word is said, and `margin` its margin. What
    follows from the vendor's own claim stands apart, in `vendor_claim` and in each break-even's `at_vendor_claim`.
    """
    from benchmarks.cost import ledger as ledgers
    from benchmarks.cost.rates import rate_of
    from benchmarks.cost.stages import Stages
    from benchmarks.cost.uncertain import Draws

    rates: Rates = {
        (arm, kind): rate_of(prices[arm].get(kind), hardware[arm].get(kind), settings)
        for arm in ARMS
        for kind in {**prices[arm], **hardware[arm]}
    }
    ledger, draws = ledgers.count(arms, rates, settings.acceptable), Draws(seed)
    scope = _Scope(ledger, settings, draws)
    spent = scope.spending(rates)
    claimed = _claimed(rates, hardware["direct"].get("call"))
    at_claim = scope.spending(claimed) if claimed and spent["direct"].unpriced and not ledger.untold["direct"] else None
    answers = per_answer.measure(arms)
    return {
        **{arm: {**answers[arm], **_of_arm(spent[arm])} for arm in ARMS},
        "requests": ledger.requests,
        "acceptable": settings.acceptable,
        **_difference(spent),
        "by_task": {task: scope.of_task(task, rates) for task in ledger.tasks},
        "vendor_claim": _vendor_claim(claimed, at_claim),
        "stages": Stages(rates, hardware["legacy"], settings, draws).measure(arms["legacy"], counterfactuals),
        **scope.break_evens(arms, spent, at_claim, hardware["direct"].get("call"), quality, margin),
    }


@dataclass(frozen=True, slots=True)
class _Scope:
    """What all figures of one comparison share."""

    ledger: Ledger
    settings: CostSettings
    draws: Draws

    def spending(self, rates: Rates, task: str | None = None) -> dict[Arm, Spending]:
        from benchmarks.cost.per_decision import spending

        totals = self.ledger.totals(self.draws, task)
        return spending(self.ledger, totals, rates, self.settings, self.draws)

    def of_task(self, task: str, rates: Rates) -> dict[str, Any]:
        from benchmarks.cost.uncertain import figure

        spent = self.spending(rates, task)
        costs = {f"{arm}_per_decision_usd": figure(spent[arm].per_decision)["value"] for arm in ARMS}
        return {**costs, "difference_usd": _difference(spent)["difference_usd"]}

    def break_evens(
        self,
        arms: Mapping[Arm, Sequence[Row]],
        spent: Mapping[Arm, Spending],
        at_claim: Mapping[Arm, Spending] | None,
        hardware: Hardware | None,
        quality: Mapping[str, Any] | None,
        margin: float,
    ) -> dict[str, Any]:
        """`break_even` and `forecast`."""
        from benchmarks.cost import break_even, forecast
        from benchmarks.cost.speed import speed

        totals = self.ledger.totals(self.draws)

        def of(costs: Mapping[Arm, Spending]) -> dict[str, break_even.BreakEven]:
            return {
                "price": break_even.price(costs, self.ledger),
                "hit_rate": break_even.hit_rate(costs, self.ledger, totals, self.settings, self.draws),
                "volume": break_even.volume(costs, self.ledger, self.settings, self.draws),
                "engineering_rate": break_even.engineering_rate(costs, self.settings, self.draws),
            }

        found, claimed = of(spent), of(at_claim) if at_claim else {}
        expiry = forecast.expiry(found["price"], self.settings)
        expiry_claimed = forecast.expiry(claimed["price"], self.settings) if claimed else None
        both = {
            name: {**each.document(), "at_vendor_claim": claimed[name].document() if name in claimed else None}
            for name, each in found.items()
        }
        alone = {"speed": speed(arms, hardware), "quality": break_even.quality(quality, margin)}
        return {
            "break_even": {**{name: each.document() for name, each in alone.items()}, **both},
            "forecast": expiry and {**expiry, "at_vendor_claim": expiry_claimed},
        }


def _of_arm(spent: Spending) -> dict[str, Any]:
    from benchmarks.cost.per_decision import PARTS
    from benchmarks.cost.uncertain import figure, ratio

    each = figure(spent.per_decision)
    parts = {
        name: figure(ratio(spent.parts[name], spent.acceptable))["value"] if name in spent.parts else None
        for name in PARTS
    }
    why = spent.unknown or ("" if each["value"] is not None else "no answer was acceptable")
    return {
        "per_decision_usd": each["value"],
        "per_decision_low_usd": each["low"],
        "per_decision_high_usd": each["high"],
        "per_decision_parts_usd": parts,
        "left_out": dict(spent.left_out),
        "acceptable_answers": int(spent.acceptable[0]),
        "unknown": why,
    }


def _difference(spent: Mapping[Arm, Spending]) -> dict[str, Any]:
    """Direct - legacy a decision, and direct over legacy."""
    from benchmarks.cost.uncertain import figure, ratio

    legacy, direct = (spent[arm].per_decision for arm in ARMS)
    if legacy is None or direct is None:
        return {"difference_usd": {"estimate": None, "low": None, "high": None}, "ratio": figure(None)}
    apart = figure(_apart(direct, legacy))
    return {
        "difference_usd": {"estimate": apart["value"], "low": apart["low"], "high": apart["high"]},
        "ratio": figure(ratio(direct, legacy)),
    }


def _apart(one: Array, other: Array) -> Array:
    """Their difference; infinite where one is, for then one arm gave nothing that was acceptable."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(one) & np.isinf(other), np.inf, one - other)


def _claimed(rates: Rates, hardware: Hardware | None) -> Rates | None:
    """The rates with the vendor's own claim for direct; None where there is no such claim."""
    from benchmarks.cost.rates import Rate
    from shared.pricing import find

    if hardware is None or hardware.id not in CLAIMED_FOR:
        return None
    known = find(LIST_PRICE_OF)
    if known.input_usd is None or known.output_usd is None:
        return None
    cheap = Price(
        hardware.id, known.input_usd / TIMES_CHEAPER, known.output_usd / TIMES_CHEAPER, CLAIM, "vendor-claimed"
    )
    return {**rates, ("direct", "call"): Rate(price=cheap)}


def _vendor_claim(claimed: Rates | None, spent: Mapping[Arm, Spending] | None) -> dict[str, Any] | None:
    from benchmarks.cost.uncertain import figure

    if claimed is None or spent is None:
        return None
    price, each = claimed["direct", "call"].price, figure(spent["direct"].per_decision)
    return {
        "input_usd_per_mtok": price.input_usd,
        "output_usd_per_mtok": price.output_usd,
        "per_decision_usd": each["value"],
        "per_decision_low_usd": each["low"],
        "per_decision_high_usd": each["high"],
        **_difference(spent),
        "source": price.source,
    }


def standings(
    cost: Mapping[str, Any], *, paid: Mapping[Arm, Standing], timed: Standing, judged: Standing
) -> dict[str, Standing]:
    """The word of each part of `cost` that this module adds, by JSON pointer.

    `paid` says how each arm's known dollars came to be, `timed` its seconds, `judged` its scores. Figures of both arms
    have the weaker word of the two.
    """
    words: dict[str, Standing] = {}
    both = _weakest(*paid.values())
    for arm in ARMS:
        known = cost[arm]["per_decision_usd"] is not None
        for name in ("per_decision_usd", "per_decision_low_usd", "per_decision_high_usd", "per_decision_parts_usd"):
            words[f"/cost/{arm}/{name}"] = paid[arm] if known else "unknown"
        words[f"/cost/{arm}/acceptable_answers"] = judged
    known = cost["difference_usd"]["estimate"] is not None
    words |= {f"/cost/{name}": both if known else "unknown" for name in ("difference_usd", "ratio", "by_task")}
    words |= {"/cost/acceptable": "assumed", "/cost/requests": judged}
    if cost["vendor_claim"]:
        words["/cost/vendor_claim"] = "vendor-claimed"
    for stage in ("cache", "classifier", "cascade", "routing", "total"):
        of: dict[str, Standing] = {"usd": paid["legacy"], "seconds": timed, "wrong_answers": judged}
        for metric, word in of.items():
            words[f"/cost/stages/{stage}/{metric}"] = word if cost["stages"][stage][metric] else "unknown"
    for name, each in cost["break_even"].items():
        of_input = {"speed": timed, "quality": judged, "price": paid["legacy"]}.get(name, both)
        words[f"/cost/break_even/{name}"] = "unknown" if each["state"] == "unknown input" else of_input
        if each.get("at_vendor_claim"):
            words[f"/cost/break_even/{name}/at_vendor_claim"] = "vendor-claimed"
    words["/cost/forecast"] = "assumed" if cost["forecast"] else "unknown"
    return words


def _weakest(*words: Standing) -> Standing:
    order: tuple[Standing, ...] = ("unknown", "vendor-claimed", "assumed", "emulated", "recorded", "measured")
    return min(words, key=order.index)

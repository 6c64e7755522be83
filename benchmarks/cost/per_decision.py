"""What one decision costs: everything spent over the answers that the product can act on.

    US dollars a decision = (tokens + rejected + power + wrong answers + cache storage + engineering) / acceptable

`tokens` are those of calls whose answer was used, `rejected` those of drafts, retries and requests that failed. Storage
and engineering are so much a month, shared by the requests of a month. A part that was not asked for, or that is known
of one arm only, is left out of both sums, with the reason; where a part that belongs to the sum is not known, nor is
the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.cost.ledger import Ledger, Rates
from benchmarks.cost.rates import Rate
from benchmarks.cost.uncertain import Array, Draws, Totals, ratio, zeros
from benchmarks.cost_settings import CostSettings
from benchmarks.scenario import ARMS, Arm

PARTS: Final = ("tokens", "rejected", "power", "wrong_answers", "cache_storage", "engineering")
UNPRICED: Final = Rate(missing="no price is known")
MONTHLY: Final = ("cache_storage", "engineering")


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars of one arm over the counted requests, by part; a part that is not there is in `left_out`, with why.

    `unknown` says why the sum is not known, "" where it is. `acceptable`, `requests` and `tokens` are counts.
    """

    parts: Mapping[str, Array]
    left_out: Mapping[str, str]
    unknown: str
    acceptable: Array
    requests: Array
    tokens: Array = field(default_factory=zeros)

    def sum_of(self, *names: str) -> Array:
        """The named parts that are there."""
        return sum((self.parts[name] for name in names if name in self.parts), zeros())

    @property
    def running(self) -> Array:
        """All that comes with each request, as far as it is known."""
        return self.sum_of(*(name for name in PARTS if name not in MONTHLY))

    @property
    def monthly(self) -> Array:
        """The share of what comes each month."""
        return self.sum_of(*MONTHLY)

    @property
    def per_decision(self) -> Array | None:
        """US dollars a decision, or None where a part is not known or nothing was acceptable."""
        if self.unknown:
            return None
        return ratio(self.running + self.monthly, self.acceptable)


def spending(ledger: Ledger, totals: Totals, rates: Rates, settings: CostSettings, draws: Draws) -> dict[Arm, Spending]:
    """Both arms' spending, each with the parts that are known of both."""
    found = {arm: _one(arm, ledger, totals, rates, settings, draws) for arm in ARMS}
    engineering = _engineering(settings, draws)
    for arm in ARMS:
        each = found[arm]
        parts, left_out = dict(each.parts), dict(each.left_out)
        if isinstance(engineering, str):
            left_out["engineering"] = engineering
        else:
            parts["engineering"] = engineering[arm] * each.requests
        found[arm] = Spending(parts, left_out, each.unknown, each.acceptable, each.requests, each.tokens)
    return found


def wrong_usd(totals: Totals, arm: Arm, column: str, settings: CostSettings, draws: Draws) -> Array:
    """What the wrong answers of a column cost, each at the price of its task."""
    cost = zeros()
    for key, total in totals.items():
        if key[:2] == (arm, column):
            cost = cost + total * draws.of(f"wrong_answer_usd.{key[2]}", settings.of_wrong(key[2]))
    return cost


def _one(arm: Arm, ledger: Ledger, totals: Totals, rates: Rates, settings: CostSettings, draws: Draws) -> Spending:
    counts = [totals.get((arm, name), zeros()) for name in ("acceptable", "requests", "tokens")]
    parts = {
        "tokens": totals.get((arm, "reported"), zeros()),
        "rejected": zeros(),
        "wrong_answers": wrong_usd(totals, arm, "wrong", settings, draws),
    }
    left_out: dict[str, str] = {}
    unknown = ledger.reason or ledger.untold[arm]
    kinds = sorted({key[2] for key in totals if key[0] == arm and key[1] in ("used", "spare")})
    for kind in kinds:
        rate = rates.get((arm, kind), UNPRICED)
        if rate.missing:
            unknown = unknown or f"{kind}: {rate.missing}"
            continue
        power = rate.power(settings, draws)
        if isinstance(power, str):
            left_out["power"] = power
        for name, use in (("tokens", "used"), ("rejected", "spare")):
            amounts = [totals.get((arm, use, kind, what), zeros()) for what in ("prompt", "output", "call")]
            parts[name] = parts[name] + _dot(amounts, rate.tokens(settings, draws))
            if not isinstance(power, str):
                parts["power"] = parts.get("power", zeros()) + _dot(amounts, power)
    if "power" in parts:
        left_out.pop("power", None)
    if unknown:
        for name in ("tokens", "rejected", "power"):
            parts.pop(name, None)
    storage = storage_a_month(arm, ledger, settings, draws)
    if isinstance(storage, str):
        left_out["cache_storage"] = storage
    elif settings.requests_per_month is None:
        left_out["cache_storage"] = "requests_per_month is not known"
    else:
        parts["cache_storage"] = storage / draws.of("requests_per_month", settings.requests_per_month) * counts[1]
    return Spending(parts, left_out, unknown, *counts)


def _dot(amounts: list[Array], prices: tuple[Array, ...]) -> Array:
    return sum((amount * price for amount, price in zip(amounts, prices, strict=True)), zeros())


def storage_a_month(arm: Arm, ledger: Ledger, settings: CostSettings, draws: Draws) -> Array | str:
    """US dollars a month for keeping the cache, or why there are none."""
    if arm == "direct" or not ledger.steps_told[arm]:
        return "there is no cache that is known of"
    if settings.cache_storage_usd_per_gb_month is None:
        return "cache_storage_usd_per_gb_month is not set"
    month = draws.of("cache_storage_usd_per_gb_month", settings.cache_storage_usd_per_gb_month)
    return month * draws.of("cache_gb", settings.cache_gb)


def engineering_hours(settings: CostSettings, draws: Draws) -> dict[Arm, Array] | str:
    """Hours a month of both arms, or which of them is not known."""
    hours: dict[Arm, Array] = {}
    for arm in ARMS:
        name = f"{arm}_engineering_hours_per_month"
        given = getattr(settings, name)
        if given is None:
            return f"{name} is not known"
        hours[arm] = draws.of(name, given)
    return hours


def _engineering(settings: CostSettings, draws: Draws) -> dict[Arm, Array] | str:
    """US dollars a request of both arms, or what is not known of them."""
    hours = engineering_hours(settings, draws)
    if isinstance(hours, str):
        return hours
    for name in ("engineering_usd_per_hour", "requests_per_month"):
        if getattr(settings, name) is None:
            return f"{name} is not known"
    rate = draws.of("engineering_usd_per_hour", settings.engineering_usd_per_hour or 0.0)
    volume = draws.of("requests_per_month", settings.requests_per_month or 1.0)
    return {arm: hours[arm] * rate / volume for arm in ARMS}

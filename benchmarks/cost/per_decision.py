"""What one decision costs: everything spent over the answers that the product can act on.

    US dollars a decision = (tokens + rejected + power + wrong answers + cache storage + engineering) / acceptable

`tokens` are those of calls whose answer was used, `rejected` those of drafts, retries and requests that failed. Storage
and engineering are so much a month, shared by the requests of a month. A part that nobody asked for is left out, with
the reason; where a part that was asked for is not known, nor is the sum. Hours that are set for either arm ask for the
engineering of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.cost.ledger import Ledger, Rates
from benchmarks.cost.rates import Rate
from benchmarks.cost.uncertain import Array, Draws, Totals, ratio, zeros
from benchmarks.cost_settings import CostSettings, Range
from benchmarks.scenario import ARMS, Arm

PARTS: Final = ("tokens", "rejected", "power", "wrong_answers", "cache_storage", "engineering")
UNPRICED: Final = Rate(missing="no price is known")
MONTHLY: Final = ("cache_storage", "engineering")


@dataclass(frozen=True, slots=True)
class Spending:
    """US dollars of one arm over the counted requests, by part; a part that is not there is in `left_out`, with why.

    `unpriced` says why what comes with each request is not known, `unshared` why what comes each month is not; "" where
    it is. `acceptable`, `requests` and `tokens` are counts.
    """

    parts: Mapping[str, Array]
    left_out: Mapping[str, str]
    unpriced: str
    unshared: str
    acceptable: Array
    requests: Array
    tokens: Array = field(default_factory=zeros)

    def sum_of(self, *names: str) -> Array:
        """The named parts that are there."""
        return sum((self.parts[name] for name in names if name in self.parts), zeros())

    @property
    def unknown(self) -> str:
        """Why the sum is not known, "" where it is."""
        return self.unpriced or self.unshared

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
    """What both arms spent."""
    return {arm: _one(arm, ledger, totals, rates, settings, draws) for arm in ARMS}


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
    monthly, not_asked, unshared = _monthly(arm, ledger, counts[1], settings, draws)
    return Spending({**parts, **monthly}, {**left_out, **not_asked}, unknown, unshared, *counts)


def _monthly(
    arm: Arm, ledger: Ledger, requests: Array, settings: CostSettings, draws: Draws
) -> tuple[dict[str, Array], dict[str, str], str]:
    """US dollars of what comes each month, by part; the parts nobody asked for; what is not known of the others."""
    parts: dict[str, Array] = {}
    left_out: dict[str, str] = {}
    unknown = ""
    share = None if settings.requests_per_month is None else _share(requests, settings.requests_per_month, draws)
    storage = storage_a_month(arm, ledger, settings, draws)
    if isinstance(storage, str):
        left_out["cache_storage"] = storage
    elif share is None:
        unknown = "cache storage: requests_per_month is not set, and cache_storage_usd_per_gb_month is"
    else:
        parts["cache_storage"] = storage * share
    work = {each: getattr(settings, f"{each}_engineering_hours_per_month") for each in ARMS}
    hours, rate = work[arm], settings.engineering_usd_per_hour
    if all(each is None for each in work.values()):
        left_out["engineering"] = "engineering_hours_per_month of neither is set"
    elif hours is None:
        other = next(each for each in ARMS if each != arm)
        unknown = f"engineering: {arm}_engineering_hours_per_month is not set, and {other}'s is"
    elif rate is None or share is None:
        missing = "engineering_usd_per_hour" if rate is None else "requests_per_month"
        unknown = f"engineering: {missing} is not set, and hours a month are"
    else:
        month = draws.of(f"{arm}_engineering_hours_per_month", hours) * draws.of("engineering_usd_per_hour", rate)
        parts["engineering"] = month * share
    return parts, left_out, unknown


def _share(requests: Array, month: float | Range, draws: Draws) -> Array:
    """The counted requests as a share of a month's."""
    return requests / draws.of("requests_per_month", month)


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

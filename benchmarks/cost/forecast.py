"""The expiry date of the optimisation layer: when direct's falling price reaches the break-even.

    years = ln(price now / break-even price) / -ln(1 - decline a year)

The decline is an assumption that the user sets, of direct's price beside legacy's: where both fall alike, nothing
changes. It is no prediction of anybody's prices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from benchmarks.cost.break_even import BreakEven
from benchmarks.cost_settings import CostSettings, Range

DAYS: Final = 365.2425


def expiry(price: BreakEven, settings: CostSettings) -> Mapping[str, Any] | None:
    """`state`, the `date` and the range it lies in, each None where it cannot be told; None where no decline is set.

    The range puts the fastest decline and the highest break-even price against the slowest and the lowest; both ends
    are None where nothing about the date varies.
    """
    decline, today = settings.price_decline_per_year, settings.today
    if decline is None or today is None:
        return None
    none = {"date": None, "low": None, "high": None}
    if price.state != "at" or price.value is None:
        return {"state": price.state, **none, "reason": price.reason}
    if price.now is None:
        return {"state": "unknown input", **none, "reason": "direct's price is not known"}
    given = decline if isinstance(decline, Range) else Range(value=decline, low=decline, high=decline)
    exact = price.low is None and price.high is None and not price.reason
    low, high = (price.value, price.value) if exact else (price.low, price.high)
    ends = ((price.value, given.value), (high, given.high), (low, given.low))
    dates = [_date(today, price.now, goal, rate) for goal, rate in ends]
    if dates[1] == dates[2]:
        dates[1:] = [None, None]
    return {"state": "at", "date": dates[0], "low": dates[1], "high": dates[2], "reason": ""}


def _date(today: date, now: float, goal: float | None, decline: float) -> str | None:
    """None where the price never gets there, or after the year 9999."""
    if goal is None or goal <= 0:
        return None
    years = max(math.log(now / goal), 0.0) / -math.log1p(-decline)
    try:
        return (today + timedelta(days=years * DAYS)).isoformat()
    except OverflowError:
        return None

"""What the page needs to work out the cost of a decision anew: totals of the run, prices and assumptions, as data.

The formulas are `benchmarks/cost/per_decision.py` and `break_even.py`; `assets/sliders.js` has them once more for the
page, and a test holds the two together. The totals come from the rows that the run kept (`report/kept_cost.py`). No
draws are here, so no interval either. Next: `sections/assumptions.py` shows what is made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.cost.ledger import Ledger, Rates
from benchmarks.cost.per_decision import UNPRICED
from benchmarks.cost_settings import CostSettings, Range
from benchmarks.rows import CALLS
from benchmarks.scenario import ARMS, Arm

COUNTED: Final = ("requests", "acceptable", "tokens", "hits", "acceptable hits", "reported", "reported hits")
TOKENS: Final = ("prompt", "output", "call")
OPTIONAL: Final = (
    "requests_per_month",
    "engineering_usd_per_hour",
    "legacy_engineering_hours_per_month",
    "direct_engineering_hours_per_month",
    "cache_storage_usd_per_gb_month",
    "power_usd_per_kwh",
)
PLAIN: Final = (*OPTIONAL, "utilisation", "cache_gb")
"""Settings that are one number each; what a wrong answer costs may be one a task."""
WRONG: Final = "wrong_answer_usd"


def inputs(
    ledger: Ledger, rates: Rates, settings: CostSettings, drill_hours: Mapping[Arm, float] | None = None
) -> dict[str, Any]:
    """`arms`: the totals of each, and what prices them; `values`: every number that may be moved, None where unknown.

    What stands in `arms` under `rate`, `wrong` and `wrong_hits` are names of `values`. `drill_hours` are the hours a
    month of each arm that stand in where an hourly rate is set and no hours are, as `upkeep.with_hours` has it.
    """
    values: dict[str, float | None] = {name: middle(getattr(settings, name)) for name in PLAIN}
    for name in wrong_names(ledger, settings).values():
        values[name] = middle(settings.of_wrong(name.partition(".")[2]))
    found = {arm: _arm(arm, ledger, rates, settings, values) for arm in ARMS}
    return {"reason": ledger.reason, "arms": found, "values": values, "drill_hours": drill_hours}


def wrong_names(ledger: Ledger, settings: CostSettings) -> dict[str, str]:
    """The name of what a wrong answer costs, by task: one for all tasks unless the settings have a table."""
    by_task = isinstance(settings.wrong_answer_usd, dict)
    return {task: f"{WRONG}.{task}" if by_task else WRONG for task in ledger.tasks}


def middle(given: float | Range | None) -> float | None:
    """The number itself, or the value of a range."""
    return given.value if isinstance(given, Range) else given


def _arm(
    arm: Arm, ledger: Ledger, rates: Rates, settings: CostSettings, values: dict[str, float | None]
) -> dict[str, Any]:
    def total(*key: str) -> float:
        return sum(ledger.columns.get((arm, *key), ()))

    def by_name(column: str) -> dict[str, float]:
        found = dict.fromkeys(names.values(), 0.0)
        for task, name in names.items():
            found[name] += total(column, task)
        return found

    names = wrong_names(ledger, settings)
    calls = []
    for kind in CALLS:
        used, spare = ([total(use, kind, what) for what in TOKENS] for use in ("used", "spare"))
        if any(used + spare):
            calls.append({"kind": kind, "used": used, "spare": spare, "rate": _rate(arm, kind, rates, values)})
    return {
        **{name.replace(" ", "_"): total(name) for name in COUNTED},
        "untold": ledger.untold[arm],
        "tokens_told": ledger.tokens_told[arm],
        "steps_told": ledger.steps_told[arm],
        "wrong": by_name("wrong"),
        "wrong_hits": by_name("wrong hits"),
        "calls": calls,
    }


def _rate(arm: Arm, kind: str, rates: Rates, values: dict[str, float | None]) -> dict[str, Any]:
    """How a kind of call is priced; its numbers go into `values`."""
    rate = rates.get((arm, kind), UNPRICED)
    at = f"{arm}.{kind}"
    if rate.hardware is not None:
        known = rate.hardware.value
        values[f"{at}.rent_usd_per_hour"] = known("rent_usd_per_hour")
        figures = {name: known(name) for name in ("prompt_token_s", "throughput_tok_s", "watts")}
        return {"by": "rent", "rent": f"{at}.rent_usd_per_hour", **figures}
    if rate.price.per_call_usd is not None:
        values[f"{at}.per_call_usd"] = rate.price.per_call_usd
        return {"by": "call", "call": f"{at}.per_call_usd"}
    for end in ("input", "output"):
        values[f"{at}.{end}_usd_per_mtok"] = None if rate.missing else getattr(rate.price, f"{end}_usd")
    ends = {end: f"{at}.{end}_usd_per_mtok" for end in ("input", "output")}
    return {"by": "token", **ends, "missing": rate.missing}

"""The cost of a kept run, to be reckoned once more: its settings, its rates and its ledger, from what it wrote.

What is counted is counted by `benchmarks/cost/ledger.py`, as in the run itself. Its users are the page's sliders
(`html/cost_inputs.py`) and the difference of two runs (`diff.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from benchmarks.cost.ledger import Ledger, Rates, count
from benchmarks.cost.per_decision import UNPRICED
from benchmarks.cost.rates import Rate, rate_of
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import Row, Score
from benchmarks.scenario import ARMS, Arm
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item
from shared.contract import Completion, Message, Request, Usage
from shared.hardware.catalogue import Figure, Hardware, catalogue
from shared.pricing import Price
from shared.steps import Step

_REQUEST: Final = Request((Message("user", "-"),))


def settings_of(report: Mapping[str, Any]) -> CostSettings:
    """The run's `[cost]`, as it was written."""
    return CostSettings.model_validate(report["provenance"]["scenario"]["cost"])


def rates_of(report: Mapping[str, Any], settings: CostSettings) -> Rates:
    """What each arm's kinds of call cost, by what the run knew of prices and hardware."""
    prices = {name: Price(**each) for name, each in report["provenance"]["prices"].items()}
    hardware = {name: _hardware(each) for name, each in report["provenance"]["hardware"].items() if each}
    found: dict[tuple[str, str], Rate] = {}
    for name in {**prices, **hardware}:
        arm, _, kind = name.partition(".")
        found[arm, kind] = rate_of(prices.get(name), hardware.get(name), settings)
    return found


def ledger_of(rows: Sequence[Mapping[str, Any]], rates: Rates, settings: CostSettings) -> Ledger:
    """The totals, of rows as `requests.jsonl` has them.

    An arm that tells no steps has its tokens counted where neither its dollars nor a price are known: the page asks
    for the price. That takes a rate that is rented, whichever, since of list prices the dollars are reported.
    """
    items: dict[str, Item] = {}
    of_arms: dict[Arm, list[Row]] = {arm: [] for arm in ARMS}
    for each in rows:
        of_arms[each["arm"]].append(_row(each, items))
    rented = Rate(hardware=next(iter(catalogue().values())))
    asked: Rates = {(arm, "call"): rented for arm in ARMS if rates.get((arm, "call"), UNPRICED).missing}
    return count(of_arms, {**rates, **asked}, settings.acceptable)


def _hardware(known: Mapping[str, Any]) -> Hardware:
    names = {each.name for each in fields(Figure)}
    figures = {
        name: Figure(**{key: value for key, value in each.items() if key in names})
        for name, each in known["figures"].items()
    }
    return Hardware(known["id"], known["name"], known["model"], "", "refuse", figures)


def _row(each: Mapping[str, Any], items: dict[str, Item]) -> Row:
    """What the ledger reads of a row."""
    item = items.get(each["item"]) or items.setdefault(
        each["item"],
        Item(
            id=each["item"], group=each["group"], task=each["task"], input="-", reference=each["reference"],
            author="-", source="-", licence="-",
        ),
    )  # fmt: skip
    return Row(
        asked=Asked(each["request"], item, each["repeat"]),
        request=_REQUEST,
        arm=each["arm"],
        text=each["text"],
        model=each["model"],
        error=each["error"],
        score=None if each["score"] is None else Score(each["score"], each["reason"]),
        latency_s=each["latency_s"],
        overhead_s=None,
        cost_usd=each["cost_usd"],
        steps=None if each["steps"] is None else tuple(_step(step) for step in each["steps"]),
        usage=Usage(each.get("input_tokens"), each.get("output_tokens")),
    )


def _step(each: Mapping[str, Any]) -> Step:
    call = each["call"]
    completion = call and Completion("", call["model"], Usage(call["input_tokens"], call["output_tokens"]))
    return Step(each["kind"], each["outcome"], each["start_s"], each["seconds"], each["detail"], completion)

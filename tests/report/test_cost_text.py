"""The lines on cost: every state of a break-even and of the forecast is a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from benchmarks.report import cost_text
from benchmarks.scenario import Arm
from shared.hardware.catalogue import Hardware, find
from shared.pricing import Price
from tests.cost.test_measure import DEAR, NOTHING, PRICES, WORK, cost, direct_rows, legacy_rows

HALF = {"price_decline_per_year": 0.5, "today": date(2026, 11, 25)}


def text(**given: Any) -> str:
    rows = given.pop("rows", (legacy_rows(*[1, 1, 0] * 20), direct_rows(*[1, 1, 0] * 20)))
    return "\n".join(cost_text.lines({"cost": cost(*rows, **given)}))


def test_each_stage_costs_or_saves_in_one_statement() -> None:
    nothing = {"usd": None, "seconds": None, "wrong_answers": None}
    cache = nothing | {"usd": {"net": -6e-6, "times": 0.0}, "seconds": {"net": -0.0489, "times": 0.0}}
    cascade = nothing | {"wrong_answers": {"net": 0.00598, "times": 1.47}}
    stages = {"cache": cache, "classifier": nothing, "cascade": cascade}
    assert cost_text.stages({"cost": {"stages": stages}}) == [
        "Stages of legacy, per 1,000 requests: the cache saves $0.0060, saves 48.9 s; the cascade costs 5.98 wrong "
        "answers (1.47 times those it saves)."
    ]
    assert cost_text.stages({"cost": {"stages": dict.fromkeys(stages, nothing)}}) == []


def test_a_decision_costs_so_much_with_its_interval_or_is_not_known_with_the_reason() -> None:
    found = cost(legacy_rows(*[1, 1, 0] * 20), direct_rows(*[1, 1, 0] * 20))["legacy"]
    low, high = 1000 * found["per_decision_low_usd"], 1000 * found["per_decision_high_usd"]
    assert f"Cost per 1,000 decisions: legacy $1.8000 [${low:.4f}, ${high:.4f}]; direct $0.1800 [" in text()
    hours = {name: value for name, value in WORK.items() if not name.startswith("legacy")}
    why = "(engineering: legacy_engineering_hours_per_month is not set, and direct's is)"
    assert f"Cost per 1,000 decisions: legacy not known {why}; direct $1" in text(**hours)


def test_what_is_left_out_of_both_sums_is_always_told() -> None:
    assert text().splitlines()[0].endswith("In neither sum: power, cache storage, engineering.")
    assert "In neither sum: power, cache storage." in text(**WORK)


def test_direct_that_never_wins_has_a_sentence_of_its_own() -> None:
    told = text(rows=(legacy_rows(1, 1), direct_rows(1, 0)), wrong_answer_usd=1.0)
    assert "Direct never wins on cost by price or hit rate: no value would do." not in told  # there were no hits
    assert "Direct never wins on cost by price: no value would do." in told
    assert "Direct wins" not in told


TWICE = {"legacy": {"large": DEAR}, "direct": {"call": Price("twice", 20.0, 40.0, "test")}}
UNPRICED: Mapping[Arm, Mapping[str, Price]] = {**PRICES, "direct": {"call": Price("hc1", None, None, "none")}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "already past, since direct is the cheaper today."),
        (
            {"rows": (legacy_rows(1, 1), direct_rows(1, 0)), "wrong_answer_usd": 1.0},
            "never, since direct is the dearer",
        ),
        ({"prices": UNPRICED}, "not known, because direct's price is not known."),
        (
            {"rows": (legacy_rows(1, 1), direct_rows(1, 1)), "prices": TWICE},
            "2027-11-25, at the decline a year that is assumed.",
        ),
    ],
)
def test_the_forecast_is_one_sentence_a_state(given: dict[str, Any], says: str) -> None:
    assert f"Expiry date of the optimisation layer: {says}" in text(**given, **HALF)


def test_a_forecast_has_its_range() -> None:
    rising: dict[str, Any] = {**HALF, "price_decline_per_year": {"value": 0.5, "low": 0.25, "high": 0.75}}
    rows = legacy_rows(1, 1), direct_rows(1, 1)
    assert "layer: 2027-11-25 [2027-05-" in text(rows=rows, prices=TWICE, **rising)


def test_a_vendors_claim_that_leads_to_no_sum_is_not_told() -> None:
    hardware: Mapping[Arm, Mapping[str, Hardware | None]] = {**NOTHING, "direct": {"call": find("hc1")}}
    assert "Vendor-claimed of direct: $" in text(prices=UNPRICED, hardware=hardware)
    assert "endor-claimed" not in text(prices=UNPRICED, hardware=hardware, legacy_engineering_hours_per_month=1)


def test_the_gap_at_which_the_quality_word_changes_is_told() -> None:
    found = cost(legacy_rows(1, 1), direct_rows(1, 1))
    gap = {"state": "at", "value": 0.03, "low": -0.02, "high": 0.03, "now": -0.1}
    found["break_even"]["quality"] = {**found["break_even"]["quality"], **gap}
    told = "\n".join(cost_text.lines({"cost": found}))
    assert "Not worse from +3.0 points on, now -10.0." in told

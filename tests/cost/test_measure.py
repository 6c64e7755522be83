"""Cost per decision and where it breaks even, through `measure`: what is spent, what is left out, what is unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cost.measure import measure, standings
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import Row
from benchmarks.scenario import Arm
from shared.contract import Completion, Usage
from shared.hardware.catalogue import Figure, Hardware, find
from shared.pricing import Price
from shared.steps import Outcome, Step
from tests.rows import row

CHEAP, DEAR = Price("cheap", 1.0, 2.0, "test"), Price("dear", 10.0, 20.0, "test")
PRICES: Mapping[Arm, Mapping[str, Price]] = {"legacy": {"small": CHEAP, "large": DEAR}, "direct": {"call": CHEAP}}
NOTHING: Mapping[Arm, Mapping[str, Hardware | None]] = {"legacy": {}, "direct": {}}
WORK: dict[str, Any] = {
    "requests_per_month": 1e5,
    "engineering_usd_per_hour": 100.0,
    "legacy_engineering_hours_per_month": 10.0,
    "direct_engineering_hours_per_month": 1.0,
}


def step(kind: str, tokens: int = 100, *, outcome: Outcome = "ok") -> Step:
    return Step(kind, outcome, 0.0, 0.01, "", Completion("yes", kind, Usage(tokens, 10)))


HIT = Step("cache", "ok", 0.0, 0.0001)


def legacy_rows(*scores: float, hits: int = 0) -> list[Row]:
    asked = [(HIT,)] * hits + [(step("large"),)] * (len(scores) - hits)
    return [
        row("legacy", number, f"q{number}", score=score, steps=steps)
        for number, (score, steps) in enumerate(zip(scores, asked, strict=True))
    ]


def direct_rows(*scores: float) -> list[Row]:
    return [
        row("direct", number, f"q{number}", score=score, steps=(step("call"),)) for number, score in enumerate(scores)
    ]


def cost(
    legacy: Sequence[Row],
    direct: Sequence[Row],
    *,
    prices: Mapping[Arm, Mapping[str, Price]] = PRICES,
    hardware: Mapping[Arm, Mapping[str, Hardware | None]] = NOTHING,
    **given_settings: Any,
) -> dict[str, Any]:
    found = measure(
        {"legacy": legacy, "direct": direct},
        prices=prices,
        hardware=hardware,
        settings=CostSettings.model_validate(given_settings),
    )
    json.dumps(found, allow_nan=False)
    words = standings(found, paid={"legacy": "assumed", "direct": "assumed"}, timed="emulated", judged="recorded")
    assert all(pointer.startswith("/cost/") for pointer in words)
    return found


def test_everything_spent_is_shared_by_the_acceptable_answers() -> None:
    found = cost(legacy_rows(1, 1, 0, 0.4), direct_rows(1, 0, 0, 0))
    one_large, one_call = 100 * 10e-6 + 10 * 20e-6, 100 * 1e-6 + 10 * 2e-6
    assert found["legacy"]["per_decision_usd"] == pytest.approx(4 * one_large / 2)
    assert found["direct"]["per_decision_usd"] == pytest.approx(4 * one_call / 1)
    assert found["difference_usd"]["estimate"] == pytest.approx(4 * one_call - 2 * one_large)
    assert found["legacy"]["left_out"]["engineering"] == "engineering_hours_per_month of neither is set"
    assert found["legacy"]["per_decision_parts_usd"]["engineering"] is None
    assert cost(legacy_rows(1, 1, 0, 0.4), direct_rows(1, 0, 0, 0), acceptable=0.4)["legacy"]["acceptable_answers"] == 3


def test_drafts_and_failed_requests_are_spent_and_give_no_decision() -> None:
    drafted = row("legacy", 0, "q0", steps=(step("small", outcome="rejected"), step("large")))
    failed = row("legacy", 1, "q1", steps=(step("small"),), error="Timeout")
    parts = cost([drafted, failed], direct_rows(1, 1))["legacy"]["per_decision_parts_usd"]
    small, large = 100e-6 + 10 * 2e-6, 100 * 10e-6 + 10 * 20e-6
    assert parts["tokens"] == pytest.approx(large)
    assert parts["rejected"] == pytest.approx(2 * small)


def test_wrong_answers_cost_once_each_at_the_price_of_their_task() -> None:
    rows = [row("legacy", n, f"q{n}", score=0.0 if n else 1.0, task=f"t{n}", steps=(HIT,)) for n in range(3)]
    found = cost(rows, direct_rows(1, 1, 1), wrong_answer_usd={"t1": 5.0, "t2": 0.5})
    assert found["legacy"]["per_decision_usd"] == pytest.approx(5.5)
    assert found["direct"]["per_decision_parts_usd"]["wrong_answers"] == 0.0
    assert set(found["by_task"]) == {"t0", "t1", "t2"}
    assert found["by_task"]["t0"]["legacy_per_decision_usd"] == 0.0
    assert found["by_task"]["t1"]["legacy_per_decision_usd"] is None


def test_work_and_storage_are_shared_by_the_requests_of_a_month() -> None:
    found = cost(legacy_rows(1, 1), direct_rows(1, 1), cache_storage_usd_per_gb_month=20.0, cache_gb=2.0, **WORK)
    assert found["legacy"]["per_decision_parts_usd"]["engineering"] == pytest.approx(10 * 100 / 1e5)
    assert found["direct"]["per_decision_parts_usd"]["engineering"] == pytest.approx(1 * 100 / 1e5)
    assert found["legacy"]["per_decision_parts_usd"]["cache_storage"] == pytest.approx(40 / 1e5)
    assert found["direct"]["per_decision_parts_usd"]["cache_storage"] is None


@pytest.mark.parametrize(("unset", "other"), [("legacy", "direct"), ("direct", "legacy")])
def test_work_known_of_one_arm_only_leaves_no_difference(unset: str, other: str) -> None:
    """The arm whose hours are known carries them; nothing can be said about the other, nor about both."""
    key = f"{unset}_engineering_hours_per_month"
    found = cost(legacy_rows(1, 1), direct_rows(1, 1), **{name: value for name, value in WORK.items() if name != key})
    assert found[unset]["per_decision_usd"] is None
    assert found[unset]["unknown"] == f"engineering: {key} is not set, and {other}'s is"
    assert found[other]["per_decision_parts_usd"]["engineering"] > 0
    assert found["difference_usd"] == {"estimate": None, "low": None, "high": None}
    assert found["by_task"]["t"]["difference_usd"]["estimate"] is None
    for name in ("price", "hit_rate", "volume", "engineering_rate"):
        assert found["break_even"][name]["state"] == "unknown input"
        assert key in found["break_even"][name]["reason"]


@pytest.mark.parametrize(
    ("unset", "answered"), [("requests_per_month", "volume"), ("engineering_usd_per_hour", "engineering_rate")]
)
def test_work_that_has_no_rate_or_volume_leaves_no_sum_and_the_value_at_which_it_would_be_even(
    unset: str, answered: str
) -> None:
    given_ = {name: value for name, value in WORK.items() if name != unset} | {
        "legacy_engineering_hours_per_month": 1.0,
        "direct_engineering_hours_per_month": 500.0,
    }
    found = cost(legacy_rows(1, 1), direct_rows(1, 1), **given_)
    for arm in ("legacy", "direct"):
        assert found[arm]["unknown"] == f"engineering: {unset} is not set, and hours a month are"
    even = found["break_even"][answered]
    there = cost(legacy_rows(1, 1), direct_rows(1, 1), **given_, **{unset: even["value"]})
    assert there["legacy"]["per_decision_usd"] == pytest.approx(there["direct"]["per_decision_usd"])


def test_storage_with_a_price_and_no_volume_leaves_no_sum() -> None:
    found = cost(legacy_rows(1, 1), direct_rows(1, 1), cache_storage_usd_per_gb_month=20.0)
    assert found["legacy"]["unknown"].startswith("cache storage: requests_per_month is not set")
    assert (found["direct"]["unknown"], found["difference_usd"]["estimate"]) == ("", None)


def test_work_that_nobody_asked_for_is_left_out_of_both() -> None:
    found = cost(legacy_rows(1, 1), direct_rows(1, 1), requests_per_month=1e6, engineering_usd_per_hour=100)
    for arm in ("legacy", "direct"):
        assert found[arm]["left_out"]["engineering"] == "engineering_hours_per_month of neither is set"
    assert found["difference_usd"]["estimate"] is not None


def test_an_unknown_price_leaves_no_sum_and_says_which_beside_the_vendors_own_claim() -> None:
    unpriced: Mapping[Arm, Mapping[str, Price]] = {**PRICES, "direct": {"call": Price("hc1", None, None, "none")}}
    found = cost(
        legacy_rows(1, 1), direct_rows(1, 0), prices=unpriced, hardware={"legacy": {}, "direct": {"call": find("hc1")}}
    )
    assert found["direct"]["per_decision_usd"] is None
    assert "hc1" in found["direct"]["unknown"]
    assert found["difference_usd"]["estimate"] is None
    assert found["vendor_claim"]["input_usd_per_mtok"] == pytest.approx(0.02 / 20)
    assert found["vendor_claim"]["per_decision_usd"] == pytest.approx(2 * (100 * 0.001 + 10 * 0.002) / 1e6)
    even = found["break_even"]["price"]
    assert (even["state"], even["wins"], even["now"]) == ("at", "below", None)
    assert even["value"] == pytest.approx(0.0012 * 1 / 220 * 1e6)
    assert found["break_even"]["hit_rate"]["state"] == "unknown input"
    words = standings(found, paid={"legacy": "assumed", "direct": "assumed"}, timed="emulated", judged="recorded")
    assert words["/cost/direct/per_decision_usd"] == "unknown"
    assert words["/cost/vendor_claim"] == "vendor-claimed"


def test_an_answered_call_that_does_not_tell_its_tokens_leaves_no_sum() -> None:
    silent = Step("large", "ok", 0.0, 0.0, "", Completion("yes", "m"))
    found = cost([row("legacy", 0, "q0", steps=(silent,))], direct_rows(1))
    assert found["legacy"]["per_decision_usd"] is None
    assert found["legacy"]["unknown"] == "the tokens of a call were not told"


def test_what_a_system_reports_stands_and_a_lost_text_leaves_nothing_to_judge() -> None:
    reported = [row("legacy", n, f"q{n}", cost_usd=0.5, cost_reported=True) for n in range(2)]
    assert cost(reported, direct_rows(1, 1), prices={**PRICES, "legacy": {}})["legacy"]["per_decision_usd"] == 0.5
    lost = [row("legacy", 0, "q0", text=None, score=None)]
    found = cost(lost, direct_rows(1))
    assert (found["requests"], found["legacy"]["per_decision_usd"]) == (0, None)
    assert found["legacy"]["unknown"].startswith("texts of legacy")


def test_nothing_acceptable_is_no_price() -> None:
    found = cost(legacy_rows(1, 1), direct_rows(0, 0))
    assert found["direct"]["per_decision_usd"] is None
    assert found["direct"]["unknown"] == "no answer was acceptable"
    assert found["break_even"]["price"]["state"] == "never"
    assert found["break_even"]["hit_rate"]["reason"] == "direct gave no acceptable answer"


def rented(watts: float | None = 1000.0) -> Hardware:
    row_ = find("h100-8b")
    given_ = {"rent_usd_per_hour": 3.6, "throughput_tok_s": 1000.0, "prompt_token_s": 1e-4, "watts": watts}
    figures = {name: Figure(value, "assumed" if value else "unknown") for name, value in given_.items()}
    return Hardware(row_.id, row_.name, row_.model, row_.weights, "refuse", {**row_.figures, **figures})


def test_rented_hardware_costs_its_hours_at_the_throughput_of_the_whole_deployment() -> None:
    hardware: Mapping[Arm, Mapping[str, Hardware | None]] = {"legacy": {}, "direct": {"call": rented()}}
    unpriced: Mapping[Arm, Mapping[str, Price]] = {**PRICES, "direct": {}}
    found = cost(legacy_rows(1), direct_rows(1), prices=unpriced, hardware=hardware, utilisation=0.5)
    busy_s = (100 * 1e-4 + 10 / 1000) / 0.5
    assert found["direct"]["per_decision_usd"] == pytest.approx(busy_s * 3.6 / 3600)
    assert found["direct"]["left_out"]["power"] == "part of the rent, as power_usd_per_kwh is not set"
    powered = cost(
        legacy_rows(1), direct_rows(1), prices=unpriced, hardware=hardware, utilisation=0.5, power_usd_per_kwh=0.36
    )  # fmt: skip
    assert powered["direct"]["per_decision_parts_usd"]["power"] == pytest.approx(busy_s * 1000 / 1000 / 3600 * 0.36)
    dark: Mapping[Arm, Mapping[str, Hardware | None]] = {"legacy": {}, "direct": {"call": rented(watts=None)}}
    unlit = cost(legacy_rows(1), direct_rows(1), prices=unpriced, hardware=dark, power_usd_per_kwh=0.36)
    assert unlit["direct"]["per_decision_usd"] is None
    assert unlit["direct"]["unknown"].endswith("nor watts")


def test_a_range_widens_the_interval_and_leaves_the_figure() -> None:
    rows = legacy_rows(*[1, 1, 0] * 20), direct_rows(*[1, 0, 1] * 20)
    sure = cost(*rows, wrong_answer_usd=0.01)["direct"]
    ranged = cost(*rows, wrong_answer_usd={"value": 0.01, "low": 0.001, "high": 0.1})["direct"]
    assert ranged["per_decision_usd"] == sure["per_decision_usd"]
    assert ranged["per_decision_low_usd"] < sure["per_decision_low_usd"]
    assert ranged["per_decision_high_usd"] > 2 * sure["per_decision_high_usd"]


scores = st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=8).filter(lambda each: sum(each) > 0)


@settings(max_examples=12, deadline=None)
@given(scores, scores, st.floats(0.0, 0.01), st.integers(1, 3))
def test_at_a_break_even_both_cost_the_same(
    legacy: list[float], direct: list[float], wrong_usd: float, hits: int
) -> None:
    """Each value that is found is put back into the comparison it came from."""
    count = min(len(legacy), len(direct))
    legacy, direct = [1.0, *legacy[: count - 1]], [1.0, *direct[: count - 1]]
    rows = legacy_rows(*legacy, hits=hits), direct_rows(*direct)
    given_: dict[str, Any] = {"wrong_answer_usd": wrong_usd, **WORK}
    even = cost(*rows, **given_)["break_even"]
    for name, key in (("volume", "requests_per_month"), ("engineering_rate", "engineering_usd_per_hour")):
        if even[name]["value"]:
            there = cost(*rows, **{**given_, key: even[name]["value"]})
            assert there["legacy"]["per_decision_usd"] == pytest.approx(there["direct"]["per_decision_usd"], rel=1e-6)
    if price := even["price"]["value"]:
        at: Mapping[Arm, Mapping[str, Price]] = {**PRICES, "direct": {"call": Price("even", price, price, "test")}}
        there = cost(*rows, prices=at, **given_)
        assert there["legacy"]["per_decision_usd"] == pytest.approx(there["direct"]["per_decision_usd"], rel=1e-6)


def test_the_hit_rate_at_the_break_even_costs_the_same() -> None:
    """Hits and misses that are all acceptable: at a share s of hits legacy costs (1 - s) of what a miss does."""
    found = cost(legacy_rows(*[1] * 10, hits=3), direct_rows(*[1] * 10))["break_even"]["hit_rate"]
    assert (found["state"], found["wins"], found["now"]) == ("already past", "below", 0.3)
    assert found["value"] == pytest.approx(1 - 0.00012 / 0.0012)
    none = cost(legacy_rows(1, 1), direct_rows(1, 1))["break_even"]["hit_rate"]
    assert none["reason"].startswith("there were no hits")


def test_what_is_paid_by_the_call_needs_no_tokens() -> None:
    """Imported answers rarely tell their tokens; at a price a call they cost what they cost."""
    untold = Step("call", "ok", 0.0, 0.01, "", Completion("yes", "call", Usage(None, None)))
    direct = [row("direct", n, f"q{n}", score=score, steps=(untold,)) for n, score in enumerate((1.0, 1.0, 0.0, 1.0))]
    by_call = {**PRICES, "direct": {"call": Price("own", None, None, "test", per_call_usd=0.003)}}
    found = cost(legacy_rows(1.0, 1.0, 1.0, 1.0), direct, prices=by_call)
    assert found["direct"]["per_decision_usd"] == pytest.approx(4 * 0.003 / 3)
    by_token = cost(legacy_rows(1.0, 1.0, 1.0, 1.0), direct)
    assert by_token["direct"]["per_decision_usd"] is None
    assert by_token["direct"]["unknown"] == "the tokens of a call were not told"

"""Crossings, speed, quality and the date: every state is an answer, and values come with what is not sure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cost.break_even import BreakEven, crossing, quality
from benchmarks.cost.forecast import expiry
from benchmarks.cost.speed import LEAST, speed
from benchmarks.cost.uncertain import Draws, Key, zeros
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm
from shared.contract import Completion, Usage
from shared.hardware.catalogue import Figure, find
from shared.steps import Step
from tests.rows import row

number = st.floats(-1e6, 1e6).filter(lambda each: abs(each) > 1e-6)


@given(number, number, st.one_of(st.none(), st.floats(0.0, 1e6)))
def test_a_crossing_is_a_root_on_whose_side_direct_wins(at_zero: float, slope: float, now: float | None) -> None:
    found = crossing(zeros() + at_zero, zeros() + slope, "u", now=now)
    if found.value is None:
        assert at_zero / slope > 0
        assert found.state == ("already past" if at_zero > 0 else "never")
        assert found.reason
        return
    assert at_zero + slope * found.value == pytest.approx(0.0, abs=1e-6 * abs(at_zero))
    beyond = found.value + (1 if found.wins == "above" else -1) * 0.5 * found.value
    assert at_zero + slope * beyond > 0
    better = now is not None and at_zero + slope * now > 0
    assert found.state == ("already past" if better else "at")
    assert (found.low, found.high) == (None, None)


def test_a_crossing_has_the_spread_of_its_draws_and_ends_at_what_is_possible() -> None:
    drawn = np.append(-0.5, np.random.default_rng(1).normal(-0.5, 0.1, 2000))
    found = crossing(drawn, zeros() + 1.0, "u", most=1.0)
    assert found.low == pytest.approx(0.304, abs=0.02)
    assert found.high == pytest.approx(0.696, abs=0.02)
    clipped = crossing(drawn * 1.8, zeros() + 1.0, "u", most=1.0)
    assert clipped.high == 1.0


def test_a_side_that_is_not_certain_has_no_interval() -> None:
    slope = np.append(1.0, np.random.default_rng(1).normal(1.0, 1.0, 2000))
    found = crossing(zeros() - 1.0, slope, "u")
    assert (found.value, found.low, found.high) == (1.0, None, None)
    assert "not certain" in found.reason
    assert found.certainty is not None
    assert found.certainty < 0.95


def test_the_gap_at_which_the_quality_word_changes() -> None:
    found = quality({"estimate": -0.1, "low": -0.15, "high": -0.05}, 0.02)
    assert found.state == "at"
    assert (found.value, found.low, found.high) == pytest.approx((0.03, -0.02, 0.03))
    assert quality({"estimate": 0.02, "low": -0.01, "high": 0.05}, 0.02).state == "already past"
    assert quality(None, 0.02).state == "unknown input"


def timed(
    legacy: Callable[[int], float], direct: Callable[[int], tuple[float, float]], count: int = 1000
) -> dict[Arm, list[Row]]:
    """Legacy's latency and direct's (rest, model) seconds, by number of the request; one question each."""
    arms: dict[Arm, list[Row]] = {arm: [] for arm in ARMS}
    for n in range(count):
        rest, model = direct(n)
        called = Step("call", "ok", 0.0, model, "", Completion("yes", "m", Usage(1, 1), seconds=model))
        arms["legacy"].append(row("legacy", n, f"q{n}", latency_s=legacy(n), steps=()))
        arms["direct"].append(row("direct", n, f"q{n}", latency_s=rest + model, steps=(called,)))
    return arms


def test_the_speed_at_which_both_p99_are_the_same() -> None:
    slow = speed(timed(lambda n: 0.001 * n, lambda n: (0.1, 0.004 * n)))
    assert slow.value == pytest.approx(0.004 * 989 / (0.989 - 0.1), rel=1e-6)
    assert (slow.state, slow.wins, slow.now) == ("at", "above", 1.0)
    assert slow.low is not None
    assert slow.high is not None
    assert slow.low < (slow.value or 0.0) < slow.high
    assert speed(timed(lambda n: 0.001 * n, lambda n: (0.0, 0.0001 * n))).state == "already past"
    assert speed(timed(lambda n: 0.001, lambda n: (0.1, 0.1))).state == "never"
    free = speed(timed(lambda n: 1.0, lambda n: (0.1, 0.0)))
    assert (free.state, free.value) == ("already past", None)


def test_an_assumed_time_widens_the_speed_and_leaves_the_figure() -> None:
    arms = timed(lambda n: 0.001 * n, lambda n: (0.1, 0.5 + 0.001 * n))
    known = find("hc1")
    figures = {"first_token_s": Figure(0.5, "assumed", "", "", 0.1, 2.0), "prompt_token_s": Figure(0.0, "assumed")}
    sure, unsure = speed(arms), speed(arms, known.with_assumed(figures))
    assert unsure.value == sure.value
    assert unsure.low is not None
    assert unsure.high is not None
    assert unsure.low < (sure.low or 0.0)
    assert unsure.high == pytest.approx((sure.high or 0.0) * (2.0 + 0.99) / (0.5 + 0.99), rel=0.02)


def test_a_speed_that_cannot_be_known_says_why() -> None:
    few = speed(timed(lambda n: 1.0, lambda n: (0.1, 0.1), LEAST - 1))
    assert few.reason == f"a p99 needs {LEAST} answers of known time from both arms; there are {LEAST - 1}"
    arms = timed(lambda n: 1.0, lambda n: (0.1, 0.1))
    arms["direct"] = [row("direct", n, f"q{n}", latency_s=1.0) for n in range(1000)]
    assert speed(arms).reason == "direct does not tell which of its seconds are its model's"


def even(**changed: Any) -> BreakEven:
    known: dict[str, Any] = {"state": "at", "unit": "u", "value": 1.0, "low": 0.5, "high": 2.0, "now": 4.0}
    return BreakEven(**{**known, **changed})


def test_the_date_on_which_a_falling_price_reaches_the_break_even() -> None:
    half = CostSettings.model_validate({"price_decline_per_year": 0.5, "today": date(2026, 11, 25)})
    found = expiry(even(), half)
    assert found is not None
    assert (found["date"], found["low"], found["high"]) == ("2028-11-24", "2027-11-25", "2029-11-24")
    unsure = {"value": 0.5, "low": 0.25, "high": 0.75}
    wide = expiry(even(), CostSettings.model_validate({"price_decline_per_year": unsure, "today": "2026-11-25"}))
    assert wide is not None
    assert wide["date"] == found["date"]
    assert wide["low"] < found["low"]
    assert wide["high"] > found["high"]


def test_a_date_that_cannot_be_told_says_why() -> None:
    assert expiry(even(), CostSettings()) is None
    half = CostSettings.model_validate({"price_decline_per_year": 0.5, "today": date(2026, 11, 25)})
    for price, state in (
        (even(now=None), "unknown input"),
        (even(state="unknown input", reason="why"), "unknown input"),
        (even(state="never", value=None), "never"),
        (even(state="never", value=None, now=None), "never"),
        (even(state="already past", value=None, now=None), "already past"),
        (even(state="already past"), "already past"),
    ):
        found = expiry(price, half)
        assert found is not None
        assert (found["state"], found["date"]) == (state, None)
    exact = expiry(even(low=None, high=None), half)
    assert exact is not None
    assert (exact["date"], exact["low"], exact["high"]) == ("2028-11-24", None, None)
    unsure = {"value": 0.5, "low": 0.25, "high": 0.75}
    ranged = expiry(
        even(low=None, high=None), CostSettings.model_validate({**half.model_dump(), "price_decline_per_year": unsure})
    )
    assert ranged is not None
    assert ranged["low"] < ranged["date"] < ranged["high"]
    endless = expiry(even(low=0.0), half)
    assert endless is not None
    assert endless["high"] is None


def test_the_spread_of_a_crossing_is_the_same_for_a_seed() -> None:
    columns: dict[Key, list[float]] = {("x",): [float(n % 7) for n in range(50)]}
    one, other = (Draws(3).totals(columns, [1.0] * 50)["x",] for _ in range(2))
    assert np.array_equal(one, other)

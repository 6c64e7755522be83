"""Draws: what they are centred on, how wide they are, and that an interval holds the truth as often as it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.cost.uncertain import Draws, Key, figure, ratio, zeros
from benchmarks.cost_settings import Range

positive = st.floats(1e-6, 1e6)


@given(st.tuples(positive, positive, positive).map(sorted), st.integers(0, 99))
def test_an_assumption_is_drawn_within_its_range_half_on_either_side(ends: list[float], seed: int) -> None:
    low, value, high = ends
    drawn = Draws(seed).of("x", Range(value=value, low=low, high=high))
    assert drawn[0] == value
    assert drawn.min() >= low * (1 - 1e-9)
    assert drawn.max() <= high * (1 + 1e-9)
    if low < value < high:
        assert np.mean(drawn[1:] < value) == pytest.approx(0.5, abs=0.06)


def test_a_range_from_zero_is_drawn_too() -> None:
    drawn = Draws().of("x", Range(value=1.0, low=0.0, high=4.0))
    assert np.quantile(drawn[1:], [0.25, 0.75]) == pytest.approx([0.5, 2.5], rel=0.1)


def test_one_name_is_drawn_once_and_seeds_differ() -> None:
    given_ = Range(value=1.0, low=0.5, high=2.0)
    assert np.array_equal(Draws(1).of("a", given_), Draws(1).of("a", given_))
    assert not np.array_equal(Draws(1).of("a", given_), Draws(1).of("b", given_))
    assert not np.array_equal(Draws(1).of("a", given_), Draws(2).of("a", given_))


def test_what_rests_on_one_thing_is_low_together_and_high_together() -> None:
    one, other = (Range(value=v, low=v / 4, high=v * 9, drawn_with="rates") for v in (2.0, 3.0))
    draws = Draws(3)
    assert draws.of("b", other) / draws.of("a", one) == pytest.approx(np.full(2001, 1.5))
    alone = draws.of("b", other.model_copy(update={"drawn_with": ""})) / draws.of("a", one)
    assert np.ptp(alone) > 1


def test_totals_are_the_sums_and_spread_like_the_ratio_estimator() -> None:
    rng = np.random.default_rng(3)
    weights = [1.0] * 400
    y, x = rng.gamma(2.0, 1.0, 400), rng.binomial(1, 0.6, 400).astype(float)
    totals = Draws(5).totals({("y",): list(y), ("x",): list(x)}, weights)
    assert (totals["y",][0], totals["x",][0]) == pytest.approx((y.sum(), x.sum()))
    r = y.sum() / x.sum()
    error = np.sqrt(400 / 399 * ((y - r * x) ** 2).sum()) / x.sum()
    assert np.std(ratio(totals["y",], totals["x",])[1:]) == pytest.approx(error, rel=0.08)


def test_one_group_has_no_interval() -> None:
    assert figure(Draws().totals({("y",): [3.0]}, [5.0])["y",]) == {"value": 3.0, "low": None, "high": None}


def test_a_ratio_over_nothing_is_infinite_and_shown_as_not_known() -> None:
    assert figure(ratio(zeros() + 1, zeros()))["value"] is None
    assert figure(None) == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(("skew", "least"), [(0.5, 0.91), (1.0, 0.88)])
def test_the_interval_of_dollars_a_decision_holds_the_truth_as_often_as_it_says(skew: float, least: float) -> None:
    """250 samples of 150 groups of 1 to 4 requests that rise and fall together, 30 % of them free; error 1.4 points.

    With the skew of the built-in workload's costs (0.56) it holds the truth in 95 % of 2,000 samples, with one of 1 in
    93 %: a few dear questions that the sample lacks make it too low.
    """
    rng = np.random.default_rng(11)
    held, runs = 0, 250
    truth = 0.7 * np.exp(skew**2 / 2) / 0.7  # dollars a request over acceptable answers a request
    for run in range(runs):
        sizes = rng.integers(1, 5, 150)
        usd = rng.lognormal(0.0, skew, 150) * rng.binomial(sizes, 0.7)
        good = rng.binomial(sizes, rng.beta(1.4, 0.6, 150))
        columns: dict[Key, list[float]] = {
            ("usd",): [float(each) for each in usd],
            ("good",): [float(each) for each in good],
        }
        totals = Draws(run).totals(columns, [float(each) for each in sizes])
        found = figure(ratio(totals["usd",], totals["good",]))
        assert found["low"] is not None
        assert found["high"] is not None
        held += int(found["low"] <= truth <= found["high"])
    assert least <= held / runs <= 0.99

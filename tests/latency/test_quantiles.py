"""Quantiles: the nearest rank, an interval that holds the truth as often as it says, nothing from too small a sample.

The coverage figures are those that docs/latency.md states: simulated here, with fixed seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.latency.quantiles import SUPPORT, Estimate, least, of_series, quantile

Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
samples = st.lists(st.floats(0, 1e3), min_size=130, max_size=300)


@pytest.mark.parametrize(("q", "requests"), [(0.5, 11), (0.9, 64), (0.95, 130), (0.99, 662), (0.999, 6636)])
def test_a_quantile_needs_as_many_requests_as_mlperf_loadgen_asks(q: float, requests: int) -> None:
    assert least(q) == least(1 - q) == requests
    assert quantile(range(requests - 1), q) is None
    assert quantile(range(requests), q) is not None


@pytest.mark.parametrize("q", [0.5, 0.8, 0.95, 0.99, 0.9973])
def test_the_least_is_the_first_whose_last_but_one_bounds_the_quantile(q: float) -> None:
    assert binom.cdf(1, least(q), 1 - q) <= 1 - SUPPORT < binom.cdf(1, least(q) - 1, 1 - q)


@given(samples, st.sampled_from([0.05, 0.5, 0.9, 0.95]))
def test_it_is_the_nearest_rank_and_lies_in_its_interval(values: list[float], q: float) -> None:
    for found in (quantile(values, q), of_series(values, q)):
        if found is not None:
            assert found.value == sorted(values)[math.ceil(q * len(values) - 1e-9) - 1]
            assert {found.low, found.high} <= set(values)
            assert found.low <= found.value <= found.high
            assert found.independent <= found.n == len(values)


@given(samples, st.randoms(use_true_random=False))
def test_the_order_counts_only_where_requests_may_have_waited_for_one_another(values: list[float], rng: object) -> None:
    found = quantile(values, 0.5)
    rng.shuffle(values)  # type: ignore[attr-defined]
    assert quantile(values, 0.5) == found


def test_a_constant_has_itself_as_its_interval() -> None:
    assert quantile([2.0] * 700, 0.99) == of_series([2.0] * 700, 0.99) == Estimate(2.0, 2.0, 2.0, 700, 700.0)


def test_what_was_not_measured_is_refused_and_so_is_no_quantile() -> None:
    with pytest.raises(ValueError, match="not measured"):
        quantile([1.0, math.nan] * 100, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        of_series([1.0] * 100, 1.0)


def exponential(rng: np.random.Generator, n: int) -> Floats:
    return rng.exponential(size=n)


def autoregressive(rng: np.random.Generator, n: int) -> Floats:
    """x' = 0.8 x + noise, stationary, of variance 1."""
    from scipy.signal import lfilter

    noise = rng.normal(size=n) * math.sqrt(1 - 0.8**2)
    noise[0] = rng.normal()
    return np.asarray(lfilter([1.0], [1.0, -0.8], noise), dtype=np.float64)


def queue(utilisation: float) -> Draw:
    """Times in an M/M/1 queue with a mean service time of 1, begun in its steady state, by Lindley's recursion."""

    def draw(rng: np.random.Generator, n: int) -> Floats:
        service, between = rng.exponential(size=n), rng.exponential(1 / utilisation, size=n)
        walk = np.concatenate([[0.0], np.cumsum(service - between)[:-1]])
        begun = rng.exponential(1 / (1 - utilisation)) if rng.random() < utilisation else 0.0
        return np.asarray(np.maximum(begun + walk, walk - np.minimum.accumulate(walk)) + service, dtype=np.float64)

    return draw


def queue_quantile(utilisation: float, q: float) -> float:
    """The time in an M/M/1 queue is exponential with mean 1 / (1 - utilisation)."""
    return -math.log(1 - q) / (1 - utilisation)


def held(method: Callable[[Floats, float], Estimate | None], draw: Draw, n: int, q: float, truth: float) -> float:
    """The share of 600 samples whose interval holds the truth, of those that support it."""
    rng = np.random.default_rng(12)
    found = [method(draw(rng, n), q) for _ in range(600)]
    given = [each for each in found if each is not None]
    assert len(given) > 0.6 * len(found)
    return sum(each.low <= truth <= each.high for each in given) / len(given)


@pytest.mark.parametrize(("n", "q"), [(11, 0.5), (50, 0.5), (1000, 0.5), (662, 0.99), (1000, 0.99), (10_000, 0.999)])
def test_the_interval_holds_the_truth_where_requests_are_independent(n: int, q: float) -> None:
    rng, truth = np.random.default_rng(5), -math.log(1 - q)
    found = [quantile(exponential(rng, n), q) for _ in range(4000)]
    share = np.mean([each is not None and each.low <= truth <= each.high for each in found])
    assert share == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("draw", "n", "q", "truth", "independent", "series"),
    [
        (exponential, 2000, 0.5, math.log(2), 0.954, 0.974),
        (autoregressive, 2000, 0.5, 0.0, 0.543, 0.949),
        (queue(0.3), 2000, 0.95, queue_quantile(0.3, 0.95), 0.755, 0.957),
        (queue(0.5), 20_000, 0.99, queue_quantile(0.5, 0.99), 0.514, 0.941),
        (queue(0.7), 2000, 0.5, queue_quantile(0.7, 0.5), 0.479, 0.943),
        (queue(0.7), 20_000, 0.99, queue_quantile(0.7, 0.99), 0.285, 0.907),
        (queue(0.9), 20_000, 0.5, queue_quantile(0.9, 0.5), 0.144, 0.931),
    ],
    ids=["independent", "autoregressive", "30 % p95", "50 % p99", "70 % p50", "70 % p99", "90 % p50"],
)
def test_under_load_only_the_series_interval_is_near_what_it_says(
    draw: Draw, n: int, q: float, truth: float, independent: float, series: float
) -> None:
    """The shares expected are those of 2,000 samples with another seed; bounds are three standard errors of 600."""
    assert held(quantile, draw, n, q, truth) == pytest.approx(independent, abs=0.06)
    assert held(of_series, draw, n, q, truth) == pytest.approx(series, abs=0.04)


@pytest.mark.parametrize(("utilisation", "n"), [(0.7, 2000), (0.9, 2000), (0.9, 20_000)])
def test_a_tail_that_a_queue_does_not_support_is_seldom_given_and_so_seldom_wrong(utilisation: float, n: int) -> None:
    rng, draw, truth = np.random.default_rng(3), queue(utilisation), queue_quantile(utilisation, 0.99)
    found = [of_series(draw(rng, n), 0.99) for _ in range(400)]
    assert found.count(None) > 0.9 * len(found)
    assert sum(each is not None and not each.low <= truth <= each.high for each in found) <= 0.05 * len(found)

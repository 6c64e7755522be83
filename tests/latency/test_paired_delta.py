"""Pairs tell what a request gains; the order of asking takes out what drifts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.paired_delta import abba, delta


def test_pairing_finds_what_the_spread_of_requests_hides() -> None:
    rng = np.random.default_rng(1)
    first = rng.exponential(size=2000)
    second = first + 0.01 + rng.normal(scale=0.002, size=2000)
    found = delta(first, second, 0.5)
    assert found.of_differences is not None
    assert found.of_quantiles is not None
    assert found.of_differences.low <= 0.01 <= found.of_differences.high
    assert found.of_differences.low > 0 > found.of_quantiles.low
    assert found.of_quantiles.value == pytest.approx(np.median(second) - np.median(first), abs=1e-3)


def test_the_two_figures_answer_two_questions() -> None:
    requests = 1000
    first = np.array([1.0] * 900 + [10.0] * 100)
    second = np.array([1.1] * 900 + [2.0] * 100)
    order = np.random.default_rng(2).permutation(requests)
    found = delta(first[order], second[order], 0.95)
    assert found.of_differences is not None
    assert found.of_quantiles is not None
    assert found.of_differences.value == pytest.approx(0.1), "nearly every request is slower"
    assert found.of_quantiles.value == pytest.approx(-8.0), "and the tail is faster"


def test_the_interval_of_the_difference_of_quantiles_holds_however_the_two_depend() -> None:
    rng, truth = np.random.default_rng(4), 0.5 * np.log(2)
    for shared in (False, True):
        hits = 0
        for _ in range(400):
            first = rng.exponential(size=300)
            second = 1.5 * (first if shared else rng.exponential(size=300))
            found = delta(first, second, 0.5).of_quantiles
            assert found is not None
            hits += found.low <= truth <= found.high
        assert hits / 400 >= 0.95


def test_only_the_same_requests_can_be_paired_and_few_say_nothing() -> None:
    with pytest.raises(ValueError, match="pair those that both"):
        delta([1.0] * 30, [1.0] * 31, 0.5)
    few = delta([1.0] * 30, [2.0] * 30, 0.99)
    assert (few.of_differences, few.of_quantiles) == (None, None)


@given(st.integers(2, 4), st.integers(0, 30), st.integers(0, 5))
def test_every_two_blocks_ask_the_targets_forth_and_back(targets: int, blocks: int, seed: int) -> None:
    orders = abba(range(targets), blocks, seed)
    assert len(orders) == blocks
    assert orders == abba(range(targets), blocks, seed)
    for there, back in zip(orders[::2], orders[1::2], strict=False):
        assert back == there[::-1]
        assert sorted(there) == list(range(targets))


def test_which_target_goes_first_is_drawn() -> None:
    firsts = Counter(order[0] for order in abba("ab", 400, 7)[::2])
    assert 70 < firsts["a"] < 130


def test_a_steady_drift_adds_the_same_to_each_target() -> None:
    spent = Counter[str]()
    for time, target in enumerate(target for order in abba("ab", 10, 3) for target in order):
        spent[target] += time
    assert spent["a"] == spent["b"]

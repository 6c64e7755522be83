"""Intervals keep their promise: checked against scipy, by properties, and by simulation with a fixed seed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchmarks.quality import interval

marks = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60)


@pytest.mark.parametrize("right", [0, 1, 700, 1999, 2000])
def test_without_groups_a_share_has_wilsons_interval(right: int) -> None:
    low, high = interval.share([place < right for place in range(2000)], range(2000))
    known = binomtest(right, 2000).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((known.low, known.high), abs=2e-4)  # t with 1,999 degrees of freedom


@given(marks)
def test_a_share_lies_within_its_interval_which_lies_within_its_bounds(given_marks: list[tuple[bool, int]]) -> None:
    right, groups = [mark for mark, _ in given_marks], [group for _, group in given_marks]
    low, high = interval.share(right, groups)
    assert 0 <= low <= sum(right) / len(right) + 1e-12
    assert sum(right) / len(right) - 1e-12 <= high <= 1
    assert low < high


@given(marks)
def test_the_share_of_wrong_answers_has_the_mirrored_interval(given_marks: list[tuple[bool, int]]) -> None:
    right, groups = [mark for mark, _ in given_marks], [group for _, group in given_marks]
    low, high = interval.share(right, groups)
    assert interval.share([not mark for mark in right], groups) == pytest.approx((1 - high, 1 - low))


def test_copies_of_an_item_in_its_group_narrow_nothing() -> None:
    right = [number % 3 == 0 for number in range(60)]
    low, high = interval.share(right, range(60))
    twice = interval.share(right * 2, list(range(60)) * 2)
    assert twice == pytest.approx((low, high), abs=1e-3)


def test_no_difference_at_all_still_has_width() -> None:
    low, high = interval.difference([0.0] * 50, range(50))
    assert low < 0 < high


@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 9)), min_size=1, max_size=60))
def test_a_difference_turned_round_has_the_mirrored_interval(values: list[tuple[float, int]]) -> None:
    moved, groups = [value for value, _ in values], [group for _, group in values]
    low, high = interval.difference(moved, groups)
    assert interval.difference([-value for value in moved], groups) == pytest.approx((-high, -low))


@pytest.mark.parametrize("shift", [0.0, -0.1])
def test_nineteen_of_twenty_intervals_hold_the_truth(shift: float) -> None:
    """400 samples of 100 groups of two, whose members always agree; the Monte Carlo error is one point."""
    rng = random.Random(1)  # noqa: S311
    held_share = held_difference = 0
    for _ in range(400):
        groups = [number // 2 for number in range(200)]
        drawn = [rng.random() for _ in range(100)]
        right = [drawn[group] < 0.6 + shift for group in groups]
        moved = [float(drawn[group] < 0.15 + shift) - float(drawn[group] > 0.85) for group in groups]
        low, high = interval.share(right, groups)
        held_share += low <= 0.6 + shift <= high
        low, high = interval.difference(moved, groups)
        held_difference += low <= shift <= high
    assert held_share / 400 == pytest.approx(0.95, abs=0.03)
    assert held_difference / 400 == pytest.approx(0.96, abs=0.03)

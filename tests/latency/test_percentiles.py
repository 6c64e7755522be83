"""Percentiles: nearest rank on raw samples, and nothing where the sample is too small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.percentiles import BEYOND, percentile


@pytest.mark.parametrize(
    ("count", "share", "known"),
    [(19, 0.5, False), (20, 0.5, True), (199, 0.95, False), (200, 0.95, True), (999, 0.99, False), (1000, 0.99, True)],
)
def test_a_percentile_needs_ten_answers_beyond_it(count: int, share: float, known: bool) -> None:
    assert (percentile(list(range(count)), share) is not None) == known


@given(st.lists(st.floats(0, 1e3), min_size=200, max_size=400), st.sampled_from([0.5, 0.95]))
def test_it_is_a_value_of_the_sample_with_the_right_share_below(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = percentile(ordered, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) <= share * len(values)
    assert sum(value >= found for value in values) >= BEYOND

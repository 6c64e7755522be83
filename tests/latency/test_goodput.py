"""Goodput counts what kept both limits, and says nothing where it cannot know."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.goodput import DEFAULT, MLPERF, Goodput, Limits, Requests, goodput, tpot_s, within


def test_mlperfs_interactive_limits() -> None:
    assert DEFAULT == MLPERF["llama3.1-8b"] == Limits(0.5, 0.03)
    assert MLPERF["llama2-70b"] == Limits(0.45, 0.04)


def test_time_per_output_token_leaves_out_the_first() -> None:
    found = tpot_s([0.5, 0.5, 0.5, None, 0.5], [1.5, 0.5, 0.5, 1.0, 1.0], [11, 1, 0, 5, None])
    assert found[0] == pytest.approx(0.1)
    assert np.isnan(found[1:]).all(), "one token has no pace, and neither has what was not measured"


def test_late_slow_and_failed_requests_do_not_count() -> None:
    first = [0.5, 0.6, 0.1, 0.1, None, 0.2]
    done = [0.5 + 99 * 0.03, 1.0, 5.0, 0.2, None, 0.2]
    tokens = [100, 100, 100, 100, None, 1]
    answered = [True, True, True, False, False, True]  # in time to the hair; late; slow; failed; failed; one token
    requests = Requests(first, done, tokens, answered)
    assert goodput(requests, requests, seconds=4.0) == Goodput(2, 6, 0.5, 2 / 6)


def test_the_share_is_of_what_was_asked_and_the_rate_of_what_came_in_the_window() -> None:
    asked = Requests([0.1, 0.1, 0.9], [0.1, 0.1, 0.9], [1, 1, 1], [True, True, True])
    came = Requests([0.1], [0.1], [1], [True])
    assert goodput(asked, came, seconds=2.0) == Goodput(2, 3, 0.5, 2 / 3)
    assert goodput(asked, came, seconds=None) == Goodput(2, 3, None, 2 / 3)
    assert goodput(asked, Requests([None], [0.1], [1], [True]), seconds=2.0) is None


@pytest.mark.parametrize(
    ("first", "done", "tokens"), [(None, 1.0, 10), (0.1, None, 10), (0.1, 1.0, None), (math.nan, 1.0, 10)]
)
def test_one_answer_without_its_times_makes_it_not_measured(
    first: float | None, done: float | None, tokens: float | None
) -> None:
    assert within(Requests([0.1, first], [0.2, done], [10, tokens], [True, True]), DEFAULT) is None
    assert within(Requests([0.1, first], [0.2, done], [10, tokens], [True, False]), DEFAULT) == 1


def test_nothing_asked_is_not_measured() -> None:
    nobody = Requests([], [], [], [])
    assert goodput(nobody, nobody, seconds=1.0) is None


times = st.tuples(st.floats(0, 2), st.floats(0, 5), st.integers(0, 200), st.booleans())


@given(st.lists(times, min_size=1), st.floats(1e-3, 2), st.floats(1e-4, 0.1), st.floats(0.1, 1))
def test_stricter_limits_and_failures_never_raise_it(
    rows: list[tuple[float, float, int, bool]], ttft_s: float, pace_s: float, stricter: float
) -> None:
    first, more, tokens, answered = (list(column) for column in zip(*rows, strict=True))
    done = [start + rest for start, rest in zip(first, more, strict=True)]
    limits, strict = Limits(ttft_s, pace_s), Limits(ttft_s * stricter, pace_s * stricter)
    found = within(Requests(first, done, tokens, answered), limits)
    assert found is not None
    assert found <= sum(answered)
    stricter_yet = within(Requests(first, done, tokens, answered), strict)
    fewer = [good and number % 2 == 0 for number, good in enumerate(answered)]
    with_failures = within(Requests(first, done, tokens, fewer), limits)
    assert stricter_yet is not None
    assert with_failures is not None
    assert max(stricter_yet, with_failures) <= found

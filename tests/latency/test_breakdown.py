"""Where the time goes: parts that add up to the whole, whatever the steps say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency import breakdown
from benchmarks.latency.breakdown import parts_s
from benchmarks.rows import Row
from benchmarks.targets.target import steps_of_stage
from shared.contract import Completion, Standing
from shared.steps import Step
from tests.rows import row


def call(kind: str, start_s: float, seconds: float, model_s: float | None, timing: Standing = "emulated") -> Step:
    return Step(kind, "ok", start_s, seconds, "", Completion("yes", "m", seconds=model_s, timing=timing))


def test_a_cascade_step_by_step() -> None:
    steps = (
        Step("cache", "none", 0.0, 0.01),
        Step("classify", "ok", 0.02, 0.03),
        call("small", 0.05, 0.22, 0.2),
        call("large", 0.27, 0.52, 0.5),
        Step("store", "ok", 0.8, 0.1, after_answer=True),
    )
    assert parts_s(0.8, steps) == pytest.approx(
        {"cache": 0.01, "classify": 0.03, "small": 0.2, "large": 0.5, "adapter": 0.04, "rest": 0.02}
    )


def test_recorded_seconds_come_on_top_of_those_that_passed() -> None:
    assert parts_s(2.01, (call("call", 0.0, 0.004, 2.0, "recorded"),)) == pytest.approx(
        {"call": 2.0, "adapter": 0.004, "rest": 0.006}
    )


def test_a_call_that_failed_is_its_own_kind_and_overlaps_count_once() -> None:
    steps = (Step("small", "timeout", 0.0, 1.0), Step("cache", "ok", 0.5, 1.0), Step("share", "ok", 0.6, 0.2))
    assert parts_s(2.0, steps) == pytest.approx({"small": 1.0, "cache": 0.5, "share": 0.0, "rest": 0.5})


steps = st.builds(
    Step,
    st.sampled_from(["cache", "classify", "small", "large", "call", "store"]),
    st.just("ok"),
    st.floats(0, 5),
    st.floats(0, 5),
    st.just(""),
    st.none()
    | st.builds(
        Completion,
        st.just("yes"),
        st.just("m"),
        seconds=st.none() | st.floats(0, 5),
        timing=st.sampled_from(["measured", "emulated", "recorded", "unknown"]),
    ),
    st.booleans(),
)


@given(st.lists(st.tuples(st.floats(0, 10), st.lists(steps, max_size=5)), min_size=1, max_size=40))
def test_parts_are_never_negative_and_add_up(requests: list[tuple[float, list[Step]]]) -> None:
    rows = [
        row("legacy", number, latency_s=latency_s, steps=tuple(each))
        for number, (latency_s, each) in enumerate(requests)
    ]
    for found in (breakdown.mean(rows), breakdown.median(rows)):
        assert found is not None
        assert all(seconds >= 0 for seconds in found.parts_s.values())
        assert sum(found.parts_s.values()) == pytest.approx(found.seconds, abs=1e-9)
        assert sum(found.shares.values()) == pytest.approx(1.0 if found.seconds else 0.0)


def timed(number: int, latency_s: float, **other: object) -> Row:
    return row("direct", number, latency_s=latency_s, steps=(call("call", 0.0, latency_s, latency_s),), **other)  # type: ignore[arg-type]


def test_a_median_request_is_the_mean_of_those_around_the_median() -> None:
    rows = [timed(number, float(number)) for number in range(100)]
    found = breakdown.median(rows)
    assert found is not None
    assert (found.requests, found.seconds) == (10, 49.5)
    only = breakdown.median(rows[:1])
    assert only is not None
    assert only.requests == 1


def test_work_after_the_answer_stands_apart() -> None:
    late = Step("store", "ok", 1.0, 0.5, after_answer=True)
    found = breakdown.mean([row("legacy", 0, latency_s=1.0, steps=(late,)), timed(1, 2.0)])
    assert found is not None
    assert (found.seconds, found.after_answer_s) == (1.5, {"store": 0.25})
    assert "store" not in found.parts_s


def test_what_does_not_tell_its_steps_is_not_measured() -> None:
    reported = steps_of_stage("large", Completion("yes", "m", seconds=1.0))
    rows = [
        row("direct", 0, latency_s=1.0),
        row("direct", 1, latency_s=1.0, steps=reported),
        row("direct", 2, latency_s=None, steps=()),
        timed(3, 1.0, error="Timeout"),
    ]
    assert breakdown.mean(rows) is None
    assert breakdown.median(rows) is None

"""Every class that a request can end in, each with the case that just makes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.oracle import P99_LEAST, Ended, Judged, judge, tally, way
from shared.contract import Answer, Completion, FinishReason
from shared.steps import Outcome, Step

HEALTHY = frozenset({"small's", "large's"})


def step(kind: str, outcome: Outcome = "ok") -> Step:
    return Step(kind, outcome, 0.0, 0.1)


def answered(text: str, *steps: Step, finish_reason: FinishReason = "stop") -> Answer:
    return Answer(Completion(text, "m", finish_reason=finish_reason), steps, 0.1, 0.1)


def ended(answer: Answer | None, **fields: object) -> Ended:
    return Ended(0.1, 30.0, answer.steps if answer else (), answer, **fields)  # type: ignore[arg-type]


USUAL = answered("large's", step("cache", "none"), step("classify"), step("large"))
ALONE = step("large")


@pytest.mark.parametrize(
    ("found", "judged"),
    [
        (ended(answered("large's", ALONE)), Judged("well", "large")),
        (ended(answered("large's", step("large", "error"), ALONE)),
         Judged("degraded", "large after a retry instead of large")),
        (ended(answered("large's", step("cache"))), Judged("degraded", "kept instead of large")),
        (ended(answered("small's", step("small"))), Judged("degraded", "small instead of large")),
        (ended(answered("small's", ALONE)), Judged("degraded", "another model's answer, kept")),
        (ended(answered("large's and more", ALONE, finish_reason="length")),
         Judged("degraded", "cut short, and says so")),
        (ended(answered("large", ALONE, finish_reason="length")), Judged("degraded", "cut short, and says so")),
        (ended(answered("large", ALONE)), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE, finish_reason="length")), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE, finish_reason="unknown")), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE)), Judged("wrong", "another text by large")),
        (ended(answered("", ALONE)), Judged("wrong", "another text by large")),
        (ended(None, error="BadAnswer"), Judged("failed", "BadAnswer")),
        (ended(None, left=True), Judged("left", "")),
        (ended(None, untyped="ValueError"), Judged("lost", "ValueError")),
        (ended(None), Judged("lost", "no outcome")),
    ],
)  # fmt: skip
def test_each_ending_has_its_class(found: Ended, judged: Judged) -> None:
    assert judge(found, USUAL, HEALTHY, detectable=True) == judged


def test_what_nothing_shows_is_undetected_and_not_wrong() -> None:
    found = ended(answered("none's", ALONE))
    assert judge(found, USUAL, HEALTHY, detectable=False) == Judged("undetected", "another text by large")


def test_the_way_is_who_answered_and_an_answer_from_memory_is_kept() -> None:
    assert way([step("cache")]) == way([step("cache", "none"), step("share")]) == "kept"
    assert way([step("small", "timeout"), step("large")]) == "large"
    assert way([step("call", "error"), step("pause"), step("call")]) == "call after a retry"


endings = st.sampled_from(
    [
        ended(USUAL),
        ended(answered("small's", step("small"))),
        ended(answered("none's", ALONE)),
        ended(None, error="DeadlineExceeded"),
        ended(None, left=True),
        ended(None),
    ]
)


@given(st.lists(endings, max_size=40), st.sampled_from(["500", "other-model"]))
def test_every_request_is_in_exactly_one_class(found: list[Ended], fault: str) -> None:
    cell = tally("legacy", fault, "large", [(each, USUAL, HEALTHY) for each in found], tick_s=0.001)
    assert cell.ended == cell.requests == len(found)
    assert sum(cell.ways.values()) == len(found) - cell.left


def test_late_is_after_the_deadline_and_one_tick() -> None:
    late = [replace(ended(USUAL), seconds=seconds) for seconds in (29.0, 30.0, 30.0009, 30.0011)]
    cell = tally("legacy", "500", "large", [(each, USUAL, HEALTHY) for each in late], tick_s=0.001)
    assert (cell.late, cell.broken, cell.well) == (1, True, 4)


@pytest.mark.parametrize("count", [P99_LEAST - 1, P99_LEAST])
def test_a_p99_needs_as_many_requests_as_support_it(count: int) -> None:
    sent = [(replace(ended(USUAL), seconds=number / 1000), USUAL, HEALTHY) for number in range(count)]
    cell = tally("legacy", "500", "large", sent, tick_s=0.001)
    assert cell.p99_s == (None if count < P99_LEAST else 0.655)
    assert cell.slowest_s == (count - 1) / 1000

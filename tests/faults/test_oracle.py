"""Every class that a request can end in, each with the case that just makes it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.oracle import P99_LEAST, TTL_S, Ended, Judged, Sent, judge, tally, way
from shared.contract import Answer, Completion, FinishReason, Usage
from shared.steps import Outcome, Step

HEALTHY = frozenset({"small's", "large's"})


def step(kind: str, outcome: Outcome = "ok", detail: str = "") -> Step:
    return Step(kind, outcome, 0.0, 0.1, detail)


def answered(text: str, *steps: Step, finish_reason: FinishReason = "stop", usage: Usage | None = None) -> Answer:
    return Answer(Completion(text, "m", usage or Usage(3, 4), finish_reason), steps, 0.1, 0.1)


def ended(answer: Answer | None, **fields: object) -> Ended:
    return Ended(0.1, 30.0, answer.steps if answer else (), answer, **fields)  # type: ignore[arg-type]


USUAL = answered("large's", step("cache", "none"), step("classify"), step("large"))
ALONE = step("large")


def sent(found: Ended, **fields: object) -> Sent:
    return Sent(found, USUAL, HEALTHY, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "judged"),
    [
        (ended(answered("large's", ALONE)), Judged("well", "large")),
        (ended(answered("large's", step("large", "error"), ALONE)),
         Judged("degraded", "large after a retry instead of large, the same text")),
        (ended(answered("large's", step("cache"))), Judged("degraded", "kept instead of large, the same text")),
        (ended(answered("small's", step("small"))), Judged("degraded", "another model's text by small")),
        (ended(answered("small's", ALONE)), Judged("degraded", "another model's text by large")),
        (ended(answered("large's and more", ALONE, finish_reason="length")),
         Judged("degraded", "cut short, and says so")),
        (ended(answered("large", ALONE, finish_reason="length")), Judged("degraded", "cut short, and says so")),
        (ended(answered("large", ALONE)), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE, finish_reason="length")), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE, finish_reason="unknown")), Judged("wrong", "another text by large")),
        (ended(answered("none's", ALONE)), Judged("wrong", "another text by large")),
        (ended(answered("", ALONE)), Judged("wrong", "another text by large")),
        (ended(answered("", ALONE, finish_reason="length")), Judged("wrong", "another text by large")),
        (ended(None, error="BadAnswer"), Judged("failed", "BadAnswer")),
        (ended(None, left=True), Judged("left", "")),
        (ended(None, untyped="ValueError"), Judged("lost", "ValueError")),
        (ended(None), Judged("lost", "no outcome")),
    ],
)  # fmt: skip
def test_each_ending_has_its_class(found: Ended, judged: Judged) -> None:
    assert judge(sent(found)) == judged


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("the other's", "undetected"), ("somebody else's secret", "wrong"), ("the ot", "wrong"), ("large's", "well")],
)
def test_only_what_the_fault_itself_says_is_undetected(text: str, verdict: str) -> None:
    assert judge(sent(ended(answered(text, ALONE)), planted={"the other's"})).verdict == verdict


@pytest.mark.parametrize(
    ("detail", "verdict"),
    [
        ("stored 0.000 s ago", "degraded"),
        (f"stored {TTL_S - 0.001:.3f} s ago", "degraded"),
        (f"stored {TTL_S:.3f} s ago", "wrong"),
        ("stored -0.001 s ago", "wrong"),
        ("", "degraded"),
    ],
)
def test_an_answer_from_the_cache_beyond_its_time_to_live_is_wrong(detail: str, verdict: str) -> None:
    found = judge(sent(ended(answered("large's", step("cache", "ok", detail)))))
    assert found.verdict == verdict
    assert verdict != "wrong" or found.way == "an answer beyond its time to live"


@pytest.mark.parametrize(
    ("usage", "kind", "verdict"),
    [
        (Usage(), "large", "well"),
        (Usage(0, 0), "large", "wrong"),
        (Usage(3, 4), "large", "wrong"),
        (Usage(), "cache", "degraded"),
        (Usage(3, 4), "cache", "degraded"),
        (Usage(3, 0), "cache", "wrong"),
    ],
)
def test_token_counts_that_the_model_did_not_give_are_unknown_and_nothing_else(
    usage: Usage, kind: str, verdict: str
) -> None:
    found = ended(answered("large's", step(kind), usage=usage))
    assert judge(sent(found, uncounted="large")).verdict == verdict
    assert judge(sent(found)).verdict != "wrong"


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


@given(st.lists(endings, max_size=40), st.sampled_from([(), ("none's",)]))
def test_every_request_is_in_exactly_one_class(found: list[Ended], planted: tuple[str, ...]) -> None:
    cell = tally("legacy", "500", "large", [sent(each, planted=planted) for each in found], tick_s=0.001)
    assert cell.ended == cell.requests == len(found)
    assert sum(cell.ways.values()) == len(found) - cell.left
    assert (cell.wrong if planted else cell.undetected) == 0


def test_late_is_after_the_deadline_and_one_tick() -> None:
    late = [sent(replace(ended(USUAL), seconds=seconds)) for seconds in (29.0, 30.0, 30.0009, 30.0011)]
    cell = tally("legacy", "500", "large", late, tick_s=0.001)
    assert (cell.late, cell.broken, cell.well) == (1, True, 4)


@pytest.mark.parametrize(
    ("found", "lingering", "late"),
    [
        (ended(answered("none's", ALONE)), {"wrong: another text by large": 1}, 0),
        (ended(None), {"lost: no outcome": 1}, 0),
        (replace(ended(USUAL), seconds=95.0), {}, 1),
    ],
)
def test_what_must_never_be_must_not_be_after_the_fault_either(
    found: Ended, lingering: dict[str, int], late: int
) -> None:
    well = sent(ended(USUAL))
    cell = tally("legacy", "500", "large", [well], tick_s=0.001, after=[well, sent(found)])
    assert (cell.well, cell.after, cell.lingering, cell.late, cell.broken) == (1, 2, lingering, late, True)
    assert not tally("legacy", "500", "large", [well], tick_s=0.001, after=[well]).broken


@pytest.mark.parametrize("count", [P99_LEAST - 1, P99_LEAST])
def test_a_p99_needs_as_many_requests_as_support_it(count: int) -> None:
    found = [sent(replace(ended(USUAL), seconds=number / 1000)) for number in range(count)]
    cell = tally("legacy", "500", "large", found, tick_s=0.001)
    assert cell.p99_s == (None if count < P99_LEAST else 0.655)
    assert cell.slowest_s == (count - 1) / 1000

"""Which answers latency rests on, where some have no seconds."""

from __future__ import annotations

from typing import get_args

from benchmarks.latency.percentiles import measure
from benchmarks.rows import Row, Score
from benchmarks.scenario import Arm
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item
from shared.contract import Completion, Message, Request, Standing
from shared.steps import Step

REQUEST = Request((Message("user", "?"),))


def row(arm: Arm, number: int, item: str, latency_s: float | None, *, timing: Standing = "recorded") -> Row:
    question = Item(
        id=item, group=item, task="t", input="?", reference=["yes"], author="a", source="own", licence="CC0"
    )
    call = Completion("yes", "m", seconds=latency_s, timing=timing)
    steps = (Step("call", "ok", 0.0, 0.0, "", call),)
    asked = Asked(number, question, repeat=False)
    return Row(asked, REQUEST, arm, "yes", "m", None, Score(1.0, ""), latency_s, 0.0, None, steps)


def both(*rows: tuple[str, float | None, float | None, Standing]) -> dict[Arm, list[Row]]:
    """(item, legacy's seconds, direct's seconds, timing of direct's call) for each request."""
    return {
        arm: [
            row(arm, number, item, seconds[place], timing=timing if arm == "direct" else "recorded")
            for number, (item, *seconds, timing) in enumerate(rows)
        ]
        for place, arm in enumerate(get_args(Arm))
    }


def test_a_question_without_recorded_seconds_is_left_out_on_both_sides_and_with_its_repeats() -> None:
    arms = both(("a", 1.0, 3.0, "recorded"), ("b", 9.0, None, "unknown"), ("b", 0.0, 5.0, "recorded"))
    found = measure(arms)
    assert [(found[arm]["timed"], found[arm]["answered"], found[arm]["mean_s"]) for arm in found] == [
        (1, 3, 1.0),
        (1, 3, 3.0),
    ]


def test_what_a_system_did_not_report_makes_its_latency_not_measured() -> None:
    arms = both(("a", 1.0, 3.0, "recorded"), ("b", 9.0, None, "recorded"))
    found = measure(arms)
    assert (found["legacy"]["timed"], found["legacy"]["mean_s"]) == (2, 5.0)
    assert (found["direct"]["timed"], found["direct"]["mean_s"]) == (0, None)


def test_with_no_seconds_at_all_nothing_is_measured() -> None:
    found = measure(both(("a", None, None, "unknown")))
    assert (found["direct"]["timed"], found["direct"]["mean_s"], found["direct"]["p50_s"]) == (0, None, None)

"""Which answers latency rests on, where some have no seconds."""

from __future__ import annotations

from typing import get_args

from benchmarks.latency.percentiles import measure
from benchmarks.rows import Row
from benchmarks.scenario import Arm
from shared.contract import Completion, Standing
from shared.steps import Step
from tests.rows import row


def timed(arm: Arm, number: int, item: str, latency_s: float | None, *, timing: Standing = "recorded") -> Row:
    call = Completion("yes", "m", seconds=latency_s, timing=timing)
    return row(arm, number, item, latency_s=latency_s, steps=(Step("call", "ok", 0.0, 0.0, "", call),))


def both(*rows: tuple[str, float | None, float | None, Standing]) -> dict[Arm, list[Row]]:
    """(item, legacy's seconds, direct's seconds, timing of direct's call) for each request."""
    return {
        arm: [
            timed(arm, number, item, seconds[place], timing=timing if arm == "direct" else "recorded")
            for number, (item, *seconds, timing) in enumerate(rows)
        ]
        for place, arm in enumerate(get_args(Arm))
    }


def test_a_question_without_recorded_seconds_is_left_out_on_both_sides_and_with_its_repeats() -> None:
    arms = both(("a", 1.0, 3.0, "recorded"), ("b", 9.0, None, "unknown"), ("b", 0.0, 5.0, "recorded"))
    found = measure(arms)
    assert [(found[arm]["timed"], found[arm]["answered"], found[arm]["mean"]) for arm in get_args(Arm)] == [
        (1, 3, 1.0),
        (1, 3, 3.0),
    ]


def test_what_a_system_did_not_report_makes_its_latency_not_measured() -> None:
    arms = both(("a", 1.0, 3.0, "recorded"), ("b", 9.0, None, "recorded"))
    found = measure(arms)
    assert (found["legacy"]["timed"], found["legacy"]["mean"]) == (2, 5.0)
    assert (found["direct"]["timed"], found["direct"]["mean"]) == (0, None)


def test_both_are_timed_over_what_both_answered() -> None:
    arms = both(("a", 1.0, 3.0, "recorded"), ("b", 9.0, 5.0, "recorded"), ("c", 2.0, 7.0, "recorded"))
    arms["direct"][1] = row("direct", 1, "b", error="Timeout")
    arms["legacy"][2] = row("legacy", 2, "c", error="Timeout")
    found = measure(arms)
    assert [(found[arm]["timed"], found[arm]["answered"], found[arm]["mean"]) for arm in get_args(Arm)] == [
        (1, 2, 1.0),
        (1, 2, 3.0),
    ]


def test_an_arm_whose_recordings_hold_no_seconds_leaves_the_others_alone() -> None:
    arms = both(("a", 1.0, None, "unknown"), ("b", 9.0, None, "unknown"), ("c", None, None, "unknown"))
    arms["legacy"][2] = timed("legacy", 2, "c", None, timing="unknown")
    hit = Step("similar", "ok", 0.0, 0.0)
    arms["direct"].append(row("direct", 3, "d", latency_s=0.0, steps=(hit,)))
    arms["legacy"].append(timed("legacy", 3, "d", 2.0))
    found = measure(arms)
    assert (found["legacy"]["timed"], found["legacy"]["mean"]) == (3, 4.0)
    assert (found["direct"]["timed"], found["direct"]["mean"]) == (0, None), "its hits alone are the fast part"


def test_with_no_seconds_at_all_nothing_is_measured() -> None:
    found = measure(both(("a", None, None, "unknown")))
    assert (found["direct"]["timed"], found["direct"]["mean"], found["direct"]["p50"]) == (0, None, None)

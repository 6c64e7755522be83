"""Cost, calls and tokens over rows: what failed requests add, and what a system does not tell."""

from __future__ import annotations

from typing import Any

from benchmarks.cost.per_answer import measure
from benchmarks.rows import Row
from benchmarks.targets.target import steps_of_stage
from shared.contract import Completion, Usage
from shared.steps import Step
from tests.rows import row

TEN = Usage(8, 2)
CALL = Completion("yes", "m", TEN)


def called(*kinds: str) -> tuple[Step, ...]:
    return tuple(Step(kind, "ok", 0.0, 0.0, "", CALL) for kind in kinds)


def legacy(*rows: Row) -> dict[str, Any]:
    found: dict[str, Any] = measure({"legacy": rows, "direct": [row("direct", 0, usage=TEN)]})["legacy"]
    return found


def test_failed_requests_cost_money_and_are_no_answers() -> None:
    found = legacy(
        row("legacy", 0, cost_usd=1.0, steps=called("small")),
        row("legacy", 1, cost_usd=2.0, steps=called("small", "large"), error="Timeout"),
    )
    assert (found["costed"], found["usd_per_answer"]) == (2, 3.0)
    assert (found["told"], found["calls_per_answer"]) == (2, 3.0)
    assert found["small_share"] == 1.0
    assert (found["input_tokens"], found["output_tokens"]) == (24, 6)


def test_failed_requests_that_tell_nothing_are_left_out() -> None:
    found = legacy(row("legacy", 0, cost_usd=1.0, usage=TEN), row("legacy", 1, error="Timeout"))
    assert (found["costed"], found["usd_per_answer"]) == (1, 1.0)
    assert (found["input_tokens"], found["output_tokens"]) == (8, 2)


def test_an_answer_that_tells_nothing_leaves_no_figure() -> None:
    found = legacy(row("legacy", 0, cost_usd=1.0, usage=TEN, steps=called("small")), row("legacy", 1))
    assert {name for name, value in found.items() if value is not None} == {"costed", "told"}
    assert (found["costed"], found["told"]) == (0, 0)


def test_where_nothing_was_answered_there_is_no_cost_of_an_answer() -> None:
    found = legacy(row("legacy", 0, cost_usd=1.0, steps=called("large"), error="Timeout"))
    assert (found["costed"], found["usd_per_answer"], found["calls_per_answer"]) == (1, None, None)


def test_a_reported_stage_tells_who_answered_and_not_how_many_calls_it_took() -> None:
    stages = ("cache", "small", "large", "large")
    found = legacy(*[row("legacy", number, steps=steps_of_stage(each, CALL)) for number, each in enumerate(stages)])
    assert (found["hit_rate"], found["small_share"], found["calls_per_answer"]) == (0.25, 0.25, None)


def test_a_cache_hit_makes_no_call_and_uses_no_tokens() -> None:
    found = legacy(
        row("legacy", 0, cost_usd=2.0, steps=called("large")),
        row("legacy", 1, cost_usd=0.0, steps=(Step("cache", "ok", 0.0, 0.0),)),
    )
    assert (found["hit_rate"], found["calls_per_answer"], found["usd_per_answer"]) == (0.5, 0.5, 1.0)
    assert (found["input_tokens"], found["output_tokens"]) == (8, 2)

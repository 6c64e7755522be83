"""Accounts of the stages: they add up exactly to legacy less the large model for everything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cost.rates import Rate
from benchmarks.cost.stages import NOT_ASKED, Stages
from benchmarks.cost.uncertain import Draws
from benchmarks.cost_settings import CostSettings
from benchmarks.rows import Row
from shared.contract import Completion, Usage
from shared.hardware.catalogue import Figure, Hardware, find
from shared.pricing import Price
from shared.steps import Outcome, Step
from tests.rows import row

RATES = {
    ("legacy", "small"): Rate(price=Price("small", 1.0, 2.0, "test")),
    ("legacy", "large"): Rate(price=Price("large", 10.0, 20.0, "test")),
}
SMALL_USD, LARGE_USD = 100e-6 + 10 * 2e-6, 100 * 10e-6 + 10 * 20e-6
LOOK_UP, CLASSIFY, STORE = 1e-5, 3e-4, 5e-5


def call(kind: str, seconds: float, outcome: Outcome = "ok") -> Step:
    return Step(kind, outcome, 0.0, 0.0, "", Completion("yes", kind, Usage(100, 10), seconds=seconds))


def looked(outcome: Outcome) -> Step:
    return Step("cache", outcome, 0.0, LOOK_UP)


CLASSIFIED, STORED = Step("classify", "ok", 0.0, CLASSIFY), Step("store", "ok", 0.0, STORE, after_answer=True)


def measured(
    legacy: Sequence[Row], others: dict[str, list[Row]] | None, hardware: dict[str, Hardware | None], **given_: Any
) -> dict[str, Any]:
    chosen = CostSettings.model_validate(given_)
    return Stages(RATES, hardware, chosen, Draws()).measure(legacy, others)


one_request = st.fixed_dictionaries(
    {
        "hit": st.booleans(),
        "small": st.booleans(),
        "rejected": st.booleans(),
        "scores": st.tuples(*[st.sampled_from([0.0, 1.0])] * 3),
        "small_s": st.floats(0.0, 10.0),
        "large_s": st.floats(0.0, 10.0),
        "task": st.sampled_from(["a", "b"]),
    }
)


def rows_of(number: int, asked: dict[str, Any]) -> tuple[Row, Row, Row]:
    """A request by legacy, without its cache, and by the large model, as the counterfactual pipelines would."""
    small, large = call("small", asked["small_s"]), call("large", asked["large_s"])
    calls: tuple[Step, ...] = (large,)
    if asked["small"]:
        calls = (call("small", asked["small_s"], "rejected"), large) if asked["rejected"] else (small,)
    found, fresh, always = asked["scores"]
    if not asked["hit"]:
        found = fresh
    if calls[-1] is large:
        always = fresh
    steps = (looked("ok"),) if asked["hit"] else (looked("none"), CLASSIFIED, *calls, STORED)
    of: dict[str, Any] = {"item": f"q{number}", "task": asked["task"]}
    return (
        row("legacy", number, score=found, steps=steps, **of),
        row("legacy", number, score=fresh, steps=(CLASSIFIED, *calls), **of),
        row("legacy", number, score=always, steps=(*calls[:-1], large) if calls[-1] is large else (large,), **of),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(one_request, min_size=1, max_size=8), st.floats(0.0, 1.0))
def test_the_accounts_add_up_to_legacy_less_the_large_model_for_everything(
    asked: list[dict[str, Any]], wrong_usd: float
) -> None:
    three = [rows_of(number, each) for number, each in enumerate(asked)]
    legacy, no_cache, large = (list(each) for each in zip(*three, strict=True))
    others = {"no_cache": no_cache, "always_large": large}
    found = measured(
        legacy, others, {}, wrong_answer_usd=wrong_usd, cache_storage_usd_per_gb_month=2.0, requests_per_month=1e3
    )  # fmt: skip
    wrong = [sum(1 - (each.score.value if each.score else 0.0) for each in rows) for rows in (legacy, large)]
    spent = sum(
        SMALL_USD * (step.kind == "small") + LARGE_USD * (step.kind == "large")
        for each in legacy
        for step in each.steps or ()
    )
    usd = spent + 2.0 / 1e3 * len(asked) - LARGE_USD * len(asked) + (wrong[0] - wrong[1]) * wrong_usd
    seconds = sum(
        step.completion.seconds or 0.0 if step.completion else step.seconds
        for each in legacy
        for step in each.steps or ()
    ) - sum(each["large_s"] for each in asked)
    expected = {"usd": usd, "seconds": seconds, "wrong_answers": wrong[0] - wrong[1]}
    for metric, total in expected.items():
        nets = [found[stage][metric]["net"] for stage in ("cache", "classifier", "cascade")]
        assert found["total"][metric]["net"] == pytest.approx(total / len(asked), abs=1e-12)
        assert sum(nets) == pytest.approx(total / len(asked), abs=1e-12)
        assert found["routing"][metric]["net"] == pytest.approx(nets[1] + nets[2], abs=1e-12)
        for stage in ("cache", "classifier", "cascade"):
            account = found[stage][metric]
            assert account["net"] == pytest.approx(account["costs"] - account["saves"], abs=1e-12)
            assert min(account["costs"], account["saves"]) >= 0
    assert (found["requests"], found["left_out"], found["estimated"]) == (len(asked), 0, 0)


def ask(**changed: Any) -> dict[str, Any]:
    usual = {"hit": False, "small": False, "rejected": False, "scores": (1.0, 1.0, 1.0), "small_s": 1.0, "large_s": 4.0}
    return {**usual, "task": "a", **changed}


def of_three(*asked: dict[str, Any]) -> tuple[list[Row], dict[str, list[Row]]]:
    three = [rows_of(number, each) for number, each in enumerate(asked)]
    legacy, no_cache, large = (list(each) for each in zip(*three, strict=True))
    return legacy, {"no_cache": no_cache, "always_large": large}


def test_a_false_hit_costs_a_wrong_answer_and_a_misroute_is_the_cascades() -> None:
    legacy, others = of_three(
        ask(hit=True, scores=(0.0, 1.0, 1.0)), ask(small=True, scores=(0.0, 0.0, 1.0)), ask(), ask(hit=True)
    )
    found = measured(legacy, others, {})
    assert found["cache"]["wrong_answers"]["costs"] == 1 / 4
    assert found["cascade"]["wrong_answers"]["costs"] == 1 / 4
    assert found["classifier"]["wrong_answers"]["net"] == 0.0
    assert found["cascade"]["usd"]["saves"] == pytest.approx((LARGE_USD - SMALL_USD) / 4)
    assert found["cache"]["usd"]["saves"] == pytest.approx(2 * LARGE_USD / 4)


def test_a_stage_that_costs_more_than_it_saves_says_how_many_times() -> None:
    """A draft that is always thrown away: two small calls are paid for, and nothing is spared."""
    legacy, others = of_three(ask(small=True, rejected=True), ask(small=True, rejected=True), ask(small=True))
    found = measured(legacy, others, {})["cascade"]
    assert found["seconds"]["times"] == pytest.approx(2 * 1.0 / 3.0)
    assert found["usd"]["costs"] == pytest.approx(2 * SMALL_USD / 3)


def test_where_nobody_asked_a_hit_spares_what_the_misses_of_its_task_took_and_is_marked() -> None:
    legacy, _ = of_three(ask(), ask(hit=True), ask(task="b", small=True), ask(task="b", hit=True))
    found = measured(legacy, None, {})
    assert found["cache"]["usd"]["saves"] == pytest.approx((LARGE_USD + SMALL_USD) / 4)
    assert found["estimated"] == 2
    assert found["cascade"] == found["total"] == dict.fromkeys(("usd", "seconds", "wrong_answers"))
    assert found["reasons"]["wrong_answers"] == NOT_ASKED


def test_a_request_without_its_counterfactual_answers_is_left_out() -> None:
    legacy, others = of_three(ask(), ask(small=True))
    found = measured(legacy, {**others, "always_large": others["always_large"][:1]}, {})
    assert (found["requests"], found["left_out"]) == (1, 1)


def test_an_unknown_price_leaves_the_dollars_out_and_nothing_else() -> None:
    legacy, others = of_three(ask(), ask(hit=True))
    found = Stages({}, {}, CostSettings(), Draws()).measure(legacy, others)
    assert found["cache"]["usd"] is None
    assert found["reasons"]["usd"] == "large: no price is known"
    assert found["cache"]["wrong_answers"]["net"] == 0.0
    silent = [row("legacy", 0, steps=None)]
    assert measured(silent, None, {})["reasons"]["seconds"].startswith("legacy does not tell")


def test_a_call_takes_the_time_of_its_hardware_alone() -> None:
    known = find("h100-8b")
    given_ = {"first_token_s": 0.5, "prompt_token_s": 0.001, "tok_s": 10.0}
    figures = {**known.figures, **{name: Figure(value, "assumed") for name, value in given_.items()}}
    hardware = Hardware(known.id, known.name, known.model, known.weights, "refuse", figures)
    legacy, others = of_three(ask(hit=True), ask())
    found = measured(legacy, others, {"large": hardware})["cache"]["seconds"]
    assert found["saves"] == pytest.approx((0.5 + 100 * 0.001 + 9 / 10 + CLASSIFY) / 2)
    assert found["costs"] == pytest.approx((2 * LOOK_UP + STORE) / 2)

"""The pace: published readings come out as published, times add up, and nothing is made up for an unknown figure."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.hardware.catalogue import Figure, Hardware, assumptions, find
from shared.hardware.pace import Pace, pace


def ready(id_: str) -> Hardware:
    return find(id_).with_assumed(assumptions().get(id_, {}))


@pytest.mark.parametrize(("prompt_tokens", "first_token_s"), [(500, 0.04777), (5000, 0.40677)])
def test_two_published_readings_of_one_deployment_both_come_out(prompt_tokens: int, first_token_s: float) -> None:
    assert ready("h100x2-70b") == find("h100x2-70b").with_assumed(assumptions()["h100x2-70b"])
    assert pace(ready("h100x2-70b")).until_first(prompt_tokens) == pytest.approx(first_token_s, rel=1e-3)


def test_a_hundred_tokens_of_the_silicon_take_what_its_pace_says() -> None:
    fast = pace(ready("hc1"))
    assert fast.seconds(0, 101) - fast.seconds(0, 1) == pytest.approx(100 / 16960)
    assert fast.until_first(22) == pytest.approx(0.00126, rel=0.01)  # the reading that its first token is assumed from


def test_a_reading_of_unknown_prompt_length_is_taken_for_an_empty_one() -> None:
    assert pace(ready("h100-8b")).first_token_s == find("h100-8b").value("first_token_s")


def test_the_share_of_the_prompt_is_never_more_than_the_whole() -> None:
    hardware = ready("hc1")
    slow = replace(hardware.figures["prompt_token_s"], value=1.0)
    assert pace(hardware.with_assumed({"prompt_token_s": slow})).first_token_s == 0.0


lengths = st.integers(0, 10**6)


@given(st.sampled_from(["hc1", "hc1-demo", "cerebras-70b", "h100-8b", "h100x2-70b", "b200-8b"]), lengths, lengths)
def test_longer_prompts_and_answers_never_take_less_time(id_: str, asked: int, made: int) -> None:
    hardware = pace(ready(id_))
    whole = hardware.seconds(asked, made)
    assert hardware.until_first(asked) <= whole
    assert whole <= hardware.seconds(asked + 1, made)
    assert whole <= hardware.seconds(asked, made + 1)
    if made > 1:  # MLPerf's time per output token
        per_token = (whole - hardware.until_first(asked)) / (made - 1)
        assert per_token == pytest.approx(hardware.token_s, rel=1e-6, abs=1e-12 * whole)


def test_limits_are_taken_over_and_unknown_ones_stay_unknown() -> None:
    assert pace(ready("hc1-demo")) == Pace(0.134, 5.73e-05, 1 / 14650, 8, 8, 6025, "empty")
    assert pace(ready("h100-8b")).in_flight is None


@pytest.mark.parametrize("id_", ["deepinfra-8b", "gpt-4o"])
def test_no_time_is_made_up_for_hardware_whose_pace_nobody_knows(id_: str) -> None:
    with pytest.raises(
        BadInput, match=rf"hardware {id_}: first_token_s, prompt_token_s, tok_s unknown.*\[assume\.{id_}\]"
    ):
        pace(find(id_))


def test_a_shipped_assumption_that_was_not_applied_is_mentioned() -> None:
    with pytest.raises(BadInput, match=r"hardware hc1: first_token_s, prompt_token_s unknown \(the shipped assumption"):
        pace(find("hc1"))


def test_every_figure_that_is_needed_is_named_alone_too() -> None:
    known = ready("h100-8b")
    blank = replace(known, figures={**known.figures, "prompt_token_s": Figure(None, "unknown")})
    with pytest.raises(BadInput, match=r"h100-8b: prompt_token_s unknown"):
        pace(blank)

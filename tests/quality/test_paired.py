"""Quality over rows: questions and requests apart, who is right alone, and answers that cannot be scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import interval
from benchmarks.quality.paired import measure
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm
from tests.quality import aa
from tests.rows import row


def scores(found: dict[str, Any]) -> tuple[Any, Any]:
    return found["legacy"]["score"], found["direct"]["score"]


def test_a_popular_question_counts_once_or_as_often_as_it_is_asked() -> None:
    asked = ["a", "a", "a", "b"]
    right = {"legacy": "a", "direct": "b"}
    arms = {
        arm: [row(arm, number, item, score=float(item == right[arm])) for number, item in enumerate(asked)]
        for arm in ARMS
    }
    found = measure(arms)
    assert (found["questions"], found["requests"], found["scored"]) == (2, 4, 2)
    assert scores(found["questions_like_these"]) == (0.5, 0.5)
    assert scores(found) == (0.75, 0.25)
    assert found["difference"]["estimate"] == found["questions_like_these"]["traffic_weighted"]["estimate"] == -0.5
    assert found["questions_like_these"]["difference"]["estimate"] == 0.0
    assert found["right"] == {"both": 0, "legacy_only": 1, "direct_only": 1, "neither": 0}
    assert found["higher"] is None
    assert found["by_task"]["t"]["questions"] == 2
    assert scores(found["by_task"]["t"]) == (0.5, 0.5)


def test_a_failed_answer_scores_zero() -> None:
    arms = {arm: [row(arm, 0), row(arm, 1, "b", error="Timeout" if arm == "direct" else None)] for arm in ARMS}
    found = measure(arms)
    assert scores(found["questions_like_these"]) == (1.0, 0.5)
    assert found["failed"] == {"legacy": 0, "direct": 1}


def test_questions_without_a_reference_are_left_out() -> None:
    arms = {arm: [row(arm, 0), row(arm, 1, "b", reference=None, score=None, text=None)] for arm in ARMS}
    found = measure(arms)
    assert (found["scored"], scores(found)) == (1, (1.0, 1.0))
    assert found["questions_like_these"]["difference"]["reason"] == "cannot be decided from 1 item"


@pytest.mark.parametrize("kept", [0, 1])
def test_an_arm_that_did_not_keep_its_texts_is_not_measured(kept: int) -> None:
    """Else its failures, which score 0 without a text, would be its whole sample, or more of it than they are."""
    legacy = [row("legacy", 0, error="Timeout"), row("legacy", 1, "b", text=None, score=None)]
    legacy += [row("legacy", 2, "c")] * kept
    direct = [row("direct", number, item, score=float(number == 1)) for number, item in enumerate("abc"[: 2 + kept])]
    found = measure({"legacy": legacy, "direct": direct})
    assert scores(found["questions_like_these"]) == (None, pytest.approx(1 / (2 + kept)))
    assert found["legacy"]["score"] is found["difference"]["estimate"] is None
    assert found["by_task"]["t"]["legacy"]["score"] is None
    assert found["by_task"]["t"]["difference"]["word"] == "inconclusive"
    assert (found["scored"], found["right"], found["higher"]) == (0, None, None)


def test_no_references_at_all() -> None:
    found = measure({arm: [row(arm, 0, reference=None, score=None)] for arm in ARMS})
    assert (found["scored"], found["right"], scores(found)) == (0, None, (None, None))
    assert found["not_worse_on_every_task"] is None


def test_two_equal_systems_are_told_apart_in_no_more_than_one_of_twenty_comparisons_of_this_traffic() -> None:
    """One answer drawn is served to all repeats of a question, so they are no evidence of their own.

    1,500 runs: the share moves by 1.1 points either way.
    """
    asked, rng, wrong = aa.asked(), np.random.default_rng(5), 0
    for run in range(1500):
        before, after = aa.sampled(asked, rng)
        low, high = interval.difference([one - other for one, other in zip(after, before, strict=True)], asked)
        wrong += not low <= 0 <= high
        if run == 0:
            legacy, direct = aa.rows(asked, before, after)
            found = measure({"legacy": legacy, "direct": direct})["difference"]
            assert (found["low"], found["high"]) == pytest.approx((low, high), abs=1e-12)
    assert wrong / 1500 <= 0.064


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_counts_add_up_and_means_are_shares(asked: list[tuple[str, float, float]]) -> None:
    arms = {
        arm: [row(arm, number, item, score=scores[place]) for number, (item, *scores) in enumerate(asked)]
        for place, arm in enumerate(ARMS)
    }
    found = measure(arms)
    assert sum(found["right"].values()) == found["scored"] == found["questions"]
    for arm in ARMS:
        assert 0 <= found["questions_like_these"][arm]["score"] <= 1
        assert found[arm]["score"] == pytest.approx(sum(scores[ARMS.index(arm)] for _, *scores in asked) / len(asked))
    for mine in (found, found["questions_like_these"], *found["by_task"].values()):
        gap = mine["direct"]["score"] - mine["legacy"]["score"]
        assert mine["difference"]["estimate"] == pytest.approx(gap, abs=1e-12)
    if found["higher"]:
        assert sum(found["higher"].values()) == found["questions"]


def arms_of(pairs: list[tuple[str, float, float]]) -> dict[Arm, list[Row]]:
    """One question a pair: its task and both scores."""
    return {
        arm: [row(arm, n, f"q{n}", score=scores[place], task=task) for n, (task, *scores) in enumerate(pairs)]
        for place, arm in enumerate(ARMS)
    }


def test_worse_somewhere_is_said_of_the_task_where_it_is() -> None:
    found = measure(arms_of([("sums", 1.0, float(n % 3 == 0)) for n in range(90)] + [("facts", 1.0, 1.0)] * 300))
    assert found["worse_somewhere"] == ["sums"]
    assert found["not_worse_on_every_task"] is False
    assert found["by_task"]["facts"]["difference"]["not_worse"]


def test_ten_equal_tasks_are_not_worse_and_none_is_said_to_be() -> None:
    found = measure(arms_of([(f"t{n % 10}", 1.0, 1.0) for n in range(2500)]))
    assert (found["worse_somewhere"], found["not_worse_on_every_task"]) == ([], True)
    assert found["questions_like_these"]["difference"]["word"] == "equivalent"


def test_a_few_lost_answers_on_one_task_of_many_are_not_yet_worse_somewhere() -> None:
    """Alone its p-value is below 0.025; over ten tasks such a task is to be expected."""
    tasks = [("a", 1.0, float(n >= 6)) for n in range(40)] + [(f"t{n % 9}", 1.0, 1.0) for n in range(360)]
    found = measure(arms_of(tasks))
    assert found["by_task"]["a"]["difference"]["p_worse"] < 0.025
    assert found["worse_somewhere"] == []


def test_the_noise_floor_reaches_the_decision() -> None:
    arms = arms_of([("t", 1.0, float(n % 10 > 0)) for n in range(400)])
    assert measure(arms)["questions_like_these"]["difference"]["word"] == "worse"
    found = measure(arms, noise={"floor": 0.2})
    assert found["questions_like_these"]["difference"]["word"] == "inconclusive"
    assert found["worse_somewhere"] == []

"""Quality over rows: questions and requests apart, who is right alone, and answers that cannot be scored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.paired import measure
from benchmarks.scenario import ARMS
from tests.rows import row


def test_a_popular_question_counts_once_or_as_often_as_it_is_asked() -> None:
    asked = ["a", "a", "a", "b"]
    right = {"legacy": "a", "direct": "b"}
    arms = {
        arm: [row(arm, number, item, score=float(item == right[arm])) for number, item in enumerate(asked)]
        for arm in ARMS
    }
    found = measure(arms)
    assert (found["questions"], found["requests"], found["scored"]) == (2, 4, 2)
    assert found["per_question"] == {"legacy": 0.5, "direct": 0.5}
    assert found["per_request"] == {"legacy": 0.75, "direct": 0.25}
    assert found["right"] == {"both": 0, "legacy_only": 1, "direct_only": 1, "neither": 0}
    assert found["higher"] is None
    assert found["tasks"] == {"t": {"questions": 2, "legacy": 0.5, "direct": 0.5}}


def test_a_failed_answer_scores_zero() -> None:
    arms = {arm: [row(arm, 0), row(arm, 1, "b", error="Timeout" if arm == "direct" else None)] for arm in ARMS}
    found = measure(arms)
    assert found["per_question"] == {"legacy": 1.0, "direct": 0.5}
    assert found["failed"] == {"legacy": 0, "direct": 1}


def test_questions_without_a_reference_are_left_out() -> None:
    arms = {arm: [row(arm, 0), row(arm, 1, "b", reference=None, score=None, text=None)] for arm in ARMS}
    found = measure(arms)
    assert (found["scored"], found["per_question"]) == (1, {"legacy": 1.0, "direct": 1.0})


@pytest.mark.parametrize("kept", [0, 1])
def test_an_arm_that_did_not_keep_its_texts_is_not_measured(kept: int) -> None:
    """Else its failures, which score 0 without a text, would be its whole sample, or more of it than they are."""
    legacy = [row("legacy", 0, error="Timeout"), row("legacy", 1, "b", text=None, score=None)]
    legacy += [row("legacy", 2, "c")] * kept
    direct = [row("direct", number, item, score=float(number == 1)) for number, item in enumerate("abc"[: 2 + kept])]
    found = measure({"legacy": legacy, "direct": direct})
    assert found["per_question"] == {"legacy": None, "direct": pytest.approx(1 / (2 + kept))}
    assert found["per_request"]["legacy"] is None
    assert found["tasks"]["t"]["legacy"] is None
    assert (found["scored"], found["right"], found["higher"]) == (0, None, None)


def test_no_references_at_all() -> None:
    found = measure({arm: [row(arm, 0, reference=None, score=None)] for arm in ARMS})
    assert (found["scored"], found["right"], found["per_question"]) == (0, None, {"legacy": None, "direct": None})


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_counts_add_up_and_means_are_shares(asked: list[tuple[str, float, float]]) -> None:
    arms = {
        arm: [row(arm, number, item, score=scores[place]) for number, (item, *scores) in enumerate(asked)]
        for place, arm in enumerate(ARMS)
    }
    found = measure(arms)
    assert sum(found["right"].values()) == found["scored"] == found["questions"]
    for arm in ARMS:
        assert 0 <= found["per_question"][arm] <= 1
        assert found["per_request"][arm] == pytest.approx(
            sum(scores[ARMS.index(arm)] for _, *scores in asked) / len(asked)
        )
    if found["higher"]:
        assert sum(found["higher"].values()) == found["questions"]

"""The verdict: a written rule, on constructed cases for every outcome."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.verdict import Difference, Evidence, decide, measure


def quality(estimate: float | None, *, not_worse: bool, further: int | None = None) -> dict[str, Any]:
    edges = (None, None) if estimate is None else (estimate - 0.01, estimate + 0.01)
    return {
        "estimate": estimate, "low": edges[0], "high": edges[1], "not_worse": not_worse, "further_items": further,
    }  # fmt: skip


GOOD = quality(0.0, not_worse=True)
BAD = quality(-0.3, not_worse=False)
LOWER, HIGHER, ALIKE = Difference(-2e-6, -3e-6, -1e-6), Difference(2e-6, 1e-6, 3e-6), Difference(0.0, -1e-6, 1e-6)


@pytest.mark.parametrize(
    ("evidence", "word", "reason"),
    [
        (Evidence(BAD, worse=True, cost=LOWER), "keep", "worse in quality"),  # cheap wrong answers do not count
        (Evidence(None, worse=False, cost=LOWER), "undecided", "quality is not measured"),
        (Evidence(quality(None, not_worse=False), worse=False), "undecided", "quality is not measured"),
        (Evidence(quality(-0.01, not_worse=False, further=500), worse=False), "undecided", "about 500 more"),
        (Evidence(GOOD, worse=False, cost=LOWER), "migrate", "less"),
        (Evidence(GOOD, worse=False, cost=HIGHER), "keep", "more"),
        (Evidence(GOOD, worse=False), "undecided", "cost per acceptable decision is not known"),
        (Evidence(GOOD, worse=False, p99=LOWER), "undecided", "not known"),  # a fast p99 is no known cost
        (Evidence(GOOD, worse=False, cost=ALIKE, p99=Difference(-0.2, -0.3, -0.1)), "migrate", "200 ms lower"),
        (Evidence(GOOD, worse=False, cost=ALIKE, p99=Difference(0.2, 0.1, 0.3)), "keep", "200 ms higher"),
        (Evidence(GOOD, worse=False, cost=ALIKE, p99=Difference(0.0, -0.1, 0.1)), "undecided", "either"),
        (Evidence(GOOD, worse=False, cost=ALIKE), "undecided", "p99 is not measured"),
    ],
)
def test_one_scope(evidence: Evidence, word: str, reason: str) -> None:
    verdict = decide(evidence)
    assert verdict.word == word
    assert reason in " ".join(verdict.reasons)


@pytest.mark.parametrize(
    ("cost", "says"),
    [
        (LOWER, "costs $2e-06 less [1e-06, 3e-06] per"),
        (HIGHER, "costs $2e-06 more [1e-06, 3e-06] per"),
        (Difference(-1e-6, -3e-6, 2e-6), "costs $1e-06 less [$3e-06 less, $2e-06 more] per"),
        (Difference(-1e-6), "costs $1e-06 less per"),
        (Difference(-1e-6, None, -5e-7), "costs $1e-06 less [5e-07, inf] per"),
    ],
)
def test_a_difference_in_cost_is_said_in_positive_figures_in_order(cost: Difference, says: str) -> None:
    assert says in " ".join(decide(Evidence(GOOD, worse=False, cost=cost)).reasons)


def test_an_interval_that_has_no_end_on_one_side_is_not_exact() -> None:
    assert Difference(-1.0, -2.0, None).side == "alike"
    assert Difference(-1.0, None, -0.5).side == "lower"
    assert Difference(1.0, 0.5, None).side == "higher"


def test_tasks_that_disagree_split() -> None:
    migrate, keep = Evidence(GOOD, worse=False, cost=LOWER), Evidence(BAD, worse=True)
    undecided = Evidence(None, worse=False)
    found = measure(migrate, {"a": migrate, "b": keep, "c": undecided})
    assert found["overall"] == "split"
    assert found["by_task"] == {"a": "migrate", "b": "keep", "c": "undecided"}
    assert found["reasons"][-2:] == ["migrate: a", "keep: b"]
    assert measure(keep, {"a": migrate, "b": keep})["overall"] == "split"
    assert measure(migrate, {"b": keep})["reasons"][-2:] == ["migrate: all taken together", "keep: b"]


def test_tasks_that_agree_or_cannot_say_do_not_split() -> None:
    migrate, keep = Evidence(GOOD, worse=False, cost=LOWER), Evidence(BAD, worse=True)
    undecided = Evidence(None, worse=False)
    assert measure(migrate, {"a": migrate, "b": undecided})["overall"] == "migrate"
    assert measure(keep, {"a": undecided})["overall"] == "keep"
    assert measure(undecided, {"a": migrate})["overall"] == "undecided"


def test_what_lies_below_the_floor_is_not_told_apart() -> None:
    assert Difference(-0.2e-3, -0.3e-3, -0.1e-3).beyond(0.5e-3).side == "alike"
    assert Difference(-0.2, -0.3, -0.1).beyond(0.5e-3).side == "lower"
    assert Difference(None).beyond(0.5e-3).side == "unknown"
    assert Difference(-0.2e-3, -0.3e-3, -0.1e-3).beyond(None).side == "lower", "virtual time has no floor"


edge = st.floats(-1, 1)


@given(st.booleans(), st.booleans(), st.tuples(edge, edge, edge), st.booleans())
def test_direct_is_never_advised_where_quality_or_cost_is_not_known(
    not_worse: bool, worse: bool, cost: tuple[float, float, float], known: bool
) -> None:
    low, middle, high = sorted(cost)
    evidence = Evidence(
        quality(0.0, not_worse=not_worse), worse, Difference(middle, low, high) if known else Difference(None), LOWER
    )
    if decide(evidence).word == "migrate":
        assert not_worse
        assert not worse
        assert known

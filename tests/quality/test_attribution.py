"""The effects add up: for each request and in total, in both orders, and by their kinds."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality import max_t, paired
from benchmarks.quality.attribution import KINDS, NAMES, measure
from benchmarks.rows import Row
from benchmarks.scenario import Arm
from shared.steps import Step
from tests.quality import aa
from tests.rows import row

Case = tuple[str, str, bool, tuple[float, ...]]
"""A question; "cache", "similar" or "" for what hit; whether the small model answers without; the five scores."""

SCORES = st.sampled_from([0.0, 1 / 3, 0.5, 1.0])
HITS = st.sampled_from(["", "cache", "similar"])
CASES = st.lists(
    st.tuples(st.sampled_from("abcdefg"), HITS, st.booleans(), st.tuples(*[SCORES] * 5)), min_size=1, max_size=25
)


def step(kind: str) -> tuple[Step, ...]:
    return (Step(kind, "ok", 0.0, 0.0),)


def rows_of(cases: Sequence[Case], numbers: Sequence[int] | None = None) -> dict[str, list[Row]]:
    """Rows as the pipelines make them: what did not happen has no effect."""
    found: dict[str, list[Row]] = {
        name: [] for name in ("legacy", "direct", "no_cache", "always_large", "large_with_cache")
    }
    for number, (item, hit, small, (legacy, direct, no_cache, large, cached)) in zip(
        numbers or range(len(cases)), cases, strict=True
    ):
        no_cache = no_cache if hit else legacy
        scores = {"legacy": legacy, "direct": direct, "no_cache": no_cache, "large_with_cache": cached}
        scores["always_large"] = large if small else no_cache
        steps = {
            "legacy": step(hit or ("small" if small else "large")),
            "no_cache": step("small" if small else "large"),
        }
        for name, score in scores.items():
            arm: Arm = "direct" if name == "direct" else "legacy"
            found[name].append(row(arm, number, item, score=score, steps=steps.get(name, step("large"))))
    return found


def measured(rows: dict[str, list[Row]]) -> dict[str, Any]:
    found = measure(
        rows["legacy"],
        rows["direct"],
        {
            "no_cache": rows["no_cache"],
            "always_large": rows["always_large"],
            "large_with_cache": rows["large_with_cache"],
        },
    )
    assert found is not None
    return found


def total(found: dict[str, Any]) -> float:
    return float(sum(found[name] or 0.0 for name in ("cache", "routing", "backend", "unattributed_points")))


@settings(deadline=None, max_examples=60)
@given(CASES, st.sets(st.integers(0, 24)))
def test_everything_adds_up_to_the_reports_difference(cases: Sequence[Case], lost: set[int]) -> None:
    rows = rows_of(cases)
    lost &= set(range(len(cases)))
    rows["always_large"] = [each for each in rows["always_large"] if each.asked.number not in lost]
    found, quality = measured(rows), paired.measure({"legacy": rows["legacy"], "direct": rows["direct"]})
    assert found["unattributed"] == len(lost)
    assert total(found) == pytest.approx(quality["difference"]["estimate"], abs=1e-9)
    likes = quality["questions_like_these"]["difference"]["estimate"]
    assert total(found["questions_like_these"]) == pytest.approx(likes, abs=1e-9)
    if len(lost) == len(cases):
        assert {found["router_first"][name] for name in ("cache", "routing", "backend")} == {found["cache"]} == {None}
        return
    other = found["router_first"]
    assert sum(other.values()) + found["unattributed_points"] == pytest.approx(total(found), abs=1e-9)
    for name in ("cache", "routing"):
        assert sum(each["effect"] for each in found[f"{name}_parts"].values()) == pytest.approx(found[name], abs=1e-9)
    assert sum(each["requests"] for each in found["cache_parts"].values()) == sum(
        bool(case[1]) for number, case in enumerate(cases) if number not in lost
    )


@settings(deadline=None, max_examples=40)
@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_the_requests_does_not_matter(cases: Sequence[Case], chance: random.Random) -> None:
    numbers = list(range(len(cases)))
    chance.shuffle(numbers)
    here, there = measured(rows_of(cases)), measured(rows_of([cases[number] for number in numbers], numbers))
    for name in ("cache", "routing", "backend"):
        assert there[name] == pytest.approx(here[name], abs=1e-12)
        assert there["router_first"][name] == pytest.approx(here["router_first"][name], abs=1e-12)
    for name in ("cache_parts", "routing_parts"):
        for kind, each in here[name].items():
            assert there[name][kind] == pytest.approx(each, abs=1e-12)
    for name, each in here["intervals"].items():
        several = len({case[0] for case in cases}) > 1
        assert there["intervals"][name] == (pytest.approx(each, abs=1e-9) if several else each)


@pytest.mark.parametrize(
    ("case", "kind", "part", "effect"),
    [
        (("a", "cache", False, (0.0, 1.0, 1.0, 1.0, 0.0)), "stale_hit", "cache", 1.0),
        (("a", "similar", False, (0.0, 1.0, 1.0, 1.0, 1.0)), "false_hit", "cache", 1.0),
        (("a", "similar", False, (1.0, 0.0, 0.0, 0.0, 1.0)), "false_hit", "cache", -1.0),
        (("a", "", True, (0.0, 1.0, 0.0, 1.0, 1.0)), "misroute", "routing", 1.0),
        (("a", "", True, (1.0, 0.0, 1.0, 0.0, 0.0)), "lucky_route", "routing", -1.0),
        (("a", "", False, (1.0, 0.0, 1.0, 1.0, 1.0)), "backend_loss", "backend", -1.0),
        (("a", "", False, (0.0, 1.0, 0.0, 0.0, 0.0)), "backend_gain", "backend", 1.0),
    ],
)
def test_each_cause_has_its_kind_and_its_sign(case: Case, kind: str, part: str, effect: float) -> None:
    found = measured(rows_of([case, ("z", "", False, (1.0, 1.0, 1.0, 1.0, 1.0))]))
    assert found[part] == pytest.approx(effect / 2)
    assert found["worst"] == {each: [0] if each == kind else [] for each in KINDS}


def test_a_misrouted_answer_served_again_is_the_routers_fault_not_the_caches() -> None:
    found = measured(
        rows_of([("a", "", True, (0.0, 0.0, 0.0, 1.0, 1.0)), ("a", "cache", True, (0.0, 0.0, 0.0, 1.0, 1.0))])
    )
    assert (found["cache"], found["routing"], found["backend"]) == (0.0, 1.0, -1.0)
    assert found["routing_parts"]["misroute"] == {"requests": 2, "effect": 1.0}
    assert found["cache_parts"]["harmless_hit"]["requests"] == 1
    assert found["worst"]["misroute"] == [0]


def test_the_worst_are_those_that_cost_most_in_this_traffic() -> None:
    once = [(f"q{number}", "", False, (1.0, 0.0, 1.0, 1.0, 1.0)) for number in range(12)]
    popular = [("p", "", False, (0.5, 0.0, 0.5, 0.5, 0.5))] * 3
    assert measured(rows_of([*once, *popular]))["worst"]["backend_loss"] == [12, *range(9)]


@pytest.mark.parametrize(("lost", "effect"), [(2, -0.5), (4, None)])
def test_what_is_unattributed_leaves_no_intervals_and_at_last_no_effect(lost: int, effect: float | None) -> None:
    """All four questions lose a point by the backend."""
    rows = rows_of([(item, "", False, (1.0, 0.0, 1.0, 1.0, 1.0)) for item in "abcd"])
    rows["always_large"] = rows["always_large"][lost:]
    found = measured(rows)
    assert (found["requests"], found["unattributed"]) == (4, lost)
    for where in (found, found["questions_like_these"]):
        assert where["backend"] == effect
        assert where["cache"] == (None if effect is None else 0.0)
        assert where["unattributed_points"] == -lost / 4
        assert {end for each in where["intervals"].values() for end in each.values()} == {None}


def test_two_equal_systems_are_told_apart_in_no_more_than_one_of_twenty_comparisons() -> None:
    """Legacy serves one sampled answer to all repeats of a question, direct samples anew: both are one model.

    So all that is between them is chance, booked as the backend's. 400 runs: the share moves by 2.1 points either way.
    """
    asked, rng, wrong = aa.asked(), np.random.default_rng(5), 0
    nothing = [0.0] * len(asked)
    for run in range(400):
        before, after = aa.sampled(asked, rng)
        chance = [one - other for one, other in zip(after, before, strict=True)]
        columns = {"cache": nothing, "routing": nothing, "backend": chance, "total": chance}
        joint = max_t.intervals(columns, asked)
        wrong += not all(low <= 0 <= high for low, high in joint.values())
        if run == 0:
            legacy, direct = aa.rows(asked, before, after)
            found = measure(legacy, direct, dict.fromkeys(NAMES, legacy))
            assert found is not None
            for name, interval in joint.items():
                assert tuple(found["intervals"][name].values()) == pytest.approx(interval, abs=1e-9)
    assert wrong / 400 <= 0.064


def test_nothing_is_attributed_where_quality_is_not_measured() -> None:
    rows = rows_of([("a", "", False, (1.0, 0.0, 1.0, 1.0, 1.0))])
    counterfactuals: Any = {name: rows[name] for name in ("no_cache", "always_large", "large_with_cache")}
    unscored = [replace(each, score=None) for each in rows["direct"]]
    assert measure(rows["legacy"], unscored, counterfactuals) is None
    assert measure(rows["legacy"], [replace(each, text=None) for each in rows["direct"]], counterfactuals) is None


def test_one_request_alone_has_no_interval() -> None:
    found = measured(rows_of([("a", "", False, (1.0, 0.0, 1.0, 1.0, 1.0))]))
    assert found["backend"] == -1.0
    assert set(found["intervals"]["total"].values()) == {None}

"""Quality in plain words: each verdict, each missing figure, and where the difference comes from."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.quality.paired import measure
from benchmarks.report import quality_text
from benchmarks.scenario import ARMS
from tests.rows import row


def told(pairs: list[tuple[float, float]], **given: Any) -> tuple[dict[str, Any], str]:
    """A report's quality of one question a pair of scores, and its text."""
    arms = {
        arm: [row(arm, number, f"q{number}", score=pair[place]) for number, pair in enumerate(pairs)]
        for place, arm in enumerate(ARMS)
    }
    quality = measure(arms) | {"attribution": None, "routing": None} | given
    return quality, "\n".join(quality_text.lines(quality))


def test_worse_in_capitals_with_interval_margin_and_method() -> None:
    quality, text = told([(1.0, float(n % 5 > 0)) for n in range(500)])
    found = quality["questions_like_these"]["difference"]
    first = text.splitlines()[0]
    assert first.startswith("Questions like these (500, each counted once): direct - legacy -20.0 [")
    assert f"[{found['low'] * 100:+.1f}, {found['high'] * 100:+.1f}] points, WORSE (margin 2 points" in first
    assert "McNemar's exact p below 0.001" in first


def test_equivalent() -> None:
    assert "EQUIVALENT" in told([(1.0, 1.0)] * 1000)[1]


def test_inconclusive_says_why_and_how_many_more() -> None:
    quality, text = told([(1.0, 1.0)] * 50)
    more = quality["questions_like_these"]["difference"]["further_items"]
    assert f"about {more:,} more questions would decide" in text
    assert "INCONCLUSIVE" in text


def test_graded_scores_have_no_mcnemar_and_count_who_is_higher() -> None:
    text = told([(0.5, 1.0)] * 30 + [(1.0, 1.0)] * 30)[1]
    assert "McNemar" not in text
    assert "clustered t with two pseudo-items" in text
    assert "direct higher on 30" in text


def test_one_question_is_not_enough() -> None:
    text = told([(1.0, 0.0)])[1]
    assert text.startswith("Quality cannot be decided from 1 item: no interval, no verdict.")
    assert "%" not in text


def test_noise_floor() -> None:
    assert "Noise floor: not measured" in told([(1.0, 1.0)] * 9)[1]
    _, text = told([(1.0, 1.0)] * 9, noise_floor={"floor": 0.012, "legacy": None, "direct": {}})
    assert "Noise floor: 1.2 points between two runs of one system (legacy's own is not measured)." in text


ATTRIBUTION = {
    "cache": 0.004,
    "routing": 0.013,
    "backend": -0.031,
    "cache_parts": {
        "stale_hit": {"requests": 9, "effect": 0.004},
        "false_hit": {"requests": 0, "effect": 0.0},
        "harmless_hit": {"requests": 400, "effect": 0.0},
    },
    "routing_parts": {
        "misroute": {"requests": 20, "effect": 0.018},
        "lucky_route": {"requests": 5, "effect": -0.005},
        "unavoidable": {"requests": 100, "effect": 0.0},
    },
    "intervals": {name: {"low": -0.05, "high": 0.05} for name in ("cache", "routing", "backend", "total")},
    "router_first": {"routing": 0.013, "cache": 0.004, "backend": -0.031},
    "unattributed": 0,
}


def test_the_difference_is_laid_at_its_causes() -> None:
    _, text = told([(1.0, 1.0)] * 9, attribution=ATTRIBUTION)
    assert (
        "Why, in this traffic: legacy loses 0.4 points by stale hits; legacy loses 1.8 points by misroutes; legacy "
        "gains 0.5 points by lucky routes; direct loses 3.1 by its model against always large."
    ) in text
    assert "routing +1.3 [-5.0, +5.0]" in text
    assert "Router first" not in text, "both orders agree"


def test_the_other_order_is_told_where_it_matters() -> None:
    other = ATTRIBUTION | {"router_first": {"routing": 0.010, "cache": 0.007, "backend": -0.031}, "unattributed": 3}
    other |= {"unattributed_points": -0.02}
    _, text = told([(1.0, 1.0)] * 9, attribution=other)
    assert "Router first, then cache: routing +1.0, cache +0.7." in text
    assert "-2.0 are unattributed: the counterfactual answers to 3 requests could not be had" in text


def test_of_one_request_the_causes_have_no_intervals() -> None:
    nothing = {name: {"low": None, "high": None} for name in ("cache", "routing", "backend", "total")}
    _, text = told([(1.0, 1.0)], attribution=ATTRIBUTION | {"intervals": nothing})
    assert "legacy loses 0.4 points by stale hits" in text
    assert "jointly" not in text


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_without_texts(arm: str) -> None:
    lacking: dict[str, Any] = {"text": None, "score": None}
    arms = {each: [row(each, n, f"q{n}", **(lacking if each == arm else {})) for n in range(3)] for each in ARMS}
    quality = measure(arms) | {"attribution": None, "routing": None}
    assert quality_text.lines(quality) == [
        f"Quality of {arm} is not measured: the texts of its answers were not all kept."
    ]


def test_one_line_a_task() -> None:
    rows = quality_text.by_task(told([(1.0, float(n % 2)) for n in range(60)])[0])
    assert rows[1][:3] == ("t (60)", "100.0%", "50.0%")
    assert rows[1][3].startswith("-50.0 [")
    assert rows[1][3].endswith("worse")

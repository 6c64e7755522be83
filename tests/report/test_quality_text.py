"""Quality in plain words: each verdict, each missing figure, and where the difference comes from."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.quality.paired import measure
from benchmarks.report import quality_text
from benchmarks.rows import Row
from benchmarks.scenario import ARMS
from tests.rows import row

REASONS = {"legacy": "recorded answers repeat exactly", "direct": "asked once, see --repeats"}


def told(pairs: list[tuple[float, float]], **given: Any) -> tuple[dict[str, Any], str]:
    """A report's quality of one question a pair of scores, and its text."""
    arms = {
        arm: [row(arm, number, f"q{number}", score=pair[place]) for number, pair in enumerate(pairs)]
        for place, arm in enumerate(ARMS)
    }
    quality = measure(arms) | {"attribution": None, "routing": None, "noise_reasons": REASONS} | given
    return quality, "\n".join([*quality_text.lines(quality), *quality_text.details(quality)])


def test_worse_in_capitals_with_interval_margin_and_method() -> None:
    quality, text = told([(1.0, float(n % 5 > 0)) for n in range(500)])
    found = quality["questions_like_these"]["difference"]
    first = text.splitlines()[0]
    assert first.startswith("Quality: direct - legacy -20.0 [")
    assert f"[{found['low'] * 100:+.1f}, {found['high'] * 100:+.1f}] points, WORSE (500 questions, each once" in first
    assert "; margin 2; noise floor not measured)." in first
    assert f"in 95 % of samples, by {found['method']}, McNemar's exact p below 0.001." in text


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
    assert "McNemar" not in text


def test_noise_floor() -> None:
    assert (
        "Noise floor: not measured (legacy: recorded answers repeat exactly; direct: asked once, see --repeats)."
        in told([(1.0, 1.0)] * 9)[1]
    )
    alike = dict.fromkeys(REASONS, "asked once, see --repeats")
    assert "not measured (asked once, see --repeats)." in told([(1.0, 1.0)] * 9, noise_reasons=alike)[1]
    mine = {"runs": 2, "requests": 9, "failed": 3, "difference": 0.012, "flipped": 0.25}
    _, text = told([(1.0, 1.0)] * 9, noise_floor={"floor": 0.012, "legacy": None, "direct": mine})
    assert (
        "Noise floor: 1.2 points between two runs of one system (two runs are one draw of it; more --repeats tell "
        "more); legacy's own is not measured (recorded answers repeat exactly); 25.0% of direct's answers changed "
        "their score, 3 requests failed in some run."
    ) in text
    assert "noise floor 1.2 of direct alone)" in text
    both = {"floor": 0.012, "legacy": mine | {"runs": 3, "failed": 0}, "direct": mine | {"runs": 3}}
    _, text = told([(1.0, 1.0)] * 9, noise_floor=both)
    assert "noise floor 1.2)" in text
    assert "one draw" not in text


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
    "requests": 500,
    "unattributed": 0,
    "reason": "",
    "same_model": False,
}


def test_the_difference_is_laid_at_its_causes() -> None:
    _, text = told([(1.0, 1.0)] * 9, attribution=ATTRIBUTION)
    assert (
        "Why, in this traffic: legacy loses 0.4 points by hits on another model's answer; legacy loses 1.8 points by "
        "misroutes; legacy gains 0.5 points by lucky routes; direct loses 3.1 by its model against always large."
    ) in text
    assert "Nothing ages within one run; what stale answers cost as things change, crossover drift shows." in text
    assert "routing +1.3 [-5.0, +5.0]" in text
    assert "Router first" not in text, "both orders agree"


def test_the_other_order_is_told_where_it_matters() -> None:
    other = ATTRIBUTION | {"router_first": {"routing": 0.010, "cache": 0.007, "backend": -0.031}}
    _, text = told([(1.0, 1.0)] * 9, attribution=other)
    assert "Router first, then cache: routing +1.0, cache +0.7." in text


NOTHING = {name: {"low": None, "high": None} for name in ("cache", "routing", "backend", "total")}


def test_what_is_unattributed_has_its_reason_and_leaves_no_intervals() -> None:
    lost = {"unattributed": 3, "unattributed_points": -0.02, "reason": "the model is down", "intervals": NOTHING}
    _, text = told([(1.0, 1.0)] * 9, attribution=ATTRIBUTION | lost)
    assert "Why, in this traffic, over 497 of 500 requests: legacy loses" in text
    assert "; -2.0 are unattributed, 3 requests: the model is down. The effects have no intervals: " in text
    assert "jointly" not in text
    lost = dict.fromkeys(("cache", "routing", "backend")) | lost | {"unattributed": 500}
    _, text = told([(1.0, 1.0)] * 9, attribution=ATTRIBUTION | lost)
    assert "Why: nothing could be attributed, 500 requests: the model is down." in text
    assert "legacy loses" not in text


def test_between_two_answers_of_one_model_there_is_chance() -> None:
    _, text = told([(1.0, 1.0)] * 9, attribution=ATTRIBUTION | {"same_model": True})
    assert "direct loses 3.1 by its model against always large (same model: what differs is chance)." in text


def test_of_one_request_the_causes_have_no_intervals() -> None:
    _, text = told([(1.0, 1.0)], attribution=ATTRIBUTION | {"intervals": NOTHING})
    assert "legacy loses 0.4 points by hits on another model's answer" in text
    assert "jointly" not in text


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_without_texts(arm: str) -> None:
    lacking: dict[str, Any] = {"text": None, "score": None}
    arms = {each: [row(each, n, f"q{n}", **(lacking if each == arm else {})) for n in range(3)] for each in ARMS}
    quality = measure(arms) | {"attribution": None, "routing": None}
    assert quality_text.lines(quality) == [
        f"Quality of {arm} is not measured: the texts of its answers were not all kept."
    ]


def of_tasks(**right: int) -> dict[str, Any]:
    """Quality of 60 questions a task, which legacy has all right and direct so many of."""
    arms: dict[str, list[Row]] = {arm: [] for arm in ARMS}
    for task, count in right.items():
        for n in range(60):
            number = len(arms["legacy"])
            arms["legacy"].append(row("legacy", number, f"{task}{n}", task=task))
            arms["direct"].append(row("direct", number, f"{task}{n}", task=task, score=float(n < count)))
    return measure(arms) | {"attribution": None, "routing": None, "noise_reasons": REASONS}  # type: ignore[arg-type]


def test_the_worst_tasks_and_the_best_are_named_and_the_others_counted() -> None:
    (line,) = quality_text.lines(of_tasks(a=30, b=20, c=10, d=40, e=60))
    assert line.endswith("Worse on 4 of 5 tasks (Holm): c -83.3, b -66.7, a -50.0 and 1 more; best: e +0.0.")
    (line,) = quality_text.lines(of_tasks(a=59, b=60))
    assert "Worse on none of 2 tasks for sure (Holm), not shown to be no worse on all; worst: a -1.7, best: b" in line
    (line,) = quality_text.lines(of_tasks(**{"x" * 40: 30, "y": 60}))
    assert f"Worse on 1 of 2 tasks (Holm): {'x' * 21}... -50.0; best: y +0.0." in line

"""The noise floor is the largest difference between two runs of one system, each question counted once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from benchmarks.quality.noise import measure
from benchmarks.rows import Row
from benchmarks.scenario import Arm
from tests.rows import row


def run(arm: Arm, *scores: float | None, items: str = "aab") -> list[Row]:
    return [row(arm, number, item, score=score) for number, (item, score) in enumerate(zip(items, scores, strict=True))]


def test_the_largest_difference_of_any_two_runs_and_what_flipped() -> None:
    legacy = [run("legacy", 1.0, 1.0, 1.0), run("legacy", 1.0, 0.0, 1.0), run("legacy", 1.0, 1.0, 0.0)]
    direct = [run("direct", 0.0, 0.0, 0.0), run("direct", 0.0, 0.0, 0.0)]
    found = measure({"legacy": legacy, "direct": direct})
    assert found is not None
    assert found["legacy"] == {
        "runs": 3,
        "requests": 3,
        "failed": 0,
        "difference": 0.5,
        "flipped": pytest.approx(2 / 3),
    }
    assert found["direct"] == {"runs": 2, "requests": 3, "failed": 0, "difference": 0.0, "flipped": 0.0}
    assert found["floor"] == 0.5


def test_only_requests_scored_in_every_run_count() -> None:
    found = measure({"legacy": [], "direct": [run("direct", 1.0, 1.0, None), run("direct", 1.0, 1.0, 0.0)]})
    assert found is not None
    assert found["direct"]["requests"] == 2
    assert (found["legacy"], found["floor"]) == (None, 0.0)


def test_requests_that_failed_in_some_run_are_counted_and_left_out() -> None:
    broken = [row("direct", 0, "a", error="Timeout"), *run("direct", 1.0, 1.0, 0.0)[1:]]
    found = measure({"legacy": [], "direct": [run("direct", 1.0, 1.0, 0.0), broken]})
    assert found is not None
    assert found["direct"] == {"runs": 2, "requests": 2, "failed": 1, "difference": 0.0, "flipped": 0.0}


@pytest.mark.parametrize("runs", [[], [run("direct", 1.0, 1.0, 1.0)], [run("direct", None, None, None)] * 2])
def test_one_run_has_no_floor(runs: Sequence[Sequence[Row]]) -> None:
    assert measure({"legacy": [], "direct": runs}) is None

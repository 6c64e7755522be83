"""Gates: what decides the exit code. Missing data never passes one."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.gates import exit_code, measure
from benchmarks.scenario import Gates

QUALITY = {"estimate": 0.0, "low": -0.01, "high": 0.01, "word": "equivalent", "not_worse": True, "reason": "within"}


def report(
    quality: dict[str, Any] | None = None, p99: tuple[float, float, float] | None = None,
    cost: tuple[float | None, float | None, float | None] = (None, None, None), unknown: str = "",
) -> dict[str, Any]:  # fmt: skip
    return {
        "quality": {"questions_like_these": {"difference": QUALITY | (quality or {})}},
        "latency": {"direct": {"p99": p99 and p99[0], "intervals": {"p99": p99 and list(p99[1:])}}},
        "cost": {
            "difference_usd": dict(zip(("estimate", "low", "high"), cost, strict=True)),
            "legacy": {"unknown": unknown},
            "direct": {"unknown": ""},
        },
    }


@pytest.mark.parametrize(
    ("gate", "found", "state", "code"),
    [
        ({"quality": "not_worse"}, report(), "passed", 0),
        ({"quality": "not_worse"}, report({"word": "worse", "not_worse": False}), "failed", 1),
        ({"quality": "not_worse"}, report({"word": "inconclusive", "not_worse": False}), "inconclusive", 0),
        ({"quality": "not_worse"}, report({"estimate": None, "low": None}), "not measured", 2),
        ({"p99_ms": 250}, report(p99=(0.2, 0.1, 0.24)), "passed", 0),
        ({"p99_ms": 250}, report(p99=(0.24, 0.1, 0.26)), "inconclusive", 0),
        ({"p99_ms": 250}, report(p99=(0.4, 0.3, 0.5)), "failed", 1),
        ({"p99_ms": 250}, report(), "not measured", 2),
        ({"cost": "not_higher"}, report(cost=(-2.0, -3.0, -1.0)), "passed", 0),
        ({"cost": "not_higher"}, report(cost=(0.0, -1.0, 1.0)), "inconclusive", 0),
        ({"cost": "not_higher"}, report(cost=(2.0, 1.0, 3.0)), "failed", 1),
        ({"cost": "not_higher"}, report(), "not measured", 2),
    ],
)
def test_one_gate(gate: dict[str, Any], found: dict[str, Any], state: str, code: int) -> None:
    gates = Gates.model_validate(gate)
    (told,) = measure(found, gates)
    assert told["state"] == state
    assert told["why"]
    assert exit_code([told], gates) == code


def test_a_cost_that_is_not_known_is_not_measured_and_says_what_is_missing() -> None:
    (told,) = measure(report(unknown="its hours are not set"), Gates(cost="not_higher"))
    assert told["why"] == "cost per decision is not known on both sides; legacy: its hours are not set"


def test_a_p99_without_an_interval_passes_no_gate() -> None:
    found = report(p99=(0.2, 0.1, 0.3))
    found["latency"]["direct"]["intervals"]["p99"] = None
    (told,) = measure(found, Gates(p99_ms=250))
    assert told["state"] == "not measured"
    assert "200 ms, but requests waited for one another" in told["why"]


def test_an_inconclusive_gate_can_fail() -> None:
    gates = Gates(quality="not_worse", on_inconclusive="fail")
    assert exit_code(measure(report({"word": "inconclusive", "not_worse": False}), gates), gates) == 1


def test_a_failure_goes_before_what_is_not_measured_and_no_gates_always_pass() -> None:
    gates = Gates(quality="not_worse", cost="not_higher")
    assert exit_code(measure(report({"word": "worse", "not_worse": False}), gates), gates) == 1
    assert exit_code(measure(report(), Gates()), Gates()) == 0

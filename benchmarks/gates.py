"""Gates of a scenario: what decides the exit code, so that a team can keep a comparison in its CI.

A gate passes, fails, is inconclusive, or could not be measured; missing data never passes. Exit codes: 0 where all
pass, 1 where one fails, 2 where one could not be measured and none failed. `on_inconclusive` says whether an
inconclusive one is a warning or a failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from benchmarks.scenario import ARMS, Gates
from benchmarks.verdict import Difference

State = Literal["passed", "failed", "inconclusive", "not measured"]


def measure(report: Mapping[str, Any], gates: Gates) -> list[dict[str, str]]:
    """Each gate that was asked for: its name, its state, and why."""
    found: list[dict[str, str]] = []

    def add(gate: str, state: State, why: str) -> None:
        found.append({"gate": gate, "state": state, "why": why})

    if gates.quality:
        add("quality", *_quality(report["quality"]["questions_like_these"]["difference"]))
    if gates.p99_ms is not None:
        add("p99_ms", *_p99(report["latency"]["direct"], gates.p99_ms))
    if gates.cost:
        add("cost", *_cost(report["cost"]))
    return found


def exit_code(found: Sequence[Mapping[str, str]], gates: Gates) -> int:
    """0, 1 or 2, as the module says."""
    states = {each["state"] for each in found}
    if "failed" in states or ("inconclusive" in states and gates.on_inconclusive == "fail"):
        return 1
    return 2 if "not measured" in states else 0


def _quality(difference: Mapping[str, Any]) -> tuple[State, str]:
    if difference["estimate"] is None or difference["low"] is None:
        return "not measured", "quality is not measured on both sides"
    if difference["not_worse"]:
        return "passed", difference["reason"]
    return ("failed" if difference["word"] == "worse" else "inconclusive"), difference["reason"]


def _p99(latency: Mapping[str, Any], limit_ms: float) -> tuple[State, str]:
    value, inside = latency["p99"], latency["intervals"]["p99"]
    if value is None:
        return "not measured", "there are too few timed answers for a p99, or none"
    if inside is None:
        few = "requests waited for one another, so there are too few for an interval; ask more of them"
        return "not measured", f"{value * 1e3:.3g} ms, but {few}"
    low, high = inside[0] * 1e3, inside[1] * 1e3
    said = f"{value * 1e3:.3g} ms [{low:.3g}, {high:.3g}] for at most {limit_ms:g} ms"
    return ("passed" if high <= limit_ms else "failed" if low > limit_ms else "inconclusive"), said


def _cost(cost: Mapping[str, Any]) -> tuple[State, str]:
    difference = Difference.of(cost["difference_usd"])
    states: dict[str, State] = {
        "lower": "passed",
        "higher": "failed",
        "alike": "inconclusive",
        "unknown": "not measured",
    }
    unknown = [f"{arm}: {cost[arm]['unknown']}" for arm in ARMS if cost[arm]["unknown"]]
    why = "; ".join(["cost per decision is not known on both sides", *unknown])
    if difference.estimate is not None:
        why = f"direct - legacy is {difference.estimate:+.3g} US dollars per acceptable decision"
    return states.get(difference.side, "not measured"), why

"""Gates of a scenario, applied to what changed from one run to another: whether the change may pass.

The second run's `[gates]` say what is watched, always of direct:

    quality   passes where direct is not worse than before by the margin, fails where it is worse, else inconclusive
    p99_ms    fails where direct's p99 is above what it was, beyond its interval; noise passes
    cost      fails where a decision of direct costs more than it did, beyond its interval; noise passes

What has no interval, is not known or is not compared is not measured, and never passes; what is the same passes. The
limit of p99_ms itself, and direct beside legacy, are for `crossover compare`: here only the change is judged. Exit
codes are those of `benchmarks/gates.py`.
"""

from __future__ import annotations

from typing import Final

from benchmarks.gates import State
from benchmarks.report.diff import Change, Difference
from benchmarks.report.html.run import Run
from benchmarks.scenario import Gates

STATES: Final[dict[str, State]] = {"better": "passed", "noise": "passed", "same": "passed", "worse": "failed"}


def asked_by(run: Run) -> Gates:
    """The gates that a run's scenario set."""
    return Gates.model_validate(run.report["provenance"]["scenario"]["gates"])


def measure(found: Difference, gates: Gates) -> list[dict[str, str]]:
    """Each gate that is set: its name, its state, and why."""
    wanted = {"quality": gates.quality, "p99_ms": gates.p99_ms, "cost": gates.cost}
    of = {(change.name, change.arm): change for change in found.changes}
    names = {"quality": "quality", "p99_ms": "p99", "cost": "cost of a decision"}
    judged = []
    for gate, asked in wanted.items():
        if asked is not None:
            change = of[names[gate], "direct"]
            state = _quality(change, found) if gate == "quality" else STATES.get(change.word, "not measured")
            why = f"direct's {change.name}: {change.word}" + (f" ({change.why})" if change.why else "")
            judged.append({"gate": gate, "state": state, "why": why})
    return judged


def _quality(change: Change, found: Difference) -> State:
    decision = found.decision
    if change.word == "same":
        return "passed"
    if decision is None or decision.low is None:
        return "not measured"
    if decision.not_worse:
        return "passed"
    return "failed" if decision.word == "worse" else "inconclusive"

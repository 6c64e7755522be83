"""The statement on maintenance, drills and faults: what the report holds, and nothing of what is not known."""

from __future__ import annotations

from typing import Any

from benchmarks import scenario, upkeep
from benchmarks.maintenance import surface
from benchmarks.report import upkeep_text
from benchmarks.scenario import ARMS


def report() -> dict[str, Any]:
    faults = upkeep.faults(scenario.load())
    return {"maintenance": upkeep.maintenance(scenario.load(), faults), "faults": faults}


def test_one_statement_holds_the_reports_figures() -> None:
    found = report()
    (said,) = upkeep_text.lines(found)
    legacy = found["maintenance"]["legacy"]
    assert f"{legacy['optional']['lines']:,} lines switched off; direct nothing" in said
    assert f"legacy {len(legacy['settings'])} settings" in said
    assert "known advisories CVE-2025-69872 / none" in said
    counts = " / ".join(str(found["maintenance"][arm]["third_party"]["ways"]["litellm"]["count"]) for arm in ARMS)
    assert f"Packages (legacy / direct) {counts}, " in said
    assert "none audited;" in said
    of = found["maintenance"]["drills"]["summary"]["all"]
    assert (
        f"legacy takes fewer lines for {of['legacy']['fewer_lines']}, direct for {of['direct']['fewer_lines']}" in said
    )
    assert "hours (assumed)" in said
    modes = " / ".join(str(sum(found["maintenance"][arm]["failure_modes"].values())) for arm in ARMS)
    assert f"failure modes {modes}; only legacy outlives {len(found['faults']['outlives']['legacy'])}, only" in said


def test_what_is_not_known_is_not_told() -> None:
    found = report()
    found["maintenance"] |= {"legacy": dict.fromkeys(surface.KEYS), "drills": None}
    found["faults"] = None
    assert upkeep_text.lines(found) == ["Besides code: direct nothing."]
    found["maintenance"]["direct"] = dict.fromkeys(surface.KEYS)
    assert upkeep_text.lines(found) == []

"""The lines on maintenance and faults: what the report holds, at most ten, and nothing of what is not known."""

from __future__ import annotations

from typing import Any

from benchmarks import scenario, upkeep
from benchmarks.maintenance import surface
from benchmarks.report import upkeep_text


def report() -> dict[str, Any]:
    faults = upkeep.faults(scenario.load())
    return {"maintenance": upkeep.maintenance(scenario.load(), faults), "faults": faults}


def test_ten_lines_at_most_hold_the_reports_figures() -> None:
    found = report()
    lines = upkeep_text.lines(found)
    assert len(lines) <= 10
    legacy, direct, packages = lines[:3]
    for arm, line in (("legacy", legacy), ("direct", direct)):
        assert f"{found['maintenance'][arm]['lines']:,} lines" in line
        assert f"{sum(found['maintenance'][arm]['failure_modes'].values())} failure modes" in line
    assert "switched off" in legacy
    assert "switched off" not in direct
    assert "legacy CVE-2025-69872; direct none known" in packages
    assert any(found["faults"]["headline"][0] in line for line in lines)


def test_what_is_not_known_has_no_line() -> None:
    found = report()
    found["maintenance"] |= {"legacy": dict.fromkeys(surface.KEYS), "drills": None}
    found["faults"] = None
    lines = upkeep_text.lines(found)
    assert len(lines) == 1
    assert lines[0].startswith("To maintain of direct: 20 lines")

"""What a comparison says of maintenance and faults: what was counted in this clone, and what was recorded of it.

Surface and drills are counted anew in every comparison. The fault matrix takes longer than the comparison itself, so
its figures are those that `crossover faults --json` left in `faults/recorded.json`, which a test plays again. Drills
and faults are about the two pipelines of this clone: with another system in either place there are none.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.cost_settings import CostSettings, Range
from benchmarks.maintenance import drills, hours, surface
from benchmarks.scenario import ARMS, Scenario

RECORDED: Final = Path(__file__).parent / "faults" / "recorded.json"
WHY: Final = "assumed: hours of the drills' changes, at so many changes a month (crossover drills)"
RATES: Final = "hours a line, a file and a step"
"""What both arms' hours are drawn with: nobody knows the rates, and they are the same for both."""


def maintenance(scenario: Scenario, faults: Mapping[str, Any] | None) -> dict[str, Any]:
    """`maintenance` of the report: each arm's surface, None throughout where its source is not here, and the drills."""
    found: dict[str, Any] = {}
    for arm, counted in surface.measure_scenario(scenario).items():
        found[arm] = counted or dict.fromkeys(surface.KEYS)
        if faults and _is_ours(scenario):
            ways = faults["modes"][arm]
            found[arm]["failure_modes"] = dict(sorted(Counter(mode.partition(":")[0] for mode in ways).items()))
    return {**found, "drills": _drills(scenario.cost) if _is_ours(scenario) else None}


def faults(scenario: Scenario) -> dict[str, Any] | None:
    """`faults` of the report: the matrix as it was recorded."""
    if not _is_ours(scenario):
        return None
    document: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return document


def with_hours(settings: CostSettings, counted: Mapping[str, Any] | None) -> CostSettings:
    """The settings with hours a month from the drills, where an hourly rate is set and nobody said how many hours."""
    names = {arm: f"{arm}_engineering_hours_per_month" for arm in ARMS}
    unset = all(getattr(settings, name) is None for name in names.values())
    if counted is None or settings.engineering_usd_per_hour is None or not unset:
        return settings
    a_month = counted["hours_per_month"]["all"]
    given = {names[arm]: Range(**a_month[arm], why=WHY, drawn_with=RATES) for arm in ARMS}
    return settings.model_copy(update=given)


def _drills(settings: CostSettings) -> dict[str, Any]:
    counted = drills.count()
    return {**counted, **hours.figures(counted, settings.changes_per_month)}


def _is_ours(scenario: Scenario) -> bool:
    return all(scenario.arms[arm].kind == "builtin" for arm in ARMS)

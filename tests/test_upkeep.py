"""What a comparison says of maintenance and faults, and how hours of the drills become part of a decision's cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import scenario, upkeep
from benchmarks.cost.per_decision import engineering_hours
from benchmarks.cost.uncertain import Draws
from benchmarks.cost_settings import CostSettings
from benchmarks.maintenance import surface
from benchmarks.scenario import ARMS


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    return upkeep.maintenance(scenario.load(), upkeep.faults(scenario.load()))


def test_failure_modes_are_those_of_the_recorded_matrix(measured: dict[str, Any]) -> None:
    faults = upkeep.faults(scenario.load())
    assert faults is not None
    for arm in ARMS:
        assert sum(measured[arm]["failure_modes"].values()) == len(faults["modes"][arm])
        assert measured[arm].keys() == set(surface.KEYS)


def test_the_drills_hours_are_taken_where_only_a_rate_is_set(measured: dict[str, Any]) -> None:
    asked = upkeep.with_hours(CostSettings(engineering_usd_per_hour=100.0), measured["drills"])
    hours = engineering_hours(asked, Draws(1))
    assert isinstance(hours, dict)
    months = measured["drills"]["hours_per_month"]["all"]
    assert {arm: float(hours[arm][0]) for arm in ARMS} == {arm: months[arm]["value"] for arm in ARMS}
    assert asked.legacy_engineering_hours_per_month.why.startswith("assumed")  # type: ignore[union-attr]


def test_both_arms_hours_are_drawn_from_the_same_rates(measured: dict[str, Any]) -> None:
    """Drawn apart, half of the draws would have the one dearer and half the other, whatever was counted."""
    asked = upkeep.with_hours(CostSettings(engineering_usd_per_hour=100.0), measured["drills"])
    hours = engineering_hours(asked, Draws(1))
    assert isinstance(hours, dict)
    limits = measured["drills"]["hours_ratio"]["all"]
    ratio = hours["direct"] / hours["legacy"]
    assert limits["low"] <= ratio.min() <= ratio.max() <= limits["high"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"engineering_usd_per_hour": 100.0, "direct_engineering_hours_per_month": 1.0},
        {"engineering_usd_per_hour": 100.0, "legacy_engineering_hours_per_month": 1.0},
    ],
)
def test_hours_that_nobody_asked_for_or_somebody_set_are_left_alone(
    given: dict[str, Any], measured: dict[str, Any]
) -> None:
    settings = CostSettings(**given)
    assert upkeep.with_hours(settings, measured["drills"]) == settings
    rated = CostSettings(engineering_usd_per_hour=1.0)
    assert upkeep.with_hours(rated, None) == rated


def test_more_changes_a_month_are_more_hours() -> None:
    twice = scenario.load().model_copy(update={"cost": CostSettings(changes_per_month=4.0)})
    once = scenario.load().model_copy(update={"cost": CostSettings(changes_per_month=2.0)})
    many, few = (upkeep.maintenance(each, None)["drills"]["hours_per_month"]["all"] for each in (twice, once))
    assert many["legacy"]["value"] == pytest.approx(2 * few["legacy"]["value"])


def test_another_system_has_neither_drills_nor_faults(tmp_path: Path) -> None:
    file = tmp_path / "crossover.toml"
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "ours.py").write_text("def answer():\n    return 1\n")
    file.write_text('[legacy]\nkind = "http"\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\nsource = ["src/*.py"]\n')
    ours = scenario.load(file)
    assert upkeep.faults(ours) is None
    found = upkeep.maintenance(ours, None)
    assert found["drills"] is None
    assert (found["legacy"]["lines"], found["direct"]["lines"]) == (2, 20)
    file.write_text(file.read_text().replace('source = ["src/*.py"]\n', ""))
    assert upkeep.maintenance(scenario.load(file), None)["legacy"] == dict.fromkeys(surface.KEYS)

"""The `[cost]` table: bounds, ranges, and what stays unknown."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from benchmarks.cost_settings import CostSettings, Range


def test_what_is_unset_is_not_known() -> None:
    settings = CostSettings()
    for name in ("requests_per_month", "engineering_usd_per_hour", "power_usd_per_kwh", "price_decline_per_year"):
        assert getattr(settings, name) is None
    assert settings.of_wrong("any") == 0.0
    assert isinstance(settings.utilisation, Range)
    assert settings.utilisation.why.startswith("assumed")


def test_a_wrong_answer_costs_by_task_where_a_table_says_so() -> None:
    table = {"policy": 0.5, "tone": {"value": 0.1, "low": 0.0, "high": 0.2}}
    settings = CostSettings.model_validate({"wrong_answer_usd": table})
    assert settings.of_wrong("policy") == 0.5
    assert settings.of_wrong("tone") == Range(value=0.1, low=0.0, high=0.2)
    assert settings.of_wrong("units") == 0.0
    assert settings.unknown_tasks({"policy", "units"}) == ["tone"]
    assert CostSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_one_range_is_for_every_task() -> None:
    settings = CostSettings.model_validate({"wrong_answer_usd": {"value": 1, "low": 0, "high": 2}})
    assert settings.of_wrong("any") == Range(value=1, low=0, high=2)
    assert settings.unknown_tasks([]) == []


def test_whole_numbers_are_numbers() -> None:
    settings = CostSettings.model_validate({"acceptable": 1, "requests_per_month": {"value": 2, "low": 1, "high": 3}})
    assert settings.acceptable == 1.0
    assert settings.requests_per_month == Range(value=2.0, low=1.0, high=3.0)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"utilisation": 0}, "greater than 0"),
        ({"utilisation": {"value": 0.5, "low": 0.2, "high": 1.5}}, "1 or less"),
        ({"utilisation": {"value": 0.1, "low": 0.2, "high": 0.5}}, "low <= value <= high"),
        ({"wrong_answer_usd": -1}, "greater than or equal to 0"),
        ({"wrong_answer_usd": {"tone": -1}}, "greater than or equal to 0"),
        ({"requests_per_month": 0}, "greater than 0"),
        ({"requests_per_month": {"value": 1, "low": 0, "high": 2}}, "above 0"),
        ({"engineering_usd_per_hour": {"value": 1, "low": -1, "high": 2}}, "0 or more"),
        ({"engineering_usd_per_hour": float("nan")}, "finite"),
        ({"price_decline_per_year": 0.3}, "add today"),
        ({"price_decline_per_year": 1, "today": "2026-11-25"}, "less than 1"),
        ({"price_decline_per_year": {"value": 0.5, "low": 0.5, "high": 1}, "today": "2026-11-25"}, "below 1"),
        ({"acceptable": 0}, "greater than 0"),
        ({"acceptable": True}, "valid number"),
        ({"engineering_usd_per_hour": True}, "valid number"),
        ({"engineering_usd_per_hour": "1e6"}, "valid number"),
        ({"utilisation": "0.5"}, "valid number"),
        ({"price_decline_per_year": "0.5", "today": "2026-11-25"}, "valid number"),
        ({"requests_per_month": {"value": "1", "low": 1, "high": 2}}, "valid number"),
        ({"requests_per_month": {"value": 1, "low": True, "high": 2}}, "valid number"),
        ({"wrong_answer_usd": False}, "valid number"),
        ({"wrong_answer_usd": {"tone": "1"}}, "valid number"),
        ({"utilization": 0.3}, "not permitted"),
    ],
)
def test_a_wrong_number_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CostSettings.model_validate(wrong)

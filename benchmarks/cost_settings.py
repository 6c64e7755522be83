"""The `[cost]` table of a scenario: every assumption behind the cost of a decision, with its unit and bounds.

What is unset is not known, and whatever would rest on it is left out and said to be: nothing here is 0 by default that
is not 0 by definition. An uncertain number is written as `{ value = 0.3, low = 0.1, high = 0.6, why = "..." }`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Number = Annotated[float, Field(strict=True)]
"""A float or an int; no string, and no boolean, which would count as 1."""


class Range(_Strict):
    """An uncertain number: the best guess and what it may lie between.

    Ranges with the same `drawn_with` rest on one thing that is not sure: they are low together and high together.
    """

    value: Number
    low: Number
    high: Number
    why: str = ""
    drawn_with: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError("value lies outside low and high; order them low <= value <= high")
        return self


def _tag(value: object) -> str:
    if isinstance(value, Range) or (isinstance(value, Mapping) and "value" in value):
        return "range"
    return "by task" if isinstance(value, Mapping) else "number"


def _all_above_zero(given: Range) -> Range:
    if given.low <= 0:
        raise ValueError("low must be above 0")
    return given


def _none_below_zero(given: Range) -> Range:
    if given.low < 0:
        raise ValueError("low must be 0 or more")
    return given


def _shares_above_zero(given: Range) -> Range:
    if given.high > 1:
        raise ValueError("high must be 1 or less, for it is a share")
    return _all_above_zero(given)


def _shares_below_one(given: Range) -> Range:
    if given.high >= 1:
        raise ValueError("high must be below 1, for it is a share")
    return _all_above_zero(given)


_Number = Annotated[Number, Field(ge=0), Tag("number")]
_Table = Annotated[Range, AfterValidator(_none_below_zero), Tag("range")]

NonNegative = Annotated[_Number | _Table, Discriminator(_tag)]
Positive = Annotated[
    Annotated[Number, Field(gt=0), Tag("number")] | Annotated[Range, AfterValidator(_all_above_zero), Tag("range")],
    Discriminator(_tag),
]
Utilisation = Annotated[
    Annotated[Number, Field(gt=0, le=1), Tag("number")]
    | Annotated[Range, AfterValidator(_shares_above_zero), Tag("range")],
    Discriminator(_tag),
]
Decline = Annotated[
    Annotated[Number, Field(gt=0, lt=1), Tag("number")]
    | Annotated[Range, AfterValidator(_shares_below_one), Tag("range")],
    Discriminator(_tag),
]
WrongAnswer = Annotated[
    _Number | _Table | Annotated[dict[str, NonNegative], Tag("by task")],
    Discriminator(_tag),
]

UTILISATION: Final = Range(
    value=0.3,
    low=0.1,
    high=0.6,
    why="assumed: capacity rented for the peak of the day idles for most of it; measure yours and write it here",
)


class CostSettings(_Strict):
    """What a decision costs besides tokens, and what makes an answer one."""

    acceptable: Number = Field(
        default=0.5, gt=0, le=1, description="Least score of an answer that the product can act on: a decision."
    )
    wrong_answer_usd: WrongAnswer = Field(
        default=0.0,
        description="US dollars that an answer below `acceptable` does in harm, or a table of them by task. Each wrong "
        "answer is left out of the decisions already, so this is for harm beyond that.",
    )
    requests_per_month: Positive | None = Field(
        default=None, description="Requests a month: what work and storage are shared by. Unset: they are not known."
    )
    engineering_usd_per_hour: NonNegative | None = Field(
        default=None, description="US dollars an hour of engineering, all included. Unset: not known."
    )
    legacy_engineering_hours_per_month: NonNegative | None = Field(
        default=None, description="Hours a month that keep the legacy pipeline going. Unset: not known."
    )
    direct_engineering_hours_per_month: NonNegative | None = Field(
        default=None, description="Hours a month that keep the direct pipeline going. Unset: not known."
    )
    changes_per_month: Number = Field(
        default=2.0,
        gt=0,
        description="Changes like the drills that a month brings. With crossover drills they make the hours of both "
        "built-in pipelines, where an hourly rate is set and no hours are.",
    )
    cache_storage_usd_per_gb_month: NonNegative | None = Field(
        default=None, description="US dollars a month for a gigabyte that the cache is kept on. Unset: not counted."
    )
    cache_gb: NonNegative = Field(
        default=1.0, description="Gigabytes kept for the cache; the default is the most that the legacy pipeline uses."
    )
    utilisation: Utilisation = Field(
        default=UTILISATION, description="Share of its rented time in which hardware does useful work."
    )
    power_usd_per_kwh: NonNegative | None = Field(
        default=None, description="US dollars a kilowatt-hour, where the rent does not hold it. Unset: the rent does."
    )
    price_decline_per_year: Decline | None = Field(
        default=None, description="Share by which direct's price falls in a year beside legacy's. Unset: no forecast."
    )
    today: date | None = Field(
        default=None, description="The day from which prices fall, so that a forecast is the same whenever it is made."
    )

    @model_validator(mode="after")
    def _dated(self) -> Self:
        if self.price_decline_per_year is not None and self.today is None:
            raise ValueError("price_decline_per_year needs the day from which prices fall; add today = 2026-11-25")
        return self

    def of_wrong(self, task: str) -> float | Range:
        """What a wrong answer of a task costs."""
        return (
            self.wrong_answer_usd.get(task, 0.0) if isinstance(self.wrong_answer_usd, dict) else self.wrong_answer_usd
        )

    def unknown_tasks(self, tasks: Collection[str]) -> list[str]:
        """The tasks in `wrong_answer_usd` that there are not."""
        named: Mapping[str, Any] = self.wrong_answer_usd if isinstance(self.wrong_answer_usd, dict) else {}
        return sorted(set(named) - set(tasks))

"""Hours of engineering that changes take, from what was counted in them and from assumptions with a range.

    hours of a change = lines * LINE + files * FILE + redeploys * REDEPLOY + other steps * STEP
    hours a month     = changes a month * mean hours of a change over the drills

What carries the counts into hours is assumed, not measured: nobody was timed. The form is Benestad, Anda and
Arisholm's (2009): size of a change and its spread over files both track effort, and neither does alone. Hours of one
pipeline alone mean little, since the rates may all be off together; what a comparison rests on is the `ratio` at common
rates. Means hold for a team whose changes are like the drills; where yours are others, count those. Finding out that
nothing has to change takes nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Final

from benchmarks.maintenance.drills import groups, lines
from benchmarks.scenario import ARMS, Arm, Assumed

LINE: Final = Assumed(
    value=0.15,
    low=0.05,
    high=0.5,
    why="hours a line added or removed, with review and tests; the high end is near COCOMO II's nominal rate (0.56 at "
    "10,000 lines), which is for new development with its management",
)
FILE: Final = Assumed(
    value=0.25, low=0.0, high=1.0, why="hours a file that a change touches, to find and understand it"
)
REDEPLOY: Final = Assumed(value=0.25, low=0.1, high=1.0, why="hours a redeploy, with a look at what it did")
STEP: Final = Assumed(
    value=1.0,
    low=0.25,
    high=4.0,
    why="hours any other step, to do and to check, the waiting for a machine not counted",
)
CHANGES_PER_MONTH: Final = 2.0
"""Changes like the drills that a month brings: a reader's own number, this one for a start."""
RATES: Final = {"line": LINE, "file": FILE, "redeploy": REDEPLOY, "step": STEP}
BOUNDS: Final = ("value", "low", "high")

ByArm = dict[Arm, dict[str, float]]


def assumed() -> dict[str, dict[str, Any]]:
    """The rates by name, each with `value`, `low`, `high` and `why`."""
    return {name: rate.model_dump() for name, rate in RATES.items()}


def per_change(counts: Mapping[str, Any]) -> dict[str, ByArm]:
    """Mean hours of a change by group of drills (as in `drills.summary`) and pipeline: `value`, `low` and `high`.

    All rates are low together, and all high together. `counts` is what `drills.count` gives.
    """
    return per_month(counts, 1.0)


def per_month(counts: Mapping[str, Any], changes: float = CHANGES_PER_MONTH) -> dict[str, ByArm]:
    """Hours at so many changes a month, in the shape of `per_change`."""
    rates = {bound: [getattr(rate, bound) for rate in RATES.values()] for bound in BOUNDS}
    return {
        group: {
            arm: {bound: changes * _hours(_amounts(chosen, arm), rates[bound]) / len(chosen) for bound in BOUNDS}
            for arm in ARMS
        }
        for group, chosen in groups(counts["drills"]).items()
    }


def ratio(counts: Mapping[str, Any]) -> dict[str, dict[str, float] | None]:
    """Direct's hours over legacy's by group of drills, each rate being the same for both pipelines.

    `low` and `high` are the least and the most over all corners of the rates' ranges, which are the extremes: both
    hours are linear in each rate. None where legacy takes no hours.
    """
    ends = list(product(*((rate.low, rate.high) for rate in RATES.values())))
    found: dict[str, dict[str, float] | None] = {}
    for group, chosen in groups(counts["drills"]).items():
        legacy, direct = (_amounts(chosen, arm) for arm in ARMS)
        at = [
            (_hours(direct, rates), _hours(legacy, rates)) for rates in ([each.value for each in RATES.values()], *ends)
        ]
        if all(below > 0 for _, below in at):
            value, *corners = (above / below for above, below in at)
            found[group] = {"value": value, "low": min(corners), "high": max(corners)}
        else:
            found[group] = None
    return found


def figures(counts: Mapping[str, Any], changes: float = CHANGES_PER_MONTH) -> dict[str, Any]:
    """All of these for a document, with the rates that they rest on."""
    return {
        "changes_per_month": changes,
        "hours_per_month": per_month(counts, changes),
        "hours_per_change": per_change(counts),
        "hours_ratio": ratio(counts),
        "assumed": assumed(),
    }


def _amounts(chosen: Sequence[Mapping[str, Any]], arm: Arm) -> tuple[int, int, int, int]:
    """Lines, files, redeploys and other steps of some drills, as `RATES` has them."""
    sides = [each[arm] for each in chosen]
    kinds = [step["kind"] for side in sides for step in side["steps"]]
    redeploys = kinds.count("redeploy")
    return sum(map(lines, sides)), sum(side["files"] for side in sides), redeploys, len(kinds) - redeploys


def _hours(amounts: Sequence[int], rates: Sequence[float]) -> float:
    return sum(amount * rate for amount, rate in zip(amounts, rates, strict=True))

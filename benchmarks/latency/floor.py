"""What the harness cannot see: its own floor, measured against a target that does nothing, in the same run.

The null target answers at once, so all that its requests take is the harness, the event loop and the machine. How far
its quantile may lie up, by its own interval, is the floor at that quantile: a difference between two targets that is no
larger may be the harness's own, and is not claimed.
"""

from __future__ import annotations

from typing import Literal

from benchmarks.latency.quantiles import Samples, of_series

Claim = float | Literal["below the floor", "not measured"]


def floor(null_s: Samples, q: float) -> float | None:
    """Seconds below which nothing is claimed at quantile `q`, from the null target's requests in order of arrival.

    None where there are too few of them.
    """
    found = of_series(null_s, q)
    return None if found is None else found.high


def claim(delta_s: float | None, floor_s: float | None) -> Claim:
    """The difference in seconds, or why nothing is said: it was not measured, or the floor was not, or it is below."""
    if delta_s is None or floor_s is None:
        return "not measured"
    return delta_s if abs(delta_s) > floor_s else "below the floor"

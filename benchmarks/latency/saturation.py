"""The highest rate a target sustains: double until it does not, then halve the gap between the two.

A rate is sustained where at least 95 % of it is achieved, at most 1 % of the requests fail, and p99 stays within a
multiple of what it was at the first rate that was sustained: begin with one that the target finds easy. The search
ends where the two rates lie within 5 % of each other, where the highest allowed rate is sustained ("not reached" is an
answer), or after a bounded number of runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

ACHIEVED: Final = 0.95
FAILED: Final = 0.01
P99_TIMES: Final = 10.0
WIDTH: Final = 0.05
RUNS: Final = 20


@dataclass(frozen=True, slots=True)
class Load:
    """One run: requests a second as offered and as answered, the share that failed, and p99 in seconds.

    `p99_s` counts from the scheduled send; None where the run was too short for one, and then it is not judged.
    """

    offered_req_s: float
    achieved_req_s: float
    failed: float
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Saturation:
    """`sustained_req_s` is the highest rate that was sustained, `saturated_req_s` the lowest that was not; None where
    there was none. `trail` holds every run in its order, `why` says why the search ended."""

    sustained_req_s: float | None
    saturated_req_s: float | None
    trail: tuple[Load, ...]
    why: str


def overloaded(load: Load, at_ease_p99_s: float | None, p99_times: float = P99_TIMES) -> str | None:
    """Why a rate is not sustained, or None where it is."""
    if load.achieved_req_s < ACHIEVED * load.offered_req_s:
        return f"answered {load.achieved_req_s:.4g} of {load.offered_req_s:.4g} requests/s, less than {ACHIEVED:.0%}"
    if load.failed > FAILED:
        return f"{load.failed:.1%} of the requests failed, more than {FAILED:.0%}"
    if load.p99_s is not None and at_ease_p99_s is not None and load.p99_s > p99_times * at_ease_p99_s:
        return f"p99 is {load.p99_s:.4g} s, more than {p99_times:g} times the {at_ease_p99_s:.4g} s at ease"
    return None


async def search(
    measure: Callable[[float], Awaitable[Load]],
    *,
    start_req_s: float,
    most_req_s: float,
    p99_times: float = P99_TIMES,
    runs: int = RUNS,
) -> Saturation:
    """`measure` offers a rate in requests/s and tells what came of it. Where even the start is too much, lower ones are
    tried, halving. Raises what `measure` raises, and `ValueError` for bounds that leave nothing to try."""
    if not (0 < start_req_s <= most_req_s and runs >= 1):
        raise ValueError(f"nothing to try from {start_req_s} to {most_req_s} requests/s in {runs} runs")
    trail: list[Load] = []
    sustained: float | None = None
    saturated: float | None = None
    at_ease_p99_s: float | None = None
    rate, last = start_req_s, ""
    while len(trail) < runs:
        load = await measure(rate)
        trail.append(load)
        if reason := overloaded(load, at_ease_p99_s, p99_times):
            saturated, last = rate, f"at {rate:.4g} requests/s: {reason}"
        else:
            sustained = rate
            at_ease_p99_s = load.p99_s if at_ease_p99_s is None else at_ease_p99_s
        if sustained == most_req_s:
            return Saturation(sustained, None, tuple(trail), f"not reached by {most_req_s:.4g} requests/s")
        if sustained and saturated and saturated - sustained <= WIDTH * saturated:
            return Saturation(sustained, saturated, tuple(trail), last)
        if sustained is None:
            rate /= 2
        else:
            rate = min(2 * sustained, most_req_s) if saturated is None else (sustained + saturated) / 2
    return Saturation(sustained, saturated, tuple(trail), f"stopped after {runs} runs" + (last and f"; {last}"))

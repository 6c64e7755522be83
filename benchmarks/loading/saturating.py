"""The highest rate that a target sustains. The rule is `latency/saturation.py`; here each rate is offered.

Every rate meets a target opened anew: a cache that an earlier rate filled would help a later one. A rate is offered for
at least 30 mean answer times, so that filling up at the start is no sign of overload.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict, replace
from typing import Any, Final

from benchmarks.latency import saturation
from benchmarks.latency.saturation import Load, overloaded
from benchmarks.loading import figures, running
from benchmarks.loading.plan import Plan, Settled
from shared.errors import BadInput

MOST_REQ_S: Final = 100_000.0
"""Where the search ends."""
ANSWER_TIMES: Final = 30.0


class _GeneratorBehind(Exception):
    """This machine cannot offer that rate."""


def check(plan: Plan) -> None:
    """Raises `BadInput` where the plan leaves no rate to search for."""
    if plan.users is not None or (plan.kind == "ramp" and plan.trace is None):
        raise BadInput("the search for saturation sets the rate itself; leave out --users and --arrivals ramp")


async def search(settled: Settled, name: str) -> dict[str, Any]:
    """One target's search, on the running loop. It begins with the plan's rate, or the trace's own."""
    plan, trail, mean_s = settled.plan, list[Load](), 0.0
    start = plan.rate or (plan.trace.rate if plan.trace else None)
    if start is None:
        raise BadInput("there is no rate to begin with; give --rate")

    async def measure(rate: float) -> Load:
        nonlocal mean_s
        requests = max(len(settled.times), math.ceil(rate * ANSWER_TIMES * mean_s))
        ran = await running.alone(replace(plan, rate=rate, requests=requests).settled(settled.stream), name)
        if ran.code == 130:
            raise asyncio.CancelledError
        kept = figures.keep(ran.blocks, plan.warm_up)
        told = figures.target(plan, ran, kept)
        if told["void"]:
            raise _GeneratorBehind(told["void"])
        if told["achieved_req_s"] is None and not ran.code:
            raise BadInput(
                f"{len(settled.times):,} requests leave {kept.gaps} gaps between them after the warm-up, and a rate "
                f"needs {figures.LEAST_GAPS}; give more --requests or a shorter --warm-up"
            )
        if not mean_s and kept.answered.any():
            mean_s = float(kept.service_s[kept.answered].mean())
        failed = 1.0 if ran.code else 1 - told["answered"] / max(1, told["measured"])
        p99 = (told["since_scheduled_s"] or {}).get("p99")
        trail.append(
            Load(told["offered_req_s"] or rate, told["achieved_req_s"] or 0.0, failed, p99["value"] if p99 else None)
        )
        return trail[-1]

    try:
        found = await saturation.search(measure, start_req_s=start, most_req_s=max(start, MOST_REQ_S))
    except _GeneratorBehind as behind:
        ease = next((load.p99_s for load in trail), None)
        kept_up = [load.offered_req_s for load in trail if overloaded(load, ease) is None]
        found = saturation.Saturation(
            max(kept_up, default=None), None, tuple(trail), f"not reached by what this machine can send: {behind}"
        )
    return asdict(found)

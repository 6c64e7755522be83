"""`crossover load`: put one target, or two beside each other, under load, and tell how long answers take.

How it is done is in `loading/`: `plan.py` what to send, `targets.py` to whom, `running.py` when, `figures.py` what is
made of the answers, `saturating.py` the highest rate.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks import jobs
from benchmarks.loading import figures, running, saturating
from benchmarks.loading.host import Host
from benchmarks.loading.plan import Plan, Settled
from benchmarks.loading.running import Ran
from benchmarks.loading.targets import NULL
from benchmarks.machine import machine
from shared import clock
from shared.files import make_writable, replacing


def load(plan: Plan, out: Path | None = None, *, side_by_side: int = 1) -> tuple[dict[str, Any], int]:
    """The report and the exit code: 0; 2 where a run is void, partial or did not reach its rate; 130 interrupted.

    With `out`, the report (`load.json`) and the raw samples (`samples.jsonl`) are written there. `side_by_side` targets
    run at once in virtual time. Raises `BadInput`, before anybody is asked where it can be known then.
    """
    settled = plan.settled()
    if out is not None:
        make_writable(out)
    before = Host.look()
    if plan.virtual:
        tasks = [partial(running.virtual, plan, name) for name in plan.names]
        every = list(_until_stopped(jobs.run(tasks, side_by_side)))
    else:
        every = clock.run(running.by_turns(settled))
    report = _report(settled, every) | _here(plan, before)
    if out is not None:
        _write_samples(out / "samples.jsonl", every)
        _write(out / "load.json", report)
    return report, _code(report, every)


def saturate(plan: Plan, out: Path | None = None) -> tuple[dict[str, Any], int]:
    """The highest rate that each target sustains; the exit code is 0. With `out`, written there. Raises `BadInput`."""
    saturating.check(plan)
    settled = plan.settled()
    if out is not None:
        make_writable(out)
    before = Host.look()
    found = {name: clock.run(saturating.search(settled, name), virtual=plan.virtual) for name in plan.names}
    report = _head(settled) | {"saturation": found} | _here(plan, before)
    if out is not None:
        _write(out / "load.json", report)
    return report, 0


def _until_stopped(results: Iterator[Ran]) -> Iterator[Ran]:
    for ran in results:
        yield ran
        if ran.code:
            return


def _head(settled: Settled) -> dict[str, Any]:
    plan = settled.plan
    arrivals = "closed loop" if plan.users else "trace" if plan.trace else plan.kind
    return {
        "clock": "virtual" if plan.virtual else "real",
        "arrivals": {
            "kind": arrivals,
            "rate_req_s": None if plan.users else plan.rate,
            "ramp_to_req_s": plan.ramp_to if arrivals == "ramp" else None,
            "burstiness": plan.scenario.traffic.burstiness if arrivals == "bursty" else None,
            "users": plan.users,
            "trace": plan.trace and plan.trace.file.name,
        },
        "requests": len(settled.times),
        "seed": plan.seed,
        "answers": "whole" if plan.whole else "streamed",
        "warm_up": {"share": plan.warm_up.share, "seconds": plan.warm_up.seconds},
        "notes": list(settled.notes),
    }


def _report(settled: Settled, every: Sequence[Ran]) -> dict[str, Any]:
    plan = settled.plan
    kept = {ran.name: figures.keep(ran.blocks, plan.warm_up) for ran in every}
    told = {ran.name: figures.target(plan, ran, kept[ran.name]) for ran in every}
    floor = figures.floors(kept.get(NULL))
    pairs = [
        {"first": one, "second": other, **figures.deltas(kept[one], kept[other], floor)}
        for one, other in combinations([name for name in plan.names if name in kept], 2)
    ]
    return _head(settled) | {
        "targets": {name: each for name, each in told.items() if name != NULL},
        "null": told.get(NULL),
        "floor": floor,
        "differences": pairs,
    }


def _here(plan: Plan, before: Host) -> dict[str, Any]:
    """Where and when, for figures that depend on it: a report of virtual time does not."""
    if plan.virtual:
        return {"host": None, "machine": None, "date": None}
    return {"host": Host.look().since(before), "machine": machine(), "date": datetime.now(UTC).date().isoformat()}


def _code(report: Mapping[str, Any], every: Sequence[Ran]) -> int:
    codes = [ran.code for ran in every]
    if 130 in codes:
        return 130
    bad = [each["void"] or each["reached"] is False or not each["answered"] for each in report["targets"].values()]
    return 2 if any(codes) or any(bad) else 0


def _write(file: Path, report: Mapping[str, Any]) -> None:
    with replacing(file) as target:
        target.write(json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def _write_samples(file: Path, every: Sequence[Ran]) -> None:
    with replacing(file) as target:
        for ran in every:
            for block, samples in enumerate(ran.blocks):
                for row in samples.rows():
                    line = {"target": ran.name, "block": block, **row}
                    target.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")

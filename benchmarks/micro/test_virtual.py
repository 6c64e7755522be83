"""What virtual time costs a request however many there are, and how far it is from real time.

`CROSSOVER_REQUESTS=1000000` plays a day of a million requests through both pipelines, side by side in two processes;
that takes minutes. Without it there are a tenth as many.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from benchmarks import calibrate, jobs
from benchmarks.latency.driver import Samples
from benchmarks.loading import running
from benchmarks.loading.plan import Plan, WarmUp
from benchmarks.record import LoadMeter
from benchmarks.scenario import ARMS, Arm, load
from shared import clock

DAY_S = 86_400.0
MILLION = 1_000_000
REQUESTS = int(os.environ.get("CROSSOVER_REQUESTS", MILLION // 10))
FEWER = 10_000
GROWTH = 1.25
"""What a request of many may cost more than one of `FEWER`, in processor time."""
MOST_S, MOST_BYTES = 300.0, 1_000_000_000
"""For a million requests through both pipelines: seconds in all, and memory of each process."""
SIDE_BY_SIDE, RATE = 800, 40.0
"""Requests, and how many a second, of the comparison with real time: p99 needs 662."""
OFF = 0.05
"""How far virtual time may be from real time, as a share."""


class Volume(NamedTuple):
    requests: int
    failed: int
    processor_s: float
    peak_bytes: int


def plan(arm: Arm, requests: int, rate: float, *, overhead: Path | None = None) -> Plan:
    scenario = load(None)
    if overhead:
        latency = scenario.latency.model_copy(update={"overhead": str(overhead)})
        scenario = scenario.model_copy(update={"latency": latency})
    return Plan((arm,), scenario, "poisson", rate, rate, 7, WarmUp(), requests=requests, whole=True)


def volume(arm: Arm, requests: int) -> Volume:
    """A day's requests, however many, in this process."""
    begun = time.process_time()
    ran = running.virtual(plan(arm, requests, max(requests / DAY_S, 1.0)), arm)
    (samples,) = ran.blocks
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Volume(len(samples), len(samples.errors), time.process_time() - begun, peak_kb * 1024)


@pytest.mark.benchmark(group="virtual")
def test_a_request_costs_the_same_among_many(benchmark: Any) -> None:
    """Each run is a process of its own, so that its memory is. What starting takes is measured with one request."""
    counts = (1, FEWER, REQUESTS)
    tasks = [partial(volume, arm, count) for count in counts for arm in ARMS]

    def both() -> list[Volume]:
        return [each for pair in zip(tasks[::2], tasks[1::2], strict=True) for each in jobs.run(pair, len(ARMS))]

    begun = time.perf_counter()
    found = benchmark.pedantic(both, rounds=1)
    seconds = time.perf_counter() - begun
    for place, arm in enumerate(ARMS):
        start, few, many = found[place :: len(ARMS)]
        few_us, many_us = ((each.processor_s - start.processor_s) / each.requests * 1e6 for each in (few, many))
        benchmark.extra_info |= {f"{arm}_us": many_us, f"{arm}_bytes": many.peak_bytes}
        print(
            f"\n{arm}: {few_us:.0f} us a request of {few.requests:,}, {many_us:.0f} us of {many.requests:,}; "
            f"at most {many.peak_bytes / 1e6:.0f} MB"
        )
        assert not start.failed + few.failed + many.failed
        assert many.requests == REQUESTS
        assert many_us < few_us * GROWTH
        assert many.peak_bytes < MOST_BYTES
    print(f"all of it took {seconds:.0f} s")
    assert seconds < MOST_S * max(1.0, REQUESTS / MILLION)


@pytest.mark.benchmark(group="virtual")
@pytest.mark.parametrize("arm", ARMS)
def test_virtual_time_is_close_to_real_time(benchmark: Any, arm: Arm, tmp_path: Path) -> None:
    """The default scenario's hardware (direct on HC1, legacy on H100s), charged with a profile made just now.

    Both runs reach their models in process, so neither pays for an adapter.
    """
    profile = calibrate.measure().model_dump(mode="json", by_alias=True)
    profile["costs"]["adapter"] = {"p50_s": 0.0, "p5_s": 0.0, "p95_s": 0.0, "samples": 1}
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(profile))
    settled = plan(arm, SIDE_BY_SIDE, RATE, overhead=file).settled()
    virtual = clock.run(running.alone(settled, arm), virtual=True)
    others = LoadMeter()
    real = benchmark.pedantic(lambda: clock.run(running.alone(settled, arm)), rounds=1)
    busy_cores = others.cores() or 0.0
    ours, theirs = (_quantiles(each.blocks[0]) for each in (virtual, real))
    print(f"\nother processes kept {busy_cores:.2f} cores busy")
    for name, seconds in ours.items():
        off = seconds / theirs[name] - 1
        benchmark.extra_info[name] = off
        print(f"{arm} {name}: {seconds * 1e3:.3f} ms virtual, {theirs[name] * 1e3:.3f} ms real, {off:+.1%}")
    if busy_cores >= calibrate.BUSY_CORES:
        pytest.skip("the machine was busy with something else, for which virtual time has no room")
    assert all(abs(seconds / theirs[name] - 1) <= OFF for name, seconds in ours.items())


def _quantiles(samples: Samples) -> Mapping[str, float]:
    done, sent, due = (np.array(each) for each in (samples.done_s, samples.sent_s, samples.scheduled_s))
    assert len(done) == SIDE_BY_SIDE
    assert not samples.errors
    return {
        f"{since}, p{share:g}": float(np.percentile(taken, share))
        for since, taken in (("service time", done - sent), ("since scheduled", done - due))
        for share in (50, 99)
    }

"""What the load generator can send from one core, and how well it reads a time that is known.

`pytest benchmarks/micro/test_load.py -s`. The server is `loopback.py`, in a process of its own. Two targets are
asserted: at least 3,000 requests a second are driven, whole and streamed; and a server that waits 5 ms reads as 5 ms
within 0.2 ms at p50 beside the null target of the same run, whose own time is printed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from benchmarks.latency.arrivals import schedule
from benchmarks.latency.driver import Samples, Send, closed_loop, dispatch, open_loop
from benchmarks.loading.targets import at_url
from shared.contract import Message, Request

SECONDS = float(os.environ.get("CROSSOVER_BENCH_SECONDS", "5"))
RATE = 3000.0
DELAY_S = 0.005
BLOCKS = 10
REQUEST = Request((Message("user", "word " * 40),), temperature=0.0)


@contextmanager
def server(delay_s: float = 0.0) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.micro.loopback", str(delay_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1#loopback"
        process.kill()


def ask(_: int) -> Request:
    return REQUEST


def seconds(begin: Any, end: Any) -> Any:
    return np.frombuffer(end) - np.frombuffer(begin)


@pytest.mark.parametrize("answers", ["whole", "streamed"])
def test_requests_a_second(benchmark: Any, answers: str) -> None:
    async def drive(url: str) -> tuple[float, float]:
        """Requests/s of a closed loop of 16, and of an open loop at `RATE`."""
        async with at_url(url, ask, whole=answers == "whole") as opened:
            full, paced = Samples(), Samples()
            await closed_loop(16, round(RATE * SECONDS), opened.send, full)
            times = schedule("poisson", rate=RATE, count=round(RATE * SECONDS), seed=1)
            await open_loop(times.tolist(), opened.send, paced)
        late = dispatch(seconds(paced.scheduled_s, paced.sent_s), seconds(paced.sent_s, paced.done_s))
        assert late is not None
        assert not full.errors
        assert not paced.errors
        rates = len(full) / max(full.done_s), len(paced) / max(paced.done_s)
        benchmark.extra_info |= {"closed_req_s": rates[0], "open_req_s": rates[1], "dispatch_p99_s": late.p99_s}
        print(
            f"\n{answers}: closed loop of 16 {rates[0]:,.0f} requests/s; open loop at "
            f"{RATE:,.0f}/s {rates[1]:,.0f}, dispatch delay p99 {late.p99_s * 1e3:.3f} ms"
        )
        return rates

    with server() as url:
        rates = benchmark.pedantic(lambda: asyncio.run(drive(url)), rounds=1)
    assert rates[0] >= RATE
    assert rates[1] >= 0.98 * RATE


@pytest.mark.parametrize("answers", ["whole", "streamed"])
def test_a_known_delay(benchmark: Any, answers: str) -> None:
    async def read(null: str, slow: str) -> tuple[float, float]:
        async with (
            at_url(null, ask, whole=answers == "whole") as first,
            at_url(slow, ask, whole=answers == "whole") as second,
        ):
            found: dict[str, list[float]] = {null: [], slow: []}
            times = schedule("poisson", rate=200.0, count=round(200 * SECONDS), seed=2).tolist()
            edges = [len(times) * place // BLOCKS for place in range(BLOCKS + 1)]
            sends: list[tuple[str, Send]] = [(null, first.send), (slow, second.send)]
            for begin, end in pairwise(edges):
                for url, send in sends:
                    samples = Samples()
                    await open_loop([at - times[begin] for at in times[begin:end]], send, samples)
                    found[url] += seconds(samples.sent_s, samples.done_s).tolist()
                sends.reverse()
        return float(np.median(found[null])), float(np.median(found[slow]))

    with server() as null, server(DELAY_S) as slow:
        floor_s, read_s = benchmark.pedantic(lambda: asyncio.run(read(null, slow)), rounds=1)
    benchmark.extra_info |= {"floor_p50_s": floor_s, "read_p50_s": read_s}
    print(
        f"\n{answers}: {DELAY_S * 1e3:g} ms reads as {read_s * 1e3:.3f} ms at p50, the null "
        f"target as {floor_s * 1e3:.3f} ms: {(read_s - floor_s) * 1e3:.3f} ms beside it"
    )
    assert abs(read_s - floor_s - DELAY_S) <= 0.0002

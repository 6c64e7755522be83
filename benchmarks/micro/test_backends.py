"""What a client library costs: a bare aiohttp POST, `HttpBackend` and `LiteLLMBackend`, interleaved in one run.

`pytest benchmarks/micro/test_backends.py -s`. Every round asks each of the three once, in an order drawn anew, so that
whatever else the machine does, and what one call leaves behind for the next, hits all alike; LiteLLM's own tasks after
an answer end before the next call begins. Two targets are asserted: our HTTP path costs at most 1.25 times the bare
POST, and LiteLLM costs at least five times as much as our HTTP path.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

import aiohttp
import pytest

from shared.backends.http import HttpBackend
from shared.backends.litellm import LiteLLMBackend
from shared.backends.openai_dialect import fields
from shared.contract import Message, Request

ROUNDS = int(os.environ.get("CROSSOVER_BENCH_ROUNDS", "4000"))
WARM_UP = 200
SETTLE = 20
"""Turns of the event loop between two calls."""
REQUEST = Request((Message("system", "Answer in one word."), Message("user", "word " * 40)), temperature=0.0)

pytestmark = [  # litellm's own
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields' attribute on the instance:DeprecationWarning"),
]

Call = Callable[[], Awaitable[object]]


@pytest.fixture
def base_url() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.micro.loopback"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        process.kill()


def test_one_call(benchmark: Any, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with asyncio.Runner() as runner:
        times = runner.run(_prepared(base_url))

        def one_round() -> None:
            runner.run(times.one_round())

        benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=WARM_UP)
        runner.run(times.aclose())
    p50_s = {name: statistics.median(samples[WARM_UP:]) for name, samples in times.samples.items()}
    over_bare, under_litellm = p50_s["http"] / p50_s["aiohttp"], p50_s["litellm"] / p50_s["http"]
    benchmark.extra_info |= {f"{name}_p50_s": seconds for name, seconds in p50_s.items()}
    benchmark.extra_info |= {"http_over_aiohttp": over_bare, "litellm_over_http": under_litellm}
    shown = ", ".join(f"{name} {seconds * 1e3:.3f} ms" for name, seconds in p50_s.items())
    print(f"\np50 of {ROUNDS} calls each: {shown}; http/aiohttp {over_bare:.3f}, litellm/http {under_litellm:.1f}")
    assert over_bare <= 1.25
    assert under_litellm >= 5.0


class _Times:
    """The three ways to make one call, and how long each took, in seconds."""

    def __init__(self, ways: Mapping[str, Call], close: list[Callable[[], Awaitable[None]]]) -> None:
        self._order = random.Random(7)  # noqa: S311 - a seed, so that runs agree
        self._ways = list(ways.items())
        self._close = close
        self.samples: dict[str, list[float]] = {name: [] for name in ways}

    async def one_round(self) -> None:
        self._order.shuffle(self._ways)
        for name, call in self._ways:
            begun = perf_counter()
            await call()
            self.samples[name].append(perf_counter() - begun)
            for _ in range(SETTLE):
                await asyncio.sleep(0)

    async def aclose(self) -> None:
        for close in self._close:
            await close()


async def _prepared(base_url: str) -> _Times:
    session = aiohttp.ClientSession()
    http, litellm = HttpBackend(base_url, "loopback"), LiteLLMBackend("openai/loopback", api_base=base_url)
    body = json.dumps({"model": "loopback", **fields(REQUEST)}).encode()
    url, headers = f"{base_url}/chat/completions", {"Content-Type": "application/json"}

    async def bare() -> bytes:
        async with session.post(url, data=body, headers=headers) as response:
            return await response.read()

    ways: dict[str, Call] = {
        "aiohttp": bare,
        "http": lambda: http.complete(REQUEST),
        "litellm": lambda: litellm.complete(REQUEST),
    }
    for call in ways.values():
        await call()
    return _Times(ways, [session.close, http.aclose, litellm.aclose])

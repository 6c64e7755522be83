"""How true emulated answers are to the time asked for, beside the ways in which such servers are usually written.

`pytest benchmarks/micro/test_emulated.py -s`. A 100-token answer at 16,960 tokens/s, first token after 1 ms, four ways
that take turns in this process: `EmulatedBackend` whole and streamed, one `asyncio.sleep` for the whole answer, and
one `asyncio.sleep` for each token. The goal is 0.1 ms at the median, to which the first two are held.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import pytest

from shared.backends.emulated import EmulatedBackend
from shared.backends.generated import GeneratedBackend
from shared.clock import now
from shared.contract import Completion, Message, Request
from shared.hardware.catalogue import FIGURES, UNKNOWN, Figure, Hardware

ROUNDS: Final = int(os.environ.get("CROSSOVER_BENCH_ROUNDS", "700"))
GOAL_S: Final = 1e-4
TOKENS: Final = 100
TOK_S: Final = 16_960.0
FIRST_S: Final = 0.001
ASKED_S: Final = FIRST_S + (TOKENS - 1) / TOK_S
REQUEST: Final = Request((Message("user", "word " * 40),), max_tokens=TOKENS)

Way = Callable[[], Awaitable[Any]]


def _hardware() -> Hardware:
    values = {"first_token_s": FIRST_S, "prompt_token_s": 0.0, "tok_s": TOK_S}
    figures = {name: Figure(values[name], "assumed", "here") if name in values else UNKNOWN for name in FIGURES}
    return Hardware("chip", "chip", "8B", "", "refuse", figures)


async def _read(stream: AsyncGenerator[str | Completion, None]) -> None:
    async with aclosing(stream) as items:
        async for _ in items:
            pass


async def _token_by_token() -> None:
    await asyncio.sleep(FIRST_S)
    for _ in range(TOKENS - 1):
        await asyncio.sleep(1 / TOK_S)


async def _lateness_s() -> dict[str, list[float]]:
    """Seconds beyond `ASKED_S` of each call, by way; the ways take turns in an order drawn anew each round."""
    backend = EmulatedBackend(GeneratedBackend(), _hardware())
    ways: dict[str, Way] = {
        "whole": lambda: backend.complete(REQUEST),
        "streamed": lambda: _read(backend.stream(REQUEST)),
        "one sleep": lambda: asyncio.sleep(ASKED_S),
        "a sleep a token": _token_by_token,
    }
    rng, late = random.Random(7), {name: list[float]() for name in ways}  # noqa: S311 - a seed, so that runs agree
    for number in range(ROUNDS):
        for name in rng.sample(list(ways), len(ways)):
            if name == "a sleep a token" and number % 20:
                continue  # it takes twenty times as long as the others
            begun = now()
            await ways[name]()
            late[name].append(now() - begun - ASKED_S)
    return late


@pytest.mark.benchmark(group="emulated")
def test_a_hundred_tokens_at_16960_a_second(benchmark: Any) -> None:
    late = benchmark.pedantic(lambda: asyncio.run(_lateness_s()), rounds=1)
    p50_s = {name: statistics.median(samples) for name, samples in late.items()}
    p99_s = {name: sorted(samples)[len(samples) * 99 // 100] for name, samples in late.items()}
    benchmark.extra_info |= {f"{name} late p50_s": seconds for name, seconds in p50_s.items()}
    print(f"\nasked {ASKED_S * 1e3:.3f} ms; later than that, p50 and p99:")
    for name in late:
        print(f"  {name:<16}{p50_s[name] * 1e6:>12,.1f} us{p99_s[name] * 1e6:>14,.1f} us  ({len(late[name])} calls)")
    assert min(min(late["whole"]), min(late["streamed"])) >= 0.0
    assert p50_s["whole"] <= GOAL_S
    assert p50_s["streamed"] <= GOAL_S
    assert p50_s["whole"] < p50_s["one sleep"] < p50_s["a sleep a token"]

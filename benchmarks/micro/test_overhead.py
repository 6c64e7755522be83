"""What a pipeline costs over its bare backend, beside `litellm.Router` doing the same job on the same backend.

The backend answers at once, in process, so all that is measured is the pipelines' own work. Everything runs in one
process, in blocks of calls in a shuffled order, and medians are compared.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from benchmarks.targets.builtin import artefact_file
from benchmarks.workloads.workload import load
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.classifier import Artefact, Classifier
from legacy_pipeline.settings import Settings
from shared.contract import Completion, Identity, Message, Request, Usage
from shared.run import answer, stream
from shared.steps import Background

BLOCK = 20
BLOCKS = 100
HIT_US, MISS_US, DIRECT_US, LITELLM_RATIO = 60.0, 400.0, 20.0, 10.0


class Instant:
    """A backend without a model."""

    def __init__(self, name: str) -> None:
        self.identity = Identity("instant", name)

    async def complete(self, request: Request) -> Completion:
        return Completion("Four legs.", self.identity.model, Usage(200, 3))

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        yield "Four legs."
        yield await self.complete(request)

    async def aclose(self) -> None:
        """Nothing to let go of."""


def _questions() -> Callable[[], Request]:
    """Real prompts of the workload (about 1 KB), each made new by a number so that none was asked before."""
    items, numbers = load().items, count()
    workload = load()

    def fresh() -> Request:
        number = next(numbers)
        request = workload.request(items[number % len(items)])
        last = Message("user", f"{request.messages[-1].content} ({number})")
        return Request((*request.messages[:-1], last), task=request.task, max_tokens=16, temperature=0.0)

    return fresh


def _classifier() -> Classifier:
    """The committed artefact itself, asked without its models' leave: its cost is the same."""
    return Classifier(Artefact.model_validate_json(artefact_file("qwen-0.5b", "qwen-1.5b").read_bytes()))


async def _medians_us(
    arms: Mapping[str, Callable[[], Awaitable[Callable[[], Awaitable[Any]]]]], blocks: int
) -> dict[str, float]:
    """The median microseconds of each arm's calls. An arm prepares a call off the clock, then the call is timed.

    Arms take turns in blocks of `BLOCK` calls, in an order drawn anew each time: a machine that speeds up or slows down
    does so for all, and what one arm leaves behind (tasks, cold caches) is its own to pay within its block.
    """
    rng, spent = random.Random(7), {name: list[float]() for name in arms}  # noqa: S311
    for _ in range(blocks):
        for name in rng.sample(list(arms), len(arms)):
            calls = [await arms[name]() for _ in range(BLOCK)]
            await asyncio.sleep(0.002)
            for call in calls:
                begun = time.perf_counter()
                await call()
                spent[name].append(time.perf_counter() - begun)
            await asyncio.sleep(0.002)
    return {name: statistics.median(times) * 1e6 for name, times in spent.items()}


@pytest.mark.benchmark(group="overhead")
def test_overhead_over_the_bare_backend(benchmark: Any) -> None:
    """Hit, miss with its store, direct, and streamed direct, less the bare call."""

    async def main() -> dict[str, float]:
        small, large, fresh = Instant("small"), Instant("large"), _questions()
        background, direct = Background(), DirectPipeline(Instant("direct"))
        with tempfile.TemporaryDirectory() as folder:
            legacy = build(Path(folder) / "cache", _classifier(), small, large, Settings())
            known = fresh()
            await answer(legacy, known, background)
            await background.drain()

            async def bare() -> Callable[[], Awaitable[Any]]:
                request = fresh()
                return lambda: large.complete(request)

            async def hit() -> Callable[[], Awaitable[Any]]:
                return lambda: answer(legacy, known, background)

            async def miss() -> Callable[[], Awaitable[Any]]:
                request = fresh()

                async def call() -> None:
                    await answer(legacy, request, background)
                    await background.drain()

                return call

            async def straight() -> Callable[[], Awaitable[Any]]:
                request = fresh()
                return lambda: answer(direct, request, background)

            async def streamed() -> Callable[[], Awaitable[Any]]:
                request = fresh()

                async def call() -> None:
                    async for _ in stream(direct, request, background):
                        pass

                return call

            arms = {"bare": bare, "hit": hit, "miss": miss, "direct": straight, "direct streamed": streamed}
            medians = await _medians_us(arms, BLOCKS)
            await legacy.aclose()
        return medians

    medians = benchmark.pedantic(lambda: asyncio.run(main()), rounds=1)
    over = {name: us - medians["bare"] for name, us in medians.items()}
    benchmark.extra_info |= {f"{name}_us": round(us, 1) for name, us in over.items()}
    print("\nmicroseconds over the bare backend, median: " + ", ".join(f"{k} {v:.1f}" for k, v in over.items()))
    assert over["hit"] < HIT_US
    assert over["miss"] < MISS_US
    assert over["direct"] < DIRECT_US


@pytest.mark.benchmark(group="overhead")
@pytest.mark.filterwarnings("ignore")
def test_beside_litellm_router(benchmark: Any) -> None:
    """`litellm.Router` with its complexity router and its local cache, hit and miss, on the same backend."""

    async def main() -> dict[str, float]:
        router = _litellm_router()
        small, large, fresh, background = Instant("small"), Instant("large"), _questions(), Background()
        with tempfile.TemporaryDirectory() as folder:
            legacy = build(Path(folder) / "cache", _classifier(), small, large, Settings())
            known = fresh()
            await answer(legacy, known, background)
            await router.acompletion(model="smart", messages=_messages(known), max_tokens=16, temperature=0.0)

            async def bare() -> Callable[[], Awaitable[Any]]:
                request = fresh()
                return lambda: large.complete(request)

            def ours(request: Request) -> Callable[[], Awaitable[Any]]:
                async def call() -> None:
                    await answer(legacy, request, background)
                    await background.drain()

                return call

            def theirs(request: Request) -> Callable[[], Awaitable[Any]]:
                messages = _messages(request)
                return lambda: router.acompletion(model="smart", messages=messages, max_tokens=16, temperature=0.0)

            async def ready(call: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[Any]]:
                return call

            arms: dict[str, Callable[[], Awaitable[Callable[[], Awaitable[Any]]]]] = {
                "bare": bare,
                "our hit": lambda: ready(ours(known)),
                "our miss": lambda: ready(ours(fresh())),
                "litellm hit": lambda: ready(theirs(known)),
                "litellm miss": lambda: ready(theirs(fresh())),
            }
            medians = await _medians_us(arms, BLOCKS // 5)
            await legacy.aclose()
        return medians

    medians = benchmark.pedantic(lambda: asyncio.run(main()), rounds=1)
    over = {name: us - medians["bare"] for name, us in medians.items()}
    ratios = {kind: over[f"litellm {kind}"] / over[f"our {kind}"] for kind in ("hit", "miss")}
    benchmark.extra_info |= {f"{name}_us": round(us, 1) for name, us in over.items()}
    print(
        "\nmicroseconds over the bare backend, median: "
        + ", ".join(f"{name} {us:.1f}" for name, us in over.items())
        + "; litellm over ours: "
        + ", ".join(f"{kind} {ratio:.1f}x" for kind, ratio in ratios.items())
    )
    assert min(ratios.values()) >= LITELLM_RATIO


def _messages(request: Request) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in request.messages]


def _litellm_router() -> Any:
    """Two deployments on a custom in-process provider behind the complexity router, with LiteLLM's local cache."""
    import os

    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm
    from litellm.llms.custom_llm import CustomLLM
    from litellm.router import Router

    class Provider(CustomLLM):
        async def acompletion(self, *args: Any, model_response: Any = None, **kwargs: Any) -> Any:
            model_response.choices[0].message.content = "Four legs."
            model_response.choices[0].finish_reason = "stop"
            model_response.usage = litellm.Usage(prompt_tokens=200, completion_tokens=3, total_tokens=203)
            return model_response

    litellm.custom_provider_map = [{"provider": "instant", "custom_handler": Provider()}]
    litellm.suppress_debug_info = True
    tiers = {"SIMPLE": "small", "MEDIUM": "small", "COMPLEX": "large", "REASONING": "large"}
    return Router(
        model_list=[
            {"model_name": "small", "litellm_params": {"model": "instant/small"}},
            {"model_name": "large", "litellm_params": {"model": "instant/large"}},
            {
                "model_name": "smart",
                "litellm_params": {
                    "model": "auto_router/complexity_router",
                    "complexity_router_config": {"tiers": tiers},
                    "complexity_router_default_model": "small",
                },
            },
        ],
        cache_responses=True,
        num_retries=0,
    )

"""The diagram as code.

request -> cache hit? -> return cached
        -> complexity? -> small model | large model -> cache the result -> response
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.cascade import LARGE, Cascade
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.settings import Settings
from legacy_pipeline.single_flight import SingleFlight
from shared.contract import Backend, Request
from shared.errors import CrossoverError
from shared.steps import Recorder

ASIDE_S: Final = 0.05
"""Seconds that anything but a model may take before the answer goes on without it."""
STORE_S: Final = 1.0


class LegacyPipeline:
    """A broken or hanging cache is a miss, a broken classifier means large, a failing small model means large."""

    def __init__(
        self,
        cache: AnswerCache,
        classifier: Classifier | None,
        small: Backend,
        large: Backend,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.cache, self.flights = cache, SingleFlight()
        self.cascade = Cascade(classifier, self.settings)
        self.small, self.large = small, large

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        key = self.cache.key(request)
        cached = await step("cache", self.cache.get(key), limit_s=ASIDE_S, otherwise=None)
        if cached is None and self.settings.semantic:
            cached = await step("similar", self.cache.similar(request), limit_s=ASIDE_S, otherwise=None)
        if cached is not None:
            yield step.reuse(cached)
            return
        async for text in self.flights.share(key, step, lambda branch: self.compute(key, request, branch)):
            yield text

    async def compute(self, key: str, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        route = await step("classify", self.cascade.route(request), limit_s=ASIDE_S, otherwise=LARGE)
        if route.small:
            limit_s, doubt = self.settings.small_limit_s, self.cascade.doubt
            async for text in step.stream(
                "small", self.small, request, limit_s=limit_s, forgive=CrossoverError, accept=doubt
            ):
                yield text
        if step.completion is None:
            async for text in step.stream("large", self.large, request, tries=2):
                yield text
        step.later("store", self.cache.put(key, request, step.completion), limit_s=STORE_S)

    async def aclose(self) -> None:
        await self.flights.aclose()
        await self.small.aclose()
        await self.large.aclose()
        self.cache.close()

"""The model calls of one run, counted where they reach the backend, and those that ran on when nobody waited any more.

A client that leaves, gives up or has its answer waits no longer. A call whose last waiting client is gone has to stop
at once: what it still makes is paid for and thrown away. Steps cannot show it, since nobody reads them then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from shared.clock import now
from shared.contract import Backend, Completion, Identity, Request


@dataclass(slots=True)
class Calls:
    """`begun` counts calls that began while `counts()`. `abandoned` counts those of the whole run that ended more than
    `tick_s` seconds after the last client had gone that waited for an answer to the same request.
    """

    tick_s: float
    counts: Callable[[], bool]
    begun: int = 0
    abandoned: int = 0
    _waiting: Counter[Request] = field(default_factory=Counter)
    _gone_at_s: dict[Request, float] = field(default_factory=dict)

    @contextmanager
    def client(self, request: Request) -> Iterator[None]:
        """While a client waits for its answer."""
        self._waiting[request] += 1
        try:
            yield
        finally:
            self._waiting[request] -= 1
            self._gone_at_s[request] = now()

    @contextmanager
    def call(self, request: Request) -> Iterator[None]:
        """While a model is at work on it."""
        self.begun += self.counts()
        try:
            yield
        finally:
            if not self._waiting[request] and now() - self._gone_at_s[request] > self.tick_s:
                self.abandoned += 1


class CountedBackend:
    """`inner`, whose calls are counted. Clients of `calls` have to come with the request that reaches the model."""

    def __init__(self, inner: Backend, calls: Calls) -> None:
        self._inner, self._calls = inner, calls

    @property
    def identity(self) -> Identity:
        return self._inner.identity

    async def complete(self, request: Request) -> Completion:
        with self._calls.call(request):
            return await self._inner.complete(request)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        with self._calls.call(request):
            async with aclosing(self._inner.stream(request)) as items:
                async for item in items:
                    yield item

    async def aclose(self) -> None:
        await self._inner.aclose()

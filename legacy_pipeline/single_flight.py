"""Equal requests in flight share one call, so that a stampede on a cold cache costs one answer.

The call runs in a task of its own, so it outlives whoever asked first as long as anybody waits. It does not know what
makes requests equal (the cache's key does), and it holds no answers: once a call has ended its key is free again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Final

from shared.contract import Completion
from shared.errors import BackendUnavailable, BadAnswer
from shared.steps import Recorder

Work = Callable[[Recorder], AsyncGenerator[str, None]]

MOST_FAILURES: Final = 2
"""Shared calls that may fail before who joined them fails as well: a model that is down is not waited for in turn."""


@dataclass(slots=True, eq=False)
class _Flight:
    """One call, and who waits for it. `pieces` is the leader's; it holds one answer at most, then None."""

    task: asyncio.Task[Completion]
    pieces: asyncio.Queue[str | None]
    waiters: int = field(default=0)

    def result(self) -> Completion:
        if self.task.cancelled():
            raise BackendUnavailable("the shared call was stopped because the pipeline is closing; ask again later")
        return self.task.result()

    async def landed(self) -> Completion:
        """The answer, once there. Being cancelled here does not cancel the call."""
        await asyncio.wait({self.task})
        return self.result()


class SingleFlight:
    """Shares calls by key. Beyond `limit` calls in flight, further keys are answered without sharing."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._closed = False
        self._flights: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Completion]] = set()

    def share(self, key: str, step: Recorder, work: Work) -> AsyncGenerator[str, None]:
        """The answer that `work` makes, in pieces for the first who asks and whole for who joins.

        `work` is given a branch of the first one's recorder: its steps, and so its tokens, are recorded once. It must
        leave its answer in the branch's `completion`. Its failure reaches the first one only; of those who joined one
        calls anew and the others join that call, whose failure is theirs too. When the first one leaves, who waits
        stays, and whoever comes later calls anew: a call that hangs must not take them along. When the last who waits
        leaves, the call is cancelled.
        """
        return step.own(self._share(key, step, work))

    async def aclose(self) -> None:
        """Stop every call and wait until all have stopped. Nobody can ask any more."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _share(self, key: str, step: Recorder, work: Work) -> AsyncGenerator[str, None]:
        failures = 0
        while flight := self._flights.get(key):
            flight.waiters += 1
            try:
                shared = await step("share", flight.landed(), limit_s=None, otherwise=None)
            finally:
                await self._leave(key, flight)
            if shared is not None:
                yield step.reuse(shared)
                return
            failures += 1
            if failures == MOST_FAILURES:
                raise BackendUnavailable(f"{failures} calls shared with equal requests failed; ask again later")

        if self._closed:
            raise BackendUnavailable("the pipeline is closing; ask again later")
        flight = self._start(key, step.branch(), work)
        flight.waiters += 1
        try:
            while (piece := await flight.pieces.get()) is not None:
                yield piece
            step.completion = flight.result()
        finally:
            if not flight.task.done():  # whoever comes now must not wait for what the first one gave up
                self._remove(key, flight)
            await self._leave(key, flight)

    def _start(self, key: str, branch: Recorder, work: Work) -> _Flight:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(_call(branch, work, pieces))
        flight = _Flight(task, pieces)
        self._tasks.add(task)
        if len(self._flights) < self._limit:
            self._flights[key] = flight

        def land(task: asyncio.Task[Completion]) -> None:
            self._tasks.discard(task)
            pieces.put_nowait(None)
            if not task.cancelled():
                task.exception()  # the leader may have left: nobody else reads it
            # Who does not find the flight any more must find the answer in the cache: the store comes first.
            for stored in branch.afterwards:
                stored.add_done_callback(lambda _: self._remove(key, flight))
            if not branch.afterwards:
                self._remove(key, flight)

        task.add_done_callback(land)
        return flight

    async def _leave(self, key: str, flight: _Flight) -> None:
        flight.waiters -= 1
        if flight.waiters == 0 and not flight.task.done():
            self._remove(key, flight)
            flight.task.cancel()
            await asyncio.wait({flight.task})

    def _remove(self, key: str, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


async def _call(branch: Recorder, work: Work, pieces: asyncio.Queue[str | None]) -> Completion:
    generator = branch.own(work(branch))
    try:
        async for piece in generator:
            pieces.put_nowait(piece)
    finally:
        await branch.aclose()
    if branch.completion is None:
        raise BadAnswer("the shared call ended without an answer and without an error; mend the pipeline")
    return branch.completion

"""The recorder a pipeline reports to. Steps are the single source for telemetry, attribution and the live view.

A pipeline writes `await step(kind, work, ...)` for one piece of work, `async for text in step.stream(kind, backend,
request, ...)` for a model's answer, and `step.later(kind, work, ...)` for what can wait until the answer is out. Each
leaves one `Step`, whatever happens. The deadline of the whole request is not here but in `run.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, TypeVar

from shared.clock import now
from shared.contract import Backend, Completion, Request
from shared.errors import BackendUnavailable, BadAnswer, CrossoverError, StreamBroken

T = TypeVar("T")

Outcome = Literal["ok", "none", "rejected", "timeout", "error", "cancelled"]
"""`none`: the work found nothing (a miss). `rejected`: a draft was judged not good enough."""

REQUIRED: Final[Any] = object()
"""The default of `otherwise`: there is no fallback, a failure is the caller's."""


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work: when it began (seconds since the request came), how long it took, how it ended.

    `completion` is what a model answered in this step, used or not: its tokens were paid for. `detail` never holds a
    prompt or an answer. `after_answer` marks work that nobody waited for.
    """

    kind: str
    outcome: Outcome
    start_s: float
    seconds: float
    detail: str = ""
    completion: Completion | None = None
    after_answer: bool = False


class Background:
    """Work that goes on after an answer is out: tracked, bounded in number and time, drained before shutdown."""

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Run `work` as a task of its own; None, and `work` closed unrun, where `limit` tasks are already waiting."""
        if len(self._tasks) >= self._limit:
            work.close()
            return None
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self) -> None:
        """Wait until nothing is left. Each piece of work is bounded by its own limit, so this ends."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))


@dataclass(slots=True)
class Recorder:
    """Records the steps of one request. `streaming` tells whether the caller wants the answer in pieces.

    `completion` is the answer's completion once there is one. `out` is set when the caller has all it will get;
    `afterwards` is the work that waits for that.
    """

    streaming: bool
    background: Background
    started: float
    steps: list[Step] = field(default_factory=list)
    out: asyncio.Event = field(default_factory=asyncio.Event)
    completion: Completion | None = None
    afterwards: list[asyncio.Task[None]] = field(default_factory=list)
    _open: list[AsyncGenerator[Any, None]] = field(default_factory=list)

    async def __call__(self, kind: str, work: Awaitable[T], *, limit_s: float | None, otherwise: T = REQUIRED) -> T:
        """The result of `work`, or `otherwise` where it fails or takes more than `limit_s` seconds.

        A result that has a `detail` of type str explains itself in the step.
        """
        begun, detail = now(), ""
        outcome: Outcome = "cancelled"
        try:
            async with asyncio.timeout(limit_s):
                value = await work
            outcome, detail = ("none" if value is None else "ok"), str(getattr(value, "detail", ""))
            return value
        except Exception as error:
            outcome, detail = _describe(error)
            if otherwise is REQUIRED:
                raise
            return otherwise
        finally:
            self._add(kind, outcome, begun, now() - begun, detail)

    def stream(
        self,
        kind: str,
        backend: Backend,
        request: Request,
        *,
        limit_s: float | None = None,
        tries: int = 1,
        forgive: type[CrossoverError] | None = None,
        accept: Callable[[Completion], str | None] | None = None,
    ) -> AsyncGenerator[str, None]:
        """The backend's answer in pieces: one piece where the caller wants it whole.

        All that can be mended is mended before the first piece: a backend that is unavailable is asked up to `tries`
        times, as long as the pause that it asks for ends before the deadline; an error of type `forgive` that is left,
        or no first piece within `limit_s`, ends the stream without one, and `completion` stays None. After the first
        piece the error is `StreamBroken`.

        With `accept` the answer is fetched whole and judged before anything is sent: a reason it returns rejects it.
        """
        return self.own(self._tries(kind, backend, request, limit_s, tries, forgive, accept))

    def later(self, kind: str, work: Coroutine[Any, Any, Any], *, limit_s: float) -> None:
        """Do `work` after the answer is out: it can neither delay nor fail it, and an early leaver does not lose it.

        It begins at the latest after `limit_s` seconds, and then may take as many.
        """
        if task := self.background.start(self._later(kind, work, limit_s)):
            self.afterwards.append(task)
        else:
            work.close()
            self._add(kind, "error", now(), 0.0, "dropped: too much background work is waiting", after_answer=True)

    def reuse(self, completion: Completion) -> str:
        """Take an answer that exists already as this request's; returns its text."""
        self.completion = completion
        return completion.text

    def branch(self) -> Self:
        """A recorder of the same request for a task that may outlive its caller: same steps, its own completion."""
        return type(self)(self.streaming, self.background, self.started, self.steps, self.out)

    def own(self, generator: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Have `aclose` close this generator too: Python closes only the outermost one of a nest (PEP 533)."""
        self._open.append(generator)
        return generator

    async def aclose(self) -> None:
        """Close every generator handed out, newest first: a consumer that stops early stops the model."""
        while self._open:
            await self._open.pop().aclose()

    async def _tries(
        self,
        kind: str,
        backend: Backend,
        request: Request,
        limit_s: float | None,
        tries: int,
        forgive: type[CrossoverError] | None,
        accept: Callable[[Completion], str | None] | None,
    ) -> AsyncGenerator[str, None]:
        for left in reversed(range(tries)):
            if accept or not self.streaming:
                pieces = self._whole(kind, backend, request, limit_s, accept)
            else:
                pieces = self._pieces(kind, backend, request, limit_s)
            try:
                async for piece in pieces:
                    yield piece
                return
            except StreamBroken:
                raise
            except CrossoverError as error:
                wait_s = error.retry_after_s or 0.0 if isinstance(error, BackendUnavailable) else None
                in_time = wait_s is not None and now() + wait_s < self.started + request.deadline_s
                if not (left and in_time):
                    if forgive and isinstance(error, forgive):
                        return
                    raise
            finally:
                await pieces.aclose()
            if wait_s:
                await self("pause", asyncio.sleep(wait_s), limit_s=None)

    async def _whole(
        self,
        kind: str,
        backend: Backend,
        request: Request,
        limit_s: float | None,
        accept: Callable[[Completion], str | None] | None,
    ) -> AsyncGenerator[str, None]:
        begun = now()
        outcome: Outcome = "cancelled"
        detail, completion = "", None
        try:
            async with asyncio.timeout(limit_s):
                completion = _usable(await backend.complete(request))
            reason = accept(completion) if accept else None
            outcome, detail = ("rejected", reason) if reason else ("ok", "")
        except Exception as error:
            outcome, detail = _describe(error)
            raise _typed(error, backend, limit_s) from error
        finally:
            self._add(kind, outcome, begun, now() - begun, detail, completion)
        if outcome == "ok":
            yield self.reuse(completion)

    async def _pieces(
        self, kind: str, backend: Backend, request: Request, limit_s: float | None
    ) -> AsyncGenerator[str, None]:
        begun = resumed = now()
        spent, sent = 0.0, False
        outcome: Outcome = "cancelled"
        detail, completion = "", None
        items = backend.stream(request)
        item: str | Completion | None
        try:
            async with asyncio.timeout(limit_s):
                item = await _first_words(items, backend)
            while isinstance(item, str):
                spent, sent = spent + now() - resumed, True
                yield item
                resumed = now()
                item = await anext(items, None)
            if item is None:
                raise BadAnswer(f"{backend.identity.model} ended its stream without saying that it was complete")
            outcome, completion = "ok", item
            spent += now() - resumed
            self.completion = completion
        except asyncio.CancelledError:
            spent += now() - resumed
            raise
        except Exception as error:
            outcome, detail = _describe(error)
            spent += now() - resumed
            typed = _typed(error, backend, limit_s)
            raise (StreamBroken(f"failed after its first word: {typed}") if sent else typed) from error
        finally:
            self._add(kind, outcome, begun, spent, detail, completion)
            await items.aclose()

    async def _later(self, kind: str, work: Coroutine[Any, Any, Any], limit_s: float) -> None:
        begun, detail = now(), ""
        outcome: Outcome = "cancelled"
        try:
            with suppress(TimeoutError):  # a reader that dawdles must not hold up the work for ever
                async with asyncio.timeout(limit_s):
                    await self.out.wait()
            begun = now()
            async with asyncio.timeout(limit_s):
                value = await work
            outcome, detail = "ok", str(getattr(value, "detail", ""))
        except Exception as error:
            outcome, detail = _describe(error)
        finally:
            work.close()  # where it never began
            self._add(kind, outcome, begun, now() - begun, detail, after_answer=True)

    def _add(
        self,
        kind: str,
        outcome: Outcome,
        begun: float,
        seconds: float,
        detail: str,
        completion: Completion | None = None,
        *,
        after_answer: bool = False,
    ) -> None:
        start_s = begun - self.started
        self.steps.append(Step(kind, outcome, start_s, seconds, detail, completion, after_answer))


def _usable(completion: Completion) -> Completion:
    if not completion.text.strip():
        raise BadAnswer(f"{completion.model} answered with nothing; shorten the prompt or check the backend's limits")
    return completion


def _describe(error: Exception) -> tuple[Outcome, str]:
    """Our own messages are safe to keep; anybody else's may quote the prompt, so only its type is."""
    if isinstance(error, TimeoutError):
        return "timeout", ""
    return "error", f"{type(error).__name__}: {error}" if isinstance(error, CrossoverError) else type(error).__name__


def _typed(error: Exception, backend: Backend, limit_s: float | None) -> CrossoverError:
    if isinstance(error, CrossoverError):
        return error
    name = backend.identity.model
    if isinstance(error, TimeoutError):
        return BackendUnavailable(f"{name} did not answer within {limit_s} s; allow more or check that it is up")
    return BackendUnavailable(f"{name} raised {type(error).__name__}; its traceback holds the cause")


async def _first_words(items: AsyncGenerator[str | Completion, None], backend: Backend) -> str:
    """The first piece that is not blank, with what came before it: an answer of blanks can still be replaced."""
    held = ""
    async for item in items:
        if isinstance(item, Completion):
            break
        held += item
        if held.strip():
            return held
    raise BadAnswer(f"{backend.identity.model} answered with nothing; shorten the prompt or check the backend's limits")

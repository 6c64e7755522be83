"""Any backend with one fault: what a provider does to a client on a bad day, seeded and repeatable.

The faults are rows of one table (`FAULTS`), each made of the same few parts: a wait, some of the answer, then an error,
silence, an early end or a changed answer. Errors have the type that our parsers raise for the same thing on a socket
(`http.py`, `litellm.py`). It does not decide which requests are hit: `when` does. Works in real and in virtual time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.clock import now
from shared.contract import Backend, Completion, Identity, Request, Usage
from shared.errors import BackendError, BackendUnavailable, BadAnswer, BadInput

PIECES: Final = 4
"""In how many pieces a changed answer is streamed."""


def _unavailable(what: str, retry_after_s: float | None = None) -> Callable[[str], BackendError]:
    return lambda model: BackendUnavailable(f"{model} {what}; try again later", retry_after_s=retry_after_s)


def _bad(what: str) -> Callable[[str], BackendError]:
    return lambda model: BadAnswer(f"{model}: what came back {what}; check the endpoint")


def _cut(completion: Completion) -> Completion:
    """Far more text than was wanted, up to the limit of tokens."""
    long = (completion.text + "\n") * 50
    return replace(completion, text=long, finish_reason="length", logprobs=None)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to fail. The parts happen in this order, those that are set.

    `wait_s` bounds a random wait, in seconds. `pieces`: so many pieces of a streamed answer come (of a whole one
    nothing). `period_s` bounds the time for which the fault lasts and then is absent, in turn. Then comes `change`
    of a whole answer, `error`, or what `end` says: silence for ever, or nothing more. With none of these the answer
    comes as it should. `other`: another model answers under this one's name. `detectable` is False where nothing in the
    answer shows the fault.
    """

    what: str
    wait_s: tuple[float, float] = (0.0, 0.0)
    pieces: int = 0
    period_s: tuple[float, float] | None = None
    other: bool = False
    change: Callable[[Completion], Completion] | None = None
    error: Callable[[str], BackendError] | None = None
    end: Literal["", "silence", "early"] = ""
    detectable: bool = True


FAULTS: Final[Mapping[str, Behaviour]] = {
    "timeout": Behaviour(
        "no connection or no answer in time", wait_s=(1.0, 3.0), error=_unavailable("did not answer in time")
    ),
    "hang": Behaviour("never answers and never fails", end="silence"),
    "slow-first-token": Behaviour("seconds before the first token", wait_s=(2.0, 6.0)),
    "stalled-stream": Behaviour("falls silent in the middle of the answer", pieces=2, end="silence"),
    "truncated-stream": Behaviour("ends in the middle of the answer", pieces=2, end="early"),
    "429": Behaviour("429 without Retry-After", error=_unavailable("answered 429")),
    "429-retry-after": Behaviour(
        "429 with Retry-After: 2", error=_unavailable("answered 429 (it asks to wait 2 s)", 2.0)
    ),
    "500": Behaviour("500", error=_unavailable("answered 500")),
    "reset": Behaviour("resets the connection before the first word", error=_unavailable("broke the connection")),
    "reset-midway": Behaviour(
        "resets the connection in the middle of the answer", pieces=2, error=_unavailable("broke the connection")
    ),
    "malformed": Behaviour("200 with a body that is no JSON", error=_bad("is no JSON")),
    "empty": Behaviour("200 with an empty answer", change=lambda found: replace(found, text="", logprobs=None)),
    "other-model": Behaviour("another model answers under this one's name", other=True, detectable=False),
    "other-model-named": Behaviour(
        "another model answers under its own name, after the name asked for had been used",
        error=_bad("is from another model than the one asked for"),
    ),
    "no-token-counts": Behaviour(
        "answers without token counts", change=lambda found: replace(found, usage=Usage(), logprobs=None)
    ),
    "overlong": Behaviour("does not stop until the limit of tokens cuts it off", wait_s=(1.0, 4.0), change=_cut),
    "flapping": Behaviour("down and up by turns", period_s=(1.0, 4.0), error=_unavailable("cannot be connected to")),
}
"""By name. `what` is what the backend does."""


class FaultyBackend:
    """`inner` with the fault of that name, for the calls that begin while `when()` is true.

    `seed` decides every wait and period, in the order of the calls. `other` is who answers where another model does.
    Raises `BadInput` for an unknown fault, or one that needs an `other` that is not given.
    """

    def __init__(
        self,
        inner: Backend,
        fault: str,
        *,
        seed: int = 0,
        when: Callable[[], bool] = lambda: True,
        other: Backend | None = None,
    ) -> None:
        if fault not in FAULTS:
            raise BadInput(f"backend fault {fault!r} is unknown; known are {', '.join(FAULTS)}")
        self._fault, self._does = fault, FAULTS[fault]
        if self._does.other and other is None:
            raise BadInput(f"backend fault {fault!r} needs another backend to answer; give other=...")
        self._inner, self._other, self._when = inner, other, when
        self._random = random.Random(seed)  # noqa: S311  # a seed, so that runs agree
        self._period_s = self._random.uniform(*self._does.period_s) if self._does.period_s else 0.0

    @property
    def identity(self) -> Identity:
        return self._inner.identity

    async def complete(self, request: Request) -> Completion:
        """The whole answer, or the fault. Raises a `BackendError`."""
        if not self._is_hit():
            return await self._inner.complete(request)
        await self._wait()
        await self._fail()
        if self._does.end == "early":
            raise _unavailable("broke the connection")(self.identity.model)
        return await self._answer(request)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, or the fault. Raises a `BackendError`."""
        if not self._is_hit():
            async with aclosing(self._inner.stream(request)) as items:
                async for item in items:
                    yield item
            return
        await self._wait()
        does = self._does
        if does.change or does.other:
            completion = await self._answer(request)
            size = -(-len(completion.text) // PIECES) or 1
            for start in range(0, len(completion.text), size):
                yield completion.text[start : start + size]
            yield completion
            return
        if not does.pieces:
            await self._fail()
        sent = 0
        async with aclosing(self._inner.stream(request)) as items:
            async for item in items:
                if does.pieces and (sent == does.pieces or isinstance(item, Completion)):
                    await self._fail()
                    return
                sent += 1
                yield item

    async def aclose(self) -> None:
        """Close the inner backend, and the other one."""
        await self._inner.aclose()
        if self._other is not None:
            await self._other.aclose()

    def _is_hit(self) -> bool:
        if not self._when():
            return False
        return not self._period_s or int(now() / self._period_s) % 2 == 0

    async def _wait(self) -> None:
        if self._does.wait_s[1]:
            await asyncio.sleep(self._random.uniform(*self._does.wait_s))

    async def _fail(self) -> None:
        if self._does.error:
            raise self._does.error(self.identity.model)
        if self._does.end == "silence":
            await asyncio.Event().wait()

    async def _answer(self, request: Request) -> Completion:
        """The inner backend's answer, or the other one's, changed as the fault says."""
        backend = self._other if self._does.other and self._other else self._inner
        completion = await backend.complete(request)
        if self._does.other:
            completion = replace(completion, model=self.identity.model)
        return self._does.change(completion) if self._does.change else completion

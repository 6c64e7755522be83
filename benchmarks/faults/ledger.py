"""Models whose every answer names whom it is for and which call it comes from, and a book of those calls.

So it can be read off a text whose it is, and off a cached one whether it should have been cached. It does not judge:
`properties.py` does. A `Marked` model is healthy; a `Noted` backend stands around whatever faults make of it, and
notes what the pipeline was given.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from shared.clock import now, sleep_until
from shared.contract import Backend, Completion, FinishReason, Identity, Request, Usage, canonical_json
from shared.errors import CrossoverError

CUT_SHARE: Final = 1 / 12
"""Share of a healthy model's answers that the limit of tokens cuts off."""
PAUSES_S: Final = (0.0, 0.0, 0.01, 0.1, 0.5)
"""What a healthy model may take before each of its three pieces, in seconds."""
_MARK: Final = re.compile(r"\[[^]]*\]")


@dataclass(slots=True, eq=False)
class Call:
    """One call of a model. `ended_s` is None while it runs; then it has a `completion`, an `error`, or was stopped."""

    model: str
    request: Request
    begun_s: float
    ended_s: float | None = None
    completion: Completion | None = None
    error: CrossoverError | None = None


@dataclass(slots=True)
class Ledger:
    """Every call of an episode, in the order in which they began, and those that gave a text by that text.

    `jumps_s` are the moments at which the clock that the cache reads jumped.
    """

    calls: list[Call] = field(default_factory=list)
    by_text: dict[str, Call] = field(default_factory=dict)
    jumps_s: list[float] = field(default_factory=list)
    answers: int = 0

    def begin(self, model: str, request: Request) -> Call:
        call = Call(model, request, now())
        self.calls.append(call)
        return call

    def complete(self, call: Call, completion: Completion) -> None:
        call.completion = completion
        if completion.text.strip():
            self.by_text[completion.text] = call

    def number(self) -> int:
        """One that no other answer has."""
        self.answers += 1
        return self.answers


def mark(request: Request) -> str:
    """Whom an answer is for: all that it may depend on, the prompt as a hash besides its last message."""
    scope = " ".join(f"{name}={value}" for name, value in request.scope)
    prompt = hashlib.sha256(canonical_json(request.prompt()).encode()).hexdigest()[:8]
    return f"[{scope} {request.task}: {request.messages[-1].content} {prompt}]"


def marks(text: str) -> set[str]:
    """Every whole mark in a text."""
    return set(_MARK.findall(text))


class Marked:
    """A healthy model, slow as `PAUSES_S` and cut as `CUT_SHARE` say; its log-probability lies between -2 and 0."""

    def __init__(self, name: str, ledger: Ledger, seed: str) -> None:
        self._name, self._ledger, self._seed = name, ledger, seed

    @property
    def identity(self) -> Identity:
        return Identity("marked", self._name)

    async def complete(self, request: Request) -> Completion:
        async with aclosing(self.stream(request)) as items:
            async for item in items:
                if isinstance(item, Completion):
                    return item
        raise AssertionError("a marked model always completes")

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        number, begun = self._ledger.number(), now()
        drawn = random.Random(f"{self._seed} {number}")  # noqa: S311  # a seed, so that runs agree
        pieces = (f"{mark(request)} ", f"from {self._name}", f", answer {number}.")
        first_s: float | None = None
        for piece in pieces:
            if pause_s := drawn.choice(PAUSES_S):
                await sleep_until(now() + pause_s)
            first_s = now() - begun if first_s is None else first_s
            yield piece
        finish_reason: FinishReason = "length" if drawn.random() < CUT_SHARE else "stop"
        usage, logprobs = Usage(len(pieces[0]), number), (-2 * drawn.random(),)
        text, took_s = "".join(pieces), now() - begun
        yield Completion(text, self._name, usage, finish_reason, logprobs, first_s, took_s, "emulated")

    async def aclose(self) -> None:
        """Holds nothing."""


class Noted:
    """Notes in the ledger what came of each call of `inner`."""

    def __init__(self, inner: Backend, ledger: Ledger) -> None:
        self._inner, self._ledger = inner, ledger

    @property
    def identity(self) -> Identity:
        return self._inner.identity

    async def complete(self, request: Request) -> Completion:
        call = self._ledger.begin(self.identity.model, request)
        try:
            completion = await self._inner.complete(request)
            self._ledger.complete(call, completion)
            return completion
        except CrossoverError as error:
            call.error = error
            raise
        finally:
            call.ended_s = now()

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        call = self._ledger.begin(self.identity.model, request)
        try:
            async with aclosing(self._inner.stream(request)) as items:
                async for item in items:
                    if isinstance(item, Completion):
                        self._ledger.complete(call, item)
                    yield item
        except CrossoverError as error:
            call.error = error
            raise
        finally:
            call.ended_s = now()

    async def aclose(self) -> None:
        await self._inner.aclose()

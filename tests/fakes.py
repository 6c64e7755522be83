"""A full backend without a model: says what it was told to, as slowly, and fails where it was told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from shared.clock import now
from shared.contract import Completion, Identity, Message, Request, Usage

HANG = float("inf")


@dataclass
class Script:
    """One call: each piece comes after its delay in seconds; then `error` is raised, or the completion is given."""

    pieces: Sequence[tuple[float, str]] = ((0.0, "yes"),)
    error: Exception | None = None
    end_delay_s: float = 0.0
    finish_reason: str = "stop"
    logprobs: tuple[float, ...] | None = None


@dataclass
class ScriptedBackend:
    """Plays one script a call, the last one for ever. `running` counts calls that are neither ended nor stopped."""

    scripts: Sequence[Script] = (Script(),)
    name: str = "scripted"
    calls: int = 0
    running: int = 0
    closed: bool = False
    requests: list[Request] = field(default_factory=list)

    @property
    def identity(self) -> Identity:
        return Identity("fake", self.name)

    async def complete(self, request: Request) -> Completion:
        async with aclosing(self.stream(request)) as items:
            async for item in items:
                if isinstance(item, Completion):
                    return item
        raise AssertionError("a script ends with a completion or an error")

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        self.running += 1
        self.requests.append(request)
        begun, first_s = now(), None
        try:
            for delay_s, piece in script.pieces:
                await _wait(delay_s)
                first_s = now() - begun if first_s is None else first_s
                yield piece
            await _wait(script.end_delay_s)
            if script.error:
                raise script.error
            yield Completion(
                "".join(piece for _, piece in script.pieces),
                self.name,
                Usage(len(request.messages), len(script.pieces)),
                script.finish_reason,  # type: ignore[arg-type]
                script.logprobs,
                first_s,
                now() - begun,
            )
        finally:
            self.running -= 1

    async def aclose(self) -> None:
        self.closed = True


async def _wait(seconds: float) -> None:
    if seconds == HANG:
        await asyncio.Event().wait()
    elif seconds > 0:
        await asyncio.sleep(seconds)


def ask(text: str = "Is it on?", *, deadline_s: float = 30.0, **fields: object) -> Request:
    """A small request."""
    return Request((Message("user", text),), deadline_s=deadline_s, **fields)  # type: ignore[arg-type]

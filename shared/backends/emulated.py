"""A model's answers at another hardware's pace: time to first token, time per token, capacity, limits.

Who answers and how fast the hardware is are two axes: the texts come from an inner backend that has them at once (a
recording, or filler text), the seconds from the hardware catalogue. An entry of the catalogue serves one model, as
silicon with the weights in it does; any other model is refused, unless it is a stand-in that says so (`stand_in`).

Time is asked for in points on the loop's clock, never in pauses: what one wait or one reader is late does not add up,
and where the timer cannot resolve single tokens, those that are due come together. Nothing ever comes early.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

from shared.clock import SPIN_S, now, sleep_until
from shared.contract import Backend, Completion, Identity, Request, Usage
from shared.errors import BackendRefused, BackendUnavailable, BadAnswer, BadInput
from shared.hardware.catalogue import Hardware
from shared.hardware.pace import pace

STAND_INS: Final = frozenset({"recorded", "generated"})
"""Providers whose texts may play another model: what they say is known beforehand, and is declared."""
MOST_JITTER: Final = 2.0

Accepted = Callable[[Completion], Awaitable[None]]


class EmulatedBackend:
    """`inner`'s answers as `hardware` would give them. Belongs to one event loop at a time.

    `capacity` servers take requests first come, first served; more than `in_flight` requests, waiting ones included,
    are refused with `BackendUnavailable`. Where either is unknown it does not bind. A prompt beyond the context
    raises `BackendRefused` or comes back empty, as the entry says. `jitter` is the sigma of a log-normal factor
    of mean 1 on all of a call's time, drawn from `seed` in the order in which requests come; 0 draws none. The
    completions' `seconds` and `first_token_s` hold what passed on the loop's clock, waiting included, with timing
    `emulated`.

    Raises `BadInput` for figures that are unknown and not assumed, for a bad `jitter`, and for an `inner` that is
    neither the entry's model nor a stand-in.
    """

    def __init__(self, inner: Backend, hardware: Hardware, *, seed: int = 0, jitter: float = 0.0) -> None:
        if not 0.0 <= jitter <= MOST_JITTER:
            raise BadInput(f"jitter is {jitter}; it must lie in [0, {MOST_JITTER:g}]: the sigma of a log-normal factor")
        who = inner.identity
        if who.model != hardware.model and who.provider not in STAND_INS:
            raise BadInput(
                f"{hardware.id} serves {hardware.model} and no other model, not {who.model}; "
                f"give it {hardware.model}, or a recording to stand in for it"
            )
        self._inner = inner
        self.hardware = hardware
        self.pace = pace(hardware)
        self.jitter = jitter
        self._random = random.Random(seed)  # noqa: S311 - a seed, so that runs agree
        self._servers = _Servers(hardware.id, self.pace.capacity, self.pace.in_flight)

    @property
    def identity(self) -> Identity:
        """The inner backend's: what is answered does not depend on how fast it comes."""
        return self._inner.identity

    @property
    def stand_in(self) -> str | None:
        """The sentence that every output resting on a stand-in shows; None where the model is the entry's own."""
        who = self.identity
        if who.model == self.hardware.model:
            return None
        return f"{who.model} ({who.provider}) stands in for {self.hardware.model} on {self.hardware.id}"

    async def complete(
        self, request: Request, *, arrived_s: float | None = None, accepted: Accepted | None = None
    ) -> Completion:
        """The whole answer, when its last token is there.

        `arrived_s` is when the request came, on the loop's clock, where that was before this call. `accepted` is
        awaited with the answer as soon as the request is sure of it, so that a server can make ready what it will send.

        Raises `BackendUnavailable` beyond `in_flight`, `BackendRefused` beyond the context, `BadAnswer` where the inner
        answer has no token counts or took longer than the hardware would, and whatever the inner backend raises.
        """
        with _Visit(self._servers) as visit:
            call = await self._begun(visit, request, arrived_s, accepted)
            await sleep_until(call.end_s)
        return call.timed()

    async def stream(
        self, request: Request, *, arrived_s: float | None = None, accepted: Accepted | None = None
    ) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, each as soon as its tokens are there. Raises as `complete` does.

        A reader that dawdles does not hold up the hardware: its server is free once the last token is made.
        """
        with _Visit(self._servers) as visit:
            call = await self._begun(visit, request, arrived_s, accepted)
            made = asyncio.get_running_loop().call_at(visit.end_s, visit.leave)
            try:
                sent = tokens = 0
                while tokens < call.output_tokens:
                    await sleep_until(call.at(tokens + 1), spin=call.alone(tokens + 1))
                    tokens = max(tokens + 1, call.due(now()))
                    begin, sent = sent, call.characters(tokens)
                    if begin < sent:
                        yield call.completion.text[begin:sent]
                await sleep_until(call.end_s)
            finally:
                made.cancel()
        yield call.timed()

    async def aclose(self) -> None:
        """Close the inner backend."""
        await self._inner.aclose()

    async def _begun(
        self, visit: _Visit, request: Request, arrived_s: float | None, accepted: Accepted | None
    ) -> _Call:
        """The request's call, once a server has taken it up."""
        call = await self._call(request, now() if arrived_s is None else arrived_s)
        if accepted:
            await accepted(call.completion)
        visit.end_s = call.start(await visit.seat())
        return call

    async def _call(self, request: Request, arrived_s: float) -> _Call:
        """What the inner backend answers, within the hardware's context, and what it will take."""
        completion = await self._inner.complete(request)
        asked, made = completion.usage.input_tokens, completion.usage.output_tokens
        if asked is None or made is None or (made < 1 and completion.text):
            raise BadAnswer(
                f"{completion.model}: an answer without its token counts has no pace on {self.hardware.id}; "
                "use a recording of a backend that reports them"
            )
        alone_s = self.pace.seconds(asked, made)
        if completion.timing == "measured" and (completion.seconds or 0.0) > alone_s:
            raise BadAnswer(
                f"{completion.model} took {completion.seconds:.4g} s itself, and {self.hardware.id} would take "
                f"{alone_s:.4g} s; emulate over a recording, whose answers are there at once"
            )
        if self.pace.context_tokens is not None and asked > self.pace.context_tokens:
            if self.pace.beyond_context == "refuse":
                raise BackendRefused(
                    f"the prompt has {asked} tokens and {self.hardware.id} reads at most {self.pace.context_tokens}; "
                    "shorten it"
                )
            made = 0
            completion = replace(completion, text="", usage=Usage(asked, 0), finish_reason="stop", logprobs=None)
        factor = math.exp(self._random.gauss(0.0, self.jitter) - self.jitter**2 / 2) if self.jitter else 1.0
        first_s = factor * self.pace.until_first(asked)
        return _Call(completion, arrived_s, made, first_s, factor * self.pace.token_s)


@dataclass(slots=True)
class _Call:
    """One accepted request. Times ending in `_at_s` are points on the loop's clock, known once it has started."""

    completion: Completion
    arrived_at_s: float
    output_tokens: int
    first_s: float
    token_s: float
    first_at_s: float = math.nan
    end_s: float = math.nan

    def start(self, free_at_s: float) -> float:
        """Begin as soon as the server is free; returns when the last token will be there."""
        self.first_at_s = max(self.arrived_at_s, free_at_s) + self.first_s
        self.end_s = self.at(max(1, self.output_tokens))
        return self.end_s

    def at(self, token: int) -> float:
        """When the token of that number, counted from 1, is there."""
        return self.first_at_s + (token - 1) * self.token_s

    def due(self, at_s: float) -> int:
        """How many tokens are there by then."""
        if at_s >= self.end_s:
            return self.output_tokens
        return 1 + math.floor((at_s - self.first_at_s) / self.token_s)

    def alone(self, token: int) -> bool:
        """Whether that token is worth its own point in time: not where timers would bring several of them at once.

        The first and the last always are. Spinning for each of the others would keep a core from whoever reads them.
        """
        return self.token_s >= SPIN_S or token == 1 or self.at(token) + SPIN_S > self.end_s

    def characters(self, tokens: int) -> int:
        """How much of the text so many tokens hold: all are taken to be of one length."""
        return len(self.completion.text) * tokens // self.output_tokens

    def timed(self) -> Completion:
        """The completion with the seconds that passed."""
        first_token_s = self.first_at_s - self.arrived_at_s if self.output_tokens else None
        return replace(
            self.completion,
            first_token_s=first_token_s,
            seconds=max(now(), self.end_s) - self.arrived_at_s,
            timing="emulated",
        )


@dataclass(slots=True)
class _Servers:
    """So many at once, the others in a queue; None is no limit."""

    hardware_id: str
    capacity: int | None
    most: int | None
    inside: int = 0
    busy: int = 0
    queue: deque[asyncio.Future[float]] = field(default_factory=deque)


class _Visit:
    """One request's stay: in the door or refused, seated in its turn, out once, however it ends."""

    def __init__(self, servers: _Servers) -> None:
        if servers.most is not None and servers.inside >= servers.most:
            raise BackendUnavailable(
                f"{servers.hardware_id} has {servers.inside} requests under way, which is the most it accepts; "
                "ask less often"
            )
        servers.inside += 1
        self._servers = servers
        self._inside, self._seated = True, False
        self.end_s = math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.leave()

    async def seat(self) -> float:
        """Wait for a server. Since when it is free, on the loop's clock: not when this task was told so."""
        servers = self._servers
        if servers.capacity is None or servers.busy < servers.capacity:
            servers.busy += 1
            self._seated = True
            return -math.inf
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        servers.queue.append(turn)
        try:
            free_at_s = await turn
        finally:  # a turn that came together with a cancellation is passed on by `leave`
            self._seated = turn.done() and not turn.cancelled()
        return free_at_s

    def leave(self) -> None:
        """Out, and the server to whoever waits longest."""
        if not self._inside:
            return
        self._inside = False
        servers = self._servers
        servers.inside -= 1
        if not self._seated:
            return
        while servers.queue:
            turn = servers.queue.popleft()
            if not turn.done():
                turn.set_result(min(now(), self.end_s))
                return
        servers.busy -= 1

"""Send requests when they are due, and note what became of each. One driver for virtual and for real time.

An open loop sends at the scheduled times whatever is still under way: a slow answer holds no later request back, so
that no wait is left out (the "coordinated omission" that wrk2 and MLPerf LoadGen avoid in the same way). A closed loop
keeps a number of users busy, each of whom sends when answered. All seconds are on the running loop's clock and counted
from the start of the block.

In real time a request is sent a little late: the dispatch delay, from its due time until its first line of code runs.
It is published, and a run is void where its 99th percentile is over 1 ms and over 1 % of the median service time. The
time since the scheduled send holds that delay, so no figure that stands is further off by it than that at p99; and a
delay of 1 ms is what the standard event loop's timers may cost (its clock waits in whole milliseconds).
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from shared.clock import now, sleep_until
from shared.errors import BackendUnavailable

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

GIVE_UP_AFTER: Final = 100
"""Failures one after another, with no answer among them, after which a target is taken to be gone."""
DELAY_S: Final = 0.001
DELAY_SHARE: Final = 0.01


class Reply(NamedTuple):
    """What came of one request. `first_token_at` is a time on the loop's clock; None is not known, or no error."""

    first_token_at: float | None = None
    output_tokens: int | None = None
    error: str | None = None


Send = Callable[[int], Awaitable[Reply]]
"""Asks one request, by its number, and waits for the answer. A failure is a `Reply` with an error, no exception."""


class TargetGone(BackendUnavailable):
    """Nothing was answered for `GIVE_UP_AFTER` requests one after another."""


def _doubles() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Samples:
    """One entry a request, in the order in which they ended; NaN where not known. Seconds from the block's start.

    Columns of plain numbers: 50 bytes a request, and nothing for the garbage collector to walk through.
    `most_in_flight` is the largest number of requests under way at once.
    """

    number: array[float] = field(default_factory=_doubles)
    scheduled_s: array[float] = field(default_factory=_doubles)
    sent_s: array[float] = field(default_factory=_doubles)
    first_token_s: array[float] = field(default_factory=_doubles)
    done_s: array[float] = field(default_factory=_doubles)
    output_tokens: array[float] = field(default_factory=_doubles)
    errors: dict[int, str] = field(default_factory=dict)
    most_in_flight: int = 0
    _failures: int = 0

    def __len__(self) -> int:
        return len(self.number)

    def add(self, number: int, scheduled_s: float, sent_s: float, done_s: float, reply: Reply, started: float) -> None:
        """Raises `TargetGone`, after adding it, where too many failed one after another."""
        first = reply.first_token_at
        self.number.append(number)
        self.scheduled_s.append(scheduled_s)
        self.sent_s.append(sent_s)
        self.first_token_s.append(math.nan if first is None else first - started)
        self.done_s.append(done_s)
        self.output_tokens.append(math.nan if reply.output_tokens is None else reply.output_tokens)
        if reply.error is None:
            self._failures = 0
            return
        self.errors[number] = reply.error
        self._failures += 1
        if self._failures >= GIVE_UP_AFTER:
            raise TargetGone(f"{self._failures} requests failed one after another, the last with {reply.error}")

    def rows(self) -> Iterator[dict[str, float | int | str | None]]:
        """One request at a time, by its number, ready for JSON: None where not known."""
        columns = zip(
            self.number, self.scheduled_s, self.sent_s, self.first_token_s, self.done_s, self.output_tokens, strict=True
        )
        for number, due, sent, first, done, tokens in sorted(columns):
            yield {
                "number": int(number),
                "scheduled_s": due,
                "sent_s": sent,
                "first_token_s": None if math.isnan(first) else first,
                "done_s": done,
                "output_tokens": None if math.isnan(tokens) else int(tokens),
                "error": self.errors.get(int(number)),
            }


async def open_loop(times: Iterable[float], send: Send, samples: Samples, *, first: int = 0) -> None:
    """Send request `first`, `first` + 1, ... at `times`, seconds from now in order, and wait for all answers.

    `samples` gets each as it ends: what was answered before an interruption is there. Raises `TargetGone`, and
    whatever `send` raises; what is under way then is cancelled.
    """
    started = now()
    running: set[asyncio.Task[None]] = set()
    raised: list[BaseException] = []

    async def one(number: int, scheduled_s: float) -> None:
        sent_s = now() - started
        reply = await send(number)
        samples.add(number, scheduled_s, sent_s, now() - started, reply, started)

    def ended(task: asyncio.Task[None]) -> None:
        running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            raised.append(error)

    try:
        for number, at in enumerate(times, first):
            await sleep_until(started + at)
            if raised:
                break
            task = asyncio.create_task(one(number, at))
            running.add(task)
            task.add_done_callback(ended)
            samples.most_in_flight = max(samples.most_in_flight, len(running))
        while running and not raised:
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await _cancel(running)
    if raised:
        raise raised[0]


async def closed_loop(users: int, count: int, send: Send, samples: Samples, *, first: int = 0) -> None:
    """`users` at once, each sending the next request as soon as it has an answer, until `count` were sent.

    A request is due when it is sent. The rest is as in `open_loop`.
    """
    started = now()
    numbers = iter(range(first, first + count))

    async def user() -> None:
        for number in numbers:
            sent_s = now() - started
            reply = await send(number)
            samples.add(number, sent_s, sent_s, now() - started, reply, started)

    running = {asyncio.create_task(user()) for _ in range(min(users, count))}
    samples.most_in_flight = len(running)
    try:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
    finally:
        await _cancel(running)


async def _cancel(running: set[asyncio.Task[None]]) -> None:
    for task in (left := list(running)):
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Dispatch:
    """How late requests were sent, in seconds, and `void`: why that makes the run worthless, or None."""

    p50_s: float
    p99_s: float
    most_s: float
    bound_s: float
    void: str | None


def dispatch(delay_s: NDArray[float64], service_s: NDArray[float64]) -> Dispatch | None:
    """The verdict on a run's generator, by the rule at the top; None where nothing was answered.

    `delay_s` are those of all requests, `service_s` those of the answered ones, in seconds.
    """
    if not len(delay_s) or not len(service_s):
        return None
    p50_s, p99_s, most_s = (_rank(delay_s, share) for share in (0.5, 0.99, 1.0))
    service_p50_s = _rank(service_s, 0.5)
    bound_s = max(DELAY_S, DELAY_SHARE * service_p50_s)
    void = None
    if p99_s > bound_s:
        void = (
            f"the generator fell behind: the p99 of its dispatch delay is {p99_s * 1e3:.2f} ms, over the bound of "
            f"{bound_s * 1e3:.2f} ms (1 ms, or 1 % of the median service time if that is more); ask for a lower rate, "
            "give it a core of its own, or split the load over several machines"
        )
    return Dispatch(p50_s, p99_s, most_s, bound_s, void)


def _rank(values: Any, share: float) -> float:
    import numpy as np

    return float(np.quantile(values, share, method="inverted_cdf"))

"""The only source of time. Real time is the ordinary event loop; virtual time is another event loop.

Pipelines, caches and backends ask `now()` and `wall()` and never the host's clock, so that the same code runs under
`VirtualLoop`, which skips every idle wait: an hour of traffic takes as long as its computations. There, computing takes
no time either, unless `spend` says how much.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")

VIRTUAL_EPOCH_S = 1_767_225_600.0
"""What `wall()` says at the start of virtual time: 2026-01-01T00:00:00Z, so that no report depends on today."""
SPIN_S = 0.0013
"""How long before its time `sleep_until` stops trusting the loop's timers: up to 1.1 ms late (epoll's unit)."""


def now() -> float:
    """Seconds on the running loop's monotonic clock. Only differences mean anything."""
    return asyncio.get_running_loop().time()


def wall() -> float:
    """Seconds since 1970 (UTC): the time of day, virtual under a `VirtualLoop`. For what outlives the process."""
    loop = asyncio.get_running_loop()
    return VIRTUAL_EPOCH_S + loop.time() if isinstance(loop, VirtualLoop) else time.time()


async def sleep_until(at_s: float, *, spin: bool = True) -> None:
    """Sleep until `now()` is `at_s` seconds; at least one turn of the loop, and none too early.

    In real time it sleeps until `SPIN_S` before and then yields turn after turn: some 2 us late on an idle loop, at the
    price of that much work; without `spin` up to 1.1 ms late, at none. In virtual time it is exact.
    """
    loop = asyncio.get_running_loop()
    real = not isinstance(loop, VirtualLoop)
    spin_s = SPIN_S if real and spin else 0.0
    if loop.time() < at_s - spin_s:
        woken: asyncio.Future[None] = loop.create_future()
        timer = loop.call_at(at_s - spin_s, _wake, woken)
        try:
            await woken
        finally:
            timer.cancel()
    else:
        await asyncio.sleep(0)
    while real and loop.time() < at_s:  # noqa: ASYNC110  # an event would be set by a timer, a millisecond late
        await asyncio.sleep(0)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def spend(seconds: float) -> None:
    """Let the time pass that code takes: nothing else runs meanwhile and timers are late, as on any event loop.

    In real time it is no sooner said than done: the code itself has taken its time.
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, VirtualLoop):
        loop.spend(seconds)


class VirtualTimeError(RuntimeError):
    """Something that needs real time was asked for under virtual time, or everything waits for nothing."""


class _SkippingSelector(selectors.BaseSelector):
    """Never waits: moves its loop's clock on to what the loop waits for."""

    def __init__(self, skip: Callable[[float | None], None]) -> None:
        self._skip = skip
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._skip(timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys.setdefault(number, selectors.SelectorKey(fileobj, number, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _Timer(asyncio.TimerHandle):
    """Timers for the same moment go off in the order in which they were set."""

    __slots__ = ("number",)
    _when: float

    def __init__(self, number: int, when: float, *what: Any) -> None:
        super().__init__(when, *what)
        self.number = number
        self._scheduled = True

    def __lt__(self, other: _Timer) -> bool:  # type: ignore[override]
        when, theirs = self._when, other._when
        return when < theirs or (when == theirs and self.number < other.number)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves while everybody sleeps, exactly to the next timer, and by what code `spend`s.

    Threads, sockets and processes are refused: their time does not pass here. Whoever catches that error does not save
    the run, which ends with it. Not noticed is a host's clock that code reads by itself; lint keeps ours from it.
    """

    _scheduled: list[_Timer]
    _thread_id: int | None

    def __init__(self) -> None:
        self._time_s, self._timers = 0.0, 0
        self.refused: VirtualTimeError | None = None
        super().__init__(_SkippingSelector(self._skip))
        _watch()

    def time(self) -> float:
        return self._time_s

    def spend(self, seconds: float) -> None:
        """Move the clock on, here and now. Raises `ValueError` for less than no time."""
        if not 0.0 <= seconds < math.inf:
            raise ValueError(f"{seconds} s cannot pass; give a finite number of seconds, 0 or more")
        self._time_s += seconds

    def call_at(  # type: ignore[override]  # whatever asyncio takes
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        self._timers += 1
        timer = _Timer(self._timers, when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        return timer

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if threading.get_ident() != self._thread_id:
            self.refuse("a thread")
        return self.call_soon(callback, *args, context=context)

    def refuse(self, what: str) -> NoReturn:
        """Raises, here and out of the loop."""
        self.refused = VirtualTimeError(f"{what} was asked for under virtual time, where its time does not pass")
        raise self.refused

    def run_in_executor(self, *_: object, **__: object) -> NoReturn:
        self.refuse("a thread")

    def _refuse_socket(self, *_: object, **__: object) -> NoReturn:
        self.refuse("a socket")

    create_connection = create_server = create_datagram_endpoint = _refuse_socket
    create_unix_connection = create_unix_server = _refuse_socket
    sock_connect = sock_recv = sock_recv_into = sock_sendall = sock_accept = _refuse_socket

    def _refuse_process(self, *_: object, **__: object) -> NoReturn:
        self.refuse("a process")

    subprocess_exec = subprocess_shell = _refuse_process

    def _skip(self, timeout: float | None) -> None:
        """What the loop does once nothing is left to run."""
        if self.refused:
            refused, self.refused = self.refused, None
            raise refused
        if timeout is None:
            raise VirtualTimeError("every task waits and no timer is set: under virtual time nothing will wake them")
        if timeout > 0:
            self._time_s = max(self._time_s, self._scheduled[0].when())
        # asyncio runs what is due within this of now: what is due now, and not what follows it closely
        self._clock_resolution = math.ulp(self._time_s)


_REFUSED: Final = {
    "socket.bind": "a socket",
    "socket.connect": "a socket",
    "socket.getaddrinfo": "a socket",
    "subprocess.Popen": "a process",
    "os.fork": "a process",
    "os.posix_spawn": "a process",
    "os.system": "a process",
    "time.sleep": "a blocking sleep",
}
"""Python's own audit events, and what each asks for. The last is one from Python 3.13 on."""


@cache
def _watch() -> None:
    """Notice what goes round the loop, from the first virtual loop of the process on: a hook cannot be taken back."""
    start = threading.Thread.start

    def start_in_real_time(thread: threading.Thread) -> None:
        _refuse_if_virtual("a thread")  # for which Python 3.11 has no audit event
        start(thread)

    threading.Thread.start = start_in_real_time  # type: ignore[method-assign, assignment]
    sys.addaudithook(lambda event, _: _refuse_if_virtual(_REFUSED[event]) if event in _REFUSED else None)


def _refuse_if_virtual(what: str) -> None:
    loop = asyncio._get_running_loop()  # noqa: SLF001  # the public one raises where there is none
    if isinstance(loop, VirtualLoop):
        loop.refuse(what)


def run(main: Coroutine[Any, Any, T], *, virtual: bool = False) -> T:
    """`asyncio.run`, on the clock asked for. Raises `VirtualTimeError` for what has no place under virtual time."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = VirtualLoop if virtual else None
    with asyncio.Runner(loop_factory=factory) as runner:
        result = runner.run(main)
        loop = runner.get_loop()
        if isinstance(loop, VirtualLoop) and loop.refused:
            raise loop.refused
    return result

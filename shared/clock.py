"""The only source of time. Real time is the ordinary event loop; virtual time is another event loop.

Pipelines, caches and backends ask `now()` and `wall()` and never the host's clock, so that the same code runs under
`VirtualLoop`, which skips every idle wait: an hour of traffic takes as long as its computations.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

VIRTUAL_EPOCH_S = 1_767_225_600.0
"""What `wall()` says at the start of virtual time: 2026-01-01T00:00:00Z, so that no report depends on today."""


def now() -> float:
    """Seconds on the running loop's monotonic clock. Only differences mean anything."""
    return asyncio.get_running_loop().time()


def wall() -> float:
    """Seconds since 1970 (UTC): the time of day, virtual under a `VirtualLoop`. For what outlives the process."""
    loop = asyncio.get_running_loop()
    return VIRTUAL_EPOCH_S + loop.time() if isinstance(loop, VirtualLoop) else time.time()


class VirtualTimeError(RuntimeError):
    """Something that needs real time was asked for under virtual time, or everything waits for nothing."""


class _SkippingSelector(selectors.BaseSelector):
    """Never waits: moves its loop's clock on by the time the loop wanted to sleep."""

    def __init__(self) -> None:
        self.time = 0.0
        self._keys: dict[int, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise VirtualTimeError("every task waits and no timer is set: under virtual time nothing will wake them")
        self.time += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        number = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self._keys.setdefault(number, selectors.SelectorKey(fileobj, number, events, data))

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else fileobj.fileno())

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only while everybody sleeps. Threads and sockets are refused."""

    def __init__(self) -> None:
        self._virtual = _SkippingSelector()
        super().__init__(self._virtual)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.time

    def run_in_executor(self, *_: object, **__: object) -> NoReturn:
        raise VirtualTimeError("a thread was asked for under virtual time, where its time does not pass")

    def _refuse_sockets(self, *_: object, **__: object) -> NoReturn:
        raise VirtualTimeError("a socket was asked for under virtual time, where the other side's time does not pass")

    create_connection = create_server = create_datagram_endpoint = _refuse_sockets
    sock_connect = sock_recv = sock_sendall = sock_accept = _refuse_sockets


def run(main: Coroutine[Any, Any, T], *, virtual: bool = False) -> T:
    """`asyncio.run`, on the clock asked for."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = VirtualLoop if virtual else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)

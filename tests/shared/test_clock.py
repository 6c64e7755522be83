"""Virtual time: skips idle waits, keeps their order, refuses what happens in real time."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import clock
from shared.clock import VIRTUAL_EPOCH_S, VirtualTimeError


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=20))
def test_sleepers_wake_in_order_at_their_time(naps_s: list[float]) -> None:
    woken: list[float] = []

    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert clock.now() == pytest.approx(seconds, abs=1e-6)
        woken.append(seconds)

    async def main() -> None:
        await asyncio.gather(*map(nap, naps_s))

    clock.run(main(), virtual=True)
    assert woken == sorted(naps_s)


def test_timers_a_fifth_of_a_millisecond_apart_stay_apart() -> None:
    async def main() -> list[float]:
        times = []
        for _ in range(10):
            await asyncio.sleep(0.0002)
            times.append(clock.now())
        return times

    assert clock.run(main(), virtual=True) == pytest.approx([0.0002 * (step + 1) for step in range(10)], abs=1e-8)


def test_the_time_of_day_is_virtual_too() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return clock.wall()

    assert clock.run(main(), virtual=True) == VIRTUAL_EPOCH_S + 3600


def test_real_time_is_the_hosts() -> None:
    async def main() -> float:
        return clock.wall()

    before = time.time()
    assert before <= clock.run(main()) <= time.time()


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(print)

    with pytest.raises(VirtualTimeError, match="thread"):
        clock.run(main(), virtual=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_sockets_are_refused() -> None:
    async def main() -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(VirtualTimeError, match="socket"):
        clock.run(main(), virtual=True)


def test_waiting_for_nothing_is_an_error_and_no_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeError, match="nothing will wake them"):
        clock.run(main(), virtual=True)

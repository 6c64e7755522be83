"""Virtual time: skips idle waits exactly, keeps the order of timers, refuses what happens in real time."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate
from random import Random
from typing import Any

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import clock
from shared.clock import VIRTUAL_EPOCH_S, VirtualTimeError
from shared.steps import Background, Recorder

Seconds = st.floats(0, 1e6, allow_subnormal=False)
Log = list[tuple[float, str]]


@settings(max_examples=50, deadline=None)
@given(st.lists(Seconds, min_size=1, max_size=20))
def test_sleepers_wake_in_order_exactly_at_their_time(naps_s: list[float]) -> None:
    woken: list[float] = []

    async def nap(seconds: float) -> None:
        await asyncio.sleep(seconds)
        assert clock.now() == seconds
        woken.append(seconds)

    async def main() -> None:
        await asyncio.gather(*map(nap, naps_s))

    clock.run(main(), virtual=True)
    assert woken == sorted(naps_s)


@pytest.mark.parametrize("apart_s", [2e-4, 1e-6, 1e-9, 1e-11])
def test_timers_close_together_stay_apart_and_in_order(apart_s: float) -> None:
    """Set in a shuffled order, late in a day of virtual time."""

    async def main() -> list[tuple[int, float]]:
        loop, gone_off = asyncio.get_running_loop(), list[tuple[int, float]]()
        await asyncio.sleep(80_000)

        def go_off(number: int, at_s: float) -> None:
            gone_off.append((number, clock.now() - at_s))

        numbers = list(range(100))
        Random(1).shuffle(numbers)  # noqa: S311
        for number in numbers:
            at_s = 80_000 + (1 + number) * apart_s
            loop.call_at(at_s, go_off, number, at_s)
        await asyncio.sleep(1)
        return gone_off

    gone_off = clock.run(main(), virtual=True)
    numbers = [number for number, _ in gone_off]
    assert sorted(numbers) == list(range(100))
    if apart_s > 1.5e-11:  # that far apart two doubles differ at 80,000
        assert gone_off == [(number, 0.0) for number in range(100)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=60))
def test_timers_for_one_moment_go_off_in_the_order_in_which_they_were_set(moments: list[int]) -> None:
    async def main() -> list[tuple[int, int]]:
        loop, gone_off = asyncio.get_running_loop(), list[tuple[int, int]]()
        for number, moment in enumerate(moments):
            loop.call_at(float(moment), gone_off.append, (moment, number))
        await asyncio.sleep(10)
        return gone_off

    gone_off = clock.run(main(), virtual=True)
    assert gone_off == sorted(gone_off)
    assert len(gone_off) == len(moments)


@settings(max_examples=50, deadline=None)
@given(st.lists(Seconds, min_size=1, max_size=20))
def test_spent_time_adds_up_and_lets_nobody_else_run(costs_s: list[float]) -> None:
    """An event loop is one core: work is served in turn, in the order in which it came."""

    async def main() -> list[float]:
        ended: list[float] = []

        async def work(seconds: float) -> None:
            clock.spend(seconds)
            ended.append(clock.now())

        await asyncio.gather(*map(work, costs_s))
        return ended

    assert clock.run(main(), virtual=True) == list(accumulate(costs_s))


def test_spent_time_makes_timers_late_and_none_early() -> None:
    async def main() -> Log:
        log: Log = []

        async def nap(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            log.append((clock.now(), name))

        async def busy() -> None:
            await asyncio.sleep(1.0)
            clock.spend(0.5)

        await asyncio.gather(busy(), nap("during", 1.25), nap("before", 0.5), nap("after", 2.0))
        return log

    assert clock.run(main(), virtual=True) == [(0.5, "before"), (1.5, "during"), (2.0, "after")]


@pytest.mark.parametrize("seconds", [-1e-9, float("inf"), float("nan")])
def test_time_cannot_be_spent_backwards(seconds: float) -> None:
    async def main() -> None:
        clock.spend(seconds)

    with pytest.raises(ValueError, match="cannot pass"):
        clock.run(main(), virtual=True)


def test_in_real_time_what_code_takes_is_not_spent_again() -> None:
    async def main() -> None:
        clock.spend(1e6)

    clock.run(main())


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


def _program(seed: int) -> Callable[[], Coroutine[Any, Any, Log]]:
    """Forty tasks that sleep, wait for each other, time out and are cancelled, on looptime's grid of microseconds."""

    async def main() -> Log:
        rng, loop, log = Random(seed), asyncio.get_running_loop(), Log()  # noqa: S311
        begun, gate, free = loop.time(), asyncio.Event(), asyncio.Semaphore(2)

        def note(what: str) -> None:
            log.append((round(loop.time() - begun, 6), what))

        def nap() -> Awaitable[None]:
            return asyncio.sleep(rng.randrange(1, 4_000_000) / 1e6)

        async def one(number: int) -> None:
            await nap()
            async with free:
                note(f"{number} in")
                await nap()
            note(f"{number} out")
            try:
                async with asyncio.timeout(rng.randrange(1, 30_000_000) / 1e6):
                    await gate.wait()
                note(f"{number} through")
            except TimeoutError:
                note(f"{number} late")

        tasks = [asyncio.create_task(one(number)) for number in range(40)]
        await asyncio.sleep(20.0005)
        tasks[3].cancel()
        await asyncio.sleep(20)
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return log

    return main


@pytest.mark.parametrize("seed", range(5))
def test_looptime_agrees(seed: int) -> None:
    main = _program(seed)
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as oracle:
        expected = oracle.run(main())
    found = clock.run(main(), virtual=True)
    assert len(expected) > 100
    assert found == expected


async def _thread() -> None:
    await asyncio.to_thread(print)


async def _executor() -> None:
    with ThreadPoolExecutor() as pool:
        await asyncio.get_running_loop().run_in_executor(pool, print)


async def _threads_of_their_own() -> None:
    with ThreadPoolExecutor() as pool:
        await asyncio.wrap_future(pool.submit(print))


async def _bare_thread() -> None:
    threading.Thread(target=print).start()


async def _connection() -> None:
    await asyncio.open_connection("127.0.0.1", 9)


async def _server() -> None:
    await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)


async def _plain_socket() -> None:
    with socket.socket() as plain:
        plain.connect(("127.0.0.1", 9))


async def _name() -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)


async def _process() -> None:
    await asyncio.create_subprocess_exec("true")


async def _shell() -> None:
    await asyncio.create_subprocess_shell("true")


async def _plain_process() -> None:
    subprocess.run(["true"], check=True)  # noqa: ASYNC221, S607


async def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


REFUSED = {
    _thread: "thread", _executor: "thread", _threads_of_their_own: "thread", _bare_thread: "thread", _name: "thread",
    _connection: "socket", _server: "socket", _plain_socket: "socket",
    _process: "process", _shell: "process", _plain_process: "process", _fork: "process",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("swallowed", [False, True], ids=["raised", "swallowed"])
@pytest.mark.parametrize(("ask", "what"), REFUSED.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_what_needs_real_time_is_refused(
    ask: Callable[[], Coroutine[Any, Any, None]], what: str, swallowed: bool
) -> None:
    """Even where code that meets the refusal catches everything, and is done at once or goes on."""

    async def main() -> None:
        try:
            await ask()
        except Exception:
            if not swallowed:
                raise

    async def going_on() -> None:
        await main()
        await asyncio.sleep(1)

    for program in (main, going_on):
        with pytest.raises(VirtualTimeError, match=f"a {what} was asked for under virtual time"):
            clock.run(program(), virtual=True)


def test_a_component_that_needs_a_thread_is_not_taken_for_one_that_fails() -> None:
    """A recorder with a fallback would otherwise measure the fallback."""

    async def main() -> None:
        step = Recorder(streaming=False, background=Background(), started=clock.now())
        await step("cache", asyncio.to_thread(print), limit_s=1.0, otherwise=None)

    with pytest.raises(VirtualTimeError, match="a thread was asked for"):
        clock.run(main(), virtual=True)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_thread_from_before_cannot_report_into_virtual_time(caplog: pytest.LogCaptureFixture) -> None:
    done: Future[None] = Future()

    def report() -> None:
        started.wait()
        done.set_result(None)
        reported.set()

    started, reported = threading.Event(), threading.Event()
    outside = threading.Thread(target=report)
    outside.start()

    async def main() -> None:
        asyncio.wrap_future(done)
        started.set()
        reported.wait()
        await asyncio.sleep(1)

    with pytest.raises(VirtualTimeError, match="a thread was asked for"):
        clock.run(main(), virtual=True)
    outside.join()


def test_in_real_time_nothing_is_refused() -> None:
    clock.run(asyncio.sleep(0), virtual=True)
    clock.run(_plain_process())
    clock.run(asyncio.to_thread(time.time))


def test_waiting_for_nothing_is_an_error_and_no_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(VirtualTimeError, match="nothing will wake them"):
        clock.run(main(), virtual=True)


def test_a_closed_loop_takes_no_timer() -> None:
    loop = clock.VirtualLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)

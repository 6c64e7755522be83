"""The driver, in virtual time: what is due is sent, whatever is under way, and every second is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from benchmarks.latency.arrivals import schedule
from benchmarks.latency.driver import (
    GIVE_UP_AFTER,
    Reply,
    Samples,
    TargetGone,
    closed_loop,
    dispatch,
    open_loop,
)
from shared import clock
from shared.clock import now


def virtual(work: Coroutine[Any, Any, Any]) -> None:
    clock.run(work, virtual=True)


async def slow(_: int) -> Reply:
    await asyncio.sleep(10.0)
    return Reply(now() - 4.0, 7)


def test_a_slow_target_holds_no_request_back() -> None:
    samples = Samples()
    virtual(open_loop([0.0, 1.0, 1.0, 3.5], slow, samples, first=5))
    assert list(samples.number) == [5, 6, 7, 8]
    assert list(samples.scheduled_s) == list(samples.sent_s) == [0.0, 1.0, 1.0, 3.5]
    assert list(samples.done_s) == [10.0, 11.0, 11.0, 13.5]
    assert list(samples.first_token_s) == [6.0, 7.0, 7.0, 9.5]
    assert samples.most_in_flight == 4


def test_one_server_makes_requests_wait_as_lindley_says() -> None:
    due = schedule("poisson", rate=8.0, count=2000, seed=4).tolist()
    service = np.random.default_rng(5).exponential(0.1, len(due)).tolist()
    samples = Samples()

    async def serve() -> None:
        server = asyncio.Lock()

        async def send(number: int) -> Reply:
            async with server:
                await asyncio.sleep(service[number])
            return Reply()

        await open_loop(due, send, samples)

    virtual(serve())
    waits = [0.0]
    for number, (before, this) in enumerate(pairwise(due)):
        waits.append(max(0.0, waits[-1] + service[number] - (this - before)))
    since = [done - scheduled for done, scheduled in zip(samples.done_s, samples.scheduled_s, strict=True)]
    assert since == pytest.approx([wait + own for wait, own in zip(waits, service, strict=True)], abs=1e-9)


def test_a_closed_loop_keeps_its_users_busy() -> None:
    samples = Samples()
    virtual(closed_loop(3, 7, slow, samples))
    assert sorted(samples.number) == list(range(7))
    assert sorted(samples.sent_s) == [0.0] * 3 + [10.0] * 3 + [20.0]
    assert list(samples.scheduled_s) == list(samples.sent_s)
    assert samples.most_in_flight == 3


@pytest.mark.parametrize("closed", [False, True])
def test_a_target_that_is_gone_ends_the_run_and_what_was_answered_is_kept(closed: bool) -> None:
    samples = Samples()

    async def send(number: int) -> Reply:
        await asyncio.sleep(0.5)
        return Reply(error=None if number == 9 else f"gone {number}")

    work = closed_loop(1, 500, send, samples) if closed else open_loop([float(at) for at in range(500)], send, samples)
    with pytest.raises(TargetGone, match=rf"{GIVE_UP_AFTER} requests failed .* gone {9 + GIVE_UP_AFTER}"):
        virtual(work)
    assert len(samples) == 10 + GIVE_UP_AFTER
    assert len(samples.errors) == 9 + GIVE_UP_AFTER


def test_what_send_raises_ends_the_run_and_cancels_the_rest() -> None:
    samples, cancelled = Samples(), list[int]()

    async def send(number: int) -> Reply:
        if number == 2:
            raise ValueError("a bug")
        try:
            await asyncio.sleep(100.0)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return Reply()

    with pytest.raises(ValueError, match="a bug"):
        virtual(open_loop([0.0, 0.1, 0.2, 0.3], send, samples))
    assert sorted(cancelled) == [0, 1]
    assert len(samples) == 0


def test_an_interruption_keeps_what_was_answered() -> None:
    samples = Samples()

    async def interrupted() -> None:
        task = asyncio.create_task(open_loop([0.0, 1.0, 2.0, 50.0], slow, samples))
        await asyncio.sleep(11.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    virtual(interrupted())
    assert list(samples.number) == [0, 1]


def test_rows_are_by_number_and_know_what_is_not_known() -> None:
    samples = Samples()
    samples.add(4, 1.0, 1.5, 3.0, Reply(None, None, "no"), 100.0)
    samples.add(3, 0.5, 0.5, 2.0, Reply(101.0, 9), 100.0)
    assert list(samples.rows()) == [
        {
            "number": 3, "scheduled_s": 0.5, "sent_s": 0.5, "first_token_s": 1.0, "done_s": 2.0,
            "output_tokens": 9, "error": None,
        },
        {
            "number": 4, "scheduled_s": 1.0, "sent_s": 1.5, "first_token_s": None, "done_s": 3.0,
            "output_tokens": None, "error": "no",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("late", "service_s", "void"),
    [
        (0, 0.005, False),
        (9, 0.005, False),
        (10, 0.005, False),  # p99 is the 990th of 1,000
        (11, 0.005, True),
        (11, 0.3, False),  # 1 % of the service time is 3 ms
        (11, 0.1, True),
    ],
)
def test_a_run_whose_generator_fell_behind_is_void(late: int, service_s: float, void: bool) -> None:
    delays = np.array([0.002] * late + [0.00001] * (1000 - late))
    found = dispatch(delays, np.full(1000, service_s))
    assert found is not None
    assert bool(found.void) is void
    assert found.bound_s == max(0.001, 0.01 * service_s)
    assert dispatch(delays, np.empty(0)) is None

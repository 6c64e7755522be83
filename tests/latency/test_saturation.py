"""The search finds the rate that theory gives, whatever it starts from, and says why it stopped."""

from __future__ import annotations

import asyncio
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.quantiles import quantile
from benchmarks.latency.saturation import ACHIEVED, P99_TIMES, RUNS, WIDTH, Load, Saturation, search
from shared.clock import now, run


def one_server(mu: float, *, failed_from: float = math.inf) -> object:
    """An M/M/1 queue that serves `mu` requests/s, by its formulas: p99 of the time in it is ln(100) / (mu - rate)."""

    async def measure(rate: float) -> Load:
        p99_s = math.log(100) / (mu - rate) if rate < mu else math.inf
        return Load(rate, min(rate, mu), 0.02 if rate >= failed_from else 0.0, p99_s)

    return measure


def find(mu: float, start: float, most: float = 1e6, runs: int = RUNS, failed_from: float = math.inf) -> Saturation:
    measure = one_server(mu, failed_from=failed_from)
    return asyncio.run(search(measure, start_req_s=start, most_req_s=most, runs=runs))  # type: ignore[arg-type]


@given(st.floats(1, 1e4), st.floats(0.001, 0.5))
def test_it_ends_within_five_percent_of_where_p99_is_ten_times_that_at_ease(mu: float, start: float) -> None:
    found = find(mu, start * mu)
    limit = mu - mu * (1 - start) / P99_TIMES  # ln(100) / (mu - limit) = 10 ln(100) / (mu - start)
    assert found.sustained_req_s is not None
    assert found.saturated_req_s is not None
    assert found.sustained_req_s <= limit * (1 + 1e-9)
    assert found.saturated_req_s >= min(limit, mu) * (1 - 1e-9)
    assert found.saturated_req_s - found.sustained_req_s <= WIDTH * found.saturated_req_s
    assert len(found.trail) <= RUNS


def test_a_start_that_is_too_much_is_halved_until_it_is_not() -> None:
    found = find(10.0, 100.0)
    assert [load.offered_req_s for load in found.trail[:5]] == [100.0, 50.0, 25.0, 12.5, 6.25]
    assert found.sustained_req_s is not None
    assert 6.25 <= found.sustained_req_s < 10.5


def test_failures_saturate_too() -> None:
    found = find(1000.0, 1.0, failed_from=100.0)
    assert found.sustained_req_s is not None
    assert 95.0 <= found.sustained_req_s < 100.0
    assert "2.0% of the requests failed" in found.why


def test_not_reached_is_an_answer() -> None:
    found = find(1e9, 1.0, most=100.0)
    assert (found.sustained_req_s, found.saturated_req_s) == (100.0, None)
    assert found.why == "not reached by 100 requests/s"
    assert [load.offered_req_s for load in found.trail] == [1, 2, 4, 8, 16, 32, 64, 100]


def test_the_number_of_runs_is_bounded_and_a_target_that_answers_nothing_sustains_nothing() -> None:
    found = find(0.0, 1.0, runs=4)
    assert (found.sustained_req_s, found.saturated_req_s, len(found.trail)) == (None, 0.125, 4)
    assert found.why.startswith("stopped after 4 runs; at 0.125 requests/s: answered 0 of 0.125")


@pytest.mark.parametrize(("start", "most", "runs"), [(0.0, 1.0, 5), (2.0, 1.0, 5), (1.0, 2.0, 0), (math.nan, 1.0, 5)])
def test_bounds_that_leave_nothing_to_try_are_refused(start: float, most: float, runs: int) -> None:
    with pytest.raises(ValueError, match="nothing to try"):
        find(1.0, start, most, runs)


def test_three_servers_in_virtual_time() -> None:
    """M/M/3, 10 requests/s each, as coroutines. Runs end, so a rate just above their 30 may still look sustained."""

    async def measure(rate: float) -> Load:
        rng, servers, spent = random.Random(9), asyncio.Semaphore(3), list[float]()  # noqa: S311

        async def one() -> None:
            begun = now()
            async with servers:
                await asyncio.sleep(rng.expovariate(10.0))
            spent.append(now() - begun)

        started, tasks = now(), []
        for _ in range(3000):
            await asyncio.sleep(rng.expovariate(rate))
            tasks.append(asyncio.create_task(one()))
        await asyncio.gather(*tasks)
        p99 = quantile(spent, 0.99)
        assert p99 is not None
        return Load(rate, len(spent) / (now() - started), 0.0, p99.value)

    found = run(search(measure, start_req_s=4.0, most_req_s=1000.0), virtual=True)
    assert found.sustained_req_s is not None
    assert 24.0 < found.sustained_req_s <= 30.0 / ACHIEVED

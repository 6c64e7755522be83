"""The pace at which direct's p99 is legacy's, with direct's queue run anew at every pace."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.cost.queue import Queue
from benchmarks.cost.speed import speed
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm
from shared import clock
from shared.backends.emulated import EmulatedBackend
from shared.backends.generated import GeneratedBackend
from shared.contract import Completion, Usage
from shared.hardware.catalogue import UNKNOWN, Figure, Hardware
from shared.hardware.pace import pace
from shared.steps import Step
from tests.emulated_hardware import row as hardware_row
from tests.fakes import ask
from tests.rows import row

COUNT = 1000
GAP_S, SERVICE_S = 0.05, 0.04
BEFORE_S = 0.001


def served(**figures: Figure) -> Hardware:
    """One server that takes 40 ms, whatever it is asked."""
    known = {
        "first_token_s": Figure(SERVICE_S, "assumed"),
        "prompt_token_s": Figure(0.0, "assumed"),
        "capacity": Figure(1, "assumed"),
        "in_flight": UNKNOWN,
        "context_tokens": UNKNOWN,
    }
    entry = hardware_row()
    return replace(entry, figures={**entry.figures, **known, **figures})


def called(number: int, due_s: float, seconds: float, *, rest_s: float = 0.0, usage: Usage | None = None) -> Row:
    """One call that begins `BEFORE_S` after the request and took `seconds`, and `rest_s` after it."""
    completion = Completion("yes", "m", usage or Usage(1, 1), seconds=seconds)
    took_s = BEFORE_S + seconds + rest_s
    return row(
        "direct", number, f"q{number}", latency_s=took_s, scheduled_s=due_s, since_scheduled_s=took_s,
        steps=(Step("call", "ok", BEFORE_S, seconds, "", completion),),
    )  # fmt: skip


def arms(direct: Sequence[Row], legacy_s: float = 0.2) -> dict[Arm, Sequence[Row]]:
    legacy = [
        row("legacy", n, f"q{n}", latency_s=legacy_s, scheduled_s=GAP_S * n, steps=()) for n in range(len(direct))
    ]
    return dict(zip(ARMS, (legacy, direct), strict=True))


def evenly(seconds: float = SERVICE_S, count: int = COUNT) -> list[Row]:
    return [called(n, GAP_S * n, seconds) for n in range(count)]


def test_a_pace_that_cannot_keep_up_does_not_win() -> None:
    """At x seconds a call and one every 50 ms, the n-th waits n (x - 0.05): x = 50.2 ms, though 200 ms are allowed."""
    found = speed(arms(evenly()), served())
    last = 989
    assert found.value == pytest.approx(SERVICE_S / ((0.2 - BEFORE_S + last * GAP_S) / (last + 1)), rel=1e-6)
    assert (found.state, found.wins, found.now, found.reason) == ("already past", "above", 1.0, "")


def test_without_a_limit_nothing_waits() -> None:
    found = speed(arms(evenly()), served(capacity=UNKNOWN))
    assert found.value == pytest.approx(SERVICE_S / (0.2 - BEFORE_S), rel=1e-6)


def test_assumed_figures_are_the_ends_and_the_reason_tells_where_the_state_is_another() -> None:
    ranged = Figure(SERVICE_S, "assumed", low=SERVICE_S / 2, high=SERVICE_S * 2)
    sure, unsure = speed(arms(evenly()), served()), speed(arms(evenly()), served(first_token_s=ranged))
    assert unsure.value == sure.value
    assert None not in (sure.low, sure.high, unsure.low, unsure.high)
    assert unsure.low == pytest.approx((sure.low or 0.0) / 2)
    assert unsure.high == pytest.approx((sure.high or 0.0) * 2)
    assert (unsure.state, unsure.reason) == (
        "already past", "not past with the assumed figures of direct's hardware at their slow ends",
    )  # fmt: skip
    fewer = Figure(2, "assumed", low=1, high=2)
    slower = evenly(0.08)  # which two servers keep up with
    two = speed(arms(slower), served(first_token_s=Figure(0.08, "assumed"), capacity=fewer))
    assert (two.state, two.reason) == (unsure.state, unsure.reason)
    assert two.high == pytest.approx((sure.high or 0.0) * 2, rel=1e-6)


def test_a_speed_still_to_come_may_be_past_at_the_fast_ends() -> None:
    late = [called(n, GAP_S * n, SERVICE_S + n * (SERVICE_S - GAP_S / 2)) for n in range(COUNT)]
    late = [replace(each, scheduled_s=GAP_S / 2 * n) for n, each in enumerate(late)]
    found = speed(arms(late), served(capacity=Figure(1, "assumed", low=1, high=2)))
    assert found.state == "at"
    assert found.value is not None
    assert found.value > 1
    assert found.reason == "already past with the assumed figures of direct's hardware at their fast ends"


def test_an_end_that_no_pace_reaches_is_none() -> None:
    """A few answers take a second beside their calls: within the interval of direct's p99, and not its value."""
    rows = [called(n, GAP_S * n, SERVICE_S, rest_s=1.0 if n % 200 == 0 else 0.0) for n in range(COUNT)]
    found = speed(arms(rows), served())
    assert found.state == "already past"
    assert found.low is not None
    assert found.high is None
    assert speed(arms(rows, legacy_s=BEFORE_S / 2), served()).state == "never"


def test_a_queue_that_does_not_give_back_the_p99_is_no_input() -> None:
    other = speed(arms(evenly(2 * SERVICE_S)), served())
    assert (other.state, other.value) == ("unknown input", None)
    assert "at the pace of now its p99 is 0.041 s, and it was 0.081 s" in other.reason
    rows: list[Row] = evenly()
    rows[3] = row("direct", 3, "q3", error="full", scheduled_s=3 * GAP_S, steps=())
    failed = speed(arms(rows), served())
    assert failed.state == "unknown input"
    assert failed.reason.startswith("1 requests to direct failed")


def test_requests_that_legacy_failed_are_in_the_queue_and_not_in_the_p99() -> None:
    """Every tenth arrives right after its forerunner, which legacy did not answer: it still has to wait for it."""
    rows = []
    for n in range(COUNT):
        behind = n % 10 == 0 and n > 0
        rows.append(called(n, GAP_S * (n - behind), SERVICE_S * (1 + behind)))
    both = arms(rows, legacy_s=0.07)
    failing = {n - 1 for n in range(10, COUNT, 10)}
    legacy = [replace(each, error="x") if each.asked.number in failing else each for each in both["legacy"]]
    found = speed({**both, "legacy": legacy}, served())
    assert found.value == pytest.approx(2 * SERVICE_S / (0.07 - BEFORE_S), rel=1e-6)


def test_votes_are_as_late_as_their_last_call() -> None:
    votes = tuple(
        Step("call", "ok", 0.0, seconds, "", Completion("yes", "m", Usage(1, 1), seconds=seconds))
        for seconds in (SERVICE_S, 2 * SERVICE_S)
    )
    only = row("direct", 0, latency_s=2 * SERVICE_S + 0.5, scheduled_s=1.0, since_scheduled_s=None, steps=votes)
    queue = Queue([only], [0], pace(served()), np.zeros(1))
    assert queue.at(1.0) == pytest.approx([only.latency_s])
    assert queue.at(4.0) == pytest.approx([SERVICE_S / 2 + 0.5])


def chip(capacity: int | None, times: float = 1.0) -> Hardware:
    """10 ms to the first token, 1 ms a prompt token, 1,000 tokens a second, all so many times as fast."""
    return served(
        first_token_s=Figure(0.01 / times, "assumed"),
        prompt_token_s=Figure(0.001 / times, "assumed"),
        tok_s=Figure(1000.0 * times, "assumed"),
        capacity=Figure(capacity, "assumed") if capacity else UNKNOWN,
    )


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 0.1), st.integers(0, 9), st.integers(1, 30)), min_size=1, max_size=25),
    st.one_of(st.none(), st.integers(1, 4)),
    st.floats(0.05, 20.0),
)
def test_the_queue_at_a_pace_is_that_of_hardware_of_this_pace(
    requests: list[tuple[float, int, int]], capacity: int | None, times: float
) -> None:
    """The same requests to emulated hardware that is `times` as fast take as long as the queue run anew."""
    came_s = np.cumsum([gap for gap, _, _ in requests]).tolist()

    async def one(backend: EmulatedBackend, due: float, prompt: int, tokens: int) -> Completion:
        await clock.sleep_until(due)
        return await backend.complete(ask("word" * prompt, max_tokens=tokens), arrived_s=due)

    async def main(hardware: Hardware) -> list[Completion]:
        begun, backend = clock.now(), EmulatedBackend(GeneratedBackend(), hardware)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(backend, begun + due, prompt, tokens))
                for due, (_, prompt, tokens) in zip(came_s, requests, strict=True)
            ]
        return [task.result() for task in tasks]

    now, then = (clock.run(main(chip(capacity, each)), virtual=True) for each in (1.0, times))
    rows = [
        called(n, due, each.seconds or 0.0, rest_s=0.002, usage=each.usage)
        for n, (due, each) in enumerate(zip(came_s, now, strict=True))
    ]
    queue = Queue(rows, list(range(len(rows))), pace(chip(capacity)), np.zeros(len(rows)))
    assert queue.at(1.0) == pytest.approx([each.latency_s for each in rows], abs=1e-9)
    assert queue.at(times) == pytest.approx([BEFORE_S + 0.002 + (each.seconds or 0.0) for each in then], abs=1e-9)

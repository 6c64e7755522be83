"""Emulated hardware: exact in virtual time, never early in real time, one server a request, and honest about itself."""

from __future__ import annotations

import asyncio
import heapq
import math
import statistics
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from direct_pipeline.pipeline import DirectPipeline
from shared import clock
from shared.backends.emulated import EmulatedBackend
from shared.backends.generated import GeneratedBackend, filler
from shared.backends.recorded import Header, RecordedBackend, RecordedModel, Recording, Row, recording_key
from shared.clock import now, sleep_until
from shared.contract import Backend, Completion, Request, Usage
from shared.errors import BackendRefused, BackendUnavailable, BadAnswer, BadInput, MissingRecording
from shared.run import answer
from shared.steps import Background
from tests.emulated_hardware import row
from tests.fakes import Script, ScriptedBackend, ask

EXACT = pytest.approx


def asked(tokens: int, *, prompt: int = 4) -> Request:
    """A prompt of so many generated tokens, for so many."""
    return ask("word" * prompt, max_tokens=tokens)


def virtually(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return clock.run(main(), virtual=True)


def emulated(inner: Backend | None = None, *, seed: int = 0, jitter: float = 0.0, **figures: Any) -> EmulatedBackend:
    return EmulatedBackend(inner or GeneratedBackend(), row(**figures), seed=seed, jitter=jitter)


def recorded(text: str = "Paris", *, model: str = "tiny", tokens: int | None = 2) -> RecordedBackend:
    key = recording_key(ask())
    found = Row(key=key, text=text, finish_reason="stop", input_tokens=7, output_tokens=tokens)
    header = Header(
        schema="crossover-recording/1", workload="w", model=RecordedModel(provider="local", name=model, sha256="ab")
    )
    return RecordedBackend(Recording(header, {key: found}))


# --- one request alone ---


def test_an_answer_takes_what_the_row_says() -> None:
    async def main() -> Completion:
        begun = now()
        completion = await emulated().complete(asked(5, prompt=4))
        assert now() - begun == EXACT(completion.seconds, abs=1e-12)
        return completion

    completion = virtually(main)
    assert completion.first_token_s == EXACT(0.01 + 4 * 0.001, abs=1e-12)
    assert completion.seconds == EXACT(0.01 + 4 * 0.001 + 4 / 1000, abs=1e-12)
    assert (completion.timing, completion.usage, completion.text) == ("emulated", Usage(4, 5), filler(5))


def test_who_answers_and_how_fast_are_two_axes() -> None:
    inner = recorded()

    async def main() -> Completion:
        return await EmulatedBackend(inner, row()).complete(ask())

    completion = virtually(main)
    assert EmulatedBackend(inner, row()).identity == inner.identity
    assert (completion.text, completion.model, completion.usage) == ("Paris", "tiny", Usage(7, 2))
    assert completion.seconds == EXACT(0.01 + 7 * 0.001 + 1 / 1000)


def test_a_request_that_arrived_before_the_call_counts_from_then() -> None:
    async def main() -> None:
        arrived = now()
        await asyncio.sleep(0.004)
        completion = await emulated().complete(asked(1), arrived_s=arrived)
        assert now() - arrived == EXACT(completion.seconds) == EXACT(0.014)

    virtually(main)


def test_a_server_can_make_ready_before_the_answers_time() -> None:
    async def main() -> None:
        told: list[tuple[float, str]] = []

        async def accepted(completion: Completion) -> None:
            told.append((now(), completion.text))

        begun, backend = now(), emulated(capacity=1)
        await asyncio.gather(*(backend.complete(asked(2), accepted=accepted) for _ in range(2)))
        assert told == [(begun, filler(2))] * 2

    virtually(main)


# --- streams ---


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.integers(1, 40), st.floats(1, 1e6))
def test_every_piece_comes_at_its_tokens_time_and_they_add_up(text: str, tokens: int, tok_s: float) -> None:
    async def main() -> None:
        backend = EmulatedBackend(recorded(text, tokens=tokens), row(tok_s=tok_s))
        begun, got, last = now(), "", None
        async with aclosing(backend.stream(ask())) as items:
            async for last in items:
                if isinstance(last, str):
                    got += last
                    token = next(n for n in range(1, tokens + 1) if len(text) * n // tokens >= len(got))
                    assert now() - begun == EXACT(0.017 + (token - 1) / tok_s, rel=1e-9)
        assert isinstance(last, Completion)
        assert got == last.text == text
        assert now() - begun == EXACT(0.017 + (tokens - 1) / tok_s, rel=1e-9)

    virtually(main)


def test_a_reader_that_dawdles_gets_what_is_due_in_one_piece_and_holds_up_nobody() -> None:
    async def main() -> None:
        backend = emulated(capacity=1, prompt_token_s=0.0)
        stream = backend.stream(asked(100))
        assert await anext(stream) == filler(1)
        waiting = asyncio.ensure_future(backend.complete(asked(1)))
        await asyncio.sleep(0.0495)  # 49 more tokens are there
        assert await anext(stream) == filler(50)[len(filler(1)) :]
        await asyncio.sleep(10.0)
        assert waiting.result().seconds == EXACT(0.109 + 0.01 - 0.01)  # asked at 10 ms, served from 109 ms on
        assert await anext(stream) == filler(100)[len(filler(50)) :]
        assert isinstance(await anext(stream), Completion)
        await stream.aclose()

    virtually(main)


def test_in_real_time_nothing_is_early_and_no_lateness_adds_up() -> None:
    """Were pauses counted from the last piece, each of 400 would add its own lateness; here they all start together."""

    async def main() -> None:
        backend = emulated(prompt_token_s=0.0, first_token_s=0.002, tok_s=20_000)
        begun, length, late = now(), 0, []
        async for item in backend.stream(asked(400)):
            if isinstance(item, str):
                length += len(item)
                late.append(now() - begun - 0.002 - (length // 5 - 1) / 20_000)
        assert min(late) >= 0.0
        # at least one piece of the second half came within a token's time or two: lateness is made up for
        assert min(late[len(late) // 2 :]) <= max(1e-4, 2 * statistics.median(late[: len(late) // 2]))

    clock.run(main())


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.001, 0.004), st.booleans())
def test_sleep_until_is_never_early(ahead_s: float, spin: bool) -> None:
    async def main() -> None:
        at = now() + ahead_s
        await sleep_until(at, spin=spin)
        assert now() >= at

    clock.run(main())


# --- several requests ---


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 0.05), st.integers(1, 60)), min_size=1, max_size=30),
    st.integers(1, 4),
)
def test_servers_take_requests_first_come_first_served(calls: list[tuple[float, int]], servers: int) -> None:
    """Against the c-server recursion of Kiefer and Wolfowitz on the same arrivals and service times."""

    async def main() -> list[float]:
        backend = emulated(capacity=servers, prompt_token_s=0.0)
        begun, at, tasks = now(), 0.0, []
        for gap_s, tokens in calls:
            at += gap_s
            await sleep_until(begun + at)
            tasks.append(asyncio.ensure_future(backend.complete(asked(tokens))))
            await asyncio.sleep(0)
        return [each.seconds or 0.0 for each in await asyncio.gather(*tasks)]

    free, at, expected = [0.0] * servers, 0.0, []
    for gap_s, tokens in calls:
        at += gap_s
        end = max(at, heapq.heappop(free)) + 0.01 + (tokens - 1) / 1000
        heapq.heappush(free, end)
        expected.append(end - at)
    assert virtually(main) == EXACT(expected, abs=1e-9)


def test_beyond_in_flight_a_request_is_refused_at_once_and_waiting_ones_count() -> None:
    async def main() -> None:
        backend = emulated(capacity=1, in_flight=2)
        under_way = [asyncio.ensure_future(backend.complete(asked(1))) for _ in range(2)]
        await asyncio.sleep(0)
        begun = now()
        for ways in (backend.complete(asked(1)), anext(backend.stream(asked(1)))):
            with pytest.raises(BackendUnavailable, match="chip has 2 requests under way, which is the most"):
                await ways
        assert now() == begun
        await asyncio.gather(*under_way)
        await backend.complete(asked(1))

    virtually(main)


def test_unknown_capacity_and_limits_do_not_bind() -> None:
    async def main() -> None:
        backend = emulated(prompt_token_s=0.0)
        done = await asyncio.gather(*(backend.complete(asked(1)) for _ in range(100)))
        assert {each.seconds for each in done} == {0.01}

    virtually(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_request_frees_its_server_at_once(*, streamed: bool) -> None:
    async def main() -> None:
        backend = emulated(capacity=1, in_flight=2, prompt_token_s=0.0)

        async def read() -> None:
            async with aclosing(backend.stream(asked(1000))) as items:
                async for _ in items:
                    pass

        running = asyncio.ensure_future(read() if streamed else backend.complete(asked(1000)))
        waiting = asyncio.ensure_future(backend.complete(asked(1)))
        await asyncio.sleep(0.3)
        running.cancel()
        await asyncio.wait([running])
        assert (await waiting).seconds == EXACT(0.31)
        await asyncio.gather(backend.complete(asked(1)), backend.complete(asked(1)))  # both places are free again

    virtually(main)


def test_a_reader_that_leaves_a_stream_frees_its_server_at_once() -> None:
    async def main() -> None:
        backend = emulated(capacity=1)
        stream = backend.stream(asked(1000))
        await anext(stream)
        await stream.aclose()
        begun = now()
        await backend.complete(asked(1))
        assert now() - begun == EXACT(0.014)

    virtually(main)


@pytest.mark.parametrize("at_s", [0.02, 0.11])
def test_a_request_that_leaves_the_queue_loses_no_server(at_s: float) -> None:
    """At 0.11 s its turn comes in the very moment in which it leaves."""

    async def main() -> None:
        backend = emulated(capacity=1, prompt_token_s=0.0)
        first = asyncio.ensure_future(backend.complete(asked(101)))
        leaving = asyncio.ensure_future(backend.complete(asked(101)))
        third = asyncio.ensure_future(backend.complete(asked(1)))
        await asyncio.sleep(0)
        await sleep_until(at_s)
        leaving.cancel()
        await asyncio.wait([leaving])
        await first
        assert (await third).seconds == EXACT(0.12)
        assert (await backend.complete(asked(1))).seconds == EXACT(0.01)

    virtually(main)


# --- limits, jitter ---


def test_a_prompt_beyond_the_context_is_refused() -> None:
    async def main() -> None:
        backend = emulated(context_tokens=8)
        await backend.complete(asked(50, prompt=8))
        with pytest.raises(BackendRefused, match="the prompt has 9 tokens and chip reads at most 8; shorten it"):
            await backend.complete(asked(1, prompt=9))

    virtually(main)


def test_or_comes_back_empty_where_the_hardware_was_seen_to_do_that() -> None:
    async def main() -> None:
        backend = emulated(context_tokens=8, beyond_context="empty")
        completion = await backend.complete(asked(5, prompt=9))
        assert (completion.text, completion.usage, completion.first_token_s) == ("", Usage(9, 0), None)
        assert completion.seconds == EXACT(0.019)
        assert [type(item) async for item in backend.stream(asked(5, prompt=9))] == [Completion]
        with pytest.raises(BadAnswer, match="answered with nothing"):
            await answer(DirectPipeline(backend), asked(5, prompt=9), Background())

    virtually(main)


def test_jitter_is_seeded_and_of_mean_one() -> None:
    async def taken(seed: int, jitter: float) -> list[float]:
        backend = emulated(seed=seed, jitter=jitter, prompt_token_s=0.0)
        return [(await backend.complete(asked(1))).seconds or 0.0 for _ in range(3000)]

    same, again, other, none = (
        clock.run(taken(seed, jitter), virtual=True) for seed, jitter in ((7, 0.5), (7, 0.5), (8, 0.5), (7, 0.0))
    )
    assert same == again != other
    assert statistics.fmean(same) == EXACT(0.01, rel=0.03)
    assert statistics.stdev(map(math.log, same)) == EXACT(0.5, rel=0.05)
    assert none == EXACT([0.01] * 3000)


@pytest.mark.parametrize("jitter", [-0.1, 2.1, math.nan])
def test_a_jitter_that_is_none_is_refused(jitter: float) -> None:
    with pytest.raises(BadInput, match=r"jitter is .*; it must lie in \[0, 2\]"):
        emulated(jitter=jitter)


# --- who may answer ---


def test_a_stand_in_says_so() -> None:
    told = EmulatedBackend(recorded(model="qwen"), row()).stand_in
    assert told == "qwen (recorded) stands in for Test 8B on chip"
    assert emulated().stand_in == "filler text (generated) stands in for Test 8B on chip"
    assert EmulatedBackend(recorded(model="Test 8B"), row()).stand_in is None


def test_another_model_that_declares_nothing_is_refused() -> None:
    with pytest.raises(BadInput, match=r"chip serves Test 8B and no other model, not scripted; .* a recording"):
        EmulatedBackend(ScriptedBackend(), row())


def test_unknown_figures_are_asked_for() -> None:
    figures = dict(row().figures) | {"first_token_s": row().figures["watts"]}
    hardware = type(row())("chip", "A chip", "Test 8B", "fp16", "refuse", figures)
    with pytest.raises(BadInput, match="hardware chip: first_token_s unknown"):
        EmulatedBackend(GeneratedBackend(), hardware)


def test_an_answer_without_counts_has_no_pace() -> None:
    async def main() -> None:
        backend = emulated(recorded(tokens=None), in_flight=1)
        for _ in range(2):  # the place is free again
            with pytest.raises(BadAnswer, match="an answer without its token counts has no pace on chip"):
                await backend.complete(ask())
        with pytest.raises(BadAnswer, match="without its token counts"):
            await emulated(recorded(tokens=0)).complete(ask())

    virtually(main)


def test_a_model_that_takes_longer_itself_is_no_emulation() -> None:
    async def main() -> None:
        backend = EmulatedBackend(ScriptedBackend([Script([(1.0, "yes")])], "Test 8B"), row())
        with pytest.raises(BadAnswer, match=r"Test 8B took 1 s itself, and chip would take 0.011 s; .* recording"):
            await backend.complete(ask())

    virtually(main)


def test_what_the_inner_backend_raises_goes_through() -> None:
    async def main() -> None:
        with pytest.raises(MissingRecording, match="no answer to this prompt"):
            await emulated(recorded()).complete(ask("Something else?"))

    virtually(main)


def test_closing_it_closes_the_inner_backend() -> None:
    inner = ScriptedBackend(name="Test 8B")
    virtually(EmulatedBackend(inner, row()).aclose)
    assert inner.closed

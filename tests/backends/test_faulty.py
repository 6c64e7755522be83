"""Every row of the table of faults, whole and streamed, on a virtual clock and once on a real one."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import Any

import pytest

from shared import clock
from shared.backends.faulty import FAULTS, FaultyBackend
from shared.contract import Completion, Usage
from shared.errors import BackendUnavailable, BadAnswer, BadInput
from tests.fakes import Script, ScriptedBackend, ask

PIECES = ("a ", "b ", "c ", "d")
TEXT = "".join(PIECES)
ENDLESS_S = 1e6


def inner() -> ScriptedBackend:
    return ScriptedBackend([Script([(0.1, piece) for piece in PIECES], logprobs=(-0.5,))])


def other() -> ScriptedBackend:
    return ScriptedBackend([Script([(0.0, "another text")])], name="other")


async def whole(backend: FaultyBackend) -> Any:
    """The completion, the error, or "silence"."""
    try:
        async with asyncio.timeout(ENDLESS_S):
            return await backend.complete(ask())
    except TimeoutError:
        return "silence"
    except (BackendUnavailable, BadAnswer) as error:
        return error


async def streamed(backend: FaultyBackend) -> tuple[list[str], Any]:
    """The pieces, and how it ended: a completion, the error, "silence" or "end"."""
    pieces: list[str] = []
    try:
        async with asyncio.timeout(ENDLESS_S), aclosing(backend.stream(ask())) as items:
            async for item in items:
                if isinstance(item, Completion):
                    return pieces, item
                pieces.append(item)
    except TimeoutError:
        return pieces, "silence"
    except (BackendUnavailable, BadAnswer) as error:
        return pieces, error
    return pieces, "end"


ENDINGS: dict[str, tuple[Any, list[str], Any]] = {
    "timeout": (BackendUnavailable, [], BackendUnavailable),
    "hang": ("silence", [], "silence"),
    "slow-first-token": (TEXT, [*PIECES], TEXT),
    "stalled-stream": ("silence", ["a ", "b "], "silence"),
    "truncated-stream": (BackendUnavailable, ["a ", "b "], "end"),
    "429": (BackendUnavailable, [], BackendUnavailable),
    "429-retry-after": (BackendUnavailable, [], BackendUnavailable),
    "500": (BackendUnavailable, [], BackendUnavailable),
    "reset": (BackendUnavailable, [], BackendUnavailable),
    "reset-midway": (BackendUnavailable, ["a ", "b "], BackendUnavailable),
    "malformed": (BadAnswer, [], BadAnswer),
    "empty": ("", [], ""),
    "other-model": ("another text", ["ano", "the", "r t", "ext"], "another text"),
    "other-model-named": (BadAnswer, [], BadAnswer),
    "no-token-counts": (TEXT, ["a ", "b ", "c ", "d"], TEXT),
    "flapping": (BackendUnavailable, [], BackendUnavailable),
}
"""By fault: the whole answer's text or error, a streamed one's pieces, and how the stream ends."""


def test_every_fault_is_tested_here() -> None:
    assert ENDINGS.keys() | {"overlong"} == FAULTS.keys()


@pytest.mark.parametrize("fault", ENDINGS)
def test_a_fault_does_what_its_row_says(fault: str) -> None:
    async def main() -> None:
        source = inner()
        ended, pieces, end = ENDINGS[fault]
        found = await whole(FaultyBackend(source, fault, other=other()))
        _same(found, ended)
        sent, last = await streamed(FaultyBackend(source, fault, other=other()))
        assert sent == pieces
        _same(last, end)
        assert source.running == 0

    clock.run(main(), virtual=True)


def _same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, str) and isinstance(found, Completion):
        assert found.text == wanted
        assert found.model == "scripted"
    elif isinstance(wanted, type):
        assert type(found) is wanted
    else:
        assert found == wanted


def test_an_overlong_answer_comes_late_and_says_that_it_is_cut() -> None:
    async def main() -> None:
        found = await whole(FaultyBackend(inner(), "overlong"))
        assert (found.finish_reason, len(found.text) > 40 * len(TEXT)) == ("length", True)
        assert clock.now() > 1.0
        pieces, last = await streamed(FaultyBackend(inner(), "overlong"))
        assert "".join(pieces) == last.text == found.text

    clock.run(main(), virtual=True)


def test_missing_token_counts_are_unknown_and_not_zero() -> None:
    found = clock.run(whole(FaultyBackend(inner(), "no-token-counts")), virtual=True)
    assert (found.usage, found.logprobs) == (Usage(None, None), None)


def test_only_one_429_asks_to_wait() -> None:
    asked = [clock.run(whole(FaultyBackend(inner(), fault)), virtual=True) for fault in ("429", "429-retry-after")]
    assert [error.retry_after_s for error in asked] == [None, 2.0]


@pytest.mark.parametrize("fault", FAULTS)
def test_calls_outside_of_the_fault_are_the_inner_backends_own(fault: str) -> None:
    async def main() -> None:
        backend = FaultyBackend(inner(), fault, when=lambda: False, other=other())
        found = await whole(backend)
        assert (found.text, found.usage, found.logprobs, found.finish_reason) == (TEXT, Usage(1, 4), (-0.5,), "stop")
        pieces, last = await streamed(backend)
        assert (pieces, last.text) == ([*PIECES], TEXT)
        assert backend.identity == inner().identity

    clock.run(main(), virtual=True)


def test_a_seed_decides_the_waits() -> None:
    async def waits(seed: int) -> list[float]:
        backend = FaultyBackend(inner(), "timeout", seed=seed)
        ends = []
        for _ in range(5):
            await whole(backend)
            ends.append(clock.now())
        return ends

    first, again, another = (clock.run(waits(seed), virtual=True) for seed in (1, 1, 2))
    assert first == again != another
    assert all(1.0 <= after - before <= 3.0 for before, after in itertools.pairwise([0.0, *first]))


def test_flapping_is_down_and_up_by_turns() -> None:
    async def main() -> list[bool]:
        backend = FaultyBackend(ScriptedBackend(), "flapping", seed=3)
        up = []
        for _ in range(400):
            up.append(isinstance(await whole(backend), Completion))
            await asyncio.sleep(0.05)
        return up

    up = clock.run(main(), virtual=True)
    changes = sum(before != after for before, after in itertools.pairwise(up))
    assert not up[0]
    assert 4 <= changes <= 20
    assert 120 < sum(up) < 280


def test_it_works_in_real_time_and_closes_both() -> None:
    async def main() -> None:
        first, second = inner(), other()
        backend = FaultyBackend(first, "other-model", other=second)
        assert (await backend.complete(ask())).text == "another text"
        await backend.aclose()
        assert (first.closed, second.closed) == (True, True)

    clock.run(main())


def test_a_hang_that_is_cancelled_leaves_nothing_running() -> None:
    async def main() -> None:
        source = inner()
        task = asyncio.create_task(streamed(FaultyBackend(source, "stalled-stream")))
        await asyncio.sleep(5.0)
        assert source.running == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert source.running == 0

    clock.run(main(), virtual=True)


def test_an_unknown_fault_and_a_missing_other_are_refused() -> None:
    with pytest.raises(BadInput, match="'tantrum' is unknown; known are timeout, hang"):
        FaultyBackend(inner(), "tantrum")
    with pytest.raises(BadInput, match="give other="):
        FaultyBackend(inner(), "other-model")

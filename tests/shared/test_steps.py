"""The recorder by itself: fallbacks, time limits, background work."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from shared import clock
from shared.errors import BackendUnavailable, CrossoverError
from shared.steps import Background, Recorder
from tests.fakes import HANG, Script, ScriptedBackend, ask


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


def recorder(background: Background | None = None) -> Recorder:
    return Recorder(streaming=True, background=background or Background(), started=clock.now())


@dataclass
class Explained:
    detail: str = "because"


async def give(value: object, after_s: float = 0.0) -> Any:
    await asyncio.sleep(after_s)
    return value


async def fail(error: Exception) -> None:
    raise error


def test_a_result_explains_itself_and_nothing_found_is_said() -> None:
    async def main() -> None:
        step = recorder()
        await step("think", give(Explained()), limit_s=1)
        assert await step("look", give(None), limit_s=1) is None
        assert [(each.kind, each.outcome, each.detail) for each in step.steps] == [
            ("think", "ok", "because"),
            ("look", "none", ""),
        ]

    virtually(main())


def test_a_fallback_stands_in_for_failures_and_hangs_alike() -> None:
    async def main() -> None:
        step = recorder()
        assert await step("a", fail(ValueError("the prompt")), limit_s=1, otherwise="b") == "b"
        assert await step("c", give("late", 5.0), limit_s=1, otherwise="d") == "d"
        assert [(each.outcome, each.detail) for each in step.steps] == [("error", "ValueError"), ("timeout", "")]
        assert clock.now() == 1.0

    virtually(main())


def test_without_a_fallback_the_failure_is_the_callers() -> None:
    async def main() -> None:
        step = recorder()
        with pytest.raises(ValueError, match="mine"):
            await step("a", fail(ValueError("mine")), limit_s=1)
        with pytest.raises(TimeoutError):
            await step("b", give(1, 5.0), limit_s=1)
        assert [each.outcome for each in step.steps] == ["error", "timeout"]

    virtually(main())


def test_our_own_errors_keep_their_words_and_others_only_their_type() -> None:
    async def main() -> None:
        step = recorder()
        await step("a", fail(CrossoverError("disk is full; clear it")), limit_s=1, otherwise=None)
        await step("b", fail(RuntimeError("user said: secret")), limit_s=1, otherwise=None)
        assert [each.detail for each in step.steps] == ["CrossoverError: disk is full; clear it", "RuntimeError"]

    virtually(main())


def test_retry_after_is_waited_for_and_recorded() -> None:
    async def main() -> None:
        step = recorder()
        backend = ScriptedBackend([Script([], BackendUnavailable("busy", retry_after_s=4.0)), Script()])
        assert [text async for text in step.stream("call", backend, ask(), tries=2)] == ["yes"]
        assert [(each.kind, each.seconds) for each in step.steps] == [("call", 0.0), ("pause", 4.0), ("call", 0.0)]

    virtually(main())


def test_a_pause_that_ends_after_the_deadline_is_not_waited_for() -> None:
    async def main() -> None:
        step = recorder()
        backend = ScriptedBackend([Script([], BackendUnavailable("busy", retry_after_s=3600.0)), Script()])
        with pytest.raises(BackendUnavailable, match="busy") as caught:
            _ = [text async for text in step.stream("call", backend, ask(), tries=2)]
        assert caught.value.retry_after_s == 3600.0
        assert (clock.now(), backend.calls) == (0.0, 1)

    virtually(main())


def test_a_limit_bounds_the_first_piece_and_not_the_rest() -> None:
    async def main() -> None:
        step = recorder()
        backend = ScriptedBackend([Script([(HANG, "x")]), Script([(1.0, "slow"), (50.0, " end")])])
        assert [text async for text in step.stream("small", backend, ask(), limit_s=2.0, tries=2)] == ["slow", " end"]
        assert [(each.outcome, each.seconds) for each in step.steps] == [("timeout", 2.0), ("ok", 51.0)]

    virtually(main())


def test_background_work_is_bounded_in_number_and_time() -> None:
    async def main() -> None:
        background = Background(limit=1)
        step = recorder(background)
        step.later("store", give(None, 50.0), limit_s=2.0)
        step.later("store", give(None), limit_s=2.0)
        assert clock.now() == 0.0
        step.out.set()
        await background.drain()
        assert clock.now() == 2.0
        assert [(each.outcome, each.after_answer) for each in step.steps] == [("error", True), ("timeout", True)]
        assert "too much background work" in step.steps[0].detail

    virtually(main())


def test_a_reader_that_dawdles_does_not_hold_up_the_work_for_ever() -> None:
    async def main() -> None:
        background = Background()
        step = recorder(background)
        step.later("store", give(None), limit_s=2.0)
        await background.drain()
        assert clock.now() == 2.0
        assert [(each.kind, each.outcome, each.after_answer) for each in step.steps] == [("store", "ok", True)]

    virtually(main())


@pytest.mark.filterwarnings("error")
def test_work_that_never_began_is_closed() -> None:
    async def main() -> None:
        recorder().later("store", give(None), limit_s=100.0)
        await asyncio.sleep(0)

    virtually(main())

"""03: every question goes out under the new system prompt, and no answer to the old one is given any more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import Side
from shared import clock
from shared.contract import Answer, Completion, Message, Pipeline, Request
from shared.errors import BackendRefused, BackendUnavailable
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import Script, ScriptedBackend, ask

PROMPT = "Answer briefly and say so when you do not know."
UNAVAILABLE = Script([], BackendUnavailable("down"))


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


class Case:
    """A pipeline whose models keep what they are asked. On the direct side the large model is the one model."""

    def __init__(self, side: Side, folder: Path, **settings: Any) -> None:
        self.small = ScriptedBackend([Script([(0.1, "small says")])], name="small")
        self.large = ScriptedBackend([Script([(0.1, "large "), (0.1, "says")])], name="large")
        self.pipeline: Pipeline
        if side == "legacy":
            self.pipeline = drill_kit.legacy(folder, small=self.small, large=self.large, **settings)
        else:
            self.pipeline = drill_kit.direct(self.large)

    async def ask(self, request: Request, *, streamed: bool = False) -> str:
        background = Background()
        if streamed:
            items = [item async for item in stream(self.pipeline, request, background)]
            got = items[-1]
            assert isinstance(got, Answer)
        else:
            got = await answer(self.pipeline, request, background)
        await background.drain()
        return got.text

    def seen(self) -> list[Request]:
        return [*self.small.requests, *self.large.requests]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("small_first", [False, True])
def test_every_call_of_every_model_is_under_the_prompt(
    side: Side, small_first: bool, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, small_first=small_first)
        case.small.scripts = [Script([], BackendRefused("no")), *case.small.scripts]
        case.large.scripts = [UNAVAILABLE, *case.large.scripts]
        assert await case.ask(ask("Is it on?"), streamed=streamed) == "large says"
        await case.ask(ask("Is it off?"), streamed=streamed)
        legacy_small = side == "legacy" and small_first
        assert (case.small.calls, case.large.calls) == ((2, 2) if legacy_small else (0, 3))
        for request in case.seen():
            assert request.messages[0] == Message("system", PROMPT)
            assert [message.role for message in request.messages] == ["system", "user"]
        assert {request.messages[-1].content for request in case.seen()} == {"Is it on?", "Is it off?"}

    virtually(main())


def test_a_conversation_keeps_its_own_system_message_after_the_prompt_and_in_the_same_one(
    side: Side, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        turns = (Message("user", "Hi."), Message("assistant", "Ahoy."), Message("user", "Is it on?"))
        await case.ask(replace(ask(), messages=(Message("system", "Talk like a pirate."), *turns), max_tokens=7))
        (request,) = case.seen()
        assert request.messages[1:] == turns
        assert request.messages[0].role == "system"
        assert request.messages[0].content.startswith(PROMPT)
        assert request.messages[0].content.endswith("Talk like a pirate.")
        assert request.max_tokens == 7, "everything else is as it was asked"

    virtually(main())


def test_an_answer_to_the_old_prompt_is_not_given(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        old = Completion("an old answer", "large")
        requests = ask(), replace(ask(), messages=(Message("system", "Talk like a pirate."), *ask().messages))
        case = Case(side, tmp_path)
        if side == "legacy":
            cache = case.pipeline.cache  # type: ignore[attr-defined]
            for request in requests:
                await cache.put(cache.key(request), request, old)  # the key of a question without the prompt
        for request in requests:
            assert await case.ask(request) == "large says"
        assert case.large.calls == len(requests)

    virtually(main())


def test_equal_questions_share_what_they_shared_before(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await asyncio.gather(*(case.ask(ask("Is it on?", scope=(("user", "ann"),))) for _ in range(3)))
        await case.ask(ask("Is it on?", scope=(("user", "ann"),)))
        assert case.large.calls == (1 if side == "legacy" else 4)
        await case.ask(ask("Is it on?", scope=(("user", "bob"),)))
        assert case.large.calls == (2 if side == "legacy" else 5)

    virtually(main())

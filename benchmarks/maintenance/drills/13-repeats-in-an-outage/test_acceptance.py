"""While the main model is out, questions answered in the last day are still answered, and others fail typed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import Side, ask
from shared import clock
from shared.contract import Answer, Message, Pipeline, Request
from shared.errors import BackendRefused, BackendUnavailable, CrossoverError
from shared.run import stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend

HOUR_S = 3600.0
DEADLINE_S = 30.0

OUTAGES = {
    "unavailable": Script([], BackendUnavailable("down")),
    "busy nearly until the deadline": Script([], BackendUnavailable("busy", retry_after_s=29.0)),
    "refused": Script([], BackendRefused("the account is closed")),
    "broken": Script([], RuntimeError("a bug")),
    "empty": Script([(0.1, " ")]),
    "hanging": Script([(HANG, "never")]),
}


def question(text: str, *, user: str = "ada") -> Request:
    return Request((Message("user", text),), scope=(("user", user),), deadline_s=DEADLINE_S)


def opened(side: Side, folder: Path, main: ScriptedBackend) -> Pipeline:
    """Without a classifier every question of the legacy side is the large model's."""
    if side == "direct":
        return drill_kit.direct(main)
    return drill_kit.legacy(folder, small=ScriptedBackend(name="small"), large=main)


async def streamed(pipeline: Pipeline, request: Request) -> str:
    background = Background()
    items = [item async for item in stream(pipeline, request, background)]
    await background.drain()
    assert isinstance(items[-1], Answer)
    return "".join(item for item in items if isinstance(item, str))


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_repeats_are_answered_and_others_fail_in_time(side: Side, outage: Script, tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedBackend([Script([(0.5, "on"), (0.1, " it is")])], name="main")
        pipeline = opened(side, tmp_path, model)
        assert (await ask(pipeline, question("Is it on?"))).text == "on it is"
        model.scripts = [outage]
        begun = clock.now()
        repeat = await ask(pipeline, question("Is it on?"))
        assert repeat.text == "on it is"
        assert repeat.completion.model == "main"
        assert clock.now() - begun < DEADLINE_S
        assert await streamed(pipeline, question("Is it on?")) == "on it is"
        for other in (question("Is it off?"), question("Is it on?", user="bob")):
            begun = clock.now()
            with pytest.raises(CrossoverError):
                await ask(pipeline, other)
            assert clock.now() - begun <= DEADLINE_S + 1e-6
        assert model.running == 0
        await pipeline.aclose()

    clock.run(main(), virtual=True)


def test_a_repeat_is_answered_for_a_day_and_no_longer(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedBackend()
        pipeline = opened(side, tmp_path, model)
        await ask(pipeline, question("Is it on?"))
        model.scripts = [OUTAGES["unavailable"]]
        await asyncio.sleep(23 * HOUR_S)
        assert (await ask(pipeline, question("Is it on?"))).text == "yes"
        await asyncio.sleep(2 * HOUR_S)
        with pytest.raises(BackendUnavailable):
            await ask(pipeline, question("Is it on?"))

    clock.run(main(), virtual=True)


def test_an_answer_that_broke_off_is_not_given_again(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedBackend([Script(finish_reason="length")])
        pipeline = opened(side, tmp_path, model)
        await ask(pipeline, question("Is it on?"))
        model.scripts = [OUTAGES["unavailable"]]
        with pytest.raises(BackendUnavailable):
            await ask(pipeline, question("Is it on?"))

    clock.run(main(), virtual=True)


def test_after_the_outage_new_questions_are_answered(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedBackend()
        pipeline = opened(side, tmp_path, model)
        await ask(pipeline, question("Is it on?"))
        model.scripts = [OUTAGES["unavailable"]]
        assert (await ask(pipeline, question("Is it on?"))).text == "yes"
        model.scripts = [Script([(0.0, "no")])]
        assert (await ask(pipeline, question("Is it off?"))).text == "no"

    clock.run(main(), virtual=True)

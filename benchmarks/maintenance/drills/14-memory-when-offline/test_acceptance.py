"""After a restart without a network, questions answered in the last day are still answered."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import Side, ask
from direct_pipeline import app
from shared import clock
from shared.backends.http import HttpBackend
from shared.contract import Backend, Message, Pipeline, Request
from shared.errors import BackendUnavailable, BadInput, CrossoverError
from tests.fakes import HANG, Script, ScriptedBackend
from tests.openai_server import OpenAIServer

HOUR_S = 3600.0
OFFLINE = {
    "unreachable": Script([], BackendUnavailable("no route to host")),
    "hanging": Script([(HANG, "never")]),
}


def question(text: str, *, user: str = "ada") -> Request:
    return Request((Message("user", text),), scope=(("user", user),))


def opened(side: Side, folder: Path, main: Backend) -> Pipeline:
    """Without a classifier every question of the legacy side is the large model's."""
    if side == "legacy":
        return drill_kit.legacy(folder, small=main, large=main)
    build: Any = getattr(app, "build", lambda _, model: drill_kit.direct(model))
    pipeline: Pipeline = build(folder / "cache", main)
    return pipeline


async def asked_alone(side: Side, folder: Path, url: str, texts: Sequence[str]) -> list[str]:
    """What a pipeline that is opened for it answers, or the type of the error."""
    pipeline = opened(side, folder, HttpBackend(url, "ok"))
    told = []
    for text in texts:
        try:
            told.append((await ask(pipeline, question(text))).text)
        except CrossoverError as error:
            told.append(type(error).__name__)
    await pipeline.aclose()
    return told


def in_another_process(side: str, folder: str, url: str, *texts: str) -> None:
    print("\n".join(asyncio.run(asked_alone(side, Path(folder), url, texts))))  # type: ignore[arg-type]


def test_another_process_answers_repeats_when_nothing_listens_any_more(side: Side, tmp_path: Path) -> None:
    async def main() -> str:
        async with OpenAIServer("on", " it is") as server:
            assert await asked_alone(side, tmp_path, server.url, ["Is it on?"]) == ["on it is"]
            return server.url

    url = asyncio.run(main())
    start = "import runpy, sys; runpy.run_path(sys.argv[1])['in_another_process'](*sys.argv[2:])"
    command = [sys.executable, "-c", start, __file__, side, str(tmp_path), url, "Is it on?", "Is it off?"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.splitlines() == ["on it is", "BackendUnavailable"]


@pytest.mark.parametrize("offline", OFFLINE.values(), ids=OFFLINE)
def test_a_newly_opened_pipeline_answers_repeats_for_a_day(side: Side, offline: Script, tmp_path: Path) -> None:
    async def main() -> None:
        before = opened(side, tmp_path, ScriptedBackend())
        assert (await ask(before, question("Is it on?"))).text == "yes"
        await before.aclose()
        after = opened(side, tmp_path, ScriptedBackend([offline]))
        got = await ask(after, question("Is it on?"))
        assert got.text == "yes"
        assert got.completion.model == "scripted"
        for other in (question("Is it off?"), question("Is it on?", user="bob")):
            with pytest.raises(CrossoverError):
                await ask(after, other)
        await asyncio.sleep(23 * HOUR_S)
        assert (await ask(after, question("Is it on?"))).text == "yes"
        await asyncio.sleep(2 * HOUR_S)
        with pytest.raises(CrossoverError):
            await ask(after, question("Is it on?"))
        await after.aclose()

    clock.run(main(), virtual=True)


def test_another_model_does_not_give_what_the_old_one_said(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        before = opened(side, tmp_path, ScriptedBackend(name="old"))
        await ask(before, question("Is it on?"))
        await before.aclose()
        after = opened(side, tmp_path, ScriptedBackend([OFFLINE["unreachable"]], name="new"))
        with pytest.raises(BackendUnavailable):
            await ask(after, question("Is it on?"))
        await after.aclose()

    clock.run(main(), virtual=True)


def test_an_answer_that_broke_off_is_not_given_again(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        before = opened(side, tmp_path, ScriptedBackend([Script(finish_reason="length"), Script()]))
        await ask(before, question("Is it on?"))
        await ask(before, question("Is it off?"))
        await before.aclose()
        after = opened(side, tmp_path, ScriptedBackend([OFFLINE["unreachable"]]))
        with pytest.raises(BackendUnavailable):
            await ask(after, question("Is it on?"))
        assert (await ask(after, question("Is it off?"))).text == "yes"
        await after.aclose()

    clock.run(main(), virtual=True)


def test_a_directory_that_others_may_enter_is_refused(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache").chmod(0o755)
        with pytest.raises(BadInput, match="entered by others"):
            opened(side, tmp_path, ScriptedBackend())

    clock.run(main(), virtual=True)


def test_nobody_else_may_enter_where_the_answers_lie(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        pipeline = opened(side, tmp_path, ScriptedBackend())
        await ask(pipeline, question("Is it on?"))
        await pipeline.aclose()
        assert (tmp_path / "cache").stat().st_mode & 0o077 == 0

    clock.run(main(), virtual=True)


def test_a_file_full_of_rubbish_costs_the_memory_and_not_the_answers(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        before = opened(side, tmp_path, ScriptedBackend())
        await ask(before, question("Is it on?"))
        await before.aclose()
        for file in (tmp_path / "cache").iterdir():
            file.write_bytes(b"rubbish" * 1000)
        after = opened(side, tmp_path, ScriptedBackend([Script([(0.0, "still")])]))
        assert (await ask(after, question("Is it on?"))).text == "still"
        await after.aclose()

    clock.run(main(), virtual=True)

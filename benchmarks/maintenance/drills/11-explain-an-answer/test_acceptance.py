"""A user is told in words where an answer came from and why, whichever way it came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import Side, ask
from legacy_pipeline.cascade import Route
from legacy_pipeline.pipeline import LegacyPipeline
from shared import clock
from shared.contract import Answer, Message, Pipeline, Request
from shared.errors import BackendRefused, BackendUnavailable
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend

QUESTION, REPLY, MESSAGE = "Is the cellar mine?", "it belongs to the landlord", "key sk-123 at https://inside"
"""None of these has a place in an explanation; the last is what an error says."""
SMALL, LARGE, CALL = "tiny-1b", "huge-70b", "chip-8b"
DOWN = Script([], BackendUnavailable(MESSAGE))
NEVER = Script([(HANG, "never")])


@dataclass(frozen=True, slots=True)
class Way:
    """How an answer came: the model that made it, and words that must be among those the user is told."""

    model: str
    words: tuple[str, ...] = ()


def question(user: str = "ada") -> Request:
    return Request((Message("user", QUESTION),), scope=(("user", user),))


def model(name: str, *scripts: Script) -> ScriptedBackend:
    return ScriptedBackend([*scripts, Script([(0.5, REPLY)])], name=name)


def told(side: Side, got: Answer) -> str:
    words: str = import_module(f"{side}_pipeline.explain").explain(got)
    return words


def legacy(folder: Path, route: Route | None, *small: Script, large: Script | None = None, **settings: Any) -> Pipeline:
    """`route` stands in for the verdict of a classifier."""
    before, main = model(SMALL, *small), model(LARGE, *([large] if large else []))
    pipeline = drill_kit.legacy(folder, small=before, large=main, **settings)
    if route:

        async def routed(_: Request) -> Route:
            return route

        pipeline.cascade.route = routed  # type: ignore[method-assign, assignment]
    return pipeline


EASY = Route(small=True, detail="expected gain 0.0512, threshold 0.2090")
HARD = Route(small=False, detail="expected gain 0.3127, threshold 0.2090")


async def hang(*_: object) -> None:
    await asyncio.Event().wait()


async def broken(*_: object) -> None:
    raise OSError(MESSAGE)


async def _small(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, EASY), question())
    return got, Way(SMALL, ("small model", "0.0512", "0.2090"))


async def _small_first(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, None, small_first=True), question())
    return got, Way(SMALL, ("Every question", "small model first"))


async def _large(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, HARD), question())
    return got, Way(LARGE, ("large model", "0.3127", "0.2090"))


async def _no_classifier(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, None), question())
    return got, Way(LARGE, ("large model", "no classifier"))


async def _unjudged(folder: Path) -> tuple[Answer, Way]:
    pipeline = legacy(folder, None)
    assert isinstance(pipeline, LegacyPipeline)
    pipeline.cascade.route = hang  # type: ignore[method-assign, assignment]
    return await ask(pipeline, question()), Way(LARGE, ("large model", "Judging", "too long"))


async def _small_failed(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, EASY, Script([], BackendRefused(MESSAGE))), question())
    return got, Way(LARGE, ("small model failed", "large model", "0.0512"))


async def _small_hung(folder: Path) -> tuple[Answer, Way]:
    got = await ask(legacy(folder, EASY, NEVER), question())
    return got, Way(LARGE, ("small model took too long", "large model"))


async def _draft_rejected(folder: Path) -> tuple[Answer, Way]:
    draft = Script([(0.1, REPLY)], logprobs=(-7.5, -0.1))
    got = await ask(legacy(folder, EASY, draft, escalate_below=-2.0), question())
    return got, Way(LARGE, ("draft", "-7.50", "-2", "large model"))


async def _large_again(folder: Path) -> tuple[Answer, Way]:
    busy = Script([], BackendUnavailable(MESSAGE, retry_after_s=3.0))
    got = await ask(legacy(folder, HARD, large=busy), question())
    return got, Way(LARGE, ("again", "3 s"))


async def _cached(folder: Path) -> tuple[Answer, Way]:
    pipeline = legacy(folder, EASY)
    await ask(pipeline, question())
    await asyncio.sleep(4321.0)
    return await ask(pipeline, question()), Way(SMALL, ("4321.000 s ago", "same question", "the same scope", "before"))


async def _similar(folder: Path) -> tuple[Answer, Way]:
    pipeline = legacy(folder, HARD)
    assert isinstance(pipeline, LegacyPipeline)
    await ask(pipeline, question())
    await asyncio.sleep(60.0)
    key = pipeline.cache.key(question())
    pipeline.settings = pipeline.settings.model_copy(update={"semantic": True})
    pipeline.cache.index = _Finds(key)  # type: ignore[assignment]
    other = Request((Message("user", f"{QUESTION} Tell me."),), scope=(("user", "ada"),))
    return await ask(pipeline, other), Way(LARGE, ("60.000 s ago", "means the same", "0.971", "the same scope"))


@dataclass
class _Finds:
    """An index to which every question is like the one under `key`."""

    key: str

    def find(self, *_: object) -> list[tuple[str, float]]:
        return [(self.key, 0.971)]


async def _shared(folder: Path) -> tuple[Answer, Way]:
    pipeline, background = legacy(folder, HARD), Background()
    _, got = await asyncio.gather(*(answer(pipeline, question(), background) for _ in range(2)))
    await background.drain()
    return got, Way(LARGE, ("same question", "under way"))


async def _shared_failed(folder: Path) -> tuple[Answer, Way]:
    pipeline, background = legacy(folder, HARD, large=Script([], BackendRefused(MESSAGE))), Background()
    first, got = await asyncio.gather(
        *(answer(pipeline, question(), background) for _ in range(2)), return_exceptions=True
    )
    await background.drain()
    assert isinstance(first, BackendRefused)
    assert isinstance(got, Answer)
    return got, Way(LARGE, ("already being answered, and that failed", "0.3127"))


async def _no_cache(folder: Path) -> tuple[Answer, Way]:
    pipeline = legacy(folder, HARD)
    assert isinstance(pipeline, LegacyPipeline)
    pipeline.cache.get = broken  # type: ignore[method-assign, assignment]
    return await ask(pipeline, question()), Way(LARGE, ("earlier answer failed", "0.3127"))


async def _streamed(folder: Path) -> tuple[Answer, Way]:
    return await _in_pieces(legacy(folder, EASY, DOWN)), Way(LARGE, ("small model failed", "large model"))


async def _call(_: Path) -> tuple[Answer, Way]:
    return await ask(drill_kit.direct(model(CALL)), question()), Way(CALL, ("this question",))


async def _call_again(_: Path) -> tuple[Answer, Way]:
    busy = Script([], BackendUnavailable(MESSAGE, retry_after_s=3.0))
    return await ask(drill_kit.direct(model(CALL, busy)), question()), Way(CALL, ("failed", "again", "3 s"))


async def _call_streamed(_: Path) -> tuple[Answer, Way]:
    return await _in_pieces(drill_kit.direct(model(CALL, DOWN))), Way(CALL, ("failed", "again"))


async def _in_pieces(pipeline: Pipeline) -> Answer:
    background = Background()
    got = [item async for item in stream(pipeline, question(), background)][-1]
    await background.drain()
    assert isinstance(got, Answer)
    return got


Play = Callable[[Path], Awaitable[tuple[Answer, Way]]]
WAYS: dict[str, list[Play]] = {
    "legacy": [
        _small,
        _small_first,
        _large,
        _no_classifier,
        _unjudged,
        _small_failed,
        _small_hung,
        _draft_rejected,
        _large_again,
        _cached,
        _similar,
        _shared,
        _shared_failed,
        _no_cache,
        _streamed,
    ],
    "direct": [_call, _call_again, _call_streamed],
}


def test_the_words_name_the_true_model_and_the_reason_on_every_way(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        for play in WAYS[side]:
            folder = tmp_path / play.__name__
            folder.mkdir()
            got, way = await play(folder)
            words = told(side, got)
            assert [name for name in (SMALL, LARGE, CALL) if name in words] == [way.model], play.__name__
            assert [word for word in way.words if word not in words] == [], f"{play.__name__}: {words}"
            for private in (QUESTION, REPLY, MESSAGE, "ada"):
                assert private not in words, play.__name__
            assert words.endswith(".")

    clock.run(main(), virtual=True)


def test_an_answer_made_anew_is_not_told_to_be_an_earlier_one(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        got = await ask(legacy(tmp_path, HARD) if side == "legacy" else drill_kit.direct(model(CALL)), question())
        assert "before" not in told(side, got)
        assert "earlier" not in told(side, got)

    clock.run(main(), virtual=True)


def test_work_after_the_answer_is_no_part_of_the_reason(side: Side, tmp_path: Path) -> None:
    """The words are the same right after the answer and once its store has ended."""

    async def main() -> None:
        pipeline = legacy(tmp_path, HARD) if side == "legacy" else drill_kit.direct(model(CALL))
        background = Background()
        got = await answer(pipeline, question(), background)
        at_once = told(side, got)
        await background.drain()
        assert told(side, got) == at_once

    clock.run(main(), virtual=True)

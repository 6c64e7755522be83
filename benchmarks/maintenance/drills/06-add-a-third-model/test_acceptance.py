"""06: questions of task `grammar` go to a model of their own, everything else as before."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from benchmarks.maintenance.drill_kit import Side
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import app
from legacy_pipeline.settings import Settings
from shared import clock
from shared.contract import Answer, Pipeline, Request
from shared.errors import BackendRefused, BackendUnavailable, StreamBroken
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend, ask

GRAMMAR = ask("He walk home.", task="grammar")
OTHERS = [ask(), ask(task="facts"), ask(task="Grammar")]


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


class Case:
    """A pipeline with a third model, where it has a place for one. Opened again over the same folder, its cache stays.

    On the direct side the large model is the one that answers everything else.
    """

    def __init__(self, side: Side, folder: Path, grammar: str | None = "grammar", **settings: Any) -> None:
        self.small = ScriptedBackend([Script([(0.1, "small says")])], name="small")
        self.large = ScriptedBackend([Script([(0.1, "large says")])], name="large")
        self.grammar = ScriptedBackend([Script([(0.1, f"{grammar} "), (0.1, "says")])], name=grammar or "")
        build = app.build if side == "legacy" else DirectPipeline
        has_a_place = "grammar" in inspect.signature(build).parameters
        third = {"grammar": self.grammar} if grammar and has_a_place else {}
        self.pipeline: Pipeline
        if side == "legacy":
            self.pipeline = app.build(folder / "cache", None, self.small, self.large, Settings(**settings), **third)
        else:
            self.pipeline = DirectPipeline(self.large, **third)
        self.pieces: list[str] = []

    async def ask(self, request: Request, *, streamed: bool = False) -> str:
        background = Background()
        if streamed:
            items = [item async for item in stream(self.pipeline, request, background)]
            got = items[-1]
            assert isinstance(got, Answer)
            self.pieces = [item for item in items if isinstance(item, str)]
        else:
            got = await answer(self.pipeline, request, background)
        await background.drain()
        return got.text

    @property
    def calls(self) -> tuple[int, int, int]:
        return self.small.calls, self.large.calls, self.grammar.calls


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("small_first", [False, True])
def test_the_task_goes_to_its_own_model_and_to_no_other(
    side: Side, small_first: bool, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, small_first=small_first)
        assert await case.ask(GRAMMAR, streamed=streamed) == "grammar says"
        assert case.calls == (0, 0, 1)
        assert case.pieces == (["grammar ", "says"] if streamed else []), "as they come"
        await case.pipeline.aclose()
        assert case.grammar.closed

    virtually(main())


@pytest.mark.parametrize("small_first", [False, True])
def test_everything_else_goes_where_it_went(side: Side, small_first: bool, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, small_first=small_first)
        for request in OTHERS:
            await case.ask(request)
        legacy_small = side == "legacy" and small_first
        assert case.calls == ((3, 0, 0) if legacy_small else (0, 3, 0))

    virtually(main())


def test_equal_questions_share_what_they_shared_before(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        assert await asyncio.gather(*(case.ask(GRAMMAR) for _ in range(3))) == ["grammar says"] * 3
        assert await case.ask(GRAMMAR) == "grammar says"
        assert case.calls == (0, 0, 1 if side == "legacy" else 4)

    virtually(main())


@pytest.mark.parametrize("old", [None, "grammar of last year"])
def test_answers_of_the_model_before_are_not_given(side: Side, old: str | None, tmp_path: Path) -> None:
    async def main() -> None:
        before = Case(side, tmp_path, old)
        await before.ask(GRAMMAR)
        await before.pipeline.aclose()
        assert await Case(side, tmp_path).ask(GRAMMAR) == "grammar says"

    virtually(main())


@pytest.mark.parametrize(
    ("failure", "after_s"),
    [
        (Script([], BackendRefused("401")), 0.0),
        (Script([], BackendUnavailable("down")), 0.0),
        (Script([], RuntimeError()), 0.0),
        (Script([(0.0, " ")]), 0.0),
        (Script([(HANG, "never")]), 10.0),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_where_it_fails_or_hangs_the_model_that_answered_until_now_does(
    side: Side, failure: Script, after_s: float, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        case.grammar.scripts = [failure]
        assert await case.ask(GRAMMAR, streamed=streamed) == "large says"
        assert clock.now() == pytest.approx(after_s + 0.1)
        assert case.calls == (0, 1, 1)
        assert case.grammar.running == 0

    virtually(main())


def test_where_both_fail_the_last_error_is_the_callers(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        case.grammar.scripts = [Script([], BackendRefused("401"))]
        case.large.scripts = [Script([], BackendUnavailable("down"))]
        with pytest.raises(BackendUnavailable, match="down"):
            await case.ask(GRAMMAR)
        assert case.calls == (0, 2, 1)

    virtually(main())


def test_after_its_first_word_nothing_takes_its_place(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        case.grammar.scripts = [Script([(0.0, "half an")], BackendUnavailable("gone"))]
        with pytest.raises(StreamBroken):
            await case.ask(GRAMMAR, streamed=True)
        assert case.calls == (0, 0, 1)

    virtually(main())

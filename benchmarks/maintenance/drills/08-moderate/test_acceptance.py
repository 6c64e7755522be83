"""08: a question or an answer that the check refuses is not answered, whoever made it and whenever."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.maintenance.drill_kit import Side
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import app
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.semantic import SemanticIndex, Vector
from legacy_pipeline.settings import Settings
from shared import clock
from shared.contract import Answer, Message, Pipeline, Request
from shared.errors import BackendUnavailable, BadAnswer, CrossoverError, InvalidRequest
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend, ask

LIMIT_S = 2.0
BAD = Script([(0.1, "rude "), (0.1, "words")])
GOOD = Script([(0.1, "kind "), (0.1, "words")])


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


@dataclass
class Check:
    """Refuses texts that hold a refused word. `fails` has it do so from the given call on, `hangs` likewise."""

    refused: set[str] = field(default_factory=lambda: {"rude"})
    takes_s: float = 0.0
    fails: float = HANG
    hangs: float = HANG
    texts: list[str] = field(default_factory=list)

    async def __call__(self, text: str) -> bool:
        self.texts.append(text)
        if len(self.texts) > self.hangs:
            await asyncio.Event().wait()
        if len(self.texts) > self.fails:
            raise OSError("the check's own server is gone")
        await asyncio.sleep(self.takes_s)
        return not any(word in text for word in self.refused)


class Agreeing:
    """An encoder to which all texts are alike: everything is up to their words."""

    def encode(self, text: str) -> Vector | None:
        return np.array([1.0, 0.0], dtype=np.float32)


class Case:
    """A pipeline with a check, where it has a place for one. Opened again over the same folder, its cache stays.

    On the direct side the large model is the one model.
    """

    def __init__(self, side: Side, folder: Path, check: Check | None, **settings: Any) -> None:
        self.small = ScriptedBackend([GOOD], name="small")
        self.large = ScriptedBackend([GOOD], name="large")
        build = app.build if side == "legacy" else DirectPipeline
        has_a_place = "allowed" in inspect.signature(build).parameters
        checked: dict[str, Any] = {"allowed": check} if check and has_a_place else {}
        models, chosen = (self.small, self.large), Settings(**settings)
        self.pipeline: Pipeline
        if side == "direct":
            self.pipeline = DirectPipeline(self.large, **checked)
        elif chosen.semantic:
            index = SemanticIndex(Agreeing())
            cache = AnswerCache(folder / "cache", [model.identity for model in models], index=index)
            self.pipeline = LegacyPipeline(cache, None, *models, chosen, **checked)
        else:
            self.pipeline = app.build(folder / "cache", None, *models, chosen, **checked)
        self.sent: list[str] = []

    async def ask(self, request: Request | None = None, *, streamed: bool = False) -> str:
        """The answer's text; what a stream sent, whole or not, is in `sent`."""
        background, request = Background(), request or ask()
        try:
            if not streamed:
                return (await answer(self.pipeline, request, background)).text
            async for item in stream(self.pipeline, request, background):
                if isinstance(item, Answer):
                    return item.text
                self.sent.append(item)
            raise AssertionError("a stream ends with an answer or an error")
        finally:
            await background.drain()

    @property
    def calls(self) -> int:
        return self.small.calls + self.large.calls


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "request_",
    [
        ask("some rude question"),
        Request((Message("user", "rude"), Message("assistant", "Hm."), Message("user", "And now?"))),
        Request((Message("user", "Hm?"), Message("assistant", "rude"), Message("user", "And now?"))),
    ],
)
def test_no_model_is_asked_a_refused_question(side: Side, request_: Request, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, Check())
        with pytest.raises(InvalidRequest, match="refused"):
            await case.ask(request_, streamed=streamed)
        assert case.calls == 0

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("small_first", [False, True])
def test_nothing_of_a_refused_answer_is_sent_or_kept(
    side: Side, small_first: bool, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        check = Check()
        case = Case(side, tmp_path, check, small_first=small_first)
        case.small.scripts = case.large.scripts = [BAD]
        for _ in range(2):
            with pytest.raises(BadAnswer, match="refused") as caught:
                await case.ask(streamed=streamed)
            assert "rude" not in str(caught.value)
        assert case.sent == []
        assert case.calls == 2
        check.refused.clear()
        assert await case.ask(streamed=streamed) == "rude words"
        assert case.calls == 3, "it was kept nowhere"

    virtually(main())


def test_a_stream_is_judged_whole_before_its_first_word(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        check = Check(takes_s=0.5)
        case = Case(side, tmp_path, check)
        await case.ask(ask("Is it on?"), streamed=True)
        assert case.sent == ["kind words"]
        assert check.texts == ["Is it on?", "kind words"]
        assert clock.now() == pytest.approx(0.5 + 0.2 + 0.5)

    virtually(main())


def test_a_model_that_fails_halfway_is_asked_again_since_nothing_was_sent(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, Check())
        case.large.scripts = [Script([(0.1, "kind")], BackendUnavailable("gone")), GOOD]
        assert await case.ask(streamed=True) == "kind words"
        assert case.sent == ["kind words"]

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_who_waits_for_a_shared_call_is_given_no_refused_answer(side: Side, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, Check())
        case.large.scripts = [BAD]
        asked = (case.ask(streamed=streamed) for _ in range(5))
        got = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in got[:2]} == {BadAnswer}
        waiting = BackendUnavailable if side == "legacy" else BadAnswer
        assert {type(each) for each in got[2:]} == {waiting}, "two failed calls are enough for all who wait"
        assert case.sent == []
        case.large.scripts = [GOOD]
        calls = case.calls
        assert await asyncio.gather(*(case.ask(streamed=streamed) for _ in range(5))) == ["kind words"] * 5
        assert case.calls - calls == (1 if side == "legacy" else 5), "who shared before still does"

    virtually(main())


def test_what_was_stored_before_the_check_or_under_another_policy_is_checked_when_given(
    side: Side, tmp_path: Path
) -> None:
    async def main() -> None:
        before = Case(side, tmp_path, None)
        before.large.scripts = [BAD]
        assert await before.ask() == "rude words"
        await before.pipeline.aclose()

        check = Check()
        case = Case(side, tmp_path, check)
        assert await case.ask() == await case.ask() == "kind words"
        assert case.calls == (1 if side == "legacy" else 2), "made anew, and stored in its place"
        check.refused.add("kind")
        with pytest.raises(BadAnswer):
            await case.ask()

    virtually(main())


def test_a_similar_questions_stored_answer_is_checked_too(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        check = Check(set())
        case = Case(side, tmp_path, check, semantic=True)
        case.large.scripts = [BAD, GOOD]
        assert await case.ask(ask("How do I reset my password?")) == "rude words"
        check.refused.add("rude")
        assert await case.ask(ask("How can I reset my password?")) == "kind words"

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("broken", ["fails", "hangs"])
@pytest.mark.parametrize("verdicts", [0, 1])
def test_a_check_that_fails_or_hangs_refuses_in_time(
    side: Side, broken: str, verdicts: int, streamed: bool, tmp_path: Path
) -> None:
    """Without a verdict on the question, or with one on the question and none on the answer."""

    async def main() -> None:
        check = Check(fails=verdicts) if broken == "fails" else Check(hangs=verdicts)
        case = Case(side, tmp_path, check)
        with pytest.raises(CrossoverError) as caught:
            await case.ask(streamed=streamed)
        assert isinstance(caught.value, BackendUnavailable), "it is nobody's fault who asks"
        assert case.sent == []
        assert case.calls == verdicts
        took_s = 0.2 * verdicts + (LIMIT_S if broken == "hangs" else 0.0)
        assert clock.now() == pytest.approx(took_s)
        assert case.large.running == 0

        again = Case(side, tmp_path, Check())
        assert await again.ask() == "kind words"
        assert again.calls == 1, "it was not kept"

    virtually(main())


def test_a_stored_answer_without_a_verdict_is_not_given(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        assert await Case(side, tmp_path, Check()).ask() == "kind words"
        case = Case(side, tmp_path, Check(fails=1))
        with pytest.raises(BackendUnavailable):
            await case.ask()

    virtually(main())


def test_without_a_check_a_stream_comes_as_it_came(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, None)
        assert await case.ask(streamed=True) == "kind words"
        assert case.sent == ["kind ", "words"]

    virtually(main())

"""The legacy pipeline degrades and never lies: each broken part costs what DESIGN says and shows up as a step."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from legacy_pipeline.app import build
from legacy_pipeline.cascade import Route
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from shared import clock
from shared.contract import Answer, Request
from shared.errors import BackendRefused, BackendUnavailable, DeadlineExceeded
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend, ask


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


class Case:
    """A legacy pipeline over two scripted models; `easy` stands in for the classifier's verdict."""

    def __init__(self, folder: Path, *, easy: bool = False, settings: Settings | None = None) -> None:
        self.small = ScriptedBackend([Script([(0.1, "small says")])], name="small")
        self.large = ScriptedBackend([Script([(1.0, "large says")])], name="large")
        self.pipeline: LegacyPipeline = build(folder / "cache", None, self.small, self.large, settings or Settings())
        self.background = Background()
        if easy:
            self.route(Route(small=True, detail="easy"))

    def route(self, route: Route) -> None:
        async def routed(_: Request) -> Route:
            return route

        self.pipeline.cascade.route = routed  # type: ignore[method-assign, assignment]

    async def ask(self, request: Request | None = None) -> Answer:
        got = await answer(self.pipeline, request or ask(), self.background)
        await self.background.drain()
        return got


def kinds(got: Answer) -> list[tuple[str, str]]:
    return [(step.kind, step.outcome) for step in got.steps]


def test_hard_goes_to_the_large_model_and_the_second_time_to_the_cache(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        first, second = await case.ask(), await case.ask()
        assert kinds(first) == [("cache", "none"), ("classify", "ok"), ("large", "ok"), ("store", "ok")]
        assert kinds(second) == [("cache", "ok")]
        assert first.text == second.text == "large says"
        assert (case.small.calls, case.large.calls) == (0, 1)
        assert second.seconds == 0

    virtually(main())


def test_easy_goes_to_the_small_model(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path, easy=True)
        got = await case.ask()
        assert got.text == "small says"
        assert case.large.calls == 0

    virtually(main())


@pytest.mark.parametrize(
    "failure", [Script([], BackendRefused("401")), Script([], RuntimeError()), Script([(HANG, "x")])]
)
def test_a_failing_or_hanging_small_model_means_large(failure: Script, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path, easy=True)
        case.small.scripts = [failure]
        got = await case.ask()
        assert got.text == "large says"
        assert [kind for kind, _ in kinds(got)] == ["cache", "classify", "small", "large", "store"]
        assert case.small.running == 0

    virtually(main())


def test_a_failing_large_model_is_asked_once_more_and_then_a_typed_error(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.large.scripts = [Script([], BackendUnavailable("down"))]
        with pytest.raises(BackendUnavailable, match="down") as caught:
            await case.ask()
        assert case.large.calls == 2
        assert [step.kind for step in caught.value.steps] == ["cache", "classify", "large", "large"]
        assert await case.pipeline.cache.get(case.pipeline.cache.key(ask())) is None

    virtually(main())


async def hang(*_: object) -> None:
    await asyncio.Event().wait()


async def fail(*_: object) -> None:
    raise OSError("disk on fire")


@pytest.mark.parametrize(("broken", "outcome", "costs_s"), [(hang, "timeout", 0.05), (fail, "error", 0.0)])
def test_a_broken_or_hanging_cache_is_a_miss(broken: Any, outcome: str, costs_s: float, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.pipeline.cache.get = broken  # type: ignore[method-assign]
        got = await case.ask()
        assert got.text == "large says"
        assert kinds(got)[0] == ("cache", outcome)
        assert got.seconds == pytest.approx(1.0 + costs_s)

    virtually(main())


@pytest.mark.parametrize(("broken", "outcome"), [(hang, "timeout"), (fail, "error")])
def test_a_broken_or_hanging_classifier_means_large(broken: Any, outcome: str, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.pipeline.cascade.route = broken  # type: ignore[method-assign]
        got = await case.ask()
        assert got.text == "large says"
        assert ("classify", outcome) in kinds(got)

    virtually(main())


@pytest.mark.parametrize(("broken", "outcome"), [(hang, "timeout"), (fail, "error")])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_broken_or_hanging_store_neither_delays_nor_fails_the_answer(
    broken: Any, outcome: str, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.pipeline.cache.put = broken  # type: ignore[method-assign]
        if streamed:
            items = [item async for item in stream(case.pipeline, ask(), case.background)]
            got = items[-1]
            assert isinstance(got, Answer)
        else:
            got = await answer(case.pipeline, ask(), case.background)
        assert clock.now() == pytest.approx(1.0)
        await case.background.drain()
        assert [(step.kind, step.outcome) for step in got.steps if step.after_answer] == [("store", outcome)]

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_the_answer_is_out_before_the_store_begins(streamed: bool, tmp_path: Path) -> None:
    """A real store works inline: however slow the disk, nobody waits for it."""

    async def main() -> None:
        case = Case(tmp_path)
        begun: list[bool] = []
        put = case.pipeline.cache.put

        async def watched(*arguments: Any) -> Any:
            begun.append(True)
            return await put(*arguments)

        case.pipeline.cache.put = watched  # type: ignore[method-assign, assignment]
        if streamed:
            async for item in stream(case.pipeline, ask(), case.background):
                assert not begun, item
        else:
            await answer(case.pipeline, ask(), case.background)
            assert not begun
        await case.background.drain()
        assert begun
        assert (await case.ask()).steps[0].outcome == "ok"

    virtually(main())


def test_who_comes_between_the_answer_and_its_store_makes_no_second_call(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        first = await answer(case.pipeline, ask(), case.background)
        second = await answer(case.pipeline, ask(), case.background)
        assert first.text == second.text
        assert case.large.calls == 1

    virtually(main())


def test_a_stampede_makes_one_call_and_charges_it_once(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        answers = await asyncio.gather(*(answer(case.pipeline, ask(), case.background) for _ in range(50)))
        assert {got.text for got in answers} == {"large says"}
        assert case.large.calls == 1
        assert sum(step.completion is not None for got in answers for step in got.steps) == 1
        assert clock.now() == pytest.approx(1.0)

    virtually(main())


@pytest.mark.parametrize(
    "script", [Script([(0.0, "cut")], finish_reason="length"), Script([(0.0, "cut")], finish_reason="unknown")]
)
def test_an_answer_that_is_not_complete_is_given_but_not_kept(script: Script, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.large.scripts = [script]
        got = await case.ask()
        assert got.text == "cut"
        await case.ask()
        assert case.large.calls == 2

    virtually(main())


def test_an_abandoned_stream_is_not_kept(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        case.large.scripts = [Script([(0.0, "half "), (5.0, "an answer")])]
        items = stream(case.pipeline, ask(), case.background)
        assert await anext(items) == "half "
        await items.aclose()
        assert case.large.running == 0
        await case.background.drain()
        assert case.pipeline.cache.stats.stored == 0

    virtually(main())


def test_who_leaves_after_the_last_word_does_not_lose_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path)
        items = stream(case.pipeline, ask(), case.background)
        assert await anext(items) == "large says"
        await asyncio.sleep(0.001)
        await items.aclose()
        await case.background.drain()
        assert (await case.ask()).text == "large says"
        assert case.large.calls == 1

    virtually(main())


DRAFTS = Settings(small_first=True, escalate_below=-1.0)


@pytest.mark.parametrize(
    ("logprobs", "text"), [((-0.1, -0.9), "small says"), ((-0.1, -1.1), "large says"), (None, "large says")]
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_draft_is_judged_whole_before_its_first_word(
    logprobs: tuple[float, ...] | None, text: str, streamed: bool, tmp_path: Path
) -> None:
    async def main() -> None:
        case = Case(tmp_path, settings=DRAFTS)
        case.small.scripts = [Script([(0.1, "small"), (0.1, " says")], logprobs=logprobs)]
        items = [item async for item in stream(case.pipeline, ask(), case.background)] if streamed else []
        got = items[-1] if streamed else await case.ask()
        assert isinstance(got, Answer)
        assert got.text == text
        assert "".join(item for item in items if isinstance(item, str)) == (text if streamed else "")
        drafted = next(step for step in got.steps if step.kind == "small")
        assert drafted.outcome == ("ok" if text == "small says" else "rejected")
        assert drafted.completion is not None, "its tokens were paid for"

    virtually(main())


def test_the_deadline_cuts_a_fallback_short(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(tmp_path, easy=True)
        case.small.scripts = case.large.scripts = [Script([(HANG, "x")])]
        with pytest.raises(DeadlineExceeded):
            await case.ask(ask(deadline_s=12.0))
        assert clock.now() == pytest.approx(12.0)
        assert (case.small.running, case.large.running) == (0, 0)

    virtually(main())


def test_other_settings_that_decide_who_answers_do_not_share_a_cache(tmp_path: Path) -> None:
    async def main() -> None:
        first = Case(tmp_path)
        await first.ask()
        other = Case(tmp_path, settings=Settings(small_first=True))
        assert (await other.ask()).text == "small says"

    virtually(main())

"""What both pipelines promise, whatever their models do. Virtual time: a hang costs nothing to test."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import clock
from shared.contract import Answer, Pipeline, Request
from shared.errors import (
    BackendRefused,
    BackendUnavailable,
    BadAnswer,
    CrossoverError,
    DeadlineExceeded,
    StreamBroken,
)
from shared.run import answer, stream
from shared.steps import Background, Recorder, Step
from tests.contract.pipelines import PIPELINES, Build
from tests.fakes import HANG, Script, ScriptedBackend, ask

SAME_S = 1e-6

pytestmark = pytest.mark.parametrize("build", PIPELINES.values(), ids=PIPELINES)


class Observed:
    """Passes a pipeline through and keeps its recorder, to see the steps of answers that never came."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.recorder: Recorder | None = None

    def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        self.recorder = step
        return self.pipeline.run(request, step)

    async def aclose(self) -> None:
        await self.pipeline.aclose()

    @property
    def steps(self) -> list[Step]:
        assert self.recorder is not None
        return [step for step in self.recorder.steps if not step.after_answer]


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


async def in_pieces(pipeline: Pipeline, request: Request, background: Background) -> tuple[list[str], Answer]:
    items = [item async for item in stream(pipeline, request, background)]
    assert isinstance(items[-1], Answer)
    pieces = [item for item in items if isinstance(item, str)]
    assert len(pieces) == len(items) - 1, "an Answer comes last and once"
    return pieces, items[-1]


def test_a_whole_answer_is_the_models(build: Build, tmp_path: Path) -> None:
    async def main() -> None:
        backend, background = ScriptedBackend([Script([(0.5, "four"), (0.25, " legs")])]), Background()
        pipeline = build(backend, tmp_path)
        got = await answer(pipeline, ask(), background)
        assert got.text == "four legs"
        assert got.completion.model == "scripted"
        assert got.seconds == pytest.approx(0.75)
        await background.drain()
        await pipeline.aclose()
        assert backend.closed

    virtually(main())


def test_a_stream_gives_each_piece_when_it_comes(build: Build, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([(0.5, "four"), (0.25, " legs")])])
        times, pieces = [], []
        async for item in stream(build(backend, tmp_path), ask(), Background()):
            times.append(clock.now())
            pieces.append(item)
        assert pieces[:2] == ["four", " legs"]
        assert times == pytest.approx([0.5, 0.75, 0.75])
        assert isinstance(pieces[2], Answer)
        assert pieces[2].first_text_s == pytest.approx(0.5)

    virtually(main())


delays = st.sampled_from([0.0, 0.1, 1.0, 7.0, 12.0, HANG])
errors = st.sampled_from(
    [
        None,
        BackendUnavailable("down"),
        BackendUnavailable("busy", retry_after_s=3.0),
        BackendRefused("no"),
        BadAnswer("junk"),
        RuntimeError("a bug"),
        TimeoutError(),
    ]
)
scripts = st.builds(
    Script,
    st.lists(st.tuples(delays, st.sampled_from(["a", " ", "b c", "\n", "ü"])), max_size=4),
    errors,
    delays,
    st.sampled_from(["stop", "length"]),
)


@settings(max_examples=150, deadline=None)
@given(
    played=st.lists(scripts, min_size=1, max_size=3),
    deadline_s=st.sampled_from([0.05, 1.0, 5.0, 30.0]),
    streamed=st.booleans(),
    lingering_s=st.sampled_from([0.0, 0.5]),
)
def test_one_outcome_in_time_with_steps_that_add_up(
    build: Build, played: list[Script], deadline_s: float, streamed: bool, lingering_s: float
) -> None:
    async def main(folder: Path) -> None:
        backend, background = ScriptedBackend(played), Background()
        pipeline = Observed(build(backend, folder))
        request, outcomes, lingered, texts = ask(deadline_s=deadline_s), [], 0.0, []
        try:
            if streamed:
                async for item in stream(pipeline, request, background):
                    if isinstance(item, Answer):
                        outcomes.append(item)
                    else:
                        texts.append(item)
                        await asyncio.sleep(lingering_s)
                        lingered += lingering_s
            else:
                outcomes.append(await answer(pipeline, request, background))
        except CrossoverError as error:
            outcomes.append(error)  # type: ignore[arg-type]
        took = clock.now()
        assert len(outcomes) == 1
        assert took <= deadline_s + lingering_s + SAME_S
        assert backend.running == 0
        got = outcomes[0]
        if isinstance(got, Answer):
            assert got.text.strip()
            assert not streamed or "".join(texts) == got.text
            assert got.seconds == pytest.approx(took - lingered)
        end = 0.0
        for step in pipeline.steps:
            assert step.start_s >= end - SAME_S, "steps come one after another"
            assert step.seconds >= 0
            end = step.start_s + step.seconds
        spent = sum(step.seconds for step in pipeline.steps)
        assert took - lingered - SAME_S <= spent <= took + SAME_S, "a model may work on while its consumer lingers"
        await background.drain()
        assert len(asyncio.all_tasks()) == 1
        await pipeline.aclose()

    with tempfile.TemporaryDirectory() as folder:
        virtually(main(Path(folder)))


@pytest.mark.parametrize("pieces_taken", [0, 1, 2])
def test_a_consumer_that_leaves_stops_the_model(build: Build, pieces_taken: int, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([(1.0, "a"), (1.0, "b"), (1.0, "c")])])
        background = Background()
        async with aclosing(stream(build(backend, tmp_path), ask(), background)) as items:
            for _ in range(pieces_taken):
                await anext(items)
        assert backend.running == 0
        await background.drain()
        assert len(asyncio.all_tasks()) == 1

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancelled_caller_stops_the_model(build: Build, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        backend, background = ScriptedBackend([Script([(HANG, "never")])]), Background()
        pipeline = build(backend, tmp_path)
        work = in_pieces(pipeline, ask(), background) if streamed else answer(pipeline, ask(), background)
        task = asyncio.ensure_future(work)
        await asyncio.sleep(1)
        assert backend.running == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert backend.running == 0

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_hang_ends_at_the_deadline_and_the_error_says_where(build: Build, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([(HANG, "never")])])
        pipeline = build(backend, tmp_path)
        consume = in_pieces if streamed else answer
        with pytest.raises(DeadlineExceeded, match=r"within 2\.5 s .*(call|small|large) cancelled 2\.500 s"):
            await consume(pipeline, ask(deadline_s=2.5), Background())
        assert clock.now() == pytest.approx(2.5)
        assert backend.running == 0

    virtually(main())


def test_an_unavailable_model_is_asked_again(build: Build, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([], BackendUnavailable("down")), Script()])
        assert (await answer(build(backend, tmp_path), ask(), Background())).text == "yes"
        assert backend.calls == 2

    virtually(main())


def test_a_failure_after_the_first_word_is_not_hidden(build: Build, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([(0.0, "half an")], BackendUnavailable("gone")), Script()])
        items = stream(build(backend, tmp_path), ask(), Background())
        assert await anext(items) == "half an"
        with pytest.raises(StreamBroken, match="gone"):
            await anext(items)
        assert backend.calls == 1

    virtually(main())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_blank_answer_is_no_answer(build: Build, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([(0.0, " "), (0.0, "\n")])])
        with pytest.raises(BadAnswer, match="answered with nothing"):
            await (in_pieces if streamed else answer)(build(backend, tmp_path), ask(), Background())

    virtually(main())


def test_a_models_unknown_exception_becomes_typed_and_keeps_its_cause(build: Build, tmp_path: Path) -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script([], RuntimeError("the prompt was: secret"))])
        with pytest.raises(BackendUnavailable) as caught:
            await answer(build(backend, tmp_path), ask(), Background())
        assert "secret" not in str(caught.value)
        assert isinstance(caught.value.__cause__, RuntimeError)

    virtually(main())

"""Equal requests in flight: one call, nobody hangs, nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.single_flight import SingleFlight
from shared import clock
from shared.contract import Answer, Completion, Identity, Message, Request, Usage
from shared.errors import BackendUnavailable, BadAnswer, CrossoverError, DeadlineExceeded, StreamBroken
from shared.run import answer, stream
from shared.steps import Background, Recorder

PIECES = ("one ", "two ", "three")
TEXT = "".join(PIECES)
CALL_S = 0.3


def ask(text: str = "q", deadline_s: float = 30.0) -> Request:
    return Request((Message("user", text),), deadline_s=deadline_s)


@dataclass
class Model:
    """Answers in three pieces over 0.3 s. `failures[n]` is how many pieces call n sends before it fails."""

    failures: dict[int, int] = field(default_factory=dict)
    identity: Identity = field(default=Identity("fake", "model"))
    calls: int = 0
    running: dict[str, int] = field(default_factory=dict)
    most_at_once: int = 0
    stop_s: float = 0.0

    async def complete(self, request: Request) -> Completion:
        items = [item async for item in self.stream(request)]
        assert isinstance(items[-1], Completion)
        return items[-1]

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        key = request.messages[-1].content
        fail_after = self.failures.get(self.calls)
        self.calls += 1
        self.running[key] = self.running.get(key, 0) + 1
        self.most_at_once = max(self.most_at_once, self.running[key])
        try:
            for number, piece in enumerate(PIECES):
                await asyncio.sleep(CALL_S / len(PIECES))
                if number == fail_after:
                    raise BackendUnavailable("the model failed; wait for it")
                yield piece
            yield Completion(TEXT, "model", Usage(10, 3))
        finally:
            try:
                await asyncio.sleep(self.stop_s)
            finally:
                self.running[key] -= 1

    async def aclose(self) -> None: ...


@dataclass
class Shared:
    """A pipeline that shares one model's calls, with or without a cache before them."""

    model: Model
    flights: SingleFlight = field(default_factory=SingleFlight)
    cache: AnswerCache | None = None

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        key = self.cache.key(request) if self.cache else request.messages[-1].content
        if self.cache and (cached := await step("cache", self.cache.get(key), limit_s=1.0, otherwise=None)):
            yield step.reuse(cached)
            return
        async for text in self.flights.share(key, step, lambda branch: self.compute(key, request, branch)):
            yield text

    async def compute(self, key: str, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in step.stream("call", self.model, request):
            yield text
        if self.cache and step.completion:
            step.later("store", self.cache.put(key, request, step.completion), limit_s=1.0)

    async def aclose(self) -> None:
        await self.flights.aclose()


def virtually(main: Coroutine[Any, Any, None]) -> None:
    """Run under virtual time, where a task that waits for nothing is an error, and check that no task is left."""

    async def checked() -> None:
        await main
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    clock.run(checked(), virtual=True)


async def after(delay_s: float, work: Coroutine[Any, Any, Any]) -> Any:
    await asyncio.sleep(delay_s)
    return await work


def kinds(answered: Answer) -> list[tuple[str, str]]:
    return [(step.kind, step.outcome) for step in answered.steps]


def test_a_stampede_costs_one_call_and_its_tokens_are_recorded_once() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()
        answers = await asyncio.gather(
            *(after(0.001 * number, answer(pipeline, ask(), background)) for number in range(200))
        )
        assert pipeline.model.calls == 1
        assert {each.text for each in answers} == {TEXT}
        assert [kinds(each) for each in answers] == [[("call", "ok")]] + [[("share", "ok")]] * 199
        paid = [step.completion.usage for each in answers for step in each.steps if step.completion]
        assert paid == [Usage(10, 3)]

    virtually(main())


def test_the_leader_streams_and_a_follower_gets_the_whole_text() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()

        async def pieces() -> list[str | Answer]:
            return [item async for item in stream(pipeline, ask(), background)]

        lead, follow = await asyncio.gather(pieces(), after(0.15, pieces()))
        assert lead[:-1] == list(PIECES)
        assert follow[:-1] == [TEXT]
        assert isinstance(lead[-1], Answer)
        assert isinstance(follow[-1], Answer)
        assert lead[-1].first_text_s == pytest.approx(0.1)
        assert follow[-1].first_text_s == pytest.approx(0.15)

    virtually(main())


def test_different_keys_do_not_share() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()
        await asyncio.gather(answer(pipeline, ask("a"), background), answer(pipeline, ask("b"), background))
        assert pipeline.model.calls == 2

    virtually(main())


def test_each_waits_under_its_own_deadline_and_the_call_outlives_its_leader() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()
        results = await asyncio.gather(
            answer(pipeline, ask(deadline_s=0.05), background),
            after(0.01, answer(pipeline, ask(deadline_s=0.1), background)),
            after(0.02, answer(pipeline, ask(), background)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [DeadlineExceeded, DeadlineExceeded, Answer]
        assert pipeline.model.calls == 1
        assert clock.now() == pytest.approx(CALL_S)

    virtually(main())


def test_the_last_to_leave_stops_the_call_and_waits_until_it_has_stopped() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(stop_s=0.02)), Background()
        results = await asyncio.gather(
            answer(pipeline, ask(deadline_s=0.05), background),
            answer(pipeline, ask(deadline_s=0.1), background),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [DeadlineExceeded, DeadlineExceeded]
        assert clock.now() == pytest.approx(0.12)
        assert pipeline.model.running == {"q": 0}

    virtually(main())


def test_a_consumer_that_stops_reading_stops_the_call() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()
        pieces = stream(pipeline, ask(), background)
        assert await anext(pieces) == PIECES[0]
        await pieces.aclose()
        assert pipeline.model.running == {"q": 0}

    virtually(main())


def test_who_comes_after_the_last_left_starts_a_call_of_their_own() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(stop_s=0.2)), Background()
        results = await asyncio.gather(
            answer(pipeline, ask(deadline_s=0.05), background),
            after(0.06, answer(pipeline, ask(), background)),
            return_exceptions=True,
        )
        assert isinstance(results[1], Answer)
        assert kinds(results[1]) == [("call", "ok")]
        assert pipeline.model.calls == 2

    virtually(main())


def test_a_failure_is_the_leaders_alone_and_one_of_the_others_calls_anew() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(failures={0: 0})), Background()
        results = await asyncio.gather(*(answer(pipeline, ask(), background) for _ in range(5)), return_exceptions=True)
        assert isinstance(results[0], BackendUnavailable)
        answered = [result for result in results[1:] if isinstance(result, Answer)]
        assert [kinds(each) for each in answered] == [
            [("share", "error"), ("call", "ok")],
            *[[("share", "error"), ("share", "ok")]] * 3,
        ]
        assert pipeline.model.calls == 2
        assert pipeline.model.most_at_once == 1

    virtually(main())


def test_a_failure_after_the_first_word_does_not_reach_followers() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(failures={0: 2})), Background()

        async def lead() -> None:
            async for _ in stream(pipeline, ask(), background):
                pass

        led, followed = await asyncio.gather(lead(), answer(pipeline, ask(), background), return_exceptions=True)
        assert isinstance(led, StreamBroken)
        assert isinstance(followed, Answer)
        assert followed.text == TEXT

    virtually(main())


def test_work_that_ends_without_an_answer_is_an_error_for_the_leader() -> None:
    async def nothing(_: Recorder) -> AsyncGenerator[str, None]:
        return
        yield

    async def main() -> None:
        step = Recorder(streaming=False, background=Background(), started=clock.now())
        with pytest.raises(BadAnswer, match="without an answer"):
            _ = [piece async for piece in SingleFlight().share("key", step, nothing)]

    virtually(main())


def test_a_call_that_fails_while_it_is_stopped_troubles_nobody() -> None:
    async def failing(_: Recorder) -> AsyncGenerator[str, None]:
        try:
            yield "one"
            await asyncio.sleep(1.0)
        finally:
            raise RuntimeError("failed to stop")

    async def main() -> None:
        complaints: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        step = Recorder(streaming=True, background=Background(), started=clock.now())
        pieces = SingleFlight().share("key", step, failing)
        assert await anext(pieces) == "one"
        await step.aclose()
        del pieces, step
        gc.collect()
        assert complaints == []

    virtually(main())


def test_beyond_the_limit_requests_are_answered_without_sharing() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(), SingleFlight(limit=1)), Background()
        await asyncio.gather(*(answer(pipeline, ask(text), background) for text in "aabb"))
        assert pipeline.model.calls == 3

    virtually(main())


def test_closing_stops_every_call_and_tells_who_waits() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model()), Background()
        waiting = [asyncio.create_task(answer(pipeline, ask(text), background)) for text in "aab"]
        await asyncio.sleep(0.05)
        await pipeline.aclose()
        assert set(pipeline.model.running.values()) == {0}
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(result, BackendUnavailable | Answer)

    virtually(main())


def test_who_misses_the_call_finds_its_answer_in_the_cache(tmp_path: Path) -> None:
    """Between the end of a call and its store there is no gap: sweeps arrivals over the instant the call ends."""

    async def main() -> None:
        for number in range(40):
            cache = AnswerCache(tmp_path / f"{number}", [Identity("fake", "model")])
            pipeline, background = Shared(Model(), cache=cache), Background()

            async def late(pipeline: Shared, background: Background, hops: int) -> Answer:
                await asyncio.sleep(CALL_S)
                for _ in range(hops):
                    await asyncio.sleep(0)
                return await answer(pipeline, ask(), background)

            work = [answer(pipeline, ask(), background), *(late(pipeline, background, hops) for hops in range(12))]
            if number % 2:
                work.reverse()
            await asyncio.gather(*work)
            assert pipeline.model.calls == 1
            await background.drain()
            cache.close()

    virtually(main())


def test_equal_requests_to_a_model_that_is_down_do_not_wait_for_it_one_after_another() -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(failures=dict.fromkeys(range(100), 0))), Background()
        results = await asyncio.gather(
            *(answer(pipeline, ask(), background) for _ in range(20)), return_exceptions=True
        )
        assert [type(result) for result in results] == [BackendUnavailable] * 20
        assert pipeline.model.calls == 2
        assert clock.now() < 2 * CALL_S
        shared = results[-1]
        assert isinstance(shared, BackendUnavailable)
        assert [(step.kind, step.outcome) for step in shared.steps] == [("share", "error")] * 2
        assert "2 calls shared with equal requests failed" in str(shared)

    virtually(main())


def test_a_call_that_hangs_takes_nobody_along_who_comes_when_its_leader_has_given_up() -> None:
    class HangsOnce(Model):
        async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
            if self.calls == 0:
                self.calls += 1
                await asyncio.Event().wait()
            async for item in super().stream(request):
                yield item

    async def main() -> None:
        pipeline, background = Shared(HangsOnce()), Background()
        results = await asyncio.gather(
            *(after(number * 0.3, answer(pipeline, ask(deadline_s=1.0), background)) for number in range(20)),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [DeadlineExceeded] * 4 + [Answer] * 16
        assert pipeline.flights._flights == {}

    virtually(main())


arrivals = st.lists(
    st.tuples(
        st.integers(0, 60),  # when, in hundredths of a second
        st.sampled_from("ab"),  # which question
        st.booleans(),  # as a stream
        st.one_of(st.none(), st.integers(0, 3)),  # stop reading after so many pieces
        st.one_of(st.none(), st.integers(1, 60)),  # deadline, in hundredths of a second
    ),
    min_size=1,
    max_size=12,
)


@given(arrivals, st.dictionaries(st.integers(0, 12), st.integers(0, 2), max_size=6), st.sampled_from([0.0, 0.02]))
@settings(max_examples=300, deadline=None)
def test_whoever_comes_leaves_or_fails_nobody_hangs_and_no_call_is_made_twice(
    visits: list[tuple[int, str, bool, int | None, int | None]], failures: dict[int, int], stop_s: float
) -> None:
    async def main() -> None:
        pipeline, background = Shared(Model(failures=failures, stop_s=stop_s)), Background()

        async def visit(when: int, key: str, streaming: bool, take: int | None, deadline: int | None) -> str:
            await asyncio.sleep(when / 100)
            request = ask(key, deadline_s=deadline / 100 if deadline else 100.0)
            try:
                if not streaming:
                    return (await answer(pipeline, request, background)).text
                pieces: list[str] = []
                run = stream(pipeline, request, background)
                try:
                    async for item in run:
                        if isinstance(item, Answer):
                            return "".join(pieces)
                        pieces.append(item)
                        if take is not None and len(pieces) >= take:
                            return "left"
                finally:
                    await run.aclose()
                raise AssertionError("a stream ended without its answer")
            except CrossoverError as error:
                return type(error).__name__

        ended = await asyncio.gather(*(visit(*each) for each in visits))
        assert set(ended) <= {TEXT, "left", "DeadlineExceeded", "BackendUnavailable", "StreamBroken"}
        assert pipeline.flights._flights == {}
        assert set(pipeline.model.running.values()) == {0}
        assert pipeline.model.calls <= len(visits)
        if all(take is None and deadline is None for *_, take, deadline in visits):
            # Where nobody leaves, no call is stopped, and a call that is stopping is all that a new one may overlap.
            assert pipeline.model.most_at_once == 1
            if not failures:
                assert set(ended) == {TEXT}
                starts = {key: sorted(when for when, each, *_ in visits if each == key) for key in "ab"}
                if all(not times or times[-1] - times[0] < CALL_S * 100 for times in starts.values()):
                    assert pipeline.model.calls == sum(map(bool, starts.values()))

    virtually(main())

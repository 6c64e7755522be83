"""Bugs of other caches, each a test over this one, named by the public issue that reports it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from legacy_pipeline.cache import AnswerCache, CacheUnavailable, _TextDisk
from legacy_pipeline.semantic import SemanticIndex, Vector
from legacy_pipeline.single_flight import SingleFlight
from shared import clock
from shared.contract import Answer, Completion, Identity, Message, Request, Usage
from shared.errors import BackendUnavailable, CrossoverError
from shared.run import answer, stream
from shared.steps import Background, Recorder
from tests.fakes import Script, ScriptedBackend

HERE = Identity("openai", "m", "https://one.example/v1")
ANSWER = Completion("Yes.", "m", Usage(12, 2))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[AnswerCache]:
    cache = AnswerCache(tmp_path / "cache", [HERE], ttl_s=60.0)
    with closing(cache):
        yield cache


def talk(*turns: tuple[str, str], **fields: Any) -> Request:
    return Request(tuple(Message(role, text) for role, text in turns), **fields)  # type: ignore[arg-type]


def ask(text: str = "Is it on?", **fields: Any) -> Request:
    return talk(("user", text), **fields)


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


class Cached:
    """The smallest cached pipeline: look, else call once for all who ask, then store."""

    def __init__(self, cache: AnswerCache, backend: ScriptedBackend) -> None:
        self.cache, self.backend, self.flights = cache, backend, SingleFlight()

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        key = self.cache.key(request)
        if cached := await step("cache", self.cache.get(key), limit_s=1.0, otherwise=None):
            yield step.reuse(cached)
            return
        async for text in self.flights.share(key, step, lambda branch: self.compute(key, request, branch)):
            yield text

    async def compute(self, key: str, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in step.stream("call", self.backend, request):
            yield text
        step.later("store", self.cache.put(key, request, step.completion), limit_s=1.0)

    async def aclose(self) -> None:
        await self.flights.aclose()


# What a key covers


def test_gptcache_8_conversations_are_keyed_whole(cache: AnswerCache) -> None:
    rome = talk(("user", "Where is Rome?"), ("assistant", "In Italy."), ("user", "How many live there?"))
    oslo = talk(("user", "Where is Oslo?"), ("assistant", "In Norway."), ("user", "How many live there?"))
    assert cache.key(rome) != cache.key(oslo) != cache.key(ask("How many live there?"))


@pytest.mark.parametrize("issue", ["semantic-router 1448", "semantic-router 2134", "litellm 29955", "bifrost 5769"])
def test_tenants_do_not_see_each_others_answers(cache: AnswerCache, issue: str) -> None:
    async def main() -> None:
        ours, theirs = ask(scope=(("tenant", "a"),)), ask(scope=(("tenant", "b"),))
        await cache.put(cache.key(ours), ours, ANSWER)
        assert await cache.get(cache.key(ours))
        assert await cache.get(cache.key(theirs)) is None
        assert await cache.get(cache.key(ask())) is None

    virtually(main())


def test_litellm_29086_isolation_still_lets_one_tenant_hit(cache: AnswerCache) -> None:
    one = ask(scope=(("tenant", "a"), ("locale", "en")), deadline_s=1.0)
    again = ask(scope=(("locale", "en"), ("tenant", "a")), deadline_s=9.0)
    assert cache.key(one) == cache.key(again)


@pytest.mark.parametrize(
    ("issue", "fields"),
    [
        ("litellm 42400", {"tools": '[{"type":"function"}]'}),
        ("litellm 894", {"seed": 7}),
        ("accrue 39", {"response_format": '{"type":"json_object"}'}),
        ("orcarouter-lite 85", {"temperature": 0.0}),
    ],
)
def test_parameters_are_in_the_key(cache: AnswerCache, issue: str, fields: dict[str, Any]) -> None:
    assert cache.key(ask(**fields)) != cache.key(ask())


def test_litellm_894_an_option_that_the_key_does_not_cover_cannot_be_asked_for() -> None:
    with pytest.raises(TypeError, match="logit_bias"):
        ask(logit_bias="{}")


@pytest.mark.parametrize("issue", ["litellm 25673", "synapsekit 774", "portkey semantic mode"])
def test_instructions_and_system_prompt_are_in_the_key(cache: AnswerCache, issue: str) -> None:
    plain, pirate = ask("hi"), talk(("system", "You are a pirate."), ("user", "hi"))
    assert cache.key(plain) != cache.key(pirate) != cache.key(talk(("user", "You are a pirate."), ("user", "hi")))


@pytest.mark.parametrize(
    ("issue", "other"),
    [
        ("headroom 3346", replace(HERE, base_url="https://two.example/v1")),
        ("xingyu 129", replace(HERE, provider="azure")),
    ],
)
def test_who_answers_is_in_the_key(cache: AnswerCache, tmp_path: Path, issue: str, other: Identity) -> None:
    with closing(AnswerCache(tmp_path / "other", [other])) as elsewhere:
        assert cache.key(ask()) != elsewhere.key(ask())


def test_lightrag_3392_parts_do_not_run_into_each_other(cache: AnswerCache) -> None:
    assert cache.key(talk(("user", "abc"), ("user", "x"))) != cache.key(talk(("user", "ab"), ("user", "cx")))
    assert cache.key(ask(stop=("ab", "c"))) != cache.key(ask(stop=("a", "bc")))
    assert cache.key(ask(scope=(("a", "bc"),))) != cache.key(ask(scope=(("ab", "c"),)))


def test_litellm_40128_the_order_of_keys_does_not_matter(cache: AnswerCache) -> None:
    one, other = '{"type": "object", "a": 1}', '{"a":1,"type":"object"}'
    assert cache.key(ask(response_format=one)) == cache.key(ask(response_format=other))
    assert cache.key(ask(tools=f"[{one}]")) == cache.key(ask(tools=f"[{other}]"))


def test_bifrost_3049_the_key_is_the_same_in_every_process(tmp_path: Path) -> None:
    script = (
        "import sys; from legacy_pipeline.cache import AnswerCache; from shared.contract import *\n"
        "request = Request((Message('user', 'q'),), scope=(('b', '1'), ('a', '2')), tools='{\"b\": 1, \"a\": 2}')\n"
        "print(AnswerCache(sys.argv[1], [Identity('p', 'm')]).key(request))"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(keys) == 1


# What is stored, and for how long


def test_redisvl_603_a_hit_does_not_renew_an_answer(cache: AnswerCache) -> None:
    async def main() -> None:
        await cache.put("key", ask(), ANSWER)
        for _ in range(5):
            await asyncio.sleep(11.0)
            assert await cache.get("key")
        await asyncio.sleep(11.0)
        assert await cache.get("key") is None

    virtually(main())


@pytest.mark.parametrize("issue", ["omniroute 12885", "lightrag 3446"])
def test_truncated_answers_are_not_stored(cache: AnswerCache, issue: str) -> None:
    async def main() -> None:
        background = Background()
        pipeline = Cached(cache, ScriptedBackend([Script(finish_reason="length")]))
        await answer(pipeline, ask(), background)
        await background.drain()
        assert cache.stats.stored == 0

    virtually(main())


@pytest.mark.parametrize("issue", ["devwhisper 293", "semantic-router 2130"])
@pytest.mark.parametrize(
    "script",
    [
        Script((), BackendUnavailable("503; try again")),
        Script(((0.1, "Sorry, "),), BackendUnavailable("the connection broke; try again")),
        Script(finish_reason="content_filter"),
        Script(((0.1, " "),)),
    ],
)
def test_failures_and_what_came_before_them_are_not_replayed(cache: AnswerCache, issue: str, script: Script) -> None:
    async def main() -> None:
        background = Background()
        pipeline = Cached(cache, ScriptedBackend([script, Script(((0.1, "Yes."),))]))
        for _ in range(2):
            try:
                last = [item async for item in stream(pipeline, ask(), background)][-1]
            except CrossoverError:
                continue
            await background.drain()
        assert isinstance(last, Answer)
        assert last.text == "Yes."

    virtually(main())


def test_an_abandoned_answer_is_not_stored(cache: AnswerCache) -> None:
    async def main() -> None:
        background = Background()
        pipeline = Cached(cache, ScriptedBackend([Script(((0.1, "Yes"), (0.1, " and no.")))]))
        pieces = stream(pipeline, ask(), background)
        assert await anext(pieces) == "Yes"
        await pieces.aclose()
        await background.drain()
        assert cache.stats.stored == 0

    virtually(main())


# How it is served


@pytest.mark.parametrize("issue", ["semantic-router 913", "tensorzero 1791"])
def test_a_hit_streams_like_any_answer_and_has_its_usage(cache: AnswerCache, issue: str) -> None:
    async def main() -> None:
        background = Background()
        pipeline = Cached(cache, ScriptedBackend([Script(((0.1, "Yes"), (0.1, ", it is.")))]))
        first = [item async for item in stream(pipeline, ask(), background)]
        await background.drain()
        again = [item async for item in stream(pipeline, ask(), background)]
        assert isinstance(first[-1], Answer)
        assert isinstance(again[-1], Answer)
        assert again[:-1] == ["".join(str(piece) for piece in first[:-1])] == [again[-1].text]
        assert again[-1].completion.usage == first[-1].completion.usage == Usage(1, 2)
        assert [step.completion for step in again[-1].steps] == [None], "no tokens are paid for again"

    virtually(main())


# Similar questions


class Credulous:
    """The worst of encoders: to it any two texts are alike."""

    def encode(self, text: str) -> Vector | None:
        if "fails" in text:
            raise RuntimeError("out of memory")
        return np.array([1.0], dtype=np.float32)


@pytest.fixture
def similar(tmp_path: Path) -> Iterator[AnswerCache]:
    with closing(AnswerCache(tmp_path / "similar", [HERE], index=SemanticIndex(Credulous()))) as cache:
        yield cache


async def is_served(cache: AnswerCache, stored: Request, asked: Request) -> bool:
    await cache.put(cache.key(stored), stored, ANSWER)
    return await cache.similar(asked) is not None


@pytest.mark.parametrize(
    ("issue", "one", "other"),
    [
        ("gptcache 694", "How do I turn on dark mode?", "How do I turn off dark mode?"),
        ("gptcache 694", "Is it safe to take both?", "Is it unsafe to take both?"),
        ("semantic-router 2691", "How do I turn on 2FA?", "How do I turn off 2FA?"),
        ("semantic-router 2691", "How do I enable the cache?", "How do I disable the cache?"),
        ("semantic-router 2727", "Can I pay with a card?", "Can't I pay with a card?"),
        ("semantic-router 2728", "Should I do it before lunch?", "Should I do it after lunch?"),
        ("one-word edits", "Where is order 48213?", "Where is order 48231?"),
    ],
)
def test_opposites_are_not_served_whatever_the_encoder_says(
    similar: AnswerCache, issue: str, one: str, other: str
) -> None:
    async def main() -> None:
        assert not await is_served(similar, ask(one), ask(other))
        elsewhere = (("user", "bob"),)  # where `one` is not stored yet
        assert not await is_served(similar, replace(ask(other), scope=elsewhere), replace(ask(one), scope=elsewhere))

    virtually(main())


def test_langchain_redis_22_not_every_question_gets_one_answer(similar: AnswerCache) -> None:
    async def main() -> None:
        assert not await is_served(similar, ask("How do I reset my password?"), ask("Who wrote Hamlet?"))

    virtually(main())


def test_gptcache_8_the_conversation_before_a_similar_question_must_be_equal(similar: AnswerCache) -> None:
    async def main() -> None:
        rome = [("user", "Where is Rome?"), ("assistant", "In Italy.")]
        oslo = [("user", "Where is Oslo?"), ("assistant", "In Norway.")]
        one, other = ("user", "How many people live there?"), ("user", "how many people live there")
        assert await is_served(similar, talk(*rome, one), talk(*rome, other))
        assert not await is_served(similar, talk(*rome, one), talk(*oslo, other))

    virtually(main())


@pytest.mark.parametrize("issue", ["portkey semantic mode", "synapsekit 774"])
def test_the_system_prompt_before_a_similar_question_must_be_equal(similar: AnswerCache, issue: str) -> None:
    async def main() -> None:
        one, other = ("user", "Who are you?"), ("user", "who are you")
        pirate, clerk = ("system", "You are a pirate."), ("system", "You are a clerk.")
        assert not await is_served(similar, talk(pirate, one), talk(clerk, other))

    virtually(main())


@pytest.mark.parametrize("issue", ["semantic-router 1448", "semantic-router 2134", "litellm 29955", "litellm 29086"])
def test_similar_questions_are_matched_within_a_tenant_only(similar: AnswerCache, issue: str) -> None:
    async def main() -> None:
        ours, theirs = (("tenant", "a"),), (("tenant", "b"),)
        assert not await is_served(similar, ask("Is it on?", scope=ours), ask("is it on", scope=theirs))
        assert await is_served(similar, ask("Is it on?", scope=ours), ask("is it on", scope=ours))

    virtually(main())


def test_semantic_router_2728_a_gate_that_fails_serves_nothing(similar: AnswerCache) -> None:
    async def main() -> None:
        request = ask("What fails?")
        await similar.put(similar.key(request), request, ANSWER)
        step = Recorder(streaming=False, background=Background(), started=clock.now())
        assert await step("similar", similar.similar(ask("what fails")), limit_s=1.0, otherwise=None) is None
        assert [(each.outcome, each.detail) for each in step.steps] == [("error", "RuntimeError")]

    virtually(main())


# The disk


def test_cve_2025_69872_no_pickle_is_read_or_written(tmp_path: Path) -> None:
    disk = _TextDisk(str(tmp_path))
    with pytest.raises(TypeError):
        disk.store({"a": 1}, read=False)
    with pytest.raises(ValueError, match="mode 4"):
        disk.fetch(4, None, b"Vtext\n.", read=False)
    with pytest.raises(ValueError, match="not text"):
        disk.get(b"Vkey\n.", raw=False)


def test_diskcache_345_a_corrupt_database_is_no_crash_and_never_served(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with closing(AnswerCache(tmp_path / "cache", [HERE])) as cache:
            for number in range(200):
                await cache.put(f"{number}", ask(), replace(ANSWER, text="x" * 1000))
        database = tmp_path / "cache" / "cache.db"
        whole = database.read_bytes()
        for corrupt in (
            b"no database at all" * 100,
            whole[:16384] + b"\0" * (len(whole) - 16384),
            whole[: len(whole) // 2],
        ):
            database.write_bytes(corrupt)
            with closing(AnswerCache(tmp_path / "cache", [HERE])) as cache:
                assert cache.unavailable
                with pytest.raises(CacheUnavailable, match="remove it"):
                    await cache.get("7")
        assert len(caplog.records) == 3

    clock.run(main())

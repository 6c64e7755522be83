"""The exact cache: what its key covers, how answers age, and what it does when its disk misbehaves."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_pipeline.cache import ANSWER_LIMIT_CHARS, AnswerCache, Cached, CacheUnavailable, NotStored
from legacy_pipeline.semantic import SemanticIndex, Vector
from shared import clock
from shared.contract import Completion, Identity, Message, Request, Usage, canonical_json
from shared.errors import BadInput
from shared.steps import Background, Recorder

SMALL, LARGE = Identity("local", "small"), Identity("local", "large", "http://127.0.0.1:1", "v1", "1")
QUESTION = Request((Message("system", "Be terse."), Message("user", "Is it on?")))
ANSWER = Completion("Yes.", "small", Usage(12, 2), logprobs=(-0.1, -0.2), first_token_s=0.1, seconds=0.2)
NOT_A_MINUTE_S = 5.0
"""diskcache on its own tries for 60 s where the database is locked."""
FUZZED_REQUESTS = int(os.environ.get("CROSSOVER_FUZZED_REQUESTS", "20000"))


@contextmanager
def opened(folder: Path, **settings: Any) -> Iterator[AnswerCache]:
    cache = AnswerCache(folder / "cache", settings.pop("identities", [SMALL, LARGE]), **settings)
    with closing(cache):
        yield cache


class Agreeing:
    """An encoder to which all texts are alike."""

    def encode(self, text: str) -> Vector | None:
        return np.array([1.0, 0.0], dtype=np.float32)


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


def rows(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "cache" / "cache.db")) as database:
        return int(database.execute("SELECT COUNT(*) FROM Cache").fetchone()[0])


def plant(folder: Path, key: str, mode: int, value: object, filename: str | None = None) -> None:
    """Write a row as somebody could who got into the folder."""
    with closing(sqlite3.connect(folder / "cache" / "cache.db")) as database, database:
        database.execute("DELETE FROM Cache WHERE key = ?", (key,))
        database.execute(
            "INSERT INTO Cache(key, raw, store_time, mode, filename, value) VALUES (?, 1, 0, ?, ?, ?)",
            (key, mode, filename, value),
        )


# What a key covers

CHANGED = {
    "messages": (Message("system", "Be terse."), Message("user", "Is it off?")),
    "task": "switches",
    "scope": (("tenant", "acme"),),
    "max_tokens": 255,
    "temperature": 0.0,
    "top_p": 1.0,
    "seed": 0,
    "stop": ("\n",),
    "response_format": '{"type":"json_object"}',
    "tools": "[]",
    "sample": 1,
}
NEUTRAL = {"deadline_s": "how long somebody is ready to wait does not change what is right"}
CHANGED_IDENTITY = {"provider": "x", "model": "x", "base_url": "x", "version": "x", "template": "x"}


def test_every_request_field_changes_the_key_or_is_neutral_for_a_reason(tmp_path: Path) -> None:
    names = {each.name for each in dataclasses.fields(Request)}
    assert names == set(CHANGED) | set(NEUTRAL), "a new field: decide whether an answer depends on it"
    with opened(tmp_path) as cache:
        keys = [cache.key(QUESTION), *(cache.key(replace(QUESTION, **{name: CHANGED[name]})) for name in CHANGED)]  # type: ignore[arg-type]
        assert len(set(keys)) == len(CHANGED) + 1
        assert cache.key(replace(QUESTION, deadline_s=1.0)) == cache.key(QUESTION)


def test_every_identity_field_the_order_of_models_and_the_variant_change_the_key(tmp_path: Path) -> None:
    assert {each.name for each in dataclasses.fields(Identity)} == set(CHANGED_IDENTITY)
    variants: list[dict[str, Any]] = [
        {},
        {"variant": "small_first"},
        {"identities": [SMALL]},
        {"identities": [LARGE, SMALL]},
        *({"identities": [SMALL, replace(LARGE, **{name: value})]} for name, value in CHANGED_IDENTITY.items()),
    ]
    keys = set()
    for number, settings in enumerate(variants):
        with opened(tmp_path / str(number), **settings) as cache:
            keys.add(cache.key(QUESTION))
    assert len(keys) == len(variants)


def test_messages_are_told_apart_by_role_order_and_bounds(tmp_path: Path) -> None:
    with opened(tmp_path) as cache:
        talks = [
            (("user", "ab"), ("user", "c")),
            (("user", "a"), ("user", "bc")),
            (("user", "abc"),),
            (("assistant", "ab"), ("user", "c")),
            (("user", "c"), ("user", "ab")),
            (("user", ""), ("user", "abc")),
            (("user", 'ab"],["user","c'),),
        ]
        keys = {cache.key(Request(tuple(Message(role, text) for role, text in talk))) for talk in talks}  # type: ignore[arg-type]
        assert len(keys) == len(talks)


texts = st.text(alphabet=st.characters(codec=None), max_size=6)
requests = st.builds(
    Request,
    messages=st.lists(st.builds(Message, role=st.sampled_from(["system", "user"]), content=texts), max_size=2).map(
        lambda talk: (*talk, Message("user", "?"))
    ),
    task=texts,
    scope=st.lists(st.tuples(texts, texts), max_size=2).map(tuple),
    temperature=st.one_of(st.none(), st.floats(0, 2)),
    seed=st.one_of(st.none(), st.integers(0, 3)),
    stop=st.lists(texts, max_size=2).map(tuple),
)


def covered(request: Request) -> str:
    return canonical_json([request.prompt(), request.task, request.scope])


@given(requests, requests)
def test_keys_are_equal_exactly_where_all_that_is_covered_is(one: Request, other: Request) -> None:
    cache = AnswerCache.__new__(AnswerCache)
    cache._answering = "models"
    assert (cache.key(one) == cache.key(other)) == (covered(one) == covered(other))
    assert cache.key(one) == cache.key(replace(one, scope=one.scope[::-1], deadline_s=1.0))


def test_no_answer_crosses_a_scope_or_a_parameter_in_fuzzed_requests(tmp_path: Path) -> None:
    """Each stored answer spells out its own question. CROSSOVER_FUZZED_REQUESTS=1000000 runs the long version.

    To the encoder all questions are alike: what keeps "on" and "off" apart is the words, and tenants the partition.
    """
    choose = random.Random(7).choice  # noqa: S311

    def fuzzed() -> Request:
        talk = [
            Message(choose(["system", "user", "assistant"]), choose(["a", "b", "ab", ""]))
            for _ in range(choose([0, 1]))
        ]
        return Request(
            (*talk, Message("user", choose(["on?", "off?", "on"]))),
            task=choose(["", "t"]),
            scope=choose([(), (("tenant", "a"),), (("tenant", "b"),), (("user", "a"),), (("ten", "anta"),)]),
            max_tokens=choose([16, 17]),
            temperature=choose([None, 0.0, 1.0]),
            top_p=choose([None, 1.0]),
            seed=choose([None, 0]),
            stop=choose([(), ("a", "b"), ("ab",)]),
            response_format=choose([None, '{"type": "text"}', '{"type":"text" }']),
            sample=choose([0, 0, 0, 1]),
            deadline_s=choose([1.0, 30.0]),
        )

    async def main() -> None:
        with opened(tmp_path, index=SemanticIndex(Agreeing())) as cache:
            for _ in range(FUZZED_REQUESTS):
                request = fuzzed()
                key, own = cache.key(request), covered(request)
                cached = await cache.get(key)
                if cached is None:
                    similar = await cache.similar(request)
                    assert similar is None or similar.text.replace("on?", "on") == own.replace("on?", "on")
                    await cache.put(key, request, Completion(own, "small"))
                else:
                    assert cached.text == own
            assert cache.stats.hits > FUZZED_REQUESTS / 20
            assert cache.stats.similar > 20
            exact = cache.stats.hits - cache.stats.similar
            assert exact + cache.stats.misses == FUZZED_REQUESTS

    virtually(main())


# What is stored, and for how long


def test_an_answer_comes_back_with_its_usage_and_without_times(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            key = cache.key(QUESTION)
            assert await cache.get(key) is None
            assert await cache.put(key, QUESTION, ANSWER) is None
            await asyncio.sleep(12.3)
            assert await cache.get(key) == Cached(
                "Yes.", "small", Usage(12, 2), timing="unknown", detail="stored 12.300 s ago"
            )

    virtually(main())


@pytest.mark.parametrize(
    "unfit",
    [
        replace(ANSWER, finish_reason="length"),
        replace(ANSWER, finish_reason="content_filter"),
        replace(ANSWER, finish_reason="unknown"),
        replace(ANSWER, text=""),
        replace(ANSWER, text=" \n"),
        replace(ANSWER, text="x" * (ANSWER_LIMIT_CHARS + 1)),
        replace(ANSWER, text="half a character \ud83d"),
        replace(ANSWER, usage=Usage(-1, 2)),
        None,
    ],
)
def test_what_is_no_complete_answer_is_not_stored_and_says_why(tmp_path: Path, unfit: Completion | None) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            left_out = await cache.put("key", QUESTION, unfit)
            assert isinstance(left_out, NotStored)
            assert left_out.detail.startswith("not stored: ")
            assert await cache.get("key") is None
            assert (cache.stats.stored, cache.stats.not_stored) == (0, 1)

    virtually(main())


def test_an_answer_ages_from_when_it_was_stored(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path, ttl_s=60.0) as cache:
            await cache.put("key", QUESTION, ANSWER)
            await asyncio.sleep(59.9)
            assert await cache.get("key")
            await asyncio.sleep(0.1)
            assert await cache.get("key") is None
            assert cache.stats.expired == 1
            await cache.put("key", QUESTION, ANSWER)
            assert await cache.get("key")

    virtually(main())


def test_an_answer_from_the_future_is_not_served(tmp_path: Path) -> None:
    """Stored under virtual time, or before the clock was set back: it would live too long."""

    async def store() -> None:
        await asyncio.sleep(100.0)
        with opened(tmp_path) as cache:
            await cache.put("key", QUESTION, ANSWER)

    async def look() -> None:
        with opened(tmp_path) as cache:
            assert await cache.get("key") is None

    virtually(store())
    virtually(look())


def test_answers_outlive_the_process(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            await cache.put("key", QUESTION, ANSWER)
        with opened(tmp_path) as cache:
            assert await cache.get("key")

    virtually(main())


def test_the_oldest_go_first_when_the_space_is_used_up(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path, size_limit_bytes=2**20) as cache:
            for number in range(400):
                await cache.put(f"{number}", QUESTION, replace(ANSWER, text="x" * 10_000))
                await cache.get("0")  # being asked for does not keep it
            assert await cache.get("0") is None
            assert await cache.get("399")
            assert (tmp_path / "cache" / "cache.db").stat().st_size < 2 * 2**20

    virtually(main())


def test_one_user_can_be_forgotten(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            keys = {}
            for user in ("ann", "bob"):
                for number in range(150):
                    request = replace(QUESTION, scope=(("tenant", "acme"), ("user", user)), sample=number)
                    keys[user, number] = cache.key(request)
                    await cache.put(keys[user, number], request, replace(ANSWER, text=f"for {user}"))
            await cache.put("nobody's", QUESTION, ANSWER)
            assert await cache.forget("user", "ann") == 150
            assert await cache.forget("user", "ann") == 0
            assert await cache.get(keys["ann", 7]) is None
            assert await cache.get(keys["bob", 7])
            assert await cache.get("nobody's")
            with pytest.raises(BadInput, match="forget_by='user'"):
                await cache.forget("tenant", "acme")
        assert b"for ann" not in (tmp_path / "cache" / "cache.db").read_bytes()

    virtually(main())


def test_an_answer_of_two_users_is_not_stored(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            assert await cache.put("key", replace(QUESTION, scope=(("user", "ann"), ("user", "bob"))), ANSWER)

    virtually(main())


# A disk that misbehaves


def touching(path: Path) -> bytes:
    """A pickle, written by hand, that makes a file of whoever loads it: `builtins.open(path, "w")`."""
    return f"cbuiltins\nopen\n(V{path}\nVw\ntR.".encode()


def test_a_planted_pickle_is_refused_and_never_run(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            planted, value_file = tmp_path / "planted", tmp_path / "cache" / "value"
            payload = touching(planted)
            diskcache.Disk(str(tmp_path / "stock")).fetch(4, None, payload, read=False).close()
            assert planted.exists()  # what the library's own disk does with such a row
            planted.unlink()
            value_file.write_bytes(payload)
            plant(tmp_path, "inline", 4, payload)
            plant(tmp_path, "in a file", 4, None, "value")
            assert await cache.get("inline") is None
            assert await cache.get("in a file") is None
            assert not planted.exists()
            assert cache.stats.refused_rows == 2
            assert rows(tmp_path) == 0

    virtually(main())


def test_a_row_cannot_name_a_file_to_read_or_to_remove(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            other = tmp_path / "other"
            other.write_text("not yours")
            for mode in (1, 2, 3, 4):
                plant(tmp_path, f"{mode}", mode, None, "../other")
                assert await cache.get(f"{mode}") is None
            plant(tmp_path, "overwritten", 3, None, "../other")
            await cache.put("overwritten", QUESTION, ANSWER)
            assert other.read_text() == "not yours"

    virtually(main())


def test_nothing_but_text_can_be_written(tmp_path: Path) -> None:
    with opened(tmp_path) as cache:
        for key, value in [("key", {"a": 1}), ("key", b"bytes"), ("key", 1), (("k", 1), "text")]:
            with pytest.raises(TypeError, match="must be text"):
                cache._disk.set(key, value)


GOOD_ROW = {"stored_at": clock.VIRTUAL_EPOCH_S, "text": "a", "model": "m", "input_tokens": 1, "output_tokens": None}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "not JSON",
        "null",
        "[]",
        "7",
        json.dumps({**GOOD_ROW, "stored_at": "now"}),
        json.dumps({**GOOD_ROW, "stored_at": float("nan")}),
        json.dumps({**GOOD_ROW, "text": 7}),
        json.dumps({**GOOD_ROW, "model": None}),
        json.dumps({**GOOD_ROW, "input_tokens": True}),
        json.dumps({**GOOD_ROW, "output_tokens": -1}),
        json.dumps({**GOOD_ROW, "more": 1}),
        json.dumps({name: GOOD_ROW[name] for name in ("stored_at", "text")}),
        json.dumps(GOOD_ROW)[:-9],
        b'{"text": "bytes"}',
        7,
        None,
    ],
)
def test_a_malformed_row_is_a_miss_counted_and_deleted(tmp_path: Path, value: object) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache:
            plant(tmp_path, "good", 1, json.dumps(GOOD_ROW))
            plant(tmp_path, "bad", 1, value)
            assert await cache.get("bad") is None
            assert await cache.get("good")
            assert cache.stats.refused_rows == 1
            assert rows(tmp_path) == 1

    virtually(main())


def test_a_locked_database_delays_nobody_by_more_than_milliseconds(tmp_path: Path) -> None:
    async def main() -> None:
        with opened(tmp_path) as cache, closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as other:
            await cache.put("key", QUESTION, ANSWER)
            other.execute("BEGIN EXCLUSIVE")
            begun = time.perf_counter()
            with pytest.raises(CacheUnavailable, match="locked"):
                await cache.put("new", QUESTION, ANSWER)
            with pytest.raises(CacheUnavailable):
                await cache.forget("user", "ann")
            assert await cache.get("key"), "readers do not wait for writers"
            assert time.perf_counter() - begun < NOT_A_MINUTE_S
            assert cache.stats.not_stored == 1
            other.execute("ROLLBACK")
            assert await cache.put("new", QUESTION, ANSWER) is None

    clock.run(main())


def test_a_database_that_is_locked_at_the_start_makes_a_cache_that_always_misses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        with opened(tmp_path):
            pass
        with closing(sqlite3.connect(tmp_path / "cache" / "cache.db")) as other:
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("BEGIN EXCLUSIVE")
            begun = time.perf_counter()
            with opened(tmp_path) as cache:
                assert time.perf_counter() - begun < NOT_A_MINUTE_S
                step = Recorder(streaming=False, background=Background(), started=clock.now())
                for _ in range(3):
                    assert await step("cache", cache.get("key"), limit_s=1.0, otherwise=None) is None
                assert [each.outcome for each in step.steps] == ["error"] * 3
                assert "CacheUnavailable" in step.steps[0].detail
                assert "locked" in step.steps[0].detail
                with pytest.raises(CacheUnavailable):
                    await cache.put("key", QUESTION, ANSWER)
                with pytest.raises(CacheUnavailable):
                    await cache.forget("user", "ann")
                assert (cache.stats.unavailable, cache.stats.not_stored) == (3, 1)
                assert len(caplog.records) == 1

    clock.run(main())


def test_a_folder_that_others_may_enter_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path):
        assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    (tmp_path / "cache").chmod(0o750)
    with pytest.raises(BadInput, match="chmod 700"), opened(tmp_path):
        pass


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=rf"{tmp_path / path} cannot hold the answer cache \(.*\); name a directory"):
        AnswerCache(tmp_path / path, [SMALL, LARGE])


WRITER = """
import asyncio, sys
from legacy_pipeline.cache import AnswerCache
from shared.contract import Completion, Identity, Message, Request

async def main():
    cache = AnswerCache(sys.argv[1], [Identity("local", "small")])
    request = Request((Message("user", "q"),))
    for number in range(1_000_000):
        await cache.put(str(number % 50), request, Completion(f"{number % 50} " * 2000, "small"))
        print(number % 50, flush=True)

asyncio.run(main())
"""


def test_a_process_killed_while_it_writes_leaves_no_corrupt_answer_and_loses_none(tmp_path: Path) -> None:
    async def look() -> set[int]:
        with opened(tmp_path) as cache:
            answers = {number: await cache.get(f"{number}") for number in range(50)}
            for number, found in answers.items():
                assert found is None or found.text == f"{number} " * 2000
            assert cache.unavailable == ""
            assert cache.stats.refused_rows == 0
            return {number for number, found in answers.items() if found}

    for lines in (1, 20, 60):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "cache")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            told = b"".join(writer.stdout.readline() for _ in range(lines))
            writer.send_signal(signal.SIGKILL)
            told += writer.stdout.read()
        assert writer.returncode == -signal.SIGKILL
        written = {int(line) for line in told.splitlines(keepends=True) if line.endswith(b"\n")}
        assert len(written) >= min(lines, 50)
        assert written <= clock.run(look())

"""The cache's faults are real ones: each is seen on the real database before it is seen to be survived."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import diskcache
import pytest

from benchmarks.faults import parts
from benchmarks.faults.parts import BrokenCache, BrokenCascade
from legacy_pipeline.cache import AnswerCache, CacheUnavailable
from legacy_pipeline.pipeline import LegacyPipeline
from shared import clock
from shared.contract import Completion, Identity
from shared.errors import BadInput
from shared.run import answer
from shared.steps import Background
from tests.fakes import Script, ScriptedBackend, ask

IDENTITIES = (Identity("fake", "small"), Identity("fake", "large"))
ANSWER = Completion("an answer", "large")


def broken(
    fault: str, folder: Path, check: Callable[[BrokenCache, AnswerCache, str], Awaitable[None]], *, seed: int = 0
) -> None:
    """Run a check on a cache that holds one answer and has just been broken; afterwards it works again."""

    async def main() -> None:
        cache = AnswerCache(folder, IDENTITIES)
        around = BrokenCache(cache, folder / diskcache.core.DBNAME, fault, seed=seed)
        key = cache.key(ask("kept"))
        await around.put(key, ask("kept"), ANSWER)
        assert await around.get(key)
        around.begin()
        await check(around, cache, key)
        around.end()
        new = cache.key(ask("new"))
        assert await around.put(new, ask("new"), ANSWER) is None
        assert (found := await around.get(new))
        assert found.text == ANSWER.text
        cache.close()

    clock.run(main(), virtual=True)


@pytest.mark.parametrize(
    ("fault", "cause"),
    [("cache-locked", "locked"), ("cache-full", "full"), ("cache-read-only", "read-only")],
)
def test_what_cannot_be_written_fails_typed_with_sqlites_own_reason(fault: str, cause: str, tmp_path: Path) -> None:
    async def check(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        assert (await around.get(key)) is not None, "reading goes on"
        with pytest.raises(CacheUnavailable, match=cause):
            await _fill(around)
        assert cache.stats.not_stored == 1

    broken(fault, tmp_path / "cache", check)


async def _fill(around: BrokenCache) -> None:
    """Store until it fails: a full database still has room on its last page."""
    for number in range(200):
        await around.put(f"{number}", ask(), Completion("x" * 2000, "large"))


@pytest.mark.parametrize("seed", range(12))
def test_garbage_is_found_in_the_row_and_refused(seed: int, tmp_path: Path) -> None:
    async def check(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        with closing(sqlite3.connect(around.file)) as database:
            assert database.execute("SELECT value FROM Cache").fetchone()[0] in parts.GARBAGE
        assert await around.get(key) is None
        assert cache.stats.refused_rows == 1
        assert await around.get(key) is None, "and it is gone"
        assert cache.stats.misses == 1

    broken("cache-corrupt", tmp_path / "cache", check, seed=seed)


def test_a_planted_pickle_runs_in_stock_diskcache_and_not_here(tmp_path: Path) -> None:
    async def check(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        assert await around.get(key) is None
        assert parts.unpickled == []
        assert cache.stats.refused_rows == 1

    broken("cache-pickle", tmp_path / "cache", check)

    async def stock(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        with diskcache.Cache(str(tmp_path / "stock")) as read_by_others:
            assert read_by_others.get(key) == "an answer that nobody gave"
        assert parts.unpickled == ["a planted pickle was loaded"]

    try:
        broken("cache-pickle", tmp_path / "stock", stock)
    finally:
        parts.unpickled.clear()


def test_an_altered_row_is_served_which_nothing_shows(tmp_path: Path) -> None:
    async def check(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        assert (found := await around.get(key))
        assert found.text == "altered"

    broken("cache-altered", tmp_path / "cache", check)


@pytest.mark.parametrize("fault", ["cache-clock-back", "cache-clock-forward"])
def test_after_a_jump_of_the_clock_what_was_kept_is_asked_again(fault: str, tmp_path: Path) -> None:
    async def check(around: BrokenCache, cache: AnswerCache, key: str) -> None:
        assert await around.get(key) is None
        assert cache.stats.expired == 1

    broken(fault, tmp_path / "cache", check)


def running(
    fault: str, folder: Path, check: Callable[[LegacyPipeline, Background], Awaitable[None]], *, seconds: float = 0.0
) -> None:
    """Run a check on a pipeline whose cache has just been broken, and whose model takes so many seconds."""

    async def main() -> None:
        cache = AnswerCache(folder, IDENTITIES)
        model = ScriptedBackend([Script([(seconds, "fresh")])])
        pipeline = LegacyPipeline(cache, None, model, model)
        around = BrokenCache(cache, folder / diskcache.core.DBNAME, fault)
        pipeline.cache = around  # type: ignore[assignment]
        around.begin()
        await check(pipeline, Background())
        await pipeline.aclose()

    clock.run(main(), virtual=True)


def test_a_cache_that_hangs_costs_an_answer_its_limit_and_no_more(tmp_path: Path) -> None:
    async def check(pipeline: LegacyPipeline, background: Background) -> None:
        found = await answer(pipeline, ask(), background)
        assert found.text == "fresh"
        assert found.seconds == pytest.approx(0.05)
        before = clock.now()
        await background.drain()
        assert clock.now() - before <= 1.0, "a store has its limit too"

    running("cache-hang", tmp_path / "cache", check)


def test_a_slow_write_holds_up_everybody_but_whose_answer_it_is(tmp_path: Path) -> None:
    async def check(pipeline: LegacyPipeline, background: Background) -> None:
        first = asyncio.create_task(answer(pipeline, ask("first"), background))
        await asyncio.sleep(0.05)
        second = await answer(pipeline, ask("second"), background)
        assert (await first).seconds == pytest.approx(0.1)
        held_s = second.seconds - 0.05
        assert parts.SLOW_STORE_S[0] <= held_s <= parts.SLOW_STORE_S[1], "SQLite writes inline: no limit ends it"
        await background.drain()

    running("cache-slow-store", tmp_path / "cache", check, seconds=0.1)


def test_a_database_that_is_read_only_cannot_be_opened_and_is_whole_afterwards(tmp_path: Path) -> None:
    async def main() -> None:
        first = AnswerCache(tmp_path / "cache", IDENTITIES)
        key = first.key(ask("kept"))
        await first.put(key, ask("kept"), ANSWER)
        first.close()
        with parts.read_only(tmp_path / "cache" / diskcache.core.DBNAME):
            second = AnswerCache(tmp_path / "cache", IDENTITIES)
            assert "readonly" in second.unavailable
            with pytest.raises(CacheUnavailable, match="readonly"):
                await second.get(key)
        third = AnswerCache(tmp_path / "cache", IDENTITIES)
        assert (found := await third.get(key))
        assert found.text == ANSWER.text
        third.close()

    clock.run(main(), virtual=True)


def test_unknown_faults_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'flood' is unknown; known are cache-locked"):
        BrokenCache(AnswerCache(tmp_path / "cache", IDENTITIES), tmp_path, "flood")
    with pytest.raises(BadInput, match="'flood' is unknown"):
        BrokenCascade(None, None, None, "flood")  # type: ignore[arg-type]

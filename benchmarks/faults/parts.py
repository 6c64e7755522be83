"""Faults of the legacy pipeline's own parts: its cache on disk and its classifier.

The database's faults are real ones on the real file: a lock, a full disk, garbage, pickles. What hangs here hangs as a
coroutine does. A disk or a classifier that stalls the processor itself stalls the whole event loop, and no time limit
inside it helps: that is a stated limit of one process (docs/faults.md), not something that virtual time can play.
"""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import diskcache

from legacy_pipeline.cache import AnswerCache, Cached, NotStored
from legacy_pipeline.cascade import Cascade, Route
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.features import Asked
from legacy_pipeline.settings import Settings
from shared.clock import spend
from shared.contract import Completion, Request
from shared.errors import BadInput

DAY_S: Final = 86_400.0
BUSY_S: Final = 0.01
"""Seconds that the cache waits for a lock. They pass on the virtual clock; for real only SQLite's least, 1 ms."""
SLOW_STORE_S: Final = (0.2, 3.0)
"""Seconds for which a write holds the event loop when the disk is slow: SQLite writes inline."""
SLOW_JUDGE_S: Final = 0.02
"""Seconds of processor time a judgement takes when it is slow: a hundred times what it should."""

ALTERED: Final = "altered"
"""The text of an altered row."""
GARBAGE: Final = (b"\x00\xff\xfe", "{", "", '{"stored_at": "yesterday"}', "[1, 2]", 17, 2.5)
"""What is found where an answer was: bytes, half a row, nothing, a row of another shape, numbers."""

unpickled: list[str] = []
"""What a planted pickle leaves here if anybody loads it."""

Undo = Callable[[], None]


def _ran() -> str:
    unpickled.append("a planted pickle was loaded")
    return "an answer that nobody gave"


PLANTED: Final = f"c{__name__}\n{_ran.__name__}\n(tR.".encode()
"""A pickle, by its opcodes, that calls `_ran` when it is loaded: nothing here makes or loads one."""


class BrokenCache:
    """An `AnswerCache` with the fault of that name, between `begin` and `end`. `file` is its database.

    Raises `BadInput` for an unknown fault.
    """

    def __init__(self, cache: AnswerCache, file: Path, fault: str, *, seed: int = 0) -> None:
        if fault not in CACHE_FAULTS:
            raise BadInput(f"cache fault {fault!r} is unknown; known are {', '.join(CACHE_FAULTS)}")
        self._cache, self.file, self._fault = cache, file, fault
        self.random = random.Random(seed)  # noqa: S311  # a seed, so that runs agree
        self.hangs = self.slow = self.locked = False
        self._undo: Undo | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def begin(self) -> None:
        """From now on it is broken."""
        self._undo = CACHE_FAULTS[self._fault](self)

    def end(self) -> None:
        """Now it works again; what the fault did to the rows stays done."""
        if self._undo:
            self._undo()
            self._undo = None

    async def get(self, key: str) -> Cached | None:
        await self._stall()
        return await self._cache.get(key)

    async def put(self, key: str, request: Request, completion: Completion | None) -> NotStored | None:
        await self._stall()
        if self.locked:
            spend(BUSY_S)
        if self.slow:
            spend(self.random.uniform(*SLOW_STORE_S))
        return await self._cache.put(key, request, completion)

    def sql(self, statement: str) -> Any:
        """Run on the cache's own connection; returns the first value of the first row, if any."""
        row = self._cache._database()._sql(statement).fetchone()  # noqa: SLF001  # pragmas go by connection
        return row[0] if row else None

    def elsewhere(self, change: Callable[[sqlite3.Connection], object]) -> Undo:
        """Change the database as another process would."""
        with closing(sqlite3.connect(self.file)) as other, other:
            change(other)
        return _nothing

    async def _stall(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()


def _nothing() -> None:
    pass


def _lock(cache: BrokenCache) -> Undo:
    other = sqlite3.connect(cache.file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    cache.sql("PRAGMA busy_timeout = 1")
    cache.locked = True

    def undo() -> None:
        cache.locked = False
        other.close()
        cache.sql(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")

    return undo


def _fill(cache: BrokenCache) -> Undo:
    """SQLite itself refuses the next page, with the error that a full disk gives (SQLITE_FULL)."""
    most = cache.sql("PRAGMA max_page_count")
    cache.sql(f"PRAGMA max_page_count = {cache.sql('PRAGMA page_count')}")
    return lambda: cache.sql(f"PRAGMA max_page_count = {most}")


def _read_only(cache: BrokenCache) -> Undo:
    """SQLite refuses to write, as on a read-only file (SQLITE_READONLY)."""
    cache.sql("PRAGMA query_only = 1")
    return lambda: cache.sql("PRAGMA query_only = 0")


def _hang(cache: BrokenCache) -> Undo:
    cache.hangs = True
    return lambda: setattr(cache, "hangs", False)


def _slow(cache: BrokenCache) -> Undo:
    cache.slow = True
    return lambda: setattr(cache, "slow", False)


def _corrupt(cache: BrokenCache) -> Undo:
    def change(database: sqlite3.Connection) -> None:
        rows = [rowid for (rowid,) in database.execute("SELECT rowid FROM Cache ORDER BY rowid")]
        garbage = [(cache.random.choice(GARBAGE), rowid) for rowid in rows]
        database.executemany("UPDATE Cache SET value = ? WHERE rowid = ?", garbage)

    return cache.elsewhere(change)


def _alter(cache: BrokenCache) -> Undo:
    """Another text in a row that is otherwise as it should be."""
    return cache.elsewhere(
        lambda database: database.execute("UPDATE Cache SET value = json_set(value, '$.text', ?)", (ALTERED,))
    )


def _plant(cache: BrokenCache) -> Undo:
    """Rows as stock diskcache would write them."""
    mode = diskcache.core.MODE_PICKLE
    return cache.elsewhere(lambda database: database.execute("UPDATE Cache SET value = ?, mode = ?", (PLANTED, mode)))


def _jump(seconds: float) -> Callable[[BrokenCache], Undo]:
    """A clock that jumps by so much is the same as rows whose time lies as far the other way."""
    statement = "UPDATE Cache SET value = json_set(value, '$.stored_at', json_extract(value, '$.stored_at') - ?)"
    return lambda cache: cache.elsewhere(lambda database: database.execute(statement, (seconds,)))


@contextmanager
def read_only(file: Path) -> Iterator[None]:
    """Whoever opens the database meanwhile may read it and not write (SQLITE_READONLY). Nobody may hold it open.

    SQLite goes by byte 18 of the file, its write version: https://www.sqlite.org/fileformat2.html, 1.3.3. Permissions
    would not do, for nothing is read-only to root.
    """
    with file.open("r+b") as database:
        database.seek(18)
        version = database.read(1)
        database.seek(18)
        database.write(b"\xff")
    try:
        yield
    finally:
        with file.open("r+b") as database:
            database.seek(18)
            database.write(version)


CACHE_FAULTS: Final[Mapping[str, Callable[[BrokenCache], Undo]]] = {
    "cache-locked": _lock,
    "cache-hang": _hang,
    "cache-full": _fill,
    "cache-corrupt": _corrupt,
    "cache-altered": _alter,
    "cache-pickle": _plant,
    "cache-clock-back": _jump(-DAY_S),
    "cache-clock-forward": _jump(10 * DAY_S),
    "cache-read-only": _read_only,
    "cache-slow-store": _slow,
}


class _NotANumber(Classifier):
    """What a classifier gives whose sums overflowed."""

    def look(self, asked: Asked) -> tuple[float, float]:
        return math.nan, super().look(asked)[1]


class BrokenCascade:
    """The cascade of a pipeline with the fault of that name, between `begin` and `end`.

    Raises `BadInput` for an unknown fault.
    """

    def __init__(self, cascade: Cascade, classifier: Classifier, settings: Settings, fault: str) -> None:
        if fault not in CLASSIFIER_FAULTS:
            raise BadInput(f"classifier fault {fault!r} is unknown; known are {', '.join(CLASSIFIER_FAULTS)}")
        self._cascade, self._fault, self._broken = cascade, fault, False
        self._nan = Cascade(_NotANumber(classifier.artefact), settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cascade, name)

    def begin(self) -> None:
        """From now on it is broken."""
        self._broken = True

    def end(self) -> None:
        """Now it works again."""
        self._broken = False

    async def route(self, request: Request) -> Route:
        if self._broken and self._fault == "classifier-hang":
            await asyncio.Event().wait()
        if self._broken and self._fault == "classifier-slow":
            spend(SLOW_JUDGE_S)
        nan = self._broken and self._fault == "classifier-nan"
        return await (self._nan if nan else self._cascade).route(request)


CLASSIFIER_FAULTS: Final = frozenset({"classifier-nan", "classifier-slow", "classifier-hang"})
"""Those of a running process. An artefact that is missing or wrong shows when it starts: `play.py`."""

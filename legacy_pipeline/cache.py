"""Answers given before, kept on disk: what a key covers, what may be stored, when an answer has aged out.

It does not decide when to look (`pipeline.py`), share a call in flight (`single_flight.py`) or match similar questions
(`semantic.py`). Built on diskcache, called inline: a look-up costs some ten microseconds, an executor ten times that.
Limits, stated: a disk that stalls stalls the event loop (a *locked* database does not: `busy_s` bounds it); SQLite is
no good on network file systems; a cache that could not be opened stays away until the process starts again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import diskcache
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeInt

from shared.clock import wall
from shared.contract import Completion, Identity, Message, Request, Usage, canonical_json
from shared.errors import BadInput, CrossoverError

if TYPE_CHECKING:
    from legacy_pipeline.semantic import SemanticIndex

log = logging.getLogger(__name__)

KEY_FORMAT: Final = 1
"""Raise it when the meaning of a key or a row changes: what was stored before is not found any more."""

ANSWER_LIMIT_CHARS: Final = 262_144
"""Longer answers are not stored: one write must not hold the event loop."""


class CacheUnavailable(CrossoverError):
    """The database is locked, broken or cannot be opened. Inside a step with `otherwise=None` that is a miss."""


@dataclass(frozen=True, slots=True)
class Cached(Completion):
    """An answer from the cache: usage as of the original call, no log-probabilities and no times.

    `detail` says for the step how old it is.
    """

    detail: str = ""


class NotStored(NamedTuple):
    """An answer was left out on purpose; `detail` says for the step why."""

    detail: str


@dataclass(slots=True)
class Stats:
    """What happened since the start: each look-up counts in one of the first five, each `put` in one of the next two.

    `similar` says how many of the hits answered another question of the same meaning.
    """

    hits: int = 0
    misses: int = 0
    expired: int = 0
    refused_rows: int = 0
    unavailable: int = 0
    stored: int = 0
    not_stored: int = 0
    similar: int = 0


class _Row(BaseModel):
    """One stored answer. Only complete answers are stored, so no finish reason is."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    stored_at: FiniteFloat
    text: str
    model: str
    input_tokens: NonNegativeInt | None
    output_tokens: NonNegativeInt | None


class _TextDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache is untyped
    """Text in, text out, in the database itself: nothing is pickled or unpickled, no file is opened or removed."""

    def put(self, key: object) -> tuple[str, bool]:
        if not isinstance(key, str):
            raise TypeError(f"a key is {type(key).__name__}; it must be text")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not (raw and isinstance(key, str)):
            raise ValueError("a key in the database is not text")
        return key

    def store(self, value: object, read: object, **_: object) -> tuple[int, int, None, str]:
        if read or not isinstance(value, str):
            raise TypeError(f"a value is {type(value).__name__}; it must be text")
        return 0, diskcache.core.MODE_RAW, None, value

    def fetch(self, mode: int, filename: object, value: object, read: object) -> str:
        if mode != diskcache.core.MODE_RAW or filename is not None or read or not isinstance(value, str):
            raise ValueError(f"a row of mode {mode} that this cache never writes")
        return value

    def remove(self, file_path: object) -> None:
        """A row that names a file was planted: the file is left alone."""


class AnswerCache:
    """Complete answers by everything they depend on, for at most `ttl_s` seconds from when they were stored.

    `identities` are the models that may answer, in the order of their roles; `variant` is the text of every setting
    that decides which of them does. `busy_s` bounds the wait for a locked database, in seconds. `forget_by` names the
    one scope whose values can be forgotten. With an `index`, similar questions find each other's answers.

    Makes `directory`, for its owner only; raises BadInput where it cannot, or where others may enter it. A database
    that is locked or broken now makes a cache that answers every call with CacheUnavailable.
    """

    def __init__(
        self,
        directory: Path | str,
        identities: Sequence[Identity],
        *,
        variant: str = "",
        ttl_s: float = 3600.0,
        size_limit_bytes: int = 2**28,
        busy_s: float = 0.01,
        forget_by: str = "user",
        index: SemanticIndex | None = None,
    ) -> None:
        self.ttl_s = ttl_s
        self.forget_by = forget_by
        self.index = index
        self.stats = Stats()
        self.unavailable = ""
        answering = [KEY_FORMAT, forget_by, variant, [identity.digest() for identity in identities]]
        self._answering = _digest(canonical_json(answering))
        # diskcache expands variables too: done here as well, so that both mean the same folder
        self._disk = self._open(Path(os.path.expandvars(directory)).expanduser(), size_limit_bytes, busy_s)

    def key(self, request: Request) -> str:
        """A hash over everything the answer depends on: all of the request but its deadline, and who may answer."""
        covered = canonical_json([self._answering, request.prompt(), request.task, request.scope])
        return hashlib.sha256(covered.encode("utf-8", "surrogatepass")).hexdigest()

    async def get(self, key: str) -> Cached | None:
        """The answer stored under `key`, or None. Raises CacheUnavailable. A hit does not renew the answer."""
        try:
            text = self._database().get(key)
            row = None if text is None else _Row.model_validate_json(text)
        except ValueError:  # a row that we never wrote, or not like this
            self.stats.refused_rows += 1
            with suppress(sqlite3.Error, diskcache.Timeout):
                self._database().delete(key)
            return None
        except (sqlite3.Error, CacheUnavailable) as error:
            self.stats.unavailable += 1
            _raise_typed(error, "read")
        if row is None:
            self.stats.misses += 1
            return None
        age_s = wall() - row.stored_at
        if not 0.0 <= age_s < self.ttl_s:  # an answer from the future was stored under another clock
            self.stats.expired += 1
            return None
        self.stats.hits += 1
        usage = Usage(row.input_tokens, row.output_tokens)
        return Cached(row.text, row.model, usage, timing="unknown", detail=f"stored {age_s:.3f} s ago")

    async def similar(self, request: Request) -> Cached | None:
        """The answer to the same question in other words, everything else being equal. Raises CacheUnavailable."""
        if self.index is None:
            return None
        for key, cosine in self.index.find(self.partition(request), request):
            if cached := await self.get(key):
                self.stats.similar += 1
                return replace(cached, detail=f"{cached.detail}, similarity {cosine:.3f}")
        return None

    async def put(self, key: str, request: Request, completion: Completion | None) -> NotStored | None:
        """Store a complete answer: none, a truncated, an empty or an overlong one is not. Raises CacheUnavailable."""
        tags = {value for name, value in request.scope if name == self.forget_by}
        if completion is None:
            return self._leave_out("there is no answer")
        if unfit := _unfit(completion):
            return self._leave_out(unfit)
        if len(tags) > 1:
            return self._leave_out(f"it has {len(tags)} values of scope {self.forget_by!r}: which one could forget it?")
        usage = completion.usage
        try:
            row = _Row(
                stored_at=wall(),
                text=completion.text,
                model=completion.model,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
            )
            self._database().set(key, row.model_dump_json(), tag=_digest(tags.pop()) if tags else None)
        except ValueError:
            return self._leave_out("it cannot be written as JSON text")
        except (sqlite3.Error, diskcache.Timeout, CacheUnavailable) as error:
            self.stats.not_stored += 1
            _raise_typed(error, "written")
        self.stats.stored += 1
        if self.index is not None:
            self.index.add(self.partition(request), request, key)
        return None

    async def forget(self, scope_name: str, scope_value: str) -> int:
        """Delete every answer stored for `scope_value`; returns how many. Raises BadInput, CacheUnavailable.

        Works for the one scope name the cache was made with. An answer still being made is stored afterwards: stop
        that user's traffic first. Raised halfway, some answers may be gone and some not: call it again.
        """
        if scope_name != self.forget_by:
            raise BadInput(
                f"scope {scope_name!r} cannot be forgotten; this cache was made with forget_by={self.forget_by!r}"
            )
        if self.index is not None:
            self.index.forget(scope_name, scope_value)
        try:
            return int(self._database().evict(_digest(scope_value)))
        except (sqlite3.Error, diskcache.Timeout, CacheUnavailable) as error:
            _raise_typed(error, "cleared of a user's answers")

    def close(self) -> None:
        """Close the database of the calling thread; using the cache again opens it again."""
        if self._disk is not None:
            self._disk.close()

    def partition(self, request: Request) -> str:
        """A hash over everything but the question itself: similar questions may share an answer within one."""
        return self.key(replace(request, messages=(*request.messages[:-1], Message("user", ""))))

    def _leave_out(self, reason: str) -> NotStored:
        self.stats.not_stored += 1
        return NotStored(f"not stored: {reason}")

    def _database(self) -> Any:
        if self._disk is None:
            raise CacheUnavailable(self.unavailable)
        return self._disk

    def _open(self, directory: Path, size_limit_bytes: int, busy_s: float) -> Any:
        """The database, or None with the reason in `unavailable`.

        diskcache tries for a minute to open a locked database, so a connection of our own tries first. Nothing is
        repaired: what SQLite's own check finds wrong is for a person to look at.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = directory.stat().st_mode
        except OSError as error:
            raise BadInput(
                f"{directory} cannot hold the answer cache ({error.strerror}); name a directory that you may write to"
            ) from None
        if mode & 0o077:
            raise BadInput(f"{directory} can be entered by others and will hold users' answers; run chmod 700 on it")
        path = directory / diskcache.core.DBNAME
        try:
            with closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as probe:
                faults = [fault for (fault,) in probe.execute("PRAGMA quick_check(100)") if fault != "ok"]
                if faults:
                    raise sqlite3.DatabaseError(f"{len(faults)} faults found by SQLite's quick check")
                probe.execute("BEGIN IMMEDIATE")
                probe.execute("ROLLBACK")
            return diskcache.Cache(
                str(directory),
                timeout=busy_s,
                disk=_TextDisk,
                size_limit=size_limit_bytes,
                eviction_policy="least-recently-stored",
                statistics=0,
                tag_index=1,
                sqlite_secure_delete=1,
            )
        except (sqlite3.Error, diskcache.Timeout, TypeError) as error:
            self.unavailable = (
                f"{path} cannot be used ({error}); unlock it, free some space or remove it, and start again"
            )
            log.warning("answers are not cached: %s", self.unavailable)
            return None


def _unfit(completion: Completion) -> str:
    """Why a completion must not be given to anybody else, or nothing."""
    if completion.finish_reason != "stop":
        return f"its finish reason is {completion.finish_reason}"
    if not completion.text.strip():
        return "it is empty"
    if len(completion.text) > ANSWER_LIMIT_CHARS:
        return f"it is longer than {ANSWER_LIMIT_CHARS} characters"
    return ""


def _digest(value: str) -> str:
    """A tag that does not spell out whose answer it is."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _raise_typed(error: Exception, what: str) -> NoReturn:
    if isinstance(error, CacheUnavailable):
        raise error
    cause = str(error) or "it is locked or read-only"  # diskcache takes the one for the other
    raise CacheUnavailable(
        f"the answer cache cannot be {what} ({cause}); see who holds its database, or free some space"
    ) from error

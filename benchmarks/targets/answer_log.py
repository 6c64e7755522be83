"""Logs what a running system answers, off the path of its requests: one JSON object a line, as the `log` target reads.

One file, standard library only, for Python 3.8 or later: import it or copy it.

    log = AnswerLog("answers.jsonl")                 # texts=True keeps questions and answers, not only their hashes

    @log.watch                                       # a function, sync or async, whose first argument is the input
    def answer(question): ...                        # returns text, or a mapping with `output`, `model`, `stage`, ...

    with log.call(question, id="r-17") as call:      # or `async with`
        call.output = "".join(pieces)
        call.stage = "cache"

A request pays for a few clock readings and one entry in a queue; a daemon thread does the rest. Nothing here raises
into the caller or waits for the disk: what cannot be logged is counted in `dropped`, and `failure` holds the last
reason. A function that gives its answer in pieces is not watched: log it with `call`.

Two logs are compared by `id`, so give the same `id` to the same request in both. Without one it is the input's hash
and how often this file has had that input, which joins two logs that got the same inputs. Several processes may write
one file if they give ids; without, those after the first get ids that join with nothing, and `failure` says so.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import inspect
import json
import logging
import math
import os
import queue
import re
import stat
import threading
import time
import uuid
import weakref
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from numbers import Real

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

STAGES = ("cache", "small", "large", "call", "direct")
"""What may have answered: a cache, the small or the large model of several, or the one model there is."""

PRIVATE = ("output", "expected")
"""Left out, like the input, unless texts are asked for."""

COUNTS = ("input_tokens", "output_tokens")
NUMBERS = (*COUNTS, "cost_usd", "latency_ms")
FIELDS = (*PRIVATE, *NUMBERS, "model", "stage", "error")
"""What a mapping that a watched function returns may tell, and the attributes of a call."""

INPUTS_COUNTED = 100_000
"""Inputs whose occurrences are counted for ids, each about 150 bytes; ids of inputs beyond join with nothing."""

SHARED = (
    "an id that joins logs: another process or AnswerLog writes this file too; pass `id`, or give each its own file"
)
"""The failure where ids are left to logs that cannot count each other's inputs."""

_OWN_ID = re.compile(rb'^\{"id": "([0-9a-f]{16})-([0-9]{1,9})"')
_LOGS: weakref.WeakSet[AnswerLog] = weakref.WeakSet()


class Call:
    """One request that is being answered. Set what is known of it; what is left at None is not known."""

    output: Any = None
    expected: Any = None
    model: str | None = None
    stage: str | None = None  # one of STAGES
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None  # in the place of what is measured around the call
    error: str | None = None

    def __init__(self, log: AnswerLog, text: Any, id: Any, session_id: Any) -> None:  # noqa: A002
        self._log = log
        self._asked = (text, id, session_id)
        self._wall = time.time()
        self._begun = time.perf_counter()

    def __enter__(self) -> Call:  # Self is Python 3.11's
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        seconds = time.perf_counter() - self._begun
        self._log._put(self._asked, self._wall, seconds, vars(self), error)  # noqa: SLF001

    async def __aenter__(self) -> Call:
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.__exit__(kind, error, trace)


class AnswerLog:
    """Appends to the file `path`. At most `capacity` rows wait to be written; more are dropped and counted."""

    def __init__(self, path: str | os.PathLike[str], *, texts: bool = False, capacity: int = 10_000) -> None:
        self.failure = ""
        """Why a row, or a field of it, was last not logged. Holds no question and no answer."""
        self._path = path
        self._texts = texts
        self._capacity = capacity
        self._closed = False
        self._start_over()
        _LOGS.add(self)
        atexit.register(self.close)

    def _start_over(self) -> None:
        """As if nothing had been logged: at first, and in a forked process, which has none of our threads."""
        self._dropped = 0
        self._lock = threading.RLock()
        self._rows: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Rows that were not logged: too many were waiting, the disk failed, or they could not be written as JSON."""
        return self._dropped

    def watch(self, function: F) -> F:
        """The same function, every call of it logged. A first parameter `self` is not the input, the next one is.

        Keyword arguments `id` and `session_id` that it is called with are logged too.
        """
        try:
            names = list(inspect.signature(function).parameters)
        except (TypeError, ValueError):
            names = []
        place = 1 if names[:1] in (["self"], ["cls"]) else 0
        name = names[place] if len(names) > place else ""

        def begin(args: tuple[Any, ...], given: dict[str, Any]) -> Call:
            text = args[place] if len(args) > place else given.get(name)
            return self.call(text, id=given.get("id"), session_id=given.get("session_id"))

        def end(call: Call, result: Any, error: BaseException | None) -> None:
            seconds = time.perf_counter() - call._begun  # noqa: SLF001
            self._put(call._asked, call._wall, seconds, result, error)  # noqa: SLF001

        if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004

            @functools.wraps(function)
            async def watched(*args: Any, **given: Any) -> Any:
                call = begin(args, given)
                try:
                    result = await function(*args, **given)
                except BaseException as error:
                    end(call, None, error)
                    raise
                end(call, result, None)
                return result
        else:

            @functools.wraps(function)
            def watched(*args: Any, **given: Any) -> Any:
                call = begin(args, given)
                try:
                    result = function(*args, **given)
                except BaseException as error:
                    end(call, None, error)
                    raise
                end(call, result, None)
                return result

        return watched  # type: ignore[return-value]

    def call(self, input: Any, *, id: str | None = None, session_id: str | None = None) -> Call:  # noqa: A002
        """A context manager around one request, `with` or `async with`. An input that is no text is logged as JSON."""
        try:
            if not isinstance(input, str):
                input = json.dumps(input, ensure_ascii=False, sort_keys=True)  # noqa: A001  # now, before it changes
        except Exception:
            input = None  # noqa: A001
        return Call(self, input, id, session_id)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, for at most `timeout_s` seconds; what comes afterwards is dropped. Done at exit too."""
        with self._lock:
            first, self._closed = not self._closed, True
            thread = self._thread
        atexit.unregister(self.close)
        if thread is not None and thread.is_alive():
            if first:  # two ends in the queue would each wait for the other to come last
                self._rows.put(None)
            thread.join(timeout_s)

    def _put(self, asked: Any, wall: float, seconds: float, result: Any, error: BaseException | None) -> None:
        """Never raises, never waits."""
        try:
            if inspect.isawaitable(result) or hasattr(result, "__next__") or hasattr(result, "__anext__"):
                self._drop(f"a watched function gave {type(result).__name__}, not an answer; log it with `call`")
                return
            told = result if isinstance(result, Mapping) else {"output": result}
            fields = {name: told[name] for name in FIELDS if name in told}
            for name in PRIVATE:
                if not self._texts:
                    fields.pop(name, None)
                elif not isinstance(fields.get(name, ""), str):
                    fields[name] = self._copied(name, fields[name])
            if error is not None:
                text = str(error) if self._texts else ""
                fields["error"] = f"{type(error).__name__}: {text}" if text else type(error).__name__
            if self._closed or self._rows.qsize() >= self._capacity:
                self._drop("the log is closed" if self._closed else "more rows are waiting than its capacity")
                return
            if self._thread is None:
                self._start()
            self._rows.put((asked, wall, seconds, fields))
        except Exception as failure:
            self._drop(type(failure).__name__)

    def _copied(self, name: str, value: Any) -> Any:
        """As it is now, before the caller changes it; None where it is nothing that JSON has."""
        try:
            return json.loads(json.dumps(value, allow_nan=False))
        except Exception:
            what = "answer" if name == "output" else f"`{name}` field"
            self._tell(f"the {what} is of type {type(value).__name__}, not text; return text or set call.{name}")
            return None

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._write, args=(self._rows,), name="answer log", daemon=True)
                thread.start()
                self._thread = thread

    def _drop(self, why: str) -> None:
        with self._lock:
            self._dropped += 1
        self._tell(why)

    def _tell(self, why: str) -> None:
        first, self.failure = not self.failure, why
        if first:
            with suppress(Exception):  # a handler of the caller's own
                logging.getLogger("answer_log").warning("not logged: %s; `failure` and `dropped` tell more", why)

    def _write(self, rows: queue.SimpleQueue[Any]) -> None:
        """What the thread does: open the file at the first row, and write until there is None."""
        file: _File | None = None
        while True:
            row = rows.get()
            if row is None and rows.empty():
                break
            if row is None:  # some came while the log was being closed
                rows.put(None)
                continue
            try:
                file = file or _File(self._path)
                file.append(self._line(file, *row))
            except Exception as failure:  # an OSError tells the path; other messages could quote a text
                self._drop(str(failure) if isinstance(failure, OSError) else type(failure).__name__)
        if file:
            file.close()

    def _line(self, file: _File, asked: Any, wall: float, seconds: float, told: dict[str, Any]) -> bytes:
        text, own, session_id = asked
        digest = "" if text is None else hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        row: dict[str, Any] = {"id": file.identify(digest) if own in (None, "") else str(own)}
        if own in (None, "") and not file.alone:
            self._tell(SHARED)
        millis = int(wall * 1000)
        row["timestamp"] = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(millis // 1000))}.{millis % 1000:03d}Z"
        if session_id is not None:
            row["session_id"] = str(session_id)
        if digest:
            row.update({"input": text} if self._texts else {"input_sha256": digest})
        row.update({name: told[name] for name in PRIVATE if told.get(name) is not None})
        if isinstance(told.get("model"), str):
            row["model"] = told["model"]
        if told.get("stage") in STAGES:
            row["stage"] = told["stage"]
        elif told.get("stage") is not None:
            self._tell(f"a stage that is none of {', '.join(STAGES)}")
        row["latency_ms"] = round(seconds * 1000, 6)
        for name in NUMBERS:
            number = _number(told.get(name))
            if number is not None and (name not in COUNTS or number.is_integer()):
                row[name] = int(number) if name in COUNTS else number
        if told.get("error"):
            row["error"] = str(told["error"]) if self._texts else _word(str(told["error"]))
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        return line.encode("utf-8", "replace") + b"\n"


class _File:
    """The file, opened to append: each row is one write. Counts the inputs that it holds, for the rows' ids."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._counts: dict[str, int] = {}
        self.alone = self._lock()
        self._torn = False
        if not stat.S_ISREG(os.fstat(self._number).st_mode):
            return
        with open(path, "rb") as file:  # noqa: PTH123
            for line in file if self.alone else ():
                self._torn = not line.endswith(b"\n")
                found = _OWN_ID.match(line)
                if found and len(self._counts) < INPUTS_COUNTED:
                    digest = found.group(1).decode()
                    self._counts[digest] = max(self._counts.get(digest, 0), int(found.group(2)))

    def _lock(self) -> bool:
        """Whether no other process writes it, as far as that can be told: two must not count the same inputs."""
        try:
            if fcntl:
                fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def identify(self, digest: str) -> str:
        """An id that no other row of the file has."""
        short = digest[:16]
        if not (self.alone and short) or (short not in self._counts and len(self._counts) >= INPUTS_COUNTED):
            return f"{short or 'unknown'}-{uuid.uuid4().hex}"
        self._counts[short] = count = self._counts.get(short, 0) + 1
        return f"{short}-{count}"

    def append(self, line: bytes) -> None:
        """Raises `OSError`. After half a line (full disk, killed process) the next one begins on a line of its own."""
        line = b"\n" + line if self._torn else line
        written = os.write(self._number, line)
        if written:
            self._torn = written < len(line)
        if written < len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written to {self._path}")

    def close(self) -> None:
        os.close(self._number)


def _number(value: Any) -> float | None:
    """A finite number of 0 or more; anything else is not known."""
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return None
    number = float(value)
    return number if number >= 0 and math.isfinite(number) else None


def _word(error: str) -> str:
    """The name that an error begins with: the rest may quote a question."""
    name = error.partition(":")[0]
    return name if name.isidentifier() else "error"


def _forked() -> None:
    for log in list(_LOGS):
        log._start_over()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)

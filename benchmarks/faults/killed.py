"""`crossover serve` killed (SIGKILL) in the middle of its writes and started again on the same cache: real processes.

Clients ask a server over loopback until it dies, again and again. Legacy is killed at the moment in which its database
grows. What is then on disk is examined on a copy, and the next server has to open it as it was left. The models replay
recordings, so that the one right answer to every question is known. Direct keeps nothing: there is nothing to damage.

Of either pipeline, what was under way dies with the process: those clients see a broken connection, which our own
client (`shared/backends/http.py`) raises as BackendUnavailable. A write that was cut off is as good as none.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias, cast

from aiohttp import ClientError, ClientSession, ClientTimeout

from benchmarks import scenario as scenarios
from benchmarks.faults import oracle
from benchmarks.faults.assembly import DATABASE
from benchmarks.faults.cell import Arm, Cell
from benchmarks.faults.oracle import Ended, tally
from benchmarks.progress import Progress
from benchmarks.scenario import Scenario
from benchmarks.systems import Legacy
from benchmarks.targets.builtin import open_legacy, open_target
from benchmarks.workloads.workload import load
from legacy_pipeline.app import build
from legacy_pipeline.pipeline import LegacyPipeline
from shared.contract import Answer, Completion, Pipeline, Request
from shared.errors import BackendUnavailable, BadInput
from shared.run import answer
from shared.serving.wire import parsed
from shared.steps import Background, Outcome, Step

CLIENTS: Final = 8
QUESTIONS: Final = 40
REPEATED: Final = 0.3
"""Share of questions that are asked twice."""
ASKED_AGAIN: Final = 10
"""How many answers a new server is asked for first."""
START_S: Final = 60.0
DEADLINE_S: Final = 30.0
TICK_S: Final = 1.0
"""In real time a machine may be busy: a request is late a second after its deadline."""
ANSWERS: Final = (20, 80)
"""How many answers a server gives before it is killed, at least and at most."""
AIM_S: Final = 0.05
"""How long the database is watched for a write; without one the server is killed all the same."""
Process: TypeAlias = "subprocess.Popen[str]"

SCENARIO: Final = """\
[legacy]
kind = "builtin"
small = "recorded:qwen-0.5b"
small_hardware = "hc1"
large = "recorded:qwen-1.5b"
large_hardware = "hc1"
[direct]
kind = "builtin"
model = "recorded:qwen-0.5b-burnt-3-6"
"""
"""The default models, all on the fastest hardware there is, so that they answer in milliseconds."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One request: which question, for which user, whether it had been asked before, and what came of it when.

    `ended_at` is on the host's monotonic clock.
    """

    question: int
    user: str
    repeat: bool
    ended: Ended
    ended_at: float

    @property
    def cached(self) -> bool:
        """Whether the answer came from the cache, and so had been stored: a shared call's need not be yet."""
        return any((step.kind, step.outcome) == ("cache", "ok") for step in self.ended.steps)


class Ask(Protocol):
    """Asks a question as a user, and never raises."""

    async def __call__(self, question: int, user: str, *, repeat: bool) -> Sent: ...


@dataclass(frozen=True, slots=True)
class Disk:
    """What a killed server left: whether it was in the middle of a write, and what SQLite finds wrong, if anything."""

    unfinished: bool
    fault: str


@dataclass(slots=True)
class Lives:
    """All that happened to one arm. `usual` has the answer to each question where nothing is killed.

    `sent` are the requests to servers that were killed, `under_way` those of them that had not ended when it happened,
    `after` what the next server was asked first: answers given before and, where there is a cache, from there. `rows`
    are the texts in the database after the last kill by key, `expected` what those keys' questions have for an answer.
    """

    caches: bool
    usual: list[Answer] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    under_way: list[Sent] = field(default_factory=list)
    after: list[Sent] = field(default_factory=list)
    disks: list[Disk] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)

    def judged(self, sent: Sequence[Sent]) -> list[oracle.Sent]:
        """Each request with its usual answer, which comes from the cache where it had been asked before."""
        found = []
        for each in sent:
            usual = self.usual[each.question]
            kept = self.caches and each.repeat and usual.completion.finish_reason == "stop"
            found.append(oracle.Sent(each.ended, replace(usual, steps=()) if kept else usual, {usual.text}))
        return found

    def damage(self) -> dict[str, int]:
        """What is on disk and must not be, as ways to be wrong or lost: rows of another text, damaged databases."""
        rows = sum(self.expected.get(key) != text for key, text in self.rows.items())
        disks = sum(bool(disk.fault) for disk in self.disks)
        found = {"wrong: a stored row holds another text": rows, "lost: the database is damaged": disks}
        return {what: count for what, count in found.items() if count}


def cells(*, kills: int = 3, seed: int = 7) -> list[Cell]:
    """A cell for each pipeline: what became of requests under way in so many kills, and of those asked afterwards."""
    return [cell("legacy", lives("legacy", kills, seed)), cell("direct", lives("direct", kills, seed))]


def cell(arm: Arm, seen: Lives) -> Cell:
    """The cell of these lives. What is damaged on disk counts among what came after, and breaks it."""
    sent, after = seen.judged(seen.under_way), seen.judged(seen.after)
    found, damage = tally(arm, "killed", "process", sent, tick_s=TICK_S, after=after, played="process"), seen.damage()
    return replace(found, after=found.after + sum(damage.values()), lingering={**found.lingering, **damage})


def lives(arm: Arm, kills: int, seed: int) -> Lives:
    """Kill a server of the arm so many times. Raises `BadInput` where one does not start."""
    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch, Progress(f"{arm}: kills", kills) as progress:
        drawn = random.Random(seed)  # noqa: S311  # a seed; what the machine does meanwhile has none
        return asyncio.run(_live(arm, Path(scratch), kills, drawn, progress))


async def _live(arm: Arm, scratch: Path, kills: int, drawn: random.Random, progress: Progress) -> Lives:
    file, cache, seen = scratch / "scenario.toml", scratch / "cache", Lives(caches=arm == "legacy")
    file.write_text(SCENARIO, "utf-8")
    scenario = scenarios.load(file)
    pipeline = _pipeline(scenario, arm, scratch / "usual")
    bodies = [_body(arm, request) for request in _questions(scenario.workload_folder)]
    background = Background()
    for body in bodies:
        seen.usual.append(await answer(pipeline, _request(body, "nobody"), background))
    await background.drain()
    command = [sys.executable, "-m", "benchmarks", "serve", arm, str(file), "--port", "0"]
    command += ["--cache", str(cache)] if arm == "legacy" else []
    async with ClientSession(timeout=ClientTimeout(total=2 * DEADLINE_S)) as session:
        for life in range(kills + 1):
            with _server(command, scratch) as (process, url):
                ask = partial(_ask, session, url, bodies)
                known = [each for each in seen.sent if (each.cached if seen.caches else each.ended.answer)]
                for each in drawn.sample(known, min(ASKED_AGAIN, len(known))):
                    seen.after.append(await ask(each.question, each.user, repeat=True))
                if life == kills:
                    break
                sent: list[Sent] = []
                names = [f"{life}.{client}" for client in range(CLIENTS)]
                asking = [asyncio.create_task(_client(ask, name, drawn.random(), sent)) for name in names]
                await _until(sent, drawn.randint(*ANSWERS))
                struck_at = time.monotonic()
                _strike(process, cache)
                await asyncio.gather(*asking)
            seen.sent += sent
            seen.under_way += [each for each in sent if each.ended_at >= struck_at]
            if seen.caches:
                disk, seen.rows = _examine(cache, scratch / "copy")
                seen.disks.append(disk)
            progress.step()
    if isinstance(pipeline, LegacyPipeline):
        for each in seen.sent:
            key = pipeline.cache.key(_request(bodies[each.question], each.user))
            seen.expected[key] = seen.usual[each.question].text
    await pipeline.aclose()
    return seen


def _pipeline(scenario: Scenario, arm: Arm, cache: Path) -> Pipeline:
    """What the server serves, in this process and without what a harness puts around it."""
    if arm == "direct" or not isinstance(scenario.legacy, Legacy):
        return open_target(arm, scenario, cache).pipeline
    parts = open_legacy(scenario)
    return build(cache, parts.classifier, parts.small, parts.large, scenario.legacy.settings)


def _questions(folder: Path) -> list[Request]:
    workload = load(folder)
    return [workload.request(item) for item in workload.split("test")[:QUESTIONS]]


def _body(arm: Arm, request: Request) -> dict[str, Any]:
    """The request as a client sends it."""
    form = {} if request.response_format is None else {"response_format": json.loads(request.response_format)}
    return {
        "model": arm,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "metadata": {"task": request.task},
    } | form


def _request(body: dict[str, Any], user: str) -> Request:
    """The request as the server understands it."""
    return parsed(json.dumps(body | {"user": user}).encode()).request(DEADLINE_S)


@contextmanager
def _server(command: Sequence[str], scratch: Path) -> Iterator[tuple[Process, str]]:
    """A server that is up, and its base URL; killed in the end, if it still lives. It cannot tidy up `scratch` then."""
    environment = os.environ | {"TMPDIR": str(scratch)}
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            if process.stdout is None or process.stderr is None:
                raise AssertionError("both were asked for")
            select.select([process.stdout], [], [], START_S)
            line = process.stdout.readline()
            if not line.startswith("serving on "):
                said = process.stderr.read().strip()
                raise BadInput(f"the server to be killed did not start ({said}); see that `crossover serve` works")
            yield process, line.split()[-1]
        finally:
            process.kill()


async def _until(sent: Sequence[Sent], count: int) -> None:
    """Wait until so many requests have ended."""
    begun = time.monotonic()
    while len(sent) < count:
        if time.monotonic() - begun > START_S:
            raise BadInput(f"the server to be killed gave {len(sent)} answers in {START_S:g} s; see what ails it")
        await asyncio.sleep(0.001)


async def _client(ask: Ask, name: str, seed: float, sent: list[Sent]) -> None:
    """Asks until nobody answers any more, some questions twice: what comes from the cache had been stored."""
    drawn = random.Random(seed)  # noqa: S311
    alive, asked = True, 0
    while alive:
        question, user, asked = drawn.randrange(QUESTIONS), f"{name}.{asked}", asked + 1
        for repeat in (False, True) if drawn.random() < REPEATED else (False,):
            got = await ask(question, user, repeat=repeat)
            sent.append(got)
            alive = got.ended.answer is not None
            if not alive:
                break


async def _ask(
    session: ClientSession, url: str, bodies: Sequence[dict[str, Any]], question: int, user: str, *, repeat: bool
) -> Sent:
    begun = time.monotonic()
    got: Answer | None = None
    error = untyped = ""
    try:
        async with session.post(f"{url}/chat/completions", json=bodies[question] | {"user": user}) as response:
            told = await response.json()
            if response.status == 200:
                text = told["choices"][0]["message"]["content"]
                got = Answer(Completion(text, told["model"]), _steps(response.headers["x-crossover-steps"]), 0.0, 0.0)
            else:
                error = f"status {response.status}"
    except (ClientError, ConnectionError):
        error = BackendUnavailable.__name__
    except Exception as other:
        untyped = type(other).__name__
    ended_at = time.monotonic()
    steps = got.steps if got else ()
    ended = Ended(ended_at - begun, DEADLINE_S, steps=steps, answer=got, error=error, untyped=untyped)
    return Sent(question, user, repeat, ended, ended_at)


def _steps(header: str) -> list[Step]:
    pairs = [each.split("=") for each in header.split(";")]
    return [Step(kind, cast("Outcome", outcome), 0.0, 0.0) for kind, outcome in pairs]


def _strike(process: Process, cache: Path) -> None:
    """Kill it the moment its database's log grows. Nothing else happens in this process meanwhile, or it would miss."""
    log = cache / f"{DATABASE}-wal"
    aimed_at = time.monotonic()
    size = _size(log)
    while _size(log) == size and time.monotonic() - aimed_at < AIM_S:
        pass
    process.kill()


def _size(file: Path) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116  # a microsecond counts
    except FileNotFoundError:
        return 0


def _examine(cache: Path, copy: Path) -> tuple[Disk, dict[str, str]]:
    """What is on disk, and the stored texts by key. On a copy: to open a database mends it."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for file in cache.glob(f"{DATABASE}*"):
        if not file.name.endswith("-shm"):  # the memory that the dead process shared
            shutil.copy(file, copy)
    unfinished, fault, rows = _is_unfinished(copy / f"{DATABASE}-wal"), "", {}
    try:
        with closing(sqlite3.connect(copy / DATABASE)) as database:
            found = [line for (line,) in database.execute("PRAGMA integrity_check(10)") if line != "ok"]
            fault = "; ".join(found)
            rows = {key: json.loads(value)["text"] for key, value in database.execute("SELECT key, value FROM Cache")}
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
        fault = f"{type(error).__name__}: {error}"
    return Disk(unfinished, fault), rows


def _is_unfinished(log: Path) -> bool:
    """Whether SQLite's write-ahead log ends in frames that no commit frame follows, or in part of a frame.

    https://www.sqlite.org/fileformat2.html#the_write_ahead_log: a header of 32 bytes with the page size at 8 and two
    salts at 16; frames of 24 bytes and a page, with the database's size at 4 in those that commit, and the salts at 8.
    """
    data = log.read_bytes() if log.exists() else b""
    if len(data) < 32:
        return len(data) > 0
    frame = 24 + struct.unpack_from(">I", data, 8)[0]
    place, committed = 32, True
    while place + frame <= len(data) and data[place + 8 : place + 16] == data[16:24]:
        committed = struct.unpack_from(">I", data, place + 4)[0] > 0
        place += frame
    return not committed or place + frame > len(data) > place

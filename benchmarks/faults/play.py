"""The matrix in virtual time: seeded traffic over the default preset, with one fault in one place for a while.

Each run has three parts: a healthy one that warms the cache, one with the fault, and one after it. Every third request
is streamed. Deadline and settings are the defaults: 30 s for an answer, 10 s for the small model's first word. What the
code itself takes is not charged, so a cache hit takes no time here. Next: `oracle.py` (what became of a request).
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, aclosing, closing
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias, cast

import diskcache

from benchmarks.faults import parts
from benchmarks.faults.calls import Calls, CountedBackend
from benchmarks.faults.catalogue import Fault
from benchmarks.faults.cell import Arm, Cell, Place
from benchmarks.faults.ground import (
    BROKEN,
    DEADLINE_S,
    WARM,
    Ground,
    Script,
    crowd,
    leavers,
    spread,
    stampede,
)  # fmt: skip
from benchmarks.faults.oracle import Ended, Sent, tally
from benchmarks.targets.builtin import open_classifier
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.cascade import Cascade
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.settings import Settings
from shared import clock
from shared.backends.faulty import FaultyBackend
from shared.clock import now, sleep_until
from shared.contract import Answer, Backend, Pipeline, Request
from shared.errors import BadInput, CrossoverError
from shared.run import answer, stream
from shared.steps import Background, Step

TICK_S: Final = 0.001
"""How long after its deadline a request may end: one scheduling tick. The virtual clock itself has no delay."""
STREAMED: Final = 3
"""One request in so many is streamed, the others are asked for whole."""
LOST_S: Final = 60.0
"""How long after its deadline a request is given up as lost."""
AT_START: Final = frozenset(
    {"cache-locked-at-start", "cache-read-only-at-start", "classifier-missing", "classifier-version"}
)
"""Faults that show when a process starts: the pipeline is closed and built again over the same cache."""
PLACES: Final[dict[str, tuple[tuple[Arm, Place], ...]]] = {
    "backend": (("legacy", "small"), ("legacy", "large"), ("direct", "call")),
    "cache": (("legacy", "cache"),),
    "classifier": (("legacy", "classifier"),),
    "process": (("legacy", "process"), ("direct", "process")),
}
"""Where a part's faults can strike. The direct pipeline has no cache, no classifier and one model."""

LOAD: Final = frozenset({"stampede", "ten-times-the-load"})
"""Faults that are more requests than usual: how many of them a model serves at once is assumed, so all of the range is
played.
"""
Known: TypeAlias = dict[tuple[Arm, int, bool], list[Ended]]
"""Runs without a fault, by arm, seed and whether the script is that of a stampede."""


def places(fault: Fault) -> tuple[tuple[Arm, Place], ...]:
    """Every arm and place that a fault is played in."""
    return PLACES[fault.part]


def cells(ground: Ground, faults: Sequence[Fault], seeds: Sequence[int]) -> Iterator[Cell]:
    """One cell for each fault and place, in the order of the catalogue, over all seeds together."""
    usual: Known = {}
    for fault in faults:
        if fault.name == "killed":
            continue  # a real process: `killed.py`
        for arm, place in places(fault):
            cell = _cell(ground, arm, fault, place, seeds, usual)
            yield cell
            if fault.name in LOAD:
                assumed, others = ground.at_once(arm)
                for at_once in others:
                    played = cell if at_once == assumed else _cell(ground, arm, fault, place, seeds, usual, at_once)
                    yield replace(played, at_once=at_once)


def _cell(
    ground: Ground,
    arm: Arm,
    fault: Fault,
    place: Place,
    seeds: Sequence[int],
    usual: Known,
    at_once: int | None = None,
) -> Cell:
    runs = [_play(ground, arm, fault, place, seed, usual, at_once) for seed in seeds]
    cell = tally(
        arm,
        fault.name,
        place,
        [sent for run in runs for sent in run.sent[WARM : WARM + BROKEN]],
        tick_s=TICK_S,
        after=[sent for run in runs for sent in run.sent[WARM + BROKEN :]],
    )
    return replace(cell, calls=sum(run.calls for run in runs), abandoned=sum(run.abandoned for run in runs))


class Played(NamedTuple):
    """One run: all of its requests, and of its model calls those begun during the fault and those left running."""

    sent: list[Sent]
    calls: int
    abandoned: int


def _play(
    ground: Ground, arm: Arm, fault: Fault, place: Place, seed: int, known: Known, at_once: int | None = None
) -> Played:
    """One run with the fault beside the same without it, which is played once for all faults."""
    script = ground.script(seed)
    plain = script
    if fault.name == "stampede":
        script = stampede(script, seed)
        plain = spread(script, plain.due_s)
    key = (arm, seed, fault.name == "stampede")
    if key not in known:
        known[key] = _Run(ground, arm, None, "process", plain, seed).played()
    usual = known[key]
    if fault.name == "ten-times-the-load":
        script = crowd(script)
    elif fault.name == "cancelled-client":
        script = leavers(script, [ended.seconds for ended in usual], seed)
    run = _Run(ground, arm, fault, place, script, seed, at_once)
    sent = []
    for number, (ended, each, question) in enumerate(zip(run.played(), usual, script.questions, strict=True)):
        uncounted = place if fault.name == "no-token-counts" and WARM <= number < WARM + BROKEN else ""
        planted = _planted(ground, fault, question)
        sent.append(Sent(ended, _answered(each), ground.healthy[arm][question], planted, uncounted))
    return Played(sent, run.calls.begun, run.calls.abandoned)


def _planted(ground: Ground, fault: Fault, question: str) -> frozenset[str]:
    """What a fault that nothing shows puts in the place of this question's answer."""
    if fault.detectable:
        return frozenset()
    return frozenset([parts.ALTERED]) if fault.part == "cache" else ground.others[question]


def _answered(usual: Ended) -> Answer:
    if usual.answer is None:
        raise BadInput(
            f"a request fails without any fault ({usual.error or usual.untyped}); the matrix needs a well one"
        )
    return usual.answer


class _Run:
    """One pipeline over one script on a clock of its own, broken in its middle part if there is a fault."""

    def __init__(
        self,
        ground: Ground,
        arm: Arm,
        fault: Fault | None,
        place: Place,
        script: Script,
        seed: int,
        at_once: int | None = None,
    ) -> None:
        self._ground, self._arm, self._fault, self._place = ground, arm, fault, place
        self._script, self._seed, self._at_once = script, seed, at_once
        self._is_broken = False
        self._refused = ""
        self._background = Background()
        self.calls = Calls(TICK_S, lambda: self._is_broken)
        self._tasks: list[asyncio.Task[Ended]] = []
        self._part: parts.BrokenCache | parts.BrokenCascade | None = None

    def played(self) -> list[Ended]:
        """How each request ended."""
        with tempfile.TemporaryDirectory(prefix="crossover-faults-") as folder:
            self._folder = Path(folder)
            self._database = self._folder / "cache" / diskcache.core.DBNAME
            ended = clock.run(self._play(), virtual=True)
        if parts.unpickled:
            raise RuntimeError("a planted pickle was loaded: the cache runs code out of its database")
        return ended

    async def _play(self) -> list[Ended]:
        self._pipeline = self._open(self._ground.classifier)
        begun = now()
        for number, due_s in enumerate(self._script.due_s):
            if self._fault and number in (WARM, WARM + BROKEN):
                await sleep_until(begun + due_s)
                await self._switch(broken=number == WARM)
            await sleep_until(begun + due_s)
            self._tasks.append(asyncio.create_task(self._ask(number)))
        ended = list(await asyncio.gather(*self._tasks))
        await self._background.drain()
        await self._pipeline.aclose()
        return ended

    async def _switch(self, *, broken: bool) -> None:
        """Begin or end the fault. What shows only when a process starts is a restart over the same cache."""
        self._is_broken = broken
        if self._part:
            self._part.begin() if broken else self._part.end()
        if self._fault and self._fault.name in AT_START:
            await asyncio.gather(*self._tasks)
            await self._background.drain()
            await self._pipeline.aclose()
            self._refused = ""
            with ExitStack() as while_it_starts:
                try:
                    classifier = self._found(self._fault.name, while_it_starts) if broken else self._ground.classifier
                except BadInput as refused:
                    self._refused, classifier = type(refused).__name__, None
                self._pipeline = self._open(classifier)

    def _found(self, fault: str, while_it_starts: ExitStack) -> Classifier | None:
        """The classifier that a process finds when it starts while there is this fault. Raises `BadInput`."""
        small, large = (self._ground.models[kind].identity for kind in ("small", "large"))
        if fault == "classifier-missing":
            return open_classifier(small, large, self._folder)[0]
        if fault == "classifier-version":
            return open_classifier(replace(small, version="0" * 64), large)[0]
        if fault == "cache-read-only-at-start":
            while_it_starts.enter_context(parts.read_only(self._database))
            return self._ground.classifier
        other = while_it_starts.enter_context(closing(sqlite3.connect(self._database, isolation_level=None)))
        other.execute("BEGIN EXCLUSIVE")
        return self._ground.classifier

    def _open(self, classifier: Classifier | None) -> Pipeline:
        if self._arm == "direct":
            return DirectPipeline(self._backend("call"))
        settings = Settings()
        pipeline = build(self._database.parent, classifier, self._backend("small"), self._backend("large"), settings)
        name = self._fault.name if self._fault else ""
        if name in parts.CACHE_FAULTS:
            self._part = parts.BrokenCache(pipeline.cache, self._database, name, seed=self._seed)
            pipeline.cache = cast("AnswerCache", self._part)
        elif name in parts.CLASSIFIER_FAULTS:
            self._part = parts.BrokenCascade(pipeline.cascade, self._ground.classifier, settings, name)
            pipeline.cascade = cast("Cascade", self._part)
        return pipeline

    def _backend(self, kind: str) -> Backend:
        backend: Backend = self._ground.backend(kind, self._at_once)
        if self._fault and self._place == kind:
            other = self._ground.backend(kind, other=True)
            backend = FaultyBackend(
                backend, self._fault.name, seed=self._seed, when=lambda: self._is_broken, other=other
            )
        return CountedBackend(backend, self.calls)

    async def _ask(self, number: int) -> Ended:
        request, leave_s = self._ground.requests[self._script.questions[number]], self._script.leave_s[number]
        if self._refused:
            return Ended(0.0, DEADLINE_S, error=self._refused)
        begun, got, error, untyped = now(), None, "", ""
        steps: Sequence[Step] = ()
        try:
            patience_s = request.deadline_s + LOST_S if leave_s is None else leave_s
            with self.calls.client(request):
                async with asyncio.timeout(patience_s) as patience:
                    got = await consume(self._pipeline, request, self._background, streamed=number % STREAMED == 0)
            steps = got.steps
        except CrossoverError as caught:
            error, steps = type(caught).__name__, caught.steps
        except Exception as caught:  # an error without a type of ours is none
            untyped = type(caught).__name__
        left = leave_s is not None and patience.expired()
        return Ended(now() - begun, request.deadline_s, steps, got, error, untyped, left)


async def consume(pipeline: Pipeline, request: Request, background: Background, *, streamed: bool) -> Answer:
    """The answer, taken whole, or piece by piece: its text is then what the client saw. Raises a `CrossoverError`."""
    if not streamed:
        return await answer(pipeline, request, background)
    pieces: list[str] = []
    async with aclosing(stream(pipeline, request, background)) as items:
        async for item in items:
            if isinstance(item, Answer):
                return replace(item, completion=replace(item.completion, text="".join(pieces)))
            pieces.append(item)
    raise RuntimeError("a stream ended without its answer")

"""The matrix on the wire: the faults of backends that sockets can play, through the real parsers, in real time.

A fault of the catalogue is played in every form that it takes on a wire (`FORMS`), whole and streamed, through
`shared/backends/http.py` and `shared/backends/litellm.py`, in each model's place of both pipelines. The models' texts
are made up: only what becomes of a request is asked, and that is judged as in virtual time (`oracle.py`). On a machine
that is very busy some counts may differ from run to run; that nothing is wrong, lost or late may not.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.cell import Arm, Cell, Place
from benchmarks.faults.faulty_server import ALIASED, ANOTHER, STREAMED_ONLY, FaultyServer
from benchmarks.faults.oracle import Ended, Sent, tally
from benchmarks.faults.play import consume
from benchmarks.progress import Progress
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.app import build
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.settings import Settings
from shared.backends.http import HttpBackend
from shared.backends.litellm import LiteLLMBackend, library
from shared.clock import now
from shared.contract import Answer, Backend, Completion, Message, Pipeline, Request
from shared.errors import BackendError, CrossoverError
from shared.steps import Background, Step

SILENT: Final = frozenset({"hang", "slow-first-token", "stalled-stream"})
"""Faults after which a model says nothing for longer than anybody here waits."""
DEADLINE_S: Final = 0.6
"""The deadline under those; under the others it is `PATIENT_S`, so that how fast the machine is decides nothing."""
SMALL_LIMIT_S: Final = 0.2
"""Seconds to the small model's first word under those; under the others the default."""
SLOW_S: Final = 12.0
"""Seconds to the first byte of a slow answer: later than any deadline here and its tick."""
TICK_S: Final = 10.0
"""How long after its deadline a request may end. Generous: another process may hold the processor for so long."""
LOST_S: Final = 30.0
"""How long after its deadline a request is given up as lost."""
PATIENT_S: Final = 30.0
"""The deadline of all other requests."""
AT_ONCE: Final = 12
PROVIDER: Final = "lm_studio"
"""One of LiteLLM's names for any OpenAI-compatible endpoint, and one that wants no key."""

FORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "hang": ("silence", "stalled after the head"),
    "slow-first-token": ("slow first byte",),
    "stalled-stream": ("stalled in the body",),
    "truncated-stream": ("stream ends early", "event that is no JSON"),
    "429": ("429",),
    "429-retry-after": ("429 with seconds", "429 with a date"),
    "500": ("500 in HTML",),
    "reset": ("reset at once",),
    "reset-midway": ("reset in the body", "truncated body"),
    "malformed": ("malformed JSON", "error object"),
    "empty": ("empty 200", "empty text"),
    "other-model": ("another model", ALIASED),
    "other-model-named": ("another model by its name",),
    "no-token-counts": ("no token counts", "no [DONE]"),
    "overlong": ("very long answer",),
}
"""By name in the catalogue: what `faulty_server.py` sends. Forms of one fault are those that parsers see alike."""
PARSERS: Final[tuple[Literal["http"], Literal["litellm"]]] = ("http", "litellm")
PLACES: Final[tuple[tuple[Arm, Place], ...]] = (("legacy", "small"), ("legacy", "large"), ("direct", "call"))


class Run(NamedTuple):
    """One form of a fault in one place, met by one parser in one way. `name` is that of the place's model."""

    name: str
    arm: Arm
    place: Place
    fault: str
    form: str
    parser: Literal["http", "litellm"]
    streamed: bool


class Played(NamedTuple):
    """What became of the requests of one run: those during the fault, and one after it."""

    run: Run
    during: list[Sent]
    after: list[Sent]


async def cells(seed: int, faults: Container[str] | None = None) -> list[Cell]:
    """A cell for each of `faults`, None for all of the wire, in each place, in the order of `FORMS`.

    `seed` shuffles which runs stand side by side.
    """
    return tallied(await play([run for run in runs(seed) if faults is None or run.fault in faults]))


def runs(seed: int) -> list[Run]:
    """Every run, in the order of the seed."""
    found: list[Run] = []
    for arm, place in PLACES:
        for fault, forms in FORMS.items():
            for form in forms:
                for parser in PARSERS:
                    for streamed in (True,) if form in STREAMED_ONLY else (False, True):
                        found.append(Run(f"{place}-{len(found)}", arm, place, fault, form, parser, streamed))
    random.Random(seed).shuffle(found)  # noqa: S311  # an order, no secret
    return found


async def play(todo: Sequence[Run]) -> list[Played]:
    """Every run, `AT_ONCE` of them at a time."""
    free = asyncio.Semaphore(AT_ONCE)
    with (
        Progress("faults on the wire", len(todo)) as progress,
        tempfile.TemporaryDirectory(prefix="crossover-") as scratch,
        closing(AnswerCache(scratch, [])),
    ):
        # one database for all, who share no answers, is held open: its first opening and last closing wait for the disk

        async def one(run: Run) -> Played:
            async with free:
                played = await _Player(run, server, Path(scratch)).played()
            progress.step()
            return played

        async with FaultyServer(text, slow_s=SLOW_S) as server:
            await _load(server)
            return await asyncio.gather(*(one(run) for run in todo))


async def _load(server: FaultyServer) -> None:
    """Have LiteLLM import all that it imports late, which takes seconds that are no answer's."""
    library()
    backend, request = LiteLLMBackend(f"{PROVIDER}/load", api_base=server.url), Request((Message("user", "rain"),))
    for form in (None, "500 in HTML", "reset at once", "malformed JSON"):
        server.faults |= {"load": form} if form else {}
        with suppress(BackendError):
            await backend.complete(request)
        with suppress(BackendError):
            _ = [item async for item in backend.stream(request)]
    await backend.aclose()


def tallied(played: Sequence[Played]) -> list[Cell]:
    """The cells of these runs, in the order of the catalogue."""
    found: defaultdict[tuple[str, Arm, Place], list[Played]] = defaultdict(list)
    for each in sorted(played, key=lambda each: (list(FORMS).index(each.run.fault), PLACES.index(each.run[1:3]))):
        found[each.run.fault, each.run.arm, each.run.place].append(each)
    return [
        tally(
            arm,
            fault,
            place,
            [sent for each in those for sent in each.during],
            after=[sent for each in those for sent in each.after],
            tick_s=TICK_S,
            played="wire",
        )
        for (fault, arm, place), those in found.items()
    ]


def text(model: str, prompt: str) -> str:
    """What a model of the server says."""
    return f"{model} says that {prompt} is quite right"


@dataclass(slots=True)
class _Player:
    """Asks one pipeline: a question while all is well, that one and a new one twice under the fault, one after it."""

    run: Run
    server: FaultyServer
    folder: Path

    async def played(self) -> Played:
        pipeline, background, faults = self._pipeline(), Background(), self.server.faults

        async def ask(prompt: str, deadline_s: float, *, kept: bool) -> Sent:
            ended = await self._ask(pipeline, Request((Message("user", prompt),), deadline_s=deadline_s), background)
            await background.drain()
            planted = () if BY_NAME[self.run.fault].detectable else (text(ANOTHER, prompt),)
            broken = self.run.fault == "no-token-counts" and self.run.name in faults
            uncounted = self.run.place if broken else ""
            return Sent(ended, self._usual(prompt, kept=kept), self._healthy(prompt), planted, uncounted)

        deadline_s = DEADLINE_S if self.run.fault in SILENT else PATIENT_S
        if self.run.form == ALIASED:
            self.server.aliases.add(self.run.name)
        try:
            await ask("grass", PATIENT_S, kept=False)
            faults[self.run.name] = self.run.form
            again = [await ask("grass", deadline_s, kept=True)]
            new = [await ask("snow", deadline_s, kept=kept) for kept in (False, True)]
            del faults[self.run.name]
            return Played(self.run, again + new, [await ask("rain", PATIENT_S, kept=False)])
        finally:
            await pipeline.aclose()

    async def _ask(self, pipeline: Pipeline, request: Request, background: Background) -> Ended:
        begun, got, error, untyped = now(), None, "", ""
        steps: Sequence[Step] = ()
        try:
            async with asyncio.timeout(request.deadline_s + LOST_S):
                got = await consume(pipeline, request, background, streamed=self.run.streamed)
            steps = got.steps
        except CrossoverError as caught:
            error, steps = type(caught).__name__, caught.steps
        except Exception as caught:
            untyped = type(caught).__name__
        return Ended(now() - begun, request.deadline_s, steps=steps, answer=got, error=error, untyped=untyped)

    def _pipeline(self) -> Pipeline:
        faulty = self._backend(self.run.name)
        if self.run.arm == "direct":
            return DirectPipeline(faulty)
        if self.run.place == "large":  # without a classifier every question is hard
            return build(self.folder, None, self._backend(f"{self.run.name}-small"), faulty, Settings())
        settings = Settings(small_first=True)
        if self.run.fault in SILENT:
            settings = Settings(small_first=True, small_limit_s=SMALL_LIMIT_S)
        return build(self.folder, None, faulty, self._backend(f"{self.run.name}-large"), settings)

    def _backend(self, model: str) -> Backend:
        if self.run.parser == "http":
            return HttpBackend(self.server.url, model, api_key="")
        return LiteLLMBackend(f"{PROVIDER}/{model}", api_base=self.server.url)

    def _usual(self, prompt: str, *, kept: bool) -> Answer:
        """What the same request gets where nothing is broken: the legacy pipeline keeps its answers."""
        answered = Completion(text(self.run.name, prompt), self.run.name)
        steps = () if kept and self.run.arm == "legacy" else (Step(self.run.place, "ok", 0.0, 0.0),)
        return Answer(answered, steps, 0.0, 0.0)

    def _healthy(self, prompt: str) -> Collection[str]:
        return {text(self.run.name, prompt), text(f"{self.run.name}-large", prompt)}

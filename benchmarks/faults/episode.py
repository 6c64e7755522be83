"""One short scenario from a seed: up to twenty requests, several faults at once, restarts in between; and its playing.

`draw` decides everything beforehand, `play` plays it in virtual time and keeps all that happened. Neither judges:
`properties.py` does. The semantic cache is left off: it judges likeness, which marked questions have none of.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.faults.catalogue import FAULTS, Fault
from benchmarks.faults.cell import Arm, Place
from benchmarks.faults.ledger import Ledger, Marked, Noted
from shared.backends.faulty import FaultyBackend
from shared.clock import now, sleep_until
from shared.contract import Answer, Backend, Message, Pipeline, Request
from shared.run import answer, stream
from shared.steps import Background, Recorder, Step

PATIENCE_S: Final = 120.0
"""After so many seconds from the last request, one that has not ended never will: no deadline is longer than 30 s."""
PLACES: Final[dict[Arm, tuple[Place, ...]]] = {
    "legacy": ("small", "large", "large", "cache", "classifier"),
    "direct": ("call", "call", "call"),
}
"""Where a fault may be, as often as there may be several in one place."""
USERS: Final = (("ann",), ("ann", "bob"), ("ann", "bob", "cay"))
QUESTIONS: Final = (("easy one",), ("hard one",), ("easy one", "hard one"), ("easy one", "hard one", "hard two"))
BRIEF: Final = Message("system", "Be brief.")
TALK: Final = (Message("user", "hard two"), Message("assistant", "Two."))
VARIED: Final[dict[str, tuple[Any, ...]]] = {
    "messages": ((BRIEF,), TALK, (BRIEF, *TALK)),  # before the question
    "task": ("sums",),
    "scope": ((("locale", "en"),), (("locale", "de"),)),  # besides the user
    "max_tokens": (1, 512),
    "temperature": (0.0, 1.0),
    "top_p": (0.5, 1.0),
    "seed": (0, 1),
    "stop": (("\n",), ("\n", ".")),
    "response_format": ('{"type": "json_object"}', '{"type": "text"}'),
    "tools": ("[]", '[{"type": "function", "function": {"name": "look_up"}}]'),
    "sample": (1, 2),
}
"""All else that an answer may depend on. An episode varies up to two of these, so that requests differ in just one."""
VARIED_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, and its client: it lingers after each piece, leaves after `takes` pieces, or is cancelled."""

    at_s: float
    request: Request
    streamed: bool
    lingers_s: float
    takes: int | None
    cancelled_after_s: float | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """A fault in a place, from when until when."""

    fault: Fault
    place: Place
    from_s: float
    until_s: float

    def lasts(self) -> bool:
        return self.from_s <= now() < self.until_s


@dataclass(frozen=True, slots=True)
class Plan:
    """An episode before it is played. A restart is a time, and whether it waits for the requests under way."""

    arm: Arm
    seed: int
    asks: tuple[Ask, ...]
    troubles: tuple[Trouble, ...]
    restarts: tuple[tuple[float, bool], ...]
    small_first: bool
    escalate_below: float | None
    ttl_s: float
    cache_size_bytes: int
    small_limit_s: float


@dataclass(slots=True, eq=False)
class Outcome:
    """What a client got. `ends` is everything that ended its request: more than one entry is one too many.

    `last_s` is when the client last turned to the pipeline, `lingered_s` all the time that it did not.
    """

    ask: Ask
    ends: list[Answer | BaseException | None] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    recorder: Recorder | None = None
    begun_s: float = 0.0
    last_s: float = 0.0
    ended_s: float | None = None
    lingered_s: float = 0.0

    @property
    def steps(self) -> list[Step]:
        return [step for step in self.recorder.steps if not step.after_answer] if self.recorder else []


@dataclass(frozen=True, slots=True)
class Episode:
    """All that happened.

    `left_running` names the tasks that were not ended when `pipeline`, the last, was closed; `unheard` tells the errors
    that only the event loop got to know.
    """

    plan: Plan
    pipeline: Pipeline
    outcomes: Sequence[Outcome]
    ledger: Ledger
    left_running: Sequence[str]
    unheard: Sequence[str]


def draw(arm: Arm, seed: int) -> Plan:
    """The episode of a seed."""
    drawn = random.Random(f"{arm} {seed}")  # noqa: S311  # a seed, so that runs agree
    pace_s = drawn.choice((0.0, 0.05, 0.5, 3.0))
    users, questions = drawn.choice(USERS), drawn.choice(QUESTIONS)
    varied = drawn.sample(list(VARIED), drawn.choice((0, 1, 1, 2)))
    at_s, asks = 0.0, []
    for _ in range(drawn.randint(1, 20)):
        at_s += drawn.expovariate(1 / pace_s) if pace_s else 0.0
        asks.append(_ask(drawn, at_s, drawn.choice(users), drawn.choice(questions), varied))
    length_s = at_s + 1.0
    restarts = sorted((drawn.uniform(0.0, length_s), drawn.random() < 0.5) for _ in range(drawn.choice((0, 0, 1, 2))))
    return Plan(
        arm,
        seed,
        tuple(asks),
        tuple(_troubles(arm, drawn, asks, length_s)),
        tuple(restarts),
        small_first=drawn.random() < 0.5,
        escalate_below=drawn.choice((None, -0.5, -1.5)),
        ttl_s=drawn.choice((1.0, 86_400.0, 86_400.0)),
        cache_size_bytes=drawn.choice((1, 1 << 30, 1 << 30, 1 << 30)),
        small_limit_s=drawn.choice((0.3, 10.0)),
    )


def _ask(drawn: random.Random, at_s: float, user: str, question: str, varied: Sequence[str]) -> Ask:
    given = {name: drawn.choice(VARIED[name]) for name in varied if drawn.random() < VARIED_SHARE}
    before, scope = given.pop("messages", ()), given.pop("scope", ())
    deadline_s = math.exp(drawn.uniform(math.log(0.05), math.log(30.0)))
    request = Request(
        (*before, Message("user", question)), scope=(("user", user), *scope), deadline_s=deadline_s, **given
    )
    kind = drawn.random()
    return Ask(
        at_s,
        request,
        streamed=drawn.random() < 0.5,
        lingers_s=drawn.choice((0.0, 0.0, 0.2, 5.0)),
        takes=drawn.randint(0, 3) if kind < 0.1 else None,
        cancelled_after_s=drawn.choice((0.0, drawn.uniform(0.0, 2.0))) if kind > 0.9 else None,
    )


def _troubles(arm: Arm, drawn: random.Random, asks: Sequence[Ask], length_s: float) -> Iterator[Trouble]:
    """Up to three at once; a model may have several, the cache and the classifier one each."""
    places = drawn.sample(PLACES[arm], drawn.choice((0, 1, 2, 2, 3)))
    for place in places:
        part = place if place in ("cache", "classifier") else "backend"
        fault = drawn.choice([fault for fault in FAULTS if fault.part == part])
        from_s = drawn.choice((0.0, drawn.uniform(0.0, length_s)))
        if place == "cache":  # amid the traffic: what befalls rows once needs answers stored before and asked for after
            from_s = drawn.choice(asks).at_s
        yield Trouble(fault, place, from_s, from_s + drawn.uniform(0.0, length_s))


async def play(plan: Plan, build: Callable[[dict[str, Backend], Ledger], Pipeline]) -> Episode:
    """Play it. `build` puts the pipeline together from its models and the ledger, anew after every restart."""
    ledger, unheard = Ledger(), list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(_unheard(told)))
    outcomes = [Outcome(ask) for ask in plan.asks]
    running: list[asyncio.Task[None]] = []
    pipeline, background = build(_models(plan, ledger, 0), ledger), Background()
    moments = [(ask.at_s, 1, number) for number, ask in enumerate(plan.asks)]
    moments += [(at_s, 0, number) for number, (at_s, _) in enumerate(plan.restarts)]
    for at_s, is_ask, number in sorted(moments):
        await sleep_until(at_s)
        if is_ask:
            running.append(_begin(pipeline, background, outcomes[number]))
            continue
        if running and plan.restarts[number][1]:
            await asyncio.wait(running, timeout=PATIENCE_S)
        await background.drain()
        await pipeline.aclose()
        pipeline, background = build(_models(plan, ledger, number + 1), ledger), Background()
    await asyncio.wait(running, timeout=PATIENCE_S)
    await background.drain()
    await pipeline.aclose()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    left = [task for task in others if task not in running]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=PATIENCE_S)
    return Episode(plan, pipeline, outcomes, ledger, sorted(map(_name, left)), unheard)


def _name(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "a task")


def _unheard(told: dict[str, Any]) -> str:
    return f"{told['message']} ({type(told.get('exception')).__name__})"


def _models(plan: Plan, ledger: Ledger, life: int) -> dict[str, Backend]:
    """The models by place: each call is noted, of whatever faults make of a healthy answer."""
    models: dict[str, Backend] = {}
    for place in ("small", "large") if plan.arm == "legacy" else ("call",):
        seed = f"{plan.arm} {plan.seed} {life} {place}"
        model: Backend = Marked(place, ledger, seed)
        for number, trouble in enumerate(plan.troubles):
            if trouble.place == place:
                other = Marked("other", ledger, f"{seed} {number}")
                model = FaultyBackend(model, trouble.fault.name, seed=plan.seed, when=trouble.lasts, other=other)
        models[place] = Noted(model, ledger)
    return models


class _Watched:
    """A pipeline that one request sees: its recorder is kept, for the steps of answers that never come."""

    def __init__(self, pipeline: Pipeline, outcome: Outcome) -> None:
        self._pipeline, self._outcome = pipeline, outcome

    def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        self._outcome.recorder = step
        return self._pipeline.run(request, step)

    async def aclose(self) -> None:
        await self._pipeline.aclose()


def _begin(pipeline: Pipeline, background: Background, outcome: Outcome) -> asyncio.Task[None]:
    task = asyncio.create_task(_client(_Watched(pipeline, outcome), background, outcome))
    if (after_s := outcome.ask.cancelled_after_s) is not None:
        asyncio.get_running_loop().call_later(after_s, task.cancel)
    return task


async def _client(pipeline: Pipeline, background: Background, outcome: Outcome) -> None:
    ask = outcome.ask
    outcome.begun_s = outcome.last_s = now()
    try:
        if ask.streamed:
            await _read(stream(pipeline, ask.request, background), outcome)
        else:
            outcome.ends.append(await answer(pipeline, ask.request, background))
    except (Exception, asyncio.CancelledError) as error:
        outcome.ends.append(error)
    finally:
        outcome.ended_s = now()


async def _read(items: AsyncGenerator[str | Answer, None], outcome: Outcome) -> None:
    ask = outcome.ask
    async with aclosing(items):
        if ask.takes == 0:
            outcome.ends.append(None)
            return
        async for item in items:
            if isinstance(item, Answer):
                outcome.ends.append(item)
                continue
            outcome.pieces.append(item)
            if len(outcome.pieces) == ask.takes:
                outcome.ends.append(None)
                return
            begun_s = now()
            try:
                await asyncio.sleep(ask.lingers_s)
            finally:
                outcome.last_s = now()
                outcome.lingered_s += outcome.last_s - begun_s

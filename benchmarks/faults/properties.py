"""What must hold whatever fails: played over thousands of seeds in virtual time.

Every request ends exactly once, by its deadline plus one scheduling tick, with an answer, a typed error or its client
gone. An answer is one that a model gave for just this request: no text crosses tenants or any other scope. Steps
follow one another and add up to the time spent. Nothing is served from the cache, or left in its database, that was
not complete, healthy and accepted, or that is too old. The tokens of a call are recorded once. Nothing runs on after
the pipeline is closed. `episode.py` makes the scenarios, `ledger.py` knows whose every text is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.faults.assembly import DATABASE, build
from benchmarks.faults.cell import Arm
from benchmarks.faults.episode import Episode, Outcome, Plan, draw, play
from benchmarks.faults.ledger import Call, mark, marks
from benchmarks.faults.parts import BUSY_S, SLOW_JUDGE_S, unpickled
from benchmarks.progress import Progress
from legacy_pipeline.cache import Cached
from legacy_pipeline.pipeline import STORE_S, LegacyPipeline
from shared import clock
from shared.contract import Answer, Request
from shared.errors import CrossoverError

TICK_S: Final = 1e-6
"""One scheduling tick of virtual time, where nothing but rounding stands between a timer and its moment."""
HOLDING_S: Final = {"cache-locked": BUSY_S, "classifier-slow": SLOW_JUDGE_S}
"""Faults that hold the event loop, and for how long: a tick is then what all requests together may hold it for."""
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # folders of its own inside
GARBLING: Final = frozenset({"cache-corrupt", "cache-pickle"})
ALTERING: Final = frozenset({"cache-altered"})
JUMPING: Final = frozenset({"cache-clock-back", "cache-clock-forward"})
MODELS: Final = ("small", "large", "call")


@dataclass(frozen=True, slots=True)
class Violation:
    """What did not hold in the episode of a seed."""

    arm: Arm
    seed: int
    what: str

    @property
    def again(self) -> str:
        """The command that repeats it."""
        return f"crossover faults --properties 1 --from {self.seed} --arm {self.arm}"

    def __str__(self) -> str:
        return f"{self.what}; repeat it with: {self.again}"


def run(arm: Arm, first: int, count: int) -> list[Violation]:
    """Play the seeds from `first` on. Returns all that did not hold, in the order of the seeds.

    A seed is the same episode in any process as long as the catalogue of faults is the same.
    """
    found = []
    memory = str(IN_MEMORY) if IN_MEMORY.is_dir() else None
    with Progress(f"{arm} properties", count) as progress, tempfile.TemporaryDirectory(dir=memory) as scratch:
        for seed in range(first, first + count):
            folder = Path(scratch) / str(seed)
            found += [Violation(arm, seed, what) for what in check(draw(arm, seed), folder)]
            shutil.rmtree(folder, ignore_errors=True)
            progress.step()
    return found


def check(plan: Plan, folder: Path) -> list[str]:
    """Play the plan in virtual time, its cache in `folder`, and say what did not hold."""
    logging.disable(logging.WARNING)  # of what is broken on purpose
    try:
        episode = clock.run(play(plan, partial(build, plan, folder)), virtual=True)
    except Exception as error:
        return [f"the episode itself ended with {type(error).__name__}: {error}"]
    finally:
        logging.disable(logging.NOTSET)
    found = [f"{name} ran on after the pipeline was closed" for name in episode.left_running]
    found += [f"an error went unheard: {what}" for what in episode.unheard]
    if unpickled:
        unpickled.clear()
        found.append("a planted pickle was loaded")
    for number, outcome in enumerate(episode.outcomes):
        found += [f"request {number} {what}" for what in _of_outcome(outcome, episode)]
    found += _of_calls(episode)
    if plan.arm == "legacy":
        found += _of_rows(episode, folder)
    return found


def _of_outcome(outcome: Outcome, episode: Episode) -> Iterator[str]:
    ask = outcome.ask
    if outcome.ended_s is None:
        yield "never ended"
        return
    if len(outcome.ends) != 1:
        yield f"ended {len(outcome.ends)} times"
        return
    (end,) = outcome.ends
    if isinstance(end, asyncio.CancelledError):
        if ask.cancelled_after_s is None:
            yield "was cancelled, though its client waited"
    elif isinstance(end, BaseException) and not isinstance(end, CrossoverError):
        yield f"ended with an untyped {type(end).__name__}"
    yield from _of_time(outcome, episode.plan)
    texts = "".join(outcome.pieces) + (end.text if isinstance(end, Answer) else "")
    if strange := marks(texts) - {mark(ask.request)}:
        yield f"was given what is for somebody else: {', '.join(sorted(strange))}"
    if isinstance(end, Answer):
        yield from _of_answer(end, outcome, episode)


def _of_time(outcome: Outcome, plan: Plan) -> Iterator[str]:
    """A client that comes back late, or is cancelled, moves the end; nothing else does."""
    ask, ended_s = outcome.ask, outcome.ended_s or 0.0
    tick_s = TICK_S + sum(HOLDING_S.get(trouble.fault.name, 0.0) for trouble in plan.troubles) * 2 * len(plan.asks)
    latest_s = max(outcome.begun_s + ask.request.deadline_s, outcome.last_s)
    if ask.cancelled_after_s is not None and outcome.begun_s + ask.cancelled_after_s >= outcome.last_s:
        latest_s = min(latest_s, outcome.begun_s + ask.cancelled_after_s)
    if ended_s > latest_s + tick_s:
        yield f"ended {ended_s - latest_s:.6f} s late"
    took_s, spent_s, free_s = ended_s - outcome.begun_s, 0.0, 0.0
    for step in outcome.steps:
        if step.start_s < free_s - TICK_S or step.seconds < 0:
            yield f"has a step {step.kind} of {step.seconds:.6f} s that began before the one before it had ended"
        free_s = step.start_s + step.seconds
        # a shared call goes on for others after this client has left
        spent_s += max(0.0, min(free_s, took_s) - step.start_s)
    if not took_s - outcome.lingered_s - tick_s <= spent_s <= took_s + tick_s:
        yield f"took {took_s:.6f} s, {outcome.lingered_s:.6f} s of it its client's, and its steps {spent_s:.6f} s"


def _of_answer(answer: Answer, outcome: Outcome, episode: Episode) -> Iterator[str]:
    ask = outcome.ask
    if ask.streamed and "".join(outcome.pieces) != answer.text:
        yield "was streamed another text than its answer's"
    took_s = (outcome.ended_s or 0.0) - outcome.begun_s
    if abs(answer.seconds - (took_s - outcome.lingered_s)) > TICK_S:
        yield f"took {took_s - outcome.lingered_s:.6f} s and says {answer.seconds:.6f} s"
    call = episode.ledger.by_text.get(answer.text)
    if call is None:
        if isinstance(answer.completion, Cached) and _suffers(episode.plan, ALTERING):
            return  # nothing in a row shows that its text was changed: the fault matrix counts these
        yield "was given a text that no completed call of a model gave"
        return
    if not _same(call.request, ask.request):
        yield "was given the answer to another request"
    if isinstance(answer.completion, Cached):
        if unfit := _unfit(call, episode.plan):
            yield f"was given from the cache what {unfit}"
        # a store waits for its answer to be out, for STORE_S at most, and then may take as long
        oldest_s = episode.plan.ttl_s + 2 * STORE_S
        if not _suffers(episode.plan, JUMPING) and outcome.begun_s - (call.ended_s or 0.0) > oldest_s + TICK_S:
            yield f"was given an answer older than {episode.plan.ttl_s} s"


def _of_calls(episode: Episode) -> Iterator[str]:
    by_text = episode.ledger.by_text
    for call in episode.ledger.calls:
        if call.ended_s is None:
            yield f"a call of {call.model} was never stopped"
    steps = [step for outcome in episode.outcomes for step in outcome.steps if step.kind in MODELS]
    recorded = Counter(step.completion.text for step in steps if step.completion)
    for text, call in by_text.items():
        if recorded[text] != 1:
            yield f"the tokens of a call of {call.model} were recorded {recorded[text]} times"
    if recorded.keys() - by_text.keys():
        yield "tokens were recorded that no call gave"


def _of_rows(episode: Episode, folder: Path) -> Iterator[str]:
    """What the closed cache's own database holds. Rows that a fault planted are not read: they must not be served."""
    cache = episode.pipeline.cache if isinstance(episode.pipeline, LegacyPipeline) else None
    garbled, altered = _suffers(episode.plan, GARBLING), _suffers(episode.plan, ALTERING)
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        rows = database.execute("SELECT key, value FROM Cache").fetchall()
    for key, value in rows:
        try:
            row = json.loads(value)
            text, usage = row["text"], (row["input_tokens"], row["output_tokens"])
        except (TypeError, ValueError, KeyError):
            if not garbled:
                yield "a row is stored that this cache never writes"
            continue
        call = episode.ledger.by_text.get(text)
        if call is None or call.completion is None:
            if not altered:
                yield "a text is stored that no completed call of a model gave"
            continue
        if unfit := _unfit(call, episode.plan):
            yield f"an answer is stored that {unfit}"
        if cache and cache.key(call.request) != key:
            yield "an answer is stored under another request's key"
        if usage != (call.completion.usage.input_tokens, call.completion.usage.output_tokens):
            yield "an answer is stored with other tokens than its call's"


def _unfit(call: Call, plan: Plan) -> str:
    """Why nobody else must be given what a call gave, or nothing."""
    completion = call.completion
    if completion is None or completion.finish_reason != "stop":
        return "is not complete"
    least = plan.escalate_below
    if call.model == "small" and least is not None and not (completion.logprobs and min(completion.logprobs) >= least):
        return "was rejected as a draft"
    return ""


def _same(one: Request, other: Request) -> bool:
    """Whether they ask the same, however long they may take."""
    return replace(one, deadline_s=other.deadline_s) == other


def _suffers(plan: Plan, faults: frozenset[str]) -> bool:
    return any(trouble.fault.name in faults for trouble in plan.troubles)

"""What must hold whatever fails: played over thousands of seeds in virtual time.

Every request ends exactly once, by its deadline plus one scheduling tick, with an answer, a typed error or its client
gone; and at once when its model has failed and no retry is left or fits. An answer is one that a model gave for just
this request: no text crosses tenants, or anything else that an answer depends on. Steps follow one another and add up
to the time spent. Nothing is served from the cache, or left in its database, that was not complete, healthy and
accepted, or that is too old. The tokens of a call are recorded once. No call runs on for nobody, and nothing after the
pipeline is closed. `episode.py` makes the scenarios, `ledger.py` knows whose every text is.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
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
from benchmarks.faults.parts import ALTERED, unpickled
from benchmarks.progress import Progress
from legacy_pipeline.cache import Cached
from legacy_pipeline.pipeline import STORE_S, LegacyPipeline
from shared import clock
from shared.contract import Answer, Request
from shared.errors import BackendUnavailable, CrossoverError

TICK_S: Final = 1e-6
"""One scheduling tick of virtual time, where nothing but rounding stands between a timer and its moment."""
HOLDING: Final = {"cache-locked": ("cache", "store"), "cache-slow-store": ("store",), "classifier-slow": ("classify",)}
"""Faults that hold the event loop, and in which steps: a tick is then what all of these together may hold it for."""
IN_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # folders of its own inside
GARBLING: Final = frozenset({"cache-corrupt", "cache-pickle"})
ALTERING: Final = frozenset({"cache-altered"})
MOST_TRIES: Final = 2
"""How often a request may ask one model: both pipelines promise one retry."""
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
        folder = Path(scratch) / "cache"
        for seed in range(first, first + count):
            found += [Violation(arm, seed, what) for what in check(draw(arm, seed), folder)]
            for file in folder.glob("*"):  # shutil.rmtree fails with "Bad file descriptor" where a signal interrupts it
                file.unlink()
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
    yield from _of_time(outcome, episode)
    yield from _of_tries(outcome, episode)
    texts = "".join(outcome.pieces) + (end.text if isinstance(end, Answer) else "")
    if strange := marks(texts) - {mark(ask.request)}:
        yield f"was given what is for somebody else: {', '.join(sorted(strange))}"
    if isinstance(end, Answer):
        yield from _of_answer(end, outcome, episode)


def _tick_s(episode: Episode) -> float:
    held = {kind for trouble in episode.plan.troubles for kind in HOLDING.get(trouble.fault.name, ())}
    recorders = [outcome.recorder for outcome in episode.outcomes if outcome.recorder]
    return TICK_S + sum(step.seconds for recorder in recorders for step in recorder.steps if step.kind in held)


def _of_time(outcome: Outcome, episode: Episode) -> Iterator[str]:
    """A client that comes back late, or is cancelled, moves the end; nothing else does."""
    ask, ended_s, tick_s = outcome.ask, outcome.ended_s or 0.0, _tick_s(episode)
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


def _of_tries(outcome: Outcome, episode: Episode) -> Iterator[str]:
    """A model is asked again once, after the pause that it asks for, and nothing is waited for where that cannot be."""
    own = [call for call in episode.ledger.calls if call.request == outcome.ask.request]
    tries = Counter(call.model for call in own)
    yield from (f"asked the {model} model {count} times" for model, count in tries.items() if count > MOST_TRIES)
    if not own or (error := own[-1].error) is None:
        return
    failed_s, ended_s = own[-1].ended_s or 0.0, outcome.ended_s or 0.0
    pause_s = (error.retry_after_s or 0.0) if isinstance(error, BackendUnavailable) else 0.0
    in_time = failed_s + pause_s < outcome.begun_s + outcome.ask.request.deadline_s
    if tries[own[-1].model] == MOST_TRIES or not in_time:
        pause_s = 0.0
    if ended_s > max(failed_s + pause_s, outcome.last_s) + _tick_s(episode):
        yield f"waited for {ended_s - failed_s:.6f} s after its model had failed, though no retry fitted"


def _of_answer(answer: Answer, outcome: Outcome, episode: Episode) -> Iterator[str]:
    ask = outcome.ask
    if ask.streamed and "".join(outcome.pieces) != answer.text:
        yield "was streamed another text than its answer's"
    took_s = (outcome.ended_s or 0.0) - outcome.begun_s
    if abs(answer.seconds - (took_s - outcome.lingered_s)) > TICK_S:
        yield f"took {took_s - outcome.lingered_s:.6f} s and says {answer.seconds:.6f} s"
    call = episode.ledger.by_text.get(answer.text)
    if call is None:
        if isinstance(answer.completion, Cached) and _may_be_altered(answer.text, episode.plan):
            return  # nothing in a row shows that its text was changed: the fault matrix counts these
        yield "was given a text that no completed call of a model gave"
        return
    if not _same(call.request, ask.request):
        yield "was given the answer to another request"
    # a store waits for its answer to be out, for STORE_S at most, and then may take as long: until then it is shared
    shared_s = (call.ended_s or 0.0) + 2 * STORE_S + _tick_s(episode)
    if not isinstance(answer.completion, Cached):
        if outcome.begun_s > shared_s:
            yield "was given the answer of a call that had ended, and not from the cache"
        return
    if unfit := _unfit(call, episode.plan):
        yield f"was given from the cache what {unfit}"
    yield from _of_age(outcome, answer.text, shared_s, episode)


def _of_age(outcome: Outcome, text: str, latest_s: float, episode: Episode) -> Iterator[str]:
    """No row is served beyond its time, by a clock that jumps in either direction by more than any row's time."""
    looked_s = outcome.begun_s + max((step.start_s for step in outcome.steps if step.kind == "cache"), default=0.0)
    stored_s = _stored_s(text, episode)
    if stored_s is None or stored_s > latest_s:
        yield "was given from the cache what no store had put there in time"
    elif looked_s - stored_s > episode.plan.ttl_s + TICK_S:
        yield f"was given an answer older than {episode.plan.ttl_s} s"
    elif any(stored_s + TICK_S < jump_s < looked_s - TICK_S for jump_s in episode.ledger.jumps_s):
        yield "was given an answer that was stored before the clock jumped"


def _stored_s(text: str, episode: Episode) -> float | None:
    """When a store of this text ended, if one did."""
    for outcome in episode.outcomes:
        steps = outcome.recorder.steps if outcome.recorder else []
        if any(step.completion and step.completion.text == text for step in steps):
            for step in steps:
                if (step.kind, step.outcome, step.detail) == ("store", "ok", ""):
                    return outcome.begun_s + step.start_s + step.seconds
    return None


def _of_calls(episode: Episode) -> Iterator[str]:
    by_text, tick_s = episode.ledger.by_text, _tick_s(episode)
    for call in episode.ledger.calls:
        if call.ended_s is None:
            yield f"a call of {call.model} was never stopped"
        elif (over_s := call.ended_s - _wanted_until_s(call, episode)) > tick_s:
            yield f"a call of {call.model} ran on for {over_s:.6f} s for nobody"
    steps = [step for outcome in episode.outcomes for step in outcome.steps if step.kind in MODELS]
    recorded = Counter(step.completion.text for step in steps if step.completion)
    for text, call in by_text.items():
        if recorded[text] != 1:
            yield f"the tokens of a call of {call.model} were recorded {recorded[text]} times"
    if recorded.keys() - by_text.keys():
        yield "tokens were recorded that no call gave"


def _wanted_until_s(call: Call, episode: Episode) -> float:
    """Until when there was always somebody who asked the same, and so may have waited for this call."""
    until_s = call.begun_s
    for outcome in episode.outcomes:  # in the order in which they came
        ended_s = math.inf if outcome.ended_s is None else outcome.ended_s
        if outcome.begun_s <= until_s + TICK_S and ended_s > until_s and _same(outcome.ask.request, call.request):
            until_s = ended_s
    return until_s


def _of_rows(episode: Episode, folder: Path) -> Iterator[str]:
    """What the closed cache's own database holds. Rows that a fault planted are not read: they must not be served."""
    cache = episode.pipeline.cache if isinstance(episode.pipeline, LegacyPipeline) else None
    garbled = _suffers(episode.plan, GARBLING)
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
            if not _may_be_altered(text, episode.plan):
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


def _may_be_altered(text: str, plan: Plan) -> bool:
    """Whether a fault puts just this text into well-formed rows."""
    return text == ALTERED and _suffers(plan, ALTERING)


def _suffers(plan: Plan, faults: frozenset[str]) -> bool:
    return any(trouble.fault.name in faults for trouble in plan.troubles)

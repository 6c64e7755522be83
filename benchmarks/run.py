"""Ask every target the same requests, one row per request and target.

In virtual time requests arrive on their own, whatever is still under way, and each arm has a clock to itself. In real
time they go one after another: each answer's time is its own. The arms take turns, in a seeded order, where both can
answer at once; live models on this machine would slow each other down, so there one arm runs after the other.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from benchmarks.latency import driver
from benchmarks.quality.score import score
from benchmarks.rows import REFERENCE_FREE, Row, Score
from benchmarks.scenario import Arm
from benchmarks.targets.target import Reply, Target
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item, Workload
from direct_pipeline.pipeline import DirectPipeline
from shared.backends.generated import GeneratedBackend
from shared.clock import now
from shared.contract import Request
from shared.errors import BadInput
from shared.run import answer
from shared.steps import Background

NULL: Final = 700
"""Requests to the null target: its p99 needs 662."""
ALIKE: Final = 3
"""Failures of one kind after which a system that has answered nothing is taken to be out of reach."""


class BudgetReached(Exception):
    """The next request could cost more than is left."""


async def ask(asked: Asked, request: Request, target: Target, workload: Workload) -> Row:
    """One request to one target, scored."""
    reply = await target.ask(asked, request)
    return Row(
        asked,
        request,
        target.arm,
        reply.text,
        reply.model,
        reply.error,
        _graded(reply, asked.item, workload),
        reply.latency_s,
        reply.overhead_s,
        reply.cost_usd,
        reply.steps,
        reply.usage,
        reply.cost_reported,
    )


def _graded(reply: Reply, item: Item, workload: Workload) -> Score | None:
    """None where there is nothing to compare: no reference, or an answer whose text was not kept."""
    if item.reference is None and workload.scorer(item) not in REFERENCE_FREE:
        return None
    if reply.error is not None:
        return Score(0.0, "no answer")
    return None if reply.text is None else score(reply.text, item, workload)


async def arriving(
    stream: Sequence[Asked],
    due_s: Sequence[float],
    target: Target,
    workload: Workload,
    *,
    deadline_s: float,
    keep: Callable[[Row], None],
) -> None:
    """Ask one target each request when it is due, in seconds from now. `keep` gets each row as it comes."""
    begun = now()

    async def send(place: int) -> driver.Reply:
        asked, due = stream[place], due_s[place]
        late = now() - begun - due
        row = await ask(asked, workload.request(asked.item, deadline_s=deadline_s), target, workload)
        since = None if row.latency_s is None else late + row.latency_s
        keep(replace(row, scheduled_s=due, since_scheduled_s=since))
        return driver.Reply()

    await driver.open_loop(due_s, send, driver.Samples())


async def null_s(stream: Sequence[Asked], workload: Workload) -> list[float]:
    """Seconds that `NULL` requests take of a pipeline whose model answers at once: what the harness cannot see."""
    background, pipeline = Background(), DirectPipeline(GeneratedBackend(1))
    seconds = []
    for place in range(NULL):
        request = workload.request(stream[place % len(stream)].item)
        begun = now()
        await answer(pipeline, request, background)
        seconds.append(now() - begun)
    return seconds


async def interleaved(
    stream: Sequence[Asked],
    targets: Sequence[Target],
    workload: Workload,
    *,
    seed: int,
    deadline_s: float,
    keep: Callable[[Row], None],
    allow: Callable[[Request, Arm], None],
    impatient: frozenset[Arm] = frozenset(),
) -> None:
    """Ask all targets each request, in an order drawn anew each time.

    `keep` gets each row as it comes; `allow` may raise `BudgetReached` before a request is asked. Raises `BadInput`
    where one of the `impatient` arms fails `ALIKE` times in the same way from the start: a wrong address must not take
    an hour.
    """
    rng = random.Random(seed)  # noqa: S311  # a seeded order, no secret
    watched: dict[Arm, list[str]] = {arm: [] for arm in impatient}
    for asked in stream:
        request = workload.request(asked.item, deadline_s=deadline_s)
        for target in rng.sample(targets, len(targets)):
            allow(request, target.arm)
            row = await ask(asked, request, target, workload)
            keep(row)
            if target.arm in watched:
                watched[target.arm].append(re.sub(r"\d+", "0", row.error or ""))
                if len(set(watched[target.arm])) > 1 or not row.error:
                    del watched[target.arm]
                elif len(watched[target.arm]) == ALIKE:
                    raise BadInput(f"the first {ALIKE} requests to {target.arm} all failed alike: {row.error}")

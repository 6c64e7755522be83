"""Carry a plan out: in virtual time each target with a clock to itself, in real time by turns.

Real targets are asked block by block in the order A B B A, the null target among them, and a block begins when the one
before has been answered: none of them slows another. Every target gets the same requests at the same times.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.latency.driver import Reply, Samples, Send, TargetGone, closed_loop, open_loop
from benchmarks.latency.paired_delta import abba
from benchmarks.loading import targets
from benchmarks.loading.plan import Plan, Settled
from benchmarks.loading.targets import NULL, Opened
from benchmarks.progress import Progress
from shared import clock
from shared.contract import Standing

BLOCK: Final = 200
"""Requests of a block in real time, at least; there are 2 to 20 blocks."""
NULL_REQUESTS: Final = 1000
"""Requests that the null target gets, about: p99 needs 662."""


@dataclass(slots=True)
class Ran:
    """What came of one target. `stopped` says why not all was sent; `code` is the exit code that this asks for."""

    name: str
    standing: Standing = "unknown"
    notes: tuple[str, ...] = ()
    blocks: list[Samples] = field(default_factory=list)
    stopped: str | None = None
    code: int = 0


def virtual(plan: Plan, name: str) -> Ran:
    """One target in virtual time, all in one block. Runs in a process of its own where the user wants that."""
    settled = plan.settled()
    with Progress(name, len(settled.times)) as progress:
        return clock.run(alone(settled, name, progress), virtual=True)


async def alone(settled: Settled, name: str, progress: Progress | None = None) -> Ran:
    """One target, all in one block, on the running loop."""
    ran = Ran(name)
    async with _opened(settled, name) as opened:
        ran.standing, ran.notes = opened.standing, opened.notes
        await _block(settled, ran, opened.send, 0, len(settled.times), progress)
    return ran


async def by_turns(settled: Settled) -> list[Ran]:
    """All targets of the plan and the null target, in real time. What was answered before an interruption is kept."""
    names = (*settled.plan.names, NULL)
    every = {name: Ran(name) for name in names}
    count = len(settled.times)
    blocks = min(20, max(2, count // BLOCK)) if count > 1 else 1
    edges = [count * place // blocks for place in range(blocks + 1)]
    skipped = max(1, count // NULL_REQUESTS)
    with Progress("requests", count * (len(names) - 1)) as progress:
        async with AsyncExitStack() as closing:
            opened = {name: await closing.enter_async_context(_opened(settled, name)) for name in names}
            for name, each in opened.items():
                every[name].standing, every[name].notes = each.standing, each.notes
            for place, order in enumerate(abba(names, blocks, settled.plan.seed)):
                for name in order:
                    if name == NULL and place % skipped:
                        continue
                    counted = None if name == NULL else progress
                    await _block(settled, every[name], opened[name].send, edges[place], edges[place + 1], counted)
                    if every[name].code:
                        return list(every.values())
    return list(every.values())


@asynccontextmanager
async def _opened(settled: Settled, name: str) -> AsyncIterator[Opened]:
    plan = settled.plan
    arm = None if name == NULL else targets.arm_of(name)
    if name == NULL:
        http = not all(targets.arm_of(each) for each in plan.names)
        async with targets.null(settled.ask, whole=plan.whole, http=http) as opened:
            yield opened
    elif arm is None:
        async with targets.at_url(name, settled.ask, whole=plan.whole) as opened:
            yield opened
    else:
        with tempfile.TemporaryDirectory(prefix="crossover-") as scratch:
            async with targets.in_process(arm, plan.scenario, Path(scratch), settled.ask, whole=plan.whole) as opened:
                yield opened


async def _block(settled: Settled, ran: Ran, send: Send, begin: int, end: int, progress: Progress | None) -> None:
    """Requests `begin` up to `end`, their times counted from the first one's; why it ended early is noted in `ran`."""
    samples, times = Samples(), settled.times[begin:end]
    ran.blocks.append(samples)

    async def counted(number: int) -> Reply:
        reply = await send(number)
        if progress:
            progress.step()
        return reply

    try:
        if settled.plan.users is not None:
            await closed_loop(settled.plan.users, end - begin, counted, samples, first=begin)
        else:
            await open_loop([each - times[0] for each in times], counted, samples, first=begin)
    except TargetGone as gone:
        ran.stopped, ran.code = str(gone), 2
    except asyncio.CancelledError:
        ran.stopped, ran.code = "interrupted", 130

"""Ask every target the same requests, one row per request and target.

Requests go one after another: each answer's time is its own. The arms take turns, in a seeded order, where both can
answer at once; live models on this machine would slow each other down, so there one arm runs after the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from benchmarks.quality.score import score
from benchmarks.rows import CALLS, Row, Score
from benchmarks.scenario import Arm
from benchmarks.targets.builtin import Target
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared.clock import now
from shared.contract import Answer, Request
from shared.errors import CrossoverError, MissingRecording
from shared.run import answer
from shared.steps import Background, Step


class BudgetReached(Exception):
    """The next request could cost more than is left."""


async def ask(asked: Asked, request: Request, target: Target, workload: Workload, background: Background) -> Row:
    """One request to one target, scored. Work after the answer is awaited here, off the answer's clock."""
    begun = now()
    got: Answer | None = None
    error = None
    steps: Sequence[Step] = ()
    try:
        got = await answer(target.pipeline, request, background)
        steps = got.steps
    except CrossoverError as caught:
        error = f"{type(caught).__name__}: {caught}"
        steps = caught.steps
    seconds = now() - begun
    await background.drain()
    _refuse_gaps(steps)
    graded = score(got.text, asked.item, workload) if got else Score(0.0, "no answer")
    return Row(
        asked,
        request,
        target.arm,
        got.text if got else None,
        got.completion.model if got else None,
        error,
        graded,
        _latency_s(seconds, steps) if got else None,
        seconds - sum(step.seconds for step in steps if step.kind in (*CALLS, "pause")),
        _cost_usd(steps, target),
        tuple(steps),
    )


def _refuse_gaps(steps: Sequence[Step]) -> None:
    """A question that was never recorded is a wrong input, not a wrong answer, even where a fallback hid it."""
    for step in steps:
        if step.detail.startswith(MissingRecording.__name__):
            raise MissingRecording(step.detail.partition(": ")[2])


def _latency_s(seconds: float, steps: Sequence[Step]) -> float | None:
    """What passed here, and the recorded seconds of replayed calls, which did not pass here."""
    for step in steps:
        if step.completion and step.completion.timing != "measured":
            if step.completion.seconds is None:
                return None
            seconds += step.completion.seconds
    return seconds


def _cost_usd(steps: Sequence[Step], target: Target) -> float | None:
    total = 0.0
    for step in steps:
        if step.completion:
            cost = target.prices[step.kind].cost(step.completion.usage)
            if cost is None:
                return None
            total += cost
        elif step.kind in CALLS:
            return None  # a call that failed may have been charged
    return total


async def interleaved(
    stream: Sequence[Asked],
    targets: Sequence[Target],
    workload: Workload,
    *,
    seed: int,
    deadline_s: float,
    keep: Callable[[Row], None],
    allow: Callable[[Request, Arm], None],
) -> None:
    """Ask all targets each request, in an order drawn anew each time.

    `keep` gets each row as it comes; `allow` may raise `BudgetReached` before a request is asked.
    """
    rng = random.Random(seed)  # noqa: S311  # a seeded order, no secret
    background = Background()
    for asked in stream:
        request = workload.request(asked.item, deadline_s=deadline_s)
        for target in rng.sample(targets, len(targets)):
            allow(request, target.arm)
            keep(await ask(asked, request, target, workload, background))

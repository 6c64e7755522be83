"""What became of a request: exactly one class each, by comparing with the same request where nothing was broken.

    well        the text that this pipeline gives without the fault, come by the same way
    degraded    the same text by another way or after a retry; another of this pipeline's healthy models' text; or the
                beginning or a continuation of one of these whose finish reason says itself that it is cut short
    failed      a typed error
    left        the client went away itself
    wrong       any other text, given as good, under a fault that can be detected
    undetected  the same under a fault that nothing in the answer shows
    lost        no outcome at all, or an error that has no type

The way is who answered: a model by its place, or an answer that was there already (cached, or a call shared with an
equal request: which of the two depends on milliseconds). Whether it came late is counted apart.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.cell import Arm, Cell, Place, Played
from shared.contract import Answer
from shared.steps import Step

Class: TypeAlias = Literal["well", "degraded", "failed", "left", "wrong", "undetected", "lost"]

CALLS: Final = frozenset({"small", "large", "call"})
P99_LEAST: Final = 662
"""Requests that support a p99 (docs/latency.md: the rule of MLPerf LoadGen's early stopping)."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one request ended, `seconds` after it was sent: with an answer, an error's type name, or neither.

    `steps` are what had happened until then, none where the client left. `untyped` is an error that is none of ours.
    """

    seconds: float
    deadline_s: float
    steps: Sequence[Step] = ()
    answer: Answer | None = None
    error: str = ""
    untyped: str = ""
    left: bool = False


class Judged(NamedTuple):
    """The class, and in which way: who answered instead of whom, or the error's type."""

    verdict: Class
    way: str


def judge(ended: Ended, usual: Answer, healthy: Collection[str], *, detectable: bool) -> Judged:
    """`usual` is the answer to the same request without the fault, `healthy` what the pipeline's models all say."""
    if ended.left:
        return Judged("left", "")
    if ended.error:
        return Judged("failed", ended.error)
    if ended.answer is None:
        return Judged("lost", ended.untyped or "no outcome")
    answer, by, usually = ended.answer, way(ended.steps), way(usual.steps)
    if answer.text == usual.text and by == usually:
        return Judged("well", by)
    if answer.text in healthy:
        if by != usually:
            return Judged("degraded", f"{by} instead of {usually}")
        return Judged("degraded", "another model's answer, kept")
    if answer.completion.finish_reason == "length" and any(_continues(answer.text, text) for text in healthy):
        return Judged("degraded", "cut short, and says so")
    return Judged("wrong" if detectable else "undetected", f"another text by {by}")


def _continues(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def way(steps: Iterable[Step]) -> str:
    """Who gave the answer that these steps led to: a model's place, with retries if there were any, or `kept`."""
    failures: Counter[str] = Counter()
    for step in steps:
        if step.kind in CALLS:
            if step.outcome == "ok":
                return f"{step.kind} after a retry" if failures[step.kind] else step.kind
            failures[step.kind] += 1
    return "kept"


def tally(
    arm: Arm,
    fault: str,
    place: Place,
    requests: Sequence[tuple[Ended, Answer, Collection[str]]],
    *,
    tick_s: float,
    after: Sequence[tuple[Ended, Answer, Collection[str]]] = (),
    played: Played = "virtual",
) -> Cell:
    """The cell of requests sent during the fault, each with its usual answer and the healthy texts.

    `after` are requests sent when it was over. `tick_s` is how long after its deadline a request may end.
    """
    detectable = BY_NAME[fault].detectable
    judged = [judge(*request, detectable=detectable) for request in requests]
    verdicts = Counter(each.verdict for each in judged)
    seconds = sorted(ended.seconds for ended, *_ in requests if not ended.left)
    return Cell(
        arm,
        fault,
        place,
        len(requests),
        well=verdicts["well"],
        degraded=verdicts["degraded"],
        failed=_counted(each.way for each in judged if each.verdict == "failed"),
        wrong=verdicts["wrong"],
        undetected=verdicts["undetected"],
        lost=verdicts["lost"],
        late=sum(ended.seconds > ended.deadline_s + tick_s for ended, *_ in requests),
        p99_s=round(seconds[math.ceil(0.99 * len(seconds)) - 1], 9) if len(seconds) >= P99_LEAST else None,
        slowest_s=round(seconds[-1], 9) if seconds else None,
        ways=_counted(f"{each.verdict}: {each.way}" for each in judged if each.way),
        left=verdicts["left"],
        calls=sum(step.kind in CALLS for ended, *_ in requests for step in ended.steps),
        after=len(after),
        lingering=_counted(
            f"{found.verdict}: {found.way}"
            for request in after
            if (found := judge(*request, detectable=detectable)).verdict != "well"
        ),
        played=played,
    )


def _counted(names: Iterable[str]) -> Mapping[str, int]:
    return dict(sorted(Counter(names).items()))

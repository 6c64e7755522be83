"""What became of a request: exactly one class each, by comparing with the same request where nothing was broken.

    well        the text that this pipeline gives without the fault, come by the same way
    degraded    the same text by another way or after a retry; another of this pipeline's healthy models' text; or the
                beginning or a continuation of one of these whose finish reason says itself that it is cut short
    failed      a typed error
    left        the client went away itself
    wrong       any other text, given as good; an answer from the cache beyond its time to live; token counts where the
                model gave none
    undetected  exactly the text that the fault puts there, where nothing in the answer shows it
    lost        no outcome at all, or an error that has no type

The way is who answered: a model by its place, or an answer that was there already (cached, or a call shared with an
equal request: which of the two depends on milliseconds). Whether it came late is counted apart.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from benchmarks.faults.cell import SAME, Arm, Cell, Place, Played
from legacy_pipeline.settings import Settings
from shared.contract import Answer, Usage
from shared.steps import Step

Class: TypeAlias = Literal["well", "degraded", "failed", "left", "wrong", "undetected", "lost"]

CALLS: Final = frozenset({"small", "large", "call"})
P99_LEAST: Final = 662
"""Requests that support a p99 (docs/latency.md: the rule of MLPerf LoadGen's early stopping)."""
TTL_S: Final = Settings().cache_ttl_s
"""All of the matrix runs with the default."""
AGE: Final = re.compile(r"stored (-?[0-9.]+) s ago")


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


class Sent(NamedTuple):
    """One request: how it ended, and what it is judged by.

    `usual` is the answer to the same request without the fault, `healthy` what the pipeline's models all say, `planted`
    what a fault says that nothing shows, `uncounted` the place whose answers come without token counts.
    """

    ended: Ended
    usual: Answer
    healthy: Collection[str]
    planted: Collection[str] = ()
    uncounted: str = ""


class Judged(NamedTuple):
    """The class, and in which way: who answered instead of whom, or the error's type."""

    verdict: Class
    way: str


def judge(sent: Sent) -> Judged:
    """The one class that the request is in."""
    ended = sent.ended
    if ended.left:
        return Judged("left", "")
    if ended.error:
        return Judged("failed", ended.error)
    if ended.answer is None:
        return Judged("lost", ended.untyped or "no outcome")
    by = way(ended.steps)
    if not all(0.0 <= age_s < TTL_S for age_s in _ages(ended.steps)):
        return Judged("wrong", "an answer beyond its time to live")
    if sent.uncounted and _is_counted(ended.answer.completion.usage, by, sent.uncounted):
        return Judged("wrong", f"token counts that nobody gave, by {by}")
    return _by_text(sent, ended.answer, by)


def _by_text(sent: Sent, answer: Answer, by: str) -> Judged:
    usually = way(sent.usual.steps)
    if answer.text == sent.usual.text:
        return Judged("well", by) if by == usually else Judged("degraded", f"{by} instead of {usually}, {SAME}")
    if answer.text in sent.healthy:
        return Judged("degraded", f"another model's text by {by}")
    if answer.text in sent.planted:
        return Judged("undetected", f"another text by {by}")
    if answer.completion.finish_reason == "length" and any(_continues(answer.text, text) for text in sent.healthy):
        return Judged("degraded", "cut short, and says so")
    return Judged("wrong", f"another text by {by}")


def _ages(steps: Iterable[Step]) -> list[float]:
    """The age in seconds of each answer from the cache, where the step tells it."""
    kept = (AGE.match(step.detail) for step in steps if (step.kind, step.outcome) == ("cache", "ok"))
    return [float(told[1]) for told in kept if told]


def _is_counted(usage: Usage, by: str, uncounted: str) -> bool:
    """Whether an answer without token counts has some. A kept one may have those of an earlier call, and never 0."""
    return usage != Usage() if by.startswith(uncounted) else 0 in (usage.input_tokens, usage.output_tokens)


def _continues(one: str, other: str) -> bool:
    return bool(one.strip()) and (one.startswith(other) or other.startswith(one))


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
    requests: Sequence[Sent],
    *,
    tick_s: float,
    after: Sequence[Sent] = (),
    played: Played = "virtual",
) -> Cell:
    """The cell of requests sent during the fault; `after` are those sent when it was over.

    `tick_s` is how long after its deadline a request may end.
    """
    judged = [judge(sent) for sent in requests]
    verdicts = Counter(each.verdict for each in judged)
    seconds = sorted(sent.ended.seconds for sent in requests if not sent.ended.left)
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
        late=sum(sent.ended.seconds > sent.ended.deadline_s + tick_s for sent in (*requests, *after)),
        p99_s=round(seconds[math.ceil(0.99 * len(seconds)) - 1], 9) if len(seconds) >= P99_LEAST else None,
        slowest_s=round(seconds[-1], 9) if seconds else None,
        ways=_counted(f"{each.verdict}: {each.way}" for each in judged if each.way),
        left=verdicts["left"],
        after=len(after),
        lingering=_counted(
            f"{found.verdict}: {found.way}" for sent in after if (found := judge(sent)).verdict != "well"
        ),
        played=played,
    )


def _counted(names: Iterable[str]) -> Mapping[str, int]:
    return dict(sorted(Counter(names).items()))

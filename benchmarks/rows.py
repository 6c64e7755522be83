"""One request answered, or not, by one arm: what the harness writes, and all that measures read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.scenario import Arm
from benchmarks.workloads.traffic import Asked
from shared.contract import Completion, Request, Usage
from shared.steps import Step

CALLS: Final = ("small", "large", "call")
"""Kinds of steps that ask a model."""
HITS: Final = ("cache", "similar", "share")
"""Kinds of steps that find another request's answer: an equal one's, a similar one's, one that is under way."""
REFERENCE_FREE: Final = frozenset({"outcome"})
"""Scorers that read the score off the answer."""


@dataclass(frozen=True, slots=True)
class Score:
    """`value` lies in [0, 1]; `reason` says why in a few words."""

    value: float
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One request answered, or not, by one arm. Seconds and US dollars; None is not measured.

    `score` is None where there is no reference or no text, `steps` where the target does not tell what it did.
    `cost_reported`: a running system told its cost itself. `scheduled_s` is when the request was due, counted from the
    start, and `since_scheduled_s` the time from then to the answer, both only where requests arrive on their own.
    """

    asked: Asked
    request: Request
    arm: Arm
    text: str | None
    model: str | None
    error: str | None
    score: Score | None
    latency_s: float | None
    overhead_s: float | None
    cost_usd: float | None
    steps: tuple[Step, ...] | None
    usage: Usage = Usage()
    cost_reported: bool = False
    scheduled_s: float | None = None
    since_scheduled_s: float | None = None

    @property
    def calls(self) -> list[Completion]:
        """Every completion that was paid for, used or not, as far as the target tells."""
        return [step.completion for step in self.steps or () if step.completion]

    @property
    def usages(self) -> list[Usage]:
        """The tokens of each call, or of the whole request where the target does not tell its calls."""
        return [self.usage] if self.steps is None else [call.usage for call in self.calls]

    @property
    def text_missing(self) -> bool:
        """Whether there is an answer and something to score it by, but not its text."""
        item = self.asked.item
        gradable = item.reference is not None or item.scorer in REFERENCE_FREE
        return gradable and self.error is None and self.text is None

    @property
    def hit(self) -> bool:
        """Whether the answer is told to be another request's: from the cache, or from a call under way."""
        return any(step.kind in HITS and step.outcome == "ok" for step in self.steps or ())


def by_arm(rows: Sequence[Row]) -> Mapping[Arm, list[Row]]:
    """Rows of each arm in the order of the requests."""
    arms: dict[Arm, list[Row]] = {}
    for row in rows:
        arms.setdefault(row.arm, []).append(row)
    return arms

"""What the figures say together: migrate, keep, split or undecided. Results in, decision out.

The rule, for all requests and for each task alone:

1. Quality. Where direct is worse, keep. Where it is not shown to be not worse by the margin, undecided.
2. Cost per acceptable decision. Lower, migrate; higher, keep; not known, undecided: unknown never passes.
3. Where the costs cannot be told apart, p99. Lower, migrate; higher, keep; else undecided.

Split, where it says migrate in one place and keep in another: a task worse after Holm's correction, or a task that
could move alone. Next: `gates.py` (what of this decides the exit code).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Word = Literal["migrate", "keep", "split", "undecided"]
Side = Literal["lower", "higher", "alike", "unknown"]

_QUALITY_FIRST: Final = "direct is worse in quality"


@dataclass(frozen=True, slots=True)
class Difference:
    """Direct - legacy with its 95 % interval; None where it is not known. Where there is no interval it is exact.

    Where one end alone is None, the interval has no end there.
    """

    estimate: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, part: Mapping[str, Any] | None) -> Difference:
        """From a part of the report with `estimate`, `low` and `high`."""
        return cls(part["estimate"], part["low"], part["high"]) if part else cls(None)

    def beyond(self, floor: float | None) -> Difference:
        """The same, but for what lies below the floor of what measured it, which is not told apart from 0."""
        if floor is None or self.estimate is None or abs(self.estimate) > floor:
            return self
        return Difference(self.estimate, -floor, floor)

    @property
    def side(self) -> Side:
        if self.estimate is None:
            return "unknown"
        low, high = self.ends
        return "lower" if high < 0 else "higher" if low > 0 else "alike"

    @property
    def ends(self) -> tuple[float, float]:
        """The interval; of no length where the difference is exact."""
        if self.low is None and self.high is None:
            exact = self.estimate or 0.0
            return exact, exact
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one scope. `quality` is a decision's document, or None; `worse` overrules its word.

    `cost` is per acceptable decision in US dollars, `p99` in seconds. `why_no_cost` says what is missing.
    """

    quality: Mapping[str, Any] | None
    worse: bool
    cost: Difference = Difference(None)
    p99: Difference = Difference(None)
    why_no_cost: str = "a price or a token count is not known"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One scope's word and why."""

    word: Word
    reasons: tuple[str, ...] = field(default=())


def decide(evidence: Evidence) -> Verdict:
    """The rule for one scope."""
    quality = evidence.quality
    if quality is None or quality["estimate"] is None:
        return Verdict("undecided", ("quality is not measured",))
    said = f"{100 * quality['estimate']:+.1f} points{_interval(quality)}"
    if evidence.worse:
        return Verdict("keep", (f"{_QUALITY_FIRST}: {said}",))
    if not quality["not_worse"]:
        more = f"; about {quality['further_items']} more questions would decide" if quality["further_items"] else ""
        return Verdict("undecided", (f"quality is not shown to be not worse by the margin: {said}{more}",))
    good = f"quality is not worse by the margin: {said}"
    side = evidence.cost.side
    if side == "unknown":
        return Verdict("undecided", (good, f"cost per acceptable decision is not known: {evidence.why_no_cost}"))
    costs = f"direct costs {_dollars(evidence.cost)} per acceptable decision"
    if side != "alike":
        return Verdict("migrate" if side == "lower" else "keep", (good, costs))
    alike = f"{costs}, which cannot be told apart"
    tail = evidence.p99.side
    if tail in ("alike", "unknown"):
        told = "is not measured on both sides" if tail == "unknown" else "cannot be told apart either"
        return Verdict("undecided", (good, alike, f"p99 {told}"))
    return Verdict(
        "migrate" if tail == "lower" else "keep",
        (good, alike, f"direct's p99 is {abs(evidence.p99.estimate or 0.0) * 1e3:.3g} ms {tail}"),
    )


def measure(overall: Evidence, by_task: Mapping[str, Evidence]) -> dict[str, Any]:
    """`overall`, `by_task` and `reasons`, as the report holds them."""
    whole, tasks = decide(overall), {task: decide(evidence) for task, evidence in by_task.items()}
    words = {whole.word, *(each.word for each in tasks.values())}
    reasons = list(whole.reasons)
    word = whole.word
    if {"migrate", "keep"} <= words:
        word = "split"
        for side in ("migrate", "keep"):
            named = [task for task, each in tasks.items() if each.word == side]
            reasons.append(f"{side}: {', '.join(named) or 'all taken together'}")
    return {"overall": word, "by_task": {task: each.word for task, each in tasks.items()}, "reasons": reasons}


def _interval(part: Mapping[str, Any]) -> str:
    return "" if part["low"] is None else f" [{100 * part['low']:+.1f}, {100 * part['high']:+.1f}]"


def _dollars(difference: Difference) -> str:
    """As so much less or more; the interval is in the same words, and says so where its ends are on both sides."""
    usd = difference.estimate or 0.0
    word = "less" if usd < 0 else "more"
    low, high = difference.ends
    if low == high:
        inside = ""
    elif low < 0 < high:
        inside = f" [${-low:.3g} less, ${high:.3g} more]"
    else:
        near, far = sorted((abs(low), abs(high)))
        inside = f" [{near:.3g}, {far:.3g}]"
    return f"${abs(usd):.3g} {word}{inside}"

"""One group of questions with both models in reach, and the verdict on what would take the cascade's place there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.published.assumptions import HIT_RATES
from benchmarks.published.counts import Group
from benchmarks.published.model import Difference, Routed
from benchmarks.published.reach import Reach, Sizes, Times, cascade_times, cascade_usd

WITH_CACHE: Final = HIT_RATES[-1]
"""The hit rate that verdicts are given at: a team that has a cache keeps it."""

Pair = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """migrate, keep or undecided, and what decided it."""

    word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """One group with everything that its figures are made of.

    `ends` are shares of its right answers that the small model keeps in silicon; `sizes` the assumed tokens, then the
    corners of their ranges; `cascades`, by skill, the one at the skill as assumed, then at its range's ends.
    """

    group: Group
    ends: Mapping[str, float]
    sizes: Sequence[Sizes]
    small: Reach
    large: Reach
    cascades: Mapping[str, Sequence[Routed]]

    def usd(self, skill: str, hit_rate: float) -> float | None:
        """US dollars per acceptable decision of the cascade, all as assumed."""
        return cascade_usd(self.cascades[skill][0], hit_rate, self.small, self.large, self.sizes[0])

    def times(self, skill: str, hit_rate: float, size: Sizes | None = None) -> Times:
        """Seconds of the cascade's answers."""
        return cascade_times(self.cascades[skill][0], hit_rate, self.small, self.large, size or self.sizes[0])

    def verdict(self, gap: Difference, usd: float | None, seconds: float | None) -> Verdict:
        """Of something in place of the cascade that routes with the measured skill behind a cache."""
        p99_s = self.times("measured", WITH_CACHE).p99_s
        return decide(gap, (usd, self.usd("measured", WITH_CACHE)), (seconds, p99_s))

    def pace_for(self, figure: str, size: Sizes, like: Reach) -> float | None:
        """Tokens a second at which an answer takes as long as the cascade's `mean_s` or `p99_s`, after the first token
        of `like`; None where none is enough, or a time is not known."""
        limit: float | None = getattr(self.times("measured", WITH_CACHE, size), figure)
        if limit is None or like.pace is None:
            return None
        left = limit - like.pace.until_first(size.input)
        return (size.output - 1) / left if left > 0 else None


def decide(gap: Difference, usd: Pair, seconds: Pair) -> Verdict:
    """migrate, keep or undecided: quality not worse by the margin, then cost per acceptable decision, then p99.

    `gap` is direct less cascade; the pairs are direct's and the cascade's. Unknown never passes.
    """
    if not gap.not_worse:
        return Verdict("keep", "quality") if gap.word == "worse" else Verdict("undecided", "quality")
    for reason, (ours, theirs) in (("cost", usd), ("latency", seconds)):
        if ours is None or theirs is None:
            return Verdict("undecided", f"{reason} not known")
        if ours > theirs:
            return Verdict("keep", reason)
    return Verdict("migrate", "not worse, not dearer, not slower")


def per_decision(usd: float | None, quality: float) -> float | None:
    """US dollars per acceptable decision of answers that cost so much, of which this share is right."""
    return usd / quality if usd is not None and quality else None

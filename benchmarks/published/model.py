"""The formulas: what a cascade, a rounding to few bits and a majority vote make of four counts.

Each is a simple model of something that was not measured on these questions, and each says where it is weak. All
qualities are shares of right answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.published.counts import Counts
from benchmarks.quality.decision import Word, word_of
from benchmarks.quality.tango import tango

MARGIN: Final = 0.02
"""How much worse still counts as not worse, and what a cascade gives up of the large model's quality to save calls:
the defaults of `[quality] margin` and of `crossover classifier train --quality-loss`."""
NORMAL_95: Final = 1.959964
"""Two-sided 95 % of the normal distribution: each question is one independent item, for nobody published groups."""
MOST_VOTES: Final = 31


@dataclass(frozen=True, slots=True)
class Difference:
    """Of two shares of right answers on the same questions, with Tango's 95 % interval and the verdict word."""

    estimate: float
    low: float
    high: float
    word: Word
    not_worse: bool


def difference(gained: float, lost: float, n: float) -> Difference:
    """Of n questions one arm alone got `gained` right, the other alone `lost`; not whole numbers where modelled."""
    low, high = tango(gained, lost, n, NORMAL_95)
    estimate = (gained - lost) / n
    return Difference(estimate, low, high, word_of(low, high, estimate, MARGIN, None)[0], low > -MARGIN)


@dataclass(frozen=True, slots=True)
class Routed:
    """A cascade in front of both models: the share of questions that go to the large one, and what that changes.

    `won` counts questions that only the large model answers and that reach it, `lost` those that only the small one
    answers and that do not reach it.
    """

    share: float
    won: float
    lost: float
    quality: float

    def direct_less_this(self, counts: Counts, retained: float = 1.0) -> Difference:
        """The small model alone less the cascade; rounded, it has kept `retained` of its right answers (see `rounded`).

        The cascade's small model is not rounded. Direct alone is right on what it kept of the questions that routing
        loses; the cascade alone on those that routing wins, and on what direct no longer has of all the others.
        """
        gone = (1 - retained) * (counts.both_right + counts.small_only - self.lost)
        return difference(self.lost * retained, self.won + gone, counts.n)


def oracle_apgr(counts: Counts) -> float | None:
    """APGR of a router that knows the outcomes: (c - c^2/2 - b^2/2) / (c - b); None where the large one is not better.

    b and c are the shares that only the small and only the large model answers. The oracle sends c first, each won,
    and b last, each lost; APGR is the area under its curve of recovered quality over shares of calls from 0 to 1.
    """
    b, c = counts.small_only / counts.n, counts.large_only / counts.n
    return (c - c * c / 2 - b * b / 2) / (c - b) if c > b else None


def weight_for(counts: Counts, apgr: float) -> float | None:
    """How far a router of this APGR is on the way from drawing lots to the oracle, in [0, 1].

    The curve is taken as a mix, (1 - w) * random + w * oracle. APGR is linear in the curve and is 1/2 for random, so
    w = (APGR - 1/2) / (APGR of the oracle - 1/2) has exactly this APGR. Weak in shape: a real router's curve bends
    evenly, the oracle's only at the shares c and 1 - b, so the mix is too good about those and too bad between. None
    where the large model is not better, since then APGR is not defined.
    """
    best = oracle_apgr(counts)
    return None if best is None else min(1.0, max(0.0, (apgr - 0.5) / (best - 0.5)))


def routed(counts: Counts, weight: float, share: float) -> Routed:
    """The cascade that sends a `share` of questions to the large model, chosen with that weight (0 lots, 1 oracle)."""
    last = max(0.0, share * counts.n - counts.n + counts.small_only)
    first = min(share * counts.n, counts.large_only)
    won = (1 - weight) * share * counts.large_only + weight * first
    lost = (1 - weight) * share * counts.small_only + weight * last
    return Routed(share, won, lost, counts.small + (won - lost) / counts.n)


def within_margin(counts: Counts, weight: float) -> Routed:
    """The cascade with the fewest large calls that keeps the large model's quality less `MARGIN`, as ours is trained.

    Quality is concave in the share and straight between the shares at which the oracle's turns, so the first straight
    piece that reaches the target holds the answer.
    """
    target = counts.large - MARGIN
    turns = sorted({0.0, counts.large_only / counts.n, 1 - counts.small_only / counts.n, 1.0})
    before = routed(counts, weight, 0.0)
    for turn in turns:
        after = routed(counts, weight, turn)
        if after.quality >= target - 1e-12:
            rise = after.quality - before.quality
            part = (target - before.quality) / rise if rise > 0 else 0.0
            return routed(counts, weight, before.share + (after.share - before.share) * min(1.0, max(0.0, part)))
        before = after
    return before


def rounded(counts: Counts, retained: float) -> Counts:
    """The small model keeps `retained` of its right answers, lost ones drawn evenly, whatever the large model says.

    Weak: rounding also wins a few answers and then loses as many more, so there is more disagreement than this, and
    the interval over it is a little too narrow.
    """
    both, small_only = counts.both_right * retained, counts.small_only * retained
    return Counts(
        both, small_only, counts.large_only + counts.both_right - both, counts.neither + counts.small_only - small_only
    )


def majority(share: float, votes: int, concentration: float) -> float:
    """Expected share of right answers by a majority of `votes`, where one sample is right on `share`.

    Each question has its own chance p of a right sample, p ~ Beta(share * k, (1 - share) * k) over the questions with
    k the `concentration`; votes are independent given p, so their number is beta-binomial (infinite k: binomial, all
    questions equally hard). A tie counts half. Weak: it takes wrong samples to agree with each other. Where they
    scatter, the right answer wins with less than half of the votes, and votes help more than this.
    """
    from scipy.stats import betabinom, binom

    if not 0 < share < 1:
        return share
    count = binom(votes, share) if math.isinf(concentration) else _beta(betabinom, votes, share, concentration)
    above = float(count.sf(votes / 2 if votes % 2 == 0 else (votes - 1) / 2))
    return above + (float(count.pmf(votes // 2)) / 2 if votes % 2 == 0 else 0.0)


def _beta(betabinom: Any, votes: int, share: float, concentration: float) -> Any:
    return betabinom(votes, share * concentration, (1 - share) * concentration)


def concentration(one: float, voted: float, votes: int) -> float:
    """The k at which `votes` votes bring a share of `one` to `voted`; infinite where even equal questions do not."""
    from scipy.optimize import brentq

    if majority(one, votes, math.inf) <= voted:
        return math.inf
    return float(math.exp(brentq(lambda log: majority(one, votes, math.exp(log)) - voted, -3.0, 12.0)))


def votes_for(share: float, target: float, k: float) -> int | None:
    """The least odd number of votes, up to `MOST_VOTES`, that brings `share` to `target`; None where none does."""
    if share >= target:
        return 1
    if share <= 0.5:  # Beta is skewed to the right there: a majority is wrong more often than one sample
        return None
    return next((n for n in range(3, MOST_VOTES + 1, 2) if majority(share, n, k) >= target), None)

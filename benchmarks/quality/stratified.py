"""What a random sample of labelled pairs says about all questions, where equal answers need no label.

Two phases: the questions are a sample, by groups, of questions like these; the labelled pairs are a simple random
sample of the differing ones within each stratum. The estimate is the stratified mean over all questions, an unlabelled
equal pair counting 0. Its variance is the sum of both phases' (Cochran, Sampling Techniques, 1977, 12.2): the clustered
variance that all labels would leave, estimated by inverse inclusion probabilities (Horvitz and Thompson, 1952), and the
labels' own, which is gone once every differing pair has one. A pseudo-label of +1 and one of -1 in each phase keep the
interval from having no width; Student's t takes Satterthwaite's degrees of freedom.

A pair that was drawn and skipped may hold anything, and those who label skip ties more often than others. It counts as
a tie in the estimate; the interval reaches from the lower end with every skip at -1 to the upper end with every one
at +1.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.quality.decision import Word, word_of
from benchmarks.quality.further import items_for_equivalence, items_needed
from benchmarks.quality.interval import CONFIDENCE

LEAST: Final = 2
"""Labels that a stratum needs to stand alone, and groups and labels that an interval needs."""
TINY: Final = 1e-6
"""Gaps below this are taken for none: no number of labels would show them."""


@dataclass(frozen=True, slots=True)
class Differing:
    """One pair of answers that differ. `share` in (0, 1] is how much of its question it is."""

    stratum: str
    group: Hashable
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Frame:
    """All that was sampled from: the differing pairs, and the number of questions of every group."""

    pairs: Sequence[Differing]
    group_sizes: Mapping[Any, int]

    @property
    def questions(self) -> int:
        return sum(self.group_sizes.values())


@dataclass(frozen=True, slots=True)
class Estimate:
    """Direct less legacy over all questions, in [-1, 1], with its 95 % interval; None where nothing can be said.

    `labels_needed` are the further ones that would give the nearest word with 80 % power if nothing else changed, and
    `labels_for_not_worse` those that would show it to be not worse: 0 where that is decided, None where labels for all
    differing pairs would not do, and only more questions, or fewer skips, can.
    """

    estimate: float | None
    low: float | None
    high: float | None
    word: Word
    not_worse: bool
    reason: str
    labels_needed: int | None
    labels_for_not_worse: int | None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    frame: Frame,
    labels: Mapping[int, float],
    *,
    margin: float,
    skipped: Collection[int] = (),
    predictions: Sequence[float] | None = None,
) -> Estimate:
    """`labels` has d in [-1, 1] by the pair's place in the frame, of a random sample; `skipped` has the rest of it.

    With `predictions`, one a pair and made without the labels, only what they are off by is taken from the sample.
    """
    pairs, groups = frame.pairs, len(frame.group_sizes)
    if len(labels) < LEAST or groups < LEAST:
        plan = _Plan(_first_planned(frame), 1.0, len(pairs), frame.questions, 0)
        what = f"{len(labels)} label{'s' * (len(labels) != 1)} on questions of {groups} group{'s' * (groups != 1)}"
        reason = f"cannot be decided from {what}"
        needed = plan.labels(_for_a_word(0.0, margin)), plan.labels(_for_not_worse(0.0, margin))
        return Estimate(None, None, None, "inconclusive", False, reason, *needed)  # noqa: FBT003
    guesses = [0.0] * len(pairs) if predictions is None else predictions
    ties = losses = gains = _sampled(frame, {**labels, **dict.fromkeys(skipped, 0.0)}, guesses)
    if skipped:
        losses, gains = (_sampled(frame, {**labels, **dict.fromkeys(skipped, value)}, guesses) for value in (-1.0, 1.0))
    theta = ties.mean
    low, high = max(-1.0, losses.mean - losses.half), min(1.0, gains.mean + gains.half)
    word, reason = word_of(low, high, theta, margin, None)
    plan = _Plan(ties.first, ties.spread, len(pairs), frame.questions, len(labels) + len(skipped))
    unknown = gains.mean - theta
    needed = (
        plan.labels(_for_a_word(theta, margin, unknown)) if word == "inconclusive" else 0,
        plan.labels(_for_not_worse(theta, margin, unknown)) if low <= -margin else 0,
    )
    return Estimate(theta, low, high, word, low > -margin, reason, *needed)


@dataclass(frozen=True, slots=True)
class _Sampled:
    """A mean over all questions, half its interval, both phases' variance: `first`, and what the labels vary by."""

    mean: float
    half: float
    first: float
    spread: float


def _sampled(frame: Frame, labels: Mapping[int, float], guesses: Sequence[float]) -> _Sampled:
    pairs, n = frame.pairs, frame.questions
    strata = _strata(pairs, labels)
    sizes, taken = Counter(strata), Counter(strata[place] for place in labels)
    off: dict[str, list[float]] = defaultdict(list)
    for place, label in labels.items():
        off[strata[place]].append(pairs[place].share * (label - guesses[place]))
    guessed = math.fsum(pair.share * guess for pair, guess in zip(pairs, guesses, strict=True))
    mean = (guessed + sum(sizes[name] * sum(each) / taken[name] for name, each in off.items())) / n
    rest = sum((value - sum(each) / len(each)) ** 2 for each in off.values() for value in each)
    df = len(labels) + 2 - len(off)
    spread = (rest + 2) / df
    second = sum(sizes[name] ** 2 * (1 - taken[name] / sizes[name]) / taken[name] for name in off) * spread / n**2
    first = _first(frame, labels, strata, sizes, taken, mean)
    half = _quantile(first, len(frame.group_sizes) + 1, second, df) * math.sqrt(first + second)
    return _Sampled(mean, half, first, spread)


def _strata(pairs: Sequence[Differing], labels: Mapping[int, float]) -> list[str]:
    """Each pair's stratum. Those with too few labels are one, and all are where that one has too few as well."""
    taken = Counter(pairs[place].stratum for place in labels)
    poor = {pair.stratum for pair in pairs if taken[pair.stratum] < LEAST}
    if poor and sum(taken[name] for name in poor) < LEAST:
        return ["" for _ in pairs]
    return ["" if pair.stratum in poor else f"={pair.stratum}" for pair in pairs]


def _first(
    frame: Frame,
    labels: Mapping[int, float],
    strata: Sequence[str],
    sizes: Mapping[str, int],
    taken: Mapping[str, int],
    theta: float,
) -> float:
    """Variance of the mean over the questions if every differing pair had its label, with two pseudo-questions.

    The sum over groups of (total - theta * size)^2, its squares and products each over their inclusion probability;
    never below what independent questions would have.
    """
    n, groups = frame.questions + 2, len(frame.group_sizes) + 2
    inside: dict[Hashable, list[tuple[str, float]]] = defaultdict(list)
    squares = cross = products = 0.0
    for place, label in labels.items():
        pair, name = frame.pairs[place], strata[place]
        value, weight = pair.share * label, sizes[name] / taken[name]
        squares += weight * value * value
        cross += weight * value * frame.group_sizes[pair.group]
        for other, before in inside[pair.group]:
            both = (taken[name] - 1) / (sizes[name] - 1) if other == name else taken[other] / sizes[other]
            products += 2 * value * before * weight / both
        inside[pair.group].append((name, value))
    own = sum(size * size for size in frame.group_sizes.values())
    clustered = squares + products - 2 * theta * cross + theta**2 * own + 2
    independent = squares + 2 - theta**2 * frame.questions
    return max(clustered, independent, 2.0) * groups / (groups - 1) / n**2


def _first_planned(frame: Frame) -> float:
    """Where there is no label yet: as if every differing pair were decisive and questions were independent."""
    return (sum(pair.share**2 for pair in frame.pairs) + 2) / max(frame.questions, 1) ** 2


def _for_a_word(theta: float, margin: float, unknown: float = 0.0) -> float | None:
    """The variance of the mean that gives the nearest word: better or worse, or equivalent. None where none does.

    `further` counts questions of variance 1, whose mean has 1 over their number. `unknown` is what skips may hide.
    """
    needed = []
    if (gap := abs(theta) - unknown) > TINY:
        needed.append(items_needed(gap, 0.0, 1.0, 1.0))
    if margin - unknown - abs(theta) > TINY:
        needed.append(items_for_equivalence(margin - unknown, theta, 1.0 + theta * theta, 1.0))
    return 1 / min(needed) if needed else None


def _for_not_worse(theta: float, margin: float, unknown: float = 0.0) -> float | None:
    """The same for an interval above minus the margin."""
    gap = theta + margin - unknown
    return 1 / items_needed(gap, 0.0, 1.0, 1.0) if gap > TINY else None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What labels cost: both phases' variance by the number of labels, and how many there are."""

    first: float
    spread: float
    differing: int
    questions: int
    labelled: int

    def labels(self, variance: float | None) -> int | None:
        """Solves first + (D / N)^2 spread (1 / m - 1 / D) = variance for m, in labels beyond those there are."""
        if variance is None or not self.differing or (room := variance - self.first) < 0:
            return None
        total = math.ceil(1 / (room / ((self.differing / self.questions) ** 2 * self.spread) + 1 / self.differing))
        still = min(total, self.differing) - self.labelled
        return max(still, 1) if self.labelled < self.differing else None


def _quantile(first: float, first_df: float, second: float, second_df: float) -> float:
    from scipy.stats import t

    df = (first + second) ** 2 / (first**2 / first_df + second**2 / second_df)
    return float(t.ppf((1 + CONFIDENCE) / 2, df))

"""What a random sample of labelled pairs says about all questions, where equal answers need no label.

Two phases: the questions are a sample, by groups, of questions like these; the labelled pairs are a simple random
sample of the differing ones within each stratum. The estimate is the stratified mean over all questions, an unlabelled
equal pair counting 0. Its variance is the sum of both phases' (Cochran, Sampling Techniques, 1977, 12.2): the clustered
variance that all labels would leave, estimated by inverse inclusion probabilities (Horvitz and Thompson, 1952), and the
labels' own, which is gone once every differing pair has one. A pseudo-label of +1 and one of -1 in each phase keep the
interval from having no width; Student's t takes Satterthwaite's degrees of freedom.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks.quality.decision import Word, word_of
from benchmarks.quality.further import POWER
from benchmarks.quality.interval import CONFIDENCE

LEAST: Final = 2
"""Labels that a stratum needs to stand alone, and groups and labels that an interval needs."""


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

    `labels_needed` are the further ones that would decide with 80 % power if nothing else changed: 0 where it is
    decided, None where labels for all differing pairs would not do, and only more questions can.
    """

    estimate: float | None
    low: float | None
    high: float | None
    word: Word
    not_worse: bool
    reason: str
    labels_needed: int | None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def estimate(
    frame: Frame, labels: Mapping[int, float], *, margin: float, predictions: Sequence[float] | None = None
) -> Estimate:
    """`labels` has d in [-1, 1] by the pair's place in the frame, of a random sample.

    With `predictions`, one a pair and made without the labels, only what they are off by is taken from the sample.
    """
    pairs, n = frame.pairs, frame.questions
    groups = len(frame.group_sizes)
    guesses = [0.0] * len(pairs) if predictions is None else predictions
    strata = _strata(pairs, labels)
    sizes, taken = Counter(strata), Counter(strata[place] for place in labels)
    if len(labels) < LEAST or groups < LEAST:
        needed = _needed(margin, _first_planned(frame), 1.0, len(pairs), n, 0)
        what = f"{len(labels)} label{'s' * (len(labels) != 1)} on questions of {groups} group{'s' * (groups != 1)}"
        return Estimate(None, None, None, "inconclusive", False, f"cannot be decided from {what}", needed)  # noqa: FBT003
    off: dict[str, list[float]] = defaultdict(list)
    for place, label in labels.items():
        off[strata[place]].append(pairs[place].share * (label - guesses[place]))
    guessed = math.fsum(pair.share * guess for pair, guess in zip(pairs, guesses, strict=True))
    theta = (guessed + sum(sizes[name] * sum(each) / taken[name] for name, each in off.items())) / n
    rest = sum((value - sum(each) / len(each)) ** 2 for each in off.values() for value in each)
    spread = (rest + 2) / (len(labels) + 2 - len(off))
    second = sum(sizes[name] ** 2 * (1 - taken[name] / sizes[name]) / taken[name] for name in off) * spread / n**2
    first = _first(frame, labels, strata, sizes, taken, theta)
    half = _quantile(first, groups + 1, second, len(labels) + 2 - len(off)) * math.sqrt(first + second)
    low, high = max(-1.0, theta - half), min(1.0, theta + half)
    word, reason = word_of(low, high, theta, margin, None)
    gap = max(min(abs(theta), abs(margin - abs(theta))), 1e-6)
    needed = _needed(gap, first, spread, len(pairs), n, len(labels)) if word == "inconclusive" else 0
    return Estimate(theta, low, high, word, low > -margin, reason, needed)


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


def _needed(gap: float, first: float, spread: float, differing: int, questions: int, labelled: int) -> int | None:
    """Solves z^2 (first + (D / N)^2 spread (1 / m - 1 / D)) = gap^2 for m, in labels beyond those there are."""
    from scipy.stats import norm

    z = float(norm.ppf((1 + CONFIDENCE) / 2) + norm.ppf(POWER))
    room = (gap / z) ** 2 - first
    if room < 0 or not differing:
        return None
    total = math.ceil(1 / (room / ((differing / questions) ** 2 * spread) + 1 / differing))
    return max(min(total, differing) - labelled, 1) if labelled < differing else None


def _quantile(first: float, first_df: float, second: float, second_df: float) -> float:
    from scipy.stats import t

    df = (first + second) ** 2 / (first**2 / first_df + second**2 / second_df)
    return float(t.ppf((1 + CONFIDENCE) / 2, df))

"""Intervals for shares and for paired differences, where questions come in groups that rise and fall together.

Paraphrases and near misses of one question are not independent, so the sample counts for less than its size: by the
design effect, the clustered variance over the independent one, never taken below 1. Where all answers are alike nothing
can be seen of it, and each group counts as one answer. Student's t has one degree of freedom less than there are
groups, unequal ones counted as so many equal ones as weigh the same: (sum of sizes)^2 / sum of squares. Both intervals
have width even where every answer was right. A few very large groups are more than the first can hold: on 146 items, 56
of them in three groups whose members always agree, it holds the truth in 85 to 89 % of samples, not 95.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Final

CONFIDENCE: Final = 0.95
Interval = tuple[float, float]


def share(right: Sequence[bool], groups: Sequence[Hashable]) -> Interval:
    """Wilson's score interval for a share in [0, 1], on counts divided by the design effect.

    `right` and `groups` have one entry an item. Wilson, JASA 22 (1927); the division: Kish, Survey Sampling (1965).
    """
    p, t = sum(right) / len(right), _t(groups)
    n = _effective_groups(groups)
    if 0 < p < 1:
        n = len(right) / _design_effect([float(each) for each in right], groups)
    centre = (p + t * t / (2 * n)) / (1 + t * t / n)
    half = t / (1 + t * t / n) * math.sqrt(p * (1 - p) / n + t * t / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def difference(values: Sequence[float], groups: Sequence[Hashable]) -> Interval:
    """Clustered t interval for a mean paired difference in [-1, 1], with two pseudo-items, one at +1 and one at -1.

    Cluster-robust standard error after Miller, arXiv 2411.00640; the pseudo-items keep its promise in small samples.
    """
    padded, clusters = [*values, 1.0, -1.0], [*groups, ("pseudo", 1), ("pseudo", -1)]
    mean = sum(padded) / len(padded)
    half = _t(clusters) * math.sqrt(_clustered_variance(padded, clusters))
    return max(-1.0, mean - half), min(1.0, mean + half)


def _clustered_variance(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Of the mean: G / (G - 1) * sum over groups of (sum of deviations)^2, over n^2."""
    mean, sums = sum(values) / len(values), dict[Hashable, float]()
    for value, group in zip(values, groups, strict=True):
        sums[group] = sums.get(group, 0.0) + value - mean
    count = len(sums)
    return count / max(count - 1, 1) * sum(each * each for each in sums.values()) / len(values) ** 2


def _design_effect(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    return max(1.0, _clustered_variance(values, groups) / _clustered_variance(values, range(len(values))))


def _effective_groups(groups: Sequence[Hashable]) -> float:
    sizes = Counter(groups).values()
    return sum(sizes) ** 2 / sum(size * size for size in sizes)


def _t(groups: Sequence[Hashable]) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, max(_effective_groups(groups) - 1, 1)))

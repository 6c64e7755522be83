"""Intervals for several means of the same items that hold jointly: all of them at once in 95 % of samples.

Read side by side, pointwise 95 % intervals of three parts and their sum all hold in only 78 to 84 % of samples. Here
the critical value is that of the largest studentised deviation, by a multiplier bootstrap over clusters (Chernozhukov,
Chetverikov and Kato, Annals of Statistics 41, 2013) with Student's t in place of the normal. With normal multipliers
the bootstrap's draws are themselves exactly normal, with the clusters' covariance, so they are drawn from that. Nothing
is answered again in it: a cache that met the same request twice would hit.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Final

from benchmarks.quality.interval import CONFIDENCE, Interval, effective_groups

DRAWS: Final = 20_000
SEED: Final = 7
JITTER: Final = 1e-9


def intervals(columns: Mapping[str, Sequence[float]], groups: Sequence[Hashable]) -> dict[str, Interval]:
    """One interval for the mean of each column. Columns have one value in [-1, 1] an item, `groups` its group.

    Two pseudo-items, at +1 and -1 in every column, keep the promise in small samples and give every interval a width.
    The same arguments give the same intervals.
    """
    import numpy as np

    clusters: list[Hashable] = [*groups, ("pseudo", 1), ("pseudo", -1)]
    known: dict[Hashable, int] = {}
    codes = np.array([known.setdefault(each, len(known)) for each in clusters])
    x = np.array([[*values, 1.0, -1.0] for values in columns.values()])
    means = x.mean(axis=1)
    sums = np.array([np.bincount(codes, weights=row) for row in x - means[:, None]])
    covariance = len(known) / (len(known) - 1) * (sums @ sums.T) / len(clusters) ** 2
    errors = np.sqrt(np.diag(covariance))
    rng, freedom = np.random.default_rng(SEED), max(effective_groups(clusters) - 1, 1)
    # columns that add up to another make it singular; the jitter keeps its root from hanging on the last digit
    root = np.linalg.cholesky(covariance / np.outer(errors, errors) + JITTER * np.eye(len(x)))
    deviations = rng.standard_normal((DRAWS, len(x))) @ root.T
    largest = np.abs(deviations).max(axis=1) / np.sqrt(rng.chisquare(freedom, DRAWS) / freedom)
    halves = np.quantile(largest, CONFIDENCE) * errors
    return {
        name: (max(-1.0, float(mean - half)), min(1.0, float(mean + half)))
        for name, mean, half in zip(columns, means, halves, strict=True)
    }

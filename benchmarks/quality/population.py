"""Are these still the questions we knew? Population stability index and Kolmogorov and Smirnov's two-sample test.

Both compare one figure a question, the classifier's predicted gain or the prompt's length, between a reference window
and an epoch. They need no graded answers. Each paraphrase group gives one value a window: its first.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

BINS: Final = 10
"""By the deciles of the reference (Siddiqi, Credit Risk Scorecards, 2006: above 0.1 some, above 0.25 much drift)."""


def compare(reference: Sequence[float], current: Sequence[float]) -> dict[str, Any]:
    """`psi`; `psi_by_chance`, its mean where nothing changed; `p`, the test's two-sided p-value. None: too few.

    By chance: (bins - 1) * (1/n + 1/m), the mean of the chi-squared that PSI approaches (Yurdakul and Naranjo, 2020).
    """
    if min(len(reference), len(current)) < BINS:
        return {"psi": None, "psi_by_chance": None, "p": None}
    from scipy.stats import ks_2samp

    bins = len(_edges(reference)) + 1
    return {
        "psi": stability_index(reference, current),
        "psi_by_chance": (bins - 1) * (1 / len(reference) + 1 / len(current)),
        "p": float(ks_2samp(reference, current, method="asymp").pvalue),
    }


def stability_index(reference: Sequence[float], current: Sequence[float]) -> float:
    """Sum over bins of (q - p) * ln(q / p), half a value added to each bin so that an empty one stays finite."""
    edges = _edges(reference)
    shares = []
    for values in (reference, current):
        counts = [0.5] * (len(edges) + 1)
        for value in values:
            counts[bisect_right(edges, value)] += 1.0
        shares.append([count / sum(counts) for count in counts])
    return math.fsum((q - p) * math.log(q / p) for p, q in zip(*shares, strict=True))


def _edges(reference: Sequence[float]) -> list[float]:
    """The inner deciles; fewer where many values are equal."""
    ordered = sorted(reference)
    return sorted({ordered[len(ordered) * decile // BINS] for decile in range(1, BINS)})

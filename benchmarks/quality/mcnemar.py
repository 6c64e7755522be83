"""McNemar's exact test: could a fair coin have dealt the questions that only one side gets right?

It treats questions as independent, so in groups it is too sure of itself; it stands beside the interval, which is not.
McNemar, Psychometrika 12 (1947).
"""

from __future__ import annotations


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided p-value in [0, 1]; 1 where no question is right on one side only."""
    if gained + lost == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(gained, gained + lost).pvalue)

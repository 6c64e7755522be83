"""Tango's score interval for the difference of two paired shares. Unlike Wald's it keeps its promise in small samples.

Tango, Statistics in Medicine 17 (1998) 891-908. Counts need not be whole: divided by a design effect they stand for
so many independent pairs.
"""

from __future__ import annotations

import math

Interval = tuple[float, float]


def tango(gained: float, lost: float, pairs: float, quantile: float) -> Interval:
    """Bounds in [-1, 1] for (gained - lost) / pairs. `quantile` is that of the normal or t distribution, two-sided."""
    from scipy.optimize import brentq

    estimate = (gained - lost) / pairs
    if 1 - estimate < 1e-12 or score(gained, lost, pairs, 1 - 1e-12) > -quantile:
        high = 1.0
    else:
        high = brentq(lambda delta: score(gained, lost, pairs, delta) + quantile, estimate, 1 - 1e-12)
    if estimate + 1 < 1e-12 or score(gained, lost, pairs, -1 + 1e-12) < quantile:
        low = -1.0
    else:
        low = brentq(lambda delta: score(gained, lost, pairs, delta) - quantile, -1 + 1e-12, estimate)
    return float(low), float(high)


def score(gained: float, lost: float, pairs: float, delta: float) -> float:
    """The score statistic for a true difference of `delta`: about normal where that is the truth."""
    numerator = gained - lost - pairs * delta
    b = -gained - lost + (2 * pairs - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    root = (math.sqrt(max(b * b - 8 * pairs * c, 0.0)) - b) / (4 * pairs)
    variance = pairs * (2 * root + delta * (1 - delta))
    if variance <= 1e-300:
        return 0.0 if abs(numerator) < 1e-12 else math.copysign(math.inf, numerator)
    return numerator / math.sqrt(variance)

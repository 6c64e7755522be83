"""How many more items would decide, if the difference stays what it is."""

from __future__ import annotations

import math
from typing import Final

POWER: Final = 0.8


def items_needed(gap: float, delta: float, variance: float, design_effect: float) -> int:
    """Items in all that show, with `POWER` at 95 % two-sided, that a difference `delta` is `gap` away from a bound.

    n = (z_{0.975} + z_{POWER})^2 (p_d - delta^2) deff / gap^2, where `variance` is p_d: the share of discordant pairs,
    or the mean squared difference of graded scores. For not-worse, gap = delta + margin. Normal approximation.
    """
    from scipy.stats import norm

    z = float(norm.ppf(0.975) + norm.ppf(POWER))
    return math.ceil(z * z * max(variance - delta * delta, 0.0) * design_effect / gap**2)


def items_for_equivalence(margin: float, delta: float, variance: float, design_effect: float) -> int:
    """The same for an interval within minus and plus `margin`, which has two bounds to stay clear of.

    The standard error s at which P(both) = phi((margin - delta)/s - z) + phi((margin + delta)/s - z) - 1 is `POWER`.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, room = norm.ppf(0.975), margin - abs(delta)

    def short(error: float) -> float:
        return float(norm.cdf(room / error - z) + norm.cdf((margin + abs(delta)) / error - z) - 1 - POWER)

    error = float(brentq(short, room / 10, room))
    return math.ceil(max(variance - delta * delta, 0.0) * design_effect / error**2)

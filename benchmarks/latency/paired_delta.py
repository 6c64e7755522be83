"""Two targets asked the same requests: how much longer one takes, request by request.

Two questions with two answers, shown side by side. The quantile of the differences says what a request gains or loses;
pairing takes out what makes requests differ. The difference of the quantiles says how the distributions lie, tail
against tail, which is what a limit on p99 is about. They need not even agree in sign.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.latency.quantiles import LEVEL, Estimate, Samples, of_series

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delta:
    """Second minus first, in seconds, at one quantile; None where the sample does not support it."""

    q: float
    of_differences: Estimate | None
    of_quantiles: Estimate | None


def delta(first_s: Samples, second_s: Samples, q: float, level: float = LEVEL) -> Delta:
    """Both arrays hold one entry a request, the same requests in the same order. Raises `ValueError` where they do not.

    The interval of the difference of quantiles runs from each one's own interval at a level of 1 - (1 - level) / 2, end
    against opposite end (Bonferroni): it holds however the two depend on each other, and is wide for it.
    """
    import numpy as np

    first, second = np.asarray(first_s, dtype=np.float64), np.asarray(second_s, dtype=np.float64)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} against {len(second)} requests; pair those that both targets answered")
    one, other = (of_series(each, q, (1 + level) / 2) for each in (first, second))
    apart = None
    if one is not None and other is not None:
        few = min(one.independent, other.independent)
        apart = Estimate(other.value - one.value, other.low - one.high, other.high - one.low, len(first), few)
    return Delta(q, of_series(second - first, q, level), apart)


def abba(targets: Sequence[T], blocks: int, seed: int) -> list[list[T]]:
    """In which order the targets are asked, block by block: drawn, then the other way round, then drawn anew.

    So every two blocks read like A B B A: what rises or falls steadily over them (heat, another process) adds the same
    to each target. Seeded.
    """
    rng, orders = random.Random(seed), list[list[T]]()  # noqa: S311  # a seeded order, no secret
    while len(orders) < blocks:
        drawn = rng.sample(list(targets), len(targets))
        orders += [drawn, drawn[::-1]]
    return orders[:blocks]

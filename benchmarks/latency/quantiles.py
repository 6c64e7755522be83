"""Quantiles of raw samples, each with an interval, and only where the sample supports it.

The value is the nearest rank. A sample supports a quantile where so few values would lie beyond it by chance that the
last but one of them bounds it with 99 % confidence: the rule of MLPerf LoadGen's early stopping, which asks for 64
requests for p90 and 662 for p99 (loadgen/early_stopping.cc). Both quantities rest on counts alone: how many of n values
lie beyond the quantile is binomial, whatever the latencies are distributed like, so no shape is assumed and no
resampling is needed.

Under load that is not enough. Requests that wait in one queue are slow together, so they say less than their number;
the binomial interval then holds the truth far too seldom. `of_series` takes the values in the order of arrival and
counts them for as many independent ones as their exceedances, batch by batch, scatter like.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Samples: TypeAlias = "Sequence[float] | npt.NDArray[np.float64]"

LEVEL: Final = 0.95
SUPPORT: Final = 0.99
"""Confidence of the rule that says which quantiles a sample supports."""
BATCHES: Final = 20
"""Stretches that a series is cut into: Schmeiser, Operations Research 30 (1982), asks for 10 to 30."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A quantile and its interval, in the unit of the samples, which were `n`.

    `independent` says for how many independent samples they count: `n` itself where they were taken to be independent.
    """

    value: float
    low: float
    high: float
    n: int
    independent: float


def quantile(samples: Samples, q: float, level: float = LEVEL) -> Estimate | None:
    """The nearest-rank quantile of independent samples with an order-statistic interval.

    None where the sample does not support it. Raises `ValueError` for a `q` or a `level` outside of (0, 1) and for NaN.
    """
    values = _checked(samples, q, level)
    return _estimate(values, q, level, float(len(values)), 1.0)


def of_series(samples: Samples, q: float, level: float = LEVEL) -> Estimate | None:
    """The same for samples in the order of their arrival that may have waited for one another.

    The design effect is the variance of the batches' shares of values above the quantile over what independent values
    would give, at least 1; Student's t of the batches stands for the normal quantile (batch means of the indicator:
    Heidelberger and Lewis, Operations Research 32, 1984). None where the sample, counted for as many independent ones,
    does not support the quantile. It is too narrow where a queue takes longer to forget than a batch lasts: simulated
    in the tests, and stated in docs/latency.md.
    """
    values = _checked(samples, q, level)
    if len(values) < max(BATCHES, least(q)):
        return None
    beyond = values > _at(values, [math.ceil(q * len(values) - 1e-9)])[0]
    return _estimate(values, q, level, len(values) / _design_effect(beyond), _t_over_normal(level))


@cache
def least(q: float) -> int:
    """The fewest independent samples that support a quantile: 11 for p50, 130 for p95, 662 for p99, 6,636 for p99.9."""
    tail = min(q, 1 - q)
    n = max(2, int(1 / tail))
    while _one_or_none(n, tail) > 1 - SUPPORT:
        n = max(n + 1, int(n * 1.001))
    while _one_or_none(n - 1, tail) <= 1 - SUPPORT:
        n -= 1
    return n


def _one_or_none(n: int, tail: float) -> float:
    """The probability that at most one of `n` values lies in the tail."""
    return math.exp((n - 1) * math.log1p(-tail)) * (1 - tail + n * tail)


def _estimate(
    values: npt.NDArray[np.float64], q: float, level: float, independent: float, widen: float
) -> Estimate | None:
    """`widen` stretches the interval's distance from the value, in ranks, beyond the binomial's."""
    n, counted = len(values), math.floor(independent + 1e-9)
    if counted < least(q):
        return None
    ranks = _ranks(counted, q, level)
    if ranks is None:
        return None
    middle = q * counted
    low, high = (middle + (rank - middle) * widen for rank in ranks)
    rank = math.ceil(q * n - 1e-9)
    places = [
        min(max(math.floor(low / counted * n + 1e-9), 1), rank),
        rank,
        max(min(math.ceil(high / counted * n - 1e-9), n), rank),
    ]
    found = _at(values, places)
    return Estimate(found[1], found[0], found[2], n, independent)


@lru_cache(maxsize=256)
def _ranks(n: int, q: float, level: float) -> tuple[int, int] | None:
    """Ranks l < u of n, from 1, whose order statistics hold the quantile between them: P(l <= B < u) >= level.

    B is binomial(n, q) (David and Nagaraja, Order Statistics, 7.1). The narrowest of the four that take the
    equal-tailed ranks or move either end inwards by one: the equal-tailed ones hold it too often where n is small.
    """
    from scipy.stats import binom

    inner = int(binom.ppf((1 - level) / 2, n, q)), int(binom.ppf((1 + level) / 2, n, q)) + 1
    held: list[tuple[int, float, tuple[int, int]]] = []
    for low in (inner[0], inner[0] + 1):
        for high in (inner[1] - 1, inner[1]):
            coverage = float(binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q))
            if low >= 1 and high <= n and coverage >= level:
                held.append((high - low, coverage, (low, high)))
    return min(held)[2] if held else None


def _design_effect(beyond: npt.NDArray[np.bool_]) -> float:
    """How many values count for one independent one, at least 1, from the shares of `BATCHES` equal stretches."""
    import numpy as np

    size = len(beyond) // BATCHES
    shares = beyond[len(beyond) - size * BATCHES :].reshape(BATCHES, size).mean(axis=1)
    overall = float(shares.mean())
    expected = overall * (1 - overall) / size
    return max(1.0, float(np.var(shares, ddof=1)) / expected) if expected else 1.0


@cache
def _t_over_normal(level: float) -> float:
    from scipy.stats import norm, t

    return float(t.ppf((1 + level) / 2, BATCHES - 1) / norm.ppf((1 + level) / 2))


def _checked(samples: Samples, q: float, level: float) -> npt.NDArray[np.float64]:
    import numpy as np

    if not (0 < q < 1 and 0 < level < 1):
        raise ValueError(f"q is {q} and level is {level}; both must lie between 0 and 1")
    values = np.asarray(samples, dtype=np.float64)
    if np.isnan(values).any():
        raise ValueError("a sample is not a number; leave out what was not measured before asking for a quantile")
    return values


def _at(values: npt.NDArray[np.float64], ranks: list[int]) -> list[float]:
    """Order statistics, ranks from 1, without sorting all."""
    import numpy as np

    places: Any = [rank - 1 for rank in ranks]
    return [float(each) for each in np.partition(values, sorted(set(places)))[places]]

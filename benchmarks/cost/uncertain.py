"""Figures with what is not sure about them: one array a figure, whose first entry is the figure itself.

The other entries are draws (Monte Carlo, seeded). Two things are drawn: the totals of the sample, since other questions
would have come out otherwise, and the assumptions within their ranges. All figures of one comparison share the draws,
so differences, ratios and break-even points of them are taken draw by draw. An interval is the middle 95 % of them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.cost_settings import Range

DRAWS: Final = 2000
TAIL: Final = 0.025
MOST_GROUPS: Final = 4096
"""Beyond so many, groups are put together: fewer, larger ones are as valid and take a bounded time."""

Array: TypeAlias = Any
"""A numpy array of 1 + `DRAWS` floats."""
Key: TypeAlias = tuple[str, ...]
Totals: TypeAlias = Mapping[Key, Array]


@dataclass(frozen=True, slots=True)
class Draws:
    """Draws of named assumptions. One name gives the same draws wherever it is asked for."""

    seed: int = 0

    def of(self, name: str, given: float | Range) -> Array:
        """The number, or half of the draws below the range's value and half above, evenly on either side.

        Evenly by ratio where `low` is above 0, else by difference. The value is so the median of the draws.
        """
        if isinstance(given, float | int):
            return np.full(1 + DRAWS, float(given))
        u = self._rng(given.drawn_with or name).random(1 + DRAWS)
        u[0] = 0.5
        low, mid, high = given.low, given.value, given.high
        start, end, part = np.where(u < 0.5, low, mid), np.where(u < 0.5, mid, high), 2 * u % 1
        drawn = start * (end / start) ** part if low > 0 else start + (end - start) * part
        drawn[0] = mid
        return drawn

    def totals(self, columns: Mapping[Key, Sequence[float]], weights: Sequence[float]) -> Totals:
        """Column sums, and draws of what they might have been with other groups of questions.

        `columns` have one entry a group, `weights` the requests of each. The draws follow a multivariate t with the
        clustered covariance G / (G - 1) * sum over groups of the products of deviations from the mean, so that a ratio
        of totals has the standard error of the ratio estimator, G / (G - 1) * sum of (y - R x)^2, over (sum of x)^2
        (Cochran, Sampling Techniques, 1977, 6.3). Its degrees of freedom are those of groups of unequal weight,
        (sum of weights)^2 / (sum of squares) - 1. One group alone gives no spread.
        """
        keys = list(columns)
        x = np.array([columns[key] for key in keys], dtype=float).T.reshape(len(weights), len(keys))
        drawn = np.tile(x.sum(axis=0), (1 + DRAWS, 1))
        groups = len(weights)
        if groups > 1:
            w = np.asarray(weights, dtype=float)
            rng = self._rng("sample")
            freedom = max(float(w.sum() ** 2 / (w * w).sum()) - 1, 1.0)
            spread = np.sqrt(groups / (groups - 1) * freedom / rng.chisquare(freedom, DRAWS))
            drawn[1:] += spread[:, None] * (rng.standard_normal((DRAWS, groups)) @ (x - x.mean(axis=0)))
        return {key: drawn[:, number] for number, key in enumerate(keys)}

    def _rng(self, name: str) -> Any:
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])


def zeros() -> Array:
    """The figure 0, which is sure."""
    return np.zeros(1 + DRAWS)


def ratio(over: Array, under: Array) -> Array:
    """`over / under`, infinite where nothing is left to share it by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(under > 0, over / np.where(under > 0, under, 1.0), math.inf)


def figure(values: Array | None) -> dict[str, float | None]:
    """`value`, `low` and `high`; None where it is not known, and an end where it is infinite.

    Both ends are None where nothing about the figure varies: then it is exact for what it rests on, or rests on one
    group of questions.
    """
    if values is None or not math.isfinite(values[0]):
        return {"value": None, "low": None, "high": None}
    low, high = ends(values)
    if low == high:
        low = high = None
    return {"value": float(values[0]), "low": low, "high": high}


def ends(values: Array) -> tuple[float | None, float | None]:
    """The middle 95 % of the draws; None where an end is infinite."""
    low = float(np.quantile(values[1:], TAIL, method="lower"))
    high = float(np.quantile(values[1:], 1 - TAIL, method="higher"))
    return (low if math.isfinite(low) else None), (high if math.isfinite(high) else None)

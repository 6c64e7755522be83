"""How well does a router choose between a small and a large model? Predicted gains and true scores in, figures out.

Send the share x of the questions to the large model, those with the highest predicted gain first: quality(x) is then a
curve from the small model's mean score to the large one's. With PGR(x) = (quality(x) - small) / (large - small),

    APGR    the area under PGR: a router that draws lots has 0.5
    CPT(p)  the smallest share of calls to the large model at which PGR reaches p

both as RouteLLM defines them (Ong et al., arXiv 2406.18665). The area is taken under the whole curve by the trapezoid
rule, a point a question, not at ten cuts; equal predictions are one straight piece, as lots drawn among them would
give. So APGR = sum of gain_i * (1 - r_i) / sum of gain_i, r_i being i's rank from the top as a share. Where the large
model is not clearly better on the whole, in at least 39 of 40 resamples, there is nothing to recover: both are None,
and so are their intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

RESAMPLES: Final = 1000
SEED: Final = 7
TAIL: Final = 0.025
LEAST_CELL: Final = 10
"""Questions of a cell below which ranks within it say little."""
Figure = tuple[float | None, tuple[float, float] | None]
"""A figure and the ends of its 95 % interval; None where there is none."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Figures of one router; `auc`: how often a question that the large model does better is above one it does not.

    The interval is two-sided, 95 %: the percentiles of `RESAMPLES` resamples of whole groups of questions.
    """

    apgr: float | None
    apgr_low: float | None
    apgr_high: float | None
    cpt50: float | None
    cpt80: float | None
    cpt50_low: float | None = None
    cpt50_high: float | None = None
    cpt80_low: float | None = None
    cpt80_high: float | None = None
    auc: float | None = None
    auc_low: float | None = None
    auc_high: float | None = None

    def document(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    gains: Sequence[float], small: Sequence[float], large: Sequence[float], groups: Sequence[Hashable]
) -> Routing:
    """`gains` as predicted; the scores in [0, 1] of both models; what must be resampled together. One entry an item."""
    return compare({"": gains}, small, large, groups)[0][""]


def compare(
    routers: Mapping[str, Sequence[float]],
    small: Sequence[float],
    large: Sequence[float],
    groups: Sequence[Hashable],
    folds: Sequence[Hashable] = (),
) -> tuple[dict[str, Routing], dict[str, tuple[float, float] | None]]:
    """The figures of every router on the same questions, and how much the first one's APGR is above each other's.

    With `folds` each fold's questions are ranked among themselves, for each fold has a model of its own. The intervals
    of the differences are paired: each resample is judged for all routers.
    """
    true = np.asarray(large, dtype=np.float64) - np.asarray(small, dtype=np.float64)
    curves = {name: _Curve(_ranks(np.asarray(each, dtype=np.float64), folds), true) for name, each in routers.items()}
    drawn = {name: np.full((RESAMPLES, 4), np.nan) for name in curves}
    for row, weights in enumerate(_resamples(groups)):
        for name, curve in curves.items():
            drawn[name][row] = curve.figures(weights)
    ones = np.ones(len(true))
    points = {name: curve.figures(ones) for name, curve in curves.items()}
    first = next(iter(drawn))
    apart = {name: _interval(drawn[first][:, 0] - each[:, 0]) for name, each in drawn.items() if name != first}
    return {name: _routing(points[name], drawn[name]) for name in curves}, apart


def within(
    predicted: Sequence[float],
    small: Sequence[float],
    large: Sequence[float],
    cells: Sequence[Hashable],
    groups: Sequence[Hashable],
) -> Figure:
    """APGR where every cell sends the same share of its own questions to the large model, with its interval.

    So nothing is won by knowing which cell a question is of, and lots drawn have 0.5 again. It equals the mean of
    the cells' APGR, each weighted by its summed gain. A rank among n questions is on average nearer to the middle than
    one among all by (n - 1) / n, so its distance from the middle is multiplied by n / (n - 1); a cell of one question
    says nothing and is left out. None where most of the gain, counted without its sign, lies in cells of fewer than
    `LEAST_CELL` questions. `groups` are resampled whole.
    """
    true = np.asarray(large, dtype=np.float64) - np.asarray(small, dtype=np.float64)
    codes = _codes(cells)
    sizes = np.bincount(codes)[codes]
    if np.abs(true[sizes < LEAST_CELL]).sum() > np.abs(true).sum() / 2:
        return None, None
    return bounded(_Within(np.asarray(predicted, dtype=np.float64), true, codes).apgr, groups)


def ceiling(first: Sequence[float], second: Sequence[float], groups: Sequence[Hashable]) -> Figure:
    """No router has a higher APGR than this, by what two runs of both models gain on each question; with its interval.

    With m(x) the expected gain of question x, and r the rank, from the bottom as a share, that a router gives it,
    APGR - 1/2 = E[m (r - 1/2)] / E[m], because the noise of a run does not depend on the rank. By Cauchy-Schwarz that
    is at most sd(m) sd(r) / E[m]; r is uniform, so sd(r)^2 = 1/12 at most, and of two independent runs the covariance
    of the gains is var(m). So APGR <= 1/2 + sqrt(cov(first, second) / 12) / mean(first). It is reached where m is
    uniform; a covariance below zero counts as zero. As an estimate it has the error that its interval says.
    """
    one, two = (np.asarray(each, dtype=np.float64) for each in (first, second))

    def bound(weights: Vector) -> float:
        share = weights / weights.sum()
        mean = float(share @ one)
        covariance = float(share @ (one * two)) - mean * float(share @ two)
        return 0.5 + float(np.sqrt(max(0.0, covariance) / 12)) / mean if mean > 1e-12 else np.nan

    return bounded(bound, groups)


def share_for(
    level: Callable[[Vector], float],
    predicted: Sequence[float],
    true: Sequence[float],
    groups: Sequence[Hashable],
    folds: Sequence[Hashable] = (),
) -> Figure:
    """The smallest share of calls to the large model at which PGR reaches `level`, a function of the questions'
    weights; None where it never does, and no interval where that is so in a resample in forty."""
    curve = _Curve(_ranks(np.asarray(predicted, dtype=np.float64), folds), np.asarray(true, dtype=np.float64))

    def share(weights: Vector) -> float:
        wanted = level(weights)
        if np.isnan(wanted):
            return np.nan
        if wanted <= 0:
            return 0.0
        x, y = curve.recovered(weights)
        return _reaches(x, y, wanted) if y.max() >= wanted else np.nan

    point = share(np.ones(len(true)))
    return None if np.isnan(point) else point, bounded(share, groups)[1]


def bounded(figure: Callable[[Vector], float], groups: Sequence[Hashable]) -> Figure:
    """A figure of the questions' weights: at equal ones, and its interval over the resamples that `compare` takes."""
    point = figure(np.ones(len(groups)))
    ends = _interval(np.array([figure(weights) for weights in _resamples(groups)]))
    return (None, None) if ends is None or np.isnan(point) else (float(point), ends)


def _resamples(groups: Sequence[Hashable]) -> Iterator[Vector]:
    """How often each question is in each resample of whole groups: the same ones for the same groups."""
    codes = _codes(groups)
    count = int(codes.max()) + 1
    rng = np.random.default_rng(SEED)
    for _ in range(RESAMPLES):
        yield np.bincount(rng.integers(0, count, count), minlength=count)[codes].astype(np.float64)


class _Curve:
    """One router's order of the questions, best first, equal ones in one block."""

    def __init__(self, predicted: Vector, true: Vector) -> None:
        values, self._block = np.unique(-predicted, return_inverse=True)
        self._blocks, self._true, self._better = len(values), true, (true > 0).astype(np.float64)

    def figures(self, weights: Vector) -> tuple[float, float, float, float]:
        """APGR, CPT(50 %), CPT(80 %) and AUC; not a number where there is none."""
        weight, gain, better = (
            np.bincount(self._block, each, self._blocks)
            for each in (weights, weights * self._true, weights * self._better)
        )
        total = gain.sum()
        worse = weight - better
        below = worse[::-1].cumsum()[::-1] - worse / 2
        pairs = better.sum() * worse.sum()
        auc = float(better @ below / pairs) if pairs else np.nan
        if total <= 1e-12:
            return np.nan, np.nan, np.nan, auc
        x, y = self._piled(weight, gain)
        apgr = float(np.diff(x) @ (y[1:] + y[:-1]) / 2)
        return apgr, _reaches(x, y, 0.5), _reaches(x, y, 0.8), auc

    def recovered(self, weights: Vector) -> tuple[Vector, Vector]:
        """The share of calls to the large model, and PGR at it."""
        weight, gain = (np.bincount(self._block, each, self._blocks) for each in (weights, weights * self._true))
        return self._piled(weight, gain)

    @staticmethod
    def _piled(weight: npt.NDArray[Any], gain: npt.NDArray[Any]) -> tuple[Vector, Vector]:
        x, y = (np.concatenate(([0.0], each.cumsum())) for each in (weight, gain))
        return x / x[-1], y / y[-1]


class _Within:
    """One router's order of the questions of each cell."""

    def __init__(self, predicted: Vector, true: Vector, codes: npt.NDArray[np.intp]) -> None:
        self._order = np.lexsort((predicted, codes))
        cell, value = codes[self._order], predicted[self._order]
        new_cell = np.concatenate(([True], np.diff(cell) != 0))
        self._cell = np.cumsum(new_cell) - 1
        self._block = np.cumsum(new_cell | np.concatenate(([True], np.diff(value) != 0))) - 1
        self._cell_of_block = self._cell[np.concatenate(([True], np.diff(self._block) != 0))]
        self._true = true[self._order]

    def apgr(self, weights: Vector) -> float:
        """A question is not ranked against itself, however often it was drawn."""
        weight = weights[self._order]
        blocks, cells = np.bincount(self._block, weight), np.bincount(self._cell, weight)
        before = np.concatenate(([0.0], cells.cumsum()))[self._cell_of_block]
        below = (blocks.cumsum() - blocks / 2 - before - cells[self._cell_of_block] / 2)[self._block]
        others = cells[self._cell] - weight
        counted = np.where(others > 0, weight * self._true, 0.0)
        total = float(counted.sum())
        if total <= 1e-12:
            return np.nan
        return 0.5 + float(counted @ (below / np.where(others > 0, others, 1.0))) / total


def _reaches(x: Vector, y: Vector, level: float) -> float:
    """Where the curve first reaches the level; it begins at the origin and ends at (1, 1)."""
    after = int(np.argmax(y >= level - 1e-12))
    rise = y[after] - y[after - 1]
    return float(x[after - 1] + (x[after] - x[after - 1]) * (level - y[after - 1]) / rise)


def _ranks(predicted: Vector, groups: Sequence[Hashable]) -> Vector:
    """Ranks within each group, equal ones in the middle, as shares: about 0 for the lowest, about 1 for the highest."""
    from scipy.stats import rankdata

    if not len(groups):
        return predicted
    ranks, codes = np.zeros(len(predicted)), _codes(groups)
    for rows in np.split(np.argsort(codes, kind="stable"), np.bincount(codes).cumsum()[:-1]):
        ranks[rows] = (rankdata(predicted[rows]) - 0.5) / len(rows)
    return ranks


def _routing(point: Sequence[float], drawn: Vector) -> Routing:
    (apgr, cpt50, cpt80, auc) = (None if np.isnan(each) else float(each) for each in point)
    ends = [_interval(column) or (None, None) for column in drawn.T]
    low, high = zip(*ends, strict=True)
    if low[0] is None:
        apgr = cpt50 = cpt80 = None
    return Routing(
        apgr=apgr, apgr_low=low[0], apgr_high=high[0],
        cpt50=cpt50, cpt50_low=low[1], cpt50_high=high[1],
        cpt80=cpt80, cpt80_low=low[2], cpt80_high=high[2],
        auc=auc, auc_low=low[3], auc_high=high[3],
    )  # fmt: skip


def _interval(drawn: Vector) -> tuple[float, float] | None:
    """None where a resample in forty or more has no such figure: then the ends would mean nothing."""
    known = drawn[~np.isnan(drawn)]
    if len(known) < len(drawn) * (1 - TAIL):
        return None
    low, high = np.quantile(known, [TAIL, 1 - TAIL])
    return float(low), float(high)


def _codes(groups: Sequence[Hashable]) -> npt.NDArray[np.intp]:
    known: dict[Hashable, int] = {}
    return np.fromiter((known.setdefault(each, len(known)) for each in groups), dtype=np.intp, count=len(groups))

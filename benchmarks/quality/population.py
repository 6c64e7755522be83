"""Are these still the questions we knew? Population stability index and Kolmogorov and Smirnov's statistic.

Both compare one figure a request, the classifier's predicted gain or the prompt's length, between a reference window
and a later one. They need no graded answers. What they are by chance comes from the plan: both windows are drawn anew
from what is asked in the first epoch, since popular questions repeat and no textbook's law holds for such windows.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Final

BINS: Final = 10
"""By the deciles of the reference (Siddiqi, Credit Risk Scorecards, 2006: above 0.1 some, above 0.25 much drift)."""
REDRAWS: Final = 200
LEVEL: Final = 0.95


class Monitor:
    """Compares windows of requests with a reference window. Windows are indices into the questions.

    `values` and `weights` have one entry a question: its figure, and how often it is asked while nothing has changed.
    """

    def __init__(
        self, values: Sequence[float], weights: Sequence[float], reference: Sequence[int], *, seed: int
    ) -> None:
        import numpy as np

        levels, self._level = np.unique(np.asarray(values, dtype=float), return_inverse=True)
        self._size, self._seed = len(levels), random.Random(seed).getrandbits(64)  # noqa: S311  # of any integer
        self._reference = self._counts(reference)
        expected = np.bincount(self._level, weights=np.asarray(weights, dtype=float), minlength=self._size)
        self._expected = expected / expected.sum()
        self._null: dict[int, Any] = {}

    def compare(self, current: Sequence[int]) -> dict[str, float]:
        """`psi` and `ks`; `*_by_chance`, the 95th percentile of redraws; `*_p`, the share of them at least as large.

        p = (k + 1) / (n + 1), which no finite number of redraws makes 0 (Davison and Hinkley, 1997, section 4.2).
        """
        import numpy as np

        found = statistics(self._reference, self._counts(current))
        if len(current) not in self._null:
            rng = np.random.default_rng((self._seed, len(current)))
            sizes = int(self._reference.sum()), len(current)
            self._null[len(current)] = np.array(
                [statistics(*(rng.multinomial(size, self._expected) for size in sizes)) for _ in range(REDRAWS)]
            )
        null, document = self._null[len(current)], dict[str, float]()
        for column, name in enumerate(("psi", "ks")):
            document[name] = found[column]
            document[f"{name}_by_chance"] = float(np.quantile(null[:, column], LEVEL))
            document[f"{name}_p"] = (int((null[:, column] >= found[column]).sum()) + 1) / (REDRAWS + 1)
        return document

    def _counts(self, window: Sequence[int]) -> Any:
        import numpy as np

        return np.bincount(self._level[np.asarray(window, dtype=int)], minlength=self._size)


def statistics(reference: Any, current: Any) -> tuple[float, float]:
    """PSI and Kolmogorov and Smirnov's greatest distance of two windows, given as counts of the values in order.

    PSI: the sum over bins of (q - p) * ln(q / p), half a value added to each bin so that an empty one stays finite.
    Bins are parted at the deciles of the reference; there are fewer where many values are equal.
    """
    import numpy as np

    sums = np.cumsum(reference), np.cumsum(current)
    n = int(sums[0][-1])
    places = [n * decile // BINS for decile in range(1, BINS)]
    edges = np.unique(np.searchsorted(sums[0], places, side="right"))  # a bin begins with its edge's value
    starts = np.concatenate(([0], edges[edges > 0]))
    p, q = (np.add.reduceat(counts, starts) + 0.5 for counts in (reference, current))
    p, q = p / p.sum(), q / q.sum()
    distance = np.abs(sums[0] / sums[0][-1] - sums[1] / sums[1][-1]).max()
    return float(((q - p) * np.log(q / p)).sum()), float(distance)

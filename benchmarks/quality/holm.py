"""Holm's correction: "worse somewhere" is looked for over several tasks, so one small p-value is to be expected.

"Not worse on every task" needs no correction: it must hold for each. Holm, Scandinavian Journal of Statistics 6 (1979).
Written out: four lines are less than the library they would bring; the tests hold them against statsmodels.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given; those at most alpha are significant with family-wise error alpha."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted

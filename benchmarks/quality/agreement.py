"""How far two raters agree on the same pairs, by share and beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any


def agreement(pairs: Sequence[tuple[Hashable, Hashable]]) -> dict[str, Any]:
    """`pairs`, the `share` on which both say the same, and Cohen's `kappa`: None where there is nothing to tell by.

    kappa = (share - chance) / (1 - chance), chance from both raters' own shares (Cohen, 1960).
    """
    n = len(pairs)
    if not n:
        return {"pairs": 0, "share": None, "kappa": None}
    share = sum(one == other for one, other in pairs) / n
    ones, others = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(ones[word] * others[word] for word in ones) / n**2
    return {"pairs": n, "share": share, "kappa": (share - chance) / (1 - chance) if chance < 1 else None}

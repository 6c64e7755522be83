"""Hits and false hits of a cache over pairs, at any threshold and at one chosen for a false-hit budget.

A threshold is never judged on the rows that chose it: it is chosen by conformal risk control (Angelopoulos et al.,
arXiv 2208.02814) on four fifths of the rows and judged on the fifth, for each fifth in turn; pairs that share a text
stay together. The guarantee is on the mean share of false hits over tables like this one; false hits count twice when a
threshold is chosen, so that fewer tables exceed the budget by luck.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Final

from benchmarks.quality import interval
from benchmarks.quality.cache_pairs import Judged, Pair

FOLDS: Final = 5
THRESHOLDS: Final = tuple(step / 100 for step in range(101))
"""Where the curve is drawn; a threshold is chosen among the values that were seen."""
NEVER: Final = 2.0
"""A threshold that nothing reaches."""
Serve = Callable[[Judged, float], bool]


def gated(judged: Judged, threshold: float) -> bool:
    """What the shipped cache serves: equal requests, and similar ones that pass its second gate."""
    return judged.is_exact or (judged.gated is not None and judged.gated >= threshold)


def encoder_alone(judged: Judged, threshold: float) -> bool:
    """A cache without the second gate, keyed by the last message's vector."""
    return judged.is_exact or (judged.encoder is not None and judged.encoder >= threshold)


def exact(judged: Judged, _: float) -> bool:
    """A cache by the exact key."""
    return judged.is_exact


def rates(pairs: Sequence[Pair], served: Sequence[bool]) -> dict[str, Any]:
    """`hit_rate` over pairs of the same meaning, `false_hit_rate` over the others, both with 95 % intervals.

    `quality_lost` is the share of all rows that got a wrong answer. Rates over no row are None.
    """
    groups = components(pairs)
    found: dict[str, Any] = {}
    for name, same in (("hit", True), ("false_hit", False)):
        rows = [place for place, pair in enumerate(pairs) if pair.same is same]
        hits = [served[row] for row in rows]
        low, high = interval.share(hits, [groups[row] for row in rows]) if rows else (None, None)
        found |= {f"{name}_rate": sum(hits) / len(rows) if rows else None, f"{name}_low": low, f"{name}_high": high}
    wrong = sum(hit and not pair.same for hit, pair in zip(served, pairs, strict=True))
    return found | {"quality_lost": wrong / len(pairs)}


def curve(pairs: Sequence[Pair], judged: Sequence[Judged], serve: Serve) -> list[dict[str, Any]]:
    """The rates at every twentieth."""
    return [
        {"threshold": threshold, **rates(pairs, [serve(each, threshold) for each in judged])}
        for threshold in THRESHOLDS[::5]
    ]


def choose(different: Sequence[Judged], serve: Serve, budget: float) -> float | None:
    """The lowest threshold at which (2 * served + 1) / (n + 1) <= budget, over n rows of different meaning.

    Risk control asks for (served + 1) / (n + 1), which keeps the mean over many tables within the budget; each false
    hit counted twice leaves room for a table's own luck. None where n rows are too few for any threshold.
    """
    if (count := len(different)) + 1 < 1 / budget:
        return None
    seen = {value for each in different for value in (each.gated, each.encoder) if value is not None}
    for threshold in (0.0, *(value + 1e-9 for value in sorted(seen)), NEVER):
        if (2 * sum(serve(each, threshold) for each in different) + 1) / (count + 1) <= budget:
            return threshold if threshold <= 1 else NEVER
    return NEVER


def cross_fitted(
    pairs: Sequence[Pair], judged: Sequence[Judged], serve: Serve, budget: float, default: float, seed: int = 7
) -> tuple[list[bool], dict[str, Any]]:
    """What is served where each fold's threshold is chosen on the others, and the thresholds.

    Where the others of any fold are too few for the budget, all folds get `default`, and `source` says so.
    """
    groups = components(pairs)
    names = sorted(set(groups))
    random.Random(seed).shuffle(names)  # noqa: S311  # seeded folds, no secret
    fold = {name: place % FOLDS for place, name in enumerate(names)}
    chosen: list[float | None] = []
    for part in range(FOLDS):
        others = [
            each
            for each, pair, group in zip(judged, pairs, groups, strict=True)
            if fold[group] != part and not pair.same
        ]
        chosen.append(choose(others, serve, budget))
    thresholds = [default if None in chosen else each for each in chosen]
    return [serve(each, thresholds[fold[group]] or 0.0) for each, group in zip(judged, groups, strict=True)], {
        "thresholds": [None if each == NEVER else each for each in thresholds],
        "source": "default" if None in chosen else "conformal",
        "budget": budget,
    }


def components(pairs: Sequence[Pair]) -> list[int]:
    """A number for each pair: pairs that share a last message, also by way of others, have the same."""
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        while parent.setdefault(text, text) != text:
            text = parent[text]
        return text

    texts = [tuple(" ".join(each.messages[-1].content.casefold().split()) for each in (p.a, p.b)) for p in pairs]
    for one, other in texts:
        parent[root(one)] = root(other)
    numbers: dict[str, int] = {}
    return [numbers.setdefault(root(one), len(numbers)) for one, _ in texts]

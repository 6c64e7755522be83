"""From a workload's test questions to the stream of requests both pipelines answer: seeded, with repeats."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.workloads.workload import Item


@dataclass(frozen=True, slots=True)
class Asked:
    """The `number`-th request asks `item`; `repeat` where it was asked before."""

    number: int
    item: Item
    repeat: bool


def stream(items: Sequence[Item], *, repeat_share: float, zipf: float, limit: int | None, seed: int) -> list[Asked]:
    """Each item once, and `repeat_share` of all requests on top that repeat one asked before.

    Repeats are drawn with weight 1 / rank ** zipf over a random ranking of the items asked so far. `limit` keeps the
    first requests. The same arguments give the same stream.
    """
    rng = random.Random(seed)  # noqa: S311  # a seeded mix, no secret
    firsts = list(items)
    rng.shuffle(firsts)
    ranks = list(range(1, len(firsts) + 1))
    rng.shuffle(ranks)
    total = round(len(firsts) / (1 - repeat_share))
    fresh = [True] * (len(firsts) - 1) + [False] * (total - len(firsts))
    rng.shuffle(fresh)
    asked: list[Asked] = []
    known = 0
    totals = list(accumulate(rank**-zipf for rank in ranks))
    for number, first in enumerate([True, *fresh]):
        if first:
            item, known = firsts[known], known + 1
        else:
            item = firsts[bisect(totals, rng.random() * totals[known - 1], 0, known - 1)]
        asked.append(Asked(number, item, not first))
    return asked[:limit]

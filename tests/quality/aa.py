"""Two systems that are one sampled model, right in seven answers of ten; legacy serves its first answer to repeats."""

from __future__ import annotations

import numpy as np

from benchmarks.rows import Row
from benchmarks.scenario import Traffic
from benchmarks.workloads.traffic import stream
from tests.rows import row

RIGHT = 0.7
QUESTIONS = 1038


def asked() -> list[int]:
    """The question of each request of a stream with the default share of repeats."""
    items = [row("legacy", n, str(n)).asked.item for n in range(QUESTIONS)]
    mix = Traffic()
    requests = stream(items, repeat_share=mix.repeat_share, zipf=mix.zipf, limit=None, seed=7)
    return [int(each.item.id) for each in requests]


def sampled(asked: list[int], rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Scores of legacy and of direct on each request."""
    drawn = (rng.random(QUESTIONS) < RIGHT)[asked].astype(float)
    return drawn.tolist(), (rng.random(len(asked)) < RIGHT).astype(float).tolist()


def rows(asked: list[int], legacy: list[float], direct: list[float]) -> tuple[list[Row], list[Row]]:
    """The same as rows."""
    pairs = list(enumerate(zip(asked, legacy, direct, strict=True)))
    return (
        [row("legacy", n, str(item), score=score, steps=()) for n, (item, score, _) in pairs],
        [row("direct", n, str(item), score=score) for n, (item, _, score) in pairs],
    )

"""Joint intervals hold together, in large samples and in small ones, and never without a width."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality import interval, max_t

CHANCES = {"cache": (0.03, 0.01), "routing": (0.04, 0.06), "backend": (0.07, 0.05)}
"""How often an item's effect is -1, and how often +1."""


def sample(rng: np.random.Generator, items: int) -> tuple[list[int], dict[str, list[float]]]:
    """Groups of 1 to 4; half of the items take their group's draw. At most one component acts on an item."""
    groups = np.repeat(np.arange(items), rng.integers(1, 5, items))[:items]
    drawn = np.where(rng.random(items) < 0.5, rng.random(items)[groups], rng.random(items))
    columns, edge = {}, 0.0
    for name, (minus, plus) in CHANCES.items():
        lost = (edge <= drawn) & (drawn < edge + minus)
        gained = (edge + minus <= drawn) & (drawn < edge + minus + plus)
        columns[name] = gained.astype(float) - lost
        edge += minus + plus
    columns["total"] = np.sum(list(columns.values()), axis=0)
    return groups.tolist(), {name: column.tolist() for name, column in columns.items()}


TRUTH = {name: plus - minus for name, (minus, plus) in CHANCES.items()}
TRUTH["total"] = sum(TRUTH.values())


def hold(found: dict[str, interval.Interval]) -> bool:
    return all(low <= TRUTH[name] <= high for name, (low, high) in found.items())


@pytest.mark.parametrize(("items", "least", "most"), [(50, 0.90, 1.0), (1200, 0.92, 0.97)])
def test_all_four_hold_at_once(items: int, least: float, most: float) -> None:
    """400 samples: the share moves by 2.2 points either way. Pointwise intervals hold together far less often."""
    rng = np.random.default_rng(11)
    joint = pointwise = 0
    for _ in range(400):
        groups, columns = sample(rng, items)
        joint += hold(max_t.intervals(columns, groups))
        pointwise += hold({name: interval.difference(values, groups) for name, values in columns.items()})
    assert least <= joint / 400 <= most
    if items == 1200:
        assert pointwise / 400 < 0.9


Columns = st.lists(
    st.tuples(st.integers(0, 5), *(st.floats(-1, 1, allow_nan=False) for _ in range(2))), min_size=1, max_size=30
)


@settings(deadline=None, max_examples=50)
@given(Columns, st.randoms(use_true_random=False))
def test_they_have_a_width_stay_in_bounds_and_do_not_know_the_order(
    rows: Sequence[tuple[int, float, float]], chance: random.Random
) -> None:
    def found(rows: Sequence[tuple[int, float, float]]) -> dict[str, interval.Interval]:
        return max_t.intervals({"a": [row[1] for row in rows], "b": [row[2] for row in rows]}, [row[0] for row in rows])

    here = found(rows)
    shuffled = list(rows)
    chance.shuffle(shuffled)
    for name, (low, high) in here.items():
        assert -1 <= low < high <= 1
        assert found(shuffled)[name] == pytest.approx((low, high), abs=1e-9)


def test_equal_items_have_a_width_too() -> None:
    low, high = max_t.intervals({"cache": [0.0] * 500}, list(range(500)))["cache"]
    assert low < 0 < high
    assert high - low < 0.02


def test_one_column_alone_is_about_the_pointwise_interval() -> None:
    groups, columns = sample(np.random.default_rng(3), 800)
    joint = max_t.intervals({"total": columns["total"]}, groups)["total"]
    assert joint == pytest.approx(interval.difference(columns["total"], groups), abs=0.002)

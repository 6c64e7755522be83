"""How far inputs and scores have moved: indices against their formulas, intervals against simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from benchmarks.quality.drift_figures import Served, attribution, change
from benchmarks.quality.population import Monitor, statistics
from benchmarks.workloads.workload import Item


def served(number: int, group: str, **scores: float) -> Served:
    item = Item(id=group, group=group, task="t", input="?", reference="yes", author="a", source="own", licence="CC0")
    legacy, no_cache, large, direct = (scores.get(name, 0.0) for name in ("legacy", "no_cache", "large", "direct"))
    return Served(
        number, 1, item, {"careful": legacy, "direct": direct}, {"careful": no_cache}, large, {}, {}, {}, 0.0
    )  # fmt: skip


def counted(*windows: Sequence[float]) -> list[Sequence[int]]:
    """How often each window has each value, in order of the values."""
    values = sorted({value for window in windows for value in window})
    return [[list(window).count(value) for value in values] for window in windows]


def test_the_index_is_its_formula() -> None:
    reference = [float(number) for number in range(100)]
    current = [float(number % 50) for number in range(100)]  # the lower half, twice
    old, new = [10.5 / 105] * 10, [20.5 / 105] * 5 + [0.5 / 105] * 5
    assert statistics(*counted(reference, current))[0] == pytest.approx(
        sum((q - p) * math.log(q / p) for p, q in zip(old, new, strict=True))
    )
    assert statistics(*counted(reference, reference)) == (0.0, 0.0)


@given(*[st.lists(st.integers(0, 6).map(float), min_size=5, max_size=60)] * 2)
def test_the_distance_is_scipys(reference: list[float], current: list[float]) -> None:
    found = statistics(*counted(reference, current))[1]
    assert found == pytest.approx(ks_2samp(reference, current, method="asymp").statistic)


ITEMS = 300
WEIGHTS = [1 / (1 + place) ** 0.8 for place in range(ITEMS)]


def drawn(rng: random.Random, size: int, weights: Sequence[float] = WEIGHTS) -> list[int]:
    return rng.choices(range(ITEMS), weights, k=size)


def test_where_nothing_changed_p_is_small_as_often_as_it_says() -> None:
    """Popular questions repeat and windows share them. 120 runs: 6 expected, standard deviation 2.4."""
    rng = random.Random(5)  # noqa: S311
    values = [rng.random() for _ in range(ITEMS)]
    found = [Monitor(values, WEIGHTS, drawn(rng, 600), seed=run).compare(drawn(rng, 200)) for run in range(120)]
    for name in ("psi", "ks"):
        assert 1 <= sum(each[f"{name}_p"] <= 0.05 for each in found) <= 13
        above = sum(each[name] > each[f"{name}_by_chance"] for each in found)
        assert 1 <= above <= 13


def test_a_mix_of_the_same_questions_that_turns_is_noticed() -> None:
    rng = random.Random(5)  # noqa: S311
    values = [rng.random() for _ in range(ITEMS)]
    monitor = Monitor(values, WEIGHTS, drawn(rng, 1600), seed=-1)
    harder = [weight * (2 if value > 0.5 else 1) for weight, value in zip(WEIGHTS, values, strict=True)]
    found = monitor.compare(drawn(rng, 1600, harder))
    for name in ("psi", "ks"):
        assert found[name] > 2 * found[f"{name}_by_chance"]
        assert found[f"{name}_p"] == 1 / 201


def test_equal_values_have_one_bin_and_new_ones_are_seen() -> None:
    assert statistics([50], [20]) == (0.0, 0.0)
    assert statistics([0, 50], [20, 0])[0] > 0.25
    assert statistics([50, 0], [0, 20])[1] == 1.0


@given(st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=1, max_size=20))
def test_causes_add_up_to_the_difference(rows: Sequence[Sequence[float]]) -> None:
    asked = [
        served(number, str(number), **dict(zip(("legacy", "no_cache", "large", "direct"), row, strict=True)))
        for number, row in enumerate(rows)
    ]
    difference = mean(each.scores["direct"] - each.scores["careful"] for each in asked)
    assert sum(attribution(asked, "careful").values()) == pytest.approx(difference, abs=1e-9)


def window(rng: random.Random, rates: Sequence[float], size: int, changed: float) -> list[Served]:
    """Requests over groups of unequal popularity; a group is right or wrong as a whole, as recorded answers are."""
    groups = rng.choices(range(len(rates)), [1 / (1 + group) ** 0.8 for group in range(len(rates))], k=size)
    return [served(number, f"g{group}", direct=float(rates[group] > changed)) for number, group in enumerate(groups)]


def test_the_interval_of_a_change_covers_it() -> None:
    """300 groups, 400 requests a side, each window's mean taken over the same law; 5 points lost."""
    rng, covered, runs = random.Random(11), 0, 300  # noqa: S311
    for _ in range(runs):
        rates = [rng.random() for _ in range(300)]
        found = change(window(rng, rates, 400, 0.40), window(rng, rates, 400, 0.45), "direct")
        covered += found["low"] <= -0.05 <= found["high"]
    assert abs(covered / runs - 0.95) <= 3 * math.sqrt(0.05 * 0.95 / runs), "neither too narrow nor too wide"


def test_a_change_of_nothing_has_an_interval_with_width() -> None:
    rows = [served(number, f"g{number}", direct=1.0) for number in range(50)]
    found = change(rows, rows, "direct")
    assert found["estimate"] == 0
    assert found["low"] < -0.01
    assert found["high"] > 0.01

"""How far inputs and scores have moved: indices against their formulas, intervals against simulation."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality.drift_figures import Served, attribution, change
from benchmarks.quality.population import compare, stability_index
from benchmarks.workloads.workload import Item


def served(number: int, group: str, **scores: float) -> Served:
    item = Item(id=group, group=group, task="t", input="?", reference="yes", author="a", source="own", licence="CC0")
    legacy, no_cache, large, direct = (scores.get(name, 0.0) for name in ("legacy", "no_cache", "large", "direct"))
    return Served(
        number, 1, item, 1, {"careful": legacy, "direct": direct}, {"careful": no_cache}, large, {}, {}, {}, None, 0.0
    )  # fmt: skip


def test_the_index_is_its_formula() -> None:
    reference = [float(number) for number in range(100)]
    current = [float(number % 50) for number in range(100)]  # the lower half, twice
    old, new = [10.5 / 105] * 10, [20.5 / 105] * 5 + [0.5 / 105] * 5
    assert stability_index(reference, current) == pytest.approx(
        sum((q - p) * math.log(q / p) for p, q in zip(old, new, strict=True))
    )
    assert stability_index(reference, reference) == 0.0


def test_where_nothing_changed_the_index_is_what_chance_gives_and_the_test_is_quiet() -> None:
    rng = random.Random(5)  # noqa: S311
    found = [compare([rng.random() for _ in range(600)], [rng.random() for _ in range(200)]) for _ in range(300)]
    assert mean(each["psi"] for each in found) == pytest.approx(found[0]["psi_by_chance"], rel=0.1)
    assert sum(each["p"] < 0.05 for each in found) <= 25, "15 expected, standard deviation 4"


def test_a_shift_shows_in_both() -> None:
    rng = random.Random(5)  # noqa: S311
    found = compare([rng.gauss(0, 1) for _ in range(600)], [rng.gauss(0.7, 1) for _ in range(200)])
    assert found["psi"] > 0.25
    assert found["p"] < 1e-6


def test_equal_values_and_few_values() -> None:
    assert stability_index([3.0] * 50, [3.0] * 20) < 0.02
    assert stability_index([3.0] * 50, [2.0] * 20) > 0.25
    assert compare([1.0] * 50, [1.0] * 9) == {"psi": None, "psi_by_chance": None, "p": None}


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
    assert covered / runs >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / runs)


def test_a_change_of_nothing_has_an_interval_with_width() -> None:
    rows = [served(number, f"g{number}", direct=1.0) for number in range(50)]
    found = change(rows, rows, "direct")
    assert found["estimate"] == 0
    assert found["low"] < -0.01
    assert found["high"] > 0.01

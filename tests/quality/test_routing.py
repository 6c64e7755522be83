"""Routing figures: the definitions by brute force, and what lots, an oracle and bad tables give."""

from __future__ import annotations

import random
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.quality import routing

rows = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from([0.0, 0.5, 1.0])),
    min_size=2,
    max_size=6,
).filter(lambda each: sum(large - small for _, small, large in each) > 0.1)


def by_hand(predicted: list[float], small: list[float], large: list[float]) -> float:
    """The trapezoid rule over the curve, averaged over every order that equal predictions allow."""
    areas = []
    for order in permutations(range(len(predicted))):
        if any(predicted[before] < predicted[after] for before, after in pairwise(order)):
            continue
        curve = [sum(small) / len(small)]
        for row in order:
            curve.append(curve[-1] + (large[row] - small[row]) / len(small))
        low, high = curve[0], curve[-1]
        recovered = [(each - low) / (high - low) for each in curve]
        areas.append(sum((a + b) / 2 for a, b in pairwise(recovered)) / len(small))
    return sum(areas) / len(areas)


@settings(max_examples=15, deadline=None)
@given(rows=rows)
def test_apgr_is_the_area_under_the_curve(rows: list[tuple[int, float, float]]) -> None:
    predicted, small, large = (list(map(float, each)) for each in zip(*rows, strict=True))
    expected = pytest.approx(by_hand(predicted, small, large))
    assert routing.within(predicted, small, large, [0] * len(rows)) == expected
    assert routing.measure(predicted, small, large, range(len(rows))).apgr == expected


def table(count: int, seed: int = 1) -> tuple[list[float], list[float], list[float]]:
    """Predictions that know something of the gain."""
    rng = random.Random(seed)  # noqa: S311
    small = [float(rng.random() < 0.6) for _ in range(count)]
    large = [float(rng.random() < 0.8) for _ in range(count)]
    return [b - a + rng.gauss(0, 2) for a, b in zip(small, large, strict=True)], small, large


def test_lots_recover_the_share_they_pay_for() -> None:
    _, small, large = table(300)
    found = routing.measure([0.0] * 300, small, large, range(300))
    assert (found.apgr, found.cpt50, found.cpt80, found.auc) == pytest.approx((0.5, 0.5, 0.8, 0.5))


def test_the_oracle_is_above_every_other_order() -> None:
    predicted, small, large = table(300)
    gains = [b - a for a, b in zip(small, large, strict=True)]
    figures, apart = routing.compare({"oracle": gains, "guess": predicted}, small, large, range(300))
    oracle, guess, apart_by = figures["oracle"], figures["guess"], apart["guess"]
    assert oracle.apgr is not None
    assert guess.apgr is not None
    assert oracle.apgr > 1 > guess.apgr > 0.5
    assert oracle.auc == 1.0
    assert apart_by is not None
    assert 0 < apart_by[0] < oracle.apgr - guess.apgr < apart_by[1]


def test_the_interval_holds_its_estimate_and_narrows_with_more_questions() -> None:
    widths = []
    for count in (200, 3200):
        found = routing.measure(*table(count), range(count))
        assert found.apgr_low is not None
        assert found.apgr is not None
        assert found.apgr_high is not None
        assert found.apgr_low < found.apgr < found.apgr_high
        widths.append(found.apgr_high - found.apgr_low)
    assert widths[1] < widths[0] / 2


def test_the_interval_covers_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """200 tables of 300 questions; the truth is a table of 200,000. Nominal 95 %, Monte Carlo error 3 points."""
    monkeypatch.setattr(routing, "RESAMPLES", 200)
    truth = routing.within(*table(200_000, 999), [0] * 200_000)
    assert truth is not None
    covered = 0
    for seed in range(200):
        predicted, small, large = table(300, seed)
        found = routing.measure(predicted, small, large, range(300))
        assert found.apgr_low is not None
        assert found.apgr_high is not None
        covered += found.apgr_low <= truth <= found.apgr_high
    assert 0.91 <= covered / 200 <= 0.985


def test_equal_questions_resampled_together_widen_the_interval() -> None:
    predicted, small, large = table(800)
    apart = routing.measure(predicted * 4, small * 4, large * 4, range(3200))
    together = routing.measure(predicted * 4, small * 4, large * 4, [*range(800)] * 4)
    assert apart.apgr == pytest.approx(together.apgr)
    widths = []
    for found in (apart, together):
        assert found.apgr_low is not None
        assert found.apgr_high is not None
        widths.append(found.apgr_high - found.apgr_low)
    assert 1.6 < widths[1] / widths[0] < 2.5


@pytest.mark.parametrize("large", [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
def test_where_the_large_model_is_not_better_there_is_nothing_to_recover(large: list[float]) -> None:
    found = routing.measure([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 1.0, 0.0], large, range(4))
    assert (found.apgr, found.apgr_low, found.cpt50, found.cpt80) == (None, None, None, None)
    assert routing.within([1.0, 2.0, 3.0, 4.0], [1.0, 0.0, 1.0, 0.0], large, [0] * 4) is None


def test_knowing_the_group_alone_is_worth_nothing_within_groups() -> None:
    rng = np.random.default_rng(3)
    groups = [f"g{number % 5}" for number in range(500)]
    small = [0.0] * 500
    large = [float(rng.random() < 0.1 + 0.2 * (number % 5)) for number in range(500)]
    known = [0.2 * (number % 5) for number in range(500)]
    pooled = routing.measure(known, small, large, range(500)).apgr
    assert pooled is not None
    assert pooled > 0.6
    assert routing.within(known, small, large, groups) == pytest.approx(0.5)
    per_group = [routing.within(large[place::5], small[place::5], large[place::5], [0] * 100) for place in range(5)]
    weights = [sum(large[place::5]) for place in range(5)]
    expected = sum(each * weight for each, weight in zip(per_group, weights, strict=True) if each) / sum(weights)
    assert routing.within(large, small, large, groups) == pytest.approx(expected)


def test_the_share_for_a_level_is_where_the_curve_first_reaches_it() -> None:
    predicted, gains = [4.0, 3.0, 2.0, 1.0], [1.0, 0.0, 1.0, 0.0]
    assert routing.share_for(0.25, predicted, gains) == pytest.approx(0.125)
    assert routing.share_for(0.75, predicted, gains) == pytest.approx(0.625)
    assert routing.share_for(-0.1, predicted, gains) == 0.0
    assert routing.share_for(1.1, predicted, gains) is None

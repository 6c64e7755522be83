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
    copies = 600  # of each question, equal predictions: one straight piece, as one question is, and no doubt of the sum
    found = routing.measure(predicted * copies, small * copies, large * copies, range(copies * len(rows)))
    assert found.apgr == pytest.approx(by_hand(predicted, small, large))


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
    truth = routing.measure(*table(200_000, 999), [number % 500 for number in range(200_000)]).apgr
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


def test_where_the_large_model_is_not_clearly_better_no_figure_says_more_than_its_interval() -> None:
    """1 question in 40 more is right: 2.5 % of resamples and more see none."""
    small, large = [0.0, 1.0] * 20, [0.0, 1.0] * 19 + [1.0, 1.0]
    large[0], small[3], large[3] = 1.0, 1.0, 0.0
    found = routing.measure(list(map(float, range(40))), small, large, range(40))
    assert sum(large) > sum(small)
    assert (found.apgr, found.apgr_low, found.cpt50, found.cpt80) == (None, None, None, None)
    assert found.auc is not None
    assert routing.within(list(map(float, range(40))), small, large, [0] * 40, range(40)) == (None, None)


def test_knowing_the_group_alone_is_worth_nothing_within_groups() -> None:
    rng = np.random.default_rng(3)
    groups = [f"g{number % 5}" for number in range(500)]
    small = [0.0] * 500
    large = [float(rng.random() < 0.1 + 0.2 * (number % 5)) for number in range(500)]
    known = [0.2 * (number % 5) for number in range(500)]
    pooled = routing.measure(known, small, large, range(500)).apgr
    assert pooled is not None
    assert pooled > 0.6
    assert routing.within(known, small, large, groups, range(500))[0] == pytest.approx(0.5)
    weights = [sum(large[place::5]) for place in range(5)]
    assert min(weights) > 5
    expected = 0.0
    for place, weight in enumerate(weights):
        alone = routing.measure(large[place::5], small[place::5], large[place::5], range(100)).apgr
        assert alone is not None
        expected += (0.5 + (alone - 0.5) * 100 / 99) * weight / sum(weights)
    point, ends = routing.within(large, small, large, groups, range(500))
    assert point == pytest.approx(expected)
    assert ends is not None
    assert ends[0] < expected < ends[1]


def test_small_cells_do_not_pull_the_figure_within_them_to_a_half() -> None:
    """The groups are drawn by lot, so within them everything is as it is overall, however small they are."""
    predicted, small, large = table(1200)
    gains = [b - a for a, b in zip(small, large, strict=True)]
    whole = routing.measure(gains, small, large, range(1200)).apgr
    assert whole is not None
    for size in (300, 60, 20, 10):
        cells = [number // size for number in range(1200)]
        found = routing.within(gains, small, large, cells, range(1200))[0]
        assert found == pytest.approx(whole, abs=0.03), size
    assert routing.within(predicted, small, large, [number // 9 for number in range(1200)], range(1200)) == (None, None)


def test_no_router_is_above_the_ceiling_and_a_second_run_is_none() -> None:
    """20,000 questions with known chances: the best router there is knows them."""
    rng = np.random.default_rng(1)
    able = rng.beta(2, 1, 20_000)
    both = able * rng.beta(1, 1, 20_000), able
    small, large, small_again, large_again = ([float(hit) for hit in rng.random(20_000) < each] for each in both * 2)
    gained, gained_again = (np.subtract(*each).tolist() for each in ((large, small), (large_again, small_again)))
    blocks = [number % 400 for number in range(20_000)]
    best = routing.measure((both[1] - both[0]).tolist(), small, large, blocks).apgr
    again = routing.measure(gained_again, small, large, blocks).apgr
    bound, ends = routing.ceiling(gained, gained_again, blocks)
    assert best is not None
    assert again is not None
    assert bound is not None
    assert ends is not None
    assert again < best - 0.02, "the order of a second run is no ceiling"
    assert best <= bound < best + 0.02
    assert ends[0] < bound < ends[1]


def test_the_ceiling_is_a_half_where_two_runs_have_nothing_in_common() -> None:
    first, second = [1.0, 0.0] * 100, [1.0, 1.0, 0.0, 0.0] * 50
    assert routing.ceiling(first, second, range(200))[0] == pytest.approx(0.5)


def test_the_share_for_a_level_is_where_the_curve_first_reaches_it() -> None:
    predicted, gains = [4.0, 3.0, 2.0, 1.0] * 50, [1.0, 0.0, 1.0, 0.0] * 50

    def share(level: float) -> routing.Figure:
        return routing.share_for(lambda _: level, predicted, gains, range(200))

    for level, expected in ((0.25, 0.125), (0.75, 0.625)):
        point, ends = share(level)
        assert point == pytest.approx(expected)
        assert ends is not None
        assert ends[0] < expected < ends[1]
    assert share(-0.1)[0] == 0.0
    assert share(1.1) == share(float("nan")) == (None, None)

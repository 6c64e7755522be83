"""Verdict words keep their promise: by known libraries, by properties, and by simulation with a fixed seed."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar as known_mcnemar
from statsmodels.stats.multitest import multipletests

from benchmarks.quality.decision import Decision, decide
from benchmarks.quality.further import items_for_equivalence, items_needed
from benchmarks.quality.holm import holm
from benchmarks.quality.interval import difference
from benchmarks.quality.mcnemar import mcnemar
from benchmarks.quality.tango import score, tango
from shared.errors import BadInput

Pairs = tuple[list[float], list[float], list[int]]
Z = 1.959964

# Against published figures and other libraries


@pytest.mark.parametrize(
    ("gained", "lost", "pairs"), [(12, 2, 44), (0, 0, 30), (5, 0, 5), (0, 7, 7), (1, 900, 1000), (2.5, 0.5, 33.3)]
)
def test_tangos_interval_is_where_the_score_statistic_meets_the_quantile(
    gained: float, lost: float, pairs: float
) -> None:
    for bound, sign in zip(tango(gained, lost, pairs, Z), (1, -1), strict=True):
        assert abs(bound) == 1 or score(gained, lost, pairs, bound) == pytest.approx(sign * Z, abs=1e-6)


def test_without_discordance_tangos_interval_is_z_squared_over_n_and_z_squared() -> None:
    assert tango(0, 0, 30, Z) == pytest.approx((-Z * Z / (30 + Z * Z), Z * Z / (30 + Z * Z)))


def likelihood_score(gained: int, lost: int, pairs: int, delta: float) -> float:
    """Tango's statistic from its definition: the constrained maximum of the likelihood found by root finding."""

    def slope(q: float) -> float:  # d/dq of x log(q + delta) + y log q + (n - x - y) log(1 - 2 q - delta)
        return gained / (q + delta) + lost / q - 2 * (pairs - gained - lost) / (1 - 2 * q - delta)

    lower = max(0.0, -delta) + 1e-12
    q = brentq(slope, lower, (1 - delta) / 2 - 1e-12)
    return (gained - lost - pairs * delta) / math.sqrt(pairs * (2 * q + delta * (1 - delta)))


@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 200), st.floats(-0.5, 0.5))
def test_the_closed_form_of_the_score_statistic_is_the_constrained_maximum(
    gained: int, lost: int, more: int, delta: float
) -> None:
    pairs = gained + lost + more
    assert score(gained, lost, pairs, delta) == pytest.approx(
        likelihood_score(gained, lost, pairs, delta), rel=1e-4, abs=1e-6
    )


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemars_p_value_is_that_of_statsmodels(gained: int, lost: int) -> None:
    known = known_mcnemar([[7, gained], [lost, 9]], exact=True).pvalue
    assert mcnemar(gained, lost) == pytest.approx(known)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holms_adjusted_p_values_are_those_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


@pytest.mark.parametrize(("discordance", "items"), [(0.03, 883), (0.05, 1472), (0.1, 2944), (0.2, 5887)])
def test_items_needed_for_two_points_without_a_difference(discordance: float, items: int) -> None:
    assert items_needed(0.02, 0.0, discordance, 1.5) == pytest.approx(items, abs=3)


# By properties

scores = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]), st.integers(0, 9)), min_size=1, max_size=80
)
graded = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 9)), min_size=1, max_size=80)


@given(scores | graded)
def test_an_interval_holds_the_estimate_and_is_never_without_width(rows: list[tuple[float, float, int]]) -> None:
    legacy, direct, groups = (list(column) for column in zip(*rows, strict=True))
    found = decide(legacy, direct, groups)
    if len(set(groups)) < 2:
        assert (found.word, found.low, found.high) == ("inconclusive", None, None)
        assert found.reason.startswith(f"cannot be decided from {len(rows)} item")
        return
    assert found.low is not None
    assert found.high is not None
    assert found.estimate is not None
    assert -1 <= found.low < found.high <= 1
    if found.method.startswith("Tango"):
        assert found.low - 1e-9 <= found.estimate <= found.high + 1e-9


@given(scores)
def test_the_arms_exchanged_mirror_the_interval(rows: list[tuple[float, float, int]]) -> None:
    legacy, direct, groups = (list(column) for column in zip(*rows, strict=True))
    one, other = decide(legacy, direct, groups), decide(direct, legacy, groups)
    if one.low is not None and one.high is not None:
        assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)


def test_copies_of_an_item_in_its_group_decide_nothing() -> None:
    legacy, direct = [1.0, 0.0, 1.0, 1.0, 0.0] * 8, [0.0, 0.0, 1.0, 1.0, 1.0] * 8
    once, thrice = decide(legacy, direct, range(40)), decide(legacy * 3, direct * 3, list(range(40)) * 3)
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high), abs=3e-3)


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1, float("inf")])
def test_a_score_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(BadInput, match="from 0 to 1"):
        decide([1.0, wrong], [1.0, 1.0], [0, 1])


# Words


def test_fifty_items_that_all_agree_show_nothing_and_say_how_many_more() -> None:
    found = decide([1.0] * 50, [1.0] * 50, range(50))
    assert (found.word, found.not_worse) == ("inconclusive", False)
    assert found.further_items is not None
    assert found.further_items > 100


def test_that_many_more_items_do_decide() -> None:
    first = decide([1.0] * 50, [1.0] * 50, range(50))
    assert first.further_items is not None
    count = 50 + first.further_items
    assert decide([1.0] * count, [1.0] * count, range(count)).word == "equivalent"


def test_a_difference_within_the_noise_floor_is_inconclusive_and_more_items_would_not_help() -> None:
    legacy, direct = [1.0] * 1000, [1.0] * 970 + [0.0] * 30
    assert decide(legacy, direct, range(1000)).word == "worse"
    found = decide(legacy, direct, range(1000), noise=0.04)
    assert (found.word, found.not_worse, found.further_items) == ("inconclusive", False, None)
    assert decide(legacy, direct, range(1000), noise=0.01).word == "worse"


def test_a_system_that_repeats_itself_exactly_has_a_floor_that_hides_nothing() -> None:
    assert decide([1.0] * 2000, [1.0] * 2000, range(2000), noise=0.0).word == "equivalent"


def test_a_noise_floor_as_large_as_the_margin_shows_nothing() -> None:
    assert decide([1.0] * 2000, [1.0] * 2000, range(2000)).not_worse
    assert not decide([1.0] * 2000, [1.0] * 2000, range(2000), noise=0.02).not_worse


def test_equivalent_comes_before_worse() -> None:
    found = decide([1.0] * 20_000, [1.0] * 19_900 + [0.0] * 100, range(20_000))
    assert found.high is not None
    assert found.high < 0
    assert (found.word, found.not_worse, found.further_items) == ("equivalent", True, 0)


# By simulation


def drawn(rng: random.Random, items: int, gained: float, lost: float, *, in_parts: bool = False) -> Pairs:
    """Groups of one to four; a member follows its group in half of all cases, which makes a design effect of 1.5.

    `in_parts`: half of the differences are of half a score.
    """
    legacy: list[float] = []
    direct: list[float] = []
    groups: list[int] = []
    group = 0
    while len(legacy) < items:
        shared = rng.random()
        for _ in range(min(rng.randint(1, 4), items - len(legacy))):
            place = shared if rng.random() < 0.5 else rng.random()
            moved = 1 if place < gained else -1 if place > 1 - lost else 0
            step = 0.5 if in_parts and int(place * 1e6) % 2 else 1.0
            before = {1: 0.0, -1: 1.0, 0: float(rng.random() < 0.5)}[moved]
            legacy.append(before)
            direct.append(before + moved * step)
            groups.append(group)
        group += 1
    return legacy, direct, groups


def repeated(runs: int, sample: Callable[[random.Random], Decision]) -> list[Decision]:
    rng = random.Random(11)  # noqa: S311
    return [sample(rng) for _ in range(runs)]


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize(("items", "runs"), [(200, 4000), (1200, 1500)])
def test_coverage_is_95_percent_and_false_not_worse_is_rare(items: int, runs: int, *, in_parts: bool) -> None:
    """The truth is minus 2 points, minus the margin; the Monte Carlo error (one sigma) is 0.3 and 0.6 points."""
    gained, lost = (0.04, 0.06) if not in_parts else (4 / 75, 6 / 75)
    truth = (gained - lost) * (0.75 if in_parts else 1.0)
    found = repeated(runs, lambda rng: decide(*drawn(rng, items, gained, lost, in_parts=in_parts)))
    covered = sum(each.low <= truth <= each.high for each in found if each.low is not None and each.high is not None)
    assert truth == pytest.approx(-0.02)
    assert covered / len(found) == pytest.approx(0.95, abs=0.015)
    assert sum(each.not_worse for each in found) / len(found) <= 0.037


@pytest.mark.parametrize("in_parts", [False, True])
def test_two_equal_systems_are_rarely_told_apart(*, in_parts: bool) -> None:
    found = repeated(1000, lambda rng: decide(*drawn(rng, 200, 0.05, 0.05, in_parts=in_parts)))
    assert 0.02 < sum(each.word in ("better", "worse") for each in found) / len(found) <= 0.064


def test_fifty_items_cannot_show_that_equal_systems_are_equivalent() -> None:
    found = repeated(300, lambda rng: decide(*drawn(rng, 50, 0.02, 0.02)))
    assert {each.word for each in found} == {"inconclusive"}
    assert not any(each.not_worse for each in found)


def test_the_further_items_decide_in_four_of_five_samples() -> None:
    """Of equal systems: both ends of the interval must clear the margin. Normal theory, so about 80 %."""
    count = items_for_equivalence(0.02, 0.0, 0.1, 1.5)
    found = repeated(200, lambda rng: decide(*drawn(rng, count, 0.05, 0.05)))
    assert sum(each.word == "equivalent" for each in found) / len(found) == pytest.approx(0.8, abs=0.07)


def test_weighted_by_popularity_the_interval_holds_the_truth_about_future_questions() -> None:
    """Zipf weights over 1,200 items make some 36 of them; the interval of requests would hold it in a fifth of runs."""
    rng = random.Random(3)  # noqa: S311
    weights = [1 / rank for rank in range(1, 1201)]
    held = narrow = 0
    for _ in range(300):
        legacy, direct, groups = drawn(rng, 1200, 0.04, 0.06)
        values = [after - before for before, after in zip(legacy, direct, strict=True)]
        low, high = difference(values, groups, weights)
        held += low <= -0.02 <= high
        totals = list(accumulate(weights))
        requests = rng.choices(values, cum_weights=totals, k=2000)
        low, high = difference(requests, range(2000))
        narrow += low <= -0.02 <= high
    assert held / 300 >= 0.93
    assert narrow / 300 < 0.5

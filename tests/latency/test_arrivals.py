"""Arrivals: as many as asked for, in order, the same for a seed, at the rate and with the shape that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.latency.arrivals import KINDS, Kind, schedule
from shared.errors import BadInput

MANY = 100_000


@given(
    kind=st.sampled_from(KINDS),
    rate=st.floats(1e-3, 1e5),
    ramp_to=st.floats(1e-3, 1e5),
    count=st.integers(1, 500),
    seed=st.integers(0, 2**32),
    burstiness=st.floats(0.05, 8),
)
def test_count_order_and_seed(
    kind: Kind, rate: float, ramp_to: float, count: int, seed: int, burstiness: float
) -> None:
    def drawn() -> Any:
        return schedule(kind, rate=rate, count=count, seed=seed, burstiness=burstiness, ramp_to=ramp_to)

    times = drawn()
    assert len(times) == count
    assert times[0] >= 0
    assert np.isfinite(times).all()
    assert (np.diff(times) >= 0).all()
    assert (times == drawn()).all()


@pytest.mark.parametrize(("kind", "variation"), [("poisson", 1.0), ("bursty", 3.0), ("bursty", 0.5)])
def test_gaps_have_the_mean_and_the_variation(kind: Kind, variation: float) -> None:
    gaps = np.diff(schedule(kind, rate=50.0, count=MANY, seed=1, burstiness=variation), prepend=0.0)
    assert gaps.mean() == pytest.approx(0.02, rel=4 * variation / MANY**0.5)
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.05)


def test_poisson_gaps_are_exponential() -> None:
    from scipy.stats import kstest

    gaps = np.diff(schedule("poisson", rate=3.0, count=20_000, seed=2), prepend=0.0)
    assert kstest(gaps, "expon", args=(0, 1 / 3)).pvalue > 0.001


def test_constant_is_exact() -> None:
    assert schedule("constant", rate=4.0, count=5, seed=0).tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize(("first", "last"), [(10.0, 90.0), (90.0, 10.0), (50.0, 50.0)])
def test_a_ramp_goes_from_one_rate_to_the_other(first: float, last: float) -> None:
    times = schedule("ramp", rate=first, count=MANY, seed=3, ramp_to=last)
    length_s = 2 * MANY / (first + last)
    assert times[-1] == pytest.approx(length_s, rel=1e-3)
    for begin, end in ((0.0, 0.25), (0.5, 0.75), (0.75, 1.0)):
        found = np.count_nonzero((times >= begin * length_s) & (times < end * length_s))
        middle = first + (last - first) * (begin + end) / 2
        assert found == pytest.approx(middle * length_s / 4, rel=0.03)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": float("nan")}, "rate is nan"),
        ({"rate": float("inf")}, "rate is inf"),
        ({"burstiness": -1.0}, "burstiness is -1.0"),
        ({"count": 0}, "0 requests"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"kind": "ramp"}, "a ramp needs the rate that it ends at"),
    ],
)
def test_what_cannot_be_drawn(change: dict[str, Any], said: str) -> None:
    given_: dict[str, Any] = {"kind": "poisson", "rate": 1.0, "count": 1, "seed": 0} | change
    with pytest.raises(BadInput, match=said):
        schedule(given_.pop("kind"), **given_)

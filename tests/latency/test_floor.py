"""Below its own floor the harness claims nothing, and without a floor neither."""

from __future__ import annotations

import numpy as np

from benchmarks.latency.floor import claim, floor
from benchmarks.latency.quantiles import of_series


def test_the_floor_is_as_high_as_the_null_target_may_lie() -> None:
    null = np.random.default_rng(1).exponential(1e-4, size=2000)
    found = floor(null, 0.5)
    estimate = of_series(null, 0.5)
    assert estimate is not None
    assert found == estimate.high > estimate.value


def test_a_difference_is_claimed_above_the_floor_whichever_its_sign() -> None:
    assert [claim(delta, 1e-4) for delta in (2e-4, -2e-4, 1e-4, -5e-5, 0.0)] == [
        2e-4,
        -2e-4,
        "below the floor",
        "below the floor",
        "below the floor",
    ]


def test_what_was_not_measured_is_no_claim() -> None:
    assert floor([1e-4] * 10, 0.5) is None
    assert claim(1.0, None) == claim(None, 1e-4) == "not measured"

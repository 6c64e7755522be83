"""When requests are due: seconds from the start, drawn once before anything is sent.

An open loop sends at these times whatever is still under way, as users do who know nothing of each other. Drawing them
beforehand gives every target the same arrivals, and the same seed the same ones under one version of numpy. A trace's
times come from `trace.py`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from shared.errors import BadInput

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

Kind = Literal["poisson", "constant", "bursty", "ramp"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
MOST: Final = 10**9


def schedule(
    kind: Kind,
    *,
    rate: float,
    count: int,
    seed: int,
    burstiness: float = 2.0,
    ramp_to: float | None = None,
) -> NDArray[float64]:
    """`count` times in seconds from 0, in order. `rate` is requests a second.

    `poisson`: independent gaps, exponential with mean 1 / rate. `constant`: one every 1 / rate. `bursty`: gaps of a
    gamma distribution with the same mean, whose coefficient of variation is `burstiness` (1 is Poisson). `ramp`: a
    Poisson process whose rate goes from `rate` to `ramp_to` in a straight line, given that it has `count` arrivals:
    they are then independent draws from the rate's density (Cox and Lewis, 1966). Raises `BadInput`.
    """
    import numpy as np

    for name, number in (("rate", rate), ("burstiness", burstiness), ("ramp_to", ramp_to)):
        if number is not None and not (0 < number <= MOST and math.isfinite(number)):
            raise BadInput(f"{name} is {number}; it must be above 0 and at most {MOST:g}")
    if not 1 <= count <= MOST:
        raise BadInput(f"{count} requests were asked for; ask for 1 to {MOST:,}")
    if seed < 0:
        raise BadInput(f"seed is {seed}; it must be 0 or more")
    rng = np.random.default_rng(seed)
    if kind == "constant":
        return np.arange(count) / rate
    if kind == "ramp":
        if ramp_to is None:
            raise BadInput("a ramp needs the rate that it ends at as well")
        # the expected number of arrivals until t is rate t + (ramp_to - rate) t^2 / (2 T), and `count` at its end T
        slope = (ramp_to - rate) * (ramp_to + rate) / (2 * count)
        due = np.sort(rng.random(count)) * count
        return _array(2 * due / (rate + np.sqrt(rate**2 + 2 * slope * due)))
    if kind == "bursty":
        shape = burstiness**-2
        gaps = rng.gamma(shape, 1 / (rate * shape), count)
    else:
        gaps = rng.exponential(1 / rate, count)
    return _array(np.cumsum(gaps))


def _array(times: Any) -> NDArray[float64]:
    found: NDArray[float64] = times
    return found

"""What the detector notices, by simulation: the figures that `crossover drift` prints about it are these."""

from __future__ import annotations

import random
import sys
from statistics import median

import pytest

from benchmarks.quality.detector import SIMULATED, Operating, Watch, adwin

pytest.importorskip("river")


def simulate(drop: float, runs: int, seed: int) -> tuple[float, int | None]:
    """The share of runs with a drop noticed, and the median number of values until then.

    Independent answers, right with `SIMULATED.base` probability; from halfway on with `drop` less. Without a drop, the
    share of runs with any alarm. An alarm before the drop does not count as noticing it.
    """
    rng, delays = random.Random(seed), list[int]()  # noqa: S311
    total = SIMULATED.epochs * SIMULATED.per_epoch
    begins = total // 2 if drop else 0
    for _ in range(runs):
        watch = Watch(adwin())
        for number in range(total):
            right = rng.random() < SIMULATED.base - (drop if number >= begins else 0.0)
            watch.feed(number, number, float(right))
            if watch.drops and watch.drops[-1] >= begins:
                delays.append(number - begins + 1)
                break
    return len(delays) / runs, round(median(delays)) if delays else None


def operating(runs: int) -> Operating:
    """The figures anew; run this module to print them."""
    noticed = {f"{points}": simulate(points / 100, runs, points) for points in (2, 5, 10, 20)}
    return Operating(runs, SIMULATED.epochs, SIMULATED.per_epoch, SIMULATED.base, simulate(0.0, runs, 0)[0], noticed)


def test_the_printed_figures_are_those_of_a_simulation() -> None:
    """Each share within three standard errors of 60 runs, each delay within a third."""
    runs = 60
    anew = operating(runs)
    shares = [(anew.false_alarms, SIMULATED.false_alarms)]
    shares += [(anew.noticed[size][0], SIMULATED.noticed[size][0]) for size in SIMULATED.noticed]
    for found, printed in shares:
        assert abs(found - printed) <= 3 * max(printed * (1 - printed), 1 / runs) ** 0.5 / runs**0.5
    for size in ("10", "20"):
        delay, stated = anew.noticed[size][1], SIMULATED.noticed[size][1]
        assert delay is not None
        assert stated is not None
        assert abs(delay - stated) <= stated / 3


def test_a_rise_is_no_alarm_and_a_fall_is_one() -> None:
    rng = random.Random(1)  # noqa: S311
    for before, after, alarms in ((0.3, 0.9, False), (0.9, 0.3, True)):
        watch = Watch(adwin())
        for number in range(4000):
            watch.feed(number, number, float(rng.random() < (before if number < 2000 else after)))
        assert bool(watch.drops) is alarms
        assert all(number >= 2000 for number in watch.drops)


def test_a_group_gives_one_value_an_epoch() -> None:
    watch = Watch(adwin())
    for _ in range(5):
        watch.epoch()
        for number in range(40):
            watch.feed(number, number % 4, 1.0)
    assert watch.detector.width == 5 * 4


if __name__ == "__main__":
    print(operating(int(sys.argv[1])))

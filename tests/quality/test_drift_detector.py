"""What the detector notices, by simulation: the figures that `crossover drift` prints about it are these."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.quality.detector import SIMULATED, Operating, Watch, adwin
from benchmarks.quality.drift_figures import ARMS, credit
from benchmarks.quality.drift_table import table
from benchmarks.quality.score import score
from benchmarks.quality.timeline import plan
from shared.backends.recorded import recording_key
from tests.quality.drift_workload import played, write

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


def test_without_events_the_real_feed_raises_no_alarm() -> None:
    """Recorded answers of the direct and the large model, as often as the default timeline asks at first."""
    made = plan(None)
    for seed in range(4):
        weights = replace(made, timeline=made.timeline.model_copy(update={"seed": seed})).weights(1)
        for name in (made.timeline.direct, made.timeline.large):
            rows, watch, rng = made.recordings[name].rows, Watch(adwin()), random.Random(seed)  # noqa: S311
            graded = {
                item.id: score(text, item, made.workload).value if text.strip() else 0.0
                for item in made.items
                for text in (rows[recording_key(made.workload.request(item))].text,)
            }
            for _ in range(made.timeline.epochs):
                watch.epoch()
                for item in rng.choices(made.items, weights, k=made.timeline.requests):
                    watch.feed(0, item.group, graded[item.id])
            assert watch.drops == []
            assert watch.detector.width > 5000


def turn(epoch: int, direct: float) -> dict[str, Any]:
    """An event's, as far as alarms are concerned: by how much the interval of the direct arm's change is below 0."""
    changes = {arm: {"high": 0.1} for arm in ARMS} | {"direct": {"high": direct}}
    return {"epoch": epoch, "change": changes}


def test_an_alarm_goes_to_the_last_drop_that_can_be_told_before_it_however_late() -> None:
    turns = [turn(3, -0.1), turn(5, 0.2), turn(7, -0.1)]
    drops = {"careful": [450], "typical": list[int](), "direct": [150, 450, 460]}
    found = credit(turns, drops, 100)
    assert found == [
        {"arm": "direct", "request": 151, "event_epoch": None},
        {"arm": "careful", "request": 451, "event_epoch": None},
        {"arm": "direct", "request": 451, "event_epoch": 3},
        {"arm": "direct", "request": 461, "event_epoch": 3},
    ]
    assert [each["noticed_after_requests"]["direct"] for each in turns] == [251, None, None]
    assert [each["noticed_after_requests"]["careful"] for each in turns] == [None] * 3, "its quality did not drop"
    assert credit(turns, dict.fromkeys(ARMS), 100) is None


def test_what_the_table_says_of_alarms(tmp_path: Path) -> None:
    event = '[[events]]\nepoch = 4\nkind = "firmware"\ndirect = "bad"'
    document = played(write(tmp_path / "small"), event)
    told = table(document)
    assert "the drop of direct is noticed after" in " ".join(told.split())
    assert "no event explains it" not in told
    assert "a false alarm in none of 1,000 runs (at most 0.4 %)" in " ".join(told.split())
    alarms = [{"arm": "careful", "request": 1234, "event_epoch": None}]
    document["events"][0]["noticed_after_requests"]["direct"] = None
    told = table(document | {"alarms": alarms})
    assert "\ncareful: alarm at request 1,234: no event explains it\n" in told
    assert "the drop of direct is not noticed in the 180 requests to the end" in " ".join(told.split())


if __name__ == "__main__":
    print(operating(int(sys.argv[1])))

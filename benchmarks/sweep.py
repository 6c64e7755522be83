"""`crossover sweep`: which architecture wins where, at equal or better quality, over two axes.

Only what changes behaviour is played again: a price changes nobody's answers, and direct's axes leave legacy alone.
Points are kept as they come, so a sweep that was cut short goes on; the map is the same, byte for byte, however many
processes or machines play it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks import jobs
from benchmarks.compare import asked_by, check_arms
from benchmarks.overhead import DEFAULT
from benchmarks.progress import Progress
from benchmarks.rows import Row
from benchmarks.scenario import Scenario
from benchmarks.sweeping import picture
from benchmarks.sweeping.axes import Axis, check_pair
from benchmarks.sweeping.judging import judge, pair
from benchmarks.sweeping.picture import LABELS, LAYERS, Layer
from benchmarks.sweeping.playing import Key, Playing, builtin, key_of, ratio_of_pace, scenario_at
from benchmarks.sweeping.points import Place, Points
from benchmarks.targets.builtin import hardware_of
from shared.errors import BadInput
from shared.files import replacing, sha256_of

SCHEMA: Final = "crossover-sweep/1"
SWEPT: Final = {"volume": "requests_per_month", "engineering_rate": "engineering_usd_per_hour"}
MONTHLY: Final = (*SWEPT.values(), "legacy_engineering_hours_per_month", "direct_engineering_hours_per_month")
"""What the engineering part of a decision's cost rests on: the axes that change nothing else need all of it."""
Engine = Literal["local", "ray"]
Played = Generator[list[Row], None, None]
Run = Callable[[Sequence[Playing], int], Played]


def sweep(
    scenario: Scenario,
    x: Axis,
    y: Axis,
    out: Path,
    *,
    requests: int | None = None,
    processes: int = 1,
    engine: Engine = "local",
    layer: Layer = "verdict",
) -> dict[str, Any]:
    """Make the map and write it to `out`: points.jsonl, map.json and map.svg. Returns what map.json holds.

    Raises `BadInput` where the scenario cannot be played in virtual time, an axis changes nothing in it, or `out` holds
    another sweep. An interrupt leaves the points that are there.
    """
    check_pair(x, y)
    _check(scenario, x, y)
    runner = _engine(engine)
    with Points(out, _parameters(scenario, x, y, requests)) as points:
        missing = [(each, other) for other, each in product(y.values, x.values) if (each, other) not in points.by_place]
        try:
            _fill(scenario, x, y, points, missing, lambda needed: runner(
                [Playing(scenario, key, requests) for key in needed], processes
            ))  # fmt: skip
        except KeyboardInterrupt:
            whole = len(x.values) * len(y.values)
            raise Interrupted(
                f"{len(points.by_place)} of {whole} points are in {out}; the same command goes on"
            ) from None
        found = _document(scenario, x, y, points.by_place, requests)
        drawn = picture.svg(x, y, points.by_place, layer, found["notes"])
    with replacing(out / "map.json") as file:
        file.write((json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode())
    with replacing(out / "map.svg") as file:
        file.write(drawn.encode())
    return found


class Interrupted(KeyboardInterrupt):
    """The user stopped it; what it says is how far it got."""


def _engine(engine: Engine) -> Run:
    if engine == "local":
        return _in_processes
    from benchmarks.sweeping import on_ray

    on_ray.check()
    return on_ray.run


def _in_processes(playings: Sequence[Playing], processes: int) -> Played:
    yield from jobs.run(playings, processes)


def _check(scenario: Scenario, x: Axis, y: Axis) -> None:
    builtin(scenario)
    check_arms(scenario)
    asked_by(scenario)
    given = {SWEPT[axis.name] for axis in (x, y) if axis.name in SWEPT}
    lacking = [key for key in MONTHLY if key not in given and getattr(scenario.cost, key) is None]
    if given and lacking:
        raise BadInput(f"engineering cannot be swept while [cost] does not set {', '.join(lacking)}")


def _parameters(scenario: Scenario, x: Axis, y: Axis, requests: int | None) -> dict[str, Any]:
    """All that the points depend on: another one means other points."""
    questions, hardware = asked_by(scenario), hardware_of(scenario)
    profile = scenario.path(scenario.latency.overhead) if scenario.latency.overhead else DEFAULT
    return {
        "version": version("crossover"),
        "scenario": scenario.model_dump(mode="json"),
        "workload": questions.workload.version,
        "hardware": {
            kind: [repr(row), {name: each.value for name, each in row.figures.items()}]
            for kind, row in hardware.items()
        },
        "overhead": sha256_of(profile),
        "requests": requests,
        "x": x.document(),
        "y": y.document(),
    }


def _fill(
    scenario: Scenario, x: Axis, y: Axis, points: Points, missing: Sequence[Place],
    play: Callable[[Sequence[Key]], Played],
) -> None:  # fmt: skip
    """Play what the missing points need, in the order in which they need it, and judge each as soon as it can be."""
    settings = {place: {x.name: place[0], y.name: place[1]} for place in missing}
    keys = {place: (key_of("legacy", at), key_of("direct", at)) for place, at in settings.items()}
    waiting: dict[tuple[Key, Key], list[Place]] = {}
    for place in missing:
        waiting.setdefault(keys[place], []).append(place)
    needed = list(dict.fromkeys(key for both in waiting for key in both))
    uses = Counter(key for both in waiting for key in both)
    hardware, rows = hardware_of(scenario), dict[Key, list[Row]]()
    with Progress("points", len(missing)) as progress, closing(play(needed)) as playing:
        for key, played in zip(needed, playing, strict=True):
            rows[key] = played
            for both in [each for each in waiting if each[0] in rows and each[1] in rows]:
                counted = pair(scenario, {"legacy": rows[both[0]], "direct": rows[both[1]]})
                for place in waiting.pop(both):
                    at = {name: value for name, value in settings[place].items() if name != "speedup"}
                    priced = scenario_at(scenario, at, Path())
                    points.add(judge(priced, hardware, (x.name, place[0]), (y.name, place[1]), counted))
                    progress.step()
                for used in both:
                    uses[used] -= 1
                    if not uses[used]:
                        del rows[used]


def _document(
    scenario: Scenario, x: Axis, y: Axis, points: Mapping[Place, Mapping[str, Any]], requests: int | None
) -> dict[str, Any]:
    ordered = [points[each, other] for other in y.values for each in x.values]
    return {
        "schema": SCHEMA,
        "x": x.document(),
        "y": y.document(),
        "requests": requests,
        "scenario": scenario.model_dump(mode="json"),
        "counts": {
            layer: {label: sum(picture.word(point, layer) == label for point in ordered) for label in LABELS}
            for layer in LAYERS
        },
        "points": ordered,
        "notes": _notes(scenario, x, y, ordered),
        "standing": {"/points": "emulated"},
    }


def _notes(scenario: Scenario, x: Axis, y: Axis, points: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader must know before believing the map."""
    notes = []
    worse = sum(point["quality"]["word"] == "worse" for point in points)
    if worse:
        where = "at every point" if worse == len(points) else f"at {worse} of {len(points)} points"
        notes.append(f"Direct is worse in quality {where}, so there legacy wins, whatever cost and p99 say.")
    if scenario.stand_ins:
        notes.append(f"Recorded answers of stand-ins: {'; '.join(scenario.stand_ins.values())}.")
    notes.append("Times are emulated from the hardware catalogue, in virtual time; prices are list prices or assumed.")
    hardware = hardware_of(scenario)
    own = ratio_of_pace(hardware)
    if own and "speedup" in (x.name, y.name):
        values = next(axis.values for axis in (x, y) if axis.name == "speedup")
        there = "" if values[0] <= own <= values[-1] else ", which is not on this map"
        times = f"{own:.3g} times the tokens a second of {hardware['small'].id}"
        notes.append(f"As catalogued {hardware['call'].id} has {times}{there}.")
    return notes

"""Repeat a run from the provenance in its `report.json`, and compare the two reports value by value.

Only what answers alike every time can be repeated: recordings and logs. In virtual time the reports are then equal but
for `provenance.run`; in real time, times differ anyway, and `crossover diff` is what tells change from noise. The run
itself is `compare.measure`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from benchmarks import compare
from benchmarks.report.html.run import read_report
from benchmarks.scenario import ARMS, Scenario
from shared.errors import BadInput
from shared.hardware.catalogue import catalogue

RUN: Final = "/provenance/run"
ABSENT: Final = "absent"
COMPARE: Final = "run crossover compare on its scenario file"
LIVE: Final = f"{COMPARE}, and crossover diff on both runs"


class Difference(NamedTuple):
    """A JSON pointer and what stands there in either report, as JSON; `absent` where it is in one of them only."""

    pointer: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Old:
    """A run that can be repeated: its report, its scenario, and what is no longer as it was then, in words."""

    report: Mapping[str, Any]
    scenario: Scenario
    changed: tuple[str, ...]


def read(file: Path) -> Old:
    """The run of a report. Raises `BadInput` where it cannot be repeated, or what it needs is no longer here.

    Relative paths of its scenario are taken from the folder in which this runs.
    """
    if file.is_dir():
        raise BadInput(f"{file} is a directory; name the report in it: {file / 'report.json'}")
    report = read_report(file)
    try:
        provenance = report["provenance"]
        _check(provenance)
        scenario = Scenario.model_validate(provenance["scenario"])
        workload, python = str(provenance["workload"]["version"]), str(provenance["run"]["python"])
        packages = dict(provenance["run"]["packages"])
    except BadInput as error:
        raise BadInput(f"{file} cannot be repeated: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, ("provenance", "scenario", *first["loc"])))
        raise BadInput(f"{file}: `{where}` is no longer understood ({first['msg']}); {COMPARE}") from None
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"{file}: its provenance is incomplete ({error!r}); {COMPARE}") from None
    try:
        _check_hardware(scenario)
        compare.check_arms(scenario)
        now = compare.asked_by(scenario).workload.version
    except BadInput as error:
        raise BadInput(f"{file} cannot be repeated here, from {Path.cwd()}: {error}") from None
    return Old(report, scenario, tuple(_changed(workload, now, python, packages)))


def repeat(old: Old, out: Path | None = None) -> list[Difference]:
    """Run it again and say where the reports differ outside `provenance.run`; a run's files are written to `out`."""
    after = json.loads(json.dumps(compare.measure(old.scenario, out), allow_nan=False))
    return list(differences(old.report, after))


def differences(before: Any, after: Any, pointer: str = "") -> Iterator[Difference]:
    """Where two JSON values differ, in the order of the first, outside `RUN`."""
    if pointer == RUN:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        pairs = [(name, before.get(name, ...), after.get(name, ...)) for name in dict.fromkeys([*before, *after])]
    elif isinstance(before, list) and isinstance(after, list):
        padded = [each + [...] * (max(len(before), len(after)) - len(each)) for each in (before, after)]
        pairs = [(str(place), *both) for place, both in enumerate(zip(*padded, strict=True))]
    else:
        if (old := _shown(before)) != (new := _shown(after)):
            yield Difference(pointer, old, new)
        return
    for name, old, new in pairs:
        yield from differences(old, new, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")


def _shown(value: Any) -> str:
    return ABSENT if value is ... else json.dumps(value, ensure_ascii=False)


def _check(provenance: Mapping[str, Any]) -> None:
    """Raises `BadInput` where somebody would have to be asked who may answer otherwise, or the run was no whole one."""
    if provenance["stopped"]:
        raise BadInput(f"it was stopped ({provenance['stopped']}), and what it was asked until then depends on when")
    scenario = provenance["scenario"]
    for arm in ARMS:
        chosen = scenario[arm]
        if chosen["kind"] == "http":
            raise BadInput(f"{arm} is {chosen['base_url'] or chosen['url']}, which may answer otherwise today; {LIVE}")
        if chosen["kind"] == "python":
            raise BadInput(f"{arm} is the function {chosen['callable']}, which may answer otherwise today; {LIVE}")
        for place in ("small", "large", "model"):
            if chosen["kind"] == "builtin" and not chosen.get(place, "recorded:").startswith("recorded:"):
                raise BadInput(f"{arm} asks {chosen[place]}, a live model, which may answer otherwise today; {LIVE}")


def _check_hardware(scenario: Scenario) -> None:
    known = catalogue(*(scenario.path(file) for file in scenario.hardware.files))
    for row in scenario.hardware_rows.values():
        if row not in known:
            raise BadInput(f"hardware {row!r} is no longer known; `crossover hardware list` shows what is")


def _changed(workload: str, now: str, python: str, packages: Mapping[str, str]) -> Iterator[str]:
    if workload != now:
        yield f"the workload was {workload} then and is {now} now"
    if (here := platform.python_version()) != python:
        yield f"Python was {python} then and is {here} now"
    for name, then in packages.items():
        if (installed := _version(name)) != then:
            yield f"{name} was {then} then and is {installed} now"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

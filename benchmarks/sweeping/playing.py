"""Play one arm of a scenario in virtual time, as it would be at one point of the map."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from benchmarks import run
from benchmarks.compare import asked_by
from benchmarks.latency.arrivals import schedule
from benchmarks.rows import Row
from benchmarks.scenario import Arm, HardwareFiles, Scenario
from benchmarks.sweeping.axes import KINDS
from benchmarks.systems import Direct, Legacy, OwnPrice
from benchmarks.targets.builtin import hardware_of, open_target
from benchmarks.workloads.traffic import Asked
from shared import clock
from shared.contract import Message, Request
from shared.errors import BadInput
from shared.hardware.catalogue import Figure, Hardware

SCALED: Final = "swept"
"""Id of direct's hardware where its pace is an axis."""
PACE: Final = {"first_token_s": -1, "prompt_token_s": -1, "tok_s": 1}
"""Figures of pace, and whether they rise (1) or fall (-1) as the hardware gets faster."""
NOT_KEPT: Final = Request((Message("user", "not kept"),))

Settings = Mapping[str, float]
"""The value of each axis at a point, by its name."""
Key = tuple[Arm, tuple[tuple[str, float], ...]]
"""An arm, and the values of the axes that change what it answers or when."""


def key_of(arm: Arm, at: Settings) -> Key:
    """What must be played for an arm at a point: points with equal keys share one playing."""
    return arm, tuple((name, value) for name, value in sorted(at.items()) if arm in KINDS[name].changes)


@dataclass(frozen=True, slots=True)
class Playing:
    """One arm to be played. Called, it gives its rows, without their requests; in any process, always the same."""

    scenario: Scenario
    key: Key
    requests: int | None

    def __call__(self) -> list[Row]:
        arm, values = self.key
        with tempfile.TemporaryDirectory(prefix="crossover-") as scratch:
            scenario = scenario_at(self.scenario, dict(values), Path(scratch))
            rows = clock.run(_play(arm, scenario, self.requests, Path(scratch)), virtual=True)
        return [replace(row, request=NOT_KEPT) for row in sorted(rows, key=lambda row: row.asked.number)]


async def _play(arm: Arm, scenario: Scenario, requests: int | None, scratch: Path) -> list[Row]:
    questions, mix, rows = asked_by(scenario), scenario.traffic, list[Row]()
    stream = for_tenants(questions.stream, requests)
    due_s = schedule(
        mix.arrivals, rate=mix.rate, count=len(stream), seed=scenario.seed, burstiness=mix.burstiness,
        ramp_to=mix.ramp_to,
    ).tolist()  # fmt: skip
    target = open_target(arm, scenario, scratch / "cache")
    async with aclosing(target):
        await run.arriving(stream, due_s, target, questions.workload, deadline_s=scenario.deadline_s, keep=rows.append)
    return rows


def for_tenants(stream: Sequence[Asked], requests: int | None) -> list[Asked]:
    """So many requests: the stream, or its beginning, or the stream again for further tenants who share no answers."""
    if requests is None or requests <= len(stream):
        return list(stream[:requests])
    longer: list[Asked] = []
    for number in range(requests):
        asked, tenant = stream[number % len(stream)], number // len(stream)
        item = asked.item.model_copy(update={"scope": {**asked.item.scope, "tenant": str(tenant)}})
        longer.append(Asked(number, item, asked.repeat))
    return longer


def scenario_at(scenario: Scenario, at: Settings, scratch: Path) -> Scenario:
    """The scenario at a point. `scratch` takes the hardware file that a speed-up needs."""
    legacy, direct = builtin(scenario)
    traffic = {name: at[name] for name in ("repeat_share", "rate") if name in at}
    if "rate" in at:  # a ramp keeps its slope
        traffic["ramp_to"] = scenario.traffic.ramp_to * at["rate"] / scenario.traffic.rate
    cost = {"volume": "requests_per_month", "engineering_rate": "engineering_usd_per_hour",
            "wrong_answer_usd": "wrong_answer_usd"}  # fmt: skip
    prices = {f"{kind}_price": _flat(at[f"{kind}_price"]) for kind in ("small", "large") if f"{kind}_price" in at}
    over: dict[str, Any] = {
        "traffic": scenario.traffic.model_copy(update=traffic),
        "cost": scenario.cost.model_copy(update={key: at[name] for name, key in cost.items() if name in at}),
        "legacy": legacy.model_copy(update=prices),
        "direct": direct.model_copy(update={"price": _flat(at["price"])} if "price" in at else {}),
    }
    if "speedup" in at:
        file = (scratch / f"{SCALED}.toml").absolute()
        file.write_text(_toml(scaled(hardware_of(scenario), at["speedup"])), encoding="utf-8")
        files = [*(str(scenario.path(each).absolute()) for each in scenario.hardware.files), str(file)]
        over["hardware"] = HardwareFiles(files=tuple(files))
        over["direct"] = over["direct"].model_copy(update={"hardware": SCALED})
    return scenario.model_copy(update=over)


def builtin(scenario: Scenario) -> tuple[Legacy, Direct]:
    """Both arms. Raises `BadInput` where the scenario cannot be played in virtual time."""
    legacy, direct = scenario.legacy, scenario.direct
    if not (scenario.virtual and isinstance(legacy, Legacy) and isinstance(direct, Direct)):
        raise BadInput(
            "a map is made in virtual time, which needs two built-in arms whose models are recorded: and have hardware "
            "(legacy.small_hardware, legacy.large_hardware, direct.hardware); the scenario has not"
        )
    return legacy, direct


def _flat(usd: float) -> OwnPrice:
    return OwnPrice(input=usd, output=usd)


def scaled(hardware: Mapping[str, Hardware], speedup: float) -> Hardware:
    """Direct's hardware at `speedup` times the pace of the small model's; its limits are its own."""
    small, own = hardware["small"], hardware["call"]
    figures = dict(own.figures)
    for name, power in PACE.items():
        known, factor = small.figures[name], speedup**power
        value = None if known.value is None else known.value * factor
        figures[name] = Figure(
            value, "assumed", f"{small.id}'s, {speedup:g} times as fast", prompt_tokens=known.prompt_tokens
        )
    whole, before, after = (own.value("throughput_tok_s"), own.value("tok_s"), figures["tok_s"].value)
    if whole and before and after:  # as many at once, each at the new pace
        figures["throughput_tok_s"] = Figure(whole * after / before, "assumed", f"{own.id}'s, at the new pace")
    return replace(own, id=SCALED, figures=figures)


def ratio_of_pace(hardware: Mapping[str, Hardware]) -> float | None:
    """How many times the small model's pace direct's own hardware has, in tokens a second."""
    small, own = (hardware[kind].value("tok_s") for kind in ("small", "call"))
    return own / small if own and small else None


def _toml(hardware: Hardware) -> str:
    """The hardware as a catalogue file of its own."""
    head = {name: getattr(hardware, name) for name in ("name", "model", "weights", "beyond_context")}
    lines = [f"[{hardware.id}]", *(f"{name} = {json.dumps(each, ensure_ascii=False)}" for name, each in head.items())]
    for name, figure in hardware.figures.items():
        if figure.value is None:
            lines.append(f'{name} = "unknown"')
            continue
        given: dict[str, Any] = {"value": figure.value, "standing": figure.standing, "source": figure.source or "-",
                                 "date": figure.date}  # fmt: skip
        given |= {key: each for key in ("low", "high", "prompt_tokens") if (each := getattr(figure, key)) is not None}
        pairs = ", ".join(f"{key} = {json.dumps(each, ensure_ascii=False)}" for key, each in given.items())
        lines.append(f"{name} = {{ {pairs} }}")
    return "\n".join(lines) + "\n"

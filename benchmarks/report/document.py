"""Put the results together as `report.json` and `requests.jsonl`; their JSON Schemas stand beside this file.

Figures are bare numbers or null (seconds, US dollars); `standing` maps the JSON pointer of each part to the word that
says how its numbers came to be. The nearest pointer above a number holds for it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks import gates, upkeep, verdict
from benchmarks.cost import measure as costs
from benchmarks.latency import percentiles
from benchmarks.quality import paired
from benchmarks.quality.attribution import Name
from benchmarks.rows import Row, by_arm
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.targets.builtin import BuiltinTarget
from benchmarks.targets.target import Target
from benchmarks.workloads.workload import Workload
from shared.contract import Standing
from shared.errors import BadInput
from shared.files import DATA_BYTES, contents, replacing
from shared.steps import Step

if TYPE_CHECKING:
    from shared.hardware.catalogue import Hardware

SCHEMA: Final = "crossover-report/1"
ROW_SCHEMA: Final = "crossover-request/1"
ROW_KEYS: Final = {
    "request", "item", "group", "task", "repeat", "history", "question", "reference", "arm", "text", "model", "error",
    "score", "reason", "latency_s", "cost_usd", "steps",
}  # fmt: skip
"""What readers of a run's rows need."""
COUNTERFACTUALS: Final = "counterfactuals.jsonl"
PACKAGES: Final = ("litellm", "diskcache", "scikit-learn", "fastapi", "aiohttp")


def build(
    scenario: Scenario,
    workload: Workload,
    targets: Sequence[Target],
    rows: Sequence[Row],
    *,
    order: str,
    stopped: str | None,
    seconds: float,
    attribution: Mapping[str, Any] | None = None,
    routing: Mapping[str, Any] | None = None,
    noise: Mapping[str, Any] | None = None,
    noise_reasons: Mapping[Arm, str],
    counterfactuals: Mapping[Name, Sequence[Row]],
    null_s: Sequence[float] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole report. `stopped` says why fewer requests were answered than asked for; `seconds` is the run's time.

    `attribution`, `routing` and `noise` are what their measures found, None where there was nothing to go by;
    `noise_reasons` say why an arm's noise is not measured, "" where it is; `null_s` are the seconds of a target that
    does nothing, none where time is virtual.
    """
    arms = by_arm(rows)
    hardware = {each.arm: each.hardware if isinstance(each, BuiltinTarget) else {} for each in targets}
    judged = paired.measure(arms, margin=scenario.quality.margin, noise=noise)
    faults = upkeep.faults(scenario)
    maintenance = upkeep.maintenance(scenario, faults)
    parts: dict[str, Any] = {
        "maintenance": maintenance,
        "quality": {
            **judged,
            "noise_reasons": dict(noise_reasons),
            "attribution": attribution,
            "routing": routing,
        },
        "latency": percentiles.measure(arms, null_s),
        "cost": costs.measure(
            arms,
            prices={each.arm: each.prices for each in targets},
            hardware=hardware,
            settings=upkeep.with_hours(scenario.cost, maintenance["drills"]),
            counterfactuals={str(name): each for name, each in counterfactuals.items()} or None,
            quality=judged["questions_like_these"]["difference"],
            margin=scenario.quality.margin,
            seed=scenario.seed,
        ),
        "faults": faults,
    }
    report = {
        "schema": SCHEMA,
        "provenance": {
            "scenario": scenario.model_dump(mode="json"),
            "workload": {
                "name": workload.name,
                "version": workload.version,
                "split": None if scenario.logs else "test",
            },
            "models": {f"{each.arm}.{kind}": asdict(who) for each in targets for kind, who in each.identities.items()},
            "prices": {f"{each.arm}.{kind}": asdict(cost) for each in targets for kind, cost in each.prices.items()},
            "hardware": {
                f"{arm}.{kind}": _hardware(row) for arm, rows_ in hardware.items() for kind, row in rows_.items()
            },
            "order": order,
            "stopped": stopped,
            "notes": [*(note for target in targets for note in target.notes), *notes],
            "run": {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": seconds,
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "packages": {name: version(name) for name in PACKAGES},
            },
        },
        **parts,
        "verdict": _verdict(parts),
        "standing": _standing(scenario, targets, arms, parts),
    }
    return {**report, "gates": gates.measure(report, scenario.gates)}


def _hardware(hardware: Hardware) -> dict[str, Any]:
    """An entry of the catalogue, with each figure's standing."""
    figures = {name: asdict(figure) for name, figure in hardware.figures.items()}
    return {"id": hardware.id, "name": hardware.name, "model": hardware.model, "figures": figures}


def _verdict(parts: Mapping[str, Any]) -> dict[str, Any]:
    """What the parts say together; a task's p99 is not looked at, since few have the answers for one."""
    judged, spent, tails = parts["quality"], parts["cost"], parts["latency"]["difference"]
    worse, unknown = judged["worse_somewhere"] or [], {arm: spent[arm]["unknown"] for arm in ARMS}
    why = "; ".join(f"{arm}: {reason}" for arm, reason in unknown.items() if reason)
    if (even := spent["break_even"]["price"]) and even["value"] is not None:
        why += f" (direct is cheaper below ${even['value']:.4g} per Mtok)"
    whole = judged["questions_like_these"]["difference"]
    return verdict.measure(
        verdict.Evidence(
            whole,
            whole["word"] == "worse",
            verdict.Difference.of(spent["difference_usd"]),
            verdict.Difference.of(tails and tails["p99"]["of_quantiles"]).beyond(parts["latency"]["floor_p99"]),
            why,
        ),
        {
            task: verdict.Evidence(
                each["difference"],
                task in worse,
                verdict.Difference.of(spent["by_task"].get(task, {}).get("difference_usd")),
                why_no_cost=why,
            )
            for task, each in judged["by_task"].items()
        },
    )


def _standing(
    scenario: Scenario, targets: Sequence[Target], arms: Mapping[Any, Sequence[Row]], parts: Mapping[str, Any]
) -> dict[str, Standing]:
    timed_as: list[Standing] = []
    paid = {arm: _paid(scenario.arms[arm].kind, arms[arm]) for arm in ARMS}
    words: dict[str, Standing] = {}
    both: set[Standing] = set()
    for target in targets:
        arm, rows, kind = target.arm, arms[target.arm], scenario.arms[target.arm].kind
        replayed = any(identity.provider == "recorded" for identity in target.identities.values())
        texts: Standing = "recorded" if replayed or kind == "log" else "measured"
        both.add(texts)
        timings = {call.timing for row in rows for call in row.calls}
        seconds: Standing = "emulated" if "emulated" in timings else "recorded"
        if kind != "log" and timings <= {"measured"}:
            seconds = "measured"
        timed_as.append(seconds)
        claimed = kind in ("http", "python")
        shares: Standing = "vendor-claimed" if claimed else texts if scenario.logs else "assumed"  # the repeats are
        means = ["", "/questions_like_these", *(f"/by_task/{_token(task)}" for task in parts["quality"]["by_task"])]
        words |= {f"/quality{where}/{arm}": texts for where in means}
        latency, cost = parts["latency"][arm], parts["cost"][arm]
        given: dict[str, tuple[Any, Standing]] = {
            f"/maintenance/{arm}": (parts["maintenance"][arm]["lines"], "measured"),
            f"/latency/{arm}": (latency["mean"], seconds),
            f"/latency/{arm}/since_scheduled": (latency["since_scheduled"], seconds),
            f"/latency/overhead/{arm}": (
                parts["latency"]["overhead"][arm],
                "recorded" if scenario.virtual else "measured",
            ),
            f"/latency/overhead/breakdown/{arm}": (parts["latency"]["overhead"]["breakdown"][arm], seconds),
            f"/cost/{arm}/usd_per_answer": (cost["usd_per_answer"], paid[arm]),
            f"/cost/{arm}/input_tokens": (cost["input_tokens"], texts),
            f"/cost/{arm}/output_tokens": (cost["output_tokens"], texts),
        }
        given |= {
            f"/cost/{arm}/{name}": (cost[name], shares) for name in ("hit_rate", "calls_per_answer", "small_share")
        }
        words |= {pointer: "unknown" if value is None else word for pointer, (value, word) in given.items()}
        counts = ("quality/failed/{}", "latency/{}/answered", "latency/{}/timed", "cost/{}/costed", "cost/{}/told")
        words |= {f"/{pointer.format(arm)}": texts for pointer in counts}
    words |= {"/quality": "recorded" if "recorded" in both else "measured", "/quality/margin": "assumed"}
    order: tuple[Standing, ...] = ("emulated", "recorded", "measured")
    timed_word = min(timed_as, key=order.index)
    words |= costs.standings(parts["cost"], paid=paid, timed=timed_word, judged=words["/quality"])
    words["/latency/difference"] = timed_word if parts["latency"]["difference"] else "unknown"
    for name in ("floor", "floor_p99"):
        words[f"/latency/{name}"] = "unknown" if parts["latency"][name] is None else "measured"
    words["/verdict"] = words["/gates"] = timed_word
    words["/cost/stages"] = words["/quality"]
    for arm in ARMS:
        words[f"/cost/{arm}/per_decision_parts_usd"] = paid[arm]
        words |= {
            f"/cost/by_task/{_token(task)}/{arm}_per_decision_usd": paid[arm] for task in parts["cost"]["by_task"]
        }
    if parts["faults"]:
        words |= {f"/maintenance/{arm}/failure_modes": "recorded" for arm in ARMS}
        words |= {"/maintenance/drills": "measured", "/faults": "recorded"}
        words |= {f"/maintenance/drills/{name}": "assumed" for name in ("assumed", "hours_per_month")}
    missing = [pointer for part in ("quality", "cost", "maintenance") for pointer in _missing(f"/{part}", parts[part])]
    return words | dict.fromkeys(missing, "unknown")


def _missing(pointer: str, value: Any) -> Iterator[str]:
    """Where in a part nothing is known."""
    if value is None:
        yield pointer
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _missing(f"{pointer}/{_token(name)}", inner)


def _token(name: str) -> str:
    """A name within a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _paid(kind: str, rows: Sequence[Row]) -> Standing:
    """How a known cost came to be: one that a running system reported is its own claim, whatever price is given."""
    if kind == "log":
        return "recorded"
    return "vendor-claimed" if any(row.cost_reported for row in rows) else "assumed"


def row_document(row: Row) -> dict[str, Any]:
    """One line of `requests.jsonl`."""
    return {
        "schema": ROW_SCHEMA,
        "request": row.asked.number,
        "item": row.asked.item.id,
        "group": row.asked.item.group,
        "task": row.asked.item.task,
        "repeat": row.asked.repeat,
        "history": [list(turn) for turn in row.asked.item.history],
        "question": row.asked.item.text(),
        "reference": row.asked.item.reference,
        "arm": row.arm,
        "text": row.text,
        "model": row.model,
        "error": row.error,
        "score": row.score.value if row.score else None,
        "reason": row.score.reason if row.score else _not_scored(row),
        "latency_s": row.latency_s,
        "overhead_s": row.overhead_s,
        "scheduled_s": row.scheduled_s,
        "since_scheduled_s": row.since_scheduled_s,
        "cost_usd": row.cost_usd,
        "input_tokens": row.usage.input_tokens,
        "output_tokens": row.usage.output_tokens,
        "steps": None if row.steps is None else [_step_document(step) for step in row.steps],
    }


def _not_scored(row: Row) -> str:
    return "no reference" if row.asked.item.reference is None else "the answer's text was not kept"


def _step_document(step: Step) -> dict[str, Any]:
    completion = step.completion
    return {
        "kind": step.kind,
        "outcome": step.outcome,
        "start_s": step.start_s,
        "seconds": step.seconds,
        "detail": step.detail,
        "after_answer": step.after_answer,
        "call": completion
        and {
            "model": completion.model,
            "input_tokens": completion.usage.input_tokens,
            "output_tokens": completion.usage.output_tokens,
            "finish_reason": completion.finish_reason,
            "first_token_s": completion.first_token_s,
            "seconds": completion.seconds,
            "timing": completion.timing,
        },
    }


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a run, as documents. Raises `BadInput` naming the line that is none, or that there are none."""
    try:
        lines = contents(file, DATA_BYTES).splitlines()
    except OSError:
        raise BadInput(f"{file} is missing; name a directory that crossover compare wrote") from None
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not set(row) >= ROW_KEYS:
            raise BadInput(f"{file} line {number} is no row of a comparison; run crossover compare again")
        rows.append(row)
    if not rows:
        raise BadInput(f"{file} is empty; run crossover compare again")
    return rows


def write_rows(directory: Path, rows: Sequence[Row]) -> None:
    """`requests.jsonl`, whole or not at all. What stands beside it was of other rows and is deleted."""
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(directory / "requests.jsonl") as file:
        for row in rows:
            file.write((json.dumps(row_document(row), ensure_ascii=False, allow_nan=False) + "\n").encode())
        file.flush()
        for stale in ("report.json", "report.html", COUNTERFACTUALS):
            (directory / stale).unlink(missing_ok=True)


def write_report(directory: Path, report: Mapping[str, Any]) -> None:
    """`report.json`, whole or not at all."""
    with replacing(directory / "report.json") as file:
        file.write((json.dumps(report, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode())

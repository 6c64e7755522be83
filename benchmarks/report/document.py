"""Put the results together as `report.json` and `requests.jsonl`; their JSON Schemas stand beside this file.

Figures are bare numbers or null (seconds, US dollars); `standing` maps the JSON pointer of each part to the word that
says how its numbers came to be. The nearest pointer above a number holds for it.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.cost import per_answer
from benchmarks.latency import percentiles
from benchmarks.maintenance import surface
from benchmarks.quality import paired
from benchmarks.rows import Row, by_arm
from benchmarks.scenario import Scenario
from benchmarks.targets.builtin import Target
from benchmarks.workloads.workload import Workload
from shared.contract import Standing
from shared.files import replacing
from shared.steps import Step

SCHEMA: Final = "crossover-report/1"
ROW_SCHEMA: Final = "crossover-request/1"
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
) -> dict[str, Any]:
    """The whole report. `stopped` says why fewer requests were answered than asked for; `seconds` is the run's time."""
    arms = by_arm(rows)
    parts = {
        "maintenance": surface.measure(),
        "quality": paired.measure(arms),
        "latency": percentiles.measure(arms),
        "cost": per_answer.measure(arms),
    }
    return {
        "schema": SCHEMA,
        "provenance": {
            "scenario": scenario.model_dump(mode="json"),
            "workload": {"name": workload.name, "version": workload.version, "split": "test"},
            "models": {f"{each.arm}.{kind}": asdict(who) for each in targets for kind, who in each.identities.items()},
            "prices": {f"{each.arm}.{kind}": asdict(cost) for each in targets for kind, cost in each.prices.items()},
            "order": order,
            "stopped": stopped,
            "notes": [note for target in targets for note in target.notes],
            "run": {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": seconds,
                "python": platform.python_version(),
                "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
                "packages": {name: version(name) for name in PACKAGES},
            },
        },
        **parts,
        "verdict": None,
        "standing": _standing(targets, arms, parts),
    }


def _standing(
    targets: Sequence[Target], arms: Mapping[Any, Sequence[Row]], parts: Mapping[str, Any]
) -> dict[str, Standing]:
    even = parts["cost"]["break_even_direct_usd_per_mtok"]
    words: dict[str, Standing] = {
        "/maintenance": "measured",
        "/verdict": "unknown",
        "/cost/break_even_direct_usd_per_mtok": "unknown" if even is None else "assumed",
    }
    for target in targets:
        arm, latency, cost = target.arm, parts["latency"][target.arm], parts["cost"][target.arm]
        replayed = any(identity.provider == "recorded" for identity in target.identities.values())
        texts: Standing = "recorded" if replayed else "measured"
        for pointer in (f"/quality/per_question/{arm}", f"/quality/per_request/{arm}", f"/quality/failed/{arm}"):
            words[pointer] = texts
        words |= {f"/quality/tasks/{task}/{arm}": texts for task in parts["quality"]["tasks"]}
        live = all(call.timing == "measured" for row in arms[arm] for call in row.calls)
        words[f"/latency/{arm}"] = "unknown" if latency["mean_s"] is None else "measured" if live else "recorded"
        words[f"/latency/{arm}/answered"] = texts
        words[f"/latency/{arm}/overhead_p50_s"] = "measured"
        words[f"/cost/{arm}"] = texts
        words[f"/cost/{arm}/usd_per_answer"] = "unknown" if cost["usd_per_answer"] is None else "assumed"
        for name in ("hit_rate", "calls_per_answer", "small_share"):  # they follow from the assumed share of repeats
            words[f"/cost/{arm}/{name}"] = "assumed"
    words["/quality/right"] = "recorded" if "recorded" in words.values() else "measured"
    return words


def row_document(row: Row) -> dict[str, Any]:
    """One line of `requests.jsonl`."""
    return {
        "schema": ROW_SCHEMA,
        "request": row.asked.number,
        "item": row.asked.item.id,
        "group": row.asked.item.group,
        "task": row.asked.item.task,
        "repeat": row.asked.repeat,
        "arm": row.arm,
        "text": row.text,
        "model": row.model,
        "error": row.error,
        "score": row.score.value,
        "reason": row.score.reason,
        "latency_s": row.latency_s,
        "overhead_s": row.overhead_s,
        "cost_usd": row.cost_usd,
        "steps": [_step_document(step) for step in row.steps],
    }


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


def write_rows(directory: Path, rows: Sequence[Row]) -> None:
    """`requests.jsonl`, whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    with replacing(directory / "requests.jsonl") as file:
        for row in rows:
            file.write((json.dumps(row_document(row), ensure_ascii=False, allow_nan=False) + "\n").encode())


def write_report(directory: Path, report: Mapping[str, Any]) -> None:
    """`report.json`, whole or not at all."""
    with replacing(directory / "report.json") as file:
        file.write((json.dumps(report, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode())

"""What is asked once both arms are done, so that it cannot disturb them: the causes of the difference, its noise floor,
and how well legacy routed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks import run
from benchmarks.budget import Budget, why_not_again
from benchmarks.progress import Progress
from benchmarks.quality import attribution, noise, routing
from benchmarks.quality.attribution import Name
from benchmarks.quality.score import score
from benchmarks.report import document
from benchmarks.rows import Row, by_arm
from benchmarks.scenario import ARMS, Arm, Legacy, Scenario
from benchmarks.targets.builtin import LegacyParts
from benchmarks.targets.target import Target
from benchmarks.workloads.workload import Workload
from legacy_pipeline.classifier import question
from shared.errors import BadInput, MissingRecording
from shared.files import replacing


class Open(Protocol):
    """Opens the system of an arm afresh, with its cache in `scratch`."""

    async def __call__(self, arm: Arm, scratch: Path) -> Target: ...


@dataclass(slots=True)
class Afterwards:
    """What was found; None where there is nothing to go by. `notes` say why, `interrupted` that it was cut short."""

    counterfactuals: dict[Name, list[Row]] = field(default_factory=dict)
    attribution: dict[str, Any] | None = None
    routing: dict[str, Any] | None = None
    noise: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False


async def look(
    scenario: Scenario,
    workload: Workload,
    rows: Sequence[Row],
    direct: Target,
    budget: Budget,
    *,
    scratch: Path,
    repeats: int,
    reopen: Open,
) -> Afterwards:
    """Everything of `Afterwards`, from the rows that both arms have. `repeats` runs of each arm, the first among them.

    Money is what the budget has left; what it does not reach for stays unattributed, or not measured.
    """
    found, arms = Afterwards(), by_arm(rows)
    budget.release()
    try:
        if not isinstance(scenario.legacy, Legacy):
            found.notes.append("unattributed: the target exposes no steps")
        elif not any(row.text_missing for row in rows) and all(any(row.score for row in arms[arm]) for arm in ARMS):
            await _attribute(found, scenario, workload, rows, direct, budget, scratch)
        if repeats > 1:
            await _repeat(found, scenario, workload, rows, budget, scratch, repeats, reopen)
    except asyncio.CancelledError:
        found.interrupted = True
    if found.counterfactuals:
        found.attribution = attribution.measure(arms["legacy"], arms["direct"], found.counterfactuals)
    return found


def write_counterfactuals(directory: Path, rows: Mapping[Name, Sequence[Row]]) -> None:
    """`counterfactuals.jsonl`, whole or not at all: rows as in `requests.jsonl`, the pipeline's name for an arm."""
    if not any(rows.values()):
        return
    with replacing(directory / document.COUNTERFACTUALS) as file:
        for name, answers in rows.items():
            for row in answers:
                line = {**document.row_document(row), "arm": name}
                file.write((json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n").encode())


async def _attribute(
    found: Afterwards, scenario: Scenario, workload: Workload, rows: Sequence[Row], direct: Target, budget: Budget,
    scratch: Path,
) -> None:  # fmt: skip
    from benchmarks.targets.counterfactual import Counterfactuals

    arms = by_arm(rows)
    async with aclosing(Counterfactuals(scenario, workload, scratch, budget)) as asking:
        found.counterfactuals = asking.found
        with Progress("counterfactuals", len(arms["legacy"])) as progress:
            await asking.answer(arms["legacy"], arms["direct"], direct, progress.step)
        found.routing = await _routing(asking.parts, workload, arms["legacy"])


async def _routing(parts: LegacyParts, workload: Workload, legacy: Sequence[Row]) -> dict[str, Any] | None:
    """How well the classifier ranks these questions; None where both models' answers to all are not there for free."""
    free = all(model.identity.provider == "recorded" for model in (parts.small, parts.large))
    if parts.classifier is None or not free:
        return None
    questions = {row.asked.item.id: row for row in legacy}.values()
    gains = [parts.classifier.gain(question(row.request)) for row in questions]
    try:
        small, large = [
            [score((await model.complete(row.request)).text, row.asked.item, workload).value for row in questions]
            for model in (parts.small, parts.large)
        ]
    except (MissingRecording, BadInput):  # a recording that lacks an answer, or holds what cannot be scored
        return None
    return routing.measure(gains, small, large, [row.asked.item.group for row in questions]).document()


async def _repeat(
    found: Afterwards, scenario: Scenario, workload: Workload, rows: Sequence[Row], budget: Budget, scratch: Path,
    repeats: int, reopen: Open,
) -> None:  # fmt: skip
    arms = by_arm(rows)
    stream = [row.asked for row in arms["legacy"]]
    reasons = {arm: why_not_again(scenario, arm) for arm in ARMS}
    found.notes += [f"noise floor of {arm} not measured: {reason}" for arm, reason in reasons.items() if reason]
    again = [arm for arm in ARMS if not reasons[arm]]
    runs: dict[Arm, list[Sequence[Row]]] = {arm: [arms[arm]] if arm in again else [] for arm in ARMS}
    with Progress("repeats", len(again) * (repeats - 1) * len(stream)) as progress:
        try:
            for arm in again:
                for number in range(1, repeats):
                    target = await reopen(arm, scratch / f"{arm}-{number}")
                    runs[arm].append(await _once(scenario, workload, stream, target, budget, progress.step))
        except (run.BudgetReached, BadInput) as cut:
            found.notes.append(f"the noise floor rests on whole runs only; one of {arm} was cut short ({cut})")
    found.noise = noise.measure(runs)


async def _once(
    scenario: Scenario, workload: Workload, stream: Sequence[Any], target: Target, budget: Budget,
    step: Callable[[], None],
) -> list[Row]:  # fmt: skip
    rows: list[Row] = []

    def keep(row: Row) -> None:
        rows.append(row)
        budget.spend(row)
        step()

    async with aclosing(target):
        await run.interleaved(
            stream, [target], workload, seed=scenario.seed, deadline_s=scenario.deadline_s, keep=keep,
            allow=budget.check, impatient=frozenset({target.arm}),
        )  # fmt: skip
    return rows

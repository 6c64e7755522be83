"""What is asked once both arms are done, so that it cannot disturb them: the causes of the difference, its noise floor,
and how well legacy routed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import run
from benchmarks.budget import Budget, why_not_again
from benchmarks.progress import Progress
from benchmarks.quality import attribution, noise, routing
from benchmarks.quality.attribution import Name
from benchmarks.quality.score import score
from benchmarks.report import document
from benchmarks.rows import Row, by_arm
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.systems import Legacy
from benchmarks.targets.builtin import LegacyParts
from benchmarks.targets.target import Target
from benchmarks.workloads.workload import Workload
from legacy_pipeline.classifier import question
from shared.errors import BadInput, MissingRecording
from shared.files import replacing

Open = Callable[[Arm, Path], Awaitable[Target]]
"""Opens the system of an arm afresh, with its cache in a folder."""


@dataclass(slots=True)
class Afterwards:
    """What was found; None where there is nothing to go by. `notes` say why, `interrupted` where it was cut short.

    `unattributed` is the first reason why a request is; `same_model`: direct's model is legacy's large one;
    `noise_reasons` say why an arm's noise is not measured, "" where it is.
    """

    counterfactuals: dict[Name, list[Row]] = field(default_factory=dict)
    unattributed: str = ""
    same_model: bool = False
    noise_reasons: dict[Arm, str] = field(default_factory=lambda: dict.fromkeys(ARMS, "the run was cut short"))
    attribution: dict[str, Any] | None = None
    routing: dict[str, Any] | None = None
    noise: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    interrupted: str = ""


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
    scored = [{row.asked.number for row in arms[arm] if row.score} for arm in ARMS]
    measured = not any(row.text_missing for row in rows) and bool(scored[0] & scored[1])
    once = "asked once, see --repeats" if repeats == 1 else "cut short" if measured else "quality is not measured"
    found.noise_reasons = {arm: why_not_again(scenario, arm) or once for arm in ARMS}
    budget.release()
    phase = "while the causes were looked for"
    try:
        if not isinstance(scenario.legacy, Legacy):
            found.notes.append(f"unattributed: {attribution.UNASKED.format(scenario.legacy.kind)}")
        elif measured:
            await _attribute(found, scenario, workload, rows, direct, budget, scratch)
        phase = "during the repeats"
        if repeats > 1 and measured:
            await _repeat(found, scenario, workload, rows, budget, scratch, repeats, reopen)
        elif repeats > 1:
            found.notes.append("nobody was asked again: quality is not measured, so its noise cannot be either")
    except asyncio.CancelledError:
        found.interrupted = f"interrupted {phase}"
    if found.counterfactuals:
        found.attribution = attribution.measure(
            arms["legacy"], arms["direct"], found.counterfactuals,
            reason=found.unattributed or found.interrupted, same_model=found.same_model,
        )  # fmt: skip
    if found.attribution and (lost := found.attribution["unattributed"]):
        found.notes.append(f"{lost} requests unattributed: {found.attribution['reason']}")
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
        found.same_model = direct.identities.get("call") == asking.parts.large.identity
        try:
            with Progress("counterfactuals", len(arms["legacy"])) as progress:
                await asking.answer(arms["legacy"], arms["direct"], direct, progress.step)
        finally:
            found.unattributed = asking.reason
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
    again = [arm for arm in ARMS if not why_not_again(scenario, arm)]
    runs: dict[Arm, list[Sequence[Row]]] = {arm: [arms[arm]] if arm in again else [] for arm in ARMS}
    with Progress("repeats", len(again) * (repeats - 1) * len(stream)) as progress:
        try:
            for arm in again:
                for number in range(1, repeats):
                    target = await reopen(arm, scratch / f"{arm}-{number}")
                    runs[arm].append(await _once(scenario, workload, stream, target, budget, progress.step))
        except (run.BudgetReached, BadInput) as cut:
            found.notes.append(f"the noise floor rests on whole runs only; one of {arm} was cut short ({cut})")
        finally:
            found.noise = noise.measure(runs)
            for arm in again:
                if found.noise and found.noise[arm]:
                    found.noise_reasons[arm] = ""
                elif len(runs[arm]) > 1:
                    found.noise_reasons[arm] = "no request was answered in every run"


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

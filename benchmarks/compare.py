"""The main job: the same requests to both systems, one table, `report.html`, `report.json` and `requests.jsonl`.

`measure` takes a scenario and returns the report, for use from Python; `compare` prints it and makes the page too.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import gates, run
from benchmarks.afterwards import Afterwards, look, write_counterfactuals
from benchmarks.budget import Budget, estimate
from benchmarks.latency.arrivals import schedule
from benchmarks.maintenance import surface
from benchmarks.progress import Progress
from benchmarks.quality import outcome
from benchmarks.report import document, terminal
from benchmarks.report.html import page
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.systems import Http, Legacy, Python, own_price
from benchmarks.targets import log
from benchmarks.targets.builtin import check_hardware, check_place, open_target, recording_file
from benchmarks.targets.target import Target
from benchmarks.workloads import traffic, workload
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared import clock
from shared.backends.recorded import read_recording
from shared.errors import BadInput
from shared.files import make_writable


def compare(scenario: Scenario, out: Path, *, max_usd: float | None = None, repeats: int = 1) -> int:
    """Compare and write to `out`. Returns 0, or 130 where it was interrupted: what was answered is kept.

    With `repeats` of 2 or more each system is asked everything so many times, to see how far it lies from itself.
    Raises `BadInput` before anything is asked where a model cannot be had or `out` cannot be written, and after it
    where one of the systems answered nothing.
    """
    made = _measure(scenario, out, max_usd, repeats)
    if made.report is None:
        print(f"crossover: {made.nothing}", file=sys.stderr)
        return made.code
    print(terminal.table(made.report))
    print(f"\nreport: {page.write(out)}, its figures: {out / 'report.json'}")
    print(f"one request's story: crossover explain {out} {made.first}")
    return made.code or gates.exit_code(made.report["gates"], scenario.gates)


def measure(
    scenario: Scenario, out: Path | None = None, *, max_usd: float | None = None, repeats: int = 1
) -> dict[str, Any]:
    """The report of a scenario, as `report.json` holds it. Nothing is printed; a run's files are written to `out`.

    Raises `BadInput` as `compare` does, and `KeyboardInterrupt` where it was interrupted: `out` has what was answered.
    """
    made = _measure(scenario, out, max_usd, repeats)
    if made.code or made.report is None:
        raise KeyboardInterrupt
    return made.report


def check_arms(scenario: Scenario) -> None:
    """Raises `BadInput` where a model, an environment variable or the source of an arm is missing. Asks nobody."""
    for place in scenario.places.values():
        check_place(place, scenario.workload_folder)
    check_hardware(scenario)
    for arm in ARMS:
        surface.source_files(scenario, arm)
    if any(isinstance(chosen, Http) for chosen in scenario.arms.values()):
        from benchmarks.targets.http import check_environment

        check_environment(scenario)


def check_tasks(scenario: Scenario, questions: Questions) -> None:
    """Raises `BadInput` where a wrong answer has a price on a task that there is not."""
    tasks = sorted({asked.item.task for asked in questions.stream})
    if unknown := scenario.cost.unknown_tasks(tasks):
        raise scenario.error(
            ("cost", "wrong_answer_usd", unknown[0]), f"there is no task {unknown[0]!r}; there are {', '.join(tasks)}"
        )


def dry_run(scenario: Scenario, repeats: int = 1) -> int:
    """Print what the comparison would ask, and about what it would cost. Asks nobody."""
    questions = asked_by(scenario)
    print(estimate(scenario, questions.workload, questions.stream, repeats))
    return 0


@dataclass(frozen=True, slots=True)
class Questions:
    """What both systems are asked, and the logs that it comes from, if any."""

    workload: Workload
    stream: list[Asked]
    logs: Mapping[Arm, Target] = field(default_factory=dict)


def asked_by(scenario: Scenario) -> Questions:
    """The questions of the scenario's logs or of its workload.

    Raises `BadInput` where they cannot be read, or have graded outcomes and a system would answer them anew.
    """
    questions = _read(scenario)
    if any(questions.workload.scorer(asked.item) == "outcome" for asked in questions.stream):
        if any(isinstance(chosen, Http | Python) for chosen in scenario.arms.values()):
            raise BadInput(outcome.UNGRADABLE)
        for place in sorted(set(scenario.places.values())):
            kind, _, name = place.partition(":")
            if kind != "recorded":
                raise BadInput(f"{place}: {outcome.UNGRADABLE}")
            file = recording_file(name, "test", scenario.workload_folder)
            if read_recording(file).header.model.provider != "imported":
                raise BadInput(f"{file} holds a model's answers, no outcomes: {outcome.UNGRADABLE}")
    return questions


def _read(scenario: Scenario) -> Questions:
    mix = scenario.traffic
    if scenario.logs:
        found = log.traffic(scenario.logs, scenario.quality.scorer, mix.limit)
        return Questions(found.workload, found.stream, found.targets)
    questions = workload.load(scenario.workload_folder)
    items = questions.split("test")
    if not items:
        raise BadInput(
            f"{scenario.workload_folder} has no test questions: no group falls into the test split; add some"
        )
    stream = traffic.stream(items, repeat_share=mix.repeat_share, zipf=mix.zipf, limit=mix.limit, seed=scenario.seed)
    return Questions(questions, stream)


async def open_arm(arm: Arm, scenario: Scenario, questions: Questions, scratch: Path) -> Target:
    """The system of one arm, ready to be asked. The caller closes it. Raises `BadInput` where it cannot be had."""
    chosen = scenario.arms[arm]
    if arm in questions.logs:
        return questions.logs[arm]
    if isinstance(chosen, Http):
        from benchmarks.targets.http import open_http

        return open_http(arm, chosen, scenario.deadline_s)
    if isinstance(chosen, Python):
        from benchmarks.targets.python import PythonTarget

        target = PythonTarget(
            arm,
            callable=chosen.callable,
            interpreter=chosen.interpreter or sys.executable,
            folder=scenario.folder,
            price=own_price(chosen.price),
        )
        await target.start()
        return target
    return open_target(arm, scenario, scratch / "cache")


@dataclass(slots=True)
class Asking:
    """Both arms' rows as they come, and in real time the seconds of a target that does nothing.

    `stopped` says why fewer were asked than wanted; `code` is the exit code.
    """

    rows: list[Row] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    null_s: list[float] = field(default_factory=list)
    stopped: str | None = None
    code: int = 0


@dataclass(frozen=True, slots=True)
class _Made:
    """A report, or in `nothing` why there is none; the exit code; the number of the first request in the report."""

    report: dict[str, Any] | None
    nothing: str
    code: int
    first: int


def _measure(scenario: Scenario, out: Path | None, max_usd: float | None, repeats: int) -> _Made:
    questions = asked_by(scenario)
    check_arms(scenario)
    check_tasks(scenario, questions)
    budget = Budget(scenario, max_usd)
    if out:
        make_writable(out)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch:
        asking = _ask_both(scenario, questions, out, budget, Path(scratch))
        paired = _asked_of_both(asking.rows)
        for arm in ARMS:
            if not any(row.arm == arm and row.error is None for row in (paired or asking.rows)):
                nothing = _nothing(arm, asking.rows, asking.stopped, out)
                if not asking.code:
                    raise BadInput(nothing)
                return _Made(None, nothing, asking.code, 0)
        after = Afterwards()
        if not asking.code:
            looking = look(
                scenario, questions.workload, paired, asking.targets[ARMS.index("direct")], budget,
                scratch=Path(scratch), repeats=repeats,
                reopen=lambda arm, folder: open_arm(arm, scenario, questions, folder),
            )  # fmt: skip
            after = clock.run(looking, virtual=scenario.virtual)
        if after.interrupted:
            asking.stopped, asking.code = after.interrupted, 130
    report = document.build(
        scenario,
        questions.workload,
        asking.targets,
        paired,
        order=_order(scenario),
        stopped=asking.stopped and f"{asking.stopped}; both were asked {len(paired) // 2} requests",
        seconds=time.monotonic() - begun,
        attribution=after.attribution,
        routing=after.routing,
        noise=after.noise,
        noise_reasons=after.noise_reasons,
        counterfactuals=after.counterfactuals,
        null_s=asking.null_s,
        notes=[*_unmatched(scenario, questions), *after.notes],
    )
    if out:
        if after.attribution:
            write_counterfactuals(out, after.counterfactuals)
        document.write_report(out, report)
    return _Made(report, "", asking.code, paired[0].asked.number)


def _order(scenario: Scenario) -> str:
    if scenario.virtual:
        return f"{scenario.traffic.arrivals} arrivals at {scenario.traffic.rate:g} requests a second in virtual time"
    return "one arm after the other" if scenario.one_by_one else "interleaved"


def _ask_both(scenario: Scenario, questions: Questions, out: Path | None, budget: Budget, scratch: Path) -> Asking:
    """Both arms' answers; whatever goes wrong, what was answered is kept in `out`."""
    asking = Asking()
    with Progress("requests", 2 * len(questions.stream)) as progress:

        def keep(row: Row) -> None:
            asking.rows.append(row)
            budget.spend(row)
            progress.step()

        try:
            if scenario.virtual:
                for arm in ARMS:
                    if not asking.code:
                        clock.run(_arriving(arm, scenario, questions, scratch, asking, keep), virtual=True)
            else:
                clock.run(_in_turns(scenario, questions, scratch, asking, budget, keep))
        finally:
            asking.rows.sort(key=lambda row: row.asked.number)
            if asking.rows and out:
                document.write_rows(out, asking.rows)
    return asking


async def _arriving(
    arm: Arm, scenario: Scenario, questions: Questions, scratch: Path, asking: Asking, keep: Callable[[Row], None]
) -> None:
    mix, stream = scenario.traffic, questions.stream
    due_s = schedule(
        mix.arrivals, rate=mix.rate, count=len(stream), seed=scenario.seed, burstiness=mix.burstiness,
        ramp_to=mix.ramp_to,
    ).tolist()  # fmt: skip
    target = await open_arm(arm, scenario, questions, scratch)
    asking.targets.append(target)
    try:
        async with aclosing(target):
            await run.arriving(stream, due_s, target, questions.workload, deadline_s=scenario.deadline_s, keep=keep)
    except asyncio.CancelledError:
        asking.stopped, asking.code = "interrupted", 130


async def _in_turns(
    scenario: Scenario, questions: Questions, scratch: Path, asking: Asking, budget: Budget,
    keep: Callable[[Row], None],
) -> None:  # fmt: skip
    stream = questions.stream
    impatient = frozenset(arm for (arm, _), call in scenario.calls.items() if call.paid)
    try:
        for arms in [(arm,) for arm in ARMS] if scenario.one_by_one else [ARMS]:
            async with AsyncExitStack() as closing:
                for arm in arms:
                    target = await open_arm(arm, scenario, questions, scratch)
                    closing.push_async_callback(target.aclose)
                    asking.targets.append(target)
                opened = asking.targets[-len(arms) :]
                try:
                    await run.interleaved(
                        stream, opened, questions.workload, seed=scenario.seed, deadline_s=scenario.deadline_s,
                        keep=keep, allow=budget.check, impatient=impatient & frozenset(arms),
                    )  # fmt: skip
                except run.BudgetReached as reached:  # the other arm gets what this one was asked
                    asking.stopped = str(reached)
                    stream = stream[: len(asking.rows) // len(arms)]
        if len(scenario.logs) < len(ARMS):  # else nothing is measured here
            asking.null_s = await run.null_s(questions.stream, questions.workload)
    except asyncio.CancelledError:
        asking.stopped, asking.code = "interrupted", 130


def _unmatched(scenario: Scenario, questions: Questions) -> list[str]:
    """The note that a semantic cache has nothing to do, where it has."""
    chosen = scenario.legacy
    tasks = {asked.item.task for asked in questions.stream}
    if not isinstance(chosen, Legacy) or not chosen.settings.semantic or chosen.settings.semantic_tasks & tasks:
        return []
    return [f"the semantic cache matches nothing: semantic_tasks names none of the tasks {', '.join(sorted(tasks))}"]


def _asked_of_both(rows: Sequence[Row]) -> list[Row]:
    seen = [{row.asked.number for row in rows if row.arm == arm} for arm in ARMS]
    return [row for row in rows if row.asked.number in seen[0] & seen[1]]


def _nothing(arm: Arm, rows: Sequence[Row], stopped: str | None, out: Path | None) -> str:
    """Why there is no report: an arm answered nothing, and what it said instead."""
    errors = [row.error for row in rows if row.arm == arm and row.error]
    reason = stopped or (errors[0] if errors else "it was asked nothing")
    where = f"; see {out}" if out else ""
    return f"{arm} answered nothing of what both were asked, so there is no report ({reason}){where}"

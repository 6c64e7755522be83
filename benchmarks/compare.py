"""The main job: the same stream of requests to both pipelines, one table, `report.json` and `requests.jsonl`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import run
from benchmarks.budget import Budget, estimate
from benchmarks.progress import Progress
from benchmarks.report import document, terminal
from benchmarks.rows import Row
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.targets.builtin import Target, check_place, open_target
from benchmarks.workloads import traffic, workload
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared import clock, pricing
from shared.errors import BadInput


def compare(scenario: Scenario, out: Path, *, max_usd: float | None = None) -> int:
    """Compare and write to `out`. Returns 0, or 130 where it was interrupted: what was answered is kept.

    Raises `BadInput` before anything is asked where a model cannot be had or `out` cannot be written, and after it
    where one of the pipelines answered nothing.
    """
    for place in scenario.places.values():
        check_place(place)
    for price in scenario.named_prices.values():
        if price is not None:
            pricing.find(price)
    budget = Budget(scenario, max_usd)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise BadInput(f"--out {out} cannot be written ({error.strerror}); name a directory that can") from None
    return clock.run(_compare(scenario, out, budget))


def dry_run(scenario: Scenario) -> int:
    """Print what the comparison would ask, and about what it would cost. Asks nobody."""
    questions, stream = _stream(scenario)
    print(estimate(scenario, questions, stream))
    return 0


def _stream(scenario: Scenario) -> tuple[Workload, list[Asked]]:
    questions = workload.load()
    mix = scenario.traffic
    return questions, traffic.stream(
        questions.split("test"),
        repeat_share=mix.repeat_share,
        zipf=mix.zipf,
        limit=mix.limit,
        seed=scenario.seed,
    )


async def _compare(scenario: Scenario, out: Path, budget: Budget) -> int:
    questions, stream = _stream(scenario)
    rows: list[Row] = []
    targets: list[Target] = []
    stopped, code, begun = None, 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch, Progress("requests", 2 * len(stream)) as progress:

        def keep(row: Row) -> None:
            rows.append(row)
            budget.spend(row)
            progress.step()

        try:
            for arms in [(arm,) for arm in ARMS] if scenario.one_by_one else [ARMS]:
                async with AsyncExitStack() as closing:
                    for arm in arms:
                        target = open_target(arm, scenario, Path(scratch) / "cache")
                        closing.push_async_callback(target.pipeline.aclose)
                        targets.append(target)
                    opened = targets[-len(arms) :]
                    deadline_s, seed = scenario.deadline_s, scenario.seed
                    try:
                        await run.interleaved(
                            stream, opened, questions, seed=seed, deadline_s=deadline_s, keep=keep, allow=budget.check
                        )
                    except run.BudgetReached as reached:  # the other arm gets what this one was asked
                        stopped = str(reached)
                        stream = stream[: len(rows) // len(arms)]
        except asyncio.CancelledError:
            stopped, code = "interrupted", 130
        finally:
            if rows:  # whatever went wrong, what was answered is kept
                (out / "report.json").unlink(missing_ok=True)
                document.write_rows(out, rows)
    paired = _asked_of_both(rows)
    for arm in ARMS:
        if not any(row.arm == arm and row.error is None for row in (paired or rows)):
            nothing = _nothing(arm, rows, stopped, out)
            if not code:
                raise BadInput(nothing)
            print(f"crossover: {nothing}", file=sys.stderr)
            return code
    report = document.build(
        scenario,
        questions,
        targets,
        paired,
        order="one arm after the other" if scenario.one_by_one else "interleaved",
        stopped=stopped and f"{stopped}; both pipelines were asked {len(paired) // 2} requests",
        seconds=time.monotonic() - begun,
    )
    document.write_report(out, report)
    print(terminal.table(report))
    print(f"\nreport: {out / 'report.json'}; one request's story: crossover explain {out} {paired[0].asked.number}")
    return code


def _asked_of_both(rows: Sequence[Row]) -> list[Row]:
    seen = [{row.asked.number for row in rows if row.arm == arm} for arm in ARMS]
    return [row for row in rows if row.asked.number in seen[0] & seen[1]]


def _nothing(arm: Arm, rows: Sequence[Row], stopped: str | None, out: Path) -> str:
    """Why there is no report: an arm answered nothing, and what it said instead."""
    errors = [row.error for row in rows if row.arm == arm and row.error]
    reason = stopped or (errors[0] if errors else "it was asked nothing")
    return f"{arm} answered nothing of what both were asked, so there is no report ({reason}); see {out}"

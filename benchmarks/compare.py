"""The main job: the same stream of requests to both pipelines, one table, `report.json` and `requests.jsonl`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks import run
from benchmarks.budget import Budget, estimate
from benchmarks.progress import Progress
from benchmarks.report import document, terminal
from benchmarks.run import Row
from benchmarks.scenario import ARMS, Scenario
from benchmarks.targets.builtin import Target, open_target
from benchmarks.workloads import traffic, workload
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared import clock
from shared.errors import BadInput


def compare(scenario: Scenario, out: Path, *, max_usd: float | None = None) -> int:
    """Compare and write to `out`. Returns 0, or 130 where it was interrupted: what was answered is kept."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file; name a directory")
    return clock.run(_compare(scenario, out, max_usd))


def dry_run(scenario: Scenario) -> int:
    """Print what the comparison would ask and cost at most. Asks nobody."""
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


async def _compare(scenario: Scenario, out: Path, max_usd: float | None) -> int:
    questions, stream = _stream(scenario)
    budget = Budget(scenario, max_usd)
    rows: list[Row] = []
    stopped: str | None = None
    code = 0
    begun = time.monotonic()
    local = any(place.startswith("local:") for place in budget.places.values())
    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch, Progress("requests", 2 * len(stream)) as progress:

        def keep(row: Row) -> None:
            rows.append(row)
            budget.spend(row)
            progress.step()

        targets: list[Target] = []
        try:
            for arms in [(arm,) for arm in ARMS] if local else [ARMS]:
                async with AsyncExitStack() as closing:
                    for arm in arms:
                        target = open_target(arm, scenario, Path(scratch) / "cache")
                        closing.push_async_callback(target.pipeline.aclose)
                        targets.append(target)
                    await run.interleaved(
                        stream,
                        targets[-len(arms) :],
                        questions,
                        seed=scenario.seed,
                        deadline_s=scenario.deadline_s,
                        keep=keep,
                        allow=budget.check,
                    )
        except run.BudgetReached as reached:
            stopped = str(reached)
        except asyncio.CancelledError:
            stopped, code = "interrupted", 130
    paired = _answered_by_both(rows)
    if not paired:
        raise BadInput(
            f"nothing was answered by both pipelines ({stopped or 'no request'}); there is nothing to compare"
        )
    report = document.build(
        scenario,
        questions,
        targets,
        paired,
        order="one arm after the other" if local else "interleaved",
        stopped=stopped and f"{stopped}; {len(paired) // 2} of {len(stream)} requests were answered by both",
        seconds=time.monotonic() - begun,
    )
    document.write(out, report, rows)
    print(terminal.table(report))
    print(f"\nreport: {out / 'report.json'}; one request's story: crossover explain {out} {paired[0].asked.number}")
    return code


def _answered_by_both(rows: Sequence[Row]) -> list[Row]:
    seen = [{row.asked.number for row in rows if row.arm == arm} for arm in ARMS]
    return [row for row in rows if row.asked.number in seen[0] & seen[1]]

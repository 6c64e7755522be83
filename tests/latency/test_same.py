"""One seed gives the same virtual run byte for byte: in another process, on a busy machine, with other hashes of text.

Both pipelines as the default scenario has them: the real answer cache on disk, the real classifier, recorded answers at
emulated pace, charged for their own code, under arrivals that overlap.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.compare import asked_by
from benchmarks.latency.arrivals import schedule
from benchmarks.rows import Row
from benchmarks.run import arriving
from benchmarks.scenario import ARMS, Arm, load
from benchmarks.targets.builtin import open_target
from shared import clock

REQUESTS = 250
RATE = 400.0
"""Requests a second: so many that calls overlap, equal ones are shared and code waits for code."""
SPIN = "while True: pass"
PROGRAM = "from tests.latency.test_same import lines; print(lines())"


def lines() -> str:
    """Every row of both arms, with all their steps and times in full, as JSON Lines."""
    scenario = load(None, limit=REQUESTS)
    questions = asked_by(scenario)
    due = schedule("bursty", rate=RATE, count=REQUESTS, seed=3, burstiness=2.0).tolist()
    rows: list[Row] = []

    async def one(arm: Arm, folder: Path) -> None:
        target = open_target(arm, scenario, folder / "cache")
        await arriving(questions.stream, due, target, questions.workload, deadline_s=30.0, keep=rows.append)
        await target.aclose()

    for arm in ARMS:
        with tempfile.TemporaryDirectory() as folder:
            clock.run(one(arm, Path(folder)), virtual=True)
    return "\n".join(json.dumps(asdict(row), default=lambda each: each.model_dump(mode="json")) for row in rows)


async def _run(hash_seed: str) -> str:
    command = (sys.executable, "-c", PROGRAM)
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, env=environment, cwd=_root())
    out, _ = await done.communicate()
    assert done.returncode == 0
    return out.decode().removesuffix("\n")


def _root() -> Path:
    return Path(__file__).parents[2]


def test_a_seed_gives_the_same_bytes_whatever_else_the_machine_does() -> None:
    async def main() -> tuple[str, str]:
        quiet = await _run("1")
        spinning = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", SPIN) for _ in range(os.cpu_count() or 1)
        ]
        try:
            return quiet, await _run("2")
        finally:
            for each in spinning:
                each.kill()
                await each.wait()

    quiet, busy = asyncio.run(main())
    assert quiet == busy
    rows = [json.loads(line) for line in quiet.splitlines()]
    assert len(rows) == 2 * REQUESTS
    assert not [row["error"] for row in rows if row["error"]]
    kinds = {step["kind"] for row in rows for step in row["steps"]}
    assert kinds == {"cache", "share", "classify", "small", "large", "store", "call"}
    late = [row["since_scheduled_s"] - row["latency_s"] for row in rows]
    assert max(late) > 1e-4  # code did wait for code

"""Make a change for real: copy this tree, see the drill's test fail, patch, run the operator's commands, see it pass.

Each play has a copy of its own in a temporary directory, and processes of its own, whose packages come from the copy.
Nothing is left behind, also where a play is cancelled. No network is needed.
Next: `drills.py` (what a drill is), `drills/conftest.py` (which packages a test must have got).
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.maintenance import hours
from benchmarks.maintenance.drills import FOLDER, ROOT, TEST, Drill, counted, summary
from benchmarks.maintenance.patches import DoesNotApply, apply
from benchmarks.scenario import ARMS, Arm

COPIED: Final = ("shared", "legacy_pipeline", "direct_pipeline", "benchmarks", "tests", "pyproject.toml")
AT_A_TIME: Final = 2
LIMIT_S: Final = 300.0
"""Seconds that a test or a command may take before it counts as hanging."""
SHOWN_LINES: Final = 40
PASSED, FAILED = 0, 1
"""What pytest exits with where every test passed, and where one failed; anything else is no verdict."""


@dataclass(frozen=True, slots=True)
class Played:
    """How one side of a drill went: `reason` is empty where it passed, `output` the end of what was printed last."""

    drill: str
    arm: Arm
    reason: str
    output: str

    @property
    def passed(self) -> bool:
        return not self.reason


async def play_all(drills: Sequence[Drill], done: Callable[[], None] = lambda: None) -> list[Played]:
    """Both sides of every drill, `AT_A_TIME` at once, in the order given; `done` is told after each."""
    free = asyncio.Semaphore(AT_A_TIME)

    async def one(drill: Drill, arm: Arm) -> Played:
        async with free:
            played = await play(drill, arm)
            done()
            return played

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(drill, arm)) for drill in drills for arm in ARMS]
    return [task.result() for task in tasks]


async def play(drill: Drill, arm: Arm) -> Played:
    """One side: the test must fail before the change and pass after it; where nothing has to change, just pass."""
    with tempfile.TemporaryDirectory(prefix="crossover-drill-") as scratch:
        tree = Path(scratch) / "tree"
        _copy(drill, tree)
        reason, output = await _changed(drill, arm, tree)
    return Played(drill.name, arm, reason, "\n".join(output.splitlines()[-SHOWN_LINES:]))


async def _changed(drill: Drill, arm: Arm, tree: Path) -> tuple[str, str]:
    """The reason why it failed, or none, and what was printed last."""
    patch, commands = drill.patches[arm], [step for step in drill.steps[arm] if step.run]
    code, output = await _test(drill, arm, tree)
    if not patch and not commands:
        return ("" if code == PASSED else f"nothing is changed, and the test fails ({_ended(code)})"), output
    if code != FAILED:
        return f"without the change the test must fail, and it does not ({_ended(code)})", output
    try:
        apply(patch, tree)
    except DoesNotApply as error:
        return f"the patch does not apply: {error}", ""
    for step in commands:
        artefact = tree / step.artefact if step.artefact else None
        before = artefact.read_bytes() if artefact and artefact.is_file() else None
        code, output = await _run([sys.executable, "-m", "benchmarks", *step.run[1:]], tree)
        if code != 0:
            return f"`{' '.join(step.run)}` failed ({_ended(code)})", output
        if artefact and (not artefact.is_file() or artefact.read_bytes() == before):
            return f"`{' '.join(step.run)}` did not write {step.artefact}", output
    code, output = await _test(drill, arm, tree)
    return ("" if code == PASSED else f"the test fails with the change made ({_ended(code)})"), output


def _ended(code: int | None) -> str:
    return f"it took longer than {LIMIT_S:g} s" if code is None else f"exit code {code}"


def _copy(drill: Drill, tree: Path) -> None:
    """The packages of this clone, and the drill's own test among them."""
    tree.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy2(ROOT / name, tree)
    folder = tree / FOLDER.relative_to(ROOT) / drill.name
    folder.mkdir(exist_ok=True)
    shutil.copy2(drill.folder / TEST, folder)


async def _test(drill: Drill, arm: Arm, tree: Path) -> tuple[int | None, str]:
    """pytest's exit code, and what it printed."""
    test = FOLDER.relative_to(ROOT) / drill.name / TEST
    options = ("-x", "-p", "no:cacheprovider", "--import-mode=importlib", f"--basetemp={tree.parent / 'tmp'}")
    return await _run([sys.executable, "-m", "pytest", *options, f"--side={arm}", str(test)], tree)


async def _run(command: Sequence[str], tree: Path) -> tuple[int | None, str]:
    """A command's exit code, None where it was stopped, and its output. Run from the copy, with the copy's packages."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CROSSOVER_"))}
    own = {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=tree, env=clean | own, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            output, _ = await process.communicate()
    except TimeoutError:
        return None, ""
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # whatever it started as well
        await process.wait()
    return process.returncode, output.decode(errors="replace")


def document(chosen: Sequence[Drill], played: Sequence[Played]) -> dict[str, Any]:
    """What was played, as `drills.count` has it without the patches' texts, and the hours assumed for it."""
    passed = {(each.drill, each.arm): each.passed for each in played}
    found = {drill.name: counted(drill, {arm: passed[drill.name, arm] for arm in ARMS}, diff=False) for drill in chosen}
    now = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "python": platform.python_version()}
    counts = {"played": now, "drills": found, "summary": summary(found)}
    return counts | hours.figures(counts)

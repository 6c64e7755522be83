"""What a pipeline does on a disk that fills up and is freed again, as JSON. `test_disk.py` gives it a small one."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.pipeline import LegacyPipeline
from shared.run import answer
from shared.steps import Background
from tests.fakes import Script, ScriptedBackend, ask

TEXT = "a long answer " * 500


async def tell(disk: Path) -> dict[str, Any]:
    backend, background = ScriptedBackend([Script([(0.0, TEXT)])]), Background()

    def started() -> LegacyPipeline:
        cache = AnswerCache(disk / "cache", [backend.identity, backend.identity])
        return LegacyPipeline(cache, None, backend, backend)

    async def asked(question: str, pipeline: LegacyPipeline) -> list[str]:
        """Whether the answer is right, then its steps."""
        got = await answer(pipeline, ask(question), background)
        await background.drain()
        return [str(got.text == TEXT), *(f"{step.kind} {step.outcome} {step.detail}" for step in got.steps)]

    running = started()
    told: dict[str, Any] = {"before": await asked("before", running)}
    _fill(disk / "filler")
    told["full"] = [await asked(f"full {number}", running) for number in range(10)]
    told["kept"] = await asked("before", running)
    late = started()
    told["started while full"] = await asked("before", late)
    await late.aclose()
    (disk / "filler").unlink()
    told["freed"] = [await asked("freed", running), await asked("freed", running)]
    await running.aclose()
    again = started()
    told["started again"] = await asked("before", again)
    await again.aclose()
    return told


def _fill(file: Path) -> None:
    """Write until there is no room left, not even for a byte."""
    with file.open("wb", buffering=0) as filler:
        for size in (65_536, 4096, 1):
            with suppress(OSError):
                while filler.write(b"\0" * size):
                    pass
        try:
            filler.write(b"\0")
        except OSError as error:
            if error.errno == errno.ENOSPC:
                return
    raise AssertionError("the disk is not full")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(tell(Path(sys.argv[1])))))

"""Every drill made in the legacy pipeline: its test fails without the change and passes with it."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.maintenance.drill_play import play
from benchmarks.maintenance.drills import FOLDER, drills


@pytest.mark.parametrize("name", sorted(file.parent.name for file in FOLDER.glob("*/drill.toml")))
def test_the_change_is_made(name: str) -> None:
    (drill,) = drills([name])
    played = asyncio.run(play(drill, "legacy"))
    assert played.passed, f"{played.reason}\n{played.output}"

"""`crossover serve`: one arm of a scenario behind an OpenAI-compatible API."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks.scenario import Arm, Scenario
from benchmarks.targets.builtin import open_target


def serve_arm(arm: Arm, scenario: Scenario, host: str, port: int) -> int:
    """Serve until interrupted. The legacy arm's cache lasts as long as the server."""
    from shared.serving.serve import serve

    with tempfile.TemporaryDirectory(prefix="crossover-") as scratch:
        target = open_target(arm, scenario, Path(scratch) / "cache")
        app = import_module(f"{arm}_pipeline.app").create(target.pipeline, scenario.deadline_s)
        serve(app, host=host, port=port)
    return 0

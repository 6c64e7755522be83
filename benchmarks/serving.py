"""`crossover serve`: one arm of a scenario behind an OpenAI-compatible API."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

from benchmarks.scenario import Arm, Scenario
from benchmarks.targets.builtin import open_target
from shared.errors import BadInput


def serve_arm(
    arm: Arm, scenario: Scenario, host: str, port: int, *, cache: Path | None = None, token_env: str | None = None
) -> int:
    """Serve until interrupted. Without `cache`, the legacy arm's cache lasts as long as the server.

    `token_env` names the environment variable that holds the clients' token. Raises `BadInput`.
    """
    from shared.serving.serve import serve
    from shared.serving.token import read_token

    token = None if token_env is None else read_token(token_env)
    if cache is not None and arm == "direct":
        raise BadInput("--cache: direct keeps no answers; leave it out")
    kept = tempfile.TemporaryDirectory(prefix="crossover-") if cache is None else nullcontext(str(cache))
    with kept as directory:
        target = open_target(arm, scenario, Path(directory) / "cache" if cache is None else cache)
        app = import_module(f"{arm}_pipeline.app").create(target.pipeline, scenario.deadline_s, token)
        serve(app, host, port, token)
    return 0

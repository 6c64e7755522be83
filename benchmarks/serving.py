"""`crossover serve`: one arm of a scenario behind an OpenAI-compatible API."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path

from benchmarks.scenario import Arm, Scenario
from benchmarks.targets.builtin import open_target
from shared.errors import BadInput


def serve_arm(
    arm: Arm, scenario: Scenario, host: str, port: int, *, cache: Path | None = None, token_env: str | None = None
) -> int:
    """Serve until interrupted. Without `cache`, the legacy arm's cache lasts as long as the server.

    `token_env` names the environment variable that holds the clients' token. Raises `BadInput`, and then nothing was
    opened or made.
    """
    from shared.serving.serve import listen, serve
    from shared.serving.token import read_token

    token = None if token_env is None else read_token(token_env)
    if cache is not None and arm == "direct":
        raise BadInput("--cache: direct keeps no answers; leave it out")
    with ExitStack() as closing:
        listening = closing.enter_context(listen(host, port, token))
        if arm == "legacy" and cache is None:
            cache = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="crossover-"))) / "cache"
        target = open_target(arm, scenario, cache or Path())
        # the server's end closes it as well, which it does not reach from everywhere
        closing.callback(lambda: asyncio.run(target.aclose()))
        for note in target.notes:
            print(f"note: {note}", file=sys.stderr)
        app = import_module(f"{arm}_pipeline.app").create(target.pipeline, scenario.deadline_s, token)
        serve(app, host, listening)
    return 0

"""The same model answers from another provider, over HTTP, with the key; legacy still routes.

A server on this machine plays the provider: it replays what the model answered in its recordings.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from benchmarks.maintenance.drill_kit import DEPLOYMENT, Side, answers, deployed, questions
from benchmarks.targets.builtin import artefact_file, open_backend, recording_file, recording_path
from benchmarks.workloads.workload import BUILTIN, PARTS
from shared.backends.recorded import Row, read_recording, recording_key
from shared.serving.wire import parsed

PROVIDER = "https://provider.example/v1"
SAME = {"legacy": "qwen-0.5b", "direct": "qwen-0.5b-burnt-3-6"}
SOLD_AS = {"legacy": "qwen2.5-coder-0.5b", "direct": "qwen2.5-coder-0.5b-burnt"}
ANSWERING = {"legacy": {SOLD_AS["legacy"], "qwen-1.5b"}, "direct": {SOLD_AS["direct"]}}
"""On the legacy side both its models: a router that lost its classifier asks the large one alone."""
KEY = "sk-of-the-new-provider"
ASKED = questions(60)


@asynccontextmanager
async def provider(side: Side) -> AsyncGenerator[tuple[str, set[str]], None]:
    """The base URL of one that sells the model, and the credentials that it was sent."""
    rows: dict[str, Row] = {}
    for part in PARTS:
        rows |= read_recording(recording_file(SAME[side], part)).rows
    sent: set[str] = set()

    async def chat(http: web.Request) -> web.Response:
        sent.add(http.headers.get("Authorization", ""))
        asked = parsed(await http.read())
        assert asked.model == SOLD_AS[side]
        row = rows[recording_key(asked.request(1.0))]
        message = {"role": "assistant", "content": row.text}
        tokens = {"prompt_tokens": row.input_tokens, "completion_tokens": row.output_tokens}
        choices = [{"index": 0, "message": message, "finish_reason": row.finish_reason}]
        return web.json_response({"model": asked.model, "choices": choices, "usage": tokens})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", sent
    finally:
        await runner.cleanup()


async def crossover(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", *command, stdout=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 0


@asynccontextmanager
async def operated(side: Side, url: str) -> AsyncGenerator[None, None]:
    """What drill.toml has an operator do before the deployment; taken back in the end."""
    if side == "direct":
        yield
        return
    name = SOLD_AS[side]
    try:
        await crossover("record", "--model", f"http:{url}#{name}", "--part", "training", "--parallel", "4")
        await crossover("classifier", "train", "--small", name, "--large", "qwen-1.5b")
        yield
    finally:
        for file in (recording_path(BUILTIN, name, "training"), artefact_file(name, "qwen-1.5b")):
            file.unlink(missing_ok=True)


def test_the_model_answers_from_the_new_provider(side: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = DEPLOYMENT.read_text()
    assert f"http:{PROVIDER}#{SOLD_AS[side]}" in written
    monkeypatch.setenv("CROSSOVER_API_KEY", KEY)

    async def main() -> None:
        async with provider(side) as (url, sent), operated(side, url):
            file = tmp_path / "deployment.toml"
            file.write_text(written.replace(PROVIDER, url))
            got = await answers(deployed(side, tmp_path, file), ASKED)
            assert {answer.completion.model for answer in got} == ANSWERING[side]
            assert sent == {f"Bearer {KEY}"}
            same = open_backend(f"recorded:{SAME[side]}")
            for request, answer in zip(ASKED, got, strict=True):
                if answer.completion.model == SOLD_AS[side]:
                    assert answer.text == (await same.complete(request)).text

    asyncio.run(main())

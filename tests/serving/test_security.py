"""Who may ask a server: the same for a pipeline's server and the emulator's, as raw clients meet it."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import uvicorn

from benchmarks import cli
from direct_pipeline.app import create
from direct_pipeline.pipeline import DirectPipeline
from shared.backends.emulated import EmulatedBackend
from shared.errors import BadInput
from shared.serving.emulator import EmulatorServer
from shared.serving.serve import config, listen
from shared.serving.token import may_ask, read_token
from tests.emulated_hardware import row
from tests.fakes import ScriptedBackend

TOKEN = "a-token-of-these-tests"
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Is it on?"}]}
MODELS = {"pipeline": "direct", "emulator": "chip"}
BOTH = pytest.mark.parametrize("kind", MODELS)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


@asynccontextmanager
async def served(kind: str, token: str | None = None) -> AsyncIterator[tuple[str, ScriptedBackend]]:
    """The root URL of a server of this kind, and the backend behind it."""
    backend = ScriptedBackend(name="Test 8B")
    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if kind == "emulator":
            emulated = EmulatorServer(EmulatedBackend(backend, row(first_token_s=0.1, prompt_token_s=0.0)), token=token)
            await emulated.start(listening)
            yield url, backend
            await emulated.aclose()
            return
        served_app = create(DirectPipeline(backend), 30.0, token)
        server = uvicorn.Server(config(served_app))
        task = asyncio.ensure_future(server.serve(sockets=[listening]))
        yield url, backend
        server.should_exit = True
        await task


async def raw(url: str, *parts: bytes) -> bytes:
    """All that comes back for these bytes until the server ends the connection."""
    port = int(url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await reader.read()
    finally:
        writer.close()


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST /v1/chat/completions HTTP/1.1", "Host: here", *lines, "", ""]).encode()


async def post(url: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any], Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/v1/chat/completions",
            data=io.BytesIO(json.dumps(body).encode()),
            headers={"Content-Type": "application/json", **headers},
        ) as response,
    ):
        return response.status, await response.json(), response.headers


# --- who ---


@BOTH
@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer ä€"],
)
def test_without_the_token_nothing_is_answered(kind: str, authorization: str | None) -> None:
    async def main() -> None:
        async with served(kind, TOKEN) as (url, backend):
            headers = {} if authorization is None else {"Authorization": authorization}
            status, body, answered = await post(url, ASK | {"model": MODELS[kind]}, **headers)
            assert (status, body["error"]["code"]) == (401, "invalid_api_key")
            assert (answered["WWW-Authenticate"], answered["Connection"]) == ("Bearer", "close")
            assert TOKEN not in json.dumps(body)
            assert backend.calls == 0

    run(main)


@BOTH
def test_openais_client_sends_the_token_as_its_key(kind: str) -> None:
    async def main() -> None:
        async with (
            served(kind, TOKEN) as (url, backend),
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client,
        ):
            assert MODELS[kind] in [each.id async for each in client.models.list()]
            await client.chat.completions.create(model=MODELS[kind], messages=ASK["messages"])
            assert backend.calls == 1
            with pytest.raises(openai.AuthenticationError):
                await client.with_options(api_key="other").models.list()

    run(main)


@BOTH
def test_whether_it_is_up_and_what_it_takes_may_be_asked_by_anybody(kind: str) -> None:
    async def main() -> None:
        async with served(kind, TOKEN) as (url, _), aiohttp.ClientSession() as session:
            for path, status in (("/healthz", 200), ("/openapi.json", 200), ("/v1/models", 401), ("/nothing", 401)):
                async with session.get(url + path) as response:
                    assert response.status == status

    run(main)


@BOTH
def test_who_may_not_ask_is_refused_before_the_body_comes(kind: str) -> None:
    async def main() -> None:
        async with served(kind, TOKEN) as (url, _):
            port = int(url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head("Content-Length: 1000"))
            assert b" 401 " in await reader.readline()
            await reader.read()  # to its end: nobody may go on with a body that nobody reads
            writer.close()

    run(main)


def test_a_token_is_compared_whatever_its_case_and_bytes() -> None:
    assert may_ask("/v1/models", f"bearer {TOKEN}", TOKEN)
    assert not may_ask("/v1/models", "Bearer \udcff\ud800", TOKEN)
    assert may_ask("/v1/models", None, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [(None, "not set"), ("", "not set"), ("short", "16 to 512"), ("with a space in it", "no space")],
)
def test_a_token_that_is_none_is_refused_unquoted(
    value: str | None, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_TOKEN", value)
    with pytest.raises(BadInput, match=f"--token-env MY_TOKEN: .*{message}") as caught:
        read_token("MY_TOKEN")
    assert not value or value not in str(caught.value)


def test_a_token_given_in_place_of_its_variable_is_not_repeated() -> None:
    with pytest.raises(BadInput, match="no name of an environment variable") as caught:
        read_token(TOKEN)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", ""])  # noqa: S104  # refusing it is the point
def test_nobody_else_can_ask_a_server_without_a_token(host: str) -> None:
    said = r"is 0\.0\.0\.0, which can be reached from other machines.* --token-env NAME, or use --host 127"
    with pytest.raises(BadInput, match=said):
        listen(host, 0)
    listen(host, 0, TOKEN).close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str) -> None:
    listen(host, 0).close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "direct", "--port", "0", "--host", "0.0.0.0"], "can be reached from other machines"),  # noqa: S104
        (["serve", "legacy", "--port", "0", "--host", "0.0.0.0", "--cache", "kept"], "can be reached"),  # noqa: S104
        (["serve", "direct", "--port", "0", "--token-env", "NO_TOKEN"], "--token-env NO_TOKEN: .* not set"),
        (["serve", "direct", "--port", "0", "--cache", "kept"], "--cache: direct keeps no answers"),
        (["emulate", "hc1", "--port", "0", "--host", "0.0.0.0"], "can be reached from other machines"),  # noqa: S104
        (["emulate", "hc1", "--port", "0", "--token-env", "NO_TOKEN"], "--token-env NO_TOKEN: .* not set"),
    ],
)
def test_the_commands_refuse_with_the_remedy(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert "serving" not in said.out
    assert re.search(message, said.err)
    assert not list(tmp_path.iterdir())

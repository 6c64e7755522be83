"""Who may ask a server, and how much: the same for a pipeline's server and the emulator's, as raw clients meet it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
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
from shared.serving import app, emulator
from shared.serving.emulator import EmulatorServer
from shared.serving.serve import listen
from shared.serving.token import may_ask, read_token
from shared.serving.wire import MAX_BODY_BYTES, MAX_MESSAGES, MAX_PARTS, MAX_TOKENS, MAX_TOOLS
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
        server = uvicorn.Server(uvicorn.Config(served_app, http="h11", log_level="critical", ws="none", lifespan="on"))
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
        session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response,
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
            assert answered["WWW-Authenticate"] == "Bearer"
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
    with pytest.raises(BadInput, match=r"can be reached from other machines.* --token-env NAME, or use --host 127"):
        listen(host, 0)
    listen(host, 0, TOKEN).close()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str) -> None:
    listen(host, 0).close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["serve", "direct", "--port", "0", "--host", "0.0.0.0"], "can be reached from other machines"),  # noqa: S104
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


# --- how much ---


def _deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


TURN = {"role": "user", "content": "x"}


@BOTH
@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": [TURN] * (MAX_MESSAGES + 1)}, "messages"),
        ({"messages": [TURN | {"content": [{"type": "text", "text": "x"}] * (MAX_PARTS + 1)}]}, "messages.0.content"),
        ({"max_tokens": MAX_TOKENS + 1}, "max_tokens"),
        ({"max_completion_tokens": 10**30}, "max_completion_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["x"] * 5}, "stop"),
        ({"stop": "x" * 1025}, "stop"),
        ({"user": "x" * 513}, "user"),
        ({"metadata": {str(each): "x" for each in range(17)}}, "metadata"),
        ({"metadata": {"x" * 65: "x"}}, "metadata"),
        ({"metadata": {"x": "x" * 513}}, "metadata.x"),
        ({"tools": [{}] * (MAX_TOOLS + 1)}, "tools"),
        ({"logprobs": 0}, "logprobs"),
        ({"n": True}, "n"),
        ({"response_format": _deep(250)}, None),
    ],
)
def test_too_much_is_refused_by_name(kind: str, fields: dict[str, Any], named: str | None) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            status, body, _ = await post(url, ASK | {"model": MODELS[kind]} | fields)
            assert (status, body["error"]["type"]) == (400, "invalid_request_error")
            assert (body["error"]["param"] or "").startswith(named or "")
            assert len(body["error"]["message"]) < 300
            assert backend.calls == 0

    run(main)


@BOTH
def test_as_much_as_is_allowed_is_answered(kind: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            fields = {
                "messages": [TURN] * MAX_MESSAGES,
                "max_tokens": 7.0,  # JSON has one kind of number
                "seed": -(2**63),
                "stop": ["x" * 1024] * 4,
                "user": "x" * 512,
                "metadata": {f"{each:064}": "x" * 512 for each in range(16)},
                "tools": [_deep(100)] * MAX_TOOLS,
            }
            status, _, _ = await post(url, ASK | {"model": MODELS[kind]} | fields)
            assert status == 200
            assert backend.requests[0].max_tokens == 7

    run(main)


@BOTH
def test_a_body_that_is_too_long_or_no_json_ends_the_connection(kind: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, _):
            declared = head("Content-Type: application/json", f"Content-Length: {MAX_BODY_BYTES + 1}")
            assert b" 413 " in (await raw(url, declared, b"x" * (MAX_BODY_BYTES + 1))).partition(b"\r\n")[0]
            for kinds in (["Content-Type: text/plain"], ["Content-Type: application/x-www-form-urlencoded"], []):
                answer = await raw(url, head(*kinds, "Content-Length: 2"), b"{}")
                assert b" 415 " in answer.partition(b"\r\n")[0]
                assert b"application/json" in answer.partition(b"\r\n\r\n")[2]

    run(main)


@BOTH
def test_a_slow_body_ends_the_connection(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (app, emulator):
        monkeypatch.setattr(module, "BODY_S", 0.05)

    async def main() -> None:
        async with served(kind) as (url, backend):
            answer = await raw(url, head("Content-Type: application/json", "Content-Length: 50"), b"{")
            assert b" 408 " in answer.partition(b"\r\n")[0]
            assert backend.calls == 0

    run(main)


@BOTH
def test_an_overlong_head_is_refused(kind: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            with suppress(ConnectionResetError):  # what is not read may take the answer with it
                answer = await raw(url, head(*(f"X-{each}: {'x' * 1000}" for each in range(200)), "Content-Length: 0"))
                assert answer == b"" or b" 4" in answer.partition(b"\r\n")[0]
            assert backend.calls == 0

    run(main)


@BOTH
def test_another_method_is_told_which_is_allowed(kind: str) -> None:
    async def main() -> None:
        async with (
            served(kind) as (url, _),
            aiohttp.ClientSession() as session,
            session.get(f"{url}/v1/chat/completions") as response,
        ):
            assert (response.status, response.headers["Allow"]) == (405, "POST")
            assert (await response.json())["error"]["type"] == "invalid_request_error"

    run(main)


def test_a_head_that_cannot_be_read_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served("emulator") as (url, _):
            assert b" 400 " in await raw(url, head("Authorization: Bearer sk-secret\x00", "Content-Length: 0"))
        assert "secret" not in caplog.text

    caplog.set_level("DEBUG")
    run(main)

"""How much may be asked of a server: the same for a pipeline's server and the emulator's, as raw clients meet it."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from shared.serving import app, emulator
from shared.serving.wire import (
    MAX_BODY_BYTES,
    MAX_FORMAT_CHARS,
    MAX_HEADERS_BYTES,
    MAX_MESSAGES,
    MAX_PARTS,
    MAX_TOKENS,
    MAX_TOOLS,
    MAX_TOOLS_CHARS,
)
from tests.serving.test_security import ASK, BOTH, MODELS, head, post, raw, run, served


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
        ({"response_format": {"x": "x" * (MAX_FORMAT_CHARS - 8)}}, "response_format"),
        ({"tools": [{"x": "x" * (MAX_TOOLS_CHARS - 10)}]}, "tools"),
    ],
)
def test_too_much_is_refused_by_name(kind: str, fields: dict[str, Any], named: str | None) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            status, body, _ = await post(url, ASK | {"model": MODELS[kind]} | fields)
            assert (status, body["error"]["type"]) == (400, "invalid_request_error")
            assert body["error"]["param"] is None if named is None else body["error"]["param"].startswith(named)
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
                "response_format": {"x": "x" * (MAX_FORMAT_CHARS - 9)},
            }
            for each in (fields, {"tools": [{"x": "x" * (MAX_TOOLS_CHARS - 11)}]}):
                status, _, _ = await post(url, ASK | {"model": MODELS[kind]} | each)
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
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip", "nonsense"])
def test_a_body_that_is_compressed_is_not_read(kind: str, encoding: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            body = json.dumps(ASK | {"model": MODELS[kind]}).encode()
            for named, sent, status in ((encoding, gzip.compress(body), 415), ("Identity", body, 200)):
                lines = (f"Content-Encoding: {named}", f"Content-Length: {len(sent)}", "Connection: close")
                answer = await raw(url, head("Content-Type: application/json", *lines), sent)
                assert f" {status} ".encode() in answer.partition(b"\r\n")[0]
                assert (b"`Content-Encoding`" in answer) is (status == 415)
                assert backend.calls == (status == 200)

    run(main)


@BOTH
@pytest.mark.parametrize("lines", [70, 200])
def test_an_overlong_head_is_refused(kind: str, lines: int) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            body = json.dumps(ASK | {"model": MODELS[kind]}).encode()
            lengths = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
            for count, refused in ((lines, True), (10, False)):
                asked = head(*lengths, *(f"X-{each}: {'x' * 1000}" for each in range(count)))
                assert (len(asked) > MAX_HEADERS_BYTES) is refused
                answer = b""
                with suppress(ConnectionResetError):  # what is not read may take the answer with it
                    answer = await raw(url, asked, body)
                status = answer.partition(b"\r\n")[0]
                assert b" 400 " in status or not status if refused else b" 200 " in status
                assert backend.calls == (not refused)

    run(main)


@BOTH
def test_what_is_not_there_ends_the_connection(kind: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, _), aiohttp.ClientSession() as session:
            for method, path, status, allowed in (
                ("GET", "/v1/chat/completions", 405, "POST"),
                ("HEAD", "/v1/models", 405, "GET"),
                ("POST", "/healthz", 405, "GET"),
                ("POST", "/v1/embeddings", 404, None),
                ("GET", "/v1/models/", 404, None),
            ):
                async with session.request(method, url + path, data=b"x", allow_redirects=False) as response:
                    assert (response.status, response.headers.get("Allow")) == (status, allowed)
                    assert response.headers["Connection"] == "close"
                    if method != "HEAD":
                        assert (await response.json())["error"]["type"] == "invalid_request_error"

    run(main)


@BOTH
def test_another_model_is_not_found(kind: str) -> None:
    async def main() -> None:
        async with served(kind) as (url, backend):
            status, body, headers = await post(url, ASK | {"model": "x" * 10_000})
            error = body["error"]
            assert (status, error["param"], error["code"]) == (404, "model", "model_not_found")
            assert error["message"] == f"there is no such model here; ask for {MODELS[kind]!r}"
            assert "Connection" not in headers
            assert backend.calls == 0

    run(main)


def test_a_head_that_cannot_be_read_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with served("emulator") as (url, _):
            assert b" 400 " in await raw(url, head("Authorization: Bearer sk-secret\x00", "Content-Length: 0"))
        assert "secret" not in caplog.text

    caplog.set_level("DEBUG")
    run(main)

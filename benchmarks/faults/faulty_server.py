"""A chat-completions endpoint on loopback whose models answer well, or with one fault of the wire each.

Raw sockets, so that anything can be sent: half a body, a reset, an event that is no JSON. What is sent is a `Script`,
made by `script` without a socket; the server only plays it. It knows nothing of pipelines and judges no outcome: that
is `wire.py`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, Literal, Self

from shared.clock import wall

Text = Callable[[str, str], str]
"""The text that a model gives to a prompt: (model, prompt) to text."""

ANOTHER: Final = "another"
"""The model that answers in place of the one asked."""
ALIASED: Final = "another model behind an alias"
"""The fault of a model that never answers under the name asked for, well or not."""
LONG_CHARS: Final = 200_000
RETRY_AFTER_S: Final = 0.05
PAUSE_S: Final = 0.02
"""Seconds between the last byte and a reset, so that what was sent before has been read."""

_JSON: Final = {"Content-Type": "application/json"}
_EVENTS: Final = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
_CHUNK: Final = "chat.completion.chunk"

End = Literal["keep", "close", "reset", "stall"]


@dataclass(frozen=True, slots=True)
class Script:
    """What goes over the wire: after `wait_s` seconds each part in a write of its own, then how the connection ends."""

    parts: tuple[bytes, ...] = ()
    end: End = "keep"
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the endpoint read it, the model that answers and the text that it gives."""

    model: str
    prompt: str
    stream: bool
    text: str


class FaultyServer:
    """One endpoint; `url` is its base URL. `faults` has the fault of each model that has one, and may change.

    `aliases` are models that answer under another name than the one asked for.
    `slow_s` is the time to the first byte of a slow answer, in seconds.
    """

    def __init__(self, text: Text, *, slow_s: float) -> None:
        self.faults: dict[str, str] = {}
        self.aliases: set[str] = set()
        self.url = ""
        self._text, self._slow_s = text, slow_s
        self._connections: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection can bring another."""
        asked = await self._read(reader)
        fault = self.faults.get(asked.model)
        if asked.model in self.aliases:
            asked = replace(asked, model=f"alias of {asked.model}")
        played = script(fault, asked, self._text, self._slow_s)
        if played.wait_s:
            await asyncio.sleep(played.wait_s)
        for part in played.parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if played.end == "stall":
            await reader.read()  # until the client has gone
        elif played.end == "reset":
            await asyncio.sleep(PAUSE_S)
            linger: socket.socket = writer.get_extra_info("socket")
            linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif played.end == "close":
            writer.close()
            await writer.wait_closed()
        return played.end == "keep"

    async def _read(self, reader: asyncio.StreamReader) -> Asked:
        lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        (length,) = (int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
        body = json.loads(await reader.readexactly(length))
        model, prompt = body["model"], body["messages"][-1]["content"]
        return Asked(model, prompt, bool(body.get("stream")), self._text(model, prompt))


def script(fault: str | None, asked: Asked, text: Text, slow_s: float) -> Script:
    """What answers `asked`. Raises `KeyError` for a name that is none of `FAULTS`."""
    if fault is None:
        return _well(asked)
    if fault == "slow first byte":
        return replace(_well(asked), wait_s=slow_s)
    if fault in OTHERS:
        asked = replace(asked, text=text(ANOTHER, asked.prompt))
        return _well(asked if fault == "another model" else replace(asked, model=ANOTHER))
    return BROKEN[fault](asked)


def _well(asked: Asked, reason: str = "stop", *, usage: bool = True, done: bool = True) -> Script:
    """The answer as it should be, or with one thing missing."""
    if not asked.stream:
        message = {"role": "assistant", "content": asked.text}
        body = _body(asked, "chat.completion", [{"index": 0, "message": message, "finish_reason": reason}])
        return _json(200, body | ({"usage": _usage(asked)} if usage else {}))
    events = [_piece(asked, text) for text in _halves(asked.text)]
    events.append(_event(_body(asked, _CHUNK, [{"index": 0, "delta": {}, "finish_reason": reason}])))
    if usage:
        events.append(_event(_body(asked, _CHUNK, []) | {"usage": _usage(asked)}))
    return _stream(*events, *([b"data: [DONE]\n\n"] if done else []))


def _begun(asked: Asked, *more: bytes, end: End) -> Script:
    """The first half of an answer, and `more` of a stream; then `end`, while the client waits for the rest."""
    if asked.stream:
        parts = (_piece(asked, _halves(asked.text)[0]), *more)
        return Script((_head(200, _EVENTS), *map(_chunk, parts)), end)
    (whole,) = _well(asked).parts
    return Script((whole[: -len(asked.text) // 2 - 20],), end)


def _malformed(asked: Asked) -> Script:
    return _stream(b'data: {"choices": [\n\n') if asked.stream else _response(200, _JSON, b'{"choices": [{"index": 0')


def _bad_event(asked: Asked) -> Script:
    return _stream(_piece(asked, _halves(asked.text)[0]), b'data: {"choices": [\n\n')


def _error_object(asked: Asked) -> Script:
    error = {"error": {"message": "the model is overloaded", "type": "server_error", "code": None}}
    return _stream(_event(error)) if asked.stream else _json(200, error)


def _limited(retry_after: str | None) -> Script:
    error = {"error": {"message": "too many requests", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    return _json(429, error, {} if retry_after is None else {"Retry-After": retry_after})


def _overlong(asked: Asked) -> Script:
    return _well(replace(asked, text=(asked.text + " ") * (LONG_CHARS // len(asked.text))), "length")


BROKEN: Final[Mapping[str, Callable[[Asked], Script]]] = {
    "malformed JSON": _malformed,
    "truncated body": lambda asked: _begun(asked, end="close"),
    "reset in the body": lambda asked: _begun(asked, end="reset"),
    "reset at once": lambda _: Script(end="reset"),
    "429": lambda _: _limited(None),
    "429 with seconds": lambda _: _limited(f"{RETRY_AFTER_S:g}"),
    "429 with a date": lambda _: _limited(formatdate(wall() + RETRY_AFTER_S, usegmt=True)),
    "500 in HTML": lambda _: _response(500, {"Content-Type": "text/html"}, b"<html><h1>Internal error</h1></html>"),
    "empty 200": lambda asked: _response(200, _EVENTS if asked.stream else _JSON, b""),
    "empty text": lambda asked: _well(replace(asked, text="")),
    "error object": _error_object,
    "silence": lambda _: Script(end="stall"),
    "stalled after the head": lambda asked: Script(
        (_head(200, _EVENTS if asked.stream else _JSON | {"Content-Length": "400"}),), "stall"
    ),
    "stalled in the body": lambda asked: _begun(asked, end="stall"),
    "no [DONE]": lambda asked: _well(asked, usage=False, done=False),
    "stream ends early": lambda asked: _stream(_piece(asked, _halves(asked.text)[0])),
    "event that is no JSON": _bad_event,
    "no token counts": lambda asked: _well(asked, usage=False),
    "very long answer": _overlong,
}
OTHERS: Final = ("another model", "another model by its name", ALIASED)
FAULTS: Final = (*BROKEN, *OTHERS, "slow first byte")
"""Every fault of the wire."""
STREAMED_ONLY: Final = frozenset({"no [DONE]", "stream ends early", "event that is no JSON"})


def _body(asked: Asked, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": asked.model, "choices": choices}


def _piece(asked: Asked, text: str) -> bytes:
    return _event(_body(asked, _CHUNK, [{"index": 0, "delta": {"content": text}, "finish_reason": None}]))


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _usage(asked: Asked) -> dict[str, int]:
    sent, got = len(asked.prompt.split()), len(asked.text.split())
    return {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _response(status: int, headers: Mapping[str, str], body: bytes) -> Script:
    if "Transfer-Encoding" in headers:
        return Script((_head(status, headers), _chunk(body)))
    return Script((_head(status, {**headers, "Content-Length": str(len(body))}) + body,))


def _json(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> Script:
    return _response(status, {**_JSON, **(headers or {})}, json.dumps(body).encode())


def _stream(*events: bytes) -> Script:
    return Script((_head(200, _EVENTS), *map(_chunk, events), _chunk(b"")))

"""A real OpenAI-compatible server on loopback, whose behaviour is chosen by the model's name.

It runs in the test's own event loop (`async with OpenAIServer() as server`), counts connections and notices clients
that leave. Nothing in it sleeps: what hangs, hangs until the client goes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
LOGPROBS = [("Paris", -0.5), (".", -1.0)]
DONE = b"data: [DONE]\n\n"


class OpenAIServer:
    """`url` is the base URL. `pieces` is what the models answer; `bodies` and `headers` are what they were sent."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = list(pieces or ("Paris", " is", " it."))
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.arrived = asyncio.Event()
        self.left = asyncio.Event()
        self.proceed = asyncio.Event()
        self.in_flight = self.most_in_flight = 0
        self.url = ""
        self._transports: set[Any] = set()
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.01)

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def connections(self) -> int:
        """How many connections brought a request so far."""
        return len(self._transports)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._transports.add(request.transport)
        body = await request.json()
        self.bodies.append(body)
        self.arrived.set()
        self.headers.append(dict(request.headers))
        behave: Callable[[web.Request, bool], Awaitable[web.StreamResponse]]
        behave = getattr(self, f"_{body['model'].replace('-', '_')}")
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await behave(request, bool(body.get("stream")))
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise
        finally:
            self.in_flight -= 1

    async def _ok(self, request: web.Request, stream: bool) -> web.StreamResponse:
        if not stream:
            return web.json_response(whole(self.text))
        return await self._events(request, *map(piece, self.pieces), piece(None, "stop"), usage(), DONE)

    async def _no_usage(self, request: web.Request, stream: bool) -> web.StreamResponse:
        if not stream:
            return web.json_response({key: value for key, value in whole(self.text).items() if key != "usage"})
        return await self._events(request, *map(piece, self.pieces), piece(None, "stop"), DONE)

    async def _too_long(self, request: web.Request, stream: bool) -> web.StreamResponse:
        if not stream:
            return web.json_response(whole(self.text, "length"))
        return await self._events(request, *map(piece, self.pieces), piece(None, "length"), usage(), DONE)

    async def _together(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """32 calls must be in flight before any is answered."""
        if self.in_flight == 32:
            self.proceed.set()
        await self.proceed.wait()
        return await self._ok(request, stream)

    async def _split(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """A stream of one byte a chunk, so that every character is torn apart."""
        if not stream:
            return web.json_response(whole(self.text))
        whole_stream = b"".join([*map(piece, self.pieces), piece(None, "stop"), usage(), DONE])
        return await self._events(request, *(whole_stream[at : at + 1] for at in range(len(whole_stream))))

    async def _no_done(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """A stream whose end only the finish reason tells."""
        if not stream:
            return web.json_response(whole(self.text))
        return await self._events(request, *map(piece, self.pieces), piece(None, "stop"), usage())

    async def _late_end(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """The body ends in a packet of its own, some turns of the loop after its last event."""
        response = await self._ok(request, stream)
        for _ in range(5):
            await asyncio.sleep(0)
        return response

    async def _no_end(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """All events come, and the body never ends."""
        await self._ok(request, stream)
        return await self._hangs(request, stream)

    async def _identical_150(self, request: web.Request, stream: bool) -> web.StreamResponse:
        self.pieces = ["again "] * 150
        return await self._ok(request, stream)

    async def _slow(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """The first piece at once, the others when the test says `proceed`."""
        response = await self._begin(request)
        await response.write(piece(self.pieces[0]))
        await self.proceed.wait()
        for data in (*map(piece, self.pieces[1:]), piece(None, "stop"), usage(), DONE):
            await response.write(data)
        return response

    async def _hangs(self, request: web.Request, stream: bool) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async def _stalls(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """The first piece at once, then nothing more."""
        response = await self._begin(request)
        await response.write(piece(self.pieces[0]))
        return await self._hangs(request, stream)

    async def _cut(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """The connection breaks in the middle of the body."""
        response = await self._begin(request)
        await response.write(piece(self.pieces[0]))
        assert request.transport is not None
        request.transport.close()
        return response

    async def _stops_early(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """The body ends as a body should, the answer does not."""
        if not stream:
            return web.Response(text=json.dumps(whole(self.text))[:-20], content_type="application/json")
        return await self._events(request, piece(self.pieces[0]))

    async def _error_event(self, request: web.Request, stream: bool) -> web.StreamResponse:
        error = {"error": {"message": f"cannot go on with {self._prompt()}", "type": "server_error", "code": None}}
        if not stream:
            return web.json_response(error)
        return await self._events(request, piece(self.pieces[0]), f"data: {json.dumps(error)}\n\n".encode())

    async def _malformed(self, request: web.Request, stream: bool) -> web.StreamResponse:
        if not stream:
            return web.Response(text='{"choices": [' + self._prompt(), content_type="application/json")
        return await self._events(request, b'data: {"choices": [' + self._prompt().encode() + b"\n\n")

    async def _html(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return web.Response(text=f"<html><body>{self._prompt()}</body></html>", content_type="text/html")

    async def _empty(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return web.Response(content_type="text/event-stream" if stream else "application/json")

    async def _silent(self, request: web.Request, stream: bool) -> web.StreamResponse:
        self.pieces = [""]
        return await self._ok(request, stream)

    async def _tool_call(self, request: web.Request, stream: bool) -> web.StreamResponse:
        call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": self._prompt()}, "index": 0}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "delta" if stream else "message": message, "finish_reason": "tool_calls"}
        kind = "chat.completion.chunk" if stream else "chat.completion"
        body = {"id": "1", "object": kind, "created": 1, "model": "m", "choices": [choice]}
        return await self._events(request, event(body), DONE) if stream else web.json_response(body)

    async def _logprobs(self, request: web.Request, stream: bool) -> web.StreamResponse:
        entries: list[dict[str, Any]] = [
            {"token": token, "logprob": value, "bytes": None, "top_logprobs": []} for token, value in LOGPROBS
        ]
        if not stream:
            body = whole("".join(token for token, _ in LOGPROBS))
            body["choices"][0]["logprobs"] = {"content": entries}
            return web.json_response(body)
        chunks = [
            chunk([{"index": 0, "delta": {"content": entry["token"]}, "logprobs": {"content": [entry]}}])
            for entry in entries
        ]
        return await self._events(request, *chunks, piece(None, "stop"), DONE)

    async def _endless(self, request: web.Request, stream: bool) -> web.StreamResponse:
        """A body without end and without a line break."""
        response = await self._begin(request)
        while True:
            await response.write(b"x" * 2**14)

    async def _307(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": f"{self.url}/chat/completions"})

    async def _400(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(400, "invalid_request_error")

    async def _401(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(401, "invalid_api_key")

    async def _403(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(403, "permission_denied")

    async def _404(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(404, "model_not_found")

    async def _408(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(408, "timeout")

    async def _422(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(422, "unprocessable")

    async def _429(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(429, "rate_limit_exceeded", {"Retry-After": "7"})

    async def _500(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(500, "server_error")

    async def _503(self, request: web.Request, stream: bool) -> web.StreamResponse:
        return self._error(503, "overloaded", {"Retry-After": "2.5"})

    def _prompt(self) -> str:
        return str(self.bodies[-1]["messages"][-1]["content"])

    def _error(self, status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
        """An error that repeats the prompt and the key, as real ones do."""
        key = self.headers[-1].get("Authorization", "")
        error = {"message": f"{self._prompt()} ({key})", "type": self._prompt(), "code": code, "param": None}
        return web.json_response({"error": error}, status=status, headers=headers)

    async def _begin(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        return response

    async def _events(self, request: web.Request, *events: bytes) -> web.StreamResponse:
        response = await self._begin(request)
        for data in events:
            await response.write(data)
        return response


def whole(text: str, finish_reason: str = "stop") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    return {
        "id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE,
    }  # fmt: skip


def event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    return event({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | more)


def piece(text: str | None, finish_reason: str | None = None) -> bytes:
    return chunk([{"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": finish_reason}])


def usage() -> bytes:
    return chunk([], usage=USAGE)

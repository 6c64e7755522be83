"""Serve an emulated backend as the hardware's own endpoint would: its one model, its limits, its timing.

`POST /v1/chat/completions` (whole or as server-sent events), `GET /v1/models`, `GET /healthz`, and `GET /openapi.json`,
which describes them. Unlike in `app.py`, where a pipeline is served, nothing stands between the backend and the wire: a
full server is a 429 and is not tried again, an empty answer stays an empty 200. The list of models says in one sentence
what this is (`emulated`), so that whoever times it can tell it from the hardware. It runs on aiohttp, whose parser is
native code, and refuses more than 128 headers or one of more than 8190 bytes. Time counts from when a request's head is
in: reading and checking the rest is part of the time to first token, as it is on a real endpoint. No prompt and no
answer is logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.backends.emulated import EmulatedBackend
from shared.clock import now
from shared.contract import Completion, Request
from shared.errors import BackendRefused, BackendUnavailable, CrossoverError, InvalidRequest, MissingRecording
from shared.serving.openapi import document
from shared.serving.token import CHALLENGE, REFUSED, may_ask
from shared.serving.wire import (
    BODY_S,
    HEADERS_TOO_LONG,
    MAX_BODY_BYTES,
    TOO_LONG,
    TOO_SLOW,
    choice,
    error_body,
    finish_reason,
    head,
    headers_too_long,
    parsed,
    unknown_model,
    unreadable,
    usage,
)

ERRORS: Final = (400, 401, 404, 408, 413, 415, 429, 500)
"""Every status of a failed answer."""

LINGER_S: Final = 1.0
"""Seconds in which a client may finish sending what is not read, so that it reads the refusal."""

NO_DEADLINE_S: Final = 86_400.0
"""Hardware has no deadline of its own: its clients have."""

Sent = list[tuple[float, int]]
"""One answer as it left, write by write: (seconds since its request's head was in, characters of text until then)."""

_log: Final = logging.getLogger(__name__)
_protocol: Final = logging.getLogger(f"{__name__}.protocol")
_protocol.addFilter(lambda _: False)
"""Where aiohttp tells of heads that it cannot read. It quotes them, and they hold keys: nobody hears it."""
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_EVENTS: Final = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


class EmulatorServer:
    """The endpoint of one `EmulatedBackend`, for whoever has the token.

    `keep_sent` has it tell at `GET /debug/sent` when it sent what.
    """

    def __init__(self, backend: EmulatedBackend, *, keep_sent: bool = False, token: str | None = None) -> None:
        self._backend = backend
        self._said = _said(backend)
        self._names = (backend.hardware.id, backend.hardware.model)
        self._described = document(f"crossover: {backend.hardware.id}", self._names, ERRORS, token=token is not None)
        self._sent: list[Sent] | None = [] if keep_sent else None
        app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_errors, _guard(token)])
        for path, tell in (
            ("/openapi.json", self._describe), ("/healthz", self._health), ("/v1/models", self._models),
        ):  # fmt: skip
            app.router.add_get(path, tell, allow_head=False)
        app.router.add_post("/v1/chat/completions", self._chat)
        if keep_sent:
            app.router.add_get("/debug/sent", self._tell_sent)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_protocol,
            handler_cancellation=True,
            auto_decompress=False,
            lingering_time=LINGER_S,
            shutdown_timeout=1.0,
        )

    async def start(self, listening: socket.socket) -> None:
        """Answer on this socket from now on."""
        await self._runner.setup()
        await web.SockSite(self._runner, listening).start()

    async def aclose(self) -> None:
        """Stop: answers under way get a second."""
        await self._runner.cleanup()
        await self._backend.aclose()

    async def _describe(self, _: web.Request) -> web.Response:
        return _json(self._described)

    async def _health(self, _: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def _models(self, _: web.Request) -> web.Response:
        always = {"object": "model", "created": 0, "owned_by": "crossover", "emulated": self._said}
        data = [{"id": name} | always for name in self._names]
        return _json({"object": "list", "data": data})

    async def _tell_sent(self, _: web.Request) -> web.Response:
        return _json(self._sent)

    async def _chat(self, http: web.Request) -> web.StreamResponse:
        arrived_s = now()
        asked = parsed(await _body(http))
        if asked.model not in self._names:
            return _json(unknown_model(self._names[0]), 404)
        request = asked.request(NO_DEADLINE_S)
        if not asked.stream:
            return await self._whole(http, request, asked.model, arrived_s)
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return await self._streamed(http, request, asked.model, arrived_s, with_usage=with_usage)

    async def _whole(self, http: web.Request, request: Request, model: str, arrived_s: float) -> web.StreamResponse:
        response = web.Response(content_type="application/json")

        async def ready(completion: Completion) -> None:
            message = {"role": "assistant", "content": completion.text}
            whole = {"index": 0, "message": message, "finish_reason": finish_reason(completion)}
            body = head("chat.completion", model) | {"choices": [whole], "usage": usage(completion)}
            response.body = _encode(body).encode()
            await response.prepare(http)  # its head is held back until there is a body

        completion = await self._backend.complete(request, arrived_s=arrived_s, accepted=ready)
        self._note([(now() - arrived_s, len(completion.text))])
        await response.write_eof()
        return response

    async def _streamed(
        self, http: web.Request, request: Request, model: str, arrived_s: float, *, with_usage: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_EVENTS)
        begin = head("chat.completion.chunk", model)
        delta: dict[str, str] = {"role": "assistant"}
        sent: Sent = []
        length = 0

        async def ready(_: Completion) -> None:
            await response.prepare(http)  # what is refused was refused before, with a status of its own

        async with aclosing(self._backend.stream(request, arrived_s=arrived_s, accepted=ready)) as items:
            async for item in items:
                if isinstance(item, str):
                    event = _event(begin | choice(delta | {"content": item}))
                    delta, length = {}, length + len(item)
                    sent.append((now() - arrived_s, length))
                    await response.write(event)
                    continue
                last = _event(begin | choice(delta, finish_reason(item)))
                if with_usage:
                    last += _event(begin | {"choices": [], "usage": usage(item)})
                await response.write(last + b"data: [DONE]\n\n")
        await response.write_eof()
        self._note(sent)
        return response

    def _note(self, sent: Sent) -> None:
        if self._sent is not None:
            self._sent.append(sent)


def _said(backend: EmulatedBackend) -> str:
    hardware = backend.hardware
    texts = backend.stand_in or f"the texts are those of {hardware.model} ({backend.identity.provider})"
    pace = f"{1 / backend.pace.token_s:,.0f} tokens/s, {hardware.figures['tok_s'].standing}"
    return f"{hardware.id} is emulated ({pace}): no time was measured on the hardware, and {texts}"


def _guard(token: str | None) -> Middleware:
    """Refuses whoever has no token, or sends too long a head, before anything of the body is read."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        if headers_too_long(request.raw_headers):
            return _unread(400, HEADERS_TOO_LONG)
        if not may_ask(request.path, request.headers.get("Authorization"), token):
            return _unread(401, REFUSED, CHALLENGE, code="invalid_api_key")
        return await handler(request)

    return guarded


async def _body(http: web.Request) -> bytes:
    if why := unreadable(http.headers.get("Content-Type"), http.headers.getall("Content-Encoding", ())):
        raise web.HTTPUnsupportedMediaType(reason=why)
    try:
        async with asyncio.timeout(BODY_S):
            return await http.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(reason=TOO_SLOW) from None
    except web.HTTPRequestEntityTooLarge:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, 0, reason=TOO_LONG) from None


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as OpenAI's API words it; what is not ours is told by its type alone, since it may quote."""
    try:
        return await handler(request)
    except CrossoverError as error:
        return _refusal(error)
    except web.HTTPException as error:
        kept = {name: text for name, text in error.headers.items() if name == "Allow"}
        return _unread(error.status, error.reason, kept)
    except ConnectionResetError:
        raise  # the client has left
    except Exception as error:
        _log.error("the emulator raised %s", type(error).__name__)  # its message may quote the prompt
        return _error(500, f"the emulator raised {type(error).__name__}; please report it", "server_error", None)


def _refusal(error: CrossoverError) -> web.Response:
    """What OpenAI-compatible endpoints answer in this case, so that clients take it for what it is."""
    if isinstance(error, BackendUnavailable):
        return _error(429, str(error), "rate_limit_error", "rate_limit_exceeded")
    if isinstance(error, MissingRecording):
        return _error(404, str(error), "invalid_request_error", "missing_recording")
    if isinstance(error, BackendRefused):
        return _error(400, str(error), "invalid_request_error", "context_length_exceeded", "messages")
    if isinstance(error, InvalidRequest):
        return _error(400, str(error), "invalid_request_error", None, getattr(error, "field", None))
    return _error(500, str(error), "server_error", None)


def _error(status: int, message: str, kind: str, code: str | None, param: str | None = None) -> web.Response:
    return _json(error_body(message, kind, code=code, param=param), status)


def _unread(
    status: int, message: str, headers: Mapping[str, str] | None = None, *, code: str | None = None
) -> web.Response:
    """Refuses a request whose body is not read, or not to its end, so that its connection ends."""
    response = _error(status, message, "invalid_request_error", code)
    response.headers.update(headers or {})
    response.force_close()
    return response


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=_encode(body).encode(), status=status, content_type="application/json")


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + _encode(body).encode() + b"\n\n"

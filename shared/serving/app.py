"""Serve a pipeline over an OpenAI-compatible API, so that any client can call it.

`POST /v1/chat/completions` (whole or as server-sent events), `GET /v1/models`, `GET /healthz`, and `GET /openapi.json`,
which describes them (`openapi.py`). What this API cannot honour is refused by name, never ignored. A client that leaves
stops its model, and so does one that has not read its stream by the deadline. No prompt and no answer is logged. Who
may ask is in `token.py`, how much in `wire.py`.

Next: `serve.py` runs the app; `shared/run.py` is where a pipeline is consumed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import traceback
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final

from fastapi import FastAPI
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.clock import now
from shared.contract import Answer, Pipeline, Request
from shared.errors import BackendUnavailable, CrossoverError, DeadlineExceeded, InvalidRequest
from shared.run import answer, stream
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
from shared.steps import Background, Step

_log: Final = logging.getLogger(__name__)

ERRORS: Final = (400, 401, 404, 408, 413, 415, 500, 502, 503, 504)
"""Every status of a failed answer."""


def create_app(pipeline: Pipeline, *, name: str, deadline_s: float = 30.0, token: str | None = None) -> FastAPI:
    """The pipeline as the one model `name`, for whoever has the token. Each answer may take `deadline_s` seconds.

    Shutdown closes the pipeline.
    """
    background = Background()
    described = document(f"crossover: {name}", [name], ERRORS, token=token is not None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await background.drain()
        await pipeline.aclose()

    app = FastAPI(lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_middleware(_Guard, token=token)

    @app.exception_handler(CrossoverError)
    async def typed(_: HttpRequest, error: CrossoverError) -> Response:
        return _error_response(error)

    @app.exception_handler(HTTPException)
    async def unread(_: HttpRequest, error: HTTPException) -> Response:
        return _unread(error.status_code, error.detail, error.headers)

    @app.get("/openapi.json")
    async def openapi() -> dict[str, Any]:
        return described

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "crossover"}]}

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(http: HttpRequest) -> Response:
        asked = parsed(await _body(http))
        if asked.model != name:
            return JSONResponse(unknown_model(name), 404)
        request = asked.request(deadline_s)
        if not asked.stream:
            return _Whole(pipeline, request, background, name)
        with_usage = asked.stream_options is not None and asked.stream_options.include_usage
        return _Stream(pipeline, request, background, name, with_usage=with_usage)

    return app


class _Guard:
    """Answers whoever has no token, or sends too long a head, before anything of the body is read."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = self._app
        if scope["type"] == "http":
            authorization = Headers(scope=scope).get("authorization")
            if headers_too_long(scope["headers"]):
                answering = _unread(400, HEADERS_TOO_LONG)
            elif not may_ask(scope["path"], authorization, self._token):
                answering = _unread(401, REFUSED, CHALLENGE, code="invalid_api_key")
        await answering(scope, receive, send)


class _Whole(Response):
    """One answer in one body, made while the response is sent, so that the client's leaving can be watched."""

    def __init__(self, pipeline: Pipeline, request: Request, background: Background, name: str) -> None:
        super().__init__()
        self._ask = pipeline, request, background
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _while_connected(receive, self._respond(scope, receive, send))

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response
        try:
            given = await answer(*self._ask)
        except Exception as error:
            response = _error_response(error)
        else:
            response = JSONResponse(_whole_body(given, self._name), headers=_steps(given.steps))
        await response(scope, receive, send)


class _Stream(_Whole):
    """One answer as server-sent events. Until its first words are there, a failure still has a status of its own."""

    def __init__(
        self, pipeline: Pipeline, request: Request, background: Background, name: str, *, with_usage: bool
    ) -> None:
        super().__init__(pipeline, request, background, name)
        self._with_usage = with_usage

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = _until(now() + self._ask[1].deadline_s, send)
        async with aclosing(stream(*self._ask)) as items:
            try:
                item = await anext(items)
            except Exception as error:
                await _error_response(error)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": _EVENT_STREAM})
            begin = head("chat.completion.chunk", self._name)
            delta: dict[str, str] = {"role": "assistant"}
            try:
                while isinstance(item, str):
                    await send(_event(begin | choice(delta | {"content": item})))
                    delta = {}
                    item = await anext(items)
            except Exception as error:
                await send(_event(_described(error)[1]))
            else:
                await send(_event(begin | choice({}, finish_reason(item.completion))))
                if self._with_usage:
                    await send(_event(begin | {"choices": [], "usage": usage(item.completion)}))
                await send(_chunk(b"data: [DONE]\n\n"))
            await send({"type": "http.response.body", "body": b"", "more_body": False})


_EVENT_STREAM: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


def _until(end_s: float, send: Send) -> Send:
    """Send as long as the client reads: one that keeps us waiting beyond `end_s` is taken for one that has left."""

    async def bounded(message: Message) -> None:
        try:
            async with asyncio.timeout_at(end_s):
                await send(message)
        except TimeoutError:
            raise asyncio.CancelledError from None

    return bounded


async def _while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, and stop it where the client leaves first. Work that takes the client for gone cancels itself."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_client_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        left = not working.done() or working.cancelled()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working
        if left:
            _log.info("a client left, or read no further, before its answer was complete; its model was stopped")


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(http: HttpRequest) -> bytes:
    """The body, within its limits."""
    if why := unreadable(http.headers.get("content-type"), http.headers.getlist("content-encoding")):
        raise HTTPException(415, why)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in http.stream():
                chunks.append(chunk)
                if (size := size + len(chunk)) > MAX_BODY_BYTES:
                    raise HTTPException(413, TOO_LONG)
    except TimeoutError:
        raise HTTPException(408, TOO_SLOW) from None
    return b"".join(chunks)


def _described(error: Exception) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers of an error. Of errors that are not ours only the type is told: they may quote."""
    if not isinstance(error, CrossoverError):
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("the pipeline raised %s in %s, line %s", type(error).__name__, place.name, place.lineno)
        return (
            500,
            error_body(f"the pipeline raised {type(error).__name__}; its log names the place", "server_error"),
            {},
        )
    if isinstance(error, InvalidRequest):
        return 400, error_body(str(error), "invalid_request_error", param=getattr(error, "field", None)), {}
    code = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)[1:]
    headers = _steps(error.steps)
    status = 504 if isinstance(error, DeadlineExceeded) else 502
    if isinstance(error, BackendUnavailable):
        status = 503
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return status, error_body(str(error), "server_error", code=code), headers


def _error_response(error: Exception) -> Response:
    status, body, headers = _described(error)
    return JSONResponse(body, status, headers)


def _unread(
    status: int, message: str, headers: Mapping[str, str] | None = None, *, code: str | None = None
) -> Response:
    """Refuses a request whose body is not read, or not to its end, so that its connection ends."""
    body = error_body(message, "invalid_request_error", code=code)
    return JSONResponse(body, status, {**(headers or {}), "Connection": "close"})


def _whole_body(given: Answer, name: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": given.text}
    return head("chat.completion", name) | {
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(given.completion)}],
        "usage": usage(given.completion),
    }


def _steps(steps: Sequence[Step]) -> dict[str, str]:
    """A header with the steps until now, by kind and outcome: `cache=none;classify=ok;large=ok`."""
    told = ";".join(f"{step.kind}={step.outcome}" for step in steps if not step.after_answer)
    return {"x-crossover-steps": told} if told else {}


def _event(body: dict[str, Any]) -> dict[str, Any]:
    return _chunk(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")


def _chunk(data: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": True}

"""The API as clients meet it: the official `openai` client against a real server on a loopback port."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import uvicorn
from fastapi import FastAPI
from openai import AsyncOpenAI, OpenAI

from direct_pipeline.app import create as create_direct
from direct_pipeline.pipeline import DirectPipeline
from shared.backends.http import HttpBackend
from shared.contract import Backend, Completion, Message, Request
from shared.errors import (
    BackendRefused,
    BackendUnavailable,
    BadAnswer,
    DeadlineExceeded,
    InvalidRequest,
)
from shared.serving import app as serving
from shared.serving.app import create_app
from shared.serving.serve import config, listen
from shared.steps import Recorder
from tests.fakes import HANG, Script, ScriptedBackend

ASK: list[Any] = [{"role": "user", "content": "Is it on?"}]
JSON = {"Content-Type": "application/json"}
PIECES = [(0.0, "It"), (0.0, " is"), (0.0, " on — ✓")]


def create(backend: Backend) -> FastAPI:
    """The direct pipeline over `backend`, served."""
    return create_direct(DirectPipeline(backend), 30.0)


@dataclass
class Watched(ScriptedBackend):
    """A scripted backend that says when a call of it began and when it ended or was stopped."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        self.begun.set()
        try:
            async with aclosing(ScriptedBackend.stream(self, request)) as items:
                async for item in items:
                    yield item
        finally:
            self.over.set()


class OneCall:
    """The smallest pipeline: what the backend raises, it raises. Puts something off until the answer is out."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.proceed = asyncio.Event()
        self.done: list[str] = []

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in step.stream("call", self.backend, request):
            yield text
        step.later("store", self._store(), limit_s=0.1)

    async def _store(self) -> None:
        await self.proceed.wait()
        self.done.append("stored")

    async def aclose(self) -> None:
        self.done.append("closed")


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The base URL of the app on a free port; the server is shut down properly in the end."""
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(config(app))
        task = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[AsyncOpenAI]:
    async with served(app) as url, AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_a_whole_answer() -> None:
    async def main() -> None:
        async with client_of(create(ScriptedBackend([Script(PIECES)]))) as client:
            raw = await client.chat.completions.with_raw_response.create(model="direct", messages=ASK)
            answer = raw.parse()
            assert answer.choices[0].message.content == "It is on — ✓"
            assert answer.choices[0].message.role == "assistant"
            assert answer.choices[0].finish_reason == "stop"
            assert answer.usage is not None
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (1, 3, 4)
            assert (answer.model, answer.object) == ("direct", "chat.completion")
            assert raw.headers["x-crossover-steps"] == "call=ok"

    run(main)


@pytest.mark.parametrize("with_usage", [False, True])
def test_a_streamed_answer(with_usage: bool) -> None:
    async def main() -> None:
        async with client_of(create(ScriptedBackend([Script(PIECES)]))) as client:
            options: Any = {"stream_options": {"include_usage": True}} if with_usage else {}
            stream = await client.chat.completions.create(model="direct", messages=ASK, stream=True, **options)
            chunks = [chunk async for chunk in stream]
            deltas = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
            assert deltas == ["It", " is", " on — ✓", None]
            assert chunks[0].choices[0].delta.role == "assistant"
            assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices] == [None, None, None, "stop"]
            assert len({chunk.id for chunk in chunks}) == 1
            usages = [chunk.usage.total_tokens for chunk in chunks if chunk.usage]
            assert usages == ([4] if with_usage else [])

    run(main)


def test_the_synchronous_client() -> None:
    def ask(url: str) -> tuple[str | None, str]:
        with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
            whole = client.chat.completions.create(model="direct", messages=ASK).choices[0].message.content
            stream = client.chat.completions.create(model="direct", messages=ASK, stream=True)
            return whole, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    async def main() -> None:
        async with served(create(ScriptedBackend([Script(PIECES)]))) as url:
            assert await asyncio.to_thread(ask, url) == ("It is on — ✓", "It is on — ✓")

    run(main)


def test_our_own_backend_reads_what_we_serve() -> None:
    async def main() -> None:
        async with served(create(ScriptedBackend([Script(PIECES, finish_reason="length")]))) as url:
            backend = HttpBackend(url, "direct")
            request = Request((Message("user", "Is it on?"),))
            whole = await backend.complete(request)
            *pieces, last = [item async for item in backend.stream(request)]
            assert isinstance(last, Completion)
            assert pieces == ["It", " is", " on — ✓"]
            assert whole.text == last.text == "It is on — ✓"
            assert whole.usage == last.usage
            assert whole.finish_reason == last.finish_reason == "length"
            await backend.aclose()

    run(main)


def test_models_and_health() -> None:
    async def main() -> None:
        async with client_of(create(ScriptedBackend())) as client:
            assert [model.id async for model in client.models.list()] == ["direct"]
            async with aiohttp.ClientSession() as session:
                root = str(client.base_url).removesuffix("/v1/")
                assert await (await session.get(f"{root}/healthz")).json() == {"status": "ok"}
                missing = await session.get(f"{root}/v1/embeddings")
                assert (missing.status, (await missing.json())["error"]["type"]) == (404, "invalid_request_error")

    run(main)


def test_every_field_reaches_the_pipeline() -> None:
    backend = ScriptedBackend()

    async def main() -> None:
        async with client_of(create_app(OneCall(backend), name="direct", deadline_s=3.0)) as client:
            messages: list[Any] = [
                {"role": "developer", "content": "Be brief."},
                {"role": "assistant", "content": "Yes?"},
                {"role": "user", "content": [{"type": "text", "text": "Is it "}, {"type": "text", "text": "on?"}]},
            ]
            tool: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
            await client.chat.completions.create(
                model="direct",
                messages=messages,
                max_completion_tokens=7,
                temperature=0,
                top_p=0.5,
                seed=3,
                stop="END",
                response_format={"type": "json_object"},
                tools=[tool],
                user="ann",
                metadata={"tenant": "acme"},
                n=1,
                presence_penalty=0.0,
            )
        assert backend.requests == [
            Request(
                (Message("system", "Be brief."), Message("assistant", "Yes?"), Message("user", "Is it on?")),
                scope=(("user", "ann"), ("metadata.tenant", "acme")),
                max_tokens=7,
                temperature=0.0,
                top_p=0.5,
                seed=3,
                stop=("END",),
                response_format='{"type": "json_object"}',
                tools=json.dumps([tool]),
                deadline_s=3.0,
            )
        ]

    run(main)


@pytest.mark.parametrize(
    ("extra", "field"),
    [
        ({"n": 2}, "n"),
        ({"logit_bias": {"50256": -100}}, "logit_bias"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"invented": 1}, "invented"),
        ({"temperature": "0.5"}, "temperature"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x", "name": "ann"}]}, "messages.0.name"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
        ({"temperature": 3.0}, "temperature"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, None),  # the contract's own rule
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(extra: dict[str, Any], field: str | None) -> None:
    backend = ScriptedBackend()

    async def main() -> None:
        async with client_of(create(backend)) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model="direct", messages=ASK, extra_body=extra)
            assert caught.value.param == field
            assert caught.value.type == "invalid_request_error"
        assert not backend.requests

    run(main)


def test_another_model_is_not_found() -> None:
    async def main() -> None:
        async with client_of(create(ScriptedBackend())) as client:
            with pytest.raises(openai.NotFoundError, match="'direct'") as caught:
                await client.chat.completions.create(model="gpt-4o", messages=ASK)
            assert (caught.value.param, caught.value.code) == ("model", "model_not_found")

    run(main)


def test_a_body_that_is_no_json_or_too_long_is_refused_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_BODY_BYTES", 1000)

    async def main() -> None:
        async with served(create(ScriptedBackend())) as url, aiohttp.ClientSession() as session:
            for body, status in ((b"{secret", 400), (b"[]", 400), (b"secret" * 1000, 413)):
                response = await session.post(f"{url}/chat/completions", data=body, headers=JSON)
                text = await response.text()
                assert response.status == status
                assert "secret" not in text
                assert json.loads(text)["error"]["type"] == "invalid_request_error"

    run(main)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("too long"), 400, None),
        (DeadlineExceeded("late"), 504, "deadline_exceeded"),
        (BackendUnavailable("down", retry_after_s=6.2), 503, "backend_unavailable"),
        (BackendRefused("no"), 502, "backend_refused"),
        (BadAnswer("html"), 502, "bad_answer"),
    ],
)
def test_errors_have_the_right_status(error: Exception, status: int, code: str | None, stream: bool) -> None:
    async def main() -> None:
        app = create_app(OneCall(ScriptedBackend([Script([], error)])), name="direct")
        async with client_of(app) as client:
            with pytest.raises(openai.APIStatusError, match=str(error)) as caught:
                await client.chat.completions.create(model="direct", messages=ASK, stream=stream)
            assert (caught.value.status_code, caught.value.code) == (status, code)
            assert caught.value.response.headers.get("retry-after") == ("7" if status == 503 else None)

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_has_its_time(stream: bool) -> None:
    backend = ScriptedBackend([Script([(HANG, "never")])])

    async def main() -> None:
        async with client_of(create_app(OneCall(backend), name="direct", deadline_s=0.05)) as client:
            with pytest.raises(openai.APIStatusError) as caught:
                await client.chat.completions.create(model="direct", messages=ASK, stream=stream)
            assert caught.value.status_code == 504
            assert backend.running == 0

    run(main)


def test_an_error_after_the_first_word_ends_the_stream() -> None:
    async def main() -> None:
        backend = ScriptedBackend([Script(PIECES[:1], BackendUnavailable("down"))])
        async with client_of(create(backend)) as client:
            stream = aiter(await client.chat.completions.create(model="direct", messages=ASK, stream=True))
            assert (await anext(stream)).choices[0].delta.content == "It"
            with pytest.raises(openai.APIError, match="down") as caught:
                await anext(stream)
            assert caught.value.code == "stream_broken"
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_that_is_not_ours_is_told_by_its_type_only(stream: bool, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(OneCall):
        async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
            raise RuntimeError("secret")
            yield

    async def main() -> None:
        async with client_of(create_app(Broken(ScriptedBackend()), name="direct")) as client:
            with pytest.raises(openai.InternalServerError, match="RuntimeError") as caught:
                await client.chat.completions.create(model="direct", messages=ASK, stream=stream)
            assert "secret" not in str(caught.value)
        assert "RuntimeError in run" in caplog.text
        assert "secret" not in caplog.text

    run(main)


def test_a_client_that_leaves_a_stream_stops_the_model() -> None:
    async def main() -> None:
        backend = Watched([Script([(0.0, "It"), (HANG, " is")])])
        async with client_of(create(backend)) as client:
            stream = await client.chat.completions.create(model="direct", messages=ASK, stream=True)
            assert (await anext(aiter(stream))).choices[0].delta.content == "It"
            assert backend.running == 1
            await stream.close()
            await backend.over.wait()
            assert backend.running == 0

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_before_the_first_word_stops_the_model(stream: bool) -> None:
    async def main() -> None:
        backend = Watched([Script([(HANG, "never")])])
        async with client_of(create(backend)) as client:
            call = asyncio.ensure_future(client.chat.completions.create(model="direct", messages=ASK, stream=stream))
            await backend.begun.wait()
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            await backend.over.wait()
            assert backend.running == 0

    run(main)


def test_streams_run_side_by_side() -> None:
    class Together(ScriptedBackend):
        async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
            text = request.messages[-1].content
            self.running += 1
            if self.running == 32:
                everybody.set()
            yield text
            await everybody.wait()
            yield text
            yield Completion(text * 2, "m")

    everybody = asyncio.Event()

    async def main() -> None:
        async def ask(number: int) -> str:
            stream = await client.chat.completions.create(
                model="direct", messages=[{"role": "user", "content": f"<{number}>"}], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        async with client_of(create(Together())) as client:
            texts = await asyncio.gather(*(ask(number) for number in range(32)))
        assert texts == [f"<{number}><{number}>" for number in range(32)]

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_shutting_down_waits_for_what_was_put_off_and_closes_the_pipeline(stream: bool) -> None:
    pipeline = OneCall(ScriptedBackend())

    async def main() -> None:
        app = create_app(pipeline, name="m")
        async with app.router.lifespan_context(app):
            body = {"model": "m", "messages": ASK, "stream": stream}
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
                assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
            assert pipeline.done == []
            pipeline.proceed.set()
        assert pipeline.done == ["stored", "closed"]

    run(main)


def test_what_is_not_known_is_null() -> None:
    class Vague(ScriptedBackend):
        async def complete(self, request: Request) -> Completion:
            return Completion("yes", "m", finish_reason="unknown")

    async def main() -> None:
        async with client_of(create(Vague())) as client:
            answer = await client.chat.completions.create(model="direct", messages=ASK)
            assert answer.usage is None
            assert answer.choices[0].finish_reason is None

    run(main)

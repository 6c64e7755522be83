"""The ways to an answer that `where.py` times: clients over loopback, and the pipelines in this process.

Each client asks the same of the same server, over a connection that is open already, and reads the whole answer. They
are compared with a bare socket that sends the same and waits for as many bytes as come back; the pipelines, with the
backend that they ask.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

from shared.backends.openai_dialect import fields
from shared.clock import now
from shared.contract import Backend, Completion, Identity, Message, Request, Usage
from shared.errors import BackendUnavailable
from shared.run import answer, stream
from shared.steps import Background

OUTPUT_TOKENS: Final = 100
"""Tokens of the answer; each is an event of its own where the answer is streamed."""
REQUEST: Final = Request((Message("system", "Answer in one word."), Message("user", "word " * 40)), temperature=0.0)

How = Literal["whole", "streamed"]
Bare = Literal["bare socket", "bare backend"]
Call = Callable[[], Awaitable[float]]
"""Asks once and gives the seconds it took."""


@dataclass(frozen=True, slots=True)
class Way:
    """`over` is the bare way that it is compared with; None where it is one. Each bare way is there twice: `twin`."""

    name: str
    how: How
    over: Bare | None
    call: Call
    twin: bool = False


@dataclass(slots=True)
class Ways:
    """What can be timed, what cannot and why, and the seconds of the legacy pipeline's steps, as they come."""

    ways: list[Way] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    steps_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, how: How, over: Bare | None, work: Callable[[], Awaitable[object]]) -> None:
        async def call() -> float:
            begun = now()
            await work()
            return now() - begun

        self.ways.append(Way(name, how, over, call))
        if over is None:
            self.ways.append(Way(name, how, over, call, twin=True))


@asynccontextmanager
async def opened(cache: Path) -> AsyncIterator[Ways]:
    """Everything ready to be asked; `cache` is an empty folder for the legacy pipeline's answers."""
    found = Ways()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(_server())
        _add_sockets(found, stack, port)
        await _add_clients(found, stack, f"http://127.0.0.1:{port}/v1")
        await _add_pipelines(found, stack, cache)
        yield found


@asynccontextmanager
async def _server() -> AsyncIterator[int]:
    """The port of a server in a process of its own that answers at once, streams in as many events as tokens."""
    command = [sys.executable, "-m", "benchmarks.micro.loopback", "0", str(OUTPUT_TOKENS)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        port = await process.stdout.readline() if process.stdout else b""
        if not port:
            raise BackendUnavailable("the server on loopback did not start; what it printed above says why")
        yield int(port)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _add_sockets(found: Ways, stack: AsyncExitStack, port: int) -> None:
    for how in ("whole", "streamed"):
        body = json.dumps({"model": "loopback", **fields(REQUEST), **_asked(how)}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        line = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.add("bare socket", how, None, _round_trip(line, head.encode() + body))


def _round_trip(line: socket.socket, asked: bytes) -> Callable[[], Awaitable[object]]:
    length = 0

    async def work() -> None:
        nonlocal length
        line.sendall(asked)
        got = line.recv(1 << 16)
        head, _, _ = got.partition(b"\r\n\r\n")
        length = length or len(head) + 4 + int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        received = len(got)
        while received < length:
            received += len(line.recv(1 << 16))

    return work


async def _add_clients(found: Ways, stack: AsyncExitStack, url: str) -> None:
    from shared.backends.http import HttpBackend

    ours = HttpBackend(url, "loopback")
    stack.push_async_callback(ours.aclose)
    _add_backend(found, "http backend", ours)
    for name, add in (("httpx", _add_httpx), ("openai", _add_openai), ("litellm", _add_litellm)):
        if find_spec(name) is None:
            found.left_out[name] = f"not installed; pip install {name}"
        else:
            await add(found, stack, url)


def _add_backend(found: Ways, name: str, backend: Backend) -> None:
    async def streamed() -> None:
        async for _ in backend.stream(REQUEST):
            pass

    found.add(name, "whole", "bare socket", lambda: backend.complete(REQUEST))
    found.add(name, "streamed", "bare socket", streamed)


async def _add_httpx(found: Ways, stack: AsyncExitStack, url: str) -> None:
    import httpx

    client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
    address = f"{url}/chat/completions"

    async def whole() -> object:
        response = await client.post(address, json={"model": "loopback", **fields(REQUEST)})
        return response.json()["choices"][0]["message"]["content"]

    async def streamed() -> str:
        asked = {"model": "loopback", **fields(REQUEST), **_asked("streamed")}
        text = ""
        async with client.stream("POST", address, json=asked) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {") and (choices := json.loads(line[6:])["choices"]):
                    text += choices[0]["delta"].get("content") or ""
        return text

    found.add(f"httpx {version('httpx')}", "whole", "bare socket", whole)
    found.add(f"httpx {version('httpx')}", "streamed", "bare socket", streamed)


async def _add_openai(found: Ways, stack: AsyncExitStack, url: str) -> None:
    import openai

    http = openai.DefaultAsyncHttpxClient(trust_env=False)
    client = await stack.enter_async_context(
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http)
    )
    create: Any = client.chat.completions.create

    async def whole() -> object:
        return (await create(model="loopback", **fields(REQUEST))).choices[0].message.content

    async def streamed() -> str:
        text = ""
        async for chunk in await create(model="loopback", **fields(REQUEST), **_asked("streamed")):
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
        return text

    found.add(f"openai {version('openai')}", "whole", "bare socket", whole)
    found.add(f"openai {version('openai')}", "streamed", "bare socket", streamed)


async def _add_litellm(found: Ways, stack: AsyncExitStack, url: str) -> None:
    from shared.backends.litellm import LiteLLMBackend, library

    library()  # its import takes seconds, which are no answer's
    key = os.environ.get("OPENAI_API_KEY")
    os.environ["OPENAI_API_KEY"] = "none"  # it asks for one, and a real one is nobody's business here
    stack.callback(_restore, key)
    backend = LiteLLMBackend("openai/loopback", api_base=url)
    stack.push_async_callback(backend.aclose)
    _add_backend(found, f"litellm {version('litellm')}", backend)


def _restore(key: str | None) -> None:
    if key is None:
        del os.environ["OPENAI_API_KEY"]
    else:
        os.environ["OPENAI_API_KEY"] = key


def _asked(how: str) -> dict[str, Any]:
    return {"stream": True, "stream_options": {"include_usage": True}} if how == "streamed" else {}


class Instant:
    """A backend without a model."""

    def __init__(self, name: str) -> None:
        self.identity = Identity("instant", name)

    async def complete(self, request: Request) -> Completion:  # noqa: ARG002
        return Completion("Four legs.", self.identity.model, Usage(200, 3))

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        yield "Four legs."
        yield await self.complete(request)

    async def aclose(self) -> None:
        """Nothing to let go of."""


async def _add_pipelines(found: Ways, stack: AsyncExitStack, cache: Path) -> None:
    from benchmarks.targets.builtin import artefact_file
    from direct_pipeline.pipeline import DirectPipeline
    from legacy_pipeline.app import build
    from legacy_pipeline.classifier import Artefact, Classifier
    from legacy_pipeline.settings import Settings

    small, large, fresh, background = Instant("small"), Instant("large"), _questions(), Background()
    # the committed artefact, asked without its models' leave: its cost is the same
    file = artefact_file("qwen-0.5b", "qwen-1.5b")
    classifier = Classifier(Artefact.model_validate_json(file.read_bytes()))
    legacy, direct = build(cache, classifier, small, large, Settings()), DirectPipeline(large)
    stack.push_async_callback(legacy.aclose)
    known = fresh()
    await answer(legacy, known, background)
    await background.drain()

    async def miss() -> float:
        request = fresh()
        begun = now()
        got = await answer(legacy, request, background)
        seconds = now() - begun
        await background.drain()
        for step in got.steps:
            if step.completion is None:
                found.steps_s[step.kind].append(step.seconds)
        return seconds

    async def streamed() -> None:
        async for _ in stream(direct, known, background):
            pass

    found.add("bare backend", "whole", None, lambda: large.complete(known))
    found.add("direct pipeline", "whole", "bare backend", lambda: answer(direct, known, background))
    found.add("direct pipeline", "streamed", "bare backend", streamed)
    found.add("legacy pipeline, cache hit", "whole", "bare backend", lambda: answer(legacy, known, background))
    found.ways.append(Way("legacy pipeline, cache miss", "whole", "bare backend", miss))


def _questions() -> Callable[[], Request]:
    """Real prompts of the built-in workload, each made new by a number so that none was asked before."""
    from benchmarks.workloads.workload import load

    workload, numbers = load(), count()

    def fresh() -> Request:
        number = next(numbers)
        request = workload.request(workload.items[number % len(workload.items)])
        last = Message("user", f"{request.messages[-1].content} ({number})")
        return Request((*request.messages[:-1], last), task=request.task, max_tokens=16, temperature=0.0)

    return fresh

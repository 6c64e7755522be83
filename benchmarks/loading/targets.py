"""What can be put under load: a pipeline of this repo in process, any OpenAI-compatible URL, or the null target.

The null target answers at once, by the same way as what it stands beside: in process a backend without a model, over
HTTP a server of its own process on this machine. All that its requests take is the harness.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from benchmarks.latency.driver import Reply, Send
from benchmarks.latency.trace import Trace
from benchmarks.scenario import ARMS, Arm, Scenario
from benchmarks.systems import KEY_VARIABLE
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Workload
from shared.backends.generated import GeneratedBackend
from shared.backends.openai_dialect import split_url
from shared.clock import now
from shared.contract import Answer, Backend, Completion, Message, Request, Standing
from shared.errors import BadInput, CrossoverError, DeadlineExceeded
from shared.steps import Background

NULL: Final = "null"
MOST_CONNECTIONS: Final = 4096
LEFT_FOR_OTHERS: Final = 64
"""Files that this process opens besides its connections."""
LIST_S: Final = 5.0
"""Seconds that an endpoint gets to list its models."""
MOST_LIST_BYTES: Final = 2**20
MOST_SAID: Final = 400
"""Characters that it may say of itself."""
AT_ONCE: Final = "recorded answers are given at once, so their models' time is in none of these figures"

Ask = Callable[[int], Request]


@dataclass(frozen=True, slots=True)
class Opened:
    """A target ready to be asked. `standing` says how its seconds come to be; `notes` what a reader must know."""

    send: Send
    standing: Standing
    notes: tuple[str, ...] = ()


def arm_of(name: str) -> Arm | None:
    """The arm that a target names, or None where it is a URL. Raises `BadInput` for what is neither or holds a key."""
    for arm in ARMS:
        if name == arm:
            return arm
    url, hash_, model = name.partition("#")
    if not url.startswith(("http://", "https://")) or not hash_ or not model:
        shown = "this target" if "/" in name else f"target {name!r}"  # what was meant as a URL may hold a key
        raise BadInput(f"{shown} is unknown; name legacy, direct or a URL and its model: http://host/v1#MODEL")
    if split_url(url)[1]:
        raise BadInput(f"a target's URL holds a user or a password; put the key into {KEY_VARIABLE}")
    return None


@dataclass(frozen=True, slots=True)
class Stream:
    """The scenario's questions as requests by number.

    Where more are asked for than the scenario has, they begin again for another tenant, who shares no cached answer
    with the one before; an endpoint behind a URL is not told of tenants.
    """

    workload: Workload
    asked: list[Asked]
    deadline_s: float

    def request(self, number: int) -> Request:
        again, place = divmod(number, len(self.asked))
        request = self.workload.request(self.asked[place].item, deadline_s=self.deadline_s)
        return replace(request, scope=(*request.scope, ("tenant", str(again)))) if again else request


def as_in_trace(trace: Trace, deadline_s: float) -> Ask | None:
    """Requests as long as the trace's, one word a token, that ask for as many tokens; no two alike.

    How many tokens a word is the model's own tokeniser decides, so the prompts' lengths are nearly those of the trace.
    None where the trace does not tell both counts.
    """
    if trace.input_tokens is None or trace.output_tokens is None:
        return None
    inputs, outputs = trace.input_tokens.tolist(), trace.output_tokens.tolist()

    def request(number: int) -> Request:
        text = f"{number}" + " word" * (inputs[number] - 1)
        return Request(
            (Message("user", text),), max_tokens=max(1, outputs[number]), temperature=0.0, deadline_s=deadline_s
        )

    return request


@asynccontextmanager
async def in_process(arm: Arm, scenario: Scenario, folder: Path, ask: Ask, *, whole: bool) -> AsyncIterator[Opened]:
    """One of the scenario's pipelines, with a cache of its own in `folder`."""
    from benchmarks.targets.builtin import open_target, refuse_gaps
    from shared.run import answer, stream

    target, background = open_target(arm, scenario, folder / "cache"), Background()
    pipeline = target.pipeline

    async def send(number: int) -> Reply:
        request, first_at, got = ask(number), None, None
        try:
            if whole:
                got = await answer(pipeline, request, background)
            else:
                async with aclosing(stream(pipeline, request, background)) as items:
                    async for item in items:
                        if isinstance(item, Answer):
                            got = item
                        elif first_at is None:
                            first_at = now()
        except CrossoverError as error:
            refuse_gaps(error.steps)
            return Reply(first_at, None, _said(error))
        refuse_gaps(got.steps if got else [])
        return Reply(first_at, got.completion.usage.output_tokens if got else None)

    notes = target.notes
    if not target.hardware and any(place.startswith("recorded:") for place in scenario.places.values()):
        notes = (*notes, AT_ONCE)
    try:
        yield Opened(send, "emulated" if target.hardware else "measured", notes)
        await background.drain()
    finally:
        await pipeline.aclose()


@asynccontextmanager
async def at_url(name: str, ask: Ask, *, whole: bool) -> AsyncIterator[Opened]:
    """An endpoint, asked once beforehand. Raises `BadInput` where it does not answer that."""
    from shared.backends.http import HttpBackend

    url, _, model = name.partition("#")
    backend = HttpBackend(url, model, connections=connections())
    send = _sender(backend, ask, whole=whole)
    try:
        reply = await send(0)
        if reply.error:
            raise BadInput(f"the first request was not answered, so nothing was measured: {reply.error}")
        emulated = await emulation(url, model)
        yield Opened(send, "emulated", (emulated,)) if emulated else Opened(send, "measured")
    finally:
        await backend.aclose()


async def emulation(url: str, model: str) -> str | None:
    """What an endpoint that emulates hardware says of itself in its list of models; None where none says so.

    The key is not sent. An endpoint need not have the list: whatever goes wrong with it is no word of emulation.
    """
    import aiohttp

    from shared.backends.openai_dialect import split_url

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=LIST_S)) as session,
            session.get(f"{split_url(url)[0]}/models", allow_redirects=False) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MOST_LIST_BYTES:
                    return None
        models: Any = json.loads(body)["data"]
        said = next(each["emulated"] for each in models if each["id"] == model)
    except (aiohttp.ClientError, OSError, ValueError, LookupError, TypeError, StopIteration, RecursionError):
        return None
    if not isinstance(said, str) or not said:
        return None
    return "".join(each for each in " ".join(said.split()) if each.isprintable())[:MOST_SAID]


@asynccontextmanager
async def null(ask: Ask, *, whole: bool, http: bool) -> AsyncIterator[Opened]:
    """What answers at once: over HTTP from a process of its own, or in this one."""
    if not http:
        yield Opened(_sender(GeneratedBackend(1), ask, whole=whole), "measured")
        return
    command = (sys.executable, "-m", "benchmarks.micro.loopback")
    server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=_root())
    try:
        assert server.stdout is not None  # noqa: S101  # it is a pipe
        port = int(await server.stdout.readline())
        async with at_url(f"http://127.0.0.1:{port}/v1#loopback", ask, whole=whole) as opened:
            yield opened
    finally:
        server.kill()
        await server.wait()


def _root() -> Path:
    return Path(__file__).parents[2]


@cache
def connections() -> int:
    """How many requests may be under way at one endpoint: as many as this process may open files for, to a bound."""
    try:
        import resource
    except ImportError:  # not on every system
        return MOST_CONNECTIONS // 8
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST_CONNECTIONS if allowed < 0 else max(1, min(MOST_CONNECTIONS, allowed - LEFT_FOR_OTHERS))


def _sender(backend: Backend, ask: Ask, *, whole: bool) -> Send:
    async def send(number: int) -> Reply:
        request, first_at = ask(number), None
        try:
            async with asyncio.timeout(request.deadline_s):
                if whole:
                    return Reply(None, (await backend.complete(request)).usage.output_tokens)
                async with aclosing(backend.stream(request)) as items:
                    async for item in items:
                        if isinstance(item, Completion):
                            return Reply(first_at, item.usage.output_tokens)
                        if first_at is None:
                            first_at = now()
        except CrossoverError as error:
            return Reply(first_at, None, _said(error))
        except TimeoutError:
            late = DeadlineExceeded(f"no complete answer within {request.deadline_s:g} s; allow more with deadline_s")
            return Reply(first_at, None, _said(late))
        return Reply(first_at, None, "BadAnswer: the stream ended without saying that it was complete")

    return send


def _said(error: CrossoverError) -> str:
    return f"{type(error).__name__}: {error}"

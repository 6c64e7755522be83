"""An emulated endpoint as clients meet it: real HTTP, the official client, ours and LiteLLM, and its own self-test."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from benchmarks import emulate
from benchmarks.commands import emulate as command
from shared.backends.emulated import EmulatedBackend
from shared.backends.generated import GeneratedBackend, filler
from shared.backends.http import HttpBackend
from shared.clock import now
from shared.contract import Backend, Completion, Usage
from shared.errors import BadInput
from shared.hardware.pace import pace
from shared.serving.emulator import EmulatorServer
from shared.serving.serve import listen
from shared.serving.wire import MAX_BODY_BYTES
from tests.emulated_hardware import row
from tests.fakes import ask

ASK: list[Any] = [{"role": "user", "content": "Is it on?"}]
JSON = {"Content-Type": "application/json"}
QUICK: dict[str, Any] = {"first_token_s": 0.002, "prompt_token_s": 0.0, "tok_s": 20_000.0}


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


@asynccontextmanager
async def served(
    inner: Backend | None = None, *, keep_sent: bool = False, **figures: Any
) -> AsyncIterator[tuple[str, openai.AsyncOpenAI]]:
    """The base URL of an emulated endpoint on a free port, and a client of it."""
    backend = EmulatedBackend(inner or GeneratedBackend(), row(**(QUICK | figures)))
    server = EmulatorServer(backend, keep_sent=keep_sent)
    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        await server.start(listening)
        try:
            async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
                yield url, client
        finally:
            await server.aclose()


async def chat(client: openai.AsyncOpenAI, **fields: Any) -> Any:
    asked: dict[str, Any] = {"model": "chip", "messages": ASK, "max_tokens": 20}
    return await client.chat.completions.create(**(asked | fields))


# --- answers ---


@pytest.mark.parametrize("model", ["chip", "Test 8B"])
def test_a_whole_answer(model: str) -> None:
    async def main() -> None:
        async with served() as (_, client):
            answer = await chat(client, model=model)
            assert answer.choices[0].message.content == filler(20)
            assert (answer.choices[0].finish_reason, answer.model, answer.object) == (
                "length",
                model,
                "chat.completion",
            )
            usage = answer.usage
            assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 20, 23)

    run(main)


@pytest.mark.parametrize("with_usage", [False, True])
def test_a_streamed_answer(*, with_usage: bool) -> None:
    async def main() -> None:
        async with served() as (_, client):
            options = {"stream_options": {"include_usage": True}} if with_usage else {}
            chunks = [chunk async for chunk in await chat(client, stream=True, **options)]
            deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
            assert "".join(each.content or "" for each in deltas) == filler(20)
            assert [each.role for each in deltas if each.role] == ["assistant"]
            assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
            assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == [20] * with_usage

    run(main)


def test_our_client_reads_both_forms_alike() -> None:
    async def main() -> None:
        async with served() as (url, _):
            backend = HttpBackend(url, "chip", api_key="")
            request = ask(max_tokens=30)
            whole = await backend.complete(request)
            *pieces, streamed = [item async for item in backend.stream(request)]
            assert isinstance(streamed, Completion)
            assert whole.text == streamed.text == "".join(map(str, pieces)) == filler(30)
            assert whole.usage == streamed.usage == Usage(3, 30)
            await backend.aclose()

    run(main)


@pytest.mark.filterwarnings("ignore")
def test_litellm_takes_it_for_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 tokens: LiteLLM gives up on a stream of 100 identical chunks, which filler text must not be."""
    from shared.backends.litellm import LiteLLMBackend

    monkeypatch.setenv("OPENAI_API_KEY", "none")

    async def main() -> None:
        async with served() as (url, _):
            backend = LiteLLMBackend("openai/chip", api_base=url)
            request = ask(max_tokens=150)
            whole = await backend.complete(request)
            *_, streamed = [item async for item in backend.stream(request)]
            assert isinstance(streamed, Completion)
            assert whole.text == streamed.text == filler(150)
            assert whole.usage == Usage(3, 150)
            await backend.aclose()

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_no_word_of_an_answer_is_on_the_wire_before_its_time(*, stream: bool) -> None:
    async def main() -> None:
        async with served(first_token_s=0.03) as (url, _), aiohttp.ClientSession() as session:
            body = {"model": "chip", "messages": ASK, "max_tokens": 40, "stream": stream}
            begun, received = now(), b""
            async with session.post(f"{url}/chat/completions", json=body) as response:
                async for chunk in response.content.iter_any():
                    assert now() - begun >= 0.03 + (39 / 20_000 if not stream else 0.0)
                    received += chunk
                assert now() - begun >= 0.03 + 39 / 20_000
            assert b"0040" in received

    run(main)


def test_the_record_holds_each_write_with_its_time_and_text() -> None:
    async def main() -> None:
        async with served(keep_sent=True) as (url, client), aiohttp.ClientSession() as session:
            await chat(client)
            async for _ in await chat(client, stream=True):
                pass
            async with session.get(url.removesuffix("/v1") + "/debug/sent") as response:
                whole, streamed = await response.json()
        asked = pace(row(**QUICK))
        assert [length for _, length in whole] == [100]
        assert whole[0][0] >= asked.seconds(3, 20)
        assert streamed[-1][1] == 100
        for at_s, length in streamed:
            assert at_s >= asked.seconds(3, length // 5)

    run(main)


# --- limits and refusals, as OpenAI's API words them ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        ({"model": "llama-70b"}, 404, "model_not_found", "there is no such model here; ask for 'chip'"),
        ({"messages": [{"role": "user", "content": "x" * 81}]}, 400, "context_length_exceeded", "has 21 tokens"),
        ({"messages": []}, 400, None, "at least 1 item"),
        ({"max_tokens": 0}, 400, None, "greater than or equal to 1"),
        ({"logit_bias": {"1": 1}}, 400, None, "logit_bias cannot be honoured"),
        ({"temperature": "hot"}, 400, None, "temperature"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    fields: dict[str, Any], status: int, code: str | None, message: str, *, stream: bool
) -> None:
    async def main() -> None:
        async with served(context_tokens=20) as (_, client):
            with pytest.raises(openai.APIStatusError, match=message) as caught:
                await chat(client, stream=stream, **fields)
            assert (caught.value.status_code, caught.value.code) == (status, code)

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_a_full_server_is_a_429(*, stream: bool) -> None:
    async def main() -> None:
        async with served(first_token_s=30.0, in_flight=1) as (_, client):
            first = asyncio.ensure_future(chat(client))
            while True:  # until the first is inside, the other may be
                second = asyncio.ensure_future(chat(client, stream=stream))
                await asyncio.wait([first, second], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
                done = [each for each in (first, second) if each.done()]
                if done:
                    break
            with pytest.raises(openai.RateLimitError, match="chip has 1 requests under way") as caught:
                await done[0]
            assert (caught.value.status_code, caught.value.code) == (429, "rate_limit_exceeded")
            for each in (first, second):
                each.cancel()
            await asyncio.wait([first, second])

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_an_empty_answer_stays_an_empty_200(*, stream: bool) -> None:
    async def main() -> None:
        async with served(context_tokens=2, beyond_context="empty") as (_, client):
            if stream:
                chunks = [chunk async for chunk in await chat(client, stream=True)]
                assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ""
                assert chunks[-1].choices[0].finish_reason == "stop"
                return
            answer = await chat(client)
            assert (answer.choices[0].message.content, answer.usage.completion_tokens) == ("", 0)

    run(main)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_frees_its_place(*, stream: bool) -> None:
    async def main() -> None:
        async with served(tok_s=1.0, in_flight=1) as (_, client):
            if stream:
                items = await chat(client, stream=True)
                await anext(aiter(items))
                await items.close()
            else:
                with pytest.raises(openai.APITimeoutError):
                    await chat(client, timeout=0.1)
            while True:
                try:
                    await chat(client, max_tokens=1)
                except openai.RateLimitError:
                    await asyncio.sleep(0)
                else:
                    return

    run(main)


def test_a_recording_answers_only_what_was_recorded() -> None:
    async def main() -> None:
        async with served(emulate.open_inner("recorded:qwen-0.5b")) as (_, client):
            with pytest.raises(openai.NotFoundError, match="no answer to this prompt") as caught:
                await chat(client)
            assert caught.value.code == "missing_recording"

    run(main)


def test_the_other_routes() -> None:
    async def main() -> None:
        async with served() as (url, client), aiohttp.ClientSession() as session:
            root = url.removesuffix("/v1")
            models = [each async for each in client.models.list()]
            assert [each.id for each in models] == ["chip", "Test 8B"]
            assert "filler text (generated) stands in for Test 8B on chip" in str(models[0].to_dict()["emulated"])
            async with session.get(f"{root}/healthz") as response:
                assert await response.json() == {"status": "ok"}
            for path in ("/debug/sent", "/v1/nothing"):  # no record is kept, so none is told
                async with session.get(root + path) as response:
                    assert response.status == 404
                    assert (await response.json())["error"]["type"] == "invalid_request_error"
            long = BytesIO(b"x" * (MAX_BODY_BYTES + 1))
            async with session.post(f"{url}/chat/completions", data=long, headers=JSON) as response:
                assert response.status == 413
                assert "error" in await response.json()
            async with session.post(f"{url}/chat/completions", data=b"not json", headers=JSON) as response:
                assert response.status == 400
                assert "the body: Invalid JSON" in (await response.json())["error"]["message"]

    run(main)


# --- the command ---


def test_what_is_assumed_here_comes_before_what_the_catalogue_assumes() -> None:
    hardware = emulate.resolve("hc1", [], emulate.assumed(["first_token_s=0.5", "in_flight=3"]))
    assert (hardware.value("first_token_s"), hardware.value("in_flight")) == (0.5, 3)
    assert hardware.figures["prompt_token_s"].standing == "assumed"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("first_token_s", "--assume first_token_s: write FIGURE=VALUE"),
        ("first_token_s=soon", "--assume first_token_s=soon: write FIGURE=VALUE"),
        (
            "first_token=1",
            "--assume first_token=1: there is no figure 'first_token'; there are first_token_s, .*, watts",
        ),
        ("first_token_s=-1", "first_token_s: -1 will not do"),
        ("tok_s=5", "tok_s is known, 16960"),
    ],
)
def test_a_bad_assumption_is_named(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        emulate.resolve("hc1", [], emulate.assumed([setting]))


def test_what_is_unknown_is_remedied_on_the_command_line() -> None:
    with pytest.raises(
        BadInput, match=r"assume it: --assume first_token_s=\.\.\. --assume prompt_token_s=\.\.\."
    ) as error:
        emulate.resolve("deepinfra-8b", [], {})
    assert "[assume." not in str(error.value)


@pytest.mark.parametrize("model", ["local:qwen", "generated:many", "qwen"])
def test_only_answers_that_are_there_at_once_can_be_emulated(model: str) -> None:
    with pytest.raises(BadInput, match=f"--model {model}: it must be recorded:NAME, generated"):
        emulate.open_inner(model)


def test_all_that_the_emulation_rests_on_is_told() -> None:
    hardware = emulate.resolve("hc1", [], {})
    told = "\n".join(emulate.told(EmulatedBackend(GeneratedBackend(), hardware, jitter=0.1)))
    for part in (
        "Llama 3.1 8B, 16,960 tokens/s (vendor-claimed)",
        "stand-in: filler text (generated) stands in for Llama 3.1 8B on hc1",
        "assumed: first_token_s = 0.00126 s (0.0005 to 0.134): ",
        "unknown: in_flight, so it does not bind",
        "jitter: log-normal factor of mean 1 and sigma 0.1",
    ):
        assert part in told


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    return parser.parse_args(["emulate", *words])


PROGRAM = """
import sys
from tests.serving.test_emulate import arguments
args = arguments(*sys.argv[1:])
sys.exit(args.run(args))
"""


def test_the_command_serves_until_interrupted(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[mine]\nname = "Mine"\nmodel = "M 1B"\nweights = "fp16"\nbeyond_context = "refuse"\n'
        + "".join(f'{name} = "unknown"\n' for name in row().figures)
    )
    words = ["mine", "--file", str(file), "--port", "0", "--model", "generated:5"]
    words += [part for each in ("first_token_s=0.001", "prompt_token_s=0", "tok_s=9000") for part in ("--assume", each)]
    with subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60.0, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith("serving mine on "):
                assert line
            body = json.dumps({"model": "mine", "messages": ASK}).encode()
            request = urllib.request.Request(line.split()[-1] + "/chat/completions", body, JSON)  # noqa: S310
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                assert json.load(response)["choices"][0]["message"]["content"] == filler(5)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        finally:
            watchdog.cancel()
            process.kill()

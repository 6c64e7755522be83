"""Every server keeps to its OpenAPI document: schemathesis asks what the document allows, and what it does not.

All of schemathesis' checks, over real HTTP, with a fixed seed. What a document can only say in words (that the last
message must be from the user) the questions are bent to.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from direct_pipeline import app as direct
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import app as legacy
from legacy_pipeline.settings import Settings
from shared.backends.emulated import EmulatedBackend
from shared.backends.generated import GeneratedBackend
from shared.serving import openapi
from shared.serving.emulator import ERRORS as EMULATOR_ERRORS
from shared.serving.emulator import EmulatorServer
from shared.serving.openapi import ChatCompletionChunk, ErrorBody
from shared.serving.serve import config, listen
from tests.emulated_hardware import row
from tests.fakes import ScriptedBackend

TOKEN = "a-token-of-this-test"
REFUSALS = [400, 401, 404, 405, 413, 415]
"""Any of them refuses what the document does not allow; schemathesis itself does not count 413."""


@contextmanager
def _pipeline(app: FastAPI) -> Iterator[str]:
    with listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def serving_direct(_: Path) -> Iterator[str]:
    with _pipeline(direct.create(DirectPipeline(ScriptedBackend()), 30.0)) as url:
        yield url


@contextmanager
def serving_legacy(folder: Path) -> Iterator[str]:
    """With a token, so that both ways are tried."""
    pipeline = legacy.build(folder / "cache", None, ScriptedBackend(), ScriptedBackend(), Settings())
    with _pipeline(legacy.create(pipeline, 30.0, TOKEN)) as url:
        yield url


@contextmanager
def serving_emulator(_: Path) -> Iterator[str]:
    hardware = row(first_token_s=0.0, prompt_token_s=0.0, tok_s=1e6)
    loop = asyncio.new_event_loop()
    server = EmulatorServer(EmulatedBackend(GeneratedBackend(5), hardware), token=TOKEN)
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(server.start(listening), loop).result()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            asyncio.run_coroutine_threadsafe(server.aclose(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


def found(
    url: str, *, examples: int, change: Callable[[dict[str, Any]], None] = lambda _: None
) -> tuple[list[str], int, int]:
    """What all checks say of the server at `url`, held to its document after `change`; how much they asked, and how
    many streams they got."""
    import httpx
    import schemathesis
    from schemathesis.config import SchemathesisConfig
    from schemathesis.engine import events, from_schema

    document = httpx.get(f"{url}/openapi.json").json()
    change(document)
    settings = SchemathesisConfig.from_dict(
        {
            "seed": 7,
            "base-url": url,
            "auth": {"openapi": {"token": {"bearer": TOKEN}}} if "security" in document else {},
            "generation": {"deterministic": True, "max-examples": examples, "database": "none"},
            "cache": {"enabled": False},
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        }
    )
    schema = schemathesis.openapi.from_dict(document, config=settings)
    schema.hook("map_case")(_bent)
    failures, asked, streams = [], 0, 0
    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            asked += len(event.recorder.cases)
            for sent in event.recorder.interactions.values():
                if sent.response and sent.response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
                    streams += 1
                    failures += _unlike_events(sent.response.content)
            checks = [check for those in event.recorder.checks.values() for check in those]
            failures += [f"{check.name}: {check.failure_info.failure}" for check in checks if check.failure_info]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(f"{type(event).__name__}: {vars(event)}")
    return failures, asked, streams


def _unlike_events(content: bytes) -> list[str]:
    """What is no event of the document: what schemathesis does not check. A stream is pieces, then its end."""
    *events, end, rest = content.split(b"\n\n")
    kinds = (ChatCompletionChunk, ErrorBody)
    wrong = [str(event) for event in events if not any(_is(kind, event.removeprefix(b"data: ")) for kind in kinds)]
    return wrong + ([] if (end, rest) == (b"data: [DONE]", b"") and events else [f"a stream ends with {end!r}"])


def _is(kind: type[BaseModel], event: bytes) -> bool:
    try:
        kind.model_validate_json(event, strict=True, extra="forbid")
    except ValidationError:
        return False
    return True


def _bent(_: Any, case: Any) -> Any:
    """Asked as a user, and to be streamed where that is left open and the number of messages is odd."""
    if not isinstance(case.body, dict):
        return case
    messages = case.body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if case.body.get("stream") is None and isinstance(messages, list) and len(messages) % 2:
        case.body["stream"] = True
    if isinstance(last, dict) and last.get("role") in ("system", "developer", "assistant"):
        last["role"] = "user"
    return case


@pytest.mark.parametrize("server", [serving_direct, serving_legacy, serving_emulator])
def test_a_server_keeps_to_its_document(server: Any, tmp_path: Path) -> None:
    with server(tmp_path) as url:
        failures, asked, streams = found(url, examples=40)
    assert failures == []
    assert asked > 250
    assert streams > 20


def _allow_more(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ChatRequest"]["properties"]["n"]["anyOf"][0] = {"type": "integer"}


def _allow_less(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["ChatRequest"]["properties"]["seed"]["anyOf"][0]["exclusiveMaximum"] = 10


def _tell_less(document: dict[str, Any]) -> None:
    del document["paths"]["/v1/chat/completions"]["post"]["responses"]["400"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (_allow_more, "positive_data_acceptance"),
        (_allow_less, "negative_data_rejection"),
        (_tell_less, "status_code_conformance"),
    ],
)
def test_a_document_that_is_not_kept_to_is_found_out(change: Any, check: str, tmp_path: Path) -> None:
    with serving_direct(tmp_path) as url:
        failures, *_ = found(url, examples=5, change=change)
    assert check in {failure.partition(":")[0] for failure in failures}


def test_a_document_names_its_models_and_its_refusals_only() -> None:
    document = openapi.document("t", ["one", "two"], EMULATOR_ERRORS, token=False)
    assert document["components"]["schemas"]["ChatRequest"]["properties"]["model"]["enum"] == ["one", "two"]
    statuses = set(document["paths"]["/v1/chat/completions"]["post"]["responses"])
    assert statuses == {"200", *map(str, EMULATOR_ERRORS)} - {"401"}
    assert "security" not in document

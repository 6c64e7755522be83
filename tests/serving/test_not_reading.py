"""A client that asks for a stream and then does not read it: its model stops at the deadline all the same."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from direct_pipeline import app as direct
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import app as legacy
from legacy_pipeline.settings import Settings
from shared.contract import Backend
from tests.fakes import HANG, Script, ScriptedBackend
from tests.serving.test_app import ASK, Watched, run, served

DEADLINE_S = 1.0


def _direct(backend: Backend, _: Path) -> FastAPI:
    return direct.create(DirectPipeline(backend), DEADLINE_S)


def _legacy(backend: Backend, folder: Path) -> FastAPI:
    return legacy.create(legacy.build(folder, None, ScriptedBackend(), backend, Settings()), DEADLINE_S)


@pytest.mark.parametrize(("name", "serve"), [("direct", _direct), ("legacy", _legacy)])
def test_a_client_that_does_not_read_has_until_the_deadline(
    name: str, serve: Callable[[Backend, Path], FastAPI], tmp_path: Path
) -> None:
    """More is sent than sockets hold, so that sending waits for the client; the legacy arm fetches it ahead."""

    async def main() -> None:
        backend = Watched([Script([*[(0.0, "words " * 2000)] * 3000, (HANG, "never")])])
        app = serve(backend, tmp_path / "cache")
        async with served(app) as url:
            with _asking(url, {"model": name, "messages": ASK, "stream": True}):
                await backend.begun.wait()
                assert backend.running == 1
                await backend.over.wait()
                assert backend.running == 0

    run(main)


@contextmanager
def _asking(url: str, body: dict[str, Any]) -> Iterator[None]:
    """A client that sends this and reads nothing."""
    content = json.dumps(body)
    lines = ("POST /v1/chat/completions HTTP/1.1", "Host: h", "Content-Type: application/json")
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as connection:
        connection.sendall("\r\n".join((*lines, f"Content-Length: {len(content)}", "", content)).encode())
        yield

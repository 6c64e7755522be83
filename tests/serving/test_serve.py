"""The commands that serve, and the sockets they listen on: who may ask, what a wrong address is told, what is left."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cli, serving
from benchmarks.scenario import load
from benchmarks.targets.builtin import BuiltinTarget
from shared.contract import Request
from shared.errors import BadInput
from shared.serving.serve import listen
from shared.steps import Recorder

TOKEN = "a-token-of-these-tests"


@contextmanager
def running(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process of its own, and the base URL that it printed."""
    command = [sys.executable, "-m", "benchmarks", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        watchdog = threading.Timer(60.0, process.kill)  # ends a wait for a line, which has no limit
        watchdog.start()
        try:
            assert process.stdout is not None
            while not (line := process.stdout.readline()).startswith("serving "):
                assert line
            yield process, line.split()[-1]
        finally:
            watchdog.cancel()
            process.kill()


def models(url: str, token: str = "") -> tuple[int, list[str]]:
    request = urllib.request.Request(f"{url}/models", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, [each["id"] for each in json.load(response)["data"]]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, []


@pytest.mark.parametrize(
    ("words", "served"),
    [(["serve", "direct"], "direct"), (["serve", "legacy"], "legacy"), (["emulate", "hc1"], "hc1")],
)
def test_a_command_serves_whoever_has_its_token_until_interrupted(
    words: list[str], served: str, tmp_path: Path
) -> None:
    """Also at an address that only the token permits."""
    words += ["--host", "0.0.0.0", "--port", "0", "--token-env", "THE_TOKEN"]  # noqa: S104
    with running(words, {"THE_TOKEN": TOKEN, "TMPDIR": str(tmp_path)}) as (process, said):
        url = said.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        assert models(url) == models(url, "another-token-of-no-use") == (401, [])
        status, found = models(url, TOKEN)
        assert (status, found[0]) == (200, served)
        assert [each.name[:10] for each in tmp_path.iterdir()] == ["crossover-"] * (served == "legacy")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    assert not list(tmp_path.iterdir())


class Watched:
    """A pipeline that tells whether it was closed."""

    closed = False

    def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        raise AssertionError("nobody asks")

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("failing", ["direct_pipeline.app.create", "shared.serving.serve.serve"])
def test_what_was_opened_is_closed_whatever_fails_afterwards(
    failing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, listening = Watched(), []

    def listened(*asked: Any) -> socket.socket:
        listening.append(listen(*asked))
        return listening[0]

    def fail(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(serving, "open_target", lambda arm, *_: BuiltinTarget(arm, pipeline, {}, {}, ("it is slow",)))
    monkeypatch.setattr("shared.serving.serve.listen", listened)
    monkeypatch.setattr(failing, fail)
    with pytest.raises(RuntimeError, match="broken"):
        serving.serve_arm("direct", load(None), "127.0.0.1", 0)
    assert pipeline.closed
    assert listening[0].fileno() == -1
    assert capsys.readouterr().err == "note: it is slow\n"


def test_a_legacy_server_without_a_classifier_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shared.serving.serve.serve", lambda *_: None)
    models = ("--small", "recorded:smollm2-135m", "--large", "recorded:qwen-0.5b")
    assert cli.main(["serve", "legacy", "--port", "0", *models]) == 0
    assert "note: no classifier is trained for smollm2-135m and qwen-0.5b" in capsys.readouterr().err


def test_what_is_written_is_sent_at_once() -> None:
    """Without it a whole answer waits for the other side's acknowledgement, 40 ms on loopback."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1 port {port}: Address already in use.*; choose another --port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        ("nowhere.invalid", 0, r"cannot listen on nowhere\.invalid port 0: .*; name an address .* with --host"),
        ("x" * 70, 0, "cannot listen on x+ port 0: .*; name an address of this machine with --host"),
        ("192.0.2.1", 0, r"cannot listen on 192\.0\.2\.1 port 0: .*; name an address of this machine with --host"),
        ("127.0.0.1", 99999, "--port 99999: it must lie in"),
        ("127.0.0.1", -1, "--port -1: it must lie in"),
    ],
)
def test_an_address_that_cannot_be_had_is_an_error_with_its_remedy(host: str, port: int, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        listen(host, port)

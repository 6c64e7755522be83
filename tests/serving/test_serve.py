"""Running an app on a port: a free one is found and printed, a taken one is an error that says so."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from shared.errors import BadInput
from shared.serving.serve import listen, serve

PROGRAM = """
from direct_pipeline.app import create
from direct_pipeline.pipeline import DirectPipeline
from shared.serving.serve import serve
from tests.fakes import ScriptedBackend
serve(create(DirectPipeline(ScriptedBackend()), 30.0), port=0)
"""


def test_what_is_written_is_sent_at_once() -> None:
    """Without it a whole answer waits for the other side's acknowledgement, 40 ms on loopback."""
    with listen("127.0.0.1", 0) as listening:
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"127.0.0.1 port {port}: Address already in use.*; choose another"):
            serve(None, port=port)  # type: ignore[arg-type]


@pytest.mark.parametrize(("host", "port"), [("nowhere.invalid", 0), ("127.0.0.1", 99999), ("127.0.0.1", -1)])
def test_an_address_that_cannot_be_had_is_an_error(host: str, port: int) -> None:
    with pytest.raises(BadInput, match=r"cannot listen on nowhere\.invalid|must lie in"):
        listen(host, port)


def test_it_serves_until_interrupted() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(60.0, process.kill)  # ends a wait for its first line, which has no limit
        watchdog.start()
        try:
            assert process.stdout is not None
            words = process.stdout.readline().split()
            assert words[:2] == ["serving", "on"]
            with urllib.request.urlopen(f"{words[2]}/models", timeout=10) as response:  # noqa: S310
                assert json.load(response)["data"][0]["id"] == "direct"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
        finally:
            watchdog.cancel()
            process.kill()

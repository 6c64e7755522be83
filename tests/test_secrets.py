"""Keys are planted everywhere a key can be, before an upstream that repeats them; then every output is searched.

Outputs are what the commands print, and log at DEBUG while they ask; every file they leave: reports, rows, recordings,
the cache's database; and what a server of ours prints and answers. Which message says what is tested beside each
backend and target.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote

import pytest
from aiohttp import web

from benchmarks.cli import main
from tests.openai_server import whole
from tests.targets.endpoint import Endpoint, serving, write_workload

ENVIRONMENT = {
    "CROSSOVER_API_KEY": "sk-planted/crossover+0001",
    "OPENAI_API_KEY": "sk-planted/openai+0002",
    "SERVICE_KEY": "sk-planted/service+0003",
    "SERVER_TOKEN": "sk-planted/server+00000004",
}
QUERY, HEADER, BODY = "sk-planted-query-0005", "sk-planted/header+0006", "sk-planted/body+0007"
"""Written into the scenario file itself."""
PLANTED = (*ENVIRONMENT.values(), QUERY, HEADER, BODY)


class Repeating(Endpoint):
    """Answers one request in three. The others fail, and all that came with them stands in the failure."""

    def __init__(self) -> None:
        super().__init__()
        self.came = ""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.read()).decode()
        came = " ".join([request.query_string, *request.headers.values(), asked])
        keys = " ".join(secret for secret in PLANTED if secret in came)
        self.came += keys
        self.asked.append(asked)
        number, openai = len(self.asked), request.path.endswith("/chat/completions")
        if number % 3 == 0:
            return web.json_response(whole("2") if openai else {"result": {"text": "2"}})
        error = {"error": {"message": f"Incorrect API key: {keys}", "code": keys, "type": keys, "param": keys}}
        html, headers = f"<html>{keys}</html>", {"Retry-After": keys, "X-Seen": keys}
        return (
            web.json_response(error, status=401, reason=f"Unauthorized {keys}"),
            web.Response(text=html, status=500, content_type="text/html", headers=headers),
            web.json_response(error, status=429, headers=headers),
            web.Response(text=keys, content_type="application/json"),
            web.json_response(error),
            web.Response(status=307, headers={"Location": f"/elsewhere?key={keys}"}),
            web.Response(text=f"data: {json.dumps(error)}\n\n", content_type="text/event-stream"),
        )[number % 7]


@pytest.fixture
def upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Repeating]:
    monkeypatch.chdir(tmp_path)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.DEBUG)
    write_workload(tmp_path / "sums")
    repeating = Repeating()
    with serving(repeating):
        monkeypatch.setenv("OPENAI_BASE_URL", f"{repeating.url}/v1")
        yield repeating


def spellings(secret: str) -> set[str]:
    """As it is, in a URL, in JSON, in base64, and as Python shows its bytes."""
    return {
        secret,
        quote(secret),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        repr(secret)[1:-1],
    }


def leaks(*outputs: str | bytes | Path) -> list[str]:
    """Where a planted key is found: in a text, or in any file of a folder, its name included."""
    needles = {spelling.encode() for secret in PLANTED for spelling in spellings(secret)}
    found = []
    for output in outputs:
        if isinstance(output, Path):
            assert output.exists(), output
            for file in sorted(each for each in output.rglob("*") if each.is_file()):
                data = file.read_bytes()
                data = gzip.decompress(data) if file.suffix == ".gz" else data
                found += [f"{file.name}: {needle!r}" for needle in needles if needle in data + str(file).encode()]
        else:
            data = output.encode() if isinstance(output, str) else output
            found += [f"{data[:80]!r}: {needle!r}" for needle in needles if needle in data]
    return found


def printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> str:
    out, err = capfd.readouterr()
    return out + err + caplog.text


def test_the_search_finds_a_key_in_every_kind_of_output(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(gzip.compress(f"x {quote(QUERY)}".encode()))
    (tmp_path / "cache.db").write_bytes(b"\0\1" + HEADER.encode() + b"\2")
    assert len(leaks(tmp_path)) == 2
    assert leaks(f"Bearer {base64.b64encode(BODY.encode()).decode()}")
    assert not leaks("nothing here")


SERVICES = """[traffic]
workload = "sums"
[legacy]
kind = "http"
url = "{url}/answer?key={query}"
headers = {{ X-Key = "Bearer ${{SERVICE_KEY}}", X-More = "{header}" }}
body = {{ q = "{{{{input}}}}", key = "${{SERVICE_KEY}}", more = "{body}" }}
response.text = "result.text"
[direct]
kind = "http"
base_url = "{url}/v1"
model = "m"
"""


def test_two_services_compared(
    upstream: Repeating, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "out"
    file.write_text(SERVICES.format(url=upstream.url, query=QUERY, header=HEADER, body=BODY))
    assert main(["check", str(file)]) == 0
    assert main(["compare", str(file), "--dry-run"]) == 0
    assert main(["compare", str(file), "--out", str(out)]) == 0
    for number in ("0", "1", "2"):
        assert main(["explain", str(out), number]) == 0
    for secret in (QUERY, HEADER, BODY, ENVIRONMENT["SERVICE_KEY"], ENVIRONMENT["CROSSOVER_API_KEY"]):
        assert secret in upstream.came, "a key that was not sent cannot leak"
    assert '"error"' in (out / "requests.jsonl").read_text()
    assert leaks(out, printed(capfd, caplog)) == []


def test_nobody_there(
    tmp_path: Path, upstream: Repeating, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    file, out = tmp_path / "mine.toml", tmp_path / "out"
    file.write_text(SERVICES.format(url=url, query=QUERY, header=HEADER, body=BODY))
    assert main(["compare", str(file), "--out", str(out), "--limit", "2"]) == 2
    told = printed(capfd, caplog)
    assert "answered nothing" in told
    assert leaks(out, told) == []


@pytest.mark.parametrize(
    "command",
    [
        "load http://me:{key}@127.0.0.1:1/v1#m",
        "load http://127.0.0.1:1/v1?key={key}",
        "compare --direct https://me:{key}@127.0.0.1:1/v1#m",
        "compare --direct http:http://127.0.0.1:1/v1?key={key}#m",
        "record --model https://me:{key}@127.0.0.1:1/v1#m",
        "serve direct --token-env {key}",
        "check mistaken.toml",
    ],
)
def test_a_key_where_none_belongs_is_refused_and_not_repeated(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    mistaken = f'[direct]\nkind = "http"\nbase_url = "http://127.0.0.1:1/v1"\nmodel = "m"\napi_key_env = "{QUERY}"\n'
    (tmp_path / "mistaken.toml").write_text(mistaken)
    assert main(command.format(key=QUERY).split()) == 2
    told = capfd.readouterr()
    assert "crossover: " in told.err
    assert leaks(told.out + told.err) == []


BUILTIN = """[traffic]
workload = "sums"
[legacy]
small = "http:{url}/v1#small"
large = "litellm:openai/large"
[direct]
model = "http:{url}/v1#fast"
"""


def test_both_pipelines_compared(
    upstream: Repeating, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file, out = tmp_path / "mine.toml", tmp_path / "out"
    file.write_text(BUILTIN.format(url=upstream.url))
    assert main(["compare", str(file), "--out", str(out), "--limit", "12"]) == 0
    assert ENVIRONMENT["OPENAI_API_KEY"] in upstream.came
    assert leaks(out, printed(capfd, caplog)) == []


def test_a_model_recorded(
    upstream: Repeating, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    model = f"http:{upstream.url}/v1#m"
    assert main(["record", "--model", model, "--workload", str(tmp_path / "sums"), "--part", "test"]) == 1
    recordings = tmp_path / "sums" / "recordings"
    assert list(recordings.iterdir())
    assert ENVIRONMENT["CROSSOVER_API_KEY"] in upstream.came
    assert leaks(recordings, printed(capfd, caplog)) == []


def test_a_model_under_load(
    upstream: Repeating, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "load"
    asked = ["--requests", "30", "--rate", "100", "--out", str(out), "--json"]
    main(["load", f"{upstream.url}/v1#m", *asked])
    main(["load", f"{upstream.url}/v1#m", *asked, "--whole"])
    assert ENVIRONMENT["CROSSOVER_API_KEY"] in upstream.came
    assert leaks(out, printed(capfd, caplog)) == []


# A server of ours


@contextmanager
def served(file: Path, cache: Path) -> Iterator[tuple[str, list[str]]]:
    """`crossover serve legacy`, its URL, and a list that holds all that it printed once it has ended."""
    command = [sys.executable, "-m", "benchmarks", "serve", "legacy", str(file), "--port", "0"]
    command += ["--cache", str(cache), "--token-env", "SERVER_TOKEN"]
    told: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        watchdog = threading.Timer(60.0, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                told.append(line)
                if url := re.search(r"http://\S+/v1", line):
                    yield url[0], told
                    break
            process.send_signal(signal.SIGINT)
            told.append(process.stdout.read())
        finally:
            watchdog.cancel()
            process.kill()


def ask(url: str, token: str, **fields: Any) -> tuple[int, str]:
    """Status, and headers and body as one text."""
    body = {"model": "legacy", "messages": [{"role": "user", "content": "1 + 1"}]} | fields
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, f"{response.headers}{response.read().decode()}"
    except HTTPError as error:
        return error.code, f"{error.headers}{error.read().decode()}"


def test_a_server_before_a_failing_upstream(upstream: Repeating, tmp_path: Path) -> None:
    file, cache = tmp_path / "mine.toml", tmp_path / "cache"
    file.write_text(BUILTIN.format(url=upstream.url).replace("litellm:openai/large", f"http:{upstream.url}/v1#large"))
    token = os.environ["SERVER_TOKEN"]
    with served(file, cache) as (url, told):
        answers = [ask(url, token, stream=number % 2 == 1, seed=number) for number in range(20)]
        refused = [
            ask(url, "wrong"),
            ask(url, token[:-1]),
            ask(url, token, model=token),
            ask(url, token, user=BODY * 99),
        ]
    statuses = {status for status, _ in answers}
    assert {200, 502} <= statuses or {200, 503} <= statuses, statuses
    assert [status for status, _ in refused[:2]] == [401, 401]
    assert ENVIRONMENT["CROSSOVER_API_KEY"] in upstream.came
    assert list(cache.rglob("*.db"))
    assert leaks(cache, *told, *(text for _, text in [*answers, *refused])) == []

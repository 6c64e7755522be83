"""The page over real HTTP: it labels, asks nobody else for anything, and takes no orders from other sites."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.labelling.page import PAGE
from benchmarks.labelling.pairs import read
from benchmarks.labelling.session import Session
from tests.labelling.runs import differing


class Site:
    """A running `crossover label --page` and how to talk to it."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = None if body is None else json.dumps(body)
        given = {"Content-Type": "application/json"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection.request(method, path, sent, given)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text, {name.lower(): value for name, value in response.getheaders()}

    def token(self) -> str:
        found = re.search(r'const token = "([^"]+)"', self.ask("GET", "/")[1])
        assert found
        return found[1]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return differing(tmp_path_factory.mktemp("run"), 4, equal=2)


@pytest.fixture(scope="module")
def site(directory: Path) -> Iterator[Site]:
    command = [sys.executable, "-m", "benchmarks", "label", str(directory), "--page"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert found
            yield Site(process, int(found[1]))
        finally:
            process.kill()


def test_other_sites_cannot_label(site: Site, directory: Path) -> None:
    before = (directory / "labels.jsonl").read_bytes()
    _, text, _ = site.ask("GET", "/next")
    body = {"pair": json.loads(text)["pair"], "choice": "left"}
    assert site.ask("POST", "/label", body)[0] == 403
    assert site.ask("POST", "/label", body, X_Token="guessed")[0] == 403
    for path in ("/", "/next"):
        assert site.ask("GET", path, Host="evil.example")[0] == 400
    assert site.ask("POST", "/label", body, X_Token=site.token(), Host="evil.example")[0] == 400
    for headers in ({}, {"X_Token": "guessed"}):
        assert site.ask("POST", "/undo", {}, **headers)[0] == 403
    assert (directory / "labels.jsonl").read_bytes() == before


def test_a_file_that_was_spoilt_is_named_and_the_page_goes_on(site: Site, directory: Path) -> None:
    file = directory / "labels.jsonl"
    before = file.read_text()
    file.write_text(before.replace('"sample": 4', '"sample": null'))
    status, text, _ = site.ask("GET", "/next")
    assert (status, "its sample is None" in text) == (400, True)
    file.write_text(before)
    assert site.ask("GET", "/next")[0] == 200


def test_the_last_label_can_be_taken_back(site: Site, directory: Path) -> None:
    token, first = site.token(), json.loads(site.ask("GET", "/next")[1])
    status, text, _ = site.ask("POST", "/undo", {}, X_Token=token)
    assert (status, "nothing to undo" in text) == (400, True)
    site.ask("POST", "/label", {"pair": first["pair"], "choice": "same"}, X_Token=token)
    assert json.loads(site.ask("POST", "/undo", {}, X_Token=token)[1]) == first
    assert not Session(read(directory)).labels().said


def test_what_is_no_label_is_refused(site: Site, directory: Path) -> None:
    before = (directory / "labels.jsonl").read_bytes()
    token = site.token()
    assert site.ask("POST", "/label", {"pair": 10**6, "choice": "left"}, X_Token=token)[0] == 400
    wrong: tuple[Any, ...] = ({"pair": 0, "choice": "direct"}, {"pair": "0", "choice": "left"}, {"pair": 0}, [], "left")
    for each in wrong:
        assert site.ask("POST", "/label", each, X_Token=token)[0] == 422
    assert (directory / "labels.jsonl").read_bytes() == before


def test_the_page_is_blind_and_needs_nothing_from_elsewhere(site: Site) -> None:
    status, html, headers = site.ask("GET", "/")
    assert status == 200
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "{{token}}" not in html
    assert not re.search(r"(?:src|href)=\"(?!data:,\")|https?:|//[a-z]|@import|url\(", html)
    assert "innerHTML" not in html
    shown = json.loads(site.ask("GET", "/next")[1])
    assert not re.search(r"legacy|direct|model|cost|score", json.dumps(shown))
    assert set(shown) & {"left", "right"} == {"left", "right"}


def test_the_page_fits_a_telephone_and_a_keyboard() -> None:
    html = PAGE.read_text()
    assert 'name="viewport"' in html
    assert "@media (max-width: 40rem)" in html
    assert re.findall(r'data-key="(.)"', html) == ["1", "2", "s", "b", "k", "u"]
    assert all(re.sub("<.*?>", "", label).strip() for label in re.findall(r"<button.*?>(.*?)</button>", html))


def test_labels_reach_the_file_and_no_figures_are_shown_at_the_end(site: Site, directory: Path) -> None:
    token, done = site.token(), 0
    shown = json.loads(site.ask("GET", "/next")[1])
    while shown["pair"] is not None:
        assert (shown["done"], shown["sample"]) == (done, 4)
        side = "left" if shown["left"].startswith("new") else "right"
        status, text, _ = site.ask("POST", "/label", {"pair": shown["pair"], "choice": side}, X_Token=token)
        assert status == 200
        shown, done = json.loads(text), done + 1
    assert set(Session(read(directory)).labels().said.values()) == {"direct"}
    site.process.send_signal(signal.SIGINT)
    assert site.process.stdout is not None
    told = site.process.stdout.read()
    assert "4 of 4 labelled; --status shows the figures" in told
    assert "better" not in told
    assert site.process.wait(timeout=20) == 0

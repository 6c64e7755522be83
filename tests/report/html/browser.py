"""A real Chromium for the page. Whatever the page asks the network for or its console complains of is a failure."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

Open = Callable[..., AbstractContextManager["Page"]]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module; they are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    found = shutil.which("chromium")
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Open:
    """`with opened(file, width=375, color_scheme="dark") as page`: the file from disk, and nothing but it."""

    @contextmanager
    def open_(file: Path, *, width: int = 1280, anchor: str = "", **context: Any) -> Iterator[Page]:
        complaints: list[str] = []
        url = file.resolve().as_uri()

        def asked(request: Request) -> None:
            if not request.url.startswith((url, "data:", "blob:")):
                complaints.append(f"asked for {request.url}")

        def said(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                complaints.append(message.text)

        made = chromium.new_context(viewport={"width": width, "height": 900}, offline=True, **context)
        page = made.new_page()
        page.on("request", asked)
        page.on("pageerror", lambda error: complaints.append(f"threw {error}"))
        page.on("console", said)
        try:
            page.goto(url + anchor)
            yield page
        finally:
            made.close()
        assert not complaints, complaints

    return open_

"""Servers in a thread of their own, for comparisons that run a loop of their own, and a small workload to ask them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.openai_server import whole

TASKS = """[sums]
scorer = "numeric"
instruction = "Add."
"""
ITEM = (
    '{{"id": "s{0}", "group": "g{0}", "input": "{0} + 1", "reference": {1}, '
    '"author": "a", "source": "own", "licence": "x"}}\n'
)


def write_workload(folder: Path, items: int = 30) -> Path:
    """About half of the items fall into the test split."""
    folder.mkdir()
    (folder / "tasks.toml").write_text(TASKS)
    (folder / "sums.jsonl").write_text("".join(ITEM.format(number, number + 1) for number in range(items)))
    return folder


class Endpoint:
    """Adds; `asked` and `headers` hold what came. `/html`, `/404` and `/half` misbehave; `/raw` gives `raw`."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.app = web.Application()
        self.app.router.add_route("*", "/{what:.*}", self._answer)
        self.url = self.raw = ""

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body: Any = await request.json() if request.can_read_body else dict(request.query)
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        what = request.match_info["what"]
        if what == "v1/chat/completions":
            return web.json_response(whole(added(body["messages"][-1]["content"])))
        if what == "html":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if what == "markup":
            return web.Response(text="<html>Sign in</html>", content_type="application/json")
        if what == "text":
            return web.Response(text="42")
        if what.startswith("raw"):
            return web.Response(text=self.raw, content_type="application/json")
        if what == "half":
            return web.json_response({"result": {"answers": []}})
        if what == "hangs":
            await asyncio.Event().wait()
        if what.isdecimal():
            return web.json_response({}, status=int(what))
        text = added(str(body["q"]))
        usage = {"in": 10, "out": 2, "cost": 0.25}
        stage = "cache" if len(self.asked) % 2 == 0 else "large"
        return web.json_response({"result": {"answers": [{"text": text}], "from": stage}, "usage": usage})


def added(text: str) -> str:
    return str(sum(int(each) for each in text.split(" + ")))


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[Endpoint]:
    """The endpoint on a free port of this machine."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    runner = web.AppRunner(endpoint.app, access_log=None, handler_cancellation=True, shutdown_timeout=0.01)

    async def serve() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        await done.wait()  # an event, since `loop.stop` is lost on a loop that is just about to go on
        await runner.cleanup()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(10)
        yield endpoint
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()

"""Label in the browser: one page on this machine, which asks for nothing from anywhere else.

It writes, so it answers only to its own address in `Host` (another site's name that points here is refused), and takes
a label only with the token that it put into the page itself, which another site cannot read.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict
from starlette.middleware.trustedhost import TrustedHostMiddleware

from benchmarks.labelling.session import Choice, Session
from shared.errors import BadInput

PAGE: Final = Path(__file__).with_name("page.html")
FOREIGN: Final = "reload the page: it is not of this run of crossover label\n"
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'nonce-{token}'; style-src 'nonce-{token}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Said(BaseModel):
    """One label from the page."""

    model_config = ConfigDict(extra="forbid", strict=True)

    pair: int
    choice: Choice


def create(session: Session) -> FastAPI:
    """The app. Its endpoints are plain functions: they read and write a file, off the event loop."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"], www_redirect=False)
    token = secrets.token_urlsafe(32)
    html = PAGE.read_text(encoding="utf-8").replace("{{token}}", token)
    headers = {name: value.replace("{token}", token) for name, value in HEADERS.items()}

    @app.exception_handler(BadInput)
    def refused(_: Request, error: Exception) -> Response:
        return Response(f"{error}\n", 400)

    def foreign(request: Request) -> bool:
        return not secrets.compare_digest(request.headers.get("x-token", "").encode(), token.encode())

    @app.get("/")
    def page() -> Response:
        return Response(html, media_type="text/html; charset=utf-8", headers=headers)

    @app.get("/next")
    def following() -> dict[str, Any]:
        return _following(session)

    @app.post("/label", response_model=None)
    def label(said: Said, request: Request) -> Response | dict[str, Any]:
        if foreign(request):
            return Response(FOREIGN, 403)
        session.say(said.pair, said.choice)
        return _following(session)

    @app.post("/undo", response_model=None)
    def undo(request: Request) -> Response | dict[str, Any]:
        if foreign(request):
            return Response(FOREIGN, 403)
        if not session.undo():
            raise BadInput("nothing to undo: no label was given since crossover label was started")
        return _following(session)

    return app


def _following(session: Session) -> dict[str, Any]:
    pair = session.next()
    labels = session.labels()
    return session.shown(pair) if pair else {"pair": None, "done": len(labels.said), "sample": labels.sample}


def serve(session: Session) -> None:
    """Print the address and serve until interrupted."""
    import uvicorn

    from shared.serving.serve import listen

    with listen("127.0.0.1", 0) as listening:
        print(f"label at http://127.0.0.1:{listening.getsockname()[1]}/ and stop with Ctrl-C", flush=True)
        config = uvicorn.Config(create(session), access_log=False, log_level="warning", ws="none", server_header=False)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])

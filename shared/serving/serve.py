"""Run an app on a port of this machine until it is interrupted."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.errors import BadInput

if TYPE_CHECKING:
    from fastapi import FastAPI


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0 means any free one. Raises `BadInput` where the address cannot be had."""
    if not 0 <= port <= 65535:
        raise BadInput(f"port is {port}; it must lie in [0, 65535], and 0 means any free one")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio sets it only on sockets that it made: without it a whole answer waits 40 ms for an acknowledgement
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise BadInput(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another port, or 0 for any free one"
        ) from None


def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Print the base URL and serve until interrupted; answers under way get ten seconds. Raises `BadInput`."""
    import uvicorn

    with listen(host, port) as listening:
        shown = f"[{host}]" if ":" in host else host
        print(f"serving on http://{shown}:{listening.getsockname()[1]}/v1", flush=True)
        config = uvicorn.Config(app, access_log=False, log_level="warning", ws="none", timeout_graceful_shutdown=10)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])

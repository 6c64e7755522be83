"""Run an app on a port of this machine until it is interrupted.

uvicorn's h11 bounds a request's head to 64 KiB and what is read ahead; the app bounds the body. A client that sends its
head slowly, and how many connect, is not bounded here: where strangers can connect, put a gateway in front.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.errors import BadInput

if TYPE_CHECKING:
    from fastapi import FastAPI


def listen(host: str, port: int, token: str | None = None) -> socket.socket:
    """A socket that listens there; port 0 means any free one.

    Raises `BadInput` where the address cannot be had, or can be reached by others and there is no token.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"port is {port}; it must lie in [0, 65535], and 0 means any free one")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio sets it only on sockets that it made: without it a whole answer waits 40 ms for an acknowledgement
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        raise BadInput(
            f"cannot listen on {host} port {port}: {error.strerror}; choose another port, or 0 for any free one"
        ) from None
    # what it is bound to decides, however that was spelt
    if token is None and not ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback:
        listening.close()
        raise BadInput(
            f"--host {host} can be reached from other machines, where anybody could ask; give the clients a token "
            "and name the environment variable that holds it with --token-env NAME, or use --host 127.0.0.1"
        )
    return listening


def serve(app: FastAPI, host: str = "127.0.0.1", port: int = 8000, token: str | None = None) -> None:
    """Print the base URL and serve until interrupted; answers under way get ten seconds. Raises `BadInput`."""
    import uvicorn

    with listen(host, port, token) as listening:
        shown = f"[{host}]" if ":" in host else host
        print(f"serving on http://{shown}:{listening.getsockname()[1]}/v1", flush=True)
        config = uvicorn.Config(
            app, http="h11", access_log=False, log_level="warning", ws="none", timeout_graceful_shutdown=10
        )
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])

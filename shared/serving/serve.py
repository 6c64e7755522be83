"""Run an app on a port of this machine until it is interrupted.

The app bounds a request's headers and body; uvicorn's h11 refuses a head of which 64 KiB have come and no end. Not
bounded are how slowly a head is sent, how many connect, and how long a client that does not read keeps its connection:
where strangers can connect, put a gateway in front.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from shared.errors import BadInput

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_REMEDY: Final = {
    errno.EADDRINUSE: "choose another --port, or 0 for any free one",
    errno.EACCES: "choose a --port from 1024 on, or 0 for any free one",
}


def listen(host: str, port: int, token: str | None = None) -> socket.socket:
    """A socket that listens there; port 0 means any free one.

    Raises `BadInput` where the address cannot be had, or can be reached by others and there is no token.
    """
    if not 0 <= port <= 65535:
        raise BadInput(f"--port {port}: it must lie in [0, 65535], and 0 means any free one")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        # asyncio sets it only on sockets that it made: without it a whole answer waits 40 ms for an acknowledgement
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, UnicodeError) as error:  # an overlong name cannot be encoded
        said, number = (error.strerror, error.errno) if isinstance(error, OSError) else (str(error), None)
        remedy = _REMEDY.get(number or 0, "name an address of this machine with --host")
        raise BadInput(f"cannot listen on {host} port {port}: {said}; {remedy}") from None
    # what it is bound to decides, however that was spelt
    bound = listening.getsockname()[0]
    if token is None and not ipaddress.ip_address(bound.partition("%")[0]).is_loopback:
        listening.close()
        raise BadInput(
            f"--host {host!r} is {bound}, which can be reached from other machines, where anybody could ask; give the "
            "clients a token and name the environment variable that holds it with --token-env NAME, or use "
            "--host 127.0.0.1"
        )
    return listening


def base_url(host: str, listening: socket.socket) -> str:
    """Where clients find the API on a socket that was asked for as `host`."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/v1"


def config(app: FastAPI) -> uvicorn.Config:
    """How the app is run: answers under way get ten seconds when it ends."""
    import uvicorn

    return uvicorn.Config(
        app, http="h11", access_log=False, log_level="warning", ws="none", timeout_graceful_shutdown=10
    )


def serve(app: FastAPI, host: str, listening: socket.socket) -> None:
    """Print the base URL and serve on this socket until interrupted."""
    import uvicorn

    print(f"serving on {base_url(host, listening)}", flush=True)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config(app)).run(sockets=[listening])

"""Who may ask a server: whoever sends its token. One without a token answers whoever reaches it, and so may listen on
loopback addresses only (`serve.listen`): it is open to every user and program of this machine.

One token for all clients, sent as OpenAI's clients send their key. It tells nobody apart and bounds nobody's use; put a
gateway in front for that. Encryption is a gateway's as well: over plain HTTP a token can be read on the way.
"""

from __future__ import annotations

import hmac
import os
import re
from typing import Final

from shared.errors import BadInput

REFUSED: Final = "this server needs its token; send it as `Authorization: Bearer TOKEN`"
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
OPEN_PATHS: Final = frozenset({"/healthz", "/openapi.json"})
"""What anybody may read: neither says anything about a request."""
LEAST_CHARS: Final = 16

_TOKEN: Final = re.compile(rf"[\x21-\x7e]{{{LEAST_CHARS},512}}")


def read_token(variable: str) -> str:
    """The token in an environment variable. Raises `BadInput`, which never repeats it."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable):
        raise BadInput("--token-env: this is no name of an environment variable; name the one that holds the token")
    token = os.environ.get(variable, "")
    if not token:
        raise BadInput(f"--token-env {variable}: that environment variable is not set; put the token into it")
    if not _TOKEN.fullmatch(token):
        raise BadInput(
            f"--token-env {variable}: a token has {LEAST_CHARS} to 512 printable ASCII characters and no space; "
            "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return token


def may_ask(path: str, authorization: str | None, token: str | None) -> bool:
    """Whether a request for `path` with this Authorization header may be answered. Wrong tokens all take as long."""
    if token is None or path in OPEN_PATHS:
        return True
    scheme, _, given = (authorization or "").partition(" ")
    return (
        hmac.compare_digest(given.strip().encode("utf-8", "surrogatepass"), token.encode())
        and scheme.lower() == "bearer"
    )

"""Filler text with exact token counts, for emulating hardware where no recording holds the prompt.

A token is one number of fixed width, in order, so that a reader can tell that none is missing and none repeats. A
prompt is counted at four characters a token, rounded up. Nothing here is a model's answer, and the name says so.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from shared.contract import Completion, FinishReason, Identity, Request, Usage
from shared.errors import BadInput

CHARACTERS_A_TOKEN = 4


class GeneratedBackend:
    """A `Backend` that answers everything at once with `tokens` tokens, or fewer where the request's limit is lower.

    Without `tokens` it always fills the limit. Raises `BadInput` where `tokens` is below 1.
    """

    def __init__(self, tokens: int | None = None) -> None:
        if tokens is not None and tokens < 1:
            raise BadInput(f"generated answers of {tokens} tokens were asked for; ask for 1 or more")
        self._tokens = tokens
        self._identity = Identity("generated", "filler text", version=str(tokens or ""))

    @property
    def identity(self) -> Identity:
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """The whole answer. Its seconds are unknown: no model took any."""
        limit = request.max_tokens
        count = min(self._tokens or limit, limit)
        finish: FinishReason = "length" if self._tokens is None or self._tokens > limit else "stop"
        usage = Usage(prompt_tokens(request), count)
        return Completion(filler(count), self._identity.model, usage, finish, timing="unknown")

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in one piece."""
        completion = await self.complete(request)
        yield completion.text
        yield completion

    async def aclose(self) -> None:
        """Nothing to let go of."""


def filler(tokens: int) -> str:
    """So many numbers from 1 on, a space before each, all of one width: ` 0001 0002`."""
    width = max(4, len(str(tokens)))
    return "".join(f" {number:0{width}}" for number in range(1, tokens + 1))


def prompt_tokens(request: Request) -> int:
    """The prompt's tokens by the rule of this module."""
    return -(-sum(len(message.content) for message in request.messages) // CHARACTERS_A_TOKEN)

"""A cache with the habits found in public caches, to measure what the shipped cache's discipline is worth.

- The key is the question as typed, without what the application puts around it: GPTCache's pre-processors
  `last_content_without_prompt` and `last_content_without_template`; keyed by the last message, conversations get each
  other's answers (GPTCache 8). Keys elsewhere leave out instructions (LiteLLM 25673) or the system prompt (SynapseKit
  774).
- Each hit renews the answer's time to live, so that popular ones never die (redisvl 603).

All else is the shipped cache: what may be stored, how, and how a broken database is a miss.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from legacy_pipeline.cache import AnswerCache, Cached, NotStored
from shared.contract import Completion, Request

TEMPLATE: Final = "\nMessage: "
"""What a workload's rendering puts between an item's profile (a policy, a user's plan) and the question."""


class TypicalCache(AnswerCache):
    """Lives as long as the process: an upgrade of a model does not empty it."""

    def __init__(self, directory: Path, ttl_s: float) -> None:
        super().__init__(directory, [], ttl_s=ttl_s)
        self._asked: dict[str, Request] = {}

    def key(self, request: Request) -> str:
        """A hash over the question alone."""
        text = request.messages[-1].content
        typed = text.partition(TEMPLATE)[2] or text
        return hashlib.sha256(typed.encode("utf-8", "surrogatepass")).hexdigest()

    async def get(self, key: str) -> Cached | None:
        """The answer stored under `key`, or None. A hit renews it. Raises CacheUnavailable."""
        cached = await super().get(key)
        if cached is not None:
            await super().put(key, self._asked[key], cached)
        return cached

    async def put(self, key: str, request: Request, completion: Completion | None) -> NotStored | None:
        self._asked[key] = request
        return await super().put(key, request, completion)

"""The diagram as code.

request -> specialised inference -> response
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from shared.contract import Backend, Request
from shared.steps import Recorder


class DirectPipeline:
    """One call within the deadline, one retry if time allows."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in step.stream("call", self.backend, request, tries=2):
            yield text

    async def aclose(self) -> None:
        await self.backend.aclose()

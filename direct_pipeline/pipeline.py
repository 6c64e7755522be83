"""request -> specialised inference -> response."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from direct_pipeline.settings import Settings
from shared.contract import Backend, Request
from shared.steps import Recorder


class DirectPipeline:
    """One call within the deadline, one retry if time allows."""

    def __init__(self, backend: Backend, settings: Settings | None = None) -> None:
        self.backend = backend
        self.settings = settings or Settings()

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in step.stream("call", self.backend, request, limit_s=self.settings.first_try_s, tries=2):
            yield text

    async def aclose(self) -> None:
        await self.backend.aclose()

"""Put the direct pipeline together, and serve it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from direct_pipeline.pipeline import DirectPipeline
from direct_pipeline.settings import Settings
from shared.contract import Backend

if TYPE_CHECKING:
    from fastapi import FastAPI


def create(backend: Backend, settings: Settings | None = None) -> FastAPI:
    """The pipeline as an OpenAI-compatible server."""
    from shared.serving.app import create_app

    return create_app(DirectPipeline(backend, settings), name="direct")

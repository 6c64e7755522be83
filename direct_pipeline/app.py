"""Serve the direct pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from direct_pipeline.pipeline import DirectPipeline

if TYPE_CHECKING:
    from fastapi import FastAPI


def create(pipeline: DirectPipeline, deadline_s: float, token: str | None = None) -> FastAPI:
    """The pipeline as an OpenAI-compatible server, which answers whoever has the token."""
    from shared.serving.app import create_app

    return create_app(pipeline, name="direct", deadline_s=deadline_s, token=token)

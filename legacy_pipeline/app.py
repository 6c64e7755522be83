"""Put the legacy pipeline together from its settings, and serve it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from shared.contract import Backend, canonical_json

if TYPE_CHECKING:
    from fastapi import FastAPI


def build(
    cache_directory: Path, classifier: Classifier | None, small: Backend, large: Backend, settings: Settings
) -> LegacyPipeline:
    """The pipeline with its cache opened. Whatever decides which model answers is part of every key."""
    index = None
    if settings.semantic:
        from legacy_pipeline.likeness import Likeness
        from legacy_pipeline.semantic import MiniLm, SemanticIndex

        threshold, tasks = settings.semantic_threshold, settings.semantic_tasks
        index = SemanticIndex(MiniLm(), threshold=threshold, tasks=tasks, likeness=Likeness.load())
    artefact = classifier.artefact.model_dump() if classifier else None
    cache = AnswerCache(
        cache_directory,
        [small.identity, large.identity],
        variant=canonical_json([settings.small_first, settings.escalate_below, settings.abstain, artefact]),
        ttl_s=settings.cache_ttl_s,
        size_limit_bytes=settings.cache_size_bytes,
        index=index,
    )
    return LegacyPipeline(cache, classifier, small, large, settings)


def create(pipeline: LegacyPipeline, deadline_s: float, token: str | None = None) -> FastAPI:
    """The pipeline as an OpenAI-compatible server, which answers whoever has the token."""
    from shared.serving.app import create_app

    return create_app(pipeline, name="legacy", deadline_s=deadline_s, token=token)

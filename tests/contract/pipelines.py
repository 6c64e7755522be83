"""The pipelines under contract, each built over one scripted backend in every model's place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from shared.contract import Backend, Pipeline

Build = Callable[[Backend, Path], Pipeline]


def direct(backend: Backend, _: Path) -> Pipeline:
    return DirectPipeline(backend)


def legacy_large(backend: Backend, folder: Path) -> Pipeline:
    """No classifier: every question is hard."""
    return _legacy(backend, folder, Settings())


def legacy_small(backend: Backend, folder: Path) -> Pipeline:
    """Every question goes to the small model first, and falls back to the large one."""
    return _legacy(backend, folder, Settings(small_first=True))


def _legacy(backend: Backend, folder: Path, settings: Settings) -> Pipeline:
    cache = AnswerCache(folder / "cache", [backend.identity, backend.identity])
    return LegacyPipeline(cache, None, backend, backend, settings)


PIPELINES = {"direct": direct, "legacy_large": legacy_large, "legacy_small": legacy_small}

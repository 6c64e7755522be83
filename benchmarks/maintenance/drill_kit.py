"""What the tests of the drills open: the deployment as an operator would, or a pipeline over given backends.

A patch may give a constructor other parameters; a test of such a drill builds its pipeline itself.
Next: `drills/conftest.py` (which pipeline a test is for) and `drills.py` (what runs the tests).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from benchmarks import scenario
from benchmarks.targets.builtin import BuiltinTarget, open_target
from benchmarks.workloads.workload import load
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import app
from legacy_pipeline.classifier import Classifier
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from shared.contract import Answer, Backend, Pipeline, Request
from shared.run import answer
from shared.steps import Background

Side = Literal["legacy", "direct"]

DEPLOYMENT: Final = Path(__file__).parent / "drills" / "deployment.toml"


def deployed(
    side: Side, folder: Path, file: Path = DEPLOYMENT, models: Mapping[str, str] = MappingProxyType({})
) -> BuiltinTarget:
    """One arm of the deployment, with what it stores in `folder`/cache; the caller closes it. Raises `BadInput`.

    `models` (small, large, direct) put other models in their places, say those of the deployment before.
    """
    small, large, direct = (models.get(place) for place in ("small", "large", "direct"))
    return open_target(side, scenario.load(file, small=small, large=large, direct=direct), folder / "cache")


def questions(count: int) -> list[Request]:
    """So many of the test questions that every recorded model has answered, spread evenly over the tasks."""
    workload = load()
    items = workload.split("test")
    return [workload.request(items[at * len(items) // count]) for at in range(count)]


def legacy(
    folder: Path, *, small: Backend, large: Backend, classifier: Classifier | None = None, **settings: Any
) -> LegacyPipeline:
    """The legacy pipeline as its `app.build` puts it together; `settings` are those of its `Settings`."""
    return app.build(folder / "cache", classifier, small, large, Settings(**settings))


def direct(call: Backend) -> DirectPipeline:
    """The direct pipeline over one backend."""
    return DirectPipeline(call)


async def ask(pipeline: Pipeline, request: Request) -> Answer:
    """The whole answer, and after it the work that was left for later. Raises a `CrossoverError`."""
    background = Background()
    try:
        return await answer(pipeline, request, background)
    finally:
        await background.drain()


async def answers(target: BuiltinTarget, requests: Sequence[Request]) -> list[Answer]:
    """What a deployment answers, one question after the other; it is closed in the end."""
    try:
        return [await ask(target.pipeline, request) for request in requests]
    finally:
        await target.aclose()

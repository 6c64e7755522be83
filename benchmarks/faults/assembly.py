"""The two pipelines for an episode: real parts, with its faults put into the cache and the classifier."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import diskcache

from benchmarks.faults.parts import CACHE_FAULTS, CLASSIFIER_FAULTS, BrokenCache, BrokenCascade, read_only
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.cascade import Cascade
from legacy_pipeline.classifier import SCHEMA, Artefact, Classifier, Waves
from legacy_pipeline.features import SURFACE
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.settings import Settings
from shared.clock import now
from shared.contract import Backend, Pipeline, canonical_json

if TYPE_CHECKING:
    from benchmarks.faults.episode import Plan, Trouble
    from benchmarks.faults.ledger import Ledger

DATABASE: Final[str] = diskcache.core.DBNAME
JUMPING: Final = frozenset({"cache-clock-back", "cache-clock-forward"})


def build(plan: Plan, folder: Path, models: Mapping[str, Backend], ledger: Ledger) -> Pipeline:
    """The pipeline of the plan's arm over these models, its cache in `folder`. Its troubles come by themselves.

    Jumps of its clock are noted in the ledger.
    """
    if plan.arm == "direct":
        return DirectPipeline(models["call"])
    settings = Settings(
        small_first=plan.small_first, escalate_below=plan.escalate_below, small_limit_s=plan.small_limit_s
    )
    small, large = models["small"], models["large"]
    with _starting(plan, folder / DATABASE):
        answers = AnswerCache(
            folder,
            [small.identity, large.identity],
            variant=canonical_json([settings.small_first, settings.escalate_below]),
            ttl_s=plan.ttl_s,
            size_limit_bytes=plan.cache_size_bytes,  # may be less than the settings allow: what is stored is thrown out
        )
    pipeline = LegacyPipeline(answers, _classifier(), small, large, settings)
    for trouble in plan.troubles:
        if trouble.fault.name in CACHE_FAULTS:
            pipeline.cache = cast(
                "AnswerCache", _CacheTrouble(pipeline.cache, folder / DATABASE, trouble, plan.seed, ledger)
            )
        elif trouble.fault.name in CLASSIFIER_FAULTS:
            broken = BrokenCascade(pipeline.cascade, _classifier(), settings, trouble.fault.name)
            _set(trouble, broken)
            pipeline.cascade = cast("Cascade", broken)
    if _starts_under(plan, "classifier-missing") or _starts_under(plan, "classifier-version"):
        pipeline.cascade = Cascade(None, settings)
    return pipeline


def _starts_under(plan: Plan, fault: str) -> bool:
    """Whether a process that starts now meets this fault."""
    return any(trouble.fault.name == fault and trouble.lasts() for trouble in plan.troubles)


@contextmanager
def _starting(plan: Plan, database: Path) -> Iterator[None]:
    """The database as a process finds it that starts now, if it is there."""
    with ExitStack() as faults:
        for fault, begin in {"cache-locked-at-start": _locked, "cache-read-only-at-start": read_only}.items():
            if _starts_under(plan, fault) and database.exists():
                faults.enter_context(begin(database))
        yield


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Somebody else holds it."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield


class _CacheTrouble(BrokenCache):
    """Begins and ends by itself, and ends with its process."""

    def __init__(self, answers: AnswerCache, file: Path, trouble: Trouble, seed: int, ledger: Ledger) -> None:
        super().__init__(answers, file, trouble.fault.name, seed=seed)
        self._jumps_s = ledger.jumps_s if trouble.fault.name in JUMPING else []
        self._timers = _set(trouble, self)

    def begin(self) -> None:
        super().begin()
        self._jumps_s.append(now())

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self.end()
        self._cache.close()


def _set(trouble: Trouble, broken: Any) -> list[asyncio.TimerHandle]:
    loop = asyncio.get_running_loop()
    if now() >= trouble.until_s:
        return []
    if trouble.from_s <= now():
        broken.begin()
        return [loop.call_at(trouble.until_s, broken.end)]
    return [loop.call_at(trouble.from_s, broken.begin), loop.call_at(trouble.until_s, broken.end)]


@cache
def _classifier() -> Classifier:
    """A real one, that holds for hard what says so."""
    sides = len(SURFACE)
    return Classifier(
        Artefact(
            schema_name=SCHEMA,
            small="small",
            large="large",
            weights={"hard": (1.0, 1.0), "easy": (1.0, -1.0)},
            topics={},
            topic_waves=Waves(frequencies=(), phases=(), weights=()),
            surface_mean=(0.0,) * sides,
            surface_scale=(1.0,) * sides,
            surface_waves=Waves(frequencies=((),) * sides, phases=(), weights=()),
            intercept=0.0,
            threshold=0.0,
            novelty=(),
            made={},
        )
    )

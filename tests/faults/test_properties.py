"""The properties hold over a thousand seeds a pipeline, and each is one that a broken pipeline breaks.

`make test-faults` plays ten thousand. The mutants are pipelines with one defect each: were a check blind, its mutant
would pass.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from benchmarks.cli import main
from benchmarks.faults.assembly import build
from benchmarks.faults.cell import Arm
from benchmarks.faults.episode import draw, play
from benchmarks.faults.properties import Violation, run
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline.cache import AnswerCache, NotStored
from legacy_pipeline.pipeline import LegacyPipeline
from shared import clock
from shared.contract import Answer, Completion, Request
from shared.steps import Recorder

ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
BLOCK: Final = 1000
TRIED: Final = 200
"""Seeds within which a defect must show."""
KEPT_A_SEED: Final = 3.0
"""Blocks of memory a seed that Python may still hold afterwards. An episode takes thousands, a kept recorder dozens."""


@pytest.mark.parametrize("arm", ARMS)
def test_the_properties_hold_over_a_thousand_seeds(arm: Arm) -> None:
    assert [str(each) for each in run(arm, 0, BLOCK)] == []


@pytest.mark.faults
@pytest.mark.parametrize("block", range(1, 10))
@pytest.mark.parametrize("arm", ARMS)
def test_the_properties_hold_over_ten_thousand_seeds(arm: Arm, block: int) -> None:
    assert [str(each) for each in run(arm, block * BLOCK, BLOCK)] == []


@pytest.mark.parametrize("arm", ARMS)
def test_memory_stays_flat_over_the_seeds(arm: Arm) -> None:
    assert kept_a_seed(arm, 200) <= KEPT_A_SEED


@pytest.mark.faults
@pytest.mark.parametrize("arm", ARMS)
def test_memory_stays_flat_over_two_thousand_seeds(arm: Arm) -> None:
    assert kept_a_seed(arm, 2000) <= KEPT_A_SEED / 3


def kept_a_seed(arm: Arm, seeds: int) -> float:
    run(arm, 0, 100)
    gc.collect()
    before = sys.getallocatedblocks()
    run(arm, 100, seeds)
    gc.collect()
    return (sys.getallocatedblocks() - before) / seeds


def test_a_recorder_that_is_kept_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Recorder] = []

    async def keeps(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        kept.append(step)
        async for text in healthy(request, step):
            yield text

    change_run(monkeypatch, "direct", keeps)
    assert kept_a_seed("direct", 50) > KEPT_A_SEED


def test_a_violation_names_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    violation = Violation("legacy", 4711, "request 3 never ended")
    assert str(violation).endswith("repeat it with: crossover faults --properties 1 --from 4711 --arm legacy")
    assert main(violation.again.split()[1:]) == 0
    assert "legacy: 0 violations" in capsys.readouterr().out


def trace(arm: Arm, seeds: int) -> str:
    """All that happens in the first seeds, to the last digit."""
    told = []
    for seed in range(seeds):
        plan = draw(arm, seed)
        with tempfile.TemporaryDirectory() as folder:
            episode = clock.run(play(plan, partial(build, plan, Path(folder) / "cache")), virtual=True)
        for outcome in episode.outcomes:
            ends = [end.text if isinstance(end, Answer) else repr(end) for end in outcome.ends]
            steps = outcome.recorder.steps if outcome.recorder else []
            told.append(repr((outcome.begun_s, outcome.ended_s, ends, outcome.pieces, steps)))
    return "\n".join(told)


@pytest.mark.parametrize("arm", ARMS)
def test_a_seed_is_the_same_episode_in_another_process(arm: Arm) -> None:
    script = f"from tests.faults.test_properties import trace; print(trace({arm!r}, 10))"
    other = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert other.stdout.strip() == trace(arm, 10)


def found(arm: Arm, what: str) -> None:
    """Some seed of the first ones shows it."""
    seen: list[str] = []
    for first in range(0, TRIED, 10):
        seen += [violation.what for violation in run(arm, first, 10)]
        if any(what in each for each in seen):
            return
    pytest.fail(f"no {what!r} among {len(seen)} violations: {seen[:5]}")


def change_run(monkeypatch: pytest.MonkeyPatch, arm: Arm, change: Any) -> None:
    """Have `change(healthy run, request, step)` make what the pipeline gives."""
    pipeline: Any = {"legacy": LegacyPipeline, "direct": DirectPipeline}[arm]
    healthy = pipeline.run
    monkeypatch.setattr(
        pipeline, "run", lambda self, request, step: change(partial(healthy, self), request, step), raising=True
    )


@pytest.mark.parametrize("arm", ARMS)
def test_a_swallowed_time_out_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def tries_again(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        try:
            async for text in healthy(request, step):
                yield text
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            async for text in healthy(request, step):
                yield text

    change_run(monkeypatch, arm, tries_again)
    found(arm, "s late")


@pytest.mark.parametrize("arm", ARMS)
def test_a_piece_given_twice_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        async for text in healthy(request, step):
            yield text
            yield text

    change_run(monkeypatch, arm, twice)
    found(arm, "streamed another text")


@pytest.mark.parametrize("arm", ARMS)
def test_a_leaked_task_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leaks(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        task = asyncio.create_task(asyncio.sleep(10_000))
        async for text in healthy(request, step):
            yield text
        task.cancel()

    change_run(monkeypatch, arm, leaks)
    found(arm, "sleep ran on after the pipeline was closed")


@pytest.mark.parametrize("arm", ARMS)
def test_an_untyped_error_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def loses_the_type(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        try:
            async for text in healthy(request, step):
                yield text
        except Exception as error:
            raise RuntimeError from error

    change_run(monkeypatch, arm, loses_the_type)
    found(arm, "an untyped RuntimeError")


@pytest.mark.parametrize("arm", ARMS)
def test_an_answer_for_somebody_else_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[Request] = []

    async def asks_the_first(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        first.append(request)
        async for text in healthy(replace(first[0], deadline_s=request.deadline_s), step):
            yield text

    change_run(monkeypatch, arm, asks_the_first)
    found(arm, "for somebody else")


@pytest.mark.parametrize("arm", ARMS)
def test_a_step_with_wrong_seconds_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy: Any = Recorder._add

    def halves(self: Recorder, kind: str, outcome: Any, begun: float, seconds: float, *more: Any, **other: Any) -> None:
        healthy(self, kind, outcome, begun, seconds / 2, *more, **other)

    monkeypatch.setattr(Recorder, "_add", halves)
    found(arm, "and its steps")


@pytest.mark.parametrize("arm", ARMS)
def test_tokens_recorded_twice_are_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy: Any = Recorder._add

    def twice(self: Recorder, *step: Any, **other: Any) -> None:
        healthy(self, *step, **other)
        healthy(self, *step, **other)

    monkeypatch.setattr(Recorder, "_add", twice)
    found(arm, "were recorded 2 times")


def test_a_cached_truncated_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = AnswerCache.put

    async def careless(
        self: AnswerCache, key: str, request: Request, completion: Completion | None
    ) -> NotStored | None:
        return await healthy(self, key, request, completion and replace(completion, finish_reason="stop"))

    monkeypatch.setattr(AnswerCache, "put", careless)
    found("legacy", "from the cache what is not complete")
    found("legacy", "stored that is not complete")


def test_a_cached_draft_that_was_rejected_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = LegacyPipeline.compute

    async def keeps_the_draft(
        self: LegacyPipeline, key: str, request: Request, step: Recorder
    ) -> AsyncGenerator[str, None]:
        async for text in healthy(self, key, request, step):
            yield text
        for each in step.steps:
            if each.outcome == "rejected":
                step.later("store", self.cache.put(key, request, each.completion), limit_s=1.0)

    monkeypatch.setattr(LegacyPipeline, "compute", keeps_the_draft)
    found("legacy", "from the cache what was rejected as a draft")
    found("legacy", "stored that was rejected as a draft")


def test_the_cached_part_of_a_broken_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = LegacyPipeline.compute

    async def keeps_the_part(
        self: LegacyPipeline, key: str, request: Request, step: Recorder
    ) -> AsyncGenerator[str, None]:
        part = ""
        try:
            async for text in healthy(self, key, request, step):
                part += text
                yield text
        except BaseException:
            await self.cache.put(key, request, Completion(part, "large"))
            raise

    monkeypatch.setattr(LegacyPipeline, "compute", keeps_the_part)
    found("legacy", "a text is stored that no completed call of a model gave")
    found("legacy", "was given a text that no completed call of a model gave")


def test_a_key_without_the_scope_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = AnswerCache.key
    monkeypatch.setattr(AnswerCache, "key", lambda self, request: healthy(self, replace(request, scope=())))
    found("legacy", "for somebody else")
    found("legacy", "the answer to another request")


def test_an_answer_that_never_ages_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy: Any = AnswerCache.__init__
    monkeypatch.setattr(
        AnswerCache, "__init__", lambda self, *given, **named: healthy(self, *given, **named | {"ttl_s": 1e9})
    )
    found("legacy", "older than 1.0 s")

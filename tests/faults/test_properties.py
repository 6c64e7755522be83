"""The properties hold over a thousand seeds a pipeline, and each is one that a broken pipeline breaks.

`make test-faults` plays ten thousand. The mutants are pipelines with one defect each: were a check blind, its mutant
would pass.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
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
from legacy_pipeline.cache import AnswerCache, Cached, NotStored, _Row
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.single_flight import SingleFlight
from shared import clock
from shared.clock import wall
from shared.contract import Answer, Completion, Request, Usage, canonical_json
from shared.errors import BackendUnavailable
from shared.steps import Recorder
from tests.fakes import ask

ARMS: Final[tuple[Arm, ...]] = get_args(Arm)
BLOCK: Final = 1000
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
    """Some seed of the first thousand shows it."""
    seen: list[str] = []
    for first in range(0, BLOCK, 10):
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


@pytest.mark.parametrize("field", ask().prompt())
def test_a_key_without_one_field_of_the_prompt_is_found(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def key(_: AnswerCache, request: Request) -> str:
        prompt = {name: value for name, value in request.prompt().items() if name != field}
        return canonical_json([prompt, request.task, request.scope])

    monkeypatch.setattr(AnswerCache, "key", key)
    found("legacy", "the answer to another request")


@pytest.mark.parametrize(
    "forgets",
    [
        lambda request: replace(request, messages=request.messages[-1:]),
        lambda request: replace(request, task=""),
        lambda request: replace(request, scope=tuple(pair for pair in request.scope if pair[0] == "user")),
    ],
    ids=["all but the last message", "the task", "the locale"],
)
def test_a_key_that_forgets_is_found(forgets: Callable[[Request], Request], monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = AnswerCache.key
    monkeypatch.setattr(AnswerCache, "key", lambda self, request: healthy(self, forgets(request)))
    found("legacy", "the answer to another request")


@pytest.mark.parametrize(
    ("fresh", "what"),
    [
        (lambda age_s, ttl_s: True, "older than 1.0 s"),
        (lambda age_s, ttl_s: True, "stored before the clock jumped"),
        (lambda age_s, ttl_s: age_s < ttl_s, "stored before the clock jumped"),
        (lambda age_s, ttl_s: age_s >= 0.0, "stored before the clock jumped"),
    ],
    ids=["of any age", "of any age, by the clock", "from the future", "from long ago"],
)
def test_a_row_that_has_aged_and_is_served_is_found(
    fresh: Callable[[float, float], bool], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def get(self: AnswerCache, key: str) -> Cached | None:
        if (text := self._database().get(key)) is None:
            return None
        row = _Row.model_validate_json(text)
        usage = Usage(row.input_tokens, row.output_tokens)
        return Cached(row.text, row.model, usage) if fresh(wall() - row.stored_at, self.ttl_s) else None

    monkeypatch.setattr(AnswerCache, "get", get)
    found("legacy", what)


def test_a_call_that_is_shared_when_it_has_long_ended_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SingleFlight, "_remove", lambda *_: None)
    found("legacy", "the answer of a call that had ended")


@pytest.mark.parametrize("arm", ARMS)
def test_a_call_that_runs_on_for_nobody_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leaves(_: SingleFlight, __: str, flight: Any) -> None:
        flight.waiters -= 1

    async def never_stops(healthy: Any, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        branch, pieces = step.branch(), asyncio.Queue[str | None]()

        async def fetch() -> None:
            try:
                async for text in healthy(request, branch):
                    pieces.put_nowait(text)
            finally:
                pieces.put_nowait(None)

        fetching = asyncio.create_task(fetch())
        while (piece := await pieces.get()) is not None:
            yield piece
        await fetching
        step.completion = branch.completion

    if arm == "legacy":
        monkeypatch.setattr(SingleFlight, "_leave", leaves)
    else:
        change_run(monkeypatch, arm, never_stops)
    found(arm, "s for nobody")


@pytest.mark.parametrize("arm", ARMS)
def test_a_third_try_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy: Any = Recorder.stream
    monkeypatch.setattr(Recorder, "stream", lambda *given, **named: healthy(*given, **named | {"tries": 3}))
    found(arm, "model 3 times")


@pytest.mark.parametrize("arm", ARMS)
def test_a_needless_wait_is_found(arm: Arm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause that a model asks for is waited for, though it ends after the deadline."""
    healthy: Any = Recorder._tries

    async def waits(self: Recorder, *given: Any) -> AsyncGenerator[str, None]:
        try:
            async for text in healthy(self, *given):
                yield text
        except BackendUnavailable as error:
            if error.retry_after_s:
                await self("pause", asyncio.sleep(error.retry_after_s), limit_s=None)
            raise

    monkeypatch.setattr(Recorder, "_tries", waits)
    found(arm, "after its model had failed")


STOPPED: Final = """
import signal, sys
from pathlib import Path
from benchmarks.cli import main
from benchmarks.faults import properties
signal.signal(signal.SIGINT, signal.default_int_handler)
properties.IN_MEMORY = Path(sys.argv[1])
sys.exit(main(["faults", "--properties", "1000000", "--arm", "legacy"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_in_memory_when_it_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path)], stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + 30.0
            while not list(tmp_path.glob("*/*/cache.db")) and time.monotonic() < until:
                time.sleep(0.01)
            assert list(tmp_path.iterdir())
            process.send_signal(number)
            _, told = process.communicate(timeout=30.0)
        finally:
            process.kill()
    assert process.returncode == 130, told
    assert not list(tmp_path.iterdir())

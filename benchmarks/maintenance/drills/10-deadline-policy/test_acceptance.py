"""Each class of request has a deadline of its own, and a slow model leaves time for what follows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import scenario
from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import DEPLOYMENT, Side, ask
from shared import clock
from shared.contract import Answer, Message, Pipeline, Request
from shared.errors import BackendUnavailable, CrossoverError, DeadlineExceeded
from shared.run import stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend

Consume = Callable[[Pipeline, Request], Awaitable[Answer]]
NEVER = Script([(HANG, "never")])
CLASSES = {"interactive": 2.0, "batch": 60.0, "": 30.0, "somebody's own": 30.0}
"""Seconds that an answer may take, by the class of its request; "" is none."""
TWO_MINUTES = [(kind, 120.0) for kind in CLASSES]


def question(kind: str, *, deadline_s: float = 120.0) -> Request:
    """A client that would wait for two minutes, unless it says otherwise."""
    scope = (("metadata.class", kind),) if kind else ()
    return Request((Message("user", "Is it on?"),), scope=scope, deadline_s=deadline_s)


def opened(
    side: Side, folder: Path, main: ScriptedBackend, small: ScriptedBackend | None = None, **settings: Any
) -> Pipeline:
    """The main model is the large one on the legacy side; with a `small` one, that is asked first."""
    if side == "direct":
        return drill_kit.direct(main)
    before = small or ScriptedBackend(name="small")
    return drill_kit.legacy(folder, small=before, large=main, small_first=small is not None, **settings)


async def in_pieces(pipeline: Pipeline, request: Request) -> Answer:
    background = Background()
    items = [item async for item in stream(pipeline, request, background)]
    await background.drain()
    assert isinstance(items[-1], Answer)
    return items[-1]


@pytest.mark.parametrize("consume", [ask, in_pieces])
@pytest.mark.parametrize("kind", CLASSES)
def test_a_hang_ends_typed_when_the_class_has_no_more_time(
    side: Side, kind: str, consume: Consume, tmp_path: Path
) -> None:
    async def main() -> None:
        model = ScriptedBackend([NEVER])
        with pytest.raises(DeadlineExceeded):
            await consume(opened(side, tmp_path, model), question(kind))
        assert clock.now() == pytest.approx(CLASSES[kind])
        assert model.running == 0

    clock.run(main(), virtual=True)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_client_in_more_of_a_hurry_keeps_its_own_deadline(side: Side, kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(DeadlineExceeded):
            await ask(opened(side, tmp_path, ScriptedBackend([NEVER])), question(kind, deadline_s=1.0))
        assert clock.now() == pytest.approx(1.0)

    clock.run(main(), virtual=True)


@pytest.mark.parametrize("kind", CLASSES)
def test_an_answer_within_the_class_is_given(side: Side, kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        model = ScriptedBackend([Script([(0.9 * CLASSES[kind], "yes")])])
        assert (await ask(opened(side, tmp_path, model), question(kind))).text == "yes"

    clock.run(main(), virtual=True)


@pytest.mark.parametrize("consume", [ask, in_pieces])
@pytest.mark.parametrize(("kind", "deadline_s"), [*TWO_MINUTES, ("interactive", 1.0), ("", 4.0)])
def test_a_slow_small_model_leaves_time_for_the_main_one(
    side: Side, kind: str, deadline_s: float, consume: Consume, tmp_path: Path
) -> None:
    """Also where the small model may take longer by its own limit. The direct side has no model before the main one."""

    async def main() -> None:
        limit_s = min(CLASSES[kind], deadline_s)
        model = ScriptedBackend([Script([(0.2 * limit_s, "yes")])], name="main")
        small = ScriptedBackend([NEVER], name="small")
        pipeline = opened(side, tmp_path, model, small, small_limit_s=60.0)
        got = await consume(pipeline, question(kind, deadline_s=deadline_s))
        assert (got.text, got.completion.model) == ("yes", "main")
        assert clock.now() <= limit_s
        assert small.running == 0

    clock.run(main(), virtual=True)


@pytest.mark.parametrize(("kind", "waits"), [("interactive", False), ("batch", True)])
def test_a_retry_waits_only_where_it_fits(side: Side, kind: str, waits: bool, tmp_path: Path) -> None:
    async def main() -> None:
        busy = Script([], BackendUnavailable("busy", retry_after_s=35.0))
        model = ScriptedBackend([busy, Script([(0.1, "yes")])])
        pipeline = opened(side, tmp_path, model)
        if waits:
            assert (await ask(pipeline, question(kind))).text == "yes"
        else:
            with pytest.raises(BackendUnavailable):
                await ask(pipeline, question(kind))
            assert clock.now() == 0.0, "nobody waits for what cannot come in time"

    clock.run(main(), virtual=True)


@pytest.mark.parametrize("kind", CLASSES)
def test_a_served_request_names_its_class_in_its_metadata(side: Side, kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        pipeline = opened(side, tmp_path, ScriptedBackend([NEVER]))
        served = import_module(f"{side}_pipeline.app").create(pipeline, scenario.load(DEPLOYMENT).deadline_s)
        metadata = {"metadata": {"class": kind}} if kind else {}
        asked = {"model": side, "messages": [{"role": "user", "content": "Is it on?"}], **metadata}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://here") as client:
            told = await client.post("/v1/chat/completions", json=asked, timeout=None)
        assert told.status_code == 504
        assert clock.now() == pytest.approx(CLASSES[kind])

    clock.run(main(), virtual=True)


def test_the_error_names_the_time_that_there_was(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(CrossoverError, match=r"within 2\.0 s"):
            await ask(opened(side, tmp_path, ScriptedBackend([NEVER])), question("interactive"))

    clock.run(main(), virtual=True)

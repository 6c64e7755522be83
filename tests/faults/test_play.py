"""Whole cells in virtual time: what is counted adds up, survives a seed, and would show a pipeline that is wrong."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import diskcache
import pytest

from benchmarks.faults import parts, play
from benchmarks.faults.catalogue import BY_NAME, FAULTS
from benchmarks.faults.cell import Cell
from benchmarks.faults.ground import AFTER, BROKEN, ground
from benchmarks.faults.oracle import tally
from direct_pipeline.pipeline import DirectPipeline
from legacy_pipeline import cache
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.single_flight import SingleFlight
from shared.backends import faulty
from shared.contract import Completion, Pipeline, Request, Usage
from shared.steps import Recorder

RECORDED = Path(play.__file__).with_name("recorded.json")
QUICK = ("timeout", "cache-pickle", "classifier-version", "stampede")
"""Faults that are played again in every run of the tests; all are with the marker `faults`."""


def cells(*faults: str, seeds: tuple[int, ...] = (7,)) -> list[Cell]:
    return list(play.cells(ground(), [BY_NAME[name] for name in faults], seeds))


def recorded() -> list[dict[str, Any]]:
    document: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    return [cell for cell in document["cells"] if cell["played"] == "virtual"]


def test_the_recorded_matrix_is_whole_adds_up_and_breaks_no_promise() -> None:
    found = recorded()
    places = [
        (fault.name, arm, place) for fault in FAULTS if fault.name != "killed" for arm, place in play.places(fault)
    ]
    assert [(cell["fault"], cell["arm"], cell["place"]) for cell in found if not cell["at_once"]] == places
    for cell in found:
        counts = [cell[name] for name in ("well", "degraded", "wrong", "undetected", "lost", "left")]
        assert sum(counts) + sum(cell["failed"].values()) == cell["requests"] == BROKEN
        assert (cell["wrong"], cell["lost"], cell["late"], cell["abandoned"]) == (0, 0, 0, 0)
        assert (cell["p99_s"] is None) == (cell["fault"] == "cancelled-client")
        assert cell["after"] == AFTER


def test_load_is_played_over_all_that_is_assumed_of_the_hardware() -> None:
    load = [cell for cell in recorded() if cell["fault"] in play.LOAD]
    for fault in play.LOAD:
        at_once = [(cell["arm"], cell["at_once"]) for cell in load if cell["fault"] == fault]
        assert at_once == [("legacy", None), *(("legacy", 2**n) for n in range(4, 8)),
                           ("direct", None), *(("direct", 2**n) for n in range(4))]  # fmt: skip
    assert ground().at_once("direct")[0] == 1
    for cell in load:
        if cell["arm"] == "direct" and cell["at_once"] == 1:
            assert {**cell, "at_once": None} in load, "the preset's own assumption is one of them"


@pytest.mark.parametrize("fault", QUICK)
def test_played_again_a_cell_is_what_is_recorded(fault: str) -> None:
    assert [cell.as_json() for cell in cells(fault)] == [cell for cell in recorded() if cell["fault"] == fault]
    assert parts.unpickled == []


@pytest.mark.faults
def test_played_again_the_whole_matrix_is_what_is_recorded() -> None:
    names = [fault.name for fault in FAULTS if fault.name != "killed"]
    assert [cell.as_json() for cell in cells(*names)] == recorded()


def test_several_seeds_make_one_cell_of_all_their_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(play.PLACES, "backend", (("direct", "call"),))
    one, other, both = (cells("500", seeds=seeds)[0] for seeds in ((7,), (8,), (7, 8)))
    assert (both.place, both.requests, both.well) == ("call", 2 * BROKEN, one.well + other.well)
    assert both.failed["BackendUnavailable"] == one.failed["BackendUnavailable"] + other.failed["BackendUnavailable"]


def test_a_seed_gives_the_same_in_another_process() -> None:
    code = "import json; from tests.faults.test_play import cells; "
    code += "print(json.dumps([cell.as_json() for cell in cells('cache-corrupt')]))"
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert json.loads(ran.stdout) == [cell for cell in recorded() if cell["fault"] == "cache-corrupt"]


class Mutant:
    """A pipeline with a defect of its own."""

    def __init__(self, inner: Pipeline, defect: Callable[[Recorder, int], str | None]) -> None:
        self._inner, self._defect, self._asked = inner, defect, 0

    async def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]:
        self._asked += 1
        if (text := self._defect(step, self._asked)) is not None:
            yield step.reuse(Completion(text, "mutant"))
            return
        async for piece in step.own(self._inner.run(request, step)):
            yield piece
        if self._defect is _says_it_twice:
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _makes_it_up(step: Recorder, asked: int) -> str | None:
    return None if asked % 400 else "an answer that no model gave"


def _has_no_type(step: Recorder, asked: int) -> str | None:
    if asked % 400 == 0:
        raise ValueError("untyped")
    return None


def _says_it_twice(step: Recorder, asked: int) -> None:
    """The last piece once more, which only who reads a stream sees."""


@pytest.mark.parametrize(
    ("defect", "column", "least"),
    [(_makes_it_up, "wrong", 2), (_has_no_type, "lost", 2), (_says_it_twice, "wrong", 250)],
)
def test_a_defect_in_a_pipeline_shows(
    defect: Callable[[Recorder, int], str | None], column: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = play._Run(ground(), "direct", None, "process", ground().script(7), 7).played()
    monkeypatch.setattr(
        play._Run, "_open", lambda run, classifier: Mutant(DirectPipeline(run._backend("call")), defect)
    )
    known: dict[Any, Any] = {("direct", 7, False): usual}
    sent = play._play(ground(), "direct", BY_NAME["no-token-counts"], "call", 7, known).sent
    cell = tally("direct", "no-token-counts", "call", sent, tick_s=play.TICK_S)
    assert getattr(cell, column) >= least
    assert cell.broken
    assert cell.ended == cell.requests


def test_a_cache_that_keeps_what_was_cut_short_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(play.PLACES, "backend", (("legacy", "large"),))
    monkeypatch.setattr("legacy_pipeline.cache._unfit", lambda completion: "")
    (cell,) = cells("overlong")
    assert cell.wrong == cell.ways["wrong: another text by kept"] > 50


def test_a_cache_that_minds_no_age_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.getsource(AnswerCache.get)
    ageless = source.replace("if not 0.0 <= age_s < self.ttl_s:", "if False:")
    assert ageless != source
    made: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + textwrap.dedent(ageless), vars(cache), made)  # noqa: S102
    monkeypatch.setattr(AnswerCache, "get", made["get"])
    for cell in cells("cache-clock-back", "cache-clock-forward"):
        assert cell.broken
        assert cell.wrong == cell.ways["wrong: an answer beyond its time to live"] > 50


def test_a_model_that_nobody_stops_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def leave(flights: SingleFlight, key: str, flight: Any) -> None:
        flight.waiters -= 1

    monkeypatch.setattr(SingleFlight, "_leave", leave)
    monkeypatch.setitem(play.PLACES, "process", (("legacy", "process"),))
    (cell,) = cells("cancelled-client")
    assert (cell.abandoned or 0) > 50
    assert cell.broken


def test_token_counts_that_are_made_up_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(play.PLACES, "backend", (("direct", "call"),))
    does = faulty.FAULTS["no-token-counts"]
    made_up = replace(does, change=lambda found: replace(found, usage=Usage(0, 0), logprobs=None))
    monkeypatch.setattr(faulty, "FAULTS", {**faulty.FAULTS, "no-token-counts": made_up})
    (cell,) = cells("no-token-counts")
    assert cell.wrong == cell.ways["wrong: token counts that nobody gave, by call"] == BROKEN


def test_another_model_takes_the_time_of_the_places_hardware() -> None:
    backend = ground().backend("call", other=True)
    assert backend.hardware == ground().backend("call").hardware
    assert backend.identity == ground().other.identity


def test_a_cache_that_unpickles_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legacy_pipeline.cache._TextDisk", diskcache.Disk)
    try:
        with pytest.raises(RuntimeError, match="a planted pickle was loaded"):
            cells("cache-pickle")
    finally:
        parts.unpickled.clear()

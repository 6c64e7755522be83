"""Faults on real sockets: what the real parsers make of them, and that the faults of virtual time are the same ones.

The matrix is played once for all its tests. Nothing here depends on how fast the machine is: deadlines are short only
where a model falls silent, and the raw parsers get all the time they need.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import pytest

from benchmarks.faults import wire
from benchmarks.faults.catalogue import FAULTS
from benchmarks.faults.cell import Cell
from benchmarks.faults.faulty_server import ALIASED, STREAMED_ONLY, FaultyServer
from benchmarks.faults.faulty_server import FAULTS as ON_SOCKETS
from benchmarks.faults.wire import FORMS, PARSERS, SILENT, Played
from shared import clock
from shared.backends.faulty import FaultyBackend
from shared.backends.http import HttpBackend
from shared.backends.litellm import LiteLLMBackend
from shared.contract import Backend, Completion, Usage
from shared.errors import BackendError
from tests.fakes import Script, ScriptedBackend, ask

HARMLESS = frozenset({"no-token-counts", "overlong"})
"""Faults that leave a text to give: all of it, or one that says that it is cut short."""
# litellm asks a thread for its coroutine, and leaves it there where it is cancelled meanwhile
pytestmark = pytest.mark.filterwarnings(
    "ignore:coroutine 'OpenAIChatCompletion", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def played() -> list[Played]:
    """LiteLLM in the direct pipeline only: it takes most of the time, and `crossover faults` plays it in all places."""
    return asyncio.run(wire.play([run for run in wire.runs(0) if run.parser == "http" or run.arm == "direct"]))


@pytest.fixture(scope="module")
def cells(played: list[Played]) -> list[Cell]:
    return wire.tallied(played)


def test_every_fault_of_the_wire_is_played_in_every_form() -> None:
    assert set(FORMS) == {fault.name for fault in FAULTS if fault.wire}
    forms = [form for forms in FORMS.values() for form in forms]
    assert sorted(forms) == sorted(ON_SOCKETS)
    assert set(forms) >= STREAMED_ONLY


def test_nothing_on_the_wire_is_wrong_lost_or_late(cells: list[Cell]) -> None:
    assert len(cells) == len(FORMS) * len(wire.PLACES)
    for cell in cells:
        assert not cell.broken, cell
        assert cell.ended == cell.requests > 0
        assert (cell.p99_s, cell.played) == (None, "wire")


def test_after_the_fault_the_pipelines_are_well(cells: list[Cell]) -> None:
    assert all(cell.after for cell in cells)
    slow = "degraded: large instead of small"  # the small model's limit is short where it falls silent
    assert [cell for cell in cells if set(cell.lingering) - ({slow} if cell.fault in SILENT else set())] == []


def test_no_fault_that_shows_passes_the_direct_pipeline(cells: list[Cell]) -> None:
    for cell in cells:
        if cell.arm == "direct" and cell.fault not in HARMLESS:
            assert cell.well == cell.degraded == 0, cell
            assert cell.undetected == (0 if cell.fault != "other-model" else cell.requests - sum(cell.failed.values()))


def test_what_lacks_only_its_counts_is_answered(cells: list[Cell]) -> None:
    for cell in cells:
        if cell.fault == "no-token-counts":
            assert cell.well + cell.degraded == cell.requests, cell
            assert cell.arm == "legacy" or cell.degraded == 0


def test_the_seed_only_shuffles() -> None:
    first, second = wire.runs(1), wire.runs(2)
    assert first == wire.runs(1) != second
    assert sorted(first) == sorted(second)


# --- what virtual time raises is what the parsers raise ---


class Seen(NamedTuple):
    """What a pipeline sees of one call: the error's type or the answer's end, and whether text had come before."""

    ended: str
    began: bool
    text: str = ""
    reason: str = ""
    counted: bool = False


async def seen(backend: Backend, *, streamed: bool, patience_s: float) -> Seen:
    pieces: list[str] = []
    try:
        async with asyncio.timeout(patience_s):
            completion = await _ask(backend, pieces, streamed=streamed)
    except TimeoutError:
        return Seen("silence", bool(pieces))
    except BackendError as error:
        return Seen(type(error).__name__, bool(pieces))
    if completion is None:  # steps.py takes this for a bad answer
        return Seen("BadAnswer", bool(pieces))
    if not completion.text.strip():  # and this, before the first word
        return Seen("BadAnswer", began=False)
    counted = completion.usage != Usage()
    return Seen("answer", bool(pieces), completion.text, completion.finish_reason, counted)


async def _ask(backend: Backend, pieces: list[str], *, streamed: bool) -> Completion | None:
    if not streamed:
        return await backend.complete(ask("snow"))
    async with aclosing(backend.stream(ask("snow"))) as items:
        async for item in items:
            if isinstance(item, Completion):
                return item
            pieces.append(item)
    return None


def virtual(fault: str, *, streamed: bool) -> Seen:
    words = wire.text("m", "snow").split(" ")
    pieces = [(0.0, word if at == 0 else f" {word}") for at, word in enumerate(words)]
    other = ScriptedBackend([Script([(0.0, wire.text("another", "snow"))])])
    backend = FaultyBackend(ScriptedBackend([Script(pieces)], "m"), fault, other=other)
    return clock.run(seen(backend, streamed=streamed, patience_s=1.0 if fault in SILENT else 60.0), virtual=True)


@asynccontextmanager
async def opened(parser: str, form: str) -> AsyncIterator[Backend]:
    """A backend that has had one good answer from its model, which has the fault from then on."""
    async with FaultyServer(wire.text, slow_s=wire.SLOW_S) as server:
        if form == ALIASED:
            server.aliases.add("m")
        backend: Backend = HttpBackend(server.url, "m", api_key="")
        if parser == "litellm":
            backend = LiteLLMBackend(f"{wire.PROVIDER}/m", api_base=server.url)
        for streamed in (False, True):
            assert (await seen(backend, streamed=streamed, patience_s=30.0)).text == wire.text("m", "snow")
        server.faults["m"] = form
        yield backend
        await backend.aclose()


def forms() -> Iterator[tuple[str, str, str, bool]]:
    for fault, theirs in FORMS.items():
        for form in theirs:
            for parser in PARSERS:
                for streamed in (True,) if form in STREAMED_ONLY else (False, True):
                    yield fault, form, parser, streamed


@pytest.mark.parametrize(("fault", "form", "parser", "streamed"), list(forms()))
def test_virtual_time_shows_what_the_parser_shows(fault: str, form: str, parser: str, *, streamed: bool) -> None:
    async def main() -> Seen:
        async with opened(parser, form) as backend:
            return await seen(backend, streamed=streamed, patience_s=0.1 if fault in SILENT else 30.0)

    real, played = asyncio.run(main()), virtual(fault, streamed=streamed)
    if fault == "overlong":  # how long is not the same, that it says so is
        real, played = replace_text(real), replace_text(played)
    assert real == played


def replace_text(found: Seen) -> Seen:
    assert len(found.text) > 1000
    return found._replace(text="long")

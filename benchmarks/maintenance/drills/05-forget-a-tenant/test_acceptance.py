"""05: on demand, nothing that a tenant's answers hold is left anywhere, and nobody else loses anything."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
from collections.abc import AsyncGenerator, Coroutine
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from benchmarks.maintenance import drill_kit
from benchmarks.maintenance.drill_kit import Side
from legacy_pipeline.cache import AnswerCache
from legacy_pipeline.pipeline import LegacyPipeline
from legacy_pipeline.semantic import SemanticIndex, Vector
from legacy_pipeline.settings import Settings
from shared import clock
from shared.contract import Completion, Message, Pipeline, Request
from shared.errors import CrossoverError
from shared.run import answer
from shared.steps import Background
from tests.fakes import Script, ScriptedBackend

SECRETS = "the secret of acme"


def virtually(main: Coroutine[Any, Any, None]) -> None:
    clock.run(main, virtual=True)


def ask(tenant: str, text: str = "What is it?", number: int = 0) -> Request:
    return Request((Message("user", text),), scope=(("user", tenant),), sample=number)


@dataclass
class Teller(ScriptedBackend):
    """Tells each tenant its secret, in answers of a few bytes up to many pages of a database. Takes a second."""

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        tenant = dict(request.scope)["user"]
        text = f"the secret of {tenant}, number {request.sample}. " * (1 + request.sample**2)
        self.scripts = [Script([(1.0, text)])]
        async for item in ScriptedBackend.stream(self, request):
            yield item


class Agreeing:
    """An encoder to which all texts are alike: everything is up to their words."""

    def encode(self, text: str) -> Vector | None:
        return np.array([1.0, 0.0], dtype=np.float32)


class Case:
    """A pipeline that keeps similar questions too. What it writes, it writes into `folder`."""

    def __init__(self, side: Side, folder: Path) -> None:
        self.folder, self.model = folder, Teller()
        self.background = Background()
        self.pipeline: Pipeline
        if side == "legacy":
            index = SemanticIndex(Agreeing())
            cache = AnswerCache(folder / "cache", [self.model.identity] * 2, index=index)
            self.pipeline = LegacyPipeline(cache, None, self.model, self.model, Settings(semantic=True))
        else:
            self.pipeline = drill_kit.direct(self.model)

    async def ask(self, request: Request) -> str:
        got = await answer(self.pipeline, request, self.background)
        await self.background.drain()
        return got.text

    async def forget(self, tenant: str, *, served: bool = False) -> None:
        """What there is to be done about a tenant: on the direct side nothing, which is what the tests are to show."""
        if not isinstance(self.pipeline, LegacyPipeline):
            return
        if not served:
            todays = partial(self.pipeline.cache.forget, "user")  # where the pipeline has no way of its own
            await getattr(self.pipeline, "forget", todays)(tenant)
            return
        app = import_module("legacy_pipeline.app").create(self.pipeline, 30.0)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://served") as client:
            response = await client.delete("/v1/answers", params={"user": tenant})
        assert response.status_code == 200, response.text

    def on_disk(self) -> list[str]:
        """Files that hold a secret of acme in any of their bytes, read while the pipeline is open."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path.name for path in files if SECRETS.encode() in path.read_bytes()]


def in_memory() -> int:
    """Answers in this process, stored, shared or left behind, that hold a secret of acme."""
    gc.collect()
    return sum(isinstance(each, Completion) and SECRETS in each.text for each in gc.get_objects())


@pytest.mark.parametrize("served", [False, True])
def test_no_file_and_no_memory_holds_a_tenants_answers(side: Side, served: bool, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        for number in range(30):
            for tenant in ("acme", "other"):
                await case.ask(ask(tenant, number=number))
        assert case.on_disk() or side == "direct"
        await case.forget("acme", served=served)
        assert case.on_disk() == []
        assert in_memory() == 0

        calls = case.model.calls
        for number in range(30):
            assert "of other" in await case.ask(ask("other", number=number))
        assert case.model.calls - calls == (0 if side == "legacy" else 30), "others lose nothing"
        calls = case.model.calls
        assert SECRETS in await case.ask(ask("acme"))
        assert case.model.calls == calls + 1

    virtually(main())


@pytest.mark.parametrize("asked", ["", "?user=", "?tenant=acme"])
def test_a_request_that_names_nobody_is_an_error_like_any_other(side: Side, asked: str, tmp_path: Path) -> None:
    """On the direct side there is nothing to ask for, which is an error of the same form."""

    async def main() -> None:
        case = Case(side, tmp_path)
        await case.ask(ask("acme"))
        app = import_module(f"{side}_pipeline.app").create(case.pipeline, 30.0)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://served") as client:
            response = await client.delete(f"/v1/answers{asked}")
        assert response.status_code == (400 if side == "legacy" else 404)
        error = response.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", "user" if side == "legacy" else None)
        calls = case.model.calls
        await case.ask(ask("acme"))
        assert case.model.calls == (calls if side == "legacy" else calls + 1), "nothing was forgotten"

    virtually(main())


def test_a_similar_question_is_not_answered_from_what_was_forgotten(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await case.ask(ask("acme", "How do I reset my password?"))
        await case.ask(ask("acme", "How can I reset my password?"))
        assert case.model.calls == (1 if side == "legacy" else 2)
        calls = case.model.calls
        await case.forget("acme")
        await case.ask(ask("acme", "How can I reset my password?"))
        assert case.model.calls == calls + 1

    virtually(main())


def test_an_answer_being_made_reaches_who_waits_and_nobody_else(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        before = asyncio.ensure_future(case.ask(ask("acme")))
        await asyncio.sleep(0.5)
        await case.forget("acme")
        assert SECRETS in await before
        assert case.on_disk() == []
        assert in_memory() == 0
        await case.ask(ask("acme"))
        assert case.model.calls == 2

    virtually(main())


def test_who_asks_after_it_does_not_join_a_call_from_before_it(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        before = asyncio.ensure_future(case.ask(ask("acme")))
        await asyncio.sleep(0.5)
        await case.forget("acme")
        await case.ask(ask("acme"))
        assert case.model.calls == 2
        assert clock.now() == pytest.approx(1.5), "made anew, all of it"
        await before

    virtually(main())


def test_an_answer_that_is_out_and_not_yet_stored_is_not_stored_any_more(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await answer(case.pipeline, ask("acme"), case.background)
        await case.forget("acme")
        await case.background.drain()
        assert case.on_disk() == []
        await case.ask(ask("acme"))
        assert case.model.calls == 2

    virtually(main())


def test_where_it_cannot_be_done_it_says_so_and_can_be_done_again(side: Side, tmp_path: Path) -> None:
    """Somebody who reads the database keeps its log from being cut, and somebody who writes keeps it locked."""

    async def main() -> None:
        case = Case(side, tmp_path)
        await case.ask(ask("acme"))
        if side == "legacy":
            with closing(sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)) as other:
                for begin in ("BEGIN", "BEGIN IMMEDIATE"):
                    other.execute(begin)
                    other.execute("SELECT count(*) FROM Cache").fetchall()
                    with pytest.raises(CrossoverError, match="cannot be cleared"):
                        await case.forget("acme")
                    other.execute("ROLLBACK")
        await case.forget("acme")
        assert case.on_disk() == []

    virtually(main())

"""A tenant's spending stops at a limit a day; what it asked before is answered, and other tenants notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks.maintenance.drill_kit import Side, ask
from direct_pipeline import app as direct_app
from legacy_pipeline import app as legacy_app
from legacy_pipeline.settings import Settings
from shared import clock
from shared.contract import Answer, Backend, Completion, Message, Pipeline, Request, Usage
from shared.errors import BackendUnavailable, BadInput, CrossoverError
from shared.pricing import UNKNOWN, Price
from shared.run import answer, stream
from shared.steps import Background
from tests.fakes import HANG, Script, ScriptedBackend

HOUR_S = 3600.0
QUARTER = Price("a call", None, None, "a test", per_call_usd=0.25)
BY_TOKEN = Price("a token", 1e6, 1e6, "a test")
"""One US dollar a token."""


class Uncounted(ScriptedBackend):
    """Does not tell what its answers took."""

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        async for item in super().stream(request):
            yield replace(item, usage=Usage()) if isinstance(item, Completion) else item


class Case:
    """A pipeline whose tenants may spend `usd_a_day`; every question of the legacy side is the large model's."""

    def __init__(
        self,
        side: Side,
        folder: Path,
        model: Backend | None = None,
        *,
        usd_a_day: float = 1.0,
        price: Price = QUARTER,
        small: Backend | None = None,
    ) -> None:
        from shared.spending import SpendingCap  # type: ignore[import-untyped]

        self.model: Any = model or ScriptedBackend(name="main")
        prices = {"small": price, "large": price, "call": price}
        self.cap = SpendingCap(folder / "spending.db", usd_a_day, prices)
        self.pipeline: Pipeline
        if side == "direct":
            build: Any = direct_app.build  # type: ignore[attr-defined]
            self.pipeline = build(folder / "cache", self.model, self.cap)
        else:
            settings = Settings(small_first=small is not None)
            build = legacy_app.build
            self.pipeline = build(folder / "cache", None, small or ScriptedBackend(), self.model, settings, self.cap)

    async def ask(self, text: str, user: str = "ada", **fields: Any) -> str:
        return (await ask(self.pipeline, question(text, user, **fields))).text

    async def refused(self, text: str, user: str = "ada") -> CrossoverError:
        from shared.errors import SpendingCapReached  # type: ignore[attr-defined]

        caught: pytest.ExceptionInfo[CrossoverError]
        with pytest.raises(SpendingCapReached) as caught:
            await self.ask(text, user)
        return caught.value

    async def spend_all(self, user: str = "ada", **fields: Any) -> int:
        """How many different questions are answered until the tenant may spend no more; at most 1,000."""
        for number in range(1000):
            try:
                await self.ask(f"question {number:03}", user, **fields)
            except CrossoverError as error:
                if type(error).__name__ != "SpendingCapReached":
                    raise
                return number
        raise AssertionError("nothing stops it")

    async def aclose(self) -> None:
        await self.pipeline.aclose()
        self.cap.close()


def question(text: str, user: str = "ada", **fields: Any) -> Request:
    return Request((Message("user", text),), scope=(("user", user),), **fields)


def virtually(main: Any) -> None:
    clock.run(main(), virtual=True)


def test_spending_stops_at_the_cap_and_what_was_asked_before_is_still_answered(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        assert [await case.ask(f"question {number}") for number in range(4)] == ["yes"] * 4
        error = await case.refused("question 4")
        assert "2026-01-02T00:00:00+00:00" in str(error)
        assert case.model.calls == 4
        case.model.scripts = [Script([(0.0, "something else")])]
        assert [await case.ask(f"question {number}") for number in range(4)] == ["yes"] * 4
        assert case.model.calls == 4, "what was asked before costs nothing"
        background, asked = Background(), question("question 0")
        items = [item async for item in stream(case.pipeline, asked, background)]
        await background.drain()
        assert items[0] == "yes"
        assert isinstance(items[-1], Answer)
        await case.aclose()

    virtually(main)


def test_other_tenants_are_not_affected_and_get_no_answer_of_this_one(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        assert await case.spend_all("ada") == 4
        case.model.scripts = [Script([(0.0, "bob's own")])]
        assert await case.ask("question 000", "bob") == "bob's own"
        await case.spend_all("bob")
        assert case.model.calls == 4 + 4
        assert await case.ask("question 000", "ada") == "yes"
        await case.aclose()

    virtually(main)


def test_the_next_day_it_may_spend_again(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await asyncio.sleep(20 * HOUR_S)
        assert await case.spend_all() == 4
        await asyncio.sleep(3 * HOUR_S)
        await case.refused("another")
        await asyncio.sleep(1 * HOUR_S)
        assert await case.ask("another") == "yes"
        await case.aclose()

    virtually(main)


def test_a_restart_forgets_neither_what_was_spent_nor_what_was_answered(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        assert await case.spend_all() == 4
        await case.aclose()
        again = Case(side, tmp_path)
        await again.refused("another")
        assert await again.ask("question 002") == "yes"
        assert again.model.calls == 0
        await again.aclose()

    virtually(main)


@pytest.mark.parametrize(("usd_a_day", "usd_a_call"), [(0.30, 0.10), (0.0237, 0.0079)])
def test_a_cap_pays_for_as_many_calls_as_it_is_a_multiple_of(
    side: Side, usd_a_day: float, usd_a_call: float, tmp_path: Path
) -> None:
    """In floating point 0.10 + 0.10 + 0.10 is more than 0.30, and a million times 0.0079 more than 7,900."""

    async def main() -> None:
        case = Case(side, tmp_path, usd_a_day=usd_a_day, price=replace(QUARTER, per_call_usd=usd_a_call))
        assert await case.spend_all() == 3
        await case.aclose()

    virtually(main)


def test_an_answer_is_given_again_for_a_day_and_no_longer(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await asyncio.sleep(20 * HOUR_S)
        await case.ask("Is it on?")
        await asyncio.sleep(10 * HOUR_S)
        assert await case.spend_all() == 4
        assert await case.ask("Is it on?") == "yes"
        await asyncio.sleep(15 * HOUR_S)
        await case.refused("Is it on?")
        assert case.model.calls == 5
        await case.aclose()

    virtually(main)


def test_an_answer_that_broke_off_is_not_given_again(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, ScriptedBackend([Script(finish_reason="length"), Script()]))
        await case.ask("Is it on?")
        assert await case.spend_all() == 3
        await case.refused("Is it on?")
        assert await case.ask("question 000") == "yes"
        await case.aclose()

    virtually(main)


@pytest.mark.parametrize("streamed", [False, True])
def test_calls_in_flight_do_not_overshoot_it(side: Side, streamed: bool, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, ScriptedBackend([Script([(1.0, "yes")])]))
        background = Background()

        async def one(number: int) -> bool:
            asked = question(f"question {number}")
            with suppress(CrossoverError):
                if streamed:
                    return bool([item async for item in stream(case.pipeline, asked, background)])
                return bool(await answer(case.pipeline, asked, background))
            return False

        assert sum(await asyncio.gather(*(one(number) for number in range(20)))) == 4
        assert case.model.calls == 4
        await background.drain()
        await case.aclose()

    virtually(main)


def test_tokens_are_counted_and_unknown_ones_cost_the_most_they_can(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        told = Case(side, tmp_path / "told", usd_a_day=1000.0, price=BY_TOKEN)
        answered = await told.spend_all(max_tokens=10)
        worst = len("question 000") + 10
        assert 1000 / 2 - 300 <= answered <= 1000 / 2, "two tokens each: one in, one out"
        untold = Case(side, tmp_path / "untold", Uncounted(), usd_a_day=1000.0, price=BY_TOKEN)
        assert 0 < await untold.spend_all(max_tokens=10) <= 1000 / worst
        for case in (told, untold):
            await case.aclose()

    for name in ("told", "untold"):
        (tmp_path / name).mkdir()
    virtually(main)


@pytest.mark.parametrize("failure", [Script([], BackendUnavailable("down")), Script([(HANG, "never")])])
def test_calls_that_fail_may_have_cost_their_most(side: Side, failure: Script, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path, ScriptedBackend([failure]))
        for number in range(10):
            with suppress(CrossoverError):
                await case.ask(f"question {number}")
        assert case.model.calls == 4
        await case.refused("another")
        await case.aclose()

    virtually(main)


def test_every_model_that_is_asked_counts(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        small = ScriptedBackend([Script([], BackendUnavailable("down"))], name="small")
        case = Case(side, tmp_path, small=small)
        assert await case.spend_all() == (4 if side == "direct" else 2)
        assert case.model.calls + small.calls == 4
        await case.aclose()

    virtually(main)


def test_a_cap_needs_prices(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(BadInput, match="unknown"):
            Case(side, tmp_path, price=UNKNOWN)

    virtually(main)


def test_a_client_is_told_when_to_come_back(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(side, tmp_path)
        await asyncio.sleep(23.5 * HOUR_S)
        await case.spend_all()
        create: Any = direct_app.create if side == "direct" else legacy_app.create
        served = create(case.pipeline, 30.0)
        asked = {"model": side, "messages": [{"role": "user", "content": "another"}], "user": "ada"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://here") as client:
            told = await client.post("/v1/chat/completions", json=asked)
        assert (told.status_code, told.json()["error"]["code"]) == (429, "spending_cap_reached")
        assert told.headers["Retry-After"] == "1800"
        await case.aclose()

    virtually(main)

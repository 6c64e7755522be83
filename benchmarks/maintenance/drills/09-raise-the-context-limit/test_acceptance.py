"""Questions of 24,000 tokens are answered, by a deployment that had none of more than 6,000 until now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import scenario
from benchmarks.maintenance.drill_kit import DEPLOYMENT, Side, ask, deployed
from benchmarks.systems import Direct, Legacy
from benchmarks.targets import builtin
from shared import clock
from shared.backends.generated import CHARACTERS_A_TOKEN, GeneratedBackend, filler, prompt_tokens
from shared.contract import Identity, Message, Request
from shared.run import stream
from shared.steps import Background

UNTIL_NOW, NOW = 6_000, 24_000
"""The longest question, in tokens."""
ANSWER_TOKENS = 40
EASY = "How many rolls are in 4 dozen? "
HARD = "The tenant keeps the key to the cellar, and the landlord keeps the deposit of 300 euros. "
"""To the router of the legacy side, even when said over and over."""
PRICED_AS = {"h100-8b": "deepinfra-8b", "h100x2-70b": "deepinfra-70b"}
"""GPUs have no list price of their own; other hardware here is a service, or silicon, with its own."""
SILICON = "hc1"
"""The one hardware whose weights are rounded to fit it."""


class Filler(GeneratedBackend):
    """Answers what no recording holds, in the place and under the name of the recorded model."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(ANSWER_TOKENS)
        self._identity = identity


@pytest.fixture(autouse=True)
def _any_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deployment with its hardware, router and settings; only the texts are not a model's."""
    recorded = builtin.open_backend

    def opened(place: str, **given: Any) -> Filler:
        return Filler(recorded(place, **given).identity)

    monkeypatch.setattr(builtin, "open_backend", opened)


def question(tokens: int, line: str) -> Request:
    text = line * (tokens * CHARACTERS_A_TOKEN // len(line) + 1)
    asked = Request((Message("user", text[: tokens * CHARACTERS_A_TOKEN]),))
    assert prompt_tokens(asked) == tokens
    return asked


@pytest.mark.parametrize("line", [EASY, HARD], ids=["easy", "hard"])
@pytest.mark.parametrize("tokens", [10, UNTIL_NOW, NOW])
def test_a_question_of_that_length_is_answered(side: Side, tokens: int, line: str, tmp_path: Path) -> None:
    async def main() -> None:
        target = deployed(side, tmp_path)
        got = await ask(target.pipeline, question(tokens, line))
        assert got.text == filler(ANSWER_TOKENS)
        assert [step.kind for step in got.steps if step.outcome == "error"] == [], "nobody is asked who cannot answer"
        await target.aclose()

    clock.run(main(), virtual=True)


def test_a_long_question_is_answered_in_pieces(side: Side, tmp_path: Path) -> None:
    async def main() -> None:
        target = deployed(side, tmp_path)
        items = [item async for item in stream(target.pipeline, question(NOW, HARD), Background())]
        assert "".join(item for item in items if isinstance(item, str)) == filler(ANSWER_TOKENS)
        await target.aclose()

    clock.run(main(), virtual=True)


def test_each_model_has_the_price_of_its_hardware_and_weights_made_for_it(side: Side) -> None:
    chosen = scenario.load(DEPLOYMENT).arms[side]
    if isinstance(chosen, Direct):
        places = [(chosen.model, chosen.price, chosen.hardware)]
    else:
        assert isinstance(chosen, Legacy)
        places = [
            (chosen.small, chosen.small_price, chosen.small_hardware),
            (chosen.large, chosen.large_price, chosen.large_hardware),
        ]
    for model, price, hardware in places:
        assert hardware is not None
        assert price == PRICED_AS.get(hardware, hardware)
        assert ("burnt" in model) == (hardware == SILICON)

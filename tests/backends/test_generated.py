"""Filler text: a number a token, in order, counted exactly."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.backends.generated import GeneratedBackend, filler, prompt_tokens
from shared.contract import Usage
from shared.errors import BadInput
from tests.fakes import ask


@given(st.integers(1, 300))
def test_filler_has_one_number_a_token_all_of_one_width(tokens: int) -> None:
    words = filler(tokens).split(" ")[1:]
    assert [int(word) for word in words] == list(range(1, tokens + 1))
    assert len({len(word) for word in words}) == 1


def test_generated_answers_count_their_tokens_exactly() -> None:
    async def main() -> None:
        whole = await GeneratedBackend().complete(ask("word" * 4, max_tokens=12))
        assert (whole.text, whole.usage, whole.finish_reason, whole.timing) == (
            filler(12), Usage(4, 12), "length", "unknown",
        )  # fmt: skip
        short, cut = [await GeneratedBackend(9).complete(ask("word" * 4, max_tokens=limit)) for limit in (12, 5)]
        assert (short.usage.output_tokens, short.finish_reason) == (9, "stop")
        assert (cut.usage.output_tokens, cut.finish_reason) == (5, "length")
        assert [item async for item in GeneratedBackend(9).stream(ask("word" * 4, max_tokens=12))] == [
            short.text,
            short,
        ]

    asyncio.run(main())
    assert prompt_tokens(ask("12345")) == 2


def test_generated_answers_have_at_least_a_token() -> None:
    with pytest.raises(BadInput, match=r"of 0 tokens .*; ask for 1 or more"):
        GeneratedBackend(0)

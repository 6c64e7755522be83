"""Money: list prices carry a source, unknown stays unknown, and the break-even price costs exactly the budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contract import Usage
from shared.errors import BadInput
from shared.pricing import PRICES, UNKNOWN, Price, break_even_usd, find

usages = st.lists(st.builds(Usage, st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=20)


@given(usages, st.floats(1e-9, 1e6))
def test_at_the_break_even_price_the_calls_cost_the_budget(calls: list[Usage], budget_usd: float) -> None:
    even = break_even_usd(budget_usd, calls)
    price = Price("even", even, even, "test")
    assert sum(price.cost(call) or 0.0 for call in calls) == pytest.approx(budget_usd)


@pytest.mark.parametrize("usage", [Usage(None, 1), Usage(1, None), Usage()])
def test_unknown_tokens_make_an_unknown_cost(usage: Usage) -> None:
    assert find("gpt-4o").cost(usage) is None
    assert break_even_usd(1.0, [usage]) is None


def test_an_unknown_price_makes_an_unknown_cost_and_never_zero() -> None:
    assert UNKNOWN.cost(Usage(1, 1)) is None
    assert find("llama-3.1-8b@hc1").cost(Usage(1, 1)) is None
    assert break_even_usd(None, [Usage(1, 1)]) is None


def test_every_price_has_source_and_standing() -> None:
    for price in PRICES.values():
        assert price.source
        assert (price.standing == "unknown") == (price.input_usd is None)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(BadInput, match=r"price 'x' is unknown; use one of llama"):
        find("x")

"""Money: list prices carry a source, unknown stays unknown, and the break-even price costs exactly the budget."""

from __future__ import annotations

import json
from importlib.metadata import files, version

import pytest
from hypothesis import strategies as st

from shared.contract import Usage
from shared.errors import BadInput
from shared.hardware.catalogue import catalogue
from shared.hardware.catalogue import find as hardware
from shared.pricing import PRICES, UNKNOWN, find, token_price

usages = st.lists(st.builds(Usage, st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=20)

LITELLM = {
    "cerebras-8b": "cerebras/llama3.1-8b",
    "cerebras-70b": "cerebras/llama-3.3-70b",
    "sambanova-70b": "sambanova/Meta-Llama-3.3-70B-Instruct",
    "deepinfra-8b": "deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
    "deepinfra-70b": "deepinfra/meta-llama/Llama-3.3-70B-Instruct-Turbo",
    "gpt-4o-mini": "gpt-4o-mini",
    "gpt-4o": "gpt-4o",
}


@pytest.mark.parametrize("usage", [Usage(None, 1), Usage(1, None), Usage()])
def test_unknown_tokens_make_an_unknown_cost(usage: Usage) -> None:
    assert find("gpt-4o").cost(usage) is None


def test_an_unknown_price_makes_an_unknown_cost_and_never_zero() -> None:
    assert UNKNOWN.cost(Usage(1, 1)) is None
    assert find("hc1").cost(Usage(1, 1)) is None


def test_every_price_has_source_and_standing() -> None:
    for price in PRICES.values():
        assert price.source
        assert (price.standing == "unknown") == (price.input_usd is None)
        assert price.known == (price.standing == "assumed")


def test_prices_are_those_of_the_hardware_of_that_name() -> None:
    for name, price in PRICES.items():
        assert price.name == name
        assert price.input_usd == hardware(name).value("input_usd_per_mtok")
        assert price.output_usd == hardware(name).value("output_usd_per_mtok")


def test_what_is_rented_has_no_price_of_a_token() -> None:
    rented = token_price(hardware("h100-8b"))
    assert (rented.known, rented.standing) == (False, "unknown")
    assert "h100-8b" not in PRICES


@pytest.mark.skipif(version("litellm") != "1.110.2", reason="the prices are those of litellm 1.110.2")
def test_list_prices_are_those_of_the_map_that_they_are_said_to_come_from() -> None:
    held = next(file for file in files("litellm") or () if file.name.startswith("model_prices_and_context_window"))
    listed = json.loads(held.read_text())  # the package itself takes seconds to import
    said = {id_ for id_, each in catalogue().items() if "litellm 1.110.2" in find_source(id_)}
    assert said == LITELLM.keys()
    for id_, key in LITELLM.items():
        assert find(id_).input_usd == pytest.approx(listed[key]["input_cost_per_token"] * 1e6)
        assert find(id_).output_usd == pytest.approx(listed[key]["output_cost_per_token"] * 1e6)
        assert hardware(id_).value("context_tokens") == listed[key]["max_input_tokens"]


def find_source(id_: str) -> str:
    return hardware(id_).figures["input_usd_per_mtok"].source


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(BadInput, match=r"price 'x' is unknown; use one of hc1, "):
        find("x")

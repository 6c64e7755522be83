"""The LiteLLM backend: the table of `wire.py`, and what is its own: names, keys, the import, the library's traps."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
import uvicorn

from shared.backends.litellm import ADDRESSES, LiteLLMBackend, library, list_price
from shared.contract import Backend, Identity, Message, Request
from shared.errors import BackendRefused, BadInput
from shared.pricing import UNKNOWN
from tests.backends.wire import KEY, REQUEST, WireTests, run
from tests.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for variable in ADDRESSES:
        monkeypatch.delenv(variable, raising=False)


class TestLiteLLM(WireTests):
    @staticmethod
    def make(base_url: str, model: str, *, silence_s: float = 60.0, logprobs: bool = False) -> Backend:
        return LiteLLMBackend(f"openai/{model}", api_base=base_url, silence_s=silence_s, logprobs=logprobs)


def test_the_library_is_imported_at_the_first_call_only() -> None:
    code = (
        "import sys, shared.backends.litellm as ours; ours.LiteLLMBackend('openai/m'); print('litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_library_can_be_imported_before_the_first_call() -> None:
    assert library() is sys.modules["litellm"]


def test_whoever_configures_logging_later_hears_no_prompt(caplog: pytest.LogCaptureFixture) -> None:
    """uvicorn does, and enables every logger that there is."""
    library()
    uvicorn.Config(lambda: None, log_level="critical")
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
        logging.getLogger(name).error("a prompt")
    assert "a prompt" not in caplog.text


def test_the_identity_tells_addresses_apart() -> None:
    assert LiteLLMBackend("groq/m").identity == Identity("litellm", "groq/m", "")
    assert LiteLLMBackend("openai/m", api_base="http://h/v1/").identity == Identity(
        "litellm", "openai/m", "http://h/v1"
    )


@pytest.mark.parametrize("model", ["openai/m", "m", "text-completion-openai/m"])
def test_the_identity_holds_the_address_that_litellm_reads_itself(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://second/v1")
    assert LiteLLMBackend(model).identity.base_url == "http://second/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://user:{KEY}@first/v1/")
    assert LiteLLMBackend(model).identity.base_url == "http://first/v1"
    assert LiteLLMBackend(model, api_base="http://h/v1").identity.base_url == "http://h/v1"
    assert LiteLLMBackend("groq/m").identity.base_url == ""


def test_the_address_in_the_identity_is_the_one_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with OpenAIServer() as server:
            monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            backend = LiteLLMBackend("openai/ok")
            await backend.complete(REQUEST)
            await backend.aclose()
            assert len(server.bodies) == 1
            assert backend.identity.base_url == server.url

    run(main)


def test_a_wrong_address_in_the_environment_is_refused_by_name_and_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"host/v1?key={KEY}")
    with pytest.raises(BadInput, match="OPENAI_BASE_URL") as caught:
        LiteLLMBackend("openai/m")
    assert KEY not in str(caught.value)


def test_credentials_in_the_address_are_refused_unquoted() -> None:
    with pytest.raises(BadInput, match="environment variable") as caught:
        LiteLLMBackend("openai/m", api_base=f"http://user:{KEY}@host/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("model", "variable"), [("openai/401", "OPENAI_API_KEY"), ("groq/401", "GROQ_API_KEY")])
def test_the_remedy_names_the_providers_variable(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", KEY)

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = LiteLLMBackend(model, api_base=server.url)
            with pytest.raises(BackendRefused, match=variable):
                await backend.complete(REQUEST)
            await backend.aclose()

    run(main)


def test_a_missing_key_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = LiteLLMBackend("openai/ok", api_base=server.url)
            with pytest.raises(BackendRefused, match="OPENAI_API_KEY"):
                await backend.complete(REQUEST)
            await backend.aclose()
            assert not server.bodies

    run(main)


def test_a_name_without_a_provider_is_refused() -> None:
    async def main() -> None:
        backend = LiteLLMBackend("no-such-thing")
        with pytest.raises(BackendRefused, match="provider/model"):
            await backend.complete(REQUEST)
        await backend.aclose()

    run(main)


def test_a_field_that_the_provider_does_not_take_is_refused_and_not_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    async def main() -> None:
        async with OpenAIServer() as server:
            backend = LiteLLMBackend("anthropic/claude", api_base=server.url)
            with pytest.raises(BackendRefused, match="does not take"):
                await backend.complete(Request((Message("user", "hi"),), seed=1))
            await backend.aclose()
            assert not server.bodies

    run(main)


def test_list_prices_are_the_librarys_own_and_unknown_stays_unknown() -> None:
    for name in ("gpt-4o", "openai/gpt-4o"):
        known = list_price(name)
        assert (known.input_usd, known.output_usd) == pytest.approx((2.5, 10.0))
        assert (known.name, known.standing) == (name, "assumed")
    assert list_price("openai/nobody-knows-it") is UNKNOWN


@pytest.mark.parametrize("model", ["groq/gpt-4o", "openrouter/openai/gpt-4o", "anthropic/gpt-4o", "gpt-4o/", "/gpt-4o"])
def test_a_model_never_has_the_price_of_another_providers_namesake(model: str) -> None:
    assert list_price(model) is UNKNOWN


@pytest.mark.parametrize("model", ["perplexity/sonar", "perplexity/pplx-70b-online"])
def test_a_model_with_fees_in_the_map_has_no_known_price(model: str) -> None:
    assert library().model_cost[model]["input_cost_per_token"] is not None
    assert list_price(model) is UNKNOWN


SEARCH = {"search_context_cost_per_query": {"search_context_size_low": 0.0, "search_context_size_high": 0.01}}
FREE = {"input_cost_per_request": 0.0, "search_context_cost_per_query": {"search_context_size_low": 0.0}}


@pytest.mark.parametrize(
    ("model", "fees", "known"),
    [
        ("made/up", {}, True),
        ("made/up", {"cache_read_input_token_cost": 1e-7, "input_cost_per_token_batches": 1e-7}, True),
        ("made/up-search", FREE, True),
        ("made/up", {"input_cost_per_request": 0.005}, False),
        ("made/up", SEARCH, True),
        ("made/up-search", SEARCH, False),
        ("perplexity/up", SEARCH | {"litellm_provider": "perplexity"}, False),
    ],
)
def test_a_price_is_known_only_where_tokens_are_all_that_costs(
    model: str, fees: dict[str, object], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "litellm_provider": "made"}
    monkeypatch.setitem(library().model_cost, model, entry | fees)
    assert (list_price(model) is not UNKNOWN) == known


def test_tokens_of_reasoning_that_cost_more_are_the_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound on what may be spent must hold where a model thinks before it answers."""
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 5e-6}
    monkeypatch.setitem(library().model_cost, "made/up", entry | {"litellm_provider": "made"})
    assert list_price("made/up").output_usd == pytest.approx(5.0)

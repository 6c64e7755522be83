"""The LiteLLM backend: the table of `wire.py`, and what is its own: names, keys, the import, the library's traps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.backends.litellm import LiteLLMBackend, list_price
from shared.contract import Backend, Identity, Message, Request
from shared.errors import BackendRefused, BadInput
from shared.pricing import UNKNOWN
from tests.backends.wire import KEY, REQUEST, WireTests, run
from tests.openai_server import OpenAIServer

pytestmark = [  # the library's own, on paths that it takes at every call
    pytest.mark.filterwarnings("ignore:.*`ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields' attribute on the instance:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


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


def test_the_identity_tells_addresses_apart() -> None:
    assert LiteLLMBackend("groq/m").identity == Identity("litellm", "groq/m", "")
    assert LiteLLMBackend("openai/m", api_base="http://h/v1/").identity == Identity(
        "litellm", "openai/m", "http://h/v1"
    )


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
    known = list_price("gpt-4o")
    assert (known.input_usd, known.output_usd) == pytest.approx((2.5, 10.0))
    assert known.standing == "assumed"
    assert list_price("openai/nobody-knows-it") is UNKNOWN

"""Any model that LiteLLM knows by name; keys come from the environment variables that LiteLLM names for its provider.

The wide path where `http.py` is the fast one: a hundred providers, some milliseconds a call. The library takes seconds
to import, so that happens in `library()`, at the latest at the first call. It is told to keep its price map local, not
to retry and to keep quiet: its loggers, and `openai`'s below WARNING, are silenced, since they write prompts. Its
exceptions quote prompts and keys, so they are read here and never passed on. What it makes up (a usage that nobody
reported) is left out.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import AsyncGenerator, Iterator
from functools import cache
from importlib.metadata import version
from typing import Any, ClassVar, Final

from shared.backends.openai_dialect import Assembly, Namesake, error_code, failure, fields, split_url
from shared.clock import now
from shared.contract import Completion, Identity, Request, Usage
from shared.errors import BackendError, BackendRefused, BackendUnavailable, BadInput
from shared.pricing import UNKNOWN, Price


class LiteLLMBackend:
    """One model, by its LiteLLM name (`provider/model`). `api_base` replaces the provider's own address.

    LiteLLM itself reads `ADDRESSES` for OpenAI's models: the identity holds the address that is asked, whoever set it.
    `silence_s` bounds, in seconds, the time without a byte. `logprobs` asks for the tokens' log-probabilities. Raises
    `BadInput` for an address that is no URL, and for an `api_base` that holds credentials.
    """

    _in_use: ClassVar[int] = 0

    def __init__(
        self, model: str, *, api_base: str | None = None, silence_s: float = 60.0, logprobs: bool = False
    ) -> None:
        address, credentials = split_url(api_base) if api_base else ("", None)
        if credentials:
            raise BadInput(f"api_base of {model} holds credentials; put the key into its environment variable instead")
        self._identity = Identity("litellm", model, address or _own_address(model))
        self._name = f"{model} through litellm"
        self._whole, self._streamed = Namesake(model), Namesake(model)  # litellm tells the name in two ways
        self._always: dict[str, Any] = {
            "model": model,
            "api_base": address or None,
            "timeout": silence_s,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": False,
            "caching": False,
        }
        if logprobs:
            self._always["logprobs"] = True
        self._used = False

    @property
    def identity(self) -> Identity:
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """The whole answer. Raises a `BackendError`."""
        litellm, begun = self._library(), now()
        try:
            body = await litellm.acompletion(**self._always, **fields(request))
        except Exception as error:
            raise self._typed(error) from None
        seconds = now() - begun
        answer = Assembly(self._identity.model, self._name, self._whole)
        answer.add(_received(body), "message")
        if not answer.usage.input_tokens:
            answer.usage = Usage()
        return answer.complete(seconds=seconds)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces. Raises a `BackendError`; closing it closes the connection."""
        litellm, begun, first_token_s = self._library(), now(), None
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        answer = Assembly(self._identity.model, self._name, self._streamed)
        try:
            chunks = await litellm.acompletion(**self._always, **fields(request), **asked)
        except Exception as error:
            raise self._typed(error) from None
        try:
            async for chunk in chunks:
                text = answer.add(_received(chunk), "delta")
                if text:
                    first_token_s = now() - begun if first_token_s is None else first_token_s
                    yield text
            if not any(getattr(chunk, "usage", None) for chunk in getattr(chunks, "chunks", ())):
                answer.usage = Usage()
            yield answer.complete(first_token_s=first_token_s, seconds=now() - begun)
        except BackendError:
            raise
        except Exception as error:
            raise self._typed(error) from None
        finally:
            await chunks.aclose()

    async def aclose(self) -> None:
        """Close the connections that LiteLLM keeps for everybody, once no backend here is in use any more."""
        if not self._used:
            return
        self._used = False
        LiteLLMBackend._in_use -= 1
        if LiteLLMBackend._in_use == 0:
            await _close_clients()

    def _library(self) -> Any:
        if not self._used:
            self._used = True
            LiteLLMBackend._in_use += 1
        return library()

    def _typed(self, error: Exception) -> BackendError:
        """Our error for LiteLLM's. It reports a broken connection, a broken body and a real 500 alike as 500, so what
        caused the exception, and whether a server's headers came with it, decide; its text never does.
        """
        litellm, causes = library(), list(_causes(error))
        status = getattr(error, "status_code", None)
        headers = getattr(error, "litellm_response_headers", None)
        kind = type(error).__name__
        if isinstance(error, litellm.exceptions.BadRequestError) and not _known(self._identity.model):
            return BackendRefused(f"{self._name}: litellm does not know its provider; write it as provider/model")
        if isinstance(error, litellm.exceptions.UnsupportedParamsError):
            return BackendRefused(f"{self._name} does not take one of the request's fields ({kind}); leave it out")
        if not headers and (status == 408 or any(isinstance(each, TimeoutError) for each in causes)):
            return BackendUnavailable(f"{self._name} did not answer in time; allow more time or check that it is up")
        answered = headers or any(type(each).__name__ == "HTTPStatusError" for each in causes)
        if isinstance(status, int) and status >= 300 and (answered or status != 500):
            code = error_code({"error": getattr(error, "body", None)})
            after = (headers or {}).get("retry-after")
            return failure(self._name, status, code=code, retry_after=after, key_variable=self._key_variable())
        if any(isinstance(each, OSError) or type(each).__name__ in _TRANSPORT for each in causes):
            return BackendUnavailable(f"{self._name} could not be reached, or broke the connection ({kind}); try again")
        if litellm.validate_environment(self._identity.model).get("missing_keys"):
            return BackendRefused(
                f"{self._name} needs a key; put it into the environment variable {self._key_variable()}"
            )
        return Assembly(self._identity.model, self._name, self._whole).bad(f"could not be understood ({kind})")

    def _key_variable(self) -> str:
        litellm, model = library(), self._identity.model
        missing = litellm.validate_environment(model).get("missing_keys")
        return str(missing[0] if missing else f"{litellm.get_llm_provider(model)[1].upper()}_API_KEY")


OPTIONAL_FEES: Final = {"search", "grounding"}
"""Fees that most models charge only where a request asks for the service, as none of ours does."""


def list_price(model: str) -> Price:
    """What LiteLLM's own map says a model costs; unknown where it does not say, or names fees besides tokens."""
    known = _map_entry(model)
    dollars: Any = (known.get("input_cost_per_token"), known.get("output_cost_per_token"))
    searches = known.get("litellm_provider") == "perplexity" or "search" in model  # others only where asked to
    fees = [
        key
        for key in known
        if "cost" in key and "token" not in key and (searches or not OPTIONAL_FEES & set(key.split("_")))
    ]
    if None in dollars or any(_charged(known[key]) for key in fees):
        return UNKNOWN
    dollars = dollars[0], max(dollars[1], known.get("output_cost_per_reasoning_token") or 0.0)
    source = f"list price in litellm {version('litellm')}'s price map"
    return Price(model, dollars[0] * 1e6, dollars[1] * 1e6, source)


def _map_entry(model: str) -> dict[str, Any]:
    """The map's entry for a model. It lists some as `provider/model` and some bare: a bare one must be its provider's
    own, since `other/gpt-4o` costs what the other asks."""
    prices: dict[str, dict[str, Any]] = library().model_cost
    provider, _, bare = model.partition("/")
    entry = prices.get(bare, {})
    return prices.get(model) or (entry if entry.get("litellm_provider") == provider else {})


def _charged(fee: object) -> bool:
    return any(fee.values()) if isinstance(fee, dict) else bool(fee)


ADDRESSES: Final = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
"""Environment variables that LiteLLM takes OpenAI's address from, in its order."""


def _own_address(model: str) -> str:
    """Where LiteLLM sends an OpenAI model when told nothing, without credentials; empty for OpenAI itself."""
    provider, slash, _ = model.partition("/")
    if slash and not provider.endswith("openai"):
        return ""
    for variable in ADDRESSES:
        if url := os.environ.get(variable):
            try:
                return split_url(url)[0]
            except BadInput as error:
                raise BadInput(f"the environment variable {variable} is wrong: {error}") from None
    return ""


_FOREIGN: Final[set[str]] = set()
"""Keys of the clients that LiteLLM had before we asked it anything: they are others' to close."""

_TRANSPORT: Final = frozenset(
    {"ClientPayloadError", "ConnectError", "ReadError", "RemoteProtocolError", "ServerDisconnectedError"}
)


def _known(model: str) -> bool:
    litellm = library()
    try:
        return bool(litellm.get_llm_provider(model)[1])
    except litellm.exceptions.BadRequestError:
        return False


def _received(body: Any) -> dict[str, Any]:
    """A body or an event, under the name that the provider gave: litellm puts the one asked for in its place."""
    fields: dict[str, Any] = body.model_dump()
    return fields | {"model": getattr(body, "_hidden_params", {}).get("provider_response_model")}


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@cache
def library() -> Any:
    """LiteLLM, set up. The first call imports it, which takes seconds: make it before anything is timed."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True
    setattr(litellm, "REPEATED_STREAMING_CHUNK_LIMIT", sys.maxsize)  # noqa: B010 - mypy takes it for unexported
    for name in ("LiteLLM", "LiteLLM Proxy", "LiteLLM Router"):
        logging.getLogger(name).addFilter(lambda _: False)  # `disabled` is undone by whoever configures logging next
    logging.getLogger("openai").setLevel(logging.WARNING)
    # it makes its coroutine in a thread, and leaves it there where the call is cancelled meanwhile
    warnings.filterwarnings("ignore", "coroutine 'OpenAIChatCompletion", RuntimeWarning)
    _FOREIGN.update(litellm.in_memory_llm_clients_cache.cache_dict)
    return litellm


async def _close_clients() -> None:
    """Close the clients that LiteLLM cached for this loop since we imported it: it would only do so by age."""
    cached = library().in_memory_llm_clients_cache
    of_this_loop = cached.update_cache_key_with_event_loop("")
    for key in [key for key in cached.cache_dict if key.endswith(of_this_loop) and key not in _FOREIGN]:
        client = cached.cache_dict[key]
        cached.delete_cache(key)
        if close := getattr(client, "close", None):
            await close()

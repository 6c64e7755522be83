"""A running service as a target: an OpenAI-compatible API, or any endpoint that takes and gives JSON.

It is a black box: nothing is retried here, and what happened inside is known only as far as the answer says. Answers
are not streamed, so a latency is the time from sending the request to the last byte of the answer.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
from pydantic import JsonValue

from benchmarks.scenario import Arm, Scenario
from benchmarks.strict_json import kind, loads
from benchmarks.systems import KEY_VARIABLE, PLACEHOLDER, VARIABLE, Http, ResponsePaths, own_price, texts_in, with_texts
from benchmarks.targets.target import MOST, Reply, Target, cost_usd, steps_of_stage
from benchmarks.workloads.traffic import Asked
from shared.backends.http import MAX_ANSWER_BYTES, HttpBackend
from shared.clock import now
from shared.contract import Completion, Identity, Request, Usage
from shared.errors import BackendError, BackendRefused, BackendUnavailable, BadAnswer, BadInput
from shared.pricing import Price

CONNECT_S: Final = 5.0
NOT_TOLD: Final = "a model that is not told"
T = TypeVar("T")


def open_http(arm: Arm, system: Http, deadline_s: float) -> Target:
    """The target of a scenario's `kind = "http"`. The caller closes it, and has called `check_environment`."""
    price = own_price(system.price)
    if system.base_url and system.model:
        variable = system.api_key_env or KEY_VARIABLE
        backend = HttpBackend(
            system.base_url,
            system.model,
            api_key=os.environ.get(variable, "").strip(),
            api_key_env=variable,
            connect_s=CONNECT_S,
            silence_s=deadline_s,
        )
        return OpenAITarget(arm, backend, price)
    if system.url and system.response:
        headers = {name: _expanded(value) for name, value in system.headers.items()}
        body = with_texts(system.body, _expanded)
        return EndpointTarget(arm, system.method, system.url, headers, body, system.response, price)
    raise BadInput(f"{arm} has neither base_url and model nor url and response")


def check_environment(scenario: Scenario) -> None:
    """Raises `BadInput` naming the key and its environment variable that is not set or cannot be sent."""
    for arm, system in scenario.arms.items():
        if not isinstance(system, Http):
            continue
        needed: dict[tuple[str, ...], list[str]] = {
            (arm, "headers", name): VARIABLE.findall(value) for name, value in system.headers.items()
        }
        needed[arm, "body"] = [name for text in texts_in(system.body) for name in VARIABLE.findall(text)]
        if system.api_key_env:
            needed[arm, "api_key_env"] = [system.api_key_env]
        elif system.base_url and os.environ.get(KEY_VARIABLE, "").strip():
            needed[arm, "base_url"] = [KEY_VARIABLE]
        for key, variables in needed.items():
            for variable in variables:
                if not os.environ.get(variable, "").strip():
                    raise scenario.error(key, f"the environment variable {variable} is not set; export it")
                if not os.environ[variable].strip().isprintable():
                    raise scenario.error(key, f"the environment variable {variable} holds a line break or the like")


def _expanded(text: str) -> str:
    return VARIABLE.sub(lambda found: os.environ[found[1]].strip(), text)


class OpenAITarget:
    """A chat-completions API at a base URL, asked through `HttpBackend`. It sees the workload's whole prompt."""

    notes: tuple[str, ...] = ()

    def __init__(self, arm: Arm, backend: HttpBackend, price: Price) -> None:
        self._backend, self._price = backend, price
        self.arm, self.prices = arm, {"call": price}
        self.identities = {"call": backend.identity}

    async def ask(self, asked: Asked, request: Request) -> Reply:  # noqa: ARG002  # only a log needs the number
        begun = now()
        try:
            async with asyncio.timeout(request.deadline_s):
                got = await self._backend.complete(request)
        except BackendError as error:
            return _failed(error)
        except TimeoutError:
            return _failed(_too_late(request))
        seconds = now() - begun
        cost = self._price.cost(got.usage)
        return Reply(got.text, got.model, latency_s=seconds, cost_usd=cost, usage=got.usage)

    async def aclose(self) -> None:
        await self._backend.aclose()


class EndpointTarget:
    """Any endpoint that takes a request made from a template and answers JSON that paths lead into."""

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        arm: Arm,
        method: str,
        url: str,
        headers: Mapping[str, str],
        template: JsonValue,
        paths: ResponsePaths,
        price: Price,
    ) -> None:
        self._method, self._url, self._headers = method, url, headers
        self._template, self._paths, self._price = template, paths, price
        self._session: aiohttp.ClientSession | None = None
        address = urlsplit(url)._replace(query="", fragment="").geturl()
        self.arm, self.prices = arm, {"call": price}
        self.identities = {"call": Identity("http", NOT_TOLD, address)}

    async def ask(self, asked: Asked, request: Request) -> Reply:
        values = {"input": asked.item.text(), "task": request.task, "id": asked.item.id}
        messages: JsonValue = [{"role": each.role, "content": each.content} for each in request.messages]
        url = _filled(self._url, {name: quote(value, safe="") for name, value in values.items()})
        body = None if self._template is None else _render(self._template, values, messages)
        begun = now()
        try:
            async with asyncio.timeout(request.deadline_s):
                raw = await self._sent(url, body)
        except BackendError as error:
            return _failed(error)
        except TimeoutError:
            return _failed(_too_late(request))
        except (aiohttp.ClientError, OSError) as error:
            return _failed(_unavailable(error))
        seconds = now() - begun
        try:
            return self._reply(raw, seconds)
        except BadAnswer as error:
            return _failed(error)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _sent(self, url: str, body: JsonValue) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
            )
        async with self._session.request(self._method, url, json=body, allow_redirects=False) as response:
            raw = bytearray()
            async for chunk in response.content.iter_any():
                raw += chunk
                if len(raw) > MAX_ANSWER_BYTES:
                    raise BadAnswer(f"the answer is longer than {MAX_ANSWER_BYTES} bytes; check the endpoint")
            _check(response, bytes(raw))
            return bytes(raw)

    def _reply(self, raw: bytes, seconds: float) -> Reply:
        try:
            answer: Any = loads(raw)
        except (ValueError, RecursionError):
            raise BadAnswer("the answer is no JSON in UTF-8; check what stands at this URL") from None
        paths = self._paths
        text = at_path(answer, paths.text)
        if text is None:
            raise BadAnswer(f"response.text: `{paths.text}` is null; there is no answer in it")
        if not isinstance(text, str):
            text = json.dumps(text, ensure_ascii=False)
        try:
            _text(text)
        except TypeError as error:
            raise BadAnswer(f"response.text: `{paths.text}` is {error}") from None
        model = self._optional(answer, "model", _text)
        usage = Usage(self._optional(answer, "input_tokens", _count), self._optional(answer, "output_tokens", _count))
        stage = self._optional(answer, "stage", _text)
        told_usd = self._optional(answer, "cost_usd", _number)
        cost = cost_usd(told_usd, self._price, usage, stage)
        steps = None
        if stage is not None:
            completion = Completion(text, model or NOT_TOLD, usage, "unknown", seconds=seconds)
            try:
                steps = steps_of_stage(stage, completion)
            except ValueError as error:
                raise BadAnswer(f"response.stage: {error}") from None
        return Reply(text, model, None, seconds, None, cost, steps, usage, cost_reported=told_usd is not None)

    def _optional(self, answer: Any, name: str, read: Callable[[object], T]) -> T | None:
        """The value at an optional path: None where the scenario has no such path or the answer has null there."""
        path: str | None = getattr(self._paths, name)
        if path is None:
            return None
        value = at_path(answer, path, missing_is_null=True)
        try:
            return None if value is None else read(value)
        except TypeError as error:
            raise BadAnswer(f"response.{name}: `{path}` is {error}") from None


def at_path(value: Any, path: str, *, missing_is_null: bool = False) -> Any:
    """What a dotted path of keys and indices leads to. Raises `BadAnswer` saying how far it led and what was there."""
    gone: list[str] = []
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif missing_is_null:
            return None
        else:
            where = f"`{'.'.join(gone)}`" if gone else "the answer"
            raise BadAnswer(f"response path `{path}` leads nowhere: {where} {_described(value)}")
        gone.append(part)
    return value


def _described(value: object) -> str:
    """The shape of a value, by its keys; never by what it says."""
    if isinstance(value, dict):
        keys = ", ".join(str(key)[:40] for key in list(value)[:8])
        return f"has the keys {keys}" if keys else "is an empty object"
    return f"is a list of {len(value)}" if isinstance(value, list) else f"is {kind(value)}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{kind(value)}, not a text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise TypeError("a text with half a character (a lone surrogate)") from None
    return value


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
        return value
    raise TypeError(f"{kind(value)}, not a whole number from 0 to {MOST:g}")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST:
        return float(value)
    raise TypeError(f"{kind(value)}, not a number from 0 to {MOST:g}")


def _render(template: JsonValue, values: Mapping[str, str], messages: JsonValue) -> JsonValue:
    """The template with its placeholders filled in."""
    return with_texts(template, lambda text: messages if text == "{{messages}}" else _filled(text, values))


def _filled(text: str, values: Mapping[str, str]) -> str:
    """A variable's value may hold what looks like a placeholder: it stays."""
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def _check(response: aiohttp.ClientResponse, raw: bytes) -> None:
    """Raises a `BackendError` for an answer that cannot be one. Its body is not quoted: it may repeat the prompt."""
    status = response.status
    if status >= 500 or status in (408, 429):
        raise BackendUnavailable(f"the endpoint answered {status}; try again, or look into its log")
    if status >= 400:
        remedy = {401: "check its key in the headers", 403: "check its key in the headers", 404: "check the URL"}
        raise BackendRefused(
            f"the endpoint answered {status}; {remedy.get(status, 'check url, method, headers and body')}"
        )
    if status >= 300:
        raise BackendRefused(f"the endpoint answered {status}, a redirect, which is not followed; give the new URL")
    start = raw.lstrip()[:1]
    if response.content_type in ("text/html", "application/xhtml+xml") or start == b"<":
        kind = response.content_type if "html" in response.content_type else "markup"
        raise BadAnswer(f"the endpoint answered {kind}, not JSON; is the URL that of the API?")


def _unavailable(error: Exception) -> BackendUnavailable:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        what, remedy = "has a host name that does not resolve", "check the URL and the network"
    elif isinstance(error, aiohttp.ClientConnectorError):
        what, remedy = "cannot be connected to", "check the URL and that the server runs"
    else:
        what, remedy = "broke the connection", "try again or check the server's log"
    return BackendUnavailable(f"the endpoint {what} ({type(error).__name__}); {remedy}")


def _too_late(request: Request) -> BackendUnavailable:
    return BackendUnavailable(f"no complete answer within {request.deadline_s:g} s; allow more with deadline_s")


def _failed(error: BackendError) -> Reply:
    """The message may name keys of the answer, which need be no valid text."""
    return Reply(None, error=f"{type(error).__name__}: {error}".encode(errors="replace").decode())

"""What an arm can be: a pipeline of this repo, a running service, a function, or a log. The tables of a scenario file.

Next: `scenario.py` (the whole file, and the preset under it).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    field_serializer,
    model_validator,
)

from benchmarks.toml_source import nearest
from legacy_pipeline.settings import Settings as LegacySettings
from shared import pricing
from shared.backends.openai_dialect import split_url
from shared.errors import BadInput
from shared.pricing import Price

KEY_VARIABLE: Final = "CROSSOVER_API_KEY"
KINDS: Final = ("recorded", "local", "litellm", "http")
OWN: Final = "given in the scenario file"
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to an environment variable, where one is allowed: in the values of headers and the texts of a body."""
PLACEHOLDER: Final = re.compile(r"\{\{ *(\w*) *\}\}")
PLACEHOLDERS: Final = ("input", "task", "id", "messages")
ALONE: Final = '{{messages}} becomes a list, so it stands alone in the body: "{{messages}}"'
REFERENCE: Final = re.compile(f"{VARIABLE.pattern}|{PLACEHOLDER.pattern}")
NOT_SHOWN: Final = "(not shown)"
SOURCE: Final = "Patterns of its Python files, relative to this file, for `crossover maintenance`."
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def known_kind(text: str) -> str:
    """The model place as it was written. Raises `ValueError` where it is none."""
    kind, _, name = text.partition(":")
    if kind not in KINDS or not name:
        shown = "this" if "/" in text else repr(text)  # what was meant as a URL may hold a key
        raise ValueError(f"{shown} is no model; write recorded:NAME, local:NAME, litellm:NAME or http:URL#MODEL")
    if kind == "recorded" and "/" in name:
        raise ValueError(
            f"a recording's name holds no `/`; `crossover record` writes recorded:{name.replace('/', '--')}"
        )
    if kind == "http":
        url, _, model = name.partition("#")
        if not model or not url.startswith(("http://", "https://")):
            raise ValueError("this needs a URL and a model: http:https://host/v1#MODEL")
        _base_url(url)
    return text


def _base_url(text: str) -> str:
    """What `HttpBackend` takes, and no credentials: they would stand in the report."""
    try:
        _, credentials = split_url(text)
    except BadInput as error:
        raise ValueError(str(error)) from None
    if credentials:
        raise ValueError("the URL holds a user or a password; put the key into an environment variable")
    return text


def _url(text: str) -> str:
    try:
        url = urlsplit(text)
        there = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        raise ValueError("the host or the port of this URL is wrong; write one like https://host/path") from None
    if "@" in url.netloc:
        raise ValueError("the URL holds a user or a password; put the key into an environment variable")
    if not there:
        raise ValueError("this is no URL; write one like https://host/path")
    if "messages" in _placeholders([text]):
        raise ValueError(ALONE)
    return text


def _placeholders(texts: Iterable[str]) -> set[str]:
    """The placeholders in them. Raises `ValueError` for one that there is not."""
    found = {name for text in texts for name in PLACEHOLDER.findall(text)}
    for name in sorted(found - set(PLACEHOLDERS)):
        raise ValueError(f"placeholder {{{{{name}}}}} is unknown{nearest(name, PLACEHOLDERS)}")
    return found


def _body(body: JsonValue) -> JsonValue:
    """The body as a value with placeholders."""
    try:
        if isinstance(body, str):
            body = json.loads(body)
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f'body is no JSON ({error}); placeholders stand in quotes: "{{{{input}}}}"') from None
    _placeholders(texts_in(body))
    if any(text != "{{messages}}" for text in texts_in(body) if "messages" in PLACEHOLDER.findall(text)):
        raise ValueError(ALONE)
    return body


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("this is no name of an environment variable; name the one that holds the key, not the key")
    return name


def _header_name(name: str) -> str:
    if not HEADER_NAME.fullmatch(name):
        raise ValueError("this is no name of a header; write letters, digits and hyphens")
    return name


def _header_value(value: str) -> str:
    if HEADER_CONTROL.search(value):
        raise ValueError("the header holds a line break or the like; write it in one line")
    return value


def _price_name(name: str) -> str:
    try:
        pricing.find(name)
    except BadInput as error:
        raise ValueError(f"{error}, or a table like {{ input = 0.15, output = 0.60 }}") from None
    return name


def _pattern(text: str) -> str:
    parts = Path(text).parts
    if not parts or Path(text).is_absolute() or any("**" in part and part != "**" for part in parts):
        raise ValueError("this is no pattern relative to this file's folder; write one like src/**/*.py")
    return text


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OwnPrice(Strict):
    """A price of your own: US dollars per million tokens, `input` and `output`, or per call."""

    input: float | None = Field(default=None, ge=0, description="US dollars per million tokens in.")
    output: float | None = Field(default=None, ge=0, description="US dollars per million tokens out.")
    per_call: float | None = Field(default=None, ge=0, description="US dollars a call, whatever its tokens.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        tokens = [self.input is not None, self.output is not None]
        if any(tokens) == (self.per_call is not None) or any(tokens) != all(tokens):
            raise ValueError("write either { input = ..., output = ... } or { per_call = ... }")
        return self


def _price_tag(value: object) -> str:
    return "table" if isinstance(value, dict | OwnPrice) else "name"


PriceSpec = Annotated[
    Annotated[str, AfterValidator(_price_name), Tag("name")] | Annotated[OwnPrice, Tag("table")],
    Discriminator(_price_tag),
]
"""The name of a list price, or a table of one's own."""
ModelPlace = Annotated[str, AfterValidator(known_kind)]
Text = Annotated[str, Field(min_length=1)]
Sources = Annotated[tuple[Annotated[Text, AfterValidator(_pattern)], ...], Field(description=SOURCE)]
HARDWARE: Final = "The row of the hardware catalogue that gives the time of recorded answers."


class Legacy(Strict):
    """The legacy pipeline of this repo: its two models and what their tokens cost."""

    kind: Literal["builtin"] = "builtin"
    small: ModelPlace
    large: ModelPlace
    small_price: PriceSpec | None = None
    large_price: PriceSpec | None = None
    small_hardware: Text | None = Field(default=None, description=HARDWARE)
    large_hardware: Text | None = Field(default=None, description=HARDWARE)
    settings: LegacySettings = LegacySettings()


class Direct(Strict):
    """The direct pipeline of this repo: its one model and what its tokens cost."""

    kind: Literal["builtin"] = "builtin"
    model: ModelPlace
    price: PriceSpec | None = None
    hardware: Text | None = Field(default=None, description=HARDWARE)
    votes: int = Field(default=1, ge=1, le=31, description="Samples of which the most frequent answer is given.")


class ResponsePaths(Strict):
    """Where a JSON answer holds what: keys and indices joined by dots, like `choices.0.message.content`."""

    text: Text
    model: Text | None = None
    input_tokens: Text | None = None
    output_tokens: Text | None = None
    cost_usd: Text | None = None
    stage: Text | None = Field(default=None, description="What answered: cache, small, large or call.")


class Http(Strict):
    """A running service: an OpenAI-compatible API (`base_url` and `model`) or any JSON endpoint (`url`, `response`).

    In the first form the model sees the workload's whole prompt. In the second `{{input}}`, `{{task}}` and `{{id}}` in
    `url` and `body` are the item's own, and a text that is exactly `{{messages}}` becomes the list of messages.
    """

    kind: Literal["http"]
    base_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None, description="The API's address up to and including its version: https://host/v1"
    )
    model: Text | None = None
    api_key_env: Annotated[Text, AfterValidator(_variable_name)] | None = Field(
        default=None, description=f"The environment variable that holds the key; default: {KEY_VARIABLE}, if it is set."
    )
    url: Annotated[str, AfterValidator(_url)] | None = None
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[Annotated[str, AfterValidator(_header_name)], Annotated[str, AfterValidator(_header_value)]] = Field(
        default={}, description="Values may hold ${VARIABLE} of the environment."
    )
    body: Annotated[JsonValue, AfterValidator(_body)] = Field(
        default=None, description="A table, or a text that is JSON. Texts may hold ${VARIABLE} of the environment."
    )
    response: ResponsePaths | None = None
    price: PriceSpec | None = None
    source: Sources = ()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        openai = {"base_url", "model", "api_key_env"} & self.model_fields_set
        own = {"url", "method", "headers", "body", "response"} & self.model_fields_set
        if openai and own:
            raise ValueError(
                f"{' and '.join(sorted(openai))} are for an OpenAI-compatible API, {' and '.join(sorted(own))} for any "
                "other endpoint; leave out the ones or the others"
            )
        if own:
            if self.url is None or self.response is None:
                raise ValueError("an endpoint needs a url, and a table `response` with the path `text`")
            if not _placeholders([self.url, *texts_in(self.body)]) & {"input", "messages"}:
                raise ValueError(
                    "neither body nor url holds {{input}} or {{messages}}, so every request would be the same"
                )
        elif self.base_url is None or self.model is None:
            raise ValueError("an OpenAI-compatible API needs base_url and model; any other endpoint url and response")
        return self

    @field_serializer("headers")
    def _no_header_secrets(self, headers: dict[str, str]) -> dict[str, str]:
        return {name: _shown(value, VARIABLE) for name, value in headers.items()}

    @field_serializer("body")
    def _no_body_secrets(self, body: JsonValue) -> JsonValue:
        return with_texts(body, lambda text: _shown(text, REFERENCE))

    @field_serializer("url")
    def _no_query(self, url: str | None) -> str | None:
        address, query, _ = (url or "").partition("?")
        return f"{address}?{NOT_SHOWN}" if query else url


class Python(Strict):
    """A function of yours, run in a process of its own."""

    kind: Literal["python"]
    callable: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", description="package.module:function, sync or async."
    )
    interpreter: Text | None = Field(default=None, description="The Python that has its packages; default: this one.")
    price: PriceSpec | None = None
    source: Sources = ()


class Log(Strict):
    """Answers that were given earlier: JSON Lines, one request a line."""

    kind: Literal["log"]
    path: Text
    source: Sources = ()


AnyLegacy = Annotated[Legacy | Http | Python | Log, Field(discriminator="kind")]
AnyDirect = Annotated[Direct | Http | Python | Log, Field(discriminator="kind")]


def own_price(spec: str | OwnPrice | None) -> Price:
    """The price of a scenario file: of the list, one's own, or unknown."""
    if spec is None:
        return pricing.UNKNOWN
    if isinstance(spec, str):
        return pricing.find(spec)
    return Price("own", spec.input, spec.output, OWN, per_call_usd=spec.per_call)


def texts_in(value: JsonValue) -> Iterator[str]:
    """Every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts_in(inner)


def with_texts(value: JsonValue, change: Callable[[str], JsonValue]) -> JsonValue:
    """The value with every text inside it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [with_texts(each, change) for each in value]
    if isinstance(value, dict):
        return {key: with_texts(each, change) for key, each in value.items()}
    return value


def _shown(text: str, reference: re.Pattern[str]) -> str:
    """The references that a text holds; what stands around them may be secret."""
    shown, end = "", 0
    for found in reference.finditer(text):
        shown += (NOT_SHOWN if found.start() > end else "") + found[0]
        end = found.end()
    return shown + (NOT_SHOWN if len(text) > end else "")

"""What was asked for: a preset, a TOML file over it, flags over both. `crossover init` writes a file to begin with.

    seed = 7
    [traffic]  workload = "builtin"  repeat_share = 0.31
    [legacy]   kind = "builtin"  small = "recorded:qwen-0.5b"  large = "recorded:qwen-1.5b"  small_price = "..."
    [direct]   kind = "http"  base_url = "https://host/v1"  model = "..."  price = { input = 0.15, output = 0.60 }

`[legacy]` and `[direct]` each take one of four kinds: `builtin` (the pipeline of this repo), `http`, `python` or `log`.
Each model place of a built-in pipeline takes `recorded:NAME`, `local:NAME`, `litellm:NAME` or `http:URL#MODEL`.
`[legacy.settings]` takes the legacy pipeline's own knobs; the direct one has none. Relative paths are relative to the
file. Its JSON Schema is `scenario.schema.json`, beside this module.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PrivateAttr,
    Tag,
    ValidationError,
    field_serializer,
    model_validator,
)

from benchmarks.toml_source import Key, TomlSource, nearest
from benchmarks.workloads.workload import BUILTIN, ScorerName
from legacy_pipeline.settings import Settings as LegacySettings
from shared import pricing
from shared.backends.openai_dialect import split_url
from shared.errors import BadInput
from shared.pricing import Price

KINDS: Final = ("recorded", "local", "litellm", "http")
DEFAULT_FILE: Final = Path("crossover.toml")
KEY_VARIABLE: Final = "CROSSOVER_API_KEY"
OWN: Final = "given in the scenario file"
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A reference to an environment variable, where one is allowed: in the values of headers and the texts of a body."""
PLACEHOLDER: Final = re.compile(r"\{\{ *(\w*) *\}\}")
PLACEHOLDERS: Final = ("input", "task", "id", "messages")
ALONE: Final = '{{messages}} becomes a list, so it stands alone in the body: "{{messages}}"'
REFERENCE: Final = re.compile(f"{VARIABLE.pattern}|{PLACEHOLDER.pattern}")
NOT_SHOWN: Final = "(not shown)"
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Arm = Literal["legacy", "direct"]
ARMS: Final[tuple[Arm, Arm]] = ("legacy", "direct")


def _known_kind(text: str) -> str:
    kind, _, name = text.partition(":")
    if kind not in KINDS or not name:
        raise ValueError(f"{text!r} is no model; write recorded:NAME, local:NAME, litellm:NAME or http:URL#MODEL")
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


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OwnPrice(_Strict):
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
ModelPlace = Annotated[str, AfterValidator(_known_kind)]
Text = Annotated[str, Field(min_length=1)]


class Traffic(_Strict):
    """Every test question once, in random order, and repeats among them. Where an arm is a log, the log is the traffic.

    A repeat asks a question again that was asked before, the popular ones more often: popularity follows a Zipf law
    over a random ranking. The default share is what a study of real users' questions found (MeanCache, arXiv
    2403.02694: about 31 %).
    """

    workload: Text = Field(default="builtin", description='"builtin", or a folder with tasks.toml and *.jsonl.')
    repeat_share: float = Field(
        default=0.31, ge=0, le=0.99, description="Share of requests that repeat an earlier one."
    )
    zipf: float = Field(default=1.0, ge=0, le=10, description="Exponent of the popularity of what is repeated.")
    limit: int | None = Field(default=None, ge=1, description="Stop after so many requests; None: all.")


class Quality(_Strict):
    """How answers are judged. A scorer is for logs: the tasks of a workload name their own."""

    scorer: ScorerName | None = Field(
        default=None, description="None: by what is expected: a text, a number or an object."
    )
    margin: float = Field(
        default=0.02, gt=0, lt=1, description="Mean score that direct may lose and still count as equivalent."
    )


class Legacy(_Strict):
    """The legacy pipeline of this repo: its two models and what their tokens cost."""

    kind: Literal["builtin"] = "builtin"
    small: ModelPlace
    large: ModelPlace
    small_price: PriceSpec | None = None
    large_price: PriceSpec | None = None
    settings: LegacySettings = LegacySettings()


class Direct(_Strict):
    """The direct pipeline of this repo: its one model and what its tokens cost."""

    kind: Literal["builtin"] = "builtin"
    model: ModelPlace
    price: PriceSpec | None = None


class ResponsePaths(_Strict):
    """Where a JSON answer holds what: keys and indices joined by dots, like `choices.0.message.content`."""

    text: Text
    model: Text | None = None
    input_tokens: Text | None = None
    output_tokens: Text | None = None
    cost_usd: Text | None = None
    stage: Text | None = Field(default=None, description="What answered: cache, small, large or call.")


class Http(_Strict):
    """A running service: an OpenAI-compatible API (`base_url` and `model`) or any JSON endpoint (`url`, `response`).

    In the first form the model sees the workload's whole prompt. In the second `{{input}}`, `{{task}}` and `{{id}}` in
    `url` and `body` are the item's own, and a text that is exactly `{{messages}}` becomes the list of messages.
    """

    kind: Literal["http"]
    base_url: Annotated[str, AfterValidator(_base_url)] | None = Field(
        default=None, description="The API's address up to and including its version: https://host/v1"
    )
    model: Text | None = None
    api_key_env: Text | None = Field(
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


class Python(_Strict):
    """A function of yours, run in a process of its own."""

    kind: Literal["python"]
    callable: str = Field(
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", description="package.module:function, sync or async."
    )
    interpreter: Text | None = Field(default=None, description="The Python that has its packages; default: this one.")
    price: PriceSpec | None = None


class Log(_Strict):
    """Answers that were given earlier: JSON Lines, one request a line."""

    kind: Literal["log"]
    path: Text


AnyLegacy = Annotated[Legacy | Http | Python | Log, Field(discriminator="kind")]
AnyDirect = Annotated[Direct | Http | Python | Log, Field(discriminator="kind")]


class Call(NamedTuple):
    """One kind of call that an arm makes: whom it asks, at what price, and whether that may cost money."""

    whom: str
    price: str | OwnPrice | None
    paid: bool


class Scenario(_Strict):
    """One comparison, complete."""

    preset: str
    seed: int = 7
    deadline_s: float = Field(default=120.0, gt=0, description="Seconds each request may take.")
    traffic: Traffic = Traffic()
    quality: Quality = Quality()
    legacy: AnyLegacy
    direct: AnyDirect
    stand_ins: dict[str, str] = Field(
        default_factory=dict, description="What the small, large and call model stand for."
    )
    _source: TomlSource = PrivateAttr(default_factory=lambda: TomlSource(None))

    def model_post_init(self, context: object) -> None:
        if isinstance(context, TomlSource):
            self._source = context

    @property
    def folder(self) -> Path:
        """What relative paths are relative to: the scenario file's folder."""
        return self._source.folder

    def path(self, written: str) -> Path:
        """A path of the scenario file."""
        return self.folder / Path(written).expanduser()

    def error(self, key: Key, message: str) -> BadInput:
        """The error for a key, with the file and the line where it stands."""
        return self._source.error(key, message)

    @property
    def workload_folder(self) -> Path:
        """Where the questions are, and with them their recordings."""
        return BUILTIN if self.traffic.workload == "builtin" else self.path(self.traffic.workload)

    @property
    def arms(self) -> Mapping[Arm, Legacy | Direct | Http | Python | Log]:
        return {"legacy": self.legacy, "direct": self.direct}

    @property
    def logs(self) -> Mapping[Arm, Path]:
        """The log of each arm that is one."""
        return {name: self.path(arm.path) for name, arm in self.arms.items() if isinstance(arm, Log)}

    @property
    def places(self) -> dict[str, str]:
        """The model of each kind of call that a built-in pipeline makes."""
        places: dict[str, str] = {}
        if isinstance(self.legacy, Legacy):
            places |= {"small": self.legacy.small, "large": self.legacy.large}
        if isinstance(self.direct, Direct):
            places["call"] = self.direct.model
        return places

    @property
    def calls(self) -> dict[tuple[Arm, str], Call]:
        """Every kind of call of either arm. A log makes none."""
        calls: dict[tuple[Arm, str], Call] = {}
        for name, arm in self.arms.items():
            if isinstance(arm, Legacy):
                calls[name, "small"] = Call(arm.small, arm.small_price, _is_paid(arm.small))
                calls[name, "large"] = Call(arm.large, arm.large_price, _is_paid(arm.large))
            elif isinstance(arm, Direct):
                calls[name, "call"] = Call(arm.model, arm.price, _is_paid(arm.model))
            elif isinstance(arm, Http):
                whom = f"{arm.model} at {arm.base_url}" if arm.base_url else str(arm.url).partition("?")[0]
                calls[name, "call"] = Call(whom, arm.price, paid=True)
            elif isinstance(arm, Python):
                calls[name, "call"] = Call(arm.callable, arm.price, paid=True)
        return calls

    @property
    def one_by_one(self) -> bool:
        """Whether the arms must run one after the other: models live on this machine slow each other down."""
        return any(place.startswith("local:") for place in self.places.values())


def key_of_place(kind: str) -> Key:
    """Where the model of a kind of call is named."""
    return ("direct", "model") if kind == "call" else ("legacy", kind)


def _is_paid(place: str) -> bool:
    return place.startswith(("litellm:", "http:"))


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


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "hardwired": {
        "legacy": {
            "small": "recorded:qwen-0.5b",
            "small_price": "llama-3.1-8b@deepinfra-turbo",
            "large": "recorded:qwen-1.5b",
            "large_price": "llama-3.3-70b@deepinfra-turbo",
            "settings": {"small_limit_s": 60.0},  # live, the stand-ins run on a CPU
        },
        "direct": {"model": "recorded:qwen-0.5b-burnt-3-6", "price": "llama-3.1-8b@hc1"},
        "stand_ins": {
            "small": "a 0.5B for an 8B on a GPU",
            "large": "a 1.5B for a 70B on GPUs",
            "call": "the 0.5B burnt to 3 and 6 bits for the 8B on hard-wired silicon",
        },
    },
    "between": {
        "legacy": {
            "small": "recorded:smollm2-135m",
            "small_price": "llama-3.1-8b@deepinfra-turbo",
            "large": "recorded:qwen-1.5b",
            "large_price": "gpt-4o",
            "settings": {"small_limit_s": 60.0},
        },
        "direct": {"model": "recorded:qwen-0.5b", "price": "llama-3.3-70b@cerebras"},
        "stand_ins": {
            "small": "a 135M for an 8B on a GPU",
            "large": "a 1.5B for gpt-4o",
            "call": "a 0.5B between them for a 70B on Cerebras",
        },
    },
}


def default_file(file: Path | None) -> Path | None:
    """The file that was named, or else `crossover.toml` where there is one, which is said on stderr."""
    if file is None and DEFAULT_FILE.is_file():
        print(f"crossover: scenario {DEFAULT_FILE}", file=sys.stderr)
        return DEFAULT_FILE
    return file


def load(
    file: Path | None = None,
    *,
    preset: str | None = None,
    small: str | None = None,
    direct: str | None = None,
    large: str | None = None,
    live: bool = False,
    limit: int | None = None,
    seed: int | None = None,
) -> Scenario:
    """The scenario of a file, or of a preset without one, with flags over it. Raises `BadInput` naming line and key."""
    source = TomlSource(file)
    given = source.given
    name = preset or given.pop("preset", "hardwired")
    given.pop("preset", None)
    if not isinstance(name, str) or name not in PRESETS:
        near = nearest(name, PRESETS) if isinstance(name, str) else ""
        raise source.error(("preset",), f"preset {name!r} is unknown; use one of {', '.join(PRESETS)}{near}")
    for section in ("traffic", "legacy", "direct"):
        if not isinstance(given.setdefault(section, {}), dict):
            raise source.error((section,), f"this is no table; write [{section}]")
    base = {"preset": name, **PRESETS[name], "stand_ins": {}}
    stand_ins = dict(PRESETS[name]["stand_ins"])
    for section, kinds in (("legacy", ("small", "large")), ("direct", ("call",))):
        kind = given[section].setdefault("kind", "builtin")
        if kind != "builtin":  # nothing of the preset's pipeline holds for another system
            base.pop(section)
            for each in kinds:
                del stand_ins[each]
    for section, key, price, kind, flag in (
        ("legacy", "small", "small_price", "small", small),
        ("legacy", "large", "large_price", "large", large),
        ("direct", "model", "price", "call", direct),
    ):
        if given[section]["kind"] != "builtin":
            if flag is not None:
                option = "direct" if section == "direct" else key
                raise source.error((section, "kind"), f"--{option} names a model of the built-in pipeline")
            continue
        if flag is not None:
            given[section][key] = flag
            given[section].pop(price, None)
        if given[section].get(key, base[section][key]) != base[section][key]:
            # another model is not what the preset's price and stand-in were for
            given[section].setdefault(price, None)
            del stand_ins[kind]
    given.setdefault("stand_ins", stand_ins)
    merged = _merge(base, given)
    if live:
        for places in (merged["legacy"], merged["direct"]):
            for key in ("small", "large", "model"):
                if places["kind"] == "builtin" and str(places.get(key, "")).startswith("recorded:"):
                    places[key] = "local:" + places[key].removeprefix("recorded:")
    if limit is not None:
        merged["traffic"]["limit"] = limit
    if seed is not None:
        merged["seed"] = seed
    try:
        scenario = Scenario.model_validate(merged, context=source)
    except ValidationError as error:
        raise source.invalid(error, merged, Scenario) from None
    _check_hosts(scenario, source)
    _check_logs(scenario, source)
    return scenario


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in base.items()}
    for key, value in over.items():
        old = merged.get(key)
        whole = key.endswith("price")  # a price of one's own is no change to the preset's
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) and not whole else value
    return merged


def _check_hosts(scenario: Scenario, source: TomlSource) -> None:
    places = [place.partition(":")[2] for place in scenario.places.values() if place.startswith("http:")]
    places += [arm.base_url or "" for arm in scenario.arms.values() if isinstance(arm, Http) and not arm.api_key_env]
    hosts = {urlsplit(place).netloc for place in places} - {""}
    if len(hosts) > 1 and os.environ.get(KEY_VARIABLE):
        raise source.error(
            (),
            f"{KEY_VARIABLE} would be sent to {len(hosts)} different hosts; unset it, or reach one of them through "
            'litellm: or kind = "http" with api_key_env, with a key of its own',
        )


def _check_logs(scenario: Scenario, source: TomlSource) -> None:
    if not scenario.logs:
        if scenario.quality.scorer:
            raise source.error(("quality", "scorer"), "a scorer is for logs; tasks.toml names those of a workload")
        return
    if keys := sorted({"workload", "repeat_share", "zipf"} & scenario.traffic.model_fields_set):
        raise source.error(
            ("traffic", keys[0]), f"a log is the traffic, with the repeats that it has; leave out {', '.join(keys)}"
        )
    if scenario.quality.scorer == "outcome":
        raise source.error(
            ("quality", "scorer"),
            "outcome is for imported tables of graded outcomes; choose label, numeric, short_answer, json_fields or "
            "grammar, or leave it out",
        )
    for kind, place in scenario.places.items():
        if place.startswith("recorded:"):
            raise source.error(
                key_of_place(kind),
                f"{place} has no answers to the questions of a log; name a local:, litellm: or http: model",
            )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file. A preset fills in what is missing, so less is needed than in a `Scenario`."""
    schema = Scenario.model_json_schema()
    for part in (schema, schema["$defs"]["Legacy"], schema["$defs"]["Direct"]):
        del part["required"]
    schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", "crossover scenario"
    schema["properties"]["preset"]["enum"] = list(PRESETS)
    return schema

"""What a pipeline is asked, what it answers, and what it may ask of a model.

Data here is frozen and validated once, when it is made. The two protocols at the end are all that the pipelines, the
backends and the harness know of each other. Next: `steps.py` (what happened on the way), `run.py` (how to consume a
pipeline).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, get_args

from shared.errors import InvalidRequest

if TYPE_CHECKING:
    from shared.steps import Recorder, Step

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter", "unknown"]
Standing = Literal["measured", "recorded", "emulated", "vendor-claimed", "assumed", "unknown"]
"""How a number came to be. Nothing that is not `measured` may be shown without its word."""

ROLES: Final = frozenset(get_args(Role))
TEMPLATE_VERSION: Final = "1"
"""Version of how a request is rendered for a model. Raise it when a rendering changes: old answers expire."""


def canonical_json(value: Any) -> str:
    """JSON with one spelling per value: sorted keys, no spaces, no NaN. Lengths and quotes make it unambiguous."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InvalidRequest(f"message role {self.role!r} is unknown; use one of {', '.join(sorted(ROLES))}")
        if not isinstance(self.content, str):
            raise InvalidRequest(f"message content is {type(self.content).__name__}; only text is carried")


@dataclass(frozen=True, slots=True)
class Request:
    """One question, with everything its answer may depend on.

    `scope` names what the answer depends on besides the text (tenant, locale, policy version), as pairs; a cache must
    not share answers across it. `temperature`, `top_p` and `seed` left at None mean the model's own defaults, which is
    not the same as 0. `response_format` and `tools` are the JSON text of OpenAI's fields of those names. `sample` tells
    apart several samples of one prompt. `deadline_s` is the time the whole answer may take, in seconds.
    """

    messages: tuple[Message, ...]
    task: str = ""
    scope: tuple[tuple[str, str], ...] = ()
    max_tokens: int = 256
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    response_format: str | None = None
    tools: str | None = None
    sample: int = 0
    deadline_s: float = 30.0

    def __post_init__(self) -> None:
        if not self.messages or not all(isinstance(message, Message) for message in self.messages):
            raise InvalidRequest("a request needs at least one Message")
        if self.messages[-1].role != "user":
            raise InvalidRequest(f"the last message is from {self.messages[-1].role!r}; it must be from 'user'")
        if self.max_tokens < 1:
            raise InvalidRequest(f"max_tokens is {self.max_tokens}; it must be 1 or more")
        if self.temperature is not None and not 0.0 <= self.temperature <= 2.0:
            raise InvalidRequest(f"temperature is {self.temperature}; it must lie in [0, 2]")
        if self.top_p is not None and not 0.0 < self.top_p <= 1.0:
            raise InvalidRequest(f"top_p is {self.top_p}; it must lie in (0, 1]")
        for field in ("temperature", "top_p"):  # 0 and 0.0 are the same setting, and must be the same key
            if (number := getattr(self, field)) is not None:
                object.__setattr__(self, field, float(number))
        if not (self.deadline_s > 0 and math.isfinite(self.deadline_s)):
            raise InvalidRequest(f"deadline_s is {self.deadline_s}; it must be a finite number of seconds above 0")
        if isinstance(self.stop, str) or not all(isinstance(each, str) for each in self.stop):
            raise InvalidRequest("stop is not a tuple of texts")
        if not all(isinstance(each, tuple) and [type(part) for part in each] == [str, str] for each in self.scope):
            raise InvalidRequest("scope is not a tuple of (name, value) pairs of text; give tuple(mapping.items())")
        if self.sample < 0:
            raise InvalidRequest(f"sample is {self.sample}; it must be 0 or more")
        for field in ("response_format", "tools"):
            text = getattr(self, field)
            if text is not None:
                try:
                    object.__setattr__(self, field, canonical_json(json.loads(text)))
                except (TypeError, ValueError) as error:
                    raise InvalidRequest(f"{field} is not JSON text ({error})") from None
        object.__setattr__(self, "scope", tuple(sorted(self.scope)))

    def prompt(self) -> dict[str, Any]:
        """All that a model sees, ready for `canonical_json`: everything but task, scope and deadline."""
        return {
            "messages": [(message.role, message.content) for message in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": self.stop,
            "response_format": self.response_format,
            "tools": self.tools,
            "sample": self.sample,
        }


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. None where the backend did not say: unknown is never zero."""

    input_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What one model answered.

    `logprobs` are natural logarithms, one a generated token. `first_token_s` and `seconds` are counted from the call.
    `timing` says how those seconds came to be; `seconds` is None where they are not known.
    """

    text: str
    model: str
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    logprobs: tuple[float, ...] | None = None
    first_token_s: float | None = None
    seconds: float | None = None
    timing: Standing = "measured"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a pipeline answered: a completion, and the steps that led to it.

    `seconds` is the time spent inside the pipeline, `first_text_s` the time to its first text. `steps` holds, besides
    what led to the answer, the work that goes on after it (`after_answer`), appended as it ends.
    """

    completion: Completion
    steps: Sequence[Step]
    seconds: float
    first_text_s: float

    @property
    def text(self) -> str:
        return self.completion.text


@dataclass(frozen=True, slots=True)
class Identity:
    """Which model answers: two backends whose identities differ must never share a cached answer."""

    provider: str
    model: str
    base_url: str = ""
    version: str = ""
    template: str = TEMPLATE_VERSION

    def digest(self) -> str:
        """A short hash over every field, for keys and file names."""
        fields = [self.provider, self.model, self.base_url, self.version, self.template]
        return hashlib.sha256(canonical_json(fields).encode()).hexdigest()[:16]


class Backend(Protocol):
    """One way of reaching one model. Raises `BackendError`s and `InvalidRequest` only; stops when cancelled."""

    @property
    def identity(self) -> Identity: ...

    async def complete(self, request: Request) -> Completion:
        """The whole answer."""
        ...

    def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in pieces, then, last and once, the `Completion` whose text they add up to."""
        ...

    async def aclose(self) -> None: ...


class Pipeline(Protocol):
    """From a request to text, in pieces, reporting every step to the recorder. `step.completion` is the answer's."""

    def run(self, request: Request, step: Recorder) -> AsyncGenerator[str, None]: ...

    async def aclose(self) -> None: ...

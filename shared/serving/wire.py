"""The parts of OpenAI's chat API that every server here speaks: what is asked, answered and refused, as JSON has it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.config import JsonDict

from shared.clock import wall
from shared.contract import Completion, Message, Request
from shared.errors import InvalidRequest

MAX_HEADERS_BYTES: Final = 2**16
HEADERS_TOO_LONG: Final = f"the request's headers are longer than {MAX_HEADERS_BYTES} bytes; send less in them"
MAX_BODY_BYTES: Final = 4 * 2**20
BODY_S: Final = 30.0
"""Seconds that a client may take to send a body."""
NOT_JSON: Final = "the body must be JSON; send the header `Content-Type: application/json`"
"""Also keeps out the requests that a web page may send to a server on its visitor's machine without asking it."""
ENCODED: Final = "the body is compressed or otherwise encoded; send it as it is, without the header `Content-Encoding`"
TOO_LONG: Final = f"the body is longer than {MAX_BODY_BYTES} bytes; shorten the messages"
TOO_SLOW: Final = f"the body did not come within {BODY_S:g} s; send it faster"
MAX_TOKENS: Final = 2**20
MAX_MESSAGES: Final = 2048
MAX_PARTS: Final = 128
MAX_TOOLS: Final = 128
MAX_TOOLS_CHARS: Final = 2**20
MAX_FORMAT_CHARS: Final = 2**16
INT64: Final = 2**63
"""The rest are OpenAI's own: 4 stops, 16 pairs of metadata of 64 and 512 characters, 128 tools."""


def _no(value: bool) -> bool:  # noqa: FBT001  # what pydantic calls; Literal[False] would take 0 for it
    if value:
        raise ValueError("must be false")
    return value


def _whole(value: Any) -> Any:
    """JSON has one kind of number: 5.0 is a whole one."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _at_most(chars: int) -> AfterValidator:
    """JSON of at most so many characters. No schema can say it: the field's description does."""

    def check(value: Any) -> Any:
        if len(json.dumps(value)) > chars:
            raise ValueError(f"must be at most {chars} characters of JSON")
        return value

    return AfterValidator(check)


Key: TypeAlias = Annotated[str, Field(max_length=64)]
Value: TypeAlias = Annotated[str, Field(max_length=512)]
Stop: TypeAlias = Annotated[str, Field(max_length=1024)]
Limit: TypeAlias = Annotated[int, Field(ge=1, le=MAX_TOKENS), BeforeValidator(_whole)]


class _Strict(BaseModel):
    """What a client sends. What is not known here is refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Part(_Strict):
    """A piece of a message."""

    type: Literal["text"]
    text: str


class AskedMessage(_Strict):
    """One turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[Part], Field(max_length=MAX_PARTS)]

    def message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class StreamOptions(_Strict):
    """Whether a stream ends with its usage."""

    include_usage: bool = False


_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_BOTH: Final[JsonDict] = {"required": [*_LIMITS], "properties": {limit: {"type": "integer"} for limit in _LIMITS}}


class ChatRequest(_Strict):
    """The part of OpenAI's request that is honoured. Fields with one allowed value are for clients that send it.

    The last message must be from the user.
    """

    model_config = ConfigDict(json_schema_extra={"not": _BOTH})

    model: str
    messages: Annotated[list[AskedMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-INT64, lt=INT64), BeforeValidator(_whole)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    response_format: Annotated[dict[str, Any], _at_most(MAX_FORMAT_CHARS)] | None = Field(
        None, description=f"At most {MAX_FORMAT_CHARS} characters of JSON."
    )
    tools: Annotated[list[dict[str, Any]], Field(max_length=MAX_TOOLS), _at_most(MAX_TOOLS_CHARS)] | None = Field(
        None, description=f"At most {MAX_TOOLS_CHARS} characters of JSON."
    )
    user: Value | None = None
    metadata: Annotated[dict[Key, Value], Field(max_length=16)] | None = None
    n: Annotated[int, Field(ge=1, le=1), BeforeValidator(_whole)] | None = None
    logprobs: Annotated[bool, AfterValidator(_no), Field(json_schema_extra={"const": False})] | None = None
    tool_choice: Literal["auto"] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None

    def request(self, deadline_s: float) -> Request:
        """Ours. `user` and `metadata` become its scope, across which no answer is shared; `metadata.task` its task."""
        limits = [limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None]
        if len(limits) > 1:
            raise Refused("max_completion_tokens", "max_tokens and max_completion_tokens say the same; send one")
        limit: dict[str, Any] = {"max_tokens": limits.pop()} if limits else {}
        scope = [("user", self.user)] if self.user is not None else []
        scope += [(f"metadata.{key}", value) for key, value in (self.metadata or {}).items()]
        return Request(
            tuple(message.message() for message in self.messages),
            task=(self.metadata or {}).get("task", ""),
            scope=tuple(scope),
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            response_format=None if self.response_format is None else json.dumps(self.response_format),
            tools=None if self.tools is None else json.dumps(self.tools),
            deadline_s=deadline_s,
            **limit,
        )


def parsed(body: bytes) -> ChatRequest:
    """The request in a body. Raises `InvalidRequest` naming the field that is wrong."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        wrong = error.errors(include_input=False, include_url=False, include_context=False)[0]
    field = ".".join(str(each) for each in wrong["loc"])[:80]
    if wrong["type"] == "extra_forbidden":
        raise Refused(field, f"{field} cannot be honoured here; leave it out")
    raise Refused(field, f"{field or 'the body'}: {wrong['msg']}")


def headers_too_long(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether names and values together are longer than `MAX_HEADERS_BYTES`."""
    return sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS_BYTES


def unreadable(content_type: str | None, encodings: Sequence[str]) -> str | None:
    """Why a body with these headers `Content-Type` and `Content-Encoding` is not read; None where it is."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        return NOT_JSON
    return ENCODED if any(each.strip().lower() != "identity" for each in encodings) else None


class Refused(InvalidRequest):
    """A request that is wrong, and which field of it, where it is one."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field or None


def error_body(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's API words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def unknown_model(name: str) -> dict[str, Any]:
    """The error of a request for another model than the one `name` here."""
    message = f"there is no such model here; ask for {name!r}"
    return error_body(message, "invalid_request_error", code="model_not_found", param="model")


def head(kind: str, model: str) -> dict[str, Any]:
    """What an answer, or a piece of one, begins with."""
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(wall()), "model": model}


def choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    """One piece of a streamed answer."""
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def finish_reason(completion: Completion) -> str | None:
    """OpenAI's word; null where it is not known."""
    return None if completion.finish_reason == "unknown" else completion.finish_reason


def usage(completion: Completion) -> dict[str, int] | None:
    """OpenAI's usage; null where part of it is not known, which is not zero."""
    asked, answered = completion.usage.input_tokens, completion.usage.output_tokens
    if asked is None or answered is None:
        return None
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}

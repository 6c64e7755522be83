"""The parts of OpenAI's chat API that every server here speaks: what is asked, answered and refused, as JSON has it."""

from __future__ import annotations

import json
import uuid
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.clock import wall
from shared.contract import Completion, Message, Request
from shared.errors import InvalidRequest

MAX_BODY_BYTES: Final = 4 * 2**20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    type: Literal["text"]
    text: str


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[_Part]

    def message(self) -> Message:
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message("system" if self.role == "developer" else self.role, text)


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool = False


class ChatRequest(BaseModel):
    """The part of OpenAI's request that is honoured. Fields with one allowed value are for clients that send it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    messages: list[_Message]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    tool_choice: Literal["auto"] | None = None
    presence_penalty: Annotated[float, Field(ge=0, le=0)] | None = None
    frequency_penalty: Annotated[float, Field(ge=0, le=0)] | None = None

    def request(self, deadline_s: float) -> Request:
        """Ours. `user` and `metadata` become its scope, across which no answer is shared; `metadata.task` its task."""
        limits = {limit for limit in (self.max_tokens, self.max_completion_tokens) if limit is not None}
        if len(limits) > 1:
            raise Refused("max_completion_tokens", "max_tokens and max_completion_tokens differ; send one of them")
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


class Refused(InvalidRequest):
    """A request that names the field which is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def error_body(message: str, kind: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as OpenAI's API words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


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

"""What the servers here take and give, as an OpenAPI 3.2 document: one for the pipelines and the emulator.

The request's schema is the model that checks requests (`wire.ChatRequest`). The answers are written as they are sent,
without a model in between, so theirs stand here; the tests hold every server to its document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from shared.serving.wire import BODY_S, MAX_BODY_BYTES, ChatRequest


class _Sent(BaseModel):
    """What a server sends; it may grow."""

    model_config = ConfigDict(extra="allow")


class Usage(_Sent):
    """Tokens of one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class AnswerMessage(_Sent):
    """The model's turn."""

    role: Literal["assistant"]
    content: str


class Choice(_Sent):
    """An answer has one. Why it ended is null where the model did not say."""

    index: Literal[0]
    message: AnswerMessage
    finish_reason: Literal["stop", "length", "content_filter"] | None


class ChatCompletion(_Sent):
    """A whole answer. `usage` is null where it is not known."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: tuple[Choice]
    usage: Usage | None


class Delta(_Sent):
    """A piece of the model's turn: the first one says whose it is, the last one nothing."""

    role: Literal["assistant"] = "assistant"
    content: str = ""


class ChoicePiece(_Sent):
    """Why it ended stands in the last piece, where the model did say."""

    index: Literal[0]
    delta: Delta
    finish_reason: Literal["stop", "length", "content_filter"] | None


class ChatCompletionChunk(_Sent):
    """A piece of a streamed answer. Only the one that ends it may have usage, and no choice, where it was asked for."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: tuple[()] | tuple[ChoicePiece]
    usage: Usage | None = None


class Model(_Sent):
    """A model that can be asked."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(_Sent):
    """Every model here."""

    object: Literal["list"]
    data: list[Model]


class Health(_Sent):
    """The server answers."""

    status: Literal["ok"]


class Error(_Sent):
    """What went wrong and what to do. `param` names the field that is wrong."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(_Sent):
    """An error."""

    error: Error


STATUSES: Final = {
    400: "the request is wrong; `param` names the field where there is one",
    401: "no token, or not this server's",
    404: "there is no such model, or no such answer among the recorded ones",
    408: f"the body did not come within {BODY_S:g} s",
    413: f"the body is longer than {MAX_BODY_BYTES} bytes",
    415: "the body is not application/json, or is compressed",
    429: "more requests are under way than this hardware takes",
    500: "the server is at fault",
    502: "a model refused, or answered with something that is no answer",
    503: "a model cannot be reached or is overloaded; `Retry-After` says when to try again where it said so",
    504: "the answer was not complete by the request's deadline",
}
"""What each status of a failed answer says."""

_PIECES: Final = [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in (ChatCompletionChunk, ErrorBody)]
_EVENT: Final = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "description": "a piece of the answer or, where it fails on the way, the error; in the end, `[DONE]`",
            "type": "string",
            "anyOf": [
                {"contentMediaType": "application/json", "contentSchema": {"anyOf": _PIECES}},
                {"const": "[DONE]"},
            ],
        }
    },
}
"""One server-sent event."""

_SENT: Final = (ChatCompletion, ChatCompletionChunk, ModelList, Health, ErrorBody)


def document(title: str, models: Sequence[str], errors: Iterable[int], *, token: bool) -> dict[str, Any]:
    """The document of a server with these models, whose answers fail with the statuses `errors` only."""
    kinds: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ChatRequest, "validation")]
    kinds += [(kind, "serialization") for kind in _SENT]
    schemas = models_json_schema(kinds, ref_template="#/components/schemas/{model}")[1]["$defs"]
    schemas["ChatRequest"]["properties"]["model"]["enum"] = list(models)
    failed = {str(status): _content(STATUSES[status], ErrorBody) for status in errors if token or status != 401}
    answered = _content("the answer, whole, or in pieces where `stream` is true", ChatCompletion)
    answered["content"]["text/event-stream"] = {"itemSchema": _EVENT}
    chat = {
        "operationId": "chat",
        "summary": "Answer a conversation",
        "requestBody": {"required": True, "content": _json(ChatRequest)},
        "responses": {"200": answered} | failed,
    }
    refused = {status: each for status, each in failed.items() if status == "401"}
    listed = {
        "operationId": "models",
        "summary": "What can be asked",
        "responses": {"200": _content("every model here", ModelList)} | refused,
    }
    health = {
        "operationId": "health",
        "summary": "Whether the server answers",
        "responses": {"200": _content("it does", Health)},
        "security": [],
    }
    return {
        "openapi": "3.2.0",
        "info": {"title": title, "version": "1"},
        "paths": {
            "/v1/chat/completions": {"post": chat},
            "/v1/models": {"get": listed},
            "/healthz": {"get": health},
        },
        "components": {"schemas": schemas}
        | ({"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}} if token else {}),
    } | ({"security": [{"token": []}]} if token else {})


def _json(kind: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind.__name__}"}}}


def _content(description: str, kind: type[BaseModel]) -> dict[str, Any]:
    return {"description": description, "content": _json(kind)}

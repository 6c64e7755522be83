"""OpenAI's chat-completions dialect: what is sent, and what is believed of what comes back.

Shared by the backends that speak it (`http.py`, `litellm.py`), so that both send the same fields, refuse the same
nonsense and fail with the same errors. Nothing here opens a connection. No message quotes what was received: bodies
repeat prompts and keys.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from shared.clock import wall
from shared.contract import Completion, FinishReason, Request, Usage
from shared.errors import BackendError, BackendRefused, BackendUnavailable, BadAnswer, BadInput

MOST_TOKENS: Final = 10**12
"""The most that is believed of one answer."""
MOST_CHARS: Final = 16 * 2**20
"""The most text that is taken of one answer."""
FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
}
UNAVAILABLE: Final = frozenset({408, 425, 429})
"""Statuses below 500 after which trying again may help."""

_CODE: Final = re.compile(r"[A-Za-z_]{1,48}")
"""An error code that may be repeated: no digits and no spaces, so neither a key nor a sentence."""

_REMEDIES: Final[Mapping[int, str]] = {
    400: "check what this endpoint accepts for max_tokens, stop, response_format and tools, and the prompt's length",
    402: "check the account's credit",
    403: "check that the key may use this model",
    404: "check the model's name and the base URL",
    413: "shorten the prompt",
    422: "check what this endpoint accepts for max_tokens, stop, response_format and tools",
    429: "ask less often or raise the account's limit",
}


def fields(request: Request) -> dict[str, Any]:
    """The body's fields that the request sets; what it leaves open stays the model's own default."""
    body: dict[str, Any] = {
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": request.max_tokens,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.response_format is not None:
        body["response_format"] = json.loads(request.response_format)
    if request.tools is not None:
        body["tools"] = json.loads(request.tools)
    return body


@dataclass(slots=True)
class Namesake:
    """Whether an endpoint's answers bear the name of the model that was asked for; kept for all of a backend's calls.

    Endpoints answer to aliases under other names. One that has once repeated the name asked for (with or without
    `provider/` in front) is no such endpoint: when it then answers under another name, another model answers.
    """

    asked: str
    _repeated: bool = False

    def fits(self, name: object) -> bool:
        """False where this is another model's name. What is no name, or an empty one, says nothing."""
        if not (isinstance(name, str) and name):
            return True
        same = name == self.asked or name.endswith(f"/{self.asked}") or self.asked.endswith(f"/{name}")
        self._repeated |= same
        return same or not self._repeated


@dataclass(slots=True)
class Assembly:
    """Builds one `Completion` from what a model sent, whole (`message`) or in pieces (`delta`).

    `name` is how messages call the backend. Raises `BadAnswer` for anything that is no answer in text, or another
    model's.
    """

    model: str
    name: str
    namesake: Namesake
    finish_reason: FinishReason | None = None
    usage: Usage = field(default_factory=Usage)
    _texts: list[str] = field(default_factory=list)
    _logprobs: list[float] = field(default_factory=list)
    _chars: int = 0

    def add(self, payload: object, part: Literal["message", "delta"]) -> str:
        """Take in one body or event; returns its text, empty where it brought none."""
        if not isinstance(payload, dict):
            raise self.bad("is no JSON object")
        if payload.get("error"):
            raise self.bad(f"is an error{described(error_code(payload))}")
        if not self.namesake.fits(payload.get("model")):
            raise self.bad("is another model's than the one asked for", "see what answers there; if it may, restart")
        if payload.get("usage") is not None:
            self.usage = self._usage(payload["usage"])
        choices = payload.get("choices")
        if not isinstance(choices, list):
            raise self.bad("has no list `choices`")
        if not choices:
            return ""
        choice = choices[0]
        message = choice.get(part, {}) if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            raise self.bad(f"has a choice without an object `{part}`")
        reason = choice.get("finish_reason")
        if message.get("tool_calls") or message.get("function_call") or reason in ("tool_calls", "function_call"):
            raise self.bad("calls a tool where text was asked for", "leave `tools` out or tell the model to answer")
        if reason is not None:
            self.finish_reason = FINISH_REASONS.get(reason, "unknown") if isinstance(reason, str) else "unknown"
        if choice.get("logprobs"):
            self._logprobs += self._naturals(choice["logprobs"])
        text = message.get("content")
        if text is None:
            return ""
        if not isinstance(text, str):
            raise self.bad("has `content` that is no text")
        if not text.isascii():
            self._check_unicode(text)
        self._texts.append(text)
        self._chars += len(text)
        if self._chars > MOST_CHARS:
            raise self.bad(f"is longer than {MOST_CHARS:,} characters", "ask for fewer tokens")
        return text

    def complete(self, *, seconds: float, first_token_s: float | None = None) -> Completion:
        """The answer so far as the whole answer. `seconds` and `first_token_s` count from the call."""
        text = "".join(self._texts)
        if not text:
            raise self.bad("has no text", "shorten the prompt or check the model's limits")
        return Completion(
            text,
            self.model,
            self.usage,
            self.finish_reason or "unknown",
            tuple(self._logprobs) or None,
            first_token_s,
            seconds,
        )

    def bad(self, what: str, remedy: str = "check that the base URL leads to an OpenAI-compatible API") -> BadAnswer:
        """The error that says what is wrong with what came, without quoting it."""
        return BadAnswer(f"{self.name}: what came back {what}; {remedy}")

    def _usage(self, value: object) -> Usage:
        if not isinstance(value, dict):
            raise self.bad("has `usage` that is no object")
        counts = value.get("prompt_tokens"), value.get("completion_tokens")
        for count in counts:
            if count is not None and (type(count) is not int or not 0 <= count <= MOST_TOKENS):
                raise self.bad(f"counts its tokens in something other than whole numbers from 0 to {MOST_TOKENS:,}")
        return Usage(*counts)

    def _naturals(self, value: object) -> list[float]:
        entries = value.get("content") if isinstance(value, dict) else None
        found = [entry.get("logprob") if isinstance(entry, dict) else None for entry in entries or []]
        if not all(isinstance(each, int | float) and math.isfinite(each) for each in found):
            raise self.bad("has `logprobs` that are no finite numbers")
        return [float(each) for each in found if each is not None]

    def _check_unicode(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.bad("holds half a character (a lone surrogate)", "mend the server's text encoding") from None


def failure(
    name: str, status: int, *, code: str = "", retry_after: str | None = None, key_variable: str
) -> BackendError:
    """The error for an answer with this HTTP status. `retry_after` is the header's text."""
    said = f"{name} answered {status}{described(code)}"
    if status in UNAVAILABLE or status >= 500:
        wait_s = retry_after_s(retry_after)
        asked = f" (it asks to wait {wait_s:g} s)" if wait_s is not None else ""
        remedy = _REMEDIES.get(status, "try again or check that the endpoint is well")
        return BackendUnavailable(f"{said}{asked}; {remedy}", retry_after_s=wait_s)
    if status == 401:
        return BackendRefused(f"{said}; put a valid key into the environment variable {key_variable}")
    if 300 <= status < 400:
        return BackendRefused(f"{said}, a redirect, which is not followed; use the address that it leads to")
    return BackendRefused(f"{said}; {_REMEDIES.get(status, 'check the base URL and what the endpoint accepts')}")


def retry_after_s(text: str | None) -> float | None:
    """Seconds to wait, from the text of a Retry-After header (seconds or an HTTP date); None where it says nothing."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - wall()
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def error_code(payload: object) -> str:
    """The error's own `code` or `type` where it is a plain word, else nothing."""
    error = payload.get("error") if isinstance(payload, dict) else None
    for key in ("code", "type"):
        word = error.get(key) if isinstance(error, dict) else None
        if isinstance(word, str) and _CODE.fullmatch(word):
            return word
    return ""


def described(code: str) -> str:
    return f" ({code})" if code else ""


def split_url(base_url: str) -> tuple[str, tuple[str, str] | None]:
    """A base URL without credentials and trailing slash, and the credentials. Raises `BadInput` where it is none."""
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadInput(
            "the base URL must be like https://host/v1, without a query or fragment; "
            "it is not repeated here since it may hold a key"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{parts.scheme}://{host}{f':{port}' if port is not None else ''}{parts.path.rstrip('/')}"
    if parts.username is None:
        return address, None
    return address, (unquote(parts.username), unquote(parts.password or ""))

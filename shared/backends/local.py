"""A model run in this process by llama.cpp, through xllamacpp's server: no network, no child process.

What comes before a conversation's last message (instruction, examples, earlier turns) is read once and kept for as long
as it stays the same, as any server of models does. Before each question the slot is brought back to exactly that state,
so that an answer never depends on the question before it: llama.cpp's own cache keeps whatever two prompts share, and
where that cut falls can change a text.

llama.cpp calls back from a thread of its own with each token; here that becomes an asynchronous generator. Closing it,
or cancelling the task that waits for it, makes the next callback say "stop", so generation really ends: within a token,
or within 512 tokens of a prompt that is still being read. Needs real time: a `VirtualLoop` refuses its threads.
"""

from __future__ import annotations

import asyncio
import functools
import json
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from shared.clock import now
from shared.contract import TEMPLATE_VERSION, Completion, FinishReason, Identity, Message, Request, Usage
from shared.errors import BackendError, BackendRefused, BackendUnavailable, BadAnswer, BadInput
from shared.files import sha256_of
from shared.models.catalogue import Render, catalogue
from shared.models.pull import path as path_of

PROMPT_BATCH: Final = 512
"""Tokens of a prompt read in one go: how long a cancelled request can still keep its slot."""


def render_raw(messages: Sequence[Message]) -> str:
    """The conversation as text to be continued, for models too small to follow a chat template.

    System text, a blank line, then every turn of the user and its answer on one line with an arrow between; the model
    goes on after the last arrow and is stopped at the line's end.
    """
    text = ""
    for message in messages:
        match message.role:
            case "system":
                text += f"{message.content}\n\n"
            case "user":
                text += f"{message.content} =>"
            case "assistant":
                text += f" {message.content}\n"
    return text


class LocalBackend:
    """One model file, loaded when this is made. Asked for more than `slots` answers at once, it lets the rest wait.

    `source` is a name of the catalogue or the path of a GGUF file. `render` overrides how the catalogue says to put a
    request to the model: `chat` (its own template, the default for a file) or `raw` (see `render_raw`). `context` is
    how many tokens a prompt and its answer may have together, in each slot. Texts repeat exactly at temperature 0 with
    one slot; several slots share a batch, which can change a few, and keep nothing between requests. Where a request
    has a seed, its `sample` is added to it. Log-probabilities are those of the tokens that brought text: one for a
    character made of several tokens, none for the end. Raises `BadInput` where the model is missing or cannot be
    loaded.
    """

    def __init__(
        self, source: str | Path, *, render: Render | None = None, slots: int = 1, threads: int = 1, context: int = 4096
    ) -> None:
        for name, number in (("slots", slots), ("threads", threads), ("context", context)):
            if number < 1:
                raise BadInput(f"{name} is {number}; it must be 1 or more")
        file, name, usual = _locate(source)
        self._render: Render = render or usual
        template = f"{TEMPLATE_VERSION}-{self._render}"
        self._identity = Identity("local", name, version=_weights_digest(file), template=template)
        self._server: Any = _load(file, name, slots=slots, threads=threads, context=context)
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"local-{name}")
        self._keeps = slots == 1
        self._kept: dict[str, Any] | None = None
        self._calls: set[_Call] = set()

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def render(self) -> Render:
        return self._render

    async def complete(self, request: Request) -> Completion:
        """The whole answer."""
        async with aclosing(self.stream(request)) as items:
            async for item in items:
                if isinstance(item, Completion):
                    return item
        raise BadAnswer(f"{self._identity.model} ended without saying that it was complete; ask again")

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer token by token, then the `Completion`.

        Its seconds hold the wait for a slot, and not the reading of what comes before the last message.
        """
        if self._server is None:
            raise BackendUnavailable(f"{self._identity.model} is closed; make a new LocalBackend")
        body = self._body(request)
        ask = self._server.handle_chat_completions if self._render == "chat" else self._server.handle_completions
        begun = now()
        first_token_s: float | None = None
        answer = _Answer()
        call = _Call(asyncio.get_running_loop())
        self._calls.add(call)
        try:
            job = call.loop.run_in_executor(self._pool, self._run, call, ask, body, self._before(request))
            try:
                while not isinstance(chunk := await call.chunks.get(), _Ended):
                    if "error" in chunk:
                        raise self._refusal(chunk["error"])
                    if piece := answer.take(chunk, strip=self._render == "raw"):
                        first_token_s = now() - begun - call.reading_s if first_token_s is None else first_token_s
                        yield piece
                if call.left.is_set():
                    raise BackendUnavailable(f"{self._identity.model} was closed while it answered; load it again")
            finally:
                call.left.set()
                job.cancel()
        finally:
            self._calls.discard(call)
        if chunk.error is not None:
            raise BackendRefused(
                f"{self._identity.model} could not take the request ({type(chunk.error).__name__}); "
                "check response_format and its schema"
            ) from chunk.error
        if "grammar" in body and answer.finish_reason == "stop" and not _is_json(answer.text):
            raise BadAnswer(
                f"{self._identity.model} did not follow response_format: llama.cpp passes over a schema that it cannot "
                "enforce; use types, properties, enums and arrays only"
            )
        yield answer.completion(self._identity.model, first_token_s, now() - begun - call.reading_s)

    async def aclose(self) -> None:
        """Stop what is running and let go of the model's memory."""
        if self._server is None:
            return
        busy = list(self._calls)
        for call in busy:
            call.left.set()
            call.chunks.put_nowait(_Ended(None))
        if busy:
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)
        self._server = None

    def _before(self, request: Request) -> dict[str, Any] | None:
        """What llama.cpp is to read and keep: the prompt with an empty last message. None: nothing."""
        if not self._keeps or len(request.messages) == 1:
            return None
        empty = (*request.messages[:-1], Message("user", ""))
        return {"stream": True, "max_tokens": 0, **self._prompt(empty)}

    def _run(self, call: _Call, ask: Callable[..., Any], body: dict[str, Any], before: dict[str, Any] | None) -> None:
        """In the pool's thread: bring the slot to what comes before the question, then ask it."""
        begun = call.loop.time()
        if before is not None and not call.left.is_set():
            kept, self._kept = self._kept == before, None
            with suppress(Exception):  # the question itself will meet the same fault, and report it
                ask({**before, "cache_prompt": kept}, lambda _: call.left.is_set())
                self._kept = None if call.left.is_set() else before
        call.reading_s = call.loop.time() - begun
        call.run(ask, {**body, "cache_prompt": before is not None and self._kept == before})

    def _body(self, request: Request) -> dict[str, Any]:
        """The request in llama.cpp's words. What is None is left out: the model's own default."""
        if request.tools is not None:
            raise BackendRefused(f"{self._identity.model} is asked for text here, not for tool calls; leave out tools")
        body: dict[str, Any] = {
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": None if request.seed is None else (request.seed + request.sample) % 2**32,
            "stop": list(request.stop) or None,
        }
        if request.response_format is not None and (grammar := _grammar(request.response_format)):
            body["grammar"] = grammar
        elif self._render == "raw":
            body["stop"] = [*request.stop, "\n"]
        body |= self._prompt(request.messages)
        body |= {"logprobs": True, "top_logprobs": 1} if self._render == "chat" else {"logprobs": 1}
        return {key: value for key, value in body.items() if value is not None}

    def _prompt(self, messages: Sequence[Message]) -> dict[str, Any]:
        if self._render == "raw":
            return {"prompt": render_raw(messages)}
        return {"messages": [{"role": message.role, "content": message.content} for message in messages]}

    def _refusal(self, error: dict[str, Any]) -> BackendError:
        """llama.cpp's error as ours. Its message may quote the prompt, so it stays out."""
        name, kind = self._identity.model, error.get("type", "unknown")
        if kind == "exceed_context_size_error":
            return BackendRefused(
                f"the prompt has {error.get('n_prompt_tokens')} tokens, {name} was loaded for {error.get('n_ctx')}; "
                "shorten the prompt or load it with a larger context"
            )
        if int(error.get("code", 500)) < 500:
            return BackendRefused(f"{name} refused the request ({kind}); check response_format, stop and the messages")
        return BackendUnavailable(f"{name} failed ({kind}); ask again, or load it again")


@dataclass(frozen=True, slots=True)
class _Ended:
    """The last thing a call says: how it ended."""

    error: Exception | None


@dataclass(eq=False, slots=True)
class _Call:
    """The bridge between llama.cpp's thread and the event loop, for one request."""

    loop: asyncio.AbstractEventLoop
    chunks: asyncio.Queue[dict[str, Any] | _Ended] = field(default_factory=asyncio.Queue)
    left: threading.Event = field(default_factory=threading.Event)
    reading_s: float = 0.0

    def run(self, ask: Callable[..., Any], body: dict[str, Any]) -> None:
        """In the pool's thread: ask, and hand over every chunk."""
        if self.left.is_set():
            return
        try:
            ask(body, self._told)
            self._hand_over(_Ended(None))
        except Exception as error:
            self._hand_over(_Ended(error))

    def _told(self, chunk: dict[str, Any]) -> bool:
        """llama.cpp's callback. True means: stop."""
        return self.left.is_set() or not self._hand_over(chunk)

    def _hand_over(self, item: dict[str, Any] | _Ended) -> bool:
        try:
            self.loop.call_soon_threadsafe(self.chunks.put_nowait, item)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return False
        return True


@dataclass(slots=True)
class _Answer:
    """What has come of one answer so far."""

    text: str = ""
    logprobs: list[float] = field(default_factory=list)
    usage: Usage = Usage()
    finish_reason: FinishReason = "unknown"

    def take(self, chunk: dict[str, Any], *, strip: bool) -> str:
        """Add one chunk; returns the new text. With `strip`, blanks before the first word are no part of it."""
        if usage := chunk.get("usage"):
            self.usage = Usage(usage.get("prompt_tokens"), usage.get("completion_tokens"))
        piece = ""
        for choice in chunk.get("choices", ()):
            piece += choice.get("text") or choice.get("delta", {}).get("content") or ""
            self.logprobs += [token["logprob"] for token in (choice.get("logprobs") or {}).get("content") or ()]
            if reason := choice.get("finish_reason"):
                self.finish_reason = cast("FinishReason", reason) if reason in ("stop", "length") else "unknown"
        if strip and not self.text:
            piece = piece.lstrip()
        self.text += piece
        return piece

    def completion(self, model: str, first_token_s: float | None, seconds: float) -> Completion:
        logprobs = tuple(self.logprobs) or None
        return Completion(self.text, model, self.usage, self.finish_reason, logprobs, first_token_s, seconds)


def _locate(source: str | Path) -> tuple[Path, str, Render]:
    """The file, the name to show and the usual rendering of a catalogue name or a path."""
    if isinstance(source, str) and source in catalogue():
        model = catalogue()[source]
        return path_of(model), model.name, model.render
    file = Path(source).expanduser()
    if not file.is_file():
        raise BadInput(
            f"{str(source)!r} is neither a file nor a known model; "
            f"give the path of a GGUF file or one of {', '.join(catalogue())}"
        )
    return file, file.stem, "chat"


def _load(file: Path, name: str, *, slots: int, threads: int, context: int) -> Any:
    with file.open("rb") as start:
        if start.read(4) != b"GGUF":
            raise BadInput(f"{file} is not a GGUF file; pull or convert the model again")
    try:
        import xllamacpp
    except ImportError:
        raise BadInput("local models need xllamacpp; run: make dev (or install the extra: local)") from None
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.model_alias = {name}
    params.n_parallel = slots
    params.n_ctx = context * slots
    params.n_batch = PROMPT_BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cache_prompt = False  # asked for request by request
    params.cache_ram_mib = 0
    params.no_extra_bufts = True  # repacked weights cost as much memory again
    params.force_pure_content_parser = True  # the text as it is; the other parsers swallow some tokens' logprobs
    params.verbosity = -1
    params.ui = False
    params.api_keys = [secrets.token_urlsafe()]  # the server also listens on loopback: let nobody in
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise BadInput(
            f"{file} could not be loaded: it is damaged, of an unknown architecture, or too large for the free memory; "
            "run: crossover models verify, and try a smaller context"
        ) from error


@functools.lru_cache
def _grammar(response_format: str) -> str | None:
    """OpenAI's response format as a grammar that the answer must follow; None where any text will do."""
    import xllamacpp

    shape = json.loads(response_format)
    kind = shape.get("type") if isinstance(shape, dict) else None
    if kind == "text":
        return None
    if kind not in ("json_object", "json_schema"):
        raise BackendRefused("response_format has an unknown type; use text, json_object or json_schema")
    schema = {"type": "object"} if kind == "json_object" else shape.get("json_schema", {}).get("schema")
    if not isinstance(schema, dict):
        raise BackendRefused("response_format is json_schema without a schema; put one at json_schema.schema")
    return str(xllamacpp.json_schema_to_grammar(json.dumps(schema)))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _weights_digest(file: Path) -> str:
    """SHA-256 of the file, read once a process for as long as its size and time stay the same."""
    stat = file.stat()
    return _digest(file, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache
def _digest(file: Path, _size: int, _changed_ns: int) -> str:
    return sha256_of(file)

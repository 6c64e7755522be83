"""Any OpenAI-compatible base URL over one keep-alive connection pool: the fast path to a model.

At 17,000 tokens a second a hundred-token answer takes 6 ms, so the client must cost a fraction of that: what can be
prepared is prepared in the constructor, a call is one POST, and nothing is retried, redirected or logged here.
Proxies named in the environment are not used. What the bodies mean is in `openai_dialect.py`.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp
from yarl import URL

from shared.backends.openai_dialect import Assembly, Namesake, error_code, failure, fields, split_url
from shared.clock import now
from shared.contract import Completion, Identity, Request
from shared.errors import BackendError, BackendUnavailable, BadAnswer, BadInput

MAX_ANSWER_BYTES: Final = 16 * 2**20
MAX_LINE_BYTES: Final = 2**20
MAX_ERROR_BYTES: Final = 64 * 2**10
LAST_BYTES_S: Final = 0.1
"""Seconds that a finished stream may take to end its body, which is what makes its connection reusable."""

_FAILURES: Final = (aiohttp.ClientError, TimeoutError, OSError)
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


class HttpBackend:
    """One model behind one base URL (up to and including its version: `https://host/v1`). Belongs to one event loop.

    The key is `api_key`, or else what the environment variable `api_key_env` holds, or none. `connections` bounds the
    calls in flight; more wait their turn. `connect_s` and `silence_s` bound, in seconds, the time to connect and the
    time without a byte. `logprobs` asks for the tokens' log-probabilities. Raises `BadInput` for what is no base URL.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        api_key_env: str = "CROSSOVER_API_KEY",
        connections: int = 64,
        connect_s: float = 5.0,
        silence_s: float = 60.0,
        logprobs: bool = False,
    ) -> None:
        address, credentials = split_url(base_url)
        if connections < 1:
            raise BadInput(f"connections is {connections}; it must be 1 or more")
        self._identity = Identity("http", model, address)
        self._name = f"{model} at {address}"
        self._namesake = Namesake(model)
        self._key_variable = api_key_env
        self._url = URL(f"{address}/chat/completions")
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        key = os.environ.get(api_key_env) if api_key is None else api_key
        if key and credentials:
            raise BadInput(f"base URL of {model} holds credentials and there is a key as well; give only one of them")
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        elif credentials:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(*credentials)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=silence_s)
        self._always: dict[str, Any] = {"model": model} | ({"logprobs": True} if logprobs else {})
        self._session: aiohttp.ClientSession | None = None

    @property
    def identity(self) -> Identity:
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """The whole answer, by one POST. Raises a `BackendError`."""
        begun = now()
        response = await self._post(self._always | fields(request))
        try:
            body = await self._read(response, MAX_ANSWER_BYTES)
        except _FAILURES as error:
            raise self._unavailable(error) from None
        finally:
            response.close()
        answer = self._assembly()
        answer.add(self._parsed(body), "message")
        return answer.complete(seconds=now() - begun)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer as server-sent events. Raises a `BackendError`; closing it closes the connection."""
        begun, first_token_s = now(), None
        asked = {"stream": True, "stream_options": {"include_usage": True}}
        answer = self._assembly()
        events, ended, size = ServerSentEvents(), False, 0
        response = await self._post(self._always | fields(request) | asked)
        try:
            while not ended and (chunk := await response.content.readany()):
                if (size := size + len(chunk)) > MAX_ANSWER_BYTES:
                    raise self._too_long(MAX_ANSWER_BYTES)
                for data in events.feed(chunk):
                    if ended := data == b"[DONE]":
                        break
                    text = answer.add(self._parsed(data), "delta")
                    if text:
                        first_token_s = now() - begun if first_token_s is None else first_token_s
                        yield text
                if len(events.rest) > MAX_LINE_BYTES:
                    raise self._too_long(MAX_LINE_BYTES)
            seconds = now() - begun
            if not ended and answer.finish_reason is None:
                raise answer.bad("ended before the answer did", "ask again, and check what stands in between")
            completion = answer.complete(first_token_s=first_token_s, seconds=seconds)
            if not response.content.at_eof():
                await self._finish(response)
            yield completion
        except _FAILURES as error:
            raise self._unavailable(error) from None
        finally:
            response.close()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def _post(self, body: dict[str, Any]) -> aiohttp.ClientResponse:
        data = _encode(body).encode()
        payload = data if len(data) < 2**20 else io.BytesIO(data)
        session = self._session or self._open()
        try:
            response = await session.post(self._url, data=payload, allow_redirects=False)
        except _FAILURES as error:
            raise self._unavailable(error) from None
        if not 200 <= response.status < 300:
            raise await self._failure(response)
        return response

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            skip_auto_headers=("Accept", "User-Agent"),
            timeout=self._timeout,
        )
        return self._session

    async def _read(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        chunks, size = [], 0
        while chunk := await response.content.readany():
            chunks.append(chunk)
            if (size := size + len(chunk)) > limit:
                raise self._too_long(limit)
        return b"".join(chunks)

    async def _finish(self, response: aiohttp.ClientResponse) -> None:
        """Read what follows the last event, so that the connection can serve again. A server that dawdles loses it."""
        try:
            async with asyncio.timeout(LAST_BYTES_S):
                await self._read(response, MAX_ERROR_BYTES)
        except (*_FAILURES, BadAnswer):
            response.close()

    async def _failure(self, response: aiohttp.ClientResponse) -> BackendError:
        code = ""
        try:
            code = error_code(json.loads(await self._read(response, MAX_ERROR_BYTES)))
        except (*_FAILURES, BadAnswer, ValueError, RecursionError):
            pass
        finally:
            response.close()
        after = response.headers.get("Retry-After")
        return failure(self._name, response.status, code=code, retry_after=after, key_variable=self._key_variable)

    def _assembly(self) -> Assembly:
        return Assembly(self._identity.model, self._name, self._namesake)

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            what = "is no JSON" if body.strip() else "is empty"
        raise self._assembly().bad(what)

    def _too_long(self, limit: int) -> BadAnswer:
        return BadAnswer(f"{self._name}: what came back is longer than {limit} bytes; check the endpoint")

    def _unavailable(self, error: BaseException) -> BackendUnavailable:
        if isinstance(error, TimeoutError):
            what, remedy = "did not answer in time", "allow more time or check that it is up"
        elif isinstance(error, aiohttp.ClientConnectorDNSError):
            what, remedy = "has a host name that does not resolve", "check the base URL and the network"
        elif isinstance(error, aiohttp.ClientConnectorError):
            what, remedy = "cannot be connected to", "check the base URL and that the server runs"
        else:
            what, remedy = "broke the connection", "try again or check the server's log"
        return BackendUnavailable(f"{self._name} {what} ({type(error).__name__}); {remedy}")


class ServerSentEvents:
    """Cuts a stream of bytes into the data of server-sent events, whatever the chunks it comes in.

    Lines end in LF or CR LF; `event`, `id`, `retry` and comments are passed over. `rest` is the unfinished line.
    """

    def __init__(self) -> None:
        self.rest = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that this chunk completes."""
        self.rest += chunk
        if b"\n" not in chunk:
            return []
        *lines, self.rest = self.rest.split(b"\n")
        events = []
        for line in lines:
            line = line.removesuffix(b"\r")
            if line.startswith(b"data:"):
                self._data.append(bytes(line[5:].removeprefix(b" ")))
            elif not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events

"""A server for measuring clients: answers every POST with the same completion, at once or a known time after it came.

It does as little as a server can, so that what is measured is the client. Run as a process of its own, it prints its
port: `python -m benchmarks.micro.loopback [SECONDS [EVENTS]]`. A body that asks for a stream gets the same answer as
server-sent events, one or as many as asked for, in one piece.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import Any, Final

from shared.clock import now, sleep_until

OUTPUT_TOKENS: Final = 100

_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_STREAM = re.compile(rb'"stream": ?true')
_WORDS = ["word", *[" word"] * (OUTPUT_TOKENS - 1)]
_USAGE = {"prompt_tokens": 50, "completion_tokens": OUTPUT_TOKENS, "total_tokens": 50 + OUTPUT_TOKENS}


def _whole() -> bytes:
    message = {"role": "assistant", "content": "".join(_WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return _response(b"application/json", json.dumps(_body("chat.completion", [choice], usage=_USAGE)).encode())


def _stream(events: int) -> bytes:
    size = OUTPUT_TOKENS // events
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": {"role": "assistant", "content": "".join(words)}, "finish_reason": None}]
        for words in (_WORDS[at : at + size] for at in range(0, OUTPUT_TOKENS, size))
    ]
    choices.append([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    chunks = [_body("chat.completion.chunk", each) for each in choices]
    chunks.append(_body("chat.completion.chunk", [], usage=_USAGE))
    body = b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks)
    return _response(b"text/event-stream", body + b"data: [DONE]\n\n")


def _body(kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": "loopback", "choices": choices} | more


def _response(kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (kind, len(body), body)


class _Answering(asyncio.Protocol):
    def __init__(self, delay_s: float, answers: dict[bool, bytes]) -> None:
        self._delay_s = delay_s
        self._answers = answers
        self._received = b""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if found and len(body) >= (int(length[1]) if length else 0):
            self._received = b""
            answer = self._answers[bool(_STREAM.search(body))]
            if self._delay_s:
                self._task = asyncio.create_task(self._answer_at(now() + self._delay_s, answer))
            else:
                self._transport.write(answer)

    async def _answer_at(self, at: float, answer: bytes) -> None:
        await sleep_until(at)
        self._transport.write(answer)


async def main(delay_s: float = 0.0, events: int = 1) -> None:
    """Serve on a free port until killed."""
    answers = {False: _whole(), True: _stream(events)}
    server = await asyncio.get_running_loop().create_server(lambda: _Answering(delay_s, answers), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*(kind(given) for kind, given in zip((float, int), sys.argv[1:], strict=False))))

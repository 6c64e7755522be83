"""The self-test of `crossover emulate`: what a server was asked, what it says it sent, and what a client saw.

The server runs in a process of its own and keeps a record of when it sent what. Token counts and texts must be equal to
what was asked, without any tolerance, and nothing may be sent early; the server's median lateness must stay below
`LIMIT_S`. What the client sees later than that is the wire and the client. A second row asks for less than a
millisecond, where servers that round or that sleep once a token fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from benchmarks.latency.quantiles import quantile
from benchmarks.machine import machine
from shared.backends.generated import GeneratedBackend, filler, prompt_tokens
from shared.clock import now
from shared.contract import Completion, Message, Request, Usage
from shared.errors import BackendUnavailable
from shared.hardware.catalogue import FIGURES, UNKNOWN, Figure, Hardware
from shared.hardware.pace import Pace, pace

LIMIT_S: Final = 1e-4
TOKENS: Final = 100
OTHER_TOKENS: Final = (1, 2, 17, 256)
"""Further lengths whose counts are checked, once whole and once streamed."""
MOST, LEAST, BUDGET_S = 700, 20, 10.0
"""So many answers of `TOKENS` tokens of each kind, as their time allows: 662 support a p99."""
WARM_UP: Final = 20
END_LIMIT_S: Final = 5.0
"""Seconds that the server under test may take to end."""
PROMPT: Final = (Message("user", "word " * 40),)
SUB_MILLISECOND: Final = {"first_token_s": 0.0004, "prompt_token_s": 0.0, "tok_s": 1e6}


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer as the client got it; `pieces` are (seconds since the call, characters until then), if streamed."""

    tokens: int
    completion: Completion
    pieces: tuple[tuple[float, int], ...] | None


def self_test(hardware: Hardware, *, as_json: bool) -> int:
    """Test the row and a row below a millisecond, print the figures; 1 where a check fails. Raises `BadInput`."""
    pace(hardware)  # refuses a row without one before a server is started
    load = os.getloadavg()[0]
    quick = _assumed(hardware.id, hardware.model, SUB_MILLISECOND)
    rows = {name: _row(each) for name, each in ((hardware.id, hardware), ("below a millisecond", quick))}
    document = {
        "standing": "measured",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine() | {"load_before": round(load, 2)},
        "rows": rows,
        "passed": not any(row["failed"] for row in rows.values()),
    }
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        print(text(document))
    return 0 if document["passed"] else 1


def _row(hardware: Hardware) -> dict[str, Any]:
    with _server(hardware) as url:
        seen, sent = asyncio.run(_drive(url, hardware))
    return figures(pace(hardware), seen, sent)


def figures(asked: Pace, seen: Sequence[Seen], sent: Sequence[Sequence[tuple[float, int]]]) -> dict[str, Any]:
    """The row's figures, in seconds and tokens a second. `sent` is the server's record of the answers in `seen`.

    `failed` names the checks that failed; a p99 that the sample does not support is None.
    """
    given = prompt_tokens(Request(PROMPT))
    wrong = early = 0
    for answer, record in zip(seen, sent, strict=True):
        text = filler(answer.tokens)
        right = answer.completion.text == text and answer.completion.usage == Usage(given, answer.tokens)
        wrong += not (right and record[-1][1] == len(text))
        early += sum(at_s < asked.seconds(given, _tokens(length)) for at_s, length in record)
    timed = [each for each in zip(seen, sent, strict=True) if each[0].tokens == TOKENS][2 * WARM_UP :]
    whole = [(answer, record) for answer, record in timed if answer.pieces is None]
    streamed = [(answer, answer.pieces, record) for answer, record in timed if answer.pieces is not None]
    first_s, last_s = asked.until_first(given), asked.seconds(given, TOKENS)
    parts = {
        "whole": _late(last_s, [r[-1][0] for _, r in whole], [a.completion.seconds or 0.0 for a, _ in whole]),
        "first_token": _late(first_s, [r[0][0] for *_, r in streamed], [p[0][0] for _, p, _ in streamed]),
        "last_token": _late(last_s, [r[-1][0] for *_, r in streamed], [p[-1][0] for _, p, _ in streamed]),
    }
    late = [name for name, part in parts.items() if not part["server"]["p50"] <= LIMIT_S]
    return {
        "answers": len(seen),
        "wrong_counts": wrong,
        "sent_early": early,
        **parts,
        "tok_s": {
            "asked": 1 / asked.token_s,
            "sent": statistics.median(_tok_s(record) for *_, record in streamed),
            "received": statistics.median(_tok_s(pieces) for _, pieces, _ in streamed),
        },
        "failed": [*(["wrong_counts"] if wrong else []), *(["sent_early"] if early else []), *late],
    }


def _late(asked_s: float, sent_s: Sequence[float], seen_s: Sequence[float]) -> dict[str, Any]:
    """How much later than asked it was sent and seen, in seconds."""
    found: dict[str, Any] = {"asked_s": asked_s}
    for name, samples in (("server", sent_s), ("client", seen_s)):
        late = [each - asked_s for each in samples]
        high = quantile(late, 0.99)
        found[name] = {"p50": statistics.median(late), "p99": high and high.value}
    return found


def _tokens(characters: int) -> int:
    return characters // len(filler(1))


def _tok_s(pieces: Sequence[tuple[float, int]]) -> float:
    """Tokens a second from the first piece to the last."""
    (begin_s, begin), (end_s, end) = pieces[0], pieces[-1]
    return (_tokens(end) - _tokens(begin)) / (end_s - begin_s) if end_s > begin_s else 0.0


async def _drive(url: str, hardware: Hardware) -> tuple[list[Seen], list[list[tuple[float, int]]]]:
    """Ask one after the other, whole and streamed in turns. What was seen, and the server's record of it."""
    import aiohttp

    from benchmarks.progress import Progress
    from shared.backends.http import HttpBackend

    alone_s = pace(hardware).seconds(prompt_tokens(Request(PROMPT)), TOKENS)
    count = min(MOST, max(LEAST, int(BUDGET_S / alone_s))) + WARM_UP
    lengths = [*[TOKENS] * count, *OTHER_TOKENS]
    backend = HttpBackend(url, hardware.id, api_key="")
    seen = []
    try:
        with Progress(f"self-test of {hardware.id}", len(lengths)) as progress:
            for tokens in lengths:
                request = Request(PROMPT, max_tokens=tokens)
                seen.append(Seen(tokens, await backend.complete(request), None))
                seen.append(await _streamed(backend, request))
                progress.step()
    finally:
        await backend.aclose()
    async with aiohttp.ClientSession() as session, session.get(url.removesuffix("/v1") + "/debug/sent") as response:
        return seen, await response.json()


async def _streamed(backend: Any, request: Request) -> Seen:
    begun_s, length = now(), 0
    pieces: list[tuple[float, int]] = []
    async with aclosing(backend.stream(request)) as items:
        async for item in items:
            if isinstance(item, Completion):
                return Seen(request.max_tokens, item, tuple(pieces))
            length += len(item)
            pieces.append((now() - begun_s, length))
    raise AssertionError("a stream ends with its completion")


@contextmanager
def _server(hardware: Hardware) -> Iterator[str]:
    """The base URL of a server of that row in a process of its own, which ends when its input does."""
    command = [sys.executable, "-m", "benchmarks.golden"]
    values = {name: figure.value for name, figure in hardware.figures.items() if figure.value is not None}
    first = hardware.figures["first_token_s"].prompt_tokens
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("subprocess gave no pipes")
            print(json.dumps([hardware.id, hardware.model, values, first]), file=process.stdin, flush=True)
            if not (port := process.stdout.readline().strip()):
                raise BackendUnavailable("the server under test ended at once; its error stands above")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(timeout=END_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _assumed(id_: str, model: str, values: dict[str, float], prompt: int | None = None) -> Hardware:
    """A row with these figures, all others unknown; `prompt` is the prompt that its first token was measured with."""
    figures = dict.fromkeys(FIGURES, UNKNOWN)
    for name, value in values.items():
        tokens = prompt if name == "first_token_s" else None
        figures[name] = Figure(value, "assumed", "the self-test", prompt_tokens=tokens)
    return Hardware(id_, id_, model, "", "refuse", figures)


async def _serve(hardware: Hardware) -> None:
    from shared.backends.emulated import EmulatedBackend
    from shared.serving.emulator import EmulatorServer
    from shared.serving.serve import listen

    server = EmulatorServer(EmulatedBackend(GeneratedBackend(), hardware), keep_sent=True)
    with listen("127.0.0.1", 0) as listening:
        await server.start(listening)
        print(listening.getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)  # until whoever started this closes it
        await server.aclose()


def text(document: dict[str, Any]) -> str:
    """The figures for a terminal."""
    lines = []
    for name, row in document["rows"].items():
        lines += [
            f"{name}: {row['answers']} answers one at a time, whole and streamed in turns; "
            f"wrong counts or texts {row['wrong_counts']}, pieces sent early {row['sent_early']}",
            f"  {'answers of ' + str(TOKENS) + ' tokens':<24}{'asked':>12}   server p50/p99 late   client p50/p99 late",
        ]
        for part, shown in (("whole", "whole"), ("first_token", "streamed, first token"), ("last_token", "last token")):
            late = "".join(
                f"{_us(row[part][who]['p50']):>12} {_us(row[part][who]['p99']):>9}" for who in ("server", "client")
            )
            lines.append(f"  {shown:<24}{row[part]['asked_s'] * 1e3:>9.4f} ms{late}")
        pace = row["tok_s"]
        lines.append(
            f"  {'tokens/s':<24}{pace['asked']:>12,.0f}   sent {pace['sent']:,.0f}, received {pace['received']:,.0f}"
        )
        if row["failed"]:
            lines.append(f"  FAILED: {', '.join(row['failed'])}")
    lines.append(
        "measured {date} on {machine[cpu]}, {machine[cores]} cores, load {machine[load_before]} before; ".format(
            **document
        )
        + ("passed" if document["passed"] else "failed")
        + f": the limits are no wrong count, nothing early, and a median server lateness of {LIMIT_S * 1e3:g} ms"
    )
    return "\n".join(lines)


def _us(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1e6:,.0f} us"


if __name__ == "__main__":
    _id, _model, _values, _prompt = json.loads(sys.stdin.readline())
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(_assumed(_id, _model, _values, _prompt)))

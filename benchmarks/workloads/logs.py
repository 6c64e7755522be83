"""Logs of LiteLLM and Langfuse, known by their fields, become a log in our format (see `benchmarks/targets/log.py`).

LiteLLM 1.110 writes two shapes: the standard logging payload of its callbacks (`id`, `response_cost`, times in seconds
since 1970) and the rows of its spend log (`request_id`, `spend`, times as texts, the messages often only within
`proxy_server_request`). Langfuse writes camel case from its API and its screens, snake case into blob storage (export
reference of 2026): observations of type GENERATION are model calls, and so is a trace that has an input of its own.

What a log leaves out stays out: zero tokens, and a cost of zero that neither a cache hit nor a failure explains, mean
"not known" there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Literal, get_args

from benchmarks.workloads.sources import PEEK, Bad, Table, Tally
from shared.contract import ROLES
from shared.errors import BadInput

Source = Literal["litellm", "langfuse"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)
NAME: Final = "log.jsonl"

LITELLM: Final = {"messages", "response", "model"}
LANGFUSE: Final = {"traceId", "trace_id", "projectId", "project_id", "sessionId", "htmlPath", "bookmarked"}
OURS: Final = {"input", "output", "latency_ms"}
CHAT: Final = {"completion", "text_completion", "responses", "anthropic_messages", "generate_content"}
"""LiteLLM's call types that answer a question, with or without a leading `a`."""

STAGES: Final = {"true": "cache", "false": "call"}
"""What LiteLLM's `cache_hit` says; where it is empty there was no cache, or nobody knows."""


def recognised(table: Table, file: Path) -> Source | None:
    """The kind of log that the table's first rows are, or None. Raises `BadInput` where no column holds a question."""
    columns = {column.partition(".")[0] for column in table.columns}
    if columns >= LITELLM and columns & {"spend", "response_cost"}:
        return "litellm"
    if {"input", "output"} <= columns and columns & LANGFUSE:
        return "langfuse"
    if columns >= OURS and "id" in columns:
        raise BadInput(f'{file} is a log that compare reads as it is: write kind = "log" and path under [legacy]')
    return None


def refuse_textless(table: Table, file: Path) -> Table:
    """Raises `BadInput` where the first rows hold numbers and times only. Returns the table whole again."""
    first = list(islice(table.rows, PEEK))
    cells = chain.from_iterable(row.values() for _, row in first if not isinstance(row, Bad))
    texts = [cell for cell in cells if cell is not None]
    if texts and not any(isinstance(cell, list | dict) or _worded(cell) for cell in texts):
        raise BadInput(
            f"{file} holds numbers and times only ({', '.join(table.columns[:8])}): how many tokens came when "
            "does not tell what was asked, and a workload needs the questions as texts"
        )
    return Table(table.columns, chain(first, table.rows), table.unit)


def _worded(cell: object) -> bool:
    return isinstance(cell, str) and sum(map(str.isalpha, cell)) > 1 and _seconds(cell) is None


def write(table: Table, source: Source, folder: Path, tally: Tally) -> list[str]:
    """Write the log into `folder` and count in `tally`. Returns what a reader should be told."""
    read = _litellm if source == "litellm" else _langfuse
    costless = 0
    seen: set[str] = set()
    with (folder / NAME).open("w", encoding="utf-8") as out:
        for number, row in table.rows:
            tally.rows += 1
            if isinstance(row, Bad):
                tally.reject(number, row)
                continue
            try:
                entry = read(row)
                if entry is None:
                    tally.skipped += 1
                    continue
                if entry["id"] in seen:
                    raise ValueError("an id that is there already")
                line = json.dumps({name: cell for name, cell in entry.items() if cell is not None}, ensure_ascii=False)
                line.encode()
            except UnicodeEncodeError:
                tally.reject(number, Bad("half of a surrogate pair, which is no text in UTF-8", row))
                continue
            except ValueError as error:
                tally.reject(number, Bad(str(error), row))
                continue
            seen.add(entry["id"])
            out.write(line + "\n")
            tally.items += 1
            costless += entry["cost_usd"] is None
    tally.check()
    return [f"cost is not known for {costless:,} entries"] * bool(costless)


def scenario(file: str) -> str:
    """A scenario with the log as the legacy system."""
    return f"""# Imported by crossover from {json.dumps(file)}: the log is the traffic.
# Legacy is the system that answered it.
# The log holds no references, so quality is not measured until the entries of {NAME} get an `expected`.
[legacy]
kind = "log"
path = "{NAME}"

# What takes its place: a model here (after: crossover models pull), or litellm:NAME, http:URL#MODEL, or another log
# of the same requests with the same ids: kind = "log", path = "..."
[direct]
model = "local:qwen-0.5b-burnt-3-6"
# price = {{ input = 0.15, output = 0.60 }}  # US dollars a million tokens
"""


def _litellm(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Raises `ValueError` with the reason where the row cannot be used; None where it is no chat call."""
    kind = row.get("call_type")
    if isinstance(kind, str) and kind and kind not in CHAT and kind.removeprefix("a") not in CHAT:
        return None
    failed = row.get("status") == "failure" or bool(row.get("error_str"))
    asked = _stored(row.get("messages"))
    if not asked:
        request = _stored(row.get("proxy_server_request"))
        asked = request if isinstance(request, dict) else None
    hit = str(row.get("cache_hit")).casefold()
    begun, ended = _seconds(row.get("startTime")), _seconds(row.get("endTime"))
    took_ms = _amount(row.get("request_duration_ms"))
    if took_ms is None and begun is not None and ended is not None:
        took_ms = _amount((ended - begun) * 1000)
    error = _json(row.get("error_information"))
    return {
        "id": _id(row.get("request_id") or row.get("id")),
        "input": _input(asked),
        "output": None if failed else _output(_stored(row.get("response"))),
        "latency_ms": took_ms,
        "cost_usd": _paid(row.get("response_cost", row.get("spend")), free=failed or hit == "true"),
        "stage": None if failed else STAGES.get(hit),
        "model": _word(row.get("model")),
        "input_tokens": _tokens(row.get("prompt_tokens")),
        "output_tokens": _tokens(row.get("completion_tokens")),
        "timestamp": _moment(begun),
        "session_id": _word(row.get("session_id")),
        "error": ((_word(error.get("error_class")) if isinstance(error, dict) else None) or "failed")
        if failed
        else None,
    }


def _langfuse(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """As `_litellm`. Traces have no type; of observations only generations are model calls."""
    if str(row.get("type") or "GENERATION").upper() != "GENERATION":
        return None

    def first(*names: str) -> Any:
        return next((row[name] for name in names if row.get(name) not in (None, "")), None)

    failed = str(first("level")).upper() == "ERROR"
    usage = _json(first("usageDetails", "usage_details", "usage"))
    usage = usage if isinstance(usage, dict) else {}
    costs = _json(first("costDetails", "cost_details"))
    cost = first("totalCost", "total_cost", "calculatedTotalCost", "calculated_total_cost")
    if cost is None and isinstance(costs, dict):
        cost = costs.get("total")
    begun, ended = _seconds(first("startTime", "start_time", "timestamp")), _seconds(first("endTime", "end_time"))
    took = _amount(first("latency")) if begun is None or ended is None else _amount(ended - begun)
    return {
        "id": _id(row.get("id")),
        "input": _input(_json(first("input"))),
        "output": None if failed else _output(_json(first("output"))),
        "latency_ms": None if took is None else took * 1000,
        "cost_usd": _paid(cost, free=False),
        "stage": None,
        "model": _word(first("model", "providedModelName", "provided_model_name")),
        "input_tokens": _tokens(usage.get("input", usage.get("promptTokens"))),
        "output_tokens": _tokens(usage.get("output", usage.get("completionTokens"))),
        "timestamp": _moment(begun),
        "session_id": _word(first("sessionId", "session_id", "traceId", "trace_id")),
        "error": "failed" if failed else None,
    }


def _id(given: object) -> str:
    if isinstance(given, str | int) and not isinstance(given, bool) and given != "":
        return str(given)
    raise ValueError("no id")


def _json(given: Any) -> Any:
    """What a text is the JSON of, where it is an object or a list; else what was given."""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given)
        except (ValueError, RecursionError):
            return given
    return given


def _stored(given: Any) -> Any:
    """A cell of LiteLLM that holds JSON; None where nothing was stored."""
    return None if given == "null" else _json(given)


def _input(asked: Any) -> str | list[dict[str, str]]:
    """A text, or messages of texts that end with the user's."""
    if isinstance(asked, dict):
        asked = (
            asked.get("messages") or asked.get("input") or asked.get("prompt") or ([asked] if "role" in asked else None)
        )
    if isinstance(asked, str) and asked.strip():
        return asked
    if not isinstance(asked, list) or not asked:
        raise ValueError("no question: the log holds no messages; let it store prompts")
    messages: list[dict[str, str]] = []
    for message in asked:
        role = message.get("role") if isinstance(message, dict) else None
        role = "system" if role == "developer" else role
        if not isinstance(role, str) or role not in ROLES:
            raise ValueError("a message that is not from system, user or assistant")
        if (said := _said(message.get("content"))) is None:
            raise ValueError("a message that is no text (an image, a tool's call)")
        messages.append({"role": role, "content": said})
    if messages[-1]["role"] != "user":
        raise ValueError("the last message is not from the user")
    return messages[0]["content"] if len(messages) == 1 else messages


def _output(answered: Any) -> str:
    """The answer's text in any of the shapes that the logs have."""
    found = answered
    if isinstance(found, dict) and isinstance(found.get("choices"), list):
        found = found["choices"]
    elif isinstance(found, dict) and isinstance(found.get("output"), list):  # OpenAI's responses: reasoning comes first
        found = [each for each in found["output"] if isinstance(each, dict) and each.get("type") == "message"]
    if isinstance(found, list) and found:
        found = found[0]
    if isinstance(found, dict):
        found = found.get("message", found)
    if isinstance(found, dict):
        found = found.get("content", found.get("text"))
    if isinstance(found, list):
        found = _said(found)
    if isinstance(found, str) and found:
        return found
    raise ValueError("no answer that is a text (a tool's call, an image, or not stored)")


def _said(content: Any) -> str | None:
    """A message's text, its parts put together; None where a part is no text."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part.get("text") if isinstance(part, dict) else part for part in content]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts and len(texts) == len(parts) else None


def _seconds(given: Any) -> float | None:
    """Seconds since 1970 of a number or of a text as ISO 8601 writes it; without a zone it is UTC."""
    if isinstance(given, datetime):
        return given.replace(tzinfo=given.tzinfo or UTC).timestamp()
    if (number := _amount(given)) is not None:
        return number
    if not isinstance(given, str):
        return None
    try:
        moment = datetime.fromisoformat(given.strip()[:26] if given[26:27].isdigit() else given.strip())
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _moment(seconds: float | None) -> str | None:
    try:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _amount(given: Any) -> float | None:
    """A number that is not negative, also as a text; None for anything else."""
    try:
        number = float(given) if isinstance(given, int | float | str) and not isinstance(given, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _paid(given: Any, *, free: bool) -> float | None:
    amount = _amount(given)
    return amount if amount or (free and amount == 0) else None


def _tokens(given: Any) -> int | None:
    amount = _amount(given)
    return int(amount) if amount else None


def _word(given: Any) -> str | None:
    return given if isinstance(given, str) and given else None

"""Answers that were given earlier, as a target: a log is JSON Lines, one request a line, and it is the traffic too.

    {"id": "r-17", "input": "...", "output": "...", "expected": "...", "latency_ms": 412, "cost_usd": 0.0003,
     "stage": "cache", "model": "...", "input_tokens": 80, "output_tokens": 12, "timestamp": "...",
     "session_id": "...", "task": "...", "error": null}

Only `id` must be there; a field that is missing or null is not measured. `input_sha256` may stand for an input that is
kept to oneself: equal hashes are one question. OpenTelemetry's `gen_ai.*` names are taken
too, beside the others or under `attributes`. Two logs are joined by id. Everything is checked when it is read.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.quality.score import rejected
from benchmarks.scenario import Arm
from benchmarks.strict_json import kind, loads
from benchmarks.targets.target import MOST, STAGES, Reply, steps_of_stage
from benchmarks.workloads.traffic import Asked
from benchmarks.workloads.workload import Item, ScorerName, Task, Workload
from shared.contract import ROLES, Completion, Identity, Message, Request, Usage, canonical_json
from shared.errors import BadInput
from shared.files import DATA_BYTES, contents
from shared.pricing import Price

FIELDS: Final = (
    "id", "input", "output", "expected", "latency_ms", "cost_usd", "stage", "model", "input_tokens", "output_tokens",
    "timestamp", "session_id", "task", "error", "input_sha256",
)  # fmt: skip
TELEMETRY: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("gen_ai.response.id",),
    "input": ("gen_ai.input.messages",),
    "output": ("gen_ai.output.messages",),
    "model": ("gen_ai.response.model", "gen_ai.request.model"),
    "input_tokens": ("gen_ai.usage.input_tokens",),
    "output_tokens": ("gen_ai.usage.output_tokens",),
    "session_id": ("gen_ai.conversation.id",),
    "error": ("error.type",),
}
"""OpenTelemetry's names of our fields; the first that is there holds."""
MAX_TOKENS: Final = 1024
"""Tokens that a model may answer to a question of a log, which does not say how many it allowed."""


class _Wrong(Exception):
    """What is wrong with a line, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log. Seconds and US dollars; None is not in the log. `messages` is the input, `digest` its hash."""

    line: int
    id: str
    messages: tuple[Message, ...] | None
    output: str | None
    expected: Any
    latency_s: float | None
    cost_usd: float | None
    stage: str | None
    model: str | None
    usage: Usage
    session_id: str | None
    task: str
    error: str | None
    digest: str | None = None

    def reply(self) -> Reply:
        """What the log says came of the request."""
        steps = None
        if self.stage is not None and not self.error:
            text, model = self.output or "", self.model or "a model that is not told"
            completion = Completion(text, model, self.usage, "unknown", seconds=self.latency_s, timing="recorded")
            steps = steps_of_stage(self.stage, completion)
        return Reply(
            None if self.error else self.output,
            self.model,
            self.error,
            None if self.error else self.latency_s,
            cost_usd=self.cost_usd,
            steps=steps,
            usage=self.usage,
        )


@dataclass(frozen=True, slots=True)
class LogTarget:
    """A log ready to be asked: `entries` go by the number of the request. It knows neither prices nor weights."""

    arm: Arm
    entries: Sequence[Entry]
    notes: tuple[str, ...]
    identities: Mapping[str, Identity] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)

    async def ask(self, asked: Asked, request: Request) -> Reply:  # noqa: ARG002  # it was asked long ago
        return self.entries[asked.number].reply()

    async def aclose(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True)
class LogWorkload(Workload):
    """The questions of a log. A model sees the logged messages and nothing else."""

    messages: Mapping[str, tuple[Message, ...]] = field(default_factory=dict)

    def request(
        self,
        item: Item,
        *,
        deadline_s: float = 120.0,
        temperature: float = 0.0,
        seed: int | None = None,
        sample: int = 0,
    ) -> Request:
        """The request for this item; greedy unless a temperature is given."""
        return Request(
            self.messages[item.id], task=item.task, max_tokens=MAX_TOKENS, temperature=temperature, seed=seed,
            sample=sample, deadline_s=deadline_s,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Traffic:
    """What logs hold: the questions, the stream in the order of the first log, and each log as a target."""

    workload: LogWorkload
    stream: list[Asked]
    targets: Mapping[Arm, LogTarget]


def read(path: Path) -> dict[str, Entry]:
    """Every line by its id, in the order of the file. Raises `BadInput` naming file, line, field and remedy."""
    try:
        content = contents(path, DATA_BYTES)
    except OSError as error:
        raise BadInput(f"log {path} cannot be read ({error.strerror}); check the path in the scenario file") from None
    entries: dict[str, Entry] = {}
    for number, line in enumerate(content.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = _entry(number, line)
        except _Wrong as error:
            raise BadInput(f"{path} line {number}: {error}") from None
        if entry.id in entries:
            raise BadInput(
                f"{path} line {number}: field `id`: {entry.id!r} is that of line {entries[entry.id].line} too; "
                "give each request an id of its own"
            )
        entries[entry.id] = entry
    if not entries:
        raise BadInput(f"{path} is empty; a log has one JSON object a line")
    return entries


def traffic(paths: Mapping[Arm, Path], scorer: ScorerName | None, limit: int | None) -> Traffic:
    """The traffic of one log, or of two joined by id.

    Raises `BadInput` where they have no id in common, or the same ids for different requests.
    """
    logs = {arm: read(path) for arm, path in paths.items()}
    first, *others = logs
    joined = [each for each in logs[first] if all(each in log for log in logs.values())]
    if not joined:
        examples = " and ".join(f"{next(iter(log))!r} in {paths[arm]}" for arm, log in logs.items())
        raise BadInput(f"the logs have no id in common ({examples}); log the same request under the same id in both")
    differing: tuple[str, ...] = ()
    for other in others:
        differing = _differing([(logs[first][each], logs[other][each]) for each in joined], paths)
    ids = joined[:limit]
    questions = [_question([log[each] for log in logs.values()], paths) for each in ids]
    if len(logs) == 1:
        for entry, _, _ in questions:
            if entry.messages is None:
                raise BadInput(
                    f"{paths[first]} line {entry.line}: field `input`: it is missing, so the other system cannot be "
                    "asked; log the input, or compare two logs"
                )
    workload, stream = _items(questions, paths, first, scorer)
    targets: dict[Arm, LogTarget] = {}
    for arm, log in logs.items():
        entries = [log[each] for each in ids]
        notes = (differing if arm == first else ()) + _left_out(paths[arm], len(log), len(joined))
        targets[arm] = LogTarget(arm, entries, notes + _gaps(arm, entries))
    return Traffic(workload, stream, targets)


def _differing(joined: Sequence[tuple[Entry, Entry]], paths: Mapping[Arm, Path]) -> tuple[str, ...]:
    """A note of ids that have another input in each log. Raises `BadInput` where these are more than half."""
    told = [(pair, same) for pair in joined if (same := _same_input(*pair)) is not None]
    wrong = [pair for pair, same in told if not same]
    if not wrong:
        return ()
    found = f"{len(wrong)} of {len(told)} ids have different inputs in the two logs, such as {wrong[0][0].id!r}"
    if 2 * len(wrong) <= len(told):
        return (f"{found}: there the question may differ and not the system",)
    places = " and ".join(f"{path} line {entry.line}" for path, entry in zip(paths.values(), wrong[0], strict=True))
    raise BadInput(
        f"{found} ({places}), so these are not the same requests; log the same request under the same id in both, and "
        "as `input` what the user asked"
    )


def _same_input(first: Entry, second: Entry) -> bool | None:
    """Whether two entries hold the same last message, or the same hash of their input; None where it is not told."""
    if first.messages and second.messages:
        return first.messages[-1].content.strip() == second.messages[-1].content.strip()
    return first.digest == second.digest if first.digest and second.digest else None


def _question(entries: Sequence[Entry], paths: Mapping[Arm, Path]) -> tuple[Entry, Any, str]:
    """The entry that has the input, what is expected, and where that stands.

    Raises `BadInput` where the logs expect different things.
    """
    places = [f"{path} line {entry.line}" for path, entry in zip(paths.values(), entries, strict=True)]
    told = [(each.expected, place) for each, place in zip(entries, places, strict=True) if each.expected is not None]
    if len({canonical_json(expected) for expected, _ in told}) > 1:
        raise BadInput(
            f"field `expected`: {' and '.join(places)} expect different answers to {entries[0].id!r}; mend one of them"
        )
    asked = max(entries, key=lambda entry: (entry.messages is not None, entry.digest is not None))
    return asked, *(told[0] if told else (None, ""))


def _items(
    questions: Sequence[tuple[Entry, Any, str]], paths: Mapping[Arm, Path], first: Arm, scorer: ScorerName | None
) -> tuple[LogWorkload, list[Asked]]:
    """An item for each distinct input and expected answer, named after the first request that asks it."""
    items: dict[object, Item] = {}
    messages: dict[str, tuple[Message, ...]] = {}
    stream: list[Asked] = []
    places: dict[str, str] = {}
    for entry, expected, place in questions:
        # an input that was not logged, nor its hash, is nobody else's
        key = (entry.task, entry.messages or entry.digest or entry.id, canonical_json(expected))
        repeat = key in items
        if not repeat:
            kind, reference = _reference(expected, scorer)
            item = Item(
                id=entry.id,
                group=entry.session_id or entry.id,
                task=entry.task,
                input=entry.messages[-1].content if entry.messages else "(not logged)",
                reference=reference,
                scorer=kind,
                author="",
                source=paths[first].name,
                licence="",
            )
            items[key], messages[item.id], places[item.id] = item, entry.messages or (Message("user", ""),), place
        stream.append(Asked(len(stream), items[key], repeat))
    labels: dict[str, set[str]] = {item.task: set() for item in items.values()}
    for item in items.values():
        if scorer == "label" and isinstance(item.reference, str):
            labels[item.task].add(item.reference)
    tasks = {
        name: Task(instruction="", scorer=scorer or "short_answer", labels=tuple(sorted(known)))
        for name, known in labels.items()
    }
    digest = hashlib.sha256()
    for path in paths.values():
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    workload = LogWorkload(paths[first].name, tasks, tuple(items.values()), digest.hexdigest()[:16], messages)
    for item in items.values():
        if item.reference is not None:
            try:
                unfit = rejected(item, workload)
            except BadInput as error:
                raise BadInput(
                    f"{places[item.id]}: field `expected`: {error}; choose another [quality] scorer"
                ) from None
            if unfit:
                raise BadInput(
                    f"{places[item.id]}: field `expected`: scorer {item.scorer!r} would call this very answer wrong; "
                    "mend it, leave it out where nothing is expected, or choose another [quality] scorer"
                )
    return workload, stream


def _reference(expected: Any, scorer: ScorerName | None) -> tuple[ScorerName, Any]:
    """The scorer of one expected answer and its reference; what the scorer cannot read is left for it to refuse."""
    if isinstance(expected, bool):
        expected = "true" if expected else "false"
    if scorer is None:
        number = isinstance(expected, int | float)
        scorer = "json_fields" if isinstance(expected, dict) else "numeric" if number else "short_answer"
    if expected is None:
        return scorer, None
    if scorer == "numeric" and isinstance(expected, str):
        try:
            number_read = float(expected)
        except ValueError:
            return scorer, expected
        return scorer, number_read if math.isfinite(number_read) else expected
    if scorer == "json_fields" and isinstance(expected, str):
        try:
            return scorer, loads(expected)
        except ValueError:
            return scorer, expected
    if scorer == "short_answer" and not isinstance(expected, list):
        return scorer, [expected if isinstance(expected, str) else canonical_json(expected)]
    return scorer, expected


def _left_out(path: Path, logged: int, joined: int) -> tuple[str, ...]:
    """A note of the requests of one side only."""
    if logged == joined:
        return ()
    return (
        f"{logged - joined} of {logged} requests are in {path.name} only and are left out; "
        "log the same request under the same id in both",
    )


def _gaps(arm: Arm, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Notes of the columns that are there for some rows only."""
    notes = []
    answered = [entry for entry in entries if entry.error is None]
    for name in ("latency_s", "cost_usd", "stage", "output"):
        missing = sum(getattr(entry, name) is None for entry in answered)
        if 0 < missing < len(answered):
            column = "latency_ms" if name == "latency_s" else name
            notes.append(
                f"{arm}: {column} is missing in {missing} of {len(answered)} answered rows, so what rests on it is not "
                "measured"
            )
    return tuple(notes)


def _entry(number: int, line: bytes) -> Entry:
    """Raises `_Wrong` that says which field is wrong and what to do."""
    try:
        row = loads(line.decode())
    except UnicodeDecodeError as error:
        raise _Wrong(f"not UTF-8 (byte {error.start}); save the log as UTF-8") from None
    except (ValueError, RecursionError):
        raise _Wrong(
            "not one JSON object (NaN is none); write one request a line, or delete the line where a killed process "
            "left half of one"
        ) from None
    if not isinstance(row, dict):
        raise _Wrong(f"a JSON object is needed, this is {kind(row)}")
    attributes = row.get("attributes")
    if attributes is not None and not isinstance(attributes, dict):
        raise _Wrong(f"field `attributes`: an object is needed, this is {kind(attributes)}")
    row = (attributes or {}) | row
    found = {name: _found(row, name) for name in FIELDS}
    expected = found["expected"]
    if isinstance(expected, list) and not (expected and all(isinstance(each, str) for each in expected)):
        raise _Wrong("field `expected`: a list must hold the accepted texts; write texts, a number or an object")
    stage = _text(found, "stage")
    if stage is not None and stage not in STAGES:
        raise _Wrong(f"field `stage`: {stage[:40]!r} is none of {', '.join(STAGES)}; write one of them or leave it out")
    latency_ms = _number(found, "latency_ms")
    timestamp = found["timestamp"]
    if timestamp is not None and (isinstance(timestamp, bool) or not isinstance(timestamp, str | int | float)):
        raise _Wrong(f"field `timestamp`: a text or a number is needed, this is {kind(timestamp)}")
    return Entry(
        number,
        _id(found["id"]),
        _messages(found["input"]),
        _output(found["output"]),
        _sound(expected, "expected"),
        None if latency_ms is None else latency_ms / 1000,
        _number(found, "cost_usd"),
        stage,
        _text(found, "model"),
        Usage(_count(found, "input_tokens"), _count(found, "output_tokens")),
        _text(found, "session_id"),
        _text(found, "task") or "log",
        _error(found["error"]),
        _text(found, "input_sha256"),
    )


def _found(row: Mapping[str, Any], name: str) -> Any:
    for key in (name, *TELEMETRY.get(name, ())):
        if row.get(key) is not None:
            return row[key]
    return None


def _id(value: object) -> str:
    if value is None:
        raise _Wrong("field `id`: it is missing; the logs of one request are joined by it")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise _Wrong(f"field `id`: a text or a whole number is needed, this is {kind(value)}")
    return str(_sound(value, "id"))


def _error(value: object) -> str | None:
    """What went wrong, in one word or sentence; false and "" say that nothing did."""
    if value is None or value is False or value == "":
        return None
    if value is True:
        return "the log does not say which error"
    if not isinstance(value, str):
        raise _Wrong(f"field `error`: a text is needed, this is {kind(value)}")
    return str(_sound(value, "error"))


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found[name]
    if value is None or isinstance(value, str):
        return _sound(value, name) or None
    raise _Wrong(f"field `{name}`: a text is needed, this is {kind(value)}")


def _number(found: Mapping[str, Any], name: str) -> float | None:
    value = found[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST <= value <= MOST:
        raise _Wrong(f"field `{name}`: a number is needed, this is {kind(value)}; leave it out where not measured")
    if value < 0:
        raise _Wrong(f"field `{name}`: it is negative; leave it out where it was not measured")
    return float(value)


def _count(found: Mapping[str, Any], name: str) -> int | None:
    value = _number(found, name)
    if value is not None and value != int(value):
        raise _Wrong(f"field `{name}`: a whole number is needed")
    return None if value is None else int(value)


def _messages(value: Any) -> tuple[Message, ...] | None:
    """The input as messages: a text is what the user said; a list is a conversation that ends with the user."""
    if value is None:
        return None
    if isinstance(value, str):
        parsed = _parsed_list(value)
        if parsed is None:
            return (Message("user", _sound(value, "input")),)
        value = parsed
    if not isinstance(value, list) or not value:
        raise _Wrong(f"field `input`: a text or a list of messages is needed, this is {kind(value)}")
    messages = []
    for each in value:
        role: Any = each.get("role") if isinstance(each, dict) else None
        if role not in ROLES:
            raise _Wrong(f"field `input`: each message needs a role out of {', '.join(sorted(ROLES))}")
        messages.append(Message(role, _sound(_said(each, "input"), "input")))
    if messages[-1].role != "user":
        raise _Wrong("field `input`: the last message must be from 'user'; leave out what was answered")
    return tuple(messages)


def _output(value: Any) -> str | None:
    if value is None:
        return None
    parsed = _parsed_list(value) if isinstance(value, str) else value
    if isinstance(parsed, list) and parsed and isinstance(parsed[0], dict) and "role" in parsed[0]:
        return str(_sound(_said(parsed[0], "output"), "output"))
    if isinstance(value, str):
        return str(_sound(value, "output"))
    return str(_sound(json.dumps(value, ensure_ascii=False), "output"))


def _parsed_list(text: str) -> list[Any] | None:
    """The list of messages that a text is the JSON of, as exporters of telemetry write it; None for any other text."""
    if not text.startswith("[{") or '"role"' not in text:
        return None
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return None
    return value if all(isinstance(each, dict) and "role" in each for each in value) else None


def _said(message: Mapping[str, Any], name: str) -> str:
    """The text of one message, in OpenAI's form (`content`) or OpenTelemetry's (`parts`)."""
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) else [None]:
        text = part.get("text", part.get("content")) if isinstance(part, dict) else None
        if not isinstance(text, str):
            raise _Wrong(f"field `{name}`: a message holds something other than text, which cannot be compared")
        texts.append(text)
    return "".join(texts)


def _sound(value: Any, name: str) -> Any:
    """The value, where all of its text can be written again."""
    try:
        (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, allow_nan=False)).encode()
    except UnicodeEncodeError:
        raise _Wrong(f"field `{name}`: it holds half a character (a lone surrogate); mend the log's texts") from None
    except ValueError:
        raise _Wrong(f"field `{name}`: it holds a number that is too large") from None
    return value

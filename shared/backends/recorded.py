"""Answers that real models gave, kept in a file and given again.

A recording is JSON Lines, gzipped where its name ends in `.gz`. The first line is a `Header`: which weights answered,
how they were asked and on what machine. Every other line is a `Row`: one completion under the `recording_key` of its
request. A row has seconds only where the model had the machine to itself; elsewhere they are not known.
`benchmarks/record.py` makes recordings.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.contract import TEMPLATE_VERSION, Completion, FinishReason, Identity, Request, Usage, canonical_json
from shared.errors import BadInput, MissingRecording
from shared.files import DATA_BYTES, contents, replacing

SCHEMA: Final = "crossover-recording/1"
STREAM_PIECES: Final = 4

Seconds = Annotated[float, Field(ge=0)]
Tokens = Annotated[int, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Entry = TypeVar("Entry", bound=BaseModel)


class RecordedModel(_Strict):
    """Whose answers these are. `sha256` is that of the weights, or "" where they are out of reach."""

    provider: str
    name: str
    sha256: str
    base_url: str = ""
    render: str = "chat"


class Machine(_Strict):
    cpu: str
    cores: int
    system: str


class Header(_Strict):
    """Where a recording comes from. `sampling` and `settings` are for readers: the keys hold what answers depend on."""

    schema_: Literal["crossover-recording/1"] = Field(alias="schema")
    model: RecordedModel
    template: str = TEMPLATE_VERSION
    workload: str
    sampling: dict[str, JsonValue] = {}
    settings: dict[str, JsonValue] = {}
    machine: Machine | None = None
    packages: dict[str, str] = {}
    date: str = ""

    def same_source(self, other: Header) -> bool:
        """Whether rows under both belong in one file: all but the date is equal."""
        return self.model_copy(update={"date": other.date}) == other


class Row(_Strict):
    """One completion. `key` is its request's, `id` the workload item's; `logprobs` have four digits.

    `seconds` and `first_token_s` are None where something else was running, or nobody looked.
    """

    key: str = Field(pattern="^[0-9a-f]{64}$")
    id: str | None = None
    text: str
    finish_reason: FinishReason
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    logprobs: tuple[Annotated[float, Field(le=0)], ...] | None = None
    first_token_s: Seconds | None = None
    seconds: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole recording: its header, and its rows by key in the order of the file."""

    header: Header
    rows: Mapping[str, Row]

    @property
    def timed(self) -> bool:
        """Whether every row has seconds: all were recorded with nothing else running."""
        return all(row.seconds is not None for row in self.rows.values())


def recording_key(request: Request) -> str:
    """SHA-256 over all that the model sees and how it is rendered: equal keys are equal questions."""
    asked = canonical_json({"prompt": request.prompt(), "template": TEMPLATE_VERSION})
    return hashlib.sha256(asked.encode()).hexdigest()


def read_recording(path: Path) -> Recording:
    """Read and check every line. Raises `BadInput` naming file, line, field and remedy."""
    return _read(path, again=False)


def _read(path: Path, *, again: bool) -> Recording:
    """With `again`, a later row under the same key takes the place of an earlier one."""
    lines = _content(path).split(b"\n")
    if lines[-1]:
        raise BadInput(f"{path} line {len(lines)} is cut off; record again to continue the file, or delete that line")
    if len(lines) == 1:
        raise BadInput(f"{path} is empty; a recording starts with a header line (schema {SCHEMA})")
    header = _parsed(Header, path, 1, lines[0])
    if header.template != TEMPLATE_VERSION:
        raise BadInput(
            f"{path}: template is {header.template!r}, now it is {TEMPLATE_VERSION!r}; move it away and record again"
        )
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines[1:-1], 2):
        row = _parsed(Row, path, number, line)
        if row.key in rows and not again:
            first = list(rows).index(row.key) + 2
            raise BadInput(f"{path} line {number}: key is the same as in line {first}; delete one of them")
        rows[row.key] = row
    return Recording(header, rows)


class RecordingWriter:
    """Adds completions to a recording, each flushed at once; goes on with a file that an earlier run left unfinished.

    `keys` are those already in it, `timed` those of them that have seconds. While it is open the rows stand in a file
    beside its place, with `.part` after the name. Use it as a context manager. Raises `BadInput` where the file there
    is of another model, machine or workload.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self.keys: set[str] = set()
        self.timed: set[str] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{path.parent} cannot be written ({error.strerror}); it must be a folder") from None
        if self._part.exists() and not _cut_half_line(self._part):
            self._part.unlink()
        there = self._part if self._part.exists() else path
        if there.exists():
            self._continue(_read(there, again=True), header, there)
        if there is path:
            _write(self._part, _content(path) if path.exists() else _line(header))
        self._file: IO[bytes] = self._part.open("ab")
        _lock(self._file, path)

    def _continue(self, earlier: Recording, header: Header, there: Path) -> None:
        if not earlier.header.same_source(header):
            raise BadInput(
                f"{there} was recorded from another source (model, template, workload, settings, machine or package "
                "versions differ); move it away to record anew"
            )
        self.keys = set(earlier.rows)
        self.timed = {key for key, row in earlier.rows.items() if row.seconds is not None}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def add(self, key: str, completion: Completion, item_id: str | None = None, *, alone: bool) -> None:
        """Append one completion, with its seconds where the model was `alone` on the machine.

        Raises `BadInput` where that key is in the file already, unless this one has seconds and that one has none.
        """
        if key in self.keys and not (alone and key not in self.timed):
            raise BadInput(f"{self._path} has an answer under key {key} already; ask only what is not in `keys`")
        row = Row(
            key=key,
            id=item_id,
            text=completion.text,
            finish_reason=completion.finish_reason,
            input_tokens=completion.usage.input_tokens,
            output_tokens=completion.usage.output_tokens,
            logprobs=completion.logprobs and tuple(min(0.0, round(each, 4)) for each in completion.logprobs),
            first_token_s=_rounded(completion.first_token_s) if alone else None,
            seconds=_rounded(completion.seconds) if alone else None,
        )
        self._file.write(_line(row))
        self._file.flush()
        self.keys.add(key)
        if row.seconds is not None:
            self.timed.add(key)

    def close(self) -> None:
        """Bring the rows to their place, one a key; gzipped there where the name says so."""
        if self._file.closed:
            return
        recording = _read(self._part, again=True)
        lines = _line(recording.header) + b"".join(_line(row) for row in recording.rows.values())
        _write(self._path, gzip.compress(lines, mtime=0) if self._path.suffix == ".gz" else lines)
        self._part.unlink()
        self._file.close()


class RecordedBackend:
    """A `Backend` that gives a recording's answers, at once; what they took stands in their seconds.

    Raises `MissingRecording` for anything that was never asked.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        model = recording.header.model
        template = f"{recording.header.template}-{model.render}"
        self._identity = Identity("recorded", model.name, version=model.sha256, template=template)

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def counted(self) -> bool:
        """Whether the tokens of every answer are known."""
        return all(None not in (row.input_tokens, row.output_tokens) for row in self._recording.rows.values())

    async def complete(self, request: Request) -> Completion:
        """The whole answer."""
        return self._completion(request)

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in a few pieces."""
        completion = self._completion(request)
        for piece in _pieces(completion.text):
            yield piece
        yield completion

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def _completion(self, request: Request) -> Completion:
        key = recording_key(request)
        row = self._recording.rows.get(key)
        if row is None:
            header = self._recording.header
            raise MissingRecording(
                f"the recording of {header.model.name} on workload {header.workload!r} has no answer to this prompt "
                f"(key {key[:12]}); run: crossover record --workload {header.workload} --model {header.model.name}"
                + (f" --samples {request.sample + 1}" if request.temperature else "")
            )
        return Completion(
            row.text,
            self._identity.model,
            Usage(row.input_tokens, row.output_tokens),
            row.finish_reason,
            row.logprobs,
            first_token_s=row.first_token_s,
            seconds=row.seconds,
            timing="unknown" if row.seconds is None else "recorded",
        )


def _pieces(text: str) -> list[str]:
    size = -(-len(text) // STREAM_PIECES)
    return [text[start : start + size] for start in range(0, len(text), size)] if text else []


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _line(entry: Header | Row) -> bytes:
    return canonical_json(entry.model_dump(mode="json", by_alias=True)).encode() + b"\n"


def _parsed(kind: type[Entry], path: Path, number: int, line: bytes) -> Entry:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the line"
        raise BadInput(
            f"{path} line {number}: {field}: {first['msg']}; correct it, or delete the line and record again"
        ) from None


def _content(path: Path) -> bytes:
    try:
        return contents(path, DATA_BYTES)
    except FileNotFoundError:
        raise BadInput(f"{path} is not there; make it with: crossover record") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error}); move it away and record again") from None


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as out:
        out.write(content)


def _lock(file: IO[bytes], path: Path) -> None:
    """Keep others from writing the same recording, where the system has such locks; they end with the process."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise BadInput(f"{path} is being written by another process; wait for it, or stop it") from None


def _cut_half_line(path: Path) -> bool:
    """Take away what an interrupted write left after the last whole line; False where nothing whole is left."""
    content = contents(path, DATA_BYTES)
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        _write(path, content[:whole])
    return whole > 0

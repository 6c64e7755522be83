"""Answers that real models gave, kept in a file and given again.

A recording is JSON Lines, gzipped where its name ends in `.gz`. The first line is a `Header`: which weights answered,
how they were asked, on what machine and whether they had it to themselves. Every other line is a `Row`: one completion
under the `recording_key` of its request. Times are handed on only where the header says that nothing else was running;
elsewhere they are not known. `benchmarks/record.py` makes recordings.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import zlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from shared.contract import TEMPLATE_VERSION, Completion, FinishReason, Identity, Request, Usage, canonical_json
from shared.errors import BadInput, MissingRecording
from shared.files import replacing

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
    render: str = "chat"


class Machine(_Strict):
    cpu: str
    cores: int
    system: str


class Header(_Strict):
    """Where a recording comes from.

    `alone` tells whether the model had the machine to itself, `other_load` how many cores other processes kept busy at
    worst; both are None where nobody measured. `load_rows` is how many rows they speak for: a run that was killed
    leaves some unwatched. `sampling` and `settings` are for readers: what an answer depends on is in each row's key.
    """

    schema_: Literal["crossover-recording/1"] = Field(alias="schema")
    model: RecordedModel
    template: str = TEMPLATE_VERSION
    workload: str
    sampling: dict[str, JsonValue] = {}
    settings: dict[str, JsonValue] = {}
    machine: Machine | None = None
    packages: dict[str, str] = {}
    date: str = ""
    alone: bool | None = None
    other_load: Seconds | None = None
    load_rows: Tokens | None = None

    def same_source(self, other: Header) -> bool:
        """Whether rows under both belong in one file: all but the date and the load is equal."""
        blank = {"date": "", "alone": None, "other_load": None, "load_rows": None}
        return self.model_copy(update=blank) == other.model_copy(update=blank)


class Row(_Strict):
    """One completion. `key` is its request's, `id` the workload item's; `logprobs` have four digits."""

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
        """Whether its seconds mean something: every row was recorded with nothing else running."""
        covered = self.header.load_rows
        return self.header.alone is True and (covered is None or len(self.rows) <= covered)


def recording_key(request: Request) -> str:
    """SHA-256 over all that the model sees and how it is rendered: equal keys are equal questions."""
    asked = canonical_json({"prompt": request.prompt(), "template": TEMPLATE_VERSION})
    return hashlib.sha256(asked.encode()).hexdigest()


def read_recording(path: Path) -> Recording:
    """Read and check every line. Raises `BadInput` naming file, line, field and remedy."""
    lines = _content(path).split(b"\n")
    if lines[-1]:
        raise BadInput(f"{path} line {len(lines)} is cut off; record again to continue the file, or delete that line")
    if len(lines) == 1:
        raise BadInput(f"{path} is empty; a recording starts with a header line (schema {SCHEMA})")
    header = _parsed(Header, path, 1, lines[0])
    if header.template != TEMPLATE_VERSION:
        raise BadInput(f"{path}: template is {header.template!r}, now it is {TEMPLATE_VERSION!r}; record again")
    rows: dict[str, Row] = {}
    for number, line in enumerate(lines[1:-1], 2):
        row = _parsed(Row, path, number, line)
        if row.key in rows:
            first = list(rows).index(row.key) + 2
            raise BadInput(f"{path} line {number}: key is the same as in line {first}; delete one of them")
        rows[row.key] = row
    return Recording(header, rows)


class RecordingWriter:
    """Adds completions to a recording, each flushed at once; goes on with a file that an earlier run left unfinished.

    `keys` are those already in it. While it is open a gzipped recording lives beside its place as plain text. Use it
    as a context manager. Raises `BadInput` where the file there is of another model, machine or workload.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._plain = path.with_suffix("") if path.suffix == ".gz" else path
        self._header = header
        self._fresh = True
        self.keys: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        if not self._plain.exists() and path.exists():
            _write(self._plain, _content(path))
        if self._plain.exists() and _cut_half_line(self._plain):
            self._continue(read_recording(self._plain))
        else:
            _write(self._plain, _line(header))
        self._file: IO[bytes] = self._plain.open("ab")

    def _continue(self, earlier: Recording) -> None:
        if not earlier.header.same_source(self._header):
            raise BadInput(
                f"{self._path} was recorded from another source (model, template, workload, settings, machine or "
                "package versions differ); write to another file, or move this one away"
            )
        alone = earlier.header.alone if earlier.timed or not earlier.header.alone else None
        self._header = earlier.header.model_copy(update={"alone": alone})
        self.keys, self._fresh = set(earlier.rows), not earlier.rows

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    @property
    def header(self) -> Header:
        return self._header

    def add(self, key: str, completion: Completion, item_id: str | None = None) -> None:
        """Append one completion. Raises `BadInput` where that key is in the file already."""
        if key in self.keys:
            raise BadInput(f"{self._path} has an answer under key {key} already; ask only what is not in `keys`")
        row = Row(
            key=key,
            id=item_id,
            text=completion.text,
            finish_reason=completion.finish_reason,
            input_tokens=completion.usage.input_tokens,
            output_tokens=completion.usage.output_tokens,
            logprobs=completion.logprobs and tuple(min(0.0, round(each, 4)) for each in completion.logprobs),
            first_token_s=_rounded(completion.first_token_s),
            seconds=_rounded(completion.seconds),
        )
        self._file.write(_line(row))
        self._file.flush()
        self.keys.add(key)

    def note_load(self, other_load: float | None, *, alone: bool) -> None:
        """Say in the header how busy the machine was since the last note, by writing the file anew.

        The worst note stands: the file counts as recorded alone only where every note says so, and an earlier run that
        left none counts as unknown.
        """
        before = self._header
        known = [load for load in (before.other_load, other_load) if load is not None]
        note = {
            "alone": before.alone if alone and not self._fresh else alone,
            "other_load": round(max(known), 4) if known else None,
            "load_rows": len(self.keys),
        }
        self._header, self._fresh = before.model_copy(update=note), False
        self._file.close()
        rows = self._plain.read_bytes().split(b"\n", 1)[1]
        _write(self._plain, _line(self._header) + rows)
        self._file = self._plain.open("ab")

    def close(self) -> None:
        """Bring the file to its place; gzipped there where its name says so."""
        self._file.close()
        if self._plain != self._path and self._plain.exists():
            _write(self._path, gzip.compress(self._plain.read_bytes(), mtime=0))
            self._plain.unlink()


class RecordedBackend:
    """A `Backend` that gives a recording's answers. Raises `MissingRecording` for anything that was never asked.

    With `pace` the recorded seconds pass before an answer is there, on the loop's clock: virtual time works too. That
    needs a recording whose times are known.
    """

    def __init__(self, recording: Recording, *, pace: bool = False) -> None:
        self._recording = recording
        self._pace = pace
        self._timed = recording.timed
        model = recording.header.model
        if pace and not self._timed:
            raise BadInput(
                f"the recording of {model.name} was not made alone on its machine, so its seconds cannot be replayed; "
                "record it again with nothing else running, or turn pace off"
            )
        template = f"{recording.header.template}-{model.render}"
        self._identity = Identity("recorded", model.name, version=model.sha256, template=template)

    @property
    def identity(self) -> Identity:
        return self._identity

    async def complete(self, request: Request) -> Completion:
        """The whole answer."""
        completion = self._completion(request)
        if self._pace:
            await asyncio.sleep(completion.seconds or 0.0)
        return completion

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """The answer in a few pieces, evenly spread between first token and end where it keeps the pace."""
        completion = self._completion(request)
        pieces = _pieces(completion.text)
        first_s, seconds = completion.first_token_s or 0.0, completion.seconds or 0.0
        for index, piece in enumerate(pieces):
            if self._pace:
                await asyncio.sleep(first_s if index == 0 else (seconds - first_s) / len(pieces))
            yield piece
        if self._pace:
            await asyncio.sleep((seconds - first_s) / len(pieces) if pieces else seconds)
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
            )
        return Completion(
            row.text,
            self._identity.model,
            Usage(row.input_tokens, row.output_tokens),
            row.finish_reason,
            row.logprobs,
            first_token_s=row.first_token_s if self._timed else None,
            seconds=row.seconds if self._timed else None,
            timing="recorded" if self._timed else "unknown",
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
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except FileNotFoundError:
        raise BadInput(f"{path} is not there; make it with: crossover record") from None
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read ({error}); record again") from None


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as out:
        out.write(content)


def _cut_half_line(path: Path) -> bool:
    """Take away what an interrupted write left after the last whole line; False where nothing whole is left."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        _write(path, content[:whole])
    return whole > 0

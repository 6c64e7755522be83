"""Rows out of other people's files: CSV, JSON Lines, JSON, Parquet. One at a time, however long the file is.

A row that cannot be read is given as `Bad`, with its reason, and the next one follows; what makes the whole file
useless is a `BadInput`. Reasons never hold what a cell says: they end up on screens and in logs.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from benchmarks.strict_json import loads
from shared.errors import BadInput

MAX_COLUMNS: Final = 10_000
MAX_LINE: Final = 16 << 20
"""Characters of one line of CSV and of one cell, bytes of one line of JSON."""
MAX_JSON_FILE: Final = 512 << 20
"""Bytes of a `.json` file: an array can only be read whole."""
TRANSPOSED: Final = "is it transposed? One row a question is needed"
SHOWN: Final = 10
"""Rejected rows that are told on the screen."""
MAX_DEPTH: Final = 20
"""Levels of nested objects whose fields are columns."""
PEEK: Final = 100
"""Rows that tell which columns there are, where no header does."""

SEPARATORS: Final = (",", ";", "\t", "|")
NOT_UTF_8: Final = "bytes that are not UTF-8; save the file as UTF-8, e.g. iconv -f latin1 -t utf-8 FILE"

FOREIGN: Final = {
    b"\xff\xfe": "UTF-16; save it as UTF-8",
    b"\xfe\xff": "UTF-16; save it as UTF-8",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"PK\x03\x04": "a zip archive or a spreadsheet; save the table as CSV in UTF-8",
    b"PAR1": "Parquet; give it the ending .parquet",
}


class Bad(NamedTuple):
    """A row that cannot be used, why, and what it was."""

    reason: str
    raw: Any


Row = tuple[int, Mapping[str, Any] | Bad]


@dataclass(frozen=True, slots=True)
class Table:
    """A file's columns and its rows, each with its number: the line it starts in, or its place among the rows.

    Columns of nested objects have dotted names.
    """

    columns: tuple[str, ...]
    rows: Iterator[Row]
    unit: str = "line"


@dataclass(slots=True)
class Tally:
    """What became of each row of `source`. Rejected ones are written to `file`, the first of them told on stderr.

    With `strict` none may be rejected.
    """

    source: Path
    file: Path
    unit: str
    strict: bool
    rows: int = 0
    items: int = 0
    duplicates: int = 0
    skipped: int = 0
    rejected: int = 0
    _out: IO[str] | None = None

    def reject(self, number: int, bad: Bad) -> None:
        self.rejected += 1
        if self.rejected <= SHOWN:
            print(f"{self.unit} {number}: {bad.reason}", file=sys.stderr)
        elif self.rejected == SHOWN + 1:
            print("and more", file=sys.stderr)
        if self._out is None:
            self._out = self.file.open("w", encoding="utf-8")
        try:
            raw = json.dumps(bad.raw, default=str)
        except (ValueError, TypeError, RecursionError):
            raw = '"not to be written as JSON"'
        self._out.write(f'{{"{self.unit}": {number}, "reason": {json.dumps(bad.reason)}, "row": {raw}}}\n')

    def check(self) -> None:
        """Once all rows were read. Raises `BadInput` where they are not to be used."""
        if not self.rows:
            raise BadInput(f"{self.source} holds no rows; nothing was written")
        if self.strict and self.rejected:
            raise BadInput(
                f"{self.source}: {self.rejected:,} of {self.rows:,} rows cannot be used; nothing was written (--strict)"
            )
        if not self.items:
            raise BadInput(f"{self.source}: none of its {self.rows:,} rows can be used; nothing was written")

    def close(self) -> None:
        if self._out:
            self._out.close()


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """Open a table by its ending. Raises `BadInput` where it is no such table."""
    readers = {".csv": _csv, ".tsv": _csv, ".jsonl": _lines, ".ndjson": _lines, ".json": _array, ".parquet": _parquet}
    reader = readers.get(path.suffix.lower())
    if path.is_dir():
        raise BadInput(f"{path} is a directory; name a file")
    with ExitStack() as closing:
        try:
            file = closing.enter_context(path.open("rb"))
            if reader is None:
                raise BadInput(f"{path}: the ending {path.suffix!r} is unknown; use one of {', '.join(readers)}")
            start = file.read(4)
            if not start:
                raise BadInput(f"{path} is empty; it holds no rows")
            for mark, what in FOREIGN.items():
                if start.startswith(mark) and reader is not _parquet:
                    raise BadInput(f"{path} is {what}")
            file.seek(0)
            table = reader(path, file)
        except FileNotFoundError:
            raise BadInput(f"{path} is missing") from None
        except OSError as error:
            raise _unreadable(path, error) from None
        yield replace(table, rows=_readable(path, table.rows))


def _readable(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; a failure to read them is told from a failure to write what they become."""
    try:
        yield from rows
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> BadInput:
    return BadInput(f"{path} cannot be read ({error.strerror or _brief(error)})")


def value(fields: Mapping[str, Any], column: str) -> Any:
    """A cell by its column's name, dotted for nested objects; None where it is missing."""
    if column in fields or "." not in column:
        return fields.get(column)
    found: Any = fields
    for part in column.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def _csv(path: Path, file: IO[bytes]) -> Table:
    lines = _decoded(path, file)
    first = next(lines)
    cells = {each: _cells(first, each) for each in (["\t"] if path.suffix.lower() == ".tsv" else SEPARATORS)}
    separator = max(cells, key=lambda each: cells[each])
    if cells[separator] > MAX_COLUMNS:
        raise BadInput(f"{path} has {cells[separator]:,} columns, more than {MAX_COLUMNS:,}; {TRANSPOSED}")
    limit = csv.field_size_limit()
    taken: list[str] = []
    reader = csv.reader(_noted(chain([first], lines), taken), delimiter=separator, strict=True)
    rows = _csv_rows(path, reader, taken, limit)
    header = next(rows, (1, Bad("", None)))[1]
    if isinstance(header, Bad) or not any(name.strip() for name in header):
        raise BadInput(f"{path}: no column names; the first line must name the columns")
    if "\0" in (names := "".join(header)) or _broken(names):
        coding = "utf-16le" if "\0" in names else "latin1"
        raise BadInput(
            f"{path}: the column names are not UTF-8; save it as UTF-8, e.g. iconv -f {coding} -t utf-8 {path}"
        )
    name, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise BadInput(f"{path}: {times} columns are called {name!r}; rename them")
    return Table(tuple(header), _checked(rows, header))


def _cells(line: str, separator: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=separator), []))
    except csv.Error:  # a cell beyond the csv module's limit
        return 1


def _decoded(path: Path, file: IO[bytes]) -> Iterator[str]:
    """Lines as text, ending in LF, CRLF or CR. Bytes that are not UTF-8 become lone surrogates, so that their row can
    be told from the rest."""
    number = 0
    with TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="") as text:
        while line := text.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise BadInput(f"{path} line {number} is longer than {MAX_LINE >> 20} MiB; this is no table in CSV")
            yield line


def _noted(lines: Iterator[str], taken: list[str]) -> Iterator[str]:
    for line in lines:
        taken.append(line)
        yield line


def _csv_rows(path: Path, reader: Any, taken: list[str], limit: int) -> Iterator[tuple[int, list[str] | Bad]]:
    """(line, cells). `taken` are the lines of the row. The csv module's limit is one for the process."""
    csv.field_size_limit(MAX_LINE)
    start = 1
    try:
        while True:
            taken.clear()
            try:
                cells: list[str] | Bad = next(reader)
            except csv.Error as error:
                reason = str(error)
                cells = Bad(f"a quote in the wrong place ({reason})", "".join(taken))
                if "limit" in reason or "end of data" in reason:
                    raise BadInput(
                        f"{path} line {start}: a cell that starts here is longer than {MAX_LINE >> 20} MiB or never "
                        "ends; is a quote left open?"
                    ) from None
            except StopIteration:
                return
            if cells:  # a blank line is no row
                yield start, cells
            start = reader.line_num + 1
    finally:
        csv.field_size_limit(limit)


def _checked(rows: Iterator[tuple[int, list[str] | Bad]], header: list[str]) -> Iterator[Row]:
    width = len(header)
    for number, cells in rows:
        if isinstance(cells, Bad):
            yield number, cells
        elif len(cells) != width:
            yield number, Bad(f"{len(cells)} columns, the header has {width}", cells)
        elif _broken("".join(cells)):
            yield number, Bad(NOT_UTF_8, cells)
        else:
            yield number, dict(zip(header, cells, strict=True))


def _broken(text: str) -> bool:
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _lines(path: Path, file: IO[bytes]) -> Table:
    return _peeked(path, _json_rows(path, file), "line")


def _json_rows(path: Path, file: IO[bytes]) -> Iterator[Row]:
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE:
            raise BadInput(f"{path} line {number} is longer than {MAX_LINE >> 20} MiB; this is no JSON Lines")
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.isspace() or not line:
            continue
        try:
            yield number, _object(loads(line.decode()))
        except UnicodeDecodeError:
            yield number, Bad(NOT_UTF_8, line.decode(errors="backslashreplace"))
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            yield number, Bad(f"not JSON ({reason})", line.decode())


def _object(row: Any) -> Mapping[str, Any] | Bad:
    return row if isinstance(row, dict) else Bad(f"a JSON object is needed, this is {type(row).__name__}", row)


def _array(path: Path, file: IO[bytes]) -> Table:
    if path.stat().st_size > MAX_JSON_FILE:
        raise BadInput(f"{path} is larger than {MAX_JSON_FILE >> 20} MiB; write it as JSON Lines, one object a line")
    try:
        rows = loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON in UTF-8 ({_brief(error)}); JSON Lines end in .jsonl") from None
    if not isinstance(rows, list):
        raise BadInput(f"{path} holds no array of rows; write JSON Lines, one object a line, and end it in .jsonl")
    return _peeked(path, ((number, _object(row)) for number, row in enumerate(rows, 1)), "row")


def _parquet(path: Path, file: IO[bytes]) -> Table:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError:
        raise BadInput("Parquet needs pyarrow; run: make dev (or install the extra: data)") from None

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in parquet.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, _undecimal(row) if decimals else row
        except (ArrowException, ValueError) as error:
            raise BadInput(f"{path} row {number + 1}: cannot be read ({_brief(error)})") from None

    try:
        parquet = ParquetFile(file)
    except (ArrowException, ValueError) as error:
        raise BadInput(f"{path} is no Parquet file ({_brief(error)})") from None
    if parquet.metadata.num_columns > MAX_COLUMNS:
        raise BadInput(f"{path} has {parquet.metadata.num_columns:,} columns, more than {MAX_COLUMNS:,}; {TRANSPOSED}")
    decimals = "decimal" in str(parquet.schema_arrow)
    return _peeked(path, rows(), "row", parquet.schema_arrow.names)


def _undecimal(cell: Any) -> Any:
    """The cell with plain numbers in the place of decimal ones."""
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, dict):
        return {name: _undecimal(each) for name, each in cell.items()}
    return [_undecimal(each) for each in cell] if isinstance(cell, list) else cell


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def _peeked(path: Path, rows: Iterator[Row], unit: str, known: Iterable[str] = ()) -> Table:
    """A table whose columns are those of its first rows."""
    first = list(islice(rows, PEEK))
    columns = dict.fromkeys(chain(known, *(_names(row) for _, row in first if not isinstance(row, Bad))))
    if not columns and not first:
        raise BadInput(f"{path} is empty; it holds no rows")
    if len(columns) > MAX_COLUMNS:
        raise BadInput(f"{path} has {len(columns):,} columns, more than {MAX_COLUMNS:,}; {TRANSPOSED}")
    return Table(tuple(columns), chain(first, rows), unit)


def _names(row: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, cell in row.items():
        yield f"{prefix}{name}"
        if isinstance(cell, dict) and prefix.count(".") < MAX_DEPTH:
            yield from _names(cell, f"{prefix}{name}.")

"""A trace of real traffic: when each request came, and how many tokens went in and came out.

Azure's traces of LLM inference are known by their header (TIMESTAMP, ContextTokens, GeneratedTokens); of any other
table the columns are named. CSV, JSON Lines, JSON or Parquet, by the file's ending. Nothing is sorted and nothing left
out: what cannot be used is refused, with its line.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.toml_source import nearest
from benchmarks.workloads.sources import Bad, opened, value
from shared.errors import BadInput

if TYPE_CHECKING:
    from numpy import float64, int64
    from numpy.typing import NDArray

AZURE: Final[Mapping[str, str]] = {"time": "TIMESTAMP", "input": "ContextTokens", "output": "GeneratedTokens"}
NAMES: Final = ("time", "time_ms", "input", "output")
MOST_TOKENS: Final = 10**9
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Trace:
    """`times_s` in seconds from the first request; tokens of each, None where the file does not tell."""

    file: Path
    times_s: NDArray[float64]
    input_tokens: NDArray[int64] | None
    output_tokens: NDArray[int64] | None

    @property
    def rate(self) -> float | None:
        """Requests a second on average; None where all came at once."""
        length_s = float(self.times_s[-1])
        return (len(self.times_s) - 1) / length_s if length_s else None

    def replay(self, count: int | None = None, rate: float | None = None) -> Trace:
        """The first `count` requests, and over again where there are fewer, a mean gap after the last.

        With a `rate` all times are stretched to that many requests a second on average. Raises `BadInput` where the
        trace has no length to stretch or to go on after.
        """
        import numpy as np

        rows = len(self.times_s)
        wanted = rows if count is None else count
        if self.rate is None and (rate is not None or wanted > rows):
            raise BadInput(f"{self.file}: all its requests came at one time, so it has no rate; use --arrivals")
        times = self.times_s
        if wanted != rows:
            again = np.arange(wanted) // rows
            length_s = float(times[-1]) + 1 / self.rate if self.rate else 0.0
            times = np.resize(times, wanted) + again * length_s
        if rate is not None and self.rate is not None:
            times = times * (self.rate / rate)
        tokens = [None if each is None else np.resize(each, wanted) for each in (self.input_tokens, self.output_tokens)]
        return Trace(self.file, times, *tokens)


def columns_of(text: str) -> Mapping[str, str]:
    """What `--columns time=COL,input=COL,output=COL` says. Raises `BadInput`."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = (each.strip() for each in part.partition("="))
        if name not in NAMES or not equals or not column or name in found:
            raise BadInput(
                f"--columns holds {part.strip()!r}; write time=COL (seconds, or a date and time) or time_ms=COL "
                f"(milliseconds), and input=COL and output=COL where there are tokens{nearest(name, NAMES)}"
            )
        found[name] = column
    if ("time" in found) == ("time_ms" in found):
        raise BadInput("--columns needs one of time=COL and time_ms=COL")
    return found


def read(file: Path, columns: Mapping[str, str] | None = None) -> Trace:
    """The whole trace. `columns` as by `columns_of`; None: Azure's. Raises `BadInput` naming file and line."""
    import numpy as np

    times, inputs, outputs = array("d"), array("q"), array("q")
    with opened(file) as table:
        named = _columns(file, table.columns, columns)
        unit = "time_ms" if "time_ms" in named else "time"
        kind: type | None = None
        for number, row in table.rows:
            where = f"{file} {table.unit} {number}"
            if isinstance(row, Bad):
                raise BadInput(f"{where}: {row.reason}; correct or delete it")
            moment, this = _moment(value(row, named[unit]), f"{where}: {named[unit]}")
            if kind not in (None, this):
                raise BadInput(f"{where}: {named[unit]} is in another form than before; write all times alike")
            kind = this
            moment_s = moment / 1000 if unit == "time_ms" and this is float else moment
            if times and moment_s < times[-1]:
                raise BadInput(
                    f"{where}: {named[unit]} is earlier than in the row before; sort the file by it, and see whether "
                    "it is the time that requests came"
                )
            times.append(moment_s)
            for name, tokens in (("input", inputs), ("output", outputs)):
                if name in named:
                    tokens.append(_tokens(value(row, named[name]), f"{where}: {named[name]}"))
    if not times:
        raise BadInput(f"{file} has no rows; a trace needs one at least")
    moments = np.frombuffer(times)
    return Trace(
        file,
        moments - moments[0],
        np.frombuffer(inputs, "int64") if inputs else None,
        np.frombuffer(outputs, "int64") if outputs else None,
    )


def _columns(file: Path, there: tuple[str, ...], asked: Mapping[str, str] | None) -> Mapping[str, str]:
    if asked is None:
        if set(AZURE.values()) <= set(there):
            return AZURE
        raise BadInput(
            f"{file} has no columns {', '.join(AZURE.values())}; name its own: "
            f"--columns time=COL,input=COL,output=COL ({', '.join(there[:20])})"
        )
    for column in asked.values():
        if column not in there and column.partition(".")[0] not in there:
            raise BadInput(f"{file} has no column {column!r}{nearest(column, there)}; it has {', '.join(there[:20])}")
    return asked


def _moment(cell: Any, where: str) -> tuple[float, type]:
    """Seconds since any one moment, and what told them: a number, or a date and time."""
    if cell is None or cell == "":
        raise BadInput(f"{where} is missing; every request of a trace needs its time")
    with suppress(TypeError, ValueError):
        moment = math.nan if isinstance(cell, bool) else float(cell)
        if math.isfinite(moment):
            return moment, float
    try:
        when = cell if isinstance(cell, datetime) else datetime.fromisoformat(cell.strip())
    except (AttributeError, ValueError):
        raise BadInput(
            f"{where} is neither a number nor a date and time; write seconds or 2023-11-16 18:15:46.68"
        ) from None
    return (when.replace(tzinfo=when.tzinfo or UTC) - EPOCH) / timedelta(seconds=1), datetime


def _tokens(cell: Any, where: str) -> int:
    try:
        number = math.nan if isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        number = math.nan
    if not number.is_integer() or not 0 <= number <= MOST_TOKENS:
        raise BadInput(f"{where} is no number of tokens; write a whole number, 0 or more") from None
    return int(number)

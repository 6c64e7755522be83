"""The points of a map as they come, kept in a file so that a sweep that was cut short goes on where it stopped.

JSON Lines: first what was swept, then one point a line, flushed at once. A half line that a crash left is cut away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from shared.contract import canonical_json
from shared.errors import BadInput
from shared.files import DATA_BYTES, contents, make_writable, replacing

SCHEMA: Final = "crossover-sweep-points/1"
FILE: Final = "points.jsonl"
Place = tuple[float, float]
"""A point's value on either axis."""


class Points:
    """The points in `directory`, by place. Use as a context manager.

    Raises `BadInput` where there are points of another sweep, or something that is no point.
    """

    def __init__(self, directory: Path, parameters: Mapping[str, Any]) -> None:
        make_writable(directory)
        self._path = directory / FILE
        self.by_place: dict[Place, dict[str, Any]] = {}
        header = {"schema": SCHEMA, "parameters": dict(parameters)}
        if self._path.exists():
            self._read(header)
        else:
            with replacing(self._path) as file:
                file.write(_line(header))
        self._file: IO[bytes] = self._path.open("ab")

    def _read(self, header: Mapping[str, Any]) -> None:
        content = contents(self._path, DATA_BYTES)
        whole = content[: content.rfind(b"\n") + 1]
        lines = [_parsed(line) for line in whole.splitlines()]
        if not lines or lines[0] is None or lines[0].get("schema") != SCHEMA:
            raise BadInput(f"{self._path} is no file of points; name another directory with --out, or move it away")
        if canonical_json(lines[0]) != canonical_json(header):
            raise BadInput(
                f"{self._path} holds points of another sweep ({_difference(lines[0], header)} differs); name another "
                "directory with --out, or move it away"
            )
        for number, point in enumerate(lines[1:], 2):
            if point is None or not {"x", "y", "verdict", "quality", "cost", "p99"} <= set(point):
                raise BadInput(f"{self._path} line {number} is no point; delete that line to have it worked out again")
            self.by_place[point["x"], point["y"]] = point
        if len(whole) < len(content):
            with replacing(self._path) as file:
                file.write(whole)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def add(self, point: dict[str, Any]) -> None:
        """Keep one more point."""
        line = _line(point)
        self._file.write(line)
        self._file.flush()
        self.by_place[point["x"], point["y"]] = json.loads(
            line
        )  # as a later run reads it, down to the order of its keys


def _line(value: Mapping[str, Any]) -> bytes:
    return canonical_json(value).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    before, after = old.get("parameters"), new["parameters"]
    if not isinstance(before, dict):
        return "everything"
    return ", ".join(sorted(key for key in {*before, *after} if before.get(key) != after.get(key))) or "the schema"

"""A file that only grows: one JSON object a line, each on the disk before the next is asked for.

The first line says which run it is about. A line is one write, so that two who label at once do not mix theirs; one
that was cut off is passed over and counted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from shared.errors import BadInput
from shared.files import DATA_BYTES, contents


class Kept(NamedTuple):
    """The objects of a file in order, its head among them, and how many lines were damaged."""

    records: list[dict[str, Any]]
    damaged: int


def read(file: Path, expected: Mapping[str, Any]) -> Kept:
    """What is there; nothing where there is no file. Raises `BadInput` where its head says other than `expected`."""
    try:
        lines = contents(file, DATA_BYTES).split(b"\n")
    except FileNotFoundError:
        return Kept([], 0)
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); it must be a file that may be read") from None
    records, damaged = [], 0
    for line in filter(None, lines):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            records.append(record)
        else:
            damaged += 1
    for name, value in expected.items():
        if records and records[0].get(name) != value:
            raise BadInput(
                f"{file} belongs to other answers or another judge: its {name} is {records[0].get(name)!r}, here it is "
                f"{value!r}; move it away to begin anew"
            )
    return Kept(records, damaged)


def append(file: Path, record: Mapping[str, Any]) -> None:
    """Write one line through to the disk. A cut-off line before it is ended first. Raises `BadInput` if it cannot."""
    line = (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")
    try:
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line
            written = os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise BadInput(
            f"{file} cannot be written ({error.strerror}); the run's directory must be writable and its disk have room"
        ) from None
    if written < len(line):
        raise BadInput(f"{file} took only a part of a line; make room on the disk, then go on: the line is passed over")

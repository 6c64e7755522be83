"""Paired outcomes of a small and a large model, as counts: a row a group of questions that both models answered.

The shipped file holds counts over public per-question results, with where they are from in each row. A file of one's
own has the same columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shared.errors import BadInput
from shared.files import DATA_BYTES, contents

SHIPPED: Final = Path(__file__).parent / "outcomes.csv"
NAMES: Final = ("benchmark", "group", "small", "large")
NUMBERS: Final = ("both_right", "small_only", "large_only", "neither")
COLUMNS: Final = (*NAMES, "n", *NUMBERS, "source")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many questions which of the two models answered right. Whole where counted, not where modelled."""

    both_right: float
    small_only: float
    large_only: float
    neither: float

    @property
    def n(self) -> float:
        return self.both_right + self.small_only + self.large_only + self.neither

    @property
    def small(self) -> float:
        """The small model's share of right answers."""
        return (self.both_right + self.small_only) / self.n

    @property
    def large(self) -> float:
        return (self.both_right + self.large_only) / self.n


@dataclass(frozen=True, slots=True)
class Group:
    """One group of questions, and whose outcomes on it these are."""

    benchmark: str
    name: str
    small: str
    large: str
    counts: Counts
    source: str


def read(file: Path = SHIPPED, *, small: str = "", large: str = "") -> tuple[Group, ...]:
    """The groups of a CSV file whose models' names hold `small` and `large`, in any case.

    Raises `BadInput` naming file, line and column; where no group is left, the models that there are.
    """
    try:
        text = contents(file, DATA_BYTES).decode("utf-8-sig")
        groups = _groups(file, csv.DictReader(io.StringIO(text, newline=""), strict=True))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); name a CSV file of outcomes") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file} is not CSV in UTF-8 ({error})") from None
    wanted = [
        group
        for group in groups
        if small.casefold() in group.small.casefold() and large.casefold() in group.large.casefold()
    ]
    if not wanted:
        pairs = "; ".join(dict.fromkeys(f"{each.small} / {each.large}" for each in groups))
        raise BadInput(f"{file} has no group of small {small!r} and large {large!r}; it has (small / large): {pairs}")
    return tuple(wanted)


def pooled(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Each benchmark and pair of models that has several groups, as one: every question counts alike."""
    same: dict[tuple[str, str, str], list[Group]] = {}
    for group in groups:
        same.setdefault((group.benchmark, group.small, group.large), []).append(group)
    return tuple(
        Group(
            benchmark, f"all {len(parts)}", small, large,
            Counts(*(sum(getattr(part.counts, field) for part in parts) for field in Counts.__slots__)),
            "; ".join(dict.fromkeys(part.source for part in parts)),
        )
        for (benchmark, small, large), parts in same.items()
        if len(parts) > 1
    )  # fmt: skip


def _groups(file: Path, rows: csv.DictReader[str]) -> list[Group]:
    header = rows.fieldnames or []
    missing, unknown = [c for c in COLUMNS if c not in header], [c for c in header if c not in COLUMNS]
    if missing or unknown or len(header) != len(COLUMNS):
        wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(unknown) or 'one twice'}"
        raise BadInput(f"{file} line 1: the header {wrong}; the columns are {', '.join(COLUMNS)}")
    groups, seen = list[Group](), dict[tuple[str, ...], int]()
    for row in rows:
        where = f"{file} line {rows.line_num}"
        group = _group(row, where)
        first = seen.setdefault(tuple(row[name] for name in NAMES), rows.line_num)
        if first != rows.line_num:
            raise BadInput(f"{where}: the same group and models as in line {first}; delete one of them")
        groups.append(group)
    if not groups:
        raise BadInput(f"{file} has no groups; it needs a line for each under its header")
    return groups


def _group(row: Mapping[Any, Any], where: str) -> Group:
    if None in row or None in row.values():
        raise BadInput(f"{where}: not {len(COLUMNS)} cells; quote a cell that holds a comma")
    for name in (*NAMES, "source"):
        if not row[name].strip():
            raise BadInput(f"{where}: {name} is empty; say whose outcomes these are and where they are from")
    numbers = {name: _count(row[name], where, name) for name in ("n", *NUMBERS)}
    total = sum(numbers[name] for name in NUMBERS)
    if numbers["n"] != total:
        raise BadInput(f"{where}: n is {numbers['n']}, the four counts add up to {total}; correct them")
    if total < 2:
        raise BadInput(f"{where}: n is {total}; nothing can be said of fewer than 2 questions")
    counts = Counts(*(numbers[name] for name in NUMBERS))
    benchmark, name, small, large = (row[column].strip() for column in NAMES)
    return Group(benchmark, name, small, large, counts, row["source"].strip())


def _count(cell: str, where: str, column: str) -> int:
    if not (cell.strip().isascii() and cell.strip().isdigit()):
        raise BadInput(f"{where}: {column} is {cell!r}; it must be a whole number, 0 or more")
    return int(cell)

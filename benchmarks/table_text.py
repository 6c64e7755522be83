"""Tables of figures as text: Markdown for a page, aligned columns for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A title, what the reader must know of the figures, a head and rows of as many cells."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def markdown(tables: Sequence[Table]) -> str:
    """Headings of the third level, a note and a table under each."""
    parts = []
    for table in tables:
        lines = (table.head, ["---"] * len(table.head), *table.rows)
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"### {table.title}\n\n{table.note}\n\n{body}")
    return "\n\n".join(parts)


def columns(tables: Sequence[Table]) -> str:
    """The same in columns."""
    parts = []
    for table in tables:
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in (table.head, *table.rows)]
        parts.append("\n".join((table.title, table.note, "", *lines)))
    return "\n\n".join(parts)

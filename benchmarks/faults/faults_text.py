"""The fault matrix as text: the sentences first, then a table for each part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from benchmarks import table_text
from benchmarks.faults.catalogue import BY_NAME
from benchmarks.faults.cell import Cell
from benchmarks.table_text import Table

TITLES: Final = {
    "backend": "Faults of a model",
    "cache": "Faults of the cache",
    "classifier": "Faults of the classifier",
    "process": "The process and its clients",
}
HEAD: Final = (
    "fault", "where", "well", "degraded", "failed", "wrong", "undetected", "lost", "late", "p99 s", "slowest s",
)  # fmt: skip


def text(found: Mapping[str, Any], cells: Sequence[Cell], *, markdown: bool) -> str:
    """Sentences and tables. `found` is the document of these cells."""
    traffic = found["traffic"]
    note = (
        f"Shares of the requests sent while the fault lasted ({traffic['during']} a seed in virtual time; seeds from "
        f"{found['seed']} on, {found['seeds']} in all)."
    )
    tables = []
    for part, title in TITLES.items():
        for played in ("virtual", "wire", "process"):
            of_part = [cell for cell in cells if BY_NAME[cell.fault].part == part and cell.played == played]
            if of_part:
                said = f"{note} How: {found['standing'][played]}."
                tables.append(Table(f"{title} ({played})", said, HEAD, list(_rows(of_part, found))))
    form = table_text.markdown if markdown else table_text.columns
    return "\n".join(f"- {sentence}" for sentence in found["words"]) + "\n\n" + form(tables)


def _rows(cells: Iterable[Cell], found: Mapping[str, Any]) -> Iterable[Sequence[str]]:
    fault = ""
    for cell in cells:
        if cell.fault != fault:
            fault = cell.fault
            for arm in found["not_there"].get(fault, ()):
                yield (fault, f"{arm}: not there", *[""] * (len(HEAD) - 2))
        yield (
            fault,
            f"{cell.arm}: {cell.place}" + (f", {cell.at_once} at once" if cell.at_once else ""),
            _share(cell.well, cell),
            _share(cell.degraded, cell),
            ", ".join(
                f"{_share(count, cell)} {what}" for what, count in [*cell.failed.items(), ("left", cell.left)] if count
            ),
            *(str(count) for count in (cell.wrong, cell.undetected, cell.lost, cell.late)),
            _seconds(cell.p99_s),
            _seconds(cell.slowest_s),
        )


def _share(count: int, cell: Cell) -> str:
    return f"{count / cell.requests:.0%}" if cell.requests else "none sent"


def _seconds(value: float | None) -> str:
    return "too few" if value is None else f"{value:.3f}"

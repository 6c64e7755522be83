"""Small directories as compare writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report.document import write_rows
from tests.rows import row


def write(directory: Path, *answers: tuple[str, str | None, str | None], **fields: Any) -> Path:
    """Questions by (item, legacy's text, direct's text), in this order; no reference unless one is given."""
    rows = []
    for number, (item, *texts) in enumerate(answers):
        for arm, text in zip(("legacy", "direct"), texts, strict=True):
            given = {"score": None, "reference": None, "text": text} | fields
            rows.append(row(arm, number, item, **given))  # type: ignore[arg-type]
    write_rows(directory, rows)
    return directory


def differing(directory: Path, count: int, equal: int = 0) -> Path:
    answers = [(f"q{number}", f"old {number}", f"new {number}") for number in range(count)]
    return write(directory, *answers, *((f"e{number}", "yes", "Yes.") for number in range(equal)))

"""What a run left in its directory, read for the page. It asks nobody and writes nothing; next is `page.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import strict_json
from benchmarks.report.document import COUNTERFACTUALS, SCHEMA, read_rows
from shared.errors import BadInput
from shared.files import SETTINGS_BYTES, contents

AGAIN: Final = "run crossover compare again"
PARTS: Final = ("provenance", "maintenance", "quality", "latency", "cost", "faults", "verdict", "standing", "gates")


@dataclass(frozen=True, slots=True)
class Run:
    """`rows` and `counterfactuals` are documents as in `requests.jsonl`; of the latter none where there is no file.

    `directory` is where they came from, for the files of other commands that may lie beside them.
    """

    report: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    counterfactuals: Sequence[Mapping[str, Any]]
    directory: Path


def read_run(directory: Path) -> Run:
    """The run in a directory. Raises `BadInput` where its files are missing or cannot be read."""
    beside = directory / COUNTERFACTUALS
    return Run(
        report=read_report(directory / "report.json"),
        rows=read_rows(directory / "requests.jsonl"),
        counterfactuals=read_rows(beside) if beside.is_file() and beside.stat().st_size else (),
        directory=directory,
    )


def read_report(file: Path) -> Mapping[str, Any]:
    """The figures of a run. Raises `BadInput` where they are missing or cannot be read."""
    try:
        report = strict_json.loads(contents(file, SETTINGS_BYTES))
    except OSError as error:
        raise BadInput(f"{file} cannot be read ({error.strerror}); {AGAIN}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{file} is no JSON ({error}); {AGAIN}") from None
    if not isinstance(report, dict) or report.get("schema") != SCHEMA:
        found = report.get("schema") if isinstance(report, dict) else None
        raise BadInput(f"{file}: `schema` is {found!r}, not {SCHEMA!r}; {AGAIN}")
    if missing := [part for part in PARTS if part not in report]:
        raise BadInput(f"{file} lacks `{missing[0]}`; {AGAIN}")
    return report

"""`crossover import`: other people's files become a workload with recordings, or a log, and a scenario that runs.

A table of questions becomes a workload (`from_table.py`), a gateway's log one in our format (`logs.py`). Every row read
becomes an entry, or is counted (exact duplicates, what is no model call), or is set aside with its reason in
`rejected.ndjson`; `.jsonl` files are a workload's items.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from benchmarks.workloads import from_table, logs
from benchmarks.workloads.from_table import Columns
from benchmarks.workloads.sources import Tally, opened
from shared.errors import BadInput

REJECTED: Final = "rejected.ndjson"


def run(file: Path, out: Path | None, columns: Columns, source: logs.Source | None, *, strict: bool) -> int:
    """Import a file into the folder `out` (default: the file's stem, here). Raises `BadInput`, then nothing is written.

    `source` says that it is such a log; without it and without columns, a log is known by its fields.
    """
    out = out or Path(file.stem)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise BadInput(f"{out} is there already; name another folder with --out, or move it away")
    with (
        opened(file) as table,
        _building(out) as folder,
        closing(Tally(file, folder / REJECTED, table.unit, strict)) as tally,
    ):
        if source is None and columns == Columns():
            if source := logs.recognised(table, file):
                print(f"{file} has the fields of a {source} log and is read as one", file=sys.stderr)
            else:
                table = logs.refuse_textless(table, file)
        if source:
            if columns != Columns():
                raise BadInput("a log's fields are known by name; leave out --from, or the options that name columns")
            notes = logs.write(table, source, folder, tally)
        else:
            notes = from_table.write(table, file, columns, folder, out.name, tally)
        (folder / "scenario.toml").write_text(
            logs.scenario(file.name) if source else from_table.scenario(file.name, columns, tally), encoding="utf-8"
        )
    words = [f"{tally.items:,} {'log entries' if source else 'items'}", f"{tally.duplicates:,} exact duplicates"]
    words += [f"{tally.skipped:,} that are no model calls"] * bool(source)
    print(
        f"{tally.rows:,} rows: {', '.join(words)}, {tally.rejected:,} rejected"
        + (f", see {out / REJECTED}" if tally.rejected else "")
    )
    print("\n".join([*notes, f"written: {out}"]))
    if {"small", "large"} <= columns.answers.keys():
        print(f"to route questions: crossover classifier train --workload {out} --small small --large large")
    print(f"next: crossover compare {out / 'scenario.toml'}")
    return 0


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place once the block ends well, and vanishes if it does not."""
    try:
        folder = Path(tempfile.mkdtemp(dir=out.absolute().parent, prefix=f".{out.name}."))
    except OSError as error:
        raise BadInput(f"--out {out} cannot be written ({error.strerror}); name a folder that can") from None
    try:
        yield folder
        mask = os.umask(0)  # it can only be read by setting it
        os.umask(mask)
        folder.chmod(0o777 & ~mask)
        folder.replace(out)
    except OSError as error:
        raise BadInput(f"{error.filename or out} cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)

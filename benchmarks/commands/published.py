"""`crossover published`: the hard-wired model itself against larger ones, on outcomes that others have published."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands, own_hardware, table_form


def add(commands: Commands) -> None:
    """Add the sub-command."""
    published = commands.add_parser("published", help="the hard-wired 8B against larger models, on published outcomes")
    published.add_argument("--small", default="", metavar="M", help="only groups whose small model's name holds this")
    published.add_argument("--large", default="", metavar="M", help="only groups whose large model's name holds this")
    published.add_argument(
        "--hardware", nargs="+", default=["hc1"], metavar="ID", help="rows that serve the small model (default: hc1)"
    )
    published.add_argument("--outcomes", type=Path, metavar="FILE", help="a CSV of your own with the same columns")
    own_hardware(published)
    table_form(published)
    published.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import table_text
    from benchmarks.published import counts
    from benchmarks.published.measure import measure
    from benchmarks.published.text import tables

    document = measure(
        outcomes=args.outcomes or counts.SHIPPED,
        small=args.small,
        large=args.large,
        hardware=args.hardware,
        files=args.file,
    )
    if args.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        show = table_text.markdown if args.markdown else table_text.columns
        print(show(tables(document)))
    return 0

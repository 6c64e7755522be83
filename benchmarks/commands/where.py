"""`crossover where`: what client libraries and pipelines add to an answer, beside how long it takes."""

from __future__ import annotations

import argparse

from benchmarks.commands import Commands


def add(commands: Commands) -> None:
    """Adds the sub-command."""
    parser = commands.add_parser("where", help="what client libraries and pipelines add to an answer")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print the figures as JSON")
    shown.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import where

    document = where.where()
    if args.json:
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        print(where.markdown(document) if args.markdown else where.text(document))
    return 0

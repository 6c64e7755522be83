"""`crossover votes`: quality, latency and cost of a majority of N samples, beside one greedy answer."""

from __future__ import annotations

import argparse

from benchmarks.commands import Commands, own_hardware, table_form


def add(commands: Commands) -> None:
    """Add the sub-command."""
    votes = commands.add_parser("votes", help="what a majority of N samples of the direct model brings and costs")
    own_hardware(votes)
    table_form(votes)
    votes.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import table_text, votes

    document = votes.measure(files=args.file)
    if args.json:
        print(json.dumps(document, indent=1, allow_nan=False))
    else:
        show = table_text.markdown if args.markdown else table_text.columns
        print(show(votes.tables(document)))
    return 0

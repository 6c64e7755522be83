"""`crossover report`: the page of a run, made again from what the run left in its directory."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands


def add(commands: Commands) -> None:
    """Add the sub-command."""
    report = commands.add_parser("report", help="make report.html again from a run's report.json and rows")
    report.add_argument("directory", type=Path, metavar="DIR", help="a directory that compare wrote")
    report.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from benchmarks.report.html import page

    print(page.write(args.directory))
    return 0

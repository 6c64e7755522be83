"""`crossover calibrate`: what the pipelines' own code takes on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands


def add(commands: Commands) -> None:
    """Add `calibrate`."""
    parser = commands.add_parser("calibrate", help="measure what the pipelines' own code takes on this machine")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the profile there, for [latency] overhead")
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from benchmarks import calibrate

    return calibrate.run(args.out, as_json=args.json)

"""`crossover hardware`: what the catalogue knows, one entry in full, and whether a file of one's own can be read."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.commands import Commands


def add(commands: Commands) -> None:
    """Add `hardware list`, `hardware show` and `hardware check`."""
    hardware = commands.add_parser("hardware", help="what is known of the hardware that models can run on")
    actions = hardware.add_subparsers(metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="every entry with its figures and who says so")
    listing.add_argument("files", nargs="*", type=Path, metavar="FILE", help="entries of your own, in TOML")
    form = listing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print every figure with source and date as JSON")
    form.add_argument("--markdown", action="store_true", help="print the tables of docs/hardware.md")
    listing.set_defaults(run=_list)

    show = actions.add_parser("show", help="one entry: each figure with source and date, and what is assumed for it")
    show.add_argument("id", metavar="ID")
    show.add_argument("files", nargs="*", type=Path, metavar="FILE", help="entries of your own, in TOML")
    show.add_argument("--json", action="store_true", help="print it as JSON")
    show.set_defaults(run=_show)

    check = actions.add_parser("check", help="read files of your own and say what they leave unknown")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(run=_check)


def _list(args: argparse.Namespace) -> int:
    from benchmarks import hardware

    if args.json:
        print(hardware.as_json(args.files))
    else:
        print(hardware.markdown(args.files) if args.markdown else hardware.table(args.files))
    return 0


def _show(args: argparse.Namespace) -> int:
    from benchmarks import hardware

    print(hardware.one_as_json(args.id, args.files) if args.json else hardware.one(args.id, args.files))
    return 0


def _check(args: argparse.Namespace) -> int:
    from benchmarks import hardware

    print(hardware.check(args.files))
    return 0

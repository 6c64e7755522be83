"""`crossover usecases`: uses that become worth it when answers are fast and cheap."""

from __future__ import annotations

import argparse

from benchmarks.commands import Commands, own_hardware, table_form


def add(commands: Commands) -> None:
    """The sub-command."""
    parser = commands.add_parser(
        "usecases", help="uses that become worth it: coverage, cost, quality, and at what price"
    )
    parser.add_argument(
        "--hardware", action="extend", nargs="+", default=[], metavar="ID", help="rows of the catalogue (default: all)"
    )
    parser.add_argument(
        "--assume", action="append", default=[], type=_assumption, metavar="NAME=VALUE",
        help="your own figure in place of an assumption, such as moderation.value_usd=0.2 (repeatable)",
    )  # fmt: skip
    own_hardware(parser)
    table_form(parser)
    parser.set_defaults(run=_run)


def _assumption(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        if equals:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE with a number as its value")


def _run(args: argparse.Namespace) -> int:
    import json

    from benchmarks import usecases, usecases_text

    found = usecases.measure(args.hardware, dict(args.assume), files=args.file)
    print(json.dumps(found, indent=1) if args.json else usecases_text.text(found, markdown=args.markdown))
    return 0

"""One light module per sub-command: `add` gives it to the parser, `_run` imports what it needs when it runs.

Here stands what several of them share.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

NAMES = (
    "report",
    "diff",
    "rerun",
    "load",
    "where",
    "sweep",
    "usecases",
    "votes",
    "published",
    "hardware",
    "emulate",
    "calibrate",
    "maintenance",
    "drills",
    "faults",
)
"""In the order in which `--help` shows them."""


def count(text: str) -> int:
    """A whole number, 1 or more."""
    return _least(text, 1)


def seed(text: str) -> int:
    """A whole number, 0 or more."""
    return _least(text, 0)


def _least(text: str, least: int) -> int:
    number = int(text) if text.removeprefix("-").isdecimal() and text.isascii() else least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number, {least} or more")
    return number


def own_hardware(parser: argparse.ArgumentParser) -> None:
    """`--file`, for rows that the catalogue does not have."""
    parser.add_argument(
        "--file", action="append", default=[], type=Path, metavar="FILE", help="hardware of your own, a TOML file"
    )


def table_form(parser: argparse.ArgumentParser) -> None:
    """`--json` or `--markdown`, in place of tables for the terminal."""
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the figures as JSON")
    form.add_argument("--markdown", action="store_true", help="print the tables as Markdown")

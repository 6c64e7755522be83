"""One light module per sub-command: `add` gives it to the parser, `_run` imports what it needs when it runs."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

NAMES = ("load", "where", "sweep", "usecases", "votes", "published", "hardware", "emulate", "calibrate")
"""In the order in which `--help` shows them."""

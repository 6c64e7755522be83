"""An example for the `--help` of every command, in one table. A test runs each one that is offline and short.

They run in a clone, from its top folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, str]] = {
    "compare": "--limit 200 --out results",
    "explain": "results misroute",
    "serve": "direct --port 8001",
    "init": "mine.toml",
    "check": "mine.toml",
    "models list": "",
    "models pull": "qwen-0.5b",
    "models verify": "qwen-0.5b",
    "models burn": "qwen-0.5b --ffn-bits 3 --rest-bits 6",
    "record": "--model local:qwen-0.5b --verify 20",
    "classifier train": "--workload outcomes --small small --large large",
    "classifier evaluate": "benchmarks/examples/outcomes.csv --prompt question --small small --large large",
    "classifier calibrate": (
        "benchmarks/examples/outcomes.csv --prompt question --quality 0.8 --scenario outcomes/scenario.toml"
    ),
    "import": "benchmarks/examples/outcomes.csv --prompt question --small small --large large --direct direct",
    "drift": "--seed 7 --out results",
    "label": "results --status",
    "cache evaluate": "--pairs pairs.csv",
    "cache train": "--pairs pairs.csv",
    "workload check": "--show",
    "workload tables": "outcomes",
    "report": "results",
    "diff": "results proposed --markdown",
    "rerun": "results/report.json",
    "load": "direct --rate 50 --requests 200",
    "where": "--json",
    "sweep": "--x speedup=1:100:log:3 --y price=0.01:1:log:3 --requests 60",
    "usecases": "--hardware hc1 --assume moderation.value_usd=0.2",
    "votes": "--markdown",
    "published": "--small 8B --hardware hc1",
    "hardware list": "",
    "hardware show": "hc1",
    "hardware check": "hardware.toml",
    "emulate": "hc1 --port 8001",
    "calibrate": "--out overhead.json",
    "maintenance": "--markdown",
    "drills": "05-forget-a-tenant",
    "faults": "--virtual --only timeout",
}
"""By command: what follows it."""


class Parser(argparse.ArgumentParser):
    """Ends its help with the example of its command. Parsers of sub-commands are of this class too."""

    def format_help(self) -> str:
        """The help, as `argparse` has it, and below the example."""
        arguments = EXAMPLES.get(self.prog.partition(" ")[2])
        told = super().format_help()
        return told if arguments is None else f"{told}\nexample:\n  {f'{self.prog} {arguments}'.rstrip()}\n"

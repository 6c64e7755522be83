"""Documents hold what the code says: generated parts are up to date, commands in the README exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchmarks.cli import _parser
from benchmarks.maintenance.surface import knob_table
from legacy_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]


def test_the_knob_table_is_that_of_the_settings() -> None:
    text = (ROOT / "legacy_pipeline" / "README.md").read_text()
    held, table = text.partition("<!-- knobs -->\n")[2].partition("\n<!-- /knobs -->")[0], knob_table(Settings)
    assert held == table, f"put this between the knobs marks of legacy_pipeline/README.md:\n{table}"


def commands() -> list[str]:
    found = []
    for file in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*_pipeline/README.md")):
        found += re.findall(r"^ {4}crossover ([^#\n]+)", file.read_text(), re.MULTILINE)
    return found


@pytest.mark.parametrize("command", commands())
def test_commands_in_the_documents_are_commands(command: str) -> None:
    _parser().parse_args(shlex.split(command))


def test_targets_in_the_readme_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ {4}make ([a-z-]+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

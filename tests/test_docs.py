"""Documents hold what the code says: generated parts are up to date, commands in the README exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from pydantic import BaseModel

from benchmarks.cli import _parser
from benchmarks.maintenance.surface import knob_table
from direct_pipeline.settings import Settings as DirectSettings
from legacy_pipeline.settings import Settings as LegacySettings

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("folder", "knobs"), [("legacy_pipeline", LegacySettings), ("direct_pipeline", DirectSettings)]
)
def test_knob_tables_are_those_of_the_settings(folder: str, knobs: type[BaseModel]) -> None:
    text = (ROOT / folder / "README.md").read_text()
    held = text.partition("<!-- knobs -->\n")[2].partition("\n<!-- /knobs -->")[0]
    assert held == knob_table(knobs), f"put this between the knobs marks of {folder}/README.md:\n{knob_table(knobs)}"


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
    for target in re.findall(r"make ([a-z-]+)", (ROOT / "README.md").read_text()):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target

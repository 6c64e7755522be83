"""Documents hold what the code says: generated parts are up to date, commands in the README exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from benchmarks.cli import _parser
from benchmarks.maintenance.surface import knob_table
from benchmarks.workloads.tables import tables
from benchmarks.workloads.workload import BUILTIN, load
from legacy_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]


def test_the_knob_table_is_that_of_the_settings() -> None:
    text = (ROOT / "legacy_pipeline" / "README.md").read_text()
    held, table = text.partition("<!-- knobs -->\n")[2].partition("\n<!-- /knobs -->")[0], knob_table(Settings)
    assert held == table, f"put this between the knobs marks of legacy_pipeline/README.md:\n{table}"


def test_the_tables_of_the_workload_are_those_of_the_recordings() -> None:
    text = (ROOT / "docs" / "workload.md").read_text()
    held = text.partition("<!-- tables -->\n")[2].partition("\n<!-- /tables -->")[0]
    assert held == tables(BUILTIN), "put what `crossover workload tables` prints between the marks of docs/workload.md"


def test_the_workloads_readme_counts_its_items() -> None:
    text, workload = (BUILTIN / "README.md").read_text(), load()
    assert f"{len(workload.items):,} questions" in text
    assert f"{len(workload.split('test')):,} of them in the test split" in text
    for task in workload.tasks:
        items = [item for item in workload.items if item.task == task]
        assert f"| {task} | {len(items)} | {sum(item.split == 'test' for item in items)} |" in text


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

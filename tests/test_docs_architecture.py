"""docs/architecture.md draws the arrows that are enforced, and names only what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
LAYERS, APART = (next(each for each in CONTRACTS if each["type"] == kind) for kind in ("layers", "independence"))


def enforced() -> dict[str, set[str]]:
    """What each package may import: whatever lies in a layer below its own."""
    layers = [[name.strip() for name in layer.split("|")] for layer in LAYERS["layers"]]
    return {
        name: {lower for layer in layers[depth + 1 :] for lower in layer}
        for depth, layer_of in enumerate(layers)
        for name in layer_of
    }


def drawn() -> dict[str, set[str]]:
    block = PAGE.partition("<!-- arrows -->\n")[2].partition("<!-- /arrows -->")[0]
    arrows = [line.partition("->") for line in block.splitlines()]
    return {name.strip(): {each.strip() for each in lower.split(",") if each.strip()} for name, _, lower in arrows}


def test_its_arrows_are_those_that_import_linter_enforces() -> None:
    assert drawn() == enforced()


def test_it_names_the_measures_that_never_import_each_other() -> None:
    sentence = PAGE.partition("The measures never import each other")[2].partition(". What needs")[0]
    assert set(re.findall(r"`(benchmarks\.\w+)`", sentence)) == set(APART["modules"])


def paths() -> list[str]:
    """What stands in backquotes or on a line of the flow, and looks like a path."""
    flow = PAGE.partition("## From a scenario to a report")[2].partition("All in `benchmarks/`")[0]
    shown = [f"benchmarks/{name}" for name in re.findall(r"[\w/]+(?:\.py|/)(?![\w.])", flow)]
    quoted = re.findall(r"`((?:benchmarks|shared|legacy_pipeline|direct_pipeline|tests)/[\w./-]*)`", PAGE)
    return sorted({*shown, *quoted})


@pytest.mark.parametrize("path", paths())
def test_what_it_names_is_there(path: str) -> None:
    found = ROOT / path
    assert found.is_dir() if path.endswith("/") else found.is_file()


def test_it_names_the_steps_from_a_scenario_to_a_report() -> None:
    steps = {f"benchmarks/{name}" for name in ("scenario.py", "targets/", "run.py", "rows.py", "cost/", "verdict.py")}
    assert steps <= {*paths()}


NAMES = {
    "open_backend": "benchmarks/targets/builtin.py",
    "ScorerName": "benchmarks/workloads/workload.py",
    "Gates": "benchmarks/scenario.py",
    "FAULTS": "shared/backends/faulty.py",
    "KINDS": "benchmarks/sweeping/axes.py",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_names_to_look_for_are_where_it_says(name: str) -> None:
    assert f"`{name}` of `{NAMES[name]}`" in PAGE or f"`{name}` in `{NAMES[name]}`" in PAGE
    assert re.search(
        rf"^(class )?{name}\b|^def {name}\b", (ROOT / NAMES[name]).read_text(encoding="utf-8"), re.MULTILINE
    )

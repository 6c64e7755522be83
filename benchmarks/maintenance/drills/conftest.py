"""One test file a drill for both pipelines: `side` says which one, and `--side` picks it.

    python -m pytest --import-mode=importlib benchmarks/maintenance/drills/01-swap-the-model --side legacy

Run from the tree under test: the packages must come from there, not from a clone that is installed as well.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SIDES = ("legacy", "direct")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--side", choices=SIDES, help="the pipeline to test (default: both)")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "side" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--side")
        metafunc.parametrize("side", [chosen] if chosen else SIDES)


@pytest.fixture(scope="session", autouse=True)
def _packages_of_this_tree() -> None:
    """A test of another tree than the one that was patched would prove nothing."""
    for name in ("shared", "legacy_pipeline", "direct_pipeline", "benchmarks", "tests"):
        found = Path(str(import_module(name).__file__)).resolve()
        if not found.is_relative_to(ROOT.resolve()):
            pytest.exit(f"{name} comes from {found}; run pytest from {ROOT}", returncode=2)

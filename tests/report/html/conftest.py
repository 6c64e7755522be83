"""Fixtures of the page's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.compare import compare
from benchmarks.scenario import load
from tests.report.html.browser import chromium, opened

__all__ = ["built", "chromium", "opened"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `crossover compare` leaves of the built-in run, for tests that only read it."""
    out = tmp_path_factory.mktemp("built")
    assert compare(load(), out) == 0
    return out

"""The notebook's cells run in their order, on a run of today, and draw what the report draws."""

from __future__ import annotations

import ast
import asyncio
import html
import inspect
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from xml.etree import ElementTree

import pytest

from benchmarks import compare, scenario
from benchmarks.report.html.charts import quality_difference

NOTEBOOK: Final = Path(__file__).parents[1] / "docs" / "notebook.ipynb"


class Html:
    """What stands for IPython's, which this repo does not install."""

    def __init__(self, data: str) -> None:
        self.data = data


def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text())["cells"]
    return found


def value_of(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, with `await` at its top. Returns the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr), "a cell ends with what it shows"
    tree.body.append(ast.Assign([ast.Name("shown_", ast.Store())], last.value))
    done = eval(  # noqa: S307
        compile(ast.fix_missing_locations(tree), NOTEBOOK.name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names
    )
    if inspect.iscoroutine(done):
        asyncio.run(done)
    return names["shown_"]


def test_it_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = compare.measure(scenario.load(limit=150), tmp_path / "results")
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    display = ModuleType("IPython.display")
    monkeypatch.setattr(display, "HTML", Html, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    names: dict[str, Any] = {}
    shown = [value_of("".join(each["source"]), names) for each in cells() if each["cell_type"] == "code"]
    verdict, quality, latency, measured = shown
    assert verdict == (report["verdict"]["overall"], "emulated")
    for figure in (quality, latency):
        page = html.unescape(re.search(r'srcdoc="([^"]*)"', figure.data)[1])  # type: ignore[index]
        ElementTree.fromstring(re.search(r"<svg.*?</svg>", page, re.DOTALL)[0])  # type: ignore[index]  # noqa: S314
        assert "<table" in page
    assert html.escape(html.escape(quality_difference.words(report))) in quality.data
    assert 0 < measured["direct"] < measured["legacy"]


def test_it_is_one_page_without_outputs_or_anybodys_paths() -> None:
    text = NOTEBOOK.read_text()
    document = json.loads(text)
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in cells()}) == len(cells())
    assert sum(len(cell["source"]) for cell in cells()) < 60
    for cell in cells():
        assert cell["cell_type"] == "markdown" or (cell["outputs"] == [] and cell["execution_count"] is None)
    assert not re.search(r"/(home|root|tmp|Users|work)/", text)

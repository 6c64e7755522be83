"""docs/method.md has every measure, and the links of the documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "method.md"
DOCUMENTS = sorted(
    {ROOT / "README.md", ROOT / "SECURITY.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*_pipeline/README.md")}
)
NO_MEASURE = {
    "benchmarks/quality/score.py",  # which name means which scorer: linked as such
    "benchmarks/quality/cache_evaluating.py",  # the command over cache_rates.py
    "benchmarks/quality/cache_training.py",  # makes weights, measures nothing
    "benchmarks/quality/drift.py",  # plays what drift_figures.py measures
    "benchmarks/quality/drift_table.py",  # prints it
    "benchmarks/quality/timeline.py",  # reads what is played
}
"""Files in the folders of measures that hold none."""


def linked(page: Path) -> list[str]:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]


def measures() -> list[str]:
    folders = ("quality", "latency", "cost")
    found = {str(file.relative_to(ROOT)) for each in folders for file in (ROOT / "benchmarks" / each).glob("*.py")}
    return sorted(each for each in found - NO_MEASURE if not each.endswith("__init__.py"))


@pytest.mark.parametrize("file", measures())
def test_every_measure_has_a_row(file: str) -> None:
    assert f"../{file}" in linked(PAGE), (
        f"give {file} a row in docs/method.md, or say in this test that it is no measure"
    )


@pytest.mark.parametrize("row", [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"])
def test_every_row_is_full(row: str) -> None:
    """Measure, definition, source, weakness, and where to read on."""
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells), row


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: str(each.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    lost = [target for target in linked(document) if not (document.parent / target).exists()]
    assert lost == []

"""docs/adr: one short page a decision, all in the index, all of one form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "adr"
PAGES = sorted(file for file in FOLDER.glob("*.md") if file.name != "README.md")
PARTS = ["Context", "Decision", "Consequences", "What would change it"]
MOST_LINES = 10


def test_the_index_is_complete_and_says_each_title() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{3})\]\((\S+)\) \| (.+) \|$", index, re.MULTILINE)
    titles = [page.read_text(encoding="utf-8").partition("\n")[0] for page in PAGES]
    assert [(name, f"# {number} {title}") for number, name, title in rows] == [
        (page.name, title) for page, title in zip(PAGES, titles, strict=True)
    ]


def test_they_are_numbered_without_a_gap() -> None:
    assert [page.name[:4] for page in PAGES] == [f"{number:03}-" for number in range(1, len(PAGES) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda each: each.stem)
def test_each_has_its_four_parts_in_ten_lines(page: Path) -> None:
    title, *lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert re.fullmatch(rf"# {page.name[:3]} \S.*", title)
    assert re.findall(r"^\*\*(.+?)\.\*\*", "\n".join(lines), re.MULTILINE) == PARTS
    assert len(lines) <= MOST_LINES

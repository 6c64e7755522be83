"""The code is in the page as it is in the clone, every file of it, and the drills' patches line by line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.maintenance import drills as counted
from benchmarks.report.html import diffs
from benchmarks.report.html.run import Run
from benchmarks.report.html.sections import code, drills
from benchmarks.scenario import ARMS


def of(**parts: Any) -> Run:
    """A run of which these sections read nothing but the report."""
    scenario = {arm: {"kind": "builtin"} for arm in ARMS}
    maintenance = {"legacy": {"optional": {"files": 5}}, "drills": None}
    return Run({"provenance": {"scenario": scenario}, "maintenance": maintenance, **parts}, (), (), Path())


def test_a_removed_line_of_dashes_is_no_name_of_a_file() -> None:
    text = (
        "diff --git a/x.md b/x.md\nindex 1..2 100644\n--- a/x.md\n+++ b/x.md\n@@ -1,2 +1,2 @@\n"
        "--- rule\n+++ rule\n <b>\n"
        "diff --git a/y b/y\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/y\n@@ -0,0 +1 @@\n+y\n"
        "diff --git a/z b/w\nsimilarity index 100%\nrename from z\nrename to w\n"
    )
    tree = ElementTree.fromstring(diffs.patch(text, "p"))  # noqa: S314
    assert [(each.get("class"), each.text) for each in tree] == [
        ("file", "x.md"),
        ("hunk", "@@ -1,2 +1,2 @@"),
        ("del", "--- rule"),
        ("ins", "+++ rule"),
        (None, " <b>"),
        ("file", "y (new)"),
        ("hunk", "@@ -0,0 +1 @@"),
        ("ins", "+y"),
        ("file", "z, renamed w"),
    ]


@given(st.lists(st.text(st.characters(exclude_categories=["C"])), min_size=1))
def test_code_has_an_element_for_each_line_and_its_text_unchanged(lines: list[str]) -> None:
    text = "\n".join([*lines, ""])
    tree = ElementTree.fromstring(diffs.code(text, "label"))  # noqa: S314
    assert ["".join(each.itertext()) for each in tree] == lines
    assert "".join(tree.itertext()) == text.removesuffix("\n")


def test_every_file_of_both_pipelines_is_shown() -> None:
    page = code.section(of())
    for arm in ARMS:
        for file in (counted.ROOT / f"{arm}_pipeline").iterdir():
            assert (f'<h3 class="arm-{arm}">{arm}_pipeline/{file.name}</h3>' in page) == (file.suffix in code.SHOWN)
    main, _, optional = page.partition('class="optional"')
    assert "legacy_pipeline/semantic.py" not in main
    assert "legacy_pipeline/synonyms.txt" not in main
    assert "legacy_pipeline/semantic.py" in optional
    assert "legacy_pipeline/cache.py" in main


def test_with_the_semantic_cache_on_its_files_stand_among_the_others() -> None:
    page = code.section(of(maintenance={"legacy": {"optional": {"files": 0}}}))
    assert 'class="optional"' not in page
    assert "legacy_pipeline/semantic.py" in page


def test_the_code_of_another_system_is_not_shown() -> None:
    provenance = {"scenario": {"legacy": {"kind": "log"}, "direct": {"kind": "builtin"}}}
    page = code.section(of(provenance=provenance))
    assert "This run compares another system, whose code is not in this clone: legacy is of kind log." in page
    assert "<pre" not in page


@pytest.fixture(scope="module")
def drilled() -> Mapping[str, Any]:
    document = counted.count()
    return {"legacy": {"optional": {"files": 5}}, "drills": document}


def test_a_drill_has_what_was_asked_both_patches_and_what_they_took(drilled: Mapping[str, Any]) -> None:
    page = drills.section(of(maintenance=drilled))
    for name, drill in drilled["drills"]["drills"].items():
        [part] = re.findall(rf'<details id="drill-{name}".*?</details>', page, re.DOTALL)
        assert part.count("<pre") == sum(bool(drill[arm]["diff"]) for arm in ARMS)
        assert part.count('class="ins"') == sum(drill[arm]["lines_added"] for arm in ARMS)
        assert part.count('class="del"') == sum(drill[arm]["lines_removed"] for arm in ARMS)
        for arm in ARMS:
            assert drill[arm]["passed"] or "test not run as it is" in part or "test failed" in part
    assert "legacy: no change needed; direct: +78 -5 in 3 files, 1 operator step" in page
    assert "On the legacy side" not in page.partition("drill-02")[0]  # the first paragraph alone, no evaluation


def test_without_drills_the_section_says_why() -> None:
    assert drills.ABSENT in drills.section(of())

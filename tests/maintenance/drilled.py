"""Made-up drills: a folder with whatever is asked for, over this clone."""

from __future__ import annotations

import difflib
from pathlib import Path

from benchmarks.maintenance.drills import DEPLOYMENT, ROOT, Drill, drills

CALLED = "50-made-up"
MODEL = "recorded:qwen-1.5b"
ASKS_FOR_THE_MODEL = f"""
import tomllib
from benchmarks.maintenance.drill_kit import DEPLOYMENT

def test_the_model_is_named(side):
    assert {MODEL!r} == tomllib.loads(DEPLOYMENT.read_text())[side]["small" if side == "legacy" else "model"]
"""
"""Fails on either side until `change` is applied."""


def diff(path: str, old: str, new: str) -> str:
    """What `git diff` prints of one changed file."""
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{path}", f"b/{path}")
    return f"diff --git a/{path} b/{path}\n" + "".join(lines)


def swapped(path: str, old: str, new: str) -> str:
    """The patch that writes `new` for `old` in a file of this clone."""
    text = (ROOT / path).read_text(encoding="utf-8")
    assert old in text
    return diff(path, text, text.replace(old, new))


def change(arm: str) -> str:
    """A patch of one line of the deployment."""
    old = 'small = "recorded:qwen-0.5b"' if arm == "legacy" else 'model = "recorded:qwen-0.5b-burnt-3-6"'
    return swapped(DEPLOYMENT, old, f'{old.partition(" ")[0]} = "{MODEL}"')


def written(
    folder: Path,
    *,
    test: str | None = ASKS_FOR_THE_MODEL,
    toml: str = 'title = "made up"\nfavours = "both"\n',
    legacy: str | None = None,
    direct: str | None = None,
) -> Path:
    """A drill's folder; its patches are `change` unless given, and without a `test` there is no test."""
    drill = folder / CALLED
    drill.mkdir()
    (drill / "README.md").write_text("# Made up\n")
    (drill / "drill.toml").write_text(toml)
    (drill / "legacy.patch").write_text(change("legacy") if legacy is None else legacy)
    (drill / "direct.patch").write_text(change("direct") if direct is None else direct)
    if test is not None:
        (drill / "test_acceptance.py").write_text(test)
    return drill


def made_up(folder: Path, **parts: str) -> Drill:
    """The same, read."""
    written(folder, **parts)
    return drills(folder=folder)[0]

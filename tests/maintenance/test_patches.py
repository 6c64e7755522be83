"""A patch does to a tree what git makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.maintenance.drills import FOLDER, ROOT
from benchmarks.maintenance.patches import DoesNotApply, apply, read_patch
from shared.errors import BadInput

GIT = shutil.which("git")
needs_git = pytest.mark.skipif(GIT is None, reason="git is the reference here")
PATCHES = sorted(FOLDER.glob("*/*.patch"))


def git(folder: Path, *command: str) -> str:
    alone = os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        [str(GIT), *command], cwd=folder, env=alone, capture_output=True, text=True, check=False
    ).stdout


def tree(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


@needs_git
@pytest.mark.parametrize("file", PATCHES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_drills_patch_is_what_git_makes_of_it(file: Path, tmp_path: Path) -> None:
    changes = read_patch(file)
    trees = tmp_path / "ours", tmp_path / "gits"
    for folder in trees:
        folder.mkdir()
        for path in {change.old for change in changes if change.old}:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, folder / path)
    apply(changes, trees[0])
    if changes:  # git calls an empty patch an error
        git(trees[1], "apply", str(file))
    assert tree(trees[0]) == tree(trees[1])
    counts = [line.split("\t")[:2] for line in git(tmp_path, "apply", "--numstat", str(file)).splitlines()]
    assert [[str(change.added), str(change.removed)] for change in changes] == counts


TEXTS = st.lists(st.sampled_from(["", "a", "b", "-- c", "++ d", "@@ e", " \x0c\u2028f"]), max_size=30).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@needs_git
@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS)
def test_a_diff_by_git_is_applied_and_counted(old: str, new: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name, text in (("old", old), ("new", new), ("tree", old)):
            (folder / name).mkdir()
            (folder / name / "x.py").write_bytes(text.encode())
        text = git(folder, "diff", "--no-index", "old/x.py", "new/x.py")
        (folder / "patch").write_bytes(text.replace("a/old/", "a/").replace("b/new/", "b/").encode())
        changes = read_patch(folder / "patch")
        apply(changes, folder / "tree")
        assert (folder / "tree" / "x.py").read_bytes() == new.encode()
        assert sum(change.added for change in changes) - sum(change.removed for change in changes) == (
            new.count("\n") - old.count("\n")
        )


def one(folder: Path, text: str) -> Path:
    file = folder / "legacy.patch"
    file.write_text(text)
    return file


CHANGED = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"


def test_files_come_go_and_move(tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("g\n")
    (tmp_path / "here").write_text("h\n")
    patch = (
        "diff --git a/d/new b/d/new\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/d/new\n@@ -0,0 +1 @@\n+n\n"
        "diff --git a/gone b/gone\ndeleted file mode 100644\nindex 1..0\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-g\n"
        "diff --git a/here b/d/there\nsimilarity index 100%\nrename from here\nrename to d/there\n"
    )
    apply(read_patch(one(tmp_path, patch)), tmp_path)
    assert tree(tmp_path) == {"d/new": b"n\n", "d/there": b"h\n", "legacy.patch": patch.encode()}


def test_a_hunk_moves_with_its_lines_and_is_not_guessed(tmp_path: Path) -> None:
    changes = read_patch(one(tmp_path, CHANGED))
    (tmp_path / "x").write_text("new\na\nb\n")
    apply(changes, tmp_path)
    assert (tmp_path / "x").read_text() == "new\na\nc\n"
    with pytest.raises(DoesNotApply, match="x: the lines of hunk 1 are not there"):
        apply(changes, tmp_path)


def test_nothing_is_written_where_one_change_does_not_apply(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("a\nb\n")
    changes = read_patch(one(tmp_path, CHANGED + CHANGED.replace("/x", "/y")))
    with pytest.raises(DoesNotApply, match="y is not there"):
        apply(changes, tmp_path)
    assert (tmp_path / "x").read_text() == "a\nb\n"


def test_a_new_file_takes_no_others_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine\n")
    patch = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+n\n"
    with pytest.raises(DoesNotApply, match="x is there already"):
        apply(read_patch(one(tmp_path, patch)), tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "line 1: this is no line that `git diff` prints"),
        (CHANGED[:-3], "the hunk of line 4 is cut off"),
        (CHANGED.replace("-b\n", "b\n"), "line 6: the hunk of line 4 is cut off"),
        (CHANGED + "\\ No newline at end of file\n", "line 8: a file does not end with a line break"),
        (CHANGED + "Binary files differ\n", "line 8: this is no line"),
    ],
)
def test_what_is_no_patch_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_patch(one(tmp_path, text))


def test_a_patch_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="leave an empty file"):
        read_patch(tmp_path / "legacy.patch")

"""Every command in docs/workshop.md is run, in its order, and prints the lines that stand below it.

Some forty seconds in all on a quiet machine; the slowest are three comparisons (exercise 3), `drift` and `drills`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.cli import main

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "workshop.md").read_text()
EXERCISES: dict[str, str] = dict(re.findall(r"^## \d\. (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
FENCE = re.compile(r"^```(sh|toml|csv|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = ("toml", "csv")
NEEDS = {"What a similar question gets": "onnxruntime", "A month of changes": "river"}
"""What `make dev` installs and the main job does without."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with all that the clone has, in which results can be written."""
    folder = tmp_path_factory.mktemp("workshop") / "crossover"
    folder.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith(".") and path.name != "results":
            (folder / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


@pytest.mark.workshop
@pytest.mark.parametrize("title", EXERCISES)
def test_an_exercise_prints_what_its_page_says(title: str, clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Later exercises read the results of the first; run alone, one of them makes these first."""
    if (needed := NEEDS.get(title)) and find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed; run: make dev")
    if title != next(iter(EXERCISES)) and re.search(r"^crossover .*\bresults\b", EXERCISES[title], re.MULTILINE):
        compared(clone)
        capfd.readouterr()
    played(EXERCISES[title], clone, capfd)


def compared(clone: Path) -> Path:
    """The results of the first exercise."""
    if not (clone / "results").exists():
        assert main(["compare"]) == 0
    return clone / "results"


def played(page: str, clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Write the files of a part of a page, run its commands, and find the lines that stand below them."""
    printed, end = "", 0
    for fence in FENCE.finditer(page):
        kind, body = fence.groups()
        if kind in FILES:
            name = re.findall(r"`([\w/-]+\.(?:toml|csv))`", page[end : fence.start()])[-1]
            (clone / name).write_text(body)
        elif kind == "sh":
            printed = "".join(run(line, clone, capfd) for line in body.splitlines())
        else:
            for line in body.splitlines():
                assert squeezed(line) in squeezed(printed), f"{line!r} is not in:\n{printed}"
        end = fence.end()


def run(line: str, clone: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What a line prints. `crossover` runs in this process, for its imports take longer than most of its work."""
    if line.startswith("crossover "):
        assert main(shlex.split(line)[1:]) == 0, line
        out, err = capfd.readouterr()
        return out + err
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", line], cwd=clone, env=clean | {"PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: the acceptance test before the change
    return done.stdout + done.stderr


def squeezed(text: str) -> str:
    """Without the spacing, and without where lines are broken, also after a hyphen."""
    return re.sub(r"-\s+", "-", " ".join(text.split()))


def test_every_exercise_has_a_goal_its_minutes_a_command_lines_and_a_question() -> None:
    rows = re.findall(r"^\| \d \| (.+?) \| (\d+) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(EXERCISES)
    assert sum(int(minutes) for _, minutes in rows) == 90
    for name, minutes in rows:
        body = EXERCISES[name]
        assert body.lstrip().startswith("Goal: ")
        assert f"{minutes} minutes" in body.replace("\n", " "), name
        assert {kind for kind, _ in FENCE.findall(body)} >= {"sh", "text"}
        assert body.count("<details><summary>") == body.count("</details>") == 1
        assert re.search(r"<summary>[^<]*\?</summary>\n\n", body), name


def test_the_sheets_commands_are_followed_by_what_they_print() -> None:
    for body in EXERCISES.values():
        kinds = [kind for kind, _ in FENCE.findall(body) if kind not in FILES]
        assert kinds[::2] == ["sh"] * len(kinds[::2])
        assert kinds[1::2] == ["text"] * len(kinds[::2])


def test_figures_in_the_answers_are_those_of_the_drills_and_of_the_run(clone: Path) -> None:
    """Of this page, and of docs/migrate.md."""
    guide = squeezed((ROOT / "docs" / "migrate.md").read_text())
    drills = ROOT / "benchmarks" / "maintenance" / "drills"
    forget, repeats = (
        len(re.findall(r"^(?:\+(?!\+\+ )|-(?!-- ))", (drills / name).read_text(), re.MULTILINE))
        for name in ("05-forget-a-tenant/legacy.patch", "13-repeats-in-an-outage/direct.patch")
    )
    assert f"forgetting a tenant takes {forget} changed lines" in squeezed(PAGE)
    assert f"takes {repeats} lines in direct" in squeezed(PAGE)
    assert f"(drill 13: {repeats} lines)" in guide
    cache = json.loads((compared(clone) / "report.json").read_text())["cost"]["stages"]["cache"]
    saved = f"saves ${-1000 * cache['usd']['net']:.4f} and {-1000 * cache['seconds']['net']:.1f} s of waiting"
    assert saved in guide

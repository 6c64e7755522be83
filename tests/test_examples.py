"""The example files are what their script makes, and their walk-through in docs/bring-your-own.md is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import scenario
from benchmarks.examples import make
from tests.test_workshop import FENCE, ROOT, clone, played

__all__ = ["clone"]  # a fixture
WALK = (ROOT / "docs" / "bring-your-own.md").read_text().partition("## Three examples")[2]
EXAMPLES = dict(
    zip(("desk", "moderation", "outcomes"), [f"**{part}" for part in WALK.split("\n\n**")[1:]], strict=True)
)


@pytest.mark.parametrize("name", make.files())
def test_a_file_is_what_the_script_makes_and_small(name: str) -> None:
    held = (make.FOLDER / name).read_bytes()
    assert held == make.files()[name], "run: python -m benchmarks.examples.make"
    assert len(held) < 60_000


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in make.FOLDER.iterdir() if path.suffix not in (".py", "")} == set(make.files())


def test_the_script_writes_what_it_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(make, "FOLDER", tmp_path)
    said: list[str] = []
    assert make.main(said.append) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == make.files()
    assert len(said) == len(make.files())


def test_a_pattern_that_is_used_up_is_an_error_and_no_endless_search() -> None:
    with pytest.raises(ValueError, match="no further text"):
        make._fresh(make._seeded("x"), ("the same",), {"the same": None})


def test_both_logs_of_the_desk_hold_the_same_requests() -> None:
    legacy, direct = (
        [json.loads(line) for line in make.files()[name].splitlines()]
        for name in ("support-desk.jsonl", "support-desk-direct.jsonl")
    )
    asked = {row["request_id"]: row["messages"] for row in legacy}
    for row in direct:
        assert asked[row["id"]] == [{"role": "user", "content": row["input"]}]
        assert row["expected"] in make.QUEUES


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_walk_through_prints_what_it_says(name: str, clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert {kind for kind, _ in FENCE.findall(EXAMPLES[name])} >= {"sh", "text"}
    played(EXAMPLES[name], clone, capfd)


def test_the_file_of_the_migration_guide_is_a_scenario(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "migrate.md").read_text()
    lines = text.partition("`crossover.toml`:\n\n")[2].partition("\nThen:")[0].splitlines()
    file = tmp_path / "crossover.toml"
    file.write_text("\n".join(line.removeprefix("    ") for line in lines))
    loaded = scenario.load(file)
    assert loaded.gates.quality == "not_worse"
    assert loaded.gates.on_inconclusive == "fail"

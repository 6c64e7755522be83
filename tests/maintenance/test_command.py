"""`crossover maintenance`: what it takes, what it prints, how it refuses."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from benchmarks.commands import maintenance
from benchmarks.maintenance import advisories, surface
from shared.errors import BadInput


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    maintenance.add(parser.add_subparsers())
    args = parser.parse_args(["maintenance", *arguments])
    code: int = args.run(args)
    return code


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("old", "def f(x):\n    return x or 1\n"), ("new", "def f(x):\n    return x\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "code.py").write_text(text)
    return tmp_path


def test_two_folders_as_json(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("old", "new", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in document["trees"]] == ["old", "new"]
    assert [each["surface"]["cyclomatic"]["largest"] for each in document["trees"]] == [2, 1]
    assert document["third_party_difference"] is None


def test_two_folders_as_text_and_markdown(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("old", "new/code.py") == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 120
    assert "old: code.py: f" in told
    assert "What each costs in practice" in told
    assert run("old", "new", "--markdown") == 0
    assert "| cyclomatic complexity, largest | 2 | 1 | -1 |" in capsys.readouterr().out


def test_folders_of_one_name_are_told_apart(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("old/code.py", "new/code.py", "--json") == 0
    assert [each["name"] for each in json.loads(capsys.readouterr().out)["trees"]] == ["old/code.py", "new/code.py"]


def test_names_of_any_bytes_are_printed(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = os.fsdecode(b"odd\xff")
    (trees / odd).mkdir()
    (trees / odd / f"{odd}.py").write_text("def f(x):\n    return x or 1\n")
    assert run("old", odd) == 0
    assert "odd\\xff: odd\\xff.py: f" in capsys.readouterr().out


def test_without_arguments_it_is_the_two_pipelines(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in document["trees"]] == ["legacy", "direct"]
    assert set(document["third_party_difference"]) == {"pipeline", "http", "litellm"}
    for each in document["trees"]:
        assert each["surface"].keys() == set(surface.KEYS)
        assert sum(each["surface"]["failure_modes"].values()) > 0, "from the recorded fault matrix"


def test_a_scenario_without_sources_is_not_known(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arm = 'kind = "python"\ncallable = "a:b"\n'
    Path("crossover.toml").write_text(f'[legacy]\n{arm}source = ["old/*.py"]\n[direct]\n{arm}')
    assert run("--json") == 0
    assert [each["surface"] is None for each in json.loads(capsys.readouterr().out)["trees"]] == [False, True]
    assert run() == 0
    assert "not known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("old",), "one tree; name another"),
        (("old/code.py",), "one tree; name another"),
        (("gone.toml",), r"gone\.toml is missing"),
        (("old", "gone"), "gone is missing; name a folder"),
        (("old", "new", "old"), "3 paths are given"),
        (("old", "new", "--update"), "for advisories"),
        (("--check",), "for advisories"),
        (("advisories", "--markdown"), "advisories have --json"),
        (("advisories", "--check", "--json"), "--json is for the snapshot as it is"),
        (("advisories", "--update", "--json"), "--json is for the snapshot as it is"),
    ],
)
def test_wrong_arguments_say_what_to_do(trees: Path, arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run(*arguments)


def test_advisories_go_where_they_are_kept(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    called = list[str]()

    def asked(what: str, code: int) -> int:
        called.append(what)
        return code

    monkeypatch.setattr(advisories, "update", lambda: asked("update", 0))
    monkeypatch.setattr(advisories, "check", lambda: asked("check", 1))
    assert run("advisories", "--update") == 0
    assert run("advisories", "--check") == 1
    assert called == ["update", "check"]
    assert run("advisories", "--json") == 0
    assert json.loads(capsys.readouterr().out)["locked"]

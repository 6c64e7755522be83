"""What a terminal shows: fewer than forty lines of at most 80 columns, whatever the run was."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.quality.paired import measure
from benchmarks.report import terminal
from benchmarks.rows import Row
from benchmarks.scenario import ARMS
from tests.rows import row

LOGS = '[legacy]\nkind = "log"\npath = "a.jsonl"\n[direct]\nkind = "log"\npath = "b.jsonl"\n'
BELOW = 3
"""Lines that `compare` prints below the table."""


def compared(folder: Path, *options: str) -> tuple[Any, str]:
    assert main(["compare", *options, "--out", str(folder / "out")]) == 0
    report = json.loads((folder / "out" / "report.json").read_text())
    return report, shown(report)


def shown(report: Any) -> str:
    """The table, held to its size, on one line."""
    lines = terminal.table(report).splitlines()
    assert len(lines) + BELOW < 40
    assert max(map(len, lines)) <= 80
    return " ".join(" ".join(lines).split())


@pytest.fixture(scope="module")
def between(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    return compared(tmp_path_factory.mktemp("between"), "--preset", "between", "--limit", "120")


def test_another_preset(between: tuple[Any, str]) -> None:
    report, told = between
    assert f"Verdict: {report['verdict']['overall'].upper()}. " in told
    assert "between: 120 requests over" in told
    assert "all answered" in told
    assert "standing" in told


def test_two_logs_say_what_nobody_measured(tmp_path: Path) -> None:
    for name, word in (("a", "yes"), ("b", "no")):
        rows = [
            {"id": n, "input": f"question {n}", "output": word, "expected": "yes", "latency_ms": n} for n in range(60)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    (tmp_path / "mine.toml").write_text(LOGS)
    _, told = compared(tmp_path, str(tmp_path / "mine.toml"))
    assert "legacy is the log" in told
    assert "not measured not measured unknown" in told
    assert "Latency: as logged." in told
    assert "Besides code" not in told


def test_one_that_was_stopped_with_failures_notes_and_gates(between: tuple[Any, str]) -> None:
    report = copy.deepcopy(between[0])
    report["provenance"]["stopped"] = "interrupted; both were asked 120 requests"
    report["provenance"]["notes"] += ["something that this run alone has, said at some length " * 3] * 3
    report["quality"]["failed"]["direct"] = 7
    report["gates"] = [{"gate": "quality", "state": "failed", "why": "it is lower than the margin allows"}] * 3
    told = shown(report)
    assert "Stopped early: interrupted; both were asked 120 requests." in told
    assert "requests not answered 0 7" in told
    assert "Gate quality: failed (it is lower" in told
    assert "Note: something that this run alone has" in told
    assert "all answered" not in told
    assert "Quality" in told
    assert "Cost per" in told


def test_twenty_five_tasks_take_no_more_room_than_two(between: tuple[Any, str]) -> None:
    arms: dict[str, list[Row]] = {arm: [] for arm in ARMS}
    for number in range(25 * 20):
        task, n = divmod(number, 20)
        arms["legacy"].append(row("legacy", number, f"q{number}", task=f"a task of the team {task}"))
        score = float(n >= task)
        arms["direct"].append(row("direct", number, f"q{number}", task=f"a task of the team {task}", score=score))
    report = copy.deepcopy(between[0])
    report["quality"] |= measure(arms)  # type: ignore[arg-type]
    told = shown(report)
    assert " of 25 tasks (Holm): a task of the team " in told
    assert "more; best: a task of the team 0 +0.0." in told


def test_only_a_terminal_has_another_width(between: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    report, plain = between
    monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((200, 50)))
    assert shown(report) == plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = terminal.table(report).splitlines()
    assert 80 < max(map(len, lines)) <= terminal.WIDEST
    monkeypatch.setattr("shutil.get_terminal_size", lambda _: os.terminal_size((40, 50)))
    assert " ".join(terminal.table(report).split()) == plain

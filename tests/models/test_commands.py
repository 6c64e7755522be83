"""What the commands print and return."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.models import commands


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSOVER_MODELS", str(tmp_path))


def test_the_list_says_which_models_are_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "qwen-0.5b.gguf").touch()
    assert commands.list_models() == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert " here " in lines["qwen-0.5b"]
    assert " not here " in lines["qwen-1.5b"]


def test_one_bad_name_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "smollm2-135m.gguf").write_bytes(b"cut")
    assert commands.verify_models(["nothing", "smollm2-135m"]) == 2
    errors = capsys.readouterr().err
    assert "no model called 'nothing'" in errors
    assert "has 3 bytes, smollm2-135m has 98,362,432" in errors


def test_nothing_to_verify_is_fine() -> None:
    assert commands.verify_models([]) == 0


def test_burning_never_overwrites(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "qwen-0.5b-burnt-4-4.gguf").touch()
    assert commands.burn_model("qwen-0.5b", 4, 4) == 2
    assert "exists already" in capsys.readouterr().err


def test_no_progress_line_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = commands.ProgressLine()
    line("pulling", 1, 2)
    line.clear()
    assert capsys.readouterr().err == ""

"""What the commands print and return."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from shared.models import commands, pull
from shared.models.catalogue import Model


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


def test_a_system_error_is_one_line_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full_for_the_first(model: Model, _progress: pull.Progress) -> Path:
        if model.name == "qwen-0.5b":
            raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))
        return tmp_path / model.file_name

    monkeypatch.setattr(pull, "pull", full_for_the_first)
    assert commands.pull_models(["qwen-0.5b", "smollm2-135m"]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"qwen-0.5b: [Errno {errno.ENOSPC}] No space left on device: '{tmp_path}'; check the")
    assert len(told.err.splitlines()) == 1
    assert told.out.startswith(f"smollm2-135m: {tmp_path}")


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


def test_a_progress_line_has_the_rate_and_the_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    times = iter([10.0, 12.0])
    monkeypatch.setattr("shared.models.commands.time.monotonic", lambda: next(times))
    line = commands.ProgressLine()
    line("pulling", 1_000_000, 9_000_000)
    assert "left" not in capsys.readouterr().err
    line("pulling", 5_000_000, 9_000_000)
    assert "pulling  56% of 9 MB, 2.0 MB/s, 2 s left" in capsys.readouterr().err

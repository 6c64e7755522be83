"""The classifier's training: what it says where something is missing, and what came of it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.record import header
from benchmarks.targets.builtin import recording_path
from shared.backends.recorded import RecordingWriter
from tests.fakes import ScriptedBackend
from tests.targets.endpoint import write_workload

TRAIN = ["classifier", "train", "--small", "small", "--large", "large", "--workload"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def imported(rows: int = 120) -> None:
    """Short questions that the small model alone gets right."""
    lines = [f"{'short' if n % 2 else 'long and hard'} question {n},{n % 2},{1 - n % 2}" for n in range(rows)]
    Path("t.csv").write_text("\n".join(["prompt,small,large", *lines]))
    assert main(["import", "t.csv", "--prompt", "prompt", "--small", "small", "--large", "large"]) == 0


def test_a_folder_that_is_no_workload_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "gone"]) == 2
    assert "gone does not exist; name a workload folder" in capsys.readouterr().err


def test_an_imported_answer_that_is_missing_is_imported_again(capsys: pytest.CaptureFixture[str]) -> None:
    imported()
    file = Path("t/recordings/large.training.jsonl.gz")
    file.write_bytes(gzip.compress(b"".join(gzip.decompress(file.read_bytes()).splitlines(keepends=True)[:-1])))
    assert main([*TRAIN, "t"]) == 2
    told = capsys.readouterr().err
    assert "large has no answer to item line-" in told
    assert told.endswith("; import the table again\n")


def test_an_answer_that_is_missing_is_recorded_for_its_workload(capsys: pytest.CaptureFixture[str]) -> None:
    write_workload(Path("sums"))
    for name in ("small", "large"):
        file = recording_path(Path("sums"), name, "training")
        RecordingWriter(file, header(ScriptedBackend(), "sums", sampling={})).close()
    assert main([*TRAIN, "sums"]) == 2
    assert "run: crossover record --model scripted --part training --workload sums" in capsys.readouterr().err


def test_a_gain_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    imported()
    capsys.readouterr()
    assert main([*TRAIN, "t"]) == 0
    assert "go to small, which gains 0." in capsys.readouterr().out

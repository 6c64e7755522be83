"""`crossover label` in a real terminal, which a pty is."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.labelling.pairs import read
from benchmarks.labelling.session import Session
from benchmarks.labelling.terminal import render
from tests.labelling.runs import differing

SHOWN = {
    "pair": 1, "task": "t", "history": [["a", "b"]], "question": "who\nis it?", "reference": ["x"],
    "left": "one\x1b[2J", "right": "two", "done": 0, "sample": 2,
}  # fmt: skip


def test_keys_in_a_terminal_become_labels(tmp_path: Path) -> None:
    """An arrow, a paste and a held key say nothing, nor does x; u takes the last label back."""
    differing(tmp_path, 8)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "benchmarks", "label", str(tmp_path)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        for keys in (b"u", b"1", b"\x1b[B", b"1111111", b"\x1b[1~", b"x", b"s", b"b", b"k", b"u", b"s", b"q"):
            _until(ours, b"q quit")
            os.write(ours, keys)
        seen = b""
        try:
            while data := os.read(ours, 4096):
                seen += data
        except OSError:  # the terminal is gone once the process is
            pass
        assert run.wait(timeout=30) == 0
    os.close(ours)
    labels = list(Session(read(tmp_path)).labels().said.values())
    assert len(labels) == 4
    assert labels[0] in ("legacy", "direct")
    assert labels[1:] == ["same", "both_bad", "same"]
    lines = [json.loads(line)["label"] for line in (tmp_path / "labels.jsonl").read_text().splitlines()[1:]]
    assert lines[3:] == ["skip", "undone", "same"]
    assert b"4 of 8 labelled; --status shows the figures" in seen
    assert b"points" not in seen


def _until(terminal: int, text: bytes) -> None:
    seen = b""
    while text not in seen:
        assert select.select([terminal], [], [], 60)[0], f"{seen!r}"
        seen += os.read(terminal, 1)


def test_a_pipe_is_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    differing(tmp_path, 3)
    assert main(["label", str(tmp_path)]) == 2
    assert "needs a terminal; use --page" in capsys.readouterr().err
    assert not (tmp_path / "labels.jsonl").exists()


def test_both_answers_stand_side_by_side_where_there_is_room() -> None:
    wide, narrow = render(SHOWN, 100), render(SHOWN, 60)
    assert any("[1] LEFT" in line and "[2] RIGHT" in line for line in wide.splitlines())
    assert not any("LEFT" in line and "RIGHT" in line for line in narrow.splitlines())
    for text in (wide, narrow):
        assert "\x1b" not in text
        assert "\\x1b[2J" in text
        assert 'reference: ["x"]' in text
        assert "earlier:   a -> b" in text

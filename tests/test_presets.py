"""Every preset runs as it is, with no file and no flag."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.scenario import PRESETS, load
from shared.errors import BadInput


@pytest.mark.parametrize("preset", PRESETS)
def test_it_runs(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "--preset", preset, "--limit", "60", "--out", "out"]) == 0
    assert {each.name for each in tmp_path.iterdir()} == {"out"}


def test_a_preset_beside_a_file_over_another_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "hardwired"\n')
    with pytest.raises(BadInput, match="leave out the one or the other"):
        load(file, preset="between")


def test_on_other_hardware_a_model_stands_for_that_ones(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[direct]\nhardware = "h100-8b"\n')
    assert set(load(file).stand_ins) == {"small", "large"}

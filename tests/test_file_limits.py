"""Every reader of users' files that takes them whole has a limit. Tables and logs to import are read line by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.overhead import Profile
from benchmarks.report.document import read_rows
from benchmarks.targets import log
from benchmarks.toml_source import TomlSource
from benchmarks.workloads import workload
from legacy_pipeline.classifier import load_artefact
from shared.backends.recorded import read_recording
from shared.errors import BadInput
from shared.hardware.catalogue import catalogue


@pytest.mark.parametrize(
    ("read", "limit"),
    [
        (read_recording, "shared.backends.recorded.DATA_BYTES"),
        (catalogue, "shared.hardware.catalogue.SETTINGS_BYTES"),
        (load_artefact, "legacy_pipeline.classifier.SETTINGS_BYTES"),
        (TomlSource, "benchmarks.toml_source.MOST_BYTES"),
        (lambda file: workload.read(file.with_suffix(".jsonl")), "benchmarks.workloads.workload.DATA_BYTES"),
        (log.read, "benchmarks.targets.log.DATA_BYTES"),
        (Profile.load, "benchmarks.overhead.SETTINGS_BYTES"),
        (read_rows, "benchmarks.report.document.DATA_BYTES"),
    ],
)
def test_whoever_reads_a_users_file_has_a_limit(
    read: Callable[[Path], object], limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, 1000)
    (tmp_path / "tasks.toml").write_bytes(b"")
    for name in ("long", "long.jsonl"):
        (tmp_path / name).write_bytes(b"#" * 1001)
    with pytest.raises(BadInput, match=r"/long(\.jsonl)? holds more than 1,000 bytes"):
        read(tmp_path / "long")

"""Whoever reads a file whole that a user may name, or put into a folder that is named, has a limit.

Tables and logs to import are read line by line. Files of this repo's own, which no option names, have none.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.labelling import store
from benchmarks.labelling.pairs import _report
from benchmarks.overhead import Profile
from benchmarks.published import counts
from benchmarks.quality import cache_pairs
from benchmarks.report import explain
from benchmarks.report.document import ROW_KEYS, read_rows
from benchmarks.sweeping.points import Points
from benchmarks.targets import log
from benchmarks.toml_source import TomlSource
from benchmarks.workloads import workload
from legacy_pipeline.classifier import load_artefact
from legacy_pipeline.likeness import Likeness
from shared.backends.recorded import Header, RecordedModel, RecordingWriter, read_recording
from shared.errors import BadInput
from shared.hardware.catalogue import catalogue


def _record_on(file: Path) -> None:
    model = RecordedModel(provider="local", name="m", sha256="0")
    RecordingWriter(file, Header(schema="crossover-recording/1", model=model, workload="w"))


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
        (lambda file: store.read(file, {}), "benchmarks.labelling.store.DATA_BYTES"),
        (_report, "benchmarks.labelling.pairs.SETTINGS_BYTES"),
        (lambda file: Points(file.parent, {}), "benchmarks.sweeping.points.DATA_BYTES"),
        (cache_pairs.read, "benchmarks.quality.cache_pairs.DATA_BYTES"),
        (counts.read, "benchmarks.published.counts.DATA_BYTES"),
        (Likeness.load, "legacy_pipeline.likeness.SETTINGS_BYTES"),
        (lambda file: explain.explain(file.parent, "1"), "benchmarks.report.explain.SETTINGS_BYTES"),
        (_record_on, "shared.backends.recorded.DATA_BYTES"),
    ],
)
def test_whoever_reads_a_users_file_has_a_limit(
    read: Callable[[Path], object], limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, 1000)
    (tmp_path / "tasks.toml").write_bytes(b"")
    (tmp_path / "requests.jsonl").write_text(json.dumps(dict.fromkeys(ROW_KEYS)) + "\n")
    for name in ("long", "long.jsonl", "long.part", "points.jsonl", "report.json"):
        (tmp_path / name).write_bytes(b"#" * 1001)
    with pytest.raises(
        BadInput, match=r"/(long|long\.jsonl|long\.part|points\.jsonl|report\.json) holds more than 1,000"
    ):
        read(tmp_path / "long")

"""`crossover classifier train`: from two recordings and the workload's references to the classifier's artefact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quality.score import score
from benchmarks.targets.builtin import artefact_file, recording_file
from benchmarks.workloads.workload import BUILTIN, Item, Workload, load
from legacy_pipeline.train import Outcome, save
from legacy_pipeline.train import train as fit
from shared.backends.recorded import RecordedBackend, Recording, read_recording, recording_key
from shared.errors import MissingRecording


def train(small: str, large: str, quality_loss: float, folder: Path | None = None) -> int:
    """Train on the train split, choose the threshold on the validation split, save; print what came of it."""
    folder = BUILTIN if folder is None else folder
    workload = load(folder)
    recordings = [read_recording(recording_file(name, "training", folder)) for name in (small, large)]
    identities = [RecordedBackend(recording).identity for recording in recordings]
    artefact = fit(
        [_outcome(item, workload, recordings, folder) for item in workload.split("train")],
        [_outcome(item, workload, recordings, folder) for item in workload.split("validation")],
        small=identities[0],
        large=identities[1],
        quality_loss=quality_loss,
        made={"workload": workload.name, "workload_version": workload.version, "date": f"{datetime.now(UTC):%Y-%m-%d}"},
    )
    file = artefact_file(small, large, folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    save(artefact, file)
    made, loss = artefact.made, artefact.made["validation_quality_loss"]
    change = f"{'gains' if loss < 0 else 'loses'} {abs(loss):.4f}"
    print(
        f"trained on {made['trained_on']} questions, {len(artefact.weights)} words, ridge {made['ridge']:g}\n"
        f"validated on {made['validated_on']}: {made['validation_small_share']:.1%} go to {small}, which {change} "
        f"of score against always {large} (allowed: {quality_loss:g}); "
        f"calibration error {made['validation_calibration_error']:.3f}\nwritten: {file}"
    )
    return 0


def _outcome(item: Item, workload: Workload, recordings: list[Recording], folder: Path) -> Outcome:
    request = workload.request(item)
    scores = []
    for recording in recordings:
        row = recording.rows.get(recording_key(request))
        if row is None:
            model = recording.header.model
            option = "" if folder == BUILTIN else f" --workload {folder}"
            remedy = f"run: crossover record --model {model.name} --part training{option}"
            if model.provider == "imported":
                remedy = "import the table again"
            raise MissingRecording(f"{model.name} has no answer to item {item.id}; {remedy}")
        scores.append(score(row.text, item, workload).value)
    return Outcome(request, scores[0], scores[1], item.group)

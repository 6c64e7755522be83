"""Targets: the classifier goes with the models it was trained for, however they are reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.targets import builtin
from benchmarks.targets.builtin import artefact_file, open_classifier, recording_file, recording_path
from legacy_pipeline.classifier import SCHEMA, Artefact, Waves, weights_id
from legacy_pipeline.features import SURFACE
from legacy_pipeline.train import save
from shared.backends.recorded import Header, RecordedModel, RecordingWriter
from shared.contract import Identity
from shared.errors import BadInput


def trained(small: Identity, large: Identity) -> None:
    artefact = Artefact(
        schema_name=SCHEMA,
        small=weights_id(small),
        large=weights_id(large),
        weights={},
        topics={},
        topic_waves=Waves(frequencies=(), phases=(), weights=()),
        surface_mean=(0.0,) * len(SURFACE),
        surface_scale=(1.0,) * len(SURFACE),
        surface_waves=Waves(frequencies=((),) * len(SURFACE), phases=(), weights=()),
        intercept=0.0,
        threshold=0.0,
        novelty=(),
        made={},
    )
    save(artefact, artefact_file(small.model, large.model))


@pytest.fixture(autouse=True)
def _artefacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, "ARTEFACTS", tmp_path)


def test_hosted_models_whose_weights_nobody_tells_have_a_classifier_too() -> None:
    small, large = Identity("recorded", "openai/mini"), Identity("recorded", "openai/maxi")
    trained(small, large)
    found, notes = open_classifier(Identity("litellm", "openai/mini"), Identity("litellm", "openai/maxi"))
    assert found is not None
    assert notes == ()


def test_known_weights_do_not_pass_for_unknown_ones_of_that_name() -> None:
    trained(Identity("local", "s", version="a" * 64), Identity("local", "l", version="b" * 64))
    found, notes = open_classifier(Identity("http", "s"), Identity("http", "l"))
    assert found is None
    assert "every question goes to the large model" in notes[0]


def test_other_weights_of_that_name_are_refused() -> None:
    trained(Identity("local", "s", version="a" * 64), Identity("local", "l", version="b" * 64))
    with pytest.raises(BadInput, match="trained for the large model"):
        open_classifier(Identity("local", "s", version="a" * 64), Identity("local", "l", version="c" * 64))


def test_no_classifier_is_said_with_what_it_means() -> None:
    found, notes = open_classifier(Identity("http", "s"), Identity("http", "l"))
    assert found is None
    assert "no classifier is trained for s and l: every question goes to the large model" in notes[0]
    assert notes[0].endswith("crossover classifier train --small s --large l")


def test_one_model_in_both_places_needs_no_classifier() -> None:
    assert open_classifier(Identity("http", "s"), Identity("http", "s")) == (None, ())


def test_a_missing_recording_of_an_import_is_not_to_be_recorded(tmp_path: Path) -> None:
    folder = tmp_path / "graded"
    header = Header(schema="crossover-recording/1", model=RecordedModel(provider="imported", name="small", sha256=""),
                    workload="graded")  # fmt: skip
    RecordingWriter(recording_path(folder, "small", "test"), header).close()
    with pytest.raises(BadInput, match="there are small; name one of these, or import the table again"):
        recording_file("large", "test", folder)

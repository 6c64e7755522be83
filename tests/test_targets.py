"""Targets: the classifier goes with the models it was trained for, however they are reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.targets import builtin
from benchmarks.targets.builtin import artefact_file, open_classifier
from legacy_pipeline.classifier import SCHEMA, SURFACE, Artefact, weights_id
from legacy_pipeline.train import save
from shared.contract import Identity
from shared.errors import BadInput


def trained(small: Identity, large: Identity) -> None:
    artefact = Artefact(
        schema_name=SCHEMA,
        small=weights_id(small),
        large=weights_id(large),
        weights={},
        surface_weights=(0.0,) * len(SURFACE),
        intercept=0.0,
        threshold=0.0,
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

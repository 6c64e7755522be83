"""The classifier: the fast path gives scikit-learn's number, the artefact knows its models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_pipeline import train as training
from legacy_pipeline.classifier import Artefact, Classifier, question, surface, tokens, weights_id
from legacy_pipeline.train import Outcome, calibration_error, choose_threshold, estimator, save, train
from shared.contract import Identity
from shared.errors import BadInput
from tests.fakes import ask

SMALL, LARGE = Identity("fake", "small", version="a" * 64), Identity("fake", "large", version="b" * 64)


def outcomes(count: int, start: int = 0) -> list[Outcome]:
    """Sums are hard for the small model, names of colours are not."""
    rows = []
    for number in range(start, start + count):
        hard = number % 2 == 0
        text = f"What is {number} + {number * 7}, step by step?" if hard else f"Which colour has leaf number {number}?"
        rows.append(Outcome(ask(text, task="sum" if hard else "colour"), 0.0 if hard else 1.0, 1.0, f"g{number}"))
    return rows


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return train(outcomes(60), outcomes(40, start=60), small=SMALL, large=LARGE)


def test_it_learns_what_the_small_model_cannot_do(artefact: Artefact) -> None:
    classifier = Classifier(artefact)
    assert classifier.judge(ask("What is 812 + 9, step by step?", task="sum")).hard
    assert not classifier.judge(ask("Which colour has leaf number 812?", task="colour")).hard


def test_the_fast_path_is_the_scikit_learn_pipeline() -> None:
    rows = outcomes(60)
    asked = [question(row.request) for row in rows]
    fitted = estimator(1.0).fit(asked, [row.large - row.small for row in rows])
    exported = Classifier(training._export(fitted, 0.9, 0.05, 0.0, "s", "l"))
    others = [("sum", "never seen words"), ("", ""), ("colour", "Which colour? Which colour? 12.5, no!"), *asked]
    for each, predicted in zip(others, fitted.predict(others), strict=True):
        assert exported.gain(each) == pytest.approx(0.9 * predicted + 0.05, abs=1e-9)


def test_it_is_saved_as_json_and_read_back_the_same(artefact: Artefact, tmp_path: Path) -> None:
    save(artefact, tmp_path / "a.json")
    again = Classifier.load(tmp_path / "a.json", small=SMALL, large=LARGE)
    assert again.artefact == artefact


@pytest.mark.parametrize(
    ("small", "large", "role"),
    [
        (Identity("fake", "other", version="a" * 64), LARGE, "small"),
        (SMALL, Identity("fake", "large", version="c" * 64), "large"),
        (LARGE, SMALL, "small"),
    ],
)
def test_it_refuses_other_models_and_other_weights(
    small: Identity, large: Identity, role: str, artefact: Artefact, tmp_path: Path
) -> None:
    save(artefact, tmp_path / "a.json")
    with pytest.raises(BadInput, match=f"trained for the {role} model"):
        Classifier.load(tmp_path / "a.json", small=small, large=large)


def test_a_model_reached_another_way_is_the_same_model() -> None:
    assert weights_id(Identity("local", "m", version="f" * 64)) == weights_id(
        Identity("recorded", "m", version="f" * 64)
    )


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema_name": "crossover-classifier/0"}', "\x00\xff"])
def test_a_broken_artefact_is_a_clear_error(content: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(content, encoding="latin-1")
    with pytest.raises(BadInput, match=r"a\.json .*make it again"):
        Classifier.load(file, small=SMALL, large=LARGE)
    with pytest.raises(BadInput, match="missing"):
        Classifier.load(tmp_path / "b.json", small=SMALL, large=LARGE)


def test_an_artefact_of_another_shape_is_refused(artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(artefact.model_dump() | {"surface_weights": [1.0]}))
    with pytest.raises(BadInput, match="make it again"):
        Classifier.load(tmp_path / "a.json", small=SMALL, large=LARGE)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(BadInput, match="too few"):
        train(outcomes(6), outcomes(6), small=SMALL, large=LARGE)


gains = st.lists(st.tuples(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0])), min_size=1, max_size=40)


@given(rows=gains, allowed=st.sampled_from([0.0, 0.02, 0.1]))
def test_the_threshold_keeps_its_target_and_no_other_sends_more_to_the_small_model(
    rows: list[tuple[float, float]], allowed: float
) -> None:
    predicted = [predicted for predicted, _ in rows]
    scored = [Outcome(ask(), 0.0, gain, "g") for _, gain in rows]
    threshold, share, loss = choose_threshold(predicted, scored, allowed)
    easy = [row.large - row.small for each, row in zip(predicted, scored, strict=True) if each <= threshold]
    assert share == pytest.approx(len(easy) / len(rows))
    assert loss == pytest.approx(sum(easy) / len(rows))
    assert loss <= allowed + 1e-9
    for other in predicted:
        more = [row.large for each, row in zip(predicted, scored, strict=True) if each <= other]
        assert len(more) <= len(easy) or sum(more) / len(rows) > allowed - 1e-9


def test_calibration_error_is_nothing_for_perfect_predictions() -> None:
    assert calibration_error([0.1, 0.5, 0.9], [0.1, 0.5, 0.9], bins=3) == pytest.approx(0.0)
    assert calibration_error([0.5, 0.5], [1.0, 1.0], bins=1) == pytest.approx(0.5)


@given(st.text())
def test_features_take_any_text(text: str) -> None:
    asked = ("task", text)
    assert tokens(asked)[0] == "task=task"
    assert all(value == value and value >= 0 for value in surface(asked))

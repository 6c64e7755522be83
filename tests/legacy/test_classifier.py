"""The classifier: the fast path gives scikit-learn's number, the artefact knows its models."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.workloads.workload import load
from legacy_pipeline.cascade import Cascade
from legacy_pipeline.classifier import Artefact, Classifier, novelty_bound, question, weights_id
from legacy_pipeline.features import SURFACE, read
from legacy_pipeline.settings import Settings
from legacy_pipeline.train import Outcome, calibration_error, choose_threshold, export, fit, save, train
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


def test_the_fast_path_is_the_scikit_learn_pipeline_over_the_whole_workload() -> None:
    workload = load()
    asked = [question(workload.request(item)) for item in workload.items]
    rng = random.Random(7)  # noqa: S311
    known = asked[::4]
    small, large = ([float(rng.random() < share) for _ in known] for share in (0.4, 0.7))
    fitted = fit(known, small, large, range(len(known)))
    classifier = Classifier(export(fitted, "s", "l"))
    others = [
        ("sum", "never seen words"),
        ("", ""),
        ("", "¹ ١٢ 1.2.3 12:30 1,000 " + "9" * 5000),
        ("facts", "no " * 99),
    ]
    for each, predicted in zip(asked + others, fitted.pipeline.predict(list(map(read, asked + others))), strict=True):
        assert classifier.gain(each) == pytest.approx(fitted.slope * predicted + fitted.shift, abs=1e-9)


def test_training_again_gives_the_same_artefact(artefact: Artefact) -> None:
    assert train(outcomes(60), outcomes(40, start=60), small=SMALL, large=LARGE) == artefact


def test_a_task_that_is_not_known_is_no_token(artefact: Artefact) -> None:
    assert "task=sum" in artefact.weights
    assert read(("", "Is it on?")).tokens() == ["is", "it", "on", "?", "is it", "it on", "on ?"]
    assert read(("sum", "On?")).tokens()[0] == "task=sum"


def test_the_options_of_an_answer_are_counted_wherever_they_stand() -> None:
    def form(text: str) -> list[float]:
        return [round(each, 2) for each in read(("", text)).surface[-4:]]

    assert SURFACE[-4:] == ("options", "option length", "option spread", "options that are numbers")
    assert form("Which?\n(A) 12\n(B) 13\n(C) 14") == [3.0, 1.1, 0.0, 1.0]
    assert form("Which? A. red B. blue") == [2.0, 1.5, 0.2, 0.0]
    assert form("Vitamin A. B. vitamins are others") != [0.0] * 4  # looks like two options
    assert form("Plan B. is better") == [0.0] * 4


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_no_more_than_the_stated_share_of_like_questions_abstains(share: float) -> None:
    """Split conformal, on average over the splits: at most `share`, and not much less."""
    rng = random.Random(3)  # noqa: S311
    beyond = []
    for _ in range(4000):
        drawn = [rng.random() for _ in range(201)]
        beyond.append(drawn[0] > novelty_bound(tuple(sorted(drawn[1:])), share))
    rate = sum(beyond) / len(beyond)
    assert share / 2 < rate < share + 0.02
    assert novelty_bound((0.1, 0.2), 0.05) == float("inf"), "two questions cannot tell what one in twenty is"


@pytest.mark.parametrize("known", [1, 2])
def test_questions_of_the_same_novelty_as_those_validated_on_do_not_abstain(known: int) -> None:
    """Each has three different words, one or two of them known: shares that no decimal says exactly."""

    def asked(number: int) -> Outcome:
        letters = chr(97 + number % 26) * 3 + chr(97 + number // 26) * 4
        words = ["which", "colour"][:known] + [f"{letters}{part}x" for part in "pq"[: 3 - known]]
        return Outcome(ask(" ".join(words), task="colour"), float(number % 2), 1.0, f"g{number}")

    made = train(outcomes(60), [asked(number) for number in range(100)], small=SMALL, large=LARGE)
    cascade = Cascade(Classifier(made), Settings(abstain=0.05))
    details = [asyncio.run(cascade.route(asked(number).request)).detail for number in range(100, 200)]
    assert len(set(made.novelty)) == 1
    assert not any(detail.startswith("abstained") for detail in details)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cafe\u0301 caf\u00e9", ["caf\u00e9", "caf\u00e9"]),
        ("Qu\u2019est-ce qu'est", ["qu'est", "-", "ce", "qu'est"]),
        ("राजधानी क्या है?", ["राजधानी", "क्या", "है", "?"]),
        ("首都是哪里? カタ", ["首", "都", "是", "哪", "里", "?", "カ", "タ"]),
        ("don't pay 1,200.50!", ["don't", "pay", "#8", "!"]),
    ],
)
def test_words_are_words_however_they_are_written(text: str, words: list[str]) -> None:
    assert read(("", text)).words == words


def test_only_the_beginning_of_a_very_long_question_is_read() -> None:
    assert read(("", "a b " * 10_000)) == read(("", "a b " * 5_000))


def test_a_question_unlike_any_goes_to_the_large_model_and_says_why(artefact: Artefact) -> None:
    easy = ask("Which colour has leaf number 9?", task="colour")
    strange = ask("Ποια είναι η απάντηση;", task="colour")
    for abstain, asked, small in ((0.05, easy, True), (0.05, strange, False), (None, strange, None)):
        route = asyncio.run(Cascade(Classifier(artefact), Settings(abstain=abstain)).route(asked))
        assert route.detail.startswith("abstained: 100% of its words are new") is (small is False)
        assert small is None or route.small is small


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("surface_mean", [1.0]), ("topics", {"what": [1]}), ("topics", {"unheard-of": [1] * 40}), ("schema_name", "old")],
)
def test_an_artefact_of_another_shape_is_refused(name: str, value: object, artefact: Artefact, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(artefact.model_dump() | {name: value}))
    with pytest.raises(BadInput, match="make it again"):
        Classifier.load(tmp_path / "a.json", small=SMALL, large=LARGE)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gain_that_is_no_number_does_not_pass_for_easy(bad: float, artefact: Artefact, tmp_path: Path) -> None:
    """NaN is above no threshold: without the check every question would go to the small model."""
    broken = artefact.model_copy(update={"intercept": bad})
    with pytest.raises(BadInput, match="its artefact is broken"):
        asyncio.run(Cascade(Classifier(broken), Settings()).route(ask()))
    (tmp_path / "a.json").write_text(json.dumps(broken.model_dump()))
    with pytest.raises(BadInput, match="make it again"):
        Classifier.load(tmp_path / "a.json", small=SMALL, large=LARGE)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(BadInput, match="too few"):
        train(outcomes(6), outcomes(6), small=SMALL, large=LARGE)


gains = st.lists(st.tuples(st.floats(-1, 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0])), min_size=1, max_size=40)


@example(rows=[(0.0, -1.0), (0.0, -1.0), (0.0, 0.5), (1.0, 1.0), (0.9999999999999999, 1.0)], allowed=0.0)
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
    found = read(("task", text))
    assert found.tokens()[0] == "task=task"
    assert len(found.surface) == len(SURFACE)
    assert all(0 <= value < 1e6 for value in found.surface)

"""Scorers: the ugly outputs small models really give, each with why it scores what it scores."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import json_fields, label, numeric, short_answer
from benchmarks.quality.score import score
from benchmarks.workloads.workload import Item, load
from shared.errors import BadInput

LABELS = ("ok", "insult", "private_data")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("insult", 1),
        ("Insult.", 1),
        (' "insult"\n', 1),
        ("**insult**", 1),
        ("ok", 0),  # another label
        ("insulting", 0),  # not the label
        ("insult because it mocks the reader", 0),  # the product asked for the label only
        ("label: insult", 0),
        ("", 0),
    ],
)
def test_label(text: str, value: float) -> None:
    assert label.score(text, "insult", LABELS)[0] == value


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("9" * 5000, 14, 0),
        ("9" * 5000 + "/" + "9" * 5000, 1, 0),  # no float holds it
        ("3*4=12, 12+2=14 Answer: 14", 14, 1),
        ("3*4=12, 12+2=14", 14, 1),  # the last number counts where no answer is marked
        ("Answer: 12 (and 14 with the vase)", 12, 1),  # the first after the mark
        ("Answer: none", 12, 0),
        ("12 Answer:", 12, 1),  # a mark with nothing after it: the last number of the whole
        ("1,250.50 euros", 1250.5, 1),
        ("-40", -40, 1),
        ("\u221240 °C", -40, 1),  # a typographic minus
        ("3/4", 0.75, 1),
        ("0.075", 0.075, 1),
        ("20°C", 20, 1),
        ("fourteen", 14, 0),
        ("14.0000001", 14, 0),
        ("", 14, 0),
    ],
)
def test_numeric(text: str, reference: float, value: float) -> None:
    assert numeric.score(text, reference)[0] == value


@given(st.integers(-(10**9), 10**9))
def test_numeric_takes_every_way_to_write_a_number(number: int) -> None:
    for text in (str(number), f"{number:,}", f"{number}.0", f"So that is {number} in all.", f"Answer: {number}"):
        assert numeric.score(text, number)[0] == 1.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Mona Lisa", 1),
        ("the Mona Lisa.", 1),
        ("  mona   lisa ", 1),
        ("“Mona Lisa”", 1),
        ("The Mona Lisa and others", 0),  # listing more is not answering
        ("Leonardo painted the Mona Lisa", 0),
        ("", 0),
    ],
)
def test_short_answer(text: str, value: float) -> None:
    assert short_answer.score(text, ["Mona Lisa", "La Gioconda"])[0] == value


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = short_answer.normalise(text)
    if not once.startswith(("the ", "a ", "an ", '"', "'", "`", "*")) and not once.endswith(('"', "'", "`", "*")):
        assert short_answer.normalise(once) == once


REFERENCE: dict[str, object] = {"name": "Tom", "seats": 3, "paid": True}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"name": "Tom", "seats": 3, "paid": true}', 1.0),
        ('```json\n{"name": "tom", "seats": 3.0, "paid": true}\n```', 1.0),
        ('{"name": "Tom", "seats": 4, "paid": true}', 2 / 3),
        ('{"name": "Tom", "seats": "3", "paid": true}', 2 / 3),  # a text is no number
        ('{"name": "Tom", "seats": 3, "paid": 1}', 2 / 3),  # 1 is not true
        ('{"name": "Tom", "seats": 3, "paid": true, "city": "Graz"}', 3 / 4),  # one field too many
        ('{"name": "Tom"}', 1 / 3),
        ("{}", 0.0),
        ("[1]", 0.0),
        ('{"name": "Tom", "seats": 3, "paid": true', 0.0),  # cut off
        ("Tom, 3 seats, paid", 0.0),
        ('{"name": "Tom", "seats": 1' + "0" * 400 + ', "paid": true}', 2 / 3),  # no float holds it
        ('{"name": "Tom", "seats": 1' + "0" * 5000 + ', "paid": true}', 0.0),  # Python reads no number that long
    ],
)
def test_json_fields(text: str, value: float) -> None:
    assert json_fields.score(text, REFERENCE)[0] == pytest.approx(value)


@given(st.text())
def test_every_scorer_takes_any_text_and_stays_between_0_and_1(text: str) -> None:
    for value, reason in (
        label.score(text, "ok", LABELS),
        numeric.score(text, 1.0),
        short_answer.score(text, ["ok"]),
        json_fields.score(text, REFERENCE),
    ):
        assert 0.0 <= value <= 1.0
        assert reason


def test_a_reference_that_no_float_holds_is_refused() -> None:
    workload = load()
    item = next(item for item in workload.items if workload.scorer(item) == "numeric")
    with pytest.raises(BadInput, match="the number is too large"):
        score("1", item.model_copy(update={"reference": 10**400}), workload)


def test_every_reference_of_the_workload_is_right_by_its_own_scorer() -> None:
    workload = load()
    for item in workload.items:
        reference = item.reference
        texts = reference if isinstance(reference, list) else [reference]
        for text in texts:
            answer = text if isinstance(text, str) else json.dumps(text)
            assert score(str(answer), item, workload).value == 1.0, item.id


def test_a_reference_that_does_not_fit_its_scorer_names_the_item() -> None:
    workload = load()
    item = workload.items[0].model_copy(update={"reference": "many", "scorer": "numeric"})
    assert isinstance(item, Item)
    with pytest.raises(BadInput, match=f"item {item.id}: reference does not fit scorer 'numeric'"):
        score("3", item, workload)

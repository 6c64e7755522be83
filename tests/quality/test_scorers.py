"""Scorers: the ugly outputs small models really give, each with why it scores what it scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.quality import json_fields, label, numeric, short_answer
from benchmarks.quality.score import rejected, score
from benchmarks.workloads.workload import Item, load
from shared.errors import BadInput

LABELS = ("ok", "insult", "private_data")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


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


@pytest.mark.parametrize("reference", ["Other.", '"Other"', "*other*"])
def test_a_label_is_compared_as_the_answer_is(reference: str) -> None:
    for text in ("other", "Other.", reference):
        assert label.score(text, reference, (reference, "ok"))[0] == 1
    assert label.score("ok", reference, (reference, "OK."))[1] == f"label ok, not {reference}"


def test_no_answer_is_no_label_of_marks() -> None:
    assert label.score("", "*", ("*", "ok"))[0] == 0
    assert label.score(" * ", "*", ("*", "ok"))[0] == 1


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("9" * 5000, 14, 0),
        ("-$5", -5, 1),
        ("-$5", 5, 0),
        ("$-5", -5, 1),
        ("\u20135", -5, 1),  # an en dash
        ("10\u201320", 20, 1),  # a range
        ("minus 5", -5, 1),
        ("Minus €5", -5, 1),
        ("negative .5", -0.5, 1),
        ("minus 1½", -1.5, 1),
        ("14 minus 6 is 8", 8, 1),
        ("Answer: 14 minus 6", 14, 1),
        ("Answer: 3 * 4 = 12", 12, 1),
        ("Answer: 3 + 4 = 7", 7, 1),
        ("Answer: 3 + 4 = 7", 3, 0),
        ("Answer: (3+4)*2 = 14", 14, 1),
        ("Answer: 3 pens * $4 = $12, 12 / 4 = **3**", 3, 1),
        ("Answer: 3 * 4 =", 3, 0),  # ends in the middle of a sum
        ("Answer: 3 * 4 =\n3", 3, 0),
        ("Answer: 12\nA pen - 1 = 3", 12, 1),  # a sum of another line
        ("Answer: 12 (3 * 4 = 12, 12 - 2 = 10)", 12, 1),
        ("Answer: 14, as x = 3", 14, 1),
        ("1e6", 1, 0),
        ("1e6", 1_000_000, 1),
        ("2.5E-3", 0.0025, 1),
        ("1e9999", 1, 0),
        ("1e999", 1, 0),  # no float holds it
        ("3 million", 3, 0),
        ("3 million", 3_000_000, 1),
        ("about 2.5 thousand euros", 2500, 1),
        ("1 1/2 million", 1_500_000, 1),
        ("3 millionaires", 3, 1),
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
        ("1 250.5", 1250.5, 1),
        ("1'250", 1250, 1),
        ("1.250,5", 1250.5, 1),
        ("2,5 hours", 2.5, 1),
        (".5", 0.5, 1),
        ("1 1/2", 1.5, 1),
        ("-1 1/2", -1.5, 1),
        ("1½ cups", 1.5, 1),
        ("25%", 0.25, 1),
        ("25 percent", 25, 1),
        ("2500%", 0.25, 0),
        ("ANSWER: 14", 14, 1),
    ],
)
def test_numeric(text: str, reference: float, value: float) -> None:
    assert numeric.score(text, reference)[0] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.5 km", 1),
        ("3.5", 1),
        ("3,5 kilometres", 1),
        ("3.5 in all", 1),  # a word, no unit
        ("3.5 m", 0),
        ("3.5 miles", 0),
        ("3500 m", 0),  # nothing is converted
        ("$3.5", 0),
        ("3.5%", 0),
    ],
)
def test_another_unit_than_the_stated_one_is_wrong(text: str, value: float) -> None:
    parsed = numeric.parse("3.5 km")
    assert parsed == (3.5, "km")
    assert numeric.score(text, *parsed)[0] == value


@pytest.mark.parametrize(
    ("text", "reference", "value"),
    [
        ("The distance is 3.5", "3.5 km", 1),  # the s of "is" is no second
        ("a sum of 3.5", "3.5 km", 1),
        ("It costs € 3.5", "3.5 km", 0),
        ("68 degrees Fahrenheit", "68 °C", 0),
        ("68F", "68 °C", 0),
        ("68 ° f", "68 °C", 0),
        ("68 degrees", "68 °C", 1),
        ("68 degrees from the start", "68 °C", 1),
        ("68 degrees Celsius", "68 °C", 1),
        ("68 C", "68 degrees celsius", 1),
        ("5 square metres", "5 m", 0),
        ("5 square metres", "5 m²", 1),
        ("5 m2", "5 square metres", 1),
        ("5 square feet", "5 ft", 0),
        ("5 cubic metres", "5 m²", 0),
        ("5 cubic meters", "5 m³", 1),
        ("5 square roots", "5 m", 1),  # no unit
        ("5 miles per hour", "5 mph", 1),
        ("60 kilometres per hour", "60 km/h", 1),
        ("60 km per hour", "60 km", 0),
        ("5 metres per second", "5 m/s", 1),
        ("5 meters / sec", "5 m/s", 1),
        ("5 metres per second", "5 km/h", 0),
        ("15 dollars per hour", "$15", 1),
        ("-$5", "-5 dollars", 1),
        ("3 million euros", "3000000 €", 1),
    ],
)
def test_units_in_words(text: str, reference: str, value: float) -> None:
    parsed = numeric.parse(reference)
    assert parsed
    assert numeric.score(text, *parsed)[0] == value


@pytest.mark.parametrize(
    "reference",
    [
        "5 km per week",
        "5 square",
        "$5 km",
        "km",
        "3.5",
        "3 or 4 km",
        "3.5 frobs",
        "",
        True,
        None,
        float("nan"),
        10**400,
        [],
    ],
)
def test_what_is_no_number_with_a_unit(reference: object) -> None:
    assert numeric.parse(reference) is None


RECORDED = [
    ("arithmetic-058", "1187*5=5935, 5935/6=995.5 minutes Answer: 995.5 minutes", 0),
    ("arithmetic-074", "5*6=30, 30-4=26, 26-4=22, 22-4=18, 18-4=14, 14-4", 0),
    ("arithmetic-004", "48/8=6, 48-6=42, 42-6=36, 36-6=20, 20-6=14, 14-6", 0),  # 6 is right, but no result here
    ("arithmetic-030", "48/6=8, 48-8=40, 40-8=32, 32-8=24, 24-8=16, 16-8", 0),
    ("arithmetic-064", "10-2=8, 10-2=8, 10-2=8, 10-2=8, 10-2=8, 10-2=8, ", 1),  # the last result, again and again
    ("arithmetic-019", "34*2=68, 68-34=34, Omar has 68 stickers.", 1),
    ("arithmetic-150", "60+30=90, 90/2=45, 45 km today.", 1),
    ("arithmetic-g-004", "120 and 8 are coprime, so their GCD is 8.", 1),
    ("units-044", "68°", 1),
    ("units-111", "14/7", 1),  # a fraction is a number
    ("units-010", "18:30 + 18:30 = 3", 0),
    ("units-078", "200 cents is equal to 2 euros.", 1),
    ("policy-185", "18:00 from Monday to Friday", 0),
    ("policy-070", "A bed in our hostel is 30 euros a night. Under-threes", 0),
    ("facts-123", "The answer is: The answer is: The answer is: The answer is:", 0),
    ("facts-096", "The sixty-hour clock.", 0),
    ("reasoning-004", "The red one is heavier than the blue one.", 0),
    ("extraction-083", '{"name": "Wanda", "age": 30}, "name": "Wanda", "age": 30}', 0),  # no parser takes it
    ("extraction-059", '"Monday"', 0),
    (
        "extraction-175",
        '{"lot": 77, "opening_bid": 200, "hammer_price": 520 + 20 * 520 / 100, "winning_bidder": 31}',
        0,
    ),
]


@pytest.mark.parametrize(("item_id", "text", "value"), RECORDED)
def test_answers_that_models_gave(item_id: str, text: str, value: float) -> None:
    workload = load()
    got = score(text, workload.by_id[item_id], workload)
    assert got.value == value, got.reason


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("insult: belittles a person", 0),
        ("ok: allowed, also criticism, warnings", 0),
        ("criticism", 0),
        ("friendly", 0),
    ],
)
def test_labels_that_models_gave(text: str, value: float) -> None:
    assert all(label.score(text, each, LABELS)[0] == value for each in LABELS)


def test_a_field_of_the_wrong_type_is_said() -> None:
    schema = {"name": "string", "seats": "integer", "paid": "boolean"}
    value, reason = json_fields.score('{"name": 5, "seats": 4, "paid": 1}', REFERENCE, schema)
    assert (value, reason) == (0.0, "wrong: name (no string), seats, paid (no boolean)")


@pytest.mark.parametrize(
    ("scorer", "reference", "error"),
    [
        ("numeric", float("nan"), "a number is needed"),
        ("numeric", "3.5 frobs", "a number is needed"),
        ("label", 3, "a text is needed"),
        ("short_answer", [], "a list of accepted texts is needed"),
        ("grammar", "one text", "a list of accepted texts is needed"),
        ("json_fields", ["x"], "an object is needed"),
    ],
)
def test_a_wrong_reference_names_item_and_remedy(scorer: str, reference: object, error: str) -> None:
    workload = load()
    item = workload.items[0].model_copy(update={"reference": reference, "scorer": scorer})
    with pytest.raises(BadInput, match=f"item {item.id}: .*{error}.*; mend the reference or choose another scorer"):
        score("3", item, workload)


def test_an_unknown_scorer_names_file_line_and_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text('[t]\nscorer = "bleu"\ninstruction = "Say it."\n')
    (tmp_path / "t.jsonl").write_text("{}\n")
    with pytest.raises(BadInput, match=r"tasks\.toml.*scorer.*'label', 'numeric'.*'grammar'"):
        load(tmp_path)


@given(
    st.sampled_from(["mona lisa", "MONA LISA", " Mona  Lisa. ", "insult", "nothing"]),
    st.sampled_from([str.upper, str.lower]),
)
def test_case_and_space_do_not_count(text: str, change: Callable[[str], str]) -> None:
    other = f"\n {change(text)}\t"
    assert short_answer.score(text, ["Mona Lisa"]) == short_answer.score(other, ["Mona Lisa"])
    assert label.score(text, "insult", LABELS)[0] == label.score(other, "insult", LABELS)[0]


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
        ('"Mona Lisa".', 1),
        ("**Mona Lisa**.", 1),
        ("'Mona Lisa'!", 1),
        ('"The Mona Lisa."', 1),
        ("the 'Mona Lisa'.", 1),
        ("... *Mona Lisa*", 1),
        ('"."', 0),
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
    if not once.startswith(("the ", "a ", "an ")):
        assert short_answer.normalise(once) == once


def test_an_apostrophe_that_nothing_opened_is_no_quote() -> None:
    assert short_answer.plain("It is our neighbours'.") == "it is our neighbours'"
    assert short_answer.plain("'It is ours.'") == short_answer.plain("‘It is ours’.") == "it is ours"


@pytest.mark.parametrize("marks", ["?", "*", "...", "''", ".5"])
def test_an_answer_of_marks_is_compared_as_it_stands(marks: str) -> None:
    assert short_answer.score(f" {marks}\n", [marks])[0] == 1
    for other in ("", "!", "5"):
        assert short_answer.score(other, [marks])[0] == 0


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


@pytest.mark.parametrize(
    ("answer", "reference", "value"),
    [
        ({"a": None}, {"a": None}, 1),
        ({}, {"a": None}, 0),  # a field that is left out is not null
        ({"a": 0}, {"a": None}, 0),
        ({"a": None}, {"a": False}, 0),
        ({"a": ["X.", 2.0, True]}, {"a": ["x", 2, True]}, 1),
        ({"a": [2, 1]}, {"a": [1, 2]}, 0),
        ({"a": [1]}, {"a": [1, 2]}, 0),
        ({"a": {"b": "x", "c": None}}, {"a": {"c": None, "b": "X"}}, 1),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, 0),
        ({"a": {}}, {"a": []}, 0),
    ],
)
def test_fields_that_are_null_lists_or_objects(answer: object, reference: dict[str, object], value: float) -> None:
    assert json_fields.score(json.dumps(answer), reference)[0] == value


@given(st.dictionaries(st.text(), JSON, min_size=1))
def test_every_object_is_right_by_itself(reference: dict[str, object]) -> None:
    assert json_fields.score(json.dumps(reference), reference)[0] == 1


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
    assert [item.id for item in workload.items if rejected(item, workload)] == []


def test_accepted_answers_that_no_answer_matches_are_counted() -> None:
    workload = load()
    item = workload.items[0].model_copy(update={"reference": ["Rome", " ", "Roma", ""], "scorer": "short_answer"})
    assert rejected(item, workload) == [2, 4]


def test_a_reference_that_does_not_fit_its_scorer_names_the_item() -> None:
    workload = load()
    item = workload.items[0].model_copy(update={"reference": "many", "scorer": "numeric"})
    assert isinstance(item, Item)
    with pytest.raises(BadInput, match=f"item {item.id}: reference does not fit scorer 'numeric'"):
        score("3", item, workload)

"""The catalogue: every figure says who says so, unknown stays unknown, a wrong file is named with entry and remedy."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadInput
from shared.hardware.catalogue import FIGURES, UNKNOWN, Assumption, Figure, assumptions, catalogue, find

IDS = [
    "hc1",
    "hc1-demo",
    "cerebras-8b",
    "cerebras-70b",
    "sambanova-8b",
    "sambanova-70b",
    "groq-8b",
    "groq-70b",
    "h100-8b",
    "h100x2-70b",
    "h200-8b",
    "b200-8b",
    "deepinfra-8b",
    "deepinfra-70b",
    "gpt-4o-mini",
    "gpt-4o",
]

GOOD = """
[mine]
name = "a card of ours"
model = "Llama 3.1 8B"
weights = "fp8"
beyond_context = "refuse"
first_token_s = { value = 0.02, prompt_tokens = 100, standing = "independent", source = "ours", date = "2026-11-01" }
prompt_token_s = { value = 2e-5, standing = "assumed", source = "half an H100's", low = 1e-5, high = 4e-5 }
tok_s = { value = 100, standing = "independent", source = "our bench", date = "2026-11" }
capacity = { value = 8, standing = "independent", source = "our bench", date = "2026-11" }
throughput_tok_s = "unknown"
in_flight = "unknown"
context_tokens = "unknown"
input_usd_per_mtok = { value = "unknown", source = "nobody sells it", date = "2026-11" }
output_usd_per_mtok = "unknown"
rent_usd_per_hour = "unknown"
watts = "unknown"
"""


def written(folder: Path, text: str, name: str = "mine.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_the_shipped_entries_are_those_that_are_promised_each_with_every_figure() -> None:
    assert list(catalogue()) == IDS
    for hardware in catalogue().values():
        assert list(hardware.figures) == list(FIGURES)


def test_every_shipped_number_has_standing_source_and_date_and_unknown_has_none() -> None:
    for hardware in catalogue().values():
        for figure in hardware.figures.values():
            assert (figure.value is None) == (figure.standing == "unknown")
            assert figure.value is None or (figure.source and figure.date)
            assert figure.standing != "assumed", "what is assumed belongs in assumptions.toml"


def test_what_the_public_demo_was_seen_to_do_is_in_its_limits() -> None:
    demo = find("hc1-demo")
    assert demo.beyond_context == "empty"
    assert 6025 <= (demo.value("context_tokens") or 0) < 8000
    assert demo.value("in_flight") == 8


def test_the_price_of_the_silicon_is_unknown_and_says_why() -> None:
    assert find("hc1").value("output_usd_per_mtok") is None
    assert "published no price" in find("hc1").figures["output_usd_per_mtok"].source


def test_shipped_assumptions_fill_unknown_figures_only_and_have_range_and_reason() -> None:
    for id_, figures in assumptions().items():
        filled = find(id_).with_assumed(figures)  # raises where a figure is known
        for name, figure in figures.items():
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high
            assert figure.source
            assert filled.figures[name].standing == "assumed"


@pytest.mark.parametrize(
    ("id_", "figures"),
    [
        ("hc1", ("first_token_s", "prompt_token_s", "tok_s", "capacity", "throughput_tok_s", "context_tokens")),
        ("h100-8b", ("first_token_s", "prompt_token_s", "tok_s", "capacity", "throughput_tok_s", "rent_usd_per_hour")),
        (
            "h100x2-70b",
            ("first_token_s", "prompt_token_s", "tok_s", "capacity", "throughput_tok_s", "rent_usd_per_hour"),
        ),
    ],
)
def test_nothing_that_the_default_scenario_needs_stays_unknown(id_: str, figures: tuple[str, ...]) -> None:
    hardware = find(id_).with_assumed(assumptions()[id_])
    assert not [name for name in figures if hardware.value(name) is None]


def test_the_assumed_rent_of_two_cards_is_twice_that_of_one() -> None:
    assert assumptions()["h100x2-70b"]["rent_usd_per_hour"].value == 2 * (
        find("h100-8b").value("rent_usd_per_hour") or 0
    )


def test_an_assumption_changes_neither_the_entry_nor_the_catalogue() -> None:
    before = find("hc1")
    before.with_assumed({"capacity": Figure(4, "assumed", "a guess")})
    assert before.value("capacity") is None
    assert find("hc1").value("capacity") is None


def test_an_assumption_never_takes_the_place_of_a_known_figure() -> None:
    with pytest.raises(BadInput, match=r"assumption for hc1: tok_s is known, 16960 \(vendor-claimed, taalas\.com"):
        find("hc1").with_assumed({"tok_s": Figure(1e6, "assumed", "a hope")})


def test_an_assumption_can_be_assumed_otherwise() -> None:
    first = find("hc1").with_assumed(assumptions()["hc1"])
    assert first.with_assumed({"capacity": Figure(4, "assumed", "a guess")}).value("capacity") == 4


def test_an_assumption_for_no_figure_names_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"there is no figure 'capacty'; did you mean capacity\?"):
        find("hc1").with_assumed({"capacty": Figure(4, "assumed", "a guess")})


def test_an_unknown_id_names_the_nearest_and_the_known() -> None:
    with pytest.raises(BadInput, match=r"hardware 'h100-70b' is unknown; did you mean h100x2-70b.*\? Known are hc1, "):
        find("h100-70b")


def test_a_file_of_ones_own_comes_after_the_shipped_entries(tmp_path: Path) -> None:
    known = catalogue(written(tmp_path, GOOD))
    assert list(known) == [*IDS, "mine"]
    mine = known["mine"]
    assert mine.figures["prompt_token_s"] == Figure(2e-5, "assumed", "half an H100's", "", 1e-5, 4e-5)
    assert mine.figures["first_token_s"].prompt_tokens == 100
    assert mine.figures["throughput_tok_s"] == UNKNOWN
    assert mine.figures["input_usd_per_mtok"] == Figure(None, "unknown", "nobody sells it", "2026-11")
    assert find("mine", tmp_path / "mine.toml") == mine


TOK_S = 'tok_s = { value = 100, standing = "independent", source = "our bench", date = "2026-11" }'
"""The line that each of these puts another in the place of."""


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tok_s = 100", r'\[mine\] tok_s: write "unknown" or \{ value'),
        ("", r'\[mine\] tok_s is missing; write tok_s = "unknown"'),
        (TOK_S + "\ntokens = 1", r"\[mine\] tokens: this key is unknown"),
        (TOK_S + "\nwats = 1", r"\[mine\] wats: this key is unknown; did you mean watts"),
        (TOK_S.replace("100", "-100"), r"\[mine\] tok_s: -100 will not do"),
        (TOK_S.replace("100", "0"), r"\[mine\] tok_s: 0 will not do"),
        (TOK_S.replace("100", "nan"), r"\[mine\] tok_s value: a finite number"),
        (TOK_S.replace("100", "inf"), r"\[mine\] tok_s value: a finite number"),
        (TOK_S.replace("100", "true"), r"\[mine\] tok_s value: a number"),
        (TOK_S.replace("100", '"100"'), r"\[mine\] tok_s value: a number"),
        (TOK_S.replace('source = "our bench", ', ""), r"\[mine\] tok_s source: this key is missing"),
        (TOK_S.replace("our bench", ""), r"\[mine\] tok_s source: "),
        (TOK_S.replace(', date = "2026-11"', ""), r"\[mine\] tok_s date is missing"),
        (TOK_S.replace("2026-11", "last year"), r"\[mine\] tok_s date: this is no date"),
        (TOK_S.replace("2026-11", "2026-13"), r"\[mine\] tok_s date: this is no date"),
        (TOK_S.replace('standing = "independent", ', ""), r"\[mine\] tok_s standing: this key is missing"),
        (TOK_S.replace("independent", "rumour"), r"\[mine\] tok_s standing: use one of 'vendor-claimed'"),
        (TOK_S.replace("independent", "unknown"), r"\[mine\] tok_s.* a number has a standing"),
        (
            TOK_S.replace("}", ", low = 90, high = 110 }"),
            r"\[mine\] tok_s.* low and high are for standing = \"assumed\"",
        ),
        (TOK_S.replace("}", ", prompt_tokens = 9 }"), r"\[mine\] tok_s: prompt_tokens belongs to first_token_s"),
        (TOK_S.replace("}", ", unit = 1 }"), r"\[mine\] tok_s unit: this key is unknown"),
        (
            'tok_s = { value = 100, standing = "assumed", source = "s", low = 110, high = 90 }',
            r"low 110 is above high 90",
        ),
        (
            'tok_s = { value = 9, standing = "assumed", source = "s", low = 10, high = 90 }',
            r"value 9 is outside 10 to 90",
        ),
        ('tok_s = { value = 9, standing = "assumed", source = "s", low = 9 }', r"low and high come together"),
        ('tok_s = { value = 9, standing = "assumed", source = "s", low = 0, high = 9 }', r"tok_s: 0 will not do"),
        ('tok_s = { value = "unknown", standing = "independent" }', r"\[mine\] tok_s standing: this key is unknown"),
    ],
)
def test_a_wrong_figure_is_named_with_file_entry_and_remedy(tmp_path: Path, line: str, message: str) -> None:
    assert TOK_S in GOOD
    with pytest.raises(BadInput, match=message) as raised:
        catalogue(written(tmp_path, GOOD.replace(TOK_S, line)))
    assert str(raised.value).startswith(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[mine]", "[hc1]", r"mine\.toml: \[hc1\] is in the shipped catalogue already; give it another name"),
        ("[mine]", "[[mine]]", r"mine\.toml: \[mine\] is no table"),
        ("[mine]", "[mine", r"mine\.toml: not TOML in UTF-8 \(.*line 2"),
        (GOOD, GOOD + GOOD, r"mine\.toml: not TOML in UTF-8 \(.*twice"),
        (GOOD, "", r"mine\.toml has no entry"),
        (GOOD, "mine = 1", r"mine\.toml: \[mine\] is no table"),
        ('beyond_context = "refuse"', "", r"\[mine\] beyond_context: this key is missing"),
        ('"refuse"', '"explode"', r"\[mine\] beyond_context: use one of 'refuse' or 'empty'"),
        ('model = "Llama 3.1 8B"', "model = 8", r"\[mine\] model: "),
        ("value = 8,", "value = 8.5,", r"\[mine\] capacity: 8\.5 is no whole number of requests"),
        ("prompt_tokens = 100", "prompt_tokens = -1", r"\[mine\] first_token_s prompt_tokens: "),
    ],
)
def test_a_wrong_file_is_named_with_entry_and_remedy(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        catalogue(written(tmp_path, GOOD.replace(old, new, 1)))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none\.toml is missing"):
        catalogue(tmp_path / "none.toml")


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    one, two = written(tmp_path, GOOD), written(tmp_path, GOOD, "two.toml")
    with pytest.raises(BadInput, match=r"two\.toml: \[mine\] is in a file given before already"):
        catalogue(one, two)


@given(st.floats(), st.floats(), st.floats())
def test_an_assumption_lies_in_its_range_or_is_refused(value: float, low: float, high: float) -> None:
    good = all(map(math.isfinite, (value, low, high))) and low <= value <= high
    try:
        figure = Assumption(value=value, low=low, high=high, why="a guess").figure()
    except ValueError:
        assert not good
    else:
        assert good
        assert figure == Figure(value, "assumed", "a guess", "", low, high)


@given(st.sampled_from(list(FIGURES)), st.floats())
def test_nothing_is_assumed_below_a_figures_least_value_and_what_is_counted_is_whole(name: str, value: float) -> None:
    unknown = replace(find("hc1"), figures=dict.fromkeys(FIGURES, UNKNOWN))
    unit = FIGURES[name]
    good = unit.least <= value < math.inf and (not unit.whole or value == int(value))
    for figure in (Figure(value, "assumed", "a guess"), Figure(1e9, "assumed", "a guess", "", value, 1e9)):
        if good:
            assert unknown.with_assumed({name: figure}).figures[name] is figure
        else:
            with pytest.raises(BadInput, match=rf"assumption for hc1: {name}: "):
                unknown.with_assumed({name: figure})
